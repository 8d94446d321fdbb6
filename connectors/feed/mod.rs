//! Feeds: RSS 0.9x, 1.0 and 2.0, Atom 0.3 and 1.0, JSON Feed 1.x.
//!
//! bytes → `decode` text → `normalise` clean XML → a parser → `draft` → items. Invariants: what is no feed is an error; a
//! document that plainly has items never reads as empty; no DTD or external entity is read; every step is linear in its input.

mod archive;
mod atom;
mod fields;
mod json;
mod media;
mod namespaces;
mod normalise;
mod politeness;
mod rss;
mod sniff;
mod state;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use serde_json::Value;
use url::Url;

use crate::contract::{Connector, ITEMS_PER_PAGE_MAX, Kind, Page, Request, Response};
use crate::draft::{self, dates, decode, entities, identity, text, xml};
use crate::error::ConnectorError;
use crate::item::{Action, Item};
use crate::settings::{Settings, refused};
use draft::Warnings;
use normalise::Family;

/// Largest document that is read, in bytes after decompression: 8 MiB, some hundred times a usual feed.
pub const FEED_BYTES_MAX: usize = 8 * 1_024 * 1_024;

/// The formats that are read, the plain ones last, so that a server that negotiates sends a feed and not a page.
const ACCEPT: &str = "application/atom+xml, application/rss+xml, application/feed+json, application/rdf+xml;q=0.9, \
     application/xml;q=0.8, text/xml;q=0.8, application/json;q=0.7, */*;q=0.1";

/// The kind `feed`.
pub struct Feed;

impl Kind for Feed {
    fn name(&self) -> &'static str {
        "feed"
    }

    fn names_hubs(&self) -> bool {
        true
    }

    fn configure(&self, settings: &Value) -> Result<Box<dyn Connector>, ConnectorError> {
        let mut settings = Settings::new(settings)?;
        let url = settings.url("url")?;
        let url = url.ok_or_else(|| refused("url", "is missing; give the address of the feed, as text"))?;
        let state = settings.text("state")?.map(|name| state::Field::parse(&name)).transpose()?;
        settings.finish()?;
        Ok(Box::new(Source { url, state }))
    }
}

struct Source {
    url: Url,
    /// The field of an item that is its state, where the feed is one of states and not of messages.
    state: Option<state::Field>,
}

impl Connector for Source {
    fn request(&self) -> Option<Request> {
        Some(Request::get(self.url.clone(), ACCEPT))
    }

    fn read(&self, response: &Response) -> Result<Page, ConnectorError> {
        let text = decode::document(response, FEED_BYTES_MAX, "feed")?;
        let mut page = page(&text, &response.url)?;
        if let Some(field) = self.state {
            state::set(field, &mut page);
        }
        Ok(page)
    }
}

fn page(text: &str, url: &Url) -> Result<Page, ConnectorError> {
    if text.trim_start().starts_with(['{', '[']) {
        let (page, drafts, older) = json::read(text)?;
        return Ok(archive::told(finished(page, drafts, url), older.as_deref(), url));
    }
    let normal = normalise::normalise(text, url)?;
    let (page, drafts, older) = match normal.family {
        Family::Rss => rss::read(&normal.xml)?,
        Family::Atom => atom::read(&normal.xml)?,
    };
    if drafts.is_empty() && normal.items_seen > 0 {
        let problem = format!("{} items stand where a feed has none; tell us the address", normal.items_seen);
        return Err(ConnectorError::Unreadable { what: "feed", problem });
    }
    Ok(archive::told(finished(page, drafts, url), older.as_deref(), url))
}

/// Bounds, finishes and tells apart the items.
fn finished(mut page: Page, mut drafts: Vec<draft::Draft>, url: &Url) -> Page {
    let mut warnings = Warnings::default();
    if drafts.len() > ITEMS_PER_PAGE_MAX {
        warnings.add(format!("the feed has {} items; the first {ITEMS_PER_PAGE_MAX} were read", drafts.len()));
        drafts.truncate(ITEMS_PER_PAGE_MAX);
    }
    rss::warn(&drafts, &mut warnings);
    page.items = drafts.into_iter().map(|draft| draft.finish(url, &mut warnings)).collect();
    let dropped = identity::make_unique(&mut page.items);
    if dropped > 0 {
        warnings.add(format!("{dropped} items stand in the feed twice and were read once"));
    }
    let shared = with_shared_address(&page.items);
    if shared > 0 {
        warnings.add(format!("{shared} items share their page's address with another item: it does not identify them"));
    }
    page.warnings = warnings.into_sentences();
    page
}

fn with_shared_address(items: &[Item]) -> usize {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for address in items.iter().filter(|i| i.action == Action::Publish).filter_map(|i| i.canonical_url.as_deref()) {
        *counts.entry(address).or_default() += 1;
    }
    counts.values().filter(|count| **count > 1).sum()
}
