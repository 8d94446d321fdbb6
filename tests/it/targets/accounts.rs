//! Targets of the configuration file, and in backups.

use std::time::Duration;

use crate::harness::{Database, Kind, Mastodon, Setup, World, both, until};

const PASSPHRASE: &str = "een lange zin die niemand raadt";

/// What a stopped process had in hand is free: the leases end by themselves, and this test has less time.
fn free(world: &World) {
    world.db.execute("UPDATE sources SET lease_until = 0; UPDATE targets SET lease_until = 0");
}

both! {
    async fn a_target_of_the_file_is_changed_there_only_and_out_of_use_when_it_is_gone_from_there(db: Database) {
        let server = Mastodon::start();
        let mut world = World::with(db, Setup::new().further(&server.target())).await;
        let refused = world.gateway.cli(&["target", "remove", "ons-account"]).await;
        assert!(refused.code == 1 && refused.stderr.contains("stands in the configuration file"), "{refused:?}");
        world.site.publish("a", "Eerste bericht", "<p>Tekst.</p>");
        server.has(1).await;

        let path = world.gateway.folder().join("config.toml");
        let config = std::fs::read_to_string(&path).unwrap();
        assert!(world.gateway.stop().await.success());
        free(&world);
        std::fs::write(&path, config.replace(&server.target(), "")).unwrap();
        world.gateway.restart().await;
        world.published("b", "Tweede bericht").await;
        let listed = world.gateway.cli(&["target", "list", "--json"]).await.well().json();
        assert_eq!((listed[0]["state"].as_str(), listed[0]["provisioned"].as_bool()), (Some("disabled"), Some(false)));
        assert_eq!(server.statuses().len(), 1);

        assert!(world.gateway.stop().await.success());
        free(&world);
        std::fs::write(&path, config.replace("kind = \"mastodon_account\"", "kind = \"mastodon_account\"\nvisibility = \"unlisted\"")).unwrap();
        world.gateway.restart().await;
        world.site.edit("a", |article| article.title = "Betere titel".to_owned());
        until("the first is edited", || server.standing().iter().any(|s| s.edits == 1)).await;
        world.site.publish("c", "Derde bericht", "<p>Tekst.</p>");
        assert_eq!(server.has(2).await[1].visibility, "unlisted");
    }

    async fn a_backup_takes_targets_along_and_what_it_does_not_know_is_looked_for(db: Database) {
        let server = Mastodon::start();
        let mut world = World::with(db, Setup::new().further(&server.target())).await;
        world.site.publish("a", "Eerste bericht", "<p>Tekst.</p>");
        server.has(1).await;
        // Owed when the backup is made, made after it.
        world.db.execute("UPDATE targets SET lease_until = 4102444800000");
        world.published("b", "Tweede bericht").await;
        std::fs::write(world.gateway.folder().join("passphrase"), PASSPHRASE).unwrap();
        std::process::Command::new("chmod").args(["600", "passphrase"]).current_dir(world.gateway.folder()).status().unwrap();
        let file = world.gateway.folder().join("backup.age");
        let file = file.to_str().unwrap();
        let passphrase = world.gateway.folder().join("passphrase");
        let passphrase = passphrase.to_str().unwrap();
        world.gateway.cli(&["backup", "--passphrase-file", passphrase, "--to", file]).await.well();
        world.db.execute("UPDATE targets SET lease_until = 0");
        server.has(2).await;
        world.gateway.kill9();
        server.forgets_keys();

        let target = Database::new(match world.db.kind {
            Kind::Sqlite => Kind::Postgres,
            Kind::Postgres => Kind::Sqlite,
        });
        let mut elsewhere = world.gateway.elsewhere(&world.db, &target);
        elsewhere.cli(&["restore", file, "--passphrase-file", passphrase]).await.well();
        elsewhere.restart().await;
        until("what was owed is found there", || {
            target.execute("UPDATE targets SET due_at = 0 WHERE due_at IS NOT NULL AND lease_until = 0");
            target.number("SELECT COUNT(*) FROM target_deliveries WHERE state = 1") == 2
        })
        .await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(server.statuses().len(), 2, "nothing is made twice");
        assert_eq!(server.violations(), Vec::<String>::new());
    }
}
