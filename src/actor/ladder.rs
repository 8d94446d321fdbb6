//! The proof ladder: what can be asked about an actor, what was found, and how high that reaches.
//!
//! | level | evidence |
//! |---|---|
//! | 1 | the agency's domain stands in a register under its organisation ([`Rung::Register`]) |
//! | 2 | control of that domain, by a file or a DNS record ([`Rung::File`], [`Rung::Dns`]) |
//! | 3 | a page of that domain and the profile link to each other with `rel="me"` ([`Rung::Link`]) |
//! | 4 | the register of organisations names the actor ([`Rung::Account`]) |
//!
//! A rung that nobody can answer here, because no register is configured, is *not asked*: it neither lifts nor stops.

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Longest text that is kept of what was found, in characters.
pub const SAID_CHARS_MAX: usize = 1_000;

/// How much is proven of an actor; each level includes those before it, as far as they are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Level {
    /// Somebody says so.
    #[default]
    Claimed,
    /// The domain is an organisation's.
    Registered,
    /// Who controls the domain says so.
    Controlled,
    /// Its website and the profile name each other.
    Linked,
    /// The register of organisations names the actor.
    Named,
}

impl Level {
    /// Its number, 0 to 4.
    pub fn number(self) -> u8 {
        match self {
            Self::Claimed => 0,
            Self::Registered => 1,
            Self::Controlled => 2,
            Self::Linked => 3,
            Self::Named => 4,
        }
    }
}

impl From<Level> for u8 {
    fn from(level: Level) -> u8 {
        level.number()
    }
}

impl TryFrom<u8> for Level {
    type Error = String;

    fn try_from(number: u8) -> Result<Self, String> {
        [Self::Claimed, Self::Registered, Self::Controlled, Self::Linked, Self::Named]
            .into_iter()
            .find(|level| level.number() == number)
            .ok_or_else(|| format!("`{number}` is no level of proof; there are 0 to 4"))
    }
}

/// One thing that can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rung {
    /// Does the domain stand in a register?
    Register,
    /// Does the well-known file name the actor and its key?
    File,
    /// Does the DNS record?
    Dns,
    /// Do page and profile link to each other?
    Link,
    /// Does the register of organisations name the actor?
    Account,
}

impl Rung {
    /// All of them, from the ground up.
    pub const ALL: [Self; 5] = [Self::Register, Self::File, Self::Dns, Self::Link, Self::Account];

    /// The level that it is evidence for.
    pub fn level(self) -> Level {
        match self {
            Self::Register => Level::Registered,
            Self::File | Self::Dns => Level::Controlled,
            Self::Link => Level::Linked,
            Self::Account => Level::Named,
        }
    }

    /// Its name in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Register => "register",
            Self::File => "file",
            Self::Dns => "dns",
            Self::Link => "link",
            Self::Account => "account",
        }
    }
}

/// What a look at a rung came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The evidence is there.
    Holds,
    /// It is not, or could not be had.
    Fails,
    /// There is nobody to ask.
    NotAsked,
}

impl Standing {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Fails => "fails",
            Self::NotAsked => "not asked",
        }
    }
}

/// What DNSSEC says of a DNS answer that counts. A bogus one never does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dnssec {
    /// Signed, from the root down.
    Secure,
    /// Proven to be in a zone that is not signed: whoever sits between could have changed it.
    Insecure,
}

impl Dnssec {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Secure => "secure",
            Self::Insecure => "insecure",
        }
    }
}

/// Evidence that was seen: kept for auditors, shown to citizens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Where: a URL, a `dns:` URI (RFC 4501), or the name of a register.
    pub place: String,
    /// SHA-256 of what was read, lower-case hex: of the file, the record, the page, or the whole register.
    pub sha256: String,
    /// When it was read.
    pub at: Timestamp,
    /// What it says, in short.
    pub said: String,
    /// Of a DNS answer: what DNSSEC says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dnssec: Option<Dnssec>,
    /// The organisation that it names: a URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organisation: Option<String>,
    /// When that ends, by the register: from then on nothing is published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_at: Option<Timestamp>,
}

/// A rung and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Which.
    pub rung: Rung,
    /// What the last look came to.
    pub standing: Standing,
    /// What held when it last held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<Seen>,
    /// Why it does not hold or was not asked, and the way out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// When it was last looked at.
    pub checked_at: Timestamp,
}

/// What one look at a rung found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// The evidence is there.
    Holds(Seen),
    /// It is not; why, and the way out. By a register that says when something ended, also that.
    Fails(String, Option<Timestamp>),
    /// There is nobody to ask; why.
    NotAsked(String),
}

impl Step {
    /// The rung after a look at it; what held before stays known when it fails.
    pub fn after(rung: Rung, look: Look, before: Option<&Self>, at: Timestamp) -> Self {
        let (standing, seen, why) = match look {
            Look::Holds(seen) => (Standing::Holds, Some(seen), None),
            Look::Fails(why, _) => (Standing::Fails, before.and_then(|step| step.seen.clone()), Some(why)),
            Look::NotAsked(why) => (Standing::NotAsked, None, Some(why)),
        };
        Self { rung, standing, seen, why: why.map(|why| cut(&why)), checked_at: at }
    }
}

/// The first [`SAID_CHARS_MAX`] characters.
pub fn cut(text: &str) -> String {
    text.chars().take(SAID_CHARS_MAX).collect()
}

fn standing(steps: &[Step], rung: Rung) -> Standing {
    steps.iter().find(|step| step.rung == rung).map_or(Standing::NotAsked, |step| step.standing)
}

fn controls(steps: &[Step]) -> bool {
    [Rung::File, Rung::Dns].into_iter().any(|rung| standing(steps, rung) == Standing::Holds)
}

/// How high the steps reach. A rung that was not asked does not stop those above it, and one that fails does.
pub fn level(steps: &[Step]) -> Level {
    let register = standing(steps, Rung::Register);
    let ground = if register == Standing::Holds { Level::Registered } else { Level::Claimed };
    if register == Standing::Fails || !controls(steps) {
        return ground;
    }
    if standing(steps, Rung::Link) != Standing::Holds {
        return Level::Controlled;
    }
    if standing(steps, Rung::Account) == Standing::Holds { Level::Named } else { Level::Linked }
}

/// What is missing for `needed`, and how to get it; `None` when nothing is.
pub fn missing(steps: &[Step], needed: Level) -> Option<String> {
    let mut reasons = Vec::new();
    let why = |rung: Rung| steps.iter().find(|step| step.rung == rung).and_then(|step| step.why.clone());
    if needed >= Level::Registered && standing(steps, Rung::Register) == Standing::Fails {
        reasons.extend(why(Rung::Register));
    }
    if needed >= Level::Controlled && !controls(steps) {
        let failing = [Rung::File, Rung::Dns].into_iter().filter(|rung| standing(steps, *rung) == Standing::Fails);
        reasons.extend(failing.filter_map(why));
    }
    for (level, rung) in [(Level::Linked, Rung::Link), (Level::Named, Rung::Account)] {
        if needed >= level && standing(steps, rung) != Standing::Holds {
            reasons.extend(why(rung));
        }
    }
    if reasons.is_empty() && level(steps) < needed {
        reasons.push(format!("level {} is reached, and {} is needed", level(steps).number(), needed.number()));
    }
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// The evidence of control that counts: the file before the record, because everybody can look at it.
pub fn control(steps: &[Step]) -> Option<&Seen> {
    let holding = |rung| steps.iter().find(|step| step.rung == rung && step.standing == Standing::Holds);
    holding(Rung::File).or_else(|| holding(Rung::Dns)).and_then(|step| step.seen.as_ref())
}

#[cfg(test)]
mod tests;
