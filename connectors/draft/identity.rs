//! What identifies an item: its id, its address, and what to do when the source is careless with ids.

use std::collections::{HashMap, HashSet};

use url::Url;

use super::Draft;
use super::text::Text;
use crate::item::{Action, Item, SOURCE_ID_BYTES_MAX};

/// Longest address that is kept, in bytes: longer ones are not links but data, and most servers refuse them.
pub(crate) const URL_BYTES_MAX: usize = 2_048;

/// Query parameters that only say how a reader came to a page. A name that ends in `*` is a beginning.
static TRACKING: &[&str] = &[
    "utm_*",
    "mtm_*",
    "pk_*",
    "piwik_*",
    "matomo_*",
    "hsa_*",
    "fbclid",
    "gclid",
    "gclsrc",
    "dclid",
    "gbraid",
    "wbraid",
    "msclkid",
    "mc_cid",
    "mc_eid",
    "yclid",
    "twclid",
    "ttclid",
    "li_fat_id",
    "igshid",
    "igsh",
    "_hsenc",
    "_hsmi",
    "_ga",
    "_gl",
    "ref_src",
    "xtor",
    "wt.mc_id",
    "oly_enc_id",
    "oly_anon_id",
    "vero_id",
    "mkt_tok",
    "s_cid",
];

/// The address of a page: absolute, http(s), host in lower case, without tracking parameters; the fragment is kept.
pub(crate) fn page_address(link: &str, base: &Url) -> Option<Url> {
    let mut url = base.join(link.trim()).ok()?;
    if !matches!(url.scheme(), "http" | "https") || url.as_str().len() > URL_BYTES_MAX {
        return None;
    }
    if let Some(query) = url.query() {
        let kept: Vec<&str> = query.split('&').filter(|pair| !is_tracking(pair)).collect();
        if kept.len() != query.split('&').count() {
            let kept = kept.join("&");
            url.set_query(Some(kept.as_str()).filter(|kept| !kept.is_empty()));
        }
    }
    Some(url)
}

/// The same without its fragment, as text.
pub(crate) fn canonical(address: &Url) -> String {
    let mut url = address.clone();
    url.set_fragment(None);
    url.into()
}

fn is_tracking(pair: &str) -> bool {
    let name = pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
    TRACKING.iter().any(|known| match known.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == *known,
    })
}

/// The id of an item: the source's own, else its link, else a hash of its title and body (`reference/connectors.md` A2).
pub(crate) fn source_id(draft: &Draft, address: Option<&Url>) -> String {
    let own = draft.id.as_deref().map(str::trim).filter(|id| !id.is_empty());
    match (own, address) {
        (Some(own), _) => bounded(own.to_owned()),
        (None, Some(address)) => address.as_str().to_owned(),
        (None, None) => {
            let mut hash = Fnv::new();
            hash.text(draft.title.as_deref().unwrap_or_default());
            hash.text(draft.body.as_ref().or(draft.summary.as_ref()).map_or("", Text::as_str));
            hash.id()
        }
    }
}

/// Makes ids unique within one page. An id on several items is joined with their links, and with a hash of the title where links
/// are equal too; what then is still the same is the same item twice, of which the newest is kept. Returns how many were dropped.
pub(crate) fn make_unique(items: &mut Vec<Item>) -> usize {
    let before = items.len();
    settle_tombstones(items);
    join_where_equal(items, |item| item.canonical_url.clone());
    join_where_equal(items, |item| {
        let mut hash = Fnv::new();
        hash.text(item.title.as_deref()?);
        Some(hash.id())
    });
    let mut newest: HashMap<String, Option<i64>> = HashMap::new();
    for item in items.iter() {
        let known = newest.entry(item.source_id.clone()).or_insert(item.source_version);
        *known = (*known).max(item.source_version);
    }
    let mut kept = HashSet::new();
    items.retain(|item| {
        let is_newest = newest.get(&item.source_id).is_none_or(|newest| *newest == item.source_version);
        is_newest && kept.insert(item.source_id.clone())
    });
    before - items.len()
}

/// Of several words about one item, in the order in which they were said, the last one holds.
pub(crate) fn keep_last(items: &mut Vec<Item>) {
    let mut seen = HashSet::new();
    items.reverse();
    items.retain(|item| seen.insert(item.source_id.clone()));
    items.reverse();
}

/// An entry and a tombstone for it in one page: the later one holds (RFC 6721 §3).
fn settle_tombstones(items: &mut Vec<Item>) {
    let mut deleted: HashMap<String, Option<i64>> = HashMap::new();
    for item in items.iter().filter(|item| item.action == Action::Retract) {
        let when = deleted.entry(item.source_id.clone()).or_default();
        *when = (*when).max(item.updated_at);
    }
    if deleted.is_empty() {
        return;
    }
    let mut revived = HashSet::new();
    items.retain(|item| match deleted.get(&item.source_id) {
        Some(when) if item.action == Action::Publish => {
            let is_later = item.updated_at > *when;
            if is_later {
                revived.insert(item.source_id.clone());
            }
            is_later
        }
        _ => true,
    });
    items.retain(|item| item.action == Action::Publish || !revived.contains(&item.source_id));
}

fn join_where_equal(items: &mut [Item], with: impl Fn(&Item) -> Option<String>) {
    let mut found: HashMap<String, (usize, HashSet<Option<String>>)> = HashMap::new();
    for item in items.iter().filter(|item| item.action == Action::Publish) {
        let (count, kinds) = found.entry(item.source_id.clone()).or_default();
        *count += 1;
        kinds.insert(with(item));
    }
    found.retain(|_, (count, kinds)| *count > 1 && kinds.len() > 1);
    for item in items.iter_mut().filter(|item| item.action == Action::Publish) {
        if found.contains_key(&item.source_id)
            && let Some(with) = with(item)
        {
            item.source_id = bounded(format!("{} {with}", item.source_id));
        }
    }
}

pub(crate) fn bounded(id: String) -> String {
    if id.len() <= SOURCE_ID_BYTES_MAX {
        return id;
    }
    let mut hash = Fnv::new();
    hash.text(&id);
    hash.id()
}

/// FNV-1a, 128 bits (RFC 9923): stable between versions and machines, which `std`'s hasher does not promise. It is no defence
/// against a source that wants two of its own items to collide; that source harms only itself.
struct Fnv(u128);

impl Fnv {
    fn new() -> Self {
        Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }

    /// Adds a text and its end, so that "ab" + "c" differs from "a" + "bc".
    fn text(&mut self, text: &str) {
        text.bytes().chain([0xFF]).for_each(|byte| self.byte(byte));
    }

    fn byte(&mut self, byte: u8) {
        self.0 ^= u128::from(byte);
        self.0 = self.0.wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
    }

    fn id(&self) -> String {
        format!("hash:{:032x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_loses_what_only_tracks() {
        let base = Url::parse("https://stad.example/feed/").unwrap();
        for (link, expected) in [
            ("https://Stad.Example/a?utm_source=rss&id=1&fbclid=x#deel", Some("https://stad.example/a?id=1")),
            ("https://stad.example/a?utm_source=rss", Some("https://stad.example/a")),
            ("https://stad.example/a?b=%20c+d&e", Some("https://stad.example/a?b=%20c+d&e")),
            ("../b", Some("https://stad.example/b")),
            ("mailto:a@stad.example", None),
            ("https://[", None),
        ] {
            let found = page_address(link, &base).map(|url| canonical(&url));
            assert_eq!(found.as_deref(), expected, "{link}");
        }
        let at_limit = format!("https://stad.example/{}", "a".repeat(URL_BYTES_MAX - 21));
        assert!(page_address(&at_limit, &base).is_some());
        assert!(page_address(&format!("{at_limit}a"), &base).is_none());
    }

    #[test]
    fn an_id_at_the_limit_is_kept_and_a_longer_one_is_hashed() {
        let whole = "i".repeat(SOURCE_ID_BYTES_MAX);
        assert_eq!(bounded(whole.clone()), whole);
        let hashed = bounded(format!("{whole}i"));
        assert!(hashed.starts_with("hash:") && hashed.len() == 37, "{hashed}");
    }

    #[test]
    fn the_hash_is_the_published_one() {
        let mut hash = Fnv::new();
        hash.byte(b'a');
        assert_eq!(hash.id(), "hash:d228cb696f1a8caf78912b704e4a8964");
    }
}
