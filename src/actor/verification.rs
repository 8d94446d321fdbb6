//! Proofs, and the capability that they give.
//!
//! An agency shows that it controls its domain by putting a [`ProofDocument`] at [`PROOF_PATH`] there. [`judge`] says whether a
//! fetched one names the actor and its key; [`VerifiedActor::prove`] turns a proof that holds into the capability without which
//! nothing is published or signed. There is no other way to make one:
//!
//! ```compile_fail
//! # use heraut::actor::{Actor, verification::VerifiedActor};
//! # use heraut::time::Timestamp;
//! fn by_hand(actor: Actor) -> VerifiedActor {
//!     VerifiedActor { actor, until: Timestamp(i64::MAX) } // its fields are private
//! }
//! ```
//!
//! ```compile_fail
//! # use std::sync::Arc;
//! # use heraut::actor::{Actor, key::RsaPrivateKey};
//! # use heraut::signature::SigningIdentity;
//! fn unproved(actor: &Actor, key: Arc<RsaPrivateKey>) -> SigningIdentity {
//!     SigningIdentity::verified(actor, key) // an `Actor` is not a `VerifiedActor`
//! }
//! ```

use std::net::Ipv4Addr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use thiserror::Error;
use url::Url;

use crate::actor::key::PublicKeys;
use crate::actor::ladder::{Level, Step};
use crate::actor::{Actor, Agency, record};
use crate::time::Timestamp;
use crate::urls::{ActorUrl, Base, authority};

/// Where the proof stands on the agency's domain.
pub const PROOF_PATH: &str = "/.well-known/heraut-actor.json";
/// Largest proof document, in bytes.
pub const PROOF_BYTES_MAX: usize = 64 * 1024;
/// Most actors in one proof document.
pub const PROOF_ENTRIES_MAX: usize = 1_000;

/// One actor that an agency vouches for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofEntry {
    /// The id of the actor.
    pub actor: String,
    /// [`PublicKeys::fingerprint`] of its RSA key.
    #[serde(rename = "keyFingerprint")]
    pub key_fingerprint: String,
    /// `@name@domain`, for people; not compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
}

/// What stands at [`PROOF_PATH`]: `{"actors": [entry, …]}`, or one entry by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofDocument {
    /// The actors that the agency vouches for, at most [`PROOF_ENTRIES_MAX`].
    pub actors: Vec<ProofEntry>,
}

/// Why a proof does not hold: what was fetched, what was found, and what to put where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProofFailure {
    /// It is larger than [`PROOF_BYTES_MAX`].
    #[error(
        "the proof has {bytes} bytes; at most {PROOF_BYTES_MAX} are read: name only this installation's actors in it"
    )]
    TooLarge {
        /// Size found, in bytes.
        bytes: usize,
    },
    /// It is not JSON of the wanted shape.
    #[error(
        "the proof is not the JSON that is wanted ({0}); put there \
         {{\"actors\": [{{\"actor\": \"<id of the actor>\", \"keyFingerprint\": \"sha256:<hex>\"}}]}}"
    )]
    Shape(String),
    /// It names too many actors.
    #[error("the proof names {found} actors; at most {PROOF_ENTRIES_MAX} are read")]
    TooMany {
        /// Number found.
        found: usize,
    },
    /// Another URL than that of the agency's domain was fetched.
    #[error("{url} was fetched, but the proof of {handle} stands at {wanted}; fetch that")]
    WrongPlace {
        /// What was fetched.
        url: String,
        /// What was to be fetched.
        wanted: String,
        /// Whose proof it is.
        handle: String,
    },
    /// The answer came from another host.
    #[error(
        "{url} redirects to {final_url}, which is on another host; answer there without a redirect, \
         because whoever controls the other host would control the proof"
    )]
    Redirected {
        /// What was fetched.
        url: String,
        /// Where the answer came from.
        final_url: String,
    },
    /// The answer was not 200.
    #[error(
        "{url} answered {status}; put the file there, so that it answers 200 with \
         {{\"actors\": [{{\"actor\": \"{actor}\", \"keyFingerprint\": \"{fingerprint}\"}}]}}"
    )]
    Status {
        /// What was fetched.
        url: String,
        /// HTTP status found.
        status: u16,
        /// The actor that is wanted.
        actor: String,
        /// Its fingerprint.
        fingerprint: String,
    },
    /// No entry names the actor.
    #[error(
        "{url} names {found} actors, but not {actor}; add the entry \
         {{\"actor\": \"{actor}\", \"keyFingerprint\": \"{fingerprint}\"}} there"
    )]
    NotNamed {
        /// What was fetched.
        url: String,
        /// Number of entries found.
        found: usize,
        /// The actor that is wanted.
        actor: String,
        /// Its fingerprint.
        fingerprint: String,
    },
    /// An entry names the actor with another key.
    #[error(
        "{url} names {actor} with the key {found}, but its key is {wanted}; put \"keyFingerprint\": \"{wanted}\" there"
    )]
    WrongKey {
        /// What was fetched.
        url: String,
        /// The actor.
        actor: String,
        /// The fingerprint found.
        found: String,
        /// The fingerprint wanted.
        wanted: String,
    },
}

/// A proof document as the shell fetched it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FetchedProof {
    /// What was asked for: [`document_url`].
    pub url: String,
    /// Where the answer came from, after redirects.
    pub final_url: String,
    /// HTTP status.
    pub status: u16,
    /// The body, decoded from transfer and content encodings.
    pub bytes: Vec<u8>,
    /// When.
    pub fetched_at: Timestamp,
}

/// That a proof held: kept for auditors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Where it stood.
    pub url: String,
    /// SHA-256 of what stood there, lower-case hex.
    pub sha256: String,
    /// When it was fetched.
    pub fetched_at: Timestamp,
}

/// What is known of an actor's proof; the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proof {
    /// What held when it last held.
    pub evidence: Option<Evidence>,
    /// When it last held.
    pub held_at: Option<Timestamp>,
    /// When it was last looked at.
    pub checked_at: Option<Timestamp>,
    /// Why it did not hold when last looked at; `None` when it did.
    pub failure: Option<String>,
    /// The level that was reached when it last held; `None` of one from before there were levels, which showed control.
    pub level: Option<Level>,
    /// When a register says that it ends, whatever else holds.
    pub ends_at: Option<Timestamp>,
    /// All that was asked, and what came of it.
    pub steps: Vec<Step>,
}

/// How long a proof holds, and how much it must show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProofTimes {
    /// How often a proof is fetched again.
    pub recheck_every: Duration,
    /// How long it goes on holding while fetching it again fails.
    pub grace: Duration,
    /// The level that is needed to publish.
    pub level: Level,
}

/// Why an actor is not verified, and the way out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unverified {
    /// No proof ever held.
    #[error("{handle} was never verified{why}; run `heraut actor verify {name}`")]
    Never {
        /// `@name@domain`.
        handle: String,
        /// The local part.
        name: String,
        /// `: ` and the last failure, or nothing.
        why: String,
    },
    /// A proof held and has run out.
    #[error("verification of {handle} lapsed on {on}{why}; run `heraut actor verify {name}`")]
    Lapsed {
        /// `@name@domain`.
        handle: String,
        /// The local part.
        name: String,
        /// When it ran out.
        on: Timestamp,
        /// `: ` and the last failure, or nothing.
        why: String,
    },
    /// What held does not reach high enough.
    #[error(
        "{handle} is proven to level {found}, and verification.level asks for {wanted}{why}; run `heraut actor verify {name}`"
    )]
    TooLow {
        /// `@name@domain`.
        handle: String,
        /// The local part.
        name: String,
        /// The level reached.
        found: u8,
        /// The level needed.
        wanted: u8,
        /// `: ` and the last failure, or nothing.
        why: String,
    },
    /// A register says that the organisation or its domain has ended.
    #[error(
        "verification of {handle} ended on {on}, as the register says{why}; correct the register if it is wrong, then run \
         `heraut actor verify {name}`"
    )]
    Ended {
        /// `@name@domain`.
        handle: String,
        /// The local part.
        name: String,
        /// When.
        on: Timestamp,
        /// `: ` and the last failure, or nothing.
        why: String,
    },
    /// What held was on another domain than the agency's of today.
    #[error(
        "the proof of {handle} stood at {found}, but its agency's proof belongs at {wanted}; run `heraut actor verify {name}`"
    )]
    OtherDomain {
        /// `@name@domain`.
        handle: String,
        /// The local part.
        name: String,
        /// Where the evidence comes from.
        found: String,
        /// Where it should come from.
        wanted: String,
    },
}

/// Where the proof of an agency's actors stands: always https, but for a domain that is an address (`127.0.0.1:8081`), which
/// only a trial has and which no register knows. Plain http is still refused there by the guarded client, unless the address
/// is inside `net.allow_addresses`.
pub fn document_url(agency: &Agency) -> String {
    let host = agency.domain.rsplit_once(':').map_or(agency.domain.as_str(), |(host, _)| host);
    let scheme = if host.parse::<Ipv4Addr>().is_ok() { "http" } else { "https" };
    format!("{scheme}://{}{PROOF_PATH}", agency.domain)
}

/// Reads a proof document, bounded by [`PROOF_BYTES_MAX`] and [`PROOF_ENTRIES_MAX`]; accepts a single entry too.
pub fn read_document(bytes: &[u8]) -> Result<ProofDocument, ProofFailure> {
    if bytes.len() > PROOF_BYTES_MAX {
        return Err(ProofFailure::TooLarge { bytes: bytes.len() });
    }
    let value: Value = serde_json::from_slice(bytes).map_err(|e| ProofFailure::Shape(e.to_string()))?;
    let document = if value.get("actors").is_some() {
        serde_json::from_value(value)
    } else {
        serde_json::from_value(value).map(|entry| ProofDocument { actors: vec![entry] })
    };
    let document: ProofDocument = document.map_err(|e| ProofFailure::Shape(e.to_string()))?;
    if document.actors.len() > PROOF_ENTRIES_MAX {
        return Err(ProofFailure::TooMany { found: document.actors.len() });
    }
    Ok(document)
}

/// The document that the agency must put at [`document_url`], as indented JSON ending in a line feed.
pub fn document_for(actors: &[&Actor]) -> String {
    let entries: Vec<Value> = actors
        .iter()
        .flat_map(|a| a.keys.fingerprints().into_iter().map(move |fingerprint| (a, fingerprint)))
        .map(|(a, fingerprint)| json!({"actor": a.url.as_str(), "keyFingerprint": fingerprint, "handle": a.full_handle()}))
        .collect();
    format!("{:#}\n", json!({ "actors": entries }))
}

/// Whether a fetched document proves `actor`: fetched from its agency's domain, answered 200 by that host itself, and naming
/// the actor with the key that it has now.
pub fn judge(fetched: &FetchedProof, actor: &Actor) -> Result<Evidence, ProofFailure> {
    let url = fetched.url.clone();
    let wanted = document_url(&actor.agency);
    if !same_url(&url, &wanted) {
        return Err(ProofFailure::WrongPlace { url, wanted, handle: actor.full_handle() });
    }
    if !same_origin(&url, &fetched.final_url) {
        return Err(ProofFailure::Redirected { url, final_url: fetched.final_url.clone() });
    }
    let fingerprint = actor.keys.fingerprint();
    if fetched.status != 200 {
        let actor = actor.url.to_string();
        return Err(ProofFailure::Status { url, status: fetched.status, actor, fingerprint });
    }
    let document = read_document(&fetched.bytes)?;
    let named: Vec<&ProofEntry> = document.actors.iter().filter(|e| e.actor == actor.url.as_str()).collect();
    let known = actor.keys.fingerprints();
    if named.iter().any(|e| known.iter().any(|known| e.key_fingerprint.eq_ignore_ascii_case(known))) {
        let sha256 = hex::encode(openssl::sha::sha256(&fetched.bytes));
        return Ok(Evidence { url, sha256, fetched_at: fetched.fetched_at });
    }
    let actor = actor.url.to_string();
    Err(match named.first() {
        Some(entry) => ProofFailure::WrongKey { url, actor, found: entry.key_fingerprint.clone(), wanted: fingerprint },
        None => ProofFailure::NotNamed { url, found: document.actors.len(), actor, fingerprint },
    })
}

/// An actor whose proof holds: the capability to publish and to sign. Made only by [`VerifiedActor::prove`]; made again at
/// every send, so that a proof that lapses stops what is queued.
#[derive(Debug, Clone)]
pub struct VerifiedActor {
    actor: Actor,
    until: Timestamp,
}

impl VerifiedActor {
    /// Proves `actor` at `now`. A proof that held stays valid until `held_at + recheck_every + grace`, the end not included,
    /// only for the domain that the agency has now, only if it reached the level that is needed, and never past the end that a
    /// register gives.
    pub fn prove(actor: Actor, proof: &Proof, times: &ProofTimes, now: Timestamp) -> Result<Self, Unverified> {
        let (handle, name) = (actor.full_handle(), actor.handle.to_string());
        let why = proof.failure.as_ref().map(|f| format!(": {f}")).unwrap_or_default();
        let (Some(held_at), Some(evidence)) = (proof.held_at, proof.evidence.as_ref()) else {
            return Err(Unverified::Never { handle, name, why });
        };
        let wanted = document_url(&actor.agency);
        if !same_url(&evidence.url, &wanted) && evidence.url != record::uri(&actor.agency) {
            return Err(Unverified::OtherDomain { handle, name, found: evidence.url.clone(), wanted });
        }
        if let Some(on) = proof.ends_at.filter(|on| now >= *on) {
            return Err(Unverified::Ended { handle, name, on, why });
        }
        let until = held_at.after(times.recheck_every).after(times.grace);
        if now >= until {
            return Err(Unverified::Lapsed { handle, name, on: until, why });
        }
        let found = proof.level.unwrap_or(Level::Controlled);
        if found < times.level {
            let (found, wanted) = (found.number(), times.level.number());
            return Err(Unverified::TooLow { handle, name, found, wanted, why });
        }
        Ok(Self { actor, until: proof.ends_at.map_or(until, |ends| ends.min(until)) })
    }

    /// The actor.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// When the proof runs out if it is not renewed.
    pub fn until(&self) -> Timestamp {
        self.until
    }
}

/// The gateway's own Application actor. It publishes nothing; its key signs our fetches. It needs no proof, because it speaks
/// for no agency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceActor {
    /// Its id: [`Base::instance_actor`].
    pub url: ActorUrl,
    /// Its public keys.
    pub keys: PublicKeys,
    /// When it was made.
    pub created_at: Timestamp,
}

impl InstanceActor {
    /// The instance actor of the installation at `base`.
    pub fn new(base: &Base, keys: PublicKeys, created_at: Timestamp) -> Self {
        Self { url: base.instance_actor(), keys, created_at }
    }
}

fn same_url(a: &str, b: &str) -> bool {
    matches!((Url::parse(a), Url::parse(b)), (Ok(a), Ok(b)) if a == b)
}

fn same_origin(a: &str, b: &str) -> bool {
    matches!((Url::parse(a), Url::parse(b)), (Ok(a), Ok(b)) if a.scheme() == b.scheme() && authority(&a) == authority(&b))
}

#[cfg(test)]
pub(crate) mod tests;
