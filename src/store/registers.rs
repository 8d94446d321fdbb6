//! Registers, what they say, and which organisation an agency is there. The entries of a new reading are written beside those of
//! the one before, in portions; they take its place in one transaction, [`finish`].

use diesel::prelude::*;

use crate::ids::AgencyId;
use crate::on;
use crate::register::judge::{Known, Listed, Said, Source};
use crate::register::{Counts, Entry, domain, find};
use crate::store::first::FirstRow as _;
use crate::store::schema::{agency_organisations, register_entries, registers};
use crate::store::{BINDS_MAX, Db, Queried};
use crate::time::Timestamp;

/// Values that one entry binds.
const BINDS_PER_ENTRY: usize = 8;
/// Rows that are deleted in one statement.
const DELETED_MAX: i64 = 20_000;

const DOMAIN: i16 = 0;
const ORGANISATION: i16 = 1;
const ACCOUNT: i16 = 2;

/// A register as the configuration names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Its name here.
    pub name: String,
    /// The name of its form.
    pub kind: String,
    /// Where it is: a file or an https URL.
    pub place: String,
    /// How often it is read, in milliseconds.
    pub every_ms: i64,
}

/// A register and how its last readings went.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, serde::Serialize)]
pub struct Row {
    /// Its name here.
    pub name: String,
    /// The name of its form.
    pub kind: String,
    /// Where it is: a file or an https URL.
    pub place: String,
    /// How often it is read, in milliseconds.
    pub every_ms: i64,
    /// Which of its entries count; 0 before any were read.
    pub generation: i64,
    /// How many there are.
    pub entries: i64,
    /// How many were left out, because they are no domain and no address.
    pub odd: i64,
    /// SHA-256 of it, lower-case hex.
    pub sha256: Option<String>,
    /// Its validators, for asking whether it changed.
    #[serde(skip)]
    pub etag: Option<String>,
    /// As before.
    #[serde(skip)]
    pub last_modified: Option<String>,
    /// When it was last read well, or found unchanged.
    pub read_at: Option<Timestamp>,
    /// When it was last looked for.
    pub checked_at: Option<Timestamp>,
    /// Why the last reading failed; the entries of the one before still count.
    pub failure: Option<String>,
    /// When it is looked for next.
    pub due_at: Timestamp,
    /// Until when a process has it.
    #[serde(skip)]
    pub lease_until: Timestamp,
}

/// A reading that went well.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reading {
    /// SHA-256 of what was read, lower-case hex.
    pub sha256: String,
    /// `ETag` of the answer.
    pub etag: Option<String>,
    /// `Last-Modified` of the answer.
    pub last_modified: Option<String>,
    /// How much was read.
    pub counts: Counts,
}

#[derive(Insertable)]
#[diesel(table_name = register_entries)]
struct EntryRow<'e> {
    register: &'e str,
    generation: i64,
    n: i64,
    kind: i16,
    key: &'e str,
    organisation: Option<&'e str>,
    name: Option<&'e str>,
    at: Option<Timestamp>,
}

/// All registers by name.
pub fn list(db: &mut Db<'_>) -> Queried<Vec<Row>> {
    on!(db, c => registers::table.order(registers::name).load(c))
}

/// Which reading of each register counts.
pub fn generations(db: &mut Db<'_>) -> Queried<Vec<(String, i64)>> {
    on!(db, c => registers::table.order(registers::name).select((registers::name, registers::generation)).load(c))
}

/// The register of that name.
pub fn by_name(db: &mut Db<'_>, name: &str) -> Queried<Option<Row>> {
    on!(db, c => registers::table.find(name).first_row(c).optional())
}

/// Adds a register, or changes it; one that is in another place or of another form is due now. One of another form has no entries
/// any more.
pub fn set(db: &mut Db<'_>, plan: &Plan, now: Timestamp) -> Queried<()> {
    let known = by_name(db, &plan.name)?;
    let Some(known) = known else {
        return on!(db, c => diesel::insert_into(registers::table)
            .values((
                registers::name.eq(&plan.name),
                registers::kind.eq(&plan.kind),
                registers::place.eq(&plan.place),
                registers::every_ms.eq(plan.every_ms),
                registers::due_at.eq(now),
            ))
            .on_conflict_do_nothing()
            .execute(c))
        .map(|_| ());
    };
    if known.kind != plan.kind {
        on!(db, c => diesel::update(registers::table.find(&plan.name))
            .set((registers::generation.eq(0), registers::entries.eq(0), registers::read_at.eq(None::<Timestamp>)))
            .execute(c))?;
    }
    let moved = known.kind != plan.kind || known.place != plan.place;
    let due_at = if moved || known.every_ms != plan.every_ms { now } else { known.due_at };
    let (etag, last_modified) = if moved { (None, None) } else { (known.etag, known.last_modified) };
    let sha256 = if moved { None } else { known.sha256 };
    on!(db, c => diesel::update(registers::table.find(&plan.name))
        .set((
            registers::kind.eq(&plan.kind),
            registers::place.eq(&plan.place),
            registers::every_ms.eq(plan.every_ms),
            registers::etag.eq(&etag),
            registers::last_modified.eq(&last_modified),
            registers::sha256.eq(&sha256),
            registers::due_at.eq(due_at),
        ))
        .execute(c))
    .map(|_| ())
}

/// Forgets a register and all that it said.
pub fn forget(db: &mut Db<'_>, name: &str) -> Queried<()> {
    on!(db, c => diesel::delete(register_entries::table.filter(register_entries::register.eq(name))).execute(c))?;
    on!(db, c => diesel::delete(registers::table.find(name)).execute(c)).map(|_| ())
}

/// Whether there is a register that is due.
pub fn is_due(db: &mut Db<'_>, now: Timestamp) -> Queried<bool> {
    let due = registers::table.filter(registers::due_at.le(now).and(registers::lease_until.le(now)));
    on!(db, c => diesel::select(diesel::dsl::exists(due)).get_result(c))
}

/// Leases a register that is due, if there is one.
pub fn lease_due(db: &mut Db<'_>, now: Timestamp, until: Timestamp) -> Queried<Option<Row>> {
    let due: Option<Row> = on!(db, c => registers::table
        .filter(registers::due_at.le(now).and(registers::lease_until.le(now)))
        .order(registers::due_at)
        .first_row(c)
        .optional())?;
    let Some(row) = due else { return Ok(None) };
    let won = on!(db, c => diesel::update(registers::table.filter(
            registers::name.eq(&row.name).and(registers::due_at.le(now)).and(registers::lease_until.le(now))))
        .set(registers::lease_until.eq(until))
        .execute(c))?;
    Ok((won == 1).then_some(row))
}

/// Leases that register, due or not; `false` while another process has it.
pub fn lease(db: &mut Db<'_>, name: &str, now: Timestamp, until: Timestamp) -> Queried<bool> {
    on!(db, c => diesel::update(registers::table.filter(registers::name.eq(name).and(registers::lease_until.le(now))))
        .set(registers::lease_until.eq(until))
        .execute(c))
    .map(|won| won == 1)
}

/// Ends every lease. Only for a process that is alone on its database.
pub fn free_all(db: &mut Db<'_>) -> Queried<()> {
    on!(db, c => diesel::update(registers::table.filter(registers::lease_until.gt(0)))
        .set(registers::lease_until.eq(0))
        .execute(c))
    .map(|_| ())
}

/// Deletes some entries of a register that do not count. Returns whether there may be more.
pub fn sweep(db: &mut Db<'_>, name: &str) -> Queried<bool> {
    let Some(row) = by_name(db, name)? else { return Ok(false) };
    let old: Option<(i64, i64)> = on!(db, c => register_entries::table
        .filter(register_entries::register.eq(name).and(register_entries::generation.ne(row.generation)))
        .order((register_entries::generation, register_entries::n))
        .select((register_entries::generation, register_entries::n))
        .first(c)
        .optional())?;
    let Some((generation, first)) = old else { return Ok(false) };
    let of = register_entries::register.eq(name).and(register_entries::generation.eq(generation));
    on!(db, c => diesel::delete(register_entries::table.filter(of.and(register_entries::n.lt(first + DELETED_MAX))))
        .execute(c))?;
    Ok(true)
}

/// Adds entries of a reading that does not count yet; `first` is the number of the first of them.
pub fn add(db: &mut Db<'_>, register: &str, generation: i64, first: i64, entries: &[Entry]) -> Queried<()> {
    let numbered: Vec<(i64, &Entry)> = (first..).zip(entries).collect();
    for portion in numbered.chunks(BINDS_MAX / BINDS_PER_ENTRY) {
        let rows: Vec<EntryRow<'_>> = portion.iter().map(|(n, entry)| row(register, generation, *n, entry)).collect();
        on!(db, c => diesel::insert_into(register_entries::table).values(&rows).execute(c))?;
    }
    Ok(())
}

fn row<'e>(register: &'e str, generation: i64, n: i64, entry: &'e Entry) -> EntryRow<'e> {
    let bare = EntryRow { register, generation, n, kind: DOMAIN, key: "", organisation: None, name: None, at: None };
    match entry {
        Entry::Domain { domain, organisation, withdrawn_at } => {
            EntryRow { key: domain, organisation: organisation.as_deref(), at: *withdrawn_at, ..bare }
        }
        Entry::Organisation { uri, name, ends_at } => {
            EntryRow { kind: ORGANISATION, key: uri, name: Some(name), at: *ends_at, ..bare }
        }
        Entry::Account { url, organisation } => {
            EntryRow { kind: ACCOUNT, key: url, organisation: Some(organisation), ..bare }
        }
    }
}

/// Lets the entries of that generation count, and no others, and ends the lease.
pub fn finish(
    db: &mut Db<'_>,
    name: &str,
    generation: i64,
    reading: &Reading,
    now: Timestamp,
    due_at: Timestamp,
) -> Queried<()> {
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    on!(db, c => diesel::update(registers::table.find(name))
        .set((
            registers::generation.eq(generation),
            registers::entries.eq(count(reading.counts.entries)),
            registers::odd.eq(count(reading.counts.odd)),
            registers::sha256.eq(&reading.sha256),
            registers::etag.eq(&reading.etag),
            registers::last_modified.eq(&reading.last_modified),
            registers::read_at.eq(now),
            registers::checked_at.eq(now),
            registers::failure.eq(None::<String>),
            registers::due_at.eq(due_at),
            registers::lease_until.eq(0),
        ))
        .execute(c))
    .map(|_| ())
}

/// Notes that the register is as it was.
pub fn unchanged(db: &mut Db<'_>, name: &str, now: Timestamp, due_at: Timestamp) -> Queried<()> {
    on!(db, c => diesel::update(registers::table.find(name))
        .set((
            registers::read_at.eq(now),
            registers::checked_at.eq(now),
            registers::failure.eq(None::<String>),
            registers::due_at.eq(due_at),
            registers::lease_until.eq(0),
        ))
        .execute(c))
    .map(|_| ())
}

/// Notes why the register could not be read; its entries stay.
pub fn failed(db: &mut Db<'_>, name: &str, failure: &str, now: Timestamp, due_at: Timestamp) -> Queried<()> {
    on!(db, c => diesel::update(registers::table.find(name))
        .set((
            registers::checked_at.eq(now),
            registers::failure.eq(failure),
            registers::due_at.eq(due_at),
            registers::lease_until.eq(0),
        ))
        .execute(c))
    .map(|_| ())
}

/// All that the registers say about a domain, an organisation and the addresses of an account, which are normalised.
pub fn said(db: &mut Db<'_>, domain: &str, organisation: Option<&str>, accounts: &[String]) -> Queried<Said> {
    let mut said = Said::default();
    for row in list(db)? {
        let Some(kind) = find(&row.kind) else { continue };
        let source = Source {
            name: row.name,
            read_at: row.read_at.filter(|_| row.generation != 0),
            sha256: row.sha256.unwrap_or_default(),
            failure: row.failure,
        };
        said.domain_registers.extend(kind.has_domains().then(|| source.clone()));
        said.account_registers.extend(kind.has_accounts().then_some(source));
    }
    let domains = domain::candidates(domain);
    said.listed = entries(db, DOMAIN, &domains)?
        .into_iter()
        .map(|(register, domain, organisation, _, withdrawn_at)| Listed {
            register,
            domain,
            organisation,
            withdrawn_at,
        })
        .collect();
    let mut uris: Vec<String> = said.listed.iter().filter_map(|listed| listed.organisation.clone()).collect();
    uris.extend(organisation.map(str::to_owned));
    uris.sort();
    uris.dedup();
    said.known = entries(db, ORGANISATION, &uris)?
        .into_iter()
        .map(|(register, uri, _, name, ends_at)| Known { register, uri, name: name.unwrap_or_default(), ends_at })
        .collect();
    said.named = entries(db, ACCOUNT, accounts)?
        .into_iter()
        .filter_map(|(register, _, organisation, _, _)| Some((register, organisation?)))
        .collect();
    Ok(said)
}

type Found = (String, String, Option<String>, Option<String>, Option<Timestamp>);

/// Most entries that are read for one question: more organisations than that do not share a domain.
const FOUND_MAX: i64 = 1_000;

fn entries(db: &mut Db<'_>, kind: i16, keys: &[String]) -> Queried<Vec<Found>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    on!(db, c => register_entries::table
        .inner_join(registers::table.on(registers::name
            .eq(register_entries::register)
            .and(registers::generation.eq(register_entries::generation))))
        .filter(register_entries::kind.eq(kind).and(register_entries::key.eq_any(keys)))
        .order((register_entries::register, register_entries::n))
        .select((
            register_entries::register,
            register_entries::key,
            register_entries::organisation,
            register_entries::name,
            register_entries::at,
        ))
        .limit(FOUND_MAX)
        .load(c))
}

/// As which organisation an agency stands in registers.
pub fn organisation(db: &mut Db<'_>, agency: AgencyId) -> Queried<Option<String>> {
    on!(db, c => agency_organisations::table
        .find(agency)
        .select(agency_organisations::organisation)
        .first_row(c)
        .optional())
}

/// As which organisation each agency stands in registers; those of which that is not said are left out.
pub fn organisations(db: &mut Db<'_>) -> Queried<Vec<(AgencyId, String)>> {
    on!(db, c => agency_organisations::table
        .select((agency_organisations::agency_id, agency_organisations::organisation))
        .load(c))
}

/// Sets it, or takes it away. Returns whether that changes anything.
pub fn set_organisation(db: &mut Db<'_>, agency: AgencyId, wanted: Option<&str>) -> Queried<bool> {
    if organisation(db, agency)?.as_deref() == wanted {
        return Ok(false);
    }
    on!(db, c => diesel::delete(agency_organisations::table.find(agency)).execute(c))?;
    if let Some(uri) = wanted {
        on!(db, c => diesel::insert_into(agency_organisations::table)
            .values((agency_organisations::agency_id.eq(agency), agency_organisations::organisation.eq(uri)))
            .execute(c))?;
    }
    Ok(true)
}
