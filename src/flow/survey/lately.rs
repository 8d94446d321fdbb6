//! What many ask for and takes long: found once for all who ask at the same time, on a task of its own that goes on when nobody
//! waits any more, and kept for a while.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// The last of its kind; cheap to clone.
pub struct Lately<T> {
    state: Arc<Mutex<State<T>>>,
    kept_for: fn(Duration) -> Duration,
}

struct State<T> {
    last: Option<Found<T>>,
    /// Changes, by being closed, when the one that is under way is done.
    under_way: Option<watch::Receiver<()>>,
}

struct Found<T> {
    at: Instant,
    took: Duration,
    value: Arc<T>,
}

impl<T> Clone for Lately<T> {
    fn clone(&self) -> Self {
        Self { state: self.state.clone(), kept_for: self.kept_for }
    }
}

impl<T: Send + Sync + 'static> Lately<T> {
    /// Nothing yet. `kept_for` says how long something is kept, by the time that it took to find.
    pub fn new(kept_for: fn(Duration) -> Duration) -> Self {
        Self { state: Arc::new(Mutex::new(State { last: None, under_way: None })), kept_for }
    }

    /// What is kept, or what `find` finds, which runs only if nobody's does already. Who has waited for `patience` gets what was
    /// found before, however old. `None` if there is nothing, or if the last try found nothing.
    pub async fn get<F>(&self, patience: Duration, find: impl FnOnce() -> F) -> Option<Arc<T>>
    where
        F: Future<Output = Option<T>> + Send + 'static,
    {
        let mut done = {
            let mut state = self.lock();
            let kept = state.last.as_ref().filter(|last| last.at.elapsed() < (self.kept_for)(last.took));
            if let Some(kept) = kept {
                return Some(kept.value.clone());
            }
            match state.under_way.as_ref().filter(|done| done.has_changed().is_ok()) {
                Some(done) => done.clone(),
                None => {
                    let (under_way, done) = watch::channel(());
                    state.under_way = Some(done.clone());
                    tokio::spawn(self.clone().find(find(), under_way));
                    done
                }
            }
        };
        if tokio::time::timeout(patience, done.changed()).await.is_err() {
            tracing::warn!(timeout_s = patience.as_secs(), "the database could not be surveyed for metrics in time");
        }
        self.lock().last.as_ref().map(|last| last.value.clone())
    }

    async fn find(self, find: impl Future<Output = Option<T>>, under_way: watch::Sender<()>) {
        let begun = Instant::now();
        let found = find.await;
        let took = begun.elapsed();
        self.lock().last = found.map(|value| Found { at: Instant::now(), took, value: Arc::new(value) });
        drop(under_way);
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Semaphore;

    use super::*;

    const NOT_LONG: Duration = Duration::from_millis(1);
    const LONG: Duration = Duration::from_secs(60);

    /// Counts how often something is looked for, and lets it be found when a permit comes.
    #[derive(Clone)]
    struct Search {
        begun: Arc<AtomicUsize>,
        gate: Arc<Semaphore>,
    }

    impl Search {
        fn with(permits: usize) -> Self {
            Self { begun: Arc::default(), gate: Arc::new(Semaphore::new(permits)) }
        }

        fn begun(&self) -> usize {
            self.begun.load(Ordering::SeqCst)
        }

        /// Finds how often was looked; fails when the gate is closed.
        fn run(&self) -> impl Future<Output = Option<usize>> + Send + 'static {
            let (n, gate) = (self.begun.fetch_add(1, Ordering::SeqCst) + 1, self.gate.clone());
            async move {
                gate.acquire().await.ok()?.forget();
                Some(n)
            }
        }
    }

    #[tokio::test]
    async fn what_takes_longer_than_anybody_waits_is_done_once_and_kept() {
        let (lately, search) = (Lately::new(|_| LONG), Search::with(0));
        for _ in 0..5 {
            assert_eq!(lately.get(NOT_LONG, || search.run()).await, None);
        }
        assert_eq!(search.begun(), 1, "who comes later waits for the one that is under way");
        search.gate.add_permits(1);
        let found = futures::future::join_all((0..5).map(|_| lately.get(LONG, || search.run()))).await;
        assert!(found.iter().all(|found| found.as_deref() == Some(&1)), "{found:?}");
        assert_eq!(lately.get(NOT_LONG, || search.run()).await.as_deref(), Some(&1));
        assert_eq!(search.begun(), 1);
    }

    #[tokio::test]
    async fn what_was_found_before_is_given_while_the_next_takes_long_and_not_after_it_failed() {
        let (lately, search) = (Lately::new(|_| Duration::ZERO), Search::with(1));
        assert_eq!(lately.get(LONG, || search.run()).await.as_deref(), Some(&1));
        assert_eq!(lately.get(NOT_LONG, || search.run()).await.as_deref(), Some(&1));
        search.gate.close();
        assert_eq!(lately.get(LONG, || search.run()).await, None);
    }
}
