//! Pinning a post to the profile and taking it off: Add to and Remove from `featured` (ActivityPub §6.6, §6.7, as Mastodon reads
//! them).

use serde_json::json;

use crate::activity::{AS_CONTEXT, envelope, finish, put};
use crate::actor::verification::VerifiedActor;
use crate::ids::{ActivityId, PostId};
use crate::time::Timestamp;
use crate::urls::Base;

/// `Add` of a post to the pinned ones.
pub fn pin(actor: &VerifiedActor, base: &Base, post: PostId, id: ActivityId, now: Timestamp) -> Vec<u8> {
    change("Add", actor, base, post, id, now)
}

/// `Remove` of a post from the pinned ones.
pub fn unpin(actor: &VerifiedActor, base: &Base, post: PostId, id: ActivityId, now: Timestamp) -> Vec<u8> {
    change("Remove", actor, base, post, id, now)
}

fn change(kind: &str, actor: &VerifiedActor, base: &Base, post: PostId, id: ActivityId, now: Timestamp) -> Vec<u8> {
    let actor = actor.actor();
    let mut activity = envelope(kind, json!(AS_CONTEXT), actor, base, id);
    put(&mut activity, "published", json!(now.to_rfc3339()));
    put(&mut activity, "target", json!(base.below(&actor.url, "featured")));
    finish(activity, actor, base, json!(base.object(post).as_str()))
}
