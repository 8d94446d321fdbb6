//! Body bytes to [`Incoming`].
//!
//! Lenient in shape, strict in ownership: an object may come as a text, as an embedded object or as an array of one, but what
//! is believed must be on the host of the actor whose key signed (FEP-fe34).

use serde_json::Value;

use crate::inbox::{
    ENTRIES_MAX, InboxError, Incoming, IncomingKind, QuoteSeen, Said, Undone, UndoneKind, Updated, json, note,
};
use crate::urls::{ActivityUrl, ActorUrl, ObjectUrl};

/// Types that are read as texts.
const TEXTS: [&str; 8] = ["Note", "Question", "Article", "Page", "Event", "Image", "Video", "Audio"];
/// Types of actors.
pub(super) const ACTORS: [&str; 5] = ["Application", "Group", "Organization", "Person", "Service"];

/// Reads an inbox body whose signature has been verified with a key of `key_owner`; `reference/federation.md` 6.1, checks 1, 7,
/// 8 and 10.
pub fn read(body: &[u8], key_owner: &ActorUrl) -> Result<Incoming, InboxError> {
    let raw = json::parse(body)?;
    let actor = actor_of(&raw, "actor").ok_or(InboxError::Shape("actor"))?;
    if actor != *key_owner {
        return Err(InboxError::NotTheSigner { actor: actor.to_string(), owner: key_owner.to_string() });
    }
    let id = match raw.get("id").filter(|id| !id.is_null()) {
        None => None,
        Some(id) => Some(id.as_str().and_then(|t| ActivityUrl::parse(t).ok()).ok_or(InboxError::Shape("id"))?),
    };
    if let Some(id) = &id {
        must_share_host(id.as_str(), &id.authority(), &actor)?;
    }
    let kind = read_kind(&raw, &actor)?;
    Ok(Incoming { id, actor, kind, raw })
}

/// The actor in whose name a body speaks, and the body as JSON. May be asked before anything is verified, to find out whether it
/// was sent by another.
pub fn author(body: &[u8]) -> Option<(ActorUrl, Value)> {
    let raw = json::parse(body).ok()?;
    Some((actor_of(&raw, "actor")?, raw))
}

/// The actor whom a body says that it deletes, if it is the Delete of an account by itself. May be asked before the signature
/// is verified, only to answer 202 when the key cannot be had any more because the account is gone.
pub fn deletes_its_actor(body: &[u8]) -> Option<ActorUrl> {
    let raw = json::parse(body).ok()?;
    let actor = actor_of(&raw, "actor")?;
    let deletes = json::kind(&raw) == Some("Delete") && json::id(&raw, "object") == Some(actor.as_str());
    deletes.then_some(actor)
}

fn read_kind(raw: &Value, actor: &ActorUrl) -> Result<IncomingKind, InboxError> {
    let kind = json::kind(raw).ok_or(InboxError::Shape("type"))?;
    let object = || object_of(raw, "object").ok_or(InboxError::Shape("object"));
    let whom = || actor_of(raw, "object").ok_or(InboxError::Shape("object"));
    let reaction = || json::name(raw, "content").or_else(|| json::name(raw, "_misskey_reaction"));
    Ok(match kind {
        "Follow" => IncomingKind::Follow { object: whom()? },
        "Block" => IncomingKind::Block { object: whom()? },
        "Undo" => IncomingKind::Undo(read_undo(raw, actor)?),
        "Create" => IncomingKind::Create(read_said(raw, actor)?),
        "Update" => IncomingKind::Update(read_updated(raw, actor)?),
        "Delete" => read_delete(raw, actor)?,
        "Like" => IncomingKind::Like { object: object()?, content: reaction() },
        "EmojiReact" => {
            IncomingKind::EmojiReact { object: object()?, content: reaction().ok_or(InboxError::Shape("content"))? }
        }
        "Announce" => match object_of(raw, "object") {
            Some(object) => IncomingKind::Announce { object },
            // Lemmy announces whole activities, some of them without an id.
            None => IncomingKind::Unknown("Announce".to_owned()),
        },
        "Move" => {
            let (object, target) = (whom()?, actor_of(raw, "target").ok_or(InboxError::Shape("target"))?);
            if object != *actor {
                return Err(InboxError::ForeignId { id: object.to_string(), actor: actor.to_string() });
            }
            IncomingKind::Move { object, target }
        }
        "QuoteRequest" => {
            let instrument = object_of(raw, "instrument").ok_or(InboxError::Shape("instrument"))?;
            must_share_host(instrument.as_str(), &instrument.authority(), actor)?;
            let object = object()?;
            let seen = quote_seen(raw, &object, &instrument, actor)?;
            IncomingKind::QuoteRequest { object, instrument, seen }
        }
        "Flag" => {
            let ids = json::many(raw, "object").into_iter().filter_map(json::id_of).take(ENTRIES_MAX);
            IncomingKind::Flag { objects: ids.map(json::cut).collect(), content: flag_text(raw) }
        }
        "Accept" => IncomingKind::Accept { object: json::id(raw, "object").map(json::cut) },
        "Reject" => IncomingKind::Reject { object: json::id(raw, "object").map(json::cut) },
        other => IncomingKind::Unknown(json::cut(other)),
    })
}

/// What the embedded quoting post shows of itself, where it is embedded with its author. It is on the sender's host.
fn quote_seen(
    raw: &Value,
    object: &ObjectUrl,
    instrument: &ObjectUrl,
    actor: &ActorUrl,
) -> Result<QuoteSeen, InboxError> {
    let embedded = json::one(raw, "instrument").filter(|value| value.is_object());
    let Some((embedded, author)) = embedded.and_then(|value| Some((value, json::id(value, "attributedTo")?))) else {
        return Ok(QuoteSeen::IdAlone);
    };
    if author != actor.as_str() {
        return Err(InboxError::ForeignAuthor { id: instrument.to_string(), author: author.to_owned() });
    }
    let fits = note::quote(embedded).is_some_and(|quoted| quoted == *object);
    Ok(if fits { QuoteSeen::Fits } else { QuoteSeen::Contradicts })
}

/// Mastodon sends up to 5,000 characters.
fn flag_text(raw: &Value) -> Option<String> {
    json::text(raw, "content").map(|text| text.chars().take(5_000).collect())
}

fn read_said(raw: &Value, actor: &ActorUrl) -> Result<Said, InboxError> {
    let object = json::one(raw, "object").ok_or(InboxError::Shape("object"))?;
    let id = object_of(raw, "object").ok_or(InboxError::Shape("object"))?;
    if !object.is_object() || id.authority() != actor.authority() {
        return Ok(Said::Elsewhere(id));
    }
    match json::kind(object) {
        Some(kind) if TEXTS.contains(&kind) => Ok(Said::Note(Box::new(note::read(object, raw, actor)?))),
        kind => Ok(Said::Other(json::cut(kind.unwrap_or_default()))),
    }
}

fn read_updated(raw: &Value, actor: &ActorUrl) -> Result<Updated, InboxError> {
    let object = json::one(raw, "object").ok_or(InboxError::Shape("object"))?;
    if json::id(raw, "object") == Some(actor.as_str()) {
        return Ok(Updated::Actor);
    }
    if object.is_object() && json::kind(object).is_some_and(|kind| ACTORS.contains(&kind)) {
        let id = json::id_of(object).unwrap_or_default().to_owned();
        return Err(InboxError::ForeignId { id, actor: actor.to_string() });
    }
    Ok(match read_said(raw, actor)? {
        Said::Note(note) => Updated::Note(note),
        Said::Elsewhere(id) => Updated::Elsewhere(id),
        Said::Other(kind) => Updated::Other(kind),
    })
}

fn read_delete(raw: &Value, actor: &ActorUrl) -> Result<IncomingKind, InboxError> {
    let object = object_of(raw, "object").ok_or(InboxError::Shape("object"))?;
    must_share_host(object.as_str(), &object.authority(), actor)?;
    Ok(IncomingKind::Delete { object })
}

fn read_undo(raw: &Value, actor: &ActorUrl) -> Result<Undone, InboxError> {
    let object = json::one(raw, "object").ok_or(InboxError::Shape("object"))?;
    let id = json::id_of(object).and_then(|text| ActivityUrl::parse(text).ok());
    if let Some(id) = &id {
        must_share_host(id.as_str(), &id.authority(), actor)?;
    }
    if !object.is_object() {
        return id.map(|id| Undone { id: Some(id), kind: UndoneKind::ById }).ok_or(InboxError::Shape("object"));
    }
    if let Some(undone) = json::id(object, "actor").filter(|undone| *undone != actor.as_str()) {
        return Err(InboxError::ForeignAuthor {
            id: id.map(String::from).unwrap_or_default(),
            author: undone.to_owned(),
        });
    }
    let kind = match json::kind(object) {
        Some("Follow") => UndoneKind::Follow { object: actor_of(object, "object") },
        Some("Like" | "EmojiReact") => UndoneKind::Like { object: object_of(object, "object") },
        Some("Announce") => UndoneKind::Announce { object: object_of(object, "object") },
        Some("Block") => UndoneKind::Block { object: actor_of(object, "object") },
        Some(other) => UndoneKind::Other(json::cut(other)),
        None => UndoneKind::ById,
    };
    Ok(Undone { id, kind })
}

/// The actor whose id stands under a key.
pub(super) fn actor_of(object: &Value, key: &str) -> Option<ActorUrl> {
    json::id(object, key).and_then(|text| ActorUrl::parse(text).ok())
}

/// The object whose id stands under a key.
pub(super) fn object_of(object: &Value, key: &str) -> Option<ObjectUrl> {
    json::id(object, key).and_then(|text| ObjectUrl::parse(text).ok())
}

fn must_share_host(id: &str, host: &str, actor: &ActorUrl) -> Result<(), InboxError> {
    if host == actor.authority() {
        return Ok(());
    }
    Err(InboxError::ForeignId { id: id.to_owned(), actor: actor.to_string() })
}

#[cfg(test)]
pub(crate) mod tests;
