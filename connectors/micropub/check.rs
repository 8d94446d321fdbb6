//! Which properties are taken, which are kept and not shown, and which are refused.

use std::collections::HashSet;

use serde_json::Value;
use url::Url;

use super::entry::{Entry, PHOTOS_MAX, photo_url};
use super::problem;
use crate::draft::identity::URL_BYTES_MAX;
use crate::draft::{ALT_CHARS_MAX, CATEGORIES_PER_ITEM_MAX, NAME_CHARS_MAX};
use crate::error::ConnectorError;
use crate::item::{TITLE_CHARS_MAX, WARNING_CHARS_MAX};

/// Most properties of an entry; a client sends some ten.
pub const PROPERTIES_MAX: usize = 64;
/// Most values of one property.
pub const VALUES_MAX: usize = 100;
/// Longest text, in bytes: some forty pages. As HTML it is at most six times as long, within what is kept of an item.
pub const TEXT_BYTES_MAX: usize = 64 * 1_024;
/// Longest name of a property, in bytes.
pub const NAME_BYTES_MAX: usize = 64;

/// Properties that make an entry something else than news. Published without them it would say what nobody meant.
static REFUSED: &[(&str, &str)] = &[
    ("in-reply-to", "answers to others are not published from here"),
    ("like-of", "likes are not published"),
    ("favorite-of", "likes are not published"),
    ("repost-of", "reposts are not published"),
    ("bookmark-of", "bookmarks are not published; write a text with a link"),
    ("quotation-of", "quotations are not published; write a text with a link"),
    ("rsvp", "answers to invitations are not published"),
    ("follow-of", "an actor of the gateway follows nobody"),
    ("tag-of", "tags on the posts of others are not published"),
    ("listen-of", "it is not published"),
    ("watch-of", "it is not published"),
    ("read-of", "it is not published"),
    ("play-of", "it is not published"),
    ("checkin", "places are not published"),
    ("video", "films cannot be published yet; link to it in the text"),
    ("audio", "sound cannot be published yet; link to it in the text"),
    ("sensitive", "send `content-warning`, which says of what a reader is warned"),
    ("access_token", "a token belongs into the header `Authorization: Bearer …`"),
];

/// Whether a name may be that of a property.
pub(super) fn name(name: &str) -> Result<(), ConnectorError> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    if !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.bytes().all(plain) {
        return Ok(());
    }
    let shown: String = name.chars().take(NAME_BYTES_MAX).collect();
    Err(problem(format!("`{shown}` is no name of a property: lower-case letters, digits and - are")))
}

/// Whether an entry with these properties may be published.
pub(super) fn properties(entry: &Entry) -> Result<(), ConnectorError> {
    let all = entry.properties();
    if all.len() > PROPERTIES_MAX {
        return Err(problem(format!("it has {} properties; {PROPERTIES_MAX} are the most", all.len())));
    }
    for (property, values) in all {
        name(property)?;
        if let Some((_, why)) = REFUSED.iter().find(|(refused, _)| refused == property) {
            return Err(problem(format!("`{property}` is not supported ({why}), and nothing was done")));
        }
        let Value::Array(values) = values else {
            return Err(problem(format!("`{property}` must be a list: \"{property}\": [ … ]")));
        };
        if values.len() > VALUES_MAX {
            return Err(problem(format!("`{property}` has {} values; {VALUES_MAX} are the most", values.len())));
        }
    }
    texts(entry)?;
    content(entry)?;
    categories(entry)?;
    photos(entry)?;
    one_of(entry, "post-status", &["published", "draft"], "")?;
    one_of(entry, "visibility", &["public"], "; a post for some only cannot be published from here")?;
    link(entry)?;
    entry.published()?;
    let silent = ["content", "name", "summary"].into_iter().all(|property| is_blank(entry, property));
    if silent && entry.photos().next().is_none() {
        return Err(problem("it says nothing: `content`, `name`, `summary` or `photo` is wanted"));
    }
    Ok(())
}

fn is_blank(entry: &Entry, property: &str) -> bool {
    let blank = |value: &Value| value.as_str().is_none_or(|text| text.trim().is_empty());
    entry.values(property).iter().all(|value| match value {
        Value::Object(object) => object.values().all(blank),
        other => blank(other),
    })
}

fn texts(entry: &Entry) -> Result<(), ConnectorError> {
    for property in ["name", "summary", "published", "post-status", "visibility", "url", "content-warning"] {
        match entry.values(property) {
            [] => {}
            [Value::String(_)] => {}
            [_] => return Err(problem(format!("`{property}` must be a text"))),
            _ => return Err(problem(format!("`{property}` must have one value"))),
        }
    }
    if entry.text("name").is_some_and(|name| name.trim().chars().count() > TITLE_CHARS_MAX) {
        return Err(problem(format!("`name` is longer than {TITLE_CHARS_MAX} characters")));
    }
    if entry.text("content-warning").is_some_and(|text| text.trim().chars().count() > WARNING_CHARS_MAX) {
        return Err(problem(format!("`content-warning` is longer than {WARNING_CHARS_MAX} characters")));
    }
    if entry.text("summary").is_some_and(|text| text.len() > TEXT_BYTES_MAX) {
        return Err(problem(format!("`summary` is longer than {TEXT_BYTES_MAX} bytes")));
    }
    Ok(())
}

fn content(entry: &Entry) -> Result<(), ConnectorError> {
    let problem_of = |why: &str| Err(problem(format!("`content` {why}; send [\"a text\"] or [{{\"html\": \"…\"}}]")));
    let text = match entry.values("content") {
        [] => return Ok(()),
        [Value::String(text)] => text,
        [Value::Object(object)] => match (object.get("html"), object.get("value")) {
            (Some(Value::String(html)), None | Some(Value::String(_))) => html,
            (None, Some(Value::String(value))) => value,
            _ => return problem_of("has neither `html` nor `value`"),
        },
        [_] => return problem_of("must be a text or an object"),
        _ => return problem_of("must have one value"),
    };
    if text.len() > TEXT_BYTES_MAX {
        return problem_of(&format!("is longer than {TEXT_BYTES_MAX} bytes"));
    }
    Ok(())
}

fn categories(entry: &Entry) -> Result<(), ConnectorError> {
    let categories = entry.values("category");
    if categories.len() > CATEGORIES_PER_ITEM_MAX {
        return Err(problem(format!("`category` has more than {CATEGORIES_PER_ITEM_MAX} values")));
    }
    for category in categories {
        let Value::String(term) = category else {
            return Err(problem("a `category` must be a text; people cannot be tagged from here"));
        };
        if term.chars().count() > NAME_CHARS_MAX {
            return Err(problem(format!("a `category` is longer than {NAME_CHARS_MAX} characters")));
        }
    }
    Ok(())
}

fn photos(entry: &Entry) -> Result<(), ConnectorError> {
    let photos = entry.values("photo");
    let distinct: HashSet<&str> = photos.iter().filter_map(photo_url).collect();
    if distinct.len() > PHOTOS_MAX {
        return Err(problem(format!("it has {} photos; {PHOTOS_MAX} are the most", distinct.len())));
    }
    for photo in photos {
        let url = photo_url(photo).filter(|url| is_address(url));
        let alt = match photo.get("alt") {
            None | Some(Value::Null) => Some(""),
            Some(alt) => alt.as_str(),
        };
        match (url, alt) {
            (Some(_), Some(alt)) if alt.chars().count() <= ALT_CHARS_MAX => {}
            (Some(_), Some(_)) => {
                return Err(problem(format!("the `alt` of a photo is longer than {ALT_CHARS_MAX} characters")));
            }
            _ => {
                return Err(problem(
                    "a `photo` must be the https address of a picture, or {\"value\": \"https://…\", \"alt\": \"…\"}",
                ));
            }
        }
    }
    Ok(())
}

fn is_address(text: &str) -> bool {
    text.len() <= URL_BYTES_MAX
        && Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

fn one_of(entry: &Entry, property: &str, known: &[&str], more: &str) -> Result<(), ConnectorError> {
    match entry.text(property) {
        Some(value) if !known.contains(&value) => {
            let known = known.join("` and `");
            Err(problem(format!("`{property}` is taken with the value `{known}` only{more}; nothing was done")))
        }
        _ => Ok(()),
    }
}

fn link(entry: &Entry) -> Result<(), ConnectorError> {
    match entry.text("url") {
        Some(url) if !is_address(url) => Err(problem("`url` must be the http(s) address of the page of this entry")),
        _ => Ok(()),
    }
}
