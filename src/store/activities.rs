//! Activities: append-only, bytes as sent.

use diesel::prelude::*;

use crate::ids::{ActivityId, ActorId, PostId};
use crate::on;
use crate::store::first::FirstRow as _;
use crate::store::schema::activities;
use crate::store::{Db, Queried};
use crate::time::Timestamp;

/// A stored activity.
#[derive(Debug, Clone, PartialEq, Eq, Insertable, Queryable)]
#[diesel(table_name = activities)]
pub struct ActivityRow {
    /// Its id; also the number in its URL.
    pub id: ActivityId,
    /// Who says it.
    pub actor_id: ActorId,
    /// The post that it is about.
    pub post_id: Option<PostId>,
    /// Create, Update, Delete, Accept …
    pub kind: String,
    /// The JSON as it is sent, byte for byte, on every attempt.
    pub bytes: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Adds an activity.
pub fn insert(db: &mut Db<'_>, row: &ActivityRow) -> Queried<()> {
    on!(db, c => diesel::insert_into(activities::table).values(row).execute(c)).map(|_| ())
}

/// The activity with that id.
pub fn by_id(db: &mut Db<'_>, id: ActivityId) -> Queried<Option<ActivityRow>> {
    on!(db, c => activities::table.find(id).first_row(c).optional())
}

/// All activities about a post, oldest first.
pub fn of_post(db: &mut Db<'_>, post: PostId) -> Queried<Vec<ActivityRow>> {
    on!(db, c => activities::table.filter(activities::post_id.eq(Some(post))).order(activities::id).load(c))
}

/// An activity that is owed: what is needed to send it.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct ToSend {
    /// Who says it.
    pub actor_id: ActorId,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Create, Update, Delete, Accept …
    pub kind: String,
    /// The post that it is about.
    pub post_id: Option<PostId>,
}

/// What is needed to send an activity.
pub fn to_send(db: &mut Db<'_>, id: ActivityId) -> Queried<Option<ToSend>> {
    on!(db, c => activities::table
        .find(id)
        .select((activities::actor_id, activities::bytes, activities::kind, activities::post_id))
        .first_row(c)
        .optional())
}
