//! Why a client is refused: the table of answers. The error codes are those of Micropub 3.8.

use heraut_connectors::error::ConnectorError;
use thiserror::Error;

use crate::flow::tokens::Scope;
use crate::store::StoreError;

/// When a client should come back after a failure of ours, in seconds.
const RETRY_AFTER_S: u32 = 30;

/// Why a request is refused. The text is told to the client.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// There is no token.
    #[error("no token was sent; send the header `Authorization: Bearer …` with a token made by `heraut token add`")]
    NoToken,
    /// The header cannot be read.
    #[error("the header Authorization must be there once, as `Authorization: Bearer …`")]
    Header,
    /// The token does not hold.
    #[error("the token is {0}; ask the operator of the gateway for another one (`heraut token add`)")]
    Token(&'static str),
    /// The token may not do that.
    #[error("the token may not do that: its scope lacks `{}`", .0.name())]
    Scope(Scope),
    /// The token may, and it is not to be.
    #[error("{0}")]
    Forbidden(String),
    /// The request cannot be carried out as it is.
    #[error("{0}")]
    Invalid(String),
    /// Its key was used for something else.
    #[error("this Idempotency-Key was used for another request; give each request a key of its own")]
    Conflict,
    /// The body is too large.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// The body did not come in time.
    #[error("the body did not arrive in time")]
    Slow,
    /// It is of a type that is not taken.
    #[error(
        "the Content-Type must be application/json, application/x-www-form-urlencoded or multipart/form-data, without \
         Content-Encoding"
    )]
    MediaType,
    /// The client says too much.
    #[error("the source sends more than hooks.per_source allows; try again after {0} s")]
    TooMany(u32),
    /// It cannot be stored now.
    #[error("this cannot be stored now; try again later")]
    Later,
}

impl Refusal {
    /// The status and the error code: the table. `insufficient_scope` is 401 as in the Recommendation of 2017 and its test suite;
    /// clients go by the code.
    pub fn entry(&self) -> (u16, &'static str) {
        match self {
            Self::NoToken | Self::Header | Self::Token(_) => (401, "unauthorized"),
            Self::Scope(_) => (401, "insufficient_scope"),
            Self::Forbidden(_) => (403, "forbidden"),
            Self::Invalid(_) => (400, "invalid_request"),
            Self::Slow => (408, "invalid_request"),
            Self::Conflict => (409, "invalid_request"),
            Self::TooLarge(_) => (413, "invalid_request"),
            Self::MediaType => (415, "invalid_request"),
            Self::TooMany(_) => (429, "too_many_requests"),
            Self::Later => (503, "temporarily_unavailable"),
        }
    }

    /// After how many seconds the client should come back.
    pub fn retry_after_s(&self) -> Option<u32> {
        match self {
            Self::TooMany(seconds) => Some(*seconds),
            Self::Later => Some(RETRY_AFTER_S),
            _ => None,
        }
    }

    /// The challenge of RFC 6750, for a 401.
    pub fn challenge(&self) -> Option<String> {
        match self {
            Self::NoToken => Some("Bearer".to_owned()),
            Self::Header | Self::Token(_) => Some("Bearer error=\"invalid_token\"".to_owned()),
            Self::Scope(scope) => Some(format!("Bearer error=\"insufficient_scope\", scope=\"{}\"", scope.name())),
            _ => None,
        }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "a request of a client could not be stored");
        Self::Later
    }
}

impl From<ConnectorError> for Refusal {
    fn from(error: ConnectorError) -> Self {
        match error {
            ConnectorError::Empty => Self::Invalid("the body is empty".to_owned()),
            other => Self::Invalid(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_a_status_a_code_and_a_way_out() {
        let all = [
            Refusal::NoToken,
            Refusal::Header,
            Refusal::Token("revoked"),
            Refusal::Scope(Scope::Update),
            Refusal::Forbidden("x".to_owned()),
            Refusal::Invalid("x".to_owned()),
            Refusal::Conflict,
            Refusal::TooLarge(1),
            Refusal::Slow,
            Refusal::MediaType,
            Refusal::TooMany(3),
            Refusal::Later,
        ];
        for refusal in &all {
            let (status, code) = refusal.entry();
            assert!(status != 410 && (400..600).contains(&status) && !code.is_empty());
            assert_eq!(refusal.challenge().is_some(), status == 401, "{refusal}");
            assert_eq!(refusal.retry_after_s().is_some(), matches!(status, 429 | 503));
        }
    }
}
