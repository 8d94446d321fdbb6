//! Craft CMS with the plug-in Webhooks: an event of an entry, with the entry in it (`reference/connectors.md` B3).
//!
//! At the other side: Webhooks → New, sender class `craft\elements\Entry`, events `afterPropagate` (with the filters "is not a
//! draft", "is not a revision") and `afterDelete`, method POST, the URL of the source, a header with the secret
//! (`Authorization: Bearer …`), user attributes none, and as sender attributes `url`, `status`, `section.handle` and the fields of
//! the message that are no plain text, such as `afbeelding.0.url` and `afbeelding.0.alt`. Or a payload of one's own, with an
//! object `sender` that has these. The plug-in tries once; set its `maxAttempts`.
//!
//! There is no list by which something missed would be found, unless the site has one of the plug-in Element API (`list`), of
//! which each element is like that `sender`.

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

const WHAT: &str = "entry";

/// The kind `craft`.
pub struct Craft;

impl Kind for Craft {
    fn name(&self) -> &'static str {
        "craft"
    }

    fn profile(&self) -> Option<&'static str> {
        Some("static-header")
    }

    fn configure(&self, settings: &Value) -> Result<Box<dyn Connector>, ConnectorError> {
        let mut settings = Settings::new(settings)?;
        let source = Source {
            site: fields::folder(
                settings.url("site")?.ok_or_else(|| refused("site", "is missing; give the address of the site"))?,
            ),
            site_id: match settings.value("site_id") {
                None => None,
                Some(Value::Number(id)) => Some(id.to_string()),
                Some(_) => return Err(refused("site_id", "must be the number of the site in Craft")),
            },
            list: settings.url("list")?,
            token: settings.token()?,
            types: Types::take(&mut settings)?,
            fields: Fields::take(&mut settings, Format::Html)?,
        };
        settings.finish()?;
        Ok(Box::new(source))
    }
}

struct Source {
    site: Url,
    /// Of several sites in one Craft, the one that is taken.
    site_id: Option<String>,
    list: Option<Url>,
    token: Option<Secret>,
    types: Types,
    fields: Fields,
}

/// What the status of an entry means.
enum Status {
    /// It can be read; or will be, at its date.
    Public,
    Hidden,
}

impl Connector for Source {
    fn request(&self) -> Option<Request> {
        self.get(self.list.clone()?)
    }

    fn read(&self, response: &Response) -> Result<Page, ConnectorError> {
        let answer = json::object(&response.body, "list of entries")?;
        let all = answer.get("data").and_then(Value::as_array);
        let all = all.ok_or_else(|| json::lacks("list of entries", "it has no list `data`"))?;
        let mut warnings = Warnings::default();
        let taken = all.iter().filter(|one| self.not_taken(one).is_none());
        let found: Vec<_> = taken.map(|one| self.entry(one, &mut warnings)).collect();
        let mut page = fields::page(found.into_iter(), warnings);
        let next = json::text(&answer, "/meta/pagination/links/next").and_then(|next| response.url.join(&next).ok());
        page.next = next
            .filter(|next| self.list.as_ref().is_some_and(|list| list.origin() == next.origin()))
            .and_then(|url| self.get(url));
        Ok(page)
    }

    fn receive(&self, delivery: &Delivery) -> Result<Told, ConnectorError> {
        let sent = json::object(&delivery.body, "webhook")?;
        let event = json::text(&sent, "/name").ok_or_else(|| json::lacks("webhook", "it has no `name` of an event"))?;
        if json::text(&sent, "/senderClass")
            .is_some_and(|class| !class.ends_with("Entry") && !class.ends_with("Elements"))
        {
            return Ok(Told::ignored("it is about something else than an entry"));
        }
        // The service for elements sends the element in its event.
        let entry = [sent.get("sender"), sent.pointer("/event/element")]
            .into_iter()
            .flatten()
            .find(|one| one.get("id").is_some());
        let entry = entry.ok_or_else(|| json::lacks("webhook", "it has no entry: `sender.id` is missing"))?;
        if let Some(why) = self.not_taken(entry) {
            return Ok(Told::ignored(why));
        }
        let mut warnings = Warnings::default();
        let item = match event.as_str() {
            "afterDelete" | "beforeDelete" | "afterDeleteElement" | "afterDeleteForSite" => self.retraction(entry)?,
            "afterSave"
            | "afterPropagate"
            | "afterSaveElement"
            | "afterPropagateElement"
            | "afterRestore"
            | "afterRestoreElement" => self.entry(entry, &mut warnings)?,
            other => {
                let event = text::cut(other.to_owned(), 50);
                return Ok(Told::ignored(format!("its event `{event}` neither saves nor deletes")));
            }
        };
        Ok(Told::Page(Page { items: vec![item], warnings: warnings.into_sentences(), ..Page::default() }))
    }
}

impl Source {
    fn get(&self, url: Url) -> Option<Request> {
        let request = Request::get(url, "application/json");
        Some(match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {}", token.reveal())),
            None => request,
        })
    }

    /// Why an entry is none of those of the source.
    fn not_taken(&self, entry: &Value) -> Option<&'static str> {
        let is_set =
            |at: &str| entry.pointer(at).is_some_and(|value| !matches!(value, Value::Null | Value::Bool(false)));
        if ["/draftId", "/revisionId", "/isDraft", "/isRevision", "/isUnpublishedDraft", "/isProvisionalDraft"]
            .into_iter()
            .any(is_set)
        {
            return Some("it is a draft or a revision");
        }
        let is_other = |own: &String| json::text(entry, "/siteId").is_some_and(|site| site != *own);
        if self.site_id.as_ref().is_some_and(is_other) {
            return Some("it is of another site than `site_id`");
        }
        let section =
            ["/section/handle", "/section.handle", "/sectionHandle"].iter().find_map(|at| json::text(entry, at));
        if self.types.leave_out(section.as_deref()) {
            return Some("its section is not among `types`");
        }
        None
    }

    fn status(entry: &Value) -> Result<Status, ConnectorError> {
        let status = json::text(entry, "/status");
        let is_off = |at: &str| entry.pointer(at).and_then(Value::as_bool) == Some(false);
        match status.as_deref() {
            _ if is_off("/enabled") => Ok(Status::Hidden),
            Some("live") => Ok(Status::Public),
            // Nothing is sent when its date comes: it is taken now, and kept until then.
            Some("pending") if json::date(entry, "/postDate").is_some() => Ok(Status::Public),
            Some("pending") => Err(json::lacks(WHAT, "it is pending and has no `postDate` that is a date")),
            Some(_) => Ok(Status::Hidden),
            None => Err(json::lacks(WHAT, "it has no `status`; add it to the sender attributes of the webhook")),
        }
    }

    fn source_id(entry: &Value) -> Result<String, ConnectorError> {
        let id = ["/canonicalId", "/id"].iter().find_map(|at| json::text(entry, at));
        let id = id.ok_or_else(|| json::lacks(WHAT, "it has no `id`"))?;
        Ok(match json::text(entry, "/siteId") {
            Some(site) => format!("{id}/{site}"),
            None => id,
        })
    }

    fn retraction(&self, entry: &Value) -> Result<Item, ConnectorError> {
        let updated_at = ["/dateDeleted", "/dateUpdated"].iter().find_map(|at| json::date(entry, at));
        let draft = Draft { id: Some(Self::source_id(entry)?), is_deleted: true, updated_at, ..Draft::default() };
        Ok(draft.finish(&self.site, &mut Warnings::default()))
    }

    fn entry(&self, entry: &Value, warnings: &mut Warnings) -> Result<Item, ConnectorError> {
        let source_id = Self::source_id(entry)?;
        if matches!(Self::status(entry)?, Status::Hidden) {
            return self.retraction(entry);
        }
        let without_references =
            entry.as_object().cloned().unwrap_or_default().into_iter().map(|(key, value)| match value {
                Value::String(text) => (key, Value::String(resolved(&text))),
                other => (key, other),
            });
        let all = Value::Object(without_references.collect::<Map<String, Value>>());
        let mut draft = self.fields.draft(&all, entry, &|value| file(value), warnings)?;
        draft.id = Some(source_id);
        draft.link = draft.link.or_else(|| json::text(entry, "/url"));
        draft.published_at = draft.published_at.max(json::date(entry, "/postDate"));
        draft.updated_at = json::date(entry, "/dateUpdated");
        Ok(draft.finish(&self.site, warnings))
    }
}

fn file(value: &Value) -> Option<Media> {
    let alt = ["/alt", "/altText"].iter().find_map(|at| json::text(value, at));
    Some(Media {
        url: value.as_str().map(str::to_owned).or_else(|| json::text(value, "/url"))?,
        alt: alt.as_deref().and_then(crate::draft::alt),
        media_type: json::text(value, "/mimeType"),
        ..Media::default()
    })
}

/// Reference tags such as `{entry:12@1:url||https://www.stad.example/a}` as the address that stands in them for readers that
/// cannot resolve them; without one they are left out.
fn resolved(text: &str) -> String {
    const KINDS: &[&str] = &["{entry:", "{asset:", "{category:", "{tag:", "{user:", "{globalset:"];
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let (before, tag) = rest.split_at(at);
        out.push_str(before);
        // No reference is longer than this, so that a text of braces takes no time.
        let end = KINDS
            .iter()
            .any(|kind| tag.starts_with(kind))
            .then(|| tag.bytes().take(2_048).position(|byte| byte == b'}'))
            .flatten();
        match end.and_then(|end| Some((tag.get(1..end)?, tag.get(end + 1..)?))) {
            Some((inside, after)) => {
                out.push_str(inside.split_once("||").map_or("", |(_, address)| address));
                rest = after;
            }
            None => {
                out.push('{');
                rest = tag.get(1..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}
