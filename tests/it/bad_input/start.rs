//! What an operator gets wrong before anything runs: exit code 1 with the reason and the way out, and 2 for wrong usage.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;

use crate::harness::{Database, Finished, Kind, Setup, Site, run, runtime};
use crate::installation::{Installation, fresh_address};

/// Enough to meet a race at the end of a process that one run in forty loses.
const COMMANDS_AT_ONCE: usize = 8;
const COMMANDS_EACH: usize = 20;
const MINIMAL: &str = "[server]\npublic_url = \"https://social.example.nl\"\n";

/// Ended with 1, and standard error says all that in words an operator can act on.
fn failed(finished: &Finished, words: &[&str]) {
    let missing: Vec<_> = words.iter().filter(|word| !finished.stderr.contains(**word)).collect();
    assert!(missing.is_empty(), "standard error does not say {missing:?}: {}", finished.stderr);
    assert_eq!(finished.code, 1, "{finished:?}");
    assert!(!finished.stderr.contains("panicked"), "{finished:?}");
    assert!(finished.stderr.starts_with("heraut: ") || finished.stderr.contains("\nheraut: "), "{finished:?}");
}

fn configured(text: &str) -> Installation {
    let installation = Installation::new();
    installation.configure(text);
    installation
}

/// `heraut serve` with that configuration does not start, and says why.
fn refuses(text: &str, words: &[&str]) -> Installation {
    let installation = configured(text);
    failed(&installation.run(&["serve"]), words);
    installation
}

#[test]
fn wrong_usage_ends_with_2_and_shows_the_usage() {
    let installation = configured(MINIMAL);
    for arguments in [&[][..], &["dance"], &["serve", "--role", "cook"], &["post", "release"], &["post", "show", "x"]] {
        let finished = installation.run(arguments);
        assert_eq!(finished.code, 2, "{arguments:?}: {finished:?}");
        assert!(finished.stderr.contains("Usage") || finished.stderr.contains("help"), "{arguments:?}: {finished:?}");
    }
}

#[test]
fn a_missing_configuration_says_how_one_is_made() {
    let installation = Installation::new();
    for command in [&["serve"][..], &["check"], &["migrate"], &["post", "list"]] {
        failed(&installation.run(command), &["config.toml", "heraut init", "--config"]);
    }
}

#[test]
fn a_configuration_that_is_no_toml_says_where() {
    refuses("[server]\npublic_url = https://x\n", &["line 2, column", "TOML"]);
}

#[test]
fn unknown_keys_and_wrong_values_are_all_said_at_once_with_their_paths() {
    let text = r#"
[server]
pubic_url = "https://social.example.nl"
public_url = "http://social.example.nl"
listen = ["8080"]
[database]
url = "mysql://root:geheim@db/heraut"
[deliveries]
concurrency = 5
[delivery]
concurrency = 0
timeout = "soon"
[[agency]]
name = "voorbeeldstad"
domain = "https://voorbeeldstad.example/"
[[actor]]
agency = "elders"
handle = "Nieuws!"
[[source]]
name = "pers"
actor = "niemand"
kind = "feed"
url = "https://voorbeeldstad.example/rss"
every = "15m"
cron = "0 7 * * 1-5"
"#;
    let words = [
        "server.pubic_url: is not a key that is known",
        "server.public_url",
        "server.listen[0]",
        "database.url",
        "deliveries: is not a section",
        "delivery.concurrency",
        "delivery.timeout",
        "agency[0].domain",
        "actor[0].agency",
        "actor[0].handle",
        "source[0].actor",
        "source[0].cron",
    ];
    let installation = refuses(text, &words);
    let stderr = installation.run(&["serve"]).stderr;
    assert!(!stderr.contains("geheim"), "a password is shown: {stderr}");
    assert!(!installation.path("heraut.db").exists(), "a database was made for a configuration that is wrong");
}

#[test]
fn settings_of_a_source_that_nobody_knows_are_named_with_it() {
    let source = |keys: &str| {
        format!(
            "{MINIMAL}[[agency]]\nname = \"a\"\ndomain = \"a.example\"\n[[actor]]\nagency = \"a\"\nhandle = \"a\"\n\
             [[source]]\nname = \"pers\"\nactor = \"a\"\n{keys}\n"
        )
    };
    let feed =
        |keys: &str| source(&format!("kind = \"feed\"\nurl = \"https://a.example/rss\"\nevery = \"15m\"\n{keys}"));
    let table = [
        (feed("policy = { flood_fuze = 3 }"), &["source[0].policy", "flood_fuze", "flood_fuse"][..]),
        (feed("policy = { missing_alt = \"guess\" }"), &["source[0].policy", "guess", "drop_image"]),
        (feed("compose = { lenght_max = 5 }"), &["source[0].compose", "lenght_max", "length_max"]),
        (feed("colour = \"red\""), &["source[0]", "colour"]),
        (source("kind = \"feed\"\nevery = \"15m\""), &["source[0]", "url"]),
        (source("kind = \"fed\"\nevery = \"15m\""), &["source[0].kind", "fed", "feed"]),
        (source("kind = \"feed\"\nurl = \"https://a.example/rss\"\ncron = \"0 25 * * *\""), &["source[0].cron", "25"]),
    ];
    for (text, words) in table {
        refuses(&text, words);
    }
}

#[test]
fn a_master_key_that_is_missing_malformed_or_open_to_all_is_told() {
    let installation = configured(MINIMAL);
    let key = installation.path("master.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    failed(&installation.run(&["serve"]), &["master.key", "every user", "chmod 600"]);
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    installation.write_key("dit is geen sleutel");
    failed(&installation.run(&["serve"]), &["master.key", "32 bytes", "backup"]);
    assert!(!installation.run(&["serve"]).stderr.contains("dit is geen sleutel"), "key material is shown");
    std::fs::remove_file(&key).unwrap();
    failed(&installation.run(&["serve"]), &["master.key", "missing", "backup", "heraut init", "HERAUT_MASTER_KEY"]);
}

#[test]
fn environment_variables_that_cannot_be_used_are_told_by_name() {
    for (name, value, words) in [
        ("HERAUT_MASTER_KEY", "te kort", &["HERAUT_MASTER_KEY", "32 bytes"][..]),
        ("HERAUT_LOG", "heraut=loud", &["HERAUT_LOG", "heraut=loud"]),
    ] {
        let mut installation = configured(MINIMAL);
        installation.environment.push((name, value.to_owned()));
        failed(&installation.run(&["serve"]), words);
    }
}

#[test]
fn an_extra_ca_file_that_is_none_is_told() {
    let installation = configured(&format!("{MINIMAL}[net]\nextra_ca_file = \"ca.pem\"\n"));
    failed(&installation.run(&["serve"]), &["net.extra_ca_file", "ca.pem"]);
    std::fs::write(installation.path("ca.pem"), "geen certificaat").unwrap();
    failed(&installation.run(&["serve"]), &["net.extra_ca_file", "ca.pem", "BEGIN CERTIFICATE"]);
}

#[test]
fn a_sqlite_file_that_cannot_be_opened_is_told() {
    let with = |url: &str| format!("{MINIMAL}[database]\nurl = \"{url}\"\n");
    refuses(&with("sqlite:nergens/heraut.db"), &["nergens/heraut.db", "cannot be reached", "database.url", "folder"]);
    let installation = configured(&with("sqlite:heraut.db"));
    std::fs::write(installation.path("heraut.db"), "Dit is een brief, en geen gegevensbank. ".repeat(200)).unwrap();
    failed(&installation.run(&["serve"]), &["heraut.db", "not a database"]);
    let untouched = std::fs::read_to_string(installation.path("heraut.db")).unwrap();
    assert!(untouched.starts_with("Dit is een brief"), "what was there was overwritten");
}

#[test]
fn a_media_folder_that_cannot_be_written_is_told_at_the_start() {
    let below_a_file = configured(&format!("{MINIMAL}[media]\ndir = \"brief/media\"\n"));
    std::fs::write(below_a_file.path("brief"), "een brief").unwrap();
    failed(&below_a_file.run(&["serve"]), &["brief/media", "media.dir"]);
    // A folder that is there, and in which nobody, not even root, can make a file.
    let listen = fresh_address();
    let server = format!("[server]\npublic_url = \"https://social.example.nl\"\nlisten = [\"{listen}\"]\n");
    refuses(&format!("{server}[media]\ndir = \"/proc\"\n"), &["/proc", "media.dir"]);
}

#[test]
fn a_port_that_is_in_use_is_told_with_its_address() {
    let taken = TcpListener::bind(fresh_address()).unwrap();
    let address = taken.local_addr().unwrap();
    let server = format!("[server]\npublic_url = \"https://social.example.nl\"\nlisten = [\"{address}\"]\n");
    refuses(&server, &[&address.to_string(), "in use", "server.listen"]);
}

async fn a_postgresql_that_cannot_be_reached_is_told_without_its_password(db: Database) {
    let with = |url: &url::Url| format!("{MINIMAL}[database]\nurl = \"{url}\"\n");
    let good = url::Url::parse(&db.url).unwrap();
    let nobody = fresh_address();
    let mut down = good.clone();
    down.set_host(Some(&nobody.ip().to_string())).unwrap();
    down.set_port(Some(nobody.port())).unwrap();
    let mut absent = good.clone();
    absent.set_path("/bestaat_niet");
    let mut wrong = good.clone();
    wrong.set_password(Some("verkeerd-wachtwoord")).unwrap();
    let table = [
        (&down, &["cannot be reached", "database.url", "refused"][..]),
        (&absent, &["bestaat_niet", "does not exist", "database.url"]),
        (&wrong, &["password authentication failed", "database.url"]),
    ];
    for (url, words) in table {
        let installation = refuses(&with(url), words);
        for command in [&["serve"][..], &["check"], &["post", "list"]] {
            let finished = installation.run(command);
            failed(&finished, words);
            let password = url.password().unwrap();
            assert!(!finished.stderr.contains(password), "the password is shown: {}", finished.stderr);
        }
    }
}

#[test]
fn an_unreachable_postgresql_is_told_without_its_password() {
    run(a_postgresql_that_cannot_be_reached_is_told_without_its_password, Kind::Postgres);
}

/// Another master key must never lead to new keys under old names: every follower would refuse them.
fn another_master_key_changes_nothing(kind: Kind) {
    runtime().block_on(async {
        let (db, site) = (Database::new(kind), Site::start());
        let installation = Installation::new();
        installation.configure(&Setup::new().config(&db.url, &installation.address.to_string(), &site));
        let before = installation.run(&["actor", "show", "nieuws", "--json"]).well().json();
        let own = std::fs::read_to_string(installation.path("master.key")).unwrap();
        let sealed = db.number("SELECT COUNT(*) FROM actor_keys");
        installation.write_key(&"ab".repeat(32));
        for command in [&["serve"][..], &["check"]] {
            let finished = installation.run(command);
            failed(&finished, &["master key"]);
        }
        assert_eq!(db.number("SELECT COUNT(*) FROM actor_keys"), sealed, "keys were made or removed");
        installation.write_key(own.trim());
        let after = installation.run(&["actor", "show", "nieuws", "--json"]).well().json();
        assert_eq!(after["key_fingerprint"], before["key_fingerprint"]);
    });
}

#[test]
fn another_master_key_is_told_and_changes_nothing_on_sqlite() {
    another_master_key_changes_nothing(Kind::Sqlite);
}

#[test]
fn another_master_key_is_told_and_changes_nothing_on_postgresql() {
    another_master_key_changes_nothing(Kind::Postgres);
}

/// The connections that a pool opens in the background must not be in the middle of it when the program ends.
#[test]
fn no_command_on_postgresql_is_ended_by_a_signal() {
    let db = Database::new(Kind::Postgres);
    let installation = configured(&format!("{MINIMAL}[database]\nurl = \"{}\"\n", db.url));
    installation.run(&["migrate"]).well();
    std::thread::scope(|scope| {
        for _ in 0..COMMANDS_AT_ONCE {
            scope.spawn(|| {
                for _ in 0..COMMANDS_EACH {
                    let ended = installation.status(&["message", "list", "--json"]);
                    assert_eq!(ended.code(), Some(0), "{ended}");
                }
            });
        }
    });
}
