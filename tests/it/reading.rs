//! Readers get what is true now, although answers are kept in memory.

use std::time::Instant;

use heraut::web::kept::KEPT_FOR;

use crate::harness::{Article, Database, Kind, Launch, Setup, World, both, eventually, get, get_as, run};

const HTML: &str = "text/html";

both! {
    async fn a_post_that_an_operator_withdraws_is_gone_from_every_page(db: Database) {
        let world = World::new(db).await;
        let object = world.published("dijk", "De dijk houdt").await.activity["object"]["id"].as_str().unwrap().to_owned();
        let page = world.gateway.url("/@nieuws");
        let outbox = format!("{}/outbox?page=first", world.gateway.actor());
        for _ in 0..3 {
            assert_eq!(get(&object).await.status, 200);
            assert!(get_as(&page, HTML).await.text().contains("De dijk houdt"));
            assert!(get(&outbox).await.text().contains("De dijk houdt"));
        }
        let number = object.rsplit('/').next().unwrap();
        world.gateway.cli(&["post", "withdraw", number]).await.well();
        world.told("Delete", &object, 1).await;
        // Whoever was told can see it.
        assert_eq!(get(&object).await.status, 410);
        assert!(!get_as(&page, HTML).await.text().contains("De dijk houdt"));
        assert!(!get(&outbox).await.text().contains("De dijk houdt"));
    }

    async fn an_edit_is_what_readers_get_once_followers_were_told(db: Database) {
        let world = World::new(db).await;
        let object = world.published("dijk", "De dijk houdt").await.activity["object"]["id"].as_str().unwrap().to_owned();
        let before = get(&object).await;
        world.site.edit("dijk", |article: &mut Article| article.title = "De dijk is versterkt".to_owned());
        world.told("Update", &object, 1).await;
        let after = get(&object).await;
        assert!(after.text().contains("De dijk is versterkt"), "{}", after.text());
        assert_ne!(before.header("etag"), after.header("etag"));
    }

    async fn what_is_changed_beside_the_process_shows_soon(db: Database) {
        let world = World::with(db, Setup::new().policy("flood_fuse = 100")).await;
        is_gone_before_answers_expire(&world).await;
    }
}

/// Publishes a post, and withdraws it beside the process that is read from.
async fn is_gone_before_answers_expire(world: &World) {
    // On a machine so busy that the answer grows too old to be given again meanwhile, once more.
    for n in 0..3 {
        let create = world.published(&format!("dijk{n}"), &format!("Dijk {n} houdt")).await;
        let object = create.activity["object"]["id"].as_str().unwrap().to_owned();
        let kept_at = Instant::now();
        assert_eq!(get(&object).await.status, 200);
        let number = object.rsplit('/').next().unwrap();
        let withdraw = "UPDATE posts SET state = 'withdrawn', withdrawn_at = published_at WHERE id = ";
        world.db.execute(&format!("{withdraw}{number}"));
        eventually("it is gone", || async { (get(&object).await.status == 410).then_some(()) }).await;
        if kept_at.elapsed() < KEPT_FOR {
            return;
        }
    }
    panic!("it is gone only when answers grow too old");
}

/// The process that is read from writes nothing itself, which would make it look at once.
async fn one_that_only_answers(db: Database) {
    let world = World::of_web_alone(db, Setup::new().policy("flood_fuse = 100")).await;
    let _others = world.gateway.beside("others", &Launch::new().roles("ingest,deliver"));
    world.gateway.settled(&world.db, true).await;
    world.citizen.follows(&world.gateway).await;
    is_gone_before_answers_expire(&world).await;
}

#[test]
fn what_other_processes_withdraw_is_gone_soon_from_one_that_only_answers() {
    run(one_that_only_answers, Kind::Postgres);
}
