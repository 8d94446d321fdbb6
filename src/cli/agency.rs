//! `heraut agency`.

use std::path::Path;

use anyhow::Context as _;
use clap::Subcommand;

use crate::cli::{open, output, who};
use crate::flow::provision::{self, AgencyPlan, By};
use crate::store::actors;
use crate::urls::Base;

/// `heraut agency`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make an agency, or change the domain of the one with that name.
    Add {
        /// Its short name.
        name: String,
        /// The domain that a proof must show control of.
        domain: String,
        /// The root of the ids of its new actors, as https://social.voorbeeldstad.example; else server.public_url, or as it was.
        #[arg(long, value_name = "URL")]
        host: Option<String>,
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
        Command::Add { name, domain, host } => {
            let wanted = name.clone();
            let known = gateway.store.read("read an agency", move |db| actors::agency_by_name(db, &wanted)).await?;
            let host = host.or(known.and_then(|known| known.host));
            let host = host.as_deref().map(Base::parse).transpose().context("--host")?;
            let plan = AgencyPlan { name: name.clone(), domain: domain.clone(), host };
            let id = provision::agency(&gateway, plan, By::Person(&who())).await?;
            output::line(format!("agency {name} ({domain}) is {id}"));
        }
        Command::List { json } => {
            let rows = gateway.store.read("list agencies", actors::list_agencies).await?;
            if json {
                return output::json(&rows);
            }
            let rows: Vec<_> = rows
                .into_iter()
                .map(|r| [r.name, r.domain, r.host.unwrap_or_default(), origin(r.provisioned)])
                .collect();
            output::table(["NAME", "DOMAIN", "HOST", "MADE BY"], &rows);
        }
    }
    Ok(())
}

/// Where something was made.
fn origin(provisioned: bool) -> String {
    if provisioned { "config.toml" } else { "command line" }.to_owned()
}
