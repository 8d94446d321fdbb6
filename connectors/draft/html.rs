//! HTML in feeds: addresses made absolute, images found, counting pixels dropped.
//!
//! This is no sanitiser: the result is as untrusted as the input and the core sanitises it. One pass, linear in the input; tags
//! are told apart as the HTML standard's tokenizer does (§13.2.5), unknown ones are copied as they are.

use url::Url;

use super::entities;
use super::text::escape;
use super::xml::{ATTRIBUTES_MAX, Attributes};

/// How much longer than its input the output may be, besides twice it, in bytes. After that addresses are left as they are: a
/// long base and many short addresses must not make gigabytes.
const GROWTH_BYTES_MAX: usize = 16 * 1_024;

/// Most images that are remembered of one text: far above what an item keeps, so that `alt` is found.
const IMAGES_MAX: usize = 64;

/// An `<img>`.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Image {
    /// Absolute http(s) URL.
    pub url: String,
    /// Its alternative text, decoded; `None` when absent or blank.
    pub alt: Option<String>,
    /// `width` in pixels.
    pub width: Option<u32>,
    /// `height` in pixels.
    pub height: Option<u32>,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Resolved {
    /// The HTML, without comments, counting pixels and a tag that never ends.
    pub html: String,
    /// Images in document order, at most [`IMAGES_MAX`].
    pub images: Vec<Image>,
}

/// Makes the addresses in `html` absolute against `base`.
pub(crate) fn resolve(html: &str, base: &Url) -> Resolved {
    let mut found = Resolved { html: String::with_capacity(html.len()), images: Vec::new() };
    let longest = html.len().saturating_mul(2).saturating_add(GROWTH_BYTES_MAX);
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        let (text, markup) = rest.split_at(at);
        found.html.push_str(text);
        let Some((kind, used)) = markup_at_start(markup) else {
            found.html.push('<');
            rest = markup.get(1..).unwrap_or_default();
            continue;
        };
        let Some(used) = used else {
            return found;
        };
        let (tag, after) = markup.split_at_checked(used).unwrap_or((markup, ""));
        rest = after;
        match kind {
            Markup::Comment => {}
            Markup::End => found.html.push_str(tag),
            Markup::Start => {
                let name = tag_name(tag);
                let base = (found.html.len() < longest).then_some(base);
                start_tag(tag, &name, base, &mut found);
                let Some((inside, after)) = raw_text(&name, rest) else {
                    return found;
                };
                found.html.push_str(inside);
                rest = after;
            }
        }
    }
    found.html.push_str(rest);
    found
}

/// What begins at a `<`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Markup {
    /// A comment, a DOCTYPE or a processing instruction.
    Comment,
    /// A start tag.
    Start,
    /// An end tag.
    End,
}

/// What begins at the `<` and how long it is; the length is `None` when it never ends, and all `None` when it is text.
pub(super) fn markup_at_start(markup: &str) -> Option<(Markup, Option<usize>)> {
    let second = markup.chars().nth(1)?;
    if markup.starts_with("<!--") {
        return Some((Markup::Comment, markup.get(4..)?.find("-->").map(|at| at + 7)));
    }
    match second {
        '!' | '?' => Some((Markup::Comment, markup.find('>').map(|at| at + 1))),
        '/' => Some((Markup::End, markup.find('>').map(|at| at + 1))),
        c if c.is_ascii_alphabetic() => Some((Markup::Start, start_tag_length(markup))),
        _ => None,
    }
}

/// A `>` in quotes does not end a tag, and a quote opens only right after `=`: `<a title=don't>` is whole.
fn start_tag_length(markup: &str) -> Option<usize> {
    let mut quote = None;
    let mut after_equals = false;
    for (at, byte) in markup.bytes().enumerate() {
        match (quote, byte) {
            (Some(open), _) => quote = Some(open).filter(|open| *open != byte),
            (None, b'>') => return Some(at + 1),
            (None, b'"' | b'\'') if after_equals => quote = Some(byte),
            _ => {}
        }
        after_equals = byte == b'=' || (after_equals && byte.is_ascii_whitespace());
    }
    None
}

pub(super) fn tag_name(tag: &str) -> String {
    let name = tag.trim_start_matches('<');
    let end = name.find(|c: char| c.is_ascii_whitespace() || matches!(c, '>' | '/')).unwrap_or(name.len());
    name.get(..end).unwrap_or_default().to_ascii_lowercase()
}

/// The inside of an element whose inside is not markup; empty for all others, `None` when it never ends.
pub(super) fn raw_text<'a>(name: &str, rest: &'a str) -> Option<(&'a str, &'a str)> {
    if !matches!(name, "script" | "style" | "textarea" | "title" | "iframe" | "xmp" | "noembed" | "noframes") {
        return Some(("", rest));
    }
    let mut from = 0;
    loop {
        let at = from + rest.get(from..)?.find("</")?;
        let after = rest.get(at + 2..)?;
        if after.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name)) {
            return rest.split_at_checked(at);
        }
        from = at + 2;
    }
}

fn start_tag(tag: &str, name: &str, base: Option<&Url>, found: &mut Resolved) {
    let has_addresses = matches!(
        name,
        "a" | "img"
            | "area"
            | "link"
            | "source"
            | "video"
            | "audio"
            | "iframe"
            | "embed"
            | "object"
            | "track"
            | "q"
            | "blockquote"
            | "ins"
            | "del"
            | "form"
            | "input"
    );
    let Some(base) = base.filter(|_| has_addresses) else {
        found.html.push_str(tag);
        return;
    };
    let inside = tag.get(1 + name.len()..tag.len().saturating_sub(1)).unwrap_or_default();
    let attributes: Vec<(&str, &str)> = Attributes { rest: inside }.take(ATTRIBUTES_MAX).collect();
    if name == "img" && is_counting_pixel(&attributes) {
        return;
    }
    let mut image = Image::default();
    found.html.push('<');
    found.html.push_str(name);
    for (key, raw) in attributes {
        let key = key.to_ascii_lowercase();
        let value = entities::decode(raw);
        let resolved = match key.as_str() {
            "href" | "src" | "cite" | "poster" | "action" | "data" | "data-src" => absolute(&value, base),
            "srcset" => Some(absolute_set(&value, base)),
            _ => None,
        };
        let value = resolved.as_deref().unwrap_or(&value);
        match key.as_str() {
            "src" => image.url = value.to_owned(),
            "data-src" if !image.url.starts_with("http") => image.url = value.to_owned(),
            "alt" => image.alt = Some(value.trim().to_owned()).filter(|alt| !alt.is_empty()),
            "width" => image.width = pixels(value),
            "height" => image.height = pixels(value),
            _ => {}
        }
        found.html.extend([" ", key.as_str(), "=\""]);
        escape(value, &mut found.html);
        found.html.push('"');
    }
    found.html.push('>');
    if name == "img" && image.url.starts_with("http") && found.images.len() < IMAGES_MAX {
        found.images.push(image);
    }
}

fn is_counting_pixel(attributes: &[(&str, &str)]) -> bool {
    let side =
        |name: &str| attributes.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).and_then(|(_, v)| pixels(v));
    side("width").is_some_and(|width| width <= 1) && side("height").is_some_and(|height| height <= 1)
}

fn pixels(value: &str) -> Option<u32> {
    value.trim().trim_end_matches("px").parse().ok()
}

/// The absolute form of an address; `None` when it is absolute already or makes no sense.
fn absolute(address: &str, base: &Url) -> Option<String> {
    let address = address.trim();
    if address.starts_with("http://")
        || address.starts_with("https://")
        || address.is_empty()
        || Url::parse(address).is_ok()
    {
        return None;
    }
    base.join(address).ok().map(Into::into)
}

/// The `srcset` of an image (HTML §4.8.4.2.1). One with `data:` in it is left alone: its commas do not separate.
fn absolute_set(set: &str, base: &Url) -> String {
    if set.contains("data:") {
        return set.to_owned();
    }
    let candidates = set.split(',').map(str::trim).filter(|candidate| !candidate.is_empty());
    let resolved = candidates.map(|candidate| {
        let (address, descriptor) = candidate.split_once(char::is_whitespace).unwrap_or((candidate, ""));
        let address = absolute(address, base).unwrap_or_else(|| address.to_owned());
        format!("{address} {}", descriptor.trim()).trim_end().to_owned()
    });
    resolved.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(html: &str, expected: &str) -> Vec<Image> {
        let base = Url::parse("https://stad.example/nieuws/1").unwrap();
        let found = resolve(html, &base);
        assert_eq!(found.html, expected, "{html}");
        found.images
    }

    #[test]
    fn addresses_become_absolute_and_all_else_stays() {
        check("<p>a < b</p>", "<p>a < b</p>");
        check("<a href='/x?a=1&amp;b=2'>x</a>", "<a href=\"https://stad.example/x?a=1&amp;b=2\">x</a>");
        check("<A HREF=plaatje.html>x</A>", "<a href=\"https://stad.example/nieuws/plaatje.html\">x</A>");
        check("<a href=\"mailto:a@b.nl\">x</a>", "<a href=\"mailto:a@b.nl\">x</a>");
        check("<a href=\"#noot\">x</a>", "<a href=\"https://stad.example/nieuws/1#noot\">x</a>");
        check("<a title=don't href=//b.nl/c>x</a>", "<a title=\"don't\" href=\"https://b.nl/c\">x</a>");
        check(
            "<a title='a>b' href=c>x",
            "<a title=\"a>b\" href=\"https://stad.example/nieuws/c\">x".replace("a>b", "a&gt;b").as_str(),
        );
        check(
            "<img srcset='a.jpg 1x, b.jpg 2x'>",
            "<img srcset=\"https://stad.example/nieuws/a.jpg 1x, https://stad.example/nieuws/b.jpg 2x\">",
        );
        check("<script>if (a<b) '<a href=x>'</script>y", "<script>if (a<b) '<a href=x>'</script>y");
        check("a<!-- <a href=x> -->b", "ab");
    }

    #[test]
    fn what_never_ends_is_dropped_as_browsers_do() {
        check("a<b title='", "a");
        check("a<!-- b", "a");
        check("a<script>b", "a<script>");
    }

    #[test]
    fn images_are_found_and_counting_pixels_are_dropped() {
        let images = check(
            "<img src=a.jpg alt=' Een &eacute;gel ' width=640px height=480><img src=https://t.nl/1.gif width=1 height=1>",
            "<img src=\"https://stad.example/nieuws/a.jpg\" alt=\" Een égel \" width=\"640px\" height=\"480\">",
        );
        let expected = Image {
            url: "https://stad.example/nieuws/a.jpg".to_owned(),
            alt: Some("Een égel".to_owned()),
            width: Some(640),
            height: Some(480),
        };
        assert_eq!(images, [expected]);
    }

    #[test]
    fn many_short_addresses_under_a_long_base_do_not_grow_without_bound() {
        let base = Url::parse(&format!("https://stad.example/{}/", "x".repeat(2_000))).unwrap();
        let html = "<a href=b>".repeat(10_000);
        let found = resolve(&html, &base);
        assert!(found.html.len() < html.len() * 4 + GROWTH_BYTES_MAX, "{}", found.html.len());
    }
}
