//! `/websub/{secret}`: where hubs come to verify (GET) and deliver (POST). Whoever does not know the secret sees 404. A delivery is
//! answered 202 when it is on disk, and also when its signature is wrong (WebSub §8); 410 when the subscription is over.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use url::form_urlencoded;

use crate::flow::Gateway;
use crate::flow::hooks::Hooks;
use crate::flow::websub::answer;
use crate::flow::websub::take::{self, Delivery, Refusal};
use crate::web::problem::Problem;
use crate::web::{body, caching};
use crate::websub::{Call, DOCUMENT_BYTES_MAX, is_document};

/// What may be done here.
const ALLOW: &str = "GET, POST";
/// Longest query of a hub that is read, in bytes.
const QUERY_BYTES_MAX: usize = 8 * 1_024;

/// The resource.
pub fn resource(path: &str) -> Resource {
    web::resource(path)
        .route(web::get().to(verify))
        .route(web::post().to(receive))
        .default_service(web::to(|| async { Err::<HttpResponse, _>(Problem::Method(ALLOW)) }))
}

async fn verify(gateway: web::Data<Gateway>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let query = request.query_string();
    if query.len() > QUERY_BYTES_MAX {
        return Err(Problem::NotFound);
    }
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let call = Call::read(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let call = call.ok_or(Problem::NotFound)?;
    let text = answer::answer(&gateway, secret(&request), &call).await?.ok_or(Problem::NotFound)?;
    // The challenge is somebody else's text: never a page, never a script.
    let mut response = HttpResponse::Ok();
    Ok(response
        .insert_header((header::CONTENT_TYPE, "text/plain; charset=utf-8"))
        .insert_header((header::CACHE_CONTROL, caching::NEVER))
        .body(text))
}

async fn receive(
    gateway: web::Data<Gateway>,
    hooks: web::Data<Hooks>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let door = take::door(&gateway, &hooks, secret(&request)).await.map_err(problem)?;
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let content_type = text(header::CONTENT_TYPE);
    if !is_document(content_type) {
        let kind = content_type.unwrap_or_default().chars().take(80).collect();
        return refused(&gateway, &door, Refusal::MediaType(kind)).await;
    }
    let body = match body::read(&request, payload, DOCUMENT_BYTES_MAX).await {
        Err(Problem::TooLarge(most)) => return refused(&gateway, &door, Refusal::TooLarge(most)).await,
        read => read?,
    };
    let headers = request.headers().iter();
    let headers = headers
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    match take::take(&gateway, &hooks, &door, Delivery { headers, body }).await {
        Ok(()) | Err(Refusal::Unverified(_)) => Ok(HttpResponse::Accepted().finish()),
        Err(refusal) => Err(problem(refusal)),
    }
}

async fn refused(gateway: &Gateway, door: &take::Door, refusal: Refusal) -> Result<HttpResponse, Problem> {
    take::refuse(gateway, door, &refusal).await.map_err(problem)?;
    Err(problem(refusal))
}

fn secret(request: &HttpRequest) -> &str {
    request.match_info().get("secret").unwrap_or_default()
}

fn problem(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Unknown => Problem::NotFound,
        Refusal::Over => Problem::Gone,
        Refusal::MediaType(_) => Problem::NotADocument,
        Refusal::TooLarge(most) => Problem::TooLarge(most),
        Refusal::TooMany(seconds) => Problem::Busy(seconds),
        Refusal::Unverified(_) => Problem::Internal,
        Refusal::Later => Problem::Unavailable,
    }
}
