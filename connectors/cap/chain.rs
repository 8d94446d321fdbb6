//! Which messages are about the same warning, and which of them holds.
//!
//! A message that changes or cancels another has an identifier of its own and names the earlier ones. The warning keeps the
//! identifier of its first message: that is the id of the item, so that an update edits the post and a cancellation withdraws it.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};

use super::alert::Alert;
use crate::item::{ALTERNATE_IDS_MAX, EpochMs};

/// What holds of one warning.
#[derive(Debug)]
pub(super) struct Link {
    /// The identifier of its first message that is known of.
    pub root: String,
    /// The place of the message that decides.
    pub message: usize,
    /// It does not hold any more: it was cancelled, or is part of another one now.
    pub is_over: bool,
    /// When the first message was sent.
    pub first_sent: Option<EpochMs>,
    /// The identifiers of the other messages.
    pub others: BTreeSet<String>,
}

/// One warning, as far as it was followed.
#[derive(Debug, Default)]
struct Chain {
    latest: Option<(Option<EpochMs>, usize, bool)>,
    first_sent: Option<EpochMs>,
    others: BTreeSet<String>,
}

/// The warnings of a page, in the order in which their deciding messages stand.
pub(super) fn follow(alerts: &[Alert]) -> Vec<Link> {
    let mut order: Vec<usize> = (0..alerts.len()).collect();
    order.sort_by_key(|at| alerts.get(*at).and_then(|alert| alert.sent));
    // Oldest first: what a message refers to has its root by then. What refers to something later refers to nothing here.
    let mut roots: HashMap<&str, String> = HashMap::new();
    let mut chains: HashMap<String, Chain> = HashMap::new();
    for at in order {
        let Some(alert) = alerts.get(at) else { continue };
        let targets = targets(alert, &roots);
        let is_cancelled = alert.message.eq_ignore_ascii_case("cancel");
        let first = targets.first().map_or_else(|| alert.identifier.clone(), |(root, _)| root.clone());
        let all = if targets.is_empty() { vec![(first.clone(), alert.sent)] } else { targets };
        for (place, (root, sent)) in all.iter().enumerate() {
            let (is_unknown, is_first) = (!chains.contains_key(root), place == 0);
            if !is_first && !is_cancelled && is_unknown {
                // Most likely an earlier update of the same warning.
                continue;
            }
            let chain = chains.entry(root.clone()).or_default();
            let this = (alert.sent, at, is_cancelled || !is_first);
            chain.latest = chain.latest.max(Some(this));
            chain.first_sent = chain.first_sent.or(*sent);
            if is_first {
                let known = alert.references.iter().map(|(id, _)| id).chain([&alert.identifier]);
                let ours = known.filter(|id| roots.get(id.as_str()).is_none_or(|other| other == root) && *id != root);
                let bounded = ALTERNATE_IDS_MAX.saturating_sub(chain.others.len());
                // Those of a cancellation are cancelled each by itself.
                chain.others.extend(ours.filter(|id| !is_cancelled || **id == alert.identifier).take(bounded).cloned());
            }
        }
        roots.insert(&alert.identifier, first);
    }
    let link = |(root, chain): (String, Chain)| {
        let (_, message, is_over) = chain.latest?;
        Some(Link { root, message, is_over, first_sent: chain.first_sent, others: chain.others })
    };
    let mut links: Vec<Link> = chains.into_iter().filter_map(link).collect();
    links.sort_by(|a, b| (a.message, &a.root).cmp(&(b.message, &b.root)));
    links
}

/// The warnings that a message is about, by their first message, the oldest first, and when that was sent.
fn targets(alert: &Alert, roots: &HashMap<&str, String>) -> Vec<(String, Option<EpochMs>)> {
    let mut found: Vec<(String, Option<EpochMs>, bool)> = Vec::new();
    let mut seen = HashSet::new();
    for (identifier, sent) in alert.references.iter().filter(|(identifier, _)| *identifier != alert.identifier) {
        let known = roots.get(identifier.as_str());
        let root = known.unwrap_or(identifier);
        if seen.insert(root.clone()) {
            found.push((root.clone(), sent.filter(|_| known.is_none_or(|root| root == identifier)), known.is_some()));
        }
    }
    // One that stands in the page is surer than one that does not; of those the oldest; without a time last.
    found.sort_by_key(|(_, sent, is_known)| (Reverse(*is_known), sent.is_none(), *sent));
    found.into_iter().map(|(root, sent, _)| (root, sent)).collect()
}
