//! A real hub (`tests/hub`) between a site and the gateway: the site publishes and pings, the hub fetches and delivers, a follower
//! gets it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};

use serde_json::Value;

use crate::harness::{Database, FEED, Peer, Setup, Site, World, both, eventually, request, until};
use crate::installation::Killed;

const WAY_OUT: &str = "run tests/install, or: tests/hub/hub.py --install";

/// The hub; it ends with the test.
struct Hub {
    // Closed first: the hub ends when its standard input does.
    _stdin: ChildStdin,
    _child: Killed,
    url: String,
}

impl Hub {
    /// Starts it, and waits until it answers. It signs by that method.
    fn start(signature: &str) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hub/hub.py");
        let mut command = Command::new(script);
        let mut child =
            command.env("HUB_SIGNATURE", signature).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let child = Killed(child);
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let ready: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line}: {e}; {WAY_OUT}"));
        Self { _stdin: stdin, _child: child, url: ready["url"].as_str().unwrap().to_owned() }
    }

    /// The site tells it that the feed changed.
    async fn ping(&self, topic: &str) {
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("hub.mode", "publish")
            .append_pair("hub.topic", topic)
            .finish();
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let reply = request("POST", &self.url, &headers, form.as_bytes()).await;
        assert_eq!(reply.status, 202, "{}", reply.text());
    }
}

/// A world whose site has that hub, subscribed to, and is polled by nobody else.
async fn world(db: Database, hub: &Hub) -> World {
    let (site, peer) = (Site::start(), Peer::start());
    names(&site, &hub.url);
    let gateway = Setup::new().every("1h").start(&db, &site).await;
    let citizen = peer.account("burger");
    citizen.follows(&gateway).await;
    let world = World { gateway, site, peer, citizen, db };
    is(&world, "live").await;
    world
}

fn names(site: &Site, hub: &str) {
    site.names(Some(&format!("<{hub}>; rel=\"hub\", <{}>; rel=\"self\"", site.url(FEED))), "");
}

async fn shown(world: &World) -> Value {
    world.gateway.cli(&["source", "show", "persberichten", "--json"]).await.well().json()["websub"].clone()
}

async fn is(world: &World, state: &str) {
    eventually(&format!("the subscription is {state}"), || async {
        (shown(world).await["state"] == state).then_some(())
    })
    .await;
}

both! {
    async fn what_the_site_publishes_and_edits_comes_by_a_real_hub(db: Database) {
        let hub = Hub::start("sha512");
        let world = world(db, &hub).await;
        let polls = world.site.requests(FEED).len();
        world.site.publish("dijk", "De dijk houdt stand.", "<p>Het water zakt.</p>");
        hub.ping(&world.site.url(FEED)).await;
        let object = world.created("De dijk houdt stand.").await.activity["object"]["id"].as_str().unwrap().to_owned();
        world.site.edit("dijk", |article| article.title = "De dijk houdt goed stand.".to_owned());
        hub.ping(&world.site.url(FEED)).await;
        world.told("Update", &object, 1).await;
        let told = shown(&world).await;
        assert_eq!((told["deliveries"].as_i64(), told["refusals"].as_i64()), (Some(2), Some(0)), "{told}");
        assert_eq!(world.site.requests(FEED).len(), polls + 2, "the hub fetched twice, and the gateway did not");

        // It lets itself be renewed, and left.
        let lease = "SELECT COALESCE(MAX(holds_until), 0) FROM websub_subscriptions";
        let before = world.db.number(lease);
        world.db.execute("UPDATE websub_subscriptions SET due_at = 0");
        until("it was renewed", || world.db.number(lease) > before).await;
        world.site.names(None, "");
        assert_eq!(world.gateway.cli(&["source", "poll", "persberichten"]).await.code, 0);
        is(&world, "over").await;
        assert_eq!((world.peer.count("Create"), world.peer.count("Update")), (1, 1));
    }

    async fn a_real_hub_may_sign_by_any_method_of_the_standard(db: Database) {
        let hubs = ["sha1", "sha256", "sha384"].map(|method| (method, Hub::start(method)));
        let mut world = world(db, &hubs[0].1).await;
        for (n, (method, hub)) in hubs.iter().enumerate() {
            names(&world.site, &hub.url);
            if n > 0 {
                assert_eq!(world.gateway.cli(&["source", "poll", "persberichten"]).await.code, 0);
                eventually("it is subscribed to the other hub", || async {
                    let told = shown(&world).await;
                    (told["hub"] == hub.url.as_str() && told["state"] == "live").then_some(())
                })
                .await;
            }
            let title = format!("Ondertekend met {method}.");
            world.site.publish(method, &title, "<p>Nieuws.</p>");
            hub.ping(&world.site.url(FEED)).await;
            world.created(&title).await;
        }
        // What a hub sends to a gateway that is away for a moment, it sends again.
        let (_, last) = &hubs[2];
        world.gateway.kill9();
        world.site.publish("weg", "De gateway was weg.", "<p>Nieuws.</p>");
        last.ping(&world.site.url(FEED)).await;
        world.gateway.restart().await;
        world.created("De gateway was weg.").await;
        assert_eq!(world.db.number("SELECT COUNT(*) FROM posts"), 4);
    }
}
