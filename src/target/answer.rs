//! What a server's answer means.

use std::time::Duration;

use serde_json::Value;

use crate::delivery::retry::WAIT_MAX;
use crate::time::Timestamp;

/// Most characters of a server's words that are kept.
const WORDS_CHARS_MAX: usize = 300;
/// What Mastodon says while it has not finished with a picture.
const NOT_READY: &[&str] = &["not finished processing", "try again"];

/// What an answer means for what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// It was done.
    Done,
    /// What it is about is not there.
    Missing,
    /// It will never be done as it was asked.
    Refused(String),
    /// The token or the account is the matter: nothing is asked until somebody does something about it.
    Barred(String),
    /// It may be done later, not before then.
    Later {
        /// What is the matter.
        why: String,
        /// When the server wants to be asked again.
        not_before: Option<Timestamp>,
        /// Whether it may have been done all the same: an answer of something in between, or of a server that failed on its way.
        unsure: bool,
    },
}

/// What there is to know of an answer.
#[derive(Debug, Clone, Copy)]
pub struct Heard<'h> {
    /// HTTP status.
    pub status: u16,
    /// Headers; names in lower case.
    pub headers: &'h [(String, String)],
    /// The body.
    pub body: &'h [u8],
}

impl Heard<'_> {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.trim())
    }

    /// What it means.
    pub fn meaning(&self, now: Timestamp) -> Meaning {
        let status = self.status;
        let words = self.words();
        let told =
            if words.is_empty() { format!("it answered {status}") } else { format!("it answered {status}: {words}") };
        let later = |unsure| Meaning::Later { why: told.clone(), not_before: self.not_before(now), unsure };
        let not_ready = NOT_READY.iter().any(|part| words.to_lowercase().contains(part));
        match status {
            200..=299 => Meaning::Done,
            401 | 403 => Meaning::Barred(told),
            404 | 410 => Meaning::Missing,
            408 | 425 | 429 => later(false),
            422 if not_ready => later(false),
            400..=499 => Meaning::Refused(told),
            _ => later(true),
        }
    }

    /// The server's words: `error`, and what validation adds.
    pub fn words(&self) -> String {
        let document: Value = serde_json::from_slice(self.body).unwrap_or_default();
        let text = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default();
        let words = match (text("error"), text("error_description")) {
            (error, "") => error.to_owned(),
            ("", more) => more.to_owned(),
            (error, more) => format!("{error}: {more}"),
        };
        words
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .chars()
            .filter(|c| !c.is_control())
            .take(WORDS_CHARS_MAX)
            .collect()
    }

    /// When the server wants to be asked again: `Retry-After`, or the time at which Mastodon counts anew when nothing is left. At most
    /// a day ahead.
    pub fn not_before(&self, now: Timestamp) -> Option<Timestamp> {
        let retry_after = self.header("retry-after").and_then(|text| match text.parse::<u64>() {
            Ok(seconds) => Some(now.after(Duration::from_secs(seconds.min(WAIT_MAX.as_secs())))),
            Err(_) => Timestamp::parse_http_date(text),
        });
        let spent = self.status == 429 || self.header("x-ratelimit-remaining") == Some("0");
        let reset = self.header("x-ratelimit-reset").filter(|_| spent).and_then(Timestamp::parse_rfc3339);
        let at = retry_after.into_iter().chain(reset).max()?;
        (at > now).then(|| at.min(now.after(WAIT_MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000);

    fn meaning(status: u16, body: &str, headers: &[(&str, &str)]) -> Meaning {
        let headers: Vec<_> = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Heard { status, headers: &headers, body: body.as_bytes() }.meaning(NOW)
    }

    fn later(status: u16, headers: &[(&str, &str)]) -> (Option<i64>, bool) {
        match meaning(status, "", headers) {
            Meaning::Later { not_before, unsure, .. } => (not_before.map(|at| at.0 - NOW.0), unsure),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_answers_of_mastodon_are_understood() {
        assert_eq!(meaning(200, "{}", &[]), Meaning::Done);
        assert_eq!(meaning(404, r#"{"error":"Record not found"}"#, &[]), Meaning::Missing);
        let refused =
            meaning(422, "{\"error\":\"Validation failed:\\n Text character limit of 500 exceeded\\u0007\"}", &[]);
        assert_eq!(
            refused,
            Meaning::Refused("it answered 422: Validation failed: Text character limit of 500 exceeded".to_owned())
        );
        let barred =
            meaning(401, r#"{"error":"invalid_token","error_description":"The access token is invalid"}"#, &[]);
        assert_eq!(barred, Meaning::Barred("it answered 401: invalid_token: The access token is invalid".to_owned()));
        assert!(matches!(meaning(403, "<html>", &[]), Meaning::Barred(_)));
        let busy = r#"{"error":"Cannot attach files that have not finished processing. Try again in a moment!"}"#;
        assert!(matches!(meaning(422, busy, &[]), Meaning::Later { unsure: false, .. }));
        assert!(matches!(meaning(400, "", &[]), Meaning::Refused(_)));
    }

    #[test]
    fn a_server_is_asked_again_when_it_wants_to_be() {
        assert_eq!(later(429, &[("retry-after", "30")]), (Some(30_000), false));
        assert_eq!(later(429, &[("x-ratelimit-reset", "2027-01-15T08:05:00.000000Z")]), (Some(300_000), false));
        assert_eq!(later(503, &[("retry-after", "9999999999")]), (Some(86_400_000), true));
        assert_eq!(later(503, &[("retry-after", "Thu, 01 Jan 1970 00:00:00 GMT")]), (None, true));
        assert_eq!(later(502, &[]), (None, true));
        assert_eq!(later(302, &[]), (None, true));
        let left = [
            ("x-ratelimit-remaining".to_owned(), "0".to_owned()),
            ("x-ratelimit-reset".to_owned(), "2027-01-15T08:00:01Z".to_owned()),
        ];
        let heard = Heard { status: 200, headers: &left, body: b"" };
        assert_eq!(heard.not_before(NOW), Some(Timestamp(NOW.0 + 1_000)));
    }

    #[test]
    fn of_a_servers_words_only_some_are_kept() {
        let body = format!(r#"{{"error":"{}"}}"#, "a".repeat(5_000));
        assert_eq!(Heard { status: 422, headers: &[], body: body.as_bytes() }.words().len(), WORDS_CHARS_MAX);
    }
}
