//! What other servers say: signed requests, activities, documents of actors and texts, WebFinger; and what hubs say.

use heraut::activity::discovery::{Resource, parse_resource};
use heraut::inbox::{decide, read, remote};
use heraut::signature::integrity::Claim;
use heraut::signature::rfc9421::Challenge;
use heraut::signature::{self, ReceivedRequest, Site, digest};
use heraut::time::Timestamp;
use heraut::urls::{ActorUrl, Base, KeyUrl};
use heraut::websub::{Call, discover};
use heraut_connectors::capture;
use heraut_connectors::contract::{Delivery, Push};
use serde_json::Value;
use url::{Url, form_urlencoded};

/// 2026-11-22T09:00:00Z, when the seeds were signed.
const NOW: Timestamp = Timestamp(1_795_338_000_000);

/// A request to the inbox as it came in; its query is also what WebFinger is asked for.
pub(crate) fn run(input: &[u8]) {
    let Ok(request) = capture::read(input, 0) else { return };
    let base = Base::parse("https://social.example.nl").unwrap();
    let query = request.query.clone().unwrap_or_default();
    let target = if query.is_empty() { "/inbox".to_owned() } else { format!("/inbox?{query}") };
    let received =
        ReceivedRequest { method: "POST", path_and_query: &target, headers: &request.headers, body: &request.body };
    let parsed = signature::parse(&received, &[Site::of(&base)], NOW).map(|mut all| all.remove(0));
    if let Some(value) = request.header("accept-signature") {
        let _ = Challenge::read(value);
    }
    if let Ok(document) = serde_json::from_slice::<Value>(&request.body) {
        let _ = Claim::read(&document, NOW);
    }
    if let Err(error) = &parsed {
        assert!((400..500).contains(&error.status()), "{error}");
    }
    for value in ["digest", "content-digest"].iter().filter_map(|name| request.header(name)) {
        let _ = digest::check(value, &request.body);
    }
    if let Ok(Resource::Handle { domain, .. }) = parse_resource(Some(&query), &base, &["example.nl"]) {
        assert!(domain == base.authority() || domain == "example.nl", "{domain}");
    }
    hub(&request, &query);
    activity(&request.body, &base);
    documents(&request.body, parsed.ok().map(|parsed| parsed.key_id().clone()));
}

/// Where a document says that its hub is, and what a hub asks of us.
fn hub(request: &Delivery, query: &str) {
    let links = || request.headers.iter().filter(|(name, _)| name == "link").map(|(_, value)| value.as_str());
    let asked = Url::parse("https://www.voorbeeldstad.example/nieuws.rss").unwrap();
    let found = discover(links(), &Push::default(), &asked, &asked);
    assert_eq!(found, discover(links(), &Push::default(), &asked, &asked));
    if let Some(found) = found {
        assert!(found.hub.scheme().starts_with("http") && Url::parse(&found.topic).is_ok(), "{found:?}");
    }
    let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    let _ = Call::read(pairs.iter().map(|(name, value)| (name.as_ref(), value.as_ref())));
}

fn activity(body: &[u8], base: &Base) {
    read::deletes_its_actor(body);
    let text = |key: &str| {
        let value: Value = serde_json::from_slice(body).ok()?;
        value.get(key)?.as_str().map(str::to_owned)
    };
    let Some(actor) = text("actor").and_then(|actor| ActorUrl::parse(&actor).ok()) else { return };
    let one = read::read(body, &actor);
    match (&one, read::read(body, &actor)) {
        (Ok(incoming), Ok(other)) => {
            assert_eq!(format!("{incoming:?}"), format!("{other:?}"));
            assert_eq!(incoming.actor, actor);
            assert!(incoming.id.as_ref().is_none_or(|id| id.authority() == actor.authority()), "{incoming:?}");
            decide::names(incoming, base);
        }
        (Err(error), Err(_)) => assert!((400..500).contains(&error.status()), "{error}"),
        _ => panic!("the same bytes meant something else"),
    }
}

fn documents(body: &[u8], key: Option<KeyUrl>) {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let id = value.get("id").and_then(Value::as_str).unwrap_or("https://peer.example/users/burger");
    if let Ok(actor) = remote::read_actor(body, id, key.as_ref()) {
        assert_eq!(actor.url.as_str(), id);
        assert_eq!(actor.inbox.authority(), actor.url.authority());
    }
    let _ = remote::read_note(body, id);
    if let Some(key) = key.or_else(|| KeyUrl::parse(&format!("{id}#main-key")).ok()) {
        let _ = remote::read_actor(body, id, Some(&key));
        let _ = remote::read_key(body, id, &key);
    }
}
