//! What can go wrong on the way out. Texts name the URL without its query, because queries carry tokens.

use std::error::Error as StdError;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use url::Url;

use crate::net::client::CONNECT_TIMEOUT;
use crate::net::connections::Trouble;
use crate::net::guard::{ResolveError, Scheme};

/// What a library says.
type Problem = Box<dyn StdError + Send + Sync>;

/// Why the client could not be made.
#[derive(Debug, Error)]
pub enum NetError {
    /// The file of `net.extra_ca_file` cannot be read as certificates.
    #[error("net.extra_ca_file {path}: cannot be read as PEM certificates; export the CA certificate as PEM", path = path.display())]
    ExtraCa {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        #[source]
        source: rustls_pki_types::pem::Error,
    },
    /// The file of `net.extra_ca_file` holds no certificate.
    #[error("net.extra_ca_file {path}: holds no certificate; it must contain a BEGIN CERTIFICATE block", path = path.display())]
    ExtraCaEmpty {
        /// The file.
        path: PathBuf,
    },
    /// The file of `net.dns_trust_anchor_file` cannot be read as DNSKEY records.
    #[error("net.dns_trust_anchor_file {path}: cannot be read as DNSKEY records ({problem}); write one in each line, as in a zone file", path = path.display())]
    TrustAnchor {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        problem: String,
    },
    /// A certificate cannot be used, or the TLS library cannot be set up.
    #[error("TLS cannot be set up; look at net.extra_ca_file")]
    Tls(#[source] rustls::Error),
    /// The name by which the client says who it is cannot be sent.
    #[error("the HTTP client cannot be set up: its user agent has characters that HTTP does not allow")]
    UserAgent,
    /// The HTTP client cannot be set up.
    #[error("the HTTP client cannot be set up")]
    Client(#[source] reqwest::Error),
}

/// Why a request has no answer. Every `url` is shown without its query and its user name.
#[derive(Debug, Error)]
pub enum FetchError {
    /// The host is, or resolves only to, addresses that may not be reached.
    #[error(
        "{url}: {address} may not be reached over {scheme}; if it is yours, add the range to net.allow_addresses{after}",
        after = after(chain)
    )]
    Forbidden {
        /// What was asked for.
        url: String,
        /// The address that was refused.
        address: IpAddr,
        /// How it was to be reached: plain http may reach only listed ranges.
        scheme: Scheme,
        /// The URLs that redirected here, first to last; empty when there was no redirect.
        chain: Vec<String>,
    },
    /// The scheme is neither https nor http.
    #[error("{url}: has the scheme `{scheme}`; only https and http are fetched{after}", after = after(chain))]
    Scheme {
        /// What was asked for.
        url: String,
        /// Its scheme.
        scheme: String,
        /// The URLs that redirected here, first to last.
        chain: Vec<String>,
    },
    /// The URL has no host, or carries a user name or password.
    #[error("{url}: has no host, or carries a user name or password, which are never sent; take them out of the URL")]
    Shape {
        /// What was asked for.
        url: String,
    },
    /// A header that was to be sent is not valid HTTP.
    #[error("{url}: the header `{name}` cannot be sent; it holds characters that HTTP does not allow")]
    Header {
        /// What was asked for.
        url: String,
        /// Name of the header; its value is not shown.
        name: String,
    },
    /// The name does not resolve.
    #[error("{url}: the host name does not resolve; check the spelling and the DNS of this machine")]
    Dns {
        /// What was asked for.
        url: String,
        /// What the resolver says.
        #[source]
        source: io::Error,
    },
    /// No connection.
    #[error("{url}: cannot connect; the server may be down, or a firewall is between")]
    Connect {
        /// What was asked for.
        url: String,
        /// What the network says.
        #[source]
        source: Problem,
    },
    /// The TLS handshake failed.
    #[error("{url}: no trusted TLS connection; {problem}")]
    Tls {
        /// What was asked for.
        url: String,
        /// What is the matter, and who can do something about it.
        problem: TlsProblem,
        /// What the TLS library says.
        #[source]
        source: Problem,
    },
    /// No complete answer within the time allowed.
    #[error("{url}: no complete answer within {limit:?}; it is tried again later")]
    Timeout {
        /// What was asked for.
        url: String,
        /// The time allowed.
        limit: Duration,
    },
    /// The body is larger than allowed, counted after decompression.
    #[error("{url}: the body is larger than {bytes_max} bytes after decompression; the source must send less at once")]
    TooLarge {
        /// What was asked for.
        url: String,
        /// The cap, in bytes.
        bytes_max: u64,
    },
    /// Redirects that are not followed.
    #[error("{problem}: {}; use the address where the chain should end", chain.join(" → "))]
    Redirects {
        /// The URLs, first to last.
        chain: Vec<String>,
        /// Why the last step is not taken.
        problem: RedirectProblem,
    },
    /// The runtime that carries our connections has ended.
    #[error("{url}: the gateway is stopping; it is tried again after the next start")]
    Stopped {
        /// What was asked for.
        url: String,
    },
    /// The answer is not valid HTTP, ends early, or cannot be decompressed.
    #[error("{url}: the answer is not valid HTTP or ends early; it is tried again later")]
    Protocol {
        /// What was asked for.
        url: String,
        /// What the HTTP library says.
        #[source]
        source: Problem,
    },
}

/// Why a redirect is not followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum RedirectProblem {
    /// It leads to a URL that was already asked in this chain.
    #[error("the redirects go round in a circle")]
    Loop,
    /// More than allowed.
    #[error("there are too many redirects")]
    TooMany,
    /// It leads to another host where the same host is required.
    #[error("a redirect leads to another host")]
    OtherHost,
    /// `Location` is missing or not a URL.
    #[error("a redirect has no usable Location")]
    NoLocation,
}

/// Why a TLS connection is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TlsProblem {
    /// The certificate has expired.
    #[error("its certificate has expired, and its operator has to renew it (or the clock here is wrong)")]
    Expired,
    /// The certificate is not valid yet.
    #[error("its certificate is not valid yet: the clock there or here is wrong")]
    NotYet,
    /// The certificate is for another name.
    #[error("its certificate is for another name: its operator has to correct that, or the address is wrong")]
    OtherName,
    /// Nobody that is trusted has signed the certificate.
    #[error(
        "its certificate is from no authority that is known here; if that is a private CA, name it in net.extra_ca_file"
    )]
    UnknownAuthority,
    /// Something else.
    #[error("its operator has to look at its TLS, or it does not speak TLS there")]
    Other,
}

impl TlsProblem {
    fn of(error: &rustls::Error) -> Self {
        use rustls::CertificateError as Bad;
        match error {
            rustls::Error::InvalidCertificate(Bad::Expired | Bad::ExpiredContext { .. }) => Self::Expired,
            rustls::Error::InvalidCertificate(Bad::NotValidYet | Bad::NotValidYetContext { .. }) => Self::NotYet,
            rustls::Error::InvalidCertificate(Bad::NotValidForName | Bad::NotValidForNameContext { .. }) => {
                Self::OtherName
            }
            rustls::Error::InvalidCertificate(Bad::UnknownIssuer) => Self::UnknownAuthority,
            _ => Self::Other,
        }
    }
}

impl FetchError {
    /// Whether the same request will fail again until somebody changes something here: the URL, the configuration, or the
    /// size of the thing. Network, TLS, redirect and protocol trouble may pass, so those are not permanent.
    pub fn is_permanent(&self) -> bool {
        matches!(
            self,
            Self::Forbidden { .. }
                | Self::Scheme { .. }
                | Self::Shape { .. }
                | Self::Header { .. }
                | Self::TooLarge { .. }
        )
    }

    /// The part that failed, in a word, for counting: `dns`, `connect`, `tls`, `timeout` or `other`.
    pub fn cause(&self) -> &'static str {
        match self {
            Self::Dns { .. } => "dns",
            Self::Connect { .. } => "connect",
            Self::Tls { .. } => "tls",
            Self::Timeout { .. } => "timeout",
            _ => "other",
        }
    }
}

fn after(chain: &[String]) -> String {
    if chain.is_empty() { String::new() } else { format!(" (redirected from {})", chain.join(" → ")) }
}

/// A URL as errors and logs may show it: without query, fragment, user name and password.
pub fn shown(url: &Url) -> String {
    let mut url = url.clone();
    let query = url.query().is_some();
    url.set_query(None);
    url.set_fragment(None);
    // Fails only for URLs that cannot have a user name.
    let _ = url.set_username("").and_then(|()| url.set_password(None));
    if query { format!("{url}?…") } else { url.into() }
}

pub(super) fn shown_all(urls: &[Url]) -> Vec<String> {
    urls.iter().map(shown).collect()
}

/// What a reqwest error means here.
pub(super) fn classify(error: reqwest::Error, asked: &Url, before: &[Url]) -> FetchError {
    let source = error.without_url();
    let (timeout, connect) = (source.is_timeout(), source.is_connect());
    match cause_of(source.into(), asked, before) {
        Ok(error) => error,
        Err((url, _)) if timeout => FetchError::Timeout { url, limit: CONNECT_TIMEOUT },
        Err((url, source)) if connect => FetchError::Connect { url, source },
        Err((url, source)) => FetchError::Protocol { url, source },
    }
}

/// Why a POST has no answer.
pub(super) fn troubled(trouble: Trouble, asked: &Url) -> FetchError {
    match trouble {
        Trouble::Timeout(limit) => FetchError::Timeout { url: shown(asked), limit },
        Trouble::Connect(source) => match cause_of(source, asked, &[]) {
            Ok(error) => error,
            Err((url, source)) => FetchError::Connect { url, source },
        },
        Trouble::Exchange(source) => match cause_of(source, asked, &[]) {
            Ok(error) => error,
            Err((url, source)) => FetchError::Protocol { url, source },
        },
    }
}

/// The causes that matter hide in the chain of sources; without one of them the URL as it is shown, and the error.
fn cause_of(source: Problem, asked: &Url, before: &[Url]) -> Result<FetchError, (String, Problem)> {
    let url = shown(asked);
    match find::<ResolveError>(&*source) {
        Some(ResolveError::Forbidden(address)) => {
            let scheme = Scheme::of(asked).unwrap_or(Scheme::Https);
            return Ok(FetchError::Forbidden { url, address: *address, scheme, chain: shown_all(before) });
        }
        Some(ResolveError::Lookup(e)) => {
            return Ok(FetchError::Dns { url, source: io::Error::new(e.kind(), e.to_string()) });
        }
        None => {}
    }
    match find::<rustls::Error>(&*source).map(TlsProblem::of) {
        Some(problem) => Ok(FetchError::Tls { url, problem, source }),
        None => Err((url, source)),
    }
}

/// The first error of type `T` in the chain. An `io::Error` hides the error that it wraps from `source()`.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(e) = next {
        if let Some(found) = e.downcast_ref::<T>() {
            return Some(found);
        }
        let wrapped = e.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = wrapped.and_then(|w| find::<T>(w)) {
            return Some(found);
        }
        next = e.source();
    }
    None
}
