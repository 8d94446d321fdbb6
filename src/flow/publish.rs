//! Publishes: a post whose actor has a proof that holds becomes an activity and the deliveries that it owes, in one transaction
//! with its new state and the audit entry. Without a proof it is held, and resumes by itself.

use thiserror::Error;
use tracing::Instrument;

use crate::activity::{self, PublishedPost};
use crate::actor::continuity::Speech;
use crate::actor::verification::VerifiedActor;
use crate::flow::continuity::{may_still, silent};
use crate::flow::{Gateway, now};
use crate::ids::{ActivityId, ActorId, PostId};
use crate::metrics;
use crate::post::PostState;
use crate::post::lane::Dispatch;
use crate::store::activities::{self, ActivityRow};
use crate::store::deliveries::FanOut;
use crate::store::items::{self, ItemState};
use crate::store::posts::{self, Change, Due, PendingChange, Post};
use crate::store::{Db, Queried, StoreError, actors, audit, deliveries, proofs, target_posts};
use crate::time::Timestamp;

/// Why publishing failed; what was not published is still due.
#[derive(Debug, Error)]
pub enum PublishError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The post's actor is not there.
    #[error("post {post} belongs to actor {actor}, which does not exist; restore the database from its backup")]
    NoActor {
        /// The post.
        post: PostId,
        /// The actor.
        actor: ActorId,
    },
}

/// Publishes the next post, edit or withdrawal that is due, or holds it. Returns whether there was one. One at a time: a warning
/// that comes meanwhile is the next.
pub async fn run_due(gateway: &Gateway) -> Result<bool, PublishError> {
    let at = now();
    match gateway.store.read("read what is due", move |db| posts::next_due(db, at)).await? {
        None => return Ok(false),
        Some(Due::Post(post)) => {
            let span = metrics::trace::publish(post.id.0);
            publish(gateway, post).instrument(span).await?;
        }
        Some(Due::Change(change)) => {
            let span = metrics::trace::publish(change.post_id.0);
            apply_change(gateway, change).instrument(span).await?;
        }
    }
    Ok(true)
}

/// Why an actor may not publish now.
struct Unproven {
    /// What is wrong with its proof, as a sentence.
    why: String,
    /// The check of the proof that this rests on.
    checked_at: Option<Timestamp>,
}

/// What a proof and its state say of an actor now.
async fn prove(
    gateway: &Gateway,
    post: PostId,
    actor: ActorId,
    speech: Speech,
) -> Result<Result<VerifiedActor, Unproven>, PublishError> {
    let load = move |db: &mut Db<'_>| Ok((actors::by_id(db, actor)?, proofs::of_actor(db, actor)?));
    let (found, proof) = gateway.store.read("read an actor and its proof", load).await?;
    let found = found.ok_or(PublishError::NoActor { post, actor })?;
    let checked_at = proof.checked_at;
    if let Some(why) = silent(&found, speech) {
        return Ok(Err(Unproven { why, checked_at }));
    }
    Ok(VerifiedActor::prove(found, &proof, &gateway.settings.proof_times, now())
        .map_err(|e| Unproven { why: e.to_string(), checked_at }))
}

async fn publish(gateway: &Gateway, post: Post) -> Result<(), PublishError> {
    let verified = match prove(gateway, post.id, post.actor_id, Speech::News).await? {
        Ok(verified) => verified,
        Err(unproven) => return hold(gateway, post, unproven).await,
    };
    let at = now();
    let said = PublishedPost { id: post.id, content: post.content.clone(), published: at, updated: None };
    let id = ActivityId(gateway.mint.next());
    let bytes = activity::create(&verified, &verified.actor().base(), &said, id);
    let bytes = gateway.attested(&verified, bytes, at).await;
    let post = Post { state: PostState::Published(at), published_at: Some(at), ..post };
    let row = row(id, &post, "Create", bytes, at);
    let entry = gateway.audit("policy", "post.publish", subject(post.id), "");
    let handle = verified.actor().full_handle();
    let post_id = post.id;
    let fan_out = FanOut { activity: id, actor: post.actor_id, post: Some(post_id), dispatch: post.dispatch, at };
    let owed = gateway
        .store
        .write("publish a post", move |db| {
            if !may_still(db, post.actor_id, Speech::News)? || !posts::leave(db, &post, &["ready", "scheduled"])? {
                return Ok(None); // another process was first
            }
            activities::insert(db, &row)?;
            items::set_state_of_post(db, post_id, ItemState::Live)?;
            audit::add(db, &entry)?;
            target_posts::owe(db, &post, id, "Create", at)?;
            deliveries::fan_out(db, &fan_out).map(Some)
        })
        .await?;
    if let Some(owed) = owed {
        gateway.wake.targets.notify_one();
        metrics::published("Create");
        tracing::info!(actor.handle = handle, post.id = %post_id, inboxes = owed, "a post was published");
        gateway.wake.deliver.notify_one();
    }
    Ok(())
}

async fn hold(gateway: &Gateway, post: Post, unproven: Unproven) -> Result<(), PublishError> {
    let Unproven { why, checked_at } = unproven;
    let (id, entry) = (post.id, gateway.audit("policy", "post.hold", subject(post.id), why.clone()));
    let hold = move |db: &mut Db<'_>| {
        let held = posts::hold_unverified(db, &post, checked_at)?;
        if held { audit::add(db, &entry).map(|()| true) } else { Ok(false) }
    };
    if gateway.store.write("hold a post", hold).await? {
        tracing::warn!(post.id = %id, why, "a post is held, because its actor is not verified");
    }
    Ok(())
}

/// Holds a change until its actor's proof holds. What is withdrawn disappears from our own pages at once; only the Delete waits.
async fn hold_change(gateway: &Gateway, post: Post, change: &Change, unproven: Unproven) -> Result<(), PublishError> {
    let Unproven { why, checked_at } = unproven;
    let (id, entry) = (post.id, gateway.audit("policy", "change.hold", subject(post.id), why.clone()));
    let withdrawn = *change == Change::Withdraw;
    let gone = Post { state: PostState::Withdrawn(now()), ..post };
    let hold = move |db: &mut Db<'_>| {
        if !posts::hold_change_unverified(db, &gone, checked_at)? {
            return Ok(false);
        }
        if withdrawn {
            posts::leave(db, &gone, &["published"])?;
        }
        audit::add(db, &entry).map(|()| true)
    };
    if gateway.store.write("hold a change", hold).await? {
        tracing::warn!(post.id = %id, why, "a change is held, because its actor is not verified");
    }
    Ok(())
}

async fn apply_change(gateway: &Gateway, pending: PendingChange) -> Result<(), PublishError> {
    let id = pending.post_id;
    let Some(post) = gateway.store.read("read a post", move |db| posts::by_id(db, id)).await? else {
        return drop_change(gateway, id).await;
    };
    let sendable = match (post.state, &pending.change) {
        (PostState::Published(_), _) => true,
        // It went from our pages before its Delete could be signed.
        (PostState::Withdrawn(_), Change::Withdraw) => true,
        _ => false,
    };
    if !sendable {
        return drop_change(gateway, id).await;
    }
    let speech = if pending.change == Change::Withdraw { Speech::Less } else { Speech::News };
    let verified = match prove(gateway, id, post.actor_id, speech).await? {
        Ok(verified) => verified,
        Err(unproven) => return hold_change(gateway, post, &pending.change, unproven).await,
    };
    match pending.change {
        Change::Edit(content) => {
            edit(gateway, &verified, Post { content, revision: post.revision.saturating_add(1), ..post }).await
        }
        Change::Withdraw => withdraw(gateway, &verified, post).await,
    }
}

async fn drop_change(gateway: &Gateway, id: PostId) -> Result<(), PublishError> {
    Ok(gateway.store.write("drop a change", move |db| posts::drop_change(db, id)).await?)
}

async fn edit(gateway: &Gateway, verified: &VerifiedActor, post: Post) -> Result<(), PublishError> {
    let published = post.published_at.unwrap_or(post.created_at);
    let at = later(now(), post.updated_at.unwrap_or(published));
    let said = PublishedPost { id: post.id, content: post.content.clone(), published, updated: Some(at) };
    let id = ActivityId(gateway.mint.next());
    let bytes = activity::update(verified, &verified.actor().base(), &said, id);
    let bytes = gateway.attested(verified, bytes, now()).await;
    let post = Post { updated_at: Some(at), ..post };
    let row = row(id, &post, "Update", bytes, at);
    commit_change(gateway, post, row, "post.edit", &["published"]).await
}

async fn withdraw(gateway: &Gateway, verified: &VerifiedActor, post: Post) -> Result<(), PublishError> {
    let at = match post.state {
        PostState::Withdrawn(at) => at,
        _ => now(),
    };
    let id = ActivityId(gateway.mint.next());
    let bytes = activity::delete(verified, &verified.actor().base(), post.id, id, at);
    let bytes = gateway.attested(verified, bytes, now()).await;
    let post = Post { state: PostState::Withdrawn(at), ..post };
    let row = row(id, &post, "Delete", bytes, at);
    commit_change(gateway, post, row, "post.withdraw", &["published", "withdrawn"]).await
}

/// Stores the changed post, its activity and the deliveries to everyone who was owed the original.
async fn commit_change(
    gateway: &Gateway,
    post: Post,
    row: ActivityRow,
    act: &'static str,
    from: &'static [&'static str],
) -> Result<(), PublishError> {
    let entry = gateway.audit("policy", act, subject(post.id), "");
    let (post_id, kind) = (post.id, row.kind.clone());
    // A withdrawal stays in the lane of its post, and waits for nothing else.
    let dispatch = match post.state {
        PostState::Withdrawn(_) => Dispatch::at_once(post.dispatch.lane),
        _ => post.dispatch,
    };
    let speech = Speech::of(&kind, true);
    let fan_out = FanOut { activity: row.id, actor: post.actor_id, post: Some(post_id), dispatch, at: row.created_at };
    let commit = move |db: &mut Db<'_>| -> Queried<Option<usize>> {
        if !may_still(db, post.actor_id, speech)?
            || !posts::take_change(db, post.id)?
            || !posts::leave(db, &post, from)?
        {
            return Ok(None); // another process was first
        }
        activities::insert(db, &row)?;
        audit::add(db, &entry)?;
        target_posts::owe(db, &post, row.id, &row.kind, row.created_at)?;
        deliveries::fan_out(db, &fan_out).map(Some)
    };
    if let Some(owed) = gateway.store.write("publish a change", commit).await? {
        gateway.wake.targets.notify_one();
        metrics::published(&kind);
        tracing::info!(post.id = %post_id, activity.kind = kind, inboxes = owed, "a change was published");
        gateway.wake.deliver.notify_one();
    }
    Ok(())
}

/// An instant for `updated` that is later, in whole seconds, than what was sent before: Mastodon ignores any other.
fn later(now: Timestamp, before: Timestamp) -> Timestamp {
    let next_second = Timestamp((before.0.div_euclid(1_000) + 1) * 1_000);
    now.max(next_second)
}

fn row(id: ActivityId, post: &Post, kind: &str, bytes: Vec<u8>, at: Timestamp) -> ActivityRow {
    ActivityRow { id, actor_id: post.actor_id, post_id: Some(post.id), kind: kind.to_owned(), bytes, created_at: at }
}

fn subject(post: PostId) -> String {
    format!("post:{post}")
}
