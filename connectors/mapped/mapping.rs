//! How one item is read out of JSON: one setting per field, each a JSONPath or a template.

use std::cell::OnceCell;

use minijinja::Value as Any;
use serde_json::Value;
use serde_json_path::JsonPath;

use crate::draft::text::{self, Text};
use crate::draft::{Draft, dates};
use crate::error::ConnectorError;
use crate::item::{Category, EpochMs, Media};
use crate::rich;
use crate::settings::{Settings, refused};
use crate::template::{self, Budget, Makes, Template};

/// Most files that are looked at of one item.
const FILES_MAX: usize = 100;

/// Where the text of one field comes from.
#[derive(Debug)]
pub(super) enum Field {
    /// A JSONPath, from the item.
    Path(JsonPath),
    /// A template, which sees `item`, `payload` (all that came) and `headers`.
    Template(Box<Template>),
    /// The text that stands in the settings itself.
    Constant(String),
}

impl Field {
    /// The field `key` of the table `table`.
    fn new(table: &str, key: &str, source: &str, makes: Makes) -> Result<Self, ConnectorError> {
        let key = if table.is_empty() { key.to_owned() } else { format!("{table}.{key}") };
        if source.starts_with('$') {
            template::path(&key, source).map(Self::Path)
        } else if source.contains("{{") || source.contains("{%") {
            Template::new(&key, source, makes).map(|template| Self::Template(Box::new(template)))
        } else if key.ends_with("language") {
            Ok(Self::Constant(source.to_owned()))
        } else {
            // Taken as it stands, `title = "title"` would be published.
            Err(refused(&key, "must be a JSONPath, such as $.title, or a template, such as {{ item.title }}"))
        }
    }

    /// A field of these settings, if they name it.
    pub(super) fn take(
        settings: &mut Settings,
        table: &str,
        key: &'static str,
        makes: Makes,
    ) -> Result<Option<Self>, ConnectorError> {
        settings
            .text(key)
            .map_err(|problem| within(table, problem))?
            .map(|source| Self::new(table, key, &source, makes))
            .transpose()
    }

    /// A condition: a JSONPath, a template, or an expression of the template language.
    fn condition(settings: &mut Settings, table: &str) -> Result<Option<Self>, ConnectorError> {
        let Some(source) = settings.text("when").map_err(|problem| within(table, problem))? else { return Ok(None) };
        let is_expression = !source.starts_with('$') && !source.contains("{{") && !source.contains("{%");
        let source = if is_expression { format!("{{% if {source} %}}true{{% endif %}}") } else { source };
        Self::new(table, "when", &source, Makes::Text).map(Some)
    }

    /// All texts that it finds, those in lists as well.
    fn texts(&self, of: &Part<'_>, budget: &mut Budget) -> Result<Vec<String>, String> {
        match self {
            Self::Constant(text) => Ok(vec![text.clone()]),
            Self::Template(template) => Ok(vec![template.render(of.seen(), budget)?]),
            Self::Path(path) => {
                let mut texts = Vec::new();
                for node in path.query(of.item).iter() {
                    match node {
                        Value::Array(list) => texts.extend(list.iter().filter_map(scalar)),
                        other => texts.extend(scalar(other)),
                    }
                }
                Ok(texts)
            }
        }
    }

    /// The first text that is not blank.
    pub(super) fn text(&self, of: &Part<'_>, budget: &mut Budget) -> Result<Option<String>, String> {
        Ok(self.texts(of, budget)?.into_iter().find(|text| !text.trim().is_empty()))
    }

    fn holds(&self, of: &Part<'_>, budget: &mut Budget) -> Result<bool, String> {
        let text = self.text(of, budget)?.unwrap_or_default();
        Ok(!matches!(text.trim().to_ascii_lowercase().as_str(), "" | "false" | "0" | "none" | "null" | "no"))
    }
}

/// An error of a key, with the table that it stands in.
pub(super) fn within(table: &str, problem: ConnectorError) -> ConnectorError {
    match problem {
        ConnectorError::Settings { key, problem } if !table.is_empty() => refused(&format!("{table}.{key}"), problem),
        other => other,
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(is) => Some(is.to_string()),
        _ => None,
    }
}

/// All that came, of which templates see everything. What they see is made only when there are templates: it is larger than the
/// JSON that it is made of.
pub(super) struct Whole<'p> {
    payload: &'p Value,
    headers: &'p [(String, String)],
    seen: OnceCell<[(&'static str, Any); 2]>,
}

impl<'p> Whole<'p> {
    pub(super) fn new(payload: &'p Value, headers: &'p [(String, String)]) -> Self {
        Self { payload, headers, seen: OnceCell::new() }
    }

    /// One item of it.
    pub(super) fn part(&'p self, item: &'p Value) -> Part<'p> {
        Part { item, whole: self, seen: OnceCell::new() }
    }

    fn seen(&self) -> [(&'static str, Any); 2] {
        let made = self.seen.get_or_init(|| {
            let headers = Any::from_pairs(self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            [("payload", template::seen(self.payload)), ("headers", headers)]
        });
        made.clone()
    }
}

/// One item of what came.
pub(super) struct Part<'p> {
    item: &'p Value,
    whole: &'p Whole<'p>,
    seen: OnceCell<Any>,
}

impl Part<'_> {
    fn seen(&self) -> &Any {
        self.seen
            .get_or_init(|| Any::from_pairs(self.whole.seen().into_iter().chain([("item", template::seen(self.item))])))
    }
}

/// The body, and what it is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    Html,
    Text,
    Markdown,
}

/// All fields of an item.
#[derive(Debug)]
pub(super) struct Mapping {
    items: Option<JsonPath>,
    when: Option<Field>,
    id: Field,
    url: Option<Field>,
    title: Option<Field>,
    summary: Option<Field>,
    body: Option<(Writing, Field)>,
    language: Option<Field>,
    content_warning: Option<Field>,
    published: Option<Field>,
    updated: Option<Field>,
    version: Option<Field>,
    tags: Option<Field>,
    authors: Option<Field>,
    image: Option<Field>,
    image_alt: Option<Field>,
}

impl Mapping {
    /// Of the settings in the table `table`.
    pub(super) fn new(table: &str, value: &Value) -> Result<Self, ConnectorError> {
        let mut settings = Settings::new(value).map_err(|_| refused(table, "must be a table, such as [source.map]"))?;
        let all = &mut settings;
        let items = all.text("items").map_err(|problem| within(table, problem))?;
        if items.as_deref().is_some_and(|path| path.contains("..")) {
            return Err(refused(&format!("{table}.items"), "must name its place, without `..`, such as $.data"));
        }
        let items = items.map(|path| template::path(&format!("{table}.items"), &path)).transpose()?;
        let mut field = |key, makes| Field::take(all, table, key, makes);
        let id = field("id", Makes::Text)?.ok_or_else(|| {
            refused(&format!("{table}.id"), "is missing; give what stays the same when an item is edited, such as $.id")
        })?;
        let (url, title) = (field("url", Makes::Text)?, field("title", Makes::Text)?);
        let (summary, language) = (field("summary", Makes::Text)?, field("language", Makes::Text)?);
        let (published, updated) = (field("published", Makes::Text)?, field("updated", Makes::Text)?);
        let (version, tags) = (field("version", Makes::Text)?, field("tags", Makes::Text)?);
        let (authors, image) = (field("authors", Makes::Text)?, field("image", Makes::Text)?);
        let (image_alt, content_warning) = (field("image_alt", Makes::Text)?, field("content_warning", Makes::Text)?);
        let html = field("html", Makes::Html)?.map(|field| (Writing::Html, field));
        let plain = field("text", Makes::Text)?.map(|field| (Writing::Text, field));
        let markdown = field("markdown", Makes::Text)?.map(|field| (Writing::Markdown, field));
        let mut bodies = [html, plain, markdown].into_iter().flatten();
        let body = bodies.next();
        if bodies.next().is_some() {
            return Err(refused(&format!("{table}.html"), "only one of `html`, `text` and `markdown` can be the body"));
        }
        if body.is_none() && title.is_none() {
            return Err(refused(
                &format!("{table}.title"),
                "is missing, and so are `html`, `text` and `markdown`; give one",
            ));
        }
        let when = Field::condition(all, table)?;
        settings.finish().map_err(|problem| within(table, problem))?;
        Ok(Self {
            items,
            when,
            id,
            url,
            title,
            summary,
            body,
            language,
            content_warning,
            published,
            updated,
            version,
            tags,
            authors,
            image,
            image_alt,
        })
    }

    /// The items in what came; `None` where there is nothing at the place that the settings name. An empty list is there.
    pub(super) fn items<'v>(&self, payload: &'v Value) -> Option<Vec<&'v Value>> {
        let Some(path) = &self.items else {
            return Some(payload.as_array().map_or_else(|| vec![payload], |list| list.iter().collect()));
        };
        let found = path.query(payload).all();
        match found.as_slice() {
            [] => None,
            [Value::Array(list)] => Some(list.iter().collect()),
            _ => Some(found),
        }
    }

    /// Whether it is public, by the setting `when`.
    pub(super) fn is_public(&self, of: &Part<'_>, budget: &mut Budget) -> Result<bool, String> {
        self.when.as_ref().map_or(Ok(true), |when| when.holds(of, budget))
    }

    /// Its id; `None` where there is none.
    pub(super) fn id(&self, of: &Part<'_>, budget: &mut Budget) -> Result<Option<String>, String> {
        self.id.text(of, budget)
    }

    /// The version that it says, else when it was changed.
    pub(super) fn version(&self, of: &Part<'_>, budget: &mut Budget) -> Result<Option<i64>, String> {
        let text = text_of(self.version.as_ref(), of, budget)?;
        let number = text.as_deref().and_then(|text| text.trim().parse().ok());
        let version = number.or_else(|| text.as_deref().and_then(dates::parse));
        if version.is_some() {
            return Ok(version);
        }
        Ok(text_of(self.updated.as_ref(), of, budget)?.as_deref().and_then(dates::parse))
    }

    /// All fields of the item `id`.
    pub(super) fn draft(&self, id: String, of: &Part<'_>, budget: &mut Budget) -> Result<Draft, String> {
        let mut text = |field: &Option<Field>| text_of(field.as_ref(), of, budget);
        let (link, language) = (text(&self.url)?, text(&self.language)?);
        let content_warning = text(&self.content_warning)?;
        let title = text(&self.title)?.and_then(|title| text::title(&Text::Plain(title)));
        let summary = text(&self.summary)?.map(Text::Plain);
        let published_at = date("published", text(&self.published)?)?;
        let updated_at = date("updated", text(&self.updated)?)?;
        let body = match &self.body {
            None => None,
            Some((writing, field)) => field.text(of, budget)?.map(|body| match writing {
                Writing::Html => Text::Html(body),
                Writing::Text => Text::Plain(body),
                Writing::Markdown => Text::Html(rich::markdown(&body).0),
            }),
        };
        let terms = listed(self.tags.as_ref(), of, budget)?;
        Ok(Draft {
            id: Some(id),
            link,
            title,
            summary,
            body,
            language,
            content_warning,
            published_at,
            updated_at,
            authors: listed(self.authors.as_ref(), of, budget)?,
            categories: terms.into_iter().map(|term| Category { term, scheme: None }).collect(),
            files: self.images(of, budget)?,
            ..Draft::default()
        })
    }

    /// Images with their alternative texts, where it is certain which belongs to which.
    fn images(&self, of: &Part<'_>, budget: &mut Budget) -> Result<Vec<Media>, String> {
        let Some(image) = &self.image else { return Ok(Vec::new()) };
        let mut urls = image.texts(of, budget)?;
        urls.retain(|url| !url.trim().is_empty());
        let alts = self.image_alt.as_ref().map_or(Ok(Vec::new()), |alt| alt.texts(of, budget))?;
        let paired = alts.len() == urls.len();
        let media = urls.into_iter().enumerate().take(FILES_MAX).map(|(at, url)| {
            let alt = alts.get(at).filter(|_| paired).and_then(|alt| crate::draft::alt(alt));
            // That the field is called `image` says that it is one, whatever its address ends in.
            Media { url, alt, media_type: Some("image/*".to_owned()), ..Media::default() }
        });
        Ok(media.collect())
    }
}

fn text_of(field: Option<&Field>, of: &Part<'_>, budget: &mut Budget) -> Result<Option<String>, String> {
    field.map_or(Ok(None), |field| field.text(of, budget))
}

/// A list of texts; a template writes it with commas.
fn listed(field: Option<&Field>, of: &Part<'_>, budget: &mut Budget) -> Result<Vec<String>, String> {
    match field {
        None => Ok(Vec::new()),
        Some(Field::Template(template)) => {
            Ok(template.render(of.seen(), budget)?.split(',').map(|term| term.trim().to_owned()).collect())
        }
        Some(field) => field.texts(of, budget),
    }
}

/// A date. One that cannot be read is an error and not absent: it could be an embargo.
fn date(key: &str, text: Option<String>) -> Result<Option<EpochMs>, String> {
    let Some(text) = text else { return Ok(None) };
    let read = dates::parse(&text);
    read.map(Some).ok_or_else(|| format!("what `{key}` finds is no date; write it as 2026-11-20T09:00:00Z"))
}
