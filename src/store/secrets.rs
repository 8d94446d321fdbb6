//! Secrets of sources, sealed: this module never sees what is inside.

use diesel::prelude::*;

use crate::ids::{SecretId, SourceId};
use crate::on;
use crate::store::schema::source_secrets;
use crate::store::{Db, Queried};
use crate::time::Timestamp;

/// What a secret is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// By which the system signs what it pushes.
    Secret,
    /// By which it signed before; both hold while it is replaced.
    Previous,
    /// With which we read from its API.
    Token,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Secret, Self::Previous, Self::Token];

    /// As it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Previous => "previous_secret",
            Self::Token => "token",
        }
    }
}

/// A sealed secret.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = source_secrets)]
pub struct Sealed {
    /// Its row, for which it is sealed.
    pub id: SecretId,
    /// A name of [`Role`].
    pub role: String,
    /// The sealed bytes.
    pub sealed: Vec<u8>,
    /// Since when it holds.
    pub set_at: Timestamp,
}

/// The secrets of a source.
pub fn of(db: &mut Db<'_>, source: SourceId) -> Queried<Vec<Sealed>> {
    on!(db, c => source_secrets::table
        .filter(source_secrets::source_id.eq(source))
        .select(Sealed::as_select())
        .order(source_secrets::role)
        .load(c))
}

/// Puts a secret in the place of the one of that role.
pub fn set(db: &mut Db<'_>, source: SourceId, row: &Sealed) -> Queried<()> {
    remove(db, source, &row.role)?;
    on!(db, c => diesel::insert_into(source_secrets::table)
        .values((
            source_secrets::id.eq(row.id),
            source_secrets::source_id.eq(source),
            source_secrets::role.eq(&row.role),
            source_secrets::sealed.eq(&row.sealed),
            source_secrets::set_at.eq(row.set_at),
        ))
        .execute(c))
    .map(|_| ())
}

/// Removes the secret of that role, if there is one.
pub fn remove(db: &mut Db<'_>, source: SourceId, role: &str) -> Queried<()> {
    let found = source_secrets::source_id.eq(source).and(source_secrets::role.eq(role));
    on!(db, c => diesel::delete(source_secrets::table.filter(found)).execute(c)).map(|_| ())
}
