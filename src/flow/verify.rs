//! Looks at an agency's proof, rung by rung, and frees what waited for it.

mod looks;

use std::collections::BTreeSet;
use std::time::Duration;

use thiserror::Error;

use crate::actor::Actor;
use crate::actor::ladder::{self, Level};
use crate::actor::verification::{Evidence, Proof, VerifiedActor, document_url};
use crate::flow::{Gateway, now, provision};
use crate::ids::ActorId;
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
    let began = now();
    let looked = looks::all(gateway, &actor, &before).await?;
    let at = now();
    let asked = looked.asked.clone();
    let proof = summed_up(&before, looked, gateway.settings.proof_times.level, at);
    let due_at = due_after(gateway, &proof, at);
    tell(&actor, &before, &proof);
    let released = commit(gateway, &actor, &before, &proof, (began, asked, due_at), who).await?;
    Ok(Checked { url, failure: proof.failure.clone(), proof, released })
}

/// What is known of the proof after a look at all its rungs. It holds when nothing is missing that is needed; what held before goes
/// on holding for its grace, but never past an end that a register gives.
fn summed_up(before: &Proof, looked: looks::Looked, needed: Level, at: Timestamp) -> Proof {
    let looks::Looked { steps, ends_at, .. } = looked;
    let failure = ladder::missing(&steps, needed);
    let control = ladder::control(&steps).map(|seen| Evidence {
        url: seen.place.clone(),
        sha256: seen.sha256.clone(),
        fetched_at: seen.at,
    });
    match (failure, control) {
        (None, Some(evidence)) => Proof {
            evidence: Some(evidence),
            held_at: Some(at),
            checked_at: Some(at),
            failure: None,
            level: Some(ladder::level(&steps)),
            ends_at,
            steps,
        },
        (failure, _) => Proof { checked_at: Some(at), failure, ends_at, steps, ..before.clone() },
    }
}

/// When a proof is looked at next: daily by default, soon when it fails, and at the moment when a register says that it ends.
fn due_after(gateway: &Gateway, proof: &Proof, at: Timestamp) -> Timestamp {
    let usual = if proof.failure.is_none() { next_check(gateway, at) } else { at.after(RETRY_AFTER_FAILURE) };
    proof.ends_at.filter(|ends| *ends > at).map_or(usual, |ends| ends.min(usual))
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
    if let Some(ends) = after.ends_at.filter(|_| before.ends_at != after.ends_at) {
        tracing::error!(actor.handle = handle, ends_at = %ends, "a register says that the agency's domain or organisation ends");
    }
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
    (began, asked, due_at): (Timestamp, looks::Asked, Timestamp),
    who: &str,
) -> Result<usize, VerifyError> {
    let id = actor.id;
    let holds = proof.failure.is_none();
    let changed = before.failure != proof.failure
        || before.held_at.is_none() != proof.held_at.is_none()
        || before.level != proof.level
        || before.ends_at != proof.ends_at;
    let (act, detail) = match &proof.failure {
        None => (
            "proof.holds",
            proof.evidence.as_ref().map(|e| format!("{} sha256:{}", e.url, e.sha256)).unwrap_or_default(),
        ),
        Some(failure) => ("proof.fails", failure.clone()),
    };
    let entry = gateway.audit(who, act, format!("actor:{}", actor.handle), detail);
    let update = if holds && changed { update_of(gateway, actor, proof).await } else { None };
    let (proof, actor) = (proof.clone(), actor.clone());
    let released = gateway
        .store
        .write("store a proof", move |db| {
            proofs::ensure(db, id, due_at)?;
            let last = proofs::lock_checked_at(db, id)?;
            if !actors::by_id(db, id)?.is_some_and(|known| same_to_prove(&known, &actor)) {
                // Its keys or its domain were replaced meanwhile: what was seen says nothing of those.
                return proofs::again(db, id, now()).map(|()| 0);
            }
            // A register that was read meanwhile, or another who looked at the same time, may have seen something else.
            let settled = looks::Asked::now(db, actor.agency.id)? == asked && last.is_none_or(|last| last <= began);
            let due_at = if settled { due_at } else { now() };
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

/// Whether what was seen of one is evidence for the other: the domain and the keys, in whatever order they sign.
fn same_to_prove(known: &Actor, seen: &Actor) -> bool {
    let keys = |actor: &Actor| actor.keys.fingerprints().into_iter().collect::<BTreeSet<_>>();
    known.agency == seen.agency && keys(known) == keys(seen)
}

/// What the actor says of itself, told anew to its followers: while it was not verified, a change of its profile could not be
/// sent.
async fn update_of(gateway: &Gateway, actor: &Actor, proof: &Proof) -> Option<ActivityRow> {
    let at = now();
    let verified = VerifiedActor::prove(actor.clone(), proof, &gateway.settings.proof_times, at).ok()?;
    Some(provision::update_of(gateway, &verified, at).await)
}

/// Frees all that waited for the proof of an actor.
fn release(db: &mut Db<'_>, actor: ActorId) -> Queried<usize> {
    let held = posts::held_for(db, actor, HoldReason::Unverified)?;
    let mut released = held.len();
    for post in held {
        posts::leave(db, &Post { state: PostState::Ready, ..post }, &["held"])?;
    }
    released += posts::release_changes(db, actor)?;
    released += deliveries::release_held(db, actor, now())?;
    Ok(released)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::key::{KeySerial, KeysBeside};
    use crate::actor::verification::tests::actor;

    #[test]
    fn what_was_seen_counts_for_the_same_domain_and_keys_and_for_no_others() {
        let beside =
            |pem: &str| KeysBeside { serial: KeySerial(2), rsa_pem: pem.to_owned(), ed25519_multibase: "z".to_owned() };
        let mut seen = actor();
        seen.keys.beside.push(beside("next"));
        let mut switched = seen.clone();
        std::mem::swap(&mut switched.keys.rsa_pem, &mut switched.keys.beside[0].rsa_pem);
        assert!(same_to_prove(&switched, &seen), "a switch within a rotation changes nothing");
        let mut replaced = seen.clone();
        replaced.keys.rsa_pem = "stolen no more".to_owned();
        let mut moved = seen.clone();
        moved.agency.domain = "elders.nl".to_owned();
        let mut announced = seen.clone();
        announced.keys.beside.push(beside("after that"));
        for other in [replaced, moved, announced] {
            assert!(!same_to_prove(&other, &seen), "{other:?}");
        }
    }
}
