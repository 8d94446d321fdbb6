//! The normalised item: what a source said, and the only thing that leaves a connector.
//!
//! Shapes and limits follow `reference/connectors.md` E1. Text in an item is still untrusted: HTML stays [`RawHtml`]
//! until the core sanitises it.

use serde::{Deserialize, Serialize};

/// An instant in epoch milliseconds, UTC.
pub type EpochMs = i64;

/// HTML as the source sent it: untrusted, unsanitised, possibly malformed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RawHtml(pub String);

/// What the source says should happen to an item. The connector proposes, the item store decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// The item exists and may be shown; whether it is new or edited is for the item store to find out.
    #[default]
    Publish,
    /// The source withdrew the item (a tombstone, an unpublish event, absence from a feed marked complete).
    Retract,
}

/// One file that belongs to an item.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Media {
    /// Absolute http(s) URL of the file.
    pub url: String,
    /// Media type as declared by the source, lower-case, without parameters; `None` when it did not say.
    pub media_type: Option<String>,
    /// Alternative text, plain, trimmed; `None` when the source gave none. `Some("")` is not used.
    pub alt: Option<String>,
    /// Width in pixels, as declared.
    pub width: Option<u32>,
    /// Height in pixels, as declared.
    pub height: Option<u32>,
    /// Size in bytes, as declared.
    pub bytes: Option<u64>,
}

/// A category or tag as the source wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Category {
    /// The term itself, HTML-decoded and trimmed.
    pub term: String,
    /// The scheme or domain it comes from.
    pub scheme: Option<String>,
}

/// One thing that a source said, normalised.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Item {
    /// The source's own identifier: opaque, at most [`SOURCE_ID_BYTES_MAX`] bytes, unique within its source. A longer one is
    /// replaced by its hash by the connector.
    pub source_id: String,
    /// Absolute URL of the item's page: tracking parameters removed, host lower-case, fragment dropped. The second key by
    /// which an item is recognised.
    pub canonical_url: Option<String>,
    /// What the source says should happen.
    pub action: Action,
    /// A version that only grows (`updated` in epoch milliseconds, a revision number); `None` when the source has none.
    pub source_version: Option<i64>,
    /// Title: plain text, HTML-decoded, single-spaced, at most [`TITLE_CHARS_MAX`] characters.
    pub title: Option<String>,
    /// The lead, as HTML; only when the source has a body besides it.
    pub summary: Option<RawHtml>,
    /// The body, as HTML. Plain text is escaped before it is put here. Relative URLs are already made absolute.
    pub body: Option<RawHtml>,
    /// BCP 47 tag, of the item or else of the whole feed; `None` when neither says.
    pub language: Option<String>,
    /// When the source says it was published.
    pub published_at: Option<EpochMs>,
    /// When the source says it was last changed.
    pub updated_at: Option<EpochMs>,
    /// Author names. Shown only if the actor's policy says so: staff names are personal data.
    pub authors: Vec<String>,
    /// Categories in document order, duplicates removed.
    pub categories: Vec<Category>,
    /// Images, best rendition of each, in order of importance; at most [`MEDIA_PER_ITEM_MAX`].
    pub media: Vec<Media>,
    /// Other files (PDF, audio, video), as links.
    pub links: Vec<Media>,
    /// Until when nothing of the item may be seen, not even that it exists, as the source says. Whoever sets it puts
    /// [`Item::published_at`] no earlier, so that a reader who only knows that field keeps it too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embargo_until: Option<EpochMs>,
    /// From when on the item no longer holds, as the source says (the end of a warning). No connector leaves an item out
    /// because of it: the clock is not theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<EpochMs>,
    /// What a reader is to be warned of before it sees the item: plain text of one line, at most [`WARNING_CHARS_MAX`] characters.
    /// Everything else is hidden behind it, so it comes only from a field that is for nothing else: one of Heraut's own contract, or
    /// one that an operator named. Never a lead, a rating or a category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_warning: Option<String>,
    /// For an item that is a state and no message (the warning level of a province): the value that counts. It is published when
    /// this changed since it was last seen, and never at first sight; other changes are not news. `None` for all other items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Other ids of the same item: earlier ones that this one takes the place of, as an update of a warning does. An item known
    /// under one of them is this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alternate_ids: Vec<String>,
    /// Its author says that it is not finished: it waits for a person.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub draft: bool,
    /// The item in its source's own words, for a source that asks for it back. Then a change of its categories is an edit, too: a
    /// person made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<serde_json::Value>,
}

/// Longest `source_id` that is kept as it is, in bytes.
pub const SOURCE_ID_BYTES_MAX: usize = 1_024;
/// Longest title, in characters; a longer one is cut at a word.
pub const TITLE_CHARS_MAX: usize = 300;
/// Longest content warning, in characters: it stands alone in a timeline.
pub const WARNING_CHARS_MAX: usize = 200;
/// Most other ids of one item: a warning is updated some ten times in its life.
pub const ALTERNATE_IDS_MAX: usize = 64;
/// Most images kept per item.
pub const MEDIA_PER_ITEM_MAX: usize = 16;
