//! What is not taken, and what a load does: points 38 to 44.

use std::time::Duration;

use futures::StreamExt as _;
use serde_json::{Value, json};

use super::on_sqlite;
use crate::fairness::rows;
use crate::harness::{
    ACTIVITY, Account, Gateway, Key, Letter, Peer, Reply, Setup, Shared, World, both, get, looks, request, says, told,
    until,
};

/// An activity that is taken and does nothing: what is refused of it is refused for its form.
pub fn harmless(account: &Account) -> Value {
    account.activity("View", "https://elders.example/1")
}

pub fn letter(account: &Account, gateway: &Gateway) -> Letter {
    account.letter(&gateway.url("/ap/inbox"), &harmless(account))
}

pub async fn refused(letter: &Letter, statuses: &[u16], why: &str) {
    let reply = letter.send().await;
    assert!(statuses.contains(&reply.status), "{why}: {} {}", reply.status, reply.text());
    assert_ne!(reply.status, 410, "{why}: peers would take the whole host for gone");
    let problem = reply.json();
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{why}: {problem}");
}

/// Sends an activity that must be refused for what it says.
pub async fn not_believed(account: &Account, gateway: &Gateway, activity: &Value, why: &str) {
    refused(&account.letter(&gateway.url("/ap/inbox"), activity), &[401, 403], why).await;
}

/// Unsigned, another digest, too old, another key, not all covered, for another inbox.
async fn not_signed_well_is_401(shared: &Shared) {
    let gateway = &shared.world.gateway;
    let sender = Peer::start().account("afzender");
    let good = letter(&sender, gateway);
    assert_eq!(good.send().await.status, 202, "the letter itself is good");
    let hour = Duration::from_secs(3_600);
    let mut ahead = good.clone();
    ahead.date = heraut::time::Timestamp(chrono::Utc::now().timestamp_millis()).after(hour * 2).to_http_date();
    let without = |name: &str| {
        let covered = good.covered.iter().copied().filter(|n| *n != name).collect();
        Letter { covered, ..good.clone() }
    };
    let mut tampered = good.clone();
    tampered.body.extend(b" ");
    let table = [
        ("unsigned", Letter { signed: false, ..good.clone() }),
        ("stale", good.clone().aged(hour * 2)),
        ("from the future", ahead),
        ("another body than the digest", tampered),
        (
            "the digest of something else",
            Letter { digest: "SHA-256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".to_owned(), ..good.clone() },
        ),
        ("another key", Letter { key: Key::OTHER, ..good.clone() }),
        ("the digest not covered", without("digest")),
        ("the target not covered", without("(request-target)")),
        ("the date not covered", without("date")),
        ("the host not covered", without("host")),
    ];
    for (why, letter) in &table {
        refused(letter, &[401], why).await;
    }
    let other_inbox = Letter { inbox: format!("{}/inbox", gateway.actor()), ..good.clone() };
    assert_eq!(other_inbox.send().await.status, 202);
    let headers = good.headers();
    let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let replayed = request("POST", &format!("{}/inbox", gateway.actor()), &headers, &good.body).await;
    assert_eq!(replayed.status, 401, "signed for another inbox");
}

/// 413, and 406 or 415.
async fn too_large_or_of_another_type(shared: &Shared) {
    let gateway = &shared.world.gateway;
    let sender = Peer::start().account("afzender");
    let mut long = harmless(&sender);
    long["content"] = json!("x".repeat(1024 * 1024));
    refused(&sender.letter(&gateway.url("/ap/inbox"), &long), &[413], "1 MiB and more").await;
    for media_type in ["application/json", "text/plain", "application/ld+json", "multipart/form-data"] {
        let other = Letter { content_type: media_type.to_owned(), ..letter(&sender, gateway) };
        refused(&other, &[406, 415], media_type).await;
    }
    for media_type in [
        "application/ld+json; profile=\"https://www.w3.org/ns/activitystreams\"",
        "application/activity+json; charset=utf-8",
    ] {
        let good = Letter { content_type: media_type.to_owned(), ..letter(&sender, gateway) };
        assert_eq!(good.send().await.status, 202, "{media_type}");
    }
    let nobody = Letter { inbox: gateway.url("/ap/a/1/inbox"), ..letter(&sender, gateway) };
    refused(&nobody, &[404], "the inbox of nobody").await;
    let read = get(&gateway.url("/ap/inbox")).await;
    assert_eq!(read.status, 405);
}

/// No JSON, too deep, without what it needs.
async fn malformed_is_400(shared: &Shared) {
    let sender = Peer::start().account("afzender");
    let inbox = shared.world.gateway.url("/ap/inbox");
    let deep = format!("{}1{}", "[".repeat(40), "]".repeat(40));
    let deep = format!("{{\"type\":\"View\",\"actor\":\"{}\",\"object\":{deep}}}", sender.id);
    let mut untyped = harmless(&sender);
    untyped.as_object_mut().unwrap().remove("type");
    let no_object = json!({ "id": sender.fresh("a"), "type": "Follow", "actor": sender.id });
    let bodies = ["no JSON".to_owned(), "[]".to_owned(), deep, untyped.to_string(), no_object.to_string()];
    for body in bodies {
        let mut letter = sender.letter(&inbox, &Value::Null);
        letter.digest = digest(body.as_bytes());
        letter.body = body.clone().into_bytes();
        refused(&letter, &[400], &body).await;
    }
}

/// Types that mean nothing here, and the Delete of what is not known; never a 410 of an inbox.
async fn unknown_is_202(shared: &Shared) {
    let gateway = &shared.world.gateway;
    let server = Peer::start();
    let sender = server.account("afzender");
    for kind in ["View", "Listen", "Flag", "Accept", "Offer"] {
        sender.says(gateway, &sender.activity(kind, "https://elders.example/1")).await;
    }
    sender.says(gateway, &sender.activity("Delete", sender.fresh("notes"))).await;
    for status in [410, 404] {
        let gone = server.account(&format!("weg{status}"));
        server.page(&format!("/users/weg{status}"), Reply::status(status));
        let delete = gone.activity("Delete", gone.id.clone());
        gone.says(gateway, &delete).await;
        let like = gone.letter(&gateway.url("/ap/inbox"), &gone.activity("Like", shared.object.clone()));
        refused(&like, &[401, 503], "anything else of an account that is gone").await;
    }
    let liked = shared.world.db.number("SELECT COUNT(*) FROM reactions WHERE author_url LIKE '%/weg%'");
    assert_eq!(liked, 0);
}

/// Another's name, another's ids, another's texts.
async fn who_signs_is_who_acts(shared: &Shared) {
    let gateway = &shared.world.gateway;
    let (server, other) = (Peer::start(), Peer::start());
    let (sender, neighbour, victim) =
        (server.account("afzender"), server.account("buur"), other.account("slachtoffer"));
    let with = |key: &str, value: &str| {
        let mut activity = harmless(&sender);
        activity[key] = json!(value);
        activity
    };
    not_believed(&sender, gateway, &with("actor", &victim.id), "another's name").await;
    not_believed(&sender, gateway, &with("actor", &neighbour.id), "a neighbour's name").await;
    not_believed(&sender, gateway, &with("id", &victim.fresh("a")), "an id on another host").await;
    let update =
        sender.activity("Update", json!({ "id": victim.id, "type": "Person", "inbox": sender.fresh("inbox") }));
    not_believed(&sender, gateway, &update, "an update of another").await;
    let mut note = sender.reply(&shared.object, &gateway.actor(), "<p>Vals</p>");
    note["attributedTo"] = json!(victim.id);
    not_believed(&sender, gateway, &sender.create(&note), "a text of another").await;
    note["attributedTo"] = json!(neighbour.id);
    not_believed(&sender, gateway, &sender.create(&note), "a text of a neighbour").await;
    not_believed(&sender, gateway, &sender.activity("Delete", victim.fresh("notes")), "a delete elsewhere").await;
    let mut moved = sender.activity("Move", victim.id.clone());
    moved["target"] = json!(sender.id);
    not_believed(&sender, gateway, &moved, "a move of another").await;
    let mut quote = sender.activity("QuoteRequest", shared.object.clone());
    quote["instrument"] = json!(victim.fresh("notes"));
    not_believed(&sender, gateway, &quote, "a quote by another").await;
    let forged = shared.world.db.number("SELECT COUNT(*) FROM messages WHERE html LIKE '%Vals%'");
    assert_eq!(forged, 0);
}

looks! {
    async fn c38_what_an_inbox_does_not_take_is_told_by_its_status(shared: &Shared) {
        not_signed_well_is_401(shared).await;
        too_large_or_of_another_type(shared).await;
        malformed_is_400(shared).await;
        unknown_is_202(shared).await;
    }

    /// What is embedded of another host is read there, and the documents of keys: `advisories.rs`.
    async fn c39_forged_actors_authors_ids_and_keys_are_refused(shared: &Shared) {
        who_signs_is_who_acts(shared).await;
        let (sender, victim) = (Peer::start().account("afzender"), Peer::start().account("slachtoffer"));
        let stolen = Letter { key_id: victim.key_id(), ..letter(&sender, &shared.world.gateway) };
        refused(&stolen, &[401], "signed in the name of another's key").await;
    }

    async fn a_key_that_cannot_be_fetched_now_is_asked_for_later(shared: &Shared) {
        let server = Peer::start();
        let sender = server.account("afzender");
        server.page("/users/afzender", Reply::status(500));
        let reply = letter(&sender, &shared.world.gateway).send().await;
        assert_eq!(reply.status, 503, "{}", reply.text());
        assert!(reply.header("retry-after").parse::<u32>().is_ok_and(|s| s > 0), "{:?}", reply.headers);
    }

    async fn c41_json_ld_keywords_that_rearrange_are_refused_and_contexts_never_fetched(shared: &Shared) {
        let gateway = &shared.world.gateway;
        let server = Peer::start();
        let sender = server.account("afzender");
        for keyword in ["@graph", "@included", "@reverse"] {
            let mut activity = harmless(&sender);
            activity[keyword] = json!([harmless(&sender)]);
            refused(&sender.letter(&gateway.url("/ap/inbox"), &activity), &[400], keyword).await;
            let mut nested = harmless(&sender);
            nested["object"] = json!({ "id": sender.fresh("a"), keyword: {} });
            refused(&sender.letter(&gateway.url("/ap/inbox"), &nested), &[400], keyword).await;
        }
        let mut activity = harmless(&sender);
        activity["@context"] = json!(["https://www.w3.org/ns/activitystreams", server.url("/context")]);
        sender.says(gateway, &activity).await;
        let fetched: Vec<String> = server.fetches().into_iter().map(|f| f.target).collect();
        assert!(!fetched.is_empty() && fetched.iter().all(|target| target == "/users/afzender"), "{fetched:?}");
    }

    async fn a_peer_that_changed_its_key_is_believed_with_the_new_one_only(shared: &Shared) {
        let gateway = &shared.world.gateway;
        let sender = Peer::start().account("afzender");
        assert_eq!(letter(&sender, gateway).send().await.status, 202);
        sender.rotate(Key::OTHER, &sender.key_id());
        let new = Letter { key: Key::OTHER, ..letter(&sender, gateway) };
        assert_eq!(new.send().await.status, 202, "the new key under the same id");
        refused(&letter(&sender, gateway), &[401], "the old key").await;
        let key_id = format!("{}#key-2", sender.id);
        sender.rotate(Key::THIRD, &key_id);
        let third = Letter { key: Key::THIRD, key_id, ..letter(&sender, gateway) };
        assert_eq!(third.send().await.status, 202, "a new key under a new id");
    }

    async fn c43_objects_and_actors_are_labelled_for_caches(shared: &Shared) {
        for url in [shared.world.gateway.actor(), shared.object.clone()] {
            let reply = get(&url).await;
            assert!(reply.header("vary").split(',').any(|v| v.trim().eq_ignore_ascii_case("accept")), "{url}");
            assert!(reply.header("cache-control").contains("max-age="), "{url}: {}", reply.header("cache-control"));
            let tag = reply.header("etag").to_owned();
            assert!(tag.starts_with('"'), "{url}: {tag}");
            let headers = [("accept", ACTIVITY), ("if-none-match", tag.as_str())];
            let again = request("GET", &url, &headers, b"").await;
            assert_eq!((again.status, again.body.len()), (304, 0), "{url}");
            assert_eq!(again.header("etag"), tag);
            let other = request("GET", &url, &[("accept", ACTIVITY), ("if-none-match", "\"anders\"")], b"").await;
            assert_eq!(other.status, 200);
        }
    }
}

both! {
    async fn c44_a_post_is_delivered_over_the_time_that_it_was_given(db: Database) {
        const SPREAD: Duration = Duration::from_secs(20);
        const READERS: usize = 40;
        let world = World::unfollowed(db, Setup::new().policy("spread = \"20s\"")).await;
        world.db.execute(&rows("nieuws", &world.peer, 1_000_000, READERS));
        let came = |title: &str| world.peer.number(|a| says(a, title));
        world.site.publish("rustig", "Op zijn gemak", "<p>Rustig aan.</p>");
        until("the first comes", || came("Op zijn gemak") > 0).await;
        // Since it was published, and not since it was seen here that the first came: a busy machine sees that late.
        let published = world.db.number("SELECT created_at FROM activities WHERE kind = 'Create'");
        let since = || Duration::from_millis(u64::try_from(chrono::Utc::now().timestamp_millis() - published).unwrap());
        until("half has come", || came("Op zijn gemak") >= READERS / 2).await;
        assert!(since() > SPREAD / 4, "half came within {:?}", since());
        assert!(came("Op zijn gemak") < READERS, "and the other half did not come with it");
        until("all has come", || came("Op zijn gemak") == READERS).await;
        assert!(since() > SPREAD * 3 / 4, "all came within {:?}", since());
        until("all is recorded", || world.deliveries(0) == 0).await;
        assert_eq!(told(&world.peer.arrivals()).len(), READERS, "each came once");
    }
}

/// Addresses that are no server of anybody's, each as the host of a URL: private, mapped, translated, link-local, metadata.
const FORBIDDEN: [&str; 10] = [
    "10.0.0.1",
    "169.254.169.254",
    "100.100.100.200",
    "192.168.1.1",
    "[::ffff:10.0.0.1]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::1]",
    "[fe80::1]",
    "[fd00::1]",
];

on_sqlite! {
    /// That the address that was checked is the one that is connected to, and that a name with several is judged by each, is in
    /// `src/net/guard/tests.rs` and `src/net/client/tests.rs`: here no name can be made to change.
    async fn c40_the_fetcher_goes_to_no_address_that_is_not_listed_also_not_by_a_redirect(db: Database) {
        let world = World::unfollowed(db, Setup::new()).await;
        let inside = std::net::TcpListener::bind("[::1]:0").unwrap();
        inside.set_nonblocking(true).unwrap();
        let own = format!("[::1]:{}", inside.local_addr().unwrap().port());
        let hosts = FORBIDDEN.iter().map(ToString::to_string).chain([own.clone()]);
        for host in hosts {
            let key_id = format!("http://{host}/users/x#main-key");
            let sender = world.peer.account("afzender");
            let there = Letter { key_id, ..letter(&sender, &world.gateway) };
            let reply = there.send().await;
            assert!([401, 503].contains(&reply.status), "{host}: {}", reply.text());
        }
        for (n, host) in ["169.254.169.254", own.as_str()].into_iter().enumerate() {
            let path = format!("/users/omweg{n}");
            world.peer.page(&path, Reply::redirect(302, &format!("http://{host}/users/x")));
            let detour = Account::new(world.peer.clone(), world.peer.url(&path));
            refused(&letter(&detour, &world.gateway), &[401, 503], host).await;
        }
        assert!(inside.accept().is_err(), "somebody was there");
    }

    async fn c42_a_flood_of_unknown_keys_costs_few_fetches_and_little_memory(db: Database) {
        const KEYS: usize = 1_000;
        /// As many requests as may be on their way when it is known.
        const UNDER_WAY: usize = 16;
        const MEMORY_MAX_MIB: u64 = 64;
        let world = World::unfollowed(db, Setup::new()).await;
        letter(&world.citizen, &world.gateway).send().await;
        let before = world.gateway.process().peak_memory_mib();
        for (answer, most) in [(500, 10 + UNDER_WAY), (404, 100 + UNDER_WAY)] {
            let stranger = Peer::start();
            for n in 0..KEYS {
                stranger.page(&format!("/users/niemand{n}"), Reply::status(answer));
            }
            let posts = (0..KEYS).map(|n| {
                let nobody = Account::new(stranger.clone(), stranger.url(&format!("/users/niemand{n}")));
                let letter = letter(&nobody, &world.gateway);
                async move { letter.send().await.status }
            });
            let statuses: Vec<u16> = futures::stream::iter(posts).buffer_unordered(32).collect().await;
            assert!(statuses.iter().all(|status| [401, 503].contains(status)), "{statuses:?}");
            let fetches = stranger.fetches().len();
            assert!((1..=most).contains(&fetches), "{KEYS} keys that answer {answer} cost {fetches} fetches");
        }
        let grown = world.gateway.process().peak_memory_mib().saturating_sub(before);
        assert!(grown < MEMORY_MAX_MIB, "they cost {grown} MiB");
        let other = Peer::start().account("buur");
        assert_eq!(letter(&other, &world.gateway).send().await.status, 202, "who is known elsewhere is heard");
    }
}

fn digest(body: &[u8]) -> String {
    use base64::Engine as _;
    let hash = openssl::sha::sha256(body);
    format!("SHA-256={}", base64::engine::general_purpose::STANDARD.encode(hash))
}
