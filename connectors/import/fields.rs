//! Names of fields as people write them, to the ones of our own contract (`reference/connectors.md` B7).

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::{Entry, WHAT, ninjs};
use crate::contract::ITEMS_PER_PAGE_MAX;
use crate::draft::{Warnings, native};
use crate::error::ConnectorError;
use crate::json;
use crate::settings::{Settings, refused};

/// Our name of a field, and the others that mean the same, without spaces, `_` and `-`, the surest first.
static NAMES: &[(&str, &[&str])] = &[
    ("id", &["id", "guid", "identifier", "uuid", "kenmerk"]),
    ("url", &["url", "link", "permalink", "canonicalurl", "canonical", "adres"]),
    ("title", &["title", "titel", "kop", "headline"]),
    ("summary", &["summary", "description", "samenvatting", "inleiding", "intro", "lead", "excerpt"]),
    ("html", &["html", "bodyhtml", "contenthtml"]),
    ("text", &["text", "tekst", "body", "inhoud", "content"]),
    ("language", &["language", "lang", "taal"]),
    (
        "published",
        &["published", "publishdate", "publishedat", "publicatiedatum", "gepubliceerd", "pubdate", "date", "datum"],
    ),
    ("updated", &["updated", "updatedat", "lastmod", "lastmodifiedat", "modified", "gewijzigd"]),
    ("embargo", &["embargo", "embargountil", "embargotot"]),
    ("expires", &["expires", "expiresat", "expirydate", "verloopt", "geldigtot"]),
    ("authors", &["authors", "author", "auteur", "auteurs"]),
    ("tags", &["tags", "keywords", "categories", "category", "trefwoorden", "tag"]),
    ("media", &["media"]),
    ("image", &["image", "featuredimage", "cover", "afbeelding", "foto"]),
    ("alt", &["alt", "imagealt", "alttext", "alttekst"]),
    ("visibility", &["visibility"]),
    ("contentWarning", &["contentwarning", "inhoudswaarschuwing"]),
    ("draft", &["draft", "concept"]),
    ("withdrawn", &["withdrawn", "ingetrokken"]),
];

/// The same name, whatever its case and its signs.
fn bare(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, ' ' | '_' | '-' | '.')).flat_map(char::to_lowercase).collect()
}

/// Which column holds which field, where the operator says so.
#[derive(Debug, Default)]
pub(super) struct Columns(Vec<(&'static str, String)>);

impl Columns {
    /// From the setting: `{ title = "Kop van het bericht" }`.
    pub(super) fn parse(value: Option<Value>) -> Result<Self, ConnectorError> {
        let Some(value) = value else { return Ok(Self::default()) };
        let within = |error| match error {
            ConnectorError::Settings { key, problem } => refused(&format!("columns.{key}"), problem),
            other => other,
        };
        let mut table = Settings::new(&value).map_err(|_| refused("columns", "must be a table"))?;
        let mut columns = Vec::new();
        for (field, _) in NAMES {
            columns.extend(table.text(field).map_err(within)?.map(|column| (*field, bare(&column))));
        }
        table.finish().map_err(within)?;
        Ok(Self(columns))
    }

    /// The field that each column of a header row holds: as the operator says, or else by its name; each field once.
    pub(super) fn held<'c>(&self, header: impl Iterator<Item = &'c str>) -> Vec<Option<&'static str>> {
        let names: Vec<String> = header.map(bare).collect();
        let told = |name: &String| self.0.iter().find(|(_, column)| column == name).map(|(field, _)| *field);
        let usual = |name: &String| {
            let found = NAMES.iter().find(|(_, others)| others.contains(&name.as_str()));
            found.map(|(field, _)| *field)
        };
        let mut held: Vec<Option<&'static str>> = names.iter().map(told).collect();
        for (at, name) in names.iter().enumerate() {
            let field = usual(name).filter(|field| !held.contains(&Some(*field)));
            if let Some(place) = held.get_mut(at).filter(|place| place.is_none()) {
                *place = field;
            }
        }
        held
    }
}

/// The item that `said` describes; `None` for a draft. `id` stands in where it names none.
pub(super) fn item(
    said: &Map<String, Value>,
    id: Option<&str>,
    warnings: &mut Warnings,
) -> Result<Option<Entry>, ConnectorError> {
    let mut shape = Map::new();
    let mut filled: HashMap<String, &Value> = HashMap::new();
    for (key, value) in said.iter().filter(|(_, value)| !is_blank(value)) {
        filled.entry(bare(key)).or_insert(value);
    }
    for (field, names) in NAMES {
        // Jekyll says `published: true` of what is no draft, and `date` of when.
        let says = |value: &&Value| *field != "published" || **value != Value::Bool(true);
        if let Some(value) = names.iter().find_map(|name| filled.get(*name).copied().filter(says)) {
            shape.insert((*field).to_owned(), value.clone());
        }
    }
    let is_yes = |field: &str| match shape.get(field) {
        Some(Value::Bool(yes)) => *yes,
        Some(value) => {
            json::text(value, "").is_some_and(|text| matches!(bare(&text).as_str(), "true" | "yes" | "ja" | "1" | "x"))
        }
        None => false,
    };
    if is_yes("draft") || shape.get("published") == Some(&Value::Bool(false)) {
        warnings.add("a draft was left out");
        return Ok(None);
    }
    let own = json::text(&Value::Object(shape.clone()), "/id").or_else(|| id.map(str::to_owned));
    let own = own.or_else(|| json::text(&Value::Object(shape.clone()), "/url"));
    let id =
        own.ok_or_else(|| json::lacks(WHAT, "an item in it has neither `id` nor `url`: it would be new each time"))?;
    if is_yes("withdrawn") {
        shape.insert("visibility".to_owned(), json!("withdrawn"));
    }
    listed(&mut shape, "tags", &[',', ';']);
    listed(&mut shape, "authors", &[';']);
    if let Some(image) = shape.remove("image") {
        let url = json::text(&image, "").or_else(|| json::text(&image, "/url")).or_else(|| json::text(&image, "/src"));
        let alt = shape.get("alt").and_then(|alt| json::text(alt, "")).or_else(|| json::text(&image, "/alt"));
        if !shape.contains_key("media") {
            shape.insert("media".to_owned(), json!([{"url": url, "alt": alt, "type": "image/*"}]));
        }
    }
    let draft = native::draft(&Value::Object(shape), id, WHAT, warnings)?;
    Ok(Some(Entry { draft, version: None }))
}

fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    }
}

/// A text that lists several is a list.
fn listed(shape: &mut Map<String, Value>, field: &str, between: &[char]) {
    if let Some(Value::String(text)) = shape.get(field) {
        let parts = text.split(between).map(str::trim).filter(|part| !part.is_empty());
        let list = parts.map(|part| Value::String(part.to_owned())).collect();
        shape.insert(field.to_owned(), Value::Array(list));
    }
}

/// A file of JSON: an item, a list of them, or a list under `items`; in our own words or as ninjs.
pub(super) fn of_json(text: &str, warnings: &mut Warnings) -> Result<Vec<Entry>, ConnectorError> {
    let value = json::parse(text.as_bytes(), WHAT)?;
    if json::text(&value, "/version").is_some_and(|version| version.contains("jsonfeed.org/version/")) {
        let found = "a JSON Feed; take the kind `feed`".to_owned();
        return Err(ConnectorError::NotThis { found, wanted: super::WANTED });
    }
    let list = value.as_array().or_else(|| value.get("items")?.as_array());
    let all: Vec<&Value> = list.map_or_else(|| vec![&value], |list| list.iter().collect());
    if all.len() > ITEMS_PER_PAGE_MAX {
        return Err(json::lacks(
            WHAT,
            format!("it has {} items, {ITEMS_PER_PAGE_MAX} are read; part it in two", all.len()),
        ));
    }
    let mut entries = Vec::new();
    for (at, one) in all.into_iter().enumerate() {
        let placed = |problem: String| json::lacks(WHAT, format!("item {}: {problem}", at + 1));
        let Value::Object(object) = one else { return Err(placed("it is no JSON object".to_owned())) };
        let found = if ninjs::is_ninjs(object) { ninjs::item(object, warnings) } else { item(object, None, warnings) };
        entries.extend(found.map_err(|error| match error {
            ConnectorError::Unreadable { problem, .. } => placed(problem),
            other => other,
        })?);
    }
    Ok(entries)
}
