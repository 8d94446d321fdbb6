//! The gateway as its operator runs it: the built binary, its configuration file, its log.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{PATIENCE, Usage, process, reaper};

/// The program that is measured.
const PROGRAM: &str = env!("CARGO_BIN_EXE_heraut");
/// How the threads of the database are named (`src/store/hops.rs`).
const DATABASE_THREADS: &str = "heraut-db";

/// How a process of the gateway is started.
#[derive(Debug, Clone, Default)]
pub struct Start<'a> {
    /// `--role`; all of them when empty.
    pub roles: &'a str,
    /// The cores that it may use; all of them when empty.
    pub cores: &'a str,
    /// Variables of its environment.
    pub environment: &'a [(String, String)],
}

/// A process of the gateway; it is killed with the value.
pub struct Gateway {
    child: Child,
    address: Option<SocketAddr>,
    log: PathBuf,
    /// From its start until it said that it is ready.
    pub ready_after: Duration,
}

impl Gateway {
    /// Starts it on a configuration, and waits until it serves, if it serves.
    pub fn start(config: &Path, address: SocketAddr, start: &Start<'_>) -> Self {
        let folder = config.parent().unwrap();
        let log = folder.join(format!("log-{}", hex::encode(rand::random::<[u8; 4]>())));
        let mut command = pinned(start.cores);
        command.arg("--config").arg(config).arg("serve");
        if !start.roles.is_empty() {
            command.args(["--role", start.roles]);
        }
        command.current_dir(folder).env_remove("HERAUT_MASTER_KEY").env_remove("HERAUT_LOG");
        command.envs(start.environment.iter().map(|(name, value)| (name, value)));
        let file = File::create(&log).unwrap();
        let began = Instant::now();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let child = command.spawn().unwrap();
        let (pid, place) = (child.id(), folder.display());
        reaper::at_the_end(&format!("grep -qsF '{place}' /proc/{pid}/cmdline && kill -9 {pid}"));
        let serves = start.roles.is_empty() || start.roles.contains("web");
        let mut gateway = Self { child, address: serves.then_some(address), log, ready_after: Duration::ZERO };
        gateway.wait_until_ready(began);
        gateway
    }

    fn wait_until_ready(&mut self, began: Instant) {
        let Some(address) = self.address else { return };
        while !answers(address) {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "the gateway ended with {ended:?}:\n{}", self.log());
            assert!(began.elapsed() < PATIENCE, "the gateway does not serve:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(2));
        }
        self.ready_after = began.elapsed();
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has used so far.
    pub fn usage(&self) -> Usage {
        Usage::of(self.pid())
    }

    /// All that it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its threads that are not those of the database.
    pub fn working_threads(&self) -> Vec<u32> {
        let pid = self.pid();
        let database = process::threads_named(pid, DATABASE_THREADS);
        let mut ids = process::threads_named(pid, "");
        ids.retain(|id| !database.contains(id));
        ids
    }

    /// Asks it to stop with SIGTERM, and waits until it has.
    pub fn stop(mut self) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let _ = self.child.wait();
    }

    /// Kills it with SIGKILL.
    pub fn kill(self) {
        drop(self);
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let shown = lines.iter().skip(lines.len().saturating_sub(60)).copied();
            eprintln!("── the last of the gateway's log\n{}", shown.collect::<Vec<_>>().join("\n"));
        }
    }
}

/// Runs a subcommand to its end; it must end well. Gives what it printed.
pub fn cli(config: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(PROGRAM);
    command.arg("--config").arg(config).args(arguments).current_dir(config.parent().unwrap());
    command.env_remove("HERAUT_MASTER_KEY").env_remove("HERAUT_LOG").stdin(Stdio::null());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// An address with a port that is free.
pub fn free_address() -> SocketAddr {
    TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).unwrap()
}

/// Whether `/health/ready` answers 200.
fn answers(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(
            format!("GET /health/ready HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").as_bytes(),
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.starts_with("HTTP/1.1 200"))
    };
    ask().unwrap_or(false)
}

fn pinned(cores: &str) -> Command {
    if cores.is_empty() {
        return Command::new(PROGRAM);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", cores, PROGRAM]);
    command
}
