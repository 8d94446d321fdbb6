//! What the integration tests are made with: a [`Database`] of either kind, the [`Gateway`] as the real binary, the [`Site`]
//! of an agency, and [`Peer`]s, the servers of others. Nothing here uses the crate's own signing, verifying or fetching: a
//! defect there must not hide itself.

mod account;
mod address;
mod client;
mod cluster;
mod cms;
mod database;
mod dns;
mod front;
mod gateway;
mod http;
mod hub;
mod installed;
mod integrity;
mod key;
mod mastodon;
mod peer;
mod process;
mod proxy;
mod reading;
mod reaper;
mod server;
mod setup;
mod site;
mod sql;
mod verify;
mod world;

use std::future::Future;
use std::time::{Duration, Instant};

pub use account::{Account, Letter};
pub use client::{Client, encoded, made, multipart, picture};
pub use cluster::Cluster;
pub use cms::{Cms, SECRET, now_s};
pub use database::Database;
pub use dns::{BOGUS, Dns, INSECURE, SECURE};
pub use front::{Certificate, Front, Mode, NAME, write_authority};
pub use gateway::{Finished, Gateway};
pub use http::{get, get_as, request, try_request};
pub use hub::{Asked, Hub};
pub use integrity::ProofKey;
pub use key::Key;
pub use mastodon::{Mastodon, SCOPES, TOKEN, Trick};
pub use peer::{Arrival, Behaviour, Peer, Reads};
pub use process::{Launch, Process};
pub use proxy::{Meddling, Proxy};
pub use reading::Reading;
pub use server::{Answer, Reply, serve};
pub use setup::Setup;
pub use site::{Article, FEED, Picture, Site, feed};
pub use sql::Kind;
pub(crate) use world::looks;
pub use world::{Shared, World, once, says, shared, told};

/// The media type of everything that peers exchange.
pub const ACTIVITY: &str = "application/activity+json";
/// The full URI of the public collection.
pub const PUBLIC: &str = "https://www.w3.org/ns/activitystreams#Public";
/// How long anything may take before a test gives up: the machine may be shared and slow.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How often is looked whether something has happened.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Makes `name::sqlite` and `name::postgres` of one test.
macro_rules! both {
    ($($(#[$doc:meta])* async fn $name:ident($db:ident: Database) $body:block)+) => {$(
        $(#[$doc])*
        mod $name {
            #[allow(unused_imports)]
            use super::*;

            async fn test($db: $crate::harness::Database) $body

            #[test]
            fn sqlite() {
                $crate::harness::run(test, $crate::harness::Kind::Sqlite);
            }

            #[test]
            fn postgres() {
                $crate::harness::run(test, $crate::harness::Kind::Postgres);
            }
        }
    )+};
}
pub(crate) use both;

/// A runtime with threads to spare, so that what blocks in a test does not stop its servers.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Runs a test with a fresh database.
pub fn run<F: Future<Output = ()>>(test: impl FnOnce(Database) -> F, kind: Kind) {
    runtime().block_on(async { test(Database::new(kind)).await });
}

/// Waits until `look` finds something; gives up after [`PATIENCE`].
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, look: impl FnMut() -> F) -> T {
    within(PATIENCE, what, look).await
}

/// Waits until `look` finds something; gives up after `patience`.
pub async fn within<T, F: Future<Output = Option<T>>>(
    patience: Duration,
    what: &str,
    mut look: impl FnMut() -> F,
) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(began.elapsed() < patience, "waited {patience:?} in vain: {what}");
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Waits until a condition holds.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    eventually(what, || std::future::ready(holds().then_some(()))).await;
}
