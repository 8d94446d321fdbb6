//! A Micropub client, with a token of a source.

use std::io::Cursor;

use image::{ImageFormat, Rgb, RgbImage};
use serde_json::Value;

use super::http::request;
use super::server::Reply;
use super::{Gateway, Setup};

/// The boundary of forms with files.
const BOUNDARY: &str = "----of-a-form-in-tests";

/// A file of a form: the field, the name, the bytes.
pub type File<'f> = (&'f str, &'f str, &'f [u8]);

/// A client that writes to a source.
#[derive(Debug, Clone)]
pub struct Client {
    pub endpoint: String,
    pub token: String,
}

impl Client {
    /// A source `blog` besides the feed; further keys of its table, and then those of its policy.
    pub fn source(policy: &str) -> String {
        format!(
            "[[source]]\nname = \"blog\"\nactor = \"nieuws\"\nkind = \"micropub\"\n[source.policy]\nmerge_edits = \"0s\"\n{policy}\n"
        )
    }

    /// A setup with such a source.
    pub fn setup(policy: &str) -> Setup {
        Setup::new().further(&Self::source(policy))
    }

    /// A client with a new token of `blog` that may do everything.
    pub async fn of(gateway: &Gateway) -> Self {
        Self::scoped(gateway, "create,update,delete,undelete,media").await
    }

    /// One whose token may do that.
    pub async fn scoped(gateway: &Gateway, scope: &str) -> Self {
        Self::named(gateway, "blog", &["--scope", scope]).await
    }

    /// One with a token of that source, made with further arguments.
    pub async fn named(gateway: &Gateway, source: &str, arguments: &[&str]) -> Self {
        let made = gateway.cli(&[&["token", "add", source, "--name", "test"], arguments].concat()).await.well();
        Self { endpoint: gateway.url("/micropub"), token: made.stdout.trim().to_owned() }
    }

    /// Where it sends pictures to.
    pub fn media(&self) -> String {
        format!("{}/media", self.endpoint)
    }

    /// Sends a form, with the token in the header.
    pub async fn form(&self, body: &str) -> Reply {
        self.post("application/x-www-form-urlencoded; charset=utf-8", &[], body.as_bytes()).await
    }

    /// Sends JSON.
    pub async fn json(&self, body: &Value) -> Reply {
        self.post("application/json", &[], body.to_string().as_bytes()).await
    }

    /// Posts a body of that type with the token and further headers.
    pub async fn post(&self, content_type: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let token = format!("Bearer {}", self.token);
        let own = [("authorization", token.as_str()), ("content-type", content_type)];
        request("POST", &self.endpoint, &[&own, headers].concat(), body).await
    }

    /// Asks, with the token.
    pub async fn ask(&self, query: &str) -> Reply {
        self.get(&format!("{}?{query}", self.endpoint)).await
    }

    /// Reads an address, with the token.
    pub async fn get(&self, url: &str) -> Reply {
        request("GET", url, &[("authorization", &format!("Bearer {}", self.token))], b"").await
    }

    /// The source of a post.
    pub async fn source_of(&self, url: &str) -> Value {
        let reply = self.ask(&format!("q=source&url={}", encoded(url))).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()
    }

    /// Sends a form with files to an address.
    pub async fn files(&self, url: &str, fields: &[(&str, &str)], files: &[File<'_>]) -> Reply {
        let (content_type, body) = multipart(fields, files);
        let token = format!("Bearer {}", self.token);
        request("POST", url, &[("authorization", &token), ("content-type", &content_type)], &body).await
    }

    /// Sends a picture, and gives its address.
    pub async fn sends(&self, name: &str, bytes: &[u8]) -> String {
        let reply = self.files(&self.media(), &[], &[("file", name, bytes)]).await;
        assert_eq!(reply.status, 201, "{}", reply.text());
        reply.header("location").to_owned()
    }

    /// Makes a post that is public at once, and gives its page.
    pub async fn writes(&self, body: &Value) -> String {
        made(&self.json(body).await)
    }
}

/// The page of a post that was made and is public.
pub fn made(reply: &Reply) -> String {
    assert_eq!(reply.status, 201, "{}", reply.text());
    let page = reply.header("location").to_owned();
    assert!(page.contains("/@nieuws/"), "{page}");
    page
}

/// A form with files, and its type.
pub fn multipart(fields: &[(&str, &str)], files: &[File<'_>]) -> (String, Vec<u8>) {
    let mut body = Vec::new();
    for (name, value) in fields {
        body.extend(
            format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n").bytes(),
        );
    }
    for (field, name, bytes) in files {
        let head = format!(
            "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{field}\"; filename=\"{name}\"\r\n\
             content-type: application/octet-stream\r\n\r\n"
        );
        body.extend(head.bytes());
        body.extend(*bytes);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").bytes());
    (format!("multipart/form-data; boundary={BOUNDARY}"), body)
}

/// A text as a part of a query or a form.
pub fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A picture of that shade.
pub fn picture(format: ImageFormat, shade: u8) -> Vec<u8> {
    let picture =
        RgbImage::from_fn(32, 24, |x, y| Rgb([u8::try_from(x * 8).unwrap(), u8::try_from(y * 10).unwrap(), shade]));
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}
