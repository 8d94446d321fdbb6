//! What becomes of an actor: its state, its other accounts, where it moved to (docs/adr/0018-own-hosts-and-continuity.md).
//!
//! What an actor may say follows from its state and from nothing else. One that is being retired needs no proof, because an
//! agency that was dissolved has no domain left to prove; so it gets a capability of its own, which cannot publish:
//!
//! ```compile_fail
//! # use heraut::activity;
//! # use heraut::actor::continuity::RetiringActor;
//! # use heraut::activity::PublishedPost;
//! # use heraut::ids::ActivityId;
//! fn last_post(actor: &RetiringActor, base: &heraut::urls::Base, post: &PublishedPost) -> Vec<u8> {
//!     activity::create(actor, base, post, ActivityId(1)) // a `RetiringActor` is no `VerifiedActor`
//! }
//! ```
//!
//! ```compile_fail
//! # use heraut::actor::{Actor, continuity::RetiringActor};
//! fn by_hand(actor: Actor) -> RetiringActor {
//!     RetiringActor(actor) // its field is private
//! }
//! ```

use std::time::Duration;

use thiserror::Error;

use crate::actor::Actor;
use crate::time::Timestamp;
use crate::urls::{ActorUrl, UrlError};

/// Most other accounts of an actor: GoToSocial reads so many (`reference/federation.md` 1.3).
pub const ALIASES_MAX: usize = 20;
/// Between two moves: Mastodon and GoToSocial do not follow an account that moves again sooner.
pub const MOVE_COOLDOWN: Duration = Duration::from_secs(7 * 86_400);
/// How long the key of a retiring actor stays readable after its Delete has gone out: some peers look at what they took in later.
pub const RETIRING_LINGER: Duration = Duration::from_secs(3_600);

/// Where an actor is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ActorState {
    /// It publishes.
    #[default]
    Active,
    /// It can be read, and takes back what it said; it says nothing new.
    ReadOnly,
    /// Its agency or the operator hides it, for a while.
    Suspended,
    /// Another installation speaks for it, under the same ids.
    HandedOver,
    /// Its Delete is under way to everybody who ever received anything from it. There is no way back.
    Retiring,
    /// It is gone for ever.
    Retired,
}

/// What kind of thing an activity of ours says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    /// A post, or an edit of one.
    News,
    /// Something about the actor itself: Update, Move.
    OfItself,
    /// A yes to somebody who asked: Accept.
    Yes,
    /// What makes less of what is there: Delete, Undo, Reject, Remove.
    Less,
}

impl Speech {
    /// What an activity of that type says; `about_post` tells the Update of a post from that of its actor.
    pub fn of(kind: &str, about_post: bool) -> Self {
        match kind {
            "Delete" | "Undo" | "Reject" | "Remove" => Self::Less,
            "Accept" => Self::Yes,
            "Move" => Self::OfItself,
            "Update" if !about_post => Self::OfItself,
            _ => Self::News,
        }
    }
}

impl ActorState {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Active, Self::ReadOnly, Self::Suspended, Self::HandedOver, Self::Retiring, Self::Retired];

    /// The stable name in the database and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::ReadOnly => "read-only",
            Self::Suspended => "suspended",
            Self::HandedOver => "handed-over",
            Self::Retiring => "retiring",
            Self::Retired => "retired",
        }
    }

    /// The reverse of [`ActorState::name`]. A name that only a later version knows reads as read-only: nothing is said by mistake.
    pub fn from_name(name: &str) -> Self {
        Self::ALL.into_iter().find(|state| state.name() == name).unwrap_or(Self::ReadOnly)
    }

    /// Whether something of that kind may be begun now.
    pub fn may_begin(self, speech: Speech) -> bool {
        match self {
            Self::Active => true,
            Self::ReadOnly => speech != Speech::News,
            other => other.may_send(speech),
        }
    }

    /// Whether something of that kind that is owed may go out now. What was published before an actor became read-only does.
    pub fn may_send(self, speech: Speech) -> bool {
        match self {
            Self::Active | Self::ReadOnly => true,
            Self::Suspended => matches!(speech, Speech::OfItself | Speech::Less),
            Self::Retiring | Self::Retired => speech == Speech::Less,
            Self::HandedOver => false,
        }
    }

    /// Whether replies, reactions and reports of others are taken in.
    pub fn listens(self) -> bool {
        matches!(self, Self::Active | Self::ReadOnly)
    }

    /// Whether what still arrives for it is kept. For one that was handed over inboxes refuse it within a second; what came
    /// before that goes along.
    pub fn takes_in(self) -> bool {
        self.listens() || self == Self::HandedOver
    }

    /// Whether its page and its posts can be read.
    pub fn is_shown(self) -> bool {
        matches!(self, Self::Active | Self::ReadOnly | Self::HandedOver)
    }

    /// Whether it is over, or about to be: there is no way back.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Retiring | Self::Retired)
    }

    /// What it means, for an operator.
    pub fn explain(self) -> &'static str {
        match self {
            Self::Active => "it publishes",
            Self::ReadOnly => "it publishes nothing; `heraut actor resume` lets it go on",
            Self::Suspended => "it is hidden and publishes nothing; `heraut actor resume` lets it go on",
            Self::HandedOver => {
                "another installation speaks for it; `heraut actor resume` takes it back, if that one never did"
            }
            Self::Retiring => "its Delete is on its way to everybody who ever received anything from it",
            Self::Retired => "it is gone for ever",
        }
    }
}

/// What becomes of an actor; the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Continuity {
    /// Its state.
    pub state: ActorState,
    /// Since when it is in that state; zero for one that was always active.
    pub since: Timestamp,
    /// Its other accounts (`alsoKnownAs`), at most [`ALIASES_MAX`]: those that may move here.
    pub aliases: Vec<ActorUrl>,
    /// The account that it moved to.
    pub moved_to: Option<ActorUrl>,
    /// When it last moved, also if that was taken back.
    pub moved_at: Option<Timestamp>,
    /// How many followed when it moved or got its first alias, and when that was.
    pub followers_then: Option<(i64, Timestamp)>,
}

impl Continuity {
    /// Whether nobody new may follow: it moved, or it is not there.
    pub fn is_closed(&self) -> bool {
        self.moved_to.is_some() || !self.state.listens()
    }
}

/// Why an alias is not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AliasError {
    /// It is no id of an actor.
    #[error("{0}; give the id of the other account, for example https://social.example/users/agency")]
    Url(#[from] UrlError),
    /// It is the actor itself.
    #[error("`{0}` is the actor itself")]
    Itself(String),
    /// There are too many.
    #[error("an actor has at most {ALIASES_MAX} other accounts: GoToSocial reads no more")]
    TooMany,
}

/// The other accounts of an actor, each once, in the order given.
pub fn aliases(own: &ActorUrl, texts: &[String]) -> Result<Vec<ActorUrl>, AliasError> {
    let mut read: Vec<ActorUrl> = Vec::new();
    for text in texts {
        let alias = ActorUrl::parse(text)?;
        if alias == *own {
            return Err(AliasError::Itself(text.clone()));
        }
        if !read.contains(&alias) {
            read.push(alias);
        }
    }
    if read.len() > ALIASES_MAX { Err(AliasError::TooMany) } else { Ok(read) }
}

/// Why an actor does not move.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MoveRefused {
    /// To itself.
    #[error("{0} is the actor itself")]
    Itself(String),
    /// The other account does not name it.
    #[error(
        "{target} does not name {actor} in its alsoKnownAs, so no server would believe the move; on that account, add \
         {handle} as an alias first (Mastodon: Preferences, Account, Moving from a different account)"
    )]
    NotNamed {
        /// The other account.
        target: String,
        /// The id of the actor.
        actor: String,
        /// `@name@domain`.
        handle: String,
    },
    /// The other account moved itself.
    #[error("{target} has itself moved to {to}; move there")]
    MovedOn {
        /// The other account.
        target: String,
        /// Where it moved to.
        to: String,
    },
    /// Too soon after the last move.
    #[error("it moved on {moved_at}; Mastodon and GoToSocial follow no second move before {until}")]
    TooSoon {
        /// When.
        moved_at: Timestamp,
        /// When it may move again.
        until: Timestamp,
    },
    /// Its state does not let it.
    #[error("{handle} is {state}: {explain}")]
    State {
        /// `@name@domain`.
        handle: String,
        /// The name of its state.
        state: &'static str,
        /// What that means.
        explain: &'static str,
    },
}

/// Whether an actor may move to an account with these other accounts, which itself moved there.
pub fn may_move(
    actor: &Actor,
    target: &ActorUrl,
    named: &[String],
    moved_on: Option<&ActorUrl>,
    now: Timestamp,
) -> Result<(), MoveRefused> {
    let state = actor.continuity.state;
    if !state.listens() {
        return Err(MoveRefused::State { handle: actor.full_handle(), state: state.name(), explain: state.explain() });
    }
    if *target == actor.url {
        return Err(MoveRefused::Itself(target.to_string()));
    }
    if let Some(moved_at) = actor.continuity.moved_at {
        let until = moved_at.after(MOVE_COOLDOWN);
        if now < until {
            return Err(MoveRefused::TooSoon { moved_at, until });
        }
    }
    if !named.iter().any(|id| id == actor.url.as_str()) {
        return Err(MoveRefused::NotNamed {
            target: target.to_string(),
            actor: actor.url.to_string(),
            handle: actor.full_handle(),
        });
    }
    match moved_on {
        Some(to) => Err(MoveRefused::MovedOn { target: target.to_string(), to: to.to_string() }),
        None => Ok(()),
    }
}

/// An actor that is being retired, or was: it may say Delete, Undo and Reject, and nothing else.
#[derive(Debug, Clone)]
pub struct RetiringActor(Actor);

impl RetiringActor {
    /// The capability of an actor whose state says that it is being retired.
    pub fn of(actor: Actor) -> Option<Self> {
        actor.continuity.state.is_over().then_some(Self(actor))
    }

    /// The actor.
    pub fn actor(&self) -> &Actor {
        &self.0
    }
}

#[cfg(test)]
mod tests;
