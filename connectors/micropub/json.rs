//! Requests as JSON.

use serde_json::{Map, Value};

use super::entry::Entry;
use super::form::unknown_action;
use super::update::Changes;
use super::{Command, Create, check, problem};
use crate::error::ConnectorError;
use crate::json;

/// Deepest nesting of a value that is kept, in levels; nested microformats have some six.
pub const DEPTH_MAX: usize = 16;

/// What a JSON body asks for.
pub fn command(body: &[u8]) -> Result<Command, ConnectorError> {
    let Value::Object(mut fields) = json::object(body, "request")? else { return Err(ConnectorError::Empty) };
    if fields.values().any(|value| depth(value) > DEPTH_MAX) {
        return Err(problem(format!("it is nested deeper than {DEPTH_MAX} levels")));
    }
    let action = match fields.remove("action") {
        None => "create".to_owned(),
        Some(Value::String(action)) => action,
        Some(_) => return Err(problem("`action` must be a text")),
    };
    match action.as_str() {
        "create" => create(fields).map(Command::Create),
        "update" => update(fields),
        "delete" => Ok(Command::Delete { url: only_url(fields)? }),
        "undelete" => Ok(Command::Undelete { url: only_url(fields)? }),
        other => Err(unknown_action(other)),
    }
}

fn create(mut fields: Map<String, Value>) -> Result<Create, ConnectorError> {
    match fields.remove("type") {
        None => {}
        Some(Value::Array(types)) if matches!(types.as_slice(), [Value::String(kind)] if kind == "h-entry") => {}
        Some(_) => return Err(problem("`type` must be [\"h-entry\"]: nothing else can be published")),
    }
    let mut properties = match fields.remove("properties") {
        Some(Value::Object(properties)) => properties,
        _ => return Err(problem("`properties` must be an object")),
    };
    let mut ignored = commands(&mut properties);
    ignored.extend(commands(&mut fields));
    finish(&fields)?;
    properties.retain(|_, values| values.as_array().is_none_or(|values| !values.is_empty()));
    Ok(Create { entry: Entry::new(properties)?, ignored })
}

fn update(mut fields: Map<String, Value>) -> Result<Command, ConnectorError> {
    let url = url(&mut fields)?;
    let mut changes = Changes::default();
    let mut ignored = commands(&mut fields);
    for (name, into) in [("replace", &mut changes.replace), ("add", &mut changes.add)] {
        match fields.remove(name) {
            None => {}
            Some(Value::Object(values)) => *into = lists(name, values, &mut ignored)?,
            Some(_) => return Err(problem(format!("`{name}` must be an object of lists: {{\"content\": [\"…\"]}}"))),
        }
    }
    match fields.remove("delete") {
        None => {}
        Some(Value::Object(values)) => changes.delete_values = lists("delete", values, &mut ignored)?,
        Some(Value::Array(names)) => {
            for property in names {
                let Value::String(property) = property else {
                    return Err(problem("`delete` must be a list of names, or an object of lists"));
                };
                check::name(&property)?;
                changes.delete.push(property);
            }
        }
        Some(_) => return Err(problem("`delete` must be a list of names, or an object of lists")),
    }
    finish(&fields)?;
    if changes.is_empty() && ignored.is_empty() {
        return Err(problem("it changes nothing: `replace`, `add` or `delete` is wanted"));
    }
    Ok(Command::Update { url, changes, ignored })
}

/// Lists by their property.
fn lists(
    operation: &str,
    mut values: Map<String, Value>,
    ignored: &mut Vec<String>,
) -> Result<Map<String, Value>, ConnectorError> {
    ignored.extend(commands(&mut values));
    for (property, list) in &values {
        check::name(property)?;
        if !list.is_array() {
            return Err(problem(format!("`{operation}` must hold lists: {{\"{property}\": [ … ]}}")));
        }
    }
    Ok(values)
}

/// Takes the commands out: they are never stored.
fn commands(fields: &mut Map<String, Value>) -> Vec<String> {
    let names: Vec<String> = fields.keys().filter(|name| name.starts_with("mp-")).cloned().collect();
    for name in &names {
        fields.remove(name);
    }
    names
}

fn only_url(mut fields: Map<String, Value>) -> Result<String, ConnectorError> {
    let url = url(&mut fields)?;
    finish(&fields)?;
    Ok(url)
}

fn url(fields: &mut Map<String, Value>) -> Result<String, ConnectorError> {
    match fields.remove("url") {
        Some(Value::String(url)) if !url.is_empty() => Ok(url),
        _ => Err(problem("`url` is missing: the post it is about")),
    }
}

/// Refuses what nobody asked for, because it would be lost.
fn finish(left: &Map<String, Value>) -> Result<(), ConnectorError> {
    match left.keys().next() {
        None => Ok(()),
        Some(name) if name == "access_token" => {
            Err(problem("a token belongs into the header `Authorization: Bearer …`"))
        }
        Some(name) => {
            let shown: String = name.chars().take(100).collect();
            Err(problem(format!("`{shown}` is not understood; properties of the entry belong into `properties`")))
        }
    }
}

/// How deep a value is nested; what `serde_json` reads has at most 128 levels.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(values) => 1 + values.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
