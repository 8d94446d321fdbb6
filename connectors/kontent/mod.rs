//! Kontent.ai: notifications that name content items, read back from the Delivery API (`reference/connectors.md` B3, B4, B6).
//!
//! At the other side: Environment settings → Webhooks → create one for the URL of the source, with the events Published and
//! Unpublished of content items in the published slot; its secret is the secret of the source. A token (API key) only where
//! secure access is switched on.

#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};
use url::Url;

use crate::contract::{Connector, Delivery, Kind, Page, Request, Response, Secret, Told};
use crate::draft::{Draft, Warnings, text};
use crate::error::ConnectorError;
use crate::fields::{self, Fields, Format, Types};
use crate::item::{Item, Media};
use crate::json;
use crate::settings::{Settings, refused};

const WHAT: &str = "content item";
/// Items per page of the list.
const PER_PAGE: usize = 100;
/// Most notifications of one call.
pub const NOTIFICATIONS_MAX: usize = 500;
/// Items that are read back by one request: their ids are in its URL.
const IDS_PER_REQUEST: usize = 25;

/// The kind `kontent`.
pub struct Kontent;

impl Kind for Kontent {
    fn name(&self) -> &'static str {
        "kontent"
    }

    fn profile(&self) -> Option<&'static str> {
        Some("kontent")
    }

    fn configure(&self, settings: &Value) -> Result<Box<dyn Connector>, ConnectorError> {
        let mut settings = Settings::new(settings)?;
        let source = Source {
            environment: settings.required("environment", "the id of the environment")?,
            locale: settings.required("locale", "the codename of the language, such as nl or default")?,
            api: match settings.url("api")? {
                Some(url) => fields::folder(url),
                None => {
                    Url::parse("https://deliver.kontent.ai/").map_err(|problem| refused("api", problem.to_string()))?
                }
            },
            token: settings.token()?,
            types: Types::take(&mut settings)?,
            fields: Fields::take(&mut settings, Format::Html)?,
        };
        if !is_name(&source.environment) {
            return Err(refused("environment", "is no id; it has letters, digits and `-`"));
        }
        settings.finish()?;
        Ok(Box::new(source))
    }
}

fn is_name(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= 100
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

struct Source {
    environment: String,
    /// The codename of the language that is taken.
    locale: String,
    api: Url,
    token: Option<Secret>,
    types: Types,
    fields: Fields,
}

/// What a notification says of an item.
enum Notice {
    Published(String),
    /// With when it was last changed, if it says.
    Withdrawn(String, Option<i64>),
    Ignored(&'static str),
}

impl Connector for Source {
    /// The items that were changed last.
    fn request(&self) -> Option<Request> {
        self.list(0)
    }

    fn read(&self, response: &Response) -> Result<Page, ConnectorError> {
        let answer = json::object(&response.body, "list of content items")?;
        let all = answer.get("items").and_then(Value::as_array);
        let all = all.ok_or_else(|| json::lacks("list of content items", "it has no list `items`"))?;
        let mut warnings = Warnings::default();
        let taken = all.iter().filter(|one| !self.types.leave_out(json::text(one, "/system/type").as_deref()));
        let found: Vec<_> = taken.map(|one| self.item(one, &mut warnings)).collect();
        let parameter =
            |name: &str| response.url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        if let Some(wanted) = parameter("system.id[in]") {
            let is_there = |id: &str| all.iter().any(|one| json::text(one, "/system/id").as_deref() == Some(id));
            let absent = wanted.split(',').filter(|id| !is_there(id)).count();
            if all.is_empty() && absent > 0 {
                return Err(json::lacks(WHAT, "the Delivery API does not have it yet, or no longer"));
            }
            (0..absent).for_each(|_| warnings.add("the Delivery API does not have an item that was published"));
            return Ok(fields::page(found.into_iter(), warnings));
        }
        let mut page = fields::page(found.into_iter(), warnings);
        let from: usize = parameter("skip").and_then(|skip| skip.parse().ok()).unwrap_or_default();
        page.next = if all.len() < PER_PAGE { None } else { self.list(from.saturating_add(PER_PAGE)) };
        Ok(page)
    }

    fn receive(&self, delivery: &Delivery) -> Result<Told, ConnectorError> {
        let sent = json::object(&delivery.body, "webhook")?;
        let all = sent.get("notifications").and_then(Value::as_array);
        let problem = "it has no list `notifications`; is it a legacy webhook? Make a new one";
        let all = all.ok_or_else(|| json::lacks("webhook", problem))?;
        if all.is_empty() || all.len() > NOTIFICATIONS_MAX {
            let problem = format!("it has {} notifications, 1 to {NOTIFICATIONS_MAX} are taken", all.len());
            return Err(json::lacks("webhook", problem));
        }
        // Of several notifications about one item the last one holds.
        let (mut published, mut withdrawn, mut ignored): (
            Vec<String>,
            Vec<(String, Option<i64>)>,
            Option<&'static str>,
        ) = Default::default();
        for one in all {
            match self.notice(one)? {
                Notice::Ignored(why) => ignored = Some(why),
                Notice::Published(id) => {
                    withdrawn.retain(|(known, _)| *known != id);
                    published.retain(|known| *known != id);
                    published.push(id);
                }
                Notice::Withdrawn(id, at) => {
                    withdrawn.retain(|(known, _)| *known != id);
                    published.retain(|known| *known != id);
                    withdrawn.push((id, at));
                }
            }
        }
        let page =
            Page { items: withdrawn.iter().map(|(id, at)| self.retraction(id, *at)).collect(), ..Page::default() };
        let requests: Vec<Request> = published.chunks(IDS_PER_REQUEST).filter_map(|ids| self.these(ids)).collect();
        Ok(match (requests.is_empty(), page.items.is_empty()) {
            (true, true) => Told::ignored(ignored.unwrap_or("it says nothing")),
            (true, false) => Told::Page(page),
            (false, _) => Told::Fetch { requests, page },
        })
    }
}

impl Source {
    fn notice(&self, one: &Value) -> Result<Notice, ConnectorError> {
        let text = |at: &str| json::text(one, at);
        if text("/message/environment_id").is_some_and(|environment| environment != self.environment) {
            return Ok(Notice::Ignored("it is of another environment than the source"));
        }
        if text("/message/object_type").is_some_and(|kind| kind != "content_item") {
            return Ok(Notice::Ignored("it is about no content item"));
        }
        if text("/message/delivery_slot").as_deref() != Some("published") {
            return Ok(Notice::Ignored("it is about a draft (the slot is not `published`)"));
        }
        if text("/data/system/language").is_some_and(|language| language != self.locale) {
            return Ok(Notice::Ignored("it is in another language than the source"));
        }
        if self.types.leave_out(text("/data/system/type").as_deref()) {
            return Ok(Notice::Ignored("its content type is not among `types`"));
        }
        let id = text("/data/system/id").filter(|id| is_name(id));
        let id = id.ok_or_else(|| json::lacks("webhook", "a notification has no `data.system.id`"))?;
        Ok(match text("/message/action").as_deref() {
            Some("published") => Notice::Published(id),
            Some("unpublished" | "deleted") => Notice::Withdrawn(id, json::date(one, "/data/system/last_modified")),
            _ => Notice::Ignored("nothing was published or withdrawn by it"),
        })
    }

    fn list(&self, skip: usize) -> Option<Request> {
        let (skip, limit, types) = (skip.to_string(), PER_PAGE.to_string(), self.types.0.join(","));
        let mut query = vec![("order", "system.last_modified[desc]"), ("limit", &limit), ("skip", &skip)];
        if !types.is_empty() {
            query.push(("system.type[in]", &types));
        }
        self.items(&query)
    }

    fn these(&self, ids: &[String]) -> Option<Request> {
        // Without this header the answer may be the state before the notification.
        Some(self.items(&[("system.id[in]", &ids.join(","))])?.header("x-kc-wait-for-loading-new-content", "true"))
    }

    fn items(&self, query: &[(&str, &str)]) -> Option<Request> {
        let mut url = self.api.join(&format!("{}/items", self.environment)).ok()?;
        // The filter leaves out items that would come in a language that is only the fall-back of the one asked for.
        let usual = [("language", self.locale.as_str()), ("system.language", &self.locale), ("depth", "0")];
        url.query_pairs_mut().extend_pairs(query).extend_pairs(usual);
        let request = Request::get(url, "application/json");
        Some(match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {}", token.reveal())),
            None => request,
        })
    }

    fn source_id(&self, id: &str) -> String {
        format!("{id}/{}", self.locale)
    }

    fn retraction(&self, id: &str, updated_at: Option<i64>) -> Item {
        let draft = Draft { id: Some(self.source_id(id)), is_deleted: true, updated_at, ..Draft::default() };
        draft.finish(&self.api, &mut Warnings::default())
    }

    fn item(&self, item: &Value, warnings: &mut Warnings) -> Result<Item, ConnectorError> {
        let id = json::text(item, "/system/id").ok_or_else(|| json::lacks(WHAT, "it has no `system.id`"))?;
        let elements = item.get("elements").and_then(Value::as_object);
        let elements = elements.ok_or_else(|| json::lacks(WHAT, "it has no `elements`"))?;
        let values: Map<String, Value> = elements
            .iter()
            .map(|(name, element)| (name.clone(), element.get("value").cloned().unwrap_or_default()))
            .collect();
        let unresolved = elements
            .values()
            .any(|element| element.get("links").and_then(Value::as_object).is_some_and(|all| !all.is_empty()));
        if unresolved {
            warnings.add(
                "links from a text to other content items lead to its own page, because where those are is not known",
            );
        }
        let meta = json!({ "id": id, "codename": item.pointer("/system/codename") });
        let mut draft = self.fields.draft(&Value::Object(values), &meta, &file, warnings)?;
        draft.id = Some(self.source_id(&id));
        draft.language = draft.language.or_else(|| text::language(&self.locale));
        draft.updated_at = json::date(item, "/system/last_modified");
        Ok(draft.finish(&self.api, warnings))
    }
}

fn file(value: &Value) -> Option<Media> {
    let number = |at: &str| json::integer(value, at).and_then(|n| u32::try_from(n).ok());
    Some(Media {
        url: json::text(value, "/url").filter(|url| url.starts_with("http"))?,
        media_type: json::text(value, "/type"),
        alt: json::text(value, "/description").as_deref().and_then(crate::draft::alt),
        width: number("/width"),
        height: number("/height"),
        bytes: json::integer(value, "/size").and_then(|n| u64::try_from(n).ok()),
    })
}
