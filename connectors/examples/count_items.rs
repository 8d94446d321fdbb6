//! Counts the items of feed files: reads paths on standard input, one per line, optionally followed by a tab and a content type;
//! prints `path<TAB>count`, or `path<TAB>error<TAB>reason`. The corpus gate (`tests/corpus/run`) compares the counts.
#![allow(clippy::print_stdout, reason = "this is what the program is for")]

use std::io::{BufRead, stdin};

use heraut_connectors::CONNECTORS;
use heraut_connectors::contract::Response;
use serde_json::json;
use url::Url;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = Url::parse("https://corpus.example/feed")?;
    let kind = CONNECTORS.iter().find(|kind| kind.name() == "feed").ok_or("there is no connector `feed`")?;
    let connector = kind.configure(&json!({ "url": url.as_str() }))?;
    for line in stdin().lock().lines() {
        let line = line?;
        let (path, content_type) = match line.split_once('\t') {
            Some((path, kind)) => (path, Some(kind.to_owned())),
            None => (line.as_str(), None),
        };
        let response =
            Response { url: url.clone(), content_type, body: std::fs::read(path)?, received_at: 0, about: None };
        match connector.read(&response) {
            Ok(page) => println!("{path}\t{}", page.items.len()),
            Err(problem) => println!("{path}\terror\t{problem}"),
        }
    }
    Ok(())
}
