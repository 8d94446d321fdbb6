//! Posts that are changed, withdrawn, and said again.

use heraut_connectors::micropub::entry::Entry;
use heraut_connectors::micropub::update::Changes;

use super::refusal::Refusal;
use super::{Answer, Client, RACES_MAX, Standing, find, held, made, refused, sent_before, standing, until, uploads};
use crate::flow::intake::one::{Handed, Taken, take_one};
use crate::flow::tokens::Scope;
use crate::flow::{Gateway, intake, now};
use crate::ids::PostId;
use crate::post::PostState;
use crate::store::items::{ItemRow, ItemState};
use crate::store::{Db, audit, items, lock_actor};
use crate::time::Timestamp;

/// Changes a post: the stored properties, and what is published of them.
pub async fn update(gateway: &Gateway, client: &Client, url: &str, changes: &Changes) -> Result<Answer, Refusal> {
    client.may(Scope::Update)?;
    for _ in 0..RACES_MAX {
        let row = find(gateway, client, url).await?;
        let (item, entry) = stored(&row)?;
        if is_gone(&row) {
            let why = "this post was deleted; bring it back first, with action=undelete";
            return Err(Refusal::Invalid(why.to_owned()));
        }
        let post = row.post_id.ok_or(Refusal::Later)?;
        let mut entry = changes.apply(&entry)?;
        let live = standing(gateway, post).await?.0.is_some_and(|post| matches!(post.state, PostState::Published(_)));
        if live && entry.is_draft() {
            if changes.names("post-status") {
                let why = "a published post cannot become a draft again, because others have it; delete it";
                return Err(Refusal::Invalid(why.to_owned()));
            }
            entry.set_draft(false);
        }
        let changed = entry.item(&row.source_key)?;
        if changed == item {
            return Ok(Answer::Changed { waits: None, notes: Vec::new() });
        }
        uploads::known(gateway, client, &entry).await?;
        let uploads = sent_before(gateway, &changed);
        let handed = Handed {
            item: changed,
            who: client.who(),
            seen: Some(row),
            again: false,
            may_edit: true,
            request: None,
            uploads,
        };
        let taken = take_one(gateway, &client.source, &client.actor, handed).await?;
        if let Some(refusal) = refused(&taken) {
            return Err(refusal);
        }
        if let Taken::Done { notes, later, .. } = taken {
            return changed_answer(gateway, post, notes, later).await;
        }
    }
    Err(Refusal::Later)
}

/// The item of a row, and the entry that it was made of.
fn stored(row: &ItemRow) -> Result<(heraut_connectors::item::Item, Entry), Refusal> {
    let other = || Refusal::Invalid("this post was not written with Micropub".to_owned());
    let item = intake::stored_item(row).map_err(|_| other())?;
    let entry = Entry::of(&item).ok_or_else(other)?;
    Ok((item, entry))
}

fn is_gone(row: &ItemRow) -> bool {
    matches!(ItemState::from_name(&row.state), ItemState::Retracted | ItemState::Tombstone)
}

/// The answer about an edit, after it had a moment to go out.
async fn changed_answer(
    gateway: &Gateway,
    post: PostId,
    notes: Vec<String>,
    later: Option<Timestamp>,
) -> Result<Answer, Refusal> {
    let settled =
        |(_, change): &Standing| later.is_some() || change.as_ref().is_none_or(|change| change.held.is_some());
    let (_, change) = until(gateway, post, settled).await?;
    let waits = change.map(|change| match (change.held, later) {
        (Some(reason), _) => held(reason),
        (None, Some(at)) => {
            format!("it is sent at {at}: an embargo, or edits that are put together (policy.merge_edits)")
        }
        (None, None) => "it is sent in a moment".to_owned(),
    });
    Ok(Answer::Changed { waits, notes })
}

/// Withdraws a post. One that is withdrawn already stays so.
pub async fn delete(gateway: &Gateway, client: &Client, url: &str) -> Result<Answer, Refusal> {
    client.may(Scope::Delete)?;
    let row = find(gateway, client, url).await?;
    let gone = Answer::Changed { waits: None, notes: Vec::new() };
    if is_gone(&row) {
        return Ok(gone);
    }
    let (at, actor) = (now(), client.source.actor_id);
    let entry = gateway.audit(&client.who(), "item.retract", format!("item:{}", row.id), row.source_key.clone());
    let (id, post) = (row.id, row.post_id);
    let withdraw = move |db: &mut Db<'_>| {
        lock_actor(db, actor)?;
        if let Some(row) = items::by_id(db, id)? {
            intake::withdraw_item(db, &row, at)?;
        }
        audit::add(db, &entry)
    };
    gateway.store.write("withdraw a post", withdraw).await?;
    gateway.wake.publish.notify_one();
    if let Some(post) = post {
        let withdrawn =
            |(post, _): &Standing| post.as_ref().is_none_or(|post| matches!(post.state, PostState::Withdrawn(_)));
        until(gateway, post, withdrawn).await?;
    }
    Ok(gone)
}

/// Says again what was withdrawn: as a new post, because other servers remember what was deleted.
pub async fn undelete(gateway: &Gateway, client: &Client, url: &str) -> Result<Answer, Refusal> {
    client.may(Scope::Undelete)?;
    for _ in 0..RACES_MAX {
        let row = find(gateway, client, url).await?;
        if row.withdrawn_here {
            let why = "a person at the gateway withdrew this post, and it is for them to publish it again";
            return Err(Refusal::Forbidden(why.to_owned()));
        }
        if !is_gone(&row) {
            // It was brought back before; the client may not have got the answer.
            let post = row.post_id.ok_or(Refusal::Later)?;
            return made(gateway, client, post, Vec::new(), Vec::new()).await;
        }
        let (item, _) = stored(&row)?;
        let uploads = sent_before(gateway, &item);
        let id = row.id;
        let handed =
            Handed { item, who: client.who(), seen: Some(row), again: true, may_edit: true, request: None, uploads };
        let taken = take_one(gateway, &client.source, &client.actor, handed).await?;
        if let Some(refusal) = refused(&taken) {
            return Err(refusal);
        }
        if let Taken::Done { notes, .. } = taken {
            let post = gateway.store.read("read an item", move |db| items::by_id(db, id)).await?;
            let post = post.and_then(|row| row.post_id).ok_or(Refusal::Later)?;
            return made(gateway, client, post, notes, Vec::new()).await;
        }
    }
    Err(Refusal::Later)
}
