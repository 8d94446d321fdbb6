//! Takes in one item that a client hands in and waits for. What a poll would leave out or put off silently, a client is told.

use std::sync::Arc;
use std::time::{Duration, Instant};

use heraut_connectors::contract::Page;
use heraut_connectors::item::{Item, RawHtml};

use super::commit::{Batch, End};
use super::withdraw::Absent;
use super::{Incoming, Step, Through, believed, decide, look_up, prepare};
use crate::actor::Actor;
use crate::flow::hooks::work::lately;
use crate::flow::{Gateway, now, picture};
use crate::ids::{ItemId, PostId};
use crate::post::compose::is_cut;
use crate::post::policy::{MissingAlt, SourcePolicy};
use crate::post::revision::{Act, Decision, RefuseReason, StoreReason};
use crate::post::text::plain;
use crate::store::client_requests::{self, ClientRequest};
use crate::store::items::{self, ItemRow, ItemState};
use crate::store::sources::Source;
use crate::store::{Db, Queried, StoreError, audit, lock_actor, posts, to_json, uploads};
use crate::time::Timestamp;

/// Time for the images: clients wait half a minute for an answer.
const IMAGES_WITHIN: Duration = Duration::from_secs(20);

/// An item that is handed in.
#[derive(Debug, Clone)]
pub struct Handed {
    /// The item.
    pub item: Item,
    /// Who hands it in, for the audit log.
    pub who: String,
    /// What was known of it when it was made, if it is an edit. When that changed meanwhile, it is made anew.
    pub seen: Option<ItemRow>,
    /// It was withdrawn, and is said again on purpose: under a new id, and no person need confirm it.
    pub again: bool,
    /// Who hands it in may change what is there: an entry whose page is known already is that one.
    pub may_edit: bool,
    /// By which a repetition is recognised.
    pub request: Option<Once>,
    /// The names of pictures that were sent before and that it shows.
    pub uploads: Vec<String>,
}

/// A request that has an effect once.
#[derive(Debug, Clone)]
pub struct Once {
    /// Key, digest and when it came; the item is filled in.
    pub row: ClientRequest,
    /// An earlier one counts if it came after this.
    pub since: Timestamp,
    /// The client named the key: what was made is not made again, even if it was withdrawn since.
    pub named: bool,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Taken {
    /// It is stored.
    Done {
        /// The item.
        item: ItemId,
        /// What editors should know of it.
        notes: Vec<String>,
        /// When the edit is sent, if not at once.
        later: Option<Timestamp>,
    },
    /// It was asked for before; this came of it.
    Known(ItemId),
    /// Its key was used for something else.
    Conflict,
    /// What is known of it changed meanwhile.
    Raced,
    /// It would change what is there, and who hands it in may not.
    NotAllowed,
    /// It cannot be published, and nothing was stored.
    Refused(String),
}

/// What a request with that key made before, if it is a repetition.
pub fn repeated(db: &mut Db<'_>, once: &Once) -> Queried<Option<Taken>> {
    let known = client_requests::by_key(db, once.row.source_id, &once.row.request_key)?;
    let Some(known) = known.filter(|known| known.received_at > once.since) else { return Ok(None) };
    if known.digest != once.row.digest {
        return Ok(Some(Taken::Conflict));
    }
    let withdrawn = items::by_id(db, known.item_id)?
        .is_none_or(|row| matches!(ItemState::from_name(&row.state), ItemState::Retracted | ItemState::Tombstone));
    Ok((once.named || !withdrawn).then_some(Taken::Known(known.item_id)))
}

/// Takes one item in, in one transaction with the request that brought it.
pub async fn take_one(gateway: &Gateway, source: &Source, actor: &Actor, handed: Handed) -> Result<Taken, StoreError> {
    let at = now();
    let page = Page { items: vec![handed.item.clone()], ..Page::default() };
    let new_before = lately(gateway, source).await?;
    let incoming = look_up(gateway, source, &page).await?;
    let decisions = decide(&incoming, source, &Through::Hook { new_before, done: None }, at);
    let (Some(incoming), Some(decision)) = (incoming.into_iter().next(), decisions.into_iter().next()) else {
        return Ok(Taken::Raced);
    };
    if handed.seen.is_some() && !is_as_seen(&handed, &incoming) {
        return Ok(Taken::Raced);
    }
    let decision = settle(decision, &handed, &incoming)?;
    if let Some(why) = refusal(&decision, &handed.item, &source.settings.policy) {
        return Ok(Taken::Refused(why));
    }
    let changes = matches!(
        decision.act,
        Act::Edit | Act::EditLater { .. } | Act::ReviewEdit | Act::Revise { .. } | Act::Merge | Act::Return
    );
    if changes && !handed.may_edit {
        return Ok(Taken::NotAllowed);
    }
    let later = match decision.act {
        Act::EditLater { at } => Some(at),
        _ => None,
    };
    let step = step(gateway, source, actor, &handed, incoming, decision, at).await;
    let files = step.draft.as_ref().map(|draft| draft.files.clone()).unwrap_or_default();
    let taken = match problem(source, actor, &handed, &step) {
        Some(why) => Taken::Refused(why),
        None => {
            let notes = step.draft.as_ref().map(|draft| draft.content.flags.clone()).unwrap_or_default();
            let done = Taken::Done { item: step.item_id, notes, later };
            commit(gateway, source, handed, step, done, at).await?
        }
    };
    if !matches!(taken, Taken::Done { .. }) {
        picture::discard(gateway, &files).await;
    }
    Ok(taken)
}

fn is_as_seen(handed: &Handed, incoming: &Incoming) -> bool {
    let same =
        |seen: &ItemRow, row: &ItemRow| seen.id == row.id && seen.content == row.content && seen.state == row.state;
    handed.seen.as_ref().zip(incoming.found.as_ref()).is_some_and(|(seen, (row, _))| same(seen, row))
}

/// The decision, as somebody wants it who asked for it: what is said again is, and what nobody sees is stored too.
fn settle(decision: Decision, handed: &Handed, incoming: &Incoming) -> Result<Decision, StoreError> {
    let json = to_json(&handed.item).map_err(|source| StoreError::Query { what: "write an item", source })?;
    let differs = incoming.found.as_ref().is_some_and(|(row, _)| row.content != json);
    let act = match decision.act {
        Act::Same | Act::New { .. } | Act::StoreOnly(_) if handed.again => Act::Return,
        Act::Same if differs && handed.seen.is_some() => Act::Remember,
        other => other,
    };
    Ok(Decision { act, ..decision })
}

/// Why such an item cannot be published.
fn refusal(decision: &Decision, item: &Item, policy: &SourcePolicy) -> Option<String> {
    match &decision.act {
        Act::StoreOnly(StoreReason::TooOld) => {
            let days = policy.age_max_days;
            return Some(format!(
                "`published` is more than {days} days ago, and older than policy.age_max_days of the source allows; leave \
                 the date out"
            ));
        }
        Act::StoreOnly(_) | Act::OutOfOrder | Act::Duplicate { .. } => {
            return Some("the source has said something else of this since".to_owned());
        }
        Act::Refuse(RefuseReason::Host(host)) => {
            return Some(format!("`url` is on {host}, which policy.hosts of the source does not list"));
        }
        Act::Refuse(RefuseReason::Empty) => return Some("it says nothing".to_owned()),
        _ => {}
    }
    let blank = |html: &Option<RawHtml>| html.as_ref().is_none_or(|html| html.0.trim().is_empty());
    let only_photos = item.title.is_none() && blank(&item.summary) && blank(&item.body);
    let undescribed = item.media.iter().all(|media| media.alt.is_none());
    (only_photos && undescribed && policy.missing_alt == MissingAlt::DropImage).then(|| {
        "a photo without alternative text is not shown, and there is nothing else; send {\"value\": \"https://…\", \"alt\": \
         \"…\"} or `mp-photo-alt`"
            .to_owned()
    })
}

/// Makes the post of it.
async fn step(
    gateway: &Gateway,
    source: &Source,
    actor: &Actor,
    handed: &Handed,
    incoming: Incoming,
    decision: Decision,
    at: Timestamp,
) -> Step {
    let incoming = believed(incoming, &decision);
    let item_id = incoming.found.as_ref().map_or_else(|| ItemId(gateway.mint.next()), |(row, _)| row.id);
    let again = handed.again && decision.act == Act::Return;
    // Nobody has to confirm it; every other policy holds.
    let judged =
        if again { Decision { act: Act::New { flooded: false }, ..decision.clone() } } else { decision.clone() };
    let deadline = Instant::now() + IMAGES_WITHIN;
    let mut step = prepare(gateway, source, actor, incoming, judged, item_id, (at, deadline)).await;
    step.decision = decision;
    step
}

/// Why the post of it cannot be published. An image that cannot be had is an error: its author is there and can do something.
fn problem(source: &Source, actor: &Actor, handed: &Handed, step: &Step) -> Option<String> {
    let draft = step.draft.as_ref()?;
    if let Some(left_out) = draft.problems.first() {
        return Some(format!("the photo {} cannot be used: {}", left_out.url, left_out.why));
    }
    let silent = draft.content.images.is_empty() && plain(&draft.content.html).trim().is_empty();
    if silent && handed.item.media.is_empty() {
        return Some("nothing of the text is left when markup is taken away that is not allowed".to_owned());
    }
    let settings = &source.settings.compose;
    if handed.item.canonical_url.is_some() || !is_cut(&handed.item, &actor.language, settings, &actor.base()) {
        return None;
    }
    Some(format!(
        "the post would be cut at {} characters (compose.length_max of the source), and say nowhere where it goes on; shorten \
         it, or send `url`, the page with the whole text",
        settings.length_max
    ))
}

async fn commit(
    gateway: &Gateway,
    source: &Source,
    handed: Handed,
    step: Step,
    taken: Taken,
    at: Timestamp,
) -> Result<Taken, StoreError> {
    let old_post = step.incoming.found.as_ref().and_then(|(row, _)| row.post_id).filter(|_| handed.again);
    let item = step.item_id;
    let batch = Batch {
        source: source.clone(),
        who: handed.who.clone(),
        steps: vec![step],
        absent: Absent::default(),
        end: End::Nothing,
        at,
    };
    let entries = batch.entries(gateway);
    let work = Arc::new((batch, entries, handed));
    let write = move |db: &mut Db<'_>| {
        let (batch, entries, handed) = &*work;
        lock_actor(db, batch.source.actor_id)?;
        if let Some(known) = handed.request.as_ref().map_or(Ok(None), |once| repeated(db, once))? {
            return Ok(known);
        }
        if let Some(seen) = &handed.seen {
            let row = items::by_id(db, seen.id)?;
            if row.is_none_or(|row| row.content != seen.content || row.state != seen.state) {
                return Ok(Taken::Raced);
            }
        }
        if batch.is_overtaken(db)? {
            return Ok(Taken::Raced);
        }
        if !uploads::bind(db, batch.source.id, item, &handed.uploads)? {
            return Ok(Taken::Refused("a `photo` that was sent before is not kept any more; send it again".to_owned()));
        }
        if let Some(once) = &handed.request {
            client_requests::put(db, &ClientRequest { item_id: item, ..once.row.clone() })?;
        }
        batch.commit(db)?;
        if let Some(post) = old_post {
            items::add_alias(db, batch.source.id, &items::alias_of_post(post), item)?;
        }
        entries.iter().try_for_each(|entry| audit::add(db, entry))?;
        has_taken(db, batch, handed, old_post).map(|done| if done { taken.clone() } else { Taken::Raced })
    };
    let taken = gateway.store.write("take in what a client hands in", write).await?;
    gateway.wake.publish.notify_one();
    Ok(taken)
}

/// Whether an edit was stored: its post may have gone out a moment ago, and then nothing was.
fn has_taken(db: &mut Db<'_>, batch: &Batch, handed: &Handed, old_post: Option<PostId>) -> Queried<bool> {
    let (Some(seen), None) = (&handed.seen, old_post) else { return Ok(true) };
    let Some(step) = batch.steps.first() else { return Ok(true) };
    if !matches!(step.decision.act, Act::Revise { .. }) {
        return Ok(true);
    }
    let revised = to_json(&handed.item)?;
    Ok(items::by_id(db, seen.id)?.is_some_and(|row| row.content == revised))
}

/// The post of an item.
pub fn post_of(db: &mut Db<'_>, item: ItemId) -> Queried<Option<posts::Post>> {
    let post = items::by_id(db, item)?.and_then(|row| row.post_id);
    post.map_or(Ok(None), |id| posts::by_id(db, id))
}
