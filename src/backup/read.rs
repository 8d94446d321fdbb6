//! Reads a backup from end to end and holds it against its own summary. What is done with it is the reader's [`Sink`].

use std::collections::BTreeMap;
use std::io::{self, Read};

use flate2::read::GzDecoder;
use openssl::sha::Sha256;

use crate::backup::envelope::Opener;
use crate::backup::manifest::{FORMAT, MANIFEST, Manifest, Rows, SUMMARY, Summary};
use crate::backup::pictures::{Counted, Tally};
use crate::backup::{BackupError, Progress, Watch, unreadable};
use crate::config::Secret;

/// Largest entry that is taken into memory, in bytes: far more than any row of ours, and bounded.
pub const ENTRY_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Takes what comes out of a backup, in its order.
pub trait Sink {
    /// It begins.
    fn begin(&mut self, manifest: &Manifest) -> Result<(), BackupError>;
    /// Rows of a table, a line each.
    fn rows(&mut self, table: &str, lines: &str) -> Result<(), BackupError>;
    /// A picture.
    fn picture(&mut self, name: &str, bytes: &mut dyn Read) -> Result<(), BackupError>;
}

/// Wants nothing but to know whether the backup is whole.
pub struct Check;

impl Sink for Check {
    fn begin(&mut self, _: &Manifest) -> Result<(), BackupError> {
        Ok(())
    }

    fn rows(&mut self, _: &str, _: &str) -> Result<(), BackupError> {
        Ok(())
    }

    fn picture(&mut self, _: &str, bytes: &mut dyn Read) -> Result<(), BackupError> {
        io::copy(bytes, &mut io::sink()).map(|_| ()).map_err(unreadable)
    }
}

/// Reads it all. When this gives no error, every byte was authenticated, and every table and picture is there in the number
/// and with the digest that the summary says.
pub fn read(
    from: impl Read,
    passphrase: &Secret,
    sink: &mut dyn Sink,
    watch: &Watch<'_>,
) -> Result<(Manifest, Summary), BackupError> {
    let opener = Opener::new(from, passphrase.expose()).map_err(unreadable)?;
    read_opened(opener, sink, watch)
}

/// The same of what was in the envelope: a compressed archive.
pub fn read_opened(
    opened: impl Read,
    sink: &mut dyn Sink,
    watch: &Watch<'_>,
) -> Result<(Manifest, Summary), BackupError> {
    let mut archive = tar::Archive::new(GzDecoder::new(opened));
    let mut reading = Reading { manifest: None, summary: None, found: BTreeMap::new(), tally: Tally::new(), watch };
    for entry in archive.entries().map_err(unreadable)? {
        reading.entry(entry.map_err(unreadable)?, sink)?;
    }
    // To the very end: only there the envelope says that nothing is missing.
    let mut compressed = archive.into_inner();
    io::copy(&mut compressed, &mut io::sink()).map_err(unreadable)?;
    let behind = io::copy(&mut compressed.into_inner(), &mut io::sink()).map_err(unreadable)?;
    if behind > 0 {
        return Err(BackupError::Shape("something stands behind its end".to_owned()));
    }
    reading.end()
}

struct Reading<'w> {
    manifest: Option<Manifest>,
    summary: Option<Summary>,
    found: BTreeMap<String, (u64, Sha256)>,
    tally: Tally,
    watch: &'w Watch<'w>,
}

impl Reading<'_> {
    fn entry(&mut self, mut entry: tar::Entry<'_, impl Read>, sink: &mut dyn Sink) -> Result<(), BackupError> {
        self.watch.go_on()?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        if self.summary.is_some() {
            return Err(BackupError::Shape(format!("{name} stands behind the summary")));
        }
        if name == MANIFEST {
            let manifest: Manifest = json(&name, &text(&name, &mut entry)?)?;
            return self.begin(manifest, sink);
        }
        if self.manifest.is_none() {
            return Err(BackupError::Shape(format!("{name} stands before the manifest")));
        }
        if name == SUMMARY {
            self.summary = Some(json(&name, &text(&name, &mut entry)?)?);
            return Ok(());
        }
        let table = name.strip_prefix("tables/").and_then(|rest| rest.split_once('/')).map(|(table, _)| table);
        if let Some(table) = table {
            return self.rows(table, &text(&name, &mut entry)?, sink);
        }
        match name.strip_prefix("media/").filter(|name| is_picture(name)) {
            Some(picture) => self.picture(picture, entry, sink),
            None => Err(BackupError::Shape(format!("it has an entry `{name}`"))),
        }
    }

    fn begin(&mut self, manifest: Manifest, sink: &mut dyn Sink) -> Result<(), BackupError> {
        if manifest.format != FORMAT {
            return Err(BackupError::Form(manifest.format));
        }
        let tables = manifest.tables.iter().map(|table| (table.name.clone(), (0, Sha256::new())));
        self.found = tables.collect();
        sink.begin(&manifest)?;
        self.manifest = Some(manifest);
        Ok(())
    }

    fn rows(&mut self, table: &str, lines: &str, sink: &mut dyn Sink) -> Result<(), BackupError> {
        let unknown = || BackupError::Shape(format!("the table {table} is not in its manifest"));
        let (rows, digest) = self.found.get_mut(table).ok_or_else(unknown)?;
        *rows += lines.lines().count() as u64;
        digest.update(lines.as_bytes());
        sink.rows(table, lines)?;
        self.watch.tell(Progress::Rows(table, *rows));
        Ok(())
    }

    fn picture(&mut self, name: &str, entry: impl Read, sink: &mut dyn Sink) -> Result<(), BackupError> {
        let mut entry = Counted::new(entry);
        sink.picture(name, &mut entry)?;
        let (bytes, sha256) = entry.count();
        self.tally.add(name, bytes, &sha256);
        self.watch.tell(Progress::Pictures(self.tally.files()));
        Ok(())
    }

    fn end(self) -> Result<(Manifest, Summary), BackupError> {
        let missing = |what: &str| BackupError::Shape(format!("it has no {what}"));
        let manifest = self.manifest.ok_or_else(|| missing(MANIFEST))?;
        let summary = self.summary.ok_or_else(|| missing(SUMMARY))?;
        let found = self.found.into_iter();
        let found: BTreeMap<String, Rows> =
            found.map(|(name, (rows, digest))| (name, Rows { rows, sha256: hex::encode(digest.finish()) })).collect();
        for (name, wanted) in &summary.tables {
            let has = found.get(name).cloned().unwrap_or_default();
            if has != *wanted {
                let say = |rows: &Rows| format!("{} rows with SHA-256 {}", rows.rows, rows.sha256);
                let (found, wanted) = (say(&has), say(wanted));
                return Err(BackupError::Mismatch { what: format!("the table {name}"), found, wanted });
            }
        }
        if let Some(name) = found.keys().find(|name| !summary.tables.contains_key(*name)) {
            return Err(BackupError::Shape(format!("its summary does not name the table {name}")));
        }
        let media = crate::backup::manifest::Media { problems: summary.media.problems, ..self.tally.media() };
        if media != summary.media {
            let say =
                |m: &crate::backup::manifest::Media| format!("{} files, {} bytes, {}", m.files, m.bytes, m.sha256);
            let (found, wanted) = (say(&media), say(&summary.media));
            return Err(BackupError::Mismatch { what: "the pictures".to_owned(), found, wanted });
        }
        Ok((manifest, summary))
    }
}

fn text(name: &str, entry: &mut impl Read) -> Result<String, BackupError> {
    let mut text = String::new();
    let odd = |what: &str| BackupError::Shape(format!("its entry `{name}` {what}"));
    let mut limited = entry.take(ENTRY_BYTES_MAX + 1);
    match limited.read_to_string(&mut text) {
        Ok(_) if text.len() as u64 > ENTRY_BYTES_MAX => Err(odd("is too large")),
        Ok(_) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(odd("is not text")),
        Err(error) => Err(unreadable(error)),
    }
}

fn json<T: serde::de::DeserializeOwned>(name: &str, text: &str) -> Result<T, BackupError> {
    serde_json::from_str(text).map_err(|e| BackupError::Shape(format!("its entry `{name}`: {e}")))
}

/// A number and an extension: nothing that leads out of the folder for media.
fn is_picture(name: &str) -> bool {
    let of = |text: &str, good: fn(char) -> bool| !text.is_empty() && text.len() <= 32 && text.chars().all(good);
    name.split_once('.')
        .is_some_and(|(id, extension)| of(id, |c| c.is_ascii_digit()) && of(extension, |c| c.is_ascii_alphanumeric()))
}
