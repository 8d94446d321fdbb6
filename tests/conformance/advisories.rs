//! One test for each published advisory of other fediverse software whose mistake could be made here, named after the lesson, with
//! the advisory's id above it. [`ELSEWHERE`] names those that are tested beside the code, [`NOT_OURS`] says why the others cannot
//! happen here. `every_advisory_is_answered` holds that none is forgotten.

use serde_json::{Value, json};

use super::safety::{harmless, letter, not_believed, refused};
use crate::harness::{
    ACTIVITY, Account, Article, PUBLIC, Peer, Reply, Setup, Shared, World, both, eventually, get, get_as, looks,
    request,
};
use crate::messages::{messages, post};
use crate::quotes::{ask, listed, request as quote_request};

/// All that are answered.
const ALL: &str = "CVE-2023-36459 CVE-2023-36460 CVE-2023-36461 CVE-2023-36462 CVE-2023-42451 CVE-2023-42452 CVE-2024-23832 \
    CVE-2024-25623 CVE-2024-37903 GHSA-5wxh-3p65-r4g6 GHSA-x2rc-v5wx-g3m5 GHSA-mq2m-hr29-8gqf GHSA-jpxp-r43f-rhvx \
    GHSA-qrgq-9fx2-vf2r GHSA-8h43-rcqj-wpc6 CVE-2026-33869 GHSA-gwhw-gcjx-72v8 GHSA-ccpr-m53r-mfwr GHSA-xfrj-c749-jxxq \
    GHSA-crr4-7rm4-8gpw GHSA-xx55-4rrg-8xg6 GHSA-vwhj-3g83-v276 GHSA-gg8q-rcg7-p79g CVE-2026-23961 GHSA-46w6-g98f-wxqm \
    GHSA-qgmm-vr4c-ggjg CVE-2022-24307 CVE-2026-46349 GHSA-rwcw-vq68-g34p CVE-2024-39687 CVE-2025-23221 CVE-2026-34148 \
    CVE-2026-50131 CVE-2026-62857 CVE-2026-77632 CVE-2025-54888 CVE-2025-68475 CVE-2026-69132 CVE-2026-42462 \
    GHSA-2vxv-pv3m-3wvj CVE-2026-28432 CVE-2026-28431 Akkoma-2024.03 Akkoma-2024.04.1 Akkoma-2025.03 CVE-2025-30741 \
    CVE-2026-29178";

/// Those that a test beside the code answers: ids, file, test.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    // Files are told by their bytes and written anew by one library; no program is started.
    ("CVE-2023-36460", "tests/it/micropub/pictures.rs", "what_is_no_picture_is_refused_and_nothing_is_published"),
    // A deadline for every request, with all its redirects and its body.
    ("CVE-2023-36461", "src/net/client/tests.rs", "a_slow_body_ends_at_the_total_time"),
    // A link of a profile shows the whole of where it leads.
    ("CVE-2023-36462", "tests/conformance/actor.rs", "c10_a_field_with_a_link_is_a_lone_anchor_whose_text_is_its_href"),
    ("CVE-2023-42451", "src/web/hosts.rs", "a_host_is_compared_in_its_normal_form"),
    // Forgery of requests from the server: special ranges, every way to write an address, names, redirects and their number.
    (
        "GHSA-xfrj-c749-jxxq GHSA-crr4-7rm4-8gpw CVE-2026-50131 CVE-2026-29178",
        "src/net/guard/tests.rs",
        "special_addresses_are_refused_over_both_schemes",
    ),
    (
        "GHSA-xx55-4rrg-8xg6 GHSA-vwhj-3g83-v276",
        "src/net/guard/tests.rs",
        "every_way_to_write_a_loopback_address_in_a_url_is_seen",
    ),
    ("CVE-2024-39687", "src/net/client/tests.rs", "names_are_checked_in_the_resolver_and_literals_before_the_request"),
    ("CVE-2025-23221 CVE-2026-34148", "src/net/client/tests.rs", "redirects_that_are_not_followed_name_the_chain"),
    (
        "CVE-2026-77632 CVE-2026-62857",
        "tests/conformance/safety.rs",
        "c40_the_fetcher_goes_to_no_address_that_is_not_listed_also_not_by_a_redirect",
    ),
    ("GHSA-gg8q-rcg7-p79g", "src/inbox/read/tests.rs", "lists_and_texts_from_outside_are_bounded"),
    // State that grows by host: rates, failures, keys.
    ("CVE-2026-69132", "src/flow/rates.rs", "no_more_hosts_are_counted_than_allowed"),
    // Who may say nothing says nothing of any type.
    (
        "CVE-2026-23961",
        "tests/it/verification.rs",
        "the_posts_of_an_unproven_actor_are_held_and_resume_when_the_proof_appears",
    ),
    // JSON-LD is not processed, contexts are not fetched, and what rearranges is refused.
    (
        "CVE-2022-24307 CVE-2026-46349",
        "tests/conformance/safety.rs",
        "c41_json_ld_keywords_that_rearrange_are_refused_and_contexts_never_fetched",
    ),
];

/// Those that cannot happen here, and why.
const NOT_OURS: &[(&str, &str)] = &[
    (
        "CVE-2023-36459",
        "no oEmbed and no HTML of others is fetched to be shown; what we offer as oEmbed is our own text",
    ),
    (
        "GHSA-ccpr-m53r-mfwr",
        "nothing that is served is for some and not for others: there is nothing to keep from a cache",
    ),
    ("GHSA-rwcw-vq68-g34p", "attributionDomains are only told, the readers' servers compare them"),
    (
        "CVE-2025-30741",
        "nothing is posted for followers alone, and a follower counts only once the Accept is owed to it",
    ),
];

/// A reply of somebody new with that text, kept and shown to webcare.
async fn kept(shared: &Shared, change: impl FnOnce(&Account, &mut Value)) -> Value {
    let sender = Peer::start().account("schrijver");
    let mut note = sender.reply(&shared.object, &shared.world.gateway.actor(), "<p>Tekst.</p>");
    change(&sender, &mut note);
    sender.says(&shared.world.gateway, &sender.create(&note)).await;
    let all = messages(&shared.world.gateway).await;
    all.into_iter().find(|message| message["author_url"] == json!(sender.id)).expect("it is kept")
}

/// An account whose document was spoilt.
fn spoilt(server: &Peer, name: &str, change: impl FnOnce(&mut Value)) -> Account {
    let account = server.account(name);
    account.change(change);
    account
}

looks! {
    /// CVE-2024-23832 (GHSA-3fjr-858r-92rw), Akkoma-2024.04.1, Akkoma-2025.03.
    async fn a_document_counts_only_under_the_id_where_it_was_fetched(shared: &Shared) {
        let gateway = &shared.world.gateway;
        let (server, victim) = (Peer::start(), Peer::start().account("slachtoffer"));
        let id = victim.id.clone();
        let table = [
            ("the id is another's", spoilt(&server, "b", |d| d["id"] = json!(id))),
            ("it is no actor", spoilt(&server, "e", |d| d["type"] = json!("Note"))),
            ("the inbox is elsewhere", spoilt(&server, "f", |d| d["inbox"] = json!(format!("{id}/inbox")))),
        ];
        for (why, account) in &table {
            refused(&letter(account, gateway), &[401], why).await;
        }
        server.page("/users/omweg", Reply::redirect(302, &victim.id));
        let detour = Account::new(server.clone(), server.url("/users/omweg"));
        refused(&letter(&detour, gateway), &[401, 503], "the document is on another host").await;
    }

    /// CVE-2025-54888, GHSA-2vxv-pv3m-3wvj.
    async fn a_key_counts_only_if_the_document_of_its_owner_names_it(shared: &Shared) {
        let (server, victim) = (Peer::start(), Peer::start().account("slachtoffer"));
        let id = victim.id.clone();
        let table = [
            ("the owner is another", spoilt(&server, "a", |d| d["publicKey"]["owner"] = json!(id))),
            ("the key has another id", spoilt(&server, "c", |d| d["publicKey"]["id"] = json!("http://127.0.0.1:1/k#k"))),
            ("there is no key", spoilt(&server, "d", |d| d["publicKey"] = Value::Null)),
        ];
        for (why, account) in &table {
            refused(&letter(account, &shared.world.gateway), &[401], why).await;
        }
        // The key is right, and the one who acts is another.
        let sender = server.account("afzender");
        let mut forged = harmless(&sender);
        forged["actor"] = json!(id);
        not_believed(&sender, &shared.world.gateway, &forged, "another's name").await;
    }

    /// CVE-2024-25623 (GHSA-jhrq-qvrm-qr36).
    async fn an_uploaded_file_is_no_document(shared: &Shared) {
        let server = Peer::start();
        for (n, kind) in ["text/plain", "application/octet-stream", "image/png", "application/json", "text/html"].iter().enumerate() {
            let account = server.account(&format!("bestand{n}"));
            let mut document = String::new();
            account.change(|known| document = known.to_string());
            server.page(&format!("/users/bestand{n}"), Reply::ok(kind, document));
            refused(&letter(&account, &shared.world.gateway), &[401], kind).await;
        }
    }

    /// GHSA-x2rc-v5wx-g3m5, GHSA-mq2m-hr29-8gqf.
    async fn links_have_the_schemes_that_are_listed_and_nothing_that_embeds_survives(shared: &Shared) {
        let message = kept(shared, |_, note| {
            note["url"] = json!("javascript:alert(1)");
            note["content"] = json!(
                "<p>Kijk <a href=\"javascript:alert(2)\">hier</a> <a href=\"data:text/html,x\">daar</a> \
                 <iframe src=\"https://boos.example/\">in</iframe><object data=\"x\">o</object><embed src=\"y\"></p>"
            );
        })
        .await;
        let text = message.to_string();
        for bad in ["javascript:", "data:text", "<iframe", "<object", "<embed", "boos.example"] {
            assert!(!text.contains(bad), "{bad}: {text}");
        }
        assert!(message["html"].as_str().unwrap().contains("Kijk"), "{message}");
    }

    /// GHSA-jpxp-r43f-rhvx, GHSA-qrgq-9fx2-vf2r, CVE-2025-68475.
    async fn a_text_that_is_hard_to_read_stops_nothing(shared: &Shared) {
        let hard = [
            "<b>".repeat(30_000),
            "<a href=\"".repeat(20_000),
            "<".repeat(200_000),
            format!("<p>{}</p>", "&amp".repeat(50_000)),
            format!("<!--{}", "-".repeat(200_000)),
            "a@b.".repeat(50_000),
        ];
        for text in &hard {
            let sender = Peer::start().account("moeilijk");
            let mut note = sender.reply(&shared.object, &shared.world.gateway.actor(), "");
            note["content"] = json!(text);
            sender.says(&shared.world.gateway, &sender.create(&note)).await;
        }
        let message = kept(shared, |_, note| note["content"] = json!("<p>Gewoon.</p>")).await;
        assert_eq!(message["html"], json!("<p>Gewoon.</p>"));
    }

    /// CVE-2026-42462: a Linked Data signature is no proof here, whatever it says, and no context can change what a word means.
    async fn a_linked_data_signature_proves_nothing(shared: &Shared) {
        let (sender, victim) = (Peer::start().account("afzender"), Peer::start().account("slachtoffer"));
        let mut said = victim.create(&victim.reply(&shared.object, &shared.world.gateway.actor(), "<p>Vals</p>"));
        said["signature"] = json!({
            "type": "RsaSignature2017", "creator": victim.key_id(), "created": "2026-11-22T09:00:00Z", "signatureValue": "AAAA",
        });
        not_believed(&sender, &shared.world.gateway, &said, "the text of another, signed by Linked Data").await;
        let mut renamed = harmless(&sender);
        renamed["@context"] = json!(["https://www.w3.org/ns/activitystreams", { "actor": "as:object" }]);
        renamed["actor"] = json!(victim.id);
        not_believed(&sender, &shared.world.gateway, &renamed, "a word with another meaning").await;
    }

    /// CVE-2026-28432, CVE-2026-28431, GHSA-46w6-g98f-wxqm, GHSA-qgmm-vr4c-ggjg.
    async fn every_way_in_asks_who_is_there(shared: &Shared) {
        let gateway = &shared.world.gateway;
        let activity = harmless(&Peer::start().account("niemand")).to_string();
        let headers = [("content-type", ACTIVITY)];
        for inbox in ["/ap/inbox".to_owned(), "/ap/instance/inbox".to_owned(), gateway.actor().replace(&gateway.url(""), "") + "/inbox"] {
            for target in [inbox.clone(), format!("{inbox}?x=1")] {
                let reply = request("POST", &gateway.url(&target), &headers, activity.as_bytes()).await;
                assert_eq!(reply.status, 401, "{target}: {}", reply.text());
            }
        }
        for (target, status) in [("/micropub", 401), ("/micropub/media", 401), ("/hooks/nergens", 404), ("/websub/x", 404), ("/ap/probe", 404)] {
            let reply = request("POST", &gateway.url(target), &[("content-type", "application/json")], b"{}").await;
            assert_eq!(reply.status, status, "{target}: {}", reply.text());
        }
        for target in ["/metrics", "/debug", "/admin"] {
            assert_eq!(get(&gateway.url(target)).await.status, 404, "{target} is not on the public listener");
        }
    }

    /// Akkoma-2024.03: what others sent or wrote cannot become a page or a document of ours.
    async fn a_picture_can_be_nothing_but_a_picture(shared: &Shared) {
        let url = shared.create["object"]["attachment"][0]["url"].as_str().unwrap();
        for accept in ["image/*", "text/html", ACTIVITY] {
            let reply = get_as(url, accept).await;
            assert_eq!((reply.status, reply.header("content-type")), (200, "image/png"), "{accept}");
            assert_eq!(reply.header("x-content-type-options"), "nosniff");
            assert!(reply.header("content-security-policy").contains("default-src 'none'"), "{accept}");
        }
    }
}

both! {
    /// CVE-2024-37903 (GHSA-xjvf-fm67-4qc3).
    async fn only_its_author_edits_what_was_said_and_nobody_widens_for_whom(db: Database) {
        let world = World::new(db).await;
        let id = post(&world).await;
        let mut note = world.citizen.reply(&id, &world.gateway.actor(), "<p>Onder ons.</p>");
        note["to"] = json!([world.gateway.actor()]);
        note["cc"] = json!([]);
        world.citizen.says(&world.gateway, &world.citizen.create(&note)).await;
        let (neighbour, stranger) = (world.peer.account("buur"), Peer::start().account("vreemde"));
        for account in [&neighbour, &stranger] {
            let mut wider = note.clone();
            wider["to"] = json!([PUBLIC]);
            wider["content"] = json!("<p>Voor iedereen.</p>");
            wider["updated"] = json!("2030-01-01T00:00:00Z");
            account.send(&world.gateway, &account.activity("Update", wider)).await;
            account.send(&world.gateway, &account.activity("Announce", note["id"].clone())).await;
        }
        let kept = messages(&world.gateway).await;
        assert_eq!((kept.len(), &kept[0]["visibility"]), (1, &json!("direct")), "{kept:?}");
        assert!(kept[0]["html"].as_str().unwrap().contains("Onder ons"), "{kept:?}");
    }

    /// GHSA-5wxh-3p65-r4g6.
    async fn what_an_actor_says_of_itself_is_judged_at_every_refresh(db: Database) {
        let world = World::new(db).await;
        let elsewhere = Peer::start();
        let inbox = elsewhere.url("/inbox");
        world.citizen.change(|document| {
            document["inbox"] = json!(inbox);
            document["endpoints"] = json!({ "sharedInbox": inbox });
        });
        let update = world.citizen.activity("Update", json!({ "id": world.citizen.id, "type": "Person", "inbox": inbox }));
        world.citizen.send(&world.gateway, &update).await;
        world.published("dijk", "De dijk").await;
        assert_eq!(elsewhere.arrivals().len(), 0, "a follower cannot have posts sent to a host that is not its own");
    }

    /// CVE-2023-42452.
    async fn what_others_wrote_is_escaped_in_every_output(db: Database) {
        let world = World::new(db).await;
        world.site.add(Article::new("x", "&lt;script&gt;alert(1)&lt;/script&gt; \"aan\" 'hal'", "<p>Tekst.</p>"));
        let create = world.created("Tekst").await.activity;
        let page = create["object"]["url"].as_str().unwrap().to_owned();
        let outputs = [
            page.clone(),
            world.gateway.url("/@nieuws"),
            world.gateway.url("/"),
            world.gateway.url("/@nieuws/feed.rss"),
            world.gateway.url("/@nieuws/feed.atom"),
            world.gateway.url(&format!("/oembed?url={page}")),
        ];
        for url in outputs {
            for language in ["nl", "en"] {
                let reply = request("GET", &url, &[("accept", "text/html,*/*"), ("accept-language", language)], b"").await;
                assert_eq!(reply.status, 200, "{url}");
                let text = reply.text();
                assert!(!text.contains("<script>alert") && !text.contains("onerror=alert(1)>"), "{url}: {text}");
            }
        }
        assert!(!create["object"]["content"].as_str().unwrap().contains("<script"), "{create}");
    }

    /// GHSA-gwhw-gcjx-72v8.
    async fn a_post_that_is_not_public_answers_as_one_that_never_was(db: Database) {
        let world = World::with(db, Setup::new().policy("approval = true")).await;
        world.site.publish("geheim", "Nog geheim", "<p>Tekst.</p>");
        let held = eventually("the post is held", || async {
            let posts = world.gateway.cli(&["post", "list", "--json"]).await.well().json();
            posts.as_array().unwrap().first().cloned()
        })
        .await;
        let number = held["post"].as_str().unwrap();
        let never = number.chars().rev().collect::<String>().trim_start_matches('0').to_owned();
        for (path, accept) in [("/ap/o/", ACTIVITY), ("/@nieuws/", "text/html"), ("/ap/x/", ACTIVITY), ("/ap/q/", ACTIVITY)] {
            let answers = [number, never.as_str()].map(|n| world.gateway.url(&format!("{path}{n}")));
            let (one, other) = (get_as(&answers[0], accept).await, get_as(&answers[1], accept).await);
            let shown = |reply: &Reply| {
                let mut headers = reply.headers.clone();
                headers.retain(|(name, _)| !["x-request-id", "date"].contains(&name.as_str()));
                (reply.status, headers, reply.text())
            };
            assert_eq!(shown(&one), shown(&other), "{path}");
            assert_eq!(one.status, 404);
        }
    }

    /// CVE-2025-54888, 2023-11 releases of Misskey (FEP-fe34).
    async fn what_an_activity_embeds_of_another_host_is_read_there(db: Database) {
        let world = World::new(db).await;
        let id = post(&world).await;
        let victim_server = Peer::start();
        let victim = victim_server.account("slachtoffer");
        let real = victim.reply(&id, &world.gateway.actor(), "<p>Echt gezegd</p>");
        let path = real["id"].as_str().unwrap().strip_prefix(&victim_server.url("")).unwrap();
        victim_server.put(path, real.clone());
        let mut forged = real.clone();
        forged["content"] = json!("<p>Nooit gezegd</p>");
        let mut create = world.citizen.activity("Create", forged);
        create["to"] = json!([PUBLIC]);
        create["cc"] = json!([world.gateway.actor()]);
        world.citizen.says(&world.gateway, &create).await;
        let kept = eventually("the real text is kept", || async { messages(&world.gateway).await.pop() }).await;
        assert!(kept["html"].as_str().unwrap().contains("Echt gezegd"), "{kept}");
        assert_eq!(kept["author_url"], json!(victim.id));
    }

    /// GHSA-8h43-rcqj-wpc6, CVE-2026-33869 (GHSA-q4g8-82c5-9h33).
    async fn no_quote_is_authorised_for_another_post_or_another_author(db: Database) {
        let world = World::new(db).await;
        let id = post(&world).await;
        let neighbour = world.peer.account("buurman");
        let number = id.rsplit('/').next().unwrap();

        // In the name of a neighbour on the same server, and of somebody elsewhere.
        let mut forged = quote_request(&world.citizen, &id);
        forged["instrument"]["attributedTo"] = json!(neighbour.id);
        assert_eq!(world.citizen.send(&world.gateway, &forged).await.status, 403);
        let mut foreign = quote_request(&world.citizen, &id);
        foreign["instrument"]["id"] = json!("http://127.0.0.1:1/notes/1");
        assert_eq!(world.citizen.send(&world.gateway, &foreign).await.status, 403);

        // The quoting post quotes something else, or our post by another name.
        let other = format!("{}/ap/o/1", world.gateway.url("").trim_end_matches('/'));
        for (why, change) in [
            ("it quotes another post", ("instrument", json!(other))),
            ("it asks for the page", ("object", json!(world.gateway.url(&format!("/@nieuws/{number}"))))),
            ("it asks for another spelling", ("object", json!(world.gateway.url(&format!("/ap/o/0{number}"))))),
        ] {
            let mut asked = quote_request(&world.citizen, &id);
            match change {
                ("instrument", quoted) => asked["instrument"]["quote"] = quoted,
                (_, object) => asked["object"] = object,
            }
            assert_eq!(ask(&world, &world.citizen, &asked).await["type"], "Reject", "{why}");
        }

        // What one author was given, another one on the same server does not get.
        let first = quote_request(&world.citizen, &id);
        assert_eq!(ask(&world, &world.citizen, &first).await["type"], "Accept");
        let mut second = neighbour.activity("QuoteRequest", id.as_str());
        second["instrument"] = first["instrument"]["id"].clone();
        assert_eq!(ask(&world, &neighbour, &second).await["type"], "Reject");
        let rows = listed(&world.gateway, &[]).await;
        assert_eq!((rows.len(), &rows[0]["author"]), (1, &json!(world.citizen.id)));
    }
}

#[test]
fn every_advisory_is_answered() {
    let own = include_str!("advisories.rs");
    let documented: Vec<&str> = own.lines().filter_map(|line| line.trim().strip_prefix("/// ")).collect();
    for id in ALL.split_whitespace() {
        let named = |ids: &str| ids.split_whitespace().any(|one| one == id);
        let here = documented.iter().any(|line| line.contains(id));
        let places = [here, ELSEWHERE.iter().any(|(ids, ..)| named(ids)), NOT_OURS.iter().any(|(ids, _)| named(ids))];
        assert_eq!(places.iter().filter(|there| **there).count(), 1, "{id} is to be answered in one place: {places:?}");
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for (ids, file, test) in ELSEWHERE {
        assert!(ids.split_whitespace().all(|id| ALL.contains(id)), "{ids}");
        let text = std::fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(text.contains(&format!("fn {test}(")), "{ids}: {file} has no test {test}");
    }
    assert!(NOT_OURS.iter().all(|(ids, why)| ALL.contains(ids) && why.len() > 20));
}
