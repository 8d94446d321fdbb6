//! What other servers get. Numbers in names are those of `reference/federation.md` 9.

use serde_json::json;

use super::*;
use crate::ids::QuoteId;
use crate::post::HoldReason;
use crate::store::reactions::{self, QuoteRow};
use crate::web::problem;

#[actix_web::test]
async fn c01_c11_an_actor_answers_its_document_without_a_signature_or_a_redirect() {
    let world = World::new().await;
    let id = world.actor.url.as_str();
    for accept in
        [AP, "*/*", "application/json", "application/ld+json; profile=\"https://www.w3.org/ns/activitystreams\""]
    {
        let answer = world.get(id, accept).await;
        assert_eq!((answer.status, answer.header(header::CONTENT_TYPE)), (200, AP), "{accept}");
        assert_eq!(answer.json()["id"], id);
    }
    let browser = world.get(id, BROWSER).await;
    assert_eq!((browser.status, browser.header(header::LOCATION)), (303, "https://social.example/@nieuws"));
    let instance = world.get("/ap/instance", AP).await;
    assert_eq!(instance.json()["id"], "https://social.example/ap/instance");
    assert_eq!(instance.json()["type"], "Application");
}

#[actix_web::test]
async fn c02_every_url_that_an_actor_names_answers() {
    let world = World::new().await;
    for actor in [world.actor.url.to_string(), "/ap/instance".to_owned()] {
        let document = world.get(&actor, AP).await.json();
        for name in ["outbox", "followers", "following"] {
            let url = document[name].as_str().unwrap();
            let answer = world.get(url, AP).await;
            assert_eq!(answer.status, 200, "{url}");
            assert_eq!(answer.json()["id"], url);
            assert!(answer.json()["totalItems"].is_u64(), "{url}");
        }
        let inbox = world.get(document["inbox"].as_str().unwrap(), AP).await;
        assert_eq!((inbox.status, inbox.header(header::ALLOW)), (405, "POST, OPTIONS"));
    }
    assert_eq!(world.get(&format!("{}/featured", world.actor.url), AP).await.json()["orderedItems"], json!([]));
    assert_eq!(world.get(&format!("{}/secrets", world.actor.url), AP).await.status, 404);
}

#[actix_web::test]
async fn c06_webfinger_names_one_subject_and_one_id_however_it_is_asked() {
    let world = World::new().await;
    let id = world.actor.url.to_string();
    let asked = ["acct:nieuws@agency.example", "acct:nieuws@social.example", &id, "https://social.example/@nieuws"];
    for resource in asked {
        for host in ["social.example", "agency.example"] {
            let path = format!("/.well-known/webfinger?resource={resource}");
            let answer = world.ask(TestRequest::with_uri(&path).insert_header((header::HOST, host))).await;
            assert_eq!(
                (answer.status, answer.header(header::CONTENT_TYPE)),
                (200, "application/jrd+json"),
                "{resource}"
            );
            assert_eq!(answer.json()["subject"], "acct:nieuws@agency.example");
            let link = answer.json()["links"].as_array().unwrap().iter().find(|l| l["rel"] == "self").unwrap().clone();
            assert_eq!((&link["href"], &link["type"]), (&json!(id), &json!(AP)));
        }
    }
}

#[actix_web::test]
async fn c08_webfinger_says_400_for_what_is_no_resource_and_404_for_what_is_unknown() {
    let world = World::new().await;
    let table = [
        ("", 400),
        ("?resource=", 400),
        ("?resource=nieuws", 400),
        ("?resource=acct:niemand@agency.example", 404),
        ("?resource=acct:nieuws@elsewhere.example", 404),
        ("?resource=https://social.example/ap/a/1", 404),
        ("?resource=acct:nieuws%40agency.example", 200),
    ];
    for (query, status) in table {
        let answer = world.get(&format!("/.well-known/webfinger{query}"), "*/*").await;
        assert_eq!(answer.status, status, "{query}");
        assert_eq!(answer.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), "*", "{query}");
    }
}

#[actix_web::test]
async fn c12_nodeinfo_is_found_and_counts_public_posts() {
    let world = World::new().await;
    world.published("Een").await;
    let links = world.get("/.well-known/nodeinfo", "*/*").await.json();
    for link in links["links"].as_array().unwrap() {
        let answer = world.get(link["href"].as_str().unwrap(), "*/*").await;
        assert_eq!(answer.json()["usage"]["localPosts"], 1);
        assert!(answer.header(header::CONTENT_TYPE).contains("profile="));
    }
    assert_eq!(world.get("/nodeinfo/3.0", "*/*").await.status, 404);
    for path in ["/.well-known/host-meta", "/.well-known/host-meta.json"] {
        assert!(world.get(path, "*/*").await.body.contains("webfinger?resource={uri}"), "{path}");
    }
}

#[actix_web::test]
async fn c13_an_outbox_is_paged_from_the_newest_to_the_oldest() {
    let world = World::new().await;
    let mut made = Vec::new();
    for number in 0..45 {
        made.push(world.gateway.base.object(world.published(&format!("Bericht {number}")).await).to_string());
    }
    let outbox = world.get(&format!("{}/outbox", world.actor.url), AP).await.json();
    assert_eq!(outbox["totalItems"], 45);
    let objects = |page: &serde_json::Value| -> Vec<String> {
        page["orderedItems"]
            .as_array()
            .unwrap()
            .iter()
            .map(|a| a["object"]["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let (mut read, mut next) = (Vec::new(), outbox["first"].as_str().map(str::to_owned));
    while let Some(url) = next {
        let page = world.get(&url, AP).await.json();
        assert_eq!(page["id"], url);
        read.extend(objects(&page));
        next = page["next"].as_str().map(str::to_owned);
    }
    made.reverse();
    assert_eq!(read, made);
    let last = world.get(outbox["last"].as_str().unwrap(), AP).await.json();
    assert_eq!(objects(&last), made[25..]);
    assert_eq!(world.get(&format!("{}/outbox?page=x", world.actor.url), AP).await.status, 400);
}

#[actix_web::test]
async fn c14_a_published_post_and_its_create_answer_the_bytes_that_were_said() {
    let world = World::new().await;
    let post = world.published("Hoog water").await;
    let object = world.get(world.gateway.base.object(post).as_str(), AP).await;
    assert_eq!((object.status, object.header(header::CONTENT_TYPE)), (200, AP));
    assert_eq!(object.json()["type"], "Note");
    let rows = world.gateway.store.read("x", move |db| crate::store::activities::of_post(db, post)).await.unwrap();
    let create = world.get(world.gateway.base.activity(rows[0].id).as_str(), AP).await;
    assert_eq!(create.body.as_bytes(), rows[0].bytes);
}

#[actix_web::test]
async fn an_edit_replaces_what_the_create_said_wherever_it_is_read() {
    let world = World::new().await;
    let post = world.published("Met een fout").await;
    world.change(post, Change::Edit(content("Zonder"))).await;
    let rows = world.gateway.store.read("x", move |db| crate::store::activities::of_post(db, post)).await.unwrap();
    let mut urls: Vec<String> = rows.iter().map(|row| world.gateway.base.activity(row.id).to_string()).collect();
    urls.push(world.gateway.base.object(post).to_string());
    urls.push(format!("{}/outbox?page=first", world.actor.url));
    urls.push(world.gateway.base.post_page("nieuws", post));
    for url in urls {
        for accept in [AP, BROWSER] {
            let answer = world.get(&url, accept).await;
            assert!(!answer.body.contains("Met een fout"), "{url} {}", answer.body);
        }
    }
}

#[actix_web::test]
async fn c33_a_withdrawn_post_is_410_with_its_tombstone() {
    let world = World::new().await;
    let post = world.published("Weg ermee").await;
    world.change(post, Change::Withdraw).await;
    let id = world.gateway.base.object(post);
    let rows = world.gateway.store.read("x", move |db| crate::store::activities::of_post(db, post)).await.unwrap();
    let create = world.gateway.base.activity(rows[0].id);
    for url in [id.as_str(), create.as_str()] {
        let answer = world.get(url, AP).await;
        assert_eq!((answer.status, answer.header(header::CONTENT_TYPE)), (410, AP), "{url}");
        assert_eq!((&answer.json()["type"], &answer.json()["id"]), (&json!("Tombstone"), &json!(id.as_str())));
    }
    let delete = world.get(world.gateway.base.activity(rows[1].id).as_str(), AP).await;
    assert_eq!((delete.status, &delete.json()["type"]), (200, &json!("Delete")));
    let page = world.get(&world.gateway.base.post_page("nieuws", post), BROWSER).await;
    assert_eq!(page.status, 410);
    assert!(!page.body.contains("Weg ermee"));
    assert_eq!(world.get(&format!("{}/outbox", world.actor.url), AP).await.json()["totalItems"], 0);
}

#[actix_web::test]
async fn what_was_never_public_is_the_same_as_what_does_not_exist() {
    let world = World::new().await;
    let unknown = PostId(world.gateway.mint.next());
    let hidden = [
        PostState::Held(HoldReason::Approval),
        PostState::Scheduled(now().after(Duration::from_secs(3600))),
        PostState::Withdrawn(now()),
    ];
    let shown = |answer: Answer| {
        let mut headers: Vec<(String, String)> = answer
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .filter(|(name, _)| name != "x-request-id")
            .collect();
        headers.sort();
        (answer.status, headers, answer.body)
    };
    for state in hidden {
        let image = world.picture(None, PNG, (1, 1)).await;
        let media = image.id;
        let post = world.post(state, Content { images: vec![image], ..content("Geheim") }).await;
        let pairs = [
            (world.gateway.base.object(post).to_string(), world.gateway.base.object(unknown).to_string()),
            (world.gateway.base.post_page("nieuws", post), world.gateway.base.post_page("nieuws", unknown)),
            (world.gateway.base.media(media, "png"), world.gateway.base.media(MediaId(1), "png")),
        ];
        for (hidden, unknown) in pairs {
            for accept in [AP, BROWSER, "*/*"] {
                let begun = std::time::Instant::now();
                let (a, b) = (world.get(&hidden, accept).await, world.get(&unknown, accept).await);
                assert_eq!(a.status, 404, "{hidden} {state:?}");
                assert_eq!(shown(a), shown(b), "{hidden} {state:?}");
                assert!(begun.elapsed() >= Duration::from_millis(20), "each takes its time");
            }
        }
        for path in ["/@nieuws", "/tags/HoogWater", "/"] {
            assert!(!world.get(path, BROWSER).await.body.contains("Geheim"), "{path} {state:?}");
        }
    }
}

#[actix_web::test]
async fn c35_a_quote_authorization_stands_until_it_is_revoked_or_its_post_is_gone() {
    let world = World::new().await;
    let post = world.published("Citeer mij").await;
    let rows: Vec<QuoteRow> = [None, Some(now())]
        .into_iter()
        .map(|revoked_at| QuoteRow {
            id: QuoteId(world.gateway.mint.next()),
            post_id: post,
            author_url: "https://peer.example/u/1".to_owned(),
            quote_url: format!("https://peer.example/o/{}", revoked_at.is_some()),
            revoked_at,
            created_at: now(),
        })
        .collect();
    let urls: Vec<String> = rows.iter().map(|row| world.gateway.base.quote_authorization(row.id).to_string()).collect();
    let write = move |db: &mut crate::store::Db<'_>| {
        rows.iter().try_for_each(|row| reactions::authorize_quote(db, row).map(|_| ()))
    };
    world.gateway.store.write("x", write).await.unwrap();
    let standing = world.get(&urls[0], AP).await;
    assert_eq!((standing.status, &standing.json()["id"]), (200, &json!(urls[0])));
    assert_eq!(world.get(&urls[1], AP).await.status, 410);
    assert_eq!(world.get("/ap/q/1", AP).await.status, 404);
    world.change(post, Change::Withdraw).await;
    assert_eq!(world.get(&urls[0], AP).await.status, 410);
}

#[actix_web::test]
async fn c22_a_picture_of_a_published_post_is_served_whole_and_in_parts() {
    let world = World::new().await;
    let image = world.picture(Some("Een stip"), PNG, (1, 1)).await;
    let url = world.gateway.base.media(image.id, "png");
    let tag = format!("\"{}\"", image.sha256);
    world.post(PostState::Ready, Content { images: vec![image], ..content("Met beeld") }).await;
    let whole = world.get(&url, "image/*").await;
    assert_eq!((whole.status, whole.header(header::CONTENT_TYPE)), (200, "image/png"));
    assert_eq!(whole.header(header::ETAG), tag);
    assert_eq!(whole.header(header::CACHE_CONTROL), "public, max-age=31536000, immutable");
    assert_eq!(whole.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff");
    let ask = |name, value: &str| world.ask(world.request(&url).insert_header((name, value.to_owned())));
    let part = ask(header::RANGE, "bytes=1-3").await;
    assert_eq!((part.status, part.body.as_str()), (206, "PNG"));
    assert_eq!(part.header(header::CONTENT_RANGE), format!("bytes 1-3/{}", PNG.len()));
    assert_eq!(ask(header::RANGE, "bytes=900-").await.status, 416);
    assert_eq!(ask(header::IF_NONE_MATCH, &tag).await.status, 304);
    assert_eq!(world.get(&url.replace(".png", ".gif"), "*/*").await.status, 404);
}

#[actix_web::test]
async fn c43_documents_and_pages_are_labelled_for_caches_and_answer_304() {
    let world = World::new().await;
    let post = world.published("Bewaar mij").await;
    let base = &world.gateway.base;
    let urls = [
        (world.actor.url.to_string(), AP, "Accept, Accept-Encoding"),
        (base.object(post).to_string(), AP, "Accept, Accept-Encoding"),
        (base.post_page("nieuws", post), BROWSER, "Accept, Accept-Language, Accept-Encoding"),
        (base.actor_page("nieuws"), BROWSER, "Accept, Accept-Language, Accept-Encoding"),
    ];
    for (url, accept, vary) in urls {
        for encoding in ["identity", "gzip", "br"] {
            let request = || {
                let headers = [(header::ACCEPT, accept), (header::ACCEPT_ENCODING, encoding)];
                headers.into_iter().fold(world.request(&url), TestRequest::insert_header)
            };
            let first = world.ask(request()).await;
            assert_eq!(first.status, 200, "{url}");
            assert_eq!(first.header(header::VARY), vary, "{url}");
            assert!(first.header(header::CACHE_CONTROL).starts_with("public, max-age=180"), "{url}");
            assert_eq!(first.headers.contains_key(header::CONTENT_ENCODING), encoding != "identity", "{url}");
            let again = world.ask(request().insert_header((header::IF_NONE_MATCH, first.header(header::ETAG)))).await;
            assert_eq!((again.status, again.body.as_str()), (304, ""), "{url} {encoding}");
        }
    }
}

#[actix_web::test]
async fn a_request_for_another_host_is_misdirected_and_a_handle_domain_answers_discovery_only() {
    let world = World::new().await;
    let actor = world.actor.url.as_str().replace("https://social.example", "");
    let table = [
        ("social.example", "/@nieuws", 200),
        ("SOCIAL.example:443", "/@nieuws", 200),
        ("evil.example", "/@nieuws", 421),
        ("127.0.0.1:8080", "/@nieuws", 421),
        ("127.0.0.1:8080", "/health/ready", 200),
        ("agency.example", "/.well-known/host-meta", 200),
        ("agency.example", "/@nieuws", 308),
        ("evil.example", "/.well-known/host-meta", 421),
        ("agency.example", actor.as_str(), 308),
    ];
    for (host, path, status) in table {
        let request = TestRequest::with_uri(path).insert_header((header::HOST, host));
        let answer = world.ask(request.insert_header((header::ACCEPT, BROWSER))).await;
        let status = if path == actor && status == 200 { 303 } else { status };
        assert_eq!(answer.status, status, "{host}{path}");
        if status == 308 {
            assert_eq!(answer.header(header::LOCATION), format!("https://social.example{path}"));
        }
        if status == 421 {
            assert_eq!(answer.header(header::CONTENT_TYPE), problem::CONTENT_TYPE);
            assert!(answer.json()["detail"].as_str().unwrap().contains(host));
        }
    }
}

#[actix_web::test]
async fn scripts_of_other_sites_may_ask_before_they_read() {
    let world = World::new().await;
    let options = world.request(world.actor.url.as_str()).method(actix_web::http::Method::OPTIONS);
    let answer = world.ask(options).await;
    assert_eq!((answer.status, answer.header(header::ACCESS_CONTROL_ALLOW_ORIGIN)), (204, "*"));
    let delete = world.request(world.actor.url.as_str()).method(actix_web::http::Method::DELETE);
    assert_eq!(world.ask(delete).await.status, 405);
}
