//! Any RSS or Atom dialect to one clean document.
//!
//! Strict parsers refuse a whole feed for one bare `&`, one `type="text/html"` or one Dutch date. This rewriter reads the text
//! with forgiving tokens and writes what we use of it as RSS 2.0 or Atom 1.0, with fixed prefixes ([`super::namespaces`]), every
//! reference resolved, illegal characters gone and markup inside texts escaped. What the parsers have no field for is written as
//! an element with the private prefix `h`: `h:base`, `h:lang`, `h:about`, `h:body`, `h:enclosure`, `h:deleted` and, so that no
//! date can fail a feed, `h:published`, `h:updated`, `h:issued`, `h:modified`, `h:created`.
//!
//! Invariants: linear in the input; no DTD, no entity and no address is ever resolved outside the document; an element that is
//! opened and never closed is an error, because a transfer cut short must not look like a short feed.

use std::borrow::Cow;

use url::Url;

use super::fields::{self, Field, Level};
use super::namespaces::{self, ATOM, OTHER, RSS, Vocabulary};
use super::xml::{Tag, Token, Tokens, Unfinished};
use super::{entities, sniff};
use crate::draft::text::escape;
use crate::error::ConnectorError;

/// Deepest nesting of feed elements that is followed: real feeds stay under 8; the parsers behind this one recurse.
pub(super) const XML_DEPTH_MAX: usize = 32;

/// Most namespace declarations in force at once: real feeds stay under 30, and each is looked at for each element.
pub(super) const NAMESPACES_MAX: usize = 128;

/// Which parser reads the rewritten document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    /// Written as RSS 2.0.
    Rss,
    /// Written as Atom 1.0.
    Atom,
}

/// The rewritten document.
#[derive(Debug)]
pub(super) struct Normal {
    /// Which parser reads it.
    pub family: Family,
    /// The document.
    pub xml: String,
    /// How many elements called `item` or `entry` there were, wherever they stood.
    pub items_seen: usize,
}

/// Rewrites `text`, which came from `url`.
pub(super) fn normalise(text: &str, url: &Url) -> Result<Normal, ConnectorError> {
    let mut tokens = Tokens::new(text);
    let root = loop {
        match tokens.next().map_err(|unfinished| unreadable(&tokens, unfinished))? {
            Some(Token::Start(tag)) => break tag,
            Some(_) => {}
            None => return Err(sniff::not_a_feed(text)),
        }
    };
    let mut rewriter = Rewriter {
        tokens,
        url,
        out: String::with_capacity(text.len()),
        core: OTHER,
        declared: Vec::new(),
        scopes: vec![Scope::default()],
        items_seen: 0,
    };
    rewriter.enter(&root);
    let family = sniff::family(rewriter.name(root.name), text)?;
    rewriter.core = if family == Family::Rss { RSS } else { ATOM };
    let prefix = root.name.split_once(':').map_or("", |(prefix, _)| prefix);
    for (declared, vocabulary) in &mut rewriter.declared {
        if *declared == prefix && *vocabulary == OTHER {
            *vocabulary = rewriter.core;
        }
    }
    rewriter.document(&root).map_err(|unfinished| unreadable(&rewriter.tokens, unfinished))?;
    let Rewriter { out: xml, items_seen, .. } = rewriter;
    Ok(Normal { family, xml, items_seen })
}

fn unreadable(tokens: &Tokens<'_>, unfinished: Unfinished) -> ConnectorError {
    let line = tokens.line(unfinished.at);
    let problem = match unfinished.what {
        TOO_DEEP => format!("{TOO_DEEP} (more than {XML_DEPTH_MAX} levels) at line {line}"),
        what => format!("{what} that begins at line {line} is never closed; the document may have been cut short"),
    };
    ConnectorError::Unreadable { what: "feed", problem }
}

const TOO_DEEP: &str = "elements are nested too deep";

/// What an element says about all that is inside it.
#[derive(Debug, Clone, Default)]
struct Scope {
    /// `xml:base`, made absolute.
    base: Option<Url>,
    /// `xml:lang`.
    lang: Option<String>,
    /// How many declarations were in force outside.
    declared: usize,
}

struct Rewriter<'a> {
    tokens: Tokens<'a>,
    url: &'a Url,
    out: String,
    /// The vocabulary of elements without a prefix.
    core: Vocabulary,
    declared: Vec<(&'a str, Vocabulary)>,
    /// Never empty: the first stands for the answer itself.
    scopes: Vec<Scope>,
    items_seen: usize,
}

/// How text becomes text.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Reading {
    /// References are decoded once: RSS, and Atom `text` and `html`. Child elements are kept as tags.
    Escaped,
    /// The inside is markup: text in it stays escaped (Atom `xhtml`).
    Markup,
}

impl<'a> Rewriter<'a> {
    fn document(&mut self, root: &Tag<'a>) -> Result<(), Unfinished> {
        let (open, close) = match self.core {
            RSS => ("<rss version=\"2.0\"><channel>", "</channel></rss>"),
            _ => ("<feed xmlns=\"http://www.w3.org/2005/Atom\">", "</feed>"),
        };
        self.out.push_str(open);
        if fields::is_item(self.name(root.name)) {
            self.item(root)?;
        } else {
            self.children(root, Level::Feed, 1)?;
        }
        self.out.push_str(close);
        Ok(())
    }

    /// Rewrites what is inside `parent`, up to and including its end tag.
    fn children(&mut self, parent: &Tag<'a>, level: Level, depth: usize) -> Result<(), Unfinished> {
        if parent.empty {
            return Ok(());
        }
        let begins = self.tokens.at();
        if depth > XML_DEPTH_MAX {
            return Err(Unfinished { what: TOO_DEEP, at: begins });
        }
        let mut written = Vec::new();
        loop {
            match self.tokens.next()? {
                Some(Token::Start(tag)) => {
                    self.enter(&tag);
                    let name = self.name(tag.name);
                    if level == Level::Feed && fields::is_item(name) {
                        self.item(&tag)?;
                    } else if level == Level::Feed && name == (RSS, "channel") {
                        self.children(&tag, level, depth + 1)?;
                    } else {
                        match fields::find(self.core, level, name) {
                            Some(field) => self.field(&tag, field, &mut written, depth)?,
                            None => self.skip(&tag)?,
                        }
                    }
                    self.leave();
                }
                Some(Token::End(name)) if name == parent.name => return Ok(()),
                Some(_) => {}
                None => return Err(Unfinished { what: "an element", at: begins }),
            }
        }
    }

    fn item(&mut self, tag: &Tag<'a>) -> Result<(), Unfinished> {
        self.items_seen += 1;
        let name = if self.core == RSS { "item" } else { "entry" };
        self.open(name);
        self.scope_elements();
        if let Some((_, about)) = tag.attributes().find(|(name, _)| name.ends_with("about")) {
            self.element("h:about", &about);
        }
        self.children(tag, Level::Item, 1)?;
        self.close(name);
        Ok(())
    }

    fn field(&mut self, tag: &Tag<'a>, field: &Field, written: &mut Vec<&str>, depth: usize) -> Result<(), Unfinished> {
        match field {
            Field::Once(name) => {
                let text = self.text(tag, Reading::Escaped)?.0;
                let href = tag.attribute("href").filter(|_| *name == "link").unwrap_or_default();
                let text = if text.trim().is_empty() { &href } else { text.trim() };
                if !text.is_empty() && !written.contains(name) {
                    written.push(name);
                    if self.scopes.last().is_some_and(|scope| scope.base.is_some()) && *name != "link" {
                        self.scope_elements();
                    }
                    self.open_with(name, tag, false);
                    escape(text, &mut self.out);
                    self.close(name);
                }
            }
            Field::Text(name) => {
                let text = self.text(tag, Reading::Escaped)?.0;
                self.open_with(name, tag, false);
                escape(&text, &mut self.out);
                self.close(name);
            }
            Field::Markup(name) => {
                let text = self.text(tag, Reading::Markup)?.0;
                self.element(name, &text);
            }
            Field::Attributes(name) => {
                self.open_with(name, tag, true);
                self.close(name);
                self.skip(tag)?;
            }
            Field::Construct(name) => self.construct(tag, name, written)?,
            Field::Parent(name) => {
                self.open_with(name, tag, true);
                self.children(tag, Level::Inner, depth + 1)?;
                self.close(name);
            }
            Field::Tombstone => {
                self.tombstone(tag);
                self.skip(tag)?;
            }
        }
        Ok(())
    }

    /// An Atom text construct or content (RFC 4287 §3.1, §4.1.3; Atom 0.3 `type` and `mode`).
    fn construct(&mut self, tag: &Tag<'a>, name: &'static str, written: &mut Vec<&str>) -> Result<(), Unfinished> {
        let attribute = |name| tag.attribute(name).unwrap_or_default().trim().to_ascii_lowercase();
        let (declared, mode, src) = (attribute("type"), attribute("mode"), tag.attribute("src"));
        let bookmark = self.tokens;
        let (mut text, has_children) = self.text(tag, Reading::Escaped)?;
        let html = matches!(declared.as_str(), "html" | "xhtml" | "text/html" | "application/xhtml+xml");
        if html && has_children && mode != "escaped" && declared != "html" {
            self.tokens = bookmark;
            text = self.text(tag, Reading::Markup)?.0;
        }
        let readable = html || matches!(declared.as_str(), "" | "text") || declared.starts_with("text/");
        if !readable || mode == "base64" {
            text.clear();
        }
        if written.contains(&name) || (text.trim().is_empty() && src.is_none()) {
            return Ok(());
        }
        written.push(name);
        if name != "title" {
            self.scope_elements();
        }
        self.out.push('<');
        self.out.push_str(name);
        match src {
            Some(src) => {
                self.attribute("src", &self.resolved(&src));
                self.attribute("type", &declared);
            }
            None => self.attribute("type", if html { "html" } else { "text" }),
        }
        self.out.push('>');
        escape(&text, &mut self.out);
        self.close(name);
        Ok(())
    }

    /// RFC 6721, written as an item without anything but its id, so that it keeps its place among the items.
    fn tombstone(&mut self, tag: &Tag<'a>) {
        let (name, id) = if self.core == RSS { ("item", "guid") } else { ("entry", "id") };
        self.open(name);
        self.element(id, &tag.attribute("ref").unwrap_or_default());
        self.element("h:deleted", &tag.attribute("when").unwrap_or_default());
        self.close(name);
    }

    /// All text inside `tag`, and whether there were child elements.
    fn text(&mut self, tag: &Tag<'a>, reading: Reading) -> Result<(String, bool), Unfinished> {
        let mut text = String::new();
        let mut has_children = false;
        if tag.empty {
            return Ok((text, has_children));
        }
        let (begins, mut depth) = (self.tokens.at(), 0_usize);
        loop {
            match self.tokens.next()? {
                Some(Token::Text(raw)) => match reading {
                    Reading::Escaped => text.push_str(&entities::decode(raw)),
                    Reading::Markup => escape(&entities::decode(raw), &mut text),
                },
                Some(Token::CData(raw)) => match reading {
                    Reading::Escaped => text.push_str(raw),
                    Reading::Markup => escape(raw, &mut text),
                },
                Some(Token::Start(child)) => {
                    has_children = true;
                    depth += usize::from(child.name == tag.name && !child.empty);
                    markup(&child, &mut text);
                }
                Some(Token::End(name)) if name == tag.name && depth == 0 => return Ok((text, has_children)),
                Some(Token::End(name)) => {
                    depth -= usize::from(name == tag.name);
                    text.push_str("</");
                    text.push_str(local(name));
                    text.push('>');
                }
                None => return Err(Unfinished { what: "an element", at: begins }),
            }
        }
    }

    /// Passes over `tag` and all that is in it.
    fn skip(&mut self, tag: &Tag<'a>) -> Result<(), Unfinished> {
        let (begins, mut depth) = (self.tokens.at(), usize::from(!tag.empty));
        self.items_seen += usize::from(matches!(local(tag.name), "item" | "entry"));
        while depth > 0 {
            match self.tokens.next()? {
                Some(Token::Start(child)) => {
                    depth += usize::from(child.name == tag.name && !child.empty);
                    self.items_seen += usize::from(matches!(local(child.name), "item" | "entry"));
                }
                Some(Token::End(name)) => depth -= usize::from(name == tag.name),
                Some(_) => {}
                None => return Err(Unfinished { what: "an element", at: begins }),
            }
        }
        Ok(())
    }

    /// Reads what `tag` declares for all that is inside it.
    fn enter(&mut self, tag: &Tag<'a>) {
        let outer = self.scopes.last().cloned().unwrap_or_default();
        let mut scope = Scope { declared: self.declared.len(), ..outer };
        for (name, value) in tag.attributes() {
            let prefix = if name == "xmlns" { Some("") } else { name.strip_prefix("xmlns:") };
            if let Some(prefix) = prefix.filter(|_| self.declared.len() < NAMESPACES_MAX) {
                let vocabulary = match namespaces::of_address(&value) {
                    OTHER if prefix.is_empty() && value.trim().is_empty() => self.core,
                    vocabulary => vocabulary,
                };
                self.declared.push((prefix, vocabulary));
            } else if name == "xml:base" {
                let outer = scope.base.as_ref().unwrap_or(self.url);
                scope.base = outer.join(value.trim()).ok().or(scope.base);
            } else if name == "xml:lang" {
                scope.lang = Some(value.trim().to_owned());
            }
        }
        self.scopes.push(scope);
    }

    fn leave(&mut self) {
        if let Some(scope) = self.scopes.pop() {
            self.declared.truncate(scope.declared);
        }
    }

    /// The vocabulary and the local name of an element.
    fn name(&self, name: &'a str) -> (Vocabulary, &'a str) {
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        let declared = self.declared.iter().rev().find(|(known, _)| *known == prefix);
        match declared {
            Some((_, vocabulary)) => (*vocabulary, local),
            None if prefix.is_empty() => (self.core, local),
            None => (namespaces::of_habit(prefix), local),
        }
    }

    /// Writes the base and the language in force here, when the document names them.
    fn scope_elements(&mut self) {
        let Scope { base, lang, .. } = self.scopes.last().cloned().unwrap_or_default();
        if let Some(base) = base {
            self.element("h:base", base.as_str());
        }
        if let Some(lang) = lang {
            self.element("h:lang", &lang);
        }
    }

    fn resolved<'v>(&self, value: &'v str) -> Cow<'v, str> {
        let base = self.scopes.last().and_then(|scope| scope.base.as_ref());
        match base.and_then(|base| base.join(value.trim()).ok()) {
            Some(url) => Cow::Owned(url.into()),
            None => Cow::Borrowed(value.trim()),
        }
    }

    fn open_with(&mut self, name: &str, tag: &Tag<'a>, resolve: bool) {
        self.out.push('<');
        self.out.push_str(name);
        for (key, value) in tag.attributes() {
            if key.contains(':') || key == "xmlns" || !key.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                continue;
            }
            let is_address = resolve && matches!(key, "href" | "url" | "src");
            let value = if is_address { self.resolved(&value).into_owned() } else { value.into_owned() };
            self.attribute(key, &value);
        }
        self.out.push('>');
    }

    fn attribute(&mut self, name: &str, value: &str) {
        self.out.push(' ');
        self.out.push_str(name);
        self.out.push_str("=\"");
        escape(value, &mut self.out);
        self.out.push('"');
    }

    fn element(&mut self, name: &str, text: &str) {
        self.open(name);
        escape(text, &mut self.out);
        self.close(name);
    }

    fn open(&mut self, name: &str) {
        self.out.extend(["<", name, ">"]);
    }

    fn close(&mut self, name: &str) {
        self.out.extend(["</", name, ">"]);
    }
}

/// A child element of a text, as HTML: without prefixes, and never self-closing unless HTML has it so.
fn markup(tag: &Tag<'_>, text: &mut String) {
    let name = local(tag.name);
    text.push('<');
    text.push_str(name);
    for (key, value) in tag.attributes().filter(|(key, _)| !key.contains(':') && *key != "xmlns") {
        text.extend([" ", key, "=\""]);
        escape(&value, text);
        text.push('"');
    }
    text.push('>');
    if tag.empty
        && !matches!(name, "br" | "img" | "hr" | "input" | "source" | "wbr" | "col" | "area" | "embed" | "track")
    {
        text.extend(["</", name, ">"]);
    }
}

fn local(name: &str) -> &str {
    name.split_once(':').map_or(name, |(_, local)| local)
}
