//! Lengths of time as people write them in a configuration: `90s`, `15m`, `2h`, `1d`, `1h30m`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Longest span, in seconds: ten years. More is a slip of the pen.
pub const SPAN_SECONDS_MAX: u64 = 10 * 366 * 86_400;

/// A length of time of whole seconds, from zero to [`SPAN_SECONDS_MAX`], written as `90s`, `15m`, `2h`, `1d` or `1h30m`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(Duration);

/// Why a text is not a span.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{0}` is not a length of time: write whole seconds, minutes, hours or days, such as `90s`, `15m`, `2h` or `1d`"
)]
pub struct SpanError(String);

impl Span {
    /// A span of whole seconds; more than [`SPAN_SECONDS_MAX`] is cut to it.
    pub const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(if seconds > SPAN_SECONDS_MAX { SPAN_SECONDS_MAX } else { seconds }))
    }

    /// Reads `90s`, `15m`, `2h`, `1d` and sums such as `1h30m`; a number without a unit is refused.
    pub fn parse(text: &str) -> Result<Self, SpanError> {
        let fail = || SpanError(text.to_owned());
        let mut seconds = 0_u64;
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(fail());
        }
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, unit) = rest.split_at_checked(digits).ok_or_else(fail)?;
            let size = match unit.bytes().next() {
                Some(b's') => 1,
                Some(b'm') => 60,
                Some(b'h') => 3_600,
                Some(b'd') => 86_400,
                _ => return Err(fail()),
            };
            let number: u64 = number.parse().map_err(|_| fail())?;
            seconds = number.checked_mul(size).and_then(|s| s.checked_add(seconds)).ok_or_else(fail)?;
            rest = unit.get(1..).unwrap_or_default();
        }
        if seconds > SPAN_SECONDS_MAX {
            return Err(fail());
        }
        Ok(Self(Duration::from_secs(seconds)))
    }

    /// As a duration.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl fmt::Display for Span {
    /// The greatest unit that divides it: what [`Span::parse`] reads back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let units = [(86_400, 'd'), (3_600, 'h'), (60, 'm')];
        match units.into_iter().find(|(size, _)| seconds > 0 && seconds.is_multiple_of(*size)) {
            Some((size, unit)) => write!(f, "{}{unit}", seconds / size),
            None => write!(f, "{seconds}s"),
        }
    }
}

impl TryFrom<String> for Span {
    type Error = SpanError;
    fn try_from(text: String) -> Result<Self, SpanError> {
        Self::parse(&text)
    }
}

impl From<Span> for String {
    fn from(span: Span) -> String {
        span.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::Span;

    #[test]
    fn a_span_reads_the_units_and_writes_the_greatest_that_divides_it() {
        let cases = [("90s", "90s"), ("15m", "15m"), ("120s", "2m"), ("24h", "1d"), ("1h30m", "90m"), ("0s", "0s")];
        for (text, canonical) in cases {
            assert_eq!(Span::parse(text).unwrap().to_string(), canonical, "{text}");
        }
    }

    #[test]
    fn what_is_no_span_is_refused_with_the_forms_that_are() {
        for text in ["", "15", "m", "-5m", "1.5h", "15 m", "1w", "é", "99999999999999999999s", "9999999d"] {
            let error = Span::parse(text).unwrap_err().to_string();
            assert!(error.contains("`15m`"), "{text}: {error}");
        }
    }
}
