//! What holds for every answer, also for errors and redirects: a request id, the security headers, one `Vary`, and a line in
//! the log that names no person and no address.

use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody, to_bytes};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::ErrorInternalServerError;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web;
use actix_web::{Error, HttpMessage, ResponseError};
use tracing::Instrument;

use crate::flow::Gateway;
use crate::flow::reading::Readers;
use crate::metrics;
use crate::web::access;
use crate::web::caching::Keep;
use crate::web::hosts;
use crate::web::kept::{Answer, Kept, Key, Look};

/// Name of the header with the request id.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What internet.nl checks (`reference/dutch-government.md` 2): no script, nothing from elsewhere, no frame. Inline styles
/// are out, so the one style sheet is a file.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// Added where we are reached by https.
const POLICY_HTTPS: &str = "; upgrade-insecure-requests";
/// A year. Neither `includeSubDomains` nor `preload`: those are for the owner of the domain to decide.
const TRANSPORT: &str = "max-age=31536000";

/// Answers a request, from what is kept or within its span, and labels the answer.
pub async fn enter<B: MessageBody + 'static>(
    gateway: web::Data<Gateway>,
    kept: web::Data<Kept>,
    readers: web::Data<Readers>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let begun = Instant::now();
    let id = format!("{:016x}", rand::random::<u64>());
    let method = request.method().clone();
    let mut response = match access::judge(&gateway, &readers, &request).await {
        Ok(access) => {
            request.extensions_mut().insert(access.clone());
            let mut response = match Key::of(&request, kept.ours(), &gateway.hosts_seen()) {
                Some(key) => remember(&gateway, &kept, key, &id, request, next).await?,
                None => pass(&gateway, &id, request, next).await?.map_into_boxed_body(),
            };
            access.label(response.headers_mut());
            response
        }
        Err(problem) => {
            let (https, home) = is_https(&gateway, &request);
            let mut response = request.into_response(problem.error_response());
            label(response.headers_mut(), https, home);
            response
        }
    };
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    metrics::answered(response.request().path(), response.status().as_u16(), begun.elapsed());
    if tracing::enabled!(tracing::Level::DEBUG) {
        let pattern = response.request().match_pattern();
        tracing::debug!(
            request.id = id,
            http.method = %method,
            http.path = pattern.as_deref().unwrap_or("(kept)"),
            http.status = response.status().as_u16(),
            duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            "a request was answered"
        );
    }
    Ok(response)
}

/// Gives an answer that is kept, or has it made and keeps it.
async fn remember<B: MessageBody + 'static>(
    gateway: &Gateway,
    kept: &Kept,
    key: Key,
    id: &str,
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let seat = match kept.look(&key).await {
        Look::Found(answer) => {
            let response = answer.respond(request.headers().get_all(header::IF_NONE_MATCH));
            return Ok(request.into_response(response));
        }
        Look::Missing(seat) => seat,
        Look::Unknown => return Ok(pass(gateway, id, request, next).await?.map_into_boxed_body()),
    };
    // Whoever has the bytes already must not keep others from getting them.
    let conditions: Vec<HeaderValue> = request.headers_mut().remove(header::IF_NONE_MATCH).collect();
    let response = pass(gateway, id, request, next).await?;
    if !response.response().extensions().contains::<Keep>() {
        return Ok(response.map_into_boxed_body());
    }
    let (request, response) = response.into_parts();
    let (response, body) = response.into_parts();
    let body = to_bytes(body).await.map_err(|error| ErrorInternalServerError(error.into()))?;
    let answer = seat.keep(Answer::new(response.status(), response.headers(), body));
    Ok(ServiceResponse::new(request, answer.respond(conditions.iter())))
}

/// Has a request answered within its span, and labels the answer.
async fn pass<B: MessageBody>(
    gateway: &Gateway,
    id: &str,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let (https, home) = is_https(gateway, &request);
    let span = tracing::info_span!("request", request.id = %id);
    let mut response = next.call(request).instrument(span).await?;
    label(response.headers_mut(), https, home);
    Ok(response)
}

/// Whether we are reached by https, and whether the request is for our own host there.
fn is_https(gateway: &Gateway, request: &ServiceRequest) -> (bool, bool) {
    let https = gateway.base.root().starts_with("https:");
    (https, https && hosts::is_own(gateway, request))
}

fn label(headers: &mut HeaderMap, https: bool, home: bool) {
    let policy = if https { format!("{POLICY}{POLICY_HTTPS}") } else { POLICY.to_owned() };
    if let (false, Ok(policy)) = (headers.contains_key(header::CONTENT_SECURITY_POLICY), HeaderValue::from_str(&policy))
    {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    let fixed = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if home {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(TRANSPORT));
    }
    weaken_compressed(headers);
    merge_vary(headers);
}

/// A strong tag names exact bytes; compressed they are others, so it becomes a weak one (RFC 9110 §8.8.1).
fn weaken_compressed(headers: &mut HeaderMap) {
    if !headers.contains_key(header::CONTENT_ENCODING) {
        return;
    }
    let weak = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()).filter(|tag| tag.starts_with('"'));
    if let Some(Ok(weak)) = weak.map(|tag| HeaderValue::from_str(&format!("W/{tag}"))) {
        headers.insert(header::ETAG, weak);
    }
}

/// One `Vary`, with `Accept-Encoding` wherever an answer may come compressed: that is, unless it is a picture.
fn merge_vary(headers: &mut HeaderMap) {
    let picture = headers.get(header::CONTENT_TYPE).is_some_and(|t| t.as_bytes().starts_with(b"image/"));
    let mut kept: Vec<&str> = Vec::new();
    let named = headers.get_all(header::VARY).filter_map(|value| value.to_str().ok()).flat_map(|v| v.split(','));
    for name in named.map(str::trim).filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("Accept-Encoding")) {
        if !kept.iter().any(|k| k.eq_ignore_ascii_case(name)) {
            kept.push(name);
        }
    }
    if !picture {
        kept.push("Accept-Encoding");
    }
    let merged = (!kept.is_empty()).then(|| HeaderValue::from_str(&kept.join(", ")));
    headers.remove(header::VARY);
    if let Some(Ok(merged)) = merged {
        headers.insert(header::VARY, merged);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(name.clone(), HeaderValue::from_static(value));
        }
        map
    }

    #[test]
    fn vary_is_one_header_without_repeats() {
        let mut map = headers(&[(header::VARY, "Accept, Accept-Language"), (header::VARY, "accept-encoding")]);
        merge_vary(&mut map);
        assert_eq!(map.get_all(header::VARY).count(), 1);
        assert_eq!(map.get(header::VARY).unwrap(), "Accept, Accept-Language, Accept-Encoding");
    }

    #[test]
    fn a_picture_does_not_vary() {
        let mut map = headers(&[(header::CONTENT_TYPE, "image/png")]);
        merge_vary(&mut map);
        assert_eq!(map.get(header::VARY), None);
    }

    #[test]
    fn the_tag_of_a_compressed_answer_is_weak() {
        let mut map = headers(&[(header::ETAG, "\"a\""), (header::CONTENT_ENCODING, "br")]);
        weaken_compressed(&mut map);
        assert_eq!(map.get(header::ETAG).unwrap(), "W/\"a\"");
    }

    #[test]
    fn hsts_is_sent_on_our_own_host_only_and_other_headers_always() {
        let mut map = HeaderMap::new();
        label(&mut map, true, false);
        assert_eq!(map.get(header::STRICT_TRANSPORT_SECURITY), None);
        assert_eq!(map.get(header::X_FRAME_OPTIONS).unwrap(), "DENY");
        label(&mut map, true, true);
        assert_eq!(map.get(header::STRICT_TRANSPORT_SECURITY).unwrap(), TRANSPORT);
        let policy = map.get(header::CONTENT_SECURITY_POLICY).unwrap().to_str().unwrap();
        assert!(policy.ends_with("; upgrade-insecure-requests") && !policy.contains("unsafe"), "{policy}");
    }
}
