//! HTTP signatures, out and in. Pure: the date is an argument, keys come in as values.
//!
//! Out: draft-cavage-http-signatures-12 with RSA-SHA256, the scheme that every peer reads. In: the same, demanding what makes a
//! signature mean something: the request target, our host, an instant, and on POST the digest of the raw body. RFC 9421 comes
//! later; a request that has only that is refused with 401 and told so.

pub mod cavage;
pub mod digest;
mod parameters;
pub mod rfc9421;

use std::sync::Arc;

use thiserror::Error;

use crate::actor::continuity::RetiringActor;
pub use crate::actor::key::RsaPublicKey;
use crate::actor::key::{Ed25519PrivateKey, KeyError, RsaPrivateKey, ed25519_key_id, main_key_id};
use crate::actor::verification::{InstanceActor, VerifiedActor};
use crate::urls::KeyUrl;

/// Who signs, with which key. Made only from a [`VerifiedActor`] or the [`InstanceActor`]: no proof, no signature.
#[derive(Debug, Clone)]
pub struct SigningIdentity {
    key_id: String,
    key: Arc<RsaPrivateKey>,
    ed25519: Option<(String, Arc<Ed25519PrivateKey>)>,
}

impl SigningIdentity {
    /// To sign as a verified actor. `key` must be the private half of its RSA key.
    pub fn verified(actor: &VerifiedActor, key: Arc<RsaPrivateKey>) -> Self {
        Self { key_id: main_key_id(&actor.actor().url), key, ed25519: None }
    }

    /// To sign the last Delete of an actor, and what else it may still say. `key` must be the private half of its RSA key.
    pub fn retiring(actor: &RetiringActor, key: Arc<RsaPrivateKey>) -> Self {
        Self { key_id: main_key_id(&actor.actor().url), key, ed25519: None }
    }

    /// To sign our own fetches as the instance actor.
    pub fn instance(actor: &InstanceActor, key: Arc<RsaPrivateKey>) -> Self {
        Self { key_id: main_key_id(&actor.url), key, ed25519: None }
    }

    /// With the Ed25519 key of the same verified actor beside it.
    pub fn with_ed25519(self, actor: &VerifiedActor, key: Arc<Ed25519PrivateKey>) -> Self {
        Self { ed25519: Some((ed25519_key_id(&actor.actor().url), key)), ..self }
    }

    fn ed25519(&self) -> Option<(&str, &Ed25519PrivateKey)> {
        self.ed25519.as_ref().map(|(id, key)| (id.as_str(), key.as_ref()))
    }

    /// The id of the key that signs: `<actor>#main-key`.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }
}

/// A request as it came in, before anything in it is believed.
#[derive(Debug, Clone, Copy)]
pub struct ReceivedRequest<'a> {
    /// HTTP method, upper-case.
    pub method: &'a str,
    /// The request target as the client wrote it: path, and query with its `?` if there is one.
    pub path_and_query: &'a str,
    /// Header names in lower case, and values, in the order in which they came; repeated headers repeated.
    pub headers: &'a [(String, String)],
    /// The raw body, byte for byte.
    pub body: &'a [u8],
}

impl<'a> ReceivedRequest<'a> {
    /// The values of a header, in order; `name` in lower case.
    pub fn values<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        self.headers.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The value of a header that must not be repeated.
    fn single(&self, name: &'static str) -> Result<Option<&'a str>, SignatureError> {
        let mut values = self.values(name);
        let first = values.next();
        if values.next().is_some() { Err(SignatureError::Repeated(name)) } else { Ok(first) }
    }
}

/// The algorithms that we verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RsaSha256,
    /// "Derived from the key": SHA-256 with every peer but WordPress, which takes SHA-512 with a 4096-bit key.
    Hs2019,
}

/// A signature whose shape, time, host and digest are right, but which nobody has verified yet. Made by [`cavage::parse`].
#[derive(Debug, Clone)]
pub struct ParsedSignature {
    key_id: KeyUrl,
    algorithm: Algorithm,
    signature: Vec<u8>,
    /// What may have been signed: with the query, and without it where there is one.
    candidates: Vec<String>,
}

impl ParsedSignature {
    /// The key that is said to have signed; untrusted until [`cavage::verify`] holds with the key fetched from there.
    pub fn key_id(&self) -> &KeyUrl {
        &self.key_id
    }

    /// The algorithm that is said to have been used.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

/// Why a request's signature is not accepted. [`SignatureError::status`] is what to answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// There is no signature.
    #[error("the request is not signed; sign it with a `Signature` header (draft-cavage-http-signatures-12)")]
    Unsigned,
    /// Only an RFC 9421 signature.
    #[error(
        "the request is signed by RFC 9421 only, which is not read here yet; \
         sign it with a `Signature` header by draft-cavage-http-signatures-12"
    )]
    Rfc9421,
    /// A key of this kind is to sign, and there is none.
    #[error("there is no {0} key to sign with")]
    NoKey(&'static str),
    /// More than one signature.
    #[error("the request has {0} signatures; send one, in the `Signature` header or in `Authorization`")]
    Several(usize),
    /// The header does not parse.
    #[error("the signature header is malformed: {0}")]
    Malformed(&'static str),
    /// A parameter stands twice.
    #[error("the signature parameter `{0}` stands twice")]
    Duplicate(String),
    /// A header that must stand once stands twice.
    #[error("the header `{0}` stands twice; proxies and servers would disagree about which one counts")]
    Repeated(&'static str),
    /// A parameter is missing.
    #[error("the signature parameter `{0}` is missing")]
    Missing(&'static str),
    /// An algorithm that we do not verify.
    #[error("the signature algorithm `{0}` is not read; use rsa-sha256 or hs2019")]
    Algorithm(String),
    /// A component that must be covered is not.
    #[error("the signature does not cover `{0}`; cover (request-target), host, date or (created), and digest on POST")]
    NotCovered(&'static str),
    /// A covered header is not in the request.
    #[error("the signature covers the header `{0}`, which the request does not have")]
    Absent(String),
    /// The host is not ours.
    #[error("the request is signed for the host `{0}`, which is not served here")]
    Host(String),
    /// The date does not parse.
    #[error("`{0}` is not a date; send an RFC 9110 date in UTC")]
    Date(String),
    /// Too old or too far ahead.
    #[error("the request is dated {0}, more than an hour from now; set the clock, and date every attempt afresh")]
    Window(String),
    /// Its own expiry is over.
    #[error("the signature expired at {0}")]
    Expired(String),
    /// The digest header is not read.
    #[error("the Digest header has no SHA-256 value")]
    DigestForm,
    /// The digest is not that of the body.
    #[error("the Digest header is not the SHA-256 of the body")]
    DigestMismatch,
    /// The key is unusable.
    #[error("the signer's key is not usable")]
    Key(#[from] KeyError),
    /// The signature does not fit the key and the request.
    #[error("the signature by `{0}` does not verify")]
    Invalid(String),
    /// A URL without a host was to be signed for.
    #[error("`{0}` has no host to sign for")]
    NoHost(String),
}

impl SignatureError {
    /// The HTTP status to answer: 400 for what does not parse, 401 for all else (`reference/federation.md` 3.2). Never 410.
    pub fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::Duplicate(_) | Self::Missing(_) | Self::Several(_) => 400,
            Self::Date(_) | Self::DigestForm | Self::Repeated(_) => 400,
            _ => 401,
        }
    }
}
