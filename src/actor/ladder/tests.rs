use super::*;

const AT: Timestamp = Timestamp(1_795_338_000_000);

fn step(rung: Rung, standing: Standing) -> Step {
    let seen = Seen {
        place: rung.name().to_owned(),
        sha256: "00".to_owned(),
        at: AT,
        said: String::new(),
        dnssec: None,
        organisation: None,
        ends_at: None,
    };
    let look = match standing {
        Standing::Holds => Look::Holds(seen),
        Standing::Fails => Look::Fails(format!("no {}", rung.name()), None),
        Standing::NotAsked => Look::NotAsked("no register".to_owned()),
    };
    Step::after(rung, look, None, AT)
}

/// `+` holds, `-` fails, `?` was not asked; in the order of [`Rung::ALL`].
fn steps(text: &str) -> Vec<Step> {
    let standing = |c| match c {
        '+' => Standing::Holds,
        '-' => Standing::Fails,
        _ => Standing::NotAsked,
    };
    Rung::ALL.into_iter().zip(text.chars()).map(|(rung, c)| step(rung, standing(c))).collect()
}

#[test]
fn the_level_is_the_highest_that_is_held_up_by_all_below_it() {
    let table = [
        ("?----", 0),
        ("+----", 1),
        ("?+?-?", 2),
        ("?-+-?", 2),
        ("?++-?", 2),
        ("-++++", 0),
        ("+--++", 1),
        ("+-+-+", 2),
        ("?+?+?", 3),
        ("++?+-", 3),
        ("++?++", 4),
        ("?????", 0),
    ];
    for (held, expected) in table {
        assert_eq!(level(&steps(held)).number(), expected, "{held}");
    }
    assert_eq!(level(&[]), Level::Claimed);
}

#[test]
fn what_is_missing_is_named_and_nothing_else() {
    let table = [
        ("?+?-?", 2, None),
        ("?-+-?", 2, None),
        ("++---", 2, None),
        ("-+?-?", 2, Some("no register")),
        ("?-?-?", 2, Some("no file")),
        ("?---?", 2, Some("no file; no dns")),
        ("---++", 2, Some("no register; no file; no dns")),
        ("?+?-?", 3, Some("no link")),
        ("?+?+?", 3, None),
        ("++?+-", 4, Some("no account")),
        ("++?+?", 4, Some("no register")),
        ("?????", 2, Some("level 0 is reached, and 2 is needed")),
    ];
    for (held, needed, expected) in table {
        let needed = Level::try_from(needed).unwrap();
        assert_eq!(missing(&steps(held), needed).as_deref(), expected, "{held} {needed:?}");
        assert_eq!(missing(&steps(held), needed).is_none(), level(&steps(held)) >= needed, "{held} {needed:?}");
    }
}

#[test]
fn what_held_before_stays_known_while_it_fails() {
    let held = step(Rung::File, Standing::Holds);
    let failing = Step::after(Rung::File, Look::Fails("404".to_owned(), None), Some(&held), AT);
    assert_eq!((failing.standing, &failing.seen), (Standing::Fails, &held.seen));
    assert_eq!(control(&[failing]), None, "but it is no evidence any more");
    let unasked = Step::after(Rung::File, Look::NotAsked("address".to_owned()), Some(&held), AT);
    assert_eq!(unasked.seen, None);
}

#[test]
fn of_file_and_record_the_one_that_holds_counts() {
    assert_eq!(control(&steps("?++-?")).unwrap().place, "file");
    assert_eq!(control(&steps("?-+-?")).unwrap().place, "dns");
    assert_eq!(control(&steps("+?--?")), None);
}

#[test]
fn a_level_is_a_number_in_json() {
    assert_eq!(serde_json::to_string(&Level::Linked).unwrap(), "3");
    assert_eq!(serde_json::from_str::<Level>("4").unwrap(), Level::Named);
    assert!(serde_json::from_str::<Level>("5").is_err());
}
