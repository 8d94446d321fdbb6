//! `heraut demo --once`, as the README tells everybody to run it.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long the whole story may take, on a busy machine.
const DEADLINE: Duration = Duration::from_secs(120);

/// The steps of the story, as they begin its lines.
const STORY: &[&str] = &[
    "site",
    "gateway",
    "actor",
    "unproven",
    "proof",
    "proven",
    "follow",
    "accepted",
    "polled",
    "news",
    "composed",
    "picture",
    "signed",
    "delivered",
    "verified",
    "correction",
    "edited",
    "mistake",
    "withdrawn",
    "gone",
    "news",
    "receipt",
    "open",
];

/// The running demo; it does not outlive the test.
struct Demo(Child);

impl Demo {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_heraut"));
        command.args(["demo", "--once"]).env_remove("HERAUT_LOG").env_remove("HERAUT_MASTER_KEY");
        Self(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }

    fn wait(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < DEADLINE, "the demo did not end within {} s", DEADLINE.as_secs());
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Reads a stream to its end, beside the test.
fn reading(mut stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

#[test]
fn the_demo_tells_its_whole_story_in_order_and_ends_well() {
    let mut demo = Demo::start();
    let (out, err) = (reading(demo.0.stdout.take().unwrap()), reading(demo.0.stderr.take().unwrap()));
    let status = demo.wait();
    let (out, err) = (out.recv().unwrap(), err.recv().unwrap());
    assert_eq!(status.code(), Some(0), "standard output:\n{out}\nstandard error:\n{err}");
    assert_eq!(err, "", "the demo has nothing to complain about");
    let mut steps: Vec<&str> = out.lines().filter_map(|line| line.split_whitespace().next()).collect();
    steps.dedup();
    assert_eq!(steps, STORY, "{out}");
    let line = |step: &str| out.lines().find(|line| line.starts_with(step)).unwrap();
    assert!(line("composed").contains("Dijk bij Voorbeeldstad is veilig"), "{out}");
    assert!(line("picture").contains("Een groene dijk"), "{out}");
    assert!(line("gone").contains("410"), "{out}");
    let receipts: Vec<&str> = out.lines().filter(|line| line.starts_with("receipt")).collect();
    let kinds: Vec<_> = receipts.iter().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert_eq!(kinds, ["Accept", "Create", "Update", "Delete", "Create"], "{out}");
    assert!(receipts.iter().all(|line| line.contains(": delivered, 1 tries")), "{receipts:#?}");
    let folder = line("gateway").split("(files in ").nth(1).unwrap().trim_end_matches(')');
    assert!(!std::path::Path::new(folder).exists(), "the demo leaves {folder} behind");
}

#[test]
fn a_reader_who_goes_away_neither_hangs_nor_breaks_the_demo() {
    let mut demo = Demo::start();
    let err = reading(demo.0.stderr.take().unwrap());
    let mut first = String::new();
    let mut stdout = BufReader::new(demo.0.stdout.take().unwrap());
    stdout.read_line(&mut first).unwrap();
    assert!(first.starts_with("site"), "{first}");
    drop(stdout);
    let status = demo.wait();
    let err = err.recv().unwrap();
    assert!(!err.contains("panicked"), "{err}");
    assert_eq!(status.code(), Some(0), "{err}");
}
