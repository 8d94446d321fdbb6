//! What is published, edited and withdrawn on an account.

use serde_json::Value;

use crate::harness::{Article, Database, Mastodon, Picture, Reply, Setup, World, both, eventually, until};

/// A world whose actor has an account on that server.
async fn world(db: Database, server: &Mastodon) -> World {
    World::with(db, Setup::new().further(&server.target())).await
}

/// The receipts of targets for the only post.
async fn receipts(world: &World) -> Vec<Value> {
    let post = world.db.number("SELECT MAX(id) FROM posts").to_string();
    let told = world.gateway.cli(&["deliveries", "--post", &post, "--json"]).await.well().json();
    told["targets"].as_array().unwrap().clone()
}

/// Has the target tried at once, when the attempt before is over.
async fn hurry(world: &World) {
    until("the target is nobody's", || world.db.number("SELECT COUNT(*) FROM targets WHERE lease_until = 0") == 1)
        .await;
    world.db.execute("UPDATE targets SET due_at = 0 WHERE due_at IS NOT NULL");
}

both! {
    async fn a_post_is_made_edited_and_deleted_on_the_account_too(db: Database) {
        let server = Mastodon::start();
        server.slow_media(2);
        let world = world(db, &server).await;
        let mut article = Article::new("dijk", "De dijk houdt stand", "<p>Het water <b>zakt</b>. Volg @gemeente.</p>");
        article.categories = vec!["hoog water".to_owned()];
        article.picture = Some(Picture { path: "/beeld/dijk.png".to_owned(), alt: Some("Een dijk".to_owned()) });
        world.site.add(article);
        let made = server.has(1).await.remove(0);
        let link = world.site.page("dijk");
        assert_eq!(made.text, format!("De dijk houdt stand\n\nHet water zakt. Volg @\u{2060}gemeente.\n\n{link}\n\n#HoogWater"));
        assert_eq!((made.language.as_str(), made.visibility.as_str(), made.sensitive), ("nl", "public", false));
        let picture = server.media(&made.media[0]);
        assert_eq!((picture.media_type.as_str(), picture.description.as_str()), ("image/png", "Een dijk"));
        assert!(picture.bytes.starts_with(b"\x89PNG"));
        world.created("De dijk houdt stand").await;

        world.site.edit("dijk", |article| {
            article.title = "De dijk houdt het".to_owned();
            article.picture.as_mut().unwrap().alt = Some("Een groene dijk".to_owned());
        });
        let edited = eventually("the status is edited", || {
            std::future::ready(server.standing().into_iter().find(|status| status.edits > 0))
        })
        .await;
        assert!(edited.text.starts_with("De dijk houdt het\n\n"), "{}", edited.text);
        assert_eq!((edited.media.clone(), server.asked("POST", "/api/v2/media")), (made.media, 1), "the picture is there already");
        assert_eq!(server.media(&edited.media[0]).description, "Een groene dijk");

        let told = receipts(&world).await;
        let kinds: Vec<_> = told.iter().map(|r| (r["kind"].as_str().unwrap(), r["state"].as_str().unwrap())).collect();
        assert_eq!(kinds, [("Update", "delivered"), ("Create", "delivered")], "{told:?}");
        assert_eq!(told[0]["status_url"], format!("https://social.example/@gemeente/{}", edited.id));
        let post = world.db.number("SELECT MAX(id) FROM posts").to_string();
        let reach = world.gateway.cli(&["post", "reach", &post, "--json"]).await.well().json();
        assert_eq!(reach["targets"][0]["target"], "ons-account");
        assert_eq!(reach["targets"][0]["status_url"], told[0]["status_url"]);

        world.gateway.cli(&["post", "withdraw", &post]).await.well();
        server.has(0).await;
        until("the withdrawal is recorded", || {
            world.db.number("SELECT COUNT(*) FROM target_deliveries WHERE kind = 'Delete' AND state = 1") == 1
        })
        .await;
        let audit = world.gateway.cli(&["audit", "--limit", "100", "--json"]).await.well().json();
        let acts: Vec<&str> = audit.as_array().unwrap().iter().filter_map(|e| e["act"].as_str()).collect();
        for act in ["target.set", "target.publish", "target.edit", "target.withdraw"] {
            assert!(acts.contains(&act), "{act}: {acts:?}");
        }
        assert_eq!(world.gateway.metric("heraut_targets_total{outcome=\"created\"}").await, Some(1.0));
        assert_eq!(world.gateway.metric("heraut_targets_total{outcome=\"deleted\"}").await, Some(1.0));
        assert!(!world.gateway.log().contains(crate::harness::TOKEN), "the token stands in no log");
    }

    async fn a_text_too_long_is_shortened_and_keeps_its_link(db: Database) {
        let server = Mastodon::start();
        server.takes(|takes| {
            takes.characters = 200;
            takes.second = false;
        });
        let world = world(db, &server).await;
        let text = "<p>Dit is een zin van enige lengte. </p>".repeat(20);
        world.site.publish("lang", "Een lang bericht", &text);
        let made = server.has(1).await.remove(0);
        assert!(made.text.starts_with("Een lang bericht\n\nDit is een zin"), "{}", made.text);
        assert!(made.text.ends_with(&world.site.page("lang")), "{}", made.text);
        assert!(made.text.chars().count() <= 200);
        assert!(receipts(&world).await[0]["note"].as_str().unwrap().contains("shortened"));
        // The server takes less than it said a while ago.
        server.takes(|takes| takes.characters = 120);
        world.site.publish("lang2", "Nog een lang bericht", &text);
        let made = server.has(2).await.remove(1);
        assert!(made.text.chars().count() <= 120 && made.text.ends_with(&world.site.page("lang2")), "{}", made.text);
    }

    async fn a_picture_that_the_server_does_not_take_is_left_out_and_the_news_is_not(db: Database) {
        let server = Mastodon::start();
        server.takes(|takes| takes.media_types = vec!["image/jpeg"]);
        let world = world(db, &server).await;
        let mut article = Article::new("a", "Eerste", "<p>Tekst.</p>");
        article.picture = Some(Picture { path: "/beeld/a.png".to_owned(), alt: Some("Iets".to_owned()) });
        world.site.add(article.clone());
        assert!(server.has(1).await[0].media.is_empty());
        assert!(receipts(&world).await[0]["note"].as_str().unwrap().contains("takes no image/png"));
        // What it takes is asked anew once a day.
        server.takes(|takes| takes.media_types = vec!["image/png"]);
        world.db.execute("UPDATE targets SET limits_at = 1");
        server.fail_media(true);
        world.site.add(Article { slug: "b".to_owned(), title: "Tweede".to_owned(), ..article });
        assert!(server.has(2).await[1].media.is_empty());
        assert!(receipts(&world).await[0]["note"].as_str().unwrap().contains("Error processing"));
    }

    async fn what_waits_becomes_one_and_what_is_withdrawn_before_it_is_sent_is_never_sent(db: Database) {
        let server = Mastodon::start();
        let world = world(db, &server).await;
        server.away(Some(Reply::status(503)));
        world.published("een", "Eerste versie").await;
        world.published("twee", "Dat komt er nooit").await;
        until("the target fails", || world.db.number("SELECT failures FROM targets") > 0).await;
        let show = world.gateway.cli(&["target", "show", "ons-account", "--json"]).await.well().json();
        assert_eq!((show["state"].as_str().unwrap(), show["failing_since"].is_string()), ("failing", true));
        world.site.edit("een", |article| article.title = "Tweede versie".to_owned());
        let late = world.db.number("SELECT MAX(id) FROM posts").to_string();
        world.gateway.cli(&["post", "withdraw", &late]).await.well();
        until("both changes are owed", || world.db.number("SELECT COUNT(*) FROM target_deliveries") == 4).await;
        server.away(None);
        hurry(&world).await;
        let made = server.has(1).await.remove(0);
        assert!(made.text.starts_with("Tweede versie"), "{}", made.text);
        until("nothing is owed", || world.db.number("SELECT COUNT(*) FROM target_deliveries WHERE state = 0") == 0).await;
        assert_eq!((server.statuses().len(), made.edits, server.keys_used().len()), (1, 0, 1));
        assert_eq!(world.db.number("SELECT COUNT(*) FROM target_deliveries WHERE state = 5"), 2, "void");
        until("nothing is due", || {
            world.db.number("SELECT COUNT(*) FROM targets WHERE due_at IS NULL AND failures = 0") == 1
        })
        .await;
    }

    async fn what_a_server_refuses_is_told_in_its_words_and_holds_nothing_up(db: Database) {
        let server = Mastodon::start();
        let world = world(db, &server).await;
        let refusal = Reply { status: 422, ..Reply::ok("application/json", "{\"error\":\"Validation failed: Text is rude\"}") };
        server.plays(crate::harness::Trick::Answer(refusal));
        world.site.publish("a", "Geweigerd bericht", "<p>Tekst.</p>");
        until("it is refused", || world.db.number("SELECT COUNT(*) FROM target_deliveries WHERE state = 2") == 1).await;
        let told = receipts(&world).await;
        assert!(told[0]["note"].as_str().unwrap().contains("422: Validation failed: Text is rude"), "{told:?}");
        world.site.publish("b", "Volgend bericht", "<p>Tekst.</p>");
        assert!(server.has(1).await[0].text.starts_with("Volgend bericht"));
        // What was refused is made when an edit makes it good.
        world.site.edit("a", |article| article.title = "Beter bericht".to_owned());
        assert!(server.has(2).await[1].text.starts_with("Beter bericht"));
    }

    async fn what_somebody_removed_there_stays_removed(db: Database) {
        let server = Mastodon::start();
        let world = world(db, &server).await;
        world.site.publish("a", "Eerste versie", "<p>Tekst.</p>");
        server.has(1).await;
        server.deletes_by_hand();
        world.site.edit("a", |article| article.title = "Tweede versie".to_owned());
        until("the edit is refused", || world.db.number("SELECT COUNT(*) FROM target_deliveries WHERE state = 2") == 1).await;
        assert!(receipts(&world).await[0]["note"].as_str().unwrap().contains("removed it there"));
        let post = world.db.number("SELECT MAX(id) FROM posts").to_string();
        world.gateway.cli(&["post", "withdraw", &post]).await.well();
        until("nothing is owed", || world.db.number("SELECT COUNT(*) FROM target_deliveries WHERE state IN (1, 2, 5)") == 3).await;
        assert_eq!((server.statuses().len(), server.asked("DELETE", "/")), (1, 0));
    }

    async fn a_server_is_left_alone_for_as_long_as_it_asks(db: Database) {
        let server = Mastodon::start();
        let world = world(db, &server).await;
        let reset = (chrono::Utc::now() + chrono::Duration::hours(1)).to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
        let many = Reply { status: 429, ..Reply::ok("application/json", "{\"error\":\"Too many requests\"}") };
        server.plays(crate::harness::Trick::Answer(many.with("x-ratelimit-reset", &reset)));
        world.site.publish("a", "Eerste bericht", "<p>Tekst.</p>");
        until("it waits for an hour", || {
            let soon = chrono::Utc::now().timestamp_millis() + 50 * 60_000;
            world.db.number(&format!("SELECT COUNT(*) FROM targets WHERE due_at > {soon} AND lease_until = 0")) == 1
        })
        .await;
        assert!(receipts(&world).await[0]["note"].as_str().unwrap().contains("Too many requests"));
        hurry(&world).await;
        server.has(1).await;
        assert_eq!(server.keys_used().len(), 2);
    }

    async fn what_a_proof_does_not_cover_waits_for_it(db: Database) {
        let server = Mastodon::start();
        let world = world(db, &server).await;
        server.away(Some(Reply::status(503)));
        world.published("a", "Eerste bericht").await;
        until("the target fails", || world.db.number("SELECT failures FROM targets") > 0).await;
        let held_at = world.db.number("SELECT held_at FROM proofs");
        world.db.execute("UPDATE proofs SET held_at = 1");
        server.away(None);
        hurry(&world).await;
        until("it is held", || world.db.number("SELECT COUNT(*) FROM target_deliveries WHERE state = 4") == 1).await;
        assert_eq!(server.statuses(), []);
        world.db.execute(&format!("UPDATE proofs SET held_at = {held_at}, due_at = 0"));
        world.gateway.cli(&["actor", "verify", "nieuws"]).await.well();
        server.has(1).await;
    }

    async fn a_server_that_answers_nonsense_does_no_harm(db: Database) {
        let server = Mastodon::start();
        let world = world(db, &server).await;
        let odd = [
            Reply::ok("text/html", "<html>hallo</html>"),
            Reply::ok("application/json", "{\"id\":\"../../x\"}"),
            Reply::ok("application/json", "[".repeat(100_000)),
            Reply::ok("application/json", " ".repeat(3 * 1024 * 1024)),
            Reply::redirect(302, "http://127.0.0.1:1/elders"),
        ];
        world.site.publish("a", "Eerste bericht", "<p>Tekst.</p>");
        server.has(1).await;
        for (n, reply) in (2..).zip(odd) {
            server.plays(crate::harness::Trick::Answer(reply));
            world.site.publish(&format!("n{n}"), &format!("Bericht {n}."), "<p>Tekst.</p>");
            until("it was asked", || server.keys_used().len() >= n - 1 && world.db.number("SELECT failures FROM targets") > 0).await;
            hurry(&world).await;
            server.has(n).await;
        }
        assert_eq!(server.statuses().len(), 6, "nothing stands there twice");
    }
}
