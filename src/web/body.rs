//! Reads the body of a request whole, with a limit on its size and its time.

use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, web};
use bytes::Bytes;

use crate::web::problem::Problem;

/// Time for the body to arrive; Mastodon itself gives up writing after 10 s.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads the body, refusing early what says that it is too large, and in time what turns out to be.
pub async fn read(request: &HttpRequest, body: web::Payload, most: usize) -> Result<Bytes, Problem> {
    read_within(request, body, most, BODY_TIMEOUT).await
}

/// As [`read`], with more time: for files.
pub async fn read_within(
    request: &HttpRequest,
    body: web::Payload,
    most: usize,
    time: Duration,
) -> Result<Bytes, Problem> {
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if announced.and_then(|text| text.parse::<u64>().ok()).is_some_and(|n| n > most as u64) {
        return Err(Problem::TooLarge(most));
    }
    match tokio::time::timeout(time, body.to_bytes_limited(most)).await {
        Err(_) => Err(Problem::Slow),
        Ok(Err(_)) => Err(Problem::TooLarge(most)),
        Ok(Ok(Err(_))) => Err(Problem::Malformed("the body broke off".to_owned())),
        Ok(Ok(Ok(body))) => Ok(body),
    }
}
