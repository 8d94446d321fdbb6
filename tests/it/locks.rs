//! Who waits for whom in PostgreSQL: transactions by hand, in an order that would make them wait for each other. SQLite has one
//! writer.

use std::sync::{Arc, Barrier};

use diesel::connection::SimpleConnection;
use diesel::pg::PgConnection;
use diesel::{Connection, QueryResult};
use heraut::ids::{ActivityId, ActorId, InboxId};
use heraut::post::lane::{Dispatch, Lane};
use heraut::store::deliveries::{Answer, FanOut};
use heraut::store::{Db, Queried, deliveries, inboxes, turns};
use heraut::time::Timestamp;

use crate::harness::{Database, Kind, run, until};

const NOW: Timestamp = Timestamp(1_800_000_000_000);
const LATER: Timestamp = Timestamp(1_800_000_090_000);

/// Two agencies with an actor each, 1 and 2, and an activity of each, both followed from the inboxes 1 to 20.
fn shared_inboxes(db: &Database) {
    drop(db.store());
    let mut sql = String::new();
    for id in 1..=2 {
        sql += &format!(
            "INSERT INTO agencies (id, name, domain, provisioned, created_at) VALUES ({id}, 'a{id}', 'a{id}.example', TRUE, 1);
             INSERT INTO actors (id, agency_id, handle, handle_domain, kind, language, profile, url, provisioned, created_at,
             updated_at) VALUES ({id}, {id}, 'h{id}', 'a{id}.example', 'Organization', 'nl', '{{}}', 'https://a.example/{id}', TRUE, 1, 1);
             INSERT INTO activities (id, actor_id, kind, bytes, created_at) VALUES ({id}, {id}, 'Create', '{{}}', 1);"
        );
    }
    for inbox in 1..=20 {
        sql += &format!(
            "INSERT INTO inboxes (id, url, host, created_at) VALUES ({inbox}, 'https://h{inbox}.example/inbox', 'h{inbox}.example', 1);"
        );
        for actor in 1..=2 {
            sql += &format!(
                "INSERT INTO followers (id, actor_id, url, host, inbox_id, created_at)
                 VALUES ({actor}00 + {inbox}, {actor}, 'https://h{inbox}.example/u', 'h{inbox}.example', {inbox}, 1);"
            );
        }
    }
    db.execute(&sql);
}

/// A connection on which nothing waits for long: who would wait for ever fails.
fn connection(db: &Database) -> PgConnection {
    let mut connection = PgConnection::establish(&db.url).unwrap();
    connection.batch_execute("SET lock_timeout = '20s'").unwrap();
    connection
}

/// What the first statement of a fan-out of `actor` does to inbox 7: it is owed something, and so cannot go away.
fn owe_one(db: &mut PgConnection, actor: i64) -> QueryResult<()> {
    db.batch_execute(&format!(
        "INSERT INTO deliveries (activity_id, inbox_id, turn, created_at) VALUES ({actor}, 7, {}, 1)",
        Lane::News.turn(1)
    ))
}

fn fan_out(db: &mut PgConnection, actor: i64) -> Queried<usize> {
    let what = FanOut {
        activity: ActivityId(actor),
        actor: ActorId(actor),
        post: None,
        dispatch: Dispatch::default(),
        at: NOW,
    };
    deliveries::fan_out(&mut Db::Pg(db), &what)
}

async fn two_fan_outs(db: Database) {
    shared_inboxes(&db);
    let both_owe = Arc::new(Barrier::new(2));
    let publish = |actor: i64| {
        let (mut connection, both_owe) = (connection(&db), both_owe.clone());
        std::thread::spawn(move || {
            connection.transaction(|c| {
                let owed = owe_one(c, actor);
                both_owe.wait();
                owed?;
                fan_out(c, actor)
            })
        })
    };
    for publishing in [publish(1), publish(2)] {
        assert_eq!(publishing.join().unwrap(), Ok(19), "and the one that it owed before");
    }
    assert_eq!(db.number("SELECT COUNT(*) FROM deliveries WHERE state = 0"), 40);
    assert_eq!(db.number("SELECT COUNT(*) FROM inboxes WHERE turn IS NOT NULL"), 20);
}

#[test]
fn two_agencies_that_publish_at_once_to_the_same_inboxes_do_not_wait_for_each_other() {
    run(two_fan_outs, Kind::Postgres);
}

async fn a_large_fan_out(db: Database) {
    shared_inboxes(&db);
    db.execute("UPDATE inboxes SET due_at = 1, turn = id");
    let (mut publishing, mut leasing) = (connection(&db), connection(&db));
    publishing.batch_execute("BEGIN").unwrap();
    owe_one(&mut publishing, 1).unwrap();
    let leased = leasing.transaction(|c| inboxes::lease(&mut Db::Pg(c), NOW, LATER, 10, 0)).unwrap();
    let ids: Vec<i64> = leased.into_iter().map(|inbox| inbox.id.0).collect();
    assert_eq!(ids, (1..=10).collect::<Vec<i64>>(), "also the one that is just being owed something");
    publishing.batch_execute("ROLLBACK").unwrap();
}

#[test]
fn inboxes_that_are_just_being_owed_something_can_be_leased() {
    run(a_large_fan_out, Kind::Postgres);
}

async fn one_inbox_in_other_hands(db: Database) {
    shared_inboxes(&db);
    // Their time has come, and they have no place in line yet.
    db.execute("UPDATE inboxes SET due_at = 1 WHERE id <= 3");
    let (mut holding, mut leasing) = (connection(&db), connection(&db));
    leasing.batch_execute("SET lock_timeout = '3s'").unwrap();
    holding.batch_execute("BEGIN; UPDATE inboxes SET last_status = 202 WHERE id = 2").unwrap();
    let lease = |c: &mut PgConnection| inboxes::lease(&mut Db::Pg(c), NOW, LATER, 10, 0);
    let leased = leasing.transaction(lease).unwrap();
    let mut ids: Vec<i64> = leased.into_iter().map(|inbox| inbox.id.0).collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 3], "the one in other hands is passed over");
    holding.batch_execute("COMMIT").unwrap();
    let rest = leasing.transaction(lease).unwrap();
    assert_eq!(rest.into_iter().map(|inbox| inbox.id.0).collect::<Vec<_>>(), [2], "until it is let go");
}

#[test]
fn a_lease_waits_for_no_inbox_that_another_process_has_in_its_hands() {
    run(one_inbox_in_other_hands, Kind::Postgres);
}

async fn answers_for_two_actors(db: Database) {
    shared_inboxes(&db);
    // The second agency is about to owe something to inbox 7: it has its places, and the inbox comes next.
    let (mut second, mut both) = (connection(&db), connection(&db));
    second.batch_execute("BEGIN").unwrap();
    let joined = turns::join(&mut Db::Pg(&mut second), ActorId(2), Lane::Answer).unwrap();
    turns::take(&mut Db::Pg(&mut second), joined, 1).unwrap();
    let answering = std::thread::spawn(move || {
        let answer = |n: i64, inbox: i64| Answer { actor: ActorId(n), activity: ActivityId(n), inbox: InboxId(inbox) };
        both.transaction(|c| deliveries::owe_answers(&mut Db::Pg(c), &[answer(1, 7), answer(2, 8)], NOW))
    });
    let waiting =
        "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    until("the answers of both wait for the second agency's places", || db.number(waiting) == 1).await;
    inboxes::line_up_with(&mut Db::Pg(&mut second), &[(InboxId(7), joined.turn(1))], NOW).unwrap();
    second.batch_execute("COMMIT").unwrap();
    assert_eq!(answering.join().unwrap(), Ok(()));
    assert_eq!(db.number("SELECT COUNT(*) FROM deliveries WHERE state = 0"), 2);
    assert_eq!(db.number("SELECT COUNT(*) FROM inboxes WHERE turn IS NOT NULL"), 2);
}

#[test]
fn answers_for_several_actors_wait_for_places_before_they_hold_an_inbox() {
    run(answers_for_two_actors, Kind::Postgres);
}
