//! Pages for people: actors, posts, hashtags. No script, no cookie, no request to anyone else.
//!
//! A server that asks a page for the document is sent on with 303 to the id: the `id` in a document must equal the URL that it
//! came from (`reference/federation.md` 5.3), so a page URL never answers a document itself. Every page names its id in `Link`
//! and in its head.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use askama::Template;
use serde::Deserialize;

use crate::actor::Actor;
use crate::actor::verification::Proof;
use crate::flow::{Gateway, now};
use crate::ids::PostId;
use crate::store::posts::Post;
use crate::store::{Db, Queried, actors, continuity, pins, posts, proofs, sources};
use crate::time::Timestamp;
use crate::urls::Base;
use crate::web::activitypub::{Standing, see_other, shown, standing};
use crate::web::caching::{self, Representation};
use crate::web::feeds;
use crate::web::hosts;
use crate::web::negotiate::{Form, wanted};
use crate::web::problem::Problem;
use crate::web::routes::{Evenly, number};
use crate::web::texts::{self, Texts};
use crate::web::view::{ActorView, Frame, PostView, Verification, display_name, locale};

/// Posts on one page of an actor.
const POSTS_PER_PAGE: usize = 20;
/// Latest posts that are looked through for a hashtag.
const TAG_POSTS_SCANNED: i64 = 1_000;
/// Posts shown for a hashtag.
const TAG_POSTS_MAX: usize = 40;
/// Longest hashtag that is looked for, in characters.
const TAG_CHARS_MAX: usize = 100;
/// Kinds of sources that clients find by the page of the actor.
const WRITTEN: [&str; 1] = ["micropub"];
/// Longest description of an account for previews, in characters.
const SUMMARY_CHARS_MAX: usize = 200;

#[derive(Template)]
#[template(path = "index.html")]
struct IndexPage {
    frame: Frame,
    actors: Vec<ActorView>,
}

#[derive(Template)]
#[template(path = "actor.html")]
struct ActorPage {
    frame: Frame,
    actor: ActorView,
    /// On the first page only.
    pinned: Vec<PostView>,
    posts: Vec<PostView>,
    follow: String,
    newest: Option<String>,
    older: Option<String>,
}

#[derive(Template)]
#[template(path = "post.html")]
struct PostPage {
    frame: Frame,
    actor: ActorView,
    post: PostView,
}

#[derive(Template)]
#[template(path = "tag.html")]
struct TagPage {
    frame: Frame,
    tag: String,
    posts: Vec<PostView>,
}

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage {
    frame: Frame,
    paragraphs: Vec<&'static str>,
}

/// Which posts of an actor.
#[derive(Debug, Deserialize)]
pub struct Query {
    before: Option<String>,
}

/// `/`: who speaks here. Servers are sent on to the instance actor, whose `url` this is.
pub async fn index(gateway: web::Data<Gateway>, request: HttpRequest) -> HttpResponse {
    if wants_document(&request) {
        return see_other(hosts::base(&request, &gateway).instance_actor().as_str());
    }
    let base = hosts::base(&request, &gateway);
    // On our own host everybody is named who speaks here, on that of an agency only its own.
    let (home, own) = (base == gateway.base, base.clone());
    let page = async {
        let read = gateway.store.read("list actors with their proofs", |db| {
            actors::list(db)?.into_iter().map(|actor| Ok((proofs::of_actor(db, actor.id)?, actor))).collect()
        });
        let mut found: Vec<(Proof, Actor)> = read.await?;
        found.retain(|(_, actor)| shown(actor).is_ok() && (home || actor.base() == own));
        let t = texts::choose(&request, found.first().map(|(_, actor)| actor.language.as_str()));
        let views = found.iter().map(|(proof, actor)| actor_view(&gateway, t, actor, proof));
        let mut frame = Frame::new(t, &own, t.index_title);
        frame.description = t.index_intro.to_owned();
        frame.canonical = Some(own.root());
        let page = IndexPage { frame, actors: views.collect() };
        Ok(Representation::page(render(&page)?).answer(&request))
    };
    or_problem(&gateway, &request, page.await)
}

/// `/@name`: an actor, whose it is, and its posts.
pub async fn actor(
    gateway: web::Data<Gateway>,
    request: HttpRequest,
    path: web::Path<String>,
    query: web::Query<Query>,
) -> HttpResponse {
    let before = query.into_inner().before;
    or_problem(&gateway, &request, actor_page(&gateway, &request, path.into_inner(), before).await)
}

async fn actor_page(
    gateway: &Gateway,
    request: &HttpRequest,
    name: String,
    before: Option<String>,
) -> Result<HttpResponse, Problem> {
    let before = before.map(|text| number(&text)).transpose()?.map(PostId);
    let handle = name.to_ascii_lowercase();
    let limit = POSTS_PER_PAGE as i64 + 1;
    let base = hosts::base(request, gateway);
    let read = gateway.store.read("read an actor with its posts", move |db| {
        let Some(actor) = at(db, &base, &handle)? else { return Ok(None) };
        let found = posts::published(db, actor.id, before, limit)?;
        let pinned = if before.is_none() { pins::posts_of(db, actor.id)? } else { Vec::new() };
        let written = sources::feeds_by(db, actor.id, &WRITTEN)?;
        Ok(Some((proofs::of_actor(db, actor.id)?, pinned, found, actor, written)))
    });
    let (proof, pinned, mut found, actor, written) = read.await?.ok_or(Problem::NotFound)?;
    shown(&actor)?;
    let page = actor.base().actor_page(actor.handle.as_str());
    if name != actor.handle.as_str() {
        return Ok(HttpResponse::PermanentRedirect().insert_header((header::LOCATION, page)).finish());
    }
    if wants_document(request) {
        return Ok(see_other(actor.url.as_str()));
    }
    let t = texts::choose(request, Some(actor.language.as_str()));
    let more = found.len() > POSTS_PER_PAGE;
    found.truncate(POSTS_PER_PAGE);
    let oldest = found.last().filter(|_| more).map(|post| post.id);
    let view = actor_view(gateway, t, &actor, &proof);
    let mut frame = Frame::new(t, &actor.base(), format!("{} ({})", view.name, view.handle));
    frame.description = crate::post::text::shorten_plain(&view.summary.join(" "), SUMMARY_CHARS_MAX);
    frame.kind = "profile";
    frame.picture = view.icon.clone().map(|icon| (icon, String::new()));
    frame.creator = Some(actor.full_handle());
    frame.locale = locale(actor.language.as_str());
    frame.feeds = feeds::links(&actor.base(), actor.handle.as_str());
    frame.oembed = Some(actor.base().oembed(&page));
    frame.listed = before.is_none();
    frame.canonical = before.is_none().then(|| page.clone());
    frame.alternate = Some(actor.url.to_string());
    frame.micropub = written.then(|| actor.base().micropub());
    let link = match &frame.micropub {
        Some(endpoint) => format!("{}, <{endpoint}>; rel=\"micropub\"", alternate(actor.url.as_str())),
        None => alternate(actor.url.as_str()),
    };
    let shown_as = |post: &Post| PostView::new(t, &actor.base(), &actor, post, 3);
    // What is on top is not shown once more below.
    found.retain(|post| !pinned.iter().any(|pin| pin.id == post.id));
    let shown = ActorPage {
        frame,
        pinned: pinned.iter().map(shown_as).collect(),
        posts: found.iter().map(shown_as).collect(),
        follow: actor.base().follow_page(actor.handle.as_str()),
        newest: before.map(|_| page.clone()),
        older: oldest.map(|id| format!("{page}?before={id}")),
        actor: view,
    };
    Ok(Representation::page(render(&shown)?).linked(link).answer(request))
}

/// `/@name/{n}`: a post. One that is not public is the same "not found" as one that does not exist.
pub async fn post(
    gateway: web::Data<Gateway>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
) -> HttpResponse {
    let (name, id) = path.into_inner();
    or_problem(&gateway, &request, post_page(&gateway, &request, name, &id).await)
}

/// The actor whose page that is on a host, or was before it got another handle.
pub(super) fn at(db: &mut Db<'_>, base: &Base, handle: &str) -> Queried<Option<Actor>> {
    let here = |actor: &Actor| actor.base() == *base;
    if let Some(found) = actors::all_by_handle(db, handle)?.into_iter().find(here) {
        return Ok(Some(found));
    }
    for former in continuity::former(db, handle)? {
        if let Some(found) = actors::by_id(db, former.actor_id)?.filter(here) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

async fn post_page(gateway: &Gateway, request: &HttpRequest, name: String, id: &str) -> Result<HttpResponse, Problem> {
    let evenly = Evenly::begin();
    let id = PostId(number(id)?);
    let read = gateway.store.read("read a post for its page", move |db| {
        let Some((post, actor)) = crate::web::activitypub::with_actor(db, id)? else { return Ok(None) };
        Ok(Some((post, proofs::of_actor(db, actor.id)?, actor)))
    });
    let found: Option<(Post, Proof, Actor)> = read.await?;
    let base = hosts::base(request, gateway);
    let Some((post, proof, actor)) = found.filter(|(_, _, actor)| actor.base() == base) else {
        return Err(evenly.not_found().await);
    };
    if actor.handle.as_str() != name {
        let (wanted, here) = (name.to_ascii_lowercase(), base.clone());
        let named = gateway.store.read("look whose page it was", move |db| at(db, &here, &wanted)).await?;
        return match named.filter(|named| named.id == actor.id) {
            Some(_) => {
                let page = base.post_page(actor.handle.as_str(), id);
                Ok(HttpResponse::PermanentRedirect().insert_header((header::LOCATION, page)).finish())
            }
            None => Err(evenly.not_found().await),
        };
    }
    shown(&actor)?;
    let object = actor.base().object(id);
    match standing(&post) {
        Standing::Unknown => return Err(evenly.not_found().await),
        _ if wants_document(request) => return Ok(see_other(object.as_str())),
        Standing::Withdrawn(_) => return Err(Problem::Gone),
        Standing::Public => {}
    }
    let t = texts::choose(request, Some(actor.language.as_str()));
    let view = PostView::new(t, &actor.base(), &actor, &post, 1);
    let mut frame = Frame::new(t, &base, format!("{} – {}", view.title, display_name(&actor)));
    frame.description = view.description.clone();
    frame.kind = "article";
    // What is behind a warning is not given away in a preview.
    let picture = view.pictures.first().filter(|_| view.warning.is_none());
    frame.picture = picture.map(|p| (p.url.clone(), p.alt.clone().unwrap_or_default()));
    frame.picture_size = picture.map(|p| (p.width, p.height));
    frame.locale = locale(&view.lang);
    frame.modified = post.updated_at.map(Timestamp::to_rfc3339);
    frame.oembed = Some(base.oembed(&view.page));
    frame.creator = Some(actor.full_handle());
    frame.published = Some(post.published_at.unwrap_or(post.created_at).to_rfc3339());
    frame.canonical = Some(view.page.clone());
    frame.alternate = Some(object.to_string());
    let shown = PostPage { frame, actor: actor_view(gateway, t, &actor, &proof), post: view };
    Ok(Representation::page(render(&shown)?).linked(alternate(object.as_str())).answer(request))
}

/// `/tags/{name}`: recent public posts of all actors with that hashtag.
pub async fn tag(gateway: web::Data<Gateway>, request: HttpRequest, path: web::Path<String>) -> HttpResponse {
    or_problem(&gateway, &request, tag_page(&gateway, &request, path.into_inner()).await)
}

async fn tag_page(gateway: &Gateway, request: &HttpRequest, tag: String) -> Result<HttpResponse, Problem> {
    if tag.chars().count() > TAG_CHARS_MAX {
        return Err(Problem::NotFound);
    }
    let wanted = tag.to_lowercase();
    let carries = move |post: &Post| {
        standing(post) == Standing::Public && post.content.hashtags.iter().any(|tag| tag.0.to_lowercase() == wanted)
    };
    let read = gateway.store.read("look for a hashtag", move |db| {
        let latest = posts::latest(db, TAG_POSTS_SCANNED)?;
        let found = latest.into_iter().filter(carries).take(TAG_POSTS_MAX);
        found.map(|post| Ok((actors::by_id(db, post.actor_id)?, post))).collect()
    });
    let base = hosts::base(request, gateway);
    let home = base == gateway.base;
    let mut found: Vec<(Option<Actor>, Post)> = read.await?;
    let here = |actor: &Actor| shown(actor).is_ok() && (home || actor.base() == base);
    found.retain(|(actor, _)| actor.as_ref().is_some_and(here));
    let language = found.first().map(|(_, post)| post.content.language.as_str().to_owned());
    let t = texts::choose(request, language.as_deref());
    let views = found.iter().filter_map(|(actor, post)| {
        let actor = actor.as_ref()?;
        Some(PostView::new(t, &actor.base(), actor, post, 2).by(actor, &actor.base()))
    });
    let mut frame = Frame::new(t, &base, format!("{} #{tag}", t.tag_title));
    frame.listed = false;
    frame.canonical = Some(base.hashtag(&tag));
    let page = TagPage { frame, posts: views.collect(), tag };
    Ok(Representation::page(render(&page)?).answer(request))
}

/// `/about-bot`: what our User-Agent stands for.
pub async fn about_bot(gateway: web::Data<Gateway>, request: HttpRequest) -> HttpResponse {
    let t = texts::choose(&request, None);
    let page =
        MessagePage { frame: Frame::new(t, &hosts::base(&request, &gateway), t.bot_title), paragraphs: t.bot.to_vec() };
    let answer = render(&page).map(|html| Representation::page(html).cached(caching::SLOW).answer(&request));
    or_problem(&gateway, &request, answer)
}

/// Everything else: "not found", as a page for a browser and as a problem for a program.
pub async fn nothing(gateway: web::Data<Gateway>, request: HttpRequest) -> HttpResponse {
    if wanted(&request, Form::Activity) == Form::Activity {
        return Problem::NotFound.error_response();
    }
    or_problem(&gateway, &request, Err(Problem::NotFound))
}

fn wants_document(request: &HttpRequest) -> bool {
    wanted(request, Form::Html) == Form::Activity
}

fn actor_view(gateway: &Gateway, t: &'static Texts, actor: &Actor, proof: &Proof) -> ActorView {
    let verification = Verification::new(t, actor, proof, &gateway.settings.proof_times, now());
    ActorView::new(actor, &actor.base(), verification)
}

fn alternate(id: &str) -> String {
    format!("<{id}>; rel=\"alternate\"; type=\"{}\"", crate::activity::CONTENT_TYPE)
}

pub(super) fn render(page: &impl Template) -> Result<String, Problem> {
    page.render().map_err(|error| Problem::Internal.because(&error))
}

/// The answer, or a page that says what is wrong: a problem for a program, the same words for any "not found".
pub(super) fn or_problem(
    gateway: &Gateway,
    request: &HttpRequest,
    answer: Result<HttpResponse, Problem>,
) -> HttpResponse {
    let problem = match answer {
        Ok(answer) => return answer,
        Err(problem) => problem,
    };
    let t = texts::choose(request, None);
    let (title, text) = match problem.status_code() {
        StatusCode::NOT_FOUND => (t.missing_title, t.missing),
        StatusCode::GONE if problem == Problem::Closed => (t.over_title, t.over),
        StatusCode::GONE => (t.gone_title, t.gone),
        StatusCode::FORBIDDEN => (t.suspended_title, t.suspended),
        _ => (t.failed_title, t.failed),
    };
    let mut frame = Frame::new(t, &hosts::base(request, gateway), title);
    frame.listed = false;
    let page = MessagePage { frame, paragraphs: vec![text] };
    match render(&page) {
        Ok(html) if !wants_document(request) => {
            let answer = Representation::page(html).cached(caching::NEVER).answer_with(problem.status_code());
            // A crowd may come for what was withdrawn, too; what is unknown is not worth the room.
            if matches!(problem, Problem::Gone | Problem::Closed) { caching::kept(answer) } else { answer }
        }
        _ => problem.error_response(),
    }
}
