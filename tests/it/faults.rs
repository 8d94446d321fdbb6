//! What the gateway stands on goes away in the middle of a fan-out, and comes back: the database server, the room on the disk.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::harness::{
    Account, Article, Behaviour, Cluster, Database, Gateway, Peer, Setup, World, eventually, get_as, runtime, told,
    until, within,
};

const DELIVERY: &str = "timeout = \"3s\"\nlease = \"6s\"\nconcurrency = 16";
/// How long it may take until all is well again: the longest wait of an inbox that failed twice is a minute.
const AFTERMATH: Duration = Duration::from_secs(150);
const FOLLOWERS: usize = 30;
/// How long an activity may be on its way on a busy machine.
const LAG: Duration = Duration::from_millis(500);

/// A crowd of which a third is slow, so that there is always something on its way.
async fn crowd(world: &World) -> Vec<Account> {
    let followers: Vec<Account> = (0..FOLLOWERS).map(|_| Peer::start().lone_account("volger")).collect();
    for (n, follower) in followers.iter().enumerate() {
        follower.follows(&world.gateway).await;
        if n % 3 == 0 {
            follower.peer.behaves(Behaviour::Slow(Duration::from_millis(300), 202));
        }
    }
    followers
}

fn publish(world: &World, from: usize, n: usize) {
    let article = |n: usize| Article::new(&format!("n{n}"), &format!("Bericht {n}."), "<p>Er is nieuws.</p>");
    world.site.add_all((from..from + n).map(article));
}

fn creates(followers: &[Account]) -> usize {
    followers.iter().map(|follower| follower.peer.count("Create")).sum()
}

fn is_told(log: &str, words: &str) -> bool {
    log.lines().any(|line| (line.contains("\"ERROR\"") || line.contains("\"WARN\"")) && line.contains(words))
}

async fn ready(gateway: &Gateway) -> u16 {
    get_as(&gateway.url("/health/ready"), "*/*").await.status
}

/// Waits until everything that was said came to everybody, and is recorded.
async fn all_came(world: &World, followers: &[Account], posts: usize) -> Vec<String> {
    let wanted = i64::try_from(posts * followers.len()).unwrap();
    within(AFTERMATH, "everything is delivered and recorded", || async {
        (world.said().len() == posts && world.deliveries(1) == wanted).then_some(())
    })
    .await;
    world.said()
}

/// Everybody has all in order, and what came again was on its way while the database was away.
fn judge(followers: &[Account], said: &[String], away: &[(Instant, Instant)]) -> usize {
    let mut repeats = 0;
    for follower in followers {
        let arrivals = follower.peer.arrivals();
        assert!(arrivals.iter().all(|a| a.verified.is_ok()));
        let taken: Vec<_> = arrivals.iter().filter(|a| a.taken() && a.kind() != "Accept").collect();
        for pair in taken.windows(2).filter(|pair| pair[0].id() == pair[1].id()) {
            let answered = pair[0].answered.unwrap().0;
            let explained = away.iter().any(|(from, until)| answered + LAG >= *from && pair[0].at <= *until);
            assert!(explained, "{} came twice to {}, and the database was there", pair[0].id(), follower.id);
            repeats += 1;
        }
        let mut came = told(&arrivals);
        came.dedup();
        assert_eq!(came, said, "{} has all, in order", follower.id);
    }
    repeats
}

async fn a_database_server_that_crashes() {
    let cluster = Cluster::new();
    let db = Database::on(&cluster.url());
    let world = World::unfollowed(db, Setup::new().policy("flood_fuse = 1000").delivery(DELIVERY)).await;
    let followers = crowd(&world).await;
    let mut away = Vec::new();
    for round in 0..3 {
        let before = creates(&followers);
        publish(&world, round * 5, 5);
        until("the fan-out is under way", || creates(&followers) > before + FOLLOWERS / 2).await;
        let from = Instant::now();
        cluster.crash();
        eventually("it is not ready", || async { (ready(&world.gateway).await == 503).then_some(()) }).await;
        assert_eq!(get_as(&world.gateway.url("/health/live"), "*/*").await.status, 200, "and alive");
        cluster.start().unwrap();
        away.push((from, Instant::now()));
        eventually("it is ready again", || async { (ready(&world.gateway).await == 200).then_some(()) }).await;
    }
    let said = all_came(&world, &followers, 15).await;
    let repeats = judge(&followers, &said, &away);
    eprintln!("{repeats} of {} came again", said.len() * followers.len());
    let log = world.gateway.log();
    assert!(is_told(&log, "the database"), "the log says what happened");
    assert!(!log.contains("panicked"), "nothing panicked");
}

#[test]
fn a_postgresql_that_crashes_three_times_during_a_fan_out_loses_nothing_and_work_resumes_by_itself() {
    runtime().block_on(a_database_server_that_crashes());
}

/// A small file system of its own in memory; it is unmounted with the test.
struct Disk(PathBuf);

impl Disk {
    /// Mounting takes root; there is no smaller way to have a disk that is really full.
    fn of_mib(size: u32) -> Self {
        let folder = tempfile::Builder::new().prefix("heraut-it-disk-").tempdir().unwrap().keep();
        let options = format!("size={size}m");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&folder).output().unwrap();
        assert!(mounted.status.success(), "this test has to run as root: {}", String::from_utf8_lossy(&mounted.stderr));
        Self(folder)
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// Writes until nothing fits any more.
    fn fill(&self) {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(self.ballast()).unwrap();
        while std::io::Write::write_all(&mut file, &[0; 4096]).is_ok() {}
    }

    fn free(&self) {
        std::fs::remove_file(self.ballast()).unwrap();
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazy: a process that is being ended may still have a file open there.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}

async fn a_disk_that_is_full() {
    let disk = Disk::of_mib(24);
    let folder = tempfile::Builder::new().prefix("db-").tempdir_in(disk.path()).unwrap();
    let db = Database::within(folder);
    let world = World::unfollowed(db, Setup::new().policy("flood_fuse = 1000").delivery(DELIVERY)).await;
    let followers = crowd(&world).await;
    let mut away = Vec::new();
    for round in 0..2 {
        let before = creates(&followers);
        publish(&world, round * 5, 5);
        until("the fan-out is under way", || creates(&followers) > before + FOLLOWERS / 2).await;
        let from = Instant::now();
        // Pages that the write-ahead log has already are written without asking for room.
        world.db.execute("PRAGMA wal_checkpoint(TRUNCATE)");
        disk.fill();
        publish(&world, 10 + round * 5, 5);
        let lines = |log: &str| log.lines().filter(|line| line.contains("database or disk is full")).count();
        let told = lines(&world.gateway.log());
        until("the log says that the disk is full", || lines(&world.gateway.log()) > told).await;
        disk.free();
        away.push((from, Instant::now()));
    }
    let said = all_came(&world, &followers, 20).await;
    let repeats = judge(&followers, &said, &away);
    eprintln!("{repeats} of {} came again", said.len() * followers.len());
    let log = world.gateway.log();
    assert!(is_told(&log, "full"), "a person is told");
    assert!(!log.contains("panicked"), "nothing panicked");
    assert_eq!(ready(&world.gateway).await, 200);
    let sound = world.db.lines("SELECT integrity_check AS t FROM pragma_integrity_check");
    assert_eq!(sound, ["ok"], "the database is sound");
    drop((world, disk));
}

#[test]
fn a_disk_that_is_full_under_sqlite_loses_nothing_and_work_resumes_when_there_is_room() {
    runtime().block_on(a_disk_that_is_full());
}
