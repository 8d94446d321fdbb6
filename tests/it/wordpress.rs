//! Real input: the site is a WordPress, the gateway reads its feed or is told by our plugin, and a follower has what was published,
//! edited and withdrawn there.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use image::{ImageFormat, Rgb, RgbImage};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Account, Database, PATIENCE, Peer, both, eventually, get, get_as};
use crate::installation::Installation;

/// A throwaway WordPress; it is stopped with the test, however that ends.
struct WordPress {
    folder: TempDir,
    /// Host and port of the site.
    domain: String,
    feed: String,
}

impl WordPress {
    fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("heraut-wp-").tempdir().unwrap();
        // Made first: what was begun is stopped when the start fails.
        let mut site = Self { folder, domain: String::new(), feed: String::new() };
        let started = site.drive("start", &[]);
        site.domain = format!("127.0.0.1:{}", started["port"]);
        started["feed_url"].as_str().unwrap().clone_into(&mut site.feed);
        site
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("wp")
    }

    /// One command of `tests/cms/wordpress`; what it prints.
    fn drive(&self, command: &str, arguments: &[&str]) -> Value {
        let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cms/wordpress");
        let done = Command::new(driver).arg(command).arg(self.dir()).args(arguments).output().unwrap();
        let problem = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "wordpress {command}: {problem}(tests/install brings what it needs)");
        serde_json::from_slice(&done.stdout).unwrap()
    }

    fn prove(&self, document: &str) {
        std::fs::write(self.dir().join("well-known/heraut-actor.json"), document).unwrap();
    }
}

impl Drop for WordPress {
    fn drop(&mut self) {
        // `start` stops what it began when it fails itself: then there is no site.json, and nothing to stop.
        if self.dir().join("site.json").exists() {
            let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cms/wordpress");
            let stopped = Command::new(driver).arg("stop").arg(self.dir()).output();
            if !stopped.as_ref().is_ok_and(|output| output.status.success()) {
                eprintln!("WordPress in {} was not stopped: {stopped:?}", self.dir().display());
            }
        }
    }
}

/// The secret that plugin and gateway share.
const SECRET: &str = "whsec_dGhlIHNlY3JldCBvZiB0aGUgcGx1Z2luIGluIHRlc3Rz";

/// The source that is polled.
fn read_from(site: &WordPress) -> String {
    format!(
        r#"name = "wordpress"
kind = "feed"
url = "{}"
every = "1s"
policy = {{ retract_on_gone = true, gone_after = "1s", merge_edits = "0s" }}
"#,
        site.feed
    )
}

/// The source that the plugin tells.
fn told_by_plugin() -> String {
    format!(
        r#"name = "website"
kind = "cloudevents"
secret = "{SECRET}"
policy = {{ merge_edits = "0s" }}
"#
    )
}

fn config(site: &WordPress, gateway: &Installation, db: &Database, source: &str) -> String {
    format!(
        r#"[server]
public_url = "http://{listen}"
listen = ["{listen}"]
workers = 1
[database]
url = "{database}"
[net]
allow_addresses = ["127.0.0.0/8"]
[[agency]]
name = "voorbeeldstad"
domain = "{domain}"
[[actor]]
agency = "voorbeeldstad"
handle = "nieuws"
language = "nl"
[[source]]
actor = "nieuws"
{source}"#,
        listen = gateway.address,
        database = db.url,
        domain = site.domain,
    )
}

/// A bridge over water, as a photograph would be.
fn photograph() -> Vec<u8> {
    let shade = |n: u32| u8::try_from(n % 256).unwrap();
    let picture = RgbImage::from_fn(640, 360, |x, y| Rgb([shade(x / 3), shade(y / 2), if y > 200 { 180 } else { 90 }]));
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// Puts the proof on the site, and gives the actor whose it is.
fn prove(site: &WordPress, gateway: &Installation) -> String {
    let proof = gateway.run(&["actor", "proof", "nieuws"]).well();
    site.prove(&proof.stdout);
    let verified = gateway.run(&["actor", "verify", "nieuws"]).well();
    assert!(verified.stdout.contains("holds"), "{verified:?}");
    proof.json()["actors"][0]["actor"].as_str().unwrap().to_owned()
}

async fn follow(citizen: &Account, gateway: &Installation, actor: &str) {
    let follow = citizen.activity("Follow", actor);
    let reply = citizen.letter(&format!("http://{}/ap/inbox", gateway.address), &follow).send().await;
    assert_eq!(reply.status, 202, "{}", reply.text());
    citizen.peer.takes("the Accept", |arrival| arrival.activity["object"]["id"] == follow["id"]).await;
}

/// Waits for the first activity of a type, and asks for a poll each second: WordPress says in its feed that it changes hourly
/// (`sy:updatePeriod`), which scheduled polls respect.
async fn polled_until(gateway: &Installation, peer: &Peer, kind: &str) -> Value {
    let began = Instant::now();
    while peer.count(kind) == 0 {
        assert!(began.elapsed() < PATIENCE, "no {kind} came; what came: {:#?}", peer.arrivals());
        gateway.run(&["source", "poll", "wordpress"]).well();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    peer.takes_a(kind).await.activity
}

both! {
    async fn what_an_editor_publishes_edits_and_trashes_in_wordpress_reaches_the_follower(db: Database) {
        let site = WordPress::start();
        site.drive("publish", &["--title", "Oud nieuws", "--body", "Dit stond er al."]);
        let mut gateway = Installation::new();
        gateway.configure(&config(&site, &gateway, &db, &read_from(&site)));
        let actor = prove(&site, &gateway);
        gateway.serve().await;
        eventually("the first poll", || async {
            (db.number("SELECT COUNT(*) FROM sources WHERE baseline_at IS NOT NULL") == 1).then_some(())
        })
        .await;
        let peer = Peer::start();
        let citizen = peer.account("burger");
        follow(&citizen, &gateway, &actor).await;

        let photograph = photograph();
        let file = gateway.path("brug.png");
        std::fs::write(&file, &photograph).unwrap();
        let article = site.drive("publish", &[
            "--title", "De brug is dicht", "--body", "Tot 18 uur, \"voor onderhoud\" & meer.\n\nRij om.",
            "--image", file.to_str().unwrap(), "--alt", "De \"Lange Brug\" & het water", "--category", "Verkeer en vervoer",
        ]);
        let create = polled_until(&gateway, &peer, "Create").await;
        let note = &create["object"];
        let id = note["id"].as_str().unwrap();
        let content = note["content"].as_str().unwrap();
        for said in ["De brug is dicht", "voor onderhoud", "&amp; meer", article["url"].as_str().unwrap()] {
            assert!(content.contains(said), "`{said}` is not in {content}");
        }
        assert!(!content.contains("Oud nieuws") && !content.contains("<img"), "{content}");
        assert_eq!(note["contentMap"]["nl"], note["content"], "WordPress says that it is Dutch");
        assert_eq!(note["tag"][0]["name"], "#VerkeerEnVervoer", "{note:#}");
        let pictures = note["attachment"].as_array().unwrap();
        assert_eq!(pictures.len(), 1, "{note:#}");
        let picture = &pictures[0];
        assert_eq!(picture["name"], "De \"Lange Brug\" & het water");
        assert_eq!((&picture["width"], &picture["height"], &picture["mediaType"]), (&json!(640), &json!(360), &json!("image/png")));
        let hash = picture["blurhash"].as_str().unwrap();
        assert!(blurhash::decode(hash, 8, 8, 1.0).is_ok_and(|pixels| pixels.len() == 256), "{hash}");
        let place = picture["url"].as_str().unwrap();
        assert!(place.starts_with(&format!("http://{}/media/", gateway.address)), "{place}");
        let served = get_as(place, "image/*").await;
        assert_eq!((served.status, served.header("content-type")), (200, "image/png"));
        let (ours, theirs) = (image::load_from_memory(&served.body).unwrap(), image::load_from_memory(&photograph).unwrap());
        assert_eq!(ours.to_rgb8(), theirs.to_rgb8(), "another picture is served");
        assert_eq!(get(id).await.json()["content"], note["content"]);

        let number = article["id"].to_string();
        site.drive("edit", &[&number, "--title", "De brug is weer open", "--body", "Het onderhoud is klaar."]);
        let update = polled_until(&gateway, &peer, "Update").await;
        assert_eq!(update["object"]["id"], id, "{update:#}");
        let edited = update["object"]["content"].as_str().unwrap();
        assert!(edited.contains("weer open") && edited.contains("is klaar") && !edited.contains("is dicht"), "{edited}");
        assert!(update["object"]["updated"].as_str() > note["published"].as_str(), "{update:#}");

        site.drive("trash", &[&number]);
        let delete = polled_until(&gateway, &peer, "Delete").await;
        assert_eq!((&delete["object"]["id"], &delete["object"]["type"]), (&json!(id), &json!("Tombstone")));
        let gone = get(id).await;
        assert_eq!((gone.status, &gone.json()["type"]), (410, &json!("Tombstone")));

        let kinds: Vec<String> = peer.arrivals().iter().map(|arrival| arrival.kind().to_owned()).collect();
        assert_eq!(kinds, ["Accept", "Create", "Update", "Delete"], "each comes once, and nothing else does");
    }
    async fn what_our_plugin_tells_reaches_the_follower(db: Database) {
        let site = WordPress::start();
        let mut gateway = Installation::new();
        gateway.configure(&config(&site, &gateway, &db, &told_by_plugin()));
        let actor = prove(&site, &gateway);
        gateway.serve().await;
        let peer = Peer::start();
        let citizen = peer.account("burger");
        follow(&citizen, &gateway, &actor).await;

        let plugin = Path::new(env!("CARGO_MANIFEST_DIR")).join("connectors/companions/wordpress/heraut");
        site.drive("plugin", &[plugin.to_str().unwrap()]);
        let settings = json!({"gateway": format!("http://{}/hooks/website", gateway.address), "types": ["post"], "default": true});
        site.drive("option", &["heraut", &settings.to_string()]);
        site.drive("option", &["heraut_secret", &json!({"value": SECRET}).to_string()]);

        let file = gateway.path("brug.png");
        std::fs::write(&file, photograph()).unwrap();
        let article = site.drive("publish", &[
            "--title", "De brug is dicht", "--body", "Tot 18 uur, \"voor onderhoud\" & meer.\n\nRij om.",
            "--image", file.to_str().unwrap(), "--alt", "De \"Lange Brug\" & het water", "--category", "Verkeer en vervoer",
        ]);
        let create = peer.takes_a("Create").await.activity;
        let note = &create["object"];
        let content = note["content"].as_str().unwrap();
        for said in ["De brug is dicht", "voor onderhoud", "&amp; meer", article["url"].as_str().unwrap()] {
            assert!(content.contains(said), "`{said}` is not in {content}");
        }
        assert_eq!(note["contentMap"]["nl"], note["content"], "{note:#}");
        assert_eq!(note["tag"][0]["name"], "#VerkeerEnVervoer", "{note:#}");
        let pictures = note["attachment"].as_array().unwrap();
        assert_eq!(pictures.len(), 1, "the featured image is that of the text: {note:#}");
        assert_eq!(pictures[0]["name"], "De \"Lange Brug\" & het water");

        let number = article["id"].to_string();
        site.drive("edit", &[&number, "--title", "De brug is weer open", "--body", "Het onderhoud is klaar."]);
        let update = peer.takes_a("Update").await.activity;
        assert_eq!(update["object"]["id"], note["id"], "{update:#}");
        assert!(update["object"]["content"].as_str().unwrap().contains("weer open"), "{update:#}");

        site.drive("trash", &[&number]);
        let delete = peer.takes_a("Delete").await.activity;
        assert_eq!((&delete["object"]["id"], &delete["object"]["type"]), (&note["id"], &json!("Tombstone")));
        let kinds: Vec<String> = peer.arrivals().iter().map(|arrival| arrival.kind().to_owned()).collect();
        assert_eq!(kinds, ["Accept", "Create", "Update", "Delete"], "each comes once, and nothing else does");
    }
}
