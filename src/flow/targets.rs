//! Accounts on other servers to which posts go too ([ADR 0021](../../docs/adr/0021-targets.md)): making, changing and removing them.
//! [`work`] says there what is owed, [`check`] asks whether a token works.

mod api;
pub mod check;
mod look;
mod pictures;
mod send;
mod turn;
pub mod work;

use heraut_connectors::contract::Secret;
use thiserror::Error;

use crate::flow::keyring::KeyringError;
use crate::flow::provision::{By, ProvisionError};
use crate::flow::{Gateway, now};
use crate::ids::{ActorId, AgencyId, TargetId};
use crate::store::target_posts::{self, End, TargetState};
use crate::store::targets::{self as rows, Target};
use crate::store::{Db, StoreError, actors, audit};
use crate::target::{MASTODON_ACCOUNT, Visibility, check_token, parse_server};
use crate::time::Timestamp;

/// Why a target could not be made, changed or removed.
#[derive(Debug, Error)]
pub enum TargetError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The token cannot be sealed or opened.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// No such agency or actor, or it stands in the configuration file.
    #[error(transparent)]
    Provision(#[from] ProvisionError),
    /// No such target.
    #[error("there is no target `{0}`; `heraut target list` shows those that there are")]
    None(String),
    /// There is one of that name already.
    #[error("there is a target `{0}` already; choose another name, or change its token with `heraut target token {0}`")]
    Taken(String),
    /// What is given cannot be.
    #[error("target `{name}`: {problem}")]
    Odd {
        /// Its name.
        name: String,
        /// What is wrong, and what to do.
        problem: String,
    },
}

/// Whose posts go to a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// Those of every actor of the agency of that name.
    Agency(String),
    /// Those of the actor with that handle.
    Actor(String),
}

/// A target to be made or changed.
#[derive(Debug, Clone)]
pub struct TargetPlan {
    /// Its name.
    pub name: String,
    /// Whose posts go there.
    pub whose: Whose,
    /// Its kind.
    pub kind: String,
    /// The server.
    pub url: String,
    /// Who sees what is said there.
    pub visibility: Visibility,
    /// Whether it is in use.
    pub enabled: bool,
    /// The access token.
    pub token: Secret,
}

fn odd(name: &str, problem: impl Into<String>) -> TargetError {
    TargetError::Odd { name: name.to_owned(), problem: problem.into() }
}

/// Makes a target; or, from the configuration file, changes the one of that name. Returns whether anything changed.
pub async fn set(gateway: &Gateway, plan: TargetPlan, by: By<'_>) -> Result<bool, TargetError> {
    let name = plan.name.clone();
    if plan.kind != MASTODON_ACCOUNT {
        return Err(odd(&name, format!("`{}` is no kind of target; there is {MASTODON_ACCOUNT}", plan.kind)));
    }
    let server = parse_server(&plan.url).map_err(|problem| odd(&name, problem))?;
    check_token(plan.token.reveal()).map_err(|problem| odd(&name, problem))?;
    let (agency_id, actor_id) = whose(gateway, &plan.whose).await?;
    let known = find_any(gateway, &name).await?;
    if known.is_some() && by != By::Config {
        return Err(TargetError::Taken(name));
    }
    let id = known.as_ref().map_or_else(|| TargetId(gateway.mint.next()), |known| known.id);
    let same_token = match known.as_ref().and_then(|known| known.sealed.as_deref()) {
        Some(sealed) => gateway.keyring.open_target(id, sealed).is_ok_and(|token| token == plan.token.reveal()),
        None => false,
    };
    let at = now();
    let fresh = Target {
        id,
        name,
        agency_id,
        actor_id,
        kind: plan.kind,
        url: server.to_string().trim_end_matches('/').to_owned(),
        visibility: plan.visibility.name().to_owned(),
        enabled: plan.enabled,
        provisioned: by == By::Config,
        sealed: Some(gateway.keyring.seal_target(id, plan.token.reveal())?),
        ..blank(at)
    };
    let entry = gateway.audit(&by.who(), "target.set", format!("target:{}", fresh.name), fresh.url.clone());
    let Some(known) = known else {
        let write = move |db: &mut Db<'_>| {
            rows::insert(db, &fresh)?;
            audit::add(db, &entry)
        };
        gateway.store.write("store a target", write).await?;
        return Ok(true);
    };
    if known.url != fresh.url {
        let problem = format!(
            "it is at {}, where its posts are; give the target at {} another name, and take this one out",
            known.url, fresh.url
        );
        return Err(odd(&known.name, problem));
    }
    let told = |target: &Target| {
        (target.agency_id, target.actor_id, target.visibility.clone(), target.enabled, target.provisioned)
    };
    let changed = told(&known) != told(&fresh);
    if changed || !same_token {
        let write = move |db: &mut Db<'_>| {
            rows::change(db, &fresh, at)?;
            if let (false, Some(sealed)) = (same_token, &fresh.sealed) {
                rows::set_token(db, id, sealed, at)?;
            }
            audit::add(db, &entry)
        };
        gateway.store.write("change a target", write).await?;
        gateway.wake.targets.notify_one();
    }
    Ok(changed || !same_token)
}

/// A target of which nothing is known yet.
fn blank(at: Timestamp) -> Target {
    Target {
        id: TargetId(0),
        name: String::new(),
        agency_id: AgencyId(0),
        actor_id: None,
        kind: String::new(),
        url: String::new(),
        visibility: String::new(),
        enabled: true,
        provisioned: false,
        sealed: None,
        account: None,
        limits: None,
        limits_at: None,
        resting: None,
        resting_since: None,
        failures: 0,
        failing_since: None,
        last_error: None,
        last_ok_at: None,
        due_at: None,
        lease_until: Timestamp(0),
        created_at: at,
        removed_at: None,
    }
}

async fn whose(gateway: &Gateway, whose: &Whose) -> Result<(AgencyId, Option<ActorId>), TargetError> {
    match whose.clone() {
        Whose::Agency(name) => {
            let wanted = name.clone();
            let found = gateway.store.read("read an agency", move |db| actors::agency_by_name(db, &wanted)).await?;
            found.map(|agency| (agency.id, None)).ok_or_else(|| ProvisionError::NoAgency(name).into())
        }
        Whose::Actor(handle) => {
            let wanted = handle.clone();
            let mut named = gateway.store.read("read an actor", move |db| actors::named(db, &wanted)).await?;
            let actor = named.pop().ok_or_else(|| ProvisionError::NoActor(handle.clone()))?;
            // The account of one agency must not say what another one says.
            if !named.is_empty() {
                return Err(ProvisionError::Ambiguous(handle).into());
            }
            Ok((actor.agency.id, Some(actor.id)))
        }
    }
}

/// Puts targets out of use that stand in the configuration file no more.
pub async fn retire_missing(gateway: &Gateway, named: Vec<String>) -> Result<(), StoreError> {
    let retire = move |db: &mut Db<'_>| rows::retire_missing(db, &named);
    for name in gateway.store.write("put targets out of use", retire).await? {
        tracing::warn!(
            target.name = name,
            "a target stands in the configuration file no more; it is out of use, `heraut target remove` forgets its token"
        );
    }
    Ok(())
}

/// The target of that name.
pub async fn find(gateway: &Gateway, name: &str) -> Result<Target, TargetError> {
    find_any(gateway, name).await?.ok_or_else(|| TargetError::None(name.to_owned()))
}

async fn find_any(gateway: &Gateway, name: &str) -> Result<Option<Target>, StoreError> {
    let name = name.to_owned();
    gateway.store.read("read a target", move |db| rows::by_name(db, &name)).await
}

/// Gives a target another token. What rested goes on at once.
pub async fn set_token(gateway: &Gateway, name: &str, token: &Secret, by: &str) -> Result<Target, TargetError> {
    let target = changeable(gateway, name).await?;
    check_token(token.reveal()).map_err(|problem| odd(name, problem))?;
    let sealed = gateway.keyring.seal_target(target.id, token.reveal())?;
    let entry = gateway.audit(by, "target.token", format!("target:{name}"), "");
    let (id, at) = (target.id, now());
    let write = move |db: &mut Db<'_>| {
        rows::set_token(db, id, &sealed, at)?;
        audit::add(db, &entry)
    };
    gateway.store.write("give a target a token", write).await?;
    find(gateway, name).await
}

/// Removes a target: its token is forgotten and what it is owed void; receipts stay, and so does what stands on the server.
pub async fn remove(gateway: &Gateway, name: &str, by: &str) -> Result<Target, TargetError> {
    let target = changeable(gateway, name).await?;
    let entry = gateway.audit(by, "target.remove", format!("target:{name}"), target.url.clone());
    let (id, at) = (target.id, now());
    let write = move |db: &mut Db<'_>| {
        rows::remove(db, id, at)?;
        let end = End { state: TargetState::Void, status: None, note: Some("the target was removed") };
        target_posts::settle_all(db, id, end, at)?;
        audit::add(db, &entry)
    };
    gateway.store.write("remove a target", write).await?;
    Ok(target)
}

async fn changeable(gateway: &Gateway, name: &str) -> Result<Target, TargetError> {
    let target = find(gateway, name).await?;
    if target.provisioned {
        return Err(ProvisionError::Provisioned(format!("target `{name}`")).into());
    }
    Ok(target)
}
