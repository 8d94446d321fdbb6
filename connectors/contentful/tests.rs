//! What Contentful's events mean, and what is read of its entries.

use serde_json::json;

use super::*;
use crate::trial;

fn connector(with_token: bool) -> Box<dyn Connector> {
    let mut settings = trial::settings(&Contentful);
    if !with_token {
        settings.as_object_mut().unwrap().remove("token");
    }
    Contentful.configure(&settings).unwrap()
}

fn body(name: &str) -> Value {
    serde_json::from_slice(&trial::captured(&Contentful, name).body).unwrap()
}

#[test]
fn its_fixtures_are_read_as_before() {
    insta::assert_json_snapshot!("fixtures", trial::outcomes(&Contentful));
}

#[test]
fn each_event_has_its_meaning() {
    let entry = body("published");
    for (topic, wanted) in [
        ("Entry.publish", "publish"),
        ("Entry.unpublish", "retract"),
        ("Entry.archive", "retract"),
        ("Entry.delete", "retract"),
        ("Entry.create", "ignored"),
        ("Entry.save", "ignored"),
        ("Entry.auto_save", "ignored"),
        ("Entry.unarchive", "ignored"),
        ("Asset.publish", "ignored"),
        ("ContentType.delete", "ignored"),
        ("Release.save", "ignored"),
    ] {
        let topic = format!("ContentManagement.{topic}");
        let told = connector(false).receive(&trial::delivery(&[("x-contentful-topic", &topic)], &entry));
        assert_eq!(trial::word(told), wanted, "{topic}");
    }
    assert_eq!(trial::word(connector(false).receive(&trial::delivery(&[], &entry))), "error");
}

#[test]
fn a_withdrawal_names_the_item_that_was_published() {
    let published = trial::item(connector(false).receive(&trial::captured(&Contentful, "published")));
    let gone = trial::item(connector(false).receive(&trial::captured(&Contentful, "unpublished")));
    assert_eq!((&gone.source_id, gone.action), (&published.source_id, Action::Retract));
    assert_eq!((published.source_version, gone.source_version), (Some(3), Some(3)));
}

#[test]
fn with_a_token_the_state_of_the_event_is_read_back() {
    let connector = connector(true);
    let requests = trial::requests(connector.receive(&trial::captured(&Contentful, "published")));
    let [request] = requests.as_slice() else { panic!("{requests:?}") };
    assert!(request.url.as_str().contains("sys.updatedAt%5Bgte%5D=2026-11-20T09%3A00%3A00.000Z"), "{}", request.url);
    assert_eq!(request.headers[0].1.reveal(), "Bearer a-delivery-token");
    // Nothing is no retraction: the delivery API lags behind.
    let nothing = json!({"sys": {"type": "Array"}, "total": 0, "skip": 0, "limit": 100, "items": []}).to_string();
    assert!(trial::answer(&*connector, request, nothing.as_bytes()).is_err());
    assert!(trial::answer(&*connector, &connector.request().unwrap(), nothing.as_bytes()).unwrap().items.is_empty());
}

#[test]
fn the_list_goes_on_until_its_end() {
    let connector = connector(true);
    let list = |skip: usize, n: usize| {
        let items = vec![body("published"); n];
        let answer = json!({"total": 101, "skip": skip, "items": items}).to_string();
        trial::answer(&*connector, &connector.request().unwrap(), answer.as_bytes()).unwrap()
    };
    assert!(list(0, 100).next.unwrap().url.as_str().contains("skip=100"));
    assert!(list(100, 1).next.is_none() && list(0, 0).next.is_none());
}

#[test]
fn other_types_spaces_environments_and_locales_are_ignored() {
    let told = |change: fn(&mut Value)| {
        let mut entry = body("published");
        change(&mut entry);
        let topic = [("x-contentful-topic", "ContentManagement.Entry.publish")];
        trial::word(connector(false).receive(&trial::delivery(&topic, &entry)))
    };
    assert_eq!(told(|_| ()), "publish");
    assert_eq!(told(|entry| entry["sys"]["contentType"]["sys"]["id"] = json!("pagina")), "ignored");
    assert_eq!(told(|entry| entry["sys"]["space"]["sys"]["id"] = json!("other")), "ignored");
    assert_eq!(told(|entry| entry["sys"]["environment"]["sys"]["id"] = json!("staging")), "ignored");
    assert_eq!(told(|entry| entry["fields"] = json!({"titel": {"en": "Only English"}})), "ignored");
    assert_eq!(told(|entry| entry["sys"]["id"] = json!(null)), "error");
}

#[test]
fn settings_that_are_wrong_are_refused_by_key() {
    for (key, value) in [
        ("space", json!(null)),
        ("space", json!("a/b")),
        ("environment", json!("..")),
        ("locale", json!("")),
        ("api", json!("ftp://x")),
        ("format", json!("rtf")),
        ("page", json!("nieuws/{slug}")),
        ("fields", json!([])),
    ] {
        let mut settings = trial::settings(&Contentful);
        settings[key] = value;
        let Err(ConnectorError::Settings { key: named, .. }) = Contentful.configure(&settings).map(|_| ()) else {
            panic!("{key}")
        };
        assert_eq!(named, key);
    }
}

#[test]
fn nothing_that_comes_in_panics() {
    let topics: &[&str] = &["ContentManagement.Entry.publish", "ContentManagement.Entry.delete", "x", ""];
    trial::never_panics(&Contentful, &[("x-contentful-topic", topics)]);
}
