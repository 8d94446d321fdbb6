//! The kind `micropub`: clients of the IndieWeb, and systems that speak their protocol, write to the gateway with a token of ours
//! (W3C Recommendation Micropub, 23 May 2017). A request becomes a [`Command`]; what is created or changed is an [`Entry`], the
//! properties as they were sent, so that a client gets them back when it wants to edit them.
//!
//! What is not understood is refused, and never published as something else: an answer to a post is no post.

mod check;
pub mod entry;
pub mod form;
pub mod json;
pub mod update;

#[cfg(test)]
mod tests;

use serde_json::Value;

use self::entry::Entry;
use self::update::Changes;
use crate::contract::{Connector, Delivery, Kind, Page, Request, Response, Told};
use crate::error::ConnectorError;
use crate::settings::Settings;

/// Largest request without files, in bytes: twice the longest text that is kept.
pub const REQUEST_BYTES_MAX: usize = 1_024 * 1_024;

/// The kind.
pub struct Micropub;

/// What a client asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// A new entry.
    Create(Create),
    /// An entry is to be changed.
    Update {
        /// The page of its post.
        url: String,
        /// How.
        changes: Changes,
        /// Commands that mean nothing here.
        ignored: Vec<String>,
    },
    /// The post is to be withdrawn.
    Delete {
        /// Its page.
        url: String,
    },
    /// It is to be said again.
    Undelete {
        /// The page that it had.
        url: String,
    },
}

/// A new entry.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Create {
    /// What it says.
    pub entry: Entry,
    /// Commands (`mp-…`) that mean nothing here, to tell the client.
    pub ignored: Vec<String>,
}

impl Kind for Micropub {
    fn name(&self) -> &'static str {
        "micropub"
    }

    fn takes_tokens(&self) -> bool {
        true
    }

    fn configure(&self, settings: &Value) -> Result<Box<dyn Connector>, ConnectorError> {
        Settings::new(settings)?.finish()?;
        Ok(Box::new(Client))
    }
}

/// A source that clients write to.
struct Client;

impl Connector for Client {
    fn request(&self) -> Option<Request> {
        None
    }

    fn read(&self, response: &Response) -> Result<Page, ConnectorError> {
        if response.body.is_empty() {
            return Err(ConnectorError::Empty);
        }
        Err(problem("a source of this kind is not read; clients post to /micropub"))
    }

    /// What a captured request would publish. One that names a post of ours means nothing without it.
    fn receive(&self, delivery: &Delivery) -> Result<Told, ConnectorError> {
        match read(delivery.media_type().as_deref(), &delivery.body)? {
            Command::Create(create) => Ok(Told::items(vec![create.entry.item("captured")?])),
            Command::Update { url, .. } => Ok(Told::ignored(format!("it changes {url}"))),
            Command::Delete { url } => Ok(Told::ignored(format!("it withdraws {url}"))),
            Command::Undelete { url } => Ok(Told::ignored(format!("it brings {url} back"))),
        }
    }
}

/// Reads a request without files.
pub fn read(media_type: Option<&str>, body: &[u8]) -> Result<Command, ConnectorError> {
    if body.trim_ascii().is_empty() {
        return Err(ConnectorError::Empty);
    }
    match media_type {
        Some("application/json") => json::command(body),
        Some("application/x-www-form-urlencoded") => {
            let pairs = url::form_urlencoded::parse(body).take(form::FIELDS_MAX + 1);
            let pairs: Vec<(String, String)> = pairs.map(|(name, value)| (name.into(), value.into())).collect();
            form::command(&pairs)
        }
        _ => Err(problem("its Content-Type must be application/json or application/x-www-form-urlencoded")),
    }
}

/// Why a request is refused.
pub(crate) fn problem(problem: impl Into<String>) -> ConnectorError {
    ConnectorError::Unreadable { what: "request", problem: problem.into() }
}
