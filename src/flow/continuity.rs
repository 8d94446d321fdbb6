//! What a person decides about an actor's life: another handle, another account, hidden, moved, gone. Each is one transaction with
//! its entry in the audit log and what followers are told.

use thiserror::Error;

use crate::activity;
use crate::actor::continuity::{
    ActorState, AliasError, Continuity, MoveRefused, RETIRING_LINGER, RetiringActor, Speech, aliases, may_move,
};
use crate::actor::verification::{Unverified, VerifiedActor};
use crate::actor::{Actor, Handle};
use crate::flow::keyring::KeyringError;
use crate::flow::provision;
use crate::flow::remote::{self, RemoteFetchError};
use crate::flow::verify::{self, with_causes};
use crate::flow::{Gateway, now};
use crate::ids::{ActivityId, ActorId};
use crate::signature::integrity;
use crate::store::activities::{self, ActivityRow};
use crate::store::continuity::{self, FormerHandle, HANDED_OVER};
use crate::store::deliveries::FanOut;
use crate::store::{Db, Queried, StoreError, actors, audit, deliveries, followers, lock_actor, proofs};
use crate::time::Timestamp;
use crate::urls::ActorUrl;

/// Why the sources of an actor that goes are stopped.
const RETIRED: &str = "its actor is retired";

/// Why an actor's life does not change so.
#[derive(Debug, Error)]
pub enum ContinuityError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It stands in the configuration file, which would put it back at the next start.
    #[error("actor `{handle}` stands in the configuration file: {way_out}, and restart")]
    Provisioned {
        /// Its handle.
        handle: String,
        /// What to write there.
        way_out: String,
    },
    /// Another actor has that handle, or had it.
    #[error(transparent)]
    Taken(#[from] Taken),
    /// It is in a state in which that cannot be.
    #[error("{handle} is {state}: {explain}")]
    State {
        /// `@name@domain`.
        handle: String,
        /// The name of its state.
        state: &'static str,
        /// What that means.
        explain: &'static str,
    },
    /// Somebody else changed it meanwhile.
    #[error("{0} was changed by somebody else a moment ago; look at it with `heraut actor show` and try again")]
    Lost(String),
    /// It has no proof that holds, so nobody would be told.
    #[error("followers cannot be told, because nothing is signed without a proof: {0}")]
    Unverified(#[from] Unverified),
    /// Its keys cannot be opened.
    #[error("its last Delete cannot be signed")]
    Key(#[source] KeyringError),
    /// The other account cannot be read.
    #[error("the other account cannot be read: {0}")]
    Target(String),
    /// The move is refused.
    #[error(transparent)]
    Move(#[from] MoveRefused),
    /// An alias is wrong.
    #[error(transparent)]
    Alias(#[from] AliasError),
}

/// Another actor has a handle, or had it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("@{handle} {is} of {of}; a handle is never given to another actor, because people remember it: choose another")]
pub struct Taken {
    /// The handle wanted.
    pub handle: String,
    /// `is that` or `was that`.
    pub is: &'static str,
    /// Whose.
    pub of: String,
}

impl From<RemoteFetchError> for ContinuityError {
    fn from(error: RemoteFetchError) -> Self {
        Self::Target(with_causes(&error))
    }
}

/// What a change did.
#[derive(Debug, Clone)]
pub struct Changed {
    /// The actor as it is now.
    pub actor: Actor,
    /// To how many inboxes something is owed about it; `None` when nobody could be told, because no proof holds.
    pub told: Option<usize>,
}

/// An activity of an actor about itself.
pub(super) fn row(id: ActivityId, actor: ActorId, kind: &str, bytes: Vec<u8>, at: Timestamp) -> ActivityRow {
    ActivityRow { id, actor_id: actor, post_id: None, kind: kind.to_owned(), bytes, created_at: at }
}

/// The Update by which a changed actor tells its followers, if its proof holds.
async fn update(gateway: &Gateway, changed: &Actor, at: Timestamp) -> Result<Option<ActivityRow>, StoreError> {
    match proved(gateway, changed, at).await? {
        Ok(verified) => Ok(Some(provision::update_of(gateway, &verified, at).await)),
        Err(_) => Ok(None),
    }
}

async fn proved(
    gateway: &Gateway,
    actor: &Actor,
    at: Timestamp,
) -> Result<Result<VerifiedActor, Unverified>, StoreError> {
    let id = actor.id;
    let proof = gateway.store.read("read a proof", move |db| proofs::of_actor(db, id)).await?;
    Ok(VerifiedActor::prove(actor.clone(), &proof, &gateway.settings.proof_times, at))
}

/// Stores activities and owes them to the followers, in order. Returns to how many inboxes the last one is owed.
fn tell(db: &mut Db<'_>, rows: &[ActivityRow], at: Timestamp) -> Queried<Option<usize>> {
    let mut told = None;
    for row in rows {
        activities::insert(db, row)?;
        told = Some(deliveries::fan_out(db, &FanOut::of_actor(row.id, row.actor_id, at))?);
    }
    Ok(told)
}

fn refused(actor: &Actor) -> ContinuityError {
    let state = actor.continuity.state;
    ContinuityError::State { handle: actor.full_handle(), state: state.name(), explain: state.explain() }
}

fn subject(actor: &Actor) -> String {
    format!("actor:{}", actor.handle)
}

/// Whether an actor is, or was, reachable under that handle: at its domain, or on the host of its id.
fn answers_to(domain: &str, other: &Actor, wanted: &Actor) -> bool {
    domain.eq_ignore_ascii_case(&wanted.handle_domain) || other.base() == wanted.base()
}

/// Whose the handle of `wanted` is: somebody has it or had it, at its domain or on the host of its id.
pub fn taken(db: &mut Db<'_>, wanted: &Actor) -> Queried<Option<Taken>> {
    let handle = wanted.handle.as_str();
    let by = |is, other: &Actor| Taken { handle: handle.to_owned(), is, of: other.full_handle() };
    for other in actors::all_by_handle(db, handle)? {
        if other.id != wanted.id && answers_to(&other.handle_domain, &other, wanted) {
            return Ok(Some(by("is that", &other)));
        }
    }
    for former in continuity::former(db, handle)? {
        let Some(other) = actors::by_id(db, former.actor_id)? else { continue };
        if other.id != wanted.id && answers_to(&former.domain, &other, wanted) {
            return Ok(Some(by("was that", &other)));
        }
    }
    Ok(None)
}

/// Gives an actor another handle. Its id, followers and posts stay; the old handle leads to it from now on, and nobody else gets
/// it.
pub async fn rename(gateway: &Gateway, actor: Actor, handle: Handle, who: &str) -> Result<Changed, ContinuityError> {
    if actor.continuity.state.is_over() || actor.continuity.state == ActorState::HandedOver {
        return Err(refused(&actor));
    }
    let at = now();
    let changed = Actor { handle, updated_at: at, ..actor.clone() };
    let update = update(gateway, &changed, at).await?;
    let entry = gateway.audit(who, "actor.rename", subject(&actor), changed.full_handle());
    let stored = changed.clone();
    let done = gateway
        .store
        .write("rename an actor", move |db| {
            if let Some(taken) = taken(db, &stored)? {
                return Ok(Err(taken));
            }
            let domain = stored.handle_domain.to_ascii_lowercase();
            continuity::take_back(db, stored.id, stored.handle.as_str(), &domain)?;
            let former = FormerHandle { handle: actor.handle.to_string(), domain, actor_id: stored.id, until: at };
            continuity::reserve(db, &former)?;
            actors::rename(db, &stored)?;
            audit::add(db, &entry)?;
            tell(db, update.as_slice(), at).map(Ok)
        })
        .await?;
    gateway.forget_hosts();
    Ok(woken(gateway, changed, done?))
}

fn woken(gateway: &Gateway, actor: Actor, told: Option<usize>) -> Changed {
    gateway.wake.deliver.notify_one();
    Changed { actor, told }
}

/// Gives an actor these other accounts (`alsoKnownAs`), from which others may move here.
pub async fn set_aliases(
    gateway: &Gateway,
    actor: Actor,
    texts: &[String],
    who: &str,
) -> Result<Changed, ContinuityError> {
    if !actor.continuity.state.listens() {
        return Err(refused(&actor));
    }
    let read = aliases(&actor.url, texts)?;
    if read == actor.continuity.aliases {
        return Ok(Changed { actor, told: Some(0) });
    }
    let first = actor.continuity.aliases.is_empty();
    let at = now();
    let count = if first { Some((count(gateway, actor.id).await?, at)) } else { actor.continuity.followers_then };
    let continuity = Continuity { aliases: read, followers_then: count, ..actor.continuity.clone() };
    let detail = continuity.aliases.iter().map(ActorUrl::as_str).collect::<Vec<_>>().join(" ");
    change(gateway, actor, continuity, ("actor.aliases", who, detail), Vec::new()).await
}

async fn count(gateway: &Gateway, actor: ActorId) -> Result<i64, StoreError> {
    gateway.store.read("count followers", move |db| followers::count(db, actor)).await
}

/// Stores what becomes of an actor, and tells its followers by an Update and what comes after it.
async fn change(
    gateway: &Gateway,
    actor: Actor,
    to: Continuity,
    (act, who, detail): (&str, &str, String),
    after: Vec<ActivityRow>,
) -> Result<Changed, ContinuityError> {
    let at = now();
    let from = actor.continuity.state;
    let changed = Actor { continuity: to, updated_at: at, ..actor };
    let mut rows: Vec<ActivityRow> = update(gateway, &changed, at).await?.into_iter().collect();
    rows.extend(after);
    let entry = gateway.audit(who, act, subject(&changed), detail);
    let (stored, handle) = (changed.clone(), changed.full_handle());
    let told = gateway
        .store
        .write("change what becomes of an actor", move |db| {
            if !continuity::put(db, stored.id, &stored.continuity, from)? {
                return Ok(None);
            }
            actors::touch(db, stored.id, at)?;
            audit::add(db, &entry)?;
            tell(db, &rows, at).map(Some)
        })
        .await?;
    let told = told.ok_or(ContinuityError::Lost(handle))?;
    Ok(woken(gateway, changed, told))
}

/// Moves an actor's followers to another account, which must name it in `alsoKnownAs`. Afterwards it publishes nothing more.
pub async fn move_out(gateway: &Gateway, actor: Actor, to: &ActorUrl, who: &str) -> Result<Changed, ContinuityError> {
    let target = remote::actor(gateway, to, true).await?;
    let at = now();
    may_move(&actor, to, &target.also_known_as, target.moved_to.as_ref(), at)?;
    let continuity = Continuity {
        state: ActorState::ReadOnly,
        since: at,
        moved_to: Some(to.clone()),
        moved_at: Some(at),
        followers_then: Some((count(gateway, actor.id).await?, at)),
        ..actor.continuity.clone()
    };
    let moved = Actor { continuity: continuity.clone(), ..actor.clone() };
    let verified = proved(gateway, &moved, at).await??;
    // Minted before the Update, so its turn comes by the order in which they are owed, which is Update first.
    let id = ActivityId(gateway.mint.next());
    let bytes = activity::continuity::move_to(&verified, &moved.base(), to, id, at);
    let bytes = gateway.attested(&verified, bytes, at).await;
    let after = vec![row(id, actor.id, "Move", bytes, at)];
    change(gateway, actor, continuity, ("actor.move", who, to.to_string()), after).await
}

/// Hides an actor, or has it publish nothing more for a while.
pub async fn pause(gateway: &Gateway, actor: Actor, to: ActorState, who: &str) -> Result<Changed, ContinuityError> {
    let from = actor.continuity.state;
    let wanted = matches!(to, ActorState::ReadOnly | ActorState::Suspended);
    if !wanted || from == to || !matches!(from, ActorState::Active | ActorState::ReadOnly | ActorState::Suspended) {
        return Err(refused(&actor));
    }
    let continuity = Continuity { state: to, since: now(), ..actor.continuity.clone() };
    let act = if to == ActorState::Suspended { "actor.suspend" } else { "actor.read-only" };
    change(gateway, actor, continuity, (act, who, String::new()), Vec::new()).await
}

/// Lets an actor go on that was hidden, paused, handed over or moved, and frees what waited for it. A move is taken back: whoever
/// went along stays where it went.
pub async fn resume(gateway: &Gateway, actor: Actor, who: &str) -> Result<Changed, ContinuityError> {
    let from = actor.continuity.state;
    if from == ActorState::Active || from.is_over() {
        return Err(refused(&actor));
    }
    let at = now();
    let continuity = Continuity { state: ActorState::Active, since: at, moved_to: None, ..actor.continuity.clone() };
    let detail = from.name().to_owned();
    let changed = change(gateway, actor, continuity, ("actor.resume", who, detail), Vec::new()).await?;
    let id = changed.actor.id;
    let free = move |db: &mut Db<'_>| {
        continuity::begin_again(db, id, HANDED_OVER, at)?;
        verify::release(db, id)
    };
    gateway.store.write("free what waited for an actor", free).await?;
    gateway.wake.publish.notify_one();
    gateway.wake.schedule.notify_one();
    Ok(changed)
}

/// Ends an actor for ever: its Delete goes to everybody who ever received anything from it, whatever became of its proof. What
/// still waited is dropped.
pub async fn retire(gateway: &Gateway, actor: Actor, who: &str) -> Result<Changed, ContinuityError> {
    let from = actor.continuity.state;
    if from.is_over() || from == ActorState::HandedOver {
        return Err(refused(&actor));
    }
    let at = now();
    let continuity = Continuity { state: ActorState::Retiring, since: at, ..actor.continuity.clone() };
    let changed = Actor { continuity, updated_at: at, ..actor };
    let Some(retiring) = RetiringActor::of(changed.clone()) else { return Err(refused(&changed)) };
    let id = ActivityId(gateway.mint.next());
    let bytes = activity::continuity::delete_actor(&retiring, &changed.base(), id, at);
    let bytes = match gateway.sign_as_retiring(&retiring).await {
        Ok(identity) => integrity::attach(bytes, &identity, at),
        Err(error) => return Err(ContinuityError::Key(error)),
    };
    let delete = row(id, changed.id, "Delete", bytes, at);
    let entry = gateway.audit(who, "actor.retire", subject(&changed), changed.url.to_string());
    let (stored, handle) = (changed.clone(), changed.full_handle());
    let told = gateway
        .store
        .write("retire an actor", move |db| {
            if !continuity::put(db, stored.id, &stored.continuity, from)? {
                return Ok(None);
            }
            continuity::stop_sources(db, stored.id, RETIRED)?;
            continuity::drop_waiting(db, stored.id, at)?;
            activities::insert(db, &delete)?;
            let told = continuity::owe_to_all_ever(db, delete.id, stored.id, at)?;
            continuity::give_up_all_but(db, stored.id, delete.id, RETIRED, at)?;
            actors::touch(db, stored.id, at)?;
            audit::add(db, &entry)?;
            Ok(Some(told))
        })
        .await?;
    let told = told.ok_or(ContinuityError::Lost(handle))?;
    Ok(woken(gateway, changed, Some(told)))
}

/// Has this installation say nothing more as an actor that another one speaks for from now on.
pub async fn hand_over(gateway: &Gateway, actor: Actor, who: &str) -> Result<Changed, ContinuityError> {
    let from = actor.continuity.state;
    if !from.listens() {
        return Err(refused(&actor));
    }
    let at = now();
    let continuity = Continuity { state: ActorState::HandedOver, since: at, ..actor.continuity.clone() };
    let changed = Actor { continuity, ..actor };
    let entry = gateway.audit(who, "actor.hand-over", subject(&changed), changed.url.to_string());
    let (stored, handle) = (changed.clone(), changed.full_handle());
    let done = gateway
        .store
        .write("hand an actor over", move |db| {
            // What is being published as this actor is there before, or is not published.
            lock_actor(db, stored.id)?;
            if !continuity::put(db, stored.id, &stored.continuity, from)? {
                return Ok(false);
            }
            continuity::stop_sources(db, stored.id, HANDED_OVER)?;
            audit::add(db, &entry).map(|()| true)
        })
        .await?;
    if done { Ok(Changed { actor: changed, told: None }) } else { Err(ContinuityError::Lost(handle)) }
}

/// Ends retirements whose Delete has gone out or was given up, a while after it began: from then on the id answers 410. Returns
/// how many.
pub async fn finish_retiring(gateway: &Gateway) -> Result<usize, StoreError> {
    let at = now();
    let entry = |actor: &Actor| gateway.audit("schedule", "actor.retired", subject(actor), actor.url.to_string());
    let load = move |db: &mut Db<'_>| {
        let mut ripe = Vec::new();
        for id in continuity::in_state(db, ActorState::Retiring)? {
            let since = continuity::of(db, id)?.since;
            if at >= since.after(RETIRING_LINGER) && !continuity::owes_anything(db, id)? {
                ripe.extend(actors::by_id(db, id)?);
            }
        }
        Ok(ripe)
    };
    let ripe = gateway.store.read("look whose Delete has gone out", load).await?;
    let entries: Vec<_> = ripe.iter().map(entry).collect();
    let n = ripe.len();
    if n == 0 {
        return Ok(0);
    }
    let finish = move |db: &mut Db<'_>| {
        for (actor, entry) in ripe.iter().zip(&entries) {
            let retired = Continuity { state: ActorState::Retired, ..actor.continuity.clone() };
            if continuity::put(db, actor.id, &retired, ActorState::Retiring)? {
                followers::remove_all_of(db, actor.id)?;
                audit::add(db, entry)?;
            }
        }
        Ok(())
    };
    gateway.store.write("end retirements", finish).await?;
    Ok(n)
}

/// Whether an actor may still begin to say something, inside the transaction that stores it: until that ends, nobody hands it over.
pub(super) fn may_still(db: &mut Db<'_>, actor: ActorId, speech: Speech) -> Queried<bool> {
    lock_actor(db, actor)?;
    continuity::of(db, actor).map(|now| now.state.may_begin(speech))
}

/// Why an actor may not begin to say something now; `None` when it may.
pub fn silent(actor: &Actor, speech: Speech) -> Option<String> {
    let state = actor.continuity.state;
    (!state.may_begin(speech)).then(|| format!("{} is {}: {}", actor.full_handle(), state.name(), state.explain()))
}
