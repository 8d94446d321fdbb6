//! Whether the clock of this machine is right: told by what others say the time is.

use std::collections::BTreeMap;

use url::Url;

use crate::cli::check::findings::Findings;
use crate::net::Fetched;
use crate::time::Timestamp;
use crate::urls::authority;

/// A difference of more seconds than this is told: the strictest of servers take a minute.
const OFF_MAX_S: i64 = 30;

/// What servers said the time is, as far from ours, in seconds: positive where theirs is ahead.
#[derive(Debug, Default)]
pub struct Clocks(BTreeMap<String, i64>);

/// What is the matter with clocks.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// Nobody said what time it is.
    Unknown,
    /// All agree.
    Right,
    /// This machine's clock is that much off, in seconds: positive where it is behind.
    Ours(i64),
    /// The clock of the server that answers for us is.
    Public(i64),
}

impl Clocks {
    /// Notes the `Date` of an answer to what was asked between those instants. One from a cache says when it was made.
    pub fn hear(&mut self, answer: &Fetched, asked: Timestamp, came: Timestamp) {
        let date =
            answer.header("date").and_then(Timestamp::parse_http_date).filter(|_| answer.header("age").is_none());
        if let Some(date) = date {
            // It has whole seconds, so on average half a second more has gone by.
            let middle = asked.0.midpoint(came.0);
            self.0.insert(authority(&answer.url), (date.0 + 500 - middle) / 1_000);
        }
    }

    /// Tells what is the matter.
    pub fn tell(&self, public: &Url, findings: &mut Findings) {
        match self.judge(&authority(public)) {
            Verdict::Unknown => findings.note("clock", "no server said what time it is: the clock is not compared"),
            Verdict::Right => findings.good("clock", format!("the clock agrees with those of {}", self.names())),
            Verdict::Ours(seconds) => findings.bad(
                "clock",
                format!("the clock of this machine is {} compared with {}", way(seconds), self.names()),
                "set it, and run an NTP client: other servers refuse what is signed at another time than theirs",
            ),
            Verdict::Public(seconds) => findings.bad(
                "clock",
                format!("the clock of the server that answers at {public} is {}", way(-seconds)),
                "set it, and run an NTP client there: other servers refuse what is signed at another time than theirs",
            ),
        }
    }

    fn judge(&self, public: &str) -> Verdict {
        let own = self.0.get(public).copied();
        let mut others: Vec<i64> =
            self.0.iter().filter(|(host, _)| *host != public).map(|(_, seconds)| *seconds).collect();
        others.sort_unstable();
        // One of the others may be wrong itself.
        let middle = others.get(others.len() / 2).copied();
        let off = |seconds: &i64| seconds.abs() > OFF_MAX_S;
        match (middle.filter(off), own.filter(off)) {
            (Some(seconds), _) => Verdict::Ours(seconds),
            (None, Some(seconds)) if middle.is_some() => Verdict::Public(seconds),
            (None, Some(seconds)) => Verdict::Ours(seconds),
            (None, None) if self.0.is_empty() => Verdict::Unknown,
            (None, None) => Verdict::Right,
        }
    }

    fn names(&self) -> String {
        self.0.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
    }
}

/// How a clock is from which others are that far ahead.
fn way(seconds: i64) -> String {
    format!("{} s {}", seconds.unsigned_abs(), if seconds > 0 { "behind" } else { "ahead" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_clock_is_off_is_told_by_the_others() {
        let table: [(&[(&str, i64)], Verdict); 9] = [
            (&[], Verdict::Unknown),
            (&[("us", 1), ("a", -30), ("b", 30)], Verdict::Right),
            (&[("us", 0), ("a", 31)], Verdict::Ours(31)),
            (&[("us", 90), ("a", 90), ("b", 91)], Verdict::Ours(91)),
            (&[("us", -90)], Verdict::Ours(-90)),
            (&[("us", -90), ("a", 1)], Verdict::Public(-90)),
            (&[("us", 0), ("a", 3_600), ("b", 0), ("c", 1)], Verdict::Right),
            (&[("a", 2), ("b", 3_600), ("c", 1)], Verdict::Right),
            (&[("a", 40), ("b", 41), ("c", 40)], Verdict::Ours(40)),
        ];
        for (said, verdict) in table {
            let clocks = Clocks(said.iter().map(|(host, seconds)| ((*host).to_owned(), *seconds)).collect());
            assert_eq!(clocks.judge("us"), verdict, "{said:?}");
        }
        assert_eq!((way(31), way(-90)), ("31 s behind".to_owned(), "90 s ahead".to_owned()));
    }

    #[test]
    fn an_answer_from_a_cache_says_nothing_of_the_time() {
        let answer = |headers: &[(&str, &str)]| Fetched {
            url: Url::parse("https://a.example/x").unwrap(),
            permanent_redirects: false,
            status: 200,
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: Vec::new(),
        };
        let date = Timestamp::parse_http_date("Sun, 22 Nov 2026 09:00:00 GMT").unwrap();
        let mut clocks = Clocks::default();
        clocks.hear(&answer(&[("date", "Sun, 22 Nov 2026 09:00:00 GMT"), ("age", "90")]), date, date);
        clocks.hear(&answer(&[("date", "gisteren")]), date, date);
        assert!(clocks.0.is_empty());
        let later = Timestamp(date.0 + 60_000);
        clocks.hear(&answer(&[("date", "Sun, 22 Nov 2026 09:00:00 GMT")]), later, later);
        assert_eq!(clocks.0.get("a.example"), Some(&-59));
    }
}
