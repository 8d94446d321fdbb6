//! A post: what an agency says, that is the item after policy. Pure.
//!
//! States and their edges (`held` and `scheduled` may also be revised in place, then review starts again):
//!
//! | from | to | by |
//! |---|---|---|
//! | – | held, scheduled, ready | policy, on a new item |
//! | held | ready | `heraut post release`, or by itself when its reason has gone |
//! | held, scheduled | withdrawn | the source retracts it before it was published |
//! | scheduled | ready | its time has come |
//! | ready | published | `flow::publish`, with a `VerifiedActor` |
//! | ready | held | the actor has no proof that holds |
//! | published | withdrawn | the source retracts it |

pub mod compose;
pub mod lane;
pub mod picture;
pub mod policy;
pub mod revision;
pub mod sanitize;
pub mod template;
pub mod text;

use serde::{Deserialize, Serialize};

use crate::actor::Language;
use crate::ids::MediaId;
use crate::post::sanitize::SafeHtml;
use crate::time::Timestamp;

/// Why a post waits, and so what would release it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldReason {
    /// More new items came in one poll than the flood fuse lets through; a person releases it.
    Flood,
    /// An image has no alternative text and the source's policy is to hold; a person releases it, or the source adds the text.
    MissingAlt,
    /// The source's policy wants a person to approve each post.
    Approval,
    /// The actor has no proof that holds; it resumes by itself when the proof holds again.
    Unverified,
    /// An item that was withdrawn came back; a person confirms that it is to be said again, under a new id.
    Returned,
    /// It changed more often in a day than the source's policy lets through; a person releases it.
    Churn,
    /// Its author says that it is not finished; the author publishes it, or a person releases it.
    Draft,
}

impl HoldReason {
    /// What the post waits for, as one English sentence for an operator.
    pub fn explain(self) -> &'static str {
        match self {
            Self::Flood => {
                "more new items came at once than the flood fuse allows; look at them and run `heraut post release`"
            }
            Self::MissingAlt => "an image has no alternative text; add it at the source, or run `heraut post release`",
            Self::Approval => "this source's posts are approved by a person; run `heraut post release`",
            Self::Unverified => {
                "the actor has no proof that holds; it resumes by itself when `heraut actor verify` finds one"
            }
            Self::Returned => {
                "an item that was withdrawn came back; run `heraut post release` to publish it as a new post"
            }
            Self::Churn => "it changed too often today; look at it and run `heraut post release`",
            Self::Draft => "it is a draft; its author publishes it, or you run `heraut post release`",
        }
    }

    /// The stable name in the database and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flood => "flood",
            Self::MissingAlt => "missing_alt",
            Self::Approval => "approval",
            Self::Unverified => "unverified",
            Self::Returned => "returned",
            Self::Churn => "churn",
            Self::Draft => "draft",
        }
    }

    /// The reverse of [`HoldReason::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Flood, Self::MissingAlt, Self::Approval, Self::Unverified, Self::Returned, Self::Churn, Self::Draft]
            .into_iter()
            .find(|r| r.name() == name)
    }
}

/// Where a post is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostState {
    /// Waits for a person, or for a proof.
    Held(HoldReason),
    /// Waits for its time.
    Scheduled(Timestamp),
    /// Its source says that nothing of it may be seen until then: no image of it is fetched before. Then it is finished, and ready.
    Embargoed(Timestamp),
    /// To be published at once.
    Ready,
    /// Public since then.
    Published(Timestamp),
    /// Taken back then. Terminal: the id is never used again.
    Withdrawn(Timestamp),
}

/// A hashtag: the name without `#`, CamelCase for screen readers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hashtag(pub String);

/// An image that we fetched, checked and serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Our file.
    pub id: MediaId,
    /// Where the source has it.
    pub source_url: String,
    /// `image/jpeg`, `image/png`, `image/webp` or `image/gif`, as found in the bytes.
    pub media_type: String,
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// BlurHash, 6 to 164 characters.
    pub blurhash: String,
    /// Alternative text, at most 1,500 characters; `None` when the source gave none.
    pub alt: Option<String>,
    /// SHA-256 of the file, lower-case hex.
    pub sha256: String,
}

/// What a post says, composed: everything that a Note needs but its ids and dates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Title of the item, plain text: for lists and pages, not on the wire.
    pub title: Option<String>,
    /// The whole text as it is sent, link and hashtags included.
    pub html: SafeHtml,
    /// Language of the text.
    pub language: Language,
    /// The source article.
    pub link: Option<String>,
    /// Hashtags that stand in the text.
    pub hashtags: Vec<Hashtag>,
    /// At most four images (Mastodon drops the rest).
    pub images: Vec<Image>,
    /// Content warning: plain text of one line; then the post is sensitive.
    pub warning: Option<String>,
    /// Flags for the editors, for example that an image went out without alternative text.
    pub flags: Vec<String>,
}
