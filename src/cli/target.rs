//! `heraut target`: accounts on other servers to which posts go too.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use heraut_connectors::contract::Secret;
use serde_json::{Value, json};

use crate::cli::source::hooks::read_secret;
use crate::cli::{open, output, who};
use crate::config::hook::Held;
use crate::flow::Gateway;
use crate::flow::provision::By;
use crate::flow::targets::check::{self, Checked};
use crate::flow::targets::{self, TargetPlan, Whose};
use crate::store::target_posts::TargetState;
use crate::store::target_receipts::{self, TargetReceipt};
use crate::store::targets::{self as rows, Target};
use crate::store::{Db, actors};
use crate::target::{MASTODON_ACCOUNT, Visibility};

/// Receipts that `heraut target show` shows.
const RECEIPTS: i64 = 20;

/// `heraut target`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Add an account on another server, to which the posts of an actor or agency go too from now on.
    Add(Add),
    /// List targets, and how each does.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show a target: of whom its token is, what its server takes, what was said there last.
    Show {
        /// Its name.
        name: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Ask the server whether the token works and what it may do. Publishes nothing.
    Check {
        /// Its name; all if none is given.
        name: Option<String>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Give a target a new access token. What waited for it goes out at once.
    Token {
        /// Its name.
        name: String,
        #[command(flatten)]
        token: AccessToken,
    },
    /// Remove a target: its token is forgotten. What stands on its server stays there.
    Remove {
        /// Its name.
        name: String,
    },
}

/// `heraut target add`.
#[derive(Debug, Args)]
pub struct Add {
    /// A short name for it, such as social-overheid.
    name: String,
    /// The posts of this actor go there: its handle, without @ and domain.
    #[arg(long, value_name = "HANDLE", conflicts_with = "agency", required_unless_present = "agency")]
    actor: Option<String>,
    /// The posts of all actors of this agency go there.
    #[arg(long, value_name = "NAME")]
    agency: Option<String>,
    /// What it is.
    #[arg(long, default_value = MASTODON_ACCOUNT)]
    kind: String,
    /// The server, such as https://social.overheid.nl.
    #[arg(long)]
    url: String,
    #[command(flatten)]
    token: AccessToken,
    /// Who sees what is said there: public, unlisted or private.
    #[arg(long, default_value = "public")]
    visibility: String,
}

/// Where the access token is. Never on the command line: everybody on the machine could read it there.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct AccessToken {
    /// The file with the access token; - is standard input.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The variable of the environment with the access token.
    #[arg(long, value_name = "VARIABLE")]
    token_env: Option<String>,
}

impl AccessToken {
    fn read(&self) -> anyhow::Result<Secret> {
        if let Some(name) = &self.token_env {
            return Ok(Secret::from(Held::Variable(name.clone()).read()?.expose()));
        }
        match &self.token_file {
            Some(file) => read_secret(file),
            None => bail!("no access token is given; use --token-file or --token-env"),
        }
    }
}

/// Runs the command.
pub async fn run(config: &Path, command: Command) -> anyhow::Result<ExitCode> {
    let gateway = open(config).await?;
    match command {
        Command::Add(command) => return add(&gateway, command).await,
        Command::List { json } => list(&gateway, json).await?,
        Command::Show { name, json } => show(&gateway, &name, json).await?,
        Command::Check { name, json } => return check_all(&gateway, name.as_deref(), json).await,
        Command::Token { name, token } => {
            let target = targets::set_token(&gateway, &name, &token.read()?, &who()).await?;
            output::line(format!("target {name} has a new access token; what waited for it goes out now"));
            return Ok(tell(&gateway, target).await);
        }
        Command::Remove { name } => {
            targets::remove(&gateway, &name, &who()).await?;
            output::line(format!(
                "target {name} is removed and its access token forgotten; revoke it on the server too. What stands there stays."
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn add(gateway: &Gateway, command: Add) -> anyhow::Result<ExitCode> {
    let whose = match (command.actor, command.agency) {
        (Some(handle), _) => Whose::Actor(handle),
        (None, Some(name)) => Whose::Agency(name),
        (None, None) => bail!("whose posts are to go there? Give --actor or --agency"),
    };
    let plan = TargetPlan {
        name: command.name.clone(),
        whose,
        kind: command.kind,
        url: command.url,
        visibility: Visibility::parse(&command.visibility).map_err(anyhow::Error::msg)?,
        enabled: true,
        token: command.token.read()?,
    };
    targets::set(gateway, plan, By::Person(&who())).await?;
    output::line(format!("target {} is added; what is published from now on is said there too", command.name));
    let target = targets::find(gateway, &command.name).await?;
    Ok(tell(gateway, target).await)
}

/// Checks a target and says what was found. Exit code 1 if something is wrong.
async fn tell(gateway: &Gateway, target: Target) -> ExitCode {
    let name = target.name.clone();
    let checked = check::check(gateway, target).await;
    good(&name, &checked).into_iter().for_each(output::line);
    checked.problems.iter().for_each(|problem| output::note(format!("target {name}: {problem}")));
    if checked.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

/// What is right with a target, a sentence each.
pub fn good(name: &str, checked: &Checked) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(account) = &checked.account {
        lines.push(format!("target {name} is the account {} ({})", account.acct, account.url));
    }
    if let Some(limits) = &checked.limits {
        lines.push(format!(
            "target {name} takes {} characters, {} pictures with {} characters each ({})",
            limits.characters, limits.attachments, limits.description, limits.version
        ));
    }
    if !checked.scopes.is_empty() {
        lines.push(format!("target {name} has a token of an application with {}", checked.scopes.join(" ")));
    }
    lines
}

async fn check_all(gateway: &Gateway, name: Option<&str>, json: bool) -> anyhow::Result<ExitCode> {
    let targets = match name {
        Some(name) => vec![targets::find(gateway, name).await?],
        None => gateway.store.read("list targets", rows::list).await?,
    };
    let (mut shown, mut bad) = (Vec::new(), false);
    for target in targets {
        if !json {
            bad |= tell(gateway, target).await != ExitCode::SUCCESS;
            continue;
        }
        let name = target.name.clone();
        let checked = check::check(gateway, target).await;
        bad |= !checked.problems.is_empty();
        shown.push(json!({
            "target": name,
            "works": checked.problems.is_empty(),
            "account": checked.account,
            "limits": checked.limits,
            "scopes": checked.scopes,
            "problems": checked.problems,
        }));
    }
    if json {
        output::json(&shown)?;
    }
    Ok(if bad { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// A target with the names of agency and actor.
async fn described(gateway: &Gateway, target: &Target) -> anyhow::Result<Value> {
    let (agency, actor) = (target.agency_id, target.actor_id);
    let load = move |db: &mut Db<'_>| {
        let agency = actors::list_agencies(db)?.into_iter().find(|row| row.id == agency).map(|row| row.name);
        let actor = actor.map_or(Ok(None), |actor| actors::by_id(db, actor))?;
        Ok((agency, actor.map(|actor| actor.handle.to_string())))
    };
    let (agency, actor) = gateway.store.read("read whose a target is", load).await?;
    Ok(json!({
        "target": target.name,
        "kind": target.kind,
        "url": target.url,
        "agency": agency,
        "actor": actor,
        "visibility": target.visibility,
        "enabled": target.enabled,
        "provisioned": target.provisioned,
        "state": state(target),
        "account": target.account(),
        "limits": target.limits(),
        "resting": target.resting,
        "resting_since": target.resting_since.map(|at| at.to_rfc3339()),
        "failing_since": target.failing_since.map(|at| at.to_rfc3339()),
        "last_error": target.last_error,
        "last_ok_at": target.last_ok_at.map(|at| at.to_rfc3339()),
        "next_at": target.due_at.map(|at| at.to_rfc3339()),
    }))
}

fn state(target: &Target) -> &'static str {
    match (target.enabled, &target.resting, target.failing_since) {
        (false, ..) => "disabled",
        (true, Some(_), _) => "resting",
        (true, None, Some(_)) => "failing",
        (true, None, None) => "ok",
    }
}

async fn list(gateway: &Gateway, json: bool) -> anyhow::Result<()> {
    let mut shown = Vec::new();
    for target in gateway.store.read("list targets", rows::list).await? {
        shown.push(described(gateway, &target).await?);
    }
    if json {
        return output::json(&shown);
    }
    let rows: Vec<_> = shown
        .iter()
        .map(|target| {
            let text = |path: &str| target.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
            let whose = match text("/actor") {
                actor if actor.is_empty() => format!("all of {}", text("/agency")),
                actor => actor,
            };
            let what = [text("/resting"), text("/last_error")].into_iter().find(|text| !text.is_empty());
            [text("/target"), whose, text("/url"), text("/account/acct"), text("/state"), what.unwrap_or_default()]
        })
        .collect();
    output::table(["TARGET", "POSTS OF", "SERVER", "ACCOUNT", "STATE", "WHAT HAPPENED"], &rows);
    Ok(())
}

async fn show(gateway: &Gateway, name: &str, json: bool) -> anyhow::Result<()> {
    let target = targets::find(gateway, name).await?;
    let mut shown = described(gateway, &target).await?;
    let id = target.id;
    let read = move |db: &mut Db<'_>| target_receipts::receipts(db, None, Some(id), RECEIPTS);
    let receipts = gateway.store.read("read the receipts of a target", read).await?;
    if let Some(object) = shown.as_object_mut() {
        object.insert("receipts".to_owned(), receipts.iter().map(receipt_json).collect());
    }
    if json {
        return output::json(&shown);
    }
    for (key, value) in shown.as_object().into_iter().flatten() {
        match value {
            Value::Null | Value::Array(_) => {}
            Value::String(text) => output::line(format!("{key:<14} {text}")),
            other => output::line(format!("{key:<14} {other}")),
        }
    }
    if target.resting.is_some() {
        output::note(format!("it rests; give it a new access token: heraut target token {name} --token-file FILE"));
    }
    output::line("");
    table(&receipts);
    Ok(())
}

/// A receipt, for scripts.
pub fn receipt_json(receipt: &TargetReceipt) -> Value {
    let open = matches!(TargetState::from_code(receipt.state), TargetState::Owed);
    json!({
        "target": receipt.target,
        "server": receipt.server,
        "status_url": receipt.status_url,
        "post_id": receipt.post_id,
        "activity_id": receipt.activity_id,
        "kind": receipt.kind,
        "state": TargetState::from_code(receipt.state).name(),
        "attempts": receipt.attempts,
        "status": receipt.status,
        "note": receipt.note,
        "created_at": receipt.created_at.to_rfc3339(),
        "settled_at": receipt.settled_at.map(|at| at.to_rfc3339()),
        "next_at": receipt.due_at.filter(|_| open).map(|at| at.to_rfc3339()),
        "resting": receipt.resting.clone().filter(|_| open),
    })
}

/// Prints receipts.
pub fn table(receipts: &[TargetReceipt]) {
    let row = |receipt: &TargetReceipt| {
        let state = TargetState::from_code(receipt.state);
        let what = match (&receipt.note, &receipt.resting, receipt.due_at) {
            (_, Some(resting), _) if state == TargetState::Owed => format!("the target rests: {resting}"),
            (Some(note), _, Some(due)) if state == TargetState::Owed => format!("{note}; next at {due}"),
            (Some(note), ..) => note.clone(),
            (None, _, Some(due)) if state == TargetState::Owed => format!("due at {due}"),
            _ => receipt.settled_at.map(|at| format!("at {at}")).unwrap_or_default(),
        };
        [
            receipt.post_id.to_string(),
            receipt.target.clone(),
            receipt.kind.clone(),
            state.name().to_owned(),
            receipt.attempts.to_string(),
            receipt.status_url.clone().unwrap_or_default(),
            what,
        ]
    };
    let rows: Vec<_> = receipts.iter().map(row).collect();
    output::table(["POST", "TARGET", "WHAT", "STATE", "TRIES", "STATUS PAGE", "WHAT HAPPENED"], &rows);
}
