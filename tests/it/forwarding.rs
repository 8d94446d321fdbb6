//! Activities that come by way of another than their author: taken when the author's integrity proof holds (FEP-8b32), and else not.

use serde_json::{Value, json};

use crate::harness::{Account, Peer, ProofKey, Reply, World, both, until};

/// A writer with a key for what they say, and somebody else who passes it on.
fn people(world: &World) -> (Account, ProofKey, Account) {
    let (writer, key) = (world.peer.account("schrijver"), ProofKey::generate());
    writer.asserts(&key);
    (writer, key, Peer::start().account("doorgever"))
}

/// A public reply to a post, as an activity.
async fn reply(world: &World, writer: &Account) -> Value {
    let post = world.published("dijk", "De dijk").await.activity["object"]["id"].as_str().unwrap().to_owned();
    writer.create(&writer.reply(&post, &world.gateway.actor(), "<p>Goed nieuws</p>"))
}

async fn forwards(world: &World, by: &Account, activity: &Value) -> Reply {
    by.letter(&world.gateway.url("/ap/inbox"), activity).send().await
}

fn messages(world: &World) -> i64 {
    world.db.number("SELECT COUNT(*) FROM messages")
}

both! {
    async fn what_is_forwarded_is_taken_when_its_authors_proof_holds(db: Database) {
        let world = World::new(db).await;
        let (writer, key, by) = people(&world);
        let create = key.attest(&reply(&world, &writer).await, &writer.proof_key_id());
        let answer = forwards(&world, &by, &create).await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        until("the reply is kept", || messages(&world) == 1).await;
        let author = world.db.lines("SELECT author_url AS t FROM messages");
        assert_eq!(author.join(" "), writer.id, "it is the writer's, not the one's who passed it on");
        assert_eq!(forwards(&world, &by, &create).await.status, 202);
        assert_eq!(messages(&world), 1, "once");
    }

    async fn what_was_tampered_with_on_the_way_is_refused(db: Database) {
        let world = World::new(db).await;
        let (writer, key, by) = people(&world);
        let good = key.attest(&reply(&world, &writer).await, &writer.proof_key_id());
        let mut changed = good.clone();
        changed["object"]["content"] = json!("<p>Slecht nieuws</p>");
        let mut added = good.clone();
        added["cc"] = json!(["https://www.w3.org/ns/activitystreams#Public"]);
        let mut bare = good.clone();
        bare.as_object_mut().unwrap().remove("proof");
        let other = ProofKey::generate().attest(&reply_of(&good), &writer.proof_key_id());
        let borrowed = key.attest(&reply_of(&good), &by.proof_key_id());
        by.asserts(&key);
        for (what, activity) in [("changed", changed), ("added to", added), ("no proof", bare), ("another key", other), ("a key of another", borrowed)] {
            let answer = forwards(&world, &by, &activity).await;
            assert_eq!(answer.status, 401, "{what}: {}", answer.text());
        }
        assert_eq!(messages(&world), 0);
        assert_eq!(forwards(&world, &by, &good).await.status, 202, "the same, as it was");
    }

    async fn what_its_sender_must_mean_is_not_taken_from_another(db: Database) {
        let world = World::new(db).await;
        let (writer, key, by) = people(&world);
        let follow = key.attest(&writer.activity("Follow", world.gateway.actor()), &writer.proof_key_id());
        let answer = forwards(&world, &by, &follow).await;
        assert_eq!(answer.status, 403, "{}", answer.text());
        assert_eq!(world.db.number("SELECT COUNT(*) FROM followers"), 1, "only the citizen follows");
    }
}

/// An activity without its proof.
fn reply_of(activity: &Value) -> Value {
    let mut bare = activity.clone();
    bare.as_object_mut().unwrap().remove("proof");
    bare
}
