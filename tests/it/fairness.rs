//! Who goes first when more is owed than can be sent: agencies take turns, a crisis goes before everything, and a post that is
//! to be spread out is. Told by what came before what, not by how long it took.

use std::time::Duration;

use crate::harness::{Database, FEED, Gateway, Launch, Peer, Setup, Site, World, both, says, until};

/// What the large agency owes: so many inboxes on so many servers.
const CROWD: usize = 100_000;
const SERVERS: usize = 20;
/// How much of it may go out while another one's first delivery waits: a fiftieth. What was leased before is among it.
const BEFORE_MAX: usize = CROWD / 50;

/// A large agency, whose actor is `nieuws` and whose alarm has a source of its own, and a small one, whose actor is `klein`.
struct Agencies {
    world: World,
    alarm: Site,
    small: Site,
    crowd: Vec<Peer>,
}

fn source(name: &str, actor: &str, site: &Site, policy: &str) -> String {
    let url = site.url(FEED);
    format!(
        "[[source]]\nname = \"{name}\"\nactor = \"{actor}\"\nkind = \"feed\"\nurl = \"{url}\"\nevery = \"1s\"\n\
         [source.policy]\nmerge_edits = \"0s\"\n{policy}\n"
    )
}

impl Agencies {
    async fn start(db: Database) -> Self {
        let (site, alarm, small, peer) = (Site::start(), Site::start(), Site::start(), Peer::start());
        let second = format!(
            "[[agency]]\nname = \"dorp\"\ndomain = \"{}\"\n[[actor]]\nagency = \"dorp\"\nhandle = \"klein\"\n",
            small.authority()
        );
        let sources = source("alarm", "nieuws", &alarm, "crisis = true") + &source("dorpsnieuws", "klein", &small, "");
        let setup = Setup::new().further(&second).further(&sources);
        let gateway = Gateway::launched(&setup, &db.url, &site, Launch::new()).await;
        small.prove(Some(&gateway.cli(&["actor", "proof", "klein"]).await.well().stdout));
        gateway.cli(&["actor", "verify", "klein"]).await.well();
        gateway.settled(&db, true).await;
        let citizen = peer.account("burger");
        let crowd: Vec<Peer> = (0..SERVERS).map(|_| Peer::start()).collect();
        let world = World { gateway, site, peer, citizen, db };
        let all = crowd.iter().enumerate().map(|(n, peer)| rows("nieuws", peer, 1_000_000 * (n + 1), CROWD / SERVERS));
        world.db.execute(&all.collect::<Vec<_>>().join(";"));
        world.db.execute(&rows("klein", &world.peer, 100_000_000, 1));
        Self { world, alarm, small, crowd }
    }

    /// How much came to the crowd that says that.
    fn came(&self, title: &str) -> usize {
        self.crowd.iter().map(|peer| peer.number(|a| a.kind() == "Create" && says(a, title))).sum()
    }

    /// Publishes the large agency's news, and waits until some of it went out.
    async fn flood(&self) {
        self.world.site.publish("vloed", "De vloed", "<p>Aan iedereen.</p>");
        until("the flood is under way", || self.came("De vloed") > 100).await;
    }

    async fn made(&self, activities: usize) {
        until(&format!("{activities} activities are made"), || self.world.said().len() >= activities).await;
    }
}

/// Statements that give an actor so many followers on that server, each with an inbox of its own.
pub fn rows(handle: &str, peer: &Peer, first: usize, n: usize) -> String {
    let numbers = format!("WITH RECURSIVE k(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM k WHERE i + 1 < {n})");
    let (root, host) = (peer.url("/users/"), peer.authority());
    let actor = format!("(SELECT id FROM actors WHERE handle = '{handle}')");
    format!(
        "INSERT INTO inboxes (id, url, host, created_at) {numbers} \
         SELECT {first} + i, '{root}' || CAST(i AS TEXT) || '/inbox', '{host}', 1 FROM k; \
         INSERT INTO followers (id, actor_id, url, host, inbox_id, created_at) {numbers} \
         SELECT {first} + i, {actor}, '{root}' || CAST(i AS TEXT), '{host}', {first} + i, 1 FROM k"
    )
}

both! {
    async fn an_agency_that_owes_100_000_deliveries_does_not_keep_another_ones_first_waiting(db: Database) {
        let agencies = Agencies::start(db).await;
        agencies.flood().await;
        agencies.small.publish("feest", "Het feest", "<p>In het dorp.</p>");
        agencies.made(2).await;
        let before = agencies.came("De vloed");
        agencies.world.created("Het feest").await;
        let meanwhile = agencies.came("De vloed") - before;
        eprintln!("{meanwhile} of the large agency's deliveries went before the small one's first, {before} before it was owed");
        assert!(meanwhile < BEFORE_MAX, "{meanwhile} deliveries of another agency went first");
        assert!(before + meanwhile < CROWD / 2, "the large agency was done before: this tests nothing");
    }

    async fn a_crisis_goes_before_everything_that_waits_also_its_own_agencys(db: Database) {
        let agencies = Agencies::start(db).await;
        agencies.flood().await;
        agencies.alarm.publish("dijk", "De dijk breekt", "<p>Ga naar boven.</p>");
        agencies.made(2).await;
        let before = agencies.came("De vloed");
        until("the warning goes out", || agencies.came("De dijk breekt") > BEFORE_MAX).await;
        let meanwhile = agencies.came("De vloed") - before;
        eprintln!("{meanwhile} news went out beside the first {BEFORE_MAX} of the warning, {before} before it was owed");
        assert!(meanwhile < BEFORE_MAX / 2, "{meanwhile} deliveries of news went beside the warning");
        assert!(before + meanwhile < CROWD / 2, "the news was all out before: this tests nothing");
    }

    async fn a_warning_does_not_wait_for_what_was_due_when_it_came(db: Database) {
        let world = World::new(db).await;
        let soon = chrono::Utc::now().timestamp_millis() + 1_500;
        let due: Vec<String> = (1..=6).map(|n| World::post_by_hand(n, 2, "scheduled", soon)).collect();
        let public = World::post_by_hand(80, 2, "published", 1) + &World::post_by_hand(91, 0, "published", 1);
        world.db.execute(&(due.concat() + &public));
        let holding = world.db.hold_publishing();
        // By then the first of them waits to be stored. Were it not so, the warning would be the first of all.
        tokio::time::sleep(Duration::from_secs(3)).await;
        holding.release(&format!(
            "{} INSERT INTO post_changes (post_id, kind, due_at, created_at) VALUES (80, 'withdraw', 1, 1), (91, 'withdraw', 1, 1)",
            World::post_by_hand(90, 0, "scheduled", 1)
        ));
        until("all is published", || world.said().len() == 9).await;
        let posts = "SELECT CAST(post_id AS TEXT) AS t FROM activities WHERE post_id IS NOT NULL ORDER BY id";
        let order = world.db.lines(posts);
        let place = |post: &str| order.iter().position(|other| other == post).unwrap();
        assert!(place("90") <= 2 && place("91") <= 2, "the warning, and a warning's withdrawal: {order:?}");
    }
}
