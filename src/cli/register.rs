//! `heraut register`.

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use crate::cli::{open, output};
use crate::flow::Gateway;
use crate::flow::registers::{self, Outcome};
use crate::register::domain::candidates;
use crate::register::judge::Listed;
use crate::store::Db;
use crate::store::registers::{Row, list, said};
use crate::time::Timestamp;

/// `heraut register`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the registers, and how their last readings went.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Read a register now.
    Read {
        /// Its name.
        name: String,
        /// Also when it lost most of its entries.
        #[arg(long)]
        accept_smaller: bool,
    },
    /// Say what the registers have of a domain.
    Find {
        /// The domain.
        domain: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub async fn run(config: &Path, command: Command) -> anyhow::Result<ExitCode> {
    let gateway = open(config).await?;
    match command {
        Command::List { json } => {
            let rows = gateway.store.read("list registers", list).await?;
            if json {
                output::json(&rows.iter().map(describe).collect::<Vec<_>>())?;
                return Ok(ExitCode::SUCCESS);
            }
            let instant = |row: &Row| row.read_at.map_or_else(|| "never".to_owned(), |at| at.to_string());
            let rows: Vec<_> = rows
                .iter()
                .map(|row| {
                    let problem = row.failure.clone().unwrap_or_default();
                    [
                        row.name.clone(),
                        row.kind.clone(),
                        row.place.clone(),
                        row.entries.to_string(),
                        instant(row),
                        problem,
                    ]
                })
                .collect();
            output::table(["NAME", "KIND", "PLACE", "ENTRIES", "READ", "PROBLEM"], &rows);
        }
        Command::Read { name, accept_smaller } => match registers::read(&gateway, &name, accept_smaller).await? {
            Outcome::Unchanged => output::line(format!("{name} is as it was")),
            Outcome::Read(counts) => {
                output::line(format!(
                    "{name} has {} entries; {} more are neither domain nor address",
                    counts.entries, counts.odd
                ));
            }
        },
        Command::Find { domain, json } => lookup(&gateway, &domain, json).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(row: &Row) -> serde_json::Value {
    json!({
        "name": row.name,
        "kind": row.kind,
        "place": row.place,
        "entries": row.entries,
        "odd": row.odd,
        "sha256": row.sha256,
        "read_at": row.read_at.map(|at| at.to_rfc3339()),
        "checked_at": row.checked_at.map(|at| at.to_rfc3339()),
        "failure": row.failure,
        "due_at": row.due_at.to_rfc3339(),
    })
}

async fn lookup(gateway: &Gateway, domain: &str, json: bool) -> anyhow::Result<()> {
    let asked = domain.to_owned();
    let found = gateway.store.read("ask the registers", move |db: &mut Db<'_>| said(db, &asked, None, &[])).await?;
    let shown = |at: Option<Timestamp>| at.map(|at| at.to_rfc3339()).unwrap_or_default();
    let row = |listed: &Listed| {
        let uri = listed.organisation.clone().unwrap_or_default();
        let known = found.known.iter().find(|known| known.uri == uri);
        [
            listed.register.clone(),
            listed.domain.clone(),
            known.map(|known| known.name.clone()).unwrap_or_default(),
            shown(listed.withdrawn_at),
            shown(known.and_then(|known| known.ends_at)),
            uri,
        ]
    };
    let rows: Vec<[String; 6]> = found.listed.iter().map(row).collect();
    if !json {
        output::note(format!("looked for {}", candidates(domain).join(", ")));
        output::table(["REGISTER", "DOMAIN", "ORGANISATION", "GIVEN UP", "ENDS", "URI"], &rows);
        return Ok(());
    }
    let rows: Vec<_> = rows
        .iter()
        .map(|[register, domain, name, withdrawn, ends, uri]| {
            json!({"register": register, "domain": domain, "organisation": uri, "name": name,
                "withdrawn_at": withdrawn, "ends_at": ends})
        })
        .collect();
    output::json(&rows)
}
