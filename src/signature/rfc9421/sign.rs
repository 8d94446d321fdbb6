//! Signatures of requests that we send.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use url::Url;

use crate::signature::digest::Digested;
use crate::signature::rfc9421::Challenge;
use crate::signature::{SignatureError, SigningIdentity};
use crate::time::Timestamp;
use crate::urls::authority;

/// Signs a request by RFC 9421 under the label `sig1`: gives the headers to send, names in lower case. Covers method, target and,
/// with a body, `content-digest`, and what a challenge asks for beside them; parameters `created`, `keyid`, `alg`
/// (`reference/federation.md` 4.3). `ed25519` signs with the Ed25519 key, otherwise RSA does. Call it anew for every attempt.
pub fn sign(
    identity: &SigningIdentity,
    (method, url): (&str, &Url),
    body: Option<(&Digested, &str)>,
    ed25519: bool,
    challenge: Option<&Challenge>,
    now: Timestamp,
) -> Result<Vec<(&'static str, String)>, SignatureError> {
    let host = authority(url);
    if host.is_empty() {
        return Err(SignatureError::NoHost(url.to_string()));
    }
    let mut headers = vec![("host", host), ("date", now.to_http_date())];
    if let Some((body, content_type)) = body {
        headers.push(("content-digest", body.content_digest()));
        headers.push(("content-type", content_type.to_owned()));
    }
    let mut covered = vec!["@method", "@target-uri"];
    covered.extend(body.map(|_| "content-digest"));
    let asked = challenge.map(|challenge| challenge.components.as_slice()).unwrap_or_default();
    covered.extend(
        asked.iter().map(String::as_str).filter(|name| !matches!(*name, "@method" | "@target-uri" | "content-digest")),
    );
    let (mut base, mut list) = (String::with_capacity(512), String::with_capacity(64));
    for name in covered {
        let value = value(name, method, url, &headers).ok_or_else(|| SignatureError::Absent(name.to_owned()))?;
        base.extend(["\"", name, "\": ", &value, "\n"]);
        list.extend([if list.is_empty() { "\"" } else { " \"" }, name, "\""]);
    }
    let (key_id, algorithm) = match ed25519 {
        true => (identity.ed25519().ok_or(SignatureError::NoKey("Ed25519"))?.0, "ed25519"),
        false => (identity.key_id(), "rsa-v1_5-sha256"),
    };
    let mut parameters = format!("({list});created={};keyid=\"{key_id}\";alg=\"{algorithm}\"", now.0.div_euclid(1_000));
    for (name, text) in
        [("nonce", challenge.and_then(|c| c.nonce.as_ref())), ("tag", challenge.and_then(|c| c.tag.as_ref()))]
    {
        if let Some(text) = text {
            parameters.extend([";", name, "=\"", &text.replace('\\', "\\\\").replace('"', "\\\""), "\""]);
        }
    }
    base.extend(["\"@signature-params\": ", &parameters]);
    let signature = match identity.ed25519().filter(|_| ed25519) {
        Some((_, key)) => key.sign(base.as_bytes()),
        None => identity.key.sign_sha256(base.as_bytes())?,
    };
    headers.push(("signature-input", format!("sig1={parameters}")));
    headers.push(("signature", format!("sig1=:{}:", STANDARD.encode(signature))));
    Ok(headers)
}

/// What a component of our own request is (RFC 9421 §2); `None` when it does not have it.
fn value(name: &str, method: &str, url: &Url, headers: &[(&'static str, String)]) -> Option<String> {
    let query = || url.query().map(|query| format!("?{query}"));
    Some(match name {
        "@method" => method.to_owned(),
        "@target-uri" => {
            let mut whole = url.clone();
            whole.set_fragment(None);
            whole.to_string()
        }
        "@authority" => authority(url),
        "@scheme" => url.scheme().to_owned(),
        "@path" => url.path().to_owned(),
        "@query" => query().unwrap_or_else(|| "?".to_owned()),
        "@request-target" => format!("{}{}", url.path(), query().unwrap_or_default()),
        _ => headers.iter().find(|(known, _)| *known == name)?.1.clone(),
    })
}
