//! How others find us (`reference/federation.md` 5.1, 5.2): WebFinger, host-meta, NodeInfo, robots.txt. WebFinger answers on
//! the domain of a handle as on our own host, so that a domain may point its `/.well-known/webfinger` here.
//!
//! There is no `security.txt`: it needs a contact and an end date that only the operator knows.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use crate::activity::discovery::{
    DiscoveryError, JRD_CONTENT_TYPE, NodeFacts, NodeInfoVersion, Resource, XRD_CONTENT_TYPE, host_meta_json,
    host_meta_xrd, nodeinfo as nodeinfo_document, nodeinfo_links, parse_resource, webfinger as jrd, webfinger_instance,
};
use crate::flow::Gateway;
use crate::store::{actors, posts};
use crate::web::caching::{FRESH, Representation};
use crate::web::hosts::Directory;
use crate::web::problem::Problem;

/// What NodeInfo says about this software.
const DESCRIPTION: &str = "Heraut republishes what agencies publish to the fediverse, from verified actors.";
/// Crawlers may read all: it is public information. GoToSocial reads NodeInfo only where this file lets it.
const ROBOTS: &str = "User-agent: *\nAllow: /\n";

/// The query of WebFinger; `rel` is not needed, since a server may send all links (RFC 7033 §4.3).
#[derive(Debug, Deserialize)]
pub struct Query {
    resource: Option<String>,
}

/// `/.well-known/webfinger` (RFC 7033).
pub async fn webfinger(
    gateway: web::Data<Gateway>,
    directory: web::Data<Directory>,
    request: HttpRequest,
    query: Option<web::Query<Query>>,
) -> Result<HttpResponse, Problem> {
    let asked = query.and_then(|query| query.into_inner().resource);
    let resource = read_resource(&gateway, &directory, asked.as_deref()).await?;
    let found = match resource {
        Resource::Instance => Some(webfinger_instance(&gateway.instance_actor().await?, &gateway.base)),
        Resource::Actor(id) => {
            let actor = gateway.store.read("find an actor by its id", move |db| actors::by_id(db, id)).await?;
            actor.map(|actor| jrd(&actor, &gateway.base))
        }
        Resource::Handle { handle, domain } => {
            let read = move |db: &mut crate::store::Db<'_>| actors::by_handle(db, handle.as_str());
            let actor = gateway.store.read("find an actor by its handle", read).await?;
            let ours = gateway.base.authority();
            actor
                .filter(|actor| domain == ours || actor.handle_domain.eq_ignore_ascii_case(&domain))
                .map(|actor| jrd(&actor, &gateway.base))
        }
    };
    let document = found.ok_or(Problem::NotFound)?;
    Ok(Representation::plain(document.to_string(), JRD_CONTENT_TYPE).cached(FRESH).answer(&request))
}

/// Reads `resource`; a domain that is not known is looked for once more among the latest.
async fn read_resource(gateway: &Gateway, directory: &Directory, asked: Option<&str>) -> Result<Resource, Problem> {
    let parse = |domains: &[String]| {
        let domains: Vec<&str> = domains.iter().map(String::as_str).collect();
        parse_resource(asked, &gateway.base, &domains)
    };
    let read = match parse(&[]) {
        Err(DiscoveryError::Unknown(_)) => parse(&directory.latest_domains().await?),
        read => read,
    };
    read.map_err(|error| match error.status() {
        404 => Problem::NotFound,
        _ => Problem::Malformed(error.to_string()),
    })
}

/// `/.well-known/host-meta`: Mastodon asks for it after a 404 from WebFinger.
pub async fn host_meta(gateway: web::Data<Gateway>, request: HttpRequest) -> HttpResponse {
    Representation::plain(host_meta_xrd(&gateway.base), XRD_CONTENT_TYPE).answer(&request)
}

/// `/.well-known/host-meta.json`.
pub async fn host_meta_as_json(gateway: web::Data<Gateway>, request: HttpRequest) -> HttpResponse {
    Representation::plain(host_meta_json(&gateway.base).to_string(), "application/json").answer(&request)
}

/// `/.well-known/nodeinfo`.
pub async fn nodeinfo_index(gateway: web::Data<Gateway>, request: HttpRequest) -> HttpResponse {
    Representation::plain(nodeinfo_links(&gateway.base).to_string(), "application/json").answer(&request)
}

/// `/nodeinfo/{version}`.
pub async fn nodeinfo(
    gateway: web::Data<Gateway>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let version = NodeInfoVersion::read(&path).ok_or(Problem::NotFound)?;
    let (actors, posts) = gateway
        .store
        .read("count for NodeInfo", |db| Ok((actors::count(db)?, posts::count_all_published(db)?)))
        .await?;
    let facts = NodeFacts {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        name: gateway.base.authority(),
        description: DESCRIPTION.to_owned(),
        actors: u64::try_from(actors).unwrap_or(0),
        posts: u64::try_from(posts).unwrap_or(0),
        repository: None,
        homepage: None,
    };
    Ok(Representation::plain(nodeinfo_document(version, &facts).to_string(), version.content_type()).answer(&request))
}

/// `/robots.txt`.
pub async fn robots(request: HttpRequest) -> HttpResponse {
    Representation::plain(ROBOTS, "text/plain; charset=utf-8").answer(&request)
}
