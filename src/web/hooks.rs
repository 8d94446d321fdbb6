//! `POST /hooks/{source}`: what a system pushes to us. What can be judged without the body is judged before it is read, the rest by
//! `flow::hooks`. 202 with a receipt when it is on disk, 200 when it was known; refusals as in [`crate::hook::Refusal`]. Always
//! JSON, because Storyblok takes anything else for a failure.

use std::net::IpAddr;

use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use ipnet::IpNet;
use serde_json::json;

use crate::flow::Gateway;
use crate::flow::hooks::{Hooks, Request};
use crate::hook::{HOOK_BODY_BYTES_MAX, Refusal, is_taken};
use crate::web::problem::Problem;
use crate::web::{body, caching};

/// What may be done here.
const ALLOW: &str = "POST, OPTIONS";

/// Peers whose `X-Forwarded-For` is believed.
#[derive(Debug, Default)]
pub struct Proxies(pub Vec<IpNet>);

/// The resource: POST, and OPTIONS for the handshake of CloudEvents.
pub fn resource(path: &str) -> Resource {
    web::resource(path)
        .route(web::post().to(receive))
        .route(web::method(actix_web::http::Method::OPTIONS).to(handshake))
        .default_service(web::to(|| async { Err::<HttpResponse, _>(Problem::Method(ALLOW)) }))
}

async fn receive(
    gateway: web::Data<Gateway>,
    hooks: web::Data<Hooks>,
    proxies: web::Data<Proxies>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let door = hooks.door(&gateway, source(&request)).await.map_err(Problem::Hook)?;
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let content_type = text(header::CONTENT_TYPE);
    let coded = text(header::CONTENT_ENCODING).is_some_and(|coding| !coding.eq_ignore_ascii_case("identity"));
    let takes_xml = door.takes_xml();
    if coded || (content_type.is_some() && !is_taken(content_type, false, takes_xml)) {
        return Err(refused(Refusal::MediaType));
    }
    let body = body::read(&request, payload, HOOK_BODY_BYTES_MAX).await?;
    if !is_taken(content_type, body.is_empty(), takes_xml) {
        return Err(refused(Refusal::MediaType));
    }
    let headers = request.headers().iter();
    let incoming = Request {
        path_and_query: request.uri().path_and_query().map_or_else(|| "/".to_owned(), |p| p.as_str().to_owned()),
        headers: headers
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        body,
        remote: remote(&request, &proxies.0),
    };
    let accepted = hooks.take(&gateway, door, incoming).await.map_err(Problem::Hook)?;
    let mut response = if accepted.known { HttpResponse::Ok() } else { HttpResponse::Accepted() };
    Ok(response
        .insert_header((header::CACHE_CONTROL, caching::NEVER))
        .json(json!({ "receipt": accepted.receipt.to_string() })))
}

fn refused(refusal: Refusal) -> Problem {
    crate::metrics::hook(refusal.entry().1);
    Problem::Hook(refusal)
}

fn source(request: &HttpRequest) -> &str {
    request.match_info().get("source").unwrap_or_default()
}

/// The handshake of CloudEvents webhooks (HTTP 1.1 Web Hooks for Event Delivery 1.0.2, section 4): whoever has the secret may send,
/// at any rate that is not answered 429.
async fn handshake(
    gateway: web::Data<Gateway>,
    hooks: web::Data<Hooks>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    hooks.door(&gateway, source(&request)).await.map_err(Problem::Hook)?;
    let mut response = HttpResponse::NoContent();
    response.insert_header((header::ALLOW, ALLOW));
    if let Some(origin) = request.headers().get("webhook-request-origin") {
        response.insert_header(("webhook-allowed-origin", origin.clone()));
        let rate = request.headers().get("webhook-request-rate").cloned();
        response.insert_header(("webhook-allowed-rate", rate.unwrap_or_else(|| HeaderValue::from_static("*"))));
    }
    Ok(response.finish())
}

/// The address of the sender: that of the connection or, from trusted proxies, the last one that they name and that is none of
/// them.
pub(super) fn remote(request: &HttpRequest, proxies: &[IpNet]) -> Option<IpAddr> {
    let trusted = |address: &IpAddr| proxies.iter().any(|net| net.contains(address));
    let peer = request.peer_addr().map(|peer| peer.ip())?;
    if !trusted(&peer) {
        return Some(peer);
    }
    let named = request.headers().get_all("x-forwarded-for").filter_map(|value| value.to_str().ok());
    let named: Vec<IpAddr> = named.flat_map(|list| list.split(',')).filter_map(|one| one.trim().parse().ok()).collect();
    named.into_iter().rev().find(|address| !trusted(address)).or(Some(peer))
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_sender_is_who_a_trusted_proxy_says_and_nobody_else_says() {
        let proxies: Vec<IpNet> = vec!["127.0.0.0/8".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
        let table = [
            ("192.0.2.1:1", "198.51.100.9", "192.0.2.1"),
            ("127.0.0.1:1", "198.51.100.9", "198.51.100.9"),
            ("127.0.0.1:1", "203.0.113.7, 198.51.100.9, 10.0.0.1", "198.51.100.9"),
            ("127.0.0.1:1", "nonsense", "127.0.0.1"),
        ];
        for (peer, forwarded, wanted) in table {
            let request = TestRequest::default().peer_addr(peer.parse().unwrap());
            let request = request.insert_header(("x-forwarded-for", forwarded)).to_http_request();
            assert_eq!(remote(&request, &proxies), Some(wanted.parse().unwrap()), "{peer} {forwarded}");
        }
    }
}
