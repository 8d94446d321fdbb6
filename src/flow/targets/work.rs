//! Works on targets: leases one that is due, and says there what it is owed, one post after the other, until nothing is owed, the server
//! wants to be left alone, or the token is the matter.

use std::time::Duration;

use super::api::Trouble;
use super::turn::{LEASE, Turn};
use super::{look, send};
use crate::actor::verification::VerifiedActor;
use crate::delivery::retry::{self, Next};
use crate::flow::verify::with_causes;
use crate::flow::{Gateway, now};
use crate::metrics::{self, pulse};
use crate::store::target_posts::{self, End, TargetState, Work};
use crate::store::targets::{self, Target};
use crate::store::{Db, StoreError, actors, audit, proofs};
use crate::target::plan::{self, Act, Known, Step};
use crate::time::Timestamp;

/// Most posts that are said in one turn: then another target may have one.
const POSTS_MAX: usize = 50;
/// A target that rests is tried again so often: a server may have refused by mistake.
const REST_PROBE: Duration = Duration::from_secs(86_400);

/// Leases a target that is due, if there is one.
pub async fn lease_due(gateway: &Gateway) -> Result<Option<Target>, StoreError> {
    let at = now();
    gateway.store.write("lease a target", move |db| targets::claim(db, at, at.after(LEASE))).await
}

/// Says on a leased target what it is owed.
pub async fn run(gateway: &Gateway, target: Target) {
    let (target, next) = match Turn::begin(gateway, target) {
        Ok(mut turn) => {
            let next = work(&mut turn).await;
            (turn.target, next)
        }
        Err(barred) => {
            let (target, why) = *barred;
            let next = rest(gateway, &target, &why).await;
            (target, next)
        }
    };
    let next = next.unwrap_or_else(|error| {
        tracing::error!(
            target.name = target.name,
            error = &error as &dyn std::error::Error,
            "a target could not be worked on"
        );
        now().after(Duration::from_secs(5))
    });
    let release = move |db: &mut Db<'_>| targets::release(db, &target, next);
    if let Err(error) = gateway.store.write("release a target", release).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "the lease of a target could not be ended");
    }
}

/// Gives when the target is due again, if it is still owed something then.
async fn work(turn: &mut Turn<'_>) -> Result<Timestamp, StoreError> {
    for _ in 0..POSTS_MAX {
        if pulse::here().is_stopping() {
            break;
        }
        match turn.keep().await {
            Ok(()) => {}
            Err(Trouble::Store(error)) => return Err(error),
            Err(_) => return Ok(now()),
        }
        let id = turn.target.id;
        let work = turn.gateway.store.read("read what a target is owed", move |db| target_posts::next(db, id)).await?;
        let Some(work) = work else { return Ok(now()) };
        if held(turn, &work).await? {
            continue;
        }
        match step(turn, &work).await {
            Ok(None) => {}
            Ok(Some(not_before)) => return Ok(not_before),
            Err(trouble) => {
                if let Some(next) = cope(turn, &work, trouble).await? {
                    return Ok(next);
                }
            }
        }
    }
    Ok(now())
}

/// Holds what is owed about posts of an actor without a proof that holds. Returns whether it is to be looked anew.
async fn held(turn: &Turn<'_>, work: &Work) -> Result<bool, StoreError> {
    let (target, id) = (turn.target.id, work.actor);
    let load = move |db: &mut Db<'_>| Ok((actors::by_id(db, id)?, proofs::of_actor(db, id)?));
    let (actor, proof) = turn.gateway.store.read("read an actor and its proof", load).await?;
    let checked_at = proof.checked_at;
    let why = match actor {
        Some(actor) => match VerifiedActor::prove(actor, &proof, &turn.gateway.settings.proof_times, now()) {
            Ok(_) => return Ok(false),
            Err(unverified) => unverified.to_string(),
        },
        None => format!("actor {id} no longer exists"),
    };
    let said = why.clone();
    let hold = move |db: &mut Db<'_>| target_posts::hold(db, target, id, checked_at, &said);
    if turn.gateway.store.write("hold what a target is owed", hold).await? {
        metrics::target("held");
        tracing::warn!(
            target.name = turn.target.name,
            post.id = %work.post,
            why,
            "what a target is owed is held, because the actor is not verified"
        );
    }
    Ok(true)
}

async fn step(turn: &mut Turn<'_>, work: &Work) -> Result<Option<Timestamp>, Trouble> {
    let mirror = &work.mirror;
    let known = Known {
        stands: mirror.status_id.is_some(),
        unsure: mirror.tried_revision.filter(|_| mirror.unsure),
        gone: mirror.gone_at.is_some(),
    };
    match plan::next(&work.owed, known) {
        None => Ok(None),
        Some(Step::Look { revision }) => look::look(turn, work, revision).await.map(|()| None),
        Some(Step::Post { revision }) => send::post(turn, work, revision).await,
        Some(Step::Edit { revision }) => send::edit(turn, work, revision).await,
        Some(Step::Remove) => send::remove(turn, work).await,
        Some(Step::Drop) => drop_all(turn, work).await.map(|()| None),
    }
}

/// Nothing need be sent about a post any more.
async fn drop_all(turn: &Turn<'_>, work: &Work) -> Result<(), Trouble> {
    let (target, post, at) = (turn.target.id, work.post, now());
    let note = match work.mirror.gone_at {
        Some(_) => "it was removed there by somebody",
        None => "it was withdrawn before it was sent",
    };
    let end = End { state: TargetState::Void, status: None, note: Some(note) };
    let drop = move |db: &mut Db<'_>| target_posts::drop_post(db, target, post, end, at);
    turn.gateway.store.write("end what a target is owed", drop).await?;
    Ok(())
}

/// Records what went wrong. Gives when the target is due again; `None` when it can go on with the next post at once.
async fn cope(turn: &Turn<'_>, work: &Work, trouble: Trouble) -> Result<Option<Timestamp>, StoreError> {
    match trouble {
        Trouble::Store(error) => Err(error),
        Trouble::Lost => Ok(Some(now())),
        Trouble::Barred(why) => rest(turn.gateway, &turn.target, &why).await.map(Some),
        Trouble::Refused { status, why } => refused(turn, work, status, &why).await.map(|()| None),
        Trouble::Missing => missing(turn, work).await.map(|()| None),
        Trouble::Later { status, why, not_before, .. } => later(turn, work, status, why, not_before).await.map(Some),
    }
}

/// The target rests until somebody does something about it.
async fn rest(gateway: &Gateway, target: &Target, why: &str) -> Result<Timestamp, StoreError> {
    metrics::target("barred");
    let (id, name, at) = (target.id, target.name.clone(), now());
    let entry = gateway.audit("policy", "target.rest", format!("target:{name}"), why);
    let said = why.to_owned();
    let rest = move |db: &mut Db<'_>| {
        let news = targets::rest(db, id, &said, at)?;
        if news { audit::add(db, &entry).map(|()| true) } else { Ok(false) }
    };
    if gateway.store.write("let a target rest", rest).await? {
        tracing::error!(
            target.name = name,
            reason = why,
            "a target rests; give it a new access token with `heraut target token`"
        );
    }
    Ok(at.after(REST_PROBE))
}

/// The server will never do it.
async fn refused(turn: &Turn<'_>, work: &Work, status: Option<u16>, why: &str) -> Result<(), StoreError> {
    metrics::target("refused");
    let (target, post, at) = (turn.target.id, work.post, now());
    let up_to = work.owed.iter().map(|owed| owed.revision).max().unwrap_or_default();
    let withdrawn = work.owed.iter().any(|owed| owed.act == Act::Delete);
    let detail = format!("target {}: {why}", turn.target.name);
    let entry = turn.gateway.audit("policy", "target.refused", format!("post:{post}"), detail);
    let said = why.to_owned();
    let end = move |db: &mut Db<'_>| {
        let end = End { state: TargetState::Refused, status, note: Some(&said) };
        if withdrawn {
            target_posts::settle_withdrawal(db, target, post, end, at)?;
        } else {
            target_posts::settle(db, target, post, up_to, end, at)?;
        }
        // It answers, and the token is good.
        if status.is_some() {
            targets::succeeded(db, target, at)?;
        }
        audit::add(db, &entry)
    };
    turn.gateway.store.write("record that a target refused", end).await?;
    tracing::warn!(target.name = turn.target.name, post.id = %post, reason = why, "a target refused a post");
    Ok(())
}

/// What was to be edited is not there: somebody removed it there, and nothing more is said about it.
async fn missing(turn: &Turn<'_>, work: &Work) -> Result<(), StoreError> {
    let (target, post, at) = (turn.target.id, work.post, now());
    let gone = move |db: &mut Db<'_>| target_posts::gone(db, target, post, at);
    turn.gateway.store.write("note that a status is gone", gone).await?;
    refused(turn, work, Some(404), "it is not there any more: somebody removed it there").await
}

async fn later(
    turn: &Turn<'_>,
    work: &Work,
    status: Option<u16>,
    why: String,
    not_before: Option<Timestamp>,
) -> Result<Timestamp, StoreError> {
    metrics::target("later");
    let (target, post, at) = (turn.target.id, work.post, now());
    let said = why.clone();
    let fail = move |db: &mut Db<'_>| {
        target_posts::retry(db, target, post, status, &said)?;
        let (failures, since) = targets::failed(db, target, &said, at)?;
        if retry::gives_up(since, at) {
            let end = End { state: TargetState::GaveUp, status, note: Some(&said) };
            target_posts::settle_all(db, target, end, at)?;
        }
        Ok((failures, since))
    };
    let (failures, since) = turn.gateway.store.write("note that a target failed", fail).await?;
    if failures == 1 {
        tracing::warn!(target.name = turn.target.name, reason = why, "a target does not take posts; it is tried again");
    }
    let failures = u32::try_from(failures).unwrap_or(1);
    Ok(match retry::next(failures, rand::random(), not_before, since, at) {
        Next::At(at) | Next::Park { probe_at: at } => at,
    })
}

/// What failed, as a sentence: for commands.
pub(super) fn explain(trouble: &Trouble) -> String {
    match trouble {
        Trouble::Missing => "it answered 404".to_owned(),
        Trouble::Refused { why, .. } | Trouble::Barred(why) | Trouble::Later { why, .. } => why.clone(),
        Trouble::Lost => "another process works on it".to_owned(),
        Trouble::Store(error) => with_causes(error),
    }
}
