//! Followers synchronisation (FEP-8fcf): what servers are told of their followers, and who reads which.

use openssl::sha::sha256;
use serde_json::json;

use crate::harness::{ACTIVITY, Peer, Setup, World, both, get_as, until};

/// The digest of FEP-8fcf, by hand.
fn digest(ids: &[&str]) -> String {
    let mut all = [0_u8; 32];
    for id in ids {
        all.iter_mut().zip(sha256(id.as_bytes())).for_each(|(all, one)| *all ^= one);
    }
    hex::encode(all)
}

/// A parameter of the header.
fn parameter(value: &str, name: &str) -> String {
    let (_, rest) = value.split_once(&format!("{name}=\"")).unwrap_or_else(|| panic!("no {name} in {value}"));
    rest.split_once('"').unwrap().0.to_owned()
}

both! {
    async fn a_create_tells_each_server_a_digest_of_its_own_followers_and_is_signed_over_it(db: Database) {
        let world = World::new(db).await;
        let neighbour = world.peer.account("buur");
        neighbour.follows(&world.gateway).await;
        let other = Peer::start();
        let far = other.account("ver");
        far.follows(&world.gateway).await;
        let here = world.published("dijk", "De dijk").await;
        let there = other.takes_a("Create").await;
        let actor = world.gateway.actor();
        for (arrival, followers) in [(here, vec![world.citizen.id.as_str(), &neighbour.id]), (there, vec![far.id.as_str()])] {
            let (value, covered) = arrival.synchronization.expect("it says who follows");
            assert!(covered, "it is signed");
            assert_eq!(parameter(&value, "collectionId"), format!("{actor}/followers"));
            assert_eq!(parameter(&value, "url"), format!("{actor}/followers_synchronization"));
            assert_eq!(parameter(&value, "digest"), digest(&followers), "of that host alone");
        }
        let accept = world.peer.takes_a("Accept").await;
        assert_eq!(accept.synchronization, None, "answers say nothing of it");
    }

    async fn a_server_reads_its_own_part_and_nobody_else_reads_any(db: Database) {
        let world = World::new(db).await;
        let neighbour = world.peer.account("buur");
        neighbour.follows(&world.gateway).await;
        let url = format!("{}/followers_synchronization", world.gateway.actor());
        assert_eq!(get_as(&url, ACTIVITY).await.status, 401, "though everything else is open");
        assert_eq!(get_as(&url, "text/html").await.status, 401);
        for _ in 0..2 {
            let own = world.citizen.reads(&url).await;
            assert_eq!(own.status, 200, "{}", own.text());
            assert_eq!(own.header("cache-control"), "no-store");
            assert_eq!(own.json()["orderedItems"], json!([world.citizen.id, neighbour.id]));
            let far = Peer::start().account("ver").reads(&url).await;
            assert_eq!(far.json()["orderedItems"], json!([]), "it has none, and sees those of no other");
        }
        let mut forged = world.citizen.reading(&url);
        forged.key = crate::harness::Key::OTHER;
        assert_eq!(forged.send().await.status, 401);
    }

    async fn a_follower_that_its_server_does_not_know_is_taken_back_by_it(db: Database) {
        let mut world = World::new(db).await;
        // Its Undo was lost: its server does not know any more that it follows.
        let gone = world.peer.account("vertrokken");
        gone.follows(&world.gateway).await;
        let create = world.published("dijk", "De dijk").await;
        let (value, _) = create.synchronization.unwrap();
        assert_ne!(parameter(&value, "digest"), digest(&[&world.citizen.id]), "the two do not agree");
        let told = world.citizen.reads(&parameter(&value, "url")).await.json();
        assert!(told["orderedItems"].as_array().unwrap().contains(&json!(gone.id)), "{told}");
        let undo = gone.activity("Undo", json!({ "type": "Follow", "actor": gone.id, "object": world.gateway.actor() }));
        gone.says(&world.gateway, &undo).await;
        until("it is no follower any more", || world.db.number("SELECT COUNT(*) FROM followers") == 1).await;
        let told = world.citizen.reads(&parameter(&value, "url")).await.json();
        assert_eq!(told["orderedItems"], json!([world.citizen.id]));
        // Digests are told for a minute; a process that begins makes them anew.
        world.gateway.stop().await;
        world.gateway.restart().await;
        let create = world.published("brug", "De brug").await;
        assert_eq!(parameter(&create.synchronization.unwrap().0, "digest"), digest(&[&world.citizen.id]), "they agree");
    }

    async fn what_others_say_of_their_followers_changes_nothing_here(db: Database) {
        let world = World::new(db).await;
        let fetched = world.peer.fetches().len();
        let account = &world.citizen;
        let letter = account.letter(&world.gateway.url("/ap/inbox"), &account.activity("View", account.id.clone()));
        let value = format!("collectionId=\"{0}/followers\", url=\"{0}/sync\", digest=\"{1}\"", account.id, "0".repeat(64));
        let mut headers = letter.headers();
        headers.push(("collection-synchronization", value));
        let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let reply = crate::harness::request("POST", &letter.inbox, &headers, &letter.body).await;
        assert_eq!(reply.status, 202, "{}", reply.text());
        assert_eq!(world.peer.fetches().len(), fetched, "our actors follow nobody, so nothing is read");
    }

    async fn it_can_be_switched_off(db: Database) {
        let delivery = "timeout = \"10s\"\nlease = \"20s\"\nsynchronize_followers = false";
        let world = World::with(db, Setup::new().delivery(delivery)).await;
        assert_eq!(world.published("dijk", "De dijk").await.synchronization, None);
    }
}
