//! Three hosts of five do what hosts do when they are ill. Those that are well must not notice.

use crate::harness::figures::median;
use crate::harness::people::hosts;
use crate::harness::{Bench, Conduct, Host, Plan, World, note, process, until};

/// What the ill ones do, in turn.
const ILL: [Conduct; 7] =
    [Conduct::Hang, Conduct::Slow, Conduct::Reset, Conduct::TooMany, Conduct::Error, Conduct::Gone, Conduct::Huge];

/// The same inboxes are sent the same twice: while all hosts are well, and while 60 % are ill. What counts is how fast the
/// other 40 % get theirs.
pub fn chaos(bench: &mut Bench) {
    let repeats = bench.size(1, 3);
    let plan = Plan {
        hosts: ill(bench.size(100, 500)),
        inboxes: bench.size(1_000, 5_000),
        posts: 2 * repeats,
        delivery: bench.size("timeout = \"4s\"\nlease = \"20s\"", "").to_owned(),
        ..Plan::default()
    };
    let mut world = World::make(plan);
    let well = world.plan.inboxes * 2 / 5;
    let (mut undisturbed, mut disturbed, mut memory) = (Vec::new(), Vec::new(), 0.0_f64);
    // The first start polls, and sends nothing.
    world.serve().stop();
    for _ in 0..repeats {
        for everyone_is_well in [true, false] {
            let (rate, peak) = send(&mut world, well, everyone_is_well);
            note(&format!(
                "   {} {rate:.0}/s to those that are well",
                if everyone_is_well { "all well:" } else { "ill:" }
            ));
            if everyone_is_well {
                undisturbed.push(rate);
            } else {
                disturbed.push(rate);
                memory = memory.max(peak);
            }
        }
    }
    bench.figure("chaos_healthy_rate_over_undisturbed", median(&disturbed) / median(&undisturbed));
    bench.figure("chaos_undisturbed_per_s", median(&undisturbed));
    bench.figure("chaos_healthy_per_s", median(&disturbed));
    bench.figure("chaos_peak_rss_mb", memory);
}

/// Of every five hosts, three are ill.
fn ill(count: usize) -> Vec<Host> {
    let mut hosts = hosts(count, Conduct::Take);
    let places = (0..count).filter(|n| n % 5 < 3);
    places.zip(ILL.iter().cycle()).for_each(|(place, conduct)| hosts[place].conduct = *conduct);
    hosts
}

/// Sends one activity from a gateway that knows nothing about any host; gives deliveries a second to the hosts that are well,
/// from the first to the last, and the gateway's peak memory until then.
fn send(world: &mut World, well: usize, everyone_is_well: bool) -> (f64, f64) {
    world.database.execute(
        "DELETE FROM hosts; UPDATE deliveries SET state = 3 WHERE state = 0; UPDATE inboxes SET turn = NULL, \
         due_at = NULL, lease_until = 0, failures = 0, failing_since = NULL, parked_at = NULL",
    );
    world.stand_in.heal(everyone_is_well);
    let gateway = world.start("", "");
    world.stand_in.forget();
    world.release(1);
    let wanted = u64::try_from(well).unwrap();
    until("all hosts that are well got it", || (world.stand_in.taken().posts >= wanted).then_some(()));
    let taken = world.stand_in.taken();
    let peak = process::peak_rss_mb(gateway.pid());
    gateway.kill();
    (taken.per_second(), peak)
}
