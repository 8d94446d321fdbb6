//! What the fuzzer begins with: the fixtures of this repository in the forms that the targets read, and the files of `fuzz/seeds/`.

use std::fs;
use std::path::{Path, PathBuf};

use heraut_connectors::contract::{Kind, Response, Told};
use heraut_connectors::item::Item;
use heraut_connectors::{CONNECTORS, capture, parts};
use serde_json::Value;
use url::Url;

use crate::target;

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_path_buf).unwrap_or_default()
}

/// All seeds of a target, each with a name, none longer than what is tried.
///
/// # Panics
/// When a file of the repository cannot be read.
pub fn all(name: &str) -> Vec<(String, Vec<u8>)> {
    let mut seeds: Vec<(String, Vec<u8>)> =
        files(&root().join("fuzz/seeds").join(name)).into_iter().map(read).collect();
    seeds.extend(match name {
        "read" => fixtures()
            .into_iter()
            .filter(|(_, path)| !is_delivery(path))
            .map(|(kind, path)| document(kind, path))
            .collect(),
        "receive" => fixtures()
            .into_iter()
            .filter(|(_, path)| is_delivery(path))
            .map(|(kind, path)| delivery(kind, path))
            .collect(),
        "rich" => fixtures().into_iter().flat_map(|(_, path)| rich(&path)).collect(),
        "posts" => fixtures().into_iter().flat_map(|(kind, path)| items(kind, &path)).collect(),
        "servers" => servers(),
        "backups" => backups(),
        "proofs" => crate::proofs::wanted(),
        _ => Vec::new(),
    });
    let most = target(name).bytes_max;
    seeds.retain(|(_, bytes)| bytes.len() <= most);
    seeds
}

/// Writes all seeds of all targets, a folder each.
///
/// # Panics
/// When they cannot be written.
pub fn write(folder: &Path) {
    for target in crate::TARGETS {
        let folder = folder.join(target.name);
        fs::create_dir_all(&folder).unwrap();
        for (at, (name, bytes)) in all(target.name).into_iter().enumerate() {
            fs::write(folder.join(format!("{at:03}-{}", name.replace('/', "-"))), bytes).unwrap();
        }
    }
}

/// The files below a folder, in the order of their names; none when there is no such folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn read(path: PathBuf) -> (String, Vec<u8>) {
    let name = path.strip_prefix(root()).unwrap_or(&path).display().to_string();
    (name, fs::read(&path).unwrap())
}

fn with_line(first: &str, path: PathBuf) -> (String, Vec<u8>) {
    let (name, bytes) = read(path);
    (name, [first.as_bytes(), b"\n", &bytes].concat())
}

fn fixtures() -> Vec<(&'static dyn Kind, PathBuf)> {
    let of = |kind: &&'static dyn Kind| {
        let (kind, folder) = (*kind, root().join("connectors").join(kind.name()).join("fixtures"));
        ["good", "bad"].into_iter().flat_map(move |part| files(&folder.join(part))).map(move |path| (kind, path))
    };
    CONNECTORS.iter().flat_map(of).collect()
}

fn is_delivery(path: &Path) -> bool {
    path.to_str().is_some_and(|path| path.ends_with(".delivery.json"))
}

fn ending(path: &Path) -> &str {
    path.extension().and_then(|ending| ending.to_str()).unwrap_or("xml")
}

fn document(kind: &dyn Kind, path: PathBuf) -> (String, Vec<u8>) {
    with_line(&format!("{} {}", kind.name(), ending(&path)), path.clone())
}

fn delivery(kind: &dyn Kind, path: PathBuf) -> (String, Vec<u8>) {
    with_line(kind.name(), path)
}

/// Each text in a fixture whose shape is known, by itself.
fn rich(path: &Path) -> Vec<(String, Vec<u8>)> {
    let (name, bytes) = read(path.to_path_buf());
    let Ok(value) = serde_json::from_slice::<Value>(&bytes) else { return Vec::new() };
    let mut found = Vec::new();
    let mut left = vec![&value];
    while let Some(value) = left.pop() {
        let text = value.to_string();
        if (value.is_object() || value.is_array()) && parts::rich("any", &text).is_some() {
            found.push((format!("{name}.{}", found.len()), [b"any\n", text.as_bytes()].concat()));
            continue;
        }
        match value {
            Value::Array(list) => left.extend(list),
            Value::Object(fields) => left.extend(fields.values()),
            _ => {}
        }
    }
    found
}

/// The items of a fixture, as JSON.
fn items(kind: &dyn Kind, path: &Path) -> Vec<(String, Vec<u8>)> {
    let settings = root().join("connectors").join(kind.name()).join("fixtures/settings.json");
    let connector = kind.configure(&serde_json::from_slice(&fs::read(settings).unwrap()).unwrap()).unwrap();
    let (name, body) = read(path.to_path_buf());
    let found: Vec<Item> = if is_delivery(path) {
        match capture::read(&body, 0).and_then(|delivery| connector.receive(&delivery)) {
            Ok(Told::Page(page)) => page.items,
            _ => Vec::new(),
        }
    } else {
        let url = Url::parse(&format!("https://source.example/feed.{}", ending(path))).unwrap();
        let response = Response { url, content_type: None, body, received_at: 0, about: None };
        connector.read(&response).map(|page| page.items).unwrap_or_default()
    };
    let seed = |(at, item): (usize, &Item)| (format!("{name}.{at}"), serde_json::to_vec(item).unwrap());
    found.iter().enumerate().map(seed).collect()
}

/// What other servers really send, as the body of a request.
fn servers() -> Vec<(String, Vec<u8>)> {
    let head = "POST /inbox?acct:nieuws@example.nl HTTP/1.1\nhost: social.example.nl\ndate: Sun, 22 Nov 2026 09:00:00 GMT\n\
                content-type: application/activity+json\n\
                signature: keyId=\"https://peer.example/users/burger#main-key\",algorithm=\"rsa-sha256\",\
                headers=\"(request-target) host date\",signature=\"c2lnbmF0dXJl\"\n\n";
    let json = files(&root().join("tests/fixtures")).into_iter().filter(|path| ending(path) == "json").map(read);
    json.map(|(name, body)| (name, [head.as_bytes(), &body].concat())).collect()
}

/// A header that asks for little work, and an archive that begins as a backup does.
fn backups() -> Vec<(String, Vec<u8>)> {
    let (salt, key, mac) = ("MDEyMzQ1Njc4OWFiY2RlZg", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY", "ZWY");
    let header =
        |work: u8| format!("age-encryption.org/v1\n-> scrypt {salt} {work}\n{key}\n--- {key}{mac}\nabc").into_bytes();
    let manifest =
        br#"{"format":1,"program":"0.1.0","made_at":"2026-11-22T09:00:00Z","public_url":"https://social.example.nl"}"#;
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes) in [("manifest.json", &manifest[..]), ("tables/agencies.jsonl", b"{}\n"), ("summary.json", b"{}")]
    {
        let mut entry = tar::Header::new_gnu();
        entry.set_size(bytes.len() as u64);
        entry.set_cksum();
        archive.append_data(&mut entry, name, bytes).unwrap();
    }
    let archive = archive.into_inner().unwrap();
    vec![("header".to_owned(), header(2)), ("much work".to_owned(), header(21)), ("archive".to_owned(), archive)]
}
