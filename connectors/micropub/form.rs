//! Requests as HTML forms, also with files (`multipart/form-data`).

use serde_json::{Map, Value, json};

use super::entry::Entry;
use super::{Command, Create, check, problem};
use crate::error::ConnectorError;

/// Most fields of a form.
pub const FIELDS_MAX: usize = 1_000;

/// The name of a field, taken apart.
struct Field<'n> {
    property: &'n str,
    /// `html`, `value`, `alt` of a value that has parts.
    part: Option<&'n str>,
}

/// What a form asks for: its fields in the order in which they came.
pub fn command(pairs: &[(String, String)]) -> Result<Command, ConnectorError> {
    if pairs.len() > FIELDS_MAX {
        return Err(problem(format!("the form has more than {FIELDS_MAX} fields")));
    }
    let url =
        || single(pairs, "url")?.map(str::to_owned).ok_or_else(|| problem("`url` is missing: the post it is about"));
    match single(pairs, "action")? {
        None | Some("create") => create(pairs).map(Command::Create),
        Some("delete") => Ok(Command::Delete { url: url()? }),
        Some("undelete") => Ok(Command::Undelete { url: url()? }),
        Some("update") => Err(problem("an update must be sent as JSON (Micropub 3.4)")),
        Some(other) => Err(unknown_action(other)),
    }
}

pub(super) fn unknown_action(action: &str) -> ConnectorError {
    let shown: String = action.chars().take(40).collect();
    problem(format!("the action `{shown}` is not known; these are: create, update, delete, undelete"))
}

fn create(pairs: &[(String, String)]) -> Result<Create, ConnectorError> {
    match single(pairs, "h")? {
        None | Some("entry") => {}
        Some(_) => return Err(problem("only `h=entry` can be published")),
    }
    let mut ignored = Vec::new();
    let mut alts = Vec::new();
    let mut properties: Map<String, Value> = Map::new();
    for (name, value) in pairs {
        let Field { property, part } = field(name)?;
        match property {
            "h" | "action" | "access_token" => {}
            "mp-photo-alt" => alts.push(value.clone()),
            _ if property.starts_with("mp-") => {
                if !ignored.iter().any(|known| known == property) {
                    ignored.push(property.to_owned());
                }
            }
            // Forms send their empty fields too.
            _ if value.trim().is_empty() => {}
            _ => put(&mut properties, property, part, value)?,
        }
    }
    describe(&mut properties, alts)?;
    Ok(Create { entry: Entry::new(properties)?, ignored })
}

/// The one value of a field; twice is an error, because one of the two would be lost.
fn single<'p>(pairs: &'p [(String, String)], name: &str) -> Result<Option<&'p str>, ConnectorError> {
    let mut found = pairs.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
    match (found.next(), found.next()) {
        (value, None) => Ok(value.filter(|value| !value.is_empty())),
        _ => Err(problem(format!("`{name}` stands there twice"))),
    }
}

/// `category`, `category[]`, `category[0]`, `content[html]`, `photo[value]`, `photo[alt]`.
fn field(name: &str) -> Result<Field<'_>, ConnectorError> {
    let (property, rest) = match name.split_once('[') {
        None => (name, None),
        Some((property, rest)) => (property, rest.strip_suffix(']')),
    };
    check::name(property)?;
    match rest {
        None if !name.contains('[') => Ok(Field { property, part: None }),
        Some(index) if index.bytes().all(|byte| byte.is_ascii_digit()) => Ok(Field { property, part: None }),
        Some("html" | "value") if property == "content" => Ok(Field { property, part: rest }),
        Some("alt" | "value") if property == "photo" => Ok(Field { property, part: rest }),
        _ => {
            let shown: String = name.chars().take(100).collect();
            Err(problem(format!("the field `{shown}` is not understood; send what has parts as JSON")))
        }
    }
}

fn put(
    properties: &mut Map<String, Value>,
    property: &str,
    part: Option<&str>,
    value: &str,
) -> Result<(), ConnectorError> {
    let values = properties.entry(property).or_insert_with(|| Value::Array(Vec::new()));
    let Value::Array(values) = values else { return Ok(()) };
    let Some(part) = part else {
        values.push(Value::String(value.to_owned()));
        return Ok(());
    };
    match values.as_mut_slice() {
        [] => values.push(json!({ part: value })),
        [Value::Object(object)] if !object.contains_key(part) => {
            object.insert(part.to_owned(), Value::String(value.to_owned()));
        }
        _ => return Err(problem(format!("`{property}` has parts and further values; send it as JSON"))),
    }
    Ok(())
}

/// Gives photos their alternative texts: `mp-photo-alt`, one for each photo, in their order.
fn describe(properties: &mut Map<String, Value>, alts: Vec<String>) -> Result<(), ConnectorError> {
    let none = &mut Vec::new();
    let photos = properties.get_mut("photo").and_then(Value::as_array_mut).unwrap_or(none);
    let blank = |text: &String| text.trim().is_empty();
    if alts.len() > photos.len() && !alts.iter().all(blank) {
        return Err(problem("there are more `mp-photo-alt` than photos"));
    }
    for (photo, alt) in photos.iter_mut().zip(alts).filter(|(_, alt)| !blank(alt)) {
        if let Value::String(url) = photo {
            *photo = json!({ "value": url, "alt": alt });
        }
    }
    Ok(())
}
