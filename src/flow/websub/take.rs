//! Takes in what a hub delivers: verified, stored, and only then acknowledged. It is worked on like what systems push. What is not
//! taken in makes us look, because a hub has a reason to come.

use bytes::Bytes;
use heraut_connectors::contract::Secret;
use heraut_connectors::profiles::{Profile, Signed};
use thiserror::Error;

use crate::flow::hooks::Hooks;
use crate::flow::verify::with_causes;
use crate::flow::websub::{Secrets, host, is_on, look, path_hash};
use crate::flow::{Gateway, now};
use crate::ids::ReceiptId;
use crate::metrics;
use crate::store::hooks::{Received, Stored};
use crate::store::sources::Source;
use crate::store::websub::{self, FROM_HUB, Subscription};
use crate::store::{self, Db, StoreError, to_json};

/// Most deliveries of one source that may wait to be worked on: each may be as large as a document.
const WAITING_MAX: i64 = 20;
/// When a hub should come back that has brought so many, in seconds.
const BUSY_S: u32 = 60;

/// Why a delivery is not taken in.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// No subscription has such a callback.
    #[error("there is nothing here")]
    Unknown,
    /// The subscription is over.
    #[error("the subscription is over")]
    Over,
    /// It cannot be a document.
    #[error("a delivery of the type {0} is no feed")]
    MediaType(String),
    /// It is larger than is taken.
    #[error("the delivery is larger than {0} bytes")]
    TooLarge(usize),
    /// It is not from the hub, or the hub does not sign; acknowledged all the same, as WebSub §8 wants.
    #[error("{0}")]
    Unverified(String),
    /// There are too many; when to come back, in seconds.
    #[error("there are too many deliveries; try again after {0} s")]
    TooMany(u32),
    /// It cannot be stored now.
    #[error("the delivery cannot be stored now; try again later")]
    Later,
}

impl Refusal {
    /// A stable code, as it is counted.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Over => "over",
            Self::MediaType(_) => "media-type",
            Self::TooLarge(_) => "too-large",
            Self::Unverified(_) => "unverified",
            Self::TooMany(_) => "too-many",
            Self::Later => "later",
        }
    }
}

/// What a hub sent.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Header names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The raw body.
    pub body: Bytes,
}

/// A subscription that takes deliveries.
pub struct Door {
    row: Subscription,
    source: Source,
}

/// The subscription that a callback belongs to, if it takes anything.
pub async fn door(gateway: &Gateway, hooks: &Hooks, path: &str) -> Result<Door, Refusal> {
    let hash = path_hash(path);
    let find = move |db: &mut Db<'_>| {
        let Some((row, source)) = websub::by_path(db, &hash)? else { return Ok(None) };
        let waiting = store::hooks::waiting_of(db, source.id, WAITING_MAX)?;
        Ok(Some((row, source, waiting)))
    };
    let refusal = match gateway.store.read("read a subscription", find).await {
        Ok(Some((row, source, waiting))) if row.wanted && row.ended_at.is_none() && is_on(&source) => {
            match hooks.may(&source.name) {
                Ok(()) if waiting < WAITING_MAX => return Ok(Door { row, source }),
                Ok(()) => {
                    look_at(gateway, source).await?;
                    Refusal::TooMany(BUSY_S)
                }
                Err(seconds) => Refusal::TooMany(seconds),
            }
        }
        Ok(Some(_)) => Refusal::Over,
        Ok(None) => Refusal::Unknown,
        Err(error) => {
            tracing::error!(error = with_causes(&error), "a delivery of a hub cannot be judged");
            Refusal::Later
        }
    };
    metrics::websub(refusal.code());
    Err(refusal)
}

/// Takes a delivery in. `Ok` means that it is on disk.
pub async fn take(gateway: &Gateway, hooks: &Hooks, door: &Door, delivery: Delivery) -> Result<(), Refusal> {
    if let Err(why) = verify(gateway, &door.row, &delivery) {
        let refusal = Refusal::Unverified(why);
        refuse(gateway, door, &refusal).await?;
        return Err(refusal);
    }
    let (id, at) = (ReceiptId(gateway.mint.next()), now());
    let digest = hex::encode(openssl::sha::sha256(&delivery.body));
    let headers = delivery.headers.into_iter().filter(|(name, _)| name == "content-type").take(1);
    let headers: Vec<(String, String)> = headers.chain([("topic".to_owned(), door.row.topic.clone())]).collect();
    let row = Received {
        id,
        source_id: door.source.id,
        delivery_key: format!("{FROM_HUB}:{digest}"),
        digest,
        verified_by: FROM_HUB.to_owned(),
        headers: to_json(&headers).map_err(|_| Refusal::Later)?,
        query: None,
        body: delivery.body.to_vec(),
        received_at: at,
        attempts: 0,
        due_at: at,
    };
    match hooks.keep(row).await {
        Some(Stored::New(_)) => metrics::websub("accepted"),
        Some(Stored::Full) => {
            metrics::websub("too-many");
            return Err(Refusal::TooMany(BUSY_S));
        }
        Some(_) => again(gateway, door).await?,
        None => {
            metrics::websub("later");
            return Err(Refusal::Later);
        }
    }
    Ok(())
}

/// The same bytes came before: the hub repeats itself, or the feed is again what it was. Only the feed can tell.
async fn again(gateway: &Gateway, door: &Door) -> Result<(), Refusal> {
    metrics::websub("known");
    look_at(gateway, door.source.clone()).await
}

async fn look_at(gateway: &Gateway, source: Source) -> Result<(), Refusal> {
    let at = now();
    gateway.store.write("look at a source", move |db| look(db, &source, at)).await.map_err(|error| later(&error))
}

fn verify(gateway: &Gateway, row: &Subscription, delivery: &Delivery) -> Result<(), String> {
    let secrets = Secrets::open(gateway, row).map_err(|error| with_causes(&error))?;
    let profile = Profile::parse(None, "websub").map_err(|error| error.to_string())?;
    let signed =
        Signed { method: "POST", path_and_query: "", headers: &delivery.headers, body: &delivery.body, remote: None };
    let key = [Secret::from(secrets.key)];
    profile.verify(&signed, &key, now().0).map(|_| ()).map_err(|refusal| refusal.to_string())
}

/// Notes why a delivery was not taken in, and has the source polled.
pub async fn refuse(gateway: &Gateway, door: &Door, refusal: &Refusal) -> Result<(), Refusal> {
    metrics::websub(refusal.code());
    tracing::warn!(
        source.name = door.source.name,
        websub.hub = host(&door.row.hub),
        reason = %refusal,
        "a delivery of a hub was not taken in; the source is polled instead"
    );
    let (id, source, at, why) = (door.row.id, door.source.clone(), now(), refusal.to_string());
    let note = move |db: &mut Db<'_>| {
        websub::note_refusal(db, id, at, &why)?;
        look(db, &source, at)
    };
    gateway.store.write("note a refused delivery", note).await.map_err(|error| later(&error))
}

fn later(error: &StoreError) -> Refusal {
    tracing::error!(error = with_causes(error), "a delivery of a hub cannot be stored");
    Refusal::Later
}
