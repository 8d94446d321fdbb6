//! Delivery: who gets what, how often, in what order, and what becomes of it when a server fails. See also
//! `tests/conformance/delivery.rs`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Arrival, Behaviour, Front, Mode, Peer, Reply, Setup, World, both, until};

/// The receipts and inboxes of a host.
async fn receipts(world: &World, peer: &Peer) -> Value {
    world.gateway.cli(&["deliveries", "--host", &peer.authority(), "--json"]).await.well().json()
}

/// The receipt of the activity of that type to a host.
pub async fn receipt(world: &World, peer: &Peer, kind: &str) -> Value {
    let all = receipts(world, peer).await;
    let found = all["deliveries"].as_array().unwrap().iter().find(|receipt| receipt["kind"] == kind).cloned();
    found.unwrap_or_else(|| panic!("no receipt of a {kind}: {all}"))
}

/// The ids of what was taken, but answers to Follows.
fn told(arrivals: &[Arrival]) -> Vec<String> {
    arrivals.iter().filter(|a| a.kind() != "Accept").map(|a| a.id().to_owned()).collect()
}

/// The ids of all public activities, in the order in which they were made.
fn said(world: &World) -> Vec<String> {
    let root = world.gateway.url("/ap/x/");
    world.db.lines(&format!(
        "SELECT '{root}' || CAST(id AS TEXT) AS t FROM activities WHERE post_id IS NOT NULL ORDER BY id"
    ))
}

/// How much is owed to a host.
fn owed_to(world: &World, host: &str) -> usize {
    let owed = world.db.number(&format!(
        "SELECT COUNT(*) FROM deliveries d JOIN inboxes i ON i.id = d.inbox_id WHERE d.state = 0 AND i.{host}"
    ));
    usize::try_from(owed).unwrap()
}

/// Something signed and harmless from that server: a sign of life.
pub async fn speaks(world: &World, peer: &Peer) {
    let account = peer.account("levend");
    account.says(&world.gateway, &account.activity("View", "https://elders.example/1")).await;
}

both! {
    async fn whatever_may_pass_is_tried_again_and_at_once_when_the_server_speaks(db: Database) {
        let world = World::with(db, Setup::new().delivery("timeout = \"2s\"\nlease = \"20s\"")).await;
        let passing = [
            Behaviour::Answer(500),
            Behaviour::Answer(503),
            Behaviour::Answer(408),
            Behaviour::Answer(429),
            Behaviour::Answer(401),
            Behaviour::Answer(302),
            Behaviour::Close,
            Behaviour::Hang,
        ];
        for (n, behaviour) in passing.into_iter().enumerate() {
            let (slug, title) = (format!("n{n}"), format!("Bericht {n}."));
            world.peer.first([behaviour.clone()]);
            world.site.publish(&slug, &title, "<p>Tekst.</p>");
            let failing = || world.db.number("SELECT COUNT(*) FROM inboxes WHERE failing_since IS NOT NULL") == 1;
            until(&format!("{behaviour:?} is a failure"), failing).await;
            let waiting = receipt(&world, &world.peer, "Create").await;
            assert_eq!((&waiting["state"], &waiting["attempts"]), (&json!("owed"), &json!(1)), "{behaviour:?}");
            assert!(waiting["next_at"].is_number() && waiting["error"].is_string(), "{behaviour:?}: {waiting}");
            speaks(&world, &world.peer).await;
            world.created(&title).await;
            until("the inbox is healthy again", || !failing()).await;
        }
        assert_eq!(world.peer.count("Create"), 8);
    }

    async fn what_will_never_pass_is_refused_for_good_and_told(db: Database) {
        let world = World::new(db).await;
        for status in [400, 403, 404, 405, 410, 413, 422] {
            let title = format!("Geweigerd met {status}");
            world.peer.first([Behaviour::Answer(status)]);
            world.site.publish(&format!("n{status}"), &title, "<p>Tekst.</p>");
            let refused = format!("SELECT COUNT(*) FROM deliveries WHERE state = 2 AND status = {status}");
            until(&title, || world.db.number(&refused) == 1).await;
            let receipt = receipt(&world, &world.peer, "Create").await;
            assert_eq!((&receipt["state"], &receipt["status"]), (&json!("refused"), &json!(status)));
            assert_eq!(receipt["attempts"], json!(1));
            assert!(receipt["error"].as_str().unwrap().contains(&status.to_string()), "{receipt}");
        }
        world.published("dijk", "De dijk").await;
        assert_eq!(world.peer.count("Create"), 1, "a refusal does not stand in the way of the next");
    }

    async fn retry_after_is_honoured(db: Database) {
        let world = World::new(db).await;
        world.peer.first([Behaviour::With(Reply::status(429).with("retry-after", "3000"))]);
        world.site.publish("dijk", "De dijk", "<p>Tekst.</p>");
        let due = || world.db.number("SELECT COALESCE(MAX(due_at), 0) FROM inboxes WHERE failures = 1");
        until("the inbox is put off", || due() > 0).await;
        let wait_s = (due() - chrono::Utc::now().timestamp_millis()) / 1_000;
        assert!((2_900..=3_000).contains(&wait_s), "{wait_s} s");
    }

    async fn order_per_inbox_holds_through_failures(db: Database) {
        let world = World::new(db).await;
        let first = world.published("dijk", "De dijk").await.activity["object"]["id"].as_str().unwrap().to_owned();
        world.peer.behaves(Behaviour::Answer(503));
        let made = |n: i64| {
            let count = world.db.number("SELECT COUNT(*) FROM activities WHERE post_id IS NOT NULL");
            (count == n).then_some(())
        };
        world.site.publish("brug", "De brug", "<p>Tekst.</p>");
        until("the second Create is made", || made(2).is_some()).await;
        world.site.edit("dijk", |article| article.title = "De dijk, beter".to_owned());
        until("the Update is made", || made(3).is_some()).await;
        let second = world.db.number("SELECT MAX(id) FROM posts").to_string();
        world.gateway.cli(&["post", "withdraw", &second]).await.well();
        until("the Delete is made", || made(4).is_some()).await;
        world.site.publish("weg", "De weg", "<p>Tekst.</p>");
        until("the third Create is made", || made(5).is_some()).await;

        world.peer.behaves(Behaviour::Answer(202));
        world.peer.first([Behaviour::Answer(202), Behaviour::Answer(500), Behaviour::Answer(202), Behaviour::Close]);
        until("everything came", || {
            if world.db.number("SELECT COUNT(*) FROM inboxes WHERE failing_since IS NOT NULL") == 1 {
                world.db.execute("UPDATE inboxes SET due_at = 1 WHERE due_at IS NOT NULL");
            }
            world.peer.taken().len() == 6
        })
        .await;
        let taken = world.peer.taken();
        assert_eq!(told(&taken), said(&world));
        let kinds: Vec<&str> = taken.iter().map(Arrival::kind).collect();
        assert_eq!(kinds, ["Accept", "Create", "Create", "Update", "Delete", "Create"]);
        assert_eq!(taken[3].activity["object"]["id"], json!(first));
    }

    async fn a_dead_host_costs_one_probe_per_inbox_and_gets_all_when_it_speaks(db: Database) {
        let world = World::new(db).await;
        let dead = Peer::start();
        let accounts: Vec<_> = (0..12).map(|n| dead.lone_account(&format!("volger{n}"))).collect();
        for account in &accounts {
            account.follows(&world.gateway).await;
        }
        dead.behaves(Behaviour::Close);
        for (slug, title) in [("a", "Bericht a."), ("b", "Bericht b."), ("c", "Bericht c.")] {
            world.published(slug, title).await;
        }
        let failing = "SELECT COUNT(*) FROM inboxes WHERE failing_since IS NOT NULL";
        until("all inboxes were tried", || world.db.number(failing) == 12).await;
        until("the breaker is open", || world.db.number("SELECT COUNT(*) FROM hosts WHERE open_until > 1") == 1).await;
        let oldest = said(&world)[0].clone();
        let tried: Vec<Arrival> = dead.arrivals().into_iter().filter(|a| a.kind() == "Create").collect();
        assert!(tried.iter().all(|a| a.id() == oldest), "what comes later waits behind the oldest");
        let shown = receipts(&world, &dead).await;
        assert_eq!(shown["inboxes"].as_array().unwrap().len(), 12);
        assert!(shown["inboxes"].as_array().unwrap().iter().all(|inbox| inbox["failures"].as_i64() > Some(0)));

        dead.behaves(Behaviour::Answer(202));
        accounts[0].says(&world.gateway, &accounts[0].activity("View", "https://elders.example/1")).await;
        until("everything came to all of them", || dead.count("Create") == 36).await;
        for account in &accounts {
            let inbox = format!("{}/inbox", account.id.strip_prefix(&dead.url("")).unwrap());
            let taken: Vec<Arrival> = dead.taken().into_iter().filter(|a| a.inbox == inbox).collect();
            assert_eq!(told(&taken), said(&world), "{inbox}");
        }
        assert_eq!(world.db.number("SELECT COUNT(*) FROM hosts WHERE open_until > 1"), 0, "the breaker is closed");
    }

    async fn a_week_of_a_dead_host_costs_one_row_and_one_probe_at_a_time(db: Database) {
        const DAYS: usize = 9;
        const DAY_MS: i64 = 86_400_000;
        let world = World::new(db).await;
        let behind = Peer::start();
        let front = Front::before(behind.address, Mode::Pass);
        let dead = behind.seen_at(&format!("http://{}", front.address));
        let follower = dead.lone_account("volger");
        follower.follows(&world.gateway).await;
        front.behaves(Mode::Reset);
        let before = front.connections();
        let host = format!("host = '{}'", dead.authority());
        let inbox = |what: &str| world.db.number(&format!("SELECT {what} FROM inboxes WHERE {host}"));
        for day in 0..DAYS {
            // Two posts a day; then the next day comes.
            for n in [2 * day, 2 * day + 1] {
                world.published(&format!("n{n}"), &format!("Bericht {n}.")).await;
            }
            let failures = i64::try_from(day).unwrap() + 1;
            until(&format!("the probe of day {day}"), || inbox("failures") >= failures).await;
            let attempts = i64::try_from(front.connections() - before).unwrap();
            assert_eq!(attempts, inbox("failures"), "day {day}: whatever it is owed, one probe at a time");
            assert!(attempts <= failures + 2, "day {day}: {attempts} probes");
            assert_eq!(inbox("COUNT(*)"), 1);
            assert_eq!(owed_to(&world, &host), 2 * (failures as usize), "all that it is owed is kept");
            if day + 1 == DAYS {
                break; // no probe is to be on its way when the server speaks
            }
            let past = |column: &str| format!("{column} = {column} - {DAY_MS}");
            world.db.execute(&format!(
                "UPDATE deliveries SET {} WHERE state = 0; UPDATE inboxes SET {}, {}, {} WHERE {host}",
                past("created_at"),
                past("due_at"),
                past("failing_since"),
                past("parked_at"),
            ));
        }
        let shown = world.gateway.cli(&["deliveries", "--host", &dead.authority()]).await.well().stdout;
        assert!(shown.contains("1 is parked"), "{shown}");
        front.behaves(Mode::Pass);
        follower.says(&world.gateway, &follower.activity("View", "https://elders.example/1")).await;
        until("it has everything when it speaks", || dead.count("Create") == 2 * DAYS).await;
        assert_eq!(told(&dead.taken()), said(&world), "once and in order");
    }

    async fn a_slow_server_keeps_nobody_else_waiting(db: Database) {
        let world = World::new(db).await;
        let slow = Peer::start();
        slow.account("traag").follows(&world.gateway).await;
        slow.behaves(Behaviour::Slow(Duration::from_secs(4), 202));
        world.published("dijk", "De dijk").await;
        world.published("brug", "De brug").await;
        assert!(slow.count("Create") < 2, "the quick one had both before the slow one");
        until("the slow one has both too", || slow.count("Create") == 2).await;
        assert_eq!(told(&slow.taken()), said(&world));
    }

    async fn a_graceful_stop_records_what_is_under_way_and_loses_nothing(db: Database) {
        let mut world = World::with(db, Setup::new().policy("flood_fuse = 50")).await;
        world.peer.behaves(Behaviour::Slow(Duration::from_millis(400), 202));
        let articles = (0..12).map(|n| crate::harness::Article::new(&format!("n{n}"), &format!("Bericht {n}."), "<p>Tekst.</p>"));
        world.site.add_all(articles);
        until("some came", || world.peer.count("Create") >= 3).await;
        let status = world.gateway.stop().await;
        assert!(status.success(), "{status:?}");
        let recorded = world.db.number(
            "SELECT COUNT(*) FROM deliveries d JOIN activities a ON a.id = d.activity_id WHERE a.kind = 'Create' AND d.state = 1",
        );
        let taken = world.peer.count("Create");
        assert_eq!(usize::try_from(recorded).unwrap(), taken, "what was taken is recorded, and the other way round");
        assert!(taken < 12, "it stopped in the middle");
        world.gateway.restart().await;
        until("the rest came", || world.peer.count("Create") == 12).await;
        until("all is recorded", || world.db.number("SELECT COUNT(*) FROM deliveries WHERE state = 0") == 0).await;
        assert_eq!(told(&world.peer.arrivals()), said(&world), "each once, in order");
    }

    async fn a_signature_that_is_for_benchmarks_alone_is_warned_of_at_the_start(db: Database) {
        const WARNING: &str = "deliveries are signed by RFC 9421 with Ed25519, which most peers refuse";
        let mut world = World::unfollowed(db, Setup::new()).await;
        assert!(!world.gateway.log().contains(WARNING), "{}", world.gateway.log());
        assert!(world.gateway.stop().await.success());
        world.gateway.spawn_with(&["serve"], &[("HERAUT_BENCH_SIGNATURE", "rfc9421-ed25519")]);
        until("it is warned of", || world.gateway.log().contains(WARNING)).await;
    }
}
