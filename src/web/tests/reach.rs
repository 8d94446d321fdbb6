//! Pinned posts, feeds, what other websites show, and the way of a reader to their own server.

use serde_json::{Value, json};

use super::*;
use crate::flow::pins;
use crate::flow::pins::{PINS_MAX, PinError, Pinning};

async fn featured(world: &World) -> Value {
    world.get(&world.gateway.base.below(&world.actor.url, "featured"), AP).await.json()["orderedItems"].clone()
}

#[actix_web::test]
async fn pinned_posts_are_featured_the_newest_pin_first_until_they_are_withdrawn() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for n in 0..=PINS_MAX {
        ids.push(world.published(&format!("Bericht {n}")).await);
    }
    let change = |id, pinning| pins::change(&world.gateway, id, pinning, "test");
    assert_eq!(featured(&world).await, json!([]));
    for id in &ids[..PINS_MAX] {
        change(*id, Pinning::Pin).await.unwrap();
    }
    assert!(matches!(change(ids[0], Pinning::Pin).await, Err(PinError::Pinned(_))));
    assert!(matches!(change(ids[PINS_MAX], Pinning::Pin).await, Err(PinError::Full(_))), "at most {PINS_MAX}");
    let expected: Vec<String> =
        ids[..PINS_MAX].iter().rev().map(|id| world.gateway.base.object(*id).to_string()).collect();
    assert_eq!(featured(&world).await, json!(expected));
    let page = world.get("/@nieuws", BROWSER).await.body;
    let pinned = page.find("id=\"pinned\"").unwrap();
    assert!(pinned < page.find("id=\"posts\"").unwrap(), "pinned posts stand on top");
    assert_eq!(page.matches(&format!("id=\"post-{}\"", ids[0])).count(), 1, "once on the page: {page}");

    world.change(ids[1], Change::Withdraw).await;
    change(ids[2], Pinning::Unpin).await.unwrap();
    assert!(matches!(change(ids[2], Pinning::Unpin).await, Err(PinError::NotPinned(_))));
    let left = [ids[4], ids[3], ids[0]].map(|id| world.gateway.base.object(id).to_string());
    assert_eq!(featured(&world).await, json!(left));
    change(ids[PINS_MAX], Pinning::Pin).await.unwrap();
    let hidden = world.post(PostState::Embargoed(now().after(Duration::from_secs(3600))), content("Geheim")).await;
    assert!(matches!(change(hidden, Pinning::Pin).await, Err(PinError::NotPublic(_))));
    world.prove(false).await;
    assert!(matches!(change(ids[0], Pinning::Unpin).await, Err(PinError::Unverified(_))));
}

#[actix_web::test]
async fn featured_hashtags_are_a_collection_of_the_actor() {
    let world = World::new().await;
    let document = world.get(world.actor.url.as_str(), AP).await.json();
    let tags = world.get(document["featuredTags"].as_str().unwrap(), AP).await;
    assert_eq!((tags.status, &tags.json()["totalItems"]), (200, &json!(0)));
    assert_eq!(tags.json()["id"], document["featuredTags"]);
}

#[actix_web::test]
async fn every_feed_tells_what_is_public_now_in_its_own_form() {
    let world = World::new().await;
    let image = world.picture(Some("Een \"stip\" & meer"), PNG, (1, 1)).await;
    let shown = world.post(PostState::Ready, Content { images: vec![image], ..content("Hoog <water>") }).await;
    let gone = world.published("Ingetrokken bericht").await;
    world.change(gone, Change::Withdraw).await;
    let later = now().after(Duration::from_secs(3600));
    for state in [PostState::Embargoed(later), PostState::Scheduled(later)] {
        world.post(state, content("Geheim")).await;
    }
    let page = world.get("/@nieuws", BROWSER).await.body;
    for (ending, media_type) in
        [("rss", "application/rss+xml"), ("atom", "application/atom+xml"), ("json", "application/feed+json")]
    {
        let url = world.gateway.base.feed("nieuws", ending);
        assert!(page.contains(&format!("<link rel=\"alternate\" type=\"{media_type}\" href=\"{url}\">")), "{page}");
        let answer = world.get(&url, "*/*").await;
        assert_eq!(
            (answer.status, answer.header(header::CONTENT_TYPE)),
            (200, format!("{media_type}; charset=utf-8").as_str())
        );
        let body = &answer.body;
        assert!(body.contains(world.gateway.base.object(shown).as_str()), "{body}");
        assert!(body.contains(&url), "names itself: {body}");
        assert!(!body.contains("Geheim") && !body.contains("Ingetrokken"), "{body}");
        assert_eq!(answer.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), "*");
        let tag = answer.header(header::ETAG).to_owned();
        for accept in ["*/*", BROWSER, AP] {
            let headers = [(header::ACCEPT, accept.to_owned()), (header::IF_NONE_MATCH, tag.clone())];
            let again = world.ask(headers.into_iter().fold(world.request(&url), TestRequest::insert_header)).await;
            assert_eq!((again.status, again.body.as_str()), (304, ""), "{accept}");
        }
        world.get(&url, "*/*").await;
    }
    let rss = world.get("/@nieuws/feed.rss", "*/*").await.body;
    for part in [
        "<title>Hoog &#60;water&#62;</title>",
        "<language>nl</language>",
        "<dc:language>nl</dc:language>",
        "<category>HoogWater</category>",
        &format!("length=\"{}\" type=\"image/png\"/>", PNG.len()),
        "<media:description type=\"plain\">Een &#34;stip&#34; &#38; meer</media:description>",
    ] {
        assert!(rss.contains(part), "{part} in {rss}");
    }
    let json = world.get("/@nieuws/feed.json", "*/*").await.json();
    assert_eq!(json["version"], "https://jsonfeed.org/version/1.1");
    let item = &json["items"][0];
    assert_eq!((&item["language"], &item["tags"]), (&json!("nl"), &json!(["HoogWater"])));
    assert_eq!(item["attachments"][0]["mime_type"], "image/png");
    assert!(item["content_html"].as_str().unwrap().contains("alt=\"Een &#34;stip&#34; &#38; meer\""), "{item}");
    for path in ["/@nieuws/feed.xml", "/@niemand/feed.rss"] {
        assert_eq!(world.get(path, "*/*").await.status, 404, "{path}");
    }

    world.change(shown, Change::Withdraw).await;
    for ending in ["rss", "atom", "json"] {
        let body = world.get(&format!("/@nieuws/feed.{ending}"), "*/*").await.body;
        assert!(!body.contains("De tekst van het bericht"), "what is withdrawn leaves at once: {body}");
    }
}

#[actix_web::test]
async fn other_websites_are_told_how_to_show_what_is_public_and_nothing_else() {
    let world = World::new().await;
    let image = world.picture(Some("Een stip"), PNG, (1, 1)).await;
    let post = world.post(PostState::Ready, Content { images: vec![image], ..content("Hoog water") }).await;
    let hidden = world.post(PostState::Embargoed(now().after(Duration::from_secs(3600))), content("Geheim")).await;
    let gone = world.published("Weg").await;
    world.change(gone, Change::Withdraw).await;
    let base = &world.gateway.base;
    let page = base.post_page("nieuws", post);
    let html = world.get(&page, BROWSER).await.body;
    let link = base.oembed(&page);
    let escaped = link.replace('&', "&#38;");
    assert!(
        html.contains(&format!("<link rel=\"alternate\" type=\"application/json+oembed\" href=\"{escaped}\">")),
        "{html}"
    );
    let answer = world.get(&link, "*/*").await;
    assert_eq!((answer.status, answer.header(header::CONTENT_TYPE)), (200, "application/json; charset=utf-8"));
    let shown = answer.json();
    assert_eq!(
        (&shown["version"], &shown["type"], &shown["title"]),
        (&json!("1.0"), &json!("rich"), &json!("Hoog water"))
    );
    let quoted = shown["html"].as_str().unwrap();
    assert!(quoted.contains(&page) && quoted.contains("lang=\"nl\"") && !quoted.contains("<script"), "{quoted}");
    assert_eq!(shown["thumbnail_width"], json!(1));
    let actor = world.get(&base.oembed(&base.actor_page("nieuws")), "*/*").await.json();
    assert_eq!((&actor["type"], &actor["provider_name"]), (&json!("link"), &json!("social.example")));
    let table = [
        (base.oembed(&format!("{page}?utm_source=x")), 200),
        (base.oembed(base.object(post).as_str()), 200),
        (format!("{link}&maxwidth=300"), 200),
        (base.oembed(&base.post_page("anders", post)), 404),
        (base.oembed(&base.post_page("nieuws", hidden)), 404),
        (base.oembed(&base.post_page("nieuws", gone)), 404),
        (base.oembed("https://evil.example/@nieuws"), 404),
        (base.oembed("niets"), 404),
        ("/oembed?format=json".to_owned(), 400),
        (link.replace("format=json", "format=xml"), 501),
    ];
    for (url, status) in table {
        assert_eq!(world.get(&url, "*/*").await.status, status, "{url}");
    }
    assert_eq!(world.get(&format!("{link}&maxwidth=300"), "*/*").await.json()["width"], json!(300));
}

#[actix_web::test]
async fn a_warned_post_is_not_given_away_elsewhere() {
    let world = World::new().await;
    let image = world.picture(Some("Een stip"), PNG, (1, 1)).await;
    let warned = Content { images: vec![image], warning: Some("Schokkend".to_owned()), ..content("Ongeluk") };
    let post = world.post(PostState::Ready, warned).await;
    let page = world.gateway.base.post_page("nieuws", post);
    let head = world.get(&page, BROWSER).await.body;
    let head = head.split("</head>").next().unwrap();
    assert!(!head.contains("og:image") && !head.contains("De tekst"), "{head}");
    let shown = world.get(&world.gateway.base.oembed(&page), "*/*").await.json();
    assert_eq!(shown["thumbnail_url"], Value::Null);
    assert!(!shown["html"].as_str().unwrap().contains("De tekst"), "{shown}");
}

#[actix_web::test]
async fn the_head_of_pages_says_language_and_creator() {
    let world = World::new().await;
    let post = world.published("Hoog water").await;
    for page in ["/@nieuws".to_owned(), world.gateway.base.post_page("nieuws", post)] {
        let html = world.get(&page, BROWSER).await.body;
        assert!(html.contains("<meta property=\"og:locale\" content=\"nl_NL\">"), "{html}");
        assert!(html.contains("<meta name=\"fediverse:creator\" content=\"@nieuws@agency.example\">"), "{html}");
    }
}

#[actix_web::test]
async fn the_page_to_follow_says_what_to_do_whatever_is_filled_in() {
    let world = World::new().await;
    let page = world.get("/@nieuws/follow", BROWSER).await;
    assert_eq!(page.status, 200);
    assert!(page.header(header::CONTENT_SECURITY_POLICY).contains("form-action 'self' https:;"));
    assert!(!page.header(header::CONTENT_SECURITY_POLICY).contains("unsafe"));
    for part in
        ["method=\"post\"", "@nieuws@agency.example", "web+ap://social.example/@nieuws", "<label for=\"server\">"]
    {
        assert!(page.body.contains(part), "{part} in {}", page.body);
    }
    assert!(!page.body.contains("<script") && page.body.contains("noindex"), "{}", page.body);
    let actor = world.get("/@nieuws", BROWSER).await.body;
    assert!(actor.contains("https://social.example/@nieuws/follow"), "{actor}");
    let long = "x".repeat(301);
    let post = |given: &str| {
        let body: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("server", given).finish();
        let request = world.request("/@nieuws/follow").method(actix_web::http::Method::POST).set_payload(body);
        let headers = [
            (header::CONTENT_TYPE, "application/x-www-form-urlencoded"),
            (header::ACCEPT, BROWSER),
            (header::ACCEPT_LANGUAGE, "en"),
        ];
        world.ask(headers.into_iter().fold(request, TestRequest::insert_header))
    };
    for given in ["", "anna", "javascript:alert(1)", "<script>alert(1)</script>", long.as_str()] {
        let answer = post(given).await;
        assert_eq!(answer.status, 400, "{given}");
        assert!(
            answer.body.contains("@nieuws@agency.example") && answer.body.contains("does not look like"),
            "{given}"
        );
        assert!(!answer.body.contains("<script"), "{}", answer.body);
        assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
    }
    // Addresses inside are not asked for anybody.
    for given in ["127.0.0.1", "anna@10.0.0.1", "169.254.169.254"] {
        let answer = post(given).await;
        assert_eq!((answer.status, answer.header(header::LOCATION)), (200, ""), "{given}");
        assert!(answer.body.contains("does not say where you can follow"), "{given}");
    }
    assert_eq!(post(&"a".repeat(5_000)).await.status, 413);
    assert_eq!(world.get("/@niemand/follow", BROWSER).await.status, 404);
    let refused = {
        let mut last = 200;
        for _ in 0..30 {
            last = post("127.0.0.1").await.status;
        }
        last
    };
    assert_eq!(refused, 429, "who asks without end is told to wait");
}

#[actix_web::test]
async fn our_webfinger_names_no_page_to_follow_others_from() {
    let world = World::new().await;
    let jrd = world.get("/.well-known/webfinger?resource=acct:nieuws@agency.example", "*/*").await;
    assert_eq!(jrd.status, 200);
    assert!(!jrd.body.contains("subscribe"), "nobody reads here, so nobody can follow from here: {}", jrd.body);
}
