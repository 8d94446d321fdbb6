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
