//! The decision table, row by row, in its own words.

use std::time::Duration;

use heraut_connectors::item::{Action, Item, Media, RawHtml};

use super::*;
use crate::post::policy::release_at;
use crate::source::span::Span;

const NOW: Timestamp = Timestamp(1_790_000_000_000);
const HOUR: i64 = 3_600_000;

fn item(id: &str, title: &str) -> Item {
    Item {
        source_id: id.to_owned(),
        canonical_url: Some(format!("https://stad.example/{id}")),
        title: Some(title.to_owned()),
        published_at: Some(NOW.0 - HOUR),
        ..Item::default()
    }
}

fn known(state: KnownState, by: KnownBy, of: &Item) -> Known {
    Known {
        item: ItemId(1),
        state,
        digest: digest(of),
        source_version: of.source_version,
        by,
        edits_today: 0,
        last_edit_at: None,
        held: None,
        value: of.state.clone(),
        release_at: release_at(of),
        expires_at: of.expires_at.map(Timestamp),
        never_said: false,
        stood_there: false,
        withdrawn_here: false,
    }
}

fn decide_with(policy: &SourcePolicy, baseline: bool, incoming: &[(Item, Option<Known>)]) -> Vec<Decision> {
    let decisions = plan(incoming, &Poll { baseline, now: NOW, policy, new_before: 0 });
    assert_eq!(decisions.len(), incoming.len());
    decisions
}

fn decide_one(incoming: Item, known: Option<Known>) -> Decision {
    decide_with(&SourcePolicy::default(), false, &[(incoming, known)]).remove(0)
}

fn versioned(mut item: Item, version: i64) -> Item {
    item.source_version = Some(version);
    item
}

fn retract(mut item: Item) -> Item {
    item.action = Action::Retract;
    item
}

/// A row of the table: its words, what comes in, what is known, what becomes of it, and whether the id is remembered.
type Row = (&'static str, Item, Option<Known>, Act, bool);

fn check(rows: Vec<Row>) {
    for (words, incoming, known, act, add_alias) in rows {
        assert_eq!(decide_one(incoming, known), Decision { act, add_alias }, "{words}");
    }
}

fn k(state: KnownState, by: KnownBy, of: &Item) -> Option<Known> {
    Some(known(state, by, of))
}

fn v(item: &Item, version: i64) -> Item {
    versioned(item.clone(), version)
}

#[test]
fn unknown_items_and_items_known_by_another_key_decide_as_the_table_says() {
    use KnownBy::{Alias, Id, OtherSource, Url};
    use KnownState::{Live, Tombstone};
    let (old, new) = (item("a", "oud"), item("a", "nieuw"));
    let draft =
        |version| Some(Known { never_said: true, ..known(Tombstone, Id, &v(&retract(item("a", "")), version)) });
    check(vec![
        ("unknown, publish: Create", new.clone(), None, Act::New { flooded: false }, false),
        ("unknown, retract: store a tombstone", retract(new.clone()), None, Act::Tombstone, false),
        (
            "a late publish with lower version is ignored",
            v(&new, 1),
            k(Tombstone, Id, &v(&old, 2)),
            Act::OutOfOrder,
            false,
        ),
        (
            "a later publish of what nobody ever saw is new",
            v(&new, 3),
            k(Tombstone, Id, &v(&old, 2)),
            Act::New { flooded: false },
            false,
        ),
        ("… also without versions", new.clone(), k(Tombstone, Id, &old), Act::New { flooded: false }, false),
        ("… of the same version it is for a person", v(&new, 2), k(Tombstone, Id, &v(&old, 2)), Act::Return, false),
        (
            "… but not what stood at its source before us",
            v(&new, 3),
            k(Tombstone, Id, &v(&old, 2)).map(|known| Known { stood_there: true, ..known }),
            Act::Return,
            false,
        ),
        ("… still listed as it was: no-op", v(&old, 2), k(Tombstone, Id, &v(&old, 2)), Act::Same, false),
        (
            "… withdrawn by another connector: new here",
            new.clone(),
            k(Tombstone, OtherSource, &old),
            Act::New { flooded: false },
            true,
        ),
        (
            "a draft that was told as withdrawn is new when it is public",
            v(&new, 3),
            draft(2),
            Act::New { flooded: false },
            false,
        ),
        ("… and so is one whose versions nobody knows", new.clone(), draft(2), Act::New { flooded: false }, false),
        ("… but not what is older than that", v(&new, 1), draft(2), Act::OutOfOrder, false),
        ("… and saved once more it stays a draft", retract(v(&new, 3)), draft(2), Act::Same, false),
        ("known by canonical URL: update, add id", new.clone(), k(Live, Url, &old), Act::Edit, true),
        ("known by canonical URL, same digest: only add id", old.clone(), k(Live, Url, &old), Act::Same, true),
        ("known by alias: update, nothing to add", new.clone(), k(Live, Alias, &old), Act::Edit, false),
        ("known by URL in another connector: merge", new.clone(), k(Live, OtherSource, &old), Act::Merge, true),
        ("… same digest: no second Note", old.clone(), k(Live, OtherSource, &old), Act::Same, true),
        (
            "… versions of another connector mean nothing",
            v(&new, 1),
            k(Live, OtherSource, &v(&old, 2)),
            Act::Merge,
            true,
        ),
        (
            "… its retract leaves what another connector says",
            retract(old.clone()),
            k(Live, OtherSource, &old),
            Act::Same,
            true,
        ),
    ]);
}

#[test]
fn a_draft_that_is_public_now_is_judged_as_what_was_never_heard_of() {
    let draft = Some(Known { never_said: true, ..known(KnownState::Tombstone, KnownBy::Id, &retract(item("a", ""))) });
    let mut old = item("a", "oud");
    old.published_at = Some(NOW.0 - 400 * 24 * HOUR);
    let policy = SourcePolicy::default();
    let act = |baseline, item: &Item| decide_with(&policy, baseline, &[(item.clone(), draft.clone())]).remove(0).act;
    assert_eq!(act(false, &old), Act::StoreOnly(StoreReason::TooOld));
    assert_eq!(act(true, &item("a", "nieuw")), Act::StoreOnly(StoreReason::Baseline));
    let many: Vec<_> = (0..=policy.flood_fuse)
        .map(|n| {
            let one = item(&n.to_string(), &n.to_string());
            let before = Known {
                never_said: true,
                item: ItemId(i64::from(n)),
                ..known(KnownState::Tombstone, KnownBy::Id, &one)
            };
            (one, Some(before))
        })
        .collect();
    assert!(decide_with(&policy, false, &many).iter().all(|d| d.act == Act::New { flooded: true }));
}

#[test]
fn live_items_decide_as_the_table_says() {
    use KnownBy::Id;
    use KnownState::Live;
    let (old, new) = (item("a", "oud"), item("a", "nieuw"));
    check(vec![
        ("live, publish, same digest: no-op", old.clone(), k(Live, Id, &old), Act::Same, false),
        ("live, same digest, lower version: no-op", v(&old, 1), k(Live, Id, &v(&old, 2)), Act::Same, false),
        ("live, digest differs: federated Update", new.clone(), k(Live, Id, &old), Act::Edit, false),
        ("live, higher version: federated Update", v(&new, 3), k(Live, Id, &v(&old, 2)), Act::Edit, false),
        ("live, lower version: drop as out of order", v(&new, 1), k(Live, Id, &v(&old, 2)), Act::OutOfOrder, false),
        ("live, retract: Delete", retract(old.clone()), k(Live, Id, &old), Act::Retract, false),
        (
            "live, retract of a lower version: out of order",
            retract(v(&old, 1)),
            k(Live, Id, &v(&old, 2)),
            Act::OutOfOrder,
            false,
        ),
    ]);
}

#[test]
fn withdrawn_and_waiting_items_decide_as_the_table_says() {
    use KnownBy::Id;
    use KnownState::{Baseline, Retracted, Waiting};
    let (old, new) = (item("a", "oud"), item("a", "nieuw"));
    let mut withdrawn_here = known(Retracted, Id, &old);
    withdrawn_here.withdrawn_here = true;
    check(vec![
        ("retracted, publish: new Note id, ask", new.clone(), k(Retracted, Id, &old), Act::Return, false),
        (
            "retracted, publish of the same text without version: ask",
            old.clone(),
            k(Retracted, Id, &old),
            Act::Return,
            false,
        ),
        ("retracted, same version still listed: no-op", v(&old, 2), k(Retracted, Id, &v(&old, 2)), Act::Same, false),
        ("retracted, lower version: out of order", v(&new, 1), k(Retracted, Id, &v(&old, 2)), Act::OutOfOrder, false),
        ("withdrawn here, still listed: no-op", old.clone(), Some(withdrawn_here.clone()), Act::Same, false),
        ("withdrawn here, changed: ask", new.clone(), Some(withdrawn_here), Act::Return, false),
        ("retracted, retract: no-op", retract(old.clone()), k(Retracted, Id, &old), Act::Same, false),
        ("scheduled, retract: cancel", retract(old.clone()), k(Waiting, Id, &old), Act::Cancel, false),
        (
            "changed while in review: review starts again",
            new.clone(),
            k(Waiting, Id, &old),
            Act::Revise { held: None },
            false,
        ),
        ("unchanged while in review: no-op", old.clone(), k(Waiting, Id, &old), Act::Same, false),
        (
            "stored at baseline, changed: stays unpublished",
            new.clone(),
            k(Baseline, Id, &old),
            Act::StoreOnly(StoreReason::Baseline),
            false,
        ),
        ("stored at baseline, retract: tombstone", retract(old.clone()), k(Baseline, Id, &old), Act::Tombstone, false),
    ]);
}

#[test]
fn edits_are_merged_inside_ten_minutes_and_reviewed_above_the_daily_limit() {
    let (old, new) = (item("a", "oud"), item("a", "nieuw"));
    let at = |minutes: u64| NOW.before(Duration::from_secs(minutes * 60));
    let cases = [
        (0, None, Act::Edit),
        (1, Some(at(11)), Act::Edit),
        (1, Some(at(10)), Act::Edit),
        (1, Some(at(4)), Act::EditLater { at: NOW.after(Duration::from_secs(6 * 60)) }),
        (11, Some(at(60)), Act::Edit),
        (12, Some(at(60)), Act::ReviewEdit),
    ];
    for (edits_today, last_edit_at, act) in cases {
        let known = Known { edits_today, last_edit_at, ..known(KnownState::Live, KnownBy::Id, &old) };
        assert_eq!(decide_one(new.clone(), Some(known)).act, act, "{edits_today} edits, last {last_edit_at:?}");
    }
}

#[test]
fn gov_uk_changes_the_id_on_every_update_and_it_stays_one_post() {
    let page = |stamp: &str, title: &str| Item {
        canonical_url: Some("https://www.gov.uk/x".to_owned()),
        ..item(&format!("https://www.gov.uk/x#{stamp}"), title)
    };
    let first = page("2026-01-01", "oud");
    let by_url = || Some(known(KnownState::Live, KnownBy::Url, &first));
    assert_eq!(decide_one(page("2026-01-02", "nieuw"), by_url()), Decision { act: Act::Edit, add_alias: true });
    assert_eq!(decide_one(page("2026-01-02", "oud"), by_url()), Decision { act: Act::Same, add_alias: true });
    let twice = [(versioned(page("2026-01-02", "x"), 2), None), (versioned(page("2026-01-03", "x"), 3), None)];
    let decisions = decide_with(&SourcePolicy::default(), false, &twice);
    assert_eq!(decisions[0], Decision { act: Act::Duplicate { of: 1 }, add_alias: true });
    assert_eq!(decisions[1].act, Act::New { flooded: false });
}

#[test]
fn a_kept_guid_with_only_another_date_is_no_edit() {
    let old = item("a", "zelfde");
    let mut moved = old.clone();
    moved.published_at = Some(NOW.0);
    moved.updated_at = Some(NOW.0);
    moved.source_version = Some(NOW.0);
    assert_eq!(decide_one(moved, Some(known(KnownState::Live, KnownBy::Id, &old))).act, Act::Same);
}

#[test]
fn items_that_share_one_page_but_not_their_title_are_different_items() {
    let province = |id: &str, title: &str| Item {
        canonical_url: Some("https://weer.example/waarschuwingen".to_owned()),
        ..item(id, title)
    };
    let (groningen, zeeland) = (province("gr", "Code geel in Groningen"), province("zl", "Code groen in Zeeland"));
    let by_url = known(KnownState::Live, KnownBy::Url, &groningen);
    let decisions = decide_with(
        &SourcePolicy::default(),
        false,
        &[(groningen.clone(), Some(known(KnownState::Live, KnownBy::Id, &groningen))), (zeeland, Some(by_url))],
    );
    assert_eq!(decisions[0].act, Act::Same);
    assert_eq!(decisions[1], Decision { act: Act::New { flooded: false }, add_alias: false });
}

#[test]
fn the_same_item_twice_in_one_poll_is_decided_once() {
    let (old, new) = (versioned(item("a", "oud"), 1), versioned(item("a", "nieuw"), 2));
    let decisions = decide_with(&SourcePolicy::default(), false, &[(old.clone(), None), (new.clone(), None)]);
    assert_eq!(decisions[0], Decision { act: Act::Duplicate { of: 1 }, add_alias: false });
    assert_eq!(decisions[1].act, Act::New { flooded: false });
    let plain = item("a", "x");
    let decisions = decide_with(&SourcePolicy::default(), false, &[(plain.clone(), None), (plain.clone(), None)]);
    assert_eq!(decisions[1].act, Act::Duplicate { of: 0 });
    let decisions = decide_with(&SourcePolicy::default(), false, &[(plain.clone(), None), (retract(plain), None)]);
    assert_eq!(decisions[1].act, Act::Tombstone, "a tombstone beside its entry wins");
}

#[test]
fn the_first_poll_stores_and_publishes_only_the_newest_that_were_asked_for() {
    let dated = |id: &str, hours: i64| Item { published_at: Some(NOW.0 - hours * HOUR), ..item(id, id) };
    let page = [(dated("old", 900), None), (dated("newest", 1), None), (dated("newer", 400), None)];
    let policy = |publish_newest| SourcePolicy { publish_newest, flood_fuse: 0, ..SourcePolicy::default() };
    let baseline = Act::StoreOnly(StoreReason::Baseline);
    let new = Act::New { flooded: false };
    let acts = |n| decide_with(&policy(n), true, &page).into_iter().map(|d| d.act).collect::<Vec<_>>();
    assert_eq!(acts(0), [baseline.clone(), baseline.clone(), baseline.clone()]);
    assert_eq!(acts(2), [baseline.clone(), new.clone(), new.clone()]);
    let undated: Vec<_> = ["a", "b"].map(|id| (Item { published_at: None, ..item(id, id) }, None)).into();
    let acts: Vec<_> = decide_with(&policy(1), true, &undated).into_iter().map(|d| d.act).collect();
    assert_eq!(acts, [new, baseline], "without dates the order of the document counts");
}

#[test]
fn a_burst_above_the_fuse_is_held_whole_and_at_the_fuse_goes_out() {
    for (count, flooded) in [(10, false), (11, true)] {
        let mut page: Vec<_> = (0..count).map(|n| (item(&n.to_string(), &format!("bericht {n}")), None)).collect();
        let live = item("known", "x");
        page.push((live.clone(), Some(known(KnownState::Live, KnownBy::Id, &live))));
        let decisions = decide_with(&SourcePolicy::default(), false, &page);
        assert!(decisions[..count].iter().all(|d| d.act == Act::New { flooded }), "{count}");
        assert_eq!(decisions[count].act, Act::Same);
    }
}

#[test]
fn what_is_too_old_is_stored_and_what_is_elsewhere_or_empty_is_refused() {
    let aged = |days: i64| Item { published_at: Some(NOW.0 - days * 24 * HOUR), ..item("a", "x") };
    assert_eq!(decide_one(aged(7), None).act, Act::New { flooded: false });
    assert_eq!(decide_one(aged(8), None).act, Act::StoreOnly(StoreReason::TooOld));
    assert_eq!(decide_one(aged(-8), None).act, Act::New { flooded: false }, "embargo");
    let policy = SourcePolicy { hosts: vec!["stad.example".to_owned()], ..SourcePolicy::default() };
    let at = |url: &str| Item { canonical_url: Some(url.to_owned()), ..item("a", "x") };
    let cases = [
        ("https://stad.example/x", None),
        ("https://www.stad.example/x", None),
        ("https://nepstad.example/x", Some("nepstad.example")),
        ("https://stad.example.evil.example/x", Some("stad.example.evil.example")),
    ];
    for (url, refused) in cases {
        let act = decide_with(&policy, false, &[(at(url), None)]).remove(0).act;
        let expected = refused.map_or(Act::New { flooded: false }, |h| Act::Refuse(RefuseReason::Host(h.to_owned())));
        assert_eq!(act, expected, "{url}");
    }
    let empty = Item { title: Some(" ".to_owned()), ..item("a", "") };
    assert_eq!(decide_one(empty, None).act, Act::Refuse(RefuseReason::Empty));
}

#[test]
fn the_digest_sees_what_is_said_and_not_how() {
    let body = |html: &str| Item { body: Some(RawHtml(html.to_owned())), ..item("a", "x") };
    let image = |url: &str, alt: Option<&str>| Item {
        media: vec![Media { url: url.to_owned(), alt: alt.map(str::to_owned), ..Media::default() }],
        ..item("a", "x")
    };
    let same = [
        (body("<p>Een  zin</p>"), body("<div><b>Een</b>\n zin</div>")),
        (body("<a href='https://a.example/x?utm=1'>t</a>"), body("<a href='https://a.example/x?utm=2'>t</a>")),
        (
            image("https://a.example/i.jpg?X-Amz-Date=1&w=2", None),
            image("https://a.example/i.jpg?X-Amz-Date=2&w=2", None),
        ),
    ];
    for (a, b) in same {
        assert_eq!(digest(&a), digest(&b), "{a:?} {b:?}");
    }
    let differ = [
        (body("<p>Een zin</p>"), body("<p>Een zin.</p>")),
        (body("<a href='https://a.example/x'>t</a>"), body("<a href='https://a.example/y'>t</a>")),
        (image("https://a.example/i.jpg", None), image("https://a.example/i.jpg", Some("brug"))),
        (image("https://a.example/i.jpg?w=1", None), image("https://a.example/i.jpg?w=2", None)),
        (item("a", "x"), Item { canonical_url: Some("https://stad.example/b".to_owned()), ..item("a", "x") }),
        (item("a", "x"), Item { language: Some("en".to_owned()), ..item("a", "x") }),
    ];
    for (a, b) in differ {
        assert_ne!(digest(&a), digest(&b), "{a:?} {b:?}");
    }
    assert_eq!(digest(&item("a", "x")).as_str().len(), 64);
}

#[test]
fn merging_takes_the_richer_field_of_each() {
    let feed = Item { summary: Some(RawHtml("kort".to_owned())), ..item("a", "Titel") };
    let hook = Item { title: None, body: Some(RawHtml("veel langer".to_owned())), ..item("b", "") };
    let merged = merge(&feed, &hook);
    assert_eq!((merged.source_id.as_str(), merged.title.as_deref()), ("a", Some("Titel")));
    assert_eq!((merged.summary, merged.body), (feed.summary, hook.body));
}

#[test]
fn absence_withdraws_only_from_a_complete_page_and_never_many_at_once() {
    let ids = |range: std::ops::Range<i64>| range.map(ItemId).collect::<Vec<_>>();
    let policy = SourcePolicy::default();
    assert_eq!(missing(&ids(0..5), &ids(0..3), false, &policy), Missing::Retract(vec![]));
    assert_eq!(missing(&ids(0..5), &ids(0..3), true, &policy), Missing::Retract(ids(3..5)));
    assert_eq!(missing(&ids(0..10), &[], true, &policy), Missing::Retract(ids(0..10)));
    assert_eq!(missing(&ids(0..11), &[], true, &policy), Missing::Suspicious(ids(0..11)));
}

#[test]
fn a_page_must_be_gone_on_two_checks_hours_apart() {
    let on = SourcePolicy { retract_on_gone: true, ..SourcePolicy::default() };
    let off = SourcePolicy::default();
    let at_once = SourcePolicy { gone_after: Span::seconds(0), ..on.clone() };
    let ago = |minutes: u64| Some(NOW.before(Duration::from_secs(minutes * 60)));
    let cases = [
        (&off, ago(600), 410, GoneDecision::Nothing),
        (&on, None, 404, GoneDecision::FirstSeen),
        (&on, ago(119), 404, GoneDecision::FirstSeen),
        (&on, ago(120), 410, GoneDecision::Retract),
        (&on, ago(600), 200, GoneDecision::Nothing),
        (&on, ago(600), 503, GoneDecision::Nothing),
        (&on, ago(600), 403, GoneDecision::Nothing),
        (&at_once, None, 410, GoneDecision::FirstSeen),
    ];
    for (policy, first, status, expected) in cases {
        assert_eq!(gone(policy, first, status, NOW), expected, "{first:?} {status}");
    }
}

fn state(id: &str, value: &str) -> Item {
    Item { state: Some(value.to_owned()), ..item(id, value) }
}

#[test]
fn a_state_is_news_when_it_changes_and_never_at_first_sight() {
    let all = SourcePolicy { publish_newest: 10, ..SourcePolicy::default() };
    let first = decide_with(&all, true, &[(state("a", "groen"), None)]).remove(0);
    assert_eq!(first.act, Act::StoreOnly(StoreReason::State));
    let act = |incoming: Item, before: KnownState, had: &Item| {
        decide_one(incoming, Some(known(before, KnownBy::Id, had))).act
    };
    let green = state("a", "groen");
    let reworded = Item { title: Some("Alles rustig".to_owned()), ..green.clone() };
    assert_eq!(act(reworded, KnownState::Live, &green), Act::Same);
    assert_eq!(act(state("a", "rood"), KnownState::Baseline, &green), Act::New { flooded: false });
    assert_eq!(act(state("a", "rood"), KnownState::Live, &green), Act::Edit);
    assert_eq!(act(state("a", "rood"), KnownState::Live, &item("a", "groen")), Act::Remember);
    // Many states have one page, which is no identity.
    let other = decide_one(state("b", "rood"), Some(known(KnownState::Live, KnownBy::Url, &green)));
    assert_eq!((other.act, other.add_alias), (Act::StoreOnly(StoreReason::State), false));
}

#[test]
fn what_has_expired_at_first_sight_is_stored_only_until_it_holds_again() {
    let until = |ms: i64| Item { expires_at: Some(NOW.0 + ms), ..item("a", "Storm") };
    assert_eq!(decide_one(until(0), None).act, Act::StoreOnly(StoreReason::Expired));
    assert_eq!(decide_one(until(1), None).act, Act::New { flooded: false });
    let again = Item { title: Some("Nog storm".to_owned()), ..until(HOUR) };
    let over = known(KnownState::Baseline, KnownBy::Id, &until(-HOUR));
    assert_eq!(decide_one(again, Some(over)).act, Act::New { flooded: false });
}

#[test]
fn an_embargo_is_news_at_the_first_poll_follows_its_source_and_holds_back_edits() {
    let until = |ms: i64| {
        let at = Some(NOW.0 + ms);
        Item { published_at: at, embargo_until: at, ..item("a", "Geheim") }
    };
    let policy = SourcePolicy::default();
    let first = decide_with(&policy, true, &[(until(HOUR), None)]).remove(0);
    assert_eq!(first.act, Act::New { flooded: false });
    let waiting = || known(KnownState::Waiting, KnownBy::Id, &until(HOUR));
    assert_eq!(decide_one(until(HOUR), Some(waiting())).act, Act::Same);
    assert_eq!(decide_one(until(2 * HOUR), Some(waiting())).act, Act::Revise { held: None });
    assert_eq!(decide_one(until(-HOUR), Some(waiting())).act, Act::Revise { held: None });
    let live = known(KnownState::Live, KnownBy::Id, &item("a", "Gewoon"));
    assert_eq!(decide_one(until(HOUR), Some(live)).act, Act::EditLater { at: Timestamp(NOW.0 + HOUR) });
    let elsewhere = known(KnownState::Live, KnownBy::OtherSource, &item("a", "Gewoon"));
    assert_eq!(decide_one(until(HOUR), Some(elsewhere)).act, Act::OutOfOrder, "the other's post tells nothing");
}

#[test]
fn an_item_that_takes_the_place_of_another_is_that_one() {
    let mut next = item("b", "Storm, erger");
    next.alternate_ids = vec!["a".to_owned()];
    let decision = decide_one(next.clone(), Some(known(KnownState::Live, KnownBy::Alternate, &item("a", "Storm"))));
    assert_eq!((decision.act, decision.add_alias), (Act::Edit, true));
    next.updated_at = Some(NOW.0);
    let both = decide_with(&SourcePolicy::default(), false, &[(item("a", "Storm"), None), (next, None)]);
    assert_eq!(both[0].act, Act::Duplicate { of: 1 }, "in one page they are one");
}
