//! Every limit at its edge, and nothing that panics or takes more than linear time.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::draft::xml::ATTRIBUTES_MAX;
use crate::draft::{
    ALT_CHARS_MAX, AUTHORS_PER_ITEM_MAX, CATEGORIES_PER_ITEM_MAX, LINKS_PER_ITEM_MAX, NAME_CHARS_MAX, TEXT_BYTES_MAX,
};
use crate::feed::normalise::{NAMESPACES_MAX, XML_DEPTH_MAX};
use crate::item::MEDIA_PER_ITEM_MAX;

fn rss(items: &str) -> Vec<u8> {
    format!("<rss version='2.0'><channel><title>x</title>{items}</channel></rss>").into_bytes()
}

#[test]
fn a_document_at_the_byte_limit_is_read_and_one_beyond_is_refused() {
    let mut body = rss("<item><title>x</title></item>");
    body.resize(FEED_BYTES_MAX, b' ');
    assert_eq!(answer(&body, None).unwrap().items.len(), 1);
    body.push(b' ');
    assert!(matches!(answer(&body, None), Err(ConnectorError::Unreadable { .. })));
}

#[test]
fn items_beyond_the_limit_are_left_out_with_a_warning() {
    let items = |count: usize| (0..count).map(|n| format!("<item><guid>{n}</guid></item>")).collect::<String>();
    let page = answer(&rss(&items(ITEMS_PER_PAGE_MAX)), None).unwrap();
    assert_eq!((page.items.len(), page.warnings.len()), (ITEMS_PER_PAGE_MAX, 1));
    let page = answer(&rss(&items(ITEMS_PER_PAGE_MAX + 1)), None).unwrap();
    assert_eq!(page.items.len(), ITEMS_PER_PAGE_MAX);
    assert_eq!(page.warnings[0], "the feed has 1001 items; the first 1000 were read");
}

#[test]
fn elements_nested_to_the_limit_are_read_and_deeper_ones_are_refused() {
    let nested = |depth: usize| {
        let (open, close) = ("<media:group>".repeat(depth), "</media:group>".repeat(depth));
        answer(&rss(&format!("<item><title>x</title>{open}{close}</item>")), None)
    };
    // The item itself is one level.
    assert_eq!(nested(XML_DEPTH_MAX - 1).unwrap().items.len(), 1);
    assert!(matches!(nested(XML_DEPTH_MAX), Err(ConnectorError::Unreadable { .. })));
    let channels = "<channel>".repeat(100_000);
    assert!(matches!(answer(format!("<rss>{channels}").as_bytes(), None), Err(ConnectorError::Unreadable { .. })));
    // What is not read may be as deep as it likes.
    let unknown = format!("<item><title>x</title>{}{}</item>", "<b>".repeat(100_000), "</b>".repeat(100_000));
    assert_eq!(answer(&rss(&unknown), None).unwrap().items.len(), 1);
    let json = format!("{{\"version\":\"https://jsonfeed.org/version/1\",\"items\":{}", "[".repeat(100_000));
    assert!(matches!(answer(json.as_bytes(), None), Err(ConnectorError::Unreadable { .. })));
}

#[test]
fn a_text_at_the_limit_is_whole_and_a_longer_one_is_cut_with_a_warning() {
    let with = |length: usize| {
        let text = "a".repeat(length);
        answer(
            &rss(&format!("<item><pubDate>1 mei 2026</pubDate><content:encoded>{text}</content:encoded></item>")),
            None,
        )
    };
    let page = with(TEXT_BYTES_MAX).unwrap();
    assert_eq!((body(&page.items[0]).len(), page.warnings.len()), (TEXT_BYTES_MAX, 0));
    let page = with(TEXT_BYTES_MAX + 1).unwrap();
    assert_eq!((body(&page.items[0]).len(), page.warnings.len()), (TEXT_BYTES_MAX, 1));
}

#[test]
fn files_terms_and_alternative_texts_are_bounded() {
    let many = |count: usize, one: &dyn Fn(usize) -> String| item(&(0..count).map(one).collect::<String>());
    let images = |n| format!("<enclosure url='/{n}.jpg'/>");
    assert_eq!(many(MEDIA_PER_ITEM_MAX, &images).media.len(), MEDIA_PER_ITEM_MAX);
    assert_eq!(many(MEDIA_PER_ITEM_MAX + 1, &images).media.len(), MEDIA_PER_ITEM_MAX);
    let files = |n| format!("<enclosure url='/{n}.pdf'/>");
    assert_eq!(many(LINKS_PER_ITEM_MAX + 1, &files).links.len(), LINKS_PER_ITEM_MAX);
    let terms = |n| format!("<category>{n}</category>");
    assert_eq!(many(CATEGORIES_PER_ITEM_MAX + 1, &terms).categories.len(), CATEGORIES_PER_ITEM_MAX);
    let alt = |length: usize| {
        let xml = format!("<description>&lt;img src=/a.jpg alt='{}'></description>", "é".repeat(length));
        item(&xml).media[0].alt.as_ref().unwrap().chars().count()
    };
    assert_eq!((alt(ALT_CHARS_MAX), alt(ALT_CHARS_MAX + 1)), (ALT_CHARS_MAX, ALT_CHARS_MAX));
}

#[test]
fn names_and_terms_are_bounded() {
    let many = |tag: &str, count: usize| (0..count).map(|n| format!("<{tag}>{n}</{tag}>")).collect::<String>();
    assert_eq!(item(&many("dc:creator", AUTHORS_PER_ITEM_MAX + 1)).authors.len(), AUTHORS_PER_ITEM_MAX);
    for length in [NAME_CHARS_MAX, NAME_CHARS_MAX + 1] {
        let name = "é".repeat(length);
        let item = item(&format!("<dc:creator>{name}</dc:creator><category>{name}</category>"));
        assert_eq!(item.authors[0].chars().count(), NAME_CHARS_MAX);
        assert_eq!(item.categories[0].term.chars().count(), NAME_CHARS_MAX);
    }
}

#[test]
fn declarations_and_attributes_beyond_the_limit_are_passed_over() {
    // An element says at most ATTRIBUTES_MAX things; the declarations of all open elements together are bounded too.
    let declared = |others: usize| {
        let fill = |count: usize| (0..count).map(|n| format!(" xmlns:n{n}='urn:{n}'")).collect::<String>();
        let (first, second) = (others.min(ATTRIBUTES_MAX), others.saturating_sub(ATTRIBUTES_MAX));
        let xml = format!(
            "<rss{}><channel{}><item xmlns:m='http://search.yahoo.com/mrss/'><m:content url='/a.jpg'/></item></channel></rss>",
            fill(first),
            fill(second)
        );
        answer(xml.as_bytes(), None).unwrap().items[0].media.len()
    };
    assert_eq!((declared(NAMESPACES_MAX - 1), declared(NAMESPACES_MAX)), (1, 0));
    let attributes = |others: usize| {
        let fill: String = (0..others).map(|n| format!(" a{n}='x'")).collect();
        item(&format!("<enclosure{fill} url='/a.jpg'/>")).media.len()
    };
    assert_eq!((attributes(ATTRIBUTES_MAX - 1), attributes(ATTRIBUTES_MAX)), (1, 0));
}

#[test]
fn a_wait_is_at_most_a_year() {
    let wait = |ttl: u64| {
        let xml = format!("<rss><channel><ttl>{ttl}</ttl></channel></rss>");
        answer(xml.as_bytes(), None).unwrap().politeness.least_minutes
    };
    assert_eq!((wait(0), wait(15), wait(99_999_999), wait(99_999_999_999)), (None, Some(15), Some(527_040), None));
}

/// Inputs that make careless readers quadratic. A linear one needs well under a second each, even in a debug build; quadratic
/// time would be minutes.
#[test]
fn hostile_documents_take_linear_time() {
    let size = 400_000;
    let fill = |piece: &str| piece.repeat(size / piece.len());
    let in_description = |text: &str| rss(&format!("<item><description><![CDATA[{text}]]></description></item>"));
    for body in [
        fill("<").into_bytes(),
        fill("<a").into_bytes(),
        fill("<!D[]>").into_bytes(),
        fill("<!--").into_bytes(),
        rss(&fill("</b>")),
        rss(&fill("&")),
        rss(&format!("<item><title>{}</title></item>", fill("&lt;b "))),
        rss(&format!("<item><description>{}</description></item>", fill("&amp;lt;"))),
        rss(&fill("<item>")),
        rss(&fill("<item/>")),
        rss(&fill("<a xmlns:b='c'>")),
        rss(&format!("<item><description>{}</description></item>", fill("<description>"))),
        in_description(&fill("<b ")),
        in_description(&fill("<b a='")),
        in_description(&fill("<!-- ")),
        in_description(&fill("<script></b>")),
        in_description(&fill("<a href=b>")),
        in_description(&fill("<img src=b alt=c>")),
        format!("<feed xml:base='https://{}/'><entry><content type='html'>{}", fill("a"), fill("&lt;a href=b>"))
            .into_bytes(),
    ] {
        let start = Instant::now();
        let _ = answer(&body, None);
        let head: String = String::from_utf8_lossy(&body).chars().take(120).collect();
        assert!(start.elapsed() < Duration::from_secs(10), "{:?} for {head}", start.elapsed());
    }
}

static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("feed/fixtures/good");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| fs::read(path).unwrap()).collect()
});

fn assert_calm(body: &[u8]) -> Result<(), TestCaseError> {
    let (one, other) = (answer(body, None), answer(body, None));
    prop_assert_eq!(&one, &other);
    if let Ok(page) = one {
        let mut ids: Vec<String> = page.items.iter().map(id).collect();
        ids.sort();
        ids.dedup();
        prop_assert_eq!(ids.len(), page.items.len());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(body in proptest::collection::vec(any::<u8>(), 0..400)) {
        assert_calm(&body)?;
    }

    #[test]
    fn arbitrary_text_in_every_place_never_panics(text in "\\PC{0,60}") {
        for place in ["title", "link", "guid", "pubDate", "description", "content:encoded", "author", "category", "dc:date"] {
            assert_calm(&rss(&format!("<item><{place}>{text}</{place}></item>")))?;
            assert_calm(&rss(&format!("<item><{place}><![CDATA[{text}]]></{place}></item>")))?;
        }
    }

    #[test]
    fn a_damaged_feed_never_panics(
        seed in 0_usize..1_000,
        edits in proptest::collection::vec((any::<prop::sample::Index>(), 0_usize..24, "[<>&;'\"/=:a-z!\\[\\]é\u{0}-]{0,12}"), 1..8),
    ) {
        let mut body = SEEDS[seed % SEEDS.len()].clone();
        for (at, removed, text) in edits {
            let at = at.index(body.len() + 1);
            let end = (at + removed).min(body.len());
            body.splice(at..end, text.into_bytes());
        }
        assert_calm(&body)?;
    }
}
