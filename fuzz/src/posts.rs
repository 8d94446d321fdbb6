//! What becomes of an item: the sanitiser, the digest, the post and its bytes.

use heraut::actor::Language;
use heraut::post::compose::{ComposeSettings, HTML_BYTES_MAX, LENGTH_CEILING, compose};
use heraut::post::revision::digest;
use heraut::post::sanitize::sanitize;
use heraut::post::text::plain;
use heraut::urls::Base;
use heraut_connectors::item::{Item, RawHtml};
use url::Url;

/// An item as JSON, or else its HTML.
pub(crate) fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let item = serde_json::from_str(&text).unwrap_or_else(|_| Item {
        source_id: "1".to_owned(),
        canonical_url: Some("https://www.voorbeeldstad.example/nieuws/1".to_owned()),
        title: Some("Dijk veilig".to_owned()),
        body: Some(RawHtml(text.into_owned())),
        ..Item::default()
    });
    for raw in [&item.summary, &item.body].into_iter().flatten() {
        let base = item.canonical_url.as_deref().and_then(|url| Url::parse(url).ok());
        let html = sanitize(raw, base.as_ref());
        harmless(html.as_str());
        let again = sanitize(&RawHtml(html.as_str().to_owned()), base.as_ref());
        assert_eq!(html.as_str(), again.as_str(), "what is clean is cleaned once more");
    }
    assert_eq!(digest(&item), digest(&item.clone()));
    let language = Language::parse("nl").unwrap();
    let base = Base::parse("https://social.example.nl").unwrap();
    let content = compose(&item, Vec::new(), &language, &ComposeSettings::default(), &base);
    harmless(content.html.as_str());
    assert!(content.html.as_str().len() <= HTML_BYTES_MAX, "{} bytes of HTML", content.html.as_str().len());
    assert!(plain(&content.html).chars().count() <= LENGTH_CEILING);
    assert_eq!(content, compose(&item, Vec::new(), &language, &ComposeSettings::default(), &base));
}

/// Only what a Note may have: nothing that runs or loads by itself.
fn harmless(html: &str) {
    const TAGS: &[&str] =
        &["p", "br", "a", "span", "strong", "b", "em", "i", "ul", "ol", "li", "blockquote", "pre", "code", "del", "u"];
    for tag in html.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').unwrap_or_else(|| panic!("a tag without an end in {html}"));
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or_default();
        assert!(TAGS.contains(&name), "<{tag}> in {html}");
        // One after the other: a value may look like the name of the next (`href="…?src="`).
        let mut rest = tag;
        while let Some((before, after)) = rest.split_once("=\"") {
            let name = before.rsplit(' ').next().unwrap_or_default();
            let (value, behind) = after.split_once('"').unwrap_or_else(|| panic!("<{tag}> in {html}"));
            assert!(
                ["href", "class", "rel", "lang", "translate", "target", "start", "value", "reversed"].contains(&name),
                "<{tag}> in {html}"
            );
            let is_web = value.starts_with("http");
            assert!(name != "href" || is_web || value.starts_with("mailto:"), "<{tag}> in {html}");
            rest = behind;
        }
    }
}
