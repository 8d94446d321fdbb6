//! Quotes of our posts that were authorised, and requests that wait for a person (FEP-044f).

use diesel::prelude::*;

use crate::ids::{ActorId, InboxId, PostId, QuoteId};
use crate::on;
use crate::store::first::FirstRow as _;
use crate::store::reactions::QuoteRow;
use crate::store::schema::{posts, quote_requests, quotes};
use crate::store::{Db, Queried};
use crate::time::Timestamp;

/// A request to quote that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Insertable, Queryable, Selectable)]
#[diesel(table_name = quote_requests)]
pub struct QuoteRequestRow {
    /// Its id, and that of the authorization once there is one.
    pub id: QuoteId,
    /// The post that is to be quoted.
    pub post_id: PostId,
    /// Who asks.
    pub author_url: String,
    /// The id of the quoting post.
    pub quote_url: String,
    /// What the answer embeds, as JSON.
    pub request: String,
    /// Where the answer goes.
    pub inbox_id: InboxId,
    /// When it was asked.
    pub created_at: Timestamp,
}

/// What was answered before to that quoting post about that post of ours.
pub fn answered(db: &mut Db<'_>, post: PostId, quote_url: &str) -> Queried<Option<QuoteRow>> {
    on!(db, c => quotes::table
        .filter(quotes::post_id.eq(post).and(quotes::quote_url.eq(quote_url)))
        .first_row(c)
        .optional())
}

/// Authorised quotes, newest first, at most `limit`; of one post where given.
pub fn list(db: &mut Db<'_>, post: Option<PostId>, limit: i64) -> Queried<Vec<QuoteRow>> {
    on!(db, c => {
        let mut query = quotes::table.into_boxed();
        if let Some(post) = post {
            query = query.filter(quotes::post_id.eq(post));
        }
        query.order(quotes::id.desc()).limit(limit).load(c)
    })
}

/// Takes an authorization back. Returns whether it stood until now.
pub fn revoke(db: &mut Db<'_>, id: QuoteId, now: Timestamp) -> Queried<bool> {
    on!(db, c => diesel::update(quotes::table.filter(quotes::id.eq(id).and(quotes::revoked_at.is_null())))
        .set(quotes::revoked_at.eq(Some(now)))
        .execute(c))
    .map(|n| n == 1)
}

/// Keeps a request for a person; asked again, the first one stays.
pub fn ask(db: &mut Db<'_>, row: &QuoteRequestRow) -> Queried<()> {
    on!(db, c => diesel::insert_into(quote_requests::table).values(row).on_conflict_do_nothing().execute(c)).map(|_| ())
}

/// The request with that id.
pub fn request(db: &mut Db<'_>, id: QuoteId) -> Queried<Option<QuoteRequestRow>> {
    on!(db, c => quote_requests::table.find(id).first_row(c).optional())
}

/// Requests that wait, oldest first, at most `limit`; of one post where given.
pub fn waiting(db: &mut Db<'_>, post: Option<PostId>, limit: i64) -> Queried<Vec<QuoteRequestRow>> {
    on!(db, c => {
        let mut query = quote_requests::table.into_boxed();
        if let Some(post) = post {
            query = query.filter(quote_requests::post_id.eq(post));
        }
        query.order(quote_requests::id).limit(limit).load(c)
    })
}

/// How many requests wait for a person about posts of an actor.
pub fn count_waiting(db: &mut Db<'_>, actor: ActorId) -> Queried<i64> {
    on!(db, c => quote_requests::table
        .inner_join(posts::table.on(posts::id.eq(quote_requests::post_id)))
        .filter(posts::actor_id.eq(actor))
        .count()
        .get_result(c))
}

/// Takes a request off the list. Returns whether it was there: of two who answer it, one does.
pub fn take(db: &mut Db<'_>, id: QuoteId) -> Queried<bool> {
    on!(db, c => diesel::delete(quote_requests::table.find(id)).execute(c)).map(|n| n == 1)
}

/// The quoting post is gone: nobody waits for an answer. Only its author may say so.
pub fn forget(db: &mut Db<'_>, quote_url: &str, author: &str) -> Queried<()> {
    on!(db, c => diesel::delete(quote_requests::table.filter(
            quote_requests::quote_url.eq(quote_url).and(quote_requests::author_url.eq(author))))
        .execute(c))
    .map(|_| ())
}
