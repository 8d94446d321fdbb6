//! draft-cavage-http-signatures-12.
//!
//! Windows, from `reference/federation.md` 4.2: `Date` and `(created)` at most [`WINDOW`] from now in either direction, which
//! is what Mastodon, Lemmy and PieFed leave for clocks; `expires` at most [`EXPIRY_MARGIN`] ago. A request is signed when it is
//! sent, so no peer needs more.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use url::Url;

use crate::actor::public_key::PublicKey;
use crate::signature::digest::{self, Digested};
use crate::signature::parameters;
use crate::signature::{
    Algorithm, How, ParsedSignature, ReceivedRequest, RsaPublicKey, SignatureError, SigningIdentity, rfc9421,
};
use crate::time::Timestamp;
use crate::urls::{KeyUrl, authority};

/// How far `Date` or `(created)` may be from now, in either direction.
pub const WINDOW: Duration = Duration::from_secs(3_600);
/// How long after its `expires` a signature is still taken, for clocks that differ.
pub const EXPIRY_MARGIN: Duration = Duration::from_secs(300);

const TARGET: &str = "(request-target)";
const CREATED: &str = "(created)";
const EXPIRES: &str = "(expires)";

/// Signs a request: gives the headers to send, names in lower case: `host`, `date`, `signature`, and with a body `digest` and
/// `content-type`. All of them must be sent as they are. `method` is `GET` or `POST`; `content_type` is unused without a body.
/// Call it anew for every attempt, so that the date is fresh.
pub fn sign(
    identity: &SigningIdentity,
    method: &str,
    url: &Url,
    body: Option<&Digested>,
    content_type: &str,
    now: Timestamp,
) -> Result<Vec<(&'static str, String)>, SignatureError> {
    let host = authority(url);
    if host.is_empty() {
        return Err(SignatureError::NoHost(url.to_string()));
    }
    let mut headers = vec![("host", host), ("date", now.to_http_date())];
    if let Some(body) = body {
        headers.push(("digest", body.digest()));
        headers.push(("content-type", content_type.to_owned()));
    }
    // Path and query, as the peers that build it properly do; our own ids and inboxes have no query, so all readings agree.
    let target = match url.query() {
        Some(query) => format!("{}?{query}", url.path()),
        None => url.path().to_owned(),
    };
    let (mut text, mut names) = (String::with_capacity(512), String::with_capacity(64));
    text.extend([TARGET, ": ", &method.to_ascii_lowercase(), " ", &target]);
    names.push_str(TARGET);
    for (name, value) in &headers {
        text.extend(["\n", name, ": ", value]);
        names.extend([" ", name]);
    }
    let signature = STANDARD.encode(identity.key.sign_sha256(text.as_bytes())?);
    let mut value = String::with_capacity(768);
    value.extend(["keyId=\"", &identity.key_id, "\",algorithm=\"rsa-sha256\",headers=\"", &names]);
    value.extend(["\",signature=\"", &signature, "\""]);
    headers.push(("signature", value));
    Ok(headers)
}

/// Reads and checks everything about a signature that needs no key: `reference/federation.md` 6.1, checks 3 and 4.
/// `our_hosts` are the authorities that we serve (`Base::authority`).
pub fn parse(
    request: &ReceivedRequest<'_>,
    our_hosts: &[&str],
    now: Timestamp,
) -> Result<ParsedSignature, SignatureError> {
    let parameters = parameters::read(find(request)?)?;
    let key_id = parameters.key_id.as_deref().ok_or(SignatureError::Missing("keyId"))?;
    let key_id = KeyUrl::parse(key_id).map_err(|_| SignatureError::Malformed("keyId is not an http(s) URL"))?;
    let signature = parameters.signature.as_deref().ok_or(SignatureError::Missing("signature"))?;
    let signature = STANDARD.decode(signature).map_err(|_| SignatureError::Malformed("signature is not base64"))?;
    let algorithm = match parameters.algorithm.as_deref().map(str::to_ascii_lowercase).as_deref() {
        Some("rsa-sha256") => Algorithm::RsaSha256,
        // Absent means hs2019 (draft 12, 2.1.3).
        Some("hs2019") | None => Algorithm::Hs2019,
        Some(other) => return Err(SignatureError::Algorithm(other.to_owned())),
    };
    let covered = covered(parameters.headers.as_deref())?;
    check_host(request, &covered, our_hosts)?;
    check_time(request, &covered, &parameters, now)?;
    check_digest(request, &covered)?;
    let mut candidates = vec![signing_string(request, &covered, &parameters, request.path_and_query)?];
    if let Some((path, _)) = request.path_and_query.split_once('?') {
        // Friendica, PieFed and older Mastodon sign the path alone.
        candidates.push(signing_string(request, &covered, &parameters, path)?);
    }
    Ok(ParsedSignature { key_id, how: How::Cavage(algorithm), signature, candidates })
}

/// Whether `key` made the signature. `key` must come from [`ParsedSignature::key_id`], with its owner's back-link checked.
pub fn verify(parsed: &ParsedSignature, key: &RsaPublicKey) -> Result<(), SignatureError> {
    parsed.verify(&PublicKey::Rsa(key.clone())).map(|_| ())
}

/// The one signature of a request.
fn find<'a>(request: &ReceivedRequest<'a>) -> Result<&'a str, SignatureError> {
    // With Signature-Input beside it, `Signature` is that of RFC 9421 unless it is written as a cavage one.
    let by_rfc9421 = request.values("signature-input").next().is_some();
    let cavage = |value: &&str| !by_rfc9421 || rfc9421::is_cavage(value);
    let found = request.values("signature").filter(cavage);
    let authorization = request.values("authorization").filter_map(|value| {
        let (scheme, rest) = value.trim().split_once(' ')?;
        scheme.eq_ignore_ascii_case("signature").then_some(rest)
    });
    let all: Vec<&str> = found.chain(authorization).collect();
    match all.as_slice() {
        [one] => Ok(one),
        [] => Err(SignatureError::Unsigned),
        several => Err(SignatureError::Several(several.len())),
    }
}

/// The covered components, lower-case; no list means `(created)` alone (draft 12, 2.1.6), which is too little for us.
fn covered(list: Option<&str>) -> Result<Vec<String>, SignatureError> {
    let list = list.unwrap_or(CREATED);
    let mut names: Vec<String> = Vec::new();
    for name in list.split_ascii_whitespace() {
        let name = name.to_ascii_lowercase();
        if names.contains(&name) {
            return Err(SignatureError::Malformed("headers names a header twice"));
        }
        names.push(name);
    }
    if !names.iter().any(|n| n == TARGET) {
        return Err(SignatureError::NotCovered(TARGET));
    }
    Ok(names)
}

fn covers(covered: &[String], name: &str) -> bool {
    covered.iter().any(|n| n == name)
}

fn check_host(request: &ReceivedRequest<'_>, names: &[String], our_hosts: &[&str]) -> Result<(), SignatureError> {
    if !covers(names, "host") {
        return Err(SignatureError::NotCovered("host"));
    }
    let host = request.single("host")?.ok_or_else(|| SignatureError::Absent("host".to_owned()))?;
    let bare = host.trim().to_ascii_lowercase();
    let bare = bare.strip_suffix(":443").unwrap_or(&bare);
    if our_hosts.iter().any(|ours| ours.eq_ignore_ascii_case(bare)) {
        return Ok(());
    }
    Err(SignatureError::Host(host.to_owned()))
}

fn check_time(
    request: &ReceivedRequest<'_>,
    names: &[String],
    parameters: &parameters::Parameters,
    now: Timestamp,
) -> Result<(), SignatureError> {
    let (dated, created) = (covers(names, "date"), covers(names, CREATED));
    if !dated && !created {
        return Err(SignatureError::NotCovered("date"));
    }
    if created {
        let created = parameters.created.ok_or(SignatureError::Missing("created"))?;
        check_window(seconds(created), now)?;
    }
    if dated {
        let text = request.single("date")?.ok_or_else(|| SignatureError::Absent("date".to_owned()))?;
        let date = Timestamp::parse_http_date(text).ok_or_else(|| SignatureError::Date(text.to_owned()))?;
        check_window(date, now)?;
    }
    match parameters.expires {
        Some(expires) if seconds(expires).after(EXPIRY_MARGIN) < now => {
            Err(SignatureError::Expired(seconds(expires).to_rfc3339()))
        }
        _ => Ok(()),
    }
}

fn seconds(epoch_s: i64) -> Timestamp {
    Timestamp(epoch_s.saturating_mul(1_000))
}

fn check_window(at: Timestamp, now: Timestamp) -> Result<(), SignatureError> {
    if at > now.after(WINDOW) || at < now.before(WINDOW) {
        return Err(SignatureError::Window(at.to_rfc3339()));
    }
    Ok(())
}

/// On POST the digest must be covered; wherever there is one, it must fit the raw body.
fn check_digest(request: &ReceivedRequest<'_>, names: &[String]) -> Result<(), SignatureError> {
    let needed = !matches!(request.method, "GET" | "HEAD") || !request.body.is_empty();
    if needed && !covers(names, "digest") {
        return Err(SignatureError::NotCovered("digest"));
    }
    match request.single("digest")? {
        Some(value) => digest::check(value, request.body),
        None if needed => Err(SignatureError::Absent("digest".to_owned())),
        None => Ok(()),
    }
}

/// Draft 12, 2.3. The order is that of the `headers` parameter.
fn signing_string(
    request: &ReceivedRequest<'_>,
    names: &[String],
    parameters: &parameters::Parameters,
    target: &str,
) -> Result<String, SignatureError> {
    let mut lines = Vec::with_capacity(names.len());
    for name in names {
        let value = match name.as_str() {
            TARGET => format!("{} {target}", request.method.to_ascii_lowercase()),
            CREATED => parameters.created.ok_or(SignatureError::Missing("created"))?.to_string(),
            EXPIRES => parameters.expires.ok_or(SignatureError::Missing("expires"))?.to_string(),
            _ => {
                let values: Vec<&str> = request.values(name).map(str::trim).collect();
                if values.is_empty() {
                    return Err(SignatureError::Absent(name.clone()));
                }
                values.join(", ")
            }
        };
        lines.push(format!("{name}: {value}"));
    }
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests;
