//! Mastodon's client API, as far as a target needs it: every call bounded, with the token, to the target's own server only.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use url::Url;

use crate::flow::{Gateway, now};
use crate::net::{CALL_BYTES_MAX, Call, FetchError, Fetched, Method};
use crate::target::answer::{Heard, Meaning};
use crate::time::Timestamp;

/// Time for a request that carries a picture.
pub(super) const UPLOAD_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest id of a server that is taken, in characters.
const ID_CHARS_MAX: usize = 64;

/// A server, and the token for an account there.
pub(super) struct Api<'g> {
    gateway: &'g Gateway,
    server: Url,
    token: String,
}

/// Why a call had no usable answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// What it is about is not there.
    Missing,
    /// It will never be done as it was asked.
    Refused { status: Option<u16>, why: String },
    /// The token or the account is the matter.
    Barred(String),
    /// It may be done later.
    Later { status: Option<u16>, why: String, not_before: Option<Timestamp>, unsure: bool },
    /// Another process works on the target by now, or nobody is to.
    Lost,
    /// The database failed.
    Store(crate::store::StoreError),
}

impl From<crate::store::StoreError> for Trouble {
    fn from(error: crate::store::StoreError) -> Self {
        Self::Store(error)
    }
}

/// A usable answer.
pub(super) struct Answer {
    /// HTTP status, 2xx.
    pub(super) status: u16,
    /// The body; null if it is not JSON.
    pub(super) body: Value,
    /// When the server wants to be asked again, where it said so.
    pub(super) not_before: Option<Timestamp>,
}

impl<'g> Api<'g> {
    pub(super) fn new(gateway: &'g Gateway, server: Url, token: String) -> Self {
        Self { gateway, server, token }
    }

    /// Reads.
    pub(super) async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Answer, Trouble> {
        let mut url = self.url(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.call(Method::Get, url, Vec::new(), Bytes::new(), self.gateway.settings.delivery_timeout).await
    }

    /// Sends JSON.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        key: Option<&str>,
    ) -> Result<Answer, Trouble> {
        let mut headers = vec![("content-type", "application/json".to_owned())];
        headers.extend(key.map(|key| ("idempotency-key", key.to_owned())));
        let body = Bytes::from(body.to_string());
        self.call(method, self.url(path), headers, body, self.gateway.settings.delivery_timeout).await
    }

    /// Removes.
    pub(super) async fn delete(&self, path: &str) -> Result<Answer, Trouble> {
        let timeout = self.gateway.settings.delivery_timeout;
        self.call(Method::Delete, self.url(path), Vec::new(), Bytes::new(), timeout).await
    }

    /// Sends a file with its description.
    pub(super) async fn upload(&self, path: &str, file: &File<'_>) -> Result<Answer, Trouble> {
        let boundary = format!("heraut-{}", hex::encode(rand::random::<[u8; 16]>()));
        let headers = vec![("content-type", format!("multipart/form-data; boundary={boundary}"))];
        self.call(Method::Post, self.url(path), headers, file.form(&boundary), UPLOAD_TIMEOUT).await
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.server.clone();
        url.set_path(path);
        url
    }

    async fn call(
        &self,
        method: Method,
        url: Url,
        mut headers: Vec<(&'static str, String)>,
        body: Bytes,
        timeout: Duration,
    ) -> Result<Answer, Trouble> {
        headers.push(("authorization", format!("Bearer {}", self.token)));
        headers.push(("accept", "application/json".to_owned()));
        let call = Call { method, url, headers, body, bytes_max: CALL_BYTES_MAX, timeout };
        let told = self.gateway.net.call(call).await.map_err(|error| unreachable(&error))?;
        read(&told)
    }
}

fn read(told: &Fetched) -> Result<Answer, Trouble> {
    let heard = Heard { status: told.status, headers: &told.headers, body: &told.body };
    let at = now();
    let status = Some(told.status);
    match heard.meaning(at) {
        Meaning::Done => Ok(Answer {
            status: told.status,
            body: serde_json::from_slice(&told.body).unwrap_or_default(),
            not_before: heard.not_before(at),
        }),
        Meaning::Missing => Err(Trouble::Missing),
        Meaning::Refused(why) => Err(Trouble::Refused { status, why }),
        Meaning::Barred(why) => Err(Trouble::Barred(why)),
        Meaning::Later { why, not_before, unsure } => Err(Trouble::Later { status, why, not_before, unsure }),
    }
}

fn unreachable(error: &FetchError) -> Trouble {
    // Before there is a connection nothing was asked.
    let unsure = !matches!(error.cause(), "dns" | "connect" | "tls");
    Trouble::Later { status: None, why: crate::flow::verify::with_causes(error), not_before: None, unsure }
}

/// A file to send.
pub(super) struct File<'f> {
    pub(super) name: String,
    pub(super) media_type: &'f str,
    pub(super) bytes: &'f [u8],
    pub(super) description: &'f str,
}

impl File<'_> {
    /// As `multipart/form-data` (RFC 7578).
    fn form(&self, boundary: &str) -> Bytes {
        let Self { name, media_type, bytes, description } = self;
        let mut form = format!(
            "--{boundary}\r\ncontent-disposition: form-data; name=\"description\"\r\n\r\n{description}\r\n\
             --{boundary}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             content-type: {media_type}\r\n\r\n"
        )
        .into_bytes();
        form.extend_from_slice(bytes);
        form.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        form.into()
    }
}

/// The id in an answer, if it is one that can stand in a path.
pub(super) fn id_of(body: &Value) -> Option<String> {
    let id = match body.get("id")? {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    ((1..=ID_CHARS_MAX).contains(&id.len()) && id.chars().all(plain)).then_some(id)
}

/// The address of a page in an answer.
pub(super) fn page_of(body: &Value) -> Option<String> {
    let text = ["url", "uri"].into_iter().find_map(|name| body.get(name).and_then(Value::as_str))?;
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    (text.len() <= crate::urls::URL_BYTES_MAX).then(|| url.into())
}
