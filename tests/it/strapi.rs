//! A real Strapi, from npm: what an editor does there, told by its own webhooks or found in its API, reaches a follower.

use std::io::Cursor;
use std::sync::{Mutex, PoisonError};

use image::{ImageFormat, Rgb, RgbImage};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Database, Gateway, Kind, Setup, World, both, eventually, get, get_as, request};
use crate::script::Script;

const SECRET: &str = "het wachtwoord van de webhook";
const PAGE: &str = "https://www.voorbeeldstad.example/nieuws";
/// The events that the manual says to tick.
const TICKED: [&str; 5] = ["entry.create", "entry.update", "entry.delete", "entry.publish", "entry.unpublish"];
const BOUNDARY: &str = "a-boundary-of-the-test";

/// A Strapi on loopback with the content type `press-release`; it ends with the test.
struct Strapi {
    // Ended before what it uses.
    script: Script,
    _folder: TempDir,
    _database: Database,
}

impl Strapi {
    fn start() -> Self {
        // One at a time: a start takes seconds of a processor.
        static STARTING: Mutex<()> = Mutex::new(());
        let _one = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        let folder = tempfile::Builder::new().prefix("heraut-strapi-").tempdir().unwrap();
        let database = Database::new(Kind::Postgres);
        let home = folder.path().join("app");
        let script = Script::cms("strapi", &[home.to_str().unwrap(), &database.url]);
        Self { script, _folder: folder, _database: database }
    }

    fn said(&self, key: &str) -> &str {
        self.script.ready[key].as_str().unwrap()
    }

    /// The source that it feeds, as `docs/connectors/strapi.md` has it.
    fn setup(&self) -> Setup {
        let (url, token) = (self.said("url"), self.said("token"));
        Setup::new().further(&format!(
            r#"[[source]]
name = "cms"
actor = "nieuws"
kind = "strapi"
site = "{url}/"
model = "press-release"
route = "press-releases"
page = "{PAGE}/{{slug}}"
token = "{token}"
secret = "{SECRET}"
signature = {{ profile = "static-header", header = "x-webhook-secret" }}
every = "1h"
[source.policy]
merge_edits = "0s"
[source.fields]
image = "photo"
"#
        ))
    }

    async fn send(&self, method: &str, path: &str, media_type: &str, body: &[u8]) -> Value {
        let bearer = format!("Bearer {}", self.said("admin"));
        let headers = [("authorization", bearer.as_str()), ("content-type", media_type)];
        let reply = request(method, &format!("{}{path}", self.said("url")), &headers, body).await;
        assert!(matches!(reply.status, 200 | 201), "{method} {path}: {} {}", reply.status, reply.text());
        reply.json()
    }

    async fn ask(&self, method: &str, path: &str, data: Value) -> Value {
        self.send(method, path, "application/json", data.to_string().as_bytes()).await
    }

    /// Settings → Webhooks → Create new webhook.
    async fn tells(&self, gateway: &Gateway) {
        let webhook = json!({
            "name": "Heraut", "url": gateway.url("/hooks/cms"), "headers": {"X-Webhook-Secret": SECRET}, "events": TICKED,
        });
        self.ask("POST", "/admin/webhooks", webhook).await;
    }

    /// An act on press releases in the language Dutch; gives the entry.
    async fn press_release(&self, method: &str, path: &str, data: Value) -> Value {
        let all = "/content-manager/collection-types/api::press-release.press-release";
        self.ask(method, &format!("{all}{path}?locale=nl"), data).await["data"].take()
    }

    /// Saves a draft; gives its name.
    async fn drafts(&self, data: Value) -> String {
        self.press_release("POST", "", data).await["documentId"].as_str().unwrap().to_owned()
    }

    async fn acts(&self, document: &str, action: &str) {
        self.press_release("POST", &format!("/{document}/actions/{action}"), json!({})).await;
    }

    async fn edits(&self, document: &str, data: Value) {
        self.press_release("PUT", &format!("/{document}"), data).await;
    }

    async fn deletes(&self, document: &str) {
        self.press_release("DELETE", &format!("/{document}"), Value::Null).await;
    }

    /// Puts a picture into the media library; gives its number, and where it is.
    async fn uploads(&self, name: &str, alt: &str, bytes: &[u8]) -> (i64, String) {
        let about = json!({"name": name, "alternativeText": alt});
        let head = format!(
            "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"fileInfo\"\r\n\r\n{about}\r\n--{BOUNDARY}\r\n\
             content-disposition: form-data; name=\"files\"; filename=\"{name}\"\r\ncontent-type: image/png\r\n\r\n"
        );
        let body = [head.as_bytes(), bytes, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat();
        let form = format!("multipart/form-data; boundary={BOUNDARY}");
        let file = self.send("POST", "/upload", &form, &body).await[0].take();
        (file["id"].as_i64().unwrap(), format!("{}{}", self.said("url"), file["url"].as_str().unwrap()))
    }
}

fn photograph() -> Vec<u8> {
    let shade = |n: u32| u8::try_from(n % 256).unwrap();
    let mut bytes = Cursor::new(Vec::new());
    let picture = RgbImage::from_fn(320, 200, |x, y| Rgb([shade(x), shade(y), 90]));
    picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// What came of the requests so far, the oldest first: the state and the outcome of each.
async fn outcomes(gateway: &Gateway) -> Vec<(String, String)> {
    let listed = gateway.cli(&["source", "deliveries", "cms", "--json"]).await.well().json();
    let text = |line: &Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    let lines = listed.as_array().unwrap().iter();
    lines.rev().map(|line| (text(line, "state"), text(line, "outcome"))).collect()
}

/// Waits until that many requests came and nothing is left to do.
async fn settled(gateway: &Gateway, number: usize) -> Vec<(String, String)> {
    eventually(&format!("{number} requests came and were worked off"), || async {
        let outcomes = outcomes(gateway).await;
        let done = outcomes.iter().all(|(state, _)| state == "done" || state == "ignored");
        (done && outcomes.len() >= number).then_some(outcomes)
    })
    .await
}

/// What the follower was told, in its order, but the answer to its Follow.
fn told(world: &World) -> Vec<String> {
    let arrivals = world.peer.arrivals();
    arrivals.iter().map(|arrival| arrival.kind().to_owned()).filter(|kind| kind != "Accept").collect()
}

both! {
    async fn what_an_editor_publishes_edits_and_unpublishes_in_strapi_reaches_the_follower(db: Database) {
        let strapi = Strapi::start();
        let world = World::with(db, strapi.setup()).await;
        strapi.tells(&world.gateway).await;

        let (photo, place) = strapi.uploads("brug.png", "De \"Lange Brug\" & het water", &photograph()).await;
        let entry = json!({"title": "De brug is dicht", "slug": "brug", "body": "Tot **18 uur**.\n\nRij om.", "photo": {"id": photo}});
        let bridge = strapi.drafts(entry).await;
        let drafted = settled(&world.gateway, 1).await;
        assert_eq!(drafted, [("ignored".to_owned(), "a draft was saved".to_owned())]);
        assert_eq!(told(&world), Vec::<String>::new());

        strapi.acts(&bridge, "publish").await;
        let create = world.created("De brug is dicht").await.activity;
        let note = &create["object"];
        let id = note["id"].as_str().unwrap();
        let content = note["content"].as_str().unwrap();
        for said in ["<strong>18 uur</strong>", "Rij om.", "https://www.voorbeeldstad.example/nieuws/brug"] {
            assert!(content.contains(said), "`{said}` is not in {content}");
        }
        assert_eq!(note["contentMap"]["nl"], note["content"], "Strapi says that it is Dutch");
        let pictures = note["attachment"].as_array().unwrap();
        assert_eq!((pictures.len(), &pictures[0]["name"]), (1, &json!("De \"Lange Brug\" & het water")), "{note:#}");
        assert_eq!((&pictures[0]["width"], &pictures[0]["height"]), (&json!(320), &json!(200)));
        let served = get_as(pictures[0]["url"].as_str().unwrap(), "image/*").await;
        let (ours, theirs) = (image::load_from_memory(&served.body), get_as(&place, "image/*").await.body);
        assert!(ours.unwrap().to_rgb8() == image::load_from_memory(&theirs).unwrap().to_rgb8(), "another picture is served");

        // Saved without being published: only the draft changes.
        strapi.edits(&bridge, json!({"title": "De brug is weer open", "body": "Het onderhoud is klaar."})).await;
        settled(&world.gateway, 4).await;
        assert_eq!(told(&world), ["Create"]);
        strapi.acts(&bridge, "publish").await;
        let update = world.told("Update", id, 1).await.activity;
        let edited = update["object"]["content"].as_str().unwrap();
        assert!(edited.contains("weer open") && edited.contains("is klaar") && !edited.contains("is dicht"), "{edited}");
        assert!(update["object"]["updated"].as_str() > note["published"].as_str(), "{update:#}");

        strapi.acts(&bridge, "unpublish").await;
        let delete = world.told("Delete", id, 1).await.activity;
        assert_eq!(delete["object"]["type"], "Tombstone");
        assert_eq!(get(id).await.status, 410);

        let dike = strapi.drafts(json!({"title": "De dijk houdt stand", "slug": "dijk", "body": "Het water zakt."})).await;
        strapi.acts(&dike, "publish").await;
        let second = world.created("De dijk houdt stand").await.activity["object"]["id"].as_str().unwrap().to_owned();
        strapi.deletes(&dike).await;
        world.told("Delete", &second, 1).await;
        // Create, update and publish of two; saved and published again; unpublished; the draft and what was public deleted.
        let outcomes = settled(&world.gateway, 12).await;
        assert_eq!(outcomes.len(), 12, "{outcomes:#?}");
        assert_eq!(told(&world), ["Create", "Update", "Delete", "Create", "Delete"], "each comes once: {outcomes:#?}");
    }

    async fn what_strapi_could_not_tell_is_found_when_the_gateway_starts(db: Database) {
        let strapi = Strapi::start();
        let before = strapi.drafts(json!({"title": "Oud nieuws", "slug": "oud", "body": "Dit stond er al."})).await;
        strapi.acts(&before, "publish").await;
        let mut world = World::with(db, strapi.setup()).await;
        strapi.tells(&world.gateway).await;
        let bridge = strapi.drafts(json!({"title": "De brug is dicht", "slug": "brug", "body": "Rij om."})).await;
        strapi.acts(&bridge, "publish").await;
        let create = world.created("De brug is dicht").await.activity;
        settled(&world.gateway, 3).await;

        // Strapi tries once, and nobody hears it.
        world.gateway.stop().await;
        let dike = strapi.drafts(json!({"title": "De dijk houdt stand", "slug": "dijk", "body": "Het water zakt."})).await;
        strapi.acts(&dike, "publish").await;
        strapi.edits(&bridge, json!({"title": "De brug is weer open"})).await;
        strapi.acts(&bridge, "publish").await;
        let draft = strapi.drafts(json!({"title": "Nog niet af", "slug": "draft", "body": "Niet lezen."})).await;
        world.gateway.restart().await;
        let found = world.created("De dijk houdt stand").await.activity;
        let update = world.told("Update", create["object"]["id"].as_str().unwrap(), 1).await.activity;
        assert!(update["object"]["content"].as_str().unwrap().contains("weer open"), "{update:#}");

        // What was found is told once more, and then withdrawn by a webhook.
        strapi.acts(&dike, "publish").await;
        strapi.deletes(&draft).await;
        strapi.acts(&dike, "unpublish").await;
        world.told("Delete", found["object"]["id"].as_str().unwrap(), 1).await;
        settled(&world.gateway, 3 + 4).await;
        let mut told = told(&world);
        told.sort();
        assert_eq!(told, ["Create", "Create", "Delete", "Update"], "each comes once, the old one and the draft never");
    }
}
