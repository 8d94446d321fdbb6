//! The `Digest` header (RFC 3230, as the fediverse uses it): SHA-256 over the raw body.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::sha::sha256;

use crate::signature::SignatureError;

/// `SHA-256=<base64>` of the raw body: the value to send.
pub fn make(body: &[u8]) -> String {
    format!("SHA-256={}", STANDARD.encode(sha256(body)))
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
