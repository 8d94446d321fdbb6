//! What Ghost says, and where each limit stands.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::*;
use crate::item::Action;

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("ghost/fixtures")
}

fn connector() -> Box<dyn Connector> {
    let settings = serde_json::from_slice(&fs::read(folder().join("settings.json")).unwrap()).unwrap();
    Ghost.configure(&settings).unwrap()
}

fn fixture(name: &str) -> Told {
    let captured = fs::read(folder().join(format!("good/{name}.delivery.json"))).unwrap();
    connector().receive(&crate::capture::read(&captured, 0).unwrap()).unwrap()
}

fn answer(body: &[u8]) -> Result<Page, ConnectorError> {
    let url = Url::parse("https://nieuws.voorbeeldstad.example/ghost/api/content/posts/").unwrap();
    connector().read(&Response { url, content_type: None, body: body.to_vec(), received_at: 0, about: None })
}

#[test]
fn a_published_post_is_an_item_without_mail_addresses_and_portraits() {
    let Told::Page(page) = fixture("published") else { panic!("no page") };
    insta::assert_json_snapshot!(page.items);
}

#[test]
fn the_list_is_read_page_by_page_and_what_is_for_members_is_withdrawn() {
    let page = answer(&fs::read(folder().join("good/posts.json")).unwrap()).unwrap();
    let next = page.next.clone().unwrap();
    let wanted = "https://nieuws.voorbeeldstad.example/ghost/api/content/posts/?include=tags%2Cauthors&formats=html&order=updated_at+desc&limit=50&page=2";
    assert_eq!(next.url.as_str(), wanted);
    assert!(next.address().as_str().ends_with("&key=0123456789abcdef0123456789"), "{}", next.address());
    assert_eq!(connector().request().unwrap().url.as_str(), wanted.replace("page=2", "page=1"));
    insta::assert_json_snapshot!(page);
    assert_eq!(answer(&fs::read(folder().join("good/none.json")).unwrap()).unwrap().next, None);
    let back = answer(br#"{"posts": [], "meta": {"pagination": {"next": 1}}}"#).unwrap();
    assert_eq!(back.next, None);
}

#[test]
fn every_event_is_published_retracted_or_ignored() {
    let now =
        |status: &str, visibility: &str| json!({"id": "1", "title": "x", "status": status, "visibility": visibility});
    let table = [
        ("post.published", now("published", "public"), json!({"status": "draft"}), "publish"),
        ("post.published, when it was due", now("published", "public"), json!({"status": "scheduled"}), "publish"),
        ("post.published.edited", now("published", "public"), json!({"title": "y"}), "publish"),
        ("post.published.edited, now for all", now("published", "public"), json!({"visibility": "members"}), "publish"),
        (
            "post.published.edited, now for members",
            now("published", "members"),
            json!({"visibility": "public"}),
            "retract",
        ),
        ("post.published, for members", now("published", "paid"), json!({"status": "draft"}), "nothing"),
        ("post.published, as a mail only", now("sent", "public"), json!({"status": "draft"}), "nothing"),
        ("post.unpublished", now("draft", "public"), json!({"status": "published"}), "retract"),
        ("post.scheduled, published before", now("scheduled", "public"), json!({"status": "published"}), "retract"),
        ("post.scheduled", now("scheduled", "public"), json!({"status": "draft"}), "nothing"),
        ("post.rescheduled", now("scheduled", "public"), json!({"published_at": "2026-12-01T09:00:00Z"}), "nothing"),
        ("post.unscheduled", now("draft", "public"), json!({"status": "scheduled"}), "nothing"),
        ("post.added", now("draft", "public"), json!({}), "nothing"),
        ("post.edited, a draft", now("draft", "public"), json!({"title": "y"}), "nothing"),
        ("one that does not say its status", json!({"id": "1", "title": "x"}), json!({}), "nothing"),
        ("post.deleted", json!({}), json!({"id": "1", "status": "published"}), "retract"),
        ("post.deleted, state unknown", json!({}), json!({"id": "1"}), "retract"),
        ("post.deleted, a draft", json!({}), json!({"id": "1", "status": "draft"}), "nothing"),
    ];
    for (event, now, before, wanted) in table {
        let body = json!({"post": {"current": now, "previous": before}}).to_string().into_bytes();
        let told = connector().receive(&Delivery { body, ..Delivery::default() }).unwrap();
        let found = match &told {
            Told::Page(page) if page.items[0].action == Action::Publish => "publish",
            Told::Page(page) if page.items[0].source_id == "1" => "retract",
            Told::Ignored { .. } => "nothing",
            other => panic!("{other:?}"),
        };
        assert_eq!(found, wanted, "{event}");
    }
    for name in ["draft", "member"] {
        assert!(matches!(fixture(name), Told::Ignored { .. }), "{name}");
    }
}

#[test]
fn a_withdrawn_post_has_the_id_and_a_later_version() {
    for name in ["unpublished", "deleted"] {
        let Told::Page(page) = fixture(name) else { panic!("{name}") };
        let [item] = page.items.as_slice() else { panic!("{page:?}") };
        let found = (item.source_id.as_str(), item.action, item.source_version, item.title.as_deref());
        assert_eq!(found, ("64b7f0c2e4b0a10001a1b2c3", Action::Retract, Some(1_795_251_600_000), None));
    }
}

#[test]
fn only_a_content_api_key_is_taken_and_without_one_nothing_is_listed() {
    let configured = |token: Value| Ghost.configure(&json!({"site": "https://a.example", "token": token}));
    assert!(configured(json!(null)).unwrap().request().is_none());
    assert!(configured(json!("a".repeat(KEY_DIGITS))).is_ok());
    let admin = format!("{}:{}", "a".repeat(24), "b".repeat(64));
    for wrong in [admin, "a".repeat(KEY_DIGITS + 1), "a".repeat(KEY_DIGITS - 1), "z".repeat(KEY_DIGITS)] {
        let Err(ConnectorError::Settings { key, problem }) = configured(json!(wrong)).map(|_| ()) else {
            panic!("{wrong}")
        };
        assert!(key == "token" && !problem.contains(&wrong), "{problem}");
    }
}

#[test]
fn nothing_that_comes_in_panics() {
    use proptest::prelude::*;
    let connector = connector();
    proptest!(|(body in proptest::collection::vec(any::<u8>(), 0..300))| {
        let _ = connector.receive(&Delivery { body: body.clone(), ..Delivery::default() });
        let _ = answer(&body);
    });
    proptest!(|(text in ".{0,40}", status in "(published|draft|scheduled|x)", next in any::<i64>())| {
        let post = json!({"id": text, "url": text, "title": text, "html": text, "status": status, "feature_image": text, "feature_image_alt": text,
            "published_at": text, "tags": [{"name": text}], "authors": [{"name": text}]});
        let _ = connector.receive(&Delivery { body: json!({"post": {"current": post, "previous": {"status": status}}}).to_string().into_bytes(), ..Delivery::default() });
        let _ = answer(json!({"posts": [post], "meta": {"pagination": {"next": next}}}).to_string().as_bytes());
    });
}
