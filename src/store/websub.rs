//! Subscriptions at hubs. Of a source at most one is wanted; the others are being ended, or were.
//!
//! Work on one is leased like other work: `lease_until` is the lease's end, and how it is told from a later one.

use diesel::dsl::{count_star, exists, select};
use diesel::prelude::*;

use crate::ids::{SourceId, SubscriptionId};
use crate::on;
use crate::store::first::FirstRow as _;
use crate::store::listen::{self, Topic};
use crate::store::schema::{sources, websub_subscriptions as w};
use crate::store::sources::{self as of_sources, Source};
use crate::store::{Db, Queried};
use crate::time::Timestamp;

/// What stands in `hook_deliveries.verified_by` of what a hub delivered. No signature profile has that name.
pub const FROM_HUB: &str = "hub";

/// A subscription.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = w)]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// The source whose document it is about.
    pub source_id: SourceId,
    /// Where it is.
    pub hub: String,
    /// By which the hub knows the document.
    pub topic: String,
    /// Whether what is delivered is what a poll reads; else a delivery only makes us look.
    pub whole: bool,
    /// SHA-256, in hex, of the secret end of the callback's path.
    pub path_hash: String,
    /// That end and the secret of the signature, sealed.
    pub sealed: Vec<u8>,
    /// Whether it is to be kept; else it is being ended.
    pub wanted: bool,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When the hub was last asked, as long as it has not come to verify.
    pub asked_at: Option<Timestamp>,
    /// Since when it holds without a gap.
    pub live_since: Option<Timestamp>,
    /// Until when it holds, as the hub said.
    pub holds_until: Option<Timestamp>,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// How often the hub failed in a row.
    pub failures: i32,
    /// What went wrong last.
    pub problem: Option<String>,
    /// When something is to be done about it.
    pub due_at: Timestamp,
    /// When the hub last delivered.
    pub delivered_at: Option<Timestamp>,
    /// How often it did.
    pub deliveries: i64,
    /// When a delivery was last refused.
    pub refused_at: Option<Timestamp>,
    /// Why.
    pub refusal: Option<String>,
    /// How many were.
    pub refusals: i64,
    /// When a poll was last brought about by it.
    pub looked_at: Option<Timestamp>,
    /// Since when polls find what it did not bring.
    pub missed_at: Option<Timestamp>,
    /// How many polls did.
    pub missed: i64,
}

impl Subscription {
    /// Whether the hub tells us now.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.wanted && self.ended_at.is_none() && self.holds_until.is_some_and(|until| until > now)
    }
}

/// A subscription that this process works on.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// It.
    pub row: Subscription,
    /// Its source.
    pub source: Source,
    /// The end of the lease.
    pub until: Timestamp,
}

/// Adds a subscription, unless another process was quicker to add one for that source.
pub fn add(db: &mut Db<'_>, row: &Subscription) -> Queried<()> {
    on!(db, c => diesel::insert_into(w::table).values(row).on_conflict_do_nothing().execute(c)).map(|_| ())
}

/// The wanted subscription of a source.
pub fn wanted(db: &mut Db<'_>, source: SourceId) -> Queried<Option<Subscription>> {
    on!(db, c => w::table
        .filter(w::source_id.eq(source).and(w::wanted))
        .select(Subscription::as_select())
        .first_row(c)
        .optional())
}

/// The subscription that is spoken of for a source: the wanted one, else the latest.
pub fn latest(db: &mut Db<'_>, source: SourceId) -> Queried<Option<Subscription>> {
    on!(db, c => w::table
        .filter(w::source_id.eq(source))
        .order((w::wanted.desc(), w::id.desc()))
        .select(Subscription::as_select())
        .first_row(c)
        .optional())
}

/// The subscription whose callback ends in what has this hash, with its source.
pub fn by_path(db: &mut Db<'_>, hash: &str) -> Queried<Option<(Subscription, Source)>> {
    let row: Option<Subscription> = on!(db, c => w::table
        .filter(w::path_hash.eq(hash))
        .select(Subscription::as_select())
        .first_row(c)
        .optional())?;
    let Some(row) = row else { return Ok(None) };
    Ok(of_sources::by_id(db, row.source_id)?.map(|source| (row, source)))
}

/// How many subscriptions of a source were begun since then.
pub fn begun_since(db: &mut Db<'_>, source: SourceId, since: Timestamp) -> Queried<i64> {
    let recent = w::source_id.eq(source).and(w::created_at.ge(since));
    on!(db, c => w::table.filter(recent).select(count_star()).first_row(c))
}

/// A subscription is kept no more: it is to be ended at once.
pub fn leave(db: &mut Db<'_>, id: SubscriptionId, now: Timestamp) -> Queried<()> {
    on!(db, c => diesel::update(w::table.filter(w::id.eq(id).and(w::wanted)))
        .set((
            w::wanted.eq(false),
            w::asked_at.eq(None::<Timestamp>),
            w::failures.eq(0),
            w::problem.eq(None::<String>),
            w::due_at.eq(now),
        ))
        .execute(c))
    .map(|_| ())
}

/// Whether what is delivered is what a poll reads may change with an address of the source.
pub fn set_whole(db: &mut Db<'_>, id: SubscriptionId, whole: bool) -> Queried<()> {
    on!(db, c => diesel::update(w::table.find(id)).set(w::whole.eq(whole)).execute(c)).map(|_| ())
}

/// Leases a subscription that is due, if there is one.
pub fn claim(db: &mut Db<'_>, now: Timestamp, until: Timestamp) -> Queried<Option<Held>> {
    let due = || w::due_at.le(now).and(w::lease_until.le(now)).and(w::ended_at.is_null());
    let row: Option<Subscription> = on!(db, c => w::table
        .filter(due())
        .order(w::due_at)
        .select(Subscription::as_select())
        .first_row(c)
        .optional())?;
    let Some(row) = row else { return Ok(None) };
    let won = on!(db, c => diesel::update(w::table.filter(w::id.eq(row.id).and(due())))
        .set(w::lease_until.eq(until))
        .execute(c))?;
    let source = if won == 1 { of_sources::by_id(db, row.source_id)? } else { None };
    Ok(source.map(|source| Held { row, source, until }))
}

/// Ends every lease. Only for a process that is alone on its database.
pub fn free_all(db: &mut Db<'_>) -> Queried<()> {
    on!(db, c => diesel::update(w::table.filter(w::lease_until.gt(0))).set(w::lease_until.eq(0)).execute(c)).map(|_| ())
}

/// Nothing is believed of any hub: it is asked anew. For a database that was restored.
pub fn doubt_all(db: &mut Db<'_>, now: Timestamp) -> Queried<()> {
    free_all(db)?;
    on!(db, c => diesel::update(w::table.filter(w::ended_at.is_null()))
        .set((
            w::asked_at.eq(None::<Timestamp>),
            w::live_since.eq(None::<Timestamp>),
            w::holds_until.eq(None::<Timestamp>),
            w::failures.eq(0),
            w::due_at.eq(now),
        ))
        .execute(c))
    .map(|_| ())
}

/// The hub is about to be asked: what it says may come before its answer does. At `due_at` it is asked again if that was broken off.
/// `false` when the lease is another's.
pub fn ask(db: &mut Db<'_>, held: &Held, at: Timestamp, due_at: Timestamp) -> Queried<bool> {
    let ours = w::id.eq(held.row.id).and(w::lease_until.eq(held.until)).and(w::wanted.eq(held.row.wanted));
    on!(db, c => diesel::update(w::table.filter(ours)).set((w::asked_at.eq(at), w::due_at.eq(due_at))).execute(c))
        .map(|n| n == 1)
}

/// The hub took what was asked at `asked_at`: it has until `due_at` to come and verify, unless it came already.
pub fn asked(db: &mut Db<'_>, id: SubscriptionId, asked_at: Timestamp, due_at: Timestamp) -> Queried<()> {
    let ours = w::id.eq(id).and(w::asked_at.eq(asked_at));
    on!(db, c => diesel::update(w::table.filter(ours)).set(w::due_at.eq(due_at)).execute(c)).map(|_| ())
}

/// What was asked at `asked_at` failed, unless the hub came to verify it all the same.
pub fn fail(
    db: &mut Db<'_>,
    id: SubscriptionId,
    asked_at: Timestamp,
    problem: &str,
    due_at: Timestamp,
) -> Queried<bool> {
    let ours = w::id.eq(id).and(w::asked_at.eq(asked_at));
    on!(db, c => diesel::update(w::table.filter(ours))
        .set((
            w::asked_at.eq(None::<Timestamp>),
            w::failures.eq(w::failures + 1),
            w::problem.eq(problem),
            w::due_at.eq(due_at),
        ))
        .execute(c))
    .map(|n| n == 1)
}

/// The lease of a subscription is over and nobody renewed it: its source is polled as usual. `false` when it was renewed.
pub fn lapse(db: &mut Db<'_>, row: &Subscription, now: Timestamp) -> Queried<bool> {
    let over = w::id.eq(row.id).and(w::live_since.is_not_null()).and(w::holds_until.nullable().le(now));
    let lapsed =
        on!(db, c => diesel::update(w::table.filter(over)).set(w::live_since.eq(None::<Timestamp>)).execute(c))?;
    if lapsed == 1 {
        look(db, row.source_id, now)?;
    }
    Ok(lapsed == 1)
}

/// Ends the lease of the work on a subscription.
pub fn release(db: &mut Db<'_>, held: &Held) -> Queried<()> {
    let ours = w::id.eq(held.row.id).and(w::lease_until.eq(held.until));
    on!(db, c => diesel::update(w::table.filter(ours)).set(w::lease_until.eq(0)).execute(c)).map(|_| ())
}

/// The hub verified: it tells until then, and is asked again at `renew_at`.
pub fn confirm(
    db: &mut Db<'_>,
    row: &Subscription,
    now: Timestamp,
    until: Timestamp,
    renew_at: Timestamp,
) -> Queried<()> {
    let since = if row.is_live(now) { row.live_since } else { None };
    on!(db, c => diesel::update(w::table.filter(w::id.eq(row.id).and(w::wanted)))
        .set((
            w::asked_at.eq(None::<Timestamp>),
            w::live_since.eq(since.unwrap_or(now)),
            w::holds_until.eq(until),
            w::failures.eq(0),
            w::problem.eq(None::<String>),
            w::due_at.eq(renew_at),
        ))
        .execute(c))
    .map(|_| ())
}

/// The hub does not tell, or no longer: it is asked again at `due_at`, and the source is polled at once.
pub fn refuse(db: &mut Db<'_>, row: &Subscription, now: Timestamp, problem: &str, due_at: Timestamp) -> Queried<()> {
    on!(db, c => diesel::update(w::table.find(row.id))
        .set((
            w::asked_at.eq(None::<Timestamp>),
            w::live_since.eq(None::<Timestamp>),
            w::holds_until.eq(None::<Timestamp>),
            w::failures.eq(w::failures + 1),
            w::problem.eq(problem),
            w::due_at.eq(due_at),
        ))
        .execute(c))?;
    look(db, row.source_id, now)
}

/// A subscription is over.
pub fn end(db: &mut Db<'_>, id: SubscriptionId, now: Timestamp) -> Queried<()> {
    on!(db, c => diesel::update(w::table.filter(w::id.eq(id).and(w::wanted.eq(false))))
        .set((w::ended_at.eq(now), w::asked_at.eq(None::<Timestamp>)))
        .execute(c))
    .map(|_| ())
}

/// The hub delivered to a source: it is believed again.
pub fn delivered(db: &mut Db<'_>, source: SourceId, at: Timestamp) -> Queried<()> {
    on!(db, c => diesel::update(w::table.filter(w::source_id.eq(source).and(w::wanted)))
        .set((w::delivered_at.eq(at), w::deliveries.eq(w::deliveries + 1), w::missed_at.eq(None::<Timestamp>)))
        .execute(c))
    .map(|_| ())
}

/// A delivery was refused.
pub fn note_refusal(db: &mut Db<'_>, id: SubscriptionId, at: Timestamp, why: &str) -> Queried<()> {
    on!(db, c => diesel::update(w::table.find(id))
        .set((w::refused_at.eq(at), w::refusal.eq(why), w::refusals.eq(w::refusals + 1)))
        .execute(c))
    .map(|_| ())
}

/// A poll found what the hub did not bring.
pub fn missed(db: &mut Db<'_>, id: SubscriptionId, at: Timestamp) -> Queried<()> {
    on!(db, c => diesel::update(w::table.find(id))
        .set((w::missed_at.eq(at), w::missed.eq(w::missed + 1)))
        .execute(c))
    .map(|_| ())
}

/// Whether a hub said something about a source since then.
pub fn said_since(db: &mut Db<'_>, source: SourceId, since: Timestamp) -> Queried<bool> {
    let later = w::delivered_at.nullable().ge(since).or(w::looked_at.nullable().ge(since));
    let said = w::table.filter(w::source_id.eq(source).and(w::wanted)).filter(later.assume_not_null());
    on!(db, c => select(exists(said)).get_result(c))
}

/// Has a source polled soon, as one that a hub told something of: at `at`, if it is not due before. One that fails or asked to be
/// left alone, and one that stopped, is not hurried.
pub fn look(db: &mut Db<'_>, source: SourceId, at: Timestamp) -> Queried<()> {
    on!(db, c => diesel::update(w::table.filter(w::source_id.eq(source).and(w::wanted)))
        .set(w::looked_at.eq(at))
        .execute(c))?;
    hurry(db, source, at)
}

/// Has a source polled at `at`, if it is not due before.
pub fn hurry(db: &mut Db<'_>, source: SourceId, at: Timestamp) -> Queried<()> {
    let calm = sources::failures.eq(0).and(sources::stopped.is_null()).and(sources::due_at.gt(at));
    on!(db, c => diesel::update(sources::table.filter(sources::id.eq(source)).filter(calm))
        .set(sources::due_at.eq(at))
        .execute(c))?;
    listen::tell(db, Topic::Schedule)
}

/// Has the sources polled whose hubs tell: what they told while nobody was there is looked for.
pub fn look_again(db: &mut Db<'_>, now: Timestamp) -> Queried<()> {
    let live: Vec<SourceId> = on!(db, c => w::table
        .filter(w::wanted.and(w::holds_until.is_not_null()))
        .select(w::source_id)
        .load(c))?;
    live.into_iter().try_for_each(|source| hurry(db, source, now))
}

/// How many subscriptions hold, wait for their hub, failed, and are being ended; and since when polls find what hubs do not bring.
pub fn counts(db: &mut Db<'_>, now: Timestamp) -> Queried<[i64; 5]> {
    let open = || w::ended_at.is_null();
    let holds = || w::holds_until.is_not_null().and(w::holds_until.nullable().gt(now)).assume_not_null();
    let live = on!(db, c => w::table.filter(w::wanted.and(open())).filter(holds()).select(count_star()).first_row(c))?;
    let wanted: i64 = on!(db, c => w::table.filter(w::wanted.and(open())).select(count_star()).first_row(c))?;
    let failing: i64 = on!(db, c => w::table
        .filter(w::wanted.and(open()).and(w::failures.gt(0)))
        .filter(diesel::dsl::not(holds()))
        .select(count_star())
        .first_row(c))?;
    let leaving = on!(db, c => w::table.filter(w::wanted.eq(false).and(open())).select(count_star()).first_row(c))?;
    let missing = on!(db, c => w::table
        .filter(w::wanted.and(w::missed_at.is_not_null()))
        .filter(holds())
        .select(count_star())
        .first_row(c))?;
    Ok([live, wanted - live - failing, failing, leaving, missing])
}

/// Forgets subscriptions that ended before `before`.
pub fn forget(db: &mut Db<'_>, before: Timestamp) -> Queried<usize> {
    on!(db, c => diesel::delete(w::table.filter(w::ended_at.is_not_null()).filter(w::ended_at.lt(before))).execute(c))
}
