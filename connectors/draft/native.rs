//! An item in our own words: the `data` of an event (`reference/connectors.md` B7), and what is imported from JSON, CSV and the
//! front matter of Markdown.

use serde_json::Value;

use super::text::{self, Text};
use super::{Draft, Warnings};
use crate::error::ConnectorError;
use crate::item::{EpochMs, Media};
use crate::json;

/// Most files that are looked at of one item.
const FILES_MAX: usize = 100;

/// The item that `data` describes. One that is not public is withdrawn. A date that cannot be read is an error and not absent:
/// it could be an embargo. `what` it is, for errors.
pub(crate) fn draft(
    data: &Value,
    id: String,
    what: &'static str,
    warnings: &mut Warnings,
) -> Result<Draft, ConnectorError> {
    let visibility = json::text(data, "/visibility").unwrap_or_else(|| "public".to_owned());
    if visibility != "public" {
        warnings.add(format!("an item with visibility `{}` is not public", text::cut(visibility, 50)));
        return Ok(Draft { id: Some(id), is_deleted: true, ..Draft::default() });
    }
    let html = json::text(data, "/html").map(Text::Html);
    Ok(Draft {
        id: Some(id),
        link: json::text(data, "/url"),
        title: json::text(data, "/title").and_then(|title| text::title(&Text::Plain(title))),
        summary: json::text(data, "/summary").map(Text::Plain),
        body: html.or_else(|| json::text(data, "/text").map(Text::Plain)),
        language: json::text(data, "/language"),
        published_at: date(data, "published", what)?,
        updated_at: date(data, "updated", what)?,
        embargo_until: date(data, "embargo", what)?,
        expires_at: date(data, "expires", what)?,
        content_warning: json::text(data, "/contentWarning"),
        authors: json::list(data, "/authors").iter().filter_map(|name| name.as_str().map(str::to_owned)).collect(),
        categories: json::terms(data, "/tags", "/name"),
        files: json::list(data, "/media").iter().take(FILES_MAX).filter_map(file).collect(),
        ..Draft::default()
    })
}

fn date(data: &Value, name: &str, what: &'static str) -> Result<Option<EpochMs>, ConnectorError> {
    let found = match data.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(_) => json::date(data, &format!("/{name}")),
    };
    found.map(Some).ok_or_else(|| json::lacks(what, format!("`{name}` is no date; write it as 2026-11-20T09:00:00Z")))
}

fn file(value: &Value) -> Option<Media> {
    let alt = json::text(value, "/alt");
    Some(Media {
        url: json::text(value, "/url")?,
        media_type: json::text(value, "/type"),
        alt: alt.as_deref().and_then(super::alt),
        ..Media::default()
    })
}
