//! `heraut agency`.

use std::path::Path;

use clap::Subcommand;
use serde_json::json;

use crate::cli::{open, output, who};
use crate::config::{parse_domain, parse_uri};
use crate::flow::provision::{self, By};
use crate::flow::registers::set_organisation;
use crate::store::{Db, actors, registers};

/// `heraut agency`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make an agency, or change the domain of the one with that name.
    Add {
        /// Its short name.
        name: String,
        /// The domain that a proof must show control of.
        #[arg(value_parser = parse_domain)]
        domain: String,
        /// As which organisation it stands in registers: a URI. What is known stays when this is not given.
        #[arg(long, value_name = "URI", value_parser = parse_uri)]
        organisation: Option<String>,
        /// Forget as which organisation it stands in registers: whichever has the domain there counts.
        #[arg(long, conflicts_with = "organisation")]
        no_organisation: bool,
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
        Command::Add { name, domain, organisation, no_organisation } => {
            let id = provision::agency(&gateway, &name, &domain, By::Person(&who())).await?;
            if organisation.is_some() || no_organisation {
                set_organisation(&gateway, &name, organisation.as_deref(), &who()).await?;
            }
            output::line(format!("agency {name} ({domain}) is {id}"));
        }
        Command::List { json } => {
            let load = |db: &mut Db<'_>| Ok((actors::list_agencies(db)?, registers::organisations(db)?));
            let (rows, organisations) = gateway.store.read("list agencies", load).await?;
            let organisation = |id| organisations.iter().find(|(agency, _)| *agency == id).map(|(_, uri)| uri.clone());
            if json {
                let described = |row: &actors::AgencyRow| {
                    let mut described = serde_json::to_value(row).unwrap_or_default();
                    if let Some(fields) = described.as_object_mut() {
                        fields.insert("organisation".to_owned(), json!(organisation(row.id)));
                    }
                    described
                };
                return output::json(&rows.iter().map(described).collect::<Vec<_>>());
            }
            let rows: Vec<_> = rows
                .into_iter()
                .map(|r| [r.name, r.domain, organisation(r.id).unwrap_or_default(), origin(r.provisioned)])
                .collect();
            output::table(["NAME", "DOMAIN", "ORGANISATION", "MADE BY"], &rows);
        }
    }
    Ok(())
}

/// Where something was made.
fn origin(provisioned: bool) -> String {
    if provisioned { "config.toml" } else { "command line" }.to_owned()
}
