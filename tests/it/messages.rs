//! What citizens answer: replies, direct messages, likes, boosts, quotes.

use serde_json::{Value, json};

use crate::harness::{Gateway, World, both};

pub async fn messages(gateway: &Gateway) -> Vec<Value> {
    gateway.cli(&["message", "list", "--json"]).await.well().json().as_array().unwrap().clone()
}

pub async fn reactions(gateway: &Gateway, object: &str) -> Value {
    let number = object.rsplit('/').next().unwrap();
    gateway.cli(&["post", "show", number, "--json"]).await.well().json()["reactions"].clone()
}

pub async fn post(world: &World) -> String {
    world.published("dijk", "De dijk").await.activity["object"]["id"].as_str().unwrap().to_owned()
}

both! {
    async fn a_message_follows_what_its_author_does_to_it(db: Database) {
        let world = World::new(db).await;
        let id = post(&world).await;
        let mut note = world.citizen.reply(&id, &world.gateway.actor(), "<p>Eerst</p>");
        world.citizen.says(&world.gateway, &world.citizen.create(&note)).await;
        note["content"] = json!("<p>Later</p>");
        note["updated"] = json!("2026-11-22T12:00:00Z");
        let stranger = world.peer.account("vreemde");
        let mut forged = stranger.activity("Update", note.clone());
        forged["object"]["attributedTo"] = json!(stranger.id);
        forged["object"]["content"] = json!("<p>Vervalst</p>");
        stranger.send(&world.gateway, &forged).await;
        assert!(messages(&world.gateway).await[0]["html"].as_str().unwrap().contains("Eerst"));
        world.citizen.says(&world.gateway, &world.citizen.activity("Update", note.clone())).await;
        assert!(messages(&world.gateway).await[0]["html"].as_str().unwrap().contains("Later"));

        stranger.send(&world.gateway, &stranger.activity("Delete", note["id"].clone())).await;
        assert!(messages(&world.gateway).await[0]["html"].as_str().unwrap().contains("Later"), "only its author deletes");
        let delete = world.citizen.activity("Delete", json!({ "id": note["id"], "type": "Tombstone" }));
        world.citizen.says(&world.gateway, &delete).await;
        let left = world.gateway.cli(&["message", "list", "--json"]).await.well().stdout;
        assert!(!left.contains("Later"), "{left}");
        world.citizen.says(&world.gateway, &world.citizen.create(&note)).await;
        let left = world.gateway.cli(&["message", "list", "--json"]).await.well().stdout;
        assert!(!left.contains("Later"), "a Create that its Delete overtook is ignored: {left}");
    }

    async fn an_undone_like_that_counted_once_leaves_the_emoji_alone(db: Database) {
        let world = World::new(db).await;
        let id = post(&world).await;
        let likes = [world.citizen.activity("Like", id.clone()), world.citizen.activity("Like", id.clone())];
        let mut emoji = world.citizen.activity("EmojiReact", id.clone());
        emoji["content"] = json!("🎉");
        for activity in [&likes[0], &likes[1], &emoji] {
            world.citizen.says(&world.gateway, activity).await;
        }
        for like in likes {
            world.citizen.says(&world.gateway, &world.citizen.activity("Undo", like)).await;
        }
        assert_eq!(reactions(&world.gateway, &id).await, json!({ "emoji": 1 }));
    }
}
