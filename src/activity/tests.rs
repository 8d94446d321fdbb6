use super::*;
use crate::actor::Language;
use crate::actor::verification::tests::{NOW, actor, base, verified};
use crate::ids::{MediaId, QuoteId};
use crate::post::Hashtag;
use crate::urls::ObjectUrl;

/// Contexts that every peer has built in (`reference/federation.md` 1.7).
pub(super) const BUNDLED: [&str; 5] = [
    AS_CONTEXT,
    "https://w3id.org/security/v1",
    "https://www.w3.org/ns/did/v1",
    "https://w3id.org/security/multikey/v1",
    "https://purl.archive.org/socialweb/webfinger",
];

pub(super) fn image(id: i64, alt: Option<&str>) -> Image {
    Image {
        id: MediaId(id),
        source_url: "https://example.nl/dijk.jpg".to_owned(),
        media_type: "image/jpeg".to_owned(),
        width: 1200,
        height: 800,
        blurhash: "LEHV6nWB2yk8pyo0adR*.7kCMdnj".to_owned(),
        alt: alt.map(str::to_owned),
        sha256: "00".to_owned(),
    }
}

pub(super) fn post() -> PublishedPost {
    let html = r#"<p>De dijk is hersteld. <a href="https://example.nl/dijk">example.nl/dijk</a></p><p><a href="https://social.example.nl/tags/HoogWater" rel="tag">#HoogWater</a></p>"#;
    PublishedPost {
        id: PostId(9),
        content: Content {
            title: Some("Dijk hersteld".to_owned()),
            html: serde_json::from_value(json!(html)).unwrap(),
            language: Language::parse("nl-NL").unwrap(),
            link: Some("https://example.nl/dijk".to_owned()),
            hashtags: vec![Hashtag("HoogWater".to_owned())],
            images: vec![image(3, Some("De dijk bij avond")), image(4, None)],
            warning: None,
            flags: vec!["image_without_alt".to_owned()],
        },
        published: NOW,
        updated: None,
    }
}

fn edited() -> PublishedPost {
    PublishedPost { updated: Some(Timestamp(NOW.0 + 60_000)), ..post() }
}

pub(super) fn read(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

pub(super) fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(object) => 1 + object.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Every activity that we make.
fn all() -> Vec<Value> {
    let (verified, actor, base, id) = (verified(), actor(), base(), ActivityId(5));
    let asked = json!({
        "@context": ["https://evil.example/context"], "id": "https://peer.example/f/1", "type": "Follow",
        "actor": {"id": "https://peer.example/u/1", "type": "Person"}, "object": actor.url.as_str(), "instrument": "https://peer.example/n/1",
    });
    let quoting = ObjectUrl::parse("https://peer.example/n/1").unwrap();
    vec![
        read(&create(&verified, &base, &post(), id)),
        read(&update(&verified, &base, &edited(), id)),
        read(&delete(&verified, &base, PostId(9), id, NOW)),
        read(&update_actor(&verified, &base, id, NOW)),
        read(&accept_follow(&actor, &base, &asked, id)),
        read(&reject_follow(&actor, &base, &asked, id)),
        read(&accept_quote(&actor, &base, &asked, QuoteId(2), id)),
        read(&reject_quote(&actor, &base, &asked, id)),
        read(&pin(&verified, &base, PostId(9), id, NOW)),
        read(&unpin(&verified, &base, PostId(9), id, NOW)),
        read(&revoke_quote(
            &verified,
            &base,
            QuoteId(2),
            &ActorUrl::parse("https://peer.example/u/1").unwrap(),
            id,
            NOW,
        )),
        note(&actor, &base, &post()),
        tombstone(&base, PostId(9), NOW),
        quote_authorization(&actor, &base, QuoteId(2), &quoting, PostId(9)),
    ]
}

#[test]
fn the_wire_forms_are_these() {
    let (verified, base, id) = (verified(), base(), ActivityId(5));
    let follow = json!({"@context": AS_CONTEXT, "id": "https://peer.example/f/1", "type": "Follow", "actor": "https://peer.example/u/1", "object": actor().url.as_str()});
    insta::assert_json_snapshot!("create", read(&create(&verified, &base, &post(), id)));
    let mut warned = post();
    warned.content.warning = Some("Schokkend beeld".to_owned());
    insta::assert_json_snapshot!("create_with_warning", read(&create(&verified, &base, &warned, id)));
    insta::assert_json_snapshot!("update", read(&update(&verified, &base, &edited(), id)));
    insta::assert_json_snapshot!("delete", read(&delete(&verified, &base, PostId(9), id, NOW)));
    insta::assert_json_snapshot!("pin", read(&pin(&verified, &base, PostId(9), id, NOW)));
    insta::assert_json_snapshot!("unpin", read(&unpin(&verified, &base, PostId(9), id, NOW)));
    let quoter = ActorUrl::parse("https://peer.example/u/1").unwrap();
    insta::assert_json_snapshot!("revoke_quote", read(&revoke_quote(&verified, &base, QuoteId(2), &quoter, id, NOW)));
    let request = json!({"id": "https://peer.example/q/1", "type": "QuoteRequest", "actor": quoter.as_str(), "object": base.object(PostId(9)).as_str(), "instrument": "https://peer.example/n/1"});
    insta::assert_json_snapshot!("accept_quote", read(&accept_quote(&actor(), &base, &request, QuoteId(2), id)));
    insta::assert_json_snapshot!("reject_quote", read(&reject_quote(&actor(), &base, &request, id)));
    let quoting = ObjectUrl::parse("https://peer.example/n/1").unwrap();
    let authorization = quote_authorization(&actor(), &base, QuoteId(2), &quoting, PostId(9));
    insta::assert_json_snapshot!("quote_authorization", authorization);
    insta::assert_json_snapshot!("accept_follow", read(&accept_follow(&actor(), &base, &follow, id)));
}

#[test]
fn c14_ids_are_https_without_fragment_and_query_on_the_actor_host() {
    for activity in all() {
        let id = activity["id"].as_str().unwrap();
        assert!(id.starts_with("https://social.example.nl/ap/"), "{id}");
        assert!(!id.contains(['#', '?']), "{id}");
    }
}

#[test]
fn c15_to_and_cc_are_arrays_and_public_is_the_full_uri() {
    for activity in all().iter().take(4) {
        assert_eq!(activity["to"], json!(["https://www.w3.org/ns/activitystreams#Public"]));
        assert_eq!(activity["cc"], json!(["https://social.example.nl/ap/a/7/followers"]));
    }
    for activity in all().iter().take(2) {
        assert_eq!((&activity["object"]["to"], &activity["object"]["cc"]), (&activity["to"], &activity["cc"]));
    }
    for answer in all().iter().skip(4).take(4) {
        assert_eq!(answer["to"], json!(["https://peer.example/u/1"]), "answers are for the asker alone");
    }
}

#[test]
fn c16_published_ends_in_z_and_is_equal_in_activity_and_object() {
    let create = read(&create(&verified(), &base(), &post(), ActivityId(5)));
    assert_eq!(create["published"], "2026-11-22T09:00:00Z");
    assert_eq!(create["published"], create["object"]["published"]);
}

#[test]
fn c17_content_is_identical_to_the_first_content_map_value_under_the_two_letter_language() {
    let note = note(&actor(), &base(), &post());
    let (language, text) = note["contentMap"].as_object().unwrap().iter().next().unwrap();
    assert_eq!((language.as_str(), text), ("nl", &note["content"]));
}

#[test]
fn c18_each_hashtag_of_the_text_is_a_tag_with_the_same_link() {
    let note = note(&actor(), &base(), &post());
    let tag = &note["tag"][0];
    assert_eq!((tag["type"].as_str(), tag["name"].as_str()), (Some("Hashtag"), Some("#HoogWater")));
    assert!(note["content"].as_str().unwrap().contains(tag["href"].as_str().unwrap()));
}

#[test]
fn c20_a_summary_stands_only_as_content_warning_and_then_the_post_is_sensitive() {
    let mut post = post();
    let plain = note(&actor(), &base(), &post);
    assert_eq!((plain.get("summary"), &plain["sensitive"]), (None, &json!(false)));
    post.content.warning = Some("schokkend beeld".to_owned());
    let warned = note(&actor(), &base(), &post);
    assert_eq!((&warned["summary"], &warned["sensitive"]), (&json!("schokkend beeld"), &json!(true)));
}

#[test]
fn c21_at_most_four_attachments_all_documents_with_size_and_blurhash() {
    let mut post = post();
    post.content.images = (0..6).map(|n| image(n, Some(&"ä".repeat(2_000)))).collect();
    let note = note(&actor(), &base(), &post);
    let attachments = note["attachment"].as_array().unwrap();
    assert_eq!(attachments.len(), 4);
    for attachment in attachments {
        assert_eq!(attachment["type"], "Document");
        assert_eq!(attachment["mediaType"], "image/jpeg");
        assert_eq!((&attachment["width"], &attachment["height"]), (&json!(1200), &json!(800)));
        assert!((6..=164).contains(&attachment["blurhash"].as_str().unwrap().len()));
        assert_eq!(attachment["name"].as_str().unwrap().chars().count(), 1_500);
    }
}

#[test]
fn c23_everyone_may_quote_and_no_other_sub_policy_is_sent() {
    let note = note(&actor(), &base(), &post());
    assert_eq!(note["interactionPolicy"], json!({"canQuote": {"automaticApproval": [PUBLIC]}}));
}

#[test]
fn c24_every_activity_is_small_and_flat_and_names_bundled_contexts_only() {
    let mut large = post();
    large.content.html = serde_json::from_value(json!(format!("<p>{}</p>", "€".repeat(5_000)))).unwrap();
    large.content.images = (0..4).map(|n| image(n, Some(&"€".repeat(1_500)))).collect();
    let large = create(&verified(), &base(), &large, ActivityId(5));
    assert!(large.len() < ACTIVITY_BYTES_MAX, "{}", large.len());
    let mut everything = all();
    everything.push(read(&large));
    for activity in everything {
        assert!(activity.to_string().len() < ACTIVITY_BYTES_MAX);
        assert!(depth(&activity) <= 6, "{activity:#}");
        let context = &activity["@context"];
        let urls: Vec<&str> = context
            .as_str()
            .into_iter()
            .chain(context.as_array().into_iter().flatten().filter_map(Value::as_str))
            .collect();
        assert!(!urls.is_empty() && urls.iter().all(|u| BUNDLED.contains(u)), "{context}");
        assert_eq!(activity.to_string().matches("@context").count(), 1, "no embedded context");
    }
}

#[test]
fn c32_an_edit_keeps_the_id_and_embeds_the_full_object_with_a_later_updated() {
    let (verified, base) = (verified(), base());
    let create = read(&create(&verified, &base, &post(), ActivityId(5)));
    let update = read(&update(&verified, &base, &edited(), ActivityId(6)));
    assert_eq!(update["object"]["id"], create["object"]["id"]);
    assert_eq!(update["object"]["published"], create["object"]["published"]);
    assert_eq!(update["object"]["content"], create["object"]["content"]);
    assert_eq!(update["object"]["updated"], "2026-11-22T09:01:00Z");
    assert_eq!(create["object"].get("updated"), None);
}

#[test]
fn c33_a_delete_embeds_a_tombstone_of_the_object() {
    let delete = read(&delete(&verified(), &base(), PostId(9), ActivityId(6), NOW));
    assert_eq!(delete["object"], json!({"id": "https://social.example.nl/ap/o/9", "type": "Tombstone"}));
    let gone = tombstone(&base(), PostId(9), NOW);
    assert_eq!((&gone["type"], &gone["id"]), (&json!("Tombstone"), &delete["object"]["id"]));
}

#[test]
fn c34_an_accept_embeds_the_follow_with_its_id_unchanged() {
    let follow = json!({
        "@context": "https://evil.example/c", "id": "https://peer.example/f#1", "type": "Follow", "junk": [[1]],
        "actor": ["https://peer.example/u/1"], "object": {"id": "https://social.example.nl/ap/a/7", "type": "Organization"},
    });
    let accept = read(&accept_follow(&actor(), &base(), &follow, ActivityId(5)));
    let embedded = json!({
        "id": "https://peer.example/f#1", "type": "Follow", "actor": "https://peer.example/u/1",
        "object": "https://social.example.nl/ap/a/7",
    });
    assert_eq!((&accept["type"], &accept["object"]), (&json!("Accept"), &embedded));
    let reject = read(&reject_follow(&actor(), &base(), &follow, ActivityId(5)));
    assert_eq!((&reject["type"], &reject["object"]), (&json!("Reject"), &embedded));
}

#[test]
fn c35_an_accepted_quote_names_the_authorization_which_binds_post_author_and_quote() {
    let request = json!({"id": "https://peer.example/q/1", "type": "QuoteRequest", "actor": "https://peer.example/u/1",
        "object": "https://social.example.nl/ap/o/9", "instrument": {"id": "https://peer.example/n/1", "type": "Note"}});
    let accept = read(&accept_quote(&actor(), &base(), &request, QuoteId(2), ActivityId(5)));
    let quoting = ObjectUrl::parse("https://peer.example/n/1").unwrap();
    let authorization = quote_authorization(&actor(), &base(), QuoteId(2), &quoting, PostId(9));
    assert_eq!(accept["result"], authorization["id"]);
    assert_eq!(accept["object"]["instrument"], "https://peer.example/n/1");
    assert_eq!(authorization["interactingObject"], "https://peer.example/n/1");
    assert_eq!(authorization["interactionTarget"], "https://social.example.nl/ap/o/9");
    assert_eq!(authorization["attributedTo"], actor().url.as_str());
}

#[test]
fn our_own_inbox_reads_what_we_send() {
    use crate::inbox::{IncomingKind, Said, Visibility, read::read};
    let bytes = create(&verified(), &base(), &post(), ActivityId(5));
    let IncomingKind::Create(Said::Note(note)) = read(&bytes, &actor().url).unwrap().kind else { panic!("no note") };
    assert_eq!((note.visibility, note.language.as_deref()), (Visibility::Public, Some("nl")));
    assert_eq!(note.tags, ["HoogWater"]);
    assert_eq!(note.attachments.len(), 2);
    let document = actor_document::actor_document(&actor(), &base()).to_string();
    let remote = crate::inbox::remote::read_actor(document.as_bytes(), actor().url.as_str(), None).unwrap();
    assert_eq!(remote.handle, "@nieuws@example.nl");
    assert_eq!(remote.shared_inbox, Some(base().shared_inbox()));
    assert_eq!(remote.key.unwrap().pem, actor().keys.rsa_pem);
}

#[test]
fn c23_who_may_quote_is_said_in_the_note() {
    let me = actor().url.to_string();
    let table = [
        (QuotePolicy::Everyone, json!({"automaticApproval": [PUBLIC]})),
        (QuotePolicy::Followers, json!({"automaticApproval": [format!("{me}/followers")]})),
        (QuotePolicy::Nobody, json!({"automaticApproval": [me]})),
        (QuotePolicy::Approval, json!({"automaticApproval": [me], "manualApproval": [PUBLIC]})),
    ];
    for (quotes, expected) in table {
        let mut actor = actor();
        actor.profile.quotes = quotes;
        let note = note(&actor, &base(), &post());
        assert_eq!(note["interactionPolicy"], json!({ "canQuote": expected }), "{quotes:?}");
        let terms = note["@context"][1].as_object().unwrap();
        assert_eq!(
            terms.contains_key("manualApproval"),
            quotes == QuotePolicy::Approval,
            "no more terms than are used"
        );
    }
}
