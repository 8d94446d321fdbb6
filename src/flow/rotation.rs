//! Rotation of an actor's keys, with an overlap or at once (`docs/adr/0016-two-signatures.md`).
//!
//! 1. New keys are made and announced: the document names the Ed25519 one beside that which signs, the fingerprint of the RSA one
//!    counts in a proof, and an Update says so.
//! 2. After the overlap they switch: the document has the new `publicKey`, under an id of its own, and an Update that is signed by
//!    the key *before* tells of it. Who keeps the old key believes that Update; who missed it finds a key id that he does not know,
//!    and looks.
//! 3. What the keys before signed can be checked for a month more; then they are forgotten.

use std::time::Duration;

use thiserror::Error;

use crate::actor::Actor;
use crate::actor::key::{KeySerial, KeysBeside};
use crate::actor::verification::{Unverified, VerifiedActor};
use crate::flow::keyring::{KeyringError, NewKeys};
use crate::flow::provision::update_of;
use crate::flow::{Gateway, now};
use crate::ids::{ActorId, KeyRowId};
use crate::store::deliveries::FanOut;
use crate::store::rotations::{self, Rotation};
use crate::store::{Db, StoreError, activities, actors, audit, deliveries, proofs};
use crate::time::Timestamp;

/// Shortest overlap: as long as peers keep a key without looking again (`reference/federation.md` 4.5).
pub const OVERLAP_MIN: Duration = Duration::from_secs(48 * 3_600);
/// Longest overlap.
pub const OVERLAP_MAX: Duration = Duration::from_secs(90 * 86_400);
/// How long keys that signed are kept: their Update is delivered by then, and what they signed has been read.
const BEFORE_KEPT: Duration = Duration::from_secs(30 * 86_400);
/// How long a switch is put off when the actor is not verified.
const PUT_OFF: Duration = Duration::from_secs(3_600);

/// Why keys are not rotated.
#[derive(Debug, Error)]
pub enum RotationError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Keys cannot be made or opened.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The followers' servers could not be told.
    #[error(
        "the keys are rotated when the actor is verified, because its followers' servers must be told; or use --now"
    )]
    Unverified(#[from] Unverified),
    /// One is under way.
    #[error("new keys are announced already, and sign from {0} on; wait for that, or use --now if a key was stolen")]
    UnderWay(Timestamp),
    /// The actor is gone.
    #[error("actor {0} does not exist any more")]
    Gone(ActorId),
}

/// Announces new keys of an actor, which sign after `overlap`. Returns from when.
pub async fn begin(gateway: &Gateway, actor: &Actor, overlap: Duration, by: &str) -> Result<Timestamp, RotationError> {
    let (at, id) = (now(), actor.id);
    let overlap = overlap.clamp(OVERLAP_MIN, OVERLAP_MAX);
    let load = move |db: &mut Db<'_>| Ok((rotations::of_actor(db, id)?, proofs::of_actor(db, id)?));
    let (known, proof) = gateway.store.read("read the keys of an actor", load).await?;
    let known = known.unwrap_or_else(|| first(id));
    if let Some(switch_at) = known.switch_at {
        return Err(RotationError::UnderWay(switch_at));
    }
    VerifiedActor::prove(actor.clone(), &proof, &gateway.settings.proof_times, at)?;
    let serial = known.serial.saturating_add(1);
    let made = generate(gateway, id)?;
    let mut announced = Actor { updated_at: at, ..actor.clone() };
    announced.keys.beside.insert(0, beside(&made, serial));
    let verified = VerifiedActor::prove(announced, &proof, &gateway.settings.proof_times, at)?;
    let update = update_of(gateway, &verified, at).await;
    let switch_at = at.after(overlap);
    let what = format!("serial {serial} signs from {switch_at}");
    let entry = gateway.audit(by, "key.announce", format!("actor:{}", actor.handle), what);
    let begun = gateway
        .store
        .write("announce new keys", move |db| {
            if !rotations::announce(db, &known, &made.rows, serial, switch_at, at)? {
                return Ok(false);
            }
            audit::add(db, &entry)?;
            activities::insert(db, &update)?;
            deliveries::fan_out(db, &FanOut::of_actor(update.id, id, at)).map(|_| true)
        })
        .await?;
    if !begun {
        return Err(RotationError::UnderWay(switch_at));
    }
    tracing::info!(actor.handle = actor.full_handle(), serial, switch_at = %switch_at, "new keys are announced");
    gateway.wake.deliver.notify_one();
    Ok(switch_at)
}

/// Gives an actor new keys that sign at once, and forgets all others of it: for when a private key was stolen or lost. Who keeps the
/// old key refuses what comes until it looks again.
pub async fn replace_now(gateway: &Gateway, actor: &Actor, by: &str) -> Result<Actor, RotationError> {
    let (at, id) = (now(), actor.id);
    let load = move |db: &mut Db<'_>| Ok((rotations::of_actor(db, id)?, proofs::of_actor(db, id)?));
    let (known, proof) = gateway.store.read("read the keys of an actor", load).await?;
    let known = known.unwrap_or_else(|| first(id));
    let serial = known.serial.max(known.next_serial.unwrap_or_default()).saturating_add(1);
    let made = generate(gateway, id)?;
    let mut replaced = Actor { updated_at: at, ..actor.clone() };
    replaced.keys = crate::actor::key::PublicKeys { serial: KeySerial(serial), ..made.public };
    let rows = made.rows;
    let entry =
        gateway.audit(by, "key.replace", format!("actor:{}", actor.handle), format!("serial {serial} signs at once"));
    let agency = actor.agency.id;
    gateway
        .store
        .write("replace keys at once", move |db| {
            rotations::replace_now(db, id, &rows, serial, at)?;
            // The proof names the old key: it is looked at again now, and fails until the agency names the new one.
            proofs::make_due(db, agency, at)?;
            audit::add(db, &entry)
        })
        .await?;
    tracing::warn!(actor.handle = actor.full_handle(), serial, "the keys of an actor were replaced at once");
    if let Ok(verified) = VerifiedActor::prove(replaced.clone(), &proof, &gateway.settings.proof_times, at) {
        let update = update_of(gateway, &verified, at).await;
        let tell = move |db: &mut Db<'_>| {
            activities::insert(db, &update)?;
            deliveries::fan_out(db, &FanOut::of_actor(update.id, id, at))
        };
        gateway.store.write("tell of new keys", tell).await?;
        gateway.wake.deliver.notify_one();
    }
    Ok(replaced)
}

/// Switches the keys whose time has come, and forgets those that signed a month ago.
pub async fn run_due(gateway: &Gateway) -> Result<(), RotationError> {
    let at = now();
    let due = gateway.store.read("look for keys that are to sign", move |db| rotations::due(db, at)).await?;
    for rotation in due {
        switch(gateway, rotation).await?;
    }
    Ok(())
}

/// Forgets the keys that signed a month ago.
pub async fn clear(gateway: &Gateway) -> Result<usize, StoreError> {
    let before = now().before(BEFORE_KEPT);
    gateway.store.write("forget old keys", move |db| rotations::clear(db, before)).await
}

async fn switch(gateway: &Gateway, rotation: Rotation) -> Result<(), RotationError> {
    let (at, id) = (now(), rotation.actor_id);
    let load = move |db: &mut Db<'_>| Ok((actors::by_id(db, id)?, proofs::of_actor(db, id)?));
    let (actor, proof) = gateway.store.read("read an actor whose keys are to switch", load).await?;
    let actor = actor.ok_or(RotationError::Gone(id))?;
    let before = match VerifiedActor::prove(actor.clone(), &proof, &gateway.settings.proof_times, at) {
        Ok(before) => before,
        Err(unverified) => {
            tracing::warn!(
                actor.handle = actor.full_handle(),
                why = %unverified,
                "new keys do not sign yet, because the actor is not verified"
            );
            let put_off = move |db: &mut Db<'_>| rotations::put_off(db, &rotation, at.after(PUT_OFF));
            return Ok(gateway.store.write("put a switch of keys off", put_off).await?);
        }
    };
    let Some(after) = switched(actor.clone(), &rotation, at) else { return Ok(()) };
    // What tells of the new keys is in all ways the last word of those before.
    let verified = VerifiedActor::prove(after, &proof, &gateway.settings.proof_times, at)?;
    let mut update = update_of_bare(gateway, &verified, at);
    update.bytes = gateway.attested(&before, update.bytes, at).await;
    let entry = gateway.audit(
        "policy",
        "key.switch",
        format!("actor:{}", actor.handle),
        format!("serial {:?} signs", rotation.next_serial),
    );
    let farewell = update.id;
    let switched = gateway
        .store
        .write("switch keys", move |db| {
            if !rotations::switch(db, &rotation, farewell, at)? {
                return Ok(false);
            }
            audit::add(db, &entry)?;
            activities::insert(db, &update)?;
            deliveries::fan_out(db, &FanOut::of_actor(farewell, id, at)).map(|_| true)
        })
        .await?;
    if switched {
        tracing::info!(actor.handle = actor.full_handle(), "the new keys of an actor sign from now on");
        gateway.wake.deliver.notify_one();
    }
    Ok(())
}

/// The actor with the announced keys in front.
fn switched(actor: Actor, rotation: &Rotation, at: Timestamp) -> Option<Actor> {
    let mut actor = Actor { updated_at: at, ..actor };
    let next = actor.keys.beside.iter().position(|beside| Some(beside.serial.0) == rotation.next_serial)?;
    let next = actor.keys.beside.remove(next);
    let before = KeysBeside {
        serial: actor.keys.serial,
        rsa_pem: std::mem::replace(&mut actor.keys.rsa_pem, next.rsa_pem),
        ed25519_multibase: std::mem::replace(&mut actor.keys.ed25519_multibase, next.ed25519_multibase),
    };
    actor.keys.serial = next.serial;
    actor.keys.beside.insert(0, before);
    Some(actor)
}

fn update_of_bare(gateway: &Gateway, verified: &VerifiedActor, at: Timestamp) -> activities::ActivityRow {
    let id = crate::ids::ActivityId(gateway.mint.next());
    let bytes = crate::activity::update_actor(verified, &verified.actor().base(), id, at);
    let actor_id = verified.actor().id;
    activities::ActivityRow { id, actor_id, post_id: None, kind: "Update".to_owned(), bytes, created_at: at }
}

/// An actor whose keys were never replaced.
fn first(actor_id: ActorId) -> Rotation {
    Rotation {
        actor_id,
        serial: KeySerial::default().0,
        next_serial: None,
        switch_at: None,
        switched_at: None,
        farewell: None,
    }
}

fn generate(gateway: &Gateway, actor: ActorId) -> Result<NewKeys, KeyringError> {
    gateway.keyring.generate([KeyRowId(gateway.mint.next()), KeyRowId(gateway.mint.next())], Some(actor))
}

fn beside(made: &NewKeys, serial: i32) -> KeysBeside {
    KeysBeside {
        serial: KeySerial(serial),
        rsa_pem: made.public.rsa_pem.clone(),
        ed25519_multibase: made.public.ed25519_multibase.clone(),
    }
}
