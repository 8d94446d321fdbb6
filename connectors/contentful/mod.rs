//! Contentful: webhooks of the Content Management API, read back from the Content Delivery API (`reference/connectors.md` B3, B4,
//! E3).
//!
//! At the other side: Settings → Webhooks → add one for the URL of the source, with the events publish, unpublish, archive and
//! delete of entries and the content type `application/json`; and Settings → Webhooks → Settings → request verification, of
//! which the secret (64 characters) is the secret of the source. For images and for what changed while nobody listened, a token
//! of the Content Delivery API (Settings → API keys).
//!
//! An entry is read back with `sys.updatedAt[gte]` of the event: the delivery API may still know only the state before, and then
//! it has nothing, which is tried again.

#[cfg(test)]
mod tests;

use std::collections::HashMap;

use serde_json::{Map, Value};
use url::Url;

use crate::contract::{Connector, Delivery, Kind, Page, Request, Response, Secret, Told};
use crate::draft::{Draft, Warnings};
use crate::error::ConnectorError;
use crate::fields::{self, Fields, Format, Types};
use crate::item::{Action, Category, Item, Media};
use crate::json;
use crate::settings::{Settings, refused};

const WHAT: &str = "entry";
/// Entries per page of the list; the most that the API gives is 1,000, with what they link to that would be too large.
const PER_PAGE: usize = 100;
/// Most assets of one answer that are looked at: each entry has an image or two.
const ASSETS_MAX: usize = 10_000;

/// The kind `contentful`.
pub struct Contentful;

impl Kind for Contentful {
    fn name(&self) -> &'static str {
        "contentful"
    }

    fn profile(&self) -> Option<&'static str> {
        Some("contentful")
    }

    fn configure(&self, settings: &Value) -> Result<Box<dyn Connector>, ConnectorError> {
        let mut settings = Settings::new(settings)?;
        let source = Source {
            space: name(&mut settings, "space")?
                .ok_or_else(|| refused("space", "is missing; give the id of the space"))?,
            environment: name(&mut settings, "environment")?.unwrap_or_else(|| "master".to_owned()),
            api: match settings.url("api")? {
                Some(url) => fields::folder(url),
                None => {
                    Url::parse("https://cdn.contentful.com/").map_err(|problem| refused("api", problem.to_string()))?
                }
            },
            token: settings.token()?,
            locale: settings.required("locale", "the locale of the texts, as Contentful writes it: nl-NL")?,
            default_locale: settings.text("default_locale")?,
            types: Types::take(&mut settings)?,
            fields: Fields::take(&mut settings, Format::Plain)?,
        };
        settings.finish()?;
        Ok(Box::new(source))
    }
}

/// An id, which goes into the path of an address.
fn name(settings: &mut Settings, key: &'static str) -> Result<Option<String>, ConnectorError> {
    let found = settings.text(key)?;
    let is_id = |id: &str| {
        id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')) && !id.contains("..")
    };
    match found {
        Some(id) if !is_id(&id) => Err(refused(key, "is no id; it has letters, digits, `-`, `_` and `.`")),
        other => Ok(other),
    }
}

struct Source {
    space: String,
    environment: String,
    api: Url,
    token: Option<Secret>,
    locale: String,
    /// Fields that are not translated have their value under this one.
    default_locale: Option<String>,
    types: Types,
    fields: Fields,
}

impl Connector for Source {
    /// The entries that were published last.
    fn request(&self) -> Option<Request> {
        self.list(0)
    }

    fn read(&self, response: &Response) -> Result<Page, ConnectorError> {
        let answer = json::object(&response.body, "list of entries")?;
        let items = answer.get("items").and_then(Value::as_array);
        let items = items.ok_or_else(|| json::lacks("list of entries", "it has no `items`"))?;
        if items.is_empty() && response.url.query_pairs().any(|(key, _)| key == "sys.id") {
            return Err(json::lacks("entry", "the delivery API does not have this state of it yet, or no longer"));
        }
        let mut warnings = Warnings::default();
        let assets = Assets::of(&answer, self);
        let found: Vec<Option<Result<Item, ConnectorError>>> = items
            .iter()
            .filter(|entry| !self.types.leave_out(content_type(entry).as_deref()))
            .map(|entry| self.item(entry, &assets, &mut warnings).transpose())
            .collect();
        let mut page = fields::page(found.into_iter().flatten(), warnings);
        let skip = json::integer(&answer, "/skip").and_then(|n| usize::try_from(n).ok()).unwrap_or_default();
        let total = json::integer(&answer, "/total").and_then(|n| usize::try_from(n).ok()).unwrap_or_default();
        let read = skip.saturating_add(items.len());
        page.next = if read < total && !items.is_empty() { self.list(read) } else { None };
        Ok(page)
    }

    fn receive(&self, delivery: &Delivery) -> Result<Told, ConnectorError> {
        let entry = json::object(&delivery.body, "webhook")?;
        let topic = delivery.header("x-contentful-topic").unwrap_or_default();
        let topic = topic
            .strip_prefix("ContentManagement.")
            .ok_or_else(|| json::lacks("webhook", "it has no header x-contentful-topic"))?;
        let (kind, event) = topic.split_once('.').unwrap_or((topic, ""));
        if kind != "Entry" {
            return Ok(Told::ignored(format!(
                "it is about no entry (`{}`)",
                crate::draft::text::cut(topic.to_owned(), 100)
            )));
        }
        let id = json::text(&entry, "/sys/id").ok_or_else(|| json::lacks("webhook", "it has no `sys.id`"))?;
        for (what, wanted) in [("space", &self.space), ("environment", &self.environment)] {
            if json::text(&entry, &format!("/sys/{what}/sys/id")).is_some_and(|found| found != *wanted) {
                return Ok(Told::ignored(format!("it is of another {what} than the source")));
            }
        }
        if self.types.leave_out(content_type(&entry).as_deref()) {
            return Ok(Told::ignored("its content type is not among `types`"));
        }
        match event {
            "publish" => self.published(&entry, &id),
            "unpublish" | "delete" | "archive" => Ok(Told::items(vec![self.retraction(&entry, id)])),
            _ => Ok(Told::ignored("nothing was published or withdrawn by it")),
        }
    }
}

impl Source {
    /// The list of entries, latest first, from that one on.
    fn list(&self, skip: usize) -> Option<Request> {
        let mut query = vec![
            ("locale".to_owned(), "*".to_owned()),
            ("include".to_owned(), "1".to_owned()),
            ("order".to_owned(), "-sys.updatedAt".to_owned()),
            ("limit".to_owned(), PER_PAGE.to_string()),
            ("skip".to_owned(), skip.to_string()),
        ];
        if !self.types.0.is_empty() {
            query.push(("sys.contentType.sys.id[in]".to_owned(), self.types.0.join(",")));
        }
        self.entries(&query)
    }

    fn entries(&self, query: &[(String, String)]) -> Option<Request> {
        let token = self.token.as_ref()?;
        let path = format!("spaces/{}/environments/{}/entries", self.space, self.environment);
        let mut url = self.api.join(&path).ok()?;
        url.query_pairs_mut().extend_pairs(query);
        Some(Request::get(url, "application/json").header("authorization", format!("Bearer {}", token.reveal())))
    }

    fn published(&self, entry: &Value, id: &str) -> Result<Told, ConnectorError> {
        let mut query = vec![
            ("sys.id".to_owned(), id.to_owned()),
            ("locale".to_owned(), "*".to_owned()),
            ("include".to_owned(), "1".to_owned()),
        ];
        query.extend(json::text(entry, "/sys/updatedAt").map(|at| ("sys.updatedAt[gte]".to_owned(), at)));
        if let Some(request) = self.entries(&query) {
            return Ok(Told::fetch(request));
        }
        let mut warnings = Warnings::default();
        warnings.add("images are left out, because the source has no `token` to read them with");
        let Some(item) = self.item(entry, &Assets::default(), &mut warnings)? else {
            return Ok(Told::ignored(format!("it has no text in the locale {}", self.locale)));
        };
        Ok(Told::Page(Page { items: vec![item], warnings: warnings.into_sentences(), ..Page::default() }))
    }

    fn source_id(&self, id: &str) -> String {
        format!("{id}/{}", self.locale)
    }

    fn retraction(&self, entry: &Value, id: String) -> Item {
        let draft =
            Draft { id: Some(self.source_id(&id)), is_deleted: true, updated_at: changed(entry), ..Draft::default() };
        Item { source_version: version(entry), ..draft.finish(&self.api, &mut Warnings::default()) }
    }

    /// The entry in the locale of the source; `None` when it is not there in it.
    fn item(
        &self,
        entry: &Value,
        assets: &Assets<'_>,
        warnings: &mut Warnings,
    ) -> Result<Option<Item>, ConnectorError> {
        let id = json::text(entry, "/sys/id").ok_or_else(|| json::lacks(WHAT, "it has no `sys.id`"))?;
        let all = entry.get("fields").and_then(Value::as_object);
        let all = all.ok_or_else(|| json::lacks(WHAT, "it has no `fields`"))?;
        if !all.values().any(|field| field.get(&self.locale).is_some()) {
            return Ok(None);
        }
        let fields = Value::Object(
            all.iter().filter_map(|(key, field)| Some((key.clone(), self.said(field)?.clone()))).collect(),
        );
        let meta = serde_json::json!({ "id": id, "locale": self.locale });
        let mut draft = self.fields.draft(&fields, &meta, &|link| assets.file(link), warnings)?;
        draft.id = Some(self.source_id(&id));
        draft.language = draft.language.or_else(|| Some(self.locale.clone()));
        let first =
            ["/sys/firstPublishedAt", "/sys/publishedAt", "/sys/createdAt"].iter().find_map(|at| json::date(entry, at));
        draft.published_at = draft.published_at.or(first);
        draft.updated_at = changed(entry);
        if draft.categories.is_empty() {
            let tags = json::list(entry, "/metadata/tags").iter().filter_map(|tag| json::text(tag, "/sys/id"));
            draft.categories = tags.map(|term| Category { term, scheme: None }).collect();
        }
        let mut item = draft.finish(&self.api, warnings);
        item.source_version = version(entry);
        debug_assert_eq!(item.action, Action::Publish);
        Ok(Some(item))
    }

    /// What a field says in the locale of the source.
    fn said<'v>(&self, field: &'v Value) -> Option<&'v Value> {
        field.get(&self.locale).or_else(|| field.get(self.default_locale.as_deref()?))
    }
}

fn content_type(entry: &Value) -> Option<String> {
    json::text(entry, "/sys/contentType/sys/id")
}

/// How often it was published, which both APIs count, under two names.
fn version(entry: &Value) -> Option<i64> {
    ["/sys/publishedCounter", "/sys/revision"].iter().find_map(|at| json::integer(entry, at))
}

fn changed(entry: &Value) -> Option<i64> {
    ["/sys/updatedAt", "/sys/deletedAt"].iter().find_map(|at| json::date(entry, at))
}

/// The files that came along with entries, by id.
#[derive(Default)]
struct Assets<'v>(HashMap<&'v str, Media>);

impl<'v> Assets<'v> {
    fn of(answer: &'v Value, source: &Source) -> Self {
        let all = json::list(answer, "/includes/Asset").iter().take(ASSETS_MAX);
        Self(all.filter_map(|asset| Some((asset.pointer("/sys/id")?.as_str()?, media(asset, source)?))).collect())
    }

    /// The file of a link to an asset.
    fn file(&self, link: &Value) -> Option<Media> {
        self.0.get(link.pointer("/sys/id")?.as_str()?).cloned()
    }
}

fn media(asset: &Value, source: &Source) -> Option<Media> {
    let field = |name: &str| {
        let all = asset.pointer("/fields")?.get(name)?;
        // An asset that is not translated is the same picture in every locale.
        source.said(all).or_else(|| all.as_object().and_then(|all: &Map<String, Value>| all.values().next()))
    };
    let file = field("file")?;
    let number = |at: &str| json::integer(file, at).and_then(|n| u32::try_from(n).ok());
    let alt = source_text(asset, source, "description").or_else(|| source_text(asset, source, "title"));
    let url = json::text(file, "/url")?;
    Some(Media {
        url: if url.starts_with("//") { format!("https:{url}") } else { url },
        media_type: json::text(file, "/contentType"),
        alt: alt.as_deref().and_then(crate::draft::alt),
        width: number("/details/image/width"),
        height: number("/details/image/height"),
        bytes: json::integer(file, "/details/size").and_then(|n| u64::try_from(n).ok()),
    })
}

/// A text of an asset in the locale of the source: in another language it would be no alternative text.
fn source_text(asset: &Value, source: &Source, name: &str) -> Option<String> {
    json::text(asset.pointer("/fields")?.get(name)?, &format!("/{}", source.locale))
}
