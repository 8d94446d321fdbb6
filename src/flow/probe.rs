//! A signed request of ours to ourselves, through our public URL and whatever stands before it: sent by `heraut check`, judged by
//! the running gateway, which tells nobody else.

use std::time::{Duration, Instant};

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::OnceCell;
use url::Url;

use crate::actor::public_key::PublicKey;
use crate::flow::keyring::KeyringError;
use crate::flow::rates::Rates;
use crate::flow::verify::with_causes;
use crate::flow::{Gateway, now};
use crate::net::FetchError;
use crate::signature::digest::Digested;
use crate::signature::probe::{Echo, is_ours, mark, ticket};
use crate::signature::{
    ParsedSignature, ReceivedRequest, RsaPublicKey, Scheme, SignatureError, Site, parse, sign_post,
};

/// Probes a second that are answered; ten seconds' worth may come at once.
const PER_SECOND: u32 = 5;
/// Time for one probe.
const TIMEOUT: Duration = Duration::from_secs(15);
/// What is sent: of a type that a proxy may think to understand, and written so that it would change it if it did.
const BODY: &[u8] = "{ \"type\":\"View\",  \"summary\":\"h\u{e9}raut\" }\n".as_bytes();
const CONTENT_TYPE: &str = "application/activity+json";

/// What the running gateway keeps to answer probes.
pub struct Probes {
    rates: Rates,
    key: OnceCell<RsaPublicKey>,
}

impl Default for Probes {
    fn default() -> Self {
        Self { rates: Rates::new(PER_SECOND), key: OnceCell::new() }
    }
}

/// Why a probe is not answered.
#[derive(Debug, Error)]
pub enum ProbeError {
    /// The ticket is none of ours.
    #[error("there is nothing here")]
    NotOurs,
    /// There were many; when to come back, in seconds.
    #[error("there are too many probes; try again after {0} s")]
    Busy(u32),
    /// The instance actor's key cannot be had.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
}

/// Tells how a probe came in.
pub async fn judge(
    gateway: &Gateway,
    probes: &Probes,
    ticket: &str,
    request: &ReceivedRequest<'_>,
) -> Result<Echo, ProbeError> {
    let key = probes.key.get_or_try_init(|| instance_key(gateway)).await?;
    if !is_ours(ticket, &gateway.base.root(), key, now()) {
        return Err(ProbeError::NotOurs);
    }
    probes.rates.take("probe", Instant::now()).map_err(ProbeError::Busy)?;
    let key = PublicKey::Rsa(key.clone());
    let holds = |signatures: Vec<ParsedSignature>| signatures.iter().try_for_each(|one| one.verify(&key).map(drop));
    let verdict = parse(request, &[Site::of(&gateway.base)], now()).and_then(holds).err();
    Ok(Echo::of(request, verdict.map(|error| with_causes(&error)), now()))
}

async fn instance_key(gateway: &Gateway) -> Result<RsaPublicKey, KeyringError> {
    let actor = gateway.instance_actor().await?;
    RsaPublicKey::from_pem(&actor.keys.rsa_pem)
        .map_err(|source| KeyringError::Key { whose: "the instance actor".to_owned(), source })
}

/// Why a probe could not be sent.
#[derive(Debug, Error)]
pub enum SendError {
    /// It has no answer.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It cannot be signed.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// It cannot be signed.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The headers that were sent.
    pub sent: Vec<(&'static str, String)>,
    /// The HTTP status of the answer.
    pub status: u16,
    /// What the gateway tells, when it was the gateway that answered.
    pub echo: Option<Echo>,
    /// The start of what was answered otherwise.
    pub answer: String,
}

impl Found {
    /// Whether the body came as it was sent.
    pub fn is_whole(&self) -> bool {
        self.echo.as_ref().is_some_and(|echo| echo.body == mark(BODY))
    }
}

/// Sends a probe signed in that scheme to our public URL.
pub async fn send(gateway: &Gateway, scheme: Scheme) -> Result<Found, SendError> {
    let identity = gateway.sign_as_instance().await?;
    let at = now();
    let nonce = hex::encode(rand::random::<[u8; 16]>());
    let address = gateway.base.probe(&ticket(&identity, &gateway.base.root(), &nonce, at)?);
    let url = Url::parse(&address).map_err(|_| FetchError::Shape { url: address.clone() })?;
    let body = Digested::new(Bytes::from_static(BODY));
    let sent = sign_post(&identity, scheme, &url, (&body, CONTENT_TYPE), None, at)?;
    let answer = gateway.net.post(&url, sent.clone(), body.bytes().clone(), TIMEOUT).await?;
    let echo = (answer.status == 200).then(|| serde_json::from_str(&answer.body_start).ok()).flatten();
    Ok(Found { sent, status: answer.status, echo, answer: answer.body_start })
}
