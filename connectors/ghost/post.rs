//! A post of Ghost, in a webhook or in an answer: what its state means, and its fields (`reference/connectors.md` B3, B4).

use serde_json::Value;

use crate::draft::Draft;
use crate::draft::text::{self, Text};
use crate::item::{Category, Media};
use crate::json;

/// Most tags and authors that are looked at of one post.
const LOOKED_AT_MAX: usize = 200;

/// Who can see a post.
#[derive(Debug, PartialEq, Clone, Copy)]
pub(super) enum State {
    Public,
    /// Published, but for members or payers, or only as a mail.
    Members,
    Scheduled,
    Draft,
}

/// What a webhook means.
#[derive(Debug, PartialEq)]
pub(super) enum Meaning {
    Publish,
    Retract,
    Nothing(String),
}

/// `usual` is the status of a post that does not say one: in a list of what is public, `published`.
pub(super) fn state(post: &Value, usual: &str) -> State {
    let is = |pointer: &str, usual: &str| json::text(post, pointer).unwrap_or_else(|| usual.to_owned());
    match is("/status", usual).as_str() {
        "published" if is("/visibility", "public") == "public" => State::Public,
        "published" | "sent" => State::Members,
        "scheduled" => State::Scheduled,
        _ => State::Draft,
    }
}

/// `before` holds only what changed; of a post that is deleted it holds the post, and `now` nothing.
pub(super) fn meaning(now: &Value, before: &Value) -> Meaning {
    let nothing = |why: &str| Meaning::Nothing(why.to_owned());
    let was = |pointer: &str| json::text(before, pointer);
    if now.get("id").is_none() {
        return match was("/status").as_deref() {
            None | Some("published") => Meaning::Retract,
            Some(_) => nothing("the post that was deleted was not public"),
        };
    }
    let was_public = was("/status").is_some_and(|status| status == "published");
    match state(now, "draft") {
        State::Public => Meaning::Publish,
        // It may have been for everybody before.
        State::Members if was("/visibility").is_some_and(|visibility| visibility == "public") => Meaning::Retract,
        State::Members => nothing("the post is for members, not for everybody"),
        State::Scheduled | State::Draft if was_public => Meaning::Retract,
        State::Scheduled => nothing("the post is scheduled; Ghost tells when it is published"),
        State::Draft => nothing("the post is a draft"),
    }
}

/// The post; `None` without an id.
pub(super) fn draft(post: &Value) -> Option<Draft> {
    Some(Draft {
        id: Some(json::text(post, "/id")?),
        link: json::text(post, "/url"),
        title: json::text(post, "/title").and_then(|title| text::title(&Text::Plain(title))),
        summary: json::text(post, "/custom_excerpt").map(Text::Plain),
        body: json::text(post, "/html").map(Text::Html).or_else(|| json::text(post, "/plaintext").map(Text::Plain)),
        published_at: json::date(post, "/published_at"),
        updated_at: json::date(post, "/updated_at"),
        authors: listed(post, "/authors"),
        // A tag whose name begins with `#` is for the editors only.
        categories: listed(post, "/tags")
            .into_iter()
            .filter(|name| !name.starts_with('#'))
            .map(|term| Category { term, scheme: None })
            .collect(),
        files: image(post).into_iter().collect(),
        ..Draft::default()
    })
}

fn listed(post: &Value, pointer: &str) -> Vec<String> {
    json::list(post, pointer).iter().take(LOOKED_AT_MAX).filter_map(|one| json::text(one, "/name")).collect()
}

fn image(post: &Value) -> Option<Media> {
    let alt = json::text(post, "/feature_image_alt");
    Some(Media {
        url: json::text(post, "/feature_image")?,
        media_type: Some("image/*".to_owned()),
        alt: alt.as_deref().and_then(crate::draft::alt),
        ..Media::default()
    })
}
