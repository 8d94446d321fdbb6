//! What other servers read: actors, their collections, Notes, activities, quote authorizations.
//!
//! An id answers its document with 200 and no redirect to whoever asks for one, because the `id` inside must equal the URL that
//! was asked (`reference/federation.md` 5.3). A browser, which asks for HTML, is sent on with 303 to the page.
//!
//! Whatever is not public now and never was is "not found", in the same words and the same time as what does not exist: held,
//! scheduled and embargoed posts do not show.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::{Map, Value, json};

use crate::activity::actor_document::{actor_document, instance_document, key_document};
use crate::activity::continuity::actor_tombstone;
use crate::activity::{self, PUBLIC, PublishedPost};
use crate::actor::Actor;
use crate::actor::continuity::ActorState;
use crate::flow::Gateway;
use crate::ids::{ActivityId, ActorId, PostId, QuoteId};
use crate::post::PostState;
use crate::store::activities::ActivityRow;
use crate::store::posts::Post;
use crate::store::reactions::QuoteRow;
use crate::store::{Db, Queried, activities, actors, pins, posts, reactions};
use crate::time::Timestamp;
use crate::urls::{Base, ObjectUrl};
use crate::web::access;
use crate::web::caching::{self, Representation};
use crate::web::hosts;
use crate::web::negotiate::{Form, wanted};
use crate::web::problem::Problem;
use crate::web::routes::{Evenly, number};

/// How a post stands towards the public.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It can be read.
    Public,
    /// It could be read until then.
    Withdrawn(Timestamp),
    /// It was never public. A post that was withdrawn before it was published is one of these.
    Unknown,
}

/// How a post stands towards the public.
pub fn standing(post: &Post) -> Standing {
    match (post.state, post.published_at) {
        (PostState::Published(_), _) => Standing::Public,
        (PostState::Withdrawn(at), Some(_)) => Standing::Withdrawn(at),
        _ => Standing::Unknown,
    }
}

/// A post as it is said.
pub fn published(post: Post) -> PublishedPost {
    PublishedPost {
        id: post.id,
        published: post.published_at.unwrap_or(post.created_at),
        updated: post.updated_at,
        content: post.content,
    }
}

/// Sends a client on to the other form of what it asked for.
pub fn see_other(location: &str) -> HttpResponse {
    let response = HttpResponse::SeeOther()
        .insert_header((header::LOCATION, location))
        .insert_header((header::CACHE_CONTROL, caching::FRESH))
        .insert_header((header::VARY, "Accept"))
        .insert_header((header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"))
        .finish();
    caching::kept(response)
}

/// Whether the request, for an id, comes from a browser.
pub fn is_browser(request: &HttpRequest) -> bool {
    wanted(request, Form::Activity) == Form::Html
}

fn document(request: &HttpRequest, document: &Value) -> HttpResponse {
    Representation::activity(document.to_string().into_bytes()).answer(request)
}

async fn actor_of(gateway: &Gateway, request: &HttpRequest, path: &str) -> Result<Actor, Problem> {
    let id = ActorId(number(path)?);
    let found = gateway.store.read("read an actor", move |db| actors::by_id(db, id)).await?;
    hosts::here(request, gateway, found)
}

/// Whether what an actor says can be read now.
pub fn shown(actor: &Actor) -> Result<(), Problem> {
    match actor.continuity.state {
        state if state.is_shown() => Ok(()),
        state if state.is_over() => Err(Problem::Closed),
        _ => Err(Problem::Suspended),
    }
}

/// `/ap/a/{n}`: the actor. Served whether or not a proof holds: peers need the key to check what was signed before.
pub async fn actor(
    gateway: web::Data<Gateway>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let actor = actor_of(&gateway, &request, &path).await?;
    if actor.continuity.state == ActorState::Retired {
        let tombstone = actor_tombstone(&actor).to_string().into_bytes();
        return Ok(caching::kept(Representation::activity(tombstone).answer_with(StatusCode::GONE)));
    }
    if is_browser(&request) {
        return Ok(see_other(&actor.base().actor_page(actor.handle.as_str())));
    }
    let whole = actor_document(&actor, &actor.base());
    Ok(document(&request, &if access::is_key_only(&request) { key_document(whole) } else { whole }))
}

/// `/ap/a/{n}/followers` and `following`: counts; `featured`: pinned posts; `tags`: featured hashtags.
pub async fn collection(
    gateway: web::Data<Gateway>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (id, name) = path.into_inner();
    let actor = actor_of(&gateway, &request, &id).await?;
    shown(&actor)?;
    if is_browser(&request) {
        return Ok(see_other(&actor.base().actor_page(actor.handle.as_str())));
    }
    let found = match name.as_str() {
        "followers" => {
            let id = actor.id;
            let count = gateway.store.read("count followers", move |db| crate::store::followers::count(db, id)).await?;
            activity::collection::followers(&actor, &actor.base(), u64::try_from(count).unwrap_or(0))
        }
        "following" => activity::collection::following(&actor, &actor.base()),
        "featured" => {
            let id = actor.id;
            let pinned = gateway.store.read("read pinned posts", move |db| pins::of_actor(db, id)).await?;
            activity::collection::featured(&actor, &actor.base(), &pinned)
        }
        "tags" => activity::collection::featured_tags(&actor, &actor.base()),
        _ => return Err(Problem::NotFound),
    };
    Ok(document(&request, &found))
}

/// `/ap/o/{n}`: the Note; 410 with its Tombstone when it was withdrawn (ActivityPub §6.4).
pub async fn object(
    gateway: web::Data<Gateway>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let evenly = Evenly::begin();
    let id = PostId(number(&path)?);
    let found = gateway.store.read("read a post", move |db| with_actor(db, id)).await?;
    let base = hosts::base(&request, &gateway);
    let Some((post, actor)) = found.filter(|(_, actor)| actor.base() == base) else {
        return Err(evenly.not_found().await);
    };
    let page = actor.base().post_page(actor.handle.as_str(), id);
    match standing(&post) {
        Standing::Unknown => Err(evenly.not_found().await),
        _ if is_browser(&request) => Ok(see_other(&page)),
        Standing::Withdrawn(at) => Ok(tombstone(&base, id, at)),
        Standing::Public if actor.continuity.state.is_over() => Ok(tombstone(&base, id, actor.continuity.since)),
        Standing::Public if !actor.continuity.state.is_shown() => Err(Problem::Suspended),
        Standing::Public => {
            let note = activity::note(&actor, &actor.base(), &published(post));
            let link = format!("<{page}>; rel=\"alternate\"; type=\"text/html\"");
            Ok(Representation::activity(note.to_string().into_bytes()).linked(link).answer(&request))
        }
    }
}

/// 410 with the Tombstone.
fn tombstone(base: &Base, id: PostId, at: Timestamp) -> HttpResponse {
    let tombstone = activity::tombstone(base, id, at);
    caching::kept(Representation::activity(tombstone.to_string().into_bytes()).answer_with(StatusCode::GONE))
}

/// A post and who says it. The actor is read only when the post may be shown.
pub fn with_actor(db: &mut Db<'_>, id: PostId) -> Queried<Option<(Post, Actor)>> {
    let Some(post) = posts::by_id(db, id)?.filter(|post| standing(post) != Standing::Unknown) else { return Ok(None) };
    let actor = actors::by_id(db, post.actor_id)?;
    Ok(actor.map(|actor| (post, actor)))
}

/// `/ap/x/{n}`: an activity that was addressed to the public; who follows us, which an Accept would tell, is nobody's
/// business. The bytes are those that were sent, unless its post was edited since: then the object is the post as it is now,
/// because what an agency corrected must not live on here. Of a withdrawn post only the Delete remains.
pub async fn stored_activity(
    gateway: web::Data<Gateway>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let evenly = Evenly::begin();
    let id = ActivityId(number(&path)?);
    let found = gateway
        .store
        .read("read an activity", move |db| {
            let Some(row) = activities::by_id(db, id)? else { return Ok(None) };
            let Some(actor) = actors::by_id(db, row.actor_id)? else { return Ok(None) };
            let post = row.post_id.map_or(Ok(None), |post| with_actor(db, post))?;
            Ok(Some((row, actor, post)))
        })
        .await?;
    let base = hosts::base(&request, &gateway);
    let Some((row, actor, post)) = found.filter(|(row, actor, _)| is_public(&row.bytes) && actor.base() == base) else {
        return Err(evenly.not_found().await);
    };
    if row.kind != "Delete" {
        shown(&actor)?;
    }
    let tells_of_post = matches!(row.kind.as_str(), "Create" | "Update") && row.post_id.is_some();
    if !tells_of_post {
        return Ok(Representation::activity(row.bytes).answer(&request));
    }
    let Some((post, actor)) = post else { return Err(evenly.not_found().await) };
    if is_browser(&request) {
        return Ok(see_other(&actor.base().post_page(actor.handle.as_str(), post.id)));
    }
    match standing(&post) {
        Standing::Unknown => Err(evenly.not_found().await),
        Standing::Withdrawn(at) => Ok(tombstone(&base, post.id, at)),
        Standing::Public => Ok(Representation::activity(as_now(row, post, &actor)).answer(&request)),
    }
}

/// Whether `to` or `cc` names the public.
fn is_public(bytes: &[u8]) -> bool {
    let Ok(activity) = serde_json::from_slice::<Value>(bytes) else { return false };
    let names =
        |field: &str| activity.get(field).and_then(Value::as_array).is_some_and(|to| to.contains(&json!(PUBLIC)));
    names("to") || names("cc")
}

/// The bytes of a Create or Update, with the post as it is now when it was edited.
pub fn as_now(row: ActivityRow, post: Post, actor: &Actor) -> Vec<u8> {
    if post.updated_at.is_none() {
        return row.bytes;
    }
    let Ok(mut whole) = serde_json::from_slice::<Map<String, Value>>(&row.bytes) else { return row.bytes };
    let mut note = activity::note(actor, &actor.base(), &published(post));
    if let Some(note) = note.as_object_mut() {
        note.shift_remove("@context");
    }
    whole.insert("object".to_owned(), note);
    whole.shift_remove("proof"); // it is of what was said then
    Value::Object(whole).to_string().into_bytes()
}

/// `/ap/q/{n}`: the QuoteAuthorization (FEP-044f); 410 when it was revoked or its post withdrawn, which tells whoever checks
/// it that the quote no longer stands.
pub async fn quote(
    gateway: web::Data<Gateway>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let id = QuoteId(number(&path)?);
    let found: Option<(QuoteRow, (Post, Actor))> = gateway
        .store
        .read("read a quote authorization", move |db| {
            let Some(row) = reactions::quote(db, id)? else { return Ok(None) };
            Ok(with_actor(db, row.post_id)?.map(|post| (row, post)))
        })
        .await?;
    let Some((row, (post, actor))) = found else { return Err(Problem::NotFound) };
    let actor = hosts::here(&request, &gateway, Some(actor))?;
    shown(&actor)?;
    if row.revoked_at.is_some() || standing(&post) != Standing::Public {
        return Err(Problem::Gone);
    }
    let quoting = ObjectUrl::parse(&row.quote_url).map_err(|error| Problem::Internal.because(&error))?;
    Ok(document(&request, &activity::quote_authorization(&actor, &actor.base(), id, &quoting, post.id)))
}

/// `/ap/instance`: the actor that signs our fetches.
pub async fn instance(gateway: web::Data<Gateway>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let base = hosts::base(&request, &gateway);
    if is_browser(&request) {
        return Ok(see_other(&base.root()));
    }
    let instance = gateway.instance_actor_at(&base).await?;
    Ok(document(&request, &instance_document(&instance, &base)))
}

/// `/ap/instance/outbox`, `followers` and `following`, which its document names: all empty.
pub async fn instance_collection(
    gateway: web::Data<Gateway>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    if !matches!(path.as_str(), "outbox" | "followers" | "following") {
        return Err(Problem::NotFound);
    }
    let base = hosts::base(&request, &gateway);
    let empty = json!({
        "@context": "https://www.w3.org/ns/activitystreams",
        "id": base.below(&base.instance_actor(), &path),
        "type": "OrderedCollection",
        "totalItems": 0,
        "orderedItems": [],
    });
    Ok(document(&request, &empty))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_addressed_to_the_public_is_public() {
        let table = [
            (json!({"to": [PUBLIC], "cc": []}), true),
            (json!({"to": ["https://a.example/u/1"], "cc": [PUBLIC]}), true),
            (json!({"to": ["https://a.example/u/1"]}), false),
            (json!({"type": "Accept"}), false),
            (json!([]), false),
        ];
        for (activity, public) in table {
            assert_eq!(is_public(activity.to_string().as_bytes()), public, "{activity}");
        }
        assert!(!is_public(b"no JSON"));
    }
}
