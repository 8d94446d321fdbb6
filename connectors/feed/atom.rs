//! Atom 1.0 and 0.3, after rewriting, to items (`reference/connectors.md` E2).

use std::collections::BTreeMap;

use atom_syndication::extension::Extension as AtomExtension;
use atom_syndication::{Entry, Feed, Text as AtomText, TextType};
use rss::extension::{Extension, ExtensionMap};
use url::Url;

use super::draft::Draft;
use super::rss::of_vocabulary;
use super::text::{self, Text};
use super::{archive, dates, media, politeness};
use crate::contract::{Page, Push};
use crate::error::ConnectorError;
use crate::item::{Category, Media};

/// Reads a document that [`super::normalise`] wrote as Atom. The items are not yet bounded or unique.
pub(super) fn read(xml: &str) -> Result<(Page, Vec<Draft>, Option<String>), ConnectorError> {
    let feed = Feed::read_from(xml.as_bytes())
        .map_err(|problem| ConnectorError::Unreadable { what: "Atom feed", problem: problem.to_string() })?;
    let extensions = by_vocabulary(&feed.extensions);
    let links = || feed.links.iter().map(|link| (link.rel.as_str(), link.href.as_str()));
    let page = Page {
        title: text::title(&of_construct(&feed.title)),
        complete: feed.extensions.get("fh").is_some_and(|history| history.contains_key("complete")),
        politeness: politeness::of_extensions(&extensions),
        push: Push::of(links()),
        ..Page::default()
    };
    // RFC 4287 §4.2.1: an entry without an author has the feed's.
    let feed_authors: Vec<String> = feed.authors.iter().map(|person| person.name.clone()).collect();
    Ok((page, feed.entries.iter().map(|entry| draft(entry, &feed_authors)).collect(), archive::older(links())))
}

fn draft(entry: &Entry, feed_authors: &[String]) -> Draft {
    let extensions = by_vocabulary(&entry.extensions);
    let first = |vocabulary, name| of_vocabulary(&extensions, vocabulary, name).iter().find_map(|e| e.value.clone());
    let last =
        |vocabulary, name| of_vocabulary(&extensions, vocabulary, name).iter().rev().find_map(|e| e.value.clone());
    let date = |vocabulary, name| first(vocabulary, name).as_deref().and_then(dates::parse);
    let updated_at = date("h", "updated").or_else(|| date("h", "modified")).or_else(|| date("dcterms", "modified"));
    let published = date("h", "published").or_else(|| date("h", "issued")).or_else(|| date("dc", "date"));
    let authors: Vec<String> = entry.authors.iter().map(|person| person.name.clone()).collect();
    let creators =
        || of_vocabulary(&extensions, "dc", "creator").iter().filter_map(|e| e.value.clone()).collect::<Vec<_>>();
    let mut draft = Draft {
        id: Some(entry.id.trim().to_owned()),
        base: last("h", "base").and_then(|base| Url::parse(&base).ok()),
        link: first("feedburner", "origLink").or_else(|| link(entry)),
        title: text::title(&of_construct(&entry.title)),
        summary: entry.summary.as_ref().map(of_construct),
        language: first("dc", "language").or_else(|| last("h", "lang")),
        published_at: published.or_else(|| date("h", "created")).or(updated_at),
        updated_at,
        authors: [authors, creators(), feed_authors.to_vec()]
            .into_iter()
            .find(|names| !names.is_empty())
            .unwrap_or_default(),
        categories: categories(entry, &extensions),
        is_deleted: !of_vocabulary(&extensions, "h", "deleted").is_empty(),
        ..Draft::default()
    };
    if draft.is_deleted {
        draft.updated_at = date("h", "deleted");
        draft.published_at = None;
    }
    content(entry, &mut draft);
    if let Some(elements) = extensions.get("media") {
        media::read(elements, &mut draft);
        let described = elements.get("description").and_then(|all| all.first()).and_then(|e| e.value.clone());
        if draft.body.is_none() && draft.summary.is_none() {
            draft.summary = described.map(Text::Plain);
        }
    }
    draft.files.extend(entry.links.iter().filter(|link| link.rel == "enclosure").map(|link| Media {
        url: link.href.clone(),
        media_type: link.mime_type.clone(),
        bytes: link.length.as_deref().and_then(|length| length.trim().parse().ok()).filter(|bytes| *bytes > 0),
        ..Media::default()
    }));
    draft
}

/// RFC 4287 §4.1.3: inline, or elsewhere under `src`.
fn content(entry: &Entry, draft: &mut Draft) {
    let Some(content) = &entry.content else { return };
    let media_type = content.content_type.clone();
    if let Some(src) = &content.src {
        let is_page = media_type.as_deref().is_none_or(|kind| kind.is_empty() || kind.contains("html"));
        if is_page && draft.link.is_none() {
            draft.link = Some(src.clone());
        } else if !is_page {
            draft.files.push(Media { url: src.clone(), media_type, ..Media::default() });
        }
        return;
    }
    let value = content.value.clone().unwrap_or_default();
    draft.body = Some(if media_type.as_deref() == Some("html") { Text::Html(value) } else { Text::Plain(value) });
}

/// The page of an entry: its alternate in HTML, any alternate, an id that is an address.
fn link(entry: &Entry) -> Option<String> {
    let alternates = || entry.links.iter().filter(|link| link.rel == "alternate" && !link.href.trim().is_empty());
    let is_page = |link: &&atom_syndication::Link| link.mime_type.as_deref().is_none_or(|kind| kind.contains("html"));
    let alternate = alternates().find(is_page).or_else(|| alternates().next()).map(|link| link.href.clone());
    alternate.or_else(|| {
        Some(entry.id.trim().to_owned()).filter(|id| id.starts_with("http://") || id.starts_with("https://"))
    })
}

fn of_construct(text: &AtomText) -> Text {
    match text.r#type {
        TextType::Text => Text::Plain(text.value.clone()),
        TextType::Html | TextType::Xhtml => Text::Html(text.value.clone()),
    }
}

fn categories(entry: &Entry, extensions: &ExtensionMap) -> Vec<Category> {
    let own = entry.categories.iter().map(|category| {
        let label = category.label.clone().filter(|label| !label.trim().is_empty());
        Category { term: label.unwrap_or_else(|| category.term.clone()), scheme: category.scheme.clone() }
    });
    let subjects = of_vocabulary(extensions, "dc", "subject").iter().filter_map(|subject| subject.value.clone());
    own.chain(subjects.map(|term| Category { term, scheme: None })).collect()
}

/// The two crates have the same type under two names. Depth is bounded by the rewriter.
fn by_vocabulary(extensions: &BTreeMap<String, BTreeMap<String, Vec<AtomExtension>>>) -> ExtensionMap {
    let elements =
        |elements: &BTreeMap<String, Vec<AtomExtension>>| elements.iter().map(|(name, all)| same(name, all)).collect();
    extensions.iter().map(|(vocabulary, all)| (vocabulary.clone(), elements(all))).collect()
}

fn same(name: &str, all: &[AtomExtension]) -> (String, Vec<Extension>) {
    let all = all.iter().map(|element| Extension {
        name: element.name.clone(),
        value: element.value.clone(),
        attrs: element.attrs.clone(),
        children: element.children.iter().map(|(name, all)| same(name, all)).collect(),
    });
    (name.to_owned(), all.collect())
}
