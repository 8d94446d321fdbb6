//! Fetches an agency's proof, judges it, and frees what waited for it.

use std::time::Duration;

use thiserror::Error;
use url::Url;

use crate::actor::Actor;
use crate::actor::verification::{FetchedProof, PROOF_BYTES_MAX, Proof, VerifiedActor, document_url, judge};
use crate::flow::{Gateway, now, provision};
use crate::ids::ActorId;
use crate::net::Get;
use crate::post::{HoldReason, PostState};
use crate::store::activities::{self, ActivityRow};
use crate::store::deliveries::FanOut;
use crate::store::posts::{self, Post};
use crate::store::{Db, Queried, StoreError, actors, audit, deliveries, proofs};
use crate::time::Timestamp;

/// How long one process may take to check a proof.
const LEASE: Duration = Duration::from_secs(120);
/// When a proof that does not hold is looked at again.
const RETRY_AFTER_FAILURE: Duration = Duration::from_secs(5 * 60);
/// Part of the time between two checks that chance may take away, so that not all agencies are asked at once.
const JITTER: f64 = 0.1;

/// Why a proof could not be checked at all. That it does not hold is no error.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such actor.
    #[error("there is no actor {0}; `heraut actor list` shows those that there are")]
    NoActor(ActorId),
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What was fetched.
    pub url: String,
    /// Why it does not hold; `None` when it does.
    pub failure: Option<String>,
    /// What is known of the proof now.
    pub proof: Proof,
    /// Posts, changes and deliveries that were held and now go on.
    pub released: usize,
}

/// Checks one proof that is due. Returns whether there was one.
pub async fn run_due(gateway: &Gateway) -> Result<bool, VerifyError> {
    let at = now();
    let due = gateway.store.write("lease a proof", move |db| proofs::lease_due(db, at, at.after(LEASE))).await?;
    let Some(actor) = due else { return Ok(false) };
    check(gateway, actor, "schedule").await?;
    Ok(true)
}

/// Fetches and judges the proof of an actor now, stores what was found, and frees what waited for it.
pub async fn check(gateway: &Gateway, id: ActorId, who: &str) -> Result<Checked, VerifyError> {
    let load = move |db: &mut Db<'_>| Ok((actors::by_id(db, id)?, proofs::of_actor(db, id)?));
    let (actor, before) = gateway.store.read("read an actor and its proof", load).await?;
    let actor = actor.ok_or(VerifyError::NoActor(id))?;
    let url = document_url(&actor.agency);
    let judged = fetch_and_judge(gateway, &url, &actor).await;
    let at = now();
    let (proof, due_at) = match judged {
        Ok(evidence) => {
            let proof = Proof { evidence: Some(evidence), held_at: Some(at), checked_at: Some(at), failure: None };
            (proof, next_check(gateway, at))
        }
        Err(failure) => {
            let proof = Proof { checked_at: Some(at), failure: Some(failure), ..before.clone() };
            (proof, at.after(RETRY_AFTER_FAILURE))
        }
    };
    tell(&actor, &before, &proof);
    let released = commit(gateway, &actor, &before, &proof, due_at, who).await?;
    Ok(Checked { url, failure: proof.failure.clone(), proof, released })
}

async fn fetch_and_judge(
    gateway: &Gateway,
    url: &str,
    actor: &Actor,
) -> Result<crate::actor::verification::Evidence, String> {
    let parsed = Url::parse(url).map_err(|e| format!("the agency's domain gives no URL ({url}): {e}"))?;
    let bytes_max = u64::try_from(PROOF_BYTES_MAX).unwrap_or(u64::MAX);
    let get = Get { same_host_redirects: true, bytes_max, ..Get::new(parsed, "application/json") };
    let fetched = gateway.net.get(get).await.map_err(|e| with_causes(&e))?;
    let fetched = FetchedProof {
        url: url.to_owned(),
        final_url: fetched.url.to_string(),
        status: fetched.status,
        bytes: fetched.body,
        fetched_at: now(),
    };
    judge(&fetched, actor).map_err(|e| e.to_string())
}

/// An error and its causes in one line: each text names only its own part.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn next_check(gateway: &Gateway, at: Timestamp) -> Timestamp {
    let every = gateway.settings.proof_times.recheck_every;
    at.after(every.mul_f64(1.0 - JITTER * rand::random::<f64>()))
}

fn tell(actor: &Actor, before: &Proof, after: &Proof) {
    let handle = actor.full_handle();
    match (&before.failure, &after.failure) {
        (_, None) if before.held_at.is_none() || before.failure.is_some() => {
            tracing::info!(actor.handle = handle, "the proof holds");
        }
        (None, Some(failure)) => tracing::error!(actor.handle = handle, error = failure, "the proof does not hold"),
        _ => {}
    }
}

async fn commit(
    gateway: &Gateway,
    actor: &Actor,
    before: &Proof,
    proof: &Proof,
    due_at: Timestamp,
    who: &str,
) -> Result<usize, VerifyError> {
    let id = actor.id;
    let holds = proof.failure.is_none();
    let changed = before.failure != proof.failure || before.held_at.is_none() != proof.held_at.is_none();
    let (act, detail) = match &proof.failure {
        None => (
            "proof.holds",
            proof.evidence.as_ref().map(|e| format!("{} sha256:{}", e.url, e.sha256)).unwrap_or_default(),
        ),
        Some(failure) => ("proof.fails", failure.clone()),
    };
    let entry = gateway.audit(who, act, format!("actor:{}", actor.handle), detail);
    let update = if holds && changed { update_of(gateway, actor, proof).await } else { None };
    let proof = proof.clone();
    let released = gateway
        .store
        .write("store a proof", move |db| {
            proofs::ensure(db, id, due_at)?;
            proofs::record(db, id, &proof, due_at)?;
            if changed {
                audit::add(db, &entry)?;
            }
            if let Some(row) = &update {
                activities::insert(db, row)?;
                deliveries::fan_out(db, &FanOut::of_actor(row.id, id, row.created_at))?;
            }
            if holds { release(db, id) } else { Ok(0) }
        })
        .await?;
    if released > 0 {
        gateway.wake.publish.notify_one();
        gateway.wake.deliver.notify_one();
    }
    Ok(released)
}

/// What the actor says of itself, told anew to its followers: while it was not verified, a change of its profile could not be
/// sent.
async fn update_of(gateway: &Gateway, actor: &Actor, proof: &Proof) -> Option<ActivityRow> {
    let at = now();
    let verified = VerifiedActor::prove(actor.clone(), proof, &gateway.settings.proof_times, at).ok()?;
    Some(provision::update_of(gateway, &verified, at).await)
}

/// Frees all that waited for the proof of an actor.
pub(super) fn release(db: &mut Db<'_>, actor: ActorId) -> Queried<usize> {
    let held = posts::held_for(db, actor, HoldReason::Unverified)?;
    let mut released = held.len();
    for post in held {
        posts::leave(db, &Post { state: PostState::Ready, ..post }, &["held"])?;
    }
    released += posts::release_changes(db, actor)?;
    released += deliveries::release_held(db, actor, now())?;
    Ok(released)
}
