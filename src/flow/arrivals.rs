//! Commits what arrived, many at a time: one transaction for all that came in while the last one ran. Each request is answered
//! only after its own commit.
//!
//! One that fails must not take its neighbours along: a group that fails is halved until the one is found. When the database
//! cannot be reached at all, everything that waits is refused at once, and its senders try again.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::flow::effects::{self, Arrival};
use crate::flow::rates::Rates;
use crate::flow::{Gateway, Shared, now};
use crate::store::{Db, Queried, StoreError, odd_row};

/// Most requests in one transaction: at a tenth of a millisecond each, others wait no longer than for a slow disk.
const GROUP_MAX: usize = 256;

/// What one request brought: mostly one arrival, more when it named objects that had to be fetched. All of it or nothing.
type Load = Arc<Vec<Arrival>>;

struct Waiting {
    load: Load,
    done: oneshot::Sender<bool>,
}

/// Takes arrivals in; cheap to clone. One per process.
#[derive(Clone)]
pub struct Arrivals {
    sender: mpsc::Sender<Waiting>,
    /// What each host may say.
    pub rates: Arc<Rates>,
}

impl Arrivals {
    /// Starts to take in, on the runtime of the caller. It ends when the last clone is dropped. `per_host_s` is how many
    /// activities a second a host may send; 0 is any number.
    pub fn start(gateway: Shared, per_host_s: u32) -> Self {
        let (sender, receiver) = mpsc::channel(GROUP_MAX * 2);
        tokio::spawn(run(gateway, receiver));
        Self { sender, rates: Arc::new(Rates::new(per_host_s)) }
    }

    /// Takes in what one request brought. `true` when it is on disk; `false` when it is not, and its sender must try again.
    pub async fn take(&self, load: Vec<Arrival>) -> bool {
        let (done, wait) = oneshot::channel();
        let waiting = Waiting { load: Arc::new(load), done };
        self.sender.send(waiting).await.is_ok() && wait.await.unwrap_or(false)
    }
}

async fn run(gateway: Shared, mut receiver: mpsc::Receiver<Waiting>) {
    let mut group = Vec::new();
    while receiver.recv_many(&mut group, GROUP_MAX).await > 0 {
        commit(&gateway, std::mem::take(&mut group)).await;
        gateway.wake.deliver.notify_one();
    }
}

/// Commits a group, halving it as long as it fails, in the order in which it came.
async fn commit(gateway: &Gateway, group: Vec<Waiting>) {
    let mut left = vec![group];
    while let Some(mut group) = left.pop() {
        let loads: Vec<Load> = group.iter().map(|waiting| waiting.load.clone()).collect();
        match write(gateway, loads).await {
            Ok(()) => answer(group, true),
            Err(error @ StoreError::Query { .. }) if group.len() > 1 => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    activities = group.len(),
                    "a group of activities could not be stored; it is tried in halves"
                );
                let later = group.split_off(group.len() / 2);
                left.push(later);
                left.push(group);
            }
            Err(error) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    activities = group.len(),
                    "activities could not be stored; their senders are asked to try again"
                );
                answer(group, false);
                if !matches!(error, StoreError::Query { .. }) {
                    left.drain(..).for_each(|group| answer(group, false));
                }
            }
        }
    }
}

async fn write(gateway: &Gateway, loads: Vec<Load>) -> Result<(), StoreError> {
    let (base, mint, at) = (gateway.base.clone(), gateway.mint.clone(), now());
    let write = move |db: &mut Db<'_>| -> Queried<()> {
        let carry_out = || effects::carry_out(db, &base, &mint, at, loads.iter().flat_map(|load| load.iter()));
        // A panic is an error of the one that panicked, as any other.
        catch_unwind(AssertUnwindSafe(carry_out)).unwrap_or_else(|_| odd_row(Err("an effect panicked")))
    };
    gateway.store.write("take activities in", write).await
}

fn answer(group: Vec<Waiting>, stored: bool) {
    for waiting in group {
        // A client that went away no longer waits; what it sent is on disk all the same.
        let _ = waiting.done.send(stored);
    }
}
