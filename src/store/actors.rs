//! Agencies, actors and their sealed keys.

use diesel::prelude::*;

use crate::actor::{Actor, ActorKind, Agency, Handle, Language};
use crate::ids::{ActorId, AgencyId, KeyRowId};
use crate::on;
use crate::store::schema::{actor_keys, actors, agencies};
use crate::store::{Db, Queried, from_json, odd_row, rotations, to_json};
use crate::time::Timestamp;
use crate::urls::ActorUrl;

/// The `kind` of an RSA key row.
pub const RSA: &str = "rsa";
/// The `kind` of an Ed25519 key row.
pub const ED25519: &str = "ed25519";

/// An agency as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Insertable, Queryable, serde::Serialize)]
#[diesel(table_name = agencies)]
pub struct AgencyRow {
    /// Its id.
    pub id: AgencyId,
    /// Its short name.
    pub name: String,
    /// The domain that a proof must show control of.
    pub domain: String,
    /// Made from the configuration file, so read-only elsewhere.
    pub provisioned: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

#[derive(Debug, Clone, Insertable, Queryable)]
#[diesel(table_name = actors)]
struct ActorRow {
    id: ActorId,
    agency_id: AgencyId,
    handle: String,
    handle_domain: String,
    kind: String,
    language: String,
    profile: String,
    url: String,
    provisioned: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// A key pair whose private half is sealed under the master key.
#[derive(Debug, Clone, Insertable, Queryable)]
#[diesel(table_name = actor_keys)]
pub struct KeyRow {
    /// Its id; the context of the seal.
    pub id: KeyRowId,
    /// Whose it is; `None` for the instance actor.
    pub actor_id: Option<ActorId>,
    /// [`RSA`] or [`ED25519`].
    pub kind: String,
    /// The public half: SPKI PEM, or Multikey.
    pub public: String,
    /// The private half as PKCS#8 DER, sealed.
    pub sealed: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Adds an agency or, when one of that name exists, gives it this domain. Returns the id that it has.
pub fn upsert_agency(db: &mut Db<'_>, row: &AgencyRow) -> Queried<AgencyId> {
    on!(db, c => diesel::insert_into(agencies::table)
        .values(row)
        .on_conflict(agencies::name)
        .do_update()
        .set((agencies::domain.eq(&row.domain), agencies::provisioned.eq(row.provisioned)))
        .returning(agencies::id)
        .get_result(c))
}

/// All agencies by name.
pub fn list_agencies(db: &mut Db<'_>) -> Queried<Vec<AgencyRow>> {
    on!(db, c => agencies::table.order(agencies::name).load(c))
}

/// The agency of that name.
pub fn agency_by_name(db: &mut Db<'_>, name: &str) -> Queried<Option<AgencyRow>> {
    on!(db, c => agencies::table.filter(agencies::name.eq(name)).first(c).optional())
}

/// Adds an actor with its keys.
pub fn insert(db: &mut Db<'_>, actor: &Actor, provisioned: bool, keys: &[KeyRow]) -> Queried<()> {
    let row = row_of(actor, provisioned)?;
    on!(db, c => diesel::insert_into(actors::table).values(&row).execute(c))?;
    keys.iter().try_for_each(|key| insert_key(db, key))
}

/// Adds a key.
pub fn insert_key(db: &mut Db<'_>, key: &KeyRow) -> Queried<()> {
    on!(db, c => diesel::insert_into(actor_keys::table).values(key).execute(c)).map(|_| ())
}

/// Changes what readers see of an actor; its id, URL and keys stay.
pub fn update(db: &mut Db<'_>, actor: &Actor, provisioned: bool) -> Queried<()> {
    let row = row_of(actor, provisioned)?;
    on!(db, c => diesel::update(actors::table.find(actor.id))
        .set((
            actors::agency_id.eq(row.agency_id),
            actors::handle_domain.eq(&row.handle_domain),
            actors::kind.eq(&row.kind),
            actors::language.eq(&row.language),
            actors::profile.eq(&row.profile),
            actors::provisioned.eq(row.provisioned),
            actors::updated_at.eq(row.updated_at),
        ))
        .execute(c))
    .map(|_| ())
}

/// All actors by handle.
pub fn list(db: &mut Db<'_>) -> Queried<Vec<Actor>> {
    let rows: Vec<(ActorRow, AgencyRow)> = on!(db, c => actors::table.inner_join(agencies::table.on(agencies::id.eq(actors::agency_id)))
            .order(actors::handle).load(c))?;
    rows.into_iter().map(|(actor, agency)| complete(db, actor, agency)).collect()
}

/// The actor with that id.
pub fn by_id(db: &mut Db<'_>, id: ActorId) -> Queried<Option<Actor>> {
    let found: Option<(ActorRow, AgencyRow)> = on!(db, c => actors::table.inner_join(agencies::table.on(agencies::id.eq(actors::agency_id)))
            .filter(actors::id.eq(id)).first(c).optional())?;
    found.map(|(actor, agency)| complete(db, actor, agency)).transpose()
}

/// Whether there is an actor with that id.
pub fn exists(db: &mut Db<'_>, id: ActorId) -> Queried<bool> {
    let n: i64 = on!(db, c => actors::table.filter(actors::id.eq(id)).count().get_result(c))?;
    Ok(n > 0)
}

/// Whether an actor was made from the configuration file.
pub fn is_provisioned(db: &mut Db<'_>, id: ActorId) -> Queried<bool> {
    on!(db, c => actors::table.find(id).select(actors::provisioned).first(c))
}

/// The actor with that handle.
pub fn by_handle(db: &mut Db<'_>, handle: &str) -> Queried<Option<Actor>> {
    let id: Option<ActorId> =
        on!(db, c => actors::table.filter(actors::handle.eq(handle)).select(actors::id).first(c).optional())?;
    id.map_or(Ok(None), |id| by_id(db, id))
}

/// The keys by which an actor signs, or the instance actor when `actor` is `None`: one of each kind.
pub fn keys(db: &mut Db<'_>, actor: Option<ActorId>) -> Queried<Vec<KeyRow>> {
    on!(db, c => match actor {
        Some(actor) => actor_keys::table.filter(actor_keys::actor_id.eq(Some(actor))).load(c),
        None => actor_keys::table.filter(actor_keys::actor_id.is_null()).load(c),
    })
}

/// The public half of the key of a kind.
pub fn public_half(keys: &[KeyRow], kind: &str) -> Option<String> {
    keys.iter().find(|key| key.kind == kind).map(|key| key.public.clone())
}

/// How many actors there are, for NodeInfo.
pub fn count(db: &mut Db<'_>) -> Queried<i64> {
    on!(db, c => actors::table.count().get_result(c))
}

fn row_of(actor: &Actor, provisioned: bool) -> Queried<ActorRow> {
    Ok(ActorRow {
        id: actor.id,
        agency_id: actor.agency.id,
        handle: actor.handle.to_string(),
        handle_domain: actor.handle_domain.clone(),
        kind: actor.kind.name().to_owned(),
        language: actor.language.as_str().to_owned(),
        profile: to_json(&actor.profile)?,
        url: actor.url.to_string(),
        provisioned,
        created_at: actor.created_at,
        updated_at: actor.updated_at,
    })
}

fn complete(db: &mut Db<'_>, row: ActorRow, agency: AgencyRow) -> Queried<Actor> {
    let keys = rotations::public_keys(db, row.id)?.ok_or(diesel::result::Error::NotFound)?;
    let kind: ActorKind = odd_row(serde_json::from_value(serde_json::Value::String(row.kind)))?;
    Ok(Actor {
        id: row.id,
        agency: Agency { id: agency.id, name: agency.name, domain: agency.domain },
        handle: odd_row(Handle::parse(&row.handle))?,
        handle_domain: row.handle_domain,
        kind,
        language: odd_row(Language::parse(&row.language))?,
        profile: from_json(&row.profile)?,
        url: odd_row(ActorUrl::parse(&row.url))?,
        keys,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}
