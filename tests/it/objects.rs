//! What a post looks like on the wire and over HTTP: items 14 to 25 of the checklist.

use serde_json::{Value, json};

use crate::harness::{PUBLIC, Shared, get, get_as, looks};

fn note(shared: &Shared) -> &Value {
    &shared.create["object"]
}

fn content(shared: &Shared) -> String {
    note(shared)["content"].as_str().unwrap().to_owned()
}

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

    async fn c20_there_is_no_warning_where_none_is_meant(shared: &Shared) {
        assert_eq!((&note(shared)["summary"], &note(shared)["sensitive"]), (&Value::Null, &json!(false)));
    }

    async fn c21_a_picture_is_a_document_with_all_that_peers_want_of_it(shared: &Shared) {
        let attachments = note(shared)["attachment"].as_array().unwrap();
        assert_eq!(attachments.len(), 1);
        let picture = &attachments[0];
        assert_eq!(picture["type"], json!("Document"));
        assert_eq!(picture["mediaType"], json!("image/png"));
        assert_eq!(picture["name"], json!("Een dijk"));
        assert_eq!((&picture["width"], &picture["height"]), (&json!(64), &json!(48)));
        assert!((6..=164).contains(&picture["blurhash"].as_str().unwrap().len()));
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

    async fn c24_an_activity_is_small_and_shallow(shared: &Shared) {
        let text = shared.create.to_string();
        assert!(text.len() < 48 * 1024);
        // The context nests by itself, and nobody who limits the depth counts it.
        let mut bare = shared.create.clone();
        bare.as_object_mut().unwrap().shift_remove("@context");
        assert!(depth(&bare) <= 6, "{}", depth(&bare));
    }

    async fn c25_the_page_of_a_post_has_opengraph(shared: &Shared) {
        let url = note(shared)["url"].as_str().unwrap();
        let page = get_as(url, "text/html").await;
        assert_eq!(page.status, 200);
        let html = page.text();
        for property in ["og:title", "og:url", "og:description", "og:type", "og:image"] {
            assert!(html.contains(&format!("\"{property}\"")), "no {property} in {html}");
        }
        assert!(html.contains("De dijk houdt stand") && html.contains("lang=\"nl\"") && !html.contains("<script"));
    }
}
