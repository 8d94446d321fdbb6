//! `heraut restore`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use crate::app;
use crate::backup::manifest::Manifest;
use crate::backup::restore::{self, Target};
use crate::cli::backup::{check, open, passphrase, told, watched};
use crate::cli::{output, who};
use crate::config::Config;
use crate::flow::mint::Mint;
use crate::flow::now;
use crate::ids::AuditId;
use crate::store::audit::Entry;
use crate::vault::MasterKey;

/// `heraut restore`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The backup; `-` is standard input.
    file: PathBuf,
    /// Restore nothing: read the backup from end to end, and say whether it is whole and what is in it.
    #[arg(long)]
    check: bool,
    /// The file with the passphrase; else HERAUT_BACKUP_PASSPHRASE.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

/// Runs the command.
pub async fn run(config: &Path, arguments: Arguments) -> anyhow::Result<()> {
    let passphrase = passphrase(arguments.passphrase_file.as_deref())?;
    if arguments.check {
        return check(arguments.file, passphrase, false).await;
    }
    let config = Config::load(config)?;
    let master = MasterKey::load(&config.keys.master_key_file, config.keys.master_key.as_ref())?;
    // Held until the end: no gateway starts on this database meanwhile.
    let alone = app::lock(&config)?;
    let shown = arguments.file.display().to_string();
    let (manifest, summary) = watched(move |watch| {
        let public_url = config.server.public_url.root();
        let target = Target {
            database: config.database.url.expose(),
            media: &config.media.dir,
            public_url: &public_url,
            master: &master,
        };
        Ok(restore::restore(open(&arguments.file)?, &passphrase, &target, entry, watch)?)
    })
    .await
    .with_context(|| format!("{shown} was not restored, and the database is as it was"))?;
    drop(alone);
    output::line(format!("restored {}", told(&manifest, &summary)));
    output::line(format!(
        "before `heraut serve`: make sure that the old gateway does not run any more and cannot start again. Two gateways \
         with the same actors contradict each other, and followers see both. What was delivered after {} may be sent again; \
         servers know it by its id and drop it. What was published or followed after that time is not known here.",
        manifest.made_at
    ));
    Ok(())
}

/// The act, for the audit log.
fn entry(manifest: &Manifest) -> Entry {
    Entry {
        id: AuditId(Mint::default().next()),
        at: now(),
        who: who(),
        act: "database.restore".to_owned(),
        subject: manifest.public_url.clone(),
        detail: format!(
            "from a backup of {}, made by heraut {} on {}",
            manifest.made_at, manifest.heraut, manifest.database
        ),
    }
}
