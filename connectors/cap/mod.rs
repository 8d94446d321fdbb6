//! Warnings: CAP 1.2 documents, and Atom lists of them as MeteoAlarm has (`reference/connectors.md` A6).
//!
//! Only messages with status `Actual` and scope `Public` count; exercises and tests never leave here. An update edits the post of
//! the warning that it refers to and a cancellation withdraws it (`chain.rs`). A warning that is no longer in a list was not
//! withdrawn: it may have ended, which is [`crate::item::Item::expires_at`]. That warnings go out before all other posts is the
//! operator's decision, `policy.crisis` of the source: nothing in a document can take that lane by itself.

mod alert;
mod chain;
pub mod pushed;
#[cfg(test)]
mod tests;

use serde_json::Value;
use url::Url;

use self::alert::{Alert, Info};
use self::chain::Link;
use crate::contract::{Connector, ITEMS_PER_PAGE_MAX, Kind, Page, Request, Response};
use crate::draft::text::{self, Text};
use crate::draft::tree::{self, Element, Vocabularies};
use crate::draft::{Draft, Warnings, decode, identity};
use crate::error::ConnectorError;
use crate::item::{Category, Item, Media, RawHtml};
use crate::settings::{Settings, refused};

/// Largest document that is read, in bytes after decompression: a country's list with polygons stays under 4 MiB.
pub const CAP_BYTES_MAX: usize = 8 * 1_024 * 1_024;

const WHAT: &str = "CAP document";
const WANTED: &str = "a CAP alert or an Atom list of them";
const ACCEPT: &str = "application/cap+xml, application/atom+xml, application/xml;q=0.9, text/xml;q=0.8, */*;q=0.1";

static VOCABULARIES: Vocabularies = &[
    ("urn:oasis:names:tc:emergency:cap:1.2", "cap"),
    ("urn:oasis:names:tc:emergency:cap:1.1", "cap"),
    ("www.w3.org/2005/atom", "atom"),
];

/// CAP 1.2 §3.2.2, the worst last.
const SEVERITIES: &[&str] = &["minor", "moderate", "severe", "extreme"];

/// The kind `cap`.
pub struct Cap;

impl Kind for Cap {
    fn name(&self) -> &'static str {
        "cap"
    }

    fn configure(&self, settings: &Value) -> Result<Box<dyn Connector>, ConnectorError> {
        let mut settings = Settings::new(settings)?;
        let url = settings.url("url")?;
        let url = url.ok_or_else(|| refused("url", "is missing; give the address of the alert or of the list"))?;
        Ok(Box::new(options(settings, url)?))
    }
}

/// Which alerts are taken, from the settings that alerts which are read and alerts which are pushed share.
fn options(mut settings: Settings, url: Url) -> Result<Source, ConnectorError> {
    let language = match settings.text("speaks")? {
        None => None,
        Some(tag) => Some(text::language(&tag).ok_or_else(|| refused("speaks", "is no language, such as `nl`"))?),
    };
    let severity = match settings.text("severity")? {
        None => None,
        Some(name) => Some(rank(&name).ok_or_else(|| refused("severity", one_of(SEVERITIES)))?),
    };
    let lower = |names: Vec<String>| names.iter().map(|name| name.trim().to_lowercase()).collect();
    let areas = settings.texts("areas")?.map(lower).unwrap_or_default();
    settings.finish()?;
    Ok(Source { url, language, severity, areas })
}

fn one_of(names: &[&str]) -> String {
    format!("must be one of {}", names.join(", "))
}

fn rank(severity: &str) -> Option<usize> {
    SEVERITIES.iter().position(|known| known.eq_ignore_ascii_case(severity.trim()))
}

struct Source {
    /// Where alerts are read, or else the base of their addresses.
    url: Url,
    /// Of several languages the one that is taken.
    language: Option<String>,
    /// Least severity, as a place in [`SEVERITIES`].
    severity: Option<usize>,
    /// Names or codes of areas, in lower case; all, when empty.
    areas: Vec<String>,
}

impl Connector for Source {
    fn request(&self) -> Option<Request> {
        Some(Request::get(self.url.clone(), ACCEPT))
    }

    fn read(&self, response: &Response) -> Result<Page, ConnectorError> {
        let unreadable = |problem: String| ConnectorError::Unreadable { what: WHAT, problem };
        let text = decode::document(response, CAP_BYTES_MAX, WHAT)?;
        let not_this = |found: &str| ConnectorError::NotThis { found: found.to_owned(), wanted: WANTED };
        let root = tree::parse(&text, VOCABULARIES, WHAT)?.ok_or_else(|| not_this("plain text"))?;
        let mut warnings = Warnings::default();
        let (title, alerts) = match root.name {
            "feed" => listed(&root)?,
            "html" => return Err(not_this("an HTML page")),
            "rss" => return Err(not_this("an RSS feed; take the kind `feed`, or the Atom list of the same warnings")),
            _ => {
                let found = root.find("alert");
                if found.is_empty() {
                    return Err(not_this("an XML document without an `alert`"));
                }
                let read = |element: &&Element<'_>| {
                    alert::of_document(element).ok_or_else(|| unreadable("an alert has no `identifier`".to_owned()))
                };
                (None, found.iter().map(read).collect::<Result<Vec<_>, _>>()?)
            }
        };
        let alerts = self.counting(alert::gathered(alerts), &mut warnings);
        let mut page = Page { title, ..Page::default() };
        for link in chain::follow(&alerts) {
            let Some(alert) = alerts.get(link.message) else { continue };
            if page.items.len() == ITEMS_PER_PAGE_MAX {
                warnings.add(format!("the list has more than {ITEMS_PER_PAGE_MAX} warnings; the first were read"));
                break;
            }
            let Some(item) = self.item(alert, &link, &response.url, &mut warnings) else { continue };
            page.fetch.extend(document(alert, &item, &response.url, &mut warnings));
            page.items.push(item);
        }
        page.warnings = warnings.into_sentences();
        Ok(page)
    }
}

/// The messages of an Atom list; entries may also hold the whole alert.
fn listed(feed: &Element<'_>) -> Result<(Option<String>, Vec<Alert>), ConnectorError> {
    let language = feed.attribute("xml:lang");
    let mut alerts = Vec::new();
    for (at, entry) in feed.all("entry").enumerate() {
        let whole = entry.find("alert").first().and_then(|element| alert::of_document(element));
        let found = whole.or_else(|| alert::of_entry(entry, language.as_deref()));
        alerts.push(found.ok_or_else(|| {
            let problem = format!("entry {} has no `cap:identifier`; is this a list of warnings?", at + 1);
            ConnectorError::Unreadable { what: WHAT, problem }
        })?);
    }
    Ok((feed.text_of("title").and_then(|title| text::title(&Text::Html(title))), alerts))
}

impl Source {
    /// Those that are meant for the public and say something.
    fn counting(&self, alerts: Vec<Alert>, warnings: &mut Warnings) -> Vec<Alert> {
        let counts = |alert: &Alert| {
            let is = |value: &str, wanted: &str| value.eq_ignore_ascii_case(wanted);
            if !is(&alert.status, "Actual") {
                let status = text::cut(text::single_spaced(&alert.status), 40);
                warnings.add(format!("a message with status `{status}` was left out: only `Actual` is real"));
                return false;
            }
            if alert.scope.as_deref().is_some_and(|scope| !is(scope, "Public")) {
                warnings.add("a message that is not for the public was left out");
                return false;
            }
            ["Alert", "Update", "Cancel"].iter().any(|kind| is(&alert.message, kind))
        };
        alerts.into_iter().filter(counts).collect()
    }

    /// The item of a warning; `None` for one that this source does not take.
    fn item(&self, alert: &Alert, link: &Link, base: &Url, warnings: &mut Warnings) -> Option<Item> {
        let infos = if link.is_over { Vec::new() } else { self.taken(&alert.infos) };
        let mut draft = Draft { id: Some(link.root.clone()), updated_at: alert.sent, ..Draft::default() };
        if infos.is_empty() {
            // What is no longer about our areas, or not as bad, is withdrawn; what never was is no matter of ours.
            if !link.is_over && alert.references.is_empty() {
                return None;
            }
            draft.is_deleted = true;
        } else {
            if alert.sent.is_none() {
                warnings.add("a message has no readable time `sent`");
            }
            draft.published_at = link.first_sent.or(alert.sent);
            fill(&mut draft, &infos);
        }
        let mut item = draft.finish(base, warnings);
        item.alternate_ids = link.others.iter().map(|id| identity::bounded(id.clone())).collect();
        Some(item)
    }

    /// The blocks in our language that are about our areas and bad enough, the worst first.
    fn taken<'i>(&self, infos: &'i [Info]) -> Vec<&'i Info> {
        let primary = |tag: &str| tag.split(['-', '_']).next().unwrap_or_default().trim().to_ascii_lowercase();
        let of = |info: &Info| info.language.as_deref().map(primary);
        let wanted = self.language.as_deref().map(primary);
        let wanted = wanted.filter(|tag| infos.iter().any(|info| of(info).as_ref() == Some(tag)));
        let language = wanted.or_else(|| infos.first().and_then(of));
        let is_ours = |info: &&Info| {
            let mut names = info.areas.iter().chain(&info.geocodes).map(|name| name.to_lowercase());
            self.areas.is_empty() || names.any(|name| self.areas.contains(&name))
        };
        // One that does not say how bad it is is never taken for harmless.
        let severity = |info: &Info| info.severity.as_deref().and_then(rank);
        let is_bad = |info: &&Info| severity(info).is_none_or(|rank| self.severity.is_none_or(|least| rank >= least));
        let found = infos.iter().filter(|info| of(info) == language);
        let mut found: Vec<&Info> = found.filter(is_ours).filter(is_bad).collect();
        found.sort_by_key(|info| std::cmp::Reverse(severity(info)));
        found
    }
}

/// What the blocks say, together.
fn fill(draft: &mut Draft, infos: &[&Info]) {
    let Some(first) = infos.first() else { return };
    let mut areas: Vec<&str> = Vec::new();
    let mut paragraphs: Vec<&str> = Vec::new();
    for info in infos {
        let other = info.headline.as_deref().filter(|_| info.event != first.event);
        let texts = [other, info.description.as_deref(), info.instruction.as_deref()];
        for text in texts.into_iter().flatten() {
            if !paragraphs.contains(&text) && paragraphs.len() < alert::PARTS_MAX {
                paragraphs.push(text);
            }
        }
        for area in &info.areas {
            if areas.len() < alert::PARTS_MAX && !areas.contains(&area.as_str()) {
                areas.push(area);
            }
        }
        let named = [("severity", &info.severity), ("urgency", &info.urgency), ("certainty", &info.certainty)];
        draft.categories.extend(named.into_iter().filter_map(|(name, term)| category(name, term.as_deref()?)));
        draft.categories.extend(info.event.as_deref().and_then(|event| category("event", event)));
        draft.categories.extend(info.categories.iter().filter_map(|term| category("category", term)));
        draft.files.extend(info.resources.iter().map(|(url, kind, described)| Media {
            url: url.clone(),
            media_type: kind.clone(),
            alt: described.as_deref().and_then(crate::draft::alt),
            ..Media::default()
        }));
    }
    draft.categories.extend(areas.iter().filter_map(|area| category("area", area)));
    // Entries of a list name one area each in their titles: of several only the event is true.
    let is_one = infos.iter().all(|info| info.headline == first.headline);
    let title = first.headline.as_ref().filter(|_| is_one).or(first.event.as_ref()).or(first.headline.as_ref());
    draft.title = title.and_then(|title| text::title(&Text::Plain(title.clone())));
    let areas = areas.join(", ");
    let body = paragraphs.into_iter().chain([areas.as_str()]).collect::<Vec<_>>().join("\n\n");
    let RawHtml(mut body) = Text::Plain(body).into_html();
    // The page of a warning is mostly one for all warnings: as the address of the item it would make them one.
    if let Some(web) = infos.iter().find_map(|info| info.web.as_deref()).filter(|web| web.starts_with("http")) {
        body.push_str("<p><a href=\"");
        text::escape(web, &mut body);
        body.push_str("\">");
        text::escape(web, &mut body);
        body.push_str("</a></p>");
    }
    draft.body = Some(Text::Html(body));
    draft.language = first.language.clone();
    // Only when all of it ends.
    let ends: Option<Vec<i64>> = infos.iter().map(|info| info.expires).collect();
    draft.expires_at = ends.and_then(|ends| ends.into_iter().max());
}

fn category(name: &str, term: &str) -> Option<Category> {
    // What a decoder of HTML would take for a tag or a reference is text here.
    let mut escaped = String::new();
    text::escape(term, &mut escaped);
    Some(Category { term: escaped, scheme: Some(format!("cap:{name}")) })
}

/// Where an entry's whole alert is: the description and the references are only there.
fn document(alert: &Alert, item: &Item, list: &Url, warnings: &mut Warnings) -> Option<Request> {
    let url = list.join(alert.document.as_deref()?).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    if url.host() != list.host() {
        warnings.add("an alert is on another host than the list, and is not fetched");
        return None;
    }
    Some(Request::get(url, ACCEPT).about(item.source_id.clone()))
}
