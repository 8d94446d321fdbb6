//! A breaker per host: when several inboxes of one host fail, the others need not each find out.
//!
//! | from | to | by |
//! |---|---|---|
//! | Closed | Closed, one more failure | a failure below [`FAILURES_MAX`] |
//! | Closed | Open | the failure that reaches it, or the answer that asks to be left alone until then |
//! | Open | HalfOpen | [`Breaker::ask`] after its time: the one who asked is the probe |
//! | HalfOpen | HalfOpen | [`Breaker::ask`] after [`PAUSE`]: nothing became of that probe, who asks now is the next one |
//! | HalfOpen | Closed | success |
//! | HalfOpen | Open | failure |
//!
//! A valid signed request from that host closes it too, in the database: see `store::inboxes::revive_host`.

use std::time::Duration;

use crate::time::Timestamp;

/// Failures in a row that open it (Mastodon: 10 per inbox).
pub const FAILURES_MAX: u32 = 10;
/// The same for a host that never answered, and does not answer now: it is known to be there by nothing else.
pub const STRANGER_FAILURES_MAX: u32 = 3;
/// How long it stays open (Mastodon: 60 s).
pub const PAUSE: Duration = Duration::from_secs(60);

/// State of the breaker of one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaker {
    /// Requests pass.
    Closed {
        /// Failures in a row.
        failures: u32,
    },
    /// No request passes until then.
    Open {
        /// When one may be tried.
        until: Timestamp,
    },
    /// One request is on its way; the others wait for what becomes of it, until then.
    HalfOpen {
        /// When another one may be tried, if nothing became of it: not each that may be sent is.
        until: Timestamp,
    },
}

/// Whether a request may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Send,
    /// It may, and decides for all others.
    Probe,
    /// It may not; ask again then.
    Wait {
        /// When to ask again.
        until: Timestamp,
    },
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Breaker {
    /// Asks to send one request.
    pub fn ask(self, now: Timestamp) -> (Self, Admission) {
        match self {
            Self::Closed { .. } => (self, Admission::Send),
            Self::Open { until } | Self::HalfOpen { until } if now >= until => {
                (Self::HalfOpen { until: now.after(PAUSE) }, Admission::Probe)
            }
            Self::Open { until } | Self::HalfOpen { until } => (self, Admission::Wait { until }),
        }
    }

    /// After a failure of the host, of which so many in a row open it.
    pub fn failed(self, now: Timestamp, most: u32) -> Self {
        match self {
            Self::Closed { failures } if failures + 1 < most => Self::Closed { failures: failures + 1 },
            Self::Open { until } => Self::Open { until: until.max(now) },
            Self::Closed { .. } | Self::HalfOpen { .. } => Self::Open { until: now.after(PAUSE) },
        }
    }

    /// After an answer that asks to be left alone until then (429 or 503 with `Retry-After`, RFC 9110 §10.2.3): such limits are
    /// per sender, so they hold for all inboxes of the host (Mastodon and nginx count by address).
    pub fn asked_to_wait(self, until: Timestamp) -> Self {
        match self {
            Self::Open { until: already } => Self::Open { until: already.max(until) },
            Self::Closed { .. } | Self::HalfOpen { .. } => Self::Open { until },
        }
    }
}

#[cfg(test)]
mod tests;
