//! CSV with a header row, parted by commas, semicolons (as a Dutch spreadsheet writes it) or tabs.

use csv::{ReaderBuilder, Trim};
use serde_json::{Map, Value};

use super::fields::{self, Columns};
use super::{Entry, WHAT};
use crate::contract::ITEMS_PER_PAGE_MAX;
use crate::draft::{Warnings, text};
use crate::error::ConnectorError;
use crate::json;

/// Most columns.
pub(super) const COLUMNS_MAX: usize = 200;

/// One item per row; all rows or none.
pub(super) fn read(text: &str, columns: &Columns, warnings: &mut Warnings) -> Result<Vec<Entry>, ConnectorError> {
    // Spreadsheets say in a line of its own what parts the cells.
    let (told, text) = match text.split_once('\n') {
        Some((first, rest)) if first.trim().len() == 5 && first.starts_with("sep=") => {
            (first.trim().bytes().last(), rest)
        }
        _ => (None, text),
    };
    let delimiter = told.unwrap_or_else(|| delimiter(text));
    let mut reader = ReaderBuilder::new().delimiter(delimiter).trim(Trim::All).from_reader(text.as_bytes());
    let unreadable = |problem: csv::Error| json::lacks(WHAT, format!("it is no CSV ({problem})"));
    let header = reader.headers().map_err(unreadable)?.clone();
    if header.len() > COLUMNS_MAX {
        return Err(json::lacks(WHAT, format!("it has {} columns, {COLUMNS_MAX} are read", header.len())));
    }
    let held = columns.held(header.iter());
    for (column, _) in header.iter().zip(&held).filter(|(column, field)| field.is_none() && !column.is_empty()) {
        warnings.add(format!("the column `{}` is not read", text::cut(column.to_owned(), 50)));
    }
    if !["title", "text", "html"].iter().any(|needed| held.contains(&Some(needed))) {
        let problem = "no column is called title, text or html; say in `columns` which they are";
        return Err(json::lacks(WHAT, problem));
    }
    let mut entries = Vec::new();
    for (at, row) in reader.records().enumerate() {
        let row = row.map_err(unreadable)?;
        if at >= ITEMS_PER_PAGE_MAX {
            return Err(json::lacks(WHAT, format!("it has more than {ITEMS_PER_PAGE_MAX} rows; part it in two")));
        }
        let cells = held.iter().zip(&row).filter(|(_, cell)| !cell.is_empty());
        let said: Map<String, Value> =
            cells.filter_map(|(field, cell)| Some(((*field)?.to_owned(), Value::String(cell.to_owned())))).collect();
        if said.is_empty() {
            continue;
        }
        let line = row.position().map_or(at as u64 + 2, csv::Position::line);
        entries.extend(fields::item(&said, None, warnings).map_err(|error| match error {
            ConnectorError::Unreadable { problem, .. } => json::lacks(WHAT, format!("line {line}: {problem}")),
            other => other,
        })?);
    }
    Ok(entries)
}

/// What stands most often in the header row, outside quotes.
fn delimiter(text: &str) -> u8 {
    let (mut counts, mut is_quoted) = ([(b',', 0_usize), (b';', 0), (b'\t', 0)], false);
    for byte in text.bytes() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\n' if !is_quoted => break,
            _ => counts.iter_mut().filter(|(known, _)| *known == byte && !is_quoted).for_each(|(_, count)| *count += 1),
        }
    }
    let most = counts.iter().map(|(_, count)| *count).max().unwrap_or_default();
    counts.iter().find(|(_, count)| *count == most).map_or(b',', |(byte, _)| *byte)
}
