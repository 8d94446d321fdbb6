use super::*;
use crate::actor::verification::tests::{NOW, actor, base};

const DOMAINS: [&str; 1] = ["example.nl"];

fn resource(text: &str) -> Result<Resource, u16> {
    parse_resource(Some(text), &base(), &DOMAINS).map_err(|e| e.status())
}

#[test]
fn c06_every_form_of_resource_leads_to_the_actor_with_one_subject_and_one_self_link() {
    let handle =
        |domain: &str| Ok(Resource::Handle { handle: Handle::parse("nieuws").unwrap(), domain: domain.to_owned() });
    for (text, wanted) in [
        ("acct:nieuws@example.nl", handle("example.nl")),
        ("acct:Nieuws@Example.NL", handle("example.nl")),
        ("acct:@nieuws@example.nl", handle("example.nl")),
        ("acct:nieuws@social.example.nl", handle("social.example.nl")),
        ("https://social.example.nl/@nieuws", handle("social.example.nl")),
        ("https://social.example.nl/ap/a/7", Ok(Resource::Actor(ActorId(7)))),
        ("acct:social.example.nl@social.example.nl", Ok(Resource::Instance)),
        ("https://social.example.nl/ap/instance", Ok(Resource::Instance)),
        ("https://social.example.nl/", Ok(Resource::Instance)),
        ("https://social.example.nl", Ok(Resource::Instance)),
    ] {
        assert_eq!(resource(text), wanted, "{text}");
    }
    let answer = webfinger(&actor(), &base());
    assert_eq!(answer["subject"], "acct:nieuws@example.nl");
    assert_eq!(
        answer["links"][0],
        json!({"rel": "self", "type": "application/activity+json", "href": "https://social.example.nl/ap/a/7"})
    );
    assert_eq!(answer["aliases"], json!(["https://social.example.nl/@nieuws", "https://social.example.nl/ap/a/7"]));
    assert_eq!(answer["links"][2]["type"], "image/png");
    let instance = InstanceActor::new(&base(), actor().keys, NOW);
    assert_eq!(webfinger_instance(&instance, &base())["subject"], "acct:social.example.nl@social.example.nl");
}

#[test]
fn c07_the_webfinger_property_of_the_actor_is_the_subject_without_acct() {
    let document = crate::activity::actor_document::actor_document(&actor(), &base());
    let subject = webfinger(&actor(), &base())["subject"].as_str().unwrap().to_owned();
    assert_eq!(format!("acct:{}", document["webfinger"].as_str().unwrap()), subject);
}

#[test]
fn c08_bad_resources_are_400_and_unknown_ones_404() {
    assert_eq!(parse_resource(None, &base(), &DOMAINS).unwrap_err().status(), 400);
    let long = format!("acct:{}@example.nl", "a".repeat(3_000));
    for (text, status) in [
        ("", 400),
        ("  ", 400),
        ("nieuws", 400),
        ("nieuws@example.nl", 400),
        ("acct:nieuws", 400),
        ("mailto:nieuws@example.nl", 400),
        (long.as_str(), 400),
        ("acct:nieuws@evil.example", 404),
        ("acct:a b@example.nl", 404),
        ("acct:<script>@example.nl", 404),
        ("https://social.example.nl/ap/a/x", 404),
        ("https://social.example.nl/@nieuws/9", 404),
        ("https://evil.example/@nieuws", 404),
        ("http://social.example.nl/@nieuws", 404),
        ("https://social.example.nl.evil.example/ap/a/7", 404),
    ] {
        assert_eq!(resource(text), Err(status), "{text}");
    }
}

proptest::proptest! {
    #[test]
    fn whatever_is_asked_for_only_what_is_ours_is_found(
        text in r"(acct:|https?://|ACCT:)?@?[\PC]{0,20}[@/][\PC]{0,40}",
        bytes in "\\PC{0,300}",
    ) {
        for text in [text, bytes] {
            match parse_resource(Some(&text), &base(), &DOMAINS) {
                Ok(Resource::Handle { handle, domain }) => {
                    assert!(domain == "social.example.nl" || DOMAINS.contains(&domain.as_str()), "{text}");
                    assert_eq!(Handle::parse(handle.as_str()).unwrap(), handle);
                }
                Ok(Resource::Actor(id)) => assert_eq!(base().actor(id).as_str(), text.trim()),
                Ok(Resource::Instance) => assert!(text.contains("social.example.nl"), "{text}"),
                Err(error) => assert!([400, 404].contains(&error.status()), "{text}"),
            }
        }
    }

    #[test]
    fn a_handle_is_found_in_every_spelling_and_at_no_other_domain(name in "[a-z0-9]{1,20}", upper: bool, other in "[a-z]{1,12}") {
        let spelt = |domain: &str| {
            let text = format!("acct:{name}@{domain}");
            if upper { text.to_uppercase().replacen("ACCT:", "acct:", 1) } else { text }
        };
        let wanted = Resource::Handle { handle: Handle::parse(&name).unwrap(), domain: "example.nl".to_owned() };
        assert_eq!(resource(&spelt("example.nl")), Ok(wanted));
        for domain in [format!("{other}.example.nl"), format!("example.nl.{other}"), format!("{other}example.nl")] {
            if domain != "social.example.nl" {
                assert_eq!(resource(&spelt(&domain)), Err(404), "{domain}");
            }
        }
    }
}

#[test]
fn host_meta_tells_where_webfinger_is() {
    let template = "https://social.example.nl/.well-known/webfinger?resource={uri}";
    assert!(host_meta_xrd(&base()).contains(&format!("template=\"{template}\"")));
    assert_eq!(host_meta_json(&base())["links"][0]["template"], template);
}

#[test]
fn c12_nodeinfo_names_software_and_protocol_and_no_person() {
    let links = nodeinfo_links(&base());
    assert_eq!(links["links"][1]["href"], "https://social.example.nl/nodeinfo/2.1");
    assert_eq!(links["links"][1]["rel"], "http://nodeinfo.diaspora.software/ns/schema/2.1");
    let facts = NodeFacts {
        version: "0.1.0".to_owned(),
        name: "Voorbeeld".to_owned(),
        description: String::new(),
        actors: 3,
        posts: 40,
        repository: Some("https://code.example/heraut".to_owned()),
        homepage: None,
    };
    for version in [NodeInfoVersion::V2_0, NodeInfoVersion::V2_1] {
        let document = nodeinfo(version, &facts);
        assert_eq!(document["version"], version.number());
        assert_eq!(
            (&document["software"]["name"], &document["software"]["version"]),
            (&json!("heraut"), &json!("0.1.0"))
        );
        assert_eq!(document["software"].get("repository").is_some(), version == NodeInfoVersion::V2_1);
        assert_eq!(document["protocols"], json!(["activitypub"]));
        assert_eq!(document["usage"], json!({"users": {"total": 3}, "localPosts": 40}));
        assert_eq!(NodeInfoVersion::read(version.number()), Some(version));
    }
    assert!(NodeInfoVersion::V2_1.content_type().ends_with("ns/schema/2.1#\""));
}
