//! How we say it: posts and answers as ActivityStreams JSON. Pure: ids and instants are arguments.
//!
//! What is made here is stored as bytes and signed as those bytes; it is never serialised again. Contexts are only those that
//! every peer has built in (`reference/federation.md` 1.7): no peer has to fetch one. What others send is never processed here
//! as JSON-LD.

pub mod actor_document;
pub mod claims;
pub mod collection;
pub mod discovery;
mod featured;
pub mod official;
mod quoting;
mod reply;
pub mod subscribe;

use serde_json::{Map, Value, json};

use crate::activity::actor_document::{actor_context, actor_object};
use crate::actor::Actor;
use crate::actor::reach::QuotePolicy;
use crate::actor::verification::VerifiedActor;
use crate::ids::{ActivityId, PostId};
use crate::post::{Content, Image};
use crate::time::Timestamp;
use crate::urls::{ActorUrl, Base};

pub use crate::activity::featured::{pin, unpin};
pub use crate::activity::quoting::revoke_quote;
pub use crate::activity::reply::{
    accept_follow, accept_quote, essence, quote_authorization, reject_follow, reject_quote,
};

/// The media type of everything that is served or sent as ActivityPub.
pub const CONTENT_TYPE: &str = "application/activity+json";
/// The full URI of the public collection; the short forms are read by some peers only.
pub const PUBLIC: &str = "https://www.w3.org/ns/activitystreams#Public";
/// Largest activity that we send, in bytes: Misskey refuses 64 KiB.
pub const ACTIVITY_BYTES_MAX: usize = 48 * 1024;
/// Most attachments: Mastodon drops the rest.
pub const ATTACHMENTS_MAX: usize = 4;
/// Longest alternative text that we send, in characters.
pub const ALT_CHARS_MAX: usize = 1_500;
/// What Misskey keeps of an alternative text, in characters; all that is sent where a post would otherwise be too large.
pub const ALT_CHARS_SHORT: usize = 512;

/// The ActivityStreams context: literal, because Mastodon looks for exactly this string.
const AS_CONTEXT: &str = "https://www.w3.org/ns/activitystreams";
/// What an activity around a Note adds to it, at most, in bytes: with its integrity proof, which repeats the context.
const ENVELOPE_BYTES: usize = 4 * 1024;

/// A post as it is said: what a Note needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedPost {
    /// Its id, also the number in its URLs.
    pub id: PostId,
    /// What it says.
    pub content: Content,
    /// When it was published.
    pub published: Timestamp,
    /// When it was last edited; each edit strictly later, in whole seconds, than what was sent before.
    pub updated: Option<Timestamp>,
}

/// `Create` of a post (ActivityPub §6.2), public, copied to the followers.
pub fn create(actor: &VerifiedActor, base: &Base, post: &PublishedPost, id: ActivityId) -> Vec<u8> {
    let actor = actor.actor();
    let object = note_object(actor, base, post);
    let mut activity = envelope("Create", note_context(actor), actor, base, id);
    put(&mut activity, "published", json!(post.published.to_rfc3339()));
    finish(activity, actor, base, object)
}

/// `Update` of a post (§6.3): the same id, the full object, `updated` of the post. Mastodon ignores one whose `updated` is not
/// later than the last.
pub fn update(actor: &VerifiedActor, base: &Base, post: &PublishedPost, id: ActivityId) -> Vec<u8> {
    let actor = actor.actor();
    let object = note_object(actor, base, post);
    let mut activity = envelope("Update", note_context(actor), actor, base, id);
    put(&mut activity, "updated", json!(post.updated.unwrap_or(post.published).to_rfc3339()));
    finish(activity, actor, base, object)
}

/// `Delete` of a post (§6.4): the object is a Tombstone, addressed as the original was.
pub fn delete(actor: &VerifiedActor, base: &Base, post: PostId, id: ActivityId, now: Timestamp) -> Vec<u8> {
    let actor = actor.actor();
    let mut activity = envelope("Delete", json!(AS_CONTEXT), actor, base, id);
    put(&mut activity, "published", json!(now.to_rfc3339()));
    finish(activity, actor, base, json!({"id": base.object(post).as_str(), "type": "Tombstone"}))
}

/// `Update` of the actor itself, after its profile or keys changed; with new keys it is to be signed by the old one.
pub fn update_actor(actor: &VerifiedActor, base: &Base, id: ActivityId, now: Timestamp) -> Vec<u8> {
    let actor = actor.actor();
    let mut activity = envelope("Update", actor_context(), actor, base, id);
    put(&mut activity, "updated", json!(now.to_rfc3339()));
    finish(activity, actor, base, actor_object(actor, base))
}

/// The Note of a post as answered on GET of its id, with its context.
pub fn note(actor: &Actor, base: &Base, post: &PublishedPost) -> Value {
    with_context(note_context(actor), note_object(actor, base, post))
}

/// What is answered with 410 on GET of a withdrawn post (§6.4).
pub fn tombstone(base: &Base, post: PostId, at: Timestamp) -> Value {
    json!({
        "@context": AS_CONTEXT,
        "id": base.object(post).as_str(),
        "type": "Tombstone",
        "formerType": "Note",
        "deleted": at.to_rfc3339(),
    })
}

/// The terms that a Note needs, and nothing that a peer would have to fetch.
fn note_context(actor: &Actor) -> Value {
    let mut terms = json!({
        "Hashtag": "as:Hashtag",
        "sensitive": "as:sensitive",
        "toot": "http://joinmastodon.org/ns#",
        "blurhash": "toot:blurhash",
        "focalPoint": {"@container": "@list", "@id": "toot:focalPoint"},
        "gts": "https://gotosocial.org/ns#",
        "interactionPolicy": {"@id": "gts:interactionPolicy", "@type": "@id"},
        "canQuote": {"@id": "gts:canQuote", "@type": "@id"},
        "automaticApproval": {"@id": "gts:automaticApproval", "@type": "@id"},
    });
    if let (QuotePolicy::Approval, Some(terms)) = (actor.profile.quotes, terms.as_object_mut()) {
        put(terms, "manualApproval", json!({"@id": "gts:manualApproval", "@type": "@id"}));
    }
    json!([AS_CONTEXT, terms])
}

/// Sets a property; properties keep the order in which they are first set.
fn put(object: &mut Map<String, Value>, key: &str, value: Value) {
    object.insert(key.to_owned(), value);
}

/// The object with its context in front.
fn with_context(context: Value, object: Value) -> Value {
    let mut whole = Map::new();
    put(&mut whole, "@context", context);
    if let Value::Object(properties) = object {
        whole.extend(properties);
    }
    Value::Object(whole)
}

/// The beginning of every activity of ours.
fn envelope(kind: &str, context: Value, actor: &Actor, base: &Base, id: ActivityId) -> Map<String, Value> {
    let mut activity = Map::new();
    put(&mut activity, "@context", context);
    put(&mut activity, "id", json!(base.activity(id).as_str()));
    put(&mut activity, "type", json!(kind));
    put(&mut activity, "actor", json!(actor.url.as_str()));
    activity
}

/// Addresses an activity as every public post is, and puts its object last.
fn finish(mut activity: Map<String, Value>, actor: &Actor, base: &Base, object: Value) -> Vec<u8> {
    put(&mut activity, "to", json!([PUBLIC]));
    put(&mut activity, "cc", json!([followers_of(&actor.url, base)]));
    put(&mut activity, "object", object);
    Value::Object(activity).to_string().into_bytes()
}

/// The Note, without context. Alternative texts are shortened where it would be too large for Misskey otherwise.
fn note_object(actor: &Actor, base: &Base, post: &PublishedPost) -> Value {
    let note = note_with_alt(actor, base, post, ALT_CHARS_MAX);
    if note.to_string().len() + ENVELOPE_BYTES <= ACTIVITY_BYTES_MAX {
        return note;
    }
    note_with_alt(actor, base, post, ALT_CHARS_SHORT)
}

fn note_with_alt(actor: &Actor, base: &Base, post: &PublishedPost, alt_chars: usize) -> Value {
    let content = &post.content;
    let html = content.html.as_str();
    let mut note = Map::new();
    put(&mut note, "id", json!(base.object(post.id).as_str()));
    put(&mut note, "type", json!("Note"));
    put(&mut note, "attributedTo", json!(actor.url.as_str()));
    put(&mut note, "published", json!(post.published.to_rfc3339()));
    if let Some(updated) = post.updated {
        put(&mut note, "updated", json!(updated.to_rfc3339()));
    }
    put(&mut note, "url", json!(base.post_page(actor.handle.as_str(), post.id)));
    put(&mut note, "to", json!([PUBLIC]));
    put(&mut note, "cc", json!([followers_of(&actor.url, base)]));
    if let Some(warning) = &content.warning {
        put(&mut note, "summary", json!(warning));
    }
    put(&mut note, "sensitive", json!(content.warning.is_some()));
    put(&mut note, "content", json!(html));
    // Mastodon takes the first key as the language, GoToSocial the one whose value equals the content.
    put(&mut note, "contentMap", json!({ content.language.primary(): html }));
    put(
        &mut note,
        "tag",
        content
            .hashtags
            .iter()
            .map(|tag| json!({"type": "Hashtag", "href": base.hashtag(&tag.0), "name": format!("#{}", tag.0)}))
            .collect(),
    );
    put(
        &mut note,
        "attachment",
        content.images.iter().take(ATTACHMENTS_MAX).map(|image| attachment(base, image, alt_chars)).collect(),
    );
    // Without it Mastodon lets nobody quote.
    put(&mut note, "interactionPolicy", json!({"canQuote": quoting::can_quote(actor, base)}));
    Value::Object(note)
}

/// `Document` for every file: the one type that every peer reads.
fn attachment(base: &Base, image: &Image, alt_chars: usize) -> Value {
    let mut attachment = Map::new();
    put(&mut attachment, "type", json!("Document"));
    put(&mut attachment, "mediaType", json!(image.media_type));
    put(&mut attachment, "url", json!(base.media(image.id, extension(&image.media_type))));
    if let Some(alt) = &image.alt {
        put(&mut attachment, "name", json!(alt.chars().take(alt_chars).collect::<String>()));
    }
    put(&mut attachment, "width", json!(image.width));
    put(&mut attachment, "height", json!(image.height));
    put(&mut attachment, "blurhash", json!(image.blurhash));
    Value::Object(attachment)
}

/// The file name extension under which a file of this type is served.
pub fn extension(media_type: &str) -> &'static str {
    match media_type {
        "image/jpeg" => "jpg",
        "image/png" => "png",
        "image/webp" => "webp",
        "image/gif" => "gif",
        _ => "bin",
    }
}

/// The collection of an actor's followers.
fn followers_of(actor: &ActorUrl, base: &Base) -> String {
    base.below(actor, "followers")
}

#[cfg(test)]
mod tests;
