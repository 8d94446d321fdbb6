//! An ActivityPub actor of an agency, as the gateway knows it. Pure: no clock, network, database or randomness.

pub mod key;
pub mod ladder;
pub mod public_key;
pub mod reach;
pub mod record;
pub mod rel_me;
pub mod verification;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::actor::key::PublicKeys;
use crate::ids::{ActorId, AgencyId};
use crate::time::Timestamp;
use crate::urls::ActorUrl;

/// Longest handle, in characters: short enough for every peer read (Misskey takes 128).
pub const HANDLE_CHARS_MAX: usize = 64;

/// The local part of `@name@domain`: lower-case letters, digits, `_`, and single `.` or `-` inside (what Mastodon and Pixelfed
/// both accept; PieFed lower-cases actor ids, so we have only lower case).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Handle(String);

/// Why a text is not a handle.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{0}` is not a handle: use 1 to {HANDLE_CHARS_MAX} lower-case letters, digits or `_`, with `.` or `-` only between them"
)]
pub struct HandleError(String);

impl Handle {
    /// Accepts a handle without `@`.
    pub fn parse(text: &str) -> Result<Self, HandleError> {
        let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let edges = text.chars().next().is_some_and(word) && text.chars().next_back().is_some_and(word);
        let inside = text.chars().all(|c| word(c) || c == '.' || c == '-');
        if !edges || !inside || text.len() > HANDLE_CHARS_MAX {
            return Err(HandleError(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The handle without `@` and domain.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Handle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Handle {
    type Error = HandleError;
    fn try_from(text: String) -> Result<Self, HandleError> {
        Self::parse(&text)
    }
}

impl From<Handle> for String {
    fn from(handle: Handle) -> String {
        handle.0
    }
}

/// ActivityStreams actor type. What each peer makes of it: `reference/federation.md` 1.2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ActorKind {
    /// An agency voice with people behind it.
    #[default]
    Organization,
    /// An unattended feed; the only type besides Person that PieFed stores.
    Service,
    /// A person in office.
    Person,
    /// A topical group.
    Group,
    /// A program; used by the instance actor.
    Application,
}

impl ActorKind {
    /// The name on the wire and in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Organization => "Organization",
            Self::Service => "Service",
            Self::Person => "Person",
            Self::Group => "Group",
            Self::Application => "Application",
        }
    }
}

/// A BCP 47 language tag, primary subtag lower-case ("nl", "en-GB" keeps its region).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Language(String);

/// Why a text is not a language tag.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a language tag: use BCP 47, for example `nl` or `en-GB`")]
pub struct LanguageError(String);

impl Language {
    /// Accepts a tag of 2 to 35 characters whose first part is two or three letters.
    pub fn parse(text: &str) -> Result<Self, LanguageError> {
        let text = text.trim().replace('_', "-");
        let mut parts = text.split('-');
        let primary = parts.next().unwrap_or_default().to_ascii_lowercase();
        let good = (2..=3).contains(&primary.len())
            && primary.chars().all(|c| c.is_ascii_lowercase())
            && text.len() <= 35
            && parts.clone().all(|p| (1..=8).contains(&p.len()) && p.chars().all(|c| c.is_ascii_alphanumeric()));
        if !good {
            return Err(LanguageError(text));
        }
        let rest: String = parts.map(|p| format!("-{p}")).collect();
        Ok(Self(format!("{primary}{rest}")))
    }

    /// The whole tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The primary subtag: what `contentMap` uses, since Akkoma keeps only two-letter codes.
    pub fn primary(&self) -> &str {
        self.0.split('-').next().unwrap_or_default()
    }
}

impl TryFrom<String> for Language {
    type Error = LanguageError;
    fn try_from(text: String) -> Result<Self, LanguageError> {
        Self::parse(&text)
    }
}

impl From<Language> for String {
    fn from(language: Language) -> String {
        language.0
    }
}

/// The organisation that speaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agency {
    /// Internal id.
    pub id: AgencyId,
    /// Short name, unique in this installation.
    pub name: String,
    /// The domain that a proof must show control of; may carry a port on a test installation.
    pub domain: String,
}

/// What readers see of an actor besides its handle. Plain text unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// Display name.
    pub name: String,
    /// A few sentences about the actor.
    pub summary: String,
    /// Absolute URL of the avatar.
    pub icon: Option<String>,
    /// Absolute URL of the header picture.
    pub image: Option<String>,
    /// Name and value pairs; a value that is a URL becomes a link with `rel="me"`.
    pub fields: Vec<(String, String)>,
    /// May be suggested to others (Mastodon directory and trends).
    pub discoverable: bool,
    /// Public posts may be searched in full text (FEP-5feb).
    pub indexable: bool,
    /// Hashtags that its profile shows, without `#`; at most [`reach::FEATURED_TAGS_MAX`].
    pub featured_tags: Vec<String>,
    /// Websites that may name it as their author (`fediverse:creator`); none is that of its agency.
    pub attribution_domains: Vec<String>,
    /// Who may quote its posts.
    pub quotes: reach::QuotePolicy,
}

/// An actor of an agency, complete with public keys. That it is one of ours says nothing about its being verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Internal id and the number in its URL.
    pub id: ActorId,
    /// The agency that owns it.
    pub agency: Agency,
    /// Its handle.
    pub handle: Handle,
    /// The domain of its handle; may differ from the host of its URL.
    pub handle_domain: String,
    /// Its type on the wire.
    pub kind: ActorKind,
    /// Its default language.
    pub language: Language,
    /// What readers see.
    pub profile: Profile,
    /// Its id: minted once, stored, never changed.
    pub url: ActorUrl,
    /// Its public keys.
    pub keys: PublicKeys,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its document last changed.
    pub updated_at: Timestamp,
}

impl Actor {
    /// Websites that may name it as their author: as configured, else the domain of its agency, without a port.
    pub fn attribution_domains(&self) -> Vec<&str> {
        if self.profile.attribution_domains.is_empty() {
            return vec![self.agency.domain.split(':').next().unwrap_or_default()];
        }
        self.profile.attribution_domains.iter().map(String::as_str).collect()
    }

    /// `@name@domain`.
    pub fn full_handle(&self) -> String {
        format!("@{}@{}", self.handle, self.handle_domain)
    }
}
