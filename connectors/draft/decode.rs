//! Bytes to text: which encoding an answer is in.
//!
//! The order is what works in practice (`reference/connectors.md` A4): byte order mark; valid UTF-8, whatever is declared; the
//! charset of `Content-Type`; the encoding of the XML declaration; windows-1252, in which every byte means something.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use crate::contract::Response;
use crate::error::ConnectorError;

/// How far into the document an XML declaration is looked for, in bytes. It must be first; some sites put blank lines before it.
const PROLOG_BYTES_MAX: usize = 512;

/// How many well-formed characters outside ASCII must stand against one broken byte for a document that is declared UTF-8 to be
/// read as UTF-8 with a scratch rather than as windows-1252: a title cut in the middle of a character must not garble the rest.
const GOOD_PER_BROKEN_MIN: usize = 4;

/// The text of an answer of at most so many bytes, without a byte order mark; an error when it is empty or longer. `what` it
/// should be stands in the error.
pub(crate) fn document(response: &Response, bytes_max: usize, what: &'static str) -> Result<String, ConnectorError> {
    if response.body.trim_ascii().is_empty() {
        return Err(ConnectorError::Empty);
    }
    if response.body.len() > bytes_max {
        let problem = format!("it has {} bytes, more than the {bytes_max} that are read", response.body.len());
        return Err(ConnectorError::Unreadable { what, problem });
    }
    let text = decode(&response.body, response.content_type.as_deref());
    Ok(text.strip_prefix('\u{FEFF}').map(str::to_owned).unwrap_or(text))
}

/// Decodes `bytes`; never fails. Bytes that mean nothing in the chosen encoding become U+FFFD.
pub(crate) fn decode(bytes: &[u8], content_type: Option<&str>) -> String {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return with(encoding, bytes.get(mark..).unwrap_or_default());
    }
    if let Some(encoding) = utf_16_without_mark(bytes) {
        return with(encoding, bytes);
    }
    if let Ok(text) = str::from_utf8(bytes) {
        return text.to_owned();
    }
    let header = content_type.and_then(charset).and_then(|label| Encoding::for_label(label.as_bytes()));
    let declared = header.or_else(|| prolog(bytes)).filter(|encoding| encoding.is_ascii_compatible());
    match declared {
        Some(encoding) if encoding == UTF_8 && !is_mostly_utf_8(bytes) => with(WINDOWS_1252, bytes),
        Some(encoding) => with(encoding, bytes),
        None => with(WINDOWS_1252, bytes),
    }
}

fn with(encoding: &'static Encoding, bytes: &[u8]) -> String {
    encoding.decode_without_bom_handling(bytes).0.into_owned()
}

/// XML 1.0 appendix F: how `<?` and `<x` look in UTF-16.
fn utf_16_without_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    match bytes {
        [0, b'<', 0, second, ..] if *second != 0 => Some(UTF_16BE),
        [b'<', 0, second, 0, ..] if *second != 0 => Some(UTF_16LE),
        _ => None,
    }
}

fn charset(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches(['"', '\'']))
    })
}

fn prolog(bytes: &[u8]) -> Option<&'static Encoding> {
    let head: String = bytes.iter().take(PROLOG_BYTES_MAX).map(|byte| char::from(*byte)).collect();
    let declaration = head.split_once("<?xml")?.1.split_once("?>")?.0;
    let value = declaration.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let label = value.get(1..)?.split(quote).next()?;
    Encoding::for_label(label.trim().as_bytes())
}

fn is_mostly_utf_8(bytes: &[u8]) -> bool {
    let (mut good, mut broken) = (0_usize, 0_usize);
    for chunk in bytes.utf8_chunks() {
        good += chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        broken += usize::from(!chunk.invalid().is_empty());
    }
    good >= broken.saturating_mul(GOOD_PER_BROKEN_MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf_16(text: &str, big: bool) -> Vec<u8> {
        text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
    }

    #[test]
    fn the_bytes_decide_before_any_declaration() {
        let latin = b"<?xml version='1.0' encoding='iso-8859-15'?><a>\xA4</a>";
        let table: &[(&[u8], Option<&str>, &str)] = &[
            (b"\xEF\xBB\xBF<a>\xC3\xA9", Some("text/xml; charset=iso-8859-1"), "<a>é"),
            ("<?xml encoding='iso-8859-1'?>é".as_bytes(), None, "<?xml encoding='iso-8859-1'?>é"),
            ("<a>é".as_bytes(), Some("text/xml; charset=windows-1252"), "<a>é"),
            (b"<a>\xE9", Some("text/xml; charset=\"iso-8859-2\""), "<a>é"),
            (b"<a>\xA4", Some("text/xml;Charset=ISO-8859-15"), "<a>€"),
            (b"<a>caf\xE9 \x80", None, "<a>café €"),
            (b"<a>caf\xE9 \x80", Some("text/xml; charset=utf-8"), "<a>café €"),
            (b"<a>caf\xE9 \x80", Some("text/xml; charset=geen"), "<a>café €"),
        ];
        for (bytes, content_type, expected) in table {
            assert_eq!(decode(bytes, *content_type), *expected);
        }
        assert!(decode(latin, None).ends_with("<a>€</a>"));
    }

    #[test]
    fn utf_16_is_known_by_its_mark_or_by_its_first_tag() {
        for big in [true, false] {
            assert_eq!(decode(&utf_16("\u{FEFF}<a>é", big), None), "<a>é");
            assert_eq!(decode(&utf_16("<a>é", big), Some("text/xml; charset=utf-8")), "<a>é");
        }
    }

    #[test]
    fn one_cut_character_does_not_garble_a_utf_8_document() {
        let mut bytes = b"<?xml version='1.0' encoding='utf-8'?><a>".to_vec();
        bytes.extend("één café, twee cafés, reünie".as_bytes());
        bytes.push(0xC3);
        let text = decode(&bytes, None);
        assert!(text.ends_with("één café, twee cafés, reünie\u{FFFD}"), "{text}");
    }
}
