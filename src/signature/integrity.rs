//! Integrity proofs of what we say (FEP-8b32): cryptosuite `eddsa-jcs-2022` of W3C vc-di-eddsa. Such a proof travels with the
//! activity, so that who gets it from another than its author can check it. It has nothing to do with the proofs of agencies.
//!
//! JSON is canonicalised by RFC 8785; numbers as JavaScript writes them.

use openssl::sha::sha256;
use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::actor::public_key::{PublicKey, SignatureAlgorithm};
use crate::signature::SigningIdentity;
use crate::time::Timestamp;
use crate::urls::KeyUrl;

/// The context of `proof` and its terms, which every peer has built in.
pub const CONTEXT: &str = "https://w3id.org/security/data-integrity/v2";
/// How old a proof may be: as long as the ids of what was received are remembered, with a margin, so that nothing can be said
/// twice by somebody else.
pub const AGE_MAX: std::time::Duration = std::time::Duration::from_secs(7 * 86_400);

const TYPE: &str = "DataIntegrityProof";
const SUITE: &str = "eddsa-jcs-2022";
const PURPOSE: &str = "assertionMethod";
/// Most proofs of one document that are looked at.
const PROOFS_MAX: usize = 4;
/// Longest `proofValue`: 64 bytes in base58 and the `z`.
const VALUE_BYTES_MAX: usize = 96;

/// Why the proof of a document does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IntegrityError {
    /// There is none of a kind that we read.
    #[error("it has no proof by {SUITE}")]
    None,
    /// It does not parse.
    #[error("its proof has no usable `{0}`")]
    Shape(&'static str),
    /// Its context is not that of the document.
    #[error("the context of its proof is not that of the document")]
    Context,
    /// It was made too long ago, or in the future, or has expired.
    #[error("its proof is of {0}; proofs are taken for a week")]
    Time(String),
    /// It does not fit.
    #[error("its proof by {0} does not hold")]
    Invalid(String),
}

/// Adds a proof to a document that has none, made with the Ed25519 key of `identity`. Without that key, and to what is not an
/// object, nothing is added. The bytes are to be stored as they are: they are signed.
pub fn attach(bytes: Vec<u8>, identity: &SigningIdentity, created: Timestamp) -> Vec<u8> {
    let Some((key_id, key)) = identity.ed25519() else { return bytes };
    let Ok(mut document) = serde_json::from_slice::<Map<String, Value>>(&bytes) else { return bytes };
    if let Some(context) = document.get_mut("@context") {
        *context = with_context(context.take());
    }
    let mut options = Map::new();
    if let Some(context) = document.get("@context") {
        options.insert("@context".to_owned(), context.clone());
    }
    for (name, value) in [
        ("type", TYPE),
        ("cryptosuite", SUITE),
        ("verificationMethod", key_id),
        ("proofPurpose", PURPOSE),
        ("created", &created.to_rfc3339()),
    ] {
        options.insert(name.to_owned(), json!(value));
    }
    let Some(data) = hash_data(&document, &options) else { return bytes };
    let value = format!("z{}", bs58::encode(key.sign(&data)).into_string());
    options.insert("proofValue".to_owned(), json!(value));
    document.insert("proof".to_owned(), Value::Object(options));
    Value::Object(document).to_string().into_bytes()
}

/// The context with [`CONTEXT`] in it: before our own terms, which come last.
fn with_context(context: Value) -> Value {
    let mut all = match context {
        Value::Array(all) => all,
        one => vec![one],
    };
    if !all.iter().any(|one| one == CONTEXT) {
        let at = all.iter().position(|one| !one.is_string()).unwrap_or(all.len());
        all.insert(at, json!(CONTEXT));
    }
    Value::Array(all)
}

/// A proof as it came, which nobody has verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    key_id: KeyUrl,
    signature: Vec<u8>,
    /// What may have been signed: the options as they stand, or with the context of the document.
    candidates: Vec<[u8; 64]>,
}

impl Claim {
    /// Reads the first proof of a document that is by [`SUITE`]. An LD signature beside it is no part of what was signed.
    pub fn read(document: &Value, now: Timestamp) -> Result<Self, IntegrityError> {
        let document = document.as_object().ok_or(IntegrityError::None)?;
        let proofs = match document.get("proof") {
            Some(Value::Array(proofs)) => proofs.iter().take(PROOFS_MAX).collect(),
            Some(one) => vec![one],
            None => Vec::new(),
        };
        let is = |proof: &Map<String, Value>, name: &str, wanted: &str| {
            proof.get(name).and_then(Value::as_str) == Some(wanted)
        };
        let ours = |proof: &&Map<String, Value>| is(proof, "type", TYPE) && is(proof, "cryptosuite", SUITE);
        let proof = proofs.into_iter().filter_map(Value::as_object).find(ours).ok_or(IntegrityError::None)?;
        if !is(proof, "proofPurpose", PURPOSE) {
            return Err(IntegrityError::Shape("proofPurpose"));
        }
        let text = |name| proof.get(name).and_then(Value::as_str).ok_or(IntegrityError::Shape(name));
        let key_id =
            KeyUrl::parse(text("verificationMethod")?).map_err(|_| IntegrityError::Shape("verificationMethod"))?;
        check_time(proof, text("created")?, now)?;
        let value = text("proofValue")?.strip_prefix('z').filter(|value| value.len() <= VALUE_BYTES_MAX);
        let signature = value.and_then(|value| bs58::decode(value).into_vec().ok());
        let signature =
            signature.filter(|signature| signature.len() == 64).ok_or(IntegrityError::Shape("proofValue"))?;
        Ok(Self { key_id, signature, candidates: candidates(document, proof)? })
    }

    /// The key that is said to have made the proof: to be one of the author's `assertionMethod`.
    pub fn key_id(&self) -> &KeyUrl {
        &self.key_id
    }

    /// Whether `key` made the proof.
    pub fn verify(&self, key: &PublicKey) -> Result<(), IntegrityError> {
        let fits = |data: &[u8; 64]| key.verifies(SignatureAlgorithm::Ed25519, data, &self.signature);
        if self.candidates.iter().any(fits) { Ok(()) } else { Err(IntegrityError::Invalid(self.key_id.to_string())) }
    }
}

fn check_time(proof: &Map<String, Value>, created: &str, now: Timestamp) -> Result<(), IntegrityError> {
    let at = Timestamp::parse_rfc3339(created).ok_or(IntegrityError::Shape("created"))?;
    let expires = match proof.get("expires") {
        None => None,
        Some(expires) => {
            let expires = expires.as_str().and_then(Timestamp::parse_rfc3339);
            Some(expires.ok_or(IntegrityError::Shape("expires"))?)
        }
    };
    let window = crate::signature::cavage::WINDOW;
    if at > now.after(window) || at.after(AGE_MAX) < now || expires.is_some_and(|expires| expires < now) {
        return Err(IntegrityError::Time(at.to_rfc3339()));
    }
    Ok(())
}

/// What may have been signed. By vc-di-eddsa the context of the proof, if it has one, begins that of the document and takes its
/// place; Fedify leaves it out of the proof and signs with that of the document.
fn candidates(document: &Map<String, Value>, proof: &Map<String, Value>) -> Result<Vec<[u8; 64]>, IntegrityError> {
    let mut bare = document.clone();
    bare.shift_remove("proof");
    bare.shift_remove("signature");
    let mut options = proof.clone();
    options.shift_remove("proofValue");
    let mut all = Vec::new();
    match (options.get("@context").cloned(), bare.get("@context").cloned()) {
        (Some(of_proof), of_document) => {
            if !begins_with(of_document.as_ref(), &of_proof) {
                return Err(IntegrityError::Context);
            }
            bare.insert("@context".to_owned(), of_proof);
            all.extend(hash_data(&bare, &options));
        }
        (None, of_document) => {
            all.extend(hash_data(&bare, &options));
            if let Some(context) = of_document {
                options.insert("@context".to_owned(), context);
                all.extend(hash_data(&bare, &options));
            }
        }
    }
    Ok(all)
}

fn begins_with(document: Option<&Value>, proof: &Value) -> bool {
    let list = |value: &Value| match value {
        Value::Array(all) => all.clone(),
        one => vec![one.clone()],
    };
    document.is_some_and(|document| document == proof || list(document).starts_with(&list(proof)))
}

/// The hash of the options and that of the document, one after the other.
fn hash_data(document: &Map<String, Value>, options: &Map<String, Value>) -> Option<[u8; 64]> {
    let canonical = |value: &Map<String, Value>| serde_json_canonicalizer::to_vec(value).ok();
    let (options, document) = (sha256(&canonical(options)?), sha256(&canonical(document)?));
    let mut data = [0; 64];
    data.iter_mut().zip(options.into_iter().chain(document)).for_each(|(to, from)| *to = from);
    Some(data)
}

#[cfg(test)]
mod tests;
