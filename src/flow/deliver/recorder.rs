//! Records what became of deliveries, many at a time: one transaction for all that came in while the last one ran. A worker
//! goes on to its next delivery only when this one is on disk, so nothing that was recorded is sent twice.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::flow::Gateway;
use crate::ids::{ActivityId, ActorId, InboxId};
use crate::metrics;
use crate::store::deliveries::{self, DeliveryState};
use crate::store::inboxes::{self, Failure};
use crate::store::{Db, Queried, proofs};
use crate::time::Timestamp;

/// Most records in one transaction.
const BATCH_MAX: usize = 512;
/// How long the first record of a transaction waits for others.
const GATHER: Duration = Duration::from_millis(4);
/// How long to wait before a failed transaction is tried anew.
const RETRY_WAIT: Duration = Duration::from_secs(1);

/// Something to record.
#[derive(Debug, Clone)]
pub enum Record {
    /// An inbox answered; the delivery is settled and the inbox is healthy.
    Settled {
        /// The inbox.
        inbox: InboxId,
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
        /// The turn is over: the lease ends.
        release: bool,
        /// When.
        at: Timestamp,
    },
    /// The attempt failed and may pass: the lease ends, the inbox waits.
    Failed {
        /// The inbox.
        inbox: InboxId,
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
    /// The actor has no proof that holds: what it owes this inbox is held.
    Held {
        /// The inbox.
        inbox: InboxId,
        /// The actor.
        actor: ActorId,
        /// Why, as a sentence.
        why: String,
        /// The check of the proof that this rests on: after a later one nothing is held, but tried again.
        checked_at: Option<Timestamp>,
        /// The turn is over: the lease ends.
        release: bool,
        /// When.
        at: Timestamp,
    },
    /// The host is given a rest: nothing was sent, the lease ends, the inbox waits until then.
    Deferred {
        /// The inbox.
        inbox: InboxId,
        /// Its host.
        host: String,
        /// Until when.
        until: Timestamp,
    },
    /// The worker is done with the inbox: the lease ends.
    Done {
        /// The inbox.
        inbox: InboxId,
        /// When.
        at: Timestamp,
    },
}

impl Record {
    fn inbox(&self) -> InboxId {
        match self {
            Self::Settled { inbox, .. }
            | Self::Failed { inbox, .. }
            | Self::Held { inbox, .. }
            | Self::Deferred { inbox, .. }
            | Self::Done { inbox, .. } => *inbox,
        }
    }
}

/// A record, and how to tell that it is on disk.
type Waiting = (Record, oneshot::Sender<()>);

/// Takes records; cheap to clone.
#[derive(Clone)]
pub struct Recorder {
    sender: mpsc::Sender<Waiting>,
    stuck: Arc<AtomicBool>,
}

impl Recorder {
    /// Starts recording. It ends when the last clone of the recorder is dropped.
    pub fn start(gateway: Arc<Gateway>) -> (Self, tokio::task::JoinHandle<()>) {
        let (sender, receiver) = mpsc::channel(BATCH_MAX * 2);
        let stuck = Arc::<AtomicBool>::default();
        (Self { sender, stuck: stuck.clone() }, tokio::spawn(run(gateway, receiver, stuck)))
    }

    /// Whether records wait because the database does not take them.
    pub fn is_stuck(&self) -> bool {
        self.stuck.load(Ordering::Relaxed)
    }

    /// Records, and returns when it is on disk. Returns `false` when the recorder has ended: then nothing more must be sent.
    pub async fn record(&self, record: Record) -> bool {
        let (done, wait) = oneshot::channel();
        self.sender.send((record, done)).await.is_ok() && wait.await.is_ok()
    }
}

async fn run(gateway: Arc<Gateway>, mut receiver: mpsc::Receiver<Waiting>, stuck: Arc<AtomicBool>) {
    let mut batch = Vec::with_capacity(BATCH_MAX);
    while receiver.recv_many(&mut batch, BATCH_MAX).await > 0 {
        gather(&mut receiver, &mut batch).await;
        let (records, waiting): (Vec<Record>, Vec<oneshot::Sender<()>>) = batch.drain(..).unzip();
        let records = Arc::new(records);
        loop {
            let these = records.clone();
            let write = move |db: &mut Db<'_>| {
                let ids: Vec<InboxId> = these.iter().map(Record::inbox).collect();
                inboxes::lock(db, &ids)?;
                apply_all(db, &these)
            };
            match gateway.store.write("record deliveries", write).await {
                Ok(()) => break,
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
        for done in waiting {
            // A worker that was stopped meanwhile no longer waits; its record is on disk all the same.
            let _ = done.send(());
        }
    }
}

/// Waits a moment for more, because a transaction costs about as much for one record as for twenty.
async fn gather(receiver: &mut mpsc::Receiver<Waiting>, batch: &mut Vec<Waiting>) {
    let until = tokio::time::Instant::now() + GATHER;
    while batch.len() < BATCH_MAX {
        let room = BATCH_MAX - batch.len();
        match tokio::time::timeout_at(until, receiver.recv_many(batch, room)).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => return,
        }
    }
}

/// What most records are: taken, with that status. They are recorded in a statement for all.
#[derive(Default)]
struct Taken {
    which: Vec<(ActivityId, InboxId)>,
    released: Vec<InboxId>,
}

fn apply_all(db: &mut Db<'_>, records: &[Record]) -> Queried<()> {
    let mut taken: BTreeMap<i32, Taken> = BTreeMap::new();
    let mut latest = Timestamp(0);
    for record in records {
        match record {
            Record::Settled {
                inbox,
                activity,
                state: DeliveryState::Delivered,
                status,
                revived: None,
                release,
                at,
                ..
            } => {
                let taken = taken.entry(*status).or_default();
                taken.which.push((*activity, *inbox));
                taken.released.extend(release.then_some(*inbox));
                latest = latest.max(*at);
            }
            other => apply(db, other)?,
        }
    }
    for (status, Taken { which, released }) in taken {
        deliveries::delivered(db, &which, status, latest)?;
        if !released.is_empty() {
            inboxes::release_answered(db, &released, status, latest)?;
        }
    }
    Ok(())
}

fn apply(db: &mut Db<'_>, record: &Record) -> Queried<()> {
    match record {
        Record::Settled { inbox, activity, state, status, error, revived, release, at } => {
            deliveries::record(db, *inbox, *activity, *state, Some(*status), error.as_deref(), *at)?;
            if *release {
                inboxes::release_answered(db, &[*inbox], *status, *at)?;
            }
            match revived {
                Some(host) => inboxes::revive_host(db, host, *at).map(|_| ()),
                None => Ok(()),
            }
        }
        Record::Failed { inbox, host, activity, failure, breaker, give_up_before, at } => {
            let error = Some(failure.error.as_str());
            deliveries::record(db, *inbox, *activity, DeliveryState::Owed, failure.status, error, *at)?;
            inboxes::release_failed(db, *inbox, failure)?;
            if let Some((failures, until)) = breaker {
                inboxes::open_breaker(db, host, *failures, *until)?;
            }
            match give_up_before {
                Some(before) => deliveries::give_up(db, *inbox, *before, *at).map(metrics::gave_up),
                None => Ok(()),
            }
        }
        Record::Held { inbox, actor, why, checked_at, release, at } => {
            if proofs::lock_checked_at(db, *actor)? == *checked_at {
                deliveries::hold(db, *inbox, *actor, why)?;
            }
            if *release { inboxes::release(db, &[*inbox], *at) } else { Ok(()) }
        }
        Record::Deferred { inbox, host, until } => inboxes::defer(db, *inbox, host, *until),
        Record::Done { inbox, at } => inboxes::release(db, &[*inbox], *at),
    }
}
