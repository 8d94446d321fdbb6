//! Reads the files of a folder for a source of kind `import`: regular files only, none that is hidden or a link, and none that
//! may still be being written.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use heraut_connectors::contract::{Connector, Page};
use heraut_connectors::import;

use super::{PollError, read_response};
use crate::flow::now;
use crate::flow::verify::with_causes;
use crate::post::policy::embargo;

/// How long a file must have been left alone: before that it may be half written.
pub const LEFT_ALONE: Duration = Duration::from_secs(5);
/// Most names that are looked at, so that a wrong folder (`/`) does not keep a process busy.
const NAMES_MAX: usize = 20_000;
/// Deepest folder in the folder that is looked into.
const DEPTH_MAX: usize = 8;
/// Most bytes of all files of one poll.
const BYTES_MAX: u64 = 64 * 1_024 * 1_024;
/// Most items of all files of one poll.
pub(super) const ITEMS_MAX: usize = 2_000;

/// What a folder says.
#[derive(Debug, Default)]
pub struct Contents {
    /// The items of its files.
    pub page: Page,
    /// What is wrong with single files, each by its name.
    pub problems: Vec<String>,
    /// A file was changed a moment ago and left for the next time.
    pub unsettled: bool,
}

struct Found {
    name: String,
    path: PathBuf,
    bytes: u64,
    changed: SystemTime,
}

#[derive(Default)]
struct Listing {
    files: Vec<Found>,
    problems: Vec<String>,
    unsettled: bool,
    names: usize,
}

/// Reads a folder. A file that cannot be read is a problem of that file alone.
pub async fn read(connector: Arc<dyn Connector>, folder: &str) -> Result<Contents, PollError> {
    let root = PathBuf::from(folder);
    let listed = tokio::task::spawn_blocking(move || list(&root)).await;
    let listed = match listed {
        Ok(Ok(listed)) => listed,
        Ok(Err(error)) => {
            let hint = "is it there, and may Heraut's user read it?";
            return Err(PollError::Fetch(format!("the folder {folder} cannot be read: {error}; {hint}")));
        }
        Err(error) => return Err(PollError::Panicked { url: folder.to_owned(), problem: error.to_string() }),
    };
    let mut contents = Contents { problems: listed.problems, unsettled: listed.unsettled, ..Contents::default() };
    let mut left = BYTES_MAX;
    for file in listed.files {
        let name = file.name.clone();
        if file.bytes > left || contents.page.items.len() > ITEMS_MAX {
            contents
                .problems
                .push(format!("{name}: the files are too many or too large for one time; move the old ones away"));
            continue;
        }
        left -= file.bytes;
        match read_file(connector.clone(), file).await {
            Ok(page) => {
                // The name of a file may say what is under embargo, and warnings are logged.
                if page.items.iter().all(|item| embargo(item, now()).is_none()) {
                    contents.page.warnings.extend(page.warnings.iter().map(|warning| format!("{name}: {warning}")));
                }
                contents.page.items.extend(page.items);
            }
            Err(problem) => contents.problems.push(format!("{name}: {problem}")),
        }
    }
    Ok(contents)
}

async fn read_file(connector: Arc<dyn Connector>, file: Found) -> Result<Page, String> {
    let name = file.name.clone();
    let bytes = tokio::task::spawn_blocking(move || bytes_of(&file)).await.map_err(|error| error.to_string())??;
    let response = import::file(&name, bytes, now().0).map_err(|error| error.to_string())?;
    read_response(connector, response).await.map_err(|error| match error {
        PollError::Read { source, .. } => source.to_string(),
        other => with_causes(&other),
    })
}

/// The bytes of a file, if it is still the one that was listed.
fn bytes_of(file: &Found) -> Result<Vec<u8>, String> {
    let most = u64::try_from(import::FILE_BYTES_MAX).unwrap_or(u64::MAX);
    if file.bytes > most {
        return Err(format!("it has {} bytes, more than the {most} that are read", file.bytes));
    }
    let open = || -> std::io::Result<(fs::Metadata, File)> {
        let listed = fs::symlink_metadata(&file.path)?;
        let open = File::open(&file.path)?;
        Ok((listed, open))
    };
    let (listed, mut opened) = open().map_err(|error| format!("it cannot be read: {error}"))?;
    let is_same = opened.metadata().is_ok_and(|open| listed.is_file() && is_same_file(&listed, &open));
    if !is_same {
        return Err("it was replaced while it was read; it is read the next time".to_owned());
    }
    let mut bytes = Vec::new();
    let read = opened.by_ref().take(most + 1).read_to_end(&mut bytes);
    read.map_err(|error| format!("it cannot be read: {error}"))?;
    Ok(bytes)
}

fn is_same_file(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    a.dev() == b.dev() && a.ino() == b.ino()
}

/// The files of a folder, the newest first, at most [`import::FILES_PER_LIST_MAX`].
fn list(root: &Path) -> std::io::Result<Listing> {
    let mut listing = Listing::default();
    look(&fs::canonicalize(root)?, "", 0, &mut listing)?;
    listing.files.sort_by(|a, b| b.changed.cmp(&a.changed).then_with(|| a.name.cmp(&b.name)));
    let (found, most) = (listing.files.len(), import::FILES_PER_LIST_MAX);
    if found > most {
        listing.problems.push(format!("the folder has {found} files; the {most} that changed last are read"));
        listing.files.truncate(most);
    }
    Ok(listing)
}

fn look(folder: &Path, prefix: &str, depth: usize, listing: &mut Listing) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        listing.names += 1;
        if listing.names > NAMES_MAX {
            listing
                .problems
                .push(format!("the folder has more than {NAMES_MAX} names, and the rest was not looked at"));
            return Ok(());
        }
        let Some(name) = entry.file_name().to_str().map(|name| format!("{prefix}{name}")) else {
            listing.problems.push(format!("{}: its name is not UTF-8", entry.path().display()));
            continue;
        };
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        // This does not follow links.
        let Ok(facts) = entry.metadata() else { continue };
        if facts.is_symlink() {
            listing.problems.push(format!("{name}: it is a link, and links are not followed"));
        } else if facts.is_dir() && depth < DEPTH_MAX {
            if let Err(error) = look(&entry.path(), &format!("{name}/"), depth + 1, listing) {
                listing.problems.push(format!("{name}: it cannot be read: {error}"));
            }
        } else if facts.is_file() {
            let changed = facts.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            if SystemTime::now().duration_since(changed).unwrap_or_default() < LEFT_ALONE {
                listing.unsettled = true;
            } else {
                listing.files.push(Found { name, path: entry.path(), bytes: facts.len(), changed });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn old(path: &Path, text: &str) {
        fs::write(path, text).unwrap();
        let file = File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
    }

    fn names(listing: &Listing) -> Vec<&str> {
        let mut names: Vec<&str> = listing.files.iter().map(|file| file.name.as_str()).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn only_settled_regular_files_are_taken_and_no_link_is_followed() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("sub")).unwrap();
        fs::create_dir(at(".git")).unwrap();
        for name in ["a.md", "sub/b.md", ".hidden.md", ".git/c.md"] {
            old(&at(name), "text");
        }
        old(&elsewhere.path().join("secret.md"), "text");
        std::os::unix::fs::symlink(elsewhere.path().join("secret.md"), at("link.md")).unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), at("out")).unwrap();
        fs::write(at("fresh.md"), "half").unwrap();
        let listing = list(folder.path()).unwrap();
        assert_eq!(names(&listing), ["a.md", "sub/b.md"]);
        assert!(listing.unsettled);
        assert_eq!(listing.problems.iter().filter(|problem| problem.contains("a link")).count(), 2);
    }

    #[test]
    fn of_too_many_files_the_newest_are_read_and_it_is_told() {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..=import::FILES_PER_LIST_MAX {
            old(&folder.path().join(format!("{n}.md")), "text");
        }
        let listing = list(folder.path()).unwrap();
        assert_eq!(listing.files.len(), import::FILES_PER_LIST_MAX);
        assert!(listing.problems[0].contains("201 files"), "{:?}", listing.problems);
    }

    #[test]
    fn a_file_that_is_too_large_is_refused_unread() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.md");
        old(&path, "text");
        let bytes = u64::try_from(import::FILE_BYTES_MAX).unwrap();
        let file = |bytes| Found { name: "a.md".into(), path: path.clone(), bytes, changed: SystemTime::now() };
        assert!(bytes_of(&file(bytes)).is_ok());
        assert!(bytes_of(&file(bytes + 1)).unwrap_err().contains("more than"));
    }
}
