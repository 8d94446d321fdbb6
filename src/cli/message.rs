//! `heraut message`.

use std::path::Path;

use clap::Subcommand;

use crate::cli::{open, output};
use crate::store::messages;

/// `heraut message`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List the newest messages.
    List {
        /// At most so many.
        #[arg(long, default_value_t = 50)]
        limit: i64,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub async fn run(config: &Path, command: Command) -> anyhow::Result<()> {
    let gateway = open(config).await?;
    let Command::List { limit, json } = command;
    let rows = gateway.store.read("list messages", move |db| messages::latest(db, limit)).await?;
    if json {
        return output::json(&rows);
    }
    let rows: Vec<_> = rows
        .into_iter()
        .map(|row| {
            [row.received_at.to_rfc3339(), row.author_handle, row.visibility, row.html.chars().take(80).collect()]
        })
        .collect();
    output::table(["RECEIVED", "FROM", "VISIBILITY", "TEXT"], &rows);
    Ok(())
}
