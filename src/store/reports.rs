//! What became of the deliveries to a host or of a post, added up: the answer to "why did host X not get it".

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Integer, Nullable, SmallInt, Text};

use crate::ids::PostId;
use crate::on;
use crate::store::schema::{followers, hosts, inboxes};
use crate::store::{Db, Queried};
use crate::time::Timestamp;

/// Most reasons that are listed.
const REASONS_MAX: i64 = 5;
/// Most hosts that are listed.
const HOSTS_MAX: i64 = 10;

/// Which deliveries are added up: of a host, of a post, or of both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Only to this host.
    pub host: Option<String>,
    /// Only of this post.
    pub post: Option<PostId>,
}

impl Scope {
    /// The rest of a statement, with the host as `$1` and the post as `$2`; it starts from what is fewer rows. SQLite numbers
    /// `$n` by their first use, so `$1` stands first.
    fn from(&self) -> &'static str {
        if self.host.is_some() {
            "FROM inboxes i JOIN deliveries d ON d.inbox_id = i.id JOIN activities a ON a.id = d.activity_id \
             WHERE i.host = $1 AND ($2 = 0 OR a.post_id = $2)"
        } else {
            "FROM activities a JOIN deliveries d ON d.activity_id = a.id JOIN inboxes i ON i.id = d.inbox_id \
             WHERE ($1 = '' OR i.host = $1) AND a.post_id = $2"
        }
    }
}

/// Runs a statement in a scope.
macro_rules! within {
    ($db:expr, $scope:expr, $statement:expr) => {
        on!($db, c => diesel::sql_query($statement)
            .bind::<Text, _>($scope.host.clone().unwrap_or_default())
            .bind::<BigInt, _>($scope.post.map_or(0, |post| post.0))
            .load(c))
    };
}

/// Deliveries of one type of activity in one state.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName, serde::Serialize)]
pub struct Sum {
    /// Create, Update, Delete, Accept …
    #[diesel(sql_type = Text)]
    pub kind: String,
    /// As in `DeliveryState`.
    #[diesel(sql_type = SmallInt)]
    pub state: i16,
    /// How many.
    #[diesel(sql_type = BigInt)]
    pub n: i64,
    /// Since when the oldest is, or was, owed.
    #[diesel(sql_type = BigInt)]
    pub oldest: Timestamp,
    /// When the last of them was settled.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub settled: Option<Timestamp>,
    /// How many are to inboxes that a worker has in hand.
    #[diesel(sql_type = BigInt)]
    pub sending: i64,
    /// When the first of the other inboxes is due.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub due: Option<Timestamp>,
}

/// Deliveries by type of activity and state, as they are now.
pub fn sums(db: &mut Db<'_>, scope: &Scope, now: Timestamp) -> Queried<Vec<Sum>> {
    // While an inbox is leased, its `due_at` is only the end of the lease. The time is written out, because SQLite takes what
    // stands first for `$1`.
    let statement = format!(
        "SELECT a.kind, d.state, COUNT(*) AS n, MIN(d.created_at) AS oldest, MAX(d.settled_at) AS settled, \
         COUNT(CASE WHEN i.lease_until > {now} THEN 1 END) AS sending, \
         MIN(CASE WHEN i.lease_until > {now} THEN NULL ELSE i.due_at END) AS due {from} \
         GROUP BY a.kind, d.state ORDER BY a.kind, d.state",
        now = now.0,
        from = scope.from()
    );
    within!(db, scope, statement)
}

/// Why deliveries were not taken, in the words of the last attempt.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName, serde::Serialize)]
pub struct Reason {
    /// As in `DeliveryState`.
    #[diesel(sql_type = SmallInt)]
    pub state: i16,
    /// The last HTTP status.
    #[diesel(sql_type = Nullable<Integer>)]
    pub status: Option<i32>,
    /// What went wrong.
    #[diesel(sql_type = Text)]
    pub error: String,
    /// How many deliveries.
    #[diesel(sql_type = BigInt)]
    pub n: i64,
}

/// Why deliveries were not taken, the most frequent first.
pub fn reasons(db: &mut Db<'_>, scope: &Scope) -> Queried<Vec<Reason>> {
    let statement = format!(
        "SELECT d.state, d.status, d.error, COUNT(*) AS n {} AND d.error IS NOT NULL AND d.state <> 1 \
         GROUP BY d.state, d.status, d.error ORDER BY n DESC, d.error LIMIT {REASONS_MAX}",
        scope.from()
    );
    within!(db, scope, statement)
}

/// A host that has not got everything.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName, serde::Serialize)]
pub struct Lacking {
    /// The host.
    #[diesel(sql_type = Text)]
    pub host: String,
    /// As in `DeliveryState`.
    #[diesel(sql_type = SmallInt)]
    pub state: i16,
    /// How many deliveries.
    #[diesel(sql_type = BigInt)]
    pub n: i64,
    /// What went wrong, of one of them.
    #[diesel(sql_type = Nullable<Text>)]
    pub error: Option<String>,
}

/// The hosts that have not got everything, those that lack most first.
pub fn lacking(db: &mut Db<'_>, scope: &Scope) -> Queried<Vec<Lacking>> {
    let statement = format!(
        "SELECT i.host, d.state, COUNT(*) AS n, MAX(COALESCE(d.error, i.last_error)) AS error {} AND d.state <> 1 \
         GROUP BY i.host, d.state ORDER BY n DESC, i.host LIMIT {HOSTS_MAX}",
        scope.from()
    );
    within!(db, scope, statement)
}

/// The hosts that are owed most, over all posts, those that lack most first.
pub fn owed_most(db: &mut Db<'_>) -> Queried<Vec<Lacking>> {
    let statement = format!(
        "SELECT i.host, d.state, COUNT(*) AS n, MAX(i.last_error) AS error FROM deliveries d \
         JOIN inboxes i ON i.id = d.inbox_id WHERE d.state = 0 \
         GROUP BY i.host, d.state ORDER BY n DESC, i.host LIMIT {HOSTS_MAX}"
    );
    on!(db, c => diesel::sql_query(statement).load(c))
}

/// How the inboxes of a host do, together.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName, serde::Serialize)]
pub struct HostInboxes {
    /// How many there are.
    #[diesel(sql_type = BigInt)]
    pub inboxes: i64,
    /// How many fail, parked ones included.
    #[diesel(sql_type = BigInt)]
    pub failing: i64,
    /// How many are only probed.
    #[diesel(sql_type = BigInt)]
    pub parked: i64,
    /// How many a worker has in hand.
    #[diesel(sql_type = BigInt)]
    pub leased: i64,
    /// Since when the first of them fails.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub failing_since: Option<Timestamp>,
    /// When the first is tried next of those that no worker has in hand.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub due: Option<Timestamp>,
    /// When one last accepted something.
    #[diesel(sql_type = Nullable<BigInt>)]
    pub ok_at: Option<Timestamp>,
}

/// How the inboxes of a host do.
pub fn host_inboxes(db: &mut Db<'_>, host: &str, now: Timestamp) -> Queried<HostInboxes> {
    const DO: &str = "SELECT COUNT(*) AS inboxes, CAST(COUNT(failing_since) AS BIGINT) AS failing, \
         CAST(COUNT(parked_at) AS BIGINT) AS parked, \
         CAST(COALESCE(SUM(CASE WHEN lease_until > $1 THEN 1 ELSE 0 END), 0) AS BIGINT) AS leased, \
         MIN(failing_since) AS failing_since, \
         MIN(CASE WHEN lease_until > $1 THEN NULL ELSE due_at END) AS due, MAX(last_ok_at) AS ok_at FROM inboxes WHERE host = $2";
    on!(db, c => diesel::sql_query(DO).bind::<BigInt, _>(now).bind::<Text, _>(host).get_result(c))
}

/// How an inbox fails.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct Failing {
    /// Failures in a row.
    pub failures: i32,
    /// The last HTTP status.
    pub status: Option<i32>,
    /// What went wrong last.
    pub error: Option<String>,
}

/// How the inbox of a host fails that fails most.
pub fn last_failure(db: &mut Db<'_>, host: &str) -> Queried<Option<Failing>> {
    on!(db, c => inboxes::table
        .filter(inboxes::host.eq(host).and(inboxes::failing_since.is_not_null()))
        .order(inboxes::failures.desc())
        .select((inboxes::failures, inboxes::last_status, inboxes::last_error))
        .first(c)
        .optional())
}

/// Until when a host's breaker is open, if it is.
pub fn breaker(db: &mut Db<'_>, host: &str, now: Timestamp) -> Queried<Option<Timestamp>> {
    on!(db, c => hosts::table
        .filter(hosts::host.eq(host).and(hosts::open_until.gt(now)))
        .select(hosts::open_until)
        .first(c)
        .optional())
}

/// How many followers a host has.
pub fn followers_of(db: &mut Db<'_>, host: &str) -> Queried<i64> {
    on!(db, c => followers::table.filter(followers::host.eq(host)).count().get_result(c))
}

/// Hosts that we know whose name has that in it, for whoever misspelt one.
pub fn similar_hosts(db: &mut Db<'_>, part: &str) -> Queried<Vec<String>> {
    let pattern = format!("%{}%", part.replace(['%', '_', '\\'], ""));
    on!(db, c => inboxes::table
        .filter(inboxes::host.like(pattern))
        .select(inboxes::host)
        .distinct()
        .order(inboxes::host)
        .limit(REASONS_MAX)
        .load(c))
}
