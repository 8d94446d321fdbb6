//! Where older items of a feed are (RFC 5005 §4 `prev-archive`, §3 `next`; JSON Feed `next_url`).

use url::Url;

use super::ACCEPT;
use crate::contract::{Page, Request};

/// The link to what is older: the archive before this document, or else the next page of a paged feed, which may lose or repeat
/// items but is better than nothing.
pub(super) fn older<'l>(links: impl Iterator<Item = (&'l str, &'l str)>) -> Option<String> {
    let (mut archive, mut next) = (None, None);
    for (relation, address) in links.filter(|(_, address)| !address.trim().is_empty()) {
        match relation.trim() {
            "prev-archive" => archive = archive.or(Some(address)),
            "next" => next = next.or(Some(address)),
            _ => {}
        }
    }
    archive.or(next).map(str::to_owned)
}

/// The page, with where its archive is: on the same host, and not the document itself.
pub(super) fn told(mut page: Page, older: Option<&str>, url: &Url) -> Page {
    let Some(archive) = older.and_then(|older| url.join(older.trim()).ok()) else { return page };
    if archive.host() != url.host() || !matches!(archive.scheme(), "http" | "https") {
        page.warnings.push("the feed's archive is on another host, and is not read".to_owned());
    } else if archive != *url {
        page.archive = Some(Request::get(archive, ACCEPT));
    }
    page
}
