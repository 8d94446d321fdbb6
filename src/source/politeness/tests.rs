//! Tests of when to poll next.

use std::time::Duration;

use heraut_connectors::contract::Politeness;

use super::*;

/// Friday 20 November 2026.
fn now() -> Timestamp {
    at("2026-11-20T12:00:00Z")
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

fn signals(outcome: PollOutcome, consecutive_failures: u32) -> Signals {
    Signals {
        schedule_next: now().after(minutes(15)),
        politeness: Politeness::default(),
        max_age: None,
        expires: None,
        retry_after: None,
        consecutive_failures,
        outcome,
    }
}

#[test]
fn freshness_puts_the_next_poll_off_by_a_day_at_most() {
    let base = || signals(PollOutcome::NotModified, 0);
    let least = |n| Politeness { least_minutes: Some(n), ..Politeness::default() };
    let cases = [
        ("schedule alone", base(), 15),
        ("a shorter ttl", Signals { politeness: least(5), ..base() }, 15),
        ("a longer ttl", Signals { politeness: least(60), ..base() }, 60),
        ("a longer max-age", Signals { max_age: Some(minutes(30)), ..base() }, 30),
        (
            "max-age before Expires",
            Signals { max_age: Some(minutes(30)), expires: Some(now().after(minutes(90))), ..base() },
            30,
        ),
        ("Expires", Signals { expires: Some(now().after(minutes(90))), ..base() }, 90),
        ("Expires in the past", Signals { expires: Some(now().before(minutes(90))), ..base() }, 15),
        ("the largest", Signals { politeness: least(60), max_age: Some(minutes(30)), ..base() }, 60),
        ("a day at most", Signals { politeness: least(100_000), ..base() }, 24 * 60),
        (
            "a schedule beyond a day",
            Signals { schedule_next: now().after(minutes(3_000)), max_age: Some(minutes(30)), ..base() },
            3_000,
        ),
    ];
    for (words, signals, after) in cases {
        // Jitter is for failures only.
        assert_eq!(next_poll(&signals, minutes(1), now()), NextPoll::At(now().after(minutes(after))), "{words}");
    }
}

#[test]
fn failures_back_off_and_stop_as_they_deserve() {
    use PollOutcome::{Changed, Expired, Failed, Gone, NotFound, Throttled};
    let asked = |retry_after| Signals { retry_after: Some(retry_after), ..signals(Throttled, 1) };
    let day = 24 * 60;
    let cases = [
        ("first failure", signals(Failed, 1), Ok(16)),
        ("second failure", signals(Failed, 2), Ok(31)),
        ("third failure", signals(Failed, 3), Ok(61)),
        ("many failures", signals(Failed, 4_000_000_000), Ok(day + 1)),
        ("throttled without a word", signals(Throttled, 2), Ok(31)),
        ("throttled for an hour", asked(now().after(minutes(60))), Ok(61)),
        ("throttled for a week", asked(now().after(minutes(7 * 1_440))), Ok(day + 1)),
        ("throttled for a minute", asked(now().after(minutes(1))), Ok(15)),
        ("throttled until the past", asked(now().before(minutes(60))), Ok(15)),
        ("not found", signals(NotFound, 1), Ok(day + 1)),
        ("not found for six days", signals(NotFound, 7), Ok(day + 1)),
        ("not found for a week", signals(NotFound, 8), Err(StopReason::NotFound)),
        ("gone", signals(Gone, 1), Err(StopReason::Gone)),
        ("expired", signals(Expired, 0), Err(StopReason::Expired)),
        ("back again", signals(Changed, 0), Ok(15)),
    ];
    for (words, signals, expected) in cases {
        let expected = match expected {
            Ok(after) => NextPoll::At(now().after(minutes(after))),
            Err(reason) => NextPoll::Stopped(reason),
        };
        assert_eq!(next_poll(&signals, minutes(1), now()), expected, "{words}");
    }
}

#[test]
fn skipped_hours_and_days_are_left_alone() {
    let cases: Vec<(Vec<u8>, Vec<u8>, &str)> = vec![
        (vec![12, 13], vec![], "2026-11-20T14:00:00Z"),
        (vec![3], vec![], "2026-11-20T12:15:00Z"),
        (vec![], vec![4], "2026-11-21T00:00:00Z"),
        (vec![], vec![4, 5, 6], "2026-11-23T00:00:00Z"),
        (vec![0, 1], vec![4], "2026-11-21T02:00:00Z"),
        ((0..24).collect(), vec![], "2026-11-20T12:15:00Z"),
    ];
    for (skip_hours, skip_days, expected) in cases {
        let politeness = Politeness { least_minutes: None, skip_hours, skip_days };
        let signals = Signals { politeness, ..signals(PollOutcome::Changed, 0) };
        assert_eq!(next_poll(&signals, Duration::ZERO, now()), NextPoll::At(at(expected)), "{signals:?}");
    }
}

#[test]
fn headers_are_read_as_the_standards_write_them() {
    let ages = [
        ("max-age=300", Some(300)),
        ("public, Max-Age=\"60\", s-maxage=5", Some(60)),
        ("no-cache, max-age=60", None),
        ("max-age=60, no-store", None),
        ("max-age=-1", None),
        ("max-age=99999999999999999999", Some(u64::from(u32::MAX))),
        ("", None),
    ];
    for (header, expected) in ages {
        assert_eq!(max_age(header), expected.map(Duration::from_secs), "{header}");
    }
    let later = Some(at("2026-11-20T13:00:00Z"));
    let waits =
        [("3600", later), (" 3600 ", later), ("Fri, 20 Nov 2026 13:00:00 GMT", later), ("soon", None), ("-1", None)];
    for (header, expected) in waits {
        assert_eq!(retry_after(header, now()), expected, "{header}");
    }
    assert_eq!(expires("Fri, 20 Nov 2026 13:00:00 GMT"), later);
    assert_eq!(expires("0"), None);
}

#[test]
fn a_feed_that_answers_and_never_changes_is_stale() {
    let days = |n: u64| minutes(n * 1_440);
    let cases = [
        (None, None, false),
        (Some(13), None, false),
        (Some(15), None, true),
        (Some(15), Some(days(2)), false),
        (Some(21), Some(days(2)), true),
        (Some(1), Some(minutes(5)), false),
        (Some(3), Some(minutes(5)), true),
    ];
    for (age, usual, expected) in cases {
        let newest = age.map(|n| now().before(days(n)));
        assert_eq!(stale(newest, usual, None, now()), expected, "{age:?} {usual:?}");
    }
    let times = [5, 1, 2, 3, 40].map(|n| now().after(minutes(n)));
    assert_eq!(usual_interval(&times), Some(minutes(2)));
    assert_eq!(usual_interval(&times[1..]), None);
}
