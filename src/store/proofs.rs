//! Proofs that agencies control their domains, and when each is checked next.

use diesel::prelude::*;

use crate::actor::ladder::{Level, Step};
use crate::actor::verification::Proof;
use crate::ids::{ActorId, AgencyId};
use crate::on;
use crate::store::first::FirstRow as _;
use crate::store::schema::{actors, proofs};
use crate::store::{Db, Queried, from_json, odd_row, to_json};
use crate::time::Timestamp;

#[derive(Queryable)]
struct Row {
    evidence: Option<String>,
    held_at: Option<Timestamp>,
    checked_at: Option<Timestamp>,
    failure: Option<String>,
    level: Option<i16>,
    ends_at: Option<Timestamp>,
    steps: Option<String>,
}

/// The proof of an actor; one that was never checked when there is none.
pub fn of_actor(db: &mut Db<'_>, actor: ActorId) -> Queried<Proof> {
    let row: Option<Row> = on!(db, c => proofs::table
        .find(actor)
        .select((
            proofs::evidence,
            proofs::held_at,
            proofs::checked_at,
            proofs::failure,
            proofs::level,
            proofs::ends_at,
            proofs::steps,
        ))
        .first_row(c)
        .optional())?;
    let Some(row) = row else { return Ok(Proof::default()) };
    let level = |number: i16| u8::try_from(number).map_err(|e| e.to_string()).and_then(Level::try_from);
    let steps: Option<Vec<Step>> = row.steps.as_deref().map(from_json).transpose()?;
    Ok(Proof {
        evidence: row.evidence.as_deref().map(from_json).transpose()?,
        held_at: row.held_at,
        checked_at: row.checked_at,
        failure: row.failure,
        level: odd_row(row.level.map(level).transpose())?,
        ends_at: row.ends_at,
        steps: steps.unwrap_or_default(),
    })
}

/// When an actor's proof was last checked. On PostgreSQL the proof is locked until the transaction ends, so that what is held
/// because of it and what is freed because of it cannot miss each other.
pub fn lock_checked_at(db: &mut Db<'_>, actor: ActorId) -> Queried<Option<Timestamp>> {
    let query = proofs::table.find(actor).select(proofs::checked_at);
    let found: Option<Option<Timestamp>> = match db {
        Db::Lite(c) => query.first_row(&mut **c).optional()?,
        Db::Pg(c) => query.for_update().first(&mut **c).optional()?,
    };
    Ok(found.flatten())
}

/// Makes an actor's proof due now, if it has none yet.
pub fn ensure(db: &mut Db<'_>, actor: ActorId, now: Timestamp) -> Queried<()> {
    on!(db, c => diesel::insert_into(proofs::table)
        .values((proofs::actor_id.eq(actor), proofs::due_at.eq(now), proofs::lease_until.eq(0)))
        .on_conflict_do_nothing()
        .execute(c))
    .map(|_| ())
}

/// Makes the proofs of all actors of an agency due now: its domain changed, and what held was for another one.
pub fn make_due(db: &mut Db<'_>, agency: AgencyId, now: Timestamp) -> Queried<()> {
    let of_agency = actors::table.filter(actors::agency_id.eq(agency)).select(actors::id);
    on!(db, c => diesel::update(proofs::table.filter(proofs::actor_id.eq_any(of_agency)))
        .set(proofs::due_at.eq(now))
        .execute(c))
    .map(|_| ())
}

/// Makes all proofs due now: a register that they ask was read anew. Those too that are due already, so that on PostgreSQL a check
/// that is being stored is waited for, or waits and sees the new reading.
pub fn make_all_due(db: &mut Db<'_>, now: Timestamp) -> Queried<()> {
    on!(db, c => diesel::update(proofs::table).set(proofs::due_at.eq(now)).execute(c)).map(|_| ())
}

/// Stores what a check found, ends the lease and sets the next check.
pub fn record(db: &mut Db<'_>, actor: ActorId, proof: &Proof, due_at: Timestamp) -> Queried<()> {
    let evidence = proof.evidence.as_ref().map(to_json).transpose()?;
    let steps = to_json(&proof.steps)?;
    on!(db, c => diesel::update(proofs::table.find(actor))
        .set((
            proofs::evidence.eq(evidence),
            proofs::held_at.eq(proof.held_at),
            proofs::checked_at.eq(proof.checked_at),
            proofs::failure.eq(&proof.failure),
            proofs::level.eq(proof.level.map(|level| i16::from(level.number()))),
            proofs::ends_at.eq(proof.ends_at),
            proofs::steps.eq(&steps),
            proofs::due_at.eq(due_at),
            proofs::lease_until.eq(0),
        ))
        .execute(c))
    .map(|_| ())
}

/// Ends the lease of a check that found nothing that counts: it is due again.
pub fn again(db: &mut Db<'_>, actor: ActorId, now: Timestamp) -> Queried<()> {
    on!(db, c => diesel::update(proofs::table.find(actor))
        .set((proofs::due_at.eq(now), proofs::lease_until.eq(0)))
        .execute(c))
    .map(|_| ())
}

/// Leases a proof that is due, if there is one.
pub fn lease_due(db: &mut Db<'_>, now: Timestamp, until: Timestamp) -> Queried<Option<ActorId>> {
    let due: Option<ActorId> = on!(db, c => proofs::table
        .filter(proofs::due_at.le(now).and(proofs::lease_until.le(now)))
        .order(proofs::due_at)
        .select(proofs::actor_id)
        .first_row(c)
        .optional())?;
    let Some(actor) = due else { return Ok(None) };
    let won = on!(db, c => diesel::update(proofs::table.filter(
            proofs::actor_id.eq(actor).and(proofs::due_at.le(now)).and(proofs::lease_until.le(now))))
        .set(proofs::lease_until.eq(until))
        .execute(c))?;
    Ok((won == 1).then_some(actor))
}

/// Ends every lease. Only for a process that is alone on its database.
pub fn free_all(db: &mut Db<'_>) -> Queried<()> {
    on!(db, c => diesel::update(proofs::table.filter(proofs::lease_until.gt(0))).set(proofs::lease_until.eq(0)).execute(c))
        .map(|_| ())
}
