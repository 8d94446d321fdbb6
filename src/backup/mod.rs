//! Backup and restore: the whole installation as one encrypted file, whatever the database.
//!
//! A backup is an age file ([`envelope`]) around a gzip-compressed tar archive (`docs/adr/0009-backup.md`):
//!
//! | entry | holds |
//! |---|---|
//! | `manifest.json` | what it is: [`manifest::Manifest`] |
//! | `tables/<table>/<number>.jsonl` | rows, a JSON object a line, at most about a mebibyte an entry |
//! | `media/<name>` | the pictures |
//! | `summary.json` | how much there must be, with digests: [`manifest::Summary`] |
//!
//! Invariants: a backup reads one snapshot and changes nothing. A restore gives nothing on before it was authenticated, and
//! commits only when all was read and counted. Memory is bounded by an entry, not by the database.

pub mod belongings;
pub mod create;
pub mod envelope;
pub mod file;
pub mod import;
pub mod manifest;
mod pictures;
pub mod read;
pub mod restore;
pub mod sealed;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use thiserror::Error;

use crate::backup::envelope::EnvelopeError;
use crate::config::Secret;
use crate::store::StoreError;
use crate::store::arriving::ArrivingError;
use crate::store::loading::LoadError;
use crate::vault::VaultError;

/// Shortest passphrase for a new backup, in characters. Guessing happens on the thief's machines and at leisure.
pub const PASSPHRASE_MIN: usize = 16;
/// Longest passphrase, in bytes: a file that is longer is not one.
pub const PASSPHRASE_BYTES_MAX: u64 = 1_024;

/// Why a backup cannot be made, read or restored. The text says what to do.
#[derive(Debug, Error)]
pub enum BackupError {
    /// There is no passphrase.
    #[error(
        "a backup holds the private keys and is encrypted: give a passphrase in HERAUT_BACKUP_PASSPHRASE or by \
         --passphrase-file (make one with `openssl rand -base64 24`, and keep it apart from the backups)"
    )]
    NoPassphrase,
    /// It is easily guessed.
    #[error("the passphrase has fewer than {PASSPHRASE_MIN} characters; make one with `openssl rand -base64 24`")]
    ShortPassphrase,
    /// The file with the passphrase cannot be used.
    #[error("the passphrase file {path}: {problem}", path = path.display())]
    PassphraseFile {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// Something could not be written.
    #[error("the backup cannot be written; if the disk is full, free some space or give another place by --to")]
    Write(#[source] io::Error),
    /// The place of a backup is taken.
    #[error("{path} exists and is not overwritten; give another name, with the date for example, or --replace", path = .0.display())]
    Exists(PathBuf),
    /// Something could not be read.
    #[error("the backup cannot be read")]
    Read(#[source] io::Error),
    /// The envelope does not open.
    #[error(transparent)]
    Envelope(EnvelopeError),
    /// What is inside is not what a backup holds.
    #[error(
        "the backup is not as it should be: {0}; it was made by another program, or by a defect: try an older backup"
    )]
    Shape(String),
    /// It was made by a later version.
    #[error("the backup has form {0}, this program reads form {own}: install the version of Heraut that made it", own = manifest::FORMAT)]
    Form(u32),
    /// What was read is not what was written.
    #[error(
        "the backup is not whole: {what} has {found}, and should have {wanted}; take another copy or an older backup"
    )]
    Mismatch {
        /// Of what.
        what: String,
        /// What was found.
        found: String,
        /// What was to be found.
        wanted: String,
    },
    /// It belongs to another installation.
    #[error(
        "the backup is of {theirs}, and the configuration says server.public_url = {ours}: other servers know its actors by \
         their URLs, so it can be restored only under {theirs}; correct server.public_url"
    )]
    PublicUrl {
        /// Of the backup.
        theirs: String,
        /// Of the configuration.
        ours: String,
    },
    /// A row is not what we write.
    #[error("a row of the table {table} cannot be read")]
    Row {
        /// The table.
        table: String,
    },
    /// A row is larger than is read back.
    #[error("a row of the table {table} has more than {max} bytes", max = read::ENTRY_BYTES_MAX)]
    LargeRow {
        /// The table.
        table: String,
    },
    /// Reading a table failed.
    #[error("the table {table} cannot be backed up")]
    Table {
        /// The table.
        table: String,
        /// What happened.
        #[source]
        source: Box<BackupError>,
    },
    /// Filling a table failed.
    #[error("the table {table} cannot be restored; nothing was changed")]
    Fill {
        /// The table.
        table: String,
        /// What happened.
        #[source]
        source: LoadError,
    },
    /// A picture cannot be written.
    #[error("the picture {path} cannot be written", path = path.display())]
    Picture {
        /// The file.
        path: PathBuf,
        /// The system's words.
        #[source]
        source: io::Error,
    },
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database cannot be filled.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It holds one actor.
    #[error("it holds the actor {0} alone and is no backup; `heraut import actor` takes it in beside what is there")]
    OneActor(String),
    /// It holds everything.
    #[error("it is a backup of a whole installation; `heraut restore` fills an empty database from it")]
    WholeBackup,
    /// An actor cannot be taken in.
    #[error(transparent)]
    Arriving(Box<ArrivingError>),
    /// A private key cannot be opened or sealed.
    #[error(
        "a private key cannot be put into the backup, and a backup without it would be worth nothing: is keys.master_key_file the one of this database?"
    )]
    Vault(#[from] VaultError),
    /// Somebody asked to stop.
    #[error("stopped before the end; nothing was left behind")]
    Stopped,
}

/// What is told while it goes on.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'a> {
    /// So many rows of that table so far.
    Rows(&'a str, u64),
    /// So many pictures so far.
    Pictures(u64),
    /// Something that a person should know.
    Problem(&'a str),
}

/// Who looks on: is told how far it is, and can end it.
pub struct Watch<'a> {
    /// Set to end it.
    pub stop: &'a AtomicBool,
    /// Is told.
    pub tell: &'a dyn Fn(Progress<'_>),
}

impl Watch<'_> {
    fn go_on(&self) -> Result<(), BackupError> {
        if self.stop.load(Ordering::Relaxed) { Err(BackupError::Stopped) } else { Ok(()) }
    }

    fn tell(&self, progress: Progress<'_>) {
        (self.tell)(progress);
    }
}

/// The passphrase: from the file where one is named, else from the environment. White space around it does not count.
pub fn passphrase(file: Option<&Path>, environment: Option<Secret>) -> Result<Secret, BackupError> {
    let Some(path) = file else { return environment.map(trimmed).ok_or(BackupError::NoPassphrase) };
    let failed = |problem: String| BackupError::PassphraseFile { path: path.to_owned(), problem };
    if crate::vault::readable_by_all(path).map_err(|e| failed(e.to_string()))? {
        return Err(failed(format!("every user of this machine can read it; run `chmod 600 {}`", path.display())));
    }
    let mut text = String::new();
    let limited = std::fs::File::open(path).map(|file| io::Read::take(file, PASSPHRASE_BYTES_MAX + 1));
    limited
        .and_then(|mut limited| io::Read::read_to_string(&mut limited, &mut text))
        .map_err(|e| failed(e.to_string()))?;
    let secret = trimmed(Secret::new(text));
    match u64::try_from(secret.expose().len()) {
        Ok(1..=PASSPHRASE_BYTES_MAX) => Ok(secret),
        Ok(0) => Err(failed("it is empty".to_owned())),
        _ => Err(failed(format!("it has more than {PASSPHRASE_BYTES_MAX} bytes"))),
    }
}

fn trimmed(secret: Secret) -> Secret {
    Secret::new(secret.expose().trim())
}

/// A failed reading: the envelope's own words where they are in it.
fn unreadable(error: io::Error) -> BackupError {
    error.downcast::<EnvelopeError>().map_or_else(BackupError::Read, BackupError::Envelope)
}
