//! News sitemaps, sitemaps and sitemap indexes (`reference/connectors.md` A7), and the pages that they list.
//!
//! A sitemap says where pages are and little else, so each page that is new or changed is read: JSON-LD of an article, Open Graph,
//! its heading, its title. Its text is not taken. What a sitemap does not list any more means nothing: news sitemaps hold two days.

#[cfg(test)]
mod tests;

use std::collections::HashSet;

use serde_json::Value;
use url::Url;

use crate::contract::{Connector, ITEMS_PER_PAGE_MAX, Kind, PAGES_PER_POLL_MAX, Page, Request, Response};
use crate::draft::text::{self, Text};
use crate::draft::tree::{self, Element, Vocabularies};
use crate::draft::{Draft, Warnings, dates, decode, identity, page};
use crate::error::ConnectorError;
use crate::item::{Category, EpochMs, Item, Media};
use crate::settings::{Settings, refused};

/// Largest sitemap or page that is read, in bytes: the protocol allows 50 MiB, news sitemaps stay under 1 MiB.
pub const SITEMAP_BYTES_MAX: usize = 8 * 1_024 * 1_024;

const WHAT: &str = "sitemap";
const WANTED: &str = "a sitemap";
const ACCEPT: &str = "application/xml, text/xml;q=0.9, */*;q=0.1";
const ACCEPT_PAGE: &str = "text/html, application/xhtml+xml;q=0.9, */*;q=0.1";

static VOCABULARIES: Vocabularies = &[
    ("www.sitemaps.org/schemas/sitemap/0.9", "sitemap"),
    ("www.google.com/schemas/sitemap-news/0.9", "news"),
    ("www.google.com/schemas/sitemap-image/1.1", "image"),
];

/// The kind `sitemap`.
pub struct Sitemap;

impl Kind for Sitemap {
    fn name(&self) -> &'static str {
        "sitemap"
    }

    fn configure(&self, settings: &Value) -> Result<Box<dyn Connector>, ConnectorError> {
        let mut settings = Settings::new(settings)?;
        let url = settings.url("url")?;
        let url = url.ok_or_else(|| refused("url", "is missing; give the address of the sitemap"))?;
        let paths = settings.texts("paths")?.unwrap_or_default();
        if let Some(path) = paths.iter().find(|path| !path.starts_with('/')) {
            return Err(refused("paths", format!("`{path}` is no path; write it as /nieuws/")));
        }
        settings.finish()?;
        Ok(Box::new(Source { url, paths }))
    }
}

struct Source {
    url: Url,
    /// How the paths of pages and further sitemaps that are taken begin; all, when empty.
    paths: Vec<String>,
}

impl Connector for Source {
    fn request(&self) -> Option<Request> {
        Some(Request::get(self.url.clone(), ACCEPT))
    }

    fn read(&self, response: &Response) -> Result<Page, ConnectorError> {
        let not_this = |found: &str| ConnectorError::NotThis { found: found.to_owned(), wanted: WANTED };
        if response.body.starts_with(b"\x1F\x8B") {
            return Err(not_this("a compressed file; give the address of the one that is not compressed"));
        }
        let text = decode::document(response, SITEMAP_BYTES_MAX, WHAT)?;
        let text = text.as_str();
        if let Some(about) = &response.about {
            return of_page(text, about, &response.url);
        }
        let root = match text.trim_start().starts_with('<') {
            true => tree::parse(text, VOCABULARIES, WHAT)
                .map_err(|problem| if is_html(text) { not_this("an HTML page") } else { problem })?,
            false => None,
        };
        match root {
            Some(root) if root.name == "urlset" => self.pages(&root, &response.url),
            Some(root) if root.name == "sitemapindex" => self.lists(&root, &response.url),
            Some(root) if root.name == "html" => Err(not_this("an HTML page")),
            Some(root) if matches!(root.name, "rss" | "feed") => Err(not_this("a feed; take the kind `feed`")),
            Some(_) => Err(not_this("another XML document")),
            None => Err(not_this("plain text")),
        }
    }
}

fn is_html(text: &str) -> bool {
    let head: String = text.trim_start().chars().take(200).collect::<String>().to_ascii_lowercase();
    head.starts_with("<!doctype html") || head.starts_with("<html")
}

/// One page that a sitemap lists.
struct Entry {
    address: Url,
    changed: Option<EpochMs>,
    draft: Draft,
}

impl Source {
    fn is_taken(&self, address: &Url) -> bool {
        self.paths.is_empty() || self.paths.iter().any(|path| address.path().starts_with(path.as_str()))
    }

    /// The addresses that `elements` name: those on the sitemap's own host that are taken.
    fn addresses<'e, 'a>(
        &self,
        elements: impl Iterator<Item = &'e Element<'a>>,
        base: &Url,
        warnings: &mut Warnings,
    ) -> Vec<(Url, &'e Element<'a>)>
    where
        'a: 'e,
    {
        let mut found = Vec::new();
        for element in elements {
            let address = element.text_of("loc").and_then(|loc| identity::page_address(&loc, base));
            match address {
                None => warnings.add("an entry has no address that can be fetched"),
                // The protocol allows no other (sitemaps.org, "Sitemap file location"), and `www.` is no other.
                Some(url) if bare(&url) != bare(base) => warnings.add("an address is on another host than the sitemap"),
                Some(url) if self.is_taken(&url) => found.push((url, element)),
                Some(_) => {}
            }
        }
        found
    }

    fn pages(&self, root: &Element<'_>, base: &Url) -> Result<Page, ConnectorError> {
        let mut warnings = Warnings::default();
        let listed = self.addresses(root.all("url"), base, &mut warnings);
        let mut entries: Vec<Entry> = listed.into_iter().map(|(address, url)| entry(address, url)).collect();
        let mut changes: Vec<EpochMs> = entries.iter().filter_map(|entry| entry.changed).collect();
        changes.sort_unstable();
        changes.dedup();
        if changes.len() == 1 && entries.len() > 1 {
            // One time for all is when the sitemap was written, and says nothing about the pages.
            entries.iter_mut().for_each(|entry| entry.changed = None);
        }
        if entries.len() > ITEMS_PER_PAGE_MAX {
            warnings.add(format!("the sitemap has {} pages; the newest {ITEMS_PER_PAGE_MAX} were read", entries.len()));
            entries.sort_by_key(|entry| std::cmp::Reverse(entry.changed.or(entry.draft.published_at)));
            entries.truncate(ITEMS_PER_PAGE_MAX);
        }
        let mut seen = HashSet::new();
        let mut page = Page::default();
        for Entry { address, changed, draft } in entries {
            let draft = Draft { updated_at: changed, ..draft };
            let item = draft.finish(base, &mut warnings);
            if seen.insert(item.source_id.clone()) {
                page.fetch.push(Request::get(address, ACCEPT_PAGE).about(item.source_id.clone()));
                page.items.push(item);
            }
        }
        page.warnings = warnings.into_sentences();
        Ok(page)
    }

    /// The newest of the sitemaps that an index lists.
    fn lists(&self, root: &Element<'_>, base: &Url) -> Result<Page, ConnectorError> {
        let mut warnings = Warnings::default();
        // Paths are for pages: which sitemap holds which is not told by its name.
        let all = Source { url: self.url.clone(), paths: Vec::new() };
        let listed = all.addresses(root.all("sitemap"), base, &mut warnings);
        let mut listed: Vec<(Url, Option<EpochMs>)> = listed
            .into_iter()
            .filter(|(url, _)| url != base)
            .map(|(url, element)| (url, date(element, "lastmod")))
            .collect();
        let most = PAGES_PER_POLL_MAX - 1;
        if listed.len() > most {
            warnings.add(format!("the index has {} sitemaps; the newest {most} were read", listed.len()));
            listed.sort_by_key(|(_, changed)| std::cmp::Reverse(*changed));
            listed.truncate(most);
        }
        let fetch = listed.into_iter().map(|(url, _)| Request::get(url, ACCEPT)).collect();
        Ok(Page { fetch, warnings: warnings.into_sentences(), ..Page::default() })
    }
}

fn bare(url: &Url) -> Option<&str> {
    url.host_str().map(|host| host.strip_prefix("www.").unwrap_or(host))
}

fn date(of: &Element<'_>, name: &str) -> Option<EpochMs> {
    of.text_of(name).as_deref().and_then(dates::parse)
}

fn entry(address: Url, url: &Element<'_>) -> Entry {
    let news = url.child("news").filter(|news| news.vocabulary == "news");
    let of_news = |name: &str| news.and_then(|news| news.text_of(name));
    let keywords = of_news("keywords").unwrap_or_default();
    let images = url.all("image").filter(|image| image.vocabulary == "image");
    let image = |image: &Element<'_>| {
        let kind = Some("image/*".to_owned());
        Some(Media { url: image.text_of("loc")?, media_type: kind, ..Media::default() })
    };
    let draft = Draft {
        id: Some(address.to_string()),
        link: Some(address.to_string()),
        title: of_news("title").and_then(|title| text::title(&Text::Plain(title))),
        language: news.and_then(|news| news.child("publication")?.text_of("language")),
        published_at: news.and_then(|news| date(news, "publication_date")),
        categories: keywords.split(',').map(|term| Category { term: term.to_owned(), scheme: None }).collect(),
        files: images.filter_map(image).collect(),
        ..Draft::default()
    };
    Entry { address, changed: date(url, "lastmod"), draft }
}

/// A page that a sitemap listed, as the item `about`.
fn of_page(html: &str, about: &str, url: &Url) -> Result<Page, ConnectorError> {
    let facts = page::read(html);
    let mut draft = facts.draft();
    if draft.title.is_none() {
        let problem = "it has neither a heading nor a title; is it a page for readers?".to_owned();
        return Err(ConnectorError::Unreadable { what: "page", problem });
    }
    let canonical = facts.canonical.as_deref().and_then(|canonical| identity::page_address(canonical, url));
    // A page that says it is really another one somewhere else is not believed.
    let link = canonical.filter(|canonical| bare(canonical) == bare(url)).unwrap_or_else(|| url.clone());
    draft.id = Some(about.to_owned());
    draft.link = Some(link.to_string());
    let mut warnings = Warnings::default();
    if draft.published_at.is_none() && draft.updated_at.is_none() {
        warnings.add("a page has no readable date");
    }
    let item: Item = draft.finish(url, &mut warnings);
    Ok(Page { items: vec![item], warnings: warnings.into_sentences(), ..Page::default() })
}
