//! An entry of Strapi 4 or 5: its id, whether it is public, and what an event about it means (`reference/connectors.md` B3, B4).

use serde_json::{Map, Value};

use crate::draft::{identity, text};
use crate::json;

/// What an event means.
#[derive(Debug, PartialEq)]
pub(super) enum Meaning {
    Publish,
    Retract,
    Nothing(String),
}

/// The event `event` about an entry; `has_drafts` is "draft and publish" of its content type.
pub(super) fn meaning(event: &str, entry: &Value, has_drafts: bool) -> Meaning {
    let nothing = |why: &str| Meaning::Nothing(why.to_owned());
    match event {
        "entry.publish" => Meaning::Publish,
        "entry.create" | "entry.update" if !has_drafts => Meaning::Publish,
        // In 5 what is saved is always the draft beside the published entry; in 4 what is published is edited in place.
        "entry.create" | "entry.update" if is_five(entry) || is_draft(entry) => nothing("a draft was saved"),
        "entry.create" | "entry.update" => Meaning::Publish,
        "entry.unpublish" => Meaning::Retract,
        "entry.delete" if has_drafts && !is_five(entry) && is_draft(entry) => nothing("a draft was deleted"),
        "entry.delete" => Meaning::Retract,
        other => Meaning::Nothing(format!("`{}` changes nothing that is public", text::cut(other.to_owned(), 100))),
    }
}

fn is_five(entry: &Value) -> bool {
    entry.get("documentId").is_some()
}

/// Whether it says that it was never published.
pub(super) fn is_draft(entry: &Value) -> bool {
    entry.get("publishedAt").is_none_or(Value::is_null)
}

/// By what the REST API knows it, safe in a path.
pub(super) fn name(entry: &Value) -> Option<String> {
    let name = json::text(entry, "/documentId").or_else(|| json::text(entry, "/id"))?;
    let is_name = name.len() <= 100 && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_name.then_some(name)
}

/// The id: in 5 the languages of a document share its name, in 4 each has a number of its own.
pub(super) fn id(entry: &Value) -> Option<String> {
    let id = match (json::text(entry, "/documentId"), json::text(entry, "/locale")) {
        (Some(document), Some(locale)) => format!("{document}:{locale}"),
        (Some(document), None) => document,
        (None, _) => json::text(entry, "/id")?,
    };
    Some(identity::bounded(id))
}

/// An entry of Strapi 4 in the form of 5: `{"id", "attributes": {…}}` as one object, relations without their `data`.
pub(super) fn flat(value: &Value) -> Value {
    match value {
        Value::Array(list) => Value::Array(list.iter().map(flat).collect()),
        Value::Object(map) => match (map.get("attributes"), map.get("data")) {
            (Some(Value::Object(attributes)), _) if map.contains_key("id") => {
                let id = map.get("id").map(|id| ("id".to_owned(), id.clone()));
                let inner = attributes.iter().map(|(key, value)| (key.clone(), flat(value)));
                Value::Object(id.into_iter().chain(inner).collect::<Map<_, _>>())
            }
            (None, Some(data @ (Value::Object(_) | Value::Array(_) | Value::Null))) if map.len() == 1 => flat(data),
            _ => Value::Object(map.iter().map(|(key, value)| (key.clone(), flat(value))).collect()),
        },
        other => other.clone(),
    }
}
