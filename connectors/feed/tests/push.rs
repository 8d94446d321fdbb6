//! Who tells when a feed changes, as the feed says.

use super::*;
use crate::contract::{HUBS_MAX, Push};

fn push(document: &str) -> Push {
    answer(document.as_bytes(), None).unwrap().push
}

fn push_of(hubs: &[&str], own: Option<&str>) -> Push {
    Push { hubs: hubs.iter().map(|hub| (*hub).to_owned()).collect(), own: own.map(str::to_owned) }
}

#[test]
fn rss_atom_and_json_name_their_hubs_and_themselves() {
    let links = "<atom:link rel='hub' href=' https://a.example/ '/><atom:link rel='self' href='https://s.example/f'/>\
                 <atom:link rel='hub' href=''/><atom:link rel='hub' href='https://b.example/'/>\
                 <atom:link rel='self' href='https://ander.example/'/>";
    let both = push_of(&["https://a.example/", "https://b.example/"], Some("https://s.example/f"));
    let item = "<item><title>Een</title></item>";
    let declared = "<rss version='2.0' xmlns:atom='http://www.w3.org/2005/Atom'>";
    assert_eq!(push(&format!("{declared}<channel><title>x</title>{links}{item}</channel></rss>")), both);
    // Undeclared, and under another prefix.
    assert_eq!(push(&format!("<rss version='2.0'><channel><title>x</title>{links}{item}</channel></rss>")), both);
    let other = links.replace("atom:", "a10:");
    let declared = "<rss version='2.0' xmlns:a10='http://www.w3.org/2005/Atom'>";
    assert_eq!(push(&format!("{declared}<channel><title>x</title>{other}{item}</channel></rss>")), both);
    let plain = links.replace("atom:", "");
    let entry = "<id>urn:x</id><title>x</title><updated>2026-01-01T00:00:00Z</updated>";
    let atom = format!("<feed xmlns='http://www.w3.org/2005/Atom'>{entry}{plain}<entry>{entry}</entry></feed>");
    assert_eq!(push(&atom), both);
    let json = json!({
        "version": "https://jsonfeed.org/version/1.1", "title": "x", "feed_url": "https://s.example/f",
        "hubs": [{"type": "rssCloud", "url": "https://c.example/"}, {"type": "WebSub", "url": "https://a.example/"},
                 {"type": "websub", "url": "https://b.example/"}, 7, {"url": "https://d.example/"}],
        "items": [],
    });
    assert_eq!(push(&json.to_string()), both);
}

#[test]
fn a_feed_that_names_none_is_pushed_by_nobody_and_links_of_items_are_not_the_feeds() {
    let link = "<atom:link rel='hub' href='https://a.example/'/>";
    let document =
        format!("<rss version='2.0'><channel><title>x</title><item><title>y</title>{link}</item></channel></rss>");
    assert_eq!(push(&document), Push::default());
    assert_eq!(
        push(r#"{"version":"https://jsonfeed.org/version/1","title":"x","hubs":"https://a/","items":[]}"#),
        Push::default()
    );
}

#[test]
fn there_is_a_limit_on_hubs() {
    let links: String = (0..50).map(|n| format!("<atom:link rel='hub' href='https://h{n}.example/'/>")).collect();
    let document =
        format!("<rss version='2.0'><channel><title>x</title>{links}<item><title>y</title></item></channel></rss>");
    assert_eq!(push(&document).hubs.len(), HUBS_MAX);
}
