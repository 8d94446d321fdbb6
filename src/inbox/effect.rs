//! What there is to do about an activity.

use serde_json::Value;

use crate::ids::{ActorId, MessageId, PostId, RelayId};
use crate::inbox::NoteIn;
use crate::urls::{ActivityUrl, ActorUrl, ObjectUrl};

/// A kind of reaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReactionKind {
    /// A like.
    Like,
    /// A like with an emoji.
    Emoji(String),
    /// A boost.
    Boost,
    /// A quote.
    Quote,
}

impl ReactionKind {
    /// The stable name in the database and in JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Like => "like",
            Self::Emoji(_) => "emoji",
            Self::Boost => "boost",
            Self::Quote => "quote",
        }
    }
}

/// How a QuoteRequest is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuoteAnswer {
    /// Accept, with an authorization.
    Accept,
    /// A person answers.
    Ask,
    /// Reject.
    Reject,
}

/// Something to do. Effects of one activity are done in one transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Store the follower and answer with Accept; a second Follow is normal and is answered again.
    AddFollower {
        /// Our actor.
        actor: ActorId,
        /// Who follows.
        follower: ActorUrl,
        /// The Follow, for the Accept.
        follow: Value,
    },
    /// Answer with Reject, and remove the follower if it is one.
    RejectFollower {
        /// Our actor.
        actor: ActorId,
        /// Who wanted to follow.
        follower: ActorUrl,
        /// The Follow, for the Reject.
        follow: Value,
    },
    /// It follows no more.
    RemoveFollower {
        /// Our actor.
        actor: ActorId,
        /// Who followed.
        follower: ActorUrl,
    },
    /// Keep a message for webcare.
    StoreMessage {
        /// The message; its visibility says whether it may ever be shown publicly.
        note: Box<NoteIn>,
        /// Our actors whom it concerns; not empty.
        actors: Vec<ActorId>,
        /// Our post that it is about: the answered one, or the one that its conversation began with.
        post: Option<PostId>,
        /// The kept message that it answers.
        parent: Option<MessageId>,
        /// It must never be shown publicly or republished.
        never_public: bool,
    },
    /// A kept message was edited by its author.
    UpdateMessage {
        /// The message.
        message: MessageId,
        /// How it is now.
        note: Box<NoteIn>,
        /// It must never be shown publicly or republished.
        never_public: bool,
    },
    /// A kept message was deleted by its author.
    DeleteMessage {
        /// The message.
        message: MessageId,
        /// Its id there, which never comes back.
        object: ObjectUrl,
    },
    /// Count a reaction; one per kind, post and actor.
    AddReaction {
        /// Which.
        kind: ReactionKind,
        /// To which post.
        post: PostId,
        /// By whom.
        by: ActorUrl,
        /// Id of the activity, for its Undo.
        activity: Option<ActivityUrl>,
    },
    /// Take back a reaction: by the id of its activity, else by kind, post and actor. Nothing of anybody else's is touched.
    RemoveReaction {
        /// Id of the undone activity.
        activity: Option<ActivityUrl>,
        /// Which kind: [`ReactionKind::Like`] stands for emoji too.
        kind: ReactionKind,
        /// To which post, where given.
        post: Option<PostId>,
        /// By whom.
        by: ActorUrl,
    },
    /// Take back whatever of the sender's has this id: a follower's Follow or a reaction.
    RemoveByActivity {
        /// Id of the undone activity.
        activity: ActivityUrl,
        /// By whom.
        by: ActorUrl,
    },
    /// The account is gone: remove its followings, reactions, messages and cached document.
    RemoveActorTraces {
        /// Who.
        actor: ActorUrl,
    },
    /// It blocked us: send it nothing any more.
    BlockFollower {
        /// Our actor.
        actor: ActorId,
        /// Who blocks.
        follower: ActorUrl,
    },
    /// Fetch its document again.
    RefreshActor {
        /// Who.
        actor: ActorUrl,
    },
    /// Fetch an object from its origin, and read it as if its author had sent it.
    FetchObject {
        /// Its id.
        object: ObjectUrl,
    },
    /// Answer a QuoteRequest.
    AnswerQuote {
        /// Our post.
        post: PostId,
        /// The actor that said it.
        actor: ActorId,
        /// The quoting post.
        instrument: ObjectUrl,
        /// Who asks.
        by: ActorUrl,
        /// How.
        answer: QuoteAnswer,
        /// The request, for the answer.
        request: Value,
    },
    /// A report, for the moderation desk; it is never answered publicly.
    RecordReport {
        /// Who reports (Mastodon: its instance actor).
        by: ActorUrl,
        /// Our actors that are reported.
        actors: Vec<ActorId>,
        /// Our posts that are reported.
        posts: Vec<PostId>,
        /// What the reporter wrote.
        text: Option<String>,
    },
    /// A relay answered our Follow.
    RelayAnswered {
        /// Which.
        relay: RelayId,
        /// Its actor.
        by: ActorUrl,
        /// Whether it said yes.
        accepted: bool,
        /// Why not.
        reason: Option<String>,
    },
    /// A relay that we asked follows us: that is to be answered.
    RelayFollows {
        /// Which.
        relay: RelayId,
        /// Its Follow.
        follow: Value,
    },
    /// Nothing to do.
    Ignore(IgnoreReason),
}

/// Why nothing is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IgnoreReason {
    /// It concerns nothing of ours.
    NotAboutUs,
    /// The sender is blocked.
    Blocked,
    /// A type that we do not act on.
    Type,
    /// What it deletes, edits or takes back is not here.
    Unknown,
    /// What it concerns is not the sender's.
    NotTheirs,
    /// It concerns a post that is withdrawn or not public.
    NotPublic,
}

impl IgnoreReason {
    /// For logs and counters.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotAboutUs => "not_about_us",
            Self::Blocked => "blocked",
            Self::Type => "type",
            Self::Unknown => "unknown",
            Self::NotTheirs => "not_theirs",
            Self::NotPublic => "not_public",
        }
    }
}
