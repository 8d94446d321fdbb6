//! Actors and discovery over HTTP: points 1 to 13. The agency's handles are at another domain than the gateway.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{ACTIVITY, Reply, Shared, get, get_as, looks, request};

const LD: &str = "application/ld+json; profile=\"https://www.w3.org/ns/activitystreams\"";

async fn actor(shared: &Shared) -> Value {
    get(&shared.world.gateway.actor()).await.json()
}

async fn webfinger(shared: &Shared, resource: &str) -> Reply {
    let encoded: String = url::form_urlencoded::byte_serialize(resource.as_bytes()).collect();
    get_as(&shared.world.gateway.url(&format!("/.well-known/webfinger?resource={encoded}")), "application/jrd+json")
        .await
}

looks! {
    async fn c01_the_id_of_an_actor_answers_activity_json_without_a_redirect(shared: &Shared) {
        let id = shared.world.gateway.actor();
        for accept in [ACTIVITY, LD, "application/activity+json, application/ld+json", "*/*;q=0.1, application/activity+json"] {
            let reply = get_as(&id, accept).await;
            assert_eq!((reply.status, reply.header("content-type")), (200, ACTIVITY), "{accept}");
            assert_eq!(reply.json()["id"], json!(id));
        }
        let page = get_as(&id, "text/html,application/xhtml+xml").await;
        assert_eq!(page.status, 303, "a browser is sent on");
        assert_eq!(page.header("location"), shared.world.gateway.url("/@nieuws"));
    }

    async fn c02_every_collection_of_an_actor_is_on_its_host(shared: &Shared) {
        let actor = actor(shared).await;
        let root = shared.world.gateway.url("/");
        for property in ["inbox", "outbox", "followers", "following", "featured", "url"] {
            let url = actor[property].as_str().unwrap();
            assert!(url.starts_with(&root), "{property}: {url}");
        }
        assert!(actor["endpoints"]["sharedInbox"].as_str().unwrap().starts_with(&root));
        for property in ["outbox", "followers", "following", "featured"] {
            let reply = get(actor[property].as_str().unwrap()).await;
            assert_eq!((reply.status, &reply.json()["id"]), (200, &actor[property]), "{property}");
        }
    }

    async fn c03_the_public_key_is_one_object_of_the_actor_with_2048_bits(shared: &Shared) {
        let actor = actor(shared).await;
        let key = &actor["publicKey"];
        assert!(key.is_object() && key["id"].as_str().unwrap().contains('#'), "{key}");
        assert_eq!(key["owner"], actor["id"]);
        let pem = key["publicKeyPem"].as_str().unwrap();
        assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----"), "not SPKI: {pem}");
        let rsa = openssl::rsa::Rsa::public_key_from_pem(pem.as_bytes()).unwrap();
        assert_eq!(rsa.size() * 8, 2048);
    }

    async fn c04_an_ed25519_multikey_is_the_actors_assertion_method(shared: &Shared) {
        let actor = actor(shared).await;
        let methods = actor["assertionMethod"].as_array().unwrap();
        let multikey = methods.iter().find(|m| m["type"] == "Multikey").unwrap();
        assert_eq!(multikey["controller"], actor["id"]);
        let key = multikey["publicKeyMultibase"].as_str().unwrap().strip_prefix('z').unwrap();
        let bytes = bs58::decode(key).into_vec().unwrap();
        assert_eq!((bytes.len(), &bytes[..2]), (34, &[0xed, 0x01][..]), "the multicodec of Ed25519");
    }

    async fn c05_the_flags_the_dates_and_the_icon_of_an_actor_are_there_and_typed(shared: &Shared) {
        let actor = actor(shared).await;
        assert_eq!(actor["manuallyApprovesFollowers"], json!(false));
        assert!(actor["discoverable"].is_boolean() && actor["indexable"].is_boolean());
        let published = actor["published"].as_str().unwrap();
        assert!(published.ends_with('Z') && heraut::time::Timestamp::parse_rfc3339(published).is_some(), "{published}");
        assert_eq!(actor["icon"]["type"], json!("Image"));
        assert_eq!(actor["icon"]["mediaType"], json!("image/png"));
        assert_eq!(actor["type"], json!("Organization"));
    }

    async fn c06_webfinger_gives_one_subject_and_one_self_whatever_is_asked(shared: &Shared) {
        let gateway = &shared.world.gateway;
        let resources = [
            "acct:nieuws@voorbeeldstad.example".to_owned(),
            "acct:NIEUWS@Voorbeeldstad.example".to_owned(),
            format!("acct:nieuws@{}", gateway.authority()),
            gateway.actor(),
            gateway.url("/@nieuws"),
        ];
        for resource in &resources {
            let reply = webfinger(shared, resource).await;
            assert_eq!(reply.status, 200, "{resource}: {}", reply.text());
            assert!(reply.header("content-type").starts_with("application/jrd+json"), "{resource}");
            let document = reply.json();
            assert_eq!(document["subject"], json!("acct:nieuws@voorbeeldstad.example"), "{resource}");
            let own: Vec<&Value> = document["links"].as_array().unwrap().iter().filter(|l| l["rel"] == "self").collect();
            assert_eq!(own, [&json!({"rel": "self", "type": ACTIVITY, "href": gateway.actor()})], "{resource}");
        }
        let host = [("host", "voorbeeldstad.example"), ("accept", "application/jrd+json")];
        let there = gateway.url("/.well-known/webfinger?resource=acct:nieuws@voorbeeldstad.example");
        assert_eq!(request("GET", &there, &host, b"").await.status, 200, "asked at the domain of the handle");
    }

    async fn c07_the_actors_webfinger_is_that_subject(shared: &Shared) {
        assert_eq!(actor(shared).await["webfinger"], json!("nieuws@voorbeeldstad.example"));
    }

    async fn c08_an_unknown_user_is_404_and_a_bad_resource_400_and_scripts_may_read_it(shared: &Shared) {
        let authority = shared.world.gateway.authority();
        let table = [
            (format!("acct:niemand@{authority}"), 404),
            ("acct:nieuws@elders.example".to_owned(), 404),
            (shared.world.gateway.url("/ap/a/1"), 404),
            ("acct:".to_owned(), 400),
            ("zomaar iets".to_owned(), 400),
            (String::new(), 400),
        ];
        for (resource, status) in table {
            let reply = webfinger(shared, &resource).await;
            assert_eq!(reply.status, status, "`{resource}`: {}", reply.text());
            assert_eq!(reply.header("access-control-allow-origin"), "*", "`{resource}`");
        }
        let bare = get(&shared.world.gateway.url("/.well-known/webfinger")).await;
        assert_eq!(bare.status, 400);
        for url in [shared.world.gateway.actor(), shared.object.clone(), shared.world.gateway.url("/nodeinfo/2.1")] {
            assert_eq!(get(&url).await.header("access-control-allow-origin"), "*", "{url}");
        }
    }

    async fn c09_the_profile_page_and_the_id_name_each_other(shared: &Shared) {
        let actor = actor(shared).await;
        let page = get_as(actor["url"].as_str().unwrap(), "text/html").await;
        assert_eq!(page.status, 200);
        assert!(page.header("content-type").starts_with("text/html"));
        let html = page.text();
        let id = actor["id"].as_str().unwrap();
        let alternate = html.split('<').find(|tag| tag.starts_with("link") && tag.contains("alternate") && tag.contains(id));
        assert!(alternate.is_some_and(|tag| tag.contains(ACTIVITY)), "no <link rel=alternate> to the id: {html}");
        let website = format!("http://{}/", shared.world.site.authority());
        let back_link = html.split('<').any(|tag| tag.contains("rel=\"me\"") && tag.contains(&website));
        assert!(back_link, "no rel=me to {website}: {html}");
        assert!(!html.contains("<script"), "pages work without script");
    }

    async fn c10_a_field_with_a_link_is_a_lone_anchor_whose_text_is_its_href(shared: &Shared) {
        let actor = actor(shared).await;
        let field = &actor["attachment"][0];
        assert_eq!((&field["type"], &field["name"]), (&json!("PropertyValue"), &json!("Website")));
        let value = field["value"].as_str().unwrap();
        let (tag, rest) = value.strip_prefix("<a ").unwrap().split_once('>').unwrap();
        let website = format!("http://{}/", shared.world.site.authority());
        assert!(tag.contains(&format!("href=\"{website}\"")) && tag.contains("me"), "{value}");
        assert_eq!(rest, format!("{website}</a>"));
    }

    async fn c11_the_actor_and_the_instance_actor_are_read_without_a_signature(shared: &Shared) {
        let instance = get(&shared.world.gateway.url("/ap/instance")).await;
        assert_eq!(instance.status, 200);
        let instance = instance.json();
        assert_eq!(instance["type"], json!("Application"));
        assert!(instance["publicKey"]["publicKeyPem"].as_str().unwrap().contains("PUBLIC KEY"));
        assert_eq!(actor(shared).await["id"], json!(shared.world.gateway.actor()));
    }

    async fn c12_nodeinfo_names_the_software_and_no_person(shared: &Shared) {
        let index = get_as(&shared.world.gateway.url("/.well-known/nodeinfo"), "application/json").await.json();
        let links = index["links"].as_array().unwrap();
        for version in ["2.0", "2.1"] {
            let schema = format!("http://nodeinfo.diaspora.software/ns/schema/{version}");
            let link = links.iter().find(|link| link["rel"] == schema.as_str()).unwrap();
            let reply = get_as(link["href"].as_str().unwrap(), "application/json").await;
            assert!(reply.header("content-type").contains(&schema), "{}", reply.header("content-type"));
            let info = reply.json();
            assert_eq!(info["version"], json!(version));
            assert_eq!(info["software"]["name"], json!("heraut"));
            assert_eq!(info["software"]["version"], json!(env!("CARGO_PKG_VERSION")));
            assert_eq!(info["protocols"], json!(["activitypub"]));
            assert!(info["usage"]["users"]["total"].is_u64() && info["openRegistrations"] == json!(false));
            assert!(info["services"]["inbound"].is_array() && info["services"]["outbound"].is_array());
            assert!(!info.to_string().contains("burger"), "{info}");
            // The schema takes no other keys than these, and wants every one but `metadata`'s content.
            let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
            let named = |names: &[&str]| names.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
            let all = ["version", "software", "protocols", "services", "openRegistrations", "usage", "metadata"];
            assert_eq!(keys(&info), named(&all));
            let software = ["name", "version", "repository", "homepage"];
            assert!(keys(&info["software"]).is_subset(&named(&software[..if version == "2.1" { 4 } else { 2 }])), "{info}");
            assert_eq!(keys(&info["services"]), named(&["inbound", "outbound"]));
            assert!(keys(&info["usage"]).is_subset(&named(&["users", "localPosts", "localComments"])), "{info}");
            assert!(keys(&info["usage"]["users"]).is_subset(&named(&["total", "activeHalfyear", "activeMonth"])), "{info}");
            assert!(info["metadata"].is_object());
        }
    }

    async fn c13_collections_count_in_whole_numbers_and_the_outbox_has_a_first_page(shared: &Shared) {
        let actor = actor(shared).await;
        let collection = |name: &str| get_json(actor[name].as_str().unwrap().to_owned());
        let followers = collection("followers").await;
        assert_eq!(followers["totalItems"], json!(1));
        assert!(!followers.to_string().contains("burger"), "who follows is nobody's business");
        assert_eq!(collection("following").await["totalItems"], json!(0));
        let outbox = collection("outbox").await;
        assert_eq!(outbox["totalItems"], json!(1));
        let first = get_json(outbox["first"].as_str().unwrap().to_owned()).await;
        assert_eq!(first["orderedItems"][0]["object"]["id"], json!(shared.object));
        assert_eq!(first["partOf"], outbox["id"]);
    }

    async fn host_meta_says_where_webfinger_is(shared: &Shared) {
        let xrd = get_as(&shared.world.gateway.url("/.well-known/host-meta"), "application/xrd+xml").await;
        assert_eq!(xrd.status, 200);
        let template = shared.world.gateway.url("/.well-known/webfinger?resource={uri}");
        assert!(xrd.text().contains(&format!("template=\"{template}\"")), "{}", xrd.text());
    }

    async fn another_host_is_not_answered_for(shared: &Shared) {
        let url = shared.world.gateway.actor();
        let reply = request("GET", &url, &[("host", "elders.example"), ("accept", ACTIVITY)], b"").await;
        assert_eq!(reply.status, 421, "{}", reply.text());
    }
}

async fn get_json(url: String) -> Value {
    get(&url).await.json()
}
