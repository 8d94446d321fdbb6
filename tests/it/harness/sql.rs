//! Statements for a database of either kind, by its URL. The benchmarks include this file.

use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::SqliteConnection;
use diesel::{Connection, QueryableByName, RunQueryDsl};

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    n: i64,
}

#[derive(QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    t: String,
}

/// Runs statements.
pub fn execute(url: &str, sql: &str) {
    match sqlite(url) {
        Some(mut connection) => connection.batch_execute(sql).unwrap(),
        None => postgres(url).batch_execute(sql).unwrap(),
    }
}

/// The one number that a query gives.
pub fn number(url: &str, select: &str) -> i64 {
    let query = diesel::sql_query(format!("SELECT CAST(({select}) AS BIGINT) AS n"));
    let row: Number = match sqlite(url) {
        Some(mut connection) => query.get_result(&mut connection).unwrap(),
        None => query.get_result(&mut postgres(url)).unwrap(),
    };
    row.n
}

/// The lines that a query with one column `t` gives.
pub fn lines(url: &str, select: &str) -> Vec<String> {
    let rows: Vec<Line> = match sqlite(url) {
        Some(mut connection) => diesel::sql_query(select).load(&mut connection).unwrap(),
        None => diesel::sql_query(select).load(&mut postgres(url)).unwrap(),
    };
    rows.into_iter().map(|row| row.t).collect()
}

/// Makes an empty database in the cluster of that URL; gives its own.
pub fn create(cluster: &str, name: &str) -> String {
    let mut server = postgres(cluster);
    server.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).unwrap();
    server.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0")).unwrap();
    let mut url = url::Url::parse(cluster).unwrap();
    url.set_path(name);
    url.into()
}

/// Takes it away again. What fails here only leaves a database behind in a cluster that goes away.
pub fn remove(cluster: &str, name: &str) {
    if let Ok(mut server) = PgConnection::establish(cluster) {
        let _ = server.batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
    }
}

pub fn sqlite(url: &str) -> Option<SqliteConnection> {
    let mut connection = SqliteConnection::establish(url.strip_prefix("sqlite:")?).unwrap();
    connection.batch_execute("PRAGMA busy_timeout=60000").unwrap();
    Some(connection)
}

pub fn postgres(url: &str) -> PgConnection {
    PgConnection::establish(url).unwrap()
}
