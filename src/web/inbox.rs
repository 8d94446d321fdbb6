//! POST to an inbox: what can be judged without reading the activity is judged here, the rest by `flow::receive`. Answers as
//! in `reference/federation.md` 3.2: 202 when it is on disk; 404, 408, 413 or 415 from here; what the flow refuses with.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use tracing::Instrument;

use crate::flow::arrivals::Arrivals;
use crate::flow::hosts::RETRY;
use crate::flow::{Gateway, receive};
use crate::ids::ActorId;
use crate::inbox::INBOX_BODY_BYTES_MAX;
use crate::metrics;
use crate::signature::Site;
use crate::web::body;
use crate::web::hosts::{self, Directory};
use crate::web::negotiate::is_activity;
use crate::web::problem::Problem;
use crate::web::routes::number;

/// `/ap/inbox` and `/ap/instance/inbox`.
pub async fn shared(
    gateway: web::Data<Gateway>,
    arrivals: web::Data<Arrivals>,
    request: HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Problem> {
    let base = hosts::base(&request, &gateway);
    if gateway.hosts(RETRY).await?.is_handed_over(&base) {
        return Err(Problem::HandedOver);
    }
    take(&gateway, &arrivals, &request, body).await
}

/// `/ap/a/{n}/inbox`: that of an actor, which must exist.
pub async fn personal(
    gateway: web::Data<Gateway>,
    arrivals: web::Data<Arrivals>,
    directory: web::Data<Directory>,
    request: HttpRequest,
    path: web::Path<String>,
    body: web::Payload,
) -> Result<HttpResponse, Problem> {
    let actor = ActorId(number(&path)?);
    if !directory.has_actor(actor, &hosts::base(&request, &gateway)).await? {
        return Err(Problem::NotFound);
    }
    if gateway.hosts(RETRY).await?.handed_over().contains(&actor) {
        return Err(Problem::HandedOver);
    }
    take(&gateway, &arrivals, &request, body).await
}

async fn take(
    gateway: &Gateway,
    arrivals: &Arrivals,
    request: &HttpRequest,
    body: web::Payload,
) -> Result<HttpResponse, Problem> {
    check_type(request)?;
    let body = body::read(request, body, INBOX_BODY_BYTES_MAX).await?;
    let headers = request.headers().iter();
    let incoming = receive::Request {
        site: Site::of(&hosts::base(request, gateway)),
        path_and_query: request.uri().path_and_query().map_or_else(|| "/".to_owned(), |p| p.as_str().to_owned()),
        headers: headers
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        body,
    };
    match receive::receive(gateway, arrivals, incoming).instrument(metrics::trace::receive()).await {
        Ok(()) => Ok(HttpResponse::Accepted().finish()),
        Err(refusal) => Err(Problem::Refused(refusal)),
    }
}

/// The type must be right before a byte of the body is read: a file upload must never pose as an activity. A compressed body
/// is not taken, because the digest is of what was sent.
fn check_type(request: &HttpRequest) -> Result<(), Problem> {
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let coded = text(header::CONTENT_ENCODING).is_some_and(|coding| !coding.eq_ignore_ascii_case("identity"));
    match text(header::CONTENT_TYPE) {
        Some(content_type) if is_activity(content_type) && !coded => Ok(()),
        _ => Err(Problem::MediaType),
    }
}
