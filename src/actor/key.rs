//! Keys of an actor: public halves, their fingerprints and encodings, and the types that hold private halves. Nothing here
//! makes a key, because the core has no randomness; nothing here prints one.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    Ed25519KeyPair, KeyPair, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA512, RSA_PKCS1_SHA256,
    RSA_PSS_2048_8192_SHA512, RsaKeyPair, VerificationAlgorithm,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::pkey::{Id, PKey};
use openssl::rsa::Rsa;
use openssl::sha::sha256;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::urls::ActorUrl;

/// Smallest RSA modulus that we accept, in bits: every peer read signs with 2048 or more.
pub const RSA_BITS_MIN: u32 = 2_048;
/// Largest RSA modulus that we accept, in bits: a bound on what one verification may cost.
pub const RSA_BITS_MAX: u32 = 8_192;
/// Longest PEM text that we parse, in bytes; an 8192-bit SPKI takes about 1,600.
pub const PEM_BYTES_MAX: usize = 8 * 1024;

/// Multicodec prefix of an Ed25519 public key (`0xed` as a varint).
const ED25519_PREFIX: [u8; 2] = [0xed, 0x01];

/// Why bytes are not a key that we use.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The PEM is too long, or neither SPKI nor PKCS#1.
    #[error("the public key is not PEM in SPKI (`BEGIN PUBLIC KEY`) or PKCS#1 (`BEGIN RSA PUBLIC KEY`) form")]
    Pem,
    /// The key parses but is of another algorithm.
    #[error("the key is not {wanted}")]
    Algorithm {
        /// What was wanted.
        wanted: &'static str,
    },
    /// An RSA modulus outside the accepted range.
    #[error("the RSA key has {bits} bits; {RSA_BITS_MIN} to {RSA_BITS_MAX} are accepted")]
    Size {
        /// Size found, in bits.
        bits: u32,
    },
    /// The bytes are not PKCS#8 DER.
    #[error("the private key is not PKCS#8 DER; restore it from a backup, or make a new one")]
    Pkcs8,
    /// The text is not an Ed25519 Multikey.
    #[error("the text is not an Ed25519 Multikey (`z`, base58btc, prefix 0xed01, 32 bytes; FEP-521a)")]
    Multikey,
    /// OpenSSL could not do it.
    #[error("OpenSSL could not {0}")]
    OpenSsl(&'static str),
    /// The other library failed at this.
    #[error("AWS-LC failed to {0}")]
    AwsLc(&'static str),
}

/// The public halves of an actor's keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKeys {
    /// RSA-2048 as SPKI PEM: the key of `publicKey` and of HTTP signatures.
    pub rsa_pem: String,
    /// Ed25519 as Multikey `publicKeyMultibase` (base58btc with `z`, FEP-521a).
    pub ed25519_multibase: String,
    /// Which keys of the actor these are.
    pub serial: KeySerial,
    /// Those that will take their place, and those whose place they took: both are shown, and count as the actor's.
    pub beside: Vec<KeysBeside>,
}

/// Keys of an actor that do not sign now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeysBeside {
    /// Which ones.
    pub serial: KeySerial,
    /// RSA as SPKI PEM.
    pub rsa_pem: String,
    /// Ed25519 as Multikey.
    pub ed25519_multibase: String,
}

/// The how-manieth keys of an actor: 1 for those that it was made with. New keys have ids of their own, so that nobody takes them
/// for those that he keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KeySerial(pub i32);

impl Default for KeySerial {
    fn default() -> Self {
        Self(1)
    }
}

impl KeySerial {
    /// `<actor>#main-key`, of later ones `<actor>#main-key-2`: the id of an RSA key. Lemmy and snac need a fragment in it.
    pub fn rsa_key_id(self, actor: &ActorUrl) -> String {
        self.id(actor, "main-key")
    }

    /// `<actor>#ed25519`, of later ones `<actor>#ed25519-2`: the id of an Ed25519 key.
    pub fn ed25519_key_id(self, actor: &ActorUrl) -> String {
        self.id(actor, "ed25519")
    }

    fn id(self, actor: &ActorUrl, name: &str) -> String {
        if self == Self::default() { format!("{actor}#{name}") } else { format!("{actor}#{name}-{}", self.0) }
    }
}

impl PublicKeys {
    /// The public halves of two private keys.
    pub fn of(rsa: &RsaPrivateKey, ed25519: &Ed25519PrivateKey) -> Result<Self, KeyError> {
        Ok(Self::first(rsa.public_pem().to_owned(), ed25519.public_multibase()?))
    }

    /// The keys that an actor was made with.
    pub fn first(rsa_pem: String, ed25519_multibase: String) -> Self {
        Self { rsa_pem, ed25519_multibase, serial: KeySerial::default(), beside: Vec::new() }
    }

    /// `sha256:` and the lower-case hex of SHA-256 over the SPKI DER of the RSA key: what a proof names. A PEM that does not
    /// parse is hashed as text, so that it equals the fingerprint of no key.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.rsa_pem)
    }

    /// [`PublicKeys::fingerprint`], and those of the keys beside: a proof may name either while keys are rotated.
    pub fn fingerprints(&self) -> Vec<String> {
        let beside = self.beside.iter().map(|keys| fingerprint(&keys.rsa_pem));
        std::iter::once(self.fingerprint()).chain(beside).collect()
    }
}

fn fingerprint(rsa_pem: &str) -> String {
    let der = PKey::public_key_from_pem(rsa_pem.as_bytes()).and_then(|key| key.public_key_to_der());
    let hash = der.map_or_else(|_| sha256(rsa_pem.as_bytes()), |der| sha256(&der));
    format!("sha256:{}", hex::encode(hash))
}

/// Ed25519 public key to Multikey (FEP-521a).
pub fn encode_multikey(key: &[u8; 32]) -> String {
    let bytes: Vec<u8> = ED25519_PREFIX.iter().chain(key).copied().collect();
    format!("z{}", bs58::encode(bytes).into_string())
}

/// Multikey to Ed25519 public key (FEP-521a); other key types and encodings are refused.
pub fn decode_multikey(text: &str) -> Result<[u8; 32], KeyError> {
    let encoded = text.strip_prefix('z').filter(|t| t.len() <= 64).ok_or(KeyError::Multikey)?;
    let bytes = bs58::decode(encoded).into_vec().map_err(|_| KeyError::Multikey)?;
    let key = bytes.strip_prefix(&ED25519_PREFIX).ok_or(KeyError::Multikey)?;
    key.try_into().map_err(|_| KeyError::Multikey)
}

/// An RSA private key in memory. It has no serialisation; its `Debug` tells nothing. Signs with AWS-LC, which takes a twentieth
/// less than OpenSSL 3 around the same arithmetic.
pub struct RsaPrivateKey {
    key: RsaKeyPair,
    public_pem: String,
}

impl RsaPrivateKey {
    /// Reads unencrypted PKCS#8 DER, as the vault gives it; sizes outside [`RSA_BITS_MIN`]..=[`RSA_BITS_MAX`] are refused.
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, KeyError> {
        let read = PKey::private_key_from_pkcs8(der).map_err(|_| KeyError::Pkcs8)?;
        if read.id() != Id::RSA {
            return Err(KeyError::Algorithm { wanted: "RSA" });
        }
        check_bits(read.bits())?;
        let pem = read.public_key_to_pem().map_err(|_| KeyError::OpenSsl("write the public key"))?;
        let public_pem = String::from_utf8(pem).map_err(|_| KeyError::OpenSsl("write the public key"))?;
        Ok(Self { key: RsaKeyPair::from_pkcs8(der).map_err(|_| KeyError::Pkcs8)?, public_pem })
    }

    /// The public half as SPKI PEM.
    pub fn public_pem(&self) -> &str {
        &self.public_pem
    }

    /// RSASSA-PKCS1-v1_5 with SHA-256 over `message`. Deterministic: this padding uses no randomness, although the library wants
    /// a source of it for others.
    pub fn sign_sha256(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
            .map_err(|_| KeyError::AwsLc("sign with the RSA key"))?;
        Ok(signature)
    }
}

impl fmt::Debug for RsaPrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RsaPrivateKey(…)")
    }
}

/// An Ed25519 private key in memory. It has no serialisation; its `Debug` tells nothing. Signs with AWS-LC, four times as fast as
/// OpenSSL 3 (`reference/stack.md` 4).
pub struct Ed25519PrivateKey(Ed25519KeyPair);

impl Ed25519PrivateKey {
    /// Reads unencrypted PKCS#8 DER, as the vault gives it.
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, KeyError> {
        let read = PKey::private_key_from_pkcs8(der).map_err(|_| KeyError::Pkcs8)?;
        if read.id() != Id::ED25519 {
            return Err(KeyError::Algorithm { wanted: "Ed25519" });
        }
        // "Unchecked": the file holds no public half to check the private one against.
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(Self).map_err(|_| KeyError::Pkcs8)
    }

    /// The public half as Multikey.
    pub fn public_multibase(&self) -> Result<String, KeyError> {
        let raw: [u8; 32] = self.0.public_key().as_ref().try_into().map_err(|_| KeyError::Multikey)?;
        Ok(encode_multikey(&raw))
    }

    /// Ed25519 (RFC 8032) over `message`, 64 bytes.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }
}

impl fmt::Debug for Ed25519PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ed25519PrivateKey(…)")
    }
}

/// The RSA public key of a remote actor, of an accepted size. Verified with AWS-LC, which reads a key in a few microseconds;
/// OpenSSL 3 takes ten times as long as for the verification itself, and most senders send once.
#[derive(Clone)]
pub struct RsaPublicKey {
    der: Vec<u8>,
    sha256: ParsedPublicKey,
}

impl RsaPublicKey {
    /// Reads SPKI or PKCS#1 PEM of at most [`PEM_BYTES_MAX`] bytes, [`RSA_BITS_MIN`]..=[`RSA_BITS_MAX`] bits; refuses others.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        if pem.len() > PEM_BYTES_MAX {
            return Err(KeyError::Pem);
        }
        let der = match plain_der(pem) {
            Some(der) => der,
            None => any_der(pem)?,
        };
        let sha256 = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &der).map_err(|_| KeyError::Pem)?;
        Ok(Self { der, sha256 })
    }

    /// Whether `signature` is RSASSA-PKCS1-v1_5 with SHA-256 over `message`.
    pub fn verifies_sha256(&self, message: &[u8], signature: &[u8]) -> bool {
        self.sha256.verify_sig(message, signature).is_ok()
    }

    /// Whether `signature` is RSASSA-PKCS1-v1_5 with SHA-512 over `message` (WordPress, `hs2019` with a 4096-bit key).
    pub fn verifies_sha512(&self, message: &[u8], signature: &[u8]) -> bool {
        self.verifies(&RSA_PKCS1_2048_8192_SHA512, message, signature)
    }

    /// Whether `signature` is RSASSA-PSS with SHA-512 and a salt of 64 bytes over `message` (`rsa-pss-sha512` of RFC 9421).
    pub fn verifies_pss_sha512(&self, message: &[u8], signature: &[u8]) -> bool {
        self.verifies(&RSA_PSS_2048_8192_SHA512, message, signature)
    }

    fn verifies(&self, algorithm: &'static dyn VerificationAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        let key = ParsedPublicKey::new(algorithm, &self.der);
        key.is_ok_and(|key| key.verify_sig(message, signature).is_ok())
    }
}

impl fmt::Debug for RsaPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RsaPublicKey").field(&self.der.len()).finish()
    }
}

/// The DER in a PEM as nearly everybody writes it, if it is an RSA key of an accepted size.
fn plain_der(pem: &str) -> Option<Vec<u8>> {
    let (label, rest) = pem.trim().strip_prefix("-----BEGIN ")?.split_once("-----")?;
    let body = rest.strip_suffix("-----")?.strip_suffix(label)?.strip_suffix("-----END ")?;
    let text: String = body.split_ascii_whitespace().collect();
    let der = STANDARD.decode(text).ok()?;
    let rsa = match label {
        "PUBLIC KEY" => Rsa::public_key_from_der(&der).ok()?,
        "RSA PUBLIC KEY" => Rsa::public_key_from_der_pkcs1(&der).ok()?,
        _ => return None,
    };
    check_bits(u32::try_from(rsa.n().num_bits()).ok()?).ok()?;
    Some(der)
}

/// The SPKI DER of a PEM that OpenSSL reads, or what is wrong with it.
fn any_der(pem: &str) -> Result<Vec<u8>, KeyError> {
    let bytes = pem.trim().as_bytes();
    let key = match PKey::public_key_from_pem(bytes) {
        Ok(key) => key,
        Err(_) => Rsa::public_key_from_pem_pkcs1(bytes).and_then(PKey::from_rsa).map_err(|_| KeyError::Pem)?,
    };
    if key.id() != Id::RSA {
        return Err(KeyError::Algorithm { wanted: "RSA" });
    }
    check_bits(key.bits())?;
    key.public_key_to_der().map_err(|_| KeyError::OpenSsl("write the public key"))
}

fn check_bits(bits: u32) -> Result<(), KeyError> {
    if (RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) { Ok(()) } else { Err(KeyError::Size { bits }) }
}

#[cfg(test)]
pub(crate) mod tests;
