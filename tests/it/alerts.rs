//! Warnings: alerts that are pushed, and lists of alerts that are read. Only what is real goes out, before all other posts.

use std::sync::LazyLock;

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use serde_json::Value;

use crate::harness::{Database, Reply, Setup, Site, World, both, eventually, get, request, until};

const SECRET: &str = "het-geheim-van-de-weerdienst";
const POLICY: &str = "[source.policy]\ncrisis = true\nmerge_edits = \"0s\"\n[source.compose]\nbody = \"full\"\n";

/// An alert as CAP has it. `of` are the identifiers of earlier ones.
struct Alert<'a> {
    id: &'a str,
    status: &'a str,
    kind: &'a str,
    of: &'a [&'a str],
    title: &'a str,
}

impl Default for Alert<'_> {
    fn default() -> Self {
        Self { id: "a", status: "Actual", kind: "Alert", of: &[], title: "Code geel" }
    }
}

/// The first of them was sent then.
static BEGAN: LazyLock<DateTime<Utc>> = LazyLock::new(|| Utc::now() - Duration::hours(2));

/// When an alert was sent: each a minute after the one before, by the last letter of its identifier.
fn sent(id: &str) -> String {
    let minutes = i64::from(id.bytes().last().unwrap_or(b'a').saturating_sub(b'a'));
    (*BEGAN + Duration::minutes(minutes)).to_rfc3339_opts(SecondsFormat::Secs, true)
}

impl Alert<'_> {
    fn xml(&self) -> String {
        let Alert { id, status, kind, of, title } = self;
        let of: Vec<String> = of.iter().map(|id| format!("weer@weerdienst.example,{id},{}", sent(id))).collect();
        let references =
            if of.is_empty() { String::new() } else { format!("<references>{}</references>", of.join(" ")) };
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><alert xmlns=\"urn:oasis:names:tc:emergency:cap:1.2\">\
             <identifier>{id}</identifier><sender>weer@weerdienst.example</sender><sent>{}</sent><status>{status}</status>\
             <msgType>{kind}</msgType><scope>Public</scope>{references}<info><language>nl</language><event>Gladheid</event>\
             <severity>Severe</severity><headline>{title}</headline><description>Het is glad in {title}.</description>\
             <area><areaDesc>Utrecht</areaDesc></area></info></alert>",
            sent(id)
        )
    }

    /// Its entry in an Atom list, which leads to the whole at `/<id>.xml`.
    fn entry(&self) -> String {
        let Alert { id, status, kind, title, .. } = self;
        format!(
            "<entry><id>urn:{id}</id><title>{title}</title><updated>{at}</updated>\
             <link type=\"application/cap+xml\" href=\"/{id}.xml\"/><cap:identifier>{id}</cap:identifier>\
             <cap:sent>{at}</cap:sent><cap:status>{status}</cap:status><cap:message_type>{kind}</cap:message_type>\
             <cap:scope>Public</cap:scope><cap:event>{title}</cap:event><cap:severity>Severe</cap:severity>\
             <cap:areaDesc>Utrecht</cap:areaDesc></entry>",
            at = sent(id)
        )
    }
}

async fn push(world: &World, alert: &Alert<'_>) -> Reply {
    let headers = [("content-type", "application/cap+xml"), ("authorization", SECRET)];
    let reply = request("POST", &world.gateway.url("/hooks/weer"), &headers, alert.xml().as_bytes()).await;
    assert_eq!(reply.status, 202, "{}", reply.text());
    reply
}

/// Waits until a pushed alert is dealt with; what came of it.
async fn outcome(world: &World, reply: &Reply) -> String {
    let receipt = reply.json()["receipt"].clone();
    let line = eventually("the alert is dealt with", || async {
        let told = world.gateway.cli(&["source", "deliveries", "weer", "--json"]).await.well().json();
        let done = |line: &&Value| line["receipt"] == receipt && line["state"] != "waiting";
        told.as_array().unwrap().iter().find(done).cloned()
    })
    .await;
    format!("{} {}", line["state"].as_str().unwrap(), line["outcome"].as_str().unwrap_or_default())
}

fn object(arrival: &crate::harness::Arrival) -> String {
    arrival.activity["object"]["id"].as_str().unwrap().to_owned()
}

fn list(site: &Site, alerts: &[Alert<'_>]) {
    let entries: String = alerts.iter().map(Alert::entry).collect();
    let feed = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><feed xmlns=\"http://www.w3.org/2005/Atom\" \
         xmlns:cap=\"urn:oasis:names:tc:emergency:cap:1.2\"><id>urn:weer</id><title>Weer</title>\
         <updated>{}</updated>{entries}</feed>",
        Utc::now().to_rfc3339()
    );
    for alert in alerts {
        site.answer(&format!("/{}.xml", alert.id), Reply::ok("application/cap+xml", alert.xml()));
    }
    site.answer("/weer.atom", Reply::ok("application/atom+xml", feed));
}

fn crisis(db: &Database) -> i64 {
    db.number("SELECT COUNT(*) FROM posts WHERE lane = 0")
}

both! {
    async fn an_alert_that_is_pushed_is_published_updated_and_cancelled_in_the_lane_of_a_crisis(db: Database) {
        let source = format!("[[source]]\nname = \"weer\"\nactor = \"nieuws\"\nkind = \"cap-webhook\"\nsecret = \"{SECRET}\"\n{POLICY}");
        let world = World::with(db, Setup::new().further(&source)).await;
        for status in ["Test", "Exercise", "System", "Draft"] {
            let id = format!("x{status}");
            let reply = push(&world, &Alert { id: &id, status, title: status, ..Alert::default() }).await;
            let came = outcome(&world, &reply).await;
            assert!(came.starts_with("ignored") && came.contains(status), "{came}");
        }
        push(&world, &Alert { id: "a", title: "Code geel", ..Alert::default() }).await;
        let note = object(&world.created("Code geel").await);
        assert_eq!(crisis(&world.db), 1, "it goes before all other posts");

        push(&world, &Alert { id: "b", kind: "Update", of: &["a"], title: "Code rood", ..Alert::default() }).await;
        let update = world.told("Update", &note, 1).await;
        assert!(update.activity["object"]["content"].as_str().unwrap().contains("Code rood"));
        // A test of a cancellation withdraws nothing.
        let test = push(&world, &Alert { id: "c", status: "Test", kind: "Cancel", of: &["b"], title: "Proef" }).await;
        assert!(outcome(&world, &test).await.starts_with("ignored"));
        push(&world, &Alert { id: "d", kind: "Cancel", of: &["a", "b"], title: "Voorbij", ..Alert::default() }).await;
        world.told("Delete", &note, 1).await;
        assert_eq!(get(&note).await.status, 410);

        let counts = ["Create", "Update", "Delete"].map(|kind| world.peer.count(kind));
        assert_eq!(counts, [1, 1, 1], "an Update is never a second post, and a test is nothing");
    }

    async fn what_is_no_alert_is_refused_and_of_another_kind_xml_is_not_taken(db: Database) {
        let source = format!("[[source]]\nname = \"weer\"\nactor = \"nieuws\"\nkind = \"cap-webhook\"\nsecret = \"{SECRET}\"\n");
        let setup = Setup::new().further(&source).further(&crate::harness::Cms::source(""));
        let world = World::unfollowed(db, setup).await;
        let post = |path: &'static str, secret: &'static str, body: String| {
            let url = world.gateway.url(path);
            async move {
                let headers = [("content-type", "application/cap+xml"), ("authorization", secret)];
                request("POST", &url, &headers, body.as_bytes()).await
            }
        };
        let alert = Alert::default().xml();
        assert_eq!(post("/hooks/weer", "een-ander-geheim-dan-dat", alert.clone()).await.status, 401);
        assert_eq!(post("/hooks/weer", SECRET, alert[..alert.len() / 2].to_owned()).await.status, 400);
        assert_eq!(post("/hooks/weer", SECRET, "<html><body>Inloggen</body></html>".to_owned()).await.status, 400);
        assert_eq!(post("/hooks/cms", SECRET, alert).await.status, 415);
        assert_eq!(world.db.number("SELECT COUNT(*) FROM items WHERE content LIKE '%Gladheid%'"), 0);
    }

    async fn of_a_list_of_alerts_only_the_real_ones_are_published_updated_and_cancelled(db: Database) {
        let site = Site::start();
        list(&site, &[Alert { id: "a", title: "Stond er al", ..Alert::default() }]);
        let url = site.url("/weer.atom");
        let source = format!(
            "[[source]]\nname = \"weer\"\nactor = \"nieuws\"\nkind = \"cap\"\nurl = \"{url}\"\nevery = \"1s\"\n{POLICY}"
        );
        let world = World::with(db, Setup::new().further(&source)).await;
        let baseline = "SELECT COUNT(*) FROM sources WHERE name = 'weer' AND baseline_at IS NOT NULL";
        until("the baseline is there", || world.db.number(baseline) == 1).await;

        let new = || Alert { id: "b", title: "Code oranje", ..Alert::default() };
        let exercise = || Alert { id: "c", status: "Exercise", title: "Oefening", ..Alert::default() };
        let test = || Alert { id: "d", status: "Test", title: "Proef", ..Alert::default() };
        list(&site, &[new(), exercise(), test()]);
        let note = object(&world.created("Code oranje").await);
        list(&site, &[new(), exercise(), test(), Alert { id: "e", kind: "Update", of: &["b"], title: "Code rood", ..Alert::default() }]);
        let update = world.told("Update", &note, 1).await;
        assert!(update.activity["object"]["content"].as_str().unwrap().contains("Code rood"));
        list(&site, &[Alert { id: "f", kind: "Cancel", of: &["b", "e"], title: "Voorbij", ..Alert::default() }]);
        world.told("Delete", &note, 1).await;

        let counts = ["Create", "Update", "Delete"].map(|kind| world.peer.count(kind));
        assert_eq!(counts, [1, 1, 1], "exercises and tests are nothing, and an Update is no second post");
        assert_eq!(crisis(&world.db), 1);
        let all = "SELECT COUNT(*) FROM items WHERE content LIKE '%Oefening%' OR content LIKE '%Proef%'";
        assert_eq!(world.db.number(all), 0, "they are not even stored");
    }
}
