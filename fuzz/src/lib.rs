//! The fuzz targets, one function each over any bytes: a panic in one is a defect, and so is more memory than
//! [`MEMORY_BYTES_MAX`], and so is an answer that differs when it is asked for again.
//!
//! `fuzz/run` runs them all for a few seconds, `cargo fuzz run -s none <target> fuzz/corpus/<target> fuzz/seeds/<target>` runs one
//! for as long as you like. What they begin with: the fixtures of the connectors and of other servers, written in the forms that the
//! targets read ([`seeds`]), and the files of `fuzz/seeds/`. The tests of this crate run all of that without a fuzzer.

mod backups;
mod connectors;
mod posts;
mod proofs;
mod registers;
pub mod seeds;
mod servers;

use std::alloc::System;

use cap::Cap;

/// Most bytes that reading one input may take, of at most [`Target::bytes_max`].
pub const MEMORY_BYTES_MAX: usize = 64 * 1_024 * 1_024;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// One target.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name, and that of its program and of its folder of seeds.
    pub name: &'static str,
    /// What it does with an input.
    pub run: fn(&[u8]),
    /// Longest input that is tried.
    pub bytes_max: usize,
}

/// All of them.
pub static TARGETS: &[Target] = &[
    Target { name: "read", run: connectors::read, bytes_max: 65_536 },
    Target { name: "receive", run: connectors::receive, bytes_max: 65_536 },
    Target { name: "profiles", run: connectors::profiles, bytes_max: 4_096 },
    Target { name: "rich", run: connectors::rich, bytes_max: 65_536 },
    Target { name: "templates", run: connectors::templates, bytes_max: 8_192 },
    Target { name: "posts", run: posts::run, bytes_max: 65_536 },
    Target { name: "servers", run: servers::run, bytes_max: 16_384 },
    Target { name: "registers", run: registers::run, bytes_max: 65_536 },
    Target { name: "proofs", run: proofs::run, bytes_max: 16_384 },
    Target { name: "backups", run: backups::run, bytes_max: 16_384 },
];

/// The target of that name.
///
/// # Panics
/// When there is none.
pub fn target(name: &str) -> Target {
    *TARGETS.iter().find(|target| target.name == name).unwrap_or_else(|| panic!("there is no target {name}"))
}

/// Runs a target over an input within its memory: what asks for more ends the process.
pub fn within_memory(target: &Target, input: &[u8]) {
    let most = MEMORY.allocated().saturating_add(MEMORY_BYTES_MAX);
    assert!(MEMORY.set_limit(most).is_ok(), "the limit on memory could not be set");
    (target.run)(input);
    assert!(MEMORY.set_limit(usize::MAX).is_ok(), "the limit on memory could not be lifted");
}

/// The program of a target: under a fuzzer its entry, else it runs the files that it is given.
#[macro_export]
macro_rules! target {
    ($name:literal) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|input: &[u8]| $crate::within_memory(&$crate::target($name), input));

        #[cfg(not(fuzzing))]
        fn main() {
            for path in std::env::args().skip(1) {
                let input = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
                $crate::within_memory(&$crate::target($name), &input);
                println!("{path}: holds");
            }
        }
    };
}

/// The first line as text, and what is behind it.
fn line(input: &[u8]) -> (&str, &[u8]) {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (line, rest) = input.split_at(end);
    (std::str::from_utf8(line).unwrap_or_default(), rest.get(1..).unwrap_or_default())
}

/// The one of `all` that is named, or else one that the bytes of the name choose: a fuzzer that changed the name goes on.
fn chosen<'a, T>(all: &'a [T], name: &str, of: impl Fn(&T) -> &str) -> &'a T {
    let sum = name.bytes().fold(0usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(byte)));
    all.iter().find(|one| of(one) == name).unwrap_or_else(|| &all[sum % all.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_holds_within_the_memory_that_an_input_may_take() {
        for target in TARGETS {
            let seeds = seeds::all(target.name);
            assert!(!seeds.is_empty(), "{} has no seeds", target.name);
            for (name, input) in seeds {
                assert!(input.len() <= target.bytes_max, "{}/{name} is longer than what is tried", target.name);
                println!("{}/{name}", target.name);
                (target.run)(&input);
            }
        }
    }

    #[test]
    fn each_target_has_a_program_and_no_folder_of_seeds_is_for_none() {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        let manifest = std::fs::read_to_string(seeds::root().join("fuzz/Cargo.toml")).unwrap();
        for name in &names {
            assert!(manifest.contains(&format!("path = \"targets/{name}.rs\"")), "{name}");
        }
        for folder in std::fs::read_dir(seeds::root().join("fuzz/seeds")).unwrap() {
            let name = folder.unwrap().file_name().into_string().unwrap();
            assert!(names.contains(&name.as_str()), "fuzz/seeds/{name} is for no target");
        }
    }

    #[test]
    fn a_changed_name_still_chooses() {
        let all = ["feed", "cap"];
        assert_eq!(*chosen(&all, "cap", |name| name), "cap");
        assert!(all.contains(chosen(&all, "caq", |name| name)));
    }
}
