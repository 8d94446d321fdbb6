//! The sources that take requests, with what is needed to judge one. Kept for a second, because a request must cost no more than
//! its own commit.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use heraut_connectors::contract::{Connector, Delivery, Secret};
use heraut_connectors::profiles::Profile;
use url::form_urlencoded;

use crate::flow::hooks::{Request, keep};
use crate::flow::verify::with_causes;
use crate::flow::{Gateway, now};
use crate::hook::Refusal;
use crate::ids::SourceId;
use crate::store::sources::{self, Source};
use crate::store::{Db, hooks, secrets};
use crate::time::Timestamp;

/// How long what is known of a source is believed.
const KEPT: Duration = Duration::from_secs(1);
/// What is younger is not read again because a signature is wrong: whoever sends wrong ones shall not make us read.
const FRESH: Duration = Duration::from_millis(100);
/// Most names that are remembered.
const NAMES_MAX: usize = 1_000;
/// Least time between two refusals of one source that are stored.
const NOTE_EVERY: Duration = Duration::from_secs(1);
/// Most headers of a request that are stored, and the longest one, in bytes.
const HEADERS_MAX: usize = 60;
const HEADER_BYTES_MAX: usize = 4_096;

/// A source that takes requests.
pub struct Door {
    /// The source.
    pub source: Source,
    /// How its system signs.
    pub profile: Profile,
    /// The secrets that hold.
    pub secrets: Vec<Secret>,
    /// What understands it.
    pub connector: Arc<dyn Connector>,
    since: Instant,
}

impl Door {
    /// Whether what is pushed may be XML.
    pub fn takes_xml(&self) -> bool {
        keep::kind(&self.source).is_some_and(|kind| kind.takes_xml())
    }

    /// What the connector and the database get to see of a request: nothing that is secret.
    pub fn delivery(&self, request: Request, at: Timestamp) -> Delivery {
        let secret = self.profile.secret_headers();
        let kept = |(name, value): &(String, String)| {
            !secret.contains(&name.as_str()) && !names_somebody(name) && name.len() + value.len() <= HEADER_BYTES_MAX
        };
        let query = request.path_and_query.split_once('?').map(|(_, query)| query);
        let query = match (query, self.profile.secret_parameter()) {
            (Some(query), Some(secret)) => {
                let kept = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != secret);
                Some(form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish())
            }
            (query, _) => query.map(str::to_owned),
        };
        Delivery {
            headers: request.headers.into_iter().filter(kept).take(HEADERS_MAX).collect(),
            query: query.filter(|query| !query.is_empty()),
            body: request.body.to_vec(),
            received_at: at.0,
        }
    }
}

/// Whether a header holds the address of whoever sent it: those are not stored.
fn names_somebody(header: &str) -> bool {
    header.contains("forwarded") || header.ends_with("-ip") || header == "cf-ipcountry"
}

/// What was found under a name, and when.
type Known = (Instant, Result<Arc<Door>, Refusal>);

/// What is known of the sources by their names.
#[derive(Default)]
pub struct Doors {
    known: Mutex<HashMap<String, Known>>,
    noted: Mutex<HashMap<SourceId, Instant>>,
}

impl Doors {
    /// The door of that name.
    pub async fn find(&self, gateway: &Gateway, name: &str) -> Result<Arc<Door>, Refusal> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        if let Some((since, door)) = known
            && since.elapsed() < KEPT
        {
            return door;
        }
        self.load(gateway, name).await
    }

    /// The same door as it is now, unless it was read a moment ago.
    pub async fn renew(&self, gateway: &Gateway, door: &Door) -> Option<Arc<Door>> {
        if door.since.elapsed() < FRESH {
            return None;
        }
        self.load(gateway, &door.source.name).await.ok()
    }

    async fn load(&self, gateway: &Gateway, name: &str) -> Result<Arc<Door>, Refusal> {
        let door = open(gateway, name).await.map(Arc::new);
        if !matches!(door, Err(Refusal::Later)) {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() >= NAMES_MAX {
                known.clear();
            }
            known.insert(name.to_owned(), (Instant::now(), door.clone()));
        }
        door
    }

    /// Stores why a request was refused, for who asks what is wrong.
    pub async fn note(&self, gateway: &Gateway, door: &Door, refusal: &Refusal) {
        if matches!(refusal, Refusal::TooMany(_) | Refusal::Later) {
            return;
        }
        let (id, at) = (door.source.id, now());
        {
            let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
            if noted.get(&id).is_some_and(|at| at.elapsed() < NOTE_EVERY) {
                return;
            }
            noted.insert(id, Instant::now());
        }
        let why = refusal.to_string();
        let note = move |db: &mut Db<'_>| hooks::refuse(db, id, at, &why);
        if let Err(error) = gateway.store.write("note a refusal", note).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "a refusal could not be noted");
        }
    }
}

async fn open(gateway: &Gateway, name: &str) -> Result<Door, Refusal> {
    let wanted = name.to_owned();
    let load = move |db: &mut Db<'_>| {
        let Some(source) = sources::by_name(db, &wanted)? else { return Ok(None) };
        let rows = secrets::of(db, source.id)?;
        Ok(Some((source, rows)))
    };
    let failed = |error: &(dyn std::error::Error + 'static)| {
        tracing::error!(source.name = name, error = with_causes(error), "a source cannot take requests");
        Refusal::Later
    };
    let found = gateway.store.read("read a source that is pushed to", load).await.map_err(|e| failed(&e))?;
    let (source, rows) = found.ok_or(Refusal::NoSource)?;
    if source.settings.disabled {
        return Err(Refusal::Closed("it is disabled; set `enabled = true`"));
    }
    let profile = keep::profile(&source).map_err(|e| failed(&e))?;
    let profile = profile.ok_or(Refusal::Closed("its kind is read, not pushed"))?;
    let secrets = keep::opened(gateway, &rows).map_err(|e| failed(&e))?;
    let connector = keep::configure(&source, secrets.token.as_ref()).map_err(|e| failed(&e))?;
    Ok(Door { profile, secrets: secrets.signing(), connector: Arc::from(connector), since: Instant::now(), source })
}
