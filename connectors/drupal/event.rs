//! What a pushed request says about a node (`reference/connectors.md` B3).

use serde_json::Value;

use crate::draft::text;
use crate::error::ConnectorError;
use crate::item::EpochMs;
use crate::json;

pub(super) const WHAT: &str = "delivery of Drupal";

/// Longest id of a node, in characters: a UUID has 36.
const ID_CHARS_MAX: usize = 64;

#[derive(Debug, PartialEq)]
pub(super) enum Meaning {
    /// That node is public, or may be: it is read back.
    Read(String),
    Retract {
        id: String,
        version: Option<EpochMs>,
    },
    Nothing(String),
}

pub(super) fn meaning(
    body: &Value,
    header: Option<&str>,
    bundle: &str,
    retract_states: &[String],
) -> Result<Meaning, ConnectorError> {
    let event = json::text(body, "/event").or_else(|| header.map(str::to_owned));
    let event = event.ok_or_else(|| json::lacks(WHAT, "it names no `event`"))?;
    let nothing = |why: String| Ok(Meaning::Nothing(why));
    let Some(verb) = event.strip_prefix("entity:node:").or_else(|| event.strip_prefix("node:")) else {
        return nothing(format!("`{}` is no event of a node", text::cut(event, 100)));
    };
    let entity = body.get("entity").filter(|entity| entity.is_object());
    let entity = entity.ok_or_else(|| json::lacks(WHAT, "it has no `entity`"))?;
    if let Some(found) = field(entity, "type").filter(|found| found != bundle && *found != format!("node--{bundle}")) {
        return nothing(format!("it is about a `{}`, not a `{bundle}`", text::cut(found, 100)));
    }
    let id = field(entity, "uuid").ok_or_else(|| json::lacks(WHAT, "its `entity` has no `uuid`"))?;
    let id = id.trim().to_ascii_lowercase();
    if id.len() > ID_CHARS_MAX || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(json::lacks(WHAT, "`uuid` of its `entity` is none"));
    }
    let version = field(entity, "changed").as_deref().and_then(crate::draft::dates::parse);
    let status = field(entity, "status");
    let is_public = status.as_deref().map(|status| matches!(status.trim(), "1" | "true" | "True"));
    let state = field(entity, "moderation_state");
    Ok(match (verb, is_public) {
        ("create" | "insert", Some(false)) => Meaning::Nothing("the node is not published".to_owned()),
        ("create" | "insert" | "update", Some(true) | None) => Meaning::Read(id),
        ("update", Some(false)) => match state {
            None => Meaning::Retract { id, version },
            Some(state) if retract_states.contains(&state) => Meaning::Retract { id, version },
            // A draft beside what is published: the event carries the draft, the node stays public as it is.
            Some(state) => Meaning::Nothing(format!("a version was saved as `{}`, not public", text::cut(state, 100))),
        },
        // A draft may have been saved beside what is public, so that its status says nothing.
        ("delete", _) => Meaning::Retract { id, version },
        (other, _) => {
            Meaning::Nothing(format!("`{}` changes nothing that is public", text::cut(other.to_owned(), 100)))
        }
    })
}

/// A field as Drupal stores it, `[{"value": …}]` or `[{"target_id": …}]`, or flat as an admin writes it.
fn field(entity: &Value, name: &str) -> Option<String> {
    let flags = |at: &str| entity.pointer(at).and_then(Value::as_bool).map(|on| on.to_string());
    [format!("/{name}/0/value"), format!("/{name}/0/target_id"), format!("/{name}/value"), format!("/{name}")]
        .iter()
        .find_map(|at| json::text(entity, at).or_else(|| flags(at)))
}
