//! What Umbraco's events mean, and what is read of its content.

use serde_json::json;

use super::*;
use crate::contract::REQUESTS_PER_DELIVERY_MAX;
use crate::item::Action;
use crate::trial;

const ID: &str = "c1922956-7855-4fa0-8f2c-7af149a92135";

fn told(event: &str, body: &Value) -> Result<Told, ConnectorError> {
    trial::connector(&Umbraco).receive(&trial::delivery(&[("umb-webhook-event", event)], body))
}

#[test]
fn its_fixtures_are_read_as_before() {
    insta::assert_json_snapshot!("fixtures", trial::outcomes(&Umbraco));
}

#[test]
fn each_event_has_its_meaning() {
    for (event, wanted) in [
        ("Umbraco.ContentPublish", "fetch"),
        ("Umbraco.ContentPublished", "fetch"),
        ("Umbraco.ContentUnpublish", "retract"),
        ("Umbraco.ContentDelete", "retract"),
        ("Umbraco.ContentMovedToRecycleBin", "retract"),
        ("Umbraco.ContentEmptiedRecycleBin", "retract"),
        ("Umbraco.ContentSaved", "ignored"),
        ("Umbraco.ContentMoved", "ignored"),
        ("Umbraco.MediaSave", "ignored"),
    ] {
        assert_eq!(trial::word(told(event, &json!({ "id": ID }))), wanted, "{event}");
        assert_eq!(trial::word(told(event, &json!([{ "Id": ID }]))), wanted, "{event}");
    }
    assert_eq!(trial::word(told("Umbraco.ContentPublish", &json!({"id": ID, "contentType": "pagina"}))), "ignored");
    assert_eq!(trial::word(trial::connector(&Umbraco).receive(&trial::delivery(&[], &json!({ "id": ID })))), "error");
    assert_eq!(trial::word(told("Umbraco.ContentDelete", &json!({"id": 1077}))), "error");
}

#[test]
fn a_withdrawal_names_the_item_that_was_published() {
    let connector = trial::connector(&Umbraco);
    let request = trial::requests(told("Umbraco.ContentPublish", &json!({ "id": ID }))).remove(0);
    let content = json!([{"id": ID, "contentType": "nieuws", "name": "Brug dicht", "properties": {}}]).to_string();
    let published = trial::answer(&*connector, &request, content.as_bytes()).unwrap().items;
    let gone = trial::item(told("Umbraco.ContentUnpublish", &json!({ "Id": ID.to_ascii_uppercase() })));
    assert_eq!((published[0].action, gone.action), (Action::Publish, Action::Retract));
    assert_eq!(published[0].source_id, gone.source_id);
    // Nor is there what was asked for: it was withdrawn meanwhile.
    let absent = trial::answer(&*connector, &request, b"[]").unwrap().items;
    assert_eq!((absent[0].action, &absent[0].source_id), (Action::Retract, &gone.source_id));
}

#[test]
fn the_payload_is_taken_where_there_is_no_delivery_api() {
    let connector = Umbraco.configure(&json!({"site": "https://www.voorbeeldstad.example/", "payload": true})).unwrap();
    assert!(connector.request().is_none());
    let item = trial::item(connector.receive(&trial::captured(&Umbraco, "published-legacy")));
    assert_eq!((item.title.as_deref(), item.source_id.as_str()), (Some("Brug dicht"), ID));
    assert_eq!(item.canonical_url.as_deref(), Some("https://www.voorbeeldstad.example/nieuws/brug-dicht/"));
    let minimal = trial::delivery(&[("umb-webhook-event", "Umbraco.ContentPublish")], &json!({ "id": ID }));
    assert!(connector.receive(&minimal).unwrap_err().to_string().contains("Minimal"));
}

#[test]
fn events_about_many_items_are_taken_up_to_the_limit() {
    let all =
        |n: usize| Value::Array((0..n).map(|n| json!({"id": format!("c1922956-7855-4fa0-8f2c-{n:012}")})).collect());
    assert_eq!(trial::requests(told("Umbraco.ContentPublish", &all(IDS_MAX))).len(), REQUESTS_PER_DELIVERY_MAX);
    assert!(told("Umbraco.ContentPublish", &all(IDS_MAX + 1)).is_err());
    assert!(told("Umbraco.ContentDelete", &all(0)).is_err());
}

#[test]
fn the_list_goes_on_until_a_page_is_not_full() {
    let connector = trial::connector(&Umbraco);
    let list = |n: usize| {
        let items: Vec<_> = (0..n).map(|n| json!({"id": format!("c1922956-7855-4fa0-8f2c-{n:012}"), "contentType": "nieuws", "name": "x", "properties": {}})).collect();
        trial::answer(
            &*connector,
            &connector.request().unwrap(),
            json!({"total": 1000, "items": items}).to_string().as_bytes(),
        )
        .unwrap()
    };
    assert!(list(PER_PAGE).next.unwrap().url.as_str().contains("skip=100"));
    assert!(list(PER_PAGE - 1).next.is_none());
}

#[test]
fn settings_that_are_wrong_are_refused_by_key() {
    for (key, value) in
        [("site", json!(null)), ("culture", json!("Nederlands")), ("payload", json!(true)), ("types", json!("nieuws"))]
    {
        let mut settings = trial::settings(&Umbraco);
        settings[key] = value;
        let Err(ConnectorError::Settings { key: named, .. }) = Umbraco.configure(&settings).map(|_| ()) else {
            panic!("{key}")
        };
        assert_eq!(named, key);
    }
}

#[test]
fn nothing_that_comes_in_panics() {
    trial::never_panics(&Umbraco, &[("umb-webhook-event", &["Umbraco.ContentPublish", "Umbraco.ContentDelete", "x"])]);
}
