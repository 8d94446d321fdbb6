//! Answers to Micropub clients: always JSON, errors as in Micropub 3.8, and readable by scripts of any site: a token is in the
//! request itself, and no browser adds one by itself.

use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde_json::{Value, json};

use crate::flow::micropub::Answer;
use crate::flow::micropub::refusal::Refusal;
use crate::web::caching;
use crate::web::problem::Problem;

/// An error as a client gets it.
#[derive(Debug)]
pub struct Refused(pub Refusal);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        Self(refusal)
    }
}

/// What went wrong while a body was read.
impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self(match problem {
            Problem::TooLarge(most) => Refusal::TooLarge(most),
            Problem::Slow => Refusal::Slow,
            Problem::Malformed(why) => Refusal::Invalid(why),
            _ => Refusal::Later,
        })
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.entry().0).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = open(self.status_code());
        if let Some(challenge) = self.0.challenge() {
            response.insert_header((header::WWW_AUTHENTICATE, challenge));
        }
        if let Some(seconds) = self.0.retry_after_s() {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        let mut body = json!({ "error": self.0.entry().1, "error_description": self.0.to_string() });
        if let (Refusal::Scope(scope), Some(body)) = (&self.0, body.as_object_mut()) {
            body.insert("scope".to_owned(), json!(scope.name()));
        }
        response.json(body)
    }
}

/// An answer that scripts of any site may read, and nobody keeps.
pub fn open(status: StatusCode) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response
        .insert_header((header::CACHE_CONTROL, caching::NEVER))
        .insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .insert_header((header::ACCESS_CONTROL_EXPOSE_HEADERS, "Location, Retry-After"));
    response
}

/// 201 where there is a page to see, 202 where there will be one; 204 where there is nothing more to say.
pub fn done(answer: Answer) -> HttpResponse {
    match answer {
        Answer::Made { url, public, waits, notes, ignored } => {
            let status = if public { StatusCode::CREATED } else { StatusCode::ACCEPTED };
            let body = said(&[
                ("url", json!(url)),
                ("waits", json!(waits)),
                ("notes", json!(notes)),
                ("ignored", json!(ignored)),
            ]);
            open(status).insert_header((header::LOCATION, url)).json(body)
        }
        Answer::Changed { waits: None, notes } if notes.is_empty() => open(StatusCode::NO_CONTENT).finish(),
        Answer::Changed { waits, notes } => {
            open(StatusCode::OK).json(said(&[("waits", json!(waits)), ("notes", json!(notes))]))
        }
    }
}

/// The fields that say something.
fn said(fields: &[(&str, Value)]) -> Value {
    let something = |value: &Value| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty());
    let fields = fields.iter().filter(|(_, value)| something(value));
    Value::Object(fields.map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}
