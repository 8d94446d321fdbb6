//! What clients do to the posts of a source, with a token of it (docs/adr/0013-micropub.md). A client waits for the answer, and
//! gets it when what it asked for is on disk.

mod change;
mod create;
mod query;
pub mod refusal;
pub mod uploads;

use std::time::{Duration, Instant};

use heraut_connectors::item::Item;

use crate::actor::Actor;
use crate::flow::intake::one::Taken;
use crate::flow::rates::Rates;
use crate::flow::tokens::{self, Scope};
use crate::flow::{Gateway, now};
use crate::ids::PostId;
use crate::post::{HoldReason, PostState};
use crate::store::items::{self, ItemRow};
use crate::store::posts::{self, PendingChange, Post};
use crate::store::sources::Source;
use crate::store::tokens::Token;
use crate::store::{Db, StoreError, actors, client_requests};

pub use change::{delete, undelete, update};
pub use create::{Sent, create, read_parts};
pub use query::{Query, query};
use refusal::Refusal;

/// How long is waited for a post to be public, so that a client that follows `Location` finds it.
const PUBLIC_WITHIN: Duration = Duration::from_secs(3);
/// How often is looked meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(25);
/// How often an edit is made anew because somebody else edited the same post.
const RACES_MAX: usize = 5;

/// Who asks: a token that holds, and what it is for.
#[derive(Debug, Clone)]
pub struct Client {
    /// The token.
    pub token: Token,
    /// Its source.
    pub source: Source,
    /// The actor that it speaks for.
    pub actor: Actor,
    scopes: Vec<Scope>,
}

/// What a client is told when it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// There is a post.
    Made {
        /// Its page.
        url: String,
        /// The page can be seen.
        public: bool,
        /// What it waits for, if it waits.
        waits: Option<String>,
        /// What editors should know of it.
        notes: Vec<String>,
        /// Commands that mean nothing here.
        ignored: Vec<String>,
    },
    /// A post is changed or withdrawn.
    Changed {
        /// What the change waits for, if it waits.
        waits: Option<String>,
        /// What editors should know of it.
        notes: Vec<String>,
    },
}

/// Who shows that token, if it holds and its source takes anything.
pub async fn admit(gateway: &Gateway, rates: &Rates, text: &str) -> Result<Client, Refusal> {
    let (token, source) = tokens::look_up(gateway, text).await?.ok_or(Refusal::Token("not known here"))?;
    if let Some(why) = tokens::lapsed(&token, now()) {
        tracing::warn!(
            source.name = source.name,
            token.name = token.name,
            reason = why,
            "a token was used that holds no more"
        );
        return Err(Refusal::Token(why));
    }
    if source.settings.disabled {
        return Err(Refusal::Forbidden("the source of this token is disabled; its operator must enable it".to_owned()));
    }
    rates.take(&source.name, Instant::now()).map_err(Refusal::TooMany)?;
    let id = source.actor_id;
    let actor = gateway.store.read("read the actor of a source", move |db| actors::by_id(db, id)).await?;
    let actor = actor.ok_or(Refusal::Later)?;
    let scopes = Scope::read(&token.scopes).unwrap_or_default();
    tokens::note_use(gateway, &token).await;
    Ok(Client { token, source, actor, scopes })
}

impl Client {
    /// Whether the token may do that.
    pub fn may(&self, scope: Scope) -> Result<(), Refusal> {
        if self.scopes.contains(&scope) { Ok(()) } else { Err(Refusal::Scope(scope)) }
    }

    /// Whether the token may do one of these.
    pub fn may_one(&self, scopes: &[Scope], named: Scope) -> Result<(), Refusal> {
        if scopes.iter().any(|scope| self.scopes.contains(scope)) { Ok(()) } else { Err(Refusal::Scope(named)) }
    }

    /// For the audit log.
    fn who(&self) -> String {
        format!("token:{} ({})", self.token.id, self.token.name)
    }

    /// The page of a post.
    fn page(&self, post: PostId) -> String {
        self.actor.base().post_page(self.actor.handle.as_str(), post)
    }
}

/// Forgets what need not be known any more: requests that will not be repeated, pictures that nothing shows.
pub async fn clear(gateway: &Gateway) -> Result<(), StoreError> {
    let before = now().before(create::KEY_KEPT);
    let forget = move |db: &mut Db<'_>| client_requests::forget(db, before);
    gateway.store.write("forget what clients asked", forget).await?;
    uploads::clear(gateway).await
}

/// The item of this source whose post has or had that page.
async fn find(gateway: &Gateway, client: &Client, url: &str) -> Result<ItemRow, Refusal> {
    let nothing = || Refusal::Invalid("`url` names no post that was made with this source".to_owned());
    let post = client.actor.base().read_post(url).ok_or_else(nothing)?;
    let source = client.source.id;
    let read = move |db: &mut Db<'_>| items::of_post_in(db, source, post);
    gateway.store.read("look for the item of a post", read).await?.ok_or_else(nothing)
}

/// The post of an item and what waits for it.
type Standing = (Option<Post>, Option<PendingChange>);

async fn standing(gateway: &Gateway, post: PostId) -> Result<Standing, StoreError> {
    let read = move |db: &mut Db<'_>| Ok((posts::by_id(db, post)?, posts::change(db, post)?));
    gateway.store.read("read how a post stands", read).await
}

/// Waits a moment for a post to be as it should, and says how it stands.
async fn until(gateway: &Gateway, post: PostId, done: impl Fn(&Standing) -> bool) -> Result<Standing, StoreError> {
    let begun = Instant::now();
    loop {
        let now = standing(gateway, post).await?;
        if done(&now) || begun.elapsed() >= PUBLIC_WITHIN {
            return Ok(now);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The answer about a post that was made, after it had a moment to become public.
async fn made(
    gateway: &Gateway,
    client: &Client,
    post: PostId,
    notes: Vec<String>,
    ignored: Vec<String>,
) -> Result<Answer, Refusal> {
    let decided = |(post, _): &Standing| post.as_ref().is_none_or(|post| post.state != PostState::Ready);
    let (found, _) = until(gateway, post, decided).await?;
    let state = found.map(|post| post.state);
    let public = matches!(state, Some(PostState::Published(_) | PostState::Withdrawn(_)));
    Ok(Answer::Made { url: client.page(post), public, waits: state.and_then(waits), notes, ignored })
}

/// What a post waits for.
fn waits(state: PostState) -> Option<String> {
    match state {
        PostState::Held(reason) => Some(held(reason)),
        PostState::Scheduled(at) | PostState::Embargoed(at) => Some(format!("it is published at {at}")),
        PostState::Ready => Some("it is published in a moment".to_owned()),
        PostState::Published(_) | PostState::Withdrawn(_) => None,
    }
}

fn held(reason: HoldReason) -> String {
    format!("it is held: {}", reason.explain())
}

/// The names of the pictures of an item that were sent before.
fn sent_before(gateway: &Gateway, item: &Item) -> Vec<String> {
    let hosts = gateway.hosts_seen();
    item.media.iter().filter_map(|media| hosts.reading().read_upload(&media.url)).map(str::to_owned).collect()
}

/// The refusal in what became of an item, if it is one.
fn refused(taken: &Taken) -> Option<Refusal> {
    match taken {
        Taken::Refused(why) => Some(Refusal::Invalid(format!("{why}; nothing was done"))),
        Taken::Conflict => Some(Refusal::Conflict),
        Taken::NotAllowed => Some(Refusal::Scope(Scope::Update)),
        _ => None,
    }
}
