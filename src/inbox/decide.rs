//! What to do about an activity. The shell runs it in three beats: [`names`] says what to look up, the store answers with
//! [`Known`], and [`decide`] says what to do; nothing else decides.

use serde_json::Value;

use crate::actor::reach::QuotePolicy;
use crate::ids::{ActorId, MessageId, PostId, RelayId};
pub use crate::inbox::effect::{Effect, IgnoreReason, QuoteAnswer, ReactionKind};
use crate::inbox::{Incoming, IncomingKind, NoteIn, QuoteSeen, Said, Undone, UndoneKind, Updated, json};
use crate::urls::{ActorUrl, Base, ObjectUrl};

/// What an activity names: the keys to look up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Named {
    /// Our actors, by the ids in it.
    pub actors: Vec<ActorId>,
    /// Our posts, by the ids or pages in it.
    pub posts: Vec<PostId>,
    /// Objects of others that may be messages that we keep: what is answered, edited or deleted.
    pub objects: Vec<ObjectUrl>,
    /// The number of our Follow of a relay.
    pub relay_follow: Option<i64>,
    /// It is a Follow of the instance actor, which only relays send.
    pub follows_instance: bool,
    /// Under which root each number of ours was named: an id means something only on the host that it was minted on.
    pub roots: Vec<(i64, String)>,
}

/// One of our posts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownPost {
    /// Its id.
    pub id: PostId,
    /// The actor that said it.
    pub actor: ActorId,
    /// Whether it is public now; a withdrawn post is answered no more.
    pub public: bool,
}

/// A message that we keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownMessage {
    /// Its id here.
    pub id: MessageId,
    /// Its id there.
    pub object: ObjectUrl,
    /// Its author.
    pub author: ActorUrl,
    /// Our actor whose conversation it is in.
    pub actor: ActorId,
    /// Our post that the conversation began with.
    pub post: Option<PostId>,
}

/// A relay that an activity answers, or comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownRelay {
    /// Its id here.
    pub id: RelayId,
    /// The host of the address that it is known by.
    pub host: String,
    /// Its actor, once it is known.
    pub actor: Option<ActorUrl>,
}

/// What the store has of what an activity [`Named`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// Those of the named actors that exist and take in what others say.
    pub actors: Vec<ActorId>,
    /// Those of the named actors that exist and that nobody new may follow.
    pub closed: Vec<ActorId>,
    /// Those of the named posts that exist or existed.
    pub posts: Vec<KnownPost>,
    /// Those of the named objects that are messages that we keep.
    pub messages: Vec<KnownMessage>,
    /// The sender or its host is blocked by us.
    pub sender_blocked: bool,
    /// Anything is kept of the sender: it follows, wrote or reacted.
    pub sender_known: bool,
    /// Who may quote the post that a QuoteRequest names.
    pub quotes: QuotePolicy,
    /// The sender of a QuoteRequest follows the actor of that post.
    pub sender_follows: bool,
    /// The relay that it answers, or comes from.
    pub relay: Option<KnownRelay>,
}

/// What of ours an activity names.
pub fn names(incoming: &Incoming, base: &Base) -> Named {
    let mut named = Named::default();
    match &incoming.kind {
        IncomingKind::Follow { object } if *object == base.instance_actor() => named.follows_instance = true,
        IncomingKind::Follow { object } | IncomingKind::Block { object } => named.actor(object.as_str(), base),
        IncomingKind::Accept { object: Some(object) } | IncomingKind::Reject { object: Some(object) } => {
            named.relay_follow = base.read_relay_follow(object);
        }
        IncomingKind::Undo(Undone { kind, .. }) => match kind {
            UndoneKind::Follow { object: Some(object) } | UndoneKind::Block { object: Some(object) } => {
                named.actor(object.as_str(), base);
            }
            UndoneKind::Like { object: Some(object) } | UndoneKind::Announce { object: Some(object) } => {
                named.object(object, base);
            }
            _ => {}
        },
        IncomingKind::Create(Said::Note(note)) | IncomingKind::Update(Updated::Note(note)) => named.note(note, base),
        IncomingKind::Create(Said::Elsewhere(object)) | IncomingKind::Update(Updated::Elsewhere(object)) => {
            named.object(object, base);
            for id in addressed(&incoming.raw) {
                named.actor(id, base);
            }
        }
        IncomingKind::Delete { object }
        | IncomingKind::Like { object, .. }
        | IncomingKind::EmojiReact { object, .. }
        | IncomingKind::Announce { object }
        | IncomingKind::QuoteRequest { object, .. } => named.object(object, base),
        IncomingKind::Flag { objects, .. } => {
            for id in objects {
                named.actor(id, base);
                named.post(id, base);
            }
        }
        _ => {}
    }
    named
}

impl Named {
    /// Whether a number of ours was named only under that root.
    pub fn only_at(&self, number: i64, base: &Base) -> bool {
        let root = base.root();
        self.roots.iter().filter(|(named, _)| *named == number).all(|(_, at)| *at == root)
    }

    fn root(&mut self, number: i64, id: &str) {
        if let Ok(url) = ActorUrl::parse(id) {
            self.roots.push((number, url.base().root()));
        }
    }

    fn actor(&mut self, text: &str, base: &Base) {
        let Some(id) = base.read_actor(text) else { return };
        self.root(id.0, text);
        if !self.actors.contains(&id) {
            self.actors.push(id);
        }
    }

    fn post(&mut self, text: &str, base: &Base) {
        let Some(id) = base.read_post(text) else { return };
        self.root(id.0, text);
        if !self.posts.contains(&id) {
            self.posts.push(id);
        }
    }

    fn object(&mut self, id: &ObjectUrl, base: &Base) {
        if base.owns(id.as_str()) {
            self.post(id.as_str(), base);
        } else if !self.objects.contains(id) {
            self.objects.push(id.clone());
        }
    }

    fn note(&mut self, note: &NoteIn, base: &Base) {
        self.object(&note.id, base);
        for id in note.in_reply_to.iter().chain(&note.quote) {
            self.object(id, base);
        }
        for id in note.to.iter().chain(&note.cc).chain(note.mentions.iter().map(|m| &m.href)) {
            self.actor(id, base);
        }
    }
}

/// Whom the activity itself addresses.
fn addressed(raw: &Value) -> impl Iterator<Item = &str> {
    ["to", "cc"].into_iter().flat_map(|key| json::many(raw, key)).filter_map(json::id_of)
}

/// What to do about an activity; never empty.
pub fn decide(incoming: &Incoming, base: &Base, known: &Known) -> Vec<Effect> {
    let by = &incoming.actor;
    // Who is blocked may still take things back: that only makes less of what is kept.
    let takes_back = matches!(incoming.kind, IncomingKind::Undo(_) | IncomingKind::Delete { .. });
    if known.sender_blocked && !takes_back {
        return match &incoming.kind {
            IncomingKind::Follow { object } => follow(incoming, object, base, known),
            _ => ignore(IgnoreReason::Blocked),
        };
    }
    match &incoming.kind {
        IncomingKind::Follow { object } => follow(incoming, object, base, known),
        IncomingKind::Undo(undone) => undo(undone, by, base, known),
        IncomingKind::Create(Said::Note(note)) => said(note, base, known, incoming),
        IncomingKind::Update(Updated::Note(note)) => edited(note, base, known, incoming),
        IncomingKind::Create(Said::Elsewhere(object)) | IncomingKind::Update(Updated::Elsewhere(object)) => {
            let ours = !known.actors.is_empty() || !known.messages.is_empty();
            if ours && !base.owns(object.as_str()) {
                vec![Effect::FetchObject { object: object.clone() }]
            } else {
                ignore(IgnoreReason::NotAboutUs)
            }
        }
        IncomingKind::Update(Updated::Actor) if known.sender_known => vec![Effect::RefreshActor { actor: by.clone() }],
        IncomingKind::Update(Updated::Actor) => ignore(IgnoreReason::Unknown),
        IncomingKind::Delete { object } => deleted(object, by, known),
        IncomingKind::Like { object, content: None } => reaction(incoming, ReactionKind::Like, object, base, known),
        IncomingKind::Like { object, content: Some(emoji) } | IncomingKind::EmojiReact { object, content: emoji } => {
            reaction(incoming, ReactionKind::Emoji(emoji.clone()), object, base, known)
        }
        IncomingKind::Announce { object } => reaction(incoming, ReactionKind::Boost, object, base, known),
        IncomingKind::Block { object } => match our_actor(object, base, known) {
            Some(actor) => vec![Effect::BlockFollower { actor, follower: by.clone() }],
            None => ignore(IgnoreReason::NotAboutUs),
        },
        // A follower that moves follows us from its new account by itself, or does not want to: its old one goes on following
        // until it says otherwise. Only its document has changed.
        IncomingKind::Move { .. } if known.sender_known => vec![Effect::RefreshActor { actor: by.clone() }],
        IncomingKind::Move { .. } => ignore(IgnoreReason::Unknown),
        IncomingKind::QuoteRequest { object, instrument, seen } => {
            let Some(post) = our_post(object, base, known) else { return ignore(IgnoreReason::NotAboutUs) };
            // The authorization names the id, and peers compare it byte for byte: a page or another spelling is not the post.
            let exact = base.is_object(object, post.id);
            let answer = if exact && post.public { may_quote(known, *seen) } else { QuoteAnswer::Reject };
            vec![Effect::AnswerQuote {
                post: post.id,
                actor: post.actor,
                instrument: instrument.clone(),
                by: by.clone(),
                answer,
                request: incoming.raw.clone(),
            }]
        }
        IncomingKind::Flag { content, .. } => report(by, content.as_deref(), known),
        IncomingKind::Accept { .. } => relay_answered(incoming, true, known),
        IncomingKind::Reject { .. } => relay_answered(incoming, false, known),
        IncomingKind::Create(Said::Other(_)) | IncomingKind::Update(Updated::Other(_)) | IncomingKind::Unknown(_) => {
            ignore(IgnoreReason::Type)
        }
    }
}

fn ignore(reason: IgnoreReason) -> Vec<Effect> {
    vec![Effect::Ignore(reason)]
}

fn our_actor(url: &ActorUrl, base: &Base, known: &Known) -> Option<ActorId> {
    base.read_actor(url.as_str()).filter(|id| known.actors.contains(id))
}

fn our_post<'a>(url: &ObjectUrl, base: &Base, known: &'a Known) -> Option<&'a KnownPost> {
    let id = base.read_post(url.as_str())?;
    known.posts.iter().find(|post| post.id == id)
}

/// The answer to our Follow of a relay: believed of the relay alone, that is of the actor that is known or else of its host.
fn relay_answered(incoming: &Incoming, accepted: bool, known: &Known) -> Vec<Effect> {
    let Some(relay) = &known.relay else { return ignore(IgnoreReason::Type) };
    let by = &incoming.actor;
    if relay.actor.as_ref().map_or(relay.host != by.authority(), |actor| actor != by) {
        return ignore(IgnoreReason::NotTheirs);
    }
    let said = || json::name(&incoming.raw, "summary").or_else(|| json::name(&incoming.raw, "content"));
    let reason = (!accepted).then(|| said().unwrap_or_else(|| format!("{by} rejected our Follow")));
    vec![Effect::RelayAnswered { relay: relay.id, by: by.clone(), accepted, reason }]
}

fn follow(incoming: &Incoming, object: &ActorUrl, base: &Base, known: &Known) -> Vec<Effect> {
    if let Some(relay) = known.relay.as_ref().filter(|_| *object == base.instance_actor()) {
        return vec![Effect::RelayFollows { relay: relay.id, follow: incoming.raw.clone() }];
    }
    let (follower, follow) = (incoming.actor.clone(), incoming.raw.clone());
    if let Some(actor) = base.read_actor(object.as_str()).filter(|id| known.closed.contains(id)) {
        return vec![Effect::RejectFollower { actor, follower, follow }];
    }
    let Some(actor) = our_actor(object, base, known) else { return ignore(IgnoreReason::NotAboutUs) };
    vec![if known.sender_blocked {
        Effect::RejectFollower { actor, follower, follow }
    } else {
        Effect::AddFollower { actor, follower, follow }
    }]
}

fn undo(undone: &Undone, by: &ActorUrl, base: &Base, known: &Known) -> Vec<Effect> {
    let by_activity = || match &undone.id {
        Some(id) => vec![Effect::RemoveByActivity { activity: id.clone(), by: by.clone() }],
        None => ignore(IgnoreReason::Unknown),
    };
    let remove = |kind: ReactionKind, object: &Option<ObjectUrl>| {
        let post = object.as_ref().and_then(|o| our_post(o, base, known)).map(|post| post.id);
        match (&undone.id, post) {
            (None, None) => ignore(IgnoreReason::Unknown),
            (activity, post) => {
                vec![Effect::RemoveReaction { activity: activity.clone(), kind, post, by: by.clone() }]
            }
        }
    };
    match &undone.kind {
        UndoneKind::Follow { object: Some(object) } => match our_actor(object, base, known) {
            Some(actor) => vec![Effect::RemoveFollower { actor, follower: by.clone() }],
            None => ignore(IgnoreReason::NotAboutUs),
        },
        UndoneKind::Like { object } => remove(ReactionKind::Like, object),
        UndoneKind::Announce { object } => remove(ReactionKind::Boost, object),
        UndoneKind::Follow { object: None } | UndoneKind::ById => by_activity(),
        // An unblocked agency is not followed again by that alone.
        UndoneKind::Block { .. } | UndoneKind::Other(_) => ignore(IgnoreReason::Type),
    }
}

/// Whom a note concerns, and how it hangs together with what we keep.
struct Concern {
    actors: Vec<ActorId>,
    post: Option<PostId>,
    parent: Option<MessageId>,
    quoted: Option<PostId>,
}

fn concern(note: &NoteIn, base: &Base, known: &Known) -> Concern {
    let answered = note.in_reply_to.as_ref().and_then(|o| our_post(o, base, known));
    let parent = note.in_reply_to.as_ref().and_then(|o| known.messages.iter().find(|m| m.object == *o));
    let quoted = note.quote.as_ref().and_then(|o| our_post(o, base, known));
    let mut actors: Vec<ActorId> = Vec::new();
    let by_thread = answered.map(|p| p.actor).into_iter().chain(parent.map(|m| m.actor)).chain(quoted.map(|p| p.actor));
    let addressed = note.to.iter().chain(&note.cc).chain(note.mentions.iter().map(|m| &m.href));
    let by_name = addressed.filter_map(|id| base.read_actor(id)).filter(|id| known.actors.contains(id));
    for id in by_thread.chain(by_name) {
        if !actors.contains(&id) {
            actors.push(id);
        }
    }
    let post = answered.map(|p| p.id).or_else(|| parent.and_then(|m| m.post));
    Concern { actors, post, parent: parent.map(|m| m.id), quoted: quoted.map(|p| p.id) }
}

fn said(note: &NoteIn, base: &Base, known: &Known, incoming: &Incoming) -> Vec<Effect> {
    if known.messages.iter().any(|m| m.object == note.id) {
        // Sent again, for example by a relay or a repeated delivery.
        return edited(note, base, known, incoming);
    }
    let concern = concern(note, base, known);
    if concern.actors.is_empty() {
        return ignore(IgnoreReason::NotAboutUs);
    }
    let mut effects = vec![Effect::StoreMessage {
        note: Box::new(note.clone()),
        actors: concern.actors,
        post: concern.post.or(concern.quoted),
        parent: concern.parent,
        never_public: !note.visibility.is_public(),
    }];
    if let Some(post) = concern.quoted {
        effects.push(Effect::AddReaction {
            kind: ReactionKind::Quote,
            post,
            by: incoming.actor.clone(),
            activity: incoming.id.clone(),
        });
    }
    effects
}

fn edited(note: &NoteIn, base: &Base, known: &Known, incoming: &Incoming) -> Vec<Effect> {
    match known.messages.iter().find(|m| m.object == note.id) {
        Some(message) if message.author == note.attributed_to => vec![Effect::UpdateMessage {
            message: message.id,
            note: Box::new(note.clone()),
            never_public: !note.visibility.is_public(),
        }],
        Some(_) => ignore(IgnoreReason::NotTheirs),
        // The Create may have been lost or overtaken: an edit that concerns us is as good.
        None => said(note, base, known, incoming),
    }
}

fn deleted(object: &ObjectUrl, by: &ActorUrl, known: &Known) -> Vec<Effect> {
    if object.as_str() == by.as_str() {
        return vec![Effect::RemoveActorTraces { actor: by.clone() }];
    }
    match known.messages.iter().find(|m| m.object == *object) {
        Some(message) if message.author == *by => {
            vec![Effect::DeleteMessage { message: message.id, object: object.clone() }]
        }
        Some(_) => ignore(IgnoreReason::NotTheirs),
        None => ignore(IgnoreReason::Unknown),
    }
}

fn reaction(incoming: &Incoming, kind: ReactionKind, object: &ObjectUrl, base: &Base, known: &Known) -> Vec<Effect> {
    match our_post(object, base, known) {
        Some(post) if post.public => {
            vec![Effect::AddReaction { kind, post: post.id, by: incoming.actor.clone(), activity: incoming.id.clone() }]
        }
        Some(_) => ignore(IgnoreReason::NotPublic),
        None => ignore(IgnoreReason::NotAboutUs),
    }
}

/// Whether the sender of a QuoteRequest may quote a public post.
fn may_quote(known: &Known, seen: QuoteSeen) -> QuoteAnswer {
    match (known.quotes, seen) {
        (QuotePolicy::Nobody, _) | (_, QuoteSeen::Contradicts) => QuoteAnswer::Reject,
        (QuotePolicy::Everyone, _) => QuoteAnswer::Accept,
        // A follower must not get it for somebody else on its server.
        (QuotePolicy::Followers, QuoteSeen::Fits) if known.sender_follows => QuoteAnswer::Accept,
        (QuotePolicy::Followers, _) => QuoteAnswer::Reject,
        (QuotePolicy::Approval, _) => QuoteAnswer::Ask,
    }
}

fn report(by: &ActorUrl, text: Option<&str>, known: &Known) -> Vec<Effect> {
    if known.actors.is_empty() && known.posts.is_empty() {
        return ignore(IgnoreReason::NotAboutUs);
    }
    vec![Effect::RecordReport {
        by: by.clone(),
        actors: known.actors.clone(),
        posts: known.posts.iter().map(|post| post.id).collect(),
        text: text.map(str::to_owned),
    }]
}

#[cfg(test)]
mod tests;
