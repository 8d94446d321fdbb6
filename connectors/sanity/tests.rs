//! What Sanity's operations mean, and what is read of its documents.

use serde_json::json;

use super::*;
use crate::item::Action;
use crate::trial;

const HEADERS: &[(&str, &str)] = &[("sanity-operation", "update"), ("sanity-transaction-time", "2026-11-21T09:00:00Z")];

fn told(headers: &[(&str, &str)], change: fn(&mut Value)) -> Result<Told, ConnectorError> {
    let mut document: Value = serde_json::from_slice(&trial::captured(&Sanity, "created").body).unwrap();
    change(&mut document);
    trial::connector(&Sanity).receive(&trial::delivery(headers, &document))
}

#[test]
fn its_fixtures_are_read_as_before() {
    insta::assert_json_snapshot!("fixtures", trial::outcomes(&Sanity));
}

#[test]
fn each_operation_has_its_meaning() {
    for (operation, wanted) in
        [("create", "publish"), ("update", "publish"), ("delete", "retract"), ("noop", "ignored")]
    {
        assert_eq!(trial::word(told(&[("sanity-operation", operation)], |_| ())), wanted, "{operation}");
    }
    assert_eq!(trial::word(told(&[], |_| ())), "error");
}

#[test]
fn drafts_versions_and_others_are_ignored() {
    let word = |change: fn(&mut Value)| trial::word(told(HEADERS, change));
    assert_eq!(word(|document| document["_id"] = json!("drafts.brug-1")), "ignored");
    assert_eq!(word(|document| document["_id"] = json!("versions.r1.brug-1")), "ignored");
    assert_eq!(word(|document| document["_type"] = json!("pagina")), "ignored");
    assert_eq!(word(|document| document["_type"] = json!(null)), "publish");
    assert_eq!(trial::word(told(&[("sanity-operation", "create"), ("sanity-dataset", "test")], |_| ())), "ignored");
}

#[test]
fn unpublishing_withdraws_the_item_that_was_published() {
    let published = trial::item(told(HEADERS, |_| ()));
    let gone = trial::item(told(&[("sanity-operation", "delete"), HEADERS[1]], |_| ()));
    assert_eq!((&gone.source_id, gone.action), (&published.source_id, Action::Retract));
    assert!(gone.source_version > published.source_version);
    // A projection may leave all out.
    let named = [("sanity-operation", "delete"), ("sanity-document-id", "brug-1")];
    assert_eq!(trial::item(told(&named, |document| *document = json!({}))).source_id, "brug-1");
}

#[test]
fn references_to_files_become_addresses_and_nothing_else_does() {
    let image = |reference: &'static str| {
        let mut document: Value = serde_json::from_slice(&trial::captured(&Sanity, "created").body).unwrap();
        document["afbeelding"] = json!({"asset": {"_ref": reference}});
        let item = trial::item(trial::connector(&Sanity).receive(&trial::delivery(HEADERS, &document)));
        item.media.into_iter().chain(item.links).next().map(|file| file.url)
    };
    assert_eq!(
        image("image-abc-10x20-png").as_deref(),
        Some("https://cdn.sanity.io/images/stadstest1/production/abc-10x20.png")
    );
    assert_eq!(image("file-abc-pdf").as_deref(), Some("https://cdn.sanity.io/files/stadstest1/production/abc.pdf"));
    for odd in ["image-../../x-10x20-png", "image-abc", "", "x-y-z"] {
        assert_eq!(image(odd), None, "{odd}");
    }
}

#[test]
fn the_list_goes_on_until_a_page_is_not_full() {
    let connector = trial::connector(&Sanity);
    let document: Value = serde_json::from_slice(&trial::captured(&Sanity, "created").body).unwrap();
    let list = |to: &Request, n: usize| {
        trial::answer(&*connector, to, json!({"result": vec![document.clone(); n]}).to_string().as_bytes()).unwrap()
    };
    let first = connector.request().unwrap();
    let second = list(&first, PER_PAGE).next.unwrap();
    assert!(second.url.as_str().contains("100...200"), "{}", second.url);
    assert!(list(&second, PER_PAGE).next.unwrap().url.as_str().contains("200...300"));
    assert!(list(&second, PER_PAGE - 1).next.is_none());
}

#[test]
fn settings_that_are_wrong_are_refused_by_key() {
    for (key, value) in
        [("project", json!("a/b")), ("dataset", json!("../x")), ("projection", json!("_id")), ("token", json!(1))]
    {
        let mut settings = trial::settings(&Sanity);
        settings[key] = value;
        let Err(ConnectorError::Settings { key: named, .. }) = Sanity.configure(&settings).map(|_| ()) else {
            panic!("{key}")
        };
        assert_eq!(named, key);
    }
}

#[test]
fn nothing_that_comes_in_panics() {
    trial::never_panics(&Sanity, &[("sanity-operation", &["create", "delete", "update", "x"])]);
}
