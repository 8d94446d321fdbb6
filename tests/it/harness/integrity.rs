//! Integrity proofs of remote accounts (FEP-8b32, `eddsa-jcs-2022`), made here by hand.

use openssl::pkey::{PKey, Private};
use openssl::sha::sha256;
use openssl::sign::Signer;
use serde_json::{Value, json};

use super::account::Account;

/// An Ed25519 key.
pub struct ProofKey(PKey<Private>);

impl ProofKey {
    /// A new one.
    pub fn generate() -> Self {
        Self(PKey::generate_ed25519().unwrap())
    }

    /// As `publicKeyMultibase` has it.
    pub fn multibase(&self) -> String {
        let key = [&[0xed, 0x01][..], &self.0.raw_public_key().unwrap()].concat();
        format!("z{}", bs58::encode(key).into_string())
    }

    /// The activity, with a proof by the key with that id.
    pub fn attest(&self, activity: &Value, key_id: &str) -> Value {
        let mut whole = activity.clone();
        let mut proof = json!({
            "@context": whole["@context"],
            "type": "DataIntegrityProof",
            "cryptosuite": "eddsa-jcs-2022",
            "verificationMethod": key_id,
            "proofPurpose": "assertionMethod",
            "created": chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string(),
        });
        let hash = |value: &Value| sha256(&serde_json_canonicalizer::to_vec(value).unwrap());
        let data = [hash(&proof), hash(&whole)].concat();
        let signature = Signer::new_without_digest(&self.0).unwrap().sign_oneshot_to_vec(&data).unwrap();
        proof["proofValue"] = json!(format!("z{}", bs58::encode(signature).into_string()));
        whole["proof"] = proof;
        whole
    }
}

impl Account {
    /// The id of the key by which it signs what it says.
    pub fn proof_key_id(&self) -> String {
        format!("{}#ed25519", self.id)
    }

    /// Shows a key by which it signs what it says.
    pub fn asserts(&self, key: &ProofKey) {
        let (id, controller) = (self.proof_key_id(), self.id.clone());
        self.change(|document| {
            document["assertionMethod"] = json!([{
                "id": id,
                "type": "Multikey",
                "controller": controller,
                "publicKeyMultibase": key.multibase(),
            }]);
        });
    }
}
