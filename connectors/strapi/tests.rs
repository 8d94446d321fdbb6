//! What Strapi says, and where each limit stands.

use serde_json::json;

use super::*;
use crate::contract::Told;
use crate::item::Action;
use crate::trial;

fn connector(more: Value) -> Box<dyn Connector> {
    let mut settings = json!({"site": "https://cms.example", "model": "persbericht"});
    for (key, value) in more.as_object().unwrap() {
        settings[key] = value.clone();
    }
    Strapi.configure(&settings).unwrap_or_else(|problem| panic!("{problem}"))
}

fn event(event: &str, entry: Value) -> Delivery {
    trial::delivery(&[("x-strapi-event", event)], &json!({"event": event, "model": "persbericht", "entry": entry}))
}

#[test]
fn what_came_of_every_fixture() {
    insta::assert_json_snapshot!(trial::outcomes(&Strapi));
}

#[test]
fn every_event_is_published_retracted_or_ignored() {
    let four =
        |published: bool| json!({"id": 7, "title": "x", "publishedAt": published.then_some("2026-11-20T09:00:00Z")});
    let five = |published: bool| {
        let mut entry = four(published);
        entry["documentId"] = json!("a1b2");
        entry
    };
    let table = [
        ("entry.publish", four(true), true, "publish"),
        ("entry.publish", five(true), true, "publish"),
        ("entry.update", four(true), true, "publish"),
        ("entry.create", four(true), true, "publish"),
        ("entry.update", four(false), true, "ignored"),
        ("entry.create", four(false), true, "ignored"),
        ("entry.update", five(false), true, "ignored"),
        ("entry.update", five(true), true, "ignored"),
        ("entry.create", five(false), true, "ignored"),
        ("entry.create", five(true), false, "publish"),
        ("entry.update", five(true), false, "publish"),
        ("entry.update", four(false), false, "publish"),
        ("entry.unpublish", four(false), true, "retract"),
        ("entry.unpublish", five(false), true, "retract"),
        ("entry.delete", four(true), true, "retract"),
        ("entry.delete", four(false), true, "ignored"),
        ("entry.delete", five(false), true, "retract"),
        ("entry.delete", four(false), false, "retract"),
        ("entry.draft-discard", five(false), true, "ignored"),
        ("media.create", json!({"id": 1}), true, "ignored"),
        ("releases.publish", json!({}), true, "ignored"),
        ("review-workflows.updateEntryStage", json!({}), true, "ignored"),
        ("trigger-test", json!({}), true, "ignored"),
    ];
    for (name, entry, has_drafts, wanted) in table {
        let connector = connector(json!({"draft_and_publish": has_drafts}));
        assert_eq!(trial::word(connector.receive(&event(name, entry.clone()))), wanted, "{name} {entry} {has_drafts}");
    }
}

#[test]
fn with_a_route_the_entry_is_read_back_in_its_language() {
    let connector = connector(json!({"route": "persberichten", "token": "s3cret"}));
    let entry = json!({"documentId": "a1b2", "locale": "nl", "publishedAt": "2026-11-20T09:00:00Z"});
    let requests = trial::requests(connector.receive(&event("entry.publish", entry)));
    assert_eq!(requests[0].url.as_str(), "https://cms.example/api/persberichten/a1b2?populate=*&locale=nl");
    assert_eq!((requests[0].about.as_deref(), requests[0].headers[0].1.reveal()), (Some("a1b2:nl"), "Bearer s3cret"));
    let body =
        json!({"data": {"documentId": "a1b2", "locale": "nl", "title": "x", "publishedAt": "2026-11-20T09:00:00Z"}});
    let page = trial::answer(&*connector, &requests[0], body.to_string().as_bytes()).unwrap();
    assert_eq!((page.items[0].source_id.as_str(), page.items[0].language.as_deref()), ("a1b2:nl", Some("nl")));
    let release = trial::requests(connector.receive(&event("releases.publish", json!({}))));
    assert_eq!(release[0].url, connector.request().unwrap().url);
    let odd = connector.receive(&event("entry.publish", json!({"documentId": "../users", "title": "x"})));
    assert!(matches!(odd, Ok(Told::Page(_))), "no request is made of what is no name: {odd:?}");
}

#[test]
fn the_list_goes_on_to_its_last_page_in_one_locale() {
    let connector = connector(json!({"route": "persberichten", "locale": "nl"}));
    let first = connector.request().unwrap();
    let wanted = "https://cms.example/api/persberichten?populate=*&sort=updatedAt%3Adesc&pagination%5Bpage%5D=1&pagination%5BpageSize%5D=50&locale=nl";
    assert_eq!(first.url.as_str(), wanted);
    let page = |page: i64, pages: i64| {
        let body = json!({"data": [], "meta": {"pagination": {"page": page, "pageCount": pages}}}).to_string();
        trial::answer(&*connector, &first, body.as_bytes()).unwrap().next
    };
    assert_eq!(page(1, 2).unwrap().url.as_str(), wanted.replace("page%5D=1", "page%5D=2"));
    assert_eq!((page(2, 2), page(1, 0), page(-1, 3)), (None, None, None));
    let other = json!({"documentId": "a1b2", "locale": "en", "title": "x"});
    assert_eq!(trial::word(connector.receive(&event("entry.publish", other))), "ignored");
}

#[test]
fn a_withdrawn_entry_has_the_id_under_which_it_was_published() {
    let connector = connector(json!({}));
    for (entry, id) in [
        (json!({"documentId": "a1b2", "locale": "nl", "title": "x", "updatedAt": "2026-11-20T09:00:00Z"}), "a1b2:nl"),
        (json!({"documentId": "a1b2", "title": "x", "updatedAt": "2026-11-20T09:00:00Z"}), "a1b2"),
        (json!({"id": 7, "locale": "nl", "title": "x", "updatedAt": "2026-11-20T09:00:00Z"}), "7"),
    ] {
        let published = trial::item(connector.receive(&event("entry.publish", entry.clone())));
        let mut later = json!({"event": "entry.unpublish", "model": "persbericht", "entry": entry});
        later["createdAt"] = json!("2026-11-20T09:00:05Z");
        let withdrawn = trial::item(connector.receive(&trial::delivery(&[], &later)));
        assert_eq!((published.source_id.as_str(), published.action), (id, Action::Publish));
        assert_eq!((withdrawn.source_id.as_str(), withdrawn.action), (id, Action::Retract));
        assert!(withdrawn.source_version > published.source_version);
        let again = json!({"id": 7, "documentId": id, "title": "x", "updatedAt": "2026-11-20T09:00:00Z", "publishedAt": "2026-11-20T09:00:09Z"});
        let again = trial::item(connector.receive(&event("entry.publish", again)));
        assert!(again.source_version > withdrawn.source_version);
    }
}

#[test]
fn settings_are_refused_by_name() {
    for (settings, wanted) in [
        (json!({"site": "https://a.example"}), "model"),
        (json!({"model": "x"}), "site"),
        (json!({"site": "https://a.example", "model": "x", "route": "../admin"}), "route"),
        (json!({"site": "https://a.example", "model": "x", "draft_and_publish": "yes"}), "draft_and_publish"),
        (json!({"site": "https://a.example", "model": "x", "format": "latex"}), "format"),
    ] {
        let Err(ConnectorError::Settings { key, .. }) = Strapi.configure(&settings).map(|_| ()) else {
            panic!("{settings}")
        };
        assert_eq!(key, wanted);
    }
}

#[test]
fn a_name_at_the_limit_is_asked_for_and_a_longer_one_is_not() {
    let name = |n: usize| entry::name(&json!({"documentId": "a".repeat(n)}));
    assert!(name(100).is_some() && name(101).is_none());
}

#[test]
fn nothing_that_comes_in_panics() {
    trial::never_panics(&Strapi, &[("x-strapi-event", &["entry.publish", "entry.delete", "x"])]);
}
