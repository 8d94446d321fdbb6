//! Agencies that bring a host of their own: their ids are on it, and on no other.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{
    ACTIVITY, Account, Arrival, Client, Database, Meddling, Peer, Proxy, Reply, Setup, World, both, encoded,
    eventually, get, get_as, picture, request,
};
use crate::installation::fresh_address;

const BROWSER: &str = "text/html,application/xhtml+xml";
/// The actor that has a host of its own.
pub const MINISTRY: &str = "nieuws@ministerie.example";

/// A world with a second agency, which has a host of its own and handles at its domain. Gives its root and its actor's id.
async fn with_own_host(db: Database) -> (World, String, String) {
    let mut world = World::unfollowed(db, Setup::new()).await;
    let own = fresh_address();
    let path = world.gateway.folder().join("config.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let here = format!("listen = [\"{}\"]", world.gateway.authority());
    assert!(text.contains(&here));
    let text = text.replace(&here, &format!("listen = [\"{}\", \"{own}\"]", world.gateway.authority()));
    std::fs::write(&path, text).unwrap();
    let id = bring_host(&mut world, &own.to_string()).await;
    (world, format!("http://{own}"), id)
}

/// Adds an agency whose host is `own`, with an actor. Gives the id of that.
async fn bring_host(world: &mut World, own: &str) -> String {
    let path = world.gateway.folder().join("config.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    // From now on two actors have that local part, so the source says which one it feeds.
    let text = text.replace("actor = \"nieuws\"", &format!("actor = \"nieuws@{}\"", world.gateway.authority()));
    let domain = world.site.authority();
    let further = format!(
        "\n[[agency]]\nname = \"ministerie\"\ndomain = \"{domain}\"\nhost = \"http://{own}\"\n\
         [[actor]]\nagency = \"ministerie\"\nhandle = \"nieuws\"\nhandle_domain = \"ministerie.example\"\n\
         featured_tags = [\"HoogWater\"]\nquotes = \"approval\"\n\
         [[source]]\nname = \"kamerbrieven\"\nactor = \"nieuws@ministerie.example\"\nkind = \"micropub\"\n\
         [source.policy]\nmerge_edits = \"0s\"\n"
    );
    std::fs::write(&path, text + &further).unwrap();
    world.gateway.stop().await;
    world.gateway.restart().await;
    let all = world.gateway.cli(&["actor", "list", "--json"]).await.well().json();
    let all = all.as_array().unwrap();
    all.iter().find(|a| a["agency"] == "ministerie").unwrap()["url"].as_str().unwrap().to_owned()
}

/// What `heraut check` says of the hosts of agencies: whether that is wrong, and all its words.
async fn checked(world: &World) -> (bool, String) {
    let report = world.gateway.cli(&["check", "--json"]).await.json();
    let own: Vec<&Value> =
        report["findings"].as_array().unwrap().iter().filter(|finding| finding["code"] == "own-host").collect();
    let [finding] = own.as_slice() else { panic!("{report:#}") };
    (finding["state"] == "wrong", finding.to_string())
}

/// The same, with its proof on the site and seen.
pub async fn verified(db: Database) -> (World, String, String) {
    let (world, root, id) = with_own_host(db).await;
    let proof = world.gateway.cli(&["actor", "proof", MINISTRY]).await.well().stdout;
    world.site.prove(Some(&proof));
    world.gateway.cli(&["actor", "verify", MINISTRY]).await.well();
    (world, root, id)
}

/// Follows that actor at its host, and waits for the Accept.
pub async fn follows(citizen: &Account, root: &str, id: &str) -> Arrival {
    let follow = citizen.activity("Follow", id);
    assert_eq!(citizen.letter(&format!("{root}/ap/inbox"), &follow).send().await.status, 202);
    let accept = |a: &Arrival| a.kind() == "Accept" && a.activity["object"]["id"] == follow["id"];
    citizen.peer.takes("the Accept", accept).await
}

/// What a text names that begins so.
fn named(text: &str, root: &str) -> BTreeSet<String> {
    let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>' | '\'' | '\\' | ';');
    let text = text
        .replace("&amp;", "&")
        .replace("&#38;", "&")
        .replace("&#x2f;", "/")
        .replace("&quot;", "\"")
        .replace("&#34;", "\"")
        .replace("&#39;", "'");
    let tails = text.match_indices(root).map(|(at, _)| &text[at..]);
    tails.map(|tail| tail.split(ends).next().unwrap().to_owned()).collect()
}

/// Every address at which an actor, or a post of it, is shown, and as what.
fn all_that_is_shown(
    root: &str,
    id: &str,
    [object, page, authorization, create]: [&str; 4],
) -> Vec<(&'static str, String, &'static str)> {
    let asking = |what: &str| format!("{root}/oembed?url={}", encoded(what));
    vec![
        ("the actor", id.to_owned(), ACTIVITY),
        ("its outbox", format!("{id}/outbox"), ACTIVITY),
        ("a page of it", format!("{id}/outbox?page=first"), ACTIVITY),
        ("its followers", format!("{id}/followers"), ACTIVITY),
        ("whom it follows", format!("{id}/following"), ACTIVITY),
        ("what it pinned", format!("{id}/featured"), ACTIVITY),
        ("its hashtags", format!("{id}/tags"), ACTIVITY),
        ("the post", object.to_owned(), ACTIVITY),
        ("its activity", create.to_owned(), ACTIVITY),
        ("the quote that is allowed", authorization.to_owned(), ACTIVITY),
        ("the instance", format!("{root}/ap/instance"), ACTIVITY),
        ("the front page", format!("{root}/"), BROWSER),
        ("its page", format!("{root}/@nieuws"), BROWSER),
        ("the page of the post", page.to_owned(), BROWSER),
        ("the page to follow it", format!("{root}/@nieuws/follow"), BROWSER),
        ("a hashtag", format!("{root}/tags/HoogWater"), BROWSER),
        ("its RSS", format!("{root}/@nieuws/feed.rss"), "*/*"),
        ("its Atom", format!("{root}/@nieuws/feed.atom"), "*/*"),
        ("its JSON Feed", format!("{root}/@nieuws/feed.json"), "*/*"),
        ("the post elsewhere", asking(page), "*/*"),
        ("the account elsewhere", asking(&format!("{root}/@nieuws")), "*/*"),
        ("WebFinger", format!("{root}/.well-known/webfinger?resource={}", encoded(id)), "*/*"),
        ("host-meta", format!("{root}/.well-known/host-meta"), "*/*"),
        ("host-meta as JSON", format!("{root}/.well-known/host-meta.json"), "*/*"),
        ("NodeInfo", format!("{root}/.well-known/nodeinfo"), "*/*"),
    ]
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
        let (world, root, id) = verified(db).await;
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

    async fn every_url_that_an_actor_shows_is_on_its_own_host(db: Database) {
        let (world, root, id) = verified(db).await;
        let home = world.gateway.authority();
        let peer = Peer::start();
        let citizen = peer.account("burger");
        follows(&citizen, &root, &id).await;
        let mut client = Client::named(&world.gateway, "kamerbrieven", &["--scope", "create,update,delete,media"]).await;
        client.endpoint = format!("{root}/micropub");
        let config = client.ask("q=config").await.json();
        assert_eq!(config["media-endpoint"], json!(format!("{root}/micropub/media")));
        let photo = client.sends("dijk.png", &picture(image::ImageFormat::Png, 9)).await;
        assert!(photo.starts_with(&format!("{root}/micropub/media/")), "{photo}");
        let page = client.writes(&json!({
            "type": ["h-entry"],
            "properties": {
                "name": ["De dijk"], "content": ["Over #HoogWater en de dijk."], "category": ["HoogWater"],
                "photo": [{"value": photo, "alt": "Een dijk"}],
            },
        })).await;
        assert!(page.starts_with(&format!("{root}/@nieuws/")), "{page}");
        let create = peer.takes_a("Create").await.activity;
        let object = create["object"]["id"].as_str().unwrap().to_owned();
        let number = object.rsplit('/').next().unwrap().to_owned();
        let cli = async |arguments: &[&str]| world.gateway.cli(arguments).await.well();
        cli(&["post", "pin", &number]).await;
        peer.takes_a("Add").await;

        // A quote, allowed by a person.
        let mut note = citizen.note("<p>Lees dit</p>");
        note["quote"] = json!(object);
        let mut asked = citizen.activity("QuoteRequest", object.as_str());
        asked["instrument"] = note;
        assert_eq!(citizen.letter(&format!("{root}/ap/inbox"), &asked).send().await.status, 202);
        let waiting = || async { cli(&["quote", "list", "--waiting", "--json"]).await.json()[0]["quote"].as_str().map(str::to_owned) };
        let quote = eventually("the request waits", waiting).await;
        let said = cli(&["quote", "approve", &quote]).await.stdout;
        assert!(said.contains(&format!("{root}/ap/q/{quote}")), "{said}");
        let accept = |a: &Arrival| a.kind() == "Accept" && a.activity["object"]["id"] == asked["id"];
        let authorization = peer.takes("the quote is allowed", accept).await.activity["result"].as_str().unwrap().to_owned();
        let listed = cli(&["quote", "list", "--json"]).await.json();
        assert_eq!(listed[0]["authorization"], json!(authorization));

        let table = all_that_is_shown(&root, &id, [&object, &page, &authorization, create["id"].as_str().unwrap()]);
        let mut all = BTreeSet::new();
        for (what, url, accept) in &table {
            let reply = get_as(url, accept).await;
            assert_eq!(reply.status, 200, "{what}: {}", reply.text());
            let headers: String = reply.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
            let text = headers + &reply.text();
            assert!(!text.contains(&home), "{what} names our own host: {text}");
            all.extend(named(&text, &format!("{root}/")));
        }
        for arrival in peer.arrivals() {
            let text = arrival.activity.to_string();
            assert!(!text.contains(&home), "{text}");
            assert_eq!(arrival.verified, Ok(()), "{text}");
            let method = arrival.activity["proof"]["verificationMethod"].as_str().unwrap_or_else(|| panic!("no proof: {text}"));
            assert!(method.starts_with(&format!("{id}#")), "{method}");
        }
        // What is named is there; where one only writes, a reader is told so.
        for url in &all {
            if url.contains('{') {
                continue;
            }
            let status = get_as(url.split('#').next().unwrap(), "*/*").await.status;
            let writes = ["/inbox", "/micropub", "/micropub/media"].iter().any(|end| url.ends_with(end));
            assert!(matches!(status, 200 | 303) || writes && matches!(status, 401 | 405), "{url} answers {status}");
        }
        for wanted in ["/media/", "/tags/", "/oembed", "/feed.rss", "/follow", "/micropub", "/featured", "/ap/inbox", "/nodeinfo/"] {
            assert!(all.iter().any(|url| url.contains(wanted)), "{wanted} is nowhere: {all:?}");
        }
        // None of it is on our own host.
        for url in [&object, &page, &authorization] {
            assert_eq!(get_as(&url.replace(&root, &world.gateway.url("")), "*/*").await.status, 404, "{url}");
        }
        // Nor does our own host know it, but by its whole name.
        let elsewhere = |what: &str| world.gateway.url(&format!("/oembed?url={}", encoded(what)));
        assert_eq!(get_as(&elsewhere(&page), "*/*").await.json()["provider_url"], json!(format!("{root}/")));
    }

    async fn keys_of_an_actor_on_its_own_host_are_rotated_and_its_posts_are_still_taken(db: Database) {
        let (world, root, id) = verified(db).await;
        let peer = Peer::start();
        peer.keeps_keys();
        follows(&peer.account("burger"), &root, &id).await;
        let client = Client::named(&world.gateway, "kamerbrieven", &["--scope", "create"]).await;
        let says = async |text: &str| {
            client.writes(&json!({"type": ["h-entry"], "properties": {"content": [text]}})).await;
            peer.takes(text, |a| a.kind() == "Create" && crate::harness::says(a, text)).await
        };
        assert_eq!(says("Voor de wissel").await.verified, Ok(()));
        world.gateway.cli(&["actor", "rotate-key", MINISTRY]).await.well();
        peer.takes_nth("Update", 1).await;
        world.db.execute("UPDATE key_rotations SET switch_at = 1");
        let told = peer.takes_nth("Update", 2).await;
        assert_eq!(told.activity["object"]["publicKey"]["id"], json!(format!("{id}#main-key-2")));
        let after = says("Na de wissel").await;
        assert_eq!(after.verified, Ok(()), "a server that kept the key before takes it");
        assert_eq!(after.activity["proof"]["verificationMethod"], json!(format!("{id}#ed25519-2")));
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
    async fn a_host_of_an_agency_that_leads_elsewhere_is_found(db: Database) {
        let mut world = World::unfollowed(db, Setup::new()).await;
        let (proxy, home) = (Proxy::start(), world.gateway.authority());
        proxy.before(&home);
        let own = proxy.root();
        bring_host(&mut world, own.strip_prefix("http://").unwrap()).await;
        let table = [
            (Meddling::Nothing, false, "answers from outside as it should".to_owned()),
            (Meddling::Changes("host", home.leak()), true, "names itself".to_owned()),
            (Meddling::Answers(Reply::status(502)), true, "502".to_owned()),
            (Meddling::Answers(Reply::ok("text/html", "<p>Welkom")), true, "cannot be fetched".to_owned()),
        ];
        for (meddling, wrong, words) in table {
            proxy.does(meddling);
            let (found, said) = checked(&world).await;
            assert_eq!(found, wrong, "{said}");
            assert!(said.contains(&words) && said.contains(&own) && said.contains("ministerie"), "{said}");
            assert_eq!(said.contains("A host of your own"), wrong, "the way out: {said}");
        }
    }
}
