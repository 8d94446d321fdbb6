//! What a backup says of itself: the first entry says what it is, the last what is in it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::store::catalogue::Table;

/// The form of backups that this program writes. It reads this one only; a new number needs a way to read the old.
pub const FORMAT: u32 = 1;
/// Name of the first entry.
pub const MANIFEST: &str = "manifest.json";
/// Name of the last entry.
pub const SUMMARY: &str = "summary.json";

/// Tables that are not kept, and why.
pub const SKIPPED: &[(&str, &str)] = &[(
    crate::store::catalogue::MIGRATIONS_TABLE,
    "the manifest names the migrations, and restoring applies those of the target",
)];

/// The first entry: what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of the backup: [`FORMAT`].
    pub format: u32,
    /// The version of Heraut that made it.
    pub heraut: String,
    /// When the snapshot was taken, RFC 3339.
    pub made_at: String,
    /// The root of every id in it.
    pub public_url: String,
    /// The database that it was made from: `sqlite` or `postgres`.
    pub database: String,
    /// The id of the one actor that it holds; absent in a backup, which holds everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The versions of the migrations that its schema comes from, ascending.
    pub schema: Vec<String>,
    /// Its tables, in the order in which they come: each after those that it refers to.
    pub tables: Vec<Table>,
}

/// The last entry: how much there must be. A backup without it is not whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// By table.
    pub tables: BTreeMap<String, Rows>,
    /// The pictures.
    pub media: Media,
}

/// The rows of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// How many.
    pub rows: u64,
    /// SHA-256 of its lines, in hex.
    pub sha256: String,
}

/// The pictures.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// How many.
    pub files: u64,
    /// Their bytes together.
    pub bytes: u64,
    /// SHA-256 of the lines `<SHA-256 of the file> <name>`, in hex.
    pub sha256: String,
    /// How many files the database names that were not there, or were not what the database says.
    pub problems: u64,
}

impl Summary {
    /// The rows of all tables.
    pub fn rows(&self) -> u64 {
        self.tables.values().map(|table| table.rows).sum()
    }
}
