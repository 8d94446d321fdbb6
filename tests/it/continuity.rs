//! What becomes of an actor: renamed, moved, paused, hidden, gone. Its id, its followers and its posts stay what they are.

use serde_json::{Value, json};

use crate::harness::{Account, Arrival, Gateway, Peer, Setup, World, both, eventually, get, get_as, request};

const BROWSER: &str = "text/html,application/xhtml+xml";

/// Changes the configuration and starts the gateway anew.
async fn reconfigured(gateway: &mut Gateway, changes: &[(&str, &str)]) {
    let path = gateway.folder().join("config.toml");
    let mut text = std::fs::read_to_string(&path).unwrap();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    std::fs::write(path, text).unwrap();
    gateway.stop().await;
    gateway.restart().await;
}

async fn finger(gateway: &Gateway, account: &str) -> (u16, Value) {
    let reply = get(&gateway.url(&format!("/.well-known/webfinger?resource=acct:{account}"))).await;
    (reply.status, serde_json::from_slice(&reply.body).unwrap_or_default())
}

fn posted(world: &World, title: &str) -> usize {
    world.peer.number(|a| a.kind() == "Create" && crate::harness::says(a, title))
}

/// The `n`-th Update of the actor.
async fn told_of_itself(world: &World, n: usize) -> Arrival {
    world.told("Update", &world.gateway.actor(), n).await
}

async fn state(gateway: &Gateway) -> Value {
    gateway.cli(&["actor", "show", "nieuws", "--json"]).await.well().json()
}

/// Follows, and gives what is answered.
async fn answer_to_follow(account: &Account, gateway: &Gateway) -> String {
    account.says(gateway, &account.activity("Follow", gateway.actor())).await;
    let answers = || account.peer.taken().into_iter().find(|a| matches!(a.kind(), "Accept" | "Reject"));
    let found = eventually("the Follow is answered", || std::future::ready(answers())).await;
    assert_eq!(found.verified, Ok(()));
    found.kind().to_owned()
}

both! {
    async fn a_renamed_actor_keeps_its_id_its_followers_and_its_posts_and_the_old_handle_leads_to_it(db: Database) {
        let mut world = World::new(db).await;
        let id = world.gateway.actor();
        let create = world.published("dijk", "De dijk").await.activity;
        let refused = world.gateway.cli(&["actor", "rename", "nieuws", "berichten"]).await;
        assert_eq!(refused.code, 1);
        assert!(refused.stderr.contains("formerly = [\"nieuws\"]"), "{}", refused.stderr);

        let changes = [("handle = \"nieuws\"", "handle = \"berichten\"\nformerly = [\"nieuws\"]"), ("actor = \"nieuws\"", "actor = \"berichten\"")];
        reconfigured(&mut world.gateway, &changes).await;
        let update = told_of_itself(&world, 1).await.activity;
        assert_eq!(update["object"]["preferredUsername"], json!("berichten"));
        let document = get(&id).await.json();
        assert_eq!((&document["id"], &document["preferredUsername"]), (&json!(id), &json!("berichten")));
        let authority = world.gateway.authority();
        for name in ["berichten", "nieuws"] {
            let (status, found) = finger(&world.gateway, &format!("{name}@{authority}")).await;
            assert_eq!((status, &found["subject"]), (200, &json!(format!("acct:berichten@{authority}"))), "{name}");
            assert!(found["links"].as_array().unwrap().iter().any(|l| l["rel"] == "self" && l["href"] == json!(id)));
        }
        let page = get_as(&world.gateway.url("/@nieuws"), BROWSER).await;
        assert_eq!((page.status, page.header("location")), (308, world.gateway.url("/@berichten").as_str()));
        let old = create["object"]["url"].as_str().unwrap();
        let moved = get_as(old, BROWSER).await;
        assert_eq!((moved.status, moved.header("location")), (308, old.replace("/@nieuws/", "/@berichten/").as_str()));

        world.published("brug", "De brug").await;
        let taken = world.gateway.cli(&["actor", "add", "nieuws", "--agency", "voorbeeldstad"]).await;
        assert_eq!(taken.code, 1);
        assert!(taken.stderr.contains("was that of @berichten@"), "{}", taken.stderr);
    }

    async fn an_actor_of_the_command_line_is_renamed_there_and_can_have_its_handle_back(db: Database) {
        let world = World::unfollowed(db, Setup::new()).await;
        let cli = async |arguments: &[&str]| world.gateway.cli(arguments).await;
        cli(&["actor", "add", "pers", "--agency", "voorbeeldstad"]).await.well();
        let taken = cli(&["actor", "rename", "pers", "nieuws"]).await;
        assert!(taken.code == 1 && taken.stderr.contains("is that of @nieuws@"), "{}", taken.stderr);
        let renamed = cli(&["actor", "rename", "pers", "persdienst"]).await.well();
        assert!(renamed.stdout.contains("@persdienst@"), "{}", renamed.stdout);
        let unknown = cli(&["actor", "show", "pers"]).await;
        assert!(unknown.code == 1 && unknown.stderr.contains("it is @persdienst@"), "{}", unknown.stderr);
        cli(&["actor", "rename", "persdienst", "pers"]).await.well();
        let shown = cli(&["actor", "show", "pers", "--json"]).await.well().json();
        let authority = world.gateway.authority();
        assert_eq!(shown["former_handles"], json!([format!("@persdienst@{authority}")]));
    }

    async fn a_read_only_actor_publishes_nothing_new_and_takes_back_what_it_said(db: Database) {
        let world = World::with(db, Setup::new().policy("retract_on_gone = true\ngone_after = \"1s\"")).await;
        let old = world.published("dijk", "De dijk").await.activity["object"]["id"].clone();
        let gone = world.published("sluis", "De sluis").await.activity["object"]["id"].clone();
        world.gateway.cli(&["actor", "read-only", "nieuws"]).await.well();
        told_of_itself(&world, 1).await;
        world.site.publish("brug", "De brug", "<p>Over brug.</p>");
        eventually("the post is held", || async {
            let held = world.gateway.cli(&["post", "list", "--held", "--json"]).await.well().json();
            (held.as_array().unwrap().len() == 1).then_some(())
        })
        .await;
        let post = old.as_str().unwrap().rsplit('/').next().unwrap().to_owned();
        world.gateway.cli(&["post", "withdraw", &post]).await.well();
        world.told("Delete", old.as_str().unwrap(), 1).await;
        world.site.withdraw("sluis");
        world.told("Delete", gone.as_str().unwrap(), 1).await;
        let pinned = world.gateway.cli(&["post", "pin", &post]).await;
        assert_eq!(pinned.code, 1, "{}", pinned.stdout);
        assert_eq!(posted(&world, "De brug"), 0);
        assert_eq!(get(&world.gateway.actor()).await.json().get("suspended"), None);
        world.gateway.cli(&["actor", "resume", "nieuws"]).await.well();
        world.created("De brug").await;
        let audit = world.gateway.cli(&["audit", "--json"]).await.well().stdout;
        assert!(audit.contains("actor.read-only") && audit.contains("actor.resume"), "{audit}");
    }

    async fn a_suspended_actor_is_hidden_here_and_elsewhere_until_it_goes_on(db: Database) {
        let world = World::new(db).await;
        let create = world.published("dijk", "De dijk").await.activity;
        let (id, note) = (world.gateway.actor(), create["object"]["id"].as_str().unwrap().to_owned());
        world.gateway.cli(&["actor", "suspend", "nieuws"]).await.well();
        assert_eq!(told_of_itself(&world, 1).await.activity["object"]["suspended"], json!(true));
        let document = get(&id).await;
        assert_eq!((document.status, &document.json()["suspended"]), (200, &json!(true)), "peers read there that it is");
        for (url, accept) in [
            (world.gateway.url("/@nieuws"), BROWSER),
            (create["object"]["url"].as_str().unwrap().to_owned(), BROWSER),
            (note.clone(), crate::harness::ACTIVITY),
            (format!("{id}/outbox"), crate::harness::ACTIVITY),
            (format!("{id}/followers"), crate::harness::ACTIVITY),
            (create["id"].as_str().unwrap().to_owned(), crate::harness::ACTIVITY),
        ] {
            assert_eq!(get_as(&url, accept).await.status, 403, "{url}");
        }
        assert_eq!(finger(&world.gateway, &format!("nieuws@{}", world.gateway.authority())).await.0, 200);
        let elsewhere = Peer::start();
        let late = elsewhere.account("laat");
        assert_eq!(answer_to_follow(&late, &world.gateway).await, "Reject");
        world.citizen.says(&world.gateway, &world.citizen.activity("Like", note.clone())).await;
        assert_eq!(world.db.number("SELECT COUNT(*) FROM reactions"), 0, "it takes nothing in");
        world.site.publish("brug", "De brug", "<p>Over brug.</p>");

        world.gateway.cli(&["actor", "resume", "nieuws"]).await.well();
        assert_eq!(told_of_itself(&world, 2).await.activity["object"].get("suspended"), None);
        assert_eq!(get(&note).await.status, 200);
        world.created("De brug").await;
    }

    async fn a_retired_actor_is_deleted_everywhere_it_was_ever_seen_whatever_became_of_its_proof(db: Database) {
        let mut world = World::new(db).await;
        let elsewhere = Peer::start();
        let former = elsewhere.account("vroeger");
        let follow = former.follows(&world.gateway).await;
        let create = world.published("dijk", "De dijk").await.activity;
        elsewhere.takes_a("Create").await;
        former.says(&world.gateway, &former.activity("Undo", follow)).await;
        let id = world.gateway.actor();
        let full = format!("@nieuws@{}", world.gateway.authority());

        let asked = world.gateway.cli(&["actor", "retire", "nieuws"]).await;
        assert_eq!(asked.code, 1);
        assert!(asked.stderr.contains(&format!("--confirm {full}")), "{}", asked.stderr);
        assert_eq!(state(&world.gateway).await["state"], json!("active"));

        world.site.prove(None);
        world.db.execute("UPDATE proofs SET held_at = 1, checked_at = 1");
        world.gateway.cli(&["actor", "retire", "nieuws", "--confirm", &full]).await.well();
        for peer in [&world.peer, &elsewhere] {
            let delete = peer.takes_a("Delete").await.activity;
            assert_eq!((&delete["actor"], &delete["object"]), (&json!(id), &json!(id)));
        }
        assert_eq!(get(&id).await.status, 200, "its key can be read while the Delete is under way");
        assert_eq!(get_as(&world.gateway.url("/@nieuws"), BROWSER).await.status, 410);
        assert_eq!(finger(&world.gateway, &full[1..]).await.0, 410);
        let object = get(create["object"]["id"].as_str().unwrap()).await;
        assert_eq!((object.status, &object.json()["type"]), (410, &json!("Tombstone")));

        world.db.execute("UPDATE actor_continuity SET since = 1");
        world.gateway.stop().await;
        world.gateway.restart().await;
        let tombstone = eventually("the id answers 410", || async {
            let reply = get(&id).await;
            (reply.status == 410).then_some(reply)
        })
        .await;
        assert_eq!((&tombstone.json()["type"], &tombstone.json()["id"]), (&json!("Tombstone"), &json!(id)));
        assert_eq!(state(&world.gateway).await["state"], json!("retired"));
        assert_eq!(state(&world.gateway).await["followers"], json!(0));
        let again = world.gateway.cli(&["actor", "resume", "nieuws"]).await;
        assert!(again.code == 1 && again.stderr.contains("gone for ever"), "{}", again.stderr);
        let inbox = request("POST", &format!("{id}/inbox"), &[("content-type", crate::harness::ACTIVITY)], b"{}").await;
        assert_ne!(inbox.status, 410, "an inbox never says 410: peers would take the whole host for gone");
    }

    async fn followers_move_only_to_an_account_that_names_the_actor_and_nothing_is_published_afterwards(db: Database) {
        let world = World::new(db).await;
        let elsewhere = Peer::start();
        let (id, new) = (world.gateway.actor(), elsewhere.account("gemeente"));
        let refused = world.gateway.cli(&["actor", "move", "nieuws", "--to", &new.id]).await;
        assert_eq!(refused.code, 1);
        assert!(refused.stderr.contains("alsoKnownAs"), "{}", refused.stderr);
        assert_eq!(world.peer.count("Move"), 0);

        new.change(|document| document["alsoKnownAs"] = json!([id]));
        world.gateway.cli(&["actor", "move", "nieuws", "--to", &new.id]).await.well();
        let update = told_of_itself(&world, 1).await;
        assert_eq!(update.activity["object"]["movedTo"], json!(new.id));
        let moved = world.peer.takes_a("Move").await;
        assert_eq!((&moved.activity["object"], &moved.activity["target"]), (&json!(id), &json!(new.id)));
        assert!(update.at <= moved.at, "who reads the document on the Move finds it there");
        assert_eq!(get(&id).await.json()["movedTo"], json!(new.id));
        assert!(get_as(&world.gateway.url("/@nieuws"), BROWSER).await.text().contains(&new.id));
        let shown = state(&world.gateway).await;
        assert_eq!((&shown["state"], &shown["followers_then"]), (&json!("read-only"), &json!(1)));

        let other = Peer::start();
        assert_eq!(answer_to_follow(&other.account("laat"), &world.gateway).await, "Reject");
        world.citizen.says(&world.gateway, &world.citizen.activity("Undo", world.citizen.activity("Follow", id.clone()))).await;
        eventually("the follower is gone", || async { (state(&world.gateway).await["followers"] == json!(0)).then_some(()) }).await;
        assert_eq!(state(&world.gateway).await["followers_then"], json!(1), "as many as there were before");

        world.gateway.cli(&["actor", "resume", "nieuws"]).await.well();
        assert_eq!(get(&id).await.json().get("movedTo"), None);
        let soon = world.gateway.cli(&["actor", "move", "nieuws", "--to", &new.id]).await;
        assert!(soon.code == 1 && soon.stderr.contains("no second move before"), "{}", soon.stderr);
    }

    async fn other_accounts_are_named_in_the_document_and_followers_are_told(db: Database) {
        let mut world = World::new(db).await;
        let old = "https://social.example/users/voorbeeldstad";
        let refused = world.gateway.cli(&["actor", "alias", "add", "nieuws", old]).await;
        assert!(refused.code == 1 && refused.stderr.contains("also_known_as"), "{}", refused.stderr);
        let changes = [("handle = \"nieuws\"", &*format!("handle = \"nieuws\"\nalso_known_as = [\"{old}\"]"))];
        reconfigured(&mut world.gateway, &changes).await;
        assert_eq!(told_of_itself(&world, 1).await.activity["object"]["alsoKnownAs"], json!([old]));
        assert_eq!(get(&world.gateway.actor()).await.json()["alsoKnownAs"], json!([old]));
        let shown = state(&world.gateway).await;
        assert_eq!((&shown["also_known_as"], &shown["followers_then"]), (&json!([old]), &json!(1)));
        let cli = async |arguments: &[&str]| world.gateway.cli(arguments).await;
        cli(&["actor", "add", "pers", "--agency", "voorbeeldstad"]).await.well();
        cli(&["actor", "alias", "add", "pers", old]).await.well();
        assert_eq!(cli(&["actor", "alias", "list", "pers", "--json"]).await.well().json(), json!([old]));
        cli(&["actor", "alias", "remove", "pers", old]).await.well();
        assert_eq!(cli(&["actor", "alias", "list", "pers", "--json"]).await.well().json(), json!([]));
        let wrong = cli(&["actor", "alias", "add", "pers", "@voorbeeldstad@social.example"]).await;
        assert!(wrong.code == 1 && wrong.stderr.contains("give the id"), "{}", wrong.stderr);
    }

    async fn who_followed_an_account_that_moves_here_is_counted_beside_who_followed_before(db: Database) {
        let mut world = World::new(db).await;
        let server = Peer::start();
        let old = server.account("voorbeeldstad");
        let changes = [("handle = \"nieuws\"", &*format!("handle = \"nieuws\"\nalso_known_as = [\"{}\"]", old.id))];
        reconfigured(&mut world.gateway, &changes).await;
        // Mastodon lets an account move only to one that names it.
        assert_eq!(get(&world.gateway.actor()).await.json()["alsoKnownAs"], json!([old.id]));
        assert_eq!(state(&world.gateway).await["followers_then"], json!(1));

        let mut moved = old.activity("Move", old.id.clone());
        moved["target"] = json!(world.gateway.actor());
        old.says(&world.gateway, &moved).await;
        // Then the servers of its followers let them follow here.
        for name in ["anna", "bert", "chris"] {
            server.account(name).follows(&world.gateway).await;
        }
        let counted = || async { (state(&world.gateway).await["followers"] == json!(4)).then_some(()) };
        eventually("they are counted", counted).await;
        assert_eq!(state(&world.gateway).await["followers_then"], json!(1), "as many as there were before");
        world.published("brug", "De brug").await;
        eventually("they have the next post", || std::future::ready((server.count("Create") == 1).then_some(()))).await;
    }
}
