//! Our private keys, opened once and kept parsed: parsing costs more than a tenth of signing (`reference/stack.md` 4).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;

use crate::actor::key::{Ed25519PrivateKey, KeyError, KeySerial, PublicKeys, RsaPrivateKey};
use crate::actor::verification::{InstanceActor, VerifiedActor};
use crate::flow::{Gateway, now};
use crate::ids::{ActivityId, ActorId, KeyRowId, SecretId, SubscriptionId};
use crate::signature::{SigningIdentity, integrity};
use crate::store::actors::{self, ED25519, KeyRow, RSA};
use crate::store::rotations::{self, Rotation};
use crate::store::{Db, Queried, StoreError};
use crate::time::Timestamp;
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
    /// The actor was read before its keys were replaced.
    #[error("the keys of {0} were replaced a moment ago; what is to be signed is signed with the next attempt")]
    Changed(String),
    /// There is none.
    #[error("there is no key of {0} in the database; restore it from the backup")]
    Missing(String),
}

/// Keys that were opened, by their row.
type Opened<K> = Mutex<HashMap<KeyRowId, Arc<K>>>;

/// The private keys of our actors.
pub struct Keyring {
    master: MasterKey,
    open: Opened<RsaPrivateKey>,
    open_ed25519: Opened<Ed25519PrivateKey>,
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

    /// The identity of a verified actor, with the keys that were read of it. They are opened once and kept.
    pub fn identity(&self, actor: &VerifiedActor, rows: &[KeyRow]) -> Result<SigningIdentity, KeyringError> {
        let (id, keys) = (actor.actor().id, &actor.actor().keys);
        if actors::public_half(rows, RSA).as_ref() != Some(&keys.rsa_pem) {
            return Err(KeyringError::Changed(whose(Some(id))));
        }
        let (rsa, ed25519) = (self.rsa(rows, Some(id))?, self.ed25519(rows, Some(id))?);
        Ok(SigningIdentity::verified(actor, rsa).with_ed25519(actor, ed25519))
    }

    fn rsa(&self, rows: &[KeyRow], actor: Option<ActorId>) -> Result<Arc<RsaPrivateKey>, KeyringError> {
        self.opened(&self.open, rows, RSA, actor, RsaPrivateKey::from_pkcs8_der)
    }

    fn ed25519(&self, rows: &[KeyRow], actor: Option<ActorId>) -> Result<Arc<Ed25519PrivateKey>, KeyringError> {
        self.opened(&self.open_ed25519, rows, ED25519, actor, Ed25519PrivateKey::from_pkcs8_der)
    }

    /// The key of a kind among the rows.
    fn opened<K>(
        &self,
        open: &Opened<K>,
        rows: &[KeyRow],
        kind: &str,
        actor: Option<ActorId>,
        parse: fn(&[u8]) -> Result<K, KeyError>,
    ) -> Result<Arc<K>, KeyringError> {
        let row = rows.iter().find(|row| row.kind == kind).ok_or_else(|| KeyringError::Missing(whose(actor)))?;
        if let Some(key) = open.lock().unwrap_or_else(PoisonError::into_inner).get(&row.id) {
            return Ok(key.clone());
        }
        let key = self.unseal(row, parse)?;
        open.lock().unwrap_or_else(PoisonError::into_inner).insert(row.id, key.clone());
        Ok(key)
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
        let id = actor.actor().id;
        let rows = self.store.read("read the keys of an actor", move |db| actors::keys(db, Some(id))).await?;
        self.keyring.identity(actor, &rows)
    }

    /// The activity of an actor that tells of its new keys, and the identity that signs it: with the key before.
    pub async fn farewell(&self, actor: &VerifiedActor) -> Result<Option<(ActivityId, SigningIdentity)>, KeyringError> {
        let (id, serial) = (actor.actor().id, actor.actor().keys.serial);
        if serial == KeySerial::default() {
            return Ok(None);
        }
        let load = move |db: &mut Db<'_>| {
            let Some(rotation) = rotations::of_actor(db, id)? else { return Ok(None) };
            let before = actors_before(db, &rotation)?;
            Ok(rotation.farewell.zip(before))
        };
        let Some((farewell, (serial, rows))) = self.store.read("read the keys before", load).await? else {
            return Ok(None);
        };
        let key = self.keyring.rsa(&rows, Some(id))?;
        Ok(Some((farewell, SigningIdentity::before(actor, serial, key))))
    }

    /// Adds the integrity proof of its actor to an activity that is about to be stored. One whose key cannot be opened goes without:
    /// it cannot be delivered either until that is mended, and then needs none.
    pub async fn attested(&self, actor: &VerifiedActor, bytes: Vec<u8>, at: Timestamp) -> Vec<u8> {
        match self.sign_as(actor).await {
            Ok(identity) => integrity::attach(bytes, &identity, at),
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "an activity goes without an integrity proof"
                );
                bytes
            }
        }
    }

    /// The instance actor, made with its keys the first time.
    pub async fn instance_actor(&self) -> Result<InstanceActor, KeyringError> {
        let read = || self.store.read("read the keys of the instance actor", |db| actors::keys(db, None));
        if let Some(actor) = self.instance_of(&read().await?) {
            return Ok(actor);
        }
        let made = self.keyring.generate([KeyRowId(self.mint.next()), KeyRowId(self.mint.next())], None)?;
        let rows = made.rows;
        let stored = self
            .store
            .write("store the keys of the instance actor", move |db| {
                if !actors::keys(db, None)?.is_empty() {
                    return Ok(()); // another process was first
                }
                rows.iter().try_for_each(|row| actors::insert_key(db, row))
            })
            .await;
        stored?;
        self.instance_of(&read().await?).ok_or_else(|| KeyringError::Missing(whose(None)))
    }

    fn instance_of(&self, rows: &[KeyRow]) -> Option<InstanceActor> {
        let (rsa, ed25519) = (actors::public_half(rows, RSA)?, actors::public_half(rows, ED25519)?);
        let created_at = rows.iter().find(|row| row.kind == RSA)?.created_at;
        Some(InstanceActor::new(&self.base, PublicKeys::first(rsa, ed25519), created_at))
    }

    /// The identity that signs our own fetches.
    pub async fn sign_as_instance(&self) -> Result<SigningIdentity, KeyringError> {
        let actor = self.instance_actor().await?;
        let rows = self.store.read("read a key", |db| actors::keys(db, None)).await?;
        Ok(SigningIdentity::instance(&actor, self.keyring.rsa(&rows, None)?))
    }

    /// The instance actor and the key with which it seals what it says of this installation.
    pub async fn instance_seal(&self) -> Result<(InstanceActor, Arc<Ed25519PrivateKey>), KeyringError> {
        let actor = self.instance_actor().await?;
        let rows = self.store.read("read a key", |db| actors::keys(db, None)).await?;
        Ok((actor, self.keyring.ed25519(&rows, None)?))
    }
}

/// The keys by which an actor signed before its last switch.
fn actors_before(db: &mut Db<'_>, rotation: &Rotation) -> Queried<Option<(KeySerial, Vec<KeyRow>)>> {
    for serial in (1..rotation.serial).rev() {
        let rows = rotations::others(db, rotation.actor_id, serial)?;
        if !rows.is_empty() {
            return Ok(Some((KeySerial(serial), rows)));
        }
    }
    Ok(None)
}

fn whose(actor: Option<ActorId>) -> String {
    actor.map_or_else(|| "the instance actor".to_owned(), |id| format!("actor {id}"))
}
