//! Which addresses may be reached, and the resolver that sees to it.
//!
//! Sources: the IANA special-purpose registries for IPv4 and IPv6 (RFC 6890 and its successors), and the advisories of
//! Mastodon and Fedify about server-side request forgery (`reference/federation.md` 6.2). For IPv6 the test is positive: only
//! global unicast (2000::/3) without its special parts is public, so a range that nobody thought of is refused.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;
use url::{Host, Url};

use crate::net::dns::Dns;

/// How a request travels: decides which addresses it may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// TLS: public addresses, and those of `net.allow_addresses`.
    Https,
    /// Plain text: only those of `net.allow_addresses`.
    Http,
}

impl Scheme {
    /// The scheme of `url`, if it is one that we fetch.
    pub fn of(url: &Url) -> Option<Self> {
        match url.scheme() {
            "https" => Some(Self::Https),
            "http" => Some(Self::Http),
            _ => None,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Https => "https",
            Self::Http => "plain http",
        })
    }
}

/// Decides about addresses. The ranges are those of `net.allow_addresses` and never change during its life.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    allowed: Vec<IpNet>,
}

impl Guard {
    /// A guard that lets through public addresses over https, and `allowed` over both schemes.
    pub fn new(allowed: Vec<IpNet>) -> Self {
        Self { allowed }
    }

    /// Whether a request of this scheme may connect to `address`.
    ///
    /// An IPv6 address that carries an IPv4 address (mapped, NAT64, 6to4, Teredo …) needs both: its own range listed, and the
    /// IPv4 address public or listed; so listing `64:ff9b::/96` on a NAT64 network does not open 127.0.0.1 behind it.
    pub fn permits(&self, scheme: Scheme, address: IpAddr) -> bool {
        let public = |a: IpAddr| scheme == Scheme::Https && is_public(a);
        let IpAddr::V6(v6) = address else {
            return self.lists(address) || public(address);
        };
        let Some(v4) = embedded_v4(v6).map(IpAddr::V4) else {
            return self.lists(address) || public(address);
        };
        let same_target = v6.to_ipv4_mapped().is_some() && self.lists(v4);
        same_target || (self.lists(address) && (self.lists(v4) || public(v4)))
    }

    /// The address in `url`, when it is a literal one that may not be reached. A name is left to the resolver.
    pub fn forbidden_literal(&self, scheme: Scheme, url: &Url) -> Option<IpAddr> {
        let address = match url.host()? {
            Host::Ipv4(v4) => IpAddr::V4(v4),
            Host::Ipv6(v6) => IpAddr::V6(v6),
            Host::Domain(_) => return None,
        };
        (!self.permits(scheme, address)).then_some(address)
    }

    fn lists(&self, address: IpAddr) -> bool {
        self.allowed.iter().any(|net| net.contains(&address))
    }
}

/// Whether `address` is on the public internet: not in any special-purpose range, and carrying no other address.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !within_v4(v4, SPECIAL_V4),
        IpAddr::V6(v6) => within_v6(v6, &[GLOBAL_UNICAST]) && !within_v6(v6, SPECIAL_V6),
    }
}

const SPECIAL_V4: &[([u8; 4], u32)] = &[
    ([0, 0, 0, 0], 8),        // this network, RFC 791
    ([10, 0, 0, 0], 8),       // private, RFC 1918
    ([100, 64, 0, 0], 10),    // carrier-grade NAT, RFC 6598; a cloud's metadata is at 100.100.100.200
    ([127, 0, 0, 0], 8),      // loopback, RFC 1122
    ([168, 63, 129, 16], 32), // Azure's platform service: looks public, answers only from inside
    ([169, 254, 0, 0], 16),   // link-local, RFC 3927; metadata at 169.254.169.254
    ([172, 16, 0, 0], 12),    // private, RFC 1918
    ([192, 0, 0, 0], 24),     // protocol assignments, RFC 6890
    ([192, 0, 2, 0], 24),     // documentation, RFC 5737
    ([192, 88, 99, 0], 24),   // 6to4 relay, RFC 7526
    ([192, 168, 0, 0], 16),   // private, RFC 1918
    ([198, 18, 0, 0], 15),    // benchmarking, RFC 2544
    ([198, 51, 100, 0], 24),  // documentation, RFC 5737
    ([203, 0, 113, 0], 24),   // documentation, RFC 5737
    ([224, 0, 0, 0], 4),      // multicast, RFC 5771
    ([240, 0, 0, 0], 4),      // reserved and broadcast, RFC 1112
];

const GLOBAL_UNICAST: ([u16; 8], u32) = ([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);

const SPECIAL_V6: &[([u16; 8], u32)] = &[
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), // protocol assignments with Teredo, benchmarking, ORCHID, RFC 2928
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), // documentation, RFC 3849
    ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16), // 6to4, RFC 3056
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), // documentation, RFC 9637
];

fn within_v4(address: Ipv4Addr, ranges: &[([u8; 4], u32)]) -> bool {
    let bits = u32::from(address);
    ranges.iter().any(|(base, length)| (bits ^ u32::from_be_bytes(*base)).leading_zeros() >= *length)
}

fn within_v6(address: Ipv6Addr, ranges: &[([u16; 8], u32)]) -> bool {
    let bits = u128::from(address);
    ranges.iter().any(|(base, length)| (bits ^ u128::from(Ipv6Addr::from(*base))).leading_zeros() >= *length)
}

/// The IPv4 address that an IPv6 address stands for, by any of the schemes that put one there.
fn embedded_v4(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    let bits = u128::from(v6);
    let low = Ipv4Addr::from(u32::try_from(bits & 0xffff_ffff).unwrap_or_default());
    let at = |shift: u32| Ipv4Addr::from(u32::try_from((bits >> shift) & 0xffff_ffff).unwrap_or_default());
    match v6.segments() {
        [0, 0, 0, 0, 0, 0, ..] if !v6.is_unspecified() && !v6.is_loopback() => Some(low), // compatible, RFC 4291
        [0, 0, 0, 0, 0, 0xffff, ..] => Some(low),                                         // mapped, RFC 4291
        [0, 0, 0, 0, 0xffff, 0, ..] => Some(low),                                         // translated, RFC 2765
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => Some(low),                                      // NAT64, RFC 6052
        [0x64, 0xff9b, 1, ..] => Some(low), // NAT64 for local use, RFC 8215, with a /96 below it
        [0x2002, ..] => Some(at(80)),       // 6to4, RFC 3056
        [0x2001, 0, ..] => Some(Ipv4Addr::from(!u32::from(low))), // Teredo client, RFC 4380
        _ => None,
    }
}

/// Why a name gives no address; travels inside reqwest's error and is found there again.
#[derive(Debug, Error)]
pub(super) enum ResolveError {
    #[error("the host name does not resolve")]
    Lookup(#[source] io::Error),
    #[error("{0} may not be reached")]
    Forbidden(IpAddr),
}

/// Resolves names with the system's resolver, or with the servers of `net.dns`, and drops the addresses that may not be reached, so that a connection can only
/// go to an address that was checked. One per scheme, because the answer depends on it.
#[derive(Clone)]
pub(super) struct GuardedResolver {
    pub guard: Arc<Guard>,
    pub scheme: Scheme,
    pub dns: Arc<Dns>,
}

impl GuardedResolver {
    async fn addresses(self, name: String) -> Result<Vec<SocketAddr>, ResolveError> {
        if self.dns.is_set() {
            let found = self.dns.addresses(&name).await.map_err(ResolveError::Lookup)?;
            return keep(&self.guard, self.scheme, found.into_iter());
        }
        let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(ResolveError::Lookup)?;
        keep(&self.guard, self.scheme, found)
    }
}

/// For the requests of reqwest.
impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let addresses = self.clone().addresses(name.as_str().to_owned());
        Box::pin(async move { Ok(Box::new(addresses.await?.into_iter()) as Addrs) })
    }
}

/// For the connections that activities are posted over.
impl tower_service::Service<hyper_util::client::legacy::connect::dns::Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = ResolveError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ResolveError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ResolveError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: hyper_util::client::legacy::connect::dns::Name) -> Self::Future {
        let addresses = self.clone().addresses(name.as_str().to_owned());
        Box::pin(async move { Ok(addresses.await?.into_iter()) })
    }
}

fn keep(
    guard: &Guard,
    scheme: Scheme,
    found: impl Iterator<Item = SocketAddr>,
) -> Result<Vec<SocketAddr>, ResolveError> {
    let (kept, refused): (Vec<_>, Vec<_>) = found.partition(|a| guard.permits(scheme, a.ip()));
    if !kept.is_empty() {
        return Ok(kept);
    }
    Err(match refused.first() {
        Some(address) => ResolveError::Forbidden(address.ip()),
        None => ResolveError::Lookup(io::Error::new(io::ErrorKind::NotFound, "the name has no address")),
    })
}

#[cfg(test)]
mod tests;
