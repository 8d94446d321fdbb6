use super::*;

const NOW: Timestamp = Timestamp(1_795_338_000_000); // 2026-11-22T09:00:00Z
const DAY: i64 = 86_400_000;
const CITY: &str = "https://register.example/city";
const TOWN: &str = "https://register.example/town";

fn source(name: &str, days_old: i64) -> Source {
    Source {
        name: name.to_owned(),
        read_at: Some(Timestamp(NOW.0 - days_old * DAY)),
        sha256: "ab".to_owned(),
        failure: None,
    }
}

fn listed(domain: &str, organisation: &str, withdrawn_in_days: Option<i64>) -> Listed {
    Listed {
        register: "rio".to_owned(),
        domain: domain.to_owned(),
        organisation: Some(organisation.to_owned()),
        withdrawn_at: withdrawn_in_days.map(|days| Timestamp(NOW.0 + days * DAY)),
    }
}

fn known(uri: &str, ends_in_days: Option<i64>) -> Known {
    Known {
        register: "roo".to_owned(),
        uri: uri.to_owned(),
        name: uri.rsplit('/').next().unwrap().to_owned(),
        ends_at: ends_in_days.map(|days| Timestamp(NOW.0 + days * DAY)),
    }
}

fn said(listed: Vec<Listed>, known: Vec<Known>) -> Said {
    Said {
        domain_registers: vec![source("rio", 0)],
        account_registers: vec![source("roo", 0)],
        listed,
        known,
        named: Vec::new(),
    }
}

#[test]
fn a_domain_is_registered_by_the_nearest_entry_that_stands() {
    type Case = (&'static str, Vec<Listed>, &'static str, Option<&'static str>, Result<&'static str, &'static str>);
    let table: Vec<Case> = vec![
        ("itself", vec![listed("stad.nl", CITY, None)], "stad.nl", None, Ok("stad.nl")),
        ("below it", vec![listed("stad.nl", CITY, None)], "nieuws.stad.nl", Some(CITY), Ok("stad.nl")),
        ("above it", vec![listed("www.stad.nl", CITY, None)], "stad.nl", None, Err("does not stand in rio")),
        ("nothing", vec![], "stad.nl", None, Err("does not stand in rio")),
        ("a public suffix", vec![listed("github.io", CITY, None)], "github.io", None, Err("public suffix")),
        ("its sibling", vec![listed("github.io", CITY, None)], "stad.github.io", None, Err("does not stand")),
        (
            "another's",
            vec![listed("stad.nl", TOWN, None)],
            "stad.nl",
            Some(CITY),
            Err("not under https://register.example/city"),
        ),
        (
            "two share it",
            vec![listed("stad.nl", TOWN, None), listed("stad.nl", CITY, None)],
            "stad.nl",
            Some(CITY),
            Ok("stad.nl"),
        ),
        ("given up", vec![listed("stad.nl", CITY, Some(-1))], "stad.nl", None, Err("given up on 2026-11-21")),
        ("given up today", vec![listed("stad.nl", CITY, Some(0))], "stad.nl", None, Err("given up")),
        (
            "its own entry was given up, that above it stands",
            vec![listed("stad.nl", CITY, None), listed("oud.stad.nl", CITY, Some(-9))],
            "oud.stad.nl",
            None,
            Err("oud.stad.nl was given up"),
        ),
        (
            "given up by one, taken by another",
            vec![listed("stad.nl", TOWN, Some(-9)), listed("stad.nl", CITY, None)],
            "stad.nl",
            Some(CITY),
            Ok("stad.nl"),
        ),
    ];
    for (what, entries, asked, organisation, expected) in table {
        let found = domain(&said(entries, vec![]), asked, organisation, NOW);
        match (expected, found) {
            (Ok(entry), Ok(found)) => assert_eq!(found.domain, entry, "{what}"),
            (Err(part), Err(refused)) => assert!(refused.why.contains(part), "{what}: {}", refused.why),
            (expected, found) => panic!("{what}: {expected:?} {found:?}"),
        }
    }
}

#[test]
fn an_organisation_that_ended_or_will_end_takes_its_domain_along() {
    let entries = || vec![listed("stad.nl", CITY, None)];
    let ending = domain(&said(entries(), vec![known(CITY, Some(5))]), "stad.nl", None, NOW).unwrap();
    assert_eq!(ending.ends_at, Some(Timestamp(NOW.0 + 5 * DAY)));
    assert_eq!(ending.organisation, Some((CITY.to_owned(), "city".to_owned())));
    let ended = domain(&said(entries(), vec![known(CITY, Some(-1))]), "stad.nl", None, NOW).unwrap_err();
    assert_eq!(ended.ended_at, Some(Timestamp(NOW.0 - DAY)));
    assert!(ended.why.contains("ended on 2026-11-21") && ended.why.contains("roo"), "{}", ended.why);
    let today = domain(&said(entries(), vec![known(CITY, Some(0))]), "stad.nl", None, NOW).unwrap_err();
    assert_eq!(today.ended_at, Some(NOW));
    let two = vec![known(CITY, Some(30)), known(CITY, Some(5))];
    assert_eq!(domain(&said(entries(), two), "stad.nl", None, NOW).unwrap().ends_at, Some(Timestamp(NOW.0 + 5 * DAY)));
}

#[test]
fn who_was_merged_yesterday_does_not_speak_today_and_its_heir_does() {
    let merged = said(
        vec![listed("stad.nl", CITY, None), listed("stad.nl", TOWN, None)],
        vec![known(CITY, Some(-1)), known(TOWN, None)],
    );
    assert!(domain(&merged, "stad.nl", Some(CITY), NOW).is_err());
    assert!(domain(&merged, "stad.nl", Some(TOWN), NOW).is_ok());
    let moved = said(vec![listed("stad.nl", TOWN, None)], vec![known(CITY, Some(-1)), known(TOWN, None)]);
    let refused = domain(&moved, "stad.nl", Some(CITY), NOW).unwrap_err();
    assert_eq!(
        refused.ended_at,
        Some(Timestamp(NOW.0 - DAY)),
        "the domain went to the heir at once: it ended all the same"
    );
}

#[test]
fn a_register_that_was_never_read_or_long_ago_is_not_believed() {
    let mut old = said(vec![listed("stad.nl", CITY, None)], vec![]);
    old.domain_registers = vec![source("rio", 29)];
    assert!(domain(&old, "stad.nl", None, NOW).is_ok());
    old.domain_registers = vec![Source { failure: Some("it answered 500".to_owned()), ..source("rio", 30) }];
    let refused = domain(&old, "stad.nl", None, NOW).unwrap_err();
    assert!(refused.why.contains("rio was last read on 2026-10-23") && refused.why.contains("500"), "{}", refused.why);
    assert_eq!(refused.ended_at, None, "that is a lapse, with its grace, and no end");
    old.domain_registers = vec![Source { read_at: None, ..source("rio", 0) }];
    assert!(domain(&old, "stad.nl", None, NOW).unwrap_err().why.contains("never read"));
}

#[test]
fn an_account_is_named_under_the_agencys_own_organisation_or_not_at_all() {
    let urls = ["https://social.example.nl/@nieuws".to_owned()];
    let mut said = said(vec![], vec![]);
    let why = |said: &Said, uri| account(said, &urls, uri, NOW).unwrap_err().why;
    assert!(why(&said, Some(CITY)).contains("roo does not name https://social.example.nl/@nieuws"));
    said.named = vec![("roo".to_owned(), TOWN.to_owned())];
    assert!(why(&said, Some(CITY)).contains("under https://register.example/town, not under"));
    assert!(why(&said, None).contains("no organisation"));
    said.named.push(("roo".to_owned(), CITY.to_owned()));
    assert_eq!(account(&said, &urls, Some(CITY), NOW).unwrap().name, "roo");
    said.account_registers = vec![source("roo", 31)];
    assert!(why(&said, Some(CITY)).contains("last read"));
}
