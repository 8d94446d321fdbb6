//! RSS 0.9x, 1.0 and 2.0, after rewriting, to items (`reference/connectors.md` E2).

use rss::extension::Extension;
use rss::{Channel, Item as RssItem};
use url::Url;

use super::draft::{Draft, Warnings};
use super::text::{self, Text, Writing};
use super::{archive, dates, media, politeness};
use crate::contract::{Page, Push};
use crate::error::ConnectorError;
use crate::item::{Category, Media};

/// Reads a document that [`super::normalise`] wrote as RSS. The items are not yet bounded or unique.
pub(super) fn read(xml: &str) -> Result<(Page, Vec<Draft>, Option<String>), ConnectorError> {
    let channel = Channel::read_from(xml.as_bytes())
        .map_err(|problem| ConnectorError::Unreadable { what: "RSS feed", problem: problem.to_string() })?;
    let links = || {
        let links = of_vocabulary(&channel.extensions, "atom", "link").iter();
        links.filter_map(|link| Some((link.attrs.get("rel")?.as_str(), link.attrs.get("href")?.as_str())))
    };
    let page = Page {
        title: text::title(&Text::Html(channel.title.clone())),
        complete: channel.extensions.get("fh").is_some_and(|history| history.contains_key("complete")),
        politeness: politeness::of_rss(&channel),
        push: Push::of(links()),
        ..Page::default()
    };
    let descriptions = Writing::of(channel.items.iter().filter_map(description));
    let contents = Writing::of(channel.items.iter().filter_map(|item| item.content.as_deref()));
    // The field is for HTML: plain only if its tags are nowhere, which means that it is HTML without tags.
    let contents = if contents == Writing::Plain { Writing::Html } else { contents };
    let spoken = of_vocabulary(&channel.extensions, "dc", "language").first().and_then(|element| element.value.clone());
    let language = channel.language.clone().or(spoken);
    let drafts = channel.items.iter().map(|item| draft(item, descriptions, contents, language.as_deref())).collect();
    Ok((page, drafts, archive::older(links())))
}

fn draft(item: &RssItem, descriptions: Writing, contents: Writing, language: Option<&str>) -> Draft {
    let first = |vocabulary, name| first(item, vocabulary, name);
    let date = |vocabulary, name| first(vocabulary, name).as_deref().and_then(dates::parse);
    let xhtml = first("h", "body").map(Text::Html);
    let content = item.content.as_deref().map(|content| contents.read(content));
    let mut draft = Draft {
        id: item.guid.as_ref().map(|guid| guid.value.clone()).or_else(|| first("h", "about")),
        base: last(item, "h", "base").and_then(|base| Url::parse(&base).ok()),
        link: link(item),
        title: first("dc", "title").or_else(|| item.title.clone()).and_then(|title| text::title(&Text::Html(title))),
        summary: description(item).map(|text| descriptions.read(text)),
        body: content.or(xhtml),
        language: first("dc", "language").or_else(|| last(item, "h", "lang")).or_else(|| language.map(str::to_owned)),
        published_at: date("dc", "date")
            .or_else(|| item.pub_date.as_deref().and_then(dates::parse))
            .or_else(|| date("h", "published"))
            .or_else(|| date("dcterms", "issued"))
            .or_else(|| date("dcterms", "created")),
        updated_at: date("h", "updated").or_else(|| date("dcterms", "modified")),
        authors: authors(item),
        categories: categories(item),
        is_deleted: first_exists(item, "h", "deleted"),
        ..Draft::default()
    };
    if draft.is_deleted {
        draft.updated_at = date("h", "deleted");
    }
    if let Some(elements) = item.extensions.get("media") {
        media::read(elements, &mut draft);
    }
    draft.files.extend(of_vocabulary(&item.extensions, "h", "enclosure").iter().filter_map(enclosure));
    draft.files.extend(atom_links(item, "enclosure").filter_map(|link| {
        Some(Media {
            url: link.attrs.get("href")?.clone(),
            media_type: link.attrs.get("type").cloned(),
            ..Media::default()
        })
    }));
    let cover = of_vocabulary(&item.extensions, "itunes", "image").iter().filter_map(|image| image.attrs.get("href"));
    draft.thumbnails.extend(cover.map(|url| Media { url: url.clone(), ..Media::default() }));
    draft
}

/// Says what the mapping could not use, once the items are finished.
pub(super) fn warn(drafts: &[Draft], warnings: &mut Warnings) {
    for _ in
        drafts.iter().filter(|draft| draft.published_at.is_none() && draft.updated_at.is_none() && !draft.is_deleted)
    {
        warnings.add("an item has no readable date");
    }
}

fn link(item: &RssItem) -> Option<String> {
    let permalink = item.guid.as_ref().filter(|guid| guid.permalink && guid.value.starts_with("http"));
    let alternate = atom_links(item, "alternate").filter_map(|link| link.attrs.get("href").cloned()).next();
    first(item, "feedburner", "origLink")
        .or_else(|| item.link.clone())
        .or(alternate)
        .or_else(|| permalink.map(|guid| guid.value.clone()))
}

fn atom_links<'i>(item: &'i RssItem, relation: &'static str) -> impl Iterator<Item = &'i Extension> {
    of_vocabulary(&item.extensions, "atom", "link").iter().filter(move |link| {
        // RFC 4287 §4.2.7.2: without `rel` it is an alternate.
        link.attrs.get("rel").map_or("alternate", String::as_str) == relation
    })
}

/// The first text that serves as description (`reference/connectors.md` A2, choice of fields).
fn description(item: &RssItem) -> Option<&str> {
    let named = |vocabulary, name| {
        of_vocabulary(&item.extensions, vocabulary, name).iter().find_map(|element| element.value.as_deref())
    };
    item.description
        .as_deref()
        .or_else(|| named("dc", "description"))
        .or_else(|| named("googleplay", "description"))
        .or_else(|| named("itunes", "summary"))
}

fn authors(item: &RssItem) -> Vec<String> {
    let creators = of_vocabulary(&item.extensions, "dc", "creator").iter().filter_map(|creator| creator.value.clone());
    let creators: Vec<String> = creators.map(|name| text::line(&Text::Html(name))).collect();
    if !creators.is_empty() {
        return creators;
    }
    let author = first(item, "itunes", "author").or_else(|| item.author.as_deref().map(without_address));
    author.map(|name| text::line(&Text::Html(name))).into_iter().collect()
}

/// RSS wants `address (name)` here: a person's address is no name, and must not travel on.
fn without_address(author: &str) -> String {
    let inside = author.split_once('(').map(|(_, name)| name.trim_end_matches([')', ' ']));
    let before = author.split_once('<').map(|(name, _)| name.trim());
    let name = inside.or(before).unwrap_or(author);
    if name.contains('@') { String::new() } else { name.to_owned() }
}

fn categories(item: &RssItem) -> Vec<Category> {
    let own = item
        .categories
        .iter()
        .map(|category| Category { term: category.name.clone(), scheme: category.domain.clone() });
    let subjects = of_vocabulary(&item.extensions, "dc", "subject").iter().filter_map(|subject| subject.value.clone());
    own.chain(subjects.map(|term| Category { term, scheme: None })).collect()
}

fn enclosure(element: &Extension) -> Option<Media> {
    let attribute = |name: &str| element.attrs.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
    // Writers that do not know the size say 0.
    let bytes = attribute("length").and_then(|length| length.parse().ok()).filter(|bytes| *bytes > 0);
    let media_type = attribute("type").map(str::to_owned);
    Some(Media { url: attribute("url")?.to_owned(), media_type, bytes, ..Media::default() })
}

/// All elements of a vocabulary with a name, in document order.
pub(super) fn of_vocabulary<'e>(
    extensions: &'e std::collections::BTreeMap<String, media::Elements>,
    vocabulary: &str,
    name: &str,
) -> &'e [Extension] {
    extensions.get(vocabulary).and_then(|elements| elements.get(name)).map(Vec::as_slice).unwrap_or_default()
}

fn first(item: &RssItem, vocabulary: &str, name: &str) -> Option<String> {
    of_vocabulary(&item.extensions, vocabulary, name).iter().find_map(|element| element.value.clone())
}

fn last(item: &RssItem, vocabulary: &str, name: &str) -> Option<String> {
    of_vocabulary(&item.extensions, vocabulary, name).iter().rev().find_map(|element| element.value.clone())
}

fn first_exists(item: &RssItem, vocabulary: &str, name: &str) -> bool {
    !of_vocabulary(&item.extensions, vocabulary, name).is_empty()
}
