//! Works on requests that were stored: has the connector say what they mean, reads back what they only point to, and takes the
//! items in. The requests of one source are worked on in the order in which they came, by one process at a time.
//!
//! A request that fails for now steps aside and is tried again: what is read back then is what the source says then, and an item
//! carries a version, so nothing older overtakes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use heraut_connectors::CONNECTORS;
use heraut_connectors::contract::{Connector, Delivery, Page, REQUESTS_PER_DELIVERY_MAX, Request as Wanted, Told};
use heraut_connectors::item::{Action, Item};

use crate::actor::Actor;
use crate::flow::hooks::keep;
use crate::flow::intake::{self, Tally, Through};
use crate::flow::poll::{self, PollError};
use crate::flow::verify::with_causes;
use crate::flow::websub::content::{self, Content};
use crate::flow::{Gateway, now};
use crate::hook::{FLOOD_WITHIN, KEPT, again};
use crate::ids::SourceId;
use crate::store::hooks::{self, DONE, FAILED, IGNORED, Lease, Received};
use crate::store::sources::{self, Source};
use crate::store::websub::FROM_HUB;
use crate::store::{Db, StoreError, from_json, items};
use crate::time::Timestamp;

/// How long the requests of a source stay with a process that says nothing more: so long they wait when it was killed.
const LEASE: Duration = Duration::from_secs(15);
/// How often a process says that it still works on them.
const SAID_EVERY: Duration = Duration::from_secs(5);
/// Requests that are read at once.
const READ_MAX: i64 = 16;

/// Leases a source whose requests wait.
pub async fn lease_due(gateway: &Gateway) -> Result<Option<Lease>, StoreError> {
    let at = now();
    gateway.store.write("lease requests", move |db| hooks::claim(db, at, at.after(LEASE))).await
}

/// Works on what waits at a leased source, until nothing does, or the lease is lost.
pub async fn run(gateway: &Gateway, lease: Lease) {
    let (id, held) = (lease.source, Mutex::new([lease.until; 2]));
    let drained = tokio::select! {
        drained = drain(gateway, id) => drained,
        () = hold(gateway, id, &held) => {
            tracing::warn!("this process was away for too long; another one may work on the requests of a source now");
            return;
        }
    };
    if let Err(error) = drained {
        tracing::error!(error = &error as &dyn std::error::Error, "requests could not be worked on");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let held = *held.lock().unwrap_or_else(PoisonError::into_inner);
    let release = move |db: &mut Db<'_>| hooks::release(db, id, &held);
    if let Err(error) = gateway.store.write("release requests", release).await {
        tracing::error!(error = &error as &dyn std::error::Error, "the lease of a source could not be ended");
    }
    // What came while the lease was held woke nobody.
    gateway.wake.hooks.notify_one();
}

/// Keeps the lease: reading back and pictures may take minutes. Returns when it is lost. `held` is its end, and what it may be by
/// now: the work may be over while this is being written.
async fn hold(gateway: &Gateway, id: SourceId, held: &Mutex<[Timestamp; 2]>) {
    loop {
        tokio::time::sleep(SAID_EVERY).await;
        let until = now().after(LEASE);
        let had = {
            let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
            let [had, _] = *held;
            *held = [had, until];
            had
        };
        match gateway.store.write("keep requests", move |db| hooks::extend(db, id, had, until)).await {
            Ok(true) => *held.lock().unwrap_or_else(PoisonError::into_inner) = [until; 2],
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the lease of a source could not be kept");
            }
        }
    }
}

async fn drain(gateway: &Gateway, id: SourceId) -> Result<(), StoreError> {
    loop {
        let at = now();
        let load = move |db: &mut Db<'_>| Ok((sources::by_id(db, id)?, hooks::due(db, id, at, READ_MAX)?));
        let (source, rows) = gateway.store.read("read requests that wait", load).await?;
        let Some(source) = source.filter(|_| !rows.is_empty()) else { return Ok(()) };
        for row in rows {
            work(gateway, &source, row).await?;
        }
    }
}

/// Why a request could not be worked on.
enum Trouble {
    /// For now.
    Later(String),
    /// For good.
    Never(String),
    Store(StoreError),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<PollError> for Trouble {
    fn from(error: PollError) -> Self {
        match error {
            PollError::Store(error) => Self::Store(error),
            PollError::Panicked { .. } => Self::Never(with_causes(&error)),
            other => Self::Later(with_causes(&other)),
        }
    }
}

async fn work(gateway: &Gateway, source: &Source, row: Received) -> Result<(), StoreError> {
    let (id, attempts) = (row.id, u32::try_from(row.attempts).unwrap_or(0).saturating_add(1));
    let age = now().since(row.received_at);
    let trouble = match carry_out(gateway, source, row).await {
        Ok(()) => return Ok(()),
        Err(Trouble::Store(error)) => return Err(error),
        Err(trouble) => trouble,
    };
    let wait = match &trouble {
        Trouble::Later(_) => again(attempts, age),
        _ => None,
    };
    let (Trouble::Later(why) | Trouble::Never(why)) = trouble else { return Ok(()) };
    match wait {
        Some(wait) => {
            tracing::warn!(source.name = source.name, hook.receipt = %id, error = why, "a request is tried again later");
            let due_at = now().after(wait);
            gateway.store.write("put a request off", move |db| hooks::later(db, id, due_at, &why)).await
        }
        None => {
            tracing::error!(
                source.name = source.name,
                hook.receipt = %id,
                error = why,
                "a request could not be worked on and is given up; see `heraut source deliveries`"
            );
            gateway.store.write("give a request up", move |db| hooks::finish(db, id, FAILED, &why)).await
        }
    }
}

async fn carry_out(gateway: &Gateway, source: &Source, row: Received) -> Result<(), Trouble> {
    let id = row.id;
    let connector: Arc<dyn Connector> = Arc::from(keep::connector(gateway, source).await?);
    if row.verified_by == FROM_HUB {
        return from_hub(gateway, source, connector, row).await;
    }
    let (requests, page) = match told(connector.clone(), row).await? {
        Told::Page(page) => (Vec::new(), page),
        Told::Fetch { requests, page } => (requests, page),
        Told::Ignored { why } => {
            tracing::info!(source.name = source.name, hook.receipt = %id, reason = why, "a request was ignored");
            gateway.store.write("finish a request", move |db| hooks::finish(db, id, IGNORED, &why)).await?;
            return Ok(());
        }
    };
    if requests.len() > REQUESTS_PER_DELIVERY_MAX {
        let most = REQUESTS_PER_DELIVERY_MAX;
        return Err(Trouble::Never(format!("it asks for {} documents, and {most} are the most", requests.len())));
    }
    let mut pages = vec![page];
    let mut absent = Vec::new();
    for request in requests {
        match read_back(gateway, source, connector.clone(), &request).await? {
            Some(page) => pages.push(page),
            None => absent.push(format!("{} has nothing", request.url)),
        }
    }
    pages.retain(|page| !page.items.is_empty());
    let actor = poll::load_actor(gateway, source).await?;
    take_in(gateway, source, &actor, id, pages, absent).await.map_err(Trouble::Store)
}

/// Takes in what a hub delivered.
async fn from_hub(
    gateway: &Gateway,
    source: &Source,
    connector: Arc<dyn Connector>,
    row: Received,
) -> Result<(), Trouble> {
    let page = match content::read(gateway, source, connector, &row).await {
        Ok(Content::Page(page)) => page,
        Ok(Content::Looked) => return Ok(()),
        // It will not be another document when it is read again.
        Err(error @ PollError::Read { .. }) => {
            return Err(Trouble::Never(format!("{}; the source was polled instead", with_causes(&error))));
        }
        Err(error) => return Err(error.into()),
    };
    let pages = if page.items.is_empty() { Vec::new() } else { vec![*page] };
    let actor = poll::load_actor(gateway, source).await?;
    take_in(gateway, source, &actor, row.id, pages, Vec::new()).await.map_err(Trouble::Store)
}

/// What a stored request means; read off the async threads, and a panic is an error of this request alone.
async fn told(connector: Arc<dyn Connector>, row: Received) -> Result<Told, Trouble> {
    let headers = from_json(&row.headers).map_err(|error| Trouble::Never(error.to_string()))?;
    let delivery = Delivery { headers, query: row.query, body: row.body, received_at: row.received_at.0 };
    match tokio::task::spawn_blocking(move || connector.receive(&delivery)).await {
        Ok(Ok(told)) => Ok(told),
        Ok(Err(error)) => Err(Trouble::Never(error.to_string())),
        Err(error) => Err(Trouble::Never(format!("the reader failed ({error}); please report this with the request"))),
    }
}

/// Fetches what a request points to and has it read, with the further pages of a list, as in a poll; `None` when there is nothing,
/// and it is not known of what.
async fn read_back(
    gateway: &Gateway,
    source: &Source,
    connector: Arc<dyn Connector>,
    request: &Wanted,
) -> Result<Option<Page>, Trouble> {
    let fetched = poll::fetch(gateway, source, request, false).await;
    let fetched = fetched.map_err(|error| Trouble::Later(with_causes(&error)))?;
    match fetched.status {
        200 => {
            let mut page = poll::read_page(connector.clone(), &fetched, request.about.clone()).await?;
            poll::read_on(gateway, source, connector, request, &mut page).await?;
            Ok(Some(page))
        }
        404 | 410 => Ok(request.about.clone().map(|source_id| Page {
            items: vec![Item { source_id, action: Action::Retract, ..Item::default() }],
            ..Page::default()
        })),
        status => {
            let hint = match status {
                401 | 403 => "; is the token of the source right?",
                429 => "; it asks to be left alone for a while",
                _ => "",
            };
            Err(PollError::Status { url: fetched.url.to_string(), status, hint }.into())
        }
    }
}

/// Takes the pages in. With the last one the request is done, in one transaction.
async fn take_in(
    gateway: &Gateway,
    source: &Source,
    actor: &Actor,
    receipt: crate::ids::ReceiptId,
    pages: Vec<Page>,
    absent: Vec<String>,
) -> Result<(), StoreError> {
    let mut notes = absent;
    let mut sum = Tally::default();
    let last = pages.len().saturating_sub(1);
    for (at, page) in pages.iter().enumerate() {
        notes.extend(page.warnings.iter().cloned());
        let new_before = lately(gateway, source).await?;
        let done = (at == last).then(|| (receipt, sum.clone(), notes.clone()));
        sum.add(intake::take_in(gateway, source, actor, page, Through::Hook { new_before, done }).await?);
    }
    if pages.is_empty() {
        let outcome = if notes.is_empty() { "it says nothing".to_owned() } else { notes.join("; ") };
        let finish = move |db: &mut Db<'_>| hooks::finish(db, receipt, DONE, &outcome);
        gateway.store.write("finish a request", finish).await?;
    }
    tracing::info!(
        source.name = source.name,
        hook.receipt = %receipt,
        new = sum.new,
        edited = sum.edited,
        retracted = sum.retracted,
        held = sum.held,
        unchanged = sum.unchanged,
        "a request was worked on"
    );
    for refused in &sum.refused {
        tracing::warn!(source.name = source.name, reason = refused, "an item was not taken in");
    }
    Ok(())
}

/// How many items of the source were new lately, as far as the flood fuse wants to know.
pub async fn lately(gateway: &Gateway, source: &Source) -> Result<u32, StoreError> {
    let (id, since) = (source.id, now().before(FLOOD_WITHIN));
    let most = i64::from(source.settings.policy.flood_fuse).saturating_add(1);
    let count = move |db: &mut Db<'_>| items::new_since(db, id, since, most);
    let n = gateway.store.read("count new items", count).await?;
    Ok(u32::try_from(n).unwrap_or(u32::MAX))
}

/// Forgets requests that are older than they need be.
pub async fn clear(gateway: &Gateway) -> Result<usize, StoreError> {
    let before: Timestamp = now().before(KEPT);
    gateway.store.write("forget old requests", move |db| hooks::forget(db, before)).await
}

/// Has the lists of sources that are pushed read soon: what was sent while nobody was there to take it is found in them.
pub async fn look_again(gateway: &Gateway) -> Result<(), StoreError> {
    let pushed = CONNECTORS.iter().filter(|kind| kind.profile().is_some()).map(|kind| kind.name());
    let (kinds, at): (Vec<&str>, _) = (pushed.collect(), now());
    let look = move |db: &mut Db<'_>| sources::look_again(db, &kinds, at);
    gateway.store.write("make pushed sources due", look).await?;
    gateway.wake.schedule.notify_one();
    Ok(())
}
