//! What a configuration says, checked. Defaults and reasons stand in `config.example.toml`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use chrono_tz::Tz;
use ipnet::IpNet;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::actor::ladder::Level;
use crate::actor::reach::QuotePolicy;
use crate::actor::{ActorKind, Handle, Language};
use crate::config::hook::SourceHook;
use crate::config::register::RegisterConfig;
use crate::config::secret::Secret;
use crate::config::value::period_text;
use crate::post::compose::ComposeSettings;
use crate::post::policy::SourcePolicy;
use crate::source::schedule::Schedule;
use crate::source::span::Span;
use crate::urls::Base;

/// The whole file. Serialising it is for showing and for tests: secrets and connectors' settings are redacted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Config {
    /// `[server]`.
    pub server: Server,
    /// `[database]`.
    pub database: Database,
    /// `[keys]`.
    pub keys: Keys,
    /// `[net]`.
    pub net: Net,
    /// `[media]`.
    pub media: Media,
    /// `[inbox]`.
    pub inbox: Inbox,
    /// `[hooks]`.
    pub hooks: Hooks,
    /// `[delivery]`.
    pub delivery: Delivery,
    /// `[verification]`.
    pub verification: Verification,
    /// `[[register]]`; names are unique.
    #[serde(rename = "register")]
    pub registers: Vec<RegisterConfig>,
    /// `[[agency]]`; names are unique.
    #[serde(rename = "agency")]
    pub agencies: Vec<AgencyConfig>,
    /// `[[actor]]`; handles are unique, and each names an agency above.
    #[serde(rename = "actor")]
    pub actors: Vec<ActorConfig>,
    /// `[[source]]`; names are unique, and each names an actor above.
    #[serde(rename = "source")]
    pub sources: Vec<SourceConfig>,
}

/// `[server]`: where we are and what we listen on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Server {
    /// The root of every id that we mint. https, unless its host is an address inside `net.allow_addresses`.
    #[serde(serialize_with = "root")]
    pub public_url: Base,
    /// Addresses to listen on; at least one.
    pub listen: Vec<SocketAddr>,
    /// Where metrics and health are served besides.
    pub metrics_listen: MetricsListen,
    /// Peers whose `X-Forwarded-*` headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Threads that serve HTTP; `None` is one per core.
    pub workers: Option<usize>,
}

/// Where `/metrics` is served, never on the public listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MetricsListen {
    /// Nothing is said: at [`MetricsListen::DEFAULT`] if that is free, because it is Prometheus's own port too.
    #[default]
    IfFree,
    /// There, or the start fails.
    At(SocketAddr),
    /// Nowhere.
    Off,
}

impl MetricsListen {
    /// Loopback: a scraper on the same machine, or a tunnel to it.
    pub const DEFAULT: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9090));

    /// The address, and whether it must be had.
    pub fn address(self) -> Option<(SocketAddr, bool)> {
        match self {
            Self::IfFree => Some((Self::DEFAULT, false)),
            Self::At(address) => Some((address, true)),
            Self::Off => None,
        }
    }
}

impl FromStr for MetricsListen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            _ => text.parse().map(Self::At).map_err(|_| {
                format!("`{text}` is not an address with a port; write for example 127.0.0.1:9090, or off")
            }),
        }
    }
}

impl Serialize for MetricsListen {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::IfFree => serializer.serialize_none(),
            Self::At(address) => address.serialize(serializer),
            Self::Off => serializer.serialize_str("off"),
        }
    }
}

/// `[database]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Database {
    /// `sqlite:<path>` or `postgres://…`, which may hold a password.
    pub url: Secret,
}

/// `[keys]`: where the master key is. The environment wins over the file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Keys {
    /// The file with the master key.
    pub master_key_file: PathBuf,
    /// From `HERAUT_MASTER_KEY`; set by [`Config::load`], never by the file.
    #[serde(skip)]
    pub master_key: Option<Secret>,
}

/// `[net]`: the way out.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Net {
    /// Ranges that are reached although they are not public, and over plain http too.
    pub allow_addresses: Vec<IpNet>,
    /// PEM file with CA certificates that are trusted besides the public ones.
    pub extra_ca_file: Option<PathBuf>,
    /// DNS servers that are asked; empty is those of the system.
    pub dns: Vec<SocketAddr>,
    /// File with DNSKEY records that DNSSEC begins with; `None` is those of the root.
    pub dns_trust_anchor_file: Option<PathBuf>,
}

/// `[media]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Media {
    /// Folder for pictures that we serve.
    pub dir: PathBuf,
}

/// `[inbox]`: what is taken in.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inbox {
    /// Activities a second from one remote host, 0 to 100,000; 0 is any number. Ten seconds' worth may come at once.
    pub per_host: u32,
}

/// `[hooks]`: what systems push to us.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Hooks {
    /// Requests a second of one source, 0 to 100,000; 0 is any number. Ten seconds' worth may come at once.
    pub per_source: u32,
}

/// `[delivery]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Delivery {
    /// Most requests in flight at once, 1 to 1,024.
    pub concurrency: usize,
    /// Time for one POST.
    #[serde(serialize_with = "period")]
    pub timeout: Duration,
    /// How long a process holds an inbox; what a killed process held is free again after this. At least twice `timeout`.
    #[serde(serialize_with = "period")]
    pub lease: Duration,
}

/// `[verification]`: how long a proof holds, and how much it must show.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verification {
    /// The level of proof that is needed to publish, 2 to 4.
    pub level: Level,
    /// How often proofs are checked again.
    #[serde(serialize_with = "period")]
    pub recheck_every: Duration,
    /// How long a proof goes on holding after a check was due and failed.
    #[serde(serialize_with = "period")]
    pub grace: Duration,
}

/// One `[[agency]]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AgencyConfig {
    /// Short name, unique.
    pub name: String,
    /// The domain that a proof must show control of, lower-case, with a port where it has one.
    pub domain: String,
    /// As which organisation it stands in registers: a URI.
    pub organisation: Option<String>,
}

/// One `[[actor]]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ActorConfig {
    /// Name of its agency.
    pub agency: String,
    /// Its handle, unique.
    pub handle: Handle,
    /// The domain of its handle; `None` is the host of `server.public_url`.
    pub handle_domain: Option<String>,
    /// Its type on the wire.
    #[serde(rename = "type")]
    pub kind: ActorKind,
    /// Its default language.
    pub language: Language,
    /// Display name; the handle where the file gives none.
    pub name: String,
    /// A few sentences.
    pub summary: String,
    /// Absolute URL of the avatar.
    pub icon: Option<String>,
    /// Absolute URL of the header picture.
    pub image: Option<String>,
    /// Name and value pairs.
    pub fields: Vec<(String, String)>,
    /// May be suggested to others.
    pub discoverable: bool,
    /// Public posts may be searched in full text.
    pub indexable: bool,
    /// Hashtags that its profile shows, without `#`.
    pub featured_tags: Vec<String>,
    /// Websites that may name it as their author; none is the domain of its agency.
    pub attribution_domains: Vec<String>,
    /// Who may quote its posts.
    pub quotes: QuotePolicy,
}

/// One `[[source]]`. Shown and serialised without the values of its settings, because a connector's may be secrets.
#[derive(Clone, PartialEq, Serialize)]
pub struct SourceConfig {
    /// Unique name.
    pub name: String,
    /// Handle of the actor that it feeds.
    pub actor: Handle,
    /// Kind of connector.
    pub kind: String,
    /// Poll interval as written ("15m"); never together with `cron`. A pushed source has neither.
    pub every: Option<String>,
    /// Cron line of five fields as written.
    pub cron: Option<String>,
    /// Time zone of `cron`.
    #[serde(serialize_with = "zone")]
    pub timezone: Tz,
    /// The schedule that `every` or `cron` make.
    #[serde(skip)]
    pub schedule: Schedule,
    /// Language of its items where they say none; `None` is the actor's.
    pub language: Option<Language>,
    /// What it may do by itself.
    pub policy: SourcePolicy,
    /// How its items become text.
    pub compose: ComposeSettings,
    /// Whether it is in use: else it is neither polled nor takes anything.
    pub enabled: bool,
    /// Whether the hub that its document names is asked to tell of it; always `true` of a kind that names none.
    pub websub: bool,
    /// How old its newest item may grow before it is told as stale; `None` finds out by how often it has had one.
    pub stale_after: Option<Span>,
    /// How it is pushed.
    #[serde(flatten)]
    pub hook: SourceHook,
    /// All other keys of the table, a JSON object for the connector, which refuses what it does not know.
    #[serde(flatten, serialize_with = "redacted")]
    pub settings: Value,
}

impl fmt::Debug for SourceConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("SourceConfig");
        shown.field("name", &self.name).field("actor", &self.actor).field("kind", &self.kind);
        shown.field("every", &self.every).field("cron", &self.cron).field("timezone", &self.timezone);
        shown.field("enabled", &self.enabled).field("websub", &self.websub);
        shown.field("stale_after", &self.stale_after).field("hook", &self.hook);
        shown.field("language", &self.language).field("policy", &self.policy).field("compose", &self.compose);
        shown.field("settings", &keys_only(&self.settings)).finish()
    }
}

impl Server {
    /// Loopback: a proxy on the same machine speaks TLS to the world.
    pub fn listen_default() -> Vec<SocketAddr> {
        vec![SocketAddr::from(([127, 0, 0, 1], 8080))]
    }

    /// Loopback, to go with [`Server::listen_default`].
    pub fn trusted_proxies_default() -> Vec<IpNet> {
        vec![IpNet::from(IpAddr::from([127, 0, 0, 1])), IpNet::from(IpAddr::V6(Ipv6Addr::LOCALHOST))]
    }
}

impl Default for Database {
    fn default() -> Self {
        Self { url: Secret::new("sqlite:heraut.db") }
    }
}

impl Default for Keys {
    fn default() -> Self {
        Self { master_key_file: PathBuf::from("master.key"), master_key: None }
    }
}

impl Default for Media {
    fn default() -> Self {
        Self { dir: PathBuf::from("media") }
    }
}

impl Default for Inbox {
    fn default() -> Self {
        Self { per_host: 100 }
    }
}

impl Default for Hooks {
    fn default() -> Self {
        Self { per_source: 100 }
    }
}

impl Default for Delivery {
    fn default() -> Self {
        Self { concurrency: 64, timeout: Duration::from_secs(20), lease: Duration::from_secs(90) }
    }
}

impl Default for Verification {
    fn default() -> Self {
        Self {
            level: Level::Controlled,
            recheck_every: Duration::from_secs(24 * 3600),
            grace: Duration::from_secs(72 * 3600),
        }
    }
}

impl Config {
    /// The domain of an actor's handle: its own, or host and port of `server.public_url`.
    pub fn handle_domain(&self, actor: &ActorConfig) -> String {
        actor.handle_domain.clone().unwrap_or_else(|| self.server.public_url.authority())
    }
}

fn root<S: Serializer>(base: &Base, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(base.root().trim_end_matches('/'))
}

pub(super) fn period<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&period_text(*duration))
}

fn zone<S: Serializer>(zone: &Tz, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(zone.name())
}

/// The keys of a connector's settings, each with `<redacted>`.
fn keys_only(settings: &Value) -> BTreeMap<&str, &'static str> {
    settings.as_object().into_iter().flatten().map(|(key, _)| (key.as_str(), "<redacted>")).collect()
}

fn redacted<S: Serializer>(settings: &Value, serializer: S) -> Result<S::Ok, S::Error> {
    keys_only(settings).serialize(serializer)
}
