//! Single values: lengths of time, ranges, domains, names.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde_json::Value;
use url::Url;

use crate::source::span::Span;
use crate::urls::{URL_BYTES_MAX, authority};

/// Longest name of an agency or source, in characters.
pub const NAME_CHARS_MAX: usize = 64;
/// Longest length of time, ten years: more is a slip of the pen.
pub const PERIOD_MAX: Duration = Duration::from_secs(10 * 366 * 86_400);

/// Reads `90s`, `15m`, `24h`, `3d` and sums such as `1h30m`.
pub(super) fn parse_period(text: &str) -> Result<Duration, String> {
    Span::parse(text).map(Span::duration).map_err(|error| error.to_string())
}

/// Writes a length of time as [`parse_period`] reads it.
pub(super) fn period_text(period: Duration) -> String {
    Span::seconds(period.as_secs()).to_string()
}

/// Reads a range such as `10.1.2.0/24`, or a single address.
pub(super) fn parse_range(text: &str) -> Result<IpNet, String> {
    let single = || text.parse::<IpAddr>().map(IpNet::from);
    text.parse::<IpNet>().or_else(|_| single()).map_err(|_| {
        format!("`{text}` is neither an address nor a range; write for example 10.1.2.0/24 or 127.0.0.1/32")
    })
}

/// Reads a host name, with a port where it has one, to lower case and punycode: so a look-alike shows what it is.
pub fn parse_domain(text: &str) -> Result<String, String> {
    let bare =
        |url: &Url| url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
    let whole = !text.contains(['/', '\\', '@', '?', '#', ' ']);
    match Url::parse(&format!("https://{text}/")) {
        Ok(url) if whole && bare(&url) && url.host().is_some() => Ok(authority(&url)),
        _ => Err(format!("`{text}` is not a domain; write it without https:// and path, for example example.nl")),
    }
}

/// Reads an absolute http(s) URL of a picture.
pub(super) fn parse_picture_url(text: &str) -> Result<String, String> {
    match Url::parse(text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && text.len() <= URL_BYTES_MAX => Ok(text.to_owned()),
        _ => Err(format!("`{text}` is not an absolute http or https URL")),
    }
}

/// Reads the URI of an organisation: registers compare it letter by letter, so it is kept as it is.
pub fn parse_uri(text: &str) -> Result<String, String> {
    let whole = !text.contains(char::is_whitespace) && text.len() <= URL_BYTES_MAX;
    match Url::parse(text) {
        Ok(_) if whole => Ok(text.to_owned()),
        _ => Err(format!(
            "`{text}` is not a URI; write for example https://identifier.overheid.nl/tooi/id/gemeente/gm0000"
        )),
    }
}

/// Reads the short name of an agency, source or kind: it stands in commands and URLs.
pub(super) fn parse_name(text: &str) -> Result<String, String> {
    let word = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.chars().count() > NAME_CHARS_MAX || !text.chars().all(word) {
        return Err(format!(
            "`{text}` is not a short name; use 1 to {NAME_CHARS_MAX} letters, digits, hyphens, dots or underscores"
        ));
    }
    Ok(text.to_owned())
}

/// A TOML value as JSON, for a connector. Dates become text; numbers that JSON has not become text too.
pub(super) fn to_json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Float(number) => {
            serde_json::Number::from_f64(number).map_or_else(|| Value::String(number.to_string()), Value::Number)
        }
        toml::Value::Boolean(truth) => Value::Bool(truth),
        toml::Value::Datetime(date) => Value::String(date.to_string()),
        toml::Value::Array(values) => values.into_iter().map(to_json).collect(),
        toml::Value::Table(table) => Value::Object(table.into_iter().map(|(k, v)| (k, to_json(v))).collect()),
    }
}

/// The place of a byte in a text as people count it: "line 3, column 7".
pub(super) fn place(text: &str, byte: usize) -> String {
    let before = text.get(..byte).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let mut place = String::new();
    let _ = write!(place, "line {line}, column {column}");
    place
}
