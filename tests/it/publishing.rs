//! From the agency's site to the followers' inboxes: publish, edit, withdraw.

use serde_json::{Value, json};

use crate::harness::{Peer, Setup, World, both, get, get_as, until};

/// The number of a post, which is the last part of its id.
fn number(object: &str) -> &str {
    object.rsplit('/').next().unwrap()
}

fn object_id(activity: &Value) -> String {
    activity["object"]["id"].as_str().unwrap().to_owned()
}

both! {
    async fn c33_what_a_site_publishes_edits_and_withdraws_reaches_the_follower(db: Database) {
        let setup = Setup::new().policy("retract_on_gone = true\ngone_after = \"1s\"");
        let world = World::with(db, setup).await;
        let create = world.published("dijk", "De dijk houdt stand").await.activity;
        let id = object_id(&create);
        let page = create["object"]["url"].as_str().unwrap().to_owned();
        let outbox = format!("{}/outbox", world.gateway.actor());
        assert_eq!(create["actor"], json!(world.gateway.actor()));
        assert_eq!(get(&id).await.json()["content"], create["object"]["content"]);
        assert_eq!(get(&outbox).await.json()["totalItems"], json!(1));

        world.site.edit("dijk", |article| article.title = "De dijk houdt toch stand".to_owned());
        let update = world.told("Update", &id, 1).await.activity;
        assert!(update["object"]["content"].as_str().unwrap().contains("toch stand"), "{update}");
        assert_eq!(get(&id).await.json()["content"], update["object"]["content"]);
        assert_eq!(get(&outbox).await.json()["totalItems"], json!(1));

        world.site.withdraw("dijk");
        let delete = world.told("Delete", &id, 1).await.activity;
        assert_eq!(delete["object"]["type"], json!("Tombstone"));
        assert_eq!((&delete["to"], &delete["cc"]), (&create["to"], &create["cc"]), "addressed as the original");
        let gone = get(&id).await;
        assert_eq!((gone.status, &gone.json()["type"], &gone.json()["id"]), (410, &json!("Tombstone"), &json!(id)));
        assert_eq!(get_as(&page, "text/html").await.status, 410);
        assert_eq!(get(create["id"].as_str().unwrap()).await.status, 410, "nor does the Create live on");
        assert_eq!(get(&outbox).await.json()["totalItems"], json!(0));
    }

    async fn c32_every_edit_has_the_same_id_the_whole_object_and_a_later_updated(db: Database) {
        let world = World::new(db).await;
        let create = world.published("dijk", "De dijk").await.activity;
        let id = object_id(&create);
        let mut before = create["object"]["published"].as_str().unwrap().to_owned();
        for n in 1..=3 {
            let title = format!("De dijk, versie {n}");
            world.site.edit("dijk", |article| article.title.clone_from(&title));
            let update = world.told("Update", &id, n).await.activity;
            let object = &update["object"];
            let updated = object["updated"].as_str().unwrap().to_owned();
            assert!(updated > before, "{updated} is not later, in whole seconds, than {before}");
            assert!(object["content"].as_str().unwrap().contains(&title), "{object}");
            assert_eq!(object["published"], create["object"]["published"]);
            for property in ["type", "attributedTo", "url", "to", "cc"] {
                assert_eq!(object[property], create["object"][property], "{property}");
            }
            before = updated;
        }
    }

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
