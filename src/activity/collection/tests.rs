use super::*;
use crate::activity::create;
use crate::activity::tests::{post, read};
use crate::actor::verification::tests::{actor, base, verified};
use crate::ids::ActivityId;

#[test]
fn c13_totals_are_integers_and_the_outbox_has_a_first_page() {
    let (actor, base) = (actor(), base());
    for (collection, total) in
        [(outbox(&actor, &base, 12), 12), (followers(&actor, &base, 3), 3), (following(&actor, &base), 0)]
    {
        assert_eq!(collection["totalItems"].as_u64(), Some(total));
        assert_eq!(collection["type"], "OrderedCollection");
        assert_eq!(collection.get("orderedItems"), None, "who follows is not told");
    }
    assert_eq!(outbox(&actor, &base, 12)["first"], "https://social.example.nl/ap/a/7/outbox?page=first");
}

#[test]
fn a_page_of_the_outbox_holds_full_creates_under_one_context_and_says_what_is_next() {
    let bytes = create(&verified(), &base(), &post(), ActivityId(5));
    let creates = [bytes.clone(), b"not json".to_vec(), bytes.clone()];
    let page = outbox_page(&actor(), &base(), OutboxPage::First, &creates, Some(PostId(9)));
    let items = page["orderedItems"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert_eq!(page.to_string().matches("@context").count(), 1);
    assert_eq!(page["@context"], read(&bytes)["@context"]);
    assert_eq!(items[0]["object"], read(&bytes)["object"]);
    assert_eq!(page["next"], "https://social.example.nl/ap/a/7/outbox?page=before-9");
    assert_eq!(outbox_page(&actor(), &base(), OutboxPage::Last, &creates, None).get("next"), None);
}

#[test]
fn page_names_round_trip_and_others_are_refused() {
    for page in [OutboxPage::First, OutboxPage::Last, OutboxPage::Before(PostId(9))] {
        assert_eq!(OutboxPage::read(page.query().strip_prefix("page=").unwrap()), Some(page));
    }
    for wrong in ["", "1", "before-", "before-x", "FIRST"] {
        assert_eq!(OutboxPage::read(wrong), None, "{wrong}");
    }
}

#[test]
fn featured_names_posts_by_id() {
    let featured = featured(&actor(), &base(), &[PostId(9)]);
    assert_eq!(featured["orderedItems"], json!(["https://social.example.nl/ap/o/9"]));
}

#[test]
fn featured_tags_link_to_our_pages_of_them() {
    let mut actor = actor();
    actor.profile.featured_tags = vec!["HoogWater".to_owned()];
    insta::assert_json_snapshot!("featured_tags", featured_tags(&actor, &base()));
    assert_eq!(featured_tags(&crate::actor::verification::tests::actor(), &base())["totalItems"], 0);
}
