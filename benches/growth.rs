//! What grows with the number of followers, actors and receipts, and what does not.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod harness;

use harness::cluster::Cluster;
use harness::figures::{median, ratio};
use harness::rsa::Yardstick;
use harness::{Bench, Conduct, Gateway, Plan, World, note, people, process, until};

/// Followers in one inbox: 100,000 are in 20,000.
const FOLLOWERS_PER_INBOX: usize = 5;
/// Hosts, at most: more inboxes are on the same ones.
const HOSTS_MAX: usize = 500;
/// Starts of which the median is taken.
const STARTS: usize = 5;

fn main() {
    harness::run(&[
        ("followers_sqlite", followers_sqlite),
        ("followers_postgres", followers_postgres),
        ("hosts", hosts),
        ("actors", actors),
        ("receipts", receipts),
        ("cold_start", cold_start),
        ("size", size),
    ]);
}

fn world(followers: usize, posts: usize, plan: Plan) -> World {
    world_on(HOSTS_MAX, followers, posts, plan)
}

fn world_on(hosts_max: usize, followers: usize, posts: usize, plan: Plan) -> World {
    let inboxes = followers.div_ceil(FOLLOWERS_PER_INBOX);
    let hosts = people::hosts(inboxes.min(hosts_max), Conduct::Take);
    World::make(Plan { hosts, inboxes, followers, posts, ..plan })
}

/// CPU seconds of one delivery in units of an RSA signature: `rounds` activities one after the other, to all inboxes.
fn cost(world: &mut World, gateway: &Gateway, rounds: usize) -> f64 {
    let mut yardstick = Yardstick::new();
    yardstick.sample();
    let inboxes = world.plan.inboxes;
    world.stand_in.forget();
    let before = gateway.usage();
    for round in 1..=rounds {
        world.release(1);
        world.delivered(round * inboxes);
    }
    let used = gateway.usage().since(&before);
    yardstick.sample();
    ratio(used, rounds * inboxes) * 10_000.0 / yardstick.per_10k()
}

fn followers_sqlite(bench: &mut Bench) {
    followers(bench, "sqlite", Plan::default);
}

fn followers_postgres(bench: &mut Bench) {
    if let Some(cluster) = Cluster::shared() {
        followers(bench, "postgres", || Plan { cluster: Some(cluster.clone()), ..Plan::default() });
    }
}

/// One actor with ever more followers.
fn followers(bench: &mut Bench, kind: &str, plan: impl Fn() -> Plan) {
    let mut costs = Vec::new();
    // A round takes half a second until the post is seen; the last ones take seconds by themselves.
    let levels: &[(usize, usize)] =
        bench.size(&[(1_000, 5), (10_000, 1)], &[(100, 50), (1_000, 25), (10_000, 5), (100_000, 2)]);
    for &(followers, rounds) in levels {
        let mut world = world(followers, rounds + 1, plan());
        let gateway = world.serve();
        world.release(1);
        world.delivered(world.plan.inboxes);
        process::forget_peak(gateway.pid());
        let cost = cost(&mut world, &gateway, rounds);
        bench.figure(format!("followers_{followers}_{kind}_cpu_per_delivery_over_rsa"), cost);
        bench.figure(format!("followers_{followers}_{kind}_peak_rss_mb"), process::peak_rss_mb(gateway.pid()));
        costs.push((followers, cost, process::peak_rss_mb(gateway.pid())));
    }
    let at = |wanted: usize| costs.iter().find(|(followers, ..)| *followers == wanted);
    if let (Some(small), Some(large)) = (at(1_000), at(100_000)) {
        let suffix = if kind == "sqlite" { String::new() } else { format!("_{kind}") };
        bench.figure(format!("cost_per_delivery_100k_over_1k{suffix}"), large.1 / small.1);
        bench.figure(format!("rss_100k_followers_mb{suffix}"), large.2);
    }
}

/// The same on ten times as many hosts: each keeps a connection for a while, with its memory and its file.
fn hosts(bench: &mut Bench) {
    for (name, tls) in [("http", false), ("tls", true)] {
        let followers = bench.size(10_000, 100_000);
        let mut world = world_on(bench.size(1_000, 5_000), followers, 1, Plan { tls, ..Plan::default() });
        let gateway = world.serve();
        process::forget_peak(gateway.pid());
        let cost = cost(&mut world, &gateway, 1);
        let files = std::fs::read_dir(format!("/proc/{}/fd", gateway.pid())).map_or(0, Iterator::count);
        bench.figure(format!("hosts_{name}_cpu_per_delivery_over_rsa"), cost);
        bench.figure(format!("hosts_{name}_peak_rss_mb"), process::peak_rss_mb(gateway.pid()));
        bench.figure(format!("hosts_{name}_open_files"), f64::from(u32::try_from(files).unwrap()));
    }
}

/// Ever more actors, each with a source, 500 followers and something to say, all at once.
fn actors(bench: &mut Bench) {
    for &actors in bench.size(&[10][..], &[10, 100, 1_000]) {
        let (inboxes, posts) = (100, (bench.size(50, 200) / actors).max(1));
        let hosts = people::hosts(inboxes, Conduct::Take);
        let followers = inboxes * FOLLOWERS_PER_INBOX;
        let plan = Plan { hosts, inboxes, followers, actors, sources: actors, posts: posts + 1, ..Plan::default() };
        let mut world = World::make(plan);
        let gateway = world.serve();
        world.release(1);
        world.delivered(actors * inboxes);
        process::forget_peak(gateway.pid());
        let mut yardstick = Yardstick::new();
        yardstick.sample();
        world.stand_in.forget();
        let before = gateway.usage();
        world.release(posts);
        world.delivered(posts * actors * inboxes);
        let used = gateway.usage().since(&before);
        yardstick.sample();
        let cost = ratio(used, posts * actors * inboxes) * 10_000.0 / yardstick.per_10k();
        bench.figure(format!("actors_{actors}_cpu_per_delivery_over_rsa"), cost);
        bench.figure(format!("actors_{actors}_peak_rss_mb"), process::peak_rss_mb(gateway.pid()));
        let idle = gateway.usage();
        std::thread::sleep(std::time::Duration::from_secs(5));
        bench.figure(format!("actors_{actors}_idle_cpu_share"), gateway.usage().since(&idle) / 5.0);
    }
}

/// A million receipts of earlier deliveries, against none.
fn receipts(bench: &mut Bench) {
    let (followers, rounds) = (10_000, bench.size(2, 5));
    let mut world = world(followers, 2 * rounds + 1, Plan::default());
    let gateway = world.serve();
    world.release(1);
    world.delivered(world.plan.inboxes);
    let none = cost(&mut world, &gateway, rounds);
    let activities = bench.size(50, 500);
    world.database.execute(&format!(
        "INSERT INTO activities (id, actor_id, post_id, kind, bytes, created_at) \
         WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {activities}) \
         SELECT n.n, {}, NULL, 'Create', x'00', 0 FROM n; \
         INSERT INTO deliveries (inbox_id, activity_id, state, attempts, status, created_at, settled_at) \
         SELECT i.id, a.id, 1, 1, 202, 0, 0 FROM inboxes i CROSS JOIN activities a WHERE a.id <= {activities}",
        world.actors[0]
    ));
    let many = cost(&mut world, &gateway, rounds);
    bench.figure("receipts_1m_cost_over_none", many / none);
    bench.figure("receipts_rows", f64::from(u32::try_from(activities * world.plan.inboxes).unwrap()));
}

/// From the start of the process until `/health/ready` answers 200; the files are in the system's cache.
fn cold_start(bench: &mut Bench) {
    let empty = world(0, 0, Plan { sources: 0, ..Plan::default() });
    bench.figure("cold_start_empty_s", start(&empty));
    let followers = bench.size(10_000, 100_000);
    let name = format!("cold_start_{}k_s", followers / 1_000);
    let mut full = world(followers, 1, Plan::default());
    full.serve().stop();
    bench.figure(name, start(&full));
    // Killed while all of it was owed: what a crash leaves.
    let gateway = full.start("web,ingest", "");
    full.release(1);
    let owed = i64::try_from(full.plan.inboxes).unwrap();
    let count = "SELECT COUNT(*) FROM deliveries WHERE state = 0";
    until("all is owed", || (full.database.number(count) == owed).then_some(()));
    gateway.kill();
    let gateway = full.start("", "");
    bench.figure(format!("cold_start_{}k_owed_s", followers / 1_000), gateway.ready_after.as_secs_f64());
    full.delivered(full.plan.inboxes);
}

fn start(world: &World) -> f64 {
    let times: Vec<f64> = (0..STARTS)
        .map(|_| {
            let gateway = world.start("", "");
            let took = gateway.ready_after.as_secs_f64();
            gateway.stop();
            took
        })
        .collect();
    note(&format!("   {times:.3?}"));
    median(&times)
}

/// What a receipt and a post take in the database, with all indexes.
fn size(bench: &mut Bench) {
    bytes(bench, "sqlite", Plan::default);
    if let Some(cluster) = Cluster::shared() {
        bytes(bench, "postgres", || Plan { cluster: Some(cluster.clone()), ..Plan::default() });
    }
}

fn bytes(bench: &mut Bench, kind: &str, plan: impl Fn() -> Plan) {
    #[allow(clippy::cast_precision_loss)]
    let of = |world: &World| world.database.bytes() as f64;
    // Posts that nobody is owed, each with its item.
    let posts = bench.size(100, 500);
    let mut lonely = world(0, posts, plan());
    let before = of(&lonely);
    let gateway = lonely.serve();
    lonely.release(posts);
    let published = "SELECT COUNT(*) FROM posts WHERE state = 'published'";
    until("all is published", || (lonely.database.number(published) >= i64::try_from(posts).unwrap()).then_some(()));
    let per_post = ratio(of(&lonely) - before, posts);
    gateway.stop();
    // One post that many are owed.
    let mut wide = world(bench.size(10_000, 100_000), 2, plan());
    let gateway = wide.serve();
    wide.release(1);
    wide.delivered(wide.plan.inboxes);
    let before = of(&wide);
    wide.stand_in.forget();
    wide.release(1);
    wide.delivered(wide.plan.inboxes);
    let per_receipt = ratio(of(&wide) - before, wide.plan.inboxes);
    gateway.stop();
    bench.figure(format!("size_{kind}_bytes_per_post"), per_post);
    bench.figure(format!("size_{kind}_bytes_per_receipt"), per_receipt);
}
