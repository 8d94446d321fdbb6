//! What a source asks of those who poll it, and so when to poll next (`reference/connectors.md` A3).
//!
//! After a success the next poll is when the schedule wants it, but not before the largest of the document's own interval
//! (`ttl`, `sy:`), `max-age` and `Expires`; these can put it off by at most [`DELAY_MAX`]. They do so also when the operator
//! wrote a shorter `every`: it is the source that pays for the polls. Who wants a person's "fetch now" to ignore it all does
//! not ask here.

#[cfg(test)]
mod tests;

use std::time::Duration;

use chrono::{Datelike, Timelike};
use heraut_connectors::contract::Politeness;

use crate::time::Timestamp;

/// Longest that any answer of a source can put off the next poll; `skipHours` and `skipDays` come on top.
pub const DELAY_MAX: Duration = Duration::from_secs(86_400);
/// First back-off after a failure; doubles with each further one, up to [`DELAY_MAX`].
pub const BACKOFF_FIRST: Duration = Duration::from_secs(15 * 60);
/// A source whose newest item is older than this is stale, when its usual interval is not known.
pub const STALE_AFTER_DEFAULT: Duration = Duration::from_secs(14 * 86_400);

/// 404s in a row after which a source is given up: the first, and one on each day of a week.
const NOT_FOUND_MAX: u32 = 8;
/// A source is stale after this many of its usual intervals, but never within [`STALE_AFTER_LEAST`].
const STALE_INTERVALS: u32 = 10;
const STALE_AFTER_LEAST: Duration = Duration::from_secs(2 * 86_400);
/// Fewest items that tell an interval.
const INTERVAL_ITEMS_MIN: usize = 5;

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
    /// Anything else: another status, the network, not a feed.
    Failed,
}

/// All that bears on the next poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signals {
    /// When the source's schedule wants the next poll.
    pub schedule_next: Timestamp,
    /// What the last document that could be read asked for.
    pub politeness: Politeness,
    /// [`max_age`] of the answer's `Cache-Control`.
    pub max_age: Option<Duration>,
    /// [`expires`] of the answer's `Expires`; ignored beside a `max-age` (RFC 9111 §5.3).
    pub expires: Option<Timestamp>,
    /// [`retry_after`] of the answer's `Retry-After`.
    pub retry_after: Option<Timestamp>,
    /// Polls in a row that failed, this one included; 0 after a success.
    pub consecutive_failures: u32,
    /// How this poll ended.
    pub outcome: PollOutcome,
}

/// Why a source is polled no more until a person acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// It answered 410: gone for good.
    Gone,
    /// It answered 404 for a week.
    NotFound,
    /// It says that it will never change again.
    Expired,
}

impl StopReason {
    /// What happened and what to do, as one English sentence for an operator.
    pub fn explain(self) -> &'static str {
        match self {
            Self::Gone => "the source answered 410, gone for good; ask its owner for the new address",
            Self::NotFound => "the source answered 404 for a week; ask its owner for the new address",
            Self::Expired => "the source says that it will never change again; remove it or give its new address",
        }
    }
}

/// When to poll next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextPoll {
    /// Then, and not before.
    At(Timestamp),
    /// Not any more; tell the team.
    Stopped(StopReason),
}

/// When to poll next. `jitter`, a random time of the caller's choice (a minute or so), is added after a failure, so that those
/// who were turned away together do not come back together.
///
/// | outcome | next poll |
/// |---|---|
/// | changed, not modified | schedule, or later as the module says |
/// | throttled | `Retry-After`, at most 24 h away, never before the schedule; without it back-off |
/// | failed | back-off, never before the schedule: 15 min, doubled for each failure in a row, at most 24 h |
/// | not found | daily; stopped after a week |
/// | gone, expired | stopped |
pub fn next_poll(signals: &Signals, jitter: Duration, now: Timestamp) -> NextPoll {
    let latest = now.after(DELAY_MAX);
    let backoff = || now.after(backoff(signals.consecutive_failures));
    let wanted = match signals.outcome {
        PollOutcome::Gone => return NextPoll::Stopped(StopReason::Gone),
        PollOutcome::Expired => return NextPoll::Stopped(StopReason::Expired),
        PollOutcome::NotFound if signals.consecutive_failures >= NOT_FOUND_MAX => {
            return NextPoll::Stopped(StopReason::NotFound);
        }
        PollOutcome::Changed | PollOutcome::NotModified => fresh_until(signals, now).min(latest),
        PollOutcome::NotFound => latest.after(jitter),
        PollOutcome::Throttled => signals.retry_after.unwrap_or_else(backoff).min(latest).after(jitter),
        PollOutcome::Failed => backoff().after(jitter),
    };
    NextPoll::At(outside_skipped(wanted.max(signals.schedule_next), &signals.politeness))
}

fn backoff(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    BACKOFF_FIRST.saturating_mul(1 << doublings).min(DELAY_MAX)
}

fn fresh_until(signals: &Signals, now: Timestamp) -> Timestamp {
    let least = signals.politeness.least_minutes.map(|minutes| Duration::from_secs(u64::from(minutes) * 60));
    let http = signals.max_age.map(|age| now.after(age)).or(signals.expires);
    now.max(now.after(least.unwrap_or_default())).max(http.unwrap_or(now))
}

/// The first time from `at` on that is not in a skipped hour or day (GMT); `at` itself when everything is skipped.
fn outside_skipped(at: Timestamp, politeness: &Politeness) -> Timestamp {
    const HOUR_MS: i64 = 3_600_000;
    let skipped = |t: Timestamp| {
        let utc = t.to_utc();
        politeness.skip_hours.iter().any(|hour| u32::from(*hour) % 24 == utc.hour())
            || politeness.skip_days.iter().any(|day| u32::from(*day) == utc.weekday().num_days_from_monday())
    };
    let mut candidate = at;
    for _ in 0..=8 * 24 {
        if !skipped(candidate) {
            return candidate;
        }
        candidate = Timestamp((candidate.0.div_euclid(HOUR_MS) + 1) * HOUR_MS);
    }
    at
}

/// `max-age` of a `Cache-Control` header (RFC 9111 §5.2.2.1). `None` without one, or beside `no-cache` or `no-store`: such an
/// answer is never fresh, so only the schedule counts.
pub fn max_age(cache_control: &str) -> Option<Duration> {
    let mut age = None;
    for directive in cache_control.split(',') {
        let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
        match name.trim().to_ascii_lowercase().as_str() {
            "no-cache" | "no-store" => return None,
            "max-age" => age = age.or_else(|| seconds(value.trim().trim_matches('"'))),
            _ => {}
        }
    }
    age
}

/// An `Expires` header (RFC 9111 §5.3). `None` for `0` and other texts that are no date: already expired.
pub fn expires(header: &str) -> Option<Timestamp> {
    Timestamp::parse_http_date(header)
}

/// A `Retry-After` header: seconds, or a date (RFC 9110 §10.2.3).
pub fn retry_after(header: &str, now: Timestamp) -> Option<Timestamp> {
    seconds(header.trim()).map(|wait| now.after(wait)).or_else(|| Timestamp::parse_http_date(header))
}

/// A number of seconds; one that is too large for us is the longest that we can mean.
fn seconds(text: &str) -> Option<Duration> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| Duration::from_secs(text.parse().unwrap_or(u64::from(u32::MAX)).min(u64::from(u32::MAX))))
}

/// Whether a source that still answers has gone quiet: its newest item is older than `told`, which an operator or the catalogue
/// says; or else than ten of its usual intervals (but two days at least), or than [`STALE_AFTER_DEFAULT`] when the interval is not
/// known. Never without an item.
pub fn stale(
    newest_item_at: Option<Timestamp>,
    usual_interval: Option<Duration>,
    told: Option<Duration>,
    now: Timestamp,
) -> bool {
    let found = usual_interval.map(|usual| usual.saturating_mul(STALE_INTERVALS).max(STALE_AFTER_LEAST));
    let limit = told.or(found).unwrap_or(STALE_AFTER_DEFAULT);
    newest_item_at.is_some_and(|newest| now.since(newest) > limit)
}

/// The usual time between items: the median of the gaps. `None` for fewer than five items, which tell nothing.
pub fn usual_interval(published: &[Timestamp]) -> Option<Duration> {
    if published.len() < INTERVAL_ITEMS_MIN {
        return None;
    }
    let mut times = published.to_vec();
    times.sort_unstable();
    let mut gaps: Vec<Duration> = times.iter().zip(times.iter().skip(1)).map(|(a, b)| b.since(*a)).collect();
    gaps.sort_unstable();
    gaps.get(gaps.len() / 2).copied()
}
