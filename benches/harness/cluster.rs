//! A throwaway PostgreSQL cluster on loopback, as durable as one in use: fsync, synchronous commit and full pages stay on.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};

use tempfile::TempDir;

use super::process;
use super::reaper;

/// A running cluster; it ends with the value.
pub struct Cluster {
    home: TempDir,
    bin: PathBuf,
    user: Option<String>,
    url: String,
}

static SHARED: OnceLock<Option<Arc<Cluster>>> = OnceLock::new();

impl Cluster {
    /// The one cluster of this run, started when it is first asked for.
    pub fn shared() -> Option<Arc<Self>> {
        SHARED.get_or_init(|| Self::start().map(Arc::new)).clone()
    }

    /// Makes and starts one; `None`, and a word about it, where PostgreSQL is not installed.
    pub fn start() -> Option<Self> {
        let Some(bin) = programs() else {
            super::note("   PostgreSQL is not installed (no initdb on the PATH or in /usr/lib/postgresql): left out");
            return None;
        };
        let home = tempfile::Builder::new().prefix("heraut-bench-postgres-").tempdir().unwrap();
        let port = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).unwrap().port();
        let password = hex::encode(rand::random::<[u8; 16]>());
        std::fs::write(home.path().join("password"), &password).unwrap();
        let user = unprivileged();
        if let Some(user) = &user {
            done(Command::new("chown").args(["-R", user]).arg(home.path()));
        }
        let url = format!("postgres://postgres:{password}@127.0.0.1:{port}/postgres");
        let cluster = Self { home, bin, user, url };
        cluster.make(port);
        Some(cluster)
    }

    fn make(&self, port: u16) {
        let data = self.data();
        let mut initdb = self.command("initdb");
        initdb.arg("-D").arg(&data).arg("--pwfile").arg(self.home.path().join("password"));
        done(initdb.args(["-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8"]));
        let options = format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c max_connections=100 \
             -c fsync=on -c synchronous_commit=on -c full_page_writes=on"
        );
        let words = [self.bin.join("pg_ctl"), PathBuf::from("-D"), data.clone()];
        let words: Vec<String> = words.iter().map(|word| format!("'{}'", word.display())).collect();
        let stop = format!("{} stop -m immediate -s", words.join(" "));
        let home = self.home.path().display();
        let stop = self.user.as_ref().map_or_else(|| stop.clone(), |user| format!("runuser -u {user} -- {stop}"));
        reaper::at_the_end(&format!("[ -d '{home}' ] && {{ {stop}; rm -rf '{home}'; }}"));
        let mut start = self.command("pg_ctl");
        start.args(["start", "-w", "-s", "-D"]).arg(&data).arg("-l").arg(self.home.path().join("log"));
        done(start.args(["-o", &options]).stdout(Stdio::null()).stderr(Stdio::null()));
    }

    fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// The URL of a superuser.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// CPU seconds of all of its processes so far.
    pub fn cpu(&self) -> f64 {
        let pid = self.pid();
        process::cpu_with_ended_children(pid)
            + process::descendants(pid).into_iter().filter(|id| *id != pid).map(process::cpu_of).sum::<f64>()
    }

    /// Puts all of its processes, and those that they will start, on these cores.
    pub fn pin(&self, cores: &str) {
        for pid in process::descendants(self.pid()) {
            process::pin(pid, cores);
        }
    }

    fn pid(&self) -> u32 {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap();
        file.lines().next().unwrap().trim().parse().unwrap()
    }

    fn command(&self, program: &str) -> Command {
        as_user(self.user.as_deref(), &self.bin.join(program), self.home.path())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let mut stop = self.command("pg_ctl");
        let _ = stop.args(["stop", "-m", "immediate", "-s", "-D"]).arg(self.data()).status();
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

fn done(command: &mut Command) {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
}
