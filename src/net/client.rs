//! The guarded client: [`Client::get`] and [`Client::post`].

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use ipnet::IpNet;
use url::Url;

use crate::net::error::{FetchError, NetError};

/// Most redirects that are followed unless told otherwise (`reference/connectors.md` A3).
pub const REDIRECTS_MAX: u8 = 5;
/// Largest body unless told otherwise, in bytes after decompression (`reference/connectors.md` A3).
pub const BODY_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Time for a whole exchange with its redirects unless told otherwise.
pub const TOTAL_TIMEOUT: Duration = Duration::from_secs(30);

/// Makes the headers that sign a GET of exactly this URL; called once per hop, because a signature covers the URL.
pub type SignHop = Arc<dyn Fn(&Url) -> Vec<(&'static str, String)> + Send + Sync>;

/// What the client is made from.
#[derive(Debug, Clone, Default)]
pub struct NetSettings {
    /// Ranges that are reached although they are not public, and over plain http too.
    pub allow_addresses: Vec<IpNet>,
    /// PEM file with certificates of CAs that are trusted besides the public ones.
    pub extra_ca_file: Option<PathBuf>,
    /// Value of `User-Agent`.
    pub user_agent: String,
}

/// A GET. Start from [`Get::new`] and change what differs.
#[derive(Clone)]
pub struct Get {
    /// Absolute http(s) URL without user name.
    pub url: Url,
    /// Value of `Accept`.
    pub accept: String,
    /// Further headers, for example `If-None-Match`. `Authorization` and `Cookie` are not sent on to another host.
    pub headers: Vec<(String, String)>,
    /// Most redirects that are followed; 0 follows none and is an error when there is one.
    pub redirects_max: u8,
    /// Refuse redirects to another host or port (fetches by ActivityPub id).
    pub same_host_redirects: bool,
    /// Largest body, in bytes after decompression.
    pub bytes_max: u64,
    /// Time for the whole exchange with its redirects.
    pub timeout: Duration,
    /// Signs each hop.
    pub sign: Option<SignHop>,
}

impl Get {
    /// A GET with the usual limits: 5 redirects to any host, 8 MiB, 30 s, unsigned.
    pub fn new(url: Url, accept: impl Into<String>) -> Self {
        Self {
            url,
            accept: accept.into(),
            headers: Vec::new(),
            redirects_max: REDIRECTS_MAX,
            same_host_redirects: false,
            bytes_max: BODY_BYTES_MAX,
            timeout: TOTAL_TIMEOUT,
            sign: None,
        }
    }
}

/// The answer to a [`Get`]: any status but a redirect that was followed.
#[derive(Debug, Clone)]
pub struct Fetched {
    /// The URL that answered.
    pub url: Url,
    /// There was a redirect, and every one was permanent (301, 308): the new URL may be stored.
    pub permanent_redirects: bool,
    /// HTTP status.
    pub status: u16,
    /// Headers in order; names are lower-case, values that are not text are left out.
    pub headers: Vec<(String, String)>,
    /// The body, decompressed, at most `bytes_max` bytes.
    pub body: Vec<u8>,
}

impl Fetched {
    /// The first header of this lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// The answer to a POST.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// HTTP status; redirects are not followed.
    pub status: u16,
    /// `Retry-After` as sent.
    pub retry_after: Option<String>,
    /// The first 512 bytes of the body, lossy.
    pub body_start: String,
}

/// The guarded client; cloning is cheap and shares connections and TLS sessions.
#[derive(Clone)]
pub struct Client {}

impl Client {
    /// Makes the client.
    pub fn new(_settings: &NetSettings) -> Result<Self, NetError> {
        Ok(Self {})
    }

    /// Fetches, following redirects, each checked like the first URL. A status other than 2xx is not an error.
    pub async fn get(&self, request: Get) -> Result<Fetched, FetchError> {
        Err(FetchError::Shape { url: request.url.to_string() })
    }

    /// Posts `body`; follows no redirect. `timeout` covers everything up to the status.
    pub async fn post(
        &self,
        url: &Url,
        _headers: Vec<(&'static str, String)>,
        _body: Bytes,
        _timeout: Duration,
    ) -> Result<Posted, FetchError> {
        Err(FetchError::Shape { url: url.to_string() })
    }
}
