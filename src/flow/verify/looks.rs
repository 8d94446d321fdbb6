//! Looks at every rung of the ladder: fetches what is to be seen, and has the core judge it.

use openssl::sha::sha256;
use url::Url;

use crate::actor::ladder::{Dnssec, Look, Rung, Seen, Step, cut};
use crate::actor::verification::{FetchedProof, PROOF_BYTES_MAX, Proof, document_url, judge, read_document};
use crate::actor::{Actor, record, rel_me};
use crate::flow::verify::with_causes;
use crate::flow::{Gateway, now};
use crate::ids::AgencyId;
use crate::net::Get;
use crate::register;
use crate::register::judge::{Registered, Said};
use crate::store::{Db, Queried, StoreError, registers};
use crate::time::Timestamp;

/// What looking at all rungs found.
pub(super) struct Looked {
    /// The rungs, in order.
    pub(super) steps: Vec<Step>,
    /// When a register says that it ends. What one said once counts until one says otherwise: that an ended organisation was taken
    /// out of its register gives it no grace.
    pub(super) ends_at: Option<Timestamp>,
    /// Who was asked, and about whom.
    pub(super) asked: Asked,
}

/// What a look rested on: if that is another by the time it is stored, it is looked again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// Which readings of the registers.
    generations: Vec<(String, i64)>,
    /// Which organisation the agency says that it is.
    organisation: Option<String>,
}

impl Asked {
    /// Who would be asked now, about an actor of that agency.
    pub(super) fn now(db: &mut Db<'_>, agency: AgencyId) -> Queried<Self> {
        Ok(Self { generations: registers::generations(db)?, organisation: registers::organisation(db, agency)? })
    }
}

/// Looks at all rungs at the same time. What is known from before stays known of those that fail.
pub(super) async fn all(gateway: &Gateway, actor: &Actor, before: &Proof) -> Result<Looked, StoreError> {
    let (said, asked) = ask_registers(gateway, actor).await?;
    let organisation = asked.organisation.clone();
    let (file, dns, link) = tokio::join!(file(gateway, actor), dns(gateway, actor), link(gateway, actor));
    let at = now();
    let (register, registered) = registered(&said, actor, organisation.as_deref(), at);
    let file = of_main_domain(file, registered.as_ref().map(|found| found.domain.as_str()), actor);
    let known_as = registered.and_then(|found| found.organisation).map(|(uri, _)| uri);
    let account = account(&said, actor, organisation.or(known_as).as_deref(), at);
    let ends_at = match &register {
        Look::Holds(seen) => seen.ends_at,
        Look::Fails(_, ended_at) => ended_at.or(before.ends_at),
        Look::NotAsked(_) => None,
    };
    let looks = [
        (Rung::Register, register),
        (Rung::File, file),
        (Rung::Dns, dns),
        (Rung::Link, link),
        (Rung::Account, account),
    ];
    let known = |rung: Rung| before.steps.iter().find(|step| step.rung == rung);
    let steps = looks.into_iter().map(|(rung, look)| Step::after(rung, look, known(rung), at)).collect();
    Ok(Looked { steps, ends_at, asked })
}

/// What the registers say, and what they were asked.
async fn ask_registers(gateway: &Gateway, actor: &Actor) -> Result<(Said, Asked), StoreError> {
    let (agency, domain) = (actor.agency.id, actor.agency.domain.clone());
    let accounts = addresses(actor);
    let ask = move |db: &mut Db<'_>| {
        let asked = Asked::now(db, agency)?;
        Ok((registers::said(db, &domain, asked.organisation.as_deref(), &accounts)?, asked))
    };
    gateway.store.read("ask the registers", ask).await
}

/// The addresses by which a register may name an actor, as they are compared: its page, and its id.
fn addresses(actor: &Actor) -> Vec<String> {
    let page = actor.base().actor_page(actor.handle.as_str());
    [page.as_str(), actor.url.as_str()].into_iter().filter_map(register::account::normal).collect()
}

/// Whether the domain stands in a register, and what stands there.
fn registered(said: &Said, actor: &Actor, organisation: Option<&str>, at: Timestamp) -> (Look, Option<Registered>) {
    if said.domain_registers.is_empty() {
        return (Look::NotAsked("no register of domains is configured ([[register]])".to_owned()), None);
    }
    match register::judge::domain(said, &actor.agency.domain, organisation, at) {
        Err(refused) => (Look::Fails(refused.why, refused.ended_at), None),
        Ok(found) => {
            let whose = match &found.organisation {
                Some((uri, name)) if uri == name => uri.clone(),
                Some((uri, name)) => format!("{name} ({uri})"),
                None => "an official domain".to_owned(),
            };
            let seen = Seen {
                place: found.source.name.clone(),
                sha256: found.source.sha256.clone(),
                at: found.source.read_at.unwrap_or(at),
                said: cut(&format!("{}: {whose}", found.domain)),
                dnssec: None,
                organisation: found.organisation.as_ref().map(|(uri, _)| uri.clone()),
                ends_at: found.ends_at,
            };
            (Look::Holds(seen), Some(found))
        }
    }
}

/// A file on a sub-domain of what is listed counts for nothing: whoever takes a forgotten one over could put it there. Its record in
/// DNS is another matter, because the zone is still the agency's.
fn of_main_domain(file: Look, listed: Option<&str>, actor: &Actor) -> Look {
    let domain = &actor.agency.domain;
    match (file, listed) {
        (Look::Holds(_), Some(listed)) if !register::domain::is_main(listed, domain) => failed(format!(
            "the file on {domain} names the actor, but in the register stands {listed} above it, and a forgotten sub-domain may \
             be somebody else's; put at {} the TXT record {}, or have {domain} entered in the register",
            record::name(&actor.agency).unwrap_or_default(),
            record::text_for(actor)
        )),
        (file, _) => file,
    }
}

fn account(said: &Said, actor: &Actor, organisation: Option<&str>, at: Timestamp) -> Look {
    if said.account_registers.is_empty() {
        return Look::NotAsked("no register that names accounts is configured ([[register]])".to_owned());
    }
    match register::judge::account(said, &addresses(actor), organisation, at) {
        Err(refused) => Look::Fails(refused.why, None),
        Ok(source) => Look::Holds(Seen {
            place: source.name,
            sha256: source.sha256,
            at: source.read_at.unwrap_or(at),
            said: cut(&actor.base().actor_page(actor.handle.as_str())),
            dnssec: None,
            organisation: organisation.map(str::to_owned),
            ends_at: None,
        }),
    }
}

fn failed(error: impl std::fmt::Display) -> Look {
    Look::Fails(error.to_string(), None)
}

fn seen(place: String, bytes: &[u8], at: Timestamp, said: &str) -> Seen {
    let sha256 = hex::encode(sha256(bytes));
    Seen { place, sha256, at, said: cut(said), dnssec: None, organisation: None, ends_at: None }
}

async fn file(gateway: &Gateway, actor: &Actor) -> Look {
    let url = document_url(&actor.agency);
    let parsed = match Url::parse(&url) {
        Ok(parsed) => parsed,
        Err(error) => return failed(format!("the agency's domain gives no URL ({url}): {error}")),
    };
    let bytes_max = u64::try_from(PROOF_BYTES_MAX).unwrap_or(u64::MAX);
    let get = Get { same_host_redirects: true, bytes_max, ..Get::new(parsed, "application/json") };
    let fetched = match gateway.net.get(get).await {
        Ok(fetched) => fetched,
        Err(error) => return failed(with_causes(&error)),
    };
    let fetched = FetchedProof {
        url: url.clone(),
        final_url: fetched.url.to_string(),
        status: fetched.status,
        bytes: fetched.body,
        fetched_at: now(),
    };
    match judge(&fetched, actor) {
        Ok(evidence) => {
            let said = named_in(&fetched.bytes, actor);
            Look::Holds(seen(evidence.url, &fetched.bytes, evidence.fetched_at, &said))
        }
        Err(failure) => failed(failure),
    }
}

/// What the file says of the actor, which need not be the key that signs now while keys are rotated.
fn named_in(bytes: &[u8], actor: &Actor) -> String {
    let entries = read_document(bytes).map(|document| document.actors).unwrap_or_default();
    let own = entries.iter().filter(|entry| entry.actor == actor.url.as_str());
    let keys: Vec<&str> = own.map(|entry| entry.key_fingerprint.as_str()).collect();
    format!("{} {}", actor.url, keys.join(" "))
}

async fn dns(gateway: &Gateway, actor: &Actor) -> Look {
    let Some(name) = record::name(&actor.agency) else {
        return Look::NotAsked(format!("{} is an address, which has no name in DNS", actor.agency.domain));
    };
    let found = match gateway.net.texts(&name).await {
        Ok(found) => found,
        Err(error @ crate::net::dns::DnsError::Missing { .. }) => {
            return failed(format!("{error}; put there {}", record::text_for(actor)));
        }
        Err(error) => return failed(error),
    };
    match record::judge(&found.texts, actor) {
        Err(why) => failed(why),
        Ok(text) => {
            let dnssec = if found.secure { Dnssec::Secure } else { Dnssec::Insecure };
            let seen = seen(record::uri(&actor.agency), text.as_bytes(), now(), text);
            Look::Holds(Seen { dnssec: Some(dnssec), ..seen })
        }
    }
}

async fn link(gateway: &Gateway, actor: &Actor) -> Look {
    let page = match rel_me::field(actor) {
        Ok(page) => page,
        Err(why) => return failed(why),
    };
    let profile = actor.base().actor_page(actor.handle.as_str());
    let bytes_max = u64::try_from(rel_me::PAGE_BYTES_MAX).unwrap_or(u64::MAX);
    let get = Get { redirects_max: rel_me::REDIRECTS_MAX, bytes_max, cut: true, ..Get::new(page.clone(), "text/html") };
    let fetched = match gateway.net.get(get).await {
        Ok(fetched) if fetched.status == 200 => fetched,
        Ok(fetched) => return failed(format!("{page} answered {}", fetched.status)),
        Err(error) => return failed(with_causes(&error)),
    };
    let line = rel_me::line_for(&profile);
    let back = match rel_me::judge(&fetched.body, &profile) {
        rel_me::Back::Yes => true,
        rel_me::Back::No => {
            return failed(format!("{page} does not link to {profile} with rel=\"me\"; put there {line}"));
        }
        rel_me::Back::Perhaps(first) => redirects(gateway, &first, &profile).await,
    };
    if !back {
        return failed(format!("{page} links with rel=\"me\" to others, and not to {profile}; put there {line}"));
    }
    Look::Holds(seen(page.to_string(), &fetched.body, now(), &line))
}

/// Whether the first link of the page redirects to the profile. Mastodon takes the address as it stands there, so a relative one
/// leads nowhere.
async fn redirects(gateway: &Gateway, first: &str, profile: &str) -> bool {
    let Ok(url) = Url::parse(first) else { return false };
    gateway.net.location(&url).await.is_ok_and(|location| location.as_deref() == Some(profile))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::verification::tests::actor;

    #[test]
    fn a_file_on_a_sub_domain_that_is_not_listed_itself_counts_for_nothing_and_says_what_does() {
        let mut actor = actor();
        let at = actor.created_at;
        let held = || Look::Holds(seen("https://x/".to_owned(), b"", at, ""));
        for (listed, domain, counts) in [
            (None, "actie2019.stad.nl", true),
            (Some("stad.nl"), "stad.nl", true),
            (Some("stad.nl"), "www.stad.nl", true),
            (Some("actie2019.stad.nl"), "actie2019.stad.nl", true),
            (Some("stad.nl"), "actie2019.stad.nl", false),
        ] {
            domain.clone_into(&mut actor.agency.domain);
            match of_main_domain(held(), listed, &actor) {
                Look::Holds(_) => assert!(counts, "{listed:?} {domain}"),
                Look::Fails(why, _) => {
                    assert!(!counts && why.contains("_heraut.actie2019.stad.nl the TXT record"), "{why}");
                }
                Look::NotAsked(why) => panic!("{why}"),
            }
        }
        let missing = of_main_domain(failed("answered 404"), Some("stad.nl"), &actor);
        assert_eq!(missing, failed("answered 404"), "what is wrong with the file is said first");
    }
}
