//! What a crowd costs that reads an agency's page, beside nginx with the same bytes as files.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod harness;
mod load;
mod nginx;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;

use harness::figures::median;
use harness::{Bench, Plan, World, process, until};
use load::{Outcome, Task};
use nginx::{File, Nginx};
use tempfile::TempDir;

/// Threads that serve, of both.
const WORKERS: usize = 2;
/// Connections of the crowd.
const CONNECTIONS: usize = 128;
/// Posts of the actor; its page shows 20.
const POSTS: usize = 25;

const ACTIVITY: &str = "application/activity+json";
const HTML: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

fn main() {
    if std::env::args().nth(1).is_some_and(|word| word == load::ARGUMENT) {
        return load::play();
    }
    harness::run(&[("read", read)]);
}

/// What is read.
struct Target {
    name: &'static str,
    path: String,
    accept: &'static str,
    /// Asked for with the tag that it has.
    known: bool,
}

/// An answer.
struct Got {
    content_type: String,
    etag: String,
    body: Vec<u8>,
}

fn read(bench: &mut Bench) {
    let plan = Plan { posts: POSTS, workers: WORKERS, ..Plan::default() };
    let mut world = World::make(plan);
    let gateway = world.serve();
    world.release(POSTS);
    let published = "SELECT COUNT(*) FROM posts WHERE state = 'published'";
    until("all posts are published", || (world.database.number(published) == POSTS as i64).then_some(()));
    let targets = targets(&world);
    let folder = tempfile::Builder::new().prefix("heraut-bench-").tempdir().unwrap();
    let got: Vec<Got> = targets.iter().map(|target| get(world.address, target)).collect();
    let files = targets.iter().zip(&got).map(|(target, got)| File {
        path: target.path.split('?').next().unwrap().to_owned(),
        content_type: got.content_type.clone(),
        body: got.body.clone(),
    });
    let nginx = Nginx::start(&folder, WORKERS, files.collect());
    process::forget_peak(gateway.pid());
    for (target, got) in targets.iter().zip(&got) {
        let theirs = get(nginx.address, target);
        assert_eq!(theirs.body, got.body, "{}: the same bytes", target.name);
        let ours = Side { address: world.address, pids: vec![gateway.pid()], etag: got.etag.clone() };
        let theirs = Side { address: nginx.address, pids: nginx.pids(), etag: theirs.etag };
        compare(bench, &folder, target, &ours, &theirs);
    }
    bench.figure("read_peak_rss_mb", process::peak_rss_mb(gateway.pid()));
}

fn targets(world: &World) -> Vec<Target> {
    let actor = format!("/ap/a/{}", world.actors[0]);
    let post = &world.database.lines("SELECT CAST(MAX(id) AS TEXT) AS t FROM posts")[0];
    let webfinger = format!("/.well-known/webfinger?resource=acct:actor0@{}", world.address);
    let target = |name, path: &str, accept, known| Target { name, path: path.to_owned(), accept, known };
    vec![
        target("actor", &actor, ACTIVITY, false),
        target("note", &format!("/ap/o/{post}"), ACTIVITY, false),
        target("html", "/@actor0", HTML, false),
        target("webfinger", &webfinger, "application/jrd+json", false),
        target("304", "/@actor0", HTML, true),
    ]
}

/// One of the two servers.
struct Side {
    address: SocketAddr,
    pids: Vec<u32>,
    etag: String,
}

impl Side {
    fn cpu(&self) -> f64 {
        self.pids.iter().map(|pid| process::cpu_of(*pid)).sum()
    }
}

/// The two take turns, so that what else goes on on the machine meets both.
fn compare(bench: &mut Bench, folder: &TempDir, target: &Target, ours: &Side, theirs: &Side) {
    let (rounds, time) = bench.size((3, (0.2, 0.8)), (7, (1.0, 3.0)));
    let (mut ratios, mut cpu_ratios, mut rates, mut p50, mut p99) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..rounds {
        let (their_outcome, their_cost) = measure(folder, target, theirs, time);
        let (our_outcome, our_cost) = measure(folder, target, ours, time);
        ratios.push(our_outcome.per_second() / their_outcome.per_second());
        cpu_ratios.push(their_cost / our_cost);
        rates.push(our_outcome.per_second());
        p50.push(our_outcome.p50_ms);
        p99.push(our_outcome.p99_ms);
        let (we, they) = (our_outcome.per_second(), their_outcome.per_second());
        harness::note(&format!(
            "{}: {we:.0}/s of {they:.0}/s; CPU {:.1} µs of {:.1} µs; p99 {:.1} ms of {:.1} ms",
            target.name,
            our_cost * 1e6,
            their_cost * 1e6,
            our_outcome.p99_ms,
            their_outcome.p99_ms
        ));
    }
    let name = target.name;
    bench.figure(format!("read_{name}_per_s"), median(&rates));
    bench.figure(format!("read_{name}_p50_ms"), median(&p50));
    bench.figure(format!("read_{name}_p99_ms"), median(&p99));
    bench.figure(format!("read_over_nginx_{name}"), median(&ratios));
    bench.figure(format!("read_over_nginx_{name}_by_cpu"), median(&cpu_ratios));
}

/// The outcome, and the CPU seconds of the server for one request, from the first connection to the last answer.
fn measure(folder: &TempDir, target: &Target, side: &Side, time: (f64, f64)) -> (Outcome, f64) {
    let requests = folder.path().join("requests");
    load::write(&requests, &[request(side.address, target, target.known.then_some(side.etag.as_str()))]);
    let task = Task {
        address: side.address,
        requests: requests.display().to_string(),
        connections: CONNECTIONS,
        time: Some(time),
        rate: None,
        expect: if target.known { 304 } else { 200 },
    };
    let before = side.cpu();
    let outcome = load::crowd(&task);
    #[allow(clippy::cast_precision_loss)]
    let cost = (side.cpu() - before) / outcome.total as f64;
    (outcome, cost)
}

fn request(address: SocketAddr, target: &Target, tag: Option<&str>) -> Vec<u8> {
    let (path, accept) = (&target.path, target.accept);
    let condition = tag.map(|tag| format!("if-none-match: {tag}\r\n")).unwrap_or_default();
    format!("GET {path} HTTP/1.1\r\nhost: {address}\r\naccept: {accept}\r\n{condition}\r\n").into_bytes()
}

fn get(address: SocketAddr, target: &Target) -> Got {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = String::from_utf8(request(address, target, None)).unwrap();
    stream.write_all(request.replacen("\r\n", "\r\nconnection: close\r\n", 1).as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    assert!(head.starts_with("HTTP/1.1 200"), "{}: {head}", target.path);
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).unwrap_or_default()
    };
    Got { content_type: header("content-type"), etag: header("etag"), body: answer[end + 4..].to_vec() }
}

/// Where the folder of a benchmark may be read by others, as nginx needs it.
pub fn public(folder: &TempDir) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    folder.path().to_owned()
}
