use std::sync::Arc;

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::{Signer, Verifier};

use super::*;
use crate::actor::key::RsaPrivateKey;
use crate::actor::key::tests::rsa_key;
use crate::actor::verification::InstanceActor;
use crate::actor::verification::tests::{NOW, actor, base, verified};
use crate::signature::ReceivedRequest;

const OURS: [&str; 1] = ["social.example.nl"];
const BODY: &[u8] = br#"{"type":"Follow"}"#;

fn digest_of(body: &[u8]) -> String {
    Digested::new(bytes::Bytes::copy_from_slice(body)).digest()
}

type Headers = Vec<(String, String)>;

struct Keys {
    private: Arc<RsaPrivateKey>,
    public: RsaPublicKey,
}

fn keys() -> Keys {
    let private = rsa_key(2048);
    let public = RsaPublicKey::from_pem(&private.public_pem().unwrap()).unwrap();
    Keys { private: Arc::new(private), public }
}

fn signed(keys: &Keys, method: &str, url: &str, body: Option<&[u8]>) -> Headers {
    let identity = SigningIdentity::verified(&verified(), keys.private.clone());
    let url = Url::parse(url).unwrap();
    let body = body.map(|body| Digested::new(bytes::Bytes::copy_from_slice(body)));
    let headers = sign(&identity, method, &url, body.as_ref(), "application/activity+json", NOW).unwrap();
    headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn post<'a>(headers: &'a [(String, String)], body: &'a [u8]) -> ReceivedRequest<'a> {
    ReceivedRequest { method: "POST", path_and_query: "/ap/inbox", headers, body }
}

fn value<'a>(headers: &'a [(String, String)], name: &str) -> &'a str {
    &headers.iter().find(|(n, _)| n == name).unwrap().1
}

fn set(headers: &mut [(String, String)], name: &str, text: &str) {
    headers.iter_mut().find(|(n, _)| n == name).unwrap().1 = text.to_owned();
}

/// Signs what `headers` says about itself, with any list of components and parameters.
fn sign_as(keys: &Keys, list: &str, extra: &str, headers: &mut Headers, target: &str) {
    let names: Vec<String> = list.split(' ').map(str::to_owned).collect();
    headers.retain(|(n, _)| n != "signature");
    let parameters = parameters::read(extra).unwrap();
    let request = post(headers, BODY);
    let text = signing_string(&request, &names, &parameters, target).unwrap();
    let signature = STANDARD.encode(keys.private.sign_sha256(text.as_bytes()).unwrap());
    let comma = if extra.is_empty() { "" } else { "," };
    let text = format!(r#"keyId="{}#main-key",headers="{list}",signature="{signature}"{comma}{extra}"#, actor().url);
    headers.push(("signature".to_owned(), text));
}

fn check(request: &ReceivedRequest<'_>, keys: &Keys) -> Result<(), SignatureError> {
    verify(&parse(request, &OURS, NOW)?, &keys.public)
}

#[test]
fn c28_a_post_covers_target_host_date_digest_and_type_and_the_digest_is_that_of_the_raw_body() {
    let headers = signed(&keys(), "POST", "https://social.example.nl/ap/inbox", Some(BODY));
    let names: Vec<&str> = headers.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(names, ["host", "date", "digest", "content-type", "signature"]);
    assert_eq!(value(&headers, "host"), "social.example.nl");
    assert_eq!(value(&headers, "date"), "Sun, 22 Nov 2026 09:00:00 GMT");
    assert_eq!(value(&headers, "digest"), format!("SHA-256={}", STANDARD.encode(openssl::sha::sha256(BODY))));
    let wanted = "keyId=\"https://social.example.nl/ap/a/7#main-key\",algorithm=\"rsa-sha256\",\
                  headers=\"(request-target) host date digest content-type\",signature=\"";
    assert!(value(&headers, "signature").starts_with(wanted), "{headers:?}");
}

#[test]
fn a_get_covers_target_host_and_date_and_the_host_keeps_its_port() {
    let keys = keys();
    let instance = InstanceActor::new(&base(), actor().keys, NOW);
    let identity = SigningIdentity::instance(&instance, keys.private.clone());
    let url = Url::parse("https://peer.example:8443/users/a?page=1").unwrap();
    let headers = sign(&identity, "GET", &url, None, "", NOW).unwrap();
    let headers: Headers = headers.into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
    assert_eq!(value(&headers, "host"), "peer.example:8443");
    assert!(value(&headers, "signature").contains(r#"headers="(request-target) host date""#));
    assert!(value(&headers, "signature").starts_with(r#"keyId="https://social.example.nl/ap/instance#main-key""#));
    let request = ReceivedRequest { method: "GET", path_and_query: "/users/a?page=1", headers: &headers, body: b"" };
    verify(&parse(&request, &["peer.example:8443"], NOW).unwrap(), &keys.public).unwrap();
}

#[test]
fn what_we_sign_we_verify_and_no_other_key_does() {
    let (keys, other) = (keys(), keys());
    let headers = signed(&keys, "POST", "https://social.example.nl/ap/inbox", Some(BODY));
    let request = post(&headers, BODY);
    check(&request, &keys).unwrap();
    assert_eq!(parse(&request, &OURS, NOW).unwrap().key_id().as_str(), "https://social.example.nl/ap/a/7#main-key");
    assert!(matches!(check(&request, &other), Err(SignatureError::Invalid(_))));
}

#[test]
fn the_draft_examples_verify_with_the_raw_primitive() {
    // draft-cavage-http-signatures-12, Appendix C: its key has 1024 bits, which nothing but this test takes.
    const PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
        MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDCFENGw33yGihy92pDjZQhl0C3\n\
        6rPJj+CvfSC8+q28hxA161QFNUd13wuCTUcq0Qd2qsBe/2hFyc2DCJJg0h1L78+6\n\
        Z4UMR7EOcpfdUE9Hf3m/hs+FUR45uBJeDK1HSFHD8bHKD6kv8FPGfJTotc+2xjJw\n\
        oYi+1hqp1fIekaxsyQIDAQAB\n-----END PUBLIC KEY-----\n";
    let headers: Headers = [
        ("host", "example.com"),
        ("date", "Sun, 05 Jan 2014 21:31:40 GMT"),
        ("content-type", "application/json"),
        ("digest", "SHA-256=X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE="),
        ("content-length", "18"),
    ]
    .map(|(n, v)| (n.to_owned(), v.to_owned()))
    .to_vec();
    let body = br#"{"hello": "world"}"#;
    digest::check(value(&headers, "digest"), body).unwrap();
    let request =
        ReceivedRequest { method: "POST", path_and_query: "/foo?param=value&pet=dog", headers: &headers, body };
    let key = PKey::public_key_from_pem(PEM.as_bytes()).unwrap();
    for (list, signature) in [
        (
            "date",
            "SjWJWbWN7i0wzBvtPl8rbASWz5xQW6mcJmn+ibttBqtifLN7Sazz6m79cNfwwb8DMJ5cou1s7uEGKKCs+FLEEaDV5lp7q25WqS+lavg7T8hc0GppauB6hbgEKTwblDHYGEtbGmtdHgVCk9SuS13F0hZ8FD0k/5OxEPXe5WozsbM=",
        ),
        (
            "(request-target) host date",
            "qdx+H7PHHDZgy4y/Ahn9Tny9V3GP6YgBPyUXMmoxWtLbHpUnXS2mg2+SbrQDMCJypxBLSPQR2aAjn7ndmw2iicw3HMbe8VfEdKFYRqzic+efkb3nndiv/x1xSHDJWeSWkx3ButlYSuBskLu6kd9Fswtemr3lgdDEmn04swr2Os0=",
        ),
    ] {
        let names: Vec<String> = list.split(' ').map(str::to_owned).collect();
        let text =
            signing_string(&request, &names, &parameters::Parameters::default(), request.path_and_query).unwrap();
        let mut verifier = Verifier::new(MessageDigest::sha256(), &key).unwrap();
        assert!(verifier.verify_oneshot(&STANDARD.decode(signature).unwrap(), text.as_bytes()).unwrap(), "{list}");
    }
}

#[test]
fn a_changed_request_does_not_verify() {
    let keys = keys();
    let good = signed(&keys, "POST", "https://social.example.nl/ap/inbox", Some(BODY));
    let with = |name: &str, text: &str| {
        let mut headers = good.clone();
        set(&mut headers, name, text);
        headers
    };
    let other_key = value(&good, "signature").replace("/ap/a/7#", "/ap/a/8#");
    let cases: Vec<(&str, Headers, bool)> = vec![
        ("date", with("date", "Sun, 22 Nov 2026 09:00:01 GMT"), false),
        ("type", with("content-type", "application/ld+json"), false),
        ("upper-case host", with("host", "SOCIAL.example.nl"), false),
        ("another key's name alone", with("signature", &other_key), true),
    ];
    for (what, headers, verifies) in cases {
        let result = check(&post(&headers, BODY), &keys);
        assert_eq!(result.is_ok(), verifies, "{what}: {result:?}");
    }
    let elsewhere = ReceivedRequest { path_and_query: "/ap/a/7/inbox", ..post(&good, BODY) };
    assert!(matches!(check(&elsewhere, &keys), Err(SignatureError::Invalid(_))));
    let put = ReceivedRequest { method: "PUT", ..post(&good, BODY) };
    assert!(matches!(check(&put, &keys), Err(SignatureError::Invalid(_))));
}

#[test]
fn c38_unsigned_wrong_digest_and_stale_date_are_401_and_what_does_not_parse_is_400() {
    let keys = keys();
    let good = signed(&keys, "POST", "https://social.example.nl/ap/inbox", Some(BODY));
    let signature = value(&good, "signature").to_owned();
    let without = |name: &str| good.iter().filter(|(n, _)| n != name).cloned().collect::<Vec<_>>();
    let with = |name: &str, text: &str| [without(name), vec![(name.to_owned(), text.to_owned())]].concat();
    let and = |name: &str, text: &str| [good.clone(), vec![(name.to_owned(), text.to_owned())]].concat();
    let rfc9421 = [
        without("signature"),
        vec![("signature-input".into(), "sig1=()".into()), ("signature".into(), "sig1=:AAAA:".into())],
    ]
    .concat();
    let covering =
        |list: &str| with("signature", &signature.replace("(request-target) host date digest content-type", list));
    let cases: Vec<(&str, Headers, u16, &str)> = vec![
        ("unsigned", without("signature"), 401, "not signed"),
        ("RFC 9421 alone", rfc9421, 401, "RFC 9421"),
        ("twice", and("signature", &signature), 400, "2 signatures"),
        ("in both headers", and("authorization", &format!("Signature {signature}")), 400, "2 signatures"),
        ("malformed", with("signature", "nonsense"), 400, "malformed"),
        ("open quotation", with("signature", "keyId=\"x"), 400, "quotation"),
        ("too long", with("signature", &"x".repeat(9_000)), 400, "too long"),
        (
            "duplicate parameter",
            with("signature", &format!("{signature},keyId=\"https://evil.example/k\"")),
            400,
            "twice",
        ),
        ("no keyId", with("signature", "headers=\"date\",signature=\"AAAA\""), 400, "`keyId` is missing"),
        ("keyId no URL", with("signature", "keyId=\"me\",signature=\"AAAA\""), 400, "keyId"),
        ("no base64", with("signature", "keyId=\"https://a.example/k\",signature=\"!\""), 400, "base64"),
        ("algorithm", with("signature", &signature.replace("rsa-sha256", "hmac-sha256")), 401, "hmac-sha256"),
        ("no list of headers", covering(""), 401, "(request-target)"),
        ("target not covered", covering("host date digest"), 401, "(request-target)"),
        ("host not covered", covering("(request-target) date digest"), 401, "`host`"),
        ("date not covered", covering("(request-target) host digest"), 401, "`date`"),
        ("digest not covered", covering("(request-target) host date"), 401, "`digest`"),
        ("covered twice", covering("(request-target) host date digest host"), 400, "twice"),
        ("covered, but absent", covering("(request-target) host date digest x-none"), 401, "x-none"),
        ("created missing", covering("(request-target) host (created) digest"), 400, "created"),
        ("no date", without("date"), 401, "date"),
        ("date malformed", with("date", "yesterday"), 400, "yesterday"),
        ("dated twice", and("date", "Sun, 22 Nov 2026 09:00:00 GMT"), 400, "`date` stands twice"),
        ("stale", with("date", "Sun, 22 Nov 2026 07:59:59 GMT"), 401, "an hour from now"),
        ("ahead", with("date", "Sun, 22 Nov 2026 10:00:01 GMT"), 401, "an hour from now"),
        ("another host", with("host", "evil.example"), 401, "evil.example"),
        ("two hosts", and("host", "social.example.nl"), 400, "`host` stands twice"),
        ("wrong digest", with("digest", &digest_of(b"other")), 401, "not the SHA-256"),
        ("no digest", without("digest"), 401, "digest"),
        ("other digest alone", with("digest", "MD5=AAAA"), 400, "no SHA-256"),
        ("one right, one wrong", with("digest", &format!("{},{}", digest_of(BODY), digest_of(b"x"))), 401, "SHA-256"),
        ("expired", with("signature", &format!("{signature},expires=1795337000")), 401, "expired"),
    ];
    for (what, headers, status, part) in cases {
        let error = parse(&post(&headers, BODY), &OURS, NOW).expect_err(what);
        assert_eq!(error.status(), status, "{what}: {error}");
        assert!(error.to_string().contains(part), "{what}: `{part}` is not in `{error}`");
    }
    let tampered = parse(&post(&good, b"{}"), &OURS, NOW).unwrap_err();
    assert_eq!(tampered, SignatureError::DigestMismatch);
    assert_eq!(tampered.status(), 401);
}

#[test]
fn the_forms_that_peers_send_verify() {
    let keys = keys();
    let created = format!("created={}", NOW.0 / 1_000);
    for (list, extra, target) in [
        ("(request-target) host date digest", "algorithm=\"hs2019\"", "/ap/inbox?a=b"),
        ("(request-target) host date digest", "algorithm=\"RSA-SHA256\"", "/ap/inbox"),
        ("date host digest (request-target)", "", "/ap/inbox"),
        ("(request-target) (created) host digest", created.as_str(), "/ap/inbox?a=b"),
        ("(request-target) host date digest content-length", "algorithm=\"rsa-sha256\",opaque=\"x\"", "/ap/inbox?a=b"),
    ] {
        let mut headers = signed(&keys, "POST", "https://social.example.nl/ap/inbox", Some(BODY));
        headers.push(("content-length".to_owned(), BODY.len().to_string()));
        sign_as(&keys, list, extra, &mut headers, target);
        let request = ReceivedRequest { path_and_query: "/ap/inbox?a=b", ..post(&headers, BODY) };
        check(&request, &keys).unwrap_or_else(|e| panic!("{list} {extra} {target}: {e}"));
    }
    let mut headers = signed(&keys, "POST", "https://social.example.nl/ap/inbox", Some(BODY));
    let moved = headers.pop().unwrap().1;
    headers.push(("authorization".to_owned(), format!("Signature {moved}")));
    check(&post(&headers, BODY), &keys).expect("in Authorization");
}

#[test]
fn sha512_is_taken_with_hs2019_only() {
    let rsa = openssl::rsa::Rsa::generate(2048).unwrap();
    let pair = PKey::from_rsa(rsa).unwrap();
    let public = String::from_utf8(pair.public_key_to_pem().unwrap()).unwrap();
    let public = RsaPublicKey::from_pem(&public).unwrap();
    for (algorithm, verifies) in [("hs2019", true), ("rsa-sha256", false)] {
        let mut headers = signed(&keys(), "POST", "https://social.example.nl/ap/inbox", Some(BODY));
        headers.pop();
        let list = "(request-target) host date digest";
        let names: Vec<String> = list.split(' ').map(str::to_owned).collect();
        let none = parameters::Parameters::default();
        let text = signing_string(&post(&headers, BODY), &names, &none, "/ap/inbox").unwrap();
        let mut signer = Signer::new(MessageDigest::sha512(), &pair).unwrap();
        let signature = STANDARD.encode(signer.sign_oneshot_to_vec(text.as_bytes()).unwrap());
        let text = format!(
            r#"keyId="https://a.example/u#k",algorithm="{algorithm}",headers="{list}",signature="{signature}""#
        );
        headers.push(("signature".to_owned(), text));
        let parsed = parse(&post(&headers, BODY), &OURS, NOW).unwrap();
        assert_eq!(verify(&parsed, &public).is_ok(), verifies, "{algorithm}");
    }
}

proptest::proptest! {
    #[test]
    fn no_header_makes_the_parser_panic(any: String, shaped in r#"([a-zA-Z]{0,9}=?"?[^"]{0,9}"?,?){0,9}"#) {
        for text in [any, shaped] {
            let headers = [("signature".to_owned(), text.clone()), ("digest".to_owned(), text.clone()), ("date".to_owned(), text)];
            let _ = parse(&post(&headers, BODY), &OURS, NOW);
            let _ = digest::check(&headers[1].1, BODY);
        }
    }
}
