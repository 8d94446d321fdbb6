//! Tests of composing: what a post says, in the markup that peers keep.

use heraut_connectors::item::{Category, Item, RawHtml};
use proptest::prelude::*;

use super::*;
use crate::ids::MediaId;

const LINK: &str = r#"<p><a href="https://stad.example/n/1" rel="nofollow noopener">https://stad.example/n/1</a></p>"#;

fn item(title: &str, body: &str) -> Item {
    Item {
        source_id: "1".to_owned(),
        canonical_url: Some("https://stad.example/n/1".to_owned()),
        title: Some(title.to_owned()).filter(|t| !t.is_empty()),
        body: Some(RawHtml(body.to_owned())),
        ..Item::default()
    }
}

fn made(item: &Item, settings: &ComposeSettings) -> Content {
    let base = Base::parse("https://social.example").unwrap();
    compose(item, Vec::new(), &Language::parse("nl").unwrap(), settings, &base)
}

fn html(title: &str, body: &str) -> String {
    made(&item(title, body), &ComposeSettings::default()).html.as_str().to_owned()
}

fn with_template(template: &str) -> ComposeSettings {
    ComposeSettings { template: Template::parse(template).unwrap(), ..ComposeSettings::default() }
}

fn tags(terms: &[&str], settings: HashtagSettings) -> Vec<String> {
    let categories = terms.iter().map(|t| Category { term: (*t).to_owned(), scheme: None }).collect();
    let item = Item { categories, ..item("Titel", "") };
    let settings = ComposeSettings { hashtags: settings, ..ComposeSettings::default() };
    made(&item, &settings).hashtags.into_iter().map(|tag| tag.0).collect()
}

#[test]
fn a_post_has_title_text_link_and_hashtags() {
    let mut item = item("Brug <dicht>", "<p>De brug is dicht.</p><p>Tot morgen.</p>");
    item.categories = vec![Category { term: "hoog water".to_owned(), scheme: None }];
    let content = made(&item, &ComposeSettings::default());
    let expected = format!(
        "<p><strong>Brug &lt;dicht&gt;</strong></p><p>De brug is dicht.</p><p>Tot morgen.</p>{LINK}{}",
        r#"<p><a href="https://social.example/tags/HoogWater" class="mention hashtag" rel="tag">#<span>HoogWater</span></a></p>"#
    );
    assert_eq!(content.html.as_str(), expected);
    assert_eq!(content.title.as_deref(), Some("Brug <dicht>"));
    assert_eq!(content.link.as_deref(), Some("https://stad.example/n/1"));
    assert_eq!((content.language.as_str(), content.warning), ("nl", None));
}

#[test]
fn the_title_is_not_said_twice() {
    let strong = "<p><strong>Brug dicht</strong></p>";
    let cases = [
        ("Brug dicht", "<h1>Brug  dicht</h1><p>Tot morgen.</p>", format!("{strong}<p>Tot morgen.</p>{LINK}")),
        ("Brug dicht", "<p>brug dicht!</p>", format!("{strong}{LINK}")),
        ("Brug dicht", "<p>Brug dicht tot morgen.</p>", format!("<p>Brug dicht tot morgen.</p>{LINK}")),
        ("Brug dicht to…", "<p>Brug dicht tot morgen.</p>", format!("<p>Brug dicht tot morgen.</p>{LINK}")),
        ("Brug dicht", "<p>Brug dichtbij.</p>", format!("{strong}<p>Brug dichtbij.</p>{LINK}")),
        ("", "<p>Los bericht.</p>", format!("<p>Los bericht.</p>{LINK}")),
        ("Brug dicht", "", format!("{strong}{LINK}")),
    ];
    for (title, body, expected) in cases {
        assert_eq!(html(title, body), expected, "{title} / {body}");
    }
}

#[test]
fn the_source_article_is_the_first_link() {
    let form = r#"<a href="https://form.example/" rel="nofollow noopener">Meld u</a>"#;
    let raw = "<p><a href='https://form.example/'>Meld u</a> aan.</p>";
    let titled = r#"<p><a href="https://stad.example/n/1" rel="nofollow noopener"><strong>Feest</strong></a></p>"#;
    assert_eq!(html("Feest", raw), format!("{titled}<p>{form} aan.</p>{LINK}"), "the title carries the link");
    assert_eq!(html("", raw), format!("<p>Meld u aan.</p>{LINK}"), "without a title the other link becomes text");
    let link_first = made(&item("Feest", raw), &with_template("{title}\n\n{link}\n\n{text}"));
    assert_eq!(link_first.html.as_str(), format!("<p><strong>Feest</strong></p>{LINK}<p>{form} aan.</p>"));
    let no_url = Item { canonical_url: None, ..item("Feest", raw) };
    let expected = format!("<p><strong>Feest</strong></p><p>{form} aan.</p>");
    assert_eq!(made(&no_url, &ComposeSettings::default()).html.as_str(), expected);
    let odd = Item { canonical_url: Some("javascript:alert(1)".to_owned()), ..item("Feest", "") };
    assert_eq!(made(&odd, &ComposeSettings::default()).link, None);
}

#[test]
fn what_a_feed_adds_at_the_end_is_left_out() {
    let text = format!("<p>De brug is dicht.</p>{LINK}");
    let cases = [
        (
            "<p>De brug is dicht.</p><p><a href='https://www.stad.example/n/1/?utm=x'>Bekijk het bericht</a></p>",
            text.clone(),
        ),
        ("<p>De brug is dicht. <a href='/n/1'>Lees meer »</a></p>", text.clone()),
        (
            "<p>De brug is dicht.</p><p>The post <a href='/n/1'>Brug</a> appeared first on <a href='/'>Stad</a>.</p>",
            text,
        ),
        ("<p>De brug is [&hellip;]</p>", format!("<p>De brug is…</p>{LINK}")),
        (
            "<p>Kijk op <a href='/n/1'>de site</a></p>",
            format!(r#"<p>Kijk op <a href="https://stad.example/n/1" rel="nofollow noopener">de site</a></p>{LINK}"#),
        ),
    ];
    for (body, expected) in cases {
        assert_eq!(html("", body), expected, "{body}");
    }
}

#[test]
fn the_template_shapes_the_post_and_empty_parts_vanish() {
    let mut item = item("Titel", "<p>Tekst.</p>");
    let lead = "Nieuws {{stad}}: {title}\nLees meer: {link}\n{hashtags}\n\nTags: {hashtags}";
    assert!(Template::parse(lead).is_err());
    let settings =
        with_template("Nieuws & {{stad}}: {title}\nLees meer: {link}\n\nTags: {hashtags}\n\n{text}\n\nDe stad");
    item.canonical_url = None;
    assert_eq!(
        made(&item, &settings).html.as_str(),
        "<p>Nieuws &amp; {stad}: <strong>Titel</strong></p><p>Tekst.</p><p>De stad</p>"
    );
}

#[test]
fn the_body_setting_chooses_lead_body_or_nothing() {
    let item = Item { summary: Some(RawHtml("lead".to_owned())), ..item("T", "body") };
    for (body, expected) in [(BodyChoice::Summary, "lead"), (BodyChoice::Full, "body"), (BodyChoice::None, "")] {
        let settings = ComposeSettings { body, ..with_template("{text}\n\n{link}") };
        let html = made(&item, &settings).html;
        assert_eq!(html.as_str().contains("<p>lead</p>"), expected == "lead", "{body:?}");
        assert_eq!(html.as_str().contains("<p>body</p>"), expected == "body", "{body:?}");
    }
    let blank_lead = Item { summary: Some(RawHtml("<p>&nbsp;</p>".to_owned())), ..item };
    assert!(made(&blank_lead, &ComposeSettings::default()).html.as_str().contains("<p>body</p>"));
}

#[test]
fn categories_become_hashtags_that_screen_readers_can_read() {
    let cases: Vec<(&[&str], &[&str])> = vec![
        (&["hoog water"], &["HoogWater"]),
        (&["Bouwen & wonen", "café-terrassen", "KNMI"], &["BouwenWonen", "CaféTerrassen", "KNMI"]),
        (&["2026", "112", "5 mei"], &["5Mei"]),
        (&["Water", "water", "WATER"], &["Water"]),
        (&["Nieuws", "Geen categorie", "Uncategorized", ""], &[]),
        (&["foto's", "#verkeer", "a/b_c"], &["fotos", "verkeer", "ABC"]),
        (&["Ministerie van Infrastructuur en Waterstaat en nog meer"], &[]),
        (&["a", "b", "c", "d", "e", "f"], &["a", "b", "c", "d", "e"]),
        (&["<script>\"x"], &["ScriptX"]),
    ];
    for (terms, expected) in cases {
        assert_eq!(tags(terms, HashtagSettings::default()), expected, "{terms:?}");
    }
}

#[test]
fn the_map_renames_and_drops_categories_and_comes_first() {
    let map = BTreeMap::from([
        ("Hoog Water".to_owned(), Some("#Overstroming".to_owned())),
        ("intern".to_owned(), None),
        ("vacature".to_owned(), Some(String::new())),
    ]);
    let settings = |from_categories, max| HashtagSettings { from_categories, max, map: map.clone() };
    let terms = ["natuur", "intern", "Vacature", "hoog water"];
    assert_eq!(tags(&terms, settings(true, 5)), ["Overstroming", "natuur"]);
    assert_eq!(tags(&terms, settings(true, 1)), ["Overstroming"]);
    assert_eq!(tags(&terms, settings(false, 5)), ["Overstroming"]);
}

#[test]
fn a_post_is_cut_at_a_sentence_to_the_length_that_was_set() {
    let settings = ComposeSettings { length_max: 100, ..ComposeSettings::default() };
    let content = made(&item("Titel", &"Dit is een zin. ".repeat(50)), &settings);
    let text = plain(&content.html);
    assert!(text.chars().count() <= 100, "{text}");
    assert_eq!(
        text,
        "Titel\n\nDit is een zin. Dit is een zin. Dit is een zin. Dit is een zin.\n\nhttps://stad.example/n/1"
    );
}

#[test]
fn there_are_four_images_at_most_with_a_bounded_alternative_text() {
    let image = |alt: Option<String>| Image {
        id: MediaId(1),
        source_url: String::new(),
        media_type: "image/png".to_owned(),
        width: 1,
        height: 1,
        blurhash: String::new(),
        alt,
        sha256: String::new(),
    };
    let images =
        vec![image(Some("woord ".repeat(400))), image(Some(" ".to_owned())), image(None), image(None), image(None)];
    let base = Base::parse("https://social.example").unwrap();
    let nl = Language::parse("nl").unwrap();
    let content = compose(&item("T", ""), images, &nl, &ComposeSettings::default(), &base);
    assert_eq!(content.images.len(), 4);
    let alt = content.images[0].alt.as_deref().unwrap();
    assert!(alt.chars().count() <= 1_500 && alt.ends_with("woord…"), "{alt}");
    assert_eq!(content.images[1].alt, None);
}

#[test]
fn the_language_of_the_item_comes_first() {
    for (tag, expected) in [(Some("en-GB"), "en-GB"), (Some("onzin!"), "nl"), (None, "nl")] {
        let item = Item { language: tag.map(str::to_owned), ..item("T", "") };
        assert_eq!(made(&item, &ComposeSettings::default()).language.as_str(), expected);
    }
}

#[test]
fn settings_are_closed_and_checked() {
    let good: ComposeSettings = toml::from_str("length_max = 500\nbody = 'full'\n[hashtags.map]\nintern = ''").unwrap();
    assert_eq!((good.length_max, good.body), (500, BodyChoice::Full));
    let cases = [
        ("length_max = 5001", "1 to 5000"),
        ("length_max = 0", "1 to 5000"),
        ("template = '{titel} {text}'", "`{titel}`"),
        ("lenght_max = 5", "unknown field"),
        ("[hashtags]\nmaximum = 3", "unknown field"),
    ];
    for (text, expected) in cases {
        let error = toml::from_str::<ComposeSettings>(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_post_is_ever_too_long(title in "\\PC{0,400}", unit in "(\\PC{1,12}|<p>|<li>|<a href='https://a.example/\\w{0,90}'>x</a>| |\\. ){1,20}", times in 1_usize..300, length_max in 1_usize..=5_000) {
        let settings = ComposeSettings { length_max, ..ComposeSettings::default() };
        let content = made(&item(&title, &unit.repeat(times)), &settings);
        let around = 300 + 30 + 4;
        prop_assert!(plain(&content.html).chars().count() <= length_max.max(around));
        prop_assert!(content.html.as_str().len() <= HTML_BYTES_MAX);
    }
}
