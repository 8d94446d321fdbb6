//! Takes what systems push to us: verified, understood, stored, and only then acknowledged. Many requests share a transaction
//! ([`Groups`]). The work is done later, by [`work`].

pub mod doors;
pub mod keep;
pub mod work;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use heraut_connectors::contract::{Delivery, Told};
use heraut_connectors::profiles::{Signed, Verified};

use crate::flow::groups::Groups;
use crate::flow::hooks::doors::{Door, Doors};
use crate::flow::rates::Rates;
use crate::flow::{Gateway, Shared, now};
use crate::hook::{Refusal, WAITING_MAX, delivery_key};
use crate::ids::{ReceiptId, SourceId};
use crate::metrics;
use crate::store::hooks::{self, Received, Stored};
use crate::store::websub::{self, FROM_HUB};
use crate::store::{Db, Queried, StoreError, to_json};

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Request {
    /// Path and query as the client wrote them.
    pub path_and_query: String,
    /// Header names in lower case, and values, in order.
    pub headers: Vec<(String, String)>,
    /// The raw body.
    pub body: Bytes,
    /// The address of the sender, as far as a trusted proxy or the connection says.
    pub remote: Option<IpAddr>,
}

/// What an accepted request is acknowledged with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Its receipt.
    pub receipt: ReceiptId,
    /// It came before, and has no second effect.
    pub known: bool,
}

/// Takes requests in; cheap to clone. One per process.
#[derive(Clone)]
pub struct Hooks {
    groups: Groups<Received, Stored>,
    rates: Arc<Rates>,
    doors: Arc<Doors>,
}

impl Hooks {
    /// Starts to take in, on the runtime of the caller. It ends when the last clone is dropped. `per_source_s` is how many
    /// requests a second a source may send; 0 is any number.
    pub fn start(gateway: Shared, per_source_s: u32) -> Self {
        let wake = gateway.clone();
        let write = move |rows| {
            let gateway = gateway.clone();
            async move { write(&gateway, rows).await }
        };
        let groups = Groups::start("requests", write, move || wake.wake.hooks.notify_one());
        Self { groups, rates: Arc::new(Rates::new(per_source_s)), doors: Arc::default() }
    }

    /// The source that a request is for, if it takes any.
    pub async fn door(&self, gateway: &Gateway, name: &str) -> Result<Arc<Door>, Refusal> {
        self.doors.find(gateway, name).await.inspect_err(counted)
    }

    /// Takes one request in. `Ok` means that it is on disk.
    pub async fn take(&self, gateway: &Gateway, door: Arc<Door>, request: Request) -> Result<Accepted, Refusal> {
        let name = door.source.name.clone();
        match self.judge(gateway, door, request).await {
            Ok(accepted) => {
                metrics::hook(if accepted.known { "known" } else { "accepted" });
                Ok(accepted)
            }
            Err((door, refusal)) => {
                counted(&refusal);
                tracing::warn!(
                    source.name = name,
                    hook.answer = refusal.entry().0,
                    reason = %refusal,
                    "a request was not taken in"
                );
                self.doors.note(gateway, &door, &refusal).await;
                Err(refusal)
            }
        }
    }

    /// Whether a source may be pushed to once more now; if not, after how many seconds.
    pub fn may(&self, source: &str) -> Result<(), u32> {
        self.rates.take(source, Instant::now())
    }

    /// Stores a verified request. `None` when it cannot be stored now.
    pub async fn keep(&self, row: Received) -> Option<Stored> {
        self.groups.take(row).await
    }

    async fn judge(
        &self,
        gateway: &Gateway,
        door: Arc<Door>,
        request: Request,
    ) -> Result<Accepted, (Arc<Door>, Refusal)> {
        let (door, verified) = match verify(&door, &request) {
            Ok(verified) => (door, verified),
            Err(refusal) => {
                // The secret may have been replaced a moment ago.
                let Some(fresh) = self.doors.renew(gateway, &door).await else { return Err((door, refusal)) };
                match verify(&fresh, &request) {
                    Ok(verified) => (fresh, verified),
                    Err(refusal) => return Err((fresh, refusal)),
                }
            }
        };
        let accepted = match self.may(&door.source.name) {
            Ok(()) => self.store(gateway, &door, request, verified).await,
            Err(seconds) => Err(Refusal::TooMany(seconds)),
        };
        accepted.map_err(|refusal| (door, refusal))
    }

    async fn store(
        &self,
        gateway: &Gateway,
        door: &Door,
        request: Request,
        verified: Verified,
    ) -> Result<Accepted, Refusal> {
        let (id, at) = (ReceiptId(gateway.mint.next()), now());
        let delivery = door.delivery(request, at);
        let told = understand(door, &delivery)?;
        let digest = hex::encode(openssl::sha::sha256(&delivery.body));
        let headers = to_json(&delivery.headers).map_err(|_| Refusal::Later)?;
        let row = Received {
            id,
            source_id: door.source.id,
            delivery_key: delivery_key(&verified, &told, &digest, &id.to_string()),
            digest,
            verified_by: door.profile.name().to_owned(),
            headers,
            query: delivery.query,
            body: delivery.body,
            received_at: at,
            attempts: 0,
            due_at: at,
        };
        match self.keep(row).await {
            Some(Stored::New(receipt)) => Ok(Accepted { receipt, known: false }),
            Some(Stored::Known(receipt)) => Ok(Accepted { receipt, known: true }),
            Some(Stored::Conflict) => Err(Refusal::Conflict),
            Some(Stored::Full) => Err(Refusal::Full),
            None => Err(Refusal::Later),
        }
    }
}

fn counted(refusal: &Refusal) {
    metrics::hook(refusal.entry().1);
}

fn verify(door: &Door, request: &Request) -> Result<Verified, Refusal> {
    let signed = Signed {
        method: "POST",
        path_and_query: &request.path_and_query,
        headers: &request.headers,
        body: &request.body,
        remote: request.remote,
    };
    door.profile.verify(&signed, &door.secrets, now().0).map_err(Refusal::Unverified)
}

/// What a request means: a sender is told at once when it means nothing. A panic of the connector is a defect of ours, so the
/// request is kept, and the worker tells of it.
fn understand(door: &Door, delivery: &Delivery) -> Result<Told, Refusal> {
    match catch_unwind(AssertUnwindSafe(|| door.connector.receive(delivery))) {
        Ok(Ok(told)) => Ok(told),
        Ok(Err(error)) => Err(Refusal::Unreadable(error.to_string())),
        Err(_) => Ok(Told::ignored("the reader failed")),
    }
}

async fn write(gateway: &Gateway, rows: Vec<Arc<Received>>) -> Result<Vec<Stored>, StoreError> {
    gateway.store.write("store requests", move |db| store(db, &rows)).await
}

fn store(db: &mut Db<'_>, rows: &[Arc<Received>]) -> Queried<Vec<Stored>> {
    hooks::tell(db)?;
    let mut room: BTreeMap<SourceId, i64> = BTreeMap::new();
    for source in rows.iter().map(|row| row.source_id) {
        if let Entry::Vacant(unknown) = room.entry(source) {
            unknown.insert(WAITING_MAX - hooks::waiting_of(db, source, WAITING_MAX)?);
        }
    }
    let store_one = |row: &Arc<Received>| {
        let left = room.entry(row.source_id).or_default();
        let stored = if *left > 0 { hooks::store(db, row)? } else { hooks::known(db, row)?.unwrap_or(Stored::Full) };
        *left -= i64::from(matches!(stored, Stored::New(_)));
        if row.verified_by == FROM_HUB && stored != Stored::Full {
            websub::delivered(db, row.source_id, row.received_at)?;
        }
        Ok(stored)
    };
    rows.iter().map(store_one).collect()
}
