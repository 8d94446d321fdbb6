//! Looks over the whole installation for a scrape of `/metrics`: what is owed, how sources and proofs do, what is held. It reads
//! the database, so it is done at most every few seconds, however often is scraped, and rarer when it takes long.

mod lately;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::actor::Actor;
use crate::actor::ladder::level;
use crate::actor::verification::{Proof, VerifiedActor};
use crate::flow::survey::lately::Lately;
use crate::flow::verify::with_causes;
use crate::flow::{Gateway, Shared, now};
use crate::metrics::{self, Family, pulse};
use crate::post::HoldReason;
use crate::store::survey::{self, Counted, Owed, Remote};
use crate::store::{Db, StoreError, actors, hooks, proofs, registers, websub};
use crate::time::Timestamp;

/// Least time between two surveys.
const SURVEY_EVERY: Duration = Duration::from_secs(5);
/// A survey may take one part in so many of the time.
const SURVEY_SHARE: u32 = 50;
/// But one is taken so often at least: alerts look at it.
const SURVEY_KEPT_MAX: Duration = Duration::from_secs(300);
/// How long a scrape waits for a survey; Prometheus waits 10 s by default.
const SURVEY_TIMEOUT: Duration = Duration::from_secs(6);
/// How long it waits for the database to say anything at all.
const UP_TIMEOUT: Duration = Duration::from_secs(2);
/// How a delivery's inbox does, by its number in the database.
const INBOX: [&str; 3] = ["healthy", "failing", "parked"];
/// The states that a source can be in.
const SOURCE_STATES: [&str; 4] = ["ok", "failing", "stale", "stopped"];

/// Makes the pages that scrapes read; one per process.
pub struct Surveyor {
    gateway: Shared,
    last: Lately<Vec<Family>>,
}

impl Surveyor {
    /// For that gateway.
    pub fn new(gateway: Shared) -> Self {
        Self { gateway, last: Lately::new(kept_for) }
    }

    /// The page of now. Without a database it has only what the process knows of itself, and says so. While a survey takes longer
    /// than a scrape may, it has that of before.
    pub async fn page(&self) -> Result<String, String> {
        let up = self.is_up().await;
        let mut families = vec![plain(
            "heraut_database_up",
            "1 when the database answered this process, 0 when not.",
            if up { 1.0 } else { 0.0 },
        )];
        if up {
            let surveyed = self.last.get(SURVEY_TIMEOUT, || survey(self.gateway.clone())).await;
            families.extend(surveyed.iter().flat_map(|surveyed| surveyed.iter().cloned()));
        }
        let used = self.gateway.store.connections();
        metrics::connections(used.open, used.idle, used.most);
        let ages = pulse::here().ages(Instant::now());
        families.push(Family {
            name: "heraut_loop_age_seconds",
            help: "How long ago each loop of this process turned.",
            labels: &["loop"],
            rows: ages.into_iter().map(|(which, age)| (vec![which.name().to_owned()], age.as_secs_f64())).collect(),
        });
        metrics::page(&families)
    }

    /// Whether the database answers now. Asked at every scrape, however old the survey is.
    async fn is_up(&self) -> bool {
        match tokio::time::timeout(UP_TIMEOUT, self.gateway.store.read("answer a scrape", survey::answers)).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::warn!(error = with_causes(&error), "the database could not be surveyed for metrics");
                false
            }
            Err(_) => {
                let timeout_s = UP_TIMEOUT.as_secs();
                tracing::warn!(timeout_s, "the database could not be surveyed for metrics in time");
                false
            }
        }
    }
}

/// How long a survey is kept that took so long.
fn kept_for(took: Duration) -> Duration {
    took.saturating_mul(SURVEY_SHARE).clamp(SURVEY_EVERY, SURVEY_KEPT_MAX)
}

/// A survey, with the time that it took.
async fn survey(gateway: Shared) -> Option<Vec<Family>> {
    let begun = Instant::now();
    match take(&gateway).await {
        Ok(mut families) => {
            let took = begun.elapsed().as_secs_f64();
            families.push(plain("heraut_survey_seconds", "Time that the last survey of the database took.", took));
            Some(families)
        }
        Err(error) => {
            tracing::warn!(error = with_causes(&error), "the database could not be surveyed for metrics");
            None
        }
    }
}

/// What the database says, as it was read.
struct Seen {
    owed: Vec<Owed>,
    held: Vec<Counted>,
    remote: Remote,
    posts: Vec<Counted>,
    changes: Vec<Counted>,
    sources: Vec<Counted>,
    polling: (Option<Timestamp>, Option<Timestamp>),
    hooks: (i64, Option<Timestamp>),
    websub: [i64; 5],
    actors: Vec<(Actor, Proof)>,
    registers: Vec<registers::Row>,
}

async fn take(gateway: &Gateway) -> Result<Vec<Family>, StoreError> {
    let at = now();
    let look = move |db: &mut Db<'_>| {
        let mut proven = Vec::new();
        for actor in actors::list(db)? {
            let proof = proofs::of_actor(db, actor.id)?;
            proven.push((actor, proof));
        }
        Ok(Seen {
            owed: survey::owed(db, at)?,
            held: survey::held(db)?,
            remote: survey::remote(db, at)?,
            posts: survey::held_posts(db)?,
            changes: survey::held_changes(db)?,
            sources: survey::sources_by_state(db)?,
            polling: survey::polling(db)?,
            hooks: hooks::waiting(db)?,
            websub: websub::counts(db, at)?,
            actors: proven,
            registers: registers::list(db)?,
        })
    };
    let seen = gateway.store.read("be surveyed for metrics", look).await?;
    let mut families = deliveries(&seen, at);
    families.extend(waiting(&seen, at));
    families.extend(sources(&seen, at));
    families.extend(pushed(&seen, at));
    families.extend(subscriptions(&seen));
    families.extend(asked(&seen.registers, at));
    families.extend(proven(gateway, seen.actors, at));
    Ok(families)
}

fn pushed(seen: &Seen, at: Timestamp) -> [Family; 2] {
    let (n, oldest) = seen.hooks;
    [
        plain("heraut_hooks_waiting", "Requests that were pushed to us and wait to be worked on.", float(n)),
        plain(
            "heraut_hooks_oldest_age_seconds",
            "Age of the oldest request that waits, 0 when none does.",
            oldest.map_or(0.0, |oldest| age(oldest, at)),
        ),
    ]
}

fn subscriptions(seen: &Seen) -> [Family; 2] {
    let [live, asking, failing, leaving, missing] = seen.websub.map(float);
    let rows = [("live", live), ("asking", asking), ("failing", failing), ("leaving", leaving)];
    [
        Family {
            name: "heraut_websub_subscriptions",
            help: "Subscriptions at the hubs of feeds, by state.",
            labels: &["state"],
            rows: rows.into_iter().map(|(state, n)| (vec![state.to_owned()], n)).collect(),
        },
        plain(
            "heraut_websub_missing",
            "Subscriptions of which polls find what their hub does not bring; these sources are polled as usual.",
            missing,
        ),
    ]
}

fn asked(registers: &[registers::Row], at: Timestamp) -> [Family; 2] {
    let failing = registers.iter().filter(|row| row.failure.is_some()).count();
    let oldest = registers.iter().map(|row| row.read_at.map_or(0.0, |read_at| age(read_at, at))).fold(0.0, f64::max);
    [
        plain(
            "heraut_registers_failing",
            "Registers whose last reading failed; what was read before still counts.",
            float(i64::try_from(failing).unwrap_or(i64::MAX)),
        ),
        plain(
            "heraut_registers_oldest_age_seconds",
            "Age of the oldest copy of a register, 0 when there is none.",
            oldest,
        ),
    ]
}

fn plain(name: &'static str, help: &'static str, value: f64) -> Family {
    Family { name, help, labels: &[], rows: vec![(Vec::new(), value)] }
}

/// Counts fit a float's 53 bits.
#[allow(clippy::cast_precision_loss)]
fn float(n: i64) -> f64 {
    n as f64
}

fn age(since: Timestamp, at: Timestamp) -> f64 {
    at.since(since).as_secs_f64()
}

/// The names of all agencies that have an actor.
fn agencies(seen: &Seen) -> BTreeMap<String, f64> {
    seen.actors.iter().map(|(actor, _)| (actor.agency.name.clone(), 0.0)).collect()
}

fn deliveries(seen: &Seen, at: Timestamp) -> Vec<Family> {
    let healthy = || agencies(seen).into_iter().map(|(agency, zero)| ((agency, INBOX[0]), zero));
    let (mut owed, mut oldest): (BTreeMap<_, f64>, BTreeMap<_, f64>) = (healthy().collect(), healthy().collect());
    let mut held = agencies(seen);
    for row in &seen.owed {
        let inbox = usize::try_from(row.inbox).ok().and_then(|n| INBOX.get(n)).copied().unwrap_or("parked");
        owed.insert((row.agency.clone(), inbox), float(row.n));
        oldest.insert((row.agency.clone(), inbox), row.oldest.map_or(0.0, |since| age(since, at)));
    }
    held.extend(seen.held.iter().map(|row| (row.agency.clone(), float(row.n))));
    let rows = |of: BTreeMap<(String, &'static str), f64>| {
        of.into_iter().map(|((agency, inbox), value)| (vec![agency, inbox.to_owned()], value)).collect()
    };
    let remote = seen.remote;
    vec![
        Family {
            name: "heraut_deliveries_owed",
            help: "Deliveries that are owed, by agency and by how the inbox does.",
            labels: &["agency", "inbox"],
            rows: rows(owed),
        },
        Family {
            name: "heraut_deliveries_oldest_age_seconds",
            help: "Age of the oldest delivery that is owed, to a healthy inbox since it could be made; 0 when there is none.",
            labels: &["agency", "inbox"],
            rows: rows(oldest),
        },
        Family {
            name: "heraut_deliveries_held",
            help: "Deliveries that are held because the actor has no proof that holds.",
            labels: &["agency"],
            rows: held.into_iter().map(|(agency, n)| (vec![agency], n)).collect(),
        },
        plain(
            "heraut_hosts_open",
            "Hosts whose breaker is open: they fail, and are left alone for now.",
            float(remote.hosts_open),
        ),
        plain("heraut_inboxes_failing", "Inboxes that fail and are owed something.", float(remote.inboxes_failing)),
        plain(
            "heraut_inboxes_parked",
            "Inboxes that failed for days and are only probed.",
            float(remote.inboxes_parked),
        ),
    ]
}

fn waiting(seen: &Seen, at: Timestamp) -> Vec<Family> {
    let rows = |of: &[Counted]| {
        // One reason is there from the start, so that the series is not missed where nothing is held.
        let none = agencies(seen).into_iter().map(|(agency, n)| ((agency, HoldReason::Approval.name().to_owned()), n));
        let mut rows: BTreeMap<(String, String), f64> = none.collect();
        rows.extend(of.iter().map(|c| ((c.agency.clone(), c.what.clone()), float(c.n))));
        rows.into_iter().map(|((agency, reason), n)| (vec![agency, reason], n)).collect()
    };
    let mut oldest = agencies(seen);
    for counted in seen.posts.iter().chain(&seen.changes) {
        let age = counted.oldest.map_or(0.0, |since| age(since, at));
        oldest.entry(counted.agency.clone()).and_modify(|known| *known = known.max(age)).or_insert(age);
    }
    vec![
        Family {
            name: "heraut_posts_held",
            help: "Posts that wait for a person or a proof, by reason.",
            labels: &["agency", "reason"],
            rows: rows(&seen.posts),
        },
        Family {
            name: "heraut_changes_held",
            help: "Edits and withdrawals of published posts that wait for a person or a proof, by reason.",
            labels: &["agency", "reason"],
            rows: rows(&seen.changes),
        },
        Family {
            name: "heraut_held_oldest_age_seconds",
            help: "Age of the post or change that has been held longest, 0 when nothing is.",
            labels: &["agency"],
            rows: oldest.into_iter().map(|(agency, age)| (vec![agency], age)).collect(),
        },
    ]
}

fn sources(seen: &Seen, at: Timestamp) -> Vec<Family> {
    let mut rows: BTreeMap<(&str, &str), f64> = BTreeMap::new();
    for counted in &seen.sources {
        // All states of an agency that has sources, so that an alert sees a state become 1 and 0 again.
        for state in SOURCE_STATES {
            rows.entry((&counted.agency, state)).or_insert(0.0);
        }
        rows.insert((&counted.agency, &counted.what), float(counted.n));
    }
    let (last, due) = seen.polling;
    let mut families = vec![
        Family {
            name: "heraut_sources",
            help: "Sources by agency and state.",
            labels: &["agency", "state"],
            rows: rows.into_iter().map(|((a, state), n)| (vec![a.to_owned(), state.to_owned()], n)).collect(),
        },
        plain(
            "heraut_poll_overdue_seconds",
            "How long the source has been due that waits longest for its poll; 0 when none is.",
            due.map_or(0.0, |due| age(due, at)),
        ),
    ];
    families.extend(last.map(|last| {
        plain("heraut_last_poll_timestamp_seconds", "When any source was last polled.", float(last.0) / 1_000.0)
    }));
    families
}

fn proven(gateway: &Gateway, actors: Vec<(Actor, Proof)>, at: Timestamp) -> Vec<Family> {
    let times = &gateway.settings.proof_times;
    let (mut holds, mut failing, mut expires) = (Vec::new(), Vec::new(), Vec::new());
    let (mut levels, mut ends) = (Vec::new(), Vec::new());
    for (actor, proof) in actors {
        let labels = vec![actor.agency.name.clone(), actor.handle.to_string()];
        levels.push((labels.clone(), f64::from(level(&proof.steps).number())));
        ends.push((labels.clone(), proof.ends_at.map_or(0.0, |at| float(at.0) / 1_000.0)));
        failing.push((labels.clone(), if proof.failure.is_some() { 1.0 } else { 0.0 }));
        let verified = VerifiedActor::prove(actor, &proof, times, at).ok();
        holds.push((labels.clone(), if verified.is_some() { 1.0 } else { 0.0 }));
        expires.extend(verified.map(|verified| (labels, float(verified.until().0) / 1_000.0)));
    }
    let family = |name, help, rows| Family { name, help, labels: &["agency", "actor"], rows };
    vec![
        family("heraut_proof_holds", "1 when the actor's proof holds: it may publish.", holds),
        family("heraut_proof_level", "The level of proof that the last check reached, 0 to 4.", levels),
        family("heraut_proof_failing", "1 when the last check of the actor's proof failed.", failing),
        family(
            "heraut_proof_expires_timestamp_seconds",
            "When a proof that holds lapses if it is not renewed.",
            expires,
        ),
        family(
            "heraut_proof_ends_timestamp_seconds",
            "When a register says that the actor's organisation or domain ends or ended; 0 when none does.",
            ends,
        ),
    ]
}
