//! The composition root: the one place that knows everything. It makes the [`Gateway`] of a configuration, puts what the
//! configuration names into the database, and runs the roles of a process until it is told to stop.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::actor::Profile;
use crate::actor::verification::ProofTimes;
use crate::config::{ActorConfig, Config, SourceConfig, environment};
use crate::flow::clock;
use crate::flow::keyring::{Keyring, KeyringError};
use crate::flow::provision::{self, ActorPlan, By, ProvisionError, SourcePlan};
use crate::flow::schedule::{self, Roles, Stop};
use crate::flow::{FlowSettings, Gateway, Shared};
use crate::net::{Client, NetError, NetSettings};
use crate::store::listen::{Heard, Listening};
use crate::store::sources::Settings;
use crate::store::{Store, StoreError};
use crate::vault::{MasterKey, VaultError};

/// How long a process that was told to stop may take to finish what is under way.
pub const STOP_WITHIN: Duration = Duration::from_secs(10);

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
        "another `heraut serve` runs on this database (it holds {path}); SQLite is for one process: stop the other one, \
         or move to PostgreSQL to run several"
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
    /// A task of the process ended when it should not have.
    #[error("the web server failed: {0}")]
    Web(std::io::Error),
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
        user_agent: format!("heraut/{} (+{}about-bot)", env!("CARGO_PKG_VERSION"), base.root()),
    })?;
    let settings = FlowSettings {
        media_dir,
        concurrency: config.delivery.concurrency,
        delivery_timeout: config.delivery.timeout,
        lease: config.delivery.lease,
        proof_times: ProofTimes { recheck_every: config.verification.recheck_every, grace: config.verification.grace },
        allow_addresses: config.net.allow_addresses.clone(),
        bench_ed25519: environment::bench_ed25519(),
    };
    Ok(Arc::new(Gateway {
        store,
        net,
        base,
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

/// Puts the agencies, actors and sources of the configuration into the database, and makes the instance actor.
pub async fn provision(gateway: &Gateway, config: &Config) -> Result<(), AppError> {
    // Signing once shows whether the master key is the one that the keys were sealed under.
    gateway.sign_as_instance().await?;
    check_public_url(gateway).await?;
    for agency in &config.agencies {
        provision::agency(gateway, &agency.name, &agency.domain, By::Config)
            .await
            .map_err(|source| AppError::Provision { what: format!("agency `{}`", agency.name), source })?;
    }
    for actor in &config.actors {
        let plan = actor_plan(config, actor);
        provision::actor(gateway, plan, By::Config)
            .await
            .map_err(|source| AppError::Provision { what: format!("actor `{}`", actor.handle), source })?;
    }
    for source in &config.sources {
        let plan = source_plan(source);
        provision::source(gateway, plan, By::Config)
            .await
            .map_err(|error| AppError::Provision { what: format!("source `{}`", source.name), source: error })?;
    }
    Ok(())
}

/// Other servers remember the ids of actors for ever: an actor that was made under another public URL would be lost to them.
async fn check_public_url(gateway: &Gateway) -> Result<(), AppError> {
    let known = gateway.store.read("list actors", crate::store::actors::list).await?;
    match known.into_iter().find(|actor| !gateway.base.owns(actor.url.as_str())) {
        Some(actor) => Err(AppError::PublicUrl {
            handle: actor.full_handle(),
            url: actor.url.to_string(),
            now: gateway.base.root(),
        }),
        None => Ok(()),
    }
}

fn actor_plan(config: &Config, actor: &ActorConfig) -> ActorPlan {
    ActorPlan {
        agency: actor.agency.clone(),
        handle: actor.handle.clone(),
        handle_domain: config.handle_domain(actor),
        kind: actor.kind,
        language: actor.language.clone(),
        profile: Profile {
            name: actor.name.clone(),
            summary: actor.summary.clone(),
            icon: actor.icon.clone(),
            image: actor.image.clone(),
            fields: actor.fields.clone(),
            discoverable: actor.discoverable,
            indexable: actor.indexable,
        },
    }
}

fn source_plan(source: &SourceConfig) -> SourcePlan {
    SourcePlan {
        name: source.name.clone(),
        actor: source.actor.clone(),
        kind: source.kind.clone(),
        settings: Settings {
            schedule: source.schedule.clone(),
            policy: source.policy.clone(),
            compose: source.compose.clone(),
            language: source.language.clone(),
            connector: source.settings.clone(),
        },
    }
}

/// On SQLite, makes sure that this is the only process that serves this database, and frees what an earlier one held when it
/// was killed: with nobody else there, nobody has to wait for its leases to end. On PostgreSQL leases end by themselves.
/// The file stays locked for as long as it is open.
pub async fn be_alone(gateway: &Gateway, config: &Config) -> Result<Option<std::fs::File>, AppError> {
    let Some(database) = config.database.url.expose().strip_prefix("sqlite:") else { return Ok(None) };
    let path = PathBuf::from(format!("{database}.lock"));
    let file = std::fs::File::create(&path).map_err(|problem| AppError::Lock { path: path.clone(), problem })?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => return Err(AppError::NotAlone { path }),
        Err(std::fs::TryLockError::Error(problem)) => return Err(AppError::Lock { path, problem }),
    }
    let at = crate::flow::now();
    let free = move |db: &mut crate::store::Db<'_>| {
        crate::store::inboxes::free_all(db, at)?;
        crate::store::sources::free_all(db)?;
        crate::store::proofs::free_all(db)
    };
    gateway.store.write("free what an earlier process held", free).await?;
    Ok(Some(file))
}

/// What a running process is: the addresses that it serves, and how to end it.
pub struct Running {
    /// The addresses that it listens on.
    pub addresses: Vec<std::net::SocketAddr>,
    web: Option<actix_web::dev::Server>,
    tasks: tokio::task::JoinSet<()>,
    _listening: Option<Listening>,
}

/// Starts the roles of a process. `web` serves HTTP; the others poll, publish and deliver.
pub fn start(gateway: &Shared, config: &Config, web: bool, roles: Roles, stop: &Stop) -> Result<Running, AppError> {
    let mut addresses = Vec::new();
    let mut server = None;
    if web {
        let per_host_s = config.inbox.per_host;
        let (started, bound) =
            crate::web::serve(gateway.clone(), &config.server.listen, config.server.workers, per_host_s)
                .map_err(|problem| AppError::Listen { listen: format!("{:?}", config.server.listen), problem })?;
        addresses = bound;
        server = Some(started);
    }
    let tasks = schedule::start(gateway, roles, stop);
    let hearing = gateway.clone();
    let listening = gateway.store.listen(move |heard| match heard {
        Heard::Work(topic) => hearing.wake.hear(topic),
        Heard::Clock(clock) => clock::follow(clock),
    });
    Ok(Running { addresses, web: server, tasks, _listening: listening })
}

impl Running {
    /// Runs until `stop` is given, then finishes what is under way, for at most [`STOP_WITHIN`].
    pub async fn run(mut self, mut stop: Stop) -> Result<(), AppError> {
        let handle = self.web.as_ref().map(actix_web::dev::Server::handle);
        let web = self.web.take().map(tokio::spawn);
        stop.wait().await;
        tracing::info!("stopping");
        if let Some(handle) = handle {
            handle.stop(true).await;
        }
        let finish = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_WITHIN, finish).await.is_err() {
            tracing::warn!("some work did not finish in time; it goes on at the next start");
        }
        match web {
            Some(web) => web.await.unwrap_or(Ok(())).map_err(AppError::Web),
            None => Ok(()),
        }
    }
}
