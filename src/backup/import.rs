//! Takes in an actor that another installation handed over: its rows beside those that are there, in one transaction. Ids stay,
//! because other servers know them; inboxes are found by their URL, and the agency by its name.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::path::Path;

use serde_json::{Map, Value};

use crate::backup::belongings::GOES;
use crate::backup::manifest::{Manifest, Summary};
use crate::backup::pictures::{self, Waiting};
use crate::backup::read::{Sink, read};
use crate::backup::{BackupError, Watch, sealed};
use crate::config::Secret;
use crate::ids::ActorId;
use crate::store::arriving::{self, Arriving, ArrivingError, Newcomer};
use crate::store::audit::Entry;
use crate::store::catalogue::{Column, Table};
use crate::store::continuity::HANDED_OVER;
use crate::store::snapshot::Engine;
use crate::time::Timestamp;
use crate::urls::{ActorUrl, Base};
use crate::vault::MasterKey;

/// Where an actor is taken in.
pub struct Target<'a> {
    /// The URL of the database.
    pub database: &'a str,
    /// The folder for media.
    pub media: &'a Path,
    /// The root of the installation's own ids.
    pub home: &'a Base,
    /// What the private keys will be sealed under.
    pub master: &'a MasterKey,
    /// Makes an id.
    pub mint: &'a dyn Fn() -> i64,
    /// The instant that it is.
    pub now: Timestamp,
}

/// Takes in all of it, or nothing. `entry` makes the entry for the audit log.
pub fn import(
    from: impl Read,
    passphrase: &Secret,
    target: &Target<'_>,
    entry: impl FnOnce(&Manifest) -> Entry,
    watch: &Watch<'_>,
) -> Result<(Manifest, Summary), BackupError> {
    let mut taking = Taking { target, open: None };
    let (manifest, summary) = read(from, passphrase, &mut taking, watch)?;
    let Some(mut open) = taking.open else { return Err(BackupError::Shape("it has no manifest".to_owned())) };
    watch.go_on()?;
    let actor = open.actor.ok_or_else(|| BackupError::Shape("it has no row of its actor".to_owned()))?;
    open.arriving.complete(actor, &open.places, target.now)?;
    let placed = open.waiting.place()?;
    open.arriving.finish(&entry(&manifest))?;
    placed.keep();
    Ok((manifest, summary))
}

struct Taking<'t> {
    target: &'t Target<'t>,
    open: Option<Open>,
}

/// The target, once the manifest was found right.
struct Open {
    arriving: Arriving,
    theirs: Vec<Table>,
    ours: Vec<Table>,
    waiting: Waiting,
    url: ActorUrl,
    agency: Option<i64>,
    actor: Option<ActorId>,
    /// What came so far, by table: rows may refer to nothing else.
    came: HashMap<&'static str, HashSet<i64>>,
    /// Ours, of their inboxes.
    inboxes: HashMap<i64, i64>,
    /// The turns of what is still owed.
    places: Vec<i64>,
}

type Row = Map<String, Value>;

/// Columns that refer to rows, and of which table.
const OWNERS: &[(&str, &str)] = &[
    ("post_id", "posts"),
    ("source_id", "sources"),
    ("activity_id", "activities"),
    ("media_id", "media"),
    ("item_id", "items"),
];
/// Those that may be empty, and are when what they refer to did not come along.
const LOOSE: &[(&str, &str)] =
    &[("posts", "source_id"), ("items", "post_id"), ("messages", "post_id"), ("uploads", "item_id")];

impl Sink for Taking<'_> {
    fn begin(&mut self, manifest: &Manifest) -> Result<(), BackupError> {
        let url = manifest.actor.as_deref().ok_or(BackupError::WholeBackup)?;
        let url = ActorUrl::parse(url).map_err(|error| BackupError::Shape(error.to_string()))?;
        if let Some(table) = manifest.tables.iter().find(|table| !GOES.iter().any(|(name, _)| *name == table.name)) {
            return Err(BackupError::Shape(format!("no actor takes along rows of the table {}", table.name)));
        }
        let mut arriving = Arriving::begin(self.target.database)?;
        let ours = arriving.prepare(&manifest.schema)?;
        self.open = Some(Open {
            arriving,
            ours,
            theirs: manifest.tables.clone(),
            waiting: Waiting::new(self.target.media)?,
            url,
            agency: None,
            actor: None,
            came: HashMap::new(),
            inboxes: HashMap::new(),
            places: Vec::new(),
        });
        Ok(())
    }

    fn rows(&mut self, table: &str, lines: &str) -> Result<(), BackupError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let Some((table, _)) = GOES.iter().find(|(name, _)| *name == table) else { return Ok(()) };
        if *table == pictures::TABLE {
            open.waiting.note(lines)?;
        }
        let mut rows = Vec::new();
        for line in lines.lines() {
            let line = match sealed::has_secrets(table) {
                true => sealed::seal(self.target.master, table, line)?,
                false => line.to_owned(),
            };
            let odd = |_| BackupError::Row { table: (*table).to_owned() };
            let line = if open.arriving.engine() == Engine::Postgres {
                sealed::without_zeros(table, &line)?.unwrap_or(line)
            } else {
                line
            };
            let row: Row = serde_json::from_str(&line).map_err(odd)?;
            rows.extend(open.adapted(self.target, table, row)?);
        }
        open.insert(table, &rows)
    }

    fn picture(&mut self, name: &str, bytes: &mut dyn Read) -> Result<(), BackupError> {
        match &mut self.open {
            Some(open) => open.waiting.add(name, bytes),
            None => Ok(()),
        }
    }
}

impl Open {
    fn insert(&mut self, table: &'static str, rows: &[Row]) -> Result<(), BackupError> {
        if rows.is_empty() {
            return Ok(());
        }
        let columns = self.columns(table);
        let columns: Vec<&Column> = columns.iter().collect();
        let text = serde_json::to_string(rows).map_err(|_| BackupError::Row { table: table.to_owned() })?;
        self.arriving.insert(table, &columns, &text)?;
        let ids = rows.iter().filter_map(|row| number(row, "id"));
        self.came.entry(table).or_default().extend(ids);
        Ok(())
    }

    /// The columns of a table that both have, as the target stores them.
    fn columns(&self, table: &str) -> Vec<Column> {
        let of = |tables: &[Table]| tables.iter().find(|t| t.name == table).map(|t| t.columns.clone());
        let (theirs, ours) = (of(&self.theirs).unwrap_or_default(), of(&self.ours).unwrap_or_default());
        ours.into_iter().filter(|column| theirs.iter().any(|t| t.name == column.name)).collect()
    }

    /// A row as it will stand here; `None` where what is here stands for it.
    fn adapted(&mut self, target: &Target<'_>, table: &'static str, mut row: Row) -> Result<Option<Row>, BackupError> {
        // What belongs to another actor stays there: a reply to its post, a post of a source that feeds it now.
        for (_, column) in LOOSE.iter().filter(|(of, _)| *of == table) {
            if !self.is_known(&row, column) {
                row.insert((*column).to_owned(), Value::Null);
            }
        }
        self.check(table, &row)?;
        let now = target.now.0.to_string();
        match table {
            "agencies" => {
                let newcomer = Newcomer {
                    agency: text(&row, "name").unwrap_or_default(),
                    domain: text(&row, "domain").unwrap_or_default(),
                    url: self.url.clone(),
                };
                self.agency = Some(self.arriving.agency(&newcomer, target.home, (target.mint)(), target.now)?);
                return Ok(None);
            }
            "inboxes" => {
                let (Some(theirs), Some(url)) = (number(&row, "id"), text(&row, "url")) else {
                    return Err(odd(table));
                };
                let ours = self.arriving.inbox(&url, (target.mint)(), target.now)?;
                self.inboxes.insert(theirs, ours);
                return Ok(None);
            }
            "actors" => {
                let agency = self.agency.ok_or_else(|| odd(table))?;
                let handle = text(&row, "handle").unwrap_or_default();
                let domain = text(&row, "handle_domain").unwrap_or_default();
                let name = handle.split('@').next().unwrap_or_default();
                let stored = self.arriving.handle(name, &domain, &self.url)?;
                put(&mut row, "handle", &stored);
                put(&mut row, "agency_id", &agency.to_string());
                put(&mut row, "provisioned", "false");
                put(&mut row, "updated_at", &now);
                self.actor = number(&row, "id").map(ActorId);
            }
            "actor_continuity" => {
                let moved = row.get("moved_to").is_some_and(Value::is_string);
                put(&mut row, "state", arriving::state_here(moved));
                put(&mut row, "since", &now);
            }
            "sources" => {
                self.arriving.source(&text(&row, "name").unwrap_or_default())?;
                if text(&row, "stopped").as_deref() == Some(HANDED_OVER) {
                    row.insert("stopped".to_owned(), Value::Null);
                }
                put(&mut row, "provisioned", "false");
                put(&mut row, "lease_until", "0");
                put(&mut row, "due_at", &now);
            }
            "deliveries" => self.hold(&mut row),
            _ => {}
        }
        if let Some(theirs) = number(&row, "inbox_id") {
            let ours = self.inboxes.get(&theirs).ok_or_else(|| odd(table))?.to_string();
            put(&mut row, "inbox_id", &ours);
        }
        Ok(Some(row))
    }

    /// What is owed waits until the proof was seen here.
    fn hold(&mut self, row: &mut Row) {
        if matches!(text(row, "state").as_deref(), Some("0" | "4")) {
            put(row, "state", "4");
            self.places.extend(number(row, "turn"));
        }
    }

    /// Whether what a column refers to came along, or there is nothing there.
    fn is_known(&self, row: &Row, column: &str) -> bool {
        let owner = OWNERS.iter().find(|(of, _)| *of == column).map(|(_, owner)| *owner).unwrap_or_default();
        let came = |id: i64| self.came.get(owner).is_some_and(|came| came.contains(&id));
        number(row, column).is_none_or(came)
    }

    /// Refuses a row that is not of this actor: who made the file has no say about others.
    fn check(&self, table: &'static str, row: &Row) -> Result<(), BackupError> {
        let foreign = || BackupError::Shape(format!("a row of the table {table} is not of {}", self.url));
        if table == "actors" {
            let whole = self.actor.is_none() && text(row, "url").as_deref() == Some(self.url.as_str());
            return if whole { Ok(()) } else { Err(foreign()) };
        }
        if table != "inboxes" && table != "agencies" {
            let actor = number(row, "actor_id");
            if actor.is_some() && actor != self.actor.map(|id| id.0) {
                return Err(foreign());
            }
        }
        match OWNERS.iter().all(|(column, _)| self.is_known(row, column)) {
            true => Ok(()),
            false => Err(foreign()),
        }
    }
}

fn odd(table: &str) -> BackupError {
    BackupError::Row { table: table.to_owned() }
}

fn text(row: &Row, column: &str) -> Option<String> {
    row.get(column).and_then(Value::as_str).map(str::to_owned)
}

fn number(row: &Row, column: &str) -> Option<i64> {
    row.get(column).and_then(Value::as_str).and_then(|text| text.parse().ok())
}

fn put(row: &mut Row, column: &str, value: &str) {
    row.insert(column.to_owned(), Value::String(value.to_owned()));
}

impl From<ArrivingError> for BackupError {
    fn from(error: ArrivingError) -> Self {
        Self::Arriving(Box::new(error))
    }
}
