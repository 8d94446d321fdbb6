//! What makes two requests the same.

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::{self, AcceptEncoding, ContentEncoding, Encoding};
use actix_web::http::{Method, Uri};

use crate::flow::hosts::Hosts;
use crate::web::access::Access;
use crate::web::negotiate::{self, Form};
use crate::web::texts;

/// Longest path and query of a request whose answer is kept, in bytes; ours are much shorter.
const TARGET_BYTES_MAX: usize = 512;
/// What [`actix_web::middleware::Compress`] chooses from with our features, in its order.
const CODINGS: [Encoding; 4] = [Encoding::identity(), Encoding::brotli(), Encoding::gzip(), Encoding::deflate()];

/// What an answer depends on. Two requests with the same key get the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    /// The host, where it is not our own: that of an agency, or the domain of a handle.
    host: Option<String>,
    target: String,
    html: bool,
    language: Option<&'static str>,
    coding: u8,
    /// Only the key of an actor, for who did not sign.
    key_only: bool,
}

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// For servers: there is a document and a page.
    Document,
    /// For people: there is a page and a document, in two languages.
    Page,
    /// Of one form.
    Discovery,
}

impl Key {
    /// The key of a request whose answer may be kept. `None` for everything that is not a public GET, for hosts that are not ours, for media files,
    /// which the system keeps, for health, and for what changes without a version: followers and quotes.
    pub fn of(request: &ServiceRequest, ours: &str, hosts_of_ours: &Hosts) -> Option<Self> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) || request.uri().authority().is_some() {
            return None;
        }
        let kind = Kind::of(request.uri().path())?;
        let target = Some(target(kind, request.uri())).filter(|target| target.len() <= TARGET_BYTES_MAX)?;
        let headers = request.headers();
        let mut hosts = headers.get_all(header::HOST);
        let host = match (hosts.next()?.to_str().ok()?, hosts.next()) {
            (host, None) if host == ours => None,
            (host, None) => Some(known(kind, host, hosts_of_ours)?),
            _ => return None,
        };
        let fallback = if kind == Kind::Document { Form::Activity } else { Form::Html };
        let html = kind != Kind::Discovery && negotiate::wanted_by(headers, fallback) == Form::Html;
        let language = if kind == Kind::Page { texts::preferred(headers).map(|texts| texts.lang) } else { None };
        let key_only = matches!(request.extensions().get::<Access>(), Some(Access::KeyOnly));
        Some(Self { host, target, html, language, coding: coding(request)?, key_only })
    }

    /// About how much memory it takes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.target.len() + self.host.as_ref().map_or(0, String::len)
    }

    #[cfg(test)]
    pub(super) fn test(target: &str) -> Self {
        Self { host: None, target: target.to_owned(), html: false, language: None, coding: 0, key_only: false }
    }
}

/// A host that we answer for, as it stands in keys. Strangers cannot fill the shelves with names that they make up.
fn known(kind: Kind, host: &str, hosts: &Hosts) -> Option<String> {
    let host = host.to_ascii_lowercase();
    let ours = hosts.own(&host).is_some() || (kind == Kind::Discovery && hosts.of_handles(&host).is_some());
    ours.then_some(host)
}

impl Kind {
    fn of(path: &str) -> Option<Self> {
        if let Some(rest) = path.strip_prefix("/ap/") {
            let kept = rest.starts_with("a/") || rest.starts_with("o/") || rest.starts_with("x/") || rest == "instance";
            // Handlers see a path decoded, and the end of this one decides.
            return (kept && !rest.contains("/followers") && !rest.contains('%')).then_some(Self::Document);
        }
        if path == "/" || path.starts_with("/@") || path.starts_with("/tags/") {
            return Some(Self::Page);
        }
        let discovery = path.starts_with("/.well-known/") || path.starts_with("/nodeinfo/") || path == "/oembed";
        (discovery && !path.contains('%')).then_some(Self::Discovery)
    }
}

/// The path, with the query where a handler reads it: whatever link previews and campaigns add changes nothing. The names of
/// parameters are decoded as handlers have them decoded, or a page could be kept under the address of another one.
fn target(kind: Kind, uri: &Uri) -> String {
    let names = |name: &'static str| {
        move |query: &&str| url::form_urlencoded::parse(query.as_bytes()).any(|(found, _)| found == name)
    };
    let query = match kind {
        Kind::Document => uri.query().filter(names("page")),
        Kind::Page => uri.query().filter(names("before")),
        Kind::Discovery => uri.query().filter(|_| uri.path().ends_with("/webfinger") || uri.path() == "/oembed"),
    };
    match query {
        Some(query) => format!("{}?{query}", uri.path()),
        None => uri.path().to_owned(),
    }
}

/// The coding that the answer will be in. `None` where none that we have would do.
fn coding(request: &ServiceRequest) -> Option<u8> {
    let Some(accepted) = request.get_header::<AcceptEncoding>() else { return Some(0) };
    match accepted.negotiate(CODINGS.iter())? {
        Encoding::Known(ContentEncoding::Identity) => Some(0),
        Encoding::Known(ContentEncoding::Brotli) => Some(1),
        Encoding::Known(ContentEncoding::Gzip) => Some(2),
        Encoding::Known(ContentEncoding::Deflate) => Some(3),
        _ => None,
    }
}
