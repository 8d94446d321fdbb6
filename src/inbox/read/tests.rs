use serde_json::json;

use super::*;
use crate::inbox::{INBOX_BODY_BYTES_MAX, NoteIn, Visibility};

pub(crate) const NIEUWS: &str = "https://social.example.nl/ap/a/7";
pub(crate) const POST: &str = "https://social.example.nl/ap/o/9";

/// The bytes of a fixture.
pub(crate) fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/fixtures/{name}.json", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Who each software's fixtures are by.
pub(crate) fn sender(software: &str) -> ActorUrl {
    let url = match software {
        "mastodon" => "https://mastodon.example/users/anna",
        "gotosocial" => "https://gts.example/users/bram",
        "misskey" => "https://misskey.example/users/9abc",
        "pleroma" => "https://pleroma.example/users/dirk",
        "wordpress" => "https://blog.example/?author=1",
        other => panic!("{other}"),
    };
    ActorUrl::parse(url).unwrap()
}

/// A fixture, read as its sender's.
pub(crate) fn incoming(name: &str) -> Incoming {
    let software = name.split('/').next().unwrap();
    let owner = if name.ends_with("/flag") {
        ActorUrl::parse("https://mastodon.example/actor").unwrap()
    } else {
        sender(software)
    };
    read(&fixture(name), &owner).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn note(name: &str) -> NoteIn {
    let IncomingKind::Create(Said::Note(note)) = incoming(name).kind else { panic!("{name} is no note") };
    *note
}

fn object(url: &str) -> ObjectUrl {
    ObjectUrl::parse(url).unwrap()
}

fn from(value: Value) -> Result<Incoming, InboxError> {
    read(value.to_string().as_bytes(), &sender("mastodon"))
}

const ANNA: &str = "https://mastodon.example/users/anna";

#[test]
fn c34_follows_and_their_undoing_are_read_from_every_software() {
    let actor = ActorUrl::parse(NIEUWS).unwrap();
    for software in ["mastodon", "gotosocial", "misskey", "pleroma", "wordpress"] {
        let follow = incoming(&format!("{software}/follow"));
        assert_eq!(follow.kind, IncomingKind::Follow { object: actor.clone() }, "{software}");
        assert!(follow.id.is_some());
        let IncomingKind::Undo(undone) = incoming(&format!("{software}/undo_follow")).kind else {
            panic!("{software}")
        };
        assert_eq!(undone.kind, UndoneKind::Follow { object: Some(actor.clone()) }, "{software}");
        assert!(undone.id.is_some(), "{software}");
    }
}

#[test]
fn c36_replies_are_read_with_author_visibility_language_and_text_from_every_software() {
    use Visibility::{Direct, Public, Unlisted};
    for (software, id, visibility, language, text) in [
        ("mastodon", "https://mastodon.example/users/anna/statuses/115", Public, Some("nl"), "Wanneer begint"),
        ("gotosocial", "https://gts.example/users/bram/statuses/01JABC", Public, Some("nl"), "Dank voor"),
        ("misskey", "https://misskey.example/notes/9note", Unlisted, None, "こんにちは"),
        ("pleroma", "https://pleroma.example/objects/o1", Direct, Some("nl"), "mijn adres"),
        ("wordpress", "https://blog.example/?p=12", Public, Some("nl"), "Mijn reactie"),
    ] {
        let note = note(&format!("{software}/create_reply"));
        assert_eq!(note.id, object(id), "{software}");
        assert_eq!(note.attributed_to, sender(software));
        assert_eq!(note.in_reply_to, Some(object(POST)), "{software}");
        assert_eq!((note.visibility, note.language.as_deref()), (visibility, language), "{software}");
        assert!(note.content.0.contains(text), "{software}");
        assert_eq!(note.mentions.len(), 1, "{software}");
        assert_eq!(note.mentions[0].href, NIEUWS, "{software}");
        assert!(note.published.is_some(), "{software}");
        assert_eq!(note.summary, None, "{software}");
    }
    let blog = note("wordpress/create_reply");
    assert_eq!((blog.kind.as_str(), blog.tags.as_slice()), ("Article", ["water".to_owned()].as_slice()));
    assert_eq!(blog.attachments[0].name.as_deref(), Some("De dijk"));
    assert_eq!(note("misskey/create_reply").attachments[0].media_type, "image/webp");
    assert_eq!(note("gotosocial/create_reply").published.unwrap().to_rfc3339(), "2026-11-22T09:00:00Z");
}

#[test]
fn c36_likes_reactions_and_boosts_are_read_from_every_software() {
    let post = object(POST);
    for (name, wanted) in [
        ("mastodon/like", IncomingKind::Like { object: post.clone(), content: None }),
        ("gotosocial/like", IncomingKind::Like { object: post.clone(), content: None }),
        ("pleroma/like", IncomingKind::Like { object: post.clone(), content: None }),
        ("misskey/like", IncomingKind::Like { object: post.clone(), content: Some("🎉".to_owned()) }),
        ("pleroma/emoji_react", IncomingKind::EmojiReact { object: post.clone(), content: "👍".to_owned() }),
        ("mastodon/announce", IncomingKind::Announce { object: post.clone() }),
    ] {
        assert_eq!(incoming(name).kind, wanted, "{name}");
    }
    let misskey = from(json!({"type": "Like", "actor": ANNA, "object": POST, "_misskey_reaction": "⭐"})).unwrap();
    assert_eq!(misskey.kind, IncomingKind::Like { object: post, content: Some("⭐".to_owned()) });
}

#[test]
fn every_type_that_we_say_we_read_is_read() {
    let own = "https://mastodon.example/users/anna";
    for kind in crate::activity::claims::READ {
        let activity = json!({
            "type": kind, "actor": own, "content": "x", "target": "https://mastodon.example/users/bert",
            "instrument": "https://mastodon.example/n/1",
            "object": if matches!(*kind, "Delete" | "Move" | "Undo") { own } else { POST },
        });
        let owner = ActorUrl::parse(own).unwrap();
        let read = read(activity.to_string().as_bytes(), &owner).unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert!(!matches!(read.kind, IncomingKind::Unknown(_)), "{kind} is not read");
    }
}

#[test]
fn deletes_quotes_and_reports_are_read() {
    for (name, id) in [
        ("mastodon/delete", "https://mastodon.example/users/anna/statuses/115"),
        ("mastodon/delete_actor", ANNA),
        ("gotosocial/delete", "https://gts.example/users/bram/statuses/01JABC"),
        ("misskey/delete", "https://misskey.example/notes/9note"),
        ("pleroma/delete", "https://pleroma.example/objects/o1"),
        ("wordpress/delete", "https://blog.example/?p=12"),
    ] {
        assert_eq!(incoming(name).kind, IncomingKind::Delete { object: object(id) }, "{name}");
    }
    let instrument = object("https://mastodon.example/users/anna/statuses/117");
    assert_eq!(
        incoming("mastodon/quote_request").kind,
        IncomingKind::QuoteRequest { object: object(POST), instrument, seen: QuoteSeen::Fits }
    );
    let objects = vec![NIEUWS.to_owned(), POST.to_owned()];
    assert_eq!(incoming("mastodon/flag").kind, IncomingKind::Flag { objects, content: Some("Klopt niet".to_owned()) });
}

#[test]
fn shapes_that_peers_vary_are_read_alike() {
    let follow = IncomingKind::Follow { object: ActorUrl::parse(NIEUWS).unwrap() };
    for shape in [
        json!({"type": "Follow", "actor": ANNA, "object": NIEUWS}),
        json!({"type": ["Follow"], "actor": {"id": ANNA, "type": "Person"}, "object": {"id": NIEUWS, "type": "Person"}}),
        json!({"type": "Follow", "actor": [ANNA], "object": [NIEUWS], "id": null}),
    ] {
        assert_eq!(from(shape.clone()).unwrap().kind, follow, "{shape}");
    }
    for (kind, wanted) in [("Follow", UndoneKind::ById), ("Arrive", UndoneKind::Other("Arrive".to_owned()))] {
        let id = "https://mastodon.example/f/1";
        let object = if kind == "Follow" { json!(id) } else { json!({"id": id, "type": kind}) };
        let IncomingKind::Undo(undone) = from(json!({"type": "Undo", "actor": ANNA, "object": object})).unwrap().kind
        else {
            panic!()
        };
        assert_eq!((undone.kind, undone.id.unwrap().as_str()), (wanted, id));
    }
    assert_eq!(
        from(json!({"type": "Arrive", "actor": ANNA})).unwrap().kind,
        IncomingKind::Unknown("Arrive".to_owned())
    );
    let person = json!({"type": "Update", "actor": ANNA, "object": {"id": ANNA, "type": "Person"}});
    assert_eq!(from(person).unwrap().kind, IncomingKind::Update(Updated::Actor));
    let moved = json!({"type": "Move", "actor": ANNA, "object": ANNA, "target": "https://new.example/u/anna"});
    assert!(matches!(from(moved).unwrap().kind, IncomingKind::Move { .. }));
}

fn with_note(changes: &[(&str, Value)]) -> Result<Incoming, InboxError> {
    let mut activity: Value = serde_json::from_slice(&fixture("mastodon/create_reply")).unwrap();
    for (path, value) in changes {
        let (parent, key) = path.rsplit_once('/').unwrap();
        activity.pointer_mut(parent).unwrap()[key] = value.clone();
    }
    from(activity)
}

#[test]
fn c37_visibility_is_that_of_the_object_and_never_wider() {
    use Visibility::{Direct, Followers, Public, Unlisted};
    let followers = "https://mastodon.example/users/anna/followers";
    for (to, cc, wanted) in [
        (json!(["https://www.w3.org/ns/activitystreams#Public"]), json!([]), Public),
        (json!("as:Public"), json!([]), Public),
        (json!([followers]), json!("Public"), Unlisted),
        (json!([followers]), json!([NIEUWS]), Followers),
        (json!([NIEUWS]), json!([]), Direct),
        (json!([NIEUWS]), Value::Null, Direct),
        (json!(["https://evil.example/#Public"]), json!(null), Direct),
    ] {
        // The activity around it stays public: only the object counts.
        let read = with_note(&[("/object/to", to.clone()), ("/object/cc", cc.clone())]).unwrap();
        let IncomingKind::Create(Said::Note(note)) = read.kind else { panic!() };
        assert_eq!(note.visibility, wanted, "{to} {cc}");
        assert_eq!(note.visibility.is_public(), matches!(wanted, Public | Unlisted));
        assert_eq!(Visibility::from_name(wanted.name()), Some(wanted));
    }
}

#[test]
fn the_language_is_the_key_whose_value_is_the_content_else_the_first() {
    for (content, map, language, text) in [
        (json!("<p>b</p>"), json!({"en": "<p>a</p>", "nl": "<p>b</p>"}), Some("nl"), "<p>b</p>"),
        (Value::Null, json!({"fr": "<p>c</p>"}), Some("fr"), "<p>c</p>"),
        (json!("x"), json!({"und": "x"}), None, "x"),
        (json!("x"), json!([]), None, "x"),
        (Value::Null, Value::Null, None, ""),
    ] {
        let read = with_note(&[("/object/content", content), ("/object/contentMap", map)]).unwrap();
        let IncomingKind::Create(Said::Note(note)) = read.kind else { panic!() };
        assert_eq!((note.language.as_deref(), note.content.0.as_str()), (language, text));
    }
}

#[test]
fn c39_forged_actors_authors_and_ids_are_refused() {
    let evil = "https://evil.example/n/1";
    let victim = json!("https://mastodon.example/users/victim");
    let signer = read(&fixture("mastodon/follow"), &ActorUrl::parse("https://mastodon.example/users/eve").unwrap());
    assert!(matches!(signer, Err(InboxError::NotTheSigner { .. })), "CVE-2025-54888");
    assert_eq!(signer.unwrap_err().status(), 401);
    for (what, result) in [
        ("activity id elsewhere", with_note(&[("/id", json!(evil))])),
        ("object by another of the same host", with_note(&[("/object/attributedTo", victim.clone())])),
        ("object by another host", with_note(&[("/object/attributedTo", json!(evil))])),
        ("deletes elsewhere", from(json!({"type": "Delete", "actor": ANNA, "object": evil}))),
        ("moves another", from(json!({"type": "Move", "actor": ANNA, "object": victim, "target": evil}))),
        (
            "undoes another's",
            from(
                json!({"type": "Undo", "actor": ANNA, "object": {"type": "Follow", "actor": victim, "object": NIEUWS}}),
            ),
        ),
        ("undoes elsewhere", from(json!({"type": "Undo", "actor": ANNA, "object": evil}))),
        (
            "updates another actor",
            from(json!({"type": "Update", "actor": ANNA, "object": {"type": "Person", "id": victim}})),
        ),
        (
            "quotes with another's post",
            from(json!({"type": "QuoteRequest", "actor": ANNA, "object": POST, "instrument": evil})),
        ),
    ] {
        let error = result.expect_err(what);
        assert_eq!(error.status(), 403, "{what}: {error}");
    }
}

#[test]
fn c39_an_embedded_foreign_object_is_kept_as_an_id_to_fetch_and_nothing_of_it_is_read() {
    let elsewhere = "https://other.example/n/1";
    let create = with_note(&[("/object/id", json!(elsewhere))]).unwrap();
    assert_eq!(create.kind, IncomingKind::Create(Said::Elsewhere(object(elsewhere))));
    let update = with_note(&[("/object/id", json!(elsewhere)), ("/type", json!("Update"))]).unwrap();
    assert_eq!(update.kind, IncomingKind::Update(Updated::Elsewhere(object(elsewhere))));
    let by_id = with_note(&[("/object", json!("https://mastodon.example/users/anna/statuses/115"))]).unwrap();
    assert!(matches!(by_id.kind, IncomingKind::Create(Said::Elsewhere(_))));
    let port = with_note(&[("/object/id", json!("https://mastodon.example:8443/n/1"))]).unwrap();
    assert!(matches!(port.kind, IncomingKind::Create(Said::Elsewhere(_))), "another port is another origin");
}

#[test]
fn c41_keywords_that_rearrange_a_document_are_refused_and_contexts_are_not_processed() {
    for body in [
        json!({"type": "Follow", "actor": ANNA, "object": NIEUWS, "@graph": []}),
        json!({"type": "Follow", "actor": ANNA, "object": {"id": NIEUWS, "@included": []}}),
        json!({"type": "Follow", "actor": ANNA, "object": [{"id": NIEUWS}, {"x": {"@reverse": {}}}]}),
        json!({"@context": [{"children": {"@reverse": "as:inReplyTo"}}], "type": "Follow", "actor": ANNA, "object": NIEUWS}),
        json!({"@context": {"g": "@graph"}, "type": "Follow", "actor": ANNA, "object": NIEUWS}),
    ] {
        let error = from(body.clone()).expect_err(&body.to_string());
        assert!(matches!(error, InboxError::Keyword(_)), "{body}");
        assert_eq!(error.status(), 400);
    }
    let renamed = json!({"@context": [{"actor": "as:object"}, "https://evil.example/c"], "type": "Follow", "actor": ANNA, "object": NIEUWS});
    assert!(matches!(from(renamed).unwrap().kind, IncomingKind::Follow { .. }));
    assert!(with_note(&[("/object/content", json!("@graph"))]).is_ok(), "a text may say so");
}

#[test]
fn c38_what_is_too_large_too_deep_or_no_json_is_refused_with_its_status_and_never_410() {
    let deep = |n: usize| {
        format!(r#"{{"type":"Follow","actor":"{ANNA}","object":"{NIEUWS}","x":{}{}}}"#, "[".repeat(n), "]".repeat(n))
    };
    let brackets =
        format!(r#"{{"type":"Follow","actor":"{ANNA}","object":"{NIEUWS}","x":"{}\" \\"}}"#, "[{".repeat(100));
    let owner = sender("mastodon");
    assert!(read(deep(31).as_bytes(), &owner).is_ok());
    assert!(read(brackets.as_bytes(), &owner).is_ok(), "brackets in a text are no depth");
    for (body, status) in [
        (deep(32), 400),
        (deep(500_000), 400),
        ("[".repeat(1_000_000), 400),
        (" ".repeat(INBOX_BODY_BYTES_MAX + 1), 413),
        (String::new(), 400),
        ("[]".to_owned(), 400),
        ("\"x\"".to_owned(), 400),
        ("{\"type\":".to_owned(), 400),
        ("{}".to_owned(), 400),
        (format!(r#"{{"actor":"{ANNA}"}}"#), 400),
        (format!(r#"{{"actor":"{ANNA}","type":"Follow"}}"#), 400),
        (format!(r#"{{"actor":"{ANNA}","type":"Follow","object":"javascript:x"}}"#), 400),
        (format!(r#"{{"actor":"{ANNA}","type":"Create","object":7}}"#), 400),
        (format!(r#"{{"actor":"{ANNA}","type":"Like","object":"{POST}","id":7}}"#), 400),
    ] {
        let error = read(body.as_bytes(), &owner).unwrap_err();
        assert_eq!(error.status(), status, "{error}: {:.80}", body);
    }
}

#[test]
fn lists_and_texts_from_outside_are_bounded() {
    let tags: Vec<Value> =
        (0..1_000).map(|n| json!({"type": "Hashtag", "name": format!("#{}", "x".repeat(600 + n % 2))})).collect();
    let read = with_note(&[("/object/tag", json!(tags)), ("/object/summary", json!("s".repeat(9_000)))]).unwrap();
    let IncomingKind::Create(Said::Note(note)) = read.kind else { panic!() };
    assert_eq!(note.tags.len(), ENTRIES_MAX);
    assert!(note.tags.iter().all(|t| t.chars().count() <= 512));
    assert_eq!(note.summary.unwrap().len(), 512);
    assert_eq!(with_note(&[("/object/content", json!("c".repeat(300_000)))]).unwrap_err().status(), 400);
    let scripts = with_note(&[("/object/url", json!("javascript:alert(1)"))]).unwrap();
    let IncomingKind::Create(Said::Note(note)) = scripts.kind else { panic!() };
    assert_eq!(note.url, None);
}

#[test]
fn c38_only_the_delete_of_an_account_by_itself_is_known_before_its_signature() {
    assert_eq!(deletes_its_actor(&fixture("mastodon/delete_actor")), Some(sender("mastodon")));
    for other in ["mastodon/delete", "mastodon/follow", "mastodon/create_reply"] {
        assert_eq!(deletes_its_actor(&fixture(other)), None, "{other}");
    }
    assert_eq!(deletes_its_actor(b"nonsense"), None);
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes: Vec<u8>, text in r#"[\[\]{}",:@a-z\\]{0,200}"#) {
        let _ = read(&bytes, &sender("mastodon"));
        let _ = read(text.as_bytes(), &sender("mastodon"));
    }

    #[test]
    fn no_object_of_a_known_activity_makes_the_reader_panic(kind in "(Create|Update|Undo|Delete|Move|Flag|QuoteRequest)", key in "[a-z]{0,9}", value: String) {
        let nested = json!({"id": &value, key.as_str(): [&value, {"type": &value}], "type": "Note", "attributedTo": ANNA, "tag": {"type": "Mention", "href": &value}});
        for object in [json!(value), json!([&value]), nested] {
            let _ = from(json!({"type": kind, "actor": ANNA, "object": object, "target": &value, "instrument": &value}));
        }
    }

    #[test]
    fn whatever_an_activity_says_it_is_its_senders_and_its_id_on_its_senders_host(
        file in "mastodon/(create_reply|follow|undo_follow|like|delete|announce|quote_request)",
        key in "(id|type|actor|object|attributedTo|to|cc|target|instrument)",
        value in "(https://(mastodon|evil).example/(users/anna|x)|\\PC{0,20})",
        inside: bool,
    ) {
        let anna = sender("mastodon");
        let mut activity: Value = serde_json::from_slice(&fixture(&file)).unwrap();
        match activity.get_mut("object").filter(|object| inside && object.is_object()) {
            Some(object) => object[&key] = json!(value),
            None => activity[&key] = json!(value),
        }
        if let Ok(incoming) = from(activity) {
            assert_eq!(incoming.actor, anna);
            assert!(incoming.id.is_none_or(|id| id.authority() == anna.authority()));
            if let IncomingKind::Create(Said::Note(note)) = &incoming.kind {
                assert_eq!(note.attributed_to, anna);
            }
        }
    }
}
