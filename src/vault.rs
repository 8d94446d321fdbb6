//! Private keys at rest, sealed under one master key. Nothing here shows or logs a key.
//!
//! A sealed value is `version (1 byte, 1) ‖ nonce (12) ‖ ciphertext ‖ tag (16)`: AES-256-GCM (NIST SP 800-38D) with a random
//! nonce. The additional data are the version and a context such as `actor_key:17`, so that a row copied to another row does
//! not open. Random nonces of 96 bits are safe for 2³² seals under one key; an installation makes some thousands.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::rand::rand_bytes;
use openssl::rsa::Rsa;
use openssl::symm::{Cipher, decrypt_aead, encrypt_aead};
use thiserror::Error;

use crate::config::Secret;
use crate::config::environment::MASTER_KEY;

const VERSION: u8 = 1;
const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 12;
const TAG_BYTES: usize = 16;

/// The key that seals all others: 32 random bytes, wiped when dropped, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey([u8; KEY_BYTES]);

/// Private key bytes: wiped when dropped, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct PrivateBytes(Vec<u8>);

/// A fresh RSA-2048 key.
#[derive(Debug)]
pub struct RsaPair {
    /// PKCS#8 DER.
    pub private_pkcs8: PrivateBytes,
    /// SPKI PEM: what `publicKeyPem` carries.
    pub public_pem: String,
}

/// A fresh Ed25519 key.
#[derive(Debug)]
pub struct Ed25519Pair {
    /// PKCS#8 DER.
    pub private_pkcs8: PrivateBytes,
    /// SPKI PEM.
    pub public_pem: String,
    /// The raw 32 bytes: what a Multikey encodes.
    pub public_raw: [u8; 32],
}

/// Why a key cannot be had. No text holds key material.
#[derive(Debug, Error)]
pub enum VaultError {
    /// Neither the file nor the environment has the master key.
    #[error(
        "the master key is missing: {path} cannot be read and {MASTER_KEY} is not set; put the file back from where you keep \
         it; on a new installation run `heraut init`; if it is lost, make a new one and `heraut restore` a backup",
        path = path.display()
    )]
    Missing {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Everybody on the machine can read the file.
    #[error("{path}: every user of this machine can read the master key; run `chmod 600 {path}`", path = path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// The text is not a master key.
    #[error("the master key in {place} is not 32 bytes in base64 or hex; restore it from your backup")]
    Malformed {
        /// The file, or the name of the variable.
        place: String,
    },
    /// The file cannot be written; it is never overwritten.
    #[error("{path}: the master key cannot be written there; if the file exists, it is the key of your actors: keep it", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// What is to be opened was sealed by another version, under another master key, for another context, or was changed.
    #[error("{context}: does not open; the master key is not the one that sealed it, or the stored bytes were changed")]
    Sealed {
        /// What it was to be.
        context: String,
    },
    /// The cryptographic library failed.
    #[error("the cryptographic library failed")]
    Crypto(#[from] ErrorStack),
}

impl MasterKey {
    /// A fresh key.
    pub fn generate() -> Result<Self, VaultError> {
        let mut key = Self([0; KEY_BYTES]);
        rand_bytes(&mut key.0)?;
        Ok(key)
    }

    /// The environment's key where given, else the file's, which must not be readable by everybody.
    pub fn load(file: &Path, environment: Option<&Secret>) -> Result<Self, VaultError> {
        if let Some(secret) = environment {
            return Self::parse(secret.expose()).ok_or_else(|| VaultError::Malformed { place: MASTER_KEY.to_owned() });
        }
        let missing = |source| VaultError::Missing { path: file.to_owned(), source };
        if readable_by_all(file).map_err(missing)? {
            return Err(VaultError::Exposed { path: file.to_owned() });
        }
        let text = std::fs::read_to_string(file).map_err(missing)?;
        Self::parse(&text).ok_or_else(|| VaultError::Malformed { place: file.display().to_string() })
    }

    /// Reads 32 bytes as base64 (44 characters) or hex (64); white space around them is ignored.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let bytes = hex::decode(text).ok().or_else(|| BASE64.decode(text).ok()).map(PrivateBytes)?;
        Some(Self(bytes.expose().try_into().ok()?))
    }

    /// Writes the key as base64 to a new file of mode 0600; refuses to overwrite.
    pub fn write_new(&self, file: &Path) -> Result<(), VaultError> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let text = PrivateBytes(BASE64.encode(self.0).into_bytes());
        options
            .open(file)
            .and_then(|mut f| f.write_all(text.expose()).and_then(|()| f.write_all(b"\n")).and_then(|()| f.sync_all()))
            .map_err(|source| VaultError::Write { path: file.to_owned(), source })
    }

    /// Seals `plain` for `context` (for example `actor_key:17`), which must be given again to open it.
    pub fn seal(&self, context: &str, plain: &[u8]) -> Result<Vec<u8>, VaultError> {
        let mut nonce = [0; NONCE_BYTES];
        rand_bytes(&mut nonce)?;
        let mut tag = [0; TAG_BYTES];
        let secret = encrypt_aead(Cipher::aes_256_gcm(), &self.0, Some(&nonce), &data(context), plain, &mut tag)?;
        Ok([&[VERSION], nonce.as_slice(), &secret, &tag].concat())
    }

    /// Opens what [`MasterKey::seal`] made with the same key and context.
    pub fn open(&self, context: &str, sealed: &[u8]) -> Result<PrivateBytes, VaultError> {
        let refused = || VaultError::Sealed { context: context.to_owned() };
        let rest = sealed.strip_prefix(&[VERSION]).ok_or_else(refused)?;
        let (nonce, rest) = rest.split_at_checked(NONCE_BYTES).ok_or_else(refused)?;
        let end = rest.len().checked_sub(TAG_BYTES).ok_or_else(refused)?;
        let (secret, tag) = rest.split_at_checked(end).ok_or_else(refused)?;
        decrypt_aead(Cipher::aes_256_gcm(), &self.0, Some(nonce), &data(context), secret, tag)
            .map(PrivateBytes)
            .map_err(|_| refused())
    }
}

/// The context for which the private key in a row of `actor_keys` is sealed.
pub fn actor_key(row: impl fmt::Display) -> String {
    format!("actor_key:{row}")
}

/// The context for which the secret in a row of `source_secrets` is sealed.
pub fn source_secret(row: impl fmt::Display) -> String {
    format!("source_secret:{row}")
}

/// The context for which the secrets in a row of `websub_subscriptions` are sealed.
pub fn websub(row: impl fmt::Display) -> String {
    format!("websub:{row}")
}

/// The context for which the access token in a row of `targets` is sealed.
pub fn target(row: impl fmt::Display) -> String {
    format!("target:{row}")
}

/// The additional data of a seal.
fn data(context: &str) -> Vec<u8> {
    [b"heraut-vault:", [VERSION].as_slice(), b":", context.as_bytes()].concat()
}

/// Whether every user of the machine can read a file that holds a secret.
#[cfg(unix)]
pub fn readable_by_all(file: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    // The group may read: that is how orchestrators hand over secrets.
    std::fs::metadata(file).map(|m| m.permissions().mode() & 0o007 != 0)
}

/// Whether every user of the machine can read a file that holds a secret; not known here.
#[cfg(not(unix))]
pub fn readable_by_all(file: &Path) -> io::Result<bool> {
    std::fs::metadata(file).map(|_| false)
}

impl PrivateBytes {
    /// The bytes, for the one place that needs them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for MasterKey {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

impl Drop for PrivateBytes {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

/// Overwrites bytes that are about to be freed. The black box keeps the compiler from leaving the writes out.
fn wipe(bytes: &mut [u8]) {
    bytes.fill(0);
    std::hint::black_box(bytes);
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<master key>")
    }
}

impl fmt::Debug for PrivateBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<private key>")
    }
}

/// Makes an RSA key of 2,048 bits: the one that every peer reads. Takes some tens of milliseconds of one core.
pub fn generate_rsa_2048() -> Result<RsaPair, VaultError> {
    let key = PKey::from_rsa(Rsa::generate(2_048)?)?;
    let public_pem = String::from_utf8_lossy(&key.public_key_to_pem()?).into_owned();
    Ok(RsaPair { private_pkcs8: PrivateBytes(key.private_key_to_pkcs8()?), public_pem })
}

/// Makes an Ed25519 key (RFC 8032).
pub fn generate_ed25519() -> Result<Ed25519Pair, VaultError> {
    let key = PKey::generate_ed25519()?;
    let public_pem = String::from_utf8_lossy(&key.public_key_to_pem()?).into_owned();
    let public_raw = key.raw_public_key()?.try_into().map_err(|_| ErrorStack::get())?;
    Ok(Ed25519Pair { private_pkcs8: PrivateBytes(key.private_key_to_pkcs8()?), public_pem, public_raw })
}

#[cfg(test)]
mod tests;
