//! Fields of a content type that the operator or the agency made up: which of them is the title, the body, the image. Systems
//! that have no fixed content type share these settings: `types`, `page`, `format`, `fields`. The language of what says none is a
//! matter of the source, and not of its connector.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use url::Url;

use crate::contract::{ITEMS_PER_PAGE_MAX, Page};
use crate::draft::text::{self, Text, Writing};
use crate::draft::{Draft, Warnings};
use crate::error::ConnectorError;
use crate::item::{Category, EpochMs, Item, Media};
use crate::json;
use crate::rich::{self, Files};
use crate::settings::{Settings, refused};

/// Most images that are looked at of one item.
const FILES_MAX: usize = 100;
/// Most placeholders of one address.
const PLACEHOLDERS_MAX: usize = 10;
/// What stays as it is in an address: a path such as `nieuws/2026/brug`.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'/');

const TITLE: &[&str] = &["title", "titel", "headline", "heading", "kop", "name", "naam"];
const SUMMARY: &[&str] = &["summary", "samenvatting", "intro", "introductie", "inleiding", "lead", "teaser", "excerpt"];
const BODY: &[&str] = &["body", "content", "inhoud", "tekst", "text", "html", "bodyText", "hoofdtekst"];
const IMAGE: &[&str] = &["image", "afbeelding", "mainImage", "heroImage", "featuredImage", "foto", "photo"];
const ALT: &[&str] = &["alt", "altText", "alternativeText"];
const TAGS: &[&str] = &["tags", "trefwoorden"];

/// What texts are written in when they are no rich text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Html,
    Plain,
    Markdown,
}

/// Which field is what.
#[derive(Debug, Clone)]
pub(crate) struct Fields {
    page: Option<Template>,
    format: Format,
    title: Vec<String>,
    summary: Vec<String>,
    body: Vec<String>,
    image: Vec<String>,
    alt: Vec<String>,
    tags: Vec<String>,
    url: Vec<String>,
    written_in: Vec<String>,
    authors: Vec<String>,
    published: Vec<String>,
    embargo: Vec<String>,
    content_warning: Vec<String>,
    /// The field with the image, as the operator named it.
    pub image_named: Option<String>,
}

impl Fields {
    /// Takes the settings that all such systems share. `usual` is what texts are written in when nothing is said.
    pub(crate) fn take(settings: &mut Settings, usual: Format) -> Result<Self, ConnectorError> {
        let page = settings.text("page")?.map(|text| Template::parse("page", &text)).transpose()?;
        let format = match settings.text("format")?.as_deref() {
            None => usual,
            Some("html") => Format::Html,
            Some("text") => Format::Plain,
            Some("markdown") => Format::Markdown,
            Some(_) => return Err(refused("format", "must be html, markdown or text")),
        };
        let named = settings.value("fields").unwrap_or_else(|| Value::Object(Map::new()));
        let mut named = Settings::new(&named).map_err(|_| refused("fields", "must be a table"))?;
        let image_named = named.text("image").map_err(within_fields)?;
        let mut field = |key, usual: &[&str]| match named.text(key) {
            Ok(Some(path)) => Ok(vec![pointer(&path)]),
            Ok(None) => Ok(usual.iter().map(|name| pointer(name)).collect()),
            Err(error) => Err(within_fields(error)),
        };
        let fields = Self {
            page,
            format,
            title: field("title", TITLE)?,
            summary: field("summary", SUMMARY)?,
            body: field("body", BODY)?,
            image: match &image_named {
                Some(path) => vec![pointer(path)],
                None => IMAGE.iter().map(|name| pointer(name)).collect(),
            },
            alt: field("alt", ALT)?,
            tags: field("tags", TAGS)?,
            url: field("url", &[])?,
            written_in: field("language", &[])?,
            authors: field("authors", &[])?,
            published: field("published", &[])?,
            embargo: field("embargo", &[])?,
            content_warning: field("content_warning", &[])?,
            image_named,
        };
        named.finish().map_err(within_fields)?;
        Ok(fields)
    }

    /// With a field that is the title where no other one is.
    pub(crate) fn or_title(mut self, name: &str) -> Self {
        self.title.push(pointer(name));
        self
    }

    /// What `fields` say, as a draft without id and version. `meta` is what the system itself says of the item, for the address
    /// of the page; `files` reads what the system has in the place of an image.
    pub(crate) fn draft(
        &self,
        fields: &Value,
        meta: &Value,
        files: Files<'_>,
        warnings: &mut Warnings,
    ) -> Result<Draft, ConnectorError> {
        // A title is plain text in all these systems, whatever their bodies are.
        let title = first(fields, &self.title).and_then(|value| match value {
            Value::String(title) => text::title(&Text::Plain(title.clone())),
            other => text::title(&rich::render(other, files, warnings)?),
        });
        let summary = first(fields, &self.summary).and_then(|value| self.text(value, files, warnings));
        let body = first(fields, &self.body).and_then(|value| self.text(value, files, warnings));
        if title.is_none() && summary.is_none() && body.is_none() {
            let problem =
                "it has no title, summary or text under the names that are known; name its fields in `fields`";
            return Err(json::lacks("item", problem));
        }
        let published = self.date(fields, &self.published, "published")?;
        let embargo = self.date(fields, &self.embargo, "embargo")?;
        let own_language = || first(fields, &self.written_in).and_then(Value::as_str).map(str::to_owned);
        let link = first(fields, &self.url).and_then(Value::as_str).map(str::to_owned);
        let link = link.or_else(|| {
            let page = self.page.as_ref()?;
            let filled = page.fill(fields, meta);
            if filled.is_none() {
                warnings.add("the address of a page is not known: a field that `page` names is empty");
            }
            filled
        });
        Ok(Draft {
            link,
            title,
            summary,
            body,
            language: own_language(),
            content_warning: first(fields, &self.content_warning).and_then(Value::as_str).map(str::to_owned),
            published_at: published.max(embargo),
            authors: names(first(fields, &self.authors)),
            categories: first(fields, &self.tags).map(tags).unwrap_or_default(),
            files: self.images(fields, files),
            ..Draft::default()
        })
    }

    fn text(&self, value: &Value, files: Files<'_>, warnings: &mut Warnings) -> Option<Text> {
        let found = match value {
            Value::String(text) => match self.format {
                // A field of one line, such as a lead, is plain text also where bodies are HTML.
                Format::Html if Writing::of(std::iter::once(text.as_str())) != Writing::Plain => {
                    Text::Html(text.clone())
                }
                Format::Markdown => Text::Html(rich::markdown(text).0),
                _ => Text::Plain(text.clone()),
            },
            other => rich::render(other, files, warnings)?,
        };
        Some(found).filter(|text| !text.is_blank())
    }

    fn images(&self, fields: &Value, files: Files<'_>) -> Vec<Media> {
        let Some(value) = first(fields, &self.image) else { return Vec::new() };
        let mut found: Vec<Media> = match value {
            Value::Array(list) => list.iter().take(FILES_MAX).filter_map(files).collect(),
            one => files(one).into_iter().collect(),
        };
        let alt = first(fields, &self.alt).and_then(Value::as_str).and_then(crate::draft::alt);
        if let Some(image) = found.first_mut().filter(|image| image.alt.is_none()) {
            image.alt = alt;
        }
        found
    }

    /// A date that the operator named. One that cannot be read is an error and not absent: it could be an embargo.
    fn date(&self, fields: &Value, pointers: &[String], what: &str) -> Result<Option<EpochMs>, ConnectorError> {
        let Some(value) = first(fields, pointers) else { return Ok(None) };
        let found = json::date(value, "");
        found.map(Some).ok_or_else(|| json::lacks("item", format!("its field for `fields.{what}` is no date")))
    }
}

/// The content types that are taken, under `types`; all, when there are none.
#[derive(Debug, Clone)]
pub(crate) struct Types(pub Vec<String>);

impl Types {
    /// Takes the setting.
    pub(crate) fn take(settings: &mut Settings) -> Result<Self, ConnectorError> {
        settings.texts("types").map(|types| Self(types.unwrap_or_default()))
    }

    /// Whether that type is taken.
    pub(crate) fn has(&self, content_type: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|known| known == content_type)
    }

    /// Whether to leave it out. What does not say its type is not: the filter of the webhook decided.
    pub(crate) fn leave_out(&self, content_type: Option<&str>) -> bool {
        content_type.is_some_and(|found| !self.has(found))
    }
}

fn within_fields(error: ConnectorError) -> ConnectorError {
    match error {
        ConnectorError::Settings { key, problem } => refused(&format!("fields.{key}"), problem),
        other => other,
    }
}

/// `seo.title` as a pointer.
fn pointer(path: &str) -> String {
    path.split('.').map(|part| format!("/{}", part.replace('~', "~0").replace('/', "~1"))).collect()
}

/// The first field that holds something.
fn first<'v>(fields: &'v Value, pointers: &[String]) -> Option<&'v Value> {
    let is_something = |value: &&Value| match value {
        Value::Null => false,
        Value::String(text) => !text.trim().is_empty(),
        Value::Array(list) => !list.is_empty(),
        _ => true,
    };
    pointers.iter().filter_map(|pointer| fields.pointer(pointer)).find(is_something)
}

fn names(value: Option<&Value>) -> Vec<String> {
    let name = |value: &Value| match value {
        Value::String(name) => Some(name.clone()),
        other => json::text(other, "/name").or_else(|| json::text(other, "/title")),
    };
    match value {
        Some(Value::Array(list)) => list.iter().take(FILES_MAX).filter_map(name).collect(),
        Some(one) => name(one).into_iter().collect(),
        None => Vec::new(),
    }
}

fn tags(value: &Value) -> Vec<Category> {
    let term = |value: &Value| match value {
        Value::String(term) => Some(term.clone()),
        other => ["/name", "/title", "/label", "/value"].iter().find_map(|name| json::text(other, name)),
    };
    let terms: Vec<String> = match value {
        Value::Array(list) => list.iter().take(1_000).filter_map(term).collect(),
        Value::String(list) => list.split(',').take(1_000).map(|term| term.trim().to_owned()).collect(),
        other => term(other).into_iter().collect(),
    };
    terms.into_iter().map(|term| Category { term, scheme: None }).collect()
}

/// The address of a page, with `{field}` in it.
#[derive(Debug, Clone)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, Clone)]
enum Part {
    Literal(String),
    Field(String),
}

impl Template {
    /// Reads the value of the setting `key`.
    pub(crate) fn parse(key: &str, text: &str) -> Result<Self, ConnectorError> {
        let wrong = |problem: &str| refused(key, format!("{problem}; write https://www.stad.example/nieuws/{{slug}}"));
        let (mut parts, mut rest) = (Vec::new(), text);
        while let Some((before, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or_else(|| wrong("a `{` is not closed"))?;
            if name.trim().is_empty() || name.contains('{') {
                return Err(wrong("a `{}` has no name in it"));
            }
            parts.extend([Part::Literal(before.to_owned()), Part::Field(pointer(name.trim()))]);
            rest = after;
        }
        parts.push(Part::Literal(rest.to_owned()));
        if parts.len() > PLACEHOLDERS_MAX * 2 + 1 {
            return Err(wrong("there are more than 10 fields in it"));
        }
        let filled = |with: &str| {
            let text: String =
                parts.iter().map(|part| if let Part::Literal(text) = part { text.as_str() } else { with }).collect();
            Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))
        };
        match (filled("a"), filled("b")) {
            (Some(a), Some(b)) if a.origin() == b.origin() => Ok(Self(parts)),
            (Some(_), Some(_)) => Err(wrong("a field can be in the path and not in the host")),
            _ => Err(wrong("it is no address")),
        }
    }

    /// The address; `None` when a field is empty.
    pub(crate) fn fill(&self, fields: &Value, meta: &Value) -> Option<String> {
        let mut address = String::new();
        for part in &self.0 {
            match part {
                Part::Literal(text) => address.push_str(text),
                Part::Field(pointer) => {
                    // A slug of Sanity is `{"current": "…"}`.
                    let value = json::text(fields, pointer)
                        .or_else(|| json::text(fields, &format!("{pointer}/current")))
                        .or_else(|| json::text(meta, pointer))?;
                    address.extend(utf8_percent_encode(value.trim().trim_matches('/'), KEPT));
                }
            }
        }
        Some(address)
    }
}

/// An address below which others are: with a slash at its end, because without one its last part would be replaced.
pub(crate) fn folder(mut url: Url) -> Url {
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    url.set_query(None);
    url.set_fragment(None);
    url
}

/// A page of a list: each id once, what could not be read left out and said.
pub(crate) fn page(found: impl Iterator<Item = Result<Item, ConnectorError>>, mut warnings: Warnings) -> Page {
    let mut seen = std::collections::HashSet::new();
    let mut items = Vec::new();
    for item in found {
        match item {
            Ok(_) if items.len() == ITEMS_PER_PAGE_MAX => {
                warnings.add("the list has more than 1000 items; the first were kept")
            }
            Ok(item) if seen.insert(item.source_id.clone()) => items.push(item),
            Ok(_) => warnings.add("an item is in the list twice; the first was kept"),
            Err(problem) => warnings.add(format!("left out: {problem}")),
        }
    }
    Page { items, warnings: warnings.into_sentences(), ..Page::default() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(settings: &Value) -> Result<Fields, ConnectorError> {
        let mut settings = Settings::new(settings).unwrap();
        let fields = Fields::take(&mut settings, Format::Html)?;
        settings.finish()?;
        Ok(fields)
    }

    fn draft(settings: &Value, of: &Value) -> Result<Draft, ConnectorError> {
        let file = |value: &Value| Some(Media { url: value.as_str()?.to_owned(), ..Media::default() });
        fields(settings).unwrap().draft(of, &json!({"id": "7"}), &file, &mut Warnings::default())
    }

    fn refused_key(settings: &Value) -> String {
        match fields(settings) {
            Err(ConnectorError::Settings { key, .. }) => key,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn usual_names_are_tried_and_a_named_field_counts_alone() {
        let of = json!({"kop": "Titel", "titel": " ", "inhoud": "<p>x</p>", "seo": {"a/b": "Elders"}, "trefwoorden": "een, twee"});
        let usual = draft(&json!({}), &of).unwrap();
        assert_eq!((usual.title.as_deref(), usual.body), (Some("Titel"), Some(Text::Html("<p>x</p>".to_owned()))));
        assert_eq!(usual.categories.len(), 2);
        let named = draft(&json!({"fields": {"title": "seo.a/b"}}), &of).unwrap();
        assert_eq!(named.title.as_deref(), Some("Elders"));
        assert!(
            draft(&json!({"fields": {"title": "x", "body": "x"}}), &of).unwrap_err().to_string().contains("`fields`")
        );
    }

    #[test]
    fn a_text_is_what_the_format_says_and_a_title_is_plain() {
        let of = json!({"titel": "R&D <b>", "inleiding": "Prijs < 5 euro", "inhoud": "een *twee*"});
        let html = draft(&json!({}), &of).unwrap();
        assert_eq!(
            (html.title.as_deref(), html.summary),
            (Some("R&D <b>"), Some(Text::Plain("Prijs < 5 euro".to_owned())))
        );
        let markdown = draft(&json!({"format": "markdown"}), &of).unwrap().body.unwrap();
        assert_eq!(markdown.as_str().trim(), "<p>een <em>twee</em></p>");
        assert_eq!(draft(&json!({"format": "text"}), &of).unwrap().body, Some(Text::Plain("een *twee*".to_owned())));
    }

    #[test]
    fn the_later_of_publication_and_embargo_counts_and_an_odd_date_is_an_error() {
        let settings = json!({"fields": {"published": "op", "embargo": "tot"}});
        let of =
            |embargo: Value| draft(&settings, &json!({"titel": "x", "op": "2026-11-20T09:00:00Z", "tot": embargo}));
        assert_eq!(of(json!(null)).unwrap().published_at, Some(1_795_165_200_000));
        assert_eq!(of(json!("2026-11-21T09:00:00Z")).unwrap().published_at, Some(1_795_251_600_000));
        for odd in [json!("binnenkort"), json!({}), json!(true)] {
            assert!(of(odd.clone()).is_err(), "{odd}");
        }
    }

    #[test]
    fn a_content_warning_comes_only_from_the_field_that_the_operator_names() {
        let item =
            json!({"titel": "x", "warning": "a", "contentWarning": "b", "sensitive": true, "schok": "Schokkend beeld"});
        assert_eq!(draft(&json!({}), &item).unwrap().content_warning, None);
        let named = draft(&json!({"fields": {"content_warning": "schok"}}), &item).unwrap();
        assert_eq!(named.content_warning.as_deref(), Some("Schokkend beeld"));
        let no_text = draft(&json!({"fields": {"content_warning": "sensitive"}}), &item).unwrap();
        assert_eq!(no_text.content_warning, None);
    }

    #[test]
    fn images_have_the_alternative_text_of_their_field_up_to_the_limit() {
        let of = |n: usize| {
            draft(&json!({}), &json!({"titel": "x", "alt": "Een brug", "image": vec!["https://a.example/a.jpg"; n]}))
                .unwrap()
                .files
        };
        assert_eq!(of(2)[0].alt.as_deref(), Some("Een brug"));
        assert_eq!(
            (of(2)[1].alt.as_deref(), of(FILES_MAX).len(), of(FILES_MAX + 1).len()),
            (None, FILES_MAX, FILES_MAX)
        );
    }

    #[test]
    fn the_address_of_the_page_is_filled_in() {
        let fill = |template: &str, of: Value| {
            Template::parse("page", template).unwrap().fill(&of, &json!({"id": 7, "slug": "meta"}))
        };
        assert_eq!(fill("https://a.example/n/{slug}", json!({})).as_deref(), Some("https://a.example/n/meta"));
        assert_eq!(
            fill("https://a.example/{a.b}/{id}.html", json!({"a": {"b": "x y"}})).as_deref(),
            Some("https://a.example/x%20y/7.html")
        );
        assert_eq!(
            fill("https://a.example/{slug}", json!({"slug": {"current": "/nieuws/2026/"}})).as_deref(),
            Some("https://a.example/nieuws/2026")
        );
        assert_eq!(
            fill("https://a.example/{slug}", json!({"slug": "?x#y"})).as_deref(),
            Some("https://a.example/%3Fx%23y")
        );
        assert_eq!(fill("https://a.example/{geen}", json!({})), None);
    }

    #[test]
    fn settings_that_are_wrong_are_refused_by_key() {
        for page in [
            "nieuws/{slug}",
            "https://{host}.example/",
            "https://a.example/{slug",
            "https://a.example/{}",
            "ftp://a.example/{x}",
        ] {
            assert_eq!(refused_key(&json!({ "page": page })), "page", "{page}");
        }
        let many = |n: usize| json!({"page": format!("https://a.example/{}", "{x}".repeat(n))});
        assert!(fields(&many(PLACEHOLDERS_MAX)).is_ok());
        assert_eq!(refused_key(&many(PLACEHOLDERS_MAX + 1)), "page");
        assert_eq!(refused_key(&json!({"format": "rtf"})), "format");
        assert_eq!(refused_key(&json!({"fields": []})), "fields");
        assert_eq!(refused_key(&json!({"fields": {"title": 1}})), "fields.title");
        assert_eq!(refused_key(&json!({"fields": {"kop": "x"}})), "fields.kop");
    }

    #[test]
    fn a_page_has_each_item_once_and_no_more_than_the_limit() {
        let item = |n: usize| Ok(Item { source_id: n.to_string(), ..Item::default() });
        let whole = page((0..ITEMS_PER_PAGE_MAX).map(item), Warnings::default());
        assert_eq!((whole.items.len(), whole.warnings.len()), (ITEMS_PER_PAGE_MAX, 0));
        let cut = page((0..=ITEMS_PER_PAGE_MAX).map(item), Warnings::default());
        assert_eq!((cut.items.len(), cut.warnings.len()), (ITEMS_PER_PAGE_MAX, 1));
        let twice = page([item(1), item(1), Err(ConnectorError::Empty)].into_iter(), Warnings::default());
        assert_eq!((twice.items.len(), twice.warnings.len()), (1, 2));
    }

    #[test]
    fn a_folder_keeps_its_last_part() {
        let joined = |base: &str| folder(Url::parse(base).unwrap()).join("items").unwrap().to_string();
        assert_eq!(joined("https://a.example/cms?x#y"), "https://a.example/cms/items");
        assert_eq!(joined("https://a.example"), "https://a.example/items");
    }
}
