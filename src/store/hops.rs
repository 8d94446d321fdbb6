//! The threads that talk to the database: few, of their own, and warm. In the pool that everything else blocks in, each hop
//! would land on another one of a hundred threads, and behind names that do not resolve. Each thread also keeps memory of its own:
//! sixteen of them on SQLite, where one may write, made a fan-out to 20,000 inboxes cost 10 MB more than five do.

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::store::{StoreError, busy};

/// How long an idle thread stays.
const KEPT: Duration = Duration::from_secs(60);
/// Name of the threads, in `top` and in benchmarks.
const NAME: &str = "heraut-db";

/// A pool of threads for the database.
pub(super) struct Hops {
    /// Nothing runs on it but what blocks. `None` only while it is dropped.
    runtime: Option<Runtime>,
}

impl Hops {
    /// So many at the same time; more wait, in order.
    pub(super) fn new(threads: usize) -> Result<Self, StoreError> {
        let runtime = Builder::new_current_thread()
            .max_blocking_threads(threads)
            .thread_keep_alive(KEPT)
            .thread_name(NAME)
            .build()
            .map_err(|e| busy("start its threads", &e))?;
        Ok(Self { runtime: Some(runtime) })
    }

    /// Runs `f` on one of the threads. Once begun it ends, also when nobody waits for it any more.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        what: &'static str,
        f: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let Some(runtime) = &self.runtime else { return Err(busy(what, &"the database is being closed")) };
        match runtime.spawn_blocking(f).await {
            Ok(result) => result,
            Err(error) => Err(busy(what, &error)),
        }
    }
}

impl Drop for Hops {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A store may be dropped on an async thread, which must not wait.
            runtime.shutdown_background();
        }
    }
}
