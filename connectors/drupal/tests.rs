//! What Drupal says, and where each limit stands.

use serde_json::json;

use super::*;
use crate::item::Action;
use crate::trial;

const ID: &str = "5c1f7a52-1111-4222-8333-444455556666";

fn connector(settings: Value) -> Box<dyn Connector> {
    Drupal.configure(&settings).unwrap_or_else(|problem| panic!("{problem}"))
}

fn plain() -> Box<dyn Connector> {
    connector(json!({"site": "https://a.example"}))
}

#[test]
fn what_came_of_every_fixture() {
    insta::assert_json_snapshot!(trial::outcomes(&Drupal));
}

#[test]
fn every_event_is_published_retracted_or_ignored() {
    let entity = |status: Value, state: Option<&str>| {
        json!({"uuid": [{"value": ID}], "type": [{"target_id": "article"}], "status": [{"value": status}],
            "moderation_state": state.map(|state| json!([{"value": state}]))})
    };
    let other = json!({"uuid": ID, "type": "page", "status": 1});
    let table = [
        ("entity:node:create", entity(json!(true), None), "fetch"),
        ("entity:node:create", entity(json!("1"), None), "fetch"),
        ("entity:node:create", entity(json!(false), None), "ignored"),
        ("entity:node:create", entity(json!(0), Some("draft")), "ignored"),
        ("entity:node:update", entity(json!(true), None), "fetch"),
        ("entity:node:update", entity(json!(1), Some("published")), "fetch"),
        ("entity:node:update", json!({"uuid": ID}), "fetch"),
        ("entity:node:update", entity(json!(false), None), "retract"),
        ("entity:node:update", entity(json!("0"), Some("archived")), "retract"),
        ("entity:node:update", entity(json!(false), Some("draft")), "ignored"),
        ("entity:node:update", entity(json!(false), Some("needs_review")), "ignored"),
        ("entity:node:delete", entity(json!(true), None), "retract"),
        ("entity:node:delete", entity(json!(false), None), "retract"),
        ("entity:node:view", entity(json!(true), None), "ignored"),
        ("entity:node:create", other.clone(), "ignored"),
        ("entity:node:delete", other, "ignored"),
        ("entity:user:update", json!({}), "ignored"),
        ("system:cron", json!({}), "ignored"),
    ];
    for (event, entity, wanted) in table {
        let told = plain().receive(&trial::delivery(&[], &json!({"event": event, "entity": entity})));
        assert_eq!(trial::word(told), wanted, "{event} {entity}");
    }
    let by_header = trial::delivery(&[("x-drupal-event", "entity:node:delete")], &json!({"entity": {"uuid": ID}}));
    assert_eq!(trial::word(plain().receive(&by_header)), "retract");
}

#[test]
fn a_node_is_read_back_from_the_list_of_what_is_published() {
    let connector = connector(json!({"site": "https://a.example/nl", "token": "lezer:geheim", "include": []}));
    let body = json!({"event": "entity:node:update", "entity": {"uuid": ID.to_uppercase(), "status": true}});
    let requests = trial::requests(connector.receive(&trial::delivery(&[], &body)));
    let wanted = format!("https://a.example/nl/jsonapi/node/article?filter%5Bstatus%5D=1&filter%5Bid%5D={ID}");
    assert_eq!((requests[0].url.as_str(), requests[0].about.as_deref()), (wanted.as_str(), Some(ID)));
    assert_eq!(requests[0].headers[0].1.reveal(), "Basic bGV6ZXI6Z2VoZWlt");
    let gone = trial::answer(&*connector, &requests[0], br#"{"data": []}"#).unwrap();
    assert_eq!((gone.items[0].source_id.as_str(), gone.items[0].action), (ID, Action::Retract));
    let hidden = br#"{"data": [], "meta": {"omitted": {"detail": "Some resources have been omitted"}}}"#;
    assert!(trial::answer(&*connector, &requests[0], hidden).is_err());
}

#[test]
fn the_next_page_is_asked_of_the_site_that_the_operator_named() {
    let connector = plain();
    let first = connector.request().unwrap();
    let wanted = "https://a.example/jsonapi/node/article?filter%5Bstatus%5D=1&sort=-changed&page%5Blimit%5D=50&include=field_image%2Cfield_tags";
    assert_eq!(first.url.as_str(), wanted);
    let next = |links: Value| {
        trial::answer(&*connector, &first, json!({"data": [], "links": links}).to_string().as_bytes()).unwrap().next
    };
    let at = |href: &str| next(json!({"next": {"href": href}})).map(|next| next.url.to_string());
    assert_eq!(at("https://elders.example/x?page=2").as_deref(), Some("https://a.example/jsonapi/node/article?page=2"));
    assert_eq!(at("/jsonapi/node/article?page=3").as_deref(), Some("https://a.example/jsonapi/node/article?page=3"));
    assert_eq!((next(json!({})), next(json!({"next": null}))), (None, None));
}

#[test]
fn a_text_is_never_taken_as_it_was_typed() {
    let node = json!({"data": [{"id": "1", "attributes": {"title": "x", "body": {"value": "<script>", "format": "full_html"}}}]});
    let page = trial::answer(&*plain(), &plain().request().unwrap(), node.to_string().as_bytes()).unwrap();
    assert_eq!(page.items[0].body, None);
}

#[test]
fn settings_name_type_fields_and_states() {
    let settings = json!({"site": "https://a.example", "type": "nieuws", "retract_states": ["ingetrokken"], "fields": {"body": "field_tekst"},
        "page": "https://www.a.example/n/{drupal_internal__nid}"});
    let connector = connector(settings);
    let update = |state: &str| {
        let entity = json!({"uuid": ID, "type": "nieuws", "status": 0, "moderation_state": state});
        trial::word(connector.receive(&trial::delivery(&[], &json!({"event": "entity:node:update", "entity": entity}))))
    };
    assert_eq!((update("ingetrokken"), update("archived")), ("retract", "ignored"));
    let node = json!({"data": {"id": "1", "attributes": {"title": "x", "drupal_internal__nid": 7, "field_tekst": {"processed": "<p>y</p>"}}}});
    let page = trial::answer(&*connector, &connector.request().unwrap(), node.to_string().as_bytes()).unwrap();
    assert_eq!(page.items[0].canonical_url.as_deref(), Some("https://www.a.example/n/7"));
    assert_eq!(page.items[0].body.as_ref().map(|body| body.0.as_str()), Some("<p>y</p>"));
    for (settings, wanted) in [(json!({}), "site"), (json!({"site": "https://a.example", "type": "a/b"}), "type")] {
        let Err(ConnectorError::Settings { key, .. }) = Drupal.configure(&settings).map(|_| ()) else {
            panic!("{settings}")
        };
        assert_eq!(key, wanted);
    }
}

#[test]
fn an_id_at_the_limit_is_taken_and_a_longer_one_is_not() {
    let told = |n: usize| {
        let entity = json!({"uuid": "a".repeat(n), "status": 1});
        plain().receive(&trial::delivery(&[], &json!({"event": "entity:node:update", "entity": entity})))
    };
    assert!(told(64).is_ok() && told(65).is_err());
}

#[test]
fn nothing_that_comes_in_panics() {
    trial::never_panics(&Drupal, &[("x-drupal-event", &["entity:node:update", "entity:node:delete", "x"])]);
}
