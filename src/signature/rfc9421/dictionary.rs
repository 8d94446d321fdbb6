//! Dictionaries of structured fields (RFC 9651) as signatures use them. Stricter than the RFC, which lets the last of two equal
//! keys win: here a label or parameter that stands twice is an error, because two readers might take different ones.

use std::convert::Infallible;

use sfv::visitor::{DictionaryVisitor, EntryVisitor, InnerListVisitor, ItemVisitor, ParameterVisitor};
use sfv::{BareItem, BareItemFromInput, DictSerializer, ItemSerializer, KeyRef, Parser, key_ref};

use crate::signature::SignatureError;

/// Longest header, or headers of one name together, that is read, in bytes.
const HEADER_BYTES_MAX: usize = 8 * 1024;
/// Most members of a dictionary.
const MEMBERS_MAX: usize = 8;
/// Most members of an inner list: covered components.
const ITEMS_MAX: usize = 32;
/// Most parameters of a member or a component.
const PARAMETERS_MAX: usize = 16;

/// Parameters in their order.
pub(super) type Parameters = Vec<(String, BareItem)>;

/// One member of a dictionary.
#[derive(Debug)]
pub(super) struct Member {
    /// Its key: a label.
    pub(super) label: String,
    /// Its value.
    pub(super) value: Value,
    /// Its parameters.
    pub(super) parameters: Parameters,
    problem: Option<SignatureError>,
}

/// The value of a member.
#[derive(Debug)]
pub(super) enum Value {
    /// One item.
    Item(BareItem),
    /// An inner list.
    List(Vec<Entry>),
}

/// One member of an inner list.
#[derive(Debug, PartialEq)]
pub(super) struct Entry {
    /// Its value; for a component, its name as a string.
    pub(super) item: BareItem,
    /// Its parameters.
    pub(super) parameters: Parameters,
}

/// Reads the values of the headers of one name as one dictionary. `what` names it in errors.
pub(super) fn read(values: &[&str], what: &'static str) -> Result<Vec<Member>, SignatureError> {
    if values.iter().map(|value| value.len() + 2).sum::<usize>() > HEADER_BYTES_MAX {
        return Err(SignatureError::Malformed("it is too long"));
    }
    let joined = values.join(", ");
    let reading = Parser::new(&joined).parse_dictionary_with_visitor(Reading::default());
    let Reading { members, problem } = reading.map_err(|_| SignatureError::Malformed(what))?;
    match problem.or_else(|| members.iter().find_map(|member| member.problem.clone())) {
        Some(problem) => Err(problem),
        None => Ok(members),
    }
}

#[derive(Default)]
struct Reading {
    members: Vec<Member>,
    problem: Option<SignatureError>,
}

impl<'de> DictionaryVisitor<'de> for Reading {
    type Out = Self;
    type Error = Infallible;

    fn entry(&mut self, key: &'de KeyRef) -> Result<impl EntryVisitor<'de>, Infallible> {
        let label = key.as_str();
        if self.members.iter().any(|member| member.label == label) {
            self.problem.get_or_insert(SignatureError::Duplicate(label.to_owned()));
            return Ok(None);
        }
        if self.members.len() >= MEMBERS_MAX {
            self.problem.get_or_insert(SignatureError::Malformed("it has too many labels"));
            return Ok(None);
        }
        let value = Value::List(Vec::new());
        self.members.push(Member { label: label.to_owned(), value, parameters: Vec::new(), problem: None });
        Ok(self.members.last_mut())
    }

    fn finish(self) -> Result<Self, Infallible> {
        Ok(self)
    }
}

impl<'de> EntryVisitor<'de> for &mut Member {
    type Error = Infallible;

    fn item(self) -> Result<impl ItemVisitor<'de>, Infallible> {
        Ok(self)
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'de>, Infallible> {
        Ok(self)
    }
}

impl<'de> ItemVisitor<'de> for &mut Member {
    type Out = ();
    type Error = Infallible;

    fn bare_item(self, item: BareItemFromInput<'de>) -> Result<impl ParameterVisitor<'de, Out = ()>, Infallible> {
        self.value = Value::Item(item.into());
        Ok(Reader { parameters: &mut self.parameters, problem: &mut self.problem })
    }
}

impl<'de> InnerListVisitor<'de> for &mut Member {
    type Error = Infallible;

    fn item(&mut self) -> Result<impl ItemVisitor<'de>, Infallible> {
        let Member { value: Value::List(items), problem, .. } = &mut **self else { return Ok(None) };
        if items.len() >= ITEMS_MAX {
            problem.get_or_insert(SignatureError::Malformed("it covers too much"));
            return Ok(None);
        }
        Ok(Some(NewEntry { items, problem }))
    }

    fn finish(self) -> Result<impl ParameterVisitor<'de>, Infallible> {
        Ok(Reader { parameters: &mut self.parameters, problem: &mut self.problem })
    }
}

struct NewEntry<'a> {
    items: &'a mut Vec<Entry>,
    problem: &'a mut Option<SignatureError>,
}

impl<'de> ItemVisitor<'de> for NewEntry<'_> {
    type Out = Option<()>;
    type Error = Infallible;

    fn bare_item(
        self,
        item: BareItemFromInput<'de>,
    ) -> Result<impl ParameterVisitor<'de, Out = Option<()>>, Infallible> {
        let Self { items, problem } = self;
        items.push(Entry { item: item.into(), parameters: Vec::new() });
        Ok(items.last_mut().map(|entry| Reader { parameters: &mut entry.parameters, problem }))
    }
}

struct Reader<'a> {
    parameters: &'a mut Parameters,
    problem: &'a mut Option<SignatureError>,
}

impl<'de> ParameterVisitor<'de> for Reader<'_> {
    type Out = ();
    type Error = Infallible;

    fn parameter(&mut self, key: &'de KeyRef, value: BareItemFromInput<'de>) -> Result<(), Infallible> {
        let name = key.as_str();
        if self.parameters.iter().any(|(known, _)| known == name) {
            self.problem.get_or_insert(SignatureError::Duplicate(name.to_owned()));
        } else if self.parameters.len() >= PARAMETERS_MAX {
            self.problem.get_or_insert(SignatureError::Malformed("it has too many parameters"));
        } else {
            self.parameters.push((name.to_owned(), value.into()));
        }
        Ok(())
    }

    fn finish(self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// A component identifier as it stands in a signature base (RFC 9421 §2): the name in quotation marks, and its parameters.
pub(super) fn identifier(entry: &Entry) -> String {
    let mut text = String::new();
    let mut item = ItemSerializer::with_buffer(&mut text).bare_item(&entry.item);
    for (name, value) in &entry.parameters {
        if let Ok(name) = KeyRef::from_str(name) {
            item = item.parameter(name, value);
        }
    }
    let _ = item.finish();
    text
}

/// An inner list with its parameters, serialised strictly (RFC 9651 §4.1.1.1): the value of `@signature-params`.
pub(super) fn inner_list(items: &[Entry], parameters: &Parameters) -> String {
    const LABEL: &KeyRef = key_ref("x");
    let mut text = String::new();
    let mut dictionary = DictSerializer::with_buffer(&mut text);
    let mut list = dictionary.inner_list(LABEL);
    for entry in items {
        let mut item = list.bare_item(&entry.item);
        for (name, value) in &entry.parameters {
            if let Ok(name) = KeyRef::from_str(name) {
                item = item.parameter(name, value);
            }
        }
        let _ = item.finish();
    }
    let mut whole = list.finish();
    for (name, value) in parameters {
        if let Ok(name) = KeyRef::from_str(name) {
            whole = whole.parameter(name, value);
        }
    }
    let _ = whole.finish();
    text.strip_prefix("x=").unwrap_or_default().to_owned()
}

/// The string of an item, if it is one.
pub(super) fn string(item: &BareItem) -> Option<&str> {
    match item {
        BareItem::String(text) => Some(text.as_str()),
        _ => None,
    }
}
