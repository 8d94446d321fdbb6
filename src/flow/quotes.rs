//! Quotes of our posts (FEP-044f): what is looked up before a request is answered, and what a person decides about one.

use serde_json::Value;
use thiserror::Error;

use crate::activity;
use crate::actor::Actor;
use crate::actor::reach::QuotePolicy;
use crate::actor::verification::{Unverified, VerifiedActor};
use crate::flow::effects::quotes::reaction;
use crate::flow::remote::{self, RemoteFetchError};
use crate::flow::{Gateway, now};
use crate::ids::{ActivityId, ActorId, InboxId, PostId, QuoteId, ReactionId};
use crate::inbox::{Incoming, IncomingKind, QuoteSeen};
use crate::post::PostState;
use crate::store::activities::{self, ActivityRow};
use crate::store::deliveries::{self, Answer, FanOut};
use crate::store::posts::Post;
use crate::store::quotes::{self, QuoteRequestRow};
use crate::store::reactions::{self, QuoteRow};
use crate::store::{
    Db, Queried, StoreError, actors, audit, followers, from_json, inboxes, posts, proofs, remote as remote_store,
};
use crate::time::Timestamp;
use crate::urls::{ActorUrl, UrlError};

/// Why a decision about a quote was not carried out.
#[derive(Debug, Error)]
pub enum QuoteError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No such request.
    #[error("no request to quote with the number {0} waits; `heraut quote list --waiting` shows those that do")]
    NoRequest(QuoteId),
    /// No such authorization.
    #[error("there is no authorised quote {0}; `heraut quote list` shows those that there are")]
    NoQuote(QuoteId),
    /// It is revoked.
    #[error("quote {0} is revoked already")]
    Revoked(QuoteId),
    /// The post can be quoted no more.
    #[error("post {0} is not public any more, so it cannot be quoted; `heraut quote refuse` answers the request")]
    NotPublic(PostId),
    /// Nothing may be said as that actor now.
    #[error(transparent)]
    Unverified(#[from] Unverified),
    /// A row was changed by hand.
    #[error("the quote names `{0}` as who quotes, which is no URL; correct the database")]
    Author(String, #[source] UrlError),
    /// Who quoted cannot be told.
    #[error("the server of {0} cannot be asked where to tell it; try again later")]
    Unreachable(String, #[source] RemoteFetchError),
}

/// Fetches the post that wants to quote ours, where the request gave only its id: who wrote it and what it quotes is to be seen by
/// us and not only claimed. One that cannot be read, because it is not public, stays unseen.
pub async fn look(gateway: &Gateway, incoming: &mut Incoming) {
    let IncomingKind::QuoteRequest { object, instrument, seen } = &mut incoming.kind else { return };
    if *seen != QuoteSeen::IdAlone || gateway.hosts_known().await.reading().read_post(object.as_str()).is_none() {
        return;
    }
    if let Ok(note) = remote::note(gateway, instrument).await {
        *seen = QuoteSeen::of(&note, &incoming.actor, object);
    }
}

/// Who may quote the posts of an actor, and whether the sender follows it.
pub fn policy(db: &mut Db<'_>, actor: ActorId, sender: &ActorUrl) -> Queried<(QuotePolicy, bool)> {
    let policy = actors::by_id(db, actor)?.map(|actor| actor.profile.quotes).unwrap_or_default();
    let follows = policy == QuotePolicy::Followers && followers::followed_by(db, sender.as_str())?.contains(&actor);
    Ok((policy, follows))
}

/// A request with what it is about.
async fn asked(gateway: &Gateway, id: QuoteId) -> Result<(QuoteRequestRow, Post, Actor), QuoteError> {
    let load = move |db: &mut Db<'_>| {
        let Some(row) = quotes::request(db, id)? else { return Ok(None) };
        of_post(db, row.post_id).map(|found| found.map(|(post, actor)| (row, post, actor)))
    };
    gateway.store.read("read a request to quote", load).await?.ok_or(QuoteError::NoRequest(id))
}

fn of_post(db: &mut Db<'_>, id: PostId) -> Queried<Option<(Post, Actor)>> {
    let Some(post) = posts::by_id(db, id)? else { return Ok(None) };
    Ok(actors::by_id(db, post.actor_id)?.map(|actor| (post, actor)))
}

/// Says yes to a request that waits.
pub async fn approve(gateway: &Gateway, id: QuoteId, who: &str) -> Result<(), QuoteError> {
    let (asked, post, actor) = asked(gateway, id).await?;
    if !matches!(post.state, PostState::Published(_)) {
        return Err(QuoteError::NotPublic(post.id));
    }
    let request: Value = from_request(&asked)?;
    let at = now();
    let quote = QuoteRow {
        id,
        post_id: post.id,
        author_url: asked.author_url.clone(),
        quote_url: asked.quote_url.clone(),
        revoked_at: None,
        created_at: at,
    };
    let activity = ActivityId(gateway.mint.next());
    let bytes = activity::accept_quote(&actor, &actor.base(), &request, id, activity);
    let actor_id = actor.id;
    let row = answer(activity, actor_id, "Accept", attested(gateway, &actor, bytes, at).await?);
    let reaction = reaction(ReactionId(gateway.mint.next()), &quote);
    let entry = gateway.audit(who, "quote.approve", format!("quote:{id}"), asked.quote_url.clone());
    let commit = move |db: &mut Db<'_>| {
        if !quotes::take(db, id)? {
            return Ok(false);
        }
        reactions::authorize_quote(db, &quote)?;
        reactions::insert(db, &reaction)?;
        audit::add(db, &entry)?;
        owe(db, &row, asked.inbox_id)
    };
    finish(gateway, id, gateway.store.write("approve a quote", commit).await?)
}

/// Says no to a request that waits.
pub async fn refuse(gateway: &Gateway, id: QuoteId, who: &str) -> Result<(), QuoteError> {
    let (asked, _, actor) = asked(gateway, id).await?;
    let request: Value = from_request(&asked)?;
    let activity = ActivityId(gateway.mint.next());
    let bytes = activity::reject_quote(&actor, &actor.base(), &request, activity);
    let actor_id = actor.id;
    let row = answer(activity, actor_id, "Reject", attested(gateway, &actor, bytes, now()).await?);
    let entry = gateway.audit(who, "quote.refuse", format!("quote:{id}"), asked.quote_url.clone());
    let commit = move |db: &mut Db<'_>| {
        if !quotes::take(db, id)? {
            return Ok(false);
        }
        audit::add(db, &entry)?;
        owe(db, &row, asked.inbox_id)
    };
    finish(gateway, id, gateway.store.write("refuse a quote", commit).await?)
}

fn from_request(asked: &QuoteRequestRow) -> Result<Value, StoreError> {
    from_json(&asked.request).map_err(|source| StoreError::Query { what: "read a request to quote", source })
}

fn answer(id: ActivityId, actor_id: ActorId, kind: &str, bytes: Vec<u8>) -> ActivityRow {
    ActivityRow { id, actor_id, post_id: None, kind: kind.to_owned(), bytes, created_at: now() }
}

/// With an integrity proof where the actor's own proof holds; without one it waits anyhow.
async fn attested(gateway: &Gateway, actor: &Actor, bytes: Vec<u8>, at: Timestamp) -> Result<Vec<u8>, StoreError> {
    let id = actor.id;
    let proof = gateway.store.read("read a proof", move |db| proofs::of_actor(db, id)).await?;
    match VerifiedActor::prove(actor.clone(), &proof, &gateway.settings.proof_times, at) {
        Ok(verified) => Ok(gateway.attested(&verified, bytes, at).await),
        Err(_) => Ok(bytes),
    }
}

fn owe(db: &mut Db<'_>, row: &ActivityRow, inbox: InboxId) -> Queried<bool> {
    activities::insert(db, row)?;
    let answer = Answer { actor: row.actor_id, activity: row.id, inbox };
    deliveries::owe_answers(db, &[answer], row.created_at).map(|()| true)
}

fn finish(gateway: &Gateway, id: QuoteId, done: bool) -> Result<(), QuoteError> {
    gateway.wake.deliver.notify_one();
    if done { Ok(()) } else { Err(QuoteError::NoRequest(id)) }
}

/// Takes an authorization back: its id answers 410 from now on, and a Delete of it goes to the followers, to everyone who was owed
/// the post, and to who quoted.
pub async fn revoke(gateway: &Gateway, id: QuoteId, who: &str) -> Result<(), QuoteError> {
    let load = move |db: &mut Db<'_>| {
        let Some(row) = reactions::quote(db, id)? else { return Ok(None) };
        let Some((post, actor)) = of_post(db, row.post_id)? else { return Ok(None) };
        Ok(Some((row, post, proofs::of_actor(db, actor.id)?, actor)))
    };
    let found = gateway.store.read("read an authorised quote", load).await?;
    let (quote, post, proof, actor) = found.ok_or(QuoteError::NoQuote(id))?;
    if quote.revoked_at.is_some() {
        return Err(QuoteError::Revoked(id));
    }
    let author =
        ActorUrl::parse(&quote.author_url).map_err(|error| QuoteError::Author(quote.author_url.clone(), error))?;
    let verified = VerifiedActor::prove(actor, &proof, &gateway.settings.proof_times, now())?;
    // Its inbox is needed; an account that is gone needs not be told.
    match remote::actor(gateway, &author, false).await {
        Ok(_) | Err(RemoteFetchError::Gone(_)) => {}
        Err(RemoteFetchError::Store(error)) => return Err(error.into()),
        Err(error) => return Err(QuoteError::Unreachable(quote.author_url, error)),
    }
    let (at, activity, inbox) = (now(), ActivityId(gateway.mint.next()), InboxId(gateway.mint.next()));
    let bytes = activity::revoke_quote(&verified, &verified.actor().base(), id, &author, activity, at);
    let bytes = gateway.attested(&verified, bytes, at).await;
    let actor_id = verified.actor().id;
    // It is no activity about the post: the post stands.
    let row = ActivityRow { id: activity, actor_id, post_id: None, kind: "Delete".to_owned(), bytes, created_at: at };
    let fan_out = FanOut { activity, actor: actor_id, post: Some(post.id), dispatch: post.dispatch, at };
    let entry = gateway.audit(who, "quote.revoke", format!("quote:{id}"), quote.quote_url.clone());
    let commit = move |db: &mut Db<'_>| {
        if !quotes::revoke(db, id, at)? {
            return Ok(false);
        }
        reactions::remove_by_activity(db, &quote.quote_url, &quote.author_url)?;
        audit::add(db, &entry)?;
        activities::insert(db, &row)?;
        let to = match remote_store::by_url(db, author.as_str())? {
            Some(known) => {
                let url = known.actor.shared_inbox.as_ref().unwrap_or(&known.actor.inbox);
                Some(inboxes::ensure(db, url, inbox, at)?)
            }
            None => None,
        };
        deliveries::fan_out_also(db, &fan_out, to).map(|_| true)
    };
    if !gateway.store.write("revoke a quote", commit).await? {
        return Err(QuoteError::Revoked(id));
    }
    gateway.wake.deliver.notify_one();
    Ok(())
}
