//! A whole small world: agencies with sites and proofs that hold, actors with followers, posts that wait for their release,
//! and the gateway.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use serde_json::Value;
use tempfile::TempDir;

use super::cluster::Cluster;
use super::gateway::{Start, cli, free_address};
use super::people::sites;
use super::{Crowd, Database, Gateway, Host, StandIn, until};

/// Actors of one agency: more do not fit into the 64 KiB of a proof.
const ACTORS_PER_AGENCY: usize = 200;
/// A sentence of 96 bytes, of which articles are made.
const SENTENCE: &str =
    "De gemeente legt de komende maanden nieuwe riolering aan en houdt bewoners daarvan op de hoogte. ";

/// What a world is to be like.
pub struct Plan {
    /// The cluster to make the database in; a SQLite file where there is none.
    pub cluster: Option<Arc<Cluster>>,
    /// The servers of followers.
    pub hosts: Vec<Host>,
    /// Whether they speak TLS.
    pub tls: bool,
    /// Inboxes on them.
    pub inboxes: usize,
    /// Followers of each actor in these inboxes; as many as inboxes when 0.
    pub followers: usize,
    /// Actors: `actor0`, `actor1` …
    pub actors: usize,
    /// Sources; they feed the actors in turn.
    pub sources: usize,
    /// Articles of each source.
    pub posts: usize,
    /// Whether what the first poll finds becomes posts, which wait for their release.
    pub publish: bool,
    /// Variables of the gateway's environment.
    pub environment: Vec<(String, String)>,
    /// Keys of `[delivery]`.
    pub delivery: String,
    /// Threads that serve HTTP.
    pub workers: usize,
    /// More tables of the configuration.
    pub further: String,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            cluster: None,
            hosts: Vec::new(),
            tls: false,
            inboxes: 0,
            followers: 0,
            actors: 1,
            sources: 1,
            posts: 0,
            publish: true,
            environment: Vec::new(),
            delivery: String::new(),
            workers: 1,
            further: String::new(),
        }
    }
}

/// The world; all of it ends with the value. The gateway is not started yet.
pub struct World {
    pub plan: Plan,
    pub database: Database,
    pub stand_in: StandIn,
    /// The port that all hosts of followers listen on.
    pub port: u16,
    /// The ids of the actors in the database, in their order.
    pub actors: Vec<String>,
    /// Where the gateway serves.
    pub address: SocketAddr,
    sites: Vec<String>,
    folder: TempDir,
}

impl World {
    /// Makes it: configuration, keys, proofs, followers, articles.
    pub fn make(plan: Plan) -> Self {
        let folder = tempfile::Builder::new().prefix("heraut-bench-").tempdir().unwrap();
        let database = plan.cluster.as_ref().map_or_else(Database::sqlite, Database::postgres);
        let mut stand_in = StandIn::start();
        let port = stand_in.open(&plan.hosts, plan.tls);
        let agencies = plan.actors.div_ceil(ACTORS_PER_AGENCY);
        let sites_port = stand_in.open(&sites(agencies), false);
        let sites = sites(agencies).iter().map(|site| format!("{}:{sites_port}", site.address)).collect();
        let mut world =
            Self { plan, database, stand_in, port, actors: Vec::new(), address: free_address(), sites, folder };
        world.write();
        world.prove();
        world.gather();
        world
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("config.toml")
    }

    /// The site of the agency of the `nth` actor: host and port.
    pub fn site(&self, nth: usize) -> &str {
        &self.sites[nth / ACTORS_PER_AGENCY]
    }

    /// Runs a subcommand of the gateway to its end.
    pub fn cli(&self, arguments: &[&str]) -> String {
        cli(&self.config(), arguments)
    }

    fn write(&mut self) {
        let mut key = std::fs::OpenOptions::new();
        let key = key.write(true).create_new(true).mode(0o600).open(self.folder.path().join("master.key"));
        std::io::Write::write_all(&mut key.unwrap(), hex::encode(rand::random::<[u8; 32]>()).as_bytes()).unwrap();
        let Plan { tls, ref delivery, workers, actors, sources, .. } = self.plan;
        let (address, url) = (self.address, &self.database.url);
        let mut config = format!(
            "[server]\npublic_url = \"http://{address}\"\nlisten = [\"{address}\"]\nworkers = {workers}\n\
             [database]\nurl = \"{url}\"\n[net]\nallow_addresses = [\"127.0.0.0/8\"]\n"
        );
        if tls {
            std::fs::write(self.folder.path().join("ca.pem"), self.stand_in.ca()).unwrap();
            config += "extra_ca_file = \"ca.pem\"\n";
        }
        writeln!(config, "[delivery]\n{delivery}").unwrap();
        for (n, site) in self.sites.iter().enumerate() {
            writeln!(config, "[[agency]]\nname = \"agency{n}\"\ndomain = \"{site}\"").unwrap();
        }
        for n in 0..actors {
            let agency = n / ACTORS_PER_AGENCY;
            writeln!(config, "[[actor]]\nagency = \"agency{agency}\"\nhandle = \"actor{n}\"\nname = \"Gemeente {n}\"")
                .unwrap();
        }
        for n in 0..sources {
            let actor = self.actor_of(n);
            let feed = format!("http://{}/feed{n}.rss", self.site(actor));
            let posts = if self.plan.publish { self.plan.posts } else { 0 };
            writeln!(
                config,
                "[[source]]\nname = \"source{n}\"\nactor = \"actor{actor}\"\nkind = \"feed\"\nurl = \"{feed}\"\n\
                 every = \"1h\"\n[source.policy]\napproval = true\npublish_newest = {posts}\n"
            )
            .unwrap();
        }
        config += &self.plan.further;
        std::fs::write(self.config(), config).unwrap();
    }

    fn prove(&mut self) {
        for agency in 0..self.sites.len() {
            let first = format!("actor{}", agency * ACTORS_PER_AGENCY);
            let proof = self.cli(&["actor", "proof", &first]);
            let _: Value = serde_json::from_str(&proof).expect("a proof is JSON");
            let site = self.sites[agency].clone();
            self.stand_in.put(&site, "/.well-known/heraut-actor.json", "application/json", &proof);
        }
        // The serving process checks the others; the first is to hold before anything is measured.
        self.cli(&["actor", "verify", "actor0"]);
        self.actors = self.database.lines(
            "SELECT CAST(id AS TEXT) AS t FROM actors WHERE handle LIKE 'actor%' \
             ORDER BY CAST(SUBSTR(handle, 6) AS INTEGER)",
        );
        assert_eq!(self.actors.len(), self.plan.actors, "all actors are there");
    }

    fn gather(&mut self) {
        self.crowd().settle(&self.database);
        self.crowd().follow(&self.database, &self.actors[0], 0);
        let Plan { sources, posts, .. } = self.plan;
        (0..sources).for_each(|n| self.say(n, 0..posts, ""));
    }

    /// Has a source hold these articles from now on; see [`feed`].
    pub fn say(&mut self, source: usize, articles: std::ops::Range<usize>, mark: &str) {
        let site = self.site(self.actor_of(source)).to_owned();
        let feed = feed(&site, source, articles, mark);
        self.stand_in.put(&site, &format!("/feed{source}.rss"), "application/rss+xml; charset=utf-8", &feed);
    }

    /// The actor that a source feeds.
    fn actor_of(&self, source: usize) -> usize {
        source % self.plan.actors
    }

    fn crowd(&self) -> Crowd<'_> {
        let Plan { ref hosts, inboxes, followers, tls, .. } = self.plan;
        let followers = if followers == 0 { inboxes } else { followers };
        Crowd { hosts, port: self.port, tls, inboxes, followers }
    }

    /// Starts the whole gateway, and waits until every proof holds and every source was polled: its posts wait then for
    /// their release.
    pub fn serve(&mut self) -> Gateway {
        let gateway = self.start("", "");
        self.settled();
        gateway
    }

    /// As [`World::serve`], but by a process that delivers nothing and ends then.
    pub fn serve_without_delivery(&mut self) {
        let gateway = self.start("web,ingest", "");
        self.settled();
        gateway.stop();
    }

    fn settled(&mut self) {
        let waiting = "SELECT COUNT(*) FROM proofs WHERE held_at IS NULL";
        until("every proof holds", || (self.database.number(waiting) == 0).then_some(()));
        let unpolled = "SELECT COUNT(*) FROM sources WHERE ok_at IS NULL";
        until("every source is polled", || (self.database.number(unpolled) == 0).then_some(()));
        // Had these followers before, their actors would have told them that a proof holds now.
        if self.database.number("SELECT COUNT(DISTINCT actor_id) FROM followers") < 2 {
            let crowd = self.crowd();
            self.actors.iter().enumerate().skip(1).for_each(|(nth, actor)| crowd.follow(&self.database, actor, nth));
        }
        self.idle();
        self.stand_in.forget();
    }

    /// Starts a process with these roles on these cores (all of them when empty).
    pub fn start(&self, roles: &str, cores: &str) -> Gateway {
        let start = Start { roles, cores, environment: &self.plan.environment };
        Gateway::start(&self.config(), self.address, &start)
    }

    /// Releases the oldest `count` posts of each source: from now on the gateway publishes them by itself.
    pub fn release(&self, count: usize) {
        self.database.execute(&format!(
            "UPDATE posts SET state = 'ready', reason = NULL WHERE id IN (SELECT id FROM \
             (SELECT id, ROW_NUMBER() OVER (PARTITION BY source_id ORDER BY id) AS n FROM posts WHERE state = 'held') h \
             WHERE h.n <= {count})"
        ));
    }

    /// Waits until that many POSTs were taken since the stand-ins last forgot, and nothing more is owed or under way.
    pub fn delivered(&mut self, posts: usize) {
        let posts = u64::try_from(posts).unwrap();
        until(&format!("{posts} activities are delivered"), || (self.stand_in.taken().posts >= posts).then_some(()));
        self.idle();
        assert_eq!(self.stand_in.taken().posts, posts, "each is delivered once");
    }

    /// Waits until no inbox is due.
    pub fn idle(&self) {
        let due = "SELECT COUNT(*) FROM inboxes WHERE due_at IS NOT NULL";
        until("no inbox is due", || (self.database.number(due) == 0).then_some(()));
    }
}

/// A feed with these articles, the oldest first, whose Creates have about 2 KB. `mark` ends the title of the first: another
/// one is an edit.
pub fn feed(site: &str, source: usize, articles: std::ops::Range<usize>, mark: &str) -> String {
    static BEGAN: OnceLock<chrono::DateTime<chrono::Utc>> = OnceLock::new();
    let began = *BEGAN.get_or_init(chrono::Utc::now);
    let first = articles.start;
    let items: String = articles
        .map(|n| {
            let link = format!("http://{site}/nieuws/{source}/{n}");
            let date = (began - chrono::Duration::seconds(10_000 - i64::try_from(n).unwrap())).to_rfc2822();
            let mark = if n == first { mark } else { "" };
            format!(
                "<item><title>Bericht {n} over de nieuwe riolering{mark}</title><link>{link}</link>\
                 <guid isPermaLink=\"true\">{link}</guid><pubDate>{date}</pubDate>\
                 <description><![CDATA[<p>{}</p>]]></description></item>",
                SENTENCE.repeat(2)
            )
        })
        .collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss version=\"2.0\"><channel><title>Persberichten</title>\
         <link>http://{site}/</link><description>Nieuws</description><language>nl</language>{items}</channel></rss>\n"
    )
}
