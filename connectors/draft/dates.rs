//! Dates as feeds write them.
//!
//! RFC 822 with two-digit years and wrong weekdays, ISO 8601 in its many lengths, Dutch month names, zone names, epoch seconds.
//! A time without a zone is in the Netherlands (`reference/connectors.md` A4). What cannot be read is `None`, never "now".

use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone};
use chrono_tz::{Europe::Amsterdam, Tz};

use crate::item::EpochMs;

/// Longest text that is looked at, in bytes: the longest real dates, with weekday and zone in full, stay under 60.
const DATE_BYTES_MAX: usize = 100;

/// Years that a publication can be from: software writes year 1 and 1900 for "no date". Year 9999 it writes for "never", and what is
/// never to be seen must not be taken for what has no date.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=9999;

/// Reads a date; a date without a time is that day's midnight in its zone.
pub(crate) fn parse(text: &str) -> Option<EpochMs> {
    let text = text.trim();
    if text.len() > DATE_BYTES_MAX {
        return None;
    }
    epoch(text).or_else(|| iso(text)).or_else(|| words(text))
}

#[derive(Debug, Clone, Copy)]
enum Zone {
    Seconds(i32),
    Named(Tz),
}

/// Nine to ten digits are seconds, twelve or thirteen milliseconds.
fn epoch(text: &str) -> Option<EpochMs> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match text.len() {
        9 | 10 => text.parse::<i64>().ok()?.checked_mul(1_000),
        12 | 13 => text.parse().ok(),
        _ => None,
    }
}

/// ISO 8601 and W3C-DTF: `2026`, `2026-03`, `2026-03-01`, `20260301`, each with `T…` or ` …`.
fn iso(text: &str) -> Option<EpochMs> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '-' | '/' | '.'))).unwrap_or(text.len());
    let (date, rest) = text.split_at_checked(end)?;
    let numbers: Vec<&str> = date.split(['-', '/', '.']).collect();
    let (year, month, day) = match numbers.as_slice() {
        [all] if all.len() == 8 => (all.get(..4)?, all.get(4..6)?, all.get(6..)?),
        [year] if year.len() == 4 => (*year, "1", "1"),
        [year, month] if year.len() == 4 => (*year, *month, "1"),
        [year, month, day] if year.len() == 4 => (*year, *month, *day),
        _ => return None,
    };
    let date = NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)?;
    let rest = rest.strip_prefix(['T', 't', '_']).unwrap_or(rest).trim();
    if rest.is_empty() {
        return instant(date.and_time(NaiveTime::MIN), None);
    }
    match time(rest) {
        Some((clock, zone_text)) => instant(date.and_time(clock), zone(zone_text)),
        None => instant(date.and_time(NaiveTime::MIN), Some(zone(rest)?)),
    }
}

/// Everything else: day, month, year and time are found by what they look like, weekdays and unknown words are passed over.
fn words(text: &str) -> Option<EpochMs> {
    let (mut day, mut month, mut year, mut clock, mut in_zone) = (None, None, None, None, None);
    let mut afternoon = None;
    for word in text.split([' ', ',', '\t', '\n', '\r', '\u{A0}']).filter(|word| !word.is_empty()) {
        if word.contains(':') && word.starts_with(|c: char| c.is_ascii_digit()) {
            let (found, rest) = time(word)?;
            clock = Some(found);
            match rest.to_ascii_lowercase().as_str() {
                "am" => afternoon = Some(false),
                "pm" => afternoon = Some(true),
                _ => in_zone = zone(rest),
            }
        } else if let Some((d, m, y)) = dashed(word) {
            (day, month, year) = (Some(d), Some(m), Some(y));
        } else if let Some(found) = month_name(word) {
            // The last counts: French begins a Tuesday in May with "mar.".
            month = Some(found);
        } else if let Some(found) = zone(word).filter(|_| clock.is_some() && in_zone.is_none()) {
            in_zone = Some(found);
        } else if let Some(number) = number(word) {
            match (day, year) {
                (None, _) if number <= 31 => day = Some(number),
                (_, None) => year = Some(full_year(word, number)?),
                _ => {}
            }
        } else if word.eq_ignore_ascii_case("am") || word.eq_ignore_ascii_case("pm") {
            afternoon = Some(word.eq_ignore_ascii_case("pm"));
        }
    }
    let date = NaiveDate::from_ymd_opt(year?, month?, day?)?;
    let clock = twelve_hours(clock.unwrap_or(NaiveTime::MIN), afternoon);
    instant(date.and_time(clock), in_zone)
}

fn twelve_hours(clock: NaiveTime, afternoon: Option<bool>) -> NaiveTime {
    use chrono::Timelike;
    let hours = match (afternoon, clock.hour()) {
        (Some(true), hour) if hour < 12 => hour + 12,
        (Some(false), 12) => 0,
        (_, hour) => hour,
    };
    clock.with_hour(hours).unwrap_or(clock)
}

/// `06`, `6.`, `6e`, `6th`, `'26`.
fn number(word: &str) -> Option<u32> {
    let digits = word.trim_start_matches('\'').trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '.');
    digits.parse().ok()
}

/// `06-Sep-2026`, `06-09-2026`, `6/9/26`: the day first, as in the Netherlands.
fn dashed(word: &str) -> Option<(u32, u32, i32)> {
    let mut parts = word.split(['-', '/', '.']);
    let (day, month, year, none) = (parts.next()?, parts.next()?, parts.next()?, parts.next());
    if none.is_some() || day.is_empty() {
        return None;
    }
    let month = month_name(month).or_else(|| month.parse().ok())?;
    Some((day.parse().ok()?, month, full_year(year, year.parse().ok()?)?))
}

/// RFC 2822 §4.3: two digits up to 49 are this century, three digits count from 1900.
fn full_year(digits: &str, number: u32) -> Option<i32> {
    let year = match digits.bytes().filter(u8::is_ascii_digit).count() {
        2 if number < 50 => number + 2_000,
        2 | 3 => number + 1_900,
        _ => number,
    };
    i32::try_from(year).ok()
}

/// English, Dutch, German and French names, in full or short, by their first letters.
fn month_name(word: &str) -> Option<u32> {
    let word = word.trim_end_matches('.').to_lowercase();
    let begins = |name: &&str| word.starts_with(*name);
    static MONTHS: [&[&str]; 12] = [
        &["jan"],
        &["feb", "fév", "fev"],
        &["mar", "mrt", "maart", "mär", "mae"],
        &["apr", "avr"],
        &["may", "mei", "mai"],
        &["jun", "juin"],
        &["jul", "juil"],
        &["aug", "aoû", "aou"],
        &["sep"],
        &["oct", "okt"],
        &["nov"],
        &["dec", "dez", "déc"],
    ];
    let at = MONTHS.iter().position(|names| names.iter().any(begins))?;
    // "maandag" is Monday in Dutch, "mardi" Tuesday in French.
    let is_weekday = word.starts_with("maand") || word.starts_with("mardi");
    u32::try_from(at + 1).ok().filter(|_| !is_weekday)
}

/// A time at the start of `text`, and what follows it: `10:00`, `10:00:00.123`, `100000`.
fn time(text: &str) -> Option<(NaiveTime, &str)> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, ':' | '.'))).unwrap_or(text.len());
    let (clock, rest) = text.split_at_checked(end)?;
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let parts: Vec<&str> = match clock.split(':').collect::<Vec<_>>().as_slice() {
        [all] if matches!(all.len(), 4 | 6) => vec![all.get(..2)?, all.get(2..4)?, all.get(4..)?],
        [_] => return None,
        parts => parts.to_vec(),
    };
    let part = |at: usize| match parts.get(at) {
        None | Some(&"") => Some(0),
        Some(digits) => digits.parse::<u32>().ok(),
    };
    let millis = format!("{:0<3}", fraction.get(..fraction.len().min(3))?).parse().ok()?;
    let seconds = part(2)?.min(59);
    let clock = match part(0)? {
        24 if part(1)? == 0 => NaiveTime::from_hms_milli_opt(23, 59, 59, 999)?,
        hours => NaiveTime::from_hms_milli_opt(hours, part(1)?, seconds, millis)?,
    };
    Some((clock, rest.trim()))
}

/// Zone names in feeds (RFC 822 §5.1 and the European ones), in minutes from UTC.
static ZONES: &[(&str, i32)] = &[
    ("z", 0),
    ("ut", 0),
    ("utc", 0),
    ("gmt", 0),
    ("wet", 0),
    ("bst", 60),
    ("west", 60),
    ("cet", 60),
    ("met", 60),
    ("mez", 60),
    ("cest", 120),
    ("mest", 120),
    ("mesz", 120),
    ("eet", 120),
    ("eest", 180),
    ("est", -300),
    ("edt", -240),
    ("cst", -360),
    ("cdt", -300),
    ("mst", -420),
    ("mdt", -360),
    ("pst", -480),
    ("pdt", -420),
];

fn zone(text: &str) -> Option<Zone> {
    let text = text.trim().split([' ', '[', '(']).find(|part| !part.is_empty())?.trim_end_matches([')', ']']);
    let lower = text.to_ascii_lowercase();
    if let Some((_, minutes)) = ZONES.iter().find(|(name, _)| *name == lower) {
        return Some(Zone::Seconds(minutes * 60));
    }
    if let Ok(tz) = text.parse::<Tz>()
        && text.contains('/')
    {
        return Some(Zone::Named(tz));
    }
    let offset = lower.trim_start_matches("gmt").trim_start_matches("utc");
    let (sign, digits) = match offset.strip_prefix('+') {
        Some(digits) => (1, digits),
        None => (-1, offset.strip_prefix(['-', '\u{2212}'])?),
    };
    let (hours, minutes) = match digits.split_once(':') {
        Some(parts) => parts,
        None if digits.len() <= 2 => (digits, "0"),
        None => digits.split_at_checked(digits.len() - 2)?,
    };
    let (hours, minutes) = (i32::from(hours.parse::<u8>().ok()?), i32::from(minutes.parse::<u8>().ok()?));
    (hours <= 14 && minutes < 60).then_some(Zone::Seconds(sign * (hours * 3_600 + minutes * 60)))
}

fn instant(local: NaiveDateTime, zone: Option<Zone>) -> Option<EpochMs> {
    if !YEARS.contains(&local.year()) {
        return None;
    }
    let millis = local.and_utc().timestamp_millis();
    let tz = match zone {
        Some(Zone::Seconds(seconds)) => return Some(millis - i64::from(seconds) * 1_000),
        Some(Zone::Named(tz)) => tz,
        None => Amsterdam,
    };
    // A time in the hour that summer time skips does not exist; the hour before it is meant with the old offset.
    let earlier =
        || tz.from_local_datetime(&(local - TimeDelta::hours(1))).earliest().map(|at| at + TimeDelta::hours(1));
    let at = tz.from_local_datetime(&local).earliest().or_else(earlier)?;
    Some(at.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(table: &[(&str, &str)]) {
        for (text, expected) in table {
            let found = parse(text).and_then(chrono::DateTime::from_timestamp_millis);
            let found = found.map_or("none".to_owned(), |at| at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true));
            assert_eq!(found, *expected, "{text}");
        }
    }

    #[test]
    fn rfc_822_dates_are_read_with_all_their_liberties() {
        check(&[
            ("Mon, 02 Mar 2026 09:30:00 +0100", "2026-03-02T08:30:00Z"),
            ("Fri, 02 Mar 2026 09:30:00 +0100", "2026-03-02T08:30:00Z"),
            ("2 Mar 26 09:30 GMT", "2026-03-02T09:30:00Z"),
            ("2 Mar 99 09:30 GMT", "1999-03-02T09:30:00Z"),
            ("Mon, 2 Mar 2026 09:30:00 CET", "2026-03-02T08:30:00Z"),
            ("Mon, 2 Mar 2026 09:30:00 EST", "2026-03-02T14:30:00Z"),
            ("Mon, 2 Mar 2026 09:30:00 GMT+1", "2026-03-02T08:30:00Z"),
            ("Mon, 2 Mar 2026 09:30:00 Europe/Amsterdam", "2026-03-02T08:30:00Z"),
            ("Mon, 06 Jul 2026 09:30:00", "2026-07-06T07:30:00Z"),
            ("Mon, 02 Mar 2026 24:00:00 GMT", "2026-03-02T23:59:59.999Z"),
            ("Mar 2, 2026 9:30 PM GMT", "2026-03-02T21:30:00Z"),
            ("Mon Mar  2 09:30:00 2026", "2026-03-02T08:30:00Z"),
            ("02-Mar-2026 09:30:00 +0000", "2026-03-02T09:30:00Z"),
        ]);
    }

    #[test]
    fn dutch_month_names_are_months_and_dutch_weekdays_are_not() {
        check(&[
            ("maandag 2 maart 2026 09:30", "2026-03-02T08:30:00Z"),
            ("ma, 02 mrt 2026 09:30:00 +0100", "2026-03-02T08:30:00Z"),
            ("6 mei 2026", "2026-05-05T22:00:00Z"),
            ("zo 25 okt. 2026 12:00 uur", "2026-10-25T11:00:00Z"),
            ("31-12-2026 23:59", "2026-12-31T22:59:00Z"),
            ("mar. 5 mai 2026 12:00", "2026-05-05T10:00:00Z"),
            ("1e augustus 2026 10:00 CEST", "2026-08-01T08:00:00Z"),
        ]);
    }

    #[test]
    fn iso_dates_without_a_zone_are_in_the_netherlands() {
        check(&[
            ("2026-03-02T09:30:00Z", "2026-03-02T09:30:00Z"),
            ("2026-03-02T09:30:00.5+01:00", "2026-03-02T08:30:00.500Z"),
            ("2026-03-02T09:30:00.123456789Z", "2026-03-02T09:30:00.123Z"),
            ("2026-03-02 09:30:00", "2026-03-02T08:30:00Z"),
            ("2026-07-06T09:30", "2026-07-06T07:30:00Z"),
            ("2026-07-06", "2026-07-05T22:00:00Z"),
            ("2026-03", "2026-02-28T23:00:00Z"),
            ("20260302T093000Z", "2026-03-02T09:30:00Z"),
            ("2026-03-29T02:30:00", "2026-03-29T01:30:00Z"),
            ("2026-10-25T02:30:00", "2026-10-25T00:30:00Z"),
        ]);
    }

    #[test]
    fn a_text_at_the_limit_is_a_date_and_a_longer_one_is_none() {
        let padded = |length: usize| format!("2 mrt 2026 {}12:00", " ".repeat(length - 16));
        assert!(parse(&padded(DATE_BYTES_MAX)).is_some());
        assert!(parse(&padded(DATE_BYTES_MAX + 1)).is_none());
    }

    #[test]
    fn epoch_numbers_are_dates_and_nonsense_is_none() {
        check(&[
            ("1772443800", "2026-03-02T09:30:00Z"),
            ("1772443800000", "2026-03-02T09:30:00Z"),
            ("0001-01-01T00:00:00", "none"),
            ("Fri, 31 Dec 9999 23:59:59 GMT", "9999-12-31T23:59:59Z"),
            ("10000-01-01", "none"),
            ("binnenkort", "none"),
            ("32 mrt 2026", "none"),
            ("", "none"),
            ("12", "none"),
            ("10:00", "none"),
            ("Mon, 02 Mar 2026 99:99:99 GMT", "none"),
            ("2026-03-02T09:30:00+-2147483648", "2026-03-02T08:30:00Z"),
            ("2 mrt 4294967295 10:00", "none"),
        ]);
    }
}
