//! What a client is told when it asks for what is not done: the error, the reason, and nothing is published.

use serde_json::{Value, json};

use crate::harness::{Client, Database, Reply, World, both, encoded, request};

const FORM: &str = "application/x-www-form-urlencoded";

async fn world(db: Database) -> (World, Client) {
    let world = World::unfollowed(db, Client::setup("flood_fuse = 100")).await;
    let client = Client::of(&world.gateway).await;
    (world, client)
}

fn is(reply: &Reply, status: u16, error: &str, words: &str) {
    assert_eq!((reply.status, &reply.json()["error"]), (status, &json!(error)), "{}", reply.text());
    let why = reply.json()["error_description"].as_str().unwrap().to_owned();
    assert!(why.contains(words), "{why}");
    assert_eq!((reply.header("cache-control"), reply.header("access-control-allow-origin")), ("no-store", "*"));
}

both! {
    async fn each_mistake_has_an_answer_that_leads_out(db: Database) {
        let (world, client) = world(db).await;
        let invalid = "invalid_request";
        for (body, words) in [
            ("h=entry&content=Ja&in-reply-to=https://elders.example/1", "in-reply-to"),
            ("h=entry&like-of=https://elders.example/1", "like-of"),
            ("h=event&name=Feest", "h=entry"),
            ("h=entry&category=a", "says nothing"),
            ("h=entry&content=x&visibility=private", "visibility"),
            ("h=entry&content=x&visibility=unlisted", "visibility"),
            ("h=entry&content=x&post-status=geheim", "post-status"),
            ("h=entry&content=x&published=morgen", "published"),
            ("h=entry&content=x&published=2020-01-01T00:00:00Z", "age_max_days"),
            ("h=entry&content=x&photo=javascript:alert(1)", "photo"),
            ("h=entry&content=x&properties[content]=y", "properties[content]"),
            ("action=vanish&url=x", "vanish"),
            ("action=update&url=x&replace[content]=y", "JSON"),
            ("action=delete", "`url` is missing"),
            ("action=delete&url=https://elders.example/@nieuws/1", "names no post"),
            ("", "empty"),
        ] {
            is(&client.form(body).await, 400, invalid, words);
        }
        let long = json!({"type": ["h-entry"], "properties": {"content": ["Zin na zin. ".repeat(200)]}});
        is(&client.json(&long).await, 400, invalid, "compose.length_max");
        let html = json!({"type": ["h-entry"], "properties": {"content": [{"html": "<script>alert(1)</script><style>p{}</style>"}]}});
        is(&client.json(&html).await, 400, invalid, "nothing of the text is left");
        let url = format!("{}1", world.gateway.url("/@nieuws/"));
        for body in [json!({"action": "update", "url": url, "replace": {"content": ["x"]}}), json!({"action": "undelete", "url": url})] {
            is(&client.json(&body).await, 400, invalid, "names no post");
        }
        is(&client.post("application/json", &[], b"{\"type\": [").await, 400, invalid, "no JSON");
        is(&client.post("text/plain", &[], b"content=x").await, 415, invalid, "Content-Type");
        is(&client.post(FORM, &[("content-encoding", "gzip")], b"content=x").await, 415, invalid, "Content-Encoding");
        assert_eq!(world.db.number("SELECT COUNT(*) FROM posts"), 0);
        assert_eq!(world.db.number("SELECT COUNT(*) FROM items"), 1, "of the feed");
        let log = world.gateway.log();
        assert!(log.contains("a request of a Micropub client was refused") && log.contains("age_max_days"), "{log}");
    }

    async fn questions_that_cannot_be_answered_say_why(db: Database) {
        let (world, client) = world(db).await;
        is(&client.ask("").await, 400, "invalid_request", "config, source, syndicate-to");
        is(&client.ask("q=geheim").await, 400, "invalid_request", "geheim");
        is(&client.ask("q=source").await, 400, "invalid_request", "`url` is missing");
        for url in ["https://elders.example/1".to_owned(), world.gateway.url("/@nieuws/1"), world.gateway.url("/ap/o/x")] {
            is(&client.ask(&format!("q=source&url={}", encoded(&url))).await, 400, "invalid_request", "names no post");
        }
        is(&request("GET", &format!("{}?q=config", client.endpoint), &[], b"").await, 401, "unauthorized", "Authorization");
        // A post of the feed is not a client's to read or change.
        world.site.publish("dijk", "Dijk houdt", "<p>Van de site.</p>");
        crate::harness::until("it is public", || world.db.number("SELECT COUNT(*) FROM posts WHERE state = 'published'") == 1).await;
        let number = world.db.number("SELECT id FROM posts");
        let page = world.gateway.url(&format!("/@nieuws/{number}"));
        is(&client.ask(&format!("q=source&url={}", encoded(&page))).await, 400, "invalid_request", "names no post");
        is(&client.form(&format!("action=delete&url={}", encoded(&page))).await, 400, "invalid_request", "names no post");
        assert_eq!(crate::harness::get(&page).await.status, 303);
    }

    async fn a_body_at_the_limit_is_taken_and_a_larger_one_is_not(db: Database) {
        let (_world, client) = world(db).await;
        let limit = 1024 * 1024;
        let padded = |n: usize| {
            let body = "h=entry&content=Aan+de+grens&mp-vulling=";
            format!("{body}{}", "x".repeat(n - body.len()))
        };
        crate::harness::made(&client.form(&padded(limit)).await);
        is(&client.form(&padded(limit + 1)).await, 413, "invalid_request", "1048576");
        let text = |n: usize| json!({"type": ["h-entry"], "properties": {"content": ["a".repeat(n)], "url": ["https://stad.example/lang"]}});
        crate::harness::made(&client.json(&text(64 * 1024)).await);
        is(&client.json(&text(64 * 1024 + 1)).await, 400, "invalid_request", "longer");
    }

    async fn commands_without_a_meaning_are_named_and_not_kept(db: Database) {
        let (_world, client) = world(db).await;
        let reply = client.form("h=entry&content=x&mp-slug=mijn-bericht&mp-syndicate-to[]=https://elders.example/").await;
        let page = crate::harness::made(&reply);
        assert_eq!(reply.json()["ignored"], json!(["mp-slug", "mp-syndicate-to"]));
        assert_eq!(client.source_of(&page).await["properties"], json!({"content": ["x"]}));
    }

    async fn a_text_is_a_text_whatever_it_looks_like(db: Database) {
        let (_world, client) = world(db).await;
        let text = "<script>alert(1)</script> & <b>vet</b>\u{0}";
        let page = client.writes(&json!({"type": ["h-entry"], "properties": {"content": [text]}})).await;
        let shown = crate::harness::get_as(&page, "text/html").await.text();
        assert!(shown.contains("&lt;b&gt;vet&lt;/b&gt;") && !shown.contains("<script>"), "{shown}");
    }

    async fn a_browser_may_ask_first_and_other_methods_are_not_for_here(db: Database) {
        let (_world, client) = world(db).await;
        let asked = request("OPTIONS", &client.endpoint, &[("origin", "https://client.example")], b"").await;
        assert_eq!((asked.status, asked.header("access-control-allow-origin")), (204, "*"));
        assert!(asked.header("access-control-allow-headers").contains("Authorization"));
        assert!(asked.header("access-control-allow-methods").contains("POST"));
        for (method, url) in [("PUT", client.endpoint.clone()), ("DELETE", client.endpoint.clone()), ("GET", client.media())] {
            assert_eq!(request(method, &url, &[], b"").await.status, 405, "{method} {url}");
        }
    }

    async fn a_disabled_source_takes_nothing_and_shows_no_endpoint(db: Database) {
        let (world, client) = world(db).await;
        let file = world.gateway.folder().join("config.toml");
        let config = std::fs::read_to_string(&file).unwrap().replace("kind = \"micropub\"", "kind = \"micropub\"\nenabled = false");
        std::fs::write(&file, config).unwrap();
        world.gateway.cli(&["source", "list"]).await.well();
        is(&client.form("h=entry&content=x").await, 403, "forbidden", "disabled");
        crate::harness::eventually("the page says so", || async {
            let page = crate::harness::get_as(&world.gateway.url("/@nieuws"), "text/html").await;
            (!page.text().contains("micropub") && !page.header("link").contains("micropub")).then_some(())
        })
        .await;
    }

    async fn a_captured_request_shows_what_would_be_published(db: Database) {
        let (world, _) = world(db).await;
        let file = world.gateway.folder().join("captured.json");
        let body: Value = json!({"type": ["h-entry"], "properties": {"content": ["Proef"], "post-status": ["draft"]}});
        std::fs::write(&file, json!({"headers": {"content-type": "application/json"}, "body": body}).to_string()).unwrap();
        let shown = world.gateway.cli(&["source", "test", "blog", "--from", file.to_str().unwrap(), "--json"]).await.well().json();
        let post = &shown["preview"]["posts"][0];
        assert!(post["state"].as_str().unwrap().contains("draft"), "{shown}");
        assert!(post["note"]["content"].as_str().unwrap().contains("Proef"));
    }

    async fn a_source_that_says_too_much_waits(db: Database) {
        let setup = Client::setup("flood_fuse = 100").further("[hooks]\nper_source = 1");
        let world = World::unfollowed(db, setup).await;
        let client = Client::of(&world.gateway).await;
        let mut last = client.ask("q=config").await;
        for _ in 0..200 {
            if last.status != 200 {
                break;
            }
            last = client.ask("q=config").await;
        }
        is(&last, 429, "too_many_requests", "try again after");
        assert!(!last.header("retry-after").is_empty());
    }
}
