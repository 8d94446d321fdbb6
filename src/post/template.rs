//! The shape of a post as an operator writes it: text with `{title}`, `{text}`, `{link}` and `{hashtags}`.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The shape of a post.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template {
    source: String,
}

/// Why a text is not a template.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the template {0}; it knows {{title}}, {{text}}, {{link}} and {{hashtags}}")]
pub struct TemplateError(String);

impl Template {
    /// Reads a template.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        Ok(Self { source: source.to_owned() })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }
}

impl TryFrom<String> for Template {
    type Error = TemplateError;
    fn try_from(text: String) -> Result<Self, TemplateError> {
        Self::parse(&text)
    }
}

impl From<Template> for String {
    fn from(template: Template) -> String {
        template.source
    }
}

impl Default for Template {
    fn default() -> Self {
        Self { source: "{title}\n\n{text}\n\n{link}\n\n{hashtags}".to_owned() }
    }
}
