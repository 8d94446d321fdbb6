//! The list of all official actors of an installation, signed by its instance actor: what other servers can import, and check
//! without asking us again.
//!
//! Signed by a Data Integrity proof of the suite `eddsa-jcs-2022`: Ed25519 over the SHA-256 of the canonical (RFC 8785) options,
//! and that of the canonical document. The key is that of the instance actor's `assertionMethod`.

use openssl::sha::sha256;
use serde_json::{Map, Value, json};

use crate::actor::Actor;
use crate::actor::key::Ed25519PrivateKey;
use crate::actor::ladder::{Level, Rung, Standing, Step};
use crate::actor::verification::InstanceActor;
use crate::time::Timestamp;
use crate::urls::Base;

/// Where the list is.
pub const LIST_PATH: &str = "/.well-known/heraut-actors.json";
/// Its media type.
pub const LIST_TYPE: &str = "application/json";

/// An actor that is verified now.
#[derive(Debug, Clone)]
pub struct Official<'a> {
    /// The actor.
    pub actor: &'a Actor,
    /// How much is proven of it.
    pub level: Level,
    /// Until when, if nothing is renewed.
    pub until: Timestamp,
    /// The rungs of its ladder.
    pub steps: &'a [Step],
    /// URL of its page.
    pub page: String,
}

/// The organisation that a register names for these steps: a URI.
pub fn organisation(steps: &[Step]) -> Option<&str> {
    let register = steps.iter().find(|step| step.rung == Rung::Register && step.standing == Standing::Holds)?;
    register.seen.as_ref()?.organisation.as_deref()
}

/// The list, without its proof. `at` is when the newest of what it says was seen.
pub fn list(instance: &InstanceActor, base: &Base, officials: &[Official<'_>], at: Timestamp) -> Map<String, Value> {
    let actors: Vec<Value> = officials
        .iter()
        .map(|official| {
            let actor = official.actor;
            json!({
                "actor": actor.url,
                "handle": actor.full_handle(),
                "url": official.page,
                "name": actor.profile.name,
                "agency": actor.agency.name,
                "domain": actor.agency.domain,
                "organisation": organisation(official.steps),
                "level": official.level,
                "verifiedUntil": official.until.to_rfc3339(),
                "keyFingerprint": actor.keys.fingerprint(),
                "keyFingerprints": actor.keys.fingerprints(),
                "proof": format!("{}/proof.json", official.page),
            })
        })
        .collect();
    let mut list = Map::new();
    for (name, value) in [
        ("type", json!("OfficialActors")),
        ("installation", json!(base.root())),
        ("issuer", json!(instance.url)),
        ("asOf", json!(at.to_rfc3339())),
        ("actors", Value::Array(actors)),
    ] {
        list.insert(name.to_owned(), value);
    }
    list
}

/// The document with a proof by the key of the instance actor. An error is the canonicalizer's.
pub fn signed(
    mut document: Map<String, Value>,
    instance: &InstanceActor,
    key: &Ed25519PrivateKey,
    at: Timestamp,
) -> Result<Value, String> {
    let mut options = json!({
        "type": "DataIntegrityProof",
        "cryptosuite": "eddsa-jcs-2022",
        "created": at.to_rfc3339(),
        "verificationMethod": instance.keys.serial.ed25519_key_id(&instance.url),
        "proofPurpose": "assertionMethod",
    });
    let value = bs58::encode(key.sign(&to_sign(&options, &Value::Object(document.clone()))?)).into_string();
    if let Some(options) = options.as_object_mut() {
        options.insert("proofValue".to_owned(), json!(format!("z{value}")));
    }
    document.insert("proof".to_owned(), options);
    Ok(Value::Object(document))
}

/// The bytes that are signed: the hash of the options, then that of the document.
fn to_sign(options: &Value, document: &Value) -> Result<Vec<u8>, String> {
    let hash =
        |value: &Value| serde_json_canonicalizer::to_vec(value).map(|bytes| sha256(&bytes)).map_err(|e| e.to_string());
    Ok([hash(options)?, hash(document)?].concat())
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

    use super::*;
    use crate::actor::key::decode_multikey;
    use crate::actor::verification::tests::{NOW, actor, base};

    /// A key for these tests alone.
    fn key() -> Ed25519PrivateKey {
        let pair = openssl::pkey::PKey::generate_ed25519().unwrap();
        Ed25519PrivateKey::from_pkcs8_der(&pair.private_key_to_pkcs8().unwrap()).unwrap()
    }

    fn verifies(document: &Value, key: &Ed25519PrivateKey) -> bool {
        let mut document = document.clone();
        let mut options = document.as_object_mut().unwrap().remove("proof").unwrap();
        let value = options.as_object_mut().unwrap().remove("proofValue").unwrap();
        let signature = bs58::decode(value.as_str().unwrap().strip_prefix('z').unwrap()).into_vec().unwrap();
        let public = decode_multikey(&key.public_multibase().unwrap()).unwrap();
        UnparsedPublicKey::new(&ED25519, public).verify(&to_sign(&options, &document).unwrap(), &signature).is_ok()
    }

    #[test]
    fn the_signature_of_the_list_holds_for_these_very_actors_and_no_others() {
        let (key, actor) = (key(), actor());
        let instance = InstanceActor::new(&base(), actor.keys.clone(), NOW);
        let official = Official {
            actor: &actor,
            level: Level::Controlled,
            until: NOW,
            steps: &[],
            page: base().actor_page("nieuws"),
        };
        let document = signed(list(&instance, &base(), &[official], NOW), &instance, &key, NOW).unwrap();
        assert!(verifies(&document, &key));
        assert_eq!(document["proof"]["verificationMethod"], format!("{}#ed25519", instance.url));
        assert_eq!(document["actors"][0]["level"], 2);
        for (path, value) in [
            ("/actors/0/actor", "https://evil.example/a"),
            ("/asOf", "2030-01-01T00:00:00Z"),
            ("/proof/created", "2030-01-01T00:00:00Z"),
        ] {
            let mut forged = document.clone();
            *forged.pointer_mut(path).unwrap() = json!(value);
            assert!(!verifies(&forged, &key), "{path}");
        }
    }
}
