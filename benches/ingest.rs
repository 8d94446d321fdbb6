//! What it costs to watch sources: polls that find nothing, polls that find something, reading a feed; and webhooks.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod harness;
mod load;
mod webhooks;

use harness::cluster::Cluster;
use harness::figures::ratio;
use harness::rsa::Yardstick;
use harness::world::feed;
use harness::{Bench, Gateway, Plan, World, process, until};
use heraut_connectors::CONNECTORS;
use heraut_connectors::contract::Response;
use serde_json::json;
use std::time::Instant;

/// Articles of each feed.
const ARTICLES: usize = 20;
/// Actors that the feeds belong to.
const ACTORS: usize = 20;

fn main() {
    if std::env::args().nth(1).is_some_and(|word| word == load::ARGUMENT) {
        return load::play();
    }
    harness::run(&[
        ("sqlite", sqlite),
        ("postgres", postgres),
        ("parse", parse),
        ("hooks_sqlite", webhooks::sqlite),
        ("hooks_postgres", webhooks::postgres),
    ]);
}

fn sqlite(bench: &mut Bench) {
    watch(bench, "sqlite", Plan::default());
}

fn postgres(bench: &mut Bench) {
    if let Some(cluster) = Cluster::shared() {
        watch(bench, "postgres", Plan { cluster: Some(cluster), ..Plan::default() });
    }
}

/// 2,000 feeds with 20 articles each: polled for the first time, then without news (304), then with one new and one edited
/// article each.
fn watch(bench: &mut Bench, name: &str, plan: Plan) {
    let sources = bench.size(100, 2_000);
    let plan = Plan { actors: ACTORS, sources, posts: ARTICLES, publish: false, ..plan };
    let mut world = World::make(plan);
    let mut yardstick = Yardstick::new();
    yardstick.sample();
    let gateway = world.start("", "");
    let first = polled(&world, &gateway, sources);
    yardstick.sample();
    let nothing = again(&world, &gateway, sources);
    yardstick.sample();
    (0..sources).for_each(|source| world.say(source, 1..ARTICLES + 1, " (bijgewerkt)"));
    let news = again(&world, &gateway, sources);
    yardstick.sample();
    let rsa = yardstick.per_10k() / 10_000.0;
    let items = sources * ARTICLES;
    let posts = usize::try_from(world.database.number("SELECT COUNT(*) FROM posts")).unwrap();
    assert_eq!(posts, sources, "each feed had one new article");
    let mut figure = |what: &str, value: f64| bench.figure(format!("{name}_{what}"), value);
    figure("poll_304_over_rsa", ratio(nothing.0, sources) / rsa);
    figure("poll_changed_over_rsa", ratio(news.0, sources) / rsa);
    figure("item_first_over_rsa", ratio(first.0, items) / rsa);
    figure("polls_304_per_cpu_s", 1.0 / ratio(nothing.0, sources));
    figure("items_first_per_cpu_s", 1.0 / ratio(first.0, items));
    figure("items_changed_feed_per_cpu_s", 1.0 / ratio(news.0, items));
    figure("polls_304_per_s", 1.0 / ratio(nothing.1, sources));
    figure("items_first_per_s", 1.0 / ratio(first.1, items));
    figure("items_changed_feed_per_s", 1.0 / ratio(news.1, items));
    figure("peak_rss_mb", process::peak_rss_mb(gateway.pid()));
}

/// Makes all sources due, and waits as [`polled`].
fn again(world: &World, gateway: &Gateway, sources: usize) -> (f64, f64) {
    world.database.execute("UPDATE sources SET due_at = 0, polled_at = NULL");
    polled(world, gateway, sources)
}

/// CPU seconds and seconds from now until every source was polled.
fn polled(world: &World, gateway: &Gateway, sources: usize) -> (f64, f64) {
    let (before, began) = (gateway.usage(), Instant::now());
    let done = "SELECT COUNT(*) FROM sources WHERE polled_at IS NOT NULL AND lease_until = 0";
    let sources = i64::try_from(sources).unwrap();
    until("every source is polled", || (world.database.number(done) == sources).then_some(()));
    let failed = world.database.lines("SELECT failure AS t FROM sources WHERE failure IS NOT NULL LIMIT 1");
    assert!(failed.is_empty(), "a source failed: {failed:?}");
    (gateway.usage().since(&before), began.elapsed().as_secs_f64())
}

/// Reading alone, in this process: a feed of 100 articles.
fn parse(bench: &mut Bench) {
    let kind = CONNECTORS.iter().find(|kind| kind.name() == "feed").unwrap();
    let url = url::Url::parse("https://voorbeeldstad.example/nieuws.rss").unwrap();
    let connector = kind.configure(&json!({ "url": url.as_str() })).unwrap();
    let body = feed("voorbeeldstad.example", 0, 0..100, "").into_bytes();
    let content_type = Some("application/rss+xml; charset=utf-8".to_owned());
    let response =
        Response { url, content_type, body, received_at: chrono::Utc::now().timestamp_millis(), about: None };
    let times = bench.size(500, 3_000);
    let before = process::cpu_of(std::process::id());
    for _ in 0..times {
        let page = connector.read(&response).unwrap();
        assert_eq!(page.items.len(), 100);
    }
    let used = process::cpu_of(std::process::id()) - before;
    let megabytes = ratio(1.0, 1_000_000) * f64::from(u32::try_from(times * response.body.len()).unwrap());
    bench.figure("parse_mb_per_cpu_s", megabytes / used);
    bench.figure("parse_items_per_cpu_s", f64::from(u32::try_from(times * 100).unwrap()) / used);
}
