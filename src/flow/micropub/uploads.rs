//! Pictures that clients send before the post that shows them. One is kept for a day, and for as long as a post shows it; nobody
//! but its sender sees it before that post is public.

use std::time::Duration;

use bytes::Bytes;
use heraut_connectors::item::Media;
use heraut_connectors::micropub::entry::Entry;

use super::Client;
use super::refusal::Refusal;
use crate::flow::{Gateway, now, picture};
use crate::store::posts::MediaRow;
use crate::store::uploads::{self, Upload};
use crate::store::{Db, StoreError};

/// How long a picture is kept that no post shows.
pub const UNUSED_KEPT: Duration = Duration::from_secs(86_400);
/// Most pictures of one source that wait to be used: some gigabytes at the worst.
pub const UNUSED_MAX: i64 = 100;
/// Most pictures that are cleared away at once.
const CLEAR_MAX: i64 = 500;

/// Keeps a picture and gives its address. On disk and in the database when this returns.
pub async fn keep(gateway: &Gateway, client: &Client, bytes: Bytes) -> Result<String, Refusal> {
    let name = hex::encode(rand::random::<[u8; 16]>());
    let address = client.actor.base().upload(&name);
    let media = Media { url: address.clone(), ..Media::default() };
    let kept = picture::keep(gateway, bytes, &media).await;
    let (_, file) = kept.map_err(|why| Refusal::Invalid(format!("the file cannot be published: {why}")))?;
    let upload =
        Upload { name, source_id: client.source.id, media_id: file.id, item_id: None, created_at: file.created_at };
    let row = file.clone();
    let write = move |db: &mut Db<'_>| uploads::insert(db, &upload, &row, UNUSED_MAX);
    let stored = gateway.store.write("store a picture", write).await;
    if matches!(stored, Ok(false)) {
        picture::discard(gateway, &[file]).await;
    }
    if stored? {
        return Ok(address);
    }
    Err(Refusal::Forbidden(format!(
        "{UNUSED_MAX} pictures of this source wait to be used; use them, or come back tomorrow"
    )))
}

/// Refuses an entry that shows a picture as if it had been sent here, and it was not.
pub async fn known(gateway: &Gateway, client: &Client, entry: &Entry) -> Result<(), Refusal> {
    let hosts = gateway.hosts_known().await;
    for url in entry.photos() {
        let Some(name) = hosts.reading().read_upload(url) else { continue };
        if find(gateway, client, name).await?.is_none() {
            let why = format!("the photo {url} was not sent to this source, or is not kept any more; send it again");
            return Err(Refusal::Invalid(why));
        }
    }
    Ok(())
}

/// The file of a picture that was sent to the source of that client.
pub async fn find(gateway: &Gateway, client: &Client, name: &str) -> Result<Option<MediaRow>, StoreError> {
    let (source, name) = (client.source.id, name.to_owned());
    gateway.store.read("look for a picture that was sent", move |db| uploads::file(db, source, &name)).await
}

/// Clears pictures away that nothing shows.
pub async fn clear(gateway: &Gateway) -> Result<(), StoreError> {
    let before = now().before(UNUSED_KEPT);
    let forget = move |db: &mut Db<'_>| uploads::forget(db, before, CLEAR_MAX);
    for file in gateway.store.write("forget pictures that nothing shows", forget).await? {
        let path = picture::file_of(gateway, file.id, &file.extension);
        if let Err(error) = tokio::fs::remove_file(&path).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "a picture that nothing shows was not removed");
        }
    }
    Ok(())
}
