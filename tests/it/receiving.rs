//! What is answered with 202 is on disk, whatever comes in at the same time and whatever happens next; and no server may say
//! more than its share.

use futures::future::join_all;
use serde_json::Value;

use crate::harness::{Account, Database, Kind, Peer, Reply, Setup, World, both, eventually};

/// Sends all of it at the same time.
async fn all_at_once(world: &World, letters: &[(Account, Value)]) -> Vec<Reply> {
    join_all(letters.iter().map(|(account, activity)| account.send(&world.gateway, activity))).await
}

/// Makes the database refuse what one author does, as if storing it hit a defect.
fn refuse_reactions_of(db: &Database, author: &str) {
    match db.kind {
        Kind::Sqlite => db.execute(&format!(
            "CREATE TRIGGER poison BEFORE INSERT ON reactions WHEN NEW.author_url = '{author}' \
             BEGIN SELECT RAISE(ABORT, 'poison'); END"
        )),
        Kind::Postgres => db.execute(&format!(
            "CREATE FUNCTION poison() RETURNS TRIGGER AS $$ BEGIN RAISE EXCEPTION 'poison'; END $$ LANGUAGE plpgsql; \
             CREATE TRIGGER poison BEFORE INSERT ON reactions FOR EACH ROW WHEN (NEW.author_url = '{author}') \
             EXECUTE FUNCTION poison()"
        )),
    }
}

both! {
    async fn an_activity_that_cannot_be_stored_takes_none_of_its_neighbours_along(db: Database) {
        let world = World::new(db).await;
        let object = world.published("dijk", "De dijk").await.activity["object"]["id"].clone();
        let people: Vec<Account> = (0..40).map(|n| world.peer.account(&format!("burger{n}"))).collect();
        refuse_reactions_of(&world.db, &people[17].id);
        let likes: Vec<(Account, Value)> =
            people.iter().map(|one| (one.clone(), one.activity("Like", object.clone()))).collect();
        let replies = all_at_once(&world, &likes).await;
        for (n, reply) in replies.iter().enumerate() {
            assert_eq!(reply.status, if n == 17 { 503 } else { 202 }, "{n}: {}", reply.text());
        }
        assert_eq!(world.db.number("SELECT COUNT(*) FROM reactions"), 39);
        world.db.execute(match world.db.kind {
            Kind::Sqlite => "DROP TRIGGER poison",
            Kind::Postgres => "DROP TRIGGER poison ON reactions",
        });
        people[17].says(&world.gateway, &likes[17].1).await;
        assert_eq!(world.db.number("SELECT COUNT(*) FROM reactions"), 40, "its sender tries again, and it counts");
    }

    async fn what_was_answered_with_202_survives_a_kill_right_after(db: Database) {
        let mut world = World::unfollowed(db, Setup::new()).await;
        for round in 0..3 {
            let people: Vec<Account> = (0..30).map(|n| world.peer.account(&format!("burger{round}x{n}"))).collect();
            let follows = people.iter().map(|one| async {
                let letter = one.letter(&world.gateway.url("/ap/inbox"), &one.activity("Follow", world.gateway.actor()));
                (one.id.clone(), letter.try_send().await.is_some_and(|reply| reply.status == 202))
            });
            let mut left: futures::stream::FuturesUnordered<_> = follows.collect();
            let mut taken = Vec::new();
            use futures::StreamExt as _;
            while let Some((id, good)) = left.next().await {
                taken.extend(good.then_some(id));
                if taken.len() >= 5 * (round + 1) {
                    break;
                }
            }
            drop(left);
            world.gateway.kill9();
            let known = world.db.lines("SELECT url AS t FROM followers");
            assert!(taken.iter().all(|id| known.contains(id)), "{taken:?} in {known:?}");
            world.gateway.restart().await;
        }
    }

    async fn what_one_sends_after_the_answer_to_the_other_is_done_in_that_order(db: Database) {
        let world = World::unfollowed(db, Setup::new()).await;
        let people: Vec<Account> = (0..20).map(|n| world.peer.account(&format!("burger{n}"))).collect();
        join_all(people.iter().enumerate().map(|(n, one)| {
            let world = &world;
            async move {
                for _ in 0..3 {
                    let follow = one.activity("Follow", world.gateway.actor());
                    one.says(&world.gateway, &follow).await;
                    if n % 2 == 0 {
                        one.says(&world.gateway, &one.activity("Undo", follow)).await;
                    }
                }
            }
        }))
        .await;
        assert_eq!(world.db.number("SELECT COUNT(*) FROM followers"), 10);
    }

    async fn a_server_that_says_more_than_its_share_is_told_when_to_come_back(db: Database) {
        let world = World::unfollowed(db, Setup::new().further("[inbox]\nper_host = 1")).await;
        let people: Vec<Account> = (0..40).map(|n| world.peer.account(&format!("burger{n}"))).collect();
        let follows: Vec<(Account, Value)> =
            people.iter().map(|one| (one.clone(), one.activity("Follow", world.gateway.actor()))).collect();
        let replies = all_at_once(&world, &follows).await;
        let taken = replies.iter().filter(|reply| reply.status == 202).count();
        assert!(taken >= 10, "ten seconds' worth may come at once: {taken}");
        let refused = replies.iter().find(|reply| reply.status != 202).expect("forty at once are too many");
        assert_eq!(refused.status, 429, "{}", refused.text());
        let wait: u64 = refused.header("retry-after").parse().unwrap();
        assert!((1..=10).contains(&wait), "{wait}");
        assert_eq!(world.db.number("SELECT COUNT(*) FROM followers"), i64::try_from(taken).unwrap());
        let elsewhere = Peer::start().account("buur");
        elsewhere.says(&world.gateway, &elsewhere.activity("Follow", world.gateway.actor())).await;
        let late = people.iter().zip(&replies).find(|(_, reply)| reply.status == 429).unwrap().0;
        eventually("the server is heard again", || async {
            let reply = late.send(&world.gateway, &late.activity("Follow", world.gateway.actor())).await;
            (reply.status == 202).then_some(())
        })
        .await;
    }

    async fn an_account_that_is_gone_is_forgotten_although_its_key_was_known_for_long(db: Database) {
        let mut world = World::new(db).await;
        let object = world.published("dijk", "De dijk").await.activity["object"]["id"].clone();
        let gone = world.peer.account("weg");
        gone.follows(&world.gateway).await;
        gone.says(&world.gateway, &gone.activity("Like", object)).await;
        // What this process has in memory is as young as what it read.
        world.gateway.stop().await;
        world.db.execute("UPDATE remote_actors SET fetched_at = 1");
        world.gateway.restart().await;
        world.peer.page("/users/weg", Reply::status(410));
        let inbox = world.gateway.url("/ap/inbox");
        let mut forged = gone.letter(&inbox, &gone.activity("Delete", gone.id.clone()));
        forged.key = crate::harness::Key::OTHER;
        assert!([202, 401].contains(&forged.send().await.status));
        let of = |table: &str, column: &str| {
            world.db.number(&format!("SELECT COUNT(*) FROM {table} WHERE {column} = '{}'", gone.id))
        };
        assert_eq!((of("followers", "url"), of("reactions", "author_url")), (1, 1), "whoever else says so");
        let like = gone.letter(&inbox, &gone.activity("Like", world.gateway.actor())).send().await;
        assert!([401, 503].contains(&like.status), "anything else of an account that is gone: {}", like.text());
        gone.says(&world.gateway, &gone.activity("Delete", gone.id.clone())).await;
        assert_eq!((of("followers", "url"), of("reactions", "author_url"), of("remote_actors", "url")), (0, 0, 0));
    }

    async fn signatures_that_do_not_fit_a_known_key_cost_its_server_one_fetch(db: Database) {
        let world = World::new(db).await;
        let (citizen, inbox) = (&world.citizen, world.gateway.url("/ap/inbox"));
        citizen.says(&world.gateway, &citizen.activity("View", citizen.id.clone())).await;
        let before = world.peer.fetches().len();
        for n in 0..8 {
            let mut forged = citizen.letter(&inbox, &citizen.activity("View", citizen.id.clone()));
            forged.key = crate::harness::Key::OTHER;
            let reply = forged.send().await;
            assert_eq!(reply.status, 401, "{n}: {}", reply.text());
        }
        let fetches = world.peer.fetches().len() - before;
        assert!(fetches <= 2, "8 forged signatures cost {fetches} fetches; two only where the minute went by between them");
        citizen.says(&world.gateway, &citizen.activity("View", citizen.id.clone())).await;
    }

    async fn a_key_that_was_replaced_is_believed_no_more_and_the_new_one_is(db: Database) {
        let world = World::new(db).await;
        let citizen = &world.citizen;
        let object = world.published("dijk", "De dijk").await.activity["object"]["id"].clone();
        citizen.says(&world.gateway, &citizen.activity("Like", object.clone())).await;
        citizen.rotate(crate::harness::Key::OTHER, &citizen.key_id());
        let update = citizen.activity("Update", serde_json::json!({ "id": citizen.id, "type": "Person" }));
        let inbox = world.gateway.url("/ap/inbox");
        let mut letter = citizen.letter(&inbox, &update);
        letter.key = crate::harness::Key::OTHER;
        assert_eq!(letter.send().await.status, 202);
        let old = citizen.letter(&inbox, &citizen.activity("Announce", object.clone())).send().await;
        assert_eq!(old.status, 401, "{}", old.text());
        let mut new = citizen.letter(&inbox, &citizen.activity("Announce", object));
        new.key = crate::harness::Key::OTHER;
        assert_eq!(new.send().await.status, 202);
        assert_eq!(world.db.number("SELECT COUNT(*) FROM reactions"), 2);
    }
}
