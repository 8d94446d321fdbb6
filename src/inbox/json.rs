//! Bounded reading of JSON from others, and the lenient access that their shapes need.

use serde_json::Value;
use url::Url;

use crate::inbox::{ENTRIES_MAX, INBOX_BODY_BYTES_MAX, InboxError, JSON_DEPTH_MAX, NAME_CHARS_MAX};

/// Keywords of JSON-LD that can rearrange what was signed (CVE-2022-24307, CVE-2026-46349).
const KEYWORDS: [&str; 3] = ["@graph", "@included", "@reverse"];

/// Parses a JSON object within the bounds of size, depth and keywords. The depth is counted before anything is parsed.
pub(super) fn parse(bytes: &[u8]) -> Result<Value, InboxError> {
    if bytes.len() > INBOX_BODY_BYTES_MAX {
        return Err(InboxError::TooLarge(bytes.len()));
    }
    if depth(bytes) > JSON_DEPTH_MAX {
        return Err(InboxError::TooDeep);
    }
    let value: Value = serde_json::from_slice(bytes).map_err(|e| InboxError::NotJson(e.to_string()))?;
    if !value.is_object() {
        return Err(InboxError::NotJson("it is of another type".to_owned()));
    }
    match keyword(&value, false) {
        Some(found) => Err(InboxError::Keyword(found)),
        None => Ok(value),
    }
}

/// Deepest nesting of brackets outside strings.
fn depth(bytes: &[u8]) -> usize {
    let (mut now, mut deepest) = (0_usize, 0_usize);
    let (mut quoted, mut escaped) = (false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => {
                now += 1;
                deepest = deepest.max(now);
            }
            b'}' | b']' if !quoted => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Whether a keyword stands as a key anywhere, or a context gives one another name.
fn keyword(value: &Value, in_context: bool) -> Option<&'static str> {
    let exact = |text: &str| KEYWORDS.into_iter().find(|k| *k == text);
    match value {
        Value::String(text) if in_context => exact(text),
        Value::Array(items) => items.iter().find_map(|item| keyword(item, in_context)),
        Value::Object(object) => object
            .iter()
            .find_map(|(key, value)| exact(key).or_else(|| keyword(value, in_context || key == "@context"))),
        _ => None,
    }
}

/// The only or the first of an array, otherwise the value itself.
pub(super) fn first(value: &Value) -> Option<&Value> {
    match value {
        Value::Array(items) => items.first(),
        Value::Null => None,
        other => Some(other),
    }
}

/// The one value, or the first of an array, under a key.
pub(super) fn one<'a>(object: &'a Value, key: &str) -> Option<&'a Value> {
    object.get(key).and_then(first)
}

/// All values under a key, at most [`ENTRIES_MAX`]: an array, or a single one.
pub(super) fn many<'a>(object: &'a Value, key: &str) -> Vec<&'a Value> {
    match object.get(key) {
        Some(Value::Array(items)) => items.iter().take(ENTRIES_MAX).collect(),
        None | Some(Value::Null) => Vec::new(),
        Some(single) => vec![single],
    }
}

/// The id under a key: a text, or the `id` of an embedded object, or the `href` of a Link.
pub(super) fn id<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    one(object, key).and_then(id_of)
}

/// The id that a value is or has.
pub(super) fn id_of(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Object(object) => object.get("id").or_else(|| object.get("href")).and_then(Value::as_str),
        _ => None,
    }
}

/// The text under a key, not empty.
pub(super) fn text<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    one(object, key).and_then(Value::as_str).filter(|text| !text.trim().is_empty())
}

/// The text under a key, cut to [`NAME_CHARS_MAX`].
pub(super) fn name(object: &Value, key: &str) -> Option<String> {
    text(object, key).map(cut)
}

/// Cut to [`NAME_CHARS_MAX`] characters.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(NAME_CHARS_MAX).collect()
}

/// The type of an object: the first that is given.
pub(super) fn kind(object: &Value) -> Option<&str> {
    text(object, "type")
}

/// A page or file URL: http or https only, of bounded length; under `key` as a text, or as the `href` or `url` of an object.
pub(super) fn link(object: &Value, key: &str) -> Option<String> {
    let value = one(object, key)?;
    let text = match value {
        Value::String(text) => text.as_str(),
        Value::Object(inner) => inner.get("href").or_else(|| inner.get("url")).and_then(Value::as_str)?,
        _ => return None,
    };
    let fits = text.len() <= crate::urls::URL_BYTES_MAX;
    let url = Url::parse(text).ok().filter(|url| fits && matches!(url.scheme(), "http" | "https"))?;
    url.host_str().is_some_and(|host| !host.is_empty()).then(|| text.to_owned())
}
