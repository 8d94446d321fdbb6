//! The crash test: the gateway is killed with SIGKILL at 100 random moments while 100 posts go to 40 inboxes, some slow, some
//! failing for a while, two dead. In the end every inbox that lives has every activity, in order, and none was sent again
//! after its 2xx was recorded.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::harness::{Account, Arrival, Article, Behaviour, Peer, Setup, World, both};

const KILLS: usize = 100;
const POSTS: usize = 100;
const INBOXES: usize = 40;
/// Inboxes that never answer again once they have followed.
const DEAD: usize = 2;
/// Time for one delivery, and for the lease of an inbox: what a killed process held is free after that.
const TIMEOUT: Duration = Duration::from_secs(3);
const DELIVERY: &str = "timeout = \"3s\"\nlease = \"6s\"\nconcurrency = 16";
/// How long the rest may take once the killing is over: the longest wait is that of a second failure, a minute.
const AFTERMATH: Duration = Duration::from_secs(180);

/// How long an activity may be on its way on a busy machine.
const LAG: Duration = Duration::from_millis(500);

/// What a receipt says was taken: an inbox and an activity.
type Recorded = HashSet<(String, String)>;

/// One kill: when it began, when the process was surely dead, and what was on disk then.
struct Kill {
    from: Instant,
    until: Instant,
    recorded: Recorded,
}

struct Ordeal {
    world: World,
    followers: Vec<Account>,
    rng: StdRng,
    kills: Vec<Kill>,
    published: usize,
}

impl Ordeal {
    /// 40 servers with a follower each.
    async fn begin(db: crate::harness::Database, seed: u64) -> Self {
        let setup = Setup::new().policy("flood_fuse = 1000").delivery(DELIVERY);
        let world = World::unfollowed(db, setup).await;
        let followers: Vec<Account> = (0..INBOXES).map(|_| Peer::start().lone_account("volger")).collect();
        for follower in &followers {
            follower.follows(&world.gateway).await;
        }
        Self { world, followers, rng: StdRng::seed_from_u64(seed), kills: Vec::new(), published: 0 }
    }

    /// 24 are quick, 6 slow, 4 fail once, 4 fail until they are told to recover, 2 are dead.
    fn misbehave(&self) {
        for (n, follower) in self.followers.iter().enumerate() {
            match n {
                0..DEAD => follower.peer.behaves(Behaviour::Close),
                2..4 => follower.peer.behaves(Behaviour::Answer(503)),
                4..6 => follower.peer.behaves(Behaviour::Close),
                6..8 => follower.peer.first([Behaviour::Answer(500)]),
                8..10 => follower.peer.first([Behaviour::Answer(202), Behaviour::Close]),
                10..16 => follower.peer.behaves(Behaviour::Slow(Duration::from_millis(100 * n as u64 - 900), 202)),
                _ => {}
            }
        }
    }

    /// Publishes the next few posts.
    fn publish(&mut self, n: usize) {
        let first = self.published;
        self.published = (first + n).min(POSTS);
        let articles = (first..self.published)
            .map(|n| Article::new(&format!("n{n}"), &format!("Bericht {n}."), "<p>Er is nieuws.</p>"));
        self.world.site.add_all(articles);
    }

    /// Lets the gateway run for a moment, kills it, and looks at what it left.
    async fn kill(&mut self) {
        let moment = Duration::from_millis(self.rng.random_range(250..1_600));
        tokio::time::sleep(moment).await;
        let from = Instant::now();
        self.world.gateway.kill9();
        let until = Instant::now();
        let recorded = self.recorded();
        // The lease of a killed poll ends by itself after five minutes; this test has less time.
        self.world.db.execute("UPDATE sources SET lease_until = 0");
        self.kills.push(Kill { from, until, recorded });
    }

    fn recorded(&self) -> Recorded {
        let root = self.world.gateway.url("/ap/x/");
        let receipts = self.world.db.lines(&format!(
            "SELECT i.url || ' {root}' || CAST(d.activity_id AS TEXT) AS t FROM deliveries d \
             JOIN inboxes i ON i.id = d.inbox_id WHERE d.state = 1"
        ));
        let pairs = receipts.iter().filter_map(|line| line.split_once(' '));
        pairs.map(|(inbox, activity)| (inbox.to_owned(), activity.to_owned())).collect()
    }

    /// Those that failed for a while work again; they say so, as a server that is back does.
    async fn recover(&self) {
        for follower in self.followers.iter().take(6).skip(DEAD) {
            follower.peer.behaves(Behaviour::Answer(202));
            let alive = follower.activity("View", "https://elders.example/1");
            follower.says(&self.world.gateway, &alive).await;
        }
    }

    /// Waits until every living inbox has everything.
    async fn settle(&self) {
        let began = Instant::now();
        let wanted = i64::try_from((INBOXES - DEAD) * POSTS).unwrap();
        while self.delivered() < wanted {
            assert!(began.elapsed() < AFTERMATH, "after {AFTERMATH:?} not all is delivered:\n{}", self.owed());
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    fn delivered(&self) -> i64 {
        self.world.db.number(
            "SELECT COUNT(*) FROM deliveries d JOIN activities a ON a.id = d.activity_id \
             WHERE a.kind = 'Create' AND d.state = 1",
        )
    }

    /// The inboxes that are owed something, and what is the matter with them.
    fn owed(&self) -> String {
        let now = chrono::Utc::now().timestamp_millis();
        let lines = self.world.db.lines(&format!(
            "SELECT i.url || ': ' || CAST(COUNT(*) AS TEXT) || ' owed, due in ' || CAST(MAX(i.due_at - {now}) AS TEXT) || \
             ' ms, leased for ' || CAST(MAX(i.lease_until - {now}) AS TEXT) || ' ms, failures ' || \
             CAST(MAX(i.failures) AS TEXT) || ', ' || COALESCE(MAX(i.last_error), '-') AS t \
             FROM deliveries d JOIN inboxes i ON i.id = d.inbox_id WHERE d.state = 0 GROUP BY i.url"
        ));
        let numbered = self.followers.iter().enumerate();
        let mut text = lines.join("\n");
        for (n, follower) in numbered.filter(|(_, follower)| text.contains(&follower.id)).collect::<Vec<_>>() {
            text = text.replace(&follower.id, &format!("inbox {n} ({})", follower.peer.authority()));
        }
        text
    }

    /// The ids of the Creates, in the order in which they were made.
    fn said(&self) -> Vec<String> {
        let root = self.world.gateway.url("/ap/x/");
        self.world.db.lines(&format!(
            "SELECT '{root}' || CAST(id AS TEXT) AS t FROM activities WHERE kind = 'Create' ORDER BY id"
        ))
    }

    /// What is known of a repetition that no kill explains.
    fn unexplained(&self, follower: &Account, pair: &[Arrival]) -> String {
        let since = |at: Instant| format!("{:.3?}", at.duration_since(pair[0].at));
        let authority = follower.peer.authority();
        let log = self.world.gateway.log();
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(&authority)).collect();
        let kills: Vec<String> =
            self.kills.iter().filter(|kill| kill.until >= pair[0].at).map(|kill| since(kill.from)).collect();
        let others = follower.peer.taken();
        let near = others.iter().filter(|a| a.at + Duration::from_secs(12) > pair[0].at && a.at <= pair[1].at);
        let near: Vec<String> = near
            .map(|a| {
                let (ago, took) = (pair[1].at - a.at, a.answered.map_or(Duration::ZERO, |(at, _)| at - a.at));
                format!("{} {ago:.3?} before, took {took:.3?}", a.id().rsplit('/').next().unwrap_or_default())
            })
            .collect();
        let lines = [near, lines.into_iter().map(ToOwned::to_owned).collect()].concat();
        let before: Vec<&Kill> = self.kills.iter().filter(|kill| kill.until < pair[0].at).collect();
        let last = before.last().map(|kill| format!("{:.3?}", pair[0].at - kill.until));
        format!(
            "(last kill {last:?} before) {} got {} twice without a kill in between: answered after {}, again after {}, killed after {kills:?}\n{}",
            follower.id,
            pair[0].id(),
            pair[0].answered.map_or_else(|| "nothing".to_owned(), |(at, _)| since(at)),
            since(pair[1].at),
            lines.join("\n")
        )
    }

    /// Judges what came to one inbox. Gives how many came again.
    fn judge(&self, follower: &Account, said: &[String]) -> usize {
        let inbox = format!("{}/inbox", follower.id);
        let came: Vec<Arrival> = follower.peer.taken().into_iter().filter(|a| a.kind() == "Create").collect();
        assert!(came.iter().all(|a| a.verified.is_ok()), "{inbox} got something whose signature does not hold");
        let mut order: Vec<&str> = came.iter().map(Arrival::id).collect();
        order.dedup();
        assert_eq!(order, said, "{inbox} does not have every activity in order");
        for kill in &self.kills {
            let again = came.iter().filter(|a| a.at > kill.until).map(|a| (inbox.clone(), a.id().to_owned()));
            let wrong: Vec<_> = again.filter(|sent| kill.recorded.contains(sent)).collect();
            assert!(wrong.is_empty(), "sent again after its receipt was on disk: {wrong:?}");
        }
        let repeats: Vec<&[Arrival]> = came.windows(2).filter(|pair| pair[0].id() == pair[1].id()).collect();
        for pair in &repeats {
            // What was read a moment after a kill had been sent before it.
            let killed = self.kills.iter().any(|kill| kill.until + LAG >= pair[0].at && kill.from <= pair[1].at);
            // A machine that stood still for so long makes the gateway give up on an answer that came too late.
            let late = pair[0].answered.is_some_and(|(at, _)| at - pair[0].at >= TIMEOUT / 2);
            assert!(killed || late, "{}", self.unexplained(follower, pair));
        }
        assert!(repeats.len() <= KILLS, "{inbox} got {} again", repeats.len());
        repeats.len()
    }
}

both! {
    async fn killed_at_a_hundred_moments_it_loses_nothing_and_repeats_nothing_that_it_recorded(db: Database) {
        let given = std::env::var("HERAUT_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed: u64 = given.unwrap_or_else(rand::random);
        eprintln!("HERAUT_TEST_SEED={seed}");
        let mut ordeal = Ordeal::begin(db, seed).await;
        ordeal.misbehave();
        for n in 0..KILLS {
            ordeal.publish(1);
            ordeal.kill().await;
            if n + 1 < KILLS {
                ordeal.world.gateway.spawn();
            }
        }
        ordeal.world.gateway.restart().await;
        assert_eq!((ordeal.published, ordeal.kills.len()), (POSTS, KILLS));
        ordeal.recover().await;
        ordeal.settle().await;
        let said = ordeal.said();
        assert_eq!(said.len(), POSTS, "every post was published once");
        let living = ordeal.followers.iter().skip(DEAD);
        let repeats: usize = living.map(|follower| ordeal.judge(follower, &said)).sum();
        let (first, last) = (&ordeal.kills[0].recorded, &ordeal.kills[KILLS - 1].recorded);
        assert!(first.len() < last.len(), "it was killed while nothing was delivered: this tests nothing");
        eprintln!(
            "{repeats} of {} came again; {} were recorded when the last kill came",
            POSTS * (INBOXES - DEAD),
            last.len()
        );
        for dead in &ordeal.followers[..DEAD] {
            assert_eq!(dead.peer.count("Create"), 0);
        }
        let owed = "SELECT COUNT(*) FROM deliveries WHERE state = 0";
        assert_eq!(ordeal.world.db.number(owed), i64::try_from(DEAD * POSTS).unwrap(), "what the dead are owed is kept");
    }
}
