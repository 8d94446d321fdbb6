//! A CA of our own, and a certificate for each host.

use std::net::Ipv4Addr;
use std::sync::Arc;

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509NameBuilder};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// Signs for all hosts. They share one P-256 key, so that thousands of them are made in a moment.
pub struct Authority {
    key: PKey<Private>,
    certificate: X509,
    hosts_key: PKey<Private>,
    ticketer: Arc<dyn rustls::server::ProducesTickets>,
}

impl Authority {
    /// A new one.
    pub fn new() -> Self {
        let key = p256();
        let mut builder = started("Heraut bench CA", &key);
        let own = builder.name("Heraut bench CA");
        builder.0.set_issuer_name(&own).unwrap();
        builder.0.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
        builder.0.sign(&key, MessageDigest::sha256()).unwrap();
        let ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().unwrap();
        Self { key, certificate: builder.0.build(), hosts_key: p256(), ticketer }
    }

    /// Its certificate.
    pub fn pem(&self) -> String {
        String::from_utf8(self.certificate.to_pem().unwrap()).unwrap()
    }

    /// Accepts connections to an address under a certificate of its own.
    pub fn acceptor(&self, address: &str) -> TlsAcceptor {
        let address: Ipv4Addr = address.parse().unwrap();
        let mut builder = started(&address.to_string(), &self.hosts_key);
        builder.0.set_issuer_name(self.certificate.subject_name()).unwrap();
        let names = SubjectAlternativeName::new()
            .ip(&address.to_string())
            .build(&builder.0.x509v3_context(Some(&self.certificate), None))
            .unwrap();
        builder.0.append_extension(names).unwrap();
        builder.0.sign(&self.key, MessageDigest::sha256()).unwrap();
        let chain = vec![CertificateDer::from(builder.0.build().to_der().unwrap())];
        let key = PrivateKeyDer::try_from(self.hosts_key.private_key_to_pkcs8().unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        config.ticketer = self.ticketer.clone();
        TlsAcceptor::from(Arc::new(config))
    }
}

struct Started(X509Builder);

impl Started {
    fn name(&self, name: &str) -> openssl::x509::X509Name {
        let mut builder = X509NameBuilder::new().unwrap();
        builder.append_entry_by_text("CN", name).unwrap();
        builder.build()
    }
}

/// A certificate for a key, without issuer and extensions, valid from yesterday for a month.
fn started(name: &str, key: &PKey<Private>) -> Started {
    let mut started = Started(X509Builder::new().unwrap());
    let own = started.name(name);
    let builder = &mut started.0;
    builder.set_version(2).unwrap();
    let mut serial = BigNum::new().unwrap();
    serial.rand(127, MsbOption::ONE, false).unwrap();
    builder.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&own).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.set_not_before(&Asn1Time::from_unix(now() - 86_400).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(30).unwrap()).unwrap();
    started
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

fn p256() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}
