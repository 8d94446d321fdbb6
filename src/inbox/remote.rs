//! Documents of remote actors and their keys.

use thiserror::Error;

use crate::inbox::InboxError;
use crate::time::Timestamp;
use crate::urls::{ActorUrl, InboxUrl, KeyUrl};

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
    let _ = (bytes, fetched_url, wanted_key);
    todo!()
}

/// Reads what was fetched from `KeyUrl::document`: an actor, or a key that says who owns it.
pub fn read_key(bytes: &[u8], fetched_url: &str, key: &KeyUrl) -> Result<KeyDocument, RemoteError> {
    let _ = (bytes, fetched_url, key);
    todo!()
}
