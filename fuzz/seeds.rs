//! Writes what the targets begin with into a folder, for `fuzz/run`.

use std::path::PathBuf;

fn main() {
    let folder = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("fuzz/corpus"), PathBuf::from);
    heraut_fuzz::seeds::write(&folder);
}
