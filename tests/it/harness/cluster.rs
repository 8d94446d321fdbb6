//! A PostgreSQL cluster: the one of `HERAUT_TEST_POSTGRES` (`tests/run` starts it), or a throwaway one of this test binary,
//! on loopback, behind a password, and quick rather than durable; or one that a test has for itself, to stop and to start.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::installed::{as_user, done, initdb, programs, unprivileged};
use super::reaper;

const WAY_OUT: &str =
    "PostgreSQL is not installed: run tests/install, or set HERAUT_TEST_POSTGRES to the URL of a superuser";

static URL: OnceLock<Result<String, String>> = OnceLock::new();

/// The URL of a superuser; a test that needs it fails when there is none.
pub fn url() -> &'static str {
    let url = URL.get_or_init(|| match std::env::var("HERAUT_TEST_POSTGRES") {
        Ok(url) if !url.is_empty() => Ok(url),
        _ => start(),
    });
    match url {
        Ok(url) => url,
        Err(problem) => panic!("{problem}"),
    }
}

fn start() -> Result<String, String> {
    let mut cluster = Cluster::make("-c max_connections=400 -c synchronous_commit=off")?;
    cluster.shared = true;
    cluster.start()?;
    Ok(cluster.url())
}

/// A cluster of a test's own; it ends with the test binary, at the latest.
pub struct Cluster {
    bin: PathBuf,
    home: PathBuf,
    user: Option<String>,
    password: String,
    port: u16,
    options: String,
    shared: bool,
}

impl Cluster {
    /// A running cluster that keeps what it committed when it is stopped at once, though not when the machine stops.
    pub fn new() -> Self {
        let cluster = Self::make("-c max_connections=60").unwrap_or_else(|problem| panic!("{problem}"));
        cluster.start().unwrap_or_else(|problem| panic!("{problem}"));
        cluster
    }

    fn make(options: &str) -> Result<Self, String> {
        let bin = programs().ok_or_else(|| WAY_OUT.to_owned())?;
        let home = tempfile::Builder::new().prefix("heraut-it-postgres-").tempdir().unwrap().keep();
        let user = unprivileged();
        let password = hex::encode(rand::random::<[u8; 16]>());
        std::fs::write(home.join("password"), &password).unwrap();
        if let Some(user) = &user {
            done(Command::new("chown").args(["-R", user]).arg(&home))?;
        }
        done(initdb(&bin, user.as_deref(), &home).arg("--no-sync"))?;
        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).unwrap().port();
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c fsync=off \
             -c full_page_writes=off {options}"
        );
        let cluster = Self { bin, home, user, password, port, options, shared: false };
        reaper::at_the_end(&format!("{}; rm -rf '{}'", shell_line(&cluster.stopping()), cluster.home.display()));
        Ok(cluster)
    }

    /// The URL of a superuser.
    pub fn url(&self) -> String {
        format!("postgres://postgres:{}@127.0.0.1:{}/postgres", self.password, self.port)
    }

    /// Starts it, again if it ran before, and waits until it takes connections.
    pub fn start(&self) -> Result<(), String> {
        let mut start = self.control();
        start.args(["start", "-w", "-s", "-l"]).arg(self.home.join("log")).args(["-o", &self.options]);
        done(start.stdout(Stdio::null()).stderr(Stdio::null()))
    }

    /// Stops it as a crash would: no connection is let finish, and the next start recovers.
    pub fn crash(&self) {
        done(&mut self.stopping()).unwrap_or_else(|problem| panic!("{problem}"));
    }

    fn stopping(&self) -> Command {
        let mut stop = self.control();
        stop.args(["stop", "-m", "immediate", "-s"]);
        stop
    }

    fn control(&self) -> Command {
        let mut control = as_user(self.user.as_deref(), &self.bin.join("pg_ctl"), &self.home);
        control.arg("-D").arg(self.home.join("data"));
        control
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if !self.shared {
            let _ = done(&mut self.stopping());
        }
    }
}

fn shell_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| format!("'{}'", word.to_str().unwrap())).collect::<Vec<_>>().join(" ")
}
