//! XML as a tree, for documents that machines write: warnings, sitemaps, news items.
//!
//! Linear and bounded; no DTD and no entity is read, as in [`super::xml`], whose tokens it uses. Stricter than the feed reader:
//! an element that is not closed by its own end tag is an error, because such a document was cut or put together by hand.

use super::entities;
use super::xml::{Tag, Token, Tokens, Unfinished};
use crate::error::ConnectorError;

/// Most elements of one document: the largest sitemap that the protocol allows has 50,000 pages of 4 elements each.
pub(crate) const ELEMENTS_MAX: usize = 250_000;

/// Deepest nesting: HTML inside a news item is some 30 deep.
pub(crate) const DEPTH_MAX: usize = 100;

/// Most namespace declarations in force at once.
pub(crate) const NAMESPACES_MAX: usize = 128;

/// Addresses of the namespaces that are read, without scheme and closing `/` or `#`, and the short name of each.
pub(crate) type Vocabularies = &'static [(&'static str, &'static str)];

/// One element.
#[derive(Debug, Clone)]
pub(crate) struct Element<'a> {
    /// Short name of its namespace; empty for one that is not read.
    pub vocabulary: &'static str,
    /// Name without prefix.
    pub name: &'a str,
    /// The elements in it.
    pub children: Vec<Element<'a>>,
    /// All that is in it, as it was written.
    pub inner: &'a str,
    tag: Tag<'a>,
}

impl<'a> Element<'a> {
    /// Its text without markup, references decoded.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let mut tokens = Tokens::new(self.inner);
        while let Ok(Some(token)) = tokens.next() {
            match token {
                Token::Text(raw) => text.push_str(&entities::decode(raw)),
                Token::CData(raw) => text.push_str(raw),
                Token::Start(_) | Token::End(_) => {}
            }
        }
        text
    }

    /// An attribute by its full name, trimmed, when it is not blank.
    pub(crate) fn attribute(&self, name: &str) -> Option<String> {
        let value = self.tag.attribute(name)?;
        Some(value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    /// Children of that name, whatever their namespace.
    pub(crate) fn all<'e>(&'e self, name: &'e str) -> impl Iterator<Item = &'e Element<'a>> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The first child of that name.
    pub(crate) fn child<'e>(&'e self, name: &'e str) -> Option<&'e Element<'a>> {
        self.all(name).next()
    }

    /// The text of the first child of that name, trimmed, when it is not blank.
    pub(crate) fn text_of(&self, name: &str) -> Option<String> {
        self.child(name).map(|child| child.text().trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// All elements of that name, this one and those inside it, in document order; not those inside a found one.
    pub(crate) fn find<'e>(&'e self, name: &str) -> Vec<&'e Element<'a>> {
        let (mut found, mut open) = (Vec::new(), vec![self]);
        while let Some(element) = open.pop() {
            if element.name == name {
                found.push(element);
            } else {
                open.extend(element.children.iter().rev());
            }
        }
        found
    }
}

/// The root element of `text`; `None` when there is none. `what` it should be, for the error.
pub(crate) fn parse<'a>(
    text: &'a str,
    vocabularies: Vocabularies,
    what: &'static str,
) -> Result<Option<Element<'a>>, ConnectorError> {
    let mut reader = Reader { tokens: Tokens::new(text), text, vocabularies, declared: Vec::new(), count: 0 };
    reader.document().map_err(|unfinished| {
        let line = reader.tokens.line(unfinished.at);
        let problem = match unfinished.what {
            bound @ (TOO_DEEP | TOO_MANY) => format!("{bound} at line {line}"),
            open => format!("{open} that begins at line {line} is never closed; the document may have been cut short"),
        };
        ConnectorError::Unreadable { what, problem }
    })
}

const TOO_DEEP: &str = "elements are nested more than 100 deep";
const TOO_MANY: &str = "it has more than 250,000 elements; the last that is read is";

struct Reader<'a> {
    tokens: Tokens<'a>,
    text: &'a str,
    vocabularies: Vocabularies,
    declared: Vec<(&'a str, &'static str)>,
    count: usize,
}

/// An element that is not closed yet.
struct Open<'a> {
    element: Element<'a>,
    begins: usize,
    declared: usize,
}

impl<'a> Reader<'a> {
    fn document(&mut self) -> Result<Option<Element<'a>>, Unfinished> {
        let mut open: Vec<Open<'a>> = Vec::new();
        loop {
            let at = self.tokens.at();
            let closed = match self.tokens.next()? {
                None => break,
                Some(Token::Text(_) | Token::CData(_)) => continue,
                Some(Token::Start(tag)) => {
                    let empty = tag.empty;
                    let opened = self.open(tag, open.len())?;
                    if !empty {
                        open.push(opened);
                        continue;
                    }
                    opened
                }
                Some(Token::End(name)) => {
                    let Some(mut closed) = open.pop() else { continue };
                    if closed.element.tag.name != name {
                        return Err(Unfinished { what: "an element", at: closed.begins });
                    }
                    closed.element.inner = self.text.get(closed.begins..at).unwrap_or_default();
                    closed
                }
            };
            self.declared.truncate(closed.declared);
            match open.last_mut() {
                Some(parent) => parent.element.children.push(closed.element),
                // What follows the root does not count.
                None => return Ok(Some(closed.element)),
            }
        }
        match open.first() {
            Some(first) => Err(Unfinished { what: "an element", at: first.begins }),
            None => Ok(None),
        }
    }

    fn open(&mut self, tag: Tag<'a>, depth: usize) -> Result<Open<'a>, Unfinished> {
        let begins = self.tokens.at();
        self.count += 1;
        if depth >= DEPTH_MAX {
            return Err(Unfinished { what: TOO_DEEP, at: begins });
        }
        if self.count > ELEMENTS_MAX {
            return Err(Unfinished { what: TOO_MANY, at: begins });
        }
        let declared = self.declared.len();
        for (name, value) in tag.attributes() {
            let prefix = if name == "xmlns" { Some("") } else { name.strip_prefix("xmlns:") };
            if let Some(prefix) = prefix.filter(|_| self.declared.len() < NAMESPACES_MAX) {
                self.declared.push((prefix, self.vocabulary(&value)));
            }
        }
        let (prefix, name) = tag.name.split_once(':').unwrap_or(("", tag.name));
        let vocabulary = self.declared.iter().rev().find(|(known, _)| *known == prefix).map_or("", |(_, found)| found);
        let element = Element { vocabulary, name, children: Vec::new(), inner: "", tag };
        Ok(Open { element, begins, declared })
    }

    fn vocabulary(&self, address: &str) -> &'static str {
        let address = address.trim().to_ascii_lowercase();
        let address = address.strip_prefix("http://").or_else(|| address.strip_prefix("https://")).unwrap_or(&address);
        let address = address.trim_end_matches(['/', '#']);
        self.vocabularies.iter().find(|(known, _)| *known == address).map_or("", |(_, name)| name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static KNOWN: Vocabularies = &[("stad.example/een", "een")];

    fn root(text: &str) -> Result<Option<Element<'_>>, ConnectorError> {
        parse(text, KNOWN, "document")
    }

    #[test]
    fn elements_have_their_text_their_attributes_and_their_namespace() {
        let text = "<?xml version='1.0'?><!DOCTYPE a [<!ENTITY x 'y'>]><a xmlns:p='HTTP://Stad.example/een/'>\
             <p:b c=' 1 '>caf&eacute; <i>&x;</i><![CDATA[<z>]]></p:b><b/></a>";
        let a = root(text).unwrap().unwrap();
        let [b, other] = a.children.as_slice() else { panic!("{a:?}") };
        assert_eq!((b.vocabulary, b.name, b.attribute("c").as_deref()), ("een", "b", Some("1")));
        assert_eq!((b.text().as_str(), other.vocabulary, a.all("b").count()), ("café &x;<z>", "", 2));
        assert_eq!(b.inner, "caf&eacute; <i>&x;</i><![CDATA[<z>]]>");
        assert_eq!(a.find("i").len(), 1);
    }

    #[test]
    fn what_is_cut_or_crossed_is_an_error_and_no_markup_is_no_root() {
        assert!(root(" tekst ").unwrap().is_none());
        for bad in ["<a>", "<a><b></a>", "<a><b></a></b>", "<a b='", "<a><![CDATA["] {
            assert!(root(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_limit_holds_at_its_edge() {
        let deep = |n: usize| format!("{}{}", "<a>".repeat(n), "</a>".repeat(n));
        assert!(root(&deep(DEPTH_MAX)).is_ok());
        assert!(root(&deep(DEPTH_MAX + 1)).is_err());
        let many = |n: usize| format!("<a>{}</a>", "<b/>".repeat(n - 1));
        assert!(root(&many(ELEMENTS_MAX)).is_ok());
        assert!(root(&many(ELEMENTS_MAX + 1)).is_err());
        let declared = |n: usize| {
            // An element says at most 64 things, so that two are needed.
            let fill = |from: usize, to: usize| (from..to).map(|n| format!(" xmlns:n{n}='urn:n'")).collect::<String>();
            let text = format!("<a{}><b{}><p:c xmlns:p='http://stad.example/een'/></b></a>", fill(0, 64), fill(64, n));
            root(&text).unwrap().unwrap().children[0].children[0].vocabulary
        };
        assert_eq!((declared(NAMESPACES_MAX - 1), declared(NAMESPACES_MAX)), ("een", ""));
    }
}
