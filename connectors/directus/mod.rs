//! Directus: a Flow that sends its trigger, read back from the items API (`reference/connectors.md` B3, B6).
//!
//! At the other side: a Flow with the trigger "Event Hook", of type "Action (Non-Blocking)", for `items.create`, `items.update`
//! and `items.delete` of the collection; in it one operation "Webhook / Request URL" with method POST, the URL of the source,
//! a header with the secret (`Authorization: Bearer …`) and the body `{{ $trigger }}`. And a static token of a user whose role
//! may read the collection, and the files if there are images.
//!
//! A status field is a convention of Directus and no part of it: what `status_field` holds decides, and what is not in
//! `published` is withdrawn. An update says only which fields changed, so each item is read back.

#[cfg(test)]
mod tests;

use serde_json::Value;
use url::Url;

use crate::contract::{Connector, Delivery, Kind, Page, Request, Response, Secret, Told};
use crate::draft::{Draft, Warnings};
use crate::error::ConnectorError;
use crate::fields::{self, Fields, Format};
use crate::item::{Item, Media};
use crate::json;
use crate::settings::{Settings, refused};

const WHAT: &str = "item";
/// Items per page of the list.
const PER_PAGE: usize = 100;
/// Most items that one event may be about: a Flow that is run over a whole collection says so in one go.
pub const KEYS_MAX: usize = 500;
/// Items that are read back by one request: their keys are in its URL.
const KEYS_PER_REQUEST: usize = 25;

/// The kind `directus`.
pub struct Directus;

impl Kind for Directus {
    fn name(&self) -> &'static str {
        "directus"
    }

    fn profile(&self) -> Option<&'static str> {
        Some("static-header")
    }

    fn configure(&self, settings: &Value) -> Result<Box<dyn Connector>, ConnectorError> {
        let mut settings = Settings::new(settings)?;
        let collection = settings.required("collection", "the collection with the messages")?;
        let key = settings.text("key")?.unwrap_or_else(|| "id".to_owned());
        let status_field = settings.text("status_field")?.unwrap_or_else(|| "status".to_owned());
        for (setting, name) in [("collection", &collection), ("key", &key), ("status_field", &status_field)] {
            if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
                return Err(refused(setting, "is no name; it has letters, digits, `-` and `_`"));
            }
        }
        let source = Source {
            site: fields::folder(
                settings.url("site")?.ok_or_else(|| refused("site", "is missing; give the address of Directus"))?,
            ),
            token: settings.token()?,
            status_field: (!settings.flag("no_status")?).then_some(status_field),
            published: settings.texts("published")?.unwrap_or_else(|| vec!["published".to_owned()]),
            expand: settings.texts("expand")?.unwrap_or_default(),
            fields: Fields::take(&mut settings, Format::Html)?,
            collection,
            key,
        };
        settings.finish()?;
        Ok(Box::new(source))
    }
}

struct Source {
    site: Url,
    token: Option<Secret>,
    collection: String,
    /// The field with the primary key.
    key: String,
    /// The field that says whether an item is public; `None`: all are.
    status_field: Option<String>,
    published: Vec<String>,
    /// Fields of related items to ask for.
    expand: Vec<String>,
    fields: Fields,
}

impl Connector for Source {
    /// What was changed last, whatever its status: so a withdrawal that nobody heard of is found.
    fn request(&self) -> Option<Request> {
        self.list(0)
    }

    fn read(&self, response: &Response) -> Result<Page, ConnectorError> {
        let answer = json::object(&response.body, "list of items")?;
        let all = answer.get("data").and_then(Value::as_array);
        let all = all.ok_or_else(|| json::lacks("list of items", "it has no list `data`"))?;
        let mut warnings = Warnings::default();
        let mut found: Vec<_> = all.iter().map(|one| self.item(one, &mut warnings)).collect();
        let parameter =
            |name: &str| response.url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        if let Some(wanted) = parameter(&self.filter()) {
            let is_there = |key: &str| all.iter().any(|one| self.key(one).as_deref() == Some(key));
            let absent = wanted.split(',').filter(|key| !key.is_empty() && !is_there(key));
            found.extend(absent.map(|key| Ok(self.retraction(key.to_owned(), None))));
            return Ok(fields::page(found.into_iter(), warnings));
        }
        let mut page = fields::page(found.into_iter(), warnings);
        let from: usize = parameter("offset").and_then(|offset| offset.parse().ok()).unwrap_or_default();
        page.next = if all.len() < PER_PAGE { None } else { self.list(from.saturating_add(PER_PAGE)) };
        Ok(page)
    }

    fn receive(&self, delivery: &Delivery) -> Result<Told, ConnectorError> {
        let sent = json::object(&delivery.body, "event")?;
        let event = json::text(&sent, "/event")
            .ok_or_else(|| json::lacks("event", "it has no `event`; is its body {{ $trigger }}?"))?;
        if json::text(&sent, "/collection").is_some_and(|collection| collection != self.collection) {
            return Ok(Told::ignored("it is about another collection than the source"));
        }
        let keys = keys(&sent)?;
        let status =
            self.status_field.as_ref().and_then(|field| json::text(sent.get("payload")?, &format!("/{field}")));
        let is_hidden = status.is_some_and(|status| !self.published.contains(&status));
        match event.rsplit('.').next().unwrap_or_default() {
            "create" if is_hidden => Ok(Told::ignored("it is made, and not public")),
            "update" if is_hidden => Ok(self.withdrawn(keys)),
            "create" | "update" => Ok(Told::Fetch {
                requests: keys.chunks(KEYS_PER_REQUEST).filter_map(|keys| self.these(keys)).collect(),
                page: Page::default(),
            }),
            "delete" => Ok(self.withdrawn(keys)),
            _ => Ok(Told::ignored("its `event` ends neither in create nor in update or delete")),
        }
    }
}

/// The keys that an event is about: `keys`, `key`, or the payload of a deletion.
fn keys(event: &Value) -> Result<Vec<String>, ConnectorError> {
    let texts = |list: &[Value]| list.iter().filter_map(|key| json::text(key, "")).collect::<Vec<_>>();
    let mut keys = texts(json::list(event, "/keys"));
    if keys.is_empty() {
        keys.extend(json::text(event, "/key"));
    }
    if keys.is_empty() {
        keys = texts(json::list(event, "/payload"));
    }
    let is_key = |key: &String| key.len() <= 255 && !key.contains(',');
    match keys.len() {
        0 => Err(json::lacks("event", "it has neither `key` nor `keys`")),
        n if n > KEYS_MAX => Err(json::lacks("event", format!("it is about {n} items, {KEYS_MAX} are taken"))),
        _ if !keys.iter().all(is_key) => {
            Err(json::lacks("event", "a key is longer than 255 bytes or has a comma in it"))
        }
        _ => {
            let mut seen = std::collections::HashSet::new();
            keys.retain(|key| seen.insert(key.clone()));
            Ok(keys)
        }
    }
}

impl Source {
    fn filter(&self) -> String {
        format!("filter[{}][_in]", self.key)
    }

    fn key(&self, item: &Value) -> Option<String> {
        json::text(item, &format!("/{}", self.key))
    }

    fn list(&self, from: usize) -> Option<Request> {
        let (limit, offset) = (PER_PAGE.to_string(), from.to_string());
        self.items(&[("sort", "-date_updated,-date_created"), ("limit", &limit), ("offset", &offset)])
    }

    fn these(&self, keys: &[String]) -> Option<Request> {
        self.items(&[(&self.filter(), &keys.join(",")), ("limit", "-1")])
    }

    fn items(&self, query: &[(&str, &str)]) -> Option<Request> {
        let mut url = self.site.join(&format!("items/{}", self.collection)).ok()?;
        let mut wanted = vec!["*".to_owned()];
        for part in ["id", "type", "description", "width", "height", "filesize"] {
            wanted.extend(self.fields.image_named.as_ref().map(|image| format!("{image}.{part}")));
        }
        wanted.extend(self.expand.iter().cloned());
        url.query_pairs_mut().extend_pairs(query).append_pair("fields", &wanted.join(","));
        let request = Request::get(url, "application/json");
        Some(match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {}", token.reveal())),
            None => request,
        })
    }

    fn withdrawn(&self, keys: Vec<String>) -> Told {
        Told::items(keys.into_iter().map(|key| self.retraction(key, None)).collect())
    }

    fn retraction(&self, key: String, at: Option<i64>) -> Item {
        let draft = Draft { id: Some(key), is_deleted: true, updated_at: at, ..Draft::default() };
        draft.finish(&self.site, &mut Warnings::default())
    }

    fn item(&self, item: &Value, warnings: &mut Warnings) -> Result<Item, ConnectorError> {
        let key = self.key(item).ok_or_else(|| json::lacks(WHAT, format!("it has no `{}`", self.key)))?;
        let changed = json::date_utc(item, "/date_updated").or_else(|| json::date_utc(item, "/date_created"));
        if let Some(field) = &self.status_field {
            let status = json::text(item, &format!("/{field}"));
            let problem =
                || format!("it has no field `{field}`; name the right one in `status_field`, or set `no_status`");
            let status = status.ok_or_else(|| json::lacks(WHAT, problem()))?;
            if !self.published.contains(&status) {
                return Ok(self.retraction(key, changed));
            }
        }
        let meta = serde_json::json!({ "id": key });
        let mut draft = self.fields.draft(item, &meta, &|value| self.file(value), warnings)?;
        draft.id = Some(key);
        draft.published_at = draft.published_at.or_else(|| json::date_utc(item, "/date_created"));
        draft.updated_at = changed;
        Ok(draft.finish(&self.site, warnings))
    }

    /// A file: its id, or what was asked of it.
    fn file(&self, value: &Value) -> Option<Media> {
        let id = value.as_str().map(str::to_owned).or_else(|| json::text(value, "/id"))?;
        let is_id = id.len() == 36 && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
        let number = |at: &str| json::integer(value, at).and_then(|n| u32::try_from(n).ok());
        is_id.then_some(())?;
        Some(Media {
            url: self.site.join(&format!("assets/{id}")).ok()?.into(),
            // The address of a file does not end in its type.
            media_type: json::text(value, "/type").or_else(|| Some("image/*".to_owned())),
            alt: json::text(value, "/description").as_deref().and_then(crate::draft::alt),
            width: number("/width"),
            height: number("/height"),
            bytes: json::integer(value, "/filesize").and_then(|n| u64::try_from(n).ok()),
        })
    }
}
