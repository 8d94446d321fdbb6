//! `/ap/a/{n}/outbox`: the public posts of an actor, newest first, in pages. Ghost reads it for its profile view, Mastodon
//! only how many there are (`reference/federation.md` 3.5).

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use crate::activity::collection::{self, OUTBOX_PAGE_ITEMS_MAX, OutboxPage};
use crate::actor::Actor;
use crate::flow::Gateway;
use crate::ids::{ActorId, PostId};
use crate::store::activities::{self, ActivityRow};
use crate::store::posts::{self, Post};
use crate::store::{Db, Queried, actors};
use crate::web::activitypub::{as_now, is_browser, see_other, shown};
use crate::web::caching::Representation;
use crate::web::hosts;
use crate::web::problem::Problem;
use crate::web::routes::number;

/// Posts on one page.
const PAGE: i64 = OUTBOX_PAGE_ITEMS_MAX as i64;

/// The query of an outbox.
#[derive(Debug, Deserialize)]
pub struct Query {
    page: Option<String>,
}

/// The outbox or one of its pages.
pub async fn outbox(
    gateway: web::Data<Gateway>,
    request: HttpRequest,
    path: web::Path<String>,
    query: web::Query<Query>,
) -> Result<HttpResponse, Problem> {
    let id = ActorId(number(&path)?);
    let Some(page) = query.into_inner().page else { return whole(&gateway, &request, id).await };
    let page = OutboxPage::read(&page)
        .ok_or_else(|| Problem::Malformed("`page` is `first`, `last` or `before-<number>`".to_owned()))?;
    let found = gateway
        .store
        .read("read a page of an outbox", move |db| {
            let Some(actor) = actors::by_id(db, id)? else { return Ok(None) };
            Ok(Some((actor, read_page(db, id, page)?)))
        })
        .await?;
    let (actor, read) = found.ok_or(Problem::NotFound)?;
    let actor = hosts::here(&request, &gateway, Some(actor))?;
    shown(&actor)?;
    let creates = read.said.into_iter().map(|(row, post)| as_now(row, post, &actor)).collect::<Vec<_>>();
    let document = collection::outbox_page(&actor, &actor.base(), page, &creates, read.older);
    Ok(Representation::activity(document.to_string().into_bytes()).answer(&request))
}

async fn whole(gateway: &Gateway, request: &HttpRequest, id: ActorId) -> Result<HttpResponse, Problem> {
    let found: Option<(Actor, i64)> = gateway
        .store
        .read("read an outbox", move |db| {
            let Some(actor) = actors::by_id(db, id)? else { return Ok(None) };
            Ok(Some((actor, posts::count_published(db, id)?)))
        })
        .await?;
    let (actor, total) = found.ok_or(Problem::NotFound)?;
    let actor = hosts::here(request, gateway, Some(actor))?;
    shown(&actor)?;
    if is_browser(request) {
        return Ok(see_other(&actor.base().actor_page(actor.handle.as_str())));
    }
    let document = collection::outbox(&actor, &actor.base(), u64::try_from(total).unwrap_or(0));
    Ok(Representation::activity(document.to_string().into_bytes()).answer(request))
}

/// What is on a page.
struct Page {
    /// Posts with the Create of each, newest first.
    said: Vec<(ActivityRow, Post)>,
    /// The oldest of them, if there are older ones.
    older: Option<PostId>,
}

fn read_page(db: &mut Db<'_>, actor: ActorId, page: OutboxPage) -> Queried<Page> {
    let before = match page {
        OutboxPage::First => None,
        OutboxPage::Before(post) => Some(post),
        OutboxPage::Last => last_page(db, actor)?,
    };
    let mut found = posts::published(db, actor, before, PAGE + 1)?;
    let more = found.len() > OUTBOX_PAGE_ITEMS_MAX;
    found.truncate(OUTBOX_PAGE_ITEMS_MAX);
    let older = found.last().filter(|_| more).map(|post| post.id);
    let mut said = Vec::with_capacity(found.len());
    for post in found {
        let create = activities::of_post(db, post.id)?.into_iter().find(|row| row.kind == "Create");
        said.extend(create.map(|create| (create, post)));
    }
    Ok(Page { said, older })
}

/// Before which id the page with the oldest posts begins: ids are in order of time, so halving finds the largest one below
/// which no more posts are than fit. At most 63 look-ups by index, each of at most a page.
fn last_page(db: &mut Db<'_>, actor: ActorId) -> Queried<Option<PostId>> {
    let (mut fits, mut exceeds) = (0_i64, i64::MAX);
    while exceeds - fits > 1 {
        let middle = fits + (exceeds - fits) / 2;
        if posts::published(db, actor, Some(PostId(middle)), PAGE + 1)?.len() > OUTBOX_PAGE_ITEMS_MAX {
            exceeds = middle;
        } else {
            fits = middle;
        }
    }
    Ok(Some(PostId(fits)))
}
