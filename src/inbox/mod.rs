//! What others say to us: bytes → [`Incoming`] → effects. Pure; nothing here fetches, stores or answers.
//!
//! JSON is read as plain JSON with known shapes, never as JSON-LD: no context is processed. What an activity embeds is believed
//! only if it belongs to the actor who sent it; of anything else only the id is kept, to be fetched from its origin. Nothing
//! is read here before the signature has been verified, except by [`read::deletes_its_actor`].

pub mod decide;
mod effect;
mod json;
mod note;
pub mod read;
pub mod remote;

use heraut_connectors::item::RawHtml;
use serde_json::Value;
use thiserror::Error;

use crate::time::Timestamp;
use crate::urls::{ActivityUrl, ActorUrl, ObjectUrl};

/// Largest inbox body, in bytes (Mastodon: 1 MB).
pub const INBOX_BODY_BYTES_MAX: usize = 1024 * 1024;
/// Deepest nesting of arrays and objects in an inbox body.
pub const JSON_DEPTH_MAX: usize = 32;
/// Most entries that are read of `to`, `cc`, `tag`, `attachment` or of the objects of a Flag.
pub const ENTRIES_MAX: usize = 256;
/// Longest name, tag or media type that is kept, in characters; longer ones are cut.
pub const NAME_CHARS_MAX: usize = 512;
/// Longest content that is kept, in bytes; longer content is refused.
pub const CONTENT_BYTES_MAX: usize = 256 * 1024;

/// An activity whose sender is known: the signer's key belongs to `actor`, and its ids are on that actor's host.
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming {
    /// Its id, by which it is remembered; some peers send none.
    pub id: Option<ActivityUrl>,
    /// Who sent it: the owner of the key that signed.
    pub actor: ActorUrl,
    /// What it says.
    pub kind: IncomingKind,
    /// The whole activity, for what answers embed.
    pub raw: Value,
}

impl Incoming {
    /// A text that was fetched from its origin, as if its author had just sent it.
    pub fn fetched(note: NoteIn) -> Self {
        let actor = note.attributed_to.clone();
        Self { id: None, actor, kind: IncomingKind::Create(Said::Note(Box::new(note))), raw: Value::Null }
    }
}

/// What an activity says.
#[derive(Debug, Clone, PartialEq)]
pub enum IncomingKind {
    /// Wants to follow.
    Follow {
        /// The actor to be followed.
        object: ActorUrl,
    },
    /// Takes something back.
    Undo(Undone),
    /// Says something.
    Create(Said),
    /// Says something anew.
    Update(Updated),
    /// Takes an object, or itself, away.
    Delete {
        /// The object; equal to the sender when an account is deleted.
        object: ObjectUrl,
    },
    /// Likes; Misskey sends its emoji as `content`.
    Like {
        /// What is liked.
        object: ObjectUrl,
        /// The emoji, at most [`NAME_CHARS_MAX`] characters.
        content: Option<String>,
    },
    /// Reacts with an emoji (Pleroma, Akkoma).
    EmojiReact {
        /// What is reacted to.
        object: ObjectUrl,
        /// The emoji.
        content: String,
    },
    /// Boosts.
    Announce {
        /// What is boosted.
        object: ObjectUrl,
    },
    /// Blocks one of our actors.
    Block {
        /// The blocked actor.
        object: ActorUrl,
    },
    /// Has moved; the target must name the sender in `alsoKnownAs` before it is believed.
    Move {
        /// Who moves: the sender.
        object: ActorUrl,
        /// Where to.
        target: ActorUrl,
    },
    /// Asks whether it may quote (FEP-044f).
    QuoteRequest {
        /// Our post.
        object: ObjectUrl,
        /// The quoting post.
        instrument: ObjectUrl,
        /// What is known of the quoting post.
        seen: QuoteSeen,
    },
    /// Reports. Only the moderation desk sees it.
    Flag {
        /// Reported actors and posts, as sent.
        objects: Vec<String>,
        /// What the reporter wrote, plain text.
        content: Option<String>,
    },
    /// Accepts something of ours.
    Accept {
        /// Its id, where given.
        object: Option<String>,
    },
    /// Rejects something of ours.
    Reject {
        /// Its id, where given.
        object: Option<String>,
    },
    /// Of a type that we do not act on.
    Unknown(String),
}

/// What is known of a post that wants to quote: an authorization is bound to it, so it must be the sender's and quote that post of
/// ours and no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuoteSeen {
    /// Only its id, on the sender's host.
    IdAlone,
    /// It is by the sender and quotes our post.
    Fits,
    /// It is by somebody else, or quotes something else.
    Contradicts,
}

impl QuoteSeen {
    /// What a quoting post shows, as its own server gives it: who wrote it and what it quotes.
    pub fn of(note: &NoteIn, sender: &ActorUrl, quoted: &ObjectUrl) -> Self {
        if note.attributed_to == *sender && note.quote.as_ref() == Some(quoted) {
            Self::Fits
        } else {
            Self::Contradicts
        }
    }
}

/// What an Undo takes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undone {
    /// Id of the undone activity.
    pub id: Option<ActivityUrl>,
    /// What it was.
    pub kind: UndoneKind,
}

/// The kind of activity that is undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UndoneKind {
    /// A Follow of this actor.
    Follow {
        /// The followed actor, where given.
        object: Option<ActorUrl>,
    },
    /// A Like or EmojiReact.
    Like {
        /// What was liked, where given.
        object: Option<ObjectUrl>,
    },
    /// A boost.
    Announce {
        /// What was boosted, where given.
        object: Option<ObjectUrl>,
    },
    /// A block.
    Block {
        /// Who was blocked, where given.
        object: Option<ActorUrl>,
    },
    /// Only the id is given: look it up.
    ById,
    /// Of a type that we do not act on.
    Other(String),
}

/// The object of a Create.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// A Note (or Question, Article, Page …) by the sender.
    Note(Box<NoteIn>),
    /// Only an id, or an object of another host, which is not believed: fetch it from there.
    Elsewhere(ObjectUrl),
    /// An object that is no text.
    Other(String),
}

/// The object of an Update.
#[derive(Debug, Clone, PartialEq)]
pub enum Updated {
    /// A Note by the sender.
    Note(Box<NoteIn>),
    /// The sender itself: fetch its document again.
    Actor,
    /// Only an id: fetch it.
    Elsewhere(ObjectUrl),
    /// An object that is no text.
    Other(String),
}

/// Who may see a note (`reference/federation.md` 2.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    /// Everyone, in listings too: `to` has the public collection.
    Public,
    /// Everyone, outside listings: `cc` has it.
    Unlisted,
    /// Followers of its author.
    Followers,
    /// Those who are addressed.
    Direct,
}

impl Visibility {
    /// Whether it may be shown publicly. What is not may never be, by nobody's switch.
    pub fn is_public(self) -> bool {
        matches!(self, Self::Public | Self::Unlisted)
    }

    /// The stable name in the database and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Unlisted => "unlisted",
            Self::Followers => "followers",
            Self::Direct => "direct",
        }
    }

    /// The reverse of [`Visibility::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Public, Self::Unlisted, Self::Followers, Self::Direct].into_iter().find(|v| v.name() == name)
    }
}

/// A mention in a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MentionIn {
    /// Id of the mentioned actor, as sent.
    pub href: String,
    /// `@name@domain`, as sent.
    pub name: String,
}

/// A file of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachmentIn {
    /// Where it is; http(s).
    pub url: String,
    /// Media type, as sent.
    pub media_type: String,
    /// Alternative text.
    pub name: Option<String>,
}

/// A text by a remote actor. All of it is untrusted.
#[derive(Debug, Clone, PartialEq)]
pub struct NoteIn {
    /// Its id, on the author's host.
    pub id: ObjectUrl,
    /// Its type on the wire: Note, Question, Article, Page …
    pub kind: String,
    /// Its author.
    pub attributed_to: ActorUrl,
    /// What it answers.
    pub in_reply_to: Option<ObjectUrl>,
    /// The text, unsanitised, at most [`CONTENT_BYTES_MAX`].
    pub content: RawHtml,
    /// Its language: the key of `contentMap` whose value is the content, else the first.
    pub language: Option<String>,
    /// When it was published.
    pub published: Option<Timestamp>,
    /// When it was last edited.
    pub updated: Option<Timestamp>,
    /// Primary audience, as sent.
    pub to: Vec<String>,
    /// Secondary audience, as sent.
    pub cc: Vec<String>,
    /// Who is mentioned.
    pub mentions: Vec<MentionIn>,
    /// Hashtags without `#`.
    pub tags: Vec<String>,
    /// Files.
    pub attachments: Vec<AttachmentIn>,
    /// Its page; http(s).
    pub url: Option<String>,
    /// Content warning, plain text.
    pub summary: Option<String>,
    /// Who may see it.
    pub visibility: Visibility,
    /// What it quotes.
    pub quote: Option<ObjectUrl>,
}

/// Why an activity is not accepted. [`InboxError::status`] is what to answer.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InboxError {
    /// Larger than [`INBOX_BODY_BYTES_MAX`].
    #[error("the body has {0} bytes; at most {INBOX_BODY_BYTES_MAX} are read")]
    TooLarge(usize),
    /// Deeper than [`JSON_DEPTH_MAX`].
    #[error("the JSON is nested deeper than {JSON_DEPTH_MAX}")]
    TooDeep,
    /// Not JSON, or not an object.
    #[error("the body is not a JSON object: {0}")]
    NotJson(String),
    /// A keyword that can rearrange a JSON-LD document.
    #[error("the JSON has the key `{0}`, which is not read: it can rearrange what was signed")]
    Keyword(&'static str),
    /// A property is missing or of the wrong shape.
    #[error("the activity's `{0}` is missing or not of a shape that is read")]
    Shape(&'static str),
    /// The signer is not the sender.
    #[error("the activity says that it is by {actor}, but {owner} signed it")]
    NotTheSigner {
        /// Sender claimed.
        actor: String,
        /// Owner of the key.
        owner: String,
    },
    /// An id is not on the sender's host.
    #[error("{id} is not on the host of {actor}, who sent it")]
    ForeignId {
        /// The id.
        id: String,
        /// The sender.
        actor: String,
    },
    /// The object says that somebody else wrote it.
    #[error("{id} says that {author} wrote it, who did not send it")]
    ForeignAuthor {
        /// The object.
        id: String,
        /// The author claimed.
        author: String,
    },
}

impl InboxError {
    /// The HTTP status to answer (`reference/federation.md` 3.2). Never 410: peers would take the whole host for gone.
    pub fn status(&self) -> u16 {
        match self {
            Self::TooLarge(_) => 413,
            Self::NotTheSigner { .. } => 401,
            Self::ForeignId { .. } | Self::ForeignAuthor { .. } => 403,
            Self::TooDeep | Self::NotJson(_) | Self::Keyword(_) | Self::Shape(_) => 400,
        }
    }
}
