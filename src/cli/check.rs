//! `heraut check`: what is wrong, and what to do.

mod clocks;
mod findings;
mod front;
mod own_hosts;

use std::fmt;
use std::path::Path;
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;
use url::Url;

use crate::actor::Actor;
use crate::actor::continuity::ActorState;
use crate::actor::verification::VerifiedActor;
use crate::app::{self, AppError};
use crate::cli::check::clocks::Clocks;
use crate::cli::check::findings::Findings;
use crate::cli::ladder;
use crate::cli::target::good;
use crate::config::Config;
use crate::flow::hooks::keep;
use crate::flow::keyring::KeyringError;
use crate::flow::provision::ProvisionError;
use crate::flow::registers::{self, Outcome, RegisterError};
use crate::flow::targets::check;
use crate::flow::verify::with_causes;
use crate::flow::{Gateway, Shared, now, poll, verify};
use crate::net::{FetchError, Fetched, Get};
use crate::store::registers::list;
use crate::store::{actors, sources, targets};

/// Servers of followers that are asked what time it is, when there are any.
const PEERS_ASKED: i64 = 3;

/// `heraut check`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// A check under way.
pub struct Looking {
    findings: Findings,
    clocks: Clocks,
}

/// Why there is no document.
enum Unanswered {
    /// The answer was another one; the start of what it says.
    Status(u16, String),
    /// It was no JSON.
    NoJson(serde_json::Error),
    /// There was none.
    Fetch(FetchError),
    /// The address is none.
    Url(url::ParseError),
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status, _) => write!(f, "it answered {status}"),
            Self::NoJson(error) => write!(f, "it is no JSON: {error}"),
            Self::Fetch(error) => f.write_str(&with_causes(error)),
            Self::Url(error) => error.fmt(f),
        }
    }
}

impl Looking {
    /// Fetches, and hears what time it is there.
    async fn fetch(&mut self, gateway: &Gateway, url: &str, accept: &str) -> Result<Fetched, Unanswered> {
        let parsed = Url::parse(url).map_err(Unanswered::Url)?;
        let asked = now();
        let fetched = gateway.net.get(Get::new(parsed, accept)).await.map_err(Unanswered::Fetch)?;
        self.clocks.hear(&fetched, asked, now());
        Ok(fetched)
    }

    async fn json(&mut self, gateway: &Gateway, url: &str, accept: &str) -> Result<Value, Unanswered> {
        let fetched = self.fetch(gateway, url, accept).await?;
        if fetched.status != 200 {
            let problem = serde_json::from_slice::<Value>(&fetched.body).unwrap_or_default();
            let detail = problem.get("detail").and_then(Value::as_str).unwrap_or("it does not say why");
            return Err(Unanswered::Status(fetched.status, detail.to_owned()));
        }
        serde_json::from_slice(&fetched.body).map_err(Unanswered::NoJson)
    }
}

/// Checks everything that can be checked, and goes on after what is wrong. Exit code 1 if anything is.
pub async fn run(path: &Path, arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut looking = Looking { findings: Findings::new(arguments.json), clocks: Clocks::default() };
    match start(path, &mut looking.findings).await {
        Ok(gateway) => look(&gateway, &mut looking).await?,
        // Without these nothing else can be looked at, and the reason says what to do.
        Err((code, error)) if arguments.json => {
            looking.findings.bad(code, crate::cli::chain(&error), "nothing else was looked at: put this right first");
        }
        Err((_, error)) => return Err(error),
    }
    looking.findings.show()?;
    Ok(ExitCode::from(u8::from(looking.findings.wrong() > 0)))
}

/// What everything else needs: the configuration, the master key, the database. What is wrong has the code that stands with it.
async fn start(path: &Path, findings: &mut Findings) -> Result<Shared, (&'static str, anyhow::Error)> {
    let config = Config::load(path).map_err(|error| ("configuration", error.into()))?;
    findings.good("configuration", format!("configuration {}", path.display()));
    let gateway = app::gateway(&config).map_err(|error| (code_of(&error), error.into()))?;
    findings.good("database", "master key and database");
    app::provision(&gateway, &config).await.map_err(|error| (code_of(&error), error.into()))?;
    findings.good("configuration", "agencies, actors and sources of the configuration are in the database");
    Ok(gateway)
}

fn code_of(error: &AppError) -> &'static str {
    match error {
        AppError::Vault(_) | AppError::Keyring(KeyringError::Vault { .. } | KeyringError::Key { .. }) => "master-key",
        AppError::Provision { source: ProvisionError::Keyring(KeyringError::Vault { .. }), .. } => "master-key",
        AppError::Store(_) | AppError::Keyring(_) => "database",
        AppError::Media { .. } => "media",
        _ => "configuration",
    }
}

async fn look(gateway: &Shared, looking: &mut Looking) -> anyhow::Result<()> {
    let public = front::check(gateway, looking).await?;
    check_registers(gateway, &mut looking.findings).await?;
    check_actors(gateway, looking).await?;
    check_sources(gateway, looking).await?;
    check_targets(gateway, &mut looking.findings).await?;
    ask_peers(gateway, looking).await?;
    looking.clocks.tell(&public, &mut looking.findings);
    Ok(())
}

async fn check_registers(gateway: &Gateway, findings: &mut Findings) -> anyhow::Result<()> {
    for row in gateway.store.read("list registers", list).await? {
        let name = &row.name;
        match registers::read(gateway, name, false).await {
            Ok(Outcome::Unchanged) => {
                findings.good("register", format!("register `{name}` is as it was: {} entries", row.entries));
            }
            Ok(Outcome::Read(counts)) => {
                findings.good("register", format!("register `{name}` has {} entries", counts.entries));
            }
            Err(RegisterError::Busy(name)) => {
                findings.note("register", format!("register `{name}` is being read by another process"));
            }
            Err(error) => {
                findings.bad(
                    "register",
                    with_causes(&error),
                    "correct where it is read from: what stands in it goes on counting for a while",
                );
            }
        }
    }
    Ok(())
}

async fn check_actors(gateway: &Shared, looking: &mut Looking) -> anyhow::Result<()> {
    let all = gateway.store.read("list actors", actors::list).await?;
    if all.is_empty() {
        let todo = "add an [[agency]] and an [[actor]], or use `heraut actor add`";
        looking.findings.bad("no-actor", "there is no actor", todo);
    }
    own_hosts::check(gateway, &all, looking).await?;
    for actor in all {
        let state = actor.continuity.state;
        if state.is_over() || state == ActorState::HandedOver {
            let what = format!("{} is {}: {}", actor.full_handle(), state.name(), state.explain());
            looking.findings.good("proof", what);
            continue;
        }
        check_webfinger(gateway, &actor, looking).await;
        let findings = &mut looking.findings;
        let checked = verify::check(gateway, actor.id, "cli:check").await?;
        let proved = VerifiedActor::prove(actor.clone(), &checked.proof, &gateway.settings.proof_times, now());
        for step in &checked.proof.steps {
            let level = step.rung.level().number();
            findings.note("proof", format!("{} level {level}  {}", actor.full_handle(), ladder::line(step)));
        }
        let todo = format!("see `heraut actor verify {}`", actor.handle);
        match (proved, checked.failure) {
            (Ok(verified), None) => {
                findings.good("proof", format!("{} is verified until {}", actor.full_handle(), verified.until()));
            }
            (Ok(verified), Some(failure)) => {
                let what = format!("{} is verified only until {}: {failure}", actor.full_handle(), verified.until());
                findings.bad("proof", what, todo);
            }
            (Err(_), failure) => {
                let what = format!("{} is not verified: {}", actor.full_handle(), failure.unwrap_or_default());
                findings.bad("proof", what, todo);
            }
        }
    }
    Ok(())
}

async fn check_webfinger(gateway: &Gateway, actor: &Actor, looking: &mut Looking) {
    let account = actor.full_handle().trim_start_matches('@').to_owned();
    let scheme = if gateway.base.root().starts_with("http:") { "http" } else { "https" };
    let url = format!("{scheme}://{}/.well-known/webfinger?resource=acct:{account}", actor.handle_domain);
    let split = actor.handle_domain != actor.base().authority();
    if !split && actor.base() == gateway.base && front::IS_NOT_US.iter().any(|code| looking.findings.has(code)) {
        return; // one thing is not told twice
    }
    let code = if split { "webfinger-not-forwarded" } else { "webfinger" };
    let todo =
        format!("let {} forward /.well-known/webfinger with its query to {}", actor.handle_domain, actor.base().root());
    let found = looking.json(gateway, &url, "application/jrd+json").await;
    let findings = &mut looking.findings;
    match found {
        Ok(document) => {
            let subject = document.get("subject").and_then(Value::as_str).unwrap_or_default();
            let links = document.get("links").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let own = links.iter().find(|link| link.get("rel").and_then(Value::as_str) == Some("self"));
            let href = own.and_then(|link| link.get("href")).and_then(Value::as_str).unwrap_or_default();
            if subject != format!("acct:{account}") {
                findings.bad(code, format!("{url} names the subject `{subject}`"), todo);
            } else if href != actor.url.as_str() {
                findings.bad(code, format!("{url} leads to `{href}` and not to {}", actor.url), todo);
            } else {
                findings.good(code, format!("WebFinger finds {}", actor.full_handle()));
            }
        }
        Err(problem) => {
            findings.bad(code, format!("WebFinger does not find {} ({problem})", actor.full_handle()), todo);
        }
    }
}

async fn check_sources(gateway: &Gateway, looking: &mut Looking) -> anyhow::Result<()> {
    for source in gateway.store.read("list sources", sources::list).await? {
        let findings = &mut looking.findings;
        let todo = format!("see `heraut source show {}`", source.name);
        let connector = match keep::connector(gateway, &source).await {
            Ok(connector) => connector,
            Err(error) => {
                findings.bad("source", with_causes(&error), todo);
                continue;
            }
        };
        let Some(request) = connector.request() else { continue };
        let asked = now();
        let fetched = match poll::fetch(gateway, &source, &request, false).await {
            Ok(fetched) if fetched.status == 200 => fetched,
            Ok(fetched) => {
                let what = format!("source `{}`: {} answered {}", source.name, fetched.url, fetched.status);
                findings.bad("source", what, todo);
                continue;
            }
            Err(error) => {
                findings.bad("source", format!("source `{}`: {}", source.name, with_causes(&error)), todo);
                continue;
            }
        };
        looking.clocks.hear(&fetched, asked, now());
        match poll::read_page(connector.into(), &fetched, None).await {
            Ok(page) => findings.good("source", format!("source `{}` has {} items", source.name, page.items.len())),
            Err(error) => findings.bad("source", format!("source `{}`: {}", source.name, with_causes(&error)), todo),
        }
    }
    Ok(())
}

/// Whether the tokens of targets work, and what they may do.
async fn check_targets(gateway: &Gateway, findings: &mut Findings) -> anyhow::Result<()> {
    for target in gateway.store.read("list targets", targets::list).await?.into_iter().filter(|target| target.enabled) {
        let (name, resting) = (target.name.clone(), target.resting.clone());
        let checked = check::check(gateway, target).await;
        good(&name, &checked).into_iter().for_each(|line| findings.good("target", line));
        for problem in &checked.problems {
            findings.bad("target", format!("target {name}: {problem}"), "docs/targets.md says what a token needs");
        }
        if let (Some(why), true) = (resting, checked.problems.is_empty()) {
            let todo = format!("`heraut target token {name}` with the same token wakes it");
            findings.bad("target", format!("target {name} rests ({why}), and its token works now"), todo);
        }
    }
    Ok(())
}

/// Asks some servers of followers for a small public document, to hear what time it is there.
async fn ask_peers(gateway: &Gateway, looking: &mut Looking) -> anyhow::Result<()> {
    let hosts = |db: &mut crate::store::Db<'_>| crate::store::followers::hosts(db, PEERS_ASKED);
    let scheme = gateway.base.scheme();
    for host in gateway.store.read("list servers of followers", hosts).await? {
        // Whether it answers is no concern of ours.
        let _ = looking.fetch(gateway, &format!("{scheme}://{host}/.well-known/nodeinfo"), "application/json").await;
    }
    Ok(())
}
