//! The guarded client: [`Client::get`], [`Client::post`], [`Client::submit`] and [`Client::call`].

mod call;
mod form;
mod location;
mod outside;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use ipnet::IpNet;
use reqwest::header::{
    ACCEPT, CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, USER_AGENT,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use url::Url;

pub use self::call::{CALL_BYTES_MAX, Call, Method};
use crate::metrics;
use crate::net::connections::{Connections, Post};
use crate::net::dns::{Dns, DnsError, Texts};
use crate::net::error::{FetchError, NetError, RedirectProblem, classify, shown, shown_all, troubled};
use crate::net::guard::{Guard, GuardedResolver, Scheme};
use crate::net::kept::Kept;
use crate::urls::{URL_BYTES_MAX, authority};

/// Most redirects that are followed unless told otherwise (`reference/connectors.md` A3).
pub const REDIRECTS_MAX: u8 = 5;
/// Largest body unless told otherwise, in bytes after decompression (`reference/connectors.md` A3).
pub const BODY_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Time for a whole exchange with its redirects unless told otherwise.
pub const TOTAL_TIMEOUT: Duration = Duration::from_secs(30);
/// Time for name, connection and TLS handshake.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Tickets in the TLS session cache: eight for each of 1,024 hosts. With the library's default of 256 nothing resumed in a
/// round over 200 hosts (`reference/stack.md` 4); but a resumed handshake saves a tenth of a new one, and a ticket costs more
/// than a kilobyte.
const TLS_SESSIONS_MAX: usize = 8 * 1_024;
/// How long an unused connection is kept: about as long as servers keep theirs.
const POOL_IDLE: Duration = Duration::from_secs(60);
/// Unused connections kept per host; deliveries to one inbox are in order, so few are needed.
const POOL_IDLE_PER_HOST_MAX: usize = 4;
const ACCEPT_SIGNATURE: HeaderName = HeaderName::from_static("accept-signature");
/// Headers of the caller that stay with the host they were meant for.
const PRIVATE_HEADERS: &[&str] = &["authorization", "cookie", "proxy-authorization"];

/// Makes the headers that sign a GET of exactly this URL; called once per hop, because a signature covers the URL.
pub type SignHop = Arc<dyn Fn(&Url) -> Vec<(&'static str, String)> + Send + Sync>;

/// What the client is made from.
#[derive(Debug, Clone, Default)]
pub struct NetSettings {
    /// Ranges that are reached although they are not public, and over plain http too.
    pub allow_addresses: Vec<IpNet>,
    /// PEM file with certificates of CAs that are trusted besides the public ones.
    pub extra_ca_file: Option<PathBuf>,
    /// DNS servers that are asked; empty is those of the system.
    pub dns: Vec<SocketAddr>,
    /// File with DNSKEY records that DNSSEC begins with; `None` is those of the root.
    pub dns_trust_anchor_file: Option<PathBuf>,
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
    /// A larger body is cut there, and is no error.
    pub cut: bool,
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
            cut: false,
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
    /// `Location` as sent.
    pub location: Option<String>,
    /// `Accept-Signature` as sent (RFC 9421 §5.1).
    pub accept_signature: Option<String>,
}

/// The guarded client; cloning is cheap and shares connections and TLS sessions.
#[derive(Debug, Clone)]
pub struct Client {
    /// Where connections live: the runtime that made the client. A web worker has a runtime of its own, and a connection that was
    /// opened there would break off, with what others send over it, when the worker stops.
    home: Option<tokio::runtime::Handle>,
    guard: Arc<Guard>,
    https: reqwest::Client,
    http: reqwest::Client,
    /// As `https`, and it tells the certificate of who answers.
    looking: reqwest::Client,
    posts_https: Arc<Connections>,
    posts_http: Arc<Connections>,
    user_agent: HeaderValue,
    kept: Arc<Kept>,
    dns: Arc<Dns>,
}

impl Client {
    /// Makes the client. Reads `extra_ca_file`, and nothing from the environment.
    pub fn new(settings: &NetSettings) -> Result<Self, NetError> {
        let guard = Arc::new(Guard::new(settings.allow_addresses.clone()));
        let tls = tls_config(settings.extra_ca_file.as_deref())?;
        let dns = Arc::new(Dns::new(&settings.dns, settings.dns_trust_anchor_file.as_deref())?);
        let user_agent = HeaderValue::try_from(&settings.user_agent).map_err(|_| NetError::UserAgent)?;
        let resolver = |scheme| GuardedResolver { guard: Arc::clone(&guard), scheme, dns: Arc::clone(&dns) };
        let make = |scheme| one_client(resolver(scheme), tls.clone(), &user_agent);
        // A host that is posted to often keeps its connection; of the others a round meets so many that no ticket would be left.
        let mut once = tls.clone();
        once.resumption = rustls::client::Resumption::disabled();
        let posts = |scheme| Connections::new(resolver(scheme), once.clone(), CONNECT_TIMEOUT);
        let home = tokio::runtime::Handle::try_current().ok();
        let kept = Arc::new(Kept::new(POOL_IDLE));
        let https = make(Scheme::Https).build().map_err(NetError::Client)?;
        let http = make(Scheme::Http).build().map_err(NetError::Client)?;
        let looking = make(Scheme::Https).tls_info(true).build().map_err(NetError::Client)?;
        let (posts_https, posts_http) = (posts(Scheme::Https), posts(Scheme::Http));
        Ok(Self { home, https, http, looking, posts_https, posts_http, user_agent, kept, guard, dns })
    }

    /// The TXT records of a name, with what DNSSEC says of them.
    pub async fn texts(&self, name: &str) -> Result<Texts, DnsError> {
        self.dns.texts(name).await
    }

    /// Fetches, following redirects, each checked like the first URL. A status other than 2xx is not an error; its body is
    /// capped all the same.
    pub async fn get(&self, request: Get) -> Result<Fetched, FetchError> {
        let (client, url) = (self.clone(), shown(&request.url));
        let exchange = async move {
            let limit = request.timeout;
            match tokio::time::timeout(limit, client.follow(&request)).await {
                Ok(result) => result,
                Err(_) => Err(FetchError::Timeout { url: shown(&request.url), limit }),
            }
        };
        match &self.home {
            Some(home) => home.spawn(exchange).await.unwrap_or(Err(FetchError::Stopped { url })),
            None => exchange.await,
        }
    }

    /// Posts `body`; follows no redirect. To be called on the runtime that made the client. `timeout` covers everything up to the status; the start of the body is taken as far
    /// as it comes soon after.
    pub async fn post(
        &self,
        url: &Url,
        headers: Vec<(&'static str, String)>,
        body: Bytes,
        timeout: Duration,
    ) -> Result<Posted, FetchError> {
        let _timing = metrics::answer();
        self.post_once(url, headers, body, timeout).await.inspect_err(|error| metrics::no_answer(error.cause()))
    }

    async fn post_once(
        &self,
        url: &Url,
        headers: Vec<(&'static str, String)>,
        body: Bytes,
        timeout: Duration,
    ) -> Result<Posted, FetchError> {
        let posts = match self.permitted(url, &[])? {
            Scheme::Https => &self.posts_https,
            Scheme::Http => &self.posts_http,
        };
        let origin = &url[..url::Position::BeforePath];
        let keep = self.kept.keeps(origin, std::time::Instant::now());
        let request = self.request(url, headers, body, keep)?;
        let answer = posts.send(origin, request, keep, timeout).await.map_err(|trouble| troubled(trouble, url))?;
        let text = |name| answer.head.headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok()).map(str::to_owned);
        Ok(Posted {
            status: answer.head.status.as_u16(),
            retry_after: text(RETRY_AFTER),
            location: text(LOCATION),
            accept_signature: text(ACCEPT_SIGNATURE),
            body_start: answer.body_start,
        })
    }

    /// A POST as it goes over a connection to the host of its URL.
    fn request(
        &self,
        url: &Url,
        headers: Vec<(&'static str, String)>,
        body: Bytes,
        keep: bool,
    ) -> Result<Post, FetchError> {
        let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let Ok(target) = http::Uri::try_from(target) else { return Err(FetchError::Shape { url: shown(url) }) };
        let mut request = Post::new(Full::new(body));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = target;
        let map = request.headers_mut();
        map.reserve(headers.len() + 4);
        map.insert(USER_AGENT, self.user_agent.clone());
        map.insert(ACCEPT, HeaderValue::from_static("*/*"));
        for (name, value) in headers {
            match (HeaderName::from_bytes(name.as_bytes()), HeaderValue::try_from(value)) {
                (Ok(name), Ok(value)) => map.append(name, value),
                _ => return Err(FetchError::Header { url: shown(url), name: name.to_owned() }),
            };
        }
        if !map.contains_key(HOST) {
            let host = HeaderValue::try_from(authority(url)).map_err(|_| FetchError::Shape { url: shown(url) })?;
            map.insert(HOST, host);
        }
        if !keep {
            map.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(request)
    }

    async fn follow(&self, request: &Get) -> Result<Fetched, FetchError> {
        let mut before: Vec<Url> = Vec::new();
        let mut permanent = true;
        let mut url = request.url.clone();
        url.set_fragment(None);
        loop {
            let client = self.client_for(&url, &before)?;
            let headers = hop_headers(request, &url)?;
            let sending = client.get(url.clone()).headers(headers).send();
            let response = sending.await.map_err(|e| classify(e, &url, &before))?;
            if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
                let permanent = permanent && !before.is_empty();
                return read(response, url, permanent, (request.bytes_max, request.cut)).await;
            }
            permanent &= matches!(response.status().as_u16(), 301 | 308);
            let next = next_url(request, &before, &url, &response)?;
            before.push(std::mem::replace(&mut url, next));
        }
    }

    /// The client of the URL's scheme, after everything that can be checked before the name is resolved.
    fn client_for(&self, url: &Url, before: &[Url]) -> Result<&reqwest::Client, FetchError> {
        Ok(match self.permitted(url, before)? {
            Scheme::Https => &self.https,
            Scheme::Http => &self.http,
        })
    }

    fn permitted(&self, url: &Url, before: &[Url]) -> Result<Scheme, FetchError> {
        let Some(scheme) = Scheme::of(url) else {
            let scheme = url.scheme().to_owned();
            return Err(FetchError::Scheme { url: shown(url), scheme, chain: shown_all(before) });
        };
        if url.host().is_none() || !url.username().is_empty() || url.password().is_some() {
            return Err(FetchError::Shape { url: shown(url) });
        }
        if let Some(address) = self.guard.forbidden_literal(scheme, url) {
            return Err(FetchError::Forbidden { url: shown(url), address, scheme, chain: shown_all(before) });
        }
        Ok(scheme)
    }
}

/// One client per scheme: its resolver knows the scheme, so "plain http only to listed addresses" holds where it connects.
#[allow(clippy::disallowed_methods, reason = "this is the guarded client that all others must use")]
fn one_client(
    resolver: GuardedResolver,
    tls: rustls::ClientConfig,
    user_agent: &HeaderValue,
) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .https_only(resolver.scheme == Scheme::Https)
        .dns_resolver(resolver)
        .user_agent(user_agent.clone())
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .no_proxy()
        .http1_only()
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(POOL_IDLE_PER_HOST_MAX)
}

fn tls_config(extra_ca_file: Option<&Path>) -> Result<rustls::ClientConfig, NetError> {
    let mut roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(path) = extra_ca_file {
        let unreadable = |source| NetError::ExtraCa { path: path.to_owned(), source };
        let found: Vec<_> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(unreadable)?;
        if found.is_empty() {
            return Err(NetError::ExtraCaEmpty { path: path.to_owned() });
        }
        for certificate in found {
            roots.add(certificate).map_err(NetError::Tls)?;
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(NetError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::in_memory_sessions(TLS_SESSIONS_MAX);
    Ok(config)
}

fn hop_headers(request: &Get, url: &Url) -> Result<HeaderMap, FetchError> {
    let at_home = url.scheme() == request.url.scheme() && authority(url) == authority(&request.url);
    let private = |name: &str| PRIVATE_HEADERS.iter().any(|p| p.eq_ignore_ascii_case(name));
    let own = request.headers.iter().filter(|(n, _)| at_home || !private(n)).map(|(n, v)| (n.as_str(), v.as_str()));
    let signed = request.sign.as_ref().map(|sign| sign(url)).unwrap_or_default();
    let signed = signed.iter().map(|(n, v)| (*n, v.as_str()));
    header_map(url, std::iter::once(("accept", request.accept.as_str())).chain(own).chain(signed))
}

fn header_map<'a>(url: &Url, headers: impl Iterator<Item = (&'a str, &'a str)>) -> Result<HeaderMap, FetchError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        match (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            (Ok(name), Ok(value)) => map.append(name, value),
            _ => return Err(FetchError::Header { url: shown(url), name: name.to_owned() }),
        };
    }
    Ok(map)
}

/// Where a redirect leads, if it is one that is followed. Scheme and address are checked by the next hop.
fn next_url(request: &Get, before: &[Url], url: &Url, response: &reqwest::Response) -> Result<Url, FetchError> {
    let refuse = |next: Option<&Url>, problem| {
        let chain = before.iter().chain([url]).chain(next).map(shown).collect();
        FetchError::Redirects { chain, problem }
    };
    let location = response.headers().get(LOCATION).map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned());
    let next = location.filter(|l| l.len() <= URL_BYTES_MAX).and_then(|l| url.join(l.trim()).ok());
    let Some(mut next) = next else {
        return Err(refuse(None, RedirectProblem::NoLocation));
    };
    next.set_fragment(None);
    if before.len() >= usize::from(request.redirects_max) {
        return Err(refuse(Some(&next), RedirectProblem::TooMany));
    }
    if next == *url || before.contains(&next) {
        return Err(refuse(Some(&next), RedirectProblem::Loop));
    }
    if request.same_host_redirects && authority(&next) != authority(&request.url) {
        return Err(refuse(Some(&next), RedirectProblem::OtherHost));
    }
    Ok(next)
}

/// Reads the body piece by piece, each already decompressed, and stops at the cap; never holds more than the cap and a piece. What is
/// longer is cut there, or else an error.
async fn read(
    mut response: reqwest::Response,
    url: Url,
    permanent_redirects: bool,
    (bytes_max, cut): (u64, bool),
) -> Result<Fetched, FetchError> {
    let too_large = || FetchError::TooLarge { url: shown(&url), bytes_max };
    if !cut && response.content_length().is_some_and(|n| n > bytes_max) {
        return Err(too_large());
    }
    let status = response.status().as_u16();
    let text = |v: &HeaderValue| v.to_str().map(str::to_owned).ok();
    let headers = response.headers().iter().filter_map(|(n, v)| Some((n.as_str().to_owned(), text(v)?))).collect();
    let cap = usize::try_from(bytes_max).unwrap_or(usize::MAX);
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|e| classify(e, &url, &[]))? {
        let room = cap.saturating_sub(body.len());
        if piece.len() > room && !cut {
            return Err(too_large());
        }
        body.extend_from_slice(piece.get(..room).unwrap_or(&piece));
        if piece.len() > room {
            break;
        }
    }
    Ok(Fetched { url, permanent_redirects, status, headers, body })
}

#[cfg(test)]
mod tests;
