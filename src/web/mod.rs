//! HTTP in: what other servers and people ask of us. Reads through `store`, acts only through `flow`.
//!
//! | path | answers |
//! |---|---|
//! | `/.well-known/{webfinger,host-meta,host-meta.json,nodeinfo}`, `/nodeinfo/{2.0,2.1}` | [`discovery`] |
//! | `/ap/a/{n}`, its collections, `/ap/o/{n}`, `/ap/x/{n}`, `/ap/q/{n}`, `/ap/instance` | [`activitypub`], [`outbox`], [`synchronization`] |
//! | `/ap/inbox`, `/ap/a/{n}/inbox`, `/ap/instance/inbox` | [`inbox`] |
//! | `/ap/probe/{ticket}` | [`probe`], to `heraut check` alone |
//! | `/hooks/{source}` | [`hooks`](self::hooks) |
//! | `/micropub`, `/micropub/media`, `/micropub/media/{name}` | [`micropub`] |
//! | `/`, `/@name`, `/@name/{n}`, `/tags/{name}`, `/about-bot` | [`pages`] |
//! | `/@name/proof`, `/@name/proof.json`, `/.well-known/heraut-actors.json` | [`proof`] |
//! | `/@name/feed.{rss,atom,json}`, `/@name/follow`, `/oembed` | [`feeds`], [`follow`], [`oembed`] |
//! | `/media/{n}.{extension}`, `/assets/…` | [`media`], [`assets`] |
//! | `/health/live`, `/health/ready` | [`health`] |
//! | `/metrics`, on a listener of its own | [`operations`] |
//!
//! Every request passes [`entry`] (request id, [`access`], what is [`kept`], security headers, log), [`hosts`] (is it for us?) and
//! compression.

pub mod access;
pub mod activitypub;
pub mod assets;
pub mod body;
pub mod caching;
pub mod discovery;
pub mod entry;
pub mod feeds;
pub mod follow;
pub mod health;
pub mod hooks;
pub mod hosts;
pub mod inbox;
pub mod kept;
pub mod media;
pub mod micropub;
pub mod negotiate;
pub mod oembed;
pub mod operations;
pub mod outbox;
pub mod pages;
pub mod probe;
pub mod problem;
pub mod proof;
pub mod range;
pub mod routes;
pub mod synchronization;
pub mod texts;
pub mod view;
pub mod websub;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::{Compress, from_fn};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App, HttpServer};
use ipnet::IpNet;

use crate::activity::official::LIST_PATH;
use crate::flow::arrivals::Arrivals;
use crate::flow::hooks::Hooks;
use crate::flow::probe::Probes;
use crate::flow::reading::Readers;
use crate::flow::subscribe::Lookups;
use crate::flow::{Gateway, Shared};
use crate::web::hooks::Proxies;
use crate::web::hosts::Directory;
use crate::web::kept::Kept;
use crate::web::micropub::Clients;
use crate::web::routes::{postable, readable};

/// How long an idle connection is kept: longer than proxies keep theirs (60 s at nginx), so that the proxy closes first.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// Time for the head of a request to arrive, so that nobody holds a connection by sending it slowly.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for a client to close after we have.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Open connections per worker; more wait in the backlog.
const CONNECTIONS_PER_WORKER_MAX: usize = 10_000;

/// What the handlers share; cheap to clone.
#[derive(Clone)]
pub struct Shelf {
    gateway: Data<Gateway>,
    directory: Data<Directory>,
    kept: Data<Kept>,
    arrivals: Data<Arrivals>,
    hooks: Data<Hooks>,
    proxies: Data<Proxies>,
    clients: Data<Clients>,
    lookups: Data<Lookups>,
    readers: Data<Readers>,
    probes: Data<Probes>,
}

/// How much is taken in, and whom is believed who sent it.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// Activities a second that a remote host may send; 0 is any number.
    pub per_host_s: u32,
    /// Requests a second that a source may push; 0 is any number.
    pub per_source_s: u32,
    /// Peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
}

impl Shelf {
    /// For that gateway; one per process. To be called within a runtime that lives as long as the server: it takes in there.
    pub fn new(gateway: Shared, limits: Limits) -> Self {
        Self {
            arrivals: Data::new(Arrivals::start(gateway.clone(), limits.per_host_s)),
            hooks: Data::new(Hooks::start(gateway.clone(), limits.per_source_s)),
            proxies: Data::new(Proxies(limits.trusted_proxies)),
            clients: Data::new(Clients::new(limits.per_source_s)),
            lookups: Data::new(Lookups::default()),
            readers: Data::new(Readers::new(limits.per_host_s)),
            probes: Data::new(Probes::default()),
            directory: Data::new(Directory::new(gateway.clone())),
            kept: Data::new(Kept::new(gateway.clone())),
            gateway: Data::from(gateway),
        }
    }

    /// The shared data and the routes. [`hosts::check`] and [`entry::enter`] are to be wrapped around the app.
    pub fn configure(&self, config: &mut ServiceConfig) {
        config.app_data(self.gateway.clone()).app_data(self.directory.clone());
        config.app_data(self.kept.clone()).app_data(self.arrivals.clone());
        config.app_data(self.hooks.clone()).app_data(self.proxies.clone()).app_data(self.clients.clone());
        config.app_data(self.lookups.clone()).app_data(self.readers.clone()).app_data(self.probes.clone());
        config.service(readable("/health/live", health::live)).service(readable("/health/ready", health::ready));
        for_servers(config);
        for_people(config);
        config.default_service(web::to(pages::nothing));
    }
}

fn for_servers(config: &mut ServiceConfig) {
    config
        .service(readable("/.well-known/webfinger", discovery::webfinger))
        .service(readable("/.well-known/host-meta", discovery::host_meta))
        .service(readable("/.well-known/host-meta.json", discovery::host_meta_as_json))
        .service(readable("/.well-known/nodeinfo", discovery::nodeinfo_index))
        .service(readable(LIST_PATH, proof::officials))
        .service(readable("/nodeinfo/{version}", discovery::nodeinfo))
        .service(postable("/ap/inbox", inbox::shared))
        .service(postable("/ap/instance/inbox", inbox::shared))
        .service(postable("/ap/a/{n}/inbox", inbox::personal))
        .service(postable("/ap/probe/{ticket}", probe::probe))
        .service(hooks::resource("/hooks/{source}"))
        .service(hooks::resource("/hooks/{source}/{secret}"))
        .service(micropub::endpoint("/micropub"))
        .service(micropub::media_endpoint("/micropub/media"))
        .service(micropub::upload("/micropub/media/{name}"))
        .service(websub::resource("/websub/{secret}"))
        .service(readable("/ap/instance", activitypub::instance))
        .service(readable("/ap/instance/{collection}", activitypub::instance_collection))
        .service(readable("/ap/a/{n}", activitypub::actor))
        .service(readable("/ap/a/{n}/outbox", outbox::outbox))
        .service(readable("/ap/a/{n}/followers_synchronization", synchronization::partial))
        .service(readable("/ap/a/{n}/{collection}", activitypub::collection))
        .service(readable("/ap/o/{n}", activitypub::object))
        .service(readable("/ap/x/{n}", activitypub::stored_activity))
        .service(readable("/ap/q/{n}", activitypub::quote));
}

fn for_people(config: &mut ServiceConfig) {
    config
        .service(readable("/", pages::index))
        .service(readable("/@{name}", pages::actor))
        .service(readable("/@{name}/proof", proof::page))
        .service(readable("/@{name}/proof.json", proof::document))
        .service(readable("/@{name}/feed.{ending}", feeds::feed))
        .service(follow::resource("/@{name}/follow"))
        .service(readable("/oembed", oembed::oembed))
        .service(readable("/@{name}/{n}", pages::post))
        .service(readable("/tags/{name}", pages::tag))
        .service(readable("/about-bot", pages::about_bot))
        .service(readable("/media/{n}.{extension}", media::file))
        .service(readable("/assets/style.css", assets::style))
        .service(readable("/assets/icon.svg", assets::icon))
        .service(readable("/assets/avatar.png", assets::avatar))
        .service(readable("/favicon.ico", assets::icon))
        .service(readable("/robots.txt", discovery::robots));
}

/// Binds `listen` and makes the server, which answers once it is polled or spawned; `workers` is one per core when not given.
/// Gives also the addresses that it is bound to: the ports that the system chose, where 0 was asked for. It handles no signals:
/// whoever runs it stops it through [`Server::handle`], and then requests in hand have `shutdown` to finish, in whole seconds.
pub fn serve(
    gateway: Shared,
    listen: &[SocketAddr],
    workers: Option<usize>,
    limits: Limits,
    shutdown: Duration,
) -> io::Result<(Server, Vec<SocketAddr>)> {
    let shelf = Shelf::new(gateway, limits);
    let mut server = HttpServer::new(move || {
        let shelf = shelf.clone();
        App::new()
            .configure(move |config| shelf.configure(config))
            .wrap(Compress::default())
            .wrap(from_fn(hosts::check))
            .wrap(from_fn(entry::enter))
    })
    .keep_alive(KEEP_ALIVE)
    .client_request_timeout(HEAD_TIMEOUT)
    .client_disconnect_timeout(DISCONNECT_TIMEOUT)
    .max_connections(CONNECTIONS_PER_WORKER_MAX)
    .shutdown_timeout(shutdown.as_secs())
    .disable_signals();
    if let Some(workers) = workers {
        server = server.workers(workers.max(1));
    }
    for address in listen {
        server = server.bind(address)?;
    }
    let addresses = server.addrs();
    Ok((server.run(), addresses))
}

#[cfg(test)]
mod tests;
