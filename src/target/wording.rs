//! What a post says on another server: plain text within that server's limits. Too long a text is shortened; its link stays.

use unicode_segmentation::UnicodeSegmentation;

use crate::post::Content;
use crate::post::text::{plain, plain_with_addresses, shorten_plain};
use crate::target::count::{Links, count, without_mentions};
use crate::target::limits::Limits;

/// What separates paragraphs.
const GAP: &str = "\n\n";
/// Languages that have variants which servers tell apart.
const WITH_VARIANTS: &[&str] = &["zh", "pt"];

/// What a status is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wording {
    /// The text.
    pub text: String,
    /// The content warning; empty when there is none.
    pub warning: String,
    /// The language, as servers know languages.
    pub language: String,
    /// Whether some of the text did not fit.
    pub shortened: bool,
}

/// Words a post for a server. The text holds the link to the item's page if the post has one, whatever has to go for it.
pub fn word(content: &Content, limits: &Limits, links: Links) -> Wording {
    let warning = content.warning.as_deref().map(without_mentions).unwrap_or_default();
    let warning = shorten_plain(&warning, limits.characters / 3);
    let room = limits.characters.saturating_sub(warning.graphemes(true).count());
    let whole = whole(content);
    let (text, shortened) = if count(&whole, links) <= room {
        (whole, false)
    } else {
        (Parts::of(&whole, content.link.as_deref()).fit(room, links), true)
    };
    Wording { text, warning, language: language(content.language.as_str()), shortened }
}

/// All that the post says. Of a post with a page of its own the addresses of further links stay away: they are one tap further, and
/// servers make their preview from the first.
fn whole(content: &Content) -> String {
    let Some(link) = content.link.as_deref() else {
        return without_mentions(&plain_with_addresses(&content.html));
    };
    let text = without_mentions(&plain(&content.html));
    if text.contains(link) {
        return text;
    }
    let paragraphs: Vec<&str> = text.split(GAP).filter(|paragraph| !paragraph.is_empty()).collect();
    let tags = paragraphs.iter().rev().take_while(|paragraph| is_hashtags(paragraph)).count();
    let (before, after) = paragraphs.split_at(paragraphs.len() - tags);
    [before, &[link], after].concat().join(GAP)
}

/// The language without its region, which servers do not know of most.
fn language(tag: &str) -> String {
    let first = tag.split('-').next().unwrap_or(tag).to_ascii_lowercase();
    if WITH_VARIANTS.contains(&first.as_str()) { tag.to_owned() } else { first }
}

fn is_hashtags(paragraph: &str) -> bool {
    let mut words = paragraph.split_whitespace().peekable();
    words.peek().is_some() && words.all(|word| word.starts_with('#') && word.len() > 1)
}

/// A text in its parts: what may be cut, and what stands around it.
struct Parts<'t> {
    /// The link, if it stands first.
    above: Option<&'t str>,
    /// What may be cut.
    body: String,
    /// The link, if it does not stand first.
    below: Option<&'t str>,
    /// Hashtags; the last ones go when even without a body there is no room.
    tags: Vec<&'t str>,
}

impl<'t> Parts<'t> {
    fn of(whole: &'t str, link: Option<&'t str>) -> Self {
        let paragraphs: Vec<&str> = whole.split(GAP).collect();
        let is_link = |paragraph: &&str| link.is_some_and(|link| paragraph.trim() == link);
        let tags = paragraphs.iter().filter(|p| is_hashtags(p)).flat_map(|p| p.split_whitespace()).collect();
        let first = paragraphs.first().is_some_and(&is_link);
        let kept = paragraphs.iter().filter(|paragraph| !is_link(paragraph) && !is_hashtags(paragraph));
        // A link within a line of the template comes after the text, where nothing is cut.
        let kept = kept.map(|paragraph| match link {
            Some(link) => paragraph.replace(link, "").trim().to_owned(),
            None => (*paragraph).to_owned(),
        });
        let body = kept.filter(|paragraph| !paragraph.is_empty()).collect::<Vec<_>>().join(GAP);
        let (above, below) = if first { (link, None) } else { (None, link) };
        Self { above, body, below, tags }
    }

    fn write(&self, body: &str) -> String {
        let tags = self.tags.join(" ");
        let parts = [self.above.unwrap_or_default(), body, self.below.unwrap_or_default(), &tags];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(GAP)
    }

    /// The text in at most `room` characters, if the link alone fits.
    fn fit(mut self, room: usize, links: Links) -> String {
        while !self.tags.is_empty() && count(&self.write(""), links) > room {
            self.tags.pop();
        }
        let around = count(&self.write(""), links);
        // Of the body as many characters as there is room for, and fewer until it fits: a cut may leave half a link, which counts
        // in another way.
        let mut chars = room.saturating_sub(around);
        while chars > 0 {
            let text = self.write(without_torn_end(&self.body, &shorten_plain(&self.body, chars)));
            let counted = count(&text, links);
            if counted <= room {
                return text;
            }
            chars = chars.saturating_sub(counted - room);
        }
        self.write("")
    }
}

/// A shortened text without the beginning of an address at its end.
fn without_torn_end<'s>(body: &str, short: &'s str) -> &'s str {
    let end = short.trim_end_matches('…');
    let start = end.rfind(char::is_whitespace).map_or(0, |at| at + 1);
    let last = end.get(start..).unwrap_or_default().trim_start_matches('(');
    let whole = body
        .split_whitespace()
        .any(|word| word.trim_matches(['(', ')', '.', ',']) == last.trim_matches([')', '.', ',']));
    if last.contains("://") && !whole { end.get(..start).unwrap_or_default().trim_end() } else { short }
}

#[cfg(test)]
mod tests;
