//! Errors as RFC 9457 `application/problem+json`, from one table: a stable code, a status, and a sentence that is safe to
//! tell. Causes go to the log, under the request id that the client sees in `X-Request-Id`; never to the client.

use std::error::Error as StdError;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde_json::json;
use thiserror::Error;

use crate::flow::keyring::KeyringError;
use crate::flow::receive::Refusal;
use crate::hook;
use crate::store::StoreError;
use crate::web::caching;

/// Media type of a problem.
pub const CONTENT_TYPE: &str = "application/problem+json";
/// What the signature of a GET is to cover, by draft-cavage (draft 12, 3.1.1) and by RFC 9421 (§5.1).
const DEMANDED: &str = "Signature realm=\"ActivityPub\",headers=\"(request-target) host date\"";
const DEMANDED_BY_RFC9421: &str = "sig1=(\"@method\" \"@target-uri\");created;keyid";
/// Seconds after which a client may ask again when we are down.
const RETRY_AFTER_S: u32 = 30;
/// Seconds after which a sender may ask again whose post is for an account that another server speaks for: names are kept so long.
const HANDED_OVER_RETRY_S: u32 = 900;

/// Why a request is not answered as it wished.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Problem {
    /// The request cannot be understood; says what is wrong.
    #[error("the request is malformed: {0}")]
    Malformed(String),
    /// There is nothing here, or nothing that is public. One and the same for both.
    #[error("there is nothing here")]
    NotFound,
    /// It was public and is withdrawn.
    #[error("this was withdrawn")]
    Gone,
    /// The account was closed for ever.
    #[error("this account was closed")]
    Closed,
    /// It is hidden for a while.
    #[error("this account is suspended")]
    Suspended,
    /// Another server speaks for it from now on, and its name leads there soon.
    #[error("another server speaks for this account; ask again when its name leads there")]
    HandedOver,
    /// The method is not for this resource; says which are.
    #[error("the method is not allowed here; use {0}")]
    Method(&'static str),
    /// The body did not come in time.
    #[error("the body did not arrive in time")]
    Slow,
    /// The body is too large.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// The body is of a type that is not taken.
    #[error(
        "the body must be application/activity+json, or application/ld+json with the profile \
         https://www.w3.org/ns/activitystreams, without Content-Encoding"
    )]
    MediaType,
    /// What a hub delivers cannot be a document.
    #[error("the body must be a feed: text, XML or JSON")]
    NotADocument,
    /// There is too much; when to come back, in seconds.
    #[error("there are too many requests; try again after {0} s")]
    Busy(u32),
    /// The range is outside the file, which has that many bytes.
    #[error("the range is outside the file")]
    Range(u64),
    /// A form is asked for that we do not have.
    #[error("there is no such format; ask for `format=json`")]
    Format,
    /// The `Host` is not one that we serve.
    #[error(
        "this server answers for {ours}, and the request is for `{asked}`; a proxy in front must pass on Host as it is"
    )]
    Misdirected {
        /// The host that was asked for.
        asked: String,
        /// The host that we serve.
        ours: String,
    },
    /// An inbox refuses an activity.
    #[error("{}", .0.detail)]
    Refused(Refusal),
    /// A document is given only to who signs, and the signature is missing or does not hold.
    #[error("{}", .0.detail)]
    Reader(Refusal),
    /// A request that was pushed to us is not taken in.
    #[error("{0}")]
    Hook(hook::Refusal),
    /// The database or another part is down for now.
    #[error("the server cannot answer now; try again later")]
    Unavailable,
    /// Something failed that should not.
    #[error("the server failed; the operator finds the cause under the request id")]
    Internal,
}

impl Problem {
    /// The stable code and the status: the table.
    pub fn entry(&self) -> (&'static str, StatusCode) {
        match self {
            Self::Malformed(_) => ("malformed", StatusCode::BAD_REQUEST),
            Self::NotFound => ("not-found", StatusCode::NOT_FOUND),
            Self::Gone => ("gone", StatusCode::GONE),
            Self::Closed => ("closed", StatusCode::GONE),
            Self::Suspended => ("suspended", StatusCode::FORBIDDEN),
            Self::HandedOver => ("handed-over", StatusCode::SERVICE_UNAVAILABLE),
            Self::Method(_) => ("method-not-allowed", StatusCode::METHOD_NOT_ALLOWED),
            Self::Slow => ("too-slow", StatusCode::REQUEST_TIMEOUT),
            Self::TooLarge(_) => ("too-large", StatusCode::PAYLOAD_TOO_LARGE),
            Self::MediaType => ("media-type", StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Self::NotADocument => ("media-type", StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Self::Busy(_) => ("too-many", StatusCode::TOO_MANY_REQUESTS),
            Self::Range(_) => ("range", StatusCode::RANGE_NOT_SATISFIABLE),
            Self::Format => ("format", StatusCode::NOT_IMPLEMENTED),
            Self::Misdirected { .. } => ("misdirected", StatusCode::MISDIRECTED_REQUEST),
            Self::Refused(refusal) => ("refused", refusal_status(refusal.status)),
            Self::Reader(refusal) => ("signature", refusal_status(refusal.status)),
            Self::Hook(refusal) => {
                let (status, code) = refusal.entry();
                (code, refusal_status(status))
            }
            Self::Unavailable => ("unavailable", StatusCode::SERVICE_UNAVAILABLE),
            Self::Internal => ("internal", StatusCode::INTERNAL_SERVER_ERROR),
        }
    }

    /// Logs the cause, which the client does not see.
    pub fn because(self, cause: &(dyn StdError + 'static)) -> Self {
        tracing::error!(error = cause, problem.code = self.entry().0, "a request failed");
        self
    }
}

/// An inbox never answers 410, because Misskey and PieFed would take the whole host for gone (`reference/federation.md` 3.2).
fn refusal_status(status: u16) -> StatusCode {
    match status {
        410 => StatusCode::NOT_FOUND,
        400..=599 => StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.entry().1
    }

    fn error_response(&self) -> HttpResponse {
        let (code, status) = self.entry();
        let mut response = HttpResponse::build(status);
        response.insert_header((header::CONTENT_TYPE, CONTENT_TYPE));
        response.insert_header((header::CACHE_CONTROL, caching::NEVER));
        response.insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"));
        match self {
            Self::Method(allow) => {
                response.insert_header((header::ALLOW, *allow));
            }
            Self::Range(length) => {
                response.insert_header((header::CONTENT_RANGE, format!("bytes */{length}")));
            }
            Self::Refused(Refusal { retry_after_s: Some(seconds), .. }) => {
                response.insert_header((header::RETRY_AFTER, seconds.to_string()));
            }
            Self::Reader(refusal) => {
                if let Some(seconds) = refusal.retry_after_s {
                    response.insert_header((header::RETRY_AFTER, seconds.to_string()));
                }
                if status == StatusCode::UNAUTHORIZED {
                    response.insert_header((header::WWW_AUTHENTICATE, DEMANDED));
                    response.insert_header(("Accept-Signature", DEMANDED_BY_RFC9421));
                }
            }
            Self::Hook(refusal) => {
                if let Some(seconds) = refusal.retry_after_s() {
                    response.insert_header((header::RETRY_AFTER, seconds.to_string()));
                }
                if status == StatusCode::UNAUTHORIZED {
                    response.insert_header((header::WWW_AUTHENTICATE, "Webhook-Signature"));
                }
            }
            Self::Busy(seconds) => {
                response.insert_header((header::RETRY_AFTER, seconds.to_string()));
            }
            Self::HandedOver => {
                response.insert_header((header::RETRY_AFTER, HANDED_OVER_RETRY_S.to_string()));
            }
            Self::Unavailable => {
                response.insert_header((header::RETRY_AFTER, RETRY_AFTER_S.to_string()));
            }
            _ => {}
        }
        let body = json!({
            "type": "about:blank",
            "title": status.canonical_reason().unwrap_or("Error"),
            "status": status.as_u16(),
            "code": code,
            "detail": self.to_string(),
        });
        response.body(body.to_string())
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let problem = match &error {
            StoreError::Busy { .. } | StoreError::Unreachable { .. } => Self::Unavailable,
            _ => Self::Internal,
        };
        problem.because(&error)
    }
}

impl From<KeyringError> for Problem {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Store(error) => error.into(),
            error => Self::Internal.because(&error),
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;

    use super::*;

    fn refused(status: u16) -> Problem {
        Problem::Refused(Refusal { status, detail: "no".to_owned(), retry_after_s: Some(7) })
    }

    #[test]
    fn c38_an_inbox_never_answers_410() {
        let table = [(401, 401), (403, 403), (410, 404), (429, 429), (503, 503), (200, 500), (999, 500)];
        for (given, sent) in table {
            assert_eq!(refused(given).status_code().as_u16(), sent, "{given}");
        }
        let response = refused(429).error_response();
        assert_eq!(response.headers().get(header::RETRY_AFTER).unwrap(), "7");
    }

    #[actix_web::test]
    async fn a_problem_tells_nothing_of_its_cause() {
        let cause = StoreError::Query { what: "read a secret table", source: diesel::result::Error::NotFound };
        let response = Problem::from(cause).error_response();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers().get(header::CONTENT_TYPE).unwrap(), CONTENT_TYPE);
        let body = to_bytes(response.into_body()).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["code"], "internal");
        assert_eq!(body["status"], 500);
        assert!(!body.to_string().contains("secret"));
    }
}
