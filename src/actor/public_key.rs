//! Public keys of others, of every kind that signs requests: RSA, Ed25519 and ECDSA over P-256.

use std::fmt;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::bn::BigNumContext;
use openssl::ec::PointConversionForm;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Public};

use crate::actor::key::{KeyError, PEM_BYTES_MAX, RsaPublicKey, decode_multikey};

/// What stands before the 32 bytes of an Ed25519 key in its SPKI DER (RFC 8410 §4).
const ED25519_SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// How a signature is made: the names of RFC 9421 §6.2.2. HMAC is not among them, because nobody shares a secret with us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256: `rsa-v1_5-sha256`, what the fediverse uses.
    RsaV15Sha256,
    /// RSASSA-PKCS1-v1_5 with SHA-512: no name in RFC 9421; WordPress means it by `hs2019`.
    RsaV15Sha512,
    /// RSASSA-PSS with SHA-512: `rsa-pss-sha512`.
    RsaPssSha512,
    /// ECDSA over P-256 with SHA-256: `ecdsa-p256-sha256`.
    EcdsaP256Sha256,
    /// `ed25519` (RFC 8032).
    Ed25519,
}

impl SignatureAlgorithm {
    /// The algorithm of that name in RFC 9421 §6.2.2.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "rsa-v1_5-sha256" => Self::RsaV15Sha256,
            "rsa-pss-sha512" => Self::RsaPssSha512,
            "ecdsa-p256-sha256" => Self::EcdsaP256Sha256,
            "ed25519" => Self::Ed25519,
            _ => return None,
        })
    }
}

/// The public key of a remote actor.
#[derive(Debug, Clone)]
pub enum PublicKey {
    /// RSA of an accepted size.
    Rsa(RsaPublicKey),
    /// Ed25519.
    Ed25519([u8; 32]),
    /// A point on P-256, uncompressed.
    P256(P256Point),
}

/// A point on P-256, uncompressed.
#[derive(Clone)]
pub struct P256Point(Vec<u8>);

impl fmt::Debug for P256Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("P256Point")
    }
}

impl PublicKey {
    /// Reads PEM of at most [`PEM_BYTES_MAX`] bytes: an RSA key as [`RsaPublicKey::from_pem`] takes it, or SPKI of an Ed25519 or
    /// P-256 key; refuses others.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        match RsaPublicKey::from_pem(pem) {
            Err(KeyError::Algorithm { .. }) if pem.len() <= PEM_BYTES_MAX => Self::other(pem),
            rsa => rsa.map(Self::Rsa),
        }
    }

    fn other(pem: &str) -> Result<Self, KeyError> {
        let key = PKey::public_key_from_pem(pem.trim().as_bytes()).map_err(|_| KeyError::Pem)?;
        match key.id() {
            Id::ED25519 => {
                let raw = key.raw_public_key().map_err(|_| KeyError::OpenSsl("read the Ed25519 key"))?;
                raw.try_into().map(Self::Ed25519).map_err(|_| KeyError::Pem)
            }
            Id::EC => p256(&key).map(|point| Self::P256(P256Point(point))),
            _ => Err(KeyError::Algorithm { wanted: "RSA, Ed25519 or ECDSA over P-256" }),
        }
    }

    /// Whether `signature` was made over `message` with this key and that algorithm. An algorithm of another kind of key never
    /// fits.
    pub fn verifies(&self, algorithm: SignatureAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        match (self, algorithm) {
            (Self::Rsa(key), SignatureAlgorithm::RsaV15Sha256) => key.verifies_sha256(message, signature),
            (Self::Rsa(key), SignatureAlgorithm::RsaV15Sha512) => key.verifies_sha512(message, signature),
            (Self::Rsa(key), SignatureAlgorithm::RsaPssSha512) => key.verifies_pss_sha512(message, signature),
            (Self::Ed25519(key), SignatureAlgorithm::Ed25519) => verifies_ed25519(key, message, signature),
            (Self::P256(P256Point(point)), SignatureAlgorithm::EcdsaP256Sha256) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature).is_ok()
            }
            _ => false,
        }
    }
}

/// Whether `signature` is Ed25519 (RFC 8032) over `message`.
pub fn verifies_ed25519(key: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, key).verify(message, signature).is_ok()
}

fn p256(key: &PKey<Public>) -> Result<Vec<u8>, KeyError> {
    let wanted = || KeyError::Algorithm { wanted: "RSA, Ed25519 or ECDSA over P-256" };
    let ec = key.ec_key().map_err(|_| KeyError::Pem)?;
    if ec.group().curve_name() != Some(Nid::X9_62_PRIME256V1) {
        return Err(wanted());
    }
    let point = BigNumContext::new()
        .and_then(|mut context| ec.public_key().to_bytes(ec.group(), PointConversionForm::UNCOMPRESSED, &mut context));
    point.map_err(|_| KeyError::OpenSsl("read the P-256 key"))
}

/// The SPKI PEM of an Ed25519 Multikey (FEP-521a), so that keys of all kinds are kept in one form.
pub fn multikey_to_pem(text: &str) -> Result<String, KeyError> {
    let der: Vec<u8> = ED25519_SPKI.into_iter().chain(decode_multikey(text)?).collect();
    Ok(format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_multikey_is_kept_as_pem_and_read_back() {
        // did:key specification, first Ed25519 example.
        let text = "z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK";
        let key = PublicKey::from_pem(&multikey_to_pem(text).unwrap()).unwrap();
        assert!(matches!(key, PublicKey::Ed25519(raw) if raw == decode_multikey(text).unwrap()), "{key:?}");
        assert!(multikey_to_pem("z6Mk").is_err());
    }

    #[test]
    fn keys_of_other_kinds_are_refused() {
        let der = |key: PKey<openssl::pkey::Private>| String::from_utf8(key.public_key_to_pem().unwrap()).unwrap();
        let curve = |nid| {
            let group = openssl::ec::EcGroup::from_curve_name(nid).unwrap();
            PKey::from_ec_key(openssl::ec::EcKey::generate(&group).unwrap()).unwrap()
        };
        assert!(matches!(PublicKey::from_pem(&der(curve(Nid::X9_62_PRIME256V1))), Ok(PublicKey::P256(_))));
        assert!(matches!(PublicKey::from_pem(&der(curve(Nid::SECP384R1))), Err(KeyError::Algorithm { .. })));
        assert!(matches!(PublicKey::from_pem(&der(PKey::generate_x25519().unwrap())), Err(KeyError::Algorithm { .. })));
        assert!(matches!(PublicKey::from_pem("nonsense"), Err(KeyError::Pem)));
    }

    #[test]
    fn an_algorithm_of_another_kind_of_key_never_fits() {
        let pair = PKey::generate_ed25519().unwrap();
        let key = PublicKey::Ed25519(pair.raw_public_key().unwrap().try_into().unwrap());
        let mut signer = openssl::sign::Signer::new_without_digest(&pair).unwrap();
        let signature = signer.sign_oneshot_to_vec(b"x").unwrap();
        for (algorithm, fits) in [
            (SignatureAlgorithm::Ed25519, true),
            (SignatureAlgorithm::RsaV15Sha256, false),
            (SignatureAlgorithm::RsaPssSha512, false),
            (SignatureAlgorithm::EcdsaP256Sha256, false),
        ] {
            assert_eq!(key.verifies(algorithm, b"x", &signature), fits, "{algorithm:?}");
        }
        assert!(!key.verifies(SignatureAlgorithm::Ed25519, b"y", &signature));
    }
}
