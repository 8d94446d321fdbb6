//! Asks hubs: to begin subscriptions, to renew them before they end, to end them. One subscription is one process's at a time.

use std::time::Duration;

use url::{Url, form_urlencoded};

use crate::flow::verify::with_causes;
use crate::flow::websub::{Secrets, host, is_on};
use crate::flow::{Gateway, now};
use crate::metrics;
use crate::net::Posted;
use crate::store::websub::{self, Held, Subscription};
use crate::store::{Db, StoreError};
use crate::time::Timestamp;
use crate::websub::{LEASE_WANTED, LEAVE_TRIES_MAX, VERIFY_WITHIN, WAIT_MAX, wait};

/// How long a process may take to ask a hub, with its redirects.
const LEASE: Duration = Duration::from_secs(90);

/// Leases a subscription that is due, if there is one.
pub async fn lease_due(gateway: &Gateway) -> Result<Option<Held>, StoreError> {
    let at = now();
    gateway.store.write("lease a subscription", move |db| websub::claim(db, at, at.after(LEASE))).await
}

/// Does what is due about a subscription.
pub async fn run(gateway: &Gateway, held: Held) {
    if let Err(error) = step(gateway, &held).await {
        tracing::error!(
            source.name = held.source.name,
            error = &error as &dyn std::error::Error,
            "a subscription could not be worked on"
        );
    }
    let release = move |db: &mut Db<'_>| websub::release(db, &held);
    if let Err(error) = gateway.store.write("release a subscription", release).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "the lease of a subscription could not be ended");
    }
}

async fn step(gateway: &Gateway, held: &Held) -> Result<(), StoreError> {
    let (row, name, at) = (&held.row, held.source.name.as_str(), now());
    if row.wanted && !is_on(&held.source) {
        let id = row.id;
        return gateway.store.write("leave a subscription", move |db| websub::leave(db, id, at)).await;
    }
    let lapsing = row.clone();
    if row.wanted && gateway.store.write("end a lease", move |db| websub::lapse(db, &lapsing, at)).await? {
        tracing::warn!(
            source.name = name,
            websub.hub = host(&row.hub),
            "a subscription ended and was not renewed; the source is polled as usual"
        );
    }
    // Before that, this process or another one was ended while it asked: it asks again.
    if let Some(asked_at) = row.asked_at.filter(|asked_at| at.since(*asked_at) >= VERIFY_WITHIN) {
        let why =
            "the hub took the request, and did not come to verify it within an hour; can it reach server.public_url?";
        return failed(gateway, held, asked_at, why.to_owned(), None).await;
    }
    if !row.wanted && (row.holds_until.is_none_or(|until| until <= at) || row.failures >= LEAVE_TRIES_MAX) {
        return end(gateway, held).await;
    }
    ask(gateway, held).await
}

async fn ask(gateway: &Gateway, held: &Held) -> Result<(), StoreError> {
    let (row, at) = (&held.row, now());
    let (hub, form) = match request(gateway, row) {
        Ok(request) => request,
        Err(why) => return unaskable(gateway, held, at, why).await,
    };
    let (asking, due_at) = (held.clone(), at.after(LEASE));
    // Before it is asked, because it may come to verify before it answers.
    if !gateway.store.write("note that a hub is asked", move |db| websub::ask(db, &asking, at, due_at)).await? {
        return Ok(());
    }
    metrics::websub("asked");
    tracing::debug!(source.name = held.source.name, websub.hub = host(&row.hub), wanted = row.wanted, "a hub is asked");
    match gateway.net.submit(&hub, form).await {
        Ok(Posted { status: 200..=299, .. }) => {
            let (id, due_at) = (row.id, at.after(VERIFY_WITHIN));
            gateway.store.write("note that a hub was asked", move |db| websub::asked(db, id, at, due_at)).await
        }
        Ok(Posted { status: 410, .. }) if !row.wanted => end(gateway, held).await,
        Ok(posted) => {
            let said: String = posted.body_start.chars().filter(|c| !c.is_control()).take(120).collect();
            let why = format!("the hub answered {}: {}", posted.status, said.trim());
            let after =
                posted.retry_after.as_deref().and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
            failed(gateway, held, at, why.trim_end_matches([':', ' ']).to_owned(), after).await
        }
        Err(error) => failed(gateway, held, at, with_causes(&error), None).await,
    }
}

/// What a hub is sent. The text of the error is for an operator.
fn request(gateway: &Gateway, row: &Subscription) -> Result<(Url, String), String> {
    let secrets = Secrets::open(gateway, row).map_err(|error| with_causes(&error))?;
    let hub = Url::parse(&row.hub).map_err(|error| format!("{}: {error}", row.hub))?;
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("hub.callback", &gateway.base.websub(&secrets.path));
    form.append_pair("hub.mode", if row.wanted { "subscribe" } else { "unsubscribe" });
    form.append_pair("hub.topic", &row.topic);
    if row.wanted {
        form.append_pair("hub.lease_seconds", &LEASE_WANTED.as_secs().to_string());
        form.append_pair("hub.secret", &secrets.key);
    }
    Ok((hub, form.finish()))
}

/// What cannot even be sent is a failure as if it had been.
async fn unaskable(gateway: &Gateway, held: &Held, at: Timestamp, why: String) -> Result<(), StoreError> {
    let asking = held.clone();
    if gateway.store.write("note that a hub is asked", move |db| websub::ask(db, &asking, at, at)).await? {
        failed(gateway, held, at, why, None).await?;
    }
    Ok(())
}

/// A request failed: it is repeated later, and the source is polled as usual unless the lease still holds.
async fn failed(
    gateway: &Gateway,
    held: &Held,
    asked_at: Timestamp,
    why: String,
    after: Option<Duration>,
) -> Result<(), StoreError> {
    let (row, at) = (&held.row, now());
    let wait = wait(row.failures.saturating_add(1), rand::random()).max(after.unwrap_or_default().min(WAIT_MAX));
    let due_at = match row.holds_until {
        // The end of the lease must not go unnoticed.
        Some(until) if until > at => at.after(wait).min(until),
        _ => at.after(wait),
    };
    let (id, problem) = (row.id, why.clone());
    let fail = move |db: &mut Db<'_>| websub::fail(db, id, asked_at, &problem, due_at);
    if !gateway.store.write("note that a hub failed", fail).await? {
        return Ok(()); // it came to verify all the same
    }
    metrics::websub("failed");
    if row.wanted {
        tracing::warn!(
            source.name = held.source.name,
            websub.hub = host(&row.hub),
            reason = why,
            "a hub could not be subscribed to; it is asked again later"
        );
    }
    Ok(())
}

async fn end(gateway: &Gateway, held: &Held) -> Result<(), StoreError> {
    let (id, at) = (held.row.id, now());
    gateway.store.write("end a subscription", move |db| websub::end(db, id, at)).await?;
    tracing::info!(source.name = held.source.name, websub.hub = host(&held.row.hub), "a subscription is over");
    Ok(())
}
