//! Storyblok: webhooks that name a story, read back from the Content Delivery API (`reference/connectors.md` B3, B4, B6).
//!
//! At the other side: Settings → Webhooks → create one for the URL of the source, with the triggers Story published,
//! unpublished, deleted and moved, and a secret, which is the secret of the source. And a token (Settings → Access Tokens) of
//! the kind *public*: it reads what is published and nothing else. That API takes its token as a parameter of the URL alone.

#[cfg(test)]
mod tests;

use serde_json::{Value, json};
use url::Url;

use crate::contract::{Connector, Delivery, Kind, Page, Request, Response, Secret, Told};
use crate::draft::{Draft, Warnings, text};
use crate::error::ConnectorError;
use crate::fields::{self, Fields, Format, Types};
use crate::item::{Category, Item, Media};
use crate::json;
use crate::settings::{Settings, refused};

const WHAT: &str = "story";
/// Stories per page of the list: the most that the API gives.
const PER_PAGE: usize = 100;

/// The kind `storyblok`.
pub struct Storyblok;

impl Kind for Storyblok {
    fn name(&self) -> &'static str {
        "storyblok"
    }

    fn profile(&self) -> Option<&'static str> {
        Some("storyblok")
    }

    fn configure(&self, settings: &Value) -> Result<Box<dyn Connector>, ConnectorError> {
        let mut settings = Settings::new(settings)?;
        let source = Source {
            token: settings.token()?.ok_or_else(|| refused("token", "is missing; give a public token of the space"))?,
            api: match settings.url("api")? {
                Some(url) => fields::folder(url),
                None => {
                    Url::parse("https://api.storyblok.com/").map_err(|problem| refused("api", problem.to_string()))?
                }
            },
            space: match settings.value("space") {
                None => None,
                Some(Value::Number(space)) => Some(space.to_string()),
                Some(_) => return Err(refused("space", "must be the number of the space")),
            },
            folder: settings.text("folder")?.map(|folder| format!("{}/", folder.trim_matches('/'))),
            translation: settings.text("translation")?,
            types: Types::take(&mut settings)?,
            fields: Fields::take(&mut settings, Format::Plain)?,
        };
        settings.finish()?;
        Ok(Box::new(source))
    }
}

struct Source {
    api: Url,
    token: Secret,
    space: Option<String>,
    /// The folder of the messages, with a slash at its end.
    folder: Option<String>,
    /// Of stories in several languages, the one to take.
    translation: Option<String>,
    types: Types,
    fields: Fields,
}

impl Connector for Source {
    /// The stories that were published last.
    fn request(&self) -> Option<Request> {
        self.list(1)
    }

    fn read(&self, response: &Response) -> Result<Page, ConnectorError> {
        let answer = json::object(&response.body, "story")?;
        let mut warnings = Warnings::default();
        if let Some(story) = answer.get("story").filter(|story| story.is_object()) {
            let found = if self.takes(story) { Some(self.item(story, &mut warnings)?) } else { None };
            return Ok(Page {
                items: found.into_iter().collect(),
                warnings: warnings.into_sentences(),
                ..Page::default()
            });
        }
        let all = answer.get("stories").and_then(Value::as_array);
        let all = all.ok_or_else(|| json::lacks("story", "it has neither `story` nor a list `stories`"))?;
        let found: Vec<_> = all.iter().filter(|one| self.takes(one)).map(|one| self.item(one, &mut warnings)).collect();
        let mut page = fields::page(found.into_iter(), warnings);
        if all.len() >= PER_PAGE {
            let at =
                response.url.query_pairs().find(|(key, _)| key == "page").and_then(|(_, at)| at.parse::<usize>().ok());
            page.next = self.list(at.unwrap_or(1).saturating_add(1));
        }
        Ok(page)
    }

    fn receive(&self, delivery: &Delivery) -> Result<Told, ConnectorError> {
        let sent = json::object(&delivery.body, "webhook")?;
        let action = json::text(&sent, "/action").ok_or_else(|| json::lacks("webhook", "it has no `action`"))?;
        if json::text(&sent, "/space_id").is_some_and(|space| self.space.as_ref().is_some_and(|own| *own != space)) {
            return Ok(Told::ignored("it is of another space than the source"));
        }
        let is_story = matches!(action.as_str(), "published" | "unpublished" | "deleted" | "moved");
        if !is_story {
            let action = text::cut(action, 50);
            return Ok(Told::ignored(format!("its action `{action}` neither publishes nor withdraws a story")));
        }
        let Some(id) = json::text(&sent, "/story_id") else {
            return Ok(Told::ignored("it names no story"));
        };
        if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(json::lacks("webhook", "its `story_id` is no number"));
        }
        if action == "unpublished" || action == "deleted" {
            return Ok(Told::items(vec![self.retraction(&id)]));
        }
        let slug = json::text(&sent, "/full_slug").unwrap_or_default();
        if self.folder.as_ref().is_some_and(|folder| !slug.is_empty() && !slug.starts_with(folder)) {
            // Moved out of the folder it is no message any more.
            return Ok(match action.as_str() {
                "moved" => Told::items(vec![self.retraction(&id)]),
                _ => Told::ignored("it is in another folder than the source"),
            });
        }
        let request = self.stories(&format!("v2/cdn/stories/{id}"), &[]);
        Ok(request.map_or_else(
            || Told::ignored("`api` leads nowhere"),
            |request| Told::fetch(request.about(self.source_id(&id))),
        ))
    }
}

impl Source {
    fn list(&self, page: usize) -> Option<Request> {
        let (page, per_page) = (page.to_string(), PER_PAGE.to_string());
        let mut query = vec![("sort_by", "published_at:desc"), ("per_page", &per_page), ("page", &page)];
        query.extend(self.folder.as_deref().map(|folder| ("starts_with", folder)));
        self.stories("v2/cdn/stories", &query)
    }

    fn stories(&self, path: &str, query: &[(&str, &str)]) -> Option<Request> {
        let mut url = self.api.join(path).ok()?;
        url.query_pairs_mut().append_pair("version", "published").extend_pairs(query);
        if let Some(language) = &self.translation {
            url.query_pairs_mut().append_pair("language", language);
        }
        Some(Request::get(url, "application/json").parameter("token", self.token.clone()))
    }

    fn source_id(&self, id: &str) -> String {
        match &self.translation {
            Some(language) => format!("{id}/{language}"),
            None => id.to_owned(),
        }
    }

    fn retraction(&self, id: &str) -> Item {
        let draft = Draft { id: Some(self.source_id(id)), is_deleted: true, ..Draft::default() };
        draft.finish(&self.api, &mut Warnings::default())
    }

    fn takes(&self, story: &Value) -> bool {
        let slug = json::text(story, "/full_slug").unwrap_or_default();
        let is_there = self.folder.as_ref().is_none_or(|folder| slug.starts_with(folder));
        is_there && !self.types.leave_out(json::text(story, "/content/component").as_deref())
    }

    fn item(&self, story: &Value, warnings: &mut Warnings) -> Result<Item, ConnectorError> {
        let id = json::text(story, "/id").ok_or_else(|| json::lacks(WHAT, "it has no `id`"))?;
        let at = json::date(story, "/published_at")
            .ok_or_else(|| json::lacks(WHAT, "it has no `published_at`, so it is not published"))?;
        let content = story.get("content").ok_or_else(|| json::lacks(WHAT, "it has no `content`"))?;
        let meta = json!({ "id": id, "slug": story.get("slug"), "full_slug": story.get("full_slug") });
        let mut draft = self.fields.draft(content, &meta, &file, warnings)?;
        draft.id = Some(self.source_id(&id));
        draft.language = draft.language.or_else(|| self.translation.clone());
        draft.published_at = draft.published_at.or_else(|| json::date(story, "/first_published_at")).or(Some(at));
        draft.updated_at = Some(at);
        if draft.categories.is_empty() {
            let tags = json::list(story, "/tag_list").iter().filter_map(Value::as_str);
            draft.categories = tags.map(|term| Category { term: term.to_owned(), scheme: None }).collect();
        }
        Ok(draft.finish(&self.api, warnings))
    }
}

/// An asset (`filename`) or an image in rich text (`src`).
fn file(value: &Value) -> Option<Media> {
    let url = value
        .as_str()
        .map(str::to_owned)
        .or_else(|| json::text(value, "/filename"))
        .or_else(|| json::text(value, "/src"))?;
    let url = if url.starts_with("//") { format!("https:{url}") } else { url };
    let alt = json::text(value, "/alt").as_deref().and_then(crate::draft::alt);
    url.starts_with("http").then(|| Media { url, alt, ..Media::default() })
}
