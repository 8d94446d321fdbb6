//! Follow, Undo, Block and Move: who gets what we say.

use serde_json::{Value, json};

use crate::harness::{Account, Gateway, Peer, World, both, eventually, get, until};

pub async fn followers(gateway: &Gateway) -> i64 {
    get(&format!("{}/followers", gateway.actor())).await.json()["totalItems"].as_i64().unwrap()
}

async fn has_followers(gateway: &Gateway, n: i64) {
    eventually(&format!("there are {n} followers"), || async { (followers(gateway).await == n).then_some(()) }).await;
}

/// The Accept that answers a Follow, the `n`-th.
pub async fn accept(account: &Account, follow: &Value, n: usize) -> Value {
    // A context of others is not repeated.
    let mut bare = follow.clone();
    bare.as_object_mut().unwrap().remove("@context");
    let accepts = || account.peer.taken().into_iter().filter(|a| a.kind() == "Accept" && a.activity["object"] == bare);
    until(&format!("Accept {n}"), || accepts().count() >= n).await;
    let accept = accepts().nth(n - 1).unwrap();
    assert_eq!(accept.verified, Ok(()));
    assert_eq!(accept.inbox, format!("{}/inbox", account.id.strip_prefix(&account.peer.url("")).unwrap()));
    accept.activity
}

both! {
    async fn an_undone_follow_ends_it_in_every_form_that_peers_send(db: Database) {
        let world = World::new(db).await;
        let elsewhere = Peer::start();
        let inbox = format!("{}/inbox", world.gateway.actor());
        for form in ["embedded", "id alone", "without its id"] {
            let former = elsewhere.account("vroeger");
            let mut follow = former.follows(&world.gateway).await;
            has_followers(&world.gateway, 2).await;
            let undone = match form {
                "id alone" => follow["id"].clone(),
                "without its id" => {
                    follow.as_object_mut().unwrap().remove("id");
                    follow
                }
                _ => follow,
            };
            let undo = former.activity("Undo", undone);
            assert_eq!(former.letter(&inbox, &undo).send().await.status, 202, "{form}");
            has_followers(&world.gateway, 1).await;
        }
        world.published("dijk", "De dijk").await;
        assert_eq!(elsewhere.count("Create"), 0);
    }

    async fn nobody_undoes_the_follow_of_another(db: Database) {
        let world = World::new(db).await;
        let stranger = world.peer.account("vreemde");
        let mut follow = world.citizen.activity("Follow", world.gateway.actor());
        follow["actor"] = json!(world.citizen.id);
        let reply = stranger.send(&world.gateway, &stranger.activity("Undo", follow)).await;
        assert!([401, 403].contains(&reply.status), "{}", reply.status);
        assert_eq!(followers(&world.gateway).await, 1);
    }

    async fn who_blocks_the_agency_gets_nothing_more(db: Database) {
        let world = World::new(db).await;
        let elsewhere = Peer::start();
        let blocker = elsewhere.account("boos");
        blocker.follows(&world.gateway).await;
        blocker.says(&world.gateway, &blocker.activity("Block", world.gateway.actor())).await;
        has_followers(&world.gateway, 1).await;
        world.published("dijk", "De dijk").await;
        assert_eq!(elsewhere.count("Create"), 0);
    }

    /// Its server has its followers follow the new account; whom it follows itself it must say anew. To send to who never asked
    /// would be spam, and its server would drop it.
    async fn a_follower_that_moves_is_followed_by_nothing_until_its_new_account_follows(db: Database) {
        let world = World::new(db).await;
        let elsewhere = Peer::start();
        let new = elsewhere.account("nieuw");
        new.change(|document| document["alsoKnownAs"] = json!([world.citizen.id]));
        let mut moved = world.citizen.activity("Move", world.citizen.id.clone());
        moved["target"] = json!(new.id);
        world.citizen.says(&world.gateway, &moved).await;
        world.published("dijk", "De dijk").await;
        assert_eq!((elsewhere.count("Create"), followers(&world.gateway).await), (0, 1));
        new.follows(&world.gateway).await;
        world.citizen.says(&world.gateway, &world.citizen.activity("Undo", world.citizen.activity("Follow", world.gateway.actor()))).await;
        has_followers(&world.gateway, 1).await;
        world.site.publish("brug", "De brug", "<p>Tekst.</p>");
        elsewhere.takes_a("Create").await;
        assert_eq!(world.peer.count("Create"), 1, "and nothing more goes to the old one");
    }

    async fn an_account_that_is_deleted_leaves_no_trace(db: Database) {
        let world = World::new(db).await;
        let elsewhere = Peer::start();
        let leaving = elsewhere.account("weg");
        leaving.follows(&world.gateway).await;
        let id = world.published("dijk", "De dijk").await.activity["object"]["id"].clone();
        leaving.says(&world.gateway, &leaving.activity("Like", id)).await;
        let note = leaving.note("<p>Groeten</p>");
        let mut note = note;
        note["cc"] = json!([world.gateway.actor()]);
        leaving.says(&world.gateway, &leaving.create(&note)).await;
        leaving.says(&world.gateway, &leaving.activity("Delete", leaving.id.clone())).await;
        has_followers(&world.gateway, 1).await;
        assert_eq!(world.db.number("SELECT COUNT(*) FROM reactions"), 0);
        let left = world.gateway.cli(&["message", "list", "--json"]).await.well().stdout;
        assert!(!left.contains("Groeten"), "{left}");
    }
}
