//! Ghost: its webhooks, which carry the whole post and are signed, and its Content API.
//!
//! A webhook of Ghost does not say which event it is; what the post is now and what it was before does.
//!
//! At the other side: Settings → Integrations → Add custom integration; copy its Content API key to `token`; add webhooks for "Post
//! published", "Published post updated", "Post unpublished" and "Post deleted" with the address and the secret of the source.

mod post;
#[cfg(test)]
mod tests;

use serde_json::Value;
use url::Url;

use crate::contract::{Connector, Delivery, ITEMS_PER_PAGE_MAX, Kind, Page, Request, Response, Secret, Told};
use crate::draft::{Draft, Warnings, identity, text};
use crate::error::ConnectorError;
use crate::item::Item;
use crate::json;
use crate::settings::{Settings, refused};

const WHAT: &str = "answer of Ghost";
const DELIVERY: &str = "delivery of Ghost";

/// Posts that are asked for at once: Ghost gives at most 100.
const PER_PAGE: usize = 50;
/// Length of a key of the Content API, in hexadecimal digits, as Ghost makes them.
const KEY_DIGITS: usize = 26;

/// The kind `ghost`.
pub struct Ghost;

impl Kind for Ghost {
    fn name(&self) -> &'static str {
        "ghost"
    }

    fn profile(&self) -> Option<&'static str> {
        Some("ghost")
    }

    fn configure(&self, settings: &Value) -> Result<Box<dyn Connector>, ConnectorError> {
        let mut settings = Settings::new(settings)?;
        let site = settings.site("site")?;
        let admin = settings.url("api")?.map_or_else(|| site.clone(), crate::settings::folder);
        let posts = admin.join("ghost/api/content/posts/").map_err(|problem| refused("api", problem.to_string()))?;
        let key = settings.token()?;
        settings.finish()?;
        if let Some(key) = key.as_ref().map(Secret::reveal) {
            let is_key = key.len() == KEY_DIGITS && key.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !is_key {
                let problem =
                    "is no Content API key, which has 26 digits and letters; never give the Admin API key here";
                return Err(refused("token", problem));
            }
        }
        Ok(Box::new(Source { site, posts, key }))
    }
}

struct Source {
    site: Url,
    /// The list of the Content API.
    posts: Url,
    /// The key of the Content API, which Ghost takes in the address only.
    key: Option<Secret>,
}

impl Connector for Source {
    fn request(&self) -> Option<Request> {
        self.list(1)
    }

    fn read(&self, response: &Response) -> Result<Page, ConnectorError> {
        let answer = json::object(&response.body, WHAT)?;
        let Some(Value::Array(posts)) = answer.get("posts") else {
            let said = json::text(&answer, "/errors/0/message").unwrap_or_else(|| "it has no `posts`".to_owned());
            return Err(json::lacks(WHAT, text::cut(text::single_spaced(&said), 200)));
        };
        let mut warnings = Warnings::default();
        let mut items = Vec::new();
        for value in posts.iter().take(ITEMS_PER_PAGE_MAX) {
            match post::draft(value) {
                None => warnings.add("an element without `id` was left out"),
                // It may have been for everybody before.
                Some(_) if post::state(value, "published") != post::State::Public => items.push(self.retracted(value)),
                Some(draft) => items.push(draft.finish(&self.site, &mut warnings)),
            }
        }
        identity::keep_last(&mut items);
        let next = json::integer(&answer, "/meta/pagination/next").and_then(|page| usize::try_from(page).ok());
        let next = next.filter(|page| *page > 1).and_then(|page| self.list(page));
        Ok(Page { items, warnings: warnings.into_sentences(), next, ..Page::default() })
    }

    fn receive(&self, delivery: &Delivery) -> Result<Told, ConnectorError> {
        let body = json::object(&delivery.body, DELIVERY)?;
        let Some(event) = body.get("post") else {
            let kind = body.as_object().and_then(|body| body.keys().next().cloned()).unwrap_or_default();
            if kind.is_empty() {
                return Err(json::lacks(DELIVERY, "it is empty"));
            }
            return Ok(Told::ignored(format!("it is about a `{}`, not a post", text::cut(kind, 50))));
        };
        let empty = Value::Null;
        let (now, before) = (event.get("current").unwrap_or(&empty), event.get("previous").unwrap_or(&empty));
        if now.get("id").is_none() && before.get("id").is_none() {
            return Err(json::lacks(DELIVERY, "it names no post: neither `current` nor `previous` has an `id`"));
        }
        match post::meaning(now, before) {
            post::Meaning::Publish => self.published(now),
            post::Meaning::Retract => {
                let of = if now.get("id").is_some() { now } else { before };
                Ok(Told::items(vec![self.retracted(of)]))
            }
            post::Meaning::Nothing(why) => Ok(Told::ignored(why)),
        }
    }
}

impl Source {
    fn published(&self, post: &Value) -> Result<Told, ConnectorError> {
        let mut warnings = Warnings::default();
        let draft = post::draft(post).ok_or_else(|| json::lacks(DELIVERY, "`id` of the post is no text"))?;
        let items = vec![draft.finish(&self.site, &mut warnings)];
        Ok(Told::Page(Page { items, warnings: warnings.into_sentences(), ..Page::default() }))
    }

    fn retracted(&self, post: &Value) -> Item {
        let (id, updated_at) = (json::text(post, "/id"), json::date(post, "/updated_at"));
        let draft = Draft { id, is_deleted: true, updated_at, ..Draft::default() };
        draft.finish(&self.site, &mut Warnings::default())
    }

    fn list(&self, page: usize) -> Option<Request> {
        let mut url = self.posts.clone();
        url.query_pairs_mut()
            .append_pair("include", "tags,authors")
            .append_pair("formats", "html")
            .append_pair("order", "updated_at desc")
            .append_pair("limit", &PER_PAGE.to_string())
            .append_pair("page", &page.to_string());
        let request = Request::get(url, "application/json").header("accept-version", "v5.0");
        Some(request.parameter("key", self.key.clone()?))
    }
}
