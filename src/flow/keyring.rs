//! Our private keys, opened once and kept parsed: parsing costs more than a tenth of signing (`reference/stack.md` 4).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;

use crate::actor::continuity::RetiringActor;
use crate::actor::key::{Ed25519PrivateKey, KeyError, PublicKeys, RsaPrivateKey};
use crate::actor::verification::{InstanceActor, VerifiedActor};
use crate::flow::{Gateway, now};
use crate::ids::{ActorId, KeyRowId, SecretId, SubscriptionId};
use crate::signature::SigningIdentity;
use crate::store::StoreError;
use crate::store::actors::{self, ED25519, KeyRow, RSA};
use crate::urls::Base;
use crate::vault::{self, MasterKey, VaultError};

/// Why a key cannot be had.
#[derive(Debug, Error)]
pub enum KeyringError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The seal does not open or a key cannot be made.
    #[error("the private key of {whose} cannot be opened; is keys.master_key_file the one that it was made with?")]
    Vault {
        /// Whose key.
        whose: String,
        /// What happened.
        #[source]
        source: VaultError,
    },
    /// The key is unusable.
    #[error("the key of {whose} is not usable")]
    Key {
        /// Whose key.
        whose: String,
        /// What happened.
        #[source]
        source: KeyError,
    },
    /// There is none.
    #[error("there is no key of {0} in the database; restore it from the backup")]
    Missing(String),
}

/// The private keys of our actors.
pub struct Keyring {
    master: MasterKey,
    open: Mutex<HashMap<Option<ActorId>, Arc<RsaPrivateKey>>>,
    open_ed25519: Mutex<HashMap<ActorId, Arc<Ed25519PrivateKey>>>,
}

/// Keys made for a new actor: sealed rows for the store, and the public halves.
pub struct NewKeys {
    /// Rows to store.
    pub rows: Vec<KeyRow>,
    /// The public halves.
    pub public: PublicKeys,
}

impl Keyring {
    /// A keyring under that master key.
    pub fn new(master: MasterKey) -> Self {
        Self { master, open: Mutex::default(), open_ed25519: Mutex::default() }
    }

    /// Makes the keys of a new actor, or of the instance actor when `actor` is `None`. Slow: RSA keys are searched for.
    pub fn generate(&self, gateway_ids: [KeyRowId; 2], actor: Option<ActorId>) -> Result<NewKeys, KeyringError> {
        let whose = whose(actor);
        let vault = |source| KeyringError::Vault { whose: whose.clone(), source };
        let key = |source| KeyringError::Key { whose: whose.clone(), source };
        let rsa = vault::generate_rsa_2048().map_err(vault)?;
        let ed25519 = vault::generate_ed25519().map_err(vault)?;
        let rsa_private = RsaPrivateKey::from_pkcs8_der(rsa.private_pkcs8.expose()).map_err(key)?;
        let ed25519_private = Ed25519PrivateKey::from_pkcs8_der(ed25519.private_pkcs8.expose()).map_err(key)?;
        let public = PublicKeys::of(&rsa_private, &ed25519_private).map_err(key)?;
        let [rsa_id, ed25519_id] = gateway_ids;
        let row = |id: KeyRowId, kind: &str, public: &str, private: &[u8]| -> Result<KeyRow, KeyringError> {
            let sealed = self.master.seal(&vault::actor_key(id), private).map_err(vault)?;
            Ok(KeyRow {
                id,
                actor_id: actor,
                kind: kind.to_owned(),
                public: public.to_owned(),
                sealed,
                created_at: now(),
            })
        };
        let rows = vec![
            row(rsa_id, RSA, &public.rsa_pem, rsa.private_pkcs8.expose())?,
            row(ed25519_id, ED25519, &public.ed25519_multibase, ed25519.private_pkcs8.expose())?,
        ];
        Ok(NewKeys { rows, public })
    }

    /// Seals a secret of a source for its row.
    pub fn seal_secret(&self, id: SecretId, secret: &str) -> Result<Vec<u8>, KeyringError> {
        let vault = |source| KeyringError::Vault { whose: format!("a source (secret {id})"), source };
        self.master.seal(&vault::source_secret(id), secret.as_bytes()).map_err(vault)
    }

    /// Opens it.
    pub fn open_secret(&self, id: SecretId, sealed: &[u8]) -> Result<String, KeyringError> {
        let vault = |source| KeyringError::Vault { whose: format!("a source (secret {id})"), source };
        let opened = self.master.open(&vault::source_secret(id), sealed).map_err(vault)?;
        Ok(String::from_utf8_lossy(opened.expose()).into_owned())
    }

    /// Seals the secrets of a subscription for its row.
    pub fn seal_websub(&self, id: SubscriptionId, secrets: &str) -> Result<Vec<u8>, KeyringError> {
        let vault = |source| KeyringError::Vault { whose: format!("a subscription ({id})"), source };
        self.master.seal(&vault::websub(id), secrets.as_bytes()).map_err(vault)
    }

    /// Opens them.
    pub fn open_websub(&self, id: SubscriptionId, sealed: &[u8]) -> Result<String, KeyringError> {
        let vault = |source| KeyringError::Vault { whose: format!("a subscription ({id})"), source };
        let opened = self.master.open(&vault::websub(id), sealed).map_err(vault)?;
        Ok(String::from_utf8_lossy(opened.expose()).into_owned())
    }

    /// Opens the seal of a key, and parses what is inside.
    fn unseal<K>(&self, row: &KeyRow, parse: fn(&[u8]) -> Result<K, KeyError>) -> Result<Arc<K>, KeyringError> {
        let whose = whose(row.actor_id);
        let opened = self
            .master
            .open(&vault::actor_key(row.id), &row.sealed)
            .map_err(|source| KeyringError::Vault { whose: whose.clone(), source })?;
        parse(opened.expose()).map(Arc::new).map_err(|source| KeyringError::Key { whose, source })
    }
}

impl Gateway {
    /// The identity that signs as a verified actor: no proof, no key.
    pub async fn sign_as(&self, actor: &VerifiedActor) -> Result<SigningIdentity, KeyringError> {
        let key = self.rsa_key(Some(actor.actor().id)).await?;
        let identity = SigningIdentity::verified(actor, key);
        if !self.settings.bench_ed25519 {
            return Ok(identity);
        }
        let key = self.ed25519_key(actor.actor().id).await?;
        Ok(identity.with_ed25519(actor, key))
    }

    /// The identity that signs as an actor that is being retired: it needs no proof, and may only take back.
    pub async fn sign_as_retiring(&self, actor: &RetiringActor) -> Result<SigningIdentity, KeyringError> {
        let key = self.rsa_key(Some(actor.actor().id)).await?;
        Ok(SigningIdentity::retiring(actor, key))
    }

    /// The instance actor as it is named on one of our hosts: the same keys under an id there.
    pub async fn instance_actor_at(&self, base: &Base) -> Result<InstanceActor, KeyringError> {
        let InstanceActor { keys, created_at, .. } = self.instance_actor().await?;
        Ok(InstanceActor::new(base, keys, created_at))
    }

    /// The instance actor, made with its keys the first time.
    pub async fn instance_actor(&self) -> Result<InstanceActor, KeyringError> {
        if let Some(actor) = self.known_instance_actor().await? {
            return Ok(actor);
        }
        let made = self.keyring.generate([KeyRowId(self.mint.next()), KeyRowId(self.mint.next())], None)?;
        let rows = made.rows;
        let stored = self
            .store
            .write("store the keys of the instance actor", move |db| {
                if actors::key(db, None, RSA)?.is_some() {
                    return Ok(()); // another process was first
                }
                rows.iter().try_for_each(|row| actors::insert_key(db, row))
            })
            .await;
        stored?;
        self.known_instance_actor().await?.ok_or_else(|| KeyringError::Missing(whose(None)))
    }

    async fn known_instance_actor(&self) -> Result<Option<InstanceActor>, KeyringError> {
        let rows = self
            .store
            .read("read the keys of the instance actor", |db| {
                Ok((actors::key(db, None, RSA)?, actors::key(db, None, ED25519)?))
            })
            .await?;
        let (Some(rsa), Some(ed25519)) = rows else { return Ok(None) };
        let keys = PublicKeys { rsa_pem: rsa.public, ed25519_multibase: ed25519.public };
        Ok(Some(InstanceActor::new(&self.base, keys, rsa.created_at)))
    }

    /// The identity that signs our own fetches.
    pub async fn sign_as_instance(&self) -> Result<SigningIdentity, KeyringError> {
        let actor = self.instance_actor().await?;
        let key = self.rsa_key(None).await?;
        Ok(SigningIdentity::instance(&actor, key))
    }

    async fn rsa_key(&self, actor: Option<ActorId>) -> Result<Arc<RsaPrivateKey>, KeyringError> {
        if let Some(key) = self.keyring.open.lock().unwrap_or_else(PoisonError::into_inner).get(&actor) {
            return Ok(key.clone());
        }
        let row = self.store.read("read a key", move |db| actors::key(db, actor, RSA)).await?;
        let row = row.ok_or_else(|| KeyringError::Missing(whose(actor)))?;
        let key = self.keyring.unseal(&row, RsaPrivateKey::from_pkcs8_der)?;
        self.keyring.open.lock().unwrap_or_else(PoisonError::into_inner).insert(actor, key.clone());
        Ok(key)
    }

    async fn ed25519_key(&self, actor: ActorId) -> Result<Arc<Ed25519PrivateKey>, KeyringError> {
        if let Some(key) = self.keyring.open_ed25519.lock().unwrap_or_else(PoisonError::into_inner).get(&actor) {
            return Ok(key.clone());
        }
        let row = self.store.read("read a key", move |db| actors::key(db, Some(actor), ED25519)).await?;
        let row = row.ok_or_else(|| KeyringError::Missing(whose(Some(actor))))?;
        let key = self.keyring.unseal(&row, Ed25519PrivateKey::from_pkcs8_der)?;
        self.keyring.open_ed25519.lock().unwrap_or_else(PoisonError::into_inner).insert(actor, key.clone());
        Ok(key)
    }
}

fn whose(actor: Option<ActorId>) -> String {
    actor.map_or_else(|| "the instance actor".to_owned(), |id| format!("actor {id}"))
}
