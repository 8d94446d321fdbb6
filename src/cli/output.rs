//! What commands print. Results go to standard output, everything else to standard error. A reader that went away (`| head`)
//! is no failure.

use std::io::Write;

use serde::Serialize;

/// Prints a line on standard output.
pub fn line(text: impl AsRef<str>) {
    // Nobody reads any more: there is nobody to tell either.
    let _ = writeln!(std::io::stdout().lock(), "{}", text.as_ref());
}

/// Prints a line on standard error.
pub fn note(text: impl AsRef<str>) {
    let _ = writeln!(std::io::stderr().lock(), "{}", text.as_ref());
}

/// Shows a line on a terminal in place of the last one; an empty one clears it.
pub fn status(text: &str) {
    let mut out = std::io::stderr().lock();
    let _ = write!(out, "\r\x1b[2K{text}").and_then(|()| out.flush());
}

/// Prints JSON, indented.
pub fn json<T: Serialize>(value: &T) -> anyhow::Result<()> {
    line(serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Prints rows in columns under a heading; an empty list says so.
pub fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) {
    if rows.is_empty() {
        note("(none)");
        return;
    }
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(heading.get(column).map(|h| h.len())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let print = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect::<Vec<_>>();
        line(padded.join("  ").trim_end());
    };
    print(heading.to_vec());
    for row in rows {
        print(row.iter().map(String::as_str).collect());
    }
}
