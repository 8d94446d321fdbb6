//! Receives what other servers post to our inboxes: verified, decided, committed in one transaction, and only then
//! acknowledged. The order of the checks is that of `reference/federation.md` 6.1.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use crate::actor::continuity::ActorState;
use crate::flow::arrivals::Arrivals;
use crate::flow::effects::{self, Arrival, Meaning};
use crate::flow::forwarded::{self, ForwardError};
use crate::flow::hosts::FRESH;
use crate::flow::quotes;
use crate::flow::remote::{self, RemoteFetchError, Signer};
use crate::flow::verify::with_causes;
use crate::flow::{Gateway, now, relays};
use crate::inbox::decide::{Effect, Known, KnownMessage, KnownPost, KnownRelay, Named, decide, names};
use crate::inbox::read::{deletes_its_actor, read};
use crate::inbox::{INBOX_BODY_BYTES_MAX, InboxError, Incoming, IncomingKind, Said, Updated};
use crate::post::PostState;
use crate::signature::{self, ParsedSignature, ReceivedRequest, Scheme, SignatureError, Site};
use crate::store::{Db, Queried, StoreError, continuity, followers, messages, posts};
use crate::urls::ActorUrl;

/// When a peer whose key could not be fetched should come back, in seconds.
pub(super) const KEY_RETRY_S: u32 = 300;

/// A POST to an inbox, as it came in.
#[derive(Debug, Clone)]
pub struct Request {
    /// The host of ours that it is for, as a signature must name it.
    pub site: Site,
    /// The request target as the client wrote it: path, and query with its `?` if there is one.
    pub path_and_query: String,
    /// Header names in lower case, and values, in order; repeated headers repeated.
    pub headers: Vec<(String, String)>,
    /// The raw body.
    pub body: Bytes,
}

/// Why a request is not accepted. Never 410: peers would take the whole host for gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status to answer.
    pub status: u16,
    /// What is wrong and what to do, safe to tell.
    pub detail: String,
    /// When to come back, in seconds.
    pub retry_after_s: Option<u32>,
}

impl Refusal {
    pub(super) fn new(status: u16, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), retry_after_s: None }
    }

    /// It is our fault; the sender is to try again.
    pub(super) fn later() -> Self {
        Self { status: 503, detail: "not now; please try again".to_owned(), retry_after_s: Some(60) }
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        tracing::error!(error = &error as &dyn std::error::Error, "an inbox request could not be stored");
        Self::later()
    }
}

impl From<SignatureError> for Refusal {
    fn from(error: SignatureError) -> Self {
        Self::new(error.status(), with_causes(&error))
    }
}

/// Takes one activity in. `Ok` is a 202: what it says is on disk, or was rightly ignored.
pub async fn receive(gateway: &Gateway, arrivals: &Arrivals, request: Request) -> Result<(), Refusal> {
    if request.body.len() > INBOX_BODY_BYTES_MAX {
        return Err(Refusal::new(413, format!("the body is larger than {INBOX_BODY_BYTES_MAX} bytes")));
    }
    let received = ReceivedRequest {
        method: "POST",
        path_and_query: &request.path_and_query,
        headers: &request.headers,
        body: &request.body,
    };
    let signatures = signature::parse(&received, std::slice::from_ref(&request.site), now())?;
    let (sender, scheme) = match sender(gateway, &signatures).await {
        Ok(sender) => sender,
        Err(None) => return Err(SignatureError::Unsigned.into()),
        Err(Some((signature, problem))) => match last_words(gateway, &request.body, &signature, &problem).await? {
            Some(sender) => (sender, Scheme::Cavage),
            None => return without_key(&request.body, &signature, problem),
        },
    };
    let host = sender.actor.url.authority();
    if let Err(wait_s) = arrivals.rates.take(&host, Instant::now()) {
        let detail = format!("{host} sends more activities than are taken in from one server");
        return Err(Refusal { status: 429, detail, retry_after_s: Some(wait_s) });
    }
    let by = forwarded::author_of(gateway, &request.body, &sender.actor.url).await.map_err(by_another)?;
    let is_forwarded = by.is_some();
    let by = by.unwrap_or_else(|| sender.clone());
    let incoming = match read(&request.body, &by.actor.url) {
        Ok(incoming) => incoming,
        // It is what a relay is for; nothing of it is believed or kept.
        Err(InboxError::NotTheSigner { .. }) if relays::is_relay(gateway, &sender.actor.url).await? => return Ok(()),
        Err(error) => return Err(Refusal::new(error.status(), with_causes(&error))),
    };
    if is_forwarded {
        if !forwarded::may_be_forwarded(&incoming) {
            return Err(Refusal::new(403, format!("{} must send this itself", incoming.actor)));
        }
        return handle(gateway, arrivals, incoming, by, None).await;
    }
    let shown = (scheme > Scheme::Cavage && gateway.remote.shows(&host, scheme)).then_some(scheme);
    handle(gateway, arrivals, incoming, sender, shown).await
}

/// What to answer when what another sent is not believed.
fn by_another(error: ForwardError) -> Refusal {
    match error {
        ForwardError::Fetch(RemoteFetchError::Store(error)) => error.into(),
        ForwardError::Fetch(RemoteFetchError::Unavailable { .. } | RemoteFetchError::Keyring(_)) => Refusal::later(),
        other => Refusal::new(401, with_causes(&other)),
    }
}

/// Why the sender of a request is not known.
pub(super) enum NoSender {
    Fetch(RemoteFetchError),
    Signature(SignatureError),
}

/// The actor whose key made one of the signatures, and what its server thereby shows that it knows. When none holds, the first one
/// and what is wrong with it.
pub(super) async fn sender(
    gateway: &Gateway,
    signatures: &[ParsedSignature],
) -> Result<(Arc<Signer>, Scheme), Option<(ParsedSignature, NoSender)>> {
    let mut problem = None;
    for signature in signatures {
        match signer(gateway, signature).await {
            Ok(signer) => return Ok(signer),
            Err(error) => drop(problem.get_or_insert((signature.clone(), error))),
        }
    }
    Err(problem)
}

/// The actor whose key made the signature. A key that we know and that does not fit is fetched anew, once: it may have been
/// rotated.
async fn signer(gateway: &Gateway, signature: &ParsedSignature) -> Result<(Arc<Signer>, Scheme), NoSender> {
    let known = remote::key_owner(gateway, signature.key_id()).await.map_err(NoSender::Fetch)?;
    match fits(&known, signature) {
        Ok(scheme) => Ok((known, scheme)),
        Err(first) => {
            let fresh =
                remote::key_owner_anew(gateway, signature.key_id()).await.map_err(|_| NoSender::Signature(first))?;
            let scheme = fits(&fresh, signature).map_err(NoSender::Signature)?;
            Ok((fresh, scheme))
        }
    }
}

fn fits(owner: &Signer, signature: &ParsedSignature) -> Result<Scheme, SignatureError> {
    let key_id = signature.key_id();
    let key = owner.key(key_id).ok_or_else(|| SignatureError::Invalid(key_id.to_string()))?;
    signature.verify(&*key?)
}

/// The actor that deletes itself, after its server took its document away: believed with the key that we know, however old.
async fn last_words(
    gateway: &Gateway,
    body: &[u8],
    signature: &ParsedSignature,
    problem: &NoSender,
) -> Result<Option<Arc<Signer>>, StoreError> {
    if !matches!(problem, NoSender::Fetch(RemoteFetchError::Gone(_))) || deletes_its_actor(body).is_none() {
        return Ok(None);
    }
    let known = remote::last_known(gateway, signature.key_id()).await?;
    Ok(known.filter(|known| fits(known, signature).is_ok()))
}

/// What to answer when the key cannot be had. An account that deletes itself takes its key along: that is a 202, or its server
/// would try for days.
fn without_key(body: &[u8], signature: &ParsedSignature, problem: NoSender) -> Result<(), Refusal> {
    let problem = match problem {
        NoSender::Signature(error) => return Err(error.into()),
        NoSender::Fetch(problem) => problem,
    };
    match problem {
        RemoteFetchError::Store(error) => Err(error.into()),
        RemoteFetchError::Keyring(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the instance actor cannot sign");
            Err(Refusal::later())
        }
        RemoteFetchError::Gone(_) | RemoteFetchError::Unavailable { .. }
            if deletes_its_actor(body).is_some_and(|actor| actor.authority() == signature.key_id().authority()) =>
        {
            Ok(())
        }
        RemoteFetchError::Unavailable { .. } => {
            let detail = format!("the key {} cannot be fetched now", signature.key_id());
            Err(Refusal { status: 503, detail, retry_after_s: Some(KEY_RETRY_S) })
        }
        other => {
            Err(Refusal::new(401, format!("the key {} is not usable: {}", signature.key_id(), with_causes(&other))))
        }
    }
}

/// Has an activity decided and carried out. Fetches come before the transaction, never inside it.
async fn handle(
    gateway: &Gateway,
    arrivals: &Arrivals,
    mut incoming: Incoming,
    sender: Arc<Signer>,
    shown: Option<Scheme>,
) -> Result<(), Refusal> {
    quotes::look(gateway, &mut incoming).await;
    let (id, deleted) = (remembered(&incoming), deleted(&incoming));
    let changes_sender = changes_sender(&incoming);
    if changes_sender {
        // What it was a moment ago must not take the place of what is fetched now.
        sender.mark_stored();
    }
    let load = if may_need_a_fetch(&incoming.kind) {
        let (mut load, effects) = looked_after(gateway, &incoming).await?;
        load.push(Arrival { id, deleted, meaning: Meaning::Decided(effects), sender: sender.clone(), shown });
        load
    } else {
        vec![Arrival { id, deleted, meaning: Meaning::Open(Box::new(incoming)), sender: sender.clone(), shown }]
    };
    let stored = arrivals.take(load).await;
    if stored {
        sender.mark_stored();
    }
    if changes_sender {
        gateway.remote.forget_key(&sender.actor);
    }
    if stored { Ok(()) } else { Err(Refusal::later()) }
}

/// What can only be decided with documents of other servers.
fn may_need_a_fetch(kind: &IncomingKind) -> bool {
    matches!(
        kind,
        IncomingKind::Create(Said::Elsewhere(_))
            | IncomingKind::Update(Updated::Elsewhere(_) | Updated::Actor)
            | IncomingKind::Move { .. }
    )
}

/// Whether what we know of the sender may no longer be so.
fn changes_sender(incoming: &Incoming) -> bool {
    match &incoming.kind {
        IncomingKind::Update(Updated::Actor) | IncomingKind::Move { .. } => true,
        IncomingKind::Delete { object } => object.as_str() == incoming.actor.as_str(),
        _ => false,
    }
}

/// Decides what an activity means, fetches what that needs, and gives what was fetched and what remains to be done.
async fn looked_after(gateway: &Gateway, incoming: &Incoming) -> Result<(Vec<Arrival>, Vec<Effect>), StoreError> {
    let known = load(gateway, incoming).await?;
    let mut effects = decide(incoming, gateway.hosts(FRESH).await?.reading(), &known);
    let elsewhere: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::FetchObject { object } => Some(object.clone()),
            _ => None,
        })
        .collect();
    effects.retain(|effect| !matches!(effect, Effect::FetchObject { .. }));
    let mut arrivals = Vec::new();
    for object in elsewhere {
        arrivals.extend(fetched(gateway, &object).await);
    }
    effects::refresh(gateway, &mut effects).await;
    Ok((arrivals, effects))
}

/// Reads an object from its origin, as if its author had just sent it. What cannot be had is left out: it is not the sender's
/// fault, and trying again would not help.
async fn fetched(gateway: &Gateway, object: &crate::urls::ObjectUrl) -> Option<Arrival> {
    let attempt = async {
        let note = remote::note(gateway, object).await?;
        let author = remote::actor(gateway, &note.attributed_to, false).await?;
        Ok::<_, RemoteFetchError>((Incoming::fetched(note), author))
    };
    match attempt.await {
        Ok((incoming, author)) => {
            let sender = Arc::new(Signer::known(author));
            let meaning = Meaning::Open(Box::new(incoming));
            Some(Arrival { id: None, deleted: None, meaning, sender, shown: None })
        }
        Err(error) => {
            tracing::info!(object.url = %object, error = with_causes(&error), "an object elsewhere was not read");
            None
        }
    }
}

/// The id by which an activity is remembered. A Follow is not: its sender may have lost our Accept and ask again.
fn remembered(incoming: &Incoming) -> Option<String> {
    match incoming.kind {
        IncomingKind::Follow { .. } => None,
        _ => incoming.id.as_ref().map(ToString::to_string),
    }
}

/// The object that a Delete takes away, so that a Create that comes after it is ignored.
fn deleted(incoming: &Incoming) -> Option<String> {
    match &incoming.kind {
        IncomingKind::Delete { object } if object.as_str() != incoming.actor.as_str() => Some(object.to_string()),
        _ => None,
    }
}

async fn load(gateway: &Gateway, incoming: &Incoming) -> Result<Known, StoreError> {
    let (named, incoming) = (names(incoming, gateway.hosts(FRESH).await?.reading()), incoming.clone());
    gateway.store.read("look up what an activity names", move |db| known(db, &named, &incoming)).await
}

/// Looks up what an activity names.
pub fn known(db: &mut Db<'_>, named: &Named, incoming: &Incoming) -> Queried<Known> {
    let mut known = Known::default();
    for id in &named.actors {
        let Some((url, continuity)) = continuity::state_of(db, *id)? else { continue };
        if !named.only_at(id.0, &url.base()) {
            continue;
        }
        if continuity.state.takes_in() {
            known.actors.push(*id);
        }
        if continuity.is_closed() && continuity.state != ActorState::HandedOver {
            known.closed.push(*id);
        }
    }
    for id in &named.posts {
        if let Some(post) = posts::by_id(db, *id)? {
            let Some((url, continuity)) = continuity::state_of(db, post.actor_id)? else { continue };
            if !named.only_at(id.0, &url.base()) {
                continue;
            }
            let public = matches!(post.state, PostState::Published(_)) && continuity.state.takes_in();
            known.posts.push(KnownPost { id: post.id, actor: post.actor_id, public });
            if matches!(incoming.kind, IncomingKind::QuoteRequest { .. }) {
                (known.quotes, known.sender_follows) = quotes::policy(db, post.actor_id, &incoming.actor)?;
            }
        }
    }
    for object in &named.objects {
        for row in messages::by_url(db, object.as_str())? {
            let author = crate::store::odd_row(ActorUrl::parse(&row.author_url))?;
            known.messages.push(KnownMessage {
                id: row.id,
                object: object.clone(),
                author,
                actor: row.actor_id,
                post: row.post_id,
            });
        }
    }
    let relay = match named.relay_follow {
        Some(number) => crate::store::relays::by_follow(db, number)?,
        None if named.follows_instance => crate::store::relays::by_actor(db, incoming.actor.as_str())?,
        None => None,
    };
    if let Some(row) = relay {
        let actor = row.actor_url.as_deref().map(ActorUrl::parse).transpose();
        let host = url::Url::parse(&row.url).map(|url| crate::urls::authority(&url)).unwrap_or_default();
        known.relay = Some(KnownRelay { id: row.id, host, actor: crate::store::odd_row(actor)? });
    }
    // Only what an actor says of itself depends on whether anything is kept of it.
    if changes_sender(incoming) {
        let sender = incoming.actor.as_str();
        known.sender_known = !followers::followed_by(db, sender)?.is_empty() || messages::any_by(db, sender)?;
    }
    Ok(known)
}
