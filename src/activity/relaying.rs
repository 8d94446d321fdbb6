//! What the instance actor says to relays (FEP-ae0c): it follows them, leaves them, answers their Follow, and tells those of LitePub's
//! style of posts.

use serde_json::{Map, Value, json};

use crate::activity::{AS_CONTEXT, PUBLIC, essence, put};
use crate::actor::relay::RelayStyle;
use crate::actor::verification::InstanceActor;
use crate::ids::PostId;
use crate::time::Timestamp;
use crate::urls::{ActorUrl, Base, RelayActivity};

/// Our Follow with that number: of the public collection, or of the relay's actor.
fn follow(instance: &InstanceActor, base: &Base, style: RelayStyle, relay: Option<&ActorUrl>, number: i64) -> Value {
    let object = match (style, relay) {
        (RelayStyle::LitePub, Some(relay)) => relay.as_str(),
        _ => PUBLIC,
    };
    let mut follow = Map::new();
    put(&mut follow, "id", json!(base.relay_activity(RelayActivity::Follow, number)));
    put(&mut follow, "type", json!("Follow"));
    put(&mut follow, "actor", json!(instance.url.as_str()));
    if let (RelayStyle::LitePub, Some(relay)) = (style, relay) {
        put(&mut follow, "to", json!([relay.as_str()]));
    }
    put(&mut follow, "object", json!(object));
    Value::Object(follow)
}

fn bytes(mut activity: Value) -> Vec<u8> {
    let mut whole = Map::new();
    put(&mut whole, "@context", json!(AS_CONTEXT));
    whole.extend(activity.as_object_mut().map(std::mem::take).unwrap_or_default());
    Value::Object(whole).to_string().into_bytes()
}

/// `Follow` of a relay.
pub fn follow_relay(
    instance: &InstanceActor,
    base: &Base,
    style: RelayStyle,
    relay: Option<&ActorUrl>,
    number: i64,
) -> Vec<u8> {
    bytes(follow(instance, base, style, relay, number))
}

/// `Undo` of that Follow.
pub fn leave_relay(
    instance: &InstanceActor,
    base: &Base,
    style: RelayStyle,
    relay: Option<&ActorUrl>,
    number: i64,
) -> Vec<u8> {
    let follow = follow(instance, base, style, relay, number);
    let mut undo = Map::new();
    put(&mut undo, "id", json!(base.relay_activity(RelayActivity::Undo, number)));
    put(&mut undo, "type", json!("Undo"));
    put(&mut undo, "actor", json!(instance.url.as_str()));
    if let Some(to) = follow.get("to") {
        put(&mut undo, "to", to.clone());
    }
    put(&mut undo, "object", follow);
    bytes(Value::Object(undo))
}

/// `Accept` of the relay's own Follow of the instance actor: those of LitePub's style follow back.
pub fn accept_relay(instance: &InstanceActor, base: &Base, asked: &Value, number: i64) -> Vec<u8> {
    let asked = essence(asked);
    let mut accept = Map::new();
    put(&mut accept, "id", json!(base.relay_activity(RelayActivity::Accept, number)));
    put(&mut accept, "type", json!("Accept"));
    put(&mut accept, "actor", json!(instance.url.as_str()));
    if let Some(asker) = asked.get("actor") {
        put(&mut accept, "to", json!([asker]));
    }
    put(&mut accept, "object", asked);
    bytes(Value::Object(accept))
}

/// `Announce` of a post to a relay of LitePub's style, which receivers then read from us. `published` must not be before that of the
/// post, or Misskey drops it; Akkoma wants both `to` and `cc`.
pub fn announce(instance: &InstanceActor, base: &Base, relay: &ActorUrl, post: PostId, published: Timestamp) -> Vec<u8> {
    bytes(json!({
        "id": base.relay_activity(RelayActivity::Announce, post.0),
        "type": "Announce",
        "actor": instance.url.as_str(),
        "published": published.to_rfc3339(),
        "to": [base.below(&instance.url, "followers"), relay.as_str()],
        "cc": [PUBLIC],
        "object": base.object(post).as_str(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::verification::tests::verified;

    fn instance() -> (InstanceActor, Base) {
        let base = Base::parse("https://social.example.nl").unwrap();
        let keys = verified().actor().keys.clone();
        (InstanceActor::new(&base, keys, Timestamp(0)), base)
    }

    fn read(bytes: Vec<u8>) -> Value {
        serde_json::from_slice(&bytes).unwrap()
    }

    #[test]
    fn a_follow_is_of_the_public_or_of_the_relay_itself() {
        let (instance, base) = instance();
        let relay = ActorUrl::parse("https://relay.example/relay").unwrap();
        let mastodon = read(follow_relay(&instance, &base, RelayStyle::Mastodon, None, 7));
        assert_eq!(mastodon["object"], PUBLIC);
        assert_eq!(mastodon["actor"], "https://social.example.nl/ap/instance");
        let litepub = read(follow_relay(&instance, &base, RelayStyle::LitePub, Some(&relay), 7));
        assert_eq!((litepub["object"].as_str(), litepub["to"][0].as_str()), (Some(relay.as_str()), Some(relay.as_str())));
        let undo = read(leave_relay(&instance, &base, RelayStyle::Mastodon, None, 7));
        assert_eq!(undo["object"]["id"], mastodon["id"]);
        assert_eq!(base.read_relay_follow(mastodon["id"].as_str().unwrap()), Some(7));
        assert_ne!(undo["id"], mastodon["id"]);
    }

    #[test]
    fn an_announce_names_the_post_by_its_id() {
        let (instance, base) = instance();
        let relay = ActorUrl::parse("https://relay.example/relay").unwrap();
        let announce = read(announce(&instance, &base, &relay, PostId(9), Timestamp(1_000)));
        assert_eq!(announce["object"], "https://social.example.nl/ap/o/9");
        assert_eq!((announce["cc"][0].as_str(), announce["published"].as_str()), (Some(PUBLIC), Some("1970-01-01T00:00:01Z")));
    }
}
