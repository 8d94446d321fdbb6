//! JSON as systems push it: looked at by RFC 6901 pointer, wrong types count as absent, because one bad field must not cost the
//! item. Nesting is bounded by `serde_json` (128 levels).

use serde_json::{Map, Value};

use crate::contract::Delivery;
use crate::draft::dates;
use crate::error::ConnectorError;
use crate::item::{Category, EpochMs};

/// Reads a body as JSON; `what` is what it should be, for the error: "event".
pub fn parse(body: &[u8], what: &'static str) -> Result<Value, ConnectorError> {
    let body = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    if body.trim_ascii().is_empty() {
        return Err(ConnectorError::Empty);
    }
    serde_json::from_slice(body)
        .map_err(|problem| ConnectorError::Unreadable { what, problem: format!("it is no JSON ({problem})") })
}

/// The same, of what must be an object.
pub fn object(body: &[u8], what: &'static str) -> Result<Value, ConnectorError> {
    let value = parse(body, what)?;
    if value.is_object() { Ok(value) } else { Err(lacks(what, "it is no JSON object")) }
}

/// What cannot be read because of that.
pub fn lacks(what: &'static str, problem: impl Into<String>) -> ConnectorError {
    ConnectorError::Unreadable { what, problem: problem.into() }
}

/// A text that is not blank; numbers count as texts, because many ids are numbers.
pub fn text(of: &Value, pointer: &str) -> Option<String> {
    let text = match of.pointer(pointer)? {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    Some(text).filter(|text| !text.trim().is_empty())
}

/// A date in any of the forms that feeds have too; a number is seconds or milliseconds.
pub fn date(of: &Value, pointer: &str) -> Option<EpochMs> {
    text(of, pointer).as_deref().and_then(dates::parse)
}

/// A date that was written without a zone but is in UTC, as `date_gmt` of WordPress is.
pub fn date_utc(of: &Value, pointer: &str) -> Option<EpochMs> {
    let text = text(of, pointer)?.trim().replacen(' ', "T", 1);
    let zoned = text.ends_with('Z') || text.get(10..).is_some_and(|time| time.contains(['+', '-']));
    dates::parse(&if zoned { text } else { format!("{text}Z") })
}

/// A whole number.
pub fn integer(of: &Value, pointer: &str) -> Option<i64> {
    let value = of.pointer(pointer)?;
    value.as_i64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()))
}

/// The elements of a list; none where there is no list.
pub fn list<'v>(of: &'v Value, pointer: &str) -> &'v [Value] {
    of.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Texts of a list as categories: elements that are texts, or the text at `name` inside them.
pub fn terms(of: &Value, pointer: &str, name: &str) -> Vec<Category> {
    let term = |value: &Value| match value {
        Value::String(term) => Some(term.clone()),
        _ => text(value, name),
    };
    list(of, pointer).iter().filter_map(term).map(|term| Category { term, scheme: None }).collect()
}

/// The body of a delivery as a JSON object, also where it came as an HTML form: then every field is a text.
pub fn delivered(delivery: &Delivery, what: &'static str) -> Result<Value, ConnectorError> {
    if delivery.media_type().as_deref() != Some("application/x-www-form-urlencoded") {
        return object(&delivery.body, what);
    }
    let mut fields = Map::new();
    for (name, value) in url::form_urlencoded::parse(&delivery.body).take(1_000) {
        fields.insert(name.into_owned(), Value::String(value.into_owned()));
    }
    if fields.is_empty() { Err(ConnectorError::Empty) } else { Ok(Value::Object(fields)) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_found_and_wrong_types_are_absent() {
        let value = json!({"id": 42, "a": {"b": " x "}, "blank": " ", "list": ["p", {"name": "q"}, 3], "at": "2026-03-02 09:30:00", "n": "7"});
        assert_eq!(text(&value, "/id").as_deref(), Some("42"));
        assert_eq!(text(&value, "/a/b").as_deref(), Some(" x "));
        assert_eq!(text(&value, "/blank"), None);
        assert_eq!(text(&value, "/a"), None);
        assert_eq!(integer(&value, "/n"), Some(7));
        assert_eq!(date_utc(&value, "/at"), Some(1_772_443_800_000));
        assert_eq!(date(&value, "/at"), Some(1_772_443_800_000 - 3_600_000));
        let found: Vec<String> = terms(&value, "/list", "/name").into_iter().map(|c| c.term).collect();
        assert_eq!(found, ["p", "q"]);
    }

    #[test]
    fn what_is_no_json_object_is_an_error() {
        assert_eq!(parse(b" ", "event"), Err(ConnectorError::Empty));
        for bad in ["{", "[1", "nul", "\u{0}"] {
            assert!(matches!(parse(bad.as_bytes(), "event"), Err(ConnectorError::Unreadable { .. })), "{bad}");
        }
        assert!(object(b"[]", "event").is_err());
        assert!(object(b"\xEF\xBB\xBF{}", "event").is_ok());
        assert!(parse("[".repeat(200).as_bytes(), "event").is_err());
    }

    #[test]
    fn a_form_is_an_object_of_texts() {
        let headers = vec![("content-type".to_owned(), "application/x-www-form-urlencoded; charset=utf-8".to_owned())];
        let delivery = Delivery { headers, body: b"ID=7&post_title=Twee+woorden".to_vec(), ..Delivery::default() };
        assert_eq!(delivered(&delivery, "event").unwrap(), json!({"ID": "7", "post_title": "Twee woorden"}));
    }
}
