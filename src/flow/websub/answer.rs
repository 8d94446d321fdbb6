//! Answers a hub that comes to verify: what we asked is confirmed, anything else is not, and says nothing about us.

use crate::flow::websub::{host, path_hash};
use crate::flow::{Gateway, now};
use crate::metrics;
use crate::store::websub::{self, Subscription};
use crate::store::{Db, StoreError};
use crate::websub::{Call, LEASE_MIN, Said, Standing, Verdict, judge, renew_at, wait};

/// The body of the answer: the challenge, or nothing. `None` is 404.
pub async fn answer(gateway: &Gateway, path: &str, call: &Call) -> Result<Option<String>, StoreError> {
    let hash = path_hash(path);
    let found = gateway.store.read("read a subscription", move |db| websub::by_path(db, &hash)).await?;
    let Some((row, source)) = found else {
        metrics::websub("unknown");
        return Ok(None);
    };
    let at = now();
    let standing = Standing {
        topic: &row.topic,
        wanted: row.wanted,
        asked_at: row.asked_at,
        holds_until: row.holds_until,
        ended: row.ended_at.is_some(),
    };
    let (verdict, hub) = (judge(call, &standing, at), host(&row.hub));
    tracing::debug!(source.name = source.name, websub.hub = hub, verdict = ?verdict, "a hub came to verify");
    match &verdict {
        Verdict::Live { until } => tracing::info!(
            source.name = source.name,
            websub.hub = hub,
            websub.until = until.to_rfc3339(),
            "a hub confirmed a subscription"
        ),
        Verdict::TooShort { lease } => tracing::warn!(
            source.name = source.name,
            websub.hub = hub,
            lease_s = lease.as_secs(),
            "a hub grants too short a lease to be of use; the source is polled as usual"
        ),
        Verdict::Over => tracing::info!(source.name = source.name, websub.hub = hub, "a subscription is over"),
        Verdict::Denied => tracing::warn!(
            source.name = source.name,
            websub.hub = hub,
            reason = reason(call),
            "a hub denied a subscription; the source is polled as usual"
        ),
        Verdict::NotAsked(why) => tracing::warn!(
            source.name = source.name,
            websub.hub = hub,
            reason = why,
            "a hub wanted something verified that was not asked for, and was answered 404"
        ),
    }
    carry_out(gateway, row, verdict, call).await
}

fn reason(call: &Call) -> &str {
    match &call.said {
        Said::Denied { reason: Some(reason) } => reason,
        _ => "it says no reason",
    }
}

async fn carry_out(
    gateway: &Gateway,
    row: Subscription,
    verdict: Verdict,
    call: &Call,
) -> Result<Option<String>, StoreError> {
    let (at, chance) = (now(), rand::random::<f64>());
    let later = at.after(wait(row.failures.saturating_add(1), chance));
    let denied = format!("the hub denied the subscription: {}", reason(call));
    metrics::websub(match &verdict {
        Verdict::Live { .. } | Verdict::Over => "confirmed",
        Verdict::TooShort { .. } | Verdict::Denied => "denied",
        Verdict::NotAsked(_) => "unasked",
    });
    let what = verdict.clone();
    let write = move |db: &mut Db<'_>| match &what {
        Verdict::Live { until } => websub::confirm(db, &row, at, *until, renew_at(at, *until, chance)),
        Verdict::TooShort { lease } => {
            let why =
                format!("the hub grants {} s, and less than {} s is of no use", lease.as_secs(), LEASE_MIN.as_secs());
            websub::refuse(db, &row, at, &why, later)
        }
        Verdict::Denied if row.wanted => websub::refuse(db, &row, at, &denied, later),
        Verdict::Over | Verdict::Denied => websub::end(db, row.id, at),
        Verdict::NotAsked(_) => Ok(()),
    };
    if !matches!(verdict, Verdict::NotAsked(_)) {
        gateway.store.write("note what a hub says", write).await?;
    }
    Ok(match (&verdict, &call.said) {
        (Verdict::NotAsked(_), _) => None,
        (_, Said::Subscribe { challenge, .. } | Said::Unsubscribe { challenge }) => Some(challenge.clone()),
        (_, Said::Denied { .. }) => Some(String::new()),
    })
}
