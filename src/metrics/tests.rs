use super::*;

#[test]
fn every_series_can_be_made() {
    assert_eq!(check(), Ok(()));
}

#[test]
fn what_is_counted_stands_on_the_page() {
    let (owed, at) = (Timestamp(1_000), Timestamp(3_500));
    attempted(&Outcome::Delivered { status: 202 }, owed, at);
    attempted(&Outcome::Refused { status: 410 }, owed, at);
    attempted(&Outcome::TryLater { status: Some(503), retry_after: None, why: String::new() }, owed, at);
    attempted(&Outcome::TryLater { status: None, retry_after: None, why: String::new() }, owed, at);
    polled(PollOutcome::NotModified, Duration::from_millis(30));
    answered("/ap/a/7/inbox", 202, Duration::from_millis(3));
    answered("/@nieuws", 200, Duration::from_millis(3));
    answered("/wp-login.php", 404, Duration::from_millis(3));
    drop(database(Hop::Write));
    drop(answer());
    let family = Family {
        name: "heraut_sources",
        help: "Sources by state.",
        labels: &["agency", "state"],
        rows: vec![(vec!["een \"stad\"".to_owned(), "ok".to_owned()], 2.0)],
    };
    let page = page(&[family]).unwrap();
    for line in [
        "heraut_deliveries_total{outcome=\"delivered\",reason=\"\"} ",
        "heraut_deliveries_total{outcome=\"refused\",reason=\"gone\"} ",
        "heraut_deliveries_total{outcome=\"try_later\",reason=\"server_error\"} ",
        "heraut_deliveries_total{outcome=\"try_later\",reason=\"no_answer\"} ",
        "heraut_delivery_latency_seconds_bucket{le=\"2.5\"} ",
        "heraut_polls_total{outcome=\"not_modified\"} ",
        "heraut_http_request_seconds_count{class=\"2xx\",surface=\"inbox\"} ",
        "heraut_http_request_seconds_count{class=\"4xx\",surface=\"none\"} ",
        "heraut_database_hop_seconds_count{kind=\"write\"} ",
        "heraut_sources{agency=\"een \\\"stad\\\"\",state=\"ok\"} 2",
        "# TYPE heraut_deliveries_total counter",
        "process_start_time_seconds ",
    ] {
        assert!(page.contains(line), "{line} is not in\n{page}");
    }
}

#[test]
fn a_family_with_too_few_values_is_an_error_that_names_it() {
    let family = Family { name: "heraut_odd", help: "Odd.", labels: &["agency"], rows: vec![(Vec::new(), 1.0)] };
    assert!(page(&[family]).unwrap_err().contains("heraut_odd"));
}
