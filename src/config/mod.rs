//! The types of `config.toml`: closed, checked whole, with every problem reported at once.
//!
//! Invariants: an unknown key is a problem, never ignored; a [`Config`] that exists is consistent in itself; secrets are in
//! [`Secret`]. Only this module reads the environment. Paths in the file are relative to the folder of the file.

pub mod environment;
pub mod error;
pub mod hook;
pub mod secret;
pub mod starter;
pub mod target;
pub mod types;

mod parse;
pub mod register;
mod section;
mod tables;
mod value;

use std::path::Path;

pub use error::{ConfigError, Problem};
pub use register::RegisterConfig;
pub use secret::Secret;
pub use starter::starter;
pub use types::{
    ActorConfig, AgencyConfig, Config, Database, Delivery, Hooks, Keys, Media, MetricsListen, Net, Server,
    SourceConfig, Verification,
};
pub use value::{parse_domain, parse_uri};

impl Config {
    /// Reads the file, and `HERAUT_MASTER_KEY`. Paths become absolute.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Read { path: path.to_owned(), source };
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let file = std::path::absolute(path).map_err(unreadable)?;
        let mut config = Self::parse(&text, file.parent().unwrap_or(Path::new("/")))?;
        config.keys.master_key = environment::master_key();
        Ok(config)
    }

    /// Reads `text`; relative paths are taken from `dir`. Reads nothing else.
    pub fn parse(text: &str, dir: &Path) -> Result<Self, ConfigError> {
        parse::parse(text, dir).map_err(ConfigError::Problems)
    }
}

#[cfg(test)]
mod tests;
