//! What became of an attempt to deliver, and when to try again. Pure; nothing here sends.
//!
//! Four outcomes, never two: delivered; refused for good; try later; held by us. What peers mean by their answers:
//! `reference/federation.md` 3.2.

pub mod breaker;
pub mod retry;

use std::time::Duration;

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
    Held {
        /// Why.
        why: String,
        /// The check of the actor's proof that this rests on.
        checked_at: Option<Timestamp>,
    },
}

/// What an HTTP answer means. `retry_after` is the value of that header, in seconds or as a date (RFC 9110 §10.2.3).
///
/// Where the reference leaves a choice: a redirect of a POST is not followed, and is tried later, because it mostly comes from
/// a proxy that is being moved and because the actor's next refresh brings the new inbox. A 401 is tried later, as Mastodon
/// does: the peer may have failed to fetch our key. It is signed as before then; no other scheme is tried.
pub fn classify(status: u16, retry_after: Option<&str>, now: Timestamp) -> Outcome {
    let later = |why: &str| Outcome::TryLater {
        status: Some(status),
        retry_after: retry_after.and_then(|text| read_retry_after(text, now)),
        why: why.to_owned(),
    };
    match status {
        200..=299 => Outcome::Delivered { status },
        300..=399 => later("the inbox answers with a redirect, which is not followed"),
        401 => later("the peer does not take our signature; it may not have been able to fetch our key"),
        408 => later("the peer did not get the request in time"),
        425 => later("the peer wants the request again"),
        429 => later("the peer limits how much it takes"),
        400..=499 => Outcome::Refused { status },
        500..=599 => later("the peer has an error of its own"),
        _ => later("the peer's answer has a status that HTTP does not know"),
    }
}

/// Seconds or a date to an instant, between now and [`retry::WAIT_MAX`] ahead.
fn read_retry_after(text: &str, now: Timestamp) -> Option<Timestamp> {
    let text = text.trim();
    let at = match text.parse::<u64>() {
        Ok(seconds) => now.after(Duration::from_secs(seconds.min(retry::WAIT_MAX.as_secs()))),
        Err(_) => Timestamp::parse_http_date(text)?,
    };
    Some(at.clamp(now, now.after(retry::WAIT_MAX)))
}

/// What no answer means (DNS, connection, TLS, time-out); `why` is said in the receipt.
pub fn unreachable(why: impl Into<String>) -> Outcome {
    Outcome::TryLater { status: None, retry_after: None, why: why.into() }
}

#[cfg(test)]
mod tests;
