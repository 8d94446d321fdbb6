//! The gateway as its operator runs it: the real binary, its configuration file, its log.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;

use super::database::Database;
use super::http::{request, try_request};
use super::setup::Setup;
use super::site::Site;
use super::{PATIENCE, address, eventually, reaper};

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_heraut");
/// How much of the log is shown when a test fails.
const LOG_LINES_SHOWN: usize = 120;

/// A subcommand that has run.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The exit code; of one that a signal ended, the number of the signal, negative.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Finished {
    /// What it printed as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("no JSON ({e}): {self:?}"))
    }

    /// Itself, if it ended well.
    pub fn well(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }
}

/// A gateway; it ends with the test.
pub struct Gateway {
    folder: TempDir,
    address: SocketAddr,
    metrics: SocketAddr,
    actors: Vec<(String, String)>,
    proof: String,
    child: Option<Child>,
}

impl Gateway {
    /// Writes the configuration, sets the proof up, starts the gateway and waits until it serves.
    pub async fn start(setup: &Setup, database: &Database, site: &Site) -> Self {
        let folder = tempfile::Builder::new().prefix("heraut-it-").tempdir().unwrap();
        let (address, metrics) = (address::free(), address::free());
        let config = setup.config_with(&database.url, &address.to_string(), &metrics.to_string(), site);
        std::fs::write(folder.path().join("config.toml"), config).unwrap();
        master_key(folder.path());
        let mut gateway = Self { folder, address, metrics, actors: Vec::new(), proof: String::new(), child: None };
        let proof = gateway.cli(&["actor", "proof", "nieuws"]).await.well();
        for entry in proof.json()["actors"].as_array().unwrap() {
            let text = |key: &str| entry[key].as_str().unwrap().to_owned();
            gateway.actors.push((text("handle"), text("actor")));
        }
        gateway.proof = proof.stdout;
        if setup.is_proven() {
            site.prove(Some(&gateway.proof));
        }
        gateway.restart().await;
        gateway
    }

    /// Another machine: the same configuration, but for the database, and a master key of its own. Nothing runs there yet.
    pub fn elsewhere(&self, from: &Database, database: &Database) -> Self {
        let folder = tempfile::Builder::new().prefix("heraut-it-").tempdir().unwrap();
        let config = std::fs::read_to_string(self.folder.path().join("config.toml")).unwrap();
        let quoted = |database: &Database| format!("url = \"{}\"\n", database.url);
        assert!(config.contains(&quoted(from)));
        std::fs::write(folder.path().join("config.toml"), config.replace(&quoted(from), &quoted(database))).unwrap();
        master_key(folder.path());
        Self {
            folder,
            address: self.address,
            metrics: self.metrics,
            actors: self.actors.clone(),
            proof: self.proof.clone(),
            child: None,
        }
    }

    /// Where its configuration and its media are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Waits until every source was polled once and, if it is to be there, the proof was seen.
    pub async fn settled(&self, database: &Database, proven: bool) {
        eventually("every source has its baseline, and every proof holds", || async {
            let polled = database.number("SELECT COUNT(*) FROM sources WHERE polled_at IS NULL") == 0;
            let unproven = database.number("SELECT COUNT(*) FROM proofs WHERE held_at IS NULL");
            (polled && (unproven == 0 || !proven)).then_some(())
        })
        .await;
    }

    /// The file that the agency is to put on its site.
    pub fn proof(&self) -> &str {
        &self.proof
    }

    /// Host and port.
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    /// A URL of it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// A URL of it on the listener for metrics and health.
    pub fn metrics_url(&self, path: &str) -> String {
        format!("http://{}{path}", self.metrics)
    }

    /// What a scrape sees.
    pub async fn metrics(&self) -> String {
        let reply = request("GET", &self.metrics_url("/metrics"), &[], b"").await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.text()
    }

    /// The value of a series in a scrape, written as there: `name{label="value"}`.
    pub async fn metric(&self, series: &str) -> Option<f64> {
        let page = self.metrics().await;
        page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
    }

    /// The id of the actor `nieuws`.
    pub fn actor(&self) -> String {
        self.actor_named("nieuws")
    }

    /// The id of an actor.
    pub fn actor_named(&self, handle: &str) -> String {
        let prefix = format!("@{handle}@");
        self.actors.iter().find(|(full, _)| full.starts_with(&prefix)).unwrap().1.clone()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// All that it logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// Starts it, again if it ran before, and waits until it serves.
    pub async fn restart(&mut self) {
        self.spawn();
        let began = Instant::now();
        let health = self.url("/health/ready");
        while !try_request("GET", &health, &[], b"").await.is_ok_and(|reply| reply.status == 200) {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().unwrap());
            assert!(ended.is_none(), "the gateway ended with {ended:?}:\n{}", self.log());
            assert!(began.elapsed() < PATIENCE, "the gateway does not serve:\n{}", self.log());
            tokio::time::sleep(super::LOOK_EVERY).await;
        }
    }

    /// Starts it without waiting for anything.
    pub fn spawn(&mut self) {
        self.spawn_as(&["serve"]);
    }

    /// As [`Gateway::spawn`], with these arguments.
    pub fn spawn_as(&mut self, arguments: &[&str]) {
        self.spawn_with(arguments, &[]);
    }

    /// As [`Gateway::spawn_as`], with these variables in its environment.
    pub fn spawn_with(&mut self, arguments: &[&str], environment: &[(&str, &str)]) {
        assert!(self.child.is_none(), "it runs already");
        let log = File::options().create(true).append(true).open(self.log_path()).unwrap();
        let child = self
            .command(arguments)
            .env("HERAUT_LOG", "info,heraut=debug")
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.arg("--config").arg(self.folder.path().join("config.toml")).args(arguments);
        command.current_dir(self.folder.path()).env_remove("HERAUT_MASTER_KEY").env_remove("HERAUT_LOG");
        command
    }

    /// Kills it with SIGKILL: it gets to do nothing more.
    pub fn kill9(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Asks it to stop with SIGTERM, and waits until it has.
    pub async fn stop(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap()
    }

    /// Begins another subcommand, beside it; what it says is kept, and it is fed by a pipe.
    pub fn begin(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Runs another subcommand, beside it.
    pub async fn cli(&self, arguments: &[&str]) -> Finished {
        let mut command = self.command(arguments);
        let output = tokio::task::spawn_blocking(move || command.stdin(Stdio::null()).output().unwrap()).await.unwrap();
        Finished {
            code: output.status.code().unwrap_or_else(|| -output.status.signal().unwrap_or(0)),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Leaves it to the end of the test binary to end it, because what holds it is never dropped.
    pub fn outlive_tests(&self) {
        let pid = self.child.as_ref().map_or(0, Child::id);
        reaper::at_the_end(&format!("kill -9 {pid}; rm -rf '{}'", self.folder.path().display()));
    }
}

fn master_key(folder: &Path) {
    let mut key = OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::mode(key.write(true).create_new(true), 0o600);
    let mut key = key.open(folder.join("master.key")).unwrap();
    writeln!(key, "{}", hex::encode(rand::random::<[u8; 32]>())).unwrap();
}

impl Drop for Gateway {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let shown = lines.iter().skip(lines.len().saturating_sub(LOG_LINES_SHOWN)).copied();
            eprintln!("── the last of the gateway's log\n{}", shown.collect::<Vec<_>>().join("\n"));
        }
    }
}
