//! Pictures that clients send: checked by their bytes, seen by nobody before a public post shows them, cleared away when none does.

use std::time::Duration;

use chrono::Utc;
use image::ImageFormat;
use serde_json::{Value, json};

use crate::harness::{Client, Database, Reply, World, both, get, made, multipart, picture, request, until};

/// Largest body with one file, in bytes.
const MEDIA_BODY_BYTES_MAX: usize = 16 * 1024 * 1024 + 64 * 1024;
/// Largest form with files, in bytes.
const FORM_BODY_BYTES_MAX: usize = 33 * 1024 * 1024;

async fn world(db: Database, policy: &str) -> (World, Client) {
    let world = World::with(db, Client::setup(policy)).await;
    let client = Client::of(&world.gateway).await;
    (world, client)
}

fn shows(text: &str, photo: Value) -> Value {
    json!({"type": ["h-entry"], "properties": {"content": [text], "photo": [photo]}})
}

fn files(world: &World) -> usize {
    std::fs::read_dir(world.gateway.folder().join("media")).unwrap().count()
}

fn refused(reply: &Reply, words: &str) {
    assert_eq!((reply.status, &reply.json()["error"]), (400, &json!("invalid_request")), "{}", reply.text());
    assert!(reply.text().contains(words), "{}", reply.text());
}

async fn public(url: &str) -> u16 {
    request("GET", url, &[], b"").await.status
}

both! {
    async fn what_is_no_picture_is_refused_and_nothing_is_published(db: Database) {
        let (world, client) = world(db, "").await;
        let svg = b"<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>";
        let html = b"<!doctype html><script>alert(1)</script>";
        for (name, bytes) in [("a.png", &html[..]), ("a.svg", svg), ("a.jpg", b"\xff\xd8\xff"), ("a.gif", b"hello")] {
            refused(&client.files(&client.media(), &[], &[("file", name, bytes)]).await, "cannot be published");
            let form = [("h", "entry"), ("content", "Met bestand")];
            refused(&client.files(&client.endpoint, &form, &[("photo", name, bytes)]).await, "cannot be published");
        }
        world.site.answer("/page", Reply::ok("image/png", &html[..]));
        refused(&client.json(&shows("Met pagina", json!(world.site.url("/page")))).await, "cannot be used");
        world.site.answer("/weg.png", Reply::status(404));
        refused(&client.json(&shows("Met gat", json!(world.site.url("/weg.png")))).await, "404");
        refused(&client.json(&shows("Van binnen", json!("http://169.254.169.254/latest/meta-data/a.png"))).await, "169.254.169.254");
        assert_eq!(world.db.number("SELECT COUNT(*) FROM posts"), 0);
        assert_eq!((world.db.number("SELECT COUNT(*) FROM media"), files(&world)), (0, 0));
    }

    async fn a_form_has_one_file_in_the_field_that_is_said(db: Database) {
        let (_world, client) = world(db, "").await;
        let png = picture(ImageFormat::Png, 1);
        for files in [vec![], vec![("photo", "a.png", &png[..])], vec![("file", "a.png", &png[..]), ("file", "b.png", &png[..])]] {
            refused(&client.files(&client.media(), &[], &files).await, "`file`");
        }
        let video = client.files(&client.endpoint, &[("content", "Film")], &[("video", "a.mp4", &png)]).await;
        refused(&video, "`video`");
        let type_missing = request("POST", &client.media(), &[("authorization", &format!("Bearer {}", client.token))], &png).await;
        assert_eq!(type_missing.status, 415);
    }

    async fn a_body_at_the_limit_is_read_and_a_larger_one_is_not(db: Database) {
        let (_world, client) = world(db, "").await;
        let wrapped = multipart(&[], &[("file", "a.png", b"")]).1.len();
        let filled = |n: usize| vec![0_u8; n];
        let at_limit = client.files(&client.media(), &[], &[("file", "a.png", &filled(MEDIA_BODY_BYTES_MAX - wrapped))]).await;
        refused(&at_limit, "bytes");
        let larger = client.files(&client.media(), &[], &[("file", "a.png", &filled(MEDIA_BODY_BYTES_MAX - wrapped + 1))]).await;
        assert_eq!((larger.status, &larger.json()["error"]), (413, &json!("invalid_request")));
        let form = client.files(&client.endpoint, &[], &[("photo", "a.png", &filled(FORM_BODY_BYTES_MAX))]).await;
        assert_eq!(form.status, 413);
    }

    async fn the_same_form_with_a_file_again_makes_no_second_post(db: Database) {
        let (world, client) = world(db, "").await;
        let png = picture(ImageFormat::Png, 3);
        let form = [("h", "entry"), ("content", "Met foto"), ("mp-photo-alt", "Een vlak")];
        let first = made(&client.files(&client.endpoint, &form, &[("photo", "a.png", &png)]).await);
        let again = made(&client.files(&client.endpoint, &form, &[("photo", "andere-naam.png", &png)]).await);
        assert_eq!(first, again);
        let create = world.created("Met foto").await;
        assert_eq!(create.activity["object"]["attachment"][0]["name"], "Een vlak");
        assert_eq!(world.db.number("SELECT COUNT(*) FROM uploads"), 1);
        let other = picture(ImageFormat::Png, 4);
        assert_ne!(made(&client.files(&client.endpoint, &form, &[("photo", "a.png", &other)]).await), first);
    }

    async fn a_picture_without_its_text_follows_the_policy_and_the_client_is_told(db: Database) {
        let (world, client) = world(db, "").await;
        let url = client.sends("a.png", &picture(ImageFormat::Png, 5)).await;
        let reply = client.json(&shows("Zonder beschrijving", json!(url))).await;
        assert!(made(&reply).contains("/@nieuws/"));
        assert!(reply.text().contains("no alternative text"), "{}", reply.text());
        assert!(world.created("Zonder beschrijving").await.activity["object"].get("attachment").is_none_or(|a| a.as_array().is_none_or(Vec::is_empty)));
        assert_eq!(public(&url).await, 404, "no post shows it");
        assert_eq!(files(&world), 1, "what was sent, and nothing else");
        let alone = client.json(&json!({"type": ["h-entry"], "properties": {"photo": [url]}})).await;
        refused(&alone, "alternative text");
        let described = json!({"type": ["h-entry"], "properties": {"photo": [{"value": url, "alt": "Een vlak"}]}});
        made(&client.json(&described).await);
        assert_eq!(public(&url).await, 302);
    }

    async fn a_picture_is_seen_as_long_as_a_public_post_shows_it(db: Database) {
        let (_world, client) = world(db, "").await;
        let url = client.sends("a.png", &picture(ImageFormat::Png, 6)).await;
        let photo = json!({"value": url, "alt": "Een vlak"});
        let one = client.writes(&shows("Eerste", photo.clone())).await;
        let two = client.writes(&shows("Tweede", photo)).await;
        client.json(&json!({"action": "delete", "url": one})).await;
        let shown = request("GET", &url, &[], b"").await;
        assert_eq!(shown.status, 302, "the second one still shows it");
        assert_eq!(public(shown.header("location")).await, 200);
        client.json(&json!({"action": "delete", "url": two})).await;
        assert_eq!((public(&url).await, public(shown.header("location")).await), (404, 404));
        let again = made(&client.json(&json!({"action": "undelete", "url": two})).await);
        assert_eq!((get(&again).await.status, public(&url).await), (303, 302));
    }

    async fn a_picture_of_an_embargoed_post_is_seen_by_nobody_and_is_there_in_time(db: Database) {
        let (world, client) = world(db, "").await;
        let url = client.sends("a.png", &picture(ImageFormat::Png, 8)).await;
        let then = Utc::now() + Duration::from_secs(30);
        let mut body = shows("Onthulling", json!({"value": url, "alt": "Geheimbild"}));
        body["properties"]["published"] = json!([then.to_rfc3339()]);
        assert_eq!(client.json(&body).await.status, 202);
        assert_eq!(public(&url).await, 404);
        // Long waits do not lose it.
        world.db.execute("UPDATE uploads SET created_at = 1");
        assert!(Utc::now() < then, "the machine is too slow for this test");
        let create = world.created("Onthulling").await;
        assert_eq!(create.activity["object"]["attachment"][0]["name"], "Geheimbild");
        assert_eq!(public(&url).await, 302);
    }

    async fn what_nothing_shows_is_cleared_away_after_a_day_and_the_rest_stays(db: Database) {
        let (mut world, client) = world(db, "").await;
        let (unused, used) = (client.sends("a.png", &picture(ImageFormat::Png, 9)).await, client.sends("b.png", &picture(ImageFormat::Png, 10)).await);
        let page = client.writes(&shows("Met foto", json!({"value": used, "alt": "Een vlak"}))).await;
        let before = files(&world);
        world.db.execute("UPDATE uploads SET created_at = created_at - 86401000");
        world.gateway.kill9();
        world.gateway.restart().await;
        until("one is cleared away", || world.db.number("SELECT COUNT(*) FROM uploads") == 1).await;
        until("with its file", || files(&world) == before - 1).await;
        assert_eq!(client.get(&unused).await.status, 404);
        assert_eq!((client.get(&used).await.status, public(&used).await), (200, 302));
        refused(&client.json(&shows("Te laat", json!({"value": unused, "alt": "x"}))).await, "send it again");
        assert_eq!(get(&page).await.status, 303);
    }

    async fn a_picture_of_another_source_is_as_one_that_never_was(db: Database) {
        let other = "[[source]]\nname = \"ander\"\nactor = \"nieuws\"\nkind = \"micropub\"";
        let world = World::with(db, Client::setup("").further(other)).await;
        let ours = Client::of(&world.gateway).await;
        let theirs = Client::named(&world.gateway, "ander", &[]).await;
        let url = ours.sends("a.png", &picture(ImageFormat::Png, 11)).await;
        assert_eq!(theirs.get(&url).await.status, 404);
        refused(&theirs.json(&shows("Gestolen", json!({"value": url, "alt": "x"}))).await, "not sent to this source");
        assert_eq!(ours.get(&url).await.status, 200);
    }

    async fn no_more_pictures_wait_than_allowed(db: Database) {
        let (world, client) = world(db, "").await;
        let png = picture(ImageFormat::Png, 12);
        client.sends("a.png", &png).await;
        let copies = (1..100).map(|n| format!("INSERT INTO uploads (name, source_id, media_id, created_at) SELECT '{n}', source_id, media_id, created_at FROM uploads WHERE LENGTH(name) = 32"));
        copies.for_each(|copy| world.db.execute(&copy));
        let before = files(&world);
        let more = client.files(&client.media(), &[], &[("file", "b.png", &png)]).await;
        assert_eq!((more.status, &more.json()["error"]), (403, &json!("forbidden")));
        assert_eq!(files(&world), before);
    }
}
