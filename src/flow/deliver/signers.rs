//! Who signs a delivery.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::actor::Actor;
use crate::actor::verification::{Proof, VerifiedActor};
use crate::flow::{Gateway, now};
use crate::ids::ActorId;
use crate::signature::SigningIdentity;
use crate::store::{Db, actors, proofs};
use crate::time::Timestamp;

/// How long a proof that was loaded is believed before it is loaded again.
const PROOF_CACHE: Duration = Duration::from_secs(2);

/// Actors and proofs as loaded a moment ago, so that a fan-out does not load them for each delivery. The capability itself is
/// made anew for every delivery.
#[derive(Default)]
pub(super) struct Signers {
    loaded: Mutex<HashMap<ActorId, (Instant, Actor, Proof)>>,
}

/// Who signs; or why nobody does, and the check of the proof that says so.
type Signer = Result<SigningIdentity, (String, Option<Timestamp>)>;

impl Signers {
    /// The identity that signs for an actor, if its proof holds now.
    pub(super) async fn identity(
        &self,
        gateway: &Gateway,
        id: ActorId,
    ) -> Result<Signer, Box<dyn std::error::Error + Send + Sync>> {
        let cached = {
            let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
            loaded.get(&id).filter(|(at, ..)| at.elapsed() < PROOF_CACHE).cloned()
        };
        let times = &gateway.settings.proof_times;
        if let Some((_, actor, proof)) = cached
            && let Ok(verified) = VerifiedActor::prove(actor, &proof, times, now())
        {
            return Ok(Ok(gateway.sign_as(&verified).await?));
        }
        // Nothing is held on old news: the proof may have come back a moment ago.
        let read = move |db: &mut Db<'_>| Ok((actors::by_id(db, id)?, proofs::of_actor(db, id)?));
        let (actor, proof) = gateway.store.read("read the signer of a delivery", read).await?;
        let Some(actor) = actor else { return Ok(Err((format!("actor {id} no longer exists"), None))) };
        let (entry, checked_at) = ((Instant::now(), actor.clone(), proof.clone()), proof.checked_at);
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner).insert(id, entry);
        match VerifiedActor::prove(actor, &proof, times, now()) {
            Ok(verified) => Ok(Ok(gateway.sign_as(&verified).await?)),
            Err(unverified) => Ok(Err((unverified.to_string(), checked_at))),
        }
    }
}
