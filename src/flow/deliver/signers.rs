//! Who signs a delivery.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::actor::Actor;
use crate::actor::continuity::{RetiringActor, Speech};
use crate::actor::verification::VerifiedActor;
use crate::flow::{Gateway, now};
use crate::ids::{ActivityId, ActorId};
use crate::signature::SigningIdentity;
use crate::store::{Db, actors, proofs};
use crate::time::Timestamp;

/// How long a proof that was loaded is believed before it is loaded again.
const PROOF_CACHE: Duration = Duration::from_secs(2);

/// Verified actors and their identities as of a moment ago, so that a fan-out does not load them for each delivery. Whether the
/// proof still holds is asked for every delivery.
#[derive(Default)]
pub(super) struct Signers {
    loaded: Mutex<HashMap<ActorId, Loaded>>,
    /// One loads while the others wait.
    loading: tokio::sync::Mutex<()>,
}

struct Loaded {
    at: Instant,
    speaker: Speaker,
    identity: Arc<SigningIdentity>,
    /// The activity that tells of the keys that sign now; the key before signs it.
    farewell: Option<(ActivityId, Arc<SigningIdentity>)>,
}

impl Loaded {
    fn identity_for(&self, activity: ActivityId) -> Arc<SigningIdentity> {
        match &self.farewell {
            Some((farewell, before)) if *farewell == activity => before.clone(),
            _ => self.identity.clone(),
        }
    }
}

/// By what right an actor signs.
enum Speaker {
    /// Its proof holds.
    Verified(Box<VerifiedActor>),
    /// It is being retired: no proof, and nothing but Delete, Undo and Reject.
    Retiring(Box<RetiringActor>),
}

impl Speaker {
    fn actor(&self) -> &Actor {
        match self {
            Self::Verified(verified) => verified.actor(),
            Self::Retiring(retiring) => retiring.actor(),
        }
    }

    fn holds(&self) -> bool {
        match self {
            Self::Verified(verified) => now() < verified.until(),
            Self::Retiring(_) => true,
        }
    }

    fn may_send(&self, speech: Speech) -> bool {
        self.actor().continuity.state.may_send(speech)
    }
}

/// Who signs; or why nobody does, and the check of the proof that says so.
type Signer = Result<Arc<SigningIdentity>, (String, Option<Timestamp>)>;

impl Signers {
    /// The identity that signs an activity of an actor, if its proof holds now and its state lets it say that.
    pub(super) async fn identity(
        &self,
        gateway: &Gateway,
        (id, speech): (ActorId, Speech),
        activity: ActivityId,
    ) -> Result<Signer, Box<dyn std::error::Error + Send + Sync>> {
        match self.known(id, speech, activity) {
            Some(known) => Ok(Ok(known)),
            None => Box::pin(self.load(gateway, (id, speech), activity)).await, // in a box: it is rare
        }
    }

    async fn load(
        &self,
        gateway: &Gateway,
        (id, speech): (ActorId, Speech),
        activity: ActivityId,
    ) -> Result<Signer, Box<dyn std::error::Error + Send + Sync>> {
        let _loading = self.loading.lock().await;
        if let Some(known) = self.known(id, speech, activity) {
            return Ok(Ok(known));
        }
        // Nothing is held on old news: the proof may have come back a moment ago.
        let read = move |db: &mut Db<'_>| Ok((actors::by_id(db, id)?, proofs::of_actor(db, id)?));
        let (actor, proof) = gateway.store.read("read the signer of a delivery", read).await?;
        let Some(actor) = actor else { return Ok(Err((format!("actor {id} no longer exists"), None))) };
        let state = actor.continuity.state;
        if !state.may_send(speech) {
            let why = format!("{} is {}: {}", actor.full_handle(), state.name(), state.explain());
            return Ok(Err((why, proof.checked_at)));
        }
        let (speaker, identity, farewell) = if let Some(retiring) = RetiringActor::of(actor.clone()) {
            let identity = gateway.sign_as_retiring(&retiring).await?;
            (Speaker::Retiring(Box::new(retiring)), identity, None)
        } else {
            let verified = match VerifiedActor::prove(actor, &proof, &gateway.settings.proof_times, now()) {
                Ok(verified) => verified,
                Err(unverified) => return Ok(Err((unverified.to_string(), proof.checked_at))),
            };
            let identity = gateway.sign_as(&verified).await?;
            let farewell = gateway.farewell(&verified).await?.map(|(activity, before)| (activity, Arc::new(before)));
            (Speaker::Verified(Box::new(verified)), identity, farewell)
        };
        let entry = Loaded { at: Instant::now(), speaker, identity: Arc::new(identity), farewell };
        let identity = entry.identity_for(activity);
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).insert(id, entry);
        Ok(Ok(identity))
    }

    fn known(&self, id: ActorId, speech: Speech, activity: ActivityId) -> Option<Arc<SigningIdentity>> {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = loaded.get(&id).filter(|l| l.at.elapsed() < PROOF_CACHE && l.speaker.holds())?;
        fresh.speaker.may_send(speech).then(|| fresh.identity_for(activity))
    }
}
