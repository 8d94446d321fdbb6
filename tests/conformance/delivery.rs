//! What goes out and what comes back: points 27 to 37.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::on_sqlite;
use crate::delivery::{receipt, speaks};
use crate::following::{accept, followers};
use crate::harness::{Arrival, Behaviour, Key, Peer, Reads, Reply, Setup, World, both, eventually, get, get_as, until};
use crate::messages::{messages, post, reactions};
use crate::quotes::listed;

fn object_id(activity: &Value) -> String {
    activity["object"]["id"].as_str().unwrap().to_owned()
}

both! {
    async fn c27_a_shared_inbox_gets_one_copy_for_all_its_followers(db: Database) {
        let world = World::new(db).await;
        for name in ["tweede", "derde"] {
            world.peer.account(name).follows(&world.gateway).await;
        }
        let lone = world.peer.lone_account("alleen");
        lone.follows(&world.gateway).await;
        world.published("dijk", "De dijk").await;
        world.published("brug", "De brug").await;
        until("both posts came to both inboxes", || world.peer.count("Create") >= 4).await;
        let mut inboxes: Vec<String> =
            world.peer.taken().into_iter().filter(|a| a.kind() == "Create").map(|a| a.inbox).collect();
        inboxes.sort();
        assert_eq!(inboxes, ["/inbox", "/inbox", "/users/alleen/inbox", "/users/alleen/inbox"]);
        let owed = || world.db.number("SELECT COUNT(*) FROM deliveries WHERE state = 0");
        until("nothing more is owed", || owed() == 0).await;
        assert_eq!(world.peer.arrivals().len(), 4 + 4, "four posts and four Accepts, nothing else");
    }

    async fn c28_the_signature_covers_what_peers_demand_and_a_retry_is_dated_and_signed_anew(db: Database) {
        let world = World::new(db).await;
        world.peer.first([Behaviour::Answer(503)]);
        let create = world.published("dijk", "De dijk").await;
        let tries: Vec<Arrival> = world.peer.arrivals().into_iter().filter(|a| a.kind() == "Create").collect();
        assert_eq!(tries.len(), 2, "it is retried by itself, and once");
        assert_eq!(tries[0].body, create.body);
        assert_ne!(tries[0].date, create.date);
        // The peer itself checks that the digest is that of the body, and that (request-target), host, date, digest and
        // content-type are covered (`harness/verify.rs`).
        assert_eq!((&tries[0].verified, &create.verified), (&Ok(()), &Ok(())));
        let waited = tries[1].at - tries[0].at;
        assert!(waited >= Duration::from_secs(10), "the first wait is 15 s less a quarter at most, and was {waited:?}");
        eventually("the receipt", || async {
            let receipt = receipt(&world, &world.peer, "Create").await;
            (receipt["state"] == "delivered" && receipt["attempts"] == 2).then_some(())
        })
        .await;
    }

    async fn c32_every_edit_has_the_same_id_the_whole_object_and_a_later_updated(db: Database) {
        let world = World::new(db).await;
        let create = world.published("dijk", "De dijk").await.activity;
        let id = object_id(&create);
        let mut before = create["object"]["published"].as_str().unwrap().to_owned();
        for n in 1..=3 {
            let title = format!("De dijk, versie {n}");
            world.site.edit("dijk", |article| article.title.clone_from(&title));
            let update = world.told("Update", &id, n).await.activity;
            let object = &update["object"];
            let updated = object["updated"].as_str().unwrap().to_owned();
            assert!(updated > before, "{updated} is not later, in whole seconds, than {before}");
            assert!(object["content"].as_str().unwrap().contains(&title), "{object}");
            assert_eq!(object["published"], create["object"]["published"]);
            for property in ["type", "attributedTo", "url", "to", "cc"] {
                assert_eq!(object[property], create["object"][property], "{property}");
            }
            before = updated;
        }
    }

    async fn c33_what_is_withdrawn_is_a_tombstone_and_gone_and_its_id_is_never_used_again(db: Database) {
        let setup = Setup::new().policy("retract_on_gone = true\ngone_after = \"1s\"");
        let world = World::with(db, setup).await;
        let create = world.published("dijk", "De dijk houdt stand").await.activity;
        let id = object_id(&create);
        let page = create["object"]["url"].as_str().unwrap().to_owned();
        let outbox = format!("{}/outbox", world.gateway.actor());
        assert_eq!(create["actor"], json!(world.gateway.actor()));
        assert_eq!(get(&id).await.json()["content"], create["object"]["content"]);
        assert_eq!(get(&outbox).await.json()["totalItems"], json!(1));

        world.site.edit("dijk", |article| article.title = "De dijk houdt toch stand".to_owned());
        let update = world.told("Update", &id, 1).await.activity;
        assert!(update["object"]["content"].as_str().unwrap().contains("toch stand"), "{update}");
        assert_eq!(get(&id).await.json()["content"], update["object"]["content"]);
        assert_eq!(get(&outbox).await.json()["totalItems"], json!(1));

        world.site.withdraw("dijk");
        let delete = world.told("Delete", &id, 1).await.activity;
        assert_eq!(delete["object"]["type"], json!("Tombstone"));
        assert_eq!((&delete["to"], &delete["cc"]), (&create["to"], &create["cc"]), "addressed as the original");
        let gone = get(&id).await;
        assert_eq!((gone.status, &gone.json()["type"], &gone.json()["id"]), (410, &json!("Tombstone"), &json!(id)));
        assert_eq!(get_as(&page, "text/html").await.status, 410);
        assert_eq!(get(create["id"].as_str().unwrap()).await.status, 410, "nor does the Create live on");
        assert_eq!(get(&outbox).await.json()["totalItems"], json!(0));
        let next = world.published("brug", "De brug is open").await.activity;
        assert_ne!((object_id(&next), &next["id"]), (id.clone(), &create["id"]));
        assert_eq!(get(&id).await.status, 410);
    }

    async fn c34_a_follow_is_accepted_within_five_seconds_answered_again_when_it_comes_again_and_ended_by_undo(db: Database) {
        let world = World::unfollowed(db, Setup::new()).await;
        let follow = world.citizen.activity("Follow", world.gateway.actor());
        let began = Instant::now();
        world.citizen.says(&world.gateway, &follow).await;
        let first = accept(&world.citizen, &follow, 1).await;
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        assert_eq!(first["actor"], json!(world.gateway.actor()));
        world.published("dijk", "De dijk").await;
        let fetched = world.peer.fetches();
        let unsigned: Vec<&str> =
            fetched.iter().filter(|f| f.header("signature").is_none()).map(|f| f.target.as_str()).collect();
        assert!(!fetched.is_empty() && unsigned.is_empty(), "fetched without a signature: {unsigned:?}");
        world.citizen.says(&world.gateway, &follow).await;
        assert_ne!(accept(&world.citizen, &follow, 2).await["id"], first["id"]);
        let other = world.citizen.activity("Follow", world.gateway.actor());
        world.citizen.says(&world.gateway, &other).await;
        accept(&world.citizen, &other, 1).await;
        assert_eq!(followers(&world.gateway).await, 1, "however often it is said");
        world.published("brug", "De brug").await;
        assert_eq!(world.peer.count("Create"), 2);
        world.citizen.says(&world.gateway, &world.citizen.activity("Undo", other)).await;
        assert_eq!(followers(&world.gateway).await, 0);
    }

    async fn c35_a_quote_is_authorised_where_it_can_be_read_until_it_is_revoked(db: Database) {
        let world = World::new(db).await;
        let id = post(&world).await;
        let quoting = world.citizen.fresh("notes");
        let mut request = world.citizen.activity("QuoteRequest", id.clone());
        request["instrument"] = json!(quoting);
        world.citizen.says(&world.gateway, &request).await;
        let answered = |a: &Arrival| a.kind() == "Accept" && a.activity["object"]["id"] == request["id"];
        let accept = world.peer.takes("the Accept of the quote", answered).await.activity;
        let result = accept["result"].as_str().unwrap();
        assert!(result.starts_with(&world.gateway.url("/")), "on the host of the author: {result}");
        let authorization = get(result).await;
        assert_eq!(authorization.status, 200);
        let authorization = authorization.json();
        assert_eq!(authorization["type"], json!("QuoteAuthorization"));
        assert_eq!(authorization["id"], json!(result));
        assert_eq!(authorization["attributedTo"], json!(world.gateway.actor()));
        assert_eq!(authorization["interactingObject"], json!(quoting));
        assert_eq!(authorization["interactionTarget"], json!(id));

        let number = listed(&world.gateway, &[]).await[0]["quote"].as_str().unwrap().to_owned();
        world.gateway.cli(&["quote", "revoke", &number]).await.well();
        let deleted = |a: &Arrival| a.kind() == "Delete" && a.activity["object"] == json!(result);
        world.peer.takes("the Delete of the authorisation", deleted).await;
        assert_eq!((get(result).await.status, get(&id).await.status), (410, 200), "the post stands");
    }

    async fn c36_reactions_are_counted_and_replies_and_mentions_reach_webcare(db: Database) {
        let world = World::new(db).await;
        let id = post(&world).await;
        reactions_are_counted_once_and_taken_back(&world, &id).await;
        replies_and_mentions_are_kept(&world, &id).await;
    }

    async fn c37_what_is_not_public_is_kept_for_webcare_and_shown_to_nobody(db: Database) {
        let world = World::new(db).await;
        let id = post(&world).await;
        let secret = "mijn BSN is 123456782";
        let actor = world.gateway.actor();
        for (to, visibility) in [(actor.clone(), "direct"), (format!("{}/followers", world.citizen.id), "followers")] {
            let mut note = world.citizen.reply(&id, &actor, &format!("<p>{secret}</p>"));
            note["to"] = json!([to]);
            world.citizen.says(&world.gateway, &world.citizen.create(&note)).await;
            let kept = messages(&world.gateway).await;
            assert!(kept.iter().any(|m| m["visibility"] == visibility && m["url"] == note["id"]), "{visibility}: {kept:?}");
        }
        let page = get(&id).await.json()["url"].as_str().unwrap().to_owned();
        for url in [&page, &world.gateway.url("/@nieuws"), &world.gateway.url("/")] {
            assert!(!get_as(url, "text/html").await.text().contains("123456782"), "{url}");
        }
        let outbox = format!("{actor}/outbox?page=first");
        for url in [&id, &format!("{id}/replies"), &outbox, &actor] {
            assert!(!get(url).await.text().contains("123456782"), "{url}");
        }
        world.published("brug", "De brug").await;
        assert!(world.peer.arrivals().iter().all(|a| !a.activity.to_string().contains("123456782")));
        assert!(!world.gateway.log().contains("123456782"), "nor does it stand in the log");
    }
}

on_sqlite! {
    /// The peers check what is covered as Mastodon does (`harness/verify.rs`); the vectors of the RFC are in
    /// `src/signature/rfc9421/tests.rs`.
    async fn c29_rfc_9421_is_sent_to_who_takes_it_or_refused_the_other_form_and_to_nobody_else(db: Database) {
        let world = World::new(db).await;
        let (shown, refusing) = (Peer::start(), Peer::start());
        world.peer.reads(Reads::Swallows);
        let speaker = shown.account("nieuw");
        speaker.follows(&world.gateway).await;
        let letter = speaker.letter(&world.gateway.url("/ap/inbox"), &speaker.activity("View", speaker.id.clone()));
        assert_eq!(letter.send_by_rfc9421().await.status, 202);
        shown.reads(Reads::Rfc9421);
        refusing.account("ander").follows(&world.gateway).await;
        refusing.reads(Reads::Rfc9421);
        world.published("dijk", "De dijk").await;
        shown.takes_a("Create").await;
        refusing.takes_a("Create").await;
        let tries = |peer: &Peer| {
            let creates = peer.arrivals().into_iter().filter(|a| a.kind() == "Create");
            creates.map(|a| a.by_rfc9421).collect::<Vec<bool>>()
        };
        assert_eq!(tries(&world.peer), [false], "who says nothing of it might swallow it");
        assert_eq!(tries(&shown), [true], "who has shown it is sent it at once");
        assert_eq!(tries(&refusing), [false, true], "who refuses the one is sent the other");
    }

    async fn c30_what_may_pass_is_tried_again_for_a_week_and_more_and_what_never_will_is_tried_once(db: Database) {
        let mut world = World::with(db, Setup::new().delivery("timeout = \"2s\"\nlease = \"20s\"")).await;
        let may_pass = [
            Behaviour::Answer(408),
            Behaviour::With(Reply::status(429).with("retry-after", "3000")),
            Behaviour::Answer(500),
            Behaviour::Answer(503),
            Behaviour::Close,
            Behaviour::Hang,
        ];
        let never = [400, 403, 404, 410, 413].map(Behaviour::Answer);
        let mut peers = Vec::new();
        for behaviour in may_pass.iter().chain(&never) {
            let peer = Peer::start();
            peer.account("volger").follows(&world.gateway).await;
            peer.behaves(behaviour.clone());
            peers.push(peer);
        }
        let (failing, refusing) = peers.split_at(may_pass.len());
        world.published("dijk", "De dijk").await;
        let creates = |state: i16| world.deliveries(state) as usize;
        let counted = |what: &str| world.db.number(&format!("SELECT COUNT(*) FROM inboxes WHERE {what}")) as usize;
        until("all were tried", || {
            (creates(2), counted("failing_since IS NOT NULL")) == (refusing.len(), failing.len())
        })
        .await;
        let after = |peer: &Peer| {
            let due = world.db.number(&format!("SELECT due_at FROM inboxes WHERE host = '{}'", peer.authority()));
            (due - chrono::Utc::now().timestamp_millis()) / 1_000
        };
        assert!((2_900..=3_000).contains(&after(&failing[1])), "Retry-After: {} s", after(&failing[1]));
        assert!(after(&failing[2]) < 60, "and without it from seconds on: {} s", after(&failing[2]));
        let waiting = receipt(&world, &failing[0], "Create").await;
        assert_eq!((&waiting["state"], &waiting["attempts"]), (&json!("owed"), &json!(1)), "{waiting}");

        // A week later, in another process.
        assert!(world.gateway.stop().await.success());
        let week = 7 * 86_400_000;
        world.db.execute(&format!(
            "UPDATE inboxes SET failing_since = failing_since - {week}, due_at = 1 WHERE failing_since IS NOT NULL; \
             UPDATE deliveries SET created_at = created_at - {week} WHERE state = 0; UPDATE hosts SET open_until = 1"
        ));
        world.gateway.restart().await;
        let counted = |what: &str| world.db.number(&format!("SELECT COUNT(*) FROM inboxes WHERE {what}")) as usize;
        until("all are parked", || counted("parked_at IS NOT NULL") == failing.len()).await;
        assert_eq!(world.deliveries(0) as usize, failing.len(), "and nothing that is owed was given up");
        for peer in failing {
            peer.behaves(Behaviour::Answer(202));
            speaks(&world, peer).await;
            peer.takes_a("Create").await;
        }
        until("nothing is owed", || world.deliveries(0) == 0).await;
        let tried = |peer: &Peer| peer.number(|a| a.kind() == "Create");
        // What is malformed to a server may be so because of the signature: it is sent the other form once, as after a 401.
        assert_eq!(refusing.iter().map(tried).collect::<Vec<_>>(), [2, 1, 1, 1, 1]);
        assert_eq!(world.peer.count("Create"), 1, "nor was what had been taken sent again");
    }

    async fn c31_a_valid_signature_from_a_parked_host_unparks_it(db: Database) {
        let world = World::new(db).await;
        world.peer.behaves(Behaviour::Answer(503));
        world.site.publish("dijk", "De dijk", "<p>Tekst.</p>");
        let counted = |what: &str| world.db.number(&format!("SELECT COUNT(*) FROM inboxes WHERE {what}"));
        until("it fails", || counted("failing_since IS NOT NULL") == 1).await;
        let tomorrow = chrono::Utc::now().timestamp_millis() + 86_400_000;
        world.db.execute(&format!("UPDATE inboxes SET parked_at = 1, failing_since = 1, due_at = {tomorrow} WHERE failing_since > 0"));
        world.peer.behaves(Behaviour::Answer(202));
        let mut forged =
            world.citizen.letter(&world.gateway.url("/ap/inbox"), &world.citizen.activity("View", world.citizen.id.clone()));
        forged.key = Key::OTHER;
        assert_eq!(forged.send().await.status, 401);
        assert_eq!((counted("parked_at IS NOT NULL"), world.peer.count("Create")), (1, 0), "not by a forgery");
        speaks(&world, &world.peer).await;
        world.created("De dijk").await;
        until("it is healthy", || counted("parked_at IS NOT NULL OR failing_since IS NOT NULL") == 0).await;
    }
}

async fn reactions_are_counted_once_and_taken_back(world: &World, id: &str) {
    let second = world.peer.account("ander");
    let like = world.citizen.activity("Like", id);
    let mut misskey = second.activity("Like", id);
    misskey["content"] = json!(":party:");
    misskey["_misskey_reaction"] = json!(":party:");
    let mut emoji = world.citizen.activity("EmojiReact", id);
    emoji["content"] = json!("🎉");
    let boost = second.activity("Announce", id);
    for (account, activity) in
        [(&world.citizen, &like), (&second, &misskey), (&world.citizen, &emoji), (&second, &boost), (&second, &boost)]
    {
        account.says(&world.gateway, activity).await;
    }
    let counted = reactions(&world.gateway, id).await;
    assert_eq!(counted, json!({ "boost": 1, "emoji": 2, "like": 1 }));

    second.says(&world.gateway, &second.activity("Undo", boost)).await;
    world.citizen.says(&world.gateway, &world.citizen.activity("Undo", like["id"].clone())).await;
    second.says(&world.gateway, &second.activity("Undo", misskey)).await;
    let counted = reactions(&world.gateway, id).await;
    assert_eq!(counted, json!({ "emoji": 1 }));
}

async fn replies_and_mentions_are_kept(world: &World, id: &str) {
    let text = "<p>Hoe <b>hoog</b>?<script>alert(1)</script><img src=x onerror=alert(1)></p>";
    let mut note = world.citizen.reply(id, &world.gateway.actor(), text);
    note["contentMap"] = json!({ "nl": text });
    world.citizen.says(&world.gateway, &world.citizen.create(&note)).await;
    let kept = messages(&world.gateway).await;
    assert_eq!(kept.len(), 1);
    let message = &kept[0];
    assert_eq!(message["author_url"], json!(world.citizen.id));
    assert_eq!(message["author_handle"], json!(format!("@burger@{}", world.peer.authority())));
    assert_eq!((&message["visibility"], &message["in_reply_to"]), (&json!("public"), &json!(id)));
    assert_eq!((&message["language"], &message["url"]), (&json!("nl"), &note["id"]));
    assert_eq!(message["post_id"].as_str().unwrap(), id.rsplit('/').next().unwrap());
    let html = message["html"].as_str().unwrap();
    assert!(html.contains("hoog") && !html.contains("script") && !html.contains("onerror"), "{html}");

    world.citizen.says(&world.gateway, &world.citizen.create(&note)).await;
    let mut mention = world.citizen.note("<p>Hallo @nieuws</p>");
    mention["tag"] = json!([{ "type": "Mention", "href": world.gateway.actor(), "name": "@nieuws" }]);
    world.citizen.says(&world.gateway, &world.citizen.create(&mention)).await;
    assert_eq!(messages(&world.gateway).await.len(), 2, "a repeated one counts once, a mention is one too");
    let other = world.citizen.note("<p>Iets heel anders</p>");
    world.citizen.says(&world.gateway, &world.citizen.create(&other)).await;
    assert_eq!(messages(&world.gateway).await.len(), 2, "what is not about us is not kept");
}
