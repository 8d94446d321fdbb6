//! A remote account: its document, and the signed activities that it sends. Signing is done here by hand, so that a test can
//! get every part of it wrong.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use heraut::time::Timestamp;
use serde_json::{Value, json};
use url::Url;

use super::gateway::Gateway;
use super::key::{Key, digest};
use super::peer::Peer;
use super::server::Reply;
use super::{ACTIVITY, PUBLIC, http};

static NEXT: AtomicU32 = AtomicU32::new(1);

/// A remote account; cheap to clone.
#[derive(Clone)]
pub struct Account {
    pub peer: Peer,
    /// Its id.
    pub id: String,
}

impl Account {
    /// The account with that id on that server.
    pub fn new(peer: Peer, id: String) -> Self {
        Self { peer, id }
    }

    fn path(&self) -> &str {
        self.id.strip_prefix(&self.peer.url("")).unwrap()
    }

    /// Changes its document.
    pub fn change(&self, change: impl FnOnce(&mut Value)) {
        self.peer.change(self.path(), change);
    }

    /// Has another key from now on.
    pub fn rotate(&self, key: Key, key_id: &str) {
        let owner = self.id.clone();
        self.change(|document| {
            document["publicKey"] = json!({ "id": key_id, "owner": owner, "publicKeyPem": key.pem() });
        });
    }

    /// The id of its key.
    pub fn key_id(&self) -> String {
        format!("{}#main-key", self.id)
    }

    /// A fresh id on its server.
    pub fn fresh(&self, what: &str) -> String {
        self.peer.url(&format!("/{what}/{}", NEXT.fetch_add(1, Ordering::Relaxed)))
    }

    /// An activity of it, with a fresh id.
    pub fn activity(&self, kind: &str, object: impl Into<Value>) -> Value {
        json!({
            "@context": "https://www.w3.org/ns/activitystreams",
            "id": self.fresh("activities"),
            "type": kind,
            "actor": self.id,
            "object": object.into(),
        })
    }

    /// A public text of it.
    pub fn note(&self, content: &str) -> Value {
        json!({
            "id": self.fresh("notes"),
            "type": "Note",
            "attributedTo": self.id,
            "published": now().to_rfc3339(),
            "to": [PUBLIC],
            "cc": [],
            "content": content,
        })
    }

    /// A public reply of it to one of our posts.
    pub fn reply(&self, to: &str, actor: &str, content: &str) -> Value {
        let mut note = self.note(content);
        note["inReplyTo"] = json!(to);
        note["cc"] = json!([actor]);
        note["tag"] = json!([{ "type": "Mention", "href": actor, "name": "@nieuws" }]);
        note
    }

    /// The Create of a text.
    pub fn create(&self, note: &Value) -> Value {
        let mut activity = self.activity("Create", note.clone());
        activity["to"] = note["to"].clone();
        activity["cc"] = note["cc"].clone();
        activity
    }

    /// An activity as it would be sent, to be spoilt before it is.
    pub fn letter(&self, inbox: &str, activity: &Value) -> Letter {
        let body = activity.to_string().into_bytes();
        Letter {
            inbox: inbox.to_owned(),
            date: now().to_http_date(),
            digest: digest(&body),
            content_type: ACTIVITY.to_owned(),
            covered: vec!["(request-target)", "host", "date", "digest", "content-type"],
            key: Key::USUAL,
            key_id: self.key_id(),
            signed: true,
            body,
        }
    }

    /// Sends a signed activity to the shared inbox.
    pub async fn send(&self, gateway: &Gateway, activity: &Value) -> Reply {
        self.letter(&gateway.url("/ap/inbox"), activity).send().await
    }

    /// Sends a signed activity that must be taken.
    pub async fn says(&self, gateway: &Gateway, activity: &Value) {
        let reply = self.send(gateway, activity).await;
        assert_eq!(reply.status, 202, "{activity}: {}", reply.text());
    }

    /// Follows, and waits until it is accepted. Gives the Follow.
    pub async fn follows(&self, gateway: &Gateway) -> Value {
        let follow = self.activity("Follow", gateway.actor());
        self.says(gateway, &follow).await;
        let id = follow["id"].clone();
        self.peer.takes("the Accept", |a| a.kind() == "Accept" && a.activity["object"]["id"] == id).await;
        follow
    }
}

/// A POST to an inbox. What is signed is what stands here; whoever changes it later sends something else than was signed.
#[derive(Debug, Clone)]
pub struct Letter {
    pub inbox: String,
    pub date: String,
    pub digest: String,
    pub content_type: String,
    /// What the signature covers, in order.
    pub covered: Vec<&'static str>,
    pub key: Key,
    pub key_id: String,
    /// Whether it is signed at all.
    pub signed: bool,
    pub body: Vec<u8>,
}

impl Letter {
    /// Dated so long ago.
    pub fn aged(mut self, age: Duration) -> Self {
        self.date = now().before(age).to_http_date();
        self
    }

    /// Sends it.
    pub async fn send(&self) -> Reply {
        let headers = self.headers();
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        http::request("POST", &self.inbox, &headers, &self.body).await
    }

    /// Sends it to a gateway that may go away meanwhile.
    pub async fn try_send(&self) -> Option<Reply> {
        let headers = self.headers();
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        http::try_request("POST", &self.inbox, &headers, &self.body).await.ok()
    }

    /// The headers, signed by RFC 9421 with the same key.
    pub fn headers_of_rfc9421(&self) -> Vec<(&'static str, String)> {
        let url = Url::parse(&self.inbox).unwrap();
        let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let digest = self.digest.replace("SHA-256=", "sha-256=:") + ":";
        let parameters = format!(
            r#"("@method" "@target-uri" "content-digest");created={};keyid="{}""#,
            now().0 / 1_000,
            self.key_id
        );
        let base = format!(
            "\"@method\": POST\n\"@target-uri\": {url}\n\"content-digest\": {digest}\n\"@signature-params\": {parameters}"
        );
        vec![
            ("host", host),
            ("content-digest", digest),
            ("content-type", self.content_type.clone()),
            ("signature-input", format!("sig1={parameters}")),
            ("signature", format!("sig1=:{}:", self.key.sign(&base))),
        ]
    }

    /// Sends it with those headers.
    pub async fn send_by_rfc9421(&self) -> Reply {
        let headers = self.headers_of_rfc9421();
        let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
        http::request("POST", &self.inbox, &headers, &self.body).await
    }

    /// The headers, with the signature.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let url = Url::parse(&self.inbox).unwrap();
        let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let mut headers = vec![
            ("host", host),
            ("date", self.date.clone()),
            ("digest", self.digest.clone()),
            ("content-type", self.content_type.clone()),
        ];
        if !self.signed {
            return headers;
        }
        let line = |name: &&str| match *name {
            "(request-target)" => format!("(request-target): post {}", url.path()),
            name => format!("{name}: {}", headers.iter().find(|(n, _)| *n == name).unwrap().1),
        };
        let text = self.covered.iter().map(line).collect::<Vec<_>>().join("\n");
        let signature = self.key.sign(&text);
        let covered = self.covered.join(" ");
        let value =
            format!(r#"keyId="{}",algorithm="rsa-sha256",headers="{covered}",signature="{signature}""#, self.key_id);
        headers.push(("signature", value));
        headers
    }
}

fn now() -> Timestamp {
    Timestamp(chrono::Utc::now().timestamp_millis())
}
