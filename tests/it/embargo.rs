//! What is under embargo: until its second nothing shows that it exists, and then it is there, whole.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::harness::{Cms, Database, Kind, Launch, Setup, World, both, eventually, get, get_as, run, until};

const SECRET: &str = "Geheimnis";
/// Long enough to look at every surface, and to restart, on a busy machine.
const AFTER: Duration = Duration::from_secs(40);
const PICTURE: &str = "/beeld/geheim.png";

fn release(world: &World, id: &str, until: DateTime<Utc>) -> Value {
    json!({
        "id": id, "url": world.site.page(id), "title": SECRET, "html": format!("<p>{SECRET} wordt onthuld.</p>"),
        "language": "nl", "embargo": until.to_rfc3339(),
        "media": [{"url": world.site.url(PICTURE), "type": "image/png", "alt": "Een onthulling"}],
    })
}

async fn posts(world: &World) -> Vec<Value> {
    world.gateway.cli(&["post", "list", "--json"]).await.well().json().as_array().unwrap().clone()
}

/// The post that waits under embargo.
async fn embargoed(world: &World) -> Value {
    eventually("a post is under embargo", || async {
        posts(world).await.into_iter().find(|post| post["state"] == "embargoed")
    })
    .await
}

/// All that anyone can ask for, as one text. What differs at each time, such as times, is not in it.
async fn seen(world: &World, number: &str) -> String {
    let (gateway, actor) = (&world.gateway, world.gateway.actor());
    let mut text = String::new();
    for url in [
        actor.clone(),
        format!("{actor}/outbox"),
        format!("{actor}/outbox?page=first"),
        format!("{actor}/followers"),
        gateway.url(&format!("/ap/o/{number}")),
        gateway.url(&format!("/ap/x/{number}")),
        gateway.url(&format!("/@nieuws/{number}")),
        gateway.url("/nodeinfo/2.1"),
        gateway.url("/@nieuws"),
        gateway.url("/"),
    ] {
        for accept in ["application/activity+json", "text/html"] {
            let reply = get_as(&url, accept).await;
            text.push_str(&format!("{url} {accept} {} {}\n", reply.status, reply.text()));
        }
    }
    text
}

/// Whoever is not an editor sees nothing of it: what can be seen is what could be seen before, and no one was asked for anything.
async fn is_secret(world: &World, number: &str, before: &str) {
    let now = seen(world, number).await;
    assert_eq!(now.lines().count(), before.lines().count());
    for (now, before) in now.lines().zip(before.lines()) {
        assert_eq!(now, before);
    }
    assert!(!now.contains(SECRET));
    assert!(world.site.requests(PICTURE).is_empty(), "its picture is not fetched");
    assert!(world.site.requests("/nieuws/onthulling").is_empty(), "nor its page");
    assert_eq!(world.peer.count("Create"), 0);
    assert_eq!(world.db.number("SELECT COUNT(*) FROM media"), 0);
    let log = world.gateway.log();
    assert!(!log.contains(SECRET) && !log.contains("onthulling"), "{log}");
    assert!(!world.gateway.metrics().await.contains(SECRET));
}

fn assert_not_over(until: DateTime<Utc>) {
    assert!(Utc::now() < until, "the machine is too slow for this test: the embargo ended before it was looked at");
}

both! {
    async fn nothing_shows_before_its_second_and_then_all_of_it(db: Database) {
        let mut world = World::with(db, Cms::setup()).await;
        let until_then = Utc::now() + AFTER;
        let early = format!("{}", heraut::ids::compose(Utc::now().timestamp_millis(), 0));
        let before = seen(&world, &early).await;
        Cms::of(&world.gateway).says("gepubliceerd", release(&world, "onthulling", until_then)).await;
        let post = embargoed(&world).await;
        let number = post["post"].as_str().unwrap().to_owned();
        is_secret(&world, &number, &before.replace(&early, &number)).await;

        world.gateway.kill9();
        world.gateway.restart().await;
        is_secret(&world, &number, &before.replace(&early, &number)).await;
        assert_not_over(until_then);

        let create = world.created(SECRET).await;
        let came = Utc::now() - create.at.elapsed();
        assert!(came >= until_then, "it came {} too early", until_then - came);
        assert_eq!(create.activity["object"]["attachment"][0]["name"], "Een onthulling", "with its picture");
        assert_eq!(get(post["object"].as_str().unwrap()).await.status, 200);
        assert_eq!(world.peer.count("Create"), 1);
    }

    async fn an_embargo_that_is_moved_or_taken_back_is_followed(db: Database) {
        let world = World::with(db, Cms::setup()).await;
        let cms = Cms::of(&world.gateway);
        let soon = Utc::now() + Duration::from_secs(3_600);
        cms.says("gepubliceerd", release(&world, "onthulling", soon)).await;
        embargoed(&world).await;
        let later = soon + Duration::from_secs(3_600);
        cms.says("gewijzigd", release(&world, "onthulling", later)).await;
        let wanted = later.format("%Y-%m-%dT%H:%M:%S").to_string();
        eventually("the same text waits longer", || async {
            embargoed(&world).await["waits_for"].as_str().unwrap().contains(&wanted).then_some(())
        })
        .await;
        cms.says("gewijzigd", release(&world, "onthulling", Utc::now() - Duration::from_secs(1))).await;
        world.created(SECRET).await;

        cms.says("gepubliceerd", release(&world, "niet", soon)).await;
        embargoed(&world).await;
        cms.says("ingetrokken", json!({"id": "niet"})).await;
        eventually("what is withdrawn before its time never comes", || async {
            posts(&world).await.iter().all(|post| post["state"] != "embargoed").then_some(())
        })
        .await;
        assert_eq!(world.peer.count("Create"), 1);
    }

    async fn a_post_that_a_person_releases_keeps_its_embargo(db: Database) {
        let source = Cms::source("[source.policy]\nmerge_edits = \"0s\"\napproval = true");
        let world = World::with(db, Setup::new().further(&source)).await;
        let until_then = Utc::now() + Duration::from_secs(20);
        Cms::of(&world.gateway).says("gepubliceerd", release(&world, "onthulling", until_then)).await;
        let held = eventually("it is held", || async { posts(&world).await.into_iter().next() }).await;
        assert_eq!(held["state"], "held");
        world.gateway.cli(&["post", "release", held["post"].as_str().unwrap()]).await.well();
        let state = posts(&world).await[0]["state"].clone();
        let fetched = world.site.requests(PICTURE).len();
        assert_not_over(until_then);
        assert_eq!((state, fetched), (json!("embargoed"), 0));
        let create = world.created(SECRET).await;
        assert_eq!(create.activity["object"]["attachment"].as_array().unwrap().len(), 1);
    }

    async fn an_edit_under_embargo_waits_and_the_post_stays_as_it_was(db: Database) {
        let world = World::with(db, Cms::setup()).await;
        let cms = Cms::of(&world.gateway);
        cms.says("gepubliceerd", json!({"id": "onthulling", "title": "Gewoon", "html": "<p>Tekst.</p>"})).await;
        let object = world.created("Gewoon").await.activity["object"]["id"].as_str().unwrap().to_owned();
        let until_then = Utc::now() + Duration::from_secs(15);
        let receipt = cms.says("gewijzigd", release(&world, "onthulling", until_then)).await;
        eventually("it is taken in", || async {
            let told = world.gateway.cli(&["source", "deliveries", "cms", "--json"]).await.well().json();
            let done = |line: &Value| line["receipt"] == receipt && line["state"] == "done";
            told.as_array().unwrap().iter().any(done).then_some(())
        })
        .await;
        let shown = get(&object).await.text();
        assert_not_over(until_then);
        assert!(shown.contains("Gewoon") && !shown.contains(SECRET));
        assert!(world.site.requests(PICTURE).is_empty(), "its picture is not fetched");
        assert!(!world.gateway.metrics().await.contains("reason=\"images\""), "nor counted");
        let update = world.told("Update", &object, 1).await;
        assert!(Utc::now() >= until_then);
        assert_eq!(update.activity["object"]["attachment"][0]["name"], "Een onthulling", "with its picture");
        assert_eq!(world.peer.count("Update"), 1);
    }

    async fn an_edit_under_embargo_that_a_person_releases_has_its_picture(db: Database) {
        let source = Cms::source("[source.policy]\nmerge_edits = \"0s\"\napproval = true");
        let world = World::with(db, Setup::new().further(&source)).await;
        let cms = Cms::of(&world.gateway);
        let release_next = || async {
            let listed = || async { world.gateway.cli(&["post", "list", "--held", "--json"]).await.well().json() };
            let held = eventually("it is held", || async { listed().await[0]["post"].as_str().map(str::to_owned) }).await;
            world.gateway.cli(&["post", "release", &held]).await.well();
        };
        cms.says("gepubliceerd", json!({"id": "onthulling", "title": "Gewoon", "html": "<p>Tekst.</p>"})).await;
        release_next().await;
        let object = world.created("Gewoon").await.activity["object"]["id"].as_str().unwrap().to_owned();
        let until_then = Utc::now() + Duration::from_secs(10);
        cms.says("gewijzigd", release(&world, "onthulling", until_then)).await;
        release_next().await;
        let update = world.told("Update", &object, 1).await;
        assert!(Utc::now() >= until_then);
        assert_eq!(update.activity["object"]["attachment"].as_array().unwrap().len(), 1);
    }
}

async fn a_clock_that_is_ahead(db: Database) {
    let world = World::of_web_alone(db, Cms::setup()).await;
    let ahead = world.gateway.beside("ahead", &Launch::new().roles("ingest").clock("+30s"));
    let _deliver = world.gateway.beside("deliver", &Launch::new().roles("deliver"));
    world.gateway.settled(&world.db, true).await;
    world.citizen.follows(&world.gateway).await;
    let until_then = Utc::now() + Duration::from_secs(25);
    Cms::of(&world.gateway).says("gepubliceerd", release(&world, "onthulling", until_then)).await;
    embargoed(&world).await;
    // It jumps from half a minute ahead to an hour behind.
    assert!(ahead.stop().await.success());
    assert!(world.site.requests(PICTURE).is_empty());
    assert_not_over(until_then);
    let _behind = world.gateway.beside("behind", &Launch::new().roles("ingest").clock("-1h"));
    let create = world.created(SECRET).await;
    assert!(Utc::now() - create.at.elapsed() >= until_then, "it came before its time");
    until("once", || world.peer.count("Create") == 1).await;
}

#[test]
fn a_clock_that_jumps_neither_leaks_nor_loses_it() {
    run(a_clock_that_is_ahead, Kind::Postgres);
}
