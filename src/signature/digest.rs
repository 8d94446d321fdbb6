//! The `Digest` header (RFC 3230, as the fediverse uses it): SHA-256 over the raw body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use openssl::sha::{sha256, sha512};

use crate::signature::SignatureError;

/// A body to send, with its digest: the same bytes go to many inboxes, and are digested once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digested {
    bytes: Bytes,
    sha256: String,
}

impl Digested {
    /// Digests a body.
    pub fn new(bytes: Bytes) -> Self {
        let sha256 = STANDARD.encode(sha256(&bytes));
        Self { bytes, sha256 }
    }

    /// The body, byte for byte.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The value of `Digest`: `SHA-256=<base64>`.
    pub fn digest(&self) -> String {
        format!("SHA-256={}", self.sha256)
    }

    /// The value of `Content-Digest` (RFC 9530 §2): `sha-256=:<base64>:`.
    pub fn content_digest(&self) -> String {
        format!("sha-256=:{}:", self.sha256)
    }
}

/// Whether a `Digest` value fits the raw body. Values of other algorithms beside it are passed over; every SHA-256 value must
/// fit, and there must be one.
pub fn check(value: &str, body: &[u8]) -> Result<(), SignatureError> {
    let wanted = sha256(body);
    let mut found = false;
    for part in value.split(',') {
        let Some((algorithm, encoded)) = part.trim().split_once('=') else { continue };
        if !algorithm.eq_ignore_ascii_case("sha-256") {
            continue;
        }
        let bytes = STANDARD.decode(encoded.trim()).map_err(|_| SignatureError::DigestForm)?;
        if bytes != wanted {
            return Err(SignatureError::DigestMismatch);
        }
        found = true;
    }
    if found { Ok(()) } else { Err(SignatureError::DigestForm) }
}

/// Whether the members of a `Content-Digest` (RFC 9530 §2) fit the raw body. Those of other algorithms are passed over; every
/// SHA-256 and SHA-512 must fit, and there must be one.
pub fn check_content<'d>(
    digests: impl Iterator<Item = (&'d str, &'d [u8])>,
    body: &[u8],
) -> Result<(), SignatureError> {
    let mut found = false;
    for (algorithm, bytes) in digests {
        let fits = match algorithm {
            "sha-256" => bytes == sha256(body),
            "sha-512" => bytes == sha512(body),
            _ => continue,
        };
        if !fits {
            return Err(SignatureError::DigestMismatch);
        }
        found = true;
    }
    if found { Ok(()) } else { Err(SignatureError::DigestForm) }
}
