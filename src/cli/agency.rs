//! `heraut agency`.

use std::path::Path;

use clap::Subcommand;

use crate::cli::{open, output, who};
use crate::flow::provision::{self, By};
use crate::store::actors;

/// `heraut agency`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make an agency, or change the domain of the one with that name.
    Add {
        /// Its short name.
        name: String,
        /// The domain that a proof must show control of.
        domain: String,
    },
    /// List the agencies.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub async fn run(config: &Path, command: Command) -> anyhow::Result<()> {
    let gateway = open(config).await?;
    match command {
        Command::Add { name, domain } => {
            let id = provision::agency(&gateway, &name, &domain, By::Person(&who())).await?;
            output::line(format!("agency {name} ({domain}) is {id}"));
        }
        Command::List { json } => {
            let rows = gateway.store.read("list agencies", actors::list_agencies).await?;
            if json {
                return output::json(&rows);
            }
            let rows: Vec<_> = rows.into_iter().map(|r| [r.name, r.domain, origin(r.provisioned)]).collect();
            output::table(["NAME", "DOMAIN", "MADE BY"], &rows);
        }
    }
    Ok(())
}

/// Where something was made.
fn origin(provisioned: bool) -> String {
    if provisioned { "config.toml" } else { "command line" }.to_owned()
}
