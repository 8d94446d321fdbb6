//! Serves an inbox: signs and sends what it is owed, one after the other, and says what became of each.

use std::time::Duration;

use url::Url;

use crate::delivery::Outcome;
use crate::delivery::breaker::Admission;
use crate::delivery::retry::{self, GIVE_UP_AFTER, Next};
use crate::flow::deliver::Turn;
use crate::flow::deliver::audiences::Audiences;
use crate::flow::deliver::hosts::{Failed, Hosts, Rest};
use crate::flow::deliver::payloads::{Payload, Payloads};
use crate::flow::deliver::recorder::{Expected, Learnt, Lease, Record, Recorder};
use crate::flow::deliver::seats::Seat;
use crate::flow::deliver::signers::Signers;
use crate::flow::schedule::Stop;
use crate::flow::{Shared, now};
use crate::ids::{self, ActivityId};
use crate::metrics;
use crate::net::{FetchError, Posted};
use crate::store::deliveries::DeliveryState;
use crate::store::inboxes::{self, Failure, Leased};
use crate::time::Timestamp;

/// After so long without an answer a delivery gives its seat to others and waits aside. That costs next to nothing, and servers
/// that are near answer sooner.
const ASIDE_AFTER: Duration = Duration::from_millis(50);
/// After so much longer the other inboxes of that host wait for its answer. A server at the other end of the world takes a
/// third of a second for a new TLS connection.
const SLOW_AFTER: Duration = Duration::from_millis(700);

/// What all deliveries of the process share.
pub(super) struct Courier {
    /// The gateway.
    pub(super) gateway: Shared,
    /// What is known of hosts.
    pub(super) hosts: Hosts,
    recorder: Recorder,
    signers: Signers,
    payloads: Payloads,
    /// What hosts are told of their followers.
    pub(super) audiences: Audiences,
}

/// What to do after one delivery.
enum After {
    /// The next one may be sent.
    GoOn,
    /// The turn is over: the lease has ended, or ends by itself.
    LeaveInbox,
}

/// One delivery of a turn.
pub(super) struct Step<'t> {
    pub(super) inbox: &'t Leased,
    pub(super) url: &'t Url,
    activity: ActivityId,
    /// It is the last one of the turn: the lease ends with its record.
    last: bool,
}

impl Courier {
    pub(super) fn new(gateway: Shared, recorder: Recorder) -> Self {
        Self {
            gateway,
            recorder,
            hosts: Hosts::default(),
            signers: Signers::default(),
            payloads: Payloads::default(),
            audiences: Audiences::default(),
        }
    }

    /// Takes over which breakers are open.
    pub(super) async fn read_breakers(&self) {
        let at = now();
        match self.gateway.store.read("read breakers", move |db| inboxes::open_breakers(db, at)).await {
            Ok(open) => self.hosts.take_over(&open, at),
            Err(error) => tracing::error!(error = &error as &dyn std::error::Error, "breakers cannot be read"),
        }
    }

    /// Whether outcomes cannot be recorded at the moment. Then nothing more is leased: it might be what was just sent.
    pub(super) fn is_stuck(&self) -> bool {
        self.recorder.is_stuck()
    }

    /// Ends the lease of an inbox that is not served.
    pub(super) async fn release(&self, turn: &Turn) {
        self.let_go(&turn.inbox).await;
    }

    /// Ends the lease of an inbox that nothing is sent to now.
    pub(super) async fn defer(&self, inbox: Leased, rest: Rest) {
        self.recorder.record(Record::Deferred { lease: lease(&inbox), host: inbox.host, rest, at: now() }).await;
    }

    async fn let_go(&self, inbox: &Leased) {
        self.recorder.record(Record::Done { lease: lease(inbox), at: now() }).await;
    }

    /// Sends an inbox what it is owed this turn, until it fails, or the lease is nearly over.
    pub(super) async fn serve(&self, turn: Turn, seat: &mut Seat, stop: &Stop) {
        let Turn { mut inbox, owed, began } = turn;
        let Ok(url) = Url::parse(&inbox.url) else {
            tracing::error!(delivery.inbox = inbox.url, "an inbox in the database is not a URL; it is left alone");
            return;
        };
        let most = owed.len();
        if most == 0 {
            return self.let_go(&inbox).await;
        }
        if let Admission::Wait { until } = self.hosts.admit(&inbox.host, now()) {
            return self.defer(inbox, Rest::Breaker(until)).await;
        }
        for (n, activity) in owed.into_iter().enumerate() {
            let time_left = self.gateway.settings.lease.saturating_sub(began.elapsed());
            if stop.is_set() || time_left < self.gateway.settings.delivery_timeout {
                return self.let_go(&inbox).await;
            }
            let step = Step { inbox: &inbox, url: &url, activity, last: n + 1 == most };
            match self.deliver(&step, seat).await {
                After::GoOn => (inbox.failures, inbox.failing_since, inbox.parked_at) = (0, None, None),
                After::LeaveInbox => return,
            }
        }
    }

    async fn deliver(&self, step: &Step<'_>, seat: &mut Seat) -> After {
        let expected = self.recorder.expect_one();
        let payload = match self.payloads.get(&self.gateway, step.activity).await {
            Ok(Some(payload)) => payload,
            Ok(None) => {
                tracing::error!(activity.id = %step.activity, "an activity that is owed is not in the database");
                return After::LeaveInbox;
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "an activity that is owed cannot be read");
                return After::LeaveInbox; // the lease ends by itself
            }
        };
        let signer = (payload.actor, payload.speech);
        let (outcome, learnt) = match self.signers.identity(&self.gateway, signer, step.activity).await {
            Ok(Ok(identity)) => self.send(step, &identity, &payload, seat).await,
            Ok(Err((why, checked_at))) => (Outcome::Held { why, checked_at }, None),
            Err(error) => {
                tracing::error!(error = &*error, "a delivery cannot be signed; it is tried again when the lease ends");
                return After::LeaveInbox;
            }
        };
        self.settle(step, &payload, (outcome, learnt), expected).await
    }

    /// Posts; who waits long for an answer steps aside, and others of that host do not join it.
    pub(super) async fn post(
        &self,
        step: &Step<'_>,
        headers: Vec<(&'static str, String)>,
        payload: &Payload,
        timeout: Duration,
        seat: &mut Seat,
    ) -> Result<Posted, FetchError> {
        let posting = self.gateway.net.post(step.url, headers, payload.body.bytes().clone(), timeout);
        tokio::pin!(posting);
        if let Ok(answer) = tokio::time::timeout(ASIDE_AFTER, &mut posting).await {
            return answer;
        }
        seat.step_aside();
        let mut waiting = self.hosts.wait(&step.inbox.host);
        if let Ok(answer) = tokio::time::timeout(SLOW_AFTER, &mut posting).await {
            return answer;
        }
        waiting.is_long();
        posting.await
    }

    async fn settle(
        &self,
        step: &Step<'_>,
        payload: &Payload,
        (outcome, learnt): (Outcome, Option<Learnt>),
        expected: Expected<'_>,
    ) -> After {
        let at = now();
        metrics::attempted(&outcome, Timestamp(ids::composed_ms(step.activity.0)), at);
        let record = match outcome {
            Outcome::Delivered { status } => self.settled(step, DeliveryState::Delivered, (status, None), learnt, at),
            Outcome::Refused { status } => {
                let error = format!("the inbox refused it for good with {status}");
                tracing::warn!(delivery.inbox_host = step.inbox.host, status, "an inbox refused an activity");
                self.settled(step, DeliveryState::Refused, (status, Some(error)), learnt, at)
            }
            Outcome::TryLater { status, retry_after, why } => {
                let record = self.failed(step, status, retry_after, why, at);
                expected.leave(record).await;
                return After::LeaveInbox;
            }
            Outcome::Held { why, checked_at } => {
                // What follows may be the same actor's, and the proof may hold again before it is sent: a Delete before its Create.
                expected
                    .leave(Record::Held { lease: lease(step.inbox), actor: payload.actor, why, checked_at, at })
                    .await;
                return After::LeaveInbox;
            }
        };
        if step.last {
            expected.leave(record).await;
            return After::LeaveInbox;
        }
        if expected.record(record).await { After::GoOn } else { After::LeaveInbox }
    }

    fn settled(
        &self,
        step: &Step<'_>,
        state: DeliveryState,
        (status, error): (u16, Option<String>),
        learnt: Option<Learnt>,
        at: Timestamp,
    ) -> Record {
        let host = &step.inbox.host;
        let revived = self.hosts.succeeded(host).then(|| host.clone());
        let (activity, status, recovered) = (step.activity, i32::from(status), step.inbox.failures > 0);
        Record::Settled {
            lease: lease(step.inbox),
            activity,
            state,
            status,
            error,
            revived,
            learnt,
            recovered,
            release: step.last,
            at,
        }
    }

    fn failed(
        &self,
        step: &Step<'_>,
        status: Option<u16>,
        retry_after: Option<Timestamp>,
        why: String,
        at: Timestamp,
    ) -> Record {
        let inbox = step.inbox;
        let failures = inbox.failures.saturating_add(1);
        let failing_since = inbox.failing_since.unwrap_or(at);
        let count = u32::try_from(failures).unwrap_or(1);
        let (due_at, parked_at) = match retry::next(count, rand::random(), retry_after, failing_since, at) {
            Next::At(due_at) => (due_at, None),
            Next::Park { probe_at } => (probe_at, Some(inbox.parked_at.unwrap_or(at))),
        };
        let give_up_before = retry::gives_up(failing_since, at).then(|| at.before(GIVE_UP_AFTER));
        let how = match (status, retry_after) {
            (Some(_), Some(until)) => Failed::AskedToWait(until),
            (Some(_), None) => Failed::Answered,
            (None, _) => Failed::Silent,
        };
        let breaker = self.hosts.failed(&inbox.host, how, at);
        tracing::info!(delivery.inbox_host = inbox.host, failures, status, why, "a delivery failed and is tried again");
        Record::Failed {
            lease: lease(inbox),
            host: inbox.host.clone(),
            activity: step.activity,
            failure: Failure { failures, failing_since, due_at, parked_at, status: status.map(i32::from), error: why },
            breaker,
            give_up_before,
            at,
        }
    }
}

fn lease(inbox: &Leased) -> Lease {
    Lease { inbox: inbox.id, until: inbox.lease_until }
}

/// Why, with what the server said.
pub(super) fn said(why: &str, body_start: &str) -> String {
    let body: String = body_start.chars().filter(|c| !c.is_control()).take(120).collect();
    if body.is_empty() { why.to_owned() } else { format!("{why}: {body}") }
}
