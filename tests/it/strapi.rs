//! A real Strapi, from npm: what an editor does there, told by its own webhooks or found in its API, reaches a follower.

use serde_json::{Value, json};

use crate::harness::{Gateway, Setup, World, both, get, get_as};
use crate::systems::{System, photograph, settled, told};

const SECRET: &str = "het wachtwoord van de webhook";
const PAGE: &str = "https://www.voorbeeldstad.example/nieuws";
/// The events that the manual says to tick.
const TICKED: [&str; 5] = ["entry.create", "entry.update", "entry.delete", "entry.publish", "entry.unpublish"];

/// A Strapi on loopback with the content type `press-release`; it ends with the test.
struct Strapi(System);

impl Strapi {
    fn start() -> Self {
        Self(System::start("strapi"))
    }

    /// The source that it feeds, as `docs/connectors/strapi.md` has it.
    fn setup(&self) -> Setup {
        let (url, token) = (self.0.said("url"), self.0.said("token"));
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

    /// Settings → Webhooks → Create new webhook.
    async fn tells(&self, gateway: &Gateway) {
        let webhook = json!({
            "name": "Heraut", "url": gateway.url("/hooks/cms"), "headers": {"X-Webhook-Secret": SECRET}, "events": TICKED,
        });
        self.0.ask("POST", "/admin/webhooks", webhook).await;
    }

    /// An act on press releases in the language Dutch; gives the entry.
    async fn press_release(&self, method: &str, path: &str, data: Value) -> Value {
        let all = "/content-manager/collection-types/api::press-release.press-release";
        self.0.ask(method, &format!("{all}{path}?locale=nl"), data).await["data"].take()
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
        let about = json!({"name": name, "alternativeText": alt}).to_string();
        let file = self.0.upload("/upload", "files", &[("fileInfo", &about)], name, bytes).await[0].take();
        (file["id"].as_i64().unwrap(), format!("{}{}", self.0.said("url"), file["url"].as_str().unwrap()))
    }
}

both! {
    async fn what_an_editor_publishes_edits_and_unpublishes_in_strapi_reaches_the_follower(db: Database) {
        let strapi = Strapi::start();
        let world = World::with(db, strapi.setup()).await;
        strapi.tells(&world.gateway).await;

        let (photo, place) = strapi.uploads("brug.png", "De \"Lange Brug\" & het water", &photograph()).await;
        let entry = json!({"title": "De brug is dicht", "slug": "brug", "body": "Tot **18 uur**.\n\nRij om.", "photo": {"id": photo}});
        let bridge = strapi.drafts(entry).await;
        let drafted = settled(&world.gateway, "cms", 1).await;
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
        settled(&world.gateway, "cms", 4).await;
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
        let outcomes = settled(&world.gateway, "cms", 12).await;
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
        settled(&world.gateway, "cms", 3).await;

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

        // What was there before the source was, and comes back, is for a person.
        strapi.acts(&before, "unpublish").await;
        strapi.acts(&before, "publish").await;
        settled(&world.gateway, "cms", 3 + 3).await;
        assert_eq!(world.db.lines("SELECT state AS t FROM posts WHERE state = 'held'"), ["held"]);

        // What was found is told once more, and then withdrawn by a webhook.
        strapi.acts(&dike, "publish").await;
        strapi.deletes(&draft).await;
        strapi.acts(&dike, "unpublish").await;
        world.told("Delete", found["object"]["id"].as_str().unwrap(), 1).await;
        settled(&world.gateway, "cms", 3 + 3 + 4).await;
        let mut told = told(&world);
        told.sort();
        assert_eq!(told, ["Create", "Create", "Delete", "Update"], "each comes once, the old one and the draft never");
    }
}
