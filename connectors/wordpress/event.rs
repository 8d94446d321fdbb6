//! What a pushed request says about a post (`reference/connectors.md` B3, B6).

use serde_json::Value;

use crate::draft::text;
use crate::error::ConnectorError;
use crate::item::EpochMs;
use crate::json;

/// Most digits of an id of a post.
const ID_DIGITS_MAX: usize = 20;

#[derive(Debug, PartialEq)]
pub(super) enum Meaning {
    /// That post is public, or may be: it is read back.
    Read(String),
    /// Something changed, nobody says what: the list is read.
    ReadAll,
    Retract {
        id: String,
        version: Option<EpochMs>,
    },
    Nothing(String),
}

/// `trigger` is the name by which WP Webhooks calls the event, where it tells.
pub(super) fn meaning(body: &Value, trigger: Option<&str>, kind: &str) -> Result<Meaning, ConnectorError> {
    let first = |pointers: &[&str]| pointers.iter().find_map(|pointer| json::text(body, pointer));
    if body.as_object().is_some_and(serde_json::Map::is_empty) {
        return Ok(Meaning::ReadAll);
    }
    let id = first(&["/post_id", "/ID", "/post/ID", "/id"]);
    let id = id.ok_or_else(|| json::lacks("delivery of WordPress", "it names no post: `post_id` is not there"))?;
    let id = id.trim().to_owned();
    if id.len() > ID_DIGITS_MAX || !id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(json::lacks("delivery of WordPress", "`post_id` is no number"));
    }
    if let Some(other) = first(&["/post/post_type", "/post_type"]).filter(|found| found != kind) {
        return Ok(Meaning::Nothing(format!("it is about a `{}`, not a `{kind}`", text::cut(other, 50))));
    }
    let status = first(&["/post/post_status", "/post_status"]);
    let before = first(&["/post_before/post_status"]);
    let trigger = trigger.unwrap_or_default();
    let is_removal =
        ["delete", "trash"].iter().any(|word| trigger.contains(word)) || status.as_deref() == Some("trash");
    let version =
        json::date_utc(body, "/post/post_modified_gmt").or_else(|| json::date_utc(body, "/post_modified_gmt"));
    let retract = Meaning::Retract { id: id.clone(), version };
    if is_removal {
        // What was in the trash keeps what it was before.
        let trashed = first(&["/post_meta/_wp_trash_meta_status/0", "/post_meta/_wp_trash_meta_status"]);
        let was = before.or(trashed).or(status.filter(|status| status != "trash"));
        return Ok(match was.as_deref() {
            None | Some("publish" | "trash") => retract,
            Some(was) => {
                Meaning::Nothing(format!("the post that is gone was `{}`, not public", text::cut(was.to_owned(), 50)))
            }
        });
    }
    Ok(match (before.as_deref(), status.as_deref()) {
        (_, Some("publish") | None) => Meaning::Read(id),
        (Some("publish"), Some(_)) => retract,
        (_, Some("future")) => Meaning::Nothing("the post is planned; WordPress tells when it is published".to_owned()),
        (_, Some(status)) => {
            Meaning::Nothing(format!("the post is `{}`, not public", text::cut(status.to_owned(), 50)))
        }
    })
}
