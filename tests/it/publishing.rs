//! From the agency's site to the follower's inbox: publish, edit, withdraw.

use serde_json::json;

use crate::harness::{World, both, get, get_as};

both! {
    async fn what_a_site_publishes_edits_and_withdraws_reaches_the_follower(db: Database) {
        let world = World::new(db).await;
        let create = world.published("dijk", "De dijk houdt stand").await.activity;
        let id = create["object"]["id"].as_str().unwrap().to_owned();
        assert_eq!(create["actor"], json!(world.gateway.actor()));
        assert_eq!(get(&id).await.json()["content"], create["object"]["content"]);
        let outbox = get(&format!("{}/outbox", world.gateway.actor())).await.json();
        assert_eq!(outbox["totalItems"], json!(1));

        world.site.edit("dijk", |article| article.title = "De dijk houdt toch stand".to_owned());
        let update = world.told("Update", &id, 1).await.activity;
        assert!(update["object"]["content"].as_str().unwrap().contains("toch stand"));
        assert_eq!(get(&id).await.json()["content"], update["object"]["content"]);
    }
}
