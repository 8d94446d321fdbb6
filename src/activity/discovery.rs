//! How others find us: WebFinger (RFC 7033), host-meta (RFC 6415), NodeInfo 2.0 and 2.1.

use serde_json::Value;
use thiserror::Error;

use crate::actor::verification::InstanceActor;
use crate::actor::{Actor, Handle};
use crate::ids::ActorId;
use crate::urls::Base;

/// Media type of a WebFinger answer.
pub const JRD_CONTENT_TYPE: &str = "application/jrd+json";
/// Media type of host-meta as XML.
pub const XRD_CONTENT_TYPE: &str = "application/xrd+xml";

/// What a WebFinger `resource` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// `acct:name@D`, `acct:name@H`, or a profile page (then the domain is that of H).
    Handle {
        /// The local part.
        handle: Handle,
        /// The domain as asked, lower-case.
        domain: String,
    },
    /// The id of an actor.
    Actor(ActorId),
    /// The instance actor: its id, `acct:H@H`, or the root of the site (FEP-d556).
    Instance,
}

/// Why a `resource` is not answered.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DiscoveryError {
    /// There is none.
    #[error("the parameter `resource` is missing; ask for `?resource=acct:name@domain`")]
    Missing,
    /// It is neither `acct:` nor a URL.
    #[error("`{0}` is neither `acct:name@domain` nor a URL")]
    Malformed(String),
    /// It is none of ours.
    #[error("`{0}` is not known here")]
    Unknown(String),
}

impl DiscoveryError {
    /// The HTTP status to answer: 400 or 404 (`reference/federation.md` 5.1).
    pub fn status(&self) -> u16 {
        match self {
            Self::Missing | Self::Malformed(_) => 400,
            Self::Unknown(_) => 404,
        }
    }
}

/// Reads `resource`, decoded from the query. `handle_domains` are the domains of our actors' handles besides our own host.
pub fn parse_resource(
    resource: Option<&str>,
    base: &Base,
    handle_domains: &[&str],
) -> Result<Resource, DiscoveryError> {
    let _ = (resource, base, handle_domains);
    todo!()
}

/// The WebFinger answer for an actor; its subject is always `acct:name@D`.
pub fn webfinger(actor: &Actor, base: &Base) -> Value {
    let _ = (actor, base);
    todo!()
}

/// The WebFinger answer for the instance actor.
pub fn webfinger_instance(instance: &InstanceActor, base: &Base) -> Value {
    let _ = (instance, base);
    todo!()
}

/// `/.well-known/host-meta`: where WebFinger is. Mastodon asks after a 404 from WebFinger.
pub fn host_meta_xrd(base: &Base) -> String {
    let _ = base;
    todo!()
}

/// `/.well-known/host-meta.json`.
pub fn host_meta_json(base: &Base) -> Value {
    let _ = base;
    todo!()
}

/// `/.well-known/nodeinfo`: links to both versions.
pub fn nodeinfo_links(base: &Base) -> Value {
    let _ = base;
    todo!()
}

/// A version of the NodeInfo schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeInfoVersion {
    /// 2.0: what Mastodon serves.
    V2_0,
    /// 2.1: adds repository and homepage of the software.
    V2_1,
}

impl NodeInfoVersion {
    /// `2.0` or `2.1`.
    pub fn number(self) -> &'static str {
        match self {
            Self::V2_0 => "2.0",
            Self::V2_1 => "2.1",
        }
    }

    /// The reverse of [`NodeInfoVersion::number`].
    pub fn read(number: &str) -> Option<Self> {
        [Self::V2_0, Self::V2_1].into_iter().find(|v| v.number() == number)
    }

    /// The media type of the document, with its profile.
    pub fn content_type(self) -> String {
        format!("application/json; profile=\"{}#\"", self.schema())
    }

    fn schema(self) -> String {
        format!("http://nodeinfo.diaspora.software/ns/schema/{}", self.number())
    }
}

/// What NodeInfo says about this installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeFacts {
    /// Version of the software.
    pub version: String,
    /// Name of the installation.
    pub name: String,
    /// A sentence about it.
    pub description: String,
    /// Number of our actors.
    pub actors: u64,
    /// Number of public posts.
    pub posts: u64,
}

/// A NodeInfo document.
pub fn nodeinfo(version: NodeInfoVersion, facts: &NodeFacts) -> Value {
    let _ = (version, facts);
    todo!()
}
