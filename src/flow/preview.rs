//! Shows what a source would publish, and publishes nothing: nothing is stored, and no image is kept.

use heraut_connectors::contract::{Connector, Delivery, Page, Told};
use heraut_connectors::item::{Action, Item};
use serde::Serialize;
use serde_json::Value;

use crate::activity::{self, PublishedPost};
use crate::actor::Actor;
use crate::flow::hooks::keep;
use crate::flow::intake::compose_item;
use crate::flow::poll::{self, PollError};
use crate::flow::{Gateway, now};
use crate::ids::PostId;
use crate::net::Fetched;
use crate::post::policy::admit;
use crate::post::revision::{Act, Decision};
use crate::post::{Image, PostState};
use crate::store::sources::Source;

/// What a source says now.
#[derive(Debug, Serialize)]
pub struct Preview {
    /// Title of the feed.
    pub title: Option<String>,
    /// What was repaired or left out.
    pub warnings: Vec<String>,
    /// The items read.
    pub items: Vec<Value>,
    /// The Notes that would be published.
    pub posts: Vec<PreviewPost>,
}

/// A Note that would be published.
#[derive(Debug, Serialize)]
pub struct PreviewPost {
    /// The item's id.
    pub item: String,
    /// `ready`, `scheduled`, why it would be held, or that it would be withdrawn.
    pub state: String,
    /// What the editors would be told.
    pub flags: Vec<String>,
    /// The Note; its ids and dates are made up.
    pub note: Value,
}

/// Where the document comes from.
pub enum Origin {
    /// It is fetched as a poll would.
    Fetch,
    /// It was read from a file.
    File(Fetched),
}

/// Reads a source and composes its items.
pub async fn preview(gateway: &Gateway, source: &Source, actor: &Actor, origin: Origin) -> Result<Preview, PollError> {
    let connector: std::sync::Arc<dyn Connector> = keep::connector(gateway, source).await?.into();
    if let (Origin::Fetch, Some(folder)) = (&origin, poll::folder_of(source)) {
        let mut contents = poll::folder::read(connector, folder).await?;
        contents.page.warnings.extend(contents.problems);
        return Ok(compose_page(source, actor, contents.page));
    }
    let fetched = match (origin, connector.request()) {
        (Origin::File(fetched), _) => fetched,
        (Origin::Fetch, Some(request)) => poll::fetch(gateway, source, &request, false)
            .await
            .map_err(|e| PollError::Fetch(super::verify::with_causes(&e)))?,
        (Origin::Fetch, None) => {
            return Err(PollError::Fetch(
                "items of this source are pushed to us: there is nothing to fetch".to_owned(),
            ));
        }
    };
    if fetched.status != 200 {
        return Err(PollError::Status {
            url: fetched.url.to_string(),
            status: fetched.status,
            hint: ", which is no document",
        });
    }
    let page = poll::read_page(connector, &fetched, None).await?;
    Ok(compose_page(source, actor, page))
}

/// Shows what a pushed request would publish: what it only points to is fetched, nothing is stored. `None` is a request that says
/// nothing that concerns us, with the reason.
pub async fn pushed(
    gateway: &Gateway,
    source: &Source,
    actor: &Actor,
    delivery: Delivery,
) -> Result<Result<Preview, String>, PollError> {
    let connector: std::sync::Arc<dyn Connector> = keep::connector(gateway, source).await?.into();
    let told = connector.receive(&delivery);
    let told = told.map_err(|source| PollError::Read { url: "the request".to_owned(), source })?;
    let (requests, mut page) = match told {
        Told::Ignored { why } => return Ok(Err(why)),
        Told::Page(page) => (Vec::new(), page),
        Told::Fetch { requests, page } => (requests, page),
    };
    for request in requests {
        let fetched = poll::fetch(gateway, source, &request, false).await;
        let fetched = fetched.map_err(|e| PollError::Fetch(super::verify::with_causes(&e)))?;
        if fetched.status != 200 {
            let (url, status) = (fetched.url.to_string(), fetched.status);
            return Err(PollError::Status { url, status, hint: ", which is no document" });
        }
        let read = poll::read_page(connector.clone(), &fetched, request.about.clone()).await?;
        page.items.extend(read.items);
        page.warnings.extend(read.warnings);
    }
    Ok(Ok(compose_page(source, actor, page)))
}

fn compose_page(source: &Source, actor: &Actor, page: Page) -> Preview {
    let posts = page.items.iter().map(|item| preview_post(source, actor, item)).collect();
    let items = page.items.iter().map(show_item).collect();
    Preview { title: page.title, warnings: page.warnings, items, posts }
}

/// An item in the terms of `heraut source preview --json`.
fn show_item(item: &Item) -> Value {
    let date = |ms: Option<i64>| ms.map(|ms| crate::time::Timestamp(ms).to_rfc3339());
    serde_json::json!({
        "id": item.source_id,
        "url": item.canonical_url,
        "title": item.title,
        "published": date(item.published_at),
        "updated": date(item.updated_at),
        "language": item.language,
        "media": item.media,
        "links": item.links,
        "categories": item.categories,
        "summary": item.summary,
        "body": item.body,
        "action": item.action,
    })
}

fn preview_post(source: &Source, actor: &Actor, item: &Item) -> PreviewPost {
    if item.action == Action::Retract {
        let state = "would be withdrawn".to_owned();
        return PreviewPost { item: item.source_id.clone(), state, flags: Vec::new(), note: Value::Null };
    }
    let at = now();
    // Images are shown as the source has them: a preview fetches and keeps none.
    let images = item.media.iter().take(4).map(|media| Image {
        id: crate::ids::MediaId(0),
        source_url: media.url.clone(),
        media_type: media.media_type.clone().unwrap_or_else(|| "image/jpeg".to_owned()),
        width: media.width.unwrap_or(0),
        height: media.height.unwrap_or(0),
        blurhash: String::new(),
        alt: media.alt.clone(),
        sha256: String::new(),
    });
    let mut content = compose_item(source, actor, item, images.collect());
    let decision = Decision { act: Act::New { flooded: false }, add_alias: false };
    let state = match admit(&mut content, item, &decision, &source.settings.policy, at) {
        PostState::Held(reason) => format!("held: {}", reason.explain()),
        PostState::Scheduled(when) => format!("scheduled for {when}"),
        PostState::Embargoed(until) => format!("embargoed until {until}"),
        _ => "ready".to_owned(),
    };
    let flags = content.flags.clone();
    let sources: Vec<String> = content.images.iter().map(|image| image.source_url.clone()).collect();
    let post = PublishedPost { id: PostId(0), content, published: at, updated: None };
    let mut note = activity::note(actor, &actor.base(), &post);
    if let Some(attachments) = note.get_mut("attachment").and_then(Value::as_array_mut) {
        for (attachment, url) in attachments.iter_mut().zip(sources) {
            if let Some(object) = attachment.as_object_mut() {
                object.insert("url".to_owned(), Value::String(url));
                object.retain(|key, value| {
                    let unknown = value == "" || *value == 0;
                    !(unknown && ["blurhash", "width", "height"].contains(&key.as_str()))
                });
            }
        }
    }
    PreviewPost { item: item.source_id.clone(), state, flags, note }
}
