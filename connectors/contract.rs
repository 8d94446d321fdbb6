//! What a connector is.
//!
//! A connector is pure: it says what to request and what an answer means. Fetching, limits, retries, conditional requests,
//! schedules and storage are done around it, the same for all. A connector never sees keys, actors, posts or the database;
//! Cargo keeps it so.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::error::ConnectorError;
use crate::item::{EpochMs, Item};

/// A kind of connector, one entry in [`crate::CONNECTORS`].
pub trait Kind: Sync {
    /// The value of `kind` in the configuration: lower-case, stable for ever.
    fn name(&self) -> &'static str;

    /// The signature profile ([`crate::profiles`]) by which the system signs what it pushes, when the operator names none;
    /// `None` for a kind that is only read and takes nothing by webhook.
    fn profile(&self) -> Option<&'static str> {
        None
    }

    /// Whether clients write to it with a token of ours, and it is neither read nor pushed by webhook.
    fn takes_tokens(&self) -> bool {
        false
    }

    /// Whether its documents may name hubs ([`Page::push`]), and so whether the setting `websub` means anything.
    fn names_hubs(&self) -> bool {
        false
    }

    /// Whether what it reads may want a token, which is kept as a secret and comes as the setting `token`.
    fn takes_token(&self) -> bool {
        self.profile().is_some()
    }

    /// Whether what is pushed to it may be XML; all kinds take JSON and forms.
    fn takes_xml(&self) -> bool {
        false
    }

    /// Checks the settings of one source and makes its connector. Unknown or malformed settings are refused with
    /// [`ConnectorError::Settings`], which names the key.
    fn configure(&self, settings: &Value) -> Result<Box<dyn Connector>, ConnectorError>;
}

/// One configured source, as a pure function from what came in to items.
pub trait Connector: Send + Sync {
    /// What to fetch next; `None` when items are only pushed to us. For a kind that is pushed this is its list of what changed,
    /// by which a webhook that was never sent is found.
    fn request(&self) -> Option<Request>;

    /// What a successful answer means, to [`Connector::request`], to [`Page::next`] or to a request of [`Told::Fetch`]. Same
    /// bytes, same items. Never panics; input that is not what this connector reads is an error, never an empty page.
    fn read(&self, response: &Response) -> Result<Page, ConnectorError>;

    /// What a pushed request means; its signature holds. Pure and quick, as `read`: it is asked while the sender waits, and an
    /// error is told to the sender as "400, because …". So an event that is merely of no interest is [`Told::Ignored`].
    fn receive(&self, _delivery: &Delivery) -> Result<Told, ConnectorError> {
        Err(ConnectorError::NotPushed)
    }
}

/// What a connector wants fetched, always by GET.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Absolute http(s) URL.
    pub url: Url,
    /// Value of the `Accept` header.
    pub accept: &'static str,
    /// Further headers, as the API of a CMS wants them: a token, a version. Names in lower case.
    pub headers: Vec<(String, Secret)>,
    /// Further parameters of the URL, of an API that takes its token in no other way. They are added when it is sent
    /// ([`Request::address`]), so that the URL can be shown without them.
    pub query: Vec<(String, Secret)>,
    /// The [`Item::source_id`] of the one item that is asked for; `None` for a list. Where that is known, an answer of 404 or
    /// 410 means that the item is no longer public, and it is withdrawn.
    pub about: Option<String>,
}

impl Request {
    /// A request with no further headers, about no item in particular.
    pub fn get(url: Url, accept: &'static str) -> Self {
        Self { url, accept, headers: Vec::new(), query: Vec::new(), about: None }
    }

    /// With one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Secret>) -> Self {
        self.headers.push((name.to_ascii_lowercase(), value.into()));
        self
    }

    /// With one more parameter, which is not shown.
    #[must_use]
    pub fn parameter(mut self, name: &str, value: impl Into<Secret>) -> Self {
        self.query.push((name.to_owned(), value.into()));
        self
    }

    /// The URL as it is sent, with what may not be shown.
    pub fn address(&self) -> Url {
        let mut url = self.url.clone();
        for (name, value) in &self.query {
            url.query_pairs_mut().append_pair(name, value.reveal());
        }
        url
    }

    /// About that item: if it is not there, it is withdrawn.
    #[must_use]
    pub fn about(mut self, source_id: impl Into<String>) -> Self {
        self.about = Some(source_id.into());
        self
    }
}

/// A value that no log, error or debug print may show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The value itself, to be sent or compared and nothing else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl<T: Into<String>> From<T> for Secret {
    fn from(value: T) -> Self {
        Self(value.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(…)")
    }
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
    /// [`Request::about`] of the request that this answers.
    pub about: Option<String>,
}

/// One request that a system pushed to us, verified already. Its body is at most [`DELIVERY_BYTES_MAX`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delivery {
    /// Headers in the order in which they came, names in lower case. Without those that carry secrets (`authorization`,
    /// `cookie`, signatures): they did their work before.
    pub headers: Vec<(String, String)>,
    /// The query of the URL, without the `?`, percent-encoded as it came.
    pub query: Option<String>,
    /// The body, byte for byte.
    pub body: Vec<u8>,
    /// When it was received.
    pub received_at: EpochMs,
}

impl Delivery {
    /// The first header of that name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim())
    }

    /// The media type of the body: lower case, without parameters.
    pub fn media_type(&self) -> Option<String> {
        let value = self.header("content-type")?;
        Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
    }
}

/// What a pushed request means.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    /// It says itself what happened: items, retractions among them.
    Page(Page),
    /// It only says where something happened: these are to be fetched, and each answer read by [`Connector::read`]. What it
    /// said by itself is in `page`, and is taken in first.
    Fetch {
        /// At most [`REQUESTS_PER_DELIVERY_MAX`].
        requests: Vec<Request>,
        /// What needs no fetching, such as a retraction; mostly nothing.
        page: Page,
    },
    /// There is nothing to do: a draft, an autosave, a test, an event of no interest. Acknowledged, and noted with the reason.
    Ignored {
        /// Why, as a sentence for the operator.
        why: String,
    },
}

impl Told {
    /// Nothing to do, for that reason.
    pub fn ignored(why: impl Into<String>) -> Self {
        Self::Ignored { why: why.into() }
    }

    /// These items, and no more.
    pub fn items(items: Vec<Item>) -> Self {
        Self::Page(Page { items, ..Page::default() })
    }

    /// This is to be fetched, and nothing else is known.
    pub fn fetch(request: Request) -> Self {
        Self::Fetch { requests: vec![request], page: Page::default() }
    }
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
    /// Where the list goes on: on the same host; at most [`PAGES_PER_POLL_MAX`] are read in one go.
    #[serde(skip)]
    pub next: Option<Request>,
    /// Where older items are: an archive document (RFC 5005 `prev-archive`), on the same host. Read as if it were `next`, until an
    /// item is known, when polls were missed, and never otherwise.
    #[serde(skip)]
    pub archive: Option<Request>,
    /// What this page only names, on the same host (`www.` aside). A request that is [`Request::about`] one of its items is made when that item
    /// is new or changed; what the answer says then stands in the place of that item, and when it cannot be had the item waits
    /// for the next poll. One that is about none is a further list or a file, and is read with this page.
    #[serde(skip)]
    pub fetch: Vec<Request>,
    /// Who tells when the document changes, as the document itself says.
    #[serde(skip)]
    pub push: Push,
}

/// What a document says about how it is pushed (WebSub §4): addresses as they stand there, not yet judged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Push {
    /// Its hubs, in document order, at most [`HUBS_MAX`].
    pub hubs: Vec<String>,
    /// Its own address, by which hubs know it.
    pub own: Option<String>,
}

impl Push {
    /// What links say, each a relation and an address.
    pub fn of<'l>(links: impl Iterator<Item = (&'l str, &'l str)>) -> Self {
        let mut push = Self::default();
        for (relation, address) in links {
            let address = address.trim();
            if address.is_empty() {
                continue;
            }
            match relation.trim() {
                "hub" if push.hubs.len() < HUBS_MAX => push.hubs.push(address.to_owned()),
                "self" if push.own.is_none() => push.own = Some(address.to_owned()),
                _ => {}
            }
        }
        push
    }
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
/// Most pages of one list that are read in one poll, the first among them.
pub const PAGES_PER_POLL_MAX: usize = 10;
/// Largest body that is taken by webhook, in bytes: senders keep under 20 kB (Standard Webhooks), Heraut's own contract says 256 KiB.
pub const DELIVERY_BYTES_MAX: usize = 256 * 1_024;
/// Most hubs of one document that are looked at.
pub const HUBS_MAX: usize = 8;
/// Most requests that one delivery may ask for: several notifications come in one call from some systems.
pub const REQUESTS_PER_DELIVERY_MAX: usize = 20;
