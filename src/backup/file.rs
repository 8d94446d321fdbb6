//! The file of a backup: there whole or not at all, and for its owner only.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::backup::BackupError;

/// A backup that is being written, under a name that no one takes for a backup. Dropped before [`NewFile::keep`], it is gone.
pub struct NewFile {
    partial: NamedTempFile,
    path: PathBuf,
    replace: bool,
}

impl NewFile {
    /// Begins one beside `path`, readable by its owner only. `replace`: whether another may stand there in the end.
    pub fn create(path: &Path, replace: bool) -> Result<Self, BackupError> {
        if !replace && path.exists() {
            return Err(BackupError::Exists(path.to_owned()));
        }
        let folder = folder(path);
        let partial = tempfile::Builder::new().prefix(".heraut-").suffix(".partial").tempfile_in(folder);
        Ok(Self { partial: partial.map_err(BackupError::Write)?, path: path.to_owned(), replace })
    }

    /// Where to write.
    pub fn file(&mut self) -> &mut File {
        self.partial.as_file_mut()
    }

    /// Makes sure that it is on the disk, and gives it its name.
    pub fn keep(self) -> Result<(), BackupError> {
        self.partial.as_file().sync_all().map_err(BackupError::Write)?;
        let kept =
            if self.replace { self.partial.persist(&self.path) } else { self.partial.persist_noclobber(&self.path) };
        kept.map_err(|e| match e.error.kind() {
            io::ErrorKind::AlreadyExists => BackupError::Exists(self.path.clone()),
            _ => BackupError::Write(e.error),
        })?;
        sync_folder(folder(&self.path)).map_err(BackupError::Write)
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// After this the names in a folder survive a power cut.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
