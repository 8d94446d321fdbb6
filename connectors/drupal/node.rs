//! A node of JSON:API as one flat object (`reference/connectors.md` B4).

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use url::Url;

use crate::item::Media;
use crate::json;

/// How far relationships are followed: node → media → file.
const DEPTH_MAX: usize = 3;
/// Most targets of one relationship.
const TARGETS_MAX: usize = 100;

/// Whether anybody may see it.
pub(super) fn is_public(node: &Value) -> bool {
    node.pointer("/attributes/status").is_none_or(|status| *status != Value::Bool(false))
}

/// The address of its page, from the root of the site on.
pub(super) fn address(node: &Value) -> Option<String> {
    let number = || Some(format!("/node/{}", json::integer(node, "/attributes/drupal_internal__nid")?));
    json::text(node, "/attributes/path/alias").or_else(number)
}

/// What came along with the nodes, by type and id.
pub(super) struct Included<'v>(HashMap<(&'v str, &'v str), &'v Value>);

impl<'v> Included<'v> {
    pub(super) fn of(answer: &'v Value) -> Self {
        Self(json::list(answer, "/included").iter().filter_map(|one| Some((key(one)?, one))).collect())
    }
}

fn key(of: &Value) -> Option<(&str, &str)> {
    Some((of.get("type")?.as_str()?, of.get("id")?.as_str()?))
}

/// Attributes and what relationships lead to, in one object; `field_image` is also there as `image`, and so is the first file or
/// media item among what the operator had included, where no field has that name.
pub(super) fn flat(of: &Value, included: &Included<'_>) -> Value {
    let mut flat = Map::new();
    for (name, value) in of.get("attributes").and_then(Value::as_object).into_iter().flatten() {
        if let (Some(summary), "body") = (json::text(value, "/summary"), name.as_str()) {
            flat.insert("summary".to_owned(), Value::String(summary));
        }
        flat.insert(name.clone(), filtered(value));
    }
    for (name, value) in of.get("relationships").and_then(Value::as_object).into_iter().flatten() {
        let target = |target: &Value| followed(target, included, 0);
        let found = match value.get("data") {
            Some(Value::Array(list)) => Value::Array(list.iter().take(TARGETS_MAX).filter_map(target).collect()),
            Some(one @ Value::Object(_)) => target(one).unwrap_or_default(),
            _ => continue,
        };
        flat.insert(name.clone(), found);
    }
    let short = flat.iter().filter_map(|(name, value)| Some((name.strip_prefix("field_")?.to_owned(), value.clone())));
    for (name, value) in short.collect::<Vec<_>>() {
        flat.entry(name).or_insert(value);
    }
    if !flat.contains_key("image") {
        let file = flat.values().find(|value| value.get("url").is_some() && value.get("meta").is_some()).cloned();
        flat.extend(file.map(|file| ("image".to_owned(), file)));
    }
    Value::Object(flat)
}

/// A formatted text as its filters made it; never as it was typed, which may hold what filters take out.
fn filtered(value: &Value) -> Value {
    match value {
        Value::Object(map) if map.contains_key("format") || map.contains_key("processed") => {
            map.get("processed").cloned().unwrap_or_default()
        }
        Value::Array(list) => Value::Array(list.iter().map(filtered).collect()),
        other => other.clone(),
    }
}

/// What one target of a relationship is: a file with its alternative text, a term, a media item.
fn followed(target: &Value, included: &Included<'_>, depth: usize) -> Option<Value> {
    if depth >= DEPTH_MAX {
        return None;
    }
    let (kind, id) = key(target)?;
    // Who wrote it is nobody's business but the agency's.
    if kind.starts_with("user--") {
        return None;
    }
    let found = included.0.get(&(kind, id))?;
    if kind.starts_with("file--") {
        let (url, mime) = (json::text(found, "/attributes/uri/url"), json::text(found, "/attributes/filemime"));
        let meta = target.get("meta").cloned().unwrap_or_default();
        return Some(json!({"url": url?, "mime": mime, "meta": meta, "bytes": found.pointer("/attributes/filesize")}));
    }
    if !kind.starts_with("media--") {
        return Some(
            json!({"name": json::text(found, "/attributes/name").or_else(|| json::text(found, "/attributes/title"))}),
        );
    }
    let relations = found.get("relationships").and_then(Value::as_object)?;
    let own = relations.iter().take(TARGETS_MAX).filter(|(name, _)| *name != "thumbnail");
    let files = own
        .filter_map(|(_, value)| value.get("data"))
        .filter(|data| data.get("type").and_then(Value::as_str).is_some_and(|kind| kind.starts_with("file--")));
    files.filter_map(|data| followed(data, included, depth + 1)).next()
}

/// A file that a relationship leads to.
pub(super) fn file(value: &Value, site: &Url) -> Option<Media> {
    let size = |pointer: &str| json::integer(value, pointer).and_then(|size| u32::try_from(size).ok());
    let alt = json::text(value, "/meta/alt");
    Some(Media {
        url: site.join(json::text(value, "/url")?.trim()).ok()?.into(),
        media_type: json::text(value, "/mime"),
        alt: alt.as_deref().and_then(crate::draft::alt),
        width: size("/meta/width"),
        height: size("/meta/height"),
        bytes: json::integer(value, "/bytes").and_then(|bytes| u64::try_from(bytes).ok()),
    })
}
