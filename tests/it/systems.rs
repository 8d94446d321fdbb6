//! Real systems that publish, from npm (`tests/cms`): started, asked as their editors' screens ask them, and what came of it.

use std::io::Cursor;
use std::sync::{Mutex, PoisonError};

use image::{ImageFormat, Rgb, RgbImage};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Database, Gateway, Kind, World, eventually, request};
use crate::script::Script;

const BOUNDARY: &str = "a-boundary-of-the-test";

/// A system on loopback, with a database of its own; it ends with the test.
pub struct System {
    // Ended before what it uses.
    script: Script,
    _folder: TempDir,
    _database: Database,
}

impl System {
    /// Starts the system that `tests/cms` has under that name.
    pub fn start(name: &'static str) -> Self {
        // One at a time: a start takes seconds of a processor.
        static STARTING: Mutex<()> = Mutex::new(());
        let _one = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::Builder::new().prefix("heraut-cms-").tempdir().unwrap();
        let database = Database::new(Kind::Postgres);
        let home = folder.path().join("home");
        let script = Script::cms(name, &[home.to_str().unwrap(), &database.url]);
        Self { script, _folder: folder, _database: database }
    }

    /// What it said when it was ready: `url`, `version`, `admin` and `token`.
    pub fn said(&self, key: &str) -> &str {
        self.script.ready[key].as_str().unwrap()
    }

    /// Asks as an editor; what it answers must be good news.
    pub async fn ask(&self, method: &str, path: &str, data: Value) -> Value {
        let body = if data.is_null() { String::new() } else { data.to_string() };
        self.send(method, path, "application/json", body.as_bytes()).await
    }

    /// Sends a picture as a form does, with the fields that stand before it.
    pub async fn upload(&self, path: &str, part: &str, fields: &[(&str, &str)], name: &str, bytes: &[u8]) -> Value {
        let mut head = String::new();
        for (field, value) in fields {
            head += &format!("--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n");
        }
        head += &format!(
            "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"{part}\"; filename=\"{name}\"\r\ncontent-type: image/png\r\n\r\n"
        );
        let body = [head.as_bytes(), bytes, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat();
        self.send("POST", path, &format!("multipart/form-data; boundary={BOUNDARY}"), &body).await
    }

    async fn send(&self, method: &str, path: &str, media_type: &str, body: &[u8]) -> Value {
        let bearer = format!("Bearer {}", self.said("admin"));
        let mut headers = vec![("authorization", bearer.as_str())];
        if !body.is_empty() {
            headers.push(("content-type", media_type));
        }
        let reply = request(method, &format!("{}{path}", self.said("url")), &headers, body).await;
        assert!((200..300).contains(&reply.status), "{method} {path}: {} {}", reply.status, reply.text());
        if reply.body.is_empty() { json!({}) } else { reply.json() }
    }
}

/// A picture as a photograph would be.
pub fn photograph() -> Vec<u8> {
    let shade = |n: u32| u8::try_from(n % 256).unwrap();
    let mut bytes = Cursor::new(Vec::new());
    let picture = RgbImage::from_fn(320, 200, |x, y| Rgb([shade(x), shade(y), 90]));
    picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// Waits until that many requests came to a source and nothing is left to do; gives state and outcome of each, the oldest first.
pub async fn settled(gateway: &Gateway, source: &str, number: usize) -> Vec<(String, String)> {
    let text = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    eventually(&format!("{number} requests came and were worked off"), || async {
        let listed = gateway.cli(&["source", "deliveries", source, "--json"]).await.well().json();
        let lines = listed.as_array().unwrap().iter();
        let outcomes: Vec<_> = lines.rev().map(|line| (text(line, "state"), text(line, "outcome"))).collect();
        let done = outcomes.iter().all(|(state, _)| state == "done" || state == "ignored");
        (done && outcomes.len() >= number).then_some(outcomes)
    })
    .await
}

/// What the follower was told, in its order, but the answer to its Follow.
pub fn told(world: &World) -> Vec<String> {
    let arrivals = world.peer.arrivals();
    arrivals.iter().map(|arrival| arrival.kind().to_owned()).filter(|kind| kind != "Accept").collect()
}
