//! What the instance actor says to relays (FEP-ae0c): it follows them, leaves them, answers their Follow, and tells those of LitePub's
//! style of posts.

use serde_json::{Map, Value, json};

use crate::activity::{AS_CONTEXT, PUBLIC, essence, put, with_context};
use crate::actor::relay::RelayStyle;
use crate::actor::verification::InstanceActor;
use crate::ids::PostId;
use crate::time::Timestamp;
use crate::urls::{ActorUrl, Base, RelayActivity};

/// Our Follow with that number: of the public collection, or of the relay's actor.
fn follow(
    instance: &InstanceActor,
    base: &Base,
    style: RelayStyle,
    relay: Option<&ActorUrl>,
    number: i64,
) -> Map<String, Value> {
    let object = match (style, relay) {
        (RelayStyle::LitePub, Some(relay)) => relay.as_str(),
        _ => PUBLIC,
    };
    let mut follow = said("Follow", base.relay_activity(RelayActivity::Follow, number), instance);
    if let (RelayStyle::LitePub, Some(relay)) = (style, relay) {
        put(&mut follow, "to", json!([relay.as_str()]));
    }
    put(&mut follow, "object", json!(object));
    follow
}

/// The beginning of what the instance actor says, without a context: some is embedded.
fn said(kind: &str, id: String, instance: &InstanceActor) -> Map<String, Value> {
    let mut activity = Map::new();
    put(&mut activity, "id", json!(id));
    put(&mut activity, "type", json!(kind));
    put(&mut activity, "actor", json!(instance.url.as_str()));
    activity
}

fn bytes(activity: Map<String, Value>) -> Vec<u8> {
    with_context(json!(AS_CONTEXT), Value::Object(activity)).to_string().into_bytes()
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
    let mut undo = said("Undo", base.relay_activity(RelayActivity::Undo, number), instance);
    if let Some(to) = follow.get("to") {
        put(&mut undo, "to", to.clone());
    }
    put(&mut undo, "object", Value::Object(follow));
    bytes(undo)
}

/// `Accept` of the relay's own Follow of the instance actor: those of LitePub's style follow back.
pub fn accept_relay(instance: &InstanceActor, base: &Base, asked: &Value, number: i64) -> Vec<u8> {
    let asked = essence(asked);
    let mut accept = said("Accept", base.relay_activity(RelayActivity::Accept, number), instance);
    if let Some(asker) = asked.get("actor") {
        put(&mut accept, "to", json!([asker]));
    }
    put(&mut accept, "object", asked);
    bytes(accept)
}

/// `Announce` of a post to a relay of LitePub's style, which receivers then read from us. `published` must not be before that of the
/// post, or Misskey drops it; Akkoma wants both `to` and `cc`.
pub fn announce(
    instance: &InstanceActor,
    base: &Base,
    relay: &ActorUrl,
    post: PostId,
    published: Timestamp,
) -> Vec<u8> {
    let mut announce = said("Announce", base.relay_activity(RelayActivity::Announce, post.0), instance);
    put(&mut announce, "published", json!(published.to_rfc3339()));
    put(&mut announce, "to", json!([base.below(&instance.url, "followers"), relay.as_str()]));
    put(&mut announce, "cc", json!([PUBLIC]));
    put(&mut announce, "object", json!(base.object(post).as_str()));
    bytes(announce)
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
        assert_eq!(
            (litepub["object"].as_str(), litepub["to"][0].as_str()),
            (Some(relay.as_str()), Some(relay.as_str()))
        );
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
        assert_eq!(
            (announce["cc"][0].as_str(), announce["published"].as_str()),
            (Some(PUBLIC), Some("1970-01-01T00:00:01Z"))
        );
    }
}
