//! Which `Host` a request is for. We answer for our own host and those of agencies, each for its own actors, and on the domains
//! of handles for discovery only: there a GET of anything else is sent to the host of the ids. Any other host gets 421, so that
//! an operator whose proxy does not pass on `Host` sees that at once instead of signatures that fail. `X-Forwarded-Host` is never
//! read. Health checks come by address and are answered under any host; nothing else is, not even on loopback: a check with
//! `curl -H 'Host: …'` shows what a peer sees.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, header};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, HttpRequest, HttpResponse, ResponseError, web};

use crate::actor::Actor;
use crate::flow::hosts::{FRESH, RETRY};
use crate::flow::{Gateway, Shared};
use crate::ids::ActorId;
use crate::store::{StoreError, actors};
use crate::urls::Base;
use crate::web::caching;
use crate::web::problem::Problem;

/// Most characters of a strange host that we repeat.
const HOST_CHARS_SHOWN: usize = 100;
/// What is served on the domain of a handle too.
const DISCOVERY_PREFIX: &str = "/.well-known/";
/// What is served under any host.
const HEALTH_PREFIX: &str = "/health/";

/// What web remembers of our actors between requests: little, and nothing that changes.
pub struct Directory {
    gateway: Shared,
    roots: Mutex<HashMap<ActorId, Base>>,
}

impl Directory {
    /// An empty one.
    pub fn new(gateway: Shared) -> Self {
        Self { gateway, roots: Mutex::default() }
    }

    /// Whether an actor of ours has that id under that root. Actors are never removed and keep their ids, so one that was found is
    /// not looked for again.
    pub async fn has_actor(&self, id: ActorId, base: &Base) -> Result<bool, StoreError> {
        if let Some(root) = self.lock().get(&id) {
            return Ok(root == base);
        }
        let found = self.gateway.store.read("look for an actor", move |db| actors::by_id(db, id)).await?;
        let Some(root) = found.map(|actor| actor.base()) else { return Ok(false) };
        let here = root == *base;
        self.lock().insert(id, root);
        Ok(here)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ActorId, Base>> {
        self.roots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The root of the ids that it is about.
    pub base: Base,
    /// The domain of handles that was asked, where it is not the host of the ids.
    pub domain: Option<String>,
}

impl Asked {
    /// Whether an actor is to be found there.
    pub fn is_about(&self, actor: &Actor) -> bool {
        actor.base() == self.base || self.domain.as_ref().is_some_and(|d| actor.handle_domain.eq_ignore_ascii_case(d))
    }
}

/// What a request is for: set by [`check`].
pub fn asked(request: &HttpRequest, gateway: &Gateway) -> Asked {
    let known = request.extensions().get::<Asked>().cloned();
    known.unwrap_or_else(|| Asked { base: gateway.base.clone(), domain: None })
}

/// The root that a request is for.
pub fn base(request: &HttpRequest, gateway: &Gateway) -> Base {
    asked(request, gateway).base
}

/// The actor, if the request is for its host; on another one there is no such actor.
pub fn here(request: &HttpRequest, gateway: &Gateway, actor: Option<Actor>) -> Result<Actor, Problem> {
    let base = base(request, gateway);
    actor.filter(|actor| actor.base() == base).ok_or(Problem::NotFound)
}

/// Lets through what is for us; answers the rest itself.
pub async fn check<B: MessageBody>(
    directory: web::Data<Directory>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    match judge(&directory.gateway, &request).await {
        Ok(asked) => {
            request.extensions_mut().insert(asked);
            next.call(request).await.map(ServiceResponse::map_into_left_body)
        }
        Err(response) => Ok(request.into_response(response).map_into_right_body()),
    }
}

/// What a request is for, or the answer to one that is not let through.
async fn judge(gateway: &Gateway, request: &ServiceRequest) -> Result<Asked, HttpResponse> {
    let home = &gateway.base;
    if request.path().starts_with(HEALTH_PREFIX) {
        return Ok(Asked { base: home.clone(), domain: None });
    }
    let asked = match asked_host(request) {
        Ok(host) => normal(host, home),
        Err(problem) => return Err(problem.error_response()),
    };
    for age in [FRESH, RETRY] {
        let hosts = gateway.hosts(age).await.map_err(|error| Problem::from(error).error_response())?;
        if let Some(base) = hosts.own(&asked) {
            return Ok(Asked { base: base.clone(), domain: None });
        }
        let Some(base) = hosts.of_handles(&asked) else { continue };
        if request.path().starts_with(DISCOVERY_PREFIX) {
            return Ok(Asked { base: base.clone(), domain: Some(asked) });
        }
        if matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(send_home(base, request));
        }
    }
    let asked = asked.chars().take(HOST_CHARS_SHOWN).collect();
    Err(Problem::Misdirected { asked, ours: home.authority() }.error_response())
}

fn send_home(base: &Base, request: &ServiceRequest) -> HttpResponse {
    let path = request.uri().path_and_query().map_or("/", |p| p.as_str());
    let home = format!("{}{path}", base.root().trim_end_matches('/'));
    HttpResponse::PermanentRedirect()
        .insert_header((header::LOCATION, home))
        .insert_header((header::CACHE_CONTROL, caching::SLOW))
        .finish()
}

/// The host of the request target where it has one (RFC 9112 §3.2.2), else the one `Host` header.
fn asked_host(request: &ServiceRequest) -> Result<&str, Problem> {
    if let Some(authority) = request.uri().authority() {
        return Ok(authority.as_str());
    }
    let mut hosts = request.headers().get_all(header::HOST);
    match (hosts.next().and_then(|host| host.to_str().ok()), hosts.next()) {
        (Some(host), None) => Ok(host),
        _ => Err(Problem::Malformed("there must be exactly one Host header".to_owned())),
    }
}

/// Whether the request is for a host of ids, ours or an agency's.
pub fn is_own(gateway: &Gateway, request: &ServiceRequest) -> bool {
    asked_host(request).is_ok_and(|host| gateway.hosts_seen().own(&normal(host, &gateway.base)).is_some())
}

/// Lower-case, without the default port of our scheme and without a dot at the end.
fn normal(host: &str, base: &Base) -> String {
    let default_port = if base.root().starts_with("https:") { ":443" } else { ":80" };
    let host = host.trim().to_ascii_lowercase();
    let host = host.strip_suffix(default_port).unwrap_or(&host);
    host.strip_suffix('.').unwrap_or(host).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_compared_in_its_normal_form() {
        let table = [
            ("https://social.example", "Social.Example", true),
            ("https://social.example", "social.example:443", true),
            ("https://social.example", "social.example.", true),
            ("https://social.example", "social.example:80", false),
            ("https://social.example", "social.example:8443", false),
            ("https://social.example", "evil.example", false),
            ("https://social.example", "social.example.evil.example", false),
            ("https://social.example:8443", "social.example:8443", true),
            ("http://127.0.0.1:8080", "127.0.0.1:8080", true),
            ("http://127.0.0.1", "127.0.0.1:80", true),
            ("http://127.0.0.1:8080", "127.0.0.1", false),
        ];
        for (base, host, same) in table {
            let base = Base::parse(base).unwrap();
            assert_eq!(normal(host, &base) == base.authority(), same, "{host} at {}", base.root());
        }
    }
}
