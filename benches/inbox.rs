//! How many signed activities are verified and stored in a second.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod harness;
mod load;
mod senders;

use harness::{Bench, Conduct, Gateway, Plan, World, people, until};
use load::Task;
use senders::{Kind, Senders};

/// Threads that serve.
const WORKERS: usize = 2;
/// Connections over which other servers send.
const CONNECTIONS: usize = 256;
/// Other servers.
const HOSTS: usize = 500;
/// Reads a file's worth of senders' documents from their servers.
const UNKNOWN: usize = 1_000;

fn main() {
    if std::env::args().nth(1).is_some_and(|word| word == load::ARGUMENT) {
        return load::play();
    }
    harness::run(&[("sqlite", sqlite), ("postgres", postgres)]);
}

fn sqlite(bench: &mut Bench) {
    let count = bench.size(4_000, 20_000);
    measure(bench, "sqlite", count, Plan::default());
}

fn postgres(bench: &mut Bench) {
    let count = bench.size(1_000, 5_000);
    let Some(cluster) = harness::cluster::Cluster::start() else { return };
    measure(bench, "postgres", count, Plan { cluster: Some(std::sync::Arc::new(cluster)), ..Plan::default() });
}

/// Each sender sends a Follow, then a Like, then a Create. Their keys are in the database; the process has not seen them
/// before the Follow.
fn measure(bench: &mut Bench, name: &str, count: usize, plan: Plan) {
    let hosts = people::hosts(HOSTS, Conduct::Take);
    let mut world = World::make(Plan { hosts: hosts.clone(), posts: 1, workers: WORKERS, ..plan });
    let gateway = world.serve();
    world.release(1);
    let published = "SELECT COUNT(*) FROM posts WHERE state = 'published'";
    until("the post is published", || (world.database.number(published) == 1).then_some(()));
    gateway.stop();
    let senders = Senders::new(&world, hosts, count + UNKNOWN);
    senders.make_known(&world.database, count);
    // Only what answers: the Accepts of Follows are owed, and sent by whoever delivers.
    let gateway = world.start("web", "");
    let verify_s = senders.verify_cost();
    for (kind, table) in [(Kind::Follow, "followers"), (Kind::Like, "reactions"), (Kind::Create, "messages")] {
        let requests = senders.requests(&world, kind, 0..count);
        let label = format!("inbox_{name}_{}", kind.name());
        let found = send(bench, &world, &gateway, &label, &requests);
        bench.figure(format!("{label}_verifying_share"), verify_s / found);
        let stored = world.database.number(&format!("SELECT COUNT(*) FROM {table}"));
        assert_eq!(stored, i64::try_from(count).unwrap(), "all are stored");
    }
    for (path, document) in senders.documents(count..count + UNKNOWN) {
        let (authority, path) = path.split_at(path.find('/').unwrap());
        world.stand_in.put(authority, path, "application/activity+json", &document);
    }
    let requests = senders.requests(&world, Kind::Follow, count..count + UNKNOWN);
    send(bench, &world, &gateway, &format!("inbox_{name}_unknown_key"), &requests);
    bench.figure(format!("inbox_{name}_peak_rss_mb"), harness::process::peak_rss_mb(gateway.pid()));
}

/// Sends all of it, and gives the CPU seconds for one.
fn send(bench: &mut Bench, world: &World, gateway: &Gateway, label: &str, requests: &[Vec<u8>]) -> f64 {
    let file = world.config().with_file_name("requests");
    load::write(&file, requests);
    let task = Task {
        address: world.address,
        requests: file.display().to_string(),
        connections: CONNECTIONS,
        time: None,
        rate: None,
        expect: 202,
    };
    let before = gateway.usage();
    let outcome = load::crowd(&task);
    #[allow(clippy::cast_precision_loss)]
    let each = gateway.usage().since(&before) / outcome.answers as f64;
    bench.figure(format!("{label}_per_s"), outcome.per_second());
    bench.figure(format!("{label}_p50_ms"), outcome.p50_ms);
    bench.figure(format!("{label}_p99_ms"), outcome.p99_ms);
    bench.figure(format!("{label}_cpu_us"), each * 1e6);
    each
}
