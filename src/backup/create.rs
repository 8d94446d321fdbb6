//! Makes a backup: one snapshot of the database, and the pictures that it names.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use openssl::sha::Sha256;

use crate::backup::envelope::Sealer;
use crate::backup::manifest::{FORMAT, MANIFEST, Manifest, Rows, SKIPPED, SUMMARY, Summary};
use crate::backup::pictures::{self, Named, Tally};
use crate::backup::read::ENTRY_BYTES_MAX;
use crate::backup::{BackupError, Progress, Watch, belongings, sealed};
use crate::config::Secret;
use crate::ids::ActorId;
use crate::store::catalogue::Table;
use crate::store::snapshot::{Engine, Snapshot};
use crate::time::Timestamp;
use crate::urls::ActorUrl;
use crate::vault::MasterKey;

/// Bytes of rows that go into one entry; a row is never split.
const ENTRY_BYTES: usize = 1024 * 1024;

/// What is backed up.
pub struct Installation<'a> {
    /// The URL of the database.
    pub database: &'a str,
    /// The folder for media.
    pub media: &'a Path,
    /// The root of every id.
    pub public_url: &'a str,
    /// What the private keys are sealed under.
    pub master: &'a MasterKey,
    /// The instant that it is.
    pub now: Timestamp,
    /// The one actor that is wanted, with its id on the wire; everything where there is none.
    pub only: Option<(ActorId, ActorUrl)>,
}

impl Installation<'_> {
    /// The condition of the rows that are wanted of a table.
    fn condition(&self, table: &Table) -> Option<String> {
        self.only.as_ref().and_then(|(actor, _)| belongings::condition(&table.name, *actor))
    }
}

type Archive<W> = tar::Builder<GzEncoder<Sealer<W>>>;

/// Writes a backup. What was written is one only when this gives no error: otherwise its end is missing and it does not open.
pub fn write<W: Write>(
    out: W,
    passphrase: &Secret,
    installation: &Installation<'_>,
    watch: &Watch<'_>,
) -> Result<(Manifest, Summary), BackupError> {
    if passphrase.expose().chars().count() < super::PASSPHRASE_MIN {
        return Err(BackupError::ShortPassphrase);
    }
    let mut snapshot = Snapshot::open(installation.database)?;
    let manifest = manifest(&snapshot, installation);
    let sealer = Sealer::new(out, passphrase.expose()).map_err(BackupError::Write)?;
    // The fastest level: rows are repetitive, and pictures are compressed already.
    let mut writer = Writer {
        archive: tar::Builder::new(GzEncoder::new(sealer, Compression::fast())),
        now: installation.now,
        watch,
    };
    writer.entry(MANIFEST, &json(&manifest)?)?;
    let mut summary = Summary::default();
    for table in &manifest.tables {
        let in_table = |source| BackupError::Table { table: table.name.clone(), source: Box::new(source) };
        let rows = writer.table(&mut snapshot, table, installation).map_err(in_table)?;
        summary.tables.insert(table.name.clone(), rows);
    }
    if let Some(table) = manifest.tables.iter().find(|table| table.name == pictures::TABLE) {
        let mut tally = Tally::new();
        let wanted = installation.condition(table);
        snapshot.rows_where(table, wanted.as_deref(), |line| writer.picture(installation.media, line, &mut tally))?;
        summary.media = tally.media();
    }
    writer.entry(SUMMARY, &json(&summary)?)?;
    let compressed = writer.archive.into_inner().map_err(BackupError::Write)?;
    let sealer = compressed.finish().map_err(BackupError::Write)?;
    sealer.finish().map_err(BackupError::Write)?;
    Ok((manifest, summary))
}

fn manifest(snapshot: &Snapshot, installation: &Installation<'_>) -> Manifest {
    let kept = |table: &&Table| !SKIPPED.iter().any(|(name, _)| *name == table.name);
    Manifest {
        format: FORMAT,
        heraut: env!("CARGO_PKG_VERSION").to_owned(),
        made_at: installation.now.to_rfc3339(),
        public_url: installation.public_url.to_owned(),
        database: match snapshot.engine() {
            Engine::Sqlite => "sqlite".to_owned(),
            Engine::Postgres => "postgres".to_owned(),
        },
        actor: installation.only.as_ref().map(|(_, url)| url.to_string()),
        schema: snapshot.versions.clone(),
        tables: match installation.only {
            Some(_) => belongings::tables(&snapshot.tables),
            None => snapshot.tables.iter().filter(kept).cloned().collect(),
        },
    }
}

fn json<T: serde::Serialize>(value: &T) -> Result<Vec<u8>, BackupError> {
    serde_json::to_vec_pretty(value).map_err(|e| BackupError::Write(e.into()))
}

struct Writer<'w, W: Write> {
    archive: Archive<W>,
    now: Timestamp,
    watch: &'w Watch<'w>,
}

impl<W: Write> Writer<'_, W> {
    fn entry(&mut self, name: &str, bytes: &[u8]) -> Result<(), BackupError> {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(self.now.0 / 1_000).unwrap_or_default());
        self.archive.append_data(&mut header, name, bytes).map_err(BackupError::Write)
    }

    fn table(
        &mut self,
        snapshot: &mut Snapshot,
        table: &Table,
        installation: &Installation<'_>,
    ) -> Result<Rows, BackupError> {
        let (master, wanted) = (installation.master, installation.condition(table));
        let secrets = sealed::has_secrets(&table.name);
        let mut part = Part { name: &table.name, number: 0, lines: Vec::new(), rows: 0, digest: Sha256::new() };
        self.watch.tell(Progress::Rows(&table.name, 0));
        snapshot.rows_where(table, wanted.as_deref(), |line| {
            if line.len() as u64 >= ENTRY_BYTES_MAX {
                return Err(BackupError::LargeRow { table: table.name.clone() });
            }
            if part.lines.len() + line.len() >= ENTRY_BYTES {
                self.part(&mut part)?;
            }
            let opened = if secrets { Some(sealed::open(master, &table.name, line)?) } else { None };
            part.lines.extend_from_slice(opened.as_deref().unwrap_or(line).as_bytes());
            part.lines.push(b'\n');
            part.rows += 1;
            Ok::<(), BackupError>(())
        })?;
        self.part(&mut part)?;
        Ok(Rows { rows: part.rows, sha256: hex::encode(part.digest.finish()) })
    }

    fn part(&mut self, part: &mut Part<'_>) -> Result<(), BackupError> {
        self.watch.go_on()?;
        if part.lines.is_empty() {
            return Ok(());
        }
        part.number += 1;
        part.digest.update(&part.lines);
        self.entry(&format!("tables/{}/{:06}.jsonl", part.name, part.number), &part.lines)?;
        part.lines.clear();
        self.watch.tell(Progress::Rows(part.name, part.rows));
        Ok(())
    }

    /// A picture that cannot be had does not stop a backup: the news is worth more, and it is told. It is read before its entry
    /// is begun, because an entry cannot be taken back.
    fn picture(&mut self, folder: &Path, line: &str, tally: &mut Tally) -> Result<(), BackupError> {
        self.watch.go_on()?;
        let named = Named::read(line)?;
        let (name, path) = (named.name(), folder.join(named.name()));
        let bytes = match pictures::read_whole(&path) {
            Ok(bytes) => bytes,
            Err(error) => {
                tally.problem();
                let text = format!("the picture {} is left out: {error}", path.display());
                self.watch.tell(Progress::Problem(&text));
                return Ok(());
            }
        };
        let sha256 = hex::encode(openssl::sha::sha256(&bytes));
        self.entry(&format!("media/{name}"), &bytes)?;
        if sha256 != named.sha256 {
            tally.problem();
            let text = format!("the picture {} is not what was stored; it is kept as it is", path.display());
            self.watch.tell(Progress::Problem(&text));
        }
        tally.add(&name, bytes.len() as u64, &sha256);
        self.watch.tell(Progress::Pictures(tally.files()));
        Ok(())
    }
}

/// Rows that wait to become an entry, and what came before them.
struct Part<'t> {
    name: &'t str,
    number: u32,
    lines: Vec<u8>,
    rows: u64,
    digest: Sha256,
}

/// The rows of a backup by table, for those who print it.
pub fn counts(summary: &Summary) -> BTreeMap<&str, u64> {
    summary.tables.iter().map(|(name, rows)| (name.as_str(), rows.rows)).collect()
}
