//! The server tests of the W3C Micropub test suite, by their number. What the suite asks a person to look at, a test looks at:
//! the page, and what a follower gets. Where we differ on purpose it is said here and in docs/adr/0013-micropub.md:
//!
//! - 401 of 804 is that of the Recommendation; the editor's draft has 403 since.
//! - The body that 805 wants, `"error": "bad request"`, is none of the Recommendation; it is `invalid_request` here.
//! - 700 to 702: a picture that no public post shows is seen with the token only.

use std::sync::OnceLock;

use image::ImageFormat;
use serde_json::{Value, json};

use crate::harness::{Client, Database, Kind, Reply, World, eventually, get_as, made, once, picture, request};

/// One world for all of them: each makes posts of its own.
struct Suite {
    world: World,
    client: Client,
}

static SUITES: [OnceLock<Suite>; 2] = [OnceLock::new(), OnceLock::new()];

async fn build(kind: Kind) -> Suite {
    let setup = Client::setup("flood_fuse = 1000\nmissing_alt = \"publish_and_flag\"");
    let world = World::with(Database::new(kind), setup).await;
    world.outlive_tests();
    let client = Client::of(&world.gateway).await;
    Suite { world, client }
}

/// Makes `name::sqlite` and `name::postgres` of a test of the suite.
macro_rules! suite {
    ($(async fn $name:ident($suite:ident: &Suite) $body:block)+) => {$(
        mod $name {
            use super::*;

            async fn test($suite: &Suite) $body

            #[test]
            fn sqlite() {
                let suite = once(&SUITES[Kind::Sqlite as usize], || build(Kind::Sqlite));
                crate::harness::runtime().block_on(test(suite));
            }

            #[test]
            fn postgres() {
                let suite = once(&SUITES[Kind::Postgres as usize], || build(Kind::Postgres));
                crate::harness::runtime().block_on(test(suite));
            }
        }
    )+};
}

impl Suite {
    /// The page of a post, as a reader sees it.
    async fn page(&self, url: &str) -> String {
        let reply = get_as(url, "text/html").await;
        assert_eq!(reply.status, 200, "{url}: {}", reply.text());
        reply.text()
    }

    /// The Note of a post, as the follower got it.
    async fn note(&self, url: &str) -> Value {
        let create = self.world.peer.takes(url, |a| a.kind() == "Create" && a.activity["object"]["url"] == *url).await;
        create.activity["object"].clone()
    }

    async fn tags(&self, url: &str) -> Vec<String> {
        let note = self.note(url).await;
        note["tag"].as_array().into_iter().flatten().map(|tag| tag["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Makes a post, changes it, and gives its page and its properties.
    async fn updated(&self, properties: Value, mut update: Value) -> (String, Value) {
        let url = self.client.writes(&json!({"type": ["h-entry"], "properties": properties})).await;
        update["action"] = json!("update");
        update["url"] = json!(url);
        let reply = self.client.json(&update).await;
        assert_eq!(reply.status, 204, "{}", reply.text());
        let source = self.client.source_of(&url).await;
        (url, source["properties"].clone())
    }

    /// Makes a post, deletes it, and gives its page.
    async fn deleted(&self, text: &str, as_json: bool) -> String {
        let url = made(&self.client.form(&format!("h=entry&content={text}")).await);
        let reply = self.about("delete", &url, as_json).await;
        assert_eq!(reply.status, 204, "{}", reply.text());
        assert_eq!(get_as(&url, "text/html").await.status, 410);
        url
    }

    async fn about(&self, action: &str, url: &str, as_json: bool) -> Reply {
        if as_json {
            return self.client.json(&json!({"action": action, "url": url})).await;
        }
        self.client.form(&format!("action={action}&url={}", crate::harness::encoded(url))).await
    }

    /// Sends a picture, and sees that it is what was sent, for who has the token.
    async fn sends(&self, name: &str, format: ImageFormat, media_type: &str) {
        let config = self.client.ask("q=config").await;
        assert_eq!(config.json()["media-endpoint"], json!(self.client.media()));
        let url = self.client.sends(name, &picture(format, 7)).await;
        let seen = self.client.get(&url).await;
        assert_eq!((seen.status, seen.header("content-type")), (200, media_type));
        assert_eq!(request("GET", &url, &[], b"").await.status, 404, "nobody else sees it before a post shows it");
        let note = json!({"content": [format!("Met {name}")], "photo": [{"value": url, "alt": "Een vlak"}]});
        let page = self.client.writes(&json!({"type": ["h-entry"], "properties": note})).await;
        let public = request("GET", &url, &[], b"").await;
        assert_eq!(public.status, 302, "then everybody does");
        let shown = request("GET", public.header("location"), &[], b"").await;
        assert_eq!((shown.status, shown.header("content-type")), (200, media_type));
        assert!(self.page(&page).await.contains("Een vlak"));
    }
}

suite! {
    async fn m100_creates_an_entry_from_a_form(suite: &Suite) {
        let url = made(&suite.client.form("h=entry&content=Micropub+test+of+creating+a+basic+h-entry").await);
        assert!(suite.page(&url).await.contains("Micropub test of creating a basic h-entry"));
        assert!(suite.note(&url).await["content"].as_str().unwrap().contains("a basic h-entry"));
    }

    async fn m101_creates_an_entry_with_several_categories_from_a_form(suite: &Suite) {
        let url = made(&suite.client.form("h=entry&content=Form+with+categories&category[]=test1&category[]=test2").await);
        assert_eq!(suite.tags(&url).await, ["#test1", "#test2"]);
    }

    async fn m104_creates_an_entry_with_a_photo_by_its_address_from_a_form(suite: &Suite) {
        let photo = suite.world.site.url("/m104.png");
        let url = made(&suite.client.form(&format!("h=entry&content=Photo+by+URL&photo={photo}")).await);
        let note = suite.note(&url).await;
        assert_eq!(note["attachment"][0]["mediaType"], "image/png");
        assert!(suite.page(&url).await.contains("/media/"));
    }

    async fn m107_creates_an_entry_with_one_category_from_a_form(suite: &Suite) {
        let url = made(&suite.client.form("h=entry&content=Form+with+one+category&category=test1").await);
        assert_eq!(suite.tags(&url).await, ["#test1"]);
    }

    async fn m200_creates_an_entry_from_json(suite: &Suite) {
        let url = suite.client.writes(&json!({"type": ["h-entry"], "properties": {"content": ["Entry from JSON"]}})).await;
        assert!(suite.page(&url).await.contains("Entry from JSON"));
    }

    async fn m201_creates_an_entry_with_several_categories_from_json(suite: &Suite) {
        let body = json!({"type": ["h-entry"], "properties": {"content": ["JSON with categories"], "category": ["test1", "test2"]}});
        assert_eq!(suite.tags(&suite.client.writes(&body).await).await, ["#test1", "#test2"]);
    }

    async fn m202_creates_an_entry_with_html_from_json(suite: &Suite) {
        let html = "<p>This post has <b>bold</b> and <i>italic</i> text.</p>";
        let body = json!({"type": ["h-entry"], "properties": {"content": [{"html": html}]}});
        let url = suite.client.writes(&body).await;
        let content = suite.note(&url).await["content"].as_str().unwrap().to_owned();
        assert!(content.contains("bold") && !content.contains("&lt;"), "{content}");
        assert_eq!(suite.client.source_of(&url).await["properties"]["content"][0]["html"], html);
    }

    async fn m203_creates_an_entry_with_a_photo_by_its_address_from_json(suite: &Suite) {
        let photo = suite.world.site.url("/m203.png");
        let body = json!({"type": ["h-entry"], "properties": {"content": ["JSON photo by URL"], "photo": [photo]}});
        let url = suite.client.writes(&body).await;
        assert_eq!(suite.note(&url).await["attachment"].as_array().unwrap().len(), 1);
    }

    async fn m204_creates_an_entry_with_a_nested_object(suite: &Suite) {
        let weight = json!([{"type": ["h-measure"], "properties": {"num": ["70.64"], "unit": ["kg"]}}]);
        let body = json!({"type": ["h-entry"], "properties": {"summary": ["Weighed 70.64 kg"], "x-weight": weight}});
        let url = suite.client.writes(&body).await;
        assert_eq!(suite.client.source_of(&url).await["properties"]["x-weight"], weight);
        assert!(suite.page(&url).await.contains("Weighed 70.64 kg"));
    }

    async fn m205_creates_an_entry_with_a_photo_and_its_alternative_text(suite: &Suite) {
        let photo = json!([{"value": suite.world.site.url("/m205.png"), "alt": "Photo of a sunset"}]);
        let body = json!({"type": ["h-entry"], "properties": {"content": ["JSON photo with alt"], "photo": photo}});
        let url = suite.client.writes(&body).await;
        assert_eq!(suite.note(&url).await["attachment"][0]["name"], "Photo of a sunset");
        assert!(suite.page(&url).await.contains("alt=\"Photo of a sunset\""));
    }

    async fn m206_creates_an_entry_with_several_photos_by_their_addresses(suite: &Suite) {
        let photos = [suite.world.site.url("/m206.png"), suite.world.site.url("/m206-night.png")];
        let body = json!({"type": ["h-entry"], "properties": {"content": ["JSON with photos"], "photo": photos}});
        let url = suite.client.writes(&body).await;
        assert_eq!(suite.note(&url).await["attachment"].as_array().unwrap().len(), 2);
    }

    async fn m300_creates_an_entry_with_a_photo_in_the_form(suite: &Suite) {
        let photo = picture(ImageFormat::Jpeg, 30);
        let fields = [("h", "entry"), ("content", "Nice sunset tonight")];
        let reply = suite.client.files(&suite.client.endpoint, &fields, &[("photo", "sunset.jpg", &photo)]).await;
        let url = made(&reply);
        assert_eq!(suite.note(&url).await["attachment"][0]["mediaType"], "image/jpeg");
    }

    async fn m301_creates_an_entry_with_two_photos_in_the_form(suite: &Suite) {
        let (one, two) = (picture(ImageFormat::Jpeg, 31), picture(ImageFormat::Png, 32));
        let fields = [("h", "entry"), ("content", "Two photos")];
        let files: [(&str, &str, &[u8]); 2] = [("photo[]", "sunset.jpg", &one), ("photo[]", "city.png", &two)];
        let url = made(&suite.client.files(&suite.client.endpoint, &fields, &files).await);
        let note = suite.note(&url).await;
        let kinds: Vec<&str> = note["attachment"].as_array().unwrap().iter().map(|a| a["mediaType"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["image/jpeg", "image/png"]);
    }

    async fn m400_replaces_a_property(suite: &Suite) {
        let (url, properties) = suite.updated(json!({"content": ["Update test 400."]}), json!({"replace": {"content": ["This is the updated text of 400."]}})).await;
        assert_eq!(properties["content"], json!(["This is the updated text of 400."]));
        assert!(suite.page(&url).await.contains("the updated text of 400"));
        let object = suite.note(&url).await["id"].as_str().unwrap().to_owned();
        suite.world.told("Update", &object, 1).await;
    }

    async fn m401_adds_a_value_to_a_property(suite: &Suite) {
        let (url, properties) = suite.updated(json!({"content": ["Update test 401."], "category": ["test1"]}), json!({"add": {"category": ["test2"]}})).await;
        assert_eq!(properties["category"], json!(["test1", "test2"]));
        assert!(suite.page(&url).await.contains("test2"), "the post shows it");
    }

    async fn m402_adds_a_value_to_a_property_that_was_not_there(suite: &Suite) {
        let (url, properties) = suite.updated(json!({"content": ["Update test 402."]}), json!({"add": {"category": ["test1"]}})).await;
        assert_eq!(properties["category"], json!(["test1"]));
        assert!(suite.page(&url).await.contains("test1"));
    }

    async fn m403_removes_a_value_from_a_property(suite: &Suite) {
        let (url, properties) = suite.updated(json!({"content": ["Update test 403."], "category": ["test1", "test2"]}), json!({"delete": {"category": ["test2"]}})).await;
        assert_eq!(properties["category"], json!(["test1"]));
        assert!(!suite.page(&url).await.contains("test2"));
    }

    async fn m404_removes_a_property(suite: &Suite) {
        let (url, properties) = suite.updated(json!({"content": ["Update test 404."], "category": ["test1"]}), json!({"delete": ["category"]})).await;
        assert!(properties.get("category").is_none());
        assert!(!suite.page(&url).await.contains("test1"));
    }

    async fn m405_rejects_an_operation_that_is_no_list(suite: &Suite) {
        let url = suite.client.writes(&json!({"type": ["h-entry"], "properties": {"content": ["Update test 405."]}})).await;
        let reply = suite.client.json(&json!({"action": "update", "url": url, "replace": "This is not a valid update request."})).await;
        assert_eq!((reply.status, &reply.json()["error"]), (400, &json!("invalid_request")));
        assert!(suite.page(&url).await.contains("Update test 405."));
    }

    async fn m500_deletes_a_post_by_a_form(suite: &Suite) {
        let url = suite.deleted("To+be+deleted+500", false).await;
        let object = suite.note(&url).await["id"].as_str().unwrap().to_owned();
        suite.world.told("Delete", &object, 1).await;
    }

    async fn m501_deletes_a_post_by_json(suite: &Suite) {
        suite.deleted("To+be+deleted+501", true).await;
    }

    async fn m502_undeletes_a_post_by_a_form(suite: &Suite) {
        let old = suite.deleted("To+be+undeleted+502", false).await;
        let url = made(&suite.about("undelete", &old, false).await);
        assert_ne!(url, old, "other servers remember what was deleted");
        assert!(suite.page(&url).await.contains("To be undeleted 502"));
        assert_eq!(get_as(&old, "text/html").await.status, 410);
    }

    async fn m503_undeletes_a_post_by_json(suite: &Suite) {
        let old = suite.deleted("To+be+undeleted+503", true).await;
        let url = made(&suite.about("undelete", &old, true).await);
        assert!(suite.page(&url).await.contains("To be undeleted 503"));
    }

    async fn m600_answers_the_question_for_its_configuration(suite: &Suite) {
        let reply = suite.client.ask("q=config").await;
        assert_eq!(reply.status, 200);
        assert!(reply.header("content-type").starts_with("application/json"));
        let config = reply.json();
        assert_eq!(config["media-endpoint"], json!(suite.client.media()));
        assert_eq!(config["syndicate-to"], json!([]));
    }

    async fn m601_answers_the_question_for_places_to_syndicate_to(suite: &Suite) {
        let reply = suite.client.ask("q=syndicate-to").await;
        assert_eq!((reply.status, reply.json()), (200, json!({"syndicate-to": []})));
    }

    async fn m602_answers_the_question_for_the_source_of_a_post(suite: &Suite) {
        let properties = json!({"content": ["Test of querying the endpoint for the source content"], "category": ["micropub", "test"]});
        let url = suite.client.writes(&json!({"type": ["h-entry"], "properties": properties})).await;
        assert_eq!(suite.client.source_of(&url).await, json!({"type": ["h-entry"], "properties": properties}));
    }

    async fn m603_answers_the_question_for_some_properties(suite: &Suite) {
        let properties = json!({"content": ["Test of querying for some properties"], "category": ["micropub", "test"]});
        let url = suite.client.writes(&json!({"type": ["h-entry"], "properties": properties})).await;
        let query = format!("q=source&properties[]=category&properties[]=name&url={}", crate::harness::encoded(&url));
        let reply = suite.client.ask(&query).await;
        assert_eq!(reply.json(), json!({"properties": {"category": ["micropub", "test"]}}));
    }

    async fn m700_takes_a_jpg(suite: &Suite) {
        suite.sends("sunset.jpg", ImageFormat::Jpeg, "image/jpeg").await;
    }

    async fn m701_takes_a_png(suite: &Suite) {
        suite.sends("micropub.png", ImageFormat::Png, "image/png").await;
    }

    async fn m702_takes_a_gif(suite: &Suite) {
        suite.sends("group.gif", ImageFormat::Gif, "image/gif").await;
    }

    async fn m800_takes_the_token_in_the_header(suite: &Suite) {
        made(&suite.client.form("h=entry&content=Testing+accepting+access+token+in+HTTP+Authorization+header").await);
    }

    async fn m801_takes_the_token_in_the_form(suite: &Suite) {
        let body = format!("h=entry&content=Testing+accepting+access+token+in+post+body&access_token={}", suite.client.token);
        let form = [("content-type", "application/x-www-form-urlencoded")];
        made(&request("POST", &suite.client.endpoint, &form, body.as_bytes()).await);
    }

    async fn m802_does_not_store_the_token(suite: &Suite) {
        let body = format!("h=entry&content=Testing+that+the+token+is+not+stored&access_token={}", suite.client.token);
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let url = made(&request("POST", &suite.client.endpoint, &form, body.as_bytes()).await);
        let source = suite.client.source_of(&url).await;
        assert_eq!(source["properties"], json!({"content": ["Testing that the token is not stored"]}));
        let held = suite.world.db.number(&format!("SELECT COUNT(*) FROM items WHERE content LIKE '%{}%'", suite.client.token));
        assert_eq!(held, 0);
        assert!(!suite.world.gateway.log().contains(&suite.client.token));
    }

    async fn m803_rejects_a_request_without_a_token(suite: &Suite) {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let reply = request("POST", &suite.client.endpoint, &form, b"h=entry&content=Unauthenticated").await;
        assert_eq!((reply.status, &reply.json()["error"]), (401, &json!("unauthorized")));
        assert_eq!(reply.header("www-authenticate"), "Bearer");
    }

    async fn m804_rejects_a_token_that_may_not_create(suite: &Suite) {
        let client = Client::scoped(&suite.world.gateway, "media").await;
        let reply = client.form("h=entry&content=Unauthorized").await;
        assert_eq!((reply.status, &reply.json()["error"]), (401, &json!("insufficient_scope")));
        assert_eq!(reply.json()["scope"], "create");
    }

    async fn m805_rejects_a_token_that_is_sent_twice(suite: &Suite) {
        let body = format!("h=entry&content=This+should+not+create+a+post&access_token={}", suite.client.token);
        let reply = suite.client.form(&body).await;
        assert_eq!((reply.status, &reply.json()["error"]), (400, &json!("invalid_request")));
    }

    async fn the_endpoint_is_found_by_the_page_of_the_actor(suite: &Suite) {
        let page = get_as(&suite.world.gateway.url("/@nieuws"), "text/html").await;
        assert!(page.header("link").contains(&format!("<{}>; rel=\"micropub\"", suite.client.endpoint)), "{}", page.header("link"));
        assert!(page.text().contains(&format!("<link rel=\"micropub\" href=\"{}\">", suite.client.endpoint)));
    }

    async fn every_post_of_the_suite_came_once(suite: &Suite) {
        let url = suite.client.writes(&json!({"type": ["h-entry"], "properties": {"content": ["The last one"]}})).await;
        suite.note(&url).await;
        eventually("each public post has one Create", || async {
            let doubled = "SELECT COUNT(*) FROM (SELECT post_id FROM activities WHERE kind = 'Create' GROUP BY post_id HAVING COUNT(*) > 1) AS d";
            (suite.world.db.number(doubled) == 0).then_some(())
        })
        .await;
    }
}
