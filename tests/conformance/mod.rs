//! What a peer must be able to count on: 44 points, each a test against the running binary under the number that it has in the
//! checklist, and one test for each published advisory whose mistake could be made here ([`advisories`]).
//!
//! | points | file |
//! |---|---|
//! | 1–13 | [`actor`]: actors and discovery |
//! | 14–26 | [`object`]: what a post looks like |
//! | 27–37 | [`delivery`]: what goes out, and what comes back |
//! | 38–44 | [`safety`]: what is refused, and what a load does |

mod actor;
mod advisories;
mod delivery;
mod object;
mod safety;

use std::collections::BTreeMap;
use std::path::Path;

/// How many points there are.
const POINTS: usize = 44;

/// Makes a test on SQLite alone, where nothing of it is in the database.
macro_rules! on_sqlite {
    ($($(#[$doc:meta])* async fn $name:ident($db:ident: Database) $body:block)+) => {$(
        $(#[$doc])*
        #[test]
        fn $name() {
            async fn test($db: $crate::harness::Database) $body
            $crate::harness::run(test, $crate::harness::Kind::Sqlite);
        }
    )+};
}
use on_sqlite;

/// The numbers of the tests of a text whose names begin with one, and where they stand.
fn numbered(path: &str, text: &str, found: &mut BTreeMap<usize, Vec<String>>) {
    for (line, name) in text.lines().enumerate().filter_map(|(n, line)| Some((n + 1, line.split("fn c").nth(1)?))) {
        let digits: String = name.chars().take_while(char::is_ascii_digit).collect();
        if let (2, Some('_'), Ok(number)) = (digits.len(), name.chars().nth(2), digits.parse()) {
            found.entry(number).or_default().push(format!("{path}:{line}"));
        }
    }
}

/// Every file of Rust below a folder, with its text.
fn texts(folder: &Path, all: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("node_modules") {
            texts(&path, all);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            all.push((path.display().to_string(), std::fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn each_point_has_one_test_and_no_other_test_has_its_number() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut all = Vec::new();
    texts(&tests, &mut all);
    let mut found = BTreeMap::new();
    all.iter().for_each(|(path, text)| numbered(path, text, &mut found));
    let wrong: Vec<_> = (1..=POINTS).filter(|n| found.get(n).is_none_or(|places| places.len() != 1)).collect();
    assert!(wrong.is_empty(), "not one test each: {wrong:?} of {found:#?}");
    assert_eq!(found.len(), POINTS, "there is no such point: {:?}", found.keys().rfind(|n| **n > POINTS));
    let elsewhere: Vec<_> = found.values().flatten().filter(|place| !place.contains("/tests/conformance/")).collect();
    assert!(elsewhere.is_empty(), "{elsewhere:?}");
}
