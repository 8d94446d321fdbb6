//! A post never stands on an account twice: whatever is killed, lost, or done by several processes.

use std::collections::HashSet;
use std::time::Duration;

use crate::harness::{Article, Kind, Launch, Mastodon, Setup, Trick, World, both, until};

/// What a killed process held is free: the lease ends by itself, and this test has less time.
fn free(world: &World) {
    world.db.execute("UPDATE targets SET lease_until = 0, due_at = 0 WHERE due_at IS NOT NULL");
    world.db.execute("UPDATE sources SET lease_until = 0");
}

both! {
    async fn killed_between_the_answer_and_its_record_it_finds_what_it_made_also_when_the_key_is_forgotten(db: Database) {
        let server = Mastodon::start();
        let mut world = World::with(db, Setup::new().further(&server.target())).await;
        server.by_hand("Dit schreef een redacteur zelf.");
        server.plays(Trick::Hang);
        world.site.publish("a", "Eerste bericht", "<p>Het water zakt.</p>");
        until("the status is made", || server.statuses().len() == 2).await;
        world.gateway.kill9();
        server.forgets_keys();
        free(&world);
        world.gateway.restart().await;
        until("it is found", || world.db.number("SELECT COUNT(*) FROM target_deliveries WHERE state = 1") == 1).await;
        assert_eq!((server.statuses().len(), server.keys_used().len()), (2, 1), "nothing was made again");
        // It is ours: an edit reaches it.
        world.site.edit("a", |article| article.title = "Tweede versie".to_owned());
        until("it is edited", || server.standing().iter().any(|s| s.edits == 1 && s.text.starts_with("Tweede versie"))).await;
        assert_eq!(server.violations(), Vec::<String>::new());
    }

    async fn a_lost_answer_is_looked_for_and_what_was_not_made_is_made(db: Database) {
        let server = Mastodon::start();
        let world = World::with(db, Setup::new().further(&server.target())).await;
        for n in 1..=4 {
            let lost = n % 2 == 1;
            if lost {
                server.plays(Trick::LoseAnswer);
            } else {
                server.plays(Trick::Answer(crate::harness::Reply::status(502)));
            }
            world.site.publish(&format!("n{n}"), &format!("Bericht {n}."), "<p>Het water zakt.</p>");
            until("it is not known", || world.db.number("SELECT COUNT(*) FROM target_posts WHERE unsure") == 1).await;
            server.forgets_keys();
            until("the target waits", || world.db.number("SELECT COUNT(*) FROM targets WHERE lease_until = 0") == 1).await;
            world.db.execute("UPDATE targets SET due_at = 0");
            until("it is known", || {
                world.db.number("SELECT COUNT(*) FROM target_deliveries WHERE state = 1") == n
            })
            .await;
            assert_eq!(server.statuses().len(), usize::try_from(n).unwrap());
        }
        assert_eq!(server.keys_used().len(), 6, "two were made at the second attempt");
        assert_eq!(server.violations(), Vec::<String>::new());
    }

    async fn killed_again_and_again_it_makes_each_post_once(db: Database) {
        let server = Mastodon::start();
        let mut world = World::with(db, Setup::new().policy("flood_fuse = 100").further(&server.target())).await;
        for n in 0..8 {
            server.plays([Trick::Hang, Trick::Slow(Duration::from_millis(150)), Trick::LoseAnswer][n % 3].clone());
            world.site.add_all((0..2).map(|m| Article::new(&format!("n{n}-{m}"), &format!("Bericht {n} en {m}."), "<p>Nieuws.</p>")));
            tokio::time::sleep(Duration::from_millis(400 + 170 * n as u64)).await;
            world.gateway.kill9();
            server.forgets_keys();
            free(&world);
            world.gateway.spawn();
        }
        until("all is said", || {
            world.db.execute("UPDATE targets SET due_at = 0 WHERE due_at IS NOT NULL AND lease_until = 0");
            world.db.number("SELECT COUNT(*) FROM target_deliveries WHERE state = 1") == 16
        })
        .await;
        let texts: Vec<String> = server.statuses().into_iter().map(|status| status.text).collect();
        let different: HashSet<&String> = texts.iter().collect();
        assert_eq!((texts.len(), different.len()), (16, 16), "{texts:?}");
        assert_eq!(server.violations(), Vec::<String>::new());
    }
}

#[test]
fn several_processes_make_each_post_once() {
    crate::harness::run(
        |db| async move {
            let server = Mastodon::start();
            let world = World::with(db, Setup::new().policy("flood_fuse = 100").further(&server.target())).await;
            let others: Vec<_> = (0..3)
                .map(|n| world.gateway.beside(&format!("deliver-{n}"), &Launch::new().roles("deliver")))
                .collect();
            until("all are at the database", || others.iter().all(|process| process.ports().len() >= 2)).await;
            for _ in 0..12 {
                server.plays(Trick::Slow(Duration::from_millis(120)));
            }
            let articles = (0..24).map(|n| Article::new(&format!("n{n}"), &format!("Bericht {n}."), "<p>Nieuws.</p>"));
            world.site.add_all(articles);
            let made = server.has(24).await;
            until("all is recorded", || {
                world.db.number("SELECT COUNT(*) FROM target_deliveries WHERE state = 1") == 24
            })
            .await;
            assert_eq!((made.len(), server.keys_used().len()), (24, 24), "each was asked for once");
        },
        Kind::Postgres,
    );
}
