//! One gateway, one actor, many inboxes; nothing goes wrong.

use crate::harness::cluster::Cluster;
use crate::harness::figures::ratio;
use crate::harness::rsa::Yardstick;
use crate::harness::standin::Taken;
use crate::harness::{Bench, Conduct, Gateway, Plan, World, figures, note, people, process};

/// What is sent to whom, how often.
struct Shape {
    hosts: usize,
    inboxes: usize,
    /// Activities that are published at once.
    activities: usize,
    /// How often that is done and measured.
    rounds: usize,
    /// Whether an activity is sent before, so that connections are open.
    warm: bool,
}

pub fn http_sqlite(bench: &mut Bench) {
    measure(bench, "http_sqlite", &one(bench), Plan::default());
}

pub fn many_sqlite(bench: &mut Bench) {
    measure(bench, "many_sqlite", &many(bench), Plan::default());
}

pub fn tls_pooled_sqlite(bench: &mut Bench) {
    measure(bench, "tls_pooled_sqlite", &pooled(bench), Plan { tls: true, ..Plan::default() });
}

pub fn tls_fresh_sqlite(bench: &mut Bench) {
    measure(bench, "tls_fresh_sqlite", &fresh(bench), Plan { tls: true, ..Plan::default() });
}

pub fn ed25519_sqlite(bench: &mut Bench) {
    let environment = vec![("HERAUT_BENCH_SIGNATURE".to_owned(), "rfc9421-ed25519".to_owned())];
    measure(bench, "ed25519_sqlite", &one(bench), Plan { environment, ..Plan::default() });
}

pub fn http_postgres(bench: &mut Bench) {
    on_postgres(bench, "http_postgres", &one(bench), false);
}

pub fn many_postgres(bench: &mut Bench) {
    on_postgres(bench, "many_postgres", &many(bench), false);
}

pub fn tls_pooled_postgres(bench: &mut Bench) {
    on_postgres(bench, "tls_pooled_postgres", &pooled(bench), true);
}

pub fn tls_fresh_postgres(bench: &mut Bench) {
    on_postgres(bench, "tls_fresh_postgres", &fresh(bench), true);
}

fn on_postgres(bench: &mut Bench, name: &str, shape: &Shape, tls: bool) {
    if let Some(cluster) = Cluster::shared() {
        measure(bench, name, shape, Plan { cluster: Some(cluster), tls, ..Plan::default() });
    }
}

/// One activity to 5,000 inboxes on 500 hosts.
fn one(bench: &Bench) -> Shape {
    Shape { hosts: 500, inboxes: bench.size(2_000, 5_000), activities: 1, rounds: bench.size(1, 8), warm: true }
}

/// 200 activities to 100 inboxes.
fn many(bench: &Bench) -> Shape {
    Shape { hosts: 100, inboxes: 100, activities: bench.size(20, 200), rounds: bench.size(1, 2), warm: true }
}

/// 50 activities to each of 200 hosts.
fn pooled(bench: &Bench) -> Shape {
    Shape { hosts: 200, inboxes: 200, activities: bench.size(10, 50), rounds: bench.size(1, 3), warm: true }
}

/// One activity to each of 5,000 hosts that were never met before.
fn fresh(bench: &Bench) -> Shape {
    let hosts = bench.size(1_000, 5_000);
    Shape { hosts, inboxes: hosts, activities: 1, rounds: 1, warm: false }
}

/// What the rounds of a scenario took together.
#[derive(Default)]
struct Sum {
    deliveries: usize,
    bytes: u64,
    cpu: f64,
    /// Of threads that are not for the database.
    working: f64,
    stand_in: f64,
    cluster: f64,
    rates: Vec<f64>,
}

fn measure(bench: &mut Bench, name: &str, shape: &Shape, plan: Plan) {
    let &Shape { hosts, inboxes, activities, rounds, warm } = shape;
    let warming = usize::from(warm);
    let hosts = people::hosts(hosts, Conduct::Take);
    let mut world = World::make(Plan { hosts, inboxes, posts: rounds * activities + warming, ..plan });
    let gateway = world.serve();
    world.release(warming);
    world.delivered(warming * inboxes);
    process::forget_peak(gateway.pid());
    let mut yardstick = Yardstick::new();
    yardstick.sample();
    let mut sum = Sum::default();
    for _ in 0..rounds {
        let taken = round(&mut world, &gateway, activities, &mut sum);
        yardstick.sample();
        note(&format!("   {} deliveries, {:.0}/s", taken.posts, taken.per_second()));
    }
    say(bench, name, &sum, &yardstick, &gateway, world.database.cluster().is_some());
}

fn round(world: &mut World, gateway: &Gateway, activities: usize, sum: &mut Sum) -> Taken {
    let deliveries = activities * world.plan.inboxes;
    let working = gateway.working_threads();
    let cluster = |world: &World| world.database.cluster().map_or(0.0, Cluster::cpu);
    world.stand_in.forget();
    let (before, stand_in, server) = (gateway.usage(), world.stand_in.cpu(), cluster(world));
    world.release(activities);
    world.delivered(deliveries);
    let after = gateway.usage();
    let taken = world.stand_in.taken();
    sum.cpu += after.since(&before);
    sum.working += after.of_threads(&before, &working);
    sum.stand_in += world.stand_in.cpu() - stand_in;
    sum.cluster += cluster(world) - server;
    sum.deliveries += deliveries;
    sum.bytes += taken.bytes;
    sum.rates.push(taken.per_second());
    taken
}

fn say(bench: &mut Bench, name: &str, sum: &Sum, yardstick: &Yardstick, gateway: &Gateway, server: bool) {
    let per_10k = |seconds: f64| ratio(seconds, sum.deliveries) * 10_000.0;
    let mut figure = |what: &str, value: f64| bench.figure(format!("{name}_{what}"), value);
    figure("cpu_per_delivery_over_rsa", per_10k(sum.cpu) / yardstick.per_10k());
    figure("cpu_s_per_10k", per_10k(sum.cpu));
    figure("rsa_cpu_s_per_10k", yardstick.per_10k());
    figure("database_share", (1.0 - sum.working / sum.cpu).max(0.0));
    if server {
        figure("postgres_cpu_s_per_10k", per_10k(sum.cluster));
    }
    figure("deliveries_per_s", figures::median(&sum.rates));
    figure("peak_rss_mb", process::peak_rss_mb(gateway.pid()));
    figure("stand_in_cpu_s_per_10k", per_10k(sum.stand_in));
    #[allow(clippy::cast_precision_loss)]
    figure("activity_bytes", ratio(sum.bytes as f64, sum.deliveries));
}
