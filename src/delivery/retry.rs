//! When to try an inbox again: from seconds up to a day apart, for seven days; then it is parked and probed daily.

use std::time::Duration;

use crate::time::Timestamp;

const HOUR: u64 = 3_600;

/// Waits after the first, second, … failure in a row, in seconds; the last one repeats.
const WAITS_S: [u64; 9] = [15, 60, 5 * 60, 15 * 60, HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR];
/// Longest wait, also when the peer asks for more with `Retry-After`.
pub const WAIT_MAX: Duration = Duration::from_secs(24 * HOUR);
/// An inbox that fails for so long is parked (Mastodon and Misskey: 7 days).
pub const PARK_AFTER: Duration = Duration::from_secs(7 * 24 * HOUR);
/// A parked inbox is probed this often.
pub const PROBE_EVERY: Duration = Duration::from_secs(24 * HOUR);
/// What is owed to an inbox that has been parked for so long is given up: news of five weeks ago serves nobody.
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(30 * 24 * HOUR);
/// Part of a wait that jitter may take away.
const JITTER: f64 = 0.25;

/// What happens to an inbox after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Try again then.
    At(Timestamp),
    /// It is parked: nothing is sent but one probe, then.
    Park {
        /// When to probe.
        probe_at: Timestamp,
    },
}

/// When to try next. `failures` counts failures in a row, this one included; `jitter` is random in 0..1 and shortens the wait
/// by up to a quarter, so that what failed together does not return together; `retry_after` only lengthens it, to at most
/// [`WAIT_MAX`]; `failing_since` is when the first of the failures happened.
pub fn next(
    failures: u32,
    jitter: f64,
    retry_after: Option<Timestamp>,
    failing_since: Timestamp,
    now: Timestamp,
) -> Next {
    let parked = now.since(failing_since) >= PARK_AFTER;
    let index = usize::try_from(failures.saturating_sub(1)).unwrap_or(usize::MAX).min(WAITS_S.len() - 1);
    let wait = if parked { PROBE_EVERY } else { WAITS_S.get(index).map_or(WAIT_MAX, |s| Duration::from_secs(*s)) };
    let jitter = if jitter.is_finite() { jitter.clamp(0.0, 1.0) } else { 0.0 };
    let at = now.after(wait.mul_f64(1.0 - JITTER * jitter));
    let asked = retry_after.unwrap_or(at).min(now.after(WAIT_MAX));
    let at = at.max(asked);
    if parked { Next::Park { probe_at: at } } else { Next::At(at) }
}

/// Whether deliveries to an inbox failing since then end as given up: [`PARK_AFTER`] and [`GIVE_UP_AFTER`] have both passed.
pub fn gives_up(failing_since: Timestamp, now: Timestamp) -> bool {
    now.since(failing_since) >= PARK_AFTER + GIVE_UP_AFTER
}

#[cfg(test)]
mod tests;
