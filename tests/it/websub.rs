//! A feed names a hub: what the gateway asks it, what it answers it, and what a follower gets of what it delivers.

use serde_json::Value;

use crate::harness::{
    Article, Asked, Database, FEED, Gateway, Hub, Launch, Peer, Reply, Setup, Site, World, both, eventually, feed,
    get_as, request, until,
};

/// Ten days, as hubs grant.
const LEASE_S: u64 = 864_000;

/// A world whose feed names a hub in its document, polled so often at most.
async fn world_with(db: Database, setup: Setup, name: impl FnOnce(&Site, &Hub)) -> (World, Hub) {
    let (site, peer, hub) = (Site::start(), Peer::start(), Hub::start());
    name(&site, &hub);
    let gateway = setup.start(&db, &site).await;
    let citizen = peer.account("burger");
    citizen.follows(&gateway).await;
    (World { gateway, site, peer, citizen, db }, hub)
}

fn atom(hub: &str, own: &str) -> String {
    format!("<atom:link rel=\"hub\" href=\"{hub}\"/><atom:link rel=\"self\" href=\"{own}\"/>")
}

fn in_document(site: &Site, hub: &Hub) {
    site.names(None, &atom(&hub.url(), &site.url(FEED)));
}

/// Polled once at the start, and then by the hub alone.
async fn quiet(db: Database) -> (World, Hub) {
    world_with(db, Setup::new().every("1h"), in_document).await
}

/// As [`quiet`], with the subscription verified.
async fn live(db: Database) -> (World, Hub, Asked) {
    let (world, hub) = quiet(db).await;
    let asked = hub.is_asked("subscribe", 1).await;
    asked.verify(LEASE_S).await;
    (world, hub, asked)
}

async fn shown(gateway: &Gateway) -> Value {
    gateway.cli(&["source", "show", "persberichten", "--json"]).await.well().json()["websub"].clone()
}

/// Waits until `source show` says this of the subscription.
async fn shows(gateway: &Gateway, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
    eventually(what, || async { Some(shown(gateway).await).filter(&holds) }).await
}

fn state_is(begin: &str) -> impl Fn(&Value) -> bool {
    let begin = begin.to_owned();
    move |shown| shown["state"].as_str().is_some_and(|state| state.starts_with(&begin))
}

fn waiting(db: &Database) -> i64 {
    db.number("SELECT COUNT(*) FROM hook_deliveries WHERE state = 0")
}

async fn metric(world: &World, event: &str, least: f64) {
    let series = format!("heraut_websub_total{{event=\"{event}\"}}");
    eventually(&format!("{series} reaches {least}"), || async {
        world.gateway.metric(&series).await.is_some_and(|value| value >= least).then_some(())
    })
    .await;
}

both! {
    async fn a_hub_in_the_document_is_asked_verified_and_brings_what_a_follower_gets(db: Database) {
        let (world, hub) = quiet(db).await;
        let asked = hub.is_asked("subscribe", 1).await;
        assert_eq!(asked.get("topic"), world.site.url(FEED));
        assert_eq!(asked.get("lease_seconds"), "864000");
        assert!((32..200).contains(&asked.get("secret").len()));
        let callback = asked.get("callback");
        let path = callback.strip_prefix(&world.gateway.url("/websub/")).unwrap();
        assert_eq!(path.len(), 64);
        shows(&world.gateway, "it waits for the hub", state_is("asked")).await;
        asked.verify(LEASE_S).await;
        let told = shown(&world.gateway).await;
        assert_eq!((told["state"].as_str(), told["hub"].as_str()), (Some("live"), Some(hub.url().as_str())));
        assert!(told["lease_until"].is_string() && told["taken"] == "as the feed", "{told}");

        let polls = world.site.polls();
        for (n, method) in ["sha1", "sha256", "sha384", "sha512"].into_iter().enumerate() {
            let title = format!("Bericht nummer {n}.");
            world.site.publish(&format!("b{n}"), &title, "<p>Nieuws.</p>");
            let reply = asked.delivers_by(method, world.site.document().as_bytes()).await;
            assert_eq!(reply.status, 202, "{method}");
            world.created(&title).await;
        }
        assert_eq!(world.site.polls(), polls, "nothing was polled");
        assert_eq!(world.peer.count("Create"), 4);
        let told = shown(&world.gateway).await;
        assert_eq!((told["deliveries"].as_i64(), told["missed"].as_i64()), (Some(4), Some(0)), "{told}");
        let secret = asked.get("secret");
        for text in [world.gateway.log(), world.gateway.metrics().await, told.to_string()] {
            assert!(!text.contains(path) && !text.contains(secret), "a secret is shown");
        }
        assert_eq!(world.db.number(&format!("SELECT COUNT(*) FROM websub_subscriptions WHERE path_hash = '{path}'")), 0);
    }

    async fn a_hub_in_the_link_header_goes_before_the_document(db: Database) {
        let other = Hub::start();
        let (world, hub) = world_with(db, Setup::new().every("1h"), |site, hub| {
            let link = format!("<{}>; rel=\"hub\", <{}>; rel=\"self\"", hub.url(), site.url(FEED));
            site.names(Some(&link), &atom(&other.url(), &site.url("/ander.rss")));
        })
        .await;
        let asked = hub.is_asked("subscribe", 1).await;
        assert_eq!(asked.get("topic"), world.site.url(FEED));
        assert!(other.asked().is_empty());
    }

    async fn json_feeds_and_atom_name_hubs_too(db: Database) {
        let (site, hub) = (Site::start(), Hub::start());
        let json = serde_json::json!({
            "version": "https://jsonfeed.org/version/1.1", "title": "N", "feed_url": site.url("/n.json"),
            "hubs": [{"type": "rssCloud", "url": "http://127.0.0.1:9/"}, {"type": "WebSub", "url": hub.url()}],
            "items": [{"id": "1", "content_text": "Oud."}],
        });
        site.answer("/n.json", Reply::ok("application/feed+json", json.to_string()));
        let entry = "<entry><id>urn:x:1</id><title>Oud</title><updated>2026-01-01T00:00:00Z</updated></entry>";
        let document = format!(
            "<feed xmlns=\"http://www.w3.org/2005/Atom\"><id>urn:x</id><title>N</title><updated>2026-01-01T00:00:00Z</updated>\
             <link rel=\"hub\" href=\"{}\"/><link rel=\"self\" href=\"{}\"/>{entry}</feed>",
            hub.url(),
            site.url("/n.atom"),
        );
        site.answer("/n.atom", Reply::ok("application/atom+xml", document));
        let source = |name: &str| {
            let url = site.url(&format!("/n.{name}"));
            format!("[[source]]\nname = \"{name}\"\nactor = \"nieuws\"\nkind = \"feed\"\nurl = \"{url}\"\n")
        };
        let setup = Setup::new().every("1h").further(&format!("{}{}", source("json"), source("atom")));
        let _gateway = setup.start(&db, &site).await;
        until("both are asked for", || hub.asked().len() == 2).await;
        let mut topics: Vec<String> = hub.asked().iter().map(|asked| asked.get("topic").to_owned()).collect();
        topics.sort();
        assert_eq!(topics, [site.url("/n.atom"), site.url("/n.json")]);
    }

    async fn a_hub_is_confirmed_only_what_it_was_asked(db: Database) {
        let (world, hub) = quiet(db).await;
        let asked = hub.is_asked("subscribe", 1).await;
        let topic = asked.get("topic").to_owned();
        let long = "x".repeat(1_025);
        let good = [("mode", "subscribe"), ("topic", topic.as_str()), ("challenge", "c"), ("lease_seconds", "864000")];
        let with = |name: &'static str, value: &'static str| good.map(|(n, v)| if n == name { (n, value) } else { (n, v) });
        for bad in [
            with("topic", "https://boef.example/"),
            with("mode", "unsubscribe"),
            with("mode", "publish"),
            with("challenge", ""),
            with("challenge", "<script> alert(1)</script>"),
            good.map(|(n, v)| if n == "challenge" { (n, long.as_str()) } else { (n, v) }),
        ] {
            assert_eq!(asked.call(&bad).await.status, 404, "{bad:?}");
        }
        assert_eq!(asked.call(&[]).await.status, 404);
        let elsewhere = world.gateway.url("/websub/0000");
        assert_eq!(get_as(&format!("{elsewhere}?hub.mode=subscribe&hub.topic=x&hub.challenge=c"), "*/*").await.status, 404);
        assert_eq!(request("POST", &elsewhere, &[], b"x").await.status, 404);
        assert_eq!(request("DELETE", asked.get("callback"), &[], b"").await.status, 405);
        // Too late: it was asked more than an hour ago.
        world.db.execute("UPDATE websub_subscriptions SET asked_at = asked_at - 3601000, due_at = due_at + 3600000");
        assert_eq!(asked.call(&good).await.status, 404);
        assert!(state_is("asked")(&shown(&world.gateway).await));
        world.db.execute("UPDATE websub_subscriptions SET asked_at = asked_at + 3601000");
        asked.verify(LEASE_S).await;
        // A hub that makes sure of a subscription that holds is confirmed too; one that wants to end it is not.
        asked.verify(LEASE_S).await;
        assert_eq!(asked.call(&with("mode", "unsubscribe")).await.status, 404);
        metric(&world, "unasked", 1.0).await;
        metric(&world, "confirmed", 2.0).await;
        metric(&world, "unknown", 2.0).await;
    }

    async fn a_hub_that_denies_is_told_of_and_the_source_is_polled_as_usual(db: Database) {
        let (world, _, asked) = live(db).await;
        let polls = world.site.polls();
        let topic = asked.get("topic").to_owned();
        assert_eq!(asked.call(&[("mode", "denied"), ("topic", "https://boef.example/")]).await.status, 404);
        assert!(state_is("live")(&shown(&world.gateway).await));
        let denied = [("mode", "denied"), ("topic", topic.as_str()), ("reason", "geen plaats\u{7}")];
        assert_eq!(asked.call(&denied).await.status, 200);
        let told = shown(&world.gateway).await;
        assert_eq!(told["problem"], "the hub denied the subscription: geen plaats", "{told}");
        assert!(state_is("failing")(&told) && told["lease_until"].is_null(), "{told}");
        until("it is polled at once", || world.site.polls() > polls).await;
        assert!(world.gateway.log().contains("a hub denied a subscription"));
    }

    async fn a_lease_is_renewed_before_it_ends_under_the_same_address(db: Database) {
        let (world, hub, asked) = live(db).await;
        let share = world.db.number(
            "SELECT (due_at - live_since) * 100 / (holds_until - live_since) FROM websub_subscriptions",
        );
        assert!((70..=80).contains(&share), "{share} % of the lease");
        world.db.execute("UPDATE websub_subscriptions SET due_at = 0");
        let again = hub.is_asked("subscribe", 2).await;
        assert_eq!((again.get("callback"), again.get("secret")), (asked.get("callback"), asked.get("secret")));
        assert!(state_is("live")(&shown(&world.gateway).await), "it holds meanwhile");
        again.verify(600).await;
        shows(&world.gateway, "the lease is the new one", |told| told["problem"].is_null()).await;
        // A renewal that fails leaves what holds until its end, and then polls.
        hub.answers(Reply::status(503));
        world.db.execute("UPDATE websub_subscriptions SET due_at = 0");
        hub.is_asked("subscribe", 3).await;
        let told = shows(&world.gateway, "it failed", |told| told["problem"].is_string()).await;
        assert!(state_is("live")(&told) && told["problem"].as_str().unwrap().contains("503"), "{told}");
        let polls = world.site.polls();
        world.db.execute("UPDATE websub_subscriptions SET holds_until = 1, due_at = 0");
        shows(&world.gateway, "it lapsed", state_is("failing")).await;
        until("it is polled", || world.site.polls() > polls).await;
        assert!(world.gateway.log().contains("a subscription ended and was not renewed"));
    }

    async fn a_hub_that_grants_too_little_or_is_silent_or_away_leaves_the_source_polled(db: Database) {
        let (world, hub) = quiet(db).await;
        let asked = hub.is_asked("subscribe", 1).await;
        asked.verify(299).await;
        let told = shown(&world.gateway).await;
        assert!(state_is("failing")(&told) && told["problem"].as_str().unwrap().contains("299 s"), "{told}");
        // Silent: it took the request and does not come.
        world.db.execute("UPDATE websub_subscriptions SET due_at = 0");
        let noted = || world.db.number("SELECT COALESCE(MAX(due_at - asked_at), 0) FROM websub_subscriptions") == 3_600_000;
        hub.is_asked("subscribe", 2).await;
        until("the hub has an hour", noted).await;
        assert!(state_is("asked")(&shown(&world.gateway).await));
        world.db.execute("UPDATE websub_subscriptions SET due_at = 0, asked_at = asked_at - 3600000");
        let told = shows(&world.gateway, "it waited long enough", state_is("failing")).await;
        assert!(told["problem"].as_str().unwrap().contains("did not come to verify"), "{told}");
        // Broken off, as by a kill: it is asked again before the hour is over.
        world.db.execute("UPDATE websub_subscriptions SET due_at = 0");
        hub.is_asked("subscribe", 3).await;
        until("the hub has an hour", noted).await;
        world.db.execute("UPDATE websub_subscriptions SET due_at = 0");
        hub.is_asked("subscribe", 4).await;
        until("the hub has an hour", noted).await;
        world.db.execute("UPDATE websub_subscriptions SET asked_at = NULL");
        // Away.
        for (n, reply) in [Reply::status(500), Reply::redirect(302, "http://127.0.0.1:9/")].into_iter().enumerate() {
            let status = reply.status.to_string();
            hub.answers(reply);
            world.db.execute("UPDATE websub_subscriptions SET due_at = 0");
            hub.is_asked("subscribe", 5 + n).await;
            shows(&world.gateway, "it says why", |told| told["problem"].as_str().is_some_and(|p| p.contains(&status))).await;
        }
        let wait = world.db.number("SELECT (due_at - created_at) / 60000 FROM websub_subscriptions");
        assert!(wait >= 120, "back-off: {wait} minutes after four failures");
    }

    async fn a_hub_may_move_but_not_to_where_nothing_may_be_reached(db: Database) {
        let moved = Hub::start();
        let (world, hub) = world_with(db, Setup::new().every("1h"), |site, hub| {
            hub.answers(Reply::redirect(308, &moved.url()));
            in_document(site, hub);
        })
        .await;
        let asked = moved.is_asked("subscribe", 1).await;
        assert_eq!(asked.get("topic"), world.site.url(FEED));
        hub.answers(Reply::redirect(307, "http://169.254.169.254/latest/meta-data/"));
        world.db.execute("UPDATE websub_subscriptions SET due_at = 0, asked_at = NULL");
        let told = shows(&world.gateway, "it says why not", state_is("failing")).await;
        assert!(told["problem"].as_str().unwrap().contains("169.254.169.254"), "{told}");
        // A feed may name whatever it likes.
        world.site.names(None, &atom("http://169.254.169.254/hub", &world.site.url(FEED)));
        assert_eq!(world.gateway.cli(&["source", "poll", "persberichten"]).await.code, 0);
        let told = shows(&world.gateway, "the new hub is refused", |told| {
            told["hub"] == "http://169.254.169.254/hub" && told["problem"].is_string()
        })
        .await;
        assert!(told["problem"].as_str().unwrap().contains("net.allow_addresses"), "{told}");
    }

    async fn what_is_not_signed_as_it_should_be_is_ignored_told_and_polled(db: Database) {
        let (world, _, asked) = live(db).await;
        let lie = feed(&world.site.authority(), &[Article::new("leugen", "Een leugen.", "<p>Niet waar.</p>")]);
        let signature = asked.signature("sha256", b"something else");
        let polls = world.site.polls();
        for headers in [
            vec![("content-type", "application/rss+xml"), ("x-hub-signature", signature.as_str())],
            vec![("content-type", "application/rss+xml")],
            vec![("content-type", "application/rss+xml"), ("x-hub-signature", "md5=00")],
        ] {
            assert_eq!(asked.posts(&headers, lie.as_bytes()).await.status, 202, "{headers:?}");
        }
        let told = shown(&world.gateway).await;
        assert_eq!((told["refusals"].as_i64(), told["deliveries"].as_i64()), (Some(3), Some(0)), "{told}");
        assert!(told["last_refusal"]["why"].as_str().unwrap().contains("x-hub-signature"), "{told}");
        metric(&world, "unverified", 3.0).await;
        until("the source is looked at", || world.site.polls() > polls).await;
        assert_eq!(world.db.number("SELECT COUNT(*) FROM hook_deliveries"), 0);
        assert!(world.gateway.log().contains("a delivery of a hub was not taken in"));
        assert_eq!(world.peer.count("Create"), 0);
    }

    async fn what_can_be_no_feed_or_is_too_large_is_refused_and_polled(db: Database) {
        let (world, _, asked) = live(db).await;
        world.site.publish("groot", "Een groot bericht.", "<p>Groot.</p>");
        let large = vec![b' '; 2 * 1024 * 1024 + 1];
        assert_eq!(asked.delivers_by("sha256", &large).await.status, 413);
        world.created("Een groot bericht.").await;
        let body = world.site.document();
        let signature = asked.signature("sha256", body.as_bytes());
        let reply = asked.posts(&[("content-type", "image/png"), ("x-hub-signature", &signature)], body.as_bytes()).await;
        assert_eq!(reply.status, 415);
        // At the limit it is taken.
        let mut large = body.into_bytes();
        large.resize(2 * 1024 * 1024, b'\n');
        assert_eq!(asked.delivers_by("sha256", &large).await.status, 202);
        // What turns out to be none is acknowledged, because it is stored, and told.
        world.site.publish("later", "Een later bericht.", "<p>Later.</p>");
        assert_eq!(asked.delivers_by("sha256", b"<html><p>Onderhoud").await.status, 202);
        world.created("Een later bericht.").await;
        let listed = world.gateway.cli(&["source", "deliveries", "persberichten", "--json"]).await.well().json();
        let failed = listed.as_array().unwrap().iter().find(|line| line["state"] == "failed").unwrap().clone();
        assert_eq!(failed["verified_by"], "hub");
        assert!(failed["outcome"].as_str().unwrap().contains("the source was polled instead"), "{failed}");
        assert_eq!(world.peer.count("Create"), 2);
    }

    async fn what_is_delivered_and_polled_is_published_once_and_a_part_withdraws_nothing(db: Database) {
        let (world, _, asked) = live(db).await;
        let host = world.site.authority();
        let (one, two) = (Article::new("een", "Nummer een.", "<p>1.</p>"), Article::new("twee", "Nummer twee.", "<p>2.</p>"));
        world.site.add_all([one.clone(), two.clone()]);
        asked.delivers(&world.site.document()).await;
        let first = world.created("Nummer een.").await;
        world.created("Nummer twee.").await;
        // Only the new entry, and marked as if that were all there is.
        let three = Article::new("drie", "Nummer drie.", "<p>3.</p>");
        let part = feed(&host, std::slice::from_ref(&three));
        let complete = "xmlns:fh=\"http://purl.org/syndication/history/1.0\"><channel><fh:complete/>";
        asked.delivers(&part.replacen("><channel>", &format!(" {complete}"), 1)).await;
        world.created("Nummer drie.").await;
        world.site.add(three);
        let edited = Article { title: "Nummer een, verbeterd.".to_owned(), ..one };
        asked.delivers(&feed(&host, &[edited])).await;
        world.site.edit("een", |article| article.title = "Nummer een, verbeterd.".to_owned());
        world.told("Update", first.activity["object"]["id"].as_str().unwrap(), 1).await;
        let polls = world.site.polls();
        assert_eq!(world.gateway.cli(&["source", "poll", "persberichten"]).await.code, 0);
        until("it is polled", || world.site.polls() > polls).await;
        eventually("the poll is recorded", || async {
            let due = world.db.number("SELECT COUNT(*) FROM sources WHERE lease_until = 0 AND due_at > polled_at");
            (due == 1).then_some(())
        })
        .await;
        let counts = ["Create", "Update", "Delete"].map(|kind| world.peer.count(kind));
        assert_eq!(counts, [3, 1, 0]);
        assert_eq!(shown(&world.gateway).await["missed"], 0);
    }

    async fn the_same_bytes_again_make_the_gateway_look_at_the_feed(db: Database) {
        let (world, _, asked) = live(db).await;
        world.site.publish("een", "Eerste versie.", "<p>1.</p>");
        let first = world.site.document();
        asked.delivers(&first).await;
        let object = world.created("Eerste versie.").await.activity["object"]["id"].as_str().unwrap().to_owned();
        world.site.edit("een", |article| article.title = "Tweede versie.".to_owned());
        asked.delivers(&world.site.document()).await;
        world.told("Update", &object, 1).await;
        // A late repetition must not bring back the older text: the feed says what holds.
        let polls = world.site.polls();
        asked.delivers(&first).await;
        until("the feed is looked at", || world.site.polls() > polls).await;
        until("nothing waits", || waiting(&world.db) == 0).await;
        assert_eq!(world.peer.count("Update"), 1);
        metric(&world, "known", 1.0).await;
    }

    async fn what_a_hub_says_of_another_document_only_makes_the_gateway_look(db: Database) {
        let (world, hub) = world_with(db, Setup::new().every("1h"), |site, hub| {
            site.names(None, &atom(&hub.url(), "http://127.0.0.1:9/andermans.rss"));
        })
        .await;
        let asked = hub.is_asked("subscribe", 1).await;
        assert_eq!(asked.get("topic"), "http://127.0.0.1:9/andermans.rss");
        asked.verify(LEASE_S).await;
        let lie = feed(&world.site.authority(), &[Article::new("leugen", "Andermans nieuws.", "<p>Van een ander.</p>")]);
        world.site.publish("eigen", "Eigen nieuws.", "<p>Van ons.</p>");
        asked.delivers(&lie).await;
        world.created("Eigen nieuws.").await;
        until("nothing waits", || waiting(&world.db) == 0).await;
        assert_eq!(world.peer.count("Create"), 1);
        let told = shown(&world.gateway).await;
        assert!(told["taken"].as_str().unwrap().starts_with("as a hint"), "{told}");
        assert_eq!(told["missed"], 0, "the hub brought it about");
    }

    async fn while_a_hub_tells_the_source_is_polled_rarely_and_when_it_fails_as_usual(db: Database) {
        let (world, hub) = world_with(db, Setup::new(), in_document).await;
        let asked = hub.is_asked("subscribe", 1).await;
        asked.verify(LEASE_S).await;
        let far = "SELECT COUNT(*) FROM sources WHERE due_at > polled_at + 14000000 AND due_at <= polled_at + 14400000";
        until("the next poll is in four hours", || world.db.number(far) == 1).await;
        // The hub is lost: the poll that finds out is told of, and the source is polled each second again.
        world.site.publish("stil", "Stil nieuws.", "<p>De hub zwijgt.</p>");
        assert_eq!(world.gateway.cli(&["source", "poll", "persberichten"]).await.code, 0);
        world.created("Stil nieuws.").await;
        let told = shows(&world.gateway, "it is counted", |told| told["missed"] == 1).await;
        assert!(state_is("live, but")(&told), "{told}");
        world.site.polled(3).await;
        assert!(world.gateway.log().contains("a poll found what the hub did not bring"));
        metric(&world, "missed", 1.0).await;
        // It is believed again as soon as it delivers.
        world.site.publish("weer", "De hub is er weer.", "<p>Weer.</p>");
        asked.delivers(&world.site.document()).await;
        world.created("De hub is er weer.").await;
        until("the next poll is in four hours", || world.db.number(far) == 1).await;
    }

    async fn what_came_while_a_poll_was_under_way_has_it_repeated(db: Database) {
        let (world, _, _) = live(db).await;
        let polls = world.site.polls();
        // As if the hub had delivered between the fetch and its record.
        let soon = chrono::Utc::now().timestamp_millis() + 8_000;
        world.db.execute(&format!("UPDATE websub_subscriptions SET delivered_at = {soon}"));
        assert_eq!(world.gateway.cli(&["source", "poll", "persberichten"]).await.code, 0);
        until("it was polled twice", || world.site.polls() >= polls + 2).await;
    }

    async fn a_feed_that_names_ever_other_hubs_is_polled_as_usual(db: Database) {
        let (world, hub, _) = live(db).await;
        // As if it had begun 23 others today.
        let copies: String = (1..=23)
            .map(|n| {
                format!(
                    "INSERT INTO websub_subscriptions (id, source_id, hub, topic, whole, path_hash, sealed, wanted, created_at, \
                     ended_at, due_at) SELECT {n}, source_id, hub, topic, whole, 'hash {n}', sealed, false, created_at, \
                     created_at, due_at FROM websub_subscriptions WHERE wanted; "
                )
            })
            .collect();
        world.db.execute(&copies);
        let other = Hub::start();
        world.site.names(None, &atom(&other.url(), &world.site.url(FEED)));
        assert_eq!(world.gateway.cli(&["source", "poll", "persberichten"]).await.code, 0);
        hub.is_asked("unsubscribe", 1).await.verify(LEASE_S).await;
        assert!(world.gateway.log().contains("the source names ever other hubs"));
        let polls = world.site.polls();
        assert_eq!(world.gateway.cli(&["source", "poll", "persberichten"]).await.code, 0);
        until("it is polled", || world.site.polls() > polls).await;
        assert!(other.asked().is_empty());
    }

    async fn a_cron_line_is_kept_whatever_a_hub_says(db: Database) {
        let (site, hub) = (Site::start(), Hub::start());
        in_document(&site, &hub);
        let source = format!(
            "[[source]]\nname = \"uurlijks\"\nactor = \"nieuws\"\nkind = \"feed\"\nurl = \"{}\"\ncron = \"* * * * *\"\n",
            site.url("/cron.rss")
        );
        let document = site.document().replace(&site.url(FEED), &site.url("/cron.rss"));
        site.answer("/cron.rss", Reply::ok("application/rss+xml", document));
        site.names(None, "");
        let gateway = Setup::new().every("1h").further(&source).start(&db, &site).await;
        let asked = hub.is_asked("subscribe", 1).await;
        asked.verify(LEASE_S).await;
        assert_eq!(gateway.cli(&["source", "poll", "uurlijks"]).await.code, 0);
        until("it was polled again", || site.requests("/cron.rss").len() >= 2).await;
        let soon = "SELECT COUNT(*) FROM sources WHERE name = 'uurlijks' AND due_at <= polled_at + 60000";
        until("the next poll is within a minute", || db.number(soon) == 1).await;
    }

    async fn a_subscription_is_ended_when_the_feed_names_another_hub_or_none(db: Database) {
        let (world, hub, asked) = live(db).await;
        let other = Hub::start();
        world.site.names(None, &atom(&other.url(), &world.site.url(FEED)));
        let poll = || async { assert_eq!(world.gateway.cli(&["source", "poll", "persberichten"]).await.code, 0) };
        poll().await;
        let fresh = other.is_asked("subscribe", 1).await;
        assert_ne!(fresh.get("callback"), asked.get("callback"));
        let leaving = hub.is_asked("unsubscribe", 1).await;
        assert_eq!((leaving.get("callback"), leaving.get("topic")), (asked.get("callback"), asked.get("topic")));
        assert_eq!(asked.delivers_by("sha256", world.site.document().as_bytes()).await.status, 410);
        leaving.verify(LEASE_S).await;
        assert_eq!(asked.delivers_by("sha256", world.site.document().as_bytes()).await.status, 410);
        fresh.verify(LEASE_S).await;
        assert_eq!(world.db.number("SELECT COUNT(*) FROM websub_subscriptions WHERE ended_at IS NOT NULL"), 1);
        world.site.names(None, "");
        poll().await;
        other.is_asked("unsubscribe", 1).await.verify(LEASE_S).await;
        shows(&world.gateway, "it is over", state_is("over")).await;
        metric(&world, "over", 2.0).await;
    }

    async fn a_source_that_is_switched_off_or_wants_no_hub_ends_its_subscription(db: Database) {
        let (mut world, hub, asked) = live(db).await;
        let config = world.gateway.folder().join("config.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        let with = |key: &str| text.replace("every = \"1h\"\n", &format!("every = \"1h\"\n{key}\n"));
        std::fs::write(&config, with("websub = false")).unwrap();
        world.gateway.stop().await;
        world.gateway.restart().await;
        hub.is_asked("unsubscribe", 1).await.verify(LEASE_S).await;
        assert_eq!(asked.delivers_by("sha256", b"x").await.status, 410);
        shows(&world.gateway, "it is off", state_is("off")).await;
        std::fs::write(&config, &text).unwrap();
        world.gateway.stop().await;
        world.gateway.restart().await;
        let again = hub.is_asked("subscribe", 2).await;
        assert_ne!(again.get("callback"), asked.get("callback"));
        again.verify(LEASE_S).await;
        std::fs::write(&config, with("enabled = false")).unwrap();
        world.gateway.stop().await;
        // The hub has lost it meanwhile.
        hub.answers(Reply::status(410));
        world.gateway.restart().await;
        hub.is_asked("unsubscribe", 2).await;
        shows(&world.gateway, "it is over", state_is("over")).await;
    }

    async fn what_was_acknowledged_is_published_once_after_a_kill(db: Database) {
        let (mut world, hub, asked) = live(db).await;
        world.gateway.kill9();
        world.gateway.launch(Launch::new().roles("web"));
        world.gateway.restart().await;
        for n in 1..=3 {
            world.site.publish(&format!("b{n}"), &format!("Bericht {n}."), "<p>Nieuws.</p>");
            asked.delivers(&world.site.document()).await;
        }
        world.gateway.kill9();
        assert_eq!(waiting(&world.db), 3);
        // The feed is away: what is published is what was delivered.
        world.site.answer(FEED, Reply::status(503));
        world.gateway.launch(Launch::new());
        world.gateway.restart().await;
        for n in 1..=3 {
            world.created(&format!("Bericht {n}.")).await;
        }
        until("nothing waits", || waiting(&world.db) == 0).await;
        assert_eq!((world.peer.count("Create"), world.db.number("SELECT COUNT(*) FROM posts")), (3, 3));
        assert!(state_is("live")(&shown(&world.gateway).await));
        assert_eq!(hub.asked().len(), 1, "a restart does not ask again");
    }

    async fn no_more_may_wait_than_is_worked_off_and_the_rest_is_looked_for(db: Database) {
        let (mut world, _, asked) = live(db).await;
        world.gateway.kill9();
        world.gateway.launch(Launch::new().roles("web"));
        world.gateway.restart().await;
        for n in 1..=21 {
            world.site.publish(&format!("b{n}"), &format!("Bericht nummer {n}."), "<p>Nieuws.</p>");
            let reply = asked.delivers_by("sha256", world.site.document().as_bytes()).await;
            let wanted = if n <= 20 { (202, "") } else { (429, "60") };
            assert_eq!((reply.status, reply.header("retry-after")), wanted, "{n}");
        }
        assert_eq!(waiting(&world.db), 20);
        let soon = chrono::Utc::now().timestamp_millis() + 10_000;
        assert_eq!(world.db.number(&format!("SELECT COUNT(*) FROM sources WHERE due_at <= {soon}")), 1, "it is looked at");
    }

    async fn what_was_told_while_nobody_was_there_is_looked_for_at_the_start(db: Database) {
        let (mut world, _, asked) = live(db).await;
        world.gateway.kill9();
        world.site.publish("gemist", "Gemist bericht.", "<p>Gemist.</p>");
        assert!(asked.tries_to_deliver(world.site.document().as_bytes()).await.is_none());
        world.gateway.restart().await;
        world.created("Gemist bericht.").await;
    }
}

#[test]
fn several_processes_ask_a_hub_once() {
    crate::harness::run(
        |db| async move {
            let (world, hub, _) = live(db).await;
            let others: Vec<_> =
                (0..3).map(|n| world.gateway.beside(&format!("ingest-{n}"), &Launch::new().roles("ingest"))).collect();
            until("all are at the database", || others.iter().all(|process| process.ports().len() >= 2)).await;
            for n in 2..=6 {
                world.db.execute("UPDATE websub_subscriptions SET due_at = 0, asked_at = NULL");
                let again = hub.is_asked("subscribe", n).await;
                again.verify(LEASE_S).await;
                until("the lease of the work has ended", || {
                    world.db.number("SELECT COUNT(*) FROM websub_subscriptions WHERE lease_until > 0") == 0
                })
                .await;
                assert_eq!(hub.asked().len(), n, "each time once");
            }
        },
        crate::harness::Kind::Postgres,
    );
}
