//! A throwaway PostgreSQL cluster on loopback, as durable as one in use: fsync, synchronous commit and full pages stay on.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};

use tempfile::TempDir;

use super::installed::{as_user, done, initdb, programs, unprivileged};
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
            done(Command::new("chown").args(["-R", user]).arg(home.path())).unwrap();
        }
        let url = format!("postgres://postgres:{password}@127.0.0.1:{port}/postgres");
        let cluster = Self { home, bin, user, url };
        cluster.make(port);
        Some(cluster)
    }

    fn make(&self, port: u16) {
        let data = self.data();
        done(&mut initdb(&self.bin, self.user.as_deref(), self.home.path())).unwrap();
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
        done(start.args(["-o", &options]).stdout(Stdio::null()).stderr(Stdio::null())).unwrap();
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
