//! Takes items in: what each is compared with what is known, and what becomes of it, in one transaction.

mod commit;
pub mod one;
mod withdraw;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use heraut_connectors::contract::Page;
use heraut_connectors::item::{Action, Item};

use crate::actor::{Actor, Language};
use crate::flow::intake::commit::{Batch, End};
use crate::flow::intake::withdraw::{Absent, absent};
pub use crate::flow::intake::withdraw::{cancel, retract, withdraw_item};
use crate::flow::picture::{self, LeftOut};
use crate::flow::{Gateway, now};
use crate::ids::{ItemId, PostId, ReceiptId};
use crate::post::compose::compose;
use crate::post::policy::{admit, embargo, release_at};
use crate::post::revision::{
    self, Act, Decision, Digest, Known, KnownBy, KnownState, Poll, RefuseReason, digest, merge,
};
use crate::post::{Content, PostState};
use crate::store::items::{self, FoundBy, ItemRow, ItemState};
use crate::store::posts::{self, MediaRow, Post};
use crate::store::sources::{Progress, Source};
use crate::store::{Queried, StoreError, audit, from_json};
use crate::time::Timestamp;

const DAY_MS: i64 = 86_400_000;
/// How often a page is decided about while others change what is known of its items.
const TRIES_MAX: usize = 5;

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
    /// What was found only by a URL that is no identity, and so is another item.
    pub other: Option<ItemId>,
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
    /// Images that could not be had.
    problems: Vec<LeftOut>,
    /// Whether images were not fetched, because nothing of the item may be seen yet.
    images_due: bool,
}

/// What was done with a page, for logs and operators.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Tally {
    /// New posts.
    pub new: usize,
    /// New posts and edits under embargo, which are counted nowhere else: no log says that they exist.
    pub embargoed: usize,
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

impl Tally {
    /// Adds what was done with another page.
    pub fn add(&mut self, other: Self) {
        self.new += other.new;
        self.embargoed += other.embargoed;
        self.edited += other.edited;
        self.retracted += other.retracted;
        self.stored += other.stored;
        self.unchanged += other.unchanged;
        self.held += other.held;
        self.refused.extend(other.refused);
    }

    /// As a sentence for the receipt log.
    fn sentence(&self, notes: &[String]) -> String {
        let parts = [
            (self.new, "new"),
            (self.embargoed, "under embargo"),
            (self.edited, "edited"),
            (self.retracted, "retracted"),
            (self.stored, "stored only"),
            (self.unchanged, "unchanged"),
            (self.held, "held"),
        ];
        let counted = parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}"));
        let refused = self.refused.iter().map(|why| format!("refused: {why}"));
        let all: Vec<String> = counted.chain(refused).chain(notes.iter().cloned()).collect();
        if all.is_empty() { "nothing to do".to_owned() } else { all.join("; ") }
    }
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
                    Ok(Incoming { item: item.clone(), digest: digest(item), found, post, other: None })
                })
                .collect()
        })
        .await
}

/// Decides over the items of a page. Pure but for its arguments.
fn decide(incoming: &[Incoming], source: &Source, through: &Through, at: Timestamp) -> Vec<Decision> {
    let known: Vec<(Item, Option<Known>)> =
        incoming.iter().map(|i| (i.item.clone(), i.found.as_ref().map(|found| known(found, i, at)))).collect();
    let policy = &source.settings.policy;
    let poll = match through {
        Through::Poll { .. } => {
            Poll { baseline: source.progress.baseline_at.is_none(), now: at, policy, new_before: 0 }
        }
        Through::Hook { new_before, .. } => Poll { baseline: false, now: at, policy, new_before: *new_before },
    };
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
    let said = stored_item(row).ok();
    Known {
        item: row.id,
        state,
        digest: Digest::from_stored(row.digest.clone()),
        source_version: row.source_version,
        by: match by {
            FoundBy::Key => KnownBy::Id,
            FoundBy::Alias => KnownBy::Alias,
            FoundBy::Alternate => KnownBy::Alternate,
            FoundBy::Url => KnownBy::Url,
            FoundBy::OtherSource => KnownBy::OtherSource,
        },
        edits_today: if row.edits_day == day(at) { u32::try_from(row.edits_count).unwrap_or(0) } else { 0 },
        last_edit_at: incoming.post.as_ref().and_then(|post| post.updated_at),
        value: said.as_ref().and_then(|item| item.state.clone()),
        release_at: said.as_ref().and_then(release_at),
        expires_at: said.as_ref().and_then(|item| item.expires_at).map(Timestamp),
        never_said: said.as_ref().is_some_and(|item| item.action == Action::Retract),
        stood_there: row.post_id.is_none() && said.as_ref().is_some_and(|item| item.action == Action::Publish),
        withdrawn_here: row.withdrawn_here,
        held: incoming.post.as_ref().and_then(|post| match post.state {
            PostState::Held(reason) => Some(reason),
            _ => None,
        }),
    }
}

fn day(at: Timestamp) -> i64 {
    at.0.div_euclid(DAY_MS)
}

/// How a page came, and what is stored with its items.
#[derive(Debug, Clone)]
pub enum Through {
    /// It was polled.
    Poll {
        /// Where the source stands now.
        progress: Box<Progress>,
        /// When the poll began.
        began_at: Timestamp,
        /// When it is polled next.
        due_at: Timestamp,
    },
    /// It was pushed: never a baseline, and nothing is to be concluded from what it does not say.
    Hook {
        /// How many items were new lately.
        new_before: u32,
        /// With this page the request is done: its receipt, what its other pages came to, and what else is to be noted of it.
        done: Option<(ReceiptId, Tally, Vec<String>)>,
    },
}

/// Takes the items of a page in, with where the source or the request stands, in one transaction. What somebody else did to one
/// of them meanwhile (another process, a push while a poll is read) is decided about anew.
pub async fn take_in(
    gateway: &Gateway,
    source: &Source,
    actor: &Actor,
    page: &Page,
    through: Through,
) -> Result<Tally, StoreError> {
    for _ in 1..TRIES_MAX {
        if let Some(tally) = try_to_take_in(gateway, source, actor, page, through.clone()).await? {
            return Ok(tally);
        }
    }
    let last = try_to_take_in(gateway, source, actor, page, through).await?;
    let problem = format!("what is known of its items changed {TRIES_MAX} times while it was read");
    last.ok_or(StoreError::Busy { what: "take items in", problem })
}

/// `None` if what was decided about is not what is there any more: then nothing was stored.
async fn try_to_take_in(
    gateway: &Gateway,
    source: &Source,
    actor: &Actor,
    page: &Page,
    through: Through,
) -> Result<Option<Tally>, StoreError> {
    let at = now();
    let incoming = look_up(gateway, source, page).await?;
    let decisions = decide(&incoming, source, &through, at);
    let mut tally = Tally::default();
    let deadline = Instant::now() + picture::PAGE_WITHIN;
    let mut steps = Vec::with_capacity(incoming.len());
    for (incoming, decision) in incoming.into_iter().zip(decisions) {
        let incoming = believed(incoming, &decision);
        let item_id = incoming.found.as_ref().map_or_else(|| ItemId(gateway.mint.next()), |(row, _)| row.id);
        let step = prepare(gateway, source, actor, incoming, decision, item_id, (at, deadline)).await;
        count(&mut tally, &step, at);
        steps.push(step);
    }
    let absent = match through {
        Through::Poll { .. } => absent(gateway, source, page, &steps, at).await?,
        Through::Hook { .. } => Absent::default(),
    };
    tally.retracted += absent.retract.len();
    let end = match through {
        Through::Poll { progress, began_at, due_at } => End::Poll { progress, began_at, due_at },
        Through::Hook { done: Some((receipt, mut sum, notes)), .. } => {
            sum.add(tally.clone());
            End::Hook { receipt, outcome: sum.sentence(&notes) }
        }
        Through::Hook { done: None, .. } => End::Nothing,
    };
    let who = format!("source:{}", source.name);
    let batch = Arc::new(Batch { source: source.clone(), who, steps, absent, end, at });
    let files = batch.files();
    let entries = Arc::new(batch.entries(gateway));
    let stored = gateway
        .store
        .write("take items in", move |db| {
            crate::store::lock_actor(db, batch.source.actor_id)?;
            if batch.is_overtaken(db)? {
                return Ok(false);
            }
            batch.commit(db)?;
            entries.iter().try_for_each(|entry| audit::add(db, entry)).map(|()| true)
        })
        .await?;
    if !stored {
        picture::discard(gateway, &files).await;
        return Ok(None);
    }
    gateway.wake.publish.notify_one();
    Ok(Some(tally))
}

/// What was found for an item, if the decision believes it. A URL that several items of a page share is no identity: then what
/// was found by it is another item, and this one is new.
fn believed(incoming: Incoming, decision: &Decision) -> Incoming {
    let by_url = incoming.found.as_ref().is_some_and(|(_, by)| matches!(by, FoundBy::Url | FoundBy::OtherSource));
    let doubled = matches!(decision.act, Act::Duplicate { .. });
    if by_url && !decision.add_alias && !doubled {
        let other = incoming.found.as_ref().map(|(row, _)| row.id);
        return Incoming { found: None, post: None, other, ..incoming };
    }
    incoming
}

async fn prepare(
    gateway: &Gateway,
    source: &Source,
    actor: &Actor,
    incoming: Incoming,
    decision: Decision,
    item_id: ItemId,
    times: (Timestamp, Instant),
) -> Step {
    let said = match decision.act {
        Act::New { .. } | Act::Edit | Act::EditLater { .. } | Act::ReviewEdit | Act::Revise { .. } | Act::Return => {
            Some(incoming.item.clone())
        }
        Act::Merge => merged(&incoming),
        _ => None,
    };
    let draft = match said {
        Some(item) => Some(draft(gateway, source, actor, &item, incoming.post.as_ref(), &decision, times).await),
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
    (at, deadline): (Timestamp, Instant),
) -> Draft {
    let gathered = picture::gather(gateway, source.id, item, post, deadline).await;
    let mut content = compose_item(source, actor, item, gathered.images);
    content.flags.extend(gathered.problems.iter().map(LeftOut::flag));
    let state = admit(&mut content, item, decision, &source.settings.policy, at);
    let kept: HashSet<i64> = content.images.iter().map(|image| image.id.0).collect();
    let (files, dropped): (Vec<_>, Vec<_>) = gathered.files.into_iter().partition(|file| kept.contains(&file.id.0));
    picture::discard(gateway, &dropped).await;
    let new_post = PostId(gateway.mint.next());
    Draft { content, state, files, new_post, problems: gathered.problems, images_due: gathered.left }
}

/// Composes an item as the source's settings say, in the language of the item, the source or the actor.
pub fn compose_item(source: &Source, actor: &Actor, item: &Item, images: Vec<crate::post::Image>) -> Content {
    let own = item.language.as_deref().and_then(|tag| Language::parse(tag).ok());
    let language = source.settings.language.clone().or(own).unwrap_or_else(|| actor.language.clone());
    compose(item, images, &language, &source.settings.compose, &actor.base())
}

fn count(tally: &mut Tally, step: &Step, at: Timestamp) {
    let item = &step.incoming.item;
    if embargo(item, at).is_some() {
        match &step.decision.act {
            // Its id may say what it is about.
            Act::Refuse(reason) => {
                let unnamed = Item { source_id: "an item under embargo".to_owned(), ..Item::default() };
                tally.refused.push(refused(&unnamed, reason));
            }
            Act::Same | Act::Duplicate { .. } | Act::OutOfOrder | Act::Remember => tally.unchanged += 1,
            _ => tally.embargoed += 1,
        }
        return;
    }
    if let Some(Draft { state: PostState::Held(_), .. }) = step.draft {
        tally.held += 1;
    }
    match &step.decision.act {
        Act::New { .. } | Act::Return => tally.new += 1,
        Act::Edit | Act::EditLater { .. } | Act::ReviewEdit | Act::Revise { .. } => tally.edited += 1,
        Act::Merge => tally.edited += usize::from(step.draft.is_some()),
        Act::Retract | Act::Cancel => tally.retracted += 1,
        Act::StoreOnly(_) | Act::Tombstone => tally.stored += 1,
        Act::Same | Act::Duplicate { .. } | Act::OutOfOrder | Act::Remember => tally.unchanged += 1,
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

/// The item as it was stored.
pub fn stored_item(row: &ItemRow) -> Queried<Item> {
    from_json(&row.content)
}
