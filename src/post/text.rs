//! Plain text of HTML, and cutting it at the end of a sentence.

mod sentence;

#[cfg(test)]
mod tests;

use unicode_segmentation::UnicodeSegmentation;

use crate::post::sanitize::build::read;
use crate::post::sanitize::tree::{Block, Entry, Piece};
use crate::post::sanitize::{SafeHtml, render};

/// Stands where text was cut off inside a sentence.
pub const ELLIPSIS: char = '\u{2026}';

/// How far beyond the cut the rules for sentences and words look.
const LOOK_AHEAD_CHARS: usize = 64;

/// The text without markup: an empty line between paragraphs, `- ` or `1. ` before the entries of a list. Addresses of links
/// are not in it.
pub fn plain(html: &SafeHtml) -> String {
    plain_of(&read(html.as_str(), None))
}

/// As [`plain`], with the address of each link behind its words, where it is not what the words say: `the plan (https://…)`. Not of
/// hashtags, which lead nowhere that matters.
pub fn plain_with_addresses(html: &SafeHtml) -> String {
    let mut blocks = read(html.as_str(), None);
    blocks.iter_mut().for_each(address);
    plain_of(&blocks)
}

fn address(block: &mut Block) {
    match block {
        Block::Paragraph(line) => address_line(line),
        Block::Quote(inner) => inner.iter_mut().for_each(address),
        Block::List { entries, .. } => {
            for entry in entries {
                address_line(&mut entry.line);
                entry.nested.iter_mut().for_each(address);
            }
        }
    }
}

fn address_line(line: &mut [Piece]) {
    let mut next = None;
    for piece in line.iter_mut().rev() {
        let Piece::Text(text, marks) = piece else {
            next = None;
            continue;
        };
        let here = marks.href.clone();
        if let Some(href) = here.as_deref().filter(|_| here != next)
            && !text.starts_with('#')
            && !text.contains(href)
        {
            text.push_str(&format!(" ({href})"));
        }
        next = here;
    }
}

/// `html` cut to at most `chars_max` characters, counted as [`plain`] writes it: at the last end of a sentence in the second
/// half of that length, or else after a word, with an ellipsis, or else inside the word. What fits is not changed.
pub fn shorten(html: &SafeHtml, chars_max: usize) -> SafeHtml {
    let mut blocks = read(html.as_str(), None);
    if !cut(&mut blocks, chars_max) {
        return html.clone();
    }
    SafeHtml::trusted(render(&blocks))
}

/// Plain `text` cut to at most `chars_max` characters: at the last end of a sentence in the second half of that length, or
/// else after a word, with an ellipsis, or else inside the word.
pub fn shorten_plain(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    match best_cut([(text, 0)], chars_max) {
        Some(Cut { at, ellipsis, .. }) => {
            let mut kept: String = text.chars().take(at).collect();
            kept.truncate(kept.trim_end().len());
            if ellipsis {
                kept.push(ELLIPSIS);
            }
            kept
        }
        None => String::new(),
    }
}

/// The text of a tree; see [`plain`].
pub(in crate::post) fn plain_of(blocks: &[Block]) -> String {
    let mut text = String::new();
    for line in lines(blocks) {
        text.push_str(&line.before);
        text.push_str(&line.text);
    }
    text
}

/// Cuts a tree as [`shorten`] says; `false` when it fits as it is.
pub(in crate::post) fn cut(blocks: &mut Vec<Block>, chars_max: usize) -> bool {
    let lines = lines(blocks);
    let mut length = 0;
    let mut places: Vec<(&str, usize)> = Vec::new();
    for line in &lines {
        length += line.before.chars().count();
        places.push((&line.text, length));
        length += line.text.chars().count();
    }
    if length <= chars_max {
        return false;
    }
    match best_cut(places, chars_max) {
        Some(cut) => {
            let mut keeper = Keeper { line: 0, cut };
            keeper.blocks(blocks);
        }
        None => blocks.clear(),
    }
    true
}

/// A line of the plain text: what separates it from the one before, and its own text.
struct Line {
    before: String,
    text: String,
}

fn lines(blocks: &[Block]) -> Vec<Line> {
    let mut out = Vec::new();
    collect(blocks, 0, &mut out);
    out
}

fn collect(blocks: &[Block], depth: usize, out: &mut Vec<Line>) {
    for block in blocks {
        match block {
            Block::Paragraph(line) => {
                let before = if out.is_empty() { "" } else { "\n\n" };
                out.push(Line { before: before.to_owned(), text: line_text(line) });
            }
            Block::Quote(inner) => collect(inner, depth, out),
            Block::List { ordered, entries } => {
                for (n, entry) in entries.iter().enumerate() {
                    let gap = match (out.is_empty(), n, depth) {
                        (true, ..) => "",
                        (false, 0, 0) => "\n\n",
                        _ => "\n",
                    };
                    let mark = if *ordered { format!("{}. ", n + 1) } else { "- ".to_owned() };
                    let before = format!("{gap}{}{mark}", "  ".repeat(depth));
                    out.push(Line { before, text: line_text(&entry.line) });
                    collect(&entry.nested, depth + 1, out);
                }
            }
        }
    }
}

fn line_text(line: &[Piece]) -> String {
    let mut text = String::new();
    for piece in line {
        match piece {
            Piece::Break => text.push('\n'),
            Piece::Text(run, _) => text.push_str(run),
        }
    }
    text
}

/// Where to cut: after `at` characters of the text of line number `line`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cut {
    line: usize,
    at: usize,
    ellipsis: bool,
}

/// The best place to cut `lines`, each with the number of characters before it. `None` when not even an ellipsis fits.
fn best_cut<'a>(lines: impl IntoIterator<Item = (&'a str, usize)>, chars_max: usize) -> Option<Cut> {
    let mut sentence = None;
    let mut word = None;
    let mut letter = None;
    for (line, (text, before)) in lines.into_iter().enumerate() {
        if before >= chars_max {
            break;
        }
        let room = chars_max - before;
        // Unicode's rules take quadratic time over some texts, so they see no more than they need.
        let end = text.char_indices().nth(room.saturating_add(LOOK_AHEAD_CHARS)).map_or(text.len(), |(at, _)| at);
        let text = text.get(..end).unwrap_or(text);
        if let Some(at) = sentence::ends(text).into_iter().take_while(|at| *at <= room).last()
            && before + at >= chars_max / 2
        {
            sentence = Some(Cut { line, at, ellipsis: false });
        }
        if let Some(at) = word_ends(text).take_while(|at| *at < room).last() {
            word = Some(Cut { line, at, ellipsis: true });
        }
        if word.is_none()
            && let Some(at) = grapheme_ends(text).take_while(|at| *at < room).last()
        {
            letter = Some(Cut { line, at, ellipsis: true });
        }
    }
    sentence.or(word).or(letter)
}

/// After how many characters each word ends, punctuation that cannot stand before an ellipsis left out.
fn word_ends(text: &str) -> impl Iterator<Item = usize> {
    let mut position = 0;
    text.split_word_bounds().filter_map(move |word| {
        position += word.chars().count();
        word.chars().any(char::is_alphanumeric).then_some(position)
    })
}

fn grapheme_ends(text: &str) -> impl Iterator<Item = usize> {
    let mut position = 0;
    text.graphemes(true).map(move |grapheme| {
        position += grapheme.chars().count();
        position
    })
}

/// Walks the lines in the order of [`lines`] and keeps what is before the cut.
struct Keeper {
    line: usize,
    cut: Cut,
}

impl Keeper {
    fn blocks(&mut self, blocks: &mut Vec<Block>) {
        blocks.retain_mut(|block| match block {
            _ if self.line > self.cut.line => false,
            Block::Paragraph(line) => self.line(line),
            Block::Quote(inner) => {
                self.blocks(inner);
                !inner.is_empty()
            }
            Block::List { entries, .. } => {
                entries.retain_mut(|entry| self.entry(entry));
                !entries.is_empty()
            }
        });
    }

    fn entry(&mut self, entry: &mut Entry) -> bool {
        let kept = self.line(&mut entry.line);
        self.blocks(&mut entry.nested);
        kept || !entry.nested.is_empty()
    }

    /// Whether anything of the line is kept.
    fn line(&mut self, line: &mut Vec<Piece>) -> bool {
        let here = self.line;
        self.line += 1;
        if here == self.cut.line {
            trim(line, self.cut);
        } else if here > self.cut.line {
            line.clear();
        }
        !line.is_empty()
    }
}

/// Takes breaks and spaces from the end of a line.
fn trim_end(line: &mut Vec<Piece>) {
    while let Some(last) = line.last_mut() {
        if let Piece::Text(text, _) = last {
            text.truncate(text.trim_end().len());
            if !text.is_empty() {
                return;
            }
        }
        line.pop();
    }
}

fn trim(line: &mut Vec<Piece>, cut: Cut) {
    let mut room = cut.at;
    line.retain_mut(|piece| {
        if room == 0 {
            return false;
        }
        match piece {
            Piece::Break => room -= 1,
            Piece::Text(text, _) => {
                let kept: String = text.chars().take(room).collect();
                room -= kept.chars().count();
                *text = kept;
            }
        }
        true
    });
    trim_end(line);
    if let Some(Piece::Text(text, _)) = line.last_mut()
        && cut.ellipsis
    {
        text.push(ELLIPSIS);
    }
}
