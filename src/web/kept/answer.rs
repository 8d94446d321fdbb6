//! An answer in memory, with everything but what is of one request alone.

use std::time::Instant;

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;

use crate::web::caching;

/// About what a header takes besides its bytes.
const HEADER_BYTES: usize = 96;

/// An answer, labelled and perhaps compressed.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The version of public content that it was made under.
    pub(super) version: i64,
    /// When.
    pub(super) made_at: Instant,
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// The strong tag, where there is one.
    tag: Option<HeaderValue>,
    body: Bytes,
}

impl Answer {
    /// What was answered.
    pub fn new(status: StatusCode, headers: &HeaderMap, body: Bytes) -> Self {
        let tag = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok());
        let strong = tag.map(|tag| tag.strip_prefix("W/").unwrap_or(tag));
        let kept = headers.iter().filter(|(name, _)| {
            !matches!(**name, header::CONTENT_LENGTH | header::TRANSFER_ENCODING | header::DATE | header::CONNECTION)
        });
        Self {
            version: i64::MIN,
            made_at: Instant::now(),
            status,
            tag: strong.and_then(|tag| HeaderValue::from_str(tag).ok()),
            headers: kept.map(|(name, value)| (name.clone(), value.clone())).collect(),
            body,
        }
    }

    /// The response: 304 for who has these bytes already, by the values of `If-None-Match`.
    pub fn respond<'v>(&self, if_none_match: impl Iterator<Item = &'v HeaderValue>) -> HttpResponse {
        let tag = self.tag.as_ref().filter(|_| self.status == StatusCode::OK);
        let has = tag.is_some_and(|tag| caching::is_named(if_none_match, tag));
        let status = if has { StatusCode::NOT_MODIFIED } else { self.status };
        let body = if has { BoxBody::new(()) } else { BoxBody::new(self.body.clone()) };
        let mut response = HttpResponse::with_body(status, body);
        let headers = response.headers_mut();
        for (name, value) in &self.headers {
            match *name {
                header::CONTENT_TYPE | header::CONTENT_ENCODING if has => {}
                header::ETAG if has => headers.append(name.clone(), tag.unwrap_or(value).clone()),
                _ => headers.append(name.clone(), value.clone()),
            }
        }
        response
    }

    /// About how much memory it takes.
    pub fn bytes(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| HEADER_BYTES + name.as_str().len() + value.len());
        size_of::<Self>() + self.body.len() + headers.sum::<usize>()
    }
}
