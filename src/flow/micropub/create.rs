//! New posts.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Duration;

use bytes::Bytes;
use heraut_connectors::micropub::entry;
use heraut_connectors::micropub::form;
use heraut_connectors::micropub::{Command, Create};

use super::refusal::Refusal;
use super::{Answer, Client, RACES_MAX, made, refused, sent_before, uploads};
use crate::flow::intake::one::{self, Handed, Once, Taken, take_one};
use crate::flow::tokens::Scope;
use crate::flow::{Gateway, now};
use crate::ids::ItemId;
use crate::store::Db;
use crate::store::client_requests::ClientRequest;

/// How long the same request again is taken for a repetition: as long as a client tries again by itself. After that somebody means
/// it.
pub const REPEATED_WITHIN: Duration = Duration::from_secs(300);
/// How long a key that a client names is remembered.
pub const KEY_KEPT: Duration = Duration::from_secs(86_400);
/// Longest key that a client may name, in bytes.
pub const KEY_BYTES_MAX: usize = 255;

/// A part of a form, in the order in which it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// A field.
    Field(String, String),
    /// A file, under the name of its field.
    File(String, Bytes),
}

/// What stands for a file until it is stored: its own hash, so that the same files are the same request.
fn placeholder(bytes: &[u8]) -> String {
    format!("https://file.invalid/{}", hex::encode(openssl::sha::sha256(bytes)))
}

/// What a form with files asks for, with placeholders for the files.
pub fn read_parts(parts: &[Sent]) -> Result<Command, Refusal> {
    let pair = |part: &Sent| match part {
        Sent::Field(name, value) => Ok((name.clone(), value.clone())),
        Sent::File(name, bytes) => match name.split('[').next() {
            Some("photo") => Ok(("photo[]".to_owned(), placeholder(bytes))),
            _ => Err(Refusal::Invalid(format!(
                "the file in the field `{}` cannot be published; files are taken in `photo`",
                name.chars().take(40).collect::<String>()
            ))),
        },
    };
    let pairs = parts.iter().map(pair).collect::<Result<Vec<_>, _>>()?;
    Ok(form::command(&pairs)?)
}

/// Makes a post. `parts` has the files that the entry names by their placeholders.
pub async fn create(
    gateway: &Gateway,
    client: &Client,
    mut create: Create,
    parts: Vec<Sent>,
    key: Option<&str>,
) -> Result<Answer, Refusal> {
    if client.may(Scope::Create).is_err() {
        client.may_one(&[Scope::Draft], Scope::Create)?;
        create.entry.set_draft(true);
    }
    let once = once(client, &create.entry, key)?;
    let before = once.clone();
    let known = move |db: &mut Db<'_>| one::repeated(db, &before);
    if let Some(known) = gateway.store.read("look for a repetition", known).await? {
        return answer(gateway, client, known, create.ignored).await;
    }
    // What cannot be published is refused before anything is stored.
    create.entry.item("new")?;
    uploads::known(gateway, client, &create.entry).await?;
    let entry = store_files(gateway, client, create.entry, parts).await?;
    for _ in 0..RACES_MAX {
        let item = entry.item(&gateway.mint.next().to_string())?;
        let uploads = sent_before(gateway, &item);
        let request = Some(once.clone());
        let may_edit = client.may(Scope::Update).is_ok();
        let handed = Handed { item, who: client.who(), seen: None, again: false, may_edit, request, uploads };
        let taken = take_one(gateway, &client.source, &client.actor, handed).await?;
        if taken != Taken::Raced {
            return answer(gateway, client, taken, create.ignored).await;
        }
    }
    Err(Refusal::Later)
}

async fn answer(gateway: &Gateway, client: &Client, taken: Taken, ignored: Vec<String>) -> Result<Answer, Refusal> {
    if let Some(refusal) = refused(&taken) {
        return Err(refusal);
    }
    let (item, notes) = match taken {
        Taken::Done { item, notes, .. } => (item, notes),
        Taken::Known(item) => (item, Vec::new()),
        _ => return Err(Refusal::Later),
    };
    let post = gateway.store.read("read the post of an item", move |db| one::post_of(db, item)).await?;
    made(gateway, client, post.ok_or(Refusal::Later)?.id, notes, ignored).await
}

/// By what a repetition of this request is recognised.
fn once(client: &Client, entry: &entry::Entry, key: Option<&str>) -> Result<Once, Refusal> {
    let digest = serde_json::to_vec(entry).map_err(|_| Refusal::Later)?;
    let digest = hex::encode(openssl::sha::sha256(&digest));
    let at = now();
    let (request_key, since) = match key {
        Some(key) if key.is_empty() || key.len() > KEY_BYTES_MAX => {
            return Err(Refusal::Invalid(format!("an Idempotency-Key has 1 to {KEY_BYTES_MAX} bytes")));
        }
        Some(key) => {
            let key = hex::encode(openssl::sha::sha256(key.as_bytes()));
            (format!("key:{}:{key}", client.token.id), at.before(KEY_KEPT))
        }
        None => (format!("body:{}:{digest}", client.token.id), at.before(REPEATED_WITHIN)),
    };
    let row = ClientRequest {
        source_id: client.source.id,
        request_key,
        digest,
        // The item that is made takes its place.
        item_id: ItemId(0),
        received_at: at,
    };
    Ok(Once { row, since, named: key.is_some() })
}

/// Stores the files that came with a form, and puts their addresses into the entry.
async fn store_files(
    gateway: &Gateway,
    client: &Client,
    entry: entry::Entry,
    parts: Vec<Sent>,
) -> Result<entry::Entry, Refusal> {
    let mut addresses: HashMap<String, String> = HashMap::new();
    for part in parts {
        let Sent::File(_, bytes) = part else { continue };
        if let Entry::Vacant(place) = addresses.entry(placeholder(&bytes)) {
            place.insert(uploads::keep(gateway, client, bytes).await?);
        }
    }
    Ok(entry.with_photos(|url| addresses.get(url).cloned()))
}
