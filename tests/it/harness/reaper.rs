//! Clears up at the end of the test binary, however it ends: the test runner has no such hook. A shell waits until the pipe
//! that this process holds is closed, then runs what it was told.

use std::io::Write;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Mutex, OnceLock};

const SCRIPT: &str = r#"trap "" INT HUP TERM; cd /; script=$(cat); eval "$script""#;

static REAPER: OnceLock<Mutex<ChildStdin>> = OnceLock::new();

/// Has a shell run `command` when this process has ended.
#[allow(clippy::zombie_processes)] // The shell outlives this process: that is its point.
pub fn at_the_end(command: &str) {
    let reaper = REAPER.get_or_init(|| {
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("a shell to clear up with");
        Mutex::new(shell.stdin.take().unwrap())
    });
    let mut stdin = reaper.lock().unwrap();
    writeln!(stdin, "{command}").unwrap();
    stdin.flush().unwrap();
}
