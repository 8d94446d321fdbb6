//! `heraut serve`.

use std::path::Path;

use anyhow::Context;
use clap::{Args, ValueEnum};

use crate::app::{self, Work};
use crate::cli::{open_with, output};
use crate::config::{MetricsListen, environment};
use crate::flow::schedule::{Roles, Stopper};

/// `heraut serve`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What this process does; all of it by default.
    #[arg(long, value_delimiter = ',', value_name = "ROLE", default_values_t = [Role::Web, Role::Ingest, Role::Deliver])]
    role: Vec<Role>,
    /// Where this process shows metrics and health, or `off`; instead of server.metrics_listen.
    #[arg(long, value_name = "ADDRESS")]
    metrics_listen: Option<MetricsListen>,
}

/// Part of the work, for several processes on one PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Serve HTTP.
    Web,
    /// Poll sources, check proofs, publish.
    Ingest,
    /// Deliver.
    Deliver,
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Web => "web",
            Self::Ingest => "ingest",
            Self::Deliver => "deliver",
        })
    }
}

/// Files and connections that the process asks to have open: those to 1,000 hosts, those that wait aside, and the crowd's.
const OPEN_FILES: u64 = 65_536;
/// With fewer a crowd, or many servers that hang, may find no place.
const OPEN_FILES_MIN: u64 = 4_096;

/// Raises the soft limit of open files, which is 1,024 in many places, as far as the hard limit allows.
fn raise_open_files() {
    match rlimit::increase_nofile_limit(OPEN_FILES) {
        Ok(limit) if limit < OPEN_FILES_MIN => {
            tracing::warn!(limit, "few open files are allowed; raise the hard limit (LimitNOFILE= of the service)");
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the limit of open files cannot be raised"),
    }
}

/// Runs the gateway until SIGTERM or Ctrl-C.
pub async fn run(config: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    raise_open_files();
    let (gateway, config) = open_with(config).await?;
    let _alone = app::be_alone(&gateway, &config).await?;
    let (stopper, stop) = Stopper::new();
    let has = |role| arguments.role.contains(&role);
    let roles = Roles { ingest: has(Role::Ingest), deliver: has(Role::Deliver) };
    if roles.deliver && gateway.settings.bench_ed25519 {
        tracing::warn!(
            variable = environment::BENCH_SIGNATURE,
            "deliveries are signed by RFC 9421 with Ed25519, which most peers refuse: that is for a benchmark; unset the variable"
        );
    }
    let metrics = arguments.metrics_listen.unwrap_or(config.server.metrics_listen);
    let running = app::start(&gateway, &config, Work { web: has(Role::Web), roles, metrics }, &stop)?;
    for address in &running.addresses {
        tracing::info!(%address, public_url = gateway.base.root(), "serving");
        output::note(format!("heraut: serving {} on http://{address}", gateway.base.root()));
    }
    if let Some(address) = running.metrics {
        tracing::info!(%address, "metrics are shown");
        output::note(format!("heraut: metrics on http://{address}/metrics"));
    }
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .context("the signal SIGTERM cannot be listened for")?;
    let signalled = stopper.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        signalled.stop();
        // Whoever asks a second time does not want to wait.
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        std::process::exit(1);
    });
    Ok(running.run(stopper, stop).await?)
}
