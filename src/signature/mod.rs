//! HTTP signatures, out and in. Pure: the date is an argument, keys come in as values.
//!
//! Two schemes, in and out (`docs/adr/0016-two-signatures.md`): draft-cavage-http-signatures-12 with RSA-SHA256, which every peer
//! reads, and RFC 9421 with RSA or Ed25519, which a peer is sent once it has shown that it takes it. Of what comes in both demand
//! what makes a signature mean something: the request target, our host, an instant, and on POST the digest of the raw body.

pub mod cavage;
pub mod digest;
pub mod integrity;
mod parameters;
pub mod probe;
pub mod rfc9421;

use std::sync::Arc;

use thiserror::Error;

use crate::actor::continuity::RetiringActor;
pub use crate::actor::key::RsaPublicKey;
use crate::actor::key::{Ed25519PrivateKey, KeyError, KeySerial, RsaPrivateKey};
use crate::actor::public_key::{PublicKey, SignatureAlgorithm};
use crate::actor::verification::{InstanceActor, VerifiedActor};
use crate::signature::digest::Digested;
use crate::signature::rfc9421::Challenge;
use crate::time::Timestamp;
use crate::urls::{Base, KeyUrl};
use url::Url;

/// How a request is signed. The order is that of what a peer must know to take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Scheme {
    /// draft-cavage with RSA: every peer takes it.
    #[default]
    Cavage,
    /// RFC 9421 with RSA.
    Rfc9421,
    /// RFC 9421 with Ed25519.
    Ed25519,
}

impl Scheme {
    /// The number that is stored.
    pub fn code(self) -> i16 {
        match self {
            Self::Cavage => 0,
            Self::Rfc9421 => 1,
            Self::Ed25519 => 2,
        }
    }

    /// The scheme of a stored number; of an unknown one, the one that every peer takes.
    pub fn of_code(code: i16) -> Self {
        match code {
            1 => Self::Rfc9421,
            2 => Self::Ed25519,
            _ => Self::Cavage,
        }
    }
}

/// A root under which we are reached: what a target that was signed begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    scheme: String,
    authority: String,
    root: String,
}

impl Site {
    /// The site at `base`.
    pub fn of(base: &Base) -> Self {
        let scheme = base.scheme().to_owned();
        let authority = base.authority();
        Self { root: format!("{scheme}://{authority}"), scheme, authority }
    }

    fn scheme(&self) -> &str {
        &self.scheme
    }

    fn authority(&self) -> &str {
        &self.authority
    }

    fn root(&self) -> &str {
        &self.root
    }
}

/// Signs a POST, with one header more where given, in one of the schemes: gives the headers to send. Call it anew for every attempt, so that the date is fresh.
pub fn sign_post(
    identity: &SigningIdentity,
    scheme: Scheme,
    url: &Url,
    body: (&Digested, &str),
    also: Option<(&'static str, &str)>,
    now: Timestamp,
) -> Result<Vec<(&'static str, String)>, SignatureError> {
    match scheme {
        Scheme::Cavage => cavage::sign_also(identity, "POST", url, Some(body), also, now),
        Scheme::Rfc9421 => rfc9421::sign_also(identity, ("POST", url), Some(body), also, (false, None), now),
        Scheme::Ed25519 => rfc9421::sign_also(identity, ("POST", url), Some(body), also, (true, None), now),
    }
}

/// Signs a POST as a server asked for.
pub fn sign_as_asked(
    identity: &SigningIdentity,
    challenge: &Challenge,
    url: &Url,
    body: (&Digested, &str),
    also: Option<(&'static str, &str)>,
    now: Timestamp,
) -> Result<Vec<(&'static str, String)>, SignatureError> {
    rfc9421::sign_also(identity, ("POST", url), Some(body), also, (challenge.ed25519, Some(challenge)), now)
}

/// Reads the signatures of a request, by whichever scheme it is signed, and checks everything about them that needs no key. Gives
/// at least one and at most three.
pub fn parse(
    request: &ReceivedRequest<'_>,
    sites: &[Site],
    now: Timestamp,
) -> Result<Vec<ParsedSignature>, SignatureError> {
    let by_rfc9421 = request.values("signature-input").next().is_some()
        && request.values("signature").any(|value| !rfc9421::is_cavage(value));
    if by_rfc9421 {
        return rfc9421::parse(request, sites, now);
    }
    let hosts: Vec<&str> = sites.iter().map(Site::authority).collect();
    cavage::parse(request, &hosts, now).map(|one| vec![one])
}

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
        Self { key_id: actor.actor().keys.serial.rsa_key_id(&actor.actor().url), key, ed25519: None }
    }

    /// To sign as a verified actor with the RSA key that it had before, of that serial: the one activity that tells of the new one.
    pub fn before(actor: &VerifiedActor, serial: KeySerial, key: Arc<RsaPrivateKey>) -> Self {
        Self { key_id: serial.rsa_key_id(&actor.actor().url), key, ed25519: None }
    }

    /// To sign the last Delete of an actor, and what else it may still say. `key` and `ed25519` must be the private
    /// halves of its keys.
    pub fn retiring(actor: &RetiringActor, key: Arc<RsaPrivateKey>, ed25519: Arc<Ed25519PrivateKey>) -> Self {
        let (serial, url) = (actor.actor().keys.serial, &actor.actor().url);
        Self { key_id: serial.rsa_key_id(url), key, ed25519: Some((serial.ed25519_key_id(url), ed25519)) }
    }

    /// To sign our own fetches as the instance actor.
    pub fn instance(actor: &InstanceActor, key: Arc<RsaPrivateKey>) -> Self {
        Self { key_id: actor.keys.serial.rsa_key_id(&actor.url), key, ed25519: None }
    }

    /// With the Ed25519 key of the same verified actor beside it.
    pub fn with_ed25519(self, actor: &VerifiedActor, key: Arc<Ed25519PrivateKey>) -> Self {
        let id = actor.actor().keys.serial.ed25519_key_id(&actor.actor().url);
        Self { ed25519: Some((id, key)), ..self }
    }

    /// With the Ed25519 key of the instance actor beside it.
    pub fn with_ed25519_of_instance(self, actor: &InstanceActor, key: Arc<Ed25519PrivateKey>) -> Self {
        Self { ed25519: Some((actor.keys.serial.ed25519_key_id(&actor.url), key)), ..self }
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

/// By which scheme a signature was made, and what it says of its algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Cavage(Algorithm),
    Rfc9421(Option<SignatureAlgorithm>),
}

/// A signature whose shape, time, host and digest are right, but which nobody has verified yet. Made by [`parse`].
#[derive(Debug, Clone)]
pub struct ParsedSignature {
    key_id: KeyUrl,
    how: How,
    signature: Vec<u8>,
    /// What may have been signed: with the query, and without it where there is one.
    candidates: Vec<String>,
}

impl ParsedSignature {
    /// The key that is said to have signed; untrusted until [`ParsedSignature::verify`] holds with the key fetched from there.
    pub fn key_id(&self) -> &KeyUrl {
        &self.key_id
    }

    /// Whether `key` made the signature; gives what its server thereby shows that it knows. `key` must come from
    /// [`ParsedSignature::key_id`], with its owner's back-link checked.
    pub fn verify(&self, key: &PublicKey) -> Result<Scheme, SignatureError> {
        let how = self.how;
        let tried: &[SignatureAlgorithm] = match (&how, key) {
            (How::Cavage(Algorithm::RsaSha256), _) => &[SignatureAlgorithm::RsaV15Sha256],
            (How::Cavage(Algorithm::Hs2019), _) => {
                &[SignatureAlgorithm::RsaV15Sha256, SignatureAlgorithm::RsaV15Sha512, SignatureAlgorithm::Ed25519]
            }
            (How::Rfc9421(Some(named)), _) => std::slice::from_ref(named),
            (How::Rfc9421(None), PublicKey::Rsa(_)) => {
                &[SignatureAlgorithm::RsaV15Sha256, SignatureAlgorithm::RsaPssSha512]
            }
            (How::Rfc9421(None), PublicKey::Ed25519(_)) => &[SignatureAlgorithm::Ed25519],
            (How::Rfc9421(None), PublicKey::P256(_)) => &[SignatureAlgorithm::EcdsaP256Sha256],
        };
        let holds = self
            .candidates
            .iter()
            .any(|text| tried.iter().any(|algorithm| key.verifies(*algorithm, text.as_bytes(), &self.signature)));
        match (holds, how, key) {
            (false, ..) => Err(SignatureError::Invalid(self.key_id.to_string())),
            (true, How::Cavage(_), _) => Ok(Scheme::Cavage),
            (true, How::Rfc9421(_), PublicKey::Ed25519(_)) => Ok(Scheme::Ed25519),
            (true, How::Rfc9421(_), _) => Ok(Scheme::Rfc9421),
        }
    }
}

/// Why a request's signature is not accepted. [`SignatureError::status`] is what to answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SignatureError {
    /// There is no signature.
    #[error("the request is not signed; sign it by RFC 9421, or by draft-cavage-http-signatures-12")]
    Unsigned,
    /// A component that we do not read.
    #[error("the signature covers `{0}`, which is not read here; cover @method, @target-uri and content-digest")]
    Component(String),
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
    #[error(
        "the signature algorithm `{0}` is not read; use rsa-sha256 or hs2019, \
         or with RFC 9421 rsa-v1_5-sha256, rsa-pss-sha512, ecdsa-p256-sha256 or ed25519"
    )]
    Algorithm(String),
    /// A component that must be covered is not.
    #[error(
        "the signature does not cover `{0}`; cover (request-target), host, date or (created), and digest on POST, \
         or with RFC 9421 @method, @target-uri, and content-digest on POST"
    )]
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
    #[error("the digest header has no SHA-256 value, nor, for Content-Digest, a SHA-512 one")]
    DigestForm,
    /// The digest is not that of the body.
    #[error("the digest header is not the SHA-256 of the body, nor, for Content-Digest, its SHA-512")]
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
            Self::Date(_) | Self::DigestForm | Self::Repeated(_) | Self::Component(_) => 400,
            _ => 401,
        }
    }
}
