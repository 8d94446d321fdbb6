//! Registers: lists of others that say which domain, which organisation and which account belong together. Data files in several
//! forms, read behind one trait, [`Register`]; [`judge`] says what follows from what was read.
//!
//! Reading is streamed: a register is handed on entry by entry, and memory does not grow with it.

pub mod account;
pub mod domain;
pub mod judge;
mod list;
mod rio;
mod roo;
mod tree;

use chrono::{NaiveDate, TimeZone};
use thiserror::Error;

use crate::time::Timestamp;

/// Largest register that is read, in bytes. The Dutch one of organisations has 38 MB.
pub const BYTES_MAX: usize = 128 * 1024 * 1024;
/// Most entries of one register.
pub const ENTRIES_MAX: usize = 1_000_000;
/// Longest text of an entry, in bytes; a longer one is an error.
pub const TEXT_BYTES_MAX: usize = 4_096;
/// A file with fewer entries than this part of those of before does not replace it by itself: most likely it is cut short.
const SHRINK_MAX: usize = 2;
/// Below so many entries that is not asked: a short list may well lose half.
const SHRINK_FROM: usize = 10;

/// What a register says, one thing at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A domain, with all below it that is not listed by itself.
    Domain {
        /// As [`domain::normal`] writes it.
        domain: String,
        /// Whose it is: a URI.
        organisation: Option<String>,
        /// When it was given up.
        withdrawn_at: Option<Timestamp>,
    },
    /// An organisation.
    Organisation {
        /// Its URI.
        uri: String,
        /// Its name.
        name: String,
        /// When it ends or ended.
        ends_at: Option<Timestamp>,
    },
    /// An account of an organisation.
    Account {
        /// As [`account::normal`] writes it.
        url: String,
        /// Whose it is: a URI.
        organisation: String,
    },
}

/// What was read of a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Entries that were handed on.
    pub entries: usize,
    /// Domains and accounts that are not written as such, and were left out.
    pub odd: usize,
}

/// Why a register cannot be read. Nothing of it is used then.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReadError {
    /// It breaks off, or is not of its form.
    #[error("it is not well-formed at byte {at}: {problem}")]
    Broken {
        /// Where.
        at: u64,
        /// What the parser says.
        problem: String,
    },
    /// It is of another form than its kind has.
    #[error("it is not {wanted}: {problem}")]
    Form {
        /// What was expected.
        wanted: &'static str,
        /// What was found.
        problem: String,
    },
    /// A value cannot be understood, and it is one that matters.
    #[error("`{value}` is no date ({place}); a date is written 2026-12-31")]
    Date {
        /// The value.
        value: String,
        /// Where it stands.
        place: String,
    },
    /// A text is too long.
    #[error("a text is longer than {TEXT_BYTES_MAX} bytes at byte {at}")]
    TooLong {
        /// Where.
        at: u64,
    },
    /// There are too many entries.
    #[error("it has more than {ENTRIES_MAX} entries")]
    TooMany,
    /// Whoever takes the entries wants no more.
    #[error("reading was broken off")]
    Stopped,
}

/// Takes entries; `false` breaks reading off.
pub type Sink<'s> = dyn FnMut(Entry) -> bool + 's;

/// A form of register.
pub trait Register: Send + Sync {
    /// Its name in the configuration.
    fn name(&self) -> &'static str;
    /// Whether it says which domains are whose.
    fn has_domains(&self) -> bool;
    /// Whether it says which accounts are whose.
    fn has_accounts(&self) -> bool;
    /// Hands on all entries, in order. An error means that the whole is not to be used, also what was handed on already.
    fn read(&self, bytes: &[u8], sink: &mut Sink<'_>) -> Result<Counts, ReadError>;
}

/// All forms that are known.
pub static REGISTERS: [&dyn Register; 3] = [&roo::Roo, &rio::Rio, &list::List];

/// The form of that name.
pub fn find(name: &str) -> Option<&'static dyn Register> {
    REGISTERS.into_iter().find(|register| register.name() == name)
}

/// Why a file that was read well does not take the place of the one before.
pub fn refusal(before: usize, now: usize) -> Option<String> {
    if now == 0 {
        return Some("it has no entries".to_owned());
    }
    let smaller = before >= SHRINK_FROM && now < before / SHRINK_MAX;
    smaller.then(|| format!("it has {now} entries, where the one before had {before}"))
}

/// Counts entries and hands them on.
struct Handing<'a, 's> {
    sink: &'a mut Sink<'s>,
    counts: Counts,
}

impl Handing<'_, '_> {
    fn give(&mut self, entry: Entry) -> Result<(), ReadError> {
        if self.counts.entries >= ENTRIES_MAX {
            return Err(ReadError::TooMany);
        }
        self.counts.entries += 1;
        if (self.sink)(entry) { Ok(()) } else { Err(ReadError::Stopped) }
    }

    fn domain(
        &mut self,
        text: &str,
        organisation: Option<&str>,
        withdrawn_at: Option<Timestamp>,
    ) -> Result<(), ReadError> {
        match domain::normal(text) {
            Some(domain) => {
                let organisation = organisation.map(str::to_owned);
                self.give(Entry::Domain { domain, organisation, withdrawn_at })
            }
            None => self.odd(),
        }
    }

    fn account(&mut self, text: &str, organisation: &str) -> Result<(), ReadError> {
        match account::normal(text) {
            Some(url) => self.give(Entry::Account { url, organisation: organisation.to_owned() }),
            None => self.odd(),
        }
    }

    fn odd(&mut self) -> Result<(), ReadError> {
        self.counts.odd += 1;
        Ok(())
    }
}

/// The beginning of a day in the Netherlands, from which on an end date counts; the register's own clock. A time behind the date
/// is not read.
fn day(text: &str, place: &str) -> Result<Timestamp, ReadError> {
    let bad = || ReadError::Date { value: text.to_owned(), place: place.to_owned() };
    let date =
        text.trim().get(..10).and_then(|date| NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()).ok_or_else(bad)?;
    let midnight = date.and_hms_opt(0, 0, 0).ok_or_else(bad)?;
    let begins = chrono_tz::Europe::Amsterdam.from_local_datetime(&midnight).earliest().ok_or_else(bad)?;
    Ok(Timestamp(begins.timestamp_millis()))
}

#[cfg(test)]
mod tests;
