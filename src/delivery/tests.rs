use super::*;

const NOW: Timestamp = Timestamp(1_795_338_000_000);

#[test]
fn c30_what_an_answer_means_is_this() {
    use Outcome::{Delivered, Refused};
    for status in [200, 201, 202, 204] {
        assert_eq!(classify(status, None, NOW), Delivered { status });
    }
    for status in [400, 403, 404, 405, 406, 409, 410, 411, 413, 415, 418, 422, 451, 499] {
        assert_eq!(classify(status, Some("60"), NOW), Refused { status });
    }
    for status in [101, 301, 302, 307, 308, 401, 408, 425, 429, 500, 501, 502, 503, 504, 520, 600] {
        let outcome = classify(status, None, NOW);
        assert!(
            matches!(outcome, Outcome::TryLater { status: Some(s), retry_after: None, .. } if s == status),
            "{outcome:?}"
        );
    }
    assert!(matches!(unreachable("no address"), Outcome::TryLater { status: None, .. }));
}

#[test]
fn c30_retry_after_is_read_as_seconds_or_date_and_clamped_to_a_day() {
    let day = NOW.after(retry::WAIT_MAX);
    for (text, wanted) in [
        ("120", Some(Timestamp(NOW.0 + 120_000))),
        (" 0 ", Some(NOW)),
        ("99999999999999", Some(day)),
        ("Sun, 22 Nov 2026 09:10:00 GMT", Some(Timestamp(NOW.0 + 600_000))),
        ("Sun, 22 Nov 2020 09:10:00 GMT", Some(NOW)),
        ("Sun, 22 Nov 2099 09:10:00 GMT", Some(day)),
        ("-5", None),
        ("soon", None),
    ] {
        let Outcome::TryLater { retry_after, .. } = classify(429, Some(text), NOW) else { panic!("{text}") };
        assert_eq!(retry_after, wanted, "{text}");
    }
}
