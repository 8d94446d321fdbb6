//! `/@name/follow`: a reader names their server and is sent on to the page there where they follow. Works without script. Whatever
//! fails, the page still says what to search for.

use actix_web::http::{Method, StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, Resource, ResponseError, guard, web};
use askama::Template;

use crate::activity::subscribe::Reader;
use crate::actor::Actor;
use crate::flow::Gateway;
use crate::flow::subscribe::{Found, Lookups};
use crate::web::activitypub::{see_other, shown};
use crate::web::body;
use crate::web::caching::{NEVER, Representation};
use crate::web::hooks::{Proxies, remote};
use crate::web::hosts;
use crate::web::pages::{at, or_problem, render};
use crate::web::problem::Problem;
use crate::web::texts::{self, Texts};
use crate::web::view::{Frame, display_name};

/// What may be done here.
const ALLOW: &str = "GET, HEAD, POST, OPTIONS";
/// Largest form, in bytes.
const FORM_BYTES_MAX: usize = 4 * 1024;
/// As on all pages, but that the answer to the form leads to the reader's own server: browsers hold `form-action` against redirects
/// too.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' https:; base-uri 'none'; \
                      frame-ancestors 'none'; upgrade-insecure-requests";
/// Where we are reached by plain http, which only a trial is.
const POLICY_HTTP: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' http: https:; \
                           base-uri 'none'; frame-ancestors 'none'";

#[derive(Template)]
#[template(path = "follow.html")]
struct FollowPage {
    frame: Frame,
    name: String,
    handle: String,
    page: String,
    action: String,
    app: String,
    feeds: Vec<(String, String)>,
    /// What the reader filled in, and what is wrong with it.
    given: String,
    problem: Option<&'static str>,
    usual: Option<String>,
}

/// What a page says besides the form.
#[derive(Default)]
struct Outcome {
    given: String,
    problem: Option<&'static str>,
    usual: Option<String>,
}

/// The page and its form.
pub fn resource(path: &str) -> Resource {
    web::resource(path)
        .route(web::route().guard(guard::Any(guard::Get()).or(guard::Head())).to(show))
        .route(web::post().to(go))
        .default_service(web::to(|request: HttpRequest| async move {
            match *request.method() {
                Method::OPTIONS => HttpResponse::NoContent().insert_header((header::ALLOW, ALLOW)).finish(),
                _ => Problem::Method(ALLOW).error_response(),
            }
        }))
}

async fn show(gateway: web::Data<Gateway>, request: HttpRequest, path: web::Path<String>) -> HttpResponse {
    let answer = async {
        let actor = find(&gateway, &request, path.into_inner()).await?;
        if actor.continuity.is_closed() {
            return Ok(see_other(&actor.base().actor_page(actor.handle.as_str())));
        }
        let t = texts::choose(&request, Some(actor.language.as_str()));
        let page = page(t, &actor, Outcome::default())?;
        Ok(guarded(&gateway, Representation::page(page).answer(&request)))
    };
    or_problem(&gateway, &request, answer.await)
}

async fn go(
    gateway: web::Data<Gateway>,
    lookups: web::Data<Lookups>,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    path: web::Path<String>,
    payload: web::Payload,
) -> HttpResponse {
    let answer = async {
        let actor = find(&gateway, &request, path.into_inner()).await?;
        if actor.continuity.is_closed() {
            return Ok(see_other(&actor.base().actor_page(actor.handle.as_str())));
        }
        let bytes = body::read(&request, payload, FORM_BYTES_MAX).await?;
        let given = url::form_urlencoded::parse(&bytes).find(|(name, _)| name == "server");
        let given = given.map(|(_, value)| value.into_owned()).unwrap_or_default();
        let t = texts::choose(&request, Some(actor.language.as_str()));
        let Some(reader) = Reader::parse(&given) else {
            let outcome = Outcome { given, problem: Some(t.follow_unreadable), usual: None };
            return answer_with(&gateway, t, &actor, outcome, StatusCode::BAD_REQUEST);
        };
        let from = remote(&request, &proxies.0);
        match lookups.find(&gateway, &reader, from, actor.url.as_str()).await {
            Found::At(url) => {
                let mut response = HttpResponse::SeeOther();
                response.insert_header((header::LOCATION, url.as_str())).insert_header((header::CACHE_CONTROL, NEVER));
                Ok(guarded(&gateway, response.finish()))
            }
            Found::Nowhere => {
                let usual = reader.usual(actor.url.as_str()).map(String::from);
                let outcome = Outcome { given, problem: Some(t.follow_unknown), usual };
                answer_with(&gateway, t, &actor, outcome, StatusCode::OK)
            }
            Found::Busy => {
                let usual = reader.usual(actor.url.as_str()).map(String::from);
                let outcome = Outcome { given, problem: Some(t.follow_busy), usual };
                answer_with(&gateway, t, &actor, outcome, StatusCode::TOO_MANY_REQUESTS)
            }
        }
    };
    or_problem(&gateway, &request, answer.await)
}

async fn find(gateway: &Gateway, request: &HttpRequest, handle: String) -> Result<Actor, Problem> {
    let base = hosts::base(request, gateway);
    let found = gateway.store.read("read an actor", move |db| at(db, &base, &handle)).await?;
    let actor = found.ok_or(Problem::NotFound)?;
    shown(&actor).map(|()| actor)
}

fn page(t: &'static Texts, actor: &Actor, outcome: Outcome) -> Result<String, Problem> {
    let (base, handle) = (&actor.base(), actor.handle.as_str());
    let mut frame = Frame::new(t, base, format!("{} {}", t.follow_title, display_name(actor)));
    // There is one such page per actor, and nothing to be found on it.
    frame.listed = false;
    let page = base.actor_page(handle);
    let Outcome { given, problem, usual } = outcome;
    let app = page.split_once("://").map_or_else(|| page.clone(), |(_, rest)| format!("web+ap://{rest}"));
    let feeds =
        crate::web::feeds::Format::ALL.map(|format| (format.name().to_uppercase(), base.feed(handle, format.name())));
    render(&FollowPage {
        frame,
        name: display_name(actor).to_owned(),
        handle: actor.full_handle(),
        action: base.follow_page(handle),
        app,
        feeds: feeds.to_vec(),
        page,
        given,
        problem,
        usual,
    })
}

fn answer_with(
    gateway: &Gateway,
    t: &'static Texts,
    actor: &Actor,
    outcome: Outcome,
    status: StatusCode,
) -> Result<HttpResponse, Problem> {
    let page = page(t, actor, outcome)?;
    Ok(guarded(gateway, Representation::page(page).cached(NEVER).answer_with(status)))
}

/// With the policy of this page.
fn guarded(gateway: &Gateway, mut response: HttpResponse) -> HttpResponse {
    let policy = if gateway.base.root().starts_with("https:") { POLICY } else { POLICY_HTTP };
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, header::HeaderValue::from_static(policy));
    response
}
