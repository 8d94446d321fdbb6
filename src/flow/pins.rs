//! Pins posts to the profile of their actor, and takes them off: the collection, and an activity to the followers.

use thiserror::Error;

use crate::activity;
use crate::actor::continuity::Speech;
use crate::actor::verification::{Unverified, VerifiedActor};
use crate::flow::{Gateway, continuity, now};
use crate::ids::{ActivityId, PostId};
use crate::post::PostState;
use crate::store::activities::{self, ActivityRow};
use crate::store::deliveries::{self, FanOut};
use crate::store::{Db, StoreError, actors, audit, lock_actor, pins, posts, proofs};

/// Most pinned posts of an actor: Mastodon shows five, and fetches each when it meets the actor.
pub const PINS_MAX: usize = 5;

/// Why a post was not pinned or unpinned.
#[derive(Debug, Error)]
pub enum PinError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No such post.
    #[error("there is no post {0}; `heraut post list` shows those that there are")]
    NoPost(PostId),
    /// It is not public.
    #[error("post {0} is not public, so it cannot be pinned; `heraut post show {0}` says what state it is in")]
    NotPublic(PostId),
    /// There are enough.
    #[error(
        "{PINS_MAX} posts of this actor are pinned already ({0}); unpin one of them first with `heraut post unpin`"
    )]
    Full(String),
    /// It is pinned.
    #[error("post {0} is pinned already")]
    Pinned(PostId),
    /// It is not pinned.
    #[error("post {0} is not pinned")]
    NotPinned(PostId),
    /// Its state does not let it.
    #[error("{0}")]
    Silent(String),
    /// Nothing may be said as that actor now.
    #[error(transparent)]
    Unverified(#[from] Unverified),
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pinning {
    /// Pin it.
    Pin,
    /// Take it off.
    Unpin,
}

/// What became of it inside the transaction.
enum Done {
    Yes,
    Already,
    Full(Vec<PostId>),
}

/// Pins a public post to the top of its actor's profile, or takes it off, and tells the followers.
pub async fn change(gateway: &Gateway, id: PostId, pinning: Pinning, who: &str) -> Result<(), PinError> {
    let load = move |db: &mut Db<'_>| {
        let Some(post) = posts::by_id(db, id)? else { return Ok(None) };
        let Some(actor) = actors::by_id(db, post.actor_id)? else { return Ok(None) };
        Ok(Some((post, proofs::of_actor(db, actor.id)?, actor)))
    };
    let found = gateway.store.read("read a post and its actor", load).await?;
    let (post, proof, actor) = found.ok_or(PinError::NoPost(id))?;
    if pinning == Pinning::Pin && !matches!(post.state, PostState::Published(_)) {
        return Err(PinError::NotPublic(id));
    }
    let speech = if pinning == Pinning::Pin { Speech::News } else { Speech::Less };
    if let Some(why) = continuity::silent(&actor, speech) {
        return Err(PinError::Silent(why));
    }
    let base = actor.base();
    let verified = VerifiedActor::prove(actor, &proof, &gateway.settings.proof_times, now())?;
    let (actor, at, activity) = (verified.actor().id, now(), ActivityId(gateway.mint.next()));
    let (act, kind, bytes) = match pinning {
        Pinning::Pin => ("post.pin", "Add", activity::pin(&verified, &base, id, activity, at)),
        Pinning::Unpin => ("post.unpin", "Remove", activity::unpin(&verified, &base, id, activity, at)),
    };
    let bytes = gateway.attested(&verified, bytes, at).await;
    let row =
        ActivityRow { id: activity, actor_id: actor, post_id: None, kind: kind.to_owned(), bytes, created_at: at };
    let entry = gateway.audit(who, act, format!("post:{id}"), "");
    let commit = move |db: &mut Db<'_>| {
        lock_actor(db, actor)?;
        let pinned = pins::of_actor(db, actor)?;
        if pinning == Pinning::Pin && pinned.len() >= PINS_MAX && !pinned.contains(&id) {
            return Ok(Done::Full(pinned));
        }
        let changed = match pinning {
            Pinning::Pin => pins::insert(db, actor, id, at)?,
            Pinning::Unpin => pins::remove(db, id)?,
        };
        if !changed {
            return Ok(Done::Already);
        }
        activities::insert(db, &row)?;
        audit::add(db, &entry)?;
        deliveries::fan_out(db, &FanOut::of_actor(row.id, actor, at)).map(|_| Done::Yes)
    };
    match (gateway.store.write("pin a post", commit).await?, pinning) {
        (Done::Yes, _) => {
            gateway.wake.deliver.notify_one();
            Ok(())
        }
        (Done::Already, Pinning::Pin) => Err(PinError::Pinned(id)),
        (Done::Already, Pinning::Unpin) => Err(PinError::NotPinned(id)),
        (Done::Full(pinned), _) => {
            Err(PinError::Full(pinned.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")))
        }
    }
}
