//! ninjs 1.x to 3.x (IPTC, "News in JSON"). Names of fields differ by case and number between the versions; the meaning is the same.

use serde_json::{Map, Value};

use super::{Entry, WHAT};
use crate::draft::text::{self, Text};
use crate::draft::{Draft, Warnings, dates, is_image};
use crate::error::ConnectorError;
use crate::item::{Category, EpochMs, Media};
use crate::json;

/// Most texts, subjects, associations and renditions that are looked at.
const PARTS_MAX: usize = 200;
/// Largest image that is chosen when a smaller rendition exists, in bytes: Mastodon's limit for images.
const IMAGE_BYTES_MAX: u64 = 16 * 1_024 * 1_024;

/// Whether an object is ninjs: it has `uri`, the only field that each version demands, and one that our own form has not.
pub(super) fn is_ninjs(object: &Map<String, Value>) -> bool {
    let marks =
        ["headline", "headlines", "versioncreated", "pubstatus", "bodies", "body_html", "body_text", "standard"];
    object.contains_key("uri") && object.keys().any(|key| marks.contains(&key.to_ascii_lowercase().as_str()))
}

fn field<'v>(of: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    of.iter().find(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_null()).map(|(_, value)| value)
}

fn said(of: &Map<String, Value>, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| json::text(field(of, name)?, ""))
}

/// The values of a list, or of an object with one key for each (version 1).
fn parts<'v>(of: &'v Map<String, Value>, name: &str) -> Vec<&'v Map<String, Value>> {
    match field(of, name) {
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_object).take(PARTS_MAX).collect(),
        Some(Value::Object(all)) => all.values().filter_map(Value::as_object).take(PARTS_MAX).collect(),
        _ => Vec::new(),
    }
}

fn date(of: &Map<String, Value>, names: &[&str]) -> Result<Option<EpochMs>, ConnectorError> {
    let Some(text) = said(of, names) else { return Ok(None) };
    let problem = || json::lacks(WHAT, format!("`{}` is no date", names.first().copied().unwrap_or_default()));
    dates::parse(&text).map(Some).ok_or_else(problem)
}

/// The item; `None` for one that its maker withholds.
pub(super) fn item(of: &Map<String, Value>, warnings: &mut Warnings) -> Result<Option<Entry>, ConnectorError> {
    let id = said(of, &["uri"]).ok_or_else(|| json::lacks(WHAT, "its `uri` is empty"))?;
    let version = said(of, &["version"]).and_then(|version| version.trim().parse().ok());
    let updated_at = date(of, &["versioncreated"])?;
    if said(of, &["type"]).is_some_and(|kind| !matches!(kind.as_str(), "text" | "composite")) {
        warnings.add("an item that is no text was left out");
        return Ok(None);
    }
    match said(of, &["pubstatus"]).unwrap_or_else(|| "usable".to_owned()).rsplit(':').next().unwrap_or_default() {
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
    let title = said(of, &["headline"]).or_else(|| role(of, "headlines", "main"));
    let summary = said(of, &["description_text", "description_html"]).or_else(|| role(of, "descriptions", "summary"));
    let subjects = [parts(of, "subject"), parts(of, "subjects")].concat();
    let keywords = field(of, "keywords").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let terms = subjects.iter().filter_map(|subject| said(subject, &["name"]));
    let terms = terms.chain(keywords.iter().take(PARTS_MAX).filter_map(|keyword| json::text(keyword, "")));
    let mut files = Vec::new();
    let associated = parts(of, "associations");
    for pictures in associated.into_iter().chain([of]) {
        files.extend(best(pictures));
    }
    let draft = Draft {
        id: Some(id),
        link: said(of, &["canonicalurl", "url"]),
        title: title.and_then(|title| text::title(&Text::Plain(title))),
        summary: summary.map(Text::Plain),
        body: body(of),
        language: said(of, &["language"]),
        published_at: date(of, &["firstcreated"])?.or(updated_at),
        updated_at,
        embargo_until: date(of, &["embargoed", "embargoeduntil"])?,
        expires_at: date(of, &["expires"])?,
        authors: said(of, &["byline", "by"]).into_iter().collect(),
        categories: terms.map(|term| Category { term, scheme: None }).collect(),
        files,
        ..Draft::default()
    };
    Ok(Some(Entry { draft, version }))
}

/// Of several texts the one with that role, or the first.
fn role(of: &Map<String, Value>, name: &str, role: &str) -> Option<String> {
    let all = parts(of, name);
    let found = all.iter().find(|part| said(part, &["role"]).is_some_and(|found| found.ends_with(role)));
    said(found.or_else(|| all.first())?, &["value"])
}

fn body(of: &Map<String, Value>) -> Option<Text> {
    let html = said(of, &["body_html", "body_xhtml"]).map(Text::Html);
    html.or_else(|| {
        let all = parts(of, "bodies");
        let kind = |part: &Map<String, Value>| said(part, &["contenttype"]).unwrap_or_default();
        let html = all.iter().find(|part| kind(part).contains("html"));
        let plain = all.iter().find(|part| kind(part).is_empty() || kind(part).starts_with("text/plain"));
        let html = html.and_then(|part| said(part, &["value"])).map(Text::Html);
        html.or_else(|| plain.and_then(|part| said(part, &["value"])).map(Text::Plain))
    })
    .or_else(|| said(of, &["body_text"]).map(Text::Plain))
}

/// The largest image that may be sent, of all its renditions.
fn best(of: &Map<String, Value>) -> Option<Media> {
    let number = |part: &Map<String, Value>, name: &str| field(part, name).and_then(Value::as_u64);
    let rendition = |part: &&Map<String, Value>| {
        let side = |name: &str| number(part, name).and_then(|side| u32::try_from(side).ok());
        Some(Media {
            url: said(part, &["href"])?,
            media_type: said(part, &["mimetype", "contenttype"]),
            alt: None,
            width: side("width"),
            height: side("height"),
            bytes: number(part, "sizeinbytes"),
        })
    };
    let all = parts(of, "renditions");
    let images = all.iter().filter_map(rendition).filter(is_image);
    let fits = images.filter(|image| image.bytes.is_none_or(|bytes| bytes <= IMAGE_BYTES_MAX));
    let pixels = |image: &Media| u64::from(image.width.unwrap_or(0)) * u64::from(image.height.unwrap_or(0));
    fits.max_by_key(pixels)
}
