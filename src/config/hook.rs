//! The keys of a `[[source]]` that is pushed: where its secrets are, how it signs, whether it is in use.

use std::path::{Path, PathBuf};

use heraut_connectors::contract::Kind;
use heraut_connectors::error::ConnectorError;
use heraut_connectors::profiles::Profile;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;
use thiserror::Error;

use crate::config::secret::Secret;
use crate::config::section::Section;
use crate::config::value::to_json;

/// How often a source without a schedule is read.
pub const READ_EVERY: &str = "15m";
/// How often a source is read that is pushed: only to find what was never sent.
pub const PUSHED_EVERY: &str = "1d";

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// In the file itself.
    Here(Secret),
    /// In a file of its own.
    File(PathBuf),
    /// In a variable of the environment.
    Variable(String),
}

/// Why a secret cannot be read. No text holds it.
#[derive(Debug, Error)]
pub enum HeldError {
    /// The file cannot be read.
    #[error("the secret in {path} cannot be read", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The variable is not set.
    #[error("the variable {0} is not set; it is to hold a secret")]
    Variable(String),
    /// There is nothing in it.
    #[error("the secret in {0} is empty")]
    Empty(String),
}

impl Held {
    /// The secret, without white space around it.
    pub fn read(&self) -> Result<Secret, HeldError> {
        let (text, place) = match self {
            Self::Here(secret) => (secret.expose().to_owned(), "config.toml".to_owned()),
            Self::File(path) => {
                let text = std::fs::read_to_string(path);
                let text = text.map_err(|source| HeldError::File { path: path.clone(), source })?;
                (text, path.display().to_string())
            }
            Self::Variable(name) => (std::env::var(name).map_err(|_| HeldError::Variable(name.clone()))?, name.clone()),
        };
        let text = text.trim();
        if text.is_empty() { Err(HeldError::Empty(place)) } else { Ok(Secret::new(text)) }
    }

    pub(super) fn suffix(&self) -> &'static str {
        match self {
            Self::Here(_) => "",
            Self::File(_) => "_file",
            Self::Variable(_) => "_env",
        }
    }
}

/// What a pushed source says besides its connector's settings.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SourceHook {
    /// By which the system signs what it pushes.
    pub secret: Option<Held>,
    /// By which it signed before; both hold while it is replaced.
    pub previous_secret: Option<Held>,
    /// With which we read from its API.
    pub token: Option<Held>,
    /// How it signs, where it is not as usual for the kind: the name of a profile, or a table.
    pub signature: Option<Value>,
}

impl Serialize for SourceHook {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let held = [("secret", &self.secret), ("previous_secret", &self.previous_secret), ("token", &self.token)];
        for (name, held) in held {
            if let Some(held) = held {
                map.serialize_entry(&format!("{name}{}", held.suffix()), "<redacted>")?;
            }
        }
        if let Some(signature) = &self.signature {
            map.serialize_entry("signature", signature)?;
        }
        map.end()
    }
}

/// Reads the keys. A kind that is not pushed has none of them.
pub(super) fn read(s: &mut Section<'_>, kind: Option<&'static dyn Kind>, dir: &Path) -> SourceHook {
    let usual = kind.and_then(|kind| kind.profile());
    let hook = SourceHook {
        secret: held(s, ["secret", "secret_file", "secret_env"], dir),
        previous_secret: held(s, ["previous_secret", "previous_secret_file", "previous_secret_env"], dir),
        token: held(s, ["token", "token_file", "token_env"], dir),
        signature: s.take::<toml::Value>("signature").map(to_json),
    };
    match usual {
        Some(usual) => {
            if let Err(ConnectorError::Settings { key, problem }) = Profile::parse(hook.signature.as_ref(), usual) {
                s.problem(&key, problem);
            }
        }
        None => {
            let takes_token = kind.is_none_or(|kind| kind.takes_token());
            let allowed = SourceHook { token: hook.token.clone().filter(|_| takes_token), ..SourceHook::default() };
            if kind.is_some() && hook != allowed {
                let none = if takes_token { "no secret or signature" } else { "no secret, token or signature" };
                s.problem("kind", format!("is one that is read, not pushed: it has {none}"));
            }
        }
    }
    hook
}

pub(super) fn held(s: &mut Section<'_>, [here, file, variable]: [&'static str; 3], dir: &Path) -> Option<Held> {
    let ways = [
        s.take::<Secret>(here).map(Held::Here),
        s.take::<PathBuf>(file).map(|path| Held::File(dir.join(path))),
        s.take::<String>(variable).map(Held::Variable),
    ];
    let mut found = ways.into_iter().flatten();
    let first = found.next();
    if found.next().is_some() {
        s.problem(here, format!("is given in more than one way; keep one of {here}, {file} and {variable}"));
    }
    first
}
