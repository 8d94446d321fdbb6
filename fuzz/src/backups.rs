//! A file that is said to be a backup: its header, and what an envelope that opens has in it.

use std::io::Write;
use std::sync::atomic::AtomicBool;

use flate2::Compression;
use flate2::write::GzEncoder;
use heraut::backup::Watch;
use heraut::backup::envelope::{Opener, work_log2};
use heraut::backup::read::{Check, read_opened};

/// Work that is done for a guess: the rest of the header is read without.
const WORK_LOG2_MAX: u8 = 4;

/// The file, and the same bytes as the archive inside.
pub(crate) fn run(input: &[u8]) {
    if work_log2(input).is_ok_and(|work| work <= WORK_LOG2_MAX) {
        let _ = Opener::new(input, "a passphrase");
    }
    let watch = Watch { stop: &AtomicBool::new(false), tell: &|_| {} };
    let _ = read_opened(input, &mut Check, &watch);
    let mut archive = GzEncoder::new(Vec::new(), Compression::none());
    archive.write_all(input).unwrap();
    let _ = read_opened(archive.finish().unwrap().as_slice(), &mut Check, &watch);
}
