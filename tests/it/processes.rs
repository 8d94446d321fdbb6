//! Several processes of one gateway on one PostgreSQL: they share the work, any of them may die, and what is done once is done
//! once.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::harness::{
    Account, Arrival, Behaviour, Database, Kind, Launch, Peer, Process, Setup, World, eventually, run, told, until,
};

/// Time for one delivery, and for the lease of an inbox: what a killed process held is free after that.
const DELIVERY: &str = "timeout = \"3s\"\nlease = \"6s\"\nconcurrency = 8";
const LEASE: Duration = Duration::from_secs(6);
/// How long an activity may be on its way on a busy machine.
const LAG: Duration = Duration::from_millis(500);

/// Starts a process in those roles.
fn start(world: &World, name: &str, roles: &str) -> Process {
    world.gateway.beside(name, &Launch::new().roles(roles))
}

/// Starts followers on servers of their own.
async fn followers(world: &World, n: usize) -> Vec<Account> {
    let followers: Vec<Account> = (0..n).map(|_| Peer::start().lone_account("volger")).collect();
    for follower in &followers {
        follower.follows(&world.gateway).await;
    }
    followers
}

/// What came to all of them, but answers to Follows.
fn arrivals(followers: &[Account]) -> Vec<Arrival> {
    let all = followers.iter().flat_map(|follower| follower.peer.arrivals());
    all.filter(|arrival| arrival.kind() != "Accept").collect()
}

/// Publishes so many posts, one after the other, and waits until they are owed.
async fn publish(world: &World, from: usize, n: usize) {
    for n in from..from + n {
        world.site.publish(&format!("n{n}"), &format!("Bericht {n}."), "<p>Er is nieuws.</p>");
        let made = i64::try_from(n + 1).unwrap();
        until(&format!("post {n} is published"), || world.said().len() as i64 == made).await;
    }
}

/// Waits until everything that was said came to every follower.
async fn all_came(world: &World, followers: &[Account]) {
    let said = world.said();
    until("everything came to everybody", || followers.iter().all(|f| told(&f.peer.arrivals()).len() >= said.len()))
        .await;
    until("all is recorded", || world.deliveries(0) == 0).await;
}

async fn four_processes_share_the_work_by_their_roles(db: Database) {
    let setup = Setup::new().policy("flood_fuse = 100").delivery(DELIVERY);
    let world = World::of_web_alone(db, setup).await;
    let ingest = start(&world, "ingest", "ingest");
    let deliver = [start(&world, "deliver-1", "deliver"), start(&world, "deliver-2", "deliver")];
    world.gateway.settled(&world.db, true).await;
    let followers = followers(&world, 24).await;
    for follower in &followers {
        follower.peer.behaves(Behaviour::Slow(Duration::from_millis(200), 202));
    }
    publish(&world, 0, 4).await;
    all_came(&world, &followers).await;
    let said = world.said();
    for follower in &followers {
        let arrivals = follower.peer.arrivals();
        assert_eq!(told(&arrivals), said, "{} has all, once and in order", follower.id);
        assert!(arrivals.iter().all(|a| a.verified.is_ok()));
    }
    let shares = deliver.each_ref().map(|process| {
        let ports = process.ports();
        arrivals(&followers).iter().filter(|arrival| ports.contains(&arrival.port)).count()
    });
    assert_eq!(shares[0] + shares[1], 4 * followers.len(), "{shares:?}: nobody else delivers");
    assert!(shares.iter().all(|share| *share > 0), "{shares:?}: both deliver");
    eprintln!("of {} deliveries the two did {shares:?}", 4 * followers.len());
    for process in deliver.into_iter().chain([ingest]) {
        assert!(process.stop().await.success());
    }
}

#[test]
fn web_ingest_and_two_deliver_processes_share_the_work() {
    run(four_processes_share_the_work_by_their_roles, Kind::Postgres);
}

async fn one_of_two_that_deliver_is_killed(db: Database) {
    let setup = Setup::new().policy("flood_fuse = 100").delivery(DELIVERY);
    let world = World::of_web_alone(db, setup).await;
    let _ingest = start(&world, "ingest", "ingest");
    let (victim, survivor) = (start(&world, "deliver-1", "deliver"), start(&world, "deliver-2", "deliver"));
    world.gateway.settled(&world.db, true).await;
    let followers = followers(&world, 24).await;
    for follower in &followers {
        follower.peer.behaves(Behaviour::Slow(Duration::from_millis(300), 202));
    }
    publish(&world, 0, 3).await;
    // The victim is in the middle of something: there is an inbox that it has sent to, and that has not answered.
    let its_own: HashSet<u16> = eventually("the victim delivers", || async {
        let ports = victim.ports();
        let busy = |a: &Arrival| ports.contains(&a.port) && a.answered.is_none();
        arrivals(&followers).iter().any(busy).then_some(ports)
    })
    .await;
    let killing = Instant::now();
    victim.kill9();
    let killed = Instant::now();
    // One clock for all: the database's.
    let left = world.db.number(
        "SELECT COALESCE(MAX(lease_until), 0) - CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) FROM inboxes",
    );
    assert!(left <= LEASE.as_millis() as i64, "an inbox is held for {left} ms more");
    publish(&world, 3, 2).await;
    all_came(&world, &followers).await;
    let said = world.said();
    let mut repeats = 0;
    for follower in &followers {
        let arrivals = follower.peer.arrivals();
        let mut came = told(&arrivals);
        let taken: Vec<&Arrival> = arrivals.iter().filter(|a| a.taken() && a.kind() != "Accept").collect();
        for pair in taken.windows(2).filter(|pair| pair[0].id() == pair[1].id()) {
            // What was on its way when it was killed is sent again: nobody knows what became of it.
            let of_victim = its_own.contains(&pair[0].port) || !survivor.ports().contains(&pair[0].port);
            let on_its_way = pair[0].at <= killed + LAG && pair[1].at >= killing;
            assert!(of_victim && on_its_way, "{} came twice to {}", pair[0].id(), follower.id);
            repeats += 1;
        }
        came.dedup();
        assert_eq!(came, said, "{} has all, in order", follower.id);
    }
    eprintln!("{repeats} of {} came again", said.len() * followers.len());
}

#[test]
fn what_a_killed_process_was_to_deliver_another_delivers_when_the_lease_ends() {
    run(one_of_two_that_deliver_is_killed, Kind::Postgres);
}

async fn three_that_ingest(db: Database) {
    let world = World::of_web_alone(db, Setup::new().every("2s").policy("flood_fuse = 100")).await;
    let _deliver = start(&world, "deliver", "deliver");
    let ingest = [1, 2, 3].map(|n| start(&world, &format!("ingest-{n}"), "ingest"));
    world.gateway.settled(&world.db, true).await;
    world.citizen.follows(&world.gateway).await;
    let (began, before) = (Instant::now(), world.site.polls());
    for n in 0..6 {
        world.published(&format!("n{n}"), &format!("Bericht {n}.")).await;
    }
    world.site.polled(2).await;
    let polls = world.site.polls() - before;
    let slots = usize::try_from(began.elapsed().as_millis() / 2_000).unwrap() + 2;
    assert!(polls <= slots, "one process may poll {slots} times in this time; three polled {polls} times");
    assert_eq!(world.site.requests("/.well-known/heraut-actor.json").len(), 1, "the proof was fetched once");
    assert_eq!(world.db.number("SELECT COUNT(*) FROM posts WHERE state = 'published'"), 6);
    assert_eq!(told(&world.peer.arrivals()), world.said(), "each post came once");
    let working = ingest.iter().filter(|process| process.log().contains("a post was published")).count();
    assert!(working >= 1);
    eprintln!("{working} of three published something; {polls} polls where {slots} may be");
}

#[test]
fn schedules_run_once_across_processes() {
    run(three_that_ingest, Kind::Postgres);
}

async fn one_that_sleeps(db: Database) {
    let world = World::of_web_alone(db, Setup::new().policy("flood_fuse = 100")).await;
    let _ingest = start(&world, "ingest", "ingest");
    let _deliver = start(&world, "deliver", "deliver");
    world.gateway.settled(&world.db, true).await;
    world.citizen.follows(&world.gateway).await;
    let mut delays = Vec::new();
    for n in 0..6 {
        if n == 3 {
            // Whatever one process used to hear from another with, it breaks off.
            world.db.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE datname = current_database() AND pid <> pg_backend_pid()",
            );
        }
        let create = world.published(&format!("n{n}"), &format!("Bericht {n}.")).await;
        let id = create.id().rsplit('/').next().unwrap().to_owned();
        let made = world.db.number(&format!("SELECT created_at FROM activities WHERE id = {id}"));
        let came = chrono::Utc::now().timestamp_millis() - i64::try_from(create.at.elapsed().as_millis()).unwrap();
        delays.push(came - made);
    }
    eprintln!("from published to delivered, in ms: {delays:?}");
    // No one waits for a lease to end. That a process is woken, and does not only look by itself as it does every second, a test
    // of the store holds (stores.rs): on a busy machine the clock does not tell the two apart.
    assert!(delays.iter().all(|delay| *delay < 10_000), "{delays:?}");
    assert_eq!(told(&world.peer.arrivals()), world.said());
}

#[test]
fn an_idle_process_delivers_what_another_publishes_also_after_its_connections_broke() {
    run(one_that_sleeps, Kind::Postgres);
}
