//! `/@name/feed.rss`, `.atom` and `.json`: the public posts of an actor for feed readers (RSS 2.0, RFC 4287, JSON Feed 1.1).
//!
//! Only what is public now is in a feed: a post that is held or under embargo is not in it yet, and one that was withdrawn is in it
//! no more.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde_json::{Map, Value, json};

use crate::activity::extension;
use crate::actor::Actor;
use crate::flow::Gateway;
use crate::post::Image;
use crate::store::posts::{self, Post};
use crate::time::Timestamp;
use crate::urls::Base;
use crate::web::activitypub::shown;
use crate::web::caching::{FRESH, Representation};
use crate::web::hosts;
use crate::web::pages;
use crate::web::problem::Problem;
use crate::web::texts::{self, Texts};
use crate::web::view::{PostView, display_name};

/// Posts in a feed, newest first.
const POSTS_MAX: i64 = 30;

/// A form of a feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// RSS 2.0.
    Rss,
    /// Atom.
    Atom,
    /// JSON Feed 1.1.
    Json,
}

impl Format {
    /// All of them, the one first that most readers take.
    pub const ALL: [Self; 3] = [Self::Rss, Self::Atom, Self::Json];

    /// The ending of its path.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rss => "rss",
            Self::Atom => "atom",
            Self::Json => "json",
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Rss => "application/rss+xml",
            Self::Atom => "application/atom+xml",
            Self::Json => "application/feed+json",
        }
    }
}

/// The feeds of an actor, for the head of its page: media type and URL.
pub fn links(base: &Base, handle: &str) -> Vec<(&'static str, String)> {
    Format::ALL.into_iter().map(|format| (format.media_type(), base.feed(handle, format.name()))).collect()
}

#[derive(Template)]
#[template(path = "feed.rss.xml")]
struct Rss {
    feed: Feed,
}

#[derive(Template)]
#[template(path = "feed.atom.xml")]
struct Atom {
    feed: Feed,
}

/// What an item says, as HTML: the warning, the text, the pictures, the link to the source.
#[derive(Template)]
#[template(path = "feed_item.html")]
struct Body<'a> {
    t: &'static Texts,
    warning: Option<&'a str>,
    html: &'a str,
    pictures: &'a [Picture],
    source: Option<&'a (String, String)>,
}

/// An actor and its newest posts.
struct Feed {
    url: String,
    page: String,
    title: String,
    name: String,
    summary: String,
    icon: String,
    lang: String,
    updated: Timestamp,
    items: Vec<Item>,
}

struct Item {
    id: String,
    page: String,
    title: String,
    html: String,
    summary: String,
    lang: String,
    tags: Vec<String>,
    source: Option<String>,
    pictures: Vec<Picture>,
    published: Timestamp,
    updated: Timestamp,
}

struct Picture {
    url: String,
    media_type: String,
    alt: String,
    width: u32,
    height: u32,
    /// Bytes; 0 where that is not known, as RSS has it.
    length: u64,
}

/// A feed of an actor.
pub async fn feed(
    gateway: web::Data<Gateway>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (name, ending) = path.into_inner();
    let format = Format::ALL.into_iter().find(|format| format.name() == ending).ok_or(Problem::NotFound)?;
    let (handle, base) = (name.to_ascii_lowercase(), hosts::base(&request, &gateway));
    let read = gateway.store.read("read an actor with its posts", move |db| {
        let Some(actor) = pages::at(db, &base, &handle)? else { return Ok(None) };
        Ok(Some((posts::published(db, actor.id, None, POSTS_MAX)?, actor)))
    });
    let (found, actor) = read.await?.ok_or(Problem::NotFound)?;
    shown(&actor)?;
    let base = actor.base();
    if name != actor.handle.as_str() {
        let feed = base.feed(actor.handle.as_str(), format.name());
        return Ok(HttpResponse::PermanentRedirect().insert_header((header::LOCATION, feed)).finish());
    }
    let feed = make(&gateway, &actor, &found, format).await?;
    let body = match format {
        Format::Rss => render(&Rss { feed })?,
        Format::Atom => render(&Atom { feed })?,
        Format::Json => as_json(&base, &feed).to_string(),
    };
    let media_type = format!("{}; charset=utf-8", format.media_type());
    Ok(Representation::plain(body, media_type).cached(FRESH).answer(&request))
}

fn render(document: &impl Template) -> Result<String, Problem> {
    let text = document.render().map_err(|error| Problem::Internal.because(&error))?;
    Ok(text.chars().filter(|c| is_xml(*c)).collect())
}

/// What XML 1.0 §2.2 allows in a document: one control character of a source would make the whole unreadable.
fn is_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

async fn make(gateway: &Gateway, actor: &Actor, found: &[Post], format: Format) -> Result<Feed, Problem> {
    let (base, handle) = (&actor.base(), actor.handle.as_str());
    // The language of the words around is that of the actor: a feed has one URL and many readers.
    let t = texts::of_language(actor.language.as_str());
    let mut items = Vec::with_capacity(found.len());
    for post in found {
        items.push(item(gateway, t, actor, post).await?);
    }
    let newest = items.iter().map(|item| item.updated).max();
    Ok(Feed {
        url: base.feed(handle, format.name()),
        page: base.actor_page(handle),
        title: format!("{} ({})", display_name(actor), actor.full_handle()),
        name: display_name(actor).to_owned(),
        summary: actor.profile.summary.clone(),
        icon: actor.profile.icon.clone().unwrap_or_else(|| base.avatar()),
        lang: actor.language.as_str().to_owned(),
        updated: newest.unwrap_or(actor.created_at),
        items,
    })
}

async fn item(gateway: &Gateway, t: &'static Texts, actor: &Actor, post: &Post) -> Result<Item, Problem> {
    let base = actor.base();
    let view = PostView::new(t, &base, actor, post, 1);
    let mut pictures = Vec::with_capacity(post.content.images.len());
    for image in &post.content.images {
        pictures.push(picture(gateway, &base, image).await);
    }
    let body = Body {
        t,
        warning: view.warning.as_deref(),
        html: &view.html,
        pictures: &pictures,
        source: view.source.as_ref(),
    };
    let html = body.render().map_err(|error| Problem::Internal.because(&error))?;
    let published = post.published_at.unwrap_or(post.created_at);
    Ok(Item {
        id: base.object(post.id).to_string(),
        page: view.page,
        title: view.title,
        html,
        summary: view.description,
        lang: view.lang,
        tags: post.content.hashtags.iter().map(|tag| tag.0.clone()).collect(),
        source: view.source.map(|(url, _)| url),
        pictures,
        published,
        updated: post.updated_at.unwrap_or(published),
    })
}

async fn picture(gateway: &Gateway, base: &Base, image: &Image) -> Picture {
    let ending = extension(&image.media_type);
    let file = gateway.settings.media_dir.join(format!("{}.{ending}", image.id));
    let length = tokio::fs::metadata(file).await.map_or(0, |file| file.len());
    Picture {
        url: base.media(image.id, ending),
        media_type: image.media_type.clone(),
        alt: image.alt.clone().unwrap_or_default(),
        width: image.width,
        height: image.height,
        length,
    }
}

fn as_json(base: &Base, feed: &Feed) -> Value {
    let author = json!({"name": feed.name, "url": feed.page, "avatar": feed.icon});
    json!({
        "version": "https://jsonfeed.org/version/1.1",
        "title": feed.title,
        "home_page_url": feed.page,
        "feed_url": feed.url,
        "description": feed.summary,
        "icon": feed.icon,
        "favicon": format!("{}favicon.ico", base.root()),
        "language": feed.lang,
        "authors": [author],
        "items": feed.items.iter().map(item_as_json).collect::<Vec<_>>(),
    })
}

fn item_as_json(item: &Item) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
    put("id", json!(item.id));
    put("url", json!(item.page));
    if let Some(source) = &item.source {
        put("external_url", json!(source));
    }
    put("title", json!(item.title));
    put("content_html", json!(item.html));
    put("summary", json!(item.summary));
    if let Some(picture) = item.pictures.first() {
        put("image", json!(picture.url));
    }
    put("date_published", json!(item.published.to_rfc3339()));
    put("date_modified", json!(item.updated.to_rfc3339()));
    put("language", json!(item.lang));
    put("tags", json!(item.tags));
    let attachments = item.pictures.iter().map(|picture| {
        json!({"url": picture.url, "mime_type": picture.media_type, "title": picture.alt, "size_in_bytes": picture.length})
    });
    put("attachments", attachments.collect());
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_does_not_allow_is_left_out() {
        let text: String = "a\u{0}b\u{b}c\td\u{fffe}e\u{1f600}".chars().filter(|c| is_xml(*c)).collect();
        assert_eq!(text, "abc\tde\u{1f600}");
    }
}
