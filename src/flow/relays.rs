//! Relays (docs/adr/0020-relays.md): agencies use them and stop, and what that takes is sent as the instance actor: Follow, Undo, the
//! answer to their own Follow, and to those of LitePub's style an Announce per post. Those of Mastodon's style are owed the activities of
//! actors as any inbox is ([`crate::store::deliveries::fan_out`]).

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use thiserror::Error;
use tokio::task::JoinSet;
use url::Url;

use crate::activity::{CONTENT_TYPE, relaying};
use crate::actor::relay::{RelayState, RelayStyle};
use crate::delivery::{Outcome, classify};
use crate::flow::keyring::KeyringError;
use crate::flow::provision::ProvisionError;
use crate::flow::remote::{self, RemoteFetchError};
use crate::flow::schedule::Stop;
use crate::flow::verify::with_causes;
use crate::flow::{Gateway, Shared, now};
use crate::ids::{AgencyId, InboxId, RelayId};
use crate::signature::digest::Digested;
use crate::signature::{self, Scheme, integrity};
use crate::store::relays::{self, Asking, RelayRow};
use crate::store::{Db, StoreError, actors, audit, from_json, inboxes};
use crate::time::Timestamp;
use crate::urls::{ActorUrl, InboxUrl};

/// How often is looked for relays that are due.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Relays that are worked on at once.
const WORKS_MAX: usize = 4;
/// How long a process holds a relay while it works on it.
const LEASE: Duration = Duration::from_secs(120);
/// After how long a relay that says nothing is asked again: some have a person who decides.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(86_400);
/// Waits after the first, second, … failure in a row, in seconds; the last one repeats.
const WAITS_S: [u64; 6] = [15, 60, 900, 3_600, 3 * 3_600, 12 * 3_600];
/// How often a relay is told that we leave before it is forgotten all the same.
const LEAVE_TRIES_MAX: i32 = 5;
/// Posts that a relay is told of in one turn.
const ANNOUNCEMENTS_MAX: i64 = 16;

/// Why a relay cannot be used or left.
#[derive(Debug, Error)]
pub enum RelayError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No such agency, or it is named in the configuration file.
    #[error(transparent)]
    Provision(#[from] ProvisionError),
    /// Its address is none.
    #[error(
        "`{url}` cannot be the address of a relay: {problem}; give the inbox of one of Mastodon's style, or the actor of one of LitePub's"
    )]
    Address {
        /// What was given.
        url: String,
        /// Why not.
        problem: String,
    },
    /// It is known with another style.
    #[error("{url} is used as a relay of style {style}; remove it first, `heraut relay remove {url} --agency …`")]
    Style {
        /// The relay.
        url: String,
        /// Its style.
        style: String,
    },
    /// It is not used.
    #[error("agency `{agency}` does not use the relay {url}; `heraut relay list` shows those that are used")]
    NotUsed {
        /// The relay.
        url: String,
        /// The agency.
        agency: String,
    },
}

/// A relay to be used.
#[derive(Debug, Clone)]
pub struct RelayPlan {
    /// Its address.
    pub url: String,
    /// How it is talked to.
    pub style: RelayStyle,
    /// The name of the agency whose posts it is to pass on.
    pub agency: String,
}

async fn agency(gateway: &Gateway, name: &str) -> Result<AgencyId, RelayError> {
    let wanted = name.to_owned();
    let found = gateway.store.read("read an agency", move |db| actors::agency_by_name(db, &wanted)).await?;
    Ok(found.ok_or_else(|| ProvisionError::NoAgency(name.to_owned()))?.id)
}

/// Uses a relay for an agency: it is asked, and passes posts on once it has accepted.
pub async fn join(
    gateway: &Gateway,
    plan: RelayPlan,
    provisioned: bool,
    who: &str,
) -> Result<(RelayId, AgencyId), RelayError> {
    let agency = agency(gateway, &plan.agency).await?;
    let checked = match plan.style {
        RelayStyle::Mastodon => InboxUrl::parse(&plan.url).map(|_| ()),
        RelayStyle::LitePub => ActorUrl::parse(&plan.url).map(|_| ()),
    };
    checked.map_err(|error| RelayError::Address { url: plan.url.clone(), problem: error.to_string() })?;
    let url = plan.url.clone();
    let load = move |db: &mut Db<'_>| {
        let known = relays::by_url(db, &url)?;
        let link = known.as_ref().map_or(Ok(None), |known| relays::link(db, known.id, agency))?;
        Ok((known, link))
    };
    let (known, link) = gateway.store.read("read a relay", load).await?;
    if let Some(known) = known.filter(|known| known.style() != plan.style) {
        return Err(RelayError::Style { url: plan.url, style: known.style });
    }
    let at = now();
    let row = RelayRow {
        id: RelayId(gateway.mint.next()),
        url: plan.url.clone(),
        style: plan.style.name().to_owned(),
        state: RelayState::Asking.name().to_owned(),
        reason: None,
        actor_url: None,
        inbox_id: None,
        follow_number: None,
        follow_back: None,
        asked_at: None,
        answered_at: None,
        failures: 0,
        created_at: at,
        due_at: Some(at),
        lease_until: Timestamp(0),
    };
    let entry = gateway.audit(who, "relay.join", format!("relay:{}", plan.url), plan.agency);
    let is_new = link.is_none();
    // The file names it at every start; a person who names it in both ways changes nothing.
    let provisioned = provisioned || link == Some(true);
    let store = move |db: &mut Db<'_>| {
        if is_new {
            audit::add(db, &entry)?;
        }
        relays::join(db, &row, agency, provisioned, at)
    };
    Ok((gateway.store.write("use a relay", store).await?, agency))
}

/// Uses the relays that the configuration names. What it does not name any more can be removed by hand.
pub async fn provision(gateway: &Gateway, plans: Vec<RelayPlan>) -> Result<(), RelayError> {
    let mut named = Vec::with_capacity(plans.len());
    for plan in plans {
        named.push(join(gateway, plan, true, "config").await?);
    }
    let forget = move |db: &mut Db<'_>| relays::forget_provisioned(db, &named);
    Ok(gateway.store.write("compare relays with the configuration", forget).await?)
}

/// Uses a relay for an agency no more. When no other agency uses it, it is left.
pub async fn part(gateway: &Gateway, url: &str, agency_name: &str, who: &str) -> Result<(), RelayError> {
    let agency = agency(gateway, agency_name).await?;
    let not_used = || RelayError::NotUsed { url: url.to_owned(), agency: agency_name.to_owned() };
    let wanted = url.to_owned();
    let load = move |db: &mut Db<'_>| {
        let Some(known) = relays::by_url(db, &wanted)? else { return Ok(None) };
        Ok(relays::link(db, known.id, agency)?.map(|provisioned| (known.id, provisioned)))
    };
    let (id, provisioned) = gateway.store.read("read a relay", load).await?.ok_or_else(not_used)?;
    if provisioned {
        return Err(ProvisionError::Provisioned(format!("relay {url}")).into());
    }
    let at = now();
    let entry = gateway.audit(who, "relay.part", format!("relay:{url}"), agency_name.to_owned());
    let part = move |db: &mut Db<'_>| {
        let parted = relays::part(db, id, agency, at)?;
        if parted { audit::add(db, &entry).map(|()| true) } else { Ok(false) }
    };
    if gateway.store.write("leave a relay", part).await? { Ok(()) } else { Err(not_used()) }
}

/// Works on relays until `stop`.
pub async fn work(gateway: Shared, mut stop: Stop) {
    let mut works = JoinSet::new();
    while !stop.is_set() {
        while works.len() >= WORKS_MAX {
            works.join_next().await;
        }
        match lease_due(&gateway).await {
            Ok(Some(row)) => {
                let gateway = gateway.clone();
                works.spawn(async move { run(&gateway, row).await });
                continue;
            }
            Ok(None) => {}
            Err(error) => tracing::error!(error = &error as &dyn std::error::Error, "relays cannot be leased"),
        }
        tokio::select! {
            () = stop.sleep(LOOK_EVERY) => {}
            Some(_) = works.join_next() => {}
        }
    }
    // What a relay was sent and is not noted is sent again; its lease ends by itself.
    works.shutdown().await;
}

/// Leases a relay that is due, if there is one; looks first, without a lock.
pub async fn lease_due(gateway: &Gateway) -> Result<Option<RelayRow>, StoreError> {
    let at = now();
    if !gateway.store.read("look for relays that are due", move |db| relays::any_due(db, at)).await? {
        return Ok(None);
    }
    gateway.store.write("lease a relay", move |db| relays::claim(db, at, at.after(LEASE))).await
}

/// Does what is due about a relay.
pub async fn run(gateway: &Gateway, row: RelayRow) {
    let done = match row.state() {
        RelayState::Asking | RelayState::Asked => ask(gateway, &row).await,
        RelayState::Accepted => tell(gateway, &row).await,
        RelayState::Leaving => leave(gateway, &row).await,
        RelayState::Refused => settle(gateway, &row, None).await,
    };
    if let Err(error) = done {
        tracing::error!(relay.url = row.url, error = &*error, "a relay could not be worked on");
    }
    let release = move |db: &mut Db<'_>| relays::release(db, &row);
    if let Err(error) = gateway.store.write("release a relay", release).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "the lease of a relay could not be ended");
    }
}

type Done = Result<(), Box<dyn std::error::Error + Send + Sync>>;

async fn settle(gateway: &Gateway, row: &RelayRow, due_at: Option<Timestamp>) -> Done {
    let row = row.clone();
    Ok(gateway.store.write("note that a relay took something", move |db| relays::took(db, &row, due_at)).await?)
}

/// Notes a failure, which passes or does not.
async fn failed(gateway: &Gateway, row: &RelayRow, from: RelayState, problem: Problem) -> Done {
    let (to, due_at) = match (&problem, from) {
        // What was accepted stays so: the relay may be down.
        (_, RelayState::Accepted | RelayState::Leaving) | (Problem::Passes(_), _) => {
            let nth = usize::try_from(row.failures).unwrap_or(usize::MAX);
            let wait = WAITS_S.get(nth).or(WAITS_S.last()).copied().unwrap_or(3_600);
            let to = if from == RelayState::Asked { RelayState::Asking } else { from };
            (to, Some(now().after(Duration::from_secs(wait))))
        }
        (Problem::Stays(_), _) => (RelayState::Refused, None),
    };
    let (Problem::Passes(why) | Problem::Stays(why)) = problem;
    tracing::warn!(relay.url = row.url, reason = why, state = to.name(), "a relay did not take what it was sent");
    let row = row.clone();
    let fail = move |db: &mut Db<'_>| relays::fail(db, &row, from, to, &why, due_at);
    Ok(gateway.store.write("note that a relay failed", fail).await?)
}

/// Why a relay did not take something.
enum Problem {
    /// It is tried again.
    Passes(String),
    /// It would be the same again.
    Stays(String),
}

/// Follows a relay.
async fn ask(gateway: &Gateway, row: &RelayRow) -> Done {
    let (actor, inbox) = match row.style() {
        RelayStyle::Mastodon => (None, InboxUrl::parse(&row.url)?),
        RelayStyle::LitePub => match remote::actor(gateway, &ActorUrl::parse(&row.url)?, true).await {
            Ok(actor) => (Some(actor.url), actor.inbox),
            Err(RemoteFetchError::Store(error)) => return Err(error.into()),
            Err(error) => return failed(gateway, row, row.state(), Problem::Passes(with_causes(&error))).await,
        },
    };
    let (number, at, inbox_id) = (gateway.mint.next(), now(), InboxId(gateway.mint.next()));
    let (id, url, relay) = (row.id, inbox.clone(), actor.as_ref().map(ToString::to_string));
    let note = move |db: &mut Db<'_>| {
        let inbox = inboxes::ensure(db, &url, inbox_id, at)?;
        let asking = Asking { number, inbox, actor: relay.clone(), at, due_at: at.after(ASK_AGAIN_AFTER) };
        relays::ask(db, id, &asking)
    };
    if !gateway.store.write("note that a relay is asked", note).await? {
        return Ok(());
    }
    let instance = gateway.instance_actor().await?;
    let bytes = relaying::follow_relay(&instance, &gateway.base, row.style(), actor.as_ref(), number);
    match post(gateway, inbox.as_str(), bytes).await? {
        Ok(()) => {
            tracing::info!(relay.url = row.url, "a relay was asked");
            Ok(())
        }
        Err(problem) => failed(gateway, row, RelayState::Asked, problem).await,
    }
}

/// Tells a relay that accepted what it is still to be told.
async fn tell(gateway: &Gateway, row: &RelayRow) -> Done {
    let id = row.id;
    let inbox = row.inbox_id;
    let load = move |db: &mut Db<'_>| {
        let url = inbox.map_or(Ok(None), |inbox| relays::inbox_url(db, inbox))?;
        Ok((url, relays::announcements(db, id, ANNOUNCEMENTS_MAX)?))
    };
    let (inbox, owed) = gateway.store.read("read what a relay is to be told", load).await?;
    let Some(inbox) = inbox else { return settle(gateway, row, None).await };
    let instance = gateway.instance_actor().await?;
    if let Some(follow) = &row.follow_back {
        let asked: Value = from_json(follow)?;
        let bytes = relaying::accept_relay(&instance, &gateway.base, &asked, gateway.mint.next());
        if let Err(problem) = post(gateway, &inbox, bytes).await? {
            return failed(gateway, row, RelayState::Accepted, problem).await;
        }
        let follow = follow.clone();
        let answered = move |db: &mut Db<'_>| relays::follow_was_answered(db, id, &follow);
        gateway.store.write("note that a relay was answered", answered).await?;
    }
    let all = i64::try_from(owed.len()).is_ok_and(|n| n < ANNOUNCEMENTS_MAX);
    let relay = row.actor_url.as_deref().map(ActorUrl::parse).transpose()?;
    for (post_id, is_public) in owed {
        if let (true, Some(relay)) = (is_public, &relay) {
            let bytes = relaying::announce(&instance, &gateway.base, relay, post_id, now());
            if let Err(problem) = post(gateway, &inbox, bytes).await? {
                return failed(gateway, row, RelayState::Accepted, problem).await;
            }
        }
        gateway.store.write("note that a relay was told", move |db| relays::announced(db, id, post_id)).await?;
    }
    let row = row.clone();
    let next = move |db: &mut Db<'_>| {
        // What was published while it was told is due as well.
        let more = !all || !relays::announcements(db, row.id, 1)?.is_empty();
        relays::took(db, &row, more.then(now))
    };
    Ok(gateway.store.write("note that a relay took something", next).await?)
}

/// Tells a relay that we leave, and forgets it.
async fn leave(gateway: &Gateway, row: &RelayRow) -> Done {
    if let (Some(number), Some(inbox)) = (row.follow_number, row.inbox_id)
        && row.failures < LEAVE_TRIES_MAX
        && let Some(inbox) = gateway.store.read("read an inbox", move |db| relays::inbox_url(db, inbox)).await?
    {
        let instance = gateway.instance_actor().await?;
        let relay = row.actor_url.as_deref().map(ActorUrl::parse).transpose()?;
        let bytes = relaying::leave_relay(&instance, &gateway.base, row.style(), relay.as_ref(), number);
        if let Err(Problem::Passes(why)) = post(gateway, &inbox, bytes).await? {
            return failed(gateway, row, RelayState::Leaving, Problem::Passes(why)).await;
        }
    }
    let id = row.id;
    gateway.store.write("forget a relay", move |db| relays::remove(db, id)).await?;
    tracing::info!(relay.url = row.url, "a relay was left");
    Ok(())
}

/// Posts as the instance actor, and once more by RFC 9421 where the signature is refused.
async fn post(gateway: &Gateway, inbox: &str, bytes: Vec<u8>) -> Result<Result<(), Problem>, KeyringError> {
    let identity = gateway.sign_as_instance().await?;
    let Ok(url) = Url::parse(inbox) else { return Ok(Err(Problem::Stays(format!("{inbox} is not a URL")))) };
    let bytes = integrity::attach(bytes, &identity, now());
    let body = Digested::new(Bytes::from(bytes));
    let mut said = None;
    for scheme in [Scheme::Cavage, Scheme::Rfc9421] {
        let headers = match signature::sign_post(&identity, scheme, &url, (&body, CONTENT_TYPE), None, now()) {
            Ok(headers) => headers,
            Err(error) => return Ok(Err(Problem::Stays(error.to_string()))),
        };
        let posted =
            match gateway.net.post(&url, headers, body.bytes().clone(), gateway.settings.delivery_timeout).await {
                Ok(posted) => posted,
                Err(error) => return Ok(Err(Problem::Passes(with_causes(&error)))),
            };
        let text: String = posted.body_start.chars().filter(|c| !c.is_control()).take(120).collect();
        let answer = format!("the relay answered {}: {text}", posted.status);
        let answer = answer.trim_end_matches([':', ' ']).to_owned();
        let problem = match classify(posted.status, posted.retry_after.as_deref(), now()) {
            Outcome::Delivered { .. } => return Ok(Ok(())),
            Outcome::Refused { .. } => Problem::Stays(answer),
            _ => Problem::Passes(answer),
        };
        // The first answer says what is wrong, unless the second one takes it.
        said.get_or_insert(problem);
        if !matches!(posted.status, 400 | 401) {
            break;
        }
    }
    Ok(said.map_or(Ok(()), Err))
}

/// Whether an actor is that of a relay that we use: what it passes on of others is not refused, or it would give us up.
pub async fn is_relay(gateway: &Gateway, actor: &ActorUrl) -> Result<bool, StoreError> {
    let url = actor.to_string();
    let found = gateway.store.read("look for a relay", move |db| relays::by_actor(db, &url)).await?;
    Ok(found.is_some_and(|relay| relay.state() == RelayState::Accepted))
}
