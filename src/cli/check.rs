//! `heraut check`: what is wrong, and what to do.

mod own_hosts;

use std::path::Path;
use std::process::ExitCode;

use serde_json::Value;
use url::Url;

use crate::actor::Actor;
use crate::actor::continuity::ActorState;
use crate::actor::verification::VerifiedActor;
use crate::app;
use crate::cli::target::good;
use crate::cli::{ladder, output};
use crate::config::Config;
use crate::flow::hooks::keep;
use crate::flow::registers::{self, Outcome, RegisterError};
use crate::flow::targets::check;
use crate::flow::verify::with_causes;
use crate::flow::{Gateway, Shared, now, poll, verify};
use crate::net::Get;
use crate::store::registers::list;
use crate::store::{actors, sources, targets};

/// What was found so far.
#[derive(Default)]
struct Findings {
    bad: usize,
}

impl Findings {
    fn good(&self, text: impl AsRef<str>) {
        output::line(format!("ok    {}", text.as_ref()));
    }

    /// What is neither good nor bad.
    fn note(&self, text: impl AsRef<str>) {
        output::line(format!("note  {}", text.as_ref()));
    }

    fn bad(&mut self, text: impl AsRef<str>) {
        self.bad += 1;
        output::line(format!("WRONG {}", text.as_ref()));
    }
}

/// Checks everything that can be checked, and goes on after what is wrong. Exit code 1 if anything is.
pub async fn run(path: &Path) -> anyhow::Result<ExitCode> {
    let config = Config::load(path)?;
    let mut findings = Findings::default();
    findings.good(format!("configuration {}", path.display()));
    let gateway = app::gateway(&config)?;
    findings.good("master key and database");
    app::provision(&gateway, &config).await?;
    findings.good("agencies, actors and sources of the configuration are in the database");
    check_instance(&gateway, &mut findings).await;
    check_registers(&gateway, &mut findings).await?;
    check_actors(&gateway, &mut findings).await?;
    check_sources(&gateway, &mut findings).await?;
    check_targets(&gateway, &mut findings).await?;
    if findings.bad == 0 {
        output::line("nothing is wrong");
        return Ok(ExitCode::SUCCESS);
    }
    output::note(format!("{} things are wrong", findings.bad));
    Ok(ExitCode::from(1))
}

async fn check_instance(gateway: &Shared, findings: &mut Findings) {
    let url = gateway.base.instance_actor();
    match fetch_json(gateway, url.as_str(), "application/activity+json").await {
        Ok(document) if document.get("id").and_then(Value::as_str) == Some(url.as_str()) => {
            findings.good(format!("{url} answers from outside as it should"));
        }
        Ok(_) => findings.bad(format!(
            "{url} answers with something else: is server.public_url the address under which this gateway is reached?"
        )),
        Err(problem) => findings.bad(format!(
            "{url} cannot be fetched ({problem}): start `heraut serve`, and let the proxy forward every path with its Host header"
        )),
    }
}

async fn check_registers(gateway: &Gateway, findings: &mut Findings) -> anyhow::Result<()> {
    for row in gateway.store.read("list registers", list).await? {
        match registers::read(gateway, &row.name, false).await {
            Ok(Outcome::Unchanged) => {
                findings.good(format!("register `{}` is as it was: {} entries", row.name, row.entries))
            }
            Ok(Outcome::Read(counts)) => {
                findings.good(format!("register `{}` has {} entries", row.name, counts.entries))
            }
            Err(RegisterError::Busy(name)) => {
                findings.note(format!("register `{name}` is being read by another process"))
            }
            Err(error) => findings.bad(with_causes(&error)),
        }
    }
    Ok(())
}

async fn check_actors(gateway: &Shared, findings: &mut Findings) -> anyhow::Result<()> {
    let all = gateway.store.read("list actors", actors::list).await?;
    if all.is_empty() {
        findings.bad("there is no actor: add an [[agency]] and an [[actor]], or use `heraut actor add`");
    }
    own_hosts::check(gateway, &all, findings).await?;
    for actor in all {
        let state = actor.continuity.state;
        if state.is_over() || state == ActorState::HandedOver {
            findings.good(format!("{} is {}: {}", actor.full_handle(), state.name(), state.explain()));
            continue;
        }
        match gateway.sign_as_instance().await {
            Ok(_) => {}
            Err(error) => findings.bad(with_causes(&error)),
        }
        check_webfinger(gateway, &actor, findings).await;
        let checked = verify::check(gateway, actor.id, "cli:check").await?;
        let proved = VerifiedActor::prove(actor.clone(), &checked.proof, &gateway.settings.proof_times, now());
        for step in &checked.proof.steps {
            findings.note(format!(
                "{} level {}  {}",
                actor.full_handle(),
                step.rung.level().number(),
                ladder::line(step)
            ));
        }
        match (proved, checked.failure) {
            (Ok(verified), None) => {
                findings.good(format!("{} is verified until {}", actor.full_handle(), verified.until()))
            }
            (Ok(verified), Some(failure)) => {
                findings.bad(format!("{} is verified only until {}: {failure}", actor.full_handle(), verified.until()))
            }
            (Err(_), failure) => findings.bad(format!(
                "{} is not verified: {} (see `heraut actor verify {}`)",
                actor.full_handle(),
                failure.unwrap_or_default(),
                actor.handle
            )),
        }
    }
    Ok(())
}

async fn check_webfinger(gateway: &Gateway, actor: &Actor, findings: &mut Findings) {
    let account = actor.full_handle().trim_start_matches('@').to_owned();
    let scheme = if gateway.base.root().starts_with("http:") { "http" } else { "https" };
    let url = format!("{scheme}://{}/.well-known/webfinger?resource=acct:{account}", actor.handle_domain);
    let way_out =
        format!("let {} forward /.well-known/webfinger with its query to {}", actor.handle_domain, actor.base().root());
    match fetch_json(gateway, &url, "application/jrd+json").await {
        Ok(document) => {
            let subject = document.get("subject").and_then(Value::as_str).unwrap_or_default();
            if subject == format!("acct:{account}") {
                findings.good(format!("WebFinger finds {}", actor.full_handle()));
            } else {
                findings.bad(format!("{url} names the subject `{subject}`: {way_out}"));
            }
        }
        Err(problem) => findings.bad(format!("WebFinger does not find {} ({problem}): {way_out}", actor.full_handle())),
    }
}

async fn check_sources(gateway: &Gateway, findings: &mut Findings) -> anyhow::Result<()> {
    for source in gateway.store.read("list sources", sources::list).await? {
        let connector = match keep::connector(gateway, &source).await {
            Ok(connector) => connector,
            Err(error) => {
                findings.bad(with_causes(&error));
                continue;
            }
        };
        let Some(request) = connector.request() else { continue };
        let fetched = match poll::fetch(gateway, &source, &request, false).await {
            Ok(fetched) if fetched.status == 200 => fetched,
            Ok(fetched) => {
                findings.bad(format!("source `{}`: {} answered {}", source.name, fetched.url, fetched.status));
                continue;
            }
            Err(error) => {
                findings.bad(format!("source `{}`: {}", source.name, with_causes(&error)));
                continue;
            }
        };
        match poll::read_page(connector.into(), &fetched, None).await {
            Ok(page) => findings.good(format!("source `{}` has {} items", source.name, page.items.len())),
            Err(error) => findings.bad(format!("source `{}`: {}", source.name, with_causes(&error))),
        }
    }
    Ok(())
}

/// Whether the tokens of targets work, and what they may do.
async fn check_targets(gateway: &Gateway, findings: &mut Findings) -> anyhow::Result<()> {
    for target in gateway.store.read("list targets", targets::list).await?.into_iter().filter(|target| target.enabled) {
        let (name, resting) = (target.name.clone(), target.resting.clone());
        let checked = check::check(gateway, target).await;
        good(&name, &checked).iter().for_each(|line| findings.good(line));
        checked.problems.iter().for_each(|problem| findings.bad(format!("target {name}: {problem}")));
        if let (Some(why), true) = (resting, checked.problems.is_empty()) {
            findings.bad(format!(
                "target {name} rests ({why}), and its token works now: `heraut target token {name}` with the same token wakes it"
            ));
        }
    }
    Ok(())
}

async fn fetch_json(gateway: &Gateway, url: &str, accept: &str) -> Result<Value, String> {
    let parsed = Url::parse(url).map_err(|e| e.to_string())?;
    let fetched = gateway.net.get(Get::new(parsed, accept)).await.map_err(|e| with_causes(&e))?;
    if fetched.status != 200 {
        return Err(format!("it answered {}", fetched.status));
    }
    serde_json::from_slice(&fetched.body).map_err(|e| format!("it is no JSON: {e}"))
}
