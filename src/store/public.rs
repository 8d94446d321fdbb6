//! The version of what the public can read. Triggers make it grow with every change of a public post, an actor, an agency or
//! a proof, in the transaction of the change (docs/adr/0008-kept-answers.md).

use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::on;
use crate::store::statement::statement;
use crate::store::{Db, Queried};

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = BigInt)]
    version: i64,
}

/// The version of now, over all actors: each of theirs only grows, so the sum tells of any change.
pub fn version(db: &mut Db<'_>) -> Queried<i64> {
    const SUM: &str = "SELECT CAST(COALESCE(SUM(version), 0) AS BIGINT) AS version FROM public_versions";
    let found: Version = on!(db, c => statement(SUM).get_result(c))?;
    Ok(found.version)
}
