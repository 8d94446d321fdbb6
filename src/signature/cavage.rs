//! draft-cavage-http-signatures-12.

use url::Url;

use crate::signature::{ParsedSignature, ReceivedRequest, RsaPublicKey, SignatureError, SigningIdentity};
use crate::time::Timestamp;

/// Signs a request: gives the headers to send, names in lower case: `host`, `date`, `signature`, and with a body `digest` and
/// `content-type`. All of them must be sent as they are. `method` is `GET` or `POST`; `content_type` is unused without a body.
/// Call it anew for every attempt, so that the date is fresh.
pub fn sign(
    identity: &SigningIdentity,
    method: &str,
    url: &Url,
    body: Option<&[u8]>,
    content_type: &str,
    now: Timestamp,
) -> Result<Vec<(&'static str, String)>, SignatureError> {
    let _ = (identity, method, url, body, content_type, now);
    todo!()
}

/// Reads and checks everything about a signature that needs no key: `reference/federation.md` 6.1, checks 3 and 4.
/// `our_hosts` are the authorities that we serve (`Base::authority`).
pub fn parse(
    request: &ReceivedRequest<'_>,
    our_hosts: &[&str],
    now: Timestamp,
) -> Result<ParsedSignature, SignatureError> {
    let _ = (request, our_hosts, now);
    todo!()
}

/// Whether `key` made the signature. `key` must come from [`ParsedSignature::key_id`], with its owner's back-link checked.
pub fn verify(parsed: &ParsedSignature, key: &RsaPublicKey) -> Result<(), SignatureError> {
    let _ = (parsed, key);
    todo!()
}
