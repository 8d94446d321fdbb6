//! What the tests of the presets share: deliveries made by hand, what came of them in a word, and all fixtures as one snapshot.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};
use url::Url;

use crate::capture;
use crate::contract::{Connector, Delivery, Kind, Page, Request, Response, Told};
use crate::error::ConnectorError;
use crate::item::{Action, Item};

/// The connector of a kind with the settings of its fixtures.
pub(crate) fn connector(kind: &dyn Kind) -> Box<dyn Connector> {
    kind.configure(&settings(kind)).unwrap()
}

/// The settings of its fixtures.
pub(crate) fn settings(kind: &dyn Kind) -> Value {
    serde_json::from_slice(&fs::read(folder(kind).join("settings.json")).unwrap()).unwrap()
}

fn folder(kind: &dyn Kind) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(kind.name()).join("fixtures")
}

/// A request with those headers and that body.
pub(crate) fn delivery(headers: &[(&str, &str)], body: &Value) -> Delivery {
    let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let headers = headers.chain([("content-type".to_owned(), "application/json".to_owned())]);
    Delivery { headers: headers.collect(), body: body.to_string().into_bytes(), ..Delivery::default() }
}

/// A delivery among the good fixtures.
pub(crate) fn captured(kind: &dyn Kind, name: &str) -> Delivery {
    let path = folder(kind).join("good").join(format!("{name}.delivery.json"));
    capture::read(&fs::read(path).unwrap(), 0).unwrap()
}

/// An answer to a request.
pub(crate) fn answer(connector: &dyn Connector, to: &Request, body: &[u8]) -> Result<Page, ConnectorError> {
    let (url, about) = (to.url.clone(), to.about.clone());
    connector.read(&Response { url, content_type: None, body: body.to_vec(), received_at: 0, about })
}

/// What came of a request, in a word.
pub(crate) fn word(told: Result<Told, ConnectorError>) -> &'static str {
    match told {
        Err(_) => "error",
        Ok(Told::Ignored { .. }) => "ignored",
        Ok(Told::Fetch { page, .. }) if page.items.is_empty() => "fetch",
        Ok(Told::Fetch { .. }) => "fetch and more",
        Ok(Told::Page(page)) if page.items.is_empty() => "nothing",
        Ok(Told::Page(page)) if page.items.iter().all(|item| item.action == Action::Retract) => "retract",
        Ok(Told::Page(_)) => "publish",
    }
}

/// The one item that a request said.
pub(crate) fn item(told: Result<Told, ConnectorError>) -> Item {
    match told {
        Ok(Told::Page(Page { items, .. })) if items.len() == 1 => items.into_iter().next().unwrap(),
        other => panic!("{other:?}"),
    }
}

/// The requests that it asks for.
pub(crate) fn requests(told: Result<Told, ConnectorError>) -> Vec<Request> {
    match told {
        Ok(Told::Fetch { requests, .. }) => requests,
        other => panic!("{other:?}"),
    }
}

/// What came of all good fixtures.
pub(crate) fn outcomes(kind: &dyn Kind) -> Value {
    let connector = connector(kind);
    let mut paths: Vec<_> =
        fs::read_dir(folder(kind).join("good")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let mut all = serde_json::Map::new();
    for path in paths {
        let (name, bytes) = (path.file_name().unwrap().to_str().unwrap(), fs::read(&path).unwrap());
        let outcome = if name.ends_with(".delivery.json") {
            match connector.receive(&capture::read(&bytes, 0).unwrap()).unwrap() {
                Told::Page(page) => json!({ "page": shown(&page) }),
                Told::Fetch { requests, page } => {
                    json!({ "fetch": requests.iter().map(request).collect::<Vec<_>>(), "page": shown(&page) })
                }
                Told::Ignored { why } => json!({ "ignored": why }),
            }
        } else {
            let url = Url::parse("https://source.example/path/feed").unwrap();
            let answer = Response { url, content_type: None, body: bytes, received_at: 0, about: None };
            let page = connector.read(&answer).unwrap();
            json!({ "page": shown(&page), "next": page.next.as_ref().map(request) })
        };
        all.insert(name.to_owned(), outcome);
    }
    all.insert("list".to_owned(), connector.request().as_ref().map_or(Value::Null, request));
    Value::Object(all)
}

fn shown(page: &Page) -> Value {
    json!({ "items": page.items, "warnings": page.warnings })
}

fn request(of: &Request) -> Value {
    let names =
        |all: &[(String, crate::contract::Secret)]| all.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    json!({ "url": of.url.as_str(), "headers": names(&of.headers), "hidden": names(&of.query), "about": of.about })
}

/// Arbitrary bytes, and its own good fixtures with one value replaced, never make it panic.
pub(crate) fn never_panics(kind: &dyn Kind, headers: &[(&str, &[&str])]) {
    let connector = connector(kind);
    let all = |body: Vec<u8>, picks: &[usize]| {
        let pick = |(at, (name, values)): (usize, &(&str, &[&str]))| {
            let at = picks.get(at).copied().unwrap_or_default();
            Some(((*name).to_owned(), (*values.get(at % values.len().max(1))?).to_owned()))
        };
        let headers: Vec<_> = headers.iter().enumerate().filter_map(pick).collect();
        let _ = connector.receive(&Delivery { headers, body: body.clone(), ..Delivery::default() });
        let url = Url::parse("https://source.example/items?page=1").unwrap();
        let _ =
            connector.read(&Response { url, content_type: None, body, received_at: 0, about: Some("x".to_owned()) });
    };
    let picks = || proptest::collection::vec(0_usize..20, headers.len());
    proptest!(ProptestConfig::with_cases(128), |(body in proptest::collection::vec(any::<u8>(), 0..300), picks in picks())| {
        all(body, &picks);
    });
    let good: Vec<Value> = fs::read_dir(folder(kind).join("good"))
        .unwrap()
        .filter_map(|entry| {
            let value: Value = serde_json::from_slice(&fs::read(entry.unwrap().path()).unwrap()).ok()?;
            Some(value.get("body").cloned().unwrap_or(value))
        })
        .collect();
    let junk = || {
        prop_oneof![
            Just(json!(null)),
            any::<i64>().prop_map(|n| json!(n)),
            ".{0,20}".prop_map(|text| json!(text)),
            Just(json!([])),
            Just(json!({})),
            Just(json!([[{"sys": 1}]])),
            Just(json!("//[")),
            Just(json!(true)),
        ]
    };
    proptest!(ProptestConfig::with_cases(256), |(which in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), junk in junk(), picks in picks())| {
        let mut value = good[which.index(good.len())].clone();
        let mut paths = Vec::new();
        walk(&value, String::new(), &mut paths);
        if let Some(spot) = value.pointer_mut(&paths[at.index(paths.len())]) {
            *spot = junk;
        }
        all(value.to_string().into_bytes(), &picks);
    });
}

fn walk(value: &Value, at: String, paths: &mut Vec<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, inner)| {
            walk(inner, format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), paths);
        }),
        Value::Array(list) => list.iter().enumerate().for_each(|(n, inner)| walk(inner, format!("{at}/{n}"), paths)),
        _ => {}
    }
    paths.push(at);
}
