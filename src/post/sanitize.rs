//! Raw HTML to the subset that peers keep.

use serde::{Deserialize, Serialize};

/// HTML that holds only what the sanitiser lets through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SafeHtml(String);

impl SafeHtml {
    /// The HTML.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
