//! `/ap/a/{n}/followers_synchronization`: which accounts of a server follow, for that server alone (FEP-8fcf). It must sign, whatever
//! else is open; what it reads is made of who it is, and never kept.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};

use crate::activity::CONTENT_TYPE;
use crate::activity::synchronization::{HOST_FOLLOWERS_MAX, partial_followers};
use crate::flow::Gateway;
use crate::flow::reading::Readers;
use crate::ids::ActorId;
use crate::store::{Db, actors, followers};
use crate::web::access;
use crate::web::caching;
use crate::web::problem::Problem;
use crate::web::routes::number;

/// The followers on the host of who signed.
pub async fn partial(
    gateway: web::Data<Gateway>,
    readers: web::Data<Readers>,
    request: HttpRequest,
    path: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let id = ActorId(number(&path)?);
    let reader = access::reader(&gateway, &readers, &request).await?;
    let host = reader.actor.url.authority();
    let most = i64::try_from(HOST_FOLLOWERS_MAX).unwrap_or(i64::MAX);
    let load = move |db: &mut Db<'_>| {
        let Some(actor) = actors::by_id(db, id)? else { return Ok(None) };
        Ok(Some((actor, followers::of_host(db, id, &host, most + 1)?)))
    };
    let (actor, found) = gateway.store.read("read the followers of a host", load).await?.ok_or(Problem::NotFound)?;
    if found.len() > HOST_FOLLOWERS_MAX {
        // A part of the list would have the server take the rest for gone.
        return Err(Problem::NotFound);
    }
    let document = partial_followers(&actor.url, &gateway.base, &found);
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CONTENT_TYPE, CONTENT_TYPE)).insert_header((header::CACHE_CONTROL, caching::NEVER));
    Ok(response.body(document.to_string()))
}
