//! Backup and restore, as an operator does them: while the gateway runs, into the other database, on another machine.

mod contents;
mod failures;

use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::harness::{
    Account, Article, Behaviour, Database, FEED, Gateway, Hub, Kind, Peer, Picture, Setup, Site, World, both, get,
    get_as, until,
};

const PASSPHRASE: &str = "paard batterij nietje juist";

impl Kind {
    pub fn other(self) -> Self {
        match self {
            Self::Sqlite => Self::Postgres,
            Self::Postgres => Self::Sqlite,
        }
    }
}

/// A file with a passphrase, as an operator keeps it.
fn passphrase_file(folder: &Path, passphrase: &str) -> String {
    use std::io::Write as _;
    let path = folder.join(format!("passphrase-{}", passphrase.len()));
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path).unwrap();
    writeln!(file, "{passphrase}").unwrap();
    path.to_str().unwrap().to_owned()
}

/// Backs a gateway up beside its configuration; gives the file.
async fn back_up(gateway: &Gateway) -> String {
    let secret = passphrase_file(gateway.folder(), PASSPHRASE);
    let file = gateway.folder().join("heraut.backup").to_str().unwrap().to_owned();
    gateway.cli(&["backup", "--to", &file, "--replace", "--passphrase-file", &secret]).await.well();
    file
}

async fn restore(gateway: &Gateway, file: &str) -> crate::harness::Finished {
    let secret = passphrase_file(gateway.folder(), PASSPHRASE);
    gateway.cli(&["restore", file, "--passphrase-file", &secret]).await
}

/// A post with a picture that reached its followers, a host that is down, and a post that it is owed.
async fn busy_world(db: Database) -> (World, Account, String, String) {
    let world =
        World::with(db, Setup::new().policy("flood_fuse = 1000").delivery("timeout = \"5s\"\nlease = \"10s\"")).await;
    let sleeping = Peer::start().lone_account("slaper");
    sleeping.follows(&world.gateway).await;
    let mut article = Article::new("dijk", "De dijk houdt stand", "<p>Het water zakt.</p>");
    article.picture = Some(Picture { path: "/beeld/dijk.png".to_owned(), alt: Some("Een dijk".to_owned()) });
    world.site.add(article);
    let create = world.created("De dijk houdt stand").await.activity;
    sleeping.peer.takes_a("Create").await;
    sleeping.peer.behaves(Behaviour::Answer(503));
    world.published("brug", "De brug is open").await;
    let owed = || world.db.number("SELECT COUNT(*) FROM deliveries WHERE state = 0 AND attempts > 0") > 0;
    until("the sleeping host refused it once", owed).await;
    let object = create["object"]["id"].as_str().unwrap().to_owned();
    let picture = create["object"]["attachment"][0]["url"].as_str().unwrap().to_owned();
    (world, sleeping, object, picture)
}

both! {
    async fn a_backup_made_while_it_runs_goes_on_in_the_other_database_under_another_master_key(db: Database) {
        let (mut world, sleeping, object, picture) = busy_world(db).await;
        let image = get(&picture).await.body;
        let page = get_as(&object, "application/activity+json").await.json()["url"].as_str().unwrap().to_owned();
        // The site goes on publishing while the backup is made.
        let site = world.site.clone();
        let publishing = tokio::spawn(async move {
            for n in 0..20 {
                site.publish(&format!("tijdens{n}"), &format!("Bericht {n} tijdens de backup"), "<p>Nieuws.</p>");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        let backup = back_up(&world.gateway).await;
        publishing.await.unwrap();
        world.created("Bericht 19 tijdens de backup").await;
        assert!(world.gateway.stop().await.success());

        let other = Database::new(world.db.kind.other());
        let mut second = world.gateway.elsewhere(&world.db, &other);
        let restored = restore(&second, &backup).await.well();
        assert!(restored.stdout.contains("the old gateway does not run any more"), "{restored:?}");
        assert_eq!(other.number("SELECT COUNT(*) FROM audit WHERE act = 'database.restore'"), 1);
        second.restart().await;

        assert_eq!(get(&object).await.status, 200);
        assert_eq!(get_as(&page, "text/html").await.status, 200);
        assert_eq!(get(&picture).await.body, image, "the picture is the same");

        // What was owed is delivered when the host is back. It knows our key from before, and the signature must fit that.
        sleeping.peer.behaves(Behaviour::Answer(202));
        sleeping.says(&second, &sleeping.activity("View", "https://elders.example/1")).await;
        sleeping.peer.takes("what was owed", |a| a.kind() == "Create" && crate::harness::says(a, "De brug is open")).await;

        world.site.publish("nieuw", "Na het herstel", "<p>Het gaat door.</p>");
        world.created("Na het herstel").await;
        world.site.edit("dijk", |article| article.title = "De dijk houdt nog steeds stand".to_owned());
        let update = world.told("Update", &object, 1).await.activity;
        assert!(update["object"]["content"].as_str().unwrap().contains("nog steeds"), "{update}");
        assert_eq!(update["object"]["attachment"][0]["url"], json!(picture));
        let wrong = world.peer.arrivals().into_iter().find(|arrival| arrival.verified.is_err());
        assert!(wrong.is_none(), "{wrong:?}");
    }

    async fn a_restored_gateway_asks_its_hubs_anew_under_the_same_address_and_secret(db: Database) {
        let (site, hub, peer) = (Site::start(), Hub::start(), Peer::start());
        let link = format!("<{}>; rel=\"hub\", <{}>; rel=\"self\"", hub.url(), site.url(FEED));
        site.names(Some(&link), "");
        let mut gateway = Setup::new().every("1h").start(&db, &site).await;
        let citizen = peer.account("burger");
        citizen.follows(&gateway).await;
        let asked = hub.is_asked("subscribe", 1).await;
        asked.verify(864_000).await;
        let backup = back_up(&gateway).await;
        gateway.kill9();
        let other = Database::new(db.kind.other());
        let mut second = gateway.elsewhere(&db, &other);
        restore(&second, &backup).await.well();
        second.restart().await;
        let again = hub.is_asked("subscribe", 2).await;
        assert_eq!((again.get("callback"), again.get("secret")), (asked.get("callback"), asked.get("secret")));
        again.verify(864_000).await;
        site.publish("later", "Na het herstel.", "<p>Nieuws.</p>");
        again.delivers(&site.document()).await;
        peer.takes("the Create", |a| a.kind() == "Create" && crate::harness::says(a, "Na het herstel.")).await;
    }

    async fn a_backup_is_for_its_owner_only_and_can_be_checked_without_a_database(db: Database) {
        let world = World::unfollowed(db, Setup::new()).await;
        let file = back_up(&world.gateway).await;
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let secret = passphrase_file(world.gateway.folder(), PASSPHRASE);
        for command in [["backup", "--check"], ["restore", "--check"]] {
            let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_heraut"));
            program.args(["--config", "/nowhere/config.toml"]).args(command).arg(&file);
            program.env("HERAUT_BACKUP_PASSPHRASE", PASSPHRASE);
            let checked = tokio::task::spawn_blocking(move || program.output().unwrap()).await.unwrap();
            let told = String::from_utf8_lossy(&checked.stdout);
            assert!(checked.status.success() && told.contains("is whole") && told.contains("actor_keys"), "{checked:?}");
        }
        let arguments = ["backup", "--json", "--check", &file, "--passphrase-file", &secret];
        let told = world.gateway.cli(&arguments).await.well().json();
        assert_eq!(told["manifest"]["public_url"], json!(world.gateway.url("/")));
        assert_eq!(told["summary"]["tables"]["actor_keys"]["rows"], json!(4), "of the actor and the instance actor, two each");
        let bytes = std::fs::read(&file).unwrap();
        assert!(bytes.starts_with(b"age-encryption.org/v1\n-> scrypt "), "the program age opens it");
        assert!(!bytes.windows(12).any(|part| part == b"voorbeeldsta"), "nothing stands there in the open");
    }

    async fn standard_output_and_standard_input_serve_as_files(db: Database) {
        use std::io::Write as _;
        let mut world = World::unfollowed(db, Setup::new()).await;
        let secret = passphrase_file(world.gateway.folder(), PASSPHRASE);
        let piped = world.gateway.begin(&["backup", "--to", "-", "--passphrase-file", &secret]);
        let piped = tokio::task::spawn_blocking(|| piped.wait_with_output().unwrap()).await.unwrap();
        assert!(piped.status.success(), "{}", String::from_utf8_lossy(&piped.stderr));
        world.gateway.stop().await;
        let other = Database::new(world.db.kind);
        let second = world.gateway.elsewhere(&world.db, &other);
        for command in [["backup", "--check", "-"].as_slice(), &["restore", "-", "--check"], &["restore", "-"]] {
            let mut child = second.begin(&[command, &["--passphrase-file", &secret]].concat());
            // One that reads nothing ends before all is written.
            let _ = child.stdin.take().unwrap().write_all(&piped.stdout);
            let ended = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap();
            assert!(ended.status.success(), "{command:?}: {}", String::from_utf8_lossy(&ended.stderr));
            let checks = command.contains(&"--check");
            assert_eq!(String::from_utf8_lossy(&ended.stdout).contains("standard input is whole"), checks, "{ended:?}");
        }
        assert_eq!(other.number("SELECT COUNT(*) FROM actor_keys"), 4);
    }
}
