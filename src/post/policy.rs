//! What a source may do by itself.

use heraut_connectors::item::Item;
use serde::{Deserialize, Serialize};

use crate::post::revision::Decision;
use crate::post::{Content, PostState};
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
        }
    }
}

/// What happens to an image without alternative text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MissingAlt {
    /// The post waits for a person or for the text.
    Hold,
    /// The post goes out with the image, and is flagged.
    PublishAndFlag,
    /// The post goes out at once without that image, and is flagged.
    #[default]
    DropImage,
}

/// The state in which a post starts, or starts again after an edit.
pub fn admit(
    content: &mut Content,
    item: &Item,
    decision: &Decision,
    policy: &SourcePolicy,
    now: Timestamp,
) -> PostState {
    let _ = (content, decision, policy);
    released(item, now)
}

/// The state of a post that a person released: scheduled when its time is still to come.
pub fn released(item: &Item, now: Timestamp) -> PostState {
    match item.published_at.map(Timestamp) {
        Some(at) if at > now => PostState::Scheduled(at),
        _ => PostState::Ready,
    }
}
