use serde_json::json;

use super::*;
use crate::inbox::read::tests::{fixture, sender};

fn changed(name: &str, changes: &[(&str, Value)]) -> Vec<u8> {
    let mut document: Value = serde_json::from_slice(&fixture(name)).unwrap();
    for (key, value) in changes {
        document[*key] = value.clone();
    }
    document.to_string().into_bytes()
}

#[test]
fn actor_documents_of_every_software_are_read() {
    for (software, handle, shared, key) in [
        ("mastodon", "@anna@mastodon.example", true, "https://mastodon.example/users/anna#main-key"),
        ("gotosocial", "@bram@gts.example", false, "https://gts.example/users/bram/main-key"),
        ("misskey", "@chiyo@misskey.example", true, "https://misskey.example/users/9abc#main-key"),
        ("pleroma", "@dirk@pleroma.example", true, "https://pleroma.example/users/dirk#main-key"),
        ("wordpress", "@eva@blog.example", true, "https://blog.example/?author=1#main-key"),
    ] {
        let url = sender(software);
        let wanted = KeyUrl::parse(key).unwrap();
        let actor = read_actor(&fixture(&format!("{software}/actor")), url.as_str(), Some(&wanted)).unwrap();
        assert_eq!((actor.url, actor.handle.as_str()), (url, handle));
        assert_eq!(actor.shared_inbox.is_some(), shared, "{software}");
        assert_eq!(actor.key.map(|k| k.id), Some(wanted), "{software}");
        assert!(actor.followers.is_some() && actor.page.is_some() && actor.name.is_some(), "{software}");
    }
}

#[test]
fn c39_a_document_must_be_what_was_fetched_and_keep_to_its_host() {
    let anna = sender("mastodon");
    let read = |changes: &[(&str, Value)]| read_actor(&changed("mastodon/actor", changes), anna.as_str(), None);
    let other = json!("https://mastodon.example/users/victim");
    assert!(matches!(read(&[("id", other.clone())]), Err(RemoteError::OtherId { .. })), "CVE-2024-23832");
    assert!(matches!(read(&[("type", json!("Note"))]), Err(RemoteError::NotAnActor { .. })), "CVE-2024-25623");
    assert!(matches!(
        read(&[("inbox", json!("https://evil.example/inbox"))]),
        Err(RemoteError::Shape { property: "inbox", .. })
    ));
    assert!(matches!(read(&[("preferredUsername", json!("a b"))]), Err(RemoteError::Shape { .. })));
    assert!(matches!(read(&[("@graph", json!([]))]), Err(RemoteError::Json { .. })));
    let shared = read(&[("endpoints", json!({"sharedInbox": "https://evil.example/inbox"}))]).unwrap();
    assert_eq!(shared.shared_inbox, None, "a shared inbox on another host would draw others' posts there");
    let webfinger = read(&[("webfinger", json!("<b>@evil"))]).unwrap();
    assert_eq!(webfinger.handle, "@anna@mastodon.example");
    let bounded =
        read(&[("name", json!("n".repeat(9_000))), ("alsoKnownAs", json!(vec!["https://a.example/u"; 500]))]).unwrap();
    assert_eq!(bounded.name.unwrap().len(), NAME_CHARS_MAX);
    assert_eq!(bounded.also_known_as.len(), 20);
}

#[test]
fn c39_a_key_counts_only_if_its_owners_document_names_it() {
    let anna = sender("mastodon");
    let main = KeyUrl::parse("https://mastodon.example/users/anna#main-key").unwrap();
    let other = KeyUrl::parse("https://mastodon.example/users/anna#other").unwrap();
    let good = fixture("mastodon/actor");
    assert!(matches!(read_actor(&good, anna.as_str(), Some(&other)), Err(RemoteError::NoSuchKey { .. })));
    let pem = "-----BEGIN PUBLIC KEY-----";
    let stolen = json!({"id": main.as_str(), "owner": "https://mastodon.example/users/victim", "publicKeyPem": pem});
    let poisoned = changed("mastodon/actor", &[("publicKey", stolen)]);
    assert!(matches!(read_actor(&poisoned, anna.as_str(), Some(&main)), Err(RemoteError::NoSuchKey { .. })));
    assert_eq!(read_actor(&poisoned, anna.as_str(), None).unwrap().key, None);
    let two = json!([
        {"id": other.as_str(), "owner": anna.as_str(), "publicKeyPem": "one"},
        {"id": main.as_str(), "owner": anna.as_str(), "publicKeyPem": "two"},
    ]);
    let several = changed("mastodon/actor", &[("publicKey", two)]);
    assert_eq!(read_actor(&several, anna.as_str(), Some(&main)).unwrap().key.unwrap().pem, "two");
    let huge = json!({"id": main.as_str(), "owner": anna.as_str(), "publicKeyPem": "x".repeat(PEM_BYTES_MAX + 1)});
    let huge = changed("mastodon/actor", &[("publicKey", huge)]);
    assert!(read_actor(&huge, anna.as_str(), Some(&main)).is_err());
}

#[test]
fn a_key_document_is_an_actor_or_says_whose_key_it_is() {
    let main = KeyUrl::parse("https://mastodon.example/users/anna#main-key").unwrap();
    let found = read_key(&fixture("mastodon/actor"), &main.document(), &main).unwrap();
    assert!(matches!(found, KeyDocument::Actor(actor) if actor.url == sender("mastodon")));
    let gts = KeyUrl::parse("https://gts.example/users/bram/main-key").unwrap();
    let KeyDocument::Key(key) = read_key(&fixture("gotosocial/key_stub"), &gts.document(), &gts).unwrap() else {
        panic!()
    };
    assert_eq!((key.id, key.owner), (gts.clone(), sender("gotosocial")));
    let alone = json!({"id": gts.as_str(), "owner": "https://gts.example/users/bram", "publicKeyPem": "pem"});
    assert!(matches!(read_key(alone.to_string().as_bytes(), gts.as_str(), &gts), Ok(KeyDocument::Key(_))));
    let foreign = json!({"id": gts.as_str(), "owner": "https://mastodon.example/users/anna", "publicKeyPem": "pem"});
    assert!(matches!(read_key(foreign.to_string().as_bytes(), gts.as_str(), &gts), Err(RemoteError::NoSuchKey { .. })));
}

#[test]
fn a_fetched_note_must_have_the_id_that_was_fetched_and_an_author_on_its_host() {
    let document =
        |id: &str, author: &str| json!({"id": id, "type": "Note", "attributedTo": author, "content": "x"}).to_string();
    let (id, author) = ("https://a.example/n/1", "https://a.example/u/1");
    assert_eq!(read_note(document(id, author).as_bytes(), id).unwrap().attributed_to.as_str(), author);
    assert!(matches!(
        read_note(document(id, author).as_bytes(), "https://a.example/n/2"),
        Err(RemoteError::OtherId { .. })
    ));
    assert!(read_note(document(id, "https://b.example/u/1").as_bytes(), id).is_err());
}

/// What may stand in the place of any value of a document.
fn anything() -> impl proptest::strategy::Strategy<Value = Value> {
    use proptest::prelude::*;
    const URLS: [&str; 6] = [
        "https://mastodon.example/users/anna",
        "https://mastodon.example/inbox",
        "https://evil.example/users/anna",
        "http://mastodon.example/users/anna",
        "https://mastodon.example@evil.example/",
        "javascript:alert(1)",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,40}".prop_map(Value::from),
        (0..URLS.len()).prop_map(|n| json!(URLS[n])),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("(id|type|owner|publicKeyPem|sharedInbox|url|[a-z]{1,6})", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest::proptest! {
    #[test]
    fn whatever_stands_in_a_document_what_is_believed_of_it_keeps_to_its_id(
        key in "(@context|id|type|inbox|outbox|followers|endpoints|publicKey|assertionMethod|preferredUsername|url|name|alsoKnownAs|webfinger|generator|movedTo)",
        value in anything(),
        nested in "(id|owner|publicKeyPem|sharedInbox)",
        inner in anything(),
    ) {
        let anna = sender("mastodon");
        let mut document: Value = serde_json::from_slice(&fixture("mastodon/actor")).unwrap();
        document[&key] = value;
        for whole in ["publicKey", "endpoints"] {
            if let Some(object) = document.get_mut(whole).and_then(Value::as_object_mut) {
                object.insert(nested.clone(), inner.clone());
            }
        }
        let wanted = KeyUrl::parse("https://mastodon.example/users/anna#main-key").unwrap();
        let bytes = document.to_string().into_bytes();
        for wanted in [None, Some(&wanted)] {
            let Ok(actor) = read_actor(&bytes, anna.as_str(), wanted) else { continue };
            assert_eq!(actor.url, anna);
            assert_eq!(actor.inbox.authority(), "mastodon.example");
            assert!(actor.shared_inbox.is_none_or(|inbox| inbox.authority() == "mastodon.example"));
            assert!(actor.also_known_as.len() <= 20);
            if let Some(wanted) = wanted {
                let all: Vec<_> = actor.key.iter().chain(&actor.assertion_keys).collect();
                assert!(all.iter().any(|key| key.id == *wanted) && all.iter().all(|key| key.owner == anna), "{all:?}");
            }
        }
    }

    #[test]
    fn no_bytes_make_a_reader_of_documents_panic(bytes: Vec<u8>, text in r#"[\[\]{}",:@a-z\\]{0,200}"#) {
        let (anna, key) = (sender("mastodon"), KeyUrl::parse("https://mastodon.example/users/anna#main-key").unwrap());
        for bytes in [bytes.as_slice(), text.as_bytes()] {
            let _ = read_actor(bytes, anna.as_str(), Some(&key));
            let _ = read_key(bytes, anna.as_str(), &key);
            let _ = read_note(bytes, anna.as_str());
        }
    }
}
