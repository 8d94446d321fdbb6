//! Agencies that bring a host of their own: their ids are on it, and on no other.

use serde_json::{Value, json};

use crate::harness::{ACTIVITY, Database, Peer, Setup, World, both, eventually, get, get_as, request};
use crate::installation::fresh_address;

const BROWSER: &str = "text/html,application/xhtml+xml";

/// A world with a second agency, which has a host of its own and handles at its domain. Gives its root and its actor's id.
async fn with_own_host(db: Database) -> (World, String, String) {
    let mut world = World::unfollowed(db, Setup::new()).await;
    let own = fresh_address();
    let path = world.gateway.folder().join("config.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let here = format!("listen = [\"{}\"]", world.gateway.authority());
    assert!(text.contains(&here));
    let text = text.replace(&here, &format!("listen = [\"{}\", \"{own}\"]", world.gateway.authority()));
    // From now on two actors have that local part, so the source says which one it feeds.
    let text = text.replace("actor = \"nieuws\"", &format!("actor = \"nieuws@{}\"", world.gateway.authority()));
    let domain = world.site.authority();
    let further = format!(
        "\n[[agency]]\nname = \"ministerie\"\ndomain = \"{domain}\"\nhost = \"http://{own}\"\n\
         [[actor]]\nagency = \"ministerie\"\nhandle = \"nieuws\"\nhandle_domain = \"ministerie.example\"\n"
    );
    std::fs::write(&path, text + &further).unwrap();
    world.gateway.stop().await;
    world.gateway.restart().await;
    let all = world.gateway.cli(&["actor", "list", "--json"]).await.well().json();
    let all = all.as_array().unwrap();
    let id = all.iter().find(|a| a["agency"] == "ministerie").unwrap()["url"].as_str().unwrap().to_owned();
    (world, format!("http://{own}"), id)
}

async fn finger(root: &str, host: Option<&str>, resource: &str) -> (u16, Value) {
    let encoded: String = url::form_urlencoded::byte_serialize(resource.as_bytes()).collect();
    let url = format!("{root}/.well-known/webfinger?resource={encoded}");
    let mut headers = vec![("accept", "application/jrd+json")];
    headers.extend(host.map(|host| ("host", host)));
    let reply = request("GET", &url, &headers, b"").await;
    (reply.status, serde_json::from_slice(&reply.body).unwrap_or_default())
}

both! {
    async fn every_round_trip_of_every_peer_ends_at_the_actor_of_that_host(db: Database) {
        let (world, root, id) = with_own_host(db).await;
        let own = root.strip_prefix("http://").unwrap();
        let home = world.gateway.url("");
        assert!(id.starts_with(&format!("{root}/ap/a/")), "{id}");
        let page = format!("{root}/@nieuws");
        let table = [
            ("Mastodon looks the handle up at its domain", root.as_str(), Some("ministerie.example"), "acct:nieuws@ministerie.example"),
            ("and once more at the host of the id", &root, None, "acct:nieuws@ministerie.example"),
            ("GoToSocial asks the host of the id first", &root, None, &*format!("acct:nieuws@{own}")),
            ("Misskey and Pixelfed take the host of the id", &root, None, &*format!("acct:nieuws@{own}")),
            ("Fedify asks for the id", &root, None, &id),
            ("a search for the page", &root, None, &page),
        ];
        for (who, root, host, resource) in table {
            let (status, found) = finger(root, host, resource).await;
            assert_eq!((status, &found["subject"]), (200, &json!("acct:nieuws@ministerie.example")), "{who}: {resource}");
            let own: Vec<&Value> = found["links"].as_array().unwrap().iter().filter(|l| l["rel"] == "self").collect();
            assert_eq!(own, [&json!({"rel": "self", "type": ACTIVITY, "href": id})], "{who}");
        }
        let document = get(&id).await.json();
        assert_eq!((&document["id"], &document["webfinger"]), (&json!(id), &json!("nieuws@ministerie.example")));
        for property in ["inbox", "outbox", "followers", "following", "featured", "url"] {
            assert!(document[property].as_str().unwrap().starts_with(&root), "{property}: {document}");
        }
        assert_eq!(document["endpoints"]["sharedInbox"], json!(format!("{root}/ap/inbox")));
        let instance = get(&format!("{root}/ap/instance")).await;
        assert_eq!((instance.status, &instance.json()["id"]), (200, &json!(format!("{root}/ap/instance"))));
        let meta = get(&format!("{root}/.well-known/host-meta")).await.text();
        assert!(meta.contains(&format!("{root}/.well-known/webfinger")), "{meta}");

        // The other agency has the same handle, on our own host.
        let (status, other) = finger(&home, None, &format!("acct:nieuws@{}", world.gateway.authority())).await;
        assert_eq!((status, &other["links"][0]["href"]), (200, &json!(world.gateway.actor())));
        let elsewhere = id.replace(&root, &home);
        assert_eq!(get(&elsewhere).await.status, 404, "on another host there is no such actor");
        assert_eq!(get(&world.gateway.actor().replace(&home, &root)).await.status, 404);
        assert_eq!(finger(&home, None, "acct:nieuws@ministerie.example").await.0, 404);
        for (url, name) in [(page, &id), (world.gateway.url("/@nieuws"), &world.gateway.actor())] {
            let shown = get_as(&url, BROWSER).await;
            assert_eq!(shown.status, 200, "{url}");
            assert!(shown.header("link").contains(&**name), "kept answers of two hosts are two: {url}");
        }
        let misdirected = request("GET", &format!("{root}/@nieuws"), &[("host", "elders.example")], b"").await;
        assert_eq!(misdirected.status, 421);
    }

    async fn an_actor_on_its_own_host_is_followed_there_and_speaks_from_there(db: Database) {
        let (world, root, id) = with_own_host(db).await;
        let proof = world.gateway.cli(&["actor", "proof", "nieuws@ministerie.example"]).await.well().stdout;
        world.site.prove(Some(&proof));
        world.gateway.cli(&["actor", "verify", "nieuws@ministerie.example"]).await.well();
        let peer = Peer::start();
        let citizen = peer.account("burger");
        let follow = citizen.activity("Follow", id.clone());
        let wrong = citizen.letter(&format!("{}/inbox", id.replace(&root, &world.gateway.url(""))), &follow).send().await;
        assert_eq!(wrong.status, 404, "no inbox of that actor on another host");
        assert_eq!(citizen.letter(&format!("{root}/ap/inbox"), &follow).send().await.status, 202);
        let accept = peer.takes_a("Accept").await.activity;
        assert_eq!(accept["actor"], json!(id));
        assert!(accept["id"].as_str().unwrap().starts_with(&format!("{root}/ap/x/")), "{accept}");
        let count = || async { (get(&format!("{id}/followers")).await.json()["totalItems"] == json!(1)).then_some(()) };
        eventually("it has a follower", count).await;
        assert_eq!(get(&format!("{}/followers", world.gateway.actor())).await.json()["totalItems"], json!(0));
    }

    async fn a_host_that_ids_are_on_cannot_be_taken_away_from_its_agency(db: Database) {
        let (mut world, root, id) = with_own_host(db).await;
        let path = world.gateway.folder().join("config.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        let other = "host = \"http://127.0.0.9:9\"\n";
        std::fs::write(&path, text.replace(&format!("host = \"{root}\"\n"), other)).unwrap();
        let refused = world.gateway.cli(&["actor", "list"]).await;
        assert_eq!(refused.code, 1);
        let way_out = format!("keep host = \"{root}\"");
        assert!(refused.stderr.contains(&id) && refused.stderr.contains(&way_out), "{}", refused.stderr);
        std::fs::write(&path, text).unwrap();
        world.gateway.stop().await;
        world.gateway.restart().await;
        assert_eq!(get(&id).await.status, 200);
    }
}
