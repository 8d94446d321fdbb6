//! What follows from what registers say: whether a domain is an organisation's, and an account.

use std::time::Duration;

use crate::register::domain::{candidates, is_public_suffix};
use crate::time::Timestamp;

/// How old the copy of a register may be that is believed. It is read daily; who reads an older one does not see who was merged.
pub const STALE_AFTER: Duration = Duration::from_secs(30 * 86_400);

/// A register as it was last read well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its name here.
    pub name: String,
    /// When it was read; `None` when it never was.
    pub read_at: Option<Timestamp>,
    /// SHA-256 of it, lower-case hex.
    pub sha256: String,
    /// Why the last reading failed.
    pub failure: Option<String>,
}

/// An entry for a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The name of the register.
    pub register: String,
    /// The domain that is listed: the one in question, or one above it.
    pub domain: String,
    /// Whose it is.
    pub organisation: Option<String>,
    /// When it was given up.
    pub withdrawn_at: Option<Timestamp>,
}

/// What a register says of an organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The name of the register.
    pub register: String,
    /// Its URI.
    pub uri: String,
    /// Its name.
    pub name: String,
    /// When it ends or ended.
    pub ends_at: Option<Timestamp>,
}

/// All that registers say about a domain and those whose it may be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Said {
    /// The registers that know domains.
    pub domain_registers: Vec<Source>,
    /// The registers that know accounts.
    pub account_registers: Vec<Source>,
    /// Entries for the domain and those above it.
    pub listed: Vec<Listed>,
    /// The organisations of those entries, and the one that the agency says that it is.
    pub known: Vec<Known>,
    /// Entries for the account: register and organisation.
    pub named: Vec<(String, String)>,
}

/// A domain that is an organisation's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The register that says so.
    pub source: Source,
    /// The domain that is listed.
    pub domain: String,
    /// Whose it is: URI and name.
    pub organisation: Option<(String, String)>,
    /// When that ends.
    pub ends_at: Option<Timestamp>,
}

/// Why something does not stand in a register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Why, and the way out.
    pub why: String,
    /// Since when, where the register says that it ended. Then it is no matter of a register that cannot be read.
    pub ended_at: Option<Timestamp>,
}

fn refused(why: String) -> Refused {
    Refused { why, ended_at: None }
}

impl Said {
    fn source(&self, name: &str) -> Option<&Source> {
        self.domain_registers.iter().chain(&self.account_registers).find(|source| source.name == name)
    }

    /// The earliest end that any register gives for an organisation, and which does.
    fn end_of(&self, uri: &str) -> Option<(Timestamp, &Known)> {
        let ending = self.known.iter().filter(|known| known.uri == uri);
        ending.filter_map(|known| Some((known.ends_at?, known))).min_by_key(|(at, _)| *at)
    }

    fn name_of(&self, uri: &str) -> String {
        let named = self.known.iter().find(|known| known.uri == uri && !known.name.is_empty());
        named.map_or_else(|| uri.to_owned(), |known| known.name.clone())
    }
}

/// Whether `domain` stands in a register, under `organisation` where one is wanted. The nearest entry decides: one for a
/// sub-domain that was given up is not outweighed by that of the domain above it.
pub fn domain(said: &Said, domain: &str, organisation: Option<&str>, now: Timestamp) -> Result<Registered, Refused> {
    if is_public_suffix(domain) {
        return Err(refused(format!(
            "{domain} is a public suffix, below which anybody may have a name; it is nobody's"
        )));
    }
    let readable = readable(&said.domain_registers, now)?;
    let candidates = candidates(domain);
    let fresh = |listed: &&Listed| readable.iter().any(|source| source.name == listed.register);
    let nearest = candidates.iter().find_map(|candidate| {
        let found: Vec<&Listed> = said.listed.iter().filter(fresh).filter(|l| l.domain == *candidate).collect();
        (!found.is_empty()).then_some(found)
    });
    let Some(entries) = nearest else {
        return Err(refused(format!(
            "{domain} does not stand in {}; have it entered there, or correct the domain of the agency",
            names(&readable)
        )));
    };
    let (there, given_up): (Vec<&Listed>, Vec<&Listed>) =
        entries.into_iter().partition(|listed| listed.withdrawn_at.is_none_or(|at| at > now));
    if there.is_empty() {
        return Err(withdrawn(&given_up));
    }
    let mine: Vec<&Listed> = there
        .iter()
        .copied()
        .filter(|l| organisation.is_none_or(|uri| l.organisation.as_deref() == Some(uri)))
        .collect();
    if mine.is_empty() {
        let found: Vec<String> = there.iter().map(|l| format!("{} ({})", whose(l), l.register)).collect();
        let wanted = organisation.unwrap_or_default();
        return Err(Refused {
            why: format!(
                "{domain} stands under {}, not under {wanted}; correct the organisation of the agency, or have the register \
                 corrected",
                found.join(", ")
            ),
            ended_at: said.end_of(wanted).map(|(at, _)| at),
        });
    }
    standing(said, &mine, now)
}

/// The first entry whose organisation has not ended.
fn standing(said: &Said, entries: &[&Listed], now: Timestamp) -> Result<Registered, Refused> {
    let mut ended: Option<(Timestamp, String)> = None;
    for listed in entries {
        let end = listed.organisation.as_deref().and_then(|uri| said.end_of(uri));
        if let Some((at, known)) = end.filter(|(at, _)| *at <= now) {
            let why = format!(
                "{} ({}) ended on {at}, as {} says; let the organisation that took its place speak for itself",
                known.name, known.uri, known.register
            );
            ended = ended.or(Some((at, why)));
            continue;
        }
        let Some(source) = said.source(&listed.register) else { continue };
        let withdrawal = listed.withdrawn_at;
        return Ok(Registered {
            source: source.clone(),
            domain: listed.domain.clone(),
            organisation: listed.organisation.as_ref().map(|uri| (uri.clone(), said.name_of(uri))),
            ends_at: [end.map(|(at, _)| at), withdrawal].into_iter().flatten().min(),
        });
    }
    Err(match ended {
        Some((at, why)) => Refused { why, ended_at: Some(at) },
        None => refused("the registers changed while they were read; it is looked again soon".to_owned()),
    })
}

fn withdrawn(given_up: &[&Listed]) -> Refused {
    let latest = given_up.iter().max_by_key(|listed| listed.withdrawn_at);
    let (domain, register) = latest.map_or(("", ""), |listed| (&listed.domain, &listed.register));
    let at = latest.and_then(|listed| listed.withdrawn_at);
    let on = at.map(Timestamp::to_rfc3339).unwrap_or_default();
    let why = format!(
        "{domain} was given up on {on}, as {register} says; who registers it next would speak in the agency's name, so take \
         another domain"
    );
    Refused { why, ended_at: at }
}

fn whose(listed: &Listed) -> &str {
    listed.organisation.as_deref().unwrap_or("nobody")
}

/// Whether a register names the account of `organisation`, as one of the addresses `urls`, normalised.
pub fn account(said: &Said, urls: &[String], organisation: Option<&str>, now: Timestamp) -> Result<Source, Refused> {
    let readable = readable(&said.account_registers, now)?;
    let address = urls.first().map_or("", String::as_str);
    let Some(organisation) = organisation else {
        return Err(refused(
            "no organisation of the agency is known; give its `organisation`, or have its domain entered in a register"
                .to_owned(),
        ));
    };
    let fresh = |register: &str| readable.iter().find(|source| source.name == register).copied();
    let named: Vec<(&str, &Source)> =
        said.named.iter().filter_map(|(register, uri)| Some((uri.as_str(), fresh(register)?))).collect();
    if let Some((_, source)) = named.iter().find(|(uri, _)| *uri == organisation) {
        return Ok((*source).clone());
    }
    Err(refused(match named.first() {
        Some((uri, source)) => format!("{} names {address} under {uri}, not under {organisation}", source.name),
        None => format!(
            "{} does not name {address} under {organisation}; its editor can add it as an account of social media",
            names(&readable)
        ),
    }))
}

/// The registers whose copy is fresh enough to be believed.
fn readable(sources: &[Source], now: Timestamp) -> Result<Vec<&Source>, Refused> {
    let fresh = |source: &&Source| source.read_at.is_some_and(|at| now < at.after(STALE_AFTER));
    let readable: Vec<&Source> = sources.iter().filter(fresh).collect();
    if !readable.is_empty() {
        return Ok(readable);
    }
    let reasons = sources.iter().map(|source| {
        let state = match source.read_at {
            Some(at) => format!("{} was last read on {at}", source.name),
            None => format!("{} was never read", source.name),
        };
        source.failure.as_ref().map_or(state.clone(), |failure| format!("{state} ({failure})"))
    });
    Err(refused(format!("{}; see `heraut register list`", reasons.collect::<Vec<_>>().join(", "))))
}

fn names(sources: &[&Source]) -> String {
    sources.iter().map(|source| source.name.as_str()).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests;
