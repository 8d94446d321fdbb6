//! What citizens answer: replies, direct messages, likes, boosts, quotes. Items 35 to 37 of the checklist.

use serde_json::{Value, json};

use crate::harness::{Gateway, PUBLIC, World, both, eventually, get, get_as};

async fn messages(gateway: &Gateway) -> Vec<Value> {
    gateway.cli(&["message", "list", "--json"]).await.well().json().as_array().unwrap().clone()
}

async fn reactions(gateway: &Gateway, object: &str) -> Value {
    let number = object.rsplit('/').next().unwrap();
    gateway.cli(&["post", "show", number, "--json"]).await.well().json()["reactions"].clone()
}

async fn post(world: &World) -> String {
    world.published("dijk", "De dijk").await.activity["object"]["id"].as_str().unwrap().to_owned()
}

both! {
    async fn c36_a_reply_is_kept_as_a_message_with_its_author_and_its_text_sanitised(db: Database) {
        let world = World::new(db).await;
        let id = post(&world).await;
        let text = "<p>Hoe <b>hoog</b>?<script>alert(1)</script><img src=x onerror=alert(1)></p>";
        let mut note = world.citizen.reply(&id, &world.gateway.actor(), text);
        note["contentMap"] = json!({ "nl": text });
        world.citizen.says(&world.gateway, &world.citizen.create(&note)).await;
        let kept = messages(&world.gateway).await;
        assert_eq!(kept.len(), 1);
        let message = &kept[0];
        assert_eq!(message["author_url"], json!(world.citizen.id));
        assert_eq!(message["author_handle"], json!(format!("@burger@{}", world.peer.authority())));
        assert_eq!((&message["visibility"], &message["in_reply_to"]), (&json!("public"), &json!(id)));
        assert_eq!((&message["language"], &message["url"]), (&json!("nl"), &note["id"]));
        assert_eq!(message["post_id"].as_str().unwrap(), id.rsplit('/').next().unwrap());
        let html = message["html"].as_str().unwrap();
        assert!(html.contains("hoog") && !html.contains("script") && !html.contains("onerror"), "{html}");

        world.citizen.says(&world.gateway, &world.citizen.create(&note)).await;
        let mut mention = world.citizen.note("<p>Hallo @nieuws</p>");
        mention["tag"] = json!([{ "type": "Mention", "href": world.gateway.actor(), "name": "@nieuws" }]);
        world.citizen.says(&world.gateway, &world.citizen.create(&mention)).await;
        assert_eq!(messages(&world.gateway).await.len(), 2, "a repeated one counts once, a mention is one too");
        let other = world.citizen.note("<p>Iets heel anders</p>");
        world.citizen.says(&world.gateway, &world.citizen.create(&other)).await;
        assert_eq!(messages(&world.gateway).await.len(), 2, "what is not about us is not kept");
    }

    async fn c37_what_is_not_public_is_kept_for_webcare_and_shown_to_nobody(db: Database) {
        let world = World::new(db).await;
        let id = post(&world).await;
        let secret = "mijn BSN is 123456782";
        let actor = world.gateway.actor();
        for (to, visibility) in [(actor.clone(), "direct"), (format!("{}/followers", world.citizen.id), "followers")] {
            let mut note = world.citizen.reply(&id, &actor, &format!("<p>{secret}</p>"));
            note["to"] = json!([to]);
            world.citizen.says(&world.gateway, &world.citizen.create(&note)).await;
            let kept = messages(&world.gateway).await;
            assert!(kept.iter().any(|m| m["visibility"] == visibility && m["url"] == note["id"]), "{visibility}: {kept:?}");
        }
        let page = get(&id).await.json()["url"].as_str().unwrap().to_owned();
        for url in [&page, &world.gateway.url("/@nieuws"), &world.gateway.url("/")] {
            assert!(!get_as(url, "text/html").await.text().contains("123456782"), "{url}");
        }
        let outbox = format!("{actor}/outbox?page=first");
        for url in [&id, &format!("{id}/replies"), &outbox, &actor] {
            assert!(!get(url).await.text().contains("123456782"), "{url}");
        }
        world.published("brug", "De brug").await;
        assert!(world.peer.arrivals().iter().all(|a| !a.activity.to_string().contains("123456782")));
        assert!(!world.gateway.log().contains("123456782"), "nor does it stand in the log");
    }

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

    async fn c36_likes_boosts_and_emoji_are_counted_once_and_taken_back(db: Database) {
        let world = World::new(db).await;
        let id = post(&world).await;
        let second = world.peer.account("ander");
        let like = world.citizen.activity("Like", id.clone());
        let mut misskey = second.activity("Like", id.clone());
        misskey["content"] = json!(":party:");
        misskey["_misskey_reaction"] = json!(":party:");
        let mut emoji = world.citizen.activity("EmojiReact", id.clone());
        emoji["content"] = json!("🎉");
        let boost = second.activity("Announce", id.clone());
        for (account, activity) in
            [(&world.citizen, &like), (&second, &misskey), (&world.citizen, &emoji), (&second, &boost), (&second, &boost)]
        {
            account.says(&world.gateway, activity).await;
        }
        let counted = reactions(&world.gateway, &id).await;
        assert_eq!(counted, json!({ "boost": 1, "emoji": 2, "like": 1 }));

        second.says(&world.gateway, &second.activity("Undo", boost)).await;
        world.citizen.says(&world.gateway, &world.citizen.activity("Undo", like["id"].clone())).await;
        second.says(&world.gateway, &second.activity("Undo", misskey)).await;
        let counted = reactions(&world.gateway, &id).await;
        assert_eq!(counted, json!({ "emoji": 1 }));
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

    async fn c35_a_quote_is_authorised_and_the_authorisation_can_be_read(db: Database) {
        let world = World::new(db).await;
        let id = post(&world).await;
        let quoting = world.citizen.fresh("notes");
        let mut request = world.citizen.activity("QuoteRequest", id.clone());
        request["instrument"] = json!(quoting);
        world.citizen.says(&world.gateway, &request).await;
        let answered = |a: &crate::harness::Arrival| a.kind() == "Accept" && a.activity["object"]["id"] == request["id"];
        let accept = world.peer.takes("the Accept of the quote", answered).await.activity;
        let result = accept["result"].as_str().unwrap();
        assert!(result.starts_with(&world.gateway.url("/")), "on the host of the author: {result}");
        let authorization = get(result).await;
        assert_eq!(authorization.status, 200);
        let authorization = authorization.json();
        assert_eq!(authorization["type"], json!("QuoteAuthorization"));
        assert_eq!(authorization["id"], json!(result));
        assert_eq!(authorization["attributedTo"], json!(world.gateway.actor()));
        assert_eq!(authorization["interactingObject"], json!(quoting));
        assert_eq!(authorization["interactionTarget"], json!(id));

        world.gateway.cli(&["post", "withdraw", id.rsplit('/').next().unwrap()]).await.well();
        world.told("Delete", &id, 1).await;
        let gone = get(result).await.status;
        assert!([404, 410].contains(&gone), "the authorisation of a withdrawn post answers {gone}");
        let mut late = world.citizen.activity("QuoteRequest", id.clone());
        late["instrument"] = json!(world.citizen.fresh("notes"));
        world.citizen.says(&world.gateway, &late).await;
        let rejected = |a: &crate::harness::Arrival| a.kind() == "Reject" && a.activity["object"]["id"] == late["id"];
        world.peer.takes("the Reject of the late quote", rejected).await;
    }

    /// An embedded object of another host is not believed but fetched from there (FEP-fe34).
    async fn c39_what_an_activity_embeds_of_another_host_is_read_there(db: Database) {
        let world = World::new(db).await;
        let id = post(&world).await;
        let victim_server = crate::harness::Peer::start();
        let victim = victim_server.account("slachtoffer");
        let real = victim.reply(&id, &world.gateway.actor(), "<p>Echt gezegd</p>");
        let path = real["id"].as_str().unwrap().strip_prefix(&victim_server.url("")).unwrap();
        victim_server.put(path, real.clone());
        let mut forged = real.clone();
        forged["content"] = json!("<p>Nooit gezegd</p>");
        let mut create = world.citizen.activity("Create", forged);
        create["to"] = json!([PUBLIC]);
        create["cc"] = json!([world.gateway.actor()]);
        world.citizen.says(&world.gateway, &create).await;
        let kept = eventually("the real text is kept", || async { messages(&world.gateway).await.pop() }).await;
        assert!(kept["html"].as_str().unwrap().contains("Echt gezegd"), "{kept}");
        assert_eq!(kept["author_url"], json!(victim.id));
    }
}
