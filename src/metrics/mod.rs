//! What a process counts and times about itself, in the Prometheus text format. Pure bookkeeping: counting costs some
//! nanoseconds, because every series is made once and is only added to afterwards; no label is looked up on the way.
//!
//! Labels are bounded: an outcome, a class, an agency, an actor; never a host or a URL. What only the database knows comes as
//! [`Family`]s from `flow::survey`, at scrape time.

mod meters;
mod page;
pub mod pulse;
pub mod trace;

use std::time::{Duration, Instant};

use prometheus::Histogram;

use crate::delivery::Outcome;
use crate::metrics::meters::{Later, Refused, Surface, meters};
use crate::source::politeness::PollOutcome;
use crate::time::Timestamp;

pub use meters::check;
pub use page::{CONTENT_TYPE, Family, page};

/// Times something until it is dropped.
#[must_use = "what is not kept is timed as nothing"]
pub struct Timing {
    histogram: Option<&'static Histogram>,
    begun: Instant,
}

impl Timing {
    fn of(histogram: Option<&'static Histogram>) -> Self {
        Self { histogram, begun: Instant::now() }
    }
}

impl Drop for Timing {
    fn drop(&mut self) {
        if let Some(histogram) = self.histogram {
            histogram.observe(self.begun.elapsed().as_secs_f64());
        }
    }
}

/// Takes a place among the deliveries under way until it is dropped.
#[must_use = "what is not kept is counted as ended"]
pub struct Slot(());

impl Drop for Slot {
    fn drop(&mut self) {
        if let Some(m) = meters() {
            m.slots_used.dec();
        }
    }
}

/// A delivery slot is in use until the guard is dropped.
pub fn slot() -> Slot {
    if let Some(m) = meters() {
        m.slots_used.inc();
    }
    Slot(())
}

/// How many delivery slots this process has.
pub fn slots(n: usize) {
    if let Some(m) = meters() {
        m.slots.set(i64::try_from(n).unwrap_or(i64::MAX));
    }
}

/// Times one POST to an inbox, from the signed request to its answer or the lack of one.
pub fn answer() -> Timing {
    Timing::of(meters().map(|m| &m.answer))
}

/// Counts what became of an attempt; of a delivery also how long it was owed.
pub fn attempted(outcome: &Outcome, owed_since: Timestamp, at: Timestamp) {
    let Some(m) = meters() else { return };
    match outcome {
        Outcome::Delivered { .. } => {
            m.delivered.inc();
            m.latency.observe(at.since(owed_since).as_secs_f64());
        }
        Outcome::Refused { status } => m.refused(Refused::of(*status)).inc(),
        Outcome::TryLater { status, .. } => m.try_later(Later::of(*status)).inc(),
        Outcome::Held { .. } => m.held.inc(),
    }
}

/// Counts why a POST to an inbox got no answer: `dns`, `connect`, `tls`, `timeout`, else `other`.
pub fn no_answer(cause: &str) {
    if let Some(m) = meters() {
        m.no_answer(cause).inc();
    }
}

/// Counts deliveries that were given up.
pub fn gave_up(n: usize) {
    if let Some(m) = meters() {
        m.gave_up.inc_by(u64::try_from(n).unwrap_or(0));
    }
}

/// Counts a published activity: Create, Update, Delete.
pub fn published(kind: &str) {
    if let Some(counter) = meters().and_then(|m| m.published(kind)) {
        counter.inc();
    }
}

/// Counts a request that was pushed to us, by its answer: `accepted`, `known`, or the code of the refusal.
pub fn hook(answer: &str) {
    if let Some(counter) = meters().and_then(|m| m.hook(answer)) {
        counter.inc();
    }
}

/// Counts something that happened between us and a hub.
pub fn websub(event: &str) {
    if let Some(counter) = meters().and_then(|m| m.websub(event)) {
        counter.inc();
    }
}

/// Counts something that happened between us and a target.
pub fn target(event: &str) {
    if let Some(counter) = meters().and_then(|m| m.target(event)) {
        counter.inc();
    }
}

/// Counts how a poll ended, and times it.
pub fn polled(outcome: PollOutcome, took: Duration) {
    let Some(m) = meters() else { return };
    m.poll.observe(took.as_secs_f64());
    m.polled(outcome).inc();
}

/// A hop to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hop {
    /// A read.
    Read,
    /// A transaction.
    Write,
}

/// Times a hop to the database, waiting for a connection included.
pub fn database(hop: Hop) -> Timing {
    Timing::of(meters().map(|m| m.hop(hop)))
}

/// Counts a hop that failed.
pub fn database_failed(hop: Hop) {
    if let Some(m) = meters() {
        m.hop_failed(hop).inc();
    }
}

/// Says how many connections to the database there are, and how many of them are idle.
pub fn connections(open: u32, idle: u32, most: u32) {
    if let Some(m) = meters() {
        m.connections_used.set(i64::from(open.saturating_sub(idle)));
        m.connections_idle.set(i64::from(idle));
        m.connections_max.set(i64::from(most));
    }
}

/// Counts and times a request that was answered. Of the path only the part of our HTTP that it is in is kept.
pub fn answered(path: &str, status: u16, took: Duration) {
    if let Some(m) = meters() {
        m.request(Surface::of(path), status).observe(took.as_secs_f64());
    }
}

#[cfg(test)]
mod tests;
