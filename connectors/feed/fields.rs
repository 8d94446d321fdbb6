//! Which elements of a feed are read, and how the rewriter writes each.

use super::namespaces::{ATOM, RSS, Vocabulary, XHTML};

/// Where an element stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// In the feed or channel.
    Feed,
    /// In an item or entry.
    Item,
    /// In a kept element of one of those: `media:group`, `author`, `skipHours`.
    Inner,
}

/// How an element is written, under which name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// Its text; only the first that is not empty.
    Once(&'static str),
    /// Its text, each time.
    Text(&'static str),
    /// Its inside as HTML.
    Markup(&'static str),
    /// Its attributes, without its inside.
    Attributes(&'static str),
    /// An Atom text construct.
    Construct(&'static str),
    /// Its attributes and its own children.
    Parent(&'static str),
    /// A deleted entry.
    Tombstone,
}

use Field::{Attributes, Construct, Markup, Once, Parent, Text, Tombstone};

/// Whether an element is an item of a feed. Some mix the two names up.
pub(super) fn is_item(name: (Vocabulary, &str)) -> bool {
    matches!(name, (RSS | ATOM, "item" | "entry"))
}

/// How an element is written; `None` when it is not read. `core` is [`RSS`] or [`ATOM`].
pub(super) fn find(core: Vocabulary, level: Level, name: (Vocabulary, &str)) -> Option<&'static Field> {
    let table = match (level, core) {
        (Level::Feed, RSS) => RSS_FEED,
        (Level::Feed, _) => ATOM_FEED,
        (Level::Item, RSS) => RSS_ITEM,
        (Level::Item, _) => ATOM_ITEM,
        (Level::Inner, _) => INNER,
    };
    let shared: Table = match level {
        Level::Feed => SHARED_FEED,
        Level::Item => SHARED_ITEM,
        Level::Inner => &[],
    };
    table.iter().chain(shared).find(|(known, _)| *known == name).map(|(_, field)| field)
}

type Table = &'static [((Vocabulary, &'static str), Field)];

static RSS_FEED: Table = &[
    ((RSS, "title"), Once("title")),
    ((RSS, "link"), Once("link")),
    ((RSS, "language"), Once("language")),
    ((RSS, "ttl"), Once("ttl")),
    ((RSS, "skipHours"), Parent("skipHours")),
    ((RSS, "skipDays"), Parent("skipDays")),
    ((ATOM, "link"), Attributes("atom:link")),
];

static ATOM_FEED: Table = &[
    ((ATOM, "title"), Construct("title")),
    ((ATOM, "author"), Parent("author")),
    ((ATOM, "link"), Attributes("link")),
];

static SHARED_FEED: Table = &[
    (("dc", "language"), Text("dc:language")),
    (("sy", "updatePeriod"), Text("sy:updatePeriod")),
    (("sy", "updateFrequency"), Text("sy:updateFrequency")),
    (("fh", "complete"), Attributes("fh:complete")),
    (("at", "deleted-entry"), Tombstone),
];

static RSS_ITEM: Table = &[
    ((RSS, "title"), Once("title")),
    ((RSS, "link"), Once("link")),
    ((RSS, "description"), Once("description")),
    ((RSS, "guid"), Once("guid")),
    ((RSS, "pubDate"), Once("pubDate")),
    ((RSS, "author"), Once("author")),
    ((RSS, "category"), Text("category")),
    ((RSS, "enclosure"), Attributes("h:enclosure")),
    ((ATOM, "link"), Attributes("atom:link")),
    ((ATOM, "published"), Text("h:published")),
    ((ATOM, "updated"), Text("h:updated")),
    (("content", "encoded"), Once("content:encoded")),
    ((XHTML, "body"), Markup("h:body")),
    ((XHTML, "div"), Markup("h:body")),
];

static ATOM_ITEM: Table = &[
    ((ATOM, "id"), Once("id")),
    ((ATOM, "title"), Construct("title")),
    ((ATOM, "summary"), Construct("summary")),
    ((ATOM, "content"), Construct("content")),
    ((ATOM, "link"), Attributes("link")),
    ((ATOM, "category"), Attributes("category")),
    ((ATOM, "author"), Parent("author")),
    ((ATOM, "published"), Text("h:published")),
    ((ATOM, "updated"), Text("h:updated")),
    ((ATOM, "issued"), Text("h:issued")),
    ((ATOM, "modified"), Text("h:modified")),
    ((ATOM, "created"), Text("h:created")),
];

static SHARED_ITEM: Table = &[
    (("dc", "title"), Text("dc:title")),
    (("dc", "creator"), Text("dc:creator")),
    (("dc", "date"), Text("dc:date")),
    (("dc", "subject"), Text("dc:subject")),
    (("dc", "language"), Text("dc:language")),
    (("dc", "description"), Text("dc:description")),
    (("dcterms", "modified"), Text("dcterms:modified")),
    (("dcterms", "issued"), Text("dcterms:issued")),
    (("dcterms", "created"), Text("dcterms:created")),
    (("feedburner", "origLink"), Text("feedburner:origLink")),
    (("itunes", "author"), Text("itunes:author")),
    (("itunes", "summary"), Text("itunes:summary")),
    (("itunes", "image"), Attributes("itunes:image")),
    (("googleplay", "description"), Text("googleplay:description")),
    (("media", "title"), Text("media:title")),
    (("media", "description"), Text("media:description")),
    (("media", "keywords"), Text("media:keywords")),
    (("media", "category"), Text("media:category")),
    (("media", "thumbnail"), Attributes("media:thumbnail")),
    (("media", "content"), Parent("media:content")),
    (("media", "group"), Parent("media:group")),
];

static INNER: Table = &[
    ((RSS, "hour"), Text("hour")),
    ((RSS, "day"), Text("day")),
    ((ATOM, "name"), Text("name")),
    (("media", "title"), Text("media:title")),
    (("media", "description"), Text("media:description")),
    (("media", "thumbnail"), Attributes("media:thumbnail")),
    (("media", "content"), Parent("media:content")),
    (("media", "group"), Parent("media:group")),
];
