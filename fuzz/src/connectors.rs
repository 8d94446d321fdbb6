//! What systems say: every kind's `read` and `receive`, every signature profile, rich text, templates and paths.

use std::collections::HashSet;
use std::sync::LazyLock;

use heraut::hook;
use heraut_connectors::contract::{
    Connector, Delivery, ITEMS_PER_PAGE_MAX, Page, REQUESTS_PER_DELIVERY_MAX, Response, Secret, Told,
};
use heraut_connectors::item::{
    ALTERNATE_IDS_MAX, Item, MEDIA_PER_ITEM_MAX, SOURCE_ID_BYTES_MAX, TITLE_CHARS_MAX, WARNING_CHARS_MAX,
};
use heraut_connectors::profiles::{self as signatures, Profile, Signed};
use heraut_connectors::{CONNECTORS, capture, import, parts};
use serde_json::{Value, json};
use url::Url;

use crate::{chosen, line, seeds};

/// A later moment than 0, which no item may depend on.
const LATER: i64 = 1_800_000_000_000;

type Pair = (&'static str, Box<dyn Connector>, Box<dyn Connector>);

/// Two connectors of each kind, with the settings of its fixtures.
static KINDS: LazyLock<Vec<Pair>> = LazyLock::new(|| {
    let pair = |kind: &&'static dyn heraut_connectors::contract::Kind| {
        let path = seeds::root().join("connectors").join(kind.name()).join("fixtures/settings.json");
        let settings: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        (kind.name(), kind.configure(&settings).unwrap(), kind.configure(&settings).unwrap())
    };
    CONNECTORS.iter().map(pair).collect()
});

/// The first line: the kind, the ending of the file's name, and the item that was asked for, if it was one.
pub(crate) fn read(input: &[u8]) {
    let (first, body) = line(input);
    let mut words = first.split(' ');
    let (kind, ending) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let about = words.next().map(str::to_owned);
    let (_, one, other) = chosen(&KINDS, kind, |pair| pair.0);
    let content_type = match ending {
        "json" => Some("application/json"),
        "xml" => Some("application/xml"),
        "html" => Some("text/html"),
        "csv" => Some("text/csv"),
        "md" => Some("text/markdown"),
        _ => None,
    };
    let response = |received_at| Response {
        url: Url::parse("https://source.example/path/feed").unwrap(),
        content_type: content_type.map(str::to_owned),
        body: body.to_vec(),
        received_at,
        about: about.clone(),
    };
    same(&[one.read(&response(0)), other.read(&response(LATER))], page);
    if kind == "import"
        && let Ok(file) = import::file(&format!("map/bericht.{ending}"), body.to_vec(), 0)
    {
        same(&[one.read(&file), other.read(&Response { received_at: LATER, ..file })], page);
    }
}

/// The first line: the kind. Then the request, as `heraut source test --from` reads it.
pub(crate) fn receive(input: &[u8]) {
    let (kind, captured) = line(input);
    let Ok(delivery) = capture::read(captured, 0) else { return };
    hook::is_taken(delivery.header("content-type"), delivery.body.is_empty(), true);
    let (_, one, other) = chosen(&KINDS, kind, |pair| pair.0);
    let answers = [one.receive(&delivery), other.receive(&Delivery { received_at: LATER, ..delivery })];
    same(&answers, |told| match told {
        Told::Page(told) => page(told),
        Told::Fetch { requests, page: told } => {
            page(told);
            assert!(!requests.is_empty() && requests.len() <= REQUESTS_PER_DELIVERY_MAX, "{} requests", requests.len());
            assert!(requests.iter().all(|request| request.url.scheme().starts_with("http")), "{requests:?}");
        }
        Told::Ignored { why } => assert!(!why.is_empty()),
    });
}

fn same<T: PartialEq + std::fmt::Debug, E: std::fmt::Display>(answers: &[Result<T, E>; 2], holds: impl Fn(&T)) {
    match answers {
        [Ok(one), Ok(other)] => {
            assert_eq!(one, other, "the same bytes meant something else");
            holds(one);
        }
        [Err(one), Err(other)] => assert_eq!(one.to_string(), other.to_string()),
        _ => panic!("the same bytes were an error once: {answers:?}", answers = answers.each_ref().map(Result::is_ok)),
    }
}

/// What the contract promises of a page.
fn page(page: &Page) {
    assert!(page.items.len() <= ITEMS_PER_PAGE_MAX, "{} items", page.items.len());
    let ids: HashSet<&str> = page.items.iter().map(|item| item.source_id.as_str()).collect();
    assert_eq!(ids.len(), page.items.len(), "ids are not unique");
    page.items.iter().for_each(item);
}

fn item(item: &Item) {
    assert!((1..=SOURCE_ID_BYTES_MAX).contains(&item.source_id.len()), "an id of {} bytes", item.source_id.len());
    assert!(item.title.iter().all(|title| !title.is_empty() && title.chars().count() <= TITLE_CHARS_MAX));
    assert!(item.media.len() <= MEDIA_PER_ITEM_MAX && item.alternate_ids.len() <= ALTERNATE_IDS_MAX);
    for address in item.media.iter().chain(&item.links).map(|file| &file.url).chain(&item.canonical_url) {
        assert!(Url::parse(address).is_ok_and(|url| url.scheme().starts_with("http")), "{address}");
    }
    assert!(item.media.iter().all(|file| file.alt.as_deref() != Some("")));
    let warning = item.content_warning.as_deref();
    assert!(warning.is_none_or(|warning| (1..=WARNING_CHARS_MAX).contains(&warning.chars().count())));
    assert!(item.embargo_until.is_none_or(|until| item.published_at >= Some(until)), "an embargo that is not kept");
}

/// The first line: the profile. Then the request.
pub(crate) fn profiles(input: &[u8]) {
    let (first, captured) = line(input);
    let Ok(delivery) = capture::read(captured, 0) else { return };
    let names: Vec<&str> = signatures::names().collect();
    let name = *chosen(&names, first, |name| name);
    let settings = match name {
        "typo3" => json!({"profile": name, "identifier": "11111111-2222-3333-4444-555555555555"}),
        "static-header" => json!({"profile": name, "query": "key"}),
        _ => json!(name),
    };
    let profile = Profile::parse(Some(&settings), "standard").unwrap();
    let target = format!("/hooks/x?{}", delivery.query.clone().unwrap_or_default());
    let request = Signed {
        method: "POST",
        path_and_query: &target,
        headers: &delivery.headers,
        body: &delivery.body,
        remote: None,
    };
    let secrets: [Secret; 2] =
        ["heraut-test-secret".into(), "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=".into()];
    for now in [1_700_000_000_000, 0, i64::MAX, i64::MIN] {
        let answer = profile.verify(&request, &secrets, now);
        assert_eq!(answer, profile.verify(&request, &secrets, now));
        if let Err(refusal) = answer {
            assert!(!refusal.to_string().contains("heraut-test-secret"));
        }
        assert!(profile.verify(&request, &[], now).is_err(), "nobody's secret lets in");
    }
    // What an operator writes there.
    if let Ok(settings) = serde_json::from_slice(&delivery.body) {
        let _ = Profile::parse(Some(&settings), "standard");
    }
}

/// The first line: the form. Then the text.
pub(crate) fn rich(input: &[u8]) {
    let (first, rest) = line(input);
    let Ok(source) = std::str::from_utf8(rest) else { return };
    let form = *chosen(parts::RICH, first, |form| form);
    let html = parts::rich(form, source);
    assert_eq!(html, parts::rich(form, source));
    // Markdown keeps the HTML that stands in it.
    if let Some(html) = html.filter(|_| !matches!(form, "markdown" | "strapi" | "any")) {
        assert!(!html.0.contains("<script"), "markup came of text");
    }
}

/// The first line: `html`, `text` or `path`. The second: the template or the path. Then the JSON.
pub(crate) fn templates(input: &[u8]) {
    let (what, rest) = line(input);
    let (source, rest) = line(rest);
    let on: Value = serde_json::from_slice(rest).unwrap_or_default();
    if what == "path" {
        assert_eq!(parts::path(source, &on).ok(), parts::path(source, &on).ok());
    } else {
        let made = parts::template(source, &on, what == "html");
        assert_eq!(made, parts::template(source, &on, what == "html"));
    }
}
