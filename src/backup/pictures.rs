//! The picture files: which ones a backup takes along, and how a restore puts them back.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use openssl::sha::Sha256;
use serde::Deserialize;
use tempfile::TempDir;

use crate::backup::BackupError;
use crate::backup::file::sync_folder;
use crate::backup::manifest::Media;

/// The table that names the pictures.
pub const TABLE: &str = "media";

/// Largest file that is taken for a picture, in bytes: what the gateway stores at most. It is in memory while it is read.
pub const PICTURE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// What a row of that table says of its file.
#[derive(Debug, Deserialize)]
pub struct Named {
    id: String,
    extension: String,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
}

impl Named {
    /// Reads a row.
    pub fn read(line: &str) -> Result<Self, BackupError> {
        serde_json::from_str(line).map_err(|_| BackupError::Row { table: TABLE.to_owned() })
    }

    /// The name of the file in the folder for media.
    pub fn name(&self) -> String {
        format!("{}.{}", self.id, self.extension)
    }
}

/// The bytes of a picture file.
pub fn read_whole(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(PICTURE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 {
        0..=PICTURE_BYTES_MAX => Ok(bytes),
        _ => Err(io::Error::other(format!("it has more than {PICTURE_BYTES_MAX} bytes, and none that was stored has"))),
    }
}

/// Reads on, and knows afterwards how much it was.
pub struct Counted<R> {
    inner: R,
    digest: Sha256,
    bytes: u64,
}

impl<R: Read> Counted<R> {
    /// Counts from here.
    pub fn new(inner: R) -> Self {
        Self { inner, digest: Sha256::new(), bytes: 0 }
    }

    /// Bytes, and SHA-256 in hex.
    pub fn count(self) -> (u64, String) {
        (self.bytes, hex::encode(self.digest.finish()))
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.digest.update(buffer.get(..read).unwrap_or_default());
        self.bytes += read as u64;
        Ok(read)
    }
}

/// Counts pictures for the summary.
pub struct Tally {
    media: Media,
    digest: Sha256,
}

impl Tally {
    /// None yet.
    pub fn new() -> Self {
        Self { media: Media::default(), digest: Sha256::new() }
    }

    /// One more.
    pub fn add(&mut self, name: &str, bytes: u64, sha256: &str) {
        self.media.files += 1;
        self.media.bytes += bytes;
        self.digest.update(format!("{sha256} {name}\n").as_bytes());
    }

    /// One that is not there, or not as it should be.
    pub fn problem(&mut self) {
        self.media.problems += 1;
    }

    /// How many so far.
    pub fn files(&self) -> u64 {
        self.media.files
    }

    /// The sum.
    pub fn media(self) -> Media {
        Media { sha256: hex::encode(self.digest.finish()), ..self.media }
    }
}

/// Pictures that came out of a backup and wait, in a folder beside their place, until all of it was read.
pub struct Waiting {
    folder: PathBuf,
    waiting: TempDir,
    /// SHA-256 by name, of those that wait.
    found: BTreeMap<String, String>,
    /// The same as the rows say it.
    stored: BTreeMap<String, String>,
}

/// Pictures that stand in their place. Unless they are kept, they go away again.
pub struct Placed(Vec<PathBuf>);

impl Waiting {
    /// Makes the folder for media, and one in it for those that wait.
    pub fn new(folder: &Path) -> Result<Self, BackupError> {
        let failed = |source| BackupError::Picture { path: folder.to_owned(), source };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let waiting = tempfile::Builder::new().prefix(".restore-").tempdir_in(folder).map_err(failed)?;
        Ok(Self { folder: folder.to_owned(), waiting, found: BTreeMap::new(), stored: BTreeMap::new() })
    }

    /// Takes note of what rows of [`TABLE`] say.
    pub fn note(&mut self, lines: &str) -> Result<(), BackupError> {
        for line in lines.lines() {
            let named = Named::read(line)?;
            self.stored.insert(named.name(), named.sha256);
        }
        Ok(())
    }

    /// Takes one in.
    pub fn add(&mut self, name: &str, bytes: &mut dyn Read) -> Result<(), BackupError> {
        let path = self.waiting.path().join(name);
        let failed = |source| BackupError::Picture { path: path.clone(), source };
        let mut file = File::create_new(&path).map_err(failed)?;
        let mut bytes = Counted::new(bytes);
        let mut buffer = vec![0; 64 * 1024];
        loop {
            // What fails here is the backup.
            let read = bytes.read(&mut buffer).map_err(super::unreadable)?;
            if read == 0 {
                break;
            }
            file.write_all(buffer.get(..read).unwrap_or_default()).map_err(failed)?;
        }
        file.sync_all().map_err(failed)?;
        self.found.insert(name.to_owned(), bytes.count().1);
        Ok(())
    }

    /// Puts them in their place. One of the same name there is replaced only by one that is what was stored: a picture never
    /// changes under its name, so the one there is the same or damaged, and one that was damaged in the backup is no better.
    pub fn place(self) -> Result<Placed, BackupError> {
        let mut placed = Placed(Vec::new());
        for (name, found) in &self.found {
            let path = self.folder.join(name);
            let new = !path.exists();
            if !new && self.stored.get(name) != Some(found) {
                continue;
            }
            std::fs::rename(self.waiting.path().join(name), &path)
                .map_err(|source| BackupError::Picture { path: path.clone(), source })?;
            if new {
                placed.0.push(path);
            }
        }
        sync_folder(&self.folder).map_err(|source| BackupError::Picture { path: self.folder.clone(), source })?;
        Ok(placed)
    }
}

impl Placed {
    /// They stay.
    pub fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        for path in &self.0 {
            // A file that stays is one that no row names: it is never served.
            let _ = std::fs::remove_file(path);
        }
    }
}
