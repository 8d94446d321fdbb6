//! Posts that an actor has pinned to its profile. One that is withdrawn is no longer among them.

use diesel::prelude::*;

use crate::ids::{ActorId, PostId};
use crate::on;
use crate::store::posts::{self, Post};
use crate::store::schema::{pins, posts as posts_table};
use crate::store::{Db, Queried};
use crate::time::Timestamp;

/// Public pinned posts of an actor, the newest pin first.
pub fn of_actor(db: &mut Db<'_>, actor: ActorId) -> Queried<Vec<PostId>> {
    on!(db, c => pins::table
        .inner_join(posts_table::table.on(posts_table::id.eq(pins::post_id)))
        .filter(pins::actor_id.eq(actor).and(posts_table::state.eq("published")))
        .order((pins::pinned_at.desc(), pins::post_id.desc()))
        .select(pins::post_id)
        .load(c))
}

/// The same, with what they say.
pub fn posts_of(db: &mut Db<'_>, actor: ActorId) -> Queried<Vec<Post>> {
    let ids = of_actor(db, actor)?;
    ids.into_iter().filter_map(|id| posts::by_id(db, id).transpose()).collect()
}

/// Pins a post. Returns whether it was not pinned before.
pub fn insert(db: &mut Db<'_>, actor: ActorId, post: PostId, now: Timestamp) -> Queried<bool> {
    on!(db, c => diesel::insert_into(pins::table)
        .values((pins::post_id.eq(post), pins::actor_id.eq(actor), pins::pinned_at.eq(now)))
        .on_conflict_do_nothing()
        .execute(c))
    .map(|n| n == 1)
}

/// Unpins a post. Returns whether it was pinned.
pub fn remove(db: &mut Db<'_>, post: PostId) -> Queried<bool> {
    on!(db, c => diesel::delete(pins::table.find(post)).execute(c)).map(|n| n == 1)
}
