//! Any request to a server's own API, and its whole answer within a limit. No redirect is followed: a token goes to one server only.

use std::time::Duration;

use bytes::Bytes;
use url::Url;

use super::{Client, Fetched, header_map, read};
use crate::net::error::{FetchError, classify, shown};

/// Largest answer to a call, in bytes.
pub const CALL_BYTES_MAX: u64 = 2 * 1024 * 1024;

/// A request to an API.
#[derive(Clone)]
pub struct Call {
    /// Its method.
    pub method: Method,
    /// Absolute http(s) URL without user name.
    pub url: Url,
    /// Its headers.
    pub headers: Vec<(&'static str, String)>,
    /// Its body.
    pub body: Bytes,
    /// Largest answer, in bytes after decompression.
    pub bytes_max: u64,
    /// Time for the whole exchange.
    pub timeout: Duration,
}

/// The methods that APIs have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Makes.
    Post,
    /// Changes.
    Put,
    /// Removes.
    Delete,
}

impl Client {
    /// Sends a call. Any status is an answer, also a redirect, which is not followed.
    pub async fn call(&self, call: Call) -> Result<Fetched, FetchError> {
        let (client, url) = (self.clone(), shown(&call.url));
        let exchange = async move {
            let (limit, url) = (call.timeout, shown(&call.url));
            match tokio::time::timeout(limit, client.call_once(call)).await {
                Ok(result) => result,
                Err(_) => Err(FetchError::Timeout { url, limit }),
            }
        };
        match &self.home {
            Some(home) => home.spawn(exchange).await.unwrap_or(Err(FetchError::Stopped { url })),
            None => exchange.await,
        }
    }

    async fn call_once(&self, call: Call) -> Result<Fetched, FetchError> {
        let Call { method, url, headers, body, bytes_max, .. } = call;
        let client = self.client_for(&url, &[])?;
        let headers = header_map(&url, headers.iter().map(|(n, v)| (*n, v.as_str())))?;
        let request = match method {
            Method::Get => client.get(url.clone()),
            Method::Post => client.post(url.clone()).body(body),
            Method::Put => client.put(url.clone()).body(body),
            Method::Delete => client.delete(url.clone()),
        };
        let response = request.headers(headers).send().await.map_err(|e| classify(e, &url, &[]))?;
        read(response, url, false, (bytes_max, false)).await
    }
}
