use super::*;
use crate::activity::tests::{BUNDLED, depth};
use crate::actor::key::decode_multikey;
use crate::actor::verification::tests::{NOW, actor, base};

fn document() -> Value {
    actor_document(&actor(), &base())
}

fn instance() -> Value {
    instance_document(&InstanceActor::new(&base(), actor().keys, NOW), &base())
}

#[test]
fn the_actor_document_is_this() {
    insta::assert_json_snapshot!("actor", document());
}

#[test]
fn c02_inbox_and_collections_are_on_the_host_of_the_id_over_https() {
    for document in [document(), instance()] {
        for path in ["/inbox", "/outbox", "/followers", "/following", "/endpoints/sharedInbox", "/url"] {
            let url = document.pointer(path).and_then(Value::as_str).unwrap();
            assert!(url.starts_with("https://social.example.nl/"), "{path} {url}");
        }
    }
    assert_eq!(document()["featured"], "https://social.example.nl/ap/a/7/featured");
}

#[test]
fn c03_public_key_is_one_object_owned_by_the_actor_with_a_fragment_in_its_id() {
    for document in [document(), instance()] {
        let key = document["publicKey"].as_object().unwrap();
        assert_eq!(key["owner"], document["id"]);
        assert_eq!(key["id"], format!("{}#main-key", document["id"].as_str().unwrap()));
        let pem = key["publicKeyPem"].as_str().unwrap();
        assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----"));
        crate::signature::RsaPublicKey::from_pem(pem).unwrap();
    }
}

#[test]
fn c04_assertion_method_holds_the_ed25519_multikey_of_the_actor() {
    let document = document();
    let method = &document["assertionMethod"][0];
    assert_eq!((&method["type"], &method["controller"]), (&json!("Multikey"), &document["id"]));
    decode_multikey(method["publicKeyMultibase"].as_str().unwrap()).unwrap();
}

#[test]
fn c05_flags_are_booleans_and_published_and_icon_are_there() {
    let document = document();
    assert_eq!(document["manuallyApprovesFollowers"], json!(false));
    assert_eq!((&document["discoverable"], &document["indexable"]), (&json!(true), &json!(true)));
    assert_eq!(document["published"], "2026-11-01T00:00:00Z");
    assert_eq!(
        document["icon"],
        json!({"type": "Image", "mediaType": "image/png", "url": "https://social.example.nl/media/1.png"})
    );
}

#[test]
fn c10_a_field_that_is_a_url_is_a_lone_link_whose_text_is_its_href() {
    let document = document();
    let value = |n: usize| document["attachment"][n]["value"].as_str().unwrap().to_owned();
    assert_eq!(value(0), r#"<a href="https://example.nl/" rel="me">https://example.nl/</a>"#);
    assert_eq!(value(1), "14 &lt;010&gt;");
    for (plain, html) in [
        ("javascript:alert(1)", "javascript:alert(1)"),
        ("https://a.example/ \"onclick", "https://a.example/ &quot;onclick"),
        (
            "https://a.example/?a=1&b=\"",
            "<a href=\"https://a.example/?a=1&amp;b=&quot;\" rel=\"me\">https://a.example/?a=1&amp;b=&quot;</a>",
        ),
    ] {
        assert_eq!(field_value(plain), html);
    }
}

#[test]
fn c24_actor_documents_are_flat_and_name_bundled_contexts_only() {
    for document in [document(), instance()] {
        assert!(depth(&document) <= 6);
        let urls: Vec<&str> = document["@context"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!(urls, BUNDLED);
    }
}

#[test]
fn plain_text_becomes_paragraphs_and_the_domain_loses_its_port() {
    let document = document();
    assert_eq!(document["summary"], "<p>Nieuws van de stad.<br>Reageer gerust.</p><p>Vragen &amp; antwoorden.</p>");
    assert_eq!(document["attributionDomains"], json!(["example.nl"]));
    let mut nameless = actor();
    nameless.profile.name = String::new();
    assert_eq!(actor_document(&nameless, &base())["name"], "nieuws");
}
