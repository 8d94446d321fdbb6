use super::*;

const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn sum(kind: &str, state: DeliveryState, n: i64) -> Sum {
    let due = (state == DeliveryState::Owed).then_some(NOW.after(Duration::from_secs(300)));
    let settled = (state == DeliveryState::Delivered).then_some(NOW);
    let oldest = NOW.before(Duration::from_secs(600));
    Sum { kind: kind.to_owned(), state: state.code(), n, oldest, settled, sending: 0, due }
}

fn healthy() -> HostInboxes {
    HostInboxes { inboxes: 3, failing: 0, parked: 0, leased: 0, failing_since: None, due: None, ok_at: Some(NOW) }
}

fn host(inboxes: HostInboxes, failure: Option<Failing>) -> Host {
    Host { name: "far.example".to_owned(), inboxes, failure, breaker_until: None, followers: 2, similar: Vec::new() }
}

fn said(failures: i32, status: Option<i32>) -> Failing {
    Failing { failures, status, error: None }
}

fn facts(post: Option<PostId>, host: Option<Host>, sums: Vec<Sum>) -> Facts {
    Facts { at: NOW, post, host, sums, reasons: Vec::new(), lacking: Vec::new(), totals: Vec::new() }
}

#[test]
fn a_post_is_summed_up_first() {
    let sums = vec![
        sum("Create", DeliveryState::Owed, 76),
        sum("Create", DeliveryState::Delivered, 4_812),
        sum("Create", DeliveryState::Refused, 12),
        sum("Update", DeliveryState::Delivered, 4_900),
    ];
    let told = lines(&facts(Some(PostId(7)), None, sums), NOW);
    assert_eq!(
        told[0],
        format!(
            "post 7: Create delivered 4,812 of 4,900, refused 12, owed 76; the oldest owed since {}; next at {}",
            NOW.before(Duration::from_secs(600)),
            NOW.after(Duration::from_secs(300))
        )
    );
    assert_eq!(told[1], "post 7: Update delivered 4,900 of 4,900");
}

#[test]
fn what_is_being_sent_is_told_beside_when_the_rest_is_due() {
    let due = NOW.after(Duration::from_secs(300));
    for (sending, due, wanted) in
        [(2, Some(due), format!("; 2 being sent now; next at {due}")), (5, None, "; 5 being sent now".to_owned())]
    {
        let sums = vec![Sum { sending, due, ..sum("Create", DeliveryState::Owed, 5) }];
        let told = lines(&facts(Some(PostId(7)), None, sums), NOW);
        assert!(told[0].ends_with(&wanted), "{wanted} does not end {}", told[0]);
    }
    let tried = HostInboxes { failing: 1, leased: 1, failing_since: Some(NOW), ..healthy() };
    let told = lines(&facts(None, Some(host(tried, Some(said(1, None)))), Vec::new()), NOW).join("\n");
    assert!(told.contains("; being tried now"), "{told}");
}

#[test]
fn a_host_that_fails_is_told_with_since_when_what_it_said_when_next_and_what_to_do() {
    let inboxes = HostInboxes {
        failing: 2,
        failing_since: Some(NOW.before(Duration::from_secs(7_200))),
        due: Some(NOW.after(Duration::from_secs(600))),
        ..healthy()
    };
    let failure = Some(Failing { error: Some("the peer has an error of its own".to_owned()), ..said(9, Some(503)) });
    let mut host = host(inboxes, failure);
    host.breaker_until = Some(NOW.after(Duration::from_secs(60)));
    let told = lines(&facts(None, Some(host), vec![sum("Create", DeliveryState::Owed, 5)]), NOW).join("\n");
    for part in [
        "far.example: Create delivered 0 of 5, owed 5",
        "(2 h ago), at 2 of its 3 inboxes",
        "last of 9 failures in a row: status 503: the peer has an error of its own",
        "(in 10 min)",
        "its breaker is open until",
        "do: nothing here; the host has an error of its own",
    ] {
        assert!(told.contains(part), "{part} is not in\n{told}");
    }
}

#[test]
fn each_kind_of_trouble_has_its_remedy() {
    let owed = || vec![sum("Create", DeliveryState::Owed, 5)];
    let failing = || HostInboxes { failing: 3, failing_since: Some(NOW), ..healthy() };
    let table = [
        (host(failing(), Some(said(1, Some(401)))), owed(), "run `heraut check`"),
        (host(failing(), Some(said(1, Some(429)))), owed(), "takes no more for now"),
        (host(failing(), Some(said(1, None))), owed(), "look whether the host is up"),
        (host(HostInboxes { due: Some(NOW), ..healthy() }, None), owed(), "it is on its way"),
        (host(HostInboxes { due: Some(Timestamp(1)), ..healthy() }, None), owed(), "role deliver running?"),
        (host(healthy(), None), vec![sum("Create", DeliveryState::Held, 5)], "`heraut actor verify <handle>`"),
        (host(HostInboxes { inboxes: 0, ..healthy() }, None), Vec::new(), "nobody there ever followed"),
        (host(HostInboxes { parked: 1, ..failing() }, Some(said(40, None))), owed(), "1 is parked after 7 days"),
    ];
    for (host, sums, wanted) in table {
        let told = lines(&facts(None, Some(host), sums), NOW).join("\n");
        assert!(told.contains(wanted), "{wanted} is not in\n{told}");
    }
}

#[test]
fn a_number_has_its_thousands_apart() {
    let table = [(0, "0"), (999, "999"), (1_000, "1,000"), (4_812, "4,812"), (1_234_567, "1,234,567")];
    for (n, text) in table {
        assert_eq!(number(n), text);
    }
}
