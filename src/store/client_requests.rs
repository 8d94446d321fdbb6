//! What clients asked to be made: the keys by which a repetition is recognised.

use diesel::prelude::*;

use crate::ids::{ItemId, SourceId};
use crate::on;
use crate::store::first::FirstRow as _;
use crate::store::schema::client_requests;
use crate::store::{Db, Queried};
use crate::time::Timestamp;

/// A request and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = client_requests)]
pub struct ClientRequest {
    /// The source that it was for.
    pub source_id: SourceId,
    /// By which it is recognised.
    pub request_key: String,
    /// Digest of what it said.
    pub digest: String,
    /// The item that it made.
    pub item_id: ItemId,
    /// When it came.
    pub received_at: Timestamp,
}

/// The request with that key.
pub fn by_key(db: &mut Db<'_>, source: SourceId, key: &str) -> Queried<Option<ClientRequest>> {
    on!(db, c => client_requests::table
        .find((source, key))
        .select(ClientRequest::as_select())
        .first_row(c)
        .optional())
}

/// Stores a request in the place of the one with its key.
pub fn put(db: &mut Db<'_>, row: &ClientRequest) -> Queried<()> {
    let key = (row.source_id, row.request_key.as_str());
    on!(db, c => diesel::delete(client_requests::table.find(key)).execute(c))?;
    on!(db, c => diesel::insert_into(client_requests::table).values(row).execute(c)).map(|_| ())
}

/// Forgets requests that came before `before`.
pub fn forget(db: &mut Db<'_>, before: Timestamp) -> Queried<usize> {
    on!(db, c => diesel::delete(client_requests::table.filter(client_requests::received_at.lt(before))).execute(c))
}
