//! The command line. Exit codes: 0 done, 1 failed (with the reason and the way out on standard error), 2 wrong usage.

mod actor;
mod agency;
mod audit;
mod backup;
mod check;
mod continuity;
mod deliveries;
mod demo;
mod handover;
mod init;
mod ladder;
mod message;
pub mod output;
mod post;
mod quote;
mod register;
mod relay;
mod restore;
mod serve;
mod source;
mod target;
mod token;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::app;
use crate::config::{Config, environment};
use crate::flow::Shared;
use crate::telemetry::{self, Collector, LogFormat};

/// Republishes what agencies publish to the fediverse, as signed Notes from verified actors.
#[derive(Debug, Parser)]
#[command(name = "heraut", version, about, max_term_width = 100)]
struct Arguments {
    /// The configuration file.
    #[arg(long, short, global = true, default_value = "config.toml", value_name = "FILE")]
    config: PathBuf,
    /// Log as JSON lines, whatever standard error is.
    #[arg(long, global = true)]
    log_json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show it all: an agency's site, the gateway and a follower's server on this machine.
    Demo(demo::Arguments),
    /// Run the gateway.
    Serve(serve::Arguments),
    /// Write a config.toml and a master key to start from; never overwrites.
    Init(init::Arguments),
    /// Say what is wrong with configuration, database, keys, WebFinger and proofs, and what to do.
    Check(check::Arguments),
    /// Agencies: the organisations that speak.
    #[command(subcommand)]
    Agency(agency::Command),
    /// Actors: their voices.
    #[command(subcommand)]
    Actor(actor::Command),
    /// Registers: lists of others that proofs ask.
    #[command(subcommand)]
    Register(register::Command),
    /// Sources: what feeds actors.
    #[command(subcommand)]
    Source(source::Command),
    /// Targets: accounts on other servers to which posts go too.
    #[command(subcommand)]
    Target(target::Command),
    /// Tokens: by which clients write to sources.
    #[command(subcommand)]
    Token(token::Command),
    /// Posts: what was, is and will be published.
    #[command(subcommand)]
    Post(post::Command),
    /// Quotes: who quotes posts with our leave, and who asks for it.
    #[command(subcommand)]
    Quote(quote::Command),
    /// Relays: who passes an agency's posts on to servers that follow nobody of it.
    #[command(subcommand)]
    Relay(relay::Command),
    /// Messages: what citizens replied.
    #[command(subcommand)]
    Message(message::Command),
    /// Receipts: who got what, who refused, what is due when.
    Deliveries(deliveries::Arguments),
    /// The audit log: who did what, newest first.
    Audit(audit::Arguments),
    /// Write everything, keys and pictures too, into one encrypted file; also while the gateway runs.
    Backup(backup::Arguments),
    /// Fill an empty database from a backup, of either kind of database.
    Restore(restore::Arguments),
    /// Write one actor into an encrypted file, for another installation to take in; this one says nothing more as it.
    #[command(subcommand)]
    Export(handover::Export),
    /// Take in an actor that another installation handed over.
    #[command(subcommand)]
    Import(handover::Import),
    /// Apply pending migrations to the database.
    Migrate,
}

/// Runs the program.
pub fn main() -> ExitCode {
    // libpq must not start OpenSSL first: then OpenSSL tears itself down at exit, under the feet of threads that still use it,
    // and a command that did its work ends by a signal.
    openssl::init();
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(code) => code,
        Err(error) => {
            output::note(format!("heraut: {}", chain(&error)));
            ExitCode::from(1)
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let format = if arguments.log_json { LogFormat::Json } else { LogFormat::default() };
    let quiet = !matches!(arguments.command, Command::Serve(_));
    let filter = environment::log_filter().or_else(|| quiet.then(|| "off".to_owned()));
    let collector = environment::collector().filter(|_| !quiet).map(|named| Collector { named });
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let sending = {
        let _entered = runtime.enter();
        telemetry::init(format, filter.as_deref(), collector)?
    };
    let ended = runtime.block_on(dispatch(arguments));
    sending.stop();
    // A hop to a database that does not answer must not keep a process that was told to stop.
    runtime.shutdown_timeout(app::LET_GO_WITHIN);
    ended
}

async fn dispatch(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let config = arguments.config.as_path();
    match arguments.command {
        Command::Demo(command) => demo::run(&command).await?,
        Command::Serve(command) => serve::run(config, &command).await?,
        Command::Init(command) => init::run(config, &command)?,
        Command::Check(command) => return check::run(config, &command).await,
        Command::Agency(command) => agency::run(config, command).await?,
        Command::Actor(command) => return actor::run(config, command).await,
        Command::Register(command) => return register::run(config, command).await,
        Command::Source(command) => source::run(config, command).await?,
        Command::Target(command) => return target::run(config, command).await,
        Command::Token(command) => token::run(config, command).await?,
        Command::Post(command) => post::run(config, command).await?,
        Command::Quote(command) => quote::run(config, command).await?,
        Command::Relay(command) => relay::run(config, command).await?,
        Command::Message(command) => message::run(config, command).await?,
        Command::Deliveries(command) => deliveries::run(config, &command).await?,
        Command::Audit(command) => audit::run(config, &command).await?,
        Command::Backup(command) => backup::run(config, command).await?,
        Command::Restore(command) => restore::run(config, command).await?,
        Command::Export(handover::Export::Actor(command)) => handover::export(config, command).await?,
        Command::Import(handover::Import::Actor(command)) => handover::import(config, command).await?,
        Command::Migrate => {
            open(config).await?;
            output::line("the database is up to date");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The gateway of a configuration file, with what the file names in its database.
async fn open(config: &Path) -> anyhow::Result<Shared> {
    let (gateway, _) = open_with(config).await?;
    Ok(gateway)
}

async fn open_with(config: &Path) -> anyhow::Result<(Shared, Config)> {
    let config = Config::load(config)?;
    let gateway = app::gateway(&config)?;
    app::provision(&gateway, &config).await?;
    Ok((gateway, config))
}

/// Who acts, for the audit log.
fn who() -> String {
    environment::user().map_or_else(|| "cli".to_owned(), |user| format!("cli:{user}"))
}

/// An error and its causes in one line. A cause that its effect already tells is left out.
fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}
