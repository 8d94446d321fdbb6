//! Without a proof nothing is said; with one again, what waited goes on by itself.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::harness::{Gateway, Peer, Reply, Setup, Site, World, both, eventually, until};

const PROOF: &str = "/.well-known/heraut-actor.json";

async fn waits_for(gateway: &Gateway) -> String {
    let posts = gateway.cli(&["post", "list", "--json"]).await.well().json();
    posts[0]["waits_for"].as_str().unwrap_or_default().to_owned()
}

/// Waits until a delivery of that type is held.
async fn held_delivery(world: &World, kind: &str) {
    eventually(&format!("a {kind} is held"), || async {
        let receipts = world.gateway.cli(&["deliveries", "--json"]).await.well().json();
        let all = receipts["deliveries"].as_array().unwrap().clone();
        all.into_iter().find(|receipt| receipt["kind"] == kind && receipt["state"] == "held")
    })
    .await;
}

both! {
    async fn the_posts_of_an_unproven_actor_are_held_and_resume_when_the_proof_appears(db: Database) {
        let world = World::unfollowed(db, Setup::new().unproven()).await;
        world.citizen.says(&world.gateway, &world.citizen.activity("Follow", world.gateway.actor())).await;
        world.site.publish("dijk", "De dijk", "<p>Tekst.</p>");
        let held = || world.db.number("SELECT COUNT(*) FROM posts WHERE reason = 'unverified'") == 1;
        until("the post is held", held).await;
        assert!(waits_for(&world.gateway).await.contains("proof"));
        let post = world.gateway.cli(&["post", "list", "--json"]).await.well().json()[0]["post"].as_str().unwrap().to_owned();
        let refused = world.gateway.cli(&["post", "release", &post]).await;
        assert!(refused.code == 1 && refused.stderr.contains("heraut actor verify"), "no person can: {refused:?}");
        held_delivery(&world, "Accept").await;
        assert!(world.peer.arrivals().is_empty(), "an unproven actor says nothing at all");

        world.site.prove(Some(world.gateway.proof()));
        let verified = world.gateway.cli(&["actor", "verify", "nieuws"]).await.well();
        assert!(verified.stdout.contains("holds"), "{verified:?}");
        world.created("De dijk").await;
        world.peer.takes_a("Accept").await;
    }

    /// Followers come all the time; none of them may fall between the last look at the missing proof and its coming.
    async fn answers_that_waited_for_the_proof_are_all_sent_when_it_holds(db: Database) {
        let world = World::unfollowed(db, Setup::new().unproven()).await;
        let (gateway, peer) = (&world.gateway, &world.peer);
        let follows = |n: usize| async move {
            let follower = peer.lone_account(&format!("volger{n}"));
            follower.says(gateway, &follower.activity("Follow", gateway.actor())).await;
        };
        follows(0).await;
        held_delivery(&world, "Accept").await;
        world.site.prove(Some(gateway.proof()));
        let verified = AtomicBool::new(false);
        let verify = async {
            gateway.cli(&["actor", "verify", "nieuws"]).await.well();
            verified.store(true, Ordering::Relaxed);
        };
        let keep_following = async {
            let mut n = 1;
            while !verified.load(Ordering::Relaxed) {
                follows(n).await;
                n += 1;
            }
            n
        };
        let (followers, ()) = tokio::join!(keep_following, verify);
        until(&format!("all {followers} followers are answered"), || peer.count("Accept") == followers).await;
    }

    async fn a_proof_that_lapses_holds_what_is_owed_until_it_holds_again(db: Database) {
        let setup = Setup::new().verification("recheck_every = \"1s\"\ngrace = \"3s\"");
        let world = World::with(db, setup).await;
        world.site.prove(None);
        let lapsed = || async {
            let actor = world.gateway.cli(&["actor", "show", "nieuws", "--json"]).await.well().json();
            (actor["verified"] == json!(false)).then_some(actor)
        };
        let actor = eventually("the proof lapses", lapsed).await;
        let failure = actor["proof_failure"].as_str().unwrap();
        assert!(failure.contains("lapsed") && failure.contains("404"), "{failure}");

        world.site.publish("dijk", "De dijk", "<p>Tekst.</p>");
        let held = || world.db.number("SELECT COUNT(*) FROM posts WHERE reason = 'unverified'") == 1;
        until("the post is held", held).await;
        let newcomer = Peer::start();
        let follower = newcomer.account("nieuw");
        follower.says(&world.gateway, &follower.activity("Follow", world.gateway.actor())).await;
        held_delivery(&world, "Accept").await;
        assert_eq!((world.peer.count("Create"), newcomer.arrivals().len()), (0, 0));

        world.site.prove(Some(world.gateway.proof()));
        world.gateway.cli(&["actor", "verify", "nieuws"]).await.well();
        world.created("De dijk").await;
        newcomer.takes_a("Accept").await;
    }

    async fn an_edit_and_a_withdrawal_wait_for_the_proof_too(db: Database) {
        let setup = Setup::new().verification("recheck_every = \"1s\"\ngrace = \"3s\"");
        let world = World::with(db, setup).await;
        let id = world.published("dijk", "De dijk").await.activity["object"]["id"].as_str().unwrap().to_owned();
        world.site.prove(None);
        eventually("the proof lapses", || async {
            let actor = world.gateway.cli(&["actor", "show", "nieuws", "--json"]).await.well().json();
            (actor["verified"] == json!(false)).then_some(())
        })
        .await;
        world.site.edit("dijk", |article| article.title = "De dijk, beter".to_owned());
        let held = || world.db.number("SELECT COUNT(*) FROM post_changes WHERE reason = 'unverified'") == 1;
        until("the edit is held", held).await;
        world.site.prove(Some(world.gateway.proof()));
        world.gateway.cli(&["actor", "verify", "nieuws"]).await.well();
        world.told("Update", &id, 1).await;
    }

    async fn a_proof_that_does_not_hold_is_refused_with_what_to_put_where(db: Database) {
        let (site, other) = (Site::start(), Site::start());
        let gateway = Setup::new().unproven().start(&db, &site).await;
        let (actor, proof) = (gateway.actor(), gateway.proof().to_owned());
        let right = serde_json::from_str::<Value>(&proof).unwrap()["actors"][0]["keyFingerprint"].clone();
        let right = right.as_str().unwrap();
        let wrong = format!("sha256:{}", "0".repeat(64));
        let url = site.url(PROOF);
        other.prove(Some(&proof));
        let json_of = |text: &str| Reply::ok("application/json", text);
        let table = [
            ("nothing there", Reply::status(404), vec!["404", right, actor.as_str()]),
            ("the wrong key", json_of(&proof.replace(right, &wrong)), vec![&wrong, right]),
            ("another actor", json_of(&proof.replace(&actor, &format!("{actor}1"))), vec!["not", &actor, right]),
            ("no JSON", Reply::ok("text/html", "<p>Hallo</p>"), vec!["JSON", "keyFingerprint"]),
            ("elsewhere", Reply::redirect(302, &other.url(PROOF)), vec!["redirect"]),
            ("an error", Reply::status(500), vec!["500", right]),
        ];
        for (what, reply, told) in table {
            site.answer(PROOF, reply);
            let verified = gateway.cli(&["actor", "verify", "nieuws"]).await;
            assert_eq!(verified.code, 1, "{what}: {verified:?}");
            let failure = verified.stdout.lines().find(|line| line.starts_with("fails")).unwrap_or_default();
            for part in told {
                assert!(failure.contains(part), "{what}: `{part}` is not told: {}", verified.stdout);
            }
            let put = verified.stdout.contains(&url) && verified.stdout.contains(right);
            assert!(put, "{what}: the file to put there is not shown: {}", verified.stdout);
        }
        assert!(other.requests(PROOF).is_empty(), "a redirect to another host is not even followed");
        assert_eq!(db.number("SELECT COUNT(*) FROM proofs WHERE held_at IS NOT NULL"), 0);
        site.as_usual(PROOF);
        site.prove(Some(&proof));
        gateway.cli(&["actor", "verify", "nieuws"]).await.well();
    }
}
