//! When a source is due: every so often, or at wall-clock times.
//!
//! The `cron` crate is used for walking the calendar only: it numbers weekdays from 1 for Sunday, combines the two day fields
//! with AND, skips times in the gap of spring and goes back in time in the fold of autumn. So the line is read by
//! [`line`], and evaluated in naive local time; a time in the gap becomes the first instant after it, a time in the fold its
//! first occurrence, and the result is always later than asked. Use `every` for "each n minutes": a cron line with a `*` for
//! its hour pauses for one hour in the fold.

mod line;

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{LocalResult, NaiveDateTime, TimeDelta, TimeZone, Utc};
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

/// Most candidates that are looked at for one answer: the minutes of a day, for a zone that once repeated a whole one.
const CANDIDATES_MAX: usize = 1_500;

/// When a source is due. As a string: `15m`, or a cron line, with `CRON_TZ=<zone> ` before it when the zone is not
/// [`ZONE_DEFAULT`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Schedule {
    /// That long after the last poll; between [`EVERY_MIN`] and [`EVERY_MAX`].
    Every(Span),
    /// At wall-clock times.
    Cron(CronLine),
}

/// A cron line in a zone, which fires at least once before the year 2100.
#[derive(Debug, Clone)]
pub struct CronLine {
    line: String,
    zone: Tz,
    /// One, or two when both day fields are restricted: Unix fires when either matches.
    walks: Vec<cron::Schedule>,
}

impl PartialEq for CronLine {
    fn eq(&self, other: &Self) -> bool {
        self.line == other.line && self.zone == other.zone
    }
}

impl Eq for CronLine {}

/// Why a text is not a schedule.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ScheduleError {
    /// A length of time out of bounds, or none.
    #[error(
        "`{0}` is not a time between two polls: write whole seconds, minutes, hours or days from `1s` to `7d`, such as `15m`"
    )]
    Every(String),
    /// Not a cron line.
    #[error(
        "`{line}` is not a cron line: {reason}; write five fields `minute hour day-of-month month day-of-week` as in Unix, \
         such as `0 7 * * 1-5`, or @hourly, @daily, @weekly, @monthly"
    )]
    Cron {
        /// As it was given.
        line: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Not a zone.
    #[error("`{0}` is not a time zone: write a name of the tz database, such as `Europe/Amsterdam`")]
    Zone(String),
}

impl Schedule {
    /// Reads a span between [`EVERY_MIN`] and [`EVERY_MAX`], such as `15m`.
    pub fn every(text: &str) -> Result<Self, ScheduleError> {
        let fail = || ScheduleError::Every(text.to_owned());
        let span = Span::parse(text).map_err(|_| fail())?;
        if !(EVERY_MIN..=EVERY_MAX).contains(&span.duration()) {
            return Err(fail());
        }
        Ok(Self::Every(span))
    }

    /// Reads a cron line that is evaluated in `zone`: five fields as in Unix (weekdays 0 to 7, names, lists, ranges, steps; day
    /// of month and day of week restricted together mean either), or @hourly, @daily, @weekly (Sunday), @monthly. A sixth field
    /// is refused: some programs read it as seconds and some as years. A line that never fires (31 February) is refused.
    pub fn cron(text: &str, zone: Tz) -> Result<Self, ScheduleError> {
        let fail = |reason: String| ScheduleError::Cron { line: text.to_owned(), reason };
        let mut walks = Vec::new();
        for fields in line::translate(text).map_err(fail)? {
            walks.push(cron::Schedule::from_str(&fields).map_err(|e| fail(e.to_string()))?);
        }
        let begin = Utc.timestamp_opt(0, 0).single().unwrap_or_default();
        if walks.iter().all(|walk| walk.after(&begin).next().is_none()) {
            return Err(fail("no year has that day".to_owned()));
        }
        let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(Self::Cron(CronLine { line, zone, walks }))
    }

    /// Reads either form; a cron line may begin with `CRON_TZ=<zone>`.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let text = text.trim();
        if let Some(rest) = text.strip_prefix("CRON_TZ=") {
            let (zone, line) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            return Self::cron(line.trim(), read_zone(zone)?);
        }
        if text.starts_with('@') || text.contains(char::is_whitespace) || text.contains('*') {
            return Self::cron(text, ZONE_DEFAULT);
        }
        Self::every(text)
    }

    /// The next time strictly after `now`; for [`Schedule::Every`] that long after `now`. `None` only near the year 2100.
    pub fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Every(span) => Some(now.after(span.duration())),
            Self::Cron(cron) => cron.next_after(now),
        }
    }

    /// Whether a poll is due, when the last one was at `last_run`: also when several times were missed, which then count as
    /// one, and when there was none yet.
    pub fn due(&self, last_run: Option<Timestamp>, now: Timestamp) -> bool {
        last_run.is_none_or(|last| self.next_after(last).is_some_and(|next| next <= now))
    }
}

/// Reads the name of a time zone, such as `Europe/Amsterdam`.
pub fn read_zone(name: &str) -> Result<Tz, ScheduleError> {
    Tz::from_str(name.trim()).map_err(|_| ScheduleError::Zone(name.to_owned()))
}

impl CronLine {
    fn next_after(&self, now: Timestamp) -> Option<Timestamp> {
        let local = now.to_utc().with_timezone(&self.zone).naive_local();
        self.walks.iter().filter_map(|walk| self.first(walk, local, now)).min()
    }

    fn first(&self, walk: &cron::Schedule, local: NaiveDateTime, now: Timestamp) -> Option<Timestamp> {
        walk.after(&local.and_utc())
            .take(CANDIDATES_MAX)
            .filter_map(|tick| self.instant(tick.naive_utc()))
            .find(|instant| *instant > now)
    }

    /// The instant of a local time: the first valid one after a gap, the first of two in a fold.
    fn instant(&self, mut local: NaiveDateTime) -> Option<Timestamp> {
        for _ in 0..CANDIDATES_MAX {
            match self.zone.from_local_datetime(&local) {
                LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => {
                    return Some(Timestamp(at.timestamp_millis()));
                }
                LocalResult::None => local = local.checked_add_signed(TimeDelta::minutes(1))?,
            }
        }
        None
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
