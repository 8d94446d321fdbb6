//! Markdown with front matter, in YAML between `---` or in TOML between `+++`.

use serde_json::{Map, Value};

use super::{Entry, WHAT, fields};
use crate::draft::Warnings;
use crate::draft::text::Text;
use crate::error::ConnectorError;
use crate::json;
use crate::rich;

/// Longest front matter, in bytes: real ones stay under 2 KiB; aliases in YAML may stand for a hundred times as much.
pub(super) const MATTER_BYTES_MAX: usize = 16 * 1_024;

/// The one item of the file; its name is the id where the front matter has none.
pub(super) fn read(text: &str, name: &str, warnings: &mut Warnings) -> Result<Vec<Entry>, ConnectorError> {
    let (fence, rest) = match text.split_once('\n') {
        Some((first, rest)) if matches!(first.trim_end(), "---" | "+++") => (first.trim_end(), rest),
        _ => return Err(json::lacks(WHAT, "it has no front matter: its first line must be --- or +++")),
    };
    let (matter, body) =
        parted(rest, fence).ok_or_else(|| json::lacks(WHAT, format!("its front matter is not closed by {fence}")))?;
    if matter.len() > MATTER_BYTES_MAX {
        let problem = format!("its front matter has {} bytes, {MATTER_BYTES_MAX} are read", matter.len());
        return Err(json::lacks(WHAT, problem));
    }
    let mut said = if fence == "+++" { toml(matter)? } else { yaml(matter)? };
    // What follows is the text: a field of that name is something else.
    said.retain(|key, _| !matches!(key.to_ascii_lowercase().as_str(), "text" | "html" | "body" | "content" | "tekst"));
    let Some(mut entry) = fields::item(&said, Some(name), warnings)? else { return Ok(Vec::new()) };
    if !entry.draft.is_deleted && !body.trim().is_empty() {
        entry.draft.body = Some(Text::Html(rich::markdown(body).0));
    }
    Ok(vec![entry])
}

/// What is before and after the line that closes.
fn parted<'t>(text: &'t str, fence: &str) -> Option<(&'t str, &'t str)> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let end = at + line.len();
        if line.trim_end() == fence || (fence == "---" && line.trim_end() == "...") {
            return Some((text.get(..at)?, text.get(end..)?));
        }
        at = end;
    }
    None
}

fn yaml(matter: &str) -> Result<Map<String, Value>, ConnectorError> {
    let unreadable = |problem: String| json::lacks(WHAT, format!("its front matter is no YAML ({problem})"));
    match serde_yaml_ng::from_str(matter).map_err(|problem| unreadable(problem.to_string()))? {
        Value::Object(said) => Ok(said),
        _ => Err(unreadable("it is no table of names and values".to_owned())),
    }
}

fn toml(matter: &str) -> Result<Map<String, Value>, ConnectorError> {
    let table: toml::Table = toml::from_str(matter)
        .map_err(|problem| json::lacks(WHAT, format!("its front matter is no TOML ({})", problem.message())))?;
    Ok(table.into_iter().map(|(key, value)| (key, plain(value))).collect())
}

/// As JSON; a date is a text.
fn plain(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Float(number) => Value::from(number),
        toml::Value::Boolean(yes) => Value::Bool(yes),
        toml::Value::Datetime(at) => Value::String(at.to_string()),
        toml::Value::Array(all) => all.into_iter().map(plain).collect(),
        toml::Value::Table(table) => Value::Object(table.into_iter().map(|(key, value)| (key, plain(value))).collect()),
    }
}
