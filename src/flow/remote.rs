//! Fetches documents of remote actors and their keys, signed by the instance actor, and keeps them. Failures are remembered for
//! a while, so that a flood of signatures with unknown keys costs few fetches; keys that sign often are kept in memory.

mod keys;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::sync::Semaphore;
use url::Url;

use crate::activity::CONTENT_TYPE;
use crate::flow::keyring::KeyringError;
use crate::flow::verify::with_causes;
use crate::flow::{Gateway, now};
use crate::inbox::NoteIn;
use crate::inbox::remote::{KeyDocument, RemoteActor, RemoteError, read_actor, read_key, read_note};
use crate::net::{FetchError, Fetched, Get, SignHop};
use crate::signature::{Scheme, SigningIdentity, cavage, rfc9421};
use crate::store::{Db, StoreError, remote};
use crate::time::Timestamp;
use crate::urls::{ActorUrl, KeyUrl, ObjectUrl};

pub use crate::flow::remote::keys::{Keys, Signer};

/// What we accept from remote servers: both spellings of the media type.
const ACCEPT: &str =
    "application/activity+json, application/ld+json; profile=\"https://www.w3.org/ns/activitystreams\"";
/// Largest document, in bytes (`reference/federation.md` 6.1, 11).
const DOCUMENT_BYTES_MAX: u64 = 1024 * 1024;
/// Time for one fetch: peers give our inbox ten seconds to answer, and a key may need two fetches.
const FETCH_TIMEOUT: Duration = Duration::from_secs(8);
/// Fetches at the same time.
const FETCHES_MAX: usize = 16;
/// How long an actor is believed before its document is fetched again (Mastodon: a day, or a week in the background).
const FRESH_FOR: Duration = Duration::from_secs(86_400);
/// How long a document that could not be had is not asked for again (Mastodon: 5 minutes).
const FAILURE_KEPT: Duration = Duration::from_secs(300);
/// Most failures that are remembered.
const FAILURES_MAX: usize = 10_000;
/// How long after a host showed that it knows RFC 9421 that is not noted again.
const SHOWN_AGAIN_AFTER: Duration = Duration::from_secs(3_600);
/// Most hosts of which that is remembered.
const SHOWN_MAX: usize = 10_000;
/// Hosts may fail so often in [`FAILURE_KEPT`] before nothing is asked of them.
const HOST_FAILURES_MAX: u32 = 10;
/// Documents of a host that were not there within [`FAILURE_KEPT`] until it is asked for no more of them: whoever names keys that do
/// not exist would otherwise have us send a stranger as many requests as we are sent.
const HOST_MISSING_MAX: u32 = 100;

/// Why a remote document cannot be had.
#[derive(Debug, Error)]
pub enum RemoteFetchError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// We cannot sign our request.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// It is gone, says its server.
    #[error("{0} is gone, says its server")]
    Gone(String),
    /// Its server cannot be asked now.
    #[error("{url} cannot be fetched: {problem}")]
    Unavailable {
        /// What was to be fetched.
        url: String,
        /// What happened.
        problem: String,
    },
    /// It is not what it should be.
    #[error(transparent)]
    Document(#[from] RemoteError),
    /// Its media type is none of ActivityPub: an uploaded file must not pose as an actor (CVE-2024-25623).
    #[error("{url} answers with the media type `{found}`, not {CONTENT_TYPE}")]
    MediaType {
        /// What was fetched.
        url: String,
        /// What was found.
        found: String,
    },
}

/// What a process remembers of remote actors besides the database.
#[derive(Default)]
pub struct Memory {
    failures: Failures,
    keys: Keys,
    shown: Mutex<HashMap<String, (Scheme, Instant)>>,
}

impl Memory {
    /// A host sent a request that was signed so. Returns whether that is to be noted: not when it was a while ago already.
    pub fn shows(&self, host: &str, scheme: Scheme) -> bool {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if shown.get(host).is_some_and(|(known, at)| *known >= scheme && at.elapsed() < SHOWN_AGAIN_AFTER) {
            return false;
        }
        if shown.len() >= SHOWN_MAX {
            shown.clear();
        }
        shown.insert(host.to_owned(), (scheme, Instant::now()));
        true
    }

    /// What is known of a key was said to have changed: the next signature by it is looked up anew.
    pub fn forget_key(&self, actor: &RemoteActor) {
        for key in actor.key.iter().chain(&actor.assertion_keys) {
            self.keys.forget(&key.id);
        }
    }
}

/// Documents that could not be had lately, and the gate that bounds fetches.
pub struct Failures {
    lately: Mutex<HashMap<String, (Instant, u32)>>,
    gate: Arc<Semaphore>,
}

impl Default for Failures {
    fn default() -> Self {
        Self { lately: Mutex::default(), gate: Arc::new(Semaphore::new(FETCHES_MAX)) }
    }
}

impl Failures {
    fn count(&self, what: &str) -> u32 {
        let lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        lately.get(what).filter(|(at, _)| at.elapsed() < FAILURE_KEPT).map_or(0, |(_, n)| *n)
    }

    fn note(&self, what: &str) {
        let mut lately = self.lately.lock().unwrap_or_else(PoisonError::into_inner);
        if lately.len() >= FAILURES_MAX {
            lately.retain(|_, (at, _)| at.elapsed() < FAILURE_KEPT);
        }
        if lately.len() >= FAILURES_MAX {
            lately.clear();
        }
        let entry = lately.entry(what.to_owned()).or_insert((Instant::now(), 0));
        *entry = (Instant::now(), if entry.0.elapsed() < FAILURE_KEPT { entry.1.saturating_add(1) } else { 1 });
    }

    fn forget(&self, what: &str) {
        self.lately.lock().unwrap_or_else(PoisonError::into_inner).remove(what);
    }
}

/// The owner of a key; its server is asked where we do not know it.
pub async fn key_owner(gateway: &Gateway, key: &KeyUrl) -> Result<Arc<Signer>, RemoteFetchError> {
    let keys = &gateway.remote.keys;
    if let Some(signer) = keys.get(key, now()) {
        return Ok(signer);
    }
    let id = key.to_string();
    let known = gateway.store.read("read a remote key", move |db| remote::by_key(db, &id)).await?;
    match known {
        Some(known) if now().since(known.fetched_at) < FRESH_FOR => {
            Ok(keys.put(key, Signer::known(known.actor), known.fetched_at.after(FRESH_FOR)))
        }
        Some(known) => renewed(gateway, key, known.actor).await,
        None => asked(gateway, key).await,
    }
}

/// The owner of a key that a signature does not fit: it may have been replaced, so its server is asked anew. Anybody can send
/// signatures that do not fit, so that is done once in a while at most; in between it is what was found then.
pub async fn key_owner_anew(gateway: &Gateway, key: &KeyUrl) -> Result<Arc<Signer>, RemoteFetchError> {
    let keys = &gateway.remote.keys;
    let asking = keys.asking(key);
    // Who comes while it is asked waits for the answer: it may have been signed with the new key as well.
    let mut asked_at = asking.lock().await;
    if keys::asked_lately(*asked_at, Instant::now())
        && let Some(signer) = keys.get(key, now())
    {
        return Ok(signer);
    }
    *asked_at = Some(Instant::now());
    asked(gateway, key).await
}

async fn asked(gateway: &Gateway, key: &KeyUrl) -> Result<Arc<Signer>, RemoteFetchError> {
    let asked_at = now();
    let signer = Signer::fetched(ask_for_key(gateway, key).await?, asked_at);
    Ok(gateway.remote.keys.put(key, signer, asked_at.after(FRESH_FOR)))
}

/// The owner of a key as it was last fetched, however long ago. Only for what may be believed with an old key.
pub async fn last_known(gateway: &Gateway, key: &KeyUrl) -> Result<Option<Arc<Signer>>, StoreError> {
    let id = key.to_string();
    let known = gateway.store.read("read an old remote key", move |db| remote::by_key(db, &id)).await?;
    Ok(known.map(|known| Arc::new(Signer::known(known.actor))))
}

/// The owner of a key that we have known for long: asked again, so that a key that was replaced is believed no more. While its
/// server cannot be asked, what we know goes on.
async fn renewed(gateway: &Gateway, key: &KeyUrl, known: RemoteActor) -> Result<Arc<Signer>, RemoteFetchError> {
    match asked(gateway, key).await {
        Err(RemoteFetchError::Unavailable { .. }) => Ok(Arc::new(Signer::known(known))),
        answer => answer,
    }
}

/// Asks the server of a key for its owner. It is not stored here: that is done with what the owner says, in one transaction.
async fn ask_for_key(gateway: &Gateway, key: &KeyUrl) -> Result<RemoteActor, RemoteFetchError> {
    let document = key.document();
    let (bytes, url) = fetch(gateway, &document).await?;
    let actor = match read_key(&bytes, &url, key)? {
        KeyDocument::Actor(actor) => *actor,
        KeyDocument::Key(found) => {
            let owner = found.owner.to_string();
            let (bytes, url) = fetch(gateway, &owner).await?;
            read_actor(&bytes, &url, Some(key))?
        }
    };
    Ok(actor)
}

/// A remote actor; `fresh` asks its server even if we fetched it lately.
pub async fn actor(gateway: &Gateway, url: &ActorUrl, fresh: bool) -> Result<RemoteActor, RemoteFetchError> {
    if !fresh {
        let id = url.to_string();
        let known = gateway.store.read("read a remote actor", move |db| remote::by_url(db, &id)).await?;
        if let Some(known) = known.filter(|known| now().since(known.fetched_at) < FRESH_FOR) {
            return Ok(known.actor);
        }
    }
    let asked_at = now();
    let (bytes, final_url) = fetch(gateway, url.as_str()).await?;
    let actor = read_actor(&bytes, &final_url, None)?;
    keep(gateway, &actor, asked_at).await?;
    Ok(actor)
}

/// A remote text, from its own origin.
pub async fn note(gateway: &Gateway, url: &ObjectUrl) -> Result<NoteIn, RemoteFetchError> {
    let (bytes, final_url) = fetch(gateway, url.as_str()).await?;
    Ok(read_note(&bytes, &final_url)?)
}

async fn keep(gateway: &Gateway, actor: &RemoteActor, asked_at: Timestamp) -> Result<(), RemoteFetchError> {
    let kept = actor.clone();
    gateway.store.write("keep a remote actor", move |db: &mut Db<'_>| remote::upsert(db, &kept, asked_at)).await?;
    gateway.remote.forget_key(actor);
    Ok(())
}

/// Fetches a document; gives its bytes and the URL that answered, byte for byte as asked for when there was no redirect.
async fn fetch(gateway: &Gateway, text: &str) -> Result<(Vec<u8>, String), RemoteFetchError> {
    let unavailable = |problem: String| RemoteFetchError::Unavailable { url: text.to_owned(), problem };
    let url = Url::parse(text).map_err(|e| unavailable(e.to_string()))?;
    let host = crate::urls::authority(&url);
    let failures = &gateway.remote.failures;
    let gone = format!("gone {text}");
    if failures.count(&gone) > 0 {
        return Err(RemoteFetchError::Gone(text.to_owned()));
    }
    let missing = format!("missing at {host}");
    let failed_lately = || {
        failures.count(text) > 0
            || failures.count(&host) >= HOST_FAILURES_MAX
            || failures.count(&missing) >= HOST_MISSING_MAX
    };
    let not_now = || unavailable("it failed a moment ago and is asked again in five minutes".to_owned());
    if failed_lately() {
        return Err(not_now());
    }
    let identity = Arc::new(gateway.sign_as_instance().await?);
    let gate = failures.gate.clone();
    let Ok(_slot) = gate.acquire_owned().await else { return Err(unavailable("the gateway is stopping".to_owned())) };
    // Of a flood all but a few waited at the gate until it was known.
    if failed_lately() {
        return Err(not_now());
    }
    let fetched = match knock_twice(gateway, &url, &identity).await {
        Ok(fetched) => fetched,
        Err(error) => {
            failures.note(text);
            failures.note(&host);
            return Err(unavailable(with_causes(&error)));
        }
    };
    match fetched.status {
        200 => {}
        404 | 410 => {
            failures.note(&gone);
            failures.note(&missing);
            return Err(RemoteFetchError::Gone(text.to_owned()));
        }
        status => {
            failures.note(text);
            failures.note(&host);
            return Err(unavailable(format!("it answered {status}")));
        }
    }
    failures.forget(text);
    failures.forget(&host);
    let media_type = fetched.header("content-type").unwrap_or_default().to_owned();
    let final_url = if fetched.url == url { text.to_owned() } else { fetched.url.to_string() };
    if !is_activity_json(&media_type) {
        return Err(RemoteFetchError::MediaType { url: final_url, found: media_type });
    }
    Ok((fetched.body, final_url))
}

/// Whether a `Content-Type` is one of ActivityPub: activity+json, or ld+json with the profile.
fn is_activity_json(media_type: &str) -> bool {
    let lower = media_type.to_ascii_lowercase();
    let essence = lower.split(';').next().unwrap_or_default().trim();
    essence == CONTENT_TYPE
        || (essence == "application/ld+json" && lower.contains("https://www.w3.org/ns/activitystreams"))
}

/// Fetches with the signature that every server reads, and once more by RFC 9421 where that is refused. Never the other way round:
/// Misskey answers a signature that it does not know with half an actor.
async fn knock_twice(gateway: &Gateway, url: &Url, identity: &Arc<SigningIdentity>) -> Result<Fetched, FetchError> {
    let began = Instant::now();
    let get = |scheme| Get {
        same_host_redirects: true,
        redirects_max: 3,
        bytes_max: DOCUMENT_BYTES_MAX,
        timeout: FETCH_TIMEOUT.saturating_sub(began.elapsed()),
        sign: Some(signer(identity.clone(), scheme)),
        ..Get::new(url.clone(), ACCEPT)
    };
    let first = gateway.net.get(get(Scheme::Cavage)).await?;
    if !matches!(first.status, 400 | 401) {
        return Ok(first);
    }
    match gateway.net.get(get(Scheme::Rfc9421)).await {
        Ok(second) if (200..300).contains(&second.status) => Ok(second),
        _ => Ok(first),
    }
}

fn signer(identity: Arc<SigningIdentity>, scheme: Scheme) -> SignHop {
    Arc::new(move |url: &Url| {
        let signed = match scheme {
            Scheme::Cavage => cavage::sign(&identity, "GET", url, None, "", now()),
            Scheme::Rfc9421 | Scheme::Ed25519 => rfc9421::sign(&identity, ("GET", url), None, false, None, now()),
        };
        signed.unwrap_or_else(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "a fetch goes out unsigned");
            Vec::new()
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_media_types_of_activitypub_make_an_actor() {
        for (media_type, expected) in [
            ("application/activity+json", true),
            ("application/activity+json; charset=utf-8", true),
            ("application/ld+json; profile=\"https://www.w3.org/ns/activitystreams\"", true),
            ("application/ld+json", false),
            ("application/json", false),
            ("text/html", false),
            ("", false),
        ] {
            assert_eq!(is_activity_json(media_type), expected, "{media_type}");
        }
    }

    #[test]
    fn a_failure_is_remembered_and_forgotten() {
        let failures = Failures::default();
        assert_eq!(failures.count("https://x.example/a"), 0);
        failures.note("https://x.example/a");
        failures.note("https://x.example/a");
        assert_eq!(failures.count("https://x.example/a"), 2);
        failures.forget("https://x.example/a");
        assert_eq!(failures.count("https://x.example/a"), 0);
    }
}
