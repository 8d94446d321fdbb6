//! A rolling upgrade with two builds: the older program serves, the newer one starts beside it and migrates the database, both
//! go on, the older one is stopped. `tests/upgrade/run` builds the older one and says where it is.

#![allow(
    missing_docs,
    dead_code,
    unused_imports,
    unused_macros,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr
)]

#[path = "../it/harness/mod.rs"]
mod harness;

use std::time::{Duration, Instant};

use harness::{Account, Behaviour, Database, Gateway, Kind, Launch, Peer, Setup, Site, World, run, told, until};

const DELIVERY: &str = "timeout = \"3s\"\nlease = \"6s\"\nconcurrency = 16";
const FOLLOWERS: usize = 20;
/// Followers whose servers are away until the end: what the two builds owe them meets in one line.
const AWAY: usize = 4;
/// How many rounds both builds may take until each has published something and edited something.
const ROUNDS_MAX: usize = 40;
const AFTERMATH: Duration = Duration::from_secs(120);

/// The older build.
fn older() -> Launch {
    let program = std::env::var("HERAUT_TEST_OLDER").expect("HERAUT_TEST_OLDER is not set: run tests/upgrade/run");
    Launch::new().program(program)
}

struct Upgrade {
    world: World,
    followers: Vec<Account>,
    /// The ids of all public activities, in the order in which they were made, whoever made them.
    said: Vec<String>,
}

impl Upgrade {
    /// The older build, alone, with followers of whom some are slow and some away.
    async fn begin(db: Database) -> Self {
        let (site, peer) = (Site::start(), Peer::start());
        let setup = Setup::new().policy("flood_fuse = 100\nupdates_per_day_max = 100").delivery(DELIVERY);
        let gateway = Gateway::launched(&setup, &db.url, &site, older()).await;
        gateway.settled(&db, true).await;
        let citizen = peer.account("burger");
        let followers: Vec<Account> = (0..FOLLOWERS).map(|_| Peer::start().lone_account("volger")).collect();
        for (n, follower) in followers.iter().enumerate() {
            follower.follows(&gateway).await;
            if n % 4 == 0 {
                follower.peer.behaves(Behaviour::Slow(Duration::from_millis(150), 202));
            }
        }
        followers.iter().take(AWAY).for_each(|follower| follower.peer.behaves(Behaviour::Answer(503)));
        Self { world: World { gateway, site, peer, citizen, db }, followers, said: Vec::new() }
    }

    /// Waits until one more activity was made.
    async fn one_more(&mut self, what: &str) {
        until(what, || self.world.said().len() > self.said.len()).await;
        let fresh: Vec<String> = self.world.said().into_iter().filter(|id| !self.said.contains(id)).collect();
        assert_eq!(fresh.len(), 1, "{what}: {fresh:?}");
        self.said.extend(fresh);
    }

    async fn publish(&mut self, slug: &str) {
        self.world.site.publish(slug, &format!("Bericht {slug}."), "<p>Er is nieuws.</p>");
        self.one_more(&format!("`{slug}` is published")).await;
    }

    async fn edit(&mut self, slug: &str, n: usize) {
        self.world.site.edit(slug, |article| article.text = format!("<p>Er is beter nieuws: {n}.</p>"));
        self.one_more(&format!("`{slug}` is edited for the {n}th time")).await;
    }

    async fn withdraw_newest(&mut self) {
        let newest = self.world.db.number("SELECT MAX(id) FROM posts WHERE state = 'published'").to_string();
        self.world.gateway.cli(&["post", "withdraw", &newest]).await.well();
        self.one_more("the newest post is withdrawn").await;
    }

    async fn recover(&self) {
        for follower in self.followers.iter().take(AWAY) {
            follower.peer.behaves(Behaviour::Answer(202));
            let alive = follower.activity("View", "https://elders.example/1");
            follower.says(&self.world.gateway, &alive).await;
        }
    }

    /// The inboxes that are owed something.
    fn owed(&self) -> String {
        let lines = self.world.db.lines(
            "SELECT i.url || ': ' || CAST(COUNT(*) AS TEXT) || ' owed, ' || CAST(MAX(row_to_json(i)::text) AS TEXT) AS t \
             FROM deliveries d JOIN inboxes i ON i.id = d.inbox_id WHERE d.state = 0 GROUP BY i.url",
        );
        lines.join("\n")
    }

    async fn judge(&self) {
        let wanted = i64::try_from(self.said.len() * FOLLOWERS).unwrap();
        let began = Instant::now();
        while self.world.deliveries(0) > 0 || self.world.deliveries(1) < wanted {
            assert!(began.elapsed() < AFTERMATH, "after {AFTERMATH:?} not all is delivered:\n{}", self.owed());
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        for (n, follower) in self.followers.iter().enumerate() {
            let arrivals = follower.peer.arrivals();
            assert!(arrivals.iter().all(|a| a.verified.is_ok()));
            let place = |id: &String| self.said.iter().position(|said| said == id);
            let came: Vec<_> = told(&arrivals).iter().map(place).collect();
            let wanted: Vec<_> = (0..self.said.len()).map(Some).collect();
            assert_eq!(came, wanted, "follower {n} has all, each once, in the order in which they were made");
        }
    }
}

/// How many lines of a log say that something was published: posts, and changes of posts.
fn published(log: &str) -> (usize, usize) {
    let lines = |words: &str| log.lines().filter(|line| line.contains(words)).count();
    (lines("a post was published"), lines("a change was published"))
}

async fn two_builds(db: Database) {
    let mut upgrade = Upgrade::begin(db).await;
    let migrations = |db: &Database| db.number("SELECT COUNT(*) FROM __diesel_schema_migrations");
    let before = migrations(&upgrade.world.db);
    for slug in ["a", "b", "c"] {
        upgrade.publish(slug).await;
    }
    upgrade.edit("a", 1).await;

    // While that goes out.
    let newer = upgrade.world.gateway.beside("newer", &Launch::new().roles("ingest,deliver"));
    until("the newer build migrates", || migrations(&upgrade.world.db) > before).await;
    let late = Peer::start().account("laat");
    late.follows(&upgrade.world.gateway).await;
    let mut n = 0;
    loop {
        let (old, new) = (published(&upgrade.world.gateway.log()), published(&newer.log()));
        if old.0 > 3 && old.1 > 1 && new.0 > 1 && new.1 > 1 {
            break;
        }
        assert!(n < ROUNDS_MAX, "one of the two builds does nothing:\n{}", newer.log());
        let slug = format!("n{n}");
        upgrade.publish(&slug).await;
        upgrade.edit(&slug, 1).await;
        upgrade.edit("a", n + 2).await;
        n += 1;
    }
    upgrade.withdraw_newest().await;
    eprintln!("older: {:?}, newer: {:?}", published(&upgrade.world.gateway.log()), published(&newer.log()));

    assert!(upgrade.world.gateway.stop().await.success());
    upgrade.world.gateway.launch(Launch::new());
    upgrade.world.gateway.restart().await;
    upgrade.publish("z").await;
    upgrade.edit("b", 1).await;
    upgrade.recover().await;
    upgrade.judge().await;
    assert!(late.peer.count("Create") > 0, "who followed the older build has what the newer one says");
    assert!(newer.stop().await.success());
}

#[test]
fn the_older_program_goes_on_beside_the_newer_one_that_has_migrated() {
    run(two_builds, Kind::Postgres);
}
