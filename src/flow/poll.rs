//! Polls a source: asks the connector what to fetch, fetches it, has the answer read, takes the items in, and decides when to
//! ask again. All connectors are polled alike.

mod fetch;
pub mod folder;
mod further;

use std::sync::Arc;
use std::time::{Duration, Instant};

use heraut_connectors::contract::{Connector, PAGES_PER_POLL_MAX, Page, Politeness, Request, Response};
use heraut_connectors::error::ConnectorError;
use heraut_connectors::import;
use thiserror::Error;
use tracing::Instrument;

use crate::actor::Actor;
use crate::flow::hooks::keep;
use crate::flow::intake::{self, Tally, Through};
pub use crate::flow::poll::fetch::fetch;
use crate::flow::poll::further::{Asker, Further};
use crate::flow::verify::with_causes;
use crate::flow::websub::{self, Polled};
use crate::flow::{Gateway, gone, now};
use crate::ids::SourceId;
use crate::metrics;
use crate::net::Fetched;
use crate::source::politeness::{self, NextPoll, PollOutcome, Signals, next_poll, stale, usual_interval};
use crate::source::span::Span;
use crate::store::sources::{self, Progress, Source};
use crate::store::{Db, StoreError, actors, items};
use crate::time::Timestamp;

/// How old a change must be before the validators of a document are believed: longer than a page takes to be made.
const VALIDATORS_SETTLE: Duration = Duration::from_secs(60);
/// How long one process may take over a poll with its images.
const LEASE: Duration = Duration::from_secs(300);
/// How long a source rests whose poll could not be recorded.
const UNRECORDED_WAIT: Duration = Duration::from_secs(30);
/// How often is tried to let go of it while the database is away.
const GIVE_BACK_EVERY: Duration = Duration::from_secs(1);
/// Version of what reads feeds. Raise it when the reader learns something: validators got with an older one are not sent, so
/// that documents are read anew.
const READER: i32 = 2;
/// Longest chance delay after a failure.
const JITTER_MAX_S: f64 = 30.0;
/// When a source without a next tick is looked at again.
const NEVER: Duration = Duration::from_secs(365 * 86_400);

/// Why a poll did not give a page. The source is asked again later; nothing is lost.
#[derive(Debug, Error)]
pub enum PollError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No connector has that name.
    #[error("source `{source_name}` has the kind `{kind}`, which does not exist; these do: {known}")]
    Kind {
        /// The source.
        source_name: String,
        /// The kind it has.
        kind: String,
        /// The kinds that there are.
        known: String,
    },
    /// The connector refuses the settings.
    #[error("source `{source_name}` is set up wrongly")]
    Settings {
        /// The source.
        source_name: String,
        /// What the connector says.
        #[source]
        source: ConnectorError,
    },
    /// The actor is gone.
    #[error("source `{0}` feeds an actor that does not exist")]
    NoActor(String),
    /// Nothing came back.
    #[error("{0}")]
    Fetch(String),
    /// Something else than a document came back.
    #[error("{url} answered {status}{hint}")]
    Status {
        /// What was fetched.
        url: String,
        /// HTTP status.
        status: u16,
        /// What to do about it.
        hint: &'static str,
    },
    /// The document cannot be read.
    #[error("{url} was fetched, but not what was wanted")]
    Read {
        /// What was fetched.
        url: String,
        /// What the connector says.
        #[source]
        source: ConnectorError,
    },
    /// A document without items came where there were items before.
    #[error(
        "{url} has no items any more, where there were some; nothing is withdrawn because of that. Is the site in order?"
    )]
    Emptied {
        /// What was fetched.
        url: String,
    },
    /// The reader panicked: a defect of ours, of which only this source suffers.
    #[error("{url}: the reader failed ({problem}); please report this with the document")]
    Panicked {
        /// What was fetched.
        url: String,
        /// What it said.
        problem: String,
    },
}

/// Leases a source that is due, if there is one.
pub async fn lease_due(gateway: &Gateway) -> Result<Option<Source>, StoreError> {
    let at = now();
    gateway.store.write("lease a source", move |db| sources::lease_due(db, at, at.after(LEASE))).await
}

/// Polls a leased source and records what came of it.
pub async fn run(gateway: &Gateway, source: Source) {
    let started = now();
    match poll(gateway, &source).instrument(metrics::trace::poll(&source.name)).await {
        Ok(tally) => {
            let duration_ms = u64::try_from(now().since(started).as_millis()).unwrap_or(u64::MAX);
            for refused in &tally.refused {
                tracing::warn!(source.name = source.name, reason = refused, "an item was not taken in");
            }
            tracing::info!(
                source.name = source.name,
                new = tally.new,
                edited = tally.edited,
                retracted = tally.retracted,
                held = tally.held,
                stored = tally.stored,
                unchanged = tally.unchanged,
                duration_ms,
                "a source was polled"
            );
        }
        Err(PollError::Store(error)) => {
            tracing::error!(
                source.name = source.name,
                error = &error as &dyn std::error::Error,
                "a poll was not recorded"
            );
            give_back(gateway, source.id).await;
        }
        Err(error) => {
            tracing::warn!(source.name = source.name, error = with_causes(&error), "a source cannot be polled");
        }
    }
}

/// Lets go of a source whose poll was not recorded, as soon as the database can be written again: an outage of a second must
/// not silence it until its lease ends. Not at once, because what cannot be recorded would be fetched again and again.
async fn give_back(gateway: &Gateway, id: SourceId) {
    let began = Instant::now();
    while began.elapsed() < LEASE / 2 {
        let until = now().after(UNRECORDED_WAIT);
        let shorten = move |db: &mut Db<'_>| sources::shorten_lease(db, id, until);
        if gateway.store.write("give a source back", shorten).await.is_ok() {
            return;
        }
        tokio::time::sleep(GIVE_BACK_EVERY).await;
    }
}

/// What a fetch came to, before anything is stored.
struct Asked {
    outcome: PollOutcome,
    page: Option<Page>,
    fetched: Option<Fetched>,
    error: Option<PollError>,
    /// What of it could not be read, and whether it is to be asked for again though nothing changes.
    further: Further,
    /// A file may still be being written: it is looked at again then.
    again_in: Option<Duration>,
    /// The source need not be polled before, because a hub tells.
    relaxed: Option<Timestamp>,
}

impl Asked {
    fn new(outcome: PollOutcome, page: Option<Page>, error: Option<PollError>) -> Self {
        Self { outcome, page, fetched: None, error, further: Further::default(), again_in: None, relaxed: None }
    }

    /// What hubs have to do with it.
    fn for_hubs(&self) -> Polled<'_> {
        match (&self.fetched, &self.page, self.outcome) {
            (_, _, PollOutcome::Gone | PollOutcome::Expired) => Polled::Stopped,
            (Some(fetched), Some(page), _) => Polled::Read(fetched, page),
            _ => Polled::Nothing,
        }
    }
}

/// Polls a source now, whether it is due or not, and records what came of it.
pub async fn poll(gateway: &Gateway, source: &Source) -> Result<Tally, PollError> {
    let (begun, began_at) = (Instant::now(), now());
    let mut asked = match keep::connector(gateway, source).await {
        Ok(connector) => ask(gateway, source, Arc::from(connector)).await,
        Err(error) => Asked::new(PollOutcome::Failed, None, Some(error)),
    };
    let watch = websub::heed(gateway, source, asked.for_hubs()).await?;
    asked.relaxed = watch.relaxed();
    let at = now();
    let outcome = asked.outcome;
    let (progress, due_at) = progress(source, &asked, at);
    let mut tally = match &asked.page {
        Some(page) => {
            let actor = load_actor(gateway, source).await?;
            let through = Through::Poll { progress: Box::new(progress), began_at, due_at };
            intake::take_in(gateway, source, &actor, page, through).await?
        }
        None => {
            let id = source.id;
            let record = move |db: &mut Db<'_>| sources::record(db, id, &progress, began_at, due_at);
            gateway.store.write("record a poll", record).await?;
            Tally::default()
        }
    };
    if asked.error.is_none() {
        websub::compare(gateway, source, watch, &tally, began_at).await?;
    }
    tally.refused.extend(asked.further.problems);
    if let Some(PollError::Emptied { .. }) = asked.error {
        gone::watch_all(gateway, source).await?;
    }
    tally.retracted += gone::check(gateway, source).await?;
    metrics::polled(outcome, begun.elapsed());
    asked.error.map_or(Ok(tally), Err)
}

/// The actor that a source feeds.
pub async fn load_actor(gateway: &Gateway, source: &Source) -> Result<Actor, PollError> {
    let id = source.actor_id;
    let actor = gateway.store.read("read the actor of a source", move |db| actors::by_id(db, id)).await?;
    actor.ok_or_else(|| PollError::NoActor(source.name.clone()))
}

async fn ask(gateway: &Gateway, source: &Source, connector: Arc<dyn Connector>) -> Asked {
    if let Some(folder) = folder_of(source).filter(|_| !source.settings.disabled) {
        return match folder::read(connector, folder).await {
            Ok(contents) => {
                tell_repairs(source, &contents.page);
                let mut asked = Asked::new(PollOutcome::Changed, Some(contents.page), None);
                asked.further.problems = contents.problems;
                asked.again_in = contents.unsettled.then_some(folder::LEFT_ALONE * 2);
                asked
            }
            Err(error) => Asked::new(PollOutcome::Failed, None, Some(error)),
        };
    }
    let Some(request) = connector.request().filter(|_| !source.settings.disabled) else {
        // Items are only pushed to us, or the source is not in use: there is nothing to fetch.
        return Asked::new(PollOutcome::NotModified, None, None);
    };
    let fetched = match fetch(gateway, source, &request, true).await {
        Ok(fetched) => fetched,
        Err(error) => {
            let error = Some(PollError::Fetch(with_causes(&error)));
            return Asked::new(PollOutcome::Failed, None, error);
        }
    };
    let url = fetched.url.to_string();
    let refuse = |outcome, hint| {
        let error = Some(PollError::Status { url: url.clone(), status: fetched.status, hint });
        (outcome, None, error)
    };
    let mut further = Further::default();
    let (outcome, page, error) = match fetched.status {
        304 => (PollOutcome::NotModified, None, None),
        429 | 503 => refuse(PollOutcome::Throttled, "; it asks to be left alone for a while, and is"),
        404 => refuse(PollOutcome::NotFound, "; is the address still right? It is tried daily for a week"),
        410 => refuse(PollOutcome::Gone, ": it is gone for good, and is polled no more; correct its url"),
        401 | 403 => refuse(PollOutcome::Failed, "; ask the site's operator to let Heraut read it"),
        200 => match read(gateway, source, connector, (&request, &fetched), &mut further).await {
            Ok(page) if page.expired => (PollOutcome::Expired, Some(page), None),
            Ok(page) => (PollOutcome::Changed, Some(page), None),
            Err(error) => (PollOutcome::Failed, None, Some(error)),
        },
        _ => refuse(PollOutcome::Failed, ", which is no document"),
    };
    Asked { fetched: Some(fetched), further, ..Asked::new(outcome, page, error) }
}

/// The folder that a source reads, if it reads one.
pub fn folder_of(source: &Source) -> Option<&str> {
    (source.kind == "import").then(|| import::folder(&source.settings.connector)).flatten()
}

async fn read(
    gateway: &Gateway,
    source: &Source,
    connector: Arc<dyn Connector>,
    (request, fetched): (&Request, &Fetched),
    further: &mut Further,
) -> Result<Page, PollError> {
    let mut page = read_page(connector.clone(), fetched, request.about.clone()).await?;
    read_on(gateway, source, connector.clone(), request, &mut page).await?;
    let asker = Asker::new(gateway, source, connector, request.url.clone());
    asker.files(&mut page, further).await;
    // Of files one that is gone says nothing.
    if source.kind != "import" && page.items.is_empty() && !page.complete && !page.expired {
        let id = source.id;
        let before = gateway.store.read("look for earlier items", move |db| items::any_of_source(db, id)).await?;
        if before {
            return Err(PollError::Emptied { url: fetched.url.to_string() });
        }
    }
    asker.archive(&mut page).await?;
    asker.documents(&mut page, further).await?;
    tell_repairs(source, &page);
    Ok(page)
}

fn tell_repairs(source: &Source, page: &Page) {
    for warning in &page.warnings {
        tracing::info!(source.name = source.name, reason = warning, "the document was repaired");
    }
}

/// Reads the further pages of a list into the first. A page that cannot be had fails the whole: what is missing would look as if it
/// were not there.
pub async fn read_on(
    gateway: &Gateway,
    source: &Source,
    connector: Arc<dyn Connector>,
    first: &Request,
    page: &mut Page,
) -> Result<(), PollError> {
    let mut pages = 1;
    while let Some(next) = page.next.take() {
        if pages == PAGES_PER_POLL_MAX {
            page.warnings.push(format!("the list goes on after {PAGES_PER_POLL_MAX} pages, which were read"));
            page.complete = false;
            return Ok(());
        }
        if next.url.host() != first.url.host() {
            page.warnings.push("the next page of the list is on another host, and was not read".to_owned());
            page.complete = false;
            return Ok(());
        }
        let fetched = fetch(gateway, source, &next, false).await;
        let fetched = fetched.map_err(|error| PollError::Fetch(with_causes(&error)))?;
        if fetched.status != 200 {
            let hint = ", which is no further page of the list";
            return Err(PollError::Status { url: fetched.url.to_string(), status: fetched.status, hint });
        }
        let more = read_page(connector.clone(), &fetched, None).await?;
        page.items.extend(more.items);
        page.warnings.extend(more.warnings);
        page.complete &= more.complete;
        page.next = more.next;
        pages += 1;
    }
    Ok(())
}

/// Has an answer read, off the async threads; a panic of the reader is an error of this source alone.
/// `about` is the item that was asked for.
pub async fn read_page(
    connector: Arc<dyn Connector>,
    fetched: &Fetched,
    about: Option<String>,
) -> Result<Page, PollError> {
    let response = Response {
        url: fetched.url.clone(),
        content_type: fetched.header("content-type").map(ToOwned::to_owned),
        body: fetched.body.clone(),
        received_at: now().0,
        about,
    };
    read_response(connector, response).await
}

/// As [`read_page`], of what was not fetched.
pub async fn read_response(connector: Arc<dyn Connector>, response: Response) -> Result<Page, PollError> {
    let url = response.url.to_string();
    match tokio::task::spawn_blocking(move || connector.read(&response)).await {
        Ok(Ok(page)) => Ok(page),
        Ok(Err(source)) => Err(PollError::Read { url, source }),
        Err(error) => Err(PollError::Panicked { url, problem: error.to_string() }),
    }
}

/// Where the source stands after this poll, and when the next one is due.
fn progress(source: &Source, asked: &Asked, at: Timestamp) -> (Progress, Timestamp) {
    let before = &source.progress;
    let failed = asked.error.is_some();
    let mut progress = Progress {
        polled_at: Some(at),
        failures: if failed { before.failures.saturating_add(1) } else { 0 },
        failure: asked.error.as_ref().map(|error| with_causes(error)),
        ..before.clone()
    };
    if !failed {
        progress.ok_at = Some(at);
        keep_validators(&mut progress, asked);
        if asked.further.again {
            (progress.etag, progress.last_modified) = (None, None);
        }
    }
    if let Some(page) = &asked.page {
        keep_page_facts(&mut progress, page, at);
    }
    let quiet = stale(
        progress.newest_item_at,
        progress.usual_interval.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis),
        source.settings.stale_after.map(Span::duration),
        at,
    );
    if quiet && before.stale_since.is_none() {
        tracing::error!(
            source.name = source.name,
            "the source is stale: it answers, but has had nothing new for too long"
        );
    }
    progress.stale_since = quiet.then(|| before.stale_since.unwrap_or(at));
    let due_at = due(source, &mut progress, asked, at);
    (progress, due_at)
}

fn keep_validators(progress: &mut Progress, asked: &Asked) {
    let Some(fetched) = &asked.fetched else { return };
    let no_store = fetched.header("expires").is_some_and(|value| value.trim() == "0");
    let unused = no_store || changed_just_now(fetched);
    let keep = |name: &str| if unused { None } else { fetched.header(name).map(ToOwned::to_owned) };
    if fetched.status == 304 {
        progress.etag = keep("etag").or(progress.etag.take());
        progress.last_modified = keep("last-modified").or(progress.last_modified.take());
    } else {
        progress.etag = keep("etag");
        progress.last_modified = keep("last-modified");
        progress.reader = READER;
    }
}

/// Whether a document changed so short a time before it was sent that its validators may be those of a later one: they are of whole
/// seconds (RFC 9110 §8.8.2.2), and WordPress since 6.1 looks up what the feed says first and its validators, `ETag` too, afterwards.
/// Who sends them back is told for good that nothing changed.
fn changed_just_now(fetched: &Fetched) -> bool {
    let time = |name: &str| fetched.header(name).and_then(Timestamp::parse_http_date);
    let (Some(modified), Some(sent)) = (time("last-modified"), time("date")) else { return false };
    sent < modified.after(VALIDATORS_SETTLE)
}

fn keep_page_facts(progress: &mut Progress, page: &Page, at: Timestamp) {
    progress.baseline_at = Some(progress.baseline_at.unwrap_or(at));
    progress.politeness = serde_json::to_string(&page.politeness).ok();
    let mut published: Vec<Timestamp> =
        page.items.iter().filter_map(|item| item.updated_at.or(item.published_at)).map(Timestamp).collect();
    published.sort_unstable();
    let newest = published.iter().copied().filter(|t| *t <= at).max();
    progress.newest_item_at = newest.or(progress.newest_item_at).or(Some(at));
    progress.usual_interval = usual_interval(&published).and_then(|d| i64::try_from(d.as_millis()).ok());
}

fn due(source: &Source, progress: &mut Progress, asked: &Asked, at: Timestamp) -> Timestamp {
    let header = |name: &str| asked.fetched.as_ref().and_then(|f| f.header(name));
    let politeness: Politeness =
        progress.politeness.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let schedule_next = source.settings.schedule.next_after(at).unwrap_or_else(|| at.after(NEVER));
    let signals = Signals {
        schedule_next: asked.relaxed.map_or(schedule_next, |relaxed| schedule_next.max(relaxed)),
        politeness,
        max_age: header("cache-control").and_then(politeness::max_age),
        expires: header("expires").and_then(politeness::expires),
        retry_after: header("retry-after").and_then(|value| politeness::retry_after(value, at)),
        consecutive_failures: u32::try_from(progress.failures).unwrap_or(1),
        outcome: asked.outcome,
    };
    let jitter = Duration::from_secs_f64(JITTER_MAX_S * rand::random::<f64>());
    match next_poll(&signals, jitter, at) {
        NextPoll::At(due_at) => asked.again_in.map_or(due_at, |wait| due_at.min(at.after(wait))),
        NextPoll::Stopped(reason) => {
            let text = reason.explain();
            tracing::error!(
                source.name = source.name,
                reason = text,
                "the source is polled no more; `heraut source poll` starts it again"
            );
            progress.stopped = Some(text.to_owned());
            at.after(NEVER)
        }
    }
}
