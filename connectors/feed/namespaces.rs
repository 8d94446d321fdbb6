//! Namespaces by address, not by prefix.
//!
//! A feed may call Media RSS `m:` or forget to declare it. The rewriter gives every vocabulary that we read one fixed prefix,
//! so that the mapping can look things up by name.

/// A vocabulary that is read: its fixed prefix.
pub(super) type Vocabulary = &'static str;

/// Elements of RSS itself, whichever version.
pub(super) const RSS: Vocabulary = "rss";
/// Elements of Atom, 1.0 and 0.3.
pub(super) const ATOM: Vocabulary = "atom";
/// XHTML markup inside a feed.
pub(super) const XHTML: Vocabulary = "xhtml";
/// RDF, the frame of RSS 0.90 and 1.0.
pub(super) const RDF: Vocabulary = "rdf";
/// Anything that is not read.
pub(super) const OTHER: Vocabulary = "";

/// Lower-case, without scheme and without the closing `/` or `#`, which feeds get wrong.
static ADDRESSES: &[(&str, Vocabulary)] = &[
    ("www.w3.org/2005/atom", ATOM),
    ("purl.org/atom/ns", ATOM),
    ("purl.org/atom-blog/ns", ATOM),
    ("example.com/newformat", ATOM),
    ("example.com/necho", ATOM),
    ("purl.org/echo", ATOM),
    ("uri/of/echo/namespace", ATOM),
    ("purl.org/pie", ATOM),
    ("purl.org/rss/1.0", RSS),
    ("purl.org/net/rss1.1", RSS),
    ("my.netscape.com/rdf/simple/0.9", RSS),
    ("channel.netscape.com/rdf/simple/0.9", RSS),
    ("my.netscape.com/publish/formats/rss-0.91.dtd", RSS),
    ("backend.userland.com/rss", RSS),
    ("backend.userland.com/rss2", RSS),
    ("blogs.law.harvard.edu/tech/rss", RSS),
    ("www.w3.org/1999/02/22-rdf-syntax-ns", RDF),
    ("www.w3.org/1999/xhtml", XHTML),
    ("purl.org/rss/1.0/modules/content", "content"),
    ("purl.org/dc/elements/1.0", "dc"),
    ("purl.org/dc/elements/1.1", "dc"),
    ("purl.org/dc/terms", "dcterms"),
    ("search.yahoo.com/mrss", "media"),
    ("tools.search.yahoo.com/mrss", "media"),
    ("www.itunes.com/dtds/podcast-1.0.dtd", "itunes"),
    ("www.rssboard.org/media-rss", "media"),
    ("www.google.com/schemas/play-podcasts/1.0", "googleplay"),
    ("rssnamespace.org/feedburner/ext/1.0", "feedburner"),
    ("purl.org/rss/1.0/modules/syndication", "sy"),
    ("purl.org/syndication/history/1.0", "fh"),
    ("purl.org/atompub/tombstones/1.0", "at"),
];

/// Prefixes that feeds use without declaring them.
static HABITS: &[Vocabulary] =
    &[ATOM, RDF, XHTML, "content", "dc", "dcterms", "media", "itunes", "googleplay", "feedburner", "sy", "fh", "at"];

/// The vocabulary at an address.
pub(super) fn of_address(address: &str) -> Vocabulary {
    let address = address.trim().to_ascii_lowercase();
    let address = address.strip_prefix("http://").or_else(|| address.strip_prefix("https://")).unwrap_or(&address);
    let address = address.trim_end_matches(['/', '#']);
    ADDRESSES.iter().find(|(known, _)| *known == address).map_or(OTHER, |(_, vocabulary)| *vocabulary)
}

/// The vocabulary of a prefix that nobody declared.
pub(super) fn of_habit(prefix: &str) -> Vocabulary {
    HABITS.iter().find(|known| **known == prefix).copied().unwrap_or(OTHER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_known_however_it_is_closed() {
        for (address, expected) in [
            ("http://search.yahoo.com/mrss/", "media"),
            ("http://search.yahoo.com/mrss", "media"),
            ("HTTPS://Search.Yahoo.com/mrss/", "media"),
            ("http://www.w3.org/2005/Atom", ATOM),
            ("http://purl.org/atom/ns#", ATOM),
            ("http://www.example.nl/eigen", OTHER),
        ] {
            assert_eq!(of_address(address), expected, "{address}");
        }
    }
}
