//! The line in which deliveries wait, as the store keeps it: who comes when.

use std::time::Duration;

use heraut::ids::{ActivityId, ActorId, InboxId, PostId};
use heraut::post::lane::{Dispatch, Lane};
use heraut::store::deliveries::FanOut;
use heraut::store::inboxes::Failure;
use heraut::store::{Db, Store, deliveries, inboxes};
use heraut::time::Timestamp;

use crate::harness::{Database, both};

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const LEASE: Duration = Duration::from_secs(90);

/// Two agencies with an actor each, 1 and 2, that follow nobody yet.
fn agencies(db: &Database) -> Store {
    let store = db.store();
    for id in 1..=2 {
        db.execute(&format!(
            "INSERT INTO agencies (id, name, domain, provisioned, created_at) VALUES ({id}, 'a{id}', 'a{id}.example', TRUE, 1);
             INSERT INTO actors (id, agency_id, handle, handle_domain, kind, language, profile, url, provisioned, created_at,
             updated_at) VALUES ({id}, {id}, 'h{id}', 'a{id}.example', 'Organization', 'nl', '{{}}', 'https://a.example/{id}', TRUE, 1, 1);"
        ));
    }
    store
}

/// Followers of an actor, one in each of these inboxes, which are made with it.
fn follow(db: &Database, actor: i64, inboxes: std::ops::Range<i64>) {
    let mut sql = String::new();
    for n in inboxes {
        sql += &format!(
            "INSERT INTO inboxes (id, url, host, created_at) VALUES ({n}, 'https://h{n}.example/inbox', 'h{n}.example', 1)
             ON CONFLICT DO NOTHING;
             INSERT INTO followers (id, actor_id, url, host, inbox_id, created_at)
             VALUES ({actor}00000 + {n}, {actor}, 'https://h{n}.example/u', 'h{n}.example', {n}, 1);"
        );
    }
    db.execute(&sql);
}

/// Owes an activity of an actor to its followers.
async fn owe(db: &Database, store: &Store, actor: i64, activity: i64, dispatch: Dispatch) {
    db.execute(&format!(
        "INSERT INTO activities (id, actor_id, kind, bytes, created_at) VALUES ({activity}, {actor}, 'Create', '{{}}', 1)"
    ));
    let what =
        FanOut { activity: ActivityId(activity), actor: ActorId(actor), post: None::<PostId>, dispatch, at: NOW };
    store.write("owe", move |db| deliveries::fan_out(db, &what)).await.unwrap();
}

/// Leases the next inboxes of the line.
async fn lease(store: &Store, at: Timestamp, n: i64) -> Vec<i64> {
    let lease = move |db: &mut Db<'_>| inboxes::lease(db, at, at.after(LEASE), n, n);
    store.write("lease", lease).await.unwrap().into_iter().map(|inbox| inbox.id.0).collect()
}

async fn owed_to(store: &Store, inbox: i64) -> Vec<i64> {
    let read = move |db: &mut Db<'_>| deliveries::owed_to(db, &[InboxId(inbox)], 100);
    let owed = store.read("read what is owed", read).await.unwrap();
    owed.get(&InboxId(inbox)).map(|owed| owed.iter().map(|id| id.0).collect()).unwrap_or_default()
}

both! {
    async fn an_agency_with_a_long_line_does_not_keep_another_one_waiting(db: Database) {
        let store = agencies(&db);
        follow(&db, 1, 0..1_000);
        follow(&db, 2, 1_000..1_020);
        owe(&db, &store, 1, 1, Dispatch::default()).await;
        assert_eq!(lease(&store, NOW, 100).await, (0..100).collect::<Vec<i64>>());
        owe(&db, &store, 2, 2, Dispatch::default()).await;
        let next = lease(&store, NOW, 42).await;
        let others = next.iter().filter(|id| **id >= 1_000).count();
        assert_eq!(others, 20, "both have their turn, one after the other: {next:?}");
        assert_eq!(lease(&store, NOW, 3).await, [122, 123, 124], "nobody loses a place");
    }

    async fn an_agency_that_was_quiet_for_long_has_no_more_than_its_turn(db: Database) {
        let store = agencies(&db);
        follow(&db, 1, 0..300);
        follow(&db, 2, 1_000..1_300);
        owe(&db, &store, 1, 1, Dispatch::default()).await;
        assert_eq!(lease(&store, NOW, 300).await.len(), 300);
        db.execute("UPDATE inboxes SET lease_until = 0, due_at = NULL; DELETE FROM deliveries");
        owe(&db, &store, 1, 2, Dispatch::default()).await;
        owe(&db, &store, 2, 3, Dispatch::default()).await;
        let next = lease(&store, NOW, 100).await;
        let quiet = next.iter().filter(|id| **id >= 1_000).count();
        assert!((45..=55).contains(&quiet), "{quiet} of 100 are of the one that was quiet");
    }

    async fn a_crisis_goes_before_everything_that_waits(db: Database) {
        let store = agencies(&db);
        follow(&db, 1, 0..200);
        follow(&db, 2, 190..210);
        owe(&db, &store, 1, 1, Dispatch::default()).await;
        owe(&db, &store, 2, 2, Dispatch::at_once(Lane::Crisis)).await;
        assert_eq!(lease(&store, NOW, 20).await, (190..210).collect::<Vec<i64>>());
        assert_eq!(owed_to(&store, 195).await, [2], "an inbox that is warned gets nothing else before all are warned");
        assert_eq!(lease(&store, NOW, 1).await, [0]);
    }

    async fn an_agency_keeps_its_order_and_another_one_comes_between(db: Database) {
        let store = agencies(&db);
        follow(&db, 1, 0..50);
        follow(&db, 2, 0..50);
        for activity in 1..=10 {
            owe(&db, &store, 1, activity, Dispatch::default()).await;
        }
        assert_eq!(lease(&store, NOW, 10).await.len(), 10);
        owe(&db, &store, 2, 11, Dispatch::default()).await;
        let owed = owed_to(&store, 49).await;
        let place = owed.iter().position(|id| *id == 11).unwrap();
        assert!(place <= 1, "not behind the other agency's ten: {owed:?}");
        let own: Vec<i64> = owed.into_iter().filter(|id| *id != 11).collect();
        assert_eq!(own, (1..=10).collect::<Vec<i64>>());
    }

    async fn a_post_is_spread_over_the_time_that_it_is_given(db: Database) {
        let store = agencies(&db);
        follow(&db, 1, 0..100);
        let dispatch = Dispatch { lane: Lane::News, spread: Duration::from_secs(100) };
        owe(&db, &store, 1, 1, dispatch).await;
        let mut sent = 0;
        for (after, due) in [(0, 1), (9, 10), (49, 50), (80, 81)] {
            sent += lease(&store, NOW.after(Duration::from_secs(after)), 1_000).await.len();
            assert_eq!(sent, due, "after {after} s");
        }
    }

    async fn what_is_urgent_does_not_wait_for_what_is_spread(db: Database) {
        let store = agencies(&db);
        follow(&db, 1, 0..100);
        owe(&db, &store, 1, 1, Dispatch { lane: Lane::News, spread: Duration::from_secs(3_600) }).await;
        assert_eq!(lease(&store, NOW, 100).await, [0]);
        follow(&db, 2, 50..60);
        owe(&db, &store, 2, 2, Dispatch::default()).await;
        assert_eq!(lease(&store, NOW, 100).await, (50..60).collect::<Vec<i64>>());
    }

    async fn an_inbox_that_fails_waits_for_its_time_whatever_it_is_owed(db: Database) {
        let store = agencies(&db);
        follow(&db, 1, 0..3);
        let later = NOW.after(Duration::from_secs(60));
        db.execute(&format!("UPDATE inboxes SET failures = 2, failing_since = 1, due_at = {} WHERE id = 1", later.0));
        owe(&db, &store, 1, 1, Dispatch::at_once(Lane::Crisis)).await;
        assert_eq!(lease(&store, NOW, 100).await, [0, 2]);
        assert_eq!(lease(&store, later, 100).await, [1]);
    }

    async fn a_lease_ends_by_itself_and_the_inbox_has_its_place_again(db: Database) {
        let store = agencies(&db);
        follow(&db, 1, 0..3);
        owe(&db, &store, 1, 1, Dispatch::default()).await;
        assert_eq!(lease(&store, NOW, 2).await, [0, 1]);
        assert_eq!(lease(&store, NOW, 2).await, [2]);
        assert_eq!(lease(&store, NOW.after(LEASE), 2).await, [0, 1], "the one who held them is gone");
    }

    async fn who_comes_late_does_not_end_the_lease_of_another(db: Database) {
        let store = agencies(&db);
        follow(&db, 1, 0..1);
        owe(&db, &store, 1, 1, Dispatch::default()).await;
        let (first, second) = (NOW.after(LEASE), NOW.after(LEASE).after(LEASE));
        assert_eq!(lease(&store, NOW, 1).await, [0]);
        assert_eq!(lease(&store, first, 1).await, [0]);
        let failure = Failure {
            failures: 1,
            failing_since: NOW,
            due_at: first,
            parked_at: None,
            status: None,
            error: "late".to_owned(),
        };
        let late = move |db: &mut Db<'_>| {
            inboxes::release(db, &[InboxId(0)], first, first)?;
            inboxes::release_answered(db, &[InboxId(0)], first, 202, first)?;
            inboxes::release_failed(db, InboxId(0), first, &failure)?;
            inboxes::defer(db, InboxId(0), first, first)
        };
        store.write("let go, late", late).await.unwrap();
        assert_eq!(lease(&store, first, 1).await, Vec::<i64>::new(), "the other one still sends");
        assert_eq!(lease(&store, second, 1).await, [0]);
    }

    async fn an_inbox_that_is_still_owed_something_stands_in_line_again_when_it_is_let_go(db: Database) {
        let store = agencies(&db);
        follow(&db, 1, 0..1);
        owe(&db, &store, 1, 1, Dispatch::default()).await;
        assert_eq!(lease(&store, NOW, 1).await, [0]);
        owe(&db, &store, 1, 2, Dispatch::default()).await;
        assert_eq!(lease(&store, NOW, 1).await, Vec::<i64>::new(), "one worker at a time");
        let settle = |db: &mut Db<'_>| {
            deliveries::delivered(db, &[(ActivityId(1), InboxId(0))], 202, NOW)?;
            inboxes::release_answered(db, &[InboxId(0)], NOW.after(LEASE), 202, NOW)
        };
        store.write("settle", settle).await.unwrap();
        assert_eq!((lease(&store, NOW, 1).await, owed_to(&store, 0).await), (vec![0], vec![2]));
    }
}
