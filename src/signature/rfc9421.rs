//! HTTP Message Signatures (RFC 9421) with Ed25519, outward. Which peers take them is not known yet: it is sent only where a
//! benchmark asks for it ([`crate::config::environment::BENCH_SIGNATURE`]).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use url::Url;

use crate::signature::digest::Digested;
use crate::signature::{SignatureError, SigningIdentity};
use crate::time::Timestamp;

/// Signs a POST: gives the headers to send, names in lower case. Covers method, target, `content-digest` (RFC 9530) and
/// `content-type`, with `created`, `keyid` and `alg` (RFC 9421 §2.3).
pub fn sign_post(
    identity: &SigningIdentity,
    url: &Url,
    body: &Digested,
    content_type: &str,
    now: Timestamp,
) -> Result<Vec<(&'static str, String)>, SignatureError> {
    let (key_id, key) = identity.ed25519().ok_or(SignatureError::NoKey("Ed25519"))?;
    let digest = body.content_digest();
    let parameters = format!(
        "(\"@method\" \"@target-uri\" \"content-digest\" \"content-type\");created={};keyid=\"{key_id}\";alg=\"ed25519\"",
        now.0.div_euclid(1_000)
    );
    // RFC 9421 §2.5: a line per component, the parameters last, no newline at the end.
    let base = format!(
        "\"@method\": POST\n\"@target-uri\": {url}\n\"content-digest\": {digest}\n\"content-type\": {content_type}\n\
         \"@signature-params\": {parameters}"
    );
    let signature = STANDARD.encode(key.sign(base.as_bytes())?);
    Ok(vec![
        ("content-digest", digest),
        ("content-type", content_type.to_owned()),
        ("date", now.to_http_date()),
        ("signature-input", format!("sig1={parameters}")),
        ("signature", format!("sig1=:{signature}:")),
    ])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;
    use openssl::pkey::PKey;
    use openssl::sign::Verifier;

    use super::*;
    use crate::actor::key::Ed25519PrivateKey;
    use crate::actor::key::tests::rsa_key;
    use crate::actor::verification::tests::{NOW, verified};

    #[test]
    fn the_signature_covers_method_target_digest_and_type() {
        let pair = PKey::generate_ed25519().unwrap();
        let key = Ed25519PrivateKey::from_pkcs8_der(&pair.private_key_to_pkcs8().unwrap()).unwrap();
        let identity = SigningIdentity::verified(&verified(), Arc::new(rsa_key(2048)));
        let url = Url::parse("https://peer.example/inbox?a=b").unwrap();
        let body = Digested::new(Bytes::from_static(b"{}"));
        let sign = |identity| sign_post(identity, &url, &body, "application/activity+json", NOW);
        assert!(matches!(sign(&identity), Err(SignatureError::NoKey("Ed25519"))));

        let headers = sign(&identity.clone().with_ed25519(&verified(), Arc::new(key))).unwrap();
        let value = |name: &str| headers.iter().find(|(n, _)| *n == name).unwrap().1.clone();
        let parameters = value("signature-input").strip_prefix("sig1=").unwrap().to_owned();
        assert!(parameters.ends_with(";alg=\"ed25519\""), "{parameters}");
        let base = format!(
            "\"@method\": POST\n\"@target-uri\": https://peer.example/inbox?a=b\n\"content-digest\": {}\n\
             \"content-type\": application/activity+json\n\"@signature-params\": {parameters}",
            value("content-digest")
        );
        let signature = value("signature").trim_start_matches("sig1=:").trim_end_matches(':').to_owned();
        let signature = STANDARD.decode(signature).unwrap();
        let mut verifier = Verifier::new_without_digest(&pair).unwrap();
        assert!(verifier.verify_oneshot(&signature, base.as_bytes()).unwrap());
        assert_eq!(value("content-digest"), "sha-256=:RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=:");
    }
}
