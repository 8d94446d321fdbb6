//! `heraut actor`.

mod set;

use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::actor::verification::{Proof, VerifiedActor, document_for, document_url};
use crate::actor::{Actor, ActorKind, Handle, Language, Profile};
use crate::cli::{ladder, open, output, who};
use crate::flow::provision::{self, ActorPlan, By};
use crate::flow::{Gateway, now, rotation, verify};
use crate::store::{Db, actors, followers, proofs};

/// `heraut actor`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make an actor with its keys.
    Add(Add),
    /// List the actors.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show an actor, its keys and its proof.
    Show {
        /// Its handle, without @ and domain.
        handle: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Change how an actor is found and quoted; its followers are told.
    Set(set::Arguments),
    /// Look at every level of proof of an actor now, and say which hold, why not, and what to put where.
    Verify {
        /// Its handle, without @ and domain.
        handle: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make new keys: announced now, they sign after the overlap, and nobody has to follow anew.
    RotateKey(RotateKey),
    /// Print the file that the agency puts on its website.
    Proof {
        /// The handle of one of the agency's actors.
        handle: String,
    },
}

/// `heraut actor rotate-key`.
#[derive(Debug, Args)]
pub struct RotateKey {
    /// Its handle, without @ and domain.
    handle: String,
    /// For how many days the old keys go on signing: 2 to 90.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(2..=90), conflicts_with = "now")]
    overlap_days: u64,
    /// The old keys sign nothing more, and count for nothing: for a key that was stolen or lost. Servers that keep the old key
    /// refuse what comes until they look again, some for a day; and the agency must name the new key in its proof at once.
    #[arg(long)]
    now: bool,
}

/// `heraut actor add`.
#[derive(Debug, Args)]
pub struct Add {
    /// Its handle, without @ and domain.
    handle: String,
    /// The name of its agency.
    #[arg(long)]
    agency: String,
    /// Its language.
    #[arg(long, default_value = "nl")]
    language: String,
    /// Its display name.
    #[arg(long)]
    name: Option<String>,
    /// The domain of its handle, when that is not the host of server.public_url.
    #[arg(long)]
    handle_domain: Option<String>,
    /// Organization, Service, Person, Group or Application.
    #[arg(long = "type", default_value = "Organization")]
    kind: String,
}

/// Runs the command.
pub async fn run(config: &Path, command: Command) -> anyhow::Result<ExitCode> {
    let gateway = open(config).await?;
    match command {
        Command::Add(add) => {
            let actor = provision::actor(&gateway, plan(&gateway, add)?, By::Person(&who())).await?;
            output::line(format!("{} is {}", actor.full_handle(), actor.url));
            output::line(format!("next: `heraut actor proof {}`", actor.handle));
        }
        Command::List { json } => list(&gateway, json).await?,
        Command::Show { handle, json } => show(&gateway, &handle, json).await?,
        Command::Set(arguments) => set::run(&gateway, arguments).await?,
        Command::Verify { handle, json } => return verify(&gateway, &handle, json).await,
        Command::RotateKey(rotate) => rotate_key(&gateway, rotate).await?,
        Command::Proof { handle } => proof(&gateway, &handle).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn plan(gateway: &Gateway, add: Add) -> anyhow::Result<ActorPlan> {
    let kind: ActorKind = serde_json::from_value(json!(add.kind)).map_err(|_| {
        anyhow::anyhow!("--type `{}` is none of Organization, Service, Person, Group, Application", add.kind)
    })?;
    Ok(ActorPlan {
        agency: add.agency,
        handle: Handle::parse(&add.handle)?,
        handle_domain: add.handle_domain.unwrap_or_else(|| gateway.base.authority()),
        kind,
        language: Language::parse(&add.language)?,
        profile: Profile {
            name: add.name.unwrap_or(add.handle),
            discoverable: true,
            indexable: true,
            ..Profile::default()
        },
    })
}

/// The actor with that handle, which may be written with `@` and domain.
pub async fn find(gateway: &Gateway, handle: &str) -> anyhow::Result<Actor> {
    let name = handle.trim_start_matches('@').split('@').next().unwrap_or_default().to_owned();
    let found = gateway.store.read("read an actor", move |db| actors::by_handle(db, &name)).await?;
    match found {
        Some(actor) => Ok(actor),
        None => bail!("there is no actor `{handle}`; `heraut actor list` shows those that there are"),
    }
}

async fn list(gateway: &Gateway, json: bool) -> anyhow::Result<()> {
    let load = |db: &mut Db<'_>| {
        let all = actors::list(db)?;
        all.into_iter()
            .map(|actor| Ok((proofs::of_actor(db, actor.id)?, followers::count(db, actor.id)?, actor)))
            .collect()
    };
    let rows: Vec<(Proof, i64, Actor)> = gateway.store.read("list actors", load).await?;
    let rows: Vec<_> = rows.into_iter().map(|(proof, count, actor)| describe(gateway, &actor, &proof, count)).collect();
    if json {
        return output::json(&rows);
    }
    let text = |row: &serde_json::Value, key: &str| match row.get(key) {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            [text(row, "handle"), text(row, "agency"), text(row, "url"), text(row, "verified"), text(row, "followers")]
        })
        .collect();
    output::table(["HANDLE", "AGENCY", "URL", "VERIFIED", "FOLLOWERS"], &rows);
    Ok(())
}

fn describe(gateway: &Gateway, actor: &Actor, proof: &Proof, followers: i64) -> serde_json::Value {
    let verified = VerifiedActor::prove(actor.clone(), proof, &gateway.settings.proof_times, now());
    json!({
        "handle": actor.full_handle(),
        "name": actor.profile.name,
        "agency": actor.agency.name,
        "domain": actor.agency.domain,
        "type": actor.kind.name(),
        "language": actor.language,
        "url": actor.url,
        "page": gateway.base.actor_page(actor.handle.as_str()),
        "key_fingerprint": actor.keys.fingerprint(),
        "key_id": actor.keys.serial.rsa_key_id(&actor.url),
        "other_fingerprints": actor.keys.fingerprints().split_off(1),
        "verified": verified.is_ok(),
        "verified_until": verified.as_ref().ok().map(|v| v.until().to_rfc3339()),
        "proof_failure": verified.err().map(|e| e.to_string()),
        "proof_level": proof.level,
        "proof_ends_at": proof.ends_at.map(|at| at.to_rfc3339()),
        "proof_steps": proof.steps.iter().map(ladder::step_json).collect::<Vec<_>>(),
        "proof_checked_at": proof.checked_at.map(|at| at.to_rfc3339()),
        "followers": followers,
        "discoverable": actor.profile.discoverable,
        "indexable": actor.profile.indexable,
        "quotes": actor.profile.quotes.name(),
        "featured_tags": actor.profile.featured_tags,
        "attribution_domains": actor.attribution_domains(),
        "creator_meta": format!("<meta name=\"fediverse:creator\" content=\"{}\">", actor.full_handle()),
    })
}

async fn show(gateway: &Gateway, handle: &str, json: bool) -> anyhow::Result<()> {
    let actor = find(gateway, handle).await?;
    let id = actor.id;
    let load = move |db: &mut Db<'_>| Ok((proofs::of_actor(db, id)?, followers::count(db, id)?));
    let (proof, count) = gateway.store.read("read a proof", load).await?;
    let row = describe(gateway, &actor, &proof, count);
    if json {
        return output::json(&row);
    }
    for (key, value) in row.as_object().into_iter().flatten().filter(|(_, value)| !value.is_array()) {
        let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        output::line(format!("{key:<19} {value}"));
    }
    ladder::print(gateway, &proof.steps);
    Ok(())
}

async fn verify(gateway: &Gateway, handle: &str, json: bool) -> anyhow::Result<ExitCode> {
    let actor = find(gateway, handle).await?;
    let all = gateway.store.read("list actors", actors::list).await?;
    let own: Vec<&Actor> = all.iter().filter(|other| other.agency.id == actor.agency.id).collect();
    let checked = verify::check(gateway, actor.id, &who()).await?;
    let code = if checked.failure.is_none() { ExitCode::SUCCESS } else { ExitCode::from(1) };
    if json {
        output::json(&ladder::as_json(gateway, &actor, &own, &checked))?;
        return Ok(code);
    }
    output::line(format!("fetched  {}", checked.url));
    match &checked.failure {
        Some(failure) => output::line(format!("fails    {failure}")),
        None => output::line(format!("holds    {} with key {}", actor.url, actor.keys.fingerprint())),
    }
    match VerifiedActor::prove(actor.clone(), &checked.proof, &gateway.settings.proof_times, now()) {
        Ok(verified) => output::line(format!("until    {} if it is not renewed before", verified.until())),
        Err(why) => output::line(format!("frozen   {why}")),
    }
    if checked.released > 0 {
        output::line(format!("released {} posts, changes and deliveries that waited for it", checked.released));
    }
    ladder::print(gateway, &checked.proof.steps);
    ladder::print_ways(gateway, &actor, &own, &checked.proof.steps);
    Ok(code)
}

async fn rotate_key(gateway: &Gateway, rotate: RotateKey) -> anyhow::Result<()> {
    let actor = find(gateway, &rotate.handle).await?;
    if rotate.now {
        let replaced = rotation::replace_now(gateway, &actor, &who()).await?;
        output::line(format!("signs    {} from now on", replaced.keys.serial.rsa_key_id(&replaced.url)));
        output::line("forgotten  all keys before");
        output::line(format!("next: put this at {} at once, or posts are held:", document_url(&actor.agency)));
    } else {
        let overlap = std::time::Duration::from_secs(rotate.overlap_days * 86_400);
        let switch_at = rotation::begin(gateway, &actor, overlap, &who()).await?;
        output::line(format!("signs    {} until {switch_at}", actor.keys.serial.rsa_key_id(&actor.url)));
        output::line(format!(
            "next: put this at {} before that; both keys count until then:",
            document_url(&actor.agency)
        ));
    }
    output::line(String::new());
    proof(gateway, &rotate.handle).await
}

async fn proof(gateway: &Gateway, handle: &str) -> anyhow::Result<()> {
    let actor = find(gateway, handle).await?;
    let all = gateway.store.read("list actors", actors::list).await?;
    let own: Vec<&Actor> = all.iter().filter(|other| other.agency.id == actor.agency.id).collect();
    output::note(format!("for {}", document_url(&actor.agency)));
    output::line(document_for(&own).trim_end());
    Ok(())
}

/// An actor to preview with where none is configured; it lives in a database that goes away.
pub async fn example(gateway: &Gateway) -> anyhow::Result<Actor> {
    provision::agency(gateway, "preview", "preview.invalid", By::Config).await?;
    let add = Add {
        handle: "preview".to_owned(),
        agency: "preview".to_owned(),
        language: "nl".to_owned(),
        name: None,
        handle_domain: None,
        kind: "Organization".to_owned(),
    };
    Ok(provision::actor(gateway, plan(gateway, add)?, By::Config).await?)
}
