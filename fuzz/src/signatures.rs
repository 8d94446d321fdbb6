//! Signatures: of requests by draft-cavage and by RFC 9421, what servers ask for, integrity proofs of what is said, and digests of
//! followers.

use std::sync::LazyLock;

use heraut::activity::synchronization;
use heraut::actor::public_key::{PublicKey, multikey_to_pem};
use heraut::signature::integrity::Claim;
use heraut::signature::rfc9421::{self, Challenge};
use heraut::signature::{self, ReceivedRequest, Site, cavage};
use heraut::time::Timestamp;
use heraut::urls::Base;
use heraut_connectors::capture;
use serde_json::Value;

/// 2026-11-22T09:00:00Z, when the seeds were signed.
const NOW: Timestamp = Timestamp(1_795_338_000_000);
/// Of RFC 8032, 7.1, test 1.
const MULTIKEY: &str = "z6MktwupdmLXVVqTzCw4i46r4uGyosGXRnR3XjN4Zq7oMMsw";

static KEY: LazyLock<PublicKey> = LazyLock::new(|| PublicKey::from_pem(&multikey_to_pem(MULTIKEY).unwrap()).unwrap());

/// A request as it came in, read as a POST and as a GET.
pub(crate) fn run(input: &[u8]) {
    let Ok(request) = capture::read(input, 0) else { return };
    let base = Base::parse("https://social.example.nl").unwrap();
    let sites = [Site::of(&base)];
    let query = request.query.clone().unwrap_or_default();
    let target = if query.is_empty() { "/ap/inbox".to_owned() } else { format!("/ap/inbox?{query}") };
    for method in ["POST", "GET"] {
        let body: &[u8] = if method == "POST" { &request.body } else { &[] };
        let received = ReceivedRequest { method, path_and_query: &target, headers: &request.headers, body };
        let once = signature::parse(&received, &sites, NOW);
        let again = signature::parse(&received, &sites, NOW);
        assert_eq!(format!("{once:?}"), format!("{again:?}"), "the same request means the same");
        if let Ok(all) = &once {
            assert!((1..=3).contains(&all.len()), "at most three are looked at");
            // Nobody signed that with this key.
            assert!(all.iter().all(|one| one.verify(&KEY).is_err()));
        }
        for error in [once.err(), cavage::parse(&received, &[&base.authority()], NOW).err()].into_iter().flatten() {
            assert!(matches!(error.status(), 400 | 401), "{error}");
        }
        if let Err(error) = rfc9421::parse(&received, &sites, NOW) {
            assert!(matches!(error.status(), 400 | 401), "{error}");
        }
    }
    request.headers.iter().filter(|(name, _)| name == "accept-signature").for_each(|(_, value)| {
        let _ = Challenge::read(value);
    });
    if let Ok(document) = serde_json::from_slice::<Value>(&request.body) {
        claim(&document);
    }
    let ids = || request.headers.iter().map(|(_, value)| value.as_str());
    assert_eq!(synchronization::digest(ids()).len(), 64);
}

fn claim(document: &Value) {
    let once = Claim::read(document, NOW);
    assert_eq!(once, Claim::read(document, NOW), "the same document means the same");
    if let Ok(claim) = once {
        assert!(claim.verify(&KEY).is_err(), "nobody signed that with this key");
    }
}
