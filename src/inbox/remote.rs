//! Documents of remote actors and their keys.

use serde_json::Value;
use thiserror::Error;

use crate::activity::actor_document::{ED25519_FEATURE, RFC9421_FEATURE};
use crate::actor::key::PEM_BYTES_MAX;
use crate::actor::public_key::multikey_to_pem;
use crate::inbox::read::{ACTORS, actor_of};
use crate::inbox::{InboxError, NAME_CHARS_MAX, NoteIn, json, note};
use crate::time::Timestamp;
use crate::urls::{ActorUrl, InboxUrl, KeyUrl, ObjectUrl};

/// Most keys of one actor that are looked at (Mastodon: 10).
const KEYS_MAX: usize = 10;
/// Most other ids of one actor that are kept (GoToSocial: 20).
const ALSO_KNOWN_AS_MAX: usize = 20;
/// Most features of one server that are looked at.
const IMPLEMENTS_MAX: usize = 64;

/// A remote actor as its own document describes it. All texts are untrusted and bounded.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RemoteActor {
    /// Its id, equal to the URL that was fetched.
    pub url: ActorUrl,
    /// Its type on the wire.
    pub kind: String,
    /// Its inbox, on the host of its id.
    pub inbox: InboxUrl,
    /// Its server's shared inbox, on the host of its id.
    pub shared_inbox: Option<InboxUrl>,
    /// The key: the wanted one, else the first whose owner is this actor.
    pub key: Option<RemoteKey>,
    /// Display name, plain text.
    pub name: Option<String>,
    /// `preferredUsername`, without `@`.
    pub username: String,
    /// `@name@domain`: by `webfinger` (FEP-2c59) or else by the host of the id; not confirmed by WebFinger.
    pub handle: String,
    /// Its page; http(s).
    pub page: Option<String>,
    /// Its avatar; http(s).
    pub icon: Option<String>,
    /// Its followers collection, on the host of its id.
    pub followers: Option<String>,
    /// Other ids of the same person.
    pub also_known_as: Vec<String>,
    /// Where it has moved to.
    pub moved_to: Option<ActorUrl>,
    /// When it was made.
    pub published: Option<Timestamp>,
    /// Ed25519 keys of its `assertionMethod` (FEP-521a): by these it signs objects, and some sign requests by them.
    #[serde(default)]
    pub assertion_keys: Vec<RemoteKey>,
    /// What its server says that it implements (FEP-844e).
    #[serde(default)]
    pub implements: Implements,
}

impl RemoteActor {
    /// The key with that id, if it is the actor's.
    pub fn key_with(&self, id: &KeyUrl) -> Option<&RemoteKey> {
        self.key.iter().chain(&self.assertion_keys).find(|key| key.id == *id)
    }
}

/// Features that a server names in `generator.implements` (FEP-844e), of those that we can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Implements {
    /// It takes RFC 9421.
    pub rfc9421: bool,
    /// It takes RFC 9421 with Ed25519.
    pub ed25519: bool,
}

/// A public key as a remote document gives it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct RemoteKey {
    /// Its id.
    pub id: KeyUrl,
    /// The actor whom the document names as its owner.
    pub owner: ActorUrl,
    /// PEM, as sent, at most `actor::key::PEM_BYTES_MAX`.
    pub pem: String,
}

/// What was found where a key id points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyDocument {
    /// The whole document of the owner, with the key in it: nothing more to fetch.
    Actor(Box<RemoteActor>),
    /// A key by itself or a stub (GoToSocial): fetch the document of `owner` and check with [`read_actor`] that it names this
    /// key.
    Key(RemoteKey),
}

/// Why a document is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RemoteError {
    /// It does not pass as JSON.
    #[error("{url} does not answer with usable JSON")]
    Json {
        /// What was fetched.
        url: String,
        /// Why.
        #[source]
        source: InboxError,
    },
    /// Its id is not what was fetched.
    #[error("{url} answers with the id {found}; fetch that, if it is on the same host")]
    OtherId {
        /// What was fetched.
        url: String,
        /// The id found.
        found: String,
    },
    /// It is no actor.
    #[error("{url} is a {found}, not an actor")]
    NotAnActor {
        /// What was fetched.
        url: String,
        /// The type found.
        found: String,
    },
    /// A property is missing or of the wrong shape.
    #[error("the document of {url} has no usable `{property}`")]
    Shape {
        /// What was fetched.
        url: String,
        /// The property.
        property: &'static str,
    },
    /// The key that signed is not there.
    #[error("the document of {url} does not name the key {key} as its own")]
    NoSuchKey {
        /// What was fetched.
        url: String,
        /// The key wanted.
        key: String,
    },
}

/// Reads the document of an actor fetched from `fetched_url` (after redirects). With `wanted_key` its key must be that one
/// (`reference/federation.md` 4.5: the owner's back-link).
pub fn read_actor(bytes: &[u8], fetched_url: &str, wanted_key: Option<&KeyUrl>) -> Result<RemoteActor, RemoteError> {
    let document = parse(bytes, fetched_url)?;
    actor(&document, fetched_url, wanted_key)
}

/// Reads what was fetched from `KeyUrl::document`: an actor, or a key that says who owns it.
pub fn read_key(bytes: &[u8], fetched_url: &str, key: &KeyUrl) -> Result<KeyDocument, RemoteError> {
    let document = parse(bytes, fetched_url)?;
    let no_key = || RemoteError::NoSuchKey { url: fetched_url.to_owned(), key: key.to_string() };
    if json::text(&document, "id") == Some(fetched_url) && is_actor(&document) {
        return actor(&document, fetched_url, Some(key)).map(|actor| KeyDocument::Actor(Box::new(actor)));
    }
    // A key by itself, or GoToSocial's stub of the actor with the key in it.
    let known = read_one_key(&document).into_iter().chain(read_one_multikey(&document)).chain(keys(&document));
    let found = known.chain(multikeys(&document)).find(|k| k.id == *key).ok_or_else(no_key)?;
    // Only the owner's own host may say whose key it is.
    if found.owner.authority() != key.authority() {
        return Err(no_key());
    }
    Ok(KeyDocument::Key(found))
}

/// Reads a text fetched from its origin, for [`crate::inbox::Said::Elsewhere`]: its id must be what was fetched, its author on
/// the same host.
pub fn read_note(bytes: &[u8], fetched_url: &str) -> Result<NoteIn, RemoteError> {
    let document = parse(bytes, fetched_url)?;
    must_be(&document, fetched_url)?;
    let shape = |property| RemoteError::Shape { url: fetched_url.to_owned(), property };
    let author = actor_of(&document, "attributedTo").ok_or_else(|| shape("attributedTo"))?;
    ObjectUrl::parse(fetched_url).map_err(|_| shape("id"))?;
    note::read(&document, &Value::Null, &author)
        .map_err(|source| RemoteError::Json { url: fetched_url.to_owned(), source })
}

fn parse(bytes: &[u8], url: &str) -> Result<Value, RemoteError> {
    json::parse(bytes).map_err(|source| RemoteError::Json { url: url.to_owned(), source })
}

fn is_actor(document: &Value) -> bool {
    json::kind(document).is_some_and(|kind| ACTORS.contains(&kind))
}

/// The id must be the URL that was fetched, byte for byte (CVE-2024-23832).
fn must_be(document: &Value, fetched_url: &str) -> Result<(), RemoteError> {
    let id = document.get("id").and_then(Value::as_str).unwrap_or_default();
    if id == fetched_url {
        return Ok(());
    }
    Err(RemoteError::OtherId { url: fetched_url.to_owned(), found: json::cut(id) })
}

fn actor(document: &Value, fetched_url: &str, wanted: Option<&KeyUrl>) -> Result<RemoteActor, RemoteError> {
    let shape = |property| RemoteError::Shape { url: fetched_url.to_owned(), property };
    must_be(document, fetched_url)?;
    if !is_actor(document) {
        let found = json::cut(json::kind(document).unwrap_or("thing without a type"));
        return Err(RemoteError::NotAnActor { url: fetched_url.to_owned(), found });
    }
    let url = ActorUrl::parse(fetched_url).map_err(|_| shape("id"))?;
    let host = url.authority();
    let inbox = json::id(document, "inbox").and_then(|t| InboxUrl::parse(t).ok());
    let inbox = inbox.filter(|i| i.authority() == host).ok_or_else(|| shape("inbox"))?;
    let shared = json::one(document, "endpoints").and_then(|e| json::id(e, "sharedInbox"));
    let shared = shared.and_then(|t| InboxUrl::parse(t).ok()).filter(|i| i.authority() == host);
    let is_own = |key: &RemoteKey| key.owner == url;
    let mut own: Vec<RemoteKey> = keys(document).into_iter().filter(is_own).collect();
    let assertion_keys: Vec<RemoteKey> = multikeys(document).into_iter().filter(is_own).collect();
    let mut key = None;
    if let Some(wanted) = wanted {
        key = own.iter().position(|key| key.id == *wanted).map(|at| own.swap_remove(at));
        if key.is_none() && !assertion_keys.iter().any(|key| key.id == *wanted) {
            return Err(RemoteError::NoSuchKey { url: fetched_url.to_owned(), key: wanted.to_string() });
        }
    }
    let key = key.or_else(|| own.into_iter().next());
    let username = username(document).ok_or_else(|| shape("preferredUsername"))?;
    Ok(RemoteActor {
        handle: handle(document, &username, &host),
        kind: json::cut(json::kind(document).unwrap_or_default()),
        name: json::name(document, "name"),
        page: json::link(document, "url"),
        icon: json::link(document, "icon"),
        followers: json::link(document, "followers")
            .filter(|f| InboxUrl::parse(f).is_ok_and(|f| f.authority() == host)),
        also_known_as: also_known_as(document),
        moved_to: actor_of(document, "movedTo"),
        published: json::text(document, "published").and_then(Timestamp::parse_rfc3339),
        implements: implements(document),
        url,
        inbox,
        shared_inbox: shared,
        key,
        assertion_keys,
        username,
    })
}

/// The Ed25519 Multikeys of `assertionMethod`. A key that is only named there would have to be fetched, and is passed over.
fn multikeys(document: &Value) -> Vec<RemoteKey> {
    json::many(document, "assertionMethod").into_iter().take(KEYS_MAX).filter_map(read_one_multikey).collect()
}

fn read_one_multikey(key: &Value) -> Option<RemoteKey> {
    let text = key.get("publicKeyMultibase").and_then(Value::as_str)?;
    let id = key.get("id").and_then(Value::as_str).and_then(|text| KeyUrl::parse(text).ok())?;
    Some(RemoteKey { id, owner: actor_of(key, "controller")?, pem: multikey_to_pem(text).ok()? })
}

/// What `generator`, or an Application itself, says that its server implements (FEP-844e).
fn implements(document: &Value) -> Implements {
    let generator = json::one(document, "generator").filter(|generator| generator.is_object());
    let features = [Some(document).filter(|d| json::kind(d) == Some("Application")), generator];
    let mut implements = Implements::default();
    for application in features.into_iter().flatten() {
        for feature in json::many(application, "implements").into_iter().take(IMPLEMENTS_MAX) {
            let href = feature.as_str().or_else(|| feature.get("href").and_then(Value::as_str));
            implements.rfc9421 |= href == Some(RFC9421_FEATURE);
            implements.ed25519 |= href == Some(ED25519_FEATURE);
        }
    }
    implements
}

/// All keys of a document: one object with most peers, an array with some.
fn keys(document: &Value) -> Vec<RemoteKey> {
    json::many(document, "publicKey").into_iter().take(KEYS_MAX).filter_map(read_one_key).collect()
}

fn read_one_key(key: &Value) -> Option<RemoteKey> {
    let pem = key.get("publicKeyPem").and_then(Value::as_str).filter(|pem| pem.len() <= PEM_BYTES_MAX)?;
    let id = key.get("id").and_then(Value::as_str).and_then(|text| KeyUrl::parse(text).ok())?;
    Some(RemoteKey { id, owner: actor_of(key, "owner")?, pem: pem.to_owned() })
}

/// Letters, digits and what peers allow between them; no white space, no second `@`.
fn username(document: &Value) -> Option<String> {
    let name = json::text(document, "preferredUsername")?;
    let fits = name.chars().count() <= NAME_CHARS_MAX && !name.contains(['@', '/', '<', '>', '"']);
    (fits && !name.contains(|c: char| c.is_whitespace() || c.is_control())).then(|| name.to_owned())
}

/// FEP-2c59 where it is given in the plain form, else the host of the id.
fn handle(document: &Value, username: &str, host: &str) -> String {
    let plain = json::name(document, "webfinger").filter(|text| {
        text.split_once('@')
            .is_some_and(|(name, domain)| !name.is_empty() && !domain.is_empty() && !domain.contains('@'))
            && !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '<')
    });
    plain.map_or_else(|| format!("@{username}@{host}"), |text| format!("@{text}"))
}

fn also_known_as(document: &Value) -> Vec<String> {
    let ids = json::many(document, "alsoKnownAs").into_iter().filter_map(json::id_of);
    ids.filter(|id| ActorUrl::parse(id).is_ok()).take(ALSO_KNOWN_AS_MAX).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
