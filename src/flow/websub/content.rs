//! Reads what a hub delivered, as a poll would have read it. It may be a part of the feed only, so nothing follows from what it
//! does not say.

use std::sync::Arc;

use heraut_connectors::contract::{Connector, Page, Push, Response};
use url::Url;

use crate::flow::Gateway;
use crate::flow::now;
use crate::flow::poll::{self, PollError};
use crate::flow::websub::look;
use crate::store::hooks::{self, IGNORED, Received};
use crate::store::sources::Source;
use crate::store::{Db, StoreError, from_json, websub};

/// What a delivery comes to.
pub enum Content {
    /// These items.
    Page(Box<Page>),
    /// It is done with: the source is polled instead.
    Looked,
}

/// Reads a stored delivery. What cannot be taken for the feed has the source polled, in the transaction that ends it.
pub async fn read(
    gateway: &Gateway,
    source: &Source,
    connector: Arc<dyn Connector>,
    row: &Received,
) -> Result<Content, PollError> {
    let headers: Vec<(String, String)> = from_json(&row.headers).unwrap_or_default();
    let header = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let id = source.id;
    let subscription = gateway.store.read("read a subscription", move |db| websub::wanted(db, id)).await?;
    let topic = header("topic").and_then(|topic| Some((Url::parse(&topic).ok()?, topic)));
    let known = subscription.zip(topic).filter(|(row, (_, topic))| row.whole && row.topic == *topic);
    let Some((_, (url, _))) = known else {
        let why = "the hub's topic is not the address that is polled, so the source was polled instead";
        return looked(gateway, source, row, why).await.map_err(PollError::from);
    };
    if source.progress.baseline_at.is_none() {
        let why = "the source had not been polled yet, and was polled instead";
        return looked(gateway, source, row, why).await.map_err(PollError::from);
    }
    let response = Response {
        url,
        content_type: header("content-type"),
        body: row.body.clone(),
        received_at: row.received_at.0,
        about: None,
    };
    match poll::read_response(connector, response).await {
        Ok(page) => Ok(Content::Page(Box::new(Page {
            complete: false,
            expired: false,
            next: None,
            archive: None,
            fetch: Vec::new(),
            push: Push::default(),
            ..page
        }))),
        Err(error) => {
            let (source, at) = (source.clone(), now());
            gateway.store.write("look at a source", move |db| look(db, &source, at)).await?;
            Err(error)
        }
    }
}

async fn looked(gateway: &Gateway, source: &Source, row: &Received, why: &'static str) -> Result<Content, StoreError> {
    let (id, source, at) = (row.id, source.clone(), now());
    let write = move |db: &mut Db<'_>| {
        look(db, &source, at)?;
        hooks::finish(db, id, IGNORED, why)
    };
    gateway.store.write("look at a source", write).await?;
    gateway.wake.schedule.notify_one();
    Ok(Content::Looked)
}
