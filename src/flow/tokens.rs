//! Tokens by which clients write to a source: made, listed, revoked, and looked up. A token is shown once, when it is made; what is
//! kept is its hash.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;

use crate::flow::hooks::keep;
use crate::flow::{Gateway, now};
use crate::ids::TokenId;
use crate::store::sources::{self, Source};
use crate::store::tokens::{self, Token};
use crate::store::{Db, StoreError, audit};
use crate::time::Timestamp;

/// What every token begins with, so that programs that look for secrets find it.
const PREFIX: &str = "heraut_";
/// Bytes of chance in a token.
const RANDOM_BYTES: usize = 32;
/// Longest token that is looked up, in bytes.
pub const TOKEN_BYTES_MAX: usize = 256;
/// Longest name of a token, in characters.
pub const NAME_CHARS_MAX: usize = 100;
/// How exactly is noted when a token was last used: not with every request.
const USED_WITHIN: Duration = Duration::from_secs(60);

/// What a token may do: the scopes that Micropub clients know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Make posts.
    Create,
    /// Make drafts, which a person releases.
    Draft,
    /// Change posts.
    Update,
    /// Withdraw posts.
    Delete,
    /// Say what was withdrawn again.
    Undelete,
    /// Send pictures.
    Media,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Create, Self::Draft, Self::Update, Self::Delete, Self::Undelete, Self::Media];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Draft => "draft",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Undelete => "undelete",
            Self::Media => "media",
        }
    }

    /// Reads scopes with commas or spaces between them.
    pub fn read(text: &str) -> Result<Vec<Self>, TokenError> {
        let mut scopes = Vec::new();
        for word in text.split([',', ' ']).map(str::trim).filter(|word| !word.is_empty()) {
            let scope = Self::ALL.into_iter().find(|scope| scope.name() == word);
            let scope = scope.ok_or_else(|| TokenError::Scope(word.to_owned()))?;
            if !scopes.contains(&scope) {
                scopes.push(scope);
            }
        }
        if scopes.is_empty() { Err(TokenError::Scope(text.to_owned())) } else { Ok(scopes) }
    }
}

/// Why a token cannot be made or revoked.
#[derive(Debug, Error)]
pub enum TokenError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No such source.
    #[error("there is no source `{0}`; `heraut source list` shows those that there are")]
    NoSource(String),
    /// Nobody writes to that source.
    #[error(
        "source `{name}` is of the kind `{kind}`, to which nobody writes with a token; tokens are for the kind `micropub`"
    )]
    Kind {
        /// Its name.
        name: String,
        /// Its kind.
        kind: String,
    },
    /// No such scope.
    #[error("`{0}` is no scope; these are: create, draft, update, delete, undelete, media")]
    Scope(String),
    /// The name cannot be used.
    #[error(
        "the name of a token has 1 to {NAME_CHARS_MAX} characters; say who uses it, so that you know what you revoke"
    )]
    Name,
    /// It would never hold.
    #[error("a token that expires at once is of no use")]
    Expired,
    /// No such token.
    #[error("there is no token {0}; `heraut token list` shows those that there are")]
    NoToken(TokenId),
}

/// A token to be made.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The name of the source.
    pub source: String,
    /// Who uses it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// For how long it holds; `None` until it is revoked.
    pub lasts: Option<Duration>,
}

/// Makes a token. Its text is given here and nowhere else.
pub async fn make(gateway: &Gateway, plan: Plan, who: &str) -> Result<(Token, String), TokenError> {
    let name = plan.name.trim().to_owned();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        return Err(TokenError::Name);
    }
    if plan.lasts.is_some_and(|lasts| lasts.is_zero()) {
        return Err(TokenError::Expired);
    }
    let source = find_source(gateway, &plan.source).await?;
    if !keep::kind(&source).is_some_and(|kind| kind.takes_tokens()) {
        return Err(TokenError::Kind { name: source.name, kind: source.kind });
    }
    let text = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(rand::random::<[u8; RANDOM_BYTES]>()));
    let at = now();
    let scopes: Vec<&str> = plan.scopes.iter().map(|scope| scope.name()).collect();
    let token = Token {
        id: TokenId(gateway.mint.next()),
        source_id: source.id,
        hash: hash(&text),
        name,
        scopes: scopes.join(" "),
        created_at: at,
        expires_at: plan.lasts.map(|lasts| at.after(lasts)),
        used_at: None,
        revoked_at: None,
    };
    let detail = format!("`{}` for {}: {}", token.name, source.name, token.scopes);
    let entry = gateway.audit(who, "token.make", format!("token:{}", token.id), detail);
    let row = token.clone();
    let write = move |db: &mut Db<'_>| {
        tokens::insert(db, &row)?;
        audit::add(db, &entry)
    };
    gateway.store.write("store a token", write).await?;
    Ok((token, text))
}

/// Revokes a token: it holds no more from the next request on.
pub async fn revoke(gateway: &Gateway, id: TokenId, who: &str) -> Result<Token, TokenError> {
    let token = gateway.store.read("read a token", move |db| tokens::by_id(db, id)).await?;
    let token = token.ok_or(TokenError::NoToken(id))?;
    let entry = gateway.audit(who, "token.revoke", format!("token:{id}"), format!("`{}`", token.name));
    let at = now();
    let write = move |db: &mut Db<'_>| {
        if tokens::revoke(db, id, at)? {
            audit::add(db, &entry)?;
        }
        Ok(())
    };
    gateway.store.write("revoke a token", write).await?;
    Ok(token)
}

/// The source of that name.
pub async fn find_source(gateway: &Gateway, name: &str) -> Result<Source, TokenError> {
    let wanted = name.to_owned();
    let found = gateway.store.read("read a source", move |db| sources::by_name(db, &wanted)).await?;
    found.ok_or_else(|| TokenError::NoSource(name.to_owned()))
}

/// What is known of a token that somebody shows, with its source; whether it holds is for the caller to judge.
pub async fn look_up(gateway: &Gateway, text: &str) -> Result<Option<(Token, Source)>, StoreError> {
    if text.len() > TOKEN_BYTES_MAX {
        return Ok(None);
    }
    let hash = hash(text);
    let load = move |db: &mut Db<'_>| {
        let Some(token) = tokens::by_hash(db, &hash)? else { return Ok(None) };
        Ok(sources::by_id(db, token.source_id)?.map(|source| (token, source)))
    };
    gateway.store.read("look a token up", load).await
}

/// Notes that a token was used.
pub async fn note_use(gateway: &Gateway, token: &Token) {
    let at = now();
    let before = at.before(USED_WITHIN);
    if token.used_at.is_some_and(|used| used > before) {
        return;
    }
    let id = token.id;
    let note = move |db: &mut Db<'_>| tokens::used(db, id, at, before);
    if let Err(error) = gateway.store.write("note the use of a token", note).await {
        tracing::warn!(error = &error as &dyn std::error::Error, "the use of a token could not be noted");
    }
}

/// Why a token does not hold, if it does not.
pub fn lapsed(token: &Token, now: Timestamp) -> Option<&'static str> {
    match (token.revoked_at, token.expires_at) {
        (Some(_), _) => Some("revoked"),
        (None, Some(until)) if until <= now => Some("expired"),
        _ => None,
    }
}

fn hash(text: &str) -> String {
    hex::encode(openssl::sha::sha256(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_by_name_and_nothing_else_is_one() {
        assert_eq!(Scope::read("create, update").unwrap(), [Scope::Create, Scope::Update]);
        assert_eq!(Scope::read("media media").unwrap(), [Scope::Media]);
        for text in ["", " , ", "admin", "create,post", "Create"] {
            assert!(Scope::read(text).is_err(), "{text}");
        }
    }
}
