//! A hub that the test plays: it takes requests, and verifies and delivers when the test says so.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aws_lc_rs::hmac;
use url::form_urlencoded;

use super::eventually;
use super::http::{request, try_request};
use super::server::{Answer, Reply, serve};

/// The media type of the site's feed.
const RSS: &str = "application/rss+xml; charset=utf-8";

/// A request to the hub.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The fields of the form, without `hub.`.
    pub fields: HashMap<String, String>,
}

impl Asked {
    /// A field; empty when it is not there.
    pub fn get(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    /// What the hub sends to the callback to verify, as it says: fields without `hub.`.
    pub async fn call(&self, fields: &[(&str, &str)]) -> Reply {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in fields {
            query.append_pair(&format!("hub.{name}"), value);
        }
        request("GET", &format!("{}?{}", self.get("callback"), query.finish()), &[], b"").await
    }

    /// Comes to verify, and expects that the challenge comes back.
    pub async fn verify(&self, lease_s: u64) {
        let lease = lease_s.to_string();
        let fields = [
            ("mode", self.get("mode")),
            ("topic", self.get("topic")),
            ("challenge", "een-lange-uitdaging"),
            ("lease_seconds", &lease),
        ];
        let reply = self.call(&fields).await;
        assert_eq!((reply.status, reply.text().as_str()), (200, "een-lange-uitdaging"));
        assert!(reply.header("content-type").starts_with("text/plain"), "{reply:?}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
    }

    /// The signature of a body, by that method.
    pub fn signature(&self, method: &str, body: &[u8]) -> String {
        let algorithm = match method {
            "sha1" => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            "sha256" => hmac::HMAC_SHA256,
            "sha384" => hmac::HMAC_SHA384,
            "sha512" => hmac::HMAC_SHA512,
            other => panic!("{other}"),
        };
        let key = hmac::Key::new(algorithm, self.get("secret").as_bytes());
        format!("{method}={}", hex::encode(hmac::sign(&key, body)))
    }

    /// Delivers, signed by that method.
    pub async fn delivers_by(&self, method: &str, body: &[u8]) -> Reply {
        let signature = self.signature(method, body);
        self.posts(&[("content-type", RSS), ("x-hub-signature", &signature)], body).await
    }

    /// Delivers, and expects that it is taken in.
    pub async fn delivers(&self, body: &str) {
        let reply = self.delivers_by("sha256", body.as_bytes()).await;
        assert_eq!(reply.status, 202, "{}", reply.text());
    }

    /// Posts exactly that to the callback.
    pub async fn posts(&self, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        request("POST", self.get("callback"), headers, body).await
    }

    /// As [`Asked::delivers_by`]; `None` when there is no answer.
    pub async fn tries_to_deliver(&self, body: &[u8]) -> Option<Reply> {
        let signature = self.signature("sha256", body);
        let headers = [("content-type", RSS), ("x-hub-signature", signature.as_str())];
        try_request("POST", self.get("callback"), &headers, body).await.ok()
    }
}

/// The running hub; cheap to clone.
#[derive(Clone)]
pub struct Hub {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    reply: Arc<Mutex<Reply>>,
}

impl Hub {
    /// A hub that answers 202 to everything.
    pub fn start() -> Self {
        let (asked, reply) = (Arc::<Mutex<Vec<Asked>>>::default(), Arc::new(Mutex::new(Reply::status(202))));
        let (asks, replies) = (asked.clone(), reply.clone());
        let address = serve(Arc::new(move |request| {
            let fields = form_urlencoded::parse(&request.body);
            let fields = fields.map(|(name, value)| (name.trim_start_matches("hub.").to_owned(), value.into_owned()));
            asks.lock().unwrap().push(Asked { fields: fields.collect() });
            let reply = replies.lock().unwrap().clone();
            Box::pin(async move { Answer::Reply(reply) })
        }));
        Self { address, asked, reply }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}/hub", self.address)
    }

    /// Answers so from now on.
    pub fn answers(&self, reply: Reply) {
        *self.reply.lock().unwrap() = reply;
    }

    /// All that it was asked.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// Waits until it was asked that for the `n`-th time, and gives that request.
    pub async fn is_asked(&self, mode: &str, n: usize) -> Asked {
        eventually(&format!("the hub is asked to {mode} for time {n}"), || {
            std::future::ready(self.asked().into_iter().filter(|asked| asked.get("mode") == mode).nth(n - 1))
        })
        .await
    }
}
