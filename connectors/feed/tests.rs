//! What is read from each hand-made feed (`reference/connectors.md` A8).

mod bounds;
mod push;
mod states;

use std::fs;
use std::path::Path;

use serde_json::json;

use super::*;
use crate::item::Media;

fn connector() -> Box<dyn Connector> {
    Feed.configure(&json!({ "url": "https://stad.example/nieuws.rss" })).unwrap()
}

fn answer(body: &[u8], content_type: Option<&str>) -> Result<Page, ConnectorError> {
    let url = Url::parse("https://stad.example/nieuws.rss").unwrap();
    let content_type = content_type.map(str::to_owned);
    connector().read(&Response { url, content_type, body: body.to_vec(), received_at: 0, about: None })
}

fn file(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("feed/fixtures").join(name)).unwrap()
}

fn page(name: &str) -> Page {
    answer(&file(&format!("good/{name}")), Some("text/html")).unwrap()
}

fn item(xml: &str) -> Item {
    let feed = format!("<rss version='2.0'><channel><title>x</title><item>{xml}</item></channel></rss>");
    answer(feed.as_bytes(), None).unwrap().items.remove(0)
}

/// One line per item: what `part` says of it.
fn check(name: &str, part: impl Fn(&Item) -> String, expected: &[&str]) {
    let found: Vec<String> = page(name).items.iter().map(part).collect();
    assert_eq!(found, expected, "{name}");
}

fn id(item: &Item) -> String {
    item.source_id.clone()
}

fn title(item: &Item) -> String {
    item.title.clone().unwrap_or_default()
}

fn body(item: &Item) -> String {
    item.body.clone().unwrap_or_default().0
}

fn published(item: &Item) -> String {
    let at = item.published_at.and_then(chrono::DateTime::from_timestamp_millis);
    at.map_or("none".to_owned(), |at| at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
}

#[test]
fn the_same_guid_everywhere_is_told_apart_by_link() {
    check("same-guid-everywhere.xml", id, &["vast https://stad.example/1", "vast https://stad.example/2"]);
}

#[test]
fn without_guid_the_link_is_the_id_and_without_link_a_hash() {
    let items = page("no-guid.xml").items;
    assert_eq!(items[0].source_id, "https://stad.example/1#deel");
    assert_eq!(items[0].canonical_url.as_deref(), Some("https://stad.example/1"));
    assert_eq!(items[1].source_id, "hash:16360fb088c15ae3311bec7147d31d55");
}

#[test]
fn what_an_edit_changes_shows_and_what_it_keeps_stays() {
    let pair = |name: &str| [1, 2].map(|n| page(&format!("{name}-{n}.xml")).items.remove(0));
    let [old, new] = pair("changed-guid-same-link");
    assert!(old.source_id != new.source_id && old.canonical_url == new.canonical_url);
    let [old, new] = pair("guid-kept-body-changed");
    assert!(old.source_id == new.source_id && old.body != new.body);
    let [old, new] = pair("guid-kept-date-changed");
    assert!(old.published_at < new.published_at);
    assert_eq!(Item { published_at: None, ..old }, Item { published_at: None, ..new });
}

#[test]
fn text_is_right_in_every_encoding_and_with_every_blemish() {
    check("declared-latin-1-is-utf-8.xml", title, &["Café geopend"]);
    check("windows-1252-undeclared.xml", title, &["Café € 5 – geopend"]);
    check("control-character.xml", title, &["Eentweedrie"]);
    check("html-entity-without-dtd.xml", title, &["Café open & dicht & meer"]);
    let link = page("html-entity-without-dtd.xml").items.remove(0).canonical_url;
    assert_eq!(link.as_deref(), Some("https://stad.example/?a=1&b=2&copy=3"));
}

#[test]
fn double_escaped_html_is_unescaped_once_more() {
    check("double-escaped.xml", body, &["<p>Een &amp; twee</p>", "<p>Drie</p>"]);
    check("double-escaped.xml", title, &["Een & twee", "Drie"]);
}

#[test]
fn dates_are_as_the_source_says_and_never_made_up() {
    check("future-date.xml", published, &["2041-01-01T08:00:00Z"]);
    check("no-date.xml", published, &["none"]);
    assert_eq!(page("no-date.xml").warnings, ["an item has no readable date"]);
    check("dutch-months.xml", published, &["2026-03-05T11:00:00Z", "2026-05-05T11:00:00Z", "2026-10-05T11:00:00Z"]);
}

#[test]
fn relative_addresses_are_resolved_against_the_nearest_base() {
    let item = page("relative-image-xml-base.xml").items.remove(0);
    assert_eq!(item.canonical_url.as_deref(), Some("https://stad.example/nieuws/maart/brug.html"));
    let image = "https://stad.example/nieuws/maart/brug.jpg";
    assert_eq!(body(&item), format!("<div><p>A &lt; B</p><img src=\"{image}\" alt=\"De nieuwe brug\"></div>"));
    assert_eq!((item.media[0].url.as_str(), item.media[0].alt.as_deref()), (image, Some("De nieuwe brug")));
    assert_eq!(item.language.as_deref(), Some("nl-NL"));
}

#[test]
fn of_a_group_the_largest_image_that_may_be_sent_is_taken() {
    let item = page("media-group-five.xml").items.remove(0);
    let expected = Media {
        url: "https://stad.example/groot.jpg".to_owned(),
        media_type: Some("image/jpeg".to_owned()),
        alt: Some("Een brug bij avond".to_owned()),
        width: Some(1920),
        height: Some(1080),
        bytes: Some(900_000),
    };
    assert_eq!((item.media, item.links), (vec![expected], vec![]));
}

#[test]
fn sound_is_a_link_and_no_image() {
    let item = page("audio-enclosure-only.xml").items.remove(0);
    assert!(item.media.is_empty());
    assert_eq!((item.links[0].url.as_str(), item.links[0].bytes), ("https://stad.example/1.mp3", Some(12_345)));
}

#[test]
fn a_tombstone_retracts_unless_the_entry_is_newer() {
    let line = |item: &Item| format!("{} {:?} {:?}", item.source_id, item.action, item.source_version);
    let newer = ["urn:1 Publish Some(1772357400000)", "urn:2 Retract Some(1772443800000)"];
    let settled = ["urn:3 Retract Some(1772443800000)", "urn:4 Publish Some(1772530200000)"];
    check("tombstone.xml", line, &[newer, settled].concat());
}

#[test]
fn only_a_complete_feed_says_that_it_is() {
    assert!(page("complete-1.xml").complete && page("complete-2.xml").complete);
    assert!(!page("rss-2-0.xml").complete);
}

#[test]
fn a_state_feed_keeps_its_ids_and_changes_its_titles() {
    let (calm, alarm) = (page("state-feed-1.xml"), page("state-feed-2.xml"));
    assert_eq!(calm.items.iter().map(id).collect::<Vec<_>>(), ["Utrecht", "Zeeland", "Drenthe"]);
    assert_eq!(calm.items.iter().map(id).collect::<Vec<_>>(), alarm.items.iter().map(id).collect::<Vec<_>>());
    assert_ne!(calm.items[0].title, alarm.items[0].title);
    assert_eq!(body(&calm.items[0]), "<a href=\"https://weer.example/Utrecht\">Kaart</a>&nbsp;van Utrecht");
    let shared = "3 items share their page's address with another item: it does not identify them";
    assert!(calm.warnings.iter().any(|warning| warning == shared), "{:?}", calm.warnings);
}

#[test]
fn other_dialects_are_read_too() {
    check("atom-0-3.xml", body, &["<div>1 &lt; 2<br></div>", "<p>Open</p>"]);
    check("atom-0-3.xml", published, &["2026-03-02T09:30:00Z", "2026-03-01T09:30:00Z"]);
    check("rss-1-0.xml", title, &["Brug &lol;"]);
    check("rss-1-0.xml", body, &["<p>Open &amp;bestand;</p>"]);
    check("rss-1-0.xml", id, &["urn:1"]);
    check("rss-1-0.xml", published, &["2026-03-02T08:30:00Z"]);
    check("rss-0-91-prefixed.xml", title, &["Brug"]);
    check("undeclared-prefixes.xml", body, &["<p>Open</p>"]);
    check("no-items.xml", title, &[]);
}

#[test]
fn a_page_of_each_format_reads_as_reviewed() {
    insta::assert_json_snapshot!("rss", page("rss-2-0.xml"));
    insta::assert_json_snapshot!("atom", page("atom-1-0.xml"));
    insta::assert_json_snapshot!("json", page("json-feed-1-1.json"));
}

#[test]
fn what_is_no_feed_is_called_by_its_name() {
    for (name, expected) in [
        ("zero-bytes.xml", "the answer is empty (0 bytes)"),
        ("maintenance.html", "the answer is an HTML page, not a feed"),
        ("sitemap.xml", "the answer is a sitemap, not a feed"),
        ("soap.xml", "the answer is a SOAP message, not a feed"),
        ("no-feed.json", "the answer is a JSON document that is no JSON Feed, not a feed"),
        ("plain.txt", "the answer is plain text, not a feed"),
        ("cut-short.json", "the JSON Feed cannot be read: EOF"),
        ("cut-short.xml", "the feed cannot be read: an element that begins at line 7"),
        ("items-out-of-place.xml", "the feed cannot be read: 1 items stand where a feed has none"),
    ] {
        let problem = answer(&file(&format!("bad/{name}")), Some("application/rss+xml")).unwrap_err().to_string();
        assert!(problem.starts_with(expected), "{name}: {problem}");
    }
}

#[test]
fn a_feed_that_speaks_of_html_is_still_a_feed() {
    for xml in [
        "<!-- <html> --><rss><channel><item><title>x</title></item></channel></rss>",
        "<a:feed xmlns:a='http://www.w3.org/2005/Atom'><a:entry><a:content type='html'><![CDATA[<html><body>x]]></a:content></a:entry></a:feed>",
        "<!DOCTYPE html><rss><channel><item><title>x</title></item></channel></rss",
        "junk\n<rss><channel><item><title>x</title></item></channel></rss>",
    ] {
        assert_eq!(answer(xml.as_bytes(), None).unwrap().items.len(), 1, "{xml}");
    }
}

#[test]
fn settings_are_one_address() {
    for (settings, key) in [
        (json!({}), "url"),
        (json!({ "url": 1 }), "url"),
        (json!({ "url": "nieuws.rss" }), "url"),
        (json!({ "url": "ftp://stad.example/nieuws.rss" }), "url"),
        (json!({ "url": "https://stad.example", "urls": [] }), "urls"),
    ] {
        match Feed.configure(&settings) {
            Err(ConnectorError::Settings { key: found, .. }) => assert_eq!(found, key, "{settings}"),
            _ => panic!("{settings} is accepted"),
        }
    }
    assert_eq!(connector().request().unwrap().url.as_str(), "https://stad.example/nieuws.rss");
}

#[test]
fn a_person_is_a_name_and_never_an_address() {
    for (xml, expected) in [
        ("<author>griffie@stad.example (De griffie)</author>", &["De griffie"][..]),
        ("<author>De griffie &lt;griffie@stad.example></author>", &["De griffie"]),
        ("<author>griffie@stad.example</author>", &[]),
        ("<author>a@b.nl</author><dc:creator>Redactie</dc:creator>", &["Redactie"]),
    ] {
        assert_eq!(item(xml).authors, expected, "{xml}");
    }
}

#[test]
fn an_image_is_looked_for_in_order_of_worth() {
    for (xml, expected) in [
        (
            "<media:content url='/a.jpg' medium='image'/><media:thumbnail url='/b.jpg'/>",
            &["https://stad.example/a.jpg"][..],
        ),
        (
            "<media:thumbnail url='/s.jpg' width='9' height='9'/><media:thumbnail url='/b.jpg' width='90' height='90'/>",
            &["https://stad.example/b.jpg"],
        ),
        ("<enclosure url='/c.jpg'/><description>&lt;img src=/d.jpg></description>", &["https://stad.example/c.jpg"]),
        (
            "<description>&lt;img src=/p.gif width=1 height=1>&lt;img src=/d.jpg></description>",
            &["https://stad.example/d.jpg"],
        ),
        ("<media:content url='https://1.gravatar.com/avatar/x' medium='image'/>", &[]),
        ("<media:content url='data:image/png;base64,AAAA' medium='image'/>", &[]),
    ] {
        let found: Vec<String> = item(xml).media.into_iter().map(|file| file.url).collect();
        assert_eq!(found, expected, "{xml}");
    }
}

#[test]
fn links_are_taken_in_order_of_trust() {
    for (xml, expected) in [
        (
            "<link>https://b.nl/1</link><feedburner:origLink>https://a.nl/1</feedburner:origLink>",
            Some("https://a.nl/1"),
        ),
        ("<link>/1</link>", Some("https://stad.example/1")),
        ("<atom:link rel='self' href='/s'/><atom:link href='/a'/>", Some("https://stad.example/a")),
        ("<link href='/h'/>", Some("https://stad.example/h")),
        ("<guid>https://a.nl/g</guid>", Some("https://a.nl/g")),
        ("<guid isPermaLink='false'>https://a.nl/g</guid>", None),
        ("<link>javascript:alert(1)</link>", None),
    ] {
        assert_eq!(item(xml).canonical_url.as_deref(), expected, "{xml}");
    }
}
