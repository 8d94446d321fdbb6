//! What a person decides about posts: release what is held, withdraw what is public, drop what waits.

use thiserror::Error;

use crate::flow::{Gateway, intake, now};
use crate::ids::PostId;
use crate::post::policy::let_go;
use crate::post::{HoldReason, PostState};
use crate::store::posts::{self, Post};
use crate::store::{Db, StoreError, audit, items};

/// Why a decision was not carried out.
#[derive(Debug, Error)]
pub enum ReviewError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No such post.
    #[error("there is no post {0}; `heraut post list` shows those that there are")]
    NoPost(PostId),
    /// It does not wait.
    #[error("post {0} is not held; `heraut post show {0}` says what state it is in")]
    NotHeld(PostId),
    /// It waits for a proof, which no person can give here.
    #[error("post {post} waits for its actor's proof, not for a person; run `heraut actor verify`")]
    WaitsForProof {
        /// The post.
        post: PostId,
    },
    /// It is withdrawn already.
    #[error("post {0} is withdrawn already")]
    Withdrawn(PostId),
}

/// Releases a held post, or a held edit of a public one. It is published as soon as its time has come.
pub async fn release(gateway: &Gateway, id: PostId, who: &str) -> Result<(), ReviewError> {
    let load = move |db: &mut Db<'_>| Ok((posts::by_id(db, id)?, posts::change(db, id)?, items::of_post(db, id)?));
    let (post, change, row) = gateway.store.read("read a post", load).await?;
    let post = post.ok_or(ReviewError::NoPost(id))?;
    let reason = match (post.state, &change) {
        (PostState::Held(reason), _) => reason,
        (PostState::Published(_), Some(change)) => change.held.ok_or(ReviewError::NotHeld(id))?,
        _ => return Err(ReviewError::NotHeld(id)),
    };
    if reason == HoldReason::Unverified {
        return Err(ReviewError::WaitsForProof { post: id });
    }
    let item = row.and_then(|row| intake::stored_item(&row).ok());
    let images_due = item.as_ref().is_some_and(|item| item.embargo_until.is_some() && !item.media.is_empty());
    let next = item.map_or(PostState::Ready, |item| let_go(&item, now()));
    let entry = gateway.audit(who, "post.release", format!("post:{id}"), reason.name());
    gateway
        .store
        .write("release a post", move |db| {
            match post.state {
                PostState::Held(_) => posts::leave(db, &Post { state: next, ..post.clone() }, &["held"]).map(|_| ())?,
                _ => posts::let_change_go(db, id, images_due)?,
            }
            audit::add(db, &entry)
        })
        .await?;
    gateway.wake.publish.notify_one();
    Ok(())
}

/// Withdraws a post: a public one by a Delete to everyone who was owed it, one that waits without a word.
pub async fn withdraw(gateway: &Gateway, id: PostId, who: &str) -> Result<(), ReviewError> {
    let post = gateway.store.read("read a post", move |db| posts::by_id(db, id)).await?;
    let post = post.ok_or(ReviewError::NoPost(id))?;
    if matches!(post.state, PostState::Withdrawn(_)) {
        return Err(ReviewError::Withdrawn(id));
    }
    let at = now();
    let entry = gateway.audit(who, "post.withdraw", format!("post:{id}"), "");
    gateway
        .store
        .write("withdraw a post", move |db| {
            items::mark_withdrawn_here(db, id)?;
            audit::add(db, &entry)?;
            match post.state {
                PostState::Published(_) => intake::retract(db, Some(id), at),
                _ => intake::cancel(db, Some(&post), at),
            }
        })
        .await?;
    gateway.wake.publish.notify_one();
    Ok(())
}
