//! Alerts that a system pushes: the kind `cap-webhook`. What they mean is as in a document that is read.

use serde_json::Value;

use super::{Source, WHAT, options};
use crate::contract::{Connector, Delivery, Kind, Page, Request, Response, Told};
use crate::error::ConnectorError;
use crate::settings::Settings;

/// The kind `cap-webhook`.
pub struct CapWebhook;

impl Kind for CapWebhook {
    fn name(&self) -> &'static str {
        "cap-webhook"
    }

    fn profile(&self) -> Option<&'static str> {
        Some("static-header")
    }

    fn takes_xml(&self) -> bool {
        true
    }

    fn configure(&self, settings: &Value) -> Result<Box<dyn Connector>, ConnectorError> {
        let mut settings = Settings::new(settings)?;
        let base = settings.base("site")?;
        Ok(Box::new(Pushed(options(settings, base)?)))
    }
}

struct Pushed(Source);

impl Connector for Pushed {
    fn request(&self) -> Option<Request> {
        None
    }

    fn read(&self, response: &Response) -> Result<Page, ConnectorError> {
        self.0.read(response)
    }

    fn receive(&self, delivery: &Delivery) -> Result<Told, ConnectorError> {
        let page = self.0.read(&Response {
            url: self.0.url.clone(),
            content_type: delivery.header("content-type").map(str::to_owned),
            body: delivery.body.clone(),
            received_at: delivery.received_at,
            about: None,
        })?;
        if !page.fetch.is_empty() {
            let problem = "it is a list, which only names its alerts; push each alert by itself, or have the list read by \
                           the kind `cap`";
            return Err(ConnectorError::Unreadable { what: WHAT, problem: problem.to_owned() });
        }
        if page.items.is_empty() {
            let why = page.warnings.first().cloned();
            return Ok(Told::ignored(why.unwrap_or_else(|| "it is no warning for this source".to_owned())));
        }
        Ok(Told::Page(page))
    }
}
