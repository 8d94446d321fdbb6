//! `heraut deliveries`: the answer to "why did host X not get it".

use std::path::Path;

use clap::Args;
use serde_json::json;

use crate::cli::{open, output};
use crate::ids::PostId;
use crate::store::Db;
use crate::store::deliveries::{self, DeliveryState, Receipt, Which};
use crate::store::inboxes::{self, InboxRow};

/// `heraut deliveries`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// Only those of this post.
    #[arg(long, value_name = "N")]
    post: Option<PostId>,
    /// Only those to this host, and how it is doing.
    #[arg(long, value_name = "H")]
    host: Option<String>,
    /// At most so many.
    #[arg(long, default_value_t = 200)]
    limit: i64,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub async fn run(config: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    let gateway = open(config).await?;
    let which = Which { post: arguments.post, host: arguments.host.clone(), limit: arguments.limit };
    let host = arguments.host.clone();
    let load = move |db: &mut Db<'_>| {
        let inboxes = host.as_deref().map_or(Ok(Vec::new()), |host| inboxes::of_host(db, host))?;
        Ok((deliveries::receipts(db, &which)?, inboxes, deliveries::totals(db)?))
    };
    let (receipts, inboxes, totals) = gateway.store.read("read receipts", load).await?;
    let totals: Vec<_> = totals.into_iter().map(|(code, n)| (DeliveryState::from_code(code), n)).collect();
    if arguments.json {
        let totals: serde_json::Map<_, _> = totals
            .into_iter()
            .filter_map(|(state, n)| Some((serde_json::to_value(state).ok()?.as_str()?.to_owned(), json!(n))))
            .collect();
        return output::json(&json!({ "totals": totals, "inboxes": inboxes, "deliveries": receipts }));
    }
    inboxes.iter().for_each(|inbox| output::line(describe(inbox)));
    let rows: Vec<_> = receipts.iter().map(row).collect();
    output::table(["POST", "ACTIVITY", "INBOX", "STATE", "TRIES", "STATUS", "WHAT HAPPENED"], &rows);
    Ok(())
}

/// How an inbox is doing, as a sentence.
fn describe(inbox: &InboxRow) -> String {
    let url = &inbox.url;
    match (inbox.parked_at, inbox.failing_since, inbox.due_at) {
        (Some(parked), _, Some(due)) => {
            format!("{url} is parked since {parked}; it is probed at {due}, and at once when it speaks to us")
        }
        (_, Some(since), Some(due)) => format!(
            "{url} fails since {since} ({} times in a row: {}); it is tried again at {due}",
            inbox.failures,
            inbox.last_error.clone().unwrap_or_default()
        ),
        _ => format!("{url} is healthy"),
    }
}

fn row(receipt: &Receipt) -> [String; 7] {
    let state =
        serde_json::to_value(receipt.state).ok().and_then(|v| v.as_str().map(ToOwned::to_owned)).unwrap_or_default();
    let what = match (&receipt.error, receipt.next_at, receipt.settled_at) {
        (Some(error), Some(next), _) => format!("{error}; next at {next}"),
        (Some(error), None, _) => error.clone(),
        (None, Some(next), _) => format!("due at {next}"),
        (None, None, Some(at)) => format!("at {at}"),
        (None, None, None) => String::new(),
    };
    [
        receipt.post_id.map(|id| id.to_string()).unwrap_or_default(),
        receipt.kind.clone(),
        receipt.inbox.clone(),
        state,
        receipt.attempts.to_string(),
        receipt.status.map(|s| s.to_string()).unwrap_or_default(),
        what,
    ]
}
