//! A forgiving HTML tokeniser in one linear pass. It decides nothing about safety: what it yields is filtered by
//! [`super::tame`] and then by ammonia.

/// A piece of HTML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// A start tag: its name as written, and the text of its attributes.
    Open(&'a str, &'a str),
    /// An end tag: its name as written.
    Close(&'a str),
    /// Text, entities not decoded.
    Text(&'a str),
}

/// Reads tokens; comments, declarations and processing instructions are passed over, and so is a tag that never ends.
pub(crate) struct Scanner<'a> {
    rest: &'a str,
}

/// What stands at the start of a tag's remainder.
enum Step<'a> {
    Attribute { name: &'a str, value: Option<&'a str>, rest: &'a str },
    End { rest: &'a str },
    Eof,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(html: &'a str) -> Self {
        Self { rest: html }
    }

    /// Passes over everything up to and including the start of `</name`; all of it when there is none.
    pub(crate) fn skip_past_close(&mut self, name: &str) {
        let closes = |at: usize| {
            let after = at + 2;
            self.rest.get(after..after + name.len()).is_some_and(|n| n.eq_ignore_ascii_case(name))
        };
        let found = self.rest.match_indices("</").map(|(at, _)| at).find(|at| closes(*at));
        self.rest = found.and_then(|at| self.rest.get(at..)).unwrap_or_default();
        // The end tag itself is then read as a token, and means nothing to those that skip.
    }

    fn markup(&mut self) -> Option<Token<'a>> {
        let after = self.rest.get(1..).unwrap_or_default();
        if after.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return self.tag(after, false);
        }
        match after.strip_prefix('/') {
            Some(name) if name.starts_with(|c: char| c.is_ascii_alphabetic()) => self.tag(name, true),
            _ if after.starts_with(['!', '?', '/']) => {
                let comment = after.strip_prefix("!--");
                let end = match comment {
                    Some(body) => body.find("-->").and_then(|at| body.get(at + 3..)),
                    None => after.find('>').and_then(|at| after.get(at + 1..)),
                };
                self.rest = end.unwrap_or_default();
                None
            }
            _ => {
                let (text, rest) = self.rest.split_at_checked(1).unwrap_or((self.rest, ""));
                self.rest = rest;
                Some(Token::Text(text))
            }
        }
    }

    fn tag(&mut self, from: &'a str, close: bool) -> Option<Token<'a>> {
        let end = from.find(|c: char| c.is_ascii_whitespace() || c == '/' || c == '>').unwrap_or(from.len());
        let (name, attributes) = from.split_at_checked(end)?;
        let mut rest = attributes;
        loop {
            match step(rest) {
                Step::Attribute { rest: after, .. } => rest = after,
                Step::End { rest: after } => {
                    self.rest = after;
                    let span = attributes.len().saturating_sub(after.len() + 1);
                    let attributes = attributes.get(..span).unwrap_or_default();
                    return Some(if close { Token::Close(name) } else { Token::Open(name, attributes) });
                }
                Step::Eof => {
                    self.rest = "";
                    return None;
                }
            }
        }
    }
}

impl<'a> Iterator for Scanner<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        while !self.rest.is_empty() {
            if self.rest.starts_with('<') {
                if let Some(token) = self.markup() {
                    return Some(token);
                }
                continue;
            }
            let end = self.rest.find('<').unwrap_or(self.rest.len());
            let (text, rest) = self.rest.split_at_checked(end)?;
            self.rest = rest;
            return Some(Token::Text(text));
        }
        None
    }
}

/// The value of the attribute `wanted`, as written; the first one counts, as in HTML.
pub(crate) fn attribute<'a>(attributes: &'a str, wanted: &str) -> Option<&'a str> {
    let mut rest = attributes;
    loop {
        match step(rest) {
            Step::Attribute { name, value, .. } if name.eq_ignore_ascii_case(wanted) => return value,
            Step::Attribute { rest: after, .. } => rest = after,
            Step::End { .. } | Step::Eof => return None,
        }
    }
}

fn step(text: &str) -> Step<'_> {
    let text = text.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
    if let Some(rest) = text.strip_prefix('>') {
        return Step::End { rest };
    }
    let Some(first) = text.chars().next() else { return Step::Eof };
    let stop = |c: char| c.is_ascii_whitespace() || matches!(c, '/' | '>' | '=');
    let after_first = text.get(first.len_utf8()..).unwrap_or_default();
    let name_end = first.len_utf8() + after_first.find(stop).unwrap_or(after_first.len());
    let (name, rest) = text.split_at_checked(name_end).unwrap_or((text, ""));
    let Some(value) = rest.trim_start().strip_prefix('=') else { return Step::Attribute { name, value: None, rest } };
    let value = value.trim_start();
    for quote in ['"', '\''] {
        if let Some(quoted) = value.strip_prefix(quote) {
            return match quoted.split_once(quote) {
                Some((value, rest)) => Step::Attribute { name, value: Some(value), rest },
                None => Step::Eof,
            };
        }
    }
    let end = value.find(|c: char| c.is_ascii_whitespace() || c == '>').unwrap_or(value.len());
    let (value, rest) = value.split_at_checked(end).unwrap_or((value, ""));
    Step::Attribute { name, value: Some(value), rest }
}
