//! Decides and carries out what inbound activities mean, inside the transaction that stores them: what was known when it was
//! decided is what is there when it is done.

pub mod quotes;
mod relays;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use crate::activity;
use crate::actor::Actor;
use crate::actor::verification::VerifiedActor;
use crate::flow::Gateway;
use crate::flow::mint::Mint;
use crate::flow::receive;
use crate::flow::remote::{self, Signer};
use crate::flow::verify::with_causes;
use crate::ids::{ActivityId, ActorId, FollowerId, InboxId, MessageId, ReactionId};
use crate::inbox::decide::{Effect, IgnoreReason, ReactionKind, decide, names};
use crate::inbox::remote::RemoteActor;
use crate::inbox::{Incoming, NoteIn};
use crate::post::sanitize::sanitize;
use crate::signature::{Scheme, SigningIdentity, integrity};
use crate::store::activities::{self, ActivityRow};
use crate::store::deliveries::{self, Answer};
use crate::store::followers::{self, FollowerRow};
use crate::store::host_signatures::{self, ShownBy};
use crate::store::messages::{self, MessageRow};
use crate::store::reactions::{self, ReactionRow};
use crate::store::{Db, Queried, actors, audit, inboxes, proofs, remote as remote_store};
use crate::time::Timestamp;
use crate::urls::{Base, InboxUrl};

/// An activity that arrived.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// The id to remember against replays.
    pub id: Option<String>,
    /// A remote object that it deletes.
    pub deleted: Option<String>,
    /// What it means.
    pub meaning: Meaning,
    /// Who sent it.
    pub sender: Arc<Signer>,
    /// What its server showed by the signature, if that is to be noted.
    pub shown: Option<Scheme>,
}

/// What an activity means.
#[derive(Debug, Clone)]
pub enum Meaning {
    /// That is decided with what is in the database when it is stored.
    Open(Box<Incoming>),
    /// That had to be decided before, because something was fetched for it.
    Decided(Vec<Effect>),
}

/// An effect that needed a look elsewhere before it could be committed is looked after here; what proves wrong is dropped.
pub async fn refresh(gateway: &Gateway, effects: &mut Vec<Effect>) {
    let mut kept = Vec::with_capacity(effects.len());
    for effect in effects.drain(..) {
        match &effect {
            Effect::RefreshActor { actor } => {
                if let Err(error) = remote::actor(gateway, actor, true).await {
                    tracing::info!(remote.actor = %actor, error = with_causes(&error), "a changed actor cannot be fetched");
                }
            }
            _ => kept.push(effect),
        }
    }
    *effects = kept;
}

/// Carries out what arrived, in order; `base` reads what was minted under every root of ours. Inside the caller's transaction. Nothing is done twice.
pub fn carry_out<'a>(
    db: &mut Db<'_>,
    gateway: &Gateway,
    base: &Base,
    at: Timestamp,
    arrivals: impl Iterator<Item = &'a Arrival>,
) -> Queried<()> {
    let mut seen = Seen::default();
    let mut shown = BTreeMap::new();
    for arrival in arrivals {
        if let Some(scheme) = arrival.shown {
            shown.insert(arrival.sender.actor.url.authority(), scheme);
        }
        if let Some(fetched_at) = arrival.sender.to_be_stored() {
            remote_store::upsert(db, &arrival.sender.actor, fetched_at)?;
        }
        let mint = gateway.mint.as_ref();
        Desk { db, gateway, base, mint, at, sender: &arrival.sender.actor, seen: &mut seen }.take(arrival)?;
    }
    // At the end and all at once: places in line first and rows of inboxes after, as everybody locks them.
    if !seen.answers.is_empty() {
        deliveries::owe_answers(db, &seen.answers, at)?;
    }
    for (host, scheme) in shown {
        host_signatures::note(db, &host, scheme, ShownBy::Request, at)?;
    }
    // A valid signature shows that the host is back: what is owed to it need not wait for its turn.
    let mut hosts: Vec<String> = seen.hosts.into_iter().collect();
    hosts.sort_unstable();
    hosts.iter().try_for_each(|host| inboxes::revive_host(db, host, at).map(|_| ()))
}

/// What the arrivals of one transaction share, so that it is looked up once.
#[derive(Default)]
struct Seen {
    hosts: HashSet<String>,
    actors: HashMap<ActorId, Option<Rc<Actor>>>,
    identities: HashMap<ActorId, Option<Rc<SigningIdentity>>>,
    inboxes: HashMap<String, InboxId>,
    /// What our actors answer, and to which inbox.
    answers: Vec<Answer>,
}

/// What the effects of one arrival share inside the transaction.
struct Desk<'a, 'c> {
    db: &'a mut Db<'c>,
    gateway: &'a Gateway,
    base: &'a Base,
    at: Timestamp,
    sender: &'a RemoteActor,
    mint: &'a Mint,
    seen: &'a mut Seen,
}

impl Desk<'_, '_> {
    fn take(&mut self, arrival: &Arrival) -> Queried<()> {
        self.seen.hosts.insert(self.sender.url.authority());
        if let Some(id) = &arrival.id
            && !remote_store::first_seen(self.db, id, self.at)?
        {
            return Ok(());
        }
        let now_decided;
        let decided = match &arrival.meaning {
            Meaning::Decided(effects) => effects,
            Meaning::Open(incoming) => {
                let known = receive::known(self.db, &names(incoming, self.base), incoming)?;
                now_decided = decide(incoming, self.base, &known);
                &now_decided
            }
        };
        if let Some(object) = &arrival.deleted
            && !decided.contains(&Effect::Ignore(IgnoreReason::NotTheirs))
        {
            remote_store::note_deleted(self.db, object, self.at)?;
            // A post that quoted ours is remembered as a reaction by its own id.
            reactions::remove_by_activity(self.db, object, self.sender.url.as_str())?;
            crate::store::quotes::forget(self.db, object, self.sender.url.as_str())?;
        }
        decided.iter().try_for_each(|effect| self.apply(effect))
    }

    /// One of our actors.
    fn own(&mut self, id: ActorId) -> Queried<Option<Rc<Actor>>> {
        if let Some(known) = self.seen.actors.get(&id) {
            return Ok(known.clone());
        }
        let found = actors::by_id(self.db, id)?.map(Rc::new);
        self.seen.actors.insert(id, found.clone());
        Ok(found)
    }

    /// Who signs for one of our actors, if its proof holds and its key can be opened.
    fn identity(&mut self, id: ActorId) -> Queried<Option<Rc<SigningIdentity>>> {
        if let Some(known) = self.seen.identities.get(&id) {
            return Ok(known.clone());
        }
        let mut found = None;
        if let Some(own) = self.own(id)? {
            let proof = proofs::of_actor(self.db, id)?;
            let verified = VerifiedActor::prove((*own).clone(), &proof, &self.gateway.settings.proof_times, self.at);
            if let Ok(verified) = verified {
                let rows = actors::keys(self.db, Some(id))?;
                let identity = self.gateway.keyring.identity(&verified, &rows).inspect_err(|error| {
                    tracing::error!(
                        error = error as &dyn std::error::Error,
                        "an answer goes without an integrity proof"
                    );
                });
                found = identity.ok().map(Rc::new);
            }
        }
        self.seen.identities.insert(id, found.clone());
        Ok(found)
    }

    fn apply(&mut self, effect: &Effect) -> Queried<()> {
        match effect {
            Effect::AddFollower { .. }
            | Effect::RejectFollower { .. }
            | Effect::RemoveFollower { .. }
            | Effect::BlockFollower { .. }
            | Effect::RemoveActorTraces { .. } => self.apply_to_followers(effect),
            Effect::StoreMessage { note, actors, post, .. } => {
                actors.iter().try_for_each(|actor| self.store_message(note, *actor, *post))
            }
            Effect::UpdateMessage { note, .. } => {
                let html = sanitize(&note.content, None);
                let at = note.updated.unwrap_or(self.at);
                messages::edit(self.db, note.id.as_str(), note.attributed_to.as_str(), html.as_str(), at).map(|_| ())
            }
            Effect::DeleteMessage { object, .. } => {
                messages::delete(self.db, object.as_str(), self.sender.url.as_str(), self.at).map(|_| ())
            }
            Effect::AddReaction { .. } | Effect::RemoveReaction { .. } | Effect::RemoveByActivity { .. } => {
                self.apply_to_reactions(effect)
            }
            Effect::AnswerQuote { .. } => self.answer_quote(effect),
            Effect::RelayAnswered { .. } | Effect::RelayFollows { .. } => self.hear_relay(effect),
            Effect::RecordReport { by, actors, posts, text } => {
                let detail = format!("actors {actors:?}, posts {posts:?}: {}", text.clone().unwrap_or_default());
                self.note(by.as_str(), "report.received", "desk".to_owned(), detail)
            }
            Effect::RefreshActor { .. } | Effect::FetchObject { .. } => Ok(()), // done before the transaction
            Effect::Ignore(reason) => {
                tracing::debug!(remote.actor = %self.sender.url, reason = reason.name(), "an activity was ignored");
                Ok(())
            }
        }
    }

    fn apply_to_followers(&mut self, effect: &Effect) -> Queried<()> {
        match effect {
            Effect::AddFollower { actor, follower, follow } => {
                let inbox_id = self.delivery_inbox(self.sender)?;
                let follow_id = follow.get("id").and_then(serde_json::Value::as_str).map(ToOwned::to_owned);
                let row = FollowerRow {
                    id: FollowerId(self.mint.next()),
                    actor_id: *actor,
                    url: follower.to_string(),
                    host: follower.authority(),
                    inbox_id,
                    follow_id,
                    created_at: self.at,
                };
                followers::unblock(self.db, *actor, follower.as_str())?;
                followers::upsert(self.db, &row)?;
                let Some(own) = self.own(*actor)? else { return Ok(()) };
                let id = ActivityId(self.mint.next());
                let bytes = activity::accept_follow(&own, &own.base(), follow, id);
                self.answer(*actor, id, "Accept", bytes)
            }
            Effect::RejectFollower { actor, follower, follow } => {
                followers::remove(self.db, *actor, follower.as_str())?;
                let Some(own) = self.own(*actor)? else { return Ok(()) };
                let id = ActivityId(self.mint.next());
                let bytes = activity::reject_follow(&own, &own.base(), follow, id);
                self.answer(*actor, id, "Reject", bytes)
            }
            Effect::RemoveFollower { actor, follower } => {
                followers::remove(self.db, *actor, follower.as_str()).map(|_| ())
            }
            Effect::BlockFollower { actor, follower } => {
                followers::block(self.db, *actor, follower.as_str(), self.at)?;
                self.note(follower.as_str(), "follower.block", format!("actor:{actor}"), String::new())
            }
            Effect::RemoveActorTraces { actor } => {
                followers::remove_everywhere(self.db, actor.as_str())?;
                reactions::remove_of_author(self.db, actor.as_str())?;
                messages::delete_of_author(self.db, actor.as_str(), self.at)?;
                remote_store::remove(self.db, actor.as_str())
            }
            _ => Ok(()),
        }
    }

    fn apply_to_reactions(&mut self, effect: &Effect) -> Queried<()> {
        match effect {
            Effect::AddReaction { kind, post, by, activity } => {
                let content = match kind {
                    ReactionKind::Emoji(emoji) => Some(emoji.clone()),
                    _ => None,
                };
                let row = ReactionRow {
                    id: ReactionId(self.mint.next()),
                    activity_url: activity.as_ref().map(ToString::to_string),
                    kind: kind.name().to_owned(),
                    post_id: *post,
                    author_url: by.to_string(),
                    content,
                    created_at: self.at,
                };
                reactions::insert(self.db, &row)
            }
            Effect::RemoveReaction { activity, kind, post, by } => {
                if let Some(activity) = activity
                    && reactions::remove_by_activity(self.db, activity.as_str(), by.as_str())?
                {
                    return Ok(());
                }
                let Some(post) = post else { return Ok(()) };
                // Misskey's emoji are likes on the wire, but have been found by their id above.
                let kinds: &[&str] = match kind {
                    ReactionKind::Like | ReactionKind::Emoji(_) if activity.is_some() => &["like"],
                    ReactionKind::Like | ReactionKind::Emoji(_) => &["like", "emoji"],
                    ReactionKind::Boost => &["boost"],
                    ReactionKind::Quote => &["quote"],
                };
                for kind in kinds {
                    if reactions::remove_kind(self.db, *post, by.as_str(), kind)? {
                        break;
                    }
                }
                Ok(())
            }
            Effect::RemoveByActivity { activity, by } => {
                followers::remove_by_follow(self.db, activity.as_str(), by.as_str())?;
                reactions::remove_by_activity(self.db, activity.as_str(), by.as_str()).map(|_| ())
            }
            _ => Ok(()),
        }
    }

    /// The inbox for posts to a remote actor: the shared one of its server when there is one.
    fn delivery_inbox(&mut self, actor: &RemoteActor) -> Queried<InboxId> {
        let url = actor.shared_inbox.as_ref().unwrap_or(&actor.inbox).clone();
        self.inbox(&url)
    }

    fn inbox(&mut self, url: &InboxUrl) -> Queried<InboxId> {
        if let Some(known) = self.seen.inboxes.get(url.as_str()) {
            return Ok(*known);
        }
        let id = inboxes::ensure(self.db, url, InboxId(self.mint.next()), self.at)?;
        self.seen.inboxes.insert(url.as_str().to_owned(), id);
        Ok(id)
    }

    /// Owes an answer to the sender's own inbox.
    fn answer(&mut self, actor: ActorId, id: ActivityId, kind: &str, bytes: Vec<u8>) -> Queried<()> {
        let bytes = match self.identity(actor)? {
            Some(identity) => integrity::attach(bytes, &identity, self.at),
            None => bytes,
        };
        let row = ActivityRow { id, actor_id: actor, post_id: None, kind: kind.to_owned(), bytes, created_at: self.at };
        activities::insert(self.db, &row)?;
        let inbox = self.inbox(&self.sender.inbox.clone())?;
        self.seen.answers.push(Answer { actor, activity: id, inbox });
        Ok(())
    }

    fn store_message(&mut self, note: &NoteIn, actor: ActorId, post: Option<crate::ids::PostId>) -> Queried<()> {
        if remote_store::is_deleted(self.db, note.id.as_str())? {
            return Ok(()); // its Delete was faster
        }
        let row = MessageRow {
            id: MessageId(self.mint.next()),
            actor_id: actor,
            post_id: post,
            url: note.id.to_string(),
            author_url: note.attributed_to.to_string(),
            author_handle: self.sender.handle.clone(),
            author_name: self.sender.name.clone().unwrap_or_else(|| self.sender.username.clone()),
            html: sanitize(&note.content, None).as_str().to_owned(),
            language: note.language.clone(),
            visibility: note.visibility.name().to_owned(),
            in_reply_to: note.in_reply_to.as_ref().map(ToString::to_string),
            published_at: note.published.unwrap_or(self.at),
            updated_at: note.updated,
            deleted_at: None,
            received_at: self.at,
        };
        messages::insert(self.db, &row)
    }

    fn note(&mut self, who: &str, act: &str, subject: String, detail: String) -> Queried<()> {
        let entry = audit::Entry {
            id: crate::ids::AuditId(self.mint.next()),
            at: self.at,
            who: who.to_owned(),
            act: act.to_owned(),
            subject,
            detail,
        };
        audit::add(self.db, &entry)
    }
}
