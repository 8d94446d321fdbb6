//! The signature profiles before their judges: what the libraries of the vendors sign is taken, and nothing that was changed since.

use serde_json::{Value, json};

use crate::harness::{Database, Reply, Setup, World, both, eventually, now_s, request};
use crate::script::Script;

/// A library, who runs it, and the profile of what it signs.
struct Library {
    script: &'static str,
    name: &'static str,
    source: &'static str,
    profile: &'static str,
    secret: &'static str,
    /// Whether it signs the time.
    is_timed: bool,
}

const WHSEC: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const WHSEC_OTHER: &str = "whsec_YW5vdGhlciBzZWNyZXQgb2YgdGhlIHZlbmRvcnM=";
const CONTENTFUL: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const PLAIN: &str = "heraut-test-secret";
const HOUR_MS: i64 = 3_600_000;

const LIBRARIES: [Library; 7] = [
    Library::node("standardwebhooks", "standard-npm", "standard", WHSEC, true),
    Library { script: "sign.py", ..Library::node("standardwebhooks", "standard-pypi", "standard", WHSEC, true) },
    Library::node("@octokit/webhooks-methods", "github", "github", PLAIN, false),
    Library::node("@sanity/webhook", "sanity", "sanity", PLAIN, true),
    Library::node("@contentful/node-apps-toolkit", "contentful", "contentful", CONTENTFUL, true),
    Library::node("@kontent-ai/webhook-helper", "kontent", "kontent", PLAIN, false),
    Library::node("@kontent-ai/webhook-helper, line ends", "kontent-crlf", "kontent", PLAIN, false),
];

impl Library {
    const fn node(
        name: &'static str,
        source: &'static str,
        profile: &'static str,
        secret: &'static str,
        is_timed: bool,
    ) -> Self {
        Self { script: "sign.mjs", name, source, profile, secret, is_timed }
    }

    /// The source that it signs for.
    fn table(&self) -> String {
        let Self { source, profile, secret, .. } = self;
        format!(
            "[[source]]\nname = \"{source}\"\nactor = \"nieuws\"\nkind = \"cloudevents\"\nbatch = true\n\
             secret = \"{secret}\"\nsignature = \"{profile}\"\n"
        )
    }

    fn path(&self) -> String {
        format!("/hooks/{}", self.source)
    }

    /// Another secret of the same form.
    fn another_secret(&self) -> String {
        if self.profile == "standard" { WHSEC_OTHER.to_owned() } else { self.secret.chars().rev().collect() }
    }
}

/// The scripts that run the libraries.
struct Scripts {
    node: Script,
    python: Script,
}

/// A request as a library made it.
#[derive(Clone)]
struct Made {
    headers: Vec<(String, String)>,
    body: String,
}

impl Scripts {
    fn start() -> Self {
        Self { node: Script::oracle("sign.mjs"), python: Script::oracle("sign.py") }
    }

    fn sign(&self, library: &Library, secret: &str, at_ms: i64, mode: &str, events: &[Value]) -> Made {
        let script = if library.script == "sign.py" { &self.python } else { &self.node };
        let id = events[0]["id"].as_str().unwrap();
        let command = json!({
            "do": "sign", "by": library.name, "secret": secret, "path": library.path(), "id": id, "at_ms": at_ms, "mode": mode,
            "events": events,
        });
        let made = script.tell(command);
        let headers = made["headers"].as_object().unwrap().iter();
        let headers = headers.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
        Made { headers, body: made["body"].as_str().unwrap().to_owned() }
    }
}

fn event(id: &str, title: &str) -> Value {
    json!({
        "id": id, "source": "urn:nld:oin:00000009999999999000:systeem:cms", "type": "nl.voorbeeld.bericht-gepubliceerd",
        "time": chrono::Utc::now().to_rfc3339(), "sequence": "1", "datacontenttype": "application/json",
        "data": {"id": id, "title": title, "html": "<p>Over de brug.</p>", "language": "nl"},
    })
}

fn now_ms() -> i64 {
    now_s() * 1_000
}

async fn world(db: Database) -> World {
    let tables: Vec<String> = LIBRARIES.iter().map(Library::table).collect();
    World::with(db, Setup::new().further(&tables.concat())).await
}

async fn send(world: &World, path: &str, made: &Made) -> Reply {
    let headers: Vec<(&str, &str)> = made.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    request("POST", &world.gateway.url(path), &headers, made.body.as_bytes()).await
}

/// Sends a request that must not be taken for the vendor's.
async fn refused(world: &World, library: &Library, path: &str, made: &Made, why: &str) {
    let reply = send(world, path, made).await;
    assert_eq!(reply.status, 401, "{} {why}: {}", library.name, reply.text());
    assert_eq!(reply.json()["code"], "unverified", "{} {why}", library.name);
}

both! {
    async fn what_the_libraries_of_the_vendors_sign_is_taken_once_and_forgeries_are_refused(db: Database) {
        let world = world(db).await;
        let scripts = Scripts::start();
        for library in &LIBRARIES {
            let (title, path) = (format!("Ondertekend voor {}.", library.source), library.path());
            let events = [event(&format!("bericht-{}", library.source), &title)];
            let good = scripts.sign(library, library.secret, now_ms(), "structured", &events);

            let changed = Made { body: good.body.replace("Ondertekend", "Veranderd"), ..good.clone() };
            refused(&world, library, &path, &changed, "with a body that was changed").await;
            let forged = scripts.sign(library, &library.another_secret(), now_ms(), "structured", &events);
            refused(&world, library, &path, &forged, "with another secret").await;
            let bare = Made { headers: good.headers.iter().filter(|(name, _)| !name.contains("signature")).cloned().collect(), ..good.clone() };
            refused(&world, library, &path, &bare, "without its signature").await;
            if library.is_timed {
                for at_ms in [now_ms() - HOUR_MS, now_ms() + HOUR_MS] {
                    let old = scripts.sign(library, library.secret, at_ms, "structured", &events);
                    refused(&world, library, &path, &old, "with a time that is an hour off").await;
                }
            }
            if library.profile == "contentful" {
                refused(&world, library, &format!("{path}?to=another"), &good, "at another address").await;
            }

            let reply = send(&world, &path, &good).await;
            assert_eq!(reply.status, 202, "{}: {}", library.name, reply.text());
            assert_eq!(send(&world, &path, &good).await.status, 200, "{}: it comes again", library.name);
            world.created(&title).await;
        }
        assert_eq!(world.peer.count("Create"), LIBRARIES.len());
        assert_eq!(world.db.number("SELECT COUNT(*) FROM hook_deliveries"), i64::try_from(LIBRARIES.len()).unwrap());
    }

    async fn what_the_libraries_of_cloudevents_write_is_read_in_each_mode(db: Database) {
        let world = world(db).await;
        let scripts = Scripts::start();
        for library in LIBRARIES.iter().filter(|library| library.profile == "standard") {
            for mode in ["structured", "binary", "batch"] {
                let title = |n: usize| format!("{mode} {n} van {}: brug dícht.", library.script);
                let count = if mode == "batch" { 3 } else { 1 };
                let name = |n: usize| format!("{mode}-{n}-{}", library.source);
                let events: Vec<Value> = (0..count).map(|n| event(&name(n), &title(n))).collect();
                let made = scripts.sign(library, library.secret, now_ms(), mode, &events);
                let reply = send(&world, &library.path(), &made).await;
                assert_eq!(reply.status, 202, "{mode} of {}: {}", library.script, reply.text());
                for n in 0..count {
                    world.created(&title(n)).await;
                }
            }
        }
        // An attribute in a header is percent-encoded: here it is what the item is known by.
        let library = &LIBRARIES[1];
        let mut nameless = event("in-een-header", "De naam staat in een header.");
        nameless["data"].as_object_mut().unwrap().remove("id");
        nameless["subject"] = json!("dossier \"é\"/1");
        let made = scripts.sign(library, library.secret, now_ms(), "binary", &[nameless]);
        assert!(made.headers.iter().any(|(name, value)| name == "ce-subject" && value == "dossier%20%22%C3%A9%22/1"));
        assert_eq!(send(&world, &library.path(), &made).await.status, 202);
        world.created("De naam staat in een header.").await;
        eventually("the item has the name that was encoded", || async {
            let items = world.db.lines("SELECT source_key AS t FROM items WHERE source_key LIKE 'dossier%'");
            (items == ["dossier \"é\"/1"]).then_some(())
        })
        .await;
    }
}
