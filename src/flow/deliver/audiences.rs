//! What the server of an inbox is told of its followers with a Create: the digest of FEP-8fcf. Kept per actor and host, so that a
//! delivery costs one look-up; looked at anew when it is older than a minute. Then the database says in one statement for which hosts
//! anything has changed, and only for those the digest is made again. One that is a minute old does no harm: the server reads its list,
//! which is always that of now.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::activity::synchronization::{self, HOST_FOLLOWERS_MAX};
use crate::flow::Gateway;
use crate::ids::ActorId;
use crate::store::followers::{self, Part};
use crate::store::{Db, StoreError, actors};

/// How long digests are told before it is asked what has changed.
const FRESH_FOR: Duration = Duration::from_secs(60);
/// Most ids that are read at once to make digests; of hosts that are left nothing is told until the next time.
const IDS_MAX: i64 = 50_000;
/// Most hosts, of all actors, that are kept.
const HOSTS_MAX: usize = 200_000;

/// What hosts are told.
#[derive(Default)]
pub(super) struct Audiences {
    known: Mutex<HashMap<ActorId, Known>>,
    /// One looks while the others go on with what they have, or wait when that is nothing.
    looking: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Known {
    at: Instant,
    hosts: Arc<Hosts>,
}

/// By host: the followers that it was made of, and the header; none where there are too many.
type Hosts = HashMap<String, (Part, Option<Arc<str>>)>;

impl Audiences {
    /// The header for what an actor says to an inbox of that host. `None` when nobody there follows, and when it is not known now.
    pub(super) async fn header(&self, gateway: &Gateway, actor: ActorId, host: &str) -> Option<Arc<str>> {
        if !gateway.settings.synchronize_followers {
            return None;
        }
        let before = self.known(actor);
        let hosts = match &before {
            Some(known) if known.at.elapsed() < FRESH_FOR => known.hosts.clone(),
            // What is rare is in a box, or it would make every delivery larger.
            Some(known) => match self.looking.try_lock() {
                Ok(_looking) => Box::pin(self.look(gateway, actor, Some(known))).await,
                Err(_) => known.hosts.clone(),
            },
            None => Box::pin(self.first_look(gateway, actor)).await,
        };
        hosts.get(host).and_then(|(_, header)| header.clone())
    }

    async fn first_look(&self, gateway: &Gateway, actor: ActorId) -> Arc<Hosts> {
        let _looking = self.looking.lock().await;
        match self.known(actor) {
            Some(known) => known.hosts,
            None => self.look(gateway, actor, None).await,
        }
    }

    fn known(&self, actor: ActorId) -> Option<Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&actor).cloned()
    }

    async fn look(&self, gateway: &Gateway, actor: ActorId, before: Option<&Known>) -> Arc<Hosts> {
        let old = before.map(|known| known.hosts.clone()).unwrap_or_default();
        let hosts = match changed(gateway, actor, old.clone()).await {
            Ok(hosts) => Arc::new(hosts),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "what servers are told of their followers cannot be read"
                );
                old
            }
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.values().map(|known| known.hosts.len()).sum::<usize>() + hosts.len() > HOSTS_MAX {
            known.clear();
        }
        known.insert(actor, Known { at: Instant::now(), hosts: hosts.clone() });
        hosts
    }
}

/// What is to be told now: what was told before, but for the hosts where somebody came or went.
async fn changed(gateway: &Gateway, id: ActorId, old: Arc<Hosts>) -> Result<Hosts, StoreError> {
    let base = gateway.base.clone();
    let read = move |db: &mut Db<'_>| {
        let Some(actor) = actors::by_id(db, id)? else { return Ok(Hosts::new()) };
        let (mut hosts, mut left) = (Hosts::new(), IDS_MAX);
        for part in followers::parts(db, id)? {
            let host = part.host.clone();
            if let Some(same) = old.get(&host).filter(|(known, _)| *known == part) {
                hosts.insert(host, same.clone());
                continue;
            }
            if usize::try_from(part.count).is_ok_and(|count| count > HOST_FOLLOWERS_MAX) {
                hosts.insert(host, (part, None));
                continue;
            }
            if part.count > left {
                continue; // it is not known, and so made the next time
            }
            left -= part.count;
            let ids = followers::of_host(db, id, &host, i64::try_from(HOST_FOLLOWERS_MAX).unwrap_or(i64::MAX))?;
            let digest = synchronization::digest(ids.iter().map(String::as_str));
            let header = synchronization::header(&actor.url, &base, &digest);
            hosts.insert(host, (part, Some(header.into())));
        }
        Ok(hosts)
    };
    gateway.store.read("read what servers are told of their followers", read).await
}
