//! Feeds of states, and archives.

use super::*;
use crate::item::SOURCE_ID_BYTES_MAX;

fn states(field: &str, body: &[u8]) -> Page {
    let url = Url::parse("https://weer.example/waarschuwingen.rss").unwrap();
    let connector = Feed.configure(&json!({"url": url.as_str(), "state": field})).unwrap();
    connector.read(&Response { url, content_type: None, body: body.to_vec(), received_at: 0, about: None }).unwrap()
}

fn of(page: &Page) -> Vec<&str> {
    page.items.iter().map(|item| item.state.as_deref().unwrap_or("none")).collect()
}

#[test]
fn the_chosen_field_is_the_state_and_the_id_stays() {
    let [one, two] = ["1", "2"].map(|n| states("title", &file(&format!("good/state-feed-{n}.xml"))));
    assert_eq!(of(&one), ["Code geel voor Utrecht", "Code groen voor Zeeland", "Code groen voor Drenthe"]);
    let ids = |page: &Page| page.items.iter().map(id).collect::<Vec<_>>();
    assert_eq!((ids(&one), one.items.len()), (ids(&two), 3));
    assert_ne!(of(&one), of(&two));
    assert_eq!(of(&states("body", &file("good/state-feed-1.xml")))[0], "Kaart van Utrecht");
    assert_eq!(of(&states("summary", &file("good/state-feed-1.xml")))[0], "Kaart van Utrecht");
    assert_eq!(of(&states("categories", &file("good/state-feed-1.xml"))), ["geel"; 3]);
    assert_eq!(page("state-feed-1.xml").items[0].state, None, "without the setting they are messages");
}

#[test]
fn an_item_without_its_state_is_still_no_message() {
    let page =
        states("title", b"<rss><channel><item><guid>1</guid><description>x</description></item></channel></rss>");
    assert_eq!(of(&page), [""]);
    assert!(page.warnings.contains(&"1 items lack the field that is their state".to_owned()), "{:?}", page.warnings);
}

#[test]
fn a_state_is_bounded() {
    let with = |length: usize| {
        let xml = format!(
            "<rss><channel><item><guid>1</guid><description>{}</description></item></channel></rss>",
            "a".repeat(length)
        );
        states("body", xml.as_bytes()).items.remove(0).state.unwrap()
    };
    assert_eq!(with(SOURCE_ID_BYTES_MAX).len(), SOURCE_ID_BYTES_MAX);
    assert!(with(SOURCE_ID_BYTES_MAX + 1).starts_with("hash:"));
}

#[test]
fn an_unknown_field_is_refused() {
    for state in [json!("colour"), json!(""), json!(true)] {
        let settings = json!({"url": "https://weer.example/", "state": state});
        let Err(ConnectorError::Settings { key, .. }) = Feed.configure(&settings).map(|_| ()) else {
            panic!("{settings}")
        };
        assert_eq!(key, "state");
    }
}

#[test]
fn a_feed_says_where_its_archive_is() {
    let atom = |links: &str| format!("<feed xmlns='http://www.w3.org/2005/Atom'><title>x</title>{links}</feed>");
    let rss = |links: &str| {
        format!("<rss xmlns:a='http://www.w3.org/2005/Atom'><channel><title>x</title>{links}</channel></rss>")
    };
    let json = |next: &str| {
        format!("{{\"version\":\"https://jsonfeed.org/version/1.1\",\"items\":[],\"next_url\":\"{next}\"}}")
    };
    let page = |body: String| answer(body.as_bytes(), None).unwrap();
    let archive = |body: String| page(body).archive.map(|request| request.url.to_string());
    let found = Some("https://stad.example/2026-10.xml".to_owned());
    assert_eq!(
        archive(atom(
            "<link rel='self' href='/x'/><link rel='next' href='/p2'/><link rel='prev-archive' href='2026-10.xml'/>"
        )),
        found
    );
    assert_eq!(archive(rss("<a:link rel='prev-archive' href='/2026-10.xml'/>")), found);
    assert_eq!(archive(json("https://stad.example/2026-10.xml")), found);
    assert_eq!(archive(atom("<link rel='next' href='/2026-10.xml'/>")), found);
    assert_eq!(archive(atom("<link rel='next-archive' href='/x'/><link rel='current' href='/y'/>")), None);
    assert_eq!(archive(json("https://stad.example/nieuws.rss")), None, "the document itself");
    let elsewhere = page(rss("<a:link rel='prev-archive' href='https://elders.example/x'/>"));
    assert_eq!((elsewhere.archive, elsewhere.warnings.len()), (None, 1));
    assert!(page(atom("<link rel='prev-archive' href='/2026-10.xml'/>")).next.is_none(), "no normal poll pages");
}
