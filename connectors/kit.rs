//! The contract suite: what every connector in [`CONNECTORS`] must hold, run over its own fixtures.
//!
//! A connector offers, in `connectors/<kind>/fixtures/`: `settings.json`, settings that it accepts; `good/`, answers that it
//! reads; `bad/`, answers that it must refuse. Forgetting them fails this suite.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use url::Url;

use crate::CONNECTORS;
use crate::contract::{Connector, ITEMS_PER_PAGE_MAX, Kind, Page, Response};
use crate::error::ConnectorError;
use crate::item::{MEDIA_PER_ITEM_MAX, SOURCE_ID_BYTES_MAX, TITLE_CHARS_MAX};

fn fixtures(kind: &dyn Kind) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(kind.name()).join("fixtures")
}

fn settings(kind: &dyn Kind) -> Value {
    serde_json::from_slice(&fs::read(fixtures(kind).join("settings.json")).unwrap()).unwrap()
}

fn documents(kind: &dyn Kind, folder: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(fixtures(kind).join(folder)).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} has no fixtures in {folder}/", kind.name());
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

fn read(connector: &dyn Connector, path: &Path, body: &[u8], received_at: i64) -> Result<Page, ConnectorError> {
    let content_type = match path.extension().and_then(|ending| ending.to_str()) {
        Some("json") => Some("application/json"),
        Some("xml") => Some("application/xml"),
        Some("html") => Some("text/html"),
        _ => None,
    };
    let url = Url::parse("https://source.example/path/feed").unwrap();
    connector.read(&Response { url, content_type: content_type.map(str::to_owned), body: body.to_vec(), received_at })
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
fn the_same_bytes_are_the_same_items_whenever_they_came() {
    for kind in CONNECTORS {
        let settings = settings(*kind);
        let (one, other) = (kind.configure(&settings).unwrap(), kind.configure(&settings).unwrap());
        for (path, body) in documents(*kind, "good") {
            let first = read(&*one, &path, &body, 0).unwrap_or_else(|problem| panic!("{}: {problem}", path.display()));
            let second = read(&*other, &path, &body, 1_800_000_000_000).unwrap();
            assert_eq!(first, second, "{}", path.display());
        }
    }
}

#[test]
fn items_keep_what_their_types_promise() {
    for kind in CONNECTORS {
        let connector = kind.configure(&settings(*kind)).unwrap();
        for (path, body) in documents(*kind, "good") {
            let page = read(&*connector, &path, &body, 0).unwrap();
            let ids: HashSet<&str> = page.items.iter().map(|item| item.source_id.as_str()).collect();
            assert_eq!(ids.len(), page.items.len(), "{}: ids are not unique", path.display());
            assert!(page.items.len() <= ITEMS_PER_PAGE_MAX);
            for item in &page.items {
                let id = item.source_id.len();
                assert!(id > 0 && id <= SOURCE_ID_BYTES_MAX, "{}: {}", path.display(), item.source_id);
                assert!(item.title.iter().all(|title| !title.is_empty() && title.chars().count() <= TITLE_CHARS_MAX));
                assert!(item.media.len() <= MEDIA_PER_ITEM_MAX);
                let addresses = item.media.iter().chain(&item.links).map(|file| &file.url).chain(&item.canonical_url);
                for address in addresses {
                    assert!(Url::parse(address).is_ok_and(|url| url.scheme().starts_with("http")), "{address}");
                }
                assert!(item.media.iter().all(|file| file.alt.as_deref() != Some("")));
            }
        }
    }
}

#[test]
fn malformed_answers_are_errors_and_never_a_panic() {
    for kind in CONNECTORS {
        let connector = kind.configure(&settings(*kind)).unwrap();
        assert_eq!(read(&*connector, Path::new("empty"), b"", 0), Err(ConnectorError::Empty), "{}", kind.name());
        for (path, body) in documents(*kind, "bad") {
            let answer = read(&*connector, &path, &body, 0);
            let problem = answer.expect_err(&format!("{} is taken for a page", path.display()));
            assert!(!problem.to_string().is_empty());
        }
    }
}

#[test]
fn an_answer_cut_short_is_never_an_empty_page() {
    for kind in CONNECTORS {
        let connector = kind.configure(&settings(*kind)).unwrap();
        for (path, body) in documents(*kind, "good") {
            let whole = read(&*connector, &path, &body, 0).unwrap();
            for part in 1..8 {
                let cut = read(&*connector, &path, &body[..body.len() * part / 8], 0);
                assert!(cut.is_err() || whole.items.is_empty(), "{} cut at {part}/8", path.display());
            }
        }
    }
}
