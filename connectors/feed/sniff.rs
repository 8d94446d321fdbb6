//! What an answer is, by its first characters: the content type never decides, because police feeds were seen as `text/html`
//! and maintenance pages as `application/rss+xml`.

use super::namespaces::{ATOM, RDF, Vocabulary};
use super::normalise::Family;
use crate::error::ConnectorError;

/// How far a page is searched for what gives it away, in bytes.
const HEAD_BYTES_MAX: usize = 2_048;

/// Longest root name that is repeated in an error, in characters.
const NAME_CHARS_MAX: usize = 40;

/// What was expected, for [`ConnectorError::NotThis`].
pub(super) const WANTED: &str = "a feed";

/// Which family a document with this root is of; an error when it is no feed.
pub(super) fn family(root: (Vocabulary, &str), text: &str) -> Result<Family, ConnectorError> {
    match root {
        (_, "rss" | "channel") => Ok(Family::Rss),
        (RDF, "RDF") if has_element(text, "channel") || has_element(text, "item") => Ok(Family::Rss),
        (_, "feed") | (ATOM, "entry") => Ok(Family::Atom),
        (_, name) => Err(not_this(&of_root(name, text))),
    }
}

/// The error for text in which no root element was found, or a root that is no feed.
pub(super) fn not_a_feed(text: &str) -> ConnectorError {
    let found = if text.trim().is_empty() { "an empty page" } else { "plain text" };
    not_this(found)
}

/// The error for an answer that is `found`.
pub(super) fn not_this(found: &str) -> ConnectorError {
    ConnectorError::NotThis { found: found.to_owned(), wanted: WANTED }
}

/// Whether a text whose root says nothing is an HTML page all the same.
fn is_html(text: &str) -> bool {
    let head: String = text.trim_start().chars().take(HEAD_BYTES_MAX).collect::<String>().to_ascii_lowercase();
    let first = ["<rss", "<feed", "<rdf:rdf", "<channel"].iter().filter_map(|root| head.find(root)).min();
    let html = ["<!doctype html", "<html", "<head>", "<body"].iter().filter_map(|root| head.find(root)).min();
    match (html, first) {
        (Some(html), Some(first)) => html < first,
        (Some(_), None) => true,
        (None, _) => false,
    }
}

fn of_root(name: &str, text: &str) -> String {
    match name.to_ascii_lowercase().as_str() {
        "html" | "head" | "body" | "div" | "p" | "title" | "script" => "an HTML page".to_owned(),
        "urlset" | "sitemapindex" => "a sitemap".to_owned(),
        "envelope" => "a SOAP message".to_owned(),
        "opml" => "a list of feeds (OPML)".to_owned(),
        "rdf" => "an RDF document without items".to_owned(),
        "alert" => "a CAP alert".to_owned(),
        _ if is_html(text) => "an HTML page".to_owned(),
        _ => format!(
            "an XML document <{}>",
            name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect::<String>()
        ),
    }
}

/// Whether a start tag with this local name stands in the text.
fn has_element(text: &str, local: &str) -> bool {
    text.match_indices(local).any(|(at, _)| {
        let before = text.get(..at).unwrap_or_default();
        let after = text.get(at + local.len()..).unwrap_or_default();
        before.ends_with(['<', ':']) && after.starts_with(|c: char| c.is_ascii_whitespace() || c == '>' || c == '/')
    })
}
