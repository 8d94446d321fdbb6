//! `heraut audit`: every act of a person or a policy.

use std::path::Path;

use clap::Args;

use crate::cli::{open, output};
use crate::store::audit;

/// `heraut audit`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// At most so many.
    #[arg(long, default_value_t = 100)]
    limit: i64,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub async fn run(config: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    let gateway = open(config).await?;
    let limit = arguments.limit;
    let entries = gateway.store.read("read the audit log", move |db| audit::latest(db, limit)).await?;
    if arguments.json {
        return output::json(&entries);
    }
    let rows: Vec<_> = entries.into_iter().map(|e| [e.at.to_rfc3339(), e.who, e.act, e.subject, e.detail]).collect();
    output::table(["WHEN", "WHO", "ACT", "ON", "DETAIL"], &rows);
    Ok(())
}
