//! The structure of the code, tested: who may use whom, what the core must not do, names, lengths, twins. It reads the sources
//! as text. Each rule says every place that breaks it; `a_planted_violation_of_each_rule_is_found` shows that it can.

mod documents;
mod imports;
mod schema;
mod source;

use std::collections::BTreeSet;
use std::fs;

use imports::imports;
use source::{Source, files, places, root, sources, words};

/// Longest source file, in lines; a longer one holds two subjects.
const LINES_MAX: usize = 500;
/// Longest file of tests, in lines: tables of cases may be long.
const TEST_LINES_MAX: usize = 700;

/// Every module of the gateway, from the bottom up, and the modules that it may use. A module stands below all that may use it.
const MAY_USE: &[(&str, &str)] = &[
    ("ids", ""),
    ("time", ""),
    ("urls", "ids"),
    // The core, in the order in which things flow.
    ("source", "ids time urls"),
    ("actor", "ids time urls"),
    ("post", "actor source ids time urls"),
    ("activity", "post actor ids time urls"),
    ("delivery", "activity post actor ids time urls"),
    ("signature", "actor ids time urls"),
    ("inbox", "activity actor ids time urls"),
    ("target", "delivery activity post actor ids time urls"),
    ("hook", "ids time"),
    ("register", "time urls"),
    ("websub", "time"),
    // The types of the file; of the core it takes what a value must be. Only `app` and `cli` read it, and hand each part its own.
    ("config", "actor post register target source ids time urls"),
    // Seals keys: takes the redacting `Secret` and the name of the variable, see `the_vault_and_the_backup_know_no_configuration`.
    ("vault", "config"),
    // Counts; what is counted it knows from the core.
    ("metrics", "delivery source time"),
    // Traces have the target that the spans of `metrics` have.
    ("telemetry", "metrics"),
    // The effects. They never see each other.
    ("store", "metrics source actor post activity delivery signature inbox target hook register websub ids time urls"),
    ("net", "metrics source actor post activity delivery signature inbox target hook register websub ids time urls"),
    // The whole installation as one file, and back.
    ("backup", "store vault config ids time urls"),
    // The shell.
    (
        "flow",
        "store net vault metrics source actor post activity delivery signature inbox target hook register websub ids time urls",
    ),
    (
        "web",
        "flow store metrics source actor post activity delivery signature inbox target hook register websub ids time urls",
    ),
    (
        "app",
        "web flow store net vault config telemetry metrics source actor post activity delivery signature inbox target hook register websub ids time urls",
    ),
    (
        "cli",
        "app web flow backup store net vault config telemetry metrics source actor post activity delivery signature inbox target hook register websub ids time urls",
    ),
    ("main", "cli"),
];

/// Macros that stand at the root of the crate by the rules of Rust, and the module that makes them.
const ROOT_MACROS: &[(&str, &str)] = &[("on", "store")];

/// Turn values into values.
const CORE: &[&str] =
    &["source", "actor", "post", "activity", "delivery", "signature", "inbox", "target", "hook", "register", "websub"];
/// Stand below the core and are as pure, but that ids and instants say how a database stores them.
const BASE: &[&str] = &["ids", "time", "urls"];
/// What waits, asks the system, or reaches outside.
const IMPURE: &[&str] = &[
    "async",
    "await",
    "tokio",
    "futures",
    "reqwest",
    "diesel",
    "actix_web",
    "actix",
    "rand",
    "SystemTime",
    "UNIX_EPOCH",
    "Instant::now",
    "Utc::now",
    "Local::now",
    "std::fs",
    "std::env",
    "std::io::stdin",
    "std::process",
    "std::thread",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "Mutex",
    "RwLock",
    "thread_local",
];

/// Words that stand in the core for another reason, with their file.
const HARMLESS: &[(&str, &str)] = &[
    // To sign by PKCS#1 v1.5 AWS-LC is handed a source of randomness, which that padding does not use.
    ("src/actor/key.rs", "rand"),
];

/// What reaches outside, and the modules that are its only home.
const HOMES: &[(&str, &str)] = &[
    ("diesel", "store ids time"),
    ("reqwest", "net telemetry"),
    ("hyper", "net"),
    ("rustls", "net telemetry"),
    ("actix_web", "web app cli"),
    ("askama", "web"),
    ("prometheus", "metrics"),
    ("SystemTime", "flow"),
    ("Utc::now", "flow"),
    ("env::var", "config"),
    ("env::vars", "config"),
];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] =
    &["util", "utils", "helper", "helpers", "common", "misc", "manager", "managers", "service", "services", "stuff"];

/// What ends the program when the world is not as expected.
const PANICS: &[&str] = &["unwrap", "expect", "unwrap_unchecked"];
const PANIC_MACROS: &[&str] = &["todo", "unimplemented", "dbg", "panic", "unreachable"];
/// Lints that hold the same, and more, and must not be switched off.
const KEPT_LINTS: &[&str] = &[
    "unwrap_used",
    "expect_used",
    "indexing_slicing",
    "clippy::panic",
    "clippy::todo",
    "clippy::unimplemented",
    "dbg_macro",
    "unsafe_code",
    "too_many_lines",
];

#[test]
fn every_import_points_down_the_map() {
    hold("the direction is main → cli → app → web → flow → {store, net} → core; see MAY_USE", against_direction);
}

#[test]
fn the_table_of_imports_has_no_cycle() {
    for (place, (module, below)) in MAY_USE.iter().enumerate() {
        for used in below.split_whitespace() {
            assert!(MAY_USE[..place].iter().any(|(name, _)| *name == used), "{used} does not stand below {module}");
        }
    }
}

#[test]
fn every_module_stands_in_the_map_of_the_crate_and_in_the_table_of_imports() {
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let declared: BTreeSet<&str> =
        lib.lines().filter_map(|l| l.strip_prefix("pub mod ").or(l.strip_prefix("mod "))?.strip_suffix(';')).collect();
    assert!(declared.len() > 10, "the modules of src/lib.rs were not read");
    let tabled: BTreeSet<&str> = MAY_USE.iter().map(|(name, _)| *name).filter(|name| *name != "main").collect();
    assert_eq!(declared, tabled, "src/lib.rs (left) and MAY_USE in tests/it/tidy.rs (right)");
    let row = |name: &&&str| lib.lines().any(|l| l.starts_with("//! |") && l.contains(&format!("[`{name}`]")));
    let missing: Vec<_> = declared.iter().filter(|name| !row(name)).collect();
    assert!(missing.is_empty(), "src/lib.rs: its map has no row for {missing:?}");
}

#[test]
fn the_vault_and_the_backup_know_no_configuration() {
    hold("vault may take config::Secret and the name of its variable, no more, and so may backup", |source| {
        let ours = source.path.starts_with("src/vault") || source.path.starts_with("src/backup");
        let allowed = |path: &str| path == "config::Secret" || path == "config::environment::MASTER_KEY";
        let uses = if ours { imports(source) } else { Vec::new() };
        let paths = uses.into_iter().map(|import| (import.at, import.segments.join("::")));
        paths
            .filter(|(_, path)| path.starts_with("config") && !allowed(path))
            .map(|(at, path)| found(source, at, &path))
            .collect()
    });
}

/// What is there for every connector.
const COMMON: &[&str] =
    &["contract", "draft", "error", "fields", "item", "json", "rich", "settings", "template", "trial"];

#[test]
fn a_connector_uses_the_contract_and_itself_and_no_other_connector() {
    hold("a connector uses what all connectors share, and its own folder", |source| {
        let Some((kind, _)) = source.path.strip_prefix("connectors/").and_then(|p| p.split_once('/')) else {
            return Vec::new();
        };
        let allowed = |top: &str| COMMON.contains(&top) || top == kind;
        let uses = imports(source).into_iter().filter(|_| kind != "examples");
        uses.filter(|i| !allowed(&i.segments[0])).map(|i| found(source, i.at, &i.segments.join("::"))).collect()
    });
}

#[test]
fn the_core_waits_for_nothing_and_asks_the_system_nothing() {
    hold(
        "the core turns values into values: time, randomness and ids are arguments, effects belong to store, net and flow",
        impure,
    );
}

#[test]
fn what_reaches_outside_has_one_home() {
    hold("each way outside has one home; see HOMES", away_from_home);
}

#[test]
fn no_file_is_longer_than_the_limit() {
    hold("a longer file holds two subjects: split it", too_long);
}

#[test]
fn no_file_folder_or_module_has_a_name_that_says_nothing() {
    let mut broken: Vec<String> = files(&["src", "connectors", "tests", "migrations"])
        .into_iter()
        .filter(|path| path.split('/').any(|part| EMPTY_NAMES.contains(&part.split('.').next().unwrap_or(part))))
        .collect();
    broken.extend(all().iter().flat_map(empty_names));
    assert!(broken.is_empty(), "name it after what is inside:\n{}", broken.join("\n"));
}

#[test]
fn nothing_outside_tests_panics_on_purpose() {
    hold("return an error that names the attempt and the way out", panicking);
}

#[test]
fn no_lint_against_panics_is_switched_off() {
    hold("mend the code instead", lint_off);
}

#[test]
fn no_test_is_ignored() {
    hold("a test that does not run tells nothing: mend it or remove it", ignored);
}

#[test]
fn nothing_is_left_to_do_in_a_comment() {
    hold("do it, or open an issue and name it: TODO(#12)", left_to_do);
}

#[test]
fn every_connector_has_fixtures_that_it_reads_and_fixtures_that_it_refuses() {
    let lib = fs::read_to_string(root().join("connectors/lib.rs")).unwrap();
    let folders: BTreeSet<String> = fs::read_dir(root().join("connectors"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().join("mod.rs").is_file())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    assert!(!folders.is_empty(), "no connector was found");
    let mut broken = Vec::new();
    for kind in &folders {
        if !lib.contains(&format!("pub mod {kind};")) {
            broken.push(format!("connectors/lib.rs: no `pub mod {kind};`"));
        }
        for wanted in ["fixtures/settings.json", "fixtures/good", "fixtures/bad"] {
            let path = format!("connectors/{kind}/{wanted}");
            let there = root().join(&path);
            let filled = there.is_file() || fs::read_dir(&there).is_ok_and(|mut entries| entries.next().is_some());
            if !filled {
                broken.push(format!("{path}: is missing or empty"));
            }
        }
    }
    assert!(broken.is_empty(), "see connectors/README.md:\n{}", broken.join("\n"));
}

#[test]
fn a_planted_violation_of_each_rule_is_found() {
    type Rule = fn(&Source) -> Vec<String>;
    let long = "//\n".repeat(LINES_MAX + 1);
    let planted: &[(&str, Rule, &str, &str, usize)] = &[
        ("upwards", against_direction, "src/store/x.rs", "use crate::flow::Gateway;", 1),
        ("effects see each other", against_direction, "src/net/x.rs", "fn f() {\n crate::store::Db::open() }", 2),
        ("in a group", against_direction, "src/post/x.rs", "use crate::{time, activity::{self, B}};", 1),
        ("by super", against_direction, "src/web/x.rs", "\nuse super::super::net::Client;", 2),
        ("unknown module", against_direction, "src/web/x.rs", "use crate::elsewhere::X;", 1),
        ("async", impure, "src/post/x.rs", "pub async fn f() {}", 1),
        ("clock", impure, "src/inbox/x.rs", "\n\nlet t = Instant::now();", 3),
        ("database", impure, "src/actor/x.rs", "use diesel::prelude::*;", 1),
        ("a connector that waits", impure, "connectors/feed/x.rs", "std::thread::sleep(d)", 1),
        ("away from home", away_from_home, "src/flow/x.rs", "use reqwest::Client;", 1),
        ("environment", away_from_home, "src/net/x.rs", "std::env::var(NAME)", 1),
        ("long", too_long, "src/web/x.rs", &long, LINES_MAX + 1),
        ("a module without a name", empty_names, "src/web/x.rs", "mod utils {}", 1),
        ("unwrap", panicking, "src/web/x.rs", "fn f() {\n\nx.unwrap() }", 3),
        ("expect", panicking, "src/web/x.rs", "x\n .expect(\"a number\")", 2),
        ("todo", panicking, "connectors/feed/x.rs", "todo!()", 1),
        ("lint", lint_off, "src/web/x.rs", "#[allow(clippy::unwrap_used)]\nfn f() {}", 1),
        ("ignored", ignored, "src/web/x.rs", "#[test]\n#[ignore = \"slow\"]\nfn f() {}", 2),
        ("left", left_to_do, "src/web/x.rs", "// TODO: the rest", 1),
    ];
    for (name, rule, path, text, line) in planted {
        let told = rule(&Source::new(path, text));
        assert!(told.iter().any(|t| t.starts_with(&format!("{path}:{line}:"))), "{name} is not found: {told:?}");
    }
    let innocent = r##"//! async, crate::flow, unwrap()
        fn f<'a>(x: &'a str) -> char { let _ = ("tokio .unwrap() \" todo!()", r#"crate::flow::x "await" "#, b'\''); 'r' }
        /* diesel /* reqwest */ Instant::now() */ fn expect_digit() { self.rand_like(x.unwrap_or(1)); }
        #[cfg(test)]
        mod tests { use crate::flow::Gateway; fn g() { x.unwrap(); async {}; } }"##;
    let source = Source::new("src/post/x.rs", innocent);
    for rule in [against_direction as Rule, impure, away_from_home, panicking, ignored, empty_names, lint_off] {
        assert_eq!(rule(&source), Vec::<String>::new(), "{}", source.shipped);
    }
}

/// Runs a rule over all sources; fails with every place that breaks it.
fn hold(reason: &str, rule: impl Fn(&Source) -> Vec<String>) {
    let broken: Vec<String> = all().iter().flat_map(rule).collect();
    assert!(broken.is_empty(), "{reason}\n{}\n", broken.join("\n"));
}

fn all() -> Vec<Source> {
    sources(&["src", "connectors", "tests"])
}

fn found(source: &Source, at: usize, what: &str) -> String {
    format!("{}: {what}", source.place(at))
}

/// The module of the gateway that a file belongs to; none for a connector, a test, or the root.
fn gateway_module(source: &Source) -> Option<String> {
    match source.path.as_str() {
        "src/main.rs" => Some("main".to_owned()),
        path if path.starts_with("src/") => source.modules().first().cloned(),
        _ => None,
    }
}

fn against_direction(source: &Source) -> Vec<String> {
    let Some(module) = gateway_module(source) else { return Vec::new() };
    let Some((_, below)) = MAY_USE.iter().find(|(name, _)| *name == module) else {
        return vec![format!("{}:1: the module {module} does not stand in the table", source.path)];
    };
    let allowed = |top: &str| top == module || below.split_whitespace().any(|name| name == top);
    let home =
        |top: &str| ROOT_MACROS.iter().find(|(name, _)| *name == top).map_or(top.to_owned(), |(_, m)| (*m).to_owned());
    let uses = imports(source).into_iter();
    uses.filter(|import| !allowed(&home(&import.segments[0])))
        .map(|import| found(source, import.at, &format!("{module} uses {}", import.segments.join("::"))))
        .collect()
}

fn impure(source: &Source) -> Vec<String> {
    let (module, connector) = (gateway_module(source).unwrap_or_default(), source.path.starts_with("connectors/"));
    let base = BASE.contains(&module.as_str());
    let example = source.path.starts_with("connectors/examples/");
    if example || !(base || connector || CORE.contains(&module.as_str())) {
        return Vec::new();
    }
    let banned = IMPURE.iter().filter(|word| !(base && **word == "diesel" && module != "urls"));
    let hits = banned.flat_map(|word| places(&source.shipped, word).into_iter().map(move |at| (at, *word)));
    let harmless = |word: &str| HARMLESS.contains(&(source.path.as_str(), word));
    hits.filter(|(_, word)| !harmless(word)).map(|(at, word)| found(source, at, word)).collect()
}

fn away_from_home(source: &Source) -> Vec<String> {
    let Some(module) = gateway_module(source) else { return Vec::new() };
    let abroad = HOMES.iter().filter(|(_, homes)| !homes.split_whitespace().any(|home| home == module));
    abroad
        .flat_map(|(word, homes)| {
            let hits = places(&source.shipped, word).into_iter();
            hits.map(move |at| found(source, at, &format!("{word}, which belongs in {homes}"))).collect::<Vec<_>>()
        })
        .collect()
}

fn too_long(source: &Source) -> Vec<String> {
    let (lines, most) = (source.text.lines().count(), if source.is_test { TEST_LINES_MAX } else { LINES_MAX });
    // The tables, one below the other: a list, which the test of migrations compares as a whole.
    let long = lines > most && source.path != "src/store/schema.rs";
    if long { vec![format!("{}:{lines}: has {lines} lines, {most} are the most", source.path)] } else { Vec::new() }
}

fn empty_names(source: &Source) -> Vec<String> {
    let modules =
        words(&source.code).windows(2).filter(|pair| pair[0].1 == "mod").map(|pair| pair[1]).collect::<Vec<_>>();
    modules.into_iter().filter(|(_, name)| EMPTY_NAMES.contains(name)).map(|(at, n)| found(source, at, n)).collect()
}

fn panicking(source: &Source) -> Vec<String> {
    let code = source.shipped.as_str();
    let behind = |at: usize, word: &str| code[at + word.len()..].chars().next();
    let called = words(code).into_iter().filter(|(at, word)| match behind(*at, word) {
        Some('(') => PANICS.contains(word) && code[..*at].ends_with('.'),
        Some('!') => PANIC_MACROS.contains(word),
        _ => false,
    });
    called.map(|(at, word)| found(source, at, word)).collect()
}

fn lint_off(source: &Source) -> Vec<String> {
    let code = source.shipped.as_str();
    let attributes =
        places(code, "allow(").into_iter().map(|at| (at, &code[at..source::closing(code, at + "allow".len())]));
    attributes
        .flat_map(|(at, text)| {
            KEPT_LINTS.iter().filter(move |lint| !places(text, lint).is_empty()).map(move |l| (at, l))
        })
        .map(|(at, lint)| found(source, at, lint))
        .collect()
}

fn ignored(source: &Source) -> Vec<String> {
    places(&source.code, "#[ignore").into_iter().map(|at| found(source, at, "ignored")).collect()
}

fn left_to_do(source: &Source) -> Vec<String> {
    let marks = ["TODO", "FIXME", "XXX", "HACK"].into_iter().filter(|_| !source.path.starts_with("tests/"));
    let hits = marks.flat_map(|mark| places(&source.text, mark).into_iter().map(move |at| (at, mark)));
    hits.filter(|(at, mark)| !source.text[at + mark.len()..].starts_with("(#"))
        .map(|(at, m)| found(source, at, m))
        .collect()
}
