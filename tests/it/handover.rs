//! An actor that another installation takes over, with its host: its ids, keys, followers and posts, and never two that speak.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{ACTIVITY, Client, Database, Gateway, Peer, Setup, Site, both, eventually, get, get_as, picture};
use crate::own_hosts::{MINISTRY, follows, verified};

const PASSPHRASE: &str = "paard batterij nietje juist";

fn passphrase(folder: &Path) -> String {
    let path = folder.join("passphrase");
    let mut file = std::fs::File::create(&path).unwrap();
    writeln!(file, "{PASSPHRASE}").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Writes the actor into a file, and gives it.
async fn exported(gateway: &Gateway) -> String {
    let file = gateway.folder().join("ministerie.heraut").to_str().unwrap().to_owned();
    let secret = passphrase(gateway.folder());
    let arguments = ["export", "actor", MINISTRY, "--to", &file, "--passphrase-file", &secret];
    let done = gateway.cli(&arguments).await.well();
    assert!(done.stdout.contains("says nothing more here"), "{}", done.stdout);
    file
}

async fn taken_in(gateway: &Gateway, file: &str) -> crate::harness::Finished {
    let secret = passphrase(gateway.folder());
    gateway.cli(&["import", "actor", file, "--passphrase-file", &secret]).await
}

/// Another installation, with a database of the other kind, that has nothing to do with the first.
async fn another(db: &Database) -> (Gateway, Site, Database) {
    let (site, other) = (Site::start(), Database::new(db.kind.other()));
    let gateway = Setup::new().start(&other, &site).await;
    (gateway, site, other)
}

/// Changes what a gateway listens on, and starts it anew.
async fn listening(gateway: &mut Gateway, from: &str, to: &str) {
    let path = gateway.folder().join("config.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from}");
    std::fs::write(&path, text.replace(from, to)).unwrap();
    gateway.stop().await;
    gateway.restart().await;
}

fn entry(text: &str) -> Value {
    json!({"type": ["h-entry"], "properties": {"content": [text]}})
}

both! {
    async fn an_actor_goes_on_at_another_installation_when_its_host_does(db: Database) {
        let (mut world, root, id) = verified(db).await;
        let own = root.strip_prefix("http://").unwrap().to_owned();
        let peer = Peer::start();
        let citizen = peer.account("burger");
        follows(&citizen, &root, &id).await;
        let mut client = Client::named(&world.gateway, "kamerbrieven", &["--scope", "create,update,delete,media"]).await;
        client.endpoint = format!("{root}/micropub");
        let photo = client.sends("dijk.png", &picture(image::ImageFormat::Png, 9)).await;
        let mut first = entry("De eerste brief");
        first["properties"]["photo"] = json!([{"value": photo, "alt": "Een dijk"}]);
        let page = client.writes(&first).await;
        let create = peer.takes_a("Create").await.activity;
        let object = create["object"]["id"].as_str().unwrap().to_owned();
        let number = object.rsplit('/').next().unwrap().to_owned();
        world.gateway.cli(&["post", "pin", &number]).await.well();
        peer.takes_a("Add").await;
        citizen.letter(&format!("{root}/ap/inbox"), &citizen.activity("Like", object.as_str())).send().await;
        let before = get(&id).await.json();
        let image = get_as(&object, ACTIVITY).await.json()["attachment"][0]["url"].as_str().unwrap().to_owned();

        let file = exported(&world.gateway).await;
        let bytes = std::fs::read(&file).unwrap();
        assert!(bytes.starts_with(b"age-encryption.org/v1\n-> scrypt "));
        assert!(!bytes.windows(10).any(|part| part == b"ministerie"), "nothing stands there in the open");
        let shown = world.gateway.cli(&["actor", "show", MINISTRY, "--json"]).await.well().json();
        assert_eq!(shown["state"], json!("handed-over"));
        // The old installation says nothing more, whoever asks it to, and can still be read.
        client.json(&entry("Tussen wal en schip")).await;
        let said = world.db.number("SELECT COUNT(*) FROM activities");
        assert_eq!(get(&object).await.status, 200);
        let late = peer.account("laat");
        let refused = late.letter(&format!("{id}/inbox"), &late.activity("Follow", id.as_str())).send().await;
        assert_eq!(refused.status, 503, "who follows now tries again where the host is then: {}", refused.text());

        // The host goes over.
        let (mut there, _site, _other) = another(&world.db).await;
        let (home, both) = (world.gateway.authority(), format!("\"{}\", \"{own}\"", world.gateway.authority()));
        listening(&mut world.gateway, &both, &format!("\"{home}\"")).await;
        taken_in(&there, &file).await.well();
        let twice = taken_in(&there, &file).await;
        assert!(twice.code == 1 && twice.stderr.contains("is here already"), "{}", twice.stderr);
        let home = there.authority();
        listening(&mut there, &format!("listen = [\"{home}\"]"), &format!("listen = [\"{home}\", \"{own}\"]")).await;

        let after = get(&id).await.json();
        for key in ["id", "publicKey", "assertionMethod", "inbox", "outbox", "followers", "preferredUsername", "summary"] {
            assert_eq!(after[key], before[key], "{key}");
        }
        let shown = there.cli(&["actor", "show", MINISTRY, "--json"]).await.well().json();
        assert_eq!((&shown["state"], &shown["followers"]), (&json!("active"), &json!(1)));
        let featured = get(&format!("{id}/featured")).await.json();
        assert_eq!(featured["orderedItems"], json!([object]));
        assert_eq!(get_as(&image, "*/*").await.status, 200, "its pictures came along");
        eventually("the new installation has seen the proof", || async {
            let shown = there.cli(&["actor", "show", MINISTRY, "--json"]).await.well().json();
            (shown["verified"] == json!(true)).then_some(())
        })
        .await;
        // The same client, the same token, the same followers.
        client.writes(&entry("De tweede brief")).await;
        let second = peer.takes("the Create", |a| a.kind() == "Create" && crate::harness::says(a, "De tweede brief")).await;
        assert_eq!((&second.verified, &second.activity["actor"]), (&Ok(()), &json!(id)));
        // What was published before is edited and withdrawn from there, for who got it then.
        let edit = json!({"action": "update", "url": page, "replace": {"content": ["De eerste brief, verbeterd"]}});
        assert!(matches!(client.json(&edit).await.status, 200 | 201 | 204));
        let update = peer.takes("the Update", |a| a.kind() == "Update" && a.activity["object"]["id"] == json!(object)).await;
        assert_eq!(update.verified, Ok(()));
        assert!(matches!(client.json(&json!({"action": "delete", "url": page})).await.status, 200 | 204));
        let delete = peer.takes("the Delete", |a| a.kind() == "Delete" && a.activity["object"]["id"] == json!(object)).await;
        assert_eq!(delete.verified, Ok(()));
        assert_eq!(late.letter(&format!("{id}/inbox"), &late.activity("Follow", id.as_str())).send().await.status, 202);

        assert_eq!(world.db.number("SELECT COUNT(*) FROM activities"), said, "the old installation said nothing more");
        assert_eq!(peer.number(|a| crate::harness::says(a, "Tussen wal en schip")), 0);
        let audit = there.cli(&["audit", "--json"]).await.well().stdout;
        assert!(audit.contains("actor.import"), "{audit}");
    }

    async fn what_was_still_owed_when_an_actor_went_is_sent_by_who_took_it_in(db: Database) {
        let (mut world, root, id) = verified(db).await;
        let own = root.strip_prefix("http://").unwrap().to_owned();
        let peer = Peer::start();
        follows(&peer.account("burger"), &root, &id).await;
        let mut client = Client::named(&world.gateway, "kamerbrieven", &["--scope", "create"]).await;
        client.endpoint = format!("{root}/micropub");
        peer.behaves(crate::harness::Behaviour::Answer(503));
        for text in ["Een", "Twee"] {
            client.json(&entry(text)).await;
        }
        eventually("both are owed", || async {
            let owed = "SELECT COUNT(*) FROM deliveries d JOIN activities a ON a.id = d.activity_id \
                        WHERE a.kind = 'Create' AND d.state = 0";
            (world.db.number(owed) == 2).then_some(())
        })
        .await;
        let file = exported(&world.gateway).await;
        world.gateway.stop().await;
        peer.behaves(crate::harness::Behaviour::Answer(202));
        let (mut there, _site, _other) = another(&world.db).await;
        taken_in(&there, &file).await.well();
        let home = there.authority();
        listening(&mut there, &format!("listen = [\"{home}\"]"), &format!("listen = [\"{home}\", \"{own}\"]")).await;
        for text in ["Een", "Twee"] {
            peer.takes(text, |a| a.taken() && a.kind() == "Create" && crate::harness::says(a, text)).await;
        }
        let order: Vec<String> = peer.taken().iter().filter(|a| a.kind() == "Create").map(|a| a.id().to_owned()).collect();
        let mut sorted = order.clone();
        sorted.sort();
        assert_eq!(order, sorted, "in the order in which they were said");
    }

    async fn nothing_is_handed_over_or_taken_in_where_the_ids_could_not_go_on(db: Database) {
        let (world, root, _) = verified(db).await;
        let secret = passphrase(world.gateway.folder());
        let ours = format!("nieuws@{}", world.gateway.authority());
        let refused = world.gateway.cli(&["export", "actor", &ours, "--to", "/tmp/never", "--passphrase-file", &secret]).await;
        assert_eq!(refused.code, 1);
        assert!(refused.stderr.contains("heraut actor move"), "{}", refused.stderr);
        let state = world.gateway.cli(&["actor", "show", &ours, "--json"]).await.well().json()["state"].clone();
        assert_eq!(state, json!("active"), "nothing was changed");

        let file = exported(&world.gateway).await;
        // It is no backup, and a backup is no actor.
        let empty = Database::new(world.db.kind);
        let elsewhere = world.gateway.elsewhere(&world.db, &empty);
        let restored = elsewhere.cli(&["restore", &file, "--passphrase-file", &secret]).await;
        assert!(restored.code == 1 && restored.stderr.contains("heraut import actor"), "{}", restored.stderr);
        let backup = world.gateway.folder().join("all.backup").to_str().unwrap().to_owned();
        world.gateway.cli(&["backup", "--to", &backup, "--passphrase-file", &secret]).await.well();
        let (there, _site, other) = another(&world.db).await;
        let whole = taken_in(&there, &backup).await;
        assert!(whole.code == 1 && whole.stderr.contains("heraut restore"), "{}", whole.stderr);
        // An agency of that name has another host there.
        there.cli(&["agency", "add", "ministerie", "ministerie.example", "--host", "http://127.0.0.9:9"]).await.well();
        let other_host = taken_in(&there, &file).await;
        assert_eq!(other_host.code, 1);
        assert!(other_host.stderr.contains(&root) && other_host.stderr.contains("heraut actor move"), "{}", other_host.stderr);
        // A damaged file, and a wrong passphrase.
        let bytes = std::fs::read(&file).unwrap();
        let damaged = world.gateway.folder().join("damaged").to_str().unwrap().to_owned();
        std::fs::write(&damaged, &bytes[..bytes.len() - 100]).unwrap();
        assert_eq!(taken_in(&there, &damaged).await.code, 1);
        assert_eq!(other.number("SELECT COUNT(*) FROM actors"), 1, "nothing came in");
        assert_eq!(other.number("SELECT COUNT(*) FROM posts"), 0);

        world.gateway.cli(&["actor", "resume", MINISTRY]).await.well();
        let back = world.gateway.cli(&["actor", "show", MINISTRY, "--json"]).await.well().json();
        assert_eq!(back["state"], json!("active"), "taken back, because nobody took it in");
    }
}
