//! Sitecore with Experience Edge (XM Cloud, or XM with Edge): webhooks that say what was published, read back from the GraphQL
//! API of Edge (`reference/connectors.md` B3, B5).
//!
//! At the other side: with the Admin API of Edge create a webhook for the URL of the source, with `executionMode` `OnUpdate` and
//! a header with the secret (`Authorization: Bearer …`). The token of the source is an API key of the Delivery API. Edge switches a
//! webhook off after ten failures in a row.
//!
//! Webhooks of the content database (`item:saved` and the like) are about drafts: of them only `item:deleted` is of use.
//! `publish:end` does not say what was published. A site without Edge is best read by its feed.

mod graphql;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};
use url::Url;

use crate::contract::{Connector, Delivery, Kind, Page, Request, Response, Secret, Told};
use crate::draft::{Draft, Warnings, text};
use crate::error::ConnectorError;
use crate::fields::{self, Fields, Format, Types};
use crate::item::{Item, Media};
use crate::json;
use crate::settings::{Settings, refused};

const WHAT: &str = "item";
/// Most items that one event may be about.
pub const UPDATES_MAX: usize = 500;
/// Items that are read back by one request: the query is in its URL.
const ITEMS_PER_REQUEST: usize = 25;
/// Items per page of the list.
const PER_PAGE: usize = 50;

/// The kind `sitecore`.
pub struct Sitecore;

impl Kind for Sitecore {
    fn name(&self) -> &'static str {
        "sitecore"
    }

    fn profile(&self) -> Option<&'static str> {
        Some("static-header")
    }

    fn configure(&self, settings: &Value) -> Result<Box<dyn Connector>, ConnectorError> {
        let mut settings = Settings::new(settings)?;
        let usual = "https://edge.sitecorecloud.io/api/graphql/v1";
        let api = match settings.url("api")? {
            Some(url) => url,
            None => Url::parse(usual).map_err(|problem| refused("api", problem.to_string()))?,
        };
        let mut id = |key| match settings.text(key)? {
            None => Ok(None),
            Some(text) => guid(&text).map(Some).ok_or_else(|| refused(key, "is no id; it has 32 hexadecimal digits")),
        };
        let (root, template) = (id("root")?, id("template")?);
        let source = Source {
            token: settings
                .token()?
                .ok_or_else(|| refused("token", "is missing; give an API key of the Delivery API of Edge"))?,
            locale: settings.required("locale", "the language of the texts, as Sitecore writes it: nl-NL")?,
            api,
            root,
            template,
            types: Types::take(&mut settings)?,
            fields: Fields::take(&mut settings, Format::Html)?,
        };
        if text::language(&source.locale).is_none() {
            return Err(refused("locale", "is no language tag; write nl or nl-NL"));
        }
        settings.finish()?;
        Ok(Box::new(source))
    }
}

/// The id of an item as 32 upper-case digits: with or without dashes and braces, in either case, it is the same.
fn guid(text: &str) -> Option<String> {
    let digits: String = text.chars().take(40).filter(|c| !matches!(c, '-' | '{' | '}')).collect();
    (digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| digits.to_ascii_uppercase())
}

struct Source {
    api: Url,
    token: Secret,
    locale: String,
    /// The item below which the messages are, and their template: for the list.
    root: Option<String>,
    template: Option<String>,
    /// Names of templates that are taken.
    types: Types,
    fields: Fields,
}

impl Connector for Source {
    /// What was changed last, where `root` and `template` say of what.
    fn request(&self) -> Option<Request> {
        self.list("")
    }

    fn read(&self, response: &Response) -> Result<Page, ConnectorError> {
        let answer = json::object(&response.body, "answer of Edge")?;
        let data = answer.get("data").and_then(Value::as_object);
        let data = data.filter(|_| json::list(&answer, "/errors").is_empty()).ok_or_else(|| {
            let problem = json::text(&answer, "/errors/0/message").unwrap_or_else(|| "it has no `data`".to_owned());
            json::lacks("answer of Edge", text::cut(text::single_spaced(&problem), 200))
        })?;
        let mut warnings = Warnings::default();
        if let Some(search) = data.get("search") {
            let results = search.get("results").and_then(Value::as_array);
            let results = results.ok_or_else(|| json::lacks("answer of Edge", "its `search` has no `results`"))?;
            let found: Vec<_> =
                results.iter().filter(|one| self.takes(one)).map(|one| self.item(one, &mut warnings)).collect();
            let mut page = fields::page(found.into_iter(), warnings);
            let has_next = search.pointer("/pageInfo/hasNext").and_then(Value::as_bool) == Some(true);
            let cursor = json::text(search, "/pageInfo/endCursor").filter(|_| has_next);
            page.next = cursor.and_then(|cursor| self.list(&cursor));
            return Ok(page);
        }
        let mut found = Vec::new();
        for (alias, item) in data {
            // The name under which it was asked for is its id.
            match (alias.strip_prefix("i").and_then(guid), item) {
                (Some(id), Value::Null) => found.push(Ok(self.retraction(&id))),
                (Some(_), item) if self.takes(item) => found.push(self.item(item, &mut warnings)),
                (Some(_), _) => {}
                (None, _) => return Err(json::lacks("answer of Edge", "it answers something else than was asked")),
            }
        }
        Ok(fields::page(found.into_iter(), warnings))
    }

    fn receive(&self, delivery: &Delivery) -> Result<Told, ConnectorError> {
        let sent = json::object(&delivery.body, "webhook")?;
        if let Some(event) = json::text(&sent, "/EventName") {
            return self.content_database(&event, &sent);
        }
        let updates = sent.get("updates").and_then(Value::as_array);
        let problem = "it has neither `updates` nor `EventName`; is its mode OnUpdate?";
        let updates = updates.ok_or_else(|| json::lacks("webhook", problem))?;
        if updates.len() > UPDATES_MAX {
            return Err(json::lacks("webhook", format!("it has {} updates, {UPDATES_MAX} are taken", updates.len())));
        }
        let (mut changed, mut gone): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
        for update in updates {
            let is_item = json::text(update, "/entity_definition").as_deref() == Some("Item");
            let is_other =
                json::text(update, "/entity_culture").is_some_and(|locale| !locale.eq_ignore_ascii_case(&self.locale));
            let Some(id) = json::text(update, "/identifier").as_deref().and_then(guid).filter(|_| is_item && !is_other)
            else {
                continue;
            };
            changed.retain(|known| *known != id);
            gone.retain(|known| *known != id);
            match json::text(update, "/operation").unwrap_or_default().to_ascii_lowercase().as_str() {
                "delete" | "deleted" => gone.push(id),
                _ => changed.push(id),
            }
        }
        let page = Page { items: gone.iter().map(|id| self.retraction(id)).collect(), ..Page::default() };
        let requests: Vec<Request> = changed.chunks(ITEMS_PER_REQUEST).map(|ids| self.these(ids)).collect();
        Ok(match (requests.is_empty(), page.items.is_empty()) {
            (true, true) => Told::ignored("it says of no item in the language of the source that it changed"),
            (true, false) => Told::Page(page),
            (false, _) => Told::Fetch { requests, page },
        })
    }
}

impl Source {
    /// An event of the content database, which is not what the public sees.
    fn content_database(&self, event: &str, sent: &Value) -> Result<Told, ConnectorError> {
        match event {
            "item:deleted" => {
                let id = json::text(sent, "/Item/Id").as_deref().and_then(guid);
                let id = id.ok_or_else(|| json::lacks("webhook", "it has no `Item.Id`"))?;
                Ok(Told::items(vec![self.retraction(&id)]))
            }
            "publish:end" => Ok(Told::ignored("it does not say what was published; use a webhook of Experience Edge")),
            _ => Ok(Told::ignored(
                "it is about the content database, which is not public; use a webhook of Experience Edge",
            )),
        }
    }

    fn these(&self, ids: &[String]) -> Request {
        self.ask(&graphql::items(ids, &self.locale))
    }

    fn list(&self, after: &str) -> Option<Request> {
        let (root, template) = (self.root.as_ref()?, self.template.as_ref()?);
        Some(self.ask(&graphql::search(root, template, &self.locale, PER_PAGE, after)))
    }

    fn ask(&self, query: &str) -> Request {
        let mut url = self.api.clone();
        url.query_pairs_mut().append_pair("query", query);
        Request::get(url, "application/json").header("sc_apikey", self.token.clone())
    }

    fn source_id(&self, id: &str) -> String {
        format!("{id}/{}", self.locale)
    }

    fn retraction(&self, id: &str) -> Item {
        let draft = Draft { id: Some(self.source_id(id)), is_deleted: true, ..Draft::default() };
        draft.finish(&self.api, &mut Warnings::default())
    }

    fn takes(&self, item: &Value) -> bool {
        !self.types.leave_out(json::text(item, "/template/name").as_deref())
    }

    fn item(&self, item: &Value, warnings: &mut Warnings) -> Result<Item, ConnectorError> {
        let id =
            json::text(item, "/id").as_deref().and_then(guid).ok_or_else(|| json::lacks(WHAT, "it has no `id`"))?;
        let mut all = Map::new();
        for field in json::list(item, "/fields").iter().take(1_000) {
            let Some(name) = json::text(field, "/name") else { continue };
            // What the field means, where Edge says so; else as it is stored.
            let value =
                field.pointer("/jsonValue/value").filter(|value| !value.is_null()).or_else(|| field.get("value"));
            all.extend(value.map(|value| (name, value.clone())));
        }
        let all = Value::Object(all);
        let mut draft = self.fields.draft(&all, item, &file, warnings)?;
        draft.id = Some(self.source_id(&id));
        draft.link = draft.link.or_else(|| json::text(item, "/url/url").filter(|url| url.starts_with("http")));
        draft.language = draft.language.or_else(|| Some(self.locale.clone()));
        draft.published_at = draft.published_at.or_else(|| json::date(&all, "/__Created"));
        draft.updated_at = json::date(&all, "/__Updated");
        Ok(draft.finish(&self.api, warnings))
    }
}

fn file(value: &Value) -> Option<Media> {
    let number = |at: &str| json::integer(value, at).and_then(|n| u32::try_from(n).ok());
    Some(Media {
        url: json::text(value, "/src").filter(|url| url.starts_with("http"))?,
        alt: json::text(value, "/alt").as_deref().and_then(crate::draft::alt),
        media_type: Some("image/*".to_owned()),
        width: number("/width"),
        height: number("/height"),
        ..Media::default()
    })
}
