//! Remote inboxes: the queue. A worker leases *inboxes* that are due and sends each its oldest owed deliveries in order, so
//! order per inbox holds, a dead host costs a row and a probe, and a crash loses nothing because leases end.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, Text};

use crate::ids::{ActivityId, ActorId, InboxId};
use crate::on;
use crate::store::schema::{hosts, inboxes};
use crate::store::{BINDS_MAX, Db, Queried};
use crate::time::Timestamp;
use crate::urls::InboxUrl;

/// An inbox that a worker holds the lease of.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Leased {
    /// Its id.
    #[diesel(sql_type = BigInt)]
    pub id: InboxId,
    /// Its URL.
    #[diesel(sql_type = Text)]
    pub url: String,
    /// Its host, with a port where it has one.
    #[diesel(sql_type = Text)]
    pub host: String,
    /// Failures in a row.
    #[diesel(sql_type = Integer)]
    pub failures: i32,
    /// Since when it fails.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub failing_since: Option<Timestamp>,
    /// Since when it is parked.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub parked_at: Option<Timestamp>,
}

/// An inbox as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, serde::Serialize)]
#[diesel(table_name = inboxes)]
pub struct InboxRow {
    /// Its id.
    pub id: InboxId,
    /// Its URL.
    pub url: String,
    /// Its host.
    pub host: String,
    /// When it is tried next; `None` when nothing is owed.
    pub due_at: Option<Timestamp>,
    /// Failures in a row.
    pub failures: i32,
    /// Since when it fails.
    pub failing_since: Option<Timestamp>,
    /// Since when it is parked, that is only probed.
    pub parked_at: Option<Timestamp>,
    /// When it last accepted something.
    pub last_ok_at: Option<Timestamp>,
    /// The last HTTP status it answered.
    pub last_status: Option<i32>,
    /// What went wrong last.
    pub last_error: Option<String>,
}

/// The id of an inbox, made if it is new.
pub fn ensure(db: &mut Db<'_>, url: &InboxUrl, new_id: InboxId, now: Timestamp) -> Queried<InboxId> {
    let found: Option<InboxId> =
        on!(db, c => inboxes::table.filter(inboxes::url.eq(url.as_str())).select(inboxes::id).first(c).optional())?;
    if let Some(id) = found {
        return Ok(id);
    }
    on!(db, c => diesel::insert_into(inboxes::table)
        .values((
            inboxes::id.eq(new_id),
            inboxes::url.eq(url.as_str()),
            inboxes::host.eq(url.authority()),
            inboxes::lease_until.eq(0),
            inboxes::failures.eq(0),
            inboxes::created_at.eq(now),
        ))
        .on_conflict(inboxes::url)
        .do_nothing()
        .execute(c))?;
    on!(db, c => inboxes::table.filter(inboxes::url.eq(url.as_str())).select(inboxes::id).first(c))
}

/// Leases up to `limit` inboxes that are due and whose host's breaker is closed, oldest first. The lease and due conditions
/// stand in the outer `WHERE` too: on PostgreSQL two workers may pick the same rows in the sub-select.
pub fn lease(db: &mut Db<'_>, now: Timestamp, until: Timestamp, limit: i64) -> Queried<Vec<Leased>> {
    const PICK: &str = "SELECT i.id FROM inboxes i WHERE i.due_at IS NOT NULL AND i.due_at <= $2 AND i.lease_until <= $2 \
         AND NOT EXISTS (SELECT 1 FROM hosts h WHERE h.host = i.host AND h.open_until > $2) ORDER BY i.due_at LIMIT $3";
    let lock = match db {
        Db::Lite(_) => "",
        Db::Pg(_) => " FOR UPDATE SKIP LOCKED",
    };
    let statement = format!(
        "UPDATE inboxes SET lease_until = $1 WHERE id IN ({PICK}{lock}) AND due_at <= $2 AND lease_until <= $2 \
         RETURNING id, url, host, failures, failing_since, parked_at"
    );
    on!(db, c => diesel::sql_query(&statement)
        .bind::<BigInt, _>(until)
        .bind::<BigInt, _>(now)
        .bind::<BigInt, _>(limit)
        .load(c))
}

/// When the next inbox is due that nobody holds, if any.
pub fn next_due(db: &mut Db<'_>, now: Timestamp) -> Queried<Option<Timestamp>> {
    on!(db, c => inboxes::table
        .filter(inboxes::due_at.is_not_null().and(inboxes::lease_until.le(now)))
        .select(diesel::dsl::min(inboxes::due_at))
        .first(c))
}

/// Locks inboxes until the transaction ends, in the order of their ids, so that two who lock several do not wait for each other.
/// Who owes something to an inbox, and who lets go of it, must see what the other did: on PostgreSQL a statement that waited for
/// a row still looks at other tables as they were before. SQLite has one writer anyhow.
pub fn lock(db: &mut Db<'_>, ids: &[InboxId]) -> Queried<()> {
    let Db::Pg(c) = db else { return Ok(()) };
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    for chunk in ids.chunks(BINDS_MAX) {
        let rows = inboxes::table.filter(inboxes::id.eq_any(chunk)).order(inboxes::id).select(inboxes::id);
        rows.for_update().load::<InboxId>(&mut **c)?;
    }
    Ok(())
}

/// As [`lock`], for all inboxes that an activity is owed to.
pub fn lock_owed(db: &mut Db<'_>, activity: ActivityId) -> Queried<()> {
    const LOCK: &str = "SELECT id FROM inboxes WHERE id IN (SELECT inbox_id FROM deliveries WHERE activity_id = $1) \
                        ORDER BY id FOR UPDATE";
    let Db::Pg(c) = db else { return Ok(()) };
    diesel::sql_query(LOCK).bind::<BigInt, _>(activity).execute(&mut **c).map(|_| ())
}

/// As [`lock`], for all inboxes that something of an actor is held for.
pub fn lock_held(db: &mut Db<'_>, actor: ActorId) -> Queried<()> {
    const LOCK: &str = "SELECT id FROM inboxes WHERE id IN (SELECT d.inbox_id FROM deliveries d JOIN activities a \
                        ON a.id = d.activity_id WHERE a.actor_id = $1 AND d.state = 4) ORDER BY id FOR UPDATE";
    let Db::Pg(c) = db else { return Ok(()) };
    diesel::sql_query(LOCK).bind::<BigInt, _>(actor).execute(&mut **c).map(|_| ())
}

/// Ends a lease after success: due at once if something is still owed, otherwise never.
pub fn release_done(db: &mut Db<'_>, id: InboxId, now: Timestamp) -> Queried<()> {
    lock(db, &[id])?;
    let statement = "UPDATE inboxes SET lease_until = 0, due_at = CASE WHEN EXISTS (SELECT 1 FROM deliveries d \
                     WHERE d.inbox_id = inboxes.id AND d.state = 0) THEN CAST($1 AS BIGINT) ELSE NULL END WHERE id = $2";
    on!(db, c => diesel::sql_query(statement).bind::<BigInt, _>(now).bind::<BigInt, _>(id).execute(c)).map(|_| ())
}

/// What a failure leaves behind on an inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Failures in a row, this one included.
    pub failures: i32,
    /// Since when it fails.
    pub failing_since: Timestamp,
    /// When it is tried next.
    pub due_at: Timestamp,
    /// Since when it is parked.
    pub parked_at: Option<Timestamp>,
    /// The HTTP status, when there was one.
    pub status: Option<i32>,
    /// What went wrong, as a sentence.
    pub error: String,
}

/// Ends a lease after a failure that may pass.
pub fn release_failed(db: &mut Db<'_>, id: InboxId, failure: &Failure) -> Queried<()> {
    on!(db, c => diesel::update(inboxes::table.find(id))
        .set((
            inboxes::lease_until.eq(0),
            inboxes::failures.eq(failure.failures),
            inboxes::failing_since.eq(Some(failure.failing_since)),
            inboxes::due_at.eq(Some(failure.due_at)),
            inboxes::parked_at.eq(failure.parked_at),
            inboxes::last_status.eq(failure.status),
            inboxes::last_error.eq(Some(&failure.error)),
        ))
        .execute(c))
    .map(|_| ())
}

/// Records that an inbox answered; it is healthy again whatever it said.
pub fn answered(db: &mut Db<'_>, id: InboxId, status: i32, error: Option<&str>, now: Timestamp) -> Queried<()> {
    on!(db, c => diesel::update(inboxes::table.find(id))
        .set((
            inboxes::failures.eq(0),
            inboxes::failing_since.eq(None::<Timestamp>),
            inboxes::parked_at.eq(None::<Timestamp>),
            inboxes::last_status.eq(Some(status)),
            inboxes::last_error.eq(error),
            inboxes::last_ok_at.eq(Some(now)),
        ))
        .execute(c))
    .map(|_| ())
}

/// Makes inboxes due now if they were idle; one that is backing off keeps its time.
pub fn wake(db: &mut Db<'_>, ids: &[InboxId], now: Timestamp) -> Queried<()> {
    lock(db, ids)?;
    for chunk in ids.chunks(BINDS_MAX) {
        on!(db, c => diesel::update(inboxes::table.filter(inboxes::id.eq_any(chunk.to_vec()).and(inboxes::due_at.is_null())))
            .set(inboxes::due_at.eq(Some(now)))
            .execute(c))?;
    }
    Ok(())
}

/// A host spoke to us with a valid signature: what is owed to it is tried at once, and its breaker is closed.
/// Returns whether anything changed.
pub fn revive_host(db: &mut Db<'_>, host: &str, now: Timestamp) -> Queried<bool> {
    let woken = on!(db, c => diesel::update(inboxes::table.filter(
            inboxes::host.eq(host).and(inboxes::failing_since.is_not_null()).and(inboxes::due_at.is_not_null())))
        .set((
            inboxes::due_at.eq(Some(now)),
            inboxes::parked_at.eq(None::<Timestamp>),
            inboxes::failures.eq(0),
            inboxes::failing_since.eq(None::<Timestamp>),
        ))
        .execute(c))?;
    if woken > 0 {
        close_breaker(db, host)?;
    }
    Ok(woken > 0)
}

/// Opens a host's breaker until then: none of its inboxes is leased before.
pub fn open_breaker(db: &mut Db<'_>, host: &str, failures: i32, until: Timestamp) -> Queried<()> {
    on!(db, c => diesel::insert_into(hosts::table)
        .values((hosts::host.eq(host), hosts::failures.eq(failures), hosts::open_until.eq(until)))
        .on_conflict(hosts::host)
        .do_update()
        .set((hosts::failures.eq(failures), hosts::open_until.eq(until)))
        .execute(c))
    .map(|_| ())
}

/// Closes a host's breaker.
pub fn close_breaker(db: &mut Db<'_>, host: &str) -> Queried<()> {
    on!(db, c => diesel::delete(hosts::table.find(host)).execute(c)).map(|_| ())
}

/// The inboxes of a host.
pub fn of_host(db: &mut Db<'_>, host: &str) -> Queried<Vec<InboxRow>> {
    on!(db, c => inboxes::table.filter(inboxes::host.eq(host)).select(InboxRow::as_select()).order(inboxes::url).load(c))
}

/// Ends every lease. Only for a process that is alone on its database.
pub fn free_all(db: &mut Db<'_>) -> Queried<()> {
    on!(db, c => diesel::update(inboxes::table.filter(inboxes::lease_until.gt(0))).set(inboxes::lease_until.eq(0)).execute(c))
        .map(|_| ())
}
