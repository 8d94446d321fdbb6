//! Collections below an actor.

use serde_json::Value;

use crate::actor::Actor;
use crate::ids::PostId;
use crate::urls::Base;

/// Create activities on one page of an outbox.
pub const OUTBOX_PAGE_ITEMS_MAX: usize = 20;

/// Which page of an outbox: newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutboxPage {
    /// The newest posts.
    First,
    /// Posts older than this one.
    Before(PostId),
    /// The oldest posts.
    Last,
}

impl OutboxPage {
    /// Reads the value of `page` in the query of an outbox URL: `first`, `last`, or `before-<n>`.
    pub fn read(page: &str) -> Option<Self> {
        match page {
            "first" => Some(Self::First),
            "last" => Some(Self::Last),
            other => other.strip_prefix("before-")?.parse().ok().map(Self::Before),
        }
    }

    fn query(self) -> String {
        match self {
            Self::First => "page=first".to_owned(),
            Self::Last => "page=last".to_owned(),
            Self::Before(id) => format!("page=before-{id}"),
        }
    }
}

/// The outbox (ActivityPub §5.1): how many posts there are and where to begin; the items are on its pages.
pub fn outbox(actor: &Actor, base: &Base, total: u64) -> Value {
    let _ = (actor, base, total);
    todo!()
}

/// One page of the outbox. `creates` are the stored bytes of the Create activities, newest first, at most
/// [`OUTBOX_PAGE_ITEMS_MAX`]; `older` is the oldest post on the page if there are older ones.
pub fn outbox_page(actor: &Actor, base: &Base, page: OutboxPage, creates: &[Vec<u8>], older: Option<PostId>) -> Value {
    let _ = (actor, base, page, creates, older);
    todo!()
}

/// Followers: only how many; who they are is nobody's business.
pub fn followers(actor: &Actor, base: &Base, total: u64) -> Value {
    let _ = (actor, base, total);
    todo!()
}

/// Following: our actors follow nobody.
pub fn following(actor: &Actor, base: &Base) -> Value {
    let _ = (actor, base);
    todo!()
}

/// Pinned posts, by id.
pub fn featured(actor: &Actor, base: &Base, posts: &[PostId]) -> Value {
    let _ = (actor, base, posts);
    todo!()
}
