//! What is written beside the code agrees with it: migrations, links, the example of the configuration.

use std::collections::BTreeSet;
use std::fs;

use heraut::post::compose::ComposeSettings;
use heraut::post::policy::SourcePolicy;
use serde_json::Value;

use super::schema::{Schema, Tables, diesel_tables, differences};
use super::source::{Source, files, root};

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn migrations(database: &str) -> Vec<String> {
    let folder = root().join("migrations").join(database);
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert!(!names.is_empty(), "{} holds no migration", folder.display());
    names
}

/// What the migrations of a database leave, replayed in order.
fn replayed(database: &str) -> Schema {
    let mut schema = Schema::default();
    for name in migrations(database) {
        let path = format!("migrations/{database}/{name}/up.sql");
        schema.apply(&text(&path)).unwrap_or_else(|problem| panic!("{path}: {problem}"));
    }
    schema
}

#[test]
fn migrations_are_twins_under_the_same_names() {
    assert_eq!(migrations("sqlite"), migrations("postgres"), "migrations/sqlite (left), migrations/postgres (right)");
    for name in migrations("sqlite") {
        for file in ["up.sql", "down.sql"] {
            for database in ["sqlite", "postgres"] {
                let path = format!("migrations/{database}/{name}/{file}");
                assert!(!text(&path).trim().is_empty(), "{path} is empty");
            }
        }
    }
}

#[test]
fn both_databases_have_the_same_tables_columns_and_indexes() {
    let (sqlite, postgres) = (replayed("sqlite"), replayed("postgres"));
    assert!(sqlite.tables.len() > 10, "the tables were not read");
    let broken = differences(("migrations/sqlite", &sqlite.tables), ("migrations/postgres", &postgres.tables));
    assert!(broken.is_empty(), "the twins differ:\n{}", broken.join("\n"));
    assert_eq!(
        sqlite.indexes, postgres.indexes,
        "the indexes of migrations/sqlite (left) and migrations/postgres (right)"
    );
    // For processes of another version on the same database; there is one process on SQLite.
    let mut shared = postgres.triggers;
    shared.retain(|name, _| !name.ends_with("_of_older_process"));
    assert_eq!(sqlite.triggers, shared, "the triggers of migrations/sqlite (left) and migrations/postgres (right)");
}

#[test]
fn the_schema_in_the_code_is_what_the_migrations_make() {
    let schema = Source::new("src/store/schema.rs", &text("src/store/schema.rs"));
    let (made, said) = (replayed("postgres").tables, diesel_tables(&schema.code));
    let broken = differences(("migrations", &made), ("src/store/schema.rs", &said));
    assert!(broken.is_empty(), "they differ:\n{}", broken.join("\n"));
}

#[test]
fn every_migration_can_be_taken_back() {
    for database in ["sqlite", "postgres"] {
        let mut schema = replayed(database);
        for name in migrations(database).iter().rev() {
            let path = format!("migrations/{database}/{name}/down.sql");
            schema.apply(&text(&path)).unwrap_or_else(|problem| panic!("{path}: {problem}"));
        }
        assert_eq!(schema.tables, Tables::new(), "migrations/{database}: what is left when all is taken back");
        assert!(schema.triggers.is_empty(), "migrations/{database}: {:?} are left", schema.triggers);
    }
}

#[test]
fn a_planted_difference_between_twins_is_found() {
    let tables = |sql: &str| {
        let mut schema = Schema::default();
        schema.apply(sql).unwrap();
        schema.tables
    };
    let one = tables(
        "CREATE TABLE a (id BIGINT NOT NULL, -- the id,\n b TEXT, PRIMARY KEY (id, b)); CREATE TABLE c (d INT);",
    );
    let same = tables("CREATE TABLE c (d INT); CREATE TABLE a (id INTEGER NOT NULL, b TEXT DEFAULT (1, 2));");
    assert_eq!(differences(("x", &one), ("y", &same)), Vec::<String>::new());
    let other = tables("CREATE TABLE a (id BIGINT, b TEXT, e TEXT);");
    let told = differences(("x", &one), ("y", &other));
    assert_eq!(
        told,
        ["a.e is absent in x and nullable in y", "a.id is not null in x and nullable in y", "table c is only in x"]
    );
    let mut schema = Schema::default();
    assert!(schema.apply("CREATE VIEW v AS SELECT 1").is_err(), "an unknown statement is passed over");
    schema
        .apply("CREATE TRIGGER t AFTER INSERT ON a BEGIN UPDATE b SET c = 1; DELETE FROM d; END; DROP TRIGGER t;")
        .unwrap();
    assert!(schema.triggers.is_empty(), "the body of a trigger is one statement with it");
}

/// The targets of the Markdown links of a text, with their line.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        for rest in line.split("](").skip(1) {
            let target = rest.split([')', ' ']).next().unwrap_or_default();
            found.push((number + 1, target.trim_matches(['<', '>']).to_owned()));
        }
        // [name]: target
        if let Some((name, target)) = line.strip_prefix('[').and_then(|l| l.split_once("]: "))
            && !name.contains(']')
        {
            found.push((number + 1, target.split(' ').next().unwrap_or_default().to_owned()));
        }
    }
    found
}

/// The links of a document that lead to no file, and to no heading in it.
fn dead_links(path: &str, text_of: &str) -> Vec<String> {
    let folder = root().join(path).parent().unwrap().to_owned();
    let mut broken = Vec::new();
    for (line, target) in links(text_of) {
        let elsewhere = target.contains("://") || target.starts_with("mailto:");
        let (file, anchor) = target.split_once('#').map_or((target.as_str(), None), |(f, a)| (f, Some(a)));
        let there = if file.is_empty() { root().join(path) } else { folder.join(file) };
        if elsewhere {
            continue;
        }
        if !there.exists() {
            broken.push(format!("{path}:{line}: {target} leads to no file"));
        } else if let Some(anchor) = anchor.filter(|_| there.extension().is_some_and(|e| e == "md")) {
            let headings = anchors(&fs::read_to_string(&there).unwrap());
            if !headings.contains(anchor) {
                broken.push(format!("{path}:{line}: {target} leads to no heading; there are {headings:?}"));
            }
        }
    }
    broken
}

/// The anchors of the headings, as forges make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let slug = |heading: &str| {
        let title = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        title.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect::<String>()
    };
    headings.map(slug).collect()
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let mut documents: Vec<String> = fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".md"))
        .collect();
    let below = ["docs", "connectors", "tests"].into_iter().filter(|folder| root().join(folder).is_dir());
    // What is read as a press release in a test is no document of ours.
    let is_document = |path: &String| path.ends_with(".md") && !path.contains("/fixtures/");
    documents.extend(files(&below.collect::<Vec<_>>()).into_iter().filter(is_document));
    assert!(documents.len() > 2, "no documents were found");
    let broken: Vec<String> = documents.iter().flat_map(|path| dead_links(path, &text(path))).collect();
    assert!(broken.is_empty(), "dead links:\n{}", broken.join("\n"));
    let planted =
        dead_links("README.md", "see [it](docs/nowhere.md)\n[x](Cargo.toml) [y](https://a.example/) [z](#no-such)");
    assert_eq!(planted.len(), 2, "{planted:?}");
    assert!(planted[0].starts_with("README.md:1: docs/nowhere.md"), "{planted:?}");
}

#[test]
fn the_documents_that_every_reader_looks_for_are_there() {
    let wanted = [
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "FEDERATION.md",
        "SECURITY.md",
        "LICENSE",
        "publiccode.yml",
        "docs/adr",
        "connectors/README.md",
        ".ci/run",
        "tests/run",
    ];
    let missing: Vec<_> = wanted.into_iter().filter(|path| !root().join(path).exists()).collect();
    assert!(missing.is_empty(), "these are missing: {missing:?}");
    let readme = text("README.md");
    for command in ["cargo run --release -- demo", "tests/run"] {
        assert!(readme.contains(command), "README.md does not say `{command}`");
    }
    assert!(text("CHANGELOG.md").lines().any(|line| line.starts_with("## ")), "CHANGELOG.md names no version");
}

#[test]
fn every_decision_record_that_is_named_exists() {
    let mut broken = Vec::new();
    for path in
        files(&["src", "connectors", "migrations", "tests"]).into_iter().chain(["config.example.toml".to_owned()])
    {
        let Ok(content) = fs::read_to_string(root().join(&path)) else { continue };
        for (number, line) in content.lines().enumerate() {
            for rest in line.split("docs/adr/").skip(1).filter(|_| path != "tests/it/tidy/documents.rs") {
                let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || matches!(c, '-' | '.')).collect();
                let name = name.trim_end_matches('.');
                if !name.is_empty() && !root().join("docs/adr").join(name).exists() {
                    broken.push(format!("{path}:{}: docs/adr/{name} does not exist", number + 1));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// The example's table `[source.<name>]`, as JSON.
fn example(name: &str) -> Value {
    let example: toml::Table = text("config.example.toml").parse().unwrap();
    let sources = example["source"].as_array().unwrap();
    let table = sources.iter().find_map(|source| source.get(name));
    serde_json::to_value(table.unwrap_or_else(|| panic!("config.example.toml has no [source.{name}]"))).unwrap()
}

/// The keys whose values differ, with both.
fn unequal(shown: &Value, default: &Value) -> Vec<String> {
    let keys: BTreeSet<&String> = [shown, default].into_iter().flat_map(|v| v.as_object().unwrap().keys()).collect();
    let differing = keys.into_iter().filter(|key| shown.get(key) != default.get(key));
    let say = |value: Option<&Value>| value.map_or("absent".to_owned(), Value::to_string);
    differing.map(|key| format!("{key}: {} and {}", say(shown.get(key)), say(default.get(key)))).collect()
}

#[test]
fn the_example_shows_every_key_of_policy_with_its_default() {
    let mut default = serde_json::to_value(SourcePolicy::default()).unwrap();
    // Stored only where they are used.
    default["crisis"] = false.into();
    default["spread"] = "0s".into();
    let broken = unequal(&example("policy"), &default);
    assert!(broken.is_empty(), "config.example.toml and SourcePolicy::default() differ:\n{}", broken.join("\n"));
    let mut altered = example("policy");
    altered["flood_fuse"] = 11.into();
    altered["no_such"] = true.into();
    assert_eq!(unequal(&altered, &default), ["flood_fuse: 11 and 10", "no_such: true and absent"]);
}

#[test]
fn the_example_shows_every_key_of_compose_with_its_default() {
    let default = serde_json::to_value(ComposeSettings::default()).unwrap();
    let broken = unequal(&example("compose"), &default);
    assert!(broken.is_empty(), "config.example.toml and ComposeSettings::default() differ:\n{}", broken.join("\n"));
}

/// The text of a document below a heading, up to the next one of any level.
fn below<'t>(document: &'t str, heading: &str) -> &'t str {
    let start = document.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("there is no {heading}"));
    let text = &document[start + heading.len() + 2..];
    text.find("\n#").map_or(text, |end| &text[..end])
}

/// The types that the first cells of a table name, before what they are about.
fn types_of_table(text: &str) -> BTreeSet<String> {
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `")).map(|row| format!("`{row}"));
    let cells: Vec<String> = rows.map(|row| row.split(" | ").next().unwrap_or_default().to_owned()).collect();
    let named = cells.iter().map(|cell| cell.split(" of ").next().unwrap_or_default());
    let named = named.map(|cell| cell.split(" with a ").next().unwrap_or_default());
    named.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// FEP-67ff.
#[test]
fn federation_md_claims_what_the_code_claims_and_does() {
    use heraut::activity::claims::{FEPS, READ, SENT};
    let set = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<BTreeSet<_>>();
    let document = text("FEDERATION.md");
    let feps = below(&document, "## Supported FEPs").lines().filter_map(|line| line.strip_prefix("- [FEP-"));
    let feps: BTreeSet<String> = feps.map(|rest| rest.split(']').next().unwrap_or_default().to_owned()).collect();
    assert_eq!(feps, set(FEPS), "FEPs of FEDERATION.md (left) and of activity::claims (right)");
    assert_eq!(types_of_table(below(&document, "### What is sent")), set(SENT), "sent: document, table");
    assert_eq!(types_of_table(below(&document, "### What is read")), set(READ), "read: document, table");
    let mut made = BTreeSet::new();
    for path in files(&["src/activity"]).into_iter().filter(|path| path.ends_with(".rs") && !path.contains("tests")) {
        let code = text(&path);
        for maker in ["envelope(\"", "answer(\"", "change(\""] {
            made.extend(code.split(maker).skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned));
        }
    }
    assert_eq!(made, set(SENT), "the types that src/activity makes (left) and says that it makes (right)");
}
