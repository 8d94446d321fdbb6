//! RSA keys of remote actors. Making one takes long, so there are a few, made once; whose key it is, its id says.

use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;

const KEYS: usize = 3;

static MADE: [OnceLock<PKey<Private>>; KEYS] = [const { OnceLock::new() }; KEYS];

/// One of a few private keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key(usize);

impl Key {
    /// The key that accounts have unless they are told otherwise.
    pub const USUAL: Self = Self(0);
    /// Another key.
    pub const OTHER: Self = Self(1);
    /// A third key.
    pub const THIRD: Self = Self(2);

    fn private(self) -> &'static PKey<Private> {
        MADE[self.0].get_or_init(|| PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap())
    }

    /// The public key as `publicKeyPem` has it.
    pub fn pem(self) -> String {
        String::from_utf8(self.private().public_key_to_pem().unwrap()).unwrap()
    }

    /// RSASSA-PKCS1-v1_5 over SHA-256, in base64.
    pub fn sign(self, text: &str) -> String {
        let mut signer = Signer::new(MessageDigest::sha256(), self.private()).unwrap();
        signer.update(text.as_bytes()).unwrap();
        STANDARD.encode(signer.sign_to_vec().unwrap())
    }
}

/// The value of a `Digest` header.
pub fn digest(body: &[u8]) -> String {
    format!("SHA-256={}", STANDARD.encode(openssl::sha::sha256(body)))
}
