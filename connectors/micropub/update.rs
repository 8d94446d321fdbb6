//! Changes of an entry, applied to its properties.

use serde_json::{Map, Value};

use super::entry::{Entry, photo_url};
use crate::error::ConnectorError;

/// What a client changes. First is replaced, then added, then deleted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Changes {
    /// Properties with all their new values.
    pub replace: Map<String, Value>,
    /// Values that are added. One that is there is not added again: a client that repeats its request does no harm.
    pub add: Map<String, Value>,
    /// Properties that go.
    pub delete: Vec<String>,
    /// Values that go.
    pub delete_values: Map<String, Value>,
}

impl Changes {
    /// Whether they change nothing.
    pub fn is_empty(&self) -> bool {
        self.replace.is_empty() && self.add.is_empty() && self.delete.is_empty() && self.delete_values.is_empty()
    }

    /// Whether they name that property.
    pub fn names(&self, property: &str) -> bool {
        let maps = [&self.replace, &self.add, &self.delete_values];
        maps.iter().any(|map| map.contains_key(property)) || self.delete.iter().any(|name| name == property)
    }

    /// The entry after them; an error if it could not be published so.
    pub fn apply(&self, entry: &Entry) -> Result<Entry, ConnectorError> {
        let mut changed = entry.clone();
        let properties = changed.properties_mut();
        for (name, values) in &self.replace {
            properties.insert(name.clone(), values.clone());
        }
        for (name, values) in &self.add {
            let known = properties.entry(name.clone()).or_insert_with(|| Value::Array(Vec::new()));
            if let (Value::Array(known), Value::Array(values)) = (known, values) {
                for value in values {
                    if !known.contains(value) {
                        known.push(value.clone());
                    }
                }
            }
        }
        for name in &self.delete {
            properties.remove(name);
        }
        for (name, gone) in &self.delete_values {
            if let (Some(Value::Array(known)), Value::Array(gone)) = (properties.get_mut(name), gone) {
                known.retain(|value| !gone.iter().any(|gone| is_meant(gone, value)));
            }
        }
        properties.retain(|_, values| values.as_array().is_none_or(|values| !values.is_empty()));
        Entry::new(std::mem::take(properties))
    }
}

/// Whether a value that goes is that one: the same, or the address of that photo.
fn is_meant(gone: &Value, value: &Value) -> bool {
    gone == value || (gone.is_string() && value.is_object() && photo_url(value) == gone.as_str())
}
