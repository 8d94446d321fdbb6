//! What a sender is answered: each with its status, as JSON, and never 410.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Cms, Database, Kind, Reply, SECRET, Setup, World, both, eventually, now_s, request, until};

/// As the gateway has it.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// As the gateway has it: requests of a source that wait.
const WAITING_MAX: i64 = 10_000;
/// The gateway waits 10 s for a body.
const BODY_WAIT: Duration = Duration::from_secs(40);

fn data(title: &str) -> Value {
    json!({"id": "1", "title": title})
}

/// A refusal: its status, its code, and that it is JSON.
fn refused(reply: &Reply) -> (u16, String) {
    assert_eq!(reply.header("content-type"), "application/problem+json");
    let problem = reply.json();
    assert_eq!(problem["status"], reply.status);
    assert!(!problem["detail"].as_str().unwrap().is_empty());
    (reply.status, problem["code"].as_str().unwrap().to_owned())
}

fn is(reply: &Reply, status: u16, code: &str) {
    assert_eq!(refused(reply), (status, code.to_owned()), "{}", reply.text());
}

fn with(headers: &[(String, String)], name: &str, value: &str) -> Vec<(String, String)> {
    let mut headers: Vec<_> = headers.iter().filter(|(known, _)| known != name).cloned().collect();
    headers.push((name.to_owned(), value.to_owned()));
    headers
}

fn without(headers: &[(String, String)], name: &str) -> Vec<(String, String)> {
    headers.iter().filter(|(known, _)| known != name).cloned().collect()
}

async fn only_web(db: Database, setup: Setup) -> (World, Cms) {
    let world = World::of_web_alone(db, setup).await;
    let cms = Cms::of(&world.gateway);
    (world, cms)
}

both! {
    async fn a_good_request_is_accepted_with_a_receipt_in_json(db: Database) {
        let (_world, cms) = only_web(db, Cms::setup()).await;
        let reply = cms.push(&cms.event("gepubliceerd", data("Een"))).await;
        assert_eq!((reply.status, reply.header("content-type")), (202, "application/json"));
        assert!(reply.json()["receipt"].as_str().unwrap().parse::<i64>().unwrap() > 0);
        assert_eq!(reply.header("cache-control"), "no-store");
    }

    async fn a_signature_that_is_wrong_missing_or_old_is_401_and_the_operator_sees_why(db: Database) {
        let (world, cms) = only_web(db, Cms::setup()).await;
        let event = cms.event("gepubliceerd", data("Een"));
        let (id, body) = (event["id"].as_str().unwrap().to_owned(), event.to_string());
        let good = cms.headers(&id, now_s(), body.as_bytes());
        let changed = body.replace("Een", "Twee");
        let shown = |part: &'static str| {
            let gateway = &world.gateway;
            async move {
                eventually("the refusal shows", || async {
                    let shown = gateway.cli(&["source", "show", "cms", "--json"]).await.well().json();
                    shown["last_refusal"]["why"].as_str().is_some_and(|why| why.contains(part)).then_some(())
                })
                .await;
            }
        };
        is(&cms.post(&good, changed.as_bytes()).await, 401, "unverified");
        shown("not made with the secret").await;
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        is(&cms.post(&without(&good, "webhook-signature"), body.as_bytes()).await, 401, "unverified");
        shown("webhook-signature is missing").await;
        is(&cms.post(&with(&good, "webhook-signature", "v1,x"), body.as_bytes()).await, 401, "unverified");
        is(&cms.post(&with(&good, "webhook-id", "another"), body.as_bytes()).await, 401, "unverified");
        for at in [now_s() - 3_600, now_s() + 3_600] {
            let reply = cms.post(&cms.headers(&id, at, body.as_bytes()), body.as_bytes()).await;
            is(&reply, 401, "unverified");
            assert_eq!(reply.header("www-authenticate"), "Webhook-Signature");
        }
        assert_eq!(world.db.number("SELECT COUNT(*) FROM hook_deliveries"), 0);
        assert_eq!(cms.post(&good, body.as_bytes()).await.status, 202);
    }

    async fn an_id_that_comes_again_with_another_body_is_409(db: Database) {
        let (world, cms) = only_web(db, Cms::setup()).await;
        let event = cms.event("gepubliceerd", data("Een"));
        assert_eq!(cms.push(&event).await.status, 202);
        let mut other = event.clone();
        other["data"] = data("Twee");
        is(&cms.push(&other).await, 409, "conflict");
        assert_eq!(cms.push(&event).await.status, 200);
        assert_eq!(world.db.number("SELECT COUNT(*) FROM hook_deliveries"), 1);
    }

    async fn what_cannot_be_understood_is_400_with_the_reason(db: Database) {
        let (_world, cms) = only_web(db, Cms::setup()).await;
        let post = async |body: String| cms.post(&cms.headers("x", now_s(), body.as_bytes()), body.as_bytes()).await;
        for (body, reason) in [
            ("".to_owned(), "empty"),
            ("{".to_owned(), "no JSON"),
            ("[]".to_owned(), "object"),
            ("{}".to_owned(), "specversion"),
            (cms.event("gepubliceerd", json!({"title": "Zonder id"})).to_string(), "data.id"),
            (cms.event("gepubliceerd", json!({"id": "1", "embargo": "straks"})).to_string(), "embargo"),
            ("[".repeat(100_000), "no JSON"),
        ] {
            let reply = post(body).await;
            is(&reply, 400, "unreadable");
            assert!(reply.text().contains(reason), "{reason}: {}", reply.text());
        }
    }

    async fn who_is_not_there_or_takes_nothing_is_404_or_403(db: Database) {
        let further = Cms::source("enabled = false").replace("name = \"cms\"", "name = \"rust\"");
        let (world, _) = only_web(db, Cms::setup().further(&further)).await;
        let event = |cms: &Cms| cms.event("gepubliceerd", data("Een"));
        for (name, status, code) in [("niemand", 404, "no-source"), ("rust", 403, "closed"), ("persberichten", 403, "closed")] {
            let cms = Cms::named(&world.gateway, name, SECRET);
            is(&cms.push(&event(&cms)).await, status, code);
        }
        let reply = request("GET", &world.gateway.url("/hooks/cms"), &[], b"").await;
        is(&reply, 405, "method-not-allowed");
        assert_eq!(reply.header("allow"), "POST, OPTIONS");
    }

    async fn another_type_or_coding_is_415_and_the_body_is_not_read(db: Database) {
        let (_world, cms) = only_web(db, Cms::setup()).await;
        let body = cms.event("gepubliceerd", data("Een")).to_string();
        let good = cms.headers("x", now_s(), body.as_bytes());
        for kind in ["text/html", "multipart/form-data; boundary=x", "application/cloudevents+avro"] {
            is(&cms.post(&with(&good, "content-type", kind), body.as_bytes()).await, 415, "media-type");
        }
        is(&cms.post(&without(&good, "content-type"), body.as_bytes()).await, 415, "media-type");
        is(&cms.post(&with(&good, "content-encoding", "gzip"), body.as_bytes()).await, 415, "media-type");
    }

    async fn a_body_at_the_limit_is_taken_and_a_larger_one_is_413(db: Database) {
        let (_world, cms) = only_web(db, Cms::setup()).await;
        let sized = |bytes: usize| {
            let bare = cms.event("gepubliceerd", json!({"id": "1", "title": "x", "html": ""})).to_string();
            let fill = "a".repeat(bytes - bare.len());
            bare.replace("\"html\":\"\"", &format!("\"html\":\"{fill}\""))
        };
        let post = async |body: &str| cms.post(&cms.headers("x", now_s(), body.as_bytes()), body.as_bytes()).await;
        is(&post(&sized(BODY_BYTES_MAX + 1)).await, 413, "too-large");
        assert_eq!(post(&sized(BODY_BYTES_MAX)).await.status, 202);
    }

    async fn a_body_that_lies_about_its_length_is_never_taken(db: Database) {
        let (world, cms) = only_web(db, Cms::setup()).await;
        let body = cms.event("gepubliceerd", data("Een")).to_string();
        let address = world.gateway.authority();
        let send = |length: usize, headers: &[(String, String)], shut: bool| {
            let mut line = TcpStream::connect(&address).unwrap();
            line.set_read_timeout(Some(BODY_WAIT)).unwrap();
            let mut head = format!("POST /hooks/cms HTTP/1.1\r\nhost: {address}\r\ncontent-length: {length}\r\n");
            headers.iter().for_each(|(name, value)| head += &format!("{name}: {value}\r\n"));
            line.write_all((head + "\r\n" + &body).as_bytes()).unwrap();
            if shut {
                line.shutdown(std::net::Shutdown::Write).unwrap();
            }
            let mut answer = vec![0; 2_000];
            let n = line.read(&mut answer).unwrap_or(0);
            String::from_utf8_lossy(&answer[..n]).into_owned()
        };
        let good = cms.headers("x", now_s(), body.as_bytes());
        // It says more than it sends, and closes or waits.
        let closed = send(body.len() + 10, &good, true);
        assert!(closed.is_empty() || closed.starts_with("HTTP/1.1 400"), "{closed}");
        let waited = send(body.len() + 10, &good, false);
        assert!(waited.starts_with("HTTP/1.1 408"), "{waited}");
        // It says less: what was said is not what was signed.
        let cut = send(body.len() - 10, &good, false);
        assert!(cut.starts_with("HTTP/1.1 401"), "{cut}");
        assert_eq!(world.db.number("SELECT COUNT(*) FROM hook_deliveries"), 0);
    }

    async fn who_sends_too_much_is_429_with_a_time_to_come_back(db: Database) {
        let mut setup = Cms::setup();
        setup = setup.further("[hooks]\nper_source = 1");
        let (_world, cms) = only_web(db, setup).await;
        let mut throttled = None;
        for n in 0..30 {
            let reply = cms.push(&cms.event("gepubliceerd", data(&format!("{n}")))).await;
            if reply.status == 429 {
                throttled = Some(reply);
                break;
            }
            assert_eq!(reply.status, 202);
        }
        let reply = throttled.expect("a 429");
        is(&reply, 429, "too-many");
        assert!(reply.header("retry-after").parse::<u32>().unwrap() > 0);
    }

    async fn when_too_many_wait_the_next_one_is_503_and_those_that_wait_are_known(db: Database) {
        let (world, cms) = only_web(db, Cms::setup()).await;
        let count = |n: i64| match world.db.kind {
            Kind::Sqlite => format!(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {n}) SELECT i FROM n"
            ),
            Kind::Postgres => format!("SELECT generate_series(1, {n}) AS i"),
        };
        world.db.execute(&format!(
            "INSERT INTO hook_deliveries (id, source_id, delivery_key, digest, verified_by, headers, body, received_at, due_at) \
             SELECT i, (SELECT id FROM sources WHERE name = 'cms'), 'k' || i, 'd', 'standard', '[]', '', 1, 1 \
             FROM ({}) AS many",
            count(WAITING_MAX - 1)
        ));
        let last = cms.event("gepubliceerd", data("Nog een"));
        assert_eq!(cms.push(&last).await.status, 202);
        let reply = cms.push(&cms.event("gepubliceerd", data("Te veel"))).await;
        is(&reply, 503, "full");
        assert!(reply.header("retry-after").parse::<u32>().unwrap() > 0);
        assert_eq!(cms.push(&last).await.status, 200, "it waits already");
        world.db.execute("UPDATE hook_deliveries SET state = 1 WHERE delivery_key = 'k1'");
        assert_eq!(cms.push(&cms.event("gepubliceerd", data("Past weer"))).await.status, 202);
    }

    async fn what_cannot_be_stored_is_503_and_taken_when_it_can(db: Database) {
        let (world, cms) = only_web(db, Cms::setup()).await;
        let event = cms.event("gepubliceerd", data("Een"));
        world.db.execute("ALTER TABLE hook_deliveries RENAME TO hook_deliveries_away");
        let reply = cms.push(&event).await;
        is(&reply, 503, "later");
        assert_eq!(reply.header("retry-after"), "30");
        world.db.execute("ALTER TABLE hook_deliveries_away RENAME TO hook_deliveries");
        assert_eq!(cms.push(&event).await.status, 202);
    }

    async fn the_handshake_of_cloudevents_is_answered(db: Database) {
        let (world, cms) = only_web(db, Cms::setup()).await;
        let headers = [("webhook-request-origin", "cms.voorbeeldstad.example"), ("webhook-request-rate", "120")];
        let reply = request("OPTIONS", cms.url(), &headers, b"").await;
        assert_eq!((reply.status, reply.header("allow")), (204, "POST, OPTIONS"));
        assert_eq!(reply.header("webhook-allowed-origin"), "cms.voorbeeldstad.example");
        assert_eq!(reply.header("webhook-allowed-rate"), "120");
        let reply = request("OPTIONS", cms.url(), &headers[..1], b"").await;
        assert_eq!(reply.header("webhook-allowed-rate"), "*");
        let reply = request("OPTIONS", &world.gateway.url("/hooks/niemand"), &headers, b"").await;
        is(&reply, 404, "no-source");
    }

    async fn requests_that_come_at_once_are_all_accepted_in_few_transactions(db: Database) {
        let (world, cms) = only_web(db, Cms::setup()).await;
        let events: Vec<Value> = (0..60).map(|n| cms.event("gepubliceerd", data(&n.to_string()))).collect();
        let replies = futures::future::join_all(events.iter().map(|event| cms.push(event))).await;
        assert!(replies.iter().all(|reply| reply.status == 202));
        // The same event many times at once is taken once.
        let event = cms.event("gepubliceerd", data("nog een"));
        let replies = futures::future::join_all((0..20).map(|_| cms.push(&event))).await;
        assert_eq!(replies.iter().filter(|reply| reply.status == 202).count(), 1);
        assert!(replies.iter().all(|reply| matches!(reply.status, 200 | 202)));
        until("all are there", || world.db.number("SELECT COUNT(*) FROM hook_deliveries") == 61).await;
    }
}
