//! What a source asks of those who poll it, and so when to poll next (`reference/connectors.md` A3).

use std::time::Duration;

use heraut_connectors::contract::Politeness;

use crate::time::Timestamp;

/// Longest that any answer of a source can put off the next poll.
pub const DELAY_MAX: Duration = Duration::from_secs(86_400);
/// First back-off after a failure; doubles with each further one.
pub const BACKOFF_FIRST: Duration = Duration::from_secs(15 * 60);
/// A source whose newest item is older than this is stale, when its usual interval is not known.
pub const STALE_AFTER_DEFAULT: Duration = Duration::from_secs(14 * 86_400);

/// How a poll ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PollOutcome {
    /// 200 with a document that we could read.
    Changed,
    /// 304.
    NotModified,
    /// 429 or 503.
    Throttled,
    /// 404.
    NotFound,
    /// 410.
    Gone,
    /// The document says that it will never change again (JSON Feed `expired`).
    Expired,
    /// Anything else: other status, network, not a feed.
    Failed,
}

/// All that bears on the next poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signals {
    /// When the source's schedule wants the next poll.
    pub schedule_next: Timestamp,
    /// What the document said; of the last document that was read.
    pub politeness: Politeness,
    /// `max-age` of `Cache-Control`.
    pub max_age: Option<Duration>,
    /// `Expires`.
    pub expires: Option<Timestamp>,
    /// `Retry-After`, as an instant.
    pub retry_after: Option<Timestamp>,
    /// Polls in a row that failed, this one included; 0 after a success.
    pub consecutive_failures: u32,
    /// How this poll ended.
    pub outcome: PollOutcome,
}

/// Why a source is polled no more until a person acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// It answered 410.
    Gone,
    /// It answered 404 for a week.
    NotFound,
    /// It says that it will never change again.
    Expired,
}

/// When to poll next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextPoll {
    /// Not before then.
    At(Timestamp),
    /// Not any more; tell the team.
    Stopped(StopReason),
}

/// When to poll next. `jitter` is added after a failure.
pub fn next_poll(signals: &Signals, jitter: Duration, now: Timestamp) -> NextPoll {
    let _ = (jitter, now);
    NextPoll::At(signals.schedule_next)
}

/// `max-age` of a `Cache-Control` header.
pub fn max_age(cache_control: &str) -> Option<Duration> {
    let _ = cache_control;
    None
}

/// `Expires`.
pub fn expires(header: &str) -> Option<Timestamp> {
    Timestamp::parse_http_date(header)
}

/// `Retry-After`: seconds or a date.
pub fn retry_after(header: &str, now: Timestamp) -> Option<Timestamp> {
    let _ = now;
    Timestamp::parse_http_date(header)
}

/// Whether a source that still answers has gone quiet. `default_after` counts when the usual interval is not known.
pub fn stale(
    newest_item_at: Option<Timestamp>,
    usual_interval: Option<Duration>,
    now: Timestamp,
    default_after: Duration,
) -> bool {
    let _ = usual_interval;
    newest_item_at.is_some_and(|newest| now.since(newest) > default_after)
}

/// The usual time between items: the median of the gaps; `None` for fewer than five items.
pub fn usual_interval(published: &[Timestamp]) -> Option<Duration> {
    let _ = published;
    None
}
