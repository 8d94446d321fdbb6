//! HTML being written, within bounds.

use super::{DEPTH_MAX, NODES_MAX};
use crate::draft::text::{Text, escape};
use crate::draft::{TEXT_BYTES_MAX, Warnings};
use crate::item::Media;

/// HTML that grows node by node.
#[derive(Debug, Default)]
pub(super) struct Writer {
    html: String,
    nodes: usize,
    is_cut: bool,
    unknown: Vec<String>,
}

/// Most kinds of unknown nodes that are named to the operator.
const UNKNOWN_MAX: usize = 5;

impl Writer {
    /// Counts a node at that depth; `false` when it is to be left out, because the text is too deep, too large or too long.
    pub(super) fn enter(&mut self, depth: usize) -> bool {
        self.nodes += 1;
        let fits = depth <= DEPTH_MAX && self.nodes <= NODES_MAX && self.html.len() <= TEXT_BYTES_MAX;
        self.is_cut |= !fits;
        fits
    }

    /// Notes that a kind of node is not known, of which the text is kept.
    pub(super) fn unknown(&mut self, kind: &str) {
        let kind = crate::draft::text::cut(crate::draft::text::single_spaced(kind), 50);
        if self.unknown.len() < UNKNOWN_MAX && !self.unknown.contains(&kind) {
            self.unknown.push(kind);
        }
    }

    pub(super) fn open(&mut self, tag: &'static str) {
        self.html.push('<');
        self.html.push_str(tag);
        self.html.push('>');
    }

    pub(super) fn close(&mut self, tag: &'static str) {
        self.html.push_str("</");
        self.html.push_str(tag);
        self.html.push('>');
    }

    /// A text; its line ends are kept.
    pub(super) fn text(&mut self, text: &str) {
        for (at, line) in text.split('\n').enumerate() {
            self.html.push_str(if at == 0 { "" } else { "<br>" });
            escape(line, &mut self.html);
        }
    }

    /// Opens a link; close it with `close("a")`.
    pub(super) fn link(&mut self, address: &str) {
        self.html.push_str("<a href=\"");
        escape(address.trim(), &mut self.html);
        self.html.push_str("\">");
    }

    /// An image, or a link to any other file.
    pub(super) fn file(&mut self, file: &Media, label: &str) {
        if crate::draft::is_image(file) {
            self.html.push_str("<img src=\"");
            escape(&file.url, &mut self.html);
            if let Some(alt) = &file.alt {
                self.html.push_str("\" alt=\"");
                escape(alt, &mut self.html);
            }
            self.html.push_str("\">");
        } else {
            self.link(&file.url);
            self.text(if label.is_empty() { file.alt.as_deref().unwrap_or(&file.url) } else { label });
            self.close("a");
        }
    }

    /// What was written, and what the operator should know about it.
    pub(super) fn finish(self, warnings: &mut Warnings) -> Text {
        if self.is_cut {
            warnings.add("a rich text is too deep or has too many parts; the rest was left out");
        }
        for kind in self.unknown {
            warnings.add(format!(
                "a part of a rich text is of a kind that is not known (`{kind}`); no more than its text was kept"
            ));
        }
        Text::Html(self.html)
    }
}
