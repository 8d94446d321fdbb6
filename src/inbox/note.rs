//! A text as others send it.

use heraut_connectors::item::RawHtml;
use serde_json::Value;

use crate::activity::PUBLIC;
use crate::inbox::read::object_of;
use crate::inbox::{AttachmentIn, CONTENT_BYTES_MAX, InboxError, MentionIn, NoteIn, Visibility, json};
use crate::time::Timestamp;
use crate::urls::{ActorUrl, ObjectUrl};

/// Reads an embedded or fetched object that claims to be by `author`. `activity` lends its audience where the object has none.
pub(super) fn read(object: &Value, activity: &Value, author: &ActorUrl) -> Result<NoteIn, InboxError> {
    let id = object.get("id").and_then(Value::as_str).and_then(|text| ObjectUrl::parse(text).ok());
    let id = id.ok_or(InboxError::Shape("object.id"))?;
    if id.authority() != author.authority() {
        return Err(InboxError::ForeignId { id: id.to_string(), actor: author.to_string() });
    }
    let authors = json::many(object, "attributedTo");
    if authors.is_empty() {
        return Err(InboxError::Shape("object.attributedTo"));
    }
    // PeerTube names a channel beside the person.
    if !authors.iter().filter_map(|a| json::id_of(a)).any(|a| a == author.as_str()) {
        let found = authors.first().and_then(|a| json::id_of(a)).map(json::cut).unwrap_or_default();
        return Err(InboxError::ForeignAuthor { id: id.to_string(), author: found });
    }
    let (content, language) = content(object)?;
    let (to, cc) = audience(object, activity);
    let tags = json::many(object, "tag");
    Ok(NoteIn {
        id,
        kind: json::cut(json::kind(object).unwrap_or("Note")),
        attributed_to: author.clone(),
        in_reply_to: object_of(object, "inReplyTo"),
        content,
        language,
        published: instant(object, "published"),
        updated: instant(object, "updated"),
        visibility: visibility(&to, &cc),
        to,
        cc,
        mentions: tags.iter().filter_map(|tag| mention(tag)).collect(),
        tags: tags.iter().filter_map(|tag| hashtag(tag)).collect(),
        attachments: json::many(object, "attachment").into_iter().filter_map(attachment).collect(),
        url: json::link(object, "url"),
        summary: json::name(object, "summary"),
        quote: quote(object),
    })
}

/// The text and its language: `content`, else the first of `contentMap`; a title alone (Event, Video) serves as text.
fn content(object: &Value) -> Result<(RawHtml, Option<String>), InboxError> {
    let map = object.get("contentMap").and_then(Value::as_object);
    let entries = || map.into_iter().flatten().filter_map(|(key, value)| value.as_str().map(|v| (key.as_str(), v)));
    let plain = object.get("content").and_then(Value::as_str);
    let text = plain.or_else(|| entries().next().map(|(_, v)| v)).or_else(|| json::text(object, "name"));
    let text = text.unwrap_or_default();
    if text.len() > CONTENT_BYTES_MAX {
        return Err(InboxError::Shape("object.content"));
    }
    let language = entries().find(|(_, value)| *value == text).or_else(|| entries().next());
    let language = language.map(|(key, _)| key).filter(|key| (2..=35).contains(&key.len()) && *key != "und");
    Ok((RawHtml(text.to_owned()), language.map(str::to_owned)))
}

/// The object's own audience; the activity's only where the object has none at all.
fn audience(object: &Value, activity: &Value) -> (Vec<String>, Vec<String>) {
    let own = (ids(object, "to"), ids(object, "cc"));
    if own.0.is_empty() && own.1.is_empty() { (ids(activity, "to"), ids(activity, "cc")) } else { own }
}

fn ids(object: &Value, key: &str) -> Vec<String> {
    let fits = |text: &&str| text.len() <= crate::urls::URL_BYTES_MAX;
    json::many(object, key).into_iter().filter_map(json::id_of).filter(fits).map(str::to_owned).collect()
}

/// `reference/federation.md` 2.9. Without the public collection, an audience that names a followers collection is that of
/// followers; every server read ends its URL in `/followers`. Both are kept from the public alike.
fn visibility(to: &[String], cc: &[String]) -> Visibility {
    let public = |list: &[String]| list.iter().any(|id| matches!(id.as_str(), PUBLIC | "as:Public" | "Public"));
    if public(to) {
        Visibility::Public
    } else if public(cc) {
        Visibility::Unlisted
    } else if to.iter().chain(cc).any(|id| id.trim_end_matches('/').ends_with("/followers")) {
        Visibility::Followers
    } else {
        Visibility::Direct
    }
}

fn mention(tag: &Value) -> Option<MentionIn> {
    if json::kind(tag) != Some("Mention") {
        return None;
    }
    let href = json::link(tag, "href")?;
    Some(MentionIn { href, name: json::name(tag, "name").unwrap_or_default() })
}

fn hashtag(tag: &Value) -> Option<String> {
    if json::kind(tag) != Some("Hashtag") {
        return None;
    }
    let name = json::name(tag, "name")?;
    let bare = name.trim().trim_start_matches('#');
    (!bare.is_empty()).then(|| bare.to_owned())
}

fn attachment(value: &Value) -> Option<AttachmentIn> {
    let url = json::link(value, "url").or_else(|| json::link(value, "href"))?;
    let media_type = json::name(value, "mediaType").unwrap_or_default();
    let name = json::text(value, "summary").or_else(|| json::text(value, "name"));
    Some(AttachmentIn { url, media_type, name: name.map(|text| text.chars().take(10_000).collect()) })
}

/// FEP-044f, and the forms that were used before it.
pub(super) fn quote(object: &Value) -> Option<ObjectUrl> {
    ["quote", "quoteUrl", "quoteUri", "_misskey_quote"].into_iter().find_map(|key| object_of(object, key))
}

fn instant(object: &Value, key: &str) -> Option<Timestamp> {
    json::text(object, key).and_then(Timestamp::parse_rfc3339)
}
