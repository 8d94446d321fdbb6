//! Remote inboxes: the queue. A worker leases *inboxes* that are due and sends each its oldest owed deliveries in order, so
//! order per inbox holds, a dead host costs a row and a probe, and a crash loses nothing because leases end.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Integer, Nullable, SmallInt, Text};

use crate::ids::{ActivityId, ActorId, InboxId};
use crate::on;
use crate::store::deliveries::json_ids;
use crate::store::first::FirstRow as _;
use crate::store::schema::{hosts, inboxes};
use crate::store::statement::statement;
use crate::store::{BINDS_MAX, Db, Queried, turns};
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
    /// Its turn in line; `None` when it is tried again after a failure.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub turn: Option<i64>,
    /// [`crate::signature::Scheme::code`] of how its host is sent something first.
    #[diesel(sql_type = SmallInt)]
    pub scheme: i16,
    /// The end of the lease, which is also how it is told from a later one.
    #[diesel(sql_type = BigInt)]
    pub lease_until: Timestamp,
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
        on!(db, c => inboxes::table.filter(inboxes::url.eq(url.as_str())).select(inboxes::id).first_row(c).optional())?;
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
    on!(db, c => inboxes::table.filter(inboxes::url.eq(url.as_str())).select(inboxes::id).first_row(c))
}

/// Leases inboxes that are due: up to `healthy` of those that wait in line, by turn, and up to `failing` of those whose time to
/// be tried again has come. What waited for its time without failing joins the line first. The lease and due conditions stand in
/// the outer `WHERE` too: on PostgreSQL two workers may pick the same rows.
pub fn lease(db: &mut Db<'_>, now: Timestamp, until: Timestamp, healthy: i64, failing: i64) -> Queried<Vec<Leased>> {
    // With a bare parameter as its limit SQLite would plan a statement anew whenever that has another value.
    const LINE: &str = "turn IS NOT NULL AND due_at <= $1 AND lease_until <= $1 ORDER BY turn LIMIT $2 + 0";
    const RETRIES: &str = "turn IS NULL AND due_at IS NOT NULL AND due_at <= $1 AND lease_until <= $1 AND failures > 0 \
        ORDER BY due_at LIMIT $2 + 0";
    if healthy > 0 {
        join_line(db, now)?;
    }
    let mut leased = Vec::new();
    for (pick, limit) in [(LINE, healthy), (RETRIES, failing)] {
        if limit > 0 {
            leased.append(&mut claim(db, pick, limit, now, until)?);
        }
    }
    leased.iter_mut().for_each(|inbox| inbox.lease_until = until);
    leased.sort_unstable_by_key(|inbox| inbox.turn);
    turns::serve(db, leased.iter().filter_map(|inbox| inbox.turn))?;
    Ok(leased)
}

/// Lets what waited for its time without failing join the line. On PostgreSQL those that another process has in its hands are
/// left to it, or every lease would wait there, and two that lock several would wait for each other.
fn join_line(db: &mut Db<'_>, now: Timestamp) -> Queried<()> {
    const SET: &str = "UPDATE inboxes SET turn = COALESCE((SELECT MIN(d.turn) FROM deliveries d \
        WHERE d.inbox_id = inboxes.id AND d.state = 0), 0)";
    const TIME_HAS_COME: &str =
        "turn IS NULL AND due_at IS NOT NULL AND due_at <= $1 AND lease_until <= $1 AND failures = 0";
    let free = format!("SELECT id FROM inboxes WHERE {TIME_HAS_COME} ORDER BY id FOR NO KEY UPDATE SKIP LOCKED");
    let join = match db {
        Db::Lite(_) => format!("{SET} WHERE {TIME_HAS_COME}"),
        Db::Pg(_) => format!(
            "WITH free AS MATERIALIZED ({free}) {SET} WHERE inboxes.id IN (SELECT id FROM free) AND {TIME_HAS_COME}"
        ),
    };
    on!(db, c => statement(join).bind::<BigInt, _>(now).execute(c)).map(|_| ())
}

/// Claims the inboxes that `pick` describes.
fn claim(db: &mut Db<'_>, pick: &str, limit: i64, now: Timestamp, until: Timestamp) -> Queried<Vec<Leased>> {
    const SELECT: &str = "SELECT id, url, host, failures, failing_since, parked_at, turn, lease_until, \
        CAST(COALESCE((SELECT s.scheme FROM host_signatures s WHERE s.host = inboxes.host AND s.holds_until > $1), 0) \
        AS SMALLINT) AS scheme \
        FROM inboxes WHERE";
    match db {
        Db::Lite(c) => {
            let picked: Vec<Leased> =
                statement(format!("{SELECT} {pick}")).bind::<BigInt, _>(now).bind::<BigInt, _>(limit).load(&mut **c)?;
            if picked.is_empty() {
                return Ok(picked);
            }
            let ids: Vec<InboxId> = picked.iter().map(|inbox| inbox.id).collect();
            let claim = "UPDATE inboxes SET lease_until = $1, due_at = $1, turn = NULL \
                         WHERE id IN (SELECT value FROM json_each($2))";
            statement(claim).bind::<BigInt, _>(until).bind::<Text, _>(json_ids(&ids)?).execute(&mut **c)?;
            Ok(picked)
        }
        Db::Pg(c) => statement(format!(
            "WITH picked AS MATERIALIZED ({SELECT} {pick} FOR NO KEY UPDATE SKIP LOCKED) \
             UPDATE inboxes SET lease_until = $3, due_at = $3, turn = NULL FROM picked \
             WHERE inboxes.id = picked.id AND inboxes.lease_until <= $1 AND inboxes.due_at <= $1 RETURNING picked.*"
        ))
        .bind::<BigInt, _>(now)
        .bind::<BigInt, _>(limit)
        .bind::<BigInt, _>(until)
        .load(&mut **c),
    }
}

/// Whether an inbox is due that nobody holds.
pub fn any_due(db: &mut Db<'_>, now: Timestamp) -> Queried<bool> {
    const ANY: &str = "SELECT CASE WHEN EXISTS (SELECT 1 FROM inboxes WHERE turn IS NOT NULL AND due_at <= $1 AND lease_until <= $1) \
        OR EXISTS (SELECT 1 FROM inboxes WHERE turn IS NULL AND due_at IS NOT NULL AND due_at <= $1 AND lease_until <= $1) \
        THEN 1 ELSE 0 END AS found";
    let row: Found = on!(db, c => statement(ANY).bind::<BigInt, _>(now).get_result(c))?;
    Ok(row.found == 1)
}

#[derive(QueryableByName)]
struct Found {
    #[diesel(sql_type = Integer)]
    found: i32,
}

/// Lets the inboxes that an activity is owed to join the line with the turns of its deliveries, the earlier one where something
/// else is owed; those that fail or are leased stay as they are. `places` is the turn before the first one, and how many there
/// are: with a `spread`, each waits for its part of it.
pub fn line_up(
    db: &mut Db<'_>,
    activity: ActivityId,
    spread: Duration,
    (start, places): (i64, i64),
    now: Timestamp,
) -> Queried<()> {
    const LINE_UP: &str = "UPDATE inboxes SET \
        due_at = CASE WHEN inboxes.due_at IS NULL OR inboxes.due_at > o.at THEN o.at ELSE inboxes.due_at END, \
        turn = CASE WHEN inboxes.failures > 0 THEN NULL \
          WHEN inboxes.due_at IS NOT NULL AND inboxes.turn IS NOT NULL AND inboxes.turn < o.turn THEN inboxes.turn \
          WHEN o.at > $1 THEN CASE WHEN inboxes.due_at IS NULL THEN NULL ELSE inboxes.turn END \
          ELSE o.turn END \
        FROM (SELECT inbox_id, turn, $1 + ((turn - $2 - 1) * $3) / $4 AS at FROM deliveries WHERE activity_id = $5) o \
        WHERE inboxes.id = o.inbox_id AND inboxes.lease_until <= $1 AND (inboxes.failures = 0 OR inboxes.due_at IS NULL)";
    let spread = i64::try_from(spread.as_millis()).unwrap_or(i64::MAX / places.max(1));
    lock_owed(db, activity)?;
    on!(db, c => statement(LINE_UP)
        .bind::<BigInt, _>(now)
        .bind::<BigInt, _>(start)
        .bind::<BigInt, _>(spread)
        .bind::<BigInt, _>(places.max(1))
        .bind::<BigInt, _>(activity)
        .execute(c))
    .map(|_| ())
}

/// Lets inboxes join the line with these turns, as [`line_up`] does without a spread; an inbox may stand there several times.
pub fn line_up_with(db: &mut Db<'_>, turns: &[(InboxId, i64)], now: Timestamp) -> Queried<()> {
    const SET: &str = "UPDATE inboxes SET \
        due_at = CASE WHEN inboxes.due_at IS NULL OR inboxes.due_at > $1 THEN $1 ELSE inboxes.due_at END, \
        turn = CASE WHEN inboxes.failures > 0 THEN NULL \
          WHEN inboxes.due_at IS NOT NULL AND inboxes.turn IS NOT NULL AND inboxes.turn < o.turn THEN inboxes.turn \
          ELSE o.turn END";
    const FREE: &str = "inboxes.id = o.inbox_id AND inboxes.lease_until <= $1 \
        AND (inboxes.failures = 0 OR inboxes.due_at IS NULL)";
    let (ids, places): (Vec<InboxId>, Vec<i64>) = turns.iter().copied().unzip();
    lock(db, &ids)?;
    match db {
        Db::Lite(c) => {
            let pairs: Vec<(i64, i64)> = turns.iter().map(|(inbox, turn)| (inbox.0, *turn)).collect();
            let from = "SELECT value ->> 0 AS inbox_id, MIN(value ->> 1) AS turn FROM json_each($2) GROUP BY 1";
            statement(format!("{SET} FROM ({from}) o WHERE {FREE}"))
                .bind::<BigInt, _>(now)
                .bind::<Text, _>(crate::store::to_json(&pairs)?)
                .execute(&mut **c)
        }
        Db::Pg(c) => {
            let from = "SELECT j.inbox_id, MIN(j.turn) AS turn FROM unnest($2, $3) AS j(inbox_id, turn) GROUP BY 1";
            statement(format!("{SET} FROM ({from}) o WHERE {FREE}"))
                .bind::<BigInt, _>(now)
                .bind::<Array<BigInt>, _>(ids)
                .bind::<Array<BigInt>, _>(places)
                .execute(&mut **c)
        }
    }
    .map(|_| ())
}

/// Locks inboxes until the transaction ends, in the order of their ids, so that two who lock several do not wait for each other.
/// Who owes something to an inbox, and who lets go of it, must see what the other did: on PostgreSQL a statement that waited for
/// a row still looks at other tables as they were before. SQLite has one writer anyhow.
///
/// `FOR NO KEY UPDATE`, here and everywhere: a delivery that was just inserted keeps its inbox `FOR KEY SHARE` until the
/// transaction ends. A stronger lock would wait for that: two fan-outs to the same inboxes for each other.
pub fn lock(db: &mut Db<'_>, ids: &[InboxId]) -> Queried<()> {
    let Db::Pg(c) = db else { return Ok(()) };
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    for chunk in ids.chunks(BINDS_MAX) {
        let rows = inboxes::table.filter(inboxes::id.eq_any(chunk)).order(inboxes::id).select(inboxes::id);
        rows.for_no_key_update().load::<InboxId>(&mut **c)?;
    }
    Ok(())
}

/// As [`lock`], for all inboxes that an activity is owed to.
pub fn lock_owed(db: &mut Db<'_>, activity: ActivityId) -> Queried<()> {
    const LOCK: &str = "SELECT id FROM inboxes WHERE id IN (SELECT inbox_id FROM deliveries WHERE activity_id = $1) \
                        ORDER BY id FOR NO KEY UPDATE";
    let Db::Pg(c) = db else { return Ok(()) };
    statement(LOCK).bind::<BigInt, _>(activity).execute(&mut **c).map(|_| ())
}

/// As [`lock`], for all inboxes that something of an actor is held for.
pub fn lock_held(db: &mut Db<'_>, actor: ActorId) -> Queried<()> {
    const LOCK: &str = "SELECT id FROM inboxes WHERE id IN (SELECT d.inbox_id FROM deliveries d JOIN activities a \
                        ON a.id = d.activity_id WHERE a.actor_id = $1 AND d.state = 4) ORDER BY id FOR NO KEY UPDATE";
    let Db::Pg(c) = db else { return Ok(()) };
    statement(LOCK).bind::<BigInt, _>(actor).execute(&mut **c).map(|_| ())
}

/// Ends leases that are until then, and no other: an inbox that is still owed something joins the line, or, if it fails, is due
/// at once.
pub fn release(db: &mut Db<'_>, ids: &[InboxId], lease: Timestamp, now: Timestamp) -> Queried<()> {
    lock(db, ids)?;
    const AS_IT_WAS: &str = "CASE WHEN inboxes.failures > 0 THEN NULL ELSE d.turn END";
    release_as(db, ids, lease, (AS_IT_WAS, ""), 0, now)
}

/// As [`release`], of inboxes that answered with that status: they are healthy, whatever they said.
pub fn release_answered(
    db: &mut Db<'_>,
    ids: &[InboxId],
    lease: Timestamp,
    status: i32,
    now: Timestamp,
) -> Queried<()> {
    lock(db, ids)?;
    const HEALTHY: &str = ", failures = 0, failing_since = NULL, parked_at = NULL, last_error = NULL, last_status = $4, \
        last_ok_at = $1";
    release_as(db, ids, lease, ("d.turn", HEALTHY), status, now)
}

/// An inbox that failed before answered; its lease goes on.
pub fn recovered(db: &mut Db<'_>, id: InboxId, now: Timestamp) -> Queried<()> {
    on!(db, c => diesel::update(inboxes::table.find(id))
        .set((
            inboxes::failures.eq(0),
            inboxes::failing_since.eq(None::<Timestamp>),
            inboxes::parked_at.eq(None::<Timestamp>),
            inboxes::last_error.eq(None::<String>),
            inboxes::last_ok_at.eq(Some(now)),
        ))
        .execute(c))
    .map(|_| ())
}

/// Ends leases: of what is owed first, `turn` says where the inbox joins the line; `set` says what else, of `$1`, the time, and `$4`,
/// the status.
fn release_as(
    db: &mut Db<'_>,
    ids: &[InboxId],
    lease: Timestamp,
    (turn, set): (&str, &str),
    status: i32,
    now: Timestamp,
) -> Queried<()> {
    let update = format!(
        "UPDATE inboxes SET lease_until = 0, (due_at, turn) = (SELECT CAST($1 AS BIGINT), {turn} FROM deliveries d \
         WHERE d.inbox_id = inboxes.id AND d.state = 0 ORDER BY d.turn LIMIT 1){set} WHERE lease_until = $2 AND id"
    );
    match db {
        Db::Lite(c) => statement(format!("{update} IN (SELECT value FROM json_each($3))"))
            .bind::<BigInt, _>(now)
            .bind::<BigInt, _>(lease)
            .bind::<Text, _>(json_ids(ids)?)
            .bind::<Integer, _>(status)
            .execute(&mut **c),
        Db::Pg(c) => statement(format!("{update} = ANY($3)"))
            .bind::<BigInt, _>(now)
            .bind::<BigInt, _>(lease)
            .bind::<Array<BigInt>, _>(ids)
            .bind::<Integer, _>(status)
            .execute(&mut **c),
    }
    .map(|_| ())
}

/// Ends the lease of an inbox that is sent nothing; it waits until then.
pub fn defer(db: &mut Db<'_>, id: InboxId, lease: Timestamp, until: Timestamp) -> Queried<()> {
    on!(db, c => diesel::update(inboxes::table.find(id).filter(inboxes::lease_until.eq(lease)))
        .set((inboxes::lease_until.eq(0), inboxes::due_at.eq(Some(until)), inboxes::turn.eq(None::<i64>)))
        .execute(c))
    .map(|_| ())
}

/// The inboxes of a host that wait in line wait until then.
pub fn defer_host(db: &mut Db<'_>, host: &str, until: Timestamp) -> Queried<()> {
    let in_line = inboxes::table.filter(inboxes::host.eq(host).and(inboxes::turn.is_not_null()));
    let rest = (inboxes::due_at.eq(Some(until)), inboxes::turn.eq(None::<i64>));
    match db {
        Db::Lite(c) => diesel::update(in_line).set(rest).execute(&mut **c)?,
        Db::Pg(c) => {
            // Those that another process has in its hands are left to it: it will find the same.
            let free = in_line.select(inboxes::id).order(inboxes::id).for_no_key_update().skip_locked();
            let free: Vec<InboxId> = free.load(&mut **c)?;
            diesel::update(inboxes::table.filter(inboxes::id.eq_any(free))).set(rest).execute(&mut **c)?
        }
    };
    Ok(())
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

/// Ends a lease that is until then, after a failure that may pass.
pub fn release_failed(db: &mut Db<'_>, id: InboxId, lease: Timestamp, failure: &Failure) -> Queried<()> {
    on!(db, c => diesel::update(inboxes::table.find(id).filter(inboxes::lease_until.eq(lease)))
        .set((
            inboxes::lease_until.eq(0),
            inboxes::turn.eq(None::<i64>),
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

/// A host spoke to us with a valid signature, or answered: what is owed to it is tried at once, and its breaker is closed.
/// Returns whether anything changed.
pub fn revive_host(db: &mut Db<'_>, host: &str, now: Timestamp) -> Queried<bool> {
    let of_host = inboxes::host.eq(host).and(inboxes::due_at.is_not_null()).and(inboxes::lease_until.le(now));
    let mut woken = on!(db, c => diesel::update(inboxes::table.filter(of_host.and(inboxes::failing_since.is_not_null())))
        .set((
            inboxes::due_at.eq(Some(now)),
            inboxes::parked_at.eq(None::<Timestamp>),
            inboxes::failures.eq(0),
            inboxes::failing_since.eq(None::<Timestamp>),
        ))
        .execute(c))?;
    let closed = on!(db, c => diesel::delete(hosts::table.find(host)).execute(c))?;
    if closed > 0 {
        // These rested because others of the host failed.
        woken += on!(db, c => diesel::update(inboxes::table.filter(of_host.and(inboxes::turn.is_null())))
            .set(inboxes::due_at.eq(Some(now)))
            .execute(c))?;
    }
    Ok(woken + closed > 0)
}

/// Opens a host's breaker until then: its inboxes rest.
pub fn open_breaker(db: &mut Db<'_>, host: &str, failures: i32, until: Timestamp) -> Queried<()> {
    on!(db, c => diesel::insert_into(hosts::table)
        .values((hosts::host.eq(host), hosts::failures.eq(failures), hosts::open_until.eq(until)))
        .on_conflict(hosts::host)
        .do_update()
        .set((hosts::failures.eq(failures), hosts::open_until.eq(until)))
        .execute(c))?;
    defer_host(db, host, until)
}

/// Whether a host's breaker is open in the database.
pub fn is_breaker_open(db: &mut Db<'_>, host: &str) -> Queried<bool> {
    on!(db, c => hosts::table.find(host).count().get_result::<i64>(c)).map(|n| n > 0)
}

/// The breakers that are open, of whichever process: each host, and until when.
pub fn open_breakers(db: &mut Db<'_>, now: Timestamp) -> Queried<Vec<(String, Timestamp)>> {
    on!(db, c => hosts::table.filter(hosts::open_until.gt(now)).select((hosts::host, hosts::open_until)).load(c))
}

/// The inboxes of a host.
pub fn of_host(db: &mut Db<'_>, host: &str) -> Queried<Vec<InboxRow>> {
    on!(db, c => inboxes::table.filter(inboxes::host.eq(host)).select(InboxRow::as_select()).order(inboxes::url).load(c))
}

/// Ends every lease. Only for a process that is alone on its database.
pub fn free_all(db: &mut Db<'_>, now: Timestamp) -> Queried<()> {
    on!(db, c => diesel::update(inboxes::table.filter(inboxes::lease_until.gt(0)))
        .set((inboxes::lease_until.eq(0), inboxes::due_at.eq(Some(now))))
        .execute(c))
    .map(|_| ())
}
