//! Who sent this? How systems sign what they push, one row per profile (`reference/connectors.md` B1).
//!
//! Invariants: the signature is over the bytes as they came, before anything parses them; every comparison takes constant
//! time; no secret and no signature is in an error. Pure: the time is an argument.

mod forms;
mod table;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use ipnet::IpNet;
use serde_json::Value;
use thiserror::Error;

pub use self::table::names;
use self::table::{Row, Scheme};
use crate::contract::Secret;
use crate::error::ConnectorError;
use crate::item::EpochMs;

/// How far the time in a signature may be from ours when the operator says nothing, in seconds: what Standard Webhooks and
/// several vendors advise.
pub const WINDOW_S_DEFAULT: u32 = 300;
/// Widest window that an operator may set, in seconds: a day. What is older is no late arrival.
pub const WINDOW_S_MAX: u32 = 86_400;
/// Longest delivery id that is taken, in bytes.
pub const DELIVERY_ID_BYTES_MAX: usize = 256;
/// Most signatures that are tried of one header: a sender that rotates its key sends two.
pub const SIGNATURES_MAX: usize = 8;

/// How one source is signed: a row of the table with what the operator added.
#[derive(Debug, Clone)]
pub struct Profile {
    row: &'static Row,
    window_s: u32,
    /// `static-header`: the header that carries the secret.
    header: String,
    /// `static-header`: the query parameter that carries it instead.
    query: Option<String>,
    /// `typo3`: the identifier of the webhook, which is signed with the body.
    identifier: Option<String>,
    /// From where alone requests are taken; empty is from anywhere.
    addresses: Vec<IpNet>,
}

/// A request as it came, before anything was read of it.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// The method, upper case.
    pub method: &'a str,
    /// Path and query as they stood in the request line.
    pub path_and_query: &'a str,
    /// Headers, names in lower case.
    pub headers: &'a [(String, String)],
    /// The body, byte for byte.
    pub body: &'a [u8],
    /// The address of the sender, where it is known.
    pub remote: Option<IpAddr>,
}

impl<'a> Signed<'a> {
    fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim())
    }
}

/// What is known of a request whose signature holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    /// The sender's id of this delivery, the same when it tries again.
    pub delivery_id: Option<String>,
    /// Whether that id is part of what was signed: if not, whoever has seen a request can give it another.
    pub id_is_signed: bool,
    /// The time in the signature, which is part of what was signed.
    pub at: Option<EpochMs>,
    /// Whether the body is part of what was signed: not where only a password is sent along.
    pub body_is_signed: bool,
}

/// Why a request is not taken for the sender's. Names headers, never values.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// A header is not there.
    #[error("the header {0} is missing; is the secret set at the sender, and the right signature profile here?")]
    Missing(String),
    /// A header is not as the profile has it.
    #[error("the header {0} is not as the profile {1} has it")]
    Malformed(String, &'static str),
    /// The signature is not that of the secret.
    #[error(
        "the signature is not made with the secret that Heraut has, or the body was changed on the way (profile {0})"
    )]
    Wrong(&'static str),
    /// The time in the signature is too long ago.
    #[error("the signature was made {0} s ago, and {1} s are the most: a replay, or a clock that is wrong")]
    Stale(i64, u32),
    /// The time in the signature is yet to come.
    #[error("the signature is {0} s ahead of our clock, and {1} s are the most: a clock is wrong")]
    Early(i64, u32),
    /// The sender's address is not listed.
    #[error("the sender's address is not among `signature.addresses` of the source")]
    Address,
    /// There is nothing to compare with.
    #[error("the source has no secret; set `secret_file`, `secret_env` or `secret`")]
    NoSecret,
}

impl Profile {
    /// Reads the key `signature` of a source: the name of a profile, or a table with `profile` and what that profile needs.
    /// `usual` is the profile of the source's kind, when nothing is named.
    pub fn parse(settings: Option<&Value>, usual: &str) -> Result<Self, ConnectorError> {
        let empty = serde_json::Map::new();
        let (name, table) = match settings {
            None => (usual, &empty),
            Some(Value::String(name)) => (name.as_str(), &empty),
            Some(Value::Object(table)) => match table.get("profile") {
                None => (usual, table),
                Some(Value::String(name)) => (name.as_str(), table),
                Some(_) => return Err(refused("signature.profile", "must be a text".to_owned())),
            },
            Some(_) => return Err(refused("signature", "must be the name of a profile, or a table".to_owned())),
        };
        let Some(row) = table::find(name) else {
            let known = names().collect::<Vec<_>>().join(", ");
            return Err(refused("signature", format!("`{name}` is no profile; these are: {known}")));
        };
        let mut profile = Self {
            row,
            window_s: WINDOW_S_DEFAULT,
            header: "authorization".to_owned(),
            query: None,
            identifier: None,
            addresses: Vec::new(),
        };
        for (key, value) in table.iter().filter(|(key, _)| *key != "profile") {
            profile.set(key, value)?;
        }
        if row.needs_identifier() && profile.identifier.is_none() {
            let problem = "is missing; give the identifier (a UUID) that the webhook has at the sender".to_owned();
            return Err(refused("signature.identifier", problem));
        }
        Ok(profile)
    }

    fn set(&mut self, key: &str, value: &Value) -> Result<(), ConnectorError> {
        let path = format!("signature.{key}");
        let is_static = matches!(self.row.scheme, Scheme::Static);
        match (key, value) {
            ("window_s", Value::Number(number)) => {
                let seconds = number.as_u64().and_then(|s| u32::try_from(s).ok());
                let seconds = seconds.filter(|s| (1..=WINDOW_S_MAX).contains(s));
                self.window_s =
                    seconds.ok_or_else(|| refused(&path, format!("must be between 1 and {WINDOW_S_MAX} seconds")))?;
            }
            ("header", Value::String(name)) if is_static && is_token(name) => self.header = name.to_ascii_lowercase(),
            ("query", Value::String(name)) if is_static && is_token(name) => self.query = Some(name.clone()),
            ("identifier", Value::String(text)) if self.row.needs_identifier() && !text.trim().is_empty() => {
                self.identifier = Some(text.trim().to_owned());
            }
            ("addresses", Value::Array(list)) => {
                let nets = list.iter().map(|value| value.as_str().and_then(net));
                let nets: Option<Vec<IpNet>> = nets.collect();
                self.addresses =
                    nets.ok_or_else(|| refused(&path, "must be a list such as [\"192.0.2.0/24\"]".to_owned()))?;
            }
            ("window_s" | "addresses", _) => return Err(refused(&path, "is of the wrong type".to_owned())),
            ("header" | "query", _) if is_static => {
                return Err(refused(&path, "must be the name of a header or a parameter".to_owned()));
            }
            _ => {
                let problem = format!("is not known to the profile {}", self.row.name);
                return Err(refused(&path, problem));
            }
        }
        Ok(())
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.row.name
    }

    /// Whether the secret is a part of the URL, because the sender can send it in no other way.
    pub fn secret_in_path(&self) -> bool {
        matches!(self.row.scheme, Scheme::Path)
    }

    /// Headers that carry a secret or a signature, which nothing behind this needs.
    pub fn secret_headers(&self) -> Vec<&str> {
        let own = matches!(self.row.scheme, Scheme::Static).then_some(self.header.as_str());
        self.row.signature_headers().iter().copied().chain(own).chain(["authorization", "cookie"]).collect()
    }

    /// The query parameter that carries a secret.
    pub fn secret_parameter(&self) -> Option<&str> {
        self.query.as_deref()
    }

    /// Whether a request is from the sender. `secrets` are the one in force and, while it is being replaced, the one before;
    /// `now` is our time.
    pub fn verify(&self, request: &Signed<'_>, secrets: &[Secret], now: EpochMs) -> Result<Verified, Refusal> {
        let listed = |address: &IpAddr| self.addresses.iter().any(|net| net.contains(address));
        if !self.addresses.is_empty() && !request.remote.as_ref().is_some_and(listed) {
            return Err(Refusal::Address);
        }
        if secrets.is_empty() {
            return Err(Refusal::NoSecret);
        }
        let mut verified = forms::verify(self, request, secrets)?;
        if let Some(at) = verified.at {
            self.in_time(at, now)?;
        }
        let id = self.row.id_headers.iter().find_map(|name| request.header(name));
        verified.delivery_id = id.filter(|id| !id.is_empty()).map(str::to_owned);
        if verified.delivery_id.as_ref().is_some_and(|id| id.len() > DELIVERY_ID_BYTES_MAX) {
            return Err(Refusal::Malformed("with the delivery id".to_owned(), self.row.name));
        }
        Ok(verified)
    }

    fn in_time(&self, at: EpochMs, now: EpochMs) -> Result<(), Refusal> {
        let late_s = now.saturating_sub(at) / 1_000;
        match late_s {
            late if late > i64::from(self.window_s) => Err(Refusal::Stale(late, self.window_s)),
            late if late < -i64::from(self.window_s) => Err(Refusal::Early(-late, self.window_s)),
            _ => Ok(()),
        }
    }
}

fn refused(key: &str, problem: String) -> ConnectorError {
    ConnectorError::Settings { key: key.to_owned(), problem }
}

fn is_token(name: &str) -> bool {
    !name.is_empty() && name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

fn net(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}
