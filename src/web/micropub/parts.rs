//! `multipart/form-data`: a form with files.

use std::convert::Infallible;

use bytes::Bytes;
use multer::Multipart;

use crate::flow::micropub::Sent;
use crate::flow::micropub::refusal::Refusal;

/// Most parts of a form.
pub const PARTS_MAX: usize = 100;

/// The parts of a body that was read whole, in their order.
pub async fn read(content_type: &str, body: Bytes) -> Result<Vec<Sent>, Refusal> {
    let malformed = |error: multer::Error| Refusal::Invalid(format!("the form cannot be read: {error}"));
    let boundary = multer::parse_boundary(content_type).map_err(malformed)?;
    let whole = futures::stream::once(async move { Ok::<Bytes, Infallible>(body) });
    let mut form = Multipart::new(whole, boundary);
    let mut parts = Vec::new();
    while let Some(field) = form.next_field().await.map_err(malformed)? {
        if parts.len() == PARTS_MAX {
            return Err(Refusal::Invalid(format!("the form has more than {PARTS_MAX} parts")));
        }
        let name = field.name().unwrap_or_default().to_owned();
        let is_file = field.file_name().is_some() || field.content_type().is_some_and(|kind| kind.type_() != "text");
        let bytes = field.bytes().await.map_err(malformed)?;
        parts.push(if is_file {
            // A form sends its empty file fields too.
            if bytes.is_empty() {
                continue;
            }
            Sent::File(name, bytes)
        } else {
            let text = String::from_utf8(bytes.to_vec());
            let text = text.map_err(|_| Refusal::Invalid("the form has a field that is no UTF-8".to_owned()))?;
            Sent::Field(name, text)
        });
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (head, bytes) in parts {
            body.extend(format!("--x\r\nContent-Disposition: form-data; {head}\r\n\r\n").bytes());
            body.extend(*bytes);
            body.extend(b"\r\n");
        }
        body.extend(b"--x--\r\n");
        body
    }

    async fn read_form(body: Vec<u8>) -> Result<Vec<Sent>, Refusal> {
        read("multipart/form-data; boundary=x", body.into()).await
    }

    #[actix_web::test]
    async fn fields_and_files_come_in_their_order_and_empty_files_do_not() {
        let body = form(&[
            ("name=\"content\"", b"Tekst"),
            ("name=\"photo\"; filename=\"a.png\"", b"\x89PNG"),
            ("name=\"photo\"; filename=\"\"", b""),
        ]);
        let wanted = vec![
            Sent::Field("content".to_owned(), "Tekst".to_owned()),
            Sent::File("photo".to_owned(), Bytes::from_static(b"\x89PNG")),
        ];
        assert_eq!(read_form(body).await, Ok(wanted));
    }

    #[actix_web::test]
    async fn what_is_no_form_or_too_many_parts_is_an_error() {
        for body in
            [&b""[..], b"--x", b"--x\r\n\r\n", b"hello", b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx"]
        {
            assert!(read_form(body.to_vec()).await.is_err(), "{body:?}");
        }
        assert!(read("multipart/form-data", Bytes::new()).await.is_err());
        assert!(read_form(form(&[("name=\"a\"", b"\xff")])).await.is_err());
        assert_eq!(
            read_form(form(&[("name=\"a\"", &b"x"[..]); PARTS_MAX])).await.map(|parts| parts.len()),
            Ok(PARTS_MAX)
        );
        assert!(read_form(form(&[("name=\"a\"", &b"x"[..]); PARTS_MAX + 1])).await.is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(mut body in prop::collection::vec(any::<u8>(), 0..300), lead in any::<bool>()) {
            if lead {
                body.splice(0..0, form(&[("name=\"content\"", b"x")]));
            }
            let _ = futures::executor::block_on(read_form(body));
        }
    }
}
