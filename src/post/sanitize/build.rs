//! Clean HTML to a [`Block`] tree: what is a paragraph, which links stay, what is left out.

use std::rc::Rc;

use url::Url;

use super::scan::{Scanner, Token, attribute};
use super::tree::{Block, CONTAINERS_MAX, Entry, Marks, Piece, settle};
use crate::urls::URL_BYTES_MAX;

/// Most bytes of text and link addresses in one tree; what comes after is left out.
pub(super) const TREE_BYTES_MAX: usize = 256 * 1_024;

/// Between two cells of a row.
const CELL_SEPARATOR: &str = " \u{2013} ";

/// Pages that share what one reads on another service: host, and how the path begins.
const SHARE_PAGES: &[(&str, &str)] = &[
    ("facebook.com", "/sharer"),
    ("facebook.com", "/dialog/share"),
    ("twitter.com", "/intent"),
    ("twitter.com", "/share"),
    ("x.com", "/intent"),
    ("x.com", "/share"),
    ("linkedin.com", "/sharearticle"),
    ("linkedin.com", "/sharing"),
    ("linkedin.com", "/cws/share"),
    ("wa.me", "/"),
    ("api.whatsapp.com", "/send"),
    ("web.whatsapp.com", "/send"),
    ("pinterest.com", "/pin/create"),
    ("reddit.com", "/submit"),
    ("t.me", "/share"),
    ("bsky.app", "/intent"),
    ("threads.net", "/intent"),
    ("tumblr.com", "/share"),
    ("addtoany.com", "/"),
    ("addthis.com", "/"),
];

enum Frame {
    Flow { blocks: Vec<Block>, pieces: Vec<Piece> },
    List { ordered: bool, entries: Vec<Entry> },
    Entry { pieces: Vec<Piece>, nested: Vec<Block> },
}

/// What an end tag undoes.
enum Undo {
    Nothing,
    Block,
    Heading,
    Strong,
    Emphasis,
    Link,
    List,
    Quote,
    Entry,
}

/// What an address is to us.
enum Target {
    Link(Rc<str>),
    /// Mail address or telephone number: written out, since peers turn the link to text.
    Contact(String),
    /// A share button: left out with its text.
    Share,
    /// Not a link that we keep; its text stays.
    Text,
}

struct LinkState {
    target: Target,
    text: String,
}

struct Builder<'a> {
    base: Option<&'a Url>,
    frames: Vec<Frame>,
    undo: Vec<Undo>,
    links: Vec<LinkState>,
    strong: usize,
    emphasis: usize,
    cell: bool,
    spent: usize,
}

/// The tree of `html`, which is ammonia's output or a [`super::SafeHtml`].
pub(crate) fn read(html: &str, base: Option<&Url>) -> Vec<Block> {
    let mut builder = Builder {
        base,
        frames: vec![Frame::Flow { blocks: Vec::new(), pieces: Vec::new() }],
        undo: Vec::new(),
        links: Vec::new(),
        strong: 0,
        emphasis: 0,
        cell: false,
        spent: 0,
    };
    for token in Scanner::new(html) {
        match token {
            Token::Open("br", _) => builder.line_break(),
            Token::Open("wbr", _) => {}
            Token::Open(name, attributes) => {
                let undo = builder.start(name, attributes);
                builder.undo.push(undo);
            }
            Token::Close(_) => builder.end(),
            Token::Text(text) => builder.text(&decode(text)),
        }
        if builder.spent > TREE_BYTES_MAX {
            break;
        }
    }
    builder.finish()
}

/// Text or attribute value as a serialiser of HTML writes it: five entities and no others.
fn decode(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&nbsp;", " ");
    text.replace("&amp;", "&")
}

impl Builder<'_> {
    fn start(&mut self, name: &str, attributes: &str) -> Undo {
        match name {
            "p" | "div" => self.block_start(),
            "h2" => {
                self.block_break();
                self.strong += 1;
                Undo::Heading
            }
            "section" => {
                self.line_break();
                Undo::Nothing
            }
            "label" => {
                self.cell = true;
                Undo::Nothing
            }
            "strong" => {
                self.strong += 1;
                Undo::Strong
            }
            "em" => {
                self.emphasis += 1;
                Undo::Emphasis
            }
            "a" => {
                let href = attribute(attributes, "href").map(decode).unwrap_or_default();
                self.links.push(LinkState { target: target(&href, self.base), text: String::new() });
                Undo::Link
            }
            "ul" | "ol" => self.list_start(name == "ol"),
            "li" => self.entry_start(),
            "blockquote" => self.quote_start(),
            _ => Undo::Nothing,
        }
    }

    fn end(&mut self) {
        match self.undo.pop() {
            None | Some(Undo::Nothing) => {}
            Some(Undo::Block) => self.block_break(),
            Some(Undo::Heading) => {
                self.strong -= 1;
                self.block_break();
            }
            Some(Undo::Strong) => self.strong -= 1,
            Some(Undo::Emphasis) => self.emphasis -= 1,
            Some(Undo::Link) => self.link_end(),
            Some(Undo::List) => self.list_end(),
            Some(Undo::Quote) => self.quote_end(),
            Some(Undo::Entry) => self.entry_end(),
        }
    }

    fn finish(mut self) -> Vec<Block> {
        while !self.undo.is_empty() {
            self.end();
        }
        self.block_break();
        match self.frames.pop() {
            Some(Frame::Flow { blocks, .. }) => blocks,
            _ => Vec::new(),
        }
    }

    fn block_start(&mut self) -> Undo {
        self.block_break();
        Undo::Block
    }

    /// Ends the paragraph; inside a list entry, the line.
    fn block_break(&mut self) {
        self.cell = false;
        match self.frames.last_mut() {
            Some(Frame::Flow { blocks, pieces }) => {
                blocks.extend(settle(std::mem::take(pieces)).into_iter().map(Block::Paragraph));
            }
            Some(Frame::Entry { pieces, .. }) => pieces.push(Piece::Break),
            Some(Frame::List { .. }) | None => {}
        }
    }

    fn line_break(&mut self) {
        self.cell = false;
        if self.links.iter().any(|l| matches!(l.target, Target::Link(_))) {
            return self.text(" ");
        }
        match self.frames.last_mut() {
            Some(Frame::Flow { pieces, .. } | Frame::Entry { pieces, .. }) => pieces.push(Piece::Break),
            Some(Frame::List { .. }) | None => {}
        }
    }

    fn containers(&self) -> usize {
        self.frames.iter().filter(|f| !matches!(f, Frame::Entry { .. })).count()
    }

    fn list_start(&mut self, ordered: bool) -> Undo {
        if self.containers() > CONTAINERS_MAX {
            return self.block_start();
        }
        match self.frames.last_mut() {
            Some(Frame::List { entries, .. }) => {
                // A list directly in a list, as many editors write it, belongs to the entry before it.
                let entry = entries.pop().unwrap_or_default();
                self.frames.push(Frame::Entry { pieces: entry.line, nested: entry.nested });
            }
            _ => self.block_break(),
        }
        self.frames.push(Frame::List { ordered, entries: Vec::new() });
        Undo::List
    }

    fn list_end(&mut self) {
        self.entry_end();
        if !matches!(self.frames.last(), Some(Frame::List { .. })) {
            return;
        }
        let Some(Frame::List { ordered, entries }) = self.frames.pop() else { return };
        if entries.is_empty() {
            return;
        }
        let list = Block::List { ordered, entries };
        match self.frames.last_mut() {
            Some(Frame::Flow { blocks, .. }) => blocks.push(list),
            Some(Frame::Entry { nested, .. }) => nested.push(list),
            Some(Frame::List { .. }) | None => {}
        }
    }

    fn entry_start(&mut self) -> Undo {
        // An entry that text without `li` opened.
        self.entry_end();
        if !matches!(self.frames.last(), Some(Frame::List { .. })) {
            return self.block_start();
        }
        self.frames.push(Frame::Entry { pieces: Vec::new(), nested: Vec::new() });
        Undo::Entry
    }

    fn entry_end(&mut self) {
        if !matches!(self.frames.last(), Some(Frame::Entry { .. })) {
            return;
        }
        let Some(Frame::Entry { pieces, nested }) = self.frames.pop() else { return };
        let mut line = Vec::new();
        for part in settle(pieces) {
            if !line.is_empty() {
                line.push(Piece::Break);
            }
            line.extend(part);
        }
        if let Some(Frame::List { entries, .. }) = self.frames.last_mut()
            && !(line.is_empty() && nested.is_empty())
        {
            entries.push(Entry { line, nested });
        }
    }

    fn quote_start(&mut self) -> Undo {
        self.block_break();
        if self.containers() > CONTAINERS_MAX || !matches!(self.frames.last(), Some(Frame::Flow { .. })) {
            return Undo::Block;
        }
        self.frames.push(Frame::Flow { blocks: Vec::new(), pieces: Vec::new() });
        Undo::Quote
    }

    fn quote_end(&mut self) {
        self.block_break();
        if self.frames.len() < 2 || !matches!(self.frames.last(), Some(Frame::Flow { .. })) {
            return;
        }
        let Some(Frame::Flow { blocks: inner, .. }) = self.frames.pop() else { return };
        if let Some(Frame::Flow { blocks, .. }) = self.frames.last_mut()
            && !inner.is_empty()
        {
            blocks.push(Block::Quote(inner));
        }
    }

    fn link_end(&mut self) {
        let Some(LinkState { target: Target::Contact(contact), text }) = self.links.pop() else { return };
        if text.trim().is_empty() {
            self.text(&contact);
        } else if !says(&text, &contact) {
            self.text(&format!(" ({contact})"));
        }
    }

    fn text(&mut self, text: &str) {
        if self.links.iter().any(|l| matches!(l.target, Target::Share)) {
            return;
        }
        let mut href = None;
        for link in &mut self.links {
            match &link.target {
                Target::Link(address) => href = Some(address.clone()),
                Target::Contact(_) => link.text.push_str(text),
                Target::Share | Target::Text => {}
            }
        }
        self.spent += text.len() + href.as_ref().map_or(0, |h| h.len());
        if matches!(self.frames.last(), Some(Frame::List { .. })) && !text.trim().is_empty() {
            self.frames.push(Frame::Entry { pieces: Vec::new(), nested: Vec::new() });
        }
        let cell = self.cell && !text.trim().is_empty();
        if cell {
            self.cell = false;
        }
        let marks = Marks { href, strong: self.strong > 0, emphasis: self.emphasis > 0 };
        let Some(Frame::Flow { pieces, .. } | Frame::Entry { pieces, .. }) = self.frames.last_mut() else { return };
        if cell && pieces.iter().rev().take_while(|p| **p != Piece::Break).any(has_text) {
            pieces.push(Piece::Text(CELL_SEPARATOR.to_owned(), Marks::default()));
        }
        pieces.push(Piece::Text(text.to_owned(), marks));
    }
}

fn has_text(piece: &Piece) -> bool {
    matches!(piece, Piece::Text(text, _) if !text.trim().is_empty())
}

/// Whether a link's text already shows the address or number that it leads to.
fn says(text: &str, contact: &str) -> bool {
    let digits = |s: &str| s.chars().filter(char::is_ascii_digit).collect::<String>();
    let (shown, number) = (digits(text), digits(contact));
    let local = number.get(number.len().saturating_sub(7)..).unwrap_or_default();
    let telephone = !contact.contains('@') && local.len() >= 3 && shown.ends_with(local);
    telephone || text.to_lowercase().contains(&contact.to_lowercase())
}

fn target(href: &str, base: Option<&Url>) -> Target {
    let href = href.trim();
    if href.is_empty() || href.starts_with('#') {
        return Target::Text;
    }
    let url = match (Url::parse(href), base) {
        (Ok(url), _) => url,
        (Err(url::ParseError::RelativeUrlWithoutBase), Some(base)) => match base.join(href) {
            Ok(url) => url,
            Err(_) => return Target::Text,
        },
        (Err(_), _) => return Target::Text,
    };
    match url.scheme() {
        "http" | "https" => web(url),
        "whatsapp" => Target::Share,
        "mailto" | "tel" => {
            let contact = percent_encoding::percent_decode_str(url.path()).decode_utf8_lossy();
            let contact = contact.split(';').next().unwrap_or_default().trim().to_owned();
            // A mail without an addressee shares the page with a friend.
            if contact.is_empty() { Target::Share } else { Target::Contact(contact) }
        }
        _ => Target::Text,
    }
}

fn web(url: Url) -> Target {
    let honest = url.username().is_empty() && url.password().is_none() && url.as_str().len() <= URL_BYTES_MAX;
    let Some(host) = url.host_str().filter(|h| honest && !h.is_empty()) else { return Target::Text };
    let path = url.path().to_ascii_lowercase();
    let on = |name: &str| host == name || host.strip_suffix(name).is_some_and(|sub| sub.ends_with('.'));
    // `wa.me/<number>` is a conversation with the agency; without a number it shares the page.
    let chat = on("wa.me") && path.bytes().any(|b| b.is_ascii_digit());
    if !chat && SHARE_PAGES.iter().any(|(name, begin)| on(name) && path.starts_with(begin)) {
        return Target::Share;
    }
    Target::Link(Rc::from(url.as_str()))
}
