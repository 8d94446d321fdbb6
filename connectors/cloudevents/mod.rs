//! CloudEvents 1.0 over HTTP, as the NL GOV profile 1.1 has them: the contract that Heraut's own plugins and templates speak, and
//! any system that can send JSON (`reference/connectors.md` B7, B8).
//!
//! An event says by the end of its `type` what happened, and carries the item as `data` or, with `dataref`, where it can be
//! read. `sequence` decides between two events that arrive in the wrong order.

pub(crate) mod envelope;
#[cfg(test)]
mod tests;

use serde_json::Value;
use url::Url;

use self::envelope::Event;
use crate::contract::{Connector, Delivery, Kind, Page, Request, Response, Secret, Told};
use crate::draft::{Draft, Warnings, identity, native, text};
use crate::error::ConnectorError;
use crate::item::{Action, Item};
use crate::json;
use crate::settings::{Settings, refused};

/// Most events of one batch.
pub const BATCH_MAX: usize = 100;

const WHAT: &str = "event";

/// How the `type` of an event ends, before a version, by what it means. A word stands alone or after one of `.`, `-`, `_`, `:`, `/`.
const PUBLISH: &[&str] = &["gepubliceerd", "published", "publish"];
const UPDATE: &[&str] = &["gewijzigd", "updated", "update", "modified"];
const RETRACT: &[&str] =
    &["ingetrokken", "verwijderd", "unpublished", "unpublish", "retracted", "withdrawn", "deleted"];

/// The kind `cloudevents`.
pub struct CloudEvents;

impl Kind for CloudEvents {
    fn name(&self) -> &'static str {
        "cloudevents"
    }

    fn profile(&self) -> Option<&'static str> {
        Some("standard")
    }

    fn configure(&self, settings: &Value) -> Result<Box<dyn Connector>, ConnectorError> {
        Ok(Box::new(Self::source(settings)?))
    }
}

impl CloudEvents {
    /// The source, for kinds whose events are the same in another envelope.
    pub(crate) fn source(settings: &Value) -> Result<Source, ConnectorError> {
        let mut settings = Settings::new(settings)?;
        let source = Source {
            site: settings.base("site")?,
            token: settings.token()?,
            batch: settings.flag("batch")?,
            sources: settings.texts("sources")?.unwrap_or_default(),
            types: types(settings.value("types"))?,
        };
        settings.finish()?;
        Ok(source)
    }
}

/// One configured source.
pub(crate) struct Source {
    /// The base of relative addresses, and the only host that is read back from, when it is set.
    site: Url,
    token: Option<Secret>,
    batch: bool,
    /// Values of `source` that are taken; any, when empty.
    sources: Vec<String>,
    types: Types,
}

/// Ends of `type`.
struct Types {
    publish: Vec<String>,
    update: Vec<String>,
    retract: Vec<String>,
}

fn types(value: Option<Value>) -> Result<Types, ConnectorError> {
    let empty = Value::Object(serde_json::Map::new());
    let within = |error| match error {
        ConnectorError::Settings { key, problem } => refused(&format!("types.{key}"), problem),
        other => other,
    };
    let mut table = Settings::new(value.as_ref().unwrap_or(&empty)).map_err(|_| refused("types", "must be a table"))?;
    let mut take = |key, usual: &[&str]| {
        let usual = || usual.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        table.texts(key).map_err(within).map(|words| words.unwrap_or_else(usual))
    };
    let types = Types {
        publish: take("publish", PUBLISH)?,
        update: take("update", UPDATE)?,
        retract: take("retract", RETRACT)?,
    };
    table.finish().map_err(within)?;
    Ok(types)
}

impl Types {
    fn action(&self, kind: &str) -> Option<Action> {
        let bare = without_version(kind);
        let ends = |words: &[String]| words.iter().any(|word| ends_in(bare, word));
        if ends(&self.retract) {
            return Some(Action::Retract);
        }
        (ends(&self.publish) || ends(&self.update)).then_some(Action::Publish)
    }
}

/// Without `.v2` at the end.
fn without_version(kind: &str) -> &str {
    let cut = kind.rsplit_once(['.', '-']).filter(|(_, last)| {
        last.strip_prefix('v').is_some_and(|n| !n.is_empty() && n.bytes().all(|byte| byte.is_ascii_digit()))
    });
    cut.map_or(kind, |(before, _)| before)
}

fn ends_in(kind: &str, word: &str) -> bool {
    let before = kind.strip_suffix(word);
    before.is_some_and(|before| {
        before.is_empty() || before.ends_with(['.', '-', '_', ':', '/']) || word.starts_with(['.', '-', '_', ':', '/'])
    })
}

/// What one event comes to.
#[derive(Default)]
struct Sum {
    items: Vec<Item>,
    requests: Vec<Request>,
    ignored: Vec<String>,
    warnings: Warnings,
}

impl Connector for Source {
    fn request(&self) -> Option<Request> {
        None
    }

    /// What `dataref` leads to: the `data`, or a whole event.
    fn read(&self, response: &Response) -> Result<Page, ConnectorError> {
        let value = json::object(&response.body, WHAT)?;
        let event = if value.get("specversion").is_some() {
            envelope::structured(&value)?
        } else {
            Event { data: Some(value), subject: response.about.clone(), ..Event::default() }
        };
        self.page(&event)
    }

    fn receive(&self, delivery: &Delivery) -> Result<Told, ConnectorError> {
        self.told(&envelope::read(delivery, self.batch)?)
    }
}

impl Source {
    /// The item of one event that was read back.
    pub(crate) fn page(&self, event: &Event) -> Result<Page, ConnectorError> {
        let mut sum = Sum::default();
        self.item(event, &mut sum)?;
        Ok(Page { items: sum.items, warnings: sum.warnings.into_sentences(), ..Page::default() })
    }

    /// What events mean.
    pub(crate) fn told(&self, events: &[Event]) -> Result<Told, ConnectorError> {
        let mut sum = Sum::default();
        for event in events {
            self.event(event, &mut sum)?;
        }
        if sum.items.is_empty() && sum.requests.is_empty() {
            return Ok(Told::ignored(sum.ignored.into_iter().next().unwrap_or("the batch is empty".to_owned())));
        }
        sum.ignored.into_iter().for_each(|why| sum.warnings.add(why));
        let mut items = sum.items;
        identity::keep_last(&mut items);
        let page = Page { items, warnings: sum.warnings.into_sentences(), ..Page::default() };
        let requests = sum.requests;
        Ok(if requests.is_empty() { Told::Page(page) } else { Told::Fetch { requests, page } })
    }

    fn event(&self, event: &Event, sum: &mut Sum) -> Result<(), ConnectorError> {
        if !self.sources.is_empty() && !self.sources.contains(&event.source) {
            sum.ignored.push(format!("its source `{}` is not among `sources`", text::cut(event.source.clone(), 200)));
            return Ok(());
        }
        match (self.types.action(&event.kind), &event.dataref, &event.data) {
            (None, _, _) => {
                let kind = text::cut(event.kind.clone(), 200);
                sum.ignored.push(format!("its type `{kind}` ends in none of the words of `types`"));
                Ok(())
            }
            (Some(Action::Retract), _, _) => self.retract(event, sum),
            (Some(Action::Publish), Some(dataref), None) => self.fetch(event, dataref, sum),
            (Some(Action::Publish), _, Some(_)) => self.item(event, sum),
            (Some(Action::Publish), None, None) => Err(json::lacks(WHAT, "it has neither `data` nor `dataref`")),
        }
    }

    /// An event without content: what it is about is read back.
    fn fetch(&self, event: &Event, dataref: &str, sum: &mut Sum) -> Result<(), ConnectorError> {
        let url = self.site.join(dataref).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let url = url.ok_or_else(|| json::lacks(WHAT, "`dataref` is no address"))?;
        if self.site.has_host() && url.host() != self.site.host() {
            let problem = "`dataref` leads to another host than `site`, and is not followed";
            return Err(json::lacks(WHAT, problem));
        }
        let mut request = Request::get(url, "application/json");
        // The token is for the site that the operator named, and for no address that an event names.
        if let Some(token) = self.token.as_ref().filter(|_| self.site.has_host()) {
            request = request.header("authorization", format!("Bearer {}", token.reveal()));
        }
        if let Some(subject) = event.subject.as_deref().and_then(bounded) {
            request = request.about(subject);
        }
        sum.requests.push(request);
        Ok(())
    }

    fn retract(&self, event: &Event, sum: &mut Sum) -> Result<(), ConnectorError> {
        let own = event.data.as_ref().and_then(|data| json::text(data, "/id"));
        let ids: Vec<String> = match (own, &event.subject) {
            (Some(own), _) => vec![own],
            // A subject such as `nieuws/4711` can name what `data.id` called `4711`. Withdrawing what nobody knows does nothing.
            (None, Some(subject)) => {
                let last = subject.rsplit('/').next().filter(|last| *last != subject.as_str() && !last.is_empty());
                [Some(subject.clone()), last.map(str::to_owned)].into_iter().flatten().collect()
            }
            (None, None) => {
                return Err(json::lacks(WHAT, "it names no item: neither `data.id` nor `subject` is there"));
            }
        };
        for id in ids {
            let draft = Draft { id: Some(id), is_deleted: true, updated_at: event.time, ..Draft::default() };
            let mut item = draft.finish(&self.site, &mut sum.warnings);
            item.source_version = event.version().or(item.source_version);
            sum.items.push(item);
        }
        Ok(())
    }

    fn item(&self, event: &Event, sum: &mut Sum) -> Result<(), ConnectorError> {
        let data = event.data.as_ref().filter(|data| data.is_object());
        let data = data.ok_or_else(|| json::lacks(WHAT, "`data` is no JSON object"))?;
        let id = json::text(data, "/id").or_else(|| event.subject.clone());
        let id = id.ok_or_else(|| json::lacks(WHAT, "it names no item: neither `data.id` nor `subject` is there"))?;
        let mut draft = native::draft(data, id, WHAT, &mut sum.warnings)?;
        if draft.is_deleted {
            draft.updated_at = event.time;
        }
        let mut item = draft.finish(&self.site, &mut sum.warnings);
        item.source_version = event.sequence.or(item.source_version).or(event.time);
        sum.items.push(item);
        Ok(())
    }
}

fn bounded(subject: &str) -> Option<String> {
    Some(identity::bounded(subject.trim().to_owned())).filter(|id| !id.is_empty())
}
