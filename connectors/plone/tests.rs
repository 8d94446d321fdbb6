//! What the events of our payload mean, and what is read of Plone's content.

use serde_json::json;

use super::*;
use crate::item::Action;
use crate::trial;

fn told(body: &Value) -> Result<Told, ConnectorError> {
    trial::connector(&Plone).receive(&trial::delivery(&[], body))
}

#[test]
fn its_fixtures_are_read_as_before() {
    insta::assert_json_snapshot!("fixtures", trial::outcomes(&Plone));
}

#[test]
fn each_event_has_its_meaning() {
    for (event, wanted) in [
        ("published", "fetch"),
        ("modified", "fetch"),
        ("updated", "fetch"),
        ("withdrawn", "retract"),
        ("retracted", "retract"),
        ("private", "retract"),
        ("removed", "retract"),
        ("deleted", "retract"),
        ("copied", "ignored"),
    ] {
        assert_eq!(trial::word(told(&json!({"event": event, "uid": "a1b2"}))), wanted, "{event}");
    }
    for body in [json!({"uid": "a1"}), json!({"event": "published"}), json!({"event": "published", "uid": "${uuid}"})] {
        assert_eq!(trial::word(told(&body)), "error", "{body}");
    }
    let uid = |n: usize| told(&json!({"event": "removed", "uid": "u".repeat(n)}));
    assert!(uid(64).is_ok() && uid(65).is_err());
}

#[test]
fn what_is_not_found_or_in_another_state_is_withdrawn() {
    let connector = trial::connector(&Plone);
    let request = trial::requests(told(&json!({"event": "modified", "uid": "a1b2"}))).remove(0);
    let item = |items: Value| {
        let page = trial::answer(&*connector, &request, json!({ "items": items }).to_string().as_bytes()).unwrap();
        page.items.into_iter().map(|item| (item.source_id, item.action)).collect::<Vec<_>>()
    };
    let content = |state: &str| json!([{"@type": "News Item", "UID": "a1b2", "title": "x", "review_state": state}]);
    assert_eq!(item(json!([])), [("a1b2".to_owned(), Action::Retract)]);
    assert_eq!(item(content("private")), [("a1b2".to_owned(), Action::Retract)]);
    assert_eq!(item(content("published")), [("a1b2".to_owned(), Action::Publish)]);
    let other = json!([{"@type": "Document", "UID": "a1b2", "title": "x", "review_state": "published"}]);
    assert_eq!(item(other), []);
}

#[test]
fn a_form_is_taken_as_well() {
    let headers = vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
    let form = Delivery { headers, body: b"event=withdrawn&uid=a1b2".to_vec(), ..Delivery::default() };
    assert_eq!(trial::word(trial::connector(&Plone).receive(&form)), "retract");
}

#[test]
fn the_list_goes_on_until_a_page_is_not_full() {
    let connector = trial::connector(&Plone);
    let list = |n: usize| {
        let items: Vec<_> = (0..n)
            .map(|n| json!({"@type": "News Item", "UID": format!("u{n}"), "title": "x", "review_state": "published"}))
            .collect();
        trial::answer(&*connector, &connector.request().unwrap(), json!({ "items": items }).to_string().as_bytes())
            .unwrap()
    };
    assert!(list(PER_PAGE).next.unwrap().url.as_str().contains("b_start=50"));
    assert!(list(PER_PAGE - 1).next.is_none());
}

#[test]
fn settings_that_are_wrong_are_refused_by_key() {
    for (key, value) in [("site", json!(null)), ("published", json!("published")), ("types", json!(1))] {
        let mut settings = trial::settings(&Plone);
        settings[key] = value;
        let Err(ConnectorError::Settings { key: named, .. }) = Plone.configure(&settings).map(|_| ()) else {
            panic!("{key}")
        };
        assert_eq!(named, key);
    }
}

#[test]
fn nothing_that_comes_in_panics() {
    trial::never_panics(&Plone, &[]);
}
