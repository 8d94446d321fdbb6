//! The secrets in a row. In the database they are sealed under the master key; within the envelope of a backup they are open,
//! so that a restore needs the passphrase and not the old master key; and `restore` seals them under the new one.

use serde_json::{Map, Value};

use crate::backup::BackupError;
use crate::vault::{self, MasterKey};

/// Columns of bytes that the master key seals, for the context that [`context`] gives.
pub const SEALED: &[(&str, &str)] = &[
    ("actor_keys", "sealed"),
    ("other_keys", "sealed"),
    ("source_secrets", "sealed"),
    ("websub_subscriptions", "sealed"),
];
/// Columns of bytes that are no secret. A test holds that every column of bytes stands here or in [`SEALED`]: a sealed one that
/// was forgotten would be lost with the master key.
pub const PLAIN: &[(&str, &str)] = &[("activities", "bytes"), ("hook_deliveries", "body")];

/// For what the bytes of a row are sealed.
fn context(table: &str, id: &str) -> String {
    match table {
        "source_secrets" => vault::source_secret(id),
        "websub_subscriptions" => vault::websub(id),
        _ => vault::actor_key(id),
    }
}

/// A row of a backup or a database: a member per column.
type Row = Map<String, Value>;

/// Whether rows of that table hold secrets.
pub fn has_secrets(table: &str) -> bool {
    SEALED.iter().any(|(of, _)| *of == table)
}

/// A row of the database as it stands in the backup.
pub fn open(master: &MasterKey, table: &str, line: &str) -> Result<String, BackupError> {
    change(table, line, |context, bytes| Ok(master.open(context, bytes)?.expose().to_vec()))
}

/// A row of the backup as it will stand in the database.
pub fn seal(master: &MasterKey, table: &str, line: &str) -> Result<String, BackupError> {
    change(table, line, |context, bytes| master.seal(context, bytes))
}

fn change(
    table: &str,
    line: &str,
    with: impl Fn(&str, &[u8]) -> Result<Vec<u8>, vault::VaultError>,
) -> Result<String, BackupError> {
    let odd = || BackupError::Row { table: table.to_owned() };
    let mut row: Row = serde_json::from_str(line).map_err(|_| odd())?;
    let context = row.get("id").and_then(Value::as_str).map(|id| context(table, id)).ok_or_else(odd)?;
    for (_, column) in SEALED.iter().filter(|(of, _)| *of == table) {
        let Some(value) = row.get_mut(*column).filter(|value| !value.is_null()) else { continue };
        let bytes = value.as_str().and_then(|text| hex::decode(text).ok()).ok_or_else(odd)?;
        *value = Value::String(hex::encode(with(&context, &bytes)?));
    }
    serde_json::to_string(&row).map_err(|_| odd())
}

/// A row without the character U+0000, which PostgreSQL cannot store in a text: U+FFFD takes its place. `None` if it has none.
pub fn without_zeros(table: &str, line: &str) -> Result<Option<String>, BackupError> {
    if !line.contains("\\u0000") {
        return Ok(None);
    }
    let odd = || BackupError::Row { table: table.to_owned() };
    let mut row: Row = serde_json::from_str(line).map_err(|_| odd())?;
    let mut found = false;
    for value in row.values_mut() {
        if let Value::String(text) = value
            && text.contains('\0')
        {
            *text = text.replace('\0', "\u{fffd}");
            found = true;
        }
    }
    if !found {
        return Ok(None);
    }
    serde_json::to_string(&row).map(Some).map_err(|_| odd())
}
