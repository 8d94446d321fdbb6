//! The program with a configuration that the test writes whole: for what [`crate::harness::Setup`] does not write, and for what
//! an operator gets wrong.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::harness::{Finished, PATIENCE};

const PROGRAM: &str = env!("CARGO_BIN_EXE_heraut");
const LOG_LINES_SHOWN: usize = 120;
const LOOK_EVERY: Duration = Duration::from_millis(25);

static NEXT: AtomicU8 = AtomicU8::new(1);

/// A folder with a configuration, a master key and, once [`Installation::serve`] was called, a running gateway.
pub struct Installation {
    folder: TempDir,
    /// Where it may listen: an address that no other test has.
    pub address: SocketAddr,
    /// Added to the environment of the program.
    pub environment: Vec<(&'static str, String)>,
    child: Option<Child>,
}

/// An address in 127.0.0.0/8 that nothing else in this process has, with a port that is free there.
pub fn fresh_address() -> SocketAddr {
    let process = u8::try_from(std::process::id() % 250).unwrap();
    let host = Ipv4Addr::new(127, 240, process, NEXT.fetch_add(1, Ordering::Relaxed));
    TcpListener::bind((host, 0)).unwrap().local_addr().unwrap()
}

impl Installation {
    /// A fresh folder with a master key and no configuration.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("heraut-it-").tempdir().unwrap();
        let installation = Self { folder, address: fresh_address(), environment: Vec::new(), child: None };
        installation.write_key(&hex::encode(rand::random::<[u8; 32]>()));
        installation
    }

    /// Writes the master key, in place of the one that is there.
    pub fn write_key(&self, text: &str) {
        let mut options = OpenOptions::new();
        let mut file =
            options.write(true).create(true).truncate(true).mode(0o600).open(self.path("master.key")).unwrap();
        writeln!(file, "{text}").unwrap();
    }

    /// A path in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the configuration.
    pub fn configure(&self, text: &str) {
        std::fs::write(self.path("config.toml"), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command.arg("--config").arg(self.path("config.toml")).args(arguments).current_dir(self.folder.path());
        command.env_remove("HERAUT_MASTER_KEY").env_remove("HERAUT_LOG").stdin(Stdio::null());
        command.envs(self.environment.iter().map(|(name, value)| (*name, value.as_str())));
        command
    }

    /// Runs a subcommand to its end; one that does not end by itself in time fails the test.
    pub fn run(&self, arguments: &[&str]) -> Finished {
        let (out, err) = (self.path("stdout"), self.path("stderr"));
        let mut command = self.command(arguments);
        let child = command.stdout(File::create(&out).unwrap()).stderr(File::create(&err).unwrap()).spawn().unwrap();
        let mut child = Killed(child);
        let began = Instant::now();
        let status = loop {
            if let Some(status) = child.0.try_wait().unwrap() {
                break status;
            }
            assert!(began.elapsed() < PATIENCE, "{arguments:?} does not end: {}", read(&err));
            std::thread::sleep(LOOK_EVERY);
        };
        let signal = status.signal();
        assert!(signal.is_none(), "{arguments:?} was ended by signal {signal:?}: {}\n{}", read(&out), read(&err));
        Finished { code: status.code().unwrap_or(-1), stdout: read(&out), stderr: read(&err) }
    }

    /// How a subcommand ends of which nothing is read.
    pub fn status(&self, arguments: &[&str]) -> ExitStatus {
        self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap()
    }

    /// Starts the gateway and waits until it is ready.
    pub async fn serve(&mut self) {
        self.spawn();
        let health = format!("http://{}/health/ready", self.address);
        let began = Instant::now();
        loop {
            let ended = self.child.as_mut().and_then(|child| child.try_wait().unwrap());
            assert!(ended.is_none(), "the gateway ended with {ended:?}:\n{}", self.log());
            assert!(began.elapsed() < PATIENCE, "the gateway does not serve:\n{}", self.log());
            let listens = tokio::net::TcpStream::connect(self.address).await.is_ok();
            if listens && crate::harness::get_as(&health, "*/*").await.status == 200 {
                return;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Starts the gateway.
    pub fn spawn(&mut self) {
        let log = File::options().create(true).append(true).open(self.path("log")).unwrap();
        let mut command = self.command(&["serve"]);
        command.env("HERAUT_LOG", "info,heraut=debug").stdout(log.try_clone().unwrap()).stderr(log);
        self.child = Some(command.spawn().unwrap());
    }

    /// Kills the gateway.
    pub fn kill(&mut self) {
        self.child.take().map(Killed);
    }

    /// All that it logged.
    pub fn log(&self) -> String {
        read(&self.path("log"))
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("── the last of the gateway's log");
            lines.iter().skip(lines.len().saturating_sub(LOG_LINES_SHOWN)).for_each(|line| eprintln!("{line}"));
        }
    }
}

/// A process that does not outlive its test.
pub struct Killed(pub Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}
