//! Strapi 4 and 5: webhooks that name their event, and the REST API.
//!
//! Strapi sends the entry along, but without private fields, and in 4 without relations. With `route` the entry is read back from the
//! REST API, which also lists what is public; without it what was sent is taken.
//!
//! At the other side: Settings → Webhooks → Create new webhook: the address of the source, a header with its secret, and under
//! "Entry" the events Create, Update, Delete, Publish and Unpublish. Strapi sends the events of all content types; `model` says
//! which one is meant. Strapi tries once and never again: give `route`, so that what was missed is found.

mod entry;
#[cfg(test)]
mod tests;

use serde_json::Value;
use url::Url;

use self::entry::Meaning;
use crate::contract::{Connector, Delivery, Kind, Page, Request, Response, Secret, Told};
use crate::draft::{Draft, Warnings, text};
use crate::error::ConnectorError;
use crate::fields::{self, Fields, Format};
use crate::item::{EpochMs, Item, Media};
use crate::json;
use crate::settings::{Settings, refused};

const WHAT: &str = "answer of Strapi";
const DELIVERY: &str = "delivery of Strapi";

/// Entries that are asked for at once: Strapi gives at most 100.
const PER_PAGE: usize = 50;

/// The kind `strapi`.
pub struct Strapi;

impl Kind for Strapi {
    fn name(&self) -> &'static str {
        "strapi"
    }

    fn profile(&self) -> Option<&'static str> {
        Some("static-header")
    }

    fn configure(&self, settings: &Value) -> Result<Box<dyn Connector>, ConnectorError> {
        let mut settings = Settings::new(settings)?;
        let has_drafts = match settings.value("draft_and_publish") {
            None => true,
            Some(Value::Bool(on)) => on,
            Some(_) => return Err(refused("draft_and_publish", "must be true or false")),
        };
        let source = Source {
            site: settings.site("site")?,
            model: settings.required("model", "the singular name of the content type, such as persbericht")?,
            route: settings.text("route")?,
            locale: settings.text("locale")?,
            token: settings.token()?,
            has_drafts,
            fields: Fields::take(&mut settings, Format::Markdown)?,
        };
        settings.finish()?;
        let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        match source.route.as_deref() {
            Some(route) if !is_name(route) => {
                Err(refused("route", "must be the plural name under /api/, such as persberichten"))
            }
            _ => Ok(Box::new(source)),
        }
    }
}

struct Source {
    /// The address of Strapi itself.
    site: Url,
    /// The content type that is taken.
    model: String,
    /// Its plural name, under `api/`.
    route: Option<String>,
    /// The only locale that is taken.
    locale: Option<String>,
    token: Option<Secret>,
    /// Whether the content type has "draft and publish".
    has_drafts: bool,
    fields: Fields,
}

impl Connector for Source {
    fn request(&self) -> Option<Request> {
        self.list(1)
    }

    fn read(&self, response: &Response) -> Result<Page, ConnectorError> {
        let answer = json::object(&response.body, WHAT)?;
        let entries = match answer.get("data") {
            Some(Value::Array(entries)) => entries.as_slice(),
            Some(one @ Value::Object(_)) => std::slice::from_ref(one),
            _ => {
                let said = json::text(&answer, "/error/message").unwrap_or_else(|| "it has no `data`".to_owned());
                let said = text::cut(text::single_spaced(&said), 200);
                return Err(json::lacks(WHAT, format!("{said}; look at the permissions of the API, or give `token`")));
            }
        };
        let mut warnings = Warnings::default();
        let mut found = Vec::new();
        for value in entries {
            let flat = entry::flat(value);
            if self.has_drafts && entry::is_draft(&flat) {
                warnings.add("a draft in the list was left out");
            } else {
                found.push(self.item(&flat, &mut warnings));
            }
        }
        let failed = found.iter().find_map(|one| one.as_ref().err().cloned());
        if let Some(problem) = failed.filter(|_| found.iter().all(Result::is_err)) {
            return Err(problem);
        }
        let page = fields::page(found.into_iter(), warnings);
        let number = |pointer: &str| json::integer(&answer, pointer).and_then(|n| usize::try_from(n).ok());
        let next = match (number("/meta/pagination/page"), number("/meta/pagination/pageCount")) {
            (Some(page), Some(pages)) if page < pages => self.list(page + 1),
            _ => None,
        };
        Ok(Page { next, ..page })
    }

    fn receive(&self, delivery: &Delivery) -> Result<Told, ConnectorError> {
        let body = json::object(&delivery.body, DELIVERY)?;
        let event = json::text(&body, "/event").or_else(|| delivery.header("x-strapi-event").map(str::to_owned));
        let event = event.ok_or_else(|| json::lacks(DELIVERY, "it names no `event`"))?;
        if event == "releases.publish" {
            let why = "a release was published; its entries are told one by one";
            return Ok(self.list(1).map_or_else(|| Told::ignored(why), Told::fetch));
        }
        if !event.starts_with("entry.") {
            return Ok(Told::ignored(format!("`{}` is no event of an entry", text::cut(event, 100))));
        }
        let model = json::text(&body, "/model");
        let model = model.or_else(|| json::text(&body, "/uid")?.rsplit('.').next().map(str::to_owned));
        if model.as_deref() != Some(self.model.as_str()) {
            let found = text::cut(model.unwrap_or_default(), 100);
            return Ok(Told::ignored(format!("it is about a `{found}`, not a `{}`", self.model)));
        }
        let entry = body.get("entry").map(entry::flat).filter(Value::is_object);
        let entry = entry.ok_or_else(|| json::lacks(DELIVERY, "it has no `entry`"))?;
        let id =
            entry::id(&entry).ok_or_else(|| json::lacks(DELIVERY, "its `entry` has neither `documentId` nor `id`"))?;
        if let (Some(wanted), Some(found)) = (&self.locale, json::text(&entry, "/locale"))
            && *wanted != found
        {
            return Ok(Told::ignored(format!("its locale is `{}`, not `{wanted}`", text::cut(found, 50))));
        }
        match entry::meaning(&event, &entry, self.has_drafts) {
            Meaning::Publish => self.published(&entry, &id),
            Meaning::Retract => {
                // What is withdrawn may say the time of its draft, which is older than what is public.
                let at = json::date(&body, "/createdAt").max(json::date(&entry, "/updatedAt"));
                Ok(Told::items(vec![self.retracted(at, id)]))
            }
            Meaning::Nothing(why) => Ok(Told::ignored(why)),
        }
    }
}

impl Source {
    fn published(&self, entry: &Value, id: &str) -> Result<Told, ConnectorError> {
        if let Some(request) = self.one(entry, id) {
            return Ok(Told::fetch(request));
        }
        let mut warnings = Warnings::default();
        let items = vec![self.item(entry, &mut warnings)?];
        Ok(Told::Page(Page { items, warnings: warnings.into_sentences(), ..Page::default() }))
    }

    fn item(&self, entry: &Value, warnings: &mut Warnings) -> Result<Item, ConnectorError> {
        let id = entry::id(entry).ok_or_else(|| json::lacks(WHAT, "an entry has neither `documentId` nor `id`"))?;
        let mut draft = self.fields.draft(entry, entry, &|value| self.file(value), warnings)?;
        draft.id = Some(id);
        draft.language = draft.language.or_else(|| json::text(entry, "/locale"));
        draft.published_at = draft.published_at.or_else(|| json::date(entry, "/publishedAt"));
        draft.updated_at = json::date(entry, "/updatedAt");
        // Files that were uploaded stand in texts without the address of Strapi, which is not that of the site.
        let uploads = |text: text::Text| match text {
            text::Text::Html(html) => {
                text::Text::Html(html.replace("src=\"/uploads/", &format!("src=\"{}uploads/", self.site)))
            }
            plain => plain,
        };
        draft.body = draft.body.map(uploads);
        draft.summary = draft.summary.map(uploads);
        let mut item = draft.finish(&self.site, warnings);
        // To publish again what was withdrawn changes only this one.
        item.source_version = item.source_version.max(json::date(entry, "/publishedAt"));
        Ok(item)
    }

    fn retracted(&self, updated_at: Option<EpochMs>, id: String) -> Item {
        let draft = Draft { id: Some(id), is_deleted: true, updated_at, ..Draft::default() };
        draft.finish(&self.site, &mut Warnings::default())
    }

    /// A file of the media library.
    fn file(&self, value: &Value) -> Option<Media> {
        let size = |pointer: &str| json::integer(value, pointer).and_then(|size| u32::try_from(size).ok());
        let alt = json::text(value, "/alternativeText");
        Some(Media {
            url: self.site.join(json::text(value, "/url")?.trim()).ok()?.into(),
            media_type: json::text(value, "/mime"),
            alt: alt.as_deref().and_then(crate::draft::alt),
            width: size("/width"),
            height: size("/height"),
            bytes: None,
        })
    }

    fn get(&self, path: &str, queries: &[(&str, &str)]) -> Option<Request> {
        let mut url = self.site.join(&format!("api/{}{path}", self.route.as_deref()?)).ok()?;
        url.query_pairs_mut().append_pair("populate", "*").extend_pairs(queries);
        let request = Request::get(url, "application/json");
        Some(match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {}", token.reveal())),
            None => request,
        })
    }

    fn list(&self, page: usize) -> Option<Request> {
        let (page, size) = (page.to_string(), PER_PAGE.to_string());
        let mut queries =
            vec![("sort", "updatedAt:desc"), ("pagination[page]", &page), ("pagination[pageSize]", &size)];
        queries.extend(self.locale.as_deref().map(|locale| ("locale", locale)));
        self.get("", &queries)
    }

    /// One entry by itself, in its language.
    fn one(&self, entry: &Value, id: &str) -> Option<Request> {
        let locale = json::text(entry, "/locale");
        let queries: Vec<_> = locale.as_deref().map(|locale| ("locale", locale)).into_iter().collect();
        let name = entry::name(entry)?;
        self.get(&format!("/{name}"), &queries).map(|request| request.about(id))
    }
}
