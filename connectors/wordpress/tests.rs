//! What WordPress says, and where each limit stands.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::*;
use crate::item::Action;

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("wordpress/fixtures")
}

fn connector(settings: Value) -> Box<dyn Connector> {
    WordPress.configure(&settings).unwrap_or_else(|problem| panic!("{problem}"))
}

fn plain() -> Box<dyn Connector> {
    connector(json!({"site": "https://www.voorbeeldstad.example/blog"}))
}

fn fixture(name: &str) -> Told {
    let settings = serde_json::from_slice(&fs::read(folder().join("settings.json")).unwrap()).unwrap();
    let captured = fs::read(folder().join(format!("good/{name}.delivery.json"))).unwrap();
    connector(settings).receive(&crate::capture::read(&captured, 0).unwrap()).unwrap()
}

fn answer(url: &str, body: &[u8], about: Option<&str>) -> Result<Page, ConnectorError> {
    let url = Url::parse(url).unwrap();
    plain().read(&Response {
        url,
        content_type: None,
        body: body.to_vec(),
        received_at: 0,
        about: about.map(str::to_owned),
    })
}

const LIST: &str = "https://www.voorbeeldstad.example/blog/wp-json/wp/v2/posts?per_page=50&offset=0";

#[test]
fn posts_of_the_list_are_items_and_those_with_a_password_are_withdrawn() {
    insta::assert_json_snapshot!(answer(LIST, &fs::read(folder().join("good/posts.json")).unwrap(), None).unwrap());
}

#[test]
fn a_published_post_is_read_back_with_its_images() {
    for name in ["published", "form", "ping"] {
        let Told::Fetch { requests, page } = fixture(name) else { panic!("{name}") };
        let [request] = requests.as_slice() else { panic!("{requests:?}") };
        let wanted = "https://www.voorbeeldstad.example/wp-json/wp/v2/posts?include=4711&per_page=1&_embed=author%2Cwp%3Afeaturedmedia%2Cwp%3Aterm";
        assert_eq!((request.url.as_str(), request.about.as_deref()), (wanted, Some("4711")));
        assert_eq!(request.headers[0].1.reveal(), "Basic aGVyYXV0OmFiY2QgZWZnaCBpamtsIG1ub3A=");
        assert!(page.items.is_empty());
    }
}

#[test]
fn every_event_is_published_retracted_or_ignored() {
    let body = |before: Option<&str>, status: &str| json!({"post_id": 7, "post": {"post_status": status, "post_type": "post"}, "post_before": before.map(|before| json!({"post_status": before}))});
    let trashed = |was: &str| {
        let mut body = body(None, "trash");
        body["post_meta"] = json!({"_wp_trash_meta_status": [was]});
        body
    };
    let mut other = body(None, "publish");
    other["post"]["post_type"] = json!("attachment");
    let table = [
        ("post_create", body(None, "publish"), "read"),
        ("post_update", body(Some("draft"), "publish"), "read"),
        ("post_update", body(Some("future"), "publish"), "read"),
        ("post_update", body(Some("publish"), "publish"), "read"),
        ("post_update", body(Some("publish"), "draft"), "retract"),
        ("post_update", body(Some("publish"), "private"), "retract"),
        ("post_update", body(Some("publish"), "future"), "retract"),
        ("post_update", body(Some("publish"), "trash"), "retract"),
        ("post_trash", body(None, "publish"), "retract"),
        ("post_trash", trashed("publish"), "retract"),
        ("post_trash", trashed("draft"), "nothing"),
        ("post_delete", body(None, "publish"), "retract"),
        ("post_delete", trashed("publish"), "retract"),
        ("post_delete", trashed("draft"), "nothing"),
        ("post_delete", body(None, "auto-draft"), "nothing"),
        ("post_create", body(None, "draft"), "nothing"),
        ("post_create", body(None, "auto-draft"), "nothing"),
        ("post_update", body(Some("draft"), "draft"), "nothing"),
        ("post_update", body(Some("draft"), "pending"), "nothing"),
        ("post_update", body(Some("draft"), "future"), "nothing"),
        ("post_update", body(None, "inherit"), "nothing"),
        ("post_create", other, "nothing"),
        ("", json!({"post_id": "7"}), "read"),
        ("", json!({}), "all"),
    ];
    for (trigger, body, wanted) in table {
        let found = match event::meaning(&body, Some(trigger), "post").unwrap() {
            Meaning::Read(id) => (id == "7").then_some("read"),
            Meaning::ReadAll => Some("all"),
            Meaning::Retract { id, .. } => (id == "7").then_some("retract"),
            Meaning::Nothing(why) => (!why.is_empty()).then_some("nothing"),
        };
        assert_eq!(found, Some(wanted), "{trigger} {body}");
    }
}

#[test]
fn a_withdrawn_post_has_the_id_and_a_later_version() {
    let Told::Page(page) = fixture("unpublished") else { panic!("no page") };
    let [item] = page.items.as_slice() else { panic!("{page:?}") };
    assert_eq!(
        (item.source_id.as_str(), item.action, item.source_version),
        ("4711", Action::Retract, Some(1_795_255_200_000))
    );
    assert!(matches!(fixture("draft"), Told::Ignored { .. }));
}

#[test]
fn a_post_that_is_not_in_the_list_of_what_is_public_is_withdrawn() {
    let protected = json!([{"id": 7, "content": {"rendered": "", "protected": true}}]).to_string();
    for body in ["[]", &protected] {
        let page = answer(LIST, body.as_bytes(), Some("7")).unwrap();
        assert_eq!((page.items[0].source_id.as_str(), page.items[0].action), ("7", Action::Retract), "{body}");
    }
    assert!(answer(LIST, br#"{"code": "rest_cannot_read"}"#, Some("7")).is_err());
    assert_eq!(answer(LIST, b"[]", None).unwrap().items, []);
}

#[test]
fn a_full_page_goes_on_and_a_short_one_is_the_last() {
    let posts = |n: usize| {
        json!((1..=n).map(|id| json!({"id": id, "title": {"rendered": "x"}})).collect::<Vec<_>>()).to_string()
    };
    let next = answer(LIST, posts(PER_PAGE).as_bytes(), None).unwrap().next.unwrap();
    assert!(
        next.url
            .as_str()
            .starts_with("https://www.voorbeeldstad.example/blog/wp-json/wp/v2/posts?per_page=50&offset=50&"),
        "{}",
        next.url
    );
    assert_eq!(answer(LIST, posts(PER_PAGE - 1).as_bytes(), None).unwrap().next, None);
    let last = PER_PAGE * (PAGES_PER_POLL_MAX - 1);
    let at = |offset: usize| LIST.replace("offset=0", &format!("offset={offset}"));
    assert!(answer(&at(last - PER_PAGE), posts(PER_PAGE).as_bytes(), None).unwrap().next.is_some());
    assert_eq!(answer(&at(last), posts(PER_PAGE).as_bytes(), None).unwrap().next, None);
    assert_eq!(answer(LIST, posts(PER_PAGE).as_bytes(), Some("7")).unwrap().next, None);
}

#[test]
fn a_lead_is_taken_where_a_person_wrote_it() {
    let lead = |excerpt: &str| {
        let post =
            json!([{"id": 1, "content": {"rendered": "<p>Een twee drie vier.</p>"}, "excerpt": {"rendered": excerpt}}]);
        answer(LIST, post.to_string().as_bytes(), None).unwrap().items.remove(0).summary
    };
    assert!(lead("<p>Kort gezegd.</p>").is_some());
    for made in ["<p>Een twee [&hellip;]</p>", "<p>Een twee drie vier.</p>", "<p>Iets&#8230;</p>", "<p> </p>", ""] {
        assert_eq!(lead(made), None, "{made}");
    }
}

#[test]
fn settings_name_another_type_or_address() {
    let url = |settings: Value| connector(settings).request().unwrap().url.to_string();
    assert!(
        url(json!({"site": "https://a.example", "type": "page"}))
            .starts_with("https://a.example/wp-json/wp/v2/pages?per_page=50")
    );
    assert!(url(json!({"site": "https://a.example", "type": "persbericht"})).contains("/wp/v2/persbericht?"));
    assert!(
        url(json!({"site": "https://a.example", "type": "pers", "route": "persberichten"}))
            .contains("/wp/v2/persberichten?")
    );
    let asked = url(json!({"site": "https://a.example", "api": "https://a.example/?rest_route=/wp/v2/posts"}));
    assert!(asked.starts_with("https://a.example/?rest_route=/wp/v2/posts&per_page=50&offset=0"), "{asked}");
    for (settings, wanted) in [(json!({}), "site"), (json!({"site": "https://a.example", "route": "a/../b"}), "route")]
    {
        let Err(ConnectorError::Settings { key, .. }) = WordPress.configure(&settings).map(|_| ()) else {
            panic!("{settings}")
        };
        assert_eq!(key, wanted);
    }
}

#[test]
fn an_id_at_the_limit_is_taken_and_a_longer_one_is_not() {
    let told = |digits: usize| event::meaning(&json!({"post_id": "1".repeat(digits)}), None, "post");
    assert!(told(20).is_ok() && told(21).is_err());
}

#[test]
fn nothing_that_comes_in_panics() {
    use proptest::prelude::*;
    let connector = plain();
    proptest!(|(body in proptest::collection::vec(any::<u8>(), 0..300))| {
        let _ = connector.receive(&Delivery { body: body.clone(), ..Delivery::default() });
        let _ = answer(LIST, &body, Some("7"));
    });
    proptest!(|(text in ".{0,40}", n in any::<i64>())| {
        let post = json!([{"id": n, "link": text, "title": {"rendered": text}, "content": {"rendered": text}, "excerpt": {"rendered": text}, "date_gmt": text,
            "_embedded": {"wp:featuredmedia": [{"source_url": text, "alt_text": text}], "wp:term": [[{"name": text}]], "author": [{"name": text}]}}]);
        let _ = answer(LIST, post.to_string().as_bytes(), None);
    });
}
