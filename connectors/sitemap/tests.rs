//! What sitemaps and their pages come to.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn read(settings: &Value, body: &[u8], about: Option<&str>) -> Result<Page, ConnectorError> {
    let url = Url::parse("https://www.source.example/nieuws/2026/brug").unwrap();
    let about = about.map(str::to_owned);
    let connector = Sitemap.configure(settings).unwrap();
    connector.read(&Response { url, content_type: None, body: body.to_vec(), received_at: 0, about })
}

fn plain() -> Value {
    json!({"url": "https://source.example/sitemap.xml"})
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("sitemap/fixtures").join(name)).unwrap()
}

fn ids(page: &Page) -> Vec<&str> {
    page.items.iter().map(|item| item.source_id.as_str()).collect()
}

#[test]
fn a_news_sitemap_is_items_and_each_page_is_to_be_read() {
    let page = read(&json!({"url": "https://source.example/", "paths": ["/nieuws/"]}), &fixture("good/news.xml"), None)
        .unwrap();
    let brug = "https://www.source.example/nieuws/2026/brug";
    assert_eq!(ids(&page), [brug, "https://www.source.example/nieuws/2026/markt"]);
    let fetch: Vec<_> = page.fetch.iter().map(|r| (r.url.as_str(), r.about.as_deref())).collect();
    assert_eq!(fetch[0], (brug, Some(brug)));
    let item = &page.items[0];
    assert_eq!((item.title.as_deref(), item.language.as_deref()), (Some("Nieuwe brug & tunnel"), Some("nl")));
    assert!(item.published_at < item.source_version && item.body.is_none());
    assert_eq!(item.media[0].url, "https://www.source.example/brug.jpg");
    assert_eq!(page.items[1].title, None, "only its page knows");
    assert_eq!(page.warnings, ["an address is on another host than the sitemap"]);
}

#[test]
fn an_index_leads_to_its_sitemaps() {
    let source = json!({"url": "https://source.example/sitemap.xml", "paths": ["/nieuws/"]});
    let page = read(&source, &fixture("good/index.xml"), None).unwrap();
    let fetch: Vec<_> = page.fetch.iter().map(|r| (r.url.as_str(), r.about.as_deref())).collect();
    assert_eq!(
        fetch,
        [("https://source.example/sitemap-1.xml", None), ("https://www.source.example/sitemap-2.xml", None)]
    );
}

#[test]
fn a_page_is_read_from_json_ld_then_open_graph_then_itself() {
    insta::assert_json_snapshot!("page", read(&plain(), &fixture("pages/linked.html"), Some("loc")).unwrap());
    let bare = read(&plain(), &fixture("pages/bare.html"), Some("loc")).unwrap();
    let item = &bare.items[0];
    assert_eq!((item.source_id.as_str(), item.title.as_deref()), ("loc", Some("Een kop")));
    assert_eq!(
        item.canonical_url.as_deref(),
        Some("https://www.source.example/nieuws/2026/brug"),
        "not the other host"
    );
    assert_eq!(bare.warnings, ["a page has no readable date"]);
}

#[test]
fn a_page_that_says_nothing_is_an_error() {
    for html in ["tekst", "<html><body></body></html>", "{}"] {
        assert!(
            matches!(read(&plain(), html.as_bytes(), Some("loc")), Err(ConnectorError::Unreadable { .. })),
            "{html}"
        );
    }
}

#[test]
fn one_time_for_all_pages_says_nothing() {
    let with = |times: [&str; 2]| {
        let url = |n: usize| format!("<url><loc>/{n}</loc><lastmod>{}</lastmod></url>", times[n]);
        let body = format!("<urlset>{}{}</urlset>", url(0), url(1));
        read(&plain(), body.as_bytes(), None).unwrap().items.iter().filter(|item| item.source_version.is_some()).count()
    };
    assert_eq!((with(["2026-11-20", "2026-11-20"]), with(["2026-11-20", "2026-11-21"])), (0, 2));
}

#[test]
fn what_is_no_sitemap_is_called_by_its_name() {
    for (name, expected) in [
        ("page.html", "the answer is an HTML page, not a sitemap"),
        ("list.txt", "the answer is plain text, not a sitemap"),
        ("feed.xml", "the answer is a feed; take the kind `feed`"),
        ("packed.xml", "the answer is a compressed file"),
        ("picture.xml", "the answer is another XML document"),
        ("cut-short.xml", "the sitemap cannot be read: an element"),
    ] {
        let problem = read(&plain(), &fixture(&format!("bad/{name}")), None).unwrap_err().to_string();
        assert!(problem.starts_with(expected), "{name}: {problem}");
    }
}

#[test]
fn settings_are_refused_by_key() {
    for (settings, key) in [
        (json!({}), "url"),
        (json!({"url": "https://s.example/", "paths": "nieuws"}), "paths"),
        (json!({"url": "https://s.example/", "paths": ["nieuws"]}), "paths"),
    ] {
        let Err(ConnectorError::Settings { key: found, .. }) = Sitemap.configure(&settings).map(|_| ()) else {
            panic!("{settings}")
        };
        assert_eq!(found, key);
    }
}

#[test]
fn every_limit_holds_at_its_edge() {
    let pages = |n: usize| {
        let url = |n: usize| format!("<url><loc>/{n}</loc><lastmod>{}</lastmod></url>", 1_700_000_000 + n);
        let body = format!("<urlset>{}</urlset>", (0..n).map(url).collect::<String>());
        read(&plain(), body.as_bytes(), None).unwrap()
    };
    assert_eq!(
        (pages(ITEMS_PER_PAGE_MAX).items.len(), pages(ITEMS_PER_PAGE_MAX).warnings.len()),
        (ITEMS_PER_PAGE_MAX, 0)
    );
    let more = pages(ITEMS_PER_PAGE_MAX + 1);
    assert_eq!((more.items.len(), more.warnings.len()), (ITEMS_PER_PAGE_MAX, 1));
    assert!(!ids(&more).contains(&"https://www.source.example/0"), "the oldest is left out");
    let lists = |n: usize| {
        let body = (0..n).map(|n| format!("<sitemap><loc>/{n}.xml</loc></sitemap>")).collect::<String>();
        read(&plain(), format!("<sitemapindex>{body}</sitemapindex>").as_bytes(), None).unwrap().fetch.len()
    };
    assert_eq!(
        (lists(PAGES_PER_POLL_MAX - 1), lists(PAGES_PER_POLL_MAX)),
        (PAGES_PER_POLL_MAX - 1, PAGES_PER_POLL_MAX - 1)
    );
    let mut body = b"<urlset></urlset>".to_vec();
    body.resize(SITEMAP_BYTES_MAX, b' ');
    assert!(read(&plain(), &body, None).is_ok());
    body.push(b' ');
    assert!(read(&plain(), &body, None).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_comes_in_panics(body in proptest::collection::vec(any::<u8>(), 0..300), at in 0_usize..2_000, text in "\\PC{0,30}") {
        let _ = (read(&plain(), &body, None), read(&plain(), &body, Some("loc")));
        for (name, about) in [("good/news.xml", None), ("good/index.xml", None), ("pages/linked.html", Some("loc"))] {
            let mut body = fixture(name);
            let at = at.min(body.len());
            body.splice(at..(at + 3).min(body.len()), text.bytes());
            let (one, other) = (read(&plain(), &body, about), read(&plain(), &body, about));
            prop_assert_eq!(one, other);
        }
    }
}
