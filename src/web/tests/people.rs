//! What people see, and what their browsers are told.

use super::*;

#[actix_web::test]
async fn c09_the_pages_of_an_actor_and_a_post_name_their_ids() {
    let world = World::new().await;
    let post = world.published("Hoog water").await;
    let base = &world.gateway.base;
    let pages = [
        (base.actor_page("nieuws"), world.actor.url.to_string()),
        (base.post_page("nieuws", post), base.object(post).to_string()),
    ];
    for (page, id) in pages {
        let answer = world.get(&page, BROWSER).await;
        assert_eq!((answer.status, answer.header(header::CONTENT_TYPE)), (200, "text/html; charset=utf-8"));
        assert_eq!(answer.header(header::LINK), format!("<{id}>; rel=\"alternate\"; type=\"{AP}\""));
        assert!(answer.body.contains(&format!("<link rel=\"alternate\" type=\"{AP}\" href=\"{id}\">")), "{page}");
        assert!(answer.body.contains(&format!("<link rel=\"canonical\" href=\"{page}\">")), "{page}");
        let server = world.get(&page, AP).await;
        assert_eq!((server.status, server.header(header::LOCATION)), (303, id.as_str()), "{page}");
    }
    let actor = world.get("/@nieuws", BROWSER).await.body;
    assert!(actor.contains("<a href=\"https://agency.example/\" rel=\"me\">https://agency.example/</a>"), "{actor}");
    assert!(actor.contains("Plein 1, &#60;Voorbeeldstad&#62;"), "{actor}");
}

#[actix_web::test]
async fn c25_the_page_of_a_post_has_what_previews_need() {
    let world = World::new().await;
    let image = world.picture(Some("Een \"stip\""), PNG, (1, 1)).await;
    let post = world.post(PostState::Ready, Content { images: vec![image], ..content("Hoog water") }).await;
    let page = world.get(&world.gateway.base.post_page("nieuws", post), BROWSER).await.body;
    let wanted = [
        "<meta property=\"og:title\" content=\"Hoog water – Gemeente Voorbeeldstad\">",
        "<meta property=\"og:description\" content=\"De tekst van het bericht.\">",
        "<meta property=\"og:type\" content=\"article\">",
        "<meta property=\"og:image:alt\" content=\"Een &#34;stip&#34;\">",
        "<meta name=\"fediverse:creator\" content=\"@nieuws@agency.example\">",
        "<h1 id=\"post-",
        "width=\"1\" height=\"1\"",
        "lang=\"nl\"",
        "<time datetime=\"",
        "Lees het hele bericht op agency.example",
    ];
    for text in wanted {
        assert!(page.contains(text), "{text} in {page}");
    }
}

#[actix_web::test]
async fn a_reader_sees_whose_account_it_is_and_when_that_is_not_known() {
    let world = World::new().await;
    let post = world.published("Hoog water").await;
    let paths = ["/@nieuws".to_owned(), world.gateway.base.post_page("nieuws", post)];
    for path in &paths {
        let page = world.get(path, BROWSER).await.body;
        assert!(page.contains("Geverifieerd account") && page.contains(">agency.example</a>"), "{page}");
        assert!(page.contains("href=\"/@nieuws/proof\""), "{page}");
    }
    world.prove(false).await;
    for path in &paths {
        let page = world.get(path, BROWSER).await.body;
        assert!(page.contains("Niet geverifieerd") && !page.contains("Geverifieerd account"), "{page}");
    }
    assert_eq!(world.get(world.actor.url.as_str(), AP).await.status, 200, "peers still need the key");
}

#[actix_web::test]
async fn the_words_follow_the_reader_and_the_content_keeps_its_own_language() {
    let world = World::new().await;
    world.published("Hoog water").await;
    let headers = [(header::ACCEPT, BROWSER), (header::ACCEPT_LANGUAGE, "en-GB,en;q=0.9")];
    let page = world.ask(headers.into_iter().fold(world.request("/@nieuws"), TestRequest::insert_header)).await.body;
    assert!(page.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"), "{page}");
    assert!(page.contains("Verified account") && page.contains("<div class=\"text\" lang=\"nl\""), "{page}");
}

#[actix_web::test]
async fn every_page_is_guarded_and_asks_nothing_of_others() {
    let world = World::new().await;
    let post = world.published("Hoog water").await;
    let paths = [
        "/",
        "/@nieuws",
        &world.gateway.base.post_page("nieuws", post),
        "/tags/hoogwater",
        "/about-bot",
        "/@niemand",
        "/nowhere",
        "/ap/o/1",
        "/ap/inbox",
    ];
    for path in paths {
        let answer = world.get(path, BROWSER).await;
        let policy = answer.header(header::CONTENT_SECURITY_POLICY);
        assert!(policy.starts_with("default-src 'none'; ") && policy.contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff", "{path}");
        assert_eq!(answer.header(header::X_FRAME_OPTIONS), "DENY", "{path}");
        assert_eq!(answer.header(header::REFERRER_POLICY), "no-referrer", "{path}");
        assert_eq!(answer.header(header::STRICT_TRANSPORT_SECURITY), "max-age=31536000", "{path}");
        assert!(!answer.headers.contains_key(header::SET_COOKIE), "{path}");
        for foreign in ["<script", " style=", "<iframe", "src=\"http://"] {
            assert!(!answer.body.contains(foreign), "{foreign} on {path}");
        }
    }
}

#[actix_web::test]
async fn a_page_of_an_actor_is_followed_by_older_ones() {
    let world = World::new().await;
    for number in 0..25 {
        world.published(&format!("Bericht nummer {number}.")).await;
    }
    let first = world.get("/@nieuws", BROWSER).await.body;
    assert!(first.contains("nummer 24.") && first.contains("nummer 5.") && !first.contains("nummer 4."), "{first}");
    let older = first.split("<link rel=\"next\" href=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let second = world.get(&older, BROWSER).await.body;
    assert!(second.contains("nummer 4.") && second.contains("nummer 0.") && !second.contains("nummer 5."));
    assert!(second.contains("Nieuwste berichten") && !second.contains("Oudere berichten"));
    assert_eq!(world.get("/@nieuws?before=x", BROWSER).await.status, 404);
}

#[actix_web::test]
async fn a_hashtag_finds_public_posts_whatever_its_case() {
    let world = World::new().await;
    world.published("Hoog water").await;
    for path in ["/tags/HoogWater", "/tags/hoogwater"] {
        assert!(world.get(path, BROWSER).await.body.contains("Hoog water</a>"), "{path}");
    }
    let none = world.get("/tags/droogte", BROWSER).await;
    assert_eq!(none.status, 200);
    assert!(none.body.contains("geen recente berichten"));
}

#[actix_web::test]
async fn a_handle_in_capitals_leads_to_the_page() {
    let world = World::new().await;
    let answer = world.get("/@Nieuws", BROWSER).await;
    assert_eq!((answer.status, answer.header(header::LOCATION)), (308, "https://social.example/@nieuws"));
    let post = world.published("Hoog water").await;
    assert_eq!(world.get(&format!("/@ander/{post}"), BROWSER).await.status, 404);
}

#[actix_web::test]
async fn a_warning_hides_the_text_from_pages_and_previews() {
    let world = World::new().await;
    let secret = Content { warning: Some("Heftig beeld".to_owned()), ..content("De tekst") };
    let post = world.post(PostState::Ready, secret).await;
    let page = world.get(&world.gateway.base.post_page("nieuws", post), BROWSER).await.body;
    let (head, body) = page.split_once("</head>").unwrap();
    assert!(head.contains("Heftig beeld") && !head.contains("De tekst"), "{head}");
    assert!(body.contains("<details class=\"warning\">"), "{body}");
}
