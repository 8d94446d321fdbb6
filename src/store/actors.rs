//! Agencies, actors and their sealed keys.

use std::collections::HashMap;

use diesel::prelude::*;

use crate::actor::{Actor, ActorKind, Agency, Handle, Language};
use crate::ids::{ActorId, AgencyId, KeyRowId, PostId};
use crate::on;
use crate::store::first::FirstRow as _;
use crate::store::schema::{actor_keys, actors, agencies, posts};
use crate::store::{Db, Queried, continuity, from_json, odd_row, rotations, to_json};
use crate::time::Timestamp;
use crate::urls::{ActorUrl, Base};

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
    /// The root under which its new actors get their ids; `None` is `server.public_url`.
    pub host: Option<String>,
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
        .set((
            agencies::domain.eq(&row.domain),
            agencies::provisioned.eq(row.provisioned),
            agencies::host.eq(&row.host),
        ))
        .returning(agencies::id)
        .get_result(c))
}

/// All agencies by name.
pub fn list_agencies(db: &mut Db<'_>) -> Queried<Vec<AgencyRow>> {
    on!(db, c => agencies::table.order(agencies::name).load(c))
}

/// The agency of that name.
pub fn agency_by_name(db: &mut Db<'_>, name: &str) -> Queried<Option<AgencyRow>> {
    on!(db, c => agencies::table.filter(agencies::name.eq(name)).first_row(c).optional())
}

/// Adds an actor with its keys.
pub fn insert(db: &mut Db<'_>, actor: &Actor, provisioned: bool, keys: &[KeyRow]) -> Queried<()> {
    let row = ActorRow { handle: stored_handle(db, actor)?, ..row_of(actor, provisioned)? };
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
            .filter(actors::id.eq(id)).first_row(c).optional())?;
    found.map(|(actor, agency)| complete(db, actor, agency)).transpose()
}

/// Whether there is an actor with that id.
pub fn exists(db: &mut Db<'_>, id: ActorId) -> Queried<bool> {
    let n: i64 = on!(db, c => actors::table.filter(actors::id.eq(id)).count().get_result(c))?;
    Ok(n > 0)
}

/// Whether an actor was made from the configuration file.
pub fn is_provisioned(db: &mut Db<'_>, id: ActorId) -> Queried<bool> {
    on!(db, c => actors::table.find(id).select(actors::provisioned).first_row(c))
}

/// Every actor with that local part; at most one at a domain, and at most one on a host.
pub fn all_by_handle(db: &mut Db<'_>, name: &str) -> Queried<Vec<Actor>> {
    let further = format!("{}@%", name.replace('_', "\\_"));
    let ids: Vec<ActorId> = on!(db, c => actors::table
        .filter(actors::handle.eq(name).or(actors::handle.like(&further).escape('\\')))
        .order(actors::id)
        .select(actors::id)
        .load(c))?;
    ids.into_iter().filter_map(|id| by_id(db, id).transpose()).collect()
}

/// The id, the id on the wire and the domain of the handle of every actor.
pub fn places(db: &mut Db<'_>) -> Queried<Vec<(ActorId, ActorUrl, String)>> {
    let rows: Vec<(ActorId, String, String)> = on!(db, c => actors::table
        .select((actors::id, actors::url, actors::handle_domain))
        .order(actors::id)
        .load(c))?;
    rows.into_iter().map(|(id, url, domain)| Ok((id, odd_row(ActorUrl::parse(&url))?, domain))).collect()
}

/// The root that an actor's URLs are under.
pub fn root_of(db: &mut Db<'_>, actor: ActorId) -> Queried<Option<Base>> {
    let url: Option<String> = on!(db, c => actors::table.find(actor).select(actors::url).first_row(c).optional())?;
    url.map(|url| Ok(odd_row(ActorUrl::parse(&url))?.base())).transpose()
}

/// The root that the URLs of each of these posts are under.
pub fn roots_of_posts(db: &mut Db<'_>, ids: &[PostId]) -> Queried<HashMap<PostId, Base>> {
    let rows: Vec<(PostId, String)> = on!(db, c => posts::table
        .inner_join(actors::table.on(actors::id.eq(posts::actor_id)))
        .filter(posts::id.eq_any(ids))
        .select((posts::id, actors::url))
        .load(c))?;
    rows.into_iter().map(|(id, url)| Ok((id, odd_row(ActorUrl::parse(&url))?.base()))).collect()
}

/// Gives an actor another local part; its id, URL and keys stay.
pub fn rename(db: &mut Db<'_>, actor: &Actor) -> Queried<()> {
    let stored = stored_handle(db, actor)?;
    on!(db, c => diesel::update(actors::table.find(actor.id))
        .set((actors::handle.eq(stored), actors::updated_at.eq(actor.updated_at)))
        .execute(c))
    .map(|_| ())
}

/// The document of an actor has changed.
pub fn touch(db: &mut Db<'_>, actor: ActorId, at: Timestamp) -> Queried<()> {
    on!(db, c => diesel::update(actors::table.find(actor)).set(actors::updated_at.eq(at)).execute(c)).map(|_| ())
}

/// The local part as it is stored. The column is unique: a second actor with the same local part, which is at another domain
/// and on another host, stands there with its host behind it.
fn stored_handle(db: &mut Db<'_>, actor: &Actor) -> Queried<String> {
    let name = actor.handle.as_str();
    let taken: i64 = on!(db, c => actors::table
        .filter(actors::handle.eq(name).and(actors::id.ne(actor.id))).count().get_result(c))?;
    Ok(if taken == 0 { name.to_owned() } else { format!("{name}@{}", actor.url.authority()) })
}

/// The actor with that handle, the first one where several have it: see [`named`].
pub fn by_handle(db: &mut Db<'_>, handle: &str) -> Queried<Option<Actor>> {
    Ok(named(db, handle)?.into_iter().next())
}

/// The actors with that handle: the local part alone, or with its domain or the host of its id, which at most one has.
pub fn named(db: &mut Db<'_>, handle: &str) -> Queried<Vec<Actor>> {
    let handle = handle.trim_start_matches('@');
    let (name, domain) = handle.split_once('@').map_or((handle, None), |(name, domain)| (name, Some(domain)));
    let there = |actor: &Actor| match domain {
        Some(domain) => actor.handle_domain.eq_ignore_ascii_case(domain) || actor.url.authority() == domain,
        None => true,
    };
    Ok(all_by_handle(db, name)?.into_iter().filter(there).collect())
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
    let continuity = continuity::of(db, row.id)?;
    let kind: ActorKind = odd_row(serde_json::from_value(serde_json::Value::String(row.kind)))?;
    Ok(Actor {
        id: row.id,
        agency: Agency { id: agency.id, name: agency.name, domain: agency.domain },
        handle: odd_row(Handle::parse(row.handle.split('@').next().unwrap_or_default()))?,
        handle_domain: row.handle_domain,
        kind,
        language: odd_row(Language::parse(&row.language))?,
        profile: from_json(&row.profile)?,
        url: odd_row(ActorUrl::parse(&row.url))?,
        keys,
        continuity,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}
