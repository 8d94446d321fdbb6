//! What an inbox does not take, and how it says so: items 38, 39 and 41 of the checklist.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Account, Gateway, Key, Letter, Peer, Reply, get, looks, request};

/// An activity that is taken and does nothing: what is refused of it is refused for its form.
fn harmless(account: &Account) -> Value {
    account.activity("View", "https://elders.example/1")
}

fn letter(account: &Account, gateway: &Gateway) -> Letter {
    account.letter(&gateway.url("/ap/inbox"), &harmless(account))
}

async fn refused(letter: &Letter, statuses: &[u16], why: &str) {
    let reply = letter.send().await;
    assert!(statuses.contains(&reply.status), "{why}: {} {}", reply.status, reply.text());
    assert_ne!(reply.status, 410, "{why}: peers would take the whole host for gone");
    let problem = reply.json();
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{why}: {problem}");
}

/// Sends an activity that must be refused for what it says.
async fn not_believed(account: &Account, gateway: &Gateway, activity: &Value, why: &str) {
    refused(&account.letter(&gateway.url("/ap/inbox"), activity), &[401, 403], why).await;
}

looks! {
    async fn c38_what_is_not_signed_well_is_refused_with_401(shared: &Shared) {
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
            ("the digest of something else", Letter { digest: "SHA-256=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".to_owned(), ..good.clone() }),
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

    async fn c38_what_is_too_large_or_of_another_type_is_refused(shared: &Shared) {
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

    async fn c38_what_is_malformed_is_refused_with_400(shared: &Shared) {
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

    async fn c38_unknown_activities_and_the_delete_of_unknown_things_are_taken_with_202(shared: &Shared) {
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

    async fn a_key_that_cannot_be_fetched_now_is_asked_for_later(shared: &Shared) {
        let server = Peer::start();
        let sender = server.account("afzender");
        server.page("/users/afzender", Reply::status(500));
        let reply = letter(&sender, &shared.world.gateway).send().await;
        assert_eq!(reply.status, 503, "{}", reply.text());
        assert!(reply.header("retry-after").parse::<u32>().is_ok_and(|s| s > 0), "{:?}", reply.headers);
    }

    async fn c39_who_signs_must_be_who_acts_and_ids_must_be_on_that_host(shared: &Shared) {
        let gateway = &shared.world.gateway;
        let (server, other) = (Peer::start(), Peer::start());
        let (sender, neighbour, victim) = (server.account("afzender"), server.account("buur"), other.account("slachtoffer"));
        let with = |key: &str, value: &str| {
            let mut activity = harmless(&sender);
            activity[key] = json!(value);
            activity
        };
        not_believed(&sender, gateway, &with("actor", &victim.id), "another's name").await;
        not_believed(&sender, gateway, &with("actor", &neighbour.id), "a neighbour's name").await;
        not_believed(&sender, gateway, &with("id", &victim.fresh("a")), "an id on another host").await;
        let update = sender.activity("Update", json!({ "id": victim.id, "type": "Person", "inbox": sender.fresh("inbox") }));
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

    async fn c39_a_key_must_belong_to_the_actor_whose_document_names_it(shared: &Shared) {
        let gateway = &shared.world.gateway;
        let (server, other) = (Peer::start(), Peer::start());
        let victim = other.account("slachtoffer");
        let spoil = |name: &str, change: &dyn Fn(&mut Value)| {
            let account = server.account(name);
            account.change(change);
            account
        };
        let (sender, victim_id) = (server.account("afzender"), victim.id.clone());
        let table = [
            ("the owner is another", spoil("a", &|d| d["publicKey"]["owner"] = json!(victim_id))),
            ("the id is another's", spoil("b", &|d| d["id"] = json!(victim_id))),
            ("the key has another id", spoil("c", &|d| d["publicKey"]["id"] = json!("http://127.0.0.1:1/k#k"))),
            ("there is no key", spoil("d", &|d| d["publicKey"] = Value::Null)),
            ("it is no actor", spoil("e", &|d| d["type"] = json!("Note"))),
            ("the inbox is elsewhere", spoil("f", &|d| d["inbox"] = json!(format!("{victim_id}/inbox")))),
        ];
        for (why, account) in &table {
            refused(&letter(account, gateway), &[401], why).await;
        }
        let document = server.account("bestand");
        let text = json!({ "id": document.id }).to_string();
        server.page("/users/bestand", Reply::ok("text/plain", text));
        refused(&letter(&document, gateway), &[401], "an uploaded file poses as an actor").await;
        let stolen = Letter { key_id: victim.key_id(), ..letter(&sender, gateway) };
        refused(&stolen, &[401], "signed in the name of another's key").await;
        server.page("/users/omweg", Reply::redirect(302, &victim.id));
        let detour = Account::new(server.clone(), server.url("/users/omweg"));
        refused(&letter(&detour, gateway), &[401, 503], "the document is on another host").await;
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

    async fn c42_many_unknown_keys_of_one_host_cost_few_fetches(shared: &Shared) {
        let server = Peer::start();
        for n in 0..40 {
            let nobody = Account::new(server.clone(), server.url(&format!("/users/niemand{n}")));
            server.page(&format!("/users/niemand{n}"), Reply::status(500));
            let reply = letter(&nobody, &shared.world.gateway).send().await;
            assert!([401, 503].contains(&reply.status), "{}", reply.status);
        }
        let fetches = server.fetches().len();
        assert!((1..=20).contains(&fetches), "40 signatures with unknown keys cost {fetches} fetches");
    }
}

fn digest(body: &[u8]) -> String {
    use base64::Engine as _;
    let hash = openssl::sha::sha256(body);
    format!("SHA-256={}", base64::engine::general_purpose::STANDARD.encode(hash))
}
