//! What of a feed becomes a post, and when: baseline, flood fuse, pictures without text, embargoes, approval.

use std::time::Duration;

use heraut::time::Timestamp;
use serde_json::{Value, json};

use crate::harness::{Article, Gateway, Picture, Setup, Site, World, both, eventually, get, until};

async fn posts(gateway: &Gateway) -> Vec<Value> {
    let listed = gateway.cli(&["post", "list", "--json"]).await.well().json();
    listed.as_array().unwrap().clone()
}

/// Waits until there are that many posts, all in that state.
async fn posts_in(gateway: &Gateway, state: &str, n: usize) -> Vec<Value> {
    eventually(&format!("{n} posts are {state}"), || async {
        let posts = posts(gateway).await;
        (posts.len() == n && posts.iter().all(|post| post["state"] == state)).then_some(posts)
    })
    .await
}

async fn published(gateway: &Gateway) -> Value {
    get(&format!("{}/outbox", gateway.actor())).await.json()["totalItems"].clone()
}

fn now() -> Timestamp {
    Timestamp(chrono::Utc::now().timestamp_millis())
}

fn with_picture(slug: &str, title: &str, alt: Option<&str>) -> Article {
    let picture = Picture { path: format!("/beeld/{slug}.png"), alt: alt.map(ToOwned::to_owned) };
    Article { picture: Some(picture), ..Article::new(slug, title, "<p>Met een foto.</p>") }
}

both! {
    async fn the_first_poll_is_a_baseline_and_publishes_nothing(db: Database) {
        let world = World::new(db).await;
        world.site.polled(2).await;
        assert_eq!(posts(&world.gateway).await, Vec::<Value>::new());
        world.published("nieuw", "Nieuw nieuws").await;
        assert_eq!(world.peer.count("Create"), 1, "and of the old article nothing");
    }

    async fn publish_newest_publishes_the_newest_of_the_first_poll(db: Database) {
        let site = Site::start();
        for (slug, hours) in [("a", 5), ("b", 3), ("c", 1)] {
            let published = now().before(Duration::from_secs(hours * 3_600));
            site.add(Article { published, ..Article::new(slug, &format!("Bericht {slug}"), "<p>Tekst.</p>") });
        }
        let gateway = Setup::new().policy("publish_newest = 2").start(&db, &site).await;
        let posts = posts_in(&gateway, "published", 2).await;
        let mut titles: Vec<&str> = posts.iter().map(|post| post["title"].as_str().unwrap()).collect();
        titles.sort_unstable();
        assert_eq!(titles, ["Bericht b", "Bericht c"]);
        assert_eq!(published(&gateway).await, json!(2));
    }

    async fn a_flood_is_held_as_a_whole_until_a_person_releases_it(db: Database) {
        let world = World::with(db, Setup::new().policy("flood_fuse = 3")).await;
        let flood = (1..=4).map(|n| Article::new(&format!("n{n}"), &format!("Bericht {n}"), "<p>Tekst.</p>"));
        world.site.add_all(flood);
        let held = posts_in(&world.gateway, "held", 4).await;
        assert!(held.iter().all(|post| post["waits_for"].as_str().unwrap().contains("flood fuse")), "{held:?}");
        world.site.polled(2).await;
        assert_eq!((world.peer.count("Create"), published(&world.gateway).await), (0, json!(0)));
        let object = held[0]["object"].as_str().unwrap();
        assert_eq!(get(object).await.status, 404, "what is held shows nowhere");

        let one = held[0]["post"].as_str().unwrap().to_owned();
        world.gateway.cli(&["post", "release", &one]).await.well();
        world.created(held[0]["title"].as_str().unwrap()).await;
        world.gateway.cli(&["post", "release", "--source", "persberichten"]).await.well();
        until("all four are published", || world.peer.count("Create") == 4).await;
        let again = world.gateway.cli(&["post", "release", &one]).await;
        assert!(again.code == 1 && again.stderr.contains("not held"), "{again:?}");
    }

    async fn a_picture_without_alternative_text_stays_behind_until_its_text_is_added(db: Database) {
        let world = World::new(db).await;
        world.site.add(with_picture("dijk", "De dijk", None));
        let create = world.created("De dijk").await.activity;
        assert_eq!(create["object"]["attachment"], json!([]));
        let flagged = &posts(&world.gateway).await[0];
        assert!(flagged["flags"].to_string().contains("alternative text"), "{flagged}");

        world.site.edit("dijk", |article| *article = with_picture("dijk", "De dijk", Some("Een dijk")));
        let update = world.told("Update", create["object"]["id"].as_str().unwrap(), 1).await.activity;
        assert_eq!(update["object"]["attachment"][0]["name"], json!("Een dijk"));
    }

    async fn a_picture_without_alternative_text_can_go_out_flagged(db: Database) {
        let world = World::with(db, Setup::new().policy("missing_alt = \"publish_and_flag\"")).await;
        world.site.add(with_picture("dijk", "De dijk", None));
        let attachment = world.created("De dijk").await.activity["object"]["attachment"].clone();
        assert_eq!(attachment.as_array().unwrap().len(), 1);
        assert_eq!(attachment[0]["name"], Value::Null);
        assert!(posts(&world.gateway).await[0]["flags"].to_string().contains("alternative text"));
    }

    async fn a_picture_without_alternative_text_can_hold_its_post_until_the_site_adds_it(db: Database) {
        let world = World::with(db, Setup::new().policy("missing_alt = \"hold\"")).await;
        world.site.add(with_picture("dijk", "De dijk", None));
        let held = posts_in(&world.gateway, "held", 1).await;
        assert!(held[0]["waits_for"].as_str().unwrap().contains("alternative text"), "{held:?}");
        assert_eq!(world.peer.count("Create"), 0);
        world.site.edit("dijk", |article| *article = with_picture("dijk", "De dijk", Some("Een dijk")));
        let create = world.created("De dijk").await.activity;
        assert_eq!(create["object"]["attachment"][0]["name"], json!("Een dijk"));
    }

    async fn a_source_under_approval_publishes_only_what_a_person_releases(db: Database) {
        let world = World::with(db, Setup::new().policy("approval = true")).await;
        world.site.publish("dijk", "De dijk", "<p>Eerst.</p>");
        posts_in(&world.gateway, "held", 1).await;
        world.site.edit("dijk", |article| article.text = "<p>Beter.</p>".to_owned());
        let better = || async {
            let post = posts(&world.gateway).await.remove(0);
            (post["text"].as_str().unwrap().contains("Beter.") && post["state"] == "held").then_some(post)
        };
        let post = eventually("the held post has the new text, and is still held", better).await;
        world.gateway.cli(&["post", "release", post["post"].as_str().unwrap()]).await.well();
        let create = world.created("Beter.").await.activity;
        assert!(!create.to_string().contains("Eerst."), "{create}");
        assert_eq!(world.peer.count("Create"), 1);
    }
}
