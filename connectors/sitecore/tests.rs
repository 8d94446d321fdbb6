//! What Sitecore's events mean, and what is read of the items of Edge.

use serde_json::json;

use super::*;
use crate::contract::REQUESTS_PER_DELIVERY_MAX;
use crate::item::Action;
use crate::trial;

const ID: &str = "FA27B51EE4394CBB89F8F451B13FF9DC";

fn told(body: &Value) -> Result<Told, ConnectorError> {
    trial::connector(&Sitecore).receive(&trial::delivery(&[], body))
}

fn update(id: &str, kind: &str, operation: &str, locale: &str) -> Value {
    json!({"identifier": id, "entity_definition": kind, "operation": operation, "entity_culture": locale})
}

#[test]
fn its_fixtures_are_read_as_before() {
    insta::assert_json_snapshot!("fixtures", trial::outcomes(&Sitecore));
}

#[test]
fn each_event_has_its_meaning() {
    for (kind, operation, locale, wanted) in [
        ("Item", "Update", "nl-NL", "fetch"),
        ("Item", "Create", "nl-nl", "fetch"),
        ("Item", "Delete", "nl-NL", "retract"),
        ("Item", "Update", "en", "ignored"),
        ("LayoutData", "Update", "nl-NL", "ignored"),
        ("Media", "Update", "nl-NL", "ignored"),
    ] {
        let body = json!({"invocation_id": "i", "updates": [update(ID, kind, operation, locale)], "continues": false});
        assert_eq!(trial::word(told(&body)), wanted, "{kind} {operation} {locale}");
    }
    for (event, wanted) in
        [("item:deleted", "retract"), ("item:saved", "ignored"), ("item:added", "ignored"), ("publish:end", "ignored")]
    {
        let body = json!({"EventName": event, "Item": {"Id": "fa27b51e-e439-4cbb-89f8-f451b13ff9dc"}});
        assert_eq!(trial::word(told(&body)), wanted, "{event}");
    }
    assert_eq!(trial::word(told(&json!({"EventName": "item:deleted", "Item": {}}))), "error");
    assert_eq!(trial::word(told(&json!({"invocation_id": "i"}))), "error");
    assert_eq!(trial::word(told(&json!({"updates": [update("FA27-layout", "Item", "Update", "nl-NL")]}))), "ignored");
}

#[test]
fn a_withdrawal_names_the_item_that_was_published() {
    let connector = trial::connector(&Sitecore);
    let request = trial::requests(told(&json!({"updates": [update(ID, "Item", "Update", "nl-NL")]}))).remove(0);
    assert_eq!(request.headers[0].1.reveal(), "an-edge-key");
    let read = |item: Value| {
        let mut data = json!({});
        data[format!("i{ID}")] = item;
        trial::answer(&*connector, &request, json!({ "data": data }).to_string().as_bytes()).unwrap().items
    };
    let item = json!({"id": "{fa27b51e-e439-4cbb-89f8-f451b13ff9dc}", "template": {"name": "Nieuwsbericht"}, "fields": [{"name": "Titel", "value": "x"}]});
    let (there, absent) = (read(item.clone()), read(Value::Null));
    let gone = trial::item(told(&json!({"updates": [update(ID, "Item", "Delete", "nl-NL")]})));
    assert_eq!((there[0].action, absent[0].action), (Action::Publish, Action::Retract));
    assert!(there[0].source_id == gone.source_id && absent[0].source_id == gone.source_id);
    let mut other = item;
    other["template"]["name"] = json!("Pagina");
    assert_eq!(read(other), []);
}

#[test]
fn errors_of_edge_are_errors() {
    let connector = trial::connector(&Sitecore);
    for body in [
        r#"{"errors": [{"message": "no"}], "data": {}}"#,
        r#"{"data": null}"#,
        r#"{"data": {"other": {}}}"#,
        r#"{"data": {"search": {}}}"#,
    ] {
        assert!(trial::answer(&*connector, &connector.request().unwrap(), body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn updates_are_taken_up_to_the_limit() {
    let all = |n: usize| json!({"updates": (0..n).map(|n| update(&format!("{n:032X}"), "Item", "Update", "nl-NL")).collect::<Vec<_>>()});
    assert_eq!(trial::requests(told(&all(UPDATES_MAX))).len(), REQUESTS_PER_DELIVERY_MAX);
    assert!(told(&all(UPDATES_MAX + 1)).is_err());
}

#[test]
fn the_list_goes_on_until_edge_says_it_ends() {
    let connector = trial::connector(&Sitecore);
    let next = |has_next: bool| {
        let answer =
            json!({"data": {"search": {"pageInfo": {"endCursor": "c-1", "hasNext": has_next}, "results": []}}})
                .to_string();
        trial::answer(&*connector, &connector.request().unwrap(), answer.as_bytes()).unwrap().next
    };
    assert!(next(true).unwrap().url.as_str().contains("after%3A+%22c-1%22"), "{:?}", next(true));
    assert!(next(false).is_none());
}

#[test]
fn settings_that_are_wrong_are_refused_by_key() {
    for (key, value) in [
        ("token", json!(null)),
        ("locale", json!("x\"){")),
        ("root", json!("/sitecore/content")),
        ("template", json!("x")),
        ("api", json!(1)),
    ] {
        let mut settings = trial::settings(&Sitecore);
        settings[key] = value;
        let Err(ConnectorError::Settings { key: named, .. }) = Sitecore.configure(&settings).map(|_| ()) else {
            panic!("{key}")
        };
        assert_eq!(named, key);
    }
}

#[test]
fn nothing_that_comes_in_panics() {
    trial::never_panics(&Sitecore, &[]);
}
