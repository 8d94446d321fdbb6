//! Messages: inbound replies, mentions and direct notes, as webcare will see them.

use diesel::prelude::*;

use crate::ids::{ActorId, MessageId, PostId};
use crate::on;
use crate::store::first::FirstRow as _;
use crate::store::schema::messages;
use crate::store::{Db, Queried};
use crate::time::Timestamp;

/// A message. Its HTML is sanitised; a direct or followers-only one is never shown in public.
#[derive(Debug, Clone, PartialEq, Eq, Insertable, Queryable, serde::Serialize)]
#[diesel(table_name = messages)]
pub struct MessageRow {
    /// Its id.
    pub id: MessageId,
    /// The actor of ours that it speaks to.
    pub actor_id: ActorId,
    /// The post that it answers, when it does.
    pub post_id: Option<PostId>,
    /// The id of the remote object.
    pub url: String,
    /// Who wrote it.
    pub author_url: String,
    /// `@name@domain` as far as known.
    pub author_handle: String,
    /// The author's display name.
    pub author_name: String,
    /// Sanitised text.
    pub html: String,
    /// Its language, when it says.
    pub language: Option<String>,
    /// public, unlisted, followers or direct.
    pub visibility: String,
    /// What it answers.
    pub in_reply_to: Option<String>,
    /// When its author published it.
    pub published_at: Timestamp,
    /// When its author last edited it.
    pub updated_at: Option<Timestamp>,
    /// When its author took it back.
    pub deleted_at: Option<Timestamp>,
    /// When it reached us.
    pub received_at: Timestamp,
}

/// Adds a message; one that is known stays as it is.
pub fn insert(db: &mut Db<'_>, row: &MessageRow) -> Queried<()> {
    on!(db, c => diesel::insert_into(messages::table).values(row).on_conflict_do_nothing().execute(c)).map(|_| ())
}

/// Changes the text of a message that `author` wrote and did not take back. Returns whether there was one.
pub fn edit(db: &mut Db<'_>, url: &str, author: &str, html: &str, at: Timestamp) -> Queried<bool> {
    let own = messages::url.eq(url).and(messages::author_url.eq(author));
    on!(db, c => diesel::update(messages::table.filter(own.and(messages::deleted_at.is_null())))
        .set((messages::html.eq(html), messages::updated_at.eq(Some(at))))
        .execute(c))
    .map(|n| n > 0)
}

/// Marks a message that `author` wrote as taken back and removes its text.
pub fn delete(db: &mut Db<'_>, url: &str, author: &str, at: Timestamp) -> Queried<bool> {
    on!(db, c => diesel::update(messages::table.filter(messages::url.eq(url).and(messages::author_url.eq(author))))
        .set((messages::html.eq(""), messages::deleted_at.eq(Some(at))))
        .execute(c))
    .map(|n| n > 0)
}

/// Marks everything that `author` wrote as taken back.
pub fn delete_of_author(db: &mut Db<'_>, author: &str, at: Timestamp) -> Queried<()> {
    on!(db, c => diesel::update(messages::table.filter(messages::author_url.eq(author)))
        .set((messages::html.eq(""), messages::deleted_at.eq(Some(at))))
        .execute(c))
    .map(|_| ())
}

/// The newest messages, newest first.
pub fn latest(db: &mut Db<'_>, limit: i64) -> Queried<Vec<MessageRow>> {
    on!(db, c => messages::table.order((messages::received_at.desc(), messages::id.desc())).limit(limit).load(c))
}

/// The messages that a remote object became: one for each actor of ours that it speaks to.
pub fn by_url(db: &mut Db<'_>, url: &str) -> Queried<Vec<MessageRow>> {
    on!(db, c => messages::table.filter(messages::url.eq(url)).load(c))
}

/// Whether we keep anything that `author` wrote.
pub fn any_by(db: &mut Db<'_>, author: &str) -> Queried<bool> {
    let found: Option<MessageId> = on!(db, c => messages::table.filter(messages::author_url.eq(author)).select(messages::id).first_row(c).optional())?;
    Ok(found.is_some())
}
