//! `heraut source show`, for feeds that name a hub.

use serde_json::{Map, Value, json};

use crate::cli::output;
use crate::flow::hooks::keep;
use crate::flow::{Gateway, now, websub};
use crate::store::sources::Source;
use crate::store::websub::Subscription;
use crate::time::Timestamp;

/// Adds what there is to say of the hub of a source.
pub async fn describe(gateway: &Gateway, source: &Source, row: &mut Value) -> anyhow::Result<()> {
    if !keep::kind(source).is_some_and(|kind| kind.names_hubs()) {
        return Ok(());
    }
    let subscription = websub::of_source(gateway, source.id).await?;
    let told = match subscription {
        row if source.settings.websub_off && row.as_ref().is_none_or(|row| row.ended_at.is_some()) => {
            json!({ "state": "off" })
        }
        None => json!({ "state": "none: the feed names no hub" }),
        Some(subscription) => shown(&subscription),
    };
    if let Some(row) = row.as_object_mut() {
        row.insert("websub".to_owned(), told);
    }
    Ok(())
}

/// Prints it, a line each; what there is not is left out.
pub fn print(told: &Map<String, Value>) {
    for (key, value) in told.iter().filter(|(_, value)| !value.is_null()) {
        let value = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        output::line(format!("websub.{key:<13} {value}"));
    }
}

fn shown(row: &Subscription) -> Value {
    let time = |at: Option<Timestamp>| at.map(Timestamp::to_rfc3339);
    json!({
        "state": state(row, now()),
        "hub": row.hub,
        "topic": row.topic,
        "taken": if row.whole { "as the feed" } else { "as a hint to poll: the topic is not the address that is polled" },
        "lease_until": time(row.holds_until),
        "next_step": time(row.ended_at.is_none().then_some(row.due_at)),
        "problem": row.problem,
        "deliveries": row.deliveries,
        "last_delivery": time(row.delivered_at),
        "refusals": row.refusals,
        "last_refusal": row.refused_at.map(|at| json!({ "at": at.to_rfc3339(), "why": row.refusal })),
        "missed": row.missed,
        "missing_since": time(row.missed_at),
    })
}

fn state(row: &Subscription, now: Timestamp) -> &'static str {
    match row {
        _ if row.ended_at.is_some() => "over",
        _ if !row.wanted => "leaving: the hub is asked to end it",
        _ if row.is_live(now) && row.missed_at.is_some() => "live, but polls find what the hub does not bring",
        _ if row.is_live(now) => "live",
        _ if row.asked_at.is_some() => "asked: the hub is to come and verify",
        _ if row.failures > 0 => "failing: the source is polled as usual",
        _ => "to be asked",
    }
}
