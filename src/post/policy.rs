//! What a source may do by itself.

#[cfg(test)]
mod tests;

use std::time::Duration;

use heraut_connectors::item::Item;
use serde::{Deserialize, Serialize};

use crate::post::lane::{Dispatch, Lane};
use crate::post::revision::{Act, Decision};
use crate::post::{Content, HoldReason, PostState};
use crate::source::span::Span;
use crate::time::Timestamp;

/// What a source may do by itself, and when a person must look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SourcePolicy {
    /// Most new items in one poll; when there are more, all of them are held.
    pub flood_fuse: u32,
    /// How many of the newest items are published at the first poll; the rest is stored only.
    pub publish_newest: u32,
    /// What happens to an image without alternative text.
    pub missing_alt: MissingAlt,
    /// Whether a person approves each post.
    pub approval: bool,
    /// A new item older than this many days is stored and not published; 0 is no limit.
    pub age_max_days: u32,
    /// Whether a post is withdrawn when the item's page is gone.
    pub retract_on_gone: bool,
    /// Least time between the two checks that find a page gone.
    pub gone_after: Span,
    /// Most edits of one post in a day; further ones are held.
    pub updates_per_day_max: u32,
    /// Edits within this time of the last one are put together; `0s` sends each.
    pub merge_edits: Span,
    /// Hosts, with their subdomains, that an item's page may be on; empty is any host.
    pub hosts: Vec<String>,
    /// Whether its posts are warnings, which go out before all others. This and what follows is stored only where it is used:
    /// an older program beside this one, during an upgrade, cannot read a source with a key that it does not know.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub crisis: bool,
    /// Over how long the deliveries of a post are spread, at most [`SPREAD_MAX`]; `0s` sends as fast as possible, and so does a
    /// crisis.
    #[serde(deserialize_with = "read_spread", skip_serializing_if = "is_none")]
    pub spread: Span,
}

fn is_none(spread: &Span) -> bool {
    *spread == Span::seconds(0)
}

fn read_spread<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Span, D::Error> {
    let spread = Span::deserialize(from)?;
    if spread.duration() > SPREAD_MAX {
        return Err(serde::de::Error::custom("`spread` is at most `1h`: news that spreads for longer is no news"));
    }
    Ok(spread)
}

/// Longest time over which the deliveries of a post are spread: beyond that it is no news.
pub const SPREAD_MAX: Duration = Duration::from_secs(3_600);

/// Most images of a post: Mastodon drops the rest.
pub const IMAGES_MAX: usize = 4;

impl SourcePolicy {
    /// How posts of the source go out.
    pub fn dispatch(&self) -> Dispatch {
        if self.crisis {
            return Dispatch::at_once(Lane::Crisis);
        }
        Dispatch { lane: Lane::News, spread: self.spread.duration() }
    }
}

impl Default for SourcePolicy {
    fn default() -> Self {
        Self {
            flood_fuse: 10,
            publish_newest: 0,
            missing_alt: MissingAlt::default(),
            approval: false,
            age_max_days: 7,
            retract_on_gone: false,
            gone_after: Span::seconds(2 * 3_600),
            updates_per_day_max: 12,
            merge_edits: Span::seconds(600),
            hosts: Vec::new(),
            crisis: false,
            spread: Span::seconds(0),
        }
    }
}

/// What happens to an image without alternative text.
///
/// A public body in the European Union may not publish it: WCAG 1.1.1 is law there (Directive (EU) 2016/2102, EN 301 549; in
/// the Netherlands the Tijdelijk besluit digitale toegankelijkheid overheid). News is not to wait for it either. So by default
/// the text goes out at once and the image does not; when the source adds the text, the image follows with an Update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingAlt {
    /// The post waits for a person or for the text.
    Hold,
    /// The post goes out with the image, and is flagged; for who is not bound by that law.
    PublishAndFlag,
    /// The post goes out at once without that image, and is flagged.
    #[default]
    DropImage,
}

/// The state in which a post starts, starts again after it changed, or an edit of it starts; and into `content` what the policy
/// makes of it: images dropped, flags for the editors. The first of these that holds decides:
///
/// 1. held: it returned, it changes too often, it came in a flood, it is a draft, an image has no alternative text, the source's
///    posts are approved. These are holds of one post, so the strongest stands first; a release answers all of them.
/// 2. embargoed: the source says until when nothing of it may be seen.
/// 3. scheduled: the source's date is still to come (not for an edit of what is already public), or the edit waits for its
///    embargo or its merging window.
/// 4. ready.
///
/// A hold comes before an embargo, so that nothing unseen goes out when its time comes; [`released`] then keeps the embargo.
pub fn admit(
    content: &mut Content,
    item: &Item,
    decision: &Decision,
    policy: &SourcePolicy,
    now: Timestamp,
) -> PostState {
    // Under embargo the images are not here yet; what the source says of them is.
    let undescribed = match embargo(item, now) {
        Some(_) => item.media.iter().take(IMAGES_MAX).filter(|media| media.alt.is_none()).count(),
        None => judge_images(content, policy.missing_alt),
    };
    let held = match decision.act {
        Act::Return => Some(HoldReason::Returned),
        Act::ReviewEdit => Some(HoldReason::Churn),
        Act::New { flooded: true } => Some(HoldReason::Flood),
        // What was held for its own sake stays so when the source changes it; the rest is judged anew.
        Act::Revise { held } => {
            held.filter(|h| matches!(h, HoldReason::Returned | HoldReason::Churn | HoldReason::Flood))
        }
        _ => None,
    };
    let held = held
        .or_else(|| item.draft.then_some(HoldReason::Draft))
        .or_else(|| (undescribed > 0 && policy.missing_alt == MissingAlt::Hold).then_some(HoldReason::MissingAlt))
        .or_else(|| policy.approval.then_some(HoldReason::Approval));
    match (held, &decision.act) {
        (Some(reason), _) => PostState::Held(reason),
        (None, Act::EditLater { at }) if *at > now => PostState::Scheduled(*at),
        (None, Act::Edit | Act::EditLater { .. } | Act::Merge) => PostState::Ready,
        (None, _) => released(item, now),
    }
}

/// Until when nothing of an item may be seen, if that is still to come.
pub fn embargo(item: &Item, now: Timestamp) -> Option<Timestamp> {
    item.embargo_until.map(Timestamp).filter(|until| *until > now)
}

/// How many images have no alternative text; they are dropped or flagged as the policy says.
pub fn judge_images(content: &mut Content, policy: MissingAlt) -> usize {
    let undescribed = content.images.iter().filter(|image| image.alt.is_none()).count();
    if undescribed == 0 {
        return 0;
    }
    let images = if undescribed == 1 { "1 image".to_owned() } else { format!("{undescribed} images") };
    let flag = match policy {
        MissingAlt::Hold => format!("{images} without alternative text; add it at the source"),
        MissingAlt::PublishAndFlag => format!("{images} published without alternative text; add it at the source"),
        MissingAlt::DropImage => {
            content.images.retain(|image| image.alt.is_some());
            format!("{images} left out: no alternative text at the source")
        }
    };
    if !content.flags.contains(&flag) {
        content.flags.push(flag);
    }
    undescribed
}

/// The state of a post that has no more reason to be held: embargoed or scheduled when its time is still to come, else ready.
pub fn released(item: &Item, now: Timestamp) -> PostState {
    match release_at(item) {
        Some(at) if at > now && item.embargo_until.is_some() => PostState::Embargoed(at),
        Some(at) if at > now => PostState::Scheduled(at),
        _ => PostState::Ready,
    }
}

/// The state of a held post that a person releases. One that was under embargo when it came is finished first: its images were
/// not fetched.
pub fn let_go(item: &Item, now: Timestamp) -> PostState {
    match item.embargo_until {
        Some(until) => PostState::Embargoed(release_at(item).unwrap_or(Timestamp(until))),
        None => released(item, now),
    }
}

/// From when on an item may be seen, as its source says: the later of its date and its embargo.
pub fn release_at(item: &Item) -> Option<Timestamp> {
    item.published_at.max(item.embargo_until).map(Timestamp)
}
