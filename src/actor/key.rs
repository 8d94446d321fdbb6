//! Public keys of an actor and their fingerprints. Private keys never appear in the core except inside
//! `signature::SigningIdentity`.

use serde::{Deserialize, Serialize};

/// The public halves of an actor's keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKeys {
    /// RSA-2048 as SPKI PEM: the key of `publicKey` and of HTTP signatures.
    pub rsa_pem: String,
    /// Ed25519 as Multikey `publicKeyMultibase` (base58btc with `z`, FEP-521a).
    pub ed25519_multibase: String,
}
