//! Items that are odd: a clear line for the operator, and nothing is published by accident.

use std::io::Write as _;
use std::time::Duration;

use chrono::Utc;
use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use serde_json::{Value, json};

use crate::harness::{Article, Cms, FEED, Reply, Setup, World, both, eventually, feed, get, until};

fn rss(world: &World, articles: &[Article]) -> String {
    feed(&world.site.authority(), articles)
}

fn answer(world: &World, body: String) {
    world.site.answer(FEED, Reply::ok("application/xml", body));
}

async fn posts(world: &World) -> Vec<Value> {
    world.gateway.cli(&["post", "list", "--json"]).await.well().json().as_array().unwrap().clone()
}

/// A PNG of 100 megapixels: 10,000 by 10,000, in a few kilobytes.
fn bomb() -> Vec<u8> {
    fn chunk(kind: &[u8], data: &[u8]) -> Vec<u8> {
        let mut crc = Crc::new();
        crc.update(&[kind, data].concat());
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        [&length[..], kind, data, &crc.sum().to_be_bytes()].concat()
    }
    let side = 10_000_u32.to_be_bytes();
    let header = chunk(b"IHDR", &[&side[..], &side, &[1, 0, 0, 0, 0]].concat());
    let mut pixels = ZlibEncoder::new(Vec::new(), Compression::best());
    let line = [0_u8; 1 + 10_000 / 8];
    (0..10_000).for_each(|_| pixels.write_all(&line).unwrap());
    let pixels = chunk(b"IDAT", &pixels.finish().unwrap());
    let whole = [&b"\x89PNG\r\n\x1a\n"[..], &header, &pixels, &chunk(b"IEND", b"")].concat();
    assert!(whole.len() < 100_000, "{} bytes are no bomb", whole.len());
    whole
}

both! {
    async fn a_feed_that_changes_all_its_guids_says_nothing_new(db: Database) {
        let world = World::with(db, Setup::new()).await;
        let articles: Vec<Article> =
            (1..=3).map(|n| Article::new(&format!("b{n}"), &format!("Bericht {n}"), "<p>Tekst.</p>")).collect();
        let as_before = rss(&world, &articles);
        answer(&world, as_before.clone());
        for n in 1..=3 {
            world.created(&format!("Bericht {n}")).await;
        }
        // The site moved to another system: the same pages under other ids.
        let guid = format!("<guid isPermaLink=\"true\">http://{}/nieuws/", world.site.authority());
        let moved = as_before.replace(&guid, "<guid isPermaLink=\"false\">urn:nieuw-cms:");
        assert_ne!(moved, as_before);
        answer(&world, moved.clone());
        world.site.polled(2).await;
        assert_eq!((world.peer.count("Create"), world.peer.count("Update")), (3, 0));
        // By its new id it is the same one from now on.
        answer(&world, moved.replace("Bericht 2", "Bericht twee"));
        until("an edit under the new id is an Update", || world.peer.count("Update") == 1).await;
        assert_eq!((world.peer.count("Create"), world.peer.count("Delete")), (3, 0));
    }

    async fn a_feed_that_changes_guids_and_addresses_is_held_as_a_flood(db: Database) {
        let world = World::with(db, Setup::new().policy("flood_fuse = 3")).await;
        let articles: Vec<Article> =
            (1..=5).map(|n| Article::new(&format!("b{n}"), &format!("Bericht {n}"), "<p>Tekst.</p>")).collect();
        // Two at a time, as an editor does.
        for upto in [2, 4, 5] {
            answer(&world, rss(&world, &articles[..upto]));
            world.created(&format!("Bericht {upto}")).await;
        }
        let moved = rss(&world, &articles).replace("/nieuws/b", "/actueel/artikel-");
        answer(&world, moved);
        eventually("all of them wait for a person", || async {
            let held = posts(&world).await.iter().filter(|post| post["state"] == "held").count();
            (held == 5).then_some(())
        })
        .await;
        world.site.polled(2).await;
        assert_eq!((world.peer.count("Create"), world.peer.count("Delete")), (5, 0));
    }

    async fn a_feed_that_goes_backwards_changes_nothing(db: Database) {
        let world = World::with(db, Setup::new()).await;
        let began = Utc::now() - Duration::from_secs(3_600);
        let at = |minutes: u64| (began + Duration::from_secs(60 * minutes)).to_rfc3339();
        let entry = |slug: &str, title: &str, minutes: u64| {
            format!(
                "<entry><id>urn:{slug}</id><title>{title}</title><link href=\"{}\"/><published>{}</published>\
                 <updated>{}</updated><summary>Over {slug}.</summary></entry>",
                world.site.page(slug), at(0), at(minutes)
            )
        };
        let atom = |minutes: u64, entries: &[String]| {
            let body = format!(
                "<?xml version=\"1.0\"?><feed xmlns=\"http://www.w3.org/2005/Atom\"><id>urn:f</id><title>F</title>\
                 <updated>{}</updated>{}</feed>",
                at(minutes), entries.concat()
            );
            answer(&world, body);
        };
        atom(10, &[entry("dijk", "Dijk veilig, tweede versie", 10), entry("brug", "Brug open", 10)]);
        let object = world.created("tweede versie").await.activity["object"]["id"].as_str().unwrap().to_owned();
        world.created("Brug open").await;
        // The site is put back from a backup of yesterday: an older version, and what was new is not there.
        atom(5, &[entry("dijk", "Dijk veilig, eerste versie", 5)]);
        world.site.polled(2).await;
        assert!(get(&object).await.text().contains("tweede versie"));
        assert_eq!(["Create", "Update", "Delete"].map(|kind| world.peer.count(kind)), [2, 0, 0]);
        atom(20, &[entry("dijk", "Dijk veilig, derde versie", 20), entry("brug", "Brug open", 10)]);
        let update = world.told("Update", &object, 1).await;
        assert!(update.activity["object"]["content"].as_str().unwrap().contains("derde versie"));
        assert_eq!(["Create", "Update", "Delete"].map(|kind| world.peer.count(kind)), [2, 1, 0]);
    }

    async fn absurd_dates_publish_nothing_before_its_time_and_are_never_made_up(db: Database) {
        let world = World::with(db, Cms::setup()).await;
        let dates = [
            ("toekomst", "Fri, 31 Dec 9999 23:59:59 GMT"),
            ("oudheid", "Mon, 01 Jan 0001 00:00:00 GMT"),
            ("pruikentijd", "Mon, 01 Jan 1601 00:00:00 GMT"),
            ("onzin", "32 Foo 2026 25:61:61 XYZ"),
            ("getal", "99999999999999999999999999"),
        ];
        let item = |(slug, date): &(&str, &str)| {
            format!(
                "<item><title>Bericht uit {slug}.</title><link>{0}</link><guid>{0}</guid><pubDate>{date}</pubDate>\
                 <description>Tekst.</description></item>",
                world.site.page(slug)
            )
        };
        let items: String = dates.iter().map(item).collect();
        answer(&world, rss(&world, &[]).replace("</channel>", &format!("{items}</channel>")));
        // What no publication can be from is no date.
        for slug in ["oudheid", "pruikentijd", "onzin", "getal"] {
            let create = world.created(&format!("Bericht uit {slug}.")).await;
            let published = create.activity["published"].as_str().unwrap();
            assert!(published.starts_with(&Utc::now().format("%Y").to_string()), "{slug}: {published}");
        }
        eventually("what is dated far ahead waits", || async {
            posts(&world).await.iter().any(|post| post["state"] == "scheduled").then_some(())
        })
        .await;
        world.site.polled(2).await;
        assert_eq!(world.peer.count("Create"), 4);

        let cms = Cms::of(&world.gateway);
        for (key, date) in [("published", "0000-00-00"), ("embargo", "31-02-2026"), ("updated", "morgen"), ("embargo", "1e400")] {
            let mut data = json!({"id": "1", "title": "Vreemde datum", "html": "<p>Tekst.</p>"});
            data[key] = json!(date);
            let reply = cms.push(&cms.event("gepubliceerd", data)).await;
            assert_eq!(reply.status, 400, "{date}");
            assert!(reply.text().contains(key), "{}", reply.text());
        }
        cms.says("gepubliceerd", json!({"id": "2", "title": "Later", "html": "<p>Tekst.</p>", "published": "9999-12-31T23:59:59Z"})).await;
        let log = world.gateway.log();
        assert!(log.contains("`embargo` is no date"), "the operator sees why: {log}");
        world.site.publish("gewoon", "Alles gewoon", "<p>Tekst.</p>");
        world.site.as_usual(FEED);
        world.created("Alles gewoon").await;
        assert_eq!(world.peer.count("Create"), 5);
    }

    async fn images_that_are_none_stay_behind_and_are_told(db: Database) {
        let world = World::with(db, Setup::new()).await;
        let bad = [
            ("html", "/beeld/inloggen.jpg", Reply::ok("image/jpeg", "<!doctype html><title>Log in</title>"), "an HTML page"),
            ("svg", "/beeld/logo.jpg", Reply::ok("image/jpeg", "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>"), "SVG"),
            ("bom", "/beeld/bom.jpg", Reply::ok("image/png", bomb()), "10000×10000 pixels"),
            ("pixel", "/beeld/weg.jpg", Reply::status(404), "404"),
        ];
        let mut articles = Vec::new();
        for (slug, path, reply, _) in &bad {
            world.site.answer(path, reply.clone());
            let picture = crate::harness::Picture { path: (*path).to_owned(), alt: Some("Een beeld".to_owned()) };
            articles.push(Article { picture: Some(picture), ..Article::new(slug, &format!("Met {slug}."), "<p>Tekst.</p>") });
        }
        world.site.add_all(articles);
        for (slug, path, _, problem) in &bad {
            let create = world.created(&format!("Met {slug}.")).await;
            assert_eq!(create.activity["object"]["attachment"], json!([]), "{slug}");
            let log = world.gateway.log();
            let line = log.lines().find(|line| line.contains(path) && line.contains("an image is left out"));
            assert!(line.is_some_and(|line| line.contains(problem)), "{path}: {line:?}");
        }
        assert_eq!(world.db.number("SELECT COUNT(*) FROM media"), 0);
    }

    async fn hostile_html_of_a_system_becomes_harmless_text(db: Database) {
        let world = World::with(db, Cms::setup()).await;
        let html = "<p>Voor<script>alert(1)</script><iframe src=\"https://boos.example/\">in</iframe>\
                    <img src=\"data:image/png;base64,AAAA\" onerror=\"alert(2)\"><a href=\"data:text/html,x\">data</a> \
                    <a href=\"javascript:alert(3)\">js</a> <b onclick=\"alert(4)\">vet</b><svg onload=alert(5)></svg>\
                    <style>p{display:none}</style><ul><li>een<li>twee <em>nooit gesloten <p>na";
        Cms::of(&world.gateway)
            .says("gepubliceerd", json!({"id": "1", "title": "Vreemde HTML", "html": html, "media": [{"url": "data:image/png;base64,AAAA", "type": "image/png", "alt": "x"}]}))
            .await;
        let create = world.created("Vreemde HTML").await;
        let text = create.activity.to_string();
        for bad in ["alert", "<script", "<iframe", "<img", "<svg", "<style", "onerror", "onclick", "data:", "javascript:", "boos.example"] {
            assert!(!text.contains(bad), "{bad}: {text}");
        }
        let content = create.activity["object"]["content"].as_str().unwrap();
        for kept in ["Voor", "<strong>vet</strong>", "<li>een</li>", "nooit gesloten"] {
            assert!(content.contains(kept), "{kept}: {content}");
        }
        assert_eq!(create.activity["object"]["attachment"], json!([]));
    }
}
