//! The system of an agency that pushes: CloudEvents, signed by Standard Webhooks.

use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::http::{request, try_request};
use super::server::Reply;
use super::{Gateway, Setup};

/// The secret, as the configuration has it; as long as no other is made.
pub const SECRET: &str = "whsec_dGhlIHNlY3JldCBvZiB0aGUgY21zIGluIHRlc3Rz";
/// Where events say that they come from.
const SOURCE: &str = "urn:nld:oin:00000009999999999000:systeem:cms";

/// Counts events of all systems, so that no two have one id.
static SENT: AtomicU64 = AtomicU64::new(1);

/// A system that pushes to the source `cms`.
pub struct Cms {
    url: String,
    secret: String,
}

impl Cms {
    /// A source `cms` besides the feed; further keys of its table.
    pub fn source(keys: &str) -> String {
        format!(
            "[[source]]\nname = \"cms\"\nactor = \"nieuws\"\nkind = \"cloudevents\"\nsecret = \"{SECRET}\"\n{keys}\n"
        )
    }

    /// A setup with such a source, whose edits are sent at once.
    pub fn setup() -> Setup {
        Setup::new().further(&Self::source("[source.policy]\nmerge_edits = \"0s\""))
    }

    /// The system of that gateway.
    pub fn of(gateway: &Gateway) -> Self {
        Self::named(gateway, "cms", SECRET)
    }

    /// One that pushes to that source, with that secret.
    pub fn named(gateway: &Gateway, source: &str, secret: &str) -> Self {
        let url = gateway.url(&format!("/hooks/{source}"));
        Self { url, secret: secret.to_owned() }
    }

    /// The address that it posts to.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// An event about an item, new each time; the type ends in `what`.
    pub fn event(&self, what: &str, data: Value) -> Value {
        let n = SENT.fetch_add(1, Ordering::Relaxed);
        let time = chrono::Utc::now().to_rfc3339();
        json!({
            "specversion": "1.0", "id": format!("event-{n}"), "source": SOURCE, "type": format!("nl.voorbeeld.bericht-{what}"),
            "time": time, "sequence": n.to_string(), "sequencetype": "Integer", "data": data,
        })
    }

    /// Pushes an event.
    pub async fn push(&self, event: &Value) -> Reply {
        let body = event.to_string();
        let headers = self.headers(event["id"].as_str().unwrap(), now_s(), body.as_bytes());
        self.post(&headers, body.as_bytes()).await
    }

    /// Pushes an event, and expects that it is accepted. Gives the receipt.
    pub async fn says(&self, what: &str, data: Value) -> String {
        let reply = self.push(&self.event(what, data)).await;
        assert_eq!(reply.status, 202, "{}", reply.text());
        reply.json()["receipt"].as_str().unwrap().to_owned()
    }

    /// The headers of a request with that id and time.
    pub fn headers(&self, id: &str, at_s: i64, body: &[u8]) -> Vec<(String, String)> {
        let key = STANDARD.decode(self.secret.trim_start_matches("whsec_")).unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let signature = hmac::sign(&key, &[format!("{id}.{at_s}.").as_bytes(), body].concat());
        let pairs = [
            ("content-type", "application/cloudevents+json".to_owned()),
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", at_s.to_string()),
            ("webhook-signature", format!("v1,{}", STANDARD.encode(signature))),
        ];
        pairs.map(|(name, value)| (name.to_owned(), value)).to_vec()
    }

    /// Posts exactly that.
    pub async fn post(&self, headers: &[(String, String)], body: &[u8]) -> Reply {
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        request("POST", &self.url, &headers, body).await
    }

    /// Pushes an event; `None` when there is no answer.
    pub async fn try_push(&self, event: &Value) -> Option<Reply> {
        let body = event.to_string();
        let headers = self.headers(event["id"].as_str().unwrap(), now_s(), body.as_bytes());
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        try_request("POST", &self.url, &headers, body.as_bytes()).await.ok()
    }
}

/// Now, in seconds.
pub fn now_s() -> i64 {
    chrono::Utc::now().timestamp()
}
