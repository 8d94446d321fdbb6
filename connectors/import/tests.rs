//! What files come to, format by format.

mod bounds;

use std::fs;
use std::path::Path;

use serde_json::json;

use super::*;
use crate::item::Action;

fn folder_source(extra: Value) -> Box<dyn Connector> {
    let mut settings = json!({"folder": "/srv/pers", "site": "https://www.voorbeeldstad.example/"});
    for (key, value) in extra.as_object().unwrap() {
        settings[key] = value.clone();
    }
    Import.configure(&settings).unwrap()
}

fn read_as(name: &str, body: &[u8]) -> Result<Page, ConnectorError> {
    let source = folder_source(json!({"columns": {"title": "Kop van het bericht"}}));
    source.read(&file(name, body.to_vec(), 0).unwrap())
}

fn fixture(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("import/fixtures").join(name)).unwrap()
}

fn page(folder: &str, name: &str) -> Page {
    read_as(name, &fixture(&format!("{folder}/{name}"))).unwrap()
}

fn ids(page: &Page) -> Vec<(&str, Action)> {
    page.items.iter().map(|item| (item.source_id.as_str(), item.action)).collect()
}

const EMBARGO: i64 = 1_795_237_200_000;

#[test]
fn json_in_our_own_words_is_read_with_its_embargo_and_its_end() {
    let page = page("good", "own.json");
    insta::assert_json_snapshot!("own", page);
    let item = &page.items[0];
    assert_eq!(item.published_at, item.embargo_until, "a reader that knows no embargo keeps it too");
    assert_eq!(ids(&page), [("4711", Action::Publish), ("4713", Action::Retract)]);
}

#[test]
fn csv_is_read_by_its_header_row() {
    let page = page("files", "berichten.csv");
    insta::assert_json_snapshot!("csv", page);
    assert_eq!(page.warnings, ["the column `Afdeling` is not read"]);
    let comma = read_as("x.csv", b"id,title,published\n1,\"a, b\",2026-11-20\n").unwrap();
    assert_eq!(comma.items[0].title.as_deref(), Some("a, b"));
    let latin = read_as("x.csv", b"id;titel\n1;Caf\xE9\n").unwrap();
    assert_eq!(latin.items[0].title.as_deref(), Some("Café"));
}

#[test]
fn a_row_that_cannot_be_read_costs_the_file_and_is_named() {
    for (csv, expected) in [
        ("id,title\n1,x,y\n", "it is no CSV"),
        ("id,title,embargo\n1,x,\n2,y,straks\n", "line 3: `embargo` is no date"),
        ("title\nx\n", "line 2: an item in it has neither `id` nor `url`"),
        ("id,afdeling\n1,x\n", "no column is called title"),
        ("id,title\n1,x\n1,y\n", "two items in it have the id `1`"),
    ] {
        let problem = read_as("x.csv", csv.as_bytes()).unwrap_err().to_string();
        assert!(problem.contains(expected), "{csv}: {problem}");
    }
}

#[test]
fn markdown_has_its_fields_in_front_and_its_name_as_id() {
    let page = page("files", "brug.md");
    insta::assert_json_snapshot!("markdown", page);
    assert_eq!(ids(&page), [("brug.md", Action::Publish)]);
    assert_eq!(page.items[0].embargo_until, Some(EMBARGO));
    let toml = read_as("pers/2026/markt.md", &fixture("files/markt.md")).unwrap().items.remove(0);
    assert_eq!((toml.source_id.as_str(), toml.title.as_deref()), ("markt-1", Some("Markt verplaatst")));
    let body = toml.body.unwrap().0;
    assert_eq!(body, "<p>Naar het <a href=\"https://www.voorbeeldstad.example/plein\">plein</a>.</p>");
}

#[test]
fn drafts_and_what_is_withheld_are_left_out() {
    for (name, text) in [
        ("a.md", "---\ntitle: x\ndraft: true\n---\nx\n"),
        ("a.md", "---\ntitle: x\npublished: false\n---\nx\n"),
        ("a.md", "+++\ntitle = 'x'\nconcept = 'ja'\n+++\nx\n"),
        ("a.json", r#"{"id": 1, "title": "x", "draft": true}"#),
        ("a.json", r#"{"uri": "urn:1", "headline": "x", "pubstatus": "withheld"}"#),
        ("a.json", r#"{"uri": "urn:1", "headline": "x", "type": "picture"}"#),
    ] {
        let page = read_as(name, text.as_bytes()).unwrap();
        assert_eq!((page.items.len(), page.warnings.len()), (0, 1), "{text}");
    }
}

#[test]
fn html_is_the_text_of_the_page_without_its_title_twice() {
    let page = page("good", "page.html");
    let item = &page.items[0];
    assert_eq!((item.source_id.as_str(), item.title.as_deref()), ("page.html", Some("Nieuwe brug")));
    assert_eq!(item.canonical_url.as_deref(), Some("https://www.voorbeeldstad.example/pers/brug"));
    let image = "<img src=\"https://www.voorbeeldstad.example/brug.jpg\" alt=\"Een brug\">";
    assert_eq!(item.body.as_ref().unwrap().0, format!("<p>De brug is open.</p>{image}"));
    assert_eq!((item.embargo_until, item.media[0].alt.as_deref()), (Some(EMBARGO), Some("Een brug")));
    for bad in ["<meta name=embargo content=straks><h1>x</h1>", "<meta name=date content=straks><h1>x</h1>", "tekst"] {
        assert!(read_as("x.html", bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn a_page_that_answers_for_a_file_and_is_none_is_not_published() {
    let fetched = Import.configure(&json!({"url": "https://source.example/lijst.json"})).unwrap();
    let url = Url::parse("https://source.example/login.html").unwrap();
    let body = b"<html><title>Log in</title><body><h1>Log in</h1></body></html>".to_vec();
    assert!(fetched.read(&Response { url, content_type: None, body, received_at: 0, about: None }).is_err());
}

#[test]
fn newsml_and_both_kinds_of_ninjs_are_read() {
    let page = page("good", "newsml.xml");
    insta::assert_json_snapshot!("newsml", page);
    assert_eq!(ids(&page)[1], ("urn:2", Action::Retract));
    assert_eq!((page.items.len(), page.warnings.len()), (2, 3));
    let one = self::page("good", "ninjs-1.json");
    insta::assert_json_snapshot!("ninjs", one);
    assert_eq!(one.items[0].media[0].url, "https://www.voorbeeldstad.example/g.jpg");
    let three = self::page("good", "ninjs-3.json");
    assert_eq!(ids(&three), [("urn:pers:2", Action::Publish), ("urn:pers:3", Action::Retract)]);
    let item = &three.items[0];
    assert_eq!((item.title.as_deref(), item.expires_at), (Some("Markt verplaatst"), Some(1_796_083_200_000)));
    assert_eq!((item.body.as_ref().unwrap().0.as_str(), item.media.len()), ("<p>Rijk</p>", 1));
}

#[test]
fn a_list_leads_to_its_files_with_the_token_and_on_its_own_host_only() {
    let source =
        Import.configure(&json!({"url": "https://source.example/pers/lijst.json", "token": "a-token"})).unwrap();
    assert_eq!(source.request().unwrap().headers[0].1.reveal(), "Bearer a-token");
    let read = |body: &[u8]| {
        let url = Url::parse("https://source.example/pers/lijst.json").unwrap();
        source.read(&Response { url, content_type: None, body: body.to_vec(), received_at: 0, about: None }).unwrap()
    };
    let page = read(&fixture("good/list.json"));
    let found: Vec<&str> = page.fetch.iter().map(|request| request.url.as_str()).collect();
    assert_eq!(found, ["https://source.example/pers/2026/brug.md", "https://source.example/pers/markt.json"]);
    assert_eq!((page.fetch[0].headers[0].1.reveal(), page.warnings.len()), ("Bearer a-token", 1));
    assert_eq!(read(b"https://source.example/a.json\n\nhttps://source.example/b.json\n").fetch.len(), 2);
    assert_eq!(read(br#"["a.json"]"#).fetch.len(), 1);
    assert_eq!(read(br#"[{"id": 1, "title": "x"}]"#).items.len(), 1, "the items themselves");
}

#[test]
fn a_folder_is_not_fetched_and_its_files_are_named_by_path() {
    assert_eq!(folder_source(json!({})).request(), None);
    assert_eq!(folder(&json!({"folder": " /srv/pers "})), Some("/srv/pers"));
    let answer = file("2026/café brug.md", vec![], 0).unwrap();
    assert_eq!(name(&answer.url), "2026/café brug.md");
    for bad in ["", "/x", "a//b", "../x", "a/..", "a/./b"] {
        assert!(file(bad, vec![], 0).is_err(), "{bad}");
    }
}

#[test]
fn settings_are_refused_by_key() {
    for (settings, key) in [
        (json!({}), "folder"),
        (json!({"folder": "pers"}), "folder"),
        (json!({"folder": "/srv", "url": "https://s.example/"}), "url"),
        (json!({"folder": "/srv", "format": "docx"}), "format"),
        (json!({"folder": "/srv", "columns": ["x"]}), "columns"),
        (json!({"folder": "/srv", "columns": {"kop": "x"}}), "columns.kop"),
    ] {
        let Err(ConnectorError::Settings { key: found, .. }) = Import.configure(&settings).map(|_| ()) else {
            panic!("{settings}")
        };
        assert_eq!(found, key);
    }
}
