//! Documents only for servers that sign (`server.authorized_fetch`), in; and our own reading of servers that demand it.

use std::time::Duration;

use heraut::time::Timestamp;
use serde_json::{Value, json};

use crate::harness::{ACTIVITY, Account, Key, Setup, World, both, get_as, request};

fn secure() -> Setup {
    Setup::new().server("authorized_fetch = true")
}

/// The documents of a world with a public post, without those that are open.
async fn closed(world: &World, create: &Value) -> Vec<String> {
    let actor = world.gateway.actor();
    let object = create["object"]["id"].as_str().unwrap().to_owned();
    let below = |name: &str| format!("{actor}/{name}");
    vec![
        object,
        create["id"].as_str().unwrap().to_owned(),
        below("outbox"),
        below("outbox?page=first"),
        below("followers"),
        below("following"),
        below("featured"),
        below("tags"),
    ]
}

/// A server that never spoke to the gateway.
fn stranger(world: &World) -> Account {
    world.peer.account("vreemde")
}

both! {
    async fn documents_are_given_to_servers_that_sign_and_to_nobody_else(db: Database) {
        let world = World::with(db, secure()).await;
        let create = world.published("dijk", "De dijk houdt stand").await.activity;
        let stranger = stranger(&world);
        for url in closed(&world, &create).await {
            // Twice: what was made for who may read it is kept, and stays closed to others.
            for _ in 0..2 {
                let unsigned = get_as(&url, ACTIVITY).await;
                assert_eq!(unsigned.status, 401, "{url}: {}", unsigned.text());
                let told = unsigned.json();
                assert_eq!(told["code"], "signature", "{url}");
                let detail = told["detail"].as_str().unwrap();
                assert!(detail.contains("sign the GET") && detail.contains("/ap/instance"), "{detail}");
                assert!(unsigned.header("www-authenticate").starts_with("Signature "), "{url}");
                assert!(unsigned.header("accept-signature").contains("@target-uri"), "{url}");
                assert_eq!(unsigned.header("cache-control"), "no-store", "{url}");
                let signed = stranger.reads(&url).await;
                assert_eq!(signed.status, 200, "{url}: {}", signed.text());
                assert!(signed.header("cache-control").starts_with("private"), "{url}: {}", signed.header("cache-control"));
                assert!(signed.header("vary").contains("Signature"), "{url}: {}", signed.header("vary"));
            }
            assert_eq!(stranger.reading(&url).send_by_rfc9421().await.status, 200, "{url}");
        }
    }

    async fn a_signature_that_does_not_hold_reads_nothing(db: Database) {
        let world = World::with(db, secure()).await;
        let create = world.published("dijk", "De dijk houdt stand").await.activity;
        let (object, stranger) = (create["object"]["id"].as_str().unwrap().to_owned(), stranger(&world));
        assert_eq!(stranger.reads(&object).await.status, 200);
        let mut forged = stranger.reading(&object);
        forged.key = Key::OTHER;
        let mut old = stranger.reading(&object);
        old.date = Timestamp(chrono::Utc::now().timestamp_millis()).before(Duration::from_secs(7_200)).to_http_date();
        let mut little = stranger.reading(&object);
        little.covered = vec!["(request-target)", "date"];
        let mut unknown = stranger.reading(&object);
        unknown.key_id = world.peer.url("/users/niemand#main-key");
        for (what, reading) in [("forged", forged), ("old", old), ("no host", little), ("no such key", unknown)] {
            assert_eq!(reading.send().await.status, 401, "{what}");
        }
        let actor = stranger.reading(&world.gateway.actor());
        assert_eq!(actor.send().await.json()["name"], json!("Gemeente Voorbeeldstad"));
        let forged = crate::harness::Reading { key: Key::OTHER, ..actor };
        assert_eq!(forged.send().await.status, 401, "who signs wrongly is told, and gets no key either");
    }

    async fn keys_are_read_without_a_signature_and_profiles_are_not(db: Database) {
        let world = World::with(db, secure()).await;
        let actor = world.gateway.actor();
        for _ in 0..2 {
            let bare = get_as(&actor, ACTIVITY).await;
            assert_eq!(bare.status, 200);
            assert!(bare.header("cache-control").starts_with("private"), "{}", bare.header("cache-control"));
            let bare = bare.json();
            for wanted in ["id", "type", "preferredUsername", "inbox", "outbox", "followers", "endpoints", "publicKey", "assertionMethod"] {
                assert!(!bare[wanted].is_null(), "{wanted}: {bare}");
            }
            for hidden in ["name", "summary", "icon", "attachment"] {
                assert!(bare[hidden].is_null(), "{hidden}: {bare}");
            }
            assert_eq!(stranger(&world).reads(&actor).await.json()["summary"], "<p>Nieuws van de gemeente.</p>");
        }
        let instance = get_as(&world.gateway.url("/ap/instance"), ACTIVITY).await;
        assert_eq!((instance.status, instance.json()["type"].clone()), (200, json!("Application")));
        assert!(instance.header("cache-control").starts_with("public"), "it is the same for all");
    }

    async fn pages_feeds_and_discovery_stay_open_and_a_browser_is_sent_on(db: Database) {
        let world = World::with(db, secure()).await;
        let create = world.published("dijk", "De dijk houdt stand").await.activity;
        let object = create["object"]["id"].as_str().unwrap();
        let page = create["object"]["url"].as_str().unwrap();
        for open in [page.to_owned(), world.gateway.url("/@nieuws"), world.gateway.url("/@nieuws/feed.rss"), world.gateway.url("/.well-known/nodeinfo")] {
            assert_eq!(get_as(&open, "text/html").await.status, 200, "{open}");
        }
        for id in [object, &world.gateway.actor()] {
            let sent = get_as(id, "text/html").await;
            assert_eq!(sent.status, 303, "{id}");
            assert!(sent.header("vary").contains("Signature"), "{id}");
        }
        let activity = create["id"].as_str().unwrap();
        assert_eq!(get_as(activity, "text/html").await.status, 401, "it has no page of its own");
        let encoded = object.replace("/ap/o/", "/ap/%6F/");
        assert_ne!(get_as(&encoded, ACTIVITY).await.status, 200, "no other spelling gets round it");
        assert_eq!(request("HEAD", object, &[("accept", ACTIVITY)], b"").await.status, 401);
        let options = request("OPTIONS", object, &[], b"").await;
        assert_eq!(options.status, 204, "browsers may ask what they may ask");
    }

    async fn two_servers_that_both_demand_signatures_can_talk(db: Database) {
        let world = World::unfollowed(db, secure()).await;
        // The key by which the gateway reads is open, or neither could begin.
        world.peer.is_secure();
        world.citizen.follows(&world.gateway).await;
        let create = world.published("dijk", "De dijk houdt stand").await;
        assert!(create.verified.is_ok(), "its key is read without a signature");
        let fetched = world.peer.fetches();
        assert!(!fetched.is_empty() && fetched.iter().all(|fetch| fetch.header("signature").is_some()), "{fetched:?}");
    }

    async fn without_the_setting_everything_is_open_as_before(db: Database) {
        let world = World::with(db, Setup::new()).await;
        let create = world.published("dijk", "De dijk houdt stand").await.activity;
        for url in closed(&world, &create).await {
            let reply = get_as(&url, ACTIVITY).await;
            assert_eq!(reply.status, 200, "{url}");
            assert!(!reply.header("vary").contains("Signature"), "{url}");
        }
    }
}
