//! `[[register]]`: lists of others that proofs ask.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use url::Url;

use crate::config::section::Section;
use crate::config::types::{Net, period};
use crate::config::value::parse_name;
use crate::register::{REGISTERS, find};

/// How often a register is read where nothing is said: they are made once a day.
const EVERY_DEFAULT: Duration = Duration::from_secs(24 * 3600);
const EVERY_MIN: Duration = Duration::from_secs(1);
/// A week, so that a reading may fail a few times before the copy is too old to be believed.
const EVERY_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

/// One `[[register]]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RegisterConfig {
    /// Short name, unique.
    pub name: String,
    /// Its form: `roo`, `rio` or `list`.
    pub kind: String,
    /// Where it is, if it is a file here.
    pub file: Option<PathBuf>,
    /// Where it is fetched, if it is not.
    pub url: Option<String>,
    /// How often it is read.
    #[serde(serialize_with = "period")]
    pub every: Duration,
}

impl RegisterConfig {
    /// Whether it says which accounts are whose.
    pub fn has_accounts(&self) -> bool {
        find(&self.kind).is_some_and(|kind| kind.has_accounts())
    }

    /// Where it is, as people read it.
    pub fn place(&self) -> String {
        let file = self.file.as_ref().map(|file| file.display().to_string());
        file.or_else(|| self.url.clone()).unwrap_or_default()
    }
}

/// Reads one table.
pub(super) fn read(mut s: Section<'_>, dir: &Path, net: &Net) -> Option<RegisterConfig> {
    let name = s.require_read("name", "\"rio\"", parse_name);
    let kind = s.require_read("kind", "\"rio\"", |text| match find(text) {
        Some(kind) => Ok(kind.name().to_owned()),
        None => {
            let known: Vec<&str> = REGISTERS.iter().map(|kind| kind.name()).collect();
            Err(format!("`{text}` is no kind of register; there is {}", known.join(", ")))
        }
    });
    let file: Option<PathBuf> = s.take::<PathBuf>("file").map(|file| dir.join(file));
    let url = s.read("url", |text| address(text, net));
    let every = s.period("every", EVERY_DEFAULT, EVERY_MIN, EVERY_MAX);
    match (&file, &url) {
        (Some(_), Some(_)) => s.problem("url", "stands beside `file`; keep one of them"),
        (None, None) => {
            s.problem("url", "is missing; write where the register is: url = \"https://…\" or file = \"…\"")
        }
        _ => {}
    }
    s.finish();
    Some(RegisterConfig { name: name?, kind: kind?, file, url, every })
}

/// Whoever could change it on its way could make anybody official: https, or an address that is opened by hand.
fn address(text: &str, net: &Net) -> Result<String, String> {
    let url = Url::parse(text).map_err(|_| format!("`{text}` is not a URL"))?;
    let trial = url.scheme() == "http" && crate::config::parse::literal_within(&url, &net.allow_addresses);
    if url.scheme() == "https" || trial { Ok(text.to_owned()) } else { Err(format!("`{text}` is not https")) }
}
