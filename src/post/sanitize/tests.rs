//! Tests of the sanitiser: what peers keep, and what hostile sources send.

use std::time::{Duration, Instant};

use heraut_connectors::item::RawHtml;
use proptest::prelude::*;
use url::Url;

use super::{GATE, sanitize};

const REL: &str = r#" rel="nofollow noopener""#;

fn clean(raw: &str) -> String {
    let base = Url::parse("https://stad.example/nieuws/42").unwrap();
    sanitize(&RawHtml(raw.to_owned()), Some(&base)).as_str().replace(REL, "")
}

#[test]
fn elements_become_those_that_peers_keep() {
    let cases = [
        ("plain text", "<p>plain text</p>"),
        ("a &eacute; &amp; &lt;b&gt; &nbsp; c", "<p>a é &amp; &lt;b&gt; c</p>"),
        ("<b>a</b> <i>b</i><u>c</u>", "<p><strong>a</strong> <em>b</em>c</p>"),
        ("<h1>Kop</h1>tekst", "<p><strong>Kop</strong></p><p>tekst</p>"),
        ("<div>a<section>b</section></div>c", "<p>a</p><p>b</p><p>c</p>"),
        ("<p>a<p>b", "<p>a</p><p>b</p>"),
        ("a<br>b<br/><br />c", "<p>a<br>b</p><p>c</p>"),
        ("<ul><li>a<li>b<ol><li>c</ol></ul>", "<ul><li>a</li><li>b<ol><li>c</li></ol></li></ul>"),
        ("<ul><li>a</li><ul><li>b</li></ul></ul>", "<ul><li>a<ul><li>b</li></ul></li></ul>"),
        ("<ul><li><p>a</p><p>b</p></li></ul>", "<ul><li>a<br>b</li></ul>"),
        ("<blockquote>a<p>b</p></blockquote>", "<blockquote><p>a</p><p>b</p></blockquote>"),
        ("<table><tr><th>ma</th><td>9 uur</td></tr><tr><td>di<td></table>", "<p>ma – 9 uur<br>di</p>"),
        ("<table><tr><td><p>a</p><p>b</p></td></tr></table>", "<p>a</p><p>b</p>"),
        ("<dl><dt>a<dd>b</dl>", "<p>a</p><p>b</p>"),
        ("<pre>a\nb</pre>", "<p>a<br>b</p>"),
        ("<q>a</q>", "<p>“a”</p>"),
        ("<p>m<sup>2</sup></p>", "<p>m2</p>"),
        ("<p><b>a<p>b</b>c", "<p><strong>a</strong></p><p>bc</p>"),
        ("<b>a</b><b>b</b>", "<p><strong>ab</strong></p>"),
        ("<p>a <b> b </b> c</p>", "<p>a <strong>b</strong> c</p>"),
    ];
    for (raw, expected) in cases {
        assert_eq!(clean(raw), expected, "{raw}");
    }
}

#[test]
fn what_is_not_text_is_left_out() {
    let cases = [
        ("a<script>alert('<p>')</script>b", "<p>ab</p>"),
        ("a<style>p{}</style><img src=x onerror=alert(1)>b<iframe src=x>c</iframe>", "<p>ab</p>"),
        ("<figure><img src=x><figcaption>Foto: ANP</figcaption></figure>a", "<p>a</p>"),
        ("De regel <del>geldt</del> vervalt", "<p>De regel vervalt</p>"),
        ("<del>never closed", "<p>never closed</p>"),
        ("<p>&nbsp;</p><p> </p><p><br></p><ul><li></li></ul><blockquote></blockquote>a", "<p>a</p>"),
        ("<!-- c --><!doctype html><?php x ?>a", "<p>a</p>"),
        ("<svg><title>t</title><script>x</script></svg>a", "<p>a</p>"),
        ("a<script>", "<p>a</p>"),
        ("a<p title='x", "<p>a</p>"),
        (r#"<img class="wp-smiley" alt="🙂" src=x>"#, "<p>🙂</p>"),
        ("1 < 2 <3", "<p>1 &lt; 2 &lt;3</p>"),
        ("a\u{202e}b\u{200b}c\u{ad}d\u{0}", "<p>abcd</p>"),
    ];
    for (raw, expected) in cases {
        assert_eq!(clean(raw), expected, "{raw}");
    }
}

#[test]
fn links_are_http_absolute_and_honest() {
    let cases = [
        (
            r#"<a href="https://a.example/?utm_source=x&amp;b=1">t</a>"#,
            r#"<p><a href="https://a.example/?utm_source=x&amp;b=1">t</a></p>"#,
        ),
        (r#"<a href="/p?q=1" onclick="x" style="y">t</a>"#, r#"<p><a href="https://stad.example/p?q=1">t</a></p>"#),
        ("<a href='//b.example/x'>t</a>", r#"<p><a href="https://b.example/x">t</a></p>"#),
        ("<a href=javascript:alert(1)>t</a>", "<p>t</p>"),
        ("<a href='java&#10;script:alert(1)'>t</a>", "<p>t</p>"),
        ("<a href='data:text/html,x'>t</a><a href='ftp://a.example'>u</a>", "<p>tu</p>"),
        ("<a href='#noot1'>1</a>", "<p>1</p>"),
        ("<a href='https://bank.example@evil.example/'>t</a>", "<p>t</p>"),
        (
            r#"<a href="https://a.example/&quot;><script>">t</a>"#,
            r#"<p><a href="https://a.example/%22%3E%3Cscript%3E">t</a></p>"#,
        ),
        ("<a href='https://a.example/'><img src=x></a>b", "<p>b</p>"),
        ("<a href='https://a.example/'>een<br>twee</a>", r#"<p><a href="https://a.example/">een twee</a></p>"#),
        ("<a href='https://a.example/'><p>een</p></a>", r#"<p><a href="https://a.example/">een</a></p>"#),
        ("Mail <a href='mailto:info@stad.example?subject=x'>ons</a>.", "<p>Mail ons (info@stad.example).</p>"),
        ("<a href='mailto:Info@stad.example'>info@stad.example</a>", "<p>info@stad.example</p>"),
        ("Bel <a href='tel:+31201234567'>020 123 45 67</a>", "<p>Bel 020 123 45 67</p>"),
        ("Bel <a href='tel:14020'>de gemeente</a>", "<p>Bel de gemeente (14020)</p>"),
        ("a <a href='https://www.facebook.com/sharer/sharer.php?u=x'>Deel</a>", "<p>a</p>"),
        ("a <a href='mailto:?subject=x'>Deel</a><a href='https://wa.me/?text=x'>App</a>", "<p>a</p>"),
        ("<a href='https://wa.me/31612345678'>App</a>", r#"<p><a href="https://wa.me/31612345678">App</a></p>"#),
        ("<ul><li><a href='https://x.com/intent/post?u=x'>X</a></li></ul>a", "<p>a</p>"),
    ];
    for (raw, expected) in cases {
        assert_eq!(clean(raw), expected, "{raw}");
    }
    let relative = sanitize(&RawHtml("<a href='/x'>t</a>".to_owned()), None);
    assert_eq!(relative.as_str(), "<p>t</p>", "a relative link without a base");
}

#[test]
fn every_link_carries_the_rel_that_mastodon_writes() {
    let html = sanitize(&RawHtml("<a href='https://a.example/' rel=me target=x>t</a>".to_owned()), None);
    assert_eq!(html.as_str(), r#"<p><a href="https://a.example/" rel="nofollow noopener">t</a></p>"#);
}

#[test]
fn hostile_input_costs_linear_time_and_bounded_output() {
    let times = 100_000;
    let href = format!("<a href='https://a.example/{}'>", "x".repeat(2_000));
    let cases = [
        "<div>".repeat(times) + "text",
        "<b>".repeat(times) + "text" + &"</b>".repeat(times),
        "<ul><li>".repeat(times) + "text",
        "<blockquote>".repeat(times) + "text",
        "<table><tr><td>".repeat(times) + "text",
        (0..times).map(|n| format!("<font color={n}>")).collect::<String>() + &"<p>x</p>".repeat(times),
        "<a href=x>".repeat(times),
        "<p><b><i>".repeat(times),
        "<div><table></div>".repeat(times),
        "<svg>".repeat(times),
        "<".repeat(5 * times),
        "<a ".repeat(times),
        "</p>".repeat(times),
        "<del>".repeat(times),
        "<!--".repeat(times),
        "&".repeat(5 * times),
        "&a".repeat(2 * times),
        "&#".repeat(2 * times),
        "&noti ".repeat(times),
        "\u{b0}".repeat(2 * times),
        "&copy;".repeat(times),
        format!("<a href='https://a.example/?{}'>x</a>", "&a".repeat(times)),
        "a<br>".repeat(times),
        "<a href='".repeat(times),
        href + &"<p>x".repeat(times),
    ];
    for raw in cases {
        let begun = Instant::now();
        let out = sanitize(&RawHtml(raw.clone()), None);
        let took = begun.elapsed();
        let start: String = raw.chars().take(24).collect();
        // A debug build under load takes a few hundred milliseconds; quadratic behaviour takes minutes.
        assert!(took < Duration::from_secs(6), "{start}… took {took:?}");
        assert!(out.as_str().len() < 2 * 1_024 * 1_024, "{start}… gave {} bytes", out.as_str().len());
    }
}

fn markup() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        proptest::sample::select(vec![
            "<p>",
            "</p>",
            "<b>",
            "</b>",
            "<i>",
            "</i>",
            "<ul>",
            "</ul>",
            "<ol>",
            "<li>",
            "</li>",
            "<br>",
            "<div>",
            "</div>",
            "<blockquote>",
            "</blockquote>",
            "<a href='https://a.example/?a&b'>",
            "<a href=/x>",
            "</a>",
            "<a href='mailto:a@b.example'>",
            "<table>",
            "<tr>",
            "<td>",
            "</td>",
            "</table>",
            "<h2>",
            "</h2>",
            "<del>",
            "</del>",
            "<script>",
            "</script>",
            "<!--",
            "-->",
            "&lt;",
            "&amp;",
            "&nbsp;",
            " ",
            "\n",
            "<",
            "tekst",
            "<pre>",
            "</ul>",
            "<svg>",
            "<math>",
            "<img class=emoji alt=é>",
            "&#x202e;",
            "\"",
            "'",
        ])
        .prop_map(str::to_owned),
        ".{0,6}",
    ];
    proptest::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn sanitising_twice_changes_nothing(raw in markup()) {
        let once = sanitize(&RawHtml(raw), Some(&Url::parse("https://b.example/").unwrap()));
        let twice = sanitize(&RawHtml(once.as_str().to_owned()), None);
        prop_assert_eq!(once.as_str(), twice.as_str());
    }

    #[test]
    fn an_independent_parser_finds_nothing_else_in_the_output(raw in markup()) {
        let out = sanitize(&RawHtml(raw), None);
        prop_assert_eq!(GATE.clean(out.as_str()).to_string(), out.as_str().replace(REL, ""));
    }
}
