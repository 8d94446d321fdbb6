//! WordPress: its REST API (`wp/v2`), and webhooks that say which post changed.
//!
//! WordPress itself sends no webhooks. The plugin "WP Webhooks" does, and so do WordPress.com and what an admin writes with Uncanny
//! Automator or a few lines of PHP. What they carry is not what visitors see (blocks that are not rendered, no alternative texts),
//! so an event only says which post it is about, and the post is read back from the REST API; an event that a post is no longer
//! public withdraws it at once.
//!
//! At the other side: in WP Webhooks, "Send data", the address of the source with the triggers "Post created", "Post updated",
//! "Post trashed" and "Post deleted", limited to the post type; the secret as `docs/connectors/wordpress.md` says. The REST API must
//! answer without login, or `token` is an application password, as `user:password`.

mod event;
mod post;
#[cfg(test)]
mod tests;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use url::Url;

use self::event::Meaning;
use crate::contract::{
    Connector, Delivery, ITEMS_PER_PAGE_MAX, Kind, PAGES_PER_POLL_MAX, Page, Request, Response, Secret, Told,
};
use crate::draft::{Draft, Warnings, text};
use crate::error::ConnectorError;
use crate::item::Item;
use crate::json;
use crate::settings::{Settings, refused};

const WHAT: &str = "answer of WordPress";

/// Posts that are asked for at once: WordPress gives at most 100, and with their images 50 stay well below the limit of an answer.
const PER_PAGE: usize = 50;

/// The kind `wordpress`.
pub struct WordPress;

impl Kind for WordPress {
    fn name(&self) -> &'static str {
        "wordpress"
    }

    fn profile(&self) -> Option<&'static str> {
        Some("wp-webhooks")
    }

    fn configure(&self, settings: &Value) -> Result<Box<dyn Connector>, ConnectorError> {
        let mut settings = Settings::new(settings)?;
        let site = settings.site("site")?;
        let kind = settings.text("type")?.unwrap_or_else(|| "post".to_owned());
        let route = settings.text("route")?.unwrap_or_else(|| match kind.as_str() {
            "post" => "posts".to_owned(),
            "page" => "pages".to_owned(),
            own => own.to_owned(),
        });
        let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if !is_name(&route) {
            return Err(refused("route", "must be the name under wp-json/wp/v2/, such as posts"));
        }
        let usual = || site.join(&format!("wp-json/wp/v2/{route}"));
        let api = settings.url("api")?.map_or_else(usual, Ok).map_err(|problem| refused("api", problem.to_string()))?;
        let source = Source { api, kind, token: settings.token()?, site };
        settings.finish()?;
        Ok(Box::new(source))
    }
}

struct Source {
    site: Url,
    /// The address of the list: of the route, or what the operator named.
    api: Url,
    /// The post type.
    kind: String,
    token: Option<Secret>,
}

impl Connector for Source {
    fn request(&self) -> Option<Request> {
        Some(self.list(0))
    }

    fn read(&self, response: &Response) -> Result<Page, ConnectorError> {
        let answer = json::parse(&response.body, WHAT)?;
        let posts = match &answer {
            Value::Array(posts) => posts.as_slice(),
            one if one.get("id").is_some() => std::slice::from_ref(&answer),
            other => return Err(json::lacks(WHAT, complaint(other))),
        };
        let mut warnings = Warnings::default();
        let mut items = Vec::new();
        for value in posts.iter().take(ITEMS_PER_PAGE_MAX) {
            match post::draft(value, &self.kind) {
                Ok(draft) if post::is_withheld(value) => {
                    // It may have been public before it got its password.
                    items.push(retracted(draft.id.unwrap_or_default(), draft.updated_at, &self.site));
                }
                Ok(draft) => items.push(draft.finish(&self.site, &mut warnings)),
                Err(why) => warnings.add(why),
            }
        }
        if let Some(about) = response.about.as_deref() {
            items.retain(|item| item.source_id == about);
            if items.is_empty() {
                // The list of what is public was asked for this one post, and does not have it.
                items.push(retracted(about.to_owned(), None, &self.site));
            }
        } else if items.is_empty() && !posts.is_empty() {
            return Err(json::lacks(WHAT, "none of its elements is a post of this type"));
        }
        crate::draft::identity::keep_last(&mut items);
        let next = if response.about.is_none() && posts.len() == PER_PAGE { self.after(&response.url) } else { None };
        Ok(Page { items, warnings: warnings.into_sentences(), next, ..Page::default() })
    }

    fn receive(&self, delivery: &Delivery) -> Result<Told, ConnectorError> {
        let body = json::delivered(delivery, "delivery of WordPress")?;
        Ok(match event::meaning(&body, delivery.header("x-wp-webhook-name"), &self.kind)? {
            Meaning::Read(id) => Told::fetch(self.one(&id)),
            Meaning::ReadAll => Told::fetch(self.list(0)),
            Meaning::Retract { id, version } => Told::items(vec![retracted(id, version, &self.site)]),
            Meaning::Nothing(why) => Told::ignored(why),
        })
    }
}

impl Source {
    fn get(&self, queries: &[(&str, &str)]) -> Request {
        let mut url = self.api.clone();
        url.query_pairs_mut().extend_pairs(queries).append_pair("_embed", "author,wp:featuredmedia,wp:term");
        let request = Request::get(url, "application/json");
        match &self.token {
            // An application password is for HTTP Basic; what has no user name is a token of some plugin.
            Some(token) if token.reveal().contains(':') => {
                request.header("authorization", format!("Basic {}", STANDARD.encode(token.reveal())))
            }
            Some(token) => request.header("authorization", format!("Bearer {}", token.reveal())),
            None => request,
        }
    }

    /// Not `page`, which is an error behind the last one: an offset behind the end is an empty list.
    fn list(&self, offset: usize) -> Request {
        let (offset, size) = (offset.to_string(), PER_PAGE.to_string());
        self.get(&[("per_page", &size), ("offset", &offset), ("orderby", "modified"), ("order", "desc")])
    }

    /// One post, asked of the list, which answers "none" where the post itself would answer "log in".
    fn one(&self, id: &str) -> Request {
        self.get(&[("include", id), ("per_page", "1")]).about(id)
    }

    fn after(&self, url: &Url) -> Option<Request> {
        let (_, offset) = url.query_pairs().find(|(name, _)| name == "offset")?;
        let offset = offset.parse::<usize>().ok()?.checked_add(PER_PAGE)?;
        (offset < PER_PAGE * PAGES_PER_POLL_MAX).then(|| self.list(offset))
    }
}

fn retracted(id: String, updated_at: Option<i64>, site: &Url) -> Item {
    Draft { id: Some(id), is_deleted: true, updated_at, ..Draft::default() }.finish(site, &mut Warnings::default())
}

/// What an error of the REST API says.
fn complaint(answer: &Value) -> String {
    match json::text(answer, "/code") {
        Some(code) => format!("it says `{}`; look whether the REST API is open, or give `token`", text::cut(code, 100)),
        None => "it is no list of posts".to_owned(),
    }
}
