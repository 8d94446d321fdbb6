//! Item and policy to content: what a post says.
//!
//! **The source article is the first link.** Mastodon makes its card from the first link that is no hashtag, so that must be
//! the item's own page (`reference/federation.md` 9, point 19). When the text has links of its own before `{link}`, the title
//! becomes a link to the page, so that both stay; when there is no title before them, those links become plain text.

mod hashtags;
mod trim;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use heraut_connectors::item::{Item, WARNING_CHARS_MAX};
use serde::{Deserialize, Deserializer, Serialize};
use url::Url;

use crate::actor::Language;
use crate::post::sanitize::build::read;
use crate::post::sanitize::tree::{Block, Marks, Piece, escape, open_link, settle, write, write_line};
use crate::post::sanitize::{SafeHtml, sanitize};
use crate::post::template::{Paragraph, Part, Slot, Template};
use crate::post::text::{cut, plain, plain_of, shorten_plain};
use crate::post::{Content, Hashtag, Image};
use crate::urls::{Base, URL_BYTES_MAX};

/// Most characters of any post, as read (`reference/federation.md` 2.3).
pub const LENGTH_CEILING: usize = 5_000;
/// Most bytes of HTML: it travels twice, in `content` and `contentMap`, and the whole activity stays below 48 KiB.
pub const HTML_BYTES_MAX: usize = 16 * 1_024;
/// Most hashtags, whatever the settings say.
pub const HASHTAGS_MAX: usize = 10;
/// Most images: Mastodon drops the rest.
pub const IMAGES_MAX: usize = 4;
/// Longest alternative text, in characters.
pub const ALT_CHARS_MAX: usize = 1_500;
/// Longest title, in characters.
const TITLE_CHARS_MAX: usize = heraut_connectors::item::TITLE_CHARS_MAX;

/// How a source's posts look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ComposeSettings {
    /// The shape of a post.
    pub template: Template,
    /// Most characters of a post, as read, link and hashtags included: 1 to [`LENGTH_CEILING`]. Only the text is cut for it,
    /// never title, link or hashtags.
    #[serde(deserialize_with = "length")]
    pub length_max: usize,
    /// Which hashtags.
    pub hashtags: HashtagSettings,
    /// Which text.
    pub body: BodyChoice,
}

impl Default for ComposeSettings {
    /// 1,500 characters: peers keep more, but a post is read in a timeline, and the article is one tap away.
    fn default() -> Self {
        Self {
            template: Template::default(),
            length_max: 1_500,
            hashtags: HashtagSettings::default(),
            body: BodyChoice::default(),
        }
    }
}

fn length<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let length = usize::deserialize(deserializer)?;
    if (1..=LENGTH_CEILING).contains(&length) {
        return Ok(length);
    }
    Err(serde::de::Error::custom(format!("length_max is {length}; it must be 1 to {LENGTH_CEILING}")))
}

/// Which hashtags a post gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HashtagSettings {
    /// Whether categories that `map` does not name become hashtags too.
    pub from_categories: bool,
    /// Most hashtags in one post; more than [`HASHTAGS_MAX`] counts as that.
    pub max: usize,
    /// Category to hashtag, compared without regard to case; an empty value drops the category.
    pub map: BTreeMap<String, Option<String>>,
}

impl Default for HashtagSettings {
    /// From categories, because without hashtags no one on Mastodon finds a post of someone whom they do not follow.
    fn default() -> Self {
        Self { from_categories: true, max: 5, map: BTreeMap::new() }
    }
}

/// Which text of an item a post carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyChoice {
    /// The lead, or else the body.
    #[default]
    Summary,
    /// The body, or else the lead.
    Full,
    /// No text: title and link only.
    None,
}

/// Makes what a post says. `language` counts when the item names none that we can read. The result has at most
/// [`LENGTH_CEILING`] characters and [`HTML_BYTES_MAX`] bytes of HTML, [`IMAGES_MAX`] images with alternative texts of at
/// most [`ALT_CHARS_MAX`] characters, and the item's page as its first link.
pub fn compose(
    item: &Item,
    images: Vec<Image>,
    language: &Language,
    settings: &ComposeSettings,
    base: &Base,
) -> Content {
    composed(item, images, language, settings, base).0
}

/// Whether the post of an item has less than all of the text that it is to have.
pub fn is_cut(item: &Item, language: &Language, settings: &ComposeSettings, base: &Base) -> bool {
    composed(item, Vec::new(), language, settings, base).1
}

/// What a post says, and whether a part of its text did not fit.
fn composed(
    item: &Item,
    images: Vec<Image>,
    language: &Language,
    settings: &ComposeSettings,
    base: &Base,
) -> (Content, bool) {
    let title = item.title.as_deref().map(one_line).filter(|title| !title.is_empty());
    let link = item.canonical_url.as_deref().and_then(source_link);
    let hashtags = hashtags::hashtags(&item.categories, &settings.hashtags);
    let mut blocks = text_of(item, settings.body, link.as_deref());
    let opening = title.as_deref().map_or(trim::Opening::Other, |title| trim::opening(&mut blocks, title));
    let shown = title.as_deref().filter(|_| opening != trim::Opening::Continues);
    let draft = Draft { template: &settings.template, title: shown, link: link.as_deref(), tags: &hashtags, base };
    let (html, is_cut) = draft.fit(blocks, settings.length_max.min(LENGTH_CEILING));
    let content = Content {
        language: item
            .language
            .as_deref()
            .and_then(|tag| Language::parse(tag).ok())
            .unwrap_or_else(|| language.clone()),
        hashtags: if settings.template.slots().any(|slot| slot == Slot::Hashtags) { hashtags } else { Vec::new() },
        images: images.into_iter().take(IMAGES_MAX).map(describe).collect(),
        warning: item.content_warning.as_deref().map(warning).filter(|warning| !warning.is_empty()),
        flags: Vec::new(),
        title,
        html,
        link,
    };
    (content, is_cut)
}

/// White space collapsed and hidden characters gone.
fn one_line(text: &str) -> String {
    let pieces = vec![Piece::Text(text.replace(['\r', '\n'], " "), Marks::default())];
    let line = settle(pieces).into_iter().next().unwrap_or_default();
    shorten_plain(&plain_of(&[Block::Paragraph(line)]), TITLE_CHARS_MAX)
}

fn warning(text: &str) -> String {
    shorten_plain(&one_line(text), WARNING_CHARS_MAX)
}

fn source_link(url: &str) -> Option<String> {
    let parsed = Url::parse(url).ok()?;
    let good =
        matches!(parsed.scheme(), "http" | "https") && parsed.username().is_empty() && url.len() <= URL_BYTES_MAX;
    (good && parsed.as_str().len() <= URL_BYTES_MAX).then(|| parsed.into())
}

fn text_of(item: &Item, choice: BodyChoice, link: Option<&str>) -> Vec<Block> {
    let base = link.and_then(|link| Url::parse(link).ok());
    let (first, second) = match choice {
        BodyChoice::Summary => (&item.summary, &item.body),
        BodyChoice::Full => (&item.body, &item.summary),
        BodyChoice::None => return Vec::new(),
    };
    for raw in [first, second].into_iter().flatten() {
        let mut blocks = read(sanitize(raw, base.as_ref()).as_str(), None);
        trim::ending(&mut blocks, link);
        if !blocks.is_empty() {
            return blocks;
        }
    }
    Vec::new()
}

fn describe(image: Image) -> Image {
    let alt = image.alt.as_deref().map(str::trim).filter(|alt| !alt.is_empty());
    let alt = alt.map(|alt| shorten_plain(alt, ALT_CHARS_MAX));
    Image { alt, ..image }
}

/// A post without its text.
struct Draft<'a> {
    template: &'a Template,
    title: Option<&'a str>,
    link: Option<&'a str>,
    tags: &'a [Hashtag],
    base: &'a Base,
}

impl Draft<'_> {
    /// The post with as much of the text as fits, and whether some did not.
    fn fit(&self, blocks: Vec<Block>, length_max: usize) -> (SafeHtml, bool) {
        let around = plain(&self.render(&[], false)).chars().count();
        // Two line ends separate the text from what is around it.
        let mut room = length_max.saturating_sub(around + 2);
        loop {
            let mut text = blocks.clone();
            let is_cut = cut(&mut text, room);
            let title_links = self.settle_links(&mut text);
            let html = self.render(&text, title_links);
            if html.as_str().len() <= HTML_BYTES_MAX || room == 0 {
                return (html, is_cut);
            }
            room = room * 3 / 4;
        }
    }

    /// Sees to it that the item's page is the first link; `true` when the title has to carry it.
    fn settle_links(&self, text: &mut [Block]) -> bool {
        let slots: Vec<Slot> = self.template.slots().collect();
        let place = |slot| slots.iter().position(|found| *found == slot);
        let (Some(link), Some(link_at)) = (self.link, place(Slot::Link)) else { return false };
        let foreign = first_link(text).is_some_and(|first| first != link);
        if !foreign || place(Slot::Text).is_none_or(|text_at| link_at < text_at) {
            return false;
        }
        if self.title.is_some() && place(Slot::Title).is_some_and(|at| Some(at) < place(Slot::Text)) {
            return true;
        }
        unlink(text);
        false
    }

    fn render(&self, text: &[Block], title_links: bool) -> SafeHtml {
        let mut html = String::new();
        for paragraph in self.template.paragraphs() {
            match paragraph {
                Paragraph::Text => write(text, &mut html),
                Paragraph::Lines(lines) => {
                    let lines: Vec<String> = lines.iter().filter_map(|line| self.line(line, title_links)).collect();
                    if !lines.is_empty() {
                        html.push_str(&format!("<p>{}</p>", lines.join("<br>")));
                    }
                }
            }
        }
        SafeHtml::trusted(html)
    }

    /// A line of the template; `None` when it has placeholders and all of them are empty.
    fn line(&self, parts: &[Part], title_links: bool) -> Option<String> {
        let mut html = String::new();
        let (mut slots, mut filled) = (0, 0);
        for part in parts {
            match part {
                Part::Words(words) => escape(words, &mut html),
                Part::Slot(slot) => {
                    let value = self.slot(*slot, title_links);
                    slots += 1;
                    filled += usize::from(!value.is_empty());
                    html.push_str(&value);
                }
            }
        }
        (slots == 0 || filled > 0).then_some(html)
    }

    fn slot(&self, slot: Slot, title_links: bool) -> String {
        let mut html = String::new();
        match slot {
            Slot::Title => {
                let href = self.link.filter(|_| title_links).map(std::rc::Rc::from);
                let marks = Marks { href, strong: true, emphasis: false };
                if let Some(title) = self.title {
                    write_line(&[Piece::Text(title.to_owned(), marks)], &mut html);
                }
            }
            Slot::Link => {
                if let Some(link) = self.link {
                    open_link(link, &mut html);
                    escape(link, &mut html);
                    html.push_str("</a>");
                }
            }
            Slot::Hashtags => {
                let tags: Vec<String> = self.tags.iter().map(|tag| self.hashtag(tag)).collect();
                html = tags.join(" ");
            }
            // A paragraph by itself, so never in a line.
            Slot::Text => {}
        }
        html
    }

    /// As Mastodon writes it; `rel="tag"` keeps it from becoming the card.
    fn hashtag(&self, Hashtag(name): &Hashtag) -> String {
        let mut text = String::new();
        escape(name, &mut text);
        let href = self.base.hashtag(name);
        format!("<a href=\"{href}\" class=\"mention hashtag\" rel=\"tag\">#<span>{text}</span></a>")
    }
}

fn first_link(blocks: &[Block]) -> Option<String> {
    blocks.iter().find_map(|block| match block {
        Block::Paragraph(line) => link_in(line),
        Block::Quote(inner) => first_link(inner),
        Block::List { entries, .. } => {
            entries.iter().find_map(|entry| link_in(&entry.line).or_else(|| first_link(&entry.nested)))
        }
    })
}

fn link_in(line: &[Piece]) -> Option<String> {
    line.iter().find_map(|piece| match piece {
        Piece::Text(_, marks) => marks.href.as_deref().map(str::to_owned),
        Piece::Break => None,
    })
}

fn unlink(blocks: &mut [Block]) {
    for block in blocks {
        match block {
            Block::Paragraph(line) => unlink_line(line),
            Block::Quote(inner) => unlink(inner),
            Block::List { entries, .. } => {
                for entry in entries {
                    unlink_line(&mut entry.line);
                    unlink(&mut entry.nested);
                }
            }
        }
    }
}

fn unlink_line(line: &mut [Piece]) {
    for piece in line {
        if let Piece::Text(_, marks) = piece {
            marks.href = None;
        }
    }
}
