//! Whether a target's token works, and what it may do. Nothing is changed there: what is asked to be changed does not exist.

use serde_json::Value;

use super::api::Trouble;
use super::turn::Turn;
use super::work::explain;
use crate::flow::Gateway;
use crate::net::Method;
use crate::store::targets::Target;
use crate::target::Account;
use crate::target::limits::Limits;

/// What a check found.
#[derive(Debug, Clone, Default)]
pub struct Checked {
    /// Of whom the token is.
    pub account: Option<Account>,
    /// What the server takes.
    pub limits: Option<Limits>,
    /// The scopes that the application behind the token has, where the server says so (Mastodon 4.3 and later).
    pub scopes: Vec<String>,
    /// What is wrong, a sentence each.
    pub problems: Vec<String>,
}

/// What a target needs leave for, how it is found out, and what it is for.
const NEEDS: &[(&str, Probe, &str)] = &[
    ("write:statuses", Probe::Put("/api/v1/statuses/0"), "to publish"),
    ("write:media", Probe::Get("/api/v1/media/0"), "for pictures"),
];

/// A request about something that is not there: 404 with leave, 403 without.
#[derive(Debug, Clone, Copy)]
enum Probe {
    Get(&'static str),
    Put(&'static str),
}

/// Asks the server of a target whose the token is, what it may do, and what the server takes.
pub async fn check(gateway: &Gateway, target: Target) -> Checked {
    let mut checked = Checked::default();
    let mut turn = match Turn::begin(gateway, target) {
        Ok(turn) => turn,
        Err(barred) => {
            checked.problems.push(barred.1);
            return checked;
        }
    };
    match turn.ask_limits().await {
        Ok(limits) => checked.limits = Some(limits),
        Err(trouble) => checked.problems.push(explain(&trouble)),
    }
    match turn.account().await {
        Ok(account) => checked.account = Some(account),
        Err(Trouble::Barred(why)) if why.contains("403") => {
            checked.problems.push(format!("the token may not say whose it is: it needs read:accounts ({why})"));
        }
        Err(trouble) => {
            checked.problems.push(explain(&trouble));
            return checked;
        }
    }
    checked.scopes = scopes(&turn).await;
    if let Some(account) = &checked.account {
        let seen = turn.api.get(&format!("/api/v1/accounts/{}/statuses", account.id), &[("limit", "1")]).await;
        if let Err(Trouble::Barred(why)) = seen {
            checked.problems.push(format!(
                "the token may not see what the account published: it needs read:statuses, to publish nothing twice ({why})"
            ));
        }
    }
    for (scope, probe, what) in NEEDS {
        let answered = match probe {
            Probe::Get(path) => turn.api.get(path, &[]).await,
            Probe::Put(path) => turn.api.send(Method::Put, path, &Value::Object(serde_json::Map::new()), None).await,
        };
        match answered {
            Err(Trouble::Barred(why)) => checked.problems.push(format!("the token needs {scope} {what} ({why})")),
            Err(Trouble::Later { why, .. }) => checked.problems.push(why),
            _ => {}
        }
    }
    checked
}

/// The scopes of the application; none where the server does not say.
async fn scopes(turn: &Turn<'_>) -> Vec<String> {
    let Ok(answer) = turn.api.get("/api/v1/apps/verify_credentials", &[]).await else { return Vec::new() };
    let list = answer.body.get("scopes").and_then(Value::as_array).cloned().unwrap_or_default();
    list.iter().filter_map(Value::as_str).map(str::to_owned).take(32).collect()
}
