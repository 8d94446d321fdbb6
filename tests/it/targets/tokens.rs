//! Tokens that do not work, and what they may do.

use crate::harness::{Mastodon, SCOPES, Setup, TOKEN, World, both, until};

both! {
    async fn a_target_whose_token_is_refused_rests_until_it_has_another(db: Database) {
        let server = Mastodon::start();
        let world = World::with(db, Setup::new()).await;
        let file = world.gateway.folder().join("token");
        std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
        let file = file.to_str().unwrap().to_owned();
        let url = server.url();
        let add = ["target", "add", "ons-account", "--actor", "nieuws", "--url", &url, "--token-file", &file];
        let added = world.gateway.cli(&add).await.well();
        assert!(added.stdout.contains("is the account gemeente") && added.stdout.contains("500 characters"), "{added:?}");
        let again = world.gateway.cli(&add).await;
        assert!(again.code == 1 && again.stderr.contains("there is a target `ons-account` already"), "{again:?}");
        world.site.publish("a", "Eerste bericht", "<p>Tekst.</p>");
        server.has(1).await;

        server.revokes(TOKEN);
        world.site.publish("b", "Tweede bericht", "<p>Tekst.</p>");
        until("it rests", || world.db.number("SELECT COUNT(*) FROM targets WHERE resting IS NOT NULL AND lease_until = 0") == 1).await;
        let listed = world.gateway.cli(&["target", "list", "--json"]).await.well().json();
        assert_eq!(listed[0]["state"], "resting");
        assert!(listed[0]["resting"].as_str().unwrap().contains("The access token is invalid"), "{listed}");
        let shown = world.gateway.cli(&["target", "show", "ons-account"]).await.well();
        assert!(shown.stderr.contains("heraut target token ons-account --token-file"), "{shown:?}");
        let check = world.gateway.cli(&["check"]).await;
        assert!(check.stdout.contains("WRONG target: target ons-account: it answered 401: The access token is invalid"), "{check:?}");
        assert_eq!(world.gateway.metric("heraut_targets_resting").await, Some(1.0));
        assert!(world.gateway.log().contains("a target rests; give it a new access token"));

        server.grants("een-nieuw-bewijs", "gemeente", SCOPES);
        let mut begun = world.gateway.begin(&["target", "token", "ons-account", "--token-file", "-"]);
        std::io::Write::write_all(&mut begun.stdin.take().unwrap(), b"een-nieuw-bewijs\n").unwrap();
        let done = tokio::task::spawn_blocking(move || begun.wait_with_output().unwrap()).await.unwrap();
        assert!(done.status.success(), "{done:?}");
        assert!(server.has(2).await[1].text.starts_with("Tweede bericht"));
        until("it rests no more", || world.db.number("SELECT COUNT(*) FROM targets WHERE resting IS NULL") == 1).await;

        server.grants("van-een-ander", "burgemeester", SCOPES);
        std::fs::write(&file, "van-een-ander").unwrap();
        let other = world.gateway.cli(&["target", "token", "ons-account", "--token-file", &file]).await;
        assert!(other.code == 1 && other.stderr.contains("burgemeester"), "{other:?}");

        let removed = world.gateway.cli(&["target", "remove", "ons-account"]).await.well();
        assert!(removed.stdout.contains("revoke it on the server too"), "{removed:?}");
        assert_eq!(world.db.number("SELECT COUNT(*) FROM targets WHERE sealed IS NULL AND removed_at IS NOT NULL"), 1);
        let gone = world.gateway.cli(&["target", "show", "ons-account"]).await;
        assert!(gone.code == 1 && gone.stderr.contains("there is no target `ons-account`"), "{gone:?}");
    }

    async fn what_a_token_may_not_do_is_told_before_it_is_needed(db: Database) {
        let server = Mastodon::start();
        server.grants("te-weinig", "gemeente", &["read:accounts", "write:statuses"]);
        let world = World::unfollowed(db, Setup::new()).await;
        let file = world.gateway.folder().join("token");
        std::fs::write(&file, "te-weinig").unwrap();
        let url = server.url();
        let agency = ["target", "add", "alles", "--agency", "voorbeeldstad", "--url", &url, "--token-file", file.to_str().unwrap()];
        let added = world.gateway.cli(&agency).await;
        assert_eq!(added.code, 1, "it is added, and does not work yet");
        for scope in ["read:statuses", "write:media"] {
            assert!(added.stderr.contains(&format!("needs {scope}")), "{added:?}");
        }
        assert!(!added.stderr.contains("needs write:statuses"), "{added:?}");
        let checked = world.gateway.cli(&["target", "check", "alles", "--json"]).await;
        let told = checked.json();
        assert_eq!((checked.code, told[0]["works"].as_bool()), (1, Some(false)));
        assert_eq!(told[0]["account"]["acct"], "gemeente");
        assert_eq!(server.statuses(), [], "a check publishes nothing");
    }

    async fn what_cannot_be_a_target_is_refused_with_a_way_out(db: Database) {
        let world = World::unfollowed(db, Setup::new()).await;
        let file = world.gateway.folder().join("token");
        std::fs::write(&file, "een bewijs met spaties").unwrap();
        let file = file.to_str().unwrap();
        let cases: &[(&[&str], i32, &str)] = &[
            (&["add", "a", "--actor", "nieuws", "--url", "https://a.example"], 2, "--token-file"),
            (&["add", "a", "--url", "https://a.example", "--token-file", file], 2, "--actor"),
            (&["add", "a", "--actor", "nieuws", "--url", "https://a.example/@b", "--token-file", file], 1, "scheme and host only"),
            (&["add", "a", "--actor", "nieuws", "--url", "https://a.example", "--token-file", file], 1, "characters that no token has"),
            (&["add", "a", "--actor", "niemand", "--url", "https://a.example", "--token-env", "PATH"], 1, "there is no actor `niemand`"),
            (&["add", "a", "--actor", "nieuws", "--url", "https://a.example", "--token-env", "NIET_GEZET"], 1, "NIET_GEZET is not set"),
            (&["add", "a", "--actor", "nieuws", "--kind", "b", "--url", "https://a.example", "--token-env", "PATH"], 1, "no kind of target"),
            (&["remove", "a"], 1, "there is no target `a`"),
        ];
        for (arguments, code, text) in cases {
            let told = world.gateway.cli(&[&["target"], *arguments].concat()).await;
            assert!(told.code == *code && told.stderr.contains(text), "{arguments:?}: {told:?}");
        }
        assert_eq!(world.db.number("SELECT COUNT(*) FROM targets"), 0);
    }
}
