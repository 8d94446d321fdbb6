use heraut_connectors::item::{Category, Item, RawHtml};
use proptest::prelude::*;

use super::*;
use crate::actor::Language;
use crate::post::compose::{ComposeSettings, compose};
use crate::urls::Base;

const USUAL: Links = Links::As(23);
const LINK: &str = "https://www.voorbeeldstad.nl/nieuws/dijk";

fn content(title: &str, text: &str, link: Option<&str>, tags: &[&str], template: Option<&str>) -> Content {
    let item = Item {
        title: Some(title.to_owned()).filter(|title| !title.is_empty()),
        summary: Some(RawHtml(text.to_owned())),
        canonical_url: link.map(str::to_owned),
        categories: tags.iter().map(|tag| Category { term: (*tag).to_owned(), scheme: None }).collect(),
        ..Item::default()
    };
    let mut settings = ComposeSettings { length_max: 5_000, ..ComposeSettings::default() };
    if let Some(template) = template {
        settings.template = serde_json::from_value(serde_json::json!(template)).unwrap();
    }
    let base = Base::parse("https://social.example.nl").unwrap();
    compose(&item, Vec::new(), &Language::parse("nl-NL").unwrap(), &settings, &base)
}

fn limits(characters: usize) -> Limits {
    Limits { characters, ..Limits::default() }
}

#[test]
fn what_fits_is_said_in_full_with_the_link_and_the_hashtags() {
    let content =
        content("De dijk houdt", "<p>Het <b>water</b> zakt. Volg @gemeente.</p>", Some(LINK), &["hoog water"], None);
    let wording = word(&content, &limits(500), USUAL);
    let expected = format!("De dijk houdt\n\nHet water zakt. Volg @\u{2060}gemeente.\n\n{LINK}\n\n#HoogWater");
    assert_eq!(wording.text, expected);
    assert_eq!((wording.warning.as_str(), wording.language.as_str(), wording.shortened), ("", "nl", false));
}

#[test]
fn a_text_too_long_is_cut_and_keeps_title_link_and_hashtags() {
    let text = "<p>Dit is een zin van veertig tekens of zo. </p>".repeat(40);
    let content = content("De dijk houdt", &text, Some(LINK), &["hoog water"], None);
    let wording = word(&content, &limits(200), USUAL);
    assert!(wording.shortened);
    assert!(wording.text.starts_with("De dijk houdt\n\nDit is een zin"), "{}", wording.text);
    assert!(wording.text.ends_with(&format!("{LINK}\n\n#HoogWater")), "{}", wording.text);
    let counted = count(&wording.text, USUAL);
    assert!((120..=200).contains(&counted), "{counted}: {}", wording.text);
}

#[test]
fn a_link_of_a_template_that_is_not_a_line_by_itself_is_never_cut() {
    let text = "woorden en nog meer woorden ".repeat(50);
    let content = content("Titel", &text, Some(LINK), &[], Some("{text}\n\nlees {link}"));
    let wording = word(&content, &limits(120), USUAL);
    assert!(wording.text.ends_with(LINK), "{}", wording.text);
    assert!(count(&wording.text, USUAL) <= 120);
    let first = word(&self::content("Titel", &text, Some(LINK), &[], Some("{link}\n\n{text}")), &limits(120), USUAL);
    assert!(first.text.starts_with(LINK) && first.text.ends_with('…'), "{}", first.text);
}

#[test]
fn a_post_whose_template_has_no_link_is_given_it() {
    let content = content("Titel", "<p>Tekst</p>", Some(LINK), &["a b"], Some("{title}\n\n{text}\n\n{hashtags}"));
    let wording = word(&content, &limits(500), USUAL);
    assert_eq!(wording.text, format!("Titel\n\nTekst\n\n{LINK}\n\n#AB"));
}

#[test]
fn a_post_without_a_page_has_the_addresses_of_its_links_and_no_half_one() {
    let html = "<p>Lees <a href=\"https://a.nl/een\">het plan</a> en <a href=\"https://a.nl/twee\">meer</a>.</p>";
    let content = content("", html, None, &[], None);
    let whole = word(&content, &limits(500), USUAL);
    assert_eq!(whole.text, "Lees het plan (https://a.nl/een) en meer (https://a.nl/twee).");
    let strict = word(&content, &limits(50), Links::InFull);
    assert!(strict.text.graphemes(true).count() <= 50, "{}", strict.text);
    for word in strict.text.split_whitespace().filter(|word| word.contains("://")) {
        assert!(whole.text.contains(word.trim_end_matches('…')), "{word}");
    }
}

#[test]
fn a_warning_counts_too_and_a_long_one_is_cut() {
    let mut content = content("Titel", "<p>Tekst</p>", Some(LINK), &[], None);
    content.warning = Some("Pas op. ".repeat(100).trim().to_owned());
    let wording = word(&content, &limits(120), USUAL);
    assert!(wording.warning.chars().count() <= 40, "{}", wording.warning);
    assert!(wording.text.contains(LINK));
    assert!(count(&wording.text, USUAL) + wording.warning.graphemes(true).count() <= 120);
}

proptest! {
    #[test]
    fn whatever_a_post_says_it_fits_and_has_its_link(
        title in "[a-z é👍#@]{0,80}",
        text in "(<p>|</p>|[a-zA-Z .!?é👨‍👩‍👧@#]|https://b\\.nl/c |<a href=\"https://d\\.nl/e\">f</a>){0,400}",
        tags in proptest::collection::vec("[a-z]{1,30}", 0..6),
        linked in any::<bool>(),
        characters in 80_usize..600,
    ) {
        let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
        let content = content(&title, &text, linked.then_some(LINK), &tags, None);
        for links in [USUAL, Links::InFull] {
            let wording = word(&content, &limits(characters), links);
            prop_assert!(count(&wording.text, links) <= characters, "{}", wording.text);
            prop_assert!(!linked || wording.text.contains(LINK), "{}", wording.text);
            prop_assert_eq!(wording.clone(), word(&content, &limits(characters), links));
        }
    }
}
