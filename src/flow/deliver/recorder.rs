//! Records what became of deliveries, many at a time: one transaction for all that came in while the last one ran. A worker
//! goes on to its next delivery only when this one is on disk, so nothing that was recorded is sent twice; nobody waits for the
//! last one of a turn, whose record also ends the lease.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};

use crate::flow::Gateway;
use crate::flow::deliver::BREAKERS_EVERY;
use crate::flow::deliver::hosts::Rest;
use crate::ids::{ActivityId, ActorId, InboxId};
use crate::metrics;
use crate::signature::Scheme;
use crate::store::deliveries::{self, DeliveryState};
use crate::store::host_signatures::{self, ShownBy};
use crate::store::inboxes::{self, Failure};
use crate::store::{Db, Queried, proofs};
use crate::time::Timestamp;

/// Most records in one transaction.
const BATCH_MAX: usize = 512;
/// How long the first record of a transaction waits for others, while any are to be expected. What was sent in that time is sent
/// again after a crash.
const GATHER: Duration = Duration::from_millis(40);
/// How long to wait before a failed transaction is tried anew.
const RETRY_WAIT: Duration = Duration::from_secs(1);

/// The lease of an inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lease {
    /// The inbox.
    pub inbox: InboxId,
    /// Its end. Who records something after it lets go of nothing: another may have leased the inbox since.
    pub until: Timestamp,
}

/// Something to record.
#[derive(Debug, Clone)]
pub enum Record {
    /// An inbox answered; the delivery is settled and the inbox is healthy.
    Settled {
        /// The inbox.
        lease: Lease,
        /// The activity.
        activity: ActivityId,
        /// Delivered or refused.
        state: DeliveryState,
        /// HTTP status.
        status: i32,
        /// What a refusal said.
        error: Option<String>,
        /// The host whose breaker this answer closes.
        revived: Option<String>,
        /// What its host showed of the signatures that it takes.
        learnt: Option<Learnt>,
        /// The inbox failed before.
        recovered: bool,
        /// The turn is over: the lease ends.
        release: bool,
        /// When.
        at: Timestamp,
    },
    /// The attempt failed and may pass: the lease ends, the inbox waits.
    Failed {
        /// The inbox.
        lease: Lease,
        /// Its host.
        host: String,
        /// The activity.
        activity: ActivityId,
        /// What is kept on the inbox.
        failure: Failure,
        /// What the host's breaker is from now on: failures in a row, and until when it is open.
        breaker: Option<(i32, Timestamp)>,
        /// What is owed since before then is given up.
        give_up_before: Option<Timestamp>,
        /// When.
        at: Timestamp,
    },
    /// The actor has no proof that holds: what it owes this inbox is held. The turn is over, because of what follows some may be
    /// the actor's too: the lease ends.
    Held {
        /// The inbox.
        lease: Lease,
        /// The actor.
        actor: ActorId,
        /// Why, as a sentence.
        why: String,
        /// The check of the proof that this rests on: after a later one nothing is held, but tried again.
        checked_at: Option<Timestamp>,
        /// When.
        at: Timestamp,
    },
    /// Nothing was sent, the lease ends, the inbox waits.
    Deferred {
        /// The inbox.
        lease: Lease,
        /// Its host.
        host: String,
        /// Who waits, until when.
        rest: Rest,
        /// When.
        at: Timestamp,
    },
    /// The worker is done with the inbox: the lease ends.
    Done {
        /// The inbox.
        lease: Lease,
        /// When.
        at: Timestamp,
    },
}

impl Record {
    fn inbox(&self) -> InboxId {
        match self {
            Self::Settled { lease, .. }
            | Self::Failed { lease, .. }
            | Self::Held { lease, .. }
            | Self::Deferred { lease, .. }
            | Self::Done { lease, .. } => lease.inbox,
        }
    }
}

/// What a host showed when it was knocked at twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Learnt {
    /// It takes this.
    Takes(String, Scheme, ShownBy),
    /// It does not take RFC 9421.
    Refuses(String),
}

/// A record, and how to tell that it is on disk to who waits for that.
type Waiting = (Record, Option<oneshot::Sender<()>>);

/// Deliveries under way, whose records are to be expected.
#[derive(Default)]
struct UnderWay {
    count: AtomicUsize,
    none: Notify,
}

/// A delivery under way; its record is expected until this is used or dropped.
pub struct Expected<'r> {
    recorder: &'r Recorder,
}

impl Expected<'_> {
    /// Records what became of it, as [`Recorder::record`] does.
    pub async fn record(self, record: Record) -> bool {
        let Some(wait) = self.recorder.send_and_hear(record).await else { return false };
        drop(self); // it is in line: nobody waits for it any more
        wait.await.is_ok()
    }

    /// Records what became of it, without waiting until it is on disk. The inbox is served again only when it is.
    pub async fn leave(self, record: Record) {
        self.recorder.send(record, None).await;
    }
}

impl Drop for Expected<'_> {
    fn drop(&mut self) {
        let under_way = &self.recorder.under_way;
        if under_way.count.fetch_sub(1, Ordering::Relaxed) == 1 {
            under_way.none.notify_one();
        }
    }
}

/// Takes records; cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    sender: mpsc::Sender<Waiting>,
    stuck: Arc<AtomicBool>,
    under_way: Arc<UnderWay>,
}

impl Recorder {
    /// Starts recording. It ends when the last clone of the recorder is dropped.
    pub fn start(gateway: Arc<Gateway>) -> (Self, tokio::task::JoinHandle<()>) {
        let (sender, receiver) = mpsc::channel(BATCH_MAX * 2);
        let (stuck, under_way) = (Arc::<AtomicBool>::default(), Arc::<UnderWay>::default());
        let recording = tokio::spawn(run(gateway, receiver, stuck.clone(), under_way.clone()));
        (Self { sender, stuck, under_way }, recording)
    }

    /// Announces a record.
    pub fn expect_one(&self) -> Expected<'_> {
        self.under_way.count.fetch_add(1, Ordering::Relaxed);
        Expected { recorder: self }
    }

    /// Whether records wait because the database does not take them.
    pub fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::Relaxed)
    }

    /// Records, and returns when it is on disk. Returns `false` when the recorder has ended: then nothing more must be sent.
    pub async fn record(&self, record: Record) -> bool {
        let Some(wait) = self.send_and_hear(record).await else { return false };
        wait.await.is_ok()
    }

    async fn send_and_hear(&self, record: Record) -> Option<oneshot::Receiver<()>> {
        let (done, wait) = oneshot::channel();
        self.send(record, Some(done)).await.then_some(wait)
    }

    /// Puts a record in line; `false` when the recorder has ended.
    async fn send(&self, record: Record, done: Option<oneshot::Sender<()>>) -> bool {
        self.sender.send((record, done)).await.is_ok()
    }
}

async fn run(
    gateway: Arc<Gateway>,
    mut receiver: mpsc::Receiver<Waiting>,
    stuck: Arc<AtomicBool>,
    under_way: Arc<UnderWay>,
) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while receiver.recv_many(&mut batch, BATCH_MAX).await > 0 {
        gather(&mut receiver, &mut batch, &under_way).await;
        let (records, waiting): (Vec<Record>, Vec<Option<oneshot::Sender<()>>>) = batch.drain(..).unzip();
        let records = Arc::new(records);
        loop {
            let these = records.clone();
            let write = move |db: &mut Db<'_>| apply_all(db, &these);
            match gateway.store.write("record deliveries", write).await {
                Ok(given_up) => {
                    metrics::gave_up(given_up);
                    break;
                }
                Err(error) => {
                    stuck.store(true, Ordering::Relaxed);
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "deliveries cannot be recorded; nothing more is sent until they are"
                    );
                    tokio::time::sleep(RETRY_WAIT).await;
                }
            }
        }
        if receiver.is_empty() {
            stuck.store(false, Ordering::Relaxed);
        }
        for done in waiting.into_iter().flatten() {
            // A worker that was stopped meanwhile no longer waits; its record is on disk all the same.
            let _ = done.send(());
        }
        gateway.wake.deliver.notify_one(); // leases ended: there may be more to send
    }
}

/// Waits a moment for more, because a transaction costs about as much for one record as for twenty; and does not look at each that
/// comes, because waking up for it costs too.
async fn gather(receiver: &mut mpsc::Receiver<Waiting>, batch: &mut Vec<Waiting>, under_way: &UnderWay) {
    let over = tokio::time::sleep(GATHER);
    tokio::pin!(over);
    while under_way.count.load(Ordering::Relaxed) > 0 && receiver.len() < BATCH_MAX {
        tokio::select! {
            () = &mut over => break,
            () = under_way.none.notified() => {}
        }
    }
    while batch.len() < BATCH_MAX {
        let Ok(record) = receiver.try_recv() else { return };
        batch.push(record);
    }
}

/// What most records are: taken, with that status. They are recorded in a statement for all.
#[derive(Default)]
struct Taken {
    which: Vec<(ActivityId, InboxId)>,
    /// The leases that end, by when they would have.
    released: BTreeMap<Timestamp, Vec<InboxId>>,
}

/// What some records mean depends on what is read under a lock.
struct Known {
    /// Of each actor that something is to be held of: when its proof was last checked.
    checked_at: BTreeMap<ActorId, Option<Timestamp>>,
}

/// Locks what the records touch, in the order in which everybody locks: proofs, then inboxes.
fn lock(db: &mut Db<'_>, records: &[Record]) -> Queried<Known> {
    let mut checked_at = BTreeMap::new();
    for record in records {
        if let Record::Held { actor, .. } = record {
            checked_at.insert(*actor, None);
        }
    }
    for (actor, checked_at) in &mut checked_at {
        *checked_at = proofs::lock_checked_at(db, *actor)?;
    }
    let ids: Vec<InboxId> = records.iter().map(Record::inbox).collect();
    inboxes::lock(db, &ids)?;
    Ok(Known { checked_at })
}

/// Returns how many deliveries were given up.
fn apply_all(db: &mut Db<'_>, records: &[Record]) -> Queried<usize> {
    let known = lock(db, records)?;
    let mut taken: BTreeMap<i32, Taken> = BTreeMap::new();
    let mut latest = Timestamp(0);
    let mut given_up = 0;
    for record in records {
        match record {
            Record::Settled {
                lease,
                activity,
                state: DeliveryState::Delivered,
                status,
                revived: None,
                learnt: None,
                recovered: false,
                release,
                at,
                ..
            } => {
                let taken = taken.entry(*status).or_default();
                taken.which.push((*activity, lease.inbox));
                if *release {
                    taken.released.entry(lease.until).or_default().push(lease.inbox);
                }
                latest = latest.max(*at);
            }
            other => given_up += apply(db, other, &known)?,
        }
    }
    for (status, Taken { which, released }) in taken {
        deliveries::delivered(db, &which, status, latest)?;
        for (until, inboxes) in released {
            inboxes::release_answered(db, &inboxes, until, status, latest)?;
        }
    }
    Ok(given_up)
}

/// Returns how many deliveries were given up.
fn apply(db: &mut Db<'_>, record: &Record, known: &Known) -> Queried<usize> {
    match record {
        Record::Settled { lease, activity, state, status, error, revived, learnt, recovered, release, at } => {
            deliveries::record(db, lease.inbox, *activity, *state, Some(*status), error.as_deref(), *at)?;
            if *recovered {
                inboxes::recovered(db, lease.inbox, *at)?;
            }
            if *release {
                inboxes::release_answered(db, &[lease.inbox], lease.until, *status, *at)?;
            }
            if let Some(host) = revived {
                inboxes::revive_host(db, host, *at)?;
            }
            match learnt {
                Some(Learnt::Takes(host, scheme, by)) => host_signatures::note(db, host, *scheme, *by, *at)?,
                Some(Learnt::Refuses(host)) => host_signatures::refused(db, host, *at)?,
                None => {}
            }
        }
        Record::Failed { lease, host, activity, failure, breaker, give_up_before, at } => {
            let error = Some(failure.error.as_str());
            deliveries::record(db, lease.inbox, *activity, DeliveryState::Owed, failure.status, error, *at)?;
            inboxes::release_failed(db, lease.inbox, lease.until, failure)?;
            if let Some((failures, until)) = breaker {
                inboxes::open_breaker(db, host, *failures, *until)?;
            }
            if let Some(before) = give_up_before {
                return deliveries::give_up(db, lease.inbox, *before, *at);
            }
        }
        Record::Held { lease, actor, why, checked_at, at } => {
            if known.checked_at.get(actor) == Some(checked_at) {
                deliveries::hold(db, lease.inbox, *actor, why)?;
            }
            inboxes::release(db, &[lease.inbox], lease.until, *at)?;
        }
        Record::Deferred { lease, host, rest, at } => defer(db, *lease, host, *rest, *at)?,
        Record::Done { lease, at } => inboxes::release(db, &[lease.inbox], lease.until, *at)?,
    }
    Ok(0)
}

fn defer(db: &mut Db<'_>, lease: Lease, host: &str, rest: Rest, at: Timestamp) -> Queried<()> {
    match rest {
        Rest::Inbox(until) => inboxes::defer(db, lease.inbox, lease.until, until),
        Rest::Host(until) => {
            inboxes::defer(db, lease.inbox, lease.until, until)?;
            inboxes::defer_host(db, host, until)
        }
        Rest::Breaker(until) if inboxes::is_breaker_open(db, host)? => defer(db, lease, host, Rest::Host(until), at),
        // Another process, or the host itself, closed its breaker: this process will soon know.
        Rest::Breaker(until) => inboxes::defer(db, lease.inbox, lease.until, at.after(BREAKERS_EVERY).min(until)),
    }
}
