//! What the events of a Directus Flow mean, and what is read of its items.

use serde_json::json;

use super::*;
use crate::contract::REQUESTS_PER_DELIVERY_MAX;
use crate::item::Action;
use crate::trial;

fn told(body: &Value) -> Result<Told, ConnectorError> {
    trial::connector(&Directus).receive(&trial::delivery(&[], body))
}

fn read(url: &str, data: &Value) -> Page {
    let answer = Request::get(Url::parse(url).unwrap(), "application/json");
    trial::answer(&*trial::connector(&Directus), &answer, json!({ "data": data }).to_string().as_bytes()).unwrap()
}

#[test]
fn its_fixtures_are_read_as_before() {
    insta::assert_json_snapshot!("fixtures", trial::outcomes(&Directus));
}

#[test]
fn each_event_has_its_meaning() {
    for (event, payload, wanted) in [
        ("nieuws.items.create", json!({"status": "published"}), "fetch"),
        ("nieuws.items.create", json!({"titel": "x"}), "fetch"),
        ("nieuws.items.create", json!({"status": "draft"}), "ignored"),
        ("items.update", json!({"status": "published"}), "fetch"),
        ("items.update", json!({"titel": "x"}), "fetch"),
        ("items.update", json!({"status": "archived"}), "retract"),
        ("items.update", json!({"status": "draft"}), "retract"),
        ("nieuws.items.delete", json!(["7"]), "retract"),
        ("items.sort", json!({}), "ignored"),
    ] {
        let body = json!({"event": event, "collection": "nieuws", "keys": [7], "payload": payload});
        assert_eq!(trial::word(told(&body)), wanted, "{body}");
    }
    assert_eq!(trial::word(told(&json!({"event": "items.update", "collection": "paginas", "keys": [7]}))), "ignored");
    assert_eq!(trial::word(told(&json!({"event": "items.update", "collection": "nieuws"}))), "error");
    assert_eq!(trial::word(told(&json!({"collection": "nieuws", "keys": [7]}))), "error");
}

#[test]
fn what_is_read_back_and_not_there_or_not_public_is_withdrawn() {
    let requests = trial::requests(told(
        &json!({"event": "items.update", "collection": "nieuws", "keys": [7, 8, 9], "payload": {}}),
    ));
    let page = read(
        requests[0].url.as_str(),
        &json!([
            {"id": 7, "status": "published", "titel": "Brug dicht", "date_created": "2026-11-20T09:00:00Z", "date_updated": null},
            {"id": 8, "status": "draft", "titel": "Nog niet af", "date_updated": "2026-11-20T10:00:00Z"}
        ]),
    );
    let found: Vec<_> =
        page.items.iter().map(|item| (item.source_id.as_str(), item.action, item.title.as_deref())).collect();
    assert_eq!(
        found,
        [("7", Action::Publish, Some("Brug dicht")), ("8", Action::Retract, None), ("9", Action::Retract, None)]
    );
    // A page of the list says nothing of what is not in it.
    assert_eq!(read("https://cms.voorbeeldstad.example/items/nieuws?offset=0", &json!([])).items, []);
}

#[test]
fn what_has_no_status_is_not_published_unless_the_operator_says_so() {
    let page = read("https://cms.voorbeeldstad.example/items/nieuws", &json!([{"id": 7, "titel": "Brug dicht"}]));
    assert!(page.items.is_empty() && page.warnings[0].contains("status_field"), "{page:?}");
    let connector =
        Directus.configure(&json!({"site": "https://a.example/", "collection": "nieuws", "no_status": true})).unwrap();
    let page =
        trial::answer(&*connector, &connector.request().unwrap(), br#"{"data": [{"id": 7, "titel": "Brug dicht"}]}"#)
            .unwrap();
    assert_eq!(page.items[0].action, Action::Publish);
}

#[test]
fn events_about_many_items_are_taken_up_to_the_limit() {
    let event = |n: usize| json!({"event": "items.update", "collection": "nieuws", "keys": (0..n).collect::<Vec<_>>(), "payload": {}});
    assert_eq!(trial::requests(told(&event(KEYS_MAX))).len(), REQUESTS_PER_DELIVERY_MAX);
    assert!(told(&event(KEYS_MAX + 1)).is_err());
    let long = |n: usize| json!({"event": "items.delete", "collection": "nieuws", "keys": ["k".repeat(n)]});
    assert!(told(&long(255)).is_ok() && told(&long(256)).is_err());
}

#[test]
fn the_list_goes_on_until_a_page_is_not_full() {
    let items =
        |n: usize| Value::Array((0..n).map(|id| json!({"id": id, "status": "published", "titel": "x"})).collect());
    let next = read("https://cms.voorbeeldstad.example/items/nieuws?offset=100", &items(PER_PAGE)).next.unwrap();
    assert!(next.url.as_str().contains("offset=200"), "{}", next.url);
    assert_eq!(next.headers[0].1.reveal(), "Bearer a-static-token");
    assert!(read("https://cms.voorbeeldstad.example/items/nieuws?offset=100", &items(PER_PAGE - 1)).next.is_none());
}

#[test]
fn settings_that_are_wrong_are_refused_by_key() {
    for (key, value) in [
        ("site", json!(null)),
        ("collection", json!("a/b")),
        ("collection", json!(null)),
        ("key", json!("a]")),
        ("status_field", json!("a.b")),
        ("published", json!("published")),
        ("no_status", json!("yes")),
        ("expand", json!([1])),
    ] {
        let mut settings = trial::settings(&Directus);
        settings[key] = value;
        let Err(ConnectorError::Settings { key: named, .. }) = Directus.configure(&settings).map(|_| ()) else {
            panic!("{key}")
        };
        assert_eq!(named, key);
    }
}

#[test]
fn nothing_that_comes_in_panics() {
    trial::never_panics(&Directus, &[]);
}
