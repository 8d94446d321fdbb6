//! A real Directus, from npm: what an editor does there, told by a flow as the manual has it, by the flow of our template, or found
//! in its API, reaches a follower.

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Gateway, Setup, World, both, get, get_as};
use crate::systems::{System, photograph, settled, told};

const SECRET: &str = "het-wachtwoord-van-de-flow";
const PAGE: &str = "https://www.voorbeeldstad.example/nieuws";

/// A Directus on loopback with the collection `news`; it ends with the test.
struct Directus(System);

impl Directus {
    fn start() -> Self {
        Self(System::start("directus"))
    }

    /// The source of the kind `directus`, as `docs/connectors/directus.md` has it.
    fn read_back(&self) -> Setup {
        let (url, token) = (self.0.said("url"), self.0.said("token"));
        Setup::new().further(&format!(
            r#"[[source]]
name = "cms"
actor = "nieuws"
kind = "directus"
site = "{url}/"
collection = "news"
page = "{PAGE}/{{slug}}"
token = "{token}"
secret = "{SECRET}"
every = "1h"
[source.policy]
merge_edits = "0s"
[source.fields]
image = "image"
language = "language"
"#
        ))
    }

    async fn makes(&self, path: &str, data: Value) -> Value {
        self.0.ask("POST", path, data).await["data"].take()
    }

    /// The flow of the manual: an event hook, and a request with what triggered it.
    async fn tells(&self, gateway: &Gateway) {
        let hook = json!({
            "type": "action", "scope": ["items.create", "items.update", "items.delete"], "collections": ["news"],
        });
        let flow =
            json!({"name": "Heraut", "status": "active", "trigger": "event", "accountability": "all", "options": hook});
        let flow = self.makes("/flows", flow).await["id"].take();
        let request = json!({
            "method": "POST", "url": gateway.url("/hooks/cms"), "body": "{{ $trigger }}",
            "headers": [{"header": "Authorization", "value": format!("Bearer {SECRET}")}],
        });
        let operation = json!({
            "flow": flow, "key": "tell", "name": "Tell", "type": "request", "position_x": 19, "position_y": 1, "options": request,
        });
        let operation = self.makes("/operations", operation).await["id"].take();
        self.0.ask("PATCH", &format!("/flows/{}", flow.as_str().unwrap()), json!({"operation": operation})).await;
    }

    /// The flow of our template, put in as its manual tells.
    async fn takes_the_template(&self, gateway: &Gateway) {
        let read = |name: &str| {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("connectors/companions/directus").join(name);
            std::fs::read_to_string(file).unwrap()
        };
        let flow: Value = serde_json::from_str(&read("flow.json")).unwrap();
        let mut operations = read("operations.json");
        let changes = [
            ("https://social.example.nl/hooks/directus", gateway.url("/hooks/cms")),
            ("REPLACE-BY-THE-SECRET", SECRET.to_owned()),
            ("https://cms.voorbeeldstad.example/assets/", format!("{}/assets/", self.0.said("url"))),
        ];
        for (from, to) in changes {
            assert!(operations.contains(from), "{from}");
            operations = operations.replace(from, &to);
        }
        self.makes("/flows", flow).await;
        self.makes("/operations", serde_json::from_str(&operations).unwrap()).await;
        let first = json!({"operation": "5e1a0000-0000-4000-8000-000000000004"});
        self.0.ask("PATCH", "/flows/5e1a0000-0000-4000-8000-000000000000", first).await;
    }

    /// Saves an item; gives its number.
    async fn saves(&self, data: Value) -> i64 {
        self.makes("/items/news", data).await["id"].as_i64().unwrap()
    }

    async fn edits(&self, item: i64, data: Value) {
        self.0.ask("PATCH", &format!("/items/news/{item}"), data).await;
    }

    async fn deletes(&self, item: i64) {
        self.0.ask("DELETE", &format!("/items/news/{item}"), Value::Null).await;
    }

    /// Puts a picture into the library; gives its id.
    async fn uploads(&self, name: &str, alt: &str) -> String {
        let file = self.0.upload("/files", "file", &[("description", alt)], name, &photograph()).await["data"].take();
        file["id"].as_str().unwrap().to_owned()
    }
}

/// Publishes, edits and withdraws in Directus, and looks at each step at what the follower has.
async fn walk(directus: &Directus, world: &World) {
    let photo = directus.uploads("brug.png", "De \"Lange Brug\" & het water").await;
    let bridge = json!({
        "status": "draft", "slug": "brug", "title": "Concept", "body": "<p>Tot <strong>18 uur</strong>.</p>", "language": "nl",
        "tags": ["verkeer"], "image": photo,
    });
    let bridge = directus.saves(bridge).await;
    directus.edits(bridge, json!({"status": "in_review"})).await;
    directus.edits(bridge, json!({"title": "De brug is dicht"})).await;
    settled(&world.gateway, "cms", 3).await;
    assert_eq!(told(world), Vec::<String>::new());

    directus.edits(bridge, json!({"status": "published"})).await;
    let create = world.created("De brug is dicht").await.activity;
    let note = &create["object"];
    let id = note["id"].as_str().unwrap();
    let content = note["content"].as_str().unwrap();
    for said in ["<strong>18 uur</strong>", "https://www.voorbeeldstad.example/nieuws/brug"] {
        assert!(content.contains(said), "`{said}` is not in {content}");
    }
    assert_eq!(note["contentMap"]["nl"], note["content"], "{note:#}");
    assert_eq!(note["tag"][0]["name"], "#verkeer", "{note:#}");
    let pictures = note["attachment"].as_array().unwrap();
    assert_eq!((pictures.len(), &pictures[0]["name"]), (1, &json!("De \"Lange Brug\" & het water")), "{note:#}");
    let served = get_as(pictures[0]["url"].as_str().unwrap(), "image/*").await;
    let (ours, theirs) = (image::load_from_memory(&served.body), image::load_from_memory(&photograph()));
    assert!(ours.unwrap().to_rgb8() == theirs.unwrap().to_rgb8(), "another picture is served");

    directus.edits(bridge, json!({"title": "De brug is weer open"})).await;
    let update = world.told("Update", id, 1).await.activity;
    let edited = update["object"]["content"].as_str().unwrap();
    assert!(edited.contains("weer open") && !edited.contains("is dicht"), "{edited}");
    assert!(update["object"]["updated"].as_str() > note["published"].as_str(), "{update:#}");

    directus.edits(bridge, json!({"status": "archived"})).await;
    world.told("Delete", id, 1).await;
    assert_eq!(get(id).await.status, 410);

    let dike = json!({"status": "published", "slug": "dijk", "title": "De dijk houdt stand", "body": "<p>Het water zakt.</p>"});
    let dike = directus.saves(dike).await;
    let second = world.created("De dijk houdt stand").await.activity["object"]["id"].as_str().unwrap().to_owned();
    directus.deletes(dike).await;
    world.told("Delete", &second, 1).await;
    let outcomes = settled(&world.gateway, "cms", 8).await;
    assert_eq!(told(world), ["Create", "Update", "Delete", "Create", "Delete"], "each comes once: {outcomes:#?}");
}

both! {
    async fn what_an_editor_publishes_edits_and_archives_in_directus_reaches_the_follower(db: Database) {
        let directus = Directus::start();
        let early = json!({"status": "draft", "slug": "vroeg", "title": "Al eerder geschreven", "body": "<p>Morgen pas.</p>"});
        let early = directus.saves(early).await;
        let mut world = World::with(db, directus.read_back()).await;
        directus.tells(&world.gateway).await;
        walk(&directus, &world).await;

        // Directus tries once, and nobody hears it.
        let water = json!({"status": "published", "slug": "water", "title": "Het water stijgt", "body": "<p>Nog niet hoog.</p>"});
        let water = directus.saves(water).await;
        let create = world.created("Het water stijgt").await.activity;
        settled(&world.gateway, "cms", 9).await;
        world.gateway.stop().await;
        directus.edits(water, json!({"body": "<p>Nu wel hoog.</p>"})).await;
        directus.saves(json!({"status": "published", "slug": "wind", "title": "De wind gaat liggen", "body": "<p>Morgen.</p>"})).await;
        directus.saves(json!({"status": "draft", "slug": "draft", "title": "Nog niet af"})).await;
        world.gateway.restart().await;
        world.created("De wind gaat liggen").await;
        let update = world.told("Update", create["object"]["id"].as_str().unwrap(), 1).await.activity;
        assert!(update["object"]["content"].as_str().unwrap().contains("Nu wel hoog"), "{update:#}");
        // A draft that the list had shown before anything was told of it.
        directus.edits(early, json!({"status": "published"})).await;
        world.created("Al eerder geschreven").await;
        assert_eq!(told(&world).len(), 5 + 4, "the draft was told");
    }

    async fn the_flow_of_our_template_is_taken_by_directus_and_tells_the_gateway(db: Database) {
        let directus = Directus::start();
        let source = format!(
            "[[source]]\nname = \"cms\"\nactor = \"nieuws\"\nkind = \"cloudevents\"\nsecret = \"{SECRET}\"\n\
             signature = \"static-header\"\nbatch = true\n[source.policy]\nmerge_edits = \"0s\"\n"
        );
        let world = World::with(db, Setup::new().further(&source)).await;
        directus.takes_the_template(&world.gateway).await;
        walk(&directus, &world).await;
    }
}
