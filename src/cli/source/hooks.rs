//! `heraut source`, for sources that are pushed.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use heraut_connectors::capture;
use heraut_connectors::contract::{Delivery, Secret};
use heraut_connectors::profiles::Signed;
use serde_json::{Value, json};

use crate::cli::source::{find, print};
use crate::cli::{output, who};
use crate::flow::hooks::keep;
use crate::flow::preview;
use crate::flow::provision::{self, By, SourcePlan};
use crate::flow::tokens::lapsed;
use crate::flow::{Gateway, now, poll};
use crate::store::hooks::{self, DONE, FAILED, IGNORED, Receipt};
use crate::store::secrets::Role;
use crate::store::sources::Source;
use crate::store::{Db, actors, sources, tokens};

/// Largest file with a captured request or a secret, in bytes.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// `heraut source secret`.
#[derive(Debug, Args)]
pub struct Rotate {
    /// The name of the source.
    name: String,
    /// The file with the new secret; - is standard input.
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// The file with the new token for the API of the system; - is standard input.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// The secret before holds no more.
    #[arg(long)]
    drop_previous: bool,
}

/// Reads a secret from a file or standard input.
pub fn read_secret(file: &Path) -> anyhow::Result<Secret> {
    let mut text = String::new();
    let read = if file.as_os_str() == "-" {
        std::io::stdin().lock().take(FILE_BYTES_MAX).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(FILE_BYTES_MAX).read_to_string(&mut text))
    };
    read.with_context(|| format!("the secret in {} cannot be read", file.display()))?;
    if text.trim().is_empty() {
        bail!("the secret in {} is empty", file.display());
    }
    Ok(Secret::from(text.trim()))
}

/// A value as it is meant: JSON that is no number, else a text.
pub fn value(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Bool(_) | Value::Array(_) | Value::Object(_))) => value,
        _ => json!(text),
    }
}

/// The URL that the system is to post to.
pub fn address(gateway: &Gateway, source: &Source) -> anyhow::Result<String> {
    let plain = format!("{}/hooks/{}", gateway.base.root().trim_end_matches('/'), source.name);
    let in_path = keep::profile(source)?.is_some_and(|profile| profile.secret_in_path());
    Ok(if in_path { format!("{plain}/<the secret>") } else { plain })
}

/// Where the clients of a source write to: on the host of its actor's id.
pub async fn micropub(gateway: &Gateway, source: &str) -> anyhow::Result<String> {
    let name = source.to_owned();
    let read = move |db: &mut Db<'_>| match sources::by_name(db, &name)? {
        Some(source) => actors::root_of(db, source.actor_id),
        None => Ok(None),
    };
    let root = gateway.store.read("read the root of an actor", read).await?;
    Ok(root.unwrap_or_else(|| gateway.base.clone()).micropub())
}

/// Adds what there is to say of a source that is pushed.
pub async fn describe(gateway: &Gateway, source: &Source, row: &mut Value) -> anyhow::Result<()> {
    let id = source.id;
    if keep::kind(source).is_some_and(|kind| kind.takes_tokens()) {
        let held = gateway.store.read("list tokens", move |db| tokens::list(db, Some(id))).await?;
        let endpoint = micropub(gateway, &source.name).await?;
        let held = held.iter().filter(|token| lapsed(token, now()).is_none()).count();
        if let Some(row) = row.as_object_mut() {
            row.insert("micropub".to_owned(), json!(endpoint));
            row.insert("tokens_that_hold".to_owned(), json!(held));
        }
    }
    let Some(profile) = keep::profile(source)? else { return Ok(()) };
    let load = move |db: &mut Db<'_>| Ok((hooks::refusal(db, id)?, hooks::log(db, id, 1)?));
    let (refusal, latest) = gateway.store.read("read what was pushed", load).await?;
    let secrets = keep::open(gateway, id).await?;
    let set: Vec<&str> = Role::ALL.into_iter().filter(|role| secrets.get(*role).is_some()).map(Role::name).collect();
    let refused = refusal.map(|(at, why)| json!({ "at": at.to_rfc3339(), "why": why }));
    let latest = latest.first().map(shown);
    if let Some(row) = row.as_object_mut() {
        row.insert("webhook".to_owned(), json!(address(gateway, source)?));
        row.insert("signature".to_owned(), json!(profile.name()));
        row.insert("secrets_set".to_owned(), json!(set));
        row.insert("last_delivery".to_owned(), json!(latest));
        row.insert("last_refusal".to_owned(), json!(refused));
    }
    Ok(())
}

fn shown(receipt: &Receipt) -> Value {
    json!({
        "receipt": receipt.id,
        "received": receipt.received_at.to_rfc3339(),
        "verified_by": receipt.verified_by,
        "state": state(receipt),
        "outcome": receipt.outcome,
        "attempts": receipt.attempts,
    })
}

fn state(receipt: &Receipt) -> &'static str {
    match receipt.state {
        DONE => "done",
        IGNORED => "ignored",
        FAILED => "failed",
        _ => "waiting",
    }
}

/// `heraut source deliveries`.
pub async fn deliveries(gateway: &Gateway, name: &str, limit: u32, json: bool) -> anyhow::Result<()> {
    let id = find(gateway, name).await?.id;
    let load = move |db: &mut Db<'_>| hooks::log(db, id, i64::from(limit));
    let receipts = gateway.store.read("read what was pushed", load).await?;
    if json {
        return output::json(&receipts.iter().map(shown).collect::<Vec<_>>());
    }
    let row = |receipt: &Receipt| {
        let outcome = receipt.outcome.clone().unwrap_or_default();
        let (id, at) = (receipt.id.to_string(), receipt.received_at.to_rfc3339());
        [id, at, receipt.verified_by.clone(), state(receipt).to_owned(), outcome]
    };
    let rows: Vec<_> = receipts.iter().map(row).collect();
    output::table(["RECEIPT", "RECEIVED", "VERIFIED BY", "STATE", "OUTCOME"], &rows);
    Ok(())
}

/// `heraut source test`.
pub async fn test(gateway: &Gateway, name: &str, from: &Path, json: bool) -> anyhow::Result<()> {
    let source = find(gateway, name).await?;
    let size = std::fs::metadata(from).with_context(|| format!("{} cannot be read", from.display()))?.len();
    if size > FILE_BYTES_MAX {
        bail!("{} has {size} bytes; at most {FILE_BYTES_MAX} are read", from.display());
    }
    let bytes = std::fs::read(from).with_context(|| format!("{} cannot be read", from.display()))?;
    let delivery = capture::read(&bytes, now().0).with_context(|| format!("{} is no request", from.display()))?;
    let signature = check_signature(gateway, &source, &delivery).await?;
    let actor = poll::load_actor(gateway, &source).await?;
    let told = preview::pushed(gateway, &source, &actor, delivery).await?;
    if json {
        return output::json(&match &told {
            Ok(shown) => json!({ "signature": signature, "ignored": null, "preview": shown }),
            Err(why) => json!({ "signature": signature, "ignored": why, "preview": null }),
        });
    }
    output::line(format!("signature: {signature}"));
    match told {
        Ok(shown) => print(&shown),
        Err(why) => output::line(format!("it would be acknowledged and ignored: {why}")),
    }
    Ok(())
}

/// What the signature of a captured request is worth.
async fn check_signature(gateway: &Gateway, source: &Source, delivery: &Delivery) -> anyhow::Result<String> {
    if keep::kind(source).is_some_and(|kind| kind.takes_tokens()) {
        return Ok("clients have a token, which is not looked at here".to_owned());
    }
    let Some(profile) = keep::profile(source)? else {
        bail!("source `{}` is of the kind `{}`, which takes nothing by webhook", source.name, source.kind);
    };
    let secrets = keep::open(gateway, source.id).await?.signing();
    let query = delivery.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
    let path = format!("/hooks/{}{query}", source.name);
    let request = Signed {
        method: "POST",
        path_and_query: &path,
        headers: &delivery.headers,
        body: &delivery.body,
        remote: None,
    };
    Ok(match profile.verify(&request, &secrets, now().0) {
        Ok(_) => format!("holds ({})", profile.name()),
        Err(problem) => format!("would be refused ({}): {problem}", profile.name()),
    })
}

/// `heraut source secret`.
pub async fn rotate(gateway: &Gateway, command: Rotate) -> anyhow::Result<()> {
    let source = find(gateway, &command.name).await?;
    if !keep::is_pushed(&source) {
        bail!("source `{}` is of the kind `{}`, which takes nothing by webhook", source.name, source.kind);
    }
    let known = keep::open(gateway, source.id).await?;
    let mut secrets = Vec::new();
    if let Some(file) = &command.secret_file {
        let fresh = read_secret(file)?;
        if known.secret.as_ref() != Some(&fresh) {
            secrets.push((Role::Previous, known.secret.clone()));
            secrets.push((Role::Secret, Some(fresh)));
        }
    }
    if let Some(file) = &command.token_file {
        secrets.push((Role::Token, Some(read_secret(file)?)));
    }
    if command.drop_previous {
        secrets.retain(|(role, _)| *role != Role::Previous);
        secrets.push((Role::Previous, None));
    }
    if command.secret_file.is_none() && command.token_file.is_none() && !command.drop_previous {
        bail!("nothing is to be done: give --secret-file, --token-file or --drop-previous");
    }
    let id = source.actor_id;
    let actor = gateway.store.read("read the actor of a source", move |db| actors::by_id(db, id)).await?;
    let actor = actor.with_context(|| format!("source `{}` feeds an actor that does not exist", source.name))?;
    let name = source.name.clone();
    let plan = SourcePlan {
        name: source.name,
        actor: actor.full_handle(),
        kind: source.kind,
        settings: source.settings,
        secrets,
    };
    provision::source(gateway, plan, By::Person(&who())).await?;
    output::line(format!("the secrets of source {name} are replaced; a running gateway takes them up within a second"));
    Ok(())
}
