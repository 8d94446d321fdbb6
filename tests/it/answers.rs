//! `heraut deliveries` as an operator reads it: why a host did not get something.

use crate::harness::{Behaviour, Peer, Setup, World, both, eventually, until};

async fn answer(world: &World, arguments: &[&str]) -> String {
    let all: Vec<&str> = ["deliveries"].iter().chain(arguments).copied().collect();
    world.gateway.cli(&all).await.well().stdout
}

both! {
    async fn a_host_that_fails_is_answered_in_sentences(db: Database) {
        let world = World::new(db).await;
        let down = Peer::start();
        down.account("ver").follows(&world.gateway).await;
        until("its Accept came", || down.count("Accept") == 1).await;
        down.behaves(Behaviour::Answer(503));
        world.published("dijk", "De dijk").await;
        let host = down.authority();
        let told = eventually("the failure is recorded", || async {
            let told = answer(&world, &["--host", &host]).await;
            told.contains("fails since").then_some(told)
        })
        .await;
        for part in [
            format!("{host}: Create delivered 0 of 1, owed 1; the oldest owed since"),
            format!("{host}: Accept delivered 1 of 1"),
            "at 1 of its 2 inboxes".to_owned(),
            "status 503: the peer has an error of its own".to_owned(),
            "tried next at".to_owned(),
            "do: nothing here; the host has an error of its own".to_owned(),
        ] {
            assert!(told.contains(&part), "{part} is not in\n{told}");
        }
        let by_url = answer(&world, &["--host", &format!("http://{host}/users/ver")]).await;
        assert!(by_url.contains("fails since"), "{by_url}");
        let json = world.gateway.cli(&["deliveries", "--host", &host, "--json"]).await.well().json();
        assert_eq!((&json["host"]["failing"], &json["host"]["last_status"]), (&1.into(), &503.into()));
        assert_eq!(json["host"]["breaker"], "closed");
        assert!(json["answer"].as_array().is_some_and(|lines| lines.len() >= 3));
    }

    async fn a_post_is_summed_up_before_its_receipts_and_says_who_lacks_it(db: Database) {
        let world = World::new(db).await;
        let closed = Peer::start();
        closed.account("ver").follows(&world.gateway).await;
        until("its Accept came", || closed.count("Accept") == 1).await;
        closed.behaves(Behaviour::Answer(403));
        world.published("dijk", "De dijk").await;
        let id = world.db.lines("SELECT CAST(id AS TEXT) AS t FROM posts WHERE state = 'published'").remove(0);
        let told = eventually("both are settled", || async {
            let told = answer(&world, &["--post", &id]).await;
            told.contains("delivered 1 of 2, refused 1").then_some(told)
        })
        .await;
        assert!(told.starts_with(&format!("post {id}: Create delivered 1 of 2, refused 1")), "{told}");
        assert!(told.contains(&format!("host {}: refused 1", closed.authority())), "{told}");
        assert!(told.contains("403 mostly means that the host blocks"), "{told}");
        let of_host = answer(&world, &["--post", &id, "--host", &closed.authority()]).await;
        assert!(of_host.contains(&format!("post {id} to {}: Create delivered 0 of 1, refused 1", closed.authority())), "{of_host}");
    }

    async fn a_host_that_is_not_known_is_said_to_be_so(db: Database) {
        let world = World::new(db).await;
        let told = answer(&world, &["--host", "nergens.example"]).await;
        assert!(told.contains("nobody there ever followed"), "{told}");
        let close = answer(&world, &["--host", &world.peer.authority()[..6]]).await;
        assert!(close.contains(&format!("did you mean {}", world.peer.authority())), "{close}");
        assert!(answer(&world, &[]).await.starts_with("all deliveries: delivered"), "an overview");
    }

    /// While a worker has an inbox in hand, its row says when the lease ends: that is no time at which it is tried.
    async fn what_is_being_sent_is_said_to_be_so_and_not_to_be_due_when_the_lease_ends(db: Database) {
        let world = World::with(db, Setup::new().delivery("timeout = \"60s\"\nlease = \"120s\"")).await;
        let hanging = Peer::start();
        hanging.account("traag").follows(&world.gateway).await;
        until("its Accept came", || hanging.count("Accept") == 1).await;
        until("nothing is in hand", || world.db.number("SELECT COUNT(*) FROM inboxes WHERE lease_until > 0") == 0).await;
        hanging.behaves(Behaviour::Hang);
        world.published("dijk", "De dijk").await;
        until("it is on its way", || hanging.arrivals().iter().any(|a| a.kind() == "Create")).await;
        let host = hanging.authority();
        let told = answer(&world, &["--host", &host]).await;
        assert!(told.contains(&format!("{host}: Create delivered 0 of 1, owed 1")), "{told}");
        assert_eq!(told.matches("being sent now").count(), 2, "in the sum, and in the receipt:\n{told}");
        assert!(!told.contains("next at") && !told.contains("due at") && !told.contains("tried next"), "{told}");
        let json = world.gateway.cli(&["deliveries", "--host", &host, "--json"]).await.well().json();
        let of_create = |rows: &serde_json::Value| {
            let rows = rows.as_array().unwrap().iter();
            rows.filter(|row| row["kind"] == "Create").cloned().collect::<Vec<_>>().remove(0)
        };
        let (receipt, sum) = (of_create(&json["deliveries"]), of_create(&json["sums"]));
        assert!(receipt["next_at"].is_null() && sum["next_at"].is_null() && json["host"]["next_at"].is_null(), "{json}");
        assert_eq!((&receipt["sending"], &sum["sending"]), (&true.into(), &1.into()), "{json}");
    }
}
