//! The audit log: every act of a person or a policy, written in the transaction of the act.

use diesel::prelude::*;

use crate::ids::AuditId;
use crate::on;
use crate::store::schema::audit;
use crate::store::{Db, Queried};
use crate::time::Timestamp;

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Insertable, Queryable, serde::Serialize)]
#[diesel(table_name = audit)]
pub struct Entry {
    /// Its id.
    pub id: AuditId,
    /// When it happened.
    pub at: Timestamp,
    /// Who did it: `policy`, `schedule`, `cli:<user>`, or a remote actor's URL.
    pub who: String,
    /// What was done, a stable verb such as `post.publish`.
    pub act: String,
    /// To what: `post:1`, `actor:nieuws`.
    pub subject: String,
    /// Why, as a sentence or JSON.
    pub detail: String,
}

/// Adds an entry.
pub fn add(db: &mut Db<'_>, entry: &Entry) -> Queried<()> {
    on!(db, c => diesel::insert_into(audit::table).values(entry).execute(c)).map(|_| ())
}

/// The newest entries, newest first.
pub fn latest(db: &mut Db<'_>, limit: i64) -> Queried<Vec<Entry>> {
    on!(db, c => audit::table.order((audit::at.desc(), audit::id.desc())).limit(limit).load(c))
}
