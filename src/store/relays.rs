//! Relays, the agencies whose posts they pass on, and what those of LitePub's style are still to be told.
//!
//! Work on one is leased like other work: `lease_until` is the lease's end. `due_at` is empty while there is nothing to do.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};

use crate::actor::relay::{RelayState, RelayStyle};
use crate::ids::{ActivityId, ActorId, AgencyId, InboxId, PostId, RelayId};
use crate::on;
use crate::store::first::FirstRow as _;
use crate::store::schema::{agencies, relay_agencies as links, relay_announcements as announcements, relays as r};
use crate::store::statement::statement;
use crate::store::{Db, Queried};
use crate::time::Timestamp;

/// A relay.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = r)]
pub struct RelayRow {
    /// Its id.
    pub id: RelayId,
    /// As it was named.
    pub url: String,
    /// How it is talked to, by [`RelayStyle::name`].
    pub style: String,
    /// How far it has come, by [`RelayState::name`].
    pub state: String,
    /// Why it is not accepted, where something is known.
    pub reason: Option<String>,
    /// Its actor, once it is known.
    pub actor_url: Option<String>,
    /// Its inbox, once it is known.
    pub inbox_id: Option<InboxId>,
    /// The number of our Follow.
    pub follow_number: Option<i64>,
    /// Its own Follow, as JSON, until it is answered.
    pub follow_back: Option<String>,
    /// When it was asked.
    pub asked_at: Option<Timestamp>,
    /// When it answered.
    pub answered_at: Option<Timestamp>,
    /// How often it failed in a row.
    pub failures: i32,
    /// When it was first named.
    pub created_at: Timestamp,
    /// When something is to be done about it.
    pub due_at: Option<Timestamp>,
    /// The end of the lease.
    pub lease_until: Timestamp,
}

impl RelayRow {
    /// Its state.
    pub fn state(&self) -> RelayState {
        RelayState::from_name(&self.state).unwrap_or(RelayState::Refused)
    }

    /// Its style.
    pub fn style(&self) -> RelayStyle {
        RelayStyle::parse(&self.style).unwrap_or(RelayStyle::Mastodon)
    }
}

/// All relays, in the order in which they were named, each with the names of its agencies.
pub fn list(db: &mut Db<'_>) -> Queried<Vec<(RelayRow, Vec<String>)>> {
    let rows: Vec<RelayRow> = on!(db, c => r::table.order(r::id).select(RelayRow::as_select()).load(c))?;
    let of: Vec<(RelayId, String)> = on!(db, c => links::table
        .inner_join(agencies::table.on(agencies::id.eq(links::agency_id)))
        .order(agencies::name)
        .select((links::relay_id, agencies::name))
        .load(c))?;
    let mine = |id| of.iter().filter(move |(relay, _)| *relay == id).map(|(_, name)| name.clone());
    Ok(rows.into_iter().map(|row| (row.clone(), mine(row.id).collect())).collect())
}

/// The relay of that address.
pub fn by_url(db: &mut Db<'_>, url: &str) -> Queried<Option<RelayRow>> {
    on!(db, c => r::table.filter(r::url.eq(url)).select(RelayRow::as_select()).first_row(c).optional())
}

/// The relay with that id.
pub fn by_id(db: &mut Db<'_>, id: RelayId) -> Queried<Option<RelayRow>> {
    on!(db, c => r::table.find(id).select(RelayRow::as_select()).first_row(c).optional())
}

/// The relay that our Follow with that number was sent to.
pub fn by_follow(db: &mut Db<'_>, number: i64) -> Queried<Option<RelayRow>> {
    on!(db, c => r::table.filter(r::follow_number.eq(Some(number))).select(RelayRow::as_select()).first_row(c).optional())
}

/// The relay whose actor that is.
pub fn by_actor(db: &mut Db<'_>, url: &str) -> Queried<Option<RelayRow>> {
    on!(db, c => r::table.filter(r::actor_url.eq(Some(url))).select(RelayRow::as_select()).first_row(c).optional())
}

/// Whether the configuration names the relay for the agency; `None` when it is not used for it at all.
pub fn link(db: &mut Db<'_>, relay: RelayId, agency: AgencyId) -> Queried<Option<bool>> {
    on!(db, c => links::table.find((relay, agency)).select(links::provisioned).first_row(c).optional())
}

/// Uses a relay for an agency. One that is new, was refused or was being left is asked.
pub fn join(db: &mut Db<'_>, row: &RelayRow, agency: AgencyId, provisioned: bool, now: Timestamp) -> Queried<RelayId> {
    let id = match by_url(db, &row.url)? {
        None => {
            on!(db, c => diesel::insert_into(r::table).values(row).execute(c))?;
            row.id
        }
        Some(known) => {
            // The file names it at every start: what a relay refused is not asked again by that.
            let anew = match known.state() {
                RelayState::Leaving => true,
                RelayState::Refused => !provisioned,
                _ => false,
            };
            if anew {
                ask_again(db, known.id, now)?;
            }
            known.id
        }
    };
    on!(db, c => diesel::insert_into(links::table)
        .values((
            links::relay_id.eq(id),
            links::agency_id.eq(agency),
            links::provisioned.eq(provisioned),
            links::created_at.eq(now),
        ))
        .on_conflict((links::relay_id, links::agency_id))
        .do_update()
        .set(links::provisioned.eq(provisioned))
        .execute(c))?;
    Ok(id)
}

/// A relay is to be asked.
pub fn ask_again(db: &mut Db<'_>, id: RelayId, now: Timestamp) -> Queried<()> {
    on!(db, c => diesel::update(r::table.find(id))
        .set((r::state.eq(RelayState::Asking.name()), r::failures.eq(0), r::due_at.eq(Some(now))))
        .execute(c))
    .map(|_| ())
}

/// What the configuration does not name any more can be removed by hand.
pub fn forget_provisioned(db: &mut Db<'_>, named: &[(RelayId, AgencyId)]) -> Queried<()> {
    let all: Vec<(RelayId, AgencyId)> = on!(db, c => links::table
        .filter(links::provisioned.eq(true))
        .select((links::relay_id, links::agency_id))
        .load(c))?;
    for (relay, agency) in all.into_iter().filter(|pair| !named.contains(pair)) {
        on!(db, c => diesel::update(links::table.find((relay, agency))).set(links::provisioned.eq(false)).execute(c))?;
    }
    Ok(())
}

/// Uses a relay for an agency no more; it is left when no other agency uses it. Returns whether it was used.
pub fn part(db: &mut Db<'_>, relay: RelayId, agency: AgencyId, now: Timestamp) -> Queried<bool> {
    let was = on!(db, c => diesel::delete(links::table.find((relay, agency))).execute(c))? == 1;
    let others: i64 = on!(db, c => links::table.filter(links::relay_id.eq(relay)).count().get_result(c))?;
    if was && others == 0 {
        on!(db, c => diesel::delete(announcements::table.filter(announcements::relay_id.eq(relay))).execute(c))?;
        on!(db, c => diesel::update(r::table.find(relay))
            .set((r::state.eq(RelayState::Leaving.name()), r::failures.eq(0), r::due_at.eq(Some(now))))
            .execute(c))?;
    }
    Ok(was)
}

/// Whether there is work on any relay.
pub fn any_due(db: &mut Db<'_>, now: Timestamp) -> Queried<bool> {
    let due = || r::due_at.le(now).and(r::lease_until.le(now));
    on!(db, c => diesel::select(diesel::dsl::exists(r::table.filter(due()))).get_result(c))
}

/// Leases a relay that is due.
pub fn claim(db: &mut Db<'_>, now: Timestamp, until: Timestamp) -> Queried<Option<RelayRow>> {
    let due = || r::due_at.le(now).and(r::lease_until.le(now));
    let row: Option<RelayRow> =
        on!(db, c => r::table.filter(due()).order(r::due_at).select(RelayRow::as_select()).first_row(c).optional())?;
    let Some(row) = row else { return Ok(None) };
    let won = on!(db, c => diesel::update(r::table.filter(r::id.eq(row.id).and(due())))
        .set(r::lease_until.eq(until))
        .execute(c))?;
    Ok((won == 1).then_some(RelayRow { lease_until: until, ..row }))
}

/// Ends the lease. `due_at`: when something is to be done next; nothing changes that where `None`.
pub fn release(db: &mut Db<'_>, row: &RelayRow) -> Queried<()> {
    on!(db, c => diesel::update(r::table.filter(r::id.eq(row.id).and(r::lease_until.eq(row.lease_until))))
        .set(r::lease_until.eq(Timestamp(0)))
        .execute(c))
    .map(|_| ())
}

/// Ends every lease. Only for a process that is alone on its database.
pub fn free_all(db: &mut Db<'_>) -> Queried<()> {
    on!(db, c => diesel::update(r::table.filter(r::lease_until.gt(Timestamp(0))))
        .set(r::lease_until.eq(Timestamp(0)))
        .execute(c))
    .map(|_| ())
}

/// What is known when a relay is asked.
#[derive(Debug, Clone)]
pub struct Asking {
    /// The number of our Follow.
    pub number: i64,
    /// Its inbox.
    pub inbox: InboxId,
    /// Its actor, where it is known.
    pub actor: Option<String>,
    /// Now.
    pub at: Timestamp,
    /// When it is asked again if it says nothing.
    pub due_at: Timestamp,
}

/// A relay is asked now. Before it is: it may answer before it has taken the question. Returns whether it was still to be asked.
pub fn ask(db: &mut Db<'_>, id: RelayId, asking: &Asking) -> Queried<bool> {
    let waiting = [RelayState::Asking.name(), RelayState::Asked.name()];
    on!(db, c => diesel::update(r::table.filter(r::id.eq(id).and(r::state.eq_any(waiting))))
        .set((
            r::state.eq(RelayState::Asked.name()),
            r::follow_number.eq(Some(asking.number)),
            r::inbox_id.eq(Some(asking.inbox)),
            r::actor_url.eq(asking.actor.as_deref()),
            r::asked_at.eq(Some(asking.at)),
            r::due_at.eq(Some(asking.due_at)),
        ))
        .execute(c))
    .map(|n| n == 1)
}

/// What was sent to a relay failed: in which state it is now, why, and when it is tried again. Nothing changes when it answered
/// meanwhile.
pub fn fail(
    db: &mut Db<'_>,
    row: &RelayRow,
    from: RelayState,
    to: RelayState,
    reason: &str,
    due_at: Option<Timestamp>,
) -> Queried<()> {
    on!(db, c => diesel::update(r::table.filter(r::id.eq(row.id).and(r::state.eq(from.name()))))
        .set((
            r::state.eq(to.name()),
            r::reason.eq(Some(reason)),
            r::failures.eq(row.failures.saturating_add(1)),
            r::due_at.eq(due_at),
        ))
        .execute(c))
    .map(|_| ())
}

/// A relay took what it was sent: when something is to be done next. What came up since it was leased is due as it is.
pub fn took(db: &mut Db<'_>, row: &RelayRow, due_at: Option<Timestamp>) -> Queried<()> {
    let same = || r::id.eq(row.id).and(r::state.eq(row.state.as_str()));
    on!(db, c => diesel::update(r::table.filter(same()))
        .set((r::failures.eq(0), r::reason.eq(None::<&str>)))
        .execute(c))?;
    on!(db, c => diesel::update(r::table.filter(same().and(r::due_at.eq(row.due_at))))
        .set(r::due_at.eq(due_at))
        .execute(c))
    .map(|_| ())
}

/// A relay answered our Follow with that number: yes, or no for that reason.
pub fn answered(
    db: &mut Db<'_>,
    id: RelayId,
    yes: bool,
    (by, reason): (&str, Option<&str>),
    now: Timestamp,
) -> Queried<bool> {
    let (from, to) = match yes {
        true => (vec![RelayState::Asked.name(), RelayState::Asking.name()], RelayState::Accepted),
        false => (
            vec![RelayState::Asked.name(), RelayState::Asking.name(), RelayState::Accepted.name()],
            RelayState::Refused,
        ),
    };
    on!(db, c => diesel::update(r::table.filter(r::id.eq(id).and(r::state.eq_any(&from))))
        .set((
            r::state.eq(to.name()),
            r::actor_url.eq(Some(by)),
            r::reason.eq(reason),
            r::answered_at.eq(Some(now)),
            r::failures.eq(0),
            // It may have followed back before it answered.
            r::due_at.eq(Some(now)),
        ))
        .execute(c))
    .map(|n| n == 1)
}

/// A relay follows us: that is to be answered, once it has accepted.
pub fn follows(db: &mut Db<'_>, id: RelayId, follow: &str, now: Timestamp) -> Queried<()> {
    on!(db, c => diesel::update(r::table.find(id)).set(r::follow_back.eq(Some(follow))).execute(c))?;
    stir(db, id, now)
}

/// There is something to tell a relay that accepted. `due_at` becomes another one than it was, so that who works on it now notices; one
/// that fails is left alone until it is tried again.
fn stir(db: &mut Db<'_>, id: RelayId, now: Timestamp) -> Queried<()> {
    const STIR: &str = "UPDATE relays SET due_at = CASE WHEN due_at >= $1 THEN due_at + 1 ELSE $1 END \
        WHERE id = $2 AND state = 'accepted' AND failures = 0";
    on!(db, c => statement(STIR).bind::<BigInt, _>(now).bind::<BigInt, _>(id).execute(c)).map(|_| ())
}

/// That was answered.
pub fn follow_was_answered(db: &mut Db<'_>, id: RelayId, follow: &str) -> Queried<()> {
    on!(db, c => diesel::update(r::table.filter(r::id.eq(id).and(r::follow_back.eq(Some(follow)))))
        .set(r::follow_back.eq(None::<&str>))
        .execute(c))
    .map(|_| ())
}

/// Forgets a relay that was left.
pub fn remove(db: &mut Db<'_>, id: RelayId) -> Queried<()> {
    on!(db, c => diesel::delete(announcements::table.filter(announcements::relay_id.eq(id))).execute(c))?;
    on!(db, c => diesel::delete(r::table.filter(r::id.eq(id).and(r::state.eq(RelayState::Leaving.name())))).execute(c))
        .map(|_| ())
}

/// Notes what relays of LitePub's style are to be told of an activity about a post of an actor: of a Create alone. To be called in the
/// transaction that stores it.
pub fn announce(db: &mut Db<'_>, actor: ActorId, post: PostId, activity: ActivityId, now: Timestamp) -> Queried<()> {
    const OWE: &str = "INSERT INTO relay_announcements (relay_id, post_id, created_at) \
        SELECT r.id, $2, $3 FROM actors a JOIN relay_agencies l ON l.agency_id = a.agency_id \
        JOIN relays r ON r.id = l.relay_id WHERE a.id = $1 AND r.state = 'accepted' AND r.style = 'litepub' \
        AND EXISTS (SELECT 1 FROM activities k WHERE k.id = $4 AND k.kind = 'Create') ON CONFLICT DO NOTHING";
    let owed = on!(db, c => statement(OWE)
        .bind::<BigInt, _>(actor)
        .bind::<BigInt, _>(post)
        .bind::<BigInt, _>(now)
        .bind::<BigInt, _>(activity)
        .execute(c))?;
    if owed == 0 {
        return Ok(());
    }
    let told: Vec<RelayId> = on!(db, c => announcements::table
        .filter(announcements::post_id.eq(post))
        .order(announcements::relay_id)
        .select(announcements::relay_id)
        .load(c))?;
    told.into_iter().try_for_each(|relay| stir(db, relay, now))
}

/// The posts that a relay is still to be told of, oldest first, and whether each is public now.
pub fn announcements(db: &mut Db<'_>, id: RelayId, limit: i64) -> Queried<Vec<(PostId, bool)>> {
    const OWED: &str = "SELECT n.post_id AS post_id, (p.state = 'published') AS is_public FROM relay_announcements n \
        JOIN posts p ON p.id = n.post_id WHERE n.relay_id = $1 ORDER BY n.post_id LIMIT $2";
    let rows: Vec<OwedRow> = on!(db, c => statement(OWED).bind::<BigInt, _>(id).bind::<BigInt, _>(limit).load(c))?;
    Ok(rows.into_iter().map(|row| (row.post_id, row.is_public)).collect())
}

#[derive(QueryableByName)]
struct OwedRow {
    #[diesel(sql_type = BigInt)]
    post_id: PostId,
    #[diesel(sql_type = Bool)]
    is_public: bool,
}

/// A relay was told of a post, or need not be.
pub fn announced(db: &mut Db<'_>, id: RelayId, post: PostId) -> Queried<()> {
    on!(db, c => diesel::delete(announcements::table.find((id, post))).execute(c)).map(|_| ())
}

/// The address of an inbox.
pub fn inbox_url(db: &mut Db<'_>, id: InboxId) -> Queried<Option<String>> {
    const URL: &str = "SELECT url FROM inboxes WHERE id = $1";
    let rows: Vec<UrlRow> = on!(db, c => statement(URL).bind::<BigInt, _>(id).load(c))?;
    Ok(rows.into_iter().next().map(|row| row.url))
}

#[derive(QueryableByName)]
struct UrlRow {
    #[diesel(sql_type = Text)]
    url: String,
}
