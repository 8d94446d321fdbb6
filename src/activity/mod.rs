//! How we say it: posts and answers as ActivityStreams JSON. Pure: ids and instants are arguments.
//!
//! What is made here is stored as bytes and signed as those bytes; it is never serialised again. Contexts are only those that
//! every peer has built in (`reference/federation.md` 1.7): no peer has to fetch one. What others send is never processed here
//! as JSON-LD.

pub mod actor_document;
pub mod collection;
pub mod discovery;

use serde_json::Value;

use crate::actor::Actor;
use crate::actor::verification::VerifiedActor;
use crate::ids::{ActivityId, PostId, QuoteId};
use crate::post::Content;
use crate::time::Timestamp;
use crate::urls::{Base, ObjectUrl};

/// The media type of everything that is served or sent as ActivityPub.
pub const CONTENT_TYPE: &str = "application/activity+json";
/// The full URI of the public collection; the short forms are read by some peers only.
pub const PUBLIC: &str = "https://www.w3.org/ns/activitystreams#Public";
/// Largest activity that we send, in bytes: Misskey refuses 64 KiB.
pub const ACTIVITY_BYTES_MAX: usize = 48 * 1024;

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
    let _ = (actor, base, post, id);
    todo!()
}

/// `Update` of a post (§6.3): the same id, the full object, `updated` of the post. Mastodon ignores one whose `updated` is not
/// later than the last.
pub fn update(actor: &VerifiedActor, base: &Base, post: &PublishedPost, id: ActivityId) -> Vec<u8> {
    let _ = (actor, base, post, id);
    todo!()
}

/// `Delete` of a post (§6.4): the object is a Tombstone, addressed as the original was.
pub fn delete(actor: &VerifiedActor, base: &Base, post: PostId, id: ActivityId, now: Timestamp) -> Vec<u8> {
    let _ = (actor, base, post, id, now);
    todo!()
}

/// `Update` of the actor itself, after its profile or keys changed; with new keys it is to be signed by the old one.
pub fn update_actor(actor: &VerifiedActor, base: &Base, id: ActivityId, now: Timestamp) -> Vec<u8> {
    let _ = (actor, base, id, now);
    todo!()
}

/// The Note of a post as answered on GET of its id, with its context.
pub fn note(actor: &Actor, base: &Base, post: &PublishedPost) -> Value {
    let _ = (actor, base, post);
    todo!()
}

/// What is answered with 410 on GET of a withdrawn post (§6.4).
pub fn tombstone(base: &Base, post: PostId, at: Timestamp) -> Value {
    let _ = (base, post, at);
    todo!()
}

/// `Accept` of a Follow (§7.5).
pub fn accept_follow(actor: &Actor, base: &Base, follow: &Value, id: ActivityId) -> Vec<u8> {
    let _ = (actor, base, follow, id);
    todo!()
}

/// `Reject` of a Follow, also of one accepted before: it ends the following.
pub fn reject_follow(actor: &Actor, base: &Base, follow: &Value, id: ActivityId) -> Vec<u8> {
    let _ = (actor, base, follow, id);
    todo!()
}

/// `Accept` of a QuoteRequest (FEP-044f); `result` is the authorization.
pub fn accept_quote(actor: &Actor, base: &Base, request: &Value, quote: QuoteId, id: ActivityId) -> Vec<u8> {
    let _ = (actor, base, request, quote, id);
    todo!()
}

/// `Reject` of a QuoteRequest (FEP-044f).
pub fn reject_quote(actor: &Actor, base: &Base, request: &Value, id: ActivityId) -> Vec<u8> {
    let _ = (actor, base, request, id);
    todo!()
}

/// The QuoteAuthorization (FEP-044f) as answered on GET of its id: `interacting_object` is the quoting post, `post` ours.
pub fn quote_authorization(
    actor: &Actor,
    base: &Base,
    quote: QuoteId,
    interacting_object: &ObjectUrl,
    post: PostId,
) -> Value {
    let _ = (actor, base, quote, interacting_object, post);
    todo!()
}
