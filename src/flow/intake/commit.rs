//! Carries out what was decided over the items of a page, inside one transaction.

use heraut_connectors::item::ALTERNATE_IDS_MAX;

use crate::flow::Gateway;
use crate::flow::intake::withdraw::{Absent, cancel, retract};
use crate::flow::intake::{Step, day};
use crate::ids::{PostId, ReceiptId};
use crate::post::revision::Act;
use crate::post::{HoldReason, PostState};
use crate::store::hooks;
use crate::store::items::{self, FoundBy, ItemRow, ItemState};
use crate::store::posts::{self, Change, MediaRow, PendingChange, Post};
use crate::store::sources::{self, Progress, Source};
use crate::store::{Db, Queried, audit, to_json};
use crate::time::Timestamp;

/// How old a record of having seen an item may grow before it is refreshed: a poll that changes nothing writes nothing.
const SEEN_FRESH_MS: i64 = 3_600_000;

/// What a transaction carries out.
pub(super) struct Batch {
    pub source: Source,
    /// Who brought it, for the audit log.
    pub who: String,
    pub steps: Vec<Step>,
    pub absent: Absent,
    pub end: End,
    pub at: Timestamp,
}

/// What is stored with the items.
pub(super) enum End {
    /// Where the source stands after a poll.
    Poll { progress: Box<Progress>, began_at: Timestamp, due_at: Timestamp },
    /// A request that was pushed is done.
    Hook { receipt: ReceiptId, outcome: String },
    /// More is to come.
    Nothing,
}

impl Batch {
    /// Carries it all out, and stores where the source or the request stands.
    pub(super) fn commit(&self, db: &mut Db<'_>) -> Queried<()> {
        self.steps.iter().try_for_each(|step| apply(db, self, step))?;
        // Only now does every item that an alias may point to exist.
        self.steps.iter().filter(|s| s.decision.add_alias).try_for_each(|step| add_alias(db, self, step))?;
        self.steps.iter().try_for_each(|step| add_alternates(db, self, step))?;
        self.absent.apply(db, self.at)?;
        match &self.end {
            End::Poll { progress, began_at, due_at } => {
                sources::record(db, self.source.id, progress, *began_at, *due_at)
            }
            End::Hook { receipt, outcome } => hooks::finish(db, *receipt, hooks::DONE, outcome),
            End::Nothing => Ok(()),
        }
    }

    /// Whether anything that was decided about is not what it was then.
    pub(super) fn is_overtaken(&self, db: &mut Db<'_>) -> Queried<bool> {
        let known: Vec<&ItemRow> =
            self.steps.iter().filter_map(|step| step.incoming.found.as_ref()).map(|(row, _)| row).collect();
        Ok(!items::are_still(db, &known)?)
    }

    /// The files of the images that were fetched for it.
    pub(super) fn files(&self) -> Vec<MediaRow> {
        self.steps.iter().filter_map(|step| step.draft.as_ref()).flat_map(|draft| draft.files.clone()).collect()
    }

    /// What the audit log says of it.
    pub(super) fn entries(&self, gateway: &Gateway) -> Vec<audit::Entry> {
        let who = &self.who;
        let mut entries: Vec<audit::Entry> = self
            .steps
            .iter()
            .filter_map(|step| {
                let act = match step.decision.act {
                    Act::New { .. } => "item.new",
                    Act::Edit | Act::EditLater { .. } | Act::ReviewEdit | Act::Merge => "item.edit",
                    Act::Revise { .. } => "item.revise",
                    Act::Retract | Act::Cancel => "item.retract",
                    Act::Return => "item.return",
                    _ => return None,
                };
                Some(gateway.audit(who, act, format!("item:{}", step.item_id), step.incoming.item.source_id.clone()))
            })
            .collect();
        if let Some(reason) = &self.absent.suspicious {
            entries.push(gateway.audit(who, "source.suspicious", format!("source:{}", self.source.id), reason.clone()));
        }
        entries
    }
}
fn apply(db: &mut Db<'_>, batch: &Batch, step: &Step) -> Queried<()> {
    let at = batch.at;
    match &step.decision.act {
        Act::New { .. } => make_post(db, batch, step),
        Act::Return => make_post(db, batch, step),
        Act::StoreOnly(_) => store_item(db, batch, step, ItemState::Baseline, None),
        Act::Tombstone => bury(db, batch, step),
        Act::Edit => change_post(db, batch, step, at, None),
        Act::EditLater { at } => change_post(db, batch, step, *at, None),
        Act::ReviewEdit => change_post(db, batch, step, at, Some(HoldReason::Churn)),
        Act::Merge => merge_post(db, batch, step),
        Act::Revise { .. } => revise_post(db, batch, step),
        Act::Retract => retract(db, step.incoming.post.as_ref().map(|post| post.id), at),
        Act::Cancel => cancel(db, step.incoming.post.as_ref(), at),
        Act::Same if by_other_source(step) => merge_post(db, batch, step),
        Act::Same | Act::OutOfOrder => seen(db, step, at),
        Act::Remember => remember(db, step, at),
        Act::Duplicate { .. } | Act::Refuse(_) => Ok(()),
    }
}

/// Whether an item is known only from another source of the actor. It gets a record of its own, so that each source is compared
/// with what it said itself.
fn by_other_source(step: &Step) -> bool {
    matches!(step.incoming.found, Some((_, FoundBy::OtherSource)))
}

fn add_alias(db: &mut Db<'_>, batch: &Batch, step: &Step) -> Queried<()> {
    let target = match step.decision.act {
        Act::Duplicate { of } => batch.steps.get(of).map(|other| other.item_id),
        _ => Some(step.item_id),
    };
    let Some(target) = target else { return Ok(()) };
    if items::by_id(db, target)?.is_none() {
        return Ok(());
    }
    items::add_alias(db, batch.source.id, &step.incoming.item.source_id, target)
}

/// Remembers the ids that an item takes the place of, when something became of it.
fn add_alternates(db: &mut Db<'_>, batch: &Batch, step: &Step) -> Queried<()> {
    let item = &step.incoming.item;
    let idle = matches!(step.decision.act, Act::Same | Act::OutOfOrder | Act::Duplicate { .. } | Act::Refuse(_));
    if item.alternate_ids.is_empty() || (idle && !step.decision.add_alias) || items::by_id(db, step.item_id)?.is_none()
    {
        return Ok(());
    }
    let others = item.alternate_ids.iter().take(ALTERNATE_IDS_MAX);
    others.into_iter().try_for_each(|id| items::add_alias(db, batch.source.id, id, step.item_id))
}

fn make_post(db: &mut Db<'_>, batch: &Batch, step: &Step) -> Queried<()> {
    let Some(draft) = &step.draft else { return Ok(()) };
    // Of a known one a post may be made: one that returned, a state that changed, one that was withdrawn before anyone saw it. But
    // what is there now must be what was decided about.
    let decided_about = |row: &ItemRow| {
        let had = step.incoming.found.as_ref().map(|(had, _)| had);
        had.is_some_and(|had| had.id == row.id && had.state == row.state && had.post_id == row.post_id)
    };
    let found = items::find(db, batch.source.id, batch.source.actor_id, &step.incoming.item)?;
    let overtaken = found
        .is_some_and(|(row, by)| by != FoundBy::Url && Some(row.id) != step.incoming.other && !decided_about(&row));
    if overtaken && step.decision.act != Act::Return {
        return Ok(()); // another source of the actor, or another process, said the same a moment ago
    }
    draft.files.iter().try_for_each(|file| posts::insert_media(db, file))?;
    let post = Post {
        id: draft.new_post,
        actor_id: batch.source.actor_id,
        source_id: Some(batch.source.id),
        state: draft.state,
        content: draft.content.clone(),
        revision: 1,
        published_at: None,
        updated_at: None,
        created_at: batch.at,
        dispatch: batch.source.settings.policy.dispatch(),
    };
    posts::insert(db, &post)?;
    store_item(db, batch, step, ItemState::Waiting, Some(post.id))
}

fn store_item(db: &mut Db<'_>, batch: &Batch, step: &Step, state: ItemState, post: Option<PostId>) -> Queried<()> {
    let at = batch.at;
    let fresh = ItemRow {
        id: step.item_id,
        source_id: batch.source.id,
        source_key: step.incoming.item.source_id.clone(),
        canonical_url: step.incoming.item.canonical_url.clone(),
        digest: step.incoming.digest.as_str().to_owned(),
        source_version: step.incoming.item.source_version,
        state: state.name().to_owned(),
        post_id: post,
        content: to_json(&step.incoming.item)?,
        first_seen_at: at,
        last_seen_at: at,
        edited_at: None,
        edits_day: day(at),
        edits_count: 0,
        gone_at: None,
        gone_check_at: None,
        withdrawn_here: false,
    };
    match &step.incoming.found {
        Some((row, by)) if *by != FoundBy::OtherSource => items::update(
            db,
            &ItemRow {
                source_id: row.source_id,
                source_key: row.source_key.clone(),
                first_seen_at: row.first_seen_at,
                post_id: post.or(row.post_id),
                ..fresh
            },
        ),
        _ => items::insert(db, &fresh),
    }
}

/// Remembers that an item is withdrawn, and what else was said of it before.
fn bury(db: &mut Db<'_>, batch: &Batch, step: &Step) -> Queried<()> {
    match &step.incoming.found {
        Some((row, by)) if *by != FoundBy::OtherSource => items::update(
            db,
            &ItemRow {
                state: ItemState::Tombstone.name().to_owned(),
                source_version: step.incoming.item.source_version.or(row.source_version),
                last_seen_at: batch.at,
                ..row.clone()
            },
        ),
        _ => store_item(db, batch, step, ItemState::Tombstone, None),
    }
}

/// The stored item after an edit.
fn edited(step: &Step, row: &ItemRow, at: Timestamp) -> Queried<ItemRow> {
    let today = day(at);
    Ok(ItemRow {
        canonical_url: step.incoming.item.canonical_url.clone().or_else(|| row.canonical_url.clone()),
        digest: step.incoming.digest.as_str().to_owned(),
        source_version: step.incoming.item.source_version.or(row.source_version),
        content: to_json(&step.incoming.item)?,
        last_seen_at: at,
        edited_at: Some(at),
        edits_day: today,
        edits_count: if row.edits_day == today { row.edits_count.saturating_add(1) } else { 1 },
        gone_at: None,
        gone_check_at: None,
        ..row.clone()
    })
}

fn change_post(
    db: &mut Db<'_>,
    batch: &Batch,
    step: &Step,
    due_at: Timestamp,
    held: Option<HoldReason>,
) -> Queried<()> {
    let (Some(draft), Some((row, _)), Some(post)) = (&step.draft, &step.incoming.found, &step.incoming.post) else {
        return Ok(());
    };
    draft
        .files
        .iter()
        .try_for_each(|file| posts::insert_media(db, &MediaRow { post_id: Some(post.id), ..file.clone() }))?;
    let held = held.or(match draft.state {
        PostState::Held(reason) => Some(reason),
        _ => None,
    });
    let change = Change::Edit(draft.content.clone());
    let pending = PendingChange { post_id: post.id, change, held, images_due: draft.images_due };
    posts::put_change(db, &pending, due_at, batch.at)?;
    items::update(db, &edited(step, row, batch.at)?)
}

/// Stores what an item says, and leaves its post as it is.
fn remember(db: &mut Db<'_>, step: &Step, at: Timestamp) -> Queried<()> {
    let Some((row, _)) = &step.incoming.found else { return Ok(()) };
    let item = &step.incoming.item;
    let said = ItemRow {
        digest: step.incoming.digest.as_str().to_owned(),
        source_version: item.source_version.or(row.source_version),
        content: to_json(item)?,
        last_seen_at: at,
        ..row.clone()
    };
    items::update(db, &said)
}

fn merge_post(db: &mut Db<'_>, batch: &Batch, step: &Step) -> Queried<()> {
    let Some((row, _)) = &step.incoming.found else { return Ok(()) };
    if items::by_key(db, batch.source.id, &step.incoming.item.source_id)?.is_none() {
        let own = ItemRow {
            id: step.own_id,
            source_id: batch.source.id,
            source_key: step.incoming.item.source_id.clone(),
            canonical_url: step.incoming.item.canonical_url.clone(),
            digest: step.incoming.digest.as_str().to_owned(),
            source_version: step.incoming.item.source_version,
            content: to_json(&step.incoming.item)?,
            first_seen_at: batch.at,
            last_seen_at: batch.at,
            ..row.clone()
        };
        items::insert(db, &own)?;
    }
    let (Some(draft), Some(post)) = (&step.draft, &step.incoming.post) else { return Ok(()) };
    if !matches!(post.state, PostState::Published(_)) {
        return Ok(());
    }
    draft
        .files
        .iter()
        .try_for_each(|file| posts::insert_media(db, &MediaRow { post_id: Some(post.id), ..file.clone() }))?;
    let change = Change::Edit(draft.content.clone());
    let pending = PendingChange { post_id: post.id, change, held: None, images_due: draft.images_due };
    posts::put_change(db, &pending, batch.at, batch.at)
}

fn revise_post(db: &mut Db<'_>, batch: &Batch, step: &Step) -> Queried<()> {
    let (Some(draft), Some((row, _)), Some(post)) = (&step.draft, &step.incoming.found, &step.incoming.post) else {
        return Ok(());
    };
    draft.files.iter().try_for_each(|file| posts::insert_media(db, file))?;
    let revised = Post {
        state: draft.state,
        content: draft.content.clone(),
        revision: post.revision.saturating_add(1),
        ..post.clone()
    };
    if !posts::leave(db, &revised, &["held", "scheduled", "embargoed", "ready"])? {
        return Ok(()); // it was published a moment ago: the next poll edits it
    }
    items::update(db, &edited(step, row, batch.at)?)
}

fn seen(db: &mut Db<'_>, step: &Step, at: Timestamp) -> Queried<()> {
    let Some((row, _)) = &step.incoming.found else { return Ok(()) };
    let fresh = at.0 - row.last_seen_at.0 < SEEN_FRESH_MS;
    if fresh && row.gone_at.is_none() && row.gone_check_at.is_none() {
        return Ok(());
    }
    items::update(db, &ItemRow { last_seen_at: at, gone_at: None, gone_check_at: None, ..row.clone() })
}
