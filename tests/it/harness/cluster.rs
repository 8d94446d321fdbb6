//! A PostgreSQL cluster: the one of `HERAUT_TEST_POSTGRES` (`tests/run` starts it), or a throwaway one of this test binary,
//! on loopback, behind a password, and quick rather than durable; or one that a test has for itself, to stop and to start.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

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
        let home_text = home.display();
        let user = unprivileged();
        let password = hex::encode(rand::random::<[u8; 16]>());
        std::fs::write(home.join("password"), &password).unwrap();
        if let Some(user) = &user {
            done(Command::new("chown").args(["-R", user]).arg(&home))?;
        }
        let mut initdb = as_user(user.as_deref(), &bin.join("initdb"), &home);
        initdb.arg("-D").arg(home.join("data")).arg(format!("--pwfile={home_text}/password"));
        done(initdb.args(["-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]))?;
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

/// The folder with `initdb` and `pg_ctl`: on the `PATH`, or where Debian puts them, the newest.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut debian: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    debian.sort();
    folders.extend(debian.into_iter().rev().map(|(_, folder)| folder));
    folders.into_iter().find(|folder| folder.join("initdb").exists() && folder.join("pg_ctl").exists())
}

/// PostgreSQL refuses to run as root; then it runs as this user.
fn unprivileged() -> Option<String> {
    let said = |command: &mut Command| command.output().ok().filter(|output| output.status.success());
    let root = said(Command::new("id").arg("-u")).is_some_and(|output| output.stdout.trim_ascii() == b"0");
    let user = if said(Command::new("id").args(["-u", "postgres"])).is_some() { "postgres" } else { "nobody" };
    root.then(|| user.to_owned())
}

fn as_user(user: Option<&str>, program: &Path, home: &Path) -> Command {
    let mut command = match user {
        Some(user) => {
            let mut command = Command::new("runuser");
            command.args(["-u", user, "--"]).arg(program);
            command
        }
        None => Command::new(program),
    };
    command.current_dir(home);
    command
}

fn shell_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| format!("'{}'", word.to_str().unwrap())).collect::<Vec<_>>().join(" ")
}

fn done(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr)))
}
