//! The clock of this process: on SQLite the machine's, on PostgreSQL the database's, so that several processes agree on when a
//! lease ends and an embargo is over although their machines do not.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::store::listen::ServerClock;
use crate::time::Timestamp;

/// A smaller difference than the last one is left as it is: it is mostly the way to the server and back.
const JITTER_MS: i64 = 100;
/// From this difference on an operator is told to look at the machine's clock.
const TOLD_FROM_MS: i64 = 2_000;

/// By how much the clock that counts is ahead of the machine's.
static AHEAD_MS: AtomicI64 = AtomicI64::new(0);

/// The instant that it is now. Only `flow`, `web` and `cli` ask; everything else is told.
pub fn now() -> Timestamp {
    Timestamp(machine_ms().saturating_add(AHEAD_MS.load(Ordering::Relaxed)))
}

/// What the machine's clock says, in epoch milliseconds.
fn machine_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Follows the database's clock, which was read just now.
pub fn follow(clock: ServerClock) {
    let half_way = i64::try_from((clock.took / 2).as_millis()).unwrap_or_default();
    let ahead_ms = clock.at.0.saturating_add(half_way).saturating_sub(machine_ms());
    let before = AHEAD_MS.load(Ordering::Relaxed);
    if (before - ahead_ms).abs() <= JITTER_MS {
        return;
    }
    AHEAD_MS.store(ahead_ms, Ordering::Relaxed);
    if ahead_ms.abs() >= TOLD_FROM_MS {
        tracing::warn!(
            ahead_ms,
            "the clocks of this machine and of the database differ; the database's counts. Is NTP running on both?"
        );
    }
}
