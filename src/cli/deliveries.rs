//! `heraut deliveries`: the answer to "why did host X not get it", and the receipts that it rests on.

mod answer;

use std::path::Path;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::{open, output, target};
use crate::flow::now;
use crate::ids::PostId;
use crate::store::Db;
use crate::store::deliveries::{self, DeliveryState, Receipt, Which};
use crate::store::inboxes::{self, InboxRow};
use crate::store::reports::{self, Scope};
use crate::store::target_receipts::{self, TargetReceipt};
use crate::time::Timestamp;

use answer::{Facts, Host};

/// Most receipts that are loaded unless more are asked for.
const LIMIT: i64 = 200;
/// Most receipts that stand under an answer unless more are asked for.
const LIMIT_BELOW: i64 = 20;

/// `heraut deliveries`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// What became of this post, and who has not got it.
    #[arg(long, value_name = "N")]
    post: Option<PostId>,
    /// Why this host did not get something: a host, a URL on it, or an account of it.
    #[arg(long, value_name = "H")]
    host: Option<String>,
    /// At most so many receipts; 200, or 20 below an answer.
    #[arg(long)]
    limit: Option<i64>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

/// Everything that the database says about the question.
struct Found {
    facts: Facts,
    receipts: Vec<Receipt>,
    inboxes: Vec<InboxRow>,
    totals: Vec<(i16, i64)>,
    targets: Vec<TargetReceipt>,
}

/// Runs the command.
pub async fn run(config: &Path, arguments: &Arguments) -> anyhow::Result<()> {
    let gateway = open(config).await?;
    let host = arguments.host.as_deref().map(host_of);
    let asked = host.is_some() || arguments.post.is_some();
    let limit = arguments.limit.unwrap_or(if asked && !arguments.json { LIMIT_BELOW } else { LIMIT }).max(0);
    let which = Which { post: arguments.post, host: host.clone(), limit };
    let found = gateway.store.read("read receipts", move |db| find(db, &which)).await?;
    let lines = answer::lines(&found.facts, now());
    if arguments.json {
        return output::json(&as_json(&found, &lines));
    }
    lines.iter().for_each(output::line);
    if !found.targets.is_empty() {
        output::line("");
        target::table(&found.targets);
    }
    if found.receipts.is_empty() && asked {
        return Ok(());
    }
    output::line("");
    let rows: Vec<_> = found.receipts.iter().map(row).collect();
    output::table(["POST", "ACTIVITY", "INBOX", "STATE", "TRIES", "STATUS", "WHAT HAPPENED"], &rows);
    if i64::try_from(rows.len()).is_ok_and(|n| n == limit) {
        output::note(format!("(the newest {limit}; --limit shows more)"));
    }
    Ok(())
}

fn find(db: &mut Db<'_>, which: &Which) -> crate::store::Queried<Found> {
    let at = now();
    let scope = Scope { host: which.host.clone(), post: which.post };
    let asked = scope.host.is_some() || scope.post.is_some();
    let host = which.host.as_deref().map(|host| find_host(db, host, at)).transpose()?;
    let (sums, reasons, lacking) = if asked {
        (reports::sums(db, &scope, at)?, reports::reasons(db, &scope)?, reports::lacking(db, &scope)?)
    } else {
        (Vec::new(), Vec::new(), reports::owed_most(db)?)
    };
    let totals = deliveries::totals(db)?;
    let inboxes = which.host.as_deref().map_or(Ok(Vec::new()), |host| inboxes::of_host(db, host))?;
    let receipts = deliveries::receipts(db, which, at)?;
    let facts = Facts { at, post: which.post, host, sums, reasons, lacking, totals: totals.clone() };
    // Of a host only what goes to its inboxes is asked for.
    let of_targets = which.host.is_none() && (which.post.is_some() || !asked);
    let targets = if of_targets { target_receipts::receipts(db, which.post, None, which.limit)? } else { Vec::new() };
    Ok(Found { facts, receipts, inboxes, totals, targets })
}

fn find_host(db: &mut Db<'_>, name: &str, at: Timestamp) -> crate::store::Queried<Host> {
    let inboxes = reports::host_inboxes(db, name, at)?;
    let similar = if inboxes.inboxes == 0 { reports::similar_hosts(db, name)? } else { Vec::new() };
    Ok(Host {
        name: name.to_owned(),
        failure: reports::last_failure(db, name)?,
        breaker_until: reports::breaker(db, name, at)?,
        followers: reports::followers_of(db, name)?,
        inboxes,
        similar,
    })
}

/// The host in what an operator has at hand: a host, a URL, `@name@host`.
fn host_of(text: &str) -> String {
    let text = text.trim();
    let text = text.split_once("://").map_or(text, |(_, rest)| rest);
    let text = text.split(['/', '?', '#']).next().unwrap_or_default();
    text.rsplit('@').next().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase()
}

fn as_json(found: &Found, lines: &[String]) -> Value {
    let named = |state: DeliveryState| serde_json::to_value(state).ok().and_then(|v| v.as_str().map(ToOwned::to_owned));
    let totals: serde_json::Map<_, _> =
        found.totals.iter().filter_map(|(code, n)| Some((named(DeliveryState::from_code(*code))?, json!(n)))).collect();
    let mut value = json!({
        "answer": lines,
        "totals": totals,
        "inboxes": found.inboxes,
        "deliveries": found.receipts,
        "targets": found.targets.iter().map(target::receipt_json).collect::<Vec<_>>(),
    });
    if let (Some(object), Some(more)) = (value.as_object_mut(), answer::json(&found.facts).as_object()) {
        object.extend(more.clone());
    }
    value
}

fn row(receipt: &Receipt) -> [String; 7] {
    let state =
        serde_json::to_value(receipt.state).ok().and_then(|v| v.as_str().map(ToOwned::to_owned)).unwrap_or_default();
    let next = match (receipt.sending, receipt.next_at) {
        (true, _) => Some("being sent now".to_owned()),
        (false, Some(next)) if receipt.error.is_some() => Some(format!("next at {next}")),
        (false, Some(next)) => Some(format!("due at {next}")),
        (false, None) => None,
    };
    let what = match (&receipt.error, next, receipt.settled_at) {
        (Some(error), Some(next), _) => format!("{error}; {next}"),
        (Some(error), None, _) => error.clone(),
        (None, Some(next), _) => next,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_found_in_what_an_operator_has_at_hand() {
        for text in ["Social.Example", "https://social.example/users/a?b", "@a@social.example", "a@social.example."] {
            assert_eq!(host_of(text), "social.example", "{text}");
        }
        assert_eq!(host_of("http://127.0.0.1:4000/inbox"), "127.0.0.1:4000");
    }
}
