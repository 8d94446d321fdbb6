//! Sanity: GROQ-powered webhooks with the document as their projection, and the query API for what was missed
//! (`reference/connectors.md` B3, B4).
//!
//! At the other side: Manage → API → Webhooks → create one for the URL of the source, triggered on create, update and delete,
//! with a filter such as `_type == "nieuws"`, no projection (or one that has `_id`, `_type` and `_updatedAt`), without "drafts"
//! and "versions", method POST, and a secret, which is the secret of the source.

#[cfg(test)]
mod tests;

use serde_json::Value;
use url::Url;

use crate::contract::{Connector, Delivery, Kind, Page, Request, Response, Secret, Told};
use crate::draft::{Draft, Warnings};
use crate::error::ConnectorError;
use crate::fields::{self, Fields, Format, Types};
use crate::item::{Item, Media};
use crate::json;
use crate::settings::{Settings, refused};

const WHAT: &str = "document";
/// Documents per page of the list.
const PER_PAGE: usize = 100;
/// The version of the query API: a date, after which nothing changes.
const API_VERSION: &str = "v2025-02-19";

/// The kind `sanity`.
pub struct Sanity;

impl Kind for Sanity {
    fn name(&self) -> &'static str {
        "sanity"
    }

    fn profile(&self) -> Option<&'static str> {
        Some("sanity")
    }

    fn configure(&self, settings: &Value) -> Result<Box<dyn Connector>, ConnectorError> {
        let mut settings = Settings::new(settings)?;
        let project = settings.required("project", "the id of the project")?;
        let dataset = settings.text("dataset")?.unwrap_or_else(|| "production".to_owned());
        for (key, id) in [("project", &project), ("dataset", &dataset)] {
            if !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
                return Err(refused(key, "is no id; it has letters, digits, `-` and `_`"));
            }
        }
        let projection = settings.text("projection")?;
        if projection.as_deref().is_some_and(|text| !text.starts_with('{') || !text.ends_with('}')) {
            return Err(refused("projection", "must be a GROQ projection, such as { ..., \"auteur\": auteur->name }"));
        }
        let usual = format!("https://{project}.api.sanity.io/");
        let source = Source {
            api: match settings.url("api")? {
                Some(url) => fields::folder(url),
                None => Url::parse(&usual).map_err(|problem| refused("project", problem.to_string()))?,
            },
            token: settings.token()?,
            projection,
            types: Types::take(&mut settings)?,
            fields: Fields::take(&mut settings, Format::Plain)?,
            project,
            dataset,
        };
        settings.finish()?;
        Ok(Box::new(source))
    }
}

struct Source {
    project: String,
    dataset: String,
    api: Url,
    token: Option<Secret>,
    /// What the list asks of each document; all of it, when `None`.
    projection: Option<String>,
    types: Types,
    fields: Fields,
}

impl Connector for Source {
    /// The documents that changed last, where `types` say which.
    fn request(&self) -> Option<Request> {
        self.list(0)
    }

    fn read(&self, response: &Response) -> Result<Page, ConnectorError> {
        let answer = json::object(&response.body, "list of documents")?;
        let all = answer.get("result").and_then(Value::as_array);
        let all = all.ok_or_else(|| json::lacks("list of documents", "it has no list `result`"))?;
        let mut warnings = Warnings::default();
        let found: Vec<_> = all
            .iter()
            .filter(|one| self.takes(one) && !json::text(one, "/_id").is_some_and(|id| is_draft(&id)))
            .map(|one| self.item(one, None, &mut warnings))
            .collect();
        let mut page = fields::page(found.into_iter(), warnings);
        page.next = if all.len() < PER_PAGE { None } else { self.list(begins(&response.url) + PER_PAGE) };
        Ok(page)
    }

    fn receive(&self, delivery: &Delivery) -> Result<Told, ConnectorError> {
        let document = json::object(&delivery.body, "webhook")?;
        let operation = delivery.header("sanity-operation");
        let operation = operation.ok_or_else(|| json::lacks("webhook", "it has no header sanity-operation"))?;
        let id = json::text(&document, "/_id").or_else(|| delivery.header("sanity-document-id").map(str::to_owned));
        let id = id.ok_or_else(|| json::lacks("webhook", "it has neither `_id` nor a header sanity-document-id"))?;
        if is_draft(&id) {
            return Ok(Told::ignored("it is a draft or a version in a release"));
        }
        for (header, wanted) in [("sanity-project-id", &self.project), ("sanity-dataset", &self.dataset)] {
            if delivery.header(header).is_some_and(|found| found != wanted) {
                return Ok(Told::ignored(format!("its {header} is not that of the source")));
            }
        }
        if !self.takes(&document) {
            return Ok(Told::ignored("its `_type` is not among `types`"));
        }
        match operation {
            "create" | "update" => {
                let mut warnings = Warnings::default();
                let item = self.item(&document, Some(id), &mut warnings)?;
                Ok(Told::Page(Page { items: vec![item], warnings: warnings.into_sentences(), ..Page::default() }))
            }
            // Unpublishing deletes the published document and keeps a draft.
            "delete" => {
                let at = delivery.header("sanity-transaction-time").and_then(crate::draft::dates::parse);
                let at = at.max(json::date(&document, "/_updatedAt"));
                let draft = Draft { id: Some(id), is_deleted: true, updated_at: at, ..Draft::default() };
                Ok(Told::items(vec![draft.finish(&self.api, &mut Warnings::default())]))
            }
            other => Ok(Told::ignored(format!(
                "its operation `{}` is not known",
                crate::draft::text::cut(other.to_owned(), 50)
            ))),
        }
    }
}

/// Drafts, and documents that wait in a release.
fn is_draft(id: &str) -> bool {
    id.starts_with("drafts.") || id.starts_with("versions.")
}

/// With which document a page of the list begins, as [`Source::list`] wrote it.
fn begins(url: &Url) -> usize {
    let query = url.query_pairs().find(|(key, _)| key == "query").map(|(_, value)| value.into_owned());
    let slice =
        query.as_deref().and_then(|query| query.rsplit_once("] | order(_updatedAt desc) [")).map(|(_, slice)| slice);
    slice.and_then(|slice| slice.split_once("...")).and_then(|(from, _)| from.parse().ok()).unwrap_or_default()
}

impl Source {
    /// Whether it is of a type that is taken.
    fn takes(&self, document: &Value) -> bool {
        !self.types.leave_out(json::text(document, "/_type").as_deref())
    }

    fn list(&self, from: usize) -> Option<Request> {
        if self.types.0.is_empty() {
            return None;
        }
        let types = serde_json::to_string(&self.types.0).ok()?;
        let until = from + PER_PAGE;
        let query = format!(
            "*[_type in $types && !(_id in path(\"drafts.**\")) && !(_id in path(\"versions.**\"))] | order(_updatedAt desc) \
             [{from}...{until}] {}",
            self.projection.as_deref().unwrap_or_default()
        );
        let mut url = self.api.join(&format!("{API_VERSION}/data/query/{}", self.dataset)).ok()?;
        url.query_pairs_mut()
            .append_pair("query", query.trim_end())
            .append_pair("$types", &types)
            .append_pair("perspective", "published");
        let request = Request::get(url, "application/json");
        Some(match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {}", token.reveal())),
            None => request,
        })
    }

    fn item(&self, document: &Value, id: Option<String>, warnings: &mut Warnings) -> Result<Item, ConnectorError> {
        let id = id.or_else(|| json::text(document, "/_id")).ok_or_else(|| json::lacks(WHAT, "it has no `_id`"))?;
        let meta = serde_json::json!({ "id": id });
        let mut draft = self.fields.draft(document, &meta, &|value| self.file(value), warnings)?;
        draft.id = Some(id);
        // The plug-in for translated documents has it there.
        draft.language = json::text(document, "/language").or(draft.language);
        draft.published_at = draft
            .published_at
            .or_else(|| json::date(document, "/publishedAt"))
            .or_else(|| json::date(document, "/_createdAt"));
        draft.updated_at = json::date(document, "/_updatedAt");
        Ok(draft.finish(&self.api, warnings))
    }

    /// An image or file: its address, or a reference from which its address can be told.
    fn file(&self, value: &Value) -> Option<Media> {
        let alt = ["/alt", "/asset/altText"].iter().find_map(|at| json::text(value, at));
        let alt = alt.as_deref().and_then(crate::draft::alt);
        if let Some(url) = value.as_str().map(str::to_owned).or_else(|| json::text(value, "/asset/url")) {
            return url.starts_with("http").then(|| Media { url, alt, ..Media::default() });
        }
        let reference = json::text(value, "/asset/_ref")?;
        // `image-<hash>-1600x900-jpg`, `file-<hash>-pdf`.
        let parts: Vec<&str> = reference.split('-').collect();
        let is_safe = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !parts.iter().all(is_safe) {
            return None;
        }
        let (folder, name, size) = match parts.as_slice() {
            ["image", hash, size, ending] => ("images", format!("{hash}-{size}.{ending}"), size.split_once('x')),
            ["file", hash, ending] => ("files", format!("{hash}.{ending}"), None),
            _ => return None,
        };
        let (width, height) =
            (size.and_then(|(width, _)| width.parse().ok()), size.and_then(|(_, height)| height.parse().ok()));
        let url = format!("https://cdn.sanity.io/{folder}/{}/{}/{name}", self.project, self.dataset);
        Some(Media { url, alt, width, height, ..Media::default() })
    }
}
