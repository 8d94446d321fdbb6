use super::*;

const NOW: Timestamp = Timestamp(1_795_338_000_000);
const DAY_MS: i64 = 86_400_000;

fn wait_ms(failures: u32, jitter: f64, retry_after: Option<i64>, failing_days: f64) -> (bool, i64) {
    let since = Timestamp(NOW.0 - (failing_days * 86_400_000.0) as i64);
    match next(failures, jitter, retry_after.map(|ms| Timestamp(NOW.0 + ms)), since, NOW) {
        Next::At(at) => (false, at.0 - NOW.0),
        Next::Park { probe_at } => (true, probe_at.0 - NOW.0),
    }
}

#[test]
fn c30_waits_grow_from_seconds_to_a_day_and_never_beyond() {
    let mut last = 0;
    for failures in 1..=40 {
        let (parked, wait) = wait_ms(failures, 0.0, None, 0.0);
        assert!(!parked && wait >= last && wait <= DAY_MS, "{failures}: {wait}");
        last = wait;
    }
    assert_eq!(wait_ms(1, 0.0, None, 0.0).1, 15_000);
    assert_eq!(last, DAY_MS);
    assert_eq!(wait_ms(0, 0.0, None, 0.0).1, 15_000);
    assert_eq!(wait_ms(u32::MAX, 0.0, None, 0.0).1, DAY_MS);
}

#[test]
fn jitter_takes_away_at_most_a_quarter_and_nonsense_is_taken_for_none() {
    for (jitter, wanted) in
        [(0.0, 60_000), (0.5, 52_500), (1.0, 45_000), (7.0, 45_000), (-1.0, 60_000), (f64::NAN, 60_000)]
    {
        assert_eq!(wait_ms(2, jitter, None, 0.0).1, wanted, "{jitter}");
    }
}

#[test]
fn c30_retry_after_lengthens_a_wait_up_to_a_day_and_never_shortens_it() {
    for (asked, wanted) in [(30_000, 60_000), (600_000, 600_000), (40 * DAY_MS, DAY_MS), (-5_000, 60_000)] {
        assert_eq!(wait_ms(2, 0.0, Some(asked), 0.0).1, wanted, "{asked}");
    }
}

#[test]
fn c30_an_inbox_is_parked_after_seven_days_and_not_before_and_then_probed_daily() {
    assert!(!wait_ms(12, 0.0, None, 6.99).0);
    assert_eq!(wait_ms(12, 0.0, None, 7.0), (true, DAY_MS));
    assert_eq!(wait_ms(400, 1.0, None, 30.0), (true, DAY_MS * 3 / 4));
}

#[test]
fn deliveries_are_given_up_only_after_thirty_days_parked() {
    let since = |days: i64| Timestamp(NOW.0 - days * DAY_MS);
    assert!(!gives_up(since(7), NOW));
    assert!(!gives_up(since(36), NOW));
    assert!(gives_up(since(37), NOW));
    assert!(!gives_up(Timestamp(NOW.0 + DAY_MS), NOW), "a clock that went back gives nothing up");
}
