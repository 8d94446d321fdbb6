//! The types of `config.toml`: closed, checked whole, with every problem reported at once.
//!
//! Only this module reads the environment. Paths in the file are relative to the folder of the file.

pub mod environment;
pub mod error;
pub mod secret;
pub mod types;

use std::path::Path;

pub use error::{ConfigError, Problem};
pub use secret::Secret;
pub use types::{
    ActorConfig, AgencyConfig, Config, Database, Delivery, Keys, Media, Net, Server, SourceConfig, Verification,
};

impl Config {
    /// Reads the file and `HERAUT_MASTER_KEY`.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let dir = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, dir)
    }

    /// Reads `text`; relative paths are taken from `dir`. Reads nothing else.
    pub fn parse(_text: &str, _dir: &Path) -> Result<Self, ConfigError> {
        Err(ConfigError::Problems(Vec::new()))
    }
}
