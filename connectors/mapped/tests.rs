//! What mapped JSON means, and where each limit stands.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::*;

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("mapped/fixtures")
}

fn connector(settings: Value) -> Box<dyn Connector> {
    Mapped.configure(&settings).unwrap_or_else(|problem| panic!("{problem}"))
}

fn example() -> Box<dyn Connector> {
    connector(serde_json::from_slice(&fs::read(folder().join("settings.json")).unwrap()).unwrap())
}

fn fixture(name: &str) -> Told {
    let captured = fs::read(folder().join(format!("good/{name}.delivery.json"))).unwrap();
    example().receive(&crate::capture::read(&captured, 0).unwrap()).unwrap()
}

fn delivery(body: &Value) -> Delivery {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    Delivery { headers, body: body.to_string().into_bytes(), ..Delivery::default() }
}

fn answer(connector: &dyn Connector, body: &[u8], about: Option<&str>) -> Result<Page, ConnectorError> {
    let url = Url::parse("https://cms.voorbeeldstad.example/api/berichten").unwrap();
    connector.read(&Response {
        url,
        content_type: None,
        body: body.to_vec(),
        received_at: 0,
        about: about.map(str::to_owned),
    })
}

fn items(told: Told) -> Vec<Item> {
    match told {
        Told::Page(page) => page.items,
        other => panic!("{other:?}"),
    }
}

fn refused_key(settings: &Value) -> String {
    match Mapped.configure(settings).map(|_| ()) {
        Err(ConnectorError::Settings { key, .. }) => key,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_field_is_found_where_the_settings_say() {
    insta::assert_json_snapshot!(items(fixture("published")));
}

#[test]
fn a_list_is_read_by_the_table_for_answers_and_goes_on_where_it_says() {
    let connector = example();
    let page = answer(&*connector, &fs::read(folder().join("good/list.json")).unwrap(), None).unwrap();
    let next = page.next.clone().unwrap();
    assert_eq!(next.url.query(), Some("status=live&page=2"));
    assert_eq!(next.headers[0].1.reveal(), "Bearer a-token-of-the-site");
    insta::assert_json_snapshot!(page);
    let elsewhere = json!({"data": [], "links": {"next": "https://elders.example/?page=2"}}).to_string();
    assert_eq!(answer(&*connector, elsewhere.as_bytes(), None).unwrap().next, None);
    let itself = json!({"data": [], "links": {"next": "/api/berichten"}}).to_string();
    assert_eq!(answer(&*connector, itself.as_bytes(), None).unwrap().next, None);
    assert_eq!(connector.request().unwrap().url.host_str(), Some("cms.voorbeeldstad.example"));
}

#[test]
fn an_event_is_published_updated_retracted_or_ignored_by_its_word() {
    let settings = json!({"action": "$.event", "map": {"id": "$.id", "title": "$.title"}});
    let table = [
        (json!("publish"), Some(Action::Publish)),
        (json!("Created"), Some(Action::Publish)),
        (json!(" updated "), Some(Action::Publish)),
        (json!("gewijzigd"), Some(Action::Publish)),
        (json!("unpublish"), Some(Action::Retract)),
        (json!("deleted"), Some(Action::Retract)),
        (json!("ingetrokken"), Some(Action::Retract)),
        (json!("draft"), None),
        (json!("autosave"), None),
        (json!(null), None),
        (json!({"publish": 1}), None),
    ];
    let connector = connector(settings);
    for (word, wanted) in table {
        let told = connector.receive(&delivery(&json!({"event": word, "id": 1, "title": "x"}))).unwrap();
        let found = match &told {
            Told::Page(page) => page.items.first().map(|item| item.action),
            _ => None,
        };
        assert_eq!(found, wanted, "{word}");
    }
}

#[test]
fn what_is_no_news_is_ignored_with_the_reason() {
    for (name, part) in [("concept", "`when`"), ("other-event", "gebruiker.nieuw"), ("ping", "map.items")] {
        let Told::Ignored { why } = fixture(name) else { panic!("{name}") };
        assert!(why.contains(part), "{why}");
    }
    let [item] = <[Item; 1]>::try_from(items(fixture("offline"))).unwrap();
    assert_eq!((item.source_id.as_str(), item.action, item.source_version), ("4711", Action::Retract, Some(4)));
}

#[test]
fn a_condition_holds_for_what_is_true() {
    let told = |when: &str, otherwise: &str| {
        let map = json!({"id": "$.id", "title": "$.title", "when": when});
        let connector = connector(json!({"map": map, "otherwise": otherwise}));
        connector
            .receive(&delivery(&json!({"id": 1, "title": "x", "yes": true, "no": false, "state": "live", "zero": 0})))
            .unwrap()
    };
    for when in ["$.yes", "item.yes and item.state == 'live'", "{{ item.state }}", "$.state", "not item.zero"] {
        assert_eq!(items(told(when, "ignore"))[0].action, Action::Publish, "{when}");
    }
    for when in ["$.no", "$.zero", "$.nothing", "item.state == 'draft'", "{{ item.no }}", "{{ item.a.b.c }}"] {
        assert!(matches!(told(when, "ignore"), Told::Ignored { .. }), "{when}");
        assert_eq!(items(told(when, "retract"))[0].action, Action::Retract, "{when}");
    }
}

#[test]
fn a_thin_event_is_read_back_from_the_site_and_nowhere_else() {
    let settings = json!({
        "site": "https://cms.example/", "token": "s3cret", "token_header": "X-Api-Key", "action": "$.event",
        "fetch": "{{ item.link or '/api/' ~ item.id }}", "map": {"id": "$.id", "title": "$.title", "when": "item.event != 'draft'"},
    });
    let connector = connector(settings);
    let told = |body: Value| connector.receive(&delivery(&body));
    let Told::Fetch { requests, page } = told(json!({"event": "publish", "id": 7})).unwrap() else { panic!() };
    assert_eq!((requests[0].url.as_str(), requests[0].about.as_deref()), ("https://cms.example/api/7", Some("7")));
    assert_eq!((requests[0].headers[0].0.as_str(), requests[0].headers[0].1.reveal()), ("x-api-key", "s3cret"));
    assert!(page.items.is_empty());
    for link in ["https://elders.example/7", "http://cms.example/7", "file:///etc/passwd", "https://cms.example:444/"] {
        assert!(told(json!({"event": "publish", "id": 7, "link": link})).is_err(), "{link}");
    }
    assert!(matches!(told(json!({"event": "delete", "id": 7})), Ok(Told::Page(_))));
    let gone = answer(&*connector, br#"{"event": "draft", "title": "Weer concept"}"#, Some("7")).unwrap();
    assert_eq!((gone.items[0].source_id.as_str(), gone.items[0].action), ("7", Action::Retract));
    let back = answer(&*connector, br#"{"title": "Zonder nummer"}"#, Some("7")).unwrap();
    assert_eq!((back.items[0].source_id.as_str(), back.items[0].action), ("7", Action::Publish));
    let many: Vec<Value> = (0..=REQUESTS_PER_DELIVERY_MAX).map(|id| json!({"event": "publish", "id": id})).collect();
    let Told::Fetch { requests, page } = told(json!(many)).unwrap() else { panic!() };
    assert_eq!((requests.len(), page.warnings.len()), (REQUESTS_PER_DELIVERY_MAX, 1));
}

#[test]
fn one_bad_item_does_not_cost_the_others() {
    let connector =
        connector(json!({"map": {"items": "$.all", "id": "$.id", "title": "$.title", "published": "$.at"}}));
    let body = json!({"all": [{"id": 1, "title": "Een"}, {"title": "Zonder"}, {"id": 3, "title": "Drie", "at": "ooit"}, {"id": 1, "title": "Een, later"}]});
    let Told::Page(page) = connector.receive(&delivery(&body)).unwrap() else { panic!() };
    let found: Vec<_> = page.items.iter().map(|item| (item.source_id.as_str(), item.title.as_deref())).collect();
    assert_eq!((found, page.warnings.len()), (vec![("1", Some("Een, later"))], 2));
    assert!(connector.receive(&delivery(&json!({"all": [{"title": "Zonder"}]}))).is_err());
}

#[test]
fn alternative_texts_belong_to_their_images_or_to_none() {
    let map = json!({"id": "$.id", "title": "$.title", "image": "$.images[*].src", "image_alt": "$.images[*].alt"});
    let connector = connector(json!({"site": "https://a.example/", "map": map}));
    let images = |images: Value| {
        items(connector.receive(&delivery(&json!({"id": 1, "title": "x", "images": images}))).unwrap()).remove(0).media
    };
    let both = images(json!([{"src": "/1", "alt": "een"}, {"src": "/2", "alt": "twee"}]));
    assert_eq!(both.iter().map(|media| media.alt.as_deref()).collect::<Vec<_>>(), [Some("een"), Some("twee")]);
    let unclear = images(json!([{"src": "/1"}, {"src": "/2", "alt": "twee"}]));
    assert_eq!((unclear.len(), unclear.iter().all(|media| media.alt.is_none())), (2, true));
}

#[test]
fn settings_that_would_mislead_are_refused_by_name() {
    let map = |key: &str, value: Value| {
        let mut map = json!({"id": "$.id", "title": "$.title"});
        map[key] = value;
        json!({"map": map})
    };
    let table = [
        (json!({}), "map"),
        (json!({"map": 1}), "map"),
        (json!({"map": {"title": "$.title"}}), "map.id"),
        (json!({"map": {"id": "$.id"}}), "map.title"),
        (map("title", json!("title")), "map.title"),
        (map("titel", json!("$.titel")), "map.titel"),
        (map("url", json!("$.[")), "map.url"),
        (map("summary", json!("{{ item.")), "map.summary"),
        (map("items", json!("$..items")), "map.items"),
        (map("when", json!("item.state ==")), "map.when"),
        (json!({"map": {"id": "$.id", "html": "$.a", "text": "$.b"}}), "map.html"),
        (json!({"map": {"id": "$.id", "title": "$.t"}, "answer": {"id": "1"}}), "answer.id"),
        (json!({"map": {"id": "$.id", "title": "$.t"}, "otherwise": "maybe"}), "otherwise"),
        (json!({"map": {"id": "$.id", "title": "$.t"}, "actions": {"publish": "x"}}), "actions.publish"),
        (json!({"map": {"id": "$.id", "title": "$.t"}, "actions": {"hide": ["x"]}}), "actions.hide"),
        (json!({"map": {"id": "$.id", "title": "$.t"}, "fetch": "$.url"}), "site"),
    ];
    for (settings, key) in table {
        assert_eq!(refused_key(&settings), key, "{settings}");
    }
}

#[test]
fn a_page_at_the_limit_is_whole_and_a_longer_one_is_cut() {
    let connector =
        connector(json!({"list": "https://a.example/", "map": {"id": "{{ item.id }}", "title": "{{ item.title }}"}}));
    let list = |n: usize| Value::Array((0..n).map(|id| json!({"id": id, "title": "x"})).collect()).to_string();
    let page = answer(&*connector, list(ITEMS_PER_PAGE_MAX).as_bytes(), None).unwrap();
    assert_eq!((page.items.len(), page.warnings.len()), (ITEMS_PER_PAGE_MAX, 0));
    let page = answer(&*connector, list(ITEMS_PER_PAGE_MAX + 1).as_bytes(), None).unwrap();
    assert_eq!((page.items.len(), page.warnings.len()), (ITEMS_PER_PAGE_MAX, 1));
}

#[test]
fn a_form_is_read_as_well() {
    let connector = connector(json!({"map": {"id": "$.ID", "title": "$.post_title"}}));
    let headers = vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
    let form = Delivery { headers, body: b"ID=7&post_title=Twee+woorden".to_vec(), ..Delivery::default() };
    assert_eq!(items(connector.receive(&form).unwrap())[0].title.as_deref(), Some("Twee woorden"));
}

#[test]
fn nothing_that_comes_in_panics() {
    use proptest::prelude::*;
    let connector = example();
    proptest!(|(body in proptest::collection::vec(any::<u8>(), 0..300))| {
        let _ = connector.receive(&Delivery { body: body.clone(), ..Delivery::default() });
        let _ = answer(&*connector, &body, None);
    });
    proptest!(|(text in ".{0,40}", n in any::<f64>())| {
        let bericht = json!({"nummer": text, "slug": text, "kop": text, "alineas": [text, n], "versie": n, "themas": [{"naam": n}], "beelden": [{"url": text, "omschrijving": text}]});
        let _ = connector.receive(&delivery(&json!({"event": "bericht.live", "bericht": bericht})));
    });
    proptest!(|(setting in "[$.\\[\\]?@*a-c'(){}%=, ]{0,60}")| {
        let _ = Mapped.configure(&json!({"map": {"id": setting, "title": setting, "when": setting}}));
        let _ = Mapped.configure(&json!({"map": {"id": format!("${setting}"), "title": format!("{{{{{setting}}}}}")}}));
    });
}
