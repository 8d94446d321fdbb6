//! The signature check of a remote server: draft-cavage with the key in the signer's own document, independent of
//! `src/signature`.

use std::collections::HashMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use heraut::time::Timestamp;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Verifier;

use super::key::digest;
use super::server::Request;

/// What our signatures have to cover (`reference/federation.md` 4.2).
const COVERED: [&str; 5] = ["(request-target)", "host", "date", "digest", "content-type"];
/// How far the `Date` may be off: as much as the strictest of servers takes.
const WINDOW: Duration = Duration::from_secs(60);

/// The parameters of a `Signature` header.
pub fn parameters(value: &str) -> HashMap<&str, &str> {
    value
        .split("\",")
        .filter_map(|part| part.split_once('='))
        .map(|(name, value)| (name.trim(), value.trim_matches('"')))
        .collect()
}

/// Checks all of a POST but who the key belongs to. `pem` is the key that the signer's document gives.
pub fn check(request: &Request, authority: &str, pem: &str, now: Timestamp) -> Result<(), String> {
    let parameters = parameters(request.header("signature").ok_or("not signed")?);
    let parameter = |name: &str| parameters.get(name).copied().ok_or(format!("no {name}"));
    let covered: Vec<&str> = parameter("headers")?.split(' ').collect();
    if let Some(missing) = COVERED.iter().find(|name| !covered.contains(name)) {
        return Err(format!("{missing} is not covered"));
    }
    if request.header("host") != Some(authority) {
        return Err(format!("Host is {:?}", request.header("host")));
    }
    if request.header("digest") != Some(&digest(&request.body)) {
        return Err("Digest is not that of the body".to_owned());
    }
    let date = request.header("date").and_then(Timestamp::parse_http_date).ok_or("no Date")?;
    if date.since(now).max(now.since(date)) > WINDOW {
        return Err(format!("Date is {date}, now is {now}"));
    }
    let text = text(request, &covered)?;
    let key = PKey::public_key_from_pem(pem.as_bytes()).map_err(|e| e.to_string())?;
    let mut verifier = Verifier::new(MessageDigest::sha256(), &key).map_err(|e| e.to_string())?;
    verifier.update(text.as_bytes()).map_err(|e| e.to_string())?;
    let signature = STANDARD.decode(parameter("signature")?).map_err(|e| e.to_string())?;
    match verifier.verify(&signature) {
        Ok(true) => Ok(()),
        _ => Err("the signature does not hold".to_owned()),
    }
}

fn text(request: &Request, covered: &[&str]) -> Result<String, String> {
    let line = |name: &&str| match *name {
        "(request-target)" => {
            Ok(format!("(request-target): {} {}", request.method.to_ascii_lowercase(), request.target))
        }
        name => {
            let value = request.header(name).ok_or(format!("{name} is covered and not there"))?;
            Ok(format!("{name}: {value}"))
        }
    };
    let lines: Result<Vec<String>, String> = covered.iter().map(line).collect();
    Ok(lines?.join("\n"))
}
