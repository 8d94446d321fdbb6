//! What an actor says when it moves or goes, and what its document tells of that.

use serde_json::{Map, Value, json};

use crate::activity::{AS_CONTEXT, envelope, finish, put};
use crate::actor::Actor;
use crate::actor::continuity::{ActorState, RetiringActor};
use crate::actor::verification::VerifiedActor;
use crate::ids::ActivityId;
use crate::time::Timestamp;
use crate::urls::{ActorUrl, Base};

/// `Move` of an actor to another account (FEP-7628), told to its followers: their servers follow that one instead, once it
/// names the old one in `alsoKnownAs`.
pub fn move_to(actor: &VerifiedActor, base: &Base, target: &ActorUrl, id: ActivityId, now: Timestamp) -> Vec<u8> {
    let actor = actor.actor();
    let mut activity = envelope("Move", json!(AS_CONTEXT), actor, base, id);
    put(&mut activity, "published", json!(now.to_rfc3339()));
    put(&mut activity, "target", json!(target.as_str()));
    finish(activity, actor, base, json!(actor.url.as_str()))
}

/// `Delete` of an actor, after which its id answers 410. The object is a plain string: Pixelfed takes nothing else for an actor.
pub fn delete_actor(actor: &RetiringActor, base: &Base, id: ActivityId, now: Timestamp) -> Vec<u8> {
    let actor = actor.actor();
    let mut activity = envelope("Delete", json!(AS_CONTEXT), actor, base, id);
    put(&mut activity, "published", json!(now.to_rfc3339()));
    finish(activity, actor, base, json!(actor.url.as_str()))
}

/// What is answered with 410 on GET of a retired actor (ActivityPub §6.4).
pub fn actor_tombstone(actor: &Actor) -> Value {
    json!({
        "@context": AS_CONTEXT,
        "id": actor.url.as_str(),
        "type": "Tombstone",
        "formerType": actor.kind.name(),
        "deleted": actor.continuity.since.to_rfc3339(),
    })
}

/// The terms that the document of this actor needs besides those of every actor.
pub(super) fn terms(actor: &Actor, context: &mut Value) {
    let Some(Value::Object(terms)) = context.as_array_mut().and_then(|parts| parts.last_mut()) else { return };
    let continuity = &actor.continuity;
    if !continuity.aliases.is_empty() {
        put(terms, "alsoKnownAs", json!({"@id": "as:alsoKnownAs", "@type": "@id"}));
    }
    if continuity.moved_to.is_some() {
        put(terms, "movedTo", json!({"@id": "as:movedTo", "@type": "@id"}));
    }
    if is_hidden(continuity.state) {
        put(terms, "suspended", json!("toot:suspended"));
    }
}

/// What the document tells: other accounts, where it moved to, and that Mastodon is to hide it.
pub(super) fn properties(actor: &Actor, document: &mut Map<String, Value>) {
    let continuity = &actor.continuity;
    if !continuity.aliases.is_empty() {
        put(document, "alsoKnownAs", continuity.aliases.iter().map(|alias| json!(alias.as_str())).collect());
    }
    if let Some(target) = &continuity.moved_to {
        put(document, "movedTo", json!(target.as_str()));
    }
    if is_hidden(continuity.state) {
        put(document, "suspended", json!(true));
    }
}

fn is_hidden(state: ActorState) -> bool {
    matches!(state, ActorState::Suspended | ActorState::Retiring)
}

#[cfg(test)]
mod tests;
