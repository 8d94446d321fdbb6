//! The contract suite: what every connector in [`CONNECTORS`] must hold, run over its own fixtures.
//!
//! A connector offers, in `connectors/<kind>/fixtures/`: `settings.json`, settings that it accepts; `good/`, answers that it
//! reads; `bad/`, answers that it must refuse. Forgetting them fails this suite. A file that ends in `.delivery.json` is a
//! captured request ([`crate::capture`]) and goes to `receive`, all others go to `read`. A kind that is pushed has both good and
//! bad deliveries.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use url::Url;

use crate::contract::{Connector, Delivery, ITEMS_PER_PAGE_MAX, Kind, Page, REQUESTS_PER_DELIVERY_MAX, Response, Told};
use crate::error::ConnectorError;
use crate::item::{Item, MEDIA_PER_ITEM_MAX, SOURCE_ID_BYTES_MAX, TITLE_CHARS_MAX, WARNING_CHARS_MAX};
use crate::{CONNECTORS, capture, profiles};

fn fixtures(kind: &dyn Kind) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(kind.name()).join("fixtures")
}

fn settings(kind: &dyn Kind) -> Value {
    serde_json::from_slice(&fs::read(fixtures(kind).join("settings.json")).unwrap()).unwrap()
}

/// What a fixture is.
enum Fixture {
    Document(Vec<u8>),
    Delivery(Delivery),
}

/// What came of one.
#[derive(Debug, PartialEq)]
enum Read {
    Page(Page),
    Told(Told),
}

impl Read {
    fn items(&self) -> &[Item] {
        match self {
            Self::Page(page) | Self::Told(Told::Page(page) | Told::Fetch { page, .. }) => &page.items,
            Self::Told(Told::Ignored { .. }) => &[],
        }
    }
}

fn is_delivery(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.ends_with(".delivery.json"))
}

fn all(kind: &dyn Kind, folder: &str) -> Vec<(PathBuf, Fixture)> {
    let entries = fs::read_dir(fixtures(kind).join(folder)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} has no fixtures in {folder}/", kind.name());
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).unwrap();
        let fixture = if is_delivery(&path) {
            Fixture::Delivery(capture::read(&bytes, 0).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
        } else {
            Fixture::Document(bytes)
        };
        (path, fixture)
    };
    paths.into_iter().map(read).collect()
}

fn take(connector: &dyn Connector, path: &Path, fixture: &Fixture, at: i64) -> Result<Read, ConnectorError> {
    match fixture {
        Fixture::Document(body) => read(connector, path, body, at).map(Read::Page),
        Fixture::Delivery(delivery) => {
            connector.receive(&Delivery { received_at: at, ..delivery.clone() }).map(Read::Told)
        }
    }
}

/// The same fixture with only a part of its body.
fn cut(fixture: &Fixture, part: usize) -> Fixture {
    let shorter = |body: &[u8]| body[..body.len() * part / 8].to_vec();
    match fixture {
        Fixture::Document(body) => Fixture::Document(shorter(body)),
        Fixture::Delivery(delivery) => {
            Fixture::Delivery(Delivery { body: shorter(&delivery.body), ..delivery.clone() })
        }
    }
}

fn read(connector: &dyn Connector, path: &Path, body: &[u8], received_at: i64) -> Result<Page, ConnectorError> {
    let content_type = match path.extension().and_then(|ending| ending.to_str()) {
        Some("json") => Some("application/json"),
        Some("xml") => Some("application/xml"),
        Some("html") => Some("text/html"),
        _ => None,
    };
    let url = Url::parse("https://source.example/path/feed").unwrap();
    connector.read(&Response {
        url,
        content_type: content_type.map(str::to_owned),
        body: body.to_vec(),
        received_at,
        about: None,
    })
}

#[test]
fn kind_names_are_lower_case_and_unique() {
    let names: HashSet<&str> = CONNECTORS.iter().map(|kind| kind.name()).collect();
    assert_eq!(names.len(), CONNECTORS.len());
    assert!(names.iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-' || b.is_ascii_digit())));
}

#[test]
fn unknown_settings_are_refused_by_name() {
    for kind in CONNECTORS {
        let mut settings = settings(*kind);
        kind.configure(&settings).unwrap();
        settings["no_such_setting"] = json!(1);
        let Err(ConnectorError::Settings { key, .. }) = kind.configure(&settings) else {
            panic!("{} takes an unknown setting", kind.name());
        };
        assert!(key.contains("no_such_setting"), "{}: {key}", kind.name());
        for settings in [json!(null), json!([]), json!("text"), json!(1)] {
            let refused = kind.configure(&settings);
            assert!(matches!(refused, Err(ConnectorError::Settings { .. })), "{}: {settings}", kind.name());
        }
    }
}

#[test]
fn a_kind_that_is_pushed_has_a_profile_and_deliveries() {
    for kind in CONNECTORS {
        let connector = kind.configure(&settings(*kind)).unwrap();
        let pushed = |folder| all(*kind, folder).iter().any(|(path, _)| is_delivery(path));
        match kind.profile() {
            Some(profile) => {
                assert!(profiles::names().any(|name| name == profile), "{}: {profile}", kind.name());
                assert!(pushed("good") && pushed("bad"), "{}: a `.delivery.json` is missing", kind.name());
                let empty = connector.receive(&Delivery::default());
                assert!(empty.is_err(), "{}: an empty request is {empty:?}", kind.name());
            }
            None if kind.takes_tokens() => {
                assert!(pushed("good") && pushed("bad"), "{}: a `.delivery.json` is missing", kind.name());
                assert!(connector.receive(&Delivery::default()).is_err() && connector.request().is_none());
            }
            None => {
                assert!(!pushed("good") && !pushed("bad"), "{} has deliveries and no profile", kind.name());
                assert_eq!(connector.receive(&Delivery::default()), Err(ConnectorError::NotPushed));
            }
        }
    }
}

#[test]
fn the_same_bytes_are_the_same_items_whenever_they_came() {
    for kind in CONNECTORS {
        let settings = settings(*kind);
        let (one, other) = (kind.configure(&settings).unwrap(), kind.configure(&settings).unwrap());
        for (path, fixture) in all(*kind, "good") {
            let first =
                take(&*one, &path, &fixture, 0).unwrap_or_else(|problem| panic!("{}: {problem}", path.display()));
            let second = take(&*other, &path, &fixture, 1_800_000_000_000).unwrap();
            assert_eq!(first, second, "{}", path.display());
        }
    }
}

#[test]
fn items_keep_what_their_types_promise() {
    for kind in CONNECTORS {
        let connector = kind.configure(&settings(*kind)).unwrap();
        for (path, fixture) in all(*kind, "good") {
            let read = take(&*connector, &path, &fixture, 0).unwrap();
            let items = read.items();
            let ids: HashSet<&str> = items.iter().map(|item| item.source_id.as_str()).collect();
            assert_eq!(ids.len(), items.len(), "{}: ids are not unique", path.display());
            assert!(items.len() <= ITEMS_PER_PAGE_MAX);
            for item in items {
                holds(item, &path);
            }
            if let Read::Told(Told::Fetch { requests, .. }) = &read {
                assert!(!requests.is_empty() && requests.len() <= REQUESTS_PER_DELIVERY_MAX, "{}", path.display());
                assert!(requests.iter().all(|r| r.url.scheme().starts_with("http")), "{}", path.display());
            }
        }
    }
}

fn holds(item: &Item, path: &Path) {
    let id = item.source_id.len();
    assert!(id > 0 && id <= SOURCE_ID_BYTES_MAX, "{}: {}", path.display(), item.source_id);
    assert!(item.title.iter().all(|title| !title.is_empty() && title.chars().count() <= TITLE_CHARS_MAX));
    assert!(item.media.len() <= MEDIA_PER_ITEM_MAX);
    let addresses = item.media.iter().chain(&item.links).map(|file| &file.url).chain(&item.canonical_url);
    for address in addresses {
        assert!(Url::parse(address).is_ok_and(|url| url.scheme().starts_with("http")), "{address}");
    }
    assert!(item.media.iter().all(|file| file.alt.as_deref() != Some("")));
    let warning = item.content_warning.as_deref();
    assert!(warning.is_none_or(|warning| (1..=WARNING_CHARS_MAX).contains(&warning.chars().count())));
}

#[test]
fn a_content_warning_comes_only_from_a_field_that_is_one() {
    for kind in CONNECTORS {
        let connector = kind.configure(&settings(*kind)).unwrap();
        let named = settings(*kind).to_string().contains("content_warning");
        for (path, fixture) in all(*kind, "good") {
            let text = fs::read_to_string(&path).unwrap_or_default().to_lowercase();
            let says = named || text.contains("contentwarning") || text.contains("inhoudswaarschuwing");
            for item in take(&*connector, &path, &fixture, 0).unwrap().items() {
                assert!(says || item.content_warning.is_none(), "{}: {item:?}", path.display());
            }
        }
    }
}

#[test]
fn malformed_answers_are_errors_and_never_a_panic() {
    for kind in CONNECTORS {
        let connector = kind.configure(&settings(*kind)).unwrap();
        assert_eq!(read(&*connector, Path::new("empty"), b"", 0), Err(ConnectorError::Empty), "{}", kind.name());
        for (path, fixture) in all(*kind, "bad") {
            let answer = take(&*connector, &path, &fixture, 0);
            let problem = answer.expect_err(&format!("{} is taken for a page", path.display()));
            assert!(!problem.to_string().is_empty());
        }
    }
}

#[test]
fn an_answer_cut_short_is_never_an_empty_page() {
    for kind in CONNECTORS {
        let connector = kind.configure(&settings(*kind)).unwrap();
        for (path, fixture) in all(*kind, "good") {
            // A form has no end of its own; HTTP says how long it is.
            if matches!(&fixture, Fixture::Delivery(d) if d.media_type().is_some_and(|kind| kind.ends_with("urlencoded")))
            {
                continue;
            }
            let whole = take(&*connector, &path, &fixture, 0).unwrap();
            for part in 1..8 {
                let cut = take(&*connector, &path, &cut(&fixture, part), 0);
                assert!(cut.is_err() || whole.items().is_empty(), "{} cut at {part}/8", path.display());
            }
        }
    }
}
