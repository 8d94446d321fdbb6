//! Tokens by which clients write to a source. Only their hashes are here.

use diesel::prelude::*;

use crate::ids::{SourceId, TokenId};
use crate::on;
use crate::store::first::FirstRow as _;
use crate::store::schema::tokens;
use crate::store::{Db, Queried};
use crate::time::Timestamp;

/// A token.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = tokens)]
pub struct Token {
    /// Its id.
    pub id: TokenId,
    /// The source that it writes to.
    pub source_id: SourceId,
    /// SHA-256 of it, in hex. Looking it up takes the same time for every token that is wrong.
    pub hash: String,
    /// What it is for, in the words of who made it.
    pub name: String,
    /// What it may do: words with a space between them.
    pub scopes: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it holds no more.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to within a minute.
    pub used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// Adds a token.
pub fn insert(db: &mut Db<'_>, token: &Token) -> Queried<()> {
    on!(db, c => diesel::insert_into(tokens::table).values(token).execute(c)).map(|_| ())
}

/// The token with that hash, whether it holds or not.
pub fn by_hash(db: &mut Db<'_>, hash: &str) -> Queried<Option<Token>> {
    on!(db, c => tokens::table.filter(tokens::hash.eq(hash)).select(Token::as_select()).first_row(c).optional())
}

/// The token with that id.
pub fn by_id(db: &mut Db<'_>, id: TokenId) -> Queried<Option<Token>> {
    on!(db, c => tokens::table.find(id).select(Token::as_select()).first_row(c).optional())
}

/// All tokens, of one source where it is given, oldest first.
pub fn list(db: &mut Db<'_>, source: Option<SourceId>) -> Queried<Vec<Token>> {
    on!(db, c => {
        let mut query = tokens::table.select(Token::as_select()).into_boxed();
        if let Some(source) = source {
            query = query.filter(tokens::source_id.eq(source));
        }
        query.order(tokens::id).load(c)
    })
}

/// Notes that a token was used, unless it was noted after `before`.
pub fn used(db: &mut Db<'_>, id: TokenId, at: Timestamp, before: Timestamp) -> Queried<()> {
    let long_ago = tokens::used_at.is_null().or(tokens::used_at.nullable().le(before));
    on!(db, c => diesel::update(tokens::table.filter(tokens::id.eq(id).and(long_ago)))
        .set(tokens::used_at.eq(at))
        .execute(c))
    .map(|_| ())
}

/// Revokes a token. Returns whether it was not revoked yet.
pub fn revoke(db: &mut Db<'_>, id: TokenId, at: Timestamp) -> Queried<bool> {
    on!(db, c => diesel::update(tokens::table.filter(tokens::id.eq(id).and(tokens::revoked_at.is_null())))
        .set(tokens::revoked_at.eq(at))
        .execute(c))
    .map(|n| n == 1)
}
