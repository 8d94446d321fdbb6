//! What the benchmarks are made with: the built gateway as a process, stand-ins for everybody else as another, and figures.
//!
//! A benchmark is a list of scenarios for [`run`]. The bench binary starts itself again as the [`StandIn`].

// Each benchmark uses its part of this.
#![allow(dead_code, unused_imports)]

#[path = "../../tests/it/harness/installed.rs"]
mod installed;
#[path = "../../tests/it/harness/reaper.rs"]
mod reaper;
#[path = "../../tests/it/harness/sql.rs"]
mod sql;

pub mod cluster;
pub mod database;
pub mod figures;
pub mod gateway;
pub mod people;
pub mod process;
pub mod rsa;
pub mod standin;
pub mod world;

use std::time::{Duration, Instant};

pub use database::Database;
pub use figures::Figures;
pub use gateway::Gateway;
pub use people::{Crowd, Host};
pub use process::Usage;
pub use sql::Kind;
pub use standin::{Conduct, StandIn};
pub use world::{Plan, World};

/// How long anything may take before a benchmark gives up.
pub const PATIENCE: Duration = Duration::from_secs(900);

/// How a benchmark was started, and what it found so far.
pub struct Bench {
    /// Every scenario small: all together below a minute.
    pub quick: bool,
    /// What was found.
    pub figures: Figures,
}

impl Bench {
    /// The one for a quick look, or the other.
    pub fn size<T>(&self, quick: T, full: T) -> T {
        if self.quick { quick } else { full }
    }

    /// Says a figure.
    pub fn figure(&mut self, name: impl Into<String>, value: f64) {
        self.figures.say(name.into(), value);
    }
}

/// A scenario: its name, and what it does. Its figures begin with its name.
pub type Scenario = (&'static str, fn(&mut Bench));

/// Runs the scenarios whose names begin with one of the words on the command line; all of them when there are none.
/// `--quick` makes all of it small; `--json` prints the figures as one JSON object at the end.
pub fn run(scenarios: &[Scenario]) {
    openssl::init();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|word| word == standin::ARGUMENT) {
        return standin::play();
    }
    let has = |flag: &str| arguments.iter().any(|word| word == flag);
    let wanted: Vec<&String> = arguments.iter().filter(|word| !word.starts_with("--")).collect();
    let mut bench = Bench { quick: has("--quick"), figures: Figures::new(has("--json")) };
    for (name, scenario) in scenarios {
        if wanted.is_empty() || wanted.iter().any(|word| name.starts_with(word.as_str())) {
            let began = Instant::now();
            note(&format!("── {name}"));
            scenario(&mut bench);
            note(&format!("   {name} took {:.1} s", began.elapsed().as_secs_f64()));
        }
    }
    bench.figures.end();
}

/// Says what is going on, beside the figures.
pub fn note(text: &str) {
    eprintln!("{text}");
}

/// Waits until `look` gives something.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "this does not happen: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
