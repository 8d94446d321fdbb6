//! JSON Feed 1.0 and 1.1 (<https://www.jsonfeed.org/version/1.1/>) to items.

use serde_json::{Map, Value};

use super::draft::Draft;
use super::text::{self, Text};
use super::{dates, sniff};
use crate::contract::{Page, Push};
use crate::error::ConnectorError;
use crate::item::{Category, Media};

/// Reads a JSON Feed. Nesting is bounded by `serde_json` (128 levels). Unknown members are passed over, wrong types count as
/// absent: one bad field must not cost the feed.
pub(super) fn read(text: &str) -> Result<(Page, Vec<Draft>, Option<String>), ConnectorError> {
    let unreadable = |problem: String| ConnectorError::Unreadable { what: "JSON Feed", problem };
    let feed: Map<String, Value> = match serde_json::from_str(text) {
        Ok(feed) => feed,
        Err(problem) if text.contains("jsonfeed.org") => return Err(unreadable(problem.to_string())),
        Err(_) => return Err(sniff::not_this("a JSON document that is no JSON Feed")),
    };
    let version = string(&feed, "version").unwrap_or_default();
    let version = version.trim_start_matches("https://").trim_start_matches("http://").trim_start_matches("www.");
    if !version.starts_with("jsonfeed.org/version/") {
        return Err(sniff::not_this("a JSON document that is no JSON Feed"));
    }
    let items = match feed.get("items") {
        Some(Value::Array(items)) => items,
        _ => return Err(unreadable("it has no array `items`".to_owned())),
    };
    if let Some(at) = items.iter().position(|item| !item.is_object()) {
        return Err(unreadable(format!("item {} is not an object", at + 1)));
    }
    let page = Page {
        title: string(&feed, "title").and_then(|title| text::title(&Text::Plain(title))),
        expired: feed.get("expired") == Some(&Value::Bool(true)),
        push: push(&feed),
        ..Page::default()
    };
    let language = string(&feed, "language");
    let authors = authors(&feed);
    let drafts = items.iter().filter_map(Value::as_object).map(|item| draft(item, language.as_deref(), &authors));
    Ok((page, drafts.collect(), string(&feed, "next_url")))
}

/// `hubs` of the type WebSub, and `feed_url`.
fn push(feed: &Map<String, Value>) -> Push {
    let hubs = feed.get("hubs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let hubs = hubs
        .iter()
        .filter_map(Value::as_object)
        .filter(|hub| string(hub, "type").is_some_and(|kind| kind.eq_ignore_ascii_case("WebSub")));
    let hubs: Vec<String> = hubs.filter_map(|hub| string(hub, "url")).collect();
    let own = string(feed, "feed_url");
    let own = own.iter().map(|own| ("self", own.as_str()));
    Push::of(hubs.iter().map(|hub| ("hub", hub.as_str())).chain(own))
}

fn draft(item: &Map<String, Value>, language: Option<&str>, feed_authors: &[String]) -> Draft {
    let date = |name| string(item, name).as_deref().and_then(dates::parse);
    let html = string(item, "content_html").map(Text::Html);
    let body = html.or_else(|| string(item, "content_text").map(Text::Plain));
    let authors = authors(item);
    let tags = item.get("tags").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let file =
        |name| string(item, name).map(|url| Media { url, media_type: Some("image/*".to_owned()), ..Media::default() });
    let attachments = item.get("attachments").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    Draft {
        id: string(item, "id"),
        link: string(item, "url").or_else(|| string(item, "external_url")),
        title: string(item, "title").and_then(|title| text::title(&Text::Plain(title))),
        summary: string(item, "summary").map(Text::Plain),
        body,
        language: string(item, "language").or_else(|| language.map(str::to_owned)),
        published_at: date("date_published"),
        updated_at: date("date_modified"),
        authors: if authors.is_empty() { feed_authors.to_vec() } else { authors },
        categories: tags
            .iter()
            .filter_map(Value::as_str)
            .map(|term| Category { term: term.to_owned(), scheme: None })
            .collect(),
        files: file("image")
            .into_iter()
            .chain(attachments.iter().filter_map(Value::as_object).filter_map(attachment))
            .collect(),
        thumbnails: file("banner_image").into_iter().collect(),
        ..Draft::default()
    }
}

fn attachment(attachment: &Map<String, Value>) -> Option<Media> {
    Some(Media {
        url: string(attachment, "url")?,
        media_type: string(attachment, "mime_type"),
        bytes: attachment.get("size_in_bytes").and_then(Value::as_u64).filter(|bytes| *bytes > 0),
        ..Media::default()
    })
}

/// `authors` of version 1.1, `author` of version 1.0.
fn authors(of: &Map<String, Value>) -> Vec<String> {
    let many = of.get("authors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let one = of.get("author").into_iter();
    many.iter().chain(one).filter_map(Value::as_object).filter_map(|author| string(author, "name")).collect()
}

/// A text that is not blank; numbers count as texts, because some writers send numeric ids.
fn string(of: &Map<String, Value>, name: &str) -> Option<String> {
    let text = match of.get(name)? {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    Some(text).filter(|text| !text.trim().is_empty())
}
