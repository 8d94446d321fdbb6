//! Umbraco 13 and later: webhooks that say which content changed, read back from the Content Delivery API
//! (`reference/connectors.md` B3, B4, B6).
//!
//! At the other side: Settings → Webhooks → create one for the URL of the source, with the events Content Published, Content
//! Unpublished, Content Deleted and Content Moved to Recycle Bin, the content types of the messages, and a header with the
//! secret (`Authorization: Bearer …`). And the Content Delivery API switched on (`Umbraco:CMS:DeliveryApi:Enabled`). Where it
//! cannot be, `payload = true` takes what the webhook itself says (payload type Legacy or Extended): then there is no list by
//! which something missed would be found.

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};
use url::Url;

use crate::contract::{Connector, Delivery, Kind, Page, Request, Response, Secret, Told};
use crate::draft::{Draft, Warnings};
use crate::error::ConnectorError;
use crate::fields::{self, Fields, Format, Types};
use crate::item::{Item, Media};
use crate::json;
use crate::settings::{Settings, refused};

const WHAT: &str = "content";
/// Items per page of the list.
const PER_PAGE: usize = 100;
/// Most items that one event may be about: an emptied recycle bin says all in one go.
pub const IDS_MAX: usize = 500;
/// Items that are read back by one request: their ids are in its URL.
const IDS_PER_REQUEST: usize = 25;

/// The kind `umbraco`.
pub struct Umbraco;

impl Kind for Umbraco {
    fn name(&self) -> &'static str {
        "umbraco"
    }

    fn profile(&self) -> Option<&'static str> {
        Some("static-header")
    }

    fn configure(&self, settings: &Value) -> Result<Box<dyn Connector>, ConnectorError> {
        let mut settings = Settings::new(settings)?;
        let source = Source {
            site: fields::folder(
                settings.url("site")?.ok_or_else(|| refused("site", "is missing; give the address of Umbraco"))?,
            ),
            token: settings.token()?,
            culture: settings.text("culture")?,
            payload: settings.flag("payload")?,
            types: Types::take(&mut settings)?,
            fields: Fields::take(&mut settings, Format::Html)?.or_title("name"),
        };
        if source.culture.as_deref().is_some_and(|culture| crate::draft::text::language(culture).is_none()) {
            return Err(refused("culture", "is no culture; write it as Umbraco does: nl-NL"));
        }
        if source.payload && source.culture.is_some() {
            return Err(refused(
                "payload",
                "cannot be used with `culture`: a webhook does not say in which language its texts are",
            ));
        }
        settings.finish()?;
        Ok(Box::new(source))
    }
}

struct Source {
    site: Url,
    token: Option<Secret>,
    /// Of content in several languages, the one to take.
    culture: Option<String>,
    /// Whether to take what a webhook itself says.
    payload: bool,
    types: Types,
    fields: Fields,
}

enum Event {
    Published,
    Withdrawn,
    Other,
}

/// Names of events, as Umbraco writes them and as its manual does.
fn event(name: &str) -> Event {
    match name.trim_start_matches("Umbraco.") {
        "ContentPublish" | "ContentPublished" => Event::Published,
        "ContentUnpublish"
        | "ContentUnpublished"
        | "ContentDelete"
        | "ContentDeleted"
        | "ContentMovedToRecycleBin"
        | "ContentEmptiedRecycleBin" => Event::Withdrawn,
        _ => Event::Other,
    }
}

impl Connector for Source {
    fn request(&self) -> Option<Request> {
        if self.payload { None } else { self.list(0) }
    }

    fn read(&self, response: &Response) -> Result<Page, ConnectorError> {
        let answer = camel(json::parse(&response.body, "list of content")?);
        let all = answer.as_array().or_else(|| answer.get("items")?.as_array());
        let all = all.ok_or_else(|| json::lacks("list of content", "it is no list and has no `items`"))?;
        let mut warnings = Warnings::default();
        let wanted: Vec<String> =
            response.url.query_pairs().filter(|(key, _)| key == "id").map(|(_, value)| value.into_owned()).collect();
        let taken = all.iter().filter(|one| !self.types.leave_out(json::text(one, "/contentType").as_deref()));
        let mut found: Vec<_> = taken.map(|one| self.item(one, &mut warnings)).collect();
        let is_there = |id: &String| all.iter().any(|one| json::text(one, "/id").as_ref() == Some(id));
        found.extend(wanted.iter().filter(|id| !is_there(id)).map(|id| Ok(self.retraction(id))));
        let mut page = fields::page(found.into_iter(), warnings);
        if wanted.is_empty() && all.len() >= PER_PAGE {
            let skip = response
                .url
                .query_pairs()
                .find(|(key, _)| key == "skip")
                .and_then(|(_, value)| value.parse::<usize>().ok());
            page.next = self.list(skip.unwrap_or_default().saturating_add(PER_PAGE));
        }
        Ok(page)
    }

    fn receive(&self, delivery: &Delivery) -> Result<Told, ConnectorError> {
        let sent = camel(json::parse(&delivery.body, "webhook")?);
        let name = delivery.header("umb-webhook-event");
        let name = name.ok_or_else(|| json::lacks("webhook", "it has no header umb-webhook-event"))?;
        let all: Vec<&Value> = match &sent {
            Value::Array(list) => list.iter().collect(),
            one => vec![one],
        };
        match event(name) {
            Event::Other => return Ok(Told::ignored("nothing was published or withdrawn by it")),
            _ if all.is_empty() || all.len() > IDS_MAX => {
                return Err(json::lacks(
                    "webhook",
                    format!("it is about {} items, 1 to {IDS_MAX} are taken", all.len()),
                ));
            }
            Event::Withdrawn => {
                let mut ids = all.iter().map(|one| id(one)).collect::<Result<Vec<_>, _>>()?;
                unique(&mut ids);
                return Ok(Told::items(ids.iter().map(|id| self.retraction(id)).collect()));
            }
            Event::Published => {}
        }
        let mut all = all;
        all.retain(|one| !self.types.leave_out(json::text(one, "/contentType").as_deref()));
        if all.is_empty() {
            return Ok(Told::ignored("its content type is not among `types`"));
        }
        if self.payload {
            let mut warnings = Warnings::default();
            let items = all.iter().map(|one| self.item(one, &mut warnings)).collect::<Result<Vec<_>, _>>()?;
            return Ok(Told::Page(fields::page(items.into_iter().map(Ok), warnings)));
        }
        let mut ids = all.iter().map(|one| id(one)).collect::<Result<Vec<_>, _>>()?;
        unique(&mut ids);
        Ok(Told::Fetch {
            requests: ids.chunks(IDS_PER_REQUEST).filter_map(|ids| self.these(ids)).collect(),
            page: Page::default(),
        })
    }
}

fn unique(ids: &mut Vec<String>) {
    let mut seen = std::collections::HashSet::new();
    ids.retain(|id| seen.insert(id.clone()));
}

/// The key (GUID) of content; its number is of no use, because the Delivery API has only keys.
fn id(of: &Value) -> Result<String, ConnectorError> {
    let is_key = |id: &String| id.len() == 36 && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    let found = ["/key", "/id"].iter().filter_map(|at| json::text(of, at)).find(is_key);
    found.map(|id| id.to_ascii_lowercase()).ok_or_else(|| json::lacks("webhook", "it has no `id` that is a GUID"))
}

/// Keys as Umbraco 14 and later write them: `createDate`, where 13 has `CreateDate`. Nesting is bounded where JSON is read.
fn camel(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let lower = |key: String| {
                let mut letters = key.chars();
                letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
            };
            Value::Object(map.into_iter().map(|(key, value)| (lower(key), camel(value))).collect())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(camel).collect()),
        other => other,
    }
}

impl Source {
    fn list(&self, skip: usize) -> Option<Request> {
        let (skip, take) = (skip.to_string(), PER_PAGE.to_string());
        let filter = match self.types.0.as_slice() {
            [one] => Some(format!("contentType:{one}")),
            _ => None,
        };
        let mut query = vec![("sort", "updateDate:desc"), ("skip", &skip), ("take", &take)];
        query.extend(filter.as_deref().map(|filter| ("filter", filter)));
        self.content("umbraco/delivery/api/v2/content", &query)
    }

    /// By a list of ids, and not each by itself: that would be 404 as well where the Delivery API is not switched on.
    fn these(&self, ids: &[String]) -> Option<Request> {
        let query: Vec<(&str, &str)> = ids.iter().map(|id| ("id", id.as_str())).collect();
        self.content("umbraco/delivery/api/v2/content/items", &query)
    }

    fn content(&self, path: &str, query: &[(&str, &str)]) -> Option<Request> {
        let mut url = self.site.join(path).ok()?;
        url.query_pairs_mut().extend_pairs(query);
        let mut request = Request::get(url, "application/json");
        if let Some(token) = &self.token {
            request = request.header("api-key", token.clone());
        }
        if let Some(culture) = &self.culture {
            request = request.header("accept-language", culture.as_str());
        }
        Some(request)
    }

    fn source_id(&self, id: &str) -> String {
        match &self.culture {
            Some(culture) => format!("{id}/{culture}"),
            None => id.to_owned(),
        }
    }

    fn retraction(&self, id: &str) -> Item {
        let draft = Draft { id: Some(self.source_id(id)), is_deleted: true, ..Draft::default() };
        draft.finish(&self.site, &mut Warnings::default())
    }

    fn item(&self, content: &Value, warnings: &mut Warnings) -> Result<Item, ConnectorError> {
        let id = id(content)?;
        let properties = content.get("properties").and_then(Value::as_object);
        let properties = properties.ok_or_else(|| {
            json::lacks(WHAT, "it has no `properties`; with payload type Minimal, leave `payload` out")
        })?;
        // Rich text is `{"markup": "<p>…</p>"}`.
        let flat = |(key, value): (&String, &Value)| (key.clone(), value.get("markup").unwrap_or(value).clone());
        let mut all: Map<String, Value> = properties.iter().map(flat).collect();
        if let Some(name) = content.get("name").filter(|_| !all.contains_key("name")) {
            all.insert("name".to_owned(), name.clone());
        }
        let mut draft = self.fields.draft(&Value::Object(all), content, &|value| self.file(value), warnings)?;
        draft.link = draft
            .link
            .or_else(|| json::text(content, "/route/path").and_then(|path| Some(self.site.join(&path).ok()?.into())));
        draft.language = draft.language.or_else(|| self.culture.clone());
        draft.id = Some(self.source_id(&id));
        draft.published_at = draft.published_at.or_else(|| json::date_utc(content, "/createDate"));
        draft.updated_at = json::date_utc(content, "/updateDate");
        draft.base = Some(self.site.clone());
        Ok(draft.finish(&self.site, warnings))
    }

    fn file(&self, value: &Value) -> Option<Media> {
        let url = value.as_str().map(str::to_owned).or_else(|| json::text(value, "/url"))?;
        let alt = ["/properties/altText", "/properties/alt", "/properties/alternativeText"]
            .iter()
            .find_map(|at| json::text(value, at));
        let number = |at: &str| json::integer(value, at).and_then(|n| u32::try_from(n).ok());
        Some(Media {
            url: self.site.join(&url).ok()?.into(),
            alt: alt.as_deref().and_then(crate::draft::alt),
            width: number("/width"),
            height: number("/height"),
            bytes: json::integer(value, "/bytes").and_then(|n| u64::try_from(n).ok()),
            media_type: None,
        })
    }
}
