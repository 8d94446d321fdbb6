//! Rows of one actor of another installation, on their way into a database that has others: one transaction, all of it or
//! nothing.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, SmallInt};
use thiserror::Error;

use crate::actor::Handle;
use crate::actor::continuity::ActorState;
use crate::ids::{ActorId, AgencyId, InboxId};
use crate::on;
use crate::post::lane::Lane;
use crate::store::actors::{self, AgencyRow};
use crate::store::audit::Entry;
use crate::store::catalogue::{Column, Table};
use crate::store::loading::{LoadError, Loading};
use crate::store::schema::{actors as actors_table, sources};
use crate::store::snapshot::Engine;
use crate::store::statement::statement;
use crate::store::{Db, Queried, StoreError, continuity, inboxes, proofs, turns};
use crate::time::Timestamp;
use crate::urls::{ActorUrl, Base, InboxUrl};

/// Why an actor is not taken in.
#[derive(Debug, Error)]
pub enum ArrivingError {
    /// It is there.
    #[error("{0} is here already; nothing was changed")]
    Known(String),
    /// This installation does not answer for its host.
    #[error(
        "the id {url} is on {root}, and agency `{agency}` has {has} here: ids never change, so the actor can speak only from there; \
         write host = \"{root}\" for the agency, or, where the host stays behind, make a new actor here and lead the followers to \
         it by `heraut actor move` on the old installation"
    )]
    Host {
        /// Its id.
        url: String,
        /// The root that it is on.
        root: String,
        /// The name of its agency.
        agency: String,
        /// What the agency has.
        has: String,
    },
    /// Another agency has its host.
    #[error("agency `{other}` has {root} here, and the actor is of agency `{agency}`: each host is of one agency")]
    HostTaken {
        /// Who has it.
        other: String,
        /// The root.
        root: String,
        /// Whose the actor is.
        agency: String,
    },
    /// Its handle is another actor's.
    #[error("@{handle} is, or was, that of {of} here; rename the actor on the old installation, and export it anew")]
    Handle {
        /// The local part.
        handle: String,
        /// Whose.
        of: String,
    },
    /// A source of that name is there.
    #[error(
        "a source `{0}` is here already; rename that one, or the one on the old installation, and export the actor anew"
    )]
    Source(String),
    /// A text that is no handle or no URL.
    #[error("`{0}` stands in the file where it cannot: {1}")]
    Text(String, String),
    /// The rows cannot be inserted.
    #[error("the rows of the table {table} cannot be taken in; nothing was changed")]
    Fill {
        /// The table.
        table: String,
        /// What happened.
        #[source]
        source: LoadError,
    },
    /// The database cannot be filled.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who comes.
#[derive(Debug, Clone)]
pub struct Newcomer {
    /// The name of its agency.
    pub agency: String,
    /// The domain of its agency.
    pub domain: String,
    /// Its id on the wire.
    pub url: ActorUrl,
}

/// The state in which an actor begins here: one that has moved its followers elsewhere publishes nothing.
pub fn state_here(moved: bool) -> &'static str {
    if moved { ActorState::ReadOnly.name() } else { ActorState::Active.name() }
}

/// A database that an actor is taken into. Dropped without [`Arriving::finish`], it is as it was before.
pub struct Arriving(Loading);

fn failed(source: diesel::result::Error) -> ArrivingError {
    StoreError::Query { what: "take an actor in", source }.into()
}

impl Arriving {
    /// Opens the database, and begins. Others wait with their writing on SQLite.
    pub fn begin(url: &str) -> Result<Self, ArrivingError> {
        Ok(Self(Loading::begin(url)?))
    }

    /// Which database it is.
    pub fn engine(&self) -> Engine {
        self.0.engine()
    }

    /// Makes sure that these migrations are known here, and gives the tables.
    pub fn prepare(&mut self, versions: &[String]) -> Result<Vec<Table>, ArrivingError> {
        Ok(self.0.beside(versions)?)
    }

    /// Inserts rows, as [`Loading::insert`] does.
    pub fn insert(&mut self, table: &str, columns: &[&Column], rows: &str) -> Result<(), ArrivingError> {
        let filled = self.0.insert(table, columns, rows);
        filled.map(|_| ()).map_err(|source| ArrivingError::Fill { table: table.to_owned(), source })
    }

    /// The agency of that name, made where there is none, if the newcomer's host is its own here.
    pub fn agency(
        &mut self,
        newcomer: &Newcomer,
        home: &Base,
        new_id: i64,
        now: Timestamp,
    ) -> Result<i64, ArrivingError> {
        let db = &mut self.0.db();
        let (url, base) = (newcomer.url.to_string(), newcomer.url.base());
        let is_here = actors_table::table.filter(actors_table::url.eq(&url)).count();
        let there: i64 = on!(db, c => is_here.get_result(c)).map_err(failed)?;
        if there > 0 {
            return Err(ArrivingError::Known(url));
        }
        let all = actors::list_agencies(db).map_err(failed)?;
        let root = base.root();
        if let Some(other) = all.iter().find(|a| a.name != newcomer.agency && a.host.as_ref() == Some(&root)) {
            return Err(ArrivingError::HostTaken { other: other.name.clone(), root, agency: newcomer.agency.clone() });
        }
        let known = all.iter().find(|agency| agency.name == newcomer.agency);
        let has = known.and_then(|agency| agency.host.clone()).unwrap_or_else(|| home.root());
        match known {
            Some(agency) if has == root || home.root() == root => Ok(agency.id.0),
            Some(_) => Err(ArrivingError::Host { url, root, agency: newcomer.agency.clone(), has }),
            None => {
                let row = AgencyRow {
                    id: AgencyId(new_id),
                    name: newcomer.agency.clone(),
                    domain: newcomer.domain.clone(),
                    provisioned: false,
                    created_at: now,
                    host: (root != home.root()).then_some(root),
                };
                actors::upsert_agency(db, &row).map(|id| id.0).map_err(failed)
            }
        }
    }

    /// The id of an inbox here, made where it is new.
    pub fn inbox(&mut self, url: &str, new_id: i64, now: Timestamp) -> Result<i64, ArrivingError> {
        let parsed = InboxUrl::parse(url).map_err(|e| ArrivingError::Text(url.to_owned(), e.to_string()))?;
        inboxes::ensure(&mut self.0.db(), &parsed, InboxId(new_id), now).map(|id| id.0).map_err(failed)
    }

    /// The local part as it is stored here: see `actors::insert`.
    pub fn handle(&mut self, name: &str, domain: &str, url: &ActorUrl) -> Result<String, ArrivingError> {
        let handle = Handle::parse(name).map_err(|e| ArrivingError::Text(name.to_owned(), e.to_string()))?;
        let db = &mut self.0.db();
        let taken = handle_taken(db, handle.as_str(), domain, url).map_err(failed)?;
        if let Some(of) = taken {
            return Err(ArrivingError::Handle { handle: handle.to_string(), of });
        }
        let same = actors_table::table.filter(actors_table::handle.eq(handle.as_str())).count();
        let same: i64 = on!(db, c => same.get_result(c)).map_err(failed)?;
        Ok(if same == 0 { handle.to_string() } else { format!("{handle}@{}", url.authority()) })
    }

    /// Refuses a source whose name another one has.
    pub fn source(&mut self, name: &str) -> Result<(), ArrivingError> {
        let db = &mut self.0.db();
        let same = sources::table.filter(sources::name.eq(name)).count();
        let same: i64 = on!(db, c => same.get_result(c)).map_err(failed)?;
        if same == 0 { Ok(()) } else { Err(ArrivingError::Source(name.to_owned())) }
    }

    /// Has the proof looked for, and what is owed join the line, in the order that it had: these turns behind all others of its
    /// agency.
    pub fn complete(&mut self, actor: ActorId, owed: &[i64], now: Timestamp) -> Result<(), ArrivingError> {
        let db = &mut self.0.db();
        proofs::ensure(db, actor, now).map_err(failed)?;
        for lane in Lane::ALL {
            let places = || owed.iter().map(|turn| Lane::of_turn(*turn)).filter(|(of, _)| *of == lane).map(|(_, p)| p);
            let (Some(first), Some(last)) = (places().min(), places().max()) else { continue };
            join(db, actor, lane, (first, last)).map_err(failed)?;
        }
        Ok(())
    }

    /// Adds the entry to the audit log, and commits.
    pub fn finish(self, entry: &Entry) -> Result<(), ArrivingError> {
        Ok(self.0.finish_beside(entry)?)
    }
}

fn join(db: &mut Db<'_>, actor: ActorId, lane: Lane, (first, last): (i64, i64)) -> Queried<()> {
    const SHIFT: &str = "UPDATE deliveries SET turn = turn + $1 WHERE state = $2 AND turn >= $3 AND turn <= $4 \
        AND activity_id IN (SELECT id FROM activities WHERE actor_id = $5)";
    let joined = turns::join(db, actor, lane)?;
    on!(db, c => statement(SHIFT)
        .bind::<BigInt, _>(joined.turn(1) - lane.turn(first))
        .bind::<SmallInt, _>(super::deliveries::DeliveryState::Held.code())
        .bind::<BigInt, _>(lane.turn(first))
        .bind::<BigInt, _>(lane.turn(last))
        .bind::<BigInt, _>(actor)
        .execute(c))?;
    turns::take(db, joined, last - first + 1)
}

/// Who has that handle, or had it, at its domain or on the host of its id.
fn handle_taken(db: &mut Db<'_>, name: &str, domain: &str, url: &ActorUrl) -> Queried<Option<String>> {
    let base = url.base();
    for other in actors::all_by_handle(db, name)? {
        if other.handle_domain.eq_ignore_ascii_case(domain) || other.base() == base {
            return Ok(Some(other.full_handle()));
        }
    }
    for former in continuity::former(db, name)? {
        let Some(other) = actors::by_id(db, former.actor_id)? else { continue };
        if former.domain.eq_ignore_ascii_case(domain) || other.base() == base {
            return Ok(Some(other.full_handle()));
        }
    }
    Ok(None)
}
