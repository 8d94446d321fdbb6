//! How others find us: WebFinger (RFC 7033), host-meta (RFC 6415), NodeInfo 2.0 and 2.1.

use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::activity::actor_document::{image_type, instance_name};
use crate::activity::{CONTENT_TYPE, put};
use crate::actor::verification::InstanceActor;
use crate::actor::{Actor, Handle};
use crate::ids::ActorId;
use crate::urls::Base;

/// Media type of a WebFinger answer.
pub const JRD_CONTENT_TYPE: &str = "application/jrd+json";
/// Media type of host-meta as XML.
pub const XRD_CONTENT_TYPE: &str = "application/xrd+xml";

/// Longest `resource` that is read, in bytes.
const RESOURCE_BYTES_MAX: usize = 2_048;

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
    let text = resource.map(str::trim).filter(|text| !text.is_empty()).ok_or(DiscoveryError::Missing)?;
    if text.len() > RESOURCE_BYTES_MAX {
        return Err(DiscoveryError::Malformed(text.chars().take(64).collect()));
    }
    let unknown = || DiscoveryError::Unknown(text.to_owned());
    if text.starts_with("https://") || text.starts_with("http://") {
        return parse_url(text, base).ok_or_else(unknown);
    }
    let account = text.strip_prefix("acct:").ok_or_else(|| DiscoveryError::Malformed(text.to_owned()))?;
    let account = account.strip_prefix('@').unwrap_or(account);
    let (name, domain) = account.rsplit_once('@').ok_or_else(|| DiscoveryError::Malformed(text.to_owned()))?;
    let (name, domain) = (name.to_ascii_lowercase(), domain.to_ascii_lowercase());
    let ours = base.authority();
    if name == instance_name(base) && domain == ours {
        return Ok(Resource::Instance);
    }
    if domain != ours && !handle_domains.iter().any(|d| d.eq_ignore_ascii_case(&domain)) {
        return Err(unknown());
    }
    Ok(Resource::Handle { handle: Handle::parse(&name).map_err(|_| unknown())?, domain })
}

/// The id of an actor, a profile page, or the site itself.
fn parse_url(text: &str, base: &Base) -> Option<Resource> {
    if text == base.instance_actor().as_str() || text.trim_end_matches('/') == base.root().trim_end_matches('/') {
        return Some(Resource::Instance);
    }
    if let Some(id) = base.read_actor(text) {
        return Some(Resource::Actor(id));
    }
    let name = text.strip_prefix(&base.actor_page(""))?.trim_end_matches('/').to_ascii_lowercase();
    Some(Resource::Handle { handle: Handle::parse(&name).ok()?, domain: base.authority() })
}

/// The WebFinger answer for an actor; its subject is always `acct:name@D`.
pub fn webfinger(actor: &Actor, base: &Base) -> Value {
    let page = base.actor_page(actor.handle.as_str());
    let mut links = vec![
        json!({"rel": "self", "type": CONTENT_TYPE, "href": actor.url.as_str()}),
        json!({"rel": "http://webfinger.net/rel/profile-page", "type": "text/html", "href": page}),
    ];
    if let Some(icon) = &actor.profile.icon {
        links.push(json!({"rel": "http://webfinger.net/rel/avatar", "type": image_type(icon), "href": icon}));
    }
    json!({
        "subject": format!("acct:{}@{}", actor.handle, actor.handle_domain),
        "aliases": [page, actor.url.as_str()],
        "links": links,
    })
}

/// The WebFinger answer for the instance actor.
pub fn webfinger_instance(instance: &InstanceActor, base: &Base) -> Value {
    json!({
        "subject": format!("acct:{}@{}", instance_name(base), base.authority()),
        "aliases": [instance.url.as_str()],
        "links": [{"rel": "self", "type": CONTENT_TYPE, "href": instance.url.as_str()}],
    })
}

/// `/.well-known/host-meta`: where WebFinger is. Mastodon asks after a 404 from WebFinger.
pub fn host_meta_xrd(base: &Base) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <XRD xmlns=\"http://docs.oasis-open.org/ns/xri/xrd-1.0\">\n  \
         <Link rel=\"lrdd\" type=\"{JRD_CONTENT_TYPE}\" template=\"{}\"/>\n</XRD>\n",
        lrdd(base)
    )
}

/// `/.well-known/host-meta.json`.
pub fn host_meta_json(base: &Base) -> Value {
    json!({"links": [{"rel": "lrdd", "type": JRD_CONTENT_TYPE, "template": lrdd(base)}]})
}

fn lrdd(base: &Base) -> String {
    format!("{}.well-known/webfinger?resource={{uri}}", base.root())
}

/// `/.well-known/nodeinfo`: links to both versions.
pub fn nodeinfo_links(base: &Base) -> Value {
    let links: Vec<Value> = [NodeInfoVersion::V2_0, NodeInfoVersion::V2_1]
        .into_iter()
        .map(|v| json!({"rel": v.schema(), "href": format!("{}nodeinfo/{}", base.root(), v.number())}))
        .collect();
    json!({ "links": links })
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
    /// Where the source code is (2.1 only).
    pub repository: Option<String>,
    /// Page of the software (2.1 only).
    pub homepage: Option<String>,
}

/// A NodeInfo document. Usage tells no more than how many actors and posts there are: nothing about any person.
pub fn nodeinfo(version: NodeInfoVersion, facts: &NodeFacts) -> Value {
    let mut software = Map::new();
    put(&mut software, "name", json!("heraut"));
    put(&mut software, "version", json!(facts.version));
    if version == NodeInfoVersion::V2_1 {
        if let Some(repository) = &facts.repository {
            put(&mut software, "repository", json!(repository));
        }
        if let Some(homepage) = &facts.homepage {
            put(&mut software, "homepage", json!(homepage));
        }
    }
    json!({
        "version": version.number(),
        "software": software,
        "protocols": ["activitypub"],
        "services": {"inbound": [], "outbound": []},
        "openRegistrations": false,
        "usage": {"users": {"total": facts.actors}, "localPosts": facts.posts},
        "metadata": {"nodeName": facts.name, "nodeDescription": facts.description},
    })
}

#[cfg(test)]
mod tests;
