//! What goes wrong with backups: each says what it is and what to do, and the target stays as it was.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};

use super::*;

/// Nothing was made: no file, no table, no picture.
fn untouched(gateway: &Gateway, database: &Database) {
    match database.kind {
        Kind::Sqlite => {
            let file = database.url.strip_prefix("sqlite:").unwrap();
            assert!(!Path::new(file).exists(), "{file} is there");
        }
        Kind::Postgres => {
            let tables = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'public'";
            assert_eq!(database.number(tables), 0);
        }
    }
    let media = std::fs::read_dir(gateway.folder().join("media")).into_iter().flatten();
    let files: Vec<_> = media.map(|entry| entry.unwrap().file_name()).collect();
    assert!(files.is_empty(), "{files:?}");
}

fn partials(folder: &Path) -> usize {
    let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_str().unwrap().ends_with(".partial")).count()
}

/// So many rows that a backup takes a while.
fn fill(database: &Database, rows: u32) {
    let numbers = match database.kind {
        Kind::Sqlite => {
            format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) ")
        }
        Kind::Postgres => String::new(),
    };
    let from = match database.kind {
        Kind::Sqlite => "n".to_owned(),
        Kind::Postgres => format!("generate_series(1, {rows}) AS n (i)"),
    };
    database.execute(&format!(
        "INSERT INTO audit (id, at, who, act, subject, detail) {numbers}SELECT i, i, 'policy', 'post.hold', 'post:1', \
         'Een reden van een zekere lengte' FROM {from}"
    ));
}

async fn ends(child: std::process::Child) -> std::process::Output {
    tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap()
}

both! {
    async fn what_is_damaged_cut_off_or_not_ours_is_refused_and_the_target_stays_untouched(db: Database) {
        let (mut world, ..) = busy_world(db).await;
        let file = back_up(&world.gateway).await;
        world.gateway.stop().await;
        let whole = std::fs::read(&file).unwrap();
        let target = Database::new(world.db.kind);
        let second = world.gateway.elsewhere(&world.db, &target);
        let spoilt = second.folder().join("spoilt");
        let half = whole.len() / 2;
        let mut flipped = whole.clone();
        flipped[half] ^= 0b100;
        let cases: [(&[u8], &str, &str); 5] = [
            (&flipped, "damaged", "take another copy"),
            (&whole[..half], "its end is missing", "take another copy"),
            (&whole[..whole.len() - 1], "its end is missing", "take another copy"),
            (&whole[..120], "header is damaged", "take another copy"),
            (b"SQLite format 3", "not a backup of Heraut", "give the file"),
        ];
        for (bytes, says, way_out) in cases {
            std::fs::write(&spoilt, bytes).unwrap();
            let refused = restore(&second, spoilt.to_str().unwrap()).await;
            assert_eq!(refused.code, 1, "{refused:?}");
            assert!(refused.stderr.contains(says) && refused.stderr.contains(way_out), "{says}: {refused:?}");
            untouched(&second, &target);
            let secret = passphrase_file(second.folder(), PASSPHRASE);
            let check = ["backup", "--check", spoilt.to_str().unwrap(), "--passphrase-file", &secret];
            assert_eq!(second.cli(&check).await.code, 1, "{says}");
        }

        let wrong = passphrase_file(second.folder(), "een heel andere passphrase");
        let refused = second.cli(&["restore", &file, "--passphrase-file", &wrong]).await;
        assert!(refused.code == 1 && refused.stderr.contains("the passphrase does not open it"), "{refused:?}");
        let refused = second.cli(&["restore", &file]).await;
        assert!(refused.code == 1 && refused.stderr.contains("HERAUT_BACKUP_PASSPHRASE"), "{refused:?}");
        untouched(&second, &target);

        let path = second.folder().join("config.toml");
        let config = std::fs::read_to_string(&path).unwrap();
        let said = format!("public_url = \"http://{}\"", second.authority());
        assert!(config.contains(&said));
        std::fs::write(&path, config.replace(&said, "public_url = \"http://127.0.0.2:1\"")).unwrap();
        let refused = restore(&second, &file).await;
        assert!(refused.code == 1 && refused.stderr.contains("correct server.public_url"), "{refused:?}");
        std::fs::write(&path, config).unwrap();
        untouched(&second, &target);

        restore(&second, &file).await.well();
        let again = restore(&second, &file).await;
        assert!(again.code == 1 && again.stderr.contains("is not empty"), "{again:?}");
        assert_eq!(target.number("SELECT COUNT(*) FROM audit WHERE act = 'database.restore'"), 1);
    }

    async fn a_backup_of_a_newer_schema_is_refused_and_of_a_fresh_target_only_the_rows_change(db: Database) {
        let mut world = World::unfollowed(db, Setup::new()).await;
        world.gateway.stop().await;
        let good = back_up(&world.gateway).await;
        let newer = world.gateway.folder().join("newer.backup").to_str().unwrap().to_owned();
        world.db.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('29991231000001')");
        let secret = passphrase_file(world.gateway.folder(), PASSPHRASE);
        world.gateway.cli(&["backup", "--to", &newer, "--passphrase-file", &secret]).await.well();
        let target = Database::new(world.db.kind);
        drop(target.store());
        let second = world.gateway.elsewhere(&world.db, &target);
        let refused = restore(&second, &newer).await;
        assert!(refused.code == 1 && refused.stderr.contains("29991231000001"), "{refused:?}");
        assert!(refused.stderr.contains("install that version or a later one"), "{refused:?}");
        assert_eq!(target.number("SELECT COUNT(*) FROM actor_keys"), 0);
        restore(&second, &good).await.well();
        assert_eq!(target.number("SELECT COUNT(*) FROM actor_keys"), 4);
    }

    async fn a_backup_without_all_private_keys_is_not_made(db: Database) {
        let world = World::unfollowed(db, Setup::new()).await;
        let secret = passphrase_file(world.gateway.folder(), PASSPHRASE);
        let key = world.gateway.folder().join("master.key");
        std::fs::write(&key, hex::encode([7_u8; 32])).unwrap();
        let file = world.gateway.folder().join("backup");
        let refused = world.gateway.cli(&["backup", "--to", file.to_str().unwrap(), "--passphrase-file", &secret]).await;
        assert!(refused.code == 1 && refused.stderr.contains("is keys.master_key_file the one"), "{refused:?}");
        assert!(!file.exists());
        assert_eq!(partials(world.gateway.folder()), 0);
    }

    async fn an_interrupted_backup_leaves_nothing_that_looks_like_one(db: Database) {
        let world = World::unfollowed(db, Setup::new()).await;
        fill(&world.db, 150_000);
        let secret = passphrase_file(world.gateway.folder(), PASSPHRASE);
        let folder = world.gateway.folder().join("backups");
        std::fs::create_dir(&folder).unwrap();
        let file = folder.join("heraut.backup");
        let arguments = ["backup", "--to", file.to_str().unwrap(), "--passphrase-file", &secret];

        let child = world.gateway.begin(&arguments);
        until("it writes", || partials(&folder) == 1).await;
        let pid = child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let ended = ends(child).await;
        assert_eq!(ended.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&ended.stderr).contains("nothing was left behind"));
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);

        let mut child = world.gateway.begin(&arguments);
        until("it writes", || partials(&folder) == 1).await;
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!file.exists());
        world.gateway.cli(&arguments).await.well();
        assert!(file.exists());
        let again = world.gateway.cli(&arguments).await;
        assert!(again.code == 1 && again.stderr.contains("is not overwritten"), "{again:?}");
    }

    async fn an_interrupted_restore_leaves_an_empty_database_that_takes_the_next_one(db: Database) {
        let mut world = World::unfollowed(db, Setup::new()).await;
        world.gateway.stop().await;
        fill(&world.db, 40_000);
        let file = back_up(&world.gateway).await;
        let whole = std::fs::read(&file).unwrap();
        let target = Database::new(world.db.kind);
        let second = world.gateway.elsewhere(&world.db, &target);
        let secret = passphrase_file(second.folder(), PASSPHRASE);
        let most = whole.len() - 100;
        let begin = || {
            let mut child = second.begin(&["restore", "-", "--passphrase-file", &secret]);
            let mut pipe = child.stdin.take().unwrap();
            pipe.write_all(&whole[..most]).unwrap();
            (child, pipe)
        };
        // What the pipe does not hold was read by then: the database was begun, and rows go in.
        assert!(most > 3 * 64 * 1024, "{most} bytes");

        let (mut child, pipe) = begin();
        child.kill().unwrap();
        child.wait().unwrap();
        drop(pipe);

        let (mut child, pipe) = begin();
        let pid = child.id().to_string();
        let mut said = BufReader::new(child.stderr.take().unwrap());
        assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let (mut said, first) = tokio::task::spawn_blocking(move || {
            let mut first = String::new();
            said.read_line(&mut first).unwrap();
            (said, first)
        })
        .await
        .unwrap();
        assert!(first.contains("stopping"), "{first}");
        // It waits for more; that this is all is no fault of the backup.
        drop(pipe);
        assert_eq!(ends(child).await.status.code(), Some(1));
        let mut rest = String::new();
        said.read_to_string(&mut rest).unwrap();
        assert!(rest.contains("stopped before the end"), "{rest}");

        restore(&second, &file).await.well();
        assert_eq!(target.number("SELECT COUNT(*) FROM audit WHERE act = 'post.hold'"), 40_000);
    }

    async fn a_full_disk_a_short_passphrase_and_one_that_all_can_read_are_told(db: Database) {
        let world = World::unfollowed(db, Setup::new()).await;
        let folder = world.gateway.folder();
        let script = format!(
            "exec '{}' --config '{}' backup --to - > /dev/full",
            env!("CARGO_BIN_EXE_heraut"),
            folder.join("config.toml").display()
        );
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &script]).env("HERAUT_BACKUP_PASSPHRASE", PASSPHRASE);
        let full = tokio::task::spawn_blocking(move || shell.output().unwrap()).await.unwrap();
        let said = String::from_utf8_lossy(&full.stderr).into_owned();
        assert_eq!(full.status.code(), Some(1), "{said}");
        assert!(said.contains("free some space") && said.contains("No space left"), "{said}");

        let short = passphrase_file(folder, "kort");
        let to = folder.join("backup");
        let refused = world.gateway.cli(&["backup", "--to", to.to_str().unwrap(), "--passphrase-file", &short]).await;
        assert!(refused.code == 1 && refused.stderr.contains("openssl rand"), "{refused:?}");
        let open = passphrase_file(folder, PASSPHRASE);
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).unwrap();
        let refused = world.gateway.cli(&["backup", "--to", to.to_str().unwrap(), "--passphrase-file", &open]).await;
        assert!(refused.code == 1 && refused.stderr.contains("chmod 600"), "{refused:?}");
        assert!(!to.exists());
    }
}

#[test]
fn a_database_that_a_gateway_runs_on_is_not_restored_into() {
    crate::harness::run(
        |db| async {
            let world = World::unfollowed(db, Setup::new()).await;
            let file = back_up(&world.gateway).await;
            let refused = restore(&world.gateway, &file).await;
            assert!(refused.code == 1 && refused.stderr.contains("runs on this database"), "{refused:?}");
        },
        Kind::Sqlite,
    );
}
