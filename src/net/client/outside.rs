//! How a server of ours looks from outside: its certificate, its addresses, and whether it answers at each.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use openssl::asn1::Asn1Time;
use openssl::x509::X509;
use reqwest::tls::TlsInfo;
use tokio::net::{TcpStream, lookup_host};
use url::Url;

use crate::net::Client;
use crate::net::error::{FetchError, classify, shown};
use crate::net::guard::Scheme;
use crate::time::Timestamp;

/// Time to see a certificate, and to open a connection.
const LOOK_TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

impl Client {
    /// Until when the certificate holds that the server of an https URL shows; `None` when it shows none that can be read. One that
    /// is not trusted is an error.
    pub async fn certificate_end(&self, url: &Url) -> Result<Option<Timestamp>, FetchError> {
        self.client_for(url, &[])?;
        let asking = self.looking.get(url.clone()).send();
        let answer = match tokio::time::timeout(LOOK_TIMEOUT, asking).await {
            Ok(answer) => answer.map_err(|error| classify(error, url, &[]))?,
            Err(_) => return Err(FetchError::Timeout { url: shown(url), limit: LOOK_TIMEOUT }),
        };
        let shown = answer.extensions().get::<TlsInfo>().and_then(TlsInfo::peer_certificate);
        Ok(shown.and_then(end_of))
    }

    /// The addresses of a name, as this machine resolves it.
    pub async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }

    /// Whether something takes connections there. An address that may not be reached is an error like any other.
    pub async fn connects(&self, scheme: Scheme, address: SocketAddr) -> io::Result<()> {
        if !self.guard.permits(scheme, address.ip()) {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "net.allow_addresses does not list it"));
        }
        match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
            Ok(connected) => connected.map(drop),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "nothing answers")),
        }
    }
}

/// The end of the time for which a certificate holds.
fn end_of(der: &[u8]) -> Option<Timestamp> {
    let certificate = X509::from_der(der).ok()?;
    let since = Asn1Time::from_unix(0).ok()?.diff(certificate.not_after()).ok()?;
    Some(Timestamp((i64::from(since.days) * 86_400 + i64::from(since.secs)) * 1_000))
}
