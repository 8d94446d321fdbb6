//! `heraut serve`.

use std::path::Path;

use anyhow::Context;
use clap::{Args, ValueEnum};

use crate::app;
use crate::cli::{open_with, output};
use crate::flow::schedule::{Roles, Stopper};

/// `heraut serve`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What this process does; all of it by default.
    #[arg(long, value_delimiter = ',', value_name = "ROLE", default_values_t = [Role::Web, Role::Ingest, Role::Deliver])]
    role: Vec<Role>,
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

/// Runs the gateway until SIGTERM or Ctrl-C.
pub async fn run(config: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    let (gateway, config) = open_with(config).await?;
    let _alone = app::be_alone(&gateway, &config).await?;
    let (stopper, stop) = Stopper::new();
    let has = |role| arguments.role.contains(&role);
    let roles = Roles { ingest: has(Role::Ingest), deliver: has(Role::Deliver) };
    let running = app::start(&gateway, &config, has(Role::Web), roles, &stop)?;
    for address in &running.addresses {
        tracing::info!(%address, public_url = gateway.base.root(), "serving");
        output::note(format!("heraut: serving {} on http://{address}", gateway.base.root()));
    }
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .context("the signal SIGTERM cannot be listened for")?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        stopper.stop();
        // A second signal must not wait for anything.
        terminate.recv().await;
    });
    Ok(running.run(stop).await?)
}
