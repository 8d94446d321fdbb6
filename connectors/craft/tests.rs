//! What the events of Craft mean, and what is read of its entries.

use serde_json::json;

use super::*;
use crate::item::Action;
use crate::trial;

fn told(change: fn(&mut Value)) -> Result<Told, ConnectorError> {
    let mut body: Value = serde_json::from_slice(&trial::captured(&Craft, "saved").body).unwrap();
    change(&mut body);
    trial::connector(&Craft).receive(&trial::delivery(&[], &body))
}

#[test]
fn its_fixtures_are_read_as_before() {
    insta::assert_json_snapshot!("fixtures", trial::outcomes(&Craft));
}

#[test]
fn each_event_and_status_has_its_meaning() {
    for (change, wanted) in [
        ((|_| ()) as fn(&mut Value), "publish"),
        (|body| body["name"] = json!("afterSave"), "publish"),
        (|body| body["name"] = json!("afterRestore"), "publish"),
        (|body| body["name"] = json!("afterDelete"), "retract"),
        (|body| body["name"] = json!("beforeSave"), "ignored"),
        (|body| body["name"] = json!(null), "error"),
        (|body| body["sender"]["status"] = json!("disabled"), "retract"),
        (|body| body["sender"]["status"] = json!("expired"), "retract"),
        (|body| body["sender"]["enabled"] = json!(false), "retract"),
        (|body| body["sender"]["status"] = json!(null), "error"),
        (|body| body["sender"]["draftId"] = json!(7), "ignored"),
        (|body| body["sender"]["revisionId"] = json!(7), "ignored"),
        (|body| body["sender"]["isProvisionalDraft"] = json!(true), "ignored"),
        (|body| body["sender"]["isProvisionalDraft"] = json!(false), "publish"),
        (|body| body["sender"]["siteId"] = json!(2), "ignored"),
        (|body| body["sender"]["section"]["handle"] = json!("paginas"), "ignored"),
        (|body| body["senderClass"] = json!("craft\\elements\\User"), "ignored"),
        (|body| body["sender"] = json!({}), "error"),
    ] {
        let mut body = json!({"sender": {"section": {}}});
        change(&mut body);
        assert_eq!(trial::word(told(change)), wanted, "{body}");
    }
}

#[test]
fn a_withdrawal_names_the_item_that_was_published() {
    let (published, gone) = (trial::item(told(|_| ())), trial::item(told(|body| body["name"] = json!("afterDelete"))));
    assert_eq!((&gone.source_id, gone.action), (&published.source_id, Action::Retract));
}

#[test]
fn a_pending_entry_waits_for_its_date_and_without_one_is_refused() {
    let pending = trial::item(told(|body| {
        body["sender"]["status"] = json!("pending");
        body["sender"]["postDate"] = json!("2030-01-01T06:00:00+01:00");
    }));
    assert_eq!(pending.published_at, Some(1_893_474_000_000));
    let undated = told(|body| {
        body["sender"]["status"] = json!("pending");
        body["sender"]["postDate"] = json!("binnenkort");
    });
    assert_eq!(trial::word(undated), "error");
}

#[test]
fn references_become_the_address_in_them() {
    for (text, wanted) in [
        ("<a href=\"{entry:12@1:url||https://a.example/b}\">b</a>", "<a href=\"https://a.example/b\">b</a>"),
        ("{asset:7:url}", ""),
        ("{niets} {", "{niets} {"),
        ("{entry:", "{entry:"),
    ] {
        assert_eq!(resolved(text), wanted);
    }
    let long = |n: usize| format!("{{entry:{}}}", "x".repeat(n - 8));
    assert_eq!(resolved(&long(2_048)), "");
    assert_eq!(resolved(&long(2_049)), long(2_049));
}

#[test]
fn the_list_goes_on_on_the_same_host_alone() {
    let connector = trial::connector(&Craft);
    let next = |url: &str| {
        let answer = json!({"data": [], "meta": {"pagination": {"links": {"next": url}}}}).to_string();
        trial::answer(&*connector, &connector.request().unwrap(), answer.as_bytes()).unwrap().next
    };
    assert_eq!(next("?page=2").unwrap().url.as_str(), "https://www.voorbeeldstad.example/api/nieuws.json?page=2");
    assert!(next("https://elsewhere.example/?page=2").is_none());
}

#[test]
fn settings_that_are_wrong_are_refused_by_key() {
    for (key, value) in [("site", json!(null)), ("site_id", json!("1")), ("list", json!("x"))] {
        let mut settings = trial::settings(&Craft);
        settings[key] = value;
        let Err(ConnectorError::Settings { key: named, .. }) = Craft.configure(&settings).map(|_| ()) else {
            panic!("{key}")
        };
        assert_eq!(named, key);
    }
}

#[test]
fn nothing_that_comes_in_panics() {
    trial::never_panics(&Craft, &[]);
}
