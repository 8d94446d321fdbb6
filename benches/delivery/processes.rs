//! Two processes that deliver from one PostgreSQL, each on a core of its own, against one. The stand-ins and PostgreSQL run on
//! the same two cores, so two processes cannot be twice as fast as one that has their help on the other core; hence a second
//! figure, in which one core does everything, against two.

use crate::harness::cluster::Cluster;
use crate::harness::figures::median;
use crate::harness::{Bench, Conduct, Gateway, Plan, World, note, people, process, until};

pub fn two_processes(bench: &mut Bench) {
    if std::thread::available_parallelism().map_or(1, usize::from) < 2 {
        return note("   this needs two cores: left out");
    }
    let Some(cluster) = Cluster::shared() else { return };
    let (repeats, activities) = bench.size((1, 1), (3, 3));
    let plan = Plan {
        cluster: Some(cluster),
        hosts: people::hosts(500, Conduct::Take),
        inboxes: bench.size(2_000, 5_000),
        posts: 3 * repeats * activities,
        ..Plan::default()
    };
    let mut world = World::make(plan);
    world.serve_without_delivery();
    let (mut halved, mut one, mut two) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..repeats {
        halved.push(send(&mut world, activities, &["0"], "0"));
        one.push(send(&mut world, activities, &["0"], "0,1"));
        two.push(send(&mut world, activities, &["0", "1"], "0,1"));
    }
    let rate = |runs: &[(f64, f64)]| median(&runs.iter().map(|run| run.0).collect::<Vec<_>>());
    let cpu = |runs: &[(f64, f64)]| median(&runs.iter().map(|run| run.1).collect::<Vec<_>>());
    bench.figure("two_processes_two_over_one", rate(&two) / rate(&one));
    bench.figure("two_processes_two_over_one_core_for_all", rate(&two) / rate(&halved));
    bench.figure("two_processes_cpu_of_two_over_one", cpu(&two) / cpu(&one));
    bench.figure("two_processes_one_per_s", rate(&one));
    bench.figure("two_processes_two_per_s", rate(&two));
}

/// Publishes, then lets processes that only deliver loose on it, one for each of these cores, with everybody else on `others`.
/// Gives deliveries a second and CPU seconds of all of them together.
fn send(world: &mut World, activities: usize, cores: &[&str], others: &str) -> (f64, f64) {
    let deliveries = world.plan.inboxes * activities;
    let publisher = world.start("ingest", "");
    world.release(activities);
    let owed = i64::try_from(deliveries).unwrap();
    let count = "SELECT COUNT(*) FROM deliveries WHERE state = 0";
    until("all is owed", || (world.database.number(count) >= owed).then_some(()));
    publisher.stop();
    process::pin(world.stand_in.pid(), others);
    world.database.cluster().unwrap().pin(others);
    world.stand_in.forget();
    let gateways: Vec<Gateway> = cores.iter().map(|core| world.start("deliver", core)).collect();
    world.delivered(deliveries);
    let rate = world.stand_in.taken().per_second();
    let used: Vec<f64> = gateways.iter().map(|gateway| gateway.usage().cpu).collect();
    note(&format!("   cores {cores:?}, others on {others}: {rate:.0}/s, CPU seconds {used:.2?}"));
    process::pin(world.stand_in.pid(), "0,1");
    world.database.cluster().unwrap().pin("0,1");
    (rate, used.iter().sum())
}
