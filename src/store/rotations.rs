//! Keys of actors that are being replaced: which are announced, which signed before, and when one becomes the other.

use diesel::prelude::*;

use crate::actor::key::{KeySerial, KeysBeside, PublicKeys};
use crate::ids::{ActivityId, ActorId, KeyRowId};
use crate::on;
use crate::store::actors::{self, ED25519, KeyRow, RSA};
use crate::store::first::FirstRow as _;
use crate::store::schema::{actor_keys, actors as actors_table, key_rotations, other_keys};
use crate::store::{Db, Queried};
use crate::time::Timestamp;

/// How the keys of an actor stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = key_rotations)]
pub struct Rotation {
    /// Whose.
    pub actor_id: ActorId,
    /// The serial of the keys that sign.
    pub serial: i32,
    /// The serial of those that are announced.
    pub next_serial: Option<i32>,
    /// When they begin to sign.
    pub switch_at: Option<Timestamp>,
    /// When the keys that sign began to.
    pub switched_at: Option<Timestamp>,
    /// The activity that told of it, which the keys before sign.
    pub farewell: Option<ActivityId>,
}

#[derive(Debug, Clone, Insertable, Queryable)]
#[diesel(table_name = other_keys)]
struct OtherKey {
    id: KeyRowId,
    actor_id: ActorId,
    serial: i32,
    kind: String,
    public: String,
    sealed: Vec<u8>,
    created_at: Timestamp,
}

impl OtherKey {
    fn of(row: KeyRow, actor: ActorId, serial: i32) -> Self {
        let KeyRow { id, kind, public, sealed, created_at, .. } = row;
        Self { id, actor_id: actor, serial, kind, public, sealed, created_at }
    }

    fn row(self) -> KeyRow {
        let Self { id, actor_id, kind, public, sealed, created_at, .. } = self;
        KeyRow { id, actor_id: Some(actor_id), kind, public, sealed, created_at }
    }
}

/// How the keys of an actor stand; `None` when they were never replaced.
pub fn of_actor(db: &mut Db<'_>, actor: ActorId) -> Queried<Option<Rotation>> {
    on!(db, c => key_rotations::table.find(actor).first_row(c).optional())
}

/// The public halves of all keys of an actor; `None` when it has none.
pub fn public_keys(db: &mut Db<'_>, actor: ActorId) -> Queried<Option<PublicKeys>> {
    let rows = actors::keys(db, Some(actor))?;
    let (Some(rsa), Some(ed25519)) = (actors::public_half(&rows, RSA), actors::public_half(&rows, ED25519)) else {
        return Ok(None);
    };
    let mut keys = PublicKeys::first(rsa, ed25519);
    let Some(rotation) = of_actor(db, actor)? else { return Ok(Some(keys)) };
    keys.serial = KeySerial(rotation.serial);
    let others: Vec<OtherKey> = on!(db, c => other_keys::table.filter(other_keys::actor_id.eq(actor)).order(other_keys::serial.desc()).load(c))?;
    for other in others.iter().filter(|other| other.kind == RSA) {
        let ed25519 = others.iter().find(|one| one.serial == other.serial && one.kind == ED25519);
        let Some(ed25519) = ed25519.map(|one| one.public.clone()) else { continue };
        let serial = KeySerial(other.serial);
        keys.beside.push(KeysBeside { serial, rsa_pem: other.public.clone(), ed25519_multibase: ed25519 });
    }
    Ok(Some(keys))
}

/// The keys of an actor of that serial, of those that do not sign now.
pub fn others(db: &mut Db<'_>, actor: ActorId, serial: i32) -> Queried<Vec<KeyRow>> {
    let of = other_keys::actor_id.eq(actor).and(other_keys::serial.eq(serial));
    let rows: Vec<OtherKey> = on!(db, c => other_keys::table.filter(of).load(c))?;
    Ok(rows.into_iter().map(OtherKey::row).collect())
}

/// Announces keys of that serial, which sign from then on. `false` when others are announced already.
pub fn announce(
    db: &mut Db<'_>,
    known: &Rotation,
    keys: &[KeyRow],
    serial: i32,
    switch_at: Timestamp,
    now: Timestamp,
) -> Queried<bool> {
    let actor = known.actor_id;
    on!(db, c => diesel::insert_into(key_rotations::table).values(known).on_conflict_do_nothing().execute(c))?;
    let free = key_rotations::actor_id
        .eq(actor)
        .and(key_rotations::serial.eq(known.serial))
        .and(key_rotations::switch_at.is_null());
    let begun = on!(db, c => diesel::update(key_rotations::table.filter(free))
        .set((key_rotations::next_serial.eq(Some(serial)), key_rotations::switch_at.eq(Some(switch_at))))
        .execute(c))?;
    if begun == 0 {
        return Ok(false);
    }
    put(db, keys, actor, serial)?;
    touch(db, actor, now)?;
    Ok(true)
}

/// The rotations whose time to switch has come.
pub fn due(db: &mut Db<'_>, now: Timestamp) -> Queried<Vec<Rotation>> {
    on!(db, c => key_rotations::table.filter(key_rotations::switch_at.le(Some(now))).load(c))
}

/// Puts a switch off.
pub fn put_off(db: &mut Db<'_>, rotation: &Rotation, until: Timestamp) -> Queried<()> {
    let same = key_rotations::actor_id.eq(rotation.actor_id).and(key_rotations::switch_at.eq(rotation.switch_at));
    on!(db, c => diesel::update(key_rotations::table.filter(same))
        .set(key_rotations::switch_at.eq(Some(until)))
        .execute(c))
    .map(|_| ())
}

/// The announced keys sign from now on; those before stay beside. `false` when another process was first.
pub fn switch(db: &mut Db<'_>, rotation: &Rotation, farewell: ActivityId, now: Timestamp) -> Queried<bool> {
    let (actor, Some(next)) = (rotation.actor_id, rotation.next_serial) else { return Ok(false) };
    let same = key_rotations::actor_id
        .eq(actor)
        .and(key_rotations::switch_at.eq(rotation.switch_at))
        .and(key_rotations::next_serial.eq(Some(next)));
    let switched = on!(db, c => diesel::update(key_rotations::table.filter(same))
        .set((
            key_rotations::serial.eq(next),
            key_rotations::next_serial.eq(None::<i32>),
            key_rotations::switch_at.eq(None::<Timestamp>),
            key_rotations::switched_at.eq(Some(now)),
            key_rotations::farewell.eq(Some(farewell)),
        ))
        .execute(c))?;
    if switched == 0 {
        return Ok(false);
    }
    let (before, after) = (actors::keys(db, Some(actor))?, others(db, actor, next)?);
    forget(db, actor, Some(next))?;
    replace(db, actor, &after)?;
    put(db, &before, actor, rotation.serial)?;
    touch(db, actor, now)?;
    Ok(true)
}

/// New keys sign at once, and all others of the actor are forgotten, private halves and all.
pub fn replace_now(db: &mut Db<'_>, actor: ActorId, keys: &[KeyRow], serial: i32, now: Timestamp) -> Queried<()> {
    let row = Rotation {
        actor_id: actor,
        serial,
        next_serial: None,
        switch_at: None,
        switched_at: Some(now),
        farewell: None,
    };
    on!(db, c => diesel::delete(key_rotations::table.find(actor)).execute(c))?;
    on!(db, c => diesel::insert_into(key_rotations::table).values(&row).execute(c))?;
    forget(db, actor, None)?;
    replace(db, actor, keys)?;
    touch(db, actor, now)
}

/// Forgets keys that signed until before then. Returns how many actors had some.
pub fn clear(db: &mut Db<'_>, before: Timestamp) -> Queried<usize> {
    let old = key_rotations::switched_at.lt(Some(before)).and(key_rotations::farewell.is_not_null());
    let rows: Vec<Rotation> = on!(db, c => key_rotations::table.filter(old).load(c))?;
    for row in &rows {
        let signed = other_keys::actor_id.eq(row.actor_id).and(other_keys::serial.lt(row.serial));
        on!(db, c => diesel::delete(other_keys::table.filter(signed)).execute(c))?;
        on!(db, c => diesel::update(key_rotations::table.find(row.actor_id))
            .set(key_rotations::farewell.eq(None::<ActivityId>))
            .execute(c))?;
        touch(db, row.actor_id, row.switched_at.unwrap_or(before))?;
    }
    Ok(rows.len())
}

fn put(db: &mut Db<'_>, keys: &[KeyRow], actor: ActorId, serial: i32) -> Queried<()> {
    for key in keys {
        let row = OtherKey::of(key.clone(), actor, serial);
        on!(db, c => diesel::insert_into(other_keys::table).values(&row).execute(c))?;
    }
    Ok(())
}

fn forget(db: &mut Db<'_>, actor: ActorId, serial: Option<i32>) -> Queried<()> {
    on!(db, c => match serial {
        Some(serial) => diesel::delete(other_keys::table.filter(other_keys::actor_id.eq(actor).and(other_keys::serial.eq(serial)))).execute(c),
        None => diesel::delete(other_keys::table.filter(other_keys::actor_id.eq(actor))).execute(c),
    })
    .map(|_| ())
}

fn replace(db: &mut Db<'_>, actor: ActorId, keys: &[KeyRow]) -> Queried<()> {
    on!(db, c => diesel::delete(actor_keys::table.filter(actor_keys::actor_id.eq(Some(actor)))).execute(c))?;
    keys.iter().try_for_each(|key| actors::insert_key(db, key))
}

/// The document of the actor changed; also for what is kept of it.
fn touch(db: &mut Db<'_>, actor: ActorId, now: Timestamp) -> Queried<()> {
    on!(db, c => diesel::update(actors_table::table.find(actor)).set(actors_table::updated_at.eq(now)).execute(c))
        .map(|_| ())
}
