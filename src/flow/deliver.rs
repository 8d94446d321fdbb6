//! Delivers: leases inboxes that are due, sends each its oldest owed activities in order, records what became of each.
//!
//! At least once: a crash after a 2xx and before its record sends again. At most once after a recorded 2xx.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::Semaphore;
use tracing::Instrument;
use url::Url;

use crate::activity::CONTENT_TYPE;
use crate::actor::Actor;
use crate::actor::verification::{Proof, VerifiedActor};
use crate::delivery::breaker::Breaker;
use crate::delivery::retry::{self, GIVE_UP_AFTER, Next};
use crate::delivery::{Outcome, classify, unreachable};
use crate::flow::recorder::{Record, Recorder};
use crate::flow::schedule::Stop;
use crate::flow::{Gateway, Shared, now};
use crate::ids::ActorId;
use crate::metrics;
use crate::metrics::pulse::{self, Loop};
use crate::signature::{SigningIdentity, cavage};
use crate::store::deliveries::{self, DeliveryState, Owed};
use crate::store::inboxes::{self, Failure, Leased};
use crate::store::{StoreError, actors, proofs};
use crate::time::Timestamp;

/// Inboxes leased in one statement.
const LEASE_BATCH_MAX: usize = 64;
/// Activities that are loaded for an inbox at once.
const OWED_BATCH_MAX: i64 = 16;
/// Longest sleep while nothing is due: another process may have put work into the database.
const IDLE_WAIT: Duration = Duration::from_millis(1_000);
/// How long a proof that was loaded is believed before it is loaded again.
const PROOF_CACHE: Duration = Duration::from_secs(2);

/// Delivers until `stop`. Returns when every delivery under way has been recorded.
pub async fn run(gateway: Shared, mut stop: Stop) {
    let (recorder, recording) = Recorder::start(gateway.clone());
    let courier =
        Arc::new(Courier { gateway: gateway.clone(), recorder, hosts: Hosts::default(), signers: Signers::default() });
    let slots = Arc::new(Semaphore::new(gateway.settings.concurrency.max(1)));
    while !stop.is_set() {
        pulse::beat(Loop::Deliver);
        let leased = match lease(&gateway, slots.available_permits().min(LEASE_BATCH_MAX)).await {
            Ok(leased) => leased,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "inboxes cannot be leased");
                stop.sleep(IDLE_WAIT).await;
                continue;
            }
        };
        if leased.is_empty() {
            tokio::select! {
                () = gateway.wake.deliver.notified() => {}
                () = stop.sleep(IDLE_WAIT) => {}
            }
            continue;
        }
        for inbox in leased {
            let Ok(slot) = slots.clone().acquire_owned().await else { break };
            let courier = courier.clone();
            let stop = stop.clone();
            tokio::spawn(async move {
                let _counted = metrics::slot();
                let span = metrics::trace::deliver(&inbox.host);
                courier.serve(inbox, &stop).instrument(span).await;
                courier.gateway.wake.deliver.notify_one();
                drop(slot);
            });
        }
    }
    let all = u32::try_from(gateway.settings.concurrency.max(1)).unwrap_or(u32::MAX);
    // Every delivery that is on its way keeps its slot until it is recorded.
    let _ = slots.acquire_many(all).await;
    drop(courier);
    let _ = recording.await;
}

async fn lease(gateway: &Gateway, limit: usize) -> Result<Vec<Leased>, StoreError> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let limit = i64::try_from(limit).unwrap_or(1);
    let due = gateway.store.read("look for inboxes that are due", move |db| inboxes::next_due(db, now())).await?;
    if due.is_none_or(|at| at > now()) {
        return Ok(Vec::new());
    }
    let held = gateway.settings.lease;
    let lease = move |db: &mut crate::store::Db<'_>| inboxes::lease(db, now(), now().after(held), limit);
    gateway.store.write("lease inboxes", lease).await
}

/// What all deliveries of the process share.
struct Courier {
    gateway: Shared,
    recorder: Recorder,
    hosts: Hosts,
    signers: Signers,
}

/// What to do after one delivery.
enum After {
    /// The inbox answered: it is healthy, and the next one may be sent.
    Answered,
    /// Nothing was sent; the next one may be.
    Skipped,
    /// The inbox failed, or what happened cannot be recorded.
    LeaveInbox,
}

impl Courier {
    /// Sends an inbox what it is owed, until nothing is, it fails, or the lease is nearly over.
    async fn serve(&self, mut inbox: Leased, stop: &Stop) {
        let started = Instant::now();
        let Ok(url) = Url::parse(&inbox.url) else {
            tracing::error!(delivery.inbox = inbox.url, "an inbox in the database is not a URL; it is left alone");
            return;
        };
        loop {
            let id = inbox.id;
            let read = move |db: &mut crate::store::Db<'_>| deliveries::oldest_owed(db, id, OWED_BATCH_MAX);
            let owed = match self.gateway.store.read("read owed deliveries", read).await {
                Ok(owed) => owed,
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "owed deliveries cannot be read");
                    return; // the lease ends by itself
                }
            };
            let last_batch = owed.len() < usize::try_from(OWED_BATCH_MAX).unwrap_or(usize::MAX);
            for delivery in owed {
                let time_left = self.gateway.settings.lease.saturating_sub(started.elapsed());
                if stop.is_set() || time_left < self.gateway.settings.delivery_timeout {
                    self.recorder.record(Record::Done { inbox: id, at: now() }).await;
                    return;
                }
                match self.deliver(&inbox, &url, delivery).await {
                    After::Skipped => {}
                    After::Answered => (inbox.failures, inbox.failing_since, inbox.parked_at) = (0, None, None),
                    After::LeaveInbox => return,
                }
            }
            if last_batch {
                self.recorder.record(Record::Done { inbox: id, at: now() }).await;
                return;
            }
        }
    }

    async fn deliver(&self, inbox: &Leased, url: &Url, owed: Owed) -> After {
        let outcome = match self.signers.identity(&self.gateway, owed.actor_id).await {
            Ok(Ok(identity)) => self.send(url, &identity, owed.bytes.clone()).await,
            Ok(Err((why, checked_at))) => Outcome::Held { why, checked_at },
            Err(error) => {
                tracing::error!(error = &*error, "a delivery cannot be signed; it is tried again when the lease ends");
                return After::LeaveInbox;
            }
        };
        self.settle(inbox, &owed, outcome).await
    }

    async fn send(&self, url: &Url, identity: &SigningIdentity, bytes: Vec<u8>) -> Outcome {
        let headers = match cavage::sign(identity, "POST", url, Some(&bytes), CONTENT_TYPE, now()) {
            Ok(headers) => headers,
            Err(error) => return unreachable(error.to_string()),
        };
        let timeout = self.gateway.settings.delivery_timeout;
        match self.gateway.net.post(url, headers, Bytes::from(bytes), timeout).await {
            Ok(posted) => match classify(posted.status, posted.retry_after.as_deref(), now()) {
                Outcome::TryLater { status, retry_after, why } => {
                    Outcome::TryLater { status, retry_after, why: said(&why, &posted.body_start) }
                }
                other => other,
            },
            Err(error) => unreachable(error.to_string()),
        }
    }

    async fn settle(&self, inbox: &Leased, owed: &Owed, outcome: Outcome) -> After {
        let at = now();
        metrics::attempted(&outcome, owed.created_at, at);
        let settled = |state, status: u16, error| Record::Settled {
            inbox: inbox.id,
            activity: owed.activity_id,
            state,
            status: i32::from(status),
            error,
            at,
        };
        let record = match outcome {
            Outcome::Delivered { status } => settled(DeliveryState::Delivered, status, None),
            Outcome::Refused { status } => {
                let error = format!("the inbox refused it for good with {status}");
                tracing::warn!(delivery.inbox_host = inbox.host, status, "an inbox refused an activity");
                settled(DeliveryState::Refused, status, Some(error))
            }
            Outcome::TryLater { status, retry_after, why } => {
                let record = self.failed(inbox, owed, status, retry_after, why, at);
                self.recorder.record(record).await;
                return After::LeaveInbox;
            }
            Outcome::Held { why, checked_at } => {
                let record = Record::Held { inbox: inbox.id, actor: owed.actor_id, why, checked_at };
                return if self.recorder.record(record).await { After::Skipped } else { After::LeaveInbox };
            }
        };
        self.hosts.succeeded(&inbox.host);
        if self.recorder.record(record).await { After::Answered } else { After::LeaveInbox }
    }

    fn failed(
        &self,
        inbox: &Leased,
        owed: &Owed,
        status: Option<u16>,
        retry_after: Option<Timestamp>,
        why: String,
        at: Timestamp,
    ) -> Record {
        let failures = inbox.failures.saturating_add(1);
        let failing_since = inbox.failing_since.unwrap_or(at);
        let count = u32::try_from(failures).unwrap_or(1);
        let (due_at, parked_at) = match retry::next(count, rand::random(), retry_after, failing_since, at) {
            Next::At(due_at) => (due_at, None),
            Next::Park { probe_at } => (probe_at, Some(inbox.parked_at.unwrap_or(at))),
        };
        let give_up_before = retry::gives_up(failing_since, at).then(|| at.before(GIVE_UP_AFTER));
        let breaker = self.hosts.failed(&inbox.host, at);
        tracing::info!(delivery.inbox_host = inbox.host, failures, status, why, "a delivery failed and is tried again");
        Record::Failed {
            inbox: inbox.id,
            host: inbox.host.clone(),
            activity: owed.activity_id,
            failure: Failure { failures, failing_since, due_at, parked_at, status: status.map(i32::from), error: why },
            breaker,
            give_up_before,
            at,
        }
    }
}

fn said(why: &str, body_start: &str) -> String {
    let body: String = body_start.chars().filter(|c| !c.is_control()).take(120).collect();
    if body.is_empty() { why.to_owned() } else { format!("{why}: {body}") }
}

/// The breakers of hosts that fail, in memory; an open one is also in the database, for the lease and for other processes.
#[derive(Default)]
struct Hosts {
    failing: Mutex<HashMap<String, Breaker>>,
}

/// Most failing hosts that are remembered; beyond it the memory starts anew, which costs each dead host a few attempts.
const FAILING_HOSTS_MAX: usize = 50_000;

impl Hosts {
    fn succeeded(&self, host: &str) {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner).remove(host);
    }

    fn failed(&self, host: &str, at: Timestamp) -> Option<(i32, Timestamp)> {
        let mut failing = self.failing.lock().unwrap_or_else(PoisonError::into_inner);
        if failing.len() >= FAILING_HOSTS_MAX {
            failing.clear();
        }
        let breaker = failing.entry(host.to_owned()).or_default();
        // A host is leased again only after its pause, so whoever fails then was the probe.
        *breaker = breaker.ask(at).0.failed(at);
        match *breaker {
            Breaker::Open { until } => {
                Some((i32::try_from(crate::delivery::breaker::FAILURES_MAX).unwrap_or(1), until))
            }
            Breaker::Closed { .. } | Breaker::HalfOpen => None,
        }
    }
}

/// Actors and proofs as loaded a moment ago, so that a fan-out does not load them for each delivery. The capability itself is
/// made anew for every delivery.
#[derive(Default)]
struct Signers {
    loaded: Mutex<HashMap<ActorId, (Instant, Actor, Proof)>>,
}

/// Who signs; or why nobody does, and the check of the proof that says so.
type Signer = Result<SigningIdentity, (String, Option<Timestamp>)>;

impl Signers {
    async fn identity(
        &self,
        gateway: &Gateway,
        id: ActorId,
    ) -> Result<Signer, Box<dyn std::error::Error + Send + Sync>> {
        let cached = {
            let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
            loaded.get(&id).filter(|(at, ..)| at.elapsed() < PROOF_CACHE).cloned()
        };
        let times = &gateway.settings.proof_times;
        if let Some((_, actor, proof)) = cached
            && let Ok(verified) = VerifiedActor::prove(actor, &proof, times, now())
        {
            return Ok(Ok(gateway.sign_as(&verified).await?));
        }
        // Nothing is held on old news: the proof may have come back a moment ago.
        let read = move |db: &mut crate::store::Db<'_>| Ok((actors::by_id(db, id)?, proofs::of_actor(db, id)?));
        let (actor, proof) = gateway.store.read("read the signer of a delivery", read).await?;
        let Some(actor) = actor else { return Ok(Err((format!("actor {id} no longer exists"), None))) };
        let (entry, checked_at) = ((Instant::now(), actor.clone(), proof.clone()), proof.checked_at);
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).insert(id, entry);
        match VerifiedActor::prove(actor, &proof, times, now()) {
            Ok(verified) => Ok(Ok(gateway.sign_as(&verified).await?)),
            Err(unverified) => Ok(Err((unverified.to_string(), checked_at))),
        }
    }
}
