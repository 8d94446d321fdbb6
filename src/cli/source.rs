//! `heraut source`.

mod catalogue;
pub(super) mod hooks;
mod shown;
mod websub;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use heraut_connectors::CONNECTORS;
use serde_json::{Map, Value, json};
use url::Url;

use crate::actor::Actor;
use crate::app;
use crate::cli::{actor, open, open_with, output, who};
use crate::config::Config;
use crate::config::hook::{PUSHED_EVERY, READ_EVERY};
use crate::flow::preview::{Origin, Preview, preview};
use crate::flow::provision::{self, By, SourcePlan};
use crate::flow::{Gateway, Shared, now, poll};
use crate::ids::SourceId;
use crate::net::Fetched;
use crate::post::compose::ComposeSettings;
use crate::post::policy::SourcePolicy;
use crate::post::sanitize::sanitize;
use crate::post::text::plain;
use crate::source::schedule::Schedule;
use crate::store::secrets::Role;
use crate::store::sources::{self, Progress, Settings, Source};
use crate::store::{Db, Queried, actors};

/// Largest file that `preview` reads, in bytes: as much as a poll reads.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// `heraut source`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a source, or change the one of that name.
    Add(Add),
    /// List sources of public bodies that exist, with what is odd about each.
    Catalogue {
        /// Only those in which all these words stand.
        #[arg(long, default_value = "")]
        search: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the sources and how they are doing.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show a source: its settings and where it stands.
    Show {
        /// Its name.
        name: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the items read and the Notes that would be published. Publishes and stores nothing.
    Preview {
        /// The name of a source, or the URL of a feed, or a file.
        what: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print what a captured request means, and the Notes that would be published. Publishes and stores nothing.
    Test {
        /// The name of a source that is pushed.
        name: String,
        /// The request: as JSON {"headers": {…}, "query": "…", "body": …}, or as the bytes of an HTTP request.
        #[arg(long)]
        from: PathBuf,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// List what was pushed to a source lately: receipts, how they were verified, what came of them.
    Deliveries {
        /// Its name.
        name: String,
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Replace the secret of a source that is pushed. The one before keeps holding until it is dropped.
    Secret(hooks::Rotate),
    /// Poll a source now, also one that had stopped.
    Poll {
        /// Its name.
        name: String,
    },
}

/// `heraut source add`.
#[derive(Debug, Args)]
pub struct Add {
    /// Its name; with --from-catalogue the name there, if nothing is said.
    #[arg(required_unless_present = "from_catalogue")]
    name: Option<String>,
    /// The handle of the actor that it feeds.
    #[arg(long)]
    actor: String,
    /// An entry of `heraut source catalogue`, with its kind, settings, schedule, language and policy.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["kind", "url"])]
    from_catalogue: Option<String>,
    /// What the entry of the catalogue asks for, NAME=VALUE.
    #[arg(long, value_name = "NAME=VALUE", requires = "from_catalogue")]
    fill: Vec<String>,
    /// The kind of its connector.
    #[arg(long, default_value = "feed")]
    kind: String,
    /// The URL to poll.
    #[arg(long)]
    url: Option<String>,
    /// How often, for example 15m; if nothing is said 15m, and 1d for a source that is pushed.
    #[arg(long)]
    every: Option<String>,
    /// The file with the secret by which the system signs what it pushes; - is standard input.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// The file with the token for the API of the system; - is standard input.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// How the system signs, if not as usual: the name of a profile, or JSON with what the profile needs.
    #[arg(long, value_name = "PROFILE")]
    signature: Option<String>,
    /// Not in use: neither polled, nor does it take anything.
    #[arg(long)]
    disabled: bool,
    /// Do not subscribe at the hub that a feed names: only poll it.
    #[arg(long)]
    no_websub: bool,
    /// A further setting, KEY=VALUE; a value that is JSON (true, a list, a table) is taken as such.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

/// Runs the command.
pub async fn run(config: &Path, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Add(command) => add(&*open(config).await?, command).await,
        Command::Catalogue { search, json } => catalogue::show(&search, json),
        Command::List { json } => list(&*open(config).await?, json).await,
        Command::Show { name, json } => show(&*open(config).await?, &name, json).await,
        Command::Preview { what, json } => show_preview(config, &what, json).await,
        Command::Test { name, from, json } => hooks::test(&*open(config).await?, &name, &from, json).await,
        Command::Deliveries { name, limit, json } => hooks::deliveries(&*open(config).await?, &name, limit, json).await,
        Command::Secret(rotate) => hooks::rotate(&*open(config).await?, rotate).await,
        Command::Poll { name } => poll_now(&*open(config).await?, &name).await,
    }
}

async fn add(gateway: &Gateway, command: Add) -> anyhow::Result<()> {
    let chosen = command.from_catalogue.as_deref().map(|name| catalogue::choose(name, &command.fill)).transpose()?;
    let name = command.name.or(command.from_catalogue).context("a source needs a name")?;
    command.url.as_deref().map_or(Ok(()), catalogue::is_alive)?;
    let stale_after = chosen.as_ref().map(|entry| entry.stale_after);
    let (kind, of_entry, language, policy, mut connector) = match chosen {
        Some(entry) => (entry.kind, Some(entry.every), Some(entry.language), entry.policy, entry.settings),
        None => (command.kind, None, None, Default::default(), Map::new()),
    };
    connector.extend(command.url.map(|url| ("url".to_owned(), json!(url))));
    for pair in &command.set {
        let (key, value) = pair.split_once('=').with_context(|| format!("--set `{pair}` is not KEY=VALUE"))?;
        connector.insert(key.to_owned(), hooks::value(value));
    }
    let pushed = CONNECTORS.iter().any(|kind_of| kind_of.name() == kind && kind_of.profile().is_some());
    let every = command.every.or(of_entry);
    let written = CONNECTORS.iter().any(|kind_of| kind_of.name() == kind && kind_of.takes_tokens());
    let every = every.as_deref().unwrap_or(if pushed || written { PUSHED_EVERY } else { READ_EVERY });
    let mut secrets = Vec::new();
    for (role, file) in [(Role::Secret, &command.secret_file), (Role::Token, &command.token_file)] {
        if let Some(file) = file {
            secrets.push((role, Some(hooks::read_secret(file)?)));
        }
    }
    let plan = SourcePlan {
        name: name.clone(),
        actor: command.actor,
        kind,
        settings: Settings {
            schedule: Schedule::every(every)?,
            policy,
            compose: Default::default(),
            language,
            connector: Value::Object(connector),
            signature: command.signature.as_deref().map(hooks::value),
            disabled: command.disabled,
            websub_off: command.no_websub,
            stale_after,
        },
        secrets,
    };
    let id = provision::source(gateway, plan, By::Person(&who())).await?;
    if written {
        let endpoint = hooks::micropub(gateway, &name).await?;
        output::line(format!("source {name} is {id}; clients write to {endpoint}"));
        output::line(format!("next: `heraut token add {name} --name \"who uses it\"`, and give the client both"));
        return Ok(());
    }
    if !pushed {
        output::line(format!("source {name} is {id}; next: `heraut source preview {name}`"));
        return Ok(());
    }
    let source = find(gateway, &name).await?;
    output::line(format!("source {name} is {id}; the system is to post to {}", hooks::address(gateway, &source)?));
    output::line(format!("next: have it send something, then `heraut source deliveries {name}`"));
    Ok(())
}

async fn find(gateway: &Gateway, name: &str) -> anyhow::Result<Source> {
    let wanted = name.to_owned();
    let found = gateway.store.read("read a source", move |db| sources::by_name(db, &wanted)).await?;
    match found {
        Some(source) => Ok(source),
        None => bail!("there is no source `{name}`; `heraut source list` shows those that there are"),
    }
}

fn describe(source: &Source, handle: &str) -> Value {
    json!({
        "name": source.name,
        "actor": handle,
        "kind": source.kind,
        "settings": source.settings.connector,
        "schedule": source.settings.schedule,
        "policy": source.settings.policy,
        "compose": source.settings.compose,
        "state": state(source),
        "progress": source.progress,
    })
}

fn state(source: &Source) -> String {
    if source.settings.disabled {
        return "disabled".to_owned();
    }
    let progress = &source.progress;
    let written = CONNECTORS.iter().any(|kind| kind.name() == source.kind && kind.takes_tokens());
    match (&progress.stopped, &progress.failure, progress.stale_since, progress.polled_at) {
        _ if written => "ok".to_owned(),
        (Some(reason), ..) => format!("stopped: {reason}"),
        (None, Some(failure), ..) => format!("failing ({} in a row): {failure}", progress.failures),
        (None, None, Some(since), _) => format!("stale since {since}"),
        (None, None, None, None) => "not polled yet".to_owned(),
        _ => "ok".to_owned(),
    }
}

async fn list(gateway: &Gateway, json: bool) -> anyhow::Result<()> {
    let load = |db: &mut Db<'_>| {
        let all = sources::list(db)?;
        let named = |db: &mut Db<'_>, source: Source| {
            let handle = actors::by_id(db, source.actor_id)?.map(|actor| actor.handle.to_string()).unwrap_or_default();
            Ok((source, handle))
        };
        all.into_iter().map(|source| named(db, source)).collect::<Queried<Vec<_>>>()
    };
    let rows = gateway.store.read("list sources", load).await?;
    if json {
        return output::json(&rows.iter().map(|(source, handle)| describe(source, handle)).collect::<Vec<_>>());
    }
    let rows: Vec<_> = rows
        .into_iter()
        .map(|(source, handle)| {
            let polled = source.progress.polled_at.map_or_else(|| "never".to_owned(), |at| at.to_rfc3339());
            let state = state(&source);
            [source.name, handle, source.kind, polled, state]
        })
        .collect();
    output::table(["NAME", "ACTOR", "KIND", "POLLED", "STATE"], &rows);
    Ok(())
}

async fn show(gateway: &Gateway, name: &str, json: bool) -> anyhow::Result<()> {
    let source = find(gateway, name).await?;
    let actor = poll::load_actor(gateway, &source).await?;
    let mut row = describe(&source, actor.handle.as_str());
    hooks::describe(gateway, &source, &mut row).await?;
    websub::describe(gateway, &source, &mut row).await?;
    if json {
        return output::json(&row);
    }
    let usual = json!({ "policy": SourcePolicy::default(), "compose": ComposeSettings::default() });
    if let (Some(row), Some(usual)) = (row.as_object(), usual.as_object()) {
        shown::print(row, usual);
    }
    Ok(())
}

async fn poll_now(gateway: &Gateway, name: &str) -> anyhow::Result<()> {
    let source = find(gateway, name).await?;
    let at = now();
    let wanted = name.to_owned();
    gateway.store.write("make a source due", move |db| sources::poll_now(db, &wanted, at)).await?;
    output::line(format!("source {} is due now; `heraut serve` polls it within a second", source.name));
    Ok(())
}

async fn show_preview(config: &Path, what: &str, json: bool) -> anyhow::Result<()> {
    let place = Place::read(what);
    let (gateway, _folder) = match (&place, config.exists()) {
        (Place::Name(_), _) | (_, true) => (open_with(config).await?.0, None),
        (_, false) => {
            let (gateway, folder) = trial().await?;
            (gateway, Some(folder))
        }
    };
    let (source, actor, origin) = match place {
        Place::Name(name) => {
            let source = find(&gateway, &name).await?;
            let actor = poll::load_actor(&gateway, &source).await?;
            (source, actor, Origin::Fetch)
        }
        Place::Url(url) => {
            let actor = any_actor(&gateway).await?;
            (feed(&url, &actor)?, actor, Origin::Fetch)
        }
        Place::File(path) => {
            let actor = any_actor(&gateway).await?;
            let url = Url::parse("https://preview.invalid/")?;
            (feed(&url, &actor)?, actor, Origin::File(read_file(&path, url)?))
        }
    };
    let shown = preview(&gateway, &source, &actor, origin).await?;
    if json {
        return output::json(&shown);
    }
    print(&shown);
    Ok(())
}

enum Place {
    Name(String),
    Url(Url),
    File(PathBuf),
}

impl Place {
    fn read(what: &str) -> Self {
        match Url::parse(what) {
            Ok(url) if matches!(url.scheme(), "http" | "https") => Self::Url(url),
            _ if Path::new(what).is_file() => Self::File(PathBuf::from(what)),
            _ => Self::Name(what.to_owned()),
        }
    }
}

fn feed(url: &Url, actor: &Actor) -> anyhow::Result<Source> {
    Ok(Source {
        id: SourceId(0),
        name: "preview".to_owned(),
        actor_id: actor.id,
        kind: "feed".to_owned(),
        settings: Settings {
            schedule: Schedule::every("15m")?,
            policy: Default::default(),
            compose: Default::default(),
            language: None,
            connector: json!({ "url": url.as_str() }),
            signature: None,
            disabled: false,
            websub_off: false,
            stale_after: None,
        },
        progress: Progress::default(),
    })
}

fn read_file(path: &Path, url: Url) -> anyhow::Result<Fetched> {
    let size = std::fs::metadata(path).with_context(|| format!("{} cannot be read", path.display()))?.len();
    if size > FILE_BYTES_MAX {
        bail!("{} has {size} bytes; at most {FILE_BYTES_MAX} are read", path.display());
    }
    let body = std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))?;
    Ok(Fetched { url, permanent_redirects: false, status: 200, headers: Vec::new(), body })
}

async fn any_actor(gateway: &Gateway) -> anyhow::Result<Actor> {
    let all = gateway.store.read("list actors", actors::list).await?;
    match all.into_iter().next() {
        Some(actor) => Ok(actor),
        None => actor::example(gateway).await,
    }
}

/// A gateway in a folder of its own that goes away, for a preview where nothing is configured.
async fn trial() -> anyhow::Result<(Shared, tempfile::TempDir)> {
    let folder = tempfile::tempdir()?;
    let text = "[server]\npublic_url = \"https://preview.invalid\"\n";
    let config = Config::parse(text, folder.path())?;
    let gateway = app::gateway_with(&config, crate::vault::MasterKey::generate()?)?;
    app::provision(&gateway, &config).await?;
    Ok((gateway, folder))
}

fn print(shown: &Preview) {
    if let Some(title) = &shown.title {
        output::line(format!("feed: {title}"));
    }
    for warning in &shown.warnings {
        output::line(format!("note: {warning}"));
    }
    output::line(format!("{} items; what would be published:", shown.items.len()));
    for post in &shown.posts {
        output::line(String::new());
        output::line(format!("── {} ({})", post.item, post.state));
        let html = post.note.get("content").and_then(Value::as_str).unwrap_or_default();
        let raw = heraut_connectors::item::RawHtml(html.to_owned());
        output::line(plain(&sanitize(&raw, None)));
        for image in post.note.get("attachment").and_then(Value::as_array).into_iter().flatten() {
            let text = |key| image.get(key).and_then(Value::as_str).unwrap_or("no alternative text").to_owned();
            output::line(format!("[image: {}] {}", text("name"), text("url")));
        }
        for flag in &post.flags {
            output::line(format!("flag: {flag}"));
        }
    }
}
