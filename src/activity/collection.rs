//! Collections below an actor.

use serde_json::{Map, Value, json};

use crate::activity::{AS_CONTEXT, put};
use crate::actor::Actor;
use crate::ids::PostId;
use crate::urls::Base;

/// Create activities on one page of an outbox.
pub const OUTBOX_PAGE_ITEMS_MAX: usize = 20;

/// Which page of an outbox: newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutboxPage {
    /// The newest posts.
    First,
    /// Posts older than this one.
    Before(PostId),
    /// The oldest posts.
    Last,
}

impl OutboxPage {
    /// Reads the value of `page` in the query of an outbox URL: `first`, `last`, or `before-<n>`.
    pub fn read(page: &str) -> Option<Self> {
        match page {
            "first" => Some(Self::First),
            "last" => Some(Self::Last),
            other => other.strip_prefix("before-")?.parse().ok().map(Self::Before),
        }
    }

    fn query(self) -> String {
        match self {
            Self::First => "page=first".to_owned(),
            Self::Last => "page=last".to_owned(),
            Self::Before(id) => format!("page=before-{id}"),
        }
    }
}

/// The outbox (ActivityPub §5.1): how many posts there are and where to begin; the items are on its pages.
pub fn outbox(actor: &Actor, base: &Base, total: u64) -> Value {
    let id = base.below(&actor.url, "outbox");
    json!({
        "@context": AS_CONTEXT,
        "id": id,
        "type": "OrderedCollection",
        "totalItems": total,
        "first": page_url(&id, OutboxPage::First),
        "last": page_url(&id, OutboxPage::Last),
    })
}

/// One page of the outbox. `creates` are the stored bytes of the Create activities, newest first, at most
/// [`OUTBOX_PAGE_ITEMS_MAX`]; `older` is the oldest post on the page if there are older ones. Their contexts are merged into
/// that of the page; bytes that are not JSON are left out.
pub fn outbox_page(actor: &Actor, base: &Base, page: OutboxPage, creates: &[Vec<u8>], older: Option<PostId>) -> Value {
    let outbox = base.below(&actor.url, "outbox");
    let mut context = json!(AS_CONTEXT);
    let mut items = Vec::new();
    for bytes in creates.iter().take(OUTBOX_PAGE_ITEMS_MAX) {
        let Ok(mut activity) = serde_json::from_slice::<Map<String, Value>>(bytes) else { continue };
        if let Some(found) = activity.shift_remove("@context") {
            context = found;
        }
        items.push(Value::Object(activity));
    }
    let mut collection = Map::new();
    put(&mut collection, "@context", json!(context));
    put(&mut collection, "id", json!(page_url(&outbox, page)));
    put(&mut collection, "type", json!("OrderedCollectionPage"));
    put(&mut collection, "partOf", json!(outbox));
    if let Some(oldest) = older {
        put(&mut collection, "next", json!(page_url(&outbox, OutboxPage::Before(oldest))));
    }
    put(&mut collection, "orderedItems", Value::Array(items));
    Value::Object(collection)
}

/// Followers: only how many; who they are is nobody's business.
pub fn followers(actor: &Actor, base: &Base, total: u64) -> Value {
    count_only(base.below(&actor.url, "followers"), total)
}

/// Following: our actors follow nobody.
pub fn following(actor: &Actor, base: &Base) -> Value {
    count_only(base.below(&actor.url, "following"), 0)
}

/// Pinned posts by their ids, the newest pin first. Not embedded: every peer that reads them fetches each from its id anyway,
/// and GoToSocial takes nothing but ids.
pub fn featured(actor: &Actor, base: &Base, posts: &[PostId]) -> Value {
    let ids: Vec<String> = posts.iter().map(|id| base.object(*id).to_string()).collect();
    json!({
        "@context": AS_CONTEXT,
        "id": base.below(&actor.url, "featured"),
        "type": "OrderedCollection",
        "totalItems": ids.len(),
        "orderedItems": ids,
    })
}

/// Hashtags that the profile shows, each with the page of our posts that carry it. Mastodon alone reads them.
pub fn featured_tags(actor: &Actor, base: &Base) -> Value {
    let tags = &actor.profile.featured_tags;
    let items = tags.iter().map(|tag| json!({"type": "Hashtag", "href": base.hashtag(tag), "name": format!("#{tag}")}));
    json!({
        "@context": [AS_CONTEXT, {"Hashtag": "as:Hashtag"}],
        "id": base.below(&actor.url, "tags"),
        "type": "Collection",
        "totalItems": tags.len(),
        "items": items.collect::<Vec<_>>(),
    })
}

/// Without `first`: Mastodon then shows that the network is hidden.
fn count_only(id: String, total: u64) -> Value {
    json!({"@context": AS_CONTEXT, "id": id, "type": "OrderedCollection", "totalItems": total})
}

fn page_url(outbox: &str, page: OutboxPage) -> String {
    format!("{outbox}?{}", page.query())
}

#[cfg(test)]
mod tests;
