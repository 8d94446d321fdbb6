//! Plain text and HTML as feeds mix them up.

use std::borrow::Cow;

use super::entities;
use crate::item::{RawHtml, TITLE_CHARS_MAX};

/// A text and what it is written in.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Text {
    /// Plain text.
    Plain(String),
    /// HTML.
    Html(String),
}

impl Text {
    /// As it was written.
    pub(crate) fn as_str(&self) -> &str {
        let (Text::Plain(text) | Text::Html(text)) = self;
        text
    }

    /// Whether there is nothing in it.
    pub(crate) fn is_blank(&self) -> bool {
        self.as_str().trim().is_empty()
    }

    /// As HTML: plain text is escaped, blank lines part paragraphs and other line ends become `<br>`.
    pub(crate) fn into_html(self) -> RawHtml {
        let text = match self {
            Text::Html(html) => return RawHtml(html.trim().to_owned()),
            Text::Plain(text) => text.replace("\r\n", "\n").replace('\r', "\n"),
        };
        let mut html = String::with_capacity(text.len() + 16);
        for paragraph in text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty()) {
            html.push_str("<p>");
            for (at, line) in paragraph.lines().enumerate() {
                html.push_str(if at == 0 { "" } else { "<br>" });
                escape(line.trim(), &mut html);
            }
            html.push_str("</p>");
        }
        RawHtml(html)
    }
}

/// What descriptions of one feed are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writing {
    /// Plain text; also when nothing speaks for anything else.
    Plain,
    /// HTML, escaped once for XML as it should be.
    Html,
    /// HTML that was escaped twice.
    Twice,
}

impl Writing {
    /// Decides by the majority of `texts`, because one item of a plain-text feed may well mention `<b>`. Texts that look the same
    /// either way have no vote.
    pub(crate) fn of<'t>(texts: impl Iterator<Item = &'t str>) -> Writing {
        let (mut plain, mut html, mut twice) = (0_usize, 0_usize, 0_usize);
        for text in texts {
            match evidence(text) {
                Some(Writing::Plain) => plain += 1,
                Some(Writing::Html) => html += 1,
                Some(Writing::Twice) => twice += 1,
                None => {}
            }
        }
        if html > 0 && html >= twice && html >= plain {
            Writing::Html
        } else if twice > plain {
            Writing::Twice
        } else {
            Writing::Plain
        }
    }

    /// Reads a text that is written so.
    pub(crate) fn read(self, text: &str) -> Text {
        match self {
            Writing::Plain => Text::Plain(text.to_owned()),
            Writing::Html => Text::Html(text.to_owned()),
            Writing::Twice => Text::Html(entities::decode(text).into_owned()),
        }
    }
}

fn evidence(text: &str) -> Option<Writing> {
    if has_tag(text) {
        return Some(Writing::Html);
    }
    match entities::decode(text) {
        Cow::Owned(decoded) if decoded != text => Some(if has_tag(&decoded) { Writing::Twice } else { Writing::Html }),
        _ => text.contains('<').then_some(Writing::Plain),
    }
}

/// Tags that occur in feeds. Anything else in angle brackets is as likely to be text.
static TAGS: &[&str] = &[
    "a",
    "abbr",
    "article",
    "audio",
    "b",
    "blockquote",
    "br",
    "center",
    "cite",
    "code",
    "dd",
    "del",
    "div",
    "dl",
    "dt",
    "em",
    "figcaption",
    "figure",
    "font",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "i",
    "iframe",
    "img",
    "ins",
    "li",
    "ol",
    "p",
    "picture",
    "pre",
    "q",
    "s",
    "script",
    "section",
    "small",
    "source",
    "span",
    "strike",
    "strong",
    "style",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "time",
    "tr",
    "tt",
    "u",
    "ul",
    "video",
    "wbr",
];

/// The length of the HTML tag at the `<` that `text` starts with, if it is one.
fn tag_length(text: &str) -> Option<usize> {
    let name = text.strip_prefix('<')?;
    let name = name.strip_prefix('/').unwrap_or(name);
    // The longest name above has 10 letters.
    let end = name.bytes().take(11).position(|byte| !byte.is_ascii_alphanumeric())?;
    let (name, after) = name.split_at_checked(end)?;
    let known = TAGS.iter().any(|tag| tag.eq_ignore_ascii_case(name));
    let closes = after.starts_with(|c: char| c.is_ascii_whitespace() || matches!(c, '>' | '/'));
    if !known || !closes {
        return None;
    }
    text.find('>').map(|at| at + 1)
}

fn has_tag(text: &str) -> bool {
    let (text, _) = at_last_close(text);
    text.match_indices('<').any(|(at, _)| text.get(at..).and_then(tag_length).is_some())
}

/// A title, or any other single line: known tags taken out, references decoded, single-spaced.
pub(crate) fn line(text: &Text) -> String {
    match text {
        Text::Plain(text) => single_spaced(text),
        Text::Html(html) => single_spaced(&entities::decode(&without_tags(html))),
    }
}

/// A title within [`TITLE_CHARS_MAX`]; `None` when nothing is left.
pub(crate) fn title(text: &Text) -> Option<String> {
    Some(cut(line(text), TITLE_CHARS_MAX)).filter(|title| !title.is_empty())
}

/// Splits after the last `>`: before it every tag ends, so that looking for ends stays linear.
fn at_last_close(text: &str) -> (&str, &str) {
    text.split_at(text.rfind('>').map_or(0, |at| at + 1))
}

fn without_tags(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let (mut rest, tail) = at_last_close(html);
    while let Some(at) = rest.find('<') {
        let (before, markup) = rest.split_at(at);
        out.push_str(before);
        match tag_length(markup) {
            Some(length) => {
                out.push_str(if markup.starts_with("<br") || markup.starts_with("<p") { " " } else { "" });
                rest = markup.get(length..).unwrap_or_default();
            }
            None => {
                out.push('<');
                rest = markup.get(1..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out.push_str(tail);
    out
}

/// Runs of white space and of invisible control characters become one space.
pub(crate) fn single_spaced(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        out.push_str(if out.is_empty() { "" } else { " " });
        out.push_str(word);
    }
    out
}

/// Cuts at a word to at most `chars` characters, the ellipsis included.
pub(crate) fn cut(text: String, chars: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(chars.saturating_sub(1)).filter(|_| text.chars().nth(chars).is_some())
    else {
        return text;
    };
    let head = text.get(..end).unwrap_or_default();
    let at_word = head.rsplit_once(' ').map_or(head, |(words, _)| words);
    // A single word that fills more than half is cut inside.
    let kept = if at_word.len() * 2 > head.len() { at_word } else { head };
    format!("{}\u{2026}", kept.trim_end())
}

/// Cuts to at most `bytes` bytes, at a character.
pub(crate) fn cut_bytes(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

/// A BCP 47 tag as it should be written (`nl_nl` becomes `nl-NL`); `None` when it is none (RFC 5646 §2.1).
pub(crate) fn language(tag: &str) -> Option<String> {
    let tag = tag.trim().replace('_', "-");
    let mut written = Vec::new();
    for (at, part) in tag.split('-').enumerate() {
        let is_part = (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !is_part || (at == 0 && !(2..=3).contains(&part.len())) {
            return None;
        }
        let is_region = at > 0 && part.len() == 2;
        written.push(if is_region { part.to_ascii_uppercase() } else { part.to_ascii_lowercase() });
    }
    Some(written.join("-"))
}

/// Writes `text` so that it reads back as itself, for XML and HTML, as text or in double quotes. Characters that XML 1.0 forbids
/// are left out.
pub(crate) fn escape(text: &str, out: &mut String) {
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let (written, length) = match byte {
            b'&' => ("&amp;", 1),
            b'<' => ("&lt;", 1),
            b'>' => ("&gt;", 1),
            b'"' => ("&quot;", 1),
            0..b' ' if !entities::is_xml_char(char::from(byte)) => ("", 1),
            // U+FFFE and U+FFFF are the only forbidden ones beyond ASCII that a `str` can hold.
            0xEF if matches!(text.get(at..at + 3), Some("\u{FFFE}" | "\u{FFFF}")) => ("", 3),
            _ => continue,
        };
        out.push_str(text.get(from..at).unwrap_or_default());
        out.push_str(written);
        from = at + length;
    }
    out.push_str(text.get(from..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_line_without_markup() {
        for (html, expected) in [
            ("  Nieuwe\n\t brug &amp; tunnel ", "Nieuwe brug & tunnel"),
            ("5 <b>grote</b> steden", "5 grote steden"),
            ("Prijs < 5 euro", "Prijs < 5 euro"),
            ("Wat is <gemeente>?", "Wat is <gemeente>?"),
            ("Een<br/>twee", "Een twee"),
            ("&lt;b&gt; uitgelegd", "<b> uitgelegd"),
        ] {
            assert_eq!(line(&Text::Html(html.to_owned())), expected);
        }
        assert_eq!(line(&Text::Plain("R&amp;D".to_owned())), "R&amp;D");
    }

    #[test]
    fn a_long_title_is_cut_at_a_word_and_one_at_the_limit_is_whole() {
        let whole = format!("{} einde", "a".repeat(TITLE_CHARS_MAX - 6));
        assert_eq!(title(&Text::Plain(whole.clone())), Some(whole.clone()));
        let cut = title(&Text::Plain(format!("{whole}!"))).unwrap();
        assert_eq!(cut, format!("{}\u{2026}", "a".repeat(TITLE_CHARS_MAX - 6)));
        let one_word = title(&Text::Plain("é".repeat(TITLE_CHARS_MAX + 1))).unwrap();
        assert_eq!(one_word.chars().count(), TITLE_CHARS_MAX);
    }

    #[test]
    fn the_majority_decides_what_descriptions_are_written_in() {
        for (texts, expected) in [
            (&["gewone tekst", "nog meer"][..], Writing::Plain),
            (&["<p>een</p>", "gewone tekst"], Writing::Html),
            (&["een &amp; twee"], Writing::Html),
            (&["&lt;p&gt;een&lt;/p&gt;", "twee"], Writing::Twice),
            (&["&lt;p&gt;een", "&lt;p&gt;twee", "<b>drie</b>"], Writing::Twice),
            (&["a < b", "b < c", "gebruik <b>"], Writing::Plain),
            (&[], Writing::Plain),
        ] {
            assert_eq!(Writing::of(texts.iter().copied()), expected, "{texts:?}");
        }
    }

    #[test]
    fn plain_text_becomes_paragraphs_of_escaped_text() {
        let html = Text::Plain("Een & twee\r\ndrie\r\n\r\n<vier>\n".to_owned()).into_html();
        assert_eq!(html.0, "<p>Een &amp; twee<br>drie</p><p>&lt;vier&gt;</p>");
    }

    #[test]
    fn language_tags_are_put_in_form_or_refused() {
        for (tag, expected) in [
            ("nl", Some("nl")),
            ("nl_nl", Some("nl-NL")),
            (" EN-us ", Some("en-US")),
            ("fy-Latn-NL", Some("fy-latn-NL")),
            ("Nederlands", None),
            ("", None),
            ("n", None),
        ] {
            assert_eq!(language(tag).as_deref(), expected, "{tag}");
        }
    }
}
