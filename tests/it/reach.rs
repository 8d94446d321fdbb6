//! How an actor is found and how far its posts reach: pinned posts, the way of a reader to their own server, figures.

use serde_json::{Value, json};

use crate::harness::{ACTIVITY, Gateway, PUBLIC, Reply, Setup, World, both, eventually, get, get_as, request};

async fn published(world: &World, slug: &str, title: &str) -> String {
    world.published(slug, title).await.activity["object"]["id"].as_str().unwrap().to_owned()
}

fn number(object: &str) -> &str {
    object.rsplit('/').next().unwrap()
}

async fn fills_in(gateway: &Gateway, server: &str) -> Reply {
    let body: String = url::form_urlencoded::Serializer::new(String::new()).append_pair("server", server).finish();
    let headers =
        [("content-type", "application/x-www-form-urlencoded"), ("accept", "text/html"), ("accept-language", "en")];
    request("POST", &gateway.url("/@nieuws/follow"), &headers, body.as_bytes()).await
}

/// What a server answers to WebFinger: the page where one follows.
fn webfinger(template: &str) -> Reply {
    let links = json!({"links": [{"rel": "http://ostatus.org/schema/1.0/subscribe", "template": template}]});
    Reply::ok("application/jrd+json", links.to_string())
}

both! {
    async fn a_pinned_post_is_featured_and_followers_are_told(db: Database) {
        let world = World::new(db).await;
        let first = published(&world, "een", "Wie wij zijn").await;
        let second = published(&world, "twee", "Zo bereikt u ons").await;
        for object in [&first, &second] {
            world.gateway.cli(&["post", "pin", number(object)]).await.well();
        }
        let featured = format!("{}/featured", world.gateway.actor());
        let add = world.peer.takes_nth("Add", 1).await.activity;
        assert_eq!((&add["object"], &add["target"]), (&json!(first), &json!(featured)));
        assert_eq!(add["to"], json!([PUBLIC]));
        let collection = get_as(&featured, ACTIVITY).await.json();
        assert_eq!(collection["orderedItems"], json!([second, first]), "the newest pin first");
        assert_eq!((&collection["totalItems"], &collection["type"]), (&json!(2), &json!("OrderedCollection")));

        world.gateway.cli(&["post", "unpin", number(&second)]).await.well();
        let remove = world.peer.takes_a("Remove").await.activity;
        assert_eq!((&remove["object"], &remove["target"]), (&json!(second), &json!(featured)));
        world.gateway.cli(&["post", "withdraw", number(&first)]).await.well();
        world.told("Delete", &first, 1).await;
        assert_eq!(get_as(&featured, ACTIVITY).await.json()["orderedItems"], json!([]), "a withdrawn post leaves");
        let again = world.gateway.cli(&["post", "pin", number(&first)]).await;
        assert!(again.code == 1 && again.stderr.contains("not public"), "{}", again.stderr);
    }

    async fn an_actor_says_what_was_configured_of_it(db: Database) {
        let keys = "featured_tags = [\"HoogWater\"]\nattribution_domains = [\"voorbeeldstad.example\", \"nieuws.example\"]\n\
                    discoverable = false\nindexable = false";
        let world = World::unfollowed(db, Setup::new().actor(keys)).await;
        let actor = get(&world.gateway.actor()).await.json();
        assert_eq!((&actor["discoverable"], &actor["indexable"]), (&json!(false), &json!(false)));
        assert_eq!(actor["attributionDomains"], json!(["voorbeeldstad.example", "nieuws.example"]));
        let tags = get_as(actor["featuredTags"].as_str().unwrap(), ACTIVITY).await.json();
        assert_eq!(tags["items"][0]["name"], json!("#HoogWater"));
        let shown = world.gateway.cli(&["actor", "show", "nieuws", "--json"]).await.well().json();
        let creator = format!("<meta name=\"fediverse:creator\" content=\"@nieuws@{}\">", world.gateway.authority());
        assert_eq!(shown["creator_meta"], json!(creator));
        assert_eq!(shown["attribution_domains"], actor["attributionDomains"]);
        let refused = world.gateway.cli(&["actor", "set", "nieuws", "--quotes", "nobody"]).await;
        assert!(refused.code == 1 && refused.stderr.contains("configuration file"), "{}", refused.stderr);

        world.gateway.cli(&["actor", "add", "pers", "--agency", "voorbeeldstad"]).await.well();
        world.gateway.cli(&["actor", "set", "pers", "--quotes", "nobody", "--featured-tags", "Dijk,#Water", "--indexable", "false"])
            .await
            .well();
        let shown = world.gateway.cli(&["actor", "show", "pers", "--json"]).await.well().json();
        assert_eq!((&shown["quotes"], &shown["featured_tags"]), (&json!("nobody"), &json!(["Dijk", "Water"])));
        assert_eq!((&shown["discoverable"], &shown["indexable"]), (&json!(true), &json!(false)));
        let wrong = world.gateway.cli(&["actor", "set", "pers", "--quotes", "all"]).await;
        assert!(wrong.stderr.contains("everyone, followers, nobody, approval"), "{}", wrong.stderr);
    }

    async fn a_reader_is_sent_to_the_page_of_their_own_server_and_nowhere_else(db: Database) {
        let world = World::unfollowed(db, Setup::new()).await;
        let server = world.peer.authority();
        world.peer.page("/.well-known/webfinger", webfinger(&world.peer.url("/authorize_interaction?uri={uri}")));
        let answer = fills_in(&world.gateway, &format!("@burger@{server}")).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        let encoded: String = url::form_urlencoded::byte_serialize(world.gateway.actor().as_bytes()).collect();
        let target = url::Url::parse(answer.header("location")).unwrap();
        assert_eq!(target[..url::Position::AfterPath], world.peer.url("/authorize_interaction"));
        let uri = target.query_pairs().find(|(name, _)| name == "uri").unwrap().1.into_owned();
        assert_eq!(uri, world.gateway.actor(), "{encoded}");
        let asked = world.peer.fetches().into_iter().find(|r| r.target.starts_with("/.well-known/webfinger")).unwrap();
        assert!(asked.target.contains("resource=acct%3Aburger%40"), "{}", asked.target);
        assert_eq!(asked.header("signature"), None, "nothing says who asks for whom");

        let elsewhere = crate::harness::Peer::start();
        let leads_out = |answer: &Reply| {
            assert_eq!((answer.status, answer.header("location")), (200, ""), "{}", answer.text());
            assert!(answer.text().contains("does not say where you can follow"), "{}", answer.text());
            assert!(answer.text().contains(&format!("@nieuws@{}", world.gateway.authority())), "{}", answer.text());
        };
        for (why, reply) in [
            ("another host", webfinger(&elsewhere.url("/authorize_interaction?uri={uri}"))),
            ("no template", Reply::ok("application/jrd+json", "{\"links\": []}")),
            ("no JSON", Reply::ok("text/html", "<html>")),
            ("an error", Reply::status(500)),
            ("too much", Reply::ok("application/jrd+json", vec![b' '; 65 * 1024])),
        ] {
            world.peer.page("/.well-known/webfinger", reply);
            let answer = fills_in(&world.gateway, &server).await;
            leads_out(&answer);
            assert!(answer.text().contains("authorize_interaction"), "{why}: the usual page is offered, not gone to");
        }
        // The server that the domain points to may be another one.
        elsewhere.page("/.well-known/webfinger", webfinger(&elsewhere.url("/authorize_interaction?uri={uri}")));
        world.peer.page("/.well-known/webfinger", Reply::redirect(302, &elsewhere.url("/.well-known/webfinger")));
        let answer = fills_in(&world.gateway, &server).await;
        assert_eq!(answer.status, 303, "{}", answer.text());
        assert!(answer.header("location").starts_with(&elsewhere.url("/authorize_interaction")));
        leads_out(&fills_in(&world.gateway, "http://127.0.0.1:1").await);
    }

    async fn the_reach_of_a_post_is_counted_from_receipts(db: Database) {
        let world = World::new(db).await;
        let refusing = crate::harness::Peer::start();
        refusing.account("boos").follows(&world.gateway).await;
        refusing.behaves(crate::harness::Behaviour::Answer(403));
        world.site.publish("dijk", "De dijk", "<p>Tekst.</p>");
        let id = world.created("De dijk").await.activity["object"]["id"].as_str().unwrap().to_owned();
        let second = world.peer.account("ander");
        second.follows(&world.gateway).await;
        for kind in ["Like", "Announce"] {
            world.citizen.says(&world.gateway, &world.citizen.activity(kind, id.as_str())).await;
        }
        let reply = world.citizen.reply(&id, &world.gateway.actor(), "<p>Mooi</p>");
        world.citizen.says(&world.gateway, &world.citizen.create(&reply)).await;
        let arguments = ["post", "reach", number(&id), "--json"];
        let reach = eventually("both servers have answered", || async {
            let reach = world.gateway.cli(&arguments).await.well().json();
            (reach["servers"]["waiting"] == json!(0)).then_some(reach)
        })
        .await;
        assert_eq!(reach["servers"], json!({"reached": 1, "waiting": 0, "refused": 1, "given_up": 0}));
        assert_eq!(reach["inboxes"], reach["servers"]);
        assert_eq!((&reach["likes"], &reach["boosts"], &reach["quotes"], &reach["replies"]), (&json!(1), &json!(1), &json!(0), &json!(1)));
        assert_eq!((&reach["followers_now"], &reach["reached_servers_by_followers"]), (&json!(3), &json!({"<10": 1})));
        let servers = reach["by_server"].as_array().unwrap();
        let told = |host: String| servers.iter().find(|s| s["host"] == json!(host)).cloned().unwrap_or(Value::Null);
        assert_eq!(told(refusing.authority())["state"], json!("refused"));
        assert_eq!(told(world.peer.authority())["followers"], json!("<10"));
        assert!(!reach.to_string().contains("burger"), "no person is named");
        let shown = world.gateway.cli(&["post", "reach", number(&id)]).await.well();
        assert!(shown.stdout.contains("1 reached") && shown.stderr.contains("not known"), "{} {}", shown.stdout, shown.stderr);
        let unknown = world.gateway.cli(&["post", "reach", "1"]).await;
        assert!(unknown.code == 1 && unknown.stderr.contains("there is no post 1"), "{}", unknown.stderr);
    }

    async fn our_own_reader_reads_each_of_our_feeds(db: Database) {
        let world = World::new(db).await;
        let id = published(&world, "dijk", "De dijk – één verhaal").await;
        for ending in ["rss", "atom", "json"] {
            let url = world.gateway.url(&format!("/@nieuws/feed.{ending}"));
            let read = world.gateway.cli(&["source", "preview", &url, "--json"]).await.well().json();
            let items = read["items"].as_array().unwrap();
            assert_eq!(items.len(), 1, "{ending}: {read}");
            assert_eq!(items[0]["title"], json!("De dijk – één verhaal"), "{ending}");
            assert_eq!(items[0]["id"], json!(id), "{ending}");
            let page = world.gateway.url(&format!("/@nieuws/{}", number(&id)));
            assert_eq!(items[0]["url"], json!(page), "{ending}");
            assert_eq!(items[0]["language"], json!("nl"), "{ending}");
        }
    }
}
