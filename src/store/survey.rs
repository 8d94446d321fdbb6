//! What the database as a whole looks like, for metrics and health: read at scrape time, never on the way of a delivery. What is
//! owed is found by the partial index of open deliveries, so that receipts of the past cost nothing.

use std::collections::BTreeSet;

use diesel::migration::MigrationSource;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, SmallInt, Text};
use diesel::{pg::Pg, sqlite::Sqlite};

use crate::on;
use crate::store::first::FirstRow as _;
use crate::store::schema::{hosts, inboxes, sources};
use crate::store::statement::statement;
use crate::store::{Db, POSTGRES_MIGRATIONS, Pools, Queried, SQLITE_MIGRATIONS, Store};
use crate::time::Timestamp;

/// For how long after its pause a host still counts as one that fails: the next probe is under way or not yet due.
const PROBED_WITHIN_MS: i64 = 120_000;

/// Deliveries that are owed by one agency to inboxes in one condition.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Owed {
    /// The agency's name.
    #[diesel(sql_type = Text)]
    pub agency: String,
    /// 0: healthy; 1: it or its host fails; 2: parked.
    #[diesel(sql_type = SmallInt)]
    pub inbox: i16,
    /// How many.
    #[diesel(sql_type = BigInt)]
    pub n: i64,
    /// Since when the oldest is owed; to an inbox that is healthy, since when it waits. `None` where all are under way, or
    /// spread over a time that is still to come.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub oldest: Option<Timestamp>,
}

/// Reads the index of what is owed. An activity is owed since it was made; but what is spread, or owed to a host that was away
/// and is back, waits for nobody but us only since its inbox was due, and is not late before.
const OWED: &str = "SELECT g.name AS agency, o.inbox, CAST(SUM(o.n) AS BIGINT) AS n, MIN(o.oldest) AS oldest FROM (\
     SELECT w.actor_id, w.inbox, COUNT(*) AS n, MIN(CASE WHEN w.inbox > 0 OR w.due_at IS NULL OR w.due_at <= w.created_at \
       THEN w.created_at WHEN w.due_at <= $1 THEN w.due_at END) AS oldest FROM (\
       SELECT a.actor_id, a.created_at, i.due_at, CAST(CASE WHEN i.parked_at IS NOT NULL THEN 2 \
         WHEN i.failing_since IS NOT NULL OR h.open_until > $2 THEN 1 ELSE 0 END AS SMALLINT) AS inbox \
       FROM deliveries d JOIN inboxes i ON i.id = d.inbox_id LEFT JOIN hosts h ON h.host = i.host \
       JOIN activities a ON a.id = d.activity_id WHERE d.state = 0) w GROUP BY 1, 2) o \
   JOIN actors r ON r.id = o.actor_id JOIN agencies g ON g.id = r.agency_id GROUP BY 1, 2 ORDER BY 1, 2";

/// Deliveries that are owed, by agency and by how the inbox does. Its cost grows with what is owed: about 1 µs each.
pub fn owed(db: &mut Db<'_>, now: Timestamp) -> Queried<Vec<Owed>> {
    let since = Timestamp(now.0 - PROBED_WITHIN_MS);
    on!(db, c => statement(OWED).bind::<BigInt, _>(now).bind::<BigInt, _>(since).load(c))
}

/// Deliveries that are held, by agency.
pub fn held(db: &mut Db<'_>) -> Queried<Vec<Counted>> {
    const HELD: &str = "SELECT g.name AS agency, 'unverified' AS what, COUNT(*) AS n, MIN(a.created_at) AS oldest \
         FROM deliveries d JOIN activities a ON a.id = d.activity_id JOIN actors r ON r.id = a.actor_id \
         JOIN agencies g ON g.id = r.agency_id WHERE d.state = 4 GROUP BY 1 ORDER BY 1";
    on!(db, c => diesel::sql_query(HELD).load(c))
}

/// How the remote side does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Remote {
    /// Hosts whose breaker is open: nothing is sent there for the moment.
    pub hosts_open: i64,
    /// Inboxes that fail and are owed something, parked ones included.
    pub inboxes_failing: i64,
    /// Inboxes that failed for so long that they are only probed.
    pub inboxes_parked: i64,
}

/// How the remote side does. Reads only inboxes that are owed something.
pub fn remote(db: &mut Db<'_>, now: Timestamp) -> Queried<Remote> {
    // Who fails waits for a time of its own, not in line: that is an index.
    let timed = inboxes::turn.is_null().and(inboxes::due_at.is_not_null());
    let failing = timed.and(inboxes::failing_since.is_not_null());
    Ok(Remote {
        hosts_open: on!(db, c => hosts::table.filter(hosts::open_until.gt(now)).count().get_result(c))?,
        inboxes_failing: on!(db, c => inboxes::table.filter(failing).count().get_result(c))?,
        inboxes_parked: on!(db, c => inboxes::table
            .filter(timed.and(inboxes::parked_at.is_not_null())).count().get_result(c))?,
    })
}

/// How many of something an agency has, by a reason or state.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Counted {
    /// The agency's name.
    #[diesel(sql_type = Text)]
    pub agency: String,
    /// The reason or state.
    #[diesel(sql_type = Text)]
    pub what: String,
    /// How many.
    #[diesel(sql_type = BigInt)]
    pub n: i64,
    /// The oldest of them, where that is known.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub oldest: Option<Timestamp>,
}

/// Posts that wait for a person or a proof, by agency and reason.
pub fn held_posts(db: &mut Db<'_>) -> Queried<Vec<Counted>> {
    const HELD: &str = "SELECT g.name AS agency, COALESCE(p.reason, 'approval') AS what, COUNT(*) AS n, \
         MIN(p.created_at) AS oldest FROM posts p JOIN actors r ON r.id = p.actor_id JOIN agencies g ON g.id = r.agency_id \
         WHERE p.state = 'held' GROUP BY 1, 2 ORDER BY 1, 2";
    on!(db, c => diesel::sql_query(HELD).load(c))
}

/// Changes of published posts that wait for a person or a proof, by agency and reason. Not those that wait for their images: they
/// are under embargo.
pub fn held_changes(db: &mut Db<'_>) -> Queried<Vec<Counted>> {
    const HELD: &str = "SELECT g.name AS agency, w.reason AS what, COUNT(*) AS n, MIN(w.created_at) AS oldest \
         FROM post_changes w JOIN posts p ON p.id = w.post_id JOIN actors r ON r.id = p.actor_id \
         JOIN agencies g ON g.id = r.agency_id WHERE w.reason <> 'images' GROUP BY 1, 2 ORDER BY 1, 2";
    on!(db, c => diesel::sql_query(HELD).load(c))
}

/// Sources by agency and state: `ok`, `failing`, `stale`, `stopped`; a source is in the worst that fits.
pub fn sources_by_state(db: &mut Db<'_>) -> Queried<Vec<Counted>> {
    const BY_STATE: &str = "SELECT g.name AS agency, CASE WHEN s.stopped IS NOT NULL THEN 'stopped' \
         WHEN s.failures > 0 THEN 'failing' WHEN s.stale_since IS NOT NULL THEN 'stale' ELSE 'ok' END AS what, \
         COUNT(*) AS n, CAST(NULL AS BIGINT) AS oldest FROM sources s JOIN actors r ON r.id = s.actor_id \
         JOIN agencies g ON g.id = r.agency_id GROUP BY 1, 2 ORDER BY 1, 2";
    on!(db, c => diesel::sql_query(BY_STATE).load(c))
}

/// When any source was last polled, and since when the source is due that has waited longest; stopped ones wait for nothing.
pub fn polling(db: &mut Db<'_>) -> Queried<(Option<Timestamp>, Option<Timestamp>)> {
    let last = on!(db, c => sources::table.select(diesel::dsl::max(sources::polled_at)).first_row(c))?;
    let due = on!(db, c => sources::table
        .filter(sources::stopped.is_null())
        .select(diesel::dsl::min(sources::due_at))
        .first_row(c))?;
    Ok((last, due))
}

/// The migrations of this program that the database has not had, oldest first. More than ours is no harm: a newer program adds
/// before it takes away.
pub fn pending_migrations(db: &mut Db<'_>) -> Queried<Vec<String>> {
    #[derive(QueryableByName)]
    struct Applied {
        #[diesel(sql_type = Text)]
        version: String,
    }
    let ours = match db {
        Db::Lite(_) => versions::<Sqlite>(&SQLITE_MIGRATIONS),
        Db::Pg(_) => versions::<Pg>(&POSTGRES_MIGRATIONS),
    }?;
    let applied: Vec<Applied> =
        on!(db, c => diesel::sql_query("SELECT version FROM __diesel_schema_migrations").load(c))?;
    let applied: BTreeSet<String> = applied.into_iter().map(|a| a.version).collect();
    Ok(ours.difference(&applied).cloned().collect())
}

fn versions<B: diesel::backend::Backend>(source: &impl MigrationSource<B>) -> Queried<BTreeSet<String>> {
    let migrations = source.migrations().map_err(diesel::result::Error::QueryBuilderError)?;
    Ok(migrations.iter().map(|migration| migration.name().version().to_string()).collect())
}

/// Whether the database answers at all.
pub fn answers(db: &mut Db<'_>) -> Queried<()> {
    on!(db, c => diesel::select(1.into_sql::<Integer>()).get_result::<i32>(c)).map(|_| ())
}

/// How the connections of this process are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Connections {
    /// Open ones; on SQLite those that read.
    pub open: u32,
    /// Of these, how many nobody uses now.
    pub idle: u32,
    /// How many there may be.
    pub most: u32,
}

impl Store {
    /// How the connections of this process are used.
    pub fn connections(&self) -> Connections {
        let (state, most) = match &*self.pools {
            Pools::Lite { readers, .. } => (readers.state(), readers.max_size()),
            Pools::Pg { pool, .. } => (pool.state(), pool.max_size()),
        };
        Connections { open: state.connections, idle: state.idle_connections, most }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(QueryableByName)]
    struct Plan {
        #[diesel(sql_type = Text)]
        detail: String,
    }

    #[tokio::test]
    async fn what_is_owed_is_found_by_its_index_and_not_among_all_receipts() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite:{}", folder.path().join("a.db").display())).unwrap();
        let plan = |db: &mut Db<'_>| {
            let rows: Vec<Plan> = on!(db, c => diesel::sql_query(format!("EXPLAIN QUERY PLAN {OWED}"))
                .bind::<BigInt, _>(Timestamp(1)).bind::<BigInt, _>(Timestamp(1)).load(c))?;
            Ok(rows.into_iter().map(|row| row.detail).collect::<Vec<_>>().join("\n"))
        };
        let plan = store.read("explain", plan).await.unwrap();
        assert!(plan.contains("SCAN d USING COVERING INDEX deliveries_owed"), "{plan}");
        assert!(!plan.contains("SCAN i") && !plan.contains("SCAN a"), "{plan}");
    }
}
