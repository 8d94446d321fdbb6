//! Who may read documents for servers when only servers that sign their requests may (`server.authorized_fetch`,
//! docs/adr/0019-readers.md).
//!
//! It is asked before an answer is looked for in [`crate::web::kept`]: what is kept is then given to whoever may read it, and to nobody
//! else. Everything below `/ap/` is closed unless it is named here as open: what servers must read to check a signature, and what
//! sends a browser on to the page.

use std::sync::Arc;

use actix_web::dev::ServiceRequest;
use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::http::{Method, Uri};
use actix_web::{HttpMessage, HttpRequest};

use crate::flow::Gateway;
use crate::flow::reading::{Question, Readers};
use crate::flow::remote::Signer;
use crate::signature::Site;
use crate::web::hosts;
use crate::web::negotiate::{self, Form};
use crate::web::problem::Problem;

/// How an answer that depends on who asks is labelled: for who asked, and no cache in between.
const PRIVATE: &str = "private, max-age=180";
/// The headers that say who asks.
const WHO: &str = "Signature, Signature-Input, Authorization";

/// What the sender of a request may read.
#[derive(Debug, Clone)]
pub enum Access {
    /// It is open to everybody.
    Open,
    /// It is for servers that sign, but this one asks for a page and is sent on to it.
    Person,
    /// It did not sign, and asks for an actor: its key, and where it is reached.
    KeyOnly,
    /// It signed.
    Signed(Arc<Signer>),
}

impl Access {
    /// Labels the answer where it depends on who asks.
    pub fn label(&self, headers: &mut HeaderMap) {
        if matches!(self, Self::Open) {
            return;
        }
        let stored = headers.get(header::CACHE_CONTROL).is_some_and(|value| value.as_bytes().starts_with(b"public"));
        if stored {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(PRIVATE));
        }
        let before =
            headers.get(header::VARY).and_then(|value| value.to_str().ok()).map(|value| format!("{value}, {WHO}"));
        if let Ok(value) = HeaderValue::from_str(before.as_deref().unwrap_or(WHO)) {
            headers.insert(header::VARY, value);
        }
    }
}

/// What the sender of a request may read; a problem when that is nothing.
pub async fn judge(gateway: &Gateway, readers: &Readers, request: &ServiceRequest) -> Result<Access, Problem> {
    if !gateway.settings.authorized_fetch || !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(Access::Open);
    }
    // As the handlers will have it, decoded.
    let html = negotiate::wanted_by(request.headers(), Form::Activity) == Form::Html;
    let demand = demand(request.match_info().as_str(), request.uri(), html);
    match demand {
        Demand::Nothing => return Ok(Access::Open),
        Demand::SentOn => return Ok(Access::Person),
        Demand::ForTheRest if !is_signed(request.headers()) => return Ok(Access::KeyOnly),
        Demand::ForTheRest | Demand::Signature => {}
    }
    let question = question(gateway, request.request());
    let reader = readers.identify(gateway, &question).await.map_err(Problem::Reader)?;
    Ok(Access::Signed(reader))
}

/// Who signed a request for something that is never given to others. To be asked in a handler.
pub async fn reader(gateway: &Gateway, readers: &Readers, request: &HttpRequest) -> Result<Arc<Signer>, Problem> {
    if let Some(Access::Signed(reader)) = request.extensions().get::<Access>() {
        return Ok(reader.clone());
    }
    let question = question(gateway, request);
    readers.identify(gateway, &question).await.map_err(Problem::Reader)
}

/// Whether only the key of an actor is to be shown.
pub fn is_key_only(request: &HttpRequest) -> bool {
    matches!(request.extensions().get::<Access>(), Some(Access::KeyOnly))
}

fn question(gateway: &Gateway, request: &HttpRequest) -> Question {
    Question {
        site: Site::of(&hosts::base(request, gateway)),
        method: request.method().as_str().to_owned(),
        path_and_query: request.uri().path_and_query().map_or_else(|| "/".to_owned(), |p| p.as_str().to_owned()),
        headers: request
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
    }
}

fn is_signed(headers: &HeaderMap) -> bool {
    let by_authorization = |value: &HeaderValue| value.as_bytes().to_ascii_lowercase().starts_with(b"signature ");
    headers.contains_key("signature") || headers.get_all(header::AUTHORIZATION).any(by_authorization)
}

/// What is demanded of a request for a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Demand {
    Nothing,
    /// Nothing of a browser: it gets no document.
    SentOn,
    /// A signature for more than the key.
    ForTheRest,
    Signature,
}

fn demand(path: &str, uri: &Uri, html: bool) -> Demand {
    let Some(rest) = path.strip_prefix("/ap/") else { return Demand::Nothing };
    // Whoever checks our signatures reads this first, and may demand the same of us: one of the two must begin.
    if rest == "instance" || rest.starts_with("instance/") {
        return Demand::Nothing;
    }
    // With a query an outbox gives a page of itself whoever asks.
    let page = html && uri.query().is_none() && (rest.starts_with("a/") || rest.starts_with("o/"));
    let actor = rest.strip_prefix("a/").is_some_and(|number| !number.contains('/'));
    match (page, actor) {
        (true, _) => Demand::SentOn,
        (false, true) => Demand::ForTheRest,
        (false, false) => Demand::Signature,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_documents_are_closed_but_keys_and_what_sends_people_on() {
        let table = [
            ("/", false, Demand::Nothing),
            ("/@nieuws/1", false, Demand::Nothing),
            ("/.well-known/webfinger?resource=acct:a@b.example", false, Demand::Nothing),
            ("/ap/instance", false, Demand::Nothing),
            ("/ap/instance/outbox", false, Demand::Nothing),
            ("/ap/a/7", false, Demand::ForTheRest),
            ("/ap/a/7", true, Demand::SentOn),
            ("/ap/a/7/outbox", false, Demand::Signature),
            ("/ap/a/7/outbox", true, Demand::SentOn),
            ("/ap/a/7/outbox?page=first", true, Demand::Signature),
            ("/ap/o/7", false, Demand::Signature),
            ("/ap/o/7", true, Demand::SentOn),
            ("/ap/x/7", true, Demand::Signature),
            ("/ap/q/7", true, Demand::Signature),
            ("/ap/elsewhere", true, Demand::Signature),
        ];
        for (target, html, expected) in table {
            let uri: Uri = target.parse().unwrap();
            assert_eq!(demand(uri.path(), &uri, html), expected, "{target} {html}");
        }
    }

    #[test]
    fn what_depends_on_who_asks_is_for_no_cache_in_between() {
        let labelled = |access: Access, cache: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
            headers.insert(header::VARY, HeaderValue::from_static("Accept"));
            access.label(&mut headers);
            let text = |name| headers.get(name).unwrap().to_str().unwrap().to_owned();
            (text(header::CACHE_CONTROL), text(header::VARY))
        };
        let (cache, vary) = labelled(Access::KeyOnly, crate::web::caching::FRESH);
        assert_eq!((cache.as_str(), vary.as_str()), (PRIVATE, "Accept, Signature, Signature-Input, Authorization"));
        assert_eq!(labelled(Access::Person, crate::web::caching::NEVER).0, crate::web::caching::NEVER);
        assert_eq!(labelled(Access::Open, crate::web::caching::FRESH).0, crate::web::caching::FRESH);
    }
}
