//! One table of the file while it is read: keys are taken out one by one, what stays behind is unknown.

use std::fmt::Display;
use std::time::Duration;

use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::config::error::Problem;
use crate::config::value::{parse_period, period_text};

/// A table being read. Each problem is noted and reading goes on, so that all are reported at once.
pub(super) struct Section<'p> {
    path: String,
    table: Table,
    known: Vec<&'static str>,
    problems: &'p mut Vec<Problem>,
}

impl<'p> Section<'p> {
    /// Starts reading the table at `path`; anything but a table is a problem.
    pub fn new(path: String, value: Option<Value>, problems: &'p mut Vec<Problem>) -> Self {
        let table = match value {
            Some(Value::Table(table)) => table,
            None => Table::new(),
            Some(other) => {
                let text = format!("is of the type {}; write it as a table, [{path}]", other.type_str());
                problems.push(Problem { path: path.clone(), text });
                Table::new()
            }
        };
        Self { path, table, known: Vec::new(), problems }
    }

    /// Notes a problem with `key`.
    pub fn problem(&mut self, key: &str, text: impl Into<String>) {
        self.problems.push(Problem { path: format!("{}.{key}", self.path), text: text.into() });
    }

    /// The value of `key`, if it is there and of the right type.
    pub fn take<T: DeserializeOwned>(&mut self, key: &'static str) -> Option<T> {
        self.known.push(key);
        match self.table.remove(key)?.try_into::<T>() {
            Ok(value) => Some(value),
            Err(error) => {
                self.problem(key, error.message().trim().to_owned());
                None
            }
        }
    }

    /// The table `key`; its default where it is absent or wrong.
    pub fn table<T: DeserializeOwned + Default>(&mut self, key: &'static str) -> T {
        match self.table.get(key) {
            Some(Value::Table(_)) | None => self.take(key).unwrap_or_default(),
            Some(other) => {
                let text = format!("is of the type {}; write it as a table, {key} = {{ … }}", other.type_str());
                self.problem(key, text);
                self.known.push(key);
                self.table.remove(key);
                T::default()
            }
        }
    }

    /// The value of `key`; its absence is a problem.
    pub fn require<T: DeserializeOwned>(&mut self, key: &'static str, example: &str) -> Option<T> {
        if !self.table.contains_key(key) {
            self.known.push(key);
            self.problem(key, format!("is missing; write for example {key} = {example}"));
            return None;
        }
        self.take(key)
    }

    /// The text of `key` as `read` makes it out.
    pub fn read<T, E: Display>(&mut self, key: &'static str, read: impl Fn(&str) -> Result<T, E>) -> Option<T> {
        let text: String = self.take(key)?;
        match read(&text) {
            Ok(value) => Some(value),
            Err(error) => {
                self.problem(key, error.to_string());
                None
            }
        }
    }

    /// The text of `key` as `read` makes it out; its absence is a problem.
    pub fn require_read<T, E: Display>(
        &mut self,
        key: &'static str,
        example: &str,
        read: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        if self.table.contains_key(key) {
            return self.read(key, read);
        }
        self.require::<String>(key, example)?;
        None
    }

    /// The texts of the list `key`, each as `read` makes it out; `default` where the key is absent.
    pub fn list<T, E: Display>(
        &mut self,
        key: &'static str,
        default: Vec<T>,
        read: impl Fn(&str) -> Result<T, E>,
    ) -> Vec<T> {
        let Some(texts) = self.take::<Vec<String>>(key) else { return default };
        let mut values = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            match read(text) {
                Ok(value) => values.push(value),
                Err(error) => self.problem(&format!("{key}[{index}]"), error.to_string()),
            }
        }
        values
    }

    /// A length of time of at least `least` and at most `most`; `default` where the key is absent.
    pub fn period(&mut self, key: &'static str, default: Duration, least: Duration, most: Duration) -> Duration {
        let Some(value) = self.read(key, parse_period) else { return default };
        if value < least || value > most {
            self.problem(key, format!("is to be from {} to {}", period_text(least), period_text(most)));
        }
        value
    }

    /// Ends reading: every key that was not taken is unknown.
    pub fn finish(mut self) {
        let known = self.known.join(", ");
        for key in std::mem::take(&mut self.table).keys() {
            self.problem(key, format!("is not a key that is known here; known are {known}"));
        }
    }

    /// Takes all keys that were not taken yet, for somebody else to check.
    pub fn rest(&mut self) -> Table {
        std::mem::take(&mut self.table)
    }
}
