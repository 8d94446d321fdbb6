//! NewsML-G2 (IPTC, conformance core and power): news items, alone or in a message.

use super::{Entry, WANTED, WHAT};
use crate::draft::text::{self, Text};
use crate::draft::tree::{self, Element};
use crate::draft::{Draft, Warnings, dates};
use crate::error::ConnectorError;
use crate::item::{Category, EpochMs, Media};
use crate::json;

/// Most items of one message, subjects of one item and files in it that are looked at.
const PARTS_MAX: usize = 2_000;

pub(super) fn read(text: &str, warnings: &mut Warnings) -> Result<Vec<Entry>, ConnectorError> {
    let not_this = |found: String| ConnectorError::NotThis { found, wanted: WANTED };
    let root = tree::parse(text, &[], WHAT)?.ok_or_else(|| not_this("plain text".to_owned()))?;
    if !matches!(root.name, "newsItem" | "newsMessage") {
        let name = text::cut(root.name.to_owned(), 40);
        return Err(not_this(format!("an XML document <{name}>, which is no NewsML-G2 item")));
    }
    let mut entries = Vec::new();
    for item in root.find("newsItem").into_iter().take(PARTS_MAX) {
        entries.extend(entry(item, warnings)?);
    }
    Ok(entries)
}

/// `stat:usable` is `usable`, with or without the scheme that its catalogue gives it.
fn code(of: &Element<'_>, name: &str) -> Option<String> {
    let coded = of.child(name)?;
    let value = coded.attribute("qcode").or_else(|| coded.attribute("uri"))?;
    Some(value.rsplit([':', '/']).next().unwrap_or_default().to_ascii_lowercase())
}

fn date(of: Option<&Element<'_>>, name: &str) -> Result<Option<EpochMs>, ConnectorError> {
    let Some(text) = of.and_then(|of| of.text_of(name)) else { return Ok(None) };
    dates::parse(&text).map(Some).ok_or_else(|| json::lacks(WHAT, format!("`{name}` is no date")))
}

fn entry(item: &Element<'_>, warnings: &mut Warnings) -> Result<Option<Entry>, ConnectorError> {
    let id = item.attribute("guid").ok_or_else(|| json::lacks(WHAT, "an item in it has no `guid`"))?;
    let version = item.attribute("version").and_then(|version| version.parse().ok());
    let (of_item, content) = (item.child("itemMeta"), item.child("contentMeta"));
    if of_item
        .and_then(|meta| code(meta, "itemClass"))
        .is_some_and(|class| !matches!(class.as_str(), "text" | "composite"))
    {
        warnings.add("an item that is no text was left out");
        return Ok(None);
    }
    let updated_at = date(of_item, "versionCreated")?;
    // Where nothing is said it is usable.
    match of_item.and_then(|meta| code(meta, "pubStatus")).unwrap_or_else(|| "usable".to_owned()).as_str() {
        "usable" => {}
        "canceled" | "cancelled" => {
            let draft = Draft { id: Some(id), is_deleted: true, updated_at, ..Draft::default() };
            return Ok(Some(Entry { draft, version }));
        }
        _ => {
            warnings.add("an item that its maker withholds was left out");
            return Ok(None);
        }
    }
    let embargo = date(of_item, "embargoed")?;
    if embargo.is_none() && of_item.is_some_and(|meta| meta.child("embargoed").is_some()) {
        // NewsML-G2: an empty one is an embargo without an end.
        warnings.add("an item under an embargo without an end was left out");
        return Ok(None);
    }
    let main = |name: &str, role: &str| {
        let all: Vec<&Element<'_>> = content?.all(name).collect();
        let is_of_role = |element: &&&Element<'_>| element.attribute("role").is_some_and(|found| found.ends_with(role));
        all.iter().find(is_of_role).or_else(|| all.first()).map(|element| element.text())
    };
    let title = main("headline", "main").or_else(|| of_item.and_then(|meta| meta.text_of("title")));
    let mut draft = Draft {
        id: Some(id),
        title: title.and_then(|title| text::title(&Text::Plain(title))),
        summary: main("description", "summary").map(Text::Plain),
        language: content
            .and_then(|meta| meta.child("language")?.attribute("tag"))
            .or_else(|| item.attribute("xml:lang")),
        published_at: date(of_item, "firstCreated")?.or(updated_at),
        updated_at,
        embargo_until: embargo,
        authors: content.map(|meta| names(meta, "creator")).unwrap_or_default(),
        categories: content.map(subjects).unwrap_or_default(),
        ..Draft::default()
    };
    fill(item, &mut draft);
    Ok(Some(Entry { draft, version }))
}

fn names(meta: &Element<'_>, name: &str) -> Vec<String> {
    let named = |element: &Element<'_>| element.text_of("name").or_else(|| element.attribute("literal"));
    meta.all(name).take(PARTS_MAX).filter_map(named).collect()
}

fn subjects(meta: &Element<'_>) -> Vec<Category> {
    let keywords = meta.all("keyword").take(PARTS_MAX).map(|keyword| keyword.text());
    names(meta, "subject").into_iter().chain(keywords).map(|term| Category { term, scheme: None }).collect()
}

/// The first text of the content, and its files.
fn fill(item: &Element<'_>, draft: &mut Draft) {
    let Some(content) = item.child("contentSet") else { return };
    for part in content.children.iter().take(PARTS_MAX) {
        let kind = part.attribute("contenttype").unwrap_or_default().to_ascii_lowercase();
        match part.name {
            "inlineXML" if draft.body.is_none() => {
                let body = part.find("body").first().copied().unwrap_or(part);
                let body = body.find("body.content").first().copied().unwrap_or(body);
                draft.body = Some(Text::Html(body.inner.to_owned()));
            }
            "inlineData" if draft.body.is_none() => {
                let text = part.text();
                draft.body = Some(if kind.contains("html") { Text::Html(text) } else { Text::Plain(text) });
            }
            "remoteContent" => draft.files.extend(part.attribute("href").map(|url| Media {
                url,
                media_type: Some(kind).filter(|kind| !kind.is_empty()),
                alt: None,
                width: part.attribute("width").and_then(|width| width.parse().ok()),
                height: part.attribute("height").and_then(|height| height.parse().ok()),
                bytes: part.attribute("size").and_then(|size| size.parse().ok()),
            })),
            _ => {}
        }
    }
}
