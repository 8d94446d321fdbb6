//! Makes agencies, actors and sources, and changes them. What the configuration file names is upserted at every start; what is
//! made otherwise lives in the database alone.

use heraut_connectors::contract::Secret;
use thiserror::Error;

use crate::activity;
use crate::actor::continuity::{ActorState, Continuity};
use crate::actor::verification::VerifiedActor;
use crate::actor::{Actor, ActorKind, Agency, Handle, Language, Profile};
use crate::flow::continuity::{self as life, ContinuityError, Taken};
use crate::flow::hooks::keep;
use crate::flow::keyring::KeyringError;
use crate::flow::poll::PollError;
use crate::flow::{Gateway, now};
use crate::ids::{ActivityId, ActorId, AgencyId, KeyRowId, SourceId};
use crate::store::activities::{self, ActivityRow};
use crate::store::actors::{self, AgencyRow};
use crate::store::continuity::{self, FormerHandle};
use crate::store::deliveries::FanOut;
use crate::store::secrets::{self, Role};
use crate::store::sources::{self, Progress, Settings, Source};
use crate::store::{Db, StoreError, audit, deliveries, proofs};
use crate::time::Timestamp;
use crate::urls::Base;

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
    /// Another actor has that handle, or had it.
    #[error(transparent)]
    Taken(#[from] Taken),
    /// What becomes of an actor cannot be so.
    #[error(transparent)]
    Life(#[from] Box<ContinuityError>),
    /// Several actors have that local part.
    #[error("there are several actors `{0}`; write it with its domain, as `{0}@voorbeeldstad.example`")]
    Ambiguous(String),
    /// An agency's host cannot be that.
    #[error("the host {host} cannot be that of agency `{agency}`: {why}")]
    Host {
        /// The agency.
        agency: String,
        /// The host.
        host: String,
        /// Why not, and the way out.
        why: String,
    },
    /// No such actor.
    #[error("there is no actor `{0}`; `heraut actor list` shows those that there are")]
    NoActor(String),
}

/// An agency to be made or changed.
#[derive(Debug, Clone)]
pub struct AgencyPlan {
    /// Its short name.
    pub name: String,
    /// The domain that a proof must show control of.
    pub domain: String,
    /// The root under which its new actors get their ids; `None` is our own.
    pub host: Option<Base>,
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
    /// Its other accounts; `None` leaves them as they are.
    pub aliases: Option<Vec<String>>,
    /// Handles that it had: an actor of the agency that still has one is renamed.
    pub formerly: Vec<Handle>,
}

/// A source to be made or changed.
#[derive(Debug, Clone)]
pub struct SourcePlan {
    /// Its name.
    pub name: String,
    /// The handle of the actor that it feeds, with its domain where several have it.
    pub actor: String,
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
    /// Who, for the audit log.
    pub fn who(self) -> String {
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

/// Makes an agency, or gives the one of that name this domain and host. A host that its actors' ids are on stays, because ids never
/// change.
pub async fn agency(gateway: &Gateway, plan: AgencyPlan, by: By<'_>) -> Result<AgencyId, ProvisionError> {
    let all = gateway.store.read("list agencies", actors::list_agencies).await?;
    let known = all.iter().find(|known| known.name == plan.name);
    by.may_change(known.is_some_and(|known| known.provisioned), || format!("agency `{}`", plan.name))?;
    let home = gateway.base.root();
    let host = plan.host.as_ref().filter(|host| host.root() != home);
    check_host(gateway, &plan.name, host, &all).await?;
    let row = AgencyRow {
        id: AgencyId(gateway.mint.next()),
        name: plan.name,
        domain: plan.domain.to_ascii_lowercase(),
        provisioned: by == By::Config,
        created_at: now(),
        host: host.map(Base::root),
    };
    let detail = [Some(row.domain.clone()), row.host.clone()].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let entry = gateway.audit(&by.who(), "agency.set", format!("agency:{}", row.name), detail);
    let store = move |db: &mut Db<'_>| {
        let before = actors::agency_by_name(db, &row.name)?;
        let id = actors::upsert_agency(db, &row)?;
        let same = |before: &AgencyRow| before.domain == row.domain && before.host == row.host;
        if !before.as_ref().is_some_and(same) {
            proofs::make_due(db, id, row.created_at)?;
            audit::add(db, &entry)?;
        }
        Ok(id)
    };
    let id = gateway.store.write("store an agency", store).await?;
    gateway.forget_hosts();
    Ok(id)
}

/// Whether an agency may have that host: it is nobody else's, and no id of the agency is on another one that it had.
async fn check_host(
    gateway: &Gateway,
    agency: &str,
    host: Option<&Base>,
    all: &[AgencyRow],
) -> Result<(), ProvisionError> {
    let refuse = |host: String, why: String| ProvisionError::Host { agency: agency.to_owned(), host, why };
    if let Some(host) = host {
        let root = host.root();
        if let Some(other) = all.iter().find(|other| other.name != agency && other.host.as_ref() == Some(&root)) {
            return Err(refuse(root, format!("it is that of agency `{}`; give each its own", other.name)));
        }
        if host.is_https() != gateway.base.is_https() {
            return Err(refuse(root, "write https:// as in server.public_url".to_owned()));
        }
    }
    let Some(known) = all.iter().find(|known| known.name == agency) else { return Ok(()) };
    let (Some(before), id) = (known.host.clone(), known.id) else { return Ok(()) };
    if host.is_some_and(|host| host.root() == before) {
        return Ok(());
    }
    let there = gateway.store.read("list actors", actors::list).await?;
    match there.into_iter().find(|actor| actor.agency.id == id && actor.base().root() == before) {
        Some(actor) => Err(refuse(
            host.map_or_else(|| "of the installation".to_owned(), Base::root),
            format!(
                "{} is {}, and other servers remember ids for ever; keep host = \"{}\", or move its followers first by \
                 `heraut actor move`",
                actor.full_handle(),
                actor.url,
                before.trim_end_matches('/')
            ),
        )),
        None => Ok(()),
    }
}

/// Makes an actor with its keys, or changes what readers see of the one with that handle. Its id, URL and keys never change; a
/// change is sent to its followers.
pub async fn actor(gateway: &Gateway, plan: ActorPlan, by: By<'_>) -> Result<Actor, ProvisionError> {
    let (name, wanted) = (plan.agency.clone(), plan.clone());
    let load = move |db: &mut Db<'_>| {
        let agency = actors::agency_by_name(db, &name)?;
        let known = agency.as_ref().map_or(Ok(None), |agency| find(db, agency.id, &wanted))?;
        Ok((agency, known))
    };
    let (agency, known) = gateway.store.read("read an actor and its agency", load).await?;
    let row = agency.ok_or(ProvisionError::NoAgency(plan.agency.clone()))?;
    let agency = Agency { id: row.id, name: row.name.clone(), domain: row.domain.clone() };
    let Some(mut known) = known else { return make_actor(gateway, (agency, row.host), plan, by).await };
    let id = known.id;
    let provisioned = gateway.store.read("read an actor", move |db| actors::is_provisioned(db, id)).await?;
    by.may_change(provisioned, || format!("actor `{}`", known.handle))?;
    let state = known.continuity.state;
    if state.is_over() || state == ActorState::HandedOver {
        tracing::warn!(
            actor.handle = known.full_handle(),
            state = state.name(),
            "an actor that is configured says nothing any more; take it out of the configuration"
        );
        return Ok(known);
    }
    if known.handle != plan.handle {
        let renamed = life::rename(gateway, known, plan.handle.clone(), &by.who()).await;
        known = renamed.map_err(Box::new)?.actor;
    }
    if let Some(aliases) = plan.aliases.as_ref().filter(|_| state.listens()) {
        known = life::set_aliases(gateway, known, aliases, &by.who()).await.map_err(Box::new)?.actor;
    }
    change_actor(gateway, known, agency, plan, by).await
}

/// The actor that a plan is about: of its agency, or at its domain; else one of the agency that has a former handle.
fn find(db: &mut Db<'_>, agency: AgencyId, plan: &ActorPlan) -> crate::store::Queried<Option<Actor>> {
    let same = actors::all_by_handle(db, plan.handle.as_str())?;
    let own = same.iter().find(|actor| actor.agency.id == agency);
    let there = || same.iter().find(|actor| actor.handle_domain.eq_ignore_ascii_case(&plan.handle_domain));
    if let Some(found) = own.or_else(there) {
        return Ok(Some(found.clone()));
    }
    for former in &plan.formerly {
        let found = actors::all_by_handle(db, former.as_str())?;
        if let Some(found) = found.into_iter().find(|actor| actor.agency.id == agency) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

async fn make_actor(
    gateway: &Gateway,
    (agency, host): (Agency, Option<String>),
    plan: ActorPlan,
    by: By<'_>,
) -> Result<Actor, ProvisionError> {
    let id = ActorId(gateway.mint.next());
    let base = host.as_deref().and_then(|host| Base::parse(host).ok()).unwrap_or_else(|| gateway.base.clone());
    let url = base.actor(id);
    let texts = plan.aliases.as_deref().unwrap_or_default();
    let aliases = crate::actor::continuity::aliases(&url, texts).map_err(ContinuityError::from).map_err(Box::new)?;
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
        url,
        keys: keys.public,
        continuity: Continuity { aliases, ..Continuity::default() },
        created_at: at,
        updated_at: at,
    };
    let entry = gateway.audit(&by.who(), "actor.make", format!("actor:{}", actor.handle), actor.url.to_string());
    let (stored, rows, provisioned) = (actor.clone(), keys.rows, by == By::Config);
    let taken = gateway
        .store
        .write("store an actor", move |db| {
            if let Some(taken) = life::taken(db, &stored)? {
                return Ok(Some(taken));
            }
            actors::insert(db, &stored, provisioned, &rows)?;
            if !stored.continuity.aliases.is_empty() {
                continuity::put(db, id, &stored.continuity, ActorState::Active)?;
            }
            proofs::ensure(db, id, at)?;
            audit::add(db, &entry).map(|()| None)
        })
        .await?;
    gateway.forget_hosts();
    taken.map_or(Ok(actor), |taken| Err(taken.into()))
}

/// What a verified actor says of itself, to be told to its followers.
pub async fn update_of(gateway: &Gateway, verified: &VerifiedActor, at: Timestamp) -> ActivityRow {
    let id = ActivityId(gateway.mint.next());
    let bytes =
        gateway.attested(verified, activity::update_actor(verified, &verified.actor().base(), id, at), at).await;
    let actor_id = verified.actor().id;
    ActivityRow { id, actor_id, post_id: None, kind: "Update".to_owned(), bytes, created_at: at }
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
    let update = match &verified {
        Some(verified) => Some(update_of(gateway, verified, at).await),
        None => None,
    };
    let entry = gateway.audit(&by.who(), "actor.change", format!("actor:{}", changed.handle), "");
    let (stored, provisioned) = (changed.clone(), by == By::Config);
    let former = FormerHandle {
        handle: known.handle.to_string(),
        domain: known.handle_domain.to_ascii_lowercase(),
        actor_id: id,
        until: at,
    };
    let taken = gateway
        .store
        .write("change an actor", move |db| {
            if let Some(taken) = life::taken(db, &stored)? {
                return Ok(Some(taken));
            }
            if !stored.handle_domain.eq_ignore_ascii_case(&former.domain) {
                continuity::take_back(db, id, &former.handle, &stored.handle_domain.to_ascii_lowercase())?;
                continuity::reserve(db, &former)?;
            }
            actors::update(db, &stored, provisioned)?;
            audit::add(db, &entry)?;
            if let Some(row) = &update {
                activities::insert(db, row)?;
                deliveries::fan_out(db, &FanOut::of_actor(row.id, id, at))?;
            }
            Ok(None)
        })
        .await?;
    gateway.forget_hosts();
    taken.map_or(Ok(changed), |taken| Err(taken.into()))
}

/// Makes a source, or changes the one of that name. Its settings are checked by its connector first, and its secrets sealed.
pub async fn source(gateway: &Gateway, plan: SourcePlan, by: By<'_>) -> Result<SourceId, ProvisionError> {
    let handle = plan.actor.clone();
    let of_config = by == By::Config;
    let load = move |db: &mut Db<'_>| {
        let named = actors::named(db, &handle)?;
        if named.len() < 2 || !of_config {
            return Ok(named);
        }
        // What the file names is what stands in the file; an actor that came later does not make it ambiguous.
        let mut of_file = Vec::new();
        for actor in &named {
            if actors::is_provisioned(db, actor.id)? {
                of_file.push(actor.clone());
            }
        }
        Ok(if of_file.is_empty() { named } else { of_file })
    };
    let mut named = gateway.store.read("read the actor of a source", load).await?;
    let actor = named.pop().ok_or_else(|| ProvisionError::NoActor(plan.actor.clone()))?;
    if !named.is_empty() {
        return Err(ProvisionError::Ambiguous(plan.actor));
    }
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
    let entry = gateway.audit(&by.who(), "source.set", format!("source:{}", source.name), source.kind.clone());
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
