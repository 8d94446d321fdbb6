//! What agencies show: the well-known file, records in DNS, and the page that links back. The first line says which, the rest is what
//! was found there.

use heraut::actor::continuity::Continuity;
use heraut::actor::key::PublicKeys;
use heraut::actor::verification::{FetchedProof, document_for, document_url, judge, read_document};
use heraut::actor::{Actor, ActorKind, Agency, Handle, Language, Profile, record, rel_me};
use heraut::ids::{ActorId, AgencyId};
use heraut::time::Timestamp;
use heraut::urls::Base;
use serde_json::Value;

use crate::line;

/// 2026-11-22T09:00:00Z.
const NOW: Timestamp = Timestamp(1_795_338_000_000);
const PROFILE: &str = "https://social.example.nl/@nieuws";

/// The actor that is looked for. Its key is none, so the fingerprint is always the same.
pub(crate) fn actor() -> Actor {
    Actor {
        id: ActorId(7),
        agency: Agency { id: AgencyId(1), name: "voorbeeldstad".to_owned(), domain: "example.nl".to_owned() },
        handle: Handle::parse("nieuws").unwrap(),
        handle_domain: "example.nl".to_owned(),
        kind: ActorKind::Organization,
        language: Language::parse("nl").unwrap(),
        profile: Profile::default(),
        url: Base::parse("https://social.example.nl").unwrap().actor(ActorId(7)),
        keys: PublicKeys::first("no key".to_owned(), "z".to_owned()),
        continuity: Continuity::default(),
        created_at: NOW,
        updated_at: NOW,
    }
}

/// What holds names the actor and its key, each time.
pub(crate) fn run(input: &[u8]) {
    let (what, found) = line(input);
    match what {
        "file" => file(found),
        "records" => records(found),
        _ => page(found),
    }
}

fn file(bytes: &[u8]) {
    let actor = actor();
    let url = document_url(&actor.agency);
    let fetched = FetchedProof { final_url: url.clone(), url, status: 200, bytes: bytes.to_vec(), fetched_at: NOW };
    let judged = judge(&fetched, &actor);
    assert_eq!(judged, judge(&fetched, &actor));
    if judged.is_err() {
        return;
    }
    let document = read_document(bytes).unwrap();
    let value: Value = serde_json::from_slice(bytes).unwrap();
    let entries = value.get("actors").and_then(Value::as_array).map_or(1, Vec::len);
    assert_eq!(document.actors.len(), entries);
    let key = actor.keys.fingerprint();
    let ours =
        document.actors.iter().find(|e| e.actor == actor.url.as_str() && e.key_fingerprint.eq_ignore_ascii_case(&key));
    assert!(ours.is_some(), "it holds without naming the actor and its key: {value}");
}

/// A record a line.
fn records(bytes: &[u8]) {
    let actor = actor();
    let texts: Vec<String> = String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect();
    let judged = record::judge(&texts, &actor);
    assert_eq!(judged, record::judge(&texts, &actor));
    if let Ok(text) = judged {
        assert!(text.trim_start().starts_with(record::VERSION), "{text}");
        assert!(text.contains(actor.url.as_str()), "{text}");
        assert!(text.to_ascii_lowercase().contains(&actor.keys.fingerprint()), "{text}");
    }
}

fn page(bytes: &[u8]) {
    let judged = rel_me::judge(bytes, PROFILE);
    assert_eq!(judged, rel_me::judge(bytes, PROFILE));
    if judged == rel_me::Back::Yes {
        let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
        assert!(text.contains("me") && text.contains("href"), "{text}");
    }
    let text = String::from_utf8_lossy(bytes);
    let _ = rel_me::verifiable(text.lines().next().unwrap_or_default());
}

/// What the program asks agencies to put there.
pub(crate) fn wanted() -> Vec<(String, Vec<u8>)> {
    let actor = actor();
    let file = format!("file\n{}", document_for(&[&actor]));
    let records = format!("records\nv=spf1 -all\n{}", record::texts_for(&actor).join("\n"));
    let page = format!("page\n<html><head>{}</head></html>", rel_me::line_for(PROFILE));
    let named = [("file", file), ("records", records), ("page", page)];
    named.into_iter().map(|(name, text)| (name.to_owned(), text.into_bytes())).collect()
}
