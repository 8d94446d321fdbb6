//! `heraut export actor` and `heraut import actor`: an actor goes on at another installation, with its ids, keys, followers and
//! posts, because its host goes along.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};

use crate::actor::Actor;
use crate::actor::continuity::ActorState;
use crate::backup::create::{self, Installation};
use crate::backup::file::NewFile;
use crate::backup::import::{self, Target};
use crate::backup::manifest::{Manifest, Summary};
use crate::cli::actor::find;
use crate::cli::backup::{open as open_file, passphrase, watched};
use crate::cli::{open_with, output, who};
use crate::flow::mint::Mint;
use crate::flow::{Gateway, continuity, now};
use crate::ids::AuditId;
use crate::store::audit::Entry;
use crate::vault::MasterKey;

/// For how long is waited for what was under way when an actor was handed over.
const SETTLE: Duration = Duration::from_secs(3);

/// `heraut export`.
#[derive(Debug, Subcommand)]
pub enum Export {
    /// Hand an actor over: it says nothing more here, and the file takes along its keys, ids, followers, posts and sources.
    Actor(ExportActor),
}

/// `heraut import`.
#[derive(Debug, Subcommand)]
pub enum Import {
    /// Take in an actor that `heraut export actor` wrote on another installation.
    Actor(ImportActor),
}

/// `heraut export actor`.
#[derive(Debug, Args)]
pub struct ExportActor {
    /// Its handle.
    handle: String,
    /// Where to write the file.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// The file with the passphrase; else HERAUT_BACKUP_PASSPHRASE. Who takes the actor in needs it too.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// The host of server.public_url itself moves to the other installation: only then an actor whose id is on it can go.
    #[arg(long)]
    with_public_host: bool,
}

/// `heraut import actor`.
#[derive(Debug, Args)]
pub struct ImportActor {
    /// The file.
    file: PathBuf,
    /// The file with the passphrase; else HERAUT_BACKUP_PASSPHRASE.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// Hands an actor over and writes its file. May be repeated: an actor that is handed over is written as it is.
pub async fn export(config: &Path, arguments: ExportActor) -> anyhow::Result<()> {
    let passphrase = passphrase(arguments.passphrase_file.as_deref())?;
    let (gateway, config) = open_with(config).await?;
    let actor = find(&gateway, &arguments.handle).await?;
    check_host(&gateway, &actor, arguments.with_public_host)?;
    // Whatever could go wrong with the file goes wrong before anything is changed.
    let mut file = NewFile::create(&arguments.to, false)?;
    if passphrase.expose().chars().count() < crate::backup::PASSPHRASE_MIN {
        return Err(crate::backup::BackupError::ShortPassphrase.into());
    }
    let actor = handed_over(&gateway, actor).await?;
    let (id, url, handle) = (actor.id, actor.url.clone(), actor.full_handle());
    let made = watched(move |watch| {
        let master = MasterKey::load(&config.keys.master_key_file, config.keys.master_key.as_ref())?;
        let public_url = config.server.public_url.root();
        let installation = Installation {
            database: config.database.url.expose(),
            media: &config.media.dir,
            public_url: &public_url,
            master: &master,
            now: now(),
            only: Some((id, url)),
        };
        let made = create::write(file.file(), &passphrase, &installation, watch)?;
        file.keep()?;
        Ok(made)
    });
    let (_, summary) = made.await.with_context(|| {
        format!(
            "{handle} is handed over, and no file was written; run the command again, or `heraut actor resume {}` to take it back",
            arguments.handle
        )
    })?;
    output::note(format!("made {}: {}", arguments.to.display(), told(&summary)));
    output::line(format!(
        "{handle} says nothing more here; its page and posts can still be read until its host leads elsewhere"
    ));
    output::line(
        "next, on the other installation: heraut import actor <file>; then lead the host there, and run heraut check",
    );
    Ok(())
}

/// Only an actor whose host goes along can go.
fn check_host(gateway: &Gateway, actor: &Actor, with_public_host: bool) -> anyhow::Result<()> {
    if actor.base() != gateway.base || with_public_host {
        return Ok(());
    }
    bail!(
        "{} is {}, on the host of this installation, and ids never change. Where that host stays here, make a new actor on the other \
         installation with this one as its alias, and lead the followers there: heraut actor move {} --to <id of the new actor> \
         (docs/moving.md). Where the host itself moves to the other installation: --with-public-host",
        actor.full_handle(),
        actor.url,
        actor.handle
    );
}

async fn handed_over(gateway: &Gateway, actor: Actor) -> anyhow::Result<Actor> {
    if actor.continuity.state == ActorState::HandedOver {
        return Ok(actor);
    }
    let changed = continuity::hand_over(gateway, actor, &who()).await?;
    output::note("heraut: handed over; what is under way is let end");
    tokio::time::sleep(SETTLE).await;
    Ok(changed.actor)
}

/// Takes an actor in.
pub async fn import(config: &Path, arguments: ImportActor) -> anyhow::Result<()> {
    let passphrase = passphrase(arguments.passphrase_file.as_deref())?;
    // Brings the database up to date, and makes what the configuration names: the agency with its host may be there.
    let (gateway, config) = open_with(config).await?;
    let shown = arguments.file.display().to_string();
    let home = gateway.base.clone();
    drop(gateway);
    let (manifest, summary) = watched(move |watch| {
        let master = MasterKey::load(&config.keys.master_key_file, config.keys.master_key.as_ref())?;
        let mint = Mint::default();
        let target = Target {
            database: config.database.url.expose(),
            media: &config.media.dir,
            home: &home,
            master: &master,
            mint: &|| mint.next(),
            now: now(),
        };
        Ok(import::import(open_file(&arguments.file)?, &passphrase, &target, entry, watch)?)
    })
    .await
    .with_context(|| format!("nothing of {shown} was taken in, and the database is as it was"))?;
    let url = manifest.actor.clone().unwrap_or_default();
    output::line(format!("{url} is here now: {}", told(&summary)));
    output::line(
        "next: lead its host here, with its certificate and Host header; leave the proof on the agency's site as it is, because the \
         keys are the same; run `heraut check`. Nothing is sent before the proof was seen from here",
    );
    Ok(())
}

fn told(summary: &Summary) -> String {
    let rows = |table: &str| summary.tables.get(table).map_or(0, |rows| rows.rows);
    format!(
        "{} followers, {} posts, {} sources, {} pictures",
        rows("followers"),
        rows("posts"),
        rows("sources"),
        summary.media.files
    )
}

/// The act, for the audit log.
fn entry(manifest: &Manifest) -> Entry {
    let actor = manifest.actor.clone().unwrap_or_default();
    Entry {
        id: AuditId(Mint::default().next()),
        at: now(),
        who: who(),
        act: "actor.import".to_owned(),
        subject: actor,
        detail: format!("from {}, handed over before {}", manifest.public_url, manifest.made_at),
    }
}
