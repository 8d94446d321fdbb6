//! Drupal: the module "webhooks" (or ECA with the same JSON), and JSON:API.
//!
//! An event carries the entity as it is stored, not as visitors see it, so it only says which node it is about; the node is read
//! back from JSON:API, which is in Drupal's core.
//!
//! At the other side: switch on the module JSON:API; in "webhooks" a webhook to the address of the source with its secret, for
//! `entity:node:create`, `entity:node:update` and `entity:node:delete`. Anonymous visitors must be allowed to view published
//! content, or `token` is a user with that right.

mod event;
mod node;
#[cfg(test)]
mod tests;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use url::Url;

use self::event::Meaning;
use crate::contract::{Connector, Delivery, Kind, Page, Request, Response, Secret, Told};
use crate::draft::{Draft, Warnings, text};
use crate::error::ConnectorError;
use crate::fields::{self, Fields, Format};
use crate::item::{EpochMs, Item};
use crate::json;
use crate::settings::{Settings, refused};

const WHAT: &str = "answer of Drupal";

/// Nodes that are asked for at once: JSON:API gives at most 50.
const PER_PAGE: usize = 50;

/// The kind `drupal`.
pub struct Drupal;

impl Kind for Drupal {
    fn name(&self) -> &'static str {
        "drupal"
    }

    fn profile(&self) -> Option<&'static str> {
        Some("hub-sha1")
    }

    fn configure(&self, settings: &Value) -> Result<Box<dyn Connector>, ConnectorError> {
        let mut settings = Settings::new(settings)?;
        let site = settings.site("site")?;
        let bundle = settings.text("type")?.unwrap_or_else(|| "article".to_owned());
        let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if !is_name(&bundle) {
            return Err(refused("type", "must be the machine name of a content type, such as article"));
        }
        let usual = || site.join(&format!("jsonapi/node/{bundle}"));
        let api = settings.url("api")?.map_or_else(usual, Ok).map_err(|problem| refused("api", problem.to_string()))?;
        let include = settings.texts("include")?;
        let retract = settings.texts("retract_states")?;
        let source = Source {
            api,
            bundle,
            include: include.unwrap_or_else(|| vec!["field_image".to_owned(), "field_tags".to_owned()]),
            retract_states: retract.unwrap_or_else(|| vec!["archived".to_owned(), "unpublished".to_owned()]),
            token: settings.token()?,
            fields: Fields::take(&mut settings, Format::Html)?,
            site,
        };
        settings.finish()?;
        Ok(Box::new(source))
    }
}

struct Source {
    site: Url,
    /// The collection of the content type.
    api: Url,
    /// The machine name of the content type.
    bundle: String,
    /// Relationships that are asked for along with the node.
    include: Vec<String>,
    /// States of content moderation in which nothing of a node is public.
    retract_states: Vec<String>,
    token: Option<Secret>,
    fields: Fields,
}

impl Connector for Source {
    fn request(&self) -> Option<Request> {
        let size = PER_PAGE.to_string();
        Some(self.get(&[("sort", "-changed"), ("page[limit]", &size)]))
    }

    fn read(&self, response: &Response) -> Result<Page, ConnectorError> {
        let answer = json::object(&response.body, WHAT)?;
        let nodes = match answer.get("data") {
            Some(Value::Array(nodes)) => nodes.as_slice(),
            Some(one @ Value::Object(_)) => std::slice::from_ref(one),
            _ => {
                let said = ["/errors/0/detail", "/errors/0/title"].iter().find_map(|at| json::text(&answer, at));
                let said = said.unwrap_or_else(|| "it has no `data`".to_owned());
                return Err(json::lacks(WHAT, text::cut(text::single_spaced(&said), 300)));
            }
        };
        let mut warnings = Warnings::default();
        let is_hidden = answer.pointer("/meta/omitted").is_some();
        if is_hidden {
            warnings.add("Drupal left nodes out that it may not show; look at the permissions, or give `token`");
        }
        let included = node::Included::of(&answer);
        let mut found = Vec::new();
        for node in nodes {
            if node::is_public(node) {
                found.push(self.item(node, &included, &mut warnings));
            } else {
                warnings.add("a node that is not published was left out");
            }
        }
        if let Some(about) = response.about.as_deref() {
            if let Some(problem) = found.iter().find_map(|one| one.as_ref().err().cloned()) {
                return Err(problem);
            }
            if found.is_empty() && is_hidden {
                return Err(json::lacks(
                    WHAT,
                    "Drupal may not show this node; look at the permissions, or give `token`",
                ));
            }
            if found.is_empty() {
                // What is published was asked for this one node, and does not have it.
                found.push(Ok(self.retracted(about.to_owned(), None)));
            }
        } else if found.iter().all(Result::is_err)
            && let Some(Err(problem)) = found.first()
        {
            return Err(problem.clone());
        }
        let page = fields::page(found.into_iter(), warnings);
        let next = if response.about.is_none() { self.next(&answer) } else { None };
        Ok(Page { next, ..page })
    }

    fn receive(&self, delivery: &Delivery) -> Result<Told, ConnectorError> {
        let body = json::delivered(delivery, event::WHAT)?;
        Ok(match event::meaning(&body, delivery.header("x-drupal-event"), &self.bundle, &self.retract_states)? {
            Meaning::Read(id) => Told::fetch(self.get(&[("filter[id]", &id)]).about(id)),
            Meaning::Retract { id, version } => Told::items(vec![self.retracted(id, version)]),
            Meaning::Nothing(why) => Told::ignored(why),
        })
    }
}

impl Source {
    fn item(
        &self,
        node: &Value,
        included: &node::Included<'_>,
        warnings: &mut Warnings,
    ) -> Result<Item, ConnectorError> {
        let id = json::text(node, "/id").ok_or_else(|| json::lacks(WHAT, "a node has no `id`"))?;
        let flat = node::flat(node, included);
        let mut draft = self.fields.draft(&flat, &flat, &|value| node::file(value, &self.site), warnings)?;
        draft.id = Some(id);
        draft.link = draft.link.or_else(|| node::address(node));
        let language = json::text(node, "/attributes/langcode").filter(|code| code != "und" && code != "zxx");
        draft.language = draft.language.or(language);
        let published = ["/attributes/published_at", "/attributes/created"].iter().find_map(|at| json::date(node, at));
        draft.published_at = draft.published_at.or(published);
        draft.updated_at = json::date(node, "/attributes/changed");
        Ok(draft.finish(&self.site, warnings))
    }

    fn retracted(&self, id: String, updated_at: Option<EpochMs>) -> Item {
        let draft = Draft { id: Some(id), is_deleted: true, updated_at, ..Draft::default() };
        draft.finish(&self.site, &mut Warnings::default())
    }

    /// Published nodes. One node is asked of the list as well, which answers "none" where the node itself would answer "forbidden".
    fn get(&self, queries: &[(&str, &str)]) -> Request {
        let mut url = self.api.clone();
        url.query_pairs_mut().append_pair("filter[status]", "1").extend_pairs(queries);
        if !self.include.is_empty() {
            url.query_pairs_mut().append_pair("include", &self.include.join(","));
        }
        self.with_token(url)
    }

    fn with_token(&self, url: Url) -> Request {
        let request = Request::get(url, "application/vnd.api+json");
        match &self.token {
            Some(token) if token.reveal().contains(':') => {
                request.header("authorization", format!("Basic {}", STANDARD.encode(token.reveal())))
            }
            Some(token) => request.header("authorization", format!("Bearer {}", token.reveal())),
            None => request,
        }
    }

    /// The query of the next page, asked of the address that the operator named.
    fn next(&self, answer: &Value) -> Option<Request> {
        let href = json::text(answer, "/links/next/href").or_else(|| json::text(answer, "/links/next"))?;
        let next = self.api.join(&href).ok()?;
        let mut url = self.api.clone();
        url.set_query(Some(next.query()?));
        Some(self.with_token(url))
    }
}
