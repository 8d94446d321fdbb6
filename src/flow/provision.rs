//! Makes agencies, actors and sources, and changes them. What the configuration file names is upserted at every start; what is
//! made otherwise lives in the database alone.

use heraut_connectors::contract::Secret;
use thiserror::Error;

use crate::activity;
use crate::actor::verification::VerifiedActor;
use crate::actor::{Actor, ActorKind, Agency, Handle, Language, Profile};
use crate::flow::hooks::keep;
use crate::flow::keyring::KeyringError;
use crate::flow::poll::PollError;
use crate::flow::{Gateway, now};
use crate::ids::{ActivityId, ActorId, AgencyId, KeyRowId, SourceId};
use crate::store::activities::{self, ActivityRow};
use crate::store::actors::{self, AgencyRow};
use crate::store::deliveries::FanOut;
use crate::store::secrets::{self, Role};
use crate::store::sources::{self, Progress, Settings, Source};
use crate::store::{Db, StoreError, audit, deliveries, proofs};

/// Why something could not be made or changed.
#[derive(Debug, Error)]
pub enum ProvisionError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Keys could not be made.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The source's connector or settings are wrong.
    #[error(transparent)]
    Source(#[from] PollError),
    /// A secret cannot be used.
    #[error("source `{0}`: {1}")]
    Secret(String, String),
    /// It stands in the configuration file, which would put it back at the next start.
    #[error("{0} stands in the configuration file; change it there")]
    Provisioned(String),
    /// No such agency.
    #[error("there is no agency `{0}`; `heraut agency list` shows those that there are")]
    NoAgency(String),
    /// No such actor.
    #[error("there is no actor `{0}`; `heraut actor list` shows those that there are")]
    NoActor(String),
}

/// An actor to be made or changed.
#[derive(Debug, Clone)]
pub struct ActorPlan {
    /// The name of its agency.
    pub agency: String,
    /// Its handle.
    pub handle: Handle,
    /// The domain of its handle.
    pub handle_domain: String,
    /// Its type.
    pub kind: ActorKind,
    /// Its language.
    pub language: Language,
    /// What readers see.
    pub profile: Profile,
}

/// A source to be made or changed.
#[derive(Debug, Clone)]
pub struct SourcePlan {
    /// Its name.
    pub name: String,
    /// The handle of the actor that it feeds.
    pub actor: Handle,
    /// The kind of its connector.
    pub kind: String,
    /// Its settings.
    pub settings: Settings,
    /// Its secrets, by role: what is not named here stays as it is, and `None` is removed.
    pub secrets: Vec<(Role, Option<Secret>)>,
}

/// Who makes or changes something. What the configuration file names is changed only there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By<'a> {
    /// The configuration file.
    Config,
    /// A person, by name.
    Person(&'a str),
}

impl By<'_> {
    fn name(self) -> String {
        match self {
            Self::Config => "config".to_owned(),
            Self::Person(name) => name.to_owned(),
        }
    }

    /// Refuses a person what stands in the configuration file.
    fn may_change(self, provisioned: bool, what: impl FnOnce() -> String) -> Result<(), ProvisionError> {
        if provisioned && self != Self::Config { Err(ProvisionError::Provisioned(what())) } else { Ok(()) }
    }
}

/// Makes an agency, or gives the one of that name this domain.
pub async fn agency(gateway: &Gateway, name: &str, domain: &str, by: By<'_>) -> Result<AgencyId, ProvisionError> {
    let wanted = name.to_owned();
    let known = gateway.store.read("read an agency", move |db| actors::agency_by_name(db, &wanted)).await?;
    by.may_change(known.as_ref().is_some_and(|known| known.provisioned), || format!("agency `{name}`"))?;
    let row = AgencyRow {
        id: AgencyId(gateway.mint.next()),
        name: name.to_owned(),
        domain: domain.to_ascii_lowercase(),
        provisioned: by == By::Config,
        created_at: now(),
    };
    let entry = gateway.audit(&by.name(), "agency.set", format!("agency:{name}"), row.domain.clone());
    let store = move |db: &mut Db<'_>| {
        let before = actors::agency_by_name(db, &row.name)?;
        let id = actors::upsert_agency(db, &row)?;
        if before.as_ref().is_none_or(|before| before.domain != row.domain) {
            proofs::make_due(db, id, row.created_at)?;
            audit::add(db, &entry)?;
        }
        Ok(id)
    };
    Ok(gateway.store.write("store an agency", store).await?)
}

/// Makes an actor with its keys, or changes what readers see of the one with that handle. Its id, URL and keys never change; a
/// change is sent to its followers.
pub async fn actor(gateway: &Gateway, plan: ActorPlan, by: By<'_>) -> Result<Actor, ProvisionError> {
    let (name, handle) = (plan.agency.clone(), plan.handle.to_string());
    let load = move |db: &mut Db<'_>| Ok((actors::agency_by_name(db, &name)?, actors::by_handle(db, &handle)?));
    let (agency, known) = gateway.store.read("read an actor and its agency", load).await?;
    let agency = agency.ok_or(ProvisionError::NoAgency(plan.agency.clone()))?;
    let agency = Agency { id: agency.id, name: agency.name, domain: agency.domain };
    match known {
        Some(known) => {
            let id = known.id;
            let provisioned = gateway.store.read("read an actor", move |db| actors::is_provisioned(db, id)).await?;
            by.may_change(provisioned, || format!("actor `{}`", known.handle))?;
            change_actor(gateway, known, agency, plan, by).await
        }
        None => make_actor(gateway, agency, plan, by).await,
    }
}

async fn make_actor(gateway: &Gateway, agency: Agency, plan: ActorPlan, by: By<'_>) -> Result<Actor, ProvisionError> {
    let id = ActorId(gateway.mint.next());
    let keys = gateway.keyring.generate([KeyRowId(gateway.mint.next()), KeyRowId(gateway.mint.next())], Some(id))?;
    let at = now();
    let actor = Actor {
        id,
        agency,
        handle: plan.handle,
        handle_domain: plan.handle_domain,
        kind: plan.kind,
        language: plan.language,
        profile: plan.profile,
        url: gateway.base.actor(id),
        keys: keys.public,
        created_at: at,
        updated_at: at,
    };
    let entry = gateway.audit(&by.name(), "actor.make", format!("actor:{}", actor.handle), actor.url.to_string());
    let (stored, rows, provisioned) = (actor.clone(), keys.rows, by == By::Config);
    gateway
        .store
        .write("store an actor", move |db| {
            actors::insert(db, &stored, provisioned, &rows)?;
            proofs::ensure(db, id, at)?;
            audit::add(db, &entry)
        })
        .await?;
    Ok(actor)
}

async fn change_actor(
    gateway: &Gateway,
    known: Actor,
    agency: Agency,
    plan: ActorPlan,
    by: By<'_>,
) -> Result<Actor, ProvisionError> {
    let changed = Actor {
        agency,
        handle_domain: plan.handle_domain,
        kind: plan.kind,
        language: plan.language,
        profile: plan.profile,
        ..known.clone()
    };
    if changed == known {
        return Ok(known);
    }
    let at = now();
    let changed = Actor { updated_at: at, ..changed };
    let id = changed.id;
    let proof = gateway.store.read("read a proof", move |db| proofs::of_actor(db, id)).await?;
    let verified = VerifiedActor::prove(changed.clone(), &proof, &gateway.settings.proof_times, at).ok();
    let update = verified.map(|verified| {
        let activity = ActivityId(gateway.mint.next());
        let bytes = activity::update_actor(&verified, &changed.base(), activity, at);
        ActivityRow { id: activity, actor_id: id, post_id: None, kind: "Update".to_owned(), bytes, created_at: at }
    });
    let entry = gateway.audit(&by.name(), "actor.change", format!("actor:{}", changed.handle), "");
    let (stored, provisioned) = (changed.clone(), by == By::Config);
    gateway
        .store
        .write("change an actor", move |db| {
            actors::update(db, &stored, provisioned)?;
            audit::add(db, &entry)?;
            if let Some(row) = &update {
                activities::insert(db, row)?;
                deliveries::fan_out(db, &FanOut::of_actor(row.id, id, at))?;
            }
            Ok(())
        })
        .await?;
    Ok(changed)
}

/// Makes a source, or changes the one of that name. Its settings are checked by its connector first, and its secrets sealed.
pub async fn source(gateway: &Gateway, plan: SourcePlan, by: By<'_>) -> Result<SourceId, ProvisionError> {
    let handle = plan.actor.to_string();
    let actor = gateway.store.read("read the actor of a source", move |db| actors::by_handle(db, &handle)).await?;
    let actor = actor.ok_or_else(|| ProvisionError::NoActor(plan.actor.to_string()))?;
    let source = Source {
        id: SourceId(gateway.mint.next()),
        name: plan.name,
        actor_id: actor.id,
        kind: plan.kind,
        settings: plan.settings,
        progress: Progress::default(),
    };
    keep::profile(&source)?;
    let name = source.name.clone();
    let load = move |db: &mut Db<'_>| {
        let known = sources::by_name(db, &name)?;
        let rows = known.as_ref().map_or(Ok(Vec::new()), |known| secrets::of(db, known.id))?;
        Ok((sources::is_provisioned(db, &name)?, rows))
    };
    let (provisioned, rows) = gateway.store.read("read a source", load).await?;
    let known = keep::opened(gateway, &rows)?;
    let mut wanted = known.clone();
    plan.secrets.into_iter().for_each(|(role, secret)| wanted.put(role, secret));
    if let Some(problem) = wanted.problem() {
        return Err(ProvisionError::Secret(source.name, problem));
    }
    keep::configure(&source, wanted.token.as_ref())?;
    let changes = keep::changes(gateway, &known, &wanted)?;
    by.may_change(provisioned, || format!("source `{}`", source.name))?;
    let at = now();
    let entry = gateway.audit(&by.name(), "source.set", format!("source:{}", source.name), source.kind.clone());
    let provisioned = by == By::Config;
    let store = move |db: &mut Db<'_>| {
        let before = sources::by_name(db, &source.name)?;
        let same = |known: &Source| known.settings == source.settings && known.actor_id == source.actor_id;
        if !before.as_ref().is_some_and(same) || !changes.is_empty() {
            audit::add(db, &entry)?;
        }
        let id = sources::upsert(db, &source, provisioned, at)?;
        keep::write(db, id, &changes)?;
        Ok(id)
    };
    Ok(gateway.store.write("store a source", store).await?)
}
