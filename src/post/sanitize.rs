//! Raw HTML to the subset that peers keep (`reference/federation.md` 2.4), in four steps of linear time:
//!
//! 1. `tame`: cut to [`RAW_BYTES_MAX`], made shallow and well-formed, so that hostile nesting costs the next step nothing;
//! 2. ammonia, a real HTML5 parser with an allow-list: the gate;
//! 3. `build`: to a tree, in which links are judged and empty things vanish;
//! 4. `tree::write`: the output is written anew from that tree, every character escaped.
//!
//! Out comes only `p br a[href] ul ol li strong em blockquote`. The output is a fixed point: sanitising it again gives the same.

pub(crate) mod build;
pub(crate) mod scan;
mod tame;
pub(crate) mod tree;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use heraut_connectors::item::RawHtml;
use serde::{Deserialize, Serialize};
use url::Url;

/// Most bytes of raw HTML that are read; what comes after is left out. So many, because images may stand in it as text.
pub const RAW_BYTES_MAX: usize = 8 * 1_024 * 1_024;

/// The elements that ammonia lets through: those of the output, and those by which `tame` marks headings (`h2`), rows
/// (`section`), cells (`label`), other blocks (`div`) and the ends of text nodes (`wbr`).
const ELEMENTS: &[&str] =
    &["p", "br", "a", "ul", "ol", "li", "strong", "em", "blockquote", "div", "h2", "section", "label", "wbr"];

static GATE: LazyLock<ammonia::Builder<'static>> = LazyLock::new(|| {
    let mut gate = ammonia::Builder::empty();
    gate.tags(ELEMENTS.iter().copied().collect())
        .clean_content_tags(HashSet::new())
        .tag_attributes(HashMap::from([("a", HashSet::from(["href"]))]))
        .generic_attributes(HashSet::new())
        .url_schemes(HashSet::from(["http", "https", "mailto", "tel", "whatsapp"]))
        .link_rel(None);
    gate
});

/// HTML that holds only what [`sanitize`] lets through, and the links and hashtags that [`super::compose`] writes itself.
/// Deserialising does not sanitise: it is for reading back from our own database only, never for input.
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

    /// Whether there is no text at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Markup that `post` escaped itself; no one else calls this.
    pub(in crate::post) fn trusted(html: String) -> Self {
        Self(html)
    }
}

/// The safe subset of `raw`. Links are http(s) with `rel="nofollow noopener"`, relative ones made absolute by `base` (without
/// a base they become text), their parameters kept; mail addresses and telephone numbers are written out as text; headings
/// become bold paragraphs, rows of tables lines; share buttons, empty paragraphs, images, scripts, frames, captions of images
/// and struck-out text are left out. Never panics, linear in the size of `raw`.
pub fn sanitize(raw: &RawHtml, base: Option<&Url>) -> SafeHtml {
    let end = raw.0.floor_char_boundary(RAW_BYTES_MAX);
    let tame = tame::tame(raw.0.get(..end).unwrap_or_default());
    let clean = GATE.clean(&tame).to_string();
    SafeHtml::trusted(render(&build::read(&clean, base)))
}

/// The HTML of a tree.
pub(in crate::post) fn render(blocks: &[tree::Block]) -> String {
    let mut html = String::new();
    tree::write(blocks, &mut html);
    html
}
