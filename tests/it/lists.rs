//! Lists: of the pages of a site, of what a system has, in several pages; and what was missed is found in them.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::harness::{Database, Gateway, Reply, Setup, Site, World, both, eventually, request, until};

const SECRET: &str = "het-geheim-van-het-cms";

/// A source `cms` of the kind `mapped`, with a list, and further keys before its tables.
fn source(site: &Site, keys: &str) -> Setup {
    let list = site.url("/berichten.json");
    Setup::new().further(&format!(
        "[[source]]\nname = \"cms\"\nactor = \"nieuws\"\nkind = \"mapped\"\nsecret = \"{SECRET}\"\nlist = \"{list}\"\n\
         next = \"$.volgende\"\ntoken = \"het-token-van-het-cms\"\n{keys}\naction = \"{{{{ payload.gebeurtenis }}}}\"\n\
         [source.map]\nitems = \"$.bericht\"\nid = \"$.id\"\ntitle = \"$.kop\"\nhtml = \"$.tekst\"\nupdated = \"$.gewijzigd\"\n\
         [source.answer]\nitems = \"$.berichten\"\nid = \"$.id\"\ntitle = \"$.kop\"\nhtml = \"$.tekst\"\nupdated = \"$.gewijzigd\"\n\
         [source.policy]\nmerge_edits = \"0s\"\nflood_fuse = 50\n"
    ))
}

fn message(id: &str, title: &str, changed: DateTime<Utc>) -> Value {
    json!({"id": id, "kop": title, "tekst": format!("<p>Over {title}.</p>"), "gewijzigd": changed.to_rfc3339()})
}

fn page(site: &Site, path: &str, messages: &[Value], next: Option<&str>) {
    let body = json!({"berichten": messages, "volgende": next});
    site.answer(path, Reply::ok("application/json", body.to_string()));
}

async fn push(gateway: &Gateway, what: &str, message: &Value) -> Reply {
    let body = json!({"gebeurtenis": what, "bericht": message}).to_string();
    let headers = [("content-type", "application/json"), ("authorization", SECRET)];
    request("POST", &gateway.url("/hooks/cms"), &headers, body.as_bytes()).await
}

fn read_once(db: &Database) -> bool {
    db.number("SELECT COUNT(*) FROM sources WHERE name = 'cms' AND baseline_at IS NOT NULL") == 1
}

fn ok_at(db: &Database) -> i64 {
    db.number("SELECT COALESCE(ok_at, 0) FROM sources WHERE name = 'cms'")
}

both! {
    async fn a_webhook_that_was_never_sent_is_found_in_the_list_and_nothing_comes_twice(db: Database) {
        let site = Site::start();
        let (long_ago, now) = (Utc::now() - Duration::from_secs(7_200), Utc::now());
        let old = message("1", "Stond er al", long_ago);
        page(&site, "/berichten.json", std::slice::from_ref(&old), None);
        let mut world = World::with(db, source(&site, "")).await;
        until("the list is read at the start", || read_once(&world.db)).await;
        let daily = "SELECT due_at - ok_at FROM sources WHERE name = 'cms'";
        assert_eq!(world.db.number(daily) / 3_600_000, 24, "and daily from then on");

        let pushed = message("2", "Wel gemeld", now);
        assert_eq!(push(&world.gateway, "published", &pushed).await.status, 202);
        world.created("Wel gemeld").await;

        // While nobody is there, the system publishes one, edits another, and nobody is told.
        world.gateway.kill9();
        let edited = message("2", "Wel gemeld en gewijzigd", now + Duration::from_secs(60));
        let missed = message("3", "Nooit gemeld", now + Duration::from_secs(60));
        page(&site, "/berichten.json", &[missed.clone(), edited.clone(), old], None);
        world.gateway.restart().await;
        let create = world.created("Nooit gemeld").await;
        assert_eq!(create.activity["object"]["type"], "Note");
        until("the edit is found too", || world.peer.count("Update") == 1).await;

        // The system wakes up and tells what is known by now.
        for message in [&missed, &edited, &pushed] {
            assert_eq!(push(&world.gateway, "published", message).await.status, 202);
        }
        let open = "SELECT COUNT(*) FROM hook_deliveries WHERE state = 0";
        until("what was pushed is dealt with", || world.db.number(open) == 0).await;
        assert_eq!(world.db.number("SELECT COUNT(*) FROM posts"), 2);
        // After a kill the same activity may come again.
        let ids: HashSet<String> = world.peer.taken().iter().filter(|a| a.kind() == "Create").map(|a| a.id().to_owned()).collect();
        assert_eq!((ids.len(), world.peer.count("Update")), (2, 1));
        let asked = site.requests("/berichten.json");
        assert!(asked.iter().all(|request| request.header("authorization") == Some("Bearer het-token-van-het-cms")));
    }

    async fn of_a_list_at_most_ten_pages_are_read(db: Database) {
        let site = Site::start();
        let old = message("0", "Stond er al", Utc::now());
        page(&site, "/berichten.json", std::slice::from_ref(&old), None);
        let world = World::with(db, source(&site, "every = \"1s\"")).await;
        until("the baseline is there", || read_once(&world.db)).await;
        for n in (1..=12).rev() {
            let path = if n == 1 { "/berichten.json".to_owned() } else { format!("/berichten.json?page={n}") };
            let next = format!("/berichten.json?page={}", n + 1);
            let one = message(&n.to_string(), &format!("Bericht nummer {n}."), Utc::now());
            page(&site, &path, &[one], (n < 12).then_some(next.as_str()));
        }
        for n in 1..=10 {
            world.created(&format!("Bericht nummer {n}.")).await;
        }
        until("the limit is told", || world.gateway.log().contains("the list goes on after 10 pages")).await;
        assert!(site.requests("/berichten.json?page=11").is_empty(), "the eleventh is not asked for");
        assert_eq!(world.peer.count("Create"), 10);
    }

    async fn a_list_that_goes_on_elsewhere_is_not_followed(db: Database) {
        let (site, elsewhere) = (Site::start(), Site::start());
        page(&site, "/berichten.json", &[message("0", "Stond er al", Utc::now())], None);
        let host = format!("http://localhost:{}", elsewhere.address.port());
        let world = World::with(db, source(&site, &format!("every = \"1s\"\nsite = \"{host}/\""))).await;
        until("the baseline is there", || read_once(&world.db)).await;
        page(&elsewhere, "/2.json", &[message("2", "Van elders", Utc::now())], None);
        page(&site, "/berichten.json", &[message("1", "Van hier", Utc::now())], Some(&format!("{host}/2.json")));
        world.created("Van hier").await;
        until("it is told", || world.gateway.log().contains("is on another host, and was not read")).await;
        assert!(elsewhere.requests("/2.json").is_empty());
        assert_eq!(world.peer.count("Create"), 1);
    }

    async fn a_page_of_a_list_that_cannot_be_had_fails_the_whole_and_is_tried_again(db: Database) {
        let site = Site::start();
        page(&site, "/berichten.json", &[message("0", "Stond er al", Utc::now())], None);
        let world = World::with(db, source(&site, "every = \"1s\"")).await;
        until("the baseline is there", || read_once(&world.db)).await;
        site.answer("/2.json", Reply::status(500));
        page(&site, "/berichten.json", &[message("1", "Eerste", Utc::now())], Some("/2.json"));
        until("it is told", || world.gateway.log().contains("which is no further page of the list")).await;
        assert_eq!(world.peer.count("Create"), 0, "what is missing could be what the first page takes back");
        page(&site, "/2.json", &[message("2", "Tweede", Utc::now())], None);
        world.gateway.cli(&["source", "poll", "cms"]).await.well();
        world.created("Eerste").await;
        world.created("Tweede").await;
    }

    async fn a_thin_event_that_leads_to_a_list_has_all_of_its_pages_read(db: Database) {
        let site = Site::start();
        let list = |offset: usize| {
            format!(
                "/wp-json/wp/v2/posts?per_page=50&offset={offset}&orderby=modified&order=desc\
                 &_embed=author%2Cwp%3Afeaturedmedia%2Cwp%3Aterm"
            )
        };
        let post = |id: usize, title: &str, at: DateTime<Utc>| {
            let at = at.format("%Y-%m-%dT%H:%M:%S").to_string();
            json!({
                "id": id, "date_gmt": at, "modified_gmt": at, "status": "publish", "type": "post",
                "link": site.url(&format!("/p/{id}")), "title": {"rendered": title},
                "content": {"rendered": "<p>Tekst.</p>", "protected": false}, "excerpt": {"rendered": "", "protected": false},
            })
        };
        site.answer(&list(0), Reply::ok("application/json", "[]"));
        let keys = format!(
            "[[source]]\nname = \"cms\"\nactor = \"nieuws\"\nkind = \"wordpress\"\nsite = \"{}\"\nsecret = \"{SECRET}\"\n\
             signature = \"static-header\"\n",
            site.url("/")
        );
        let world = World::with(db, Setup::new().further(&keys)).await;
        until("the baseline is there", || read_once(&world.db)).await;
        let month_ago = Utc::now() - Duration::from_secs(30 * 86_400);
        let first: Vec<Value> = (1..=50).map(|n| post(n, &format!("Oud {n}"), month_ago)).collect();
        site.answer(&list(0), Reply::ok("application/json", json!(first).to_string()));
        let second = json!([post(51, "Op de tweede bladzijde", Utc::now() - Duration::from_secs(60))]);
        site.answer(&list(50), Reply::ok("application/json", second.to_string()));
        let headers = [("content-type", "application/json"), ("authorization", SECRET)];
        let reply = request("POST", &world.gateway.url("/hooks/cms"), &headers, b"{}").await;
        assert_eq!(reply.status, 202, "{}", reply.text());
        world.created("Op de tweede bladzijde").await;
        assert_eq!(world.peer.count("Create"), 1, "what is old is stored only");
        assert_eq!(world.db.number("SELECT COUNT(*) FROM items"), 52, "all of it, and the old press release");
    }

    async fn the_pages_that_a_news_sitemap_lists_are_read_published_and_edited(db: Database) {
        let site = Site::start();
        let entry = |slug: &str, changed: DateTime<Utc>| {
            let (at, url) = (changed.to_rfc3339(), site.page(slug));
            format!(
                "<url><loc>{url}</loc><lastmod>{at}</lastmod><n:news><n:publication><n:name>V</n:name><n:language>nl</n:language>\
                 </n:publication><n:publication_date>{at}</n:publication_date><n:title>{slug}</n:title></n:news></url>"
            )
        };
        let sitemap = |entries: &[String]| {
            let body = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><urlset xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\" \
                 xmlns:n=\"http://www.google.com/schemas/sitemap-news/0.9\">{}</urlset>",
                entries.concat()
            );
            site.answer("/news.xml", Reply::ok("application/xml", body));
        };
        let html = |slug: &str, head: &str| {
            let page = format!("<!doctype html><html lang=\"nl\"><head>{head}</head><body><p>Niet dit.</p></body></html>");
            site.answer(&format!("/nieuws/{slug}"), Reply::ok("text/html; charset=utf-8", page));
        };
        let began = Utc::now() - Duration::from_secs(600);
        let later = |minutes: u64| began + Duration::from_secs(60 * minutes);
        sitemap(&[entry("oud", began), entry("ouder", began - Duration::from_secs(60))]);
        let keys = format!(
            "[[source]]\nname = \"cms\"\nactor = \"nieuws\"\nkind = \"sitemap\"\nurl = \"{}\"\nevery = \"1s\"\npaths = [\"/nieuws/\"]\n\
             [source.policy]\nmerge_edits = \"0s\"\n",
            site.url("/news.xml")
        );
        let world = World::with(db, Setup::new().further(&keys)).await;
        until("the baseline is there", || read_once(&world.db)).await;

        let linked = |title: &str| {
            format!(
                "<title>Site</title><script type=\"application/ld+json\">{}</script>",
                json!({"@context": "https://schema.org", "@type": "NewsArticle", "headline": title,
                       "description": "Fietsers kunnen erover.", "datePublished": later(1).to_rfc3339()})
            )
        };
        html("brug", &linked("Brug is open"));
        html("markt", "<title>Site</title><meta property=\"og:title\" content=\"Markt verplaatst\">\
                       <meta property=\"og:description\" content=\"Naar het plein.\">\
                       <meta property=\"og:image\" content=\"/beeld/markt.png\"><meta property=\"og:image:alt\" content=\"Een markt\">");
        sitemap(&[entry("brug", later(1)), entry("markt", later(2)), entry("oud", began)]);
        let create = world.created("Brug is open").await;
        let content = create.activity["object"]["content"].as_str().unwrap().to_owned();
        assert!(content.contains("Fietsers kunnen erover.") && content.contains("/nieuws/brug") && !content.contains("Niet dit"));
        let other = world.created("Markt verplaatst").await;
        assert_eq!(other.activity["object"]["attachment"][0]["name"], "Een markt");

        html("brug", &linked("Brug is weer dicht"));
        sitemap(&[entry("brug", later(5)), entry("markt", later(2))]);
        let object = create.activity["object"]["id"].as_str().unwrap().to_owned();
        let update = world.told("Update", &object, 1).await;
        assert!(update.activity["object"]["content"].as_str().unwrap().contains("weer dicht"));
        let before = ok_at(&world.db);
        until("it is read again", || ok_at(&world.db) > before).await;
        let counts = ["Create", "Update", "Delete"].map(|kind| world.peer.count(kind));
        assert_eq!(counts, [2, 1, 0], "what is no longer listed is not withdrawn, and nothing comes twice");
    }

    async fn what_a_system_withdraws_before_anyone_saw_it_is_new_when_it_publishes_it(db: Database) {
        let site = Site::start();
        let now = Utc::now();
        page(&site, "/berichten.json", &[message("0", "Stond er al", now)], None);
        let world = World::with(db, source(&site, "")).await;
        until("the baseline is there", || read_once(&world.db)).await;
        let at = |seconds: u64| now + Duration::from_secs(seconds);
        // A draft that is thrown away, and then published all the same.
        push(&world.gateway, "unpublished", &message("1", "Nooit gezien", at(1))).await;
        let known = "SELECT COUNT(*) FROM items WHERE source_key = '1'";
        until("it is remembered", || world.db.number(known) == 1).await;
        push(&world.gateway, "published", &message("1", "Nooit gezien", at(2))).await;
        let object = world.created("Nooit gezien").await.activity["object"]["id"].as_str().unwrap().to_owned();
        // Now it was seen: when it comes back, a person looks.
        push(&world.gateway, "unpublished", &message("1", "Nooit gezien", at(3))).await;
        world.told("Delete", &object, 1).await;
        let held = |what: &'static str| {
            let world = &world;
            async move {
                eventually(what, || async {
                    let posts = world.gateway.cli(&["post", "list", "--json"]).await.well().json();
                    let held = |post: &&Value| post["state"] == "held";
                    posts.as_array().unwrap().iter().find(held).cloned()
                })
                .await
            }
        };
        push(&world.gateway, "published", &message("1", "Nooit gezien", at(4))).await;
        held("it is held, because it was public once").await;
        // Also when the system takes it back while it waits.
        push(&world.gateway, "unpublished", &message("1", "Nooit gezien", at(5))).await;
        until("it does not wait any more", || world.db.number("SELECT COUNT(*) FROM posts WHERE state = 'held'") == 0).await;
        push(&world.gateway, "published", &message("1", "Nooit gezien", at(6))).await;
        held("it is held again").await;
        // An older word that comes late changes nothing.
        push(&world.gateway, "unpublished", &message("2", "Te laat", at(9))).await;
        push(&world.gateway, "published", &message("2", "Te laat", at(8))).await;
        let open = "SELECT COUNT(*) FROM hook_deliveries WHERE state = 0";
        until("what was pushed is dealt with", || world.db.number(open) == 0).await;
        assert_eq!((world.peer.count("Create"), world.peer.count("Delete")), (1, 1));
    }
}
