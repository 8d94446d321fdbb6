//! Remote actors as last fetched, ids of activities already received, and remote objects that were deleted.

use diesel::prelude::*;

use crate::inbox::remote::RemoteActor;
use crate::on;
use crate::signature::Scheme;
use crate::store::first::FirstRow as _;
use crate::store::host_signatures::{self, ShownBy};
use crate::store::schema::{deleted_objects, remote_actors, seen_activities};
use crate::store::{Db, Queried, from_json, to_json};
use crate::time::Timestamp;
use crate::urls::KeyUrl;

/// A remote actor and when it was fetched.
#[derive(Debug, Clone)]
pub struct Known {
    /// What its document said.
    pub actor: RemoteActor,
    /// When it was fetched.
    pub fetched_at: Timestamp,
}

/// Stores what a remote actor's document said when it was fetched, unless a newer one is known: documents may be stored in
/// another order than they were fetched, and a key that was replaced must not come back. A key id belongs to one actor: an owner
/// that was fetched before loses it, one that was fetched later keeps it.
pub fn upsert(db: &mut Db<'_>, actor: &RemoteActor, fetched_at: Timestamp) -> Queried<()> {
    let document = to_json(actor)?;
    let url = actor.url.as_str();
    let newer: i64 = on!(db, c => remote_actors::table
        .filter(remote_actors::url.eq(url).and(remote_actors::fetched_at.gt(fetched_at)))
        .count()
        .get_result(c))?;
    if newer > 0 {
        return Ok(());
    }
    let mut key_id = actor.key.as_ref().map(|key| key.id.as_str().to_owned());
    if let Some(id) = &key_id {
        let elsewhere = remote_actors::key_id.eq(Some(id)).and(remote_actors::url.ne(url));
        on!(db, c => diesel::update(remote_actors::table.filter(elsewhere.and(remote_actors::fetched_at.le(fetched_at))))
            .set(remote_actors::key_id.eq(None::<String>))
            .execute(c))?;
        let kept: i64 = on!(db, c => remote_actors::table.filter(elsewhere).count().get_result(c))?;
        key_id = key_id.filter(|_| kept == 0);
    }
    put(db, url, &document, key_id.as_deref(), fetched_at)?;
    if actor.implements.rfc9421 {
        let scheme = if actor.implements.ed25519 { Scheme::Ed25519 } else { Scheme::Rfc9421 };
        host_signatures::note(db, &actor.url.authority(), scheme, ShownBy::Document, fetched_at)?;
    }
    Ok(())
}

/// The last step of [`upsert`], with the condition once more: another process may do the same.
fn put(db: &mut Db<'_>, url: &str, document: &str, key_id: Option<&str>, fetched_at: Timestamp) -> Queried<()> {
    use diesel::query_dsl::methods::FilterDsl as _;
    on!(db, c => diesel::insert_into(remote_actors::table)
        .values((
            remote_actors::url.eq(url),
            remote_actors::document.eq(document),
            remote_actors::key_id.eq(key_id),
            remote_actors::fetched_at.eq(fetched_at),
        ))
        .on_conflict(remote_actors::url)
        .do_update()
        .set((
            remote_actors::document.eq(document),
            remote_actors::key_id.eq(key_id),
            remote_actors::fetched_at.eq(fetched_at),
        ))
        .filter(remote_actors::fetched_at.le(fetched_at))
        .execute(c))
    .map(|_| ())
}

/// The actor that owns a key: its main one, or one of those that its document holds.
pub fn by_key(db: &mut Db<'_>, key_id: &str) -> Queried<Option<Known>> {
    if let Some(known) = by_main_key(db, key_id)? {
        return Ok(Some(known));
    }
    let Ok(key) = KeyUrl::parse(key_id) else { return Ok(None) };
    Ok(by_url(db, &key.document())?.filter(|known| known.actor.key_with(&key).is_some()))
}

fn by_main_key(db: &mut Db<'_>, key_id: &str) -> Queried<Option<Known>> {
    let row: Option<(String, Timestamp)> = on!(db, c => remote_actors::table
        .filter(remote_actors::key_id.eq(Some(key_id)))
        .select((remote_actors::document, remote_actors::fetched_at))
        .first_row(c)
        .optional())?;
    row.map(known).transpose()
}

/// The actor with that id.
pub fn by_url(db: &mut Db<'_>, url: &str) -> Queried<Option<Known>> {
    let row: Option<(String, Timestamp)> = on!(db, c => remote_actors::table
        .find(url)
        .select((remote_actors::document, remote_actors::fetched_at))
        .first_row(c)
        .optional())?;
    row.map(known).transpose()
}

fn known((document, fetched_at): (String, Timestamp)) -> Queried<Known> {
    Ok(Known { actor: from_json(&document)?, fetched_at })
}

/// Forgets a remote actor that was deleted.
pub fn remove(db: &mut Db<'_>, url: &str) -> Queried<()> {
    on!(db, c => diesel::delete(remote_actors::table.find(url)).execute(c)).map(|_| ())
}

/// Notes that an activity was received. Returns whether it is the first time.
pub fn first_seen(db: &mut Db<'_>, url: &str, now: Timestamp) -> Queried<bool> {
    on!(db, c => diesel::insert_into(seen_activities::table)
        .values((seen_activities::url.eq(url), seen_activities::received_at.eq(now)))
        .on_conflict_do_nothing()
        .execute(c))
    .map(|n| n > 0)
}

/// Forgets what was received before `before`. Returns how many.
pub fn forget_seen(db: &mut Db<'_>, before: Timestamp) -> Queried<usize> {
    on!(db, c => diesel::delete(deleted_objects::table.filter(deleted_objects::deleted_at.lt(before))).execute(c))?;
    on!(db, c => diesel::delete(seen_activities::table.filter(seen_activities::received_at.lt(before))).execute(c))
}

/// Notes that a remote object was deleted.
pub fn note_deleted(db: &mut Db<'_>, url: &str, now: Timestamp) -> Queried<()> {
    on!(db, c => diesel::insert_into(deleted_objects::table)
        .values((deleted_objects::url.eq(url), deleted_objects::deleted_at.eq(now)))
        .on_conflict_do_nothing()
        .execute(c))
    .map(|_| ())
}

/// Whether a remote object was deleted.
pub fn is_deleted(db: &mut Db<'_>, url: &str) -> Queried<bool> {
    let n: i64 = on!(db, c => deleted_objects::table.filter(deleted_objects::url.eq(url)).count().get_result(c))?;
    Ok(n > 0)
}
