//! The examples of RFC 9421: appendix B as far as it is about requests, and the signature by a proxy of §4.3. That by a shared
//! secret (B.2.5) does not apply; of the response (B.2.4) only the algorithm does.

use sfv::BareItem;

use super::base;
use super::dictionary::{self, Value};
use crate::actor::public_key::{PublicKey, SignatureAlgorithm};
use crate::signature::{ReceivedRequest, SignatureError, Site};
use crate::urls::Base;

/// B.1.1
const RSA: &str = "-----BEGIN RSA PUBLIC KEY-----
MIIBCgKCAQEAhAKYdtoeoy8zcAcR874L8cnZxKzAGwd7v36APp7Pv6Q2jdsPBRrw
WEBnez6d0UDKDwGbc6nxfEXAy5mbhgajzrw3MOEt8uA5txSKobBpKDeBLOsdJKFq
MGmXCQvEG7YemcxDTRPxAleIAgYYRjTSd/QBwVW9OwNFhekro3RtlinV0a75jfZg
kne/YiktSvLG34lw2zqXBDTC5NHROUqGTlML4PlNZS5Ri2U4aCNx2rUPRcKIlE0P
uKxI4T+HIaFpv8+rdV6eUgOrB2xeI1dSFFn/nnv5OoZJEIB+VmuKn3DCUcCZSFlQ
PSXSfBDiUGhwOw76WuSSsf1D4b/vLoJ10wIDAQAB
-----END RSA PUBLIC KEY-----";
/// B.1.2
const RSA_PSS: &str = "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/PbqvP1s2
+QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct+Lh1GH45x28Rw3Ry53mm+
oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHq
gDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+bJ9cvSKADYdUAAN5W
Utzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4
aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdDOp9LCNCN48V2pnDOkFV6+U9nV5oyc6XI
2wIDAQAB
-----END PUBLIC KEY-----";
/// B.1.3
const P256: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lf
w0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==
-----END PUBLIC KEY-----";
/// B.1.4
const ED25519: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=
-----END PUBLIC KEY-----";
/// Of the body of B.2, `{"hello": "world"}`.
const DIGEST: &str =
    "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:";
const BODY: &[u8] = br#"{"hello": "world"}"#;

type Headers = Vec<(String, String)>;

fn headers(pairs: &[(&str, &str)]) -> Headers {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// The request of B.2.
fn b2() -> Headers {
    headers(&[
        ("host", "example.com"),
        ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
        ("content-type", "application/json"),
        ("content-digest", DIGEST),
        ("content-length", "18"),
    ])
}

/// A message with the signature that is said to be one of it.
struct Case<'a> {
    root: &'a str,
    method: &'a str,
    target: &'a str,
    headers: Headers,
    input: &'a str,
    signature: &'a str,
}

impl Case<'_> {
    fn post(headers: Headers, input: &'static str, signature: &'static str) -> Case<'static> {
        let target = "/foo?param=Value&Pet=dog";
        Case { root: "https://example.com", method: "POST", target, headers, input, signature }
    }

    /// The signature base, and the signature.
    fn read(&self) -> Result<(String, Vec<u8>), SignatureError> {
        let request =
            ReceivedRequest { method: self.method, path_and_query: self.target, headers: &self.headers, body: BODY };
        let site = Site::of(&Base::parse(self.root).unwrap());
        let input = dictionary::read(&[self.input], "input")?.remove(0);
        let signature = dictionary::read(&[self.signature], "signature")?.remove(0);
        assert_eq!(input.label, signature.label);
        let (Value::List(components), Value::Item(BareItem::ByteSequence(signature))) =
            (&input.value, &signature.value)
        else {
            panic!("{input:?} {signature:?}");
        };
        Ok((base::text(&request, &site, components, &input.parameters)?, signature.clone()))
    }

    fn holds(&self, pem: &str, algorithm: SignatureAlgorithm) -> bool {
        let Ok((base, signature)) = self.read() else { return false };
        PublicKey::from_pem(pem).unwrap().verifies(algorithm, base.as_bytes(), &signature)
    }
}

#[test]
fn b_2_1_to_b_2_3_rsa_pss() {
    let minimal = Case::post(
        b2(),
        r#"sig-b21=();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd""#,
        "sig-b21=:d2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq786U7it++wgGxbtRxf8Udx7zFZsckz\
         XaJMkA7ChG52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbzR72rgFWhzx2VjBqJzsPLMIQKhO4DGezXehhWwE56YCE+O6c\
         0mKZsfxVrogUvA4HELjVKWmAvtl6UnCh8jYzuVG5WSb/QEVPnP5TmcAnLH1g+s++v6d4s8m0gCw1fV5/SITLq9mhho8K3+7EPYTU8IU1bLhdxO5\
         Nyt8C8ssinQ98Xw9Q==:",
    );
    let selective = Case::post(
        b2(),
        r#"sig-b22=("@authority" "content-digest" "@query-param";name="Pet");created=1618884473;keyid="test-key-rsa-pss";tag="header-example""#,
        "sig-b22=:LjbtqUbfmvjj5C5kr1Ugj4PmLYvx9wVjZvD9GsTT4F7GrcQEdJzgI9qHxICagShLRiLMlAJjtq6N4CDfKtjvuJyE5qH7KT8UCMkSow\
         OB4+ECxCmT8rtAmj/0PIXxi0A0nxKyB09RNrCQibbUjsLS/2YyFYXEu4TRJQzRw1rLEuEfY17SARYhpTlaqwZVtR8NV7+4UKkjqpcAoFqWFQh62\
         s7Cl+H2fjBSpqfZUJcsIk4N6wiKYd4je2U/lankenQ99PZfB4jY3I5rSV2DSBVkSFsURIjYErOs0tFTQosMTAoxk//0RoKUqiYY8Bh0aaUEb0rQ\
         l3/XaVe4bXTugEjHSw==:",
    );
    let full = Case::post(
        b2(),
        r#"sig-b23=("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-rsa-pss""#,
        "sig-b23=:bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt683+qRpRRU5p2voTp768Z\
         rCUb38K0fUxN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW91kE9o/\
         CCoC1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRxpJyoEZAFL2FU\
         o5fTIztsDZKEgM4cUA==:",
    );
    for case in [&minimal, &selective, &full] {
        assert!(case.holds(RSA_PSS, SignatureAlgorithm::RsaPssSha512), "{}", case.input);
        assert!(!case.holds(RSA_PSS, SignatureAlgorithm::RsaV15Sha256), "{}", case.input);
        assert!(!case.holds(RSA, SignatureAlgorithm::RsaPssSha512), "{}", case.input);
    }
    assert_eq!(
        selective.read().unwrap().0,
        format!(
            "\"@authority\": example.com\n\"content-digest\": {DIGEST}\n\"@query-param\";name=\"Pet\": dog\n\
             \"@signature-params\": (\"@authority\" \"content-digest\" \"@query-param\";name=\"Pet\");created=1618884473;\
             keyid=\"test-key-rsa-pss\";tag=\"header-example\""
        )
    );
}

#[test]
fn b_2_4_the_algorithm_of_the_response_is_read() {
    let base = "\"@status\": 200\n\"content-type\": application/json\n\"content-digest\": \
        sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:\n\
        \"content-length\": 23\n\"@signature-params\": (\"@status\" \"content-type\" \"content-digest\" \"content-length\")\
        ;created=1618884473;keyid=\"test-key-ecc-p256\"";
    let signature =
        "sig-b24=:wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==:";
    let read = dictionary::read(&[signature], "signature").unwrap().remove(0);
    let Value::Item(BareItem::ByteSequence(signature)) = read.value else { panic!("{read:?}") };
    let key = PublicKey::from_pem(P256).unwrap();
    assert!(key.verifies(SignatureAlgorithm::EcdsaP256Sha256, base.as_bytes(), &signature));
    assert!(!key.verifies(SignatureAlgorithm::EcdsaP256Sha256, b"something else", &signature));
}

#[test]
fn b_2_6_ed25519() {
    let case = Case::post(
        b2(),
        r#"sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519""#,
        "sig-b26=:wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==:",
    );
    assert!(case.holds(ED25519, SignatureAlgorithm::Ed25519));
    let mut other = Case::post(b2(), case.input, case.signature);
    other.method = "PUT";
    assert!(!other.holds(ED25519, SignatureAlgorithm::Ed25519));
}

#[test]
fn b_3_behind_a_proxy() {
    const CERTIFICATE: &str = ":MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6MRswGQYDVQQKDBJMZXQncyBBdXRoZW50aWNhdGUxGzAZBgNVBAMM\
        EkxBIEludGVybWVkaWF0ZSBDQTAeFw0yMDAxMTQyMjU1MzNaFw0yMTAxMjMyMjU1MzNaMA0xCzAJBgNVBAMMAkJDMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQ\
        cDQgAE8YnXXfaUgmnMtOXU/IncWalRhebrXmckC8vdgJ1p5Be5F/3YC8OthxM4+k1M6aEAEFcGzkJiNy6J84y7uzo9M6NyMHAwCQYDVR0TBAIwADAfBgNV\
        HSMEGDAWgBRm3WjLa38lbEYCuiCPct0ZaSED2DAOBgNVHQ8BAf8EBAMCBsAwEwYDVR0lBAwwCgYIKwYBBQUHAwIwHQYDVR0RAQH/BBMwEYEPYmRjQGV4YW\
        1wbGUuY29tMAoGCCqGSM49BAMCA0gAMEUCIBHda/r1vaL6G3VliL4/Di6YK0Q6bMjeSkC3dFCOOB8TAiEAx/kHSB4urmiZ0NX5r5XarmPk0wmuydBVoU4h\
        BVZ1yhk=:";
    let mut case = Case::post(
        headers(&[("host", "service.internal.example"), ("client-cert", CERTIFICATE)]),
        r#"ttrp=("@path" "@query" "@method" "@authority" "client-cert");created=1618884473;keyid="test-key-ecc-p256""#,
        "ttrp=:xVMHVpawaAC/0SbHrKRs9i8I3eOs5RtTMGCWXm/9nvZzoHsIg6Mce9315T6xoklyy0yzhD9ah4JHRwMLOgmizw==:",
    );
    case.root = "https://service.internal.example";
    assert!(case.holds(P256, SignatureAlgorithm::EcdsaP256Sha256), "{}", case.read().unwrap().0);
}

#[test]
fn b_4_what_may_be_transformed_on_the_way_and_what_may_not() {
    let case = |root, method, target, pairs: &[(&str, &str)]| Case {
        root,
        method,
        target,
        headers: headers(pairs),
        input: r#"transform=("@method" "@path" "@authority" "accept");created=1618884473;keyid="test-key-ed25519""#,
        signature: "transform=:ZT1kooQsEHpZ0I1IjCqtQppOmIqlJPeo7DHR3SoMn0s5JZ1eRGS0A+vyYP9t/LXlh5QMFFQ6cpLt2m0pmj3NDA==:",
    };
    let (org, demo) = ("https://example.org", "/demo?name1=Value1&Name2=value2");
    let accepts = [("host", "example.org"), ("accept", "application/json"), ("accept", "*/*")];
    let holds = |case: Case<'_>| case.holds(ED25519, SignatureAlgorithm::Ed25519);
    assert!(holds(case(org, "GET", demo, &accepts)));
    let mut more = accepts.to_vec();
    more.push(("accept-language", "en-US,en;q=0.5"));
    assert!(holds(case(org, "GET", "/demo?name1=Value1&Name2=value2&param=added", &more)));
    assert!(holds(case(org, "GET", demo, &[("referer", "https://x.example"), ("accept", "application/json, */*")])));
    assert!(!holds(case("https://example.com", "POST", demo, &accepts)), "another method and authority");
    assert!(!holds(case(org, "GET", demo, &[("accept", "*/*"), ("accept", "application/json")])), "another order");
}

#[test]
fn section_4_3_the_signature_of_the_proxy() {
    let mut case = Case::post(
        headers(&[
            ("host", "origin.host.internal.example"),
            ("content-type", "application/json"),
            ("content-length", "18"),
            ("forwarded", "for=192.0.2.123;host=example.com;proto=https"),
            ("content-digest", DIGEST),
        ]),
        r#"proxy_sig=("@method" "@authority" "@path" "content-digest" "content-type" "content-length" "forwarded");created=1618884480;keyid="test-key-rsa";alg="rsa-v1_5-sha256";expires=1618884540"#,
        "proxy_sig=:S6ZzPXSdAMOPjN/6KXfXWNO/f7V6cHm7BXYUh3YD/fRad4BCaRZxP+JH+8XY1I6+8Cy+CM5g92iHgxtRPz+MjniOaYmdkDcnL9cCpX\
         JleXsOckpURl49GwiyUpZ10KHgOEe11sx3G2gxI8S0jnxQB+Pu68U9vVcasqOWAEObtNKKZd8tSFu7LB5YAv0RAGhB8tmpv7sFnIm9y+7X5kXQf\
         i8NMaZaA8i2ZHwpBdg7a6CMfwnnrtflzvZdXAsD3LH2TwevU+/PBPv0B6NMNk93wUs/vfJvye+YuI87HU38lZHowtznbLVdp770I6VHR6WfgS9d\
         dzirrswsE1w5o0LV/g==:",
    );
    case.root = "https://origin.host.internal.example";
    assert!(case.holds(RSA, SignatureAlgorithm::RsaV15Sha256));
    assert!(!case.holds(RSA, SignatureAlgorithm::RsaPssSha512));
}
