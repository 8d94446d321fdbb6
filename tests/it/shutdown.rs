//! SIGTERM: nothing new is begun, what is on its way is recorded, and it ends in time whatever others do.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Behaviour, Peer, Setup, World, both, until};

/// The gateway promises 10 s. A slow peer would hold it for a minute, an open connection for more than one: on a busy machine
/// this is still far from either.
const IN_TIME: Duration = Duration::from_secs(25);

/// An open connection that was used once and may be used again.
async fn kept_alive(authority: &str) -> TcpStream {
    let mut stream = TcpStream::connect(authority).await.unwrap();
    stream.write_all(format!("GET /health/live HTTP/1.1\r\nhost: {authority}\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = [0; 1024];
    let n = stream.read(&mut answer).await.unwrap();
    assert!(answer[..n].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..n]));
    stream
}

both! {
    async fn a_slow_peer_and_an_open_connection_hold_nobody_up_and_what_was_answered_is_recorded(db: Database) {
        let setup = Setup::new().delivery("timeout = \"60s\"\nlease = \"120s\"");
        let mut world = World::with(db, setup).await;
        let hanging = Peer::start();
        hanging.account("traag").follows(&world.gateway).await;
        world.peer.behaves(Behaviour::Slow(Duration::from_secs(3), 202));
        hanging.behaves(Behaviour::Hang);
        let _idle = kept_alive(&world.gateway.authority()).await;
        let _silent = TcpStream::connect(world.gateway.authority()).await.unwrap();
        let count = |peer: &Peer| peer.arrivals().iter().filter(|a| a.kind() == "Create").count();
        world.site.publish("dijk", "De dijk", "<p>Hij houdt.</p>");
        until("the post is on its way to both", || count(&world.peer) == 1 && count(&hanging) == 1).await;

        let begun = Instant::now();
        let status = world.gateway.stop().await;
        let took = begun.elapsed();
        eprintln!("stopped after {took:?}");
        assert_eq!(status.code(), Some(0), "{}", world.gateway.log());
        assert!(took < IN_TIME, "it took {took:?}");
        let creates = |state: i32| {
            world.db.number(&format!(
                "SELECT COUNT(*) FROM deliveries d JOIN activities a ON a.id = d.activity_id WHERE a.kind = 'Create' AND d.state = {state}"
            ))
        };
        assert_eq!((creates(1), creates(0)), (1, 1), "the answered one is recorded, the other is owed still");
        let log = world.gateway.log();
        assert!(log.contains("stopping: nothing new is begun") && !log.contains("panicked"), "{log}");

        hanging.behaves(Behaviour::Answer(202));
        // On PostgreSQL its lease would have to end first; on SQLite the next process is alone and frees it.
        world.db.execute("UPDATE inboxes SET lease_until = 0, due_at = 1 WHERE lease_until > 0");
        world.gateway.restart().await;
        hanging.takes_a("Create").await;
        assert_eq!(count(&world.peer), 1, "what was recorded is not sent again");
    }

    async fn nothing_new_is_begun_after_the_signal(db: Database) {
        let mut world = World::new(db).await;
        world.peer.behaves(Behaviour::Slow(Duration::from_secs(2), 202));
        for n in 0..5 {
            world.site.publish(&format!("bericht-{n}"), &format!("Bericht {n}"), "<p>Tekst.</p>");
        }
        let creates = || world.peer.arrivals().iter().filter(|a| a.kind() == "Create").count();
        until("the first is on its way", || creates() > 0).await;
        assert_eq!(world.gateway.stop().await.code(), Some(0));
        let sent = creates();
        assert!(sent < 5, "one inbox is sent one thing at a time, and each takes seconds: {sent}");
        let recorded = "SELECT COUNT(*) FROM deliveries d JOIN activities a ON a.id = d.activity_id WHERE a.kind = 'Create' AND d.state = 1";
        assert_eq!(world.db.number(recorded), i64::try_from(sent).unwrap(), "what was sent is recorded");
    }

    async fn of_the_posts_that_are_due_no_further_one_is_published_after_the_signal(db: Database) {
        let mut world = World::new(db).await;
        let soon = chrono::Utc::now().timestamp_millis() + 1_500;
        let due: Vec<String> = (1..=6).map(|n| World::post_by_hand(n, 2, "scheduled", soon)).collect();
        world.db.execute(&due.concat());
        let holding = world.db.hold_publishing();
        // By then the first of them waits to be stored. Were it not so, there would be nothing to see.
        tokio::time::sleep(Duration::from_secs(3)).await;
        let log = world.gateway.folder().join("log");
        let stopping = move || std::fs::read_to_string(&log).unwrap().contains("stopping: nothing new is begun");
        let releasing = tokio::spawn(async move {
            until("it stops", stopping).await;
            holding.release("SELECT 1");
        });
        assert_eq!(world.gateway.stop().await.code(), Some(0), "{}", world.gateway.log());
        releasing.await.unwrap();
        let published = world.db.number("SELECT COUNT(*) FROM posts WHERE state = 'published'");
        assert!(published <= 1, "{published} of 6 were published");
    }
}
