//! XML, walked without keeping it: each element is told of when it opens, and once more with its text when it closes. A file that
//! breaks off, or goes on behind its end, is an error.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};

use crate::register::{ReadError, TEXT_BYTES_MAX};

/// Deepest nesting that is followed.
const DEPTH_MAX: usize = 64;
/// Most attributes of one element.
const ATTRIBUTES_MAX: usize = 64;

/// What the walk comes by. Names are without their prefix: exports change those from version to version.
pub(super) enum Node<'a> {
    /// An element begins; the path ends with its name.
    Open { path: &'a [String], attributes: &'a [(String, String)] },
    /// An element ends.
    Close { path: &'a [String], text: Text<'a> },
}

/// The text of an element itself, without that of those inside it.
pub(super) struct Text<'a> {
    text: &'a str,
    whole: bool,
    at: u64,
}

impl<'a> Text<'a> {
    /// The text, or that it is longer than any that we need.
    pub(super) fn get(&self) -> Result<&'a str, ReadError> {
        if self.whole { Ok(self.text.trim()) } else { Err(ReadError::TooLong { at: self.at }) }
    }
}

/// Walks the whole document.
pub(super) fn walk(bytes: &[u8], mut visit: impl FnMut(Node<'_>) -> Result<(), ReadError>) -> Result<(), ReadError> {
    let mut reader = Reader::from_reader(bytes);
    let mut walk = Walk::default();
    loop {
        let event = reader.read_event();
        let at = reader.buffer_position();
        let broken = |problem: &dyn std::fmt::Display| ReadError::Broken { at, problem: problem.to_string() };
        match event.map_err(|error| broken(&error))? {
            Event::Start(start) => walk.open(&start, at, &mut visit)?,
            Event::Empty(start) => {
                walk.open(&start, at, &mut visit)?;
                walk.close(at, &mut visit)?;
            }
            Event::End(_) => walk.close(at, &mut visit)?,
            Event::Text(text) => walk.text(&text.decode().map_err(|error| broken(&error))?, at)?,
            Event::CData(text) => walk.text(&text.decode().map_err(|error| broken(&error))?, at)?,
            Event::GeneralRef(reference) => {
                let text = resolved(&reference).ok_or_else(|| broken(&"an entity that is not known"))?;
                walk.text(&text, at)?;
            }
            Event::Eof => return walk.end(at),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) | Event::DocType(_) => {}
        }
    }
}

fn resolved(reference: &BytesRef<'_>) -> Option<String> {
    if let Some(c) = reference.resolve_char_ref().ok()? {
        return Some(c.to_string());
    }
    let name = reference.decode().ok()?;
    resolve_predefined_entity(&name).map(str::to_owned)
}

#[derive(Default)]
struct Walk {
    path: Vec<String>,
    texts: Vec<(String, bool)>,
    attributes: Vec<(String, String)>,
    ended: bool,
}

impl Walk {
    fn open(
        &mut self,
        start: &BytesStart<'_>,
        at: u64,
        visit: &mut impl FnMut(Node<'_>) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        let broken = |problem: String| ReadError::Broken { at, problem };
        if self.ended {
            return Err(broken("there is more behind the end".to_owned()));
        }
        if self.path.len() >= DEPTH_MAX {
            return Err(broken(format!("elements are nested more than {DEPTH_MAX} deep")));
        }
        self.path.push(String::from_utf8_lossy(start.local_name().as_ref()).into_owned());
        self.texts.push((String::new(), true));
        self.attributes.clear();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|error| broken(error.to_string()))?;
            let name = String::from_utf8_lossy(attribute.key.local_name().as_ref()).into_owned();
            let value = std::str::from_utf8(&attribute.value).map_err(|error| broken(error.to_string()))?;
            let value = quick_xml::escape::unescape(value).map_err(|error| broken(error.to_string()))?;
            if self.attributes.len() >= ATTRIBUTES_MAX || value.len() > TEXT_BYTES_MAX {
                return Err(ReadError::TooLong { at });
            }
            self.attributes.push((name, value.into_owned()));
        }
        visit(Node::Open { path: &self.path, attributes: &self.attributes })
    }

    fn text(&mut self, more: &str, at: u64) -> Result<(), ReadError> {
        let Some((text, whole)) = self.texts.last_mut() else {
            let problem = "there is text outside of the document".to_owned();
            let blank = more.trim_start_matches('\u{feff}').trim().is_empty();
            return if blank { Ok(()) } else { Err(ReadError::Broken { at, problem }) };
        };
        if text.len() + more.len() > TEXT_BYTES_MAX {
            *whole = false;
        } else {
            text.push_str(more);
        }
        Ok(())
    }

    fn close(&mut self, at: u64, visit: &mut impl FnMut(Node<'_>) -> Result<(), ReadError>) -> Result<(), ReadError> {
        let (text, whole) = self.texts.pop().unwrap_or_default();
        visit(Node::Close { path: &self.path, text: Text { text: &text, whole, at } })?;
        self.path.pop();
        self.ended = self.path.is_empty();
        Ok(())
    }

    fn end(&self, at: u64) -> Result<(), ReadError> {
        let problem = match self.path.last() {
            Some(open) => format!("it breaks off inside <{open}>"),
            None if !self.ended => "it is empty".to_owned(),
            None => return Ok(()),
        };
        Err(ReadError::Broken { at, problem })
    }
}

/// The value of the attribute of that name.
pub(super) fn attribute<'a>(attributes: &'a [(String, String)], name: &str) -> Option<&'a str> {
    attributes.iter().find(|(found, _)| found == name).map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
}

/// Where the innermost element of that name begins in a path: the number of names up to it, it included.
pub(super) fn inside(path: &[String], name: &str) -> Option<usize> {
    path.iter().rposition(|part| part == name).map(|at| at + 1)
}

/// Whether these are the names.
pub(super) fn is(path: Option<&[String]>, names: &[&str]) -> bool {
    path.is_some_and(|path| path.len() == names.len() && path.iter().zip(names).all(|(part, name)| part == name))
}
