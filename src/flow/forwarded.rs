//! Activities that come from another than their author: forwarded, or by a relay. They are taken when their author's own integrity
//! proof holds (FEP-8b32), and refused otherwise.

use std::sync::Arc;

use crate::flow::remote::{self, RemoteFetchError, Signer};
use crate::flow::{Gateway, now};
use crate::inbox::read::author;
use crate::inbox::{Incoming, IncomingKind};
use crate::signature::integrity::{Claim, IntegrityError};
use crate::urls::ActorUrl;

/// Why what another sent is not believed to be the author's.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// Its proof is not usable or does not hold.
    #[error("{actor} did not send this itself, and {problem}")]
    Proof {
        /// The author.
        actor: String,
        /// What is wrong.
        problem: IntegrityError,
    },
    /// The key is not one of the author's `assertionMethod`.
    #[error("{key} is no key by which {actor} signs what it says")]
    Key {
        /// The key.
        key: String,
        /// The author.
        actor: String,
    },
    /// The author's document cannot be had.
    #[error(transparent)]
    Fetch(#[from] RemoteFetchError),
}

/// The author of a body that `sender` sent: `None` when that is the sender, or when there is no proof to go by.
pub async fn author_of(gateway: &Gateway, body: &[u8], sender: &ActorUrl) -> Result<Option<Arc<Signer>>, ForwardError> {
    // Most requests have none, and need not be parsed once more.
    if !std::str::from_utf8(body).is_ok_and(|text| text.contains("\"proof\"")) {
        return Ok(None);
    }
    let Some((actor, raw)) = author(body) else { return Ok(None) };
    if actor == *sender {
        return Ok(None);
    }
    let problem = |problem| ForwardError::Proof { actor: actor.to_string(), problem };
    let claim = match Claim::read(&raw, now()) {
        Ok(claim) => claim,
        Err(IntegrityError::None) => return Ok(None),
        Err(error) => return Err(problem(error)),
    };
    // A key elsewhere is not looked for: nobody may make us ask a third server.
    if claim.key_id().authority() != actor.authority() {
        return Err(ForwardError::Key { key: claim.key_id().to_string(), actor: actor.to_string() });
    }
    let known = remote::key_owner(gateway, claim.key_id()).await?;
    match fits(&known, &claim, &actor) {
        Ok(()) => Ok(Some(known)),
        Err(first) => {
            let Ok(fresh) = remote::key_owner_anew(gateway, claim.key_id()).await else { return Err(first) };
            fits(&fresh, &claim, &actor)?;
            Ok(Some(fresh))
        }
    }
}

fn fits(owner: &Signer, claim: &Claim, actor: &ActorUrl) -> Result<(), ForwardError> {
    let no_key = || ForwardError::Key { key: claim.key_id().to_string(), actor: actor.to_string() };
    let asserts = owner.actor.assertion_keys.iter().any(|key| key.id == *claim.key_id());
    if owner.actor.url != *actor || !asserts {
        return Err(no_key());
    }
    let key = owner.key(claim.key_id()).ok_or_else(no_key)?.map_err(|_| no_key())?;
    claim.verify(&key).map_err(|problem| ForwardError::Proof { actor: actor.to_string(), problem })
}

/// Whether an activity may come by way of another: only what is said to the public, and only what is remembered by its id, so that
/// nobody says it again. A Follow, a Move or an Accept is sent by who means it.
pub fn may_be_forwarded(incoming: &Incoming) -> bool {
    let kind = matches!(
        incoming.kind,
        IncomingKind::Create(_)
            | IncomingKind::Update(_)
            | IncomingKind::Delete { .. }
            | IncomingKind::Undo(_)
            | IncomingKind::Like { .. }
            | IncomingKind::EmojiReact { .. }
            | IncomingKind::Announce { .. }
    );
    kind && incoming.id.is_some()
}
