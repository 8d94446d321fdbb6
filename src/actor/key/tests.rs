use super::*;

/// A fixed public key, so that snapshots stay the same. Nobody has its private half.
pub(crate) const SAMPLE_PEM: &str = include_str!("sample_rsa_public.pem");

/// A fresh RSA key.
pub(crate) fn rsa_key(bits: u32) -> RsaPrivateKey {
    RsaPrivateKey::from_pkcs8_der(&rsa_der(bits)).unwrap()
}

fn rsa_der(bits: u32) -> Vec<u8> {
    PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap().private_key_to_pkcs8().unwrap()
}

#[test]
fn a_fingerprint_is_the_sha256_of_the_spki_der() {
    let keys = PublicKeys::first(SAMPLE_PEM.to_owned(), String::new());
    let body: String = SAMPLE_PEM.lines().filter(|l| !l.starts_with("-----")).collect();
    let der = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, body).unwrap();
    assert_eq!(keys.fingerprint(), format!("sha256:{}", hex::encode(sha256(&der))));
    let crlf = PublicKeys { rsa_pem: SAMPLE_PEM.replace('\n', "\r\n"), ..keys.clone() };
    assert_eq!(crlf.fingerprint(), keys.fingerprint(), "line ends change nothing");
    let broken = PublicKeys { rsa_pem: "nonsense".to_owned(), ..keys.clone() };
    assert_ne!(broken.fingerprint(), keys.fingerprint());
}

#[test]
fn multikeys_round_trip_and_others_are_refused() {
    let key = [7_u8; 32];
    let text = encode_multikey(&key);
    assert!(text.starts_with("z6Mk"), "{text}");
    assert_eq!(decode_multikey(&text), Ok(key));
    // did:key specification, first Ed25519 example.
    let known = "z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK";
    assert_eq!(encode_multikey(&decode_multikey(known).unwrap()), known);
    let long = format!("z{}", "1".repeat(100_000));
    for wrong in ["", "z", "6Mkha", "z6Mk0OIl", "m7QE", &text[..20], long.as_str()] {
        assert_eq!(decode_multikey(wrong), Err(KeyError::Multikey), "{wrong}");
    }
}

#[test]
fn private_keys_are_read_from_pkcs8_and_print_nothing() {
    let ed25519 = PKey::generate_ed25519().unwrap();
    let ed25519_der = ed25519.private_key_to_pkcs8().unwrap();
    let (rsa, ed) = (rsa_key(2048), Ed25519PrivateKey::from_pkcs8_der(&ed25519_der).unwrap());
    assert_eq!(format!("{rsa:?} {ed:?}"), "RsaPrivateKey(…) Ed25519PrivateKey(…)");
    let keys = PublicKeys::of(&rsa, &ed).unwrap();
    assert!(keys.rsa_pem.starts_with("-----BEGIN PUBLIC KEY-----"));
    assert_eq!(decode_multikey(&keys.ed25519_multibase).unwrap().to_vec(), ed25519.raw_public_key().unwrap());
    assert_eq!(ed.sign(b"x").len(), 64);
    assert!(matches!(RsaPrivateKey::from_pkcs8_der(&ed25519_der), Err(KeyError::Algorithm { .. })));
    assert!(matches!(Ed25519PrivateKey::from_pkcs8_der(&rsa_der(2048)), Err(KeyError::Algorithm { .. })));
    assert!(matches!(RsaPrivateKey::from_pkcs8_der(&rsa_der(1024)), Err(KeyError::Size { bits: 1024 })));
    assert!(matches!(RsaPrivateKey::from_pkcs8_der(b"no"), Err(KeyError::Pkcs8)));
}

#[test]
fn public_keys_are_read_from_spki_and_pkcs1_within_the_accepted_sizes() {
    let rsa = Rsa::generate(2048).unwrap();
    let (spki, pkcs1) = (rsa.public_key_to_pem().unwrap(), rsa.public_key_to_pem_pkcs1().unwrap());
    let signature = RsaPrivateKey::from_pkcs8_der(&PKey::from_rsa(rsa).unwrap().private_key_to_pkcs8().unwrap())
        .unwrap()
        .sign_sha256(b"text")
        .unwrap();
    for pem in [spki, pkcs1] {
        let key = RsaPublicKey::from_pem(&format!("\n{}\n", String::from_utf8(pem).unwrap())).unwrap();
        assert!(key.verifies_sha256(b"text", &signature));
        assert!(!key.verifies_sha256(b"other", &signature));
        assert!(!key.verifies_sha512(b"text", &signature));
        assert!(!key.verifies_sha256(b"text", b""));
    }
    let small = String::from_utf8(Rsa::generate(1024).unwrap().public_key_to_pem().unwrap()).unwrap();
    let ed25519 = String::from_utf8(PKey::generate_ed25519().unwrap().public_key_to_pem().unwrap()).unwrap();
    let padded = format!("{SAMPLE_PEM}{}", " ".repeat(PEM_BYTES_MAX));
    for (pem, wanted) in [
        (small.as_str(), KeyError::Size { bits: 1024 }),
        (ed25519.as_str(), KeyError::Algorithm { wanted: "RSA" }),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", KeyError::Pem),
        (padded.as_str(), KeyError::Pem),
        ("", KeyError::Pem),
    ] {
        assert_eq!(RsaPublicKey::from_pem(pem).err(), Some(wanted), "{pem}");
    }
}
