//! A crowd of clients, in a process of its own: fixed connections with keep-alive, one request at a time on each, no
//! pipelining. The bench binary starts itself again as the crowd.

// Each benchmark uses its part of this.
#![allow(dead_code)]

mod play;

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

/// The hidden argument with which a bench binary becomes the crowd.
pub const ARGUMENT: &str = "--play-crowd";

/// What a crowd does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Task {
    /// Whom it asks.
    pub address: SocketAddr,
    /// The file with the requests.
    pub requests: String,
    /// Connections.
    pub connections: usize,
    /// Seconds over which the connections come, and seconds that are measured after that, with the requests sent again and
    /// again. Where there are none, each request is sent once, and all of it is measured.
    pub time: Option<(f64, f64)>,
    /// Requests in a second, whether answers come or not; otherwise each connection sends when it has its answer. How long an
    /// answer takes counts from when its request was to be sent.
    pub rate: Option<f64>,
    /// The status that every answer must have.
    pub expect: u16,
}

/// What became of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome {
    /// Answers in the time that was measured.
    pub answers: u64,
    /// That time, in seconds.
    pub seconds: f64,
    /// All answers, also those before and after it.
    pub total: u64,
    /// Half of the answers came within so many milliseconds.
    pub p50_ms: f64,
    /// 99 of 100 did, from the very first connection on.
    pub p99_ms: f64,
    /// Answers with another status.
    pub odd: u64,
    /// The beginning of one of these.
    pub odd_one: Option<String>,
}

impl Outcome {
    /// Answers in a second.
    #[allow(clippy::cast_precision_loss)]
    pub fn per_second(&self) -> f64 {
        self.answers as f64 / self.seconds
    }
}

/// Lets a crowd loose, and waits until it is done. Every answer must be as expected.
pub fn crowd(task: &Task) -> Outcome {
    let own = std::env::current_exe().unwrap();
    let mut child = Command::new(own).arg(ARGUMENT).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{}", serde_json::to_string(task).unwrap()).unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(child.wait().unwrap().success(), "the crowd failed");
    let outcome: Outcome = serde_json::from_str(&line).unwrap();
    assert_eq!(outcome.odd, 0, "not all is answered with {}: {:?}", task.expect, outcome.odd_one);
    outcome
}

/// Writes requests to a file.
pub fn write(path: &Path, requests: &[Vec<u8>]) {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
    for request in requests {
        file.write_all(&u32::try_from(request.len()).unwrap().to_le_bytes()).unwrap();
        file.write_all(request).unwrap();
    }
    file.flush().unwrap();
}

/// What the process does that was started with [`ARGUMENT`].
pub fn play() {
    play::play();
}
