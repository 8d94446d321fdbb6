//! The environment variables that the gateway reads; nothing else in the crate reads any.

use crate::config::secret::Secret;

/// Name of the variable that holds the master key.
pub const MASTER_KEY: &str = "HERAUT_MASTER_KEY";
/// Name of the variable that holds the passphrase of backups.
pub const BACKUP_PASSPHRASE: &str = "HERAUT_BACKUP_PASSPHRASE";
/// Name of the variable that holds the log filter.
pub const LOG: &str = "HERAUT_LOG";

/// The master key from `HERAUT_MASTER_KEY`, where set and not empty.
pub fn master_key() -> Option<Secret> {
    std::env::var(MASTER_KEY).ok().filter(|v| !v.trim().is_empty()).map(Secret::new)
}

/// The passphrase of backups from `HERAUT_BACKUP_PASSPHRASE`, where set and not empty.
pub fn backup_passphrase() -> Option<Secret> {
    std::env::var(BACKUP_PASSPHRASE).ok().filter(|v| !v.trim().is_empty()).map(Secret::new)
}

/// The log filter from `HERAUT_LOG`, where set and not empty: `tracing` directives such as `info,heraut=debug`.
pub fn log_filter() -> Option<String> {
    std::env::var(LOG).ok().filter(|v| !v.trim().is_empty())
}

/// The name of the user who runs the program, for the audit log.
pub fn user() -> Option<String> {
    std::env::var("USER").ok().filter(|user| !user.is_empty())
}
