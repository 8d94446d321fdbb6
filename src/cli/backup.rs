//! `heraut backup`.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use serde_json::json;

use crate::backup::create::{self, Installation};
use crate::backup::file::NewFile;
use crate::backup::manifest::{Manifest, Summary};
use crate::backup::read::{self, Check};
use crate::backup::{self, BackupError, Progress, Watch};
use crate::cli::output;
use crate::config::{Config, Secret, environment};
use crate::flow::now;
use crate::vault::MasterKey;

/// Between two lines about progress where there is no terminal.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// The same on a terminal, where they replace each other.
const SHOW_EVERY: Duration = Duration::from_millis(100);

/// `heraut backup`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Where to write the backup; `-` is standard output.
    #[arg(long, value_name = "FILE", required_unless_present = "check", conflicts_with = "check")]
    to: Option<PathBuf>,
    /// Replace the file if it is there, at the moment when the new backup is whole.
    #[arg(long, requires = "to")]
    replace: bool,
    /// Make nothing: read this backup from end to end, and say whether it is whole and what is in it; `-` is standard input.
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
    /// The file with the passphrase; else HERAUT_BACKUP_PASSPHRASE.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// With --check: the manifest and the summary as JSON.
    #[arg(long, requires = "check")]
    json: bool,
}

/// Runs the command.
pub async fn run(config: &Path, arguments: Arguments) -> anyhow::Result<()> {
    let passphrase = passphrase(arguments.passphrase_file.as_deref())?;
    if let Some(file) = arguments.check {
        return check(file, passphrase, arguments.json).await;
    }
    let config = Config::load(config)?;
    let to = arguments.to.unwrap_or_default();
    let shown = to.display().to_string();
    let (manifest, summary) = watched(move |watch| {
        let master = MasterKey::load(&config.keys.master_key_file, config.keys.master_key.as_ref())?;
        let public_url = config.server.public_url.root();
        let installation = Installation {
            database: config.database.url.expose(),
            media: &config.media.dir,
            public_url: &public_url,
            master: &master,
            now: now(),
            only: None,
        };
        if to.as_os_str() == "-" {
            if io::stdout().is_terminal() {
                anyhow::bail!("a backup is not for a terminal; redirect standard output, or give a file by --to");
            }
            return Ok(create::write(io::stdout().lock(), &passphrase, &installation, watch)?);
        }
        let mut file = NewFile::create(&to, arguments.replace)?;
        let made = create::write(file.file(), &passphrase, &installation, watch)?;
        file.keep()?;
        Ok(made)
    })
    .await
    .with_context(|| format!("no backup was made to {shown}"))?;
    output::note(format!("made {shown}: {}", told(&manifest, &summary)));
    Ok(())
}

/// Reads a backup from end to end, and prints what it is.
pub async fn check(file: PathBuf, passphrase: Secret, json: bool) -> anyhow::Result<()> {
    let shown = if file.as_os_str() == "-" { "standard input".to_owned() } else { file.display().to_string() };
    let checked = watched(move |watch| Ok(read::read(open(&file)?, &passphrase, &mut Check, watch)?));
    let (manifest, summary) = checked.await.with_context(|| format!("the backup {shown} cannot be used"))?;
    if json {
        return output::json(&json!({ "manifest": manifest, "summary": summary }));
    }
    output::line(format!("{shown} is whole: {}", told(&manifest, &summary)));
    output::line(format!(
        "made by heraut {} on {}, schema {}",
        manifest.heraut,
        manifest.database,
        manifest.schema.join(" ")
    ));
    let rows: Vec<_> = create::counts(&summary).into_iter().map(|(name, n)| [name.to_owned(), n.to_string()]).collect();
    output::table(["TABLE", "ROWS"], &rows);
    Ok(())
}

/// Opens a backup; `-` is standard input.
pub fn open(file: &Path) -> io::Result<Box<dyn Read>> {
    if file.as_os_str() == "-" {
        return Ok(Box::new(io::stdin().lock()));
    }
    Ok(Box::new(File::open(file)?))
}

/// A backup in one sentence.
pub fn told(manifest: &Manifest, summary: &Summary) -> String {
    let missing = match summary.media.problems {
        0 => String::new(),
        n => format!(" ({n} were missing or damaged)"),
    };
    format!(
        "{} as of {}, {} rows in {} tables, {} pictures{missing}",
        manifest.public_url,
        manifest.made_at,
        summary.rows(),
        summary.tables.len(),
        summary.media.files
    )
}

/// The passphrase of a command.
pub fn passphrase(file: Option<&Path>) -> anyhow::Result<Secret> {
    Ok(backup::passphrase(file, environment::backup_passphrase())?)
}

/// Does long work beside the runtime: tells how far it is, and ends it on Ctrl-C or SIGTERM, so that nothing is left behind.
pub async fn watched<T: Send + 'static>(
    work: impl FnOnce(&Watch<'_>) -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopping = stop.clone();
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .context("the signal SIGTERM cannot be listened for")?;
    let listener = tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        stopping.store(true, Ordering::Relaxed);
        output::note("heraut: stopping; ask once more to end at once");
        // The work looks now and then; who asks again does not want to wait for that.
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        std::process::exit(1);
    });
    let done = tokio::task::spawn_blocking(move || {
        let teller = std::cell::RefCell::new(Teller::new());
        let tell = |progress: Progress<'_>| teller.borrow_mut().tell(progress);
        let done = work(&Watch { stop: &stop, tell: &tell });
        teller.borrow().end();
        // What failed then is mostly a pipe whose other end was asked to stop as well.
        done.map_err(|error| if stop.load(Ordering::Relaxed) { BackupError::Stopped.into() } else { error })
    });
    let done = done.await.context("the work ended by a defect")?;
    listener.abort();
    done
}

/// One line that changes on a terminal, a line now and then elsewhere.
struct Teller {
    terminal: bool,
    shown: bool,
    last: Instant,
}

impl Teller {
    fn new() -> Self {
        Self { terminal: io::stderr().is_terminal(), shown: false, last: Instant::now() }
    }

    fn tell(&mut self, progress: Progress<'_>) {
        let text = match progress {
            Progress::Rows(table, rows) => format!("{table}: {rows} rows"),
            Progress::Pictures(files) => format!("{files} pictures"),
            Progress::Problem(text) => {
                self.end();
                output::note(format!("heraut: {text}"));
                return;
            }
        };
        if self.last.elapsed() < if self.terminal { SHOW_EVERY } else { TELL_EVERY } {
            return;
        }
        self.last = Instant::now();
        self.shown = self.terminal;
        if self.terminal { output::status(&text) } else { output::note(text) }
    }

    /// Leaves the line clean.
    fn end(&self) {
        if self.shown {
            output::status("");
        }
    }
}
