//! Plone 5.2 and later: content rules that call a webhook (add-on `collective.webhook`), read back from plone.restapi
//! (`reference/connectors.md` B3, B5).
//!
//! At the other side: Site Setup → Content Rules. A rule for "Workflow state changed" with the condition that the state is
//! published, one for "Object modified" with the same condition, one for "Workflow state changed" to any other state, and one for
//! "Object removed from this container"; each with the action "Call webhook", method POST, the URL of the source, and the payload
//! `{"event": "published", "uid": "${uuid}"}`, with `modified`, `withdrawn` and `removed` in the others. The add-on can send no
//! header: the secret goes into the URL, `?key=…`, with `signature = { profile = "static-header", query = "key" }`. It tries once.
//!
//! What is read back is found by the search of the site: what nobody may see, because it is no longer published, has expired or
//! is not in effect yet, is not found, and withdrawn.

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};
use url::Url;

use crate::contract::{Connector, Delivery, Kind, Page, Request, Response, Secret, Told};
use crate::draft::text::{self, escape};
use crate::draft::{Draft, Warnings};
use crate::error::ConnectorError;
use crate::fields::{self, Fields, Format, Types};
use crate::item::{Item, Media};
use crate::json;
use crate::settings::{Settings, refused};

const WHAT: &str = "content";
/// Items per page of the list: with their full content they are large.
const PER_PAGE: usize = 50;
/// Most blocks of one page that are read.
const BLOCKS_MAX: usize = 1_000;

/// The kind `plone`.
pub struct Plone;

impl Kind for Plone {
    fn name(&self) -> &'static str {
        "plone"
    }

    fn profile(&self) -> Option<&'static str> {
        Some("static-header")
    }

    fn configure(&self, settings: &Value) -> Result<Box<dyn Connector>, ConnectorError> {
        let mut settings = Settings::new(settings)?;
        let site = settings.url("site")?.ok_or_else(|| refused("site", "is missing; give the address of the site"))?;
        let types = match settings.texts("types")? {
            Some(types) => Types(types),
            None => Types(vec!["News Item".to_owned()]),
        };
        let source = Source {
            site: fields::folder(site),
            token: settings.token()?,
            published: settings.texts("published")?.unwrap_or_else(|| vec!["published".to_owned()]),
            types,
            fields: Fields::take(&mut settings, Format::Html)?,
        };
        settings.finish()?;
        Ok(Box::new(source))
    }
}

struct Source {
    site: Url,
    token: Option<Secret>,
    /// States of the workflow that are public.
    published: Vec<String>,
    types: Types,
    fields: Fields,
}

impl Connector for Source {
    /// What is public and was changed last.
    fn request(&self) -> Option<Request> {
        self.list(0)
    }

    fn read(&self, response: &Response) -> Result<Page, ConnectorError> {
        let answer = json::object(&response.body, "search result")?;
        let all = answer.get("items").and_then(Value::as_array);
        let all = all.ok_or_else(|| json::lacks("search result", "it has no list `items`"))?;
        let mut warnings = Warnings::default();
        let taken = all.iter().filter(|one| !self.types.leave_out(json::text(one, "/@type").as_deref()));
        let mut found: Vec<_> = taken.map(|one| self.item(one, &mut warnings)).collect();
        let parameter =
            |name: &str| response.url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        if let Some(uid) = parameter("UID") {
            if all.is_empty() {
                found.push(Ok(self.retraction(uid, None)));
            }
            return Ok(fields::page(found.into_iter(), warnings));
        }
        let mut page = fields::page(found.into_iter(), warnings);
        let from: usize = parameter("b_start").and_then(|from| from.parse().ok()).unwrap_or_default();
        page.next = if all.len() < PER_PAGE { None } else { self.list(from.saturating_add(PER_PAGE)) };
        Ok(page)
    }

    fn receive(&self, delivery: &Delivery) -> Result<Told, ConnectorError> {
        let sent = json::delivered(delivery, "webhook")?;
        let event = json::text(&sent, "/event")
            .ok_or_else(|| json::lacks("webhook", "it has no `event`; see the payload in the manual"))?;
        let uid = json::text(&sent, "/uid")
            .filter(|uid| uid.len() <= 64 && uid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
        let uid = uid.ok_or_else(|| {
            json::lacks("webhook", "it has no `uid` that is one; write \"uid\": \"${uuid}\" in the payload")
        })?;
        match event.trim() {
            "published" | "modified" | "updated" => {
                let request = self.search(&[("UID", &uid), ("fullobjects", "1")]);
                Ok(request.map_or_else(|| Told::ignored("`site` leads nowhere"), Told::fetch))
            }
            "withdrawn" | "retracted" | "unpublished" | "private" | "removed" | "deleted" => {
                Ok(Told::items(vec![self.retraction(uid, None)]))
            }
            other => Ok(Told::ignored(format!("its event `{}` is not known", text::cut(other.to_owned(), 50)))),
        }
    }
}

impl Source {
    fn list(&self, from: usize) -> Option<Request> {
        let (size, from) = (PER_PAGE.to_string(), from.to_string());
        let mut query = vec![
            ("sort_on", "modified"),
            ("sort_order", "descending"),
            ("fullobjects", "1"),
            ("b_size", &size),
            ("b_start", &from),
        ];
        query.extend(self.published.iter().map(|state| ("review_state", state.as_str())));
        query.extend(self.types.0.iter().map(|kind| ("portal_type", kind.as_str())));
        self.search(&query)
    }

    fn search(&self, query: &[(&str, &str)]) -> Option<Request> {
        let mut url = self.site.join("@search").ok()?;
        url.query_pairs_mut().extend_pairs(query);
        let request = Request::get(url, "application/json");
        Some(match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {}", token.reveal())),
            None => request,
        })
    }

    fn retraction(&self, uid: String, updated_at: Option<i64>) -> Item {
        let draft = Draft { id: Some(uid), is_deleted: true, updated_at, ..Draft::default() };
        draft.finish(&self.site, &mut Warnings::default())
    }

    fn item(&self, content: &Value, warnings: &mut Warnings) -> Result<Item, ConnectorError> {
        let uid = json::text(content, "/UID").ok_or_else(|| json::lacks(WHAT, "it has no `UID`"))?;
        let modified = json::date(content, "/modified");
        let state =
            json::text(content, "/review_state").ok_or_else(|| json::lacks(WHAT, "it has no `review_state`"))?;
        if !self.published.contains(&state) {
            return Ok(self.retraction(uid, modified));
        }
        let mut all = content.as_object().cloned().unwrap_or_default();
        let usual = [
            ("summary", content.get("description").cloned()),
            ("body", content.pointer("/text/data").cloned().or_else(|| blocks(content))),
            ("image", image(content)),
            ("tags", content.get("subjects").cloned()),
        ];
        for (key, value) in usual {
            all.extend(value.filter(|_| !all.contains_key(key) || key == "image").map(|value| (key.to_owned(), value)));
        }
        let mut draft = self.fields.draft(&Value::Object(all), content, &|value| self.file(value), warnings)?;
        draft.id = Some(uid);
        draft.link = draft.link.or_else(|| json::text(content, "/@id"));
        draft.language =
            ["/language/token", "/language"].iter().find_map(|at| json::text(content, at)).or(draft.language);
        draft.published_at = draft.published_at.max(json::date(content, "/effective"));
        draft.updated_at = modified;
        Ok(draft.finish(&self.site, warnings))
    }

    fn file(&self, value: &Value) -> Option<Media> {
        let number = |at: &str| json::integer(value, at).and_then(|n| u32::try_from(n).ok());
        Some(Media {
            url: value.as_str().map(str::to_owned).or_else(|| json::text(value, "/download"))?,
            alt: json::text(value, "/alt").as_deref().and_then(crate::draft::alt),
            media_type: json::text(value, "/content-type"),
            width: number("/width"),
            height: number("/height"),
            bytes: json::integer(value, "/size").and_then(|n| u64::try_from(n).ok()),
        })
    }
}

/// The image of a news item, or the preview of any content; its alternative text is there only where the site has a field for it.
fn image(content: &Value) -> Option<Value> {
    ["image", "preview_image"].iter().find_map(|name| {
        let mut image: Map<String, Value> = content.get(*name)?.as_object()?.clone();
        let alt = content.get(format!("{name}_alt")).or_else(|| content.get("image_alt"));
        image.extend(alt.map(|alt| ("alt".to_owned(), alt.clone())));
        Some(Value::Object(image))
    })
}

/// The text of blocks (Plone 6 with Volto), as paragraphs; the title and the lead are fields as well.
fn blocks(content: &Value) -> Option<Value> {
    let blocks = content.get("blocks")?.as_object()?;
    let order = json::list(content, "/blocks_layout/items").iter().take(BLOCKS_MAX).filter_map(Value::as_str);
    let mut html = String::new();
    for block in order.filter_map(|name| blocks.get(name)) {
        let kind = block.get("@type").and_then(Value::as_str).unwrap_or_default();
        if matches!(kind, "title" | "description" | "leadimage") {
            continue;
        }
        let texts = json::text(block, "/plaintext").into_iter();
        for text in texts.chain(json::list(block, "/text/blocks").iter().filter_map(|one| json::text(one, "/text"))) {
            html.push_str("<p>");
            escape(text.trim(), &mut html);
            html.push_str("</p>");
        }
    }
    Some(Value::String(html)).filter(|html| html != "")
}
