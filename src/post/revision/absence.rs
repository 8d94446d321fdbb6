//! Items that are no longer there. Feeds almost never say whether an item was withdrawn or has scrolled out of the window
//! (`reference/connectors.md` A2), so absence withdraws nothing, but for the two cases here.

use std::collections::HashSet;

use crate::ids::ItemId;
use crate::post::policy::SourcePolicy;
use crate::time::Timestamp;

/// What becomes of known items that are absent from a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Missing {
    /// Withdraw these; often none.
    Retract(Vec<ItemId>),
    /// More are absent than the flood fuse lets through, as after an accident at the source: ask a person, since a Delete
    /// cannot be taken back. Nothing is withdrawn.
    Suspicious(Vec<ItemId>),
}

/// Which of the `known` items (live or waiting) of a source are withdrawn because a page does not list them: `seen` are those
/// that it does, recognised by any key. Only a page marked complete (RFC 5005 §2, `fh:complete`) says so.
pub fn missing(known: &[ItemId], seen: &[ItemId], page_complete: bool, policy: &SourcePolicy) -> Missing {
    if !page_complete {
        return Missing::Retract(Vec::new());
    }
    let seen: HashSet<ItemId> = seen.iter().copied().collect();
    let absent: Vec<ItemId> = known.iter().copied().filter(|id| !seen.contains(id)).collect();
    let fuse = usize::try_from(policy.flood_fuse).unwrap_or(usize::MAX);
    if absent.len() > fuse { Missing::Suspicious(absent) } else { Missing::Retract(absent) }
}

/// What follows from a check of an item's page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoneDecision {
    /// It is there, or cannot be judged, or does not matter: forget earlier checks.
    Nothing,
    /// It is gone, but not for long enough: keep the instant at which it was first seen gone, and check again.
    FirstSeen,
    /// It was gone on two checks at least `gone_after` apart: withdraw.
    Retract,
}

/// What follows from the answer `status` of an item's page, which was first seen gone at `first_gone_at`. Only 404 and 410
/// count, and only with `retract_on_gone`; any other answer begins anew.
pub fn gone(policy: &SourcePolicy, first_gone_at: Option<Timestamp>, status: u16, now: Timestamp) -> GoneDecision {
    if !policy.retract_on_gone || !matches!(status, 404 | 410) {
        return GoneDecision::Nothing;
    }
    match first_gone_at {
        Some(first) if now >= first.after(policy.gone_after.duration()) && now > first => GoneDecision::Retract,
        _ => GoneDecision::FirstSeen,
    }
}
