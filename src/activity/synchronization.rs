//! Followers synchronisation (FEP-8fcf): the server of a follower is told a digest of those of its accounts that follow, and may read
//! which, so that both sides find out when they do not agree.

use openssl::sha::sha256;
use serde_json::{Value, json};

use crate::activity::AS_CONTEXT;
use crate::urls::{ActorUrl, Base};

/// The header with the digest, in lower case.
pub const HEADER: &str = "collection-synchronization";
/// Most followers of one host that are told: with ids of 150 bytes their list stays below the 1 MB that Mastodon reads. A host with
/// more is told no digest.
pub const HOST_FOLLOWERS_MAX: usize = 5_000;
/// The name of the list below an actor.
pub const NAME: &str = "followers_synchronization";

/// The digest of the followers of one host: the SHA-256 of each id, one XOR the other, in hexadecimal. Their order does not matter.
pub fn digest<'f>(followers: impl Iterator<Item = &'f str>) -> String {
    let mut digest = [0_u8; 32];
    for id in followers {
        digest.iter_mut().zip(sha256(id.as_bytes())).for_each(|(all, one)| *all ^= one);
    }
    hex::encode(digest)
}

/// The value of the header.
pub fn header(actor: &ActorUrl, base: &Base, digest: &str) -> String {
    let (collection, url) = (base.below(actor, "followers"), base.below(actor, NAME));
    format!("collectionId=\"{collection}\", url=\"{url}\", digest=\"{digest}\"")
}

/// The list of the followers of one host, for that host alone.
pub fn partial_followers(actor: &ActorUrl, base: &Base, followers: &[String]) -> Value {
    json!({
        "@context": AS_CONTEXT,
        "id": base.below(actor, NAME),
        "type": "OrderedCollection",
        "totalItems": followers.len(),
        "orderedItems": followers,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_example_in_fep_8fcf() {
        let all = ["https://testing.example.org/users/1", "https://testing.example.org/users/2"];
        let expected = "c33f48cd341ef046a206b8a72ec97af65079f9a3a9b90eef79c5920dce45c61f";
        assert_eq!(digest(all.into_iter()), expected);
        assert_eq!(digest(all.into_iter().rev()), expected, "in any order");
        assert_eq!(digest(std::iter::empty()), "0".repeat(64));
    }

    #[test]
    fn the_header_names_the_collection_and_where_to_read_ones_own_part() {
        let base = Base::parse("https://social.example.nl").unwrap();
        let actor = base.actor(crate::ids::ActorId(7));
        assert_eq!(
            header(&actor, &base, "ab"),
            "collectionId=\"https://social.example.nl/ap/a/7/followers\", \
             url=\"https://social.example.nl/ap/a/7/followers_synchronization\", digest=\"ab\""
        );
    }
}
