//! Tests of plain text and of cutting.

use heraut_connectors::item::RawHtml;
use proptest::prelude::*;

use super::{plain, sentence, shorten, shorten_plain};
use crate::post::sanitize::{SafeHtml, sanitize};

fn safe(html: &str) -> SafeHtml {
    sanitize(&RawHtml(html.to_owned()), None)
}

#[test]
fn plain_text_keeps_paragraphs_lines_and_entries_apart() {
    let cases = [
        ("<p>a <b>b</b></p><p>c<br>d</p>", "a b\n\nc\nd"),
        ("<p>a</p><ul><li>b</li><li>c<ol><li>d</li></ol></li></ul><p>e</p>", "a\n\n- b\n- c\n  1. d\n\ne"),
        ("<blockquote><p>a &amp; b</p></blockquote>", "a & b"),
        ("", ""),
    ];
    for (html, expected) in cases {
        assert_eq!(plain(&safe(html)), expected, "{html}");
    }
}

#[test]
fn hashtags_and_links_that_compose_wrote_are_plain_text_too() {
    let tag = r#"<p><a href="https://h.example/tags/x" class="mention hashtag" rel="tag">#<span>X</span></a> y</p>"#;
    assert_eq!(plain(&SafeHtml::trusted(tag.to_owned())), "#X y");
}

#[test]
fn a_sentence_does_not_end_at_an_abbreviation_an_initial_or_an_ordinal() {
    let cases = [
        ("Een zin. Nog een! Echt? Ja.", vec!["Een zin.", "Een zin. Nog een!", "Een zin. Nog een! Echt?", "*"]),
        ("Bijv. Rijkswaterstaat helpt. Goed.", vec!["Bijv. Rijkswaterstaat helpt.", "*"]),
        ("Dat is d.w.z. Nederland. Ja.", vec!["Dat is d.w.z. Nederland.", "*"]),
        ("Zie nr. 5 en art. 12. Of drs. Jansen.", vec!["*"]),
        ("J. de Vries en mr. dr. P. Bakker spreken. Kom.", vec!["J. de Vries en mr. dr. P. Bakker spreken.", "*"]),
        ("De 1. Mei-viering. Klaar.", vec!["De 1. Mei-viering.", "*"]),
        ("Sinds 2026. Daarna.", vec!["Sinds 2026.", "*"]),
        ("Hij zei: \"Kom.\" Zij ging (echt.) Ja", vec!["Hij zei: \"Kom.\"", "Hij zei: \"Kom.\" Zij ging (echt.)"]),
        ("Om 10.30 uur op stad.nl. Tot dan", vec!["Om 10.30 uur op stad.nl."]),
        ("Geen punt", vec![]),
    ];
    for (text, expected) in cases {
        let found: Vec<String> = sentence::ends(text).into_iter().map(|at| text.chars().take(at).collect()).collect();
        let expected: Vec<&str> = expected.into_iter().map(|e| if e == "*" { text } else { e }).collect();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn a_cut_is_at_a_sentence_or_else_at_a_word() {
    let cases = [
        ("<p>Een zin. Nog een zin.</p>", 30, "<p>Een zin. Nog een zin.</p>"),
        ("<p>Een lange zin hier. Nog een zin.</p>", 24, "<p>Een lange zin hier.</p>"),
        ("<p>Kort. Een veel langere zin komt hierna.</p>", 30, "<p>Kort. Een veel langere zin…</p>"),
        ("<p>Een <b>vet woord hier</b></p>", 12, "<p>Een <strong>vet…</strong></p>"),
        ("<p>Een zin.</p><p>Twee zin.</p>", 12, "<p>Een zin.</p>"),
        ("<p>Kop</p><p>Verder, gaat het</p>", 13, "<p>Kop</p><p>Verder…</p>"),
        ("<ul><li>een</li><li>twee drie vier</li></ul>", 14, "<ul><li>een</li><li>twee…</li></ul>"),
        ("<blockquote><p>aa bb cc</p></blockquote><p>d</p>", 6, "<blockquote><p>aa bb…</p></blockquote>"),
        ("<p>Rijkswaterstaat</p>", 5, "<p>Rijk…</p>"),
        ("<p>ab</p>", 0, ""),
        ("<p>a👩‍👩‍👧bcd</p>", 5, "<p>a…</p>"),
    ];
    for (html, max, expected) in cases {
        assert_eq!(shorten(&safe(html), max).as_str(), expected, "{html} at {max}");
    }
    assert_eq!(shorten_plain("Een foto van de brug, in de regen", 24), "Een foto van de brug…");
    assert_eq!(shorten_plain("Een foto van de brug. In de regen", 24), "Een foto van de brug.");
}

proptest! {
    #[test]
    fn a_cut_fits_and_stays_well_formed(raw in "(<p>|<ul>|<li>|</ul>|<b>|</b>|<br>|[a-c. ]{1,9}|\\PC{0,3}){0,30}", max in 0_usize..60) {
        let html = safe(&raw);
        let short = shorten(&html, max);
        prop_assert!(plain(&short).chars().count() <= max);
        prop_assert_eq!(safe(short.as_str()), short);
        prop_assert!(shorten_plain(&raw, max).chars().count() <= max);
    }
}

#[test]
fn a_cut_leaves_no_break_at_the_end_of_a_line() {
    assert_eq!(shorten(&safe("\"<br>a."), 3).as_str(), "<p>\"…</p>");
    let short = shorten(&safe("b<br><br>a a."), 4);
    assert!(!short.as_str().contains("<br></p>"), "{short:?}");
}

/// What this thread has computed so far: not the time on the wall, which depends on what else the machine does.
fn own_cpu() -> std::time::Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    std::time::Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

#[test]
fn cutting_hostile_text_costs_linear_time() {
    let units = [
        ".",
        ". ",
        ".) ",
        ".1",
        "1",
        "a.a",
        "\u{200d}",
        "\u{1f1f3}",
        "\u{301}",
        "'",
        "a'",
        "!?",
        ".\"",
        "é",
        "中",
        "…",
        "a\u{ad}",
    ];
    for unit in units {
        for prefix in ["", "A.", "A. "] {
            let html = safe(&format!("{prefix}{}", unit.repeat(240_000 / unit.len())));
            let begun = own_cpu();
            let short = shorten(&html, 5_000);
            let took = own_cpu() - begun;
            assert!(plain(&short).chars().count() <= 5_000);
            assert!(took.as_secs() < 6, "{prefix}{unit}… took {took:?}");
        }
    }
}
