//! From text to [`Config`]: section by section, then what must hold between them.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono_tz::Tz;
use ipnet::IpNet;
use serde::Deserialize;
use toml::Value;
use url::{Host, Url};

use heraut_connectors::CONNECTORS;
use heraut_connectors::contract::Kind;
use heraut_connectors::error::ConnectorError;

use crate::actor::continuity::{ALIASES_MAX, AliasError};
use crate::actor::ladder::Level;
use crate::actor::reach::{
    ATTRIBUTION_DOMAINS_MAX, FEATURED_TAGS_MAX, QuotePolicy, parse_attribution_domain, parse_featured_tag,
};
use crate::actor::relay::RelayStyle;
use crate::actor::{ActorKind, Handle, Language};
use crate::config::error::Problem;
use crate::config::hook::{self, PUSHED_EVERY, READ_EVERY};
use crate::config::register::{self, RegisterConfig};
use crate::config::secret::Secret;
use crate::config::section::Section;
use crate::config::tables::{actors_apart, each, parse_actor, references, tables, unique};
use crate::config::target;
use crate::config::types::{
    ActorConfig, AgencyConfig, Config, Database, Delivery, Hooks, Inbox, Keys, Media, Net, RelayConfig, Server,
    SourceConfig, Verification,
};
use crate::config::value::{
    PERIOD_MAX, parse_domain, parse_name, parse_picture_url, parse_range, parse_uri, place, to_json,
};
use crate::post::compose::ComposeSettings;
use crate::post::policy::SourcePolicy;
use crate::source::schedule::Schedule;
use crate::source::span::Span;
use crate::urls::{ActorUrl, Base, InboxUrl};

/// Most requests in flight at once: each takes a connection and a file descriptor, and 1,024 is the usual limit of those.
pub const CONCURRENCY_MAX: usize = 1_024;
/// Highest limit for one remote host; more than one machine takes in.
pub const PER_HOST_MAX: u32 = 100_000;
/// Most threads that serve HTTP.
pub const WORKERS_MAX: usize = 256;
/// Shortest length of time in the configuration.
const PERIOD_MIN: Duration = Duration::from_secs(1);
/// Longest wait for one answer: longer ones hold a lease for nothing.
const TIMEOUT_MAX: Duration = Duration::from_secs(300);
/// Shortest lease of an inbox: shorter ones would cost more writes than deliveries.
const LEASE_MIN: Duration = Duration::from_secs(5);

const SECTIONS: &[&str] = &[
    "server",
    "database",
    "keys",
    "net",
    "media",
    "inbox",
    "hooks",
    "delivery",
    "verification",
    "register",
    "agency",
    "actor",
    "source",
    "relay",
    "target",
];

/// Reads the whole file, or says everything that is wrong with it.
pub(super) fn parse(text: &str, dir: &Path) -> Result<Config, Vec<Problem>> {
    let mut root: toml::Table = toml::from_str(text).map_err(|error| {
        let at = error.span().map(|span| place(text, span.start)).unwrap_or_default();
        vec![Problem { path: at, text: format!("{}; the file is to be TOML", error.message().trim()) }]
    })?;
    let mut problems = Vec::new();
    for key in root.keys().filter(|k| !SECTIONS.contains(&k.as_str())) {
        let text = format!("is not a section that is known; known are {}", SECTIONS.join(", "));
        problems.push(Problem { path: key.clone(), text });
    }
    let p = &mut problems;
    let mut table = |key: &str| root.remove(key);
    let net = net(Section::new("net".into(), table("net"), p), dir);
    let server = server(Section::new("server".into(), table("server"), p), &net);
    let database = database(Section::new("database".into(), table("database"), p), dir);
    let keys = keys(Section::new("keys".into(), table("keys"), p), dir);
    let media = media(Section::new("media".into(), table("media"), p), dir);
    let inbox = inbox(Section::new("inbox".into(), table("inbox"), p));
    let hooks = hooks(Section::new("hooks".into(), table("hooks"), p));
    let delivery = delivery(Section::new("delivery".into(), table("delivery"), p));
    let verification = verification(Section::new("verification".into(), table("verification"), p));
    let registers = tables("register", table("register"), p);
    let agencies = tables("agency", table("agency"), p);
    let actors = tables("actor", table("actor"), p);
    let sources = tables("source", table("source"), p);
    let relays = tables("relay", table("relay"), p);
    references(("actor", &actors, "agency"), ("agency", &agencies, "name"), p);
    references(("source", &sources, "actor"), ("actor", &actors, "handle"), p);
    unique(("register", &registers, "name"), p);
    let targets = tables("target", table("target"), p);
    references(("target", &targets, "actor"), ("actor", &actors, "handle"), p);
    references(("target", &targets, "agency"), ("agency", &agencies, "name"), p);
    unique(("target", &targets, "name"), p);
    unique(("agency", &agencies, "name"), p);
    actors_apart(&agencies, &actors, p);
    unique(("source", &sources, "name"), p);
    let registers = each("register", registers, p, |s| register::read(s, dir, &net));
    enough(&verification, &registers, p);
    unique(("relay", &relays, "url"), p);
    let agencies = each("agency", agencies, p, |s| agency(s, &net));
    let actors = each("actor", actors, p, actor);
    let sources = each("source", sources, p, |s| source(s, dir));
    let relays = each("relay", relays, p, relay);
    let targets = each("target", targets, p, |s| target::read(s, dir));
    match server {
        Some(server) if problems.is_empty() => Ok(Config {
            server,
            database,
            keys,
            net,
            media,
            inbox,
            hooks,
            delivery,
            verification,
            registers,
            agencies,
            actors,
            sources,
            relays,
            targets,
        }),
        _ => Err(problems),
    }
}

fn net(mut s: Section<'_>, dir: &Path) -> Net {
    let net = Net {
        allow_addresses: s.list("allow_addresses", Vec::new(), parse_range),
        extra_ca_file: s.take::<PathBuf>("extra_ca_file").map(|p| dir.join(p)),
        dns: s.list("dns", Vec::new(), |text| {
            text.parse::<SocketAddr>()
                .map_err(|_| format!("`{text}` is not an address with a port; write for example 127.0.0.1:53"))
        }),
        dns_trust_anchor_file: s.take::<PathBuf>("dns_trust_anchor_file").map(|p| dir.join(p)),
    };
    s.finish();
    net
}

fn server(mut s: Section<'_>, net: &Net) -> Option<Server> {
    let text: Option<String> = s.require("public_url", "\"https://social.example.nl\"");
    let public_url = text.and_then(|text| match public_url(&text, net) {
        Ok(base) => Some(base),
        Err(problem) => {
            s.problem("public_url", problem);
            None
        }
    });
    let address = |text: &str| {
        text.parse::<SocketAddr>()
            .map_err(|_| format!("`{text}` is not an address with a port; write for example 127.0.0.1:8080"))
    };
    let listen = s.list("listen", Server::listen_default(), address);
    let metrics_listen = s.read("metrics_listen", str::parse).unwrap_or_default();
    let trusted_proxies = s.list("trusted_proxies", Server::trusted_proxies_default(), parse_range);
    let workers: Option<usize> = s.take("workers");
    if workers.is_some_and(|n| !(1..=WORKERS_MAX).contains(&n)) {
        s.problem("workers", format!("is to be from 1 to {WORKERS_MAX}"));
    }
    let authorized_fetch = s.take("authorized_fetch").unwrap_or(false);
    s.finish();
    Some(Server { public_url: public_url?, listen, metrics_listen, trusted_proxies, workers, authorized_fetch })
}

fn public_url(text: &str, net: &Net) -> Result<Base, String> {
    let base = Base::parse(text).map_err(|e| format!("{e}; write scheme and host only, https://social.example.nl"))?;
    let url = Url::parse(text).map_err(|e| e.to_string())?;
    if url.scheme() == "https" || literal_within(&url, &net.allow_addresses) {
        return Ok(base);
    }
    Err(format!(
        "`{text}` is plain http; use https, or for a trial on one machine an address inside net.allow_addresses, for \
         example http://127.0.0.1:8080 with allow_addresses = [\"127.0.0.1/32\"]"
    ))
}

pub(super) fn literal_within(url: &Url, ranges: &[IpNet]) -> bool {
    let address = match url.host() {
        Some(Host::Ipv4(v4)) => IpAddr::V4(v4),
        Some(Host::Ipv6(v6)) => IpAddr::V6(v6),
        _ => return false,
    };
    ranges.iter().any(|net| net.contains(&address))
}

fn database(mut s: Section<'_>, dir: &Path) -> Database {
    let default = Database::default();
    let url = s.take::<String>("url").unwrap_or_else(|| default.url.expose().to_owned());
    let url = if let Some(file) = url.strip_prefix("sqlite:") {
        let file = file.strip_prefix("//").unwrap_or(file);
        if file.is_empty() {
            s.problem("url", "names no file; write for example sqlite:heraut.db");
        }
        if file == ":memory:" { url } else { format!("sqlite:{}", dir.join(file).display()) }
    } else {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            // The value is not repeated: it may hold a password.
            s.problem("url", "is neither `sqlite:<file>` nor `postgres://<user>@<host>/<name>`");
        }
        url
    };
    s.finish();
    Database { url: Secret::new(url) }
}

fn keys(mut s: Section<'_>, dir: &Path) -> Keys {
    let file = s.take::<PathBuf>("master_key_file").unwrap_or_else(|| Keys::default().master_key_file);
    s.finish();
    Keys { master_key_file: dir.join(file), master_key: None }
}

fn media(mut s: Section<'_>, dir: &Path) -> Media {
    let folder = s.take::<PathBuf>("dir").unwrap_or_else(|| Media::default().dir);
    s.finish();
    Media { dir: dir.join(folder) }
}

fn inbox(mut s: Section<'_>) -> Inbox {
    let per_host = s.take("per_host").unwrap_or(Inbox::default().per_host);
    if per_host > PER_HOST_MAX {
        s.problem("per_host", format!("is to be from 0 to {PER_HOST_MAX}"));
    }
    s.finish();
    Inbox { per_host }
}

fn hooks(mut s: Section<'_>) -> Hooks {
    let per_source = s.take("per_source").unwrap_or(Hooks::default().per_source);
    if per_source > PER_HOST_MAX {
        s.problem("per_source", format!("is to be from 0 to {PER_HOST_MAX}"));
    }
    s.finish();
    Hooks { per_source }
}

fn delivery(mut s: Section<'_>) -> Delivery {
    let default = Delivery::default();
    let concurrency = s.take("concurrency").unwrap_or(default.concurrency);
    if !(1..=CONCURRENCY_MAX).contains(&concurrency) {
        s.problem("concurrency", format!("is to be from 1 to {CONCURRENCY_MAX}"));
    }
    let timeout = s.period("timeout", default.timeout, PERIOD_MIN, TIMEOUT_MAX);
    let lease = s.period("lease", default.lease, LEASE_MIN, TIMEOUT_MAX);
    if lease < timeout * 2 {
        s.problem("lease", "is to be at least twice `timeout`, or a delivery could outlive the lease of its inbox");
    }
    let synchronize_followers = s.take("synchronize_followers").unwrap_or(default.synchronize_followers);
    s.finish();
    Delivery { concurrency, timeout, lease, synchronize_followers }
}

fn verification(mut s: Section<'_>) -> Verification {
    let default = Verification::default();
    let level = s.take::<u8>("level").map_or(Ok(default.level), Level::try_from).ok();
    let level = level.filter(|level| *level >= Level::Controlled).unwrap_or_else(|| {
        s.problem("level", "is to be 2, 3 or 4: less than control of the domain proves nothing about who speaks");
        default.level
    });
    let recheck_every = s.period("recheck_every", default.recheck_every, PERIOD_MIN, PERIOD_MAX);
    let grace = s.period("grace", default.grace, PERIOD_MIN, PERIOD_MAX);
    s.finish();
    Verification { level, recheck_every, grace }
}

/// A level that nobody could reach would silence all.
fn enough(verification: &Verification, registers: &[RegisterConfig], problems: &mut Vec<Problem>) {
    if verification.level >= Level::Named && !registers.iter().any(RegisterConfig::has_accounts) {
        let text = "is 4, and no [[register]] names accounts; add one of the kind roo or list".to_owned();
        problems.push(Problem { path: "verification.level".to_owned(), text });
    }
}

fn agency(mut s: Section<'_>, net: &Net) -> Option<AgencyConfig> {
    let name = s.require_read("name", "\"voorbeeldstad\"", parse_name);
    let domain = s.require_read("domain", "\"voorbeeldstad.example\"", parse_domain);
    let organisation = s.read("organisation", parse_uri);
    let host = s.read("host", |text| public_url(text, net));
    s.finish();
    Some(AgencyConfig { name: name?, domain: domain?, organisation, host })
}

/// One profile field as the file may write it.
#[derive(Deserialize)]
#[serde(untagged, expecting = "write each field as [\"Website\", \"https://example.nl\"] or { name = …, value = … }")]
enum Field {
    Pair(String, String),
    Named { name: String, value: String },
}

fn actor(mut s: Section<'_>) -> Option<ActorConfig> {
    let agency: Option<String> = s.require("agency", "\"voorbeeldstad\"");
    let handle = s.require_read("handle", "\"nieuws\"", Handle::parse);
    let handle_domain = s.read("handle_domain", parse_domain);
    let kind: ActorKind = s.take("type").unwrap_or_default();
    let language = s.read("language", Language::parse).or_else(|| Language::parse(LANGUAGE_DEFAULT).ok());
    let name: Option<String> = s.take("name");
    let summary: String = s.take("summary").unwrap_or_default();
    let icon = s.read("icon", parse_picture_url);
    let image = s.read("image", parse_picture_url);
    let fields: Vec<Field> = s.take("fields").unwrap_or_default();
    let fields = fields.into_iter().map(|f| match f {
        Field::Pair(name, value) | Field::Named { name, value } => (name, value),
    });
    let discoverable = s.take("discoverable").unwrap_or(true);
    let indexable = s.take("indexable").unwrap_or(true);
    let also_known_as = s.list("also_known_as", Vec::new(), |text: &str| ActorUrl::parse(text).map(String::from));
    if also_known_as.len() > ALIASES_MAX {
        s.problem("also_known_as", AliasError::TooMany.to_string());
    }
    let formerly = s.list("formerly", Vec::new(), Handle::parse);
    let featured_tags = at_most(&mut s, "featured_tags", FEATURED_TAGS_MAX, parse_featured_tag);
    let attribution_domains = at_most(&mut s, "attribution_domains", ATTRIBUTION_DOMAINS_MAX, parse_attribution_domain);
    let quotes = s.read("quotes", QuotePolicy::parse).unwrap_or_default();
    s.finish();
    let handle = handle?;
    Some(ActorConfig {
        agency: agency?,
        handle_domain,
        kind,
        language: language?,
        name: name.unwrap_or_else(|| handle.as_str().to_owned()),
        summary,
        icon,
        image,
        fields: fields.collect(),
        discoverable,
        indexable,
        also_known_as,
        formerly,
        featured_tags,
        attribution_domains,
        quotes,
        handle,
    })
}

fn relay(mut s: Section<'_>) -> Option<RelayConfig> {
    let address = |text: &str| match InboxUrl::parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => {
            Err(format!("{error}; give the inbox of a relay of Mastodon's style, or the actor of one of LitePub's"))
        }
    };
    let url = s.require_read("url", "\"https://relay.example/inbox\"", address);
    let style = s.read("style", RelayStyle::parse);
    let agencies = s.list("agencies", Vec::new(), parse_name);
    if agencies.is_empty() {
        s.problem(
            "agencies",
            "names nobody; a relay is used for the agencies that stand there, agencies = [\"voorbeeldstad\"]",
        );
    }
    s.finish();
    let url = url?;
    Some(RelayConfig { style: style.unwrap_or_else(|| RelayStyle::of_address(&url)), url, agencies })
}

/// The texts of the list `key`, none where it is absent, each as `read` makes it out.
fn at_most(
    s: &mut Section<'_>,
    key: &'static str,
    most: usize,
    read: impl Fn(&str) -> Result<String, String>,
) -> Vec<String> {
    let found = s.list(key, Vec::new(), read);
    if found.len() > most {
        s.problem(key, format!("has {} entries; at most {most} are possible", found.len()));
    }
    found
}

/// Language of an actor that names none.
const LANGUAGE_DEFAULT: &str = "nl";
/// Zone of a source that names none.
const ZONE_DEFAULT: Tz = Tz::Europe__Amsterdam;

fn source(mut s: Section<'_>, dir: &Path) -> Option<SourceConfig> {
    let name = s.require_read("name", "\"persberichten\"", parse_name);
    let actor = s.require_read("actor", "\"nieuws\"", parse_actor);
    let kind = s.require_read("kind", "\"feed\"", parse_name);
    let found = kind.as_deref().and_then(|kind| CONNECTORS.iter().find(|known| known.name() == kind)).copied();
    let timing = timing(&mut s, found.is_some_and(|kind| kind.profile().is_some() || kind.takes_tokens()));
    let enabled = s.take("enabled").unwrap_or(true);
    let websub = !found.is_some_and(|kind| kind.names_hubs()) || s.take("websub").unwrap_or(true);
    let stale_after = s.read("stale_after", Span::parse);
    let hook = hook::read(&mut s, found, dir);
    let language = s.read("language", Language::parse);
    let policy: SourcePolicy = s.table("policy");
    let compose: ComposeSettings = s.table("compose");
    let settings = to_json(Value::Table(s.rest()));
    if let Some(kind) = &kind {
        check_connector(&mut s, kind, found, &settings);
    }
    let (every, cron, timezone, schedule) = timing;
    Some(SourceConfig {
        name: name?,
        actor: actor?,
        kind: kind?,
        every,
        cron,
        timezone,
        schedule: schedule?,
        language,
        policy,
        compose,
        enabled,
        websub,
        stale_after,
        hook,
        settings,
    })
}

/// `every`, `cron` and `timezone` as written, and the schedule that they make.
fn timing(s: &mut Section<'_>, pushed: bool) -> (Option<String>, Option<String>, Tz, Option<Schedule>) {
    let every: Option<String> = s.take("every");
    let cron: Option<String> = s.take("cron");
    if every.is_some() && cron.is_some() {
        s.problem("cron", "stands beside `every`; keep one of them");
    }
    let timezone = s.read("timezone", |text| {
        text.parse::<Tz>().map_err(|_| format!("`{text}` is not a time zone; write for example Europe/Amsterdam"))
    });
    let timezone = timezone.unwrap_or(ZONE_DEFAULT);
    let usual = if pushed { PUSHED_EVERY } else { READ_EVERY };
    let (key, schedule) = match (&every, &cron) {
        (None, Some(line)) => ("cron", Schedule::cron(line, timezone)),
        (text, _) => ("every", Schedule::every(text.as_deref().unwrap_or(usual))),
    };
    let schedule = schedule.map_err(|error| s.problem(key, error.to_string())).ok();
    (every, cron, timezone, schedule)
}

/// Has the connector look at its own settings, so that all that is wrong is told at once.
fn check_connector(s: &mut Section<'_>, kind: &str, found: Option<&dyn Kind>, settings: &serde_json::Value) {
    let Some(found) = found else {
        let known: Vec<&str> = CONNECTORS.iter().map(|known| known.name()).collect();
        return s.problem("kind", format!("`{kind}` is no kind of source; there is {}", known.join(", ")));
    };
    match found.configure(settings) {
        Ok(_) => {}
        Err(ConnectorError::Settings { key, problem }) => s.problem(&key, problem),
        Err(other) => s.problem("kind", other.to_string()),
    }
}
