//! Followers of our actors, and whom an actor was blocked by.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::ids::{ActorId, FollowerId, InboxId};
use crate::on;
use crate::store::schema::{blocks, followers};
use crate::store::statement::statement;
use crate::store::{Db, Queried};
use crate::time::Timestamp;

/// A follower.
#[derive(Debug, Clone, PartialEq, Eq, Insertable, Queryable)]
#[diesel(table_name = followers)]
pub struct FollowerRow {
    /// Its id.
    pub id: FollowerId,
    /// The actor of ours that it follows.
    pub actor_id: ActorId,
    /// The id of the remote actor.
    pub url: String,
    /// Its host.
    pub host: String,
    /// Where posts for it go: the shared inbox of its server when there is one.
    pub inbox_id: InboxId,
    /// The id of its Follow, to match an Undo.
    pub follow_id: Option<String>,
    /// Since when it follows.
    pub created_at: Timestamp,
}

/// Adds a follower; a second Follow is normal and refreshes the first.
pub fn upsert(db: &mut Db<'_>, row: &FollowerRow) -> Queried<()> {
    on!(db, c => diesel::insert_into(followers::table)
        .values(row)
        .on_conflict((followers::actor_id, followers::url))
        .do_update()
        .set((followers::inbox_id.eq(row.inbox_id), followers::follow_id.eq(&row.follow_id)))
        .execute(c))
    .map(|_| ())
}

/// Removes a follower. Returns whether there was one.
pub fn remove(db: &mut Db<'_>, actor: ActorId, url: &str) -> Queried<bool> {
    on!(db, c => diesel::delete(followers::table.filter(followers::actor_id.eq(actor).and(followers::url.eq(url))))
        .execute(c))
    .map(|n| n > 0)
}

/// Removes the follower whose Follow had that id, if it is `url`'s own.
pub fn remove_by_follow(db: &mut Db<'_>, follow_id: &str, url: &str) -> Queried<bool> {
    on!(db, c => diesel::delete(followers::table.filter(
            followers::follow_id.eq(Some(follow_id)).and(followers::url.eq(url))))
        .execute(c))
    .map(|n| n > 0)
}

/// Removes a remote actor from the followers of all our actors.
pub fn remove_everywhere(db: &mut Db<'_>, url: &str) -> Queried<usize> {
    on!(db, c => diesel::delete(followers::table.filter(followers::url.eq(url))).execute(c))
}

/// Removes all followers of an actor of ours. Returns how many.
pub fn remove_all_of(db: &mut Db<'_>, actor: ActorId) -> Queried<usize> {
    on!(db, c => diesel::delete(followers::table.filter(followers::actor_id.eq(actor))).execute(c))
}

/// Which of our actors a remote actor follows.
pub fn followed_by(db: &mut Db<'_>, url: &str) -> Queried<Vec<ActorId>> {
    on!(db, c => followers::table.filter(followers::url.eq(url)).select(followers::actor_id).load(c))
}

/// The followers of an actor on one host, summed up: two equal ones are of the same followers. Their ids only grow, so who comes
/// changes `last`, and who goes changes the others.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct Part {
    /// The host of their ids.
    #[diesel(sql_type = Text)]
    pub host: String,
    /// How many.
    #[diesel(sql_type = BigInt)]
    pub count: i64,
    #[diesel(sql_type = BigInt)]
    last: i64,
    #[diesel(sql_type = BigInt)]
    sum: i64,
}

/// On which hosts the followers of an actor are.
pub fn parts(db: &mut Db<'_>, actor: ActorId) -> Queried<Vec<Part>> {
    const PARTS: &str = "SELECT host, COUNT(*) AS count, MAX(id) AS last, CAST(SUM(id % 1000003) AS BIGINT) AS sum \
        FROM followers WHERE actor_id = $1 GROUP BY host";
    on!(db, c => statement(PARTS).bind::<BigInt, _>(actor).load(c))
}

/// The ids of the followers of an actor on one host, at most `limit`, in the order in which they came.
pub fn of_host(db: &mut Db<'_>, actor: ActorId, host: &str, limit: i64) -> Queried<Vec<String>> {
    on!(db, c => followers::table
        .filter(followers::actor_id.eq(actor).and(followers::host.eq(host)))
        .select(followers::url)
        .order(followers::id)
        .limit(limit)
        .load(c))
}

/// Some servers that followers are on, in order of their names.
pub fn hosts(db: &mut Db<'_>, most: i64) -> Queried<Vec<String>> {
    on!(db, c => followers::table.select(followers::host).distinct().order(followers::host).limit(most).load(c))
}

/// How many followers an actor has.
pub fn count(db: &mut Db<'_>, actor: ActorId) -> Queried<i64> {
    on!(db, c => followers::table.filter(followers::actor_id.eq(actor)).count().get_result(c))
}

/// A remote actor blocks ours: it is no longer a follower, and is not taken as one again until it unblocks.
pub fn block(db: &mut Db<'_>, actor: ActorId, url: &str, now: Timestamp) -> Queried<()> {
    remove(db, actor, url)?;
    on!(db, c => diesel::insert_into(blocks::table)
        .values((blocks::actor_id.eq(actor), blocks::url.eq(url), blocks::created_at.eq(now)))
        .on_conflict_do_nothing()
        .execute(c))
    .map(|_| ())
}

/// The remote actor blocks ours no longer.
pub fn unblock(db: &mut Db<'_>, actor: ActorId, url: &str) -> Queried<()> {
    on!(db, c => diesel::delete(blocks::table.find((actor, url))).execute(c)).map(|_| ())
}
