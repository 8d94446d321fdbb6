//! On PostgreSQL, processes tell one another that there is work (LISTEN and NOTIFY), and keep one clock: the database's.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};

use crate::store::statement::statement;
use crate::store::{Db, Pools, Queried, Store};
use crate::time::Timestamp;

/// How often the connection is looked at. That asks the kernel, not the server, and costs some microseconds.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// How often the clocks are compared.
const COMPARE_EVERY: Duration = Duration::from_secs(30);
/// How long to wait before a lost connection is made anew.
const RECONNECT_WAIT: Duration = Duration::from_secs(1);
/// A connection that lasted for so long was a good one, and its loss is news.
const TOLD_AGAIN_AFTER: Duration = Duration::from_secs(10);
/// A comparison that took longer says too little.
const COMPARISON_MAX: Duration = Duration::from_secs(1);

/// What there is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// A delivery is owed.
    Deliver,
    /// A post or a change may be published.
    Publish,
    /// A source or a proof is due.
    Schedule,
    /// A request was pushed to us.
    Hooks,
}

impl Topic {
    const ALL: [Self; 4] = [Self::Deliver, Self::Publish, Self::Schedule, Self::Hooks];

    fn name(self) -> &'static str {
        match self {
            Self::Deliver => "deliver",
            Self::Publish => "publish",
            Self::Schedule => "schedule",
            Self::Hooks => "hooks",
        }
    }
}

/// The database's clock, as it was asked a moment ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerClock {
    /// What it said.
    pub at: Timestamp,
    /// How long the question and the answer took together.
    pub took: Duration,
}

/// What a listener hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// There is work of this kind; also told after a pause in which something may have been missed.
    Work(Topic),
    /// The database's clock was read.
    Clock(ServerClock),
}

/// Tells all processes, when the transaction is committed, that there is work. On SQLite there is one process, which knows.
pub fn tell(db: &mut Db<'_>, topic: Topic) -> Queried<()> {
    match db {
        Db::Lite(_) => Ok(()),
        Db::Pg(c) => {
            statement("SELECT pg_notify('heraut', $1)").bind::<Text, _>(topic.name()).execute(&mut **c).map(|_| ())
        }
    }
}

/// Ends listening when it is dropped.
pub struct Listening {
    over: Arc<AtomicBool>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

impl Store {
    /// Listens in a thread of its own, over a connection of its own; `None` on SQLite. Goes on after the server was away.
    pub fn listen(&self, heard: impl Fn(Heard) + Send + 'static) -> Option<Listening> {
        let Pools::Pg { url, .. } = &*self.pools else { return None };
        let (url, over) = (url.clone(), Arc::new(AtomicBool::new(false)));
        let listening = Listening { over: over.clone() };
        std::thread::spawn(move || {
            let mut told = false;
            while !over.load(Ordering::Relaxed) {
                let began = Instant::now();
                let Err(error) = listen(&url, &heard, &over) else { return };
                // Once for each time that the server is away.
                if !told || began.elapsed() > TOLD_AGAIN_AFTER {
                    tracing::warn!(error, "PostgreSQL cannot be listened to; work is found a little later meanwhile");
                    told = true;
                }
                std::thread::sleep(RECONNECT_WAIT);
            }
        });
        Some(listening)
    }

    /// The database's clock; `None` on SQLite, which has none of its own, and when it takes too long to say.
    pub fn clock(&self) -> Option<ServerClock> {
        let Pools::Pg { pool, .. } = &*self.pools else { return None };
        pool.get().ok().and_then(|mut connection| read_clock(&mut connection).ok().flatten())
    }
}

/// Listens until it is over, or the connection breaks off.
fn listen(url: &str, heard: &impl Fn(Heard), over: &AtomicBool) -> Result<(), String> {
    let mut connection = PgConnection::establish(url).map_err(|e| e.to_string())?;
    connection.batch_execute("LISTEN heraut").map_err(|e| e.to_string())?;
    Topic::ALL.into_iter().for_each(|topic| heard(Heard::Work(topic)));
    let mut compared_at = None::<Instant>;
    while !over.load(Ordering::Relaxed) {
        if compared_at.is_none_or(|at| at.elapsed() >= COMPARE_EVERY) {
            if let Some(clock) = read_clock(&mut connection).map_err(|e| e.to_string())? {
                heard(Heard::Clock(clock));
            }
            compared_at = Some(Instant::now());
        }
        let mut said = Vec::new();
        for notification in connection.notifications_iter() {
            said.push(notification.map_err(|e| e.to_string())?.payload);
        }
        for topic in Topic::ALL.into_iter().filter(|topic| said.iter().any(|name| name == topic.name())) {
            heard(Heard::Work(topic));
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

#[derive(QueryableByName)]
struct ClockRow {
    #[diesel(sql_type = BigInt)]
    at: Timestamp,
}

/// Reads the server's clock; `None` when the answer took too long to say anything.
fn read_clock(connection: &mut PgConnection) -> Queried<Option<ServerClock>> {
    const CLOCK: &str = "SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000)::bigint AS at";
    let began = Instant::now();
    let row: ClockRow = diesel::sql_query(CLOCK).get_result(connection)?;
    let took = began.elapsed();
    Ok((took <= COMPARISON_MAX).then_some(ServerClock { at: row.at, took }))
}
