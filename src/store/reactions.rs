//! Reactions: inbound likes, boosts and quotes. Counts are hints, never proof.

use diesel::prelude::*;

use crate::ids::{PostId, QuoteId, ReactionId};
use crate::on;
use crate::store::first::FirstRow as _;
use crate::store::schema::{quotes, reactions};
use crate::store::{Db, Queried};
use crate::time::Timestamp;

/// A reaction.
#[derive(Debug, Clone, PartialEq, Eq, Insertable, Queryable)]
#[diesel(table_name = reactions)]
pub struct ReactionRow {
    /// Its id.
    pub id: ReactionId,
    /// The id of the activity, to match an Undo.
    pub activity_url: Option<String>,
    /// like, emoji, boost or quote.
    pub kind: String,
    /// The post.
    pub post_id: PostId,
    /// Who reacted.
    pub author_url: String,
    /// The emoji, when there is one.
    pub content: Option<String>,
    /// When it reached us.
    pub created_at: Timestamp,
}

/// A quote that we authorised (FEP-044f).
#[derive(Debug, Clone, PartialEq, Eq, Insertable, Queryable)]
#[diesel(table_name = quotes)]
pub struct QuoteRow {
    /// Its id; also the number in the authorization's URL.
    pub id: QuoteId,
    /// The post that is quoted.
    pub post_id: PostId,
    /// Who quotes.
    pub author_url: String,
    /// The id of the quoting post.
    pub quote_url: String,
    /// When we took the authorization back.
    pub revoked_at: Option<Timestamp>,
    /// When we gave it.
    pub created_at: Timestamp,
}

/// Adds a reaction; one of a kind per author and post.
pub fn insert(db: &mut Db<'_>, row: &ReactionRow) -> Queried<()> {
    on!(db, c => diesel::insert_into(reactions::table).values(row).on_conflict_do_nothing().execute(c)).map(|_| ())
}

/// Removes a reaction of `author` by the id of its activity. Returns whether there was one.
pub fn remove_by_activity(db: &mut Db<'_>, activity_url: &str, author: &str) -> Queried<bool> {
    on!(db, c => diesel::delete(reactions::table.filter(
            reactions::activity_url.eq(Some(activity_url)).and(reactions::author_url.eq(author))))
        .execute(c))
    .map(|n| n > 0)
}

/// Removes the reaction of that kind of `author` to a post. Returns whether there was one.
pub fn remove_kind(db: &mut Db<'_>, post: PostId, author: &str, kind: &str) -> Queried<bool> {
    let own = reactions::post_id.eq(post).and(reactions::author_url.eq(author)).and(reactions::kind.eq(kind));
    on!(db, c => diesel::delete(reactions::table.filter(own)).execute(c)).map(|n| n > 0)
}

/// Removes all that `author` did.
pub fn remove_of_author(db: &mut Db<'_>, author: &str) -> Queried<()> {
    on!(db, c => diesel::delete(reactions::table.filter(reactions::author_url.eq(author))).execute(c)).map(|_| ())
}

/// How many reactions of each kind a post has.
pub fn counts(db: &mut Db<'_>, post: PostId) -> Queried<Vec<(String, i64)>> {
    on!(db, c => reactions::table
        .filter(reactions::post_id.eq(post))
        .group_by(reactions::kind)
        .select((reactions::kind, diesel::dsl::count_star()))
        .order(reactions::kind)
        .load(c))
}

/// Authorises a quote; asked twice, the first authorization stays as it is, revoked ones too. Returns the id that it has.
pub fn authorize_quote(db: &mut Db<'_>, row: &QuoteRow) -> Queried<QuoteId> {
    on!(db, c => diesel::insert_into(quotes::table)
        .values(row)
        .on_conflict((quotes::post_id, quotes::quote_url))
        .do_update()
        .set(quotes::revoked_at.eq(quotes::revoked_at))
        .returning(quotes::id)
        .get_result(c))
}

/// The authorization with that id.
pub fn quote(db: &mut Db<'_>, id: QuoteId) -> Queried<Option<QuoteRow>> {
    on!(db, c => quotes::table.find(id).first_row(c).optional())
}
