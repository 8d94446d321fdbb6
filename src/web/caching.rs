//! How answers are labelled for caches: a strong ETag of the bytes, 304 for who has them already, `Vary`, `Cache-Control`,
//! and CORS (`reference/federation.md` 5.3).

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use openssl::sha::sha256;

/// Of documents and pages: three minutes as at Mastodon, and one more while it is fetched anew. Not longer, because a
/// withdrawn post must go.
pub const FRESH: &str = "public, max-age=180, stale-while-revalidate=60";
/// Of things that change once a day or less: host-meta, NodeInfo, robots.txt.
pub const SLOW: &str = "public, max-age=1800, stale-while-revalidate=600";
/// Of files whose name never changes its content.
pub const FOREVER: &str = "public, max-age=31536000, immutable";
/// Of errors: what is unknown now may be published in a second.
pub const NEVER: &str = "no-store";

/// Marks a response whose bytes depend on nothing but its [`crate::web::kept::Key`] and the version of public content.
#[derive(Debug, Clone, Copy)]
pub struct Keep;

/// The response, which may be kept and given to others.
pub fn kept(mut response: HttpResponse) -> HttpResponse {
    response.extensions_mut().insert(Keep);
    response
}

/// Something to answer a GET with.
#[derive(Debug, Clone)]
pub struct Representation {
    /// The bytes.
    pub body: Vec<u8>,
    /// Value of `Content-Type`.
    pub content_type: String,
    /// Value of `Cache-Control`: one of the constants here.
    pub cache: &'static str,
    /// Value of `Vary`; `Accept-Encoding` is added where the answer may be compressed.
    pub vary: Option<&'static str>,
    /// Scripts of other sites may read it.
    pub cors: bool,
    /// Value of `Link`.
    pub link: Option<String>,
}

impl Representation {
    /// An ActivityStreams document.
    pub fn activity(body: Vec<u8>) -> Self {
        Self {
            body,
            content_type: crate::activity::CONTENT_TYPE.to_owned(),
            cache: FRESH,
            vary: Some("Accept"),
            cors: true,
            link: None,
        }
    }

    /// A page. It varies by `Accept`, because servers are sent on to the id, and by language.
    pub fn page(html: String) -> Self {
        Self {
            body: html.into_bytes(),
            content_type: "text/html; charset=utf-8".to_owned(),
            cache: FRESH,
            vary: Some("Accept, Accept-Language"),
            cors: false,
            link: None,
        }
    }

    /// A document of discovery, which has one form only.
    pub fn plain(body: impl Into<Vec<u8>>, content_type: impl Into<String>) -> Self {
        Self { body: body.into(), content_type: content_type.into(), cache: SLOW, vary: None, cors: true, link: None }
    }

    /// With that `Link`.
    pub fn linked(self, link: String) -> Self {
        Self { link: Some(link), ..self }
    }

    /// With that `Cache-Control`.
    pub fn cached(self, cache: &'static str) -> Self {
        Self { cache, ..self }
    }

    /// The answer: 200, or 304 without a body when the client has these bytes.
    pub fn answer(self, request: &HttpRequest) -> HttpResponse {
        let tag = etag(&self.body);
        if client_has(request, &tag) {
            return self.respond(StatusCode::NOT_MODIFIED, Some(tag));
        }
        kept(self.respond(StatusCode::OK, Some(tag)))
    }

    /// The answer with another status than 200: no ETag, no 304.
    pub fn answer_with(self, status: StatusCode) -> HttpResponse {
        self.respond(status, None)
    }

    fn respond(self, status: StatusCode, tag: Option<String>) -> HttpResponse {
        let mut response = HttpResponse::build(status);
        response.insert_header((header::CACHE_CONTROL, self.cache));
        if let Some(tag) = tag {
            response.insert_header((header::ETAG, tag));
        }
        if let Some(vary) = self.vary {
            response.insert_header((header::VARY, vary));
        }
        if let Some(link) = self.link {
            response.insert_header((header::LINK, link));
        }
        if self.cors {
            response.insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"));
        }
        if status == StatusCode::NOT_MODIFIED {
            return response.finish();
        }
        response.insert_header((header::CONTENT_TYPE, self.content_type)).body(self.body)
    }
}

/// A strong entity tag: the first half of SHA-256 of the bytes.
pub fn etag(bytes: &[u8]) -> String {
    let digest = hex::encode(sha256(bytes));
    format!("\"{}\"", digest.get(..32).unwrap_or(&digest))
}

/// Whether `If-None-Match` of the request names the tag.
pub fn client_has(request: &HttpRequest, tag: &str) -> bool {
    let mut headers = request.headers().get_all(header::IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    headers.any(|value| names(value, tag))
}

/// Whether one of these values of `If-None-Match` names the tag.
pub fn is_named<'v>(values: impl Iterator<Item = &'v HeaderValue>, tag: &HeaderValue) -> bool {
    let Ok(tag) = tag.to_str() else { return false };
    values.filter_map(|value| value.to_str().ok()).any(|value| names(value, tag))
}

/// Whether the value of an `If-None-Match` names the tag: weak comparison (RFC 9110 §13.1.2), since what we send compressed
/// carries the tag as a weak one.
fn names(value: &str, tag: &str) -> bool {
    value.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_tag_is_that_of_the_bytes() {
        assert_eq!(etag(b"abc"), "\"ba7816bf8f01cfea414140de5dae2223\"");
        assert_ne!(etag(b"abc"), etag(b"abd"));
    }

    #[test]
    fn a_client_has_what_it_names() {
        let table = [
            ("\"a\"", true),
            ("W/\"a\"", true),
            ("\"b\", \"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("a", false),
            ("", false),
        ];
        for (value, expected) in table {
            assert_eq!(names(value, "\"a\""), expected, "{value}");
        }
    }

    #[test]
    fn c43_a_repeat_get_with_if_none_match_gives_304() {
        let first = Representation::activity(b"{}".to_vec()).answer(&TestRequest::default().to_http_request());
        assert_eq!(first.status(), StatusCode::OK);
        let tag = first.headers().get(header::ETAG).unwrap().clone();
        let again = TestRequest::default().insert_header((header::IF_NONE_MATCH, tag.clone())).to_http_request();
        let second = Representation::activity(b"{}".to_vec()).answer(&again);
        assert_eq!(second.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(second.headers().get(header::ETAG), Some(&tag));
        assert_eq!(second.headers().get(header::VARY).unwrap(), "Accept");
        assert_eq!(second.headers().get(header::CACHE_CONTROL).unwrap(), FRESH);
        let changed = Representation::activity(b"{\"a\":1}".to_vec()).answer(&again);
        assert_eq!(changed.status(), StatusCode::OK);
    }
}
