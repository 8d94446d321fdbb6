//! The life of a post that a client wrote: once, not before its time, held where the policy says so, changed and withdrawn.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::harness::{Client, Database, Launch, Reply, World, both, encoded, eventually, get, get_as, made, until};

fn entry(properties: Value) -> Value {
    json!({"type": ["h-entry"], "properties": properties})
}

fn note(text: &str) -> Value {
    entry(json!({"content": [text]}))
}

async fn world(db: Database, policy: &str) -> (World, Client) {
    let world = World::with(db, Client::setup(policy)).await;
    let client = Client::of(&world.gateway).await;
    (world, client)
}

fn states(world: &World) -> Vec<String> {
    world.db.lines("SELECT state AS t FROM posts ORDER BY id")
}

/// The page of a post that is not public yet, and what it waits for.
fn waiting(reply: &Reply) -> (String, String) {
    assert_eq!(reply.status, 202, "{}", reply.text());
    (reply.header("location").to_owned(), reply.json()["waits"].as_str().unwrap_or_default().to_owned())
}

async fn changes(client: &Client, url: &str, change: Value) -> Reply {
    let mut body = change;
    (body["action"], body["url"]) = (json!("update"), json!(url));
    client.json(&body).await
}

both! {
    async fn what_was_acknowledged_is_published_once_after_a_kill(db: Database) {
        let (mut world, client) = world(db, "").await;
        // Nothing publishes before the kill: the posts are only on disk.
        world.gateway.kill9();
        world.gateway.launch(Launch::new().roles("web"));
        world.gateway.restart().await;
        let mut pages = Vec::new();
        for n in 1..=3 {
            pages.push(waiting(&client.json(&note(&format!("Bericht {n}"))).await).0);
        }
        world.gateway.kill9();
        assert_eq!(states(&world), ["ready"; 3]);
        world.gateway.launch(Launch::new());
        world.gateway.restart().await;
        for n in 1..=3 {
            world.created(&format!("Bericht {n}")).await;
        }
        // The client never saw the answer, and tries again.
        let again = made(&client.json(&note("Bericht 1")).await);
        assert_eq!(again, pages[0]);
        assert_eq!(world.db.number("SELECT COUNT(*) FROM posts"), 3);
        assert_eq!(world.peer.count("Create"), 3);
    }

    async fn a_repetition_makes_no_second_post(db: Database) {
        let (world, client) = world(db, "").await;
        let first = made(&client.form("h=entry&content=Een+keer").await);
        assert_eq!(made(&client.form("h=entry&content=Een+keer").await), first);
        assert_eq!(made(&client.json(&note("Een keer")).await), first, "in another form it is the same");
        let other = Client::of(&world.gateway).await;
        assert_ne!(made(&other.form("h=entry&content=Een+keer").await), first, "another client means its own");
        // Whoever names a key means it for a day, whatever happens meanwhile.
        let keyed = async |key: &str, text: &str| client.post("application/json", &[("idempotency-key", key)], note(text).to_string().as_bytes()).await;
        let named = made(&keyed("een", "Met een sleutel").await);
        assert_eq!(made(&keyed("een", "Met een sleutel").await), named);
        assert_ne!(made(&keyed("twee", "Met een sleutel").await), named);
        let conflict = keyed("een", "Iets anders").await;
        assert_eq!((conflict.status, &conflict.json()["error"]), (409, &json!("invalid_request")));
        assert_eq!(keyed(&"k".repeat(256), "x").await.status, 400);
        // After some minutes the same text is meant.
        world.db.execute("UPDATE client_requests SET received_at = received_at - 300001");
        assert_ne!(made(&client.form("h=entry&content=Een+keer").await), first);
        assert_eq!(world.db.number("SELECT COUNT(*) FROM posts"), 5);
    }

    async fn two_at_once_make_one_post(db: Database) {
        let (world, client) = world(db, "").await;
        let body = note("Tegelijk");
        let (one, two, three) = tokio::join!(client.json(&body), client.json(&body), client.json(&body));
        assert_eq!(made(&one), made(&two));
        assert_eq!(made(&one), made(&three));
        assert_eq!(world.db.number("SELECT COUNT(*) FROM posts"), 1);
    }

    async fn what_is_deleted_and_written_again_is_a_new_post(db: Database) {
        let (_world, client) = world(db, "").await;
        let first = client.writes(&note("Nog eens")).await;
        assert_eq!(client.json(&json!({"action": "delete", "url": first})).await.status, 204);
        assert_eq!(client.json(&json!({"action": "delete", "url": first})).await.status, 204, "and again");
        assert_ne!(client.writes(&note("Nog eens")).await, first);
    }

    async fn a_date_to_come_is_an_embargo(db: Database) {
        let (world, client) = world(db, "").await;
        let then = Utc::now() + Duration::from_secs(40);
        let picture = world.site.url("/geheim.png");
        let body = entry(json!({
            "content": ["Geheimnis"], "published": [then.to_rfc3339()], "photo": [{"value": picture, "alt": "Geheimbild"}],
        }));
        let (page, waits) = waiting(&client.json(&body).await);
        assert!(waits.contains(&then.format("%Y-%m-%dT%H:%M:%S").to_string()), "{waits}");
        let number = page.rsplit('/').next().unwrap().to_owned();
        // The same as of a post that never was, byte for byte.
        let never = format!("{}", number.parse::<i64>().unwrap() + 1);
        for path in ["/@nieuws/", "/ap/o/", "/ap/x/"] {
            for accept in ["text/html", "application/activity+json"] {
                let seen = get_as(&world.gateway.url(&format!("{path}{number}")), accept).await;
                let unknown = get_as(&world.gateway.url(&format!("{path}{never}")), accept).await;
                assert_eq!((seen.status, seen.text()), (404, unknown.text()), "{path}");
            }
        }
        assert!(world.site.requests("/geheim.png").is_empty(), "its picture is not fetched");
        for path in ["/", "/@nieuws", "/nodeinfo/2.1"] {
            assert!(!get_as(&world.gateway.url(path), "text/html").await.text().contains("Geheimnis"));
        }
        assert!(!world.gateway.log().contains("Geheim") && !world.gateway.log().contains(&number), "{}", world.gateway.log());
        // The editor sees it, and a token that only sends pictures does not.
        assert_eq!(client.source_of(&page).await["properties"]["content"][0], "Geheimnis");
        let sender = Client::scoped(&world.gateway, "media").await;
        assert_eq!(sender.ask(&format!("q=source&url={}", encoded(&page))).await.status, 401);
        assert!(Utc::now() < then, "the machine is too slow for this test");
        let create = world.created("Geheimnis").await;
        assert!(Utc::now() - create.at.elapsed() >= then, "it came too early");
        assert_eq!(create.activity["object"]["attachment"][0]["name"], "Geheimbild");
        assert_eq!(get_as(&page, "text/html").await.status, 200);
    }

    async fn an_embargo_is_moved_by_an_update_and_cancelled_by_a_delete(db: Database) {
        let (world, client) = world(db, "").await;
        let hour = |n: u64| Utc::now() + Duration::from_secs(n * 3_600);
        let write = async |text: &str, at: DateTime<Utc>| {
            waiting(&client.json(&entry(json!({"content": [text], "published": [at.to_rfc3339()]}))).await).0
        };
        let (moved, cancelled) = (write("Verschoven", hour(1)).await, write("Nooit", hour(1)).await);
        let later = hour(2);
        assert_eq!(changes(&client, &moved, json!({"replace": {"published": [later.to_rfc3339()]}})).await.status, 204);
        let due = world.db.number("SELECT MAX(due_at) FROM posts WHERE state = 'embargoed'");
        assert_eq!(due, later.timestamp_millis());
        assert_eq!(client.form(&format!("action=delete&url={}", encoded(&cancelled))).await.status, 204);
        assert_eq!(changes(&client, &moved, json!({"delete": ["published"]})).await.status, 204);
        world.created("Verschoven").await;
        assert_eq!(states(&world), ["published", "withdrawn"]);
        assert_eq!(get(&cancelled).await.status, 404, "it never was");
        assert_eq!(world.peer.count("Create"), 1);
    }

    async fn a_draft_waits_until_its_author_or_a_person_publishes_it(db: Database) {
        let (world, client) = world(db, "").await;
        let (one, waits) = waiting(&client.form("h=entry&content=Nog+niet+af&post-status=draft").await);
        assert!(waits.contains("draft"), "{waits}");
        assert_eq!(get(&one).await.status, 404);
        assert_eq!(changes(&client, &one, json!({"replace": {"post-status": ["published"], "content": ["Nu wel af"]}})).await.status, 204);
        world.created("Nu wel af").await;
        let back = changes(&client, &one, json!({"replace": {"post-status": ["draft"]}})).await;
        assert_eq!(back.status, 400, "what others have is no draft: {}", back.text());

        // A token that may only write drafts writes nothing else.
        let intern = Client::scoped(&world.gateway, "draft").await;
        let (two, _) = waiting(&intern.form("h=entry&content=Van+de+stagiair&post-status=published").await);
        let number = two.rsplit('/').next().unwrap();
        assert_eq!(changes(&intern, &two, json!({"replace": {"post-status": ["published"]}})).await.status, 401);
        world.gateway.cli(&["post", "release", number]).await.well();
        world.created("Van de stagiair").await;
        assert_eq!(changes(&client, &two, json!({"add": {"category": ["nieuw"]}})).await.status, 204, "it is no draft any more");
        assert_eq!(world.db.number("SELECT COUNT(*) FROM posts WHERE state = 'published'"), 2);
    }

    async fn posts_wait_for_approval_and_the_client_is_told(db: Database) {
        let (world, client) = world(db, "approval = true").await;
        let (page, waits) = waiting(&client.json(&note("Ter goedkeuring")).await);
        assert!(waits.contains("approved by a person"), "{waits}");
        assert_eq!(get(&page).await.status, 404);
        world.gateway.cli(&["post", "release", page.rsplit('/').next().unwrap()]).await.well();
        world.created("Ter goedkeuring").await;
        let edit = changes(&client, &page, json!({"replace": {"content": ["Anders"]}})).await;
        assert_eq!(edit.status, 200);
        assert!(edit.json()["waits"].as_str().unwrap().contains("approved by a person"), "{}", edit.text());
        assert!(get_as(&page, "text/html").await.text().contains("Ter goedkeuring"));
    }

    async fn a_flood_is_held_and_the_client_is_told(db: Database) {
        let (world, client) = world(db, "flood_fuse = 2").await;
        for n in 1..=2 {
            client.writes(&note(&format!("Bericht {n}"))).await;
        }
        let (_, waits) = waiting(&client.json(&note("Bericht 3")).await);
        assert!(waits.contains("flood"), "{waits}");
        assert_eq!(world.peer.count("Create") + usize::from(world.db.number("SELECT COUNT(*) FROM posts WHERE state = 'held'") == 1), 3);
    }

    async fn without_a_proof_it_waits_and_then_goes_out(db: Database) {
        let world = World::unfollowed(db, Client::setup("").unproven()).await;
        let client = Client::of(&world.gateway).await;
        let (page, waits) = waiting(&client.json(&note("Nog niet bewezen")).await);
        assert!(waits.contains("proof"), "{waits}");
        assert_eq!(get(&page).await.status, 404);
        world.gateway.cli(&["actor", "verify", "nieuws"]).await;
        let proof = world.gateway.cli(&["actor", "proof", "nieuws"]).await.well().stdout;
        world.site.prove(Some(&proof));
        world.gateway.cli(&["actor", "verify", "nieuws"]).await.well();
        eventually("it is public", || async { (get_as(&page, "text/html").await.status == 200).then_some(()) }).await;
    }

    async fn edits_are_put_together_and_the_client_is_told(db: Database) {
        let source = Client::source("").replace("merge_edits = \"0s\"", "merge_edits = \"1h\"");
        let world = World::with(db, crate::harness::Setup::new().further(&source)).await;
        let client = Client::of(&world.gateway).await;
        let page = client.writes(&note("Eerste")).await;
        assert_eq!(changes(&client, &page, json!({"replace": {"content": ["Tweede"]}})).await.status, 204);
        let third = changes(&client, &page, json!({"replace": {"content": ["Derde"]}})).await;
        assert_eq!(third.status, 200);
        assert!(third.json()["waits"].as_str().unwrap().contains("merge_edits"), "{}", third.text());
        assert!(get_as(&page, "text/html").await.text().contains("Tweede"));
        assert_eq!(client.source_of(&page).await["properties"]["content"][0], "Derde");
    }

    async fn a_change_that_nobody_sees_is_kept_and_not_sent(db: Database) {
        let (world, client) = world(db, "").await;
        let page = client.writes(&note("Onveranderd")).await;
        assert_eq!(changes(&client, &page, json!({"add": {"x-intern": ["7"]}})).await.status, 204);
        assert_eq!(client.source_of(&page).await["properties"]["x-intern"], json!(["7"]));
        assert_eq!(changes(&client, &page, json!({"add": {"x-intern": ["7"]}})).await.status, 204, "twice is once");
        assert_eq!(client.source_of(&page).await["properties"]["x-intern"], json!(["7"]));
        assert_eq!(world.peer.count("Update"), 0);
    }

    async fn two_edits_at_once_lose_nothing(db: Database) {
        let (_world, client) = world(db, "updates_per_day_max = 100").await;
        let page = client.writes(&note("Samen")).await;
        let terms: Vec<String> = (0..4).map(|n| format!("woord{n}")).collect();
        let edits = terms.iter().map(|term| changes(&client, &page, json!({"add": {"category": [term]}})));
        for reply in futures::future::join_all(edits).await {
            assert!(matches!(reply.status, 200 | 204), "{} {}", reply.status, reply.text());
        }
        let properties = client.source_of(&page).await["properties"].clone();
        let mut found: Vec<&str> = properties["category"].as_array().unwrap().iter().map(|t| t.as_str().unwrap()).collect();
        found.sort_unstable();
        assert_eq!(found, terms);
    }

    async fn what_was_undeleted_has_a_new_address_and_answers_to_the_old_one(db: Database) {
        let (world, client) = world(db, "").await;
        let old = client.writes(&entry(json!({"content": ["Terug"], "category": ["a"]}))).await;
        client.form(&format!("action=delete&url={}", encoded(&old))).await;
        let gone = changes(&client, &old, json!({"add": {"category": ["b"]}})).await;
        assert!(gone.status == 400 && gone.text().contains("undelete"), "{}", gone.text());
        let new = made(&client.form(&format!("action=undelete&url={}", encoded(&old))).await);
        assert_eq!(made(&client.form(&format!("action=undelete&url={}", encoded(&old))).await), new, "again is the same");
        assert_eq!(client.source_of(&old).await, client.source_of(&new).await);
        assert_eq!(changes(&client, &old, json!({"replace": {"content": ["Terug en beter"]}})).await.status, 204);
        assert!(get_as(&new, "text/html").await.text().contains("Terug en beter"));
        assert_eq!(get_as(&old, "text/html").await.status, 410);
        assert_eq!(client.form(&format!("action=delete&url={}", encoded(&old))).await.status, 204);
        assert_eq!(get_as(&new, "text/html").await.status, 410);
        until("both Deletes were sent", || world.peer.count("Delete") == 2).await;
    }

    async fn what_a_person_here_withdrew_no_client_brings_back(db: Database) {
        let (world, client) = world(db, "").await;
        let page = client.writes(&note("Fout bericht")).await;
        world.gateway.cli(&["post", "withdraw", page.rsplit('/').next().unwrap()]).await.well();
        eventually("it is gone", || async { (get_as(&page, "text/html").await.status == 410).then_some(()) }).await;
        let reply = client.form(&format!("action=undelete&url={}", encoded(&page))).await;
        assert_eq!((reply.status, &reply.json()["error"]), (403, &json!("forbidden")));
        assert_eq!(world.peer.count("Create"), 1);
    }

    async fn the_same_page_from_the_feed_is_one_post(db: Database) {
        let (world, client) = world(db, "").await;
        let page = client.writes(&entry(json!({"name": ["Dijk houdt"], "content": ["De dijk houdt."], "url": [world.site.page("dijk")]}))).await;
        world.site.publish("dijk", "Dijk houdt", "<p>De dijk houdt.</p>");
        world.site.polled(2).await;
        assert_eq!(world.db.number("SELECT COUNT(*) FROM posts"), 1);
        assert_eq!(get_as(&page, "text/html").await.status, 200);
    }

    async fn who_wrote_is_in_the_audit_log(db: Database) {
        let (world, client) = world(db, "").await;
        let page = client.writes(&note("Genoteerd")).await;
        changes(&client, &page, json!({"replace": {"content": ["Anders"]}})).await;
        client.form(&format!("action=delete&url={}", encoded(&page))).await;
        let acts = world.db.lines("SELECT act AS t FROM audit WHERE who LIKE 'token:%(test)' ORDER BY id");
        assert_eq!(acts, ["item.new", "item.edit", "item.retract"]);
    }
}
