use super::*;
use crate::activity::actor_document::actor_document;
use crate::actor::verification::tests::{NOW, actor, base};

fn parse(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

fn target() -> ActorUrl {
    ActorUrl::parse("https://social.example/users/agency").unwrap()
}

#[test]
fn a_move_names_both_ends_and_is_public() {
    let verified = crate::actor::verification::tests::verified();
    let activity = parse(&move_to(&verified, &base(), &target(), ActivityId(9), NOW));
    insta::assert_json_snapshot!("move", activity);
}

#[test]
fn the_delete_of_an_actor_names_it_by_a_plain_string() {
    let mut retiring = actor();
    retiring.continuity.state = ActorState::Retiring;
    let retiring = RetiringActor::of(retiring).unwrap();
    insta::assert_json_snapshot!("delete_actor", parse(&delete_actor(&retiring, &base(), ActivityId(9), NOW)));
}

#[test]
fn a_retired_actor_leaves_a_tombstone() {
    let mut retired = actor();
    retired.continuity.state = ActorState::Retired;
    retired.continuity.since = NOW;
    insta::assert_json_snapshot!("actor_tombstone", actor_tombstone(&retired));
}

#[test]
fn a_document_tells_of_other_accounts_of_a_move_and_that_it_is_suspended_and_defines_those_terms_only_then() {
    let plain = actor_document(&actor(), &base());
    for key in ["alsoKnownAs", "movedTo", "suspended"] {
        assert_eq!(plain.get(key), None);
        assert!(!plain["@context"].to_string().contains(key));
    }
    let mut changed = actor();
    changed.continuity.aliases = vec![target()];
    changed.continuity.moved_to = Some(target());
    changed.continuity.state = ActorState::Suspended;
    let told = actor_document(&changed, &base());
    assert_eq!(told["alsoKnownAs"], json!([target().as_str()]));
    assert_eq!(told["movedTo"], json!(target().as_str()));
    assert_eq!(told["suspended"], json!(true));
    let terms = told["@context"].as_array().unwrap().last().unwrap();
    assert_eq!(terms["alsoKnownAs"], json!({"@id": "as:alsoKnownAs", "@type": "@id"}));
    assert_eq!(terms["movedTo"], json!({"@id": "as:movedTo", "@type": "@id"}));
    assert_eq!(terms["suspended"], json!("toot:suspended"));
}
