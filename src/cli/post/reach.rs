//! `heraut post reach`.

use std::collections::BTreeMap;

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};

use crate::cli::output;
use crate::flow::Gateway;
use crate::ids::PostId;
use crate::post::PostState;
use crate::store::deliveries::DeliveryState;
use crate::store::reach::{self, Reach, Server};
use crate::store::{Db, posts};

/// How many followers a server may have to stand in a bucket, and what the bucket is called. Exact numbers of small servers would
/// say who follows.
const BUCKETS: [(i64, &str); 5] = [(0, "0"), (9, "<10"), (99, "10-99"), (999, "100-999"), (i64::MAX, "1000+")];
/// What the figures do not say.
const UNKNOWN: [&str; 4] = [
    "How many people saw the post is not known: servers do not tell, and nobody is tracked.",
    "One shared inbox stands for all followers of a server; what relays pass on is not counted.",
    "Followers are those of now, not those of the moment of publication.",
    "Likes, boosts, quotes and replies are those that reached this server; there may be more elsewhere.",
];

/// `heraut post reach`.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The number of the post.
    post: PostId,
    /// At most so many servers by name.
    #[arg(long, default_value_t = 50)]
    servers: usize,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(gateway: &Gateway, arguments: &Arguments) -> anyhow::Result<()> {
    let id = arguments.post;
    let load = move |db: &mut Db<'_>| {
        let Some(post) = posts::by_id(db, id)? else { return Ok(None) };
        reach::of_post(db, id, post.actor_id).map(|reach| Some((post, reach)))
    };
    let Some((post, reach)) = gateway.store.read("count how far a post reached", load).await? else {
        bail!("there is no post {id}; `heraut post list` shows those that there are")
    };
    if post.published_at.is_none() {
        bail!("post {id} was never published, so it reached nobody; `heraut post show {id}` says what state it is in");
    }
    let withdrawn = matches!(post.state, PostState::Withdrawn(_));
    let shown = describe(id, withdrawn, &reach, arguments.servers);
    if arguments.json {
        return output::json(&shown);
    }
    print(&shown);
    Ok(())
}

fn describe(id: PostId, withdrawn: bool, reach: &Reach, most: usize) -> Value {
    let inboxes = |wanted: &[DeliveryState]| -> i64 {
        reach.inboxes.iter().filter(|(state, _)| wanted.contains(state)).map(|(_, n)| n).sum()
    };
    let servers = |wanted: &[DeliveryState]| reach.servers.iter().filter(|s| wanted.contains(&s.state)).count();
    let figures = |count: &dyn Fn(&[DeliveryState]) -> i64| {
        json!({
            "reached": count(&[DeliveryState::Delivered]),
            "waiting": count(&[DeliveryState::Owed, DeliveryState::Held]),
            "refused": count(&[DeliveryState::Refused]),
            "given_up": count(&[DeliveryState::GaveUp]),
        })
    };
    let mut buckets: BTreeMap<usize, usize> = BTreeMap::new();
    for server in reach.servers.iter().filter(|server| server.state == DeliveryState::Delivered) {
        *buckets.entry(bucket(server.followers)).or_default() += 1;
    }
    let buckets: serde_json::Map<String, Value> =
        buckets.into_iter().map(|(at, n)| (name(at).to_owned(), json!(n))).collect();
    let count = |kinds: &[&str]| -> i64 {
        reach.reactions.iter().filter(|(kind, _)| kinds.contains(&kind.as_str())).map(|(_, n)| n).sum()
    };
    json!({
        "post": id,
        "withdrawn": withdrawn,
        "servers": figures(&|wanted| i64::try_from(servers(wanted)).unwrap_or(i64::MAX)),
        "inboxes": figures(&inboxes),
        "followers_now": reach.followers,
        "reached_servers_by_followers": buckets,
        "boosts": count(&["boost"]),
        "likes": count(&["like", "emoji"]),
        "quotes": count(&["quote"]),
        "replies": reach.replies,
        "by_server": reach.servers.iter().take(most).map(one).collect::<Vec<_>>(),
        "by_server_left_out": reach.servers.len().saturating_sub(most),
        "not_known": UNKNOWN,
    })
}

fn one(server: &Server) -> Value {
    json!({
        "host": server.host,
        "state": server.state,
        "inboxes": server.inboxes,
        "followers": name(bucket(server.followers)),
    })
}

fn bucket(followers: i64) -> usize {
    BUCKETS.iter().position(|(most, _)| followers <= *most).unwrap_or(BUCKETS.len())
}

fn name(bucket: usize) -> &'static str {
    BUCKETS.get(bucket).map_or("1000+", |(_, name)| name)
}

fn print(shown: &Value) {
    let number = |path: &str| shown.pointer(path).map(ToString::to_string).unwrap_or_default();
    for what in ["servers", "inboxes"] {
        output::line(format!(
            "{what:<10} {} reached, {} waiting, {} refused, {} given up",
            number(&format!("/{what}/reached")),
            number(&format!("/{what}/waiting")),
            number(&format!("/{what}/refused")),
            number(&format!("/{what}/given_up")),
        ));
    }
    output::line(format!("{:<10} {} now", "followers", number("/followers_now")));
    for (followers, servers) in
        shown.get("reached_servers_by_followers").and_then(Value::as_object).into_iter().flatten()
    {
        output::line(format!("{:<10} {servers} with {followers} followers", ""));
    }
    for what in ["boosts", "likes", "quotes", "replies"] {
        output::line(format!("{what:<10} {}", number(&format!("/{what}"))));
    }
    let rows: Vec<_> = shown
        .get("by_server")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .map(|server| {
            ["host", "state", "inboxes", "followers"].map(|key| match server.get(key) {
                Some(Value::String(text)) => text.clone(),
                other => other.map(ToString::to_string).unwrap_or_default(),
            })
        })
        .collect();
    output::table(["SERVER", "STATE", "INBOXES", "FOLLOWERS"], &rows);
    UNKNOWN.iter().for_each(output::note);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn followers_are_told_in_buckets() {
        let table =
            [(0, "0"), (1, "<10"), (9, "<10"), (10, "10-99"), (99, "10-99"), (100, "100-999"), (1_000, "1000+")];
        for (followers, expected) in table {
            assert_eq!(name(bucket(followers)), expected, "{followers}");
        }
    }
}
