//! Pictures of a post, sent to a target's server. One that cannot be had there is left out and said so: news does not wait for a picture.

use std::time::{Duration, Instant};

use super::api::{Answer, File, Trouble, id_of};
use super::turn::Turn;
use crate::flow::picture::file_of;
use crate::post::text::shorten_plain;
use crate::post::{Content, Image};
use crate::store::target_posts::{self, Attached};
use crate::target::limits::Limits;

/// How long a server may take to make a picture ready.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How often it is asked whether it is.
const ASK_EVERY: Duration = Duration::from_millis(700);
/// After so many attempts a post goes without a picture that the server does not make ready.
const ATTEMPTS_MAX: i32 = 3;

/// The pictures of a post as they stand on the server.
#[derive(Debug, Default)]
pub(super) struct Pictures {
    /// In the order of the post.
    pub(super) attached: Vec<Attached>,
    /// What is left out, and why.
    pub(super) left_out: Vec<String>,
    /// Whether some were sent at an earlier attempt.
    pub(super) reused: bool,
}

/// What may be used again of what was sent before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reuse {
    /// Nothing.
    Nothing,
    /// What has the same description: nothing can be changed before the status is made.
    Same,
    /// All: an edit changes descriptions.
    All,
}

/// Sends the pictures of a post that are not there yet.
pub(super) async fn send(
    turn: &mut Turn<'_>,
    content: &Content,
    limits: &Limits,
    known: &[Attached],
    reuse: Reuse,
    attempts: i32,
) -> Result<Pictures, Trouble> {
    let mut pictures = Pictures::default();
    for (n, image) in content.images.iter().enumerate() {
        let name = format!("picture {}", n + 1);
        if n >= limits.attachments {
            pictures.left_out.push(format!("{name} is left out: the server takes {}", limits.attachments));
            continue;
        }
        let description = shorten_plain(image.alt.as_deref().unwrap_or_default(), limits.description);
        let same = |known: &&Attached| {
            known.sha256 == image.sha256 && (reuse == Reuse::All || known.description == description)
        };
        if let Some(known) = known.iter().find(same).filter(|_| reuse != Reuse::Nothing) {
            pictures.reused = true;
            pictures.attached.push(Attached { description, ..known.clone() });
            continue;
        }
        turn.keep().await?;
        match send_one(turn, image, &description, limits, attempts).await? {
            Ok(id) => pictures.attached.push(Attached { sha256: image.sha256.clone(), id, description }),
            Err(why) => pictures.left_out.push(format!("{name} is left out: {why}")),
        }
    }
    Ok(pictures)
}

/// Sends one picture; gives its id there, or why it is left out.
async fn send_one(
    turn: &Turn<'_>,
    image: &Image,
    description: &str,
    limits: &Limits,
    attempts: i32,
) -> Result<Result<String, String>, Trouble> {
    let id = image.id;
    let extension = turn
        .gateway
        .store
        .read("read where a picture is", move |db| target_posts::extension(db, id))
        .await?
        .unwrap_or_default();
    let path = file_of(turn.gateway, id, &extension);
    let bytes = match tokio::fs::read(&path).await {
        Ok(bytes) => bytes,
        Err(error) => return Ok(Err(format!("its file cannot be read: {error}"))),
    };
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let pixels = u64::from(image.width).saturating_mul(u64::from(image.height));
    if let Some(objection) = limits.objection(&image.media_type, size, pixels) {
        return Ok(Err(objection));
    }
    let file = File { name: format!("{id}.{extension}"), media_type: &image.media_type, bytes: &bytes, description };
    match turn.api.upload("/api/v2/media", &file).await {
        Ok(answer) => ready(turn, answer, attempts).await,
        Err(Trouble::Refused { why, .. }) => Ok(Err(why)),
        Err(Trouble::Missing) => Ok(Err("the server takes no pictures at /api/v2/media".to_owned())),
        Err(trouble) => Err(trouble),
    }
}

/// Waits until the server has made a picture ready.
async fn ready(turn: &Turn<'_>, answer: Answer, attempts: i32) -> Result<Result<String, String>, Trouble> {
    let Some(id) = id_of(&answer.body) else {
        return Ok(Err("the server took it and gave it no id".to_owned()));
    };
    let (began, mut status) = (Instant::now(), answer.status);
    while matches!(status, 202 | 206) {
        if began.elapsed() >= READY_WITHIN {
            let why = format!("the server did not make it ready within {} s", READY_WITHIN.as_secs());
            if attempts >= ATTEMPTS_MAX {
                return Ok(Err(why));
            }
            return Err(Trouble::Later { status: Some(status), why, not_before: None, unsure: false });
        }
        tokio::time::sleep(ASK_EVERY).await;
        status = match turn.api.get(&format!("/api/v1/media/{id}"), &[]).await {
            Ok(answer) => answer.status,
            Err(Trouble::Refused { why, .. }) => return Ok(Err(why)),
            Err(Trouble::Missing) => return Ok(Err("the server lost it while it made it ready".to_owned())),
            Err(trouble) => return Err(trouble),
        };
    }
    Ok(Ok(id))
}
