//! The programs of PostgreSQL that are installed, and how to run them. The benchmarks include this file.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder with `initdb` and `pg_ctl`: on the `PATH`, or where Debian puts them, the newest.
pub fn programs() -> Option<PathBuf> {
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
pub fn unprivileged() -> Option<String> {
    let said = |command: &mut Command| command.output().ok().filter(|output| output.status.success());
    let root = said(Command::new("id").arg("-u")).is_some_and(|output| output.stdout.trim_ascii() == b"0");
    let user = if said(Command::new("id").args(["-u", "postgres"])).is_some() { "postgres" } else { "nobody" };
    root.then(|| user.to_owned())
}

/// A program of PostgreSQL, in the folder of a cluster.
pub fn as_user(user: Option<&str>, program: &Path, home: &Path) -> Command {
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

/// Makes the files of a cluster in `data` of that folder, behind a password, which is in `password` there.
pub fn initdb(bin: &Path, user: Option<&str>, home: &Path) -> Command {
    let mut initdb = as_user(user, &bin.join("initdb"), home);
    initdb.arg("-D").arg(home.join("data")).arg("--pwfile").arg(home.join("password"));
    initdb.args(["-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8"]);
    initdb
}

/// Waits until it ended well.
pub fn done(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|e| format!("{command:?}: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr)))
}
