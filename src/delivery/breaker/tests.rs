use super::*;

const NOW: Timestamp = Timestamp(1_795_338_000_000);

fn opened() -> Breaker {
    (0..FAILURES_MAX).fold(Breaker::default(), |breaker, _| breaker.failed(NOW, FAILURES_MAX))
}

#[test]
fn failures_in_a_row_open_it_and_a_success_between_them_does_not() {
    let almost = (1..FAILURES_MAX).fold(Breaker::default(), |breaker, _| breaker.failed(NOW, FAILURES_MAX));
    assert_eq!(almost, Breaker::Closed { failures: FAILURES_MAX - 1 });
    assert_eq!(almost.ask(NOW).1, Admission::Send);
    assert_eq!(opened(), Breaker::Open { until: NOW.after(PAUSE) });
}

#[test]
fn after_its_pause_one_probe_passes_and_decides() {
    let until = NOW.after(PAUSE);
    assert_eq!(opened().ask(Timestamp(until.0 - 1)).1, Admission::Wait { until });
    let (half, admission) = opened().ask(until);
    assert_eq!((half, admission), (Breaker::HalfOpen { until: until.after(PAUSE) }, Admission::Probe));
    assert_eq!(half.ask(until).1, Admission::Wait { until: until.after(PAUSE) }, "the others wait");
    assert_eq!(half.failed(until, FAILURES_MAX), Breaker::Open { until: until.after(PAUSE) });
}

#[test]
fn a_probe_of_which_nothing_becomes_is_followed_by_another_one() {
    let first = NOW.after(PAUSE);
    let (half, _) = opened().ask(first);
    let second = first.after(PAUSE);
    assert_eq!(half.ask(second), (Breaker::HalfOpen { until: second.after(PAUSE) }, Admission::Probe));
}

#[test]
fn a_host_that_asks_to_be_left_alone_is() {
    let until = NOW.after(PAUSE * 5);
    assert_eq!(Breaker::default().asked_to_wait(until).ask(NOW).1, Admission::Wait { until });
    assert_eq!(opened().asked_to_wait(until), Breaker::Open { until });
    assert_eq!(Breaker::default().asked_to_wait(until).asked_to_wait(NOW), Breaker::Open { until }, "never less");
}
