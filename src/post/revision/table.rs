//! The decision table itself.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use heraut_connectors::item::{Action, Item, RawHtml};
use url::Url;

use super::{Act, Decision, Known, KnownBy, KnownState, Poll, RefuseReason, StoreReason, digest};
use crate::post::policy::{embargo, release_at};
use crate::time::Timestamp;

/// An incoming item and what is known of it.
type Row<'a> = (&'a Item, Option<&'a Known>);

/// Decides over all items of one poll or push; the answer has the same length and order.
///
/// Items of the poll that are the same one (by source id, by what they are known as, or by canonical URL and title) are decided
/// once: the newest by version, change and publication decides, or else a retraction, or else the first. A URL that items with
/// other ids and other titles share in one poll (a feed of states that all link to one page) is no identity, and what was
/// recognised by it counts as unknown; a state is never recognised by its URL. The flood fuse counts only [`Act::New`], and when it blows holds all of them.
pub fn plan(incoming: &[(Item, Option<Known>)], poll: &Poll<'_>) -> Vec<Decision> {
    let shared = shared_urls(incoming);
    let by_url = |known: &Known| matches!(known.by, KnownBy::Url | KnownBy::OtherSource);
    let rows: Vec<Row<'_>> = incoming
        .iter()
        .map(|(item, known)| {
            let is_shared = item.canonical_url.as_deref().is_some_and(|url| shared.contains(url));
            let void = is_shared || item.state.is_some();
            (item, known.as_ref().filter(|known| !(void && by_url(known))))
        })
        .collect();
    let winners = winners(&rows);
    let chosen = if poll.baseline { newest(&rows, &winners, poll) } else { HashSet::new() };
    let mut decisions: Vec<Decision> = rows
        .iter()
        .zip(&winners)
        .enumerate()
        .map(|(index, ((item, known), winner))| {
            if *winner != index {
                let other = rows.get(*winner).map(|(other, _)| other.source_id.as_str());
                let by_id = known.is_some_and(|known| !by_url(known));
                return Decision {
                    act: Act::Duplicate { of: *winner },
                    add_alias: !by_id && other != Some(item.source_id.as_str()),
                };
            }
            decide(item, *known, chosen.contains(&index), poll)
        })
        .collect();
    if !poll.baseline {
        blow_fuse(&mut decisions, poll.policy.flood_fuse.saturating_sub(poll.new_before));
    }
    decisions
}

fn title_of(item: &Item) -> String {
    item.title.as_deref().unwrap_or_default().trim().to_lowercase()
}

/// URLs that say nothing about identity in this poll.
fn shared_urls(incoming: &[(Item, Option<Known>)]) -> HashSet<&str> {
    let mut first: HashMap<&str, (&str, String)> = HashMap::new();
    let mut shared = HashSet::new();
    for (item, _) in incoming {
        let Some(url) = item.canonical_url.as_deref() else { continue };
        let (id, title) = first.entry(url).or_insert_with(|| (&item.source_id, title_of(item)));
        if *id != item.source_id && *title != title_of(item) {
            shared.insert(url);
        }
    }
    shared
}

fn blow_fuse(decisions: &mut [Decision], fuse: u32) {
    let new = decisions.iter().filter(|d| matches!(d.act, Act::New { .. })).count();
    if new <= usize::try_from(fuse).unwrap_or(usize::MAX) {
        return;
    }
    for decision in decisions {
        if let Act::New { flooded } = &mut decision.act {
            *flooded = true;
        }
    }
}

/// For each item the index of the one that decides for it: itself, unless another of the poll is the same and newer.
fn winners(incoming: &[Row<'_>]) -> Vec<usize> {
    let mut groups: Vec<usize> = (0..incoming.len()).collect();
    let mut first: HashMap<String, usize> = HashMap::new();
    for (index, (item, known)) in incoming.iter().enumerate() {
        let url = item.canonical_url.as_ref().filter(|_| item.state.is_none());
        let keys = [
            Some(format!("id {}", item.source_id)),
            url.map(|url| format!("url {url} {}", title_of(item))),
            known.map(|known| format!("item {}", known.item)),
        ];
        let others = item.alternate_ids.iter().map(|id| format!("id {id}"));
        for key in keys.into_iter().flatten().chain(others) {
            let other = *first.entry(key).or_insert(index);
            join(&mut groups, index, other);
        }
    }
    let roots: Vec<usize> = (0..incoming.len()).map(|index| root(&groups, index)).collect();
    let mut best: HashMap<usize, usize> = HashMap::new();
    for (index, (item, _)) in incoming.iter().enumerate() {
        let Some(root) = roots.get(index) else { continue };
        let leader = best.entry(*root).or_insert(index);
        if let Some((leading, _)) = incoming.get(*leader)
            && newness(item) > newness(leading)
        {
            *leader = index;
        }
    }
    roots.iter().map(|root| best.get(root).copied().unwrap_or(*root)).collect()
}

fn root(groups: &[usize], mut index: usize) -> usize {
    while let Some(next) = groups.get(index).filter(|next| **next != index) {
        index = *next;
    }
    index
}

fn join(groups: &mut [usize], a: usize, b: usize) {
    let (a, b) = (root(groups, a), root(groups, b));
    if let Some(slot) = groups.get_mut(a.max(b)) {
        *slot = a.min(b);
    }
}

fn newness(item: &Item) -> (Option<i64>, Option<i64>, Option<i64>, bool) {
    (item.source_version, item.updated_at, item.published_at, item.action == Action::Retract)
}

/// The indices of the newest unknown items that the first poll publishes: by publication, or else in document order.
fn newest(incoming: &[Row<'_>], winners: &[usize], poll: &Poll<'_>) -> HashSet<usize> {
    let mut candidates: Vec<(usize, Option<i64>)> = incoming
        .iter()
        .zip(winners)
        .enumerate()
        .filter(|(index, ((item, known), winner))| {
            index == *winner && known.is_none() && item.action == Action::Publish && refusal(item, poll).is_none()
        })
        .map(|(index, ((item, _), _))| (index, item.published_at))
        .collect();
    candidates.sort_by_key(|(index, published)| (Reverse(*published), *index));
    let most = usize::try_from(poll.policy.publish_newest).unwrap_or(usize::MAX);
    candidates.into_iter().take(most).map(|(index, _)| index).collect()
}

fn decide(item: &Item, known: Option<&Known>, chosen: bool, poll: &Poll<'_>) -> Decision {
    let add_alias = known.is_some_and(|k| matches!(k.by, KnownBy::Alternate | KnownBy::Url | KnownBy::OtherSource));
    let act = match (known, item.action) {
        (_, Action::Publish) if refusal(item, poll).is_some() => {
            // Nothing of a refused item is kept, not even its id.
            let reason = refusal(item, poll).unwrap_or(RefuseReason::Empty);
            return Decision { act: Act::Refuse(reason), add_alias: false };
        }
        (None, Action::Publish) => first_seen(item, chosen, poll),
        (None, Action::Retract) => Act::Tombstone,
        (Some(known), Action::Publish) => published(item, known, poll),
        (Some(known), Action::Retract) => retracted(item, known),
    };
    Decision { act, add_alias }
}

fn first_seen(item: &Item, chosen: bool, poll: &Poll<'_>) -> Act {
    if item.state.is_some() {
        return Act::StoreOnly(StoreReason::State);
    }
    if has_expired(item, poll) {
        return Act::StoreOnly(StoreReason::Expired);
    }
    // What is still under embargo is news also when it was there before the source was.
    if poll.baseline && !chosen && embargo(item, poll.now).is_none() {
        return Act::StoreOnly(StoreReason::Baseline);
    }
    let age = item.published_at.or(item.updated_at).map(|at| poll.now.since(Timestamp(at)));
    let limit = Duration::from_secs(u64::from(poll.policy.age_max_days) * 86_400);
    if !chosen && poll.policy.age_max_days > 0 && age.is_some_and(|age| age > limit) {
        return Act::StoreOnly(StoreReason::TooOld);
    }
    Act::New { flooded: false }
}

fn has_expired(item: &Item, poll: &Poll<'_>) -> bool {
    item.expires_at.is_some_and(|until| Timestamp(until) <= poll.now)
}

fn published(item: &Item, known: &Known, poll: &Poll<'_>) -> Act {
    let late = older(item, known);
    let same = match (&item.state, &known.value) {
        _ if late => digest(item) == known.digest,
        (None, _) => digest(item) == known.digest && !moved(item, known, poll),
        (Some(value), Some(had)) if value == had => return Act::Same,
        (Some(_), Some(_)) => false,
        (Some(_), None) => return Act::Remember,
    };
    match known.state {
        KnownState::Tombstone | KnownState::Retracted if late => Act::OutOfOrder,
        // What was only ever said to be withdrawn was a draft: systems say so each time that it is saved.
        KnownState::Tombstone if known.never_said && !known.withdrawn_here => first_seen(item, false, poll),
        KnownState::Tombstone | KnownState::Retracted if same && (known.withdrawn_here || unmoved(item, known)) => {
            Act::Same
        }
        KnownState::Retracted => Act::Return,
        // Which of the two was said last is not known, or a person here has a say in it, or people saw it at its source.
        KnownState::Tombstone if known.withdrawn_here || known.stood_there || unmoved(item, known) => Act::Return,
        // Nobody ever saw it.
        KnownState::Tombstone => first_seen(item, false, poll),
        _ if same => Act::Same,
        // The other source's post says nothing of it before its time; the next poll asks again.
        _ if known.by == KnownBy::OtherSource && embargo(item, poll.now).is_some() => Act::OutOfOrder,
        _ if known.by == KnownBy::OtherSource => Act::Merge,
        _ if late => Act::OutOfOrder,
        KnownState::Baseline if has_expired(item, poll) => Act::StoreOnly(StoreReason::Expired),
        KnownState::Baseline if item.state.is_some() => Act::New { flooded: false },
        // It was over when it was first seen, and holds again.
        KnownState::Baseline if known.expires_at.is_some_and(|until| until <= poll.now) => Act::New { flooded: false },
        KnownState::Baseline => Act::StoreOnly(StoreReason::Baseline),
        KnownState::Waiting => Act::Revise { held: known.held },
        KnownState::Live => edit(item, known, poll),
    }
}

/// Whether the source moved the time of something, or of an edit, that waits for it.
fn moved(item: &Item, known: &Known, poll: &Poll<'_>) -> bool {
    let (now, had) = (release_at(item), known.release_at);
    let waits = now.max(had).is_some_and(|at| at > poll.now);
    let open = matches!(known.state, KnownState::Waiting | KnownState::Live);
    open && known.by != KnownBy::OtherSource && now != had && waits
}

fn edit(item: &Item, known: &Known, poll: &Poll<'_>) -> Act {
    if let Some(at) = embargo(item, poll.now) {
        return Act::EditLater { at };
    }
    if known.edits_today >= poll.policy.updates_per_day_max {
        return Act::ReviewEdit;
    }
    let window = poll.policy.merge_edits.duration();
    match known.last_edit_at.map(|last| last.after(window)) {
        Some(at) if at > poll.now => Act::EditLater { at },
        _ => Act::Edit,
    }
}

fn retracted(item: &Item, known: &Known) -> Act {
    match known.state {
        KnownState::Retracted | KnownState::Tombstone => Act::Same,
        _ if older(item, known) => Act::OutOfOrder,
        // Another source of the actor still says it.
        _ if known.by == KnownBy::OtherSource => Act::Same,
        KnownState::Baseline => Act::Tombstone,
        KnownState::Waiting => Act::Cancel,
        KnownState::Live => Act::Retract,
    }
}

/// Whether both have a version of the same source, and the incoming one is lower.
fn older(item: &Item, known: &Known) -> bool {
    let comparable = known.by != KnownBy::OtherSource;
    comparable && item.source_version.zip(known.source_version).is_some_and(|(incoming, had)| incoming < had)
}

fn unmoved(item: &Item, known: &Known) -> bool {
    item.source_version.is_some() && item.source_version == known.source_version
}

fn refusal(item: &Item, poll: &Poll<'_>) -> Option<RefuseReason> {
    let blank = |html: &Option<RawHtml>| html.as_ref().is_none_or(|h| h.0.trim().is_empty());
    let silent = item.title.as_deref().unwrap_or_default().trim().is_empty();
    if silent && blank(&item.summary) && blank(&item.body) && item.media.is_empty() {
        return Some(RefuseReason::Empty);
    }
    if poll.policy.hosts.is_empty() {
        return None;
    }
    let url = item.canonical_url.as_deref().and_then(|url| Url::parse(url).ok())?;
    let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
    let allowed = |name: &String| {
        let name = name.trim().trim_start_matches("*.").to_ascii_lowercase();
        !name.is_empty() && (host == name || host.strip_suffix(&name).is_some_and(|sub| sub.ends_with('.')))
    };
    if poll.policy.hosts.iter().any(allowed) { None } else { Some(RefuseReason::Host(host)) }
}

/// One item of two that different sources of an actor gave for the same page: field by field the richer one, and what is
/// known wins a tie. Identity, version and dates stay those of `known`.
pub fn merge(known: &Item, incoming: &Item) -> Item {
    let html = |a: &Option<RawHtml>, b: &Option<RawHtml>| {
        let size = |h: &Option<RawHtml>| h.as_ref().map_or(0, |h| h.0.trim().len());
        if size(b) > size(a) { b.clone() } else { a.clone() }
    };
    let described = |item: &Item| item.media.iter().filter(|m| m.alt.is_some()).count();
    let richer_media = (incoming.media.len(), described(incoming)) > (known.media.len(), described(known));
    Item {
        title: known.title.clone().or_else(|| incoming.title.clone()),
        summary: html(&known.summary, &incoming.summary),
        body: html(&known.body, &incoming.body),
        language: known.language.clone().or_else(|| incoming.language.clone()),
        content_warning: known.content_warning.clone().or_else(|| incoming.content_warning.clone()),
        published_at: known.published_at.or(incoming.published_at),
        updated_at: known.updated_at.max(incoming.updated_at),
        authors: if known.authors.is_empty() { incoming.authors.clone() } else { known.authors.clone() },
        categories: if known.categories.is_empty() { incoming.categories.clone() } else { known.categories.clone() },
        media: if richer_media { incoming.media.clone() } else { known.media.clone() },
        links: if known.links.is_empty() { incoming.links.clone() } else { known.links.clone() },
        ..known.clone()
    }
}
