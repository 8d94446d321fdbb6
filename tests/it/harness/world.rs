//! A whole small world: a site, the gateway, and a citizen on another server who follows.

use std::future::Future;
use std::sync::OnceLock;

use serde_json::Value;
use tokio::runtime::Runtime;

use super::account::Account;
use super::database::Database;
use super::gateway::Gateway;
use super::peer::{Arrival, Peer};
use super::process::Launch;
use super::setup::Setup;
use super::site::{Article, Picture, Site};
use super::sql::Kind;
use super::{reaper, runtime};

/// A site, a gateway and a follower.
pub struct World {
    // Dropped in this order: the gateway before what it uses.
    pub gateway: Gateway,
    pub site: Site,
    pub peer: Peer,
    pub citizen: Account,
    pub db: Database,
}

impl World {
    /// As [`Setup::new`] says.
    pub async fn new(db: Database) -> Self {
        Self::with(db, Setup::new()).await
    }

    /// With a gateway set up so, and one follower, accepted.
    pub async fn with(db: Database, setup: Setup) -> Self {
        let world = Self::unfollowed(db, setup).await;
        world.citizen.follows(&world.gateway).await;
        world
    }

    /// With a gateway set up so, and nobody who follows.
    pub async fn unfollowed(db: Database, setup: Setup) -> Self {
        let (site, peer) = (Site::start(), Peer::start());
        let gateway = setup.start(&db, &site).await;
        let citizen = peer.account("burger");
        Self { gateway, site, peer, citizen, db }
    }

    /// With a gateway whose first process serves HTTP and does nothing else; the test starts the others.
    pub async fn of_web_alone(db: Database, setup: Setup) -> Self {
        let (site, peer) = (Site::start(), Peer::start());
        let gateway = Gateway::launched(&setup, &db.url, &site, Launch::new().roles("web")).await;
        let citizen = peer.account("burger");
        Self { gateway, site, peer, citizen, db }
    }

    /// Publishes on the site, and waits for the Create at the follower.
    pub async fn published(&self, slug: &str, title: &str) -> Arrival {
        self.site.publish(slug, title, &format!("<p>Over {slug}.</p>"));
        self.created(title).await
    }

    /// Waits for the Create with that title.
    pub async fn created(&self, title: &str) -> Arrival {
        self.peer.takes(&format!("the Create of `{title}`"), |a| a.kind() == "Create" && says(a, title)).await
    }

    /// Waits for the `n`-th activity of that type about an object.
    pub async fn told(&self, kind: &str, object: &str, n: usize) -> Arrival {
        let about = |a: &Arrival| a.kind() == kind && a.activity["object"]["id"] == object;
        let found = super::eventually(&format!("the follower is told {kind} {n} of {object}"), || {
            std::future::ready(self.peer.taken().into_iter().filter(about).nth(n - 1))
        })
        .await;
        assert_eq!(found.verified, Ok(()));
        found
    }
}

impl World {
    /// Leaves it to the end of the test binary to end it, because what holds it is never dropped.
    pub fn outlive_tests(&self) {
        self.gateway.outlive_tests();
        if let Some(file) = self.db.url.strip_prefix("sqlite:") {
            reaper::at_the_end(&format!("rm -rf \"$(dirname '{file}')\""));
        }
    }

    /// The ids of all public activities, in the order in which they were made.
    pub fn said(&self) -> Vec<String> {
        let root = self.gateway.url("/ap/x/");
        self.db.lines(&format!(
            "SELECT '{root}' || CAST(id AS TEXT) AS t FROM activities WHERE post_id IS NOT NULL ORDER BY id"
        ))
    }

    /// How many deliveries of public activities are in that state.
    pub fn deliveries(&self, state: i16) -> i64 {
        self.db.number(&format!(
            "SELECT COUNT(*) FROM deliveries d JOIN activities a ON a.id = d.activity_id \
             WHERE a.post_id IS NOT NULL AND d.state = {state}"
        ))
    }

    /// A statement that makes a post of `nieuws`, in that lane and state, which are its last columns.
    pub fn post_by_hand(id: i64, lane: i64, state: &str, at: i64) -> String {
        let content = format!(
            r#"{{"title":null,"html":"<p>Bericht {id}</p>","language":"nl","link":null,"hashtags":[],"images":[],"warning":null,"flags":[]}}"#
        );
        let time = if state == "scheduled" { "due_at" } else { "published_at" };
        format!(
            "INSERT INTO posts (id, actor_id, content, revision, created_at, lane, state, {time}) \
             SELECT {id}, id, '{content}', 1, 1, {lane}, '{state}', {at} FROM actors WHERE handle = 'nieuws';"
        )
    }

    /// Makes somebody follow who has never spoken to the gateway: a row, and the inbox that it names.
    pub fn follows_by_hand(&self, account: &str, inbox: &str) {
        let host = url::Url::parse(inbox).unwrap();
        let host = host[url::Position::BeforeHost..url::Position::AfterPort].to_owned();
        let actor = "(SELECT id FROM actors WHERE handle = 'nieuws')";
        self.db.execute(&format!(
            "INSERT INTO inboxes (id, url, host, created_at) \
             SELECT COALESCE(MAX(id), 0) + 1, '{inbox}', '{host}', 1 FROM inboxes; \
             INSERT INTO followers (id, actor_id, url, host, inbox_id, created_at) \
             SELECT (SELECT COALESCE(MAX(id), 0) + 1 FROM followers), {actor}, '{account}', '{host}', id, 1 \
             FROM inboxes WHERE url = '{inbox}'"
        ));
    }
}

/// The ids of what was taken, but answers to Follows.
pub fn told(arrivals: &[Arrival]) -> Vec<String> {
    let public = arrivals.iter().filter(|a| a.taken() && a.kind() != "Accept");
    public.map(|a| a.id().to_owned()).collect()
}

/// Whether what came says that.
pub fn says(arrival: &Arrival, text: &str) -> bool {
    arrival.activity["object"]["content"].as_str().is_some_and(|content| content.contains(text))
}

/// A world that several tests look at, and none changes.
pub struct Shared {
    pub world: World,
    /// The Create of a post with hashtags and a picture.
    pub create: Value,
    /// The id of its object.
    pub object: String,
}

static RUNTIME: OnceLock<Runtime> = OnceLock::new();
static WORLDS: [OnceLock<Shared>; 2] = [OnceLock::new(), OnceLock::new()];

/// The shared world of a database; its agency's handles are at `voorbeeldstad.example`.
pub fn shared(kind: Kind) -> &'static Shared {
    once(&WORLDS[kind as usize], move || build(kind))
}

/// Makes what several tests use, once, on a runtime that stays.
pub fn once<T: Send + Sync, F: Future<Output = T>>(
    place: &'static OnceLock<T>,
    make: impl FnOnce() -> F + Send + 'static,
) -> &'static T {
    place.get_or_init(|| {
        let runtime = RUNTIME.get_or_init(runtime);
        // A runtime does not let itself be blocked by a thread of another.
        std::thread::spawn(move || runtime.block_on(make())).join().expect("a shared world")
    })
}

async fn build(kind: Kind) -> Shared {
    let setup = Setup::new().actor("handle_domain = \"voorbeeldstad.example\"");
    let world = World::with(Database::new(kind), setup).await;
    world.outlive_tests();
    world.peer.looks_up();
    let mut article = Article::new("dijk", "De dijk houdt stand", "<p>Het water <b>zakt</b>.</p>");
    article.categories = vec!["hoog water".to_owned(), "veiligheid".to_owned()];
    article.picture = Some(Picture { path: "/beeld/dijk.png".to_owned(), alt: Some("Een dijk".to_owned()) });
    world.site.add(article);
    let create = world.created("De dijk houdt stand").await.activity;
    let object = create["object"]["id"].as_str().unwrap().to_owned();
    Shared { world, create, object }
}

/// Makes `name::sqlite` and `name::postgres` of a test that only looks at a shared world.
macro_rules! looks {
    ($($(#[$doc:meta])* async fn $name:ident($shared:ident: &Shared) $body:block)+) => {$(
        $(#[$doc])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn test($shared: &$crate::harness::Shared) $body

            #[test]
            fn sqlite() {
                let shared = $crate::harness::shared($crate::harness::Kind::Sqlite);
                $crate::harness::runtime().block_on(test(shared));
            }

            #[test]
            fn postgres() {
                let shared = $crate::harness::shared($crate::harness::Kind::Postgres);
                $crate::harness::runtime().block_on(test(shared));
            }
        }
    )+};
}
pub(crate) use looks;
