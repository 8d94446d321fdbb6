//! Stand-ins for everybody else, in one process: the inboxes of other servers, each on a loopback address of its own, and
//! the websites of agencies. They cost as little as may be, and answer before they think.
//!
//! The bench binary starts itself with [`ARGUMENT`] and talks with it in lines of JSON. It ends when the pipe is closed.

mod serve;
mod tls;

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Host, process};

/// The hidden argument with which a bench binary becomes the stand-ins.
pub const ARGUMENT: &str = "--play-stand-ins";

/// What a host does with a POST.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Conduct {
    /// Takes it: 202.
    Take,
    /// Reads it and never answers.
    Hang,
    /// Answers a byte every half second.
    Slow,
    /// Reads it and resets the connection.
    Reset,
    /// 429, and to come back in two minutes.
    TooMany,
    /// 500.
    Error,
    /// 410.
    Gone,
    /// 202 with a body without end.
    Huge,
}

/// What was sent to the hosts that take things, since the last [`StandIn::forget`].
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Taken {
    /// POSTs that were answered with 202 and nothing odd.
    pub posts: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// When the first came, in seconds since the epoch.
    pub first: f64,
    /// When the last came.
    pub last: f64,
    /// POSTs to hosts of any other conduct.
    pub other: u64,
    /// Connections that were opened to any host.
    pub connections: u64,
    /// GETs that were answered, also by sites.
    pub gets: u64,
}

impl Taken {
    /// POSTs in a second, from the first to the last.
    pub fn per_second(&self) -> f64 {
        #[allow(clippy::cast_precision_loss)]
        let posts = self.posts as f64;
        posts / (self.last - self.first).max(1e-6)
    }
}

/// What is listened on.
#[derive(Debug, Serialize, Deserialize)]
struct Listening {
    hosts: Vec<(String, Conduct)>,
    tls: bool,
}

/// The process.
pub struct StandIn {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl StandIn {
    /// Starts it.
    pub fn start() -> Self {
        let own = std::env::current_exe().unwrap();
        let mut child = Command::new(own).arg(ARGUMENT).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdin, stdout }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// CPU seconds that it has used.
    pub fn cpu(&self) -> f64 {
        process::cpu_of(self.pid())
    }

    /// Opens these hosts, all on one port, which it gives. With TLS each has a certificate of its own for its address.
    pub fn open(&mut self, hosts: &[Host], tls: bool) -> u16 {
        let hosts: Vec<(String, Conduct)> = hosts.iter().map(|host| (host.address.to_string(), host.conduct)).collect();
        let said = self.ask(&json!({ "do": "listen", "what": Listening { hosts, tls } }));
        u16::try_from(said["port"].as_u64().unwrap()).unwrap()
    }

    /// The certificate of the CA that signs for all hosts, as PEM.
    pub fn ca(&mut self) -> String {
        self.ask(&json!({ "do": "ca" }))["pem"].as_str().unwrap().to_owned()
    }

    /// Answers a GET of `authority` + `path` with that; `*` as authority is any. It has an `ETag`, and answers 304.
    pub fn put(&mut self, authority: &str, path: &str, media_type: &str, body: &str) {
        let page = json!({ "do": "put", "at": format!("{authority}{path}"), "type": media_type, "body": body });
        self.ask(&page);
    }

    /// What was taken.
    pub fn taken(&mut self) -> Taken {
        serde_json::from_value(self.ask(&json!({ "do": "count" }))).unwrap()
    }

    /// Has hosts of any conduct take what they are sent, or no longer. What they take is not counted as taken.
    pub fn heal(&mut self, healed: bool) {
        self.ask(&json!({ "do": "heal", "healed": healed }));
    }

    /// Counts anew.
    pub fn forget(&mut self) {
        self.ask(&json!({ "do": "forget" }));
    }

    fn ask(&mut self, what: &Value) -> Value {
        writeln!(self.stdin, "{what}").unwrap();
        self.stdin.flush().unwrap();
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("the stand-ins said {line:?}: {e}"))
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the process does that was started with [`ARGUMENT`].
pub fn play() {
    serve::play();
}
