//! Answers that were made a moment ago, kept in memory so that a crowd that reads one page costs one rendering
//! (docs/adr/0008-kept-answers.md).
//!
//! An answer is given again only while three things hold: it was made under the version of public content that is in the
//! database now, it is younger than [`KEPT_FOR`], and the request asks for the same in the same form, language and coding.
//! The version is read anew after every write of this process, before the next answer, and at least every [`LOOK_EVERY`]
//! because of other processes. So what this process withdraws is gone at once, and what another one does within a second.
//!
//! What says something about one reader, or changes without a version, is never kept: see [`Key::of`].

mod answer;
mod key;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

pub use crate::web::kept::answer::Answer;
pub use crate::web::kept::key::Key;

use crate::flow::Shared;
use crate::store::public;

/// How long an answer is kept at most. Only for what changes by the clock alone, as a proof that lapses does.
pub const KEPT_FOR: Duration = Duration::from_secs(10);
/// How often the version is read anew because of other processes, while requests come.
pub const LOOK_EVERY: Duration = Duration::from_millis(250);
/// For how long after the database failed nobody asks it for the version again.
const FAILED_FOR: Duration = Duration::from_secs(1);
/// Most answers that are kept.
pub const ANSWERS_MAX: usize = 4_096;
/// Most bytes that they take, keys and headers included.
pub const BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long a request waits for another one that is making the same answer.
const WAIT_MAX: Duration = Duration::from_secs(2);
/// How often it does so before it makes its own.
const WAITS_MAX: usize = 3;

/// The answers that are kept; one per process.
pub struct Kept {
    gateway: Shared,
    ours: String,
    shelves: RwLock<Shelves>,
    seen: RwLock<Option<Seen>>,
    /// Locked while the database is asked; when it failed last.
    looking: tokio::sync::Mutex<Option<Instant>>,
    making: Mutex<HashMap<Key, Arc<Making>>>,
}

/// What was seen of the version, and when.
#[derive(Clone, Copy)]
struct Seen {
    version: i64,
    commits: u64,
    at: Instant,
}

/// An answer that is being made.
struct Making {
    /// Closed when it is made, or will not be.
    done: Semaphore,
    kept: AtomicBool,
}

/// What is known about a request.
pub enum Look<'k> {
    /// The answer.
    Found(Arc<Answer>),
    /// It has to be made, and may be kept by [`Seat::keep`].
    Missing(Seat<'k>),
    /// The database does not say what is true now: nothing may be kept.
    Unknown,
}

/// The right to make an answer, and to keep it under the version that held before it was begun.
pub struct Seat<'k> {
    kept: &'k Kept,
    key: Key,
    version: i64,
    making: Option<Arc<Making>>,
}

impl Kept {
    /// Nothing yet.
    pub fn new(gateway: Shared) -> Self {
        Self {
            ours: gateway.base.authority(),
            gateway,
            shelves: RwLock::new(Shelves::new(ANSWERS_MAX, BYTES_MAX)),
            seen: RwLock::default(),
            looking: tokio::sync::Mutex::default(),
            making: Mutex::default(),
        }
    }

    /// Our own host, as a request names it.
    pub fn ours(&self) -> &str {
        &self.ours
    }

    /// Looks for an answer. Where another request is making it, waits for that.
    pub async fn look(&self, key: &Key) -> Look<'_> {
        for _ in 0..WAITS_MAX {
            let Some(version) = self.version().await else { return Look::Unknown };
            if let Some(found) = self.find(key, version) {
                return Look::Found(found);
            }
            let making = match self.begin(key) {
                Ok(making) => return Look::Missing(self.seat(key, version, Some(making))),
                Err(other) => other,
            };
            // It ends by being closed; a request that takes its time must not hold up the others.
            let in_time = tokio::time::timeout(WAIT_MAX, making.done.acquire()).await.is_ok();
            if !in_time || !making.kept.load(Ordering::Acquire) {
                break;
            }
        }
        match self.version().await {
            Some(version) => Look::Missing(self.seat(key, version, None)),
            None => Look::Unknown,
        }
    }

    fn seat(&self, key: &Key, version: i64, making: Option<Arc<Making>>) -> Seat<'_> {
        Seat { kept: self, key: key.clone(), version, making }
    }

    /// The version of public content. It is that of now or, of what other processes did, of [`LOOK_EVERY`] ago. `None` while the
    /// database does not say: to find that out takes seconds, so not each who waits here does it again.
    async fn version(&self) -> Option<i64> {
        if let Some(version) = self.seen_version() {
            return Some(version);
        }
        let mut failed_at = self.looking.lock().await;
        if let Some(version) = self.seen_version() {
            return Some(version);
        }
        if failed_at.is_some_and(|at| at.elapsed() < FAILED_FOR) {
            return None;
        }
        // Before the version: a write that comes between the two is looked at once more.
        let (commits, at) = (self.gateway.store.commits(), Instant::now());
        let read = self.gateway.store.read("read the version of public content", public::version).await;
        *failed_at = read.is_err().then(Instant::now);
        let version = read.ok()?;
        *self.seen.write().unwrap_or_else(PoisonError::into_inner) = Some(Seen { version, commits, at });
        Some(version)
    }

    /// When the database failed last to say the version.
    #[cfg(test)]
    pub(super) async fn failed_at(&self) -> tokio::sync::MutexGuard<'_, Option<Instant>> {
        self.looking.lock().await
    }

    fn seen_version(&self) -> Option<i64> {
        let seen = (*self.seen.read().unwrap_or_else(PoisonError::into_inner))?;
        let holds = seen.commits == self.gateway.store.commits() && seen.at.elapsed() < LOOK_EVERY;
        holds.then_some(seen.version)
    }

    fn find(&self, key: &Key, version: i64) -> Option<Arc<Answer>> {
        let (found, fading) = self.shelves.read().unwrap_or_else(PoisonError::into_inner).find(key)?;
        if found.version != version || found.made_at.elapsed() >= KEPT_FOR {
            return None;
        }
        if fading {
            self.shelves.write().unwrap_or_else(PoisonError::into_inner).put(key.clone(), found.clone());
        }
        Some(found)
    }

    /// Makes it, or gives who does.
    fn begin(&self, key: &Key) -> Result<Arc<Making>, Arc<Making>> {
        let mut making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(other) = making.get(key) {
            return Err(other.clone());
        }
        let new = Arc::new(Making { done: Semaphore::new(0), kept: AtomicBool::new(false) });
        making.insert(key.clone(), new.clone());
        Ok(new)
    }
}

impl Seat<'_> {
    /// Keeps what was made, and gives it to whoever waits for it.
    pub fn keep(self, mut answer: Answer) -> Arc<Answer> {
        answer.version = self.version;
        let answer = Arc::new(answer);
        self.kept.shelves.write().unwrap_or_else(PoisonError::into_inner).put(self.key.clone(), answer.clone());
        if let Some(making) = &self.making {
            making.kept.store(true, Ordering::Release);
        }
        answer
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        if let Some(making) = self.making.take() {
            self.kept.making.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
            making.done.close();
        }
    }
}

/// Two shelves, of which each may hold half of what is allowed. New answers and those that are asked for again go on the
/// first; when it is full, it becomes the second, and what stood there goes.
struct Shelves {
    answers_max: usize,
    bytes_max: usize,
    first: HashMap<Key, Arc<Answer>>,
    first_bytes: usize,
    second: HashMap<Key, Arc<Answer>>,
}

impl Shelves {
    fn new(answers_max: usize, bytes_max: usize) -> Self {
        let (first, second) = (HashMap::new(), HashMap::new());
        Self { answers_max, bytes_max, first, first_bytes: 0, second }
    }

    /// The answer, and whether it stands on the second shelf.
    fn find(&self, key: &Key) -> Option<(Arc<Answer>, bool)> {
        let first = self.first.get(key).map(|answer| (answer.clone(), false));
        first.or_else(|| self.second.get(key).map(|answer| (answer.clone(), true)))
    }

    fn put(&mut self, key: Key, answer: Arc<Answer>) {
        let bytes = key.bytes() + answer.bytes();
        if bytes > self.bytes_max / 2 {
            return;
        }
        self.second.remove(&key);
        if let Some(before) = self.first.remove(&key) {
            self.first_bytes = self.first_bytes.saturating_sub(key.bytes() + before.bytes());
        }
        if self.first.len() >= self.answers_max / 2 || self.first_bytes + bytes > self.bytes_max / 2 {
            self.second = std::mem::take(&mut self.first);
            self.first_bytes = 0;
        }
        self.first_bytes += bytes;
        self.first.insert(key, answer);
    }
}

#[cfg(test)]
mod tests;
