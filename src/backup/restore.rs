//! Restores a backup into an empty database. It is committed after the last byte was read and found right; until then nothing
//! outside sees any of it.

use std::io::Read;
use std::path::Path;

use crate::backup::manifest::{Manifest, Summary};
use crate::backup::pictures::{self, Waiting};
use crate::backup::read::{Sink, read};
use crate::backup::{BackupError, Progress, Watch, sealed};
use crate::config::Secret;
use crate::store::audit::Entry;
use crate::store::catalogue::{Column, Table};
use crate::store::loading::Loading;
use crate::store::snapshot::Engine;
use crate::vault::MasterKey;

/// Where it is restored to.
pub struct Target<'a> {
    /// The URL of the database.
    pub database: &'a str,
    /// The folder for media.
    pub media: &'a Path,
    /// The root of every id.
    pub public_url: &'a str,
    /// What the private keys will be sealed under.
    pub master: &'a MasterKey,
}

/// Restores it all, or nothing. `entry` makes the entry for the audit log.
pub fn restore(
    from: impl Read,
    passphrase: &Secret,
    target: &Target<'_>,
    entry: impl FnOnce(&Manifest) -> Entry,
    watch: &Watch<'_>,
) -> Result<(Manifest, Summary), BackupError> {
    let mut filling = Filling { target, watch, open: None, zeros: 0 };
    let (manifest, summary) = read(from, passphrase, &mut filling, watch)?;
    let Some(open) = filling.open else { return Err(BackupError::Shape("it has no manifest".to_owned())) };
    if filling.zeros > 0 {
        let text = format!(
            "{} rows had the character U+0000 in a text, which PostgreSQL cannot store; U+FFFD stands there now",
            filling.zeros
        );
        watch.tell(Progress::Problem(&text));
    }
    watch.go_on()?;
    let placed = open.waiting.place()?;
    open.loading.finish(&entry(&manifest))?;
    placed.keep();
    Ok((manifest, summary))
}

struct Filling<'t> {
    target: &'t Target<'t>,
    watch: &'t Watch<'t>,
    open: Option<Open>,
    /// Rows in which a character was replaced.
    zeros: u64,
}

/// The target, once the manifest was found right.
struct Open {
    loading: Loading,
    /// Both have the same tables when they have the same migrations.
    theirs: Vec<Table>,
    ours: Vec<Table>,
    waiting: Waiting,
}

impl Sink for Filling<'_> {
    fn begin(&mut self, manifest: &Manifest) -> Result<(), BackupError> {
        if let Some(actor) = &manifest.actor {
            return Err(BackupError::OneActor(actor.clone()));
        }
        if manifest.public_url != self.target.public_url {
            let (theirs, ours) = (manifest.public_url.clone(), self.target.public_url.to_owned());
            return Err(BackupError::PublicUrl { theirs, ours });
        }
        let mut loading = Loading::begin(self.target.database)?;
        let ours = loading.prepare(&manifest.schema)?;
        let open = Open { loading, ours, theirs: manifest.tables.clone(), waiting: Waiting::new(self.target.media)? };
        for table in &open.theirs {
            let columns = open.columns(&table.name);
            if columns.is_empty() {
                let text = format!("the table {} is not one of Heraut's, and is left out", table.name);
                self.watch.tell(Progress::Problem(&text));
            } else if columns.len() < table.columns.len() {
                let text = format!("the table {} has columns that are not Heraut's; they are left out", table.name);
                self.watch.tell(Progress::Problem(&text));
            }
        }
        self.open = Some(open);
        Ok(())
    }

    fn rows(&mut self, table: &str, lines: &str) -> Result<(), BackupError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let columns: Vec<Column> = open.columns(table).into_iter().cloned().collect();
        if columns.is_empty() {
            return Ok(());
        }
        if table == pictures::TABLE {
            open.waiting.note(lines)?;
        }
        let mut rows = String::with_capacity(lines.len() + 2);
        rows.push('[');
        for line in lines.lines() {
            if rows.len() > 1 {
                rows.push(',');
            }
            if sealed::has_secrets(table) {
                rows.push_str(&sealed::seal(self.target.master, table, line)?);
                continue;
            }
            let without =
                if open.loading.engine() == Engine::Postgres { sealed::without_zeros(table, line)? } else { None };
            self.zeros += u64::from(without.is_some());
            rows.push_str(without.as_deref().unwrap_or(line));
        }
        rows.push(']');
        let columns: Vec<&Column> = columns.iter().collect();
        let filled = open.loading.insert(table, &columns, &rows);
        let filled = filled.map_err(|source| BackupError::Fill { table: table.to_owned(), source })?;
        let wanted = lines.lines().count();
        if filled != wanted {
            let (found, wanted) = (format!("{filled} rows inserted"), format!("{wanted} inserted"));
            return Err(BackupError::Mismatch { what: format!("the table {table}"), found, wanted });
        }
        Ok(())
    }

    fn picture(&mut self, name: &str, bytes: &mut dyn Read) -> Result<(), BackupError> {
        match &mut self.open {
            Some(open) => open.waiting.add(name, bytes),
            None => Ok(()),
        }
    }
}

impl Open {
    /// The columns of a table that both have, as the target stores them.
    fn columns(&self, table: &str) -> Vec<&Column> {
        let of = |tables: &'_ [Table]| tables.iter().position(|t| t.name == table);
        let (Some(theirs), Some(ours)) = (of(&self.theirs), of(&self.ours)) else { return Vec::new() };
        let theirs = self.theirs.get(theirs).map(|t| t.columns.as_slice()).unwrap_or_default();
        let ours = self.ours.get(ours).map(|t| t.columns.as_slice()).unwrap_or_default();
        ours.iter().filter(|column| theirs.iter().any(|t| t.name == column.name)).collect()
    }
}
