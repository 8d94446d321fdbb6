//! Feeds that name a hub are told of by it ([ADR 0014](../../docs/adr/0014-websub.md)): what a poll says about hubs, and what a hub
//! says about polls. [`ask`] asks hubs, [`answer`] answers them, [`take`] takes in what they deliver, [`content`] reads it.

pub mod answer;
pub mod ask;
pub mod content;
pub mod take;

use std::time::Duration;

use heraut_connectors::contract::Page;
use openssl::sha::sha256;
use url::Url;

use crate::flow::hooks::keep;
use crate::flow::intake::Tally;
use crate::flow::keyring::KeyringError;
use crate::flow::{Gateway, now};
use crate::ids::{SourceId, SubscriptionId};
use crate::metrics;
use crate::net::Fetched;
use crate::source::schedule::Schedule;
use crate::store::sources::Source;
use crate::store::websub::{self, Subscription};
use crate::store::{Db, Queried, StoreError, hooks};
use crate::time::Timestamp;
use crate::websub::{Found, LOOK_EVERY_MIN, discover, poll_by};

/// Most subscriptions that are begun for one source in a day: a feed that names another hub each time shall not have us knock at
/// every door.
const BEGUN_PER_DAY_MAX: i64 = 24;
const DAY: Duration = Duration::from_secs(86_400);

/// How a poll ended, as far as hubs are concerned.
pub enum Polled<'p> {
    /// A document was read.
    Read(&'p Fetched, &'p Page),
    /// There will be no further polls.
    Stopped,
    /// There is nothing new, or it failed.
    Nothing,
}

/// What is known of a source's hub while it is polled.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    row: Option<Subscription>,
    relaxed: Option<Timestamp>,
}

impl Watch {
    /// When the source need not be polled before, because its hub tells.
    pub fn relaxed(&self) -> Option<Timestamp> {
        self.relaxed
    }
}

/// The two secrets of a subscription: the end of the callback's path, and what the hub signs with.
pub(super) struct Secrets {
    path: String,
    key: String,
}

impl Secrets {
    fn generate() -> Self {
        let text = || hex::encode(rand::random::<[u8; 32]>());
        Self { path: text(), key: text() }
    }

    /// Seals them for their row.
    fn seal(&self, gateway: &Gateway, id: SubscriptionId) -> Result<Vec<u8>, KeyringError> {
        gateway.keyring.seal_websub(id, &format!("{} {}", self.path, self.key))
    }

    /// Opens those of a subscription.
    fn open(gateway: &Gateway, row: &Subscription) -> Result<Self, KeyringError> {
        let text = gateway.keyring.open_websub(row.id, &row.sealed)?;
        let (path, key) = text.split_once(' ').unwrap_or((&text, ""));
        Ok(Self { path: path.to_owned(), key: key.to_owned() })
    }
}

/// Under which a subscription is found by the end of its callback's path.
pub(super) fn path_hash(path: &str) -> String {
    hex::encode(sha256(path.as_bytes()))
}

/// The host of a hub, for logs: more of its address is nobody's business.
pub(super) fn host(address: &str) -> String {
    Url::parse(address).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default()
}

/// Whether a source is to be told of by hubs.
pub fn is_on(source: &Source) -> bool {
    let names = keep::kind(source).is_some_and(|kind| kind.names_hubs());
    names && !source.settings.disabled && !source.settings.websub_off && source.progress.stopped.is_none()
}

/// Heeds what a poll says about hubs, before anything of it is stored: a document that was recorded comes no more, and with it
/// would go the hub that it names.
pub async fn heed(gateway: &Gateway, source: &Source, polled: Polled<'_>) -> Result<Watch, StoreError> {
    let (id, at) = (source.id, now());
    let row = gateway.store.read("read a subscription", move |db| websub::wanted(db, id)).await?;
    let found = match polled {
        _ if !is_on(source) => None,
        Polled::Stopped => None,
        Polled::Nothing => return Ok(watch(source, row, at)),
        Polled::Read(fetched, page) => found(gateway, source, fetched, page),
    };
    let same = |row: &Subscription| found.as_ref().is_some_and(|f| f.hub.as_str() == row.hub && f.topic == row.topic);
    let row = match row {
        Some(row) if same(&row) => {
            let (id, whole) = (row.id, found.is_some_and(|found| found.whole));
            if row.whole != whole {
                gateway.store.write("change a subscription", move |db| websub::set_whole(db, id, whole)).await?;
            }
            Some(Subscription { whole, ..row })
        }
        row => replace(gateway, source, row, found).await?,
    };
    Ok(watch(source, row, at))
}

/// The hub that a document names. Ourselves we need not ask.
fn found(gateway: &Gateway, source: &Source, fetched: &Fetched, page: &Page) -> Option<Found> {
    let headers = fetched.headers.iter().filter(|(name, _)| name == "link").map(|(_, value)| value.as_str());
    let asked = source.settings.connector.get("url").and_then(|url| url.as_str()).and_then(|url| Url::parse(url).ok());
    let found = discover(headers, &page.push, asked.as_ref().unwrap_or(&fetched.url), &fetched.url)?;
    (!gateway.hosts_seen().reading().owns(found.hub.as_str())).then_some(found)
}

/// Leaves one subscription and begins another.
async fn replace(
    gateway: &Gateway,
    source: &Source,
    before: Option<Subscription>,
    found: Option<Found>,
) -> Result<Option<Subscription>, StoreError> {
    let row = match found.map(|found| begin(gateway, source, found)).transpose() {
        Ok(row) => row,
        Err(error) => {
            tracing::error!(
                source.name = source.name,
                error = &error as &dyn std::error::Error,
                "a hub cannot be asked"
            );
            None
        }
    };
    if before.is_none() && row.is_none() {
        return Ok(None);
    }
    let (id, since) = (source.id, now().before(DAY));
    let begun = gateway.store.read("count subscriptions", move |db| websub::begun_since(db, id, since)).await?;
    if row.is_some() && begun >= BEGUN_PER_DAY_MAX {
        tracing::warn!(source.name = source.name, "the source names ever other hubs; it is polled as usual");
        return leave(gateway, before).await.map(|()| None);
    }
    match (&before, &row) {
        (_, Some(row)) => {
            tracing::info!(source.name = source.name, websub.hub = host(&row.hub), "the source names a hub");
        }
        (Some(_), None) => tracing::info!(source.name = source.name, "the source is told of by no hub any more"),
        (None, None) => {}
    }
    let (at, fresh) = (now(), row.clone());
    let write = move |db: &mut Db<'_>| {
        before.iter().try_for_each(|before| websub::leave(db, before.id, at))?;
        fresh.iter().try_for_each(|fresh| websub::add(db, fresh))
    };
    gateway.store.write("change a subscription", write).await?;
    gateway.wake.websub.notify_one();
    Ok(row)
}

async fn leave(gateway: &Gateway, before: Option<Subscription>) -> Result<(), StoreError> {
    let Some(Subscription { id, .. }) = before else { return Ok(()) };
    let at = now();
    gateway.store.write("leave a subscription", move |db| websub::leave(db, id, at)).await
}

fn begin(gateway: &Gateway, source: &Source, found: Found) -> Result<Subscription, KeyringError> {
    let (id, at, secrets) = (SubscriptionId(gateway.mint.next()), now(), Secrets::generate());
    Ok(Subscription {
        id,
        source_id: source.id,
        hub: found.hub.to_string(),
        topic: found.topic,
        whole: found.whole,
        path_hash: path_hash(&secrets.path),
        sealed: secrets.seal(gateway, id)?,
        wanted: true,
        created_at: at,
        asked_at: None,
        live_since: None,
        holds_until: None,
        ended_at: None,
        failures: 0,
        problem: None,
        due_at: at,
        delivered_at: None,
        deliveries: 0,
        refused_at: None,
        refusal: None,
        refusals: 0,
        looked_at: None,
        missed_at: None,
        missed: 0,
    })
}

/// How rarely a source may be polled. A cron line is a wish for those very times, and is kept; so is an `every` that is longer.
fn watch(source: &Source, row: Option<Subscription>, at: Timestamp) -> Watch {
    let trusted = row.as_ref().filter(|row| row.is_live(at) && row.missed_at.is_none());
    let until =
        trusted.and_then(|row| row.holds_until).filter(|_| matches!(source.settings.schedule, Schedule::Every(_)));
    Watch { relaxed: until.map(|until| poll_by(at, until)), row }
}

/// Holds what a poll found against what the hub brought. What came while the poll was under way may be newer than what it read,
/// or have been meant to bring about just this poll: then it is polled again.
pub async fn compare(
    gateway: &Gateway,
    source: &Source,
    watch: Watch,
    tally: &Tally,
    begun: Timestamp,
) -> Result<(), StoreError> {
    let Some(row) = watch.row else { return Ok(()) };
    let (id, source_id, at) = (row.id, source.id, now());
    let changes = tally.new + tally.edited + tally.retracted;
    let before = source.progress.polled_at;
    // What a hub said since the last poll, it need not have said before: the poll before was under its watch already.
    let watched = row.is_live(begun) && before.zip(row.live_since).is_some_and(|(polled, live)| polled >= live);
    let told = |when: Option<Timestamp>| when.zip(before).is_some_and(|(told, polled)| told >= polled);
    let missed = changes > 0 && watched && !told(row.looked_at);
    let next = source.settings.schedule.next_after(at).unwrap_or(at);
    let write = move |db: &mut Db<'_>| {
        let again = websub::said_since(db, source_id, begun)?;
        let mut found = false;
        if again {
            websub::hurry(db, source_id, at.after(LOOK_EVERY_MIN))?;
        } else if missed && hooks::waiting_of(db, source_id, 1)? == 0 {
            websub::missed(db, id, at)?;
            websub::hurry(db, source_id, next)?;
            found = true;
        }
        Ok(found)
    };
    if gateway.store.write("compare a poll with its hub", write).await? {
        metrics::websub("missed");
        tracing::warn!(
            source.name = source.name,
            websub.hub = host(&row.hub),
            changes,
            "a poll found what the hub did not bring; the source is polled as usual until the hub delivers again"
        );
    }
    Ok(())
}

/// Has a source polled because a hub told something of it, but not all the time.
pub(super) fn look(db: &mut Db<'_>, source: &Source, at: Timestamp) -> Queried<()> {
    let least = source.progress.polled_at.map_or(at, |polled| polled.after(LOOK_EVERY_MIN));
    websub::look(db, source.id, at.max(least))
}

/// Has the sources polled whose hubs may have told something while nobody was there.
pub async fn look_again(gateway: &Gateway) -> Result<(), StoreError> {
    let at = now();
    gateway.store.write("make sources of hubs due", move |db| websub::look_again(db, at)).await?;
    gateway.wake.schedule.notify_one();
    Ok(())
}

/// Forgets subscriptions that ended long ago.
pub async fn clear(gateway: &Gateway, kept: Duration) -> Result<usize, StoreError> {
    let before = now().before(kept);
    gateway.store.write("forget old subscriptions", move |db| websub::forget(db, before)).await
}

/// What an operator wants to know of a source's subscription.
pub async fn of_source(gateway: &Gateway, source: SourceId) -> Result<Option<Subscription>, StoreError> {
    gateway.store.read("read a subscription", move |db| websub::latest(db, source)).await
}
