//! An h-entry: its properties as a client sent them, and the item that they are.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use url::Url;

use super::check;
use super::problem;
use crate::draft::text::{Text, title};
use crate::draft::{Draft, Warnings, alt, dates};
use crate::error::ConnectorError;
use crate::item::{Category, EpochMs, Item, Media};

/// Most photos of an entry: the fediverse shows four, and one that would silently not be shown is refused.
pub const PHOTOS_MAX: usize = 4;

/// The properties of an h-entry. Every value is a list, as in the JSON of microformats.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Entry {
    properties: Map<String, Value>,
}

impl Entry {
    /// An entry with these properties, if all of them can be understood or do no harm.
    pub fn new(properties: Map<String, Value>) -> Result<Self, ConnectorError> {
        let entry = Self { properties };
        check::properties(&entry)?;
        Ok(entry)
    }

    /// The entry that an item was made of.
    pub fn of(item: &Item) -> Option<Self> {
        let properties = item.original.as_ref()?.as_object()?.clone();
        Some(Self { properties })
    }

    /// All properties, as they were sent.
    pub fn properties(&self) -> &Map<String, Value> {
        &self.properties
    }

    /// The properties with these names, or all where none is named, as the answer to `q=source`.
    pub fn source(&self, names: &[String]) -> Value {
        if names.is_empty() {
            return json!({ "type": ["h-entry"], "properties": self.properties });
        }
        let wanted = |(name, _): &(&String, &Value)| names.contains(name);
        let some: Map<String, Value> =
            self.properties.iter().filter(wanted).map(|(name, value)| (name.clone(), value.clone())).collect();
        json!({ "properties": some })
    }

    /// The values of a property.
    pub fn values(&self, name: &str) -> &[Value] {
        self.properties.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }

    /// The first value of a property, if it is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values(name).first().and_then(Value::as_str).filter(|text| !text.trim().is_empty())
    }

    /// Whether its author is not done with it.
    pub fn is_draft(&self) -> bool {
        self.text("post-status") == Some("draft")
    }

    /// Says whether its author is done with it.
    pub fn set_draft(&mut self, draft: bool) {
        if draft {
            self.properties.insert("post-status".to_owned(), json!(["draft"]));
        } else {
            self.properties.remove("post-status");
        }
    }

    /// The addresses of its photos, in order.
    pub fn photos(&self) -> impl Iterator<Item = &str> {
        self.values("photo").iter().filter_map(photo_url)
    }

    /// The same entry with other addresses of its photos.
    #[must_use]
    pub fn with_photos(mut self, rename: impl Fn(&str) -> Option<String>) -> Self {
        let photos = self.properties.get_mut("photo").and_then(Value::as_array_mut);
        for photo in photos.into_iter().flatten() {
            let Some(renamed) = photo_url(photo).and_then(&rename) else { continue };
            match photo {
                Value::Object(object) => _ = object.insert("value".to_owned(), Value::String(renamed)),
                other => *other = Value::String(renamed),
            }
        }
        self
    }

    pub(super) fn properties_mut(&mut self) -> &mut Map<String, Value> {
        &mut self.properties
    }

    /// When its author says that it is published.
    pub fn published(&self) -> Result<Option<EpochMs>, ConnectorError> {
        let Some(text) = self.text("published") else { return Ok(None) };
        // What cannot be read could be an embargo.
        let date = dates::parse(text);
        date.map(Some).ok_or_else(|| problem("`published` is no date; write it as 2026-11-20T09:00:00+01:00"))
    }

    /// The item, under that id. A date that is still to come is an embargo.
    pub fn item(&self, id: &str) -> Result<Item, ConnectorError> {
        let published = self.published()?;
        let photos: Vec<Media> = self.values("photo").iter().filter_map(photo).collect();
        let wanted = self.photos().collect::<std::collections::HashSet<_>>().len();
        let content = self.content();
        // A lead is in the place of the text where a link leads to it; else the text would be nowhere.
        let lead = content.is_none() || self.text("url").is_some();
        let categories = self.values("category").iter().filter_map(Value::as_str);
        let draft = Draft {
            id: Some(id.to_owned()),
            link: self.text("url").map(str::to_owned),
            title: self.text("name").and_then(|name| title(&Text::Plain(name.to_owned()))),
            summary: self.text("summary").filter(|_| lead).map(|text| Text::Plain(text.to_owned())),
            body: content,
            content_warning: self.text("content-warning").map(str::to_owned),
            published_at: published,
            embargo_until: published,
            categories: categories.map(|term| Category { term: term.to_owned(), scheme: None }).collect(),
            files: photos,
            ..Draft::default()
        };
        let nowhere = Url::parse("about:blank").map_err(|error| problem(error.to_string()))?;
        let mut warnings = Warnings::default();
        let mut item = draft.finish(&nowhere, &mut warnings);
        if wanted > 0 && item.media.len() != wanted {
            return Err(problem("a `photo` is not the address of a picture that can be published"));
        }
        if let Some(warning) = warnings.into_sentences().into_iter().next() {
            return Err(problem(warning));
        }
        item.draft = self.is_draft();
        item.original = Some(Value::Object(self.properties.clone()));
        Ok(item)
    }

    fn content(&self) -> Option<Text> {
        match self.values("content").first()? {
            Value::String(text) => Some(Text::Plain(text.clone())),
            Value::Object(object) => {
                let text = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
                text("html").map(Text::Html).or_else(|| text("value").map(Text::Plain))
            }
            _ => None,
        }
    }
}

/// The address of a photo.
pub(super) fn photo_url(photo: &Value) -> Option<&str> {
    photo.as_str().or_else(|| photo.get("value").and_then(Value::as_str))
}

fn photo(value: &Value) -> Option<Media> {
    let text = value.get("alt").and_then(Value::as_str);
    Some(Media {
        url: photo_url(value)?.to_owned(),
        media_type: Some("image/*".to_owned()),
        alt: text.and_then(alt),
        ..Media::default()
    })
}
