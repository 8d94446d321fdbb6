//! What warnings come to, and where each limit stands.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::item::Action;

fn connector(settings: Value) -> Box<dyn Connector> {
    let mut all = json!({"url": "https://waarschuwing.example/nederland.atom"});
    for (key, value) in settings.as_object().unwrap() {
        all[key] = value.clone();
    }
    Cap.configure(&all).unwrap()
}

fn read(settings: Value, body: &[u8]) -> Result<Page, ConnectorError> {
    let url = Url::parse("https://waarschuwing.example/nederland.atom").unwrap();
    connector(settings).read(&Response { url, content_type: None, body: body.to_vec(), received_at: 0, about: None })
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("cap/fixtures/good").join(name)).unwrap()
}

/// `id kind` of each item, with its title.
fn short(page: &Page) -> Vec<String> {
    let one = |item: &Item| match item.action {
        Action::Publish => format!("{} {}", item.source_id, item.title.as_deref().unwrap_or("-")),
        Action::Retract => format!("{} withdrawn", item.source_id),
    };
    page.items.iter().map(one).collect()
}

fn message(id: &str, kind: &str, sent: u8, references: &[&str]) -> String {
    let references: Vec<String> = references.iter().map(|id| format!("w,{id},2026-11-19T00:00:00Z")).collect();
    format!(
        "<alert><identifier>{id}</identifier><sent>2026-11-20T{sent:02}:00:00Z</sent><status>Actual</status>\
         <msgType>{kind}</msgType><references>{}</references><info><language>nl</language><event>{id}</event>\
         <severity>Severe</severity><area><areaDesc>Utrecht</areaDesc></area></info></alert>",
        references.join(" ")
    )
}

fn messages(all: &[String]) -> Page {
    read(json!({}), format!("<alerts>{}</alerts>", all.concat()).as_bytes()).unwrap()
}

#[test]
fn an_alert_is_an_item_in_the_language_that_was_asked_for() {
    insta::assert_json_snapshot!("alert", read(json!({"speaks": "nl"}), &fixture("alert.xml")).unwrap());
    let english = read(json!({"speaks": "en"}), &fixture("alert.xml")).unwrap().items.remove(0);
    assert_eq!(
        (english.title.as_deref(), english.language.as_deref()),
        (Some("Code orange: very severe gusts"), Some("en-GB"))
    );
    let first = read(json!({"speaks": "de"}), &fixture("alert.xml")).unwrap().items.remove(0);
    assert_eq!(first.language.as_deref(), Some("en-GB"));
}

#[test]
fn entries_of_one_message_are_one_item_and_its_document_is_read_back() {
    let page = read(json!({}), &fixture("list.xml")).unwrap();
    assert_eq!(short(&page), ["NL.1 Yellow wind warning"]);
    let item = &page.items[0];
    let page_of_all =
        "<p><a href=\"https://waarschuwing.example?region=NL\">https://waarschuwing.example?region=NL</a></p>";
    assert_eq!(item.body.as_ref().unwrap().0, format!("<p>Zeeland, Utrecht</p>{page_of_all}"));
    assert_eq!(item.canonical_url, None, "the page of all warnings identifies none");
    assert_eq!(item.expires_at, Some(1_795_244_400_000));
    let [request] = page.fetch.as_slice() else { panic!("{:?}", page.fetch) };
    assert_eq!((request.url.as_str(), request.about.as_deref()), ("https://waarschuwing.example/api/1", Some("NL.1")));
    assert_eq!(page.warnings, ["a message with status `Exercise` was left out: only `Actual` is real"]);
    assert_eq!(page.title.as_deref(), Some("Warnings for Voorbeeldland"));
}

#[test]
fn a_document_on_another_host_is_not_fetched() {
    let list = String::from_utf8(fixture("list.xml")).unwrap().replace("\"/api/1\"", "\"https://elders.example/1\"");
    let page = read(json!({}), list.as_bytes()).unwrap();
    assert_eq!((page.items.len(), page.fetch.len()), (1, 0));
}

#[test]
fn updates_edit_the_first_message_and_cancellations_withdraw_it() {
    let page = read(json!({}), &fixture("chain.xml")).unwrap();
    assert_eq!(short(&page), ["A Code rood", "X withdrawn", "P Nog glad"]);
    assert_eq!(page.items[0].alternate_ids, ["B", "C"]);
    assert_eq!(page.items[2].alternate_ids, ["Q", "Z"]);
    let a = &page.items[0];
    assert!(a.published_at < a.updated_at && a.source_version == a.updated_at, "{a:?}");
    assert!(page.items[1].source_version.is_some());
}

#[test]
fn what_a_message_is_about_does_not_hang_on_the_order() {
    let mut all =
        [message("A", "Alert", 1, &[]), message("B", "Update", 2, &["A"]), message("C", "Update", 3, &["B"])].to_vec();
    assert_eq!(short(&messages(&all)), ["A C"]);
    all.reverse();
    assert_eq!(short(&messages(&all)), ["A C"]);
    // Only what refers to it is left in the list.
    assert_eq!(short(&messages(&all[..1])), ["B C"]);
    assert_eq!(short(&messages(&all[..2])), ["A C"]);
}

#[test]
fn a_cancellation_withdraws_each_message_that_it_names() {
    let cancel = message("D", "Cancel", 9, &["A", "B"]);
    assert_eq!(short(&messages(std::slice::from_ref(&cancel))), ["A withdrawn", "B withdrawn"]);
    let known = [message("A", "Alert", 1, &[]), message("B", "Alert", 2, &[]), cancel];
    assert_eq!(short(&messages(&known)), ["A withdrawn", "B withdrawn"]);
}

#[test]
fn an_update_of_two_warnings_goes_on_as_the_first_and_ends_the_other() {
    let all = [message("A", "Alert", 1, &[]), message("B", "Alert", 2, &[]), message("C", "Update", 3, &["A", "B"])];
    assert_eq!(short(&messages(&all)), ["A C", "B withdrawn"]);
}

#[test]
fn messages_that_go_round_in_a_circle_are_still_read() {
    let all = [message("A", "Update", 1, &["B"]), message("B", "Update", 2, &["A"]), message("C", "Update", 3, &["C"])];
    assert_eq!(messages(&all).items.len(), 2);
}

#[test]
fn only_real_messages_for_the_public_count() {
    for (from, to) in [
        ("Actual", "Test"),
        ("Actual", "Exercise"),
        ("Actual", "System"),
        ("Actual", "Draft"),
        ("<status>Actual</status>", ""),
        ("Public", "Restricted"),
        ("Public", "Private"),
        ("<msgType>Alert", "<msgType>Ack"),
        ("<msgType>Alert", "<msgType>Error"),
    ] {
        let alert = String::from_utf8(fixture("alert.xml")).unwrap().replace(from, to);
        assert_eq!(read(json!({}), alert.as_bytes()).unwrap().items, [], "{to}");
    }
}

#[test]
fn areas_and_severity_choose_and_an_update_that_leaves_them_withdraws() {
    let alert = fixture("alert.xml");
    let taken = |settings: Value| read(settings, &alert).unwrap().items.len();
    assert_eq!(taken(json!({"speaks": "nl", "areas": ["zeeland"]})), 1);
    assert_eq!(taken(json!({"speaks": "nl", "areas": ["NL001"]})), 1);
    assert_eq!(taken(json!({"areas": ["Utrecht"]})), 0);
    assert_eq!(taken(json!({"severity": "severe"})), 1);
    assert_eq!(taken(json!({"severity": "extreme"})), 0);
    let update = message("B", "Update", 2, &["A"]);
    let page = read(json!({"areas": ["Limburg"]}), update.as_bytes()).unwrap();
    assert_eq!(short(&page), ["A withdrawn"]);
    let unknown = update.replace("Severe", "Unknown");
    assert_eq!(read(json!({"severity": "extreme"}), unknown.as_bytes()).unwrap().items.len(), 1);
}

#[test]
fn settings_are_refused_by_key() {
    for (settings, key) in [
        (json!({}), "url"),
        (json!({"url": "nee"}), "url"),
        (json!({"url": "https://w.example/", "severity": "erg"}), "severity"),
        (json!({"url": "https://w.example/", "speaks": "Nederlands"}), "speaks"),
        (json!({"url": "https://w.example/", "areas": "Utrecht"}), "areas"),
    ] {
        let Err(ConnectorError::Settings { key: found, .. }) = Cap.configure(&settings).map(|_| ()) else {
            panic!("{settings}")
        };
        assert_eq!(found, key);
    }
}

#[test]
fn every_limit_holds_at_its_edge() {
    let mut body = fixture("alert.xml");
    body.resize(CAP_BYTES_MAX, b' ');
    assert!(read(json!({}), &body).is_ok());
    body.push(b' ');
    assert!(read(json!({}), &body).is_err());
    let many = |n: usize| messages(&(0..n).map(|n| message(&n.to_string(), "Alert", 1, &[])).collect::<Vec<_>>());
    assert_eq!(
        (many(ITEMS_PER_PAGE_MAX).items.len(), many(ITEMS_PER_PAGE_MAX).warnings.len()),
        (ITEMS_PER_PAGE_MAX, 0)
    );
    let more = many(ITEMS_PER_PAGE_MAX + 1);
    assert_eq!((more.items.len(), more.warnings.len()), (ITEMS_PER_PAGE_MAX, 1));
    let ids: Vec<String> = (0..300).map(|n| format!("R{n}")).collect();
    let references: Vec<&str> = ids.iter().map(String::as_str).collect();
    let item = messages(&[message("U", "Update", 1, &references)]).items.remove(0);
    assert_eq!(item.alternate_ids.len(), crate::item::ALTERNATE_IDS_MAX);
    assert_eq!(messages(&[message("U", "Cancel", 1, &references)]).items.len(), alert::PARTS_MAX);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_comes_in_panics(body in proptest::collection::vec(any::<u8>(), 0..300), at in 0_usize..4_000, text in "\\PC{0,30}") {
        let _ = read(json!({}), &body);
        for name in ["alert.xml", "list.xml", "chain.xml"] {
            let mut body = fixture(name);
            let at = at.min(body.len());
            body.splice(at..(at + 3).min(body.len()), text.bytes());
            let (one, other) = (read(json!({}), &body), read(json!({}), &body));
            prop_assert_eq!(one, other);
        }
    }

    #[test]
    fn ids_of_a_page_are_unique_whatever_refers_to_what(refs in proptest::collection::vec((0_u8..6, proptest::collection::vec(0_u8..6, 0..4), 0_u8..3), 0..8)) {
        let kinds = ["Alert", "Update", "Cancel"];
        let all: Vec<String> = refs.iter().enumerate().map(|(at, (id, to, kind))| {
            let to: Vec<String> = to.iter().map(u8::to_string).collect();
            message(&id.to_string(), kinds[usize::from(*kind)], u8::try_from(at).unwrap(), &to.iter().map(String::as_str).collect::<Vec<_>>())
        }).collect();
        let page = if all.is_empty() { Page::default() } else { messages(&all) };
        let mut ids: Vec<&str> = page.items.iter().map(|item| item.source_id.as_str()).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        prop_assert_eq!(ids.len(), count);
    }
}
