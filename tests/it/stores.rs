//! Leases and transactions of the store, as several processes at once see them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use heraut::ids::{ActivityId, ActorId, InboxId, PostId};
use heraut::inbox::remote::RemoteActor;
use heraut::store::deliveries::Answer;
use heraut::store::listen::{self, Heard, Topic};
use heraut::store::posts::Due;
use heraut::store::{Db, Store, deliveries, hooks, inboxes, posts, proofs, remote, sources, survey};
use heraut::time::Timestamp;
use heraut::urls::InboxUrl;

use crate::harness::{Database, Kind, PATIENCE, both, run};

const WORKERS: usize = 8;
const NOW: Timestamp = Timestamp(1_800_000_000_000);
const LATER: Timestamp = Timestamp(1_800_000_090_000);

/// Has eight workers, each with connections of its own as a process has, lease until nothing is left; gives how often each row
/// was leased. `lease` gives the ids that it got, and `left` whether there is anything to be had.
fn lease_all<L>(db: &Database, lease: L, left: &str) -> BTreeMap<i64, usize>
where
    L: Fn(&mut Db<'_>) -> heraut::store::Queried<Vec<i64>> + Send + Sync + Copy + 'static,
{
    let leased: Arc<Mutex<BTreeMap<i64, usize>>> = Arc::default();
    let waiting = Arc::new(AtomicUsize::new(WORKERS));
    let stores: Vec<Store> = (0..WORKERS).map(|_| db.store()).collect();
    std::thread::scope(|scope| {
        for store in stores {
            let (leased, waiting) = (leased.clone(), waiting.clone());
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                // All begin together, or the first would have it all.
                waiting.fetch_sub(1, Ordering::SeqCst);
                while waiting.load(Ordering::SeqCst) > 0 {
                    std::thread::yield_now();
                }
                loop {
                    let got = runtime.block_on(store.write("lease", lease)).unwrap();
                    let mut leased = leased.lock().unwrap();
                    got.iter().for_each(|id| *leased.entry(*id).or_default() += 1);
                    drop(leased);
                    if got.is_empty() && db.number(left) == 0 {
                        return;
                    }
                }
            });
        }
    });
    Arc::into_inner(leased).unwrap().into_inner().unwrap()
}

fn each_once(leased: &BTreeMap<i64, usize>, rows: usize) {
    let twice: Vec<(&i64, &usize)> = leased.iter().filter(|(_, n)| **n != 1).collect();
    assert!(twice.is_empty(), "leased more than once: {twice:?}");
    assert_eq!(leased.len(), rows);
}

/// An agency, `n` actors, and what hangs on them.
fn actors(n: usize) -> String {
    let mut sql =
        "INSERT INTO agencies (id, name, domain, provisioned, created_at) VALUES (1, 'a', 'a.example', TRUE, 1);"
            .to_owned();
    for id in 1..=n {
        sql += &format!(
            "INSERT INTO actors (id, agency_id, handle, handle_domain, kind, language, profile, url, provisioned, created_at, \
             updated_at) VALUES ({id}, 1, 'h{id}', 'a.example', 'Organization', 'nl', '{{}}', 'https://a.example/{id}', TRUE, 1, 1);"
        );
    }
    sql
}

/// The id of a key of nobody in particular.
fn key_id(key: &str) -> String {
    format!("https://elders.example/keys/{key}")
}

/// A remote actor with that key.
fn remote_actor(name: &str, key: &str) -> RemoteActor {
    let url = format!("https://elders.example/users/{name}");
    serde_json::from_value(serde_json::json!({
        "url": url, "kind": "Person", "inbox": format!("{url}/inbox"), "username": name,
        "handle": format!("@{name}@elders.example"), "also_known_as": [],
        "key": { "id": key_id(key), "owner": url, "pem": "" },
    }))
    .unwrap()
}

/// Runs two writes so that the second begins inside the first, and the first commits only when the second is done or has to
/// wait for it.
fn overlap<A, B>(one: Store, first: A, other: Store, second: B)
where
    A: Fn(&mut Db<'_>) -> heraut::store::Queried<()> + Send + Sync + 'static,
    B: Fn(&mut Db<'_>) -> heraut::store::Queried<()> + Send + Sync + 'static,
{
    let (inside, begin) = std::sync::mpsc::channel();
    let (done, wait) = std::sync::mpsc::channel();
    let wait = Mutex::new(wait);
    let beginning = std::thread::spawn(move || {
        begin.recv().unwrap();
        block_on(other.write("write second", second)).unwrap();
        // The first may have stopped waiting.
        let _ = done.send(());
    });
    let with_the_second_inside = move |db: &mut Db<'_>| {
        first(db)?;
        inside.send(()).unwrap();
        let _ = wait.lock().unwrap().recv_timeout(Duration::from_secs(2));
        Ok(())
    };
    std::thread::spawn(move || block_on(one.write("write first", with_the_second_inside)).unwrap()).join().unwrap();
    beginning.join().unwrap();
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

both! {
    async fn eight_workers_lease_each_inbox_exactly_once(db: Database) {
        const INBOXES: i64 = 400;
        let store = db.store();
        let make = |db: &mut Db<'_>| {
            for n in 1..=INBOXES {
                let url = InboxUrl::parse(&format!("https://h{n}.example/inbox")).unwrap();
                inboxes::ensure(db, &url, InboxId(n), NOW)?;
            }
            Ok(())
        };
        store.write("make inboxes", make).await.unwrap();
        // Some in line, some that joined it by themselves, some that failed before.
        db.execute("UPDATE inboxes SET due_at = 1, turn = CASE WHEN id % 3 = 0 THEN id END, failures = CASE WHEN id % 3 = 1 THEN 1 ELSE 0 END");
        let lease = |db: &mut Db<'_>| {
            let leased = inboxes::lease(db, NOW, LATER, 7, 3)?;
            Ok(leased.into_iter().map(|inbox| inbox.id.0).collect::<Vec<i64>>())
        };
        let left = format!("SELECT COUNT(*) FROM inboxes WHERE lease_until < {}", LATER.0);
        each_once(&lease_all(&db, lease, &left), 400);
        let none = store.write("lease", lease).await.unwrap();
        assert!(none.is_empty(), "what is leased is nobody else's");
        let after = |db: &mut Db<'_>| Ok(inboxes::lease(db, LATER, Timestamp(LATER.0 + 1), 1_000, 1_000)?.len());
        assert_eq!(store.write("lease", after).await.unwrap(), 400, "until its lease has ended");
    }

    async fn an_inbox_whose_host_is_given_a_rest_is_not_leased(db: Database) {
        let store = db.store();
        let make = |db: &mut Db<'_>| {
            for (n, host) in [(1, "a"), (2, "b")] {
                let url = InboxUrl::parse(&format!("https://{host}.example/inbox")).unwrap();
                inboxes::ensure(db, &url, InboxId(n), NOW)?;
            }
            Ok(())
        };
        store.write("make inboxes", make).await.unwrap();
        db.execute("UPDATE inboxes SET due_at = 1, turn = id");
        let open = |db: &mut Db<'_>| inboxes::open_breaker(db, "a.example", 10, LATER);
        store.write("open a breaker", open).await.unwrap();
        let lease_at = |at: Timestamp| {
            move |db: &mut Db<'_>| Ok(inboxes::lease(db, at, Timestamp(at.0 + 1), 10, 10)?.into_iter().map(|i| i.id.0).collect::<Vec<_>>())
        };
        assert_eq!(store.write("lease", lease_at(NOW)).await.unwrap(), [2]);
        let mut both = store.write("lease", lease_at(LATER)).await.unwrap();
        both.sort_unstable();
        assert_eq!(both, [1, 2]);
    }

    async fn eight_workers_lease_each_source_exactly_once(db: Database) {
        db.store();
        let settings = r#"{"schedule":"15m","policy":{},"compose":{},"language":null,"connector":{}}"#;
        let mut sql = actors(1);
        for id in 1..=60 {
            sql += &format!(
                "INSERT INTO sources (id, name, actor_id, kind, settings, provisioned, created_at, due_at) \
                 VALUES ({id}, 's{id}', 1, 'feed', '{settings}', TRUE, 1, 1);"
            );
        }
        db.execute(&sql);
        let lease = |db: &mut Db<'_>| {
            Ok(sources::lease_due(db, NOW, LATER)?.into_iter().map(|source| source.id.0).collect::<Vec<i64>>())
        };
        each_once(&lease_all(&db, lease, "SELECT COUNT(*) FROM sources WHERE lease_until = 0"), 60);
    }

    async fn eight_workers_lease_each_proof_exactly_once(db: Database) {
        db.store();
        let mut sql = actors(60);
        for id in 1..=60 {
            sql += &format!("INSERT INTO proofs (actor_id, due_at) VALUES ({id}, 1);");
        }
        db.execute(&sql);
        let lease =
            |db: &mut Db<'_>| Ok(proofs::lease_due(db, NOW, LATER)?.into_iter().map(|id| id.0).collect::<Vec<i64>>());
        each_once(&lease_all(&db, lease, "SELECT COUNT(*) FROM proofs WHERE lease_until = 0"), 60);
    }

    /// A worker that is done with an inbox and a post that is owed to it must not miss each other, in whatever order they
    /// commit: otherwise what is owed lies there until something else is.
    async fn what_is_owed_while_a_worker_lets_go_of_its_inbox_is_due(db: Database) {
        for owes_first in [true, false] {
            let (one, other) = (db.store(), db.store());
            db.execute("DELETE FROM turns; DELETE FROM deliveries; DELETE FROM inboxes; DELETE FROM activities; DELETE FROM actors; DELETE FROM agencies;");
            db.execute(&actors(1));
            db.execute("INSERT INTO activities (id, actor_id, kind, bytes, created_at) VALUES (1, 1, 'Accept', '{}', 1)");
            let url = InboxUrl::parse("https://h1.example/inbox").unwrap();
            let make = move |db: &mut Db<'_>| {
                inboxes::ensure(db, &url, InboxId(1), NOW).map(|_| ())
            };
            one.write("make an inbox", make).await.unwrap();
            db.execute("UPDATE inboxes SET due_at = 1, turn = 1");
            let lease = |db: &mut Db<'_>| Ok(inboxes::lease(db, NOW, LATER, 1, 0)?.len());
            assert_eq!(one.write("lease the inbox", lease).await.unwrap(), 1);
            let owe = |db: &mut Db<'_>| deliveries::owe_answers(db, &[Answer { actor: ActorId(1), activity: ActivityId(1), inbox: InboxId(1) }], NOW);
            let release = |db: &mut Db<'_>| inboxes::release(db, &[InboxId(1)], LATER, NOW);
            if owes_first { overlap(one, owe, other, release) } else { overlap(one, release, other, owe) }
            let due = db.number("SELECT COUNT(*) FROM inboxes WHERE due_at IS NOT NULL AND turn IS NOT NULL AND lease_until <= due_at");
            let owed = db.number("SELECT COUNT(*) FROM deliveries WHERE state = 0");
            assert_eq!((owed, due), (1, 1), "owed, and due (owed first: {owes_first})");
        }
    }

    /// The check that found the proof frees what waits for it. Whoever still has the news of the check before must hold nothing
    /// after that: nobody would free it.
    async fn a_post_is_not_held_on_the_news_of_an_earlier_check(db: Database) {
        let store = db.store();
        db.execute(&actors(1));
        db.execute("INSERT INTO proofs (actor_id, due_at, checked_at) VALUES (1, 1, 7);");
        db.execute(
            r#"INSERT INTO posts (id, actor_id, state, content, revision, created_at) VALUES (1, 1, 'ready',
               '{"title":null,"html":"<p>Nieuws</p>","language":"nl","link":null,"hashtags":[],"images":[],"warning":null,"flags":[]}', 1, 1)"#,
        );
        let post = store.read("read", |db| posts::by_id(db, PostId(1))).await.unwrap().unwrap();
        for (known, held) in [(None, false), (Some(Timestamp(6)), false), (Some(Timestamp(7)), true)] {
            let post = post.clone();
            let hold = move |db: &mut Db<'_>| posts::hold_unverified(db, &post, known);
            assert_eq!(store.write("hold", hold).await.unwrap(), held, "with the check of {known:?}");
            assert_eq!(db.number("SELECT COUNT(*) FROM posts WHERE state = 'held'"), i64::from(held));
        }
    }

    async fn what_has_waited_longest_is_published_next_and_a_warning_before_it(db: Database) {
        let store = db.store();
        db.execute(&actors(1));
        let content = r#"{"title":null,"html":"<p>Nieuws</p>","language":"nl","link":null,"hashtags":[],"images":[],"warning":null,"flags":[]}"#;
        // By id: state, lane, when it was made, and when it is or was due.
        let later = NOW.0 + 1;
        for (id, state, lane, made, due) in [
            (1, "scheduled", 2, 1, later), (2, "ready", 2, 30, 0), (3, "scheduled", 2, 1, 20), (4, "published", 2, 1, 0),
            (5, "published", 0, 1, 0), (6, "scheduled", 0, 1, 60), (7, "scheduled", 0, 1, later), (8, "published", 2, 1, 0),
        ] {
            let due = if due == 0 { "NULL".to_owned() } else { due.to_string() };
            db.execute(&format!(
                "INSERT INTO posts (id, actor_id, state, lane, content, revision, created_at, due_at)
                 VALUES ({id}, 1, '{state}', {lane}, '{content}', 1, {made}, {due})"
            ));
        }
        db.execute(&format!(
            "INSERT INTO post_changes (post_id, kind, due_at, created_at) VALUES (4, 'withdraw', 40, 1), (5, 'withdraw', 50, 1),
             (8, 'withdraw', 10, 1);
             INSERT INTO post_changes (post_id, kind, due_at, created_at, reason) VALUES (3, 'withdraw', 1, 1, 'unverified');
             INSERT INTO post_changes (post_id, kind, due_at, created_at) VALUES (7, 'withdraw', {later}, 1);"
        ));
        let mut order = Vec::new();
        while let Some(due) = store.read("look", |db| posts::next_due(db, NOW)).await.unwrap() {
            let (id, rest) = match due {
                Due::Post(post) => (post.id, "UPDATE posts SET state = 'published' WHERE id ="),
                Due::Change(change) => (change.post_id, "DELETE FROM post_changes WHERE post_id ="),
            };
            db.execute(&format!("{rest} {id}"));
            order.push(id.0);
        }
        assert_eq!(order, [5, 6, 8, 2, 3, 4], "warnings, then news as they became due; of posts the older one first");
    }

    /// Two documents of one actor may be stored in another order than they were fetched.
    async fn an_older_document_of_a_remote_actor_does_not_take_the_place_of_a_newer_one(db: Database) {
        let store = db.store();
        let keep = async |who: &str, key: &str, fetched_at: i64| {
            let actor = remote_actor(who, key);
            store.write("keep", move |db| remote::upsert(db, &actor, Timestamp(fetched_at))).await.unwrap();
        };
        let owner = async |key: &str| {
            let id = key_id(key);
            let known = store.read("read a key", move |db| remote::by_key(db, &id)).await.unwrap();
            known.map(|known| (known.actor.username, known.fetched_at.0))
        };
        let owned_by = |who: &str, at: i64| Some((who.to_owned(), at));
        keep("a", "new", 20).await;
        keep("a", "old", 10).await;
        assert_eq!((owner("new").await, owner("old").await), (owned_by("a", 20), None), "the old key is not back");
        keep("a", "newest", 20).await;
        assert_eq!((owner("new").await, owner("newest").await), (None, owned_by("a", 20)), "of the same instant, the later");
        keep("b", "newest", 19).await;
        assert_eq!(owner("newest").await, owned_by("a", 20), "an older claim does not take the key away");
        keep("c", "newest", 21).await;
        assert_eq!(owner("newest").await, owned_by("c", 21), "a newer one does");
        keep("a", "newest", 20).await;
        assert_eq!(owner("newest").await, owned_by("c", 21));
        assert_eq!(db.number("SELECT COUNT(*) FROM remote_actors"), 3);
    }

    /// What alerts look at: how long deliveries wait that could be made.
    async fn what_is_owed_to_inboxes_that_work_grows_old_only_while_it_could_be_delivered(db: Database) {
        const AGE: i64 = 3_600_000;
        let store = db.store();
        db.execute(&actors(1));
        db.execute(&format!(
            "INSERT INTO activities (id, actor_id, kind, bytes, created_at) VALUES (1, 1, 'Create', '{{}}', {})",
            NOW.0 - AGE
        ));
        let url = InboxUrl::parse("https://h1.example/inbox").unwrap();
        let make = move |db: &mut Db<'_>| {
            inboxes::ensure(db, &url, InboxId(1), NOW)?;
            deliveries::owe_answers(db, &[Answer { actor: ActorId(1), activity: ActivityId(1), inbox: InboxId(1) }], NOW)
        };
        store.write("owe", make).await.unwrap();
        let table: [(_, _, i16, Option<i64>); 7] = [
            ("waits in line since it was made", format!("due_at = {}, turn = 1", NOW.0 - AGE), 0, Some(AGE)),
            ("was in line before it was made", format!("due_at = {}, turn = 1", NOW.0 - 2 * AGE), 0, Some(AGE)),
            ("is spread, and its time has come", format!("due_at = {}, turn = NULL", NOW.0 - 7), 0, Some(7)),
            ("is spread, and its time is to come", format!("due_at = {}, turn = NULL", NOW.0 + AGE), 0, None),
            ("is under way", format!("due_at = {0}, lease_until = {0}, turn = NULL", LATER.0), 0, None),
            ("its host was back a moment ago", format!("due_at = {}, turn = NULL", NOW.0 - 9), 0, Some(9)),
            ("fails", format!("due_at = {}, turn = NULL, failing_since = 1, failures = 1", NOW.0 + AGE), 1, Some(AGE)),
        ];
        for (why, set, inbox, aged) in table {
            db.execute("UPDATE inboxes SET lease_until = 0, failures = 0, failing_since = NULL");
            db.execute(&format!("UPDATE inboxes SET {set}"));
            let owed = store.read("survey", |db| survey::owed(db, NOW)).await.unwrap();
            let age = |since: Option<Timestamp>| since.map(|since| NOW.0 - since.0);
            let seen: Vec<_> = owed.iter().map(|row| (row.inbox, row.n, age(row.oldest))).collect();
            assert_eq!(seen, [(inbox, 1, aged)], "{why}");
        }
    }

    async fn a_write_that_fails_or_panics_leaves_nothing_and_the_next_one_works(db: Database) {
        let store = db.store();
        let host = |n: i64| InboxUrl::parse(&format!("https://h{n}.example/inbox")).unwrap();
        let failing = move |db: &mut Db<'_>| {
            inboxes::ensure(db, &host(1), InboxId(1), NOW)?;
            Err::<(), _>(diesel::result::Error::RollbackTransaction)
        };
        assert!(store.write("fail", failing).await.is_err());
        assert_eq!(db.number("SELECT COUNT(*) FROM inboxes"), 0);
        let panicking = move |db: &mut Db<'_>| -> heraut::store::Queried<()> {
            inboxes::ensure(db, &host(2), InboxId(2), NOW)?;
            panic!("a defect in the middle of a transaction")
        };
        assert!(store.write("panic", panicking).await.is_err());
        assert_eq!(db.number("SELECT COUNT(*) FROM inboxes"), 0);
        for n in 3..=20 {
            let good = move |db: &mut Db<'_>| inboxes::ensure(db, &host(n), InboxId(n), NOW).map(|_| ());
            let written = store.write("write", good).await;
            assert!(written.is_ok(), "after a panic: {:?}", written.map_err(|e| heraut_text(&e)));
        }
        assert_eq!(db.number("SELECT COUNT(*) FROM inboxes"), 18, "and what was written later is there");
    }

    /// A process that stood still for longer than its lease must not take it back from, or end it for, the one that has it now.
    async fn who_lost_the_lease_of_requests_neither_keeps_nor_ends_it(db: Database) {
        let store = db.store();
        db.execute(&actors(1));
        db.execute(
            "INSERT INTO sources (id, name, actor_id, kind, settings, provisioned, created_at, due_at) \
             VALUES (1, 's', 1, 'cloudevents', '{}', TRUE, 1, 1);
             INSERT INTO hook_deliveries (id, source_id, delivery_key, digest, verified_by, headers, body, received_at, due_at) \
             VALUES (1, 1, 'k', 'd', 'standard', '[]', '', 1, 1);",
        );
        let claim = |now: Timestamp, until: Timestamp| {
            let claim = move |db: &mut Db<'_>| hooks::claim(db, now, until);
            store.write("claim", claim)
        };
        let later = LATER.after(Duration::from_secs(90));
        let first = claim(NOW, LATER).await.unwrap().unwrap();
        let second = claim(LATER, later).await.unwrap().unwrap();
        assert_eq!((first.until, second.until), (LATER, later));
        let late = move |db: &mut Db<'_>| {
            hooks::release(db, first.source, &[first.until])?;
            hooks::extend(db, first.source, first.until, later.after(Duration::from_secs(1)))
        };
        assert!(!store.write("be late", late).await.unwrap());
        assert_eq!(db.number("SELECT lease_until FROM hooks"), later.0, "the other one still has it");
        let keep = move |db: &mut Db<'_>| hooks::extend(db, second.source, second.until, later.after(Duration::from_secs(1)));
        assert!(store.write("keep", keep).await.unwrap());
        let end = move |db: &mut Db<'_>| hooks::release(db, second.source, &[later, later.after(Duration::from_secs(1))]);
        store.write("end", end).await.unwrap();
        assert!(claim(NOW, LATER).await.unwrap().is_some());
    }

    async fn processes_that_start_at_once_migrate_once(db: Database) {
        std::thread::scope(|scope| {
            let opened: Vec<_> = (0..6).map(|_| scope.spawn(|| Store::open(&db.url).map(|_| ()))).collect();
            for opened in opened {
                opened.join().unwrap().unwrap_or_else(|e| panic!("{}", heraut_text(&e)));
            }
        });
        assert_eq!(db.number("SELECT COUNT(*) FROM audit"), 0);
    }
}

async fn one_that_listens(db: Database) {
    let (heard, hears) = std::sync::mpsc::channel();
    let listening = db.store().listen(move |what| {
        // The test may be over.
        let _ = heard.send(what);
    });
    assert!(listening.is_some());
    let next = || loop {
        if let Heard::Work(topic) = hears.recv_timeout(PATIENCE).unwrap() {
            return topic;
        }
    };
    for round in 0..2 {
        if round > 0 {
            db.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE datname = current_database() AND pid <> pg_backend_pid()",
            );
        }
        // Whoever begins to listen, or does so again, may have missed something.
        let all = [Topic::Deliver, Topic::Publish, Topic::Schedule, Topic::Hooks];
        assert_eq!([next(), next(), next(), next()], all, "round {round}");
        for topic in [Topic::Hooks, Topic::Schedule, Topic::Deliver, Topic::Publish] {
            db.store().write("tell", move |db| listen::tell(db, topic)).await.unwrap();
            assert_eq!(next(), topic, "round {round}");
        }
    }
}

#[test]
fn what_one_process_tells_another_hears_also_after_the_connection_broke() {
    run(one_that_listens, Kind::Postgres);
}

/// An error with its causes.
fn heraut_text(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

#[test]
fn a_database_that_cannot_be_reached_is_named_with_the_way_out_and_without_its_password() {
    let table = [
        ("postgres://heraut:geheim@127.0.0.1:1/heraut", "127.0.0.1"),
        ("sqlite:/nergens/te/vinden/heraut.db", "/nergens"),
        ("mysql://heraut:geheim@127.0.0.1/heraut", "neither"),
    ];
    for (url, part) in table {
        let Err(error) = Store::open(url) else { panic!("{url} was opened") };
        let text = heraut_text(&error);
        assert!(text.contains(part) && text.contains("database"), "{text}");
        assert!(!text.contains("geheim"), "{text}");
    }
    assert_ne!(Kind::Sqlite, Kind::Postgres);
}
