//! The envelope: structured, binary and batched content modes (CloudEvents HTTP binding §3).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::{BATCH_MAX, WHAT};
use crate::contract::Delivery;
use crate::error::ConnectorError;
use crate::item::EpochMs;
use crate::json;

/// Longest context attribute that is taken, in bytes.
pub(crate) const ATTRIBUTE_BYTES_MAX: usize = 4_096;

/// One event.
#[derive(Debug, Clone, Default)]
pub(crate) struct Event {
    pub source: String,
    pub kind: String,
    pub subject: Option<String>,
    pub time: Option<EpochMs>,
    /// The extension `sequence`: higher is later.
    pub sequence: Option<i64>,
    /// The extension `dataref`: where the content is.
    pub dataref: Option<String>,
    pub data: Option<Value>,
}

impl Event {
    /// What tells which of two events is the later one.
    pub(super) fn version(&self) -> Option<i64> {
        self.sequence.or(self.time)
    }
}

/// The events of a request. They are told apart by the beginning of the content type (§3.1).
pub(super) fn read(delivery: &Delivery, batch: bool) -> Result<Vec<Event>, ConnectorError> {
    let media_type = delivery.media_type().unwrap_or_default();
    if media_type.starts_with("application/cloudevents-batch") {
        return batched(delivery, batch);
    }
    if delivery.header("ce-specversion").is_some() && !media_type.starts_with("application/cloudevents") {
        return binary(delivery).map(|event| vec![event]);
    }
    // Some senders cannot set a content type of their own: an envelope as plain JSON is one as well.
    structured(&json::object(&delivery.body, WHAT)?).map(|event| vec![event])
}

fn batched(delivery: &Delivery, batch: bool) -> Result<Vec<Event>, ConnectorError> {
    if !batch {
        return Err(json::lacks(WHAT, "it is a batch, and the source takes none; set `batch = true` to allow it"));
    }
    let value = json::parse(&delivery.body, WHAT)?;
    match value.as_array() {
        Some(list) if list.len() > BATCH_MAX => {
            Err(json::lacks(WHAT, format!("the batch has {} events, {BATCH_MAX} are taken", list.len())))
        }
        Some(list) => list.iter().map(structured).collect(),
        None => Err(json::lacks(WHAT, "the batch is no JSON array")),
    }
}

/// An envelope in JSON (CloudEvents JSON format §3).
pub(super) fn structured(value: &Value) -> Result<Event, ConnectorError> {
    let attribute = |name: &str| json::text(value, &format!("/{name}"));
    let event = envelope(attribute)?;
    let data = match (value.get("data"), value.get("data_base64")) {
        (Some(Value::Null) | None, Some(Value::String(coded))) => {
            let bytes = STANDARD.decode(coded).map_err(|_| json::lacks(WHAT, "`data_base64` is no base64"))?;
            Some(json::parse(&bytes, WHAT)?)
        }
        (Some(Value::Null) | None, _) => None,
        // Some senders put the content in as text.
        (Some(Value::String(text)), _) => Some(json::parse(text.as_bytes(), WHAT)?),
        (Some(data), _) => Some(data.clone()),
    };
    Ok(Event { data, ..event })
}

/// Attributes in headers, the content as body.
fn binary(delivery: &Delivery) -> Result<Event, ConnectorError> {
    let attribute = |name: &str| {
        let value = delivery.header(&format!("ce-{name}"))?;
        let text = percent_decode_str(value).decode_utf8().ok()?.into_owned();
        Some(text).filter(|text| !text.trim().is_empty())
    };
    let event = envelope(attribute)?;
    let data = match delivery.body.trim_ascii().is_empty() {
        true => None,
        false => Some(json::parse(&delivery.body, WHAT)?),
    };
    Ok(Event { data, ..event })
}

fn envelope(attribute: impl Fn(&str) -> Option<String>) -> Result<Event, ConnectorError> {
    let bounded = |name: &str| match attribute(name) {
        Some(text) if text.len() > ATTRIBUTE_BYTES_MAX => {
            Err(json::lacks(WHAT, format!("its attribute `{name}` is longer than {ATTRIBUTE_BYTES_MAX} bytes")))
        }
        found => Ok(found),
    };
    let required = |name: &str| bounded(name)?.ok_or_else(|| json::lacks(WHAT, format!("it has no `{name}`")));
    let version = required("specversion")?;
    if version.trim() != "1.0" {
        return Err(json::lacks(WHAT, "its `specversion` is not 1.0"));
    }
    required("id")?;
    let time = match bounded("time")? {
        None => None,
        Some(text) => {
            Some(crate::draft::dates::parse(&text).ok_or_else(|| json::lacks(WHAT, "its `time` is no date"))?)
        }
    };
    Ok(Event {
        source: required("source")?,
        kind: required("type")?,
        subject: bounded("subject")?,
        time,
        sequence: bounded("sequence")?.and_then(|text| text.trim().parse().ok()),
        dataref: bounded("dataref")?,
        data: None,
    })
}
