//! TLS against a server with a throwaway CA.

use std::io::{Read, Write};

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslAcceptor, SslMethod};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Name};

use super::*;
use crate::net::error::TlsProblem;

fn key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn certificate(name: &str, own: &PKey<Private>, issuer: Option<(&X509, &PKey<Private>)>) -> X509 {
    let mut subject = X509Name::builder().unwrap();
    subject.append_entry_by_text("CN", name).unwrap();
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    let serial = BigNum::from_u32(if issuer.is_some() { 2 } else { 1 }).unwrap().to_asn1_integer().unwrap();
    builder.set_serial_number(&serial).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_issuer_name(issuer.map_or(&subject, |(ca, _)| ca.subject_name())).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(2).unwrap()).unwrap();
    builder.set_pubkey(own).unwrap();
    if issuer.is_none() {
        builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
    } else {
        let context = builder.x509v3_context(None, None);
        let names = SubjectAlternativeName::new().dns("localhost").ip("127.0.0.1").build(&context).unwrap();
        builder.append_extension(names).unwrap();
    }
    builder.sign(issuer.map_or(own, |(_, key)| key), MessageDigest::sha256()).unwrap();
    builder.build()
}

/// A TLS server on loopback that answers every request with 200 and `ok`, and the PEM of the CA that vouches for it.
fn serve_tls() -> (u16, Vec<u8>) {
    let ca_key = key();
    let ca = certificate("Throwaway CA", &ca_key, None);
    let own_key = key();
    let own = certificate("localhost", &own_key, Some((&ca, &ca_key)));
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
    acceptor.set_private_key(&own_key).unwrap();
    acceptor.set_certificate(&own).unwrap();
    let acceptor = acceptor.build();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = acceptor.accept(stream.unwrap()) else { continue };
            let mut head = [0; 4_096];
            let _ = stream.read(&mut head);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok");
            let _ = stream.shutdown();
        }
    });
    (port, ca.to_pem().unwrap())
}

fn client_with(ca: Option<&[u8]>) -> Result<Client, NetError> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ca.pem");
    std::fs::write(&file, ca.unwrap_or_default()).unwrap();
    Client::new(&NetSettings {
        allow_addresses: vec!["127.0.0.1/32".parse().unwrap()],
        extra_ca_file: ca.map(|_| file),
        user_agent: "heraut/test".to_owned(),
        ..NetSettings::default()
    })
}

#[tokio::test]
async fn a_private_ca_is_trusted_only_when_named() {
    let (port, ca) = serve_tls();
    for host in ["localhost", "127.0.0.1"] {
        let request = Get::new(Url::parse(&format!("https://{host}:{port}/")).unwrap(), "*/*");
        let fetched = client_with(Some(&ca)).unwrap().get(request.clone()).await.unwrap();
        assert_eq!(fetched.body, b"ok");
        let error = client_with(None).unwrap().get(request).await.unwrap_err();
        assert!(
            matches!(error, FetchError::Tls { problem: TlsProblem::UnknownAuthority, .. }) && !error.is_permanent(),
            "{error:?}"
        );
        assert!(error.to_string().contains("net.extra_ca_file"), "{error}");
    }
}

#[test]
fn a_ca_file_without_a_certificate_is_refused() {
    assert!(matches!(client_with(Some(b"")), Err(NetError::ExtraCaEmpty { .. })));
    let broken = b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n";
    assert!(matches!(client_with(Some(broken)), Err(NetError::ExtraCa { .. })));
}
