//! `/micropub`: where clients write posts, with a token of a source (W3C Recommendation Micropub, 23 May 2017).
//! `/micropub/media`: where they send pictures to; one is seen by who has a token of the same source, and by everybody once a post
//! that shows it is public.

mod answer;
mod parts;

use actix_web::http::header::{self, HeaderMap};
use actix_web::http::{Method, StatusCode};
use actix_web::{HttpRequest, HttpResponse, Resource, ResponseError, guard, web};
use bytes::Bytes;
use heraut_connectors::micropub::{self as wire, Command, REQUEST_BYTES_MAX};
use std::time::Duration;
use tokio::sync::Semaphore;
use url::form_urlencoded;

use self::answer::{Refused, done, open};
use crate::flow::Gateway;
use crate::flow::micropub::refusal::Refusal;
use crate::flow::micropub::{self, Client, Query, Sent, uploads};
use crate::flow::rates::Rates;
use crate::flow::tokens::Scope;
use crate::post::picture::PICTURE_BYTES_MAX;
use crate::store::uploads as stored;
use crate::web::problem::Problem;
use crate::web::routes::Evenly;
use crate::web::{body, caching, hosts, media};

/// Largest body with one file, in bytes: the file and what a form wraps around it.
pub const MEDIA_BODY_BYTES_MAX: usize = PICTURE_BYTES_MAX + 64 * 1_024;
/// Largest form with files, in bytes: two of the largest pictures, or four as cameras make them.
pub const FORM_BODY_BYTES_MAX: usize = 2 * PICTURE_BYTES_MAX + REQUEST_BYTES_MAX;
/// Time for a body with files to arrive: 16 MiB over a slow line.
const FILES_TIMEOUT: Duration = Duration::from_secs(60);
/// Bodies with files that are in memory at once; more wait.
const FILES_AT_ONCE: usize = 4;
/// What may be done at the endpoint.
const ALLOW: &str = "GET, HEAD, POST, OPTIONS";
/// What may be done where pictures are sent to.
const ALLOW_MEDIA: &str = "POST, OPTIONS";

/// How much clients may say.
pub struct Clients {
    rates: Rates,
    files: Semaphore,
}

impl Clients {
    /// For sources that may be written to so often a second; 0 is any number.
    pub fn new(per_source_s: u32) -> Self {
        Self { rates: Rates::new(per_source_s), files: Semaphore::new(FILES_AT_ONCE) }
    }
}

/// Where clients write to and ask.
pub fn endpoint(path: &str) -> Resource {
    web::resource(path)
        .route(web::route().guard(guard::Any(guard::Get()).or(guard::Head())).to(ask))
        .route(web::post().to(write))
        .default_service(web::to(|request: HttpRequest| async move { other(&request, ALLOW) }))
}

/// Where they send pictures to.
pub fn media_endpoint(path: &str) -> Resource {
    web::resource(path)
        .route(web::post().to(send))
        .default_service(web::to(|request: HttpRequest| async move { other(&request, ALLOW_MEDIA) }))
}

/// Where a picture is that was sent.
pub fn upload(path: &str) -> Resource {
    web::resource(path)
        .route(web::route().guard(guard::Any(guard::Get()).or(guard::Head())).to(show))
        .default_service(web::to(|request: HttpRequest| async move { other(&request, "GET, HEAD, OPTIONS") }))
}

/// Clients in browsers ask first whether they may.
fn other(request: &HttpRequest, allow: &'static str) -> HttpResponse {
    if request.method() != Method::OPTIONS {
        return Problem::Method(allow).error_response();
    }
    open(StatusCode::NO_CONTENT)
        .insert_header((header::ALLOW, allow))
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, allow))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type, Idempotency-Key"))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, "86400"))
        .finish()
}

fn text(headers: &HeaderMap, name: impl header::AsHeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The token in the header, if there is one.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let mut all = headers.get_all(header::AUTHORIZATION);
    let Some(value) = all.next() else { return Ok(None) };
    let token = value.to_str().ok().and_then(|value| value.split_once(' '));
    match (token, all.next()) {
        (Some((scheme, token)), None) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => {
            Ok(Some(token.trim()))
        }
        _ => Err(Refusal::Header),
    }
}

/// The media type of a body that may be read.
fn media_type(headers: &HeaderMap) -> Result<String, Refusal> {
    let coded = text(headers, header::CONTENT_ENCODING).is_some_and(|coding| !coding.eq_ignore_ascii_case("identity"));
    let value = text(headers, header::CONTENT_TYPE).ok_or(Refusal::MediaType)?;
    let kind = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let known = ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"];
    if coded || !known.contains(&kind.as_str()) { Err(Refusal::MediaType) } else { Ok(kind) }
}

/// Tells the operator of a request that was refused. Whoever has no token cannot fill the log.
fn told(client: Option<&Client>, refusal: Refusal) -> Refused {
    let Some(client) = client else {
        tracing::debug!(reason = %refusal, "a request without a token that holds was refused");
        return Refused(refusal);
    };
    tracing::warn!(
        source.name = client.source.name,
        token.name = client.token.name,
        micropub.answer = refusal.entry().1,
        reason = %refusal,
        "a request of a Micropub client was refused"
    );
    Refused(refusal)
}

async fn ask(
    gateway: web::Data<Gateway>,
    clients: web::Data<Clients>,
    request: HttpRequest,
) -> Result<HttpResponse, Refused> {
    let token = bearer(request.headers()).and_then(|token| token.ok_or(Refusal::NoToken)).map_err(|r| told(None, r))?;
    let client = micropub::admit(&gateway, &clients.rates, token).await.map_err(|r| told(None, r))?;
    let mut query = Query::default();
    for (name, value) in form_urlencoded::parse(request.query_string().as_bytes()) {
        match name.as_ref() {
            "q" => query.question = Some(value.into_owned()),
            "url" => query.url = Some(value.into_owned()),
            "properties" | "properties[]" => query.properties.push(value.into_owned()),
            _ => {}
        }
    }
    let answer = micropub::query(&gateway, &client, &query).await.map_err(|r| told(Some(&client), r))?;
    Ok(open(StatusCode::OK).json(answer))
}

async fn write(
    gateway: web::Data<Gateway>,
    clients: web::Data<Clients>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refused> {
    let headers = request.headers();
    let token = bearer(headers).map_err(|r| told(None, r))?;
    let kind = media_type(headers);
    // Whoever has no token gets to know nothing else.
    let client = match token {
        Some(token) => Some(micropub::admit(&gateway, &clients.rates, token).await.map_err(|r| told(None, r))?),
        None => None,
    };
    let kind = kind.map_err(|r| told(client.as_ref(), if client.is_some() { r } else { Refusal::NoToken }))?;
    if kind == "multipart/form-data" {
        let client = client.ok_or_else(|| told(None, Refusal::NoToken))?;
        let done = with_files(&gateway, &clients, &client, &request, payload).await;
        return done.map_err(|r| told(Some(&client), r));
    }
    let body = body::read(&request, payload, REQUEST_BYTES_MAX)
        .await
        .map_err(|p| told(client.as_ref(), Refused::from(p).0))?;
    let client = match (client, in_form(&kind, &body)) {
        (Some(client), None) => client,
        (Some(client), Some(_)) => {
            let why = "the token was sent twice, in the header and in the form (RFC 6750); send it in the header";
            return Err(told(Some(&client), Refusal::Invalid(why.to_owned())));
        }
        (None, Some(token)) => micropub::admit(&gateway, &clients.rates, &token).await.map_err(|r| told(None, r))?,
        (None, None) => return Err(told(None, Refusal::NoToken)),
    };
    let done = carry_out(&gateway, &client, &kind, &body, text(headers, "idempotency-key")).await;
    done.map_err(|r| told(Some(&client), r))
}

/// The token in a form, if there is one.
fn in_form(kind: &str, body: &[u8]) -> Option<String> {
    if kind != "application/x-www-form-urlencoded" {
        return None;
    }
    form_urlencoded::parse(body).find(|(name, _)| name == "access_token").map(|(_, value)| value.into_owned())
}

async fn carry_out(
    gateway: &Gateway,
    client: &Client,
    kind: &str,
    body: &[u8],
    key: Option<&str>,
) -> Result<HttpResponse, Refusal> {
    let command = wire::read(Some(kind), body)?;
    obey(gateway, client, command, Vec::new(), key).await
}

async fn obey(
    gateway: &Gateway,
    client: &Client,
    command: Command,
    parts: Vec<Sent>,
    key: Option<&str>,
) -> Result<HttpResponse, Refusal> {
    let answer = match command {
        Command::Create(create) => micropub::create(gateway, client, create, parts, key).await?,
        Command::Update { url, changes, .. } => micropub::update(gateway, client, &url, &changes).await?,
        Command::Delete { url } => micropub::delete(gateway, client, &url).await?,
        Command::Undelete { url } => micropub::undelete(gateway, client, &url).await?,
    };
    Ok(done(answer))
}

/// A form with files.
async fn with_files(
    gateway: &Gateway,
    clients: &Clients,
    client: &Client,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refusal> {
    client.may_one(&[Scope::Create, Scope::Draft], Scope::Create)?;
    let _turn = clients.files.acquire().await;
    let parts = read_parts(request, payload, FORM_BODY_BYTES_MAX).await?;
    if parts.iter().any(|part| matches!(part, Sent::Field(name, _) if name == "access_token")) {
        let why = "the token was sent twice, in the header and in the form (RFC 6750); send it in the header";
        return Err(Refusal::Invalid(why.to_owned()));
    }
    let command = micropub::read_parts(&parts)?;
    obey(gateway, client, command, parts, text(request.headers(), "idempotency-key")).await
}

async fn read_parts(request: &HttpRequest, payload: web::Payload, most: usize) -> Result<Vec<Sent>, Refusal> {
    let body: Bytes =
        body::read_within(request, payload, most, FILES_TIMEOUT).await.map_err(|problem| Refused::from(problem).0)?;
    parts::read(text(request.headers(), header::CONTENT_TYPE).unwrap_or_default(), body).await
}

/// A picture that is to be shown later.
async fn send(
    gateway: web::Data<Gateway>,
    clients: web::Data<Clients>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Refused> {
    let headers = request.headers();
    let token = bearer(headers).and_then(|token| token.ok_or(Refusal::NoToken)).map_err(|r| told(None, r))?;
    let client = micropub::admit(&gateway, &clients.rates, token).await.map_err(|r| told(None, r))?;
    let keep = async {
        client.may_one(&[Scope::Media, Scope::Create, Scope::Draft], Scope::Media)?;
        if media_type(headers)? != "multipart/form-data" {
            return Err(Refusal::MediaType);
        }
        let _turn = clients.files.acquire().await;
        let parts = read_parts(&request, payload, MEDIA_BODY_BYTES_MAX).await?;
        let mut files = parts.into_iter().filter_map(|part| match part {
            Sent::File(name, bytes) if name == "file" => Some(bytes),
            _ => None,
        });
        match (files.next(), files.next()) {
            (Some(bytes), None) => uploads::keep(&gateway, &client, bytes).await,
            _ => Err(Refusal::Invalid("one file is wanted, in the field `file` of a multipart form".to_owned())),
        }
    };
    let url = keep.await.map_err(|r| told(Some(&client), r))?;
    let body = serde_json::json!({ "url": url });
    Ok(open(StatusCode::CREATED).insert_header((header::LOCATION, url)).json(body))
}

/// A picture that was sent: to who has a token of its source, or on to its place in a post that is public. Otherwise it is not
/// there, like one that never was.
async fn show(
    gateway: web::Data<Gateway>,
    clients: web::Data<Clients>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let evenly = Evenly::begin();
    let name = path.into_inner();
    if let Ok(Some(token)) = bearer(request.headers())
        && let Ok(client) = micropub::admit(&gateway, &clients.rates, token).await
        && let Some(row) = uploads::find(&gateway, &client, &name).await?
    {
        return media::answer(&gateway, &request, row, media::Seen { cache: caching::NEVER, cors: true }).await;
    }
    let base = hosts::base(&request, &gateway);
    let address = base.upload(&name);
    let public = move |db: &mut crate::store::Db<'_>| stored::published(db, &name, &address);
    match gateway.store.read("look for a picture that was sent", public).await? {
        Some(row) => {
            let place = base.media(row.id, &row.extension);
            Ok(open(StatusCode::FOUND).insert_header((header::LOCATION, place)).finish())
        }
        None => Err(evenly.not_found().await),
    }
}
