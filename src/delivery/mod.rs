//! What became of an attempt to deliver, and when to try again. Pure; nothing here sends.
//!
//! Four outcomes, never two: delivered; refused for good; try later; held by us. What peers mean by their answers:
//! `reference/federation.md` 3.2.

pub mod breaker;
pub mod fanout;
pub mod retry;

use crate::time::Timestamp;

/// What became of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The peer took it.
    Delivered {
        /// HTTP status, 2xx.
        status: u16,
    },
    /// The peer will never take it: 400, 403, 404, 405, 410, 413 and other 4xx.
    Refused {
        /// HTTP status, 4xx.
        status: u16,
    },
    /// It may take it later: 401, 408, 425, 429, 5xx, redirects, no answer.
    TryLater {
        /// HTTP status, if there was an answer.
        status: Option<u16>,
        /// When the peer asked to be tried again, at most a day ahead.
        retry_after: Option<Timestamp>,
        /// What happened, for the receipt.
        why: String,
    },
    /// We did not send it: the reason, for the receipt.
    Held(String),
}

/// What an HTTP answer means. `retry_after` is the value of that header.
pub fn classify(status: u16, retry_after: Option<&str>, now: Timestamp) -> Outcome {
    let _ = (status, retry_after, now);
    todo!()
}

/// What no answer means (DNS, connection, TLS, time-out); `why` is said in the receipt.
pub fn unreachable(why: impl Into<String>) -> Outcome {
    Outcome::TryLater { status: None, retry_after: None, why: why.into() }
}

impl Outcome {
    /// Whether the peer says that nobody is there any more (404, 410): for the follower store, which acts after a grace period.
    pub fn says_gone(&self) -> bool {
        matches!(self, Self::Refused { status: 404 | 410 })
    }

    /// Whether the host answered in a way that shows that it works: resets failures and breaker.
    pub fn host_works(&self) -> bool {
        matches!(self, Self::Delivered { .. } | Self::Refused { .. })
    }
}
