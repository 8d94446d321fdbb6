//! `heraut source show`, for people: a line for each thing that there is to say, times as times, and of settings those that are not
//! as usual.

use serde_json::{Map, Value, json};

use crate::cli::output;
use crate::time::Timestamp;

/// What is not said, because it says nothing to a person.
const INSIDE: [&str; 3] = ["reader", "politeness", "stopped"];

/// Prints a description of a source. `usual` holds the settings that a source has without being told.
pub fn print(row: &Map<String, Value>, usual: &Map<String, Value>) {
    lines(row, usual).into_iter().for_each(output::line);
}

fn lines(row: &Map<String, Value>, usual: &Map<String, Value>) -> Vec<String> {
    let mut lines = Vec::new();
    for (key, value) in row {
        match (value, usual.get(key)) {
            (Value::Object(settings), Some(Value::Object(usual))) => {
                let mut other = settings.iter().filter(|(name, value)| usual.get(*name) != Some(*value)).peekable();
                if other.peek().is_none() {
                    lines.push(line(key, "as usual"));
                }
                lines.extend(other.map(|(name, value)| line(&format!("{key}.{name}"), &said(name, value))));
            }
            (Value::Object(parts), None) => {
                let told = parts.iter().filter(|(name, value)| !INSIDE.contains(&name.as_str()) && tells(value));
                lines.extend(told.map(|(name, value)| line(&format!("{key}.{name}"), &said(name, value))));
            }
            _ => lines.push(line(key, &said(key, value))),
        }
    }
    lines
}

fn line(key: &str, value: &str) -> String {
    format!("{key:<24} {value}")
}

fn tells(value: &Value) -> bool {
    !(value.is_null() || *value == json!(0) || *value == json!("") || *value == json!([]) || *value == json!({}))
}

fn said(name: &str, value: &Value) -> String {
    match (value.as_str(), value.as_i64()) {
        (Some(text), _) => text.to_owned(),
        (None, Some(at)) if name.ends_with("_at") || name.ends_with("_since") => Timestamp(at).to_rfc3339(),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_reads_times_and_what_is_not_as_usual() {
        let row = json!({
            "name": "nieuws", "settings": { "url": "https://a.example/", "empty": null },
            "policy": { "approval": true, "flood_fuse": 10 }, "compose": { "length_max": 500 }, "schedule": "15m",
            "progress": { "polled_at": 1_795_417_960_150_i64, "failures": 0, "etag": null, "reader": 2, "politeness": "{}" },
        });
        let usual = json!({ "policy": { "approval": false, "flood_fuse": 10 }, "compose": { "length_max": 500 } });
        let shown = lines(row.as_object().unwrap(), usual.as_object().unwrap());
        let shown: Vec<String> =
            shown.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        let mut wanted = [
            "name nieuws",
            "settings.url https://a.example/",
            "policy.approval true",
            "compose as usual",
            "schedule 15m",
            "progress.polled_at 2026-11-23T07:12:40Z",
        ];
        let mut found: Vec<&str> = shown.iter().map(String::as_str).collect();
        wanted.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, wanted);
    }
}
