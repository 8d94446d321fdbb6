//! WebSub, the side of a subscriber (<https://www.w3.org/TR/websub/>): which hub a document names, what a hub is answered, when a
//! subscription is renewed, and how rarely its source is polled meanwhile. Pure.
//!
//! Invariants: a hub is believed only about what it was asked, and only under the secret end of the callback's path; what it
//! delivers is taken for the feed only when its topic is the very document that is polled.

mod discovery;
#[cfg(test)]
mod tests;

use std::time::Duration;

pub use self::discovery::{Found, discover, links};
use crate::time::Timestamp;

/// How long a subscription is asked for: the longest that the largest public hub grants.
pub const LEASE_WANTED: Duration = Duration::from_secs(10 * 86_400);
/// Shortest lease that is of use: a shorter one would have to be renewed all the time.
pub const LEASE_MIN: Duration = Duration::from_secs(300);
/// Longest lease that is believed: a hub that promises more is asked again after this all the same.
pub const LEASE_MAX: Duration = Duration::from_secs(30 * 86_400);
/// How long after a request the hub may come to verify it.
pub const VERIFY_WITHIN: Duration = Duration::from_secs(3_600);
/// Longest challenge that is sent back, in bytes; hubs send some tens.
pub const CHALLENGE_BYTES_MAX: usize = 1_024;
/// Largest document that a hub may deliver, in bytes: some ten times a usual feed. A larger one is polled.
pub const DOCUMENT_BYTES_MAX: usize = 2 * 1_024 * 1_024;
/// Longest reason of a hub that is kept, in characters.
pub const REASON_CHARS_MAX: usize = 300;
/// Time between two polls of a source whose hub tells: a lost hub is silent, and is found out within this.
pub const POLL_EVERY: Duration = Duration::from_secs(4 * 3_600);
/// Least time between two polls that a hub can bring about.
pub const LOOK_EVERY_MIN: Duration = Duration::from_secs(10);
/// First wait after a hub failed; each further one is twice as long, at most [`WAIT_MAX`].
pub const WAIT_MIN: Duration = Duration::from_secs(15 * 60);
/// Longest wait after a hub failed.
pub const WAIT_MAX: Duration = Duration::from_secs(86_400);
/// How often a hub is asked to end a subscription; then what it still delivers is answered 410, which ends it too.
pub const LEAVE_TRIES_MAX: i32 = 3;
/// How long an ended subscription is remembered, so that its hub is answered 410 and not 404.
pub const ENDED_KEPT: Duration = Duration::from_secs(30 * 86_400);

/// What a hub says in the query of a GET to the callback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Did you ask to subscribe?
    Subscribe {
        /// To be sent back.
        challenge: String,
        /// What it grants.
        lease: Option<Duration>,
    },
    /// Did you ask to end it?
    Unsubscribe {
        /// To be sent back.
        challenge: String,
    },
    /// There is no subscription, or no longer.
    Denied {
        /// Why, in its words.
        reason: Option<String>,
    },
}

/// What a hub says, and about which topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// What it says.
    pub said: Said,
    /// About what.
    pub topic: String,
}

impl Call {
    /// Reads the parameters of a query, of each name the first. `None` for what is no call of a hub: another mode, no topic, a
    /// challenge that is missing, too long, or not in printable ASCII.
    pub fn read<'q>(parameters: impl Iterator<Item = (&'q str, &'q str)> + Clone) -> Option<Self> {
        let first = |name: &str| parameters.clone().find(|(known, _)| *known == name).map(|(_, value)| value);
        let topic = first("hub.topic")?.to_owned();
        let challenge = || {
            let text = first("hub.challenge")?;
            let good =
                !text.is_empty() && text.len() <= CHALLENGE_BYTES_MAX && text.bytes().all(|b| b.is_ascii_graphic());
            good.then(|| text.to_owned())
        };
        let said = match first("hub.mode")? {
            "subscribe" => Said::Subscribe {
                challenge: challenge()?,
                lease: first("hub.lease_seconds").and_then(|text| text.parse().ok()).map(Duration::from_secs),
            },
            "unsubscribe" => Said::Unsubscribe { challenge: challenge()? },
            "denied" => Said::Denied { reason: first("hub.reason").map(reason).filter(|text| !text.is_empty()) },
            _ => return None,
        };
        Some(Self { said, topic })
    }
}

/// A hub's words, fit for a log.
fn reason(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(REASON_CHARS_MAX).collect::<String>().trim().to_owned()
}

/// What bears on the answer to a hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing<'a> {
    /// The topic that was asked for.
    pub topic: &'a str,
    /// Whether the subscription is wanted, or is being ended.
    pub wanted: bool,
    /// When the hub was last asked, if it has not come to verify since.
    pub asked_at: Option<Timestamp>,
    /// Until when it holds, when it was verified.
    pub holds_until: Option<Timestamp>,
    /// Whether it is over.
    pub ended: bool,
}

/// What follows from a call of a hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It holds until then.
    Live {
        /// Its end.
        until: Timestamp,
    },
    /// The hub grants too little for it to be of use: it is sent back the challenge all the same, and the source is polled.
    TooShort {
        /// What it grants.
        lease: Duration,
    },
    /// It is over, as we wished.
    Over,
    /// The hub does not want to tell us.
    Denied,
    /// We did not ask for that, so it is answered 404.
    NotAsked(&'static str),
}

/// What a call means. A hub may verify a subscription that holds whenever it likes: many do so before they forget it.
pub fn judge(call: &Call, standing: &Standing<'_>, now: Timestamp) -> Verdict {
    if call.topic != standing.topic {
        return Verdict::NotAsked("the topic is another one");
    }
    if standing.ended {
        return Verdict::NotAsked("the subscription has ended");
    }
    let holds = standing.holds_until.is_some_and(|until| until > now);
    let asked = standing.asked_at.is_some_and(|at| now.since(at) <= VERIFY_WITHIN);
    match &call.said {
        Said::Denied { .. } => Verdict::Denied,
        Said::Subscribe { .. } if !standing.wanted => Verdict::NotAsked("the subscription is not wanted any more"),
        Said::Subscribe { .. } if !asked && !holds => Verdict::NotAsked("the hub was not asked lately"),
        Said::Subscribe { lease, .. } => match lease.unwrap_or(LEASE_WANTED) {
            lease if lease < LEASE_MIN => Verdict::TooShort { lease },
            lease => Verdict::Live { until: now.after(lease.min(LEASE_MAX)) },
        },
        Said::Unsubscribe { .. } if standing.wanted => Verdict::NotAsked("the subscription is still wanted"),
        Said::Unsubscribe { .. } if !asked => Verdict::NotAsked("the hub was not asked lately"),
        Said::Unsubscribe { .. } => Verdict::Over,
    }
}

/// When a lease that begins now is renewed: after 70 to 80 % of it, so that many that began together are not renewed together.
/// `chance` is between 0 and 1.
pub fn renew_at(now: Timestamp, until: Timestamp, chance: f64) -> Timestamp {
    now.after(until.since(now).mul_f64(0.7 + 0.1 * chance.clamp(0.0, 1.0)))
}

/// How long a hub is left alone that failed so often in a row, with up to a tenth more by `chance`.
pub fn wait(failures: i32, chance: f64) -> Duration {
    let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or(0).min(16);
    let wait = WAIT_MIN.saturating_mul(1 << doublings).min(WAIT_MAX);
    wait.mul_f64(1.0 + 0.1 * chance.clamp(0.0, 1.0))
}

/// When a source is polled at the latest whose subscription holds: [`POLL_EVERY`] from now, and when the lease ends.
pub fn poll_by(now: Timestamp, until: Timestamp) -> Timestamp {
    now.after(POLL_EVERY).min(until)
}

/// Whether a body of that type may be a document. What it is, is judged by its content; these cannot be one.
pub fn is_document(content_type: Option<&str>) -> bool {
    let Some(value) = content_type else { return true };
    let media_type = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let (kind, name) = media_type.split_once('/').unwrap_or((&media_type, ""));
    match kind {
        "text" | "" => true,
        "application" => name != "x-www-form-urlencoded",
        _ => false,
    }
}
