//! `[[target]]`: an account on another server to which posts go too.

use std::path::Path;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::actor::Handle;
use crate::config::hook::{Held, held};
use crate::config::section::Section;
use crate::config::value::parse_name;
use crate::target::{MASTODON_ACCOUNT, Visibility, parse_server};

/// One `[[target]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct TargetConfig {
    /// Unique name.
    pub name: String,
    /// Name of the agency of which all actors' posts go there; never together with `actor`.
    pub agency: Option<String>,
    /// Handle of the actor whose posts go there.
    pub actor: Option<Handle>,
    /// What it is.
    pub kind: String,
    /// The server: scheme and host.
    pub url: String,
    /// Where the access token is.
    pub token: Held,
    /// Who sees what is said there.
    pub visibility: Visibility,
    /// Whether it is in use.
    pub enabled: bool,
}

impl Serialize for TargetConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.name)?;
        if let Some(agency) = &self.agency {
            map.serialize_entry("agency", agency)?;
        }
        if let Some(actor) = &self.actor {
            map.serialize_entry("actor", actor)?;
        }
        map.serialize_entry("kind", &self.kind)?;
        map.serialize_entry("url", &self.url)?;
        map.serialize_entry(&format!("token{}", self.token.suffix()), "<redacted>")?;
        map.serialize_entry("visibility", self.visibility.name())?;
        map.serialize_entry("enabled", &self.enabled)?;
        map.end()
    }
}

/// Reads one.
pub(super) fn read(mut s: Section<'_>, dir: &Path) -> Option<TargetConfig> {
    let name = s.require_read("name", "\"social-overheid\"", parse_name);
    let agency: Option<String> = s.take("agency");
    let actor = s.read("actor", Handle::parse);
    if agency.is_some() == actor.is_some() {
        s.problem("actor", "give either `actor`, for the posts of one, or `agency`, for those of all its actors");
    }
    let kind: Option<String> = s.require("kind", "\"mastodon_account\"");
    if kind.as_deref().is_some_and(|kind| kind != MASTODON_ACCOUNT) {
        s.problem("kind", format!("is no kind of target; there is {MASTODON_ACCOUNT}"));
    }
    let url =
        s.require_read("url", "\"https://social.overheid.nl\"", |text| parse_server(text).map(|_| text.to_owned()));
    let token = held(&mut s, ["token", "token_file", "token_env"], dir);
    if token.is_none() {
        s.problem("token_file", "is missing; write for example token_file = \"social-overheid.token\"");
    }
    let visibility = s.read("visibility", Visibility::parse).unwrap_or_default();
    let enabled = s.take("enabled").unwrap_or(true);
    s.finish();
    Some(TargetConfig { name: name?, agency, actor, kind: kind?, url: url?, token: token?, visibility, enabled })
}
