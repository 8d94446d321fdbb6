//! A signed GET of a remote server, by hand, so that a test can get every part of it wrong.

use heraut::time::Timestamp;
use url::Url;

use super::account::Account;
use super::key::Key;
use super::server::Reply;
use super::{ACTIVITY, http};

/// A GET of a document. What is signed is what stands here.
#[derive(Debug, Clone)]
pub struct Reading {
    pub url: String,
    pub accept: String,
    pub method: &'static str,
    pub date: String,
    /// What the signature covers, in order.
    pub covered: Vec<&'static str>,
    pub key: Key,
    pub key_id: String,
}

impl Account {
    /// Reads a document as this account, to be spoilt before it is sent.
    pub fn reading(&self, url: &str) -> Reading {
        Reading {
            url: url.to_owned(),
            accept: ACTIVITY.to_owned(),
            method: "GET",
            date: Timestamp(chrono::Utc::now().timestamp_millis()).to_http_date(),
            covered: vec!["(request-target)", "host", "date"],
            key: Key::USUAL,
            key_id: self.key_id(),
        }
    }

    /// Reads a document, signed by draft-cavage.
    pub async fn reads(&self, url: &str) -> Reply {
        self.reading(url).send().await
    }
}

impl Reading {
    /// Signed by draft-cavage.
    pub async fn send(&self) -> Reply {
        let (host, target) = self.parts();
        let line = |name: &&str| match *name {
            "(request-target)" => format!("(request-target): {} {target}", self.method.to_ascii_lowercase()),
            "host" => format!("host: {host}"),
            "date" => format!("date: {}", self.date),
            other => panic!("{other} is not sent"),
        };
        let text = self.covered.iter().map(line).collect::<Vec<_>>().join("\n");
        let value = format!(
            r#"keyId="{}",algorithm="rsa-sha256",headers="{}",signature="{}""#,
            self.key_id,
            self.covered.join(" "),
            self.key.sign(&text)
        );
        let headers = [
            ("host", host.as_str()),
            ("date", &self.date),
            ("accept", self.accept.as_str()),
            ("signature", value.as_str()),
        ];
        http::request(self.method, &self.url, &headers, b"").await
    }

    /// Signed by RFC 9421.
    pub async fn send_by_rfc9421(&self) -> Reply {
        let (host, _) = self.parts();
        let created = Timestamp::parse_http_date(&self.date).unwrap().0 / 1_000;
        let parameters = format!(r#"("@method" "@target-uri");created={created};keyid="{}""#, self.key_id);
        let base =
            format!("\"@method\": {}\n\"@target-uri\": {}\n\"@signature-params\": {parameters}", self.method, self.url);
        let (input, signature) = (format!("sig1={parameters}"), format!("sig1=:{}:", self.key.sign(&base)));
        let headers = [
            ("host", host.as_str()),
            ("accept", self.accept.as_str()),
            ("signature-input", input.as_str()),
            ("signature", signature.as_str()),
        ];
        http::request(self.method, &self.url, &headers, b"").await
    }

    fn parts(&self) -> (String, String) {
        let url = Url::parse(&self.url).unwrap();
        let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let target = url.query().map_or(url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        (host, target)
    }
}
