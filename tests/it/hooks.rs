//! What a system pushes, and what a follower gets of it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Cms, Database, Gateway, Kind, Launch, Reply, World, both, eventually, get, run, until};

fn article(id: &str, title: &str) -> Value {
    json!({
        "id": id, "url": format!("https://www.voorbeeldstad.example/nieuws/{id}"), "title": title,
        "html": format!("<p>Over {id}.</p><script>alert(1)</script>"), "language": "nl", "tags": ["water"],
    })
}

async fn world(db: Database) -> (World, Cms) {
    let world = World::with(db, Cms::setup()).await;
    let cms = Cms::of(&world.gateway);
    (world, cms)
}

async fn deliveries(gateway: &Gateway) -> Vec<Value> {
    let listed = gateway.cli(&["source", "deliveries", "cms", "--json"]).await.well().json();
    listed.as_array().unwrap().clone()
}

/// Waits until the request with that receipt is in that state.
async fn settled(gateway: &Gateway, receipt: &str, state: &str) -> Value {
    eventually(&format!("{receipt} is {state}"), || async {
        deliveries(gateway).await.into_iter().find(|line| line["receipt"] == receipt && line["state"] == state)
    })
    .await
}

fn waiting(db: &Database) -> i64 {
    db.number("SELECT COUNT(*) FROM hook_deliveries WHERE state = 0")
}

both! {
    async fn publish_edit_and_withdraw_in_the_cms_become_create_update_and_delete(db: Database) {
        let (world, cms) = world(db).await;
        let receipt = cms.says("gepubliceerd", article("4711", "Dijk is veilig")).await;
        let create = world.created("Dijk is veilig").await;
        assert!(!create.activity.to_string().contains("alert"), "{}", create.activity);
        let object = create.activity["object"]["id"].as_str().unwrap().to_owned();
        let line = settled(&world.gateway, &receipt, "done").await;
        assert_eq!((&line["verified_by"], &line["outcome"]), (&json!("standard"), &json!("1 new")));

        cms.says("gewijzigd", article("4711", "Dijk is erg veilig")).await;
        let update = world.told("Update", &object, 1).await;
        assert!(update.activity["object"]["content"].as_str().unwrap().contains("erg veilig"));

        cms.says("ingetrokken", json!({"id": "4711"})).await;
        world.told("Delete", &object, 1).await;
        assert_eq!(get(&object).await.status, 410);
        assert_eq!(world.db.number("SELECT COUNT(*) FROM hook_deliveries WHERE state = 1 AND LENGTH(body) = 0"), 3);
    }

    async fn a_draft_that_is_told_as_not_public_is_published_when_it_is(db: Database) {
        let (world, cms) = world(db).await;
        for _ in 0..2 {
            let receipt = cms.says("ingetrokken", json!({"id": "4711"})).await;
            settled(&world.gateway, &receipt, "done").await;
        }
        cms.says("gewijzigd", article("4711", "Dijk is veilig")).await;
        let create = world.created("Dijk is veilig").await;
        // What was public and was withdrawn is for a person, when it comes back.
        cms.says("ingetrokken", json!({"id": "4711"})).await;
        world.told("Delete", create.activity["object"]["id"].as_str().unwrap(), 1).await;
        let receipt = cms.says("gewijzigd", article("4711", "Dijk is weer veilig")).await;
        settled(&world.gateway, &receipt, "done").await;
        assert_eq!(world.db.lines("SELECT state AS t FROM posts ORDER BY id"), ["withdrawn", "held"]);
        assert_eq!(world.peer.count("Create"), 1);
    }

    async fn a_repetition_is_known_and_nothing_comes_twice(db: Database) {
        let (world, cms) = world(db).await;
        let event = cms.event("gepubliceerd", article("1", "Een keer"));
        let first = cms.push(&event).await;
        assert_eq!(first.status, 202);
        let again = cms.push(&event).await;
        assert_eq!((again.status, again.json()), (200, first.json()));
        world.created("Een keer").await;
        assert_eq!(cms.push(&event).await.status, 200, "also when it is done");
        // The same content in another event: known by the item store.
        let receipt = cms.says("gepubliceerd", article("1", "Een keer")).await;
        assert_eq!(settled(&world.gateway, &receipt, "done").await["outcome"], "1 unchanged");
        assert_eq!((world.peer.count("Create"), world.peer.count("Update")), (1, 0));
    }

    async fn an_older_version_that_arrives_late_changes_nothing(db: Database) {
        let (world, cms) = world(db).await;
        let older = cms.event("gewijzigd", article("1", "Oud"));
        cms.says("gepubliceerd", article("1", "Nieuw")).await;
        world.created("Nieuw").await;
        let receipt = cms.push(&older).await.json()["receipt"].as_str().unwrap().to_owned();
        assert_eq!(settled(&world.gateway, &receipt, "done").await["outcome"], "1 unchanged");
        assert_eq!(world.peer.count("Update"), 0);
    }

    async fn what_was_acknowledged_is_published_once_after_a_kill(db: Database) {
        // Nothing works on requests before the kill: they are only on disk.
        let mut world = World::with(db, Cms::setup()).await;
        world.gateway.kill9();
        world.gateway.launch(Launch::new().roles("web"));
        world.gateway.restart().await;
        let cms = Cms::of(&world.gateway);
        for n in 1..=5 {
            cms.says("gepubliceerd", article(&n.to_string(), &format!("Bericht {n}"))).await;
        }
        world.gateway.kill9();
        assert_eq!(waiting(&world.db), 5);
        world.gateway.launch(Launch::new());
        world.gateway.restart().await;
        for n in 1..=5 {
            world.created(&format!("Bericht {n}")).await;
        }
        until("nothing waits", || waiting(&world.db) == 0).await;
        assert_eq!(world.peer.count("Create"), 5);
    }

    async fn kills_at_any_moment_lose_nothing_and_double_nothing(db: Database) {
        let (mut world, cms) = world(db).await;
        let mut acknowledged = Vec::new();
        for n in 1..=8 {
            let title = format!("Bericht nummer {n}.");
            let event = cms.event("gepubliceerd", article(&n.to_string(), &title));
            // Until it is acknowledged, a sender tries again.
            for _ in 0..20 {
                match cms.try_push(&event).await {
                    Some(Reply { status: 200 | 202, .. }) => break,
                    _ => tokio::time::sleep(Duration::from_millis(50)).await,
                }
            }
            acknowledged.push(title);
            if n % 2 == 0 {
                world.gateway.kill9();
                world.gateway.restart().await;
            }
        }
        for title in &acknowledged {
            world.created(title).await;
        }
        until("nothing waits", || waiting(&world.db) == 0).await;
        assert_eq!(world.db.number("SELECT COUNT(*) FROM posts"), 8);
        let ids: std::collections::HashSet<String> =
            world.peer.taken().iter().filter(|a| a.kind() == "Create").map(|a| a.id().to_owned()).collect();
        assert_eq!(ids.len(), 8, "one Create each; the same one may come again after a kill");
    }

    async fn a_thin_event_is_read_back_and_tried_again_until_it_can_be(db: Database) {
        let site = crate::harness::Site::start();
        let token = "[source.policy]\nmerge_edits = \"0s\"";
        let keys = format!("site = \"{}\"\ntoken = \"a-token-for-the-api\"\n{token}", site.url("/"));
        let setup = crate::harness::Setup::new().further(&Cms::source(&keys));
        let peer = crate::harness::Peer::start();
        let gateway = setup.start(&db, &site).await;
        let citizen = peer.account("burger");
        citizen.follows(&gateway).await;
        let world = World { gateway, site, peer, citizen, db };
        let cms = Cms::of(&world.gateway);
        let thin = |what: &str| {
            let mut event = cms.event(what, Value::Null);
            event["subject"] = json!("9");
            event["dataref"] = json!("/api/9");
            event
        };
        world.site.answer("/api/9", Reply::status(503));
        let receipt = cms.push(&thin("gepubliceerd")).await.json()["receipt"].as_str().unwrap().to_owned();
        eventually("the first try failed", || async {
            let line = deliveries(&world.gateway).await.remove(0);
            (line["attempts"] == 1 && line["outcome"].as_str().unwrap().contains("503")).then_some(())
        })
        .await;
        world.site.answer("/api/9", Reply::ok("application/json", article("9", "Teruggelezen").to_string()));
        world.db.execute("UPDATE hook_deliveries SET due_at = 0 WHERE state = 0");
        let create = world.created("Teruggelezen").await;
        assert_eq!(settled(&world.gateway, &receipt, "done").await["outcome"], "1 new");
        let asked = world.site.requests("/api/9");
        assert_eq!(asked[0].header("authorization"), Some("Bearer a-token-for-the-api"));

        // What is not there any more is withdrawn.
        world.site.answer("/api/9", Reply::status(404));
        assert_eq!(cms.push(&thin("gewijzigd")).await.status, 202);
        world.told("Delete", create.activity["object"]["id"].as_str().unwrap(), 1).await;
    }

    async fn what_cannot_be_read_back_for_a_day_is_given_up_and_told(db: Database) {
        let (world, cms) = world(db).await;
        let mut event = cms.event("gepubliceerd", Value::Null);
        event["dataref"] = json!(world.site.url("/api/1"));
        world.site.answer("/api/1", Reply::status(500));
        let receipt = cms.push(&event).await.json()["receipt"].as_str().unwrap().to_owned();
        until("the first try failed", || {
            world.db.number("SELECT COUNT(*) FROM hook_deliveries WHERE attempts = 1") == 1
        })
        .await;
        world.db.execute("UPDATE hook_deliveries SET due_at = 0, received_at = received_at - 86400000");
        let line = settled(&world.gateway, &receipt, "failed").await;
        assert!(line["outcome"].as_str().unwrap().contains("500"), "{line}");
        assert!(world.gateway.log().contains("given up"));
    }

    async fn a_redirect_inside_is_not_followed_with_a_token(db: Database) {
        let (world, cms) = world(db).await;
        let mut event = cms.event("gepubliceerd", Value::Null);
        event["dataref"] = json!(world.site.url("/api/1"));
        world.site.answer("/api/1", Reply::redirect(302, "http://169.254.169.254/latest/meta-data/"));
        cms.push(&event).await;
        eventually("it is refused", || async {
            let line = deliveries(&world.gateway).await.remove(0);
            line["outcome"].as_str().is_some_and(|text| text.contains("169.254.169.254")).then_some(())
        })
        .await;
        assert_eq!(world.peer.count("Create"), 0);
    }

    async fn drafts_and_unknown_events_are_acknowledged_and_do_nothing(db: Database) {
        let (world, cms) = world(db).await;
        let receipt = cms.says("opgeslagen", article("1", "Nog niet af")).await;
        let line = settled(&world.gateway, &receipt, "ignored").await;
        assert!(line["outcome"].as_str().unwrap().contains("bericht-opgeslagen"), "{line}");
        assert_eq!(world.db.number("SELECT COUNT(*) FROM items WHERE source_key = '1'"), 0);
    }

    async fn an_embargo_is_kept_and_a_withdrawal_cancels_it(db: Database) {
        let (world, cms) = world(db).await;
        let soon = (chrono::Utc::now() + chrono::TimeDelta::hours(1)).to_rfc3339();
        let mut data = article("1", "Onder embargo");
        data["embargo"] = json!(soon);
        let receipt = cms.says("gepubliceerd", data).await;
        settled(&world.gateway, &receipt, "done").await;
        assert_eq!(world.db.lines("SELECT state AS t FROM posts"), ["embargoed"]);
        let receipt = cms.says("ingetrokken", json!({"id": "1"})).await;
        settled(&world.gateway, &receipt, "done").await;
        assert_eq!(world.db.number("SELECT COUNT(*) FROM posts WHERE state IN ('embargoed', 'scheduled', 'ready', 'published')"), 0);
    }

    async fn a_flood_of_events_is_held_once_it_is_one(db: Database) {
        let setup = crate::harness::Setup::new().further(&Cms::source("[source.policy]\nflood_fuse = 3"));
        let world = World::with(db, setup).await;
        let cms = Cms::of(&world.gateway);
        for n in 1..=6 {
            let receipt = cms.says("gepubliceerd", article(&n.to_string(), &format!("Bericht {n}"))).await;
            settled(&world.gateway, &receipt, "done").await;
        }
        until("three are published", || world.peer.count("Create") == 3).await;
        assert_eq!(world.db.number("SELECT COUNT(*) FROM posts WHERE state = 'held'"), 3);
    }

    async fn a_captured_request_shows_what_would_be_published(db: Database) {
        let (world, cms) = world(db).await;
        let event = cms.event("gepubliceerd", article("4711", "Dijk is veilig"));
        let body = event.to_string();
        let headers = cms.headers("event-1", crate::harness::now_s(), body.as_bytes());
        let headers: serde_json::Map<String, Value> = headers.into_iter().map(|(n, v)| (n, json!(v))).collect();
        let file = world.gateway.folder().join("captured.json");
        std::fs::write(&file, json!({"headers": headers, "body": body}).to_string()).unwrap();
        let from = file.to_str().unwrap();
        let shown = world.gateway.cli(&["source", "test", "cms", "--from", from, "--json"]).await.well().json();
        assert_eq!(shown["signature"], "holds (standard)");
        let post = &shown["preview"]["posts"][0];
        assert_eq!((&post["item"], &post["state"]), (&json!("4711"), &json!("ready")));
        assert!(post["note"]["content"].as_str().unwrap().contains("Dijk is veilig"));
        assert_eq!(world.db.number("SELECT COUNT(*) FROM hook_deliveries"), 0);

        std::fs::write(&file, json!({"headers": {}, "body": body}).to_string()).unwrap();
        let shown = world.gateway.cli(&["source", "test", "cms", "--from", from]).await.well();
        assert!(shown.stdout.contains("would be refused") && shown.stdout.contains("Dijk is veilig"), "{shown:?}");
        std::fs::write(&file, "hello").unwrap();
        let refused = world.gateway.cli(&["source", "test", "cms", "--from", from]).await;
        assert_eq!(refused.code, 1);
    }

    async fn receipts_are_forgotten_after_a_week_and_what_waits_never_is(db: Database) {
        let (mut world, cms) = world(db).await;
        let receipt = cms.says("gepubliceerd", article("1", "Een")).await;
        settled(&world.gateway, &receipt, "done").await;
        world.db.execute("UPDATE hook_deliveries SET received_at = received_at - 7 * 86400000 - 1000");
        world.gateway.kill9();
        world.gateway.restart().await;
        until("it is forgotten", || world.db.number("SELECT COUNT(*) FROM hook_deliveries") == 0).await;
    }

    async fn what_waits_shows_in_the_metrics(db: Database) {
        let (world, cms) = world(db).await;
        cms.says("opgeslagen", article("1", "x")).await;
        cms.post(&[], b"{}").await;
        let counted = |answer: &str| format!("heraut_hooks_total{{answer=\"{answer}\"}}");
        assert_eq!(world.gateway.metric(&counted("accepted")).await, Some(1.0));
        assert!(world.gateway.metric(&counted("media-type")).await == Some(1.0));
        until("nothing waits", || waiting(&world.db) == 0).await;
        eventually("nothing is shown as waiting", || async {
            (world.gateway.metric("heraut_hooks_waiting").await == Some(0.0)).then_some(())
        })
        .await;
    }
}

async fn what_one_process_accepted_another_one_works_on(db: Database) {
    let world = World::of_web_alone(db, Cms::setup()).await;
    let cms = Cms::of(&world.gateway);
    let _worker = world.gateway.beside("worker", &Launch::new().roles("ingest,deliver"));
    world.gateway.settled(&world.db, true).await;
    world.citizen.follows(&world.gateway).await;
    cms.says("gepubliceerd", article("1", "Over en weer")).await;
    world.created("Over en weer").await;
}

/// Only on PostgreSQL can there be several.
#[test]
fn what_one_process_accepted_another_one_works_on_there() {
    run(what_one_process_accepted_another_one_works_on, Kind::Postgres);
}
