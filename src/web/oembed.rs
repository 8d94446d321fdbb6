//! `/oembed`: how other websites show a post or an actor of ours (oembed.com, version 1.0). A quotation with a link: no script, no
//! frame, nothing that is loaded from us but a picture that the other website may leave out.

use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::actor::Actor;
use crate::flow::{Gateway, hosts};
use crate::store::actors;
use crate::store::posts::Post;
use crate::urls::URL_BYTES_MAX;
use crate::web::activitypub::{Standing, shown as shown_now, standing, with_actor};
use crate::web::caching::{FRESH, Representation};
use crate::web::problem::Problem;
use crate::web::routes::Evenly;
use crate::web::texts;
use crate::web::view::{PostView, display_name};

/// How wide a post is shown where nobody says, in pixels.
const WIDTH: u32 = 550;
/// For how long a website may keep an answer, in seconds; not longer than a page, because a withdrawn post must go.
const CACHE_AGE_S: u32 = 180;

/// What is asked for.
#[derive(Debug, Deserialize)]
pub struct Query {
    url: Option<String>,
    format: Option<String>,
    maxwidth: Option<String>,
}

#[derive(Template)]
#[template(path = "oembed.html")]
struct Quotation<'a> {
    post: &'a PostView,
    name: &'a str,
    handle: String,
}

/// The answer, as JSON and nothing else; 404 for what is not one of our public pages.
pub async fn oembed(
    gateway: web::Data<Gateway>,
    request: HttpRequest,
    query: web::Query<Query>,
) -> Result<HttpResponse, Problem> {
    let evenly = Evenly::begin();
    let Query { url, format, maxwidth } = query.into_inner();
    if format.as_deref().is_some_and(|format| format != "json") {
        return Err(Problem::Format);
    }
    let url = url.ok_or_else(|| Problem::Malformed("the parameter `url` is missing".to_owned()))?;
    let width = maxwidth.and_then(|text| text.parse::<u32>().ok()).map_or(WIDTH, |most| most.clamp(1, WIDTH));
    match document(&gateway, &url, width).await? {
        Some(document) => {
            let answer = Representation::plain(document.to_string(), "application/json; charset=utf-8");
            Ok(answer.cached(FRESH).answer(&request))
        }
        None => Err(evenly.not_found().await),
    }
}

/// What campaigns and previews add to an address changes nothing.
fn bare(url: &str) -> Option<String> {
    let mut parsed = url::Url::parse(url).ok().filter(|_| url.len() <= URL_BYTES_MAX)?;
    parsed.set_query(None);
    parsed.set_fragment(None);
    Some(parsed.to_string())
}

async fn document(gateway: &Gateway, url: &str, width: u32) -> Result<Option<Value>, Problem> {
    let Some(url) = bare(url) else { return Ok(None) };
    let hosts = gateway.hosts(hosts::FRESH).await?;
    let base = hosts.reading();
    if let Some(id) = base.read_post(&url) {
        let found = gateway.store.read("read a post to be shown elsewhere", move |db| with_actor(db, id)).await?;
        let shown = found.filter(|(post, actor)| {
            let base = actor.base();
            let ours = base.post_page(actor.handle.as_str(), id) == url || base.object(id).as_str() == url;
            ours && shown_now(actor).is_ok() && standing(post) == Standing::Public
        });
        return shown.map(|(post, actor)| of_post(&post, &actor, width)).transpose();
    }
    let Some(handle) = base.read_actor_page(&url).map(str::to_owned) else { return Ok(None) };
    let here = move |actor: &Actor| actor.base().actor_page(actor.handle.as_str()) == url;
    let found = gateway.store.read("read an actor", move |db| actors::all_by_handle(db, &handle)).await?;
    let found = found.into_iter().filter(|actor| shown_now(actor).is_ok()).find(here);
    Ok(found.map(|actor| Value::Object(common("link", display_name(&actor), &actor))))
}

fn common(kind: &str, title: &str, actor: &Actor) -> Map<String, Value> {
    let base = actor.base();
    let mut answer = Map::new();
    let mut put = |key: &str, value: Value| answer.insert(key.to_owned(), value);
    put("version", json!("1.0"));
    put("type", json!(kind));
    put("title", json!(title));
    put("author_name", json!(format!("{} ({})", display_name(actor), actor.full_handle())));
    put("author_url", json!(base.actor_page(actor.handle.as_str())));
    put("provider_name", json!(base.authority()));
    put("provider_url", json!(base.root()));
    put("cache_age", json!(CACHE_AGE_S));
    answer
}

fn of_post(post: &Post, actor: &Actor, width: u32) -> Result<Value, Problem> {
    let view = PostView::new(texts::of_language(actor.language.as_str()), &actor.base(), actor, post, 2);
    let quotation = Quotation { post: &view, name: display_name(actor), handle: actor.full_handle() };
    let html = quotation.render().map_err(|error| Problem::Internal.because(&error))?;
    let mut answer = common("rich", &view.title, actor);
    let mut put = |key: &str, value: Value| answer.insert(key.to_owned(), value);
    put("html", json!(html));
    put("width", json!(width));
    // It is as high as its text makes it.
    put("height", Value::Null);
    // What is behind a warning is not shown before somebody asks for it.
    if let Some(picture) = view.pictures.first().filter(|_| view.warning.is_none()) {
        put("thumbnail_url", json!(picture.url));
        put("thumbnail_width", json!(picture.width));
        put("thumbnail_height", json!(picture.height));
    }
    Ok(Value::Object(answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_to_an_address_changes_nothing() {
        let page = "https://social.example/@nieuws/9";
        assert_eq!(bare(&format!("{page}?utm_source=x#y")).as_deref(), Some(page));
        assert_eq!(bare("no address"), None);
        assert_eq!(bare(&format!("{page}?{}", "x".repeat(URL_BYTES_MAX))), None);
    }
}
