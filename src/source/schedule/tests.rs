//! Tests of schedules, above all across the clock changes of 2026: 29 March 02:00 → 03:00, 25 October 03:00 → 02:00.

use chrono_tz::Tz;
use proptest::prelude::*;

use super::{Schedule, ZONE_DEFAULT};
use crate::time::Timestamp;

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

fn cron(line: &str) -> Schedule {
    Schedule::cron(line, ZONE_DEFAULT).unwrap()
}

#[test]
fn the_next_time_is_what_a_clock_in_amsterdam_shows() {
    let cases = [
        ("0 7 * * 1-5", "2026-11-20T07:00:00+01:00", "2026-11-23T07:00:00+01:00"),
        ("0 7 * * mon-fri", "2026-11-20T06:59:59+01:00", "2026-11-20T07:00:00+01:00"),
        ("0 7 * * 0", "2026-11-20T00:00:00+01:00", "2026-11-22T07:00:00+01:00"),
        ("0 7 * * 7", "2026-11-20T00:00:00+01:00", "2026-11-22T07:00:00+01:00"),
        ("0 7 * * 5-7", "2026-11-21T08:00:00+01:00", "2026-11-22T07:00:00+01:00"),
        ("*/20 8-9 * * *", "2026-11-20T08:20:00+01:00", "2026-11-20T08:40:00+01:00"),
        ("5,35 * * * *", "2026-11-20T08:35:30+01:00", "2026-11-20T09:05:00+01:00"),
        ("0 0 1 jan *", "2026-11-20T08:00:00+01:00", "2027-01-01T00:00:00+01:00"),
        ("0 0 29 2 *", "2026-11-20T08:00:00+01:00", "2028-02-29T00:00:00+01:00"),
        ("0 0 13 * 5", "2026-11-13T12:00:00+01:00", "2026-11-20T00:00:00+01:00"),
        ("0 0 24 * 5", "2026-11-20T12:00:00+01:00", "2026-11-24T00:00:00+01:00"),
        ("0 0 */10 * 5", "2026-11-20T12:00:00+01:00", "2026-12-11T00:00:00+01:00"),
        ("@hourly", "2026-11-20T12:00:00+01:00", "2026-11-20T13:00:00+01:00"),
        ("@daily", "2026-11-20T12:00:00+01:00", "2026-11-21T00:00:00+01:00"),
        ("@weekly", "2026-11-20T12:00:00+01:00", "2026-11-22T00:00:00+01:00"),
        ("@monthly", "2026-11-20T12:00:00+01:00", "2026-12-01T00:00:00+01:00"),
        // The gap: 02:30 does not exist, so the first instant after it.
        ("30 2 * * *", "2026-03-28T12:00:00+01:00", "2026-03-29T03:00:00+02:00"),
        ("30 2 * * *", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"),
        ("0 3 * * *", "2026-03-28T12:00:00+01:00", "2026-03-29T03:00:00+02:00"),
        ("*/30 * * * *", "2026-03-29T01:30:00+01:00", "2026-03-29T03:00:00+02:00"),
        ("*/30 * * * *", "2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00"),
        // The fold: 02:30 comes twice, the first counts.
        ("30 2 * * *", "2026-10-24T12:00:00+02:00", "2026-10-25T02:30:00+02:00"),
        ("30 2 * * *", "2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"),
        ("30 2 * * *", "2026-10-25T02:10:00+01:00", "2026-10-26T02:30:00+01:00"),
        ("*/15 * * * *", "2026-10-25T02:40:00+02:00", "2026-10-25T02:45:00+02:00"),
        ("*/15 * * * *", "2026-10-25T02:40:00+01:00", "2026-10-25T03:00:00+01:00"),
        ("*/15 * * * *", "2026-10-25T02:45:00+02:00", "2026-10-25T03:00:00+01:00"),
        ("0 3 * * *", "2026-10-25T02:30:00+02:00", "2026-10-25T03:00:00+01:00"),
    ];
    for (line, now, next) in cases {
        assert_eq!(cron(line).next_after(at(now)), Some(at(next)), "{line} after {now}");
    }
}

#[test]
fn another_zone_keeps_its_own_clock() {
    let lisbon = Schedule::parse("CRON_TZ=Europe/Lisbon 0 7 * * *").unwrap();
    assert_eq!(lisbon.next_after(at("2026-11-20T07:30:00+01:00")), Some(at("2026-11-20T07:00:00+00:00")));
    assert_eq!(lisbon, Schedule::cron("0 7 * * *", Tz::Europe__Lisbon).unwrap());
}

#[test]
fn missed_times_run_once() {
    let daily = cron("0 7 * * *");
    let every = Schedule::every("15m").unwrap();
    let cases = [
        (&daily, None, "2026-11-20T06:00:00+01:00", true),
        (&daily, Some("2026-11-20T07:00:01+01:00"), "2026-11-21T06:59:59+01:00", false),
        (&daily, Some("2026-11-17T07:00:01+01:00"), "2026-11-20T08:00:00+01:00", true),
        (&daily, Some("2026-11-20T08:00:00+01:00"), "2026-11-20T08:00:01+01:00", false),
        (&every, Some("2026-11-20T08:00:00+01:00"), "2026-11-20T08:14:59+01:00", false),
        (&every, Some("2026-11-20T08:00:00+01:00"), "2026-11-20T08:15:00+01:00", true),
    ];
    for (schedule, last, now, due) in cases {
        assert_eq!(schedule.due(last.map(at), at(now)), due, "{schedule} {last:?} {now}");
    }
}

#[test]
fn a_schedule_is_one_string_and_comes_back_from_it() {
    let cases = ["15m", "90s", "2h", "1d", "0 7 * * 1-5", "@daily", "CRON_TZ=Europe/Lisbon 0 7 * * *"];
    for text in cases {
        let schedule: Schedule = serde_json::from_value(text.into()).unwrap();
        assert_eq!(serde_json::to_value(&schedule).unwrap(), text);
    }
}

#[test]
fn what_is_no_schedule_is_refused_with_the_line_and_the_way_out() {
    let cases = [
        ("0s", "`1s` to `7d`"),
        ("8d", "`1s` to `7d`"),
        ("15", "such as `15m`"),
        ("0 7 * *", "4 fields"),
        ("0 0 7 * * 1-5", "6 fields"),
        ("60 7 * * *", "not a minute (0 to 59)"),
        ("0 24 * * *", "not a hour"),
        ("0 7 0 * *", "not a day of month"),
        ("0 7 * * 8", "not a day of week"),
        ("0 7 * * fri-mon", "runs backwards"),
        ("0 7 * * 1#2", "not a day of week"),
        ("5/10 * * * *", "step without a range"),
        ("*/0 * * * *", "no good step"),
        ("0 0 31 2 *", "no year has that day"),
        ("0 0 30-31 2 *", "no year has that day"),
        ("@reboot", "not known"),
        ("CRON_TZ=Europe/Lissabon 0 7 * * *", "not a time zone"),
    ];
    for (text, expected) in cases {
        let error = Schedule::parse(text).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

proptest! {
    #[test]
    fn reading_any_line_never_panics_and_what_is_read_goes_forward(line in "[0-9*/,@a-z -]{0,24}|([0-9*/,-]{1,5} ){4}[0-9*]", ms in 0_i64..4_000_000_000_000) {
        if let Ok(schedule) = Schedule::parse(&line)
            && let Some(next) = schedule.next_after(Timestamp(ms))
        {
            prop_assert!(next > Timestamp(ms));
        }
    }

    #[test]
    fn around_a_clock_change_every_step_goes_forward(minutes in 0_i64..300, step in 1_u32..59) {
        for change in ["2026-03-29T00:00:00Z", "2026-10-24T23:30:00Z"] {
            let now = Timestamp(at(change).0 + minutes * 60_000 + 1);
            let next = cron(&format!("*/{step} * * * *")).next_after(now).unwrap();
            prop_assert!(next > now && next.0 - now.0 <= 2 * 3_600_000, "{now} {next}");
        }
    }
}
