//! Processes of one gateway whose clocks disagree by up to a minute: one is half a minute ahead, one half a minute behind.
//! Nothing is sent twice, nothing before its time, nothing out of order.

use std::time::Duration;

use crate::harness::{
    Account, Arrival, Article, Behaviour, Database, Kind, Launch, Peer, Process, Setup, World, run, told, until,
};

const AHEAD: &str = "+30s";
const BEHIND: &str = "-30s";
/// Posts that each follower is sent: at four seconds each they take longer than the lease, 20 s.
const POSTS: usize = 6;

/// Starts a process in those roles, with a clock that is off.
fn start(world: &World, roles: &str, clock: &str) -> Process {
    world.gateway.beside(&format!("{roles}{clock}"), &Launch::new().roles(roles).clock(clock))
}

/// The ids of what came to a server, but answers to Follows, in the order in which it came, also what was not taken.
fn tried(peer: &Peer) -> Vec<String> {
    peer.arrivals().iter().filter(|a| a.kind() != "Accept").map(|a| a.id().to_owned()).collect()
}

async fn two_that_deliver(db: Database) {
    let world = World::of_web_alone(db, Setup::new().policy("flood_fuse = 100")).await;
    let _ingest = world.gateway.beside("ingest", &Launch::new().roles("ingest"));
    let _behind = start(&world, "deliver", BEHIND);
    world.gateway.settled(&world.db, true).await;
    let followers: Vec<Account> = (0..6).map(|_| Peer::start().lone_account("volger")).collect();
    for follower in &followers {
        follower.follows(&world.gateway).await;
        // Each delivery takes a part of the lease, and all of them together more than it.
        follower.peer.behaves(Behaviour::Slow(Duration::from_secs(4), 202));
    }
    for n in 0..POSTS {
        world.site.publish(&format!("n{n}"), &format!("Bericht {n}."), "<p>Er is nieuws.</p>");
        until("it is published", || world.said().len() == n + 1).await;
    }
    let said = world.said();
    let busy =
        || followers.iter().all(|f| f.peer.arrivals().iter().any(|a| a.kind() == "Create" && a.answered.is_none()));
    until("one whose clock is behind delivers to all of them", busy).await;
    let _ahead = start(&world, "deliver", AHEAD);
    until("all came", || followers.iter().all(|f| told(&f.peer.arrivals()).len() >= POSTS)).await;
    until("all is recorded", || world.deliveries(0) == 0).await;
    for follower in &followers {
        assert!(follower.peer.arrivals().iter().all(|a| a.verified.is_ok()), "{:?}", follower.peer.arrivals());
        assert_eq!(tried(&follower.peer), said, "{} was sent each once, in order", follower.id);
    }
}

#[test]
fn leases_hold_between_processes_whose_clocks_disagree() {
    run(two_that_deliver, Kind::Postgres);
}

async fn an_embargo(db: Database) {
    let world = World::of_web_alone(db, Setup::new()).await;
    let _ahead = start(&world, "ingest", AHEAD);
    let _deliver = start(&world, "deliver", AHEAD);
    world.gateway.settled(&world.db, true).await;
    world.citizen.follows(&world.gateway).await;
    let mut article = Article::new("embargo", "Onder embargo", "<p>Pas straks.</p>");
    let embargo = chrono::Utc::now() + Duration::from_secs(15);
    article.published = heraut::time::Timestamp(embargo.timestamp_millis() / 1_000 * 1_000);
    let wanted = article.published;
    world.site.add(article);
    let create = world.created("Onder embargo").await;
    let came = chrono::Utc::now().timestamp_millis() - i64::try_from(create.at.elapsed().as_millis()).unwrap();
    assert!(came >= wanted.0, "it came {} ms before its time", wanted.0 - came);
}

#[test]
fn an_embargo_holds_also_in_a_process_whose_clock_is_ahead() {
    run(an_embargo, Kind::Postgres);
}

async fn three_that_publish(db: Database) {
    let world = World::of_web_alone(db, Setup::new()).await;
    let _deliver = world.gateway.beside("deliver", &Launch::new().roles("deliver"));
    let ahead = start(&world, "ingest", AHEAD);
    world.gateway.settled(&world.db, true).await;
    world.citizen.follows(&world.gateway).await;
    world.peer.behaves(Behaviour::Answer(503));
    let made = async |n: usize, what: &str| until(what, || world.said().len() == n).await;
    world.site.publish("dijk", "De dijk", "<p>Tekst.</p>");
    made(1, "the Create is made by one whose clock is ahead").await;
    assert!(ahead.stop().await.success());

    let behind = start(&world, "ingest", BEHIND);
    world.site.edit("dijk", |article| article.title = "De dijk, beter".to_owned());
    made(2, "the Update is made by one whose clock is behind").await;
    world.site.publish("brug", "De brug", "<p>Tekst.</p>");
    made(3, "another Create is made by it").await;
    assert!(behind.stop().await.success());

    let _right = world.gateway.beside("ingest", &Launch::new().roles("ingest"));
    let first = world.db.number("SELECT MIN(id) FROM posts WHERE state = 'published'").to_string();
    world.gateway.cli(&["post", "withdraw", &first]).await.well();
    made(4, "the Delete is made by one whose clock is right").await;
    world.peer.behaves(Behaviour::Answer(202));
    world.citizen.says(&world.gateway, &world.citizen.activity("View", "https://elders.example/1")).await;
    until("all came", || told(&world.peer.arrivals()).len() >= 4).await;
    let taken: Vec<Arrival> = world.peer.taken().into_iter().filter(|a| a.kind() != "Accept").collect();
    let kinds: Vec<&str> = taken.iter().map(Arrival::kind).collect();
    assert_eq!(kinds, ["Create", "Update", "Create", "Delete"], "in the order in which they were made");
    let object = |n: usize| taken[n].activity["object"].clone();
    assert_eq!((&object(0)["id"], &object(1)["id"]), (&object(1)["id"], &object(3)["id"]), "of one post");
    let (published, updated) = (object(0)["published"].to_string(), object(1)["updated"].to_string());
    assert!(
        updated > published,
        "updated {updated}, published {published}: Mastodon ignores an edit that is not later"
    );
}

#[test]
fn an_update_never_overtakes_its_create_whatever_the_clocks_say() {
    run(three_that_publish, Kind::Postgres);
}
