//! Both kinds of signatures against the running gateway, integrity proofs, and keys that are rotated.

use serde_json::{Value, json};

use crate::harness::{Peer, Reads, Setup, World, both, eventually, until};

/// How the host of a peer is sent something first, as the gateway knows it; -1 when it knows nothing.
fn known(world: &World, peer: &Peer) -> i64 {
    let host = peer.authority();
    world.db.number(&format!("SELECT COALESCE(MAX(scheme), -1) FROM host_signatures WHERE host = '{host}'"))
}

both! {
    async fn a_request_signed_by_rfc_9421_is_taken_and_one_that_was_changed_is_not(db: Database) {
        let world = World::unfollowed(db, Setup::new()).await;
        let inbox = world.gateway.url("/ap/inbox");
        let account = world.peer.account("nieuw");
        let letter = account.letter(&inbox, &account.activity("View", account.id.clone()));
        let reply = letter.send_by_rfc9421().await;
        assert_eq!(reply.status, 202, "{}", reply.text());
        assert_eq!(known(&world, &world.peer), 1, "it has shown that it knows it");
        let mut changed = letter.clone();
        changed.body.push(b' ');
        assert_eq!(changed.send_by_rfc9421().await.status, 401);
        let mut forged = account.letter(&inbox, &account.activity("View", account.id.clone()));
        forged.key = crate::harness::Key::OTHER;
        assert_eq!(forged.send_by_rfc9421().await.status, 401);
    }

    async fn a_host_is_sent_what_it_has_shown_that_it_takes(db: Database) {
        let world = World::new(db).await;
        let create = world.published("dijk", "De dijk").await;
        assert!(!create.by_rfc9421, "first what everybody takes");
        let letter = world.citizen.letter(&world.gateway.url("/ap/inbox"), &world.citizen.activity("View", world.citizen.id.clone()));
        assert_eq!(letter.send_by_rfc9421().await.status, 202);
        world.peer.reads(Reads::Rfc9421);
        let create = world.published("brug", "De brug").await;
        assert!(create.by_rfc9421);
        assert_eq!(world.peer.number(|a| a.kind() == "Create"), 2, "and it was not asked twice");
        // It is another server now: what it showed is forgotten after one refusal.
        world.peer.reads(Reads::Cavage);
        let create = world.published("sluis", "De sluis").await;
        assert!(!create.by_rfc9421);
        until("the refusal is remembered", || known(&world, &world.peer) == 0).await;
        world.published("gemaal", "Het gemaal").await;
        assert_eq!(world.peer.number(|a| a.kind() == "Create"), 5, "one knock more, once");
    }

    async fn a_host_that_refuses_draft_cavage_is_knocked_at_once_more(db: Database) {
        let world = World::new(db).await;
        world.peer.reads(Reads::Rfc9421);
        let create = world.published("dijk", "De dijk").await;
        assert!(create.by_rfc9421);
        until("it is remembered", || known(&world, &world.peer) == 1).await;
        world.published("brug", "De brug").await;
        assert_eq!(world.peer.number(|a| a.kind() == "Create"), 3);
    }

    async fn a_host_that_swallows_what_it_does_not_know_is_never_sent_it(db: Database) {
        let world = World::new(db).await;
        world.peer.reads(Reads::Swallows);
        for n in 0..3 {
            let create = world.published(&format!("n{n}"), &format!("Bericht {n}.")).await;
            assert!(!create.by_rfc9421);
        }
        assert_eq!(world.peer.number(|a| a.by_rfc9421), 0);
        assert_eq!(known(&world, &world.peer), -1);
    }

    async fn a_host_that_announces_rfc_9421_is_sent_it(db: Database) {
        let world = World::unfollowed(db, Setup::new()).await;
        world.citizen.change(|document| {
            document["generator"] = json!({
                "type": "Application",
                "implements": [{ "href": "https://datatracker.ietf.org/doc/html/rfc9421", "name": "RFC-9421" }],
            });
        });
        let follow = world.citizen.activity("Follow", world.gateway.actor());
        world.peer.reads(Reads::Rfc9421);
        world.citizen.says(&world.gateway, &follow).await;
        let accept = world.peer.takes_a("Accept").await;
        assert!(accept.by_rfc9421);
        assert_eq!(world.peer.arrivals().len(), 1, "at the first knock");
        let reply = crate::harness::request("GET", &world.gateway.actor(), &[("accept", crate::harness::ACTIVITY)], b"").await;
        assert_eq!(reply.json()["generator"]["implements"][0]["href"], "https://datatracker.ietf.org/doc/html/rfc9421");
    }

    async fn what_is_said_carries_an_integrity_proof_by_a_key_of_the_actor(db: Database) {
        let world = World::new(db).await;
        let create = world.published("dijk", "De dijk").await.activity;
        let accept = world.peer.takes_a("Accept").await.activity;
        let reply = crate::harness::request("GET", &world.gateway.actor(), &[("accept", crate::harness::ACTIVITY)], b"").await;
        let method = reply.json()["assertionMethod"][0].clone();
        for activity in [&create, &accept] {
            let proof = &activity["proof"];
            assert_eq!((&proof["cryptosuite"], &proof["verificationMethod"]), (&json!("eddsa-jcs-2022"), &method["id"]), "{activity}");
            assert!(holds(activity, method["publicKeyMultibase"].as_str().unwrap()));
            let mut changed = activity.clone();
            changed["extra"] = json!(1);
            assert!(!holds(&changed, method["publicKeyMultibase"].as_str().unwrap()));
        }
    }

    async fn keys_are_rotated_while_a_server_that_keeps_the_old_key_goes_on_taking_posts(db: Database) {
        let world = World::new(db).await;
        world.peer.keeps_keys();
        world.published("dijk", "De dijk").await;
        let before = world.gateway.cli(&["actor", "show", "nieuws", "--json"]).await.well().json();
        world.gateway.cli(&["actor", "rotate-key", "nieuws"]).await.well();
        let again = world.gateway.cli(&["actor", "rotate-key", "nieuws"]).await;
        assert_eq!(again.code, 1, "one at a time");
        world.peer.takes_nth("Update", 1).await;
        let during = world.gateway.cli(&["actor", "show", "nieuws", "--json"]).await.well().json();
        assert_eq!((&during["key_id"], &during["key_fingerprint"]), (&before["key_id"], &before["key_fingerprint"]));
        world.published("brug", "De brug").await;
        // Two days later.
        world.db.execute("UPDATE key_rotations SET switch_at = 1");
        let told = world.peer.takes_nth("Update", 2).await;
        assert_eq!(told.activity["object"]["publicKey"]["id"], format!("{}#main-key-2", world.gateway.actor()));
        let after = world.gateway.cli(&["actor", "show", "nieuws", "--json"]).await.well().json();
        assert_eq!(after["key_fingerprint"], during["other_fingerprints"][0]);
        assert_eq!(after["other_fingerprints"][0], before["key_fingerprint"], "the proof that names it goes on holding");
        let post = world.published("sluis", "De sluis").await;
        assert_eq!(post.activity["proof"]["verificationMethod"], format!("{}#ed25519-2", world.gateway.actor()));
        // A server that never heard of the actor finds the new key.
        let other = Peer::start();
        other.account("buur").follows(&world.gateway).await;
        for act in ["key.announce", "key.switch"] {
            assert_eq!(world.db.number(&format!("SELECT COUNT(*) FROM audit WHERE act = '{act}'")), 1, "{act}");
        }
    }

    async fn keys_that_were_stolen_are_replaced_at_once(db: Database) {
        let world = World::new(db).await;
        world.gateway.cli(&["actor", "rotate-key", "nieuws", "--now"]).await.well();
        let shown = world.gateway.cli(&["actor", "show", "nieuws", "--json"]).await.well().json();
        assert_eq!(shown["other_fingerprints"], json!([]), "the old one counts for nothing");
        world.peer.takes_a("Update").await;
        eventually("the proof is looked at again, and names the old key", || async {
            let failed = world.db.number("SELECT COUNT(*) FROM proofs WHERE failure IS NOT NULL");
            (failed == 1).then_some(())
        })
        .await;
    }
}

/// Whether the integrity proof of an activity holds with that key.
fn holds(activity: &Value, multikey: &str) -> bool {
    use heraut::actor::public_key::{PublicKey, multikey_to_pem};
    let now = heraut::time::Timestamp(chrono::Utc::now().timestamp_millis());
    let claim = heraut::signature::integrity::Claim::read(activity, now).unwrap();
    claim.verify(&PublicKey::from_pem(&multikey_to_pem(multikey).unwrap()).unwrap()).is_ok()
}
