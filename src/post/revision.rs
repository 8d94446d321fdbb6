//! New, edited, unchanged, withdrawn or out of order: the decision table of `reference/connectors.md` E4, as values.
//! [`plan`] decides over all items of one poll; [`missing`] and [`gone`] over what is no longer there.
//!
//! What the caller must keep for this to hold: a digest and a version per source and source id, written whenever an item was
//! acted upon (also stored only, merged, held or put off); aliases; and, for [`Act::EditLater`], the item itself, because a
//! source that answers 304 will not say it again.

pub mod absence;
mod digest;
mod table;

#[cfg(test)]
mod tests;

use crate::ids::ItemId;
use crate::post::HoldReason;
use crate::post::policy::SourcePolicy;
use crate::time::Timestamp;

pub use absence::{GoneDecision, Missing, gone, missing};
pub use digest::{Digest, digest};
pub use table::{merge, plan};

/// Where a known item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownState {
    /// Stored and never published: first poll, or too old.
    Baseline,
    /// Its post is held, scheduled or ready.
    Waiting,
    /// Its post is published.
    Live,
    /// Its post was published and then withdrawn.
    Retracted,
    /// Withdrawn before we ever published it, in the last 30 days. So is a draft: systems tell that it is not public each time
    /// that it is saved.
    Tombstone,
}

/// By what an incoming item was recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KnownBy {
    /// Its source id.
    Id,
    /// A source id remembered as an alias.
    Alias,
    /// An id that it takes the place of, as it says itself.
    Alternate,
    /// Its canonical URL, in the same source.
    Url,
    /// Its canonical URL, in another source of the same actor.
    OtherSource,
}

/// What is known of an incoming item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Our item.
    pub item: ItemId,
    /// Where it stands.
    pub state: KnownState,
    /// Digest of the last item that **this source** gave for it, whatever became of it. For [`KnownBy::OtherSource`]: of the
    /// other source's.
    pub digest: Digest,
    /// Version of that item.
    pub source_version: Option<i64>,
    /// By what it was recognised.
    pub by: KnownBy,
    /// Updates sent for its post in the last 24 hours.
    pub edits_today: u32,
    /// When the last update of its post was sent; `None` when there was none.
    pub last_edit_at: Option<Timestamp>,
    /// Why its post is held at the moment, if it is.
    pub held: Option<HoldReason>,
    /// The value that counts of the last item, where it is a state.
    pub value: Option<String>,
    /// From when on the last item could be seen, as its source said.
    pub release_at: Option<Timestamp>,
    /// From when on the last item did not hold any more, as its source said.
    pub expires_at: Option<Timestamp>,
    /// Whether its source never said more of it than that it is withdrawn.
    pub never_said: bool,
    /// Whether its source had it public and no post was ever made of it: it was there before the first poll, or too old then. People
    /// may have seen it at the source, so when it comes back a person decides.
    pub stood_there: bool,
    /// Whether a person here withdrew it. Then the source may still list it, and only a change of the text is a return.
    pub withdrawn_here: bool,
}

/// What holds for all items of one poll or push.
#[derive(Debug, Clone, Copy)]
pub struct Poll<'a> {
    /// First successful poll of the source: store, publish nothing but the newest few.
    pub baseline: bool,
    /// Now.
    pub now: Timestamp,
    /// The source's policy.
    pub policy: &'a SourcePolicy,
    /// How many items were new lately and count for the flood fuse too: a source that is pushed sends them one by one.
    pub new_before: u32,
}

/// Why a new item is stored and not published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreReason {
    /// It was there at the first poll.
    Baseline,
    /// It is older than the policy's age limit.
    TooOld,
    /// It is a state, which is news only when it changes.
    State,
    /// It no longer holds.
    Expired,
}

/// Why an item is not taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RefuseReason {
    /// Its page is on a host that the policy does not list.
    Host(String),
    /// It has no title, text or image.
    Empty,
}

/// What becomes of an incoming item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Unknown, or a state that was known and never published: store it and make a post.
    New {
        /// More new items came than the flood fuse lets through: hold it.
        flooded: bool,
    },
    /// Store it, and its digest and version; no post.
    StoreOnly(StoreReason),
    /// The post is public and the text differs: send an Update.
    Edit,
    /// As [`Act::Edit`], but the last update is too fresh: keep the item and send it at that time, unless a newer one comes.
    EditLater {
        /// When.
        at: Timestamp,
    },
    /// As [`Act::Edit`], but the post changed too often today: a person looks first.
    ReviewEdit,
    /// The post waits and the text differs: replace it, and review it again.
    Revise {
        /// Why it was held.
        held: Option<HoldReason>,
    },
    /// The same page came from another source of the actor: no second post. Store this source's item with the same post,
    /// and edit the post if [`merge`] says more than the post does.
    Merge,
    /// Nothing changed.
    Same,
    /// The state that it has is not known yet, though it is published: store the item, and nothing else.
    Remember,
    /// Another item of this poll, at that index, is the same one and newer.
    Duplicate {
        /// Index of the other.
        of: usize,
    },
    /// Older than what we know.
    OutOfOrder,
    /// The post is public: send a Delete.
    Retract,
    /// The post waits: withdraw it, nothing is sent.
    Cancel,
    /// Never published: remember for 30 days that it is withdrawn.
    Tombstone,
    /// It was withdrawn and comes back: make a new post under a new id, held until a person confirms.
    Return,
    /// Not taken in.
    Refuse(RefuseReason),
}

/// What becomes of an incoming item, and whether its source id must be remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What becomes of it.
    pub act: Act,
    /// Remember the incoming `source_id` as an alias of the known item (of the other item for [`Act::Duplicate`]).
    pub add_alias: bool,
}
