//! Tables of the file that name each other: what each is called, and whether it is there.

use std::collections::BTreeSet;
use std::fmt::Display;

use toml::Value;

use crate::actor::Handle;
use crate::config::error::Problem;
use crate::config::section::Section;
use crate::config::value::parse_domain;

pub(super) fn tables(key: &str, value: Option<Value>, problems: &mut Vec<Problem>) -> Vec<Value> {
    match value {
        None => Vec::new(),
        Some(Value::Array(tables)) => tables,
        Some(_) => {
            problems.push(Problem { path: key.to_owned(), text: format!("is written as a list of tables, [[{key}]]") });
            Vec::new()
        }
    }
}

pub(super) fn each<T>(
    key: &str,
    tables: Vec<Value>,
    problems: &mut Vec<Problem>,
    read: impl Fn(Section<'_>) -> Option<T>,
) -> Vec<T> {
    let numbered = tables.into_iter().enumerate();
    numbered.filter_map(|(i, table)| read(Section::new(format!("{key}[{i}]"), Some(table), problems))).collect()
}

/// A section name, its tables as written, and a key in them.
type Column<'a> = (&'a str, &'a [Value], &'a str);

/// The texts of a column with their place. What is absent or no text is reported where the table is read.
fn texts<'a>((_, tables, key): Column<'a>) -> impl Iterator<Item = (usize, &'a str)> {
    tables.iter().enumerate().filter_map(move |(i, table)| Some((i, table.get(key)?.as_str()?)))
}

pub(super) fn references(from: Column<'_>, to: Column<'_>, problems: &mut Vec<Problem>) {
    let there: BTreeSet<&str> = texts(to).map(|(_, text)| text).collect();
    // A handle may stand there with its domain; names have no @.
    let known = |text: &str| there.contains(text.split('@').next().unwrap_or(text));
    for (i, text) in texts(from).filter(|(_, text)| !known(text)) {
        let known = if there.is_empty() { "none at all".to_owned() } else { list(&there) };
        let text = format!("no [[{}]] has the {} `{text}`; there is {known}", to.0, to.2);
        problems.push(Problem { path: format!("{}[{i}].{}", from.0, from.2), text });
    }
}

pub(super) fn unique(column: Column<'_>, problems: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for (i, text) in texts(column) {
        if !seen.insert(text) {
            let text = format!("`{text}` stands there twice; give each {} its own", column.0);
            problems.push(Problem { path: format!("{}[{i}].{}", column.0, column.2), text });
        }
    }
}

/// Two actors may have the same local part only at two domains and on two hosts: else nobody could tell which is asked for.
pub(super) fn actors_apart(agencies: &[Value], actors: &[Value], problems: &mut Vec<Problem>) {
    let text = |table: &Value, key: &str| table.get(key).and_then(Value::as_str).map(str::to_ascii_lowercase);
    let mut seen = BTreeSet::new();
    for (i, actor) in actors.iter().enumerate() {
        let Some(handle) = text(actor, "handle") else { continue };
        let agency = text(actor, "agency");
        let own = agencies.iter().find(|table| agency.is_some() && text(table, "name") == agency);
        let host = own.and_then(|agency| text(agency, "host")).unwrap_or_default();
        let bare = host.split("://").last().unwrap_or_default().trim_end_matches('/').to_owned();
        let domain = text(actor, "handle_domain").unwrap_or(bare);
        let there = [format!("host {host} {handle}"), format!("domain {domain} {handle}")];
        if there.into_iter().filter(|place| !seen.insert(place.clone())).count() > 0 {
            let text =
                format!("`{handle}` stands there twice; give each actor its own, or a domain and a host of its own");
            problems.push(Problem { path: format!("actor[{i}].handle"), text });
        }
    }
}

/// Reads the handle of an actor, which may have its domain behind it.
pub(super) fn parse_actor(text: &str) -> Result<String, String> {
    let (name, domain) = text.split_once('@').map_or((text, None), |(name, domain)| (name, Some(domain)));
    let name = Handle::parse(name).map_err(|e| e.to_string())?;
    match domain {
        None => Ok(name.to_string()),
        Some(domain) => Ok(format!("{name}@{}", parse_domain(domain)?)),
    }
}

fn list<T: Display>(items: &BTreeSet<T>) -> String {
    items.iter().map(|i| format!("`{i}`")).collect::<Vec<_>>().join(", ")
}
