//! The style sheet and the icon of our pages: compiled in, named by their content, kept by caches for good.

use actix_web::{HttpRequest, HttpResponse};

use crate::web::caching::{self, Representation};

/// The style sheet.
const STYLE: &str = include_str!("../../templates/style.css");
/// The icon.
const ICON: &str = include_str!("../../templates/icon.svg");

/// The picture of actors that have none of their own: the icon at 400×400 pixels, which is what Mastodon keeps.
const AVATAR: &[u8] = include_bytes!("../../templates/avatar.png");

/// Path and version of the style sheet.
pub fn style_path() -> String {
    let tag = caching::etag(STYLE.as_bytes());
    format!("/assets/style.css?v={}", tag.trim_matches('"').get(..12).unwrap_or_default())
}

/// `/assets/style.css`.
pub async fn style(request: HttpRequest) -> HttpResponse {
    Representation::plain(STYLE, "text/css; charset=utf-8").cached(cache(&request)).answer(&request)
}

/// `/assets/icon.svg`, also asked for as `/favicon.ico`.
pub async fn icon(request: HttpRequest) -> HttpResponse {
    Representation::plain(ICON, "image/svg+xml").answer(&request)
}

/// `/assets/avatar.png`.
pub async fn avatar(request: HttpRequest) -> HttpResponse {
    Representation::plain(AVATAR, "image/png").answer(&request)
}

/// For good under the name that pages use, which changes with the content.
fn cache(request: &HttpRequest) -> &'static str {
    let current = style_path();
    let asked = request.uri().path_and_query().map(|p| p.as_str());
    if asked == Some(current.as_str()) { caching::FOREVER } else { caching::SLOW }
}
