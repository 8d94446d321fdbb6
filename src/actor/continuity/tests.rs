use super::*;
use crate::actor::verification::tests::actor;

const NOW: Timestamp = Timestamp(1_800_000_000_000);

#[test]
fn every_state_has_a_name_that_reads_back_and_an_unknown_one_says_nothing_new() {
    for state in ActorState::ALL {
        assert_eq!(ActorState::from_name(state.name()), state);
    }
    assert_eq!(ActorState::from_name("from-a-later-version"), ActorState::ReadOnly);
}

#[test]
fn what_an_actor_may_say_follows_from_its_state() {
    use Speech::{Less, News, OfItself, Yes};
    let table = [
        (ActorState::Active, vec![News, OfItself, Yes, Less], vec![News, OfItself, Yes, Less]),
        (ActorState::ReadOnly, vec![OfItself, Yes, Less], vec![News, OfItself, Yes, Less]),
        (ActorState::Suspended, vec![OfItself, Less], vec![OfItself, Less]),
        (ActorState::HandedOver, vec![], vec![]),
        (ActorState::Retiring, vec![Less], vec![Less]),
        (ActorState::Retired, vec![Less], vec![Less]),
    ];
    for (state, begins, sends) in table {
        for speech in [News, OfItself, Yes, Less] {
            assert_eq!(state.may_begin(speech), begins.contains(&speech), "{state:?} begins {speech:?}");
            assert_eq!(state.may_send(speech), sends.contains(&speech), "{state:?} sends {speech:?}");
        }
    }
}

#[test]
fn an_update_of_a_post_is_news_and_one_of_the_actor_is_not() {
    let table = [
        ("Create", true, Speech::News),
        ("Update", true, Speech::News),
        ("Update", false, Speech::OfItself),
        ("Move", false, Speech::OfItself),
        ("Accept", false, Speech::Yes),
        ("Reject", false, Speech::Less),
        ("Delete", true, Speech::Less),
        ("Delete", false, Speech::Less),
        ("Undo", false, Speech::Less),
        ("Announce", true, Speech::News),
    ];
    for (kind, about_post, speech) in table {
        assert_eq!(Speech::of(kind, about_post), speech, "{kind}");
    }
}

#[test]
fn aliases_are_ids_of_others_each_once_and_not_more_than_peers_read() {
    let own = actor().url;
    let many = |n: usize| (0..n).map(|n| format!("https://social.example/users/a{n}")).collect::<Vec<_>>();
    assert_eq!(aliases(&own, &many(ALIASES_MAX)).unwrap().len(), ALIASES_MAX);
    assert_eq!(aliases(&own, &many(ALIASES_MAX + 1)), Err(AliasError::TooMany));
    let twice = [many(1), many(1)].concat();
    assert_eq!(aliases(&own, &twice).unwrap().len(), 1);
    assert_eq!(aliases(&own, &[own.to_string()]), Err(AliasError::Itself(own.to_string())));
    assert!(matches!(aliases(&own, &["@agency@social.example".to_owned()]), Err(AliasError::Url(_))));
}

#[test]
fn an_actor_moves_only_where_it_is_named_and_not_twice_in_a_week() {
    let target = ActorUrl::parse("https://social.example/users/agency").unwrap();
    let named = vec![actor().url.to_string()];
    assert_eq!(may_move(&actor(), &target, &named, None, NOW), Ok(()));
    assert!(matches!(may_move(&actor(), &target, &[], None, NOW), Err(MoveRefused::NotNamed { .. })));
    assert!(matches!(may_move(&actor(), &actor().url, &named, None, NOW), Err(MoveRefused::Itself(_))));
    let on = ActorUrl::parse("https://social.example/users/other").unwrap();
    assert!(matches!(may_move(&actor(), &target, &named, Some(&on), NOW), Err(MoveRefused::MovedOn { .. })));
    for (ago, allowed) in [(MOVE_COOLDOWN, true), (MOVE_COOLDOWN - Duration::from_millis(1), false)] {
        let mut moved = actor();
        moved.continuity.moved_at = Some(NOW.before(ago));
        assert_eq!(may_move(&moved, &target, &named, None, NOW).is_ok(), allowed, "{ago:?} after the last");
    }
    for state in ActorState::ALL {
        let mut other = actor();
        other.continuity.state = state;
        assert_eq!(may_move(&other, &target, &named, None, NOW).is_ok(), state.listens(), "{state:?}");
    }
}

#[test]
fn only_who_is_being_retired_is_a_retiring_actor() {
    for state in ActorState::ALL {
        let mut other = actor();
        other.continuity.state = state;
        assert_eq!(RetiringActor::of(other).is_some(), state.is_over(), "{state:?}");
    }
}
