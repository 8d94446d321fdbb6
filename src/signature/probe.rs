//! What `heraut check` sends to our own public URL, and what the running gateway tells of how it came in: which headers a proxy
//! took away or changed, and whether a signed request still holds.
//!
//! A ticket stands in the path, because that is what no proxy leaves out: an instant, a chance text, and the instance actor's
//! signature over both and over our root. Only who has the instance actor's private key can make one, so nobody else is
//! answered. What is told is short, and nothing that whoever asks did not send: of each header the start of a hash.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::signature::{ReceivedRequest, RsaPublicKey, SignatureError, SigningIdentity};
use crate::time::Timestamp;

/// Largest body of a probe, in bytes.
pub const BODY_BYTES_MAX: usize = 1_024;
/// Longest ticket that is read, in bytes: the signature of a 4096-bit key, an instant and a chance text.
const TICKET_BYTES_MAX: usize = 1_024;
/// Longest chance text, in bytes.
const NONCE_BYTES_MAX: usize = 64;
/// How far the instant of a ticket may be from now: as far as that of any signature, so that a clock that is off can be told.
const WINDOW: Duration = Duration::from_secs(3_600);
/// Hexadecimal digits of a hash that are told: enough to see a change, and no more.
const MARK_DIGITS: usize = 12;
/// Longest reason that is told, in characters: the whole answer fits into what is kept of answers to a POST.
const VERDICT_CHARS_MAX: usize = 160;

/// The headers that other servers' signatures need to come through, in lower case.
pub const WATCHED: [&str; 7] =
    ["host", "date", "digest", "content-digest", "content-type", "signature", "signature-input"];

/// The ticket of a probe of that root.
pub fn ticket(identity: &SigningIdentity, root: &str, nonce: &str, now: Timestamp) -> Result<String, SignatureError> {
    let signature = identity.key.sign_sha256(text(root, nonce, now).as_bytes())?;
    Ok(format!("{}.{nonce}.{}", now.0, URL_SAFE_NO_PAD.encode(signature)))
}

/// Whether a ticket was made with the private half of `key`, for that root, at about this time.
pub fn is_ours(ticket: &str, root: &str, key: &RsaPublicKey, now: Timestamp) -> bool {
    let Some((at, nonce, signature)) = parts(ticket) else { return false };
    let late = at.since(now).max(now.since(at));
    late <= WINDOW && key.verifies_sha256(text(root, nonce, at).as_bytes(), &signature)
}

fn parts(ticket: &str) -> Option<(Timestamp, &str, Vec<u8>)> {
    if ticket.len() > TICKET_BYTES_MAX {
        return None;
    }
    let mut parts = ticket.splitn(3, '.');
    let (at, nonce, signature) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?);
    let good = (1..=NONCE_BYTES_MAX).contains(&nonce.len()) && nonce.bytes().all(|byte| byte.is_ascii_alphanumeric());
    good.then_some((Timestamp(at), nonce, URL_SAFE_NO_PAD.decode(signature).ok()?))
}

/// No signature over a request begins so: what signs a ticket cannot be made to sign anything else.
fn text(root: &str, nonce: &str, at: Timestamp) -> String {
    format!("heraut probe\n{root}\n{}\n{nonce}", at.0)
}

/// What the gateway tells of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Echo {
    /// Its clock, in milliseconds since 1970.
    pub now: i64,
    /// Of each watched header that came, the mark of its value.
    pub came: BTreeMap<String, String>,
    /// The mark of the body.
    pub body: String,
    /// Why the signature does not hold as the request came in; nothing when it does.
    pub verdict: Option<String>,
}

impl Echo {
    /// Of a request as it came in.
    pub fn of(request: &ReceivedRequest<'_>, verdict: Option<String>, now: Timestamp) -> Self {
        let came =
            WATCHED.iter().filter_map(|name| Some(((*name).to_owned(), mark(request.values(name).next()?.as_bytes()))));
        let verdict = verdict.map(|text| text.chars().take(VERDICT_CHARS_MAX).collect());
        Self { now: now.0, came: came.collect(), body: mark(request.body), verdict }
    }

    /// What became of each header that was sent, where it did not come as it was sent: its name, and whether it came at all.
    pub fn lost<'s>(&self, sent: &'s [(&'static str, String)]) -> Vec<(&'s str, bool)> {
        let watched = sent.iter().filter(|(name, _)| WATCHED.contains(name));
        let lost = watched.filter_map(|(name, value)| match self.came.get(*name) {
            Some(came) if *came == mark(value.as_bytes()) => None,
            came => Some((*name, came.is_some())),
        });
        lost.collect()
    }
}

/// The start of the SHA-256 of a value.
pub fn mark(value: &[u8]) -> String {
    let mut digits = hex::encode(openssl::sha::sha256(value));
    digits.truncate(MARK_DIGITS);
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, LazyLock};

    use crate::actor::key::tests::rsa_key;
    use crate::actor::verification::tests::{NOW, base, verified};

    const ROOT: &str = "https://social.example.nl/";

    static IDENTITY: LazyLock<SigningIdentity> =
        LazyLock::new(|| SigningIdentity::verified(&verified(), Arc::new(rsa_key(2048))));

    fn key() -> RsaPublicKey {
        RsaPublicKey::from_pem(IDENTITY.key.public_pem()).unwrap()
    }

    #[test]
    fn a_ticket_is_ours_only_with_our_key_for_our_root_and_at_about_this_time() {
        assert_eq!(base().root(), ROOT);
        let good = ticket(&IDENTITY, ROOT, "abc123", NOW).unwrap();
        assert!(is_ours(&good, ROOT, &key(), NOW));
        assert!(is_ours(&good, ROOT, &key(), NOW.after(WINDOW)) && is_ours(&good, ROOT, &key(), NOW.before(WINDOW)));
        let past = NOW.after(WINDOW).after(Duration::from_millis(1));
        assert!(!is_ours(&good, ROOT, &key(), past), "too old");
        assert!(!is_ours(&good, "https://elders.example/", &key(), NOW), "of another root");
        let other = good.replacen("abc123", "abc124", 1);
        let later = good.replacen(&NOW.0.to_string(), &(NOW.0 + 1).to_string(), 1);
        let long = format!("{}.{}.AAAA", NOW.0, "a".repeat(NONCE_BYTES_MAX + 1));
        let huge = format!("{good}{}", "A".repeat(TICKET_BYTES_MAX));
        for bad in [
            other.as_str(),
            &later,
            &long,
            &huge,
            "",
            ".",
            "..",
            "1.a.",
            "x.a.AAAA",
            "1.a b.AAAA",
            &good[..good.len() - 4],
        ] {
            assert!(!is_ours(bad, ROOT, &key(), NOW), "{bad}");
        }
    }

    #[test]
    fn what_was_taken_away_and_what_was_changed_is_told_apart() {
        let sent = vec![
            ("host", "social.example.nl".to_owned()),
            ("date", "x".to_owned()),
            ("digest", "y".to_owned()),
            ("accept", "z".to_owned()),
        ];
        let headers = [("host".to_owned(), "127.0.0.1:8080".to_owned()), ("date".to_owned(), "x".to_owned())];
        let request = ReceivedRequest { method: "POST", path_and_query: "/", headers: &headers, body: b"{}" };
        let echo = Echo::of(&request, Some("é".repeat(500)), NOW);
        assert_eq!(echo.lost(&sent), [("host", true), ("digest", false)]);
        assert_eq!(echo.body, mark(b"{}"));
        let whole = serde_json::to_string(&echo).unwrap();
        assert!(whole.len() < 512, "{} bytes", whole.len());
        assert_eq!(serde_json::from_str::<Echo>(&whole).unwrap(), echo);
    }

    #[test]
    fn the_longest_answer_fits_into_what_is_kept_of_it() {
        let came = WATCHED.iter().map(|name| ((*name).to_owned(), mark(name.as_bytes()))).collect();
        let echo = Echo { now: i64::MAX, came, body: mark(b""), verdict: Some("v".repeat(VERDICT_CHARS_MAX)) };
        assert!(serde_json::to_string(&echo).unwrap().len() <= 512);
    }
}
