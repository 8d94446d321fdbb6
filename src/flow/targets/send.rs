//! Says a post on a target's server: makes, edits and deletes its status, and looks for one whose making was broken off. What the server
//! did is recorded in one transaction with its receipt; that a status is about to be made is recorded before.

use openssl::sha::sha256;
use serde_json::{Value, json};

use super::api::{Trouble, id_of, page_of};
use super::pictures::{self, Pictures, Reuse};
use super::turn::Turn;
use crate::flow::now;
use crate::ids::{PostId, TargetId};
use crate::metrics;
use crate::net::Method;
use crate::post::Content;
use crate::store::target_posts::{self, End, TargetState, Work};
use crate::store::{Db, audit, targets};
use crate::target::count::Links;
use crate::target::limits::Limits;
use crate::target::wording::{Wording, word};
use crate::time::Timestamp;

/// When the server wants to be asked again, where it said so.
type Sent = Result<Option<Timestamp>, Trouble>;

/// The key against repetition, the same whenever that post is made on that target. Servers keep it for about an hour.
fn key(target: TargetId, post: PostId) -> String {
    hex::encode(sha256(format!("heraut target {target} post {post}").as_bytes()))
}

/// What a revision of a post says.
pub(super) async fn content(turn: &Turn<'_>, post: PostId, revision: i32) -> Result<Content, Trouble> {
    let read = move |db: &mut Db<'_>| target_posts::revision(db, post, revision);
    let found = turn.gateway.store.read("read a revision of a post", read).await?;
    found.ok_or_else(|| Trouble::Refused {
        status: None,
        why: format!("revision {revision} of post {post} is not in the database; restore it from the backup"),
    })
}

/// What is sent.
struct Draft {
    wording: Wording,
    pictures: Pictures,
}

impl Draft {
    fn body(&self, turn: &Turn<'_>) -> Value {
        let Wording { text, warning, language, .. } = &self.wording;
        json!({
            "status": text,
            "spoiler_text": warning,
            "sensitive": !warning.is_empty(),
            "language": language,
            "visibility": turn.target.visibility().name(),
            "media_ids": self.pictures.attached.iter().map(|picture| &picture.id).collect::<Vec<_>>(),
        })
    }

    /// As an edit: descriptions may have changed, and the visibility cannot.
    fn edit(&self, turn: &Turn<'_>) -> Value {
        let mut body = self.body(turn);
        let attributes = self
            .pictures
            .attached
            .iter()
            .map(|picture| json!({ "id": picture.id, "description": picture.description }));
        let attributes: Value = attributes.collect();
        if let Some(object) = body.as_object_mut() {
            object.insert("media_attributes".to_owned(), attributes);
            object.remove("visibility");
        }
        body
    }

    /// What there is to know of it.
    fn note(&self) -> Option<String> {
        let mut notes = self.pictures.left_out.clone();
        if self.wording.shortened {
            notes.push("the text was shortened to what the server takes".to_owned());
        }
        (!notes.is_empty()).then(|| notes.join("; "))
    }
}

/// Makes the status.
pub(super) async fn post(turn: &mut Turn<'_>, work: &Work, revision: i32) -> Sent {
    let content = content(turn, work.post, revision).await?;
    let mut limits = turn.limits().await?;
    let (mut reuse, mut links, mut asked) = (Reuse::Same, Links::As(limits.url_characters), false);
    let mut known = work.mirror.attached();
    loop {
        let pictures = pictures::send(turn, &content, &limits, &known, reuse, work.attempts).await?;
        let draft = Draft { wording: word(&content, &limits, links), pictures };
        let answer = match make(turn, work, revision, &draft).await {
            Err(Trouble::Refused { status: Some(422), .. }) if draft.pictures.reused => {
                // The server keeps what nobody uses for a day only.
                (reuse, known) = (Reuse::Nothing, Vec::new());
                continue;
            }
            Err(refused @ Trouble::Refused { status: Some(422), .. }) if !asked => {
                asked = true;
                known.clone_from(&draft.pictures.attached);
                match narrower(turn, &content, &limits, &draft).await {
                    Some((narrowed, counted)) => (limits, links) = (narrowed, counted),
                    None => return Err(refused),
                }
                continue;
            }
            other => other?,
        };
        // Made by an earlier request that was answered late, it says what that one was to say.
        let other = work.mirror.tried_revision.is_some_and(|tried| tried != revision);
        if other && let Some(id) = id_of(&answer.body) {
            turn.keep().await?;
            turn.api.send(Method::Put, &format!("/api/v1/statuses/{id}"), &draft.edit(turn), None).await?;
        }
        metrics::target("created");
        made(turn, work, revision, &answer.body, Some(answer.status), &draft).await?;
        return Ok(answer.not_before);
    }
}

/// Other limits and another way to count, by which a text that was refused may be taken: the server may have changed what it takes, or
/// count a link in full.
async fn narrower(turn: &mut Turn<'_>, content: &Content, limits: &Limits, draft: &Draft) -> Option<(Limits, Links)> {
    let fresh = turn.ask_limits().await.ok().unwrap_or_else(|| limits.clone());
    let counted = Links::InFull;
    (word(content, &fresh, counted) != draft.wording).then_some((fresh, counted))
}

/// Sends the request that makes the status. Before it is sent it is recorded that its answer is not known.
async fn make(turn: &mut Turn<'_>, work: &Work, revision: i32, draft: &Draft) -> Result<super::api::Answer, Trouble> {
    turn.keep().await?;
    let (held, mirror, at) = (turn.target.clone(), work.mirror.clone(), now());
    let media = draft.pictures.attached.clone();
    let begin = move |db: &mut Db<'_>| {
        if !targets::holds(db, &held)? {
            return Ok(false);
        }
        target_posts::set_media(db, mirror.target_id, mirror.post_id, &media)?;
        target_posts::begin(db, &mirror, revision, at).map(|()| true)
    };
    if !turn.gateway.store.write("note that a status is to be made", begin).await? {
        return Err(Trouble::Lost);
    }
    let key = key(turn.target.id, work.post);
    let sent = turn.api.send(Method::Post, "/api/v1/statuses", &draft.body(turn), Some(&key)).await;
    match sent {
        Ok(answer) if id_of(&answer.body).is_some() => Ok(answer),
        Ok(answer) => Err(Trouble::Later {
            status: Some(answer.status),
            why: "it took the post, and gave it no id; it is looked for".to_owned(),
            not_before: answer.not_before,
            unsure: true,
        }),
        Err(trouble @ (Trouble::Later { unsure: true, .. } | Trouble::Lost | Trouble::Store(_))) => Err(trouble),
        // It says that it made nothing.
        Err(trouble) => {
            let (target, post) = (work.mirror.target_id, work.post);
            let clear = move |db: &mut Db<'_>| target_posts::clear(db, target, post);
            turn.gateway.store.write("note that a status was not made", clear).await?;
            Err(match trouble {
                Trouble::Missing => Trouble::Later {
                    status: Some(404),
                    why: "it answered 404 to a post; is it a server with Mastodon's client API?".to_owned(),
                    not_before: None,
                    unsure: false,
                },
                other => other,
            })
        }
    }
}

/// Records that the status stands there.
async fn made(
    turn: &Turn<'_>,
    work: &Work,
    revision: i32,
    body: &Value,
    status: Option<u16>,
    draft: &Draft,
) -> Result<(), Trouble> {
    let media = Some(draft.pictures.attached.clone());
    stands(turn, work, Standing { revision, body: body.clone(), status, note: draft.note(), media }, "target.publish")
        .await
}

/// What is known of a status that stands there.
struct Standing {
    revision: i32,
    body: Value,
    status: Option<u16>,
    note: Option<String>,
    media: Option<Vec<target_posts::Attached>>,
}

async fn stands(turn: &Turn<'_>, work: &Work, known: Standing, act: &'static str) -> Result<(), Trouble> {
    let (target, post, at) = (turn.target.id, work.post, now());
    let (id, page) = (id_of(&known.body).unwrap_or_default(), page_of(&known.body));
    let shown = page.clone().unwrap_or_else(|| id.clone());
    let entry =
        turn.gateway.audit("policy", act, format!("post:{post}"), format!("target {}: {shown}", turn.target.name));
    let record = move |db: &mut Db<'_>| {
        if let Some(media) = &known.media {
            target_posts::set_media(db, target, post, media)?;
        }
        target_posts::stands(db, target, post, &id, page.as_deref())?;
        let end = End { state: TargetState::Delivered, status: known.status, note: known.note.as_deref() };
        target_posts::settle(db, target, post, known.revision, end, at)?;
        targets::succeeded(db, target, at)?;
        audit::add(db, &entry)
    };
    turn.gateway.store.write("record a status that was made", record).await?;
    tracing::info!(target.name = turn.target.name, post.id = %post, status.url = shown, act, "a post stands on a target");
    Ok(())
}

/// Edits the status.
pub(super) async fn edit(turn: &mut Turn<'_>, work: &Work, revision: i32) -> Sent {
    let Some(id) = work.mirror.status_id.clone() else { return Ok(None) };
    let content = content(turn, work.post, revision).await?;
    let mut limits = turn.limits().await?;
    let (mut links, mut asked) = (Links::As(limits.url_characters), false);
    let mut known = work.mirror.attached();
    let path = format!("/api/v1/statuses/{id}");
    loop {
        let pictures = pictures::send(turn, &content, &limits, &known, Reuse::All, work.attempts).await?;
        let draft = Draft { wording: word(&content, &limits, links), pictures };
        turn.keep().await?;
        let answer = match turn.api.send(Method::Put, &path, &draft.edit(turn), None).await {
            Err(refused @ Trouble::Refused { status: Some(422), .. }) if !asked => {
                asked = true;
                known.clone_from(&draft.pictures.attached);
                match narrower(turn, &content, &limits, &draft).await {
                    Some((narrowed, counted)) => (limits, links) = (narrowed, counted),
                    None => return Err(refused),
                }
                continue;
            }
            other => other?,
        };
        metrics::target("edited");
        let mut body = answer.body;
        if id_of(&body).is_none() {
            body = json!({ "id": id, "url": work.mirror.status_url });
        }
        let media = Some(draft.pictures.attached.clone());
        let known = Standing { revision, body, status: Some(answer.status), note: draft.note(), media };
        stands(turn, work, known, "target.edit").await?;
        return Ok(answer.not_before);
    }
}

/// Deletes the status. That it is gone already is as good.
pub(super) async fn remove(turn: &mut Turn<'_>, work: &Work) -> Sent {
    let Some(id) = work.mirror.status_id.clone() else { return Ok(None) };
    turn.keep().await?;
    let (status, note, not_before) = match turn.api.delete(&format!("/api/v1/statuses/{id}")).await {
        Ok(answer) => (answer.status, None, answer.not_before),
        Err(Trouble::Missing) => (404, Some("it was gone there already"), None),
        Err(trouble) => return Err(trouble),
    };
    metrics::target("deleted");
    let (target, post, at) = (turn.target.id, work.post, now());
    let detail = format!("target {}: {}", turn.target.name, work.mirror.status_url.as_deref().unwrap_or(&id));
    let entry = turn.gateway.audit("policy", "target.withdraw", format!("post:{post}"), detail);
    let record = move |db: &mut Db<'_>| {
        target_posts::gone(db, target, post, at)?;
        let end = End { state: TargetState::Delivered, status: Some(status), note };
        target_posts::settle_withdrawal(db, target, post, end, at)?;
        targets::succeeded(db, target, at)?;
        audit::add(db, &entry)
    };
    turn.gateway.store.write("record a status that was deleted", record).await?;
    tracing::info!(target.name = turn.target.name, post.id = %post, "a post was deleted on a target");
    Ok(not_before)
}

/// Records a status that an earlier request made whose answer was lost.
pub(super) async fn found(turn: &Turn<'_>, work: &Work, revision: i32, body: Value) -> Result<(), Trouble> {
    metrics::target("found");
    let note = Some("it was found there: an earlier request had made it, and its answer was lost".to_owned());
    stands(turn, work, Standing { revision, body, status: None, note, media: None }, "target.publish").await
}
