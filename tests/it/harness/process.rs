//! One process of a gateway: how it is started, what it says, how it ends.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// How much of the log is shown when a test fails.
const LOG_LINES_SHOWN: usize = 120;

/// How a process is started, beside what its configuration says.
#[derive(Debug, Clone)]
pub struct Launch {
    program: PathBuf,
    roles: Option<String>,
    environment: Vec<(String, String)>,
}

impl Launch {
    /// The program under test, in all roles.
    pub fn new() -> Self {
        Self { program: PathBuf::from(env!("CARGO_BIN_EXE_heraut")), roles: None, environment: Vec::new() }
    }

    /// Only in these roles, as `--role` takes them.
    pub fn roles(mut self, roles: &str) -> Self {
        self.roles = Some(roles.to_owned());
        self
    }

    /// Another build of the program.
    #[allow(dead_code, reason = "tests/upgrade has another build")]
    pub fn program(mut self, program: impl Into<PathBuf>) -> Self {
        self.program = program.into();
        self
    }

    /// With a wall clock that is off by so much: `+30s`, `-30s`. The clock that measures intervals stays as it is, because the
    /// kernel's own waiting does too.
    pub fn clock(mut self, offset: &str) -> Self {
        let set = [
            ("LD_PRELOAD", faketime()),
            ("FAKETIME", offset.to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
        ];
        self.environment.extend(set.map(|(name, value)| (name.to_owned(), value)));
        self
    }

    /// The command that runs a subcommand in that folder.
    pub fn command(&self, folder: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(folder.join("config.toml")).args(arguments);
        command.current_dir(folder).env_remove("HERAUT_MASTER_KEY").env_remove("HERAUT_LOG");
        command.envs(self.environment.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
        command
    }

    /// Starts `heraut serve` with these arguments and variables, and with its log at the end of that file.
    pub fn serve(&self, folder: &Path, log: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Process {
        let file = File::options().create(true).append(true).open(log).unwrap();
        let mut command = self.command(folder, arguments);
        command.envs(environment.iter().copied());
        if let Some(roles) = &self.roles {
            command.args(["--role", roles]);
        }
        command.env("HERAUT_LOG", "info,heraut=debug").stdout(file.try_clone().unwrap()).stderr(file);
        Process { child: Some(command.spawn().unwrap()), log: log.to_owned() }
    }
}

/// The library that moves a clock, of the Debian package `faketime`; the kind for programs with threads.
fn faketime() -> String {
    let found = std::fs::read_dir("/usr/lib")
        .into_iter()
        .flatten()
        .filter_map(Result::ok)
        .map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"))
        .find(|library| library.exists());
    found.expect("libfaketime is not installed: run tests/install").to_str().unwrap().to_owned()
}

/// A running process of a gateway; it ends with the test.
pub struct Process {
    child: Option<Child>,
    log: PathBuf,
}

impl Process {
    /// Its number.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// All that it logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.as_mut().expect("it runs").try_wait().unwrap()
    }

    /// Kills it with SIGKILL: it gets to do nothing more.
    pub fn kill9(mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Asks it to stop with SIGTERM, and waits until it has.
    pub async fn stop(mut self) -> ExitStatus {
        self.signal("-TERM");
        let mut child = self.child.take().expect("it runs");
        tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    /// The most memory that it ever held, in MiB.
    pub fn peak_memory_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    }

    /// The local ports of its connections over IPv4: what came from one of them came from this process.
    pub fn ports(&self) -> HashSet<u16> {
        let folder = format!("/proc/{}", self.pid());
        let open: HashSet<String> = std::fs::read_dir(format!("{folder}/fd"))
            .unwrap()
            .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
            .filter_map(|to| Some(to.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
            .collect();
        let table = std::fs::read_to_string(format!("{folder}/net/tcp")).unwrap();
        let columns = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
        let own = columns.filter(|columns| columns.get(9).is_some_and(|inode| open.contains(*inode)));
        own.map(|columns| u16::from_str_radix(columns[1].split(':').nth(1).unwrap(), 16).unwrap()).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let shown = lines.iter().skip(lines.len().saturating_sub(LOG_LINES_SHOWN)).copied();
            eprintln!("── the last of {}\n{}", self.log.display(), shown.collect::<Vec<_>>().join("\n"));
        }
    }
}
