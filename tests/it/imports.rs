//! Folders and lists of press releases, feeds of states, warnings that take each other's place, archives after downtime.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use chrono::Utc;
use serde_json::{Value, json};

use crate::harness::{Article, Cms, Gateway, Reply, Setup, World, both, eventually, feed, get, until};

/// A file that was left alone for a minute.
fn settled(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    let file = fs::File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
}

fn source(kind: &str, keys: &str) -> String {
    format!(
        "[[source]]\nname = \"anders\"\nactor = \"nieuws\"\nkind = \"{kind}\"\nevery = \"1s\"\n{keys}\n\
         [source.policy]\nmerge_edits = \"0s\"\nflood_fuse = 50\n"
    )
}

async fn posts(gateway: &Gateway) -> Vec<Value> {
    gateway.cli(&["post", "list", "--json"]).await.well().json().as_array().unwrap().clone()
}

/// Waits until the source was polled twice more, with success: whatever was there before is dealt with.
async fn polled(world: &World) {
    for _ in 0..2 {
        let asked = Utc::now().timestamp_millis();
        let ok_at = || world.db.number("SELECT COALESCE(ok_at, 0) FROM sources WHERE name = 'anders'");
        until("it is polled", || ok_at() > asked).await;
    }
}

both! {
    async fn a_folder_is_read_and_a_file_that_cannot_be_read_is_told_and_alone(db: Database) {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        settled(&at("oud.md"), "---\ntitle: Stond er al\n---\nTekst.\n");
        let keys = format!("folder = {:?}", folder.path());
        let world = World::with(db, Setup::new().further(&source("import", &keys))).await;
        polled(&world).await;
        assert_eq!(posts(&world.gateway).await, Vec::<Value>::new(), "what was there is the baseline");

        settled(&at("stuk.json"), "{\"title\": ");
        settled(&at(".verborgen.md"), "---\ntitle: Verborgen\n---\nTekst.\n");
        std::os::unix::fs::symlink("/etc/passwd", at("link.md")).unwrap();
        let soon = Utc::now() + Duration::from_secs(3_600);
        let embargo = format!("---\ntitle: Onder embargo\nembargo: {}\n---\nTekst.\n", soon.to_rfc3339());
        settled(&at("embargo.md"), &embargo);
        settled(&at("nieuw.md"), "---\ntitle: Brug open\n---\nDe brug is open.\n");
        world.created("Brug open").await;
        until("the broken file is told", || world.gateway.log().contains("stuk.json")).await;
        let log = world.gateway.log();
        assert!(log.contains("link.md") && !log.contains("embargo.md") && !log.contains("Onder embargo"), "{log}");
        eventually("the other waits", || async {
            posts(&world.gateway).await.iter().any(|post| post["state"] == "embargoed").then_some(())
        })
        .await;
        settled(&at("nieuw.md"), "---\ntitle: Brug weer open\n---\nDe brug is open.\n");
        until("an edit is an Update", || world.peer.count("Update") == 1).await;
        fs::remove_file(at("nieuw.md")).unwrap();
        polled(&world).await;
        assert_eq!((world.peer.count("Create"), world.peer.count("Delete")), (1, 0), "what is gone is not withdrawn");
    }

    async fn a_list_of_files_is_read_with_its_files(db: Database) {
        let site = crate::harness::Site::start();
        site.answer("/lijst.json", Reply::ok("application/json", "[\"/a.md\", \"/weg.md\", \"/b.md\"]"));
        site.answer("/a.md", Reply::ok("text/markdown", "---\ntitle: Eerste\n---\nTekst.\n"));
        site.answer("/b.md", Reply::ok("text/markdown", "---\ntitle: Tweede\n---\nTekst.\n"));
        let keys = format!("url = \"{}\"", site.url("/lijst.json"));
        let world = World::with(db, Setup::new().further(&source("import", &keys))).await;
        polled(&world).await;
        assert_eq!(posts(&world.gateway).await, Vec::<Value>::new(), "what was there is the baseline");
        let list = "[\"/a.md\", \"/weg.md\", \"/b.md\", \"/c.md\"]";
        site.answer("/c.md", Reply::ok("text/markdown", "---\ntitle: Derde\n---\nTekst.\n"));
        site.answer("/lijst.json", Reply::ok("application/json", list));
        world.created("Derde").await;
        until("the missing file is told", || world.gateway.log().contains("/weg.md")).await;
        assert_eq!(world.peer.count("Create"), 1);
    }

    async fn of_a_feed_of_states_only_a_change_is_news(db: Database) {
        let site = crate::harness::Site::start();
        let now = |n: u64| heraut::time::Timestamp(Utc::now().timestamp_millis()).before(Duration::from_secs(n));
        let states = |a: &str, b: &str, text: &str| {
            let one = |slug: &str, title: &str| Article { published: now(5), ..Article::new(slug, title, text) };
            let body = feed("stad.example", &[one("utrecht", a), one("zeeland", b)]);
            Reply::ok("application/rss+xml", body)
        };
        site.answer("/staat.rss", states("Code groen", "Code groen", "<p>Rustig.</p>"));
        let keys = format!("url = \"{}\"\nstate = \"title\"", site.url("/staat.rss"));
        let world = World::with(db, Setup::new().further(&source("feed", &keys))).await;
        polled(&world).await;
        site.answer("/staat.rss", states("Code groen", "Code groen", "<p>Nog rustig.</p>"));
        polled(&world).await;
        assert_eq!(posts(&world.gateway).await, Vec::<Value>::new(), "neither first sight nor another text is news");
        site.answer("/staat.rss", states("Code groen", "Code rood", "<p>Storm.</p>"));
        let create = world.created("Code rood").await;
        assert_eq!(world.peer.count("Create"), 1, "and of the other nothing");
        site.answer("/staat.rss", states("Code groen", "Code oranje", "<p>Storm.</p>"));
        world.told("Update", create.activity["object"]["id"].as_str().unwrap(), 1).await;
    }

    async fn what_has_expired_when_it_is_first_seen_is_stored_only(db: Database) {
        let world = World::with(db, Cms::setup()).await;
        let cms = Cms::of(&world.gateway);
        let item = |id: &str, title: &str, expires: chrono::DateTime<Utc>| {
            json!({"id": id, "title": title, "html": "<p>Tekst.</p>", "expires": expires.to_rfc3339()})
        };
        let hour = Duration::from_secs(3_600);
        cms.says("gepubliceerd", item("a", "Voorbij", Utc::now() - hour)).await;
        cms.says("gepubliceerd", item("b", "Geldig", Utc::now() + hour)).await;
        world.created("Geldig").await;
        assert_eq!(world.peer.count("Create"), 1);
        cms.says("gewijzigd", item("b", "Geldig", Utc::now() - hour)).await;
        cms.says("gewijzigd", item("a", "Weer geldig", Utc::now() + hour)).await;
        world.created("Weer geldig").await;
        assert_eq!(world.peer.count("Delete"), 0, "nothing is withdrawn because it expires");
    }

    async fn after_downtime_the_archive_of_a_feed_is_read_until_something_known(db: Database) {
        let site = crate::harness::Site::start();
        let page = |slugs: &[&str], older: Option<&str>| {
            let articles: Vec<Article> =
                slugs.iter().map(|slug| Article::new(slug, &format!("Bericht {slug}"), "<p>Tekst.</p>")).collect();
            let link = older.map(|path| {
                format!("<link xmlns=\"http://www.w3.org/2005/Atom\" rel=\"prev-archive\" href=\"{}\"/>", site.url(path))
            });
            let body = feed(&site.authority(), &articles).replacen("<item>", &format!("{}<item>", link.unwrap_or_default()), 1);
            Reply::ok("application/rss+xml", body)
        };
        site.answer("/nu.rss", page(&["a"], Some("/1.rss")));
        site.answer("/1.rss", page(&["nooit"], None));
        let keys = format!("url = \"{}\"", site.url("/nu.rss"));
        let mut world = World::with(db, Setup::new().further(&source("feed", &keys))).await;
        polled(&world).await;
        world.gateway.kill9();
        site.answer("/nu.rss", page(&["e", "d"], Some("/2.rss")));
        site.answer("/2.rss", page(&["c", "b"], Some("/1b.rss")));
        site.answer("/1b.rss", page(&["a"], Some("/1.rss")));
        world.db.execute("UPDATE sources SET ok_at = ok_at - 60000 WHERE name = 'anders'");
        world.gateway.restart().await;
        for slug in ["b", "c", "d", "e"] {
            world.created(&format!("Bericht {slug}")).await;
        }
        assert_eq!(site.requests("/1.rss").len(), 0, "it stops at what is known, and never pages otherwise");
        assert_eq!(world.peer.count("Create"), 4);
        assert_eq!(get(&world.gateway.url("/health/ready")).await.status, 200);
    }
}
