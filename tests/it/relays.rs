//! Relays of both styles, as their own servers see the gateway (FEP-ae0c; `reference/federation.md` 3.4).

use serde_json::{Value, json};

use crate::harness::{Account, Arrival, Behaviour, PUBLIC, Peer, Setup, World, both, eventually, until};

/// A relay on a server of its own. Its actor is an account there.
struct Relay {
    peer: Peer,
    actor: Account,
}

impl Relay {
    fn start() -> Self {
        let peer = Peer::start();
        let actor = peer.lone_account("relay");
        actor.change(|document| document["type"] = json!("Application"));
        Self { peer, actor }
    }

    /// How one of Mastodon's style is named.
    fn inbox(&self) -> String {
        self.peer.url("/inbox")
    }

    /// Waits for the `n`-th Follow.
    async fn followed(&self, n: usize) -> Arrival {
        self.peer.takes_nth("Follow", n).await
    }

    async fn answers(&self, world: &World, kind: &str, follow: &Value) {
        let embedded =
            json!({ "id": follow["id"], "type": "Follow", "actor": follow["actor"], "object": follow["object"] });
        self.actor.says(&world.gateway, &self.actor.activity(kind, embedded)).await;
    }
}

async fn listed(world: &World) -> Vec<Value> {
    world.gateway.cli(&["relay", "list", "--json"]).await.well().json().as_array().unwrap().clone()
}

/// Waits until the only relay is in that state.
async fn becomes(world: &World, state: &str) -> Value {
    eventually(&format!("the relay is {state}"), || async {
        listed(world).await.into_iter().find(|relay| relay["state"] == state)
    })
    .await
}

async fn add(world: &World, url: &str) {
    world.gateway.cli(&["relay", "add", url, "--agency", "voorbeeldstad"]).await.well();
}

both! {
    async fn a_relay_of_mastodons_style_is_asked_and_then_sent_what_actors_say_until_it_is_left(db: Database) {
        let world = World::new(db).await;
        let relay = Relay::start();
        world.published("eerder", "Eerder bericht").await;
        add(&world, &relay.inbox()).await;
        let follow = relay.followed(1).await.activity;
        let instance = world.gateway.url("/ap/instance");
        assert_eq!((&follow["actor"], &follow["object"]), (&json!(instance), &json!(PUBLIC)));
        assert_eq!(follow["proof"]["verificationMethod"], format!("{instance}#ed25519"));
        becomes(&world, "asked").await;
        world.published("dijk", "De dijk").await;
        relay.answers(&world, "Accept", &follow).await;
        let shown = becomes(&world, "accepted").await;
        assert_eq!((&shown["agencies"], &shown["actor"]), (&json!(["voorbeeldstad"]), &json!(relay.actor.id)));

        let create = world.published("brug", "De brug").await.activity;
        let passed = relay.peer.takes_a("Create").await;
        assert_eq!(passed.activity, create, "what all are sent, signed by who says it");
        assert_eq!(passed.inbox, "/inbox");
        assert!(create["proof"].is_object(), "those that get it from the relay can check it");
        assert_eq!(relay.peer.count("Create"), 1, "nothing of before it accepted");
        world.site.edit("brug", |article| article.title = "De brug is open".to_owned());
        let object = create["object"]["id"].as_str().unwrap();
        relay.peer.takes("the edit", |a| a.kind() == "Update" && a.activity["object"]["id"] == object).await;
        world.gateway.cli(&["post", "withdraw", object.rsplit('/').next().unwrap()]).await.well();
        relay.peer.takes("the withdrawal", |a| a.kind() == "Delete" && a.activity["object"]["id"] == object).await;

        world.gateway.cli(&["relay", "remove", &relay.inbox(), "--agency", "voorbeeldstad"]).await.well();
        let undo = relay.peer.takes_a("Undo").await.activity;
        assert_eq!((&undo["object"]["id"], &undo["object"]["object"]), (&follow["id"], &json!(PUBLIC)));
        eventually("it is forgotten", || async { listed(&world).await.is_empty().then_some(()) }).await;
        world.published("sluis", "De sluis").await;
        assert_eq!(relay.peer.count("Create"), 1);
        for act in ["relay.join", "relay.accepted", "relay.part"] {
            assert_eq!(world.db.number(&format!("SELECT COUNT(*) FROM audit WHERE act = '{act}'")), 1, "{act}");
        }
    }

    async fn a_relay_of_litepubs_style_follows_back_and_is_told_of_posts_by_the_instance_actor(db: Database) {
        let world = World::new(db).await;
        let relay = Relay::start();
        add(&world, &relay.actor.id).await;
        let follow = relay.followed(1).await;
        let instance = world.gateway.url("/ap/instance");
        assert_eq!(follow.inbox, "/users/relay/inbox");
        assert_eq!((&follow.activity["object"], &follow.activity["to"]), (&json!(relay.actor.id), &json!([relay.actor.id])));
        assert_eq!(listed(&world).await[0]["style"], "litepub");
        relay.answers(&world, "Accept", &follow.activity).await;
        becomes(&world, "accepted").await;
        let back = relay.actor.activity("Follow", instance.as_str());
        relay.actor.says(&world.gateway, &back).await;
        let accept = relay.peer.takes_a("Accept").await.activity;
        assert_eq!((&accept["actor"], &accept["object"]["id"]), (&json!(instance), &back["id"]));

        let note = world.published("dijk", "De dijk").await.activity["object"]["id"].clone();
        let announce = relay.peer.takes_a("Announce").await.activity;
        assert_eq!((&announce["actor"], &announce["object"], &announce["cc"]), (&json!(instance), &note, &json!([PUBLIC])));
        let number = note.as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        world.gateway.cli(&["post", "withdraw", &number]).await.well();
        relay.peer.takes("the withdrawal", |a| a.kind() == "Delete" && a.activity["object"]["id"] == note).await;
        assert_eq!((relay.peer.count("Create"), relay.peer.count("Announce")), (0, 1));
        // The relay is away for a while: nothing that was published meanwhile is lost to it.
        relay.peer.behaves(Behaviour::Answer(503));
        let later = world.published("brug", "De brug").await.activity["object"]["id"].clone();
        until("it was tried", || world.db.number("SELECT failures FROM relays") > 0).await;
        relay.peer.behaves(Behaviour::Answer(202));
        world.db.execute("UPDATE relays SET due_at = 1");
        relay.peer.takes("the second one", |a| a.kind() == "Announce" && a.activity["object"] == later).await;
        until("nothing is owed", || world.db.number("SELECT COUNT(*) FROM relay_announcements") == 0).await;
        assert_eq!(becomes(&world, "accepted").await["reason"], json!(null));
    }

    async fn a_relay_that_refuses_is_shown_with_its_reason_and_asked_again_when_it_is_added_again(db: Database) {
        let world = World::new(db).await;
        let relay = Relay::start();
        add(&world, &relay.inbox()).await;
        let follow = relay.followed(1).await.activity;
        let embedded = json!({ "id": follow["id"], "type": "Follow", "actor": follow["actor"], "object": follow["object"] });
        let mut reject = relay.actor.activity("Reject", embedded);
        reject["summary"] = json!("alleen personen");
        relay.actor.says(&world.gateway, &reject).await;
        assert_eq!(becomes(&world, "refused").await["reason"], "alleen personen");
        let table = world.gateway.cli(&["relay", "list"]).await.well().stdout;
        assert!(table.contains("refused") && table.contains("alleen personen"), "{table}");
        world.published("dijk", "De dijk").await;
        assert_eq!(relay.peer.count("Create"), 0);
        add(&world, &relay.inbox()).await;
        let again = relay.followed(2).await.activity;
        assert_ne!(again["id"], follow["id"]);
        relay.answers(&world, "Accept", &again).await;
        becomes(&world, "accepted").await;
        // It can change its mind, too.
        relay.answers(&world, "Reject", &again).await;
        becomes(&world, "refused").await;
    }

    async fn nobody_answers_for_a_relay_but_itself(db: Database) {
        let world = World::new(db).await;
        let relay = Relay::start();
        add(&world, &relay.inbox()).await;
        let follow = relay.followed(1).await.activity;
        becomes(&world, "asked").await;
        let embedded = json!({ "id": follow["id"], "type": "Follow", "actor": follow["actor"], "object": follow["object"] });
        world.citizen.says(&world.gateway, &world.citizen.activity("Accept", embedded.clone())).await;
        let wrong = json!({ "id": world.gateway.url("/ap/instance/follows/7"), "type": "Follow" });
        relay.actor.says(&world.gateway, &relay.actor.activity("Accept", wrong)).await;
        assert_eq!(listed(&world).await[0]["state"], "asked");
        relay.answers(&world, "Accept", &follow).await;
        becomes(&world, "accepted").await;
        let neighbour = relay.peer.account("buur");
        neighbour.says(&world.gateway, &neighbour.activity("Reject", embedded)).await;
        assert_eq!(listed(&world).await[0]["state"], "accepted", "another actor of its server is not the relay");
        let stranger = world.citizen.activity("Follow", world.gateway.url("/ap/instance"));
        world.citizen.says(&world.gateway, &stranger).await;
        assert_eq!(world.db.number("SELECT COUNT(*) FROM relays WHERE follow_back IS NOT NULL"), 0);
    }

    async fn a_relay_that_does_not_take_the_question_is_shown_so(db: Database) {
        let world = World::new(db).await;
        let closed = Relay::start();
        closed.peer.behaves(Behaviour::Answer(403));
        add(&world, &closed.inbox()).await;
        let refused = becomes(&world, "refused").await;
        assert!(refused["reason"].as_str().unwrap().contains("403"), "{refused}");
        world.gateway.cli(&["relay", "remove", &closed.inbox(), "--agency", "voorbeeldstad"]).await.well();
        eventually("it is forgotten", || async { listed(&world).await.is_empty().then_some(()) }).await;

        let down = Relay::start();
        down.peer.first([Behaviour::Answer(503)]);
        add(&world, &down.inbox()).await;
        let waits = || async { listed(&world).await.into_iter().find(|relay| relay["reason"].is_string()) };
        let waiting = eventually("it failed once", waits).await;
        assert_eq!(waiting["state"], "asking");
        world.db.execute("UPDATE relays SET due_at = 1");
        // The first one was answered 503, so this is the first that was taken.
        let follow = down.followed(1).await.activity;
        down.answers(&world, "Accept", &follow).await;
        becomes(&world, "accepted").await;
    }

    async fn what_a_relay_passes_on_of_others_is_neither_believed_nor_refused(db: Database) {
        let world = World::new(db).await;
        let relay = Relay::start();
        add(&world, &relay.inbox()).await;
        let writer = world.peer.account("schrijver");
        let foreign = writer.create(&writer.reply(&world.gateway.actor(), &world.gateway.actor(), "<p>Hallo</p>"));
        let pass_on = || async { relay.actor.letter(&world.gateway.url("/ap/inbox"), &foreign).send().await.status };
        assert_eq!(pass_on().await, 401, "it is no relay of ours yet");
        let follow = relay.followed(1).await.activity;
        relay.answers(&world, "Accept", &follow).await;
        becomes(&world, "accepted").await;
        assert_eq!(pass_on().await, 202, "or it would give us up");
        assert_eq!(world.db.number("SELECT COUNT(*) FROM messages"), 0);
    }

    async fn a_relay_of_the_configuration_is_asked_at_start_and_changed_only_there(db: Database) {
        let relay = Relay::start();
        let table = format!("[[relay]]\nurl = \"{}\"\nagencies = [\"voorbeeldstad\"]", relay.inbox());
        let mut world = World::with(db, Setup::new().further(&table)).await;
        let follow = relay.followed(1).await.activity;
        relay.answers(&world, "Accept", &follow).await;
        becomes(&world, "accepted").await;
        let refused = world.gateway.cli(&["relay", "remove", &relay.inbox(), "--agency", "voorbeeldstad"]).await;
        assert_eq!(refused.code, 1);
        assert!(refused.stderr.contains("configuration file"), "{}", refused.stderr);
        world.gateway.stop().await;
        world.gateway.restart().await;
        becomes(&world, "accepted").await;
        assert_eq!(relay.peer.count("Follow"), 1, "it is not asked again at each start");
        let unknown = world.gateway.cli(&["relay", "add", &relay.inbox(), "--agency", "onbekend"]).await;
        assert!(unknown.code == 1 && unknown.stderr.contains("heraut agency list"), "{}", unknown.stderr);
        let style = world.gateway.cli(&["relay", "add", &relay.inbox(), "--agency", "voorbeeldstad", "--style", "litepub"]).await;
        assert!(style.code == 1 && style.stderr.contains("style mastodon"), "{}", style.stderr);
    }
}
