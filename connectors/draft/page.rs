//! What an HTML page says about itself: JSON-LD of an article, Open Graph, other `meta` elements, its first heading, its title, in
//! this order (`reference/connectors.md` A7, E2). One pass, linear in the page.

use std::collections::HashMap;

use serde_json::Value;

use super::html::{Markup, markup_at_start, raw_text, tag_name};
use super::text::{self, Text};
use super::xml::{ATTRIBUTES_MAX, Attributes};
use super::{Draft, dates, entities};
use crate::item::{Category, EpochMs, Media};
use crate::json;

/// Most `meta` elements, scripts of JSON-LD and objects in them that are read: real pages stay under 100, 10 and 100.
const PARTS_MAX: usize = 500;

/// Elements that hold the text of a page, the best first.
const CONTENTS: [&str; 3] = ["article", "main", "body"];

/// Names of `meta` that say when a page was published.
const PUBLISHED: &[&str] = &["article:published_time", "dcterms.issued", "dcterms.date", "dc.date", "date"];

/// What was found in a page.
#[derive(Debug, Default)]
pub(crate) struct Facts<'p> {
    /// `meta` by `name` or `property`, in lower case, each with its values.
    meta: HashMap<String, Vec<String>>,
    lang: Option<String>,
    /// `link rel=canonical`, as it is written.
    pub canonical: Option<String>,
    title: Option<String>,
    heading: Option<String>,
    /// Objects of JSON-LD.
    linked: Vec<Value>,
    /// The insides of the first element of each name in [`CONTENTS`].
    contents: [Content<'p>; 3],
}

#[derive(Debug, Default, Clone, Copy)]
struct Content<'p> {
    begins: Option<usize>,
    depth: usize,
    inside: Option<&'p str>,
}

/// Reads a page; a text that is none has no facts.
pub(crate) fn read(html: &str) -> Facts<'_> {
    let mut facts = Facts::default();
    let (mut rest, mut heading) = (html, None);
    while let Some(at) = rest.find('<') {
        let (_, markup) = rest.split_at(at);
        let begins = html.len() - markup.len();
        let Some((kind, used)) = markup_at_start(markup) else {
            rest = markup.get(1..).unwrap_or_default();
            continue;
        };
        let Some(used) = used else { break };
        let (tag, after) = markup.split_at_checked(used).unwrap_or((markup, ""));
        rest = after;
        if kind == Markup::Comment {
            continue;
        }
        let name = tag_name(if kind == Markup::End { tag.get(2..).unwrap_or_default() } else { tag });
        let ends = begins + used;
        facts.bound(&name, kind, begins, ends, html);
        if kind == Markup::End {
            if name == "h1" && facts.heading.is_none() {
                let inside = heading.take().and_then(|from| html.get(from..begins));
                facts.heading = inside.and_then(|inside| text::title(&Text::Html(inside.to_owned())));
            }
            continue;
        }
        if name == "h1" {
            heading = heading.or(Some(ends));
        }
        let attributes = tag.get(1 + name.len()..tag.len().saturating_sub(1)).unwrap_or_default();
        let attributes = Attributes { rest: attributes }.take(ATTRIBUTES_MAX);
        let attributes: Vec<(String, String)> = attributes
            .filter(|_| matches!(name.as_str(), "html" | "meta" | "link" | "script"))
            .map(|(key, value)| (key.to_ascii_lowercase(), entities::decode(value).trim().to_owned()))
            .collect();
        let Some((inside, after)) = raw_text(&name, rest) else { break };
        rest = after;
        facts.start(&name, &attributes, inside);
    }
    facts
}

impl<'p> Facts<'p> {
    fn bound(&mut self, name: &str, kind: Markup, begins: usize, ends: usize, html: &'p str) {
        let Some(place) = CONTENTS.iter().position(|known| *known == name) else { return };
        let Some(content) = self.contents.get_mut(place).filter(|content| content.inside.is_none()) else { return };
        match (kind, content.begins) {
            (Markup::Start, None) => (content.begins, content.depth) = (Some(ends), 1),
            (Markup::Start, Some(_)) => content.depth += 1,
            (_, Some(from)) => {
                content.depth = content.depth.saturating_sub(1);
                if content.depth == 0 {
                    content.inside = html.get(from..begins);
                }
            }
            (_, None) => {}
        }
    }

    fn start(&mut self, name: &str, attributes: &[(String, String)], inside: &str) {
        let value = |name: &str| attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let filled = |name: &str| value(name).filter(|value| !value.is_empty());
        match name {
            "html" => self.lang = self.lang.take().or_else(|| filled("lang").or_else(|| filled("xml:lang"))),
            "title" if self.title.is_none() => self.title = text::title(&Text::Html(inside.to_owned())),
            "meta" if self.meta.len() < PARTS_MAX => {
                if let (Some(name), Some(content)) = (filled("property").or_else(|| filled("name")), filled("content"))
                {
                    let known = self.meta.entry(name.to_ascii_lowercase()).or_default();
                    if known.len() < PARTS_MAX {
                        known.push(content);
                    }
                }
            }
            "link" if filled("rel").is_some_and(|rel| rel.eq_ignore_ascii_case("canonical")) => {
                self.canonical = self.canonical.take().or_else(|| filled("href"));
            }
            "script"
                if filled("type").is_some_and(|kind| kind.to_ascii_lowercase().starts_with("application/ld+json")) =>
            {
                if let Ok(value) = serde_json::from_str(inside.trim()) {
                    gather(value, &mut self.linked, 0);
                }
            }
            _ => {}
        }
    }

    /// The first value of the first of these names that is there.
    pub(crate) fn meta(&self, names: &[&str]) -> Option<String> {
        names.iter().find_map(|name| self.meta.get(*name)?.first().cloned())
    }

    /// The inside of the element that holds the text of the page.
    pub(crate) fn content(&self) -> Option<&'p str> {
        self.contents.iter().find_map(|content| content.inside).filter(|inside| !inside.trim().is_empty())
    }

    /// Its first heading.
    pub(crate) fn heading(&self) -> Option<&str> {
        self.heading.as_deref()
    }

    /// When it was published, as it says it, readable or not.
    pub(crate) fn published(&self) -> Option<String> {
        let linked = self.linked.iter().find(|object| is_article(object));
        linked.and_then(|article| json::text(article, "/datePublished")).or_else(|| self.meta(PUBLISHED))
    }

    /// The item that the page is about, without its text. Whoever asks looks at [`Self::canonical`] himself: it may lie.
    pub(crate) fn draft(&self) -> Draft {
        let none = Value::Null;
        let article = self.linked.iter().find(|object| is_article(object)).unwrap_or(&none);
        let said = |pointer: &str| json::text(article, pointer);
        let date = |pointer: &str, names: &[&str]| -> Option<EpochMs> {
            let linked = said(pointer).as_deref().and_then(dates::parse);
            linked.or_else(|| self.meta(names).as_deref().and_then(dates::parse))
        };
        let title = said("/headline").or_else(|| self.meta(&["og:title"]));
        let own_title = || self.heading.clone().or_else(|| self.title.clone());
        let summary =
            said("/description").or_else(|| self.meta(&["og:description", "description", "dcterms.description"]));
        let language = said("/inLanguage").or_else(|| said("/inLanguage/alternateName")).or_else(|| self.lang.clone());
        Draft {
            title: title.and_then(|title| text::title(&Text::Plain(title))).or_else(own_title),
            summary: summary.map(Text::Plain),
            language: language.or_else(|| self.meta(&["og:locale", "dcterms.language"])),
            published_at: date("/datePublished", PUBLISHED),
            updated_at: date("/dateModified", &["article:modified_time", "og:updated_time", "dcterms.modified"]),
            authors: named(article, "/author"),
            categories: self.categories(article),
            files: self.image(article).into_iter().collect(),
            ..Draft::default()
        }
    }

    fn categories(&self, article: &Value) -> Vec<Category> {
        let mut terms = named(article, "/keywords");
        if let [one] = terms.as_slice() {
            terms = one.split(',').map(str::to_owned).collect();
        }
        if terms.is_empty() {
            terms = self.meta.get("article:tag").cloned().unwrap_or_default();
        }
        terms.into_iter().map(|term| Category { term, scheme: None }).collect()
    }

    /// The one image that stands for the page.
    fn image(&self, article: &Value) -> Option<Media> {
        let number = |name: &str| self.meta(&[name]).and_then(|value| value.parse().ok());
        if let Some(url) = self.meta(&["og:image", "og:image:url", "og:image:secure_url"]) {
            return Some(Media {
                url,
                media_type: self.meta(&["og:image:type"]).or_else(|| Some("image/*".to_owned())),
                alt: self.meta(&["og:image:alt"]).as_deref().and_then(super::alt),
                width: number("og:image:width"),
                height: number("og:image:height"),
                ..Media::default()
            });
        }
        let one = article.pointer("/image/0").or_else(|| article.pointer("/image"))?;
        let url = json::text(one, "").or_else(|| json::text(one, "/url")).or_else(|| json::text(one, "/contentUrl"))?;
        Some(Media { url, media_type: Some("image/*".to_owned()), ..Media::default() })
    }
}

/// Objects of JSON-LD, out of lists and `@graph`.
fn gather(value: Value, objects: &mut Vec<Value>, depth: usize) {
    if objects.len() >= PARTS_MAX || depth > 4 {
        return;
    }
    match value {
        Value::Array(all) => all.into_iter().for_each(|value| gather(value, objects, depth + 1)),
        Value::Object(mut object) => {
            if let Some(graph) = object.remove("@graph") {
                gather(graph, objects, depth + 1);
            }
            objects.push(Value::Object(object));
        }
        _ => {}
    }
}

/// `NewsArticle`, `Article`, `ReportageNewsArticle`, `BlogPosting`, `SpecialAnnouncement`, alone or among other types.
fn is_article(object: &Value) -> bool {
    let is = |kind: &str| kind.ends_with("Article") || matches!(kind, "BlogPosting" | "SpecialAnnouncement" | "Report");
    match object.get("@type") {
        Some(Value::String(kind)) => is(kind),
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).any(is),
        _ => false,
    }
}

/// Texts, or the names of things: one or a list of them.
fn named(of: &Value, pointer: &str) -> Vec<String> {
    let name = |value: &Value| json::text(value, "").or_else(|| json::text(value, "/name"));
    match of.pointer(pointer) {
        Some(Value::Array(all)) => all.iter().take(PARTS_MAX).filter_map(name).collect(),
        Some(one) => name(one).into_iter().collect(),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"<!DOCTYPE html><html lang="nl-NL"><head><title>Brug - Stad</title>
        <meta property="og:title" content="Nieuwe brug &amp; tunnel"><META NAME="Description" content="Kort">
        <meta property="og:image" content="/b.jpg"><meta property="og:image:alt" content="Een brug">
        <link rel="canonical" href="/brug"><meta property="article:tag" content="Verkeer"><meta property="article:tag" content="Bouw">
        <script>if (1 < 2) { "<h1>nee</h1>" }</script></head>
        <body><nav><h1>Een <em>brug</em></h1></nav><main><article><p>Open<article>x</article></p></article></main></body></html>"#;

    #[test]
    fn open_graph_and_the_page_itself_are_read() {
        let facts = read(PAGE);
        let draft = facts.draft();
        assert_eq!(draft.title.as_deref(), Some("Nieuwe brug & tunnel"));
        assert_eq!(draft.summary, Some(Text::Plain("Kort".to_owned())));
        assert_eq!((draft.files[0].url.as_str(), draft.files[0].alt.as_deref()), ("/b.jpg", Some("Een brug")));
        assert_eq!(draft.categories.iter().map(|c| c.term.as_str()).collect::<Vec<_>>(), ["Verkeer", "Bouw"]);
        assert_eq!((draft.language.as_deref(), facts.canonical.as_deref()), (Some("nl-NL"), Some("/brug")));
        assert_eq!(facts.content(), Some("<p>Open<article>x</article></p>"));
    }

    #[test]
    fn the_heading_comes_before_the_title_and_json_ld_before_all() {
        let bare = PAGE.replace("og:title", "x");
        assert_eq!(read(&bare).draft().title.as_deref(), Some("Een brug"));
        let linked = r#"<script type="application/ld+json">{"@graph": [{"@type": "WebSite", "headline": "Stad"},
            {"@type": ["NewsArticle"], "headline": "Uit JSON", "datePublished": "2026-11-20", "dateModified": "2026-11-21T09:00:00Z",
             "author": [{"name": "Redactie"}], "keywords": "a, b", "image": [{"url": "/j.jpg"}]}]}</script>"#;
        let draft = read(linked).draft();
        assert_eq!((draft.title.as_deref(), draft.updated_at), (Some("Uit JSON"), Some(1_795_251_600_000)));
        assert_eq!((draft.authors, draft.categories.len(), draft.files.len()), (vec!["Redactie".to_owned()], 2, 1));
    }

    #[test]
    fn what_is_no_page_has_no_facts() {
        for text in ["", "tekst", "<", "<script type='application/ld+json'>{", "<title>", "<h1>", "<meta>", "</"] {
            assert!(read(text).draft().title.is_none(), "{text}");
        }
    }

    #[test]
    fn parts_beyond_the_limit_are_passed_over() {
        let metas = |n: usize| (0..n).map(|n| format!("<meta name='n{n}' content='x'>")).collect::<String>();
        let with = |n: usize| read(&format!("{}<meta property='og:title' content='x'>", metas(n))).draft().title;
        assert_eq!((with(PARTS_MAX - 1).is_some(), with(PARTS_MAX).is_some()), (true, false));
    }
}
