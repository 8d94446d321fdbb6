//! Looks for a status whose making was broken off: the answer was lost, or the process was killed before it recorded it. Servers keep the
//! key against repetition for about an hour; after that only this keeps a post from standing there twice.

use std::time::Duration;

use serde_json::Value;

use super::api::{Trouble, id_of};
use super::send;
use super::turn::Turn;
use crate::flow::now;
use crate::store::Db;
use crate::store::target_posts::{self, Work};
use crate::target::count::Links;
use crate::target::recall::says;
use crate::target::wording::word;
use crate::time::Timestamp;

/// Statuses on a page; the most that Mastodon gives.
const PAGE: usize = 40;
/// Most pages that are looked through.
const PAGES_MAX: usize = 25;
/// How far the server's clock may be off.
const CLOCKS: Duration = Duration::from_secs(15 * 60);
/// For how long the key alone is relied on, where it cannot be looked: less than the hour that servers keep it for.
const KEY_KEPT: Duration = Duration::from_secs(45 * 60);

/// Finds the status, or finds that there is none. Either is recorded; then it is decided anew what is to be done.
pub(super) async fn look(turn: &mut Turn<'_>, work: &Work, revision: i32) -> Result<(), Trouble> {
    let since = work.mirror.tried_at.unwrap_or_else(now);
    match search(turn, work, revision, since).await {
        Ok(Some(status)) => send::found(turn, work, revision, status).await,
        Ok(None) => clear(turn, work).await,
        Err(Trouble::Barred(_) | Trouble::Missing) if now().since(since) < KEY_KEPT => clear(turn, work).await,
        Err(Trouble::Barred(why)) if why.contains("403") => Err(Trouble::Barred(format!(
            "it is not known whether post {} was made there when the answer was lost, and the token may not look: it needs \
             read:accounts and read:statuses ({why})",
            work.post
        ))),
        Err(trouble) => Err(trouble),
    }
}

async fn clear(turn: &Turn<'_>, work: &Work) -> Result<(), Trouble> {
    let (target, post) = (turn.target.id, work.post);
    let clear = move |db: &mut Db<'_>| target_posts::clear(db, target, post);
    Ok(turn.gateway.store.write("note that a status was not made", clear).await?)
}

/// The status among those of the account that are not older than the request.
async fn search(turn: &mut Turn<'_>, work: &Work, revision: i32, since: Timestamp) -> Result<Option<Value>, Trouble> {
    let content = send::content(turn, work.post, revision).await?;
    let limits = turn.limits().await?;
    let texts = [Links::As(limits.url_characters), Links::InFull].map(|links| word(&content, &limits, links).text);
    let account = match turn.target.account() {
        Some(account) => account,
        None => turn.account().await?,
    };
    let path = format!("/api/v1/accounts/{}/statuses", account.id);
    let page = PAGE.to_string();
    let mut before: Option<String> = None;
    for _ in 0..PAGES_MAX {
        turn.keep().await?;
        let mut query = vec![("limit", page.as_str()), ("exclude_reblogs", "true")];
        query.extend(before.as_deref().map(|id| ("max_id", id)));
        let Value::Array(statuses) = turn.api.get(&path, &query).await?.body else {
            return Err(odd("it does not say what the account has published"));
        };
        let fresh: Vec<&Value> = statuses.iter().filter(|status| !is_before(status, since)).collect();
        let ours = |status: &&Value| {
            let html = status.get("content").and_then(Value::as_str).unwrap_or_default();
            texts.iter().any(|text| says(html, text))
        };
        let candidates: Vec<&Value> = fresh.iter().copied().filter(|status| ours(status)).collect();
        if let Some(found) = unknown(turn, &candidates).await? {
            return Ok(Some(found));
        }
        let last = statuses.last().and_then(id_of);
        if last.is_none() || fresh.len() < statuses.len() || last == before {
            return Ok(None);
        }
        before = last;
    }
    Err(Trouble::Refused {
        status: None,
        why: format!(
            "it is not known whether it was made there when the answer was lost: the account published more than {} statuses since; \
             look there, and publish it by hand if it is missing",
            PAGE * PAGES_MAX
        ),
    })
}

/// The first of these that is not a post of ours already.
async fn unknown(turn: &Turn<'_>, candidates: &[&Value]) -> Result<Option<Value>, Trouble> {
    let ids: Vec<String> = candidates.iter().filter_map(|status| id_of(status)).collect();
    if ids.is_empty() {
        return Ok(None);
    }
    let target = turn.target.id;
    let known = move |db: &mut Db<'_>| target_posts::known_statuses(db, target, &ids);
    let known = turn.gateway.store.read("read which statuses are known", known).await?;
    let new = |status: &&&Value| id_of(status).is_some_and(|id| !known.contains(&id));
    Ok(candidates.iter().find(new).map(|status| (*status).clone()))
}

fn is_before(status: &Value, since: Timestamp) -> bool {
    let created = status.get("created_at").and_then(Value::as_str).and_then(Timestamp::parse_rfc3339);
    created.is_some_and(|at| at < since.before(CLOCKS))
}

fn odd(why: &str) -> Trouble {
    Trouble::Later { status: None, why: why.to_owned(), not_before: None, unsure: true }
}
