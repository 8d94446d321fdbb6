//! Looks whether the page of an item that its feed no longer lists is gone: a feed almost never says that it withdrew
//! something. Only for sources with `policy.retract_on_gone`, and only after two checks some time apart.

use std::time::Duration;

use url::Url;

use crate::flow::{Gateway, intake, now};
use crate::net::Get;
use crate::post::policy::embargo;
use crate::post::revision::{GoneDecision, gone};
use crate::store::items::{self, ItemRow};
use crate::store::sources::Source;
use crate::store::{Db, StoreError, audit, lock_actor};
use crate::time::Timestamp;

/// Pages looked at after one poll.
const CHECKS_PER_POLL_MAX: i64 = 20;
/// How often a page that is there is looked at again.
const LOOK_EVERY: Duration = Duration::from_secs(86_400);
/// How long an item that left its feed is watched.
const WATCH_FOR: Duration = Duration::from_secs(30 * 86_400);
/// How much of a page is read: only its status matters.
const PAGE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Looks at the pages that are due. Returns how many items were withdrawn.
pub async fn check(gateway: &Gateway, source: &Source) -> Result<usize, StoreError> {
    if !source.settings.policy.retract_on_gone {
        return Ok(0);
    }
    let (id, at) = (source.id, now());
    let due = gateway
        .store
        .read("read pages that are due for a look", move |db| items::due_gone_checks(db, id, at, CHECKS_PER_POLL_MAX))
        .await?;
    let mut withdrawn = 0;
    for row in due {
        withdrawn += usize::from(look(gateway, source, row).await?);
    }
    Ok(withdrawn)
}

/// Has the pages of all open items of a source looked at: its feed lists none of them any more.
pub async fn watch_all(gateway: &Gateway, source: &Source) -> Result<(), StoreError> {
    if !source.settings.policy.retract_on_gone {
        return Ok(());
    }
    let (id, at) = (source.id, now());
    gateway
        .store
        .write("watch the pages of a source", move |db| {
            let open = items::open_of_source(db, id)?;
            let unwatched = open.iter().filter(|row| row.gone_check_at.is_none() && row.canonical_url.is_some());
            unwatched.map(|row| row.id).try_for_each(|id| items::note_gone(db, id, None, Some(at)))
        })
        .await
}

async fn look(gateway: &Gateway, source: &Source, row: ItemRow) -> Result<bool, StoreError> {
    let at = now();
    // Asking for its page would show that it exists.
    if let Some(until) = intake::stored_item(&row).ok().and_then(|item| embargo(&item, at)) {
        return note(gateway, row.id, row.gone_at, Some(until)).await.map(|()| false);
    }
    let status = status(gateway, &row).await;
    let policy = &source.settings.policy;
    let decision = status.map_or(GoneDecision::Nothing, |status| gone(policy, row.gone_at, status, at));
    match decision {
        GoneDecision::Retract => {
            let (actor, url) = (source.actor_id, row.canonical_url.clone());
            let detail = format!("{} answered {}", row.canonical_url.clone().unwrap_or_default(), status.unwrap_or(0));
            let entry = gateway.audit("policy", "item.gone", format!("item:{}", row.id), detail);
            let withdraw = move |db: &mut Db<'_>| {
                lock_actor(db, actor)?;
                // Another look may have come to the same, or the item be back in its feed.
                let watched = items::by_id(db, row.id)?.is_some_and(|now| now.gone_check_at == row.gone_check_at);
                if !watched || !intake::withdraw_item(db, &row, at)? {
                    return Ok(false);
                }
                items::note_gone(db, row.id, row.gone_at, None)?;
                audit::add(db, &entry).map(|()| true)
            };
            let withdrawn = gateway.store.write("withdraw a post whose page is gone", withdraw).await?;
            if withdrawn {
                tracing::info!(source.name = source.name, item.url = url, "a page is gone; its post is withdrawn");
                gateway.wake.publish.notify_one();
            }
            Ok(withdrawn)
        }
        GoneDecision::FirstSeen => {
            let first = row.gone_at.unwrap_or(at);
            let next = first.after(policy.gone_after.duration());
            note(gateway, row.id, Some(first), Some(next.max(at))).await.map(|()| false)
        }
        GoneDecision::Nothing => {
            // An answer that says nothing (a time-out, a 500) leaves what is known as it is.
            let (gone_at, wait) = if status.is_some_and(|s| s < 400) {
                (None, LOOK_EVERY)
            } else {
                (row.gone_at, policy.gone_after.duration())
            };
            let watched = at.since(row.last_seen_at) < WATCH_FOR;
            note(gateway, row.id, gone_at, watched.then(|| at.after(wait))).await.map(|()| false)
        }
    }
}

async fn note(
    gateway: &Gateway,
    id: crate::ids::ItemId,
    gone_at: Option<Timestamp>,
    next: Option<Timestamp>,
) -> Result<(), StoreError> {
    gateway.store.write("note a look at a page", move |db| items::note_gone(db, id, gone_at, next)).await
}

async fn status(gateway: &Gateway, row: &ItemRow) -> Option<u16> {
    let url = Url::parse(row.canonical_url.as_deref()?).ok()?;
    let get = Get { bytes_max: PAGE_BYTES_MAX, ..Get::new(url, "text/html,*/*;q=0.1") };
    gateway.net.get(get).await.ok().map(|fetched| fetched.status)
}
