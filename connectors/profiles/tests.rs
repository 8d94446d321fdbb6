//! The test vectors of `reference/connectors.md` B2, and what must not pass for each of them.

use serde_json::json;

use super::*;

const SECRET: &str = "heraut-test-secret";
const BODY: &[u8] = br#"{"id":"42","event":"publish"}"#;
const STANDARD: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const AT: EpochMs = 1_700_000_000_000;

struct Vector {
    settings: Value,
    secret: String,
    headers: Vec<(&'static str, &'static str)>,
    at: Option<EpochMs>,
    id: Option<&'static str>,
}

fn vector(settings: Value, headers: &[(&'static str, &'static str)]) -> Vector {
    Vector { settings, secret: SECRET.to_owned(), headers: headers.to_vec(), at: None, id: None }
}

fn timed(vector: Vector) -> Vector {
    Vector { at: Some(AT), ..vector }
}

fn identified(id: &'static str, vector: Vector) -> Vector {
    Vector { id: Some(id), ..vector }
}

const SHA256: &str = "sha256=8fe882cfde0e0d25b4380564d3ca6bb92c4d3bc71a6d1f6b0e3faa78c61f3679";
const SHA1: &str = "sha1=ad719c75a74a77bcb6b6143313eea0b900da9190";
const BASE64: &str = "j+iCz94ODSW0OAVk08pruSxNO8cabR9rDj+qeMYfNnk=";

fn vectors() -> Vec<Vector> {
    [of_the_body_alone(), of_more_than_the_body()].into_iter().flatten().collect()
}

fn of_the_body_alone() -> Vec<Vector> {
    let github = [("x-hub-signature-256", SHA256), ("x-github-delivery", "guid-1")];
    let drupal = [("x-hub-signature", SHA1), ("x-drupal-delivery", "d-1")];
    vec![
        identified("guid-1", vector(json!("github"), &github)),
        identified("d-1", vector(json!("hub-sha1"), &drupal)),
        vector(json!("storyblok"), &[("webhook-signature", "ad719c75a74a77bcb6b6143313eea0b900da9190")]),
        vector(json!("kontent"), &[("x-kontent-ai-signature", BASE64)]),
        vector(json!("kontent"), &[("x-kc-signature", BASE64)]),
        vector(json!("wp-webhooks"), &[("x-wp-webhook-signature", BASE64)]),
        vector(json!("agorapulse"), &[("x-hook-signature", BASE64)]),
        vector(json!("websub"), &[("x-hub-signature", SHA1)]),
        vector(json!("websub"), &[("x-hub-signature", SHA256)]),
        // Computed with Python's hmac.
        vector(json!("freescout"), &[("x-freescout-signature", "rXGcdadKd7y2thQzE+6guQDakZA=")]),
        // An older Ghost.
        vector(json!("ghost"), &[("x-ghost-signature", SHA256)]),
    ]
}

fn of_more_than_the_body() -> Vec<Vector> {
    let standard = [
        ("webhook-id", "msg_1"),
        ("webhook-timestamp", "1700000000"),
        ("webhook-signature", "v1,CEiV6/xE+ObXiUPsP+p0ipc0LWl3kjy2cvj91E2ZxF8="),
    ];
    let ghost = "sha256=91a20fff1b42b467ce423599e14fe7a05f03b71328a44d42fb719c3cbf4e6689, t=1700000000000";
    let typo3 = [
        ("webhook-signature", "085e59de20116c30f0142cb1d2c0740fc254f3741860df9dbc0054e6a83fbf31"),
        ("webhook-signature-algo", "sha256"),
    ];
    let sanity = [
        ("sanity-webhook-signature", "t=1700000000000,v1=cyIGsOnHRgLFpPw8V4LFw2yv5KTCwIktq3ydSs1Y4ss"),
        ("idempotency-key", "key-1"),
    ];
    let contentful = [
        ("content-type", "application/json"),
        ("x-contentful-signed-headers", "content-type,x-contentful-signed-headers,x-contentful-timestamp"),
        ("x-contentful-timestamp", "1700000000000"),
        ("x-contentful-signature", "a9c8552782f30df28c8acbd9a2d61c42133ae24f8af2aa3b08bec9c90e768984"),
    ];
    let chatwoot = [
        ("x-chatwoot-signature", "sha256=670697e8986dac4c4b6bc5a09e95856b6fff960da3a1b3470bc85423dabef102"),
        ("x-chatwoot-timestamp", "1700000000"),
        ("x-chatwoot-delivery", "c-1"),
    ];
    let zendesk = [
        ("x-zendesk-webhook-signature", "yi4Plullm2Kt5h8nIgq2J30hevS45/EvzegRv/aP7/o="),
        ("x-zendesk-webhook-signature-timestamp", "1700000000"),
    ];
    let identifier = json!({"profile": "typo3", "identifier": "11111111-2222-3333-4444-555555555555"});
    let keyed = |secret: &str, vector: Vector| Vector { secret: secret.to_owned(), ..vector };
    vec![
        identified("msg_1", timed(keyed(STANDARD, vector(json!("standard"), &standard)))),
        timed(vector(json!("ghost"), &[("x-ghost-signature", ghost)])),
        vector(identifier, &typo3),
        identified("key-1", timed(vector(json!("sanity"), &sanity))),
        timed(keyed(&"a".repeat(64), vector(json!("contentful"), &contentful))),
        identified("c-1", timed(vector(json!("chatwoot"), &chatwoot))),
        timed(vector(json!("zendesk"), &zendesk)),
    ]
}

fn verify(vector: &Vector, body: &[u8], secrets: &[&str], now: EpochMs) -> Result<Verified, Refusal> {
    let profile = Profile::parse(Some(&vector.settings), "none").unwrap();
    let headers: Vec<(String, String)> =
        vector.headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let request = Signed { method: "POST", path_and_query: "/hook", headers: &headers, body, remote: None };
    let secrets: Vec<Secret> = secrets.iter().map(|secret| Secret::from(*secret)).collect();
    profile.verify(&request, &secrets, now)
}

#[test]
fn every_vector_holds_and_tells_its_time_and_id() {
    for vector in vectors() {
        let verified =
            verify(&vector, BODY, &[&vector.secret], AT).unwrap_or_else(|e| panic!("{}: {e}", vector.settings));
        assert_eq!(verified.at, vector.at, "{}", vector.settings);
        assert_eq!(verified.delivery_id.as_deref(), vector.id, "{}", vector.settings);
        assert_eq!(verified.id_is_signed, vector.settings == "standard");
        assert!(verified.body_is_signed);
    }
}

#[test]
fn while_a_secret_is_replaced_both_hold() {
    for vector in vectors() {
        assert!(verify(&vector, BODY, &["some-newer-secret", &vector.secret], AT).is_ok(), "{}", vector.settings);
    }
}

#[test]
fn another_body_secret_or_header_is_refused_without_telling_them() {
    for vector in vectors() {
        let name = vector.settings.to_string();
        let refusals = [
            verify(&vector, b"{\"id\":\"43\",\"event\":\"publish\"}", &[&vector.secret], AT),
            verify(&vector, BODY, &["another-secret-entirely"], AT),
            verify(&vector, BODY, &[], AT),
            verify(&Vector { headers: Vec::new(), ..vectors().remove(0) }, BODY, &[&vector.secret], AT),
        ];
        for refusal in refusals {
            let text = refusal.expect_err(&name).to_string();
            assert!(!text.contains(&vector.secret), "{text}");
        }
        for cut in 0..vector.headers.len() {
            let mut less = vector.headers.clone();
            let (gone, _) = less.remove(cut);
            let without =
                Vector { headers: less, secret: vector.secret.clone(), settings: vector.settings.clone(), ..vector };
            let ids = [
                "x-github-delivery",
                "x-drupal-delivery",
                "idempotency-key",
                "x-chatwoot-delivery",
                "webhook-signature-algo",
            ];
            assert_eq!(
                verify(&without, BODY, &[&vector.secret], AT).is_ok(),
                ids.contains(&gone),
                "{name} without {gone}"
            );
        }
    }
}

#[test]
fn a_signed_time_holds_for_the_window_and_no_longer() {
    for vector in vectors().iter().filter(|vector| vector.at.is_some()) {
        let after = |s: i64| verify(vector, BODY, &[&vector.secret], AT + s * 1_000);
        assert!(after(300).is_ok() && after(-300).is_ok());
        assert_eq!(after(301), Err(Refusal::Stale(301, 300)));
        assert_eq!(after(-301), Err(Refusal::Early(301, 300)));
    }
}

#[test]
fn the_id_and_time_of_standard_webhooks_are_signed() {
    let all = vectors();
    let standard = all.iter().find(|vector| vector.settings == "standard").unwrap();
    for (at, value) in [(0, "msg_2"), (1, "1700000001")] {
        let mut headers = standard.headers.clone();
        headers[at].1 = value;
        let changed = Vector { headers, secret: String::new(), settings: json!("standard"), ..*standard };
        assert_eq!(verify(&changed, BODY, &[STANDARD], AT), Err(Refusal::Wrong("standard")));
    }
}

#[test]
fn standard_webhooks_take_one_good_signature_among_several_and_ed25519() {
    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD as B64;

    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap();
    let public = format!("whpk_{}", B64.encode(pair.public_key().as_ref()));
    let signature = pair.sign(&[b"msg_1.1700000000.", BODY].concat());
    let check = |value: String, secrets: &[&str]| {
        let profile = Profile::parse(None, "standard").unwrap();
        let headers = [("webhook-id", "msg_1"), ("webhook-timestamp", "1700000000"), ("webhook-signature", &value)];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let request = Signed { method: "POST", path_and_query: "/", headers: &headers, body: BODY, remote: None };
        let secrets: Vec<Secret> = secrets.iter().map(|secret| Secret::from(*secret)).collect();
        profile.verify(&request, &secrets, AT)
    };
    let v1a = format!("v1a,{}", B64.encode(signature));
    assert!(check(v1a.clone(), &[&public]).is_ok());
    assert!(check(v1a.clone(), &[STANDARD]).is_err());
    let good = "v1,CEiV6/xE+ObXiUPsP+p0ipc0LWl3kjy2cvj91E2ZxF8=";
    assert!(check(format!("v1,AAAA v2,x {good}"), &[STANDARD]).is_ok());
    // Never so many that they cost something.
    assert!(check(format!("{}{good}", "v1,AAAA ".repeat(SIGNATURES_MAX - 1)), &[STANDARD]).is_ok());
    assert!(check(format!("{}{good}", "v1,AAAA ".repeat(SIGNATURES_MAX)), &[STANDARD]).is_err());
    // A public key is no shared secret.
    assert!(check(good.to_owned(), &[&public]).is_err());
}

#[test]
fn a_password_stands_in_a_header_or_a_parameter() {
    let check = |settings: Value, headers: &[(&str, &str)], path: &str| {
        let profile = Profile::parse(Some(&settings), "none").unwrap();
        let headers: Vec<_> = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let request = Signed { method: "POST", path_and_query: path, headers: &headers, body: BODY, remote: None };
        profile.verify(&request, &[Secret::from("new-secret"), Secret::from(SECRET)], AT)
    };
    let plain = json!("static-header");
    assert!(check(plain.clone(), &[("authorization", "Bearer heraut-test-secret")], "/").is_ok());
    assert!(check(plain.clone(), &[("authorization", "bearer new-secret")], "/").is_ok());
    assert!(check(plain.clone(), &[("authorization", "Basic aGVyYXV0LXRlc3Qtc2VjcmV0")], "/").is_ok());
    assert!(check(plain.clone(), &[("authorization", "Bearer heraut-test-secre")], "/").is_err());
    assert!(check(plain.clone(), &[("authorization", "")], "/").is_err());
    assert!(check(plain, &[], "/?access_token=heraut-test-secret").is_err());
    let own = json!({"profile": "static-header", "header": "X-API-Key"});
    let verified = check(own.clone(), &[("x-api-key", SECRET)], "/").unwrap();
    assert_eq!(verified, Verified::default());
    assert_eq!(check(own, &[("authorization", SECRET)], "/"), Err(Refusal::Missing("x-api-key".to_owned())));
    let query = json!({"profile": "static-header", "query": "access_token"});
    assert!(check(query.clone(), &[], "/hooks/a?x=1&access_token=heraut%2Dtest-secret").is_ok());
    assert!(check(query, &[], "/hooks/a?access_token=x").is_err());
}

#[test]
fn without_a_signature_path_and_address_must_be_right() {
    let settings = json!({"profile": "none-allowlist", "addresses": ["192.0.2.0/24", "2001:db8::1"]});
    let profile = Profile::parse(Some(&settings), "none").unwrap();
    let check = |path: &str, remote: Option<&str>| {
        let remote = remote.map(|text| text.parse().unwrap());
        let request = Signed { method: "POST", path_and_query: path, headers: &[], body: BODY, remote };
        profile.verify(&request, &[Secret::from(SECRET)], AT)
    };
    assert!(check("/hooks/a/heraut-test-secret", Some("192.0.2.9")).is_ok());
    assert!(check("/hooks/a/heraut-test-secret?x=/y", Some("2001:db8::1")).is_ok());
    assert_eq!(check("/hooks/a/heraut-test-secret", Some("198.51.100.1")), Err(Refusal::Address));
    assert_eq!(check("/hooks/a/heraut-test-secret", None), Err(Refusal::Address));
    assert_eq!(check("/hooks/a", Some("192.0.2.9")), Err(Refusal::Wrong("none-allowlist")));
}

#[test]
fn settings_that_are_wrong_are_refused_by_key() {
    let table = [
        (json!("githab"), "signature", "these are: standard, github"),
        (json!(1), "signature", "table"),
        (json!({"profile": 1}), "signature.profile", "text"),
        (json!({"profile": "typo3"}), "signature.identifier", "missing"),
        (json!({"profile": "github", "header": "x"}), "signature.header", "not known"),
        (json!({"profile": "static-header", "header": "x y"}), "signature.header", "name"),
        (json!({"profile": "github", "window_s": 0}), "signature.window_s", "between"),
        (json!({"profile": "github", "window_s": 86_401}), "signature.window_s", "between"),
        (json!({"profile": "github", "window_s": "x"}), "signature.window_s", "type"),
        (json!({"profile": "github", "addresses": ["x"]}), "signature.addresses", "list"),
        (json!({"profile": "github", "colour": "x"}), "signature.colour", "not known"),
    ];
    for (settings, wanted, text) in table {
        let Err(ConnectorError::Settings { key, problem }) = Profile::parse(Some(&settings), "standard") else {
            panic!("{settings} is taken");
        };
        assert!(key == wanted && problem.contains(text), "{settings}: {key} {problem}");
    }
    assert_eq!(Profile::parse(None, "ghost").unwrap().name(), "ghost");
    assert_eq!(Profile::parse(Some(&json!({"window_s": 86_400})), "ghost").unwrap().name(), "ghost");
}

#[test]
fn nothing_that_comes_in_panics() {
    use proptest::prelude::*;
    let names: Vec<&str> = names().collect();
    let headers = [
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
        "x-hub-signature",
        "x-hub-signature-256",
        "x-ghost-signature",
        "sanity-webhook-signature",
        "x-contentful-signature",
        "x-contentful-signed-headers",
        "x-contentful-timestamp",
        "authorization",
        "x-zendesk-webhook-signature",
        "x-zendesk-webhook-signature-timestamp",
    ];
    proptest!(|(profile in proptest::sample::select(names), value in ".{0,80}", body in proptest::collection::vec(any::<u8>(), 0..64))| {
        let settings = if profile == "typo3" { json!({"profile": profile, "identifier": "x"}) } else { json!(profile) };
        let profile = Profile::parse(Some(&settings), "none").unwrap();
        let all: Vec<_> = headers.iter().map(|name| ((*name).to_owned(), value.clone())).collect();
        let request = Signed { method: "POST", path_and_query: &value, headers: &all, body: &body, remote: None };
        prop_assert!(profile.verify(&request, &[Secret::from(SECRET)], AT).is_err());
    });
}
