//! POST to `/ap/probe/{ticket}`: tells `heraut check` how its request came in. To everybody else there is nothing here.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};

use crate::flow::Gateway;
use crate::flow::probe::{ProbeError, Probes, judge};
use crate::signature::ReceivedRequest;
use crate::signature::probe::BODY_BYTES_MAX;
use crate::web::problem::Problem;
use crate::web::{body, caching};

/// Answers a probe.
pub async fn probe(
    gateway: web::Data<Gateway>,
    probes: web::Data<Probes>,
    request: HttpRequest,
    ticket: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let body = body::read(&request, payload, BODY_BYTES_MAX).await?;
    let text = |value: &header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers: Vec<(String, String)> =
        request.headers().iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect();
    let received = ReceivedRequest {
        method: "POST",
        path_and_query: request.uri().path_and_query().map_or("/", |target| target.as_str()),
        headers: &headers,
        body: &body,
    };
    match judge(&gateway, &probes, &ticket, &received).await {
        Ok(echo) => Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, caching::NEVER)).json(echo)),
        Err(ProbeError::NotOurs) => Err(Problem::NotFound),
        Err(ProbeError::Busy(seconds)) => Err(Problem::Busy(seconds)),
        Err(ProbeError::Keyring(error)) => Err(error.into()),
    }
}
