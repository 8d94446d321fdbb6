//! People on other servers, their keys, and the signed requests that their servers send.

use std::fmt::Write as _;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use heraut::actor::key::RsaPublicKey;
use heraut::inbox::remote::read_actor;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use serde_json::{Value, json};

use super::harness::process::cpu_of;
use super::harness::{Database, Host, World};

/// Different keys; making one takes long.
const KEYS: usize = 8;
/// Rows in one INSERT.
const ROWS_MAX: usize = 200;
/// Verifications in the sample.
const SAMPLE: u32 = 20_000;
/// A sentence of 96 bytes, of which replies are made.
const SENTENCE: &str =
    "De gemeente legt de komende maanden nieuwe riolering aan en houdt bewoners daarvan op de hoogte. ";

/// What is sent.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Follow,
    Like,
    /// A public reply of about 500 characters.
    Create,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Follow => "follow",
            Self::Like => "like",
            Self::Create => "create",
        }
    }
}

/// The people.
pub struct Senders {
    ids: Vec<String>,
    keys: Vec<(PKey<Private>, String)>,
    object: String,
    actor: String,
}

impl Senders {
    /// So many, spread over the hosts.
    pub fn new(world: &World, hosts: Vec<Host>, count: usize) -> Self {
        let ids = (0..count)
            .map(|n| format!("http://{}:{}/users/p{n}", hosts[n % hosts.len()].address, world.port))
            .collect();
        let keys = (0..KEYS).map(|_| {
            let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
            let pem = String::from_utf8(key.public_key_to_pem().unwrap()).unwrap();
            (key, pem)
        });
        let post = &world.database.lines("SELECT CAST(MAX(id) AS TEXT) AS t FROM posts")[0];
        Self {
            ids,
            keys: keys.collect(),
            object: format!("http://{}/ap/o/{post}", world.address),
            actor: format!("http://{}/ap/a/{}", world.address, world.actors[0]),
        }
    }

    fn document(&self, n: usize) -> Value {
        let id = &self.ids[n];
        let shared = format!("{}/inbox", id.split("/users/").next().unwrap());
        json!({
            "@context": ["https://www.w3.org/ns/activitystreams", "https://w3id.org/security/v1"],
            "id": id,
            "type": "Person",
            "preferredUsername": format!("p{n}"),
            "name": format!("Burger {n}"),
            "inbox": format!("{id}/inbox"),
            "outbox": format!("{id}/outbox"),
            "followers": format!("{id}/followers"),
            "endpoints": { "sharedInbox": shared },
            "publicKey": { "id": format!("{id}#main-key"), "owner": id, "publicKeyPem": self.keys[n % KEYS].1 },
        })
    }

    /// What the servers of these answer: authority and path, and the document.
    pub fn documents(&self, range: Range<usize>) -> impl Iterator<Item = (String, String)> {
        range.map(|n| (self.ids[n].trim_start_matches("http://").to_owned(), self.document(n).to_string()))
    }

    /// Puts the first `count` into the database, as if they had been fetched just now.
    pub fn make_known(&self, database: &Database, count: usize) {
        let now = chrono::Utc::now().timestamp_millis();
        let mut sql = "BEGIN;\n".to_owned();
        for chunk in (0..count).collect::<Vec<_>>().chunks(ROWS_MAX) {
            let rows: Vec<String> = chunk
                .iter()
                .map(|n| {
                    let id = &self.ids[*n];
                    let actor = read_actor(self.document(*n).to_string().as_bytes(), id, None).unwrap();
                    let document = serde_json::to_string(&actor).unwrap().replace('\'', "''");
                    format!("('{id}', '{document}', '{id}#main-key', {now})")
                })
                .collect();
            writeln!(sql, "INSERT INTO remote_actors (url, document, key_id, fetched_at) VALUES {};", rows.join(","))
                .unwrap();
        }
        database.execute(&(sql + "COMMIT;"));
    }

    /// CPU seconds that the gateway's own code takes to verify one signature, with the key at hand.
    pub fn verify_cost(&self) -> f64 {
        let (key, pem) = &self.keys[0];
        let message = [0x61; 300];
        let signature = sign(key, &message);
        let public = RsaPublicKey::from_pem(pem).unwrap();
        let before = cpu_of(std::process::id());
        for _ in 0..SAMPLE {
            assert!(public.verifies_sha256(&message, &signature));
        }
        (cpu_of(std::process::id()) - before) / f64::from(SAMPLE)
    }

    /// One request of each of these, signed now: the gateway takes them for an hour.
    pub fn requests(&self, world: &World, kind: Kind, range: Range<usize>) -> Vec<Vec<u8>> {
        let halves = [range.start..range.start.midpoint(range.end), range.start.midpoint(range.end)..range.end];
        let address = world.address.to_string();
        std::thread::scope(|scope| {
            let threads = halves.map(|half| {
                let address = &address;
                scope.spawn(move || half.map(|n| self.request(address, kind, n)).collect::<Vec<_>>())
            });
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        })
    }

    fn request(&self, address: &str, kind: Kind, n: usize) -> Vec<u8> {
        let id = &self.ids[n];
        let body = self.activity(kind, n).to_string();
        let date = chrono::Utc::now().format("%a, %d %b %Y %H:%M:%S GMT");
        let digest = format!("SHA-256={}", STANDARD.encode(openssl::sha::sha256(body.as_bytes())));
        let media = "application/activity+json";
        let text = format!(
            "(request-target): post /ap/inbox\nhost: {address}\ndate: {date}\ndigest: {digest}\ncontent-type: {media}"
        );
        let signature = STANDARD.encode(sign(&self.keys[n % KEYS].0, text.as_bytes()));
        format!(
            "POST /ap/inbox HTTP/1.1\r\nuser-agent: bench/1.0\r\nhost: {address}\r\ndate: {date}\r\ndigest: {digest}\r\n\
             content-type: {media}\r\nsignature: keyId=\"{id}#main-key\",algorithm=\"rsa-sha256\",\
             headers=\"(request-target) host date digest content-type\",signature=\"{signature}\"\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    fn activity(&self, kind: Kind, n: usize) -> Value {
        let id = &self.ids[n];
        let context = "https://www.w3.org/ns/activitystreams";
        let public = "https://www.w3.org/ns/activitystreams#Public";
        let own = format!("{id}/{}", kind.name());
        match kind {
            Kind::Follow => {
                json!({ "@context": context, "id": own, "type": "Follow", "actor": id, "object": self.actor })
            }
            Kind::Like => json!({ "@context": context, "id": own, "type": "Like", "actor": id, "object": self.object }),
            Kind::Create => json!({
                "@context": context,
                "id": own,
                "type": "Create",
                "actor": id,
                "published": chrono::Utc::now().to_rfc3339(),
                "to": [public],
                "cc": [self.actor],
                "object": {
                    "id": format!("{id}/notes/1"),
                    "type": "Note",
                    "attributedTo": id,
                    "published": chrono::Utc::now().to_rfc3339(),
                    "to": [public],
                    "cc": [self.actor],
                    "inReplyTo": self.object,
                    "content": format!("<p>{}</p>", SENTENCE.repeat(5)),
                    "tag": [{ "type": "Mention", "href": self.actor, "name": "@actor0" }],
                },
            }),
        }
    }
}

fn sign(key: &PKey<Private>, message: &[u8]) -> Vec<u8> {
    let mut signer = Signer::new(MessageDigest::sha256(), key).unwrap();
    signer.sign_oneshot_to_vec(message).unwrap()
}
