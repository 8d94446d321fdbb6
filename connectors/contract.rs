//! What a connector is.
//!
//! A connector is pure: it says what to request and what an answer means. Fetching, limits, retries, conditional requests,
//! schedules and storage are done around it, the same for all. A connector never sees keys, actors, posts or the database;
//! Cargo keeps it so.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::error::ConnectorError;
use crate::item::{EpochMs, Item};

/// A kind of connector, one entry in [`crate::CONNECTORS`].
pub trait Kind: Sync {
    /// The value of `kind` in the configuration: lower-case, stable for ever.
    fn name(&self) -> &'static str;

    /// Checks the settings of one source and makes its connector. Unknown or malformed settings are refused with
    /// [`ConnectorError::Settings`], which names the key.
    fn configure(&self, settings: &Value) -> Result<Box<dyn Connector>, ConnectorError>;
}

/// One configured source, as a pure function from answers to items.
pub trait Connector: Send + Sync {
    /// What to fetch next; `None` when items are pushed to us.
    fn request(&self) -> Option<Request>;

    /// What a successful answer means. Same bytes, same items. Never panics; input that is not what this connector reads is
    /// an error, never an empty page.
    fn read(&self, response: &Response) -> Result<Page, ConnectorError>;
}

/// What a connector wants fetched, always by GET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Absolute http(s) URL.
    pub url: Url,
    /// Value of the `Accept` header.
    pub accept: &'static str,
}

/// A 200 answer, already decompressed and within the byte limit.
#[derive(Debug, Clone)]
pub struct Response {
    /// The URL that answered, after redirects: the base for relative URLs.
    pub url: Url,
    /// The `Content-Type` header as received.
    pub content_type: Option<String>,
    /// The body, decompressed.
    pub body: Vec<u8>,
    /// When it was received.
    pub received_at: EpochMs,
}

/// What an answer said.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Page {
    /// Title of the feed, plain text.
    pub title: Option<String>,
    /// Items in document order, at most [`ITEMS_PER_PAGE_MAX`]. Tombstones are items whose action is `Retract`.
    pub items: Vec<Item>,
    /// The source says that what is not in this page no longer exists (RFC 5005 `fh:complete`).
    pub complete: bool,
    /// The source says that it will never change again (JSON Feed `expired`).
    pub expired: bool,
    /// What the document itself says about when to ask again.
    pub politeness: Politeness,
    /// What was repaired or left out, for the operator: short sentences.
    pub warnings: Vec<String>,
}

/// When a feed document asks not to be fetched (RSS 2.0 `ttl`, `skipHours`, `skipDays`; RSS 1.0 syndication module).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Politeness {
    /// Least time between two polls, in minutes, from `ttl` or `sy:updatePeriod`/`sy:updateFrequency`.
    pub least_minutes: Option<u32>,
    /// Hours of the day, 0 to 23, GMT, in which not to poll.
    pub skip_hours: Vec<u8>,
    /// Days on which not to poll, 0 is Monday, GMT.
    pub skip_days: Vec<u8>,
}

/// Most items that are read from one page; further ones are left out with a warning.
pub const ITEMS_PER_PAGE_MAX: usize = 1_000;
