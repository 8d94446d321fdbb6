//! Targets: accounts on other servers to which posts go too. One process works on a target at a time: `lease_until` is the lease's end,
//! and how it is told from a later one. `due_at` is none where nothing is owed.

use diesel::dsl::count_star;
use diesel::prelude::*;

use crate::ids::{ActorId, AgencyId, TargetId};
use crate::on;
use crate::store::first::FirstRow as _;
use crate::store::schema::{target_deliveries as d, targets as t};
use crate::store::{Db, Queried};
use crate::target::limits::Limits;
use crate::target::{Account, Visibility};
use crate::time::Timestamp;

/// Longest text about what is wrong that is kept, in characters.
pub const WHY_CHARS_MAX: usize = 600;

/// A target.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = t)]
pub struct Target {
    /// Its id.
    pub id: TargetId,
    /// Its name, unique among those that were not removed.
    pub name: String,
    /// Whose it is.
    pub agency_id: AgencyId,
    /// Whose posts go there; `None` is every actor of the agency.
    pub actor_id: Option<ActorId>,
    /// What it is.
    pub kind: String,
    /// The server, without a path.
    pub url: String,
    /// Who sees what is said there.
    pub visibility: String,
    /// Whether it is in use.
    pub enabled: bool,
    /// Whether it stands in the configuration file.
    pub provisioned: bool,
    /// The access token, sealed.
    pub sealed: Option<Vec<u8>>,
    /// [`Account`], as JSON: of whom the token is.
    pub account: Option<String>,
    /// [`Limits`], as JSON: what the server takes.
    pub limits: Option<String>,
    /// When the server said so.
    pub limits_at: Option<Timestamp>,
    /// Why nothing is sent until somebody does something about it.
    pub resting: Option<String>,
    /// Since when.
    pub resting_since: Option<Timestamp>,
    /// Failures in a row.
    pub failures: i32,
    /// Since when it fails.
    pub failing_since: Option<Timestamp>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When the server last did what it was asked.
    pub last_ok_at: Option<Timestamp>,
    /// When something is to be sent.
    pub due_at: Option<Timestamp>,
    /// The end of the lease.
    pub lease_until: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was removed.
    pub removed_at: Option<Timestamp>,
}

impl Target {
    /// Of whom the token is, as far as it is known.
    pub fn account(&self) -> Option<Account> {
        serde_json::from_str(self.account.as_deref()?).ok()
    }

    /// What the server takes, as far as it is known.
    pub fn limits(&self) -> Option<Limits> {
        serde_json::from_str(self.limits.as_deref()?).ok()
    }

    /// Who sees what is said there.
    pub fn visibility(&self) -> Visibility {
        Visibility::parse(&self.visibility).unwrap_or_default()
    }
}

fn short(why: &str) -> String {
    why.chars().take(WHY_CHARS_MAX).collect()
}

/// All targets that were not removed, by name.
pub fn list(db: &mut Db<'_>) -> Queried<Vec<Target>> {
    on!(db, c => t::table.filter(t::removed_at.is_null()).order(t::name).select(Target::as_select()).load(c))
}

/// The target of that name that was not removed.
pub fn by_name(db: &mut Db<'_>, name: &str) -> Queried<Option<Target>> {
    on!(db, c => t::table
        .filter(t::removed_at.is_null().and(t::name.eq(name)))
        .select(Target::as_select())
        .first_row(c)
        .optional())
}

/// The target with that id.
pub fn by_id(db: &mut Db<'_>, id: TargetId) -> Queried<Option<Target>> {
    on!(db, c => t::table.find(id).select(Target::as_select()).first_row(c).optional())
}

/// Adds a target.
pub fn insert(db: &mut Db<'_>, row: &Target) -> Queried<()> {
    on!(db, c => diesel::insert_into(t::table).values(row).execute(c)).map(|_| ())
}

/// Changes what people say of a target: whose it is, who sees it, whether it is in use, by whom it is kept.
pub fn change(db: &mut Db<'_>, row: &Target, now: Timestamp) -> Queried<()> {
    on!(db, c => diesel::update(t::table.find(row.id))
        .set((
            t::agency_id.eq(row.agency_id),
            t::actor_id.eq(row.actor_id),
            t::visibility.eq(&row.visibility),
            t::enabled.eq(row.enabled),
            t::provisioned.eq(row.provisioned),
        ))
        .execute(c))?;
    hurry(db, row.id, now)
}

/// Gives a target another token: what rested goes on at once.
pub fn set_token(db: &mut Db<'_>, id: TargetId, sealed: &[u8], now: Timestamp) -> Queried<()> {
    on!(db, c => diesel::update(t::table.find(id))
        .set((
            t::sealed.eq(Some(sealed)),
            t::resting.eq(None::<String>),
            t::resting_since.eq(None::<Timestamp>),
            t::failures.eq(0),
            t::failing_since.eq(None::<Timestamp>),
        ))
        .execute(c))?;
    hurry(db, id, now)
}

/// Has what a target is owed sent at once, if there is anything.
pub fn hurry(db: &mut Db<'_>, id: TargetId, now: Timestamp) -> Queried<()> {
    lock(db, id)?;
    let due = owes(db, id)?.then_some(now);
    on!(db, c => diesel::update(t::table.find(id)).set(t::due_at.eq(due)).execute(c)).map(|_| ())
}

/// Removes a target: its token is forgotten, its receipts stay.
pub fn remove(db: &mut Db<'_>, id: TargetId, now: Timestamp) -> Queried<()> {
    on!(db, c => diesel::update(t::table.find(id))
        .set((
            t::removed_at.eq(Some(now)),
            t::enabled.eq(false),
            t::sealed.eq(None::<Vec<u8>>),
            t::due_at.eq(None::<Timestamp>),
            t::lease_until.eq(Timestamp(0)),
        ))
        .execute(c))
    .map(|_| ())
}

/// Of whom the token is, as the server said.
pub fn set_account(db: &mut Db<'_>, id: TargetId, account: &str) -> Queried<()> {
    on!(db, c => diesel::update(t::table.find(id)).set(t::account.eq(Some(account))).execute(c)).map(|_| ())
}

/// What the server takes, as it said.
pub fn set_limits(db: &mut Db<'_>, id: TargetId, limits: &str, at: Timestamp) -> Queried<()> {
    on!(db, c => diesel::update(t::table.find(id))
        .set((t::limits.eq(Some(limits)), t::limits_at.eq(Some(at))))
        .execute(c))
    .map(|_| ())
}

/// Leases a target that is due, if there is one.
pub fn claim(db: &mut Db<'_>, now: Timestamp, until: Timestamp) -> Queried<Option<Target>> {
    let due = || t::due_at.le(Some(now)).and(t::lease_until.le(now)).and(t::removed_at.is_null()).and(t::enabled);
    let row: Option<Target> = on!(db, c => t::table
        .filter(due())
        .order(t::due_at)
        .select(Target::as_select())
        .first_row(c)
        .optional())?;
    let Some(row) = row else { return Ok(None) };
    let won = on!(db, c => diesel::update(t::table.filter(t::id.eq(row.id)).filter(due()))
        .set(t::lease_until.eq(until))
        .execute(c))?;
    Ok((won == 1).then_some(Target { lease_until: until, ..row }))
}

/// Keeps a lease until then. `false` when it is another's, or the target was removed or put out of use.
pub fn keep(db: &mut Db<'_>, row: &Target, until: Timestamp) -> Queried<bool> {
    let ours = t::id.eq(row.id).and(t::lease_until.eq(row.lease_until)).and(t::enabled);
    on!(db, c => diesel::update(t::table.filter(ours)).set(t::lease_until.eq(until)).execute(c)).map(|n| n == 1)
}

/// Whether the lease of a target is this process's. On PostgreSQL the target is locked until the transaction ends.
pub fn holds(db: &mut Db<'_>, row: &Target) -> Queried<bool> {
    Ok(lock(db, row.id)? == Some(row.lease_until))
}

/// Locks a target until the transaction ends, so that "nothing is owed any more" and "something more is owed" cannot miss each other.
pub(super) fn lock(db: &mut Db<'_>, id: TargetId) -> Queried<Option<Timestamp>> {
    let query = t::table.find(id).select(t::lease_until);
    match db {
        Db::Lite(c) => query.first_row(&mut **c).optional(),
        Db::Pg(c) => query.for_update().first(&mut **c).optional(),
    }
}

fn owes(db: &mut Db<'_>, id: TargetId) -> Queried<bool> {
    let owed = d::target_id.eq(id).and(d::state.eq(0));
    on!(db, c => d::table.filter(owed).select(count_star()).first::<i64>(c)).map(|n| n > 0)
}

/// Ends a lease: the target is due again at `next`, if it is still owed something then.
pub fn release(db: &mut Db<'_>, row: &Target, next: Timestamp) -> Queried<()> {
    if !holds(db, row)? {
        return Ok(());
    }
    let due = owes(db, row.id)?.then_some(next);
    on!(db, c => diesel::update(t::table.find(row.id))
        .set((t::lease_until.eq(Timestamp(0)), t::due_at.eq(due)))
        .execute(c))
    .map(|_| ())
}

/// The server did what it was asked.
pub fn succeeded(db: &mut Db<'_>, id: TargetId, at: Timestamp) -> Queried<()> {
    on!(db, c => diesel::update(t::table.find(id))
        .set((
            t::failures.eq(0),
            t::failing_since.eq(None::<Timestamp>),
            t::last_error.eq(None::<String>),
            t::resting.eq(None::<String>),
            t::resting_since.eq(None::<Timestamp>),
            t::last_ok_at.eq(Some(at)),
        ))
        .execute(c))
    .map(|_| ())
}

/// The server did not answer, or wants to be asked later. Gives how often in a row, and since when.
pub fn failed(db: &mut Db<'_>, id: TargetId, why: &str, at: Timestamp) -> Queried<(i32, Timestamp)> {
    let known: (i32, Option<Timestamp>) =
        on!(db, c => t::table.find(id).select((t::failures, t::failing_since)).first_row(c))?;
    let (failures, since) = (known.0.saturating_add(1), known.1.unwrap_or(at));
    on!(db, c => diesel::update(t::table.find(id))
        .set((t::failures.eq(failures), t::failing_since.eq(Some(since)), t::last_error.eq(Some(short(why)))))
        .execute(c))?;
    Ok((failures, since))
}

/// Nothing is sent until somebody does something about it. Returns whether that is news.
pub fn rest(db: &mut Db<'_>, id: TargetId, why: &str, at: Timestamp) -> Queried<bool> {
    let before: Option<String> = on!(db, c => t::table.find(id).select(t::resting).first_row(c))?;
    let since = on!(db, c => t::table.find(id).select(t::resting_since).first::<Option<Timestamp>>(c))?;
    on!(db, c => diesel::update(t::table.find(id))
        .set((t::resting.eq(Some(short(why))), t::resting_since.eq(Some(since.unwrap_or(at)))))
        .execute(c))?;
    Ok(before.is_none())
}

/// Ends every lease. Only for a process that is alone on its database.
pub fn free_all(db: &mut Db<'_>) -> Queried<()> {
    on!(db, c => diesel::update(t::table.filter(t::lease_until.gt(Timestamp(0))))
        .set(t::lease_until.eq(Timestamp(0)))
        .execute(c))
    .map(|_| ())
}

/// Targets that stand in the configuration file no more are put out of use. Returns their names.
pub fn retire_missing(db: &mut Db<'_>, named: &[String]) -> Queried<Vec<String>> {
    let known: Vec<(TargetId, String)> = on!(db, c => t::table
        .filter(t::provisioned.and(t::removed_at.is_null()))
        .select((t::id, t::name))
        .load(c))?;
    let missing: Vec<_> = known.into_iter().filter(|(_, name)| !named.contains(name)).collect();
    for (id, _) in &missing {
        on!(db, c => diesel::update(t::table.find(id))
            .set((t::provisioned.eq(false), t::enabled.eq(false)))
            .execute(c))?;
    }
    Ok(missing.into_iter().map(|(_, name)| name).collect())
}
