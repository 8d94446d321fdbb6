//! From the agency's site to the followers' inboxes: publish, edit, withdraw.

use serde_json::Value;

use crate::harness::{Peer, Setup, World, both, until};

/// The number of a post, which is the last part of its id.
fn number(object: &str) -> &str {
    object.rsplit('/').next().unwrap()
}

fn object_id(activity: &Value) -> String {
    activity["object"]["id"].as_str().unwrap().to_owned()
}

both! {
    async fn an_edit_and_a_withdrawal_also_reach_who_unfollowed_since(db: Database) {
        let world = World::new(db).await;
        let elsewhere = Peer::start();
        let former = elsewhere.account("vroeger");
        let follow = former.follows(&world.gateway).await;
        let id = object_id(&world.published("dijk", "De dijk").await.activity);
        elsewhere.takes_a("Create").await;
        former.says(&world.gateway, &former.activity("Undo", follow)).await;

        let second = object_id(&world.published("brug", "De brug").await.activity);
        world.site.edit("dijk", |article| article.title = "De dijk, beter".to_owned());
        world.told("Update", &id, 1).await;
        elsewhere.takes("the Update", |a| a.kind() == "Update" && a.activity["object"]["id"] == id).await;
        for post in [&id, &second] {
            world.gateway.cli(&["post", "withdraw", number(post)]).await.well();
            world.told("Delete", post, 1).await;
        }
        elsewhere.takes("the Delete", |a| a.kind() == "Delete" && a.activity["object"]["id"] == id).await;
        let told = elsewhere.arrivals();
        assert!(told.iter().all(|a| a.activity["object"]["id"] != second), "of the second post it knows nothing");
    }

    async fn what_is_withdrawn_here_does_not_come_back_while_its_site_still_lists_it(db: Database) {
        let world = World::new(db).await;
        let id = object_id(&world.published("dijk", "De dijk").await.activity);
        world.gateway.cli(&["post", "withdraw", number(&id)]).await.well();
        world.told("Delete", &id, 1).await;
        world.site.polled(2).await;
        assert_eq!(world.gateway.cli(&["post", "list", "--json"]).await.well().json().as_array().unwrap().len(), 1);
        assert_eq!(world.peer.count("Create"), 1);
        let again = world.gateway.cli(&["post", "withdraw", number(&id)]).await;
        assert_eq!(again.code, 1);
        assert!(again.stderr.contains("withdrawn already"), "{again:?}");
    }

    async fn edits_within_the_merging_window_are_put_together(db: Database) {
        let world = World::with(db, Setup::new().policy("updates_per_day_max = 50").merging("4s")).await;
        let id = object_id(&world.published("dijk", "De dijk 0").await.activity);
        world.site.edit("dijk", |article| article.title = "De dijk 1".to_owned());
        world.told("Update", &id, 1).await;
        world.site.edit("dijk", |article| article.title = "De dijk 2".to_owned());
        let waits = || world.db.number("SELECT COUNT(*) FROM post_changes") == 1;
        until("the second edit waits", waits).await;
        world.site.edit("dijk", |article| article.title = "De dijk 3".to_owned());
        let second = world.told("Update", &id, 2).await.activity;
        assert!(second["object"]["content"].as_str().unwrap().contains("De dijk 3"), "{second}");
    }
}
