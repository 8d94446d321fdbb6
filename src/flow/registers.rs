//! Reads registers on their schedule. What was read well stays until the next was read well to its end: a file that breaks off,
//! is of another form, or lost most of its entries never takes its place. That is told, by the log, by `heraut register list` and
//! by metrics.

use std::sync::Arc;
use std::time::Duration;

use openssl::sha::sha256;
use thiserror::Error;
use tokio::sync::mpsc;
use url::Url;

use crate::flow::verify::with_causes;
use crate::flow::{Gateway, now};
use crate::net::Get;
use crate::register::{BYTES_MAX, Counts, Entry, ReadError, Register, find, refusal};
use crate::store::registers::{self, Plan, Reading, Row};
use crate::store::{Db, StoreError, actors, audit, proofs};
use crate::time::Timestamp;

/// How long one process may take to read a register.
const LEASE: Duration = Duration::from_secs(30 * 60);
/// Time for fetching one.
const FETCH_TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// When a register that could not be read is looked for again, at the latest.
const RETRY_AFTER: Duration = Duration::from_secs(15 * 60);
/// Part of the time between two readings that chance may take away.
const JITTER: f64 = 0.1;
/// Entries that are stored in one transaction.
const PORTION: usize = 4_000;
/// Portions that wait to be stored while more is read.
const PORTIONS_MAX: usize = 2;

/// Why a register could not be read.
#[derive(Debug, Error)]
pub enum RegisterError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is none of that name.
    #[error("there is no register `{0}`; `heraut register list` shows those that there are")]
    Unknown(String),
    /// Another process reads it.
    #[error("the register `{0}` is being read by another process; try again in some minutes")]
    Busy(String),
    /// It could not be fetched, or read.
    #[error("the register `{name}` was not read: {problem}; what was read before still counts")]
    Unread {
        /// Its name.
        name: String,
        /// Why, and what can be done.
        problem: String,
    },
}

/// How a reading went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is as it was.
    Unchanged,
    /// It was read anew.
    Read(Counts),
}

/// Makes the registers of the configuration known, and forgets others.
pub async fn provision(gateway: &Gateway, plans: Vec<Plan>) -> Result<(), StoreError> {
    let at = now();
    let known = gateway.store.read("list registers", registers::list).await?;
    let same = |row: &Row| {
        plans.iter().any(|plan| {
            (&plan.name, &plan.kind, &plan.place, plan.every_ms) == (&row.name, &row.kind, &row.place, row.every_ms)
        })
    };
    if known.len() == plans.len() && known.iter().all(same) {
        return Ok(());
    }
    let write = move |db: &mut Db<'_>| {
        for row in registers::list(db)? {
            if !plans.iter().any(|plan| plan.name == row.name) {
                registers::forget(db, &row.name)?;
            }
        }
        plans.iter().try_for_each(|plan| registers::set(db, plan, at))?;
        proofs::make_all_due(db, at)
    };
    gateway.store.write("store the registers", write).await
}

/// Notes as which organisation an agency stands in registers.
pub async fn set_organisation(
    gateway: &Gateway,
    agency: &str,
    organisation: Option<&str>,
    by: &str,
) -> Result<(), StoreError> {
    let (name, wanted, at) = (agency.to_owned(), organisation.map(str::to_owned), now());
    let said = organisation.unwrap_or("none").to_owned();
    let entry = gateway.audit(by, "agency.organisation", format!("agency:{name}"), said);
    let write = move |db: &mut Db<'_>| {
        let Some(agency) = actors::agency_by_name(db, &name)? else { return Ok(()) };
        if registers::set_organisation(db, agency.id, wanted.as_deref())? {
            proofs::make_due(db, agency.id, at)?;
            audit::add(db, &entry)?;
        }
        Ok(())
    };
    gateway.store.write("store the organisation of an agency", write).await
}

/// Reads one register that is due, if there is one.
pub async fn run_due(gateway: &Gateway) {
    let at = now();
    // Looked for without a write: there is rarely one, and mostly there are none at all.
    if gateway
        .store
        .read("look for registers that are due", move |db| registers::is_due(db, at))
        .await
        .is_ok_and(|due| !due)
    {
        return;
    }
    let lease = move |db: &mut Db<'_>| registers::lease_due(db, at, at.after(LEASE));
    let read = match gateway.store.write("lease a register", lease).await {
        Ok(None) => return,
        Ok(Some(row)) => read_leased(gateway, row, false).await.map(|_| ()),
        Err(error) => Err(error.into()),
    };
    if let Err(error) = read {
        tracing::error!(error = &error as &dyn std::error::Error, "a register was not read");
    }
}

/// Reads a register now. With `smaller`, also when it lost most of its entries.
pub async fn read(gateway: &Gateway, name: &str, smaller: bool) -> Result<Outcome, RegisterError> {
    let (at, wanted) = (now(), name.to_owned());
    let lease = move |db: &mut Db<'_>| {
        let Some(row) = registers::by_name(db, &wanted)? else { return Ok(None) };
        Ok(Some((registers::lease(db, &wanted, at, at.after(LEASE))?, row)))
    };
    match gateway.store.write("lease a register", lease).await? {
        None => Err(RegisterError::Unknown(name.to_owned())),
        Some((false, _)) => Err(RegisterError::Busy(name.to_owned())),
        Some((true, row)) => read_leased(gateway, row, smaller).await,
    }
}

async fn read_leased(gateway: &Gateway, row: Row, smaller: bool) -> Result<Outcome, RegisterError> {
    let every = Duration::from_millis(u64::try_from(row.every_ms).unwrap_or(0));
    let name = row.name.clone();
    match attempt(gateway, &row, every, smaller).await {
        Ok(outcome) => {
            if row.failure.is_some() {
                tracing::info!(register.name = name, "the register can be read again");
            }
            Ok(outcome)
        }
        Err(problem) => {
            let (at, failure) = (now(), problem.clone());
            let due_at = at.after(every.min(RETRY_AFTER));
            let note = move |db: &mut Db<'_>| registers::failed(db, &row.name, &failure, at, due_at);
            gateway.store.write("note that a register was not read", note).await?;
            Err(RegisterError::Unread { name, problem })
        }
    }
}

/// A file as it was got.
struct Got {
    bytes: Vec<u8>,
    etag: Option<String>,
    last_modified: Option<String>,
}

async fn attempt(gateway: &Gateway, row: &Row, every: Duration, smaller: bool) -> Result<Outcome, String> {
    let kind = find(&row.kind).ok_or_else(|| format!("`{}` is no kind of register here", row.kind))?;
    let got = match get(gateway, row).await? {
        Some(got) => got,
        None => return unchanged(gateway, row, every).await,
    };
    let Got { bytes, etag, last_modified } = got;
    let (bytes, sha256) = on_a_thread(move || {
        let digest = hex::encode(sha256(&bytes));
        (Arc::new(bytes), digest)
    })
    .await?;
    if row.sha256.as_deref() == Some(sha256.as_str()) && row.generation != 0 {
        return unchanged(gateway, row, every).await;
    }
    // All of it is read before any of it is stored.
    let counted = bytes.clone();
    let counts = on_a_thread(move || kind.read(&counted, &mut |_| true)).await?.map_err(|error| error.to_string())?;
    let before = usize::try_from(row.entries).unwrap_or(0);
    if let Some(why) = refusal(before, counts.entries).filter(|_| !smaller || counts.entries == 0) {
        return Err(format!("{why}; if that is right, `heraut register read {} --accept-smaller`", row.name));
    }
    let generation = store(gateway, row, kind, bytes).await?;
    let reading = Reading { sha256, etag, last_modified, counts };
    let (at, name) = (now(), row.name.clone());
    let due_at = next(at, every);
    let entry =
        gateway.audit("register", "register.read", format!("register:{name}"), format!("{} entries", counts.entries));
    let finish = move |db: &mut Db<'_>| {
        registers::finish(db, &name, generation, &reading, at, due_at)?;
        audit::add(db, &entry)?;
        proofs::make_all_due(db, at)
    };
    gateway.store.write("finish a register", finish).await.map_err(|error| with_causes(&error))?;
    sweep(gateway, &row.name).await.map_err(|error| with_causes(&error))?;
    tracing::info!(
        register.name = row.name,
        register.entries = counts.entries,
        register.odd = counts.odd,
        "a register was read"
    );
    Ok(Outcome::Read(counts))
}

fn next(at: Timestamp, every: Duration) -> Timestamp {
    at.after(every.mul_f64(1.0 - JITTER * rand::random::<f64>()))
}

async fn unchanged(gateway: &Gateway, row: &Row, every: Duration) -> Result<Outcome, String> {
    let (at, name) = (now(), row.name.clone());
    let due_at = next(at, every);
    let note = move |db: &mut Db<'_>| registers::unchanged(db, &name, at, due_at);
    gateway.store.write("note that a register is as it was", note).await.map_err(|error| with_causes(&error))?;
    Ok(Outcome::Unchanged)
}

/// The file, or nothing when it did not change.
async fn get(gateway: &Gateway, row: &Row) -> Result<Option<Got>, String> {
    let web = Url::parse(&row.place).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let Some(url) = web else {
        let bytes = read_file(&row.place).await?;
        return Ok(Some(Got { bytes, etag: None, last_modified: None }));
    };
    let known = [("if-none-match", &row.etag), ("if-modified-since", &row.last_modified)];
    let headers = known.into_iter().filter(|_| row.generation != 0);
    let headers = headers.filter_map(|(name, value)| Some((name.to_owned(), value.clone()?))).collect();
    let bytes_max = u64::try_from(BYTES_MAX).unwrap_or(u64::MAX);
    let get = Get {
        headers,
        bytes_max,
        timeout: FETCH_TIMEOUT,
        ..Get::new(url.clone(), "application/xml, text/csv, application/json, */*;q=0.1")
    };
    let fetched = gateway.net.get(get).await.map_err(|error| with_causes(&error))?;
    let text = |name: &str| fetched.header(name).map(str::to_owned);
    match fetched.status {
        200 => Ok(Some(Got { etag: text("etag"), last_modified: text("last-modified"), bytes: fetched.body })),
        304 => Ok(None),
        status => Err(format!("{url} answered {status}")),
    }
}

async fn read_file(place: &str) -> Result<Vec<u8>, String> {
    let bad = |problem: std::io::Error| format!("the file {place} cannot be read: {problem}");
    let size = tokio::fs::metadata(place).await.map_err(bad)?.len();
    if size > u64::try_from(BYTES_MAX).unwrap_or(u64::MAX) {
        return Err(format!("the file {place} has {size} bytes; at most {BYTES_MAX} are read"));
    }
    tokio::fs::read(place).await.map_err(bad)
}

/// Stores all entries beside those that count, in portions, so that nobody waits long for the database. Returns their generation.
async fn store(gateway: &Gateway, row: &Row, kind: &'static dyn Register, bytes: Arc<Vec<u8>>) -> Result<i64, String> {
    let failed = |error: StoreError| with_causes(&error);
    sweep(gateway, &row.name).await.map_err(failed)?;
    let generation = row.generation + 1;
    let (sender, mut receiver) = mpsc::channel::<Vec<Entry>>(PORTIONS_MAX);
    let reading = tokio::task::spawn_blocking(move || hand_over(kind, &bytes, &sender));
    let mut first = 0_i64;
    while let Some(portion) = receiver.recv().await {
        let (name, begins) = (row.name.clone(), first);
        first = first.saturating_add(i64::try_from(portion.len()).unwrap_or(i64::MAX));
        let add = move |db: &mut Db<'_>| registers::add(db, &name, generation, begins, &portion);
        gateway.store.write("store entries of a register", add).await.map_err(failed)?;
    }
    match reading.await {
        Ok(Ok(())) => Ok(generation),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// Reads, and hands over in portions. It stops when nobody takes them any more.
fn hand_over(kind: &dyn Register, bytes: &[u8], sender: &mpsc::Sender<Vec<Entry>>) -> Result<(), ReadError> {
    let mut portion = Vec::with_capacity(PORTION);
    kind.read(bytes, &mut |entry| {
        portion.push(entry);
        portion.len() < PORTION || sender.blocking_send(std::mem::take(&mut portion)).is_ok()
    })?;
    if portion.is_empty() || sender.blocking_send(portion).is_ok() { Ok(()) } else { Err(ReadError::Stopped) }
}

/// Deletes what does not count any more, in portions.
async fn sweep(gateway: &Gateway, name: &str) -> Result<(), StoreError> {
    loop {
        let name = name.to_owned();
        if !gateway.store.write("delete old entries of a register", move |db| registers::sweep(db, &name)).await? {
            return Ok(());
        }
    }
}

async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    tokio::task::spawn_blocking(work).await.map_err(|error| error.to_string())
}
