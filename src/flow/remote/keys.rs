//! Keys of remote actors, ready for use, in memory: reading one from the database and from its PEM costs more than verifying
//! with it. They are for this process alone, so what another one learns is looked up again after [`READ_AGAIN_AFTER`].

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::actor::key::KeyError;
use crate::actor::public_key::PublicKey;
use crate::inbox::remote::RemoteActor;
use crate::time::Timestamp;
use crate::urls::KeyUrl;

/// How long a key is used before the database is asked for it again: another process may have learnt of a newer one.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(60);
/// For how long after its server was asked for a key anew, because a signature did not fit, it is not asked again.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(60);
/// Most keys that are kept; one takes about 5 kB with what is known of its owner.
pub const KEYS_MAX: usize = 4_096;

/// A remote actor and its key.
#[derive(Debug)]
pub struct Signer {
    /// The actor.
    pub actor: RemoteActor,
    key: OnceLock<Result<PublicKey, KeyError>>,
    /// When it was fetched, if the database does not have it yet.
    fetched_at: Option<Timestamp>,
    stored: AtomicBool,
}

impl Signer {
    /// An actor that is in the database. Its key is read when it is first used.
    pub fn known(actor: RemoteActor) -> Self {
        Self { actor, key: OnceLock::new(), fetched_at: None, stored: AtomicBool::new(true) }
    }

    /// An actor that was fetched then, and is to be stored with what it says.
    pub fn fetched(actor: RemoteActor, at: Timestamp) -> Self {
        Self { actor, key: OnceLock::new(), fetched_at: Some(at), stored: AtomicBool::new(false) }
    }

    /// When it was fetched, if it is to be stored still.
    pub fn to_be_stored(&self) -> Option<Timestamp> {
        self.fetched_at.filter(|_| !self.stored.load(Ordering::Relaxed))
    }

    /// It need not be stored any more: it is, in a transaction that is committed, or something newer is.
    pub fn mark_stored(&self) {
        self.stored.store(true, Ordering::Relaxed);
    }

    /// The key with that id, if it is the actor's.
    pub fn key(&self, id: &KeyUrl) -> Option<Result<Cow<'_, PublicKey>, KeyError>> {
        if let Some(key) = self.actor.key.as_ref().filter(|key| key.id == *id) {
            let read = self.key.get_or_init(|| PublicKey::from_pem(&key.pem));
            return Some(read.as_ref().map(Cow::Borrowed).map_err(Clone::clone));
        }
        // An Ed25519 key: reading it costs next to nothing.
        Some(PublicKey::from_pem(&self.actor.key_with(id)?.pem).map(Cow::Owned))
    }
}

/// When the server of a key was last asked for it anew; locked while it is asked.
pub type Asking = Arc<tokio::sync::Mutex<Option<Instant>>>;

/// Whether that is too short a time ago to ask again.
pub fn asked_lately(asked_at: Option<Instant>, now: Instant) -> bool {
    asked_at.is_some_and(|at| now.saturating_duration_since(at) < ASK_AGAIN_AFTER)
}

/// The keys that were used lately. They stand on two shelves: when the first is full it becomes the second, and what stood
/// there and was not used since is forgotten.
#[derive(Default)]
pub struct Keys(Mutex<Shelves>);

#[derive(Default)]
struct Shelves {
    first: HashMap<String, Kept>,
    second: HashMap<String, Kept>,
}

#[derive(Clone)]
struct Kept {
    signer: Arc<Signer>,
    read_at: Instant,
    good_until: Timestamp,
    asking: Asking,
}

impl Shelves {
    fn asking(&self, id: &str) -> Asking {
        let kept = self.first.get(id).or_else(|| self.second.get(id));
        kept.map(|kept| kept.asking.clone()).unwrap_or_default()
    }

    fn put(&mut self, id: String, kept: Kept) {
        if self.first.len() >= KEYS_MAX / 2 && !self.first.contains_key(&id) {
            self.second = std::mem::take(&mut self.first);
        }
        self.second.remove(&id);
        self.first.insert(id, kept);
    }
}

impl Keys {
    /// The owner of a key, if it was read from the database a moment ago and may still be believed.
    pub fn get(&self, key: &KeyUrl, now: Timestamp) -> Option<Arc<Signer>> {
        let mut shelves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let good = |kept: &&Kept| kept.read_at.elapsed() < READ_AGAIN_AFTER && now < kept.good_until;
        if let Some(kept) = shelves.first.get(key.as_str()).filter(good) {
            return Some(kept.signer.clone());
        }
        let kept = shelves.second.get(key.as_str()).filter(good)?.clone();
        let signer = kept.signer.clone();
        shelves.put(key.to_string(), kept);
        Some(signer)
    }

    /// Keeps what is known of the owner of a key.
    pub fn put(&self, key: &KeyUrl, signer: Signer, good_until: Timestamp) -> Arc<Signer> {
        let signer = Arc::new(signer);
        let mut shelves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let asking = shelves.asking(key.as_str());
        shelves.put(key.to_string(), Kept { signer: signer.clone(), read_at: Instant::now(), good_until, asking });
        signer
    }

    /// When the server of a key was last asked for it anew. A key that is not kept was not.
    pub fn asking(&self, key: &KeyUrl) -> Asking {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).asking(key.as_str())
    }

    /// Forgets a key.
    pub fn forget(&self, key: &KeyUrl) {
        let mut shelves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shelves.first.remove(key.as_str());
        shelves.second.remove(key.as_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::urls::{ActorUrl, InboxUrl};

    const NOW: Timestamp = Timestamp(1_000_000);

    fn signer(n: usize) -> Signer {
        let url = format!("https://elders.example/u/{n}");
        Signer::known(RemoteActor {
            inbox: InboxUrl::parse(&format!("{url}/inbox")).unwrap(),
            url: ActorUrl::parse(&url).unwrap(),
            kind: "Person".to_owned(),
            shared_inbox: None,
            key: None,
            name: None,
            username: format!("u{n}"),
            handle: format!("@u{n}@elders.example"),
            page: None,
            icon: None,
            followers: None,
            also_known_as: Vec::new(),
            moved_to: None,
            published: None,
            assertion_keys: Vec::new(),
            implements: Default::default(),
        })
    }

    fn id(n: usize) -> KeyUrl {
        KeyUrl::parse(&format!("https://elders.example/u/{n}#main-key")).unwrap()
    }

    #[test]
    fn a_key_is_kept_until_it_is_forgotten_or_too_old_to_be_believed() {
        let keys = Keys::default();
        keys.put(&id(1), signer(1), NOW.after(Duration::from_secs(1)));
        assert_eq!(keys.get(&id(1), NOW).unwrap().actor.username, "u1");
        assert!(keys.get(&id(2), NOW).is_none());
        assert!(keys.get(&id(1), NOW.after(Duration::from_secs(1))).is_none());
        keys.forget(&id(1));
        assert!(keys.get(&id(1), NOW).is_none());
    }

    #[test]
    fn a_server_is_asked_for_a_key_anew_once_in_a_while_whatever_is_learnt_of_it() {
        let keys = Keys::default();
        let until = NOW.after(Duration::from_secs(60));
        keys.put(&id(1), signer(1), until);
        let asked = Instant::now();
        assert!(!asked_lately(*keys.asking(&id(1)).try_lock().unwrap(), asked), "the first time it is");
        *keys.asking(&id(1)).try_lock().unwrap() = Some(asked);
        keys.put(&id(1), signer(1), until);
        let asked_at = *keys.asking(&id(1)).try_lock().unwrap();
        assert!(asked_lately(asked_at, asked + ASK_AGAIN_AFTER.saturating_sub(Duration::from_millis(1))));
        assert!(!asked_lately(asked_at, asked + ASK_AGAIN_AFTER), "a key that was replaced is found then");
        assert!(keys.asking(&id(2)).try_lock().unwrap().is_none());
    }

    #[test]
    fn no_more_keys_are_kept_than_allowed_and_those_in_use_stay() {
        let keys = Keys::default();
        for n in 0..KEYS_MAX * 3 {
            keys.put(&id(n), signer(n), NOW.after(Duration::from_secs(60)));
            assert!(keys.get(&id(0), NOW).is_some(), "{n}");
            let shelves = keys.0.lock().unwrap();
            assert!(shelves.first.len() + shelves.second.len() <= KEYS_MAX);
        }
    }
}
