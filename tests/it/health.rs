//! The health checks: they say what is so, and why not. That a database that goes away is told stands in `bad_input::outage`.

use crate::harness::{Setup, World, both, eventually, get_as};

/// The status, and what is wrong.
async fn asked(url: &str) -> (u16, String) {
    let reply = get_as(url, "*/*").await;
    let detail = reply.json()["detail"].as_str().unwrap_or_default().to_owned();
    assert_eq!(reply.header("cache-control"), "no-store");
    if reply.status == 503 {
        assert_eq!(reply.header("content-type"), "application/problem+json");
        assert!(reply.header("retry-after").parse::<u32>().is_ok());
    }
    (reply.status, detail)
}

both! {
    async fn both_listeners_say_that_all_is_well(db: Database) {
        let world = World::unfollowed(db, Setup::new()).await;
        for path in ["/health/live", "/health/ready"] {
            for url in [world.gateway.url(path), world.gateway.metrics_url(path)] {
                assert_eq!(asked(&url).await, (200, String::new()), "{url}");
            }
        }
    }

    async fn a_process_without_the_web_tells_its_health_on_the_listener_for_metrics(db: Database) {
        let mut world = World::unfollowed(db, Setup::new()).await;
        assert!(world.gateway.stop().await.success());
        world.gateway.spawn_as(&["serve", "--role", "ingest,deliver"]);
        eventually("it is ready", || async {
            let ready = crate::harness::try_request("GET", &world.gateway.metrics_url("/health/ready"), &[], b"").await;
            ready.is_ok_and(|reply| reply.status == 200).then_some(())
        })
        .await;
        assert_eq!(asked(&world.gateway.metrics_url("/health/live")).await.0, 200);
        for role in ["poll", "publish", "verify", "deliver"] {
            let age = world.gateway.metric(&format!("heraut_loop_age_seconds{{loop=\"{role}\"}}")).await;
            assert!(age.is_some(), "the {role} loop runs here");
        }
        let public = crate::harness::try_request("GET", &world.gateway.url("/health/live"), &[], b"").await;
        assert!(public.is_err(), "nothing public is served");
    }

    async fn a_database_without_our_migrations_is_not_ready_until_it_has_them(db: Database) {
        let world = World::unfollowed(db, Setup::new()).await;
        let ready = world.gateway.url("/health/ready");
        world.db.execute("UPDATE __diesel_schema_migrations SET version = 'away' || version");
        let (status, detail) = asked(&ready).await;
        assert_eq!(status, 503);
        assert!(detail.contains("heraut migrate"), "{detail}");
        assert_eq!(asked(&world.gateway.url("/health/live")).await.0, 200, "starting it anew would not help");
        world.db.execute("UPDATE __diesel_schema_migrations SET version = REPLACE(version, 'away', '')");
        assert_eq!(asked(&ready).await.0, 200);
    }
}
