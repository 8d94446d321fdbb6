//! Delivers: leases inboxes that are due, sends each what it is owed in order, records what became of each.
//!
//! At least once: a crash after a 2xx and before its record sends again. At most once after a recorded 2xx.

mod audiences;
mod courier;
mod hands;
mod hosts;
mod knock;
mod payloads;
mod recorder;
mod seats;
mod signers;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::Instrument;

use crate::flow::deliver::courier::Courier;
use crate::flow::deliver::hands::{Hands, Job};
use crate::flow::deliver::hosts::{Place, Rest};
use crate::flow::deliver::recorder::Recorder;
use crate::flow::deliver::seats::{Seat, Seats};
use crate::flow::schedule::Stop;
use crate::flow::{Gateway, Shared, now};
use crate::ids::ActivityId;
use crate::metrics;
use crate::metrics::pulse::{self, Loop};
use crate::store::inboxes::{self, Leased};
use crate::store::{Db, StoreError, deliveries};

/// Inboxes leased in one statement, at most. So many wait in memory at most, so it is also what a killed process holds back until its
/// leases end, beside what it was sending.
const LEASE_BATCH_MAX: usize = 256;
/// And at most so many for each seat.
const LEASED_PER_SEAT: usize = 4;
/// The same where other processes are to find some too.
const LEASED_PER_SEAT_SHARED: usize = 2;
/// Activities that an inbox is sent in one turn; then others have theirs.
const TURN_MAX: i64 = 16;
/// Longest sleep while nothing is due.
const IDLE_WAIT: Duration = Duration::from_millis(1_000);
/// How often the breakers that other processes opened or closed are read.
pub(super) const BREAKERS_EVERY: Duration = Duration::from_secs(2);

/// A leased inbox and what it is owed.
pub(crate) struct Turn {
    /// The inbox.
    inbox: Leased,
    /// What it is sent now, in order.
    owed: Vec<ActivityId>,
    /// When the lease began.
    began: Instant,
}

/// Delivers until `stop`. Returns when every delivery under way has been recorded.
pub async fn run(gateway: Shared, mut stop: Stop) {
    let (recorder, recording) = Recorder::start(gateway.clone());
    let seats = Seats::new(gateway.settings.concurrency);
    metrics::slots(seats.count());
    let courier = Arc::new(Courier::new(gateway.clone(), recorder));
    let hands = Hands::new(seats.count());
    let mut waiting: VecDeque<Turn> = VecDeque::new();
    let mut breakers_at = None::<Instant>;
    let mut more = false; // after many there are most likely more
    while !stop.is_set() {
        pulse::beat(Loop::Deliver);
        if breakers_at.is_none_or(|at| at.elapsed() >= BREAKERS_EVERY) {
            courier.read_breakers().await;
            breakers_at = Some(Instant::now());
        }
        if courier.is_stuck() {
            stop.sleep(IDLE_WAIT).await;
            continue;
        }
        let Some(turn) = waiting.pop_front() else {
            match lease(&gateway, &seats, more).await {
                Ok(leased) if leased.is_empty() => {
                    more = false;
                    idle(&gateway, &mut stop, IDLE_WAIT).await;
                }
                Ok(leased) => {
                    more = leased.len() > seats.count();
                    waiting.extend(leased);
                }
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "inboxes cannot be leased");
                    stop.sleep(IDLE_WAIT).await;
                }
            }
            continue;
        };
        match seat(&courier, &seats, &turn, &mut stop).await {
            Given::Seat(seat) => hands.give(Serving { courier: courier.clone(), turn, seat, stop: stop.clone() }),
            Given::Rest(rest) => {
                let courier = courier.clone();
                tokio::spawn(async move { courier.defer(turn.inbox, rest).await });
            }
            Given::Nothing => waiting.push_front(turn), // the loop shows that it is alive, and looks whether it is to stop
        }
    }
    futures::future::join_all(waiting.iter().map(|turn| courier.release(turn))).await;
    // Who is on its way has a clone of the courier until its record is in line; the recorder ends when all of them are on disk.
    seats.all_left().await;
    drop(courier);
    let _ = recording.await;
}

/// A turn that is served.
struct Serving {
    courier: Arc<Courier>,
    turn: Turn,
    seat: Seat,
    stop: Stop,
}

impl Job for Serving {
    async fn done(self) {
        let Self { courier, turn, mut seat, stop } = self;
        let span = metrics::trace::deliver(&turn.inbox.host);
        courier.serve(turn, &mut seat, &stop).instrument(span).await;
    }
}

/// Where a turn is served.
enum Given {
    /// In this seat.
    Seat(Seat),
    /// Not now: its host keeps others waiting.
    Rest(Rest),
    /// All seats were taken all the time.
    Nothing,
}

/// Waits a moment for a seat for a turn.
async fn seat(courier: &Courier, seats: &Seats, turn: &Turn, stop: &mut Stop) -> Given {
    let at = now();
    match courier.hosts.place(&turn.inbox.host, at) {
        Place::Front => match tokio::time::timeout(IDLE_WAIT, seats.take(turn.inbox.turn.is_none(), stop)).await {
            Ok(Some(seat)) => Given::Seat(seat),
            Ok(None) | Err(_) => Given::Nothing,
        },
        Place::Aside => seats.take_aside().map_or(Given::Rest(Rest::Inbox(at.after(IDLE_WAIT))), Given::Seat),
        Place::Nowhere(rest) => Given::Rest(rest),
    }
}

async fn idle(gateway: &Gateway, stop: &mut Stop, wait: Duration) {
    tokio::select! {
        () = gateway.wake.deliver.notified() => {}
        () = stop.sleep(wait) => {}
    }
}

/// Leases the next inboxes and reads what they are owed, in one transaction; unless there are most likely some (`more`), looks
/// first, without a lock.
async fn lease(gateway: &Gateway, seats: &Seats, more: bool) -> Result<Vec<Turn>, StoreError> {
    let any_due = |db: &mut Db<'_>| inboxes::any_due(db, now());
    if !more && !gateway.store.read("look for inboxes that are due", any_due).await? {
        return Ok(Vec::new());
    }
    let limit = |n: usize| i64::try_from(n).unwrap_or(1);
    let per_seat = if gateway.store.is_shared() { LEASED_PER_SEAT_SHARED } else { LEASED_PER_SEAT };
    let (healthy, failing) = (limit(LEASE_BATCH_MAX.min(per_seat * seats.in_front())), limit(seats.free_for_retries()));
    let (began, held) = (Instant::now(), gateway.settings.lease);
    let lease = move |db: &mut Db<'_>| {
        let at = now();
        let leased = inboxes::lease(db, at, at.after(held), healthy, failing)?;
        let ids: Vec<_> = leased.iter().map(|inbox| inbox.id).collect();
        let mut owed = deliveries::owed_to(db, &ids, TURN_MAX)?;
        Ok(leased
            .into_iter()
            .map(|inbox| Turn { owed: owed.remove(&inbox.id).unwrap_or_default(), inbox, began })
            .collect())
    };
    gateway.store.write_lazily("lease inboxes", lease).await
}
