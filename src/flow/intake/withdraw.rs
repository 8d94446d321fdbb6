//! Withdraws: what an item's source, or its absence, takes back.

use heraut_connectors::contract::Page;

use crate::flow::Gateway;
use crate::flow::intake::Step;
use crate::ids::{ItemId, PostId};
use crate::post::revision::{self, Missing};
use crate::post::{HoldReason, PostState};
use crate::store::items::{self, ItemRow, ItemState};
use crate::store::posts::{self, Change, PendingChange, Post};
use crate::store::sources::Source;
use crate::store::{Db, Queried, StoreError};
use crate::time::Timestamp;

/// Puts a withdrawal in line: its item counts as withdrawn from now on, the post when it is sent.
pub fn retract(db: &mut Db<'_>, post: Option<PostId>, at: Timestamp) -> Queried<()> {
    let Some(post_id) = post else { return Ok(()) };
    items::set_state_of_post(db, post_id, ItemState::Retracted)?;
    posts::put_change(db, &PendingChange { post_id, change: Change::Withdraw, held: None, images_due: false }, at, at)
}

/// Withdraws a post that was never published: nothing is sent.
pub fn cancel(db: &mut Db<'_>, post: Option<&Post>, at: Timestamp) -> Queried<()> {
    let Some(post) = post else { return Ok(()) };
    let withdrawn = Post { state: PostState::Withdrawn(at), ..post.clone() };
    // What returned was public once, and stays for a person; of all else nobody ever saw anything.
    let returned = post.state == PostState::Held(HoldReason::Returned);
    if posts::leave(db, &withdrawn, &["held", "scheduled", "embargoed", "ready"])? {
        let state = if returned { ItemState::Retracted } else { ItemState::Tombstone };
        items::set_state_of_post(db, post.id, state)?;
    }
    Ok(())
}

/// What follows from items that the page does not list.
#[derive(Debug, Clone, Default)]
pub(super) struct Absent {
    pub retract: Vec<ItemRow>,
    pub watch: Vec<ItemId>,
    pub suspicious: Option<String>,
}

pub(super) async fn absent(
    gateway: &Gateway,
    source: &Source,
    page: &Page,
    steps: &[Step],
    at: Timestamp,
) -> Result<Absent, StoreError> {
    let policy = &source.settings.policy;
    if !page.complete && !policy.retract_on_gone {
        return Ok(Absent::default());
    }
    let id = source.id;
    let open = gateway.store.read("read the open items of a source", move |db| items::open_of_source(db, id)).await?;
    let seen: Vec<ItemId> = steps.iter().map(|step| step.item_id).collect();
    let known: Vec<ItemId> = open.iter().map(|row| row.id).collect();
    let mut absent = Absent::default();
    match revision::missing(&known, &seen, page.complete, policy) {
        Missing::Retract(ids) => absent.retract = open.iter().filter(|row| ids.contains(&row.id)).cloned().collect(),
        Missing::Suspicious(ids) => {
            let text = format!("{} of {} items are absent at once; nothing is withdrawn", ids.len(), known.len());
            tracing::error!(source.name = source.name, reason = text, "the source looks broken");
            absent.suspicious = Some(text);
        }
    }
    if policy.retract_on_gone {
        let unwatched =
            |row: &&ItemRow| !seen.contains(&row.id) && row.gone_check_at.is_none() && at > row.last_seen_at;
        absent.watch = open.iter().filter(unwatched).map(|row| row.id).collect();
    }
    Ok(absent)
}

impl Absent {
    pub(super) fn apply(&self, db: &mut Db<'_>, at: Timestamp) -> Queried<()> {
        for row in &self.retract {
            withdraw_item(db, row, at)?;
        }
        self.watch.iter().try_for_each(|id| items::note_gone(db, *id, None, Some(at)))
    }
}

/// Withdraws what came of an item, whatever state that is in, if it is still what it was when that was decided: who else found
/// it gone has withdrawn it, and followers are told once. Returns whether it was.
pub fn withdraw_item(db: &mut Db<'_>, row: &ItemRow, at: Timestamp) -> Queried<bool> {
    if !items::are_still(db, &[row])? {
        return Ok(false);
    }
    withdraw_post(db, row, at).map(|()| true)
}

fn withdraw_post(db: &mut Db<'_>, row: &ItemRow, at: Timestamp) -> Queried<()> {
    let Some(post) = row.post_id.map_or(Ok(None), |id| posts::by_id(db, id))? else { return Ok(()) };
    match post.state {
        PostState::Published(_) => retract(db, Some(post.id), at),
        PostState::Withdrawn(_) => Ok(()),
        PostState::Held(_) | PostState::Scheduled(_) | PostState::Embargoed(_) | PostState::Ready => {
            cancel(db, Some(&post), at)
        }
    }
}
