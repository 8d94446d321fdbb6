//! Thirty of fifty servers misbehave, each in one of fifteen ways, while posts go out: the others notice nothing, the receipts
//! say what is the matter in words that an operator understands, and whoever comes back gets everything, once and in order.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{
    Account, Arrival, Behaviour, Certificate, Database, Front, Mode, Peer, Reply, Setup, World, both, eventually, told,
    until, within, write_authority,
};

/// Servers that behave.
const HEALTHY: usize = 20;
/// How long one delivery may take; a hanging server costs this.
const DELIVERY: &str = "timeout = \"3s\"\nlease = \"10s\"\nconcurrency = 16";
/// What a debug build may have held at its peak. It holds about a third of it; a leak of bodies or connections is far more.
const MEMORY_MAX_MIB: u64 = 160;
/// How long the end may take: the longest wait of a server that failed five times is a quarter of an hour, unless it speaks.
const AFTERMATH: Duration = Duration::from_secs(120);

/// What is the matter with a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Hangs,
    ReadsSlowly,
    Resets,
    Closes,
    RetryAfterSeconds,
    RetryAfterDate,
    Fails,
    Gone,
    RedirectsToAnother,
    RedirectsToItself,
    AnswersWithoutEnd,
    HeadersWithoutEnd,
    WrongName,
    Expired,
    TakesAndDrips,
}

const FAULTS: [Fault; 15] = [
    Fault::Hangs,
    Fault::ReadsSlowly,
    Fault::Resets,
    Fault::Closes,
    Fault::RetryAfterSeconds,
    Fault::RetryAfterDate,
    Fault::Fails,
    Fault::Gone,
    Fault::RedirectsToAnother,
    Fault::RedirectsToItself,
    Fault::AnswersWithoutEnd,
    Fault::HeadersWithoutEnd,
    Fault::WrongName,
    Fault::Expired,
    Fault::TakesAndDrips,
];

impl Fault {
    /// Words that the receipt has.
    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Hangs | Self::ReadsSlowly => &["no complete answer within 3s"],
            Self::Resets | Self::Closes => &["ends early"],
            Self::RetryAfterSeconds | Self::RetryAfterDate => &["limits how much it takes"],
            Self::Fails => &["an error of its own"],
            Self::Gone => &["410"],
            Self::RedirectsToAnother | Self::RedirectsToItself => &["redirect", "not followed"],
            Self::AnswersWithoutEnd => &["an error of its own"],
            Self::HeadersWithoutEnd => &["not valid HTTP"],
            Self::WrongName => &["certificate", "another name"],
            Self::Expired => &["certificate", "expired"],
            Self::TakesAndDrips => &[],
        }
    }

    fn is_tls(self) -> bool {
        matches!(self, Self::WrongName | Self::Expired)
    }
}

/// A server behind a front, and the one who follows from there.
struct Troubled {
    fault: Fault,
    peer: Peer,
    front: Front,
    follower: Account,
}

impl Troubled {
    fn start(fault: Fault) -> Self {
        let peer = Peer::start();
        let (scheme, mode) =
            if fault.is_tls() { ("https", Mode::Tls(Certificate::Good)) } else { ("http", Mode::Pass) };
        let front = Front::before(peer.address, mode);
        let peer = peer.seen_at(&format!("{scheme}://{}", front.address));
        let follower = peer.lone_account("volger");
        Self { fault, peer, front, follower }
    }

    /// From now on has its fault. `elsewhere` is where a redirect to another host leads.
    fn misbehave(&self, elsewhere: &str) {
        let later = |seconds: u64| (chrono::Utc::now() + Duration::from_secs(seconds)).timestamp_millis();
        let busy = |when: &str| Behaviour::With(Reply::status(429).with("retry-after", when));
        let inbox = format!("{}/inbox", self.follower.id);
        let behaviour = match self.fault {
            Fault::Hangs => Behaviour::Hang,
            Fault::Resets => Behaviour::Reset,
            Fault::Closes => Behaviour::Close,
            Fault::RetryAfterSeconds => busy("1800"),
            Fault::RetryAfterDate => busy(&heraut::time::Timestamp(later(1_800)).to_http_date()),
            Fault::Fails => Behaviour::Answer(500),
            Fault::Gone => Behaviour::Answer(410),
            Fault::RedirectsToAnother => Behaviour::With(Reply::redirect(307, elsewhere)),
            Fault::RedirectsToItself => Behaviour::With(Reply::redirect(308, &inbox)),
            Fault::AnswersWithoutEnd => Behaviour::Endless(500),
            Fault::HeadersWithoutEnd => Behaviour::EndlessHeader,
            Fault::TakesAndDrips => Behaviour::Dripping(202),
            Fault::ReadsSlowly => return self.front.behaves(Mode::ReadSlowly),
            Fault::WrongName => return self.front.behaves(Mode::Tls(Certificate::OtherName)),
            Fault::Expired => return self.front.behaves(Mode::Tls(Certificate::Expired)),
        };
        self.peer.behaves(behaviour);
    }

    /// Works again, and says so, as a server that is back does.
    async fn recover(&self, world: &World) {
        self.front.behaves(if self.fault.is_tls() { Mode::Tls(Certificate::Good) } else { Mode::Pass });
        self.peer.behaves(Behaviour::Answer(202));
        let alive = self.follower.activity("View", "https://elders.example/1");
        self.follower.says(&world.gateway, &alive).await;
    }

    /// The receipts of what it was to get, oldest first.
    async fn receipts(&self, world: &World) -> Vec<Value> {
        let shown = world.gateway.cli(&["deliveries", "--host", &self.peer.authority(), "--json"]).await.well().json();
        let all = shown["deliveries"].as_array().unwrap();
        all.iter().rev().filter(|receipt| receipt["kind"] != "Accept").cloned().collect()
    }

    /// Checks that the oldest receipt says what is the matter.
    async fn explained(&self, world: &World) {
        let said = eventually(&format!("a receipt says what {:?} is", self.fault), || async {
            let receipts = self.receipts(world).await;
            let told = receipts.iter().find(|receipt| receipt["error"].is_string()).cloned();
            told.or_else(|| (self.fault == Fault::TakesAndDrips).then(|| receipts[0].clone()))
        })
        .await;
        let text = said["error"].as_str().unwrap_or_default();
        let missing: Vec<_> = self.fault.words().iter().filter(|word| !text.contains(**word)).collect();
        assert!(missing.is_empty(), "{:?}: the receipt says `{text}`, without {missing:?}", self.fault);
        if matches!(self.fault, Fault::RetryAfterSeconds | Fault::RetryAfterDate) {
            let wait_s = (said["next_at"].as_i64().unwrap() - chrono::Utc::now().timestamp_millis()) / 1_000;
            assert!((1_500..=1_800).contains(&wait_s), "{:?} is tried again in {wait_s} s", self.fault);
        }
    }
}

fn took_all(peer: &Peer, said: &[String]) -> bool {
    told(&peer.arrivals()).len() >= said.len()
}

/// A title, and the words that are in nothing else.
fn title(n: usize) -> String {
    format!("Bericht {n}.")
}

/// Publishes one post, and waits until it and all before it came to every healthy server.
async fn publish(world: &World, healthy: &[Account], n: usize) {
    world.site.publish(&format!("n{n}"), &title(n), "<p>Er is nieuws.</p>");
    let made = i64::try_from(n + 1).unwrap();
    let posts = "SELECT COUNT(*) FROM activities WHERE kind = 'Create'";
    until(&format!("post {n} is published"), || world.db.number(posts) == made).await;
    let said = world.said();
    until(&format!("the healthy have post {n}"), || healthy.iter().all(|a| took_all(&a.peer, &said))).await;
}

/// Fifty servers with a follower each, and two more that will never work.
struct Storm {
    world: World,
    healthy: Vec<Account>,
    troubled: Vec<Troubled>,
    /// The roots of what never works, and the words that say why.
    never: [(String, &'static str); 2],
    _authority: TempDir,
}

impl Storm {
    async fn begin(db: Database) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = folder.path().join("authority.pem");
        write_authority(&authority);
        let net = format!("extra_ca_file = \"{}\"", authority.display());
        let setup = Setup::new().policy("flood_fuse = 1000").delivery(DELIVERY).net(&net);
        let world = World::unfollowed(db, setup).await;
        let healthy: Vec<Account> = (0..HEALTHY).map(|_| Peer::start().lone_account("volger")).collect();
        let troubled: Vec<Troubled> = FAULTS.into_iter().chain(FAULTS).map(Troubled::start).collect();
        for follower in healthy.iter().chain(troubled.iter().map(|t| &t.follower)) {
            follower.follows(&world.gateway).await;
        }
        // A name that this machine's resolver refuses without asking anybody, because no label of a name is that long, and an
        // address where nobody listens.
        let nowhere = format!("http://{}.invalid", "x".repeat(64));
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let never = [(nowhere, "does not resolve"), (format!("http://{closed}"), "cannot connect")];
        for (root, _) in &never {
            world.follows_by_hand(&format!("{root}/users/volger"), &format!("{root}/users/volger/inbox"));
        }
        Self { world, healthy, troubled, never, _authority: folder }
    }

    /// Waits until every receipt says what is the matter.
    async fn explained(&self) {
        for t in &self.troubled {
            t.explained(&self.world).await;
        }
        for (root, words) in &self.never {
            let error = format!("SELECT COALESCE(last_error, '-') AS t FROM inboxes WHERE url LIKE '{root}/%'");
            until(&format!("{root} has failed"), || self.world.db.lines(&error)[0] != "-").await;
            let said = self.world.db.lines(&error).remove(0);
            assert!(said.contains(words), "the receipt says `{said}`, without `{words}`");
        }
    }

    /// Everything works again; waits until nothing is owed but to what never works.
    async fn recover(&self) {
        for t in &self.troubled {
            t.recover(&self.world).await;
        }
        self.settled("nothing is owed any more").await;
    }

    /// Waits until nothing is owed but to what never works.
    async fn settled(&self, what: &str) {
        let [(nowhere, _), (closed, _)] = &self.never;
        let owed = format!(
            "SELECT COUNT(*) FROM deliveries d JOIN inboxes i ON i.id = d.inbox_id WHERE d.state = 0 \
             AND i.url NOT LIKE '{nowhere}/%' AND i.url NOT LIKE '{closed}/%'"
        );
        let done = || self.world.db.number(&owed) == 0;
        within(AFTERMATH, what, || async { done().then_some(()) }).await;
    }

    /// Everybody has all, once and in order, and the receipts say so.
    async fn judge(&self, said: &[String]) {
        for peer in self.healthy.iter().map(|a| &a.peer) {
            let arrivals = peer.arrivals();
            assert_eq!(told(&arrivals), said, "{} has all, once and in order", peer.authority());
            assert!(arrivals.iter().all(Arrival::taken), "{} was tried once for each", peer.authority());
        }
        for t in &self.troubled {
            let (got, receipts) = (told(&t.peer.arrivals()), t.receipts(&self.world).await);
            let number = |state: &str| receipts.iter().filter(|receipt| receipt["state"] == state).count();
            let (delivered, refused) = (number("delivered"), number("refused"));
            assert_eq!((delivered, delivered + refused), (got.len(), said.len()), "{:?}: receipts and facts", t.fault);
            if t.fault == Fault::Gone {
                assert!(refused > 0, "a 410 is for good");
                let in_order: Vec<_> = said.iter().filter(|id| got.contains(id)).cloned().collect();
                assert_eq!(got, in_order);
            } else {
                assert_eq!(
                    got,
                    said,
                    "{:?} has all, once and in order; {} connections",
                    t.fault,
                    t.front.connections()
                );
            }
        }
    }
}

both! {
    async fn thirty_of_fifty_servers_misbehave_and_the_others_notice_nothing(db: Database) {
        let storm = Storm::begin(db).await;
        let (world, healthy, troubled) = (&storm.world, &storm.healthy, &storm.troubled);
        publish(world, healthy, 0).await;
        until("the others have the first post too", || troubled.iter().all(|t| t.peer.count("Create") == 1)).await;
        // Whoever still waits for the answer would see its connection cut.
        storm.settled("the first post is settled").await;

        // A redirect leads to a server that would take it.
        let elsewhere = Peer::start();
        troubled.iter().for_each(|t| t.misbehave(&elsewhere.url("/inbox")));
        for n in 1..5 {
            publish(world, healthy, n).await;
        }
        world.site.edit("n1", |article| article.text = "<p>Er is beter nieuws.</p>".to_owned());
        let last = world.db.number("SELECT MAX(id) FROM posts").to_string();
        world.gateway.cli(&["post", "withdraw", &last]).await.well();
        let made = "SELECT COUNT(*) FROM activities WHERE kind IN ('Update', 'Delete') AND post_id IS NOT NULL";
        until("the edit and the withdrawal are made", || world.db.number(made) == 2).await;
        let said = world.said();
        assert_eq!(said.len(), 7);
        until("the healthy have all", || healthy.iter().all(|a| took_all(&a.peer, &said))).await;
        storm.explained().await;
        assert_eq!(elsewhere.arrivals().len(), 0, "no redirect is followed");

        storm.recover().await;
        storm.judge(&said).await;
        let peak = world.gateway.process().peak_memory_mib();
        eprintln!("the process held {peak} MiB at its peak");
        assert!(peak < MEMORY_MAX_MIB, "the process held {peak} MiB at its peak");
    }
}
