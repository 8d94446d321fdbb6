use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use openssl::pkey::PKey;
use proptest::prelude::*;
use url::Url;

use super::*;
use crate::actor::key::tests::rsa_key;
use crate::actor::key::{Ed25519PrivateKey, RsaPrivateKey};
use crate::actor::public_key::{PublicKey, multikey_to_pem};
use crate::actor::verification::tests::{NOW, base, verified};
use crate::signature::digest::Digested;
use crate::signature::{self, ReceivedRequest, Scheme, SignatureError, SigningIdentity, Site};
use crate::time::Timestamp;

const BODY: &[u8] = br#"{"type":"Follow"}"#;
const TYPE: &str = "application/activity+json";

type Headers = Vec<(String, String)>;

struct Keys {
    rsa: Arc<RsaPrivateKey>,
    ed25519: Arc<Ed25519PrivateKey>,
}

fn keys() -> Keys {
    let der = PKey::generate_ed25519().unwrap().private_key_to_pkcs8().unwrap();
    Keys { rsa: Arc::new(rsa_key(2048)), ed25519: Arc::new(Ed25519PrivateKey::from_pkcs8_der(&der).unwrap()) }
}

impl Keys {
    fn identity(&self) -> SigningIdentity {
        SigningIdentity::verified(&verified(), self.rsa.clone()).with_ed25519(&verified(), self.ed25519.clone())
    }

    fn public(&self, ed25519: bool) -> PublicKey {
        let multikey = || multikey_to_pem(&self.ed25519.public_multibase().unwrap()).unwrap();
        PublicKey::from_pem(&if ed25519 { multikey() } else { self.rsa.public_pem().to_owned() }).unwrap()
    }

    /// What we would send to our own inbox.
    fn signed(&self, ed25519: bool, challenge: Option<&Challenge>) -> Headers {
        let url = Url::parse(&format!("{}ap/inbox", base().root())).unwrap();
        let body = Digested::new(Bytes::from_static(BODY));
        let headers = sign(&self.identity(), ("POST", &url), Some((&body, TYPE)), ed25519, challenge, NOW).unwrap();
        headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

fn parse_all(
    headers: &Headers,
    body: &[u8],
    now: Timestamp,
) -> Result<Vec<signature::ParsedSignature>, SignatureError> {
    let request = ReceivedRequest { method: "POST", path_and_query: "/ap/inbox", headers, body };
    signature::parse(&request, &[Site::of(&base())], now)
}

fn parsed(headers: &Headers) -> Result<signature::ParsedSignature, SignatureError> {
    parse_all(headers, BODY, NOW).map(|mut all| all.remove(0))
}

fn value<'h>(headers: &'h mut Headers, name: &str) -> &'h mut String {
    &mut headers.iter_mut().find(|(known, _)| known == name).unwrap().1
}

/// Changes a header, and says why that is refused.
fn with(mut headers: Headers, name: &str, from: &str, to: &str) -> SignatureError {
    let value = value(&mut headers, name);
    assert!(value.contains(from), "{value} has no {from}");
    *value = value.replacen(from, to, 1);
    parsed(&headers).unwrap_err()
}

#[test]
fn what_we_send_is_what_we_take_with_either_key() {
    let keys = keys();
    for (ed25519, shows) in [(false, Scheme::Rfc9421), (true, Scheme::Ed25519)] {
        let headers = keys.signed(ed25519, None);
        let one = parsed(&headers).unwrap();
        assert_eq!(one.verify(&keys.public(ed25519)), Ok(shows));
        assert!(one.verify(&keys.public(!ed25519)).is_err(), "the key of the other kind");
        assert!(one.verify(&self::keys().public(ed25519)).is_err(), "another key");
    }
}

#[test]
fn the_headers_that_we_send_are_those_of_the_profile() {
    let mut headers = keys().signed(false, None);
    assert_eq!(
        value(&mut headers, "signature-input").replace(&(NOW.0 / 1_000).to_string(), "NOW"),
        "sig1=(\"@method\" \"@target-uri\" \"content-digest\");created=NOW;\
         keyid=\"https://social.example.nl/ap/a/7#main-key\";alg=\"rsa-v1_5-sha256\""
    );
    assert!(value(&mut headers, "content-digest").starts_with("sha-256=:"));
    assert!(headers.iter().all(|(name, _)| name != "digest"), "{headers:?}");
    let fetch = sign(
        &keys().identity(),
        ("GET", &Url::parse("https://peer.example/u/1?x=2#y").unwrap()),
        None,
        false,
        None,
        NOW,
    );
    let fetch = fetch.unwrap();
    let input = &fetch.iter().find(|(name, _)| *name == "signature-input").unwrap().1;
    assert!(input.starts_with("sig1=(\"@method\" \"@target-uri\");"), "{input}");
}

#[test]
fn what_was_changed_on_the_way_is_refused() {
    let keys = keys();
    let headers = keys.signed(false, None);
    assert_eq!(parse_all(&headers, b"{}", NOW).unwrap_err(), SignatureError::DigestMismatch);
    let mut other = headers.clone();
    *value(&mut other, "signature-input") = value(&mut other, "signature-input").replace("#main-key", "#main-key2");
    assert!(matches!(parsed(&other).unwrap().verify(&keys.public(false)), Err(SignatureError::Invalid(_))));
    let request = ReceivedRequest { method: "POST", path_and_query: "/ap/a/1/inbox", headers: &headers, body: BODY };
    let elsewhere = signature::parse(&request, &[Site::of(&base())], NOW).unwrap().remove(0);
    assert!(elsewhere.verify(&keys.public(false)).is_err(), "another inbox");
    let mut host = headers.clone();
    *value(&mut host, "host") = "other.example".to_owned();
    assert!(matches!(parsed(&host), Err(SignatureError::Host(_))));
    host.push(("host".to_owned(), "social.example.nl".to_owned()));
    assert_eq!(parsed(&host).unwrap_err(), SignatureError::Repeated("host"));
}

#[test]
fn the_target_is_that_of_the_configuration_whatever_the_client_says() {
    let keys = keys();
    let mut headers = keys.signed(false, None);
    for (name, text) in
        [("x-forwarded-host", "evil.example"), ("x-forwarded-proto", "http"), ("forwarded", "host=evil.example")]
    {
        headers.push((name.to_owned(), text.to_owned()));
    }
    *value(&mut headers, "host") = "SOCIAL.example.nl:443".to_owned();
    assert!(parsed(&headers).unwrap().verify(&keys.public(false)).is_ok());
}

#[test]
fn what_must_be_covered_is_asked_for() {
    let headers = || keys().signed(false, None);
    let input = "signature-input";
    for (from, to, missing) in [
        ("\"@method\" ", "", "@method"),
        ("\"@target-uri\" ", "", "@target-uri"),
        ("\"@target-uri\" ", "\"@path\" ", "@target-uri"),
        ("\"@target-uri\" ", "\"@authority\" ", "@target-uri"),
        (" \"content-digest\"", "", "content-digest"),
        ("\"content-digest\"", "\"content-digest\";sf", "content-digest"),
    ] {
        assert_eq!(with(headers(), input, from, to), SignatureError::NotCovered(missing), "{from} {to}");
    }
    assert_eq!(
        with(headers(), input, "\"@method\"", "\"@method\" \"x-nothing\""),
        SignatureError::Absent("x-nothing".to_owned())
    );
    for unread in ["\"@status\"", "\"host\";bs", "\"@method\";req", "\"host\";tr", "\"@something\"", "\"@query-param\""]
    {
        let error = with(headers(), input, "\"@method\"", &format!("\"@method\" {unread}"));
        assert!(matches!(error, SignatureError::Component(_)), "{unread}: {error}");
    }
    let mut parts = headers();
    *value(&mut parts, input) = value(&mut parts, input).replace("\"@target-uri\"", "\"@authority\" \"@path\"");
    assert!(parsed(&parts).is_ok(), "in its parts");
    let mut no_digest = headers();
    no_digest.retain(|(name, _)| name != "content-digest");
    assert_eq!(parsed(&no_digest).unwrap_err(), SignatureError::Absent("content-digest".to_owned()));
}

#[test]
fn what_stands_twice_is_refused() {
    let headers = || keys().signed(false, None);
    let input = "signature-input";
    assert_eq!(
        with(headers(), input, ";alg=", ";keyid=\"https://a.example/\";alg="),
        SignatureError::Duplicate("keyid".to_owned())
    );
    assert_eq!(
        with(headers(), input, "sig1=", "sig1=();created=1, sig1="),
        SignatureError::Duplicate("sig1".to_owned())
    );
    assert_eq!(
        with(headers(), "signature", "sig1=", "sig1=:AAAA:, sig1="),
        SignatureError::Duplicate("sig1".to_owned())
    );
    assert!(matches!(with(headers(), input, "\"@method\"", "\"@method\" \"@method\""), SignatureError::Malformed(_)));
    let twice = with(headers(), input, "\"@method\"", "\"@method\" \"@query-param\";name=\"a\";name=\"b\"");
    assert_eq!(twice, SignatureError::Duplicate("name".to_owned()));
}

#[test]
fn what_does_not_parse_or_is_too_much_is_refused() {
    let headers = || keys().signed(false, None);
    let input = "signature-input";
    for (name, from, to) in [
        (input, "sig1=", "Sig1="),
        (input, "(", ""),
        (input, "created=", "created=\"x\";x="),
        (input, "keyid=\"https://", "keyid=\"acct:"),
        (input, "keyid=\"", "keyid=:AAAA:;x=\""),
        (input, "\"@method\"", "\"@Method\""),
        (input, "\"@method\"", "@method"),
        (input, "sig1=", "sig2="),
        ("signature", "sig1=:", "sig1="),
        ("signature", "sig1=:", "sig1=(:"),
        ("content-digest", "sha-256=:", "sha-256=("),
    ] {
        let error = with(headers(), name, from, to);
        assert!(matches!(error, SignatureError::Malformed(_)), "{name} {from} {to}: {error}");
        assert_eq!(error.status(), 400);
    }
    assert_eq!(with(headers(), "content-digest", "sha-256", "md5"), SignatureError::DigestForm);
    assert_eq!(
        with(headers(), input, "rsa-v1_5-sha256", "hmac-sha256"),
        SignatureError::Algorithm("hmac-sha256".to_owned())
    );
    assert_eq!(with(headers(), input, ";keyid=", ";kid="), SignatureError::Missing("keyid"));
    assert_eq!(with(headers(), input, "created=", "creation="), SignatureError::Missing("created"));
    let many = |n: usize| (0..n).map(|n| format!(" \"x-{n}\"")).collect::<String>();
    let error = with(headers(), input, "\"content-digest\"", &format!("\"content-digest\"{}", many(40)));
    assert_eq!(error, SignatureError::Malformed("it covers too much"));
    let labels: String = (0..9).map(|n| format!("x{n}=(), ")).collect();
    assert_eq!(
        with(headers(), input, "sig1=", &format!("{labels}sig1=")),
        SignatureError::Malformed("it has too many labels")
    );
    let long = format!("sig1=\"{}\", x=", "a".repeat(9_000));
    assert_eq!(with(headers(), input, "sig1=", &long), SignatureError::Malformed("it is too long"));
    let mut unsigned = headers();
    unsigned.retain(|(name, _)| name != "signature");
    assert_eq!(parsed(&unsigned).unwrap_err(), SignatureError::Unsigned);
}

#[test]
fn a_signature_is_taken_for_an_hour_or_until_it_expires() {
    let headers = keys().signed(false, None);
    let second = Duration::from_secs(1);
    for (now, good) in [
        (NOW.after(Duration::from_secs(3_599)), true),
        (NOW.after(Duration::from_secs(3_601)), false),
        (NOW.before(Duration::from_secs(3_599)), true),
        (NOW.before(Duration::from_secs(3_601)), false),
    ] {
        assert_eq!(parse_all(&headers, BODY, now).is_ok(), good, "{now}");
    }
    let expires = |after: Duration| {
        let mut headers = headers.clone();
        let at = NOW.after(after).0 / 1_000;
        *value(&mut headers, "signature-input") =
            value(&mut headers, "signature-input").replace(";alg", &format!(";expires={at};alg"));
        headers
    };
    let (two_hours, minute) = (Duration::from_secs(7_200), Duration::from_secs(60));
    assert!(parse_all(&expires(two_hours), BODY, NOW.after(two_hours)).is_ok());
    let late = NOW.after(minute + crate::signature::cavage::EXPIRY_MARGIN + second);
    assert!(matches!(parse_all(&expires(minute), BODY, late), Err(SignatureError::Expired(_))));
    let day = Duration::from_secs(86_400);
    assert!(
        matches!(parse_all(&expires(day), BODY, NOW.after(day - second)), Err(SignatureError::Window(_))),
        "no life so long"
    );
}

#[test]
fn of_several_signatures_those_that_mean_something_are_given() {
    let keys = keys();
    let mut headers = keys.signed(true, None);
    *value(&mut headers, "signature-input") = format!(
        "other=(\"host\");created=1;keyid=\"https://a.example/#k\", {}",
        value(&mut headers, "signature-input")
    );
    *value(&mut headers, "signature") = format!("other=:AAAA:, {}", value(&mut headers, "signature"));
    assert_eq!(parse_all(&headers, BODY, NOW).unwrap().len(), 1);
    assert_eq!(parsed(&headers).unwrap().verify(&keys.public(true)), Ok(Scheme::Ed25519));
    let (input, signature) = (value(&mut headers, "signature-input").clone(), value(&mut headers, "signature").clone());
    let copies = |text: &str, n: usize| {
        (0..n).map(|n| text.replace("sig1=", &format!("sig{n}="))).collect::<Vec<_>>().join(", ")
    };
    let only = |text: &str| text.split_once(", ").unwrap().1.to_owned();
    *value(&mut headers, "signature-input") = copies(&only(&input), 6);
    *value(&mut headers, "signature") = copies(&only(&signature), 6);
    assert_eq!(parse_all(&headers, BODY, NOW).unwrap().len(), 3, "no more than three keys are looked for");
    // A cavage signature beside it is left alone.
    let mut both = keys.signed(false, None);
    both.push(("signature".to_owned(), "keyId=\"https://a.example/#k\",signature=\"x\"".to_owned()));
    assert!(parsed(&both).unwrap().verify(&keys.public(false)).is_ok());
}

#[test]
fn a_challenge_is_answered_as_far_as_we_can() {
    let keys = keys();
    let challenge = Challenge::read(
        "sig1=(\"@method\" \"@target-uri\" \"@authority\" \"content-type\");created;nonce=\"a\\\"b\";tag=\"x\";alg=\"ed25519\"",
    );
    let challenge = challenge.unwrap();
    let mut headers = keys.signed(challenge.ed25519, Some(&challenge));
    assert_eq!(parsed(&headers).unwrap().verify(&keys.public(true)), Ok(Scheme::Ed25519));
    let input = value(&mut headers, "signature-input");
    assert!(input.contains("\"content-digest\" \"@authority\" \"content-type\")"), "{input}");
    assert!(input.ends_with(";alg=\"ed25519\";nonce=\"a\\\"b\";tag=\"x\""), "{input}");
    for wish in [
        "",
        "sig1",
        "sig1=1",
        "(",
        "sig1=(\"@status\")",
        "sig1=(\"cookie\")",
        "sig1=(\"host\";bs)",
        "sig1=();alg=\"hmac-sha256\"",
        "sig1=();expires",
    ] {
        assert_eq!(Challenge::read(wish), None, "{wish}");
    }
    let second = Challenge::read("a=(\"cookie\"), b=(\"@method\");keyid=\"x\"").unwrap();
    assert!(!second.ed25519);
    assert_eq!(Challenge::read(&format!("a=();nonce=\"{}\"", "x".repeat(300))), None);
}

proptest! {
    #[test]
    fn no_header_makes_it_panic(input in "\\PC{0,200}", signature in "\\PC{0,100}", digest in "\\PC{0,100}", challenge in "\\PC{0,200}") {
        let mut headers = vec![("host".to_owned(), "social.example.nl".to_owned())];
        headers.push(("signature-input".to_owned(), input));
        headers.push(("signature".to_owned(), signature));
        headers.push(("content-digest".to_owned(), digest));
        if let Err(error) = parse_all(&headers, BODY, NOW) {
            prop_assert!(matches!(error.status(), 400 | 401));
        }
        let _ = Challenge::read(&challenge);
    }

    #[test]
    fn what_looks_like_a_signature_is_read_or_refused(
        components in proptest::collection::vec("\"(@method|@target-uri|@path|@query|@authority|content-digest|host|x-none|@query-param)\"(;(sf|key=\"a\"|name=\"b\"))?", 0..6),
        parameters in proptest::collection::vec(";(created|expires|keyid|alg|nonce)=(1795338000|\"https://a.example/u#k\"|\"ed25519\"|:AA==:|\\?1|x)", 0..5),
        label in "[a-z][a-z0-9]{0,4}",
    ) {
        let input = format!("{label}=({}){}", components.join(" "), parameters.concat());
        let headers = vec![
            ("host".to_owned(), "social.example.nl".to_owned()),
            ("signature-input".to_owned(), input),
            ("signature".to_owned(), format!("{label}=:AAAA:")),
        ];
        let read = parse_all(&headers, b"", NOW);
        prop_assert!(read.is_err(), "a POST without a digest is never taken: {read:?}");
    }
}
