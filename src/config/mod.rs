//! The types of `config.toml`.
