//! Takes in what other servers sent, many requests in one transaction ([`Groups`]).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::flow::effects::{self, Arrival};
use crate::flow::groups::Groups;
use crate::flow::hosts::FRESH;
use crate::flow::rates::Rates;
use crate::flow::{Shared, now};
use crate::store::{Db, Queried, StoreError, odd_row};

/// What one request brought: mostly one arrival, more when it named objects that had to be fetched. All of it or nothing.
type Load = Vec<Arrival>;

/// Takes arrivals in; cheap to clone. One per process.
#[derive(Clone)]
pub struct Arrivals {
    groups: Groups<Load, ()>,
    /// What each host may say.
    pub rates: Arc<Rates>,
}

impl Arrivals {
    /// Starts to take in, on the runtime of the caller. It ends when the last clone is dropped. `per_host_s` is how many
    /// activities a second a host may send; 0 is any number.
    pub fn start(gateway: Shared, per_host_s: u32) -> Self {
        let wake = gateway.clone();
        let write = move |loads| {
            let gateway = gateway.clone();
            async move { write(gateway, loads).await }
        };
        let groups = Groups::start("activities", write, move || wake.wake.deliver.notify_one());
        Self { groups, rates: Arc::new(Rates::new(per_host_s)) }
    }

    /// Takes in what one request brought. `true` when it is on disk; `false` when it is not, and its sender must try again.
    pub async fn take(&self, load: Load) -> bool {
        self.groups.take(load).await.is_some()
    }
}

async fn write(gateway: Shared, loads: Vec<Arc<Load>>) -> Result<Vec<()>, StoreError> {
    let base = gateway.hosts(FRESH).await?.reading().clone();
    let (at, n, store) = (now(), loads.len(), gateway.store.clone());
    let write = move |db: &mut Db<'_>| -> Queried<()> {
        let carry_out = || effects::carry_out(db, &gateway, &base, at, loads.iter().flat_map(|load| load.iter()));
        // A panic is an error of the one that panicked, as any other.
        catch_unwind(AssertUnwindSafe(carry_out)).unwrap_or_else(|_| odd_row(Err("an effect panicked")))
    };
    store.write("take activities in", write).await.map(|()| vec![(); n])
}
