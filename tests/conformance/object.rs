//! What a post looks like on the wire and over HTTP: points 14 to 26.

use std::time::Duration;

use heraut::time::Timestamp;
use serde_json::{Value, json};

use super::on_sqlite;
use crate::harness::{
    Article, Client, FEED, PUBLIC, Picture, Reply, Shared, World, both, eventually, feed, get, get_as, looks,
};
use crate::script::Script;

fn note(shared: &Shared) -> &Value {
    &shared.create["object"]
}

fn content(shared: &Shared) -> String {
    note(shared)["content"].as_str().unwrap().to_owned()
}

/// All contexts that peers have built in (`reference/federation.md` 1.7).
const CONTEXTS: [&str; 6] = [
    "https://www.w3.org/ns/activitystreams",
    "https://w3id.org/security/v1",
    "https://www.w3.org/ns/did/v1",
    "https://w3id.org/security/multikey/v1",
    "https://w3id.org/security/data-integrity/v2",
    "https://purl.archive.org/socialweb/webfinger",
];

/// The start tags of a text, without their brackets.
fn tags(html: &str) -> Vec<String> {
    let inside = html.split('<').skip(1).map(|part| part.split('>').next().unwrap().to_owned());
    inside.filter(|tag| !tag.starts_with('/')).collect()
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Object(values) => 1 + values.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

looks! {
    async fn c14_the_id_of_a_post_is_plain_and_answers_what_was_delivered(shared: &Shared) {
        let url = url::Url::parse(&shared.object).unwrap();
        assert!(url.fragment().is_none() && url.query().is_none());
        assert!(shared.object.starts_with(&shared.world.gateway.url("/")));
        let mut served = get(&shared.object).await.json();
        served.as_object_mut().unwrap().shift_remove("@context");
        assert_eq!(served, *note(shared));
        let arrivals = shared.world.peer.arrivals();
        let create = arrivals.iter().find(|a| a.kind() == "Create").unwrap();
        assert_eq!(create.object_status, Some(200), "a peer that looks at once finds it");
        let activity = get(shared.create["id"].as_str().unwrap()).await;
        assert_eq!((activity.status, activity.json()), (200, shared.create.clone()));
    }

    async fn c15_the_audience_is_arrays_with_the_full_public_uri_and_the_same_on_both(shared: &Shared) {
        assert_eq!(note(shared)["to"], json!([PUBLIC]));
        assert_eq!(note(shared)["cc"], json!([format!("{}/followers", shared.world.gateway.actor())]));
        assert_eq!((&shared.create["to"], &shared.create["cc"]), (&note(shared)["to"], &note(shared)["cc"]));
    }

    async fn c17_the_content_has_only_what_peers_keep_and_says_its_language(shared: &Shared) {
        let content = content(shared);
        let allowed = ["p", "br", "a", "span", "strong", "em", "b", "i", "ul", "ol", "li", "blockquote"];
        for tag in tags(&content) {
            let name = tag.split([' ', '/']).next().unwrap();
            assert!(allowed.contains(&name), "<{tag}> in {content}");
        }
        for tag in tags(&content).iter().filter(|tag| tag.starts_with("a ")) {
            assert!(tag.contains("href=\"http://") || tag.contains("href=\"https://"), "<{tag}> in {content}");
        }
        let languages = note(shared)["contentMap"].as_object().unwrap();
        assert_eq!(languages.keys().collect::<Vec<_>>(), ["nl"]);
        assert_eq!(languages["nl"], note(shared)["content"]);
    }

    async fn c18_every_hashtag_stands_in_the_tags_and_in_the_text(shared: &Shared) {
        let hashtags = note(shared)["tag"].as_array().unwrap();
        let names: Vec<&str> = hashtags.iter().map(|tag| tag["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["#HoogWater", "#veiligheid"]);
        let content = content(shared);
        for hashtag in hashtags {
            let href = hashtag["href"].as_str().unwrap();
            let link = tags(&content).into_iter().find(|tag| tag.contains(href)).unwrap();
            assert!(link.contains("rel=\"") && link.contains("tag"), "{link}");
            assert!(content.contains(hashtag["name"].as_str().unwrap().trim_start_matches('#')));
            assert_eq!(get_as(href, "text/html").await.status, 200, "{href}");
        }
    }

    async fn c19_the_article_is_the_first_link_that_is_no_hashtag(shared: &Shared) {
        let content = content(shared);
        let links = tags(&content).into_iter().filter(|tag| tag.starts_with("a "));
        let first = links.into_iter().find(|tag| !tag.contains("hashtag")).unwrap();
        assert!(first.contains(&shared.world.site.page("dijk")), "{first}");
    }

    async fn c22_a_picture_is_served_to_everyone(shared: &Shared) {
        let picture = &note(shared)["attachment"][0];
        let url = picture["url"].as_str().unwrap();
        assert!(url.starts_with(&shared.world.gateway.url("/media/")), "{url}");
        let reply = get_as(url, "image/*").await;
        assert_eq!((reply.status, reply.header("content-type")), (200, "image/png"));
        assert_eq!(reply.header("content-length"), reply.body.len().to_string());
        assert_eq!(reply.header("set-cookie"), "");
        assert!(reply.header("cache-control").contains("immutable"));
        assert_eq!(image::guess_format(&reply.body).unwrap(), image::ImageFormat::Png);
        let part = crate::harness::request("GET", url, &[("range", "bytes=0-7")], b"").await;
        assert_eq!((part.status, part.body.as_slice()), (206, &reply.body[..8]));
    }

    async fn c23_a_post_says_that_everyone_may_quote_it_and_no_more(shared: &Shared) {
        let policy = &note(shared)["interactionPolicy"];
        assert_eq!(*policy, json!({"canQuote": {"automaticApproval": [PUBLIC]}}));
    }

    async fn c24_an_activity_is_small_and_shallow_and_no_context_has_to_be_fetched(shared: &Shared) {
        let text = shared.create.to_string();
        assert!(text.len() < 48 * 1024);
        // The context nests by itself, and nobody who limits the depth counts it.
        let mut bare = shared.create.clone();
        bare.as_object_mut().unwrap().shift_remove("@context");
        assert!(depth(&bare) <= 6, "{}", depth(&bare));
        let documents = [
            get(&shared.world.gateway.actor()).await.json(),
            get(&shared.world.gateway.url("/ap/instance")).await.json(),
            shared.create.clone(),
            get(&shared.object).await.json(),
        ];
        for document in documents {
            let context = &document["@context"];
            let urls = context.as_array().cloned().unwrap_or_else(|| vec![context.clone()]);
            for url in urls.iter().filter_map(Value::as_str) {
                assert!(CONTEXTS.contains(&url), "{url}");
            }
            assert_eq!(urls[0], json!(CONTEXTS[0]), "the literal context comes first");
        }
    }

    async fn c25_the_page_of_a_post_has_opengraph(shared: &Shared) {
        let url = note(shared)["url"].as_str().unwrap();
        let page = get_as(url, "text/html").await;
        assert_eq!(page.status, 200);
        let html = page.text();
        for property in ["og:title", "og:url", "og:description", "og:type", "og:image"] {
            assert!(html.contains(&format!("\"{property}\"")), "no {property} in {html}");
        }
        assert!(html.contains("<meta name=\"fediverse:creator\" content=\"@nieuws@voorbeeldstad.example\">"), "{html}");
        assert!(html.contains("De dijk houdt stand") && html.contains("lang=\"nl\"") && !html.contains("<script"));
    }
}

/// Waits until the one post waits for its time.
async fn scheduled(world: &World) -> Value {
    eventually("the post is scheduled", || async {
        let posts = world.gateway.cli(&["post", "list", "--json"]).await.well().json();
        posts.as_array().unwrap().iter().find(|post| post["state"] == "scheduled").cloned()
    })
    .await
}

async fn public_posts(world: &World) -> Value {
    get(&format!("{}/outbox", world.gateway.actor())).await.json()["totalItems"].clone()
}

fn now() -> Timestamp {
    Timestamp(chrono::Utc::now().timestamp_millis())
}

both! {
    async fn c16_what_is_dated_in_the_future_shows_nowhere_until_then(db: Database) {
        let world = World::new(db).await;
        // A feed's dates are in whole seconds.
        let due = Timestamp(now().after(Duration::from_secs(15)).0 / 1_000 * 1_000);
        let secret = "Pas later bekend";
        world.site.add(Article { published: due, ..Article::new("embargo", secret, "<p>Nog niet.</p>") });
        let post = scheduled(&world).await;
        let (object, n) = (post["object"].as_str().unwrap(), post["post"].as_str().unwrap().to_owned());
        let page = world.gateway.url(&format!("/@nieuws/{n}"));
        let early = [
            get(object).await,
            get_as(&page, "text/html").await,
            get(&format!("{}/outbox?page=first", world.gateway.actor())).await,
            get_as(&world.gateway.url("/@nieuws"), "text/html").await,
        ];
        let total = public_posts(&world).await;
        let taken = world.peer.count("Create");
        assert!(now() < due, "the machine is too slow for this test: the embargo ended before it was looked at");
        assert_eq!((early[0].status, early[1].status, total, taken), (404, 404, json!(0), 0));
        assert!(early.iter().all(|reply| !reply.text().contains(secret)));

        let create = world.created(secret).await.activity;
        let said = create["object"]["published"].as_str().unwrap();
        assert!(now() >= due, "it came before its time");
        assert!(Timestamp::parse_rfc3339(said).unwrap() <= now(), "{said} is in the future");
        assert!(said.ends_with('Z'), "{said}");
        assert_eq!(create["published"], create["object"]["published"]);
        assert_eq!((get(object).await.status, get_as(&page, "text/html").await.status), (200, 200));
    }
}

on_sqlite! {
    async fn c20_a_summary_is_a_warning_and_never_without_sensitive(db: Database) {
        let world = World::with(db, Client::setup("")).await;
        let client = Client::of(&world.gateway).await;
        client.writes(&json!({"type": ["h-entry"], "properties": {"content": ["Het water staat hoog."]}})).await;
        client
            .writes(&json!({"type": ["h-entry"], "properties": {
                "content": ["De brug ligt in het water."], "content-warning": ["Beelden van een ongeluk"],
            }}))
            .await;
        let plain = world.created("Het water").await.activity;
        assert_eq!((&plain["object"]["summary"], &plain["object"]["sensitive"]), (&Value::Null, &json!(false)));
        let warned = world.created("De brug").await.activity;
        let note = &warned["object"];
        assert_eq!((&note["summary"], &note["sensitive"]), (&json!("Beelden van een ongeluk"), &json!(true)));
    }

    async fn c21_at_most_four_pictures_and_each_a_document_with_all_that_peers_want_of_it(db: Database) {
        let world = World::new(db).await;
        let mut article = Article::new("album", "Zes beelden", "<p>Van de dijk.</p>");
        article.picture = Some(Picture { path: "/beeld/n1.png".to_owned(), alt: Some("Een dijk".to_owned()) });
        let document = feed(&world.site.authority(), &[article]);
        let (before, after) = document.split_once("<media:content").unwrap();
        let (one, after) = after.split_once("</media:content>").unwrap();
        let long = "lang ".repeat(700);
        let six: String = (1..=6)
            .map(|n| format!("<media:content{}</media:content>", one.replace("n1", &format!("n{n}"))))
            .map(|media| if media.contains("n2") { media.replace("Een dijk", &long) } else { media })
            .collect();
        world.site.answer(FEED, Reply::ok("application/rss+xml", format!("{before}{six}{after}")));
        let create = world.created("Zes beelden").await.activity;
        let attachments = create["object"]["attachment"].as_array().unwrap();
        assert_eq!(attachments.len(), 4, "{attachments:?}");
        for picture in attachments {
            assert_eq!((&picture["type"], &picture["mediaType"]), (&json!("Document"), &json!("image/png")));
            assert_eq!((&picture["width"], &picture["height"]), (&json!(64), &json!(48)));
            assert!((6..=164).contains(&picture["blurhash"].as_str().unwrap().len()));
            assert!((1..=1_500).contains(&picture["name"].as_str().unwrap().chars().count()), "{picture}");
        }
        assert_eq!(attachments[0]["name"], json!("Een dijk"));
    }

    /// The vectors of FEP-8b32 and of the W3C are in `src/signature/integrity/tests.rs`.
    async fn c26_the_integrity_proof_holds_by_our_algorithm_and_by_fedifys(db: Database) {
        let world = World::new(db).await;
        let create = world.published("dijk", "De dijk").await.activity;
        let accept = world.peer.takes_a("Accept").await.activity;
        let judge = Script::peer();
        for activity in [&create, &accept] {
            assert_eq!(activity["proof"]["cryptosuite"], "eddsa-jcs-2022", "{activity}");
            assert!(holds(activity, &world).await);
            let verdict = judge.tell(json!({ "do": "proof", "document": activity }));
            assert_eq!(verdict["verified"], true, "{activity:#}");
            assert_eq!(verdict["controller"], json!(world.gateway.actor()));
            let mut changed = activity.clone();
            changed["id"] = json!(world.gateway.url("/ap/x/1"));
            let verdict = judge.tell(json!({ "do": "proof", "document": changed }));
            assert_eq!(verdict["verified"], false, "what was changed is not believed");
            assert!(!holds(&changed, &world).await);
        }
    }
}

/// Whether the proof holds by our own algorithm, with the key that the actor's document gives.
async fn holds(activity: &Value, world: &World) -> bool {
    use heraut::actor::public_key::{PublicKey, multikey_to_pem};
    let method = get(&world.gateway.actor()).await.json()["assertionMethod"][0].clone();
    assert_eq!(activity["proof"]["verificationMethod"], method["id"]);
    let pem = multikey_to_pem(method["publicKeyMultibase"].as_str().unwrap()).unwrap();
    let claim = heraut::signature::integrity::Claim::read(activity, now()).unwrap();
    claim.verify(&PublicKey::from_pem(&pem).unwrap()).is_ok()
}
