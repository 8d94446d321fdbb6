//! The markup of a post as a tree: at most [`CONTAINERS_MAX`] deep, with text as runs that carry their own marks. Reading and
//! writing give one canonical form, so that sanitising twice changes nothing.

use std::rc::Rc;

/// Deepest nesting of lists and quotations.
pub(crate) const CONTAINERS_MAX: usize = 6;

/// A block of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Block {
    Paragraph(Vec<Piece>),
    List { ordered: bool, entries: Vec<Entry> },
    Quote(Vec<Block>),
}

/// One entry of a list: a line, and the lists below it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) line: Vec<Piece>,
    pub(crate) nested: Vec<Block>,
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    Break,
    Text(String, Marks),
}

/// How a run of text is marked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) href: Option<Rc<str>>,
    pub(crate) strong: bool,
    pub(crate) emphasis: bool,
}

impl Marks {
    fn count(&self) -> usize {
        usize::from(self.href.is_some()) * 4 + usize::from(self.strong) + usize::from(self.emphasis)
    }
}

/// Characters that are never shown: controls, soft hyphens, zero-width spaces, and the overrides that turn text around.
fn is_hidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{ad}' | '\u{200b}' | '\u{feff}' | '\u{202a}'..='\u{202e}')
}

/// The lines of `pieces`, split at empty lines: white space collapsed and trimmed, hidden characters gone, equal neighbours
/// joined.
pub(crate) fn settle(pieces: Vec<Piece>) -> Vec<Vec<Piece>> {
    let mut lines = Vec::new();
    let mut line: Vec<Piece> = Vec::new();
    let mut space: Option<Marks> = None;
    let mut breaks = 0_usize;
    for piece in pieces {
        let Piece::Text(text, marks) = piece else {
            breaks += usize::from(!line.is_empty());
            space = None;
            continue;
        };
        for c in text.chars() {
            if c.is_whitespace() {
                space.get_or_insert_with(|| marks.clone());
                continue;
            }
            if is_hidden(c) {
                continue;
            }
            match breaks {
                0 => {}
                1 => line.push(Piece::Break),
                _ => lines.push(std::mem::take(&mut line)),
            }
            breaks = 0;
            if let Some(own) = space.take() {
                push_space(&mut line, own, &marks);
            }
            push(&mut line, c, &marks);
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// A space between two runs belongs to the one with the fewest marks, so that links and bold do not end in a space.
fn push_space(line: &mut Vec<Piece>, own: Marks, next: &Marks) {
    let Some(Piece::Text(_, previous)) = line.last() else { return };
    let mut best = previous;
    for candidate in [&own, next] {
        if candidate.count() < best.count() {
            best = candidate;
        }
    }
    let best = best.clone();
    push(line, ' ', &best);
}

fn push(line: &mut Vec<Piece>, c: char, marks: &Marks) {
    if let Some(Piece::Text(text, last)) = line.last_mut()
        && last == marks
    {
        text.push(c);
        return;
    }
    line.push(Piece::Text(c.to_string(), marks.clone()));
}

/// `text` as HTML text or as the value of a quoted attribute.
pub(crate) fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
}

/// A link to `href` begins. The `rel` is what Mastodon writes.
pub(crate) fn open_link(href: &str, out: &mut String) {
    out.push_str("<a href=\"");
    let mut value = String::new();
    escape(href, &mut value);
    out.push_str(&value.replace('"', "&quot;"));
    out.push_str("\" rel=\"nofollow noopener\">");
}

/// The canonical HTML of `blocks`.
pub(crate) fn write(blocks: &[Block], out: &mut String) {
    for block in blocks {
        match block {
            Block::Paragraph(line) => {
                out.push_str("<p>");
                write_line(line, out);
                out.push_str("</p>");
            }
            Block::List { ordered, entries } => {
                let name = if *ordered { "ol" } else { "ul" };
                out.push_str(&format!("<{name}>"));
                for entry in entries {
                    out.push_str("<li>");
                    write_line(&entry.line, out);
                    write(&entry.nested, out);
                    out.push_str("</li>");
                }
                out.push_str(&format!("</{name}>"));
            }
            Block::Quote(inner) => {
                out.push_str("<blockquote>");
                write(inner, out);
                out.push_str("</blockquote>");
            }
        }
    }
}

/// The HTML of one line, links outside, then bold, then emphasis.
pub(crate) fn write_line(line: &[Piece], out: &mut String) {
    let mut current = Marks::default();
    for piece in line {
        match piece {
            Piece::Break => {
                turn(&mut current, &Marks::default(), out);
                out.push_str("<br>");
            }
            Piece::Text(text, marks) => {
                turn(&mut current, marks, out);
                escape(text, out);
            }
        }
    }
    turn(&mut current, &Marks::default(), out);
}

fn turn(current: &mut Marks, next: &Marks, out: &mut String) {
    let same_link = current.href == next.href;
    let same_strong = same_link && current.strong == next.strong;
    if current.emphasis && !(same_strong && next.emphasis) {
        out.push_str("</em>");
    }
    if current.strong && !same_strong {
        out.push_str("</strong>");
    }
    if current.href.is_some() && !same_link {
        out.push_str("</a>");
    }
    if let Some(href) = next.href.as_ref().filter(|_| !same_link) {
        open_link(href, out);
    }
    if next.strong && !same_strong {
        out.push_str("<strong>");
    }
    if next.emphasis && !(same_strong && current.emphasis) {
        out.push_str("<em>");
    }
    *current = next.clone();
}
