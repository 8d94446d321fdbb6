//! What events mean, and where each limit stands.

use serde_json::json;

use super::*;
use crate::item::RawHtml;

const SOURCE: &str = "urn:nld:oin:00000009999999999000:systeem:cms";

fn connector(settings: Value) -> Box<dyn Connector> {
    CloudEvents.configure(&settings).unwrap()
}

fn delivery(body: &Value) -> Delivery {
    let headers = vec![("content-type".to_owned(), "application/cloudevents+json".to_owned())];
    Delivery { headers, body: body.to_string().into_bytes(), ..Delivery::default() }
}

fn event(kind: &str, data: Value) -> Value {
    json!({"specversion": "1.0", "id": "1", "source": SOURCE, "type": kind, "time": "2026-11-20T09:00:00Z", "data": data})
}

fn told(settings: Value, body: &Value) -> Result<Told, ConnectorError> {
    connector(settings).receive(&delivery(body))
}

fn items(body: &Value) -> Vec<Item> {
    match told(json!({}), body).unwrap() {
        Told::Page(page) => page.items,
        other => panic!("{other:?}"),
    }
}

fn fixture(name: &str) -> Told {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("cloudevents/fixtures");
    let settings = serde_json::from_slice(&std::fs::read(folder.join("settings.json")).unwrap()).unwrap();
    let captured = std::fs::read(folder.join("good").join(format!("{name}.delivery.json"))).unwrap();
    connector(settings).receive(&crate::capture::read(&captured, 0).unwrap()).unwrap()
}

#[test]
fn the_example_of_our_own_contract_is_an_item() {
    let Told::Page(page) = fixture("structured") else { panic!("no page") };
    let [item] = page.items.as_slice() else { panic!("{page:?}") };
    assert_eq!(item.source_id, "4711");
    assert_eq!(item.canonical_url.as_deref(), Some("https://www.voorbeeldstad.example/nieuws/4711"));
    assert_eq!((item.title.as_deref(), item.language.as_deref()), (Some("Dijk is veilig"), Some("nl")));
    let html = "<p>De dijk houdt. <a href=\"https://www.voorbeeldstad.example/meer\">Meer</a></p>";
    assert_eq!(item.body, Some(RawHtml(html.to_owned())));
    assert_eq!(item.media[0].alt.as_deref(), Some("Een dijk"));
    assert_eq!(item.source_version, item.published_at);
    assert_eq!(page.warnings, Vec::<String>::new());
}

#[test]
fn a_content_warning_is_one_line_up_to_the_limit_and_nothing_else_is_one() {
    use crate::item::WARNING_CHARS_MAX;
    let of = |data: Value| items(&event("nl.voorbeeld.bericht-gepubliceerd", data))[0].content_warning.clone();
    let item = |warning: Value| json!({"id": "1", "title": "x", "html": "<p>y</p>", "summary": "z", "contentWarning": warning});
    assert_eq!(of(item(json!(" Schokkend\n beeld "))).as_deref(), Some("Schokkend beeld"));
    for none in [json!(null), json!(""), json!("  "), json!(true), json!(["x"]), json!({"text": "x"})] {
        assert_eq!(of(item(none.clone())), None, "{none}");
    }
    assert_eq!(of(item(json!("x".repeat(WARNING_CHARS_MAX)))).unwrap().chars().count(), WARNING_CHARS_MAX);
    let cut = of(item(json!("ab ".repeat(WARNING_CHARS_MAX)))).unwrap();
    assert!(cut.chars().count() <= WARNING_CHARS_MAX, "{cut}");
    let unexpected = json!({"id": "1", "title": "x", "html": "<p>y</p>", "sensitive": true, "warning": "a", "cw": "b", "rating": "adult"});
    assert_eq!(of(unexpected), None);
}

#[test]
fn binary_mode_decodes_its_headers_and_an_embargo_is_the_time_of_publication() {
    let Told::Page(page) = fixture("binary") else { panic!("no page") };
    let [item] = page.items.as_slice() else { panic!("{page:?}") };
    assert_eq!((item.source_id.as_str(), item.source_version), ("café/1", Some(7)));
    assert_eq!(item.published_at, Some(1_893_474_000_000));
    assert_eq!(item.body, Some(RawHtml("<p>Naar het plein.</p><p>Tot mei.</p>".to_owned())));
}

#[test]
fn a_thin_event_is_read_back_with_the_token_of_the_site() {
    let Told::Fetch { requests, page } = fixture("thin") else { panic!("not fetched") };
    let [request] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!(request.url.as_str(), "https://www.voorbeeldstad.example/api/berichten/4712");
    assert_eq!(request.about.as_deref(), Some("4712"));
    assert_eq!(request.headers[0].1.reveal(), "Bearer a-token-of-the-site");
    assert!(!format!("{request:?}").contains("a-token"), "{request:?}");
    assert!(page.items.is_empty());
    let body = json!({"title": "Zonder id"}).to_string().into_bytes();
    let (url, about) = (request.url.clone(), Some("4712".to_owned()));
    let page = connector(json!({})).read(&Response { url, content_type: None, body, received_at: 0, about }).unwrap();
    assert_eq!(page.items[0].source_id, "4712");
}

#[test]
fn without_a_site_no_token_goes_anywhere() {
    let mut body = event("x.published", Value::Null);
    body["dataref"] = json!("https://elsewhere.example/1");
    let Told::Fetch { requests, .. } = told(json!({"token": "x-token"}), &body).unwrap() else { panic!("not fetched") };
    assert_eq!(requests[0].headers, []);
    body["dataref"] = json!("/1");
    assert!(told(json!({}), &body).is_err());
    body["dataref"] = json!("file:///etc/passwd");
    assert!(told(json!({}), &body).is_err());
}

#[test]
fn a_retraction_names_its_item_by_id_or_subject() {
    let Told::Page(page) = fixture("withdrawn") else { panic!("no page") };
    let ids: Vec<&str> = page.items.iter().map(|item| item.source_id.as_str()).collect();
    assert_eq!(ids, ["nieuws/4711", "4711"]);
    assert!(page.items.iter().all(|item| item.action == Action::Retract && item.source_version.is_some()));
    let known = items(&event("x.deleted", json!({"id": 7})));
    assert_eq!((known[0].source_id.as_str(), known.len()), ("7", 1));
}

#[test]
fn of_a_batch_the_last_event_about_an_item_holds_and_drafts_are_left_out() {
    let Told::Page(page) = fixture("batch") else { panic!("no page") };
    let found: Vec<_> =
        page.items.iter().map(|item| (item.source_id.as_str(), item.action, item.title.as_deref())).collect();
    assert_eq!(found, [("1", Action::Publish, Some("Een, verbeterd")), ("2", Action::Retract, None)]);
    assert_eq!(page.warnings.len(), 1);
}

#[test]
fn a_batch_is_taken_where_it_is_allowed_and_up_to_its_limit() {
    let batch = |n: usize| {
        let all: Vec<Value> = (0..n).map(|at| event("x.published", json!({"id": at, "title": "x"}))).collect();
        let headers = vec![("content-type".to_owned(), "application/cloudevents-batch+json".to_owned())];
        Delivery { headers, body: Value::Array(all).to_string().into_bytes(), ..Delivery::default() }
    };
    assert!(connector(json!({})).receive(&batch(1)).is_err());
    let connector = connector(json!({"batch": true}));
    assert!(connector.receive(&batch(BATCH_MAX)).is_ok());
    assert!(connector.receive(&batch(BATCH_MAX + 1)).is_err());
    assert!(matches!(connector.receive(&batch(0)), Ok(Told::Ignored { .. })));
}

#[test]
fn the_end_of_a_type_says_what_happened() {
    let table = [
        ("nl.voorbeeld.bericht-gepubliceerd", Some(Action::Publish)),
        ("nl.voorbeeld.bericht-gewijzigd.v2", Some(Action::Publish)),
        ("nl.voorbeeld.bericht-ingetrokken-v1", Some(Action::Retract)),
        ("example.post.published", Some(Action::Publish)),
        ("example.post.unpublished", Some(Action::Retract)),
        ("published", Some(Action::Publish)),
        ("example.post.republished", None),
        ("example.post.created", None),
        ("example.post.saved", None),
    ];
    let types = types(None).unwrap();
    for (kind, wanted) in table {
        assert_eq!(types.action(kind), wanted, "{kind}");
    }
    let own = json!({"types": {"publish": ["-live"], "retract": ["offline"]}});
    assert!(matches!(told(own.clone(), &event("page-live", json!({"id": 1, "title": "x"}))), Ok(Told::Page(_))));
    assert!(matches!(told(own, &event("x.published", json!({"id": 1}))), Ok(Told::Ignored { .. })));
    for wrong in [json!({"types": 1}), json!({"types": {"publish": "x"}}), json!({"types": {"other": ["x"]}})] {
        let Err(ConnectorError::Settings { key, .. }) = CloudEvents.configure(&wrong).map(|_| ()) else {
            panic!("{wrong}")
        };
        assert!(key.starts_with("types"), "{key}");
    }
}

#[test]
fn what_is_not_public_is_withdrawn_and_never_published() {
    for visibility in ["followers", "direct", "unlisted"] {
        let found = items(&event("x.published", json!({"id": "1", "title": "x", "visibility": visibility})));
        assert_eq!((found[0].action, found[0].title.as_deref()), (Action::Retract, None), "{visibility}");
    }
}

#[test]
fn another_source_is_ignored_by_name() {
    let body = event("x.published", json!({"id": "1", "title": "x"}));
    let Ok(Told::Ignored { why }) = told(json!({"sources": ["urn:other"]}), &body) else { panic!("taken") };
    assert!(why.contains(SOURCE), "{why}");
}

#[test]
fn an_attribute_at_the_limit_is_taken_and_a_longer_one_is_not() {
    let mut body = event("x.deleted", json!({}));
    body["subject"] = json!("s".repeat(envelope::ATTRIBUTE_BYTES_MAX));
    assert!(told(json!({}), &body).is_ok());
    body["subject"] = json!("s".repeat(envelope::ATTRIBUTE_BYTES_MAX + 1));
    assert!(told(json!({}), &body).is_err());
}

#[test]
fn nothing_that_comes_in_panics() {
    use proptest::prelude::*;
    let connector = connector(json!({"batch": true}));
    proptest!(|(body in proptest::collection::vec(any::<u8>(), 0..300), kind in 0_usize..4)| {
        let kinds = ["application/cloudevents+json", "application/cloudevents-batch+json", "application/json", ""];
        let headers = vec![("content-type".to_owned(), kinds[kind].to_owned()), ("ce-specversion".to_owned(), "1.0".to_owned())];
        let _ = connector.receive(&Delivery { headers, body, ..Delivery::default() });
    });
    proptest!(|(text in ".{0,40}", kind in "[a-z.-]{0,10}(published|deleted)")| {
        let data = json!({"id": text, "url": text, "title": text, "html": text, "tags": [text], "media": [{"url": text, "alt": text}]});
        let _ = connector.receive(&delivery(&event(&kind, data)));
    });
}
