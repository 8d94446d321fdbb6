//! Takes items in: what each is compared with what is known, and what becomes of it, in one transaction.

use std::collections::HashSet;
use std::sync::Arc;

use heraut_connectors::contract::Page;
use heraut_connectors::item::Item;

use crate::actor::{Actor, Language};
use crate::flow::{Gateway, now, picture};
use crate::ids::{ItemId, PostId};
use crate::post::compose::compose;
use crate::post::policy::admit;
use crate::post::revision::{
    self, Act, Decision, Digest, Known, KnownBy, KnownState, Missing, Poll, RefuseReason, digest, merge,
};
use crate::post::{Content, HoldReason, PostState};
use crate::store::items::{self, FoundBy, ItemRow, ItemState};
use crate::store::posts::{self, Change, MediaRow, PendingChange, Post};
use crate::store::sources::{self, Progress, Source};
use crate::store::{Db, Queried, StoreError, audit, from_json, to_json};
use crate::time::Timestamp;

/// How old a record of having seen an item may grow before it is refreshed: a poll that changes nothing writes nothing.
const SEEN_FRESH_MS: i64 = 3_600_000;
const DAY_MS: i64 = 86_400_000;

/// An item that came in, and what of it is known.
#[derive(Debug, Clone)]
pub struct Incoming {
    /// The item.
    pub item: Item,
    /// Its digest.
    pub digest: Digest,
    /// What is stored, and how it was recognised.
    pub found: Option<(ItemRow, FoundBy)>,
    /// The post that came of it.
    pub post: Option<Post>,
}

/// A decision with all that is needed to carry it out.
#[derive(Debug, Clone)]
struct Step {
    incoming: Incoming,
    decision: Decision,
    /// The id that the item has, or gets if it is new.
    item_id: ItemId,
    /// An id for this source's own record of an item that another source has too.
    own_id: ItemId,
    /// What the post is to say, and its state; for the acts that make or change a post.
    draft: Option<Draft>,
}

#[derive(Debug, Clone)]
struct Draft {
    content: Content,
    state: PostState,
    files: Vec<MediaRow>,
    new_post: PostId,
}

/// What was done with a page, for logs and operators.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Tally {
    /// New posts.
    pub new: usize,
    /// Edits.
    pub edited: usize,
    /// Withdrawals.
    pub retracted: usize,
    /// Stored without a post.
    pub stored: usize,
    /// Known and unchanged, doubled or out of order.
    pub unchanged: usize,
    /// Posts and edits that wait for a person.
    pub held: usize,
    /// Not taken in, with the reason.
    pub refused: Vec<String>,
}

/// Looks up what is known of the items of a page.
pub async fn look_up(gateway: &Gateway, source: &Source, page: &Page) -> Result<Vec<Incoming>, StoreError> {
    let (source, actor) = (source.id, source.actor_id);
    let list: Arc<Vec<Item>> = Arc::new(page.items.clone());
    gateway
        .store
        .read("look up what is known of items", move |db| {
            list.iter()
                .map(|item| {
                    let found = items::find(db, source, actor, item)?;
                    let post_id = found.as_ref().and_then(|(row, _)| row.post_id);
                    let post = post_id.map_or(Ok(None), |id| posts::by_id(db, id))?;
                    Ok(Incoming { item: item.clone(), digest: digest(item), found, post })
                })
                .collect()
        })
        .await
}

/// Decides over the items of a page. Pure but for its arguments.
pub fn decide(incoming: &[Incoming], source: &Source, at: Timestamp) -> Vec<Decision> {
    let known: Vec<(Item, Option<Known>)> =
        incoming.iter().map(|i| (i.item.clone(), i.found.as_ref().map(|found| known(found, i, at)))).collect();
    let poll = Poll { baseline: source.progress.baseline_at.is_none(), now: at, policy: &source.settings.policy };
    revision::plan(&known, &poll)
}

fn known((row, by): &(ItemRow, FoundBy), incoming: &Incoming, at: Timestamp) -> Known {
    let state = match ItemState::from_name(&row.state) {
        ItemState::Baseline => KnownState::Baseline,
        ItemState::Waiting => KnownState::Waiting,
        ItemState::Live => KnownState::Live,
        ItemState::Retracted => KnownState::Retracted,
        ItemState::Tombstone => KnownState::Tombstone,
    };
    Known {
        item: row.id,
        state,
        digest: Digest::from_stored(row.digest.clone()),
        source_version: row.source_version,
        by: match by {
            FoundBy::Key => KnownBy::Id,
            FoundBy::Alias => KnownBy::Alias,
            FoundBy::Url => KnownBy::Url,
            FoundBy::OtherSource => KnownBy::OtherSource,
        },
        edits_today: if row.edits_day == day(at) { u32::try_from(row.edits_count).unwrap_or(0) } else { 0 },
        last_edit_at: incoming.post.as_ref().and_then(|post| post.updated_at),
        withdrawn_here: row.withdrawn_here,
    }
}

fn day(at: Timestamp) -> i64 {
    at.0.div_euclid(DAY_MS)
}

/// Takes the items of a page in, with the progress of the source, in one transaction.
pub async fn take_in(
    gateway: &Gateway,
    source: &Source,
    actor: &Actor,
    page: &Page,
    progress: Progress,
    due_at: Timestamp,
) -> Result<Tally, StoreError> {
    let at = now();
    let incoming = look_up(gateway, source, page).await?;
    let decisions = decide(&incoming, source, at);
    let mut tally = Tally::default();
    let mut steps = Vec::with_capacity(incoming.len());
    for (incoming, decision) in incoming.into_iter().zip(decisions) {
        let item_id = incoming.found.as_ref().map_or_else(|| ItemId(gateway.mint.next()), |(row, _)| row.id);
        let step = prepare(gateway, source, actor, incoming, decision, item_id, at).await;
        count(&mut tally, &step);
        steps.push(step);
    }
    let absent = absent(gateway, source, page, &steps, at).await?;
    tally.retracted += absent.retract.len();
    let batch = Arc::new(Batch { source: source.clone(), steps, absent, progress, due_at, at });
    let entries = Arc::new(batch.entries(gateway));
    gateway
        .store
        .write("take items in", move |db| {
            lock_actor(db, batch.source.actor_id.0)?;
            batch.steps.iter().try_for_each(|step| apply(db, &batch, step))?;
            // Only now does every item that an alias may point to exist.
            batch.steps.iter().filter(|s| s.decision.add_alias).try_for_each(|step| add_alias(db, &batch, step))?;
            batch.absent.apply(db, at)?;
            entries.iter().try_for_each(|entry| audit::add(db, entry))?;
            sources::record(db, batch.source.id, &batch.progress, batch.due_at)
        })
        .await?;
    gateway.wake.publish.notify_one();
    Ok(tally)
}

/// Two sources of one actor that say the same at the same time must make one post. SQLite has one writer anyhow.
fn lock_actor(db: &mut Db<'_>, actor: i64) -> Queried<()> {
    use diesel::prelude::*;
    match db {
        Db::Lite(_) => Ok(()),
        Db::Pg(c) => diesel::sql_query("SELECT pg_advisory_xact_lock($1)")
            .bind::<diesel::sql_types::BigInt, _>(actor)
            .execute(*c)
            .map(|_| ()),
    }
}

/// What a transaction carries out.
struct Batch {
    source: Source,
    steps: Vec<Step>,
    absent: Absent,
    progress: Progress,
    due_at: Timestamp,
    at: Timestamp,
}

impl Batch {
    fn entries(&self, gateway: &Gateway) -> Vec<audit::Entry> {
        let who = format!("source:{}", self.source.name);
        let mut entries: Vec<audit::Entry> = self
            .steps
            .iter()
            .filter_map(|step| {
                let act = match step.decision.act {
                    Act::New { .. } => "item.new",
                    Act::Edit | Act::EditLater { .. } | Act::ReviewEdit | Act::Merge => "item.edit",
                    Act::Revise => "item.revise",
                    Act::Retract | Act::Cancel => "item.retract",
                    Act::Return => "item.return",
                    _ => return None,
                };
                Some(gateway.audit(&who, act, format!("item:{}", step.item_id), step.incoming.item.source_id.clone()))
            })
            .collect();
        if let Some(reason) = &self.absent.suspicious {
            entries.push(gateway.audit(
                &who,
                "source.suspicious",
                format!("source:{}", self.source.id),
                reason.clone(),
            ));
        }
        entries
    }
}

async fn prepare(
    gateway: &Gateway,
    source: &Source,
    actor: &Actor,
    incoming: Incoming,
    decision: Decision,
    item_id: ItemId,
    at: Timestamp,
) -> Step {
    let said = match decision.act {
        Act::New { .. } | Act::Edit | Act::EditLater { .. } | Act::ReviewEdit | Act::Revise | Act::Return => {
            Some(incoming.item.clone())
        }
        Act::Merge => merged(&incoming),
        _ => None,
    };
    let draft = match said {
        Some(item) => Some(draft(gateway, source, actor, &item, incoming.post.as_ref(), &decision, at).await),
        None => None,
    };
    Step { incoming, decision, item_id, own_id: ItemId(gateway.mint.next()), draft }
}

/// The merged item, if it says more than the post does.
fn merged(incoming: &Incoming) -> Option<Item> {
    let (row, _) = incoming.found.as_ref()?;
    let known: Item = serde_json::from_str(&row.content).ok()?;
    let merged = merge(&known, &incoming.item);
    (digest(&merged) != digest(&known)).then_some(merged)
}

async fn draft(
    gateway: &Gateway,
    source: &Source,
    actor: &Actor,
    item: &Item,
    post: Option<&Post>,
    decision: &Decision,
    at: Timestamp,
) -> Draft {
    let gathered = picture::gather(gateway, item, post).await;
    let mut content = compose_item(gateway, source, actor, item, gathered.images);
    content.flags.extend(gathered.problems);
    let state = admit(&mut content, item, decision, &source.settings.policy, at);
    let kept: HashSet<i64> = content.images.iter().map(|image| image.id.0).collect();
    let files = gathered.files.into_iter().filter(|file| kept.contains(&file.id.0)).collect();
    Draft { content, state, files, new_post: PostId(gateway.mint.next()) }
}

/// Composes an item as the source's settings say, in the language of the item, the source or the actor.
pub fn compose_item(
    gateway: &Gateway,
    source: &Source,
    actor: &Actor,
    item: &Item,
    images: Vec<crate::post::Image>,
) -> Content {
    let own = item.language.as_deref().and_then(|tag| Language::parse(tag).ok());
    let language = source.settings.language.clone().or(own).unwrap_or_else(|| actor.language.clone());
    compose(item, images, &language, &source.settings.compose, &gateway.base)
}

fn count(tally: &mut Tally, step: &Step) {
    if let Some(Draft { state: PostState::Held(_), .. }) = step.draft {
        tally.held += 1;
    }
    match &step.decision.act {
        Act::New { .. } | Act::Return => tally.new += 1,
        Act::Edit | Act::EditLater { .. } | Act::ReviewEdit | Act::Revise => tally.edited += 1,
        Act::Merge => tally.edited += usize::from(step.draft.is_some()),
        Act::Retract | Act::Cancel => tally.retracted += 1,
        Act::StoreOnly(_) | Act::Tombstone => tally.stored += 1,
        Act::Same | Act::Duplicate { .. } | Act::OutOfOrder => tally.unchanged += 1,
        Act::Refuse(reason) => tally.refused.push(refused(&step.incoming.item, reason)),
    }
}

fn refused(item: &Item, reason: &RefuseReason) -> String {
    match reason {
        RefuseReason::Host(host) => {
            format!("{}: its page is on {host}, which policy.hosts of the source does not list", item.source_id)
        }
        RefuseReason::Empty => format!("{}: it has no title, no text and no image", item.source_id),
    }
}

fn apply(db: &mut Db<'_>, batch: &Batch, step: &Step) -> Queried<()> {
    let at = batch.at;
    match &step.decision.act {
        Act::New { .. } => make_post(db, batch, step),
        Act::Return => make_post(db, batch, step),
        Act::StoreOnly(_) => store_item(db, batch, step, ItemState::Baseline, None),
        Act::Tombstone => store_item(db, batch, step, ItemState::Tombstone, None),
        Act::Edit => change_post(db, batch, step, at, None),
        Act::EditLater { at } => change_post(db, batch, step, *at, None),
        Act::ReviewEdit => change_post(db, batch, step, at, Some(HoldReason::Churn)),
        Act::Merge => merge_post(db, batch, step),
        Act::Revise => revise_post(db, batch, step),
        Act::Retract => retract(db, step.incoming.post.as_ref().map(|post| post.id), at),
        Act::Cancel => cancel(db, step.incoming.post.as_ref(), at),
        Act::Same | Act::OutOfOrder => seen(db, step, at),
        Act::Duplicate { .. } | Act::Refuse(_) => Ok(()),
    }
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

fn make_post(db: &mut Db<'_>, batch: &Batch, step: &Step) -> Queried<()> {
    let Some(draft) = &step.draft else { return Ok(()) };
    let returning = step.decision.act == Act::Return;
    if !returning && items::find(db, batch.source.id, batch.source.actor_id, &step.incoming.item)?.is_some() {
        return Ok(()); // another source of the actor said the same a moment ago
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
    let pending = PendingChange { post_id: post.id, change: Change::Edit(draft.content.clone()), held };
    posts::put_change(db, &pending, due_at, batch.at)?;
    items::update(db, &edited(step, row, batch.at)?)
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
    let pending = PendingChange { post_id: post.id, change: Change::Edit(draft.content.clone()), held: None };
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
    if !posts::leave(db, &revised, &["held", "scheduled", "ready"])? {
        return Ok(()); // it was published a moment ago: the next poll edits it
    }
    items::update(db, &edited(step, row, batch.at)?)
}

/// Puts a withdrawal in line; the post's state changes when it is sent.
pub fn retract(db: &mut Db<'_>, post: Option<PostId>, at: Timestamp) -> Queried<()> {
    let Some(post_id) = post else { return Ok(()) };
    posts::put_change(db, &PendingChange { post_id, change: Change::Withdraw, held: None }, at, at)
}

/// Withdraws a post that was never published: nothing is sent.
pub fn cancel(db: &mut Db<'_>, post: Option<&Post>, at: Timestamp) -> Queried<()> {
    let Some(post) = post else { return Ok(()) };
    let withdrawn = Post { state: PostState::Withdrawn(at), ..post.clone() };
    if posts::leave(db, &withdrawn, &["held", "scheduled", "ready"])? {
        items::set_state_of_post(db, post.id, ItemState::Tombstone)?;
    }
    Ok(())
}

fn seen(db: &mut Db<'_>, step: &Step, at: Timestamp) -> Queried<()> {
    let Some((row, _)) = &step.incoming.found else { return Ok(()) };
    let fresh = at.0 - row.last_seen_at.0 < SEEN_FRESH_MS;
    if fresh && row.gone_at.is_none() && row.gone_check_at.is_none() {
        return Ok(());
    }
    items::update(db, &ItemRow { last_seen_at: at, gone_at: None, gone_check_at: None, ..row.clone() })
}

/// What follows from items that the page does not list.
#[derive(Debug, Clone, Default)]
struct Absent {
    retract: Vec<ItemRow>,
    watch: Vec<ItemId>,
    suspicious: Option<String>,
}

async fn absent(
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
            tracing::error!(source.name = source.name, text, "the source looks broken");
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
    fn apply(&self, db: &mut Db<'_>, at: Timestamp) -> Queried<()> {
        for row in &self.retract {
            withdraw_item(db, row, at)?;
        }
        self.watch.iter().try_for_each(|id| items::note_gone(db, *id, None, Some(at)))
    }
}

/// Withdraws what came of an item, whatever state that is in.
pub fn withdraw_item(db: &mut Db<'_>, row: &ItemRow, at: Timestamp) -> Queried<()> {
    let Some(post) = row.post_id.map_or(Ok(None), |id| posts::by_id(db, id))? else { return Ok(()) };
    match post.state {
        PostState::Published(_) => retract(db, Some(post.id), at),
        PostState::Withdrawn(_) => Ok(()),
        PostState::Held(_) | PostState::Scheduled(_) | PostState::Ready => cancel(db, Some(&post), at),
    }
}

/// The item as it was stored.
pub fn stored_item(row: &ItemRow) -> Queried<Item> {
    from_json(&row.content)
}
