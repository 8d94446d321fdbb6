//! How a source is polled: what is asked for, what is made of the answers, and when to come back.

use heraut::time::Timestamp;
use serde_json::{Value, json};

use crate::harness::{Database, Gateway, Reply, Setup, World, both, eventually, get, until};

const FEED: &str = "/nieuws.rss";

async fn source(gateway: &Gateway) -> Value {
    gateway.cli(&["source", "show", "persberichten", "--json"]).await.well().json()
}

fn now_ms() -> i64 {
    chrono::Utc::now().timestamp_millis()
}

/// As if the pages that were seen to be gone had been so six hours before.
const SIX_HOURS_LATER: &str = "UPDATE items SET gone_at = gone_at - 21600000, gone_check_at = gone_check_at - 21600000 \
                               WHERE gone_at IS NOT NULL";

/// A published post, and its page that was looked for once and was gone; the second look is six hours later.
async fn seen_gone_once(db: Database) -> (World, String) {
    let setup = Setup::new().policy("retract_on_gone = true\ngone_after = \"6h\"");
    let world = World::with(db, setup).await;
    let id = world.published("dijk", "De dijk").await.activity["object"]["id"].as_str().unwrap().to_owned();
    world.site.withdraw("dijk");
    let seen_gone = || world.db.number("SELECT COUNT(*) FROM items WHERE gone_at IS NOT NULL") == 1;
    until("the page is seen to be gone", seen_gone).await;
    (world, id)
}

both! {
    async fn validators_are_sent_back_byte_for_byte_and_304_changes_nothing(db: Database) {
        let world = World::new(db).await;
        // Neither is well-formed; both are what servers send.
        let (etag, modified) = ("W/\"6a-5f==;gzip\"x", "Wed, 18 Nov 2026 9:05:03 +0100");
        world.site.validate(etag, modified);
        let asked_with = |name: &'static str, value: &'static str| {
            let requests = world.site.requests(FEED);
            requests.iter().filter(|request| request.header(name) == Some(value)).count()
        };
        until("the validators come back", || asked_with("if-none-match", etag) >= 2).await;
        assert!(asked_with("if-modified-since", modified) >= 2);
        let healthy = world.db.number("SELECT COUNT(*) FROM sources WHERE failures = 0 AND etag IS NOT NULL");
        assert_eq!(healthy, 1, "304 is no failure");

        world.site.publish("dijk", "De dijk", "<p>Tekst.</p>");
        world.site.validate("\"2\"", modified);
        world.created("De dijk").await;
        until("the new validator comes back", || asked_with("if-none-match", "\"2\"") >= 1).await;
    }

    async fn retry_after_puts_the_next_poll_off(db: Database) {
        let world = World::new(db).await;
        world.site.answer(FEED, Reply::status(503).with("retry-after", "7200"));
        let due = eventually("the source waits", || async {
            let due = world.db.number("SELECT due_at FROM sources WHERE failures = 1 UNION SELECT 0 ORDER BY 1 DESC LIMIT 1");
            (due > 0).then_some(due)
        })
        .await;
        let wait_s = (due - now_ms()) / 1_000;
        assert!((7_100..=7_300).contains(&wait_s), "the next poll is in {wait_s} s");
        let shown = source(&world.gateway).await.to_string();
        assert!(shown.contains("503"), "an operator is told: {shown}");
    }

    async fn a_feed_that_is_no_feed_any_more_is_an_error_and_withdraws_nothing(db: Database) {
        let setup = Setup::new().policy("retract_on_gone = true\ngone_after = \"1s\"");
        let world = World::with(db, setup).await;
        let id = world.published("dijk", "De dijk").await.activity["object"]["id"].as_str().unwrap().to_owned();
        let empty = "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>Leeg</title>\
                     <link>http://x.example/</link><description>-</description></channel></rss>";
        let html = "<!doctype html><html><title>Onderhoud</title><p>Wij zijn zo terug.</p></html>";
        let bodies = [("text/html", html), ("application/rss+xml", empty), ("application/rss+xml", ""), ("text/xml", html)];
        for (media_type, body) in bodies {
            let failed = || world.db.number("SELECT failures FROM sources") > 0;
            world.site.answer(FEED, Reply::ok(media_type, body));
            until(&format!("`{body}` is an error"), failed).await;
            assert_ne!(source(&world.gateway).await["progress"]["failure"], Value::Null);
            world.site.as_usual(FEED);
            world.gateway.cli(&["source", "poll", "persberichten"]).await.well();
            until("the feed is read again", || !failed()).await;
        }
        world.published("brug", "De brug").await;
        assert_eq!((get(&id).await.status, world.peer.count("Delete")), (200, 0));
    }

    async fn a_page_must_be_gone_twice_before_its_post_is_withdrawn(db: Database) {
        let (world, id) = seen_gone_once(db).await;
        world.site.polled(2).await;
        assert_eq!(world.site.requests("/nieuws/dijk").len(), 1, "once is looked, and then in six hours");
        assert_eq!((get(&id).await.status, world.peer.count("Delete")), (200, 0));

        world.db.execute(SIX_HOURS_LATER);
        world.told("Delete", &id, 1).await;
        assert_eq!(world.site.requests("/nieuws/dijk").len(), 2);
    }

    async fn validators_of_a_document_that_changed_just_before_it_was_sent_are_not_sent_back(db: Database) {
        let world = World::new(db).await;
        let document = world.site.document();
        let modified = "Mon, 23 Nov 2026 09:00:00 GMT";
        for (sent, believed) in [("Mon, 23 Nov 2026 09:00:59 GMT", false), ("Mon, 23 Nov 2026 09:01:00 GMT", true)] {
            let reply = Reply::ok("application/rss+xml", document.clone());
            let reply = reply.with("etag", "\"1\"").with("last-modified", modified).with("date", sent);
            world.site.answer(FEED, reply);
            world.site.polled(3).await;
            let asked = world.site.requests(FEED).pop().unwrap();
            assert_eq!(asked.header("if-none-match").is_some(), believed, "sent at {sent}");
            assert_eq!(asked.header("if-modified-since").is_some(), believed, "sent at {sent}");
        }
    }

    async fn a_page_that_two_polls_find_gone_at_once_is_withdrawn_once(db: Database) {
        let (world, id) = seen_gone_once(db).await;

        let page = "/nieuws/dijk";
        world.site.lets_wait(Some(page));
        world.db.execute(SIX_HOURS_LATER);
        until("several polls look at it at once", || world.site.requests(page).len() >= 4).await;
        world.site.lets_wait(None);
        world.told("Delete", &id, 1).await;
        world.site.polled(2).await;
        assert_eq!((get(&id).await.status, world.peer.count("Delete")), (410, 1));
        let acts = "SELECT COUNT(*) FROM audit WHERE act = 'item.gone'";
        assert_eq!(world.db.number(acts), 1, "nor is it noted twice");
    }

    async fn an_item_that_only_left_its_feed_stays_published(db: Database) {
        let setup = Setup::new().policy("retract_on_gone = true\ngone_after = \"1s\"");
        let world = World::with(db, setup).await;
        let id = world.published("dijk", "De dijk").await.activity["object"]["id"].as_str().unwrap().to_owned();
        world.site.drop_from_feed("dijk");
        until("its page is looked at", || !world.site.requests("/nieuws/dijk").is_empty()).await;
        world.site.polled(3).await;
        assert_eq!((get(&id).await.status, world.peer.count("Delete")), (200, 0));
    }

    async fn a_feed_that_is_gone_for_good_is_polled_no_more_until_a_person_says_so(db: Database) {
        let world = World::new(db).await;
        world.site.answer(FEED, Reply::status(410));
        until("the source stops", || world.db.number("SELECT COUNT(*) FROM sources WHERE stopped IS NOT NULL") == 1).await;
        world.site.as_usual(FEED);
        let due = Timestamp(world.db.number("SELECT due_at FROM sources"));
        assert!(due.0 > now_ms() + 86_400_000, "it is next due at {due}");
        world.gateway.cli(&["source", "poll", "persberichten"]).await.well();
        world.published("dijk", "De dijk").await;
    }

    async fn a_preview_shows_what_would_be_published_and_publishes_nothing(db: Database) {
        let world = World::with(db, Setup::new().every("7d")).await;
        world.site.publish("dijk", "De dijk houdt stand", "<p>Het water <b>zakt</b>.</p>");
        let shown = world.gateway.cli(&["source", "preview", "persberichten", "--json"]).await.well().json();
        let titles: Vec<&Value> = shown["items"].as_array().unwrap().iter().map(|item| &item["title"]).collect();
        assert_eq!(titles, [&json!("De dijk houdt stand"), &json!("Oud nieuws")]);
        assert!(shown["posts"].to_string().contains("De dijk houdt stand"), "{shown}");
        assert_eq!(world.db.number("SELECT COUNT(*) FROM posts"), 0);
    }
}
