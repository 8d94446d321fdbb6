//! Secrets of sources: replaced without a gap, and never shown.

use std::io::Write;
use std::process::Stdio;

use serde_json::json;

use crate::harness::{Cms, Database, Gateway, Kind, SECRET, World, both, eventually};

const FIRST: &str = "whsec_Zmlyc3Qgc2VjcmV0IG9mIHRoZSBzb3VyY2UgaW4gdGVzdHM=";
const SECOND: &str = "whsec_c2Vjb25kIHNlY3JldCBvZiB0aGUgc291cmNlIGluIHRlc3Rz";
const TOKEN: &str = "token-of-the-api-that-nobody-may-see";

fn file(gateway: &Gateway, name: &str, text: &str) -> String {
    let path = gateway.folder().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

async fn status(cms: &Cms, id: &str) -> u16 {
    cms.push(&cms.event("gepubliceerd", json!({"id": id, "title": id}))).await.status
}

/// Adds the source `eigen` by the command line.
async fn added(gateway: &Gateway) -> String {
    let (secret, token) = (file(gateway, "first", FIRST), file(gateway, "token", TOKEN));
    let mut arguments = vec!["source", "add", "eigen", "--actor", "nieuws", "--kind", "cloudevents"];
    arguments.extend(["--secret-file", &secret, "--token-file", &token, "--set", "batch=true"]);
    gateway.cli(&arguments).await.well().stdout
}

both! {
    async fn a_source_made_by_the_command_line_says_where_to_post_and_takes_it(db: Database) {
        let world = World::new(db).await;
        let said = added(&world.gateway).await;
        assert!(said.contains(&world.gateway.url("/hooks/eigen")), "{said}");
        let cms = Cms::named(&world.gateway, "eigen", FIRST);
        assert_eq!(status(&cms, "1").await, 202);
    }

    async fn while_a_secret_is_replaced_both_hold_and_then_the_new_one(db: Database) {
        let world = World::new(db).await;
        added(&world.gateway).await;
        let (first, second) =
            (Cms::named(&world.gateway, "eigen", FIRST), Cms::named(&world.gateway, "eigen", SECOND));
        assert_eq!((status(&first, "1").await, status(&second, "2").await), (202, 401));
        let new = file(&world.gateway, "second", SECOND);
        world.gateway.cli(&["source", "secret", "eigen", "--secret-file", &new]).await.well();
        assert_eq!((status(&second, "3").await, status(&first, "4").await), (202, 202));
        world.gateway.cli(&["source", "secret", "eigen", "--drop-previous"]).await.well();
        eventually("the first one holds no more", || async { (status(&first, "5").await == 401).then_some(()) }).await;
        assert_eq!(status(&second, "6").await, 202);
        // Settings can be changed without naming the secret again.
        world.gateway.cli(&["source", "add", "eigen", "--actor", "nieuws", "--kind", "cloudevents"]).await.well();
        assert_eq!(status(&second, "7").await, 202);
    }

    async fn a_secret_that_can_be_guessed_or_is_not_there_is_refused(db: Database) {
        let world = World::new(db).await;
        let add = |secret: String| {
            let gateway = &world.gateway;
            async move {
                let arguments = ["source", "add", "kort", "--actor", "nieuws", "--kind", "cloudevents", "--secret-file"];
                gateway.cli(&[&arguments[..], &[secret.as_str()]].concat()).await
            }
        };
        let short = add(file(&world.gateway, "short", "fifteen-letters")).await;
        assert!(short.code == 1 && short.stderr.contains("16") && !short.stderr.contains("fifteen"), "{short:?}");
        assert!(add(file(&world.gateway, "long-enough", "sixteen-letters!")).await.code == 0);
        assert!(add(file(&world.gateway, "empty", " \n")).await.stderr.contains("empty"));
        assert!(add("/nowhere/secret".to_owned()).await.stderr.contains("cannot be read"));
        let cms = Cms::named(&world.gateway, "zonder", SECRET);
        world.gateway.cli(&["source", "add", "zonder", "--actor", "nieuws", "--kind", "cloudevents"]).await.well();
        let reply = cms.push(&cms.event("gepubliceerd", json!({"id": "1", "title": "x"}))).await;
        assert!(reply.status == 401 && reply.text().contains("no secret"), "{}", reply.text());
    }

    async fn a_secret_can_come_by_standard_input(db: Database) {
        let world = World::new(db).await;
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_heraut"))
            .args(["source", "add", "eigen", "--actor", "nieuws", "--kind", "cloudevents", "--secret-file", "-"])
            .current_dir(world.gateway.folder())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(FIRST.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
        assert_eq!(status(&Cms::named(&world.gateway, "eigen", FIRST), "1").await, 202);
    }

    async fn no_output_log_or_table_shows_a_secret(db: Database) {
        let world = World::with(db, Cms::setup()).await;
        added(&world.gateway).await;
        let cms = Cms::named(&world.gateway, "eigen", FIRST);
        assert_eq!(status(&cms, "1").await, 202);
        let wrong = Cms::named(&world.gateway, "eigen", SECOND);
        assert_eq!(status(&wrong, "2").await, 401);
        let captured = file(&world.gateway, "captured.json", &cms.event("gepubliceerd", json!({"id": "3"})).to_string());
        let mut shown = String::new();
        for arguments in [
            vec!["source", "list"],
            vec!["source", "list", "--json"],
            vec!["source", "show", "eigen"],
            vec!["source", "show", "eigen", "--json"],
            vec!["source", "show", "cms", "--json"],
            vec!["source", "deliveries", "eigen", "--json"],
            vec!["source", "test", "eigen", "--from", &captured],
            vec!["audit", "list", "--json"],
            vec!["check"],
        ] {
            let done = world.gateway.cli(&arguments).await;
            shown += &done.stdout;
            shown += &done.stderr;
        }
        shown += &world.gateway.log();
        for select in [
            "SELECT settings AS t FROM sources",
            "SELECT headers AS t FROM hook_deliveries",
            "SELECT COALESCE(refusal, '') AS t FROM hooks",
            "SELECT detail AS t FROM audit",
        ] {
            shown += &world.db.lines(select).join("\n");
        }
        assert!(shown.contains("secrets_set") && shown.contains("last_refusal"), "{shown}");
        for secret in [FIRST, SECOND, SECRET, TOKEN] {
            let bare = secret.trim_start_matches("whsec_");
            assert!(!shown.contains(bare), "{secret} is shown");
        }
        assert!(!shown.contains("v1,"), "a signature is shown");
        if let Some(path) = world.db.url.strip_prefix("sqlite:") {
            let mut bytes = std::fs::read(path).unwrap();
            bytes.extend(std::fs::read(format!("{path}-wal")).unwrap_or_default());
            for secret in [FIRST, SECRET, TOKEN] {
                let bare = secret.trim_start_matches("whsec_").as_bytes();
                assert!(!bytes.windows(bare.len()).any(|window| window == bare), "{secret} is in the file");
            }
        }
    }

    async fn addresses_and_passwords_of_senders_are_not_stored(db: Database) {
        let world = World::of_web_alone(db, Cms::setup()).await;
        let cms = Cms::of(&world.gateway);
        let body = cms.event("gepubliceerd", json!({"id": "1", "title": "x"})).to_string();
        let mut headers = cms.headers("x", crate::harness::now_s(), body.as_bytes());
        let further = [
            ("x-forwarded-for", "198.51.100.77"),
            ("x-real-ip", "198.51.100.77"),
            ("authorization", "Bearer 198.51.100.77"),
            ("cookie", "a=198.51.100.77"),
            ("x-event", "kept"),
        ];
        headers.extend(further.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(cms.post(&headers, body.as_bytes()).await.status, 202);
        let stored = world.db.lines("SELECT headers AS t FROM hook_deliveries").join("");
        assert!(stored.contains("kept") && !stored.contains("198.51.100.77"), "{stored}");
        assert!(!world.gateway.log().contains("198.51.100.77"));
    }

    async fn a_restore_under_another_master_key_keeps_the_secrets(db: Database) {
        let mut world = World::with(db, Cms::setup()).await;
        added(&world.gateway).await;
        let passphrase = file(&world.gateway, "passphrase", "a passphrase that is long enough");
        std::fs::set_permissions(&passphrase, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let to = world.gateway.folder().join("all.age");
        let made = ["backup", "--passphrase-file", &passphrase, "--to", to.to_str().unwrap()];
        world.gateway.cli(&made).await.well();
        world.gateway.kill9();
        let target = Database::new(match world.db.kind {
            Kind::Sqlite => Kind::Postgres,
            Kind::Postgres => Kind::Sqlite,
        });
        let mut elsewhere = world.gateway.elsewhere(&world.db, &target);
        let restore = ["restore", "--passphrase-file", &passphrase, to.to_str().unwrap()];
        elsewhere.cli(&restore).await.well();
        elsewhere.restart().await;
        assert_eq!(status(&Cms::named(&elsewhere, "eigen", FIRST), "9").await, 202);
    }

    async fn a_secret_in_a_file_that_everybody_reads_is_refused_at_the_start(db: Database) {
        use std::os::unix::fs::PermissionsExt as _;
        let world = World::new(db).await;
        let secret = file(&world.gateway, "open", FIRST);
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o644)).unwrap();
        let config = world.gateway.folder().join("config.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        let source = Cms::source("").replace(&format!("secret = \"{SECRET}\""), "secret_file = \"open\"");
        std::fs::write(&config, format!("{text}\n{source}")).unwrap();
        let refused = world.gateway.cli(&["source", "list"]).await;
        assert!(refused.code == 1 && refused.stderr.contains("chmod 600"), "{refused:?}");
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
        world.gateway.cli(&["source", "list"]).await.well();
    }
}
