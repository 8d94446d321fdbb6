//! The DNS record that shows control of a domain: TXT at `_heraut.<domain>`, one per actor, and while its keys are rotated one per
//! key: `v=heraut1; actor=<id>; key=sha256:<hex>`.

use std::net::IpAddr;

use crate::actor::{Actor, Agency};

/// The label before the domain; the underscore keeps it out of the names of hosts (RFC 8552).
pub const LABEL: &str = "_heraut";
/// How a record of ours begins; others at the same name are of no interest.
pub const VERSION: &str = "v=heraut1";
/// Most records that are read.
pub const RECORDS_MAX: usize = 1_000;

/// The host of an agency's domain, without a port.
pub fn host(agency: &Agency) -> &str {
    let domain = agency.domain.as_str();
    match domain.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => domain,
    }
}

/// Where the record stands; `None` of a domain that is an address, which has no name in DNS.
pub fn name(agency: &Agency) -> Option<String> {
    let host = host(agency);
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
    (!address && !host.is_empty()).then(|| format!("{LABEL}.{host}"))
}

/// The same as a URI (RFC 4501).
pub fn uri(agency: &Agency) -> String {
    format!("dns:{LABEL}.{}?type=TXT", host(agency))
}

/// The records that are to stand there for an actor: one for each of its keys, that which signs first. A longer one for both would
/// not fit into the 255 bytes of one piece of text, which some forms for editing a zone do not get over.
pub fn texts_for(actor: &Actor) -> Vec<String> {
    let text = |key| format!("{VERSION}; actor={}; key={key}", actor.url);
    actor.keys.fingerprints().into_iter().map(text).collect()
}

/// The same in a sentence.
pub fn text_for(actor: &Actor) -> String {
    let texts: Vec<String> = texts_for(actor).into_iter().map(|text| format!("\"{text}\"")).collect();
    texts.join(" and ")
}

/// The lines to put in a zone file; none of a domain that is an address.
pub fn lines_for(actor: &Actor) -> Vec<String> {
    let Some(name) = name(&actor.agency) else { return Vec::new() };
    texts_for(actor).into_iter().map(|text| format!("{name}. IN TXT \"{text}\"")).collect()
}

/// Whether one of the records names the actor with a key that it has now: that record, or why not and what to put where.
pub fn judge<'t>(texts: &'t [String], actor: &Actor) -> Result<&'t str, String> {
    let place = name(&actor.agency).unwrap_or_default();
    let ours: Vec<(&str, Entry<'_>)> =
        texts.iter().take(RECORDS_MAX).filter_map(|text| Some((text.as_str(), Entry::read(text)?))).collect();
    let named: Vec<_> = ours.iter().filter(|(_, entry)| entry.actor == actor.url.as_str()).collect();
    let wanted = text_for(actor);
    let fingerprints = actor.keys.fingerprints();
    let known = |key: &str| fingerprints.iter().any(|known| key.eq_ignore_ascii_case(known));
    if let Some((text, _)) = named.iter().find(|(_, entry)| known(entry.key)) {
        return Ok(text);
    }
    Err(match named.first() {
        Some((_, entry)) => {
            format!(
                "{place} names {} with the key {}, but its key is {}; put there {wanted}",
                actor.url,
                entry.key,
                fingerprints.join(" or ")
            )
        }
        None if ours.is_empty() => {
            format!("{place} has no TXT record that begins with {VERSION}; put there {wanted}")
        }
        None => format!("{place} names {} actors, but not {}; add there {wanted}", ours.len(), actor.url),
    })
}

struct Entry<'t> {
    actor: &'t str,
    key: &'t str,
}

impl<'t> Entry<'t> {
    fn read(text: &'t str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        if parts.next()? != VERSION {
            return None;
        }
        let (mut actor, mut key) = (None, None);
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            let place = match name.trim() {
                "actor" => &mut actor,
                "key" => &mut key,
                _ => continue,
            };
            // Said twice is not said: nobody could tell which one holds.
            if place.replace(value.trim()).is_some() {
                return None;
            }
        }
        Some(Self { actor: actor?, key: key? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::key::{KeySerial, KeysBeside};
    use crate::actor::verification::tests::actor;
    use crate::ids::AgencyId;

    fn agency(domain: &str) -> Agency {
        Agency { id: AgencyId(1), name: "a".to_owned(), domain: domain.to_owned() }
    }

    #[test]
    fn the_record_stands_below_the_domain_and_an_address_has_none() {
        for (domain, expected) in [
            ("example.nl", Some("_heraut.example.nl")),
            ("example.nl:8443", Some("_heraut.example.nl")),
            ("127.0.0.1:8080", None),
            ("127.0.0.1", None),
            ("[::1]:8080", None),
            ("[::1]", None),
        ] {
            assert_eq!(name(&agency(domain)).as_deref(), expected, "{domain}");
        }
        assert_eq!(uri(&agency("example.nl:8443")), "dns:_heraut.example.nl?type=TXT");
    }

    #[test]
    fn the_record_that_we_ask_for_holds_and_others_say_what_is_wrong() {
        let actor = actor();
        let good = texts_for(&actor).remove(0);
        let wrong_key = format!("v=heraut1; actor={}; key=sha256:00", actor.url);
        let other = "v=heraut1; actor=https://evil.example/a; key=sha256:00".to_owned();
        let said_twice = format!("{good}; key=sha256:00");
        assert_eq!(judge(&[other.clone(), good.clone()], &actor), Ok(good.as_str()));
        assert!(
            judge(&[format!("v=heraut1;actor={};key={}", actor.url, actor.keys.fingerprint().to_uppercase())], &actor)
                .is_ok()
        );
        for (texts, part) in [
            (vec![], "has no TXT record"),
            (vec!["v=spf1 -all".to_owned()], "has no TXT record"),
            (vec![format!("v=heraut10; actor={}; key=x", actor.url)], "has no TXT record"),
            (vec![said_twice], "has no TXT record"),
            (vec![other], "names 1 actors, but not"),
            (vec![wrong_key], "with the key sha256:00"),
            (vec![good.replace("/ap/a/7", "/ap/a/70")], "but not https://social.example.nl/ap/a/7"),
        ] {
            let why = judge(&texts, &actor).unwrap_err();
            assert!(why.contains(part) && why.contains(&good), "{texts:?}: {why}");
        }
    }

    #[test]
    fn while_keys_are_rotated_a_record_of_either_holds_and_both_are_asked_for() {
        let mut actor = actor();
        let before = texts_for(&actor);
        let beside =
            KeysBeside { serial: KeySerial(2), rsa_pem: "the next key".to_owned(), ed25519_multibase: "z".to_owned() };
        actor.keys.beside.push(beside);
        let both = texts_for(&actor);
        assert_eq!(both.first(), before.first(), "that which signs is first");
        assert_eq!(both.len(), 2);
        for text in &both {
            assert_eq!(judge(std::slice::from_ref(text), &actor), Ok(text.as_str()));
            assert!(text.len() < 255 && lines_for(&actor).iter().any(|line| line.contains(text.as_str())), "{text}");
        }
        let why = judge(&[], &actor).unwrap_err();
        assert!(both.iter().all(|text| why.contains(text)), "{why}");
        let forgotten = both.last().cloned().unwrap();
        actor.keys.beside.clear();
        assert!(judge(&[forgotten], &actor).unwrap_err().contains("with the key sha256:"), "a forgotten key is none");
    }
}
