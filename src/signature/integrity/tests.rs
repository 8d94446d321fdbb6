use std::sync::Arc;
use std::time::Duration;

use openssl::pkey::PKey;

use super::*;
use crate::actor::key::Ed25519PrivateKey;
use crate::actor::key::tests::rsa_key;
use crate::actor::public_key::multikey_to_pem;
use crate::actor::verification::tests::{NOW, verified};

/// The public key of the examples of FEP-8b32 and of W3C vc-di-eddsa.
const KEY: &str = "z6MkrJVnaZkeFzdQyMZu1cgjg7k1pZZ6pvBQ7XJPt4swbTQ2";

fn created() -> Timestamp {
    Timestamp::parse_rfc3339("2023-02-24T23:36:38Z").unwrap()
}

fn public(multikey: &str) -> PublicKey {
    PublicKey::from_pem(&multikey_to_pem(multikey).unwrap()).unwrap()
}

/// `fep-8b32.feature`
fn fep() -> Value {
    json!({
        "@context": ["https://www.w3.org/ns/activitystreams", "https://w3id.org/security/data-integrity/v2"],
        "id": "https://server.example/activities/1",
        "type": "Create",
        "actor": "https://server.example/users/alice",
        "object": {
            "id": "https://server.example/objects/1",
            "type": "Note",
            "attributedTo": "https://server.example/users/alice",
            "content": "Hello world",
            "location": { "type": "Place", "longitude": -71.184902, "latitude": 25.273962 },
        },
        "proof": {
            "@context": ["https://www.w3.org/ns/activitystreams", "https://w3id.org/security/data-integrity/v2"],
            "type": "DataIntegrityProof",
            "cryptosuite": "eddsa-jcs-2022",
            "verificationMethod": "https://server.example/users/alice#ed25519-key",
            "proofPurpose": "assertionMethod",
            "proofValue": "z42ffGu6AUKPCFcFPiabmUvnGLPJzC7e4DGWC52NUasSSH37UMa9c58tdgVszUcZfytxa4fQ5TYHaJENCxUDe9SdL",
            "created": "2023-02-24T23:36:38Z",
        },
    })
}

#[test]
fn the_example_of_fep_8b32_holds_and_nothing_else_does() {
    let claim = Claim::read(&fep(), created()).unwrap();
    assert_eq!(claim.key_id().as_str(), "https://server.example/users/alice#ed25519-key");
    assert_eq!(claim.verify(&public(KEY)), Ok(()));
    let other = "z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK";
    assert!(matches!(claim.verify(&public(other)), Err(IntegrityError::Invalid(_))));
    for pointer in ["/object/content", "/proof/created", "/object/location/latitude"] {
        let mut changed = fep();
        *changed.pointer_mut(pointer).unwrap() = json!("2023-02-24T23:36:39Z");
        let claim = Claim::read(&changed, created()).unwrap();
        assert!(claim.verify(&public(KEY)).is_err(), "{pointer}");
    }
    let mut added = fep();
    added["extra"] = json!(1);
    assert!(Claim::read(&added, created()).unwrap().verify(&public(KEY)).is_err());
    let mut with_ld = fep();
    with_ld["signature"] = json!({"type": "RsaSignature2017"});
    assert_eq!(
        Claim::read(&with_ld, created()).unwrap().verify(&public(KEY)),
        Ok(()),
        "an LD signature is no part of it"
    );
    let mut several = fep();
    several["proof"] = json!([{"type": "Other"}, fep()["proof"]]);
    assert_eq!(Claim::read(&several, created()).unwrap().verify(&public(KEY)), Ok(()));
}

#[test]
fn the_example_of_vc_di_eddsa_holds_with_all_that_is_between() {
    let context = json!(["https://www.w3.org/ns/credentials/v2", "https://www.w3.org/ns/credentials/examples/v2"]);
    let document = json!({
        "@context": context,
        "id": "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33",
        "type": ["VerifiableCredential", "AlumniCredential"],
        "name": "Alumni Credential",
        "description": "A minimum viable example of an Alumni Credential.",
        "issuer": "https://vc.example/issuers/5678",
        "validFrom": "2023-01-01T00:00:00Z",
        "credentialSubject": { "id": "did:example:abcdefgh", "alumniOf": "The School of Examples" },
    });
    let options = json!({
        "type": "DataIntegrityProof",
        "cryptosuite": "eddsa-jcs-2022",
        "created": "2023-02-24T23:36:38Z",
        "verificationMethod": format!("did:key:{KEY}#{KEY}"),
        "proofPurpose": "assertionMethod",
        "@context": context,
    });
    let (document, options) = (document.as_object().unwrap(), options.as_object().unwrap());
    let data = hash_data(document, options).unwrap();
    assert_eq!(
        hex::encode(data),
        "66ab154f5c2890a140cb8388a22a160454f80575f6eae09e5a097cabe539a1db\
         59b7cb6251b8991add1ce0bc83107e3db9dbbab5bd2c28f687db1a03abc92f19"
    );
    let value = "2HnFSSPPBzR36zdDgK8PbEHeXbR56YF24jwMpt3R1eHXQzJDMWS93FCzpvJpwTWd3GAVFuUfjoJdcnTMuVor51aX";
    let signature = bs58::decode(value).into_vec().unwrap();
    assert_eq!(
        hex::encode(&signature),
        "407cd12654b33d718ecbb99179a1506daaa849450bf3fc523cce3e1c96f8b803\
         51da3f253d725c6f00b07c9e5448d50b3ef78012b9ab54255116d069c6dd2808"
    );
    assert!(public(KEY).verifies(SignatureAlgorithm::Ed25519, &data, &signature));
}

#[test]
fn what_we_attach_holds_and_the_context_is_there_once() {
    let der = PKey::generate_ed25519().unwrap().private_key_to_pkcs8().unwrap();
    let key = Arc::new(Ed25519PrivateKey::from_pkcs8_der(&der).unwrap());
    let plain = SigningIdentity::verified(&verified(), Arc::new(rsa_key(2048)));
    let identity = plain.clone().with_ed25519(&verified(), key.clone());
    for context in
        [json!("https://www.w3.org/ns/activitystreams"), json!(["https://a.example/", {"x": "as:x"}]), json!([CONTEXT])]
    {
        let bytes = json!({"@context": context, "type": "Create", "content": "é\u{1F600}\n", "n": 1.5e300})
            .to_string()
            .into_bytes();
        assert_eq!(attach(bytes.clone(), &plain, NOW), bytes, "without the key nothing is added");
        let said: Value = serde_json::from_slice(&attach(bytes, &identity, NOW)).unwrap();
        let contexts = said["@context"].as_array().unwrap();
        assert_eq!(contexts.iter().filter(|one| *one == CONTEXT).count(), 1, "{contexts:?}");
        assert_eq!(said["proof"]["@context"], said["@context"]);
        let claim = Claim::read(&said, NOW).unwrap();
        assert_eq!(claim.key_id().as_str(), "https://social.example.nl/ap/a/7#ed25519");
        assert_eq!(claim.verify(&public(&key.public_multibase().unwrap())), Ok(()));
    }
    assert_eq!(attach(b"no JSON".to_vec(), &identity, NOW), b"no JSON");
}

#[test]
fn what_is_no_proof_of_ours_to_judge_or_too_old_is_refused() {
    let with = |pointer: &str, value: Value| {
        let mut document = fep();
        *document.pointer_mut(pointer).unwrap() = value;
        Claim::read(&document, created()).unwrap_err()
    };
    assert_eq!(with("/proof", Value::Null), IntegrityError::None);
    assert_eq!(with("/proof/cryptosuite", json!("mldsa44-jcs-2024")), IntegrityError::None);
    assert_eq!(with("/proof/proofPurpose", json!("authentication")), IntegrityError::Shape("proofPurpose"));
    assert_eq!(with("/proof/verificationMethod", json!("did:key:z6Mk")), IntegrityError::Shape("verificationMethod"));
    assert_eq!(with("/proof/proofValue", json!("u42ff")), IntegrityError::Shape("proofValue"));
    assert_eq!(with("/proof/proofValue", json!("z42ff")), IntegrityError::Shape("proofValue"));
    assert_eq!(with("/proof/created", json!("yesterday")), IntegrityError::Shape("created"));
    assert_eq!(with("/proof/@context", json!(["https://other.example/"])), IntegrityError::Context);
    assert!(Claim::read(&fep(), created().after(AGE_MAX)).is_ok());
    let late = created().after(AGE_MAX + Duration::from_secs(1));
    assert!(matches!(Claim::read(&fep(), late), Err(IntegrityError::Time(_))));
    assert!(matches!(Claim::read(&fep(), created().before(Duration::from_secs(7_200))), Err(IntegrityError::Time(_))));
    let mut expired = fep();
    expired["proof"]["expires"] = json!("2023-02-24T23:36:39Z");
    assert!(matches!(Claim::read(&expired, created().after(Duration::from_secs(2))), Err(IntegrityError::Time(_))));
    assert_eq!(Claim::read(&json!([]), NOW), Err(IntegrityError::None));
}
