//! Which `Host` a request is for. We answer for our own host, and on the domains of handles for discovery only: there a GET
//! of anything else is sent to our own host. Any other host gets 421, so that an operator whose proxy does not pass on
//! `Host` sees that at once instead of signatures that fail. `X-Forwarded-Host` is never read. Health checks come by address
//! and are answered under any host; nothing else is, not even on loopback: a check with `curl -H 'Host: …'` shows what a
//! peer sees.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, header};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse, ResponseError, web};

use crate::flow::Shared;
use crate::ids::ActorId;
use crate::store::{StoreError, actors};
use crate::urls::Base;
use crate::web::caching;
use crate::web::problem::Problem;

/// How long a list of handle domains serves while it holds the answer.
const DOMAINS_FRESH: Duration = Duration::from_secs(60);
/// How often it is read anew for domains that are not on it: strangers cannot make us ask the database for each request.
const DOMAINS_RETRY: Duration = Duration::from_secs(1);
/// Most characters of a strange host that we repeat.
const HOST_CHARS_SHOWN: usize = 100;
/// What is served on the domain of a handle too.
const DISCOVERY_PREFIX: &str = "/.well-known/";
/// What is served under any host.
const HEALTH_PREFIX: &str = "/health/";

/// What web remembers of our actors between requests: little, and nothing that may not be a minute old.
pub struct Directory {
    gateway: Shared,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    domains: Arc<Vec<String>>,
    read_at: Option<Instant>,
    actors: HashSet<ActorId>,
}

impl Directory {
    /// An empty one.
    pub fn new(gateway: Shared) -> Self {
        Self { gateway, known: Mutex::default() }
    }

    /// The domains of our handles besides our own host; read anew where they are older than `age`.
    pub async fn handle_domains(&self, age: Duration) -> Result<Arc<Vec<String>>, StoreError> {
        {
            let known = self.lock();
            if known.read_at.is_some_and(|at| at.elapsed() < age) {
                return Ok(known.domains.clone());
            }
        }
        let actors = self.gateway.store.read("list the domains of handles", actors::list).await?;
        let ours = self.gateway.base.authority();
        let mut domains: Vec<String> =
            actors.into_iter().map(|actor| actor.handle_domain.to_ascii_lowercase()).filter(|d| *d != ours).collect();
        domains.sort();
        domains.dedup();
        let domains = Arc::new(domains);
        let mut known = self.lock();
        known.domains = domains.clone();
        known.read_at = Some(Instant::now());
        Ok(domains)
    }

    /// Whether one of our handles is at that domain, which is not our own host.
    pub async fn is_handle_domain(&self, domain: &str) -> Result<bool, StoreError> {
        for age in [DOMAINS_FRESH, DOMAINS_RETRY] {
            if self.handle_domains(age).await?.iter().any(|d| d == domain) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The domains of our handles, as new as a list may be that did not hold the answer.
    pub async fn latest_domains(&self) -> Result<Arc<Vec<String>>, StoreError> {
        self.handle_domains(DOMAINS_RETRY).await
    }

    /// Whether an actor of ours has that id. Actors are never removed, so one that was found is not looked for again.
    pub async fn has_actor(&self, id: ActorId) -> Result<bool, StoreError> {
        if self.lock().actors.contains(&id) {
            return Ok(true);
        }
        let found = self.gateway.store.read("look for an actor", move |db| actors::by_id(db, id)).await?.is_some();
        if found {
            self.lock().actors.insert(id);
        }
        Ok(found)
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets through what is for us; answers the rest itself.
pub async fn check<B: MessageBody>(
    directory: web::Data<Directory>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    match judge(&directory, &request).await {
        None => next.call(request).await.map(ServiceResponse::map_into_left_body),
        Some(response) => Ok(request.into_response(response).map_into_right_body()),
    }
}

/// The answer to a request that is not let through.
async fn judge(directory: &Directory, request: &ServiceRequest) -> Option<HttpResponse> {
    if request.path().starts_with(HEALTH_PREFIX) {
        return None;
    }
    let base = &directory.gateway.base;
    let ours = base.authority();
    let asked = match asked_host(request) {
        Ok(host) => normal(host, base),
        Err(problem) => return Some(problem.error_response()),
    };
    if asked == ours {
        return None;
    }
    match directory.is_handle_domain(&asked).await {
        Ok(true) if request.path().starts_with(DISCOVERY_PREFIX) => None,
        Ok(true) if matches!(*request.method(), Method::GET | Method::HEAD) => Some(send_home(base, request)),
        Ok(_) => {
            let asked = asked.chars().take(HOST_CHARS_SHOWN).collect();
            Some(Problem::Misdirected { asked, ours }.error_response())
        }
        Err(error) => Some(Problem::from(error).error_response()),
    }
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

/// Whether the request is for our own host.
pub fn is_home(base: &Base, request: &ServiceRequest) -> bool {
    asked_host(request).is_ok_and(|host| normal(host, base) == base.authority())
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
