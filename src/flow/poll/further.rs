//! What a page only points to: further pages of its list, files, the documents of its items, and its archive.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use heraut_connectors::contract::{Connector, PAGES_PER_POLL_MAX, Page, Request};
use heraut_connectors::import::FILES_PER_LIST_MAX;
use heraut_connectors::item::{Action, Item};
use url::Url;

use super::folder::ITEMS_MAX;
use super::{PollError, fetch, read_page};
use crate::flow::intake::{self, Incoming};
use crate::flow::verify::with_causes;
use crate::flow::{Gateway, now};
use crate::store::items::FoundBy;
use crate::store::sources::Source;
use crate::time::Timestamp;

/// Time for all that a page points to, well within the lease of its source.
const WITHIN: Duration = Duration::from_secs(100);
/// Documents of items that are fetched in one poll; the other items wait for the next.
const DOCUMENTS_MAX: usize = 50;
/// Failed polls in a row after which a source is read without its archive: else what is new would wait for what is old.
const ARCHIVE_FAILURES_MAX: i32 = 5;

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Further {
    /// What could not be read, each by its address.
    pub problems: Vec<String>,
    /// Something must be asked for again, also when the list has not changed.
    pub again: bool,
}

/// Who asks.
#[derive(Clone)]
pub(super) struct Asker<'a> {
    pub gateway: &'a Gateway,
    pub source: &'a Source,
    pub connector: Arc<dyn Connector>,
    /// The address of the list: nothing is read from another host.
    pub url: Url,
    /// When there is no more time.
    pub until: Instant,
}

impl<'a> Asker<'a> {
    pub(super) fn new(gateway: &'a Gateway, source: &'a Source, connector: Arc<dyn Connector>, url: Url) -> Self {
        Self { gateway, source, connector, url, until: Instant::now() + WITHIN }
    }

    /// Fetches and reads; `None` is a 404 or 410.
    async fn ask(&self, request: &Request) -> Result<Option<Page>, PollError> {
        let bare = |url: &Url| url.host_str().map(|host| host.strip_prefix("www.").unwrap_or(host).to_owned());
        if bare(&request.url) != bare(&self.url) {
            return Err(PollError::Fetch("it is on another host than the list, and is not read".to_owned()));
        }
        let left = self.until.saturating_duration_since(Instant::now());
        let fetched = match tokio::time::timeout(left, fetch(self.gateway, self.source, request, false)).await {
            Ok(fetched) => fetched.map_err(|error| PollError::Fetch(with_causes(&error)))?,
            Err(_) => return Err(PollError::Fetch("there was no time left for it; it is asked for again".to_owned())),
        };
        match fetched.status {
            200 => read_page(self.connector.clone(), &fetched, request.about.clone()).await.map(Some),
            404 | 410 => Ok(None),
            status => Err(PollError::Status { url: fetched.url.to_string(), status, hint: ", which is no document" }),
        }
    }

    /// Reads the lists and files that a page names into it. One that cannot be read is a problem of that one alone.
    pub(super) async fn files(&self, page: &mut Page, further: &mut Further) {
        let (documents, files): (Vec<Request>, Vec<Request>) =
            std::mem::take(&mut page.fetch).into_iter().partition(|request| request.about.is_some());
        page.fetch = documents;
        // A file can change where the list of files does not.
        further.again |= !files.is_empty();
        for request in files.into_iter().take(FILES_PER_LIST_MAX) {
            let told = match self.ask(&request).await {
                Ok(Some(more)) if page.items.len() + more.items.len() > ITEMS_MAX => {
                    format!("there are more than {ITEMS_MAX} items at once; it was left out")
                }
                Ok(Some(more)) => {
                    page.items.extend(more.items);
                    page.warnings.extend(more.warnings);
                    page.fetch.extend(more.fetch.into_iter().filter(|request| request.about.is_some()));
                    continue;
                }
                Ok(None) => "it is not there".to_owned(),
                Err(error) => with_causes(&error),
            };
            page.complete = false;
            further.problems.push(format!("{}: {told}", request.url));
        }
    }

    /// Puts the documents of items that are new or changed in the place of those items; those that are known and unchanged are
    /// what they were. What cannot be had now is left out, and asked for again.
    pub(super) async fn documents(&self, page: &mut Page, further: &mut Further) -> Result<(), PollError> {
        let mut requests: HashMap<String, Request> =
            page.fetch.drain(..).filter_map(|request| Some((request.about.clone()?, request))).collect();
        if requests.is_empty() {
            return Ok(());
        }
        let known = intake::look_up(self.gateway, self.source, page).await?;
        let first = self.source.progress.baseline_at.is_none().then(|| self.newest(&page.items));
        let mut asked = 0;
        let mut items = Vec::with_capacity(known.len());
        for incoming in known {
            let request = requests.remove(&incoming.item.source_id);
            // Of a withdrawal that is not known yet only its document says of what it is one.
            let is_open = incoming.item.action == Action::Publish || in_this_source(&incoming).is_none();
            let Some(request) = request.filter(|_| is_open) else {
                items.push(incoming.item);
                continue;
            };
            if let Some(stored) = current(&incoming) {
                items.push(stored);
            } else if first.as_ref().is_some_and(|newest| !newest.contains(&incoming.item.source_id)) {
                // Of what was there before the source was, nothing is published.
                items.push(incoming.item);
            } else if asked == DOCUMENTS_MAX || Instant::now() >= self.until {
                (further.again, page.complete) = (true, false);
            } else {
                asked += 1;
                match self.ask(&request).await {
                    Ok(found) => items.extend(document(&incoming, found, &mut page.warnings)),
                    Err(error) => {
                        (further.again, page.complete) = (true, false);
                        further.problems.push(format!("{}: {}", request.url, with_causes(&error)));
                    }
                }
            }
        }
        page.items = items;
        Ok(())
    }

    /// Those that the first poll publishes.
    fn newest(&self, items: &[Item]) -> HashSet<String> {
        let mut newest: Vec<&Item> = items.iter().filter(|item| item.action == Action::Publish).collect();
        newest.sort_by_key(|item| std::cmp::Reverse(item.published_at));
        let most = usize::try_from(self.source.settings.policy.publish_newest).unwrap_or(usize::MAX);
        newest.into_iter().take(most).map(|item| item.source_id.clone()).collect()
    }

    /// Reads the archive of a feed until an item is known, when polls were missed (RFC 5005).
    pub(super) async fn archive(&self, page: &mut Page) -> Result<(), PollError> {
        let mut next = page.archive.take();
        if !missed(self.source, now()) {
            return Ok(());
        }
        let mut latest = Page { items: page.items.clone(), ..Page::default() };
        let mut pages = 1;
        while let Some(request) = next.take() {
            let known = intake::look_up(self.gateway, self.source, &latest).await?;
            if known.iter().any(|incoming| in_this_source(incoming).is_some()) {
                return Ok(());
            }
            if pages == PAGES_PER_POLL_MAX {
                page.warnings.push(format!("the archive goes on after {PAGES_PER_POLL_MAX} pages, which were read"));
                return Ok(());
            }
            let problem = match self.ask(&request).await {
                Ok(Some(more)) => {
                    let had: HashSet<&str> = page.items.iter().map(|item| item.source_id.as_str()).collect();
                    latest.items = more.items;
                    latest.items.retain(|item| !had.contains(item.source_id.as_str()));
                    page.items.extend(latest.items.iter().cloned());
                    page.warnings.extend(more.warnings);
                    next = more.archive;
                    pages += 1;
                    continue;
                }
                Ok(None) => "it is not there".to_owned(),
                Err(error) if self.source.progress.failures < ARCHIVE_FAILURES_MAX => return Err(error),
                Err(error) => with_causes(&error),
            };
            page.warnings.push(format!("{} is the archive, and was not read: {problem}", request.url));
        }
        Ok(())
    }
}

/// The item of this source that an incoming one is known as.
fn in_this_source(incoming: &Incoming) -> Option<&crate::store::items::ItemRow> {
    incoming.found.as_ref().filter(|(_, by)| *by != FoundBy::OtherSource).map(|(row, _)| row)
}

/// What is stored of an item that the list says has not changed; what a list says no version of has not.
fn current(incoming: &Incoming) -> Option<Item> {
    let row = in_this_source(incoming)?;
    let version = incoming.item.source_version;
    if version.is_some() && version != row.source_version {
        return None;
    }
    let stored = intake::stored_item(row).ok().filter(|item| item.action == Action::Publish)?;
    Some(Item { source_id: incoming.item.source_id.clone(), ..stored })
}

/// The item that a document says, under the id and the version that the list has for it, and what else it withdraws; a withdrawal
/// when there is no document.
fn document(incoming: &Incoming, found: Option<Page>, warnings: &mut Vec<String>) -> Vec<Item> {
    let listed = &incoming.item;
    let Some(page) = found else {
        let retracted = Item { action: Action::Retract, source_id: listed.source_id.clone(), ..Item::default() };
        return in_this_source(incoming).map(|_| retracted).into_iter().collect();
    };
    warnings.extend(page.warnings);
    let mut items = page.items.into_iter();
    let Some(mut item) = items.next() else { return Vec::new() };
    item.alternate_ids.extend(listed.alternate_ids.iter().cloned());
    if item.source_id != listed.source_id {
        item.alternate_ids.push(std::mem::replace(&mut item.source_id, listed.source_id.clone()));
    }
    item.alternate_ids.retain(|id| *id != item.source_id);
    item.source_version = listed.source_version.or(item.source_version);
    item.published_at = item.published_at.or(listed.published_at);
    let mut all = vec![item];
    all.extend(items.filter(|other| other.action == Action::Retract));
    all
}

/// Whether a source was not read for more than twice its usual interval: what its feed lists may not be all that is new.
fn missed(source: &Source, at: Timestamp) -> bool {
    let progress = &source.progress;
    let Some(ok_at) = progress.ok_at.filter(|_| progress.baseline_at.is_some()) else { return false };
    let schedule = &source.settings.schedule;
    let next = schedule.next_after(ok_at).and_then(|first| Some((first, schedule.next_after(first)?)));
    let Some((first, second)) = next else { return false };
    at.since(ok_at) > second.since(first) * 2
}
