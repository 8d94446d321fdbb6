//! What stands before a peer: passes connections on, counts them, and may read slowly, break off, or speak TLS with one
//! certificate or another.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name, X509NameBuilder};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::address;

/// A name that good certificates are for too.
pub const NAME: &str = "stad.onveilig";

/// What a front does with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Passes it on.
    Pass,
    /// Reads a byte now and then, and passes nothing on.
    ReadSlowly,
    /// Breaks it off as soon as it is there.
    Reset,
    /// Speaks TLS with that certificate, and passes on what is inside.
    Tls(Certificate),
}

/// A certificate of the tests' own authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certificate {
    /// For this address and [`NAME`], and valid.
    Good,
    /// For this address, and expired.
    Expired,
    /// For another name.
    OtherName,
}

/// A front; cheap to clone.
#[derive(Clone)]
pub struct Front {
    pub address: SocketAddr,
    mode: Arc<watch::Sender<Mode>>,
    connections: Arc<AtomicUsize>,
}

impl Front {
    /// Starts a front before that server; it ends with the runtime.
    pub fn before(server: SocketAddr, mode: Mode) -> Self {
        Self::on(address::listener(), server, mode)
    }

    /// Starts another front on the same address, on a port of its own.
    pub fn beside(&self, server: SocketAddr, mode: Mode) -> Self {
        Self::on(std::net::TcpListener::bind((self.address.ip(), 0)).unwrap(), server, mode)
    }

    fn on(listener: std::net::TcpListener, server: SocketAddr, mode: Mode) -> Self {
        let front = Self {
            address: listener.local_addr().unwrap(),
            mode: Arc::new(watch::Sender::new(mode)),
            connections: Arc::default(),
        };
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let own = front.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                own.connections.fetch_add(1, Ordering::SeqCst);
                let own = own.clone();
                tokio::spawn(async move {
                    let mut changed = own.mode.subscribe();
                    let mode = *changed.borrow_and_update();
                    tokio::select! {
                        () = own.join(stream, server, mode) => {}
                        _ = changed.changed() => {}
                    }
                });
            }
        });
        front
    }

    /// From now on does this with connections; open ones are closed.
    pub fn behaves(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// How many connections came.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    async fn join(&self, mut client: TcpStream, server: SocketAddr, mode: Mode) {
        match mode {
            Mode::Pass => pass(client, server).await,
            Mode::Reset => {
                // Fails only when the other side was first.
                let _ = client.set_zero_linger();
            }
            Mode::ReadSlowly => {
                let mut byte = [0];
                while client.read(&mut byte).await.is_ok_and(|n| n > 0) {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
            }
            Mode::Tls(certificate) => {
                let acceptor = TlsAcceptor::from(Arc::new(authority().server(self.address, certificate)));
                if let Ok(stream) = acceptor.accept(client).await {
                    pass(stream, server).await;
                }
            }
        }
    }
}

async fn pass(mut client: impl AsyncRead + AsyncWrite + Unpin, server: SocketAddr) {
    if let Ok(mut server) = TcpStream::connect(server).await {
        // Whoever breaks off ends it; that is all there is to know.
        let _ = copy_bidirectional(&mut client, &mut server).await;
    }
}

/// The tests' own certificate authority.
struct Authority {
    key: PKey<Private>,
    certificate: X509,
}

fn authority() -> &'static Authority {
    static MADE: OnceLock<Authority> = OnceLock::new();
    MADE.get_or_init(|| {
        let (key, name) = (fresh_key(), name("Heraut test authority"));
        let mut builder = builder(&key, &name, &name, -1, 10);
        builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        Authority { certificate: builder.build(), key }
    })
}

/// Writes the certificate of the tests' authority, for `net.extra_ca_file`.
pub fn write_authority(path: &Path) {
    std::fs::write(path, authority().certificate.to_pem().unwrap()).unwrap();
}

impl Authority {
    fn server(&self, address: SocketAddr, certificate: Certificate) -> ServerConfig {
        let key = fresh_key();
        let until = if certificate == Certificate::Expired { -1 } else { 10 };
        let mut builder = builder(&key, &name("peer"), self.certificate.subject_name(), -5, until);
        let mut names = SubjectAlternativeName::new();
        match certificate {
            Certificate::OtherName => names.dns("elders.example"),
            Certificate::Good | Certificate::Expired => names.ip(&address.ip().to_string()).dns(NAME),
        };
        let names = names.build(&builder.x509v3_context(Some(&self.certificate), None)).unwrap();
        builder.append_extension(names).unwrap();
        builder.sign(&self.key, MessageDigest::sha256()).unwrap();
        let certificate = CertificateDer::from(builder.build().to_der().unwrap());
        let key = PrivateKeyDer::try_from(key.private_key_to_pkcs8().unwrap()).unwrap();
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap()
    }
}

/// A certificate of that key, valid between these days from now.
fn builder(
    key: &PKey<Private>,
    subject: &openssl::x509::X509NameRef,
    issuer: &openssl::x509::X509NameRef,
    from: i64,
    until: i64,
) -> X509Builder {
    let now = chrono::Utc::now().timestamp();
    let day = |n: i64| Asn1Time::from_unix(now + n * 86_400).unwrap();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_u32(rand::random::<u32>() / 2 + 1).and_then(|n| n.to_asn1_integer()).unwrap();
    builder.set_serial_number(&serial).unwrap();
    builder.set_subject_name(subject).unwrap();
    builder.set_issuer_name(issuer).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.set_not_before(&day(from)).unwrap();
    builder.set_not_after(&day(until)).unwrap();
    builder
}

fn fresh_key() -> PKey<Private> {
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&curve).unwrap()).unwrap()
}

fn name(common: &str) -> X509Name {
    let mut name: X509NameBuilder = X509Name::builder().unwrap();
    name.append_entry_by_text("CN", common).unwrap();
    name.build()
}
