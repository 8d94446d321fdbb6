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
use crate::actor::Actor;
use crate::flow::Gateway;
use crate::flow::hosts::{self as hosts_known, Hosts};
use crate::store::{Db, Queried, actors, continuity, posts};
use crate::urls::Base;
use crate::web::caching::{FRESH, Representation};
use crate::web::hosts::{self, Asked};
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
    request: HttpRequest,
    query: Option<web::Query<Query>>,
) -> Result<HttpResponse, Problem> {
    let resource = query.and_then(|query| query.into_inner().resource);
    let asked = hosts::asked(&request, &gateway);
    let resource = read_resource(&gateway, &asked.base, resource.as_deref()).await?;
    let found = match resource {
        Resource::Instance => {
            let instance = gateway.instance_actor_at(&asked.base).await?;
            return Ok(answer(&request, &webfinger_instance(&instance, &asked.base)));
        }
        Resource::Actor(id) => gateway.store.read("find an actor by its id", move |db| actors::by_id(db, id)).await?,
        Resource::Handle { handle, domain } => {
            let asked = asked.clone();
            gateway
                .store
                .read("find an actor by its handle", move |db| find(db, handle.as_str(), &domain, &asked))
                .await?
        }
    };
    let actor = found.filter(|actor| asked.is_about(actor)).ok_or(Problem::NotFound)?;
    if actor.continuity.state.is_over() {
        return Err(Problem::Closed);
    }
    Ok(answer(&request, &jrd(&actor, &actor.base())))
}

fn answer(request: &HttpRequest, document: &serde_json::Value) -> HttpResponse {
    Representation::plain(document.to_string(), JRD_CONTENT_TYPE).cached(FRESH).answer(request)
}

/// The actor that has that handle, at that domain or on the host of its id, or else had it.
fn find(db: &mut Db<'_>, handle: &str, domain: &str, asked: &Asked) -> Queried<Option<Actor>> {
    let mine = |actor: &Actor, at: &str| asked.is_about(actor) && (at == domain || actor.url.authority() == domain);
    let same = actors::all_by_handle(db, handle)?;
    if let Some(found) = same.into_iter().find(|actor| mine(actor, &actor.handle_domain.to_ascii_lowercase())) {
        return Ok(Some(found));
    }
    for former in continuity::former(db, handle)? {
        let Some(actor) = actors::by_id(db, former.actor_id)? else { continue };
        let about = asked.is_about(&actor) || asked.domain.as_ref() == Some(&former.domain);
        if about && (former.domain == domain || actor.url.authority() == domain) {
            return Ok(Some(actor));
        }
    }
    Ok(None)
}

/// Reads `resource`; a domain that is not known is looked for once more among the latest.
async fn read_resource(gateway: &Gateway, base: &Base, asked: Option<&str>) -> Result<Resource, Problem> {
    let parse = |hosts: &Hosts| parse_resource(asked, base, &hosts.handle_domains().collect::<Vec<_>>());
    let read = match parse(&*gateway.hosts(hosts_known::FRESH).await?) {
        Err(DiscoveryError::Unknown(_)) => parse(&*gateway.hosts(hosts_known::RETRY).await?),
        read => read,
    };
    read.map_err(|error| match error.status() {
        404 => Problem::NotFound,
        _ => Problem::Malformed(error.to_string()),
    })
}

/// `/.well-known/host-meta`: Mastodon asks for it after a 404 from WebFinger.
pub async fn host_meta(gateway: web::Data<Gateway>, request: HttpRequest) -> HttpResponse {
    Representation::plain(host_meta_xrd(&hosts::base(&request, &gateway)), XRD_CONTENT_TYPE).answer(&request)
}

/// `/.well-known/host-meta.json`.
pub async fn host_meta_as_json(gateway: web::Data<Gateway>, request: HttpRequest) -> HttpResponse {
    Representation::plain(host_meta_json(&hosts::base(&request, &gateway)).to_string(), "application/json")
        .answer(&request)
}

/// `/.well-known/nodeinfo`.
pub async fn nodeinfo_index(gateway: web::Data<Gateway>, request: HttpRequest) -> HttpResponse {
    Representation::plain(nodeinfo_links(&hosts::base(&request, &gateway)).to_string(), "application/json")
        .answer(&request)
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
        name: hosts::base(&request, &gateway).authority(),
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
