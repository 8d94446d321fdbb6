//! `heraut init`.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, bail};
use clap::Args;

use crate::cli::output;
use crate::config::starter;
use crate::urls::Base;
use crate::vault::MasterKey;

/// `heraut init`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The root of every id that will be minted; choose it once.
    #[arg(long, value_name = "URL", default_value = "https://social.example.nl")]
    public_url: String,
}

/// Writes the configuration and the master key beside it. Refuses to overwrite either.
pub fn run(config: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    Base::parse(&arguments.public_url).context("--public-url")?;
    let folder = config.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let key = folder.join("master.key");
    for file in [config, &key] {
        if file.exists() {
            bail!("{} exists and is not overwritten; move it away, or give another file with --config", file.display());
        }
    }
    std::fs::create_dir_all(folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600) // it may come to hold the password of a database
        .open(config)
        .with_context(|| format!("{} cannot be written", config.display()))?;
    file.write_all(starter(&arguments.public_url).as_bytes())
        .with_context(|| format!("{} cannot be written", config.display()))?;
    MasterKey::generate()?.write_new(&key)?;
    output::line(format!("wrote {}", config.display()));
    output::line(format!("wrote {} (if it is lost, only a backup brings the actors back)", key.display()));
    output::line(format!(
        "next: see that server.public_url is right ({}), add an agency, an actor and a source, run `heraut check`, plan \
         `heraut backup`",
        arguments.public_url
    ));
    Ok(())
}
