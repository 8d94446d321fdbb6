//! Another judge: fediverse-pasture on bovine, from PyPI. Its actors read ours, follow it, verify what it sends, and send what it
//! has to refuse. It speaks draft-cavage alone.

use serde_json::{Value, json};

use crate::harness::{Setup, World, both, until};
use crate::script::Script;

/// A gateway, and pasture. Dropped in this order.
struct Meeting {
    pasture: Script,
    world: World,
}

/// What came to one of pasture's inboxes and was verified there.
fn arrival(pasture: &Script, kind: &str) -> Value {
    let came = pasture.next(&format!("that a {kind} came"), |m| m["event"] == "inbox" && m["activity"]["type"] == kind);
    came["activity"].clone()
}

both! {
    async fn pasture_finds_and_follows_and_verifies_what_it_is_sent(db: Database) {
        let world = World::unfollowed(db, Setup::new()).await;
        let m = Meeting { pasture: Script::oracle("pasture.py"), world };
        let (gateway, pasture) = (&m.world.gateway, &m.pasture);
        let judged = pasture.tell(json!({ "do": "judge", "actor": gateway.actor() }));
        let verdict = &judged["verdict"];
        assert_eq!(verdict["webfinger"], true, "{judged:#}");
        // Alice and Dean do not sign. Emily and Frank do, and have no name: nobody could tell whose text that is.
        for (name, taken) in
            [("alice", false), ("bob", true), ("claire", true), ("dean", false), ("emily", false), ("frank", false)]
        {
            assert_eq!(verdict[name], json!({ "get_actor": true, "post_inbox": taken }), "{name}: {judged:#}");
        }

        let by_handle = format!("acct:nieuws@{}", gateway.authority());
        let judged = pasture.tell(json!({ "do": "judge", "actor": by_handle }));
        assert_eq!(judged["verdict"]["claire"]["post_inbox"], true, "{judged:#}");

        // Bob wants signatures at his inbox, Claire also where her document is read.
        for by in ["bob", "claire"] {
            let follow = pasture.tell(json!({ "do": "follow", "actor": gateway.actor(), "by": by }));
            assert_eq!(follow["status"], 202, "{follow:#}");
            let accept = arrival(pasture, "Accept");
            assert_eq!((&accept["actor"], &accept["object"]["id"]), (&json!(gateway.actor()), &follow["activity"]), "{accept:#}");
        }
        m.world.site.publish("dijk", "De dijk", "<p>Over de dijk.</p>");
        for _ in 0..2 {
            let create = arrival(pasture, "Create");
            assert!(create["object"]["content"].as_str().unwrap().contains("De dijk"), "{create:#}");
        }
        until("both receipts", || m.world.deliveries(1) == 2).await;
    }

    async fn what_pasture_changes_after_it_signed_is_refused(db: Database) {
        let world = World::unfollowed(db, Setup::new()).await;
        let m = Meeting { pasture: Script::oracle("pasture.py"), world };
        let tampered = |how: &str| {
            m.pasture.tell(json!({ "do": "tampered", "actor": m.world.gateway.actor(), "by": "claire", "how": how }))
        };
        for how in ["body", "date", "path"] {
            assert_eq!(tampered(how)["status"], 401, "{how}");
        }
        assert_eq!(m.world.db.number("SELECT COUNT(*) FROM followers"), 0);
        assert_eq!(tampered("none")["status"], 202, "the same unaltered");
        arrival(&m.pasture, "Accept");
    }
}
