//! A forgiving, linear XML tokenizer.
//!
//! It hands out slices of the text, resolves nothing, and skips comments, processing instructions, the XML declaration and the
//! DOCTYPE with all that it declares: no entity or DTD is ever read. A `<` that begins no markup is text.

use std::borrow::Cow;

use super::entities;

/// Most attributes that are read of one element: real feeds stay under 40 (namespaces on the root).
pub(crate) const ATTRIBUTES_MAX: usize = 64;

/// One piece of markup or text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Token<'a> {
    /// `<name …>` or `<name …/>`.
    Start(Tag<'a>),
    /// `</name>`.
    End(&'a str),
    /// Text with its references still in it.
    Text(&'a str),
    /// The inside of a CDATA section.
    CData(&'a str),
}

/// A start tag.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tag<'a> {
    /// Name with its prefix.
    pub name: &'a str,
    /// All between the name and the end of the tag.
    attributes: &'a str,
    /// `<name/>`: there is no end tag.
    pub empty: bool,
}

/// Why the text ends too soon.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Unfinished {
    /// What was never closed.
    pub what: &'static str,
    /// Where it began, in bytes.
    pub at: usize,
}

/// A cursor over the text; copying it is a bookmark.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// The line, from 1, of a place in the text.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
    }

    /// How far the text has been read, in bytes.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// The next token; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Token<'a>>, Unfinished> {
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(None);
            }
            if !begins_markup(rest) {
                return Ok(Some(Token::Text(self.text_until_markup(rest))));
            }
            if let Some(inside) = rest.strip_prefix("<![CDATA[") {
                let inside = self.until(inside, "]]>", 9, "a CDATA section")?;
                return Ok(Some(Token::CData(inside)));
            } else if let Some(inside) = rest.strip_prefix("<!--") {
                self.until(inside, "-->", 4, "a comment")?;
            } else if let Some(inside) = rest.strip_prefix("<?") {
                self.until(inside, "?>", 2, "a processing instruction")?;
            } else if let Some(inside) = rest.strip_prefix("<!") {
                self.declaration(inside)?;
            } else if let Some(inside) = rest.strip_prefix("</") {
                return self.end(inside).map(Some);
            } else {
                return self.start(rest).map(Some);
            }
        }
    }

    fn text_until_markup(&mut self, rest: &'a str) -> &'a str {
        let mut end = rest.len();
        let mut from = 0;
        while let Some(found) = rest.get(from..).and_then(|tail| tail.find('<')) {
            if rest.get(from + found..).is_some_and(begins_markup) {
                end = from + found;
                break;
            }
            from += found + 1;
        }
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    /// Moves past `close`, which must follow, and returns what is before it. `opened` is how many bytes opened it.
    fn until(
        &mut self,
        inside: &'a str,
        close: &str,
        opened: usize,
        what: &'static str,
    ) -> Result<&'a str, Unfinished> {
        let end = inside.find(close).ok_or(Unfinished { what, at: self.at })?;
        self.at += opened + end + close.len();
        Ok(inside.get(..end).unwrap_or_default())
    }

    /// A DOCTYPE, with its internal subset. Its contents are passed over, never read.
    fn declaration(&mut self, inside: &'a str) -> Result<(), Unfinished> {
        let unfinished = Unfinished { what: "a DOCTYPE", at: self.at };
        let mut end = inside.find(['[', '>']).ok_or(unfinished)?;
        if inside.get(end..).is_some_and(|rest| rest.starts_with('[')) {
            loop {
                end += inside.get(end..).and_then(|rest| rest.find(']')).ok_or(unfinished)? + 1;
                let rest = inside.get(end..).unwrap_or_default();
                let spaces = rest.len() - rest.trim_ascii_start().len();
                end += spaces;
                if inside.get(end..).is_some_and(|rest| rest.starts_with('>')) {
                    break;
                }
            }
        }
        self.at += 2 + end + 1;
        Ok(())
    }

    /// The last `>` of a document may be missing: editors and scripts lose it, and nothing else is lost with it.
    fn end(&mut self, inside: &'a str) -> Result<Token<'a>, Unfinished> {
        let end = inside.find(|c: char| c.is_whitespace() || matches!(c, '<' | '>')).unwrap_or(inside.len());
        if inside.get(end..).is_some_and(|rest| rest.trim_ascii_start().is_empty()) {
            self.at = self.text.len();
            return Ok(Token::End(inside.trim_end()));
        }
        let name = self.until(inside, ">", 2, "an end tag")?;
        Ok(Token::End(name.trim_end()))
    }

    fn start(&mut self, rest: &'a str) -> Result<Token<'a>, Unfinished> {
        let unfinished = Unfinished { what: "a tag", at: self.at };
        let mut quote = None;
        let mut end = None;
        for (at, byte) in rest.bytes().enumerate() {
            match (quote, byte) {
                (None, b'>') => {
                    end = Some(at);
                    break;
                }
                (None, b'"' | b'\'') => quote = Some(byte),
                (Some(open), _) if open == byte => quote = None,
                _ => {}
            }
        }
        let end = end.ok_or(unfinished)?;
        self.at += end + 1;
        let inside = rest.get(1..end).unwrap_or_default();
        let (inside, empty) = match inside.strip_suffix('/') {
            Some(inside) => (inside, true),
            None => (inside, false),
        };
        let (name, attributes) =
            inside.split_at(inside.find(|c: char| c.is_ascii_whitespace()).unwrap_or(inside.len()));
        Ok(Token::Start(Tag { name, attributes, empty }))
    }
}

impl<'a> Tag<'a> {
    /// Its attributes, with their values decoded; at most [`ATTRIBUTES_MAX`].
    pub(crate) fn attributes(&self) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> + use<'a> {
        Attributes { rest: self.attributes }.take(ATTRIBUTES_MAX).map(|(name, value)| (name, entities::decode(value)))
    }

    /// The value of an attribute, by its full name.
    pub(crate) fn attribute(&self, name: &str) -> Option<Cow<'a, str>> {
        self.attributes().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

/// `name="value"`, `name='value'`, `name=value` and `name`, as HTML writes them too; values still with their references.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attributes<'a> {
    pub(crate) rest: &'a str,
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let space = |c: char| c.is_ascii_whitespace();
        let rest = self.rest.trim_start_matches(|c: char| space(c) || c == '/' || c == '=');
        let end = rest.find(|c: char| space(c) || c == '=' || c == '/').unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        if name.is_empty() {
            return None;
        }
        let Some(value) = after.trim_start_matches(space).strip_prefix('=') else {
            self.rest = after;
            return Some((name, ""));
        };
        let value = value.trim_start_matches(space);
        let quoted = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        let (value, after) = match quoted {
            Some(quote) => {
                let inside = value.get(1..).unwrap_or_default();
                inside.split_once(quote).unwrap_or((inside, ""))
            }
            None => value.split_at(value.find(space).unwrap_or(value.len())),
        };
        self.rest = after;
        Some((name, value))
    }
}

/// Whether a `<` at the start of `text` begins markup; `a < b` does not.
fn begins_markup(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next() == Some('<')
        && chars.next().is_some_and(|c| c.is_alphabetic() || matches!(c, '_' | ':' | '/' | '!' | '?'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let mut tokens = Tokens::new(text);
        let mut found = Vec::new();
        loop {
            match tokens.next() {
                Ok(None) => break,
                Ok(Some(Token::Start(tag))) => {
                    let attributes: Vec<_> = tag.attributes().map(|(name, value)| format!(" {name}={value}")).collect();
                    found.push(format!("+{}{}{}", tag.name, attributes.concat(), if tag.empty { "/" } else { "" }));
                }
                Ok(Some(Token::End(name))) => found.push(format!("-{name}")),
                Ok(Some(Token::Text(text))) => found.push(format!("'{text}")),
                Ok(Some(Token::CData(text))) => found.push(format!("#{text}")),
                Err(unfinished) => {
                    found.push(format!("!{} {}", unfinished.what, unfinished.at));
                    break;
                }
            }
        }
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn markup_is_told_from_text_and_declarations_are_passed_over() {
        check("<a>x</a >", &["+a", "'x", "-a"]);
        check("<a b='1' c=2 d e=\"x>y\"/>", &["+a b=1 c=2 d= e=x>y/"]);
        check("a < b & <3 <b>", &["'a < b & <3 ", "+b"]);
        check("<?xml version='1.0'?><!-- <x> --><a>", &["+a"]);
        check("<!DOCTYPE a [<!ENTITY b 'c'> ]><a>", &["+a"]);
        check("<!DOCTYPE a [<!ENTITY b 'c'>] ><a>", &["+a"]);
        check("<!DOCTYPE a SYSTEM 'x'><a>", &["+a"]);
        check("<![CDATA[<b>&amp;]]>", &["#<b>&amp;"]);
        check("<a></a\n", &["+a", "-a"]);
        check("<a title='caf&eacute; & co'>", &["+a title=café & co"]);
    }

    #[test]
    fn what_is_never_closed_is_told_with_its_place() {
        check("x<a b='>", &["'x", "!a tag 1"]);
        check("<!-- x", &["!a comment 0"]);
        check("<![CDATA[ x", &["!a CDATA section 0"]);
        check("<!DOCTYPE a [ <a>", &["!a DOCTYPE 0"]);
    }
}
