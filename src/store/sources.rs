//! Sources: their settings, what the last poll left behind, and when the next one is due.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use crate::actor::Language;
use crate::ids::{ActorId, SourceId};
use crate::on;
use crate::post::compose::ComposeSettings;
use crate::post::policy::SourcePolicy;
use crate::source::schedule::Schedule;
use crate::source::span::Span;
use crate::store::first::FirstRow as _;
use crate::store::listen::{self, Topic};
use crate::store::schema::sources;
use crate::store::{Db, Queried, from_json, to_json};
use crate::time::Timestamp;

/// What an operator set for a source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// When to poll.
    pub schedule: Schedule,
    /// What it may do by itself.
    pub policy: SourcePolicy,
    /// How its items become text.
    pub compose: ComposeSettings,
    /// Language of items that do not say.
    pub language: Option<Language>,
    /// What the connector itself wants to know.
    pub connector: serde_json::Value,
    /// How its system signs what it pushes, where it is not as usual for the kind. This and what follows is stored only where it
    /// is used, for the sake of an older program beside this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<serde_json::Value>,
    /// Whether it is neither polled nor takes anything.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
    /// Whether the hub that its document names is not asked to tell of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub websub_off: bool,
    /// How old its newest item may grow before it is told as stale; `None` finds out by how often it has had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_after: Option<Span>,
}

/// A source.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Its id.
    pub id: SourceId,
    /// Its name, unique.
    pub name: String,
    /// The actor that it feeds.
    pub actor_id: ActorId,
    /// The kind of its connector.
    pub kind: String,
    /// What an operator set.
    pub settings: Settings,
    /// Where it stands.
    pub progress: Progress,
}

/// Where a source stands: what the polls so far left behind.
#[derive(Debug, Clone, PartialEq, Eq, Default, Queryable, Selectable, AsChangeset, serde::Serialize)]
#[diesel(table_name = sources)]
#[diesel(treat_none_as_null = true)]
pub struct Progress {
    /// `ETag`, byte for byte as the server sent it.
    pub etag: Option<String>,
    /// `Last-Modified`, byte for byte.
    pub last_modified: Option<String>,
    /// Version of the reader that the validators were got with.
    pub reader: i32,
    /// What the last document that was read asked of those who poll it, as JSON.
    pub politeness: Option<String>,
    /// The usual time between items, in milliseconds.
    pub usual_interval: Option<i64>,
    /// When the first poll stored what was there already.
    pub baseline_at: Option<Timestamp>,
    /// When it was last polled.
    pub polled_at: Option<Timestamp>,
    /// When a poll last went well.
    pub ok_at: Option<Timestamp>,
    /// When it last had a new or changed item.
    pub newest_item_at: Option<Timestamp>,
    /// Failures in a row.
    pub failures: i32,
    /// What went wrong last.
    pub failure: Option<String>,
    /// Why it is polled no more, until an operator says so.
    pub stopped: Option<String>,
    /// Since when it is suspiciously quiet.
    pub stale_since: Option<Timestamp>,
}

#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = sources)]
struct Identity {
    id: SourceId,
    name: String,
    actor_id: ActorId,
    kind: String,
    settings: String,
}

fn complete((identity, progress): (Identity, Progress)) -> Queried<Source> {
    let Identity { id, name, actor_id, kind, settings } = identity;
    Ok(Source { id, name, actor_id, kind, settings: from_json(&settings)?, progress })
}

/// Adds a source, or gives one of that name these settings. Validators are dropped and the source is due at once when what it
/// fetches changed; what was stored of it stays, so nothing is published twice.
pub fn upsert(db: &mut Db<'_>, source: &Source, provisioned: bool, now: Timestamp) -> Queried<SourceId> {
    let settings = to_json(&source.settings)?;
    listen::tell(db, Topic::Schedule)?;
    let Some(known) = by_name(db, &source.name)? else {
        on!(db, c => diesel::insert_into(sources::table)
            .values((
                sources::id.eq(source.id),
                sources::name.eq(&source.name),
                sources::actor_id.eq(source.actor_id),
                sources::kind.eq(&source.kind),
                sources::settings.eq(&settings),
                sources::provisioned.eq(provisioned),
                sources::created_at.eq(now),
                sources::reader.eq(0),
                sources::failures.eq(0),
                sources::due_at.eq(now),
                sources::lease_until.eq(0),
            ))
            .execute(c))?;
        return Ok(source.id);
    };
    on!(db, c => diesel::update(sources::table.find(known.id))
        .set((
            sources::actor_id.eq(source.actor_id),
            sources::kind.eq(&source.kind),
            sources::settings.eq(&settings),
            sources::provisioned.eq(provisioned),
        ))
        .execute(c))?;
    if known.settings != source.settings || known.kind != source.kind {
        on!(db, c => diesel::update(sources::table.find(known.id))
            .set((
                sources::etag.eq(None::<String>),
                sources::last_modified.eq(None::<String>),
                sources::stopped.eq(None::<String>),
                sources::failures.eq(0),
                sources::due_at.eq(now),
            ))
            .execute(c))?;
    }
    Ok(known.id)
}

/// All sources by name.
pub fn list(db: &mut Db<'_>) -> Queried<Vec<Source>> {
    let rows: Vec<(Identity, Progress)> = on!(db, c => sources::table
        .select((Identity::as_select(), Progress::as_select()))
        .order(sources::name)
        .load(c))?;
    rows.into_iter().map(complete).collect()
}

/// The source of that name.
pub fn by_name(db: &mut Db<'_>, name: &str) -> Queried<Option<Source>> {
    let row: Option<(Identity, Progress)> = on!(db, c => sources::table
        .filter(sources::name.eq(name))
        .select((Identity::as_select(), Progress::as_select()))
        .first_row(c)
        .optional())?;
    row.map(complete).transpose()
}

/// Whether an actor has a source of one of these kinds that is in use.
pub fn feeds_by(db: &mut Db<'_>, actor: ActorId, kinds: &[&str]) -> Queried<bool> {
    let found: Vec<String> = on!(db, c => sources::table
        .filter(sources::actor_id.eq(actor).and(sources::kind.eq_any(kinds.to_vec())))
        .select(sources::settings)
        .load(c))?;
    let settings: Vec<Settings> = found.iter().map(|text| from_json(text)).collect::<Queried<_>>()?;
    Ok(settings.iter().any(|settings| !settings.disabled))
}

/// Whether a source of that name was made from the configuration file.
pub fn is_provisioned(db: &mut Db<'_>, name: &str) -> Queried<bool> {
    let found: Option<bool> = on!(db, c => sources::table.filter(sources::name.eq(name)).select(sources::provisioned).first_row(c).optional())?;
    Ok(found.unwrap_or(false))
}

/// The source with that id.
pub fn by_id(db: &mut Db<'_>, id: SourceId) -> Queried<Option<Source>> {
    let row: Option<(Identity, Progress)> = on!(db, c => sources::table
        .find(id)
        .select((Identity::as_select(), Progress::as_select()))
        .first_row(c)
        .optional())?;
    row.map(complete).transpose()
}

/// Leases a source that is due, if there is one: no other process polls it until the lease ends.
pub fn lease_due(db: &mut Db<'_>, now: Timestamp, until: Timestamp) -> Queried<Option<Source>> {
    let due: Option<SourceId> = on!(db, c => sources::table
        .filter(sources::due_at.le(now).and(sources::lease_until.le(now)).and(sources::stopped.is_null()))
        .order(sources::due_at)
        .select(sources::id)
        .first_row(c)
        .optional())?;
    let Some(id) = due else { return Ok(None) };
    let won = on!(db, c => diesel::update(sources::table.filter(
            sources::id.eq(id).and(sources::due_at.le(now)).and(sources::lease_until.le(now))))
        .set(sources::lease_until.eq(until))
        .execute(c))?;
    if won == 1 { by_id(db, id) } else { Ok(None) }
}

/// Stores where a source stands after a poll that began at `began`, ends the lease and sets the next poll; one that was asked for
/// meanwhile ([`poll_now`]) stays asked for, because what it was to find may have come after this one looked.
pub fn record(db: &mut Db<'_>, id: SourceId, progress: &Progress, began: Timestamp, due_at: Timestamp) -> Queried<()> {
    let asked: Option<Timestamp> = on!(db, c => sources::table
        .filter(sources::id.eq(id).and(sources::lease_until.gt(0)).and(sources::due_at.gt(began)))
        .select(sources::due_at)
        .first_row(c)
        .optional())?;
    on!(db, c => diesel::update(sources::table.find(id))
        .set((progress, sources::due_at.eq(asked.map_or(due_at, |asked| asked.min(due_at))), sources::lease_until.eq(0)))
        .execute(c))
    .map(|_| ())
}

/// Ends the lease of a source at `until`, unless it ends before.
pub fn shorten_lease(db: &mut Db<'_>, id: SourceId, until: Timestamp) -> Queried<()> {
    on!(db, c => diesel::update(sources::table.filter(sources::id.eq(id).and(sources::lease_until.gt(until))))
        .set(sources::lease_until.eq(until))
        .execute(c))
    .map(|_| ())
}

/// Makes a source due now, also one that had stopped. Returns whether there is one of that name.
pub fn poll_now(db: &mut Db<'_>, name: &str, now: Timestamp) -> Queried<bool> {
    listen::tell(db, Topic::Schedule)?;
    on!(db, c => diesel::update(sources::table.filter(sources::name.eq(name)))
        .set((sources::due_at.eq(now), sources::stopped.eq(None::<String>)))
        .execute(c))
    .map(|n| n > 0)
}

/// Makes the sources of these kinds due now, but those that stopped: what they should have pushed while we were away is looked for.
pub fn look_again(db: &mut Db<'_>, kinds: &[&str], now: Timestamp) -> Queried<()> {
    let pushed = sources::kind.eq_any(kinds.to_vec()).and(sources::stopped.is_null()).and(sources::due_at.gt(now));
    on!(db, c => diesel::update(sources::table.filter(pushed)).set(sources::due_at.eq(now)).execute(c)).map(|_| ())
}

/// Ends every lease. Only for a process that is alone on its database.
pub fn free_all(db: &mut Db<'_>) -> Queried<()> {
    on!(db, c => diesel::update(sources::table.filter(sources::lease_until.gt(0))).set(sources::lease_until.eq(0)).execute(c))
        .map(|_| ())
}
