//! What is kept is never wrong: what a crowd reads is what an agency says now.

use std::time::Instant;

use actix_web::http::Method;
use diesel::RunQueryDsl;

use super::*;
use crate::web::kept::{Answer, KEPT_FOR, Kept, Key, Look};

async fn eventually_gone(world: &World, url: &str) {
    for _ in 0..2_400 {
        if world.get(url, AP).await.status == 410 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{url} is still there");
}

#[actix_web::test]
async fn a_withdrawn_post_is_gone_at_once_although_it_was_kept() {
    let world = World::new().await;
    let id = world.published("Dijk").await;
    let (object, page) = (world.gateway.base.object(id), world.gateway.base.post_page("nieuws", id));
    let outbox = format!("{}/outbox?page=first", world.actor.url);
    for _ in 0..2 {
        assert_eq!(world.get(object.as_str(), AP).await.status, 200);
        assert_eq!(world.get(&page, BROWSER).await.status, 200);
        assert!(world.get("/@nieuws", BROWSER).await.body.contains("Dijk"));
        assert!(world.get(&outbox, AP).await.body.contains("Dijk"));
        assert!(world.get("/tags/HoogWater", BROWSER).await.body.contains("Dijk"));
    }
    world.change(id, Change::Withdraw).await;
    assert_eq!(world.get(object.as_str(), AP).await.status, 410);
    assert_eq!(world.get(&page, BROWSER).await.status, 410);
    assert!(!world.get("/@nieuws", BROWSER).await.body.contains("Dijk"));
    assert!(!world.get(&outbox, AP).await.body.contains("Dijk"));
    assert!(!world.get("/tags/HoogWater", BROWSER).await.body.contains("Dijk"));
    let tombstone = world.get(object.as_str(), AP).await;
    assert_eq!((tombstone.status, tombstone.json()["type"].as_str()), (410, Some("Tombstone")), "kept as well");
}

#[actix_web::test]
async fn an_edit_shows_at_once_although_the_post_was_kept() {
    let world = World::new().await;
    let id = world.published("Dijk").await;
    let object = world.gateway.base.object(id);
    let before = world.get(object.as_str(), AP).await;
    world.change(id, Change::Edit(content("Brug"))).await;
    let known = before.header(header::ETAG).to_owned();
    let request = world.request(object.as_str()).insert_header((header::ACCEPT, AP));
    let after = world.ask(request.insert_header((header::IF_NONE_MATCH, known))).await;
    assert_eq!(after.status, 200, "the tag of the old text does not fit");
    assert!(after.body.contains("Brug") && !after.body.contains("Dijk"), "{}", after.body);
    assert!(world.get("/@nieuws", BROWSER).await.body.contains("Brug"));
}

#[actix_web::test]
async fn what_another_process_withdraws_is_gone_too() {
    let world = World::new().await;
    let other = Store::open(&format!("sqlite:{}", world.dir.path().join("heraut.db").display())).unwrap();
    // On a machine so busy that the answer grows too old to be given again meanwhile, once more.
    for _ in 0..3 {
        let id = world.published("Dijk").await;
        let object = world.gateway.base.object(id);
        let kept_at = Instant::now();
        assert_eq!(world.get(object.as_str(), AP).await.status, 200);
        let post = other.read("read a post", move |db| posts::by_id(db, id)).await.unwrap().unwrap();
        let gone = Post { state: PostState::Withdrawn(now()), ..post };
        other.write("withdraw a post", move |db| posts::update(db, &gone)).await.unwrap();
        eventually_gone(&world, object.as_str()).await;
        if kept_at.elapsed() < KEPT_FOR {
            return;
        }
    }
    panic!("it is gone only when answers grow too old");
}

#[actix_web::test]
async fn a_post_that_is_not_public_is_not_kept_and_shows_once_it_is() {
    let world = World::new().await;
    let later = PostState::Scheduled(now().after(Duration::from_secs(3_600)));
    let id = world.post(later, content("Embargo")).await;
    let object = world.gateway.base.object(id);
    assert_eq!(world.get(object.as_str(), AP).await.status, 404);
    assert!(!world.get("/@nieuws", BROWSER).await.body.contains("Embargo"));
    let read = move |db: &mut crate::store::Db<'_>| posts::by_id(db, id);
    let post = world.gateway.store.read("read a post", read).await.unwrap().unwrap();
    let ready = Post { state: PostState::Ready, ..post };
    world.gateway.store.write("release a post", move |db| posts::update(db, &ready)).await.unwrap();
    publish::run_due(&world.gateway).await.unwrap();
    assert_eq!(world.get(object.as_str(), AP).await.status, 200);
    assert!(world.get("/@nieuws", BROWSER).await.body.contains("Embargo"));
}

#[actix_web::test]
async fn a_proof_that_holds_no_longer_shows_at_once() {
    let world = World::new().await;
    let verified = world.get("/@nieuws", BROWSER).await;
    assert_eq!(world.get("/@nieuws", BROWSER).await.body, verified.body);
    world.prove(false).await;
    assert_ne!(world.get("/@nieuws", BROWSER).await.body, verified.body);
}

#[actix_web::test]
async fn who_has_the_bytes_gets_304_from_what_is_kept_too_and_whoever_has_not_gets_them() {
    let world = World::new().await;
    let id = world.published("Dijk").await;
    let object = world.gateway.base.object(id);
    for coding in ["identity", "gzip", "br"] {
        let ask = |tag: Option<String>, method: Method| {
            let request = world.request(object.as_str()).method(method).insert_header((header::ACCEPT, AP));
            let request = request.insert_header((header::ACCEPT_ENCODING, coding));
            match tag {
                Some(tag) => world.ask(request.insert_header((header::IF_NONE_MATCH, tag))),
                None => world.ask(request),
            }
        };
        // The first to come has some other bytes already.
        let first = ask(Some("\"other\"".to_owned()), Method::GET).await;
        assert_eq!(first.status, 200, "{coding}");
        let second = ask(None, Method::GET).await;
        assert_eq!((second.status, &second.body), (200, &first.body), "{coding}");
        let names = [header::ETAG, header::VARY, header::CACHE_CONTROL, header::CONTENT_TYPE, header::CONTENT_ENCODING];
        for name in names.into_iter().chain([header::CONTENT_SECURITY_POLICY, header::LINK]) {
            assert_eq!(first.header(name.clone()), second.header(name.clone()), "{coding} {name}");
        }
        assert_ne!(first.header("x-request-id".parse().unwrap()), second.header("x-request-id".parse().unwrap()));
        let third = ask(Some(first.header(header::ETAG).to_owned()), Method::GET).await;
        assert_eq!((third.status, third.body.as_str()), (304, ""), "{coding}");
        assert_eq!(third.header(header::ETAG), first.header(header::ETAG).trim_start_matches("W/"));
        assert_eq!(third.header(header::CONTENT_TYPE), "");
        assert_eq!(ask(None, Method::HEAD).await.status, 200, "{coding}");
    }
}

#[actix_web::test]
async fn each_reader_gets_the_form_and_language_asked_for() {
    let world = World::new().await;
    let id = world.published("Dijk").await;
    let (object, page) = (world.gateway.base.object(id), world.gateway.base.post_page("nieuws", id));
    for _ in 0..2 {
        assert_eq!(world.get(object.as_str(), AP).await.status, 200);
        assert_eq!(world.get(object.as_str(), BROWSER).await.status, 303);
        assert_eq!(world.get(&page, AP).await.status, 303);
        for (language, words) in [("nl", "lang=\"nl\""), ("en", "lang=\"en\""), ("fy", "lang=\"nl\"")] {
            let request = world.request(&page).insert_header((header::ACCEPT, BROWSER));
            let answer = world.ask(request.insert_header((header::ACCEPT_LANGUAGE, language))).await;
            assert!(answer.body.contains(&format!("<html {words}")), "{language}: {}", &answer.body[..200]);
        }
        let tracked = world.get(&format!("{page}?utm_source=x"), BROWSER).await;
        assert_eq!(tracked.status, 200);
    }
}

#[actix_web::test]
async fn followers_are_counted_afresh_and_other_hosts_get_nothing_that_is_kept() {
    let world = World::new().await;
    let key = |request: TestRequest| Key::of(&request.to_srv_request(), "social.example", &world.gateway.hosts_seen());
    let kept = |path: &str| key(world.request(path));
    assert!(kept("/ap/a/1").is_some() && kept("/@nieuws").is_some() && kept("/").is_some());
    assert_eq!(kept("/@nieuws?utm_source=x"), kept("/@nieuws"));
    assert_ne!(kept("/@nieuws?before=7"), kept("/@nieuws"));
    for path in ["/ap/a/1/followers", "/ap/q/1", "/media/1.png", "/health/ready", "/ap/inbox", "/assets/style.css"] {
        assert_eq!(kept(path), None, "{path}");
    }
    assert_eq!(key(world.request("/@nieuws").method(Method::POST)), None);
    assert_eq!(key(TestRequest::with_uri("/@nieuws").insert_header((header::HOST, "evil.example"))), None);
    assert_eq!(key(world.request(&format!("/@{}", "x".repeat(600)))), None, "a long path is not kept");
}

#[actix_web::test]
async fn a_query_that_is_read_is_not_taken_for_one_that_is_not_however_it_is_written() {
    let world = World::new().await;
    let key =
        |path: &str| Key::of(&world.request(path).to_srv_request(), "social.example", &world.gateway.hosts_seen());
    for query in ["before=7", "b%65fore=7", "utm_source=x&%62efore=7", "before", "%62efore", "before=1&before=2"] {
        assert_ne!(key(&format!("/@nieuws?{query}")), key("/@nieuws"), "{query}");
    }
    for query in ["page=first", "p%61ge=first", "page", "a=b&page=first"] {
        assert_ne!(key(&format!("/ap/a/1/outbox?{query}")), key("/ap/a/1/outbox"), "{query}");
    }
    for query in ["utm_source=a%20b", "beforehand=1", "be+fore=1", "nobefore=1", "x=before=7", "Before=7"] {
        assert_eq!(key(&format!("/@nieuws?{query}")), key("/@nieuws"), "{query}");
    }
    assert_eq!(key("/ap/a/1/%66ollowers"), None, "nor is a path");
    let older = world.published("Dijk").await;
    world.published("Brug").await;
    let page = world.get(&format!("/@nieuws?b%65fore={older}"), BROWSER).await;
    assert!(page.status == 200 && !page.body.contains("Brug"), "{}", page.body);
    assert!(world.get("/@nieuws", BROWSER).await.body.contains("Brug"), "what another one asked for stands there");
}

#[actix_web::test]
async fn a_crowd_before_a_cold_page_has_it_made_once() {
    let world = World::new().await;
    let kept = Kept::new(world.gateway.clone());
    let key = Key::of(&world.request("/@nieuws").to_srv_request(), kept.ours(), &world.gateway.hosts_seen()).unwrap();
    let Look::Missing(seat) = kept.look(&key).await else { panic!("nothing is kept yet") };
    let others: Vec<_> = (0..50).map(|_| kept.look(&key)).collect();
    let make = async {
        tokio::task::yield_now().await;
        seat.keep(Answer::new(actix_web::http::StatusCode::OK, &HeaderMap::new(), "page".into()));
    };
    let (found, ()) = futures::future::join(futures::future::join_all(others), make).await;
    assert!(found.iter().all(|look| matches!(look, Look::Found(_))));
}

#[actix_web::test]
async fn a_page_that_cannot_be_made_holds_nobody_up() {
    let world = World::new().await;
    let kept = Kept::new(world.gateway.clone());
    let key = Key::of(&world.request("/@nieuws").to_srv_request(), kept.ours(), &world.gateway.hosts_seen()).unwrap();
    let Look::Missing(seat) = kept.look(&key).await else { panic!("nothing is kept yet") };
    let others: Vec<_> = (0..5).map(|_| kept.look(&key)).collect();
    let fail = async { drop(seat) };
    let (found, ()) = futures::future::join(futures::future::join_all(others), fail).await;
    assert!(found.iter().all(|look| matches!(look, Look::Missing(_))), "each makes its own");
}

#[actix_web::test]
async fn readers_do_not_ask_a_database_that_fails_one_after_the_other() {
    let world = World::new().await;
    let kept = Kept::new(world.gateway.clone());
    let key = Key::of(&world.request("/@nieuws").to_srv_request(), kept.ours(), &world.gateway.hosts_seen()).unwrap();
    let rename = async |from: &'static str, to: &'static str| {
        let rename = move |db: &mut crate::store::Db<'_>| {
            crate::on!(db, c => diesel::sql_query(format!("ALTER TABLE {from} RENAME TO {to}")).execute(c)).map(|_| ())
        };
        world.gateway.store.write("rename a table", rename).await.unwrap();
    };
    rename("public_versions", "nowhere").await;
    assert!(matches!(kept.look(&key).await, Look::Unknown));
    assert!(kept.failed_at().await.is_some(), "that it failed is remembered");
    rename("nowhere", "public_versions").await;
    *kept.failed_at().await = Some(Instant::now() + Duration::from_secs(3_600));
    assert!(matches!(kept.look(&key).await, Look::Unknown), "nobody asks a moment later");
    *kept.failed_at().await = Instant::now().checked_sub(Duration::from_secs(1));
    assert!(matches!(kept.look(&key).await, Look::Missing(_)), "it is asked again after a while");
    assert!(kept.failed_at().await.is_none());
}

#[actix_web::test]
async fn what_was_made_while_something_changed_is_not_given_to_others() {
    let world = World::new().await;
    let id = world.published("Dijk").await;
    let kept = Kept::new(world.gateway.clone());
    let key = Key::of(&world.request("/@nieuws").to_srv_request(), kept.ours(), &world.gateway.hosts_seen()).unwrap();
    let Look::Missing(seat) = kept.look(&key).await else { panic!("nothing is kept yet") };
    world.change(id, Change::Withdraw).await;
    seat.keep(Answer::new(actix_web::http::StatusCode::OK, &HeaderMap::new(), "Dijk".into()));
    assert!(matches!(kept.look(&key).await, Look::Missing(_)));
}
