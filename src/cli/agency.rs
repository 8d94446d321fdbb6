//! `heraut agency`.

use std::path::Path;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;

use crate::cli::{open, output, who};
use crate::config::{parse_domain, parse_uri};
use crate::flow::provision::{self, AgencyPlan, By};
use crate::flow::registers::set_organisation;
use crate::store::{Db, actors, registers};
use crate::urls::Base;

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
        Command::Add { name, domain, organisation, no_organisation, host } => {
            let wanted = name.clone();
            let known = gateway.store.read("read an agency", move |db| actors::agency_by_name(db, &wanted)).await?;
            let host = host.or(known.and_then(|known| known.host));
            let host = host.as_deref().map(Base::parse).transpose().context("--host")?;
            let plan = AgencyPlan { name: name.clone(), domain: domain.clone(), host };
            let id = provision::agency(&gateway, plan, By::Person(&who())).await?;
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
                .map(|r| {
                    let organisation = organisation(r.id).unwrap_or_default();
                    [r.name, r.domain, r.host.unwrap_or_default(), organisation, origin(r.provisioned)]
                })
                .collect();
            output::table(["NAME", "DOMAIN", "HOST", "ORGANISATION", "MADE BY"], &rows);
        }
    }
    Ok(())
}

/// Where something was made.
fn origin(provisioned: bool) -> String {
    if provisioned { "config.toml" } else { "command line" }.to_owned()
}
