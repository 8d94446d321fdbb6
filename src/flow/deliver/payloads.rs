//! The activities that are being sent, kept in memory with their digest: a fan-out sends the same bytes thousands of times.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::actor::continuity::Speech;
use crate::flow::Gateway;
use crate::ids::{ActivityId, ActorId};
use crate::signature::digest::Digested;
use crate::store::{StoreError, activities};

/// Most activities that are kept.
const KEPT_MAX: usize = 256;

/// What is sent.
pub(super) struct Payload {
    /// Who says it.
    pub(super) actor: ActorId,
    /// It is a Create, with which the servers of followers are told who follows.
    pub(super) is_create: bool,
    /// What kind of thing it says.
    pub(super) speech: Speech,
    /// The stored bytes, and their digest.
    pub(super) body: Digested,
}

/// Recently sent activities.
#[derive(Default)]
pub(super) struct Payloads {
    kept: Mutex<Kept>,
    /// One reads while the others wait: a fan-out begins with a hundred that want the same activity.
    reading: tokio::sync::Mutex<()>,
}

/// The first one in is the first one out.
#[derive(Default)]
struct Kept {
    known: HashMap<ActivityId, Arc<Payload>>,
    order: VecDeque<ActivityId>,
}

impl Payloads {
    /// An activity; `None` when the database has none of that id.
    pub(super) async fn get(&self, gateway: &Gateway, id: ActivityId) -> Result<Option<Arc<Payload>>, StoreError> {
        match self.known(id) {
            Some(known) => Ok(Some(known)),
            None => Box::pin(self.read(gateway, id)).await, // in a box: it is rare, and would make every delivery larger
        }
    }

    async fn read(&self, gateway: &Gateway, id: ActivityId) -> Result<Option<Arc<Payload>>, StoreError> {
        let _reading = self.reading.lock().await;
        if let Some(known) = self.known(id) {
            return Ok(Some(known));
        }
        let found = gateway.store.read("read an activity", move |db| activities::to_send(db, id)).await?;
        let Some(found) = found else { return Ok(None) };
        let speech = Speech::of(&found.kind, found.post_id.is_some());
        let is_create = found.kind == "Create";
        let body = Digested::new(Bytes::from(found.bytes));
        let payload = Arc::new(Payload { actor: found.actor_id, is_create, speech, body });
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.known.insert(id, payload.clone()).is_none() {
            kept.order.push_back(id);
        }
        if kept.order.len() > KEPT_MAX
            && let Some(oldest) = kept.order.pop_front()
        {
            kept.known.remove(&oldest);
        }
        Ok(Some(payload))
    }

    fn known(&self, id: ActivityId) -> Option<Arc<Payload>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).known.get(&id).cloned()
    }
}
