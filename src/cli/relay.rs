//! `heraut relay`.

use std::path::Path;

use clap::Subcommand;
use serde_json::json;

use crate::actor::relay::RelayStyle;
use crate::cli::{open, output, who};
use crate::flow::relays::{self as flow, RelayPlan};
use crate::store::relays;

/// `heraut relay`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Have a relay pass on the public posts of an agency; it is asked, and decides.
    Add {
        /// The inbox of a relay of Mastodon's style, or the actor of one of LitePub's.
        url: String,
        /// The agency.
        #[arg(long, value_name = "AGENCY")]
        agency: String,
        /// mastodon or litepub; by its address where nothing is said: who gives an inbox means mastodon.
        #[arg(long, value_parser = RelayStyle::parse)]
        style: Option<RelayStyle>,
    },
    /// List the relays, how far it has come with each, and why.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Use a relay for an agency no more; it is told when no agency uses it.
    Remove {
        /// Its address, as it was given.
        url: String,
        /// The agency.
        #[arg(long, value_name = "AGENCY")]
        agency: String,
    },
}

/// Runs the command.
pub async fn run(config: &Path, command: Command) -> anyhow::Result<()> {
    let gateway = open(config).await?;
    match command {
        Command::Add { url, agency, style } => {
            let style = style.unwrap_or_else(|| RelayStyle::of_address(&url));
            flow::join(&gateway, RelayPlan { url: url.clone(), style, agency }, false, &who()).await?;
            output::line(format!(
                "{url} is asked as a relay of style {}; `heraut relay list` says what it answers",
                style.name()
            ));
        }
        Command::List { json: as_json } => {
            let rows = gateway.store.read("list relays", relays::list).await?;
            if as_json {
                let shown = rows.iter().map(|(row, agencies)| {
                    json!({
                        "url": row.url,
                        "style": row.style,
                        "state": row.state,
                        "reason": row.reason,
                        "actor": row.actor_url,
                        "agencies": agencies,
                        "asked_at": row.asked_at.map(|at| at.to_rfc3339()),
                        "answered_at": row.answered_at.map(|at| at.to_rfc3339()),
                    })
                });
                return output::json(&shown.collect::<Vec<_>>());
            }
            let rows: Vec<_> = rows
                .into_iter()
                .map(|(row, agencies)| {
                    [row.url, row.style, agencies.join(", "), row.state, row.reason.unwrap_or_default()]
                })
                .collect();
            output::table(["RELAY", "STYLE", "AGENCIES", "STATE", "REASON"], &rows);
        }
        Command::Remove { url, agency } => {
            flow::part(&gateway, &url, &agency, &who()).await?;
            output::line(format!("{url} is used for {agency} no more"));
        }
    }
    Ok(())
}
