//! The shape of a post as an operator writes it: text with `{title}`, `{text}`, `{link}` and `{hashtags}`. Plain text: there
//! is no markup, no condition and no loop in it, so that nothing in an item can be mistaken for an instruction.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Longest template, in characters.
pub const TEMPLATE_CHARS_MAX: usize = 500;

const DEFAULT: &str = "{title}\n\n{text}\n\n{link}\n\n{hashtags}";

/// The shape of a post: paragraphs, with an empty line between them, of lines with placeholders. `{text}` may become several
/// paragraphs and so is one by itself. A line whose placeholders are all empty vanishes with its other words, and so does a
/// paragraph without lines. `{{` and `}}` are braces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template {
    source: String,
    paragraphs: Vec<Paragraph>,
}

/// A paragraph of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::post) enum Paragraph {
    /// `{text}`.
    Text,
    /// Lines of anything else.
    Lines(Vec<Vec<Part>>),
}

/// A part of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::post) enum Part {
    Words(String),
    Slot(Slot),
}

/// What an item fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::post) enum Slot {
    Title,
    Text,
    Link,
    Hashtags,
}

/// Why a text is not a template.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// A placeholder that does not exist.
    #[error("the template has `{{{0}}}`, which is not known; use {{title}}, {{text}}, {{link}} or {{hashtags}}")]
    Unknown(String),
    /// A brace without its other half.
    #[error("the template has a single `{0}`; write it twice for the character itself")]
    Brace(char),
    /// A placeholder that stands there twice.
    #[error("the template has `{{{0}}}` twice; once is enough")]
    Twice(&'static str),
    /// `{text}` beside other words.
    #[error("the template has other words beside {{text}}; put an empty line before and after it")]
    Beside,
    /// Neither title nor text.
    #[error("the template has neither {{title}} nor {{text}}, so its posts would say nothing")]
    Silent,
    /// Longer than [`TEMPLATE_CHARS_MAX`].
    #[error("the template is longer than {TEMPLATE_CHARS_MAX} characters")]
    TooLong,
}

impl Slot {
    const ALL: [Self; 4] = [Self::Title, Self::Text, Self::Link, Self::Hashtags];

    fn name(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Text => "text",
            Self::Link => "link",
            Self::Hashtags => "hashtags",
        }
    }
}

impl Template {
    /// Reads a template.
    pub fn parse(source: &str) -> Result<Self, TemplateError> {
        if source.chars().count() > TEMPLATE_CHARS_MAX {
            return Err(TemplateError::TooLong);
        }
        let mut paragraphs = Vec::new();
        let mut lines: Vec<Vec<Part>> = Vec::new();
        for line in source.lines().chain([""]) {
            if !line.trim().is_empty() {
                lines.push(read_line(line.trim())?);
            } else if !lines.is_empty() {
                paragraphs.push(paragraph(std::mem::take(&mut lines))?);
            }
        }
        let template = Self { source: source.to_owned(), paragraphs };
        for slot in Slot::ALL {
            if template.slots().filter(|found| *found == slot).count() > 1 {
                return Err(TemplateError::Twice(slot.name()));
            }
        }
        if !template.slots().any(|slot| matches!(slot, Slot::Title | Slot::Text)) {
            return Err(TemplateError::Silent);
        }
        Ok(template)
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    pub(in crate::post) fn paragraphs(&self) -> &[Paragraph] {
        &self.paragraphs
    }

    /// The placeholders in order.
    pub(in crate::post) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.paragraphs.iter().flat_map(|paragraph| match paragraph {
            Paragraph::Text => vec![Slot::Text],
            Paragraph::Lines(lines) => lines
                .iter()
                .flatten()
                .filter_map(|part| match part {
                    Part::Slot(slot) => Some(*slot),
                    Part::Words(_) => None,
                })
                .collect(),
        })
    }
}

fn paragraph(lines: Vec<Vec<Part>>) -> Result<Paragraph, TemplateError> {
    let text = Part::Slot(Slot::Text);
    if !lines.iter().flatten().any(|part| *part == text) {
        return Ok(Paragraph::Lines(lines));
    }
    if lines == [[text]] { Ok(Paragraph::Text) } else { Err(TemplateError::Beside) }
}

fn read_line(line: &str) -> Result<Vec<Part>, TemplateError> {
    let mut parts = Vec::new();
    let mut words = String::new();
    let mut rest = line;
    while let Some(c) = rest.chars().next() {
        let after = rest.get(c.len_utf8()..).unwrap_or_default();
        if !matches!(c, '{' | '}') {
            words.push(c);
            rest = after;
            continue;
        }
        if let Some(after) = after.strip_prefix(c) {
            words.push(c);
            rest = after;
            continue;
        }
        let Some((name, after)) = after.split_once('}').filter(|_| c == '{') else {
            return Err(TemplateError::Brace(c));
        };
        let slot = Slot::ALL.into_iter().find(|slot| slot.name() == name.trim());
        if !words.is_empty() {
            parts.push(Part::Words(std::mem::take(&mut words)));
        }
        parts.push(Part::Slot(slot.ok_or_else(|| TemplateError::Unknown(name.to_owned()))?));
        rest = after;
    }
    if !words.is_empty() {
        parts.push(Part::Words(words));
    }
    Ok(parts)
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
    /// Title, text, link and hashtags, each a paragraph.
    fn default() -> Self {
        let line = |slot| Paragraph::Lines(vec![vec![Part::Slot(slot)]]);
        let paragraphs = vec![line(Slot::Title), Paragraph::Text, line(Slot::Link), line(Slot::Hashtags)];
        Self { source: DEFAULT.to_owned(), paragraphs }
    }
}
