//! Statements in SQL that a connection prepares once and keeps. Those of `diesel::sql_query` are prepared anew at every call, because
//! their text might be another one each time: on SQLite that costs more than most of them, on PostgreSQL a second round trip.

use std::borrow::Cow;
use std::marker::PhantomData;

use diesel::backend::Backend;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::Error as DieselError;
use diesel::serialize::ToSql;
use diesel::sql_types::{HasSqlType, Untyped};
use diesel::{QueryResult, RunQueryDsl};

/// A statement, and the values of its parameters so far.
#[derive(Debug, Clone)]
pub(super) struct Statement<V = ()> {
    sql: Cow<'static, str>,
    values: V,
}

/// A statement whose parameters are written `$1` to `$9`; each may stand in it several times, in any order. As each connection keeps
/// it, its text must be one of a few: no value belongs in it.
pub(super) fn statement(sql: impl Into<Cow<'static, str>>) -> Statement {
    Statement { sql: sql.into(), values: () }
}

impl<V> Statement<V> {
    /// Gives the next parameter its value.
    pub(super) fn bind<ST, T>(self, value: T) -> Statement<(V, Value<ST, T>)> {
        Statement { sql: self.sql, values: (self.values, Value { value, sql_type: PhantomData }) }
    }
}

/// The value of a parameter, and its type in SQL.
#[derive(Debug, Clone)]
pub(super) struct Value<ST, T> {
    value: T,
    sql_type: PhantomData<ST>,
}

/// The values of a statement.
pub(super) trait Values<DB: Backend> {
    /// How many.
    const COUNT: usize;

    /// Puts the `nth` one, from 1, into the statement.
    fn push<'b>(&'b self, nth: usize, out: &mut AstPass<'_, 'b, DB>) -> QueryResult<()>;
}

impl<DB: Backend> Values<DB> for () {
    const COUNT: usize = 0;

    fn push<'b>(&'b self, nth: usize, _: &mut AstPass<'_, 'b, DB>) -> QueryResult<()> {
        Err(DieselError::QueryBuilderError(format!("parameter ${nth} has no value").into()))
    }
}

impl<DB, V, ST, T> Values<DB> for (V, Value<ST, T>)
where
    DB: Backend + HasSqlType<ST>,
    V: Values<DB>,
    T: ToSql<ST, DB>,
{
    const COUNT: usize = V::COUNT + 1;

    fn push<'b>(&'b self, nth: usize, out: &mut AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let (before, last) = self;
        if nth == Self::COUNT { out.push_bind_param::<ST, T>(&last.value) } else { before.push(nth, out) }
    }
}

impl<DB: Backend, V: Values<DB>> QueryFragment<DB> for Statement<V> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let mut pieces = self.sql.split('$');
        out.push_sql(pieces.next().unwrap_or_default());
        for piece in pieces {
            let mut rest = piece.chars();
            let Some(nth) = rest.next().and_then(|digit| digit.to_digit(10)) else {
                let problem = format!("no parameter follows the `$` before `{piece}`");
                return Err(DieselError::QueryBuilderError(problem.into()));
            };
            self.values.push(nth as usize, &mut out)?;
            out.push_sql(rest.as_str());
        }
        Ok(())
    }
}

/// Told apart by its text, and kept: nothing here says that it must not be.
impl<V> QueryId for Statement<V> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<V> Query for Statement<V> {
    type SqlType = Untyped;
}

impl<C, V> RunQueryDsl<C> for Statement<V> {}

#[cfg(test)]
mod tests {
    use diesel::connection::{Connection, Instrumentation, InstrumentationEvent};
    use diesel::prelude::*;
    use diesel::sql_types::{BigInt, Text};
    use diesel::sqlite::SqliteConnection;

    use super::*;

    #[derive(QueryableByName, Debug, PartialEq)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        n: i64,
        #[diesel(sql_type = Text)]
        name: String,
    }

    fn memory() -> SqliteConnection {
        SqliteConnection::establish(":memory:").unwrap()
    }

    #[test]
    fn parameters_have_their_values_wherever_they_stand() {
        let row: Row = statement("SELECT $2 * 10 + $3 + $3 AS n, $1 AS name")
            .bind::<Text, _>("a$9")
            .bind::<BigInt, _>(4_i64)
            .bind::<BigInt, _>(1_i64)
            .get_result(&mut memory())
            .unwrap();
        assert_eq!(row, Row { n: 42, name: "a$9".to_owned() });
    }

    #[test]
    fn a_parameter_without_a_value_is_an_error() {
        for sql in ["SELECT $2", "SELECT $0", "SELECT 'no $ sign'", "SELECT 1 $"] {
            let result = statement(sql).bind::<BigInt, _>(1_i64).execute(&mut memory());
            assert!(matches!(result, Err(DieselError::QueryBuilderError(_))), "{sql}: {result:?}");
        }
    }

    #[test]
    fn it_is_prepared_once() {
        struct Count(std::sync::Arc<std::sync::atomic::AtomicUsize>);
        impl Instrumentation for Count {
            fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
                if let InstrumentationEvent::CacheQuery { .. } = event {
                    self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                }
            }
        }
        let kept = std::sync::Arc::<std::sync::atomic::AtomicUsize>::default();
        let mut db = memory();
        db.set_instrumentation(Count(kept.clone()));
        for n in 0..5_i64 {
            let row: Row = statement("SELECT $1 AS n, 'x' AS name").bind::<BigInt, _>(n).get_result(&mut db).unwrap();
            assert_eq!(row.n, n);
        }
        assert_eq!(kept.load(std::sync::atomic::Ordering::Relaxed), 1);
    }
}
