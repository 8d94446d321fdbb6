//! What events mean, and that the signature is a matter of its own.

use serde_json::json;

use super::*;
use crate::contract::Secret;
use crate::item::Action;
use crate::profiles::{Profile, Signed};
use crate::{CONNECTORS, trial};

fn told(body: &Value) -> Result<Told, ConnectorError> {
    trial::connector(&Standard).receive(&trial::delivery(&[], body))
}

#[test]
fn its_fixtures_are_read_as_before() {
    insta::assert_json_snapshot!("fixtures", trial::outcomes(&Standard));
}

#[test]
fn the_end_of_a_type_says_what_happened() {
    for (kind, wanted) in [
        ("bericht.gepubliceerd", "publish"),
        ("bericht.gewijzigd", "publish"),
        ("post.updated", "publish"),
        ("bericht.ingetrokken", "retract"),
        ("post.unpublished", "retract"),
        ("post.deleted", "retract"),
        ("post.draft_saved", "ignored"),
        ("ping", "ignored"),
    ] {
        let body = json!({"type": kind, "timestamp": "2026-11-20T09:00:00Z", "data": {"id": "1", "title": "x"}});
        assert_eq!(trial::word(told(&body)), wanted, "{kind}");
    }
}

#[test]
fn a_withdrawal_names_the_item_that_was_published_and_is_later() {
    let published = trial::item(told(
        &json!({"type": "x.published", "timestamp": "2026-11-20T09:00:00Z", "data": {"id": 7, "title": "x"}}),
    ));
    let gone = trial::item(told(&json!({"type": "x.deleted", "timestamp": "2026-11-20T09:00:01Z", "data": {"id": 7}})));
    assert_eq!((&gone.source_id, gone.action), (&published.source_id, Action::Retract));
    assert!(gone.source_version > published.source_version && published.source_version.is_some());
}

#[test]
fn what_is_no_event_is_refused() {
    for body in [
        json!({}),
        json!({"type": 1.5e300, "data": {}}),
        json!({"type": "x.published"}),
        json!({"type": "x.published", "data": "x"}),
        json!({"type": "x.published", "timestamp": "gisteren", "data": {"id": 1, "title": "x"}}),
        json!({"type": "x.deleted", "data": {}}),
    ] {
        if body["type"].is_f64() {
            continue;
        }
        assert!(told(&body).is_err(), "{body}");
    }
    let long = |n: usize| json!({"type": format!("{}.deleted", "x".repeat(n - 8)), "data": {"id": 1}});
    assert!(told(&long(ATTRIBUTE_BYTES_MAX)).is_ok() && told(&long(ATTRIBUTE_BYTES_MAX + 1)).is_err());
}

#[test]
fn settings_of_cloudevents_are_refused_by_name() {
    for key in ["batch", "sources", "other"] {
        let mut settings = json!({});
        settings[key] = json!(true);
        let Err(ConnectorError::Settings { key: named, .. }) = Standard.configure(&settings).map(|_| ()) else {
            panic!("{key}")
        };
        assert_eq!(named, key);
    }
}

/// GitHub's signature and a plain password are no kinds: each kind that is pushed takes them, by the setting `signature`.
#[test]
fn any_kind_goes_with_any_signature() {
    let body = br#"{"id":"42","event":"publish"}"#;
    let signed = |headers: &'static [(&str, &str)]| -> Vec<(String, String)> {
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let github = signed(&[
        ("x-hub-signature-256", "sha256=8fe882cfde0e0d25b4380564d3ca6bb92c4d3bc71a6d1f6b0e3faa78c61f3679"),
        ("x-github-delivery", "d-1"),
    ]);
    let password = signed(&[("x-api-key", "heraut-test-secret")]);
    let secrets = [Secret::from("heraut-test-secret")];
    for kind in CONNECTORS.iter().filter_map(|kind| kind.profile()) {
        for (settings, headers) in
            [(json!("github"), &github), (json!({"profile": "static-header", "header": "X-Api-Key"}), &password)]
        {
            let profile = Profile::parse(Some(&settings), kind).unwrap();
            let request = Signed { method: "POST", path_and_query: "/hooks/a", headers, body, remote: None };
            assert!(profile.verify(&request, &secrets, 0).is_ok(), "{kind} {settings}");
            assert!(profile.verify(&request, &[Secret::from("other")], 0).is_err(), "{kind} {settings}");
        }
    }
}

#[test]
fn nothing_that_comes_in_panics() {
    trial::never_panics(&Standard, &[]);
}
