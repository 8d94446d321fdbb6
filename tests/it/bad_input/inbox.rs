//! What may come to an inbox that is not to be believed, or not even to be read.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Account, Gateway, Key, Letter, Reply, Setup, World, both, get_as, request};

const INBOX_BODY_BYTES_MAX: usize = 1024 * 1024;
const DAY: Duration = Duration::from_secs(86_400);
/// More than the time that a body may take to arrive.
const BODY_WAIT: Duration = Duration::from_secs(40);

/// What is sent, what is answered, and the words that say why.
type Case = (&'static str, Letter, u16, &'static [&'static str]);

/// A letter with another body, signed as it is.
fn written(citizen: &Account, inbox: &str, body: impl Into<Vec<u8>>) -> Letter {
    let body = body.into();
    let digest = format!("SHA-256={}", base64(&body));
    Letter { digest, body, ..citizen.letter(inbox, &json!({})) }
}

fn base64(body: &[u8]) -> String {
    use ::base64::Engine as _;
    ::base64::engine::general_purpose::STANDARD.encode(openssl::sha::sha256(body))
}

/// A note with so many bytes in all.
fn of_size(citizen: &Account, bytes: usize) -> Vec<u8> {
    let mut activity = citizen.create(&citizen.note("<p>Groot.</p>"));
    activity["padding"] = json!("");
    let bare = activity.to_string().len();
    activity["padding"] = json!("x".repeat(bytes - bare));
    activity.to_string().into_bytes()
}

/// A Create that mentions the actor.
fn mention(citizen: &Account, actor: &str, text: &str) -> Value {
    let mut note = citizen.note(text);
    note["cc"] = json!([actor]);
    citizen.create(&note)
}

/// Signatures that do not hold, and bodies that are not even read.
fn unreadable(citizen: &Account, actor: &str, inbox: &str) -> Vec<Case> {
    let good = |text: &str| citizen.letter(inbox, &mention(citizen, actor, text));
    let tampered = good("<p>Ik vind dit goed.</p>");
    let tampered_body = String::from_utf8(tampered.body.clone()).unwrap().replace("goed", "slecht").into_bytes();
    let other = citizen.peer.account("ander");
    let borrowed = other.letter(inbox, &mention(citizen, actor, "<p>Namens een ander.</p>"));
    let bytes = |body: &[u8]| written(citizen, inbox, body);
    let deep =
        |levels: usize| format!("{{\"type\":\"Create\",\"object\":{}1{}}}", "[".repeat(levels), "]".repeat(levels));
    let no_json = &["not a JSON object"][..];
    let too_deep = &["nested deeper than 32"][..];
    vec![
        ("unsigned", Letter { signed: false, ..good("<p>Anoniem.</p>") }, 401, &["not signed"]),
        ("stale", good("<p>Oud.</p>").aged(2 * DAY), 401, &["hour", "clock"]),
        ("tampered", Letter { body: tampered_body, ..tampered }, 401, &["Digest"]),
        ("by another key", Letter { key: Key::OTHER, ..good("<p>Niet van mij.</p>") }, 401, &["does not verify"]),
        ("by another actor", borrowed, 401, &["signed it"]),
        ("too large", bytes(&of_size(citizen, INBOX_BODY_BYTES_MAX + 1)), 413, &["1048576"]),
        ("no JSON", bytes(b"<html>hallo</html>"), 400, no_json),
        ("a list", bytes(b"[1, 2]"), 400, no_json),
        ("empty", bytes(b""), 400, no_json),
        ("cut short", bytes(b"{\"type\":\"Create\","), 400, no_json),
        ("no UTF-8", bytes(b"{\"type\":\"\xff\xfe\"}"), 400, no_json),
        ("deep", bytes(deep(32).as_bytes()), 400, too_deep),
        ("absurdly deep", bytes(deep(400_000).as_bytes()), 400, too_deep),
        ("absurdly deep and never closed", bytes("[".repeat(900_000).as_bytes()), 400, too_deep),
    ]
}

/// Activities whose signature holds, and that say what their sender may not say.
fn presumptuous(citizen: &Account, actor: &str, inbox: &str) -> Vec<Case> {
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut activity = mention(citizen, actor, "<p>Met een wijziging.</p>");
        change(&mut activity);
        citizen.letter(inbox, &activity)
    };
    let keyword =
        |key: &str| changed(&|activity| activity[key] = json!([mention(citizen, actor, "<p>Verborgen.</p>")]));
    let without = |key: &str| changed(&|activity| drop(activity.as_object_mut().unwrap().remove(key)));
    let renamed = changed(&|activity| {
        activity["@context"] = json!(["https://www.w3.org/ns/activitystreams", { "verborgen": "@graph" }]);
    });
    let foreign_id = changed(&|activity| activity["id"] = json!("https://elders.example/activities/1"));
    let other = citizen.peer.account("ander");
    let in_the_mouth = changed(&|activity| activity["object"]["attributedTo"] = json!(other.id));
    vec![
        ("@graph", keyword("@graph"), 400, &["@graph"]),
        ("@included", keyword("@included"), 400, &["@included"]),
        ("@reverse", keyword("@reverse"), 400, &["@reverse"]),
        ("@graph by another name", renamed, 400, &["@graph"]),
        ("without a type", without("type"), 400, &["type"]),
        ("without an actor", without("actor"), 400, &["actor"]),
        ("without an object", without("object"), 400, &["object"]),
        ("an id of another host", foreign_id, 403, &["is not on the host"]),
        ("an object that somebody else wrote", in_the_mouth, 403, &["did not send it"]),
    ]
}

/// Sends what was signed, but for one header and the body.
async fn send_changed(letter: &Letter, header: &str, value: &str, body: &[u8]) -> Reply {
    let headers = letter.headers();
    let changed =
        |(name, old): &(&'static str, String)| (*name, if *name == header { value.to_owned() } else { old.clone() });
    let headers: Vec<(&str, String)> = headers.iter().map(changed).collect();
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    request("POST", &letter.inbox, &headers, body).await
}

/// What is refused says why, to whoever sent it, and nothing about us.
fn check(name: &str, reply: &Reply, status: u16, words: &[&str]) {
    assert_eq!(reply.status, status, "{name}: {}", reply.text());
    assert_eq!(reply.header("content-type"), "application/problem+json", "{name}: {}", reply.text());
    let detail = reply.json()["detail"].as_str().unwrap().to_owned();
    assert!(words.iter().all(|word| detail.contains(word)), "{name}: `{detail}` does not say {words:?}");
}

async fn messages(gateway: &Gateway) -> Vec<Value> {
    gateway.cli(&["message", "list", "--json"]).await.well().json().as_array().unwrap().clone()
}

both! {
    async fn what_is_spoilt_is_refused_with_the_reason_and_leaves_nothing(db: Database) {
        let world = World::new(db).await;
        let (gateway, citizen) = (&world.gateway, &world.citizen);
        let before = world.peer.arrivals().len();
        for inbox in ["/ap/inbox".to_owned(), gateway.actor().replace(&gateway.url(""), "") + "/inbox"] {
            let (actor, url) = (gateway.actor(), gateway.url(&inbox));
            let all = unreadable(citizen, &actor, &url).into_iter().chain(presumptuous(citizen, &actor, &url));
            for (name, letter, status, words) in all {
                check(&format!("{name} to {inbox}"), &letter.send().await, status, words);
            }
        }
        // What was signed is sent with another body and the digest that fits it, another date, for another host.
        let good = mention(citizen, &gateway.actor(), "<p>Ik vind dit goed.</p>");
        let letter = citizen.letter(&gateway.url("/ap/inbox"), &good);
        let forged = String::from_utf8(letter.body.clone()).unwrap().replace("goed", "slecht").into_bytes();
        let reply = send_changed(&letter, "digest", &format!("SHA-256={}", base64(&forged)), &forged).await;
        check("another body and its digest", &reply, 401, &["does not verify"]);
        let later = citizen.letter(&letter.inbox, &json!({})).aged(Duration::from_secs(60)).date;
        check("another date", &send_changed(&letter, "date", &later, &letter.body).await, 401, &["does not verify"]);
        assert_eq!(send_changed(&letter, "host", "elders.example", &letter.body).await.status, 421);
        assert_eq!(messages(gateway).await, Vec::<Value>::new());
        assert_eq!(world.peer.arrivals().len(), before, "something was answered to");
        assert_eq!(letter.send().await.status, 202, "the same letter as it was signed");

        // What is as large as may be is taken; what is of a type that nobody knows is taken and ignored.
        let large = written(citizen, &gateway.url("/ap/inbox"), of_size(citizen, INBOX_BODY_BYTES_MAX));
        assert_eq!(large.send().await.status, 202);
        let reply = citizen.send(gateway, &citizen.activity("Dance", "https://elders.example/polka")).await;
        assert_eq!(reply.status, 202, "{}", reply.text());
        citizen.says(gateway, &mention(citizen, &gateway.actor(), "<p>Nog steeds welkom.</p>")).await;
        let kept = messages(gateway).await;
        let texts: Vec<&str> = kept.iter().map(|message| message["html"].as_str().unwrap()).collect();
        assert_eq!(texts, ["<p>Nog steeds welkom.</p>", "<p>Ik vind dit goed.</p>"], "newest first");
        world.published("verder", "Het gaat door").await;
    }

    async fn what_comes_in_another_wrapping_is_not_read(db: Database) {
        let world = World::unfollowed(db, Setup::new()).await;
        let (gateway, citizen) = (&world.gateway, &world.citizen);
        let packed = mention(citizen, &gateway.actor(), "<p>In een andere verpakking.</p>");
        let letter = citizen.letter(&gateway.url("/ap/inbox"), &packed);
        for kind in ["application/json", "text/html", "multipart/form-data; boundary=x", "application/ld+json", ""] {
            let wrapped = Letter { content_type: kind.to_owned(), ..letter.clone() };
            check(kind, &wrapped.send().await, 415, &["application/activity+json"]);
        }
        let headers = letter.headers();
        let mut headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        headers.push(("content-encoding", "gzip"));
        let packed = request("POST", &letter.inbox, &headers, &letter.body).await;
        check("gzip", &packed, 415, &["Content-Encoding"]);
        for method in ["PUT", "DELETE", "PATCH"] {
            assert_eq!(request(method, &letter.inbox, &[], b"").await.status, 405, "{method}");
        }
        assert_eq!(messages(gateway).await, Vec::<Value>::new());
        assert_eq!(letter.send().await.status, 202, "the same letter in its own wrapping");
        assert_eq!(messages(gateway).await.len(), 1);
    }

    async fn noise_and_dawdling_on_the_line_end_that_line_alone(db: Database) {
        let world = World::unfollowed(db, Setup::new()).await;
        let gateway = &world.gateway;
        let address = gateway.authority();
        for noise in [&b"\x16\x03\x01\x02\x00\x01\x00"[..], b"GET / HTTP/9.9\r\n\r\n", b"hallo\r\n\r\n", &[b'A'; 300_000]] {
            let mut line = TcpStream::connect(&address).unwrap();
            line.set_read_timeout(Some(BODY_WAIT)).unwrap();
            let _ = line.write_all(noise);
            let mut answer = Vec::new();
            let _ = line.read_to_end(&mut answer);
            let answer = String::from_utf8_lossy(&answer).into_owned();
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
        }
        let dawdle = std::thread::spawn(move || {
            let mut line = TcpStream::connect(&address).unwrap();
            line.set_read_timeout(Some(BODY_WAIT)).unwrap();
            let head = "POST /ap/inbox HTTP/1.1\r\nhost: HOST\r\ncontent-type: application/activity+json\r\n\
                        content-length: 100\r\n\r\n{\"type\":";
            line.write_all(head.replace("HOST", &address).as_bytes()).unwrap();
            let mut answer = [0; 64];
            let read = line.read(&mut answer).unwrap();
            String::from_utf8_lossy(&answer[..read]).into_owned()
        });
        assert_eq!(get_as(&gateway.url("/health/ready"), "*/*").await.status, 200, "others wait for who dawdles");
        let answer = tokio::task::spawn_blocking(move || dawdle.join().unwrap()).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert_eq!(get_as(&gateway.url("/health/ready"), "*/*").await.status, 200);
    }
}
