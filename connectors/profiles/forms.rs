//! The forms in which signatures come, checked with the cryptography of aws-lc.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use chrono::DateTime;

use super::table::{Coding, Hash, Part, Plain, Scheme};
use super::{Profile, Refusal, SIGNATURES_MAX, Signed, Verified};
use crate::contract::Secret;
use crate::item::EpochMs;

/// Senders differ in whether they pad.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

pub(super) fn verify(profile: &Profile, request: &Signed<'_>, secrets: &[Secret]) -> Result<Verified, Refusal> {
    match profile.row.scheme {
        Scheme::Plain(plain) => one_header(profile, &plain, request, secrets),
        Scheme::Standard => standard(request, secrets),
        Scheme::Ghost => ghost(request, secrets),
        Scheme::Sanity => sanity(request, secrets),
        Scheme::Contentful => contentful(request, secrets),
        Scheme::WebSub => websub(request, secrets),
        Scheme::Static => password(profile, request, secrets),
        Scheme::Path => in_path(request, secrets),
    }
}

fn signed_at(at: Option<EpochMs>) -> Verified {
    Verified { at, body_is_signed: true, ..Verified::default() }
}

fn header<'a>(request: &Signed<'a>, name: &str) -> Result<&'a str, Refusal> {
    request.header(name).ok_or_else(|| Refusal::Missing(name.to_owned()))
}

fn malformed(name: &str, profile: &'static str) -> Refusal {
    Refusal::Malformed(name.to_owned(), profile)
}

/// Whether the signature is that of any secret over these parts. The comparison takes constant time.
fn holds(hash: Hash, secrets: &[impl AsRef<[u8]>], parts: &[&[u8]], signature: &[u8]) -> bool {
    let algorithm = match hash {
        Hash::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        Hash::Sha256 => hmac::HMAC_SHA256,
        Hash::Sha384 => hmac::HMAC_SHA384,
        Hash::Sha512 => hmac::HMAC_SHA512,
    };
    secrets.iter().any(|secret| {
        let mut context = hmac::Context::with_key(&hmac::Key::new(algorithm, secret.as_ref()));
        parts.iter().for_each(|part| context.update(part));
        verify_slices_are_equal(context.sign().as_ref(), signature).is_ok()
    })
}

fn keys(secrets: &[Secret]) -> Vec<&[u8]> {
    secrets.iter().map(|secret| secret.reveal().as_bytes()).collect()
}

fn decode(text: &str, coding: Coding) -> Option<Vec<u8>> {
    let hex = || hex::decode(text).ok();
    let base64 = || BASE64.decode(text).ok();
    match coding {
        Coding::Hex => hex(),
        Coding::Base64 => base64(),
        Coding::Any => hex().or_else(base64),
    }
}

/// Seconds since 1970, or RFC 3339.
fn time(text: &str) -> Option<EpochMs> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse::<i64>().ok()?.checked_mul(1_000);
    }
    DateTime::parse_from_rfc3339(text).ok().map(|at| at.timestamp_millis())
}

fn milliseconds(text: &str) -> Option<EpochMs> {
    Some(text).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()
}

fn one_header(profile: &Profile, plain: &Plain, request: &Signed<'_>, secrets: &[Secret]) -> Result<Verified, Refusal> {
    let row = profile.row.name;
    let first = plain.headers.first().copied().unwrap_or_default();
    let found = plain.headers.iter().find_map(|name| request.header(name));
    let value = found.ok_or_else(|| Refusal::Missing(first.to_owned()))?;
    if let Some((name, wanted)) = plain.hash_named
        && request.header(name).is_some_and(|named| !named.eq_ignore_ascii_case(wanted))
    {
        return Err(malformed(name, row));
    }
    let written = value.strip_prefix(plain.prefix).ok_or_else(|| malformed(first, row))?;
    let signature = decode(written, plain.coding).ok_or_else(|| malformed(first, row))?;
    let (stamp, at) = match plain.time {
        None => ("", None),
        Some(name) => {
            let stamp = header(request, name)?;
            (stamp, Some(time(stamp).ok_or_else(|| malformed(name, row))?))
        }
    };
    let matched = plain.signed.iter().any(|form| {
        let parts: Vec<Vec<u8>> = form
            .iter()
            .map(|part| match part {
                Part::Body => request.body.to_vec(),
                Part::BodyWithCrlf => with_crlf(request.body),
                Part::Text(text) => text.as_bytes().to_vec(),
                Part::Time => stamp.as_bytes().to_vec(),
                Part::Identifier => profile.identifier.clone().unwrap_or_default().into_bytes(),
            })
            .collect();
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        holds(plain.hash, &keys(secrets), &parts, &signature)
    });
    if matched { Ok(signed_at(at)) } else { Err(Refusal::Wrong(row)) }
}

fn with_crlf(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() + 64);
    let mut before = 0;
    for byte in body {
        if *byte == b'\n' && before != b'\r' {
            out.push(b'\r');
        }
        out.push(*byte);
        before = *byte;
    }
    out
}

/// Standard Webhooks: `v1` HMAC-SHA256 with the secret that `whsec_` marks, `v1a` Ed25519 with the public key that `whpk_`
/// marks, both base64.
fn standard(request: &Signed<'_>, secrets: &[Secret]) -> Result<Verified, Refusal> {
    const ROW: &str = "standard";
    let id = header(request, "webhook-id")?;
    let stamp = header(request, "webhook-timestamp")?;
    let list = header(request, "webhook-signature")?;
    let at = milliseconds(stamp).and_then(|s| s.checked_mul(1_000));
    let at = at.ok_or_else(|| malformed("webhook-timestamp", ROW))?;
    let parts = [id.as_bytes(), b".", stamp.as_bytes(), b".", request.body];
    let shared: Vec<Vec<u8>> = secrets.iter().flat_map(|secret| shared_keys(secret.reveal())).collect();
    let public = secrets.iter().filter_map(|secret| secret.reveal().strip_prefix("whpk_"));
    let public: Vec<Vec<u8>> = public.filter_map(|key| BASE64.decode(key).ok()).collect();
    let mut readable = false;
    for (version, written) in list.split(' ').filter_map(|item| item.split_once(',')).take(SIGNATURES_MAX) {
        let Ok(signature) = BASE64.decode(written) else { continue };
        let good = match version {
            "v1" => holds(Hash::Sha256, &shared, &parts, &signature),
            "v1a" => {
                let message = parts.concat();
                public.iter().any(|key| UnparsedPublicKey::new(&ED25519, key).verify(&message, &signature).is_ok())
            }
            _ => continue,
        };
        readable = true;
        if good {
            return Ok(Verified { id_is_signed: true, ..signed_at(Some(at)) });
        }
    }
    if readable { Err(Refusal::Wrong(ROW)) } else { Err(malformed("webhook-signature", ROW)) }
}

/// The keys that a text can stand for. The libraries take base64; a text typed by hand is its own bytes.
fn shared_keys(secret: &str) -> Vec<Vec<u8>> {
    if secret.starts_with("whpk_") {
        return Vec::new();
    }
    if let Some(coded) = secret.strip_prefix("whsec_") {
        return BASE64.decode(coded).into_iter().collect();
    }
    BASE64.decode(secret).into_iter().chain([secret.as_bytes().to_vec()]).collect()
}

/// `name=value` pairs between commas.
fn pairs(value: &str) -> impl Iterator<Item = (&str, &str)> {
    value.split(',').take(SIGNATURES_MAX).filter_map(|pair| pair.trim().split_once('='))
}

fn pair<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    pairs(value).find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// Ghost signs the body followed by the time; releases before 5.50 the body alone, and then the time proves nothing.
fn ghost(request: &Signed<'_>, secrets: &[Secret]) -> Result<Verified, Refusal> {
    const HEADER: &str = "x-ghost-signature";
    let value = header(request, HEADER)?;
    let signature = pair(value, "sha256").and_then(|text| hex::decode(text).ok());
    let signature = signature.ok_or_else(|| malformed(HEADER, "ghost"))?;
    let (keys, stamp) = (keys(secrets), pair(value, "t"));
    if let Some(stamp) = stamp {
        let at = milliseconds(stamp).ok_or_else(|| malformed(HEADER, "ghost"))?;
        if holds(Hash::Sha256, &keys, &[request.body, stamp.as_bytes()], &signature) {
            return Ok(signed_at(Some(at)));
        }
    }
    let alone = holds(Hash::Sha256, &keys, &[request.body], &signature);
    if alone { Ok(signed_at(None)) } else { Err(Refusal::Wrong("ghost")) }
}

fn sanity(request: &Signed<'_>, secrets: &[Secret]) -> Result<Verified, Refusal> {
    const HEADER: &str = "sanity-webhook-signature";
    let value = header(request, HEADER)?;
    let bad = || malformed(HEADER, "sanity");
    let stamp = pair(value, "t").ok_or_else(bad)?;
    let at = milliseconds(stamp).ok_or_else(bad)?;
    let parts = [stamp.as_bytes(), b".", request.body];
    let signatures =
        pairs(value).filter(|(name, _)| *name == "v1").filter_map(|(_, text)| BASE64_URL.decode(text).ok());
    let signatures: Vec<Vec<u8>> = signatures.collect();
    if signatures.is_empty() {
        return Err(bad());
    }
    let good = signatures.iter().any(|signature| holds(Hash::Sha256, &keys(secrets), &parts, signature));
    if good { Ok(signed_at(Some(at))) } else { Err(Refusal::Wrong("sanity")) }
}

/// `METHOD⏎path⏎name:value;name:value⏎body`, with the headers that the request itself lists. What is not listed is not
/// signed, so the time must be among them.
fn contentful(request: &Signed<'_>, secrets: &[Secret]) -> Result<Verified, Refusal> {
    const ROW: &str = "contentful";
    const TIME: &str = "x-contentful-timestamp";
    let signature = header(request, "x-contentful-signature")?;
    let signature = hex::decode(signature).map_err(|_| malformed("x-contentful-signature", ROW))?;
    let list = header(request, "x-contentful-signed-headers")?;
    let at = milliseconds(header(request, TIME)?).ok_or_else(|| malformed(TIME, ROW))?;
    let names: Vec<String> = list.split(',').take(64).map(|name| name.trim().to_ascii_lowercase()).collect();
    if !names.iter().any(|name| name == TIME) {
        return Err(malformed("x-contentful-signed-headers", ROW));
    }
    let mut canonical = Vec::with_capacity(names.len());
    for name in &names {
        canonical.push(format!("{name}:{}", header(request, name)?));
    }
    let head = format!("{}\n{}\n{}\n", request.method, request.path_and_query, canonical.join(";"));
    let good = holds(Hash::Sha256, &keys(secrets), &[head.as_bytes(), request.body], &signature);
    if good { Ok(signed_at(Some(at))) } else { Err(Refusal::Wrong(ROW)) }
}

/// WebSub §8: the method of the hub's choice.
fn websub(request: &Signed<'_>, secrets: &[Secret]) -> Result<Verified, Refusal> {
    const HEADER: &str = "x-hub-signature";
    let bad = || malformed(HEADER, "websub");
    let (method, written) = header(request, HEADER)?.split_once('=').ok_or_else(bad)?;
    let hash = match method {
        "sha1" => Hash::Sha1,
        "sha256" => Hash::Sha256,
        "sha384" => Hash::Sha384,
        "sha512" => Hash::Sha512,
        _ => return Err(bad()),
    };
    let signature = hex::decode(written).map_err(|_| bad())?;
    let good = holds(hash, &keys(secrets), &[request.body], &signature);
    if good { Ok(signed_at(None)) } else { Err(Refusal::Wrong("websub")) }
}

fn equal(one: &[u8], other: &[u8]) -> bool {
    verify_slices_are_equal(one, other).is_ok()
}

/// A password: the value of the header, also after `Bearer` or as the `user:password` of `Basic`; or a query parameter.
fn password(profile: &Profile, request: &Signed<'_>, secrets: &[Secret]) -> Result<Verified, Refusal> {
    const ROW: &str = "static-header";
    let given = match (&profile.query, request.header(&profile.header)) {
        (_, Some(value)) => value.as_bytes().to_vec(),
        (Some(name), None) => {
            parameter(request.path_and_query, name).ok_or_else(|| Refusal::Missing(profile.header.clone()))?
        }
        (None, None) => return Err(Refusal::Missing(profile.header.clone())),
    };
    let (scheme, rest) = match given.iter().position(|byte| *byte == b' ') {
        Some(at) => given.split_at(at),
        None => (&[][..], given.as_slice()),
    };
    let rest = rest.trim_ascii();
    let basic = if scheme.eq_ignore_ascii_case(b"basic") { BASE64.decode(rest).ok() } else { None };
    let bearer = scheme.eq_ignore_ascii_case(b"bearer").then_some(rest);
    let good = secrets.iter().any(|secret| {
        let secret = secret.reveal().as_bytes();
        equal(secret, &given)
            | bearer.is_some_and(|bearer| equal(secret, bearer))
            | basic.as_deref().is_some_and(|basic| equal(secret, basic))
    });
    if good { Ok(Verified::default()) } else { Err(Refusal::Wrong(ROW)) }
}

fn parameter(path_and_query: &str, name: &str) -> Option<Vec<u8>> {
    let (_, query) = path_and_query.split_once('?')?;
    let mut all = url::form_urlencoded::parse(query.as_bytes());
    all.find(|(known, _)| known == name).map(|(_, value)| value.into_owned().into_bytes())
}

/// The last segment of the path.
fn in_path(request: &Signed<'_>, secrets: &[Secret]) -> Result<Verified, Refusal> {
    let path = request.path_and_query.split('?').next().unwrap_or_default();
    let last = path.rsplit('/').next().unwrap_or_default();
    let good = secrets.iter().any(|secret| equal(secret.reveal().as_bytes(), last.as_bytes()));
    if good { Ok(Verified::default()) } else { Err(Refusal::Wrong("none-allowlist")) }
}
