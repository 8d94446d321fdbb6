//! Requests that systems pushed to us: stored before they are answered, worked on later, kept as receipts for a while.

use diesel::prelude::*;
use diesel::result::Error as DieselError;
use diesel::sql_types::BigInt;

use crate::ids::{ReceiptId, SourceId};
use crate::on;
use crate::store::first::FirstRow as _;
use crate::store::listen::{self, Topic};
use crate::store::schema::{hook_deliveries, hooks};
use crate::store::statement::statement;
use crate::store::websub::FROM_HUB;
use crate::store::{Db, Queried};
use crate::time::Timestamp;

/// Waits to be worked on.
pub const WAITING: i16 = 0;
/// Was taken in.
pub const DONE: i16 = 1;
/// Said nothing that concerns us.
pub const IGNORED: i16 = 2;
/// Could not be worked on, and was given up.
pub const FAILED: i16 = 3;

/// A verified request.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = hook_deliveries)]
pub struct Received {
    /// Its receipt.
    pub id: ReceiptId,
    /// The source that it is for.
    pub source_id: SourceId,
    /// By which a repetition is recognised.
    pub delivery_key: String,
    /// SHA-256 of the body, in hex.
    pub digest: String,
    /// The signature profile that it passed.
    pub verified_by: String,
    /// Headers, as JSON.
    pub headers: String,
    /// The query.
    pub query: Option<String>,
    /// The body.
    pub body: Vec<u8>,
    /// When it came.
    pub received_at: Timestamp,
    /// How often it was worked on.
    pub attempts: i32,
    /// When it is to be worked on.
    pub due_at: Timestamp,
}

/// A line of the receipt log.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, serde::Serialize)]
#[diesel(table_name = hook_deliveries)]
pub struct Receipt {
    /// The receipt.
    pub id: ReceiptId,
    /// When it came.
    pub received_at: Timestamp,
    /// The signature profile that it passed.
    pub verified_by: String,
    /// [`WAITING`], [`DONE`], [`IGNORED`] or [`FAILED`].
    pub state: i16,
    /// What came of it, or went wrong last.
    pub outcome: Option<String>,
    /// How often it was worked on.
    pub attempts: i32,
}

/// What became of a request on its way into the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It is new, and waits.
    New(ReceiptId),
    /// It was known, with the same body; this is its receipt.
    Known(ReceiptId),
    /// Its key is known with another body.
    Conflict,
    /// It is new, and there is no room.
    Full,
}

/// Stores a request unless its key is known.
pub fn store(db: &mut Db<'_>, row: &Received) -> Queried<Stored> {
    let added = on!(db, c => diesel::insert_into(hook_deliveries::table)
        .values(row)
        .on_conflict_do_nothing()
        .execute(c))?;
    if added == 1 {
        return Ok(Stored::New(row.id));
    }
    // It was in the way a moment ago.
    known(db, row)?.ok_or(DieselError::NotFound)
}

/// What is known by the key of a request.
pub fn known(db: &mut Db<'_>, row: &Received) -> Queried<Option<Stored>> {
    let same = hook_deliveries::source_id.eq(row.source_id).and(hook_deliveries::delivery_key.eq(&row.delivery_key));
    let found: Option<(ReceiptId, String)> = on!(db, c => hook_deliveries::table
        .filter(same)
        .select((hook_deliveries::id, hook_deliveries::digest))
        .first_row(c)
        .optional())?;
    Ok(found.map(|(id, digest)| if digest == row.digest { Stored::Known(id) } else { Stored::Conflict }))
}

/// How many requests of a source wait, counted no further than `most`.
pub fn waiting_of(db: &mut Db<'_>, source: SourceId, most: i64) -> Queried<i64> {
    // The state stands in the text, or the index of those that wait would not be used.
    const COUNT: &str = "SELECT COUNT(*) AS n FROM \
        (SELECT 1 FROM hook_deliveries WHERE state = 0 AND source_id = $1 LIMIT $2) AS waiting";
    let row: Count = on!(db, c => statement(COUNT).bind::<BigInt, _>(source).bind::<BigInt, _>(most).get_result(c))?;
    Ok(row.n)
}

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

/// Tells all processes that requests wait.
pub fn tell(db: &mut Db<'_>) -> Queried<()> {
    listen::tell(db, Topic::Hooks)
}

/// The lease of a source whose requests wait: nobody else works on them until it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The source.
    pub source: SourceId,
    /// Its end, which is also how it is told from a later one.
    pub until: Timestamp,
}

/// Leases a source whose requests wait, if there is one.
pub fn claim(db: &mut Db<'_>, now: Timestamp, until: Timestamp) -> Queried<Option<Lease>> {
    let free = hooks::lease_until.nullable().is_null().or(hooks::lease_until.nullable().le(now));
    let source: Option<SourceId> = on!(db, c => hook_deliveries::table
        .left_join(hooks::table.on(hooks::source_id.eq(hook_deliveries::source_id)))
        .filter(hook_deliveries::state.eq(WAITING).and(hook_deliveries::due_at.le(now)))
        .filter(free)
        .order(hook_deliveries::due_at)
        .select(hook_deliveries::source_id)
        .first_row(c)
        .optional())?;
    let Some(source) = source else { return Ok(None) };
    ensure(db, source)?;
    Ok(hold(db, source, now, until)?.then_some(Lease { source, until }))
}

/// Takes the lease of a source if it is free.
fn hold(db: &mut Db<'_>, source: SourceId, now: Timestamp, until: Timestamp) -> Queried<bool> {
    on!(db, c => diesel::update(hooks::table.filter(hooks::source_id.eq(source).and(hooks::lease_until.le(now))))
        .set(hooks::lease_until.eq(until))
        .execute(c))
    .map(|n| n == 1)
}

fn ensure(db: &mut Db<'_>, source: SourceId) -> Queried<()> {
    on!(db, c => diesel::insert_into(hooks::table)
        .values((hooks::source_id.eq(source), hooks::lease_until.eq(0)))
        .on_conflict_do_nothing()
        .execute(c))
    .map(|_| ())
}

/// Keeps the lease that is until `had` for longer. `false` when it is that no more: another process may have it.
pub fn extend(db: &mut Db<'_>, source: SourceId, had: Timestamp, until: Timestamp) -> Queried<bool> {
    on!(db, c => diesel::update(hooks::table.filter(hooks::source_id.eq(source).and(hooks::lease_until.eq(had))))
        .set(hooks::lease_until.eq(until))
        .execute(c))
    .map(|n| n == 1)
}

/// Ends the lease of a source that is until one of these, and no other.
pub fn release(db: &mut Db<'_>, source: SourceId, had: &[Timestamp]) -> Queried<()> {
    let ours = hooks::source_id.eq(source).and(hooks::lease_until.eq_any(had));
    on!(db, c => diesel::update(hooks::table.filter(ours)).set(hooks::lease_until.eq(0)).execute(c)).map(|_| ())
}

/// Ends every lease. Only for a process that is alone on its database.
pub fn free_all(db: &mut Db<'_>) -> Queried<()> {
    on!(db, c => diesel::update(hooks::table).set(hooks::lease_until.eq(0)).execute(c)).map(|_| ())
}

/// The requests of a source that are due, in the order in which they came.
pub fn due(db: &mut Db<'_>, source: SourceId, now: Timestamp, most: i64) -> Queried<Vec<Received>> {
    let due = hook_deliveries::state.eq(WAITING).and(hook_deliveries::due_at.le(now));
    on!(db, c => hook_deliveries::table
        .filter(hook_deliveries::source_id.eq(source).and(due))
        .order((hook_deliveries::received_at, hook_deliveries::id))
        .limit(most)
        .select(Received::as_select())
        .load(c))
}

/// A request is worked on no more. What it said is dropped unless it failed: it may hold what is not public. What a hub delivered is
/// dropped also then: it can be had from the feed, and is large.
pub fn finish(db: &mut Db<'_>, id: ReceiptId, state: i16, outcome: &str) -> Queried<()> {
    let row = hook_deliveries::table.filter(hook_deliveries::id.eq(id).and(hook_deliveries::state.eq(WAITING)));
    on!(db, c => diesel::update(row)
        .set((
            hook_deliveries::state.eq(state),
            hook_deliveries::outcome.eq(outcome),
            hook_deliveries::attempts.eq(hook_deliveries::attempts + 1),
        ))
        .execute(c))?;
    let dropped = hook_deliveries::verified_by.eq(FROM_HUB).or(hook_deliveries::state.ne(FAILED));
    on!(db, c => diesel::update(hook_deliveries::table.filter(hook_deliveries::id.eq(id).and(dropped)))
        .set((
            hook_deliveries::headers.eq("[]"),
            hook_deliveries::query.eq(None::<String>),
            hook_deliveries::body.eq(Vec::<u8>::new()),
        ))
        .execute(c))
    .map(|_| ())
}

/// A request is to be worked on again at `due_at`.
pub fn later(db: &mut Db<'_>, id: ReceiptId, due_at: Timestamp, problem: &str) -> Queried<()> {
    on!(db, c => diesel::update(hook_deliveries::table.find(id))
        .set((
            hook_deliveries::due_at.eq(due_at),
            hook_deliveries::outcome.eq(problem),
            hook_deliveries::attempts.eq(hook_deliveries::attempts + 1),
        ))
        .execute(c))
    .map(|_| ())
}

/// Keeps what was refused last.
pub fn refuse(db: &mut Db<'_>, source: SourceId, at: Timestamp, why: &str) -> Queried<()> {
    ensure(db, source)?;
    on!(db, c => diesel::update(hooks::table.find(source))
        .set((hooks::refused_at.eq(at), hooks::refusal.eq(why)))
        .execute(c))
    .map(|_| ())
}

/// When a request was refused last, and why.
pub fn refusal(db: &mut Db<'_>, source: SourceId) -> Queried<Option<(Timestamp, String)>> {
    let row: Option<(Option<Timestamp>, Option<String>)> = on!(db, c => hooks::table
        .find(source)
        .select((hooks::refused_at, hooks::refusal))
        .first_row(c)
        .optional())?;
    Ok(row.and_then(|(at, why)| at.zip(why)))
}

/// The latest requests of a source, the newest first.
pub fn log(db: &mut Db<'_>, source: SourceId, most: i64) -> Queried<Vec<Receipt>> {
    on!(db, c => hook_deliveries::table
        .filter(hook_deliveries::source_id.eq(source))
        .order(hook_deliveries::id.desc())
        .limit(most)
        .select(Receipt::as_select())
        .load(c))
}

/// How many requests wait, and since when the oldest does.
pub fn waiting(db: &mut Db<'_>) -> Queried<(i64, Option<Timestamp>)> {
    let waiting = hook_deliveries::state.eq(WAITING);
    on!(db, c => hook_deliveries::table
        .filter(waiting)
        .select((diesel::dsl::count_star(), diesel::dsl::min(hook_deliveries::received_at)))
        .first_row(c))
}

/// Forgets requests that came before `before` and are done with.
pub fn forget(db: &mut Db<'_>, before: Timestamp) -> Queried<usize> {
    let old = hook_deliveries::received_at.lt(before).and(hook_deliveries::state.ne(WAITING));
    on!(db, c => diesel::delete(hook_deliveries::table.filter(old)).execute(c))
}
