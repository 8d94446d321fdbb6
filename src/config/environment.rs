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

/// Whether a collector of traces is named by the standard variables of OpenTelemetry, and whether they name this service too.
/// What else they say the OpenTelemetry SDK reads itself.
pub fn collector() -> Option<bool> {
    let set = |name: &str| std::env::var(name).is_ok_and(|value| !value.trim().is_empty());
    let off = std::env::var("OTEL_SDK_DISABLED").is_ok_and(|value| value.eq_ignore_ascii_case("true"));
    let wanted = set("OTEL_EXPORTER_OTLP_ENDPOINT") || set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    (wanted && !off).then(|| set("OTEL_SERVICE_NAME"))
}

/// The name of the user who runs the program, for the audit log.
pub fn user() -> Option<String> {
    std::env::var("USER").ok().filter(|user| !user.is_empty())
}

/// Name of the variable that a benchmark sets to measure another signature; no operator has a use for it.
pub const BENCH_SIGNATURE: &str = "HERAUT_BENCH_SIGNATURE";

/// Whether deliveries are to be signed by RFC 9421 with Ed25519, which not all peers take.
pub fn bench_ed25519() -> bool {
    std::env::var(BENCH_SIGNATURE).is_ok_and(|scheme| scheme == "rfc9421-ed25519")
}
