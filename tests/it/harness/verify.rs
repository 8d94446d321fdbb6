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

/// The key id of a `Signature-Input`.
pub fn key_id(input: &str) -> Result<String, String> {
    let (_, rest) = input.split_once("keyid=\"").ok_or("no keyid")?;
    rest.split_once('"').map(|(id, _)| id.to_owned()).ok_or_else(|| "no keyid".to_owned())
}

/// Checks all of a POST signed by RFC 9421 but who the key belongs to: the profile of `reference/federation.md` 4.3.
pub fn check_rfc9421(request: &Request, authority: &str, input: &str, pem: &str, now: Timestamp) -> Result<(), String> {
    let parameters = input.strip_prefix("sig1=").ok_or("no label sig1")?;
    if !parameters.starts_with("(\"@method\" \"@target-uri\" \"content-digest\");created=") {
        return Err(format!("covers something else: {parameters}"));
    }
    let created = parameters.split("created=").nth(1).and_then(|rest| rest.split(';').next()?.parse::<i64>().ok());
    let created = Timestamp(created.ok_or("no created")? * 1_000);
    if created.since(now).max(now.since(created)) > WINDOW {
        return Err(format!("created {created}, now is {now}"));
    }
    let wanted = digest(&request.body).replace("SHA-256=", "sha-256=:") + ":";
    if request.header("content-digest") != Some(&wanted) {
        return Err("Content-Digest is not that of the body".to_owned());
    }
    let text = format!(
        "\"@method\": {}\n\"@target-uri\": http://{authority}{}\n\"content-digest\": {wanted}\n\"@signature-params\": {parameters}",
        request.method, request.target
    );
    let signature = request.header("signature").unwrap_or_default();
    let signature = signature.trim_start_matches("sig1=:").trim_end_matches(':');
    let signature = STANDARD.decode(signature).map_err(|e| e.to_string())?;
    let key = PKey::public_key_from_pem(pem.as_bytes()).map_err(|e| e.to_string())?;
    let mut verifier = Verifier::new(MessageDigest::sha256(), &key).map_err(|e| e.to_string())?;
    verifier.update(text.as_bytes()).map_err(|e| e.to_string())?;
    match verifier.verify(&signature) {
        Ok(true) => Ok(()),
        _ => Err("the signature does not hold".to_owned()),
    }
}
