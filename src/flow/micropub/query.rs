//! What clients ask about the endpoint and about posts.

use heraut_connectors::micropub::entry::Entry;
use serde_json::{Value, json};

use super::refusal::Refusal;
use super::{Client, find};
use crate::flow::tokens::Scope;
use crate::flow::{Gateway, intake};

/// The questions that are answered.
const QUESTIONS: [&str; 3] = ["config", "source", "syndicate-to"];

/// What a client asks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Query {
    /// `q`.
    pub question: Option<String>,
    /// `url`, of `q=source`.
    pub url: Option<String>,
    /// `properties[]`, of `q=source`.
    pub properties: Vec<String>,
}

/// The answer, as JSON.
pub async fn query(gateway: &Gateway, client: &Client, query: &Query) -> Result<Value, Refusal> {
    match query.question.as_deref() {
        Some("config") => Ok(json!({
            "media-endpoint": client.actor.base().micropub_media(),
            "syndicate-to": [],
            "q": QUESTIONS,
            "post-types": [
                { "type": "note", "name": "Note" },
                { "type": "article", "name": "Article" },
                { "type": "photo", "name": "Photo" },
            ],
            "visibility": ["public"],
            "post-status": ["published", "draft"],
            "scope": client.token.scopes,
        })),
        Some("syndicate-to") => Ok(json!({ "syndicate-to": [] })),
        Some("source") => source(gateway, client, query).await,
        Some(other) => {
            let shown: String = other.chars().take(40).collect();
            let why = format!("`q={shown}` is not answered here; these are: {}", QUESTIONS.join(", "));
            Err(Refusal::Invalid(why))
        }
        None => Err(Refusal::Invalid(format!("`q` is missing; these are answered: {}", QUESTIONS.join(", ")))),
    }
}

/// The properties of an entry as they were sent; also of one that is not public yet, so not for a token that only sends pictures.
async fn source(gateway: &Gateway, client: &Client, query: &Query) -> Result<Value, Refusal> {
    client.may_one(&[Scope::Create, Scope::Update], Scope::Update)?;
    let url =
        query.url.as_deref().ok_or_else(|| Refusal::Invalid("`url` is missing: the post it is about".to_owned()))?;
    let row = find(gateway, client, url).await?;
    let entry = intake::stored_item(&row).ok().and_then(|item| Entry::of(&item));
    let entry = entry.ok_or_else(|| Refusal::Invalid("this post was not written with Micropub".to_owned()))?;
    Ok(entry.source(&query.properties))
}
