//! Signatures of requests that came in.

use std::time::Duration;

use sfv::BareItem;

use crate::actor::public_key::SignatureAlgorithm;
use crate::signature::cavage::{EXPIRY_MARGIN, WINDOW};
use crate::signature::digest;
use crate::signature::rfc9421::base;
use crate::signature::rfc9421::dictionary::{self, Entry, Member, Parameters, Value, string};
use crate::signature::{How, ParsedSignature, ReceivedRequest, SignatureError, Site};
use crate::time::Timestamp;
use crate::urls::KeyUrl;

/// Most signatures of one request that are given, and so most keys that it makes us look for.
const SIGNATURES_MAX: usize = 3;
/// Longest signature, in bytes: that of the largest RSA key.
const SIGNATURE_BYTES_MAX: usize = 1_024;
/// Longest life that a signature may claim for itself (Mastodon: 12 hours).
const LIFE_MAX: Duration = Duration::from_secs(12 * 3_600);

/// Reads the signatures of a request and checks everything about them that needs no key: `reference/federation.md` 6.1, checks 3
/// and 4. Gives those that hold so far, at most three, in the order of the header; when there is none, says what is wrong with
/// the first. `sites` are those that we serve.
pub fn parse(
    request: &ReceivedRequest<'_>,
    sites: &[Site],
    now: Timestamp,
) -> Result<Vec<ParsedSignature>, SignatureError> {
    let site = site(request, sites)?;
    let values = |name| request.values(name).collect::<Vec<_>>();
    let inputs = dictionary::read(&values("signature-input"), "`Signature-Input` is not a dictionary (RFC 9651)")?;
    let signatures: Vec<&str> = request.values("signature").filter(|value| !is_cavage(value)).collect();
    let signatures = dictionary::read(&signatures, "`Signature` is not a dictionary (RFC 9651)")?;
    let (mut good, mut problem) = (Vec::new(), None);
    for signature in &signatures {
        let read = match inputs.iter().find(|input| input.label == signature.label) {
            Some(input) => one(request, site, input, signature, now),
            None => Err(SignatureError::Malformed("a signature has no input of the same label")),
        };
        match read {
            Ok(signature) if good.len() < SIGNATURES_MAX => good.push(signature),
            Ok(_) => {}
            Err(error) => drop(problem.get_or_insert(error)),
        }
    }
    match problem {
        Some(problem) if good.is_empty() => Err(problem),
        None if good.is_empty() => Err(SignatureError::Missing("signature")),
        _ => Ok(good),
    }
}

/// Whether a `Signature` header is written as draft-cavage has it.
pub(in crate::signature) fn is_cavage(value: &str) -> bool {
    value.to_ascii_lowercase().contains("keyid=")
}

/// The site that the request is for.
fn site<'s>(request: &ReceivedRequest<'_>, sites: &'s [Site]) -> Result<&'s Site, SignatureError> {
    let host = request.single("host")?.ok_or_else(|| SignatureError::Absent("host".to_owned()))?;
    let bare = host.trim().to_ascii_lowercase();
    let bare = bare.strip_suffix(":443").unwrap_or(&bare);
    sites
        .iter()
        .find(|site| site.authority().eq_ignore_ascii_case(bare))
        .ok_or_else(|| SignatureError::Host(host.to_owned()))
}

fn one(
    request: &ReceivedRequest<'_>,
    site: &Site,
    input: &Member,
    signature: &Member,
    now: Timestamp,
) -> Result<ParsedSignature, SignatureError> {
    let Value::List(components) = &input.value else {
        return Err(SignatureError::Malformed("`Signature-Input` has no list of components"));
    };
    let Value::Item(BareItem::ByteSequence(signature)) = &signature.value else {
        return Err(SignatureError::Malformed("`Signature` is not a byte sequence"));
    };
    if signature.len() > SIGNATURE_BYTES_MAX {
        return Err(SignatureError::Malformed("the signature is too long"));
    }
    let key_id = text(&input.parameters, "keyid")?.ok_or(SignatureError::Missing("keyid"))?;
    let key_id = KeyUrl::parse(key_id).map_err(|_| SignatureError::Malformed("keyid is not an http(s) URL"))?;
    let algorithm = match text(&input.parameters, "alg")? {
        None => None,
        Some(name) => match SignatureAlgorithm::named(name) {
            Some(algorithm) => Some(algorithm),
            None => return Err(SignatureError::Algorithm(name.to_owned())),
        },
    };
    check_covered(request, components)?;
    check_time(&input.parameters, now)?;
    check_digest(request, components)?;
    let candidates = vec![base::text(request, site, components, &input.parameters)?];
    Ok(ParsedSignature { key_id, how: How::Rfc9421(algorithm), signature: signature.clone(), candidates })
}

/// A string parameter.
fn text<'p>(parameters: &'p Parameters, name: &'static str) -> Result<Option<&'p str>, SignatureError> {
    match parameters.iter().find(|(known, _)| known == name) {
        None => Ok(None),
        Some((_, value)) => string(value).map(Some).ok_or(SignatureError::Malformed("keyid or alg is not a string")),
    }
}

/// An instant in whole seconds.
fn instant(parameters: &Parameters, name: &str) -> Result<Option<Timestamp>, SignatureError> {
    match parameters.iter().find(|(known, _)| known == name) {
        None => Ok(None),
        Some((_, BareItem::Integer(seconds))) => Ok(Some(Timestamp(i64::from(*seconds).saturating_mul(1_000)))),
        Some(_) => Err(SignatureError::Malformed("created or expires is not a number of seconds")),
    }
}

/// The method, and the whole target: as one or in its parts.
fn check_covered(request: &ReceivedRequest<'_>, components: &[Entry]) -> Result<(), SignatureError> {
    for (n, component) in components.iter().enumerate() {
        base::name(component)?;
        if components.iter().take(n).any(|other| other == component) {
            return Err(SignatureError::Malformed("a component stands twice"));
        }
    }
    let covers = |name| covers(components, name);
    if !covers("@method") {
        return Err(SignatureError::NotCovered("@method"));
    }
    let no_query = !request.path_and_query.contains('?');
    let target = covers("@request-target") || (covers("@path") && (covers("@query") || no_query));
    if covers("@target-uri") || (covers("@authority") && target) {
        return Ok(());
    }
    Err(SignatureError::NotCovered("@target-uri"))
}

fn covers(components: &[Entry], name: &str) -> bool {
    components.iter().any(|c| c.parameters.is_empty() && string(&c.item) == Some(name))
}

fn check_time(parameters: &Parameters, now: Timestamp) -> Result<(), SignatureError> {
    let created = instant(parameters, "created")?.ok_or(SignatureError::Missing("created"))?;
    let expires = instant(parameters, "expires")?;
    let oldest = if expires.is_some() { now.before(LIFE_MAX) } else { now.before(WINDOW) };
    if created > now.after(WINDOW) || created < oldest {
        return Err(SignatureError::Window(created.to_rfc3339()));
    }
    match expires {
        Some(expires) if expires < created => Err(SignatureError::Malformed("it expires before it was created")),
        Some(expires) if expires.after(EXPIRY_MARGIN) < now => Err(SignatureError::Expired(expires.to_rfc3339())),
        _ => Ok(()),
    }
}

/// On POST, and wherever there is a body, `content-digest` must be covered; wherever there is one, it must fit the raw body.
fn check_digest(request: &ReceivedRequest<'_>, components: &[Entry]) -> Result<(), SignatureError> {
    let needed = !matches!(request.method, "GET" | "HEAD") || !request.body.is_empty();
    if needed && !covers(components, "content-digest") {
        return Err(SignatureError::NotCovered("content-digest"));
    }
    let values: Vec<&str> = request.values("content-digest").collect();
    match values.as_slice() {
        [] if needed => Err(SignatureError::Absent("content-digest".to_owned())),
        [] => Ok(()),
        values => {
            let members = dictionary::read(values, "`Content-Digest` is not a dictionary (RFC 9530)")?;
            let digests = members.iter().filter_map(|member| match &member.value {
                Value::Item(BareItem::ByteSequence(bytes)) => Some((member.label.as_str(), bytes.as_slice())),
                _ => None,
            });
            digest::check_content(digests, request.body)
        }
    }
}
