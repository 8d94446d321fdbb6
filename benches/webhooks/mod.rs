//! Signed webhooks: how many are acknowledged durably in a second, how long the 202 takes, and how long from there to a follower.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::harness::cluster::Cluster;
use crate::harness::{Bench, Conduct, Gateway, Plan, World, people, process, until};
use crate::load::{self, Outcome, Task};

/// Connections over which systems push.
const CONNECTIONS: usize = 64;
/// Requests in a second: half of the goal.
const PACE: f64 = 500.0;
/// The secret of both sources.
const SECRET: &str = "whsec_dGhlIHNlY3JldCBvZiBhIGNtcyBpbiBhIGJlbmNo";
/// What a news item says.
const SENTENCE: &str = "De gemeente versterkt het komende jaar de dijk langs de rivier. ";

pub fn sqlite(bench: &mut Bench) {
    measure(bench, "hooks_sqlite", Plan::default());
}

pub fn postgres(bench: &mut Bench) {
    let Some(cluster) = Cluster::start() else { return };
    measure(bench, "hooks_postgres", Plan { cluster: Some(Arc::new(cluster)), ..Plan::default() });
}

/// Two sources: posts of `much` wait for approval, those of `live` go to the one follower at once.
fn measure(bench: &mut Bench, name: &str, plan: Plan) {
    let source = |name: &str, policy: &str| {
        format!(
            "[[source]]\nname = \"{name}\"\nactor = \"actor0\"\nkind = \"cloudevents\"\nsecret = \"{SECRET}\"\n\
             [source.policy]\n{policy}\n"
        )
    };
    let (much, live) = (source("much", "approval = true"), source("live", "flood_fuse = 1000"));
    let further = format!("[hooks]\nper_source = 0\n{much}{live}");
    let hosts = people::hosts(1, Conduct::Take);
    let mut world = World::make(Plan { hosts, inboxes: 1, workers: 2, further, ..plan });
    let gateway = world.serve();

    let live = live_latency(bench, &mut world);
    bench.figure(format!("{name}_202_to_delivered_median_ms"), live[live.len() / 2]);
    bench.figure(format!("{name}_202_to_delivered_worst_ms"), live[live.len() - 1]);

    // No more at once than may wait.
    let (crowded, paced) = (bench.size(2_000, 9_000), bench.size(2_000, 10_000));
    let before = gateway.usage();
    let outcome = push(&world, 0..crowded, None);
    bench.figure(format!("{name}_acknowledged_per_s"), outcome.per_second());
    bench.figure(format!("{name}_crowd_p99_ms"), outcome.p99_ms);
    worked_off(&world, crowded);
    #[allow(clippy::cast_precision_loss)]
    let each = gateway.usage().since(&before) / crowded as f64;
    bench.figure(format!("{name}_cpu_us_to_post"), each * 1e6);

    let outcome = push(&world, crowded..crowded + paced, Some(PACE));
    bench.figure(format!("{name}_paced_p50_ms"), outcome.p50_ms);
    bench.figure(format!("{name}_paced_p99_ms"), outcome.p99_ms);
    worked_off(&world, crowded + paced);
    bench.figure(format!("{name}_peak_rss_mb"), process::peak_rss_mb(gateway.pid()));
    nothing_is_lost(&world, &gateway, crowded + paced);
}

/// One request at a time: from its 202 until the follower's server has the Create, in milliseconds, in order.
fn live_latency(bench: &Bench, world: &mut World) -> Vec<f64> {
    let mut stream = TcpStream::connect(world.address).unwrap();
    let mut buffer = vec![0; 4_096];
    let mut found = Vec::new();
    for n in 0..bench.size(20, 60) {
        let before = world.stand_in.taken().posts;
        stream.write_all(&request(world, "live", n)).unwrap();
        let read = stream.read(&mut buffer).unwrap();
        let acknowledged = Instant::now();
        assert!(buffer[..read].starts_with(b"HTTP/1.1 202"), "{}", String::from_utf8_lossy(&buffer[..read]));
        until("the follower has it", || (world.stand_in.taken().posts > before).then_some(()));
        found.push(acknowledged.elapsed().as_secs_f64() * 1e3);
        std::thread::sleep(Duration::from_millis(50)); // idle again
    }
    found.sort_by(f64::total_cmp);
    found
}

fn push(world: &World, which: std::ops::Range<usize>, rate: Option<f64>) -> Outcome {
    let requests: Vec<Vec<u8>> = which.map(|n| request(world, "much", n)).collect();
    let file = world.config().with_file_name("requests");
    load::write(&file, &requests);
    load::crowd(&Task {
        address: world.address,
        requests: file.display().to_string(),
        connections: CONNECTIONS,
        time: None,
        rate,
        expect: 202,
    })
}

/// A request as a CMS sends it: a structured CloudEvent of about 1.5 KB, signed by Standard Webhooks.
fn request(world: &World, source: &str, n: usize) -> Vec<u8> {
    let (id, now) = (format!("{source}-{n}"), chrono::Utc::now());
    let event = json!({
        "specversion": "1.0", "id": id, "source": "urn:nld:oin:00000009999999999000:systeem:cms",
        "type": "nl.voorbeeld.bericht-gepubliceerd", "time": now.to_rfc3339(),
        "data": {
            "id": id, "url": format!("https://www.voorbeeldstad.example/nieuws/{id}"), "title": format!("Bericht {id}"),
            "html": format!("<p>{}</p>", SENTENCE.repeat(16)), "language": "nl", "tags": ["water", "dijk"],
        },
    });
    let (body, at) = (event.to_string(), now.timestamp());
    let key = STANDARD.decode(SECRET.trim_start_matches("whsec_")).unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let signature = STANDARD.encode(hmac::sign(&key, format!("{id}.{at}.{body}").as_bytes()));
    format!(
        "POST /hooks/{source} HTTP/1.1\r\nhost: {}\r\ncontent-type: application/cloudevents+json\r\nwebhook-id: {id}\r\n\
         webhook-timestamp: {at}\r\nwebhook-signature: v1,{signature}\r\ncontent-length: {}\r\n\r\n{body}",
        world.address,
        body.len()
    )
    .into_bytes()
}

fn worked_off(world: &World, count: usize) {
    let count = i64::try_from(count).unwrap();
    let posts = "SELECT COUNT(*) FROM posts p JOIN sources s ON s.id = p.source_id WHERE s.name = 'much'";
    until("every request has become a post", || (world.database.number(posts) == count).then_some(()));
}

fn nothing_is_lost(world: &World, gateway: &Gateway, count: usize) {
    let waiting = "SELECT COUNT(*) FROM hook_deliveries WHERE state = 0";
    until("no request waits", || (world.database.number(waiting) == 0).then_some(()));
    let other = world.database.number("SELECT COUNT(*) FROM hook_deliveries WHERE state <> 1");
    assert_eq!(other, 0, "all were taken in:\n{}", gateway.log());
    worked_off(world, count);
}
