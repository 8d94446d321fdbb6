//! What TYPO3 says, and where each limit stands.

use serde_json::json;

use super::*;
use crate::trial;

fn plain() -> Box<dyn Connector> {
    Typo3.configure(&json!({})).unwrap()
}

#[test]
fn what_came_of_every_fixture() {
    insta::assert_json_snapshot!(trial::outcomes(&Typo3));
}

#[test]
fn every_message_is_published_retracted_or_ignored() {
    let table = [
        ("published", json!({"hidden": 0}), json!(["hidden"]), "publish"),
        ("published", json!({}), json!([]), "publish"),
        ("published", json!({"fe_group": "3"}), json!([]), "ignored"),
        ("published", json!({"fe_group": "-1"}), json!([]), "publish"),
        ("new", json!({"hidden": 0}), json!([]), "publish"),
        ("new", json!({"hidden": 1}), json!([]), "ignored"),
        ("new", json!({}), json!([]), "ignored"),
        ("new", json!({"hidden": 0, "doktype": 254}), json!([]), "ignored"),
        ("modified", json!({"hidden": 0}), json!(["title"]), "publish"),
        ("modified", json!({"hidden": 1}), json!(["title"]), "ignored"),
        ("modified", json!({"hidden": 1}), json!(["hidden"]), "retract"),
        ("modified", json!({"hidden": 1}), json!({"hidden": 1}), "retract"),
        ("modified", json!({"hidden": 0, "fe_group": "2"}), json!(["fe_group"]), "retract"),
        ("modified", json!({"deleted": 1}), json!([]), "retract"),
        ("unpublished", json!({"hidden": 1}), json!(["hidden"]), "retract"),
        ("moved", json!({"hidden": 0}), json!([]), "ignored"),
    ];
    for (action, mut record, changed, wanted) in table {
        record["title"] = json!("x");
        let body = json!({"action": action, "identifier": 17, "site": "main", "workspace": 0, "record": record, "changedFields": changed});
        assert_eq!(trial::word(plain().receive(&trial::delivery(&[], &body))), wanted, "{body}");
        let mut elsewhere = body.clone();
        elsewhere["workspace"] = json!(3);
        assert_eq!(trial::word(plain().receive(&trial::delivery(&[], &elsewhere))), "ignored", "{elsewhere}");
    }
}

#[test]
fn other_sites_and_languages_are_left_out_where_they_are_named() {
    let connector = trial::connector(&Typo3);
    let told = |site: &str, uid: i64| {
        let record = json!({"title": "x", "sys_language_uid": uid});
        let body = json!({"action": "published", "identifier": 17, "site": site, "record": record});
        connector.receive(&trial::delivery(&[], &body))
    };
    assert_eq!(trial::item(told("main", 1)).language.as_deref(), Some("en-GB"));
    assert_eq!((trial::word(told("intranet", 0)), trial::word(told("main", 2))), ("ignored", "ignored"));
}

#[test]
fn settings_and_names_at_the_limit_are_taken_and_beyond_it_not() {
    let languages = |n: usize| {
        let table: serde_json::Map<String, Value> = (0..n).map(|uid| (uid.to_string(), json!("nl"))).collect();
        Typo3.configure(&json!({"languages": table}))
    };
    assert!(languages(LANGUAGES_MAX).is_ok() && languages(LANGUAGES_MAX + 1).is_err());
    for wrong in
        [json!({"languages": {"nl": "0"}}), json!({"languages": {"0": "Nederlands"}}), json!({"languages": ["nl"]})]
    {
        let Err(ConnectorError::Settings { key, .. }) = Typo3.configure(&wrong).map(|_| ()) else { panic!("{wrong}") };
        assert_eq!(key, "languages");
    }
    let site = |n: usize| {
        let body = json!({"action": "published", "identifier": 1, "site": "s".repeat(n), "record": {"title": "x"}});
        plain().receive(&trial::delivery(&[], &body))
    };
    assert!(site(SITE_BYTES_MAX).is_ok() && site(SITE_BYTES_MAX + 1).is_err());
}

#[test]
fn nothing_that_comes_in_panics() {
    trial::never_panics(&Typo3, &[]);
}
