//! What a delivery costs, through the whole path: store, lease, sign, send, record.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod harness;

use harness::rsa::Yardstick;
use harness::{Bench, Conduct, Plan, World, people, process};

fn main() {
    harness::run(&[("http_sqlite", http_sqlite)]);
}

fn http_sqlite(bench: &mut Bench) {
    let rounds = bench.size(2, 8);
    let plan = Plan { hosts: people::hosts(500, Conduct::Take), inboxes: 5_000, posts: rounds + 1, ..Plan::default() };
    let mut world = World::make(plan);
    let gateway = world.serve();
    let working = gateway.working_threads();
    let mut yardstick = Yardstick::new();
    let (mut cpu, mut worked, mut posts) = (0.0, 0.0, 0);
    world.release(1);
    world.delivered(5_000);
    process::forget_peak(gateway.pid());
    for _ in 0..rounds {
        yardstick.sample();
        world.stand_in.forget();
        let before = gateway.usage();
        world.release(1);
        world.delivered(5_000);
        let after = gateway.usage();
        cpu += after.since(&before);
        worked += after.of_threads(&before, &working);
        posts += 5_000;
        yardstick.sample();
        harness::note(&format!("{:?}", world.stand_in.taken()));
    }
    let per_10k = cpu / f64::from(posts) * 10_000.0;
    bench.figure("http_sqlite_cpu_s_per_10k", per_10k);
    bench.figure("http_sqlite_rsa_cpu_s_per_10k", yardstick.per_10k());
    bench.figure("http_sqlite_cpu_per_delivery_over_rsa", per_10k / yardstick.per_10k());
    bench.figure("http_sqlite_database_share", 1.0 - worked / cpu);
    bench.figure("http_sqlite_peak_rss_mb", process::peak_rss_mb(gateway.pid()));
}
