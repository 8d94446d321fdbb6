//! A plain list, for other countries, for the agencies of one operator, and for tests. As CSV, with a heading, parted by commas or
//! semicolons; each row says as much as it has:
//!
//! ```csv
//! domain;organisation;name;account;ends;withdrawn
//! voorbeeldstad.nl;https://register.example/org/1;Gemeente Voorbeeldstad;https://social.example.nl/@nieuws;;
//! ```
//!
//! Or as JSON: `{"organisations": [{"uri": …, "name": …, "ends": …, "domains": [… or {"domain": …, "withdrawn": …}],
//! "accounts": […]}]}`.

use std::collections::BTreeSet;

use csv::{Reader, ReaderBuilder, StringRecord};
use serde::Deserialize;

use crate::register::{Counts, Entry, Handing, ReadError, Register, Sink, TEXT_BYTES_MAX, day};

/// Largest list as JSON, in bytes: that form is not streamed. CSV may be as large as any register.
const JSON_BYTES_MAX: usize = 16 * 1024 * 1024;
const COLUMNS: [&str; 6] = ["domain", "organisation", "name", "account", "ends", "withdrawn"];
const WANTED: &str = "a list";

/// The form of a plain list.
pub(super) struct List;

impl Register for List {
    fn name(&self) -> &'static str {
        "list"
    }

    fn has_domains(&self) -> bool {
        true
    }

    fn has_accounts(&self) -> bool {
        true
    }

    fn read(&self, bytes: &[u8], sink: &mut Sink<'_>) -> Result<Counts, ReadError> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut handing = Handing { sink, counts: Counts::default() };
        match bytes.trim_ascii_start().first() {
            Some(b'{') => json(bytes, &mut handing)?,
            _ => rows(bytes, &mut handing)?,
        }
        Ok(handing.counts)
    }
}

fn form(problem: impl Into<String>) -> ReadError {
    ReadError::Form { wanted: WANTED, problem: problem.into() }
}

fn rows(bytes: &[u8], handing: &mut Handing<'_, '_>) -> Result<(), ReadError> {
    let heading = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
    let delimiter = if heading.contains(&b';') { b';' } else { b',' };
    let mut reader: Reader<&[u8]> = ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).from_reader(bytes);
    let broken = |error: csv::Error| {
        let at = error.position().map_or(0, csv::Position::byte);
        ReadError::Broken { at, problem: error.to_string() }
    };
    let names: Vec<String> = reader.headers().map_err(broken)?.iter().map(str::to_ascii_lowercase).collect();
    if let Some(odd) = names.iter().find(|name| !COLUMNS.contains(&name.as_str())) {
        return Err(form(format!("its first line names the column `{odd}`; known are {}", COLUMNS.join(", "))));
    }
    if !names.iter().any(|name| name == "domain" || name == "account") {
        return Err(form("its first line names neither the column domain nor account"));
    }
    // A file that is cut short, or still being written, most likely ends within a row, and its last value may look whole.
    if !bytes.ends_with(b"\n") {
        return Err(form("its last line does not end; it may be cut short, else put a line feed there"));
    }
    let mut known = BTreeSet::new();
    let mut record = StringRecord::new();
    while reader.read_record(&mut record).map_err(broken)? {
        let at = record.position().map_or(0, csv::Position::byte);
        if record.iter().any(|cell| cell.len() > TEXT_BYTES_MAX) {
            return Err(ReadError::TooLong { at });
        }
        row(&names, &record, &mut known, handing)?;
    }
    Ok(())
}

fn row(
    names: &[String],
    record: &StringRecord,
    known: &mut BTreeSet<u64>,
    handing: &mut Handing<'_, '_>,
) -> Result<(), ReadError> {
    let cell = |name: &str| {
        let column = names.iter().position(|found| found == name)?;
        record.get(column).filter(|text| !text.is_empty())
    };
    let (organisation, ends) = (cell("organisation"), cell("ends"));
    if organisation.is_none() && (ends.is_some() || cell("account").is_some()) {
        let line = record.position().map_or(0, csv::Position::line);
        return Err(form(format!("line {line} has an account or an end, and no organisation")));
    }
    if let Some(uri) = organisation {
        // Of rows that say the same of an organisation, the first is enough.
        let mine = openssl::sha::sha256(format!("{uri}\n{}", ends.unwrap_or_default()).as_bytes());
        let mark = mine.first_chunk::<8>().map_or(0, |first| u64::from_be_bytes(*first));
        if known.insert(mark) {
            organisation_of(uri, cell("name"), ends, handing)?;
        }
    }
    if let Some(domain) = cell("domain") {
        let withdrawn = cell("withdrawn").map(|date| day(date, &format!("withdrawn of {domain}"))).transpose()?;
        handing.domain(domain, organisation, withdrawn)?;
    }
    match (cell("account"), organisation) {
        (Some(account), Some(uri)) => handing.account(account, uri),
        _ => Ok(()),
    }
}

fn organisation_of(
    uri: &str,
    name: Option<&str>,
    ends: Option<&str>,
    handing: &mut Handing<'_, '_>,
) -> Result<(), ReadError> {
    let ends_at = ends.map(|date| day(date, &format!("ends of {uri}"))).transpose()?;
    handing.give(Entry::Organisation { uri: uri.to_owned(), name: name.unwrap_or(uri).to_owned(), ends_at })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    organisations: Vec<Organisation>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Organisation {
    uri: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    ends: Option<String>,
    #[serde(default)]
    domains: Vec<Domain>,
    #[serde(default)]
    accounts: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a domain is a text, or {\"domain\": …, \"withdrawn\": …}")]
enum Domain {
    Name(String),
    Withdrawn { domain: String, withdrawn: Option<String> },
}

impl Organisation {
    /// That it has a URI, and no text is longer than in the other forms.
    fn check(&self) -> Result<(), ReadError> {
        let domains = self.domains.iter().map(|domain| match domain {
            Domain::Name(name) | Domain::Withdrawn { domain: name, .. } => name,
        });
        let mut texts = domains.chain(&self.accounts).chain(&self.name).chain([&self.uri]);
        if !self.uri.trim().is_empty() && texts.all(|text| text.len() <= TEXT_BYTES_MAX) {
            return Ok(());
        }
        let uri: String = self.uri.chars().take(80).collect();
        Err(form(format!("`{uri}` is no uri, or a text of it is longer than {TEXT_BYTES_MAX} bytes")))
    }
}

fn json(bytes: &[u8], handing: &mut Handing<'_, '_>) -> Result<(), ReadError> {
    if bytes.len() > JSON_BYTES_MAX {
        return Err(form(format!(
            "it has {} bytes; as JSON at most {JSON_BYTES_MAX} are read, so write it as CSV",
            bytes.len()
        )));
    }
    let whole: Whole = serde_json::from_slice(bytes).map_err(|error| form(error.to_string()))?;
    for organisation in whole.organisations {
        organisation.check()?;
        let Organisation { uri, name, ends, domains, accounts } = organisation;
        organisation_of(&uri, name.as_deref(), ends.as_deref(), handing)?;
        for domain in domains {
            let (domain, withdrawn) = match domain {
                Domain::Name(domain) => (domain, None),
                Domain::Withdrawn { domain, withdrawn } => (domain, withdrawn),
            };
            let withdrawn = withdrawn.map(|date| day(&date, &format!("withdrawn of {domain}"))).transpose()?;
            handing.domain(&domain, Some(&uri), withdrawn)?;
        }
        accounts.iter().try_for_each(|url| handing.account(url, &uri))?;
    }
    Ok(())
}
