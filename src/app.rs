//! The composition root: the one place that knows everything. It makes the [`Gateway`] of a configuration, puts what the
//! configuration names into the database, and runs the roles of a process until it is told to stop.

mod provision;
mod targets;

pub use provision::provision;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use thiserror::Error;
use tokio::task::JoinSet;

use crate::actor::verification::ProofTimes;
use crate::config::hook::HeldError;
use crate::config::{Config, MetricsListen, environment};
use crate::flow::keyring::{Keyring, KeyringError};
use crate::flow::provision::ProvisionError;
use crate::flow::relays::RelayError;
use crate::flow::schedule::{self, Roles, Stop, Stopper};
use crate::flow::{FlowSettings, Gateway, Shared, clock};
use crate::metrics::pulse;
use crate::net::{Client, NetError, NetSettings};
use crate::store::listen::{Heard, Listening};
use crate::store::{Store, StoreError};
use crate::vault::{MasterKey, VaultError};
use crate::web::{Limits, operations};

/// How long a process that was told to stop may take altogether.
pub const STOP_WITHIN: Duration = Duration::from_secs(10);
/// Of that, how long the threads may take that wait for a database.
pub const LET_GO_WITHIN: Duration = Duration::from_secs(1);
/// Of that, how long requests and deliveries in hand may go on; the rest is for ending what is left.
const FINISH_WITHIN: Duration = Duration::from_secs(8);

/// Why the gateway does not start. The text says what to do.
#[derive(Debug, Error)]
pub enum AppError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The master key.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The HTTP client.
    #[error(transparent)]
    Net(#[from] NetError),
    /// A key.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// Something that the configuration names.
    #[error("{what} cannot be set up")]
    Provision {
        /// What, by its name.
        what: String,
        /// Why not.
        #[source]
        source: ProvisionError,
    },
    /// A relay that the configuration names.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// A secret of a source cannot be read.
    #[error("source `{source_name}` has no usable secret")]
    Secret {
        /// The source.
        source_name: String,
        /// Why not.
        #[source]
        source: HeldError,
    },
    /// Everybody on the machine can read a secret.
    #[error(
        "source `{source_name}`: every user of this machine can read its secret; run `chmod 600 {path}`",
        path = path.display()
    )]
    Exposed {
        /// The source.
        source_name: String,
        /// The file.
        path: PathBuf,
    },
    /// A target that the configuration names.
    #[error("target `{name}` cannot be set up: {problem}")]
    Target {
        /// Its name.
        name: String,
        /// Why not, and what to do.
        problem: String,
    },
    /// The media folder.
    #[error(
        "the folder for media {path} cannot be made or written to: {problem}; correct media.dir or its permissions"
    )]
    Media {
        /// Its path.
        path: PathBuf,
        /// The system's words.
        problem: std::io::Error,
    },
    /// An address to listen on.
    #[error("{listen} cannot be listened on: {problem}; is another process there? Correct server.listen")]
    Listen {
        /// The addresses.
        listen: String,
        /// The system's words.
        problem: std::io::Error,
    },
    /// The public URL is another one than when actors were made.
    #[error(
        "server.public_url is {now} now, but {handle} was made as {url}, and other servers know it by that for ever; \
         set server.public_url back, or start with a new database"
    )]
    PublicUrl {
        /// The actor.
        handle: String,
        /// Its id.
        url: String,
        /// The public URL of now.
        now: String,
    },
    /// Another process runs on the same SQLite file.
    #[error(
        "another `heraut serve` or `heraut restore` runs on this database (it holds {path}); SQLite is for one process: stop \
         the other one, or move to PostgreSQL to run several"
    )]
    NotAlone {
        /// The lock file.
        path: PathBuf,
    },
    /// The lock file cannot be made.
    #[error("the lock file {path} cannot be made: {problem}; the folder of the database must be writable")]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// The system's words.
        problem: std::io::Error,
    },
    /// The address for metrics.
    #[error(
        "{listen} cannot be listened on for metrics: {problem}; is another process there? Correct server.metrics_listen, \
         or use `heraut serve --metrics-listen`"
    )]
    MetricsListen {
        /// The address.
        listen: SocketAddr,
        /// The system's words.
        problem: std::io::Error,
    },
    /// A web server of the process ended when it should not have.
    #[error("the web server failed: {0}")]
    Web(std::io::Error),
    /// A loop of the process ended when it should not have.
    #[error(
        "a loop of the gateway ended ({0}); the process ends, and is to be started again. Please report this with the log"
    )]
    Loop(String),
}

/// Makes the gateway of a configuration: opens and migrates the database, reads the master key, makes the client.
pub fn gateway(config: &Config) -> Result<Shared, AppError> {
    let master = MasterKey::load(&config.keys.master_key_file, config.keys.master_key.as_ref())?;
    gateway_with(config, master)
}

/// As [`gateway`], with a master key that is in memory already.
pub fn gateway_with(config: &Config, master: MasterKey) -> Result<Shared, AppError> {
    let media_dir = config.media.dir.clone();
    prepare_media(&media_dir).map_err(|problem| AppError::Media { path: media_dir.clone(), problem })?;
    let store = Store::open(config.database.url.expose())?;
    store.clock().into_iter().for_each(clock::follow);
    let base = config.server.public_url.clone();
    let net = Client::new(&NetSettings {
        allow_addresses: config.net.allow_addresses.clone(),
        extra_ca_file: config.net.extra_ca_file.clone(),
        dns: config.net.dns.clone(),
        dns_trust_anchor_file: config.net.dns_trust_anchor_file.clone(),
        user_agent: format!("heraut/{} (+{}about-bot)", env!("CARGO_PKG_VERSION"), base.root()),
    })?;
    let settings = FlowSettings {
        media_dir,
        concurrency: config.delivery.concurrency,
        delivery_timeout: config.delivery.timeout,
        lease: config.delivery.lease,
        proof_times: ProofTimes {
            recheck_every: config.verification.recheck_every,
            grace: config.verification.grace,
            level: config.verification.level,
        },
        allow_addresses: config.net.allow_addresses.clone(),
        authorized_fetch: config.server.authorized_fetch,
        synchronize_followers: config.delivery.synchronize_followers,
        bench_ed25519: environment::bench_ed25519(),
    };
    Ok(Arc::new(Gateway {
        store,
        net,
        base,
        hosts: Default::default(),
        mint: Arc::default(),
        keyring: Keyring::new(master),
        settings,
        wake: Default::default(),
        remote: Default::default(),
    }))
}

/// Makes the folder for media and writes a file there, to find out now and not with the first picture whether that is possible.
fn prepare_media(folder: &std::path::Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let probe = folder.join(format!(".probe-{}", std::process::id()));
    std::fs::write(&probe, b"")?;
    std::fs::remove_file(&probe)
}

/// On SQLite, makes sure that this is the only process that serves this database, and frees what an earlier one held when it
/// was killed: with nobody else there, nobody has to wait for its leases to end. On PostgreSQL leases end by themselves.
/// The file stays locked for as long as it is open.
pub async fn be_alone(gateway: &Gateway, config: &Config) -> Result<Option<std::fs::File>, AppError> {
    let Some(file) = lock(config)? else { return Ok(None) };
    let at = crate::flow::now();
    let free = move |db: &mut crate::store::Db<'_>| {
        crate::store::inboxes::free_all(db, at)?;
        crate::store::sources::free_all(db)?;
        crate::store::hooks::free_all(db)?;
        crate::store::websub::free_all(db)?;
        crate::store::registers::free_all(db)?;
        crate::store::relays::free_all(db)?;
        crate::store::targets::free_all(db)?;
        crate::store::proofs::free_all(db)
    };
    gateway.store.write("free what an earlier process held", free).await?;
    Ok(Some(file))
}

/// On SQLite, locks the file beside the database that says that a process serves or fills it. On PostgreSQL there is none.
pub fn lock(config: &Config) -> Result<Option<std::fs::File>, AppError> {
    let Some(database) = config.database.url.expose().strip_prefix("sqlite:") else { return Ok(None) };
    let path = PathBuf::from(format!("{database}.lock"));
    let file = std::fs::File::create(&path).map_err(|problem| AppError::Lock { path: path.clone(), problem })?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => return Err(AppError::NotAlone { path }),
        Err(std::fs::TryLockError::Error(problem)) => return Err(AppError::Lock { path, problem }),
    }
    Ok(Some(file))
}

/// What a process does.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    /// Whether it serves HTTP to the world.
    pub web: bool,
    /// The loops that it runs.
    pub roles: Roles,
    /// Where it shows metrics and health.
    pub metrics: MetricsListen,
}

/// What a running process is: the addresses that it serves, and how to end it.
pub struct Running {
    /// The addresses that it listens on.
    pub addresses: Vec<SocketAddr>,
    /// Where metrics are.
    pub metrics: Option<SocketAddr>,
    servers: Vec<Server>,
    tasks: JoinSet<()>,
    _listening: Option<Listening>,
}

/// Starts what a process does. To be called once: loops and metrics are counted per process.
pub fn start(gateway: &Shared, config: &Config, work: Work, stop: &Stop) -> Result<Running, AppError> {
    let (mut addresses, mut servers) = (Vec::new(), Vec::new());
    if work.web {
        let limits = Limits {
            per_host_s: config.inbox.per_host,
            per_source_s: config.hooks.per_source,
            trusted_proxies: config.server.trusted_proxies.clone(),
        };
        let server = &config.server;
        let (started, bound) =
            crate::web::serve(gateway.clone(), &server.listen, server.workers, limits, FINISH_WITHIN)
                .map_err(|problem| AppError::Listen { listen: format!("{:?}", config.server.listen), problem })?;
        addresses = bound;
        servers.push(started);
    }
    let metrics = start_metrics(gateway, work.metrics, &mut servers)?;
    let tasks = schedule::start(gateway, work.roles, stop);
    let hearing = gateway.clone();
    let listening = gateway.store.listen(move |heard| match heard {
        Heard::Work(topic) => hearing.wake.hear(topic),
        Heard::Clock(clock) => clock::follow(clock),
    });
    Ok(Running { addresses, metrics, servers, tasks, _listening: listening })
}

/// The listener for metrics. One that nobody asked for may be missing: the port is also that of Prometheus itself.
fn start_metrics(
    gateway: &Shared,
    listen: MetricsListen,
    servers: &mut Vec<Server>,
) -> Result<Option<SocketAddr>, AppError> {
    let Some((listen, must)) = listen.address() else { return Ok(None) };
    match operations::serve(gateway.clone(), listen, FINISH_WITHIN) {
        Ok((server, bound)) => {
            servers.push(server);
            Ok(Some(bound))
        }
        Err(problem) if must => Err(AppError::MetricsListen { listen, problem }),
        Err(problem) => {
            tracing::warn!(%listen, error = %problem, "no metrics are shown; set server.metrics_listen");
            Ok(None)
        }
    }
}

impl Running {
    /// Runs until `stop` is given, then finishes what is under way. All ends within [`STOP_WITHIN`]: requests and deliveries that
    /// take longer than [`FINISH_WITHIN`] are broken off, and deliveries are sent again later. An error means that a part ended
    /// by itself; then the rest is ended too, by the `stopper` of that `stop`, so that whoever watches over the process starts all
    /// of it anew.
    pub async fn run(mut self, stopper: Stopper, mut stop: Stop) -> Result<(), AppError> {
        let handles: Vec<_> = self.servers.iter().map(Server::handle).collect();
        let mut servers: JoinSet<std::io::Result<()>> = JoinSet::new();
        self.servers.drain(..).for_each(|server| {
            servers.spawn(server);
        });
        let ended = told_to_end(&mut servers, &mut self.tasks, &stopper, &mut stop).await;
        tracing::info!(within_s = STOP_WITHIN.as_secs(), "stopping: nothing new is begun");
        pulse::here().stop();
        let finish = async {
            let stop_servers = futures::future::join_all(handles.iter().map(|handle| handle.stop(true)));
            let finish_tasks = async { while self.tasks.join_next().await.is_some() {} };
            tokio::join!(stop_servers, finish_tasks);
        };
        if tokio::time::timeout(FINISH_WITHIN, finish).await.is_err() {
            tracing::warn!(
                after_s = FINISH_WITHIN.as_secs(),
                "some work did not finish in time; it goes on at the next start"
            );
        }
        ended
    }
}

/// Waits until `stop` is given or a part ends by itself. Then all loops are told to end: one that was not would have what it
/// does broken off.
async fn told_to_end(
    servers: &mut JoinSet<std::io::Result<()>>,
    loops: &mut JoinSet<()>,
    stopper: &Stopper,
    stop: &mut Stop,
) -> Result<(), AppError> {
    let ended = tokio::select! {
        biased;
        () = stop.wait() => Ok(()),
        Some(ended) = servers.join_next() => Err(AppError::Web(match ended {
            Ok(Ok(())) => std::io::Error::other("it ended by itself"),
            Ok(Err(error)) => error,
            Err(error) => std::io::Error::other(error),
        })),
        Some(ended) = loops.join_next() => Err(AppError::Loop(match ended {
            Ok(()) => "it returned".to_owned(),
            Err(error) => error.to_string(),
        })),
    };
    // A loop that ends because it was told to may be seen before the signal is.
    let ended = if stop.is_set() { Ok(()) } else { ended };
    stopper.stop();
    ended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_end_of_one_loop_tells_the_others_to_end_and_is_an_error() {
        let (stopper, mut stop) = Stopper::new();
        let (mut servers, mut loops) = (JoinSet::new(), JoinSet::new());
        let mut told = stop.clone();
        loops.spawn(async move { told.wait().await });
        loops.spawn(async {});
        let ended = told_to_end(&mut servers, &mut loops, &stopper, &mut stop).await;
        assert!(matches!(ended, Err(AppError::Loop(_))), "{ended:?}");
        // Otherwise it would wait for ever.
        let other = tokio::time::timeout(Duration::from_secs(60), loops.join_next()).await;
        assert!(matches!(other, Ok(Some(Ok(())))), "{other:?}");
    }

    #[tokio::test]
    async fn loops_that_end_because_they_were_told_to_are_no_error() {
        let (stopper, mut stop) = Stopper::new();
        let (mut servers, mut loops) = (JoinSet::new(), JoinSet::new());
        loops.spawn(async {});
        stopper.stop();
        let ended = told_to_end(&mut servers, &mut loops, &stopper, &mut stop).await;
        assert!(ended.is_ok(), "{ended:?}");
    }
}
