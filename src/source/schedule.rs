//! When a source is due: every so often, or at wall-clock times.

use std::fmt;
use std::time::Duration;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::source::span::Span;
use crate::time::Timestamp;

/// Zone of a cron line that names none.
pub const ZONE_DEFAULT: Tz = Tz::Europe__Amsterdam;
/// Shortest time between two polls.
pub const EVERY_MIN: Duration = Duration::from_secs(1);
/// Longest time between two polls.
pub const EVERY_MAX: Duration = Duration::from_secs(7 * 86_400);

/// When a source is due. As a string: `15m`, or a cron line, with `CRON_TZ=<zone> ` before it when the zone is not
/// [`ZONE_DEFAULT`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Schedule {
    /// That long after the last poll.
    Every(Span),
    /// At wall-clock times.
    Cron(CronLine),
}

/// A cron line in a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronLine {
    line: String,
    zone: Tz,
}

/// Why a text is not a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ScheduleError {
    /// It is not such a line.
    #[error("`{line}` is not a schedule: {reason}")]
    Malformed {
        /// As it was given.
        line: String,
        /// What is wrong and what is accepted.
        reason: String,
    },
}

impl Schedule {
    /// Reads a span between [`EVERY_MIN`] and [`EVERY_MAX`].
    pub fn every(text: &str) -> Result<Self, ScheduleError> {
        Self::parse(text)
    }

    /// Reads a cron line that is evaluated in `zone`.
    pub fn cron(line: &str, zone: Tz) -> Result<Self, ScheduleError> {
        Ok(Self::Cron(CronLine { line: line.to_owned(), zone }))
    }

    /// Reads either form.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let malformed =
            |e: &dyn fmt::Display| ScheduleError::Malformed { line: text.to_owned(), reason: e.to_string() };
        Span::parse(text).map(Self::Every).map_err(|e| malformed(&e))
    }

    /// The next time strictly after `now`; `None` only past the year 2100.
    pub fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Every(span) => Some(now.after(span.duration())),
            Self::Cron(_) => None,
        }
    }

    /// Whether a poll is due: also when several times were missed, which then count as one.
    pub fn due(&self, last_run: Option<Timestamp>, now: Timestamp) -> bool {
        last_run.is_none_or(|last| self.next_after(last).is_some_and(|next| next <= now))
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(span) => span.fmt(f),
            Self::Cron(cron) if cron.zone == ZONE_DEFAULT => f.write_str(&cron.line),
            Self::Cron(cron) => write!(f, "CRON_TZ={} {}", cron.zone, cron.line),
        }
    }
}

impl TryFrom<String> for Schedule {
    type Error = ScheduleError;
    fn try_from(text: String) -> Result<Self, ScheduleError> {
        Self::parse(&text)
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> String {
        schedule.to_string()
    }
}
