//! Drives scripts for Node by their lines of JSON, as `tests/interop/driver.mjs` does: peers, and systems that publish.

use std::cell::{Cell, RefCell};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::PATIENCE;
use crate::installation::Killed;

const NODE_MAJOR_MIN: u32 = 20;
const WAY_OUT: &str = "run tests/install";
/// How long a script may take to start.
const START_PATIENCE: Duration = Duration::from_secs(180);
const INTEROP: &str = "interop";

/// A folder of scripts, in `tests`.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// A script that runs until this is dropped.
pub struct Script {
    name: &'static str,
    // Closed first: the scripts end when their standard input does.
    stdin: RefCell<ChildStdin>,
    _child: Killed,
    lines: Receiver<Value>,
    unread: RefCell<Vec<Value>>,
    number: Cell<u64>,
    /// What it said when it was ready.
    pub ready: Value,
    /// Where it works, if it leaves files behind.
    _folder: Option<tempfile::TempDir>,
}

/// Makes a throwaway certificate authority and a certificate for localhost. Gives the path of `ca.pem`.
pub fn certificate(to: &Path) -> PathBuf {
    check_node(INTEROP);
    let made = Command::new("node").arg(folder(INTEROP).join("certificate.mjs")).arg(to).output().unwrap();
    assert!(made.status.success(), "certificate.mjs: {}", String::from_utf8_lossy(&made.stderr));
    to.join("ca.pem")
}

/// Fails with the way out when there is no Node that is new enough, or the packages of that folder are not there.
fn check_node(name: &str) {
    let version = Command::new("node").arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    let major = version.trim_start_matches('v').split('.').next().and_then(|n| n.parse::<u32>().ok()).unwrap_or(0);
    assert!(major >= NODE_MAJOR_MIN, "node is `{version}`, {NODE_MAJOR_MIN} or later is needed: {WAY_OUT}");
    let packages = folder(name).join("node_modules/.package-lock.json");
    assert!(packages.exists(), "{} is missing: {WAY_OUT}", packages.display());
}

impl Script {
    /// Starts a script of `tests/interop` that trusts the certificates of `ca`, and waits until it is ready.
    pub fn start(name: &'static str, arguments: &[&str], ca: &Path) -> Self {
        let mut command = Command::new("node");
        command.arg(folder(INTEROP).join(name)).args(arguments).env("NODE_EXTRA_CA_CERTS", ca);
        Self::run(name, command)
    }

    /// Starts a peer without TLS, and waits until it is ready.
    pub fn peer() -> Self {
        check_node(INTEROP);
        let mut command = Command::new("node");
        command.arg(folder(INTEROP).join("follower.mjs"));
        Self::run("follower.mjs", command)
    }

    /// Starts the script `start.mjs` of a system in `tests/cms`, and waits until it is ready.
    pub fn cms(name: &'static str, arguments: &[&str]) -> Self {
        let home = format!("cms/{name}");
        check_node(&home);
        let mut command = Command::new("node");
        command.arg(folder(&home).join("start.mjs")).args(arguments);
        Self::run(name, command)
    }

    /// Starts a script of `tests/oracles`, for Node or Python by its ending, and waits until it is ready.
    pub fn oracle(name: &'static str) -> Self {
        let home = folder("oracles");
        let interpreter = if name.ends_with(".py") { home.join(".venv/bin/python") } else { PathBuf::from("node") };
        let packages = home.join(if name.ends_with(".py") { ".venv/installed.txt" } else { "node_modules" });
        assert!(packages.exists(), "{} is missing: {WAY_OUT}", packages.display());
        let mut command = Command::new(interpreter);
        // What a judge keeps, such as pasture its JSON-LD contexts, is gone with it.
        let folder = tempfile::tempdir().unwrap();
        command.arg(home.join(name)).current_dir(folder.path());
        Self { _folder: Some(folder), ..Self::run(name, command) }
    }

    fn run(name: &'static str, mut command: Command) -> Self {
        // Not our own standard error: Node makes that non-blocking for all who share it, and the test harness, which writes there
        // too, dies of the first write that would have to wait.
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let complaints = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            complaints.lines().map_while(Result::ok).for_each(|line| eprintln!("{name}: {line}"))
        });
        let stdin = RefCell::new(child.stdin.take().unwrap());
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let message = serde_json::from_str(&line).unwrap_or_else(|_| json!({ "unreadable": line }));
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let (unread, number) = (RefCell::default(), Cell::new(0));
        let mut script =
            Self { _folder: None, name, stdin, _child: Killed(child), lines, unread, number, ready: Value::Null };
        // A system that starts has much to do, and others want the processor too.
        script.ready = script.within(START_PATIENCE, "that it is ready", |message| message["event"] == "ready");
        script
    }

    /// The first message that is wanted and was not handed out before; waits for it.
    pub fn next(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.within(PATIENCE, what, wanted)
    }

    fn within(&self, patience: Duration, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(at) = self.unread.borrow().iter().position(&wanted) {
            return self.unread.borrow_mut().remove(at);
        }
        let began = Instant::now();
        loop {
            let left = patience.saturating_sub(began.elapsed());
            match self.lines.recv_timeout(left) {
                Ok(message) if wanted(&message) => return message,
                Ok(message) => self.unread.borrow_mut().push(message),
                Err(RecvTimeoutError::Timeout) => {
                    panic!("{} does not say {what}; unread: {:#?}", self.name, self.unread)
                }
                Err(RecvTimeoutError::Disconnected) => panic!("{} ended; unread: {:#?}", self.name, self.unread),
            }
        }
    }

    /// Sends a command and gives its answer, also one that is not ok.
    pub fn ask(&self, command: Value) -> Value {
        let n = self.number.get() + 1;
        self.number.set(n);
        let mut line = command;
        line["n"] = json!(n);
        writeln!(self.stdin.borrow_mut(), "{line}").unwrap();
        self.next(&format!("an answer to {line}"), |message| !message["answer"].is_null() && message["n"] == n)
    }

    /// As [`Script::ask`], and fails if the answer is not ok.
    pub fn tell(&self, command: Value) -> Value {
        let answer = self.ask(command.clone());
        assert_eq!(answer["ok"], true, "{command}: {answer:#}");
        answer
    }

    /// The next activity of this type that Fedify verified.
    pub fn arrival(&self, kind: &str) -> Value {
        let arrived = self.next(&format!("that a {kind} came"), |m| m["event"] == "inbox" && m["type"] == kind);
        assert_eq!((&arrived["verified"], &arrived["problem"]), (&json!(true), &Value::Null), "{arrived:#}");
        arrived
    }

    /// What was told and not asked for within a moment: what came unbidden.
    pub fn unbidden(&self, moment: Duration) -> Vec<Value> {
        let began = Instant::now();
        while let Ok(message) = self.lines.recv_timeout(moment.saturating_sub(began.elapsed())) {
            self.unread.borrow_mut().push(message);
        }
        self.unread.borrow().clone()
    }
}
