//! Group commit: one transaction for all that came in while the last one ran. Each is told of its own commit only after it.
//!
//! One that fails must not take its neighbours along: a group that fails is halved until the one is found. When the database
//! cannot be reached at all, everything that waits is refused at once, and its senders try again.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::store::StoreError;

/// Most in one transaction: at a tenth of a millisecond each, others wait no longer than for a slow disk.
const GROUP_MAX: usize = 256;

struct Waiting<L, R> {
    load: Arc<L>,
    done: oneshot::Sender<Option<R>>,
}

/// Takes loads that are committed in groups; cheap to clone.
pub struct Groups<L, R> {
    sender: mpsc::Sender<Waiting<L, R>>,
}

impl<L, R> Clone for Groups<L, R> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone() }
    }
}

impl<L: Send + Sync + 'static, R: Send + 'static> Groups<L, R> {
    /// Starts to commit, on the runtime of the caller; ends when the last clone is dropped. `write` commits loads in one
    /// transaction and gives what became of each, in their order; `after` follows each round. `what` they are is for the log.
    pub fn start<W, F>(what: &'static str, write: W, after: impl Fn() + Send + 'static) -> Self
    where
        W: Fn(Vec<Arc<L>>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Vec<R>, StoreError>> + Send,
    {
        let (sender, mut receiver) = mpsc::channel(GROUP_MAX * 2);
        tokio::spawn(async move {
            let mut group = Vec::new();
            while receiver.recv_many(&mut group, GROUP_MAX).await > 0 {
                commit(what, &write, std::mem::take(&mut group)).await;
                after();
            }
        });
        Self { sender }
    }

    /// Has a load committed. `Some` when it is on disk; `None` when it is not, and its sender must try again.
    pub async fn take(&self, load: L) -> Option<R> {
        let (done, wait) = oneshot::channel();
        self.sender.send(Waiting { load: Arc::new(load), done }).await.ok()?;
        wait.await.ok().flatten()
    }
}

/// Commits a group, halving it as long as it fails, in the order in which it came.
async fn commit<L, R, W, F>(what: &'static str, write: &W, group: Vec<Waiting<L, R>>)
where
    W: Fn(Vec<Arc<L>>) -> F,
    F: Future<Output = Result<Vec<R>, StoreError>>,
{
    let mut left = vec![group];
    while let Some(mut group) = left.pop() {
        let loads = group.iter().map(|waiting| waiting.load.clone()).collect();
        match write(loads).await {
            Ok(results) => answer(group, results.into_iter().map(Some)),
            Err(error @ StoreError::Query { .. }) if group.len() > 1 => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    what,
                    n = group.len(),
                    "a group could not be stored; it is tried in halves"
                );
                let later = group.split_off(group.len() / 2);
                left.push(later);
                left.push(group);
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    what,
                    n = group.len(),
                    "what came in could not be stored; its senders are asked to try again"
                );
                answer(group, std::iter::repeat_with(|| None));
                if !matches!(error, StoreError::Query { .. }) {
                    left.drain(..).for_each(|group| answer(group, std::iter::repeat_with(|| None)));
                }
            }
        }
    }
}

fn answer<L, R>(group: Vec<Waiting<L, R>>, results: impl Iterator<Item = Option<R>>) {
    for (waiting, result) in group.into_iter().zip(results) {
        // A client that went away no longer waits; what it sent is on disk all the same.
        let _ = waiting.done.send(result);
    }
}
