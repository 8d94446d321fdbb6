//! What stands in the configuration file is put into the database.

use crate::actor::Profile;
use crate::app::{AppError, targets};
use crate::config::hook::Held;
use crate::config::{ActorConfig, Config, RegisterConfig, SourceConfig};
use crate::flow::provision::{self, ActorPlan, AgencyPlan, By, SourcePlan};
use crate::flow::relays::{self, RelayPlan};
use crate::flow::{Gateway, registers};
use crate::store::registers::Plan;
use crate::store::secrets::Role;
use crate::store::sources::Settings;
use crate::vault;

/// Puts the agencies, actors, sources and relays of the configuration into the database, and makes the instance actor.
pub async fn provision(gateway: &Gateway, config: &Config) -> Result<(), AppError> {
    // Signing once shows whether the master key is the one that the keys were sealed under.
    gateway.sign_as_instance().await?;
    registers::provision(gateway, config.registers.iter().map(register_plan).collect()).await?;
    for agency in &config.agencies {
        let plan = AgencyPlan { name: agency.name.clone(), domain: agency.domain.clone(), host: agency.host.clone() };
        provision::agency(gateway, plan, By::Config)
            .await
            .map_err(|source| AppError::Provision { what: format!("agency `{}`", agency.name), source })?;
        registers::set_organisation(gateway, &agency.name, agency.organisation.as_deref(), "config").await?;
    }
    check_public_url(gateway).await?;
    for actor in &config.actors {
        let plan = actor_plan(config, actor);
        provision::actor(gateway, plan, By::Config)
            .await
            .map_err(|source| AppError::Provision { what: format!("actor `{}`", actor.handle), source })?;
    }
    for source in &config.sources {
        let plan = source_plan(source)?;
        provision::source(gateway, plan, By::Config)
            .await
            .map_err(|error| AppError::Provision { what: format!("source `{}`", source.name), source: error })?;
    }
    let plan = |url: &str, style, agency: &str| RelayPlan { url: url.to_owned(), style, agency: agency.to_owned() };
    let plans = config.relays.iter().flat_map(|relay| relay.agencies.iter().map(|a| plan(&relay.url, relay.style, a)));
    relays::provision(gateway, plans.collect()).await?;
    targets::provision(gateway, config).await
}

/// Other servers remember the ids of actors for ever: an actor that was made under another public URL, and not under the host of
/// its agency, would be lost to them.
async fn check_public_url(gateway: &Gateway) -> Result<(), AppError> {
    let known = gateway.store.read("list actors", crate::store::actors::list).await?;
    let agencies = gateway.store.read("list agencies", crate::store::actors::list_agencies).await?;
    let hosted = |actor: &crate::actor::Actor| {
        let own = agencies.iter().find(|agency| agency.id == actor.agency.id).and_then(|agency| agency.host.clone());
        own == Some(actor.base().root())
    };
    match known.into_iter().find(|actor| !gateway.base.owns(actor.url.as_str()) && !hosted(actor)) {
        Some(actor) => Err(AppError::PublicUrl {
            handle: actor.full_handle(),
            url: actor.url.to_string(),
            now: gateway.base.root(),
        }),
        None => Ok(()),
    }
}

fn register_plan(register: &RegisterConfig) -> Plan {
    Plan {
        name: register.name.clone(),
        kind: register.kind.clone(),
        place: register.place(),
        every_ms: i64::try_from(register.every.as_millis()).unwrap_or(i64::MAX),
    }
}

fn actor_plan(config: &Config, actor: &ActorConfig) -> ActorPlan {
    ActorPlan {
        agency: actor.agency.clone(),
        handle: actor.handle.clone(),
        handle_domain: config.handle_domain(actor),
        kind: actor.kind,
        language: actor.language.clone(),
        profile: Profile {
            name: actor.name.clone(),
            summary: actor.summary.clone(),
            icon: actor.icon.clone(),
            image: actor.image.clone(),
            fields: actor.fields.clone(),
            discoverable: actor.discoverable,
            indexable: actor.indexable,
            featured_tags: actor.featured_tags.clone(),
            attribution_domains: actor.attribution_domains.clone(),
            quotes: actor.quotes,
        },
        aliases: Some(actor.also_known_as.clone()),
        formerly: actor.formerly.clone(),
    }
}

/// The plan of a source, with its secrets read from where the file says that they are.
fn source_plan(source: &SourceConfig) -> Result<SourcePlan, AppError> {
    let hook = &source.hook;
    let held = [(Role::Secret, &hook.secret), (Role::Previous, &hook.previous_secret), (Role::Token, &hook.token)];
    let mut secrets = Vec::new();
    for (role, held) in held {
        let secret = held.as_ref().map(|held| read_secret(&source.name, held)).transpose()?;
        secrets.push((role, secret));
    }
    Ok(SourcePlan {
        secrets,
        name: source.name.clone(),
        actor: source.actor.clone(),
        kind: source.kind.clone(),
        settings: Settings {
            schedule: source.schedule.clone(),
            policy: source.policy.clone(),
            compose: source.compose.clone(),
            language: source.language.clone(),
            connector: source.settings.clone(),
            signature: hook.signature.clone(),
            disabled: !source.enabled,
            websub_off: !source.websub,
            stale_after: source.stale_after,
        },
    })
}

fn read_secret(source: &str, held: &Held) -> Result<heraut_connectors::contract::Secret, AppError> {
    if let Held::File(path) = held
        && vault::readable_by_all(path).unwrap_or(false)
    {
        return Err(AppError::Exposed { source_name: source.to_owned(), path: path.clone() });
    }
    let secret = held.read().map_err(|error| AppError::Secret { source_name: source.to_owned(), source: error })?;
    Ok(secret.expose().into())
}
