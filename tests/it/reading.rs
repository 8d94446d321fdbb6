//! Readers get what is true now, although answers are kept in memory.

use crate::harness::{Article, World, both, eventually, get, get_as};

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
        let world = World::new(db).await;
        let object = world.published("dijk", "De dijk houdt").await.activity["object"]["id"].as_str().unwrap().to_owned();
        assert_eq!(get(&object).await.status, 200);
        world.db.execute("UPDATE posts SET state = 'withdrawn', withdrawn_at = published_at");
        eventually("it is gone", || async { (get(&object).await.status == 410).then_some(()) }).await;
    }
}
