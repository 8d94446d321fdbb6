//! Tokens: shown once, kept as a hash, good for one source and for what they say, until they are revoked.

use std::os::unix::fs::PermissionsExt as _;

use image::ImageFormat;
use serde_json::{Value, json};

use crate::harness::{Client, Database, Reply, World, both, encoded, picture, request};

async fn world(db: Database) -> (World, Client) {
    let other = "[[source]]\nname = \"ander\"\nactor = \"nieuws\"\nkind = \"micropub\"";
    let world = World::unfollowed(db, Client::setup("").further(other)).await;
    let client = Client::of(&world.gateway).await;
    (world, client)
}

fn is(reply: &Reply, status: u16, error: &str, words: &str) {
    assert_eq!((reply.status, &reply.json()["error"]), (status, &json!(error)), "{}", reply.text());
    assert!(reply.text().contains(words), "{}", reply.text());
}

async fn listed(world: &World) -> Vec<Value> {
    world.gateway.cli(&["token", "list", "--json"]).await.well().json().as_array().unwrap().clone()
}

both! {
    async fn a_revoked_token_holds_no_more_from_the_next_request_on(db: Database) {
        let (world, client) = world(db).await;
        let page = client.writes(&json!({"type": ["h-entry"], "properties": {"content": ["Nog wel"]}})).await;
        let token = listed(&world).await[0].clone();
        assert_eq!((&token["state"], &token["source"], &token["name"]), (&json!("holds"), &json!("blog"), &json!("test")));
        assert!(token["used_at"].is_string());
        world.gateway.cli(&["token", "revoke", token["token"].as_str().unwrap()]).await.well();
        for reply in [client.form("h=entry&content=Niet+meer").await, client.ask("q=config").await, client.ask(&format!("q=source&url={}", encoded(&page))).await] {
            is(&reply, 401, "unauthorized", "revoked");
            assert_eq!(reply.header("www-authenticate"), "Bearer error=\"invalid_token\"");
        }
        assert_eq!(listed(&world).await[0]["state"], "revoked");
        let acts = world.db.lines("SELECT act AS t FROM audit WHERE act LIKE 'token.%' ORDER BY id");
        assert_eq!(acts, ["token.make", "token.revoke"]);
        world.gateway.cli(&["token", "revoke", token["token"].as_str().unwrap()]).await.well();
        let unknown = world.gateway.cli(&["token", "revoke", "7"]).await;
        assert!(unknown.code == 1 && unknown.stderr.contains("heraut token list"), "{unknown:?}");
    }

    async fn an_expired_token_and_one_that_never_was_hold_nothing(db: Database) {
        let (world, _) = world(db).await;
        let short = Client::named(&world.gateway, "blog", &["--expires", "1h"]).await;
        assert_eq!(short.ask("q=config").await.status, 200);
        world.db.execute("UPDATE tokens SET expires_at = created_at + 1 WHERE expires_at IS NOT NULL");
        is(&short.ask("q=config").await, 401, "unauthorized", "expired");
        for token in ["heraut_x", "", "x y", &"a".repeat(5_000), "'; DROP TABLE tokens; --"] {
            let wrong = Client { token: token.to_owned(), ..short.clone() };
            is(&wrong.form("h=entry&content=x").await, 401, "unauthorized", "");
        }
        let basic = request("GET", &format!("{}?q=config", short.endpoint), &[("authorization", "Basic aGVyYXV0OngK")], b"").await;
        is(&basic, 401, "unauthorized", "Bearer");
    }

    async fn a_token_is_good_for_its_source_only(db: Database) {
        let (world, ours) = world(db).await;
        let theirs = Client::named(&world.gateway, "ander", &[]).await;
        let page = ours.writes(&json!({"type": ["h-entry"], "properties": {"content": ["Van ons"]}})).await;
        is(&theirs.ask(&format!("q=source&url={}", encoded(&page))).await, 400, "invalid_request", "names no post");
        for body in [
            json!({"action": "update", "url": page, "replace": {"content": ["Gekaapt"]}}),
            json!({"action": "delete", "url": page}),
            json!({"action": "undelete", "url": page}),
        ] {
            is(&theirs.json(&body).await, 400, "invalid_request", "names no post");
        }
        assert!(crate::harness::get_as(&page, "text/html").await.text().contains("Van ons"));
    }

    async fn a_token_may_do_what_its_scope_says(db: Database) {
        let (world, client) = world(db).await;
        let page = client.writes(&json!({"type": ["h-entry"], "properties": {"content": ["Van ons"]}})).await;
        let requests = [
            ("create", json!({"type": ["h-entry"], "properties": {"content": ["Nieuw"]}})),
            ("update", json!({"action": "update", "url": page, "replace": {"content": ["Anders"]}})),
            ("delete", json!({"action": "delete", "url": page})),
            ("undelete", json!({"action": "undelete", "url": page})),
        ];
        for (needed, body) in &requests {
            let others = ["create", "update", "delete", "undelete", "media"].into_iter().filter(|scope| scope != needed);
            let lacking = Client::scoped(&world.gateway, &others.collect::<Vec<_>>().join(",")).await;
            let reply = lacking.json(body).await;
            is(&reply, 401, "insufficient_scope", needed);
            assert_eq!(reply.header("www-authenticate"), format!("Bearer error=\"insufficient_scope\", scope=\"{needed}\""));
            let only = Client::scoped(&world.gateway, needed).await;
            assert!(matches!(only.json(body).await.status, 201 | 204), "{needed}");
        }
        // What has the same page is the same post, and changing it is no making.
        let paged = |text: &str| json!({"type": ["h-entry"], "properties": {"content": [text], "url": ["https://stad.example/1"]}});
        let page = client.writes(&paged("Eerst")).await;
        let maker = Client::scoped(&world.gateway, "create").await;
        is(&maker.json(&paged("Gekaapt")).await, 401, "insufficient_scope", "update");
        assert_eq!(client.writes(&paged("Beter")).await, page);
        crate::harness::eventually("the post is changed", || async {
            crate::harness::get_as(&page, "text/html").await.text().contains("Beter").then_some(())
        })
        .await;
        let updater = Client::scoped(&world.gateway, "update").await;
        let sent = updater.files(&updater.media(), &[], &[("file", "a.png", b"x")]).await;
        is(&sent, 401, "insufficient_scope", "media");
    }

    async fn the_token_is_shown_once_and_is_nowhere_else(db: Database) {
        let (world, client) = world(db).await;
        assert!(client.token.starts_with("heraut_") && client.token.len() == 50, "{}", client.token.len());
        client.writes(&json!({"type": ["h-entry"], "properties": {"content": ["Een"]}})).await;
        let body = format!("h=entry&content=Twee&access_token={}", client.token);
        request("POST", &client.endpoint, &[("content-type", "application/x-www-form-urlencoded")], body.as_bytes()).await;
        client.form(&body).await;
        let secret = &client.token["heraut_".len()..];
        let mut seen = world.gateway.log();
        for command in [&["token", "list"][..], &["token", "list", "--json"], &["audit"], &["source", "show", "blog"], &["source", "list"]] {
            let finished = world.gateway.cli(command).await.well();
            seen += &(finished.stdout + &finished.stderr);
        }
        assert!(!seen.contains(secret));
        for (table, column) in [("tokens", "hash"), ("items", "content"), ("posts", "content"), ("audit", "detail"), ("client_requests", "request_key"), ("activities", "CAST(bytes AS TEXT)")] {
            let column = if db_is_postgres(&world) && table == "activities" { "encode(bytes, 'escape')" } else { column };
            let held = world.db.number(&format!("SELECT COUNT(*) FROM {table} WHERE {column} LIKE '%{secret}%'"));
            assert_eq!(held, 0, "{table}");
        }
    }

    async fn a_token_and_what_was_sent_with_it_hold_after_a_restore(db: Database) {
        let (mut world, client) = world(db).await;
        let page = client.writes(&json!({"type": ["h-entry"], "properties": {"content": ["Bewaard"], "category": ["a"]}})).await;
        let sent = client.sends("a.png", &picture(ImageFormat::Png, 1)).await;
        let (secret, file) = (world.gateway.folder().join("passphrase"), world.gateway.folder().join("backup"));
        std::fs::write(&secret, "paard batterij nietje juist").unwrap();
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
        let (secret, file) = (secret.to_str().unwrap(), file.to_str().unwrap());
        world.gateway.cli(&["backup", "--to", file, "--passphrase-file", secret]).await.well();
        assert!(world.gateway.stop().await.success());
        let other = Database::new(world.db.kind);
        let mut second = world.gateway.elsewhere(&world.db, &other);
        second.cli(&["restore", file, "--passphrase-file", secret]).await.well();
        second.restart().await;
        assert_eq!(client.source_of(&page).await["properties"]["category"], json!(["a"]));
        assert_eq!(client.get(&sent).await.status, 200);
        let entry = json!({"type": ["h-entry"], "properties": {"content": ["Bewaard"], "category": ["a"]}});
        assert_eq!(client.writes(&entry).await, page, "and a repetition is known");
    }

    async fn a_token_is_for_a_source_that_clients_write_to(db: Database) {
        let (world, _) = world(db).await;
        for (arguments, words) in [
            (&["persberichten", "--name", "x"][..], "micropub"),
            (&["geen", "--name", "x"], "heraut source list"),
            (&["blog", "--name", "x", "--scope", "admin"], "no scope"),
            (&["blog", "--name", " "], "1 to 100"),
            (&["blog", "--name", "x", "--expires", "morgen"], "15m"),
            (&["blog", "--name", "x", "--expires", "0s"], "expires"),
        ] {
            let finished = world.gateway.cli(&[&["token", "add"], arguments].concat()).await;
            assert_eq!((finished.code, finished.stdout.as_str()), (1, ""), "{arguments:?}");
            assert!(finished.stderr.contains(words), "{finished:?}");
        }
        let added = world.gateway.cli(&["source", "add", "redactie", "--actor", "nieuws", "--kind", "micropub"]).await.well();
        assert!(added.stdout.contains("/micropub") && added.stdout.contains("heraut token add redactie"), "{added:?}");
        let shown = world.gateway.cli(&["source", "show", "blog", "--json"]).await.well().json();
        assert_eq!((&shown["micropub"], &shown["tokens_that_hold"]), (&json!(world.gateway.url("/micropub")), &json!(1)));
    }
}

fn db_is_postgres(world: &World) -> bool {
    world.db.url.starts_with("postgres")
}
