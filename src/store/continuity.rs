//! What becomes of actors: states, other accounts, handles that they had, and the last Delete of one that goes.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::actor::continuity::{ActorState, Continuity};
use crate::ids::{ActivityId, ActorId, PostId};
use crate::on;
use crate::post::lane::Dispatch;
use crate::store::first::FirstRow as _;
use crate::store::listen::{self, Topic};
use crate::store::schema::{
    activities, actor_continuity, actors, deliveries, former_handles, post_changes, posts, proofs, sources,
};
use crate::store::statement::statement;
use crate::store::{Db, Queried, from_json, inboxes, odd_row, to_json, turns};
use crate::time::Timestamp;
use crate::urls::ActorUrl;

/// Why the sources of an actor are stopped that another installation speaks for.
pub const HANDED_OVER: &str = "another installation speaks for its actor";
/// When nothing is ever due.
const NEVER: Timestamp = Timestamp(i64::MAX / 2);

#[derive(Debug, Clone, Insertable, AsChangeset, Queryable)]
#[diesel(table_name = actor_continuity)]
#[diesel(treat_none_as_null = true)]
struct Row {
    actor_id: ActorId,
    state: String,
    since: Timestamp,
    aliases: String,
    moved_to: Option<String>,
    moved_at: Option<Timestamp>,
    followers_then: Option<i64>,
    counted_at: Option<Timestamp>,
}

/// A handle that an actor had.
#[derive(Debug, Clone, PartialEq, Eq, Insertable, Queryable, serde::Serialize, serde::Deserialize)]
#[diesel(table_name = former_handles)]
pub struct FormerHandle {
    /// Its local part.
    pub handle: String,
    /// Its domain, lower-case.
    pub domain: String,
    /// Whose it was.
    pub actor_id: ActorId,
    /// Until when.
    pub until: Timestamp,
}

/// What became of an actor.
pub fn of(db: &mut Db<'_>, actor: ActorId) -> Queried<Continuity> {
    let row: Option<Row> = on!(db, c => actor_continuity::table.find(actor).first_row(c).optional())?;
    let Some(row) = row else { return Ok(Continuity::default()) };
    Ok(Continuity {
        state: ActorState::from_name(&row.state),
        since: row.since,
        aliases: from_json(&row.aliases)?,
        moved_to: row.moved_to.as_deref().map(|url| odd_row(ActorUrl::parse(url))).transpose()?,
        moved_at: row.moved_at,
        followers_then: row.followers_then.zip(row.counted_at),
    })
}

/// Stores what becomes of an actor, if its state is still `from`. Returns whether it was: of two who decide, one acts.
pub fn put(db: &mut Db<'_>, actor: ActorId, continuity: &Continuity, from: ActorState) -> Queried<bool> {
    let row = row_of(actor, continuity)?;
    let known: Option<String> = on!(db, c => actor_continuity::table
        .find(actor).select(actor_continuity::state).first_row(c).optional())?;
    if known.is_none() && from == ActorState::default() {
        return on!(db, c => diesel::insert_into(actor_continuity::table)
            .values(&row).on_conflict_do_nothing().execute(c))
        .map(|n| n == 1);
    }
    on!(db, c => diesel::update(actor_continuity::table
            .filter(actor_continuity::actor_id.eq(actor).and(actor_continuity::state.eq(from.name()))))
        .set(&row)
        .execute(c))
    .map(|n| n == 1)
}

fn row_of(actor: ActorId, continuity: &Continuity) -> Queried<Row> {
    Ok(Row {
        actor_id: actor,
        state: continuity.state.name().to_owned(),
        since: continuity.since,
        aliases: to_json(&continuity.aliases)?,
        moved_to: continuity.moved_to.as_ref().map(ToString::to_string),
        moved_at: continuity.moved_at,
        followers_then: continuity.followers_then.map(|(n, _)| n),
        counted_at: continuity.followers_then.map(|(_, at)| at),
    })
}

/// The actors in a state, the longest first.
pub fn in_state(db: &mut Db<'_>, state: ActorState) -> Queried<Vec<ActorId>> {
    on!(db, c => actor_continuity::table
        .filter(actor_continuity::state.eq(state.name()))
        .order(actor_continuity::since)
        .select(actor_continuity::actor_id)
        .load(c))
}

/// The id of an actor on the wire, and what became of it; `None` when there is no such actor.
pub fn state_of(db: &mut Db<'_>, actor: ActorId) -> Queried<Option<(ActorUrl, Continuity)>> {
    let url: Option<String> = on!(db, c => actors::table.find(actor).select(actors::url).first_row(c).optional())?;
    url.map(|url| Ok((odd_row(ActorUrl::parse(&url))?, of(db, actor)?))).transpose()
}

/// The state of the actor that a post is of.
pub fn state_of_post(db: &mut Db<'_>, post: PostId) -> Queried<ActorState> {
    let state: Option<String> = on!(db, c => posts::table
        .inner_join(actor_continuity::table.on(actor_continuity::actor_id.eq(posts::actor_id)))
        .filter(posts::id.eq(post))
        .select(actor_continuity::state)
        .first_row(c)
        .optional())?;
    Ok(state.map_or_else(ActorState::default, |state| ActorState::from_name(&state)))
}

/// Remembers that an actor had a handle: it leads to that actor from now on, and to no other.
pub fn reserve(db: &mut Db<'_>, former: &FormerHandle) -> Queried<()> {
    on!(db, c => diesel::insert_into(former_handles::table).values(former).on_conflict_do_nothing().execute(c))
        .map(|_| ())
}

/// An actor takes back a handle that it had.
pub fn take_back(db: &mut Db<'_>, actor: ActorId, handle: &str, domain: &str) -> Queried<()> {
    on!(db, c => diesel::delete(former_handles::table.filter(former_handles::handle.eq(handle)
            .and(former_handles::domain.eq(domain)).and(former_handles::actor_id.eq(actor))))
        .execute(c))
    .map(|_| ())
}

/// Who had that local part, at any domain.
pub fn former(db: &mut Db<'_>, handle: &str) -> Queried<Vec<FormerHandle>> {
    on!(db, c => former_handles::table.filter(former_handles::handle.eq(handle)).load(c))
}

/// The handles that an actor had.
pub fn former_of(db: &mut Db<'_>, actor: ActorId) -> Queried<Vec<FormerHandle>> {
    on!(db, c => former_handles::table
        .filter(former_handles::actor_id.eq(actor))
        .order((former_handles::until, former_handles::handle))
        .load(c))
}

/// All handles that actors had.
pub fn all_former(db: &mut Db<'_>) -> Queried<Vec<FormerHandle>> {
    on!(db, c => former_handles::table.order((former_handles::domain, former_handles::handle)).load(c))
}

/// Owes the last Delete of an actor to every inbox that was ever owed anything of it or has a follower of it. Returns how many.
pub fn owe_to_all_ever(db: &mut Db<'_>, activity: ActivityId, actor: ActorId, at: Timestamp) -> Queried<usize> {
    const OWE: &str = "INSERT INTO deliveries (activity_id, inbox_id, turn, state, attempts, created_at) \
        SELECT $1, s.id, $2 + ROW_NUMBER() OVER (ORDER BY s.nth, s.id), 0, 0, $3 FROM (\
          SELECT i.id AS id, ROW_NUMBER() OVER (PARTITION BY i.host ORDER BY i.id) AS nth FROM inboxes i WHERE i.id IN (\
            SELECT f.inbox_id FROM followers f WHERE f.actor_id = $4 \
            UNION SELECT d.inbox_id FROM activities a JOIN deliveries d ON d.activity_id = a.id \
            WHERE a.actor_id = $4 AND a.id <> $1)) s \
        WHERE 1 = 1 ORDER BY s.id ON CONFLICT DO NOTHING";
    let at_once = Dispatch::default();
    let joined = turns::join(db, actor, at_once.lane)?;
    let owed = on!(db, c => statement(OWE)
        .bind::<BigInt, _>(activity)
        .bind::<BigInt, _>(joined.turn(0))
        .bind::<BigInt, _>(at)
        .bind::<BigInt, _>(actor)
        .execute(c))?;
    let places = i64::try_from(owed).unwrap_or(i64::MAX);
    turns::take(db, joined, places)?;
    inboxes::line_up(db, activity, at_once.spread, (joined.turn(0), places), at)?;
    listen::tell(db, Topic::Deliver)?;
    Ok(owed)
}

/// Gives up what an actor still owes besides one activity. Returns how many deliveries.
pub fn give_up_all_but(db: &mut Db<'_>, actor: ActorId, but: ActivityId, why: &str, at: Timestamp) -> Queried<usize> {
    const GIVE_UP: &str = "UPDATE deliveries SET state = 3, error = $1, settled_at = $2 WHERE state IN (0, 4) \
        AND activity_id <> $3 AND activity_id IN (SELECT id FROM activities WHERE actor_id = $4)";
    on!(db, c => statement(GIVE_UP)
        .bind::<Text, _>(why)
        .bind::<BigInt, _>(at)
        .bind::<BigInt, _>(but)
        .bind::<BigInt, _>(actor)
        .execute(c))
}

/// Whether an actor owes anything that may still be sent.
pub fn owes_anything(db: &mut Db<'_>, actor: ActorId) -> Queried<bool> {
    let found: Option<ActivityId> = on!(db, c => deliveries::table
        .inner_join(activities::table.on(activities::id.eq(deliveries::activity_id)))
        .filter(activities::actor_id.eq(actor).and(deliveries::state.eq_any([0_i16, 4])))
        .select(deliveries::activity_id)
        .first_row(c)
        .optional())?;
    Ok(found.is_some())
}

/// Stops the sources of an actor, with that reason, and has its proof looked at no more.
pub fn stop_sources(db: &mut Db<'_>, actor: ActorId, why: &str) -> Queried<()> {
    on!(db, c => diesel::update(sources::table.filter(sources::actor_id.eq(actor)))
        .set(sources::stopped.eq(Some(why)))
        .execute(c))?;
    on!(db, c => diesel::update(proofs::table.find(actor)).set(proofs::due_at.eq(NEVER)).execute(c)).map(|_| ())
}

/// Drops what an actor had still to say: posts that wait are withdrawn without a word, and waiting changes go. Returns how many
/// posts.
pub fn drop_waiting(db: &mut Db<'_>, actor: ActorId, at: Timestamp) -> Queried<usize> {
    let of_actor = posts::table.filter(posts::actor_id.eq(actor)).select(posts::id);
    on!(db, c => diesel::delete(post_changes::table.filter(post_changes::post_id.eq_any(of_actor))).execute(c))?;
    on!(db, c => diesel::update(posts::table.filter(
            posts::actor_id.eq(actor).and(posts::state.eq_any(["ready", "scheduled", "held", "embargoed"]))))
        .set((posts::state.eq("withdrawn"), posts::withdrawn_at.eq(Some(at)), posts::due_at.eq(None::<Timestamp>)))
        .execute(c))
}

/// Has an actor's proof looked at now, and its sources polled again.
pub fn begin_again(db: &mut Db<'_>, actor: ActorId, why_stopped: &str, at: Timestamp) -> Queried<()> {
    on!(db, c => diesel::update(sources::table.filter(
            sources::actor_id.eq(actor).and(sources::stopped.eq(Some(why_stopped)))))
        .set((sources::stopped.eq(None::<String>), sources::due_at.eq(at)))
        .execute(c))?;
    on!(db, c => diesel::update(proofs::table.find(actor)).set(proofs::due_at.eq(at)).execute(c)).map(|_| ())
}
