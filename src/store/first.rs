//! The first row of a query.

use diesel::dsl::Limit;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::query_dsl::methods::{LimitDsl, LoadQuery};
use diesel::sqlite::SqliteConnection;

use crate::store::Queried;

/// The first row of a query whose order, if it has one, is that of an index. `first` of diesel binds its limit, and with a bound limit
/// SQLite plans a statement anew at each call, which costs more than to run it; but SQLite makes one row after the other, and only
/// the one that is asked for. PostgreSQL sends all that there are, so there it has its limit.
pub(super) trait FirstRow<C, U> {
    /// The row; [`diesel::NotFound`] when there is none.
    fn first_row(self, connection: &mut C) -> Queried<U>;
}

impl<'q, Q, U> FirstRow<SqliteConnection, U> for Q
where
    Q: RunQueryDsl<SqliteConnection> + LoadQuery<'q, SqliteConnection, U>,
{
    fn first_row(self, connection: &mut SqliteConnection) -> Queried<U> {
        self.get_result(connection)
    }
}

impl<'q, Q, U> FirstRow<PgConnection, U> for Q
where
    Q: RunQueryDsl<PgConnection> + LimitDsl,
    Limit<Q>: LoadQuery<'q, PgConnection, U>,
{
    fn first_row(self, connection: &mut PgConnection) -> Queried<U> {
        self.first(connection)
    }
}

#[cfg(test)]
mod tests {
    use diesel::connection::Connection;
    use diesel::sql_types::BigInt;

    use super::*;
    use crate::store::statement::statement;

    #[derive(QueryableByName, Debug, PartialEq)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        n: i64,
    }

    /// Its second row cannot be made: that is no JSON.
    const NUMBERS: &str = "SELECT column1 AS n FROM (VALUES (7), (8)) WHERE column1 = 7 OR json('{') IS NULL";

    #[test]
    fn sqlite_makes_no_row_but_the_first() {
        let mut db = SqliteConnection::establish(":memory:").unwrap();
        assert!(statement(NUMBERS).load::<Row>(&mut db).is_err());
        for _ in 0..2 {
            assert_eq!(statement(NUMBERS).first_row(&mut db), Ok(Row { n: 7 }));
        }
    }

    #[test]
    fn no_row_is_not_found() {
        let mut db = SqliteConnection::establish(":memory:").unwrap();
        let none: Queried<Row> = statement(format!("{NUMBERS} LIMIT 0")).first_row(&mut db);
        assert_eq!(none, Err(diesel::NotFound));
    }
}
