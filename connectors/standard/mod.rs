//! Standard Webhooks without CloudEvents around it: `{"type": …, "timestamp": …, "data": {…}}`, where `data` is that of our own
//! contract (`reference/connectors.md` B7). For a system whose webhooks are so by themselves, and for a script of one's own.
//!
//! Any other signature goes with it as well: `signature = "github"` and `signature = "static-header"` are profiles and no kinds.

#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::cloudevents::envelope::{ATTRIBUTE_BYTES_MAX, Event};
use crate::cloudevents::{CloudEvents, Source};
use crate::contract::{Connector, Delivery, Kind, Page, Request, Response, Told};
use crate::error::ConnectorError;
use crate::json;
use crate::settings::refused;

const WHAT: &str = "event";

/// The kind `standard`.
pub struct Standard;

impl Kind for Standard {
    fn name(&self) -> &'static str {
        "standard"
    }

    fn profile(&self) -> Option<&'static str> {
        Some("standard")
    }

    fn configure(&self, settings: &Value) -> Result<Box<dyn Connector>, ConnectorError> {
        if let Some(key) = ["batch", "sources"].into_iter().find(|key| settings.get(key).is_some()) {
            return Err(refused(key, "is of the kind cloudevents, and not known here; these are: site, token, types"));
        }
        Ok(Box::new(Plain(CloudEvents::source(settings)?)))
    }
}

struct Plain(Source);

impl Connector for Plain {
    fn request(&self) -> Option<Request> {
        None
    }

    fn read(&self, response: &Response) -> Result<Page, ConnectorError> {
        let value = json::object(&response.body, WHAT)?;
        if value.get("type").is_some() && value.get("data").is_some_and(Value::is_object) {
            return self.0.page(&event(&value)?);
        }
        self.0.read(response)
    }

    fn receive(&self, delivery: &Delivery) -> Result<Told, ConnectorError> {
        self.0.told(&[event(&json::object(&delivery.body, WHAT)?)?])
    }
}

fn event(value: &Value) -> Result<Event, ConnectorError> {
    let kind = json::text(value, "/type").filter(|kind| kind.len() <= ATTRIBUTE_BYTES_MAX);
    let kind =
        kind.ok_or_else(|| json::lacks(WHAT, format!("it has no `type` of at most {ATTRIBUTE_BYTES_MAX} bytes")))?;
    let time = match value.get("timestamp") {
        None | Some(Value::Null) => None,
        Some(_) => {
            Some(json::date(value, "/timestamp").ok_or_else(|| json::lacks(WHAT, "its `timestamp` is no date"))?)
        }
    };
    let data = value.get("data").filter(|data| !data.is_null()).cloned();
    Ok(Event { kind, time, data, ..Event::default() })
}
