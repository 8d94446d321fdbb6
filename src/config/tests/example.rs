//! `config.example.toml` says what the types say.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

const EXAMPLE: &str = include_str!("../../../config.example.toml");

/// The text with its hidden keys shown: a `#` that stands right before a word or a bracket is taken away.
pub(super) fn uncommented(text: &str) -> String {
    let hidden = |line: &&str| line.starts_with('#') && line[1..].starts_with(|c: char| c.is_alphabetic() || c == '[');
    text.lines().map(|line| if hidden(&line) { &line[1..] } else { line }).collect::<Vec<_>>().join("\n")
}

/// The paths of all keys; lists of tables count as one table.
fn paths(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = format!("{path}.{key}");
                found.insert(path.clone());
                paths(value, &path, found);
            }
        }
        Value::Array(values) => values.iter().for_each(|v| paths(v, path, found)),
        _ => {}
    }
}

/// The paths of all keys that have a value: neither null nor an empty list.
fn filled(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| filled(value, &format!("{path}.{key}"), found)),
        Value::Array(values) => values.iter().for_each(|v| filled(v, path, found)),
        Value::Null => {}
        _ => {
            found.insert(path.to_owned());
        }
    }
}

#[test]
fn the_example_loads_and_shows_the_defaults() {
    let config = parse(EXAMPLE).unwrap();
    let default = parse(MINIMAL).unwrap();
    let bare =
        Config { agencies: vec![], actors: vec![], sources: vec![], relays: vec![], targets: vec![], ..config.clone() };
    assert_eq!(bare, default);
    let required = format!(
        "{MINIMAL}
        [[agency]]
        name = \"voorbeeldstad\"
        domain = \"voorbeeldstad.example\"
        [[actor]]
        agency = \"voorbeeldstad\"
        handle = \"nieuws\"
        "
    );
    let actor = parse(&required).unwrap().actors.remove(0);
    let shown = config.actors[0].clone();
    let neutral = ActorConfig { name: actor.name.clone(), summary: String::new(), fields: vec![], ..shown };
    assert_eq!(neutral, actor);
}

#[test]
fn every_key_of_the_types_stands_in_the_example() {
    let text = uncommented(EXAMPLE);
    let config = serde_json::to_value(parse(&text).unwrap()).unwrap();
    let written = serde_json::to_value(text.parse::<toml::Table>().unwrap()).unwrap();
    let (mut wanted, mut there) = (BTreeSet::new(), BTreeSet::new());
    paths(&config, "", &mut wanted);
    paths(&written, "", &mut there);
    let missing: Vec<_> = wanted.difference(&there).collect();
    assert!(missing.is_empty(), "config.example.toml does not document {missing:?}");
    assert!(wanted.len() > 40, "the types were not walked: {wanted:?}");
}

#[test]
fn every_key_of_the_example_reaches_the_types() {
    let text = uncommented(EXAMPLE);
    let config = serde_json::to_value(parse(&text).unwrap()).unwrap();
    let written = serde_json::to_value(text.parse::<toml::Table>().unwrap()).unwrap();
    let (mut wanted, mut there) = (BTreeSet::new(), BTreeSet::new());
    filled(&written, "", &mut wanted);
    filled(&config, "", &mut there);
    // Read by hand: they are shown only where they are used (see `SourcePolicy`).
    let policy = &parse(&text).unwrap().sources[0].policy;
    assert_eq!((policy.crisis, policy.spread.to_string().as_str()), (false, "0s"));
    there.extend([".source.policy.crisis", ".source.policy.spread"].map(str::to_owned));
    let lost: Vec<_> = wanted.difference(&there).collect();
    assert!(lost.is_empty(), "the example sets {lost:?}, and the types do not show it");
}
